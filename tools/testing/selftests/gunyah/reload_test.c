// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modules unloaded and loaded between guests, and the device taken away under one. Those of
 * functions are loaded by the kernel itself, if there is a modprobe that can.
 */
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

/* In the order in which they are loaded */
static const struct {
	const char *name;
	const char *file;
} modules[] = {
	{ "gunyah_hypercall", "gunyah_hypercall.ko" },
	{ "gunyah_platform_hooks", "gunyah_platform_hooks.ko" },
	{ "gunyah_msgq", "gunyah-msgq.ko" },
	{ "gunyah", "gunyah.ko" },
	/* Of functions, in the order of their types */
	{ "gunyah_vcpu", "gunyah_vcpu.ko" },
	{ "gunyah_irqfd", "gunyah_irqfd.ko" },
	{ "gunyah_ioeventfd", "gunyah_ioeventfd.ko" },
};

#define GUNYAH		3
#define N_MODULES	(GUNYAH + 1)
#define N_ALL		((int)ARRAY_SIZE(modules))
/* The module of a type of functions */
#define MODULE_OF(type)	(GUNYAH + (type))
#define MODPROBE	"/proc/sys/kernel/modprobe"

static int module_path(int i, char *path, size_t size)
{
	snprintf(path, size, "/lib/modules/lab/%s", modules[i].file);
	return access(path, R_OK) ? -errno : 0;
}

static bool is_loaded(int i)
{
	char path[PATH_MAX];

	/* Built-in ones have no state */
	snprintf(path, sizeof(path), "/sys/module/%s/initstate", modules[i].name);
	return !access(path, F_OK);
}

static int load(int i)
{
	char path[PATH_MAX];
	int fd, err = 0;

	module_path(i, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", 0))
		err = -errno;
	close(fd);
	return err;
}

static int unload(int i)
{
	return syscall(SYS_delete_module, modules[i].name, O_NONBLOCK) ? -errno : 0;
}

/* Work that closing a VM left behind may hold the module for a moment */
static int unload_soon(int i)
{
	uint64_t end = now_ms() + EVENT_MS;
	int err;

	while ((err = unload(i)) == -EAGAIN && now_ms() < end)
		sleep_ms(10);
	return err;
}

FIXTURE(reload) {
	struct guest guest;
	int dev;
	bool can_load;
	char modprobe[256];
};

FIXTURE_SETUP(reload)
{
	char path[PATH_MAX];
	int i;

	self->dev = gh_open();
	if (self->dev == -ENOENT)
		SKIP(return, "no /dev/gunyah");
	ASSERT_LE(0, self->dev);
	self->can_load = true;
	for (i = 0; i < N_MODULES; i++)
		self->can_load &= is_loaded(i) && !module_path(i, path, sizeof(path));
	EXPECT_EQ(0, read_text(MODPROBE, self->modprobe, sizeof(self->modprobe)));
	self->modprobe[strcspn(self->modprobe, "\n")] = 0;
}

FIXTURE_TEARDOWN(reload)
{
	int i;

	guest_free(&self->guest);
	close(self->dev);
	EXPECT_EQ(0, write_text(MODPROBE, self->modprobe));
	/* Other tests need them, whatever went wrong here */
	for (i = 0; self->can_load && i < N_MODULES; i++) {
		if (!is_loaded(i))
			EXPECT_EQ(0, load(i));
	}
}

#define RELOAD_TEST(name)	TEST_F_TIMEOUT(reload, name, TEST_LIMIT)

/* All of them, and the device again behind them */
static void reload(struct __test_metadata *_metadata, FIXTURE_DATA(reload) *self)
{
	int i;

	for (i = N_ALL - 1; i >= 0; i--) {
		if (i > GUNYAH && !is_loaded(i))
			continue;
		ASSERT_EQ(0, unload_soon(i)) {
			TH_LOG("unload %s", modules[i].name);
		}
	}
	EXPECT_EQ(-ENOENT, gh_open());
	for (i = 0; i < N_MODULES; i++) {
		ASSERT_EQ(0, load(i)) {
			TH_LOG("load %s", modules[i].name);
		}
	}
	self->dev = open_soon();
	ASSERT_LE(0, self->dev);
}

RELOAD_TEST(between_guests)
{
	struct gh_vm_exit_info info;
	int round;

	if (!self->can_load)
		SKIP(return, "the drivers are not modules, or their files are not here");
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info));
		EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
		close(self->dev);
		reload(_metadata, self);
	}
	ASSERT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info));
}

/* A module is held by what it has given out */
RELOAD_TEST(held)
{
	struct guest *g = &self->guest;
	int i;

	if (!self->can_load)
		SKIP(return, "the drivers are not modules, or their files are not here");
	EXPECT_EQ(-EAGAIN, unload(GUNYAH));
	ASSERT_EQ(0, guest_run(g, self->dev, "spin", 0));
	close(self->dev);
	for (i = 0; i < N_MODULES; i++) {
		EXPECT_EQ(-EAGAIN, unload(i)) {
			TH_LOG("unload %s", modules[i].name);
		}
	}
	EXPECT_EQ(0, vm_events(g->vm) & POLLHUP);
	guest_free(g);
	self->dev = gh_open();
	EXPECT_LE(0, self->dev);
}

/* One of each type, of which the argument is kept for the removal. What ADD returns */
static int add_function(struct guest *g, uint32_t type, int event)
{
	switch (type) {
	case GH_FN_VCPU:
		return gh_add_vcpu(g->vm, 0);
	case GH_FN_IRQFD:
		return gh_add_irqfd(g->vm, event, 0, 0);
	default:
		return gh_add_ioeventfd(g->vm, event, 0x1000, 4, 0, 0);
	}
}

static int remove_function(struct guest *g, uint32_t type)
{
	switch (type) {
	case GH_FN_VCPU:
		return remove_vcpu(g->vm, 0);
	case GH_FN_IRQFD:
		return remove_irqfd(g->vm, 0, 0);
	default:
		return remove_ioeventfd(g->vm, 0, 0x1000, 0, 0);
	}
}

/* A function that is asked for brings its module, which then stays as long as it is used */
RELOAD_TEST(functions)
{
	int event = eventfd(0, EFD_CLOEXEC), fd, other;
	struct guest *g = &self->guest;
	uint32_t type;

	if (!self->can_load || access(self->modprobe, X_OK))
		SKIP(return, "the drivers are not modules, or there is no modprobe");
	ASSERT_LE(0, event);
	g->vm = gh_create_vm(self->dev);
	ASSERT_LE(0, g->vm);
	g->has_vm = true;
	for (type = GH_FN_VCPU; type <= GH_FN_IOEVENTFD; type++) {
		if (is_loaded(MODULE_OF(type)))
			ASSERT_EQ(0, unload_soon(MODULE_OF(type)));
		/* Without modprobe it is not there, and nothing is broken by that */
		ASSERT_EQ(0, write_text(MODPROBE, "/does/not/exist"));
		EXPECT_EQ(-ENOENT, add_function(g, type, event));
		EXPECT_EQ(-ENOENT, remove_function(g, type));
		ASSERT_EQ(0, write_text(MODPROBE, self->modprobe));
		EXPECT_FALSE(is_loaded(MODULE_OF(type)));
		/* Not to remove what cannot be there */
		EXPECT_EQ(-ENOENT, remove_function(g, type));
		EXPECT_FALSE(is_loaded(MODULE_OF(type)));

		fd = add_function(g, type, event);
		EXPECT_LE(0, fd);
		EXPECT_TRUE(is_loaded(MODULE_OF(type)));
		EXPECT_EQ(-EAGAIN, unload(MODULE_OF(type)));
		EXPECT_EQ(-EAGAIN, unload(GUNYAH));
		EXPECT_EQ(0, remove_function(g, type));
		if (type == GH_FN_VCPU) {
			/* Its file leads to the module's code */
			EXPECT_EQ(-EAGAIN, unload(MODULE_OF(type)));
			EXPECT_EQ(page_size(), ioctl(fd, GH_VCPU_MMAP_SIZE));
			close(fd);
		}
		EXPECT_EQ(0, unload_soon(MODULE_OF(type)));
		/* What is wrong whatever the type is does not bring it */
		other = gh_create_vm(self->dev);
		ASSERT_LE(0, other);
		EXPECT_EQ(-EINVAL, function(other, GH_VM_ADD_FUNCTION, type, &other, 0));
		EXPECT_FALSE(is_loaded(MODULE_OF(type)));
		close(other);
		/* This one is removed at the end of the VM */
		fd = add_function(g, type, event);
		EXPECT_LE(0, fd);
		if (type == GH_FN_VCPU)
			close(fd);
	}
	guest_close(g);
	for (type = GH_FN_VCPU; type <= GH_FN_IOEVENTFD; type++)
		EXPECT_EQ(0, unload_soon(MODULE_OF(type)));
	close(event);
}

/* A vCPU outlives its VM, the device and the device's module's other users */
RELOAD_TEST(vcpu_held)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;
	struct vcpu v = { };

	if (!self->can_load)
		SKIP(return, "the drivers are not modules, or their files are not here");
	ASSERT_EQ(0, guest_alloc_vcpus(g, "hello", 1, NULL, 0));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	v.fd = dup(g->vcpu[0].fd);
	v.run = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, v.fd, 0);
	ASSERT_NE(MAP_FAILED, v.run);
	guest_free(g);
	close(self->dev);
	ASSERT_EQ(0, driver_unbind());
	EXPECT_EQ(-EAGAIN, unload(MODULE_OF(GH_FN_VCPU)));
	EXPECT_EQ(-EAGAIN, unload(GUNYAH));
	EXPECT_EQ(0, vcpu_run(&v));
	EXPECT_TRUE(vcpu_says_ended(&v, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED));
	/* A mapping alone is enough to hold it */
	close(v.fd);
	EXPECT_EQ(-EAGAIN, unload(MODULE_OF(GH_FN_VCPU)));
	EXPECT_EQ(GH_VCPU_EXIT_STATUS, v.run->exit_reason);
	munmap(v.run, page_size());

	reload(_metadata, self);
	ASSERT_EQ(0, guest_cycle(g, self->dev, "hello", &info));
}

/* The device goes away while a guest runs: the guest ends, and files are left that fail */
RELOAD_TEST(device_removed)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;
	uint32_t vmids = ctl_read(GH_LAB_CTL_VMIDS), parcels = ctl_read(GH_LAB_CTL_PARCELS);
	int new_vm;

	new_vm = gh_create_vm(self->dev);
	ASSERT_LE(0, new_vm);
	ASSERT_EQ(0, guest_run(g, self->dev, "spin", 0));

	ASSERT_EQ(0, driver_unbind());
	EXPECT_EQ(-ENOENT, gh_open());
	EXPECT_EQ(-ENODEV, gh_create_vm(self->dev));
	EXPECT_EQ(-ENODEV, gh_start(g->vm));
	EXPECT_EQ(-ENODEV, gh_start(new_vm));
	EXPECT_EQ(-ENODEV, gh_set_dtb(new_vm, 0, 0x1000));
	EXPECT_EQ(-ENODEV, gh_set_region(new_vm, 0, RWX, 0, g->page_mem.size, g->page_mem.addr));
	EXPECT_EQ(POLLHUP, vm_events(g->vm) & POLLHUP);
	/* Everything is back already: the resource manager is out of reach from here on */
	EXPECT_TRUE(can_read(g->image.addr));
	EXPECT_EQ(vmids, ctl_read(GH_LAB_CTL_VMIDS));
	EXPECT_EQ(parcels, ctl_read(GH_LAB_CTL_PARCELS));
	close(new_vm);
	guest_free(g);
	close(self->dev);

	ASSERT_EQ(0, driver_bind());
	self->dev = open_soon();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, guest_cycle(g, self->dev, "hello", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

/* Nor may the code go away while there are files of a device that has gone */
RELOAD_TEST(removed_and_held)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;
	int new_vm;

	if (!self->can_load)
		SKIP(return, "the drivers are not modules, or their files are not here");
	new_vm = gh_create_vm(self->dev);
	ASSERT_LE(0, new_vm);
	ASSERT_EQ(0, guest_run(g, self->dev, "wait", 0));
	ASSERT_EQ(0, driver_unbind());
	EXPECT_EQ(-EAGAIN, unload(GUNYAH));
	close(self->dev);
	EXPECT_EQ(-EAGAIN, unload(GUNYAH));
	guest_free(g);
	EXPECT_EQ(-EAGAIN, unload(GUNYAH));
	/* What is left still leads to code that is there */
	EXPECT_EQ(-ENODEV, gh_start(new_vm));
	close(new_vm);

	reload(_metadata, self);
	ASSERT_EQ(0, guest_cycle(g, self->dev, "hello", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

TEST_HARNESS_MAIN

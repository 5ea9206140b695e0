// SPDX-License-Identifier: GPL-2.0-only
/* Modules unloaded and loaded between guests, and the device taken away under one */
#include <limits.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

/* In the order in which they are loaded */
static const struct {
	const char *name;
	const char *file;
} modules[] = {
	{ "gunyah_hypercall", "gunyah_hypercall.ko" },
	{ "gunyah_msgq", "gunyah-msgq.ko" },
	{ "gunyah", "gunyah.ko" },
};

#define N_MODULES	((int)ARRAY_SIZE(modules))

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
}

FIXTURE_TEARDOWN(reload)
{
	int i;

	guest_free(&self->guest);
	close(self->dev);
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

	for (i = N_MODULES - 1; i >= 0; i--) {
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
	EXPECT_EQ(-EAGAIN, unload(N_MODULES - 1));
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
	EXPECT_EQ(-EAGAIN, unload(N_MODULES - 1));
	close(self->dev);
	EXPECT_EQ(-EAGAIN, unload(N_MODULES - 1));
	guest_free(g);
	EXPECT_EQ(-EAGAIN, unload(N_MODULES - 1));
	/* What is left still leads to code that is there */
	EXPECT_EQ(-ENODEV, gh_start(new_vm));
	close(new_vm);

	reload(_metadata, self);
	ASSERT_EQ(0, guest_cycle(g, self->dev, "hello", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

TEST_HARNESS_MAIN

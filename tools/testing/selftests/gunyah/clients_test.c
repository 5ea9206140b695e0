// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of the VMMs that are in use, in their order and with their arguments, those
 * that are mistakes included: crosvm, QEMU with its Gunyah accelerator, and Gunyah's test
 * VMM. What they have no name for in linux/gunyah.h is given by its number.
 */
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

#define JUNK			0xdeadbeef

#define CREATE_GUEST_MEM	0x40404708
#define MAP_MEM			0x40204709
#define SET_BOOT_CONTEXT	0x4010470a
#define TENTATIVE_UAPI		0x00004110
#define SET_FW_CONFIG		0x40104112
#define RECLAIM_REGION		0x40104113
#define CREATE_CMA_MEM_FD	0x00004114
#define MAP_CMA_MEM		0x40284115
#define SET_AUTH_TYPE		0x40104116
#define CHECK_EXTENSION		0x00004117

/* What crosvm writes for GH_IOEVENTFD_FLAGS_DATAMATCH */
#define CROSVM_DATAMATCH	(1U << GH_IOEVENTFD_FLAGS_DATAMATCH)

/* The first SPI of each machine's devices, and where they have registers */
#define CROSVM_INTX		4
#define CROSVM_N_INTX		28
#define CROSVM_VMWDT		15
#define CROSVM_NOTIFY		0x2001000
#define QEMU_SPIS		256
#define QEMU_NOTIFY		0xa000050
#define TVMM_NOTIFY		0x3f000

/* A VM that is never started, for what depends on the arguments alone */
static int new_vm(FIXTURE_DATA(gunyah) *self)
{
	self->guest.vm = gh_create_vm(self->dev);
	self->guest.has_vm = self->guest.vm >= 0;
	return self->guest.vm;
}

static int add(int vm, uint32_t type, const void *arg, uint32_t size)
{
	return function(vm, GH_VM_ADD_FUNCTION, type, arg, size);
}

static int remove_as(int vm, uint32_t type, const void *arg, uint32_t size)
{
	return function(vm, GH_VM_REMOVE_FUNCTION, type, arg, size);
}

/* QEMU does not clear the structures: what it does not set is what was on the stack */
static int qemu_irqfd(int vm, unsigned long cmd, int fd, uint32_t label)
{
	struct gh_fn_irqfd_arg arg = {
		.fd = fd, .label = label, .flags = GH_IRQFD_FLAGS_LEVEL, .padding = JUNK,
	};

	return function(vm, cmd, GH_FN_IRQFD, &arg, sizeof(arg));
}

static int qemu_ioeventfd(int vm, unsigned long cmd, int fd, uint64_t addr, uint32_t len,
			  uint32_t datamatch)
{
	struct gh_fn_ioeventfd_arg arg = {
		.fd = fd, .addr = addr, .len = len, .datamatch = datamatch,
		.flags = GH_IOEVENTFD_FLAGS_DATAMATCH, .padding = JUNK,
	};

	return function(vm, cmd, GH_FN_IOEVENTFD, &arg, sizeof(arg));
}

/* crosvm's removal names what has to go and nothing else */
static int crosvm_remove_irqfd(int vm, uint32_t label)
{
	struct gh_fn_irqfd_arg arg = { .label = label };

	return remove_as(vm, GH_FN_IRQFD, &arg, sizeof(arg));
}

static int crosvm_remove_ioeventfd(int vm, uint64_t addr)
{
	struct gh_fn_ioeventfd_arg arg = { .addr = addr };

	return remove_as(vm, GH_FN_IOEVENTFD, &arg, sizeof(arg));
}

static uint64_t events(int fd)
{
	uint64_t value = 0;

	/* Nobody may have written, and that is no event either */
	if (read(fd, &value, sizeof(value)) < 0)
		return 0;
	return value;
}

static int new_event(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* Numbers by which VMMs find out what there is: it is not, and this is how that is said */
GUNYAH_TEST(absent)
{
	static const unsigned int of_vm[] = {
		MAP_MEM, SET_BOOT_CONTEXT, SET_FW_CONFIG, RECLAIM_REGION, MAP_CMA_MEM,
		SET_AUTH_TYPE, CHECK_EXTENSION,
	};
	static const unsigned int of_device[] = {
		CREATE_GUEST_MEM, TENTATIVE_UAPI, CREATE_CMA_MEM_FD, CHECK_EXTENSION,
	};
	uint64_t arg[8] = { };
	size_t i;
	int vm;

	vm = new_vm(self);
	ASSERT_LE(0, vm);
	for (i = 0; i < ARRAY_SIZE(of_vm); i++) {
		EXPECT_EQ(-1, ioctl(vm, of_vm[i], arg));
		EXPECT_EQ(ENOTTY, errno) {
			TH_LOG("%#x: %s", of_vm[i], strerror(errno));
		}
	}
	for (i = 0; i < ARRAY_SIZE(of_device); i++) {
		EXPECT_EQ(-1, ioctl(self->dev, of_device[i], arg));
		EXPECT_EQ(ENOTTY, errno) {
			TH_LOG("%#x: %s", of_device[i], strerror(errno));
		}
	}
	/* The extension is asked for by number, not by pointer */
	EXPECT_EQ(-1, ioctl(vm, CHECK_EXTENSION, 0));
	EXPECT_EQ(ENOTTY, errno);
}

/* The number that all VMMs of protected guests lend by. Flags are those of Android. */
GUNYAH_TEST(lend)
{
	struct gh_userspace_memory_region region = { .label = 3, .flags = RWX };
	struct gh_mem mem;
	int vm;

	ASSERT_EQ(0x40204111, GH_VM_ANDROID_LEND_USER_MEM);
	ASSERT_EQ(0, gh_mem_alloc(&mem, "lend", 2 * page_size()));
	vm = new_vm(self);
	ASSERT_LE(0, vm);
	region.guest_phys_addr = GH_GUEST_BASE;
	region.memory_size = page_size();
	region.userspace_addr = (uintptr_t)mem.addr;
	ASSERT_EQ(0, ioctl(vm, GH_VM_ANDROID_LEND_USER_MEM, &region));
	EXPECT_EQ(-1, ioctl(vm, GH_VM_ANDROID_LEND_USER_MEM, &region));
	EXPECT_EQ(EEXIST, errno);
	/* There is one list of labels */
	EXPECT_EQ(-EEXIST, gh_set_region(vm, 3, RWX, 0x90000000, page_size(), mem.addr));
	region.flags = 16;
	EXPECT_EQ(-1, ioctl(vm, GH_VM_ANDROID_LEND_USER_MEM, &region));
	EXPECT_EQ(EINVAL, errno);
	region.flags = 0;
	region.memory_size = 0;
	EXPECT_EQ(0, ioctl(vm, GH_VM_ANDROID_LEND_USER_MEM, &region));
	EXPECT_EQ(-1, ioctl(vm, GH_VM_ANDROID_LEND_USER_MEM, &region));
	EXPECT_EQ(ENOENT, errno);
	guest_close(&self->guest);
	gh_mem_free(&mem);
}

/* Every call that VMMs compare with 0 returns 0 and not something else that is no error */
GUNYAH_TEST(irqfd_arguments)
{
	struct gh_fn_irqfd_arg arg = { .label = 7 };
	unsigned int bit;
	int vm, a, b;

	vm = new_vm(self);
	ASSERT_LE(0, vm);
	a = new_event();
	b = new_event();
	EXPECT_EQ(-ENOENT, crosvm_remove_irqfd(vm, 7));
	EXPECT_EQ(0, gh_add_irqfd(vm, a, 7, 0));
	EXPECT_EQ(-ENOENT, crosvm_remove_irqfd(vm, 6));
	EXPECT_EQ(0, crosvm_remove_irqfd(vm, 7));
	EXPECT_EQ(-ENOENT, crosvm_remove_irqfd(vm, 7));

	/* crosvm runs out of numbers and begins again: a label has a level and an edge then */
	EXPECT_EQ(0, gh_add_irqfd(vm, a, 7, GH_IRQFD_FLAGS_LEVEL));
	EXPECT_EQ(0, gh_add_irqfd(vm, b, 7, 0));
	EXPECT_EQ(0, crosvm_remove_irqfd(vm, 7));
	EXPECT_EQ(0, crosvm_remove_irqfd(vm, 7));
	EXPECT_EQ(-ENOENT, crosvm_remove_irqfd(vm, 7));

	/* Junk in padding, not the same when it is removed */
	EXPECT_EQ(0, qemu_irqfd(vm, GH_VM_ADD_FUNCTION, a, 0xffffffff));
	arg.label = 0xffffffff;
	arg.fd = a;
	arg.padding = ~JUNK;
	EXPECT_EQ(0, remove_as(vm, GH_FN_IRQFD, &arg, sizeof(arg)));

	for (bit = 1; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, gh_add_irqfd(vm, a, 7, 1U << bit | (bit & 1)));
	EXPECT_EQ(-EBADF, gh_add_irqfd(vm, -1, 7, 0));
	EXPECT_EQ(-EINVAL, gh_add_irqfd(vm, self->dev, 7, 0));
	EXPECT_EQ(-EINVAL, add(vm, GH_FN_IRQFD, &arg, sizeof(arg) - 4));
	EXPECT_EQ(-EINVAL, add(vm, GH_FN_IRQFD, &arg, sizeof(arg) + 4));
	EXPECT_EQ(-EFAULT, add(vm, GH_FN_IRQFD, NULL, sizeof(arg)));
	/* Nothing of that was left */
	EXPECT_EQ(-ENOENT, crosvm_remove_irqfd(vm, 7));
	close(a);
	close(b);
}

GUNYAH_TEST(ioeventfd_arguments)
{
	struct gh_fn_ioeventfd_arg arg = { .addr = 0x1000, .len = 4 };
	unsigned int bit;
	uint32_t len;
	int vm, a;

	vm = new_vm(self);
	ASSERT_LE(0, vm);
	a = new_event();
	for (len = 0; len <= 40; len++) {
		bool good = !len || len == 1 || len == 2 || len == 4 || len == 8;

		EXPECT_EQ(good ? 0 : -EINVAL, gh_add_ioeventfd(vm, a, 0x1000, len, 0, 0));
		EXPECT_EQ(good ? 0 : -ENOENT, crosvm_remove_ioeventfd(vm, 0x1000));
		good = good && len;
		EXPECT_EQ(good ? 0 : -EINVAL,
			  gh_add_ioeventfd(vm, a, 0x1000, len, GH_IOEVENTFD_FLAGS_DATAMATCH, 5));
		EXPECT_EQ(good ? 0 : -ENOENT, crosvm_remove_ioeventfd(vm, 0x1000));
	}
	for (bit = 4; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, gh_add_ioeventfd(vm, a, 0x1000, 1U << bit | 4, 0, 0));
	for (bit = 1; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, gh_add_ioeventfd(vm, a, 0x1000, 4, 1U << bit | (bit & 1), 0));
	EXPECT_EQ(-EINVAL, gh_add_ioeventfd(vm, a, 0x1000, 4, CROSVM_DATAMATCH, 5));
	EXPECT_EQ(-EBADF, gh_add_ioeventfd(vm, -1, 0x1000, 4, 0, 0));
	EXPECT_EQ(-EINVAL, gh_add_ioeventfd(vm, self->dev, 0x1000, 4, 0, 0));
	EXPECT_EQ(-EINVAL, gh_add_ioeventfd(vm, a, ~0ULL, 4, 0, 0));
	EXPECT_EQ(-EINVAL, add(vm, GH_FN_IOEVENTFD, &arg, sizeof(arg) - 8));
	EXPECT_EQ(-EINVAL, add(vm, GH_FN_IOEVENTFD, &arg, sizeof(arg) + 8));
	EXPECT_EQ(-EFAULT, add(vm, GH_FN_IOEVENTFD, NULL, sizeof(arg)));
	EXPECT_EQ(-ENOENT, crosvm_remove_ioeventfd(vm, 0x1000));
	/* Nobody reads padding */
	EXPECT_EQ(0, qemu_ioeventfd(vm, GH_VM_ADD_FUNCTION, a, 0x1000, 2, 1));
	EXPECT_EQ(0, crosvm_remove_ioeventfd(vm, 0x1000));
	close(a);
}

/* What the test VMM's own tests expect of ioeventfds */
GUNYAH_TEST(tvmm_create_many)
{
	static const uint64_t addrs[] = { 0x8000, 0x8008, 0x800a, 0x100 };
	struct gh_fn_ioeventfd_arg arg = { };
	size_t i;
	int vm, fd;

	vm = new_vm(self);
	ASSERT_LE(0, vm);
	fd = new_event();
	for (i = 0; i < ARRAY_SIZE(addrs); i++)
		EXPECT_EQ(0, gh_add_ioeventfd(vm, fd, addrs[i], 8, 0, 0));
	/* The same address with no value, of whatever size */
	EXPECT_EQ(-EEXIST, gh_add_ioeventfd(vm, fd, 0x8000, 8, 0, 0));
	EXPECT_EQ(-EEXIST, gh_add_ioeventfd(vm, fd, 0x8000, 4, 0, 0));
	EXPECT_EQ(-EEXIST, gh_add_ioeventfd(vm, fd, 0x8000, 0, 0, 0));

	/* "multiple_datamatch": values tell them apart, and the same value does not */
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, gh_add_ioeventfd(vm, fd, 0x8000, 8, GH_IOEVENTFD_FLAGS_DATAMATCH, i));
	EXPECT_EQ(-EEXIST, gh_add_ioeventfd(vm, fd, 0x8000, 8, GH_IOEVENTFD_FLAGS_DATAMATCH, 3));
	EXPECT_EQ(0, gh_add_ioeventfd(vm, fd, 0x8000, 4, GH_IOEVENTFD_FLAGS_DATAMATCH, 3));

	/* It drops each with the arguments that it was made with */
	for (i = 0; i < 4; i++) {
		arg = (struct gh_fn_ioeventfd_arg){
			.addr = 0x8000, .len = 8, .fd = fd, .datamatch = i,
			.flags = GH_IOEVENTFD_FLAGS_DATAMATCH,
		};
		EXPECT_EQ(0, remove_as(vm, GH_FN_IOEVENTFD, &arg, sizeof(arg)));
		EXPECT_EQ(i == 3 ? 0 : -ENOENT, remove_as(vm, GH_FN_IOEVENTFD, &arg, sizeof(arg)));
	}
	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		arg = (struct gh_fn_ioeventfd_arg){ .addr = addrs[i], .len = 8, .fd = fd };
		EXPECT_EQ(0, remove_as(vm, GH_FN_IOEVENTFD, &arg, sizeof(arg)));
		EXPECT_EQ(-ENOENT, remove_as(vm, GH_FN_IOEVENTFD, &arg, sizeof(arg)));
	}
	close(fd);
}

/* Several at one address, and the removal that says which by its file */
GUNYAH_TEST(qemu_same_address)
{
	int vm, fd[4];
	unsigned int i;

	vm = new_vm(self);
	ASSERT_LE(0, vm);
	for (i = 0; i < 4; i++) {
		fd[i] = new_event();
		EXPECT_EQ(0, qemu_ioeventfd(vm, GH_VM_ADD_FUNCTION, fd[i], QEMU_NOTIFY, 4, i));
	}
	EXPECT_EQ(-EEXIST, qemu_ioeventfd(vm, GH_VM_ADD_FUNCTION, fd[1], QEMU_NOTIFY, 4, 2));
	/* By the file alone */
	EXPECT_EQ(0, remove_ioeventfd(vm, fd[2], QEMU_NOTIFY, 0, 0));
	EXPECT_EQ(-ENOENT, remove_ioeventfd(vm, fd[2], QEMU_NOTIFY, 0, 0));
	EXPECT_EQ(0, qemu_ioeventfd(vm, GH_VM_ADD_FUNCTION, fd[2], QEMU_NOTIFY, 4, 2));
	EXPECT_EQ(-EEXIST, qemu_ioeventfd(vm, GH_VM_ADD_FUNCTION, fd[2], QEMU_NOTIFY, 4, 3));
	/* By value and file, of which both have to be right */
	EXPECT_EQ(-ENOENT, qemu_ioeventfd(vm, GH_VM_REMOVE_FUNCTION, fd[1], QEMU_NOTIFY, 4, 2));
	EXPECT_EQ(0, qemu_ioeventfd(vm, GH_VM_REMOVE_FUNCTION, fd[2], QEMU_NOTIFY, 4, 2));
	EXPECT_EQ(-ENOENT, qemu_ioeventfd(vm, GH_VM_REMOVE_FUNCTION, fd[2], QEMU_NOTIFY, 4, 2));
	/* By the address alone: one after the other */
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, crosvm_remove_ioeventfd(vm, QEMU_NOTIFY));
	EXPECT_EQ(-ENOENT, crosvm_remove_ioeventfd(vm, QEMU_NOTIFY));
	for (i = 0; i < 4; i++)
		close(fd[i]);
}

/*
 * QEMU says that the devicetree may grow to the end of memory. The size is 64 bits wide, and
 * is that at START, too, which is where the region is looked for.
 */
GUNYAH_TEST(large_dtb)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, guest_alloc_vcpus(g, "hello", 1, NULL, 0));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	EXPECT_EQ(0, gh_set_dtb(g->vm, GH_GUEST_BASE + g->dtb_offset, 0x20000000));
	EXPECT_EQ(-EINVAL, gh_start(g->vm));
	EXPECT_EQ(0, gh_set_dtb(g->vm, GH_GUEST_BASE + g->dtb_offset, 0x100000000 + g->dtb_space));
	EXPECT_EQ(-EINVAL, gh_start(g->vm));
	EXPECT_EQ(0, gh_set_dtb(g->vm, GH_GUEST_BASE + g->dtb_offset, g->dtb_space));
	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(0, vcpu_run_to_end(&g->vcpu[0]));
}

/* Memory as VMMs have it: a file, mapped shared, with the payload at its start */
static void begin_guest(struct __test_metadata *_metadata, struct guest *g, unsigned int n_vcpus,
			const struct gh_bell *bells, unsigned int n_bells)
{
	ASSERT_EQ(0, guest_alloc_vcpus(g, "hands", n_vcpus, bells, n_bells));
	/* The test adds them itself */
	g->n_vcpus = 0;
}

static void set_memory(struct __test_metadata *_metadata, int vm, unsigned long cmd, uint32_t label,
		       uint32_t flags, uint64_t gpa, const struct gh_mem *mem)
{
	struct gh_userspace_memory_region region = {
		.label = label, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = mem->size, .userspace_addr = (uintptr_t)mem->addr,
	};

	ASSERT_EQ(0, ioctl(vm, cmd, &region));
}

/* crosvm's kick: a real-time signal whose handler sets immediate_exit */
static struct gh_vcpu_run *kicked;

static void on_kick(int sig)
{
	(void)sig;
	kicked->immediate_exit = 1;
}

static void be_kicked(struct __test_metadata *_metadata, struct vcpu_thread *t, int sig,
		      int sa_flags)
{
	struct sigaction action = { .sa_handler = on_kick, .sa_flags = sa_flags };

	kicked = t->vcpu->run;
	ASSERT_EQ(0, sigaction(sig, &action, NULL));
	EXPECT_EQ(0, pthread_kill(t->thread, sig));
}

/*
 * crosvm. vCPUs and interrupts are there before START and ioeventfds come after it, when
 * the guest's driver starts a device, and go when it resets it.
 */
static void crosvm(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self,
		   bool is_protected)
{
	const unsigned long private = is_protected ? GH_VM_ANDROID_LEND_USER_MEM :
						     GH_VM_SET_USER_MEM_REGION;
	struct gh_vm_dtb_config dtb = { GH_GUEST_BASE, 0 };
	struct gh_bell bells[CROSVM_N_INTX];
	int irq[CROSVM_N_INTX], vmwdt, notify[2], i, round;
	struct guest *g = &self->guest;
	uint64_t context[2] = { 1 << 8, GH_GUEST_BASE };
	struct vcpu_thread t[2];
	uint32_t label = 0;

	for (i = 0; i < CROSVM_N_INTX; i++)
		bells[i] = (struct gh_bell){ CROSVM_INTX + i, CROSVM_INTX + i,
					     CROSVM_INTX + i != CROSVM_VMWDT };
	begin_guest(_metadata, g, 2, bells, CROSVM_N_INTX);

	g->vm = ioctl(self->dev, GH_CREATE_VM, 0);
	ASSERT_LE(0, g->vm);
	g->has_vm = true;
	EXPECT_EQ(FD_CLOEXEC, fcntl(g->vm, F_GETFD));
	set_memory(_metadata, g->vm, private, label++, RWX, GH_GUEST_BASE, &g->image);
	/* The two that are shared have the part of the swiotlb, which has a shm node */
	set_memory(_metadata, g->vm, GH_VM_SET_USER_MEM_REGION, GH_CONSOLE_LABEL, RW,
		   GH_CONSOLE_BASE, &g->console_mem);
	set_memory(_metadata, g->vm, GH_VM_SET_USER_MEM_REGION, TEST_PAGE_LABEL, RW,
		   TEST_PAGE_BASE, &g->page_mem);

	for (g->n_vcpus = 0; g->n_vcpus < 2; g->n_vcpus++) {
		struct gh_fn_vcpu_arg arg = { .id = g->n_vcpus };
		struct vcpu *v = &g->vcpu[g->n_vcpus];
		int size;

		v->fd = add(g->vm, GH_FN_VCPU, &arg, sizeof(arg));
		ASSERT_LE(0, v->fd);
		size = ioctl(v->fd, GH_VCPU_MMAP_SIZE);
		ASSERT_LE(sizeof(struct gh_vcpu_run), size);
		v->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
		ASSERT_NE(MAP_FAILED, v->run);
	}
	for (i = 0; i < CROSVM_N_INTX; i++) {
		irq[i] = new_event();
		ASSERT_EQ(0, gh_add_irqfd(g->vm, irq[i], CROSVM_INTX + i, GH_IRQFD_FLAGS_LEVEL));
	}
	vmwdt = new_event();
	ASSERT_EQ(0, gh_add_irqfd(g->vm, vmwdt, CROSVM_VMWDT, 0));
	EXPECT_EQ(-1, ioctl(g->vm, CHECK_EXTENSION, 0));

	dtb.guest_phys_addr += g->dtb_offset;
	dtb.size = g->dtb_space;
	ASSERT_EQ(0, ioctl(g->vm, GH_VM_SET_DTB_CONFIG, &dtb));
	/* Any other errno would be fatal */
	EXPECT_EQ(-1, ioctl(g->vm, SET_BOOT_CONTEXT, context));
	EXPECT_EQ(ENOTTY, errno);
	ASSERT_EQ(0, ioctl(g->vm, GH_VM_START));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vcpu_thread_start(&t[i], &g->vcpu[i], vcpu_serve));

	/* The guest's driver starts a virtio device, uses it and resets it, several times */
	notify[0] = new_event();
	notify[1] = new_event();
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, gh_add_ioeventfd(g->vm, notify[i], CROSVM_NOTIFY + 4 * i, 0,
						      0, 0));
		EXPECT_EQ(0, guest_order(g, HANDS_WRITE, CROSVM_NOTIFY, 2, 0, 1));
		EXPECT_EQ(0, guest_order(g, HANDS_WRITE, CROSVM_NOTIFY + 4, 2, 1, 3));
		EXPECT_EQ(1, events(notify[0]));
		EXPECT_EQ(3, events(notify[1]));
		EXPECT_EQ(0, vcpu_exits(&g->vcpu[0]));
		for (i = 0; i < 2; i++)
			EXPECT_EQ(0, crosvm_remove_ioeventfd(g->vm, CROSVM_NOTIFY + 4 * i));
		EXPECT_EQ(-ENOENT, crosvm_remove_ioeventfd(g->vm, CROSVM_NOTIFY));
		EXPECT_EQ(0, guest_order(g, HANDS_WRITE, CROSVM_NOTIFY, 2, 0, 1));
		EXPECT_EQ(0, events(notify[0]));
		EXPECT_EQ(1, vcpu_exits(&g->vcpu[0]));
		g->vcpu[0].n_exits = 0;
	}
	EXPECT_EQ(0, guest_order(g, HANDS_READ, CROSVM_NOTIFY + 8, 4, 0, 1));
	EXPECT_EQ(CROSVM_NOTIFY + 8, g->page->result);
	EXPECT_EQ(1, vcpu_exits(&g->vcpu[0]));

	/* Interrupts: of one device, and of the label that two devices have */
	EXPECT_EQ(0, guest_order(g, HANDS_ENABLE, CROSVM_INTX, 0, 0, 0));
	EXPECT_EQ(0, guest_order(g, HANDS_ENABLE, CROSVM_VMWDT, 0, 1, 0));
	EXPECT_EQ(0, eventfd_write(irq[0], 1));
	EXPECT_EQ(0, guest_wait_irq(g, CROSVM_INTX, 1));
	EXPECT_EQ(0, eventfd_write(vmwdt, 1));
	EXPECT_EQ(0, guest_wait_irq(g, CROSVM_VMWDT, 1));
	EXPECT_EQ(0, eventfd_write(irq[CROSVM_VMWDT - CROSVM_INTX], 1));
	EXPECT_EQ(0, guest_wait_irq(g, CROSVM_VMWDT, 2));
	EXPECT_EQ(3, g->page->irqs);

	/* It kicks its vCPUs to look at something, and goes on */
	for (i = 0; i < 2; i++)
		be_kicked(_metadata, &t[i], SIGRTMIN, SA_RESTART);
	EXPECT_EQ(0, guest_order(g, HANDS_READ, CROSVM_NOTIFY + 8, 4, 0, 1));

	EXPECT_EQ(0, guest_order(g, HANDS_OFF, 0, 0, 0, 0));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, vcpu_thread_join(&t[i]));
		EXPECT_TRUE(vcpu_says_ended(&g->vcpu[i], GH_VM_EXIT_TYPE_PSCI_POWER_OFF));
	}
	for (i = 0; i < CROSVM_N_INTX; i++) {
		EXPECT_EQ(0, crosvm_remove_irqfd(g->vm, CROSVM_INTX + i));
		close(irq[i]);
	}
	EXPECT_EQ(0, crosvm_remove_irqfd(g->vm, CROSVM_VMWDT));
	close(vmwdt);
	close(notify[0]);
	close(notify[1]);
}

GUNYAH_TEST(crosvm_protected)
{
	crosvm(_metadata, self, true);
}

GUNYAH_TEST(crosvm_unprotected)
{
	if (!ctl_present() || ctl_is_production())
		SKIP(return, "the resource manager wants image memory to be lent");
	crosvm(_metadata, self, false);
}

/*
 * QEMU. Each thread adds its vCPU; the page is mapped without asking how large it is, and
 * all interrupts that the machine could have get their irqfd.
 */
static struct guest *qemu_guest;
static sem_t qemu_ready, qemu_started[2];

static int qemu_init_vcpu(int vm, struct vcpu *v, unsigned int id)
{
	struct gh_fn_vcpu_arg arg = { .id = id };

	v->fd = add(vm, GH_FN_VCPU, &arg, sizeof(arg));
	if (v->fd < 0)
		return v->fd;
	v->run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	return v->run == MAP_FAILED ? -errno : 0;
}

static int qemu_vcpu_thread(struct vcpu *v)
{
	unsigned int id = v - qemu_guest->vcpu;
	int err = qemu_init_vcpu(qemu_guest->vm, v, id);

	sem_post(&qemu_ready);
	while (sem_wait(&qemu_started[id]))
		;
	return err ?: vcpu_serve(v);
}

static void qemu(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self, bool is_protected)
{
	static struct gh_bell bells[QEMU_SPIS];
	struct gh_vm_dtb_config dtb = { };
	struct guest *g = &self->guest;
	struct vcpu_thread t[2];
	int irq[QEMU_SPIS], queue[3], i;

	for (i = 0; i < QEMU_SPIS; i++)
		bells[i] = (struct gh_bell){ i, i, true };
	begin_guest(_metadata, g, 2, bells, QEMU_SPIS);
	close(self->dev);
	self->dev = open("/dev/gunyah", O_RDWR);
	ASSERT_LE(0, self->dev);

	g->vm = ioctl(self->dev, GH_CREATE_VM, 0);
	ASSERT_LE(0, g->vm);
	g->has_vm = true;
	set_memory(_metadata, g->vm, is_protected ? GH_VM_ANDROID_LEND_USER_MEM :
		   GH_VM_SET_USER_MEM_REGION, 0, RWX, GH_GUEST_BASE, &g->image);
	set_memory(_metadata, g->vm, GH_VM_SET_USER_MEM_REGION, GH_CONSOLE_LABEL, RWX,
		   GH_CONSOLE_BASE, &g->console_mem);
	set_memory(_metadata, g->vm, GH_VM_SET_USER_MEM_REGION, TEST_PAGE_LABEL, RWX,
		   TEST_PAGE_BASE, &g->page_mem);

	qemu_guest = g;
	ASSERT_EQ(0, sem_init(&qemu_ready, 0, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sem_init(&qemu_started[i], 0, 0));
		ASSERT_EQ(0, vcpu_thread_start(&t[i], &g->vcpu[i], qemu_vcpu_thread));
		while (sem_wait(&qemu_ready))
			;
	}
	g->n_vcpus = 2;
	for (i = 0; i < QEMU_SPIS; i++) {
		irq[i] = new_event();
		ASSERT_LE(0, irq[i]);
		ASSERT_EQ(0, qemu_irqfd(g->vm, GH_VM_ADD_FUNCTION, irq[i], i));
	}
	/* To the end of memory */
	dtb.guest_phys_addr = GH_GUEST_BASE + g->dtb_offset;
	dtb.size = g->image.size - g->dtb_offset;
	ASSERT_EQ(0, ioctl(g->vm, GH_VM_SET_DTB_CONFIG, &dtb));
	ASSERT_EQ(0, ioctl(g->vm, GH_VM_START));
	for (i = 0; i < 2; i++)
		sem_post(&qemu_started[i]);

	/* A virtio-mmio device: all of its queues are notified at one address */
	for (i = 0; i < 3; i++) {
		queue[i] = new_event();
		ASSERT_EQ(0, qemu_ioeventfd(g->vm, GH_VM_ADD_FUNCTION, queue[i], QEMU_NOTIFY, 4,
					    i));
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, guest_order(g, HANDS_WRITE, QEMU_NOTIFY, 4, i, i + 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(i + 1, events(queue[i]));
	/* A queue that there is not, which the device has to deal with */
	EXPECT_EQ(4, vcpu_exits(&g->vcpu[0]));
	EXPECT_EQ(0, qemu_ioeventfd(g->vm, GH_VM_REMOVE_FUNCTION, queue[1], QEMU_NOTIFY, 4, 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, guest_order(g, HANDS_WRITE, QEMU_NOTIFY, 4, i, 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(i != 1, events(queue[i]));
	EXPECT_EQ(5, vcpu_exits(&g->vcpu[0]));
	EXPECT_EQ(0, qemu_ioeventfd(g->vm, GH_VM_REMOVE_FUNCTION, queue[0], QEMU_NOTIFY, 4, 0));
	EXPECT_EQ(0, qemu_ioeventfd(g->vm, GH_VM_REMOVE_FUNCTION, queue[2], QEMU_NOTIFY, 4, 2));

	/* The first and the last, and one between them */
	for (i = 0; i < QEMU_SPIS; i += QEMU_SPIS / 2 - 1) {
		EXPECT_EQ(0, guest_order(g, HANDS_ENABLE, i, 0, 0, 0));
		EXPECT_EQ(0, eventfd_write(irq[i], 1));
		EXPECT_EQ(0, guest_wait_irq(g, i, 1));
	}

	/* SIG_IPI is SIGUSR1 */
	for (i = 0; i < 2; i++)
		be_kicked(_metadata, &t[i], SIGUSR1, 0);
	EXPECT_EQ(0, guest_order(g, HANDS_READ, QEMU_NOTIFY, 4, 0, 1));
	EXPECT_EQ(QEMU_NOTIFY, g->page->result);

	EXPECT_EQ(0, guest_order(g, HANDS_OFF, 0, 0, 0, 0));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, vcpu_thread_join(&t[i]));
		EXPECT_TRUE(vcpu_says_ended(&g->vcpu[i], GH_VM_EXIT_TYPE_PSCI_POWER_OFF));
	}
	/* It exits, and leaves all of it to the kernel */
	guest_close(g);
	for (i = 0; i < QEMU_SPIS; i++)
		close(irq[i]);
	for (i = 0; i < 3; i++)
		close(queue[i]);
}

GUNYAH_TEST(qemu_confidential)
{
	qemu(_metadata, self, true);
}

GUNYAH_TEST(qemu_plain)
{
	if (!ctl_present() || ctl_is_production())
		SKIP(return, "the resource manager wants image memory to be lent");
	qemu(_metadata, self, false);
}

/*
 * The test VMM: labels begin with 1, ioeventfds come before START, START comes again before
 * each step, VM files are duplicated, and everything is removed with the arguments that it
 * was added with, before its own file is closed.
 */
GUNYAH_TEST(tvmm)
{
	static const struct gh_bell bell = { .label = 1, .spi = 1, .level = false };
	struct gh_fn_irqfd_arg irqfd = { .label = 1 };
	struct gh_fn_ioeventfd_arg ioeventfd = { .addr = TVMM_NOTIFY, .len = 8 };
	struct gh_fn_vcpu_arg vcpu = { .id = 0 };
	struct gh_vm_dtb_config dtb = { };
	struct guest *g = &self->guest;
	uint64_t context[2] = { 1 << 8, GH_GUEST_BASE };
	struct vcpu_thread t;
	int i, vm, size;
	struct vcpu *v = &g->vcpu[0];

	begin_guest(_metadata, g, 1, &bell, 1);
	g->vm = ioctl(self->dev, GH_CREATE_VM, 0);
	ASSERT_LE(0, g->vm);
	g->has_vm = true;
	set_memory(_metadata, g->vm, GH_VM_ANDROID_LEND_USER_MEM, 1, RWX, GH_GUEST_BASE, &g->image);
	set_memory(_metadata, g->vm, GH_VM_SET_USER_MEM_REGION, GH_CONSOLE_LABEL, RW,
		   GH_CONSOLE_BASE, &g->console_mem);
	set_memory(_metadata, g->vm, GH_VM_SET_USER_MEM_REGION, TEST_PAGE_LABEL, RW,
		   TEST_PAGE_BASE, &g->page_mem);
	v->fd = add(g->vm, GH_FN_VCPU, &vcpu, sizeof(vcpu));
	ASSERT_LE(0, v->fd);
	size = ioctl(v->fd, GH_VCPU_MMAP_SIZE);
	ASSERT_LE(sizeof(struct gh_vcpu_run), size);
	v->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	ASSERT_NE(MAP_FAILED, v->run);
	g->n_vcpus = 1;
	ioeventfd.fd = new_event();
	ASSERT_EQ(0, add(g->vm, GH_FN_IOEVENTFD, &ioeventfd, sizeof(ioeventfd)));
	irqfd.fd = new_event();
	ASSERT_EQ(0, add(g->vm, GH_FN_IRQFD, &irqfd, sizeof(irqfd)));
	dtb.guest_phys_addr = GH_GUEST_BASE + g->dtb_offset;
	dtb.size = g->dtb_space;
	ASSERT_EQ(0, ioctl(g->vm, GH_VM_SET_DTB_CONFIG, &dtb));
	EXPECT_EQ(-1, ioctl(g->vm, SET_BOOT_CONTEXT, context));
	EXPECT_EQ(ENOTTY, errno);
	vm = fcntl(g->vm, F_DUPFD_CLOEXEC, 0);
	ASSERT_LE(0, vm);

	/* A write of another size is not for it, and one of the right size leaves no exit */
	ASSERT_EQ(0, ioctl(vm, GH_VM_START));
	ASSERT_EQ(0, vcpu_thread_start(&t, v, vcpu_serve));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, ioctl(i & 1 ? vm : g->vm, GH_VM_START));
		EXPECT_EQ(0, guest_order(g, HANDS_WRITE, TVMM_NOTIFY, 1 << i, 0x11, 1));
		EXPECT_EQ(i == 3 ? 3 : i + 1, vcpu_exits(v));
		EXPECT_EQ(i == 3, events(ioeventfd.fd));
	}
	EXPECT_EQ(0, ioctl(vm, GH_VM_START));
	EXPECT_EQ(0, guest_order(g, HANDS_ENABLE, 1, 0, 1, 0));
	EXPECT_EQ(0, eventfd_write(irqfd.fd, 1));
	EXPECT_EQ(0, guest_wait_irq(g, 1, 1));

	EXPECT_EQ(0, remove_as(vm, GH_FN_IOEVENTFD, &ioeventfd, sizeof(ioeventfd)));
	EXPECT_EQ(0, remove_as(g->vm, GH_FN_IRQFD, &irqfd, sizeof(irqfd)));
	EXPECT_EQ(0, remove_as(vm, GH_FN_VCPU, &vcpu, sizeof(vcpu)));
	EXPECT_EQ(-ENODEV, vcpu_thread_join(&t));
	close(vm);
	vcpu_free(v);
	g->n_vcpus = 0;
	guest_close(g);
	close(ioeventfd.fd);
	close(irqfd.fd);
}

TEST_HARNESS_MAIN

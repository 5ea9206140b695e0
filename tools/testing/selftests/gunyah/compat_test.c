// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit program at a 64-bit kernel. Built for arm if there is a compiler, and
 * skipped otherwise.
 */
#ifdef __aarch64__

#include "../kselftest.h"

int main(void)
{
	ksft_print_header();
	ksft_exit_skip("built without a compiler for 32-bit arm\n");
}

#else

#include <sys/eventfd.h>

#include "gunyah_test.h"

_Static_assert(sizeof(void *) == 4, "this is to be a 32-bit program");

/* The same numbers and layouts as for 64-bit programs, so that nothing is converted */
_Static_assert(GH_VM_SET_USER_MEM_REGION == 0x40204701, "number");
_Static_assert(GH_VM_SET_DTB_CONFIG == 0x40104702, "number");
_Static_assert(GH_VM_GET_EXIT_INFO == 0x8010470b, "number");
_Static_assert(offsetof(struct gh_userspace_memory_region, userspace_addr) == 24, "layout");
_Static_assert(offsetof(struct gh_vm_exit_info, reason) == 8, "layout");
_Static_assert(GH_VM_ADD_FUNCTION == 0x40104704, "number");
_Static_assert(sizeof(struct gh_fn_desc) == 16, "layout");
_Static_assert(offsetof(struct gh_fn_desc, arg) == 8, "layout");
_Static_assert(sizeof(struct gh_fn_ioeventfd_arg) == 32, "layout");
_Static_assert(offsetof(struct gh_fn_ioeventfd_arg, addr) == 8, "layout");
_Static_assert(sizeof(struct gh_vcpu_run) == 40, "layout");
_Static_assert(offsetof(struct gh_vcpu_run, mmio.data) == 24, "layout");
_Static_assert(offsetof(struct gh_vcpu_run, status.exit_info) == 20, "layout");

GUNYAH_TEST(lives)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;

	ASSERT_EQ(0, guest_run(g, self->dev, "hello", 0));
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_NE(NULL, strstr(g->text, "Hello from a Gunyah guest\n"));
	EXPECT_EQ(0, gh_exit_info(g->vm, &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
	EXPECT_STREQ("exited", fdinfo(g->vm, "state"));
	EXPECT_EQ(-ENODEV, gh_start(g->vm));
}

GUNYAH_TEST(stopped)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	EXPECT_EQ(0, vm_events(g->vm) & POLLHUP);
	EXPECT_FALSE(can_read(g->image.addr));
	EXPECT_EQ(-EBUSY, gh_set_dtb(g->vm, GH_GUEST_BASE, 0x1000));
	guest_close(g);
	EXPECT_TRUE(can_read(g->image.addr));
}

/* A 32-bit VMM that runs a guest, which has 64 bits */
GUNYAH_TEST(runs)
{
	static const struct gh_bell bell = { .label = 3, .spi = 3 };
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	const char *wrong = NULL;
	uint64_t value = 0;
	struct echo echo;
	int irq, notify;

	ASSERT_EQ(0, guest_alloc_vcpus(g, "echo", 1, &bell, 1));
	echo_init(g, &echo, 16, 0);
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	irq = eventfd(0, EFD_CLOEXEC);
	notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, notify);
	EXPECT_EQ(0, gh_add_irqfd(g->vm, irq, 3, 0));
	EXPECT_EQ(0, gh_add_ioeventfd(g->vm, notify, ECHO_BASE + 16, 8, 0, 0));
	EXPECT_EQ(-EEXIST, gh_add_ioeventfd(g->vm, notify, ECHO_BASE + 16, 8, 0, 0));
	/* Beyond what a pointer of this program can hold, and cut nowhere */
	EXPECT_EQ(0, gh_add_ioeventfd(g->vm, notify, 1ULL << 32 | (ECHO_BASE + 16), 8, 0, 0));
	EXPECT_EQ(0, gh_add_ioeventfd(g->vm, notify, 1ULL << 32 | (ECHO_BASE + 8), 0, 0, 0));
	EXPECT_EQ(-ENODEV, vcpu_run(v));
	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(0, eventfd_write(irq, 1));
	EXPECT_EQ(page_size(), ioctl(v->fd, GH_VCPU_MMAP_SIZE));
	while (!wrong) {
		v->run->immediate_exit = 1;
		EXPECT_EQ(-EINTR, vcpu_run(v));
		v->run->immediate_exit = 0;
		ASSERT_EQ(0, vcpu_run(v));
		if (v->run->exit_reason == GH_VCPU_EXIT_STATUS)
			break;
		wrong = echo_exit(&echo, v->run);
	}
	EXPECT_STREQ("", wrong ?: "");
	EXPECT_TRUE(echo_is_complete(&echo, g));
	EXPECT_TRUE(vcpu_says_ended(v, GH_VM_EXIT_TYPE_PSCI_POWER_OFF));
	EXPECT_EQ(-1, read(notify, &value, sizeof(value)));
	EXPECT_EQ(0, remove_ioeventfd(g->vm, 0, ECHO_BASE + 16, 0, 0));
	EXPECT_EQ(-ENOENT, remove_ioeventfd(g->vm, 0, ECHO_BASE + 16, 0, 0));
	EXPECT_EQ(0, remove_irqfd(g->vm, irq, 3));
	EXPECT_EQ(0, remove_vcpu(g->vm, 0));
	guest_close(g);
	close(irq);
	close(notify);
}

/* The argument of GH_CREATE_VM is a number and not a pointer: none of its bits gets lost */
GUNYAH_TEST(arguments)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		EXPECT_EQ(-1, ioctl(self->dev, GH_CREATE_VM, 1UL << bit));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(-1, ioctl(self->dev, GH_VM_START, 0));
	EXPECT_EQ(ENOTTY, errno);
}

/* Addresses beyond the process, and sizes beyond what its long can hold */
GUNYAH_TEST(wide_numbers)
{
	struct gh_userspace_memory_region r = { .flags = RWX };
	struct gh_mem mem;
	int vm;

	ASSERT_EQ(0, gh_mem_alloc(&mem, "compat", 2 * page_size()));
	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);

	/* Guest addresses are 64 bits wide, whoever names them */
	r.guest_phys_addr = 0x1234500000000;
	r.memory_size = mem.size;
	r.userspace_addr = (uintptr_t)mem.addr;
	EXPECT_EQ(0, ioctl(vm, GH_VM_SET_USER_MEM_REGION, &r));
	EXPECT_EQ(2 * (long)page_size() / 1024, atol(fdinfo(vm, "locked_kb")));
	EXPECT_EQ(0, gh_set_region(vm, 0, 0, 0, 0, NULL));

	/* Nothing is cut to 32 bits */
	r.userspace_addr = 1ULL << 32 | (uintptr_t)mem.addr;
	EXPECT_EQ(-1, ioctl(vm, GH_VM_SET_USER_MEM_REGION, &r));
	EXPECT_EQ(EFAULT, errno);
	r.userspace_addr = (uintptr_t)mem.addr;
	r.memory_size = 1ULL << 32 | mem.size;
	EXPECT_EQ(-1, ioctl(vm, GH_VM_SET_USER_MEM_REGION, &r));
	EXPECT_EQ(EFAULT, errno);

	EXPECT_EQ(0, gh_set_dtb(vm, 0x1234500000000, 0x100001000));
	EXPECT_EQ(-EOVERFLOW, gh_set_dtb(vm, -(uint64_t)page_size(), 0x100001000));

	/* Pointers of ioctls: bad ones are bad here, too */
	EXPECT_EQ(-1, ioctl(vm, GH_VM_SET_USER_MEM_REGION, 0xfffff000));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(vm, GH_VM_SET_DTB_CONFIG, NULL));
	EXPECT_EQ(EFAULT, errno);
	close(vm);
	gh_mem_free(&mem);
}

TEST_HARNESS_MAIN

#endif

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

#include "gunyah_test.h"

_Static_assert(sizeof(void *) == 4, "this is to be a 32-bit program");

/* The same numbers and layouts as for 64-bit programs, so that nothing is converted */
_Static_assert(GH_VM_SET_USER_MEM_REGION == 0x40204701, "number");
_Static_assert(GH_VM_SET_DTB_CONFIG == 0x40104702, "number");
_Static_assert(GH_VM_GET_EXIT_INFO == 0x8010470b, "number");
_Static_assert(offsetof(struct gh_userspace_memory_region, userspace_addr) == 24, "layout");
_Static_assert(offsetof(struct gh_vm_exit_info, reason) == 8, "layout");

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

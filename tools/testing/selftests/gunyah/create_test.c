// SPDX-License-Identifier: GPL-2.0-only
/* VM files: creation, what they are, closing */
#include "gunyah_test.h"

GUNYAH_TEST(argument)
{
	static const unsigned long args[] = { 1, 2, 0x80, 0xffffffff, 1UL << 32, -1UL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(args); i++) {
		EXPECT_EQ(-1, ioctl(self->dev, GH_CREATE_VM, args[i]));
		EXPECT_EQ(EINVAL, errno);
	}
}

GUNYAH_TEST(descriptor)
{
	char path[64], name[64] = "";
	char byte = 0;
	int vm;

	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);
	EXPECT_EQ(FD_CLOEXEC, fcntl(vm, F_GETFD));

	snprintf(path, sizeof(path), "/proc/self/fd/%d", vm);
	EXPECT_LT(0, readlink(path, name, sizeof(name) - 1));
	EXPECT_NE(NULL, strstr(name, "gunyah-vm")) {
		TH_LOG("the file is called %s", name);
	}

	/* Nothing to read, write or map */
	EXPECT_EQ(-1, read(vm, &byte, 1));
	EXPECT_EQ(-1, write(vm, &byte, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, page_size(), PROT_READ, MAP_SHARED, vm, 0));
	close(vm);
}

GUNYAH_TEST(new_vm)
{
	struct gh_vm_exit_info info;
	int vm;

	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);
	EXPECT_STREQ("new", fdinfo(vm, "state"));
	EXPECT_STREQ("0", fdinfo(vm, "regions"));
	EXPECT_EQ(0, atol(fdinfo(vm, "locked_kb")));
	EXPECT_EQ(0, atol(fdinfo(vm, "quarantined_kb")));
	EXPECT_STRNE("", fdinfo(vm, "vmid"));
	EXPECT_EQ(0, vm_events(vm) & POLLHUP);
	EXPECT_EQ(-EAGAIN, gh_exit_info(vm, &info));
	close(vm);
}

/* A VM that is not started takes nothing from the resource manager: more than 63 */
GUNYAH_TEST(many)
{
	int vms[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vms); i++) {
		vms[i] = gh_create_vm(self->dev);
		ASSERT_LE(0, vms[i]);
	}
	for (i = 0; i < ARRAY_SIZE(vms); i += 2)
		close(vms[i]);
	for (i = 1; i < ARRAY_SIZE(vms); i += 2)
		close(vms[i]);
}

/* The VM needs the device only to be created, and the other way round */
GUNYAH_TEST(order_of_close)
{
	struct guest *g = &self->guest;
	int dev, vm;

	dev = gh_open();
	ASSERT_LE(0, dev);
	vm = gh_create_vm(dev);
	ASSERT_LE(0, vm);
	close(vm);

	ASSERT_EQ(0, guest_alloc(g, "hello", NULL));
	ASSERT_EQ(0, guest_setup(g, dev, 0));
	close(dev);
	ASSERT_EQ(0, gh_start(g->vm));
	ASSERT_EQ(0, guest_wait(g));
}

TEST_HARNESS_MAIN

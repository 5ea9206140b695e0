// SPDX-License-Identifier: GPL-2.0-only
/* Numbers and layouts of the user ABI: at compile time, and as the kernel sees them */
#include "gunyah_test.h"

#define NUMBER(name, value)	_Static_assert((name) == (value), #name)
#define SIZE(type, value)	_Static_assert(sizeof(type) == (value), #type)
#define OFFSET(type, field, value) \
	_Static_assert(offsetof(type, field) == (value), #type "." #field)

NUMBER(GH_CREATE_VM, 0x00004700);
NUMBER(GH_VM_SET_USER_MEM_REGION, 0x40204701);
NUMBER(GH_VM_SET_DTB_CONFIG, 0x40104702);
NUMBER(GH_VM_START, 0x00004703);
NUMBER(GH_VM_GET_EXIT_INFO, 0x8010470b);

NUMBER(GH_MEM_ALLOW_READ, 1);
NUMBER(GH_MEM_ALLOW_WRITE, 2);
NUMBER(GH_MEM_ALLOW_EXEC, 4);
NUMBER(GH_MEM_LENT, 8);

SIZE(struct gh_userspace_memory_region, 32);
OFFSET(struct gh_userspace_memory_region, label, 0);
OFFSET(struct gh_userspace_memory_region, flags, 4);
OFFSET(struct gh_userspace_memory_region, guest_phys_addr, 8);
OFFSET(struct gh_userspace_memory_region, memory_size, 16);
OFFSET(struct gh_userspace_memory_region, userspace_addr, 24);

SIZE(struct gh_vm_dtb_config, 16);
OFFSET(struct gh_vm_dtb_config, guest_phys_addr, 0);
OFFSET(struct gh_vm_dtb_config, size, 8);

SIZE(struct gh_vm_exit_info, 16);
OFFSET(struct gh_vm_exit_info, type, 0);
OFFSET(struct gh_vm_exit_info, padding, 2);
OFFSET(struct gh_vm_exit_info, reason_size, 4);
OFFSET(struct gh_vm_exit_info, reason, 8);
NUMBER(GH_VM_MAX_EXIT_REASON_SIZE, 8);

NUMBER(GH_VM_EXIT_TYPE_VM_EXIT, 0);
NUMBER(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, 1);
NUMBER(GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET, 2);
NUMBER(GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2, 3);
NUMBER(GH_VM_EXIT_TYPE_WDT_BITE, 4);
NUMBER(GH_VM_EXIT_TYPE_HYP_ERROR, 5);
NUMBER(GH_VM_EXIT_TYPE_ASYNC_EXT_ABORT, 6);
NUMBER(GH_VM_EXIT_TYPE_VM_FORCE_STOPPED, 7);

/* The kernel reads the fields where old binaries put them */
GUNYAH_TEST(region_layout)
{
	uint64_t words[4] = { };
	uint32_t *halves = (uint32_t *)words;
	struct gh_mem mem;
	int vm;

	ASSERT_EQ(0, gh_mem_alloc(&mem, "abi", page_size()));
	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);

	halves[0] = 7;
	halves[1] = 3;
	words[1] = 0x80000000;
	words[2] = page_size();
	words[3] = (uintptr_t)mem.addr;
	EXPECT_EQ(0, ioctl(vm, 0x40204701, words));

	/* The label is where it should be, and so is the size */
	words[2] = 0;
	halves[0] = 8;
	EXPECT_EQ(-1, ioctl(vm, 0x40204701, words));
	EXPECT_EQ(ENOENT, errno);
	halves[0] = 7;
	EXPECT_EQ(0, ioctl(vm, 0x40204701, words));

	close(vm);
	gh_mem_free(&mem);
}

GUNYAH_TEST(dtb_layout)
{
	uint64_t words[2] = { 0x80000000, 0x1001 };
	int vm;

	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);

	/* Only the address has to be aligned */
	EXPECT_EQ(0, ioctl(vm, 0x40104702, words));
	words[0] = 0x80000001;
	words[1] = 0x1000;
	EXPECT_EQ(-1, ioctl(vm, 0x40104702, words));
	EXPECT_EQ(EINVAL, errno);

	close(vm);
}

GUNYAH_TEST(exit_info_layout)
{
	struct guest *g = &self->guest;
	uint8_t bytes[16 + 8];

	ASSERT_EQ(0, guest_run(g, self->dev, "hello", 0));
	ASSERT_EQ(0, guest_wait(g));

	memset(bytes, 0x5a, sizeof(bytes));
	ASSERT_EQ(0, ioctl(g->vm, 0x8010470b, bytes));
	EXPECT_EQ(1, bytes[0] | bytes[1] << 8);
	EXPECT_EQ(0, bytes[2] | bytes[3]);
	EXPECT_GE(8, bytes[4]);
	EXPECT_EQ(0, bytes[5] | bytes[6] | bytes[7]);
	/* Nothing beyond the structure */
	EXPECT_EQ(0x5a, bytes[16]);
	EXPECT_EQ(0x5a, bytes[23]);
}

/*
 * VMMs probe for what a driver can do by the errno: numbers that later versions
 * of the interface use, and those of other systems, must give exactly this one.
 */
GUNYAH_TEST(unknown_ioctls)
{
	static const unsigned int device[] = {
		0x00004703, 0x40404708, 0x00004110, 0x00004114, 0x000047ff, 0x0000b201, 0x5401, 0,
	};
	static const unsigned int vm[] = {
		0x00004700, 0x00004705, 0x00004706, 0x40204709, 0x4010470a, 0x4010470b, 0xc010470b,
		0x40104112, 0x40104113, 0x40284115, 0x40104116, 0x00004117, 0x40084701, 0x00004704,
		0x40084707, 0xc0204111, 0x000047ff, 0x5401, 0,
	};
	uint8_t arg[64] = { };
	size_t i;
	int fd;

	fd = gh_create_vm(self->dev);
	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(device); i++) {
		EXPECT_EQ(-1, ioctl(self->dev, device[i], arg));
		EXPECT_EQ(ENOTTY, errno) {
			TH_LOG("ioctl 0x%x of /dev/gunyah: %s", device[i], strerror(errno));
		}
	}
	for (i = 0; i < ARRAY_SIZE(vm); i++) {
		EXPECT_EQ(-1, ioctl(fd, vm[i], arg));
		EXPECT_EQ(ENOTTY, errno) {
			TH_LOG("ioctl 0x%x of a VM: %s", vm[i], strerror(errno));
		}
	}
	close(fd);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Numbers and layouts of the user ABI: at compile time, and as the kernel sees them */
#include <sys/eventfd.h>

#include "gunyah_test.h"

#define NUMBER(name, value)	_Static_assert((name) == (value), #name)
#define SIZE(type, value)	_Static_assert(sizeof(type) == (value), #type)
#define OFFSET(type, field, value) \
	_Static_assert(offsetof(type, field) == (value), #type "." #field)

NUMBER(GH_CREATE_VM, 0x00004700);
NUMBER(GH_VM_SET_USER_MEM_REGION, 0x40204701);
NUMBER(GH_VM_SET_DTB_CONFIG, 0x40104702);
NUMBER(GH_VM_START, 0x00004703);
NUMBER(GH_VM_ADD_FUNCTION, 0x40104704);
NUMBER(GH_VCPU_RUN, 0x00004705);
NUMBER(GH_VCPU_MMAP_SIZE, 0x00004706);
NUMBER(GH_VM_REMOVE_FUNCTION, 0x40104707);
NUMBER(GH_VM_GET_EXIT_INFO, 0x8010470b);
NUMBER(GH_VM_ANDROID_LEND_USER_MEM, 0x40204111);

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

NUMBER(GH_FN_VCPU, 1);
NUMBER(GH_FN_IRQFD, 2);
NUMBER(GH_FN_IOEVENTFD, 3);
NUMBER(GH_FN_MAX_ARG_SIZE, 256);
NUMBER(GH_IRQFD_FLAGS_LEVEL, 1);
NUMBER(GH_IOEVENTFD_FLAGS_DATAMATCH, 1);

SIZE(struct gh_fn_desc, 16);
OFFSET(struct gh_fn_desc, type, 0);
OFFSET(struct gh_fn_desc, arg_size, 4);
OFFSET(struct gh_fn_desc, arg, 8);

SIZE(struct gh_fn_vcpu_arg, 4);
OFFSET(struct gh_fn_vcpu_arg, id, 0);

SIZE(struct gh_fn_irqfd_arg, 16);
OFFSET(struct gh_fn_irqfd_arg, fd, 0);
OFFSET(struct gh_fn_irqfd_arg, label, 4);
OFFSET(struct gh_fn_irqfd_arg, flags, 8);
OFFSET(struct gh_fn_irqfd_arg, padding, 12);

SIZE(struct gh_fn_ioeventfd_arg, 32);
OFFSET(struct gh_fn_ioeventfd_arg, datamatch, 0);
OFFSET(struct gh_fn_ioeventfd_arg, addr, 8);
OFFSET(struct gh_fn_ioeventfd_arg, len, 16);
OFFSET(struct gh_fn_ioeventfd_arg, fd, 20);
OFFSET(struct gh_fn_ioeventfd_arg, flags, 24);
OFFSET(struct gh_fn_ioeventfd_arg, padding, 28);

SIZE(struct gh_vcpu_run, 40);
OFFSET(struct gh_vcpu_run, immediate_exit, 0);
OFFSET(struct gh_vcpu_run, exit_reason, 8);
OFFSET(struct gh_vcpu_run, mmio.phys_addr, 16);
OFFSET(struct gh_vcpu_run, mmio.data, 24);
OFFSET(struct gh_vcpu_run, mmio.len, 32);
OFFSET(struct gh_vcpu_run, mmio.is_write, 36);
OFFSET(struct gh_vcpu_run, status.status, 16);
OFFSET(struct gh_vcpu_run, status.exit_info, 20);
OFFSET(struct gh_vcpu_run, status.exit_info.type, 20);
OFFSET(struct gh_vcpu_run, status.exit_info.reason_size, 24);
OFFSET(struct gh_vcpu_run, status.exit_info.reason, 28);

NUMBER(GH_VCPU_EXIT_UNKNOWN, 0);
NUMBER(GH_VCPU_EXIT_MMIO, 1);
NUMBER(GH_VCPU_EXIT_STATUS, 2);
NUMBER(GH_VM_STATUS_LOAD_FAILED, 1);
NUMBER(GH_VM_STATUS_EXITED, 2);
NUMBER(GH_VM_STATUS_CRASHED, 3);

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

/* The arguments of functions as words, and the run page as bytes */
GUNYAH_TEST(function_layout)
{
	struct guest *g = &self->guest;
	uint32_t words[8] = { }, desc[4] = { };
	uint64_t addr = (uintptr_t)words;
	uint8_t *run;
	int event, fd;

	ASSERT_EQ(0, guest_alloc_vcpus(g, "echo", 1, NULL, 0));
	g->n_vcpus = 0;
	g->page->addr = 0x3f112230;
	g->page->size = 1;
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	memcpy(&desc[2], &addr, sizeof(addr));

	desc[0] = 1;
	desc[1] = 4;
	words[0] = 0;
	fd = ioctl(g->vm, 0x40104704, desc);
	ASSERT_LE(0, fd);
	EXPECT_EQ(page_size(), ioctl(fd, 0x4706));
	run = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, run);

	/* fd, label, flags, padding */
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, event);
	desc[0] = 2;
	desc[1] = 16;
	words[0] = event;
	words[1] = 5;
	words[2] = 1;
	words[3] = ~0;
	EXPECT_EQ(0, ioctl(g->vm, 0x40104704, desc));
	words[2] = 2;
	EXPECT_EQ(-1, ioctl(g->vm, 0x40104704, desc));
	EXPECT_EQ(EINVAL, errno);
	words[1] = 6;
	EXPECT_EQ(-1, ioctl(g->vm, 0x40104707, desc));
	EXPECT_EQ(ENOENT, errno);
	words[1] = 5;
	EXPECT_EQ(0, ioctl(g->vm, 0x40104707, desc));

	/* The value of 8 bytes, the address of 8 bytes, len, fd, flags, padding */
	desc[0] = 3;
	desc[1] = 32;
	words[0] = 0x9e3779b9;
	words[1] = 0;
	words[2] = 0x3f112238;
	words[3] = 0;
	words[4] = 1;
	words[5] = event;
	words[6] = 0;
	words[7] = ~0;
	EXPECT_EQ(0, ioctl(g->vm, 0x40104704, desc));

	ASSERT_EQ(0, ioctl(g->vm, 0x4703));
	memset(run + 8, 0x5a, 32);
	ASSERT_EQ(0, ioctl(fd, 0x4705));
	EXPECT_EQ(0, run[0]);
	EXPECT_EQ(0, memcmp(run + 8, "\1\0\0\0", 4));
	EXPECT_EQ(0, memcmp(run + 16, "\x30\x22\x11\x3f\0\0\0\0" "\0\0\0\0\0\0\0\0"
			    "\1\0\0\0" "\0", 21));
	run[24] = 0x42;
	/* What it writes goes to the eventfd, and then it ends */
	ASSERT_EQ(0, ioctl(fd, 0x4705));
	EXPECT_EQ(0, memcmp(run + 8, "\2\0\0\0", 4));
	EXPECT_EQ(0, memcmp(run + 16, "\2\0\0\0" "\1\0", 6));
	EXPECT_EQ(0, memcmp(run + 24, "\4\0\0\0" "\0\0\0\0\0\0\0\0", 12));
	EXPECT_EQ(8, read(event, words, 8));
	EXPECT_EQ(1, words[0]);
	EXPECT_EQ(0x42, g->page->sum);
	munmap(run, page_size());
	close(fd);
	guest_close(g);
	close(event);
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
		0x00004707, 0x40184704, 0x000047ff, 0x5401, 0,
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

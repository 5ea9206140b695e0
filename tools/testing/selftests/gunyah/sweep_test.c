// SPDX-License-Identifier: GPL-2.0-only
/* Every bit of every argument, on its own and against what the documentation says */
#include <sys/eventfd.h>

#include "gunyah_test.h"

#define GPA	0x80000000ULL
#define PAGES	16

FIXTURE(sweep) {
	int dev;
	int vm;
	size_t page;
	uint8_t *memory;		/* PAGES, and nothing behind them */
	struct resources before;
};

FIXTURE_SETUP(sweep)
{
	self->vm = -1;
	self->dev = gh_open();
	if (self->dev == -ENOENT)
		SKIP(return, "no /dev/gunyah");
	ASSERT_LE(0, self->dev);
	resources_read(&self->before);
	self->page = page_size();
	self->memory = mmap(NULL, 2 * PAGES * self->page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, mprotect(self->memory + PAGES * self->page, PAGES * self->page, PROT_NONE));
	self->vm = gh_create_vm(self->dev);
	ASSERT_LE(0, self->vm);
}

FIXTURE_TEARDOWN(sweep)
{
	close(self->vm);
	EXPECT_ALL_BACK(&self->before, "at the end");
	munmap(self->memory, 2 * PAGES * self->page);
	close(self->dev);
}

#define SWEEP_TEST(name)	TEST_F_TIMEOUT(sweep, name, TEST_LIMIT)

/* What adding a region must come to, from the documentation's table and in its order */
static int expected(FIXTURE_DATA(sweep) *self, const struct gh_userspace_memory_region *r)
{
	const uint64_t start = (uintptr_t)self->memory, end = start + PAGES * self->page;
	/* The hardware ignores the top byte of addresses, and the kernel does as well */
	const uint64_t addr = r->userspace_addr & 1ULL << 55 ? r->userspace_addr :
			      r->userspace_addr & ~(0xffULL << 56);

	if (r->flags & ~(RWX | GH_MEM_LENT))
		return -EINVAL;
	if (!r->memory_size)
		return -ENOENT;
	if ((r->guest_phys_addr | r->memory_size | r->userspace_addr) & (self->page - 1))
		return -EINVAL;
	if (!(r->flags & GH_MEM_ALLOW_READ))
		return -EINVAL;
	if (r->guest_phys_addr + r->memory_size < r->guest_phys_addr)
		return -EOVERFLOW;
	if (addr < start || addr >= end || r->memory_size > end - addr)
		return -EFAULT;
	return 0;
}

/* Adds the region and removes it. Returns false if either gives something unexpected. */
static bool try_region(struct __test_metadata *_metadata, FIXTURE_DATA(sweep) *self,
		       const struct gh_userspace_memory_region *r)
{
	struct gh_userspace_memory_region remove = { .label = r->label };
	int want = expected(self, r), err;

	err = ioctl(self->vm, GH_VM_SET_USER_MEM_REGION, r) ? -errno : 0;
	if (err != want) {
		TH_LOG("label %x flags %x gpa %llx size %llx address %llx: %d instead of %d",
		       r->label, r->flags, r->guest_phys_addr, r->memory_size,
		       r->userspace_addr, err, want);
		return false;
	}
	return err || !ioctl(self->vm, GH_VM_SET_USER_MEM_REGION, &remove);
}

static struct gh_userspace_memory_region good(FIXTURE_DATA(sweep) *self)
{
	return (struct gh_userspace_memory_region){
		.label = 1,
		.flags = RWX,
		.guest_phys_addr = GPA,
		.memory_size = 4 * self->page,
		.userspace_addr = (uintptr_t)self->memory,
	};
}

SWEEP_TEST(region_flags)
{
	struct gh_userspace_memory_region r = good(self);
	unsigned int low, bit;

	for (low = 0; low < 16; low++) {
		r.flags = low;
		EXPECT_TRUE(try_region(_metadata, self, &r));
		for (bit = 4; bit < 32; bit++) {
			r.flags = low | 1U << bit;
			EXPECT_TRUE(try_region(_metadata, self, &r));
			r.memory_size = 0;
			EXPECT_TRUE(try_region(_metadata, self, &r));
			r.memory_size = 4 * self->page;
		}
	}
}

SWEEP_TEST(region_label)
{
	struct gh_userspace_memory_region r = good(self);
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		r.label = 1U << bit;
		EXPECT_TRUE(try_region(_metadata, self, &r));
		r.label = ~r.label;
		EXPECT_TRUE(try_region(_metadata, self, &r));
	}
}

/* Each number with one bit, without one, and those beside it */
#define AROUND(value, i)							\
	((i) == 0 ? (value) : (i) == 1 ? ~(value) : (i) == 2 ? (value) - 1 :	\
	 (i) == 3 ? (value) + self->page : -(value))
#define N_AROUND	5

SWEEP_TEST(region_size)
{
	struct gh_userspace_memory_region r = good(self);
	unsigned int bit, i;

	for (bit = 0; bit < 64; bit++) {
		for (i = 0; i < N_AROUND; i++) {
			r.memory_size = AROUND(1ULL << bit, i);
			EXPECT_TRUE(try_region(_metadata, self, &r));
		}
	}
	for (i = 0; i <= PAGES + 1; i++) {
		r.memory_size = i * self->page;
		EXPECT_TRUE(try_region(_metadata, self, &r));
	}
}

SWEEP_TEST(region_gpa)
{
	struct gh_userspace_memory_region r = good(self);
	unsigned int bit, i;

	for (bit = 0; bit < 64; bit++) {
		for (i = 0; i < N_AROUND; i++) {
			r.guest_phys_addr = AROUND(1ULL << bit, i);
			EXPECT_TRUE(try_region(_metadata, self, &r));
		}
	}
}

SWEEP_TEST(region_address)
{
	struct gh_userspace_memory_region r = good(self);
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		r.userspace_addr = (uintptr_t)self->memory ^ 1ULL << bit;
		EXPECT_TRUE(try_region(_metadata, self, &r));
		r.userspace_addr = 1ULL << bit;
		EXPECT_TRUE(try_region(_metadata, self, &r));
		r.userspace_addr = ~(1ULL << bit);
		EXPECT_TRUE(try_region(_metadata, self, &r));
	}
}

SWEEP_TEST(dtb)
{
	unsigned int bit, i, j;

	for (bit = 0; bit < 64; bit++) {
		for (i = 0; i < N_AROUND; i++) {
			for (j = 0; j < 2; j++) {
				uint64_t value = AROUND(1ULL << bit, i);
				uint64_t gpa = j ? value : GPA, size = j ? 0x1000 : value;
				int want = 0;

				if (!size || gpa & (self->page - 1))
					want = -EINVAL;
				else if (gpa + size < gpa)
					want = -EOVERFLOW;
				EXPECT_EQ(want, gh_set_dtb(self->vm, gpa, size)) {
					TH_LOG("gpa %llx, size %llx", (unsigned long long)gpa,
					       (unsigned long long)size);
				}
			}
		}
	}
}

/* Each bit of the number of an ioctl: direction, size, type and number */
SWEEP_TEST(ioctl_numbers)
{
	static const unsigned int known[] = {
		GH_CREATE_VM, GH_VM_SET_USER_MEM_REGION, GH_VM_SET_DTB_CONFIG, GH_VM_START,
		GH_VM_ADD_FUNCTION, GH_VM_REMOVE_FUNCTION, GH_VM_GET_EXIT_INFO,
		GH_VM_ANDROID_LEND_USER_MEM,
	};
	uint8_t arg[64] = { };
	unsigned int bit;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		for (bit = 0; bit < 32; bit++) {
			unsigned int cmd = known[i] ^ 1U << bit;
			bool is_known = false;

			for (j = 0; j < ARRAY_SIZE(known); j++)
				is_known |= cmd == known[j];
			if (is_known)
				continue;
			EXPECT_EQ(-1, ioctl(self->vm, cmd, arg));
			EXPECT_EQ(ENOTTY, errno) {
				TH_LOG("ioctl %x of a VM: %s", cmd, strerror(errno));
			}
			EXPECT_EQ(-1, ioctl(self->dev, cmd, arg));
			EXPECT_EQ(ENOTTY, errno) {
				TH_LOG("ioctl %x of the device: %s", cmd, strerror(errno));
			}
		}
	}
}

/* The same for those of a vCPU */
SWEEP_TEST(vcpu_ioctl_numbers)
{
	static const unsigned int known[] = { GH_VCPU_RUN, GH_VCPU_MMAP_SIZE };
	uint8_t arg[64] = { };
	unsigned int bit;
	size_t i;
	int fd;

	fd = gh_add_vcpu(self->vm, 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		for (bit = 0; bit < 32; bit++) {
			unsigned int cmd = known[i] ^ 1U << bit;

			EXPECT_EQ(-1, ioctl(fd, cmd, arg));
			EXPECT_EQ(ENOTTY, errno) {
				TH_LOG("ioctl %x of a vCPU: %s", cmd, strerror(errno));
			}
		}
	}
	close(fd);
}

/* Types and sizes of functions */
SWEEP_TEST(functions)
{
	static const uint32_t sizes[] = {
		[GH_FN_VCPU] = sizeof(struct gh_fn_vcpu_arg),
		[GH_FN_IRQFD] = sizeof(struct gh_fn_irqfd_arg),
		[GH_FN_IOEVENTFD] = sizeof(struct gh_fn_ioeventfd_arg),
	};
	uint8_t arg[GH_FN_MAX_ARG_SIZE + 8];
	uint32_t type, size, bit;
	int want;

	/* Flags that there are not, so that none is ever added */
	memset(arg, 0xff, sizeof(arg));
	for (type = GH_FN_VCPU; type <= GH_FN_IOEVENTFD; type++) {
		for (size = 0; size <= sizeof(arg); size++) {
			if (type == GH_FN_VCPU && size == sizes[type])
				continue;
			EXPECT_EQ(-EINVAL, function(self->vm, GH_VM_ADD_FUNCTION, type, arg,
						    size));
			want = size && size <= GH_FN_MAX_ARG_SIZE ? -ENOENT : -EINVAL;
			EXPECT_EQ(want, function(self->vm, GH_VM_REMOVE_FUNCTION, type, arg,
						 size));
		}
		for (bit = 0; bit < 32; bit++) {
			if (1U << bit <= GH_FN_MAX_ARG_SIZE)
				continue;
			EXPECT_EQ(-EINVAL, function(self->vm, GH_VM_ADD_FUNCTION, type, arg,
						    sizes[type] | 1U << bit));
		}
	}
	for (bit = 0; bit < 32; bit++) {
		for (type = 0; type < 4; type++) {
			if ((type | 1U << bit) <= GH_FN_IOEVENTFD)
				continue;
			EXPECT_EQ(-ENOENT, function(self->vm, GH_VM_ADD_FUNCTION,
						    type | 1U << bit, arg, 4));
		}
	}
}

/* Every number that a vCPU can have */
SWEEP_TEST(vcpu_id)
{
	unsigned int bit, i;
	uint32_t id;
	int fd;

	for (bit = 0; bit < 32; bit++) {
		for (i = 0; i < 2; i++) {
			id = i ? ~(1U << bit) : 1U << bit;
			fd = gh_add_vcpu(self->vm, id);
			EXPECT_LE(0, fd);
			EXPECT_EQ(-EEXIST, gh_add_vcpu(self->vm, id));
			EXPECT_EQ(-ENOENT, remove_vcpu(self->vm, id ^ 1U << bit));
			EXPECT_EQ(0, remove_vcpu(self->vm, id));
			close(fd);
		}
	}
}

/* Addresses and values, of which no bit is left out when they are compared */
SWEEP_TEST(ioeventfd)
{
	const uint32_t match = GH_IOEVENTFD_FLAGS_DATAMATCH;
	uint64_t addr = 0x10000, value = 0x1122334455667788;
	int fd = eventfd(0, EFD_CLOEXEC), vm = self->vm;
	unsigned int bit, size;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, gh_add_ioeventfd(vm, fd, addr, 8, match, value));
	for (bit = 0; bit < 64; bit++) {
		EXPECT_EQ(-ENOENT, remove_ioeventfd(vm, fd, addr ^ 1ULL << bit, match, value));
		EXPECT_EQ(-ENOENT, remove_ioeventfd(vm, fd, addr, match, value ^ 1ULL << bit));
		EXPECT_EQ(0, gh_add_ioeventfd(vm, fd, addr ^ 1ULL << bit, 8, match, value));
		EXPECT_EQ(0, gh_add_ioeventfd(vm, fd, addr, 8, match, value ^ 1ULL << bit));
	}
	for (bit = 0; bit < 64; bit++) {
		EXPECT_EQ(0, remove_ioeventfd(vm, fd, addr ^ 1ULL << bit, match, value));
		EXPECT_EQ(0, remove_ioeventfd(vm, fd, addr, match, value ^ 1ULL << bit));
	}
	EXPECT_EQ(0, remove_ioeventfd(vm, fd, addr, match, value));

	/* Of a value the bytes that are written count, and no others */
	for (size = 1; size <= 8; size *= 2) {
		ASSERT_EQ(0, gh_add_ioeventfd(vm, fd, addr, size, match, value));
		for (bit = 0; bit < 64; bit++) {
			int err = gh_add_ioeventfd(vm, fd, addr, size, match,
						   value ^ 1ULL << bit);

			EXPECT_EQ(bit < 8 * size ? 0 : -EEXIST, err);
			if (!err)
				EXPECT_EQ(0, remove_ioeventfd(vm, fd, addr, match,
							      value ^ 1ULL << bit));
		}
		EXPECT_EQ(0, remove_ioeventfd(vm, fd, addr, 0, 0));
	}

	/* Where the address space ends */
	EXPECT_EQ(-EINVAL, gh_add_ioeventfd(vm, fd, -4ULL, 8, 0, 0));
	EXPECT_EQ(0, gh_add_ioeventfd(vm, fd, -16ULL, 8, 0, 0));
	EXPECT_EQ(0, remove_ioeventfd(vm, fd, -16ULL, 0, 0));
	close(fd);
}

TEST_HARNESS_MAIN

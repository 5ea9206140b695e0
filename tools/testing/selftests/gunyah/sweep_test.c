// SPDX-License-Identifier: GPL-2.0-only
/* Every bit of every argument, on its own and against what the documentation says */
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
		GH_VM_GET_EXIT_INFO,
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

TEST_HARNESS_MAIN

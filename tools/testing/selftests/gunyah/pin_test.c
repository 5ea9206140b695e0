// SPDX-License-Identifier: GPL-2.0-only
/* Every kind of memory, shared and lent, with every access; and who is charged for it */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "gunyah_test.h"

#define MORE_LABEL	0x20
#define MORE_GPA	0x90000000ULL
#define HUGE		(2UL << 20)

/* Memory to be added as a region */
struct area {
	uint8_t *addr;			/* MAP_FAILED: there is no such memory here */
	size_t size;
	int fd;
};

static struct area map(size_t size, int prot, int flags, int fd)
{
	return (struct area){
		.addr = mmap(NULL, size, prot, flags, fd, 0),
		.size = size,
		.fd = fd,
	};
}

static struct area map_file(int fd, int prot, int flags)
{
	static const struct area none = { .addr = MAP_FAILED, .fd = -1 };
	size_t size = 4 * page_size();

	if (fd < 0 || ftruncate(fd, size))
		return none;
	return map(size, prot, flags, fd);
}

static struct area private_anonymous(void)
{
	return map(4 * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static struct area shared_anonymous(void)
{
	return map(4 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static struct area transparent_huge(void)
{
	struct area a = map(2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (a.addr == MAP_FAILED)
		return a;
	a.addr = (uint8_t *)(((uintptr_t)a.addr + HUGE - 1) & ~(HUGE - 1));
	a.size = HUGE;
	madvise(a.addr, a.size, MADV_HUGEPAGE);
	return a;
}

static struct area memfd(void)
{
	return map_file(memfd_create("pin", MFD_CLOEXEC), PROT_READ | PROT_WRITE, MAP_SHARED);
}

static struct area memfd_private(void)
{
	return map_file(memfd_create("pin", MFD_CLOEXEC), PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

/* A file of tmpfs, if this is where temporary files are */
static struct area tmpfs(void)
{
	char path[] = "/tmp/gunyah-pin-XXXXXX";
	int fd = mkstemp(path);
	struct statfs fs;

	unlink(path);
	if (fd >= 0 && (fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC)) {
		close(fd);
		fd = -1;
	}
	return map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static struct area huge_private(void)
{
	return map(HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
}

static struct area huge_shared(void)
{
	int fd = memfd_create("pin", MFD_CLOEXEC | MFD_HUGETLB);

	if (fd >= 0 && ftruncate(fd, HUGE)) {
		close(fd);
		fd = -1;
	}
	return map(HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
}

/* A file of a file system that is neither tmpfs nor hugetlbfs */
static int real_file(int flags)
{
	char dir[] = "/tmp/gunyah-pin-XXXXXX", path[64];
	int fd = -1;

	if (!mkdtemp(dir))
		return -1;
	if (!mount("ramfs", dir, "ramfs", 0, NULL)) {
		snprintf(path, sizeof(path), "%s/file", dir);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0 && flags == O_RDONLY) {
			int err = ftruncate(fd, 4 * page_size());

			close(fd);
			fd = err ? -1 : open(path, O_RDONLY | O_CLOEXEC);
		}
		/* It is there until its last user is gone */
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
	return fd;
}

static struct area file_shared(void)
{
	return map_file(real_file(O_RDWR), PROT_READ | PROT_WRITE, MAP_SHARED);
}

static struct area file_private(void)
{
	return map_file(real_file(O_RDWR), PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

/* What everybody may do with everybody's programs */
static struct area file_read_only(void)
{
	return map(4 * page_size(), PROT_READ, MAP_SHARED, real_file(O_RDONLY));
}

static struct area read_only(void)
{
	struct area a = private_anonymous();

	if (a.addr != MAP_FAILED) {
		memset(a.addr, 0x11, a.size);
		mprotect(a.addr, a.size, PROT_READ);
	}
	return a;
}

/* Never written to: the page of zeros that all share must not be what is pinned */
static struct area zero_page(void)
{
	struct area a = map(4 * page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (a.addr != MAP_FAILED)
		can_read(a.addr);
	return a;
}

static struct area memfd_read_only(void)
{
	return map_file(memfd_create("pin", MFD_CLOEXEC), PROT_READ, MAP_SHARED);
}

static struct area no_access(void)
{
	return map(4 * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static struct area device(void)
{
	struct area a = { .addr = MAP_FAILED, .fd = -1 };

	if (!ctl_present())
		return a;
	a.fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	a.size = page_size();
	a.addr = mmap(NULL, a.size, PROT_READ | PROT_WRITE, MAP_SHARED, a.fd, GH_LAB_CTL_BASE);
	return a;
}

/* Memory that the kernel itself has no access to */
static struct area secret(void)
{
	return map_file(syscall(SYS_memfd_secret, O_CLOEXEC), PROT_READ | PROT_WRITE, MAP_SHARED);
}

static struct area hole(void)
{
	struct area a = private_anonymous();

	if (a.addr != MAP_FAILED)
		munmap(a.addr + 2 * page_size(), page_size());
	return a;
}

/* Mapped, but the file ends before */
static struct area behind_end(void)
{
	struct area a = memfd();

	if (a.addr != MAP_FAILED && ftruncate(a.fd, page_size()))
		a.addr = MAP_FAILED;
	return a;
}

/* To lend memory takes it away from all who map it, so it needs what writing needs */
static const struct kind {
	const char *name;
	struct area (*make)(void);
	int read_shared;	/* of R, shared */
	int other;		/* of everything else */
} kinds[] = {
	{ "private anonymous", private_anonymous, 0, 0 },
	{ "shared anonymous", shared_anonymous, 0, 0 },
	{ "transparent huge page", transparent_huge, 0, 0 },
	{ "memfd", memfd, 0, 0 },
	{ "memfd, private", memfd_private, 0, 0 },
	{ "tmpfs", tmpfs, 0, 0 },
	{ "hugetlb, private", huge_private, 0, 0 },
	{ "hugetlb, shared", huge_shared, 0, 0 },
	{ "file, private", file_private, 0, 0 },
	{ "file, shared", file_shared, 0, -EOPNOTSUPP },
	{ "file, read only", file_read_only, 0, -EFAULT },
	{ "read only", read_only, 0, -EFAULT },
	{ "zero page", zero_page, 0, -EFAULT },
	{ "memfd, read only", memfd_read_only, 0, -EFAULT },
	{ "no access", no_access, -EFAULT, -EFAULT },
	{ "device", device, -EFAULT, -EFAULT },
	{ "secret", secret, -EFAULT, -EOPNOTSUPP },
	{ "hole", hole, -EFAULT, -EFAULT },
	{ "behind the end", behind_end, -EFAULT, -EFAULT },
};

static const uint32_t rights[] = { GH_MEM_ALLOW_READ, RW, RWX };

static long locked_kb(void)
{
	return read_value("/proc/self/status", "VmLck");
}

FIXTURE(pin) {
	int dev;
	struct guest guest;
	struct resources before;
	long locked;
};

FIXTURE_SETUP(pin)
{
	self->dev = gh_open();
	if (self->dev == -ENOENT)
		SKIP(return, "no /dev/gunyah");
	ASSERT_LE(0, self->dev);
	fault_clear();
	write_text("/proc/sys/vm/nr_hugepages", "4");
	resources_read(&self->before);
	self->locked = locked_kb();
}

FIXTURE_TEARDOWN(pin)
{
	guest_free(&self->guest);
	EXPECT_ALL_BACK(&self->before, "at the end");
	EXPECT_EQ(self->locked, locked_kb());
	write_text("/proc/sys/vm/nr_hugepages", "0");
	close(self->dev);
}

/* Each kind of memory, alone and as part of a guest that runs */
FIXTURE_VARIANT(pin) {
	uint32_t lent;
	uint32_t rights;
};

FIXTURE_VARIANT_ADD(pin, share_r) { .rights = GH_MEM_ALLOW_READ };
FIXTURE_VARIANT_ADD(pin, share_rw) { .rights = RW };
FIXTURE_VARIANT_ADD(pin, share_rwx) { .rights = RWX };
FIXTURE_VARIANT_ADD(pin, lend_r) { .lent = GH_MEM_LENT, .rights = GH_MEM_ALLOW_READ };
FIXTURE_VARIANT_ADD(pin, lend_rw) { .lent = GH_MEM_LENT, .rights = RW };
FIXTURE_VARIANT_ADD(pin, lend_rwx) { .lent = GH_MEM_LENT, .rights = RWX };

static void free_area(struct area *a)
{
	munmap(a->addr, a->size);
	if (a->fd >= 0)
		close(a->fd);
}

TEST_F_TIMEOUT(pin, matrix, TEST_LIMIT)
{
	const uint32_t flags = variant->rights | variant->lent;
	const bool read_shared = flags == GH_MEM_ALLOW_READ;
	struct guest *g = &self->guest;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		int expected = read_shared ? kinds[i].read_shared : kinds[i].other;
		struct area a = kinds[i].make();
		long kb = a.size / 1024;
		int vm;

		if (a.addr == MAP_FAILED) {
			TH_LOG("no memory of kind \"%s\" here", kinds[i].name);
			continue;
		}

		vm = gh_create_vm(self->dev);
		ASSERT_LE(0, vm);
		EXPECT_EQ(expected, gh_set_region(vm, MORE_LABEL, flags, MORE_GPA, a.size,
						  a.addr)) {
			TH_LOG("%s", kinds[i].name);
		}
		EXPECT_EQ(expected ? 0 : kb, atol(fdinfo(vm, "locked_kb"))) {
			TH_LOG("%s", kinds[i].name);
		}
		EXPECT_EQ(self->locked + (expected ? 0 : kb), locked_kb()) {
			TH_LOG("%s", kinds[i].name);
		}
		close(vm);
		EXPECT_EQ(self->locked, locked_kb()) {
			TH_LOG("%s", kinds[i].name);
		}

		if (!expected) {
			uint8_t first, last;

			/* That what may be written to can be written to is as sure as that */
			if (!kinds[i].other)
				memset(a.addr, 0x3c, a.size);
			first = a.addr[0];
			last = a.addr[a.size - 1];
			ASSERT_EQ(0, guest_alloc_bare(g, NULL));
			ASSERT_EQ(0, guest_setup(g, self->dev, 0));
			EXPECT_EQ(0, gh_set_region(g->vm, MORE_LABEL, flags, MORE_GPA, a.size,
						   a.addr));
			EXPECT_EQ(0, gh_start(g->vm)) {
				TH_LOG("%s", kinds[i].name);
			}
			EXPECT_EQ(!variant->lent, can_read(a.addr));
			EXPECT_EQ(!variant->lent, can_read(a.addr + a.size - 1));
			guest_free(g);
			EXPECT_EQ(self->locked, locked_kb());
			EXPECT_TRUE(can_read(a.addr));
			EXPECT_EQ(first, a.addr[0]);
			EXPECT_EQ(last, a.addr[a.size - 1]);
		}
		free_area(&a);
	}
}

/* Limits below, at and above the need; with the capability there is none */
GUNYAH_TEST(memlock)
{
	static const struct {
		bool capable;
		long more;		/* the limit beyond the need, in bytes */
		int err;
	} cases[] = {
		{ false, -1, -ENOMEM },
		{ false, -4096L * 15, -ENOMEM },
		{ false, 0, 0 },
		{ false, 1, 0 },
		{ false, 1 << 20, 0 },
		{ true, -1, 0 },
		{ true, -4096L * 15, 0 },
		{ true, 0, 0 },
	};
	const size_t size = 16 * page_size();
	const long locked = locked_kb();
	struct gh_mem mem;
	size_t i, j;
	int vm;

	ASSERT_EQ(0, gh_mem_alloc(&mem, "memlock", size));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rlimit limit = { .rlim_max = RLIM_INFINITY };

		limit.rlim_cur = size + cases[i].more;
		ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
		ASSERT_EQ(0, set_ipc_lock(cases[i].capable));
		for (j = 0; j < 2 * ARRAY_SIZE(rights); j++) {
			uint32_t flags = rights[j / 2] | (j & 1 ? GH_MEM_LENT : 0);
			long more_kb;

			vm = gh_create_vm(self->dev);
			ASSERT_LE(0, vm);
			EXPECT_EQ(cases[i].err, gh_set_region(vm, 0, flags, MORE_GPA, size,
							      mem.addr)) {
				TH_LOG("case %zu, flags %x", i, flags);
			}
			more_kb = size / 1024;
			if (cases[i].err)
				more_kb = 0;
			EXPECT_EQ(locked + more_kb, locked_kb());
			close(vm);
			EXPECT_EQ(locked, locked_kb());
		}
	}
	gh_mem_free(&mem);
}

/* The limit is for all regions of all VMs of a process together */
GUNYAH_TEST(memlock_sum)
{
	const size_t page = page_size();
	struct rlimit limit = { 8 * page, 8 * page };
	const long locked = locked_kb();
	struct gh_mem mem;
	int a, b;

	ASSERT_EQ(0, gh_mem_alloc(&mem, "memlock", 9 * page));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, set_ipc_lock(false));
	a = gh_create_vm(self->dev);
	b = gh_create_vm(self->dev);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);

	EXPECT_EQ(-ENOMEM, gh_set_region(a, 0, RWX, MORE_GPA, 9 * page, mem.addr));
	EXPECT_EQ(0, gh_set_region(a, 0, RWX, MORE_GPA, 5 * page, mem.addr));
	/* The same memory twice is charged twice */
	EXPECT_EQ(-ENOMEM, gh_set_region(b, 0, RWX, MORE_GPA, 4 * page, mem.addr));
	EXPECT_EQ(0, gh_set_region(b, 0, RWX, MORE_GPA, 3 * page, mem.addr));
	EXPECT_EQ(locked + 8 * (long)page / 1024, locked_kb());
	EXPECT_EQ(-ENOMEM, gh_set_region(b, 1, RWX, 2 * MORE_GPA, page, mem.addr));

	/* What is removed is not charged any more, nor what failed */
	EXPECT_EQ(0, gh_set_region(a, 0, 0, 0, 0, NULL));
	EXPECT_EQ(locked + 3 * (long)page / 1024, locked_kb());
	ASSERT_EQ(0, munmap(mem.addr + 4 * page, page));
	EXPECT_EQ(-EFAULT, gh_set_region(a, 0, RWX, MORE_GPA, 5 * page, mem.addr));
	EXPECT_EQ(locked + 3 * (long)page / 1024, locked_kb());
	close(b);
	EXPECT_EQ(locked, locked_kb());
	close(a);
	munmap(mem.addr, 4 * page);
	munmap(mem.addr + 5 * page, 4 * page);
	close(mem.fd);
}

/* A capability that is gone by then does not matter for what was charged with it */
GUNYAH_TEST(memlock_capability_lost)
{
	const size_t size = 16 * page_size();
	struct rlimit limit = { 0, 0 };
	const long locked = locked_kb();
	struct gh_mem mem;
	int vm;

	ASSERT_EQ(0, gh_mem_alloc(&mem, "memlock", size));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);
	EXPECT_EQ(0, gh_set_region(vm, 0, RWX, MORE_GPA, size, mem.addr));
	ASSERT_EQ(0, set_ipc_lock(false));
	EXPECT_EQ(-ENOMEM, gh_set_region(vm, 1, RWX, 2 * MORE_GPA, page_size(), mem.addr));
	EXPECT_EQ(0, gh_set_region(vm, 0, 0, 0, 0, NULL));
	EXPECT_EQ(locked, locked_kb());
	close(vm);
	gh_mem_free(&mem);
}

TEST_HARNESS_MAIN

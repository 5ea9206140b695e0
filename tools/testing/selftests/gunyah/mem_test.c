// SPDX-License-Identifier: GPL-2.0-only
/* GH_VM_SET_USER_MEM_REGION: every rule and its errno; see also pin_test and sweep_test */
#include <sys/mount.h>
#include <sys/stat.h>

#include "gunyah_test.h"

#define GPA	0x80000000ULL

FIXTURE(mem) {
	struct resources before;
	long locked;
	size_t page;
	int dev;
	int vm;
	struct gh_mem mem;		/* 16 pages */
};

static long locked_kb(void)
{
	return read_value("/proc/self/status", "VmLck");
}

FIXTURE_SETUP(mem)
{
	self->vm = -1;
	self->dev = gh_open();
	if (self->dev == -ENOENT)
		SKIP(return, "no /dev/gunyah");
	ASSERT_LE(0, self->dev);
	resources_read(&self->before);
	self->page = page_size();
	ASSERT_EQ(0, gh_mem_alloc(&self->mem, "mem", 16 * self->page));
	self->locked = locked_kb();
	self->vm = gh_create_vm(self->dev);
	ASSERT_LE(0, self->vm);
}

FIXTURE_TEARDOWN(mem)
{
	close(self->vm);
	gh_mem_free(&self->mem);
	EXPECT_ALL_BACK(&self->before, "at the end");
	EXPECT_EQ(self->locked, locked_kb());
	close(self->dev);
}

#define MEM_TEST(name)	TEST_F_TIMEOUT(mem, name, TEST_LIMIT)

static int add(FIXTURE_DATA(mem) *self, uint32_t label, uint32_t flags, uint64_t gpa,
	       uint64_t size)
{
	return gh_set_region(self->vm, label, flags, gpa, size, self->mem.addr);
}

static int remove_label(FIXTURE_DATA(mem) *self, uint32_t label)
{
	return gh_set_region(self->vm, label, 0, 0, 0, NULL);
}

MEM_TEST(bad_pointer)
{
	EXPECT_EQ(-1, ioctl(self->vm, GH_VM_SET_USER_MEM_REGION, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->vm, GH_VM_SET_USER_MEM_REGION, -4096UL));
	EXPECT_EQ(EFAULT, errno);
}

MEM_TEST(flags)
{
	unsigned int bit;

	for (bit = 4; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, add(self, 0, RWX | 1U << bit, GPA, self->page));

	/* The resource manager knows the rights R, RX, RW and RWX */
	EXPECT_EQ(-EINVAL, add(self, 0, 0, GPA, self->page));
	EXPECT_EQ(-EINVAL, add(self, 0, GH_MEM_LENT, GPA, self->page));
	EXPECT_EQ(-EINVAL, add(self, 0, GH_MEM_ALLOW_WRITE, GPA, self->page));
	EXPECT_EQ(-EINVAL, add(self, 0, GH_MEM_ALLOW_EXEC, GPA, self->page));
	EXPECT_EQ(-EINVAL, add(self, 0, GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC, GPA, self->page));
	EXPECT_STREQ("0", fdinfo(self->vm, "regions"));
}

MEM_TEST(alignment)
{
	size_t page = self->page;
	uint8_t *addr = self->mem.addr;

	EXPECT_EQ(-EINVAL, gh_set_region(self->vm, 0, RWX, GPA + 1, page, addr));
	EXPECT_EQ(-EINVAL, gh_set_region(self->vm, 0, RWX, GPA + page / 2, page, addr));
	EXPECT_EQ(-EINVAL, gh_set_region(self->vm, 0, RWX, GPA, 1, addr));
	EXPECT_EQ(-EINVAL, gh_set_region(self->vm, 0, RWX, GPA, page + 1, addr));
	EXPECT_EQ(-EINVAL, gh_set_region(self->vm, 0, RWX, GPA, page - 1, addr));
	EXPECT_EQ(-EINVAL, gh_set_region(self->vm, 0, RWX, GPA, page, addr + 1));
	EXPECT_EQ(-EINVAL, gh_set_region(self->vm, 0, RWX, GPA, page, addr + page / 2));
}

MEM_TEST(wrap)
{
	size_t page = self->page;

	EXPECT_EQ(-EOVERFLOW, add(self, 0, RWX, -(uint64_t)page, 2 * page));
	EXPECT_EQ(-EOVERFLOW, add(self, 0, RWX, GPA, -(uint64_t)page));
	EXPECT_EQ(-EOVERFLOW, add(self, 0, RWX, 1ULL << 63, 1ULL << 63 | page));
}

MEM_TEST(not_user_space)
{
	size_t page = self->page;

	EXPECT_EQ(-EFAULT, gh_set_region(self->vm, 0, RWX, GPA, page,
					 (void *)0xffff800000000000UL));
	EXPECT_EQ(-EFAULT, gh_set_region(self->vm, 0, RWX, GPA, 2 * page, (void *)-page));
	EXPECT_EQ(-EFAULT, gh_set_region(self->vm, 0, RWX, 0, 1ULL << 62, self->mem.addr));
}

MEM_TEST(labels)
{
	size_t page = self->page;

	EXPECT_EQ(0, add(self, 5, RWX, GPA, page));
	EXPECT_EQ(-EEXIST, add(self, 5, RWX, GPA + page, page));
	EXPECT_EQ(0, add(self, 0xffffffff, RWX, GPA + page, page));
	EXPECT_EQ(-EEXIST, add(self, 0xffffffff, RWX, GPA + 2 * page, page));
	EXPECT_STREQ("2", fdinfo(self->vm, "regions"));
}

MEM_TEST(overlap)
{
	size_t page = self->page;

	ASSERT_EQ(0, add(self, 0, RWX, GPA + 4 * page, 4 * page));
	EXPECT_EQ(-EEXIST, add(self, 1, RWX, GPA + 4 * page, 4 * page));
	EXPECT_EQ(-EEXIST, add(self, 1, RWX, GPA + 3 * page, 2 * page));
	EXPECT_EQ(-EEXIST, add(self, 1, RWX, GPA + 7 * page, 2 * page));
	EXPECT_EQ(-EEXIST, add(self, 1, RWX, GPA + 5 * page, page));
	EXPECT_EQ(-EEXIST, add(self, 1, RWX, GPA, 16 * page));

	/* Neighbours */
	EXPECT_EQ(0, add(self, 1, RWX, GPA + 3 * page, page));
	EXPECT_EQ(0, add(self, 2, RWX, GPA + 8 * page, page));
	EXPECT_STREQ("3", fdinfo(self->vm, "regions"));
}

MEM_TEST(limit)
{
	uint32_t i;

	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, add(self, i, RWX, GPA + i * self->page, self->page));
	EXPECT_EQ(-ENOSPC, add(self, i, RWX, GPA + i * self->page, self->page));
	ASSERT_EQ(0, remove_label(self, 17));
	EXPECT_EQ(0, add(self, i, RWX, GPA + i * self->page, self->page));
}

MEM_TEST(removal)
{
	size_t page = self->page;

	EXPECT_EQ(-ENOENT, remove_label(self, 0));
	ASSERT_EQ(0, add(self, 3, RWX | GH_MEM_LENT, GPA, 2 * page));
	EXPECT_EQ(2 * (long)page / 1024, atol(fdinfo(self->vm, "locked_kb")));
	EXPECT_EQ(-ENOENT, remove_label(self, 2));
	EXPECT_EQ(0, remove_label(self, 3));
	EXPECT_EQ(-ENOENT, remove_label(self, 3));
	EXPECT_EQ(0, atol(fdinfo(self->vm, "locked_kb")));
	EXPECT_STREQ("0", fdinfo(self->vm, "regions"));

	/* The label and the range are free again */
	EXPECT_EQ(0, add(self, 3, RWX, GPA, page));
}

MEM_TEST(hole)
{
	size_t page = self->page;
	uint8_t *addr = self->mem.addr;

	ASSERT_EQ(0, munmap(addr + 8 * page, page));
	EXPECT_EQ(-EFAULT, add(self, 0, RWX, GPA, 16 * page));
	EXPECT_EQ(-EFAULT, gh_set_region(self->vm, 0, RWX, GPA, page, addr + 8 * page));
	/* Nothing stays behind of the pages in front of the hole */
	EXPECT_EQ(0, atol(fdinfo(self->vm, "locked_kb")));
	EXPECT_EQ(0, add(self, 0, RWX, GPA, 8 * page));
}

MEM_TEST(protection)
{
	size_t page = self->page;
	uint8_t *addr = self->mem.addr;

	ASSERT_EQ(0, mprotect(addr + 4 * page, page, PROT_NONE));
	EXPECT_EQ(-EFAULT, add(self, 0, RWX, GPA, 16 * page));
	EXPECT_EQ(-EFAULT, add(self, 0, GH_MEM_ALLOW_READ, GPA, 16 * page));

	ASSERT_EQ(0, mprotect(addr + 4 * page, page, PROT_READ));
	EXPECT_EQ(-EFAULT, add(self, 0, RWX, GPA, 16 * page));
	EXPECT_EQ(-EFAULT, add(self, 0, RW, GPA, 16 * page));
	/* Lending takes the memory away from all who map it: that is for those who may write */
	EXPECT_EQ(-EFAULT, add(self, 0, GH_MEM_ALLOW_READ | GH_MEM_LENT, GPA, 16 * page));
	/* A guest that only reads needs no writable mapping */
	EXPECT_EQ(0, add(self, 0, GH_MEM_ALLOW_READ, GPA, 16 * page));
}

/* [vvar] is memory of the kernel's that is in every process */
MEM_TEST(device_memory)
{
	unsigned long start;
	char line[256];
	FILE *maps;
	bool found = false;

	maps = fopen("/proc/self/maps", "re");
	ASSERT_NE(NULL, maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		found = strstr(line, "[vvar]");
		start = strtoul(line, NULL, 16);
	}
	fclose(maps);
	if (!found)
		SKIP(return, "no [vvar]");

	EXPECT_EQ(-EFAULT, gh_set_region(self->vm, 0, GH_MEM_ALLOW_READ, GPA, self->page,
					 (void *)start));
	EXPECT_EQ(-EFAULT, gh_set_region(self->vm, 0, RWX, GPA, self->page, (void *)start));
}

/* The file system would write back what the guest, and not the host, changes */
MEM_TEST(shared_file)
{
	char dir[] = "/tmp/gunyah-mem-XXXXXX", path[64];
	void *map;
	int fd;

	ASSERT_NE(NULL, mkdtemp(dir));
	if (mount("ramfs", dir, "ramfs", 0, NULL)) {
		rmdir(dir);
		SKIP(return, "cannot mount ramfs");
	}
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, ftruncate(fd, self->page));

	map = mmap(NULL, self->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT_EQ(-EOPNOTSUPP, gh_set_region(self->vm, 0, RWX, GPA, self->page, map));
	EXPECT_EQ(0, atol(fdinfo(self->vm, "locked_kb")));
	munmap(map, self->page);

	map = mmap(NULL, self->page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	EXPECT_EQ(0, gh_set_region(self->vm, 0, RWX, GPA, self->page, map));
	EXPECT_EQ(0, remove_label(self, 0));
	munmap(map, self->page);

	close(fd);
	EXPECT_EQ(0, umount(dir));
	EXPECT_EQ(0, rmdir(dir));
}

/* The memory must be that of the process that created the VM */
MEM_TEST(other_process)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(add(self, 0, RWX, GPA, self->page) == -EPERM ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(0, add(self, 0, RWX, GPA, self->page));
}

/* Pages are the VM's from the ioctl on, whatever becomes of the mapping */
MEM_TEST(unmapped_afterwards)
{
	struct guest g;

	ASSERT_EQ(0, guest_alloc(&g, "hello", NULL));
	ASSERT_EQ(0, guest_setup(&g, self->dev, 0));
	ASSERT_EQ(0, munmap(g.image.addr, g.image.size));
	close(g.image.fd);
	EXPECT_EQ(0, gh_start(g.vm));
	EXPECT_EQ(0, guest_wait(&g));
	EXPECT_NE(NULL, strstr(g.text, "Hello"));
	g.image.addr = NULL;
	guest_free(&g);
}

TEST_HARNESS_MAIN

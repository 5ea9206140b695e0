// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel does with a process's memory, unasked or asked for something else, while
 * the memory is lent: none of it may read the memory, which would be the end of the host.
 * Most of it needs a kernel with the feature, and is skipped elsewhere.
 */
#include <linux/mempolicy.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE	67
#endif

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define CORE_FILE	"/tmp/gunyah-core"
#define KSM		"/sys/kernel/mm/ksm/"
#define MARK_WORDS	8

/* Different for each kind of memory, and not in the program as it is here */
static void mark(uint64_t *at, uint64_t kind)
{
	size_t i;

	for (i = 0; i < MARK_WORDS; i++)
		at[i] = (kind + i) * 0x9e3779b97f4a7c15ULL;
}

static bool has_mark(const uint8_t *data, size_t size, uint64_t kind)
{
	uint64_t want[MARK_WORDS];

	mark(want, kind);
	return memmem(data, size, want, sizeof(want));
}

static struct gh_mem private_memory(size_t size)
{
	struct gh_mem mem = { .fd = -1, .size = size };

	mem.addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem.addr == MAP_FAILED)
		mem.addr = NULL;
	return mem;
}

/* A guest that counts, with private memory if that is wanted, and in state @running */
static int run_counting(struct guest *g, int gunyah, bool is_private)
{
	struct gh_mem image = private_memory(is_private ? IMAGE_SIZE : page_size());
	int err;

	err = guest_alloc(g, "count", is_private ? &image : NULL);
	if (err)
		return err;
	/* Between payload and devicetree */
	mark((uint64_t *)(g->image.addr + g->image.size / 2), 1);
	err = guest_setup(g, gunyah, 0);
	return err ?: gh_start(g->vm);
}

/* Dies with a core dump */
static void dump(int gunyah, bool is_private, bool ended)
{
	static const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	static uint64_t own[MARK_WORDS];
	static struct guest g;

	/* Whatever kind of memory it is */
	if (write_text("/proc/self/coredump_filter", "0x1ff") || setrlimit(RLIMIT_CORE, &all) ||
	    run_counting(&g, gunyah, is_private))
		_exit(1);
	if (ended) {
		g.page->stop = 1;
		if (guest_wait(&g))
			_exit(2);
	}
	mark(own, 2);
	mark((uint64_t *)(g.page_mem.addr + page_size() / 2), 3);
	/* The harness would make a failed test of it */
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* The VMM dies while the guest, running or not, has the memory */
static void core_dump(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self,
		      bool is_private, bool ended)
{
	uint32_t faults = ctl_read(GH_LAB_CTL_HOST_FAULTS);
	char pattern[256] = "";
	size_t size;
	void *core;
	int status;
	pid_t pid;

	if (read_text(CORE_PATTERN, pattern, sizeof(pattern)) < 0)
		SKIP(return, "no core dumps");
	ASSERT_EQ(0, write_text(CORE_PATTERN, CORE_FILE));
	pid = fork();
	if (!pid)
		dump(self->dev, is_private, ended);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	write_text(CORE_PATTERN, pattern);
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	EXPECT_TRUE(WCOREDUMP(status));

	ASSERT_EQ(0, gh_read_file(CORE_FILE, &core, &size));
	unlink(CORE_FILE);
	EXPECT_TRUE(has_mark(core, size, 2));
	/* What is shared with the guest is the host's, too */
	EXPECT_TRUE(has_mark(core, size, 3));
	EXPECT_FALSE(has_mark(core, size, 1));
	free(core);
	EXPECT_EQ(faults, ctl_read(GH_LAB_CTL_HOST_FAULTS));
	EXPECT_ALL_BACK(&self->before, "after the dump");
}

GUNYAH_TEST(core_dump_file)
{
	core_dump(_metadata, self, false, false);
}

GUNYAH_TEST(core_dump_private)
{
	core_dump(_metadata, self, true, false);
}

GUNYAH_TEST(core_dump_ended)
{
	core_dump(_metadata, self, false, true);
}

/* Who wants it all in the dump cannot have that */
GUNYAH_TEST(dump_it_all_the_same)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, run_counting(g, self->dev, true));
	EXPECT_EQ(-1, madvise(g->image.addr, g->image.size, MADV_DODUMP));
	EXPECT_EQ(EINVAL, errno);
	/* But what is only shared is the process's */
	EXPECT_EQ(0, madvise(g->page_mem.addr, g->page_mem.size, MADV_DONTDUMP));
	EXPECT_EQ(0, madvise(g->page_mem.addr, g->page_mem.size, MADV_DODUMP));
}

/* fork() copies the pinned pages of a private mapping at once */
static void forks(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self,
		  struct gh_mem image, bool child_has_it)
{
	struct guest *g = &self->guest;
	unsigned char there;
	int status;
	pid_t pid;

	if (!image.addr || image.addr == MAP_FAILED)
		SKIP(return, "no such memory");
	ASSERT_EQ(0, guest_alloc(g, "count", &image));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(mincore(g->image.addr, page_size(), &there) ? errno : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(child_has_it ? 0 : ENOMEM, WEXITSTATUS(status));
	EXPECT_EQ(0, guest_wait_count(g, 2));
	g->page->stop = 1;
	EXPECT_EQ(0, guest_wait(g));
	guest_free(g);
}

GUNYAH_TEST(fork_private)
{
	forks(_metadata, self, private_memory(IMAGE_SIZE), false);
}

GUNYAH_TEST(fork_huge)
{
	struct gh_mem image = { .fd = -1, .size = 2 << 20 };

	write_text("/proc/sys/vm/nr_hugepages", "2");
	image.addr = mmap(NULL, image.size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	forks(_metadata, self, image, false);
	write_text("/proc/sys/vm/nr_hugepages", "0");
}

GUNYAH_TEST(fork_file)
{
	struct gh_mem image;

	ASSERT_EQ(0, gh_mem_alloc(&image, "image", IMAGE_SIZE));
	forks(_metadata, self, image, true);
}

static long read_number(const char *path)
{
	char text[32] = "";

	return read_text(path, text, sizeof(text)) < 0 ? -1 : atol(text);
}

/* KSM goes round so often; what it has to compare makes it look at content */
static bool ksm_rounds(long rounds)
{
	uint64_t end = now_ms() + EVENT_MS;
	long begin = read_number(KSM "full_scans");

	while (read_number(KSM "full_scans") < begin + rounds) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

static void ksm(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self, bool process)
{
	uint32_t faults = ctl_read(GH_LAB_CTL_HOST_FAULTS);
	struct gh_mem image = private_memory(IMAGE_SIZE), equal = private_memory(IMAGE_SIZE);
	struct guest *g = &self->guest;

	if (access(KSM "run", W_OK))
		SKIP(return, "no KSM");
	memset(equal.addr, 0x5a, equal.size);
	/* A mapping of its own, whichever is behind it */
	ASSERT_EQ(0, mprotect(equal.addr + equal.size - page_size(), page_size(), PROT_NONE));
	ASSERT_EQ(0, process ? prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) :
			       madvise(image.addr, image.size, MADV_MERGEABLE));
	ASSERT_EQ(0, madvise(equal.addr, equal.size, MADV_MERGEABLE));
	ASSERT_EQ(0, guest_alloc(g, "count", &image));
	/* Something that could be merged */
	memset(g->image.addr + g->image.size / 2, 0x5a, 8 * page_size());
	ASSERT_EQ(0, write_text(KSM "sleep_millisecs", "0"));
	ASSERT_EQ(0, write_text(KSM "pages_to_scan", "10000"));
	ASSERT_EQ(0, write_text(KSM "run", "1"));
	EXPECT_TRUE(ksm_rounds(3));
	EXPECT_LT(0, read_number(KSM "pages_shared"));

	/* What was merged is the process's own again before it is lent */
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	/* The advice is ignored, as of any memory that KSM cannot merge */
	EXPECT_EQ(0, madvise(g->image.addr, g->image.size, MADV_MERGEABLE));
	EXPECT_TRUE(ksm_rounds(4));
	EXPECT_EQ(0, guest_wait_count(g, 2));
	g->page->stop = 1;
	EXPECT_EQ(0, guest_wait(g));
	guest_free(g);
	EXPECT_EQ(faults, ctl_read(GH_LAB_CTL_HOST_FAULTS));

	write_text(KSM "run", "2");
	write_text(KSM "run", "0");
	gh_mem_free(&equal);
}

GUNYAH_TEST(ksm_of_mapping)
{
	ksm(_metadata, self, false);
}

GUNYAH_TEST(ksm_of_process)
{
	ksm(_metadata, self, true);
}

/* The frame of a page that is mapped here, 0 if that cannot be known */
static uint64_t frame(const void *addr)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (uintptr_t)addr / page_size() * sizeof(entry)) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

#define MAX_PAGES	(IMAGE_SIZE / 4096)

/* Whatever is tried, the pages stay where the guest has them */
static void stays(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self, bool is_private)
{
	uint32_t faults = ctl_read(GH_LAB_CTL_HOST_FAULTS);
	static uint64_t frames[MAX_PAGES];
	static int status[MAX_PAGES], nodes[MAX_PAGES];
	static void *pages[MAX_PAGES];
	const size_t page = page_size(), n = IMAGE_SIZE / page;
	struct guest *g = &self->guest;
	size_t i, moved = 0;
	uint8_t *addr;

	ASSERT_EQ(0, run_counting(g, self->dev, is_private));
	addr = g->image.addr;
	for (i = 0; i < n; i++) {
		frames[i] = frame(addr + i * page);
		pages[i] = addr + i * page;
		/* A second one is there with numa=fake=2 on the kernel's command line */
		nodes[i] = 1;
		status[i] = -ENODEV;
	}
	if (!frames[0])
		SKIP(return, "no page frame numbers");

	if (!syscall(SYS_move_pages, 0, n, pages, nodes, status, MPOL_MF_MOVE))
		for (i = 0; i < n; i++)
			moved += status[i] >= 0 && frame(pages[i]) != frames[i];
	EXPECT_EQ(0, moved);
	for (i = 0; i < n; i++)
		nodes[i] = 0;
	syscall(SYS_move_pages, 0, n, pages, nodes, status, MPOL_MF_MOVE);
	write_text("/proc/sys/vm/compact_memory", "1");
	madvise(addr, g->image.size, MADV_PAGEOUT);
	madvise(addr, g->image.size, MADV_COLLAPSE);
	/* Allocates a page to move it to, and must not copy */
	EXPECT_EQ(-1, madvise(addr + page, page, MADV_SOFT_OFFLINE));

	EXPECT_EQ(0, guest_wait_count(g, 2));
	g->page->stop = 1;
	EXPECT_EQ(0, guest_wait(g));
	guest_close(g);
	EXPECT_EQ(faults, ctl_read(GH_LAB_CTL_HOST_FAULTS));
	for (i = 0, moved = 0; i < n; i++) {
		EXPECT_TRUE(can_read(pages[i]));
		moved += frame(pages[i]) != frames[i];
	}
	EXPECT_EQ(0, moved);
	EXPECT_TRUE(has_mark(addr, g->image.size, 1));
}

GUNYAH_TEST(stays_file)
{
	stays(_metadata, self, false);
}

GUNYAH_TEST(stays_private)
{
	stays(_metadata, self, true);
}

/* Of pages that are in use by somebody else some cannot be moved out of a movable zone */
#define MIN_MOVABLE	4096

static int node_with_movable(void)
{
	char text[64] = "", zone[16] = "", *at;
	long pages = MIN_MOVABLE;
	int node = 0, best = -1;
	FILE *f = fopen("/proc/zoneinfo", "re");

	while (f && fgets(text, sizeof(text), f)) {
		if (sscanf(text, "Node %d, zone %15s", &node, zone) == 2)
			continue;
		at = strstr(text, "pages free");
		if (at && !strcmp(zone, "Movable") && atol(at + 10) > pages) {
			pages = atol(at + 10);
			best = node;
		}
	}
	if (f)
		fclose(f);
	return best;
}

static void *close_later(void *arg)
{
	sleep_ms(30);
	close(*(int *)arg);
	return NULL;
}

GUNYAH_TEST(in_use_in_movable_zone)
{
	struct gh_mem mem = private_memory(4 * page_size());
	struct iovec iov = { .iov_base = mem.addr, .iov_len = page_size() };
	struct guest *g = &self->guest;
	int ends[2], node = node_with_movable();
	unsigned long nodes;
	pthread_t thread;

	if (node < 0)
		SKIP(return, "no movable zone");
	/* That of the CPU's node may be full: then memory comes from its other zones first */
	nodes = 1UL << node;
	syscall(SYS_mbind, mem.addr, mem.size, MPOL_BIND, &nodes, 8 * sizeof(nodes), 0);
	g->vm = gh_create_vm(self->dev);
	ASSERT_LE(0, g->vm);
	g->has_vm = true;
	memset(mem.addr, 1, mem.size);
	ASSERT_EQ(0, pipe(ends));
	/* The pipe has the page itself */
	ASSERT_EQ(page_size(), vmsplice(ends[1], &iov, 1, 0));
	close(ends[1]);
	EXPECT_EQ(-EAGAIN, gh_set_region(g->vm, 1, RWX | GH_MEM_LENT, 0x90000000, mem.size,
					 mem.addr));

	/* It is waited for a bit */
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_later, &ends[0]));
	EXPECT_EQ(0, gh_set_region(g->vm, 1, RWX | GH_MEM_LENT, 0x90000000, mem.size, mem.addr));
	pthread_join(thread, NULL);
	guest_close(g);
	gh_mem_free(&mem);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* Who can access which memory, and what is in it afterwards */
#include "gunyah_test.h"

/* Payloads and their stacks are below this */
#define PAYLOAD_SPACE	0x10000

static uint64_t pattern(uint64_t i, uint64_t seed)
{
	return (i + seed) * 0x9e3779b97f4a7c15ULL;
}

/* The image memory between payload and devicetree, as words */
static uint64_t *words(struct guest *g)
{
	return (uint64_t *)(g->image.addr + PAYLOAD_SPACE);
}

static size_t n_words(struct guest *g)
{
	return (g->dtb_offset - PAYLOAD_SPACE) / sizeof(uint64_t);
}

/* Returns the sum that the payload "touch" has to come to */
static uint64_t fill(struct guest *g, uint64_t seed, uint64_t key)
{
	uint64_t *word = words(g);
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < n_words(g); i++) {
		word[i] = pattern(i, seed);
		sum = test_sum(sum, word[i]);
	}
	g->page->addr = GH_GUEST_BASE + PAYLOAD_SPACE;
	g->page->size = n_words(g) * sizeof(uint64_t);
	g->page->key = key;
	return sum;
}

/* The number of words that are not as expected */
static size_t differences(struct guest *g, uint64_t seed, uint64_t key)
{
	const uint64_t *word = words(g);
	size_t i, n = 0;

	for (i = 0; i < n_words(g); i++)
		n += word[i] != (pattern(i, seed) ^ key);
	return n;
}

static uint64_t count(struct guest *g)
{
	return *(volatile uint64_t *)&g->page->count;
}

/* False if the guest does not count on */
static bool counts(struct guest *g)
{
	uint64_t end = now_ms() + EVENT_MS, before = count(g);

	while (count(g) == before) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

GUNYAH_TEST(lent_is_gone)
{
	struct guest *g = &self->guest;
	const size_t page = page_size();
	uint32_t lent = ctl_read(GH_LAB_CTL_LENT_PAGES);
	size_t offset;
	int status;
	pid_t pid;

	ASSERT_EQ(0, guest_alloc(g, "count", NULL));
	fill(g, 1, 0);
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	/* Not before START */
	EXPECT_TRUE(can_read(g->image.addr));
	ASSERT_EQ(0, gh_start(g->vm));

	for (offset = 0; offset < g->image.size; offset += 32 * page) {
		EXPECT_FALSE(can_read(g->image.addr + offset));
		EXPECT_FALSE(can_write(g->image.addr + offset));
	}
	EXPECT_FALSE(can_read(g->image.addr + g->image.size - 1));
	EXPECT_FALSE(can_write(g->image.addr + g->image.size - 1));
	if (ctl_present())
		EXPECT_EQ(g->image.size / GH_RM_PAGE, ctl_read(GH_LAB_CTL_LENT_PAGES) - lent);

	/* Nor can anybody else on this host */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(can_read(g->image.addr + page) || can_write(g->image.addr + page));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);

	/* The guest is none the worse for it */
	EXPECT_TRUE(counts(g));
	g->page->stop = 1;
	ASSERT_EQ(0, guest_wait(g));

	/* Still the guest's until it is closed, then back as it was */
	EXPECT_FALSE(can_read(g->image.addr));
	guest_close(g);
	EXPECT_TRUE(can_read(g->image.addr));
	EXPECT_EQ(0, differences(g, 1, 0));
	EXPECT_TRUE(can_write(g->image.addr + page));
	EXPECT_EQ(lent, ctl_read(GH_LAB_CTL_LENT_PAGES));
}

GUNYAH_TEST(back_after_forced_stop)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, guest_alloc(g, "spin", NULL));
	fill(g, 2, 0);
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_FALSE(can_read(words(g)));
	guest_close(g);
	EXPECT_TRUE(can_read(words(g)));
	EXPECT_EQ(0, differences(g, 2, 0));
}

/* Parts of a large block of the host's memory: the rest stays, and comes back whole */
GUNYAH_TEST(neighbours)
{
	const size_t huge = 2 << 20, part = huge / 4;
	struct guest *g = &self->guest;
	struct gh_mem image = { .fd = -1, .size = huge / 2 };
	uint8_t *block;

	write_text("/proc/sys/vm/nr_hugepages", "2");
	block = mmap(NULL, huge, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (block == MAP_FAILED)
		SKIP(return, "no huge pages");
	memset(block, 0x77, huge);

	image.addr = block + part;
	ASSERT_EQ(0, guest_alloc(g, "count", &image));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_TRUE(can_write(block));
	EXPECT_TRUE(can_write(block + part - 1));
	EXPECT_FALSE(can_read(block + part));
	EXPECT_FALSE(can_read(block + part + image.size - 1));
	EXPECT_TRUE(can_write(block + part + image.size));
	EXPECT_TRUE(can_write(block + huge - 1));
	EXPECT_TRUE(counts(g));
	guest_close(g);

	EXPECT_TRUE(can_write(block + part));
	EXPECT_EQ(0x77, block[part - 2]);
	EXPECT_EQ(0x77, block[part + image.size + 1]);
	munmap(block, huge);
	g->image.addr = NULL;
	write_text("/proc/sys/vm/nr_hugepages", "0");
}

GUNYAH_TEST(shared_by_both)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	/* The host sees what the guest writes, twice over */
	EXPECT_TRUE(counts(g));
	EXPECT_TRUE(counts(g));
	EXPECT_TRUE(can_read(g->page_mem.addr));
	EXPECT_TRUE(can_read(g->console_mem.addr));
	/* And the guest what the host writes */
	g->page->stop = 1;
	EXPECT_EQ(0, guest_wait(g));
}

/* Without GH_MEM_ALLOW_WRITE the guest's first write is an abort */
GUNYAH_TEST(read_only)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;

	ASSERT_EQ(0, guest_run(g, self->dev, "count", GUEST_READ_ONLY_PAGE));
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_EQ(0, gh_exit_info(g->vm, &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_HYP_ERROR, info.type);
	EXPECT_EQ(0, count(g));
}

/* Runs "touch" on the guest's memory and looks at the result from both sides */
static void touch(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self)
{
	const uint64_t key = 0x0123456789abcdefULL;
	struct guest *g = &self->guest;
	uint64_t sum;

	sum = fill(g, 3, key);
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_EQ(sum, g->page->sum);
	guest_close(g);
	EXPECT_EQ(0, differences(g, 3, key));
}

GUNYAH_TEST(touch_all)
{
	ASSERT_EQ(0, guest_alloc(&self->guest, "touch", NULL));
	touch(_metadata, self);
}

/* The number of pieces that memory consists of, 0 if that cannot be known */
static size_t pieces(const struct gh_mem *mem)
{
	const uint64_t pfn_mask = (1ULL << 55) - 1;
	const size_t page = page_size();
	uint64_t entry, last = 0;
	size_t n = 0, i;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	for (i = 0; i < mem->size / page; i++) {
		if (pread(fd, &entry, sizeof(entry),
			  ((uintptr_t)mem->addr / page + i) * sizeof(entry)) != sizeof(entry) ||
		    !(entry & pfn_mask)) {
			n = 0;
			break;
		}
		entry &= pfn_mask;
		n += entry != last + 1;
		last = entry;
	}
	close(fd);
	return n;
}

/* More pieces than one message of the resource manager can list: 512 */
GUNYAH_TEST(touch_scattered)
{
	const size_t page = page_size(), pages = 1024;
	struct gh_mem image;
	size_t i, n;

	ASSERT_EQ(0, gh_mem_alloc(&image, "scattered", pages * page));
	/* An odd step: every page once, and neighbours at different times */
	for (i = 0; i < pages; i++)
		image.addr[i * 389 % pages * page] = 1;
	n = pieces(&image);
	if (n)
		EXPECT_LT(512, n);

	ASSERT_EQ(0, guest_alloc(&self->guest, "touch", &image));
	touch(_metadata, self);
}

GUNYAH_TEST(touch_huge_page)
{
	struct gh_mem image = { .fd = -1, .size = 2 << 20 };

	write_text("/proc/sys/vm/nr_hugepages", "2");
	image.addr = mmap(NULL, image.size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (image.addr == MAP_FAILED)
		SKIP(return, "no huge pages");
	ASSERT_EQ(0, guest_alloc(&self->guest, "touch", &image));
	touch(_metadata, self);
	guest_free(&self->guest);
	write_text("/proc/sys/vm/nr_hugepages", "0");
}

/* Each guest finds its own memory at the address that both use */
GUNYAH_TEST(two_guests)
{
	struct guest *a = &self->guest, *b = &self->other;
	uint64_t sum_a, sum_b;

	ASSERT_EQ(0, guest_alloc(a, "touch", NULL));
	ASSERT_EQ(0, guest_alloc(b, "touch", NULL));
	sum_a = fill(a, 5, 1);
	sum_b = fill(b, 6, 2);
	ASSERT_EQ(0, guest_setup(a, self->dev, 0));
	ASSERT_EQ(0, guest_setup(b, self->dev, 0));
	ASSERT_EQ(0, gh_start(a->vm));
	ASSERT_EQ(0, gh_start(b->vm));
	ASSERT_EQ(0, guest_wait(a));
	ASSERT_EQ(0, guest_wait(b));
	EXPECT_EQ(sum_a, a->page->sum);
	EXPECT_EQ(sum_b, b->page->sum);
	guest_close(a);
	guest_close(b);
	EXPECT_EQ(0, differences(a, 5, 1));
	EXPECT_EQ(0, differences(b, 6, 2));
}

/* 64 parcels is what all guests of a host together can have */
GUNYAH_TEST(parcels)
{
	struct guest *a = &self->guest, *b = &self->other;
	const size_t page = page_size();
	struct gh_mem mem;
	uint32_t i;

	ASSERT_EQ(0, gh_mem_alloc(&mem, "parcels", 64 * page));
	ASSERT_EQ(0, guest_alloc(a, "count", NULL));
	ASSERT_EQ(0, guest_setup(a, self->dev, 0));
	/* The fixture's three are in there already */
	for (i = 3; i < 64; i++)
		ASSERT_EQ(0, gh_set_region(a->vm, 0x100 + i, RW, 0x100000000ULL + i * page, page,
					   mem.addr + i * page));
	ASSERT_EQ(0, gh_start(a->vm));
	EXPECT_EQ(-ENOSPC, guest_run(b, self->dev, "hello", 0));
	guest_free(b);

	a->page->stop = 1;
	EXPECT_EQ(0, guest_wait(a));
	guest_free(a);
	ASSERT_EQ(0, guest_run(b, self->dev, "hello", 0));
	EXPECT_EQ(0, guest_wait(b));
	gh_mem_free(&mem);
}

TEST_HARNESS_MAIN

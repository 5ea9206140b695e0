// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of a VM's memory: which regions there can be, what is charged and pinned
 * for them, and how they are told to the resource manager
 *
 * That nothing stays charged or pinned is checked after each test, in
 * vm_test_exit().
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/prandom.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

#define R	GH_MEM_ALLOW_READ
#define W	GH_MEM_ALLOW_WRITE
#define X	GH_MEM_ALLOW_EXEC
#define LENT	GH_MEM_LENT

/* Pages that are pinned at a time, and runs that are kept in a page */
#define BATCH	(PAGE_SIZE / sizeof(struct page *))
#define CHUNK	((PAGE_SIZE - sizeof(struct gh_vm_run_chunk)) / sizeof(struct gh_vm_run))

static void range_end(struct kunit *test)
{
	static const struct { u64 start, size, end; int ret; } cases[] = {
		{ 0, 0, 0, 0 },
		{ 0, 1, 1, 0 },
		{ 0, PAGE_SIZE, PAGE_SIZE, 0 },
		{ U32_MAX, 1, 1ULL << 32, 0 },
		{ U32_MAX + 1ULL - PAGE_SIZE, PAGE_SIZE, 1ULL << 32, 0 },
		{ 1ULL << 32, 1ULL << 32, 1ULL << 33, 0 },
		{ 0, U64_MAX, U64_MAX, 0 },
		{ U64_MAX, 0, U64_MAX, 0 },
		{ U64_MAX - 1, 1, U64_MAX, 0 },
		{ U64_MAX - PAGE_SIZE, PAGE_SIZE, U64_MAX, 0 },
		{ U64_MAX, 1, 0, -EOVERFLOW },
		{ 1, U64_MAX, 0, -EOVERFLOW },
		{ U64_MAX - PAGE_SIZE + 1, PAGE_SIZE, 0, -EOVERFLOW },
		{ U64_MAX, U64_MAX, 0, -EOVERFLOW },
		{ 1ULL << 63, 1ULL << 63, 0, -EOVERFLOW },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 end = 0;

		KUNIT_EXPECT_EQ_MSG(test, gh_vm_range_end(cases[i].start, cases[i].size, &end),
				    cases[i].ret, "case %d", i);
		if (!cases[i].ret)
			KUNIT_EXPECT_EQ_MSG(test, end, cases[i].end, "case %d", i);
	}
}

/*
 * Which regions there can be
 */

struct region_case {
	const char *desc;
	u32 flags;
	u64 gpa;
	u64 size;
	/* Added to the address of the test's pages */
	u64 offset;
	long ret;
};

static const struct region_case region_cases[] = {
	{ "all access", R | W | X, 0, PAGE_SIZE, 0, 0 },
	{ "lent", R | LENT, 0, PAGE_SIZE, 0, 0 },
	{ "at the end of 32 bits", R, U32_MAX + 1ULL - PAGE_SIZE, PAGE_SIZE, 0, 0 },
	{ "across the end of 32 bits", R, U32_MAX + 1ULL - PAGE_SIZE, 2 * PAGE_SIZE, 0, 0 },
	{ "last but one page", R, U64_MAX - 2 * PAGE_SIZE + 1, PAGE_SIZE, 0, 0 },
	{ "last page", R, U64_MAX - PAGE_SIZE + 1, PAGE_SIZE, 0, -EOVERFLOW },
	{ "wraps", R, U64_MAX - PAGE_SIZE + 1, 2 * PAGE_SIZE, 0, -EOVERFLOW },
	{ "no access", 0, 0, PAGE_SIZE, 0, -EINVAL },
	{ "write only", W, 0, PAGE_SIZE, 0, -EINVAL },
	{ "lent, no access", LENT, 0, PAGE_SIZE, 0, -EINVAL },
	{ "unknown flag", R | BIT(4), 0, PAGE_SIZE, 0, -EINVAL },
	{ "last flag", R | BIT(31), 0, PAGE_SIZE, 0, -EINVAL },
	{ "unaligned guest address", R, 1, PAGE_SIZE, 0, -EINVAL },
	{ "guest address at half a page", R, PAGE_SIZE / 2, PAGE_SIZE, 0, -EINVAL },
	{ "size 1", R, 0, 1, 0, -EINVAL },
	{ "size is not whole pages", R, 0, PAGE_SIZE + 1, 0, -EINVAL },
	{ "half a page", R, 0, PAGE_SIZE / 2, 0, -EINVAL },
	{ "unaligned address", R, 0, PAGE_SIZE, 1, -EINVAL },
	{ "largest size", R, 0, U64_MAX - PAGE_SIZE + 1, 0, -EFAULT },
	{ "beyond user space", R, 0, PAGE_SIZE, 1ULL << 55, -EFAULT },
};

KUNIT_ARRAY_PARAM_DESC(region, region_cases, desc);

static void one_region(struct kunit *test)
{
	const struct region_case *c = test->param_value;
	struct vm_test *vt = test->priv;
	unsigned long pages = 0;
	struct vm *vm = vm_new(vt);

	if (!c->ret)
		pages = c->size >> PAGE_SHIFT;

	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 5, c->flags, c->gpa, c->size,
					 vt->mem + c->offset), c->ret);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, pages);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), pages);
	KUNIT_EXPECT_EQ(test, vm->ghvm->n_regions, !c->ret);

	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, 5), c->ret ? -ENOENT : 0);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
	KUNIT_EXPECT_EQ(test, vm->ghvm->n_regions, 0);
}

static void overlap(struct kunit *test)
{
	/* In pages; there is a region from 10 to 14. */
	static const struct {
		unsigned int first;
		unsigned int n;
		long ret;
	} cases[] = {
		{ 9, 1, 0 }, { 14, 1, 0 }, { 6, 4, 0 }, { 0, 1, 0 },
		{ 10, 4, -EEXIST }, { 9, 2, -EEXIST }, { 13, 2, -EEXIST }, { 13, 1, -EEXIST },
		{ 10, 1, -EEXIST }, { 11, 2, -EEXIST }, { 9, 6, -EEXIST }, { 10, 5, -EEXIST },
		{ 9, 5, -EEXIST },
	};
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	int i;

	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R, 10 * PAGE_SIZE, 4 * PAGE_SIZE, vt->mem), 0);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool fits = !cases[i].ret;

		KUNIT_EXPECT_EQ_MSG(test, vm_set_mem(vt, vm, 2, R, cases[i].first * PAGE_SIZE,
						     cases[i].n * PAGE_SIZE, vt->mem),
				    cases[i].ret, "case %d", i);
		KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 4UL + fits * cases[i].n);
		KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, 2), fits ? 0 : -ENOENT);
	}

	/* The same memory twice is the user's affair; it is charged twice. */
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 2, R, 0, 4 * PAGE_SIZE, vt->mem), 0);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 8UL);
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 4);
}

static void labels(struct kunit *test)
{
	static const u32 all[] = { 0, 1, U32_MAX, U32_MAX - 1, BIT(31) };
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, all[i]), -ENOENT);
		KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, all[i], R, i * PAGE_SIZE, PAGE_SIZE,
						 vt->mem + i * PAGE_SIZE), 0);
		/* Elsewhere, but under the same name */
		KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, all[i], R, 100 * PAGE_SIZE, PAGE_SIZE,
						 vt->mem), -EEXIST);
	}
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), ARRAY_SIZE(all));

	/* The one that is named goes, and no other. */
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, U32_MAX), 0);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), ARRAY_SIZE(all) - 1);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(vt->pages[2])));
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, ARRAY_SIZE(all) - 1);
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, U32_MAX), -ENOENT);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, U32_MAX, R, 2 * PAGE_SIZE, PAGE_SIZE,
					 vt->mem + 2 * PAGE_SIZE), 0);
	/* Its flags do not matter, if they exist. */
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 0, R | W | LENT, 1, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, BIT(5), 0, 0, 0), -EINVAL);
}

static void number_of_regions(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	u32 i;

	for (i = 0; i < GH_RM_MAX_PARCELS; i++)
		KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, i, R, i * PAGE_SIZE, PAGE_SIZE, vt->mem),
				0);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, i, R, i * PAGE_SIZE, PAGE_SIZE, vt->mem), -ENOSPC);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, (unsigned long)GH_RM_MAX_PARCELS);
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, 7), 0);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, i, R, i * PAGE_SIZE, PAGE_SIZE, vt->mem), 0);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 7, R, 7 * PAGE_SIZE, PAGE_SIZE, vt->mem), -ENOSPC);

	/* All of them can be given, and come back. */
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_SHARE], GH_RM_MAX_PARCELS);
}

static void find(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct gh_vm_mem *first, *second;

	KUNIT_ASSERT_EQ(test, vm_set_mem(vt, vm, 1, R, PAGE_SIZE, 2 * PAGE_SIZE, vt->mem), 0);
	KUNIT_ASSERT_EQ(test, vm_set_mem(vt, vm, 2, R, 3 * PAGE_SIZE, PAGE_SIZE, vt->mem), 0);

	mutex_lock(&vm->ghvm->mm_lock);
	first = list_first_entry(&vm->ghvm->regions, struct gh_vm_mem, node);
	second = list_last_entry(&vm->ghvm->regions, struct gh_vm_mem, node);
	KUNIT_EXPECT_PTR_EQ(test, first, gh_vm_mem_find(vm->ghvm, PAGE_SIZE, 2 * PAGE_SIZE));
	KUNIT_EXPECT_PTR_EQ(test, first, gh_vm_mem_find(vm->ghvm, PAGE_SIZE, 1));
	KUNIT_EXPECT_PTR_EQ(test, first, gh_vm_mem_find(vm->ghvm, 3 * PAGE_SIZE - 1, 1));
	KUNIT_EXPECT_PTR_EQ(test, second, gh_vm_mem_find(vm->ghvm, 3 * PAGE_SIZE, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, gh_vm_mem_find(vm->ghvm, 3 * PAGE_SIZE - 1, 2));
	KUNIT_EXPECT_NULL(test, gh_vm_mem_find(vm->ghvm, PAGE_SIZE - 1, 1));
	KUNIT_EXPECT_NULL(test, gh_vm_mem_find(vm->ghvm, PAGE_SIZE, 2 * PAGE_SIZE + 1));
	KUNIT_EXPECT_NULL(test, gh_vm_mem_find(vm->ghvm, 4 * PAGE_SIZE, 1));
	KUNIT_EXPECT_NULL(test, gh_vm_mem_find(vm->ghvm, 2 * PAGE_SIZE, U64_MAX));
	KUNIT_EXPECT_EQ(test, gh_vm_mem_pages(vm->ghvm, false), 3UL);
	KUNIT_EXPECT_EQ(test, gh_vm_mem_pages(vm->ghvm, true), 0UL);
	mutex_unlock(&vm->ghvm->mm_lock);
}

/* Only the creator can add memory: it is charged to it. */
static long add_from_elsewhere(struct vm_test *vt, struct vm *vm)
{
	const struct gh_userspace_memory_region region = {
		.flags = R,
		.memory_size = PAGE_SIZE,
		.userspace_addr = vt->mem,
	};

	return gh_vm_mem_set(vm->ghvm, &region);
}

static void foreign_mm(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);

	KUNIT_EXPECT_EQ(test, -EPERM,
			vm_thread_wait(vm_thread_start(vt, add_from_elsewhere, vm)));
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
}

/*
 * What is told to the resource manager
 */

static void access_rights(struct kunit *test)
{
	static const u32 flags[] = { R, R | W, R | X, R | W | X };
	static const u8 perms[] = { 4, 6, 5, 7 };
	struct vm_test *vt = test->priv;
	struct fake_rm_parcel *parcel;
	struct vm *vm = vm_new(vt);
	int i;

	for (i = 0; i < 2 * ARRAY_SIZE(flags); i++)
		KUNIT_EXPECT_EQ(test, 0,
				vm_set_mem(vt, vm, i,
					   flags[i % ARRAY_SIZE(flags)] | (i < ARRAY_SIZE(flags) ?
					   LENT : 0), i * PAGE_SIZE, PAGE_SIZE,
					   vt->mem + i * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_LEND], ARRAY_SIZE(flags));
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_SHARE], ARRAY_SIZE(flags));

	i = 0;
	mutex_lock(&vt->f->lock);
	list_for_each_entry(parcel, &vt->f->parcels, node) {
		KUNIT_EXPECT_EQ(test, parcel->label, i);
		KUNIT_EXPECT_EQ(test, parcel->perms, perms[i % ARRAY_SIZE(perms)]);
		KUNIT_EXPECT_EQ(test, parcel->runs[0].addr, page_to_phys(vt->pages[i]));
		KUNIT_EXPECT_EQ(test, parcel->size, PAGE_SIZE);
		i++;
	}
	mutex_unlock(&vt->f->lock);
	KUNIT_EXPECT_EQ(test, i, 2 * ARRAY_SIZE(flags));
}

/*
 * Memory of which the test decides how contiguous it is
 */

struct block {
	struct page *page;
	unsigned int order;
	unsigned int n;
	/* Which of the pages is where */
	unsigned int *map;
};

static int block_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct block *block = file->private_data;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < block->n && !ret; i++)
		ret = vm_insert_page(vma, vma->vm_start + i * PAGE_SIZE,
				     block->page + block->map[i]);
	return ret;
}

static const struct file_operations block_fops = {
	.mmap = block_mmap,
};

static void block_free(void *data)
{
	struct block *block = data;
	unsigned int i;

	for (i = 0; i < 1U << block->order; i++)
		put_page(block->page + i);
}

/* @n contiguous pages, to be put anywhere */
static struct block *block_alloc(struct kunit *test, unsigned int n)
{
	struct block *block = kunit_kzalloc(test, sizeof(*block), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, block);
	block->n = n;
	block->order = get_order(n * PAGE_SIZE);
	if (block->order > MAX_PAGE_ORDER)
		kunit_skip(test, "no block of %u pages", n);
	block->map = kunit_kcalloc(test, n, sizeof(*block->map), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, block->map);
	for (i = 0; i < n; i++)
		block->map[i] = i;

	/* With large pages it is more memory than there may be. */
	block->page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, block->order);
	if (!block->page)
		kunit_skip(test, "no memory for %u pages", n);
	split_page(block->page, block->order);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, block_free, block));
	return block;
}

/* Map it as it is now. @regular: as if it were a file of a filesystem */
static unsigned long block_map(struct kunit *test, struct block *block, unsigned long prot,
			       unsigned long flags, bool regular)
{
	struct file *file = anon_inode_create_getfile("block", &block_fops, block, O_RDWR, NULL);
	unsigned long addr;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	if (regular)
		file_inode(file)->i_mode |= S_IFREG;
	addr = kunit_vm_mmap(test, file, 0, block->n * PAGE_SIZE, prot, flags, 0);
	fput(file);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_LT(test, addr, TASK_SIZE);
	return addr;
}

static unsigned int block_pinned(struct block *block)
{
	unsigned int i, n = 0;

	for (i = 0; i < block->n; i++)
		n += folio_maybe_dma_pinned(page_folio(block->page + i));
	return n;
}

/* Runs of these lengths, each somewhere else than behind the one before it */
static unsigned int block_cut(struct block *block, const unsigned int *lengths, unsigned int n)
{
	unsigned int i, j, pos = 0, top = block->n;

	for (i = 0; i < n; i++) {
		top -= lengths[i];
		for (j = 0; j < lengths[i]; j++)
			block->map[pos++] = top + j;
	}
	block->n = pos;
	/* Else the last one would begin in the middle of the block: that is fine. */
	return pos;
}

static void expect_runs(struct kunit *test, struct vm_test *vt, struct vm *vm,
			struct block *block, const unsigned int *lengths, unsigned int n)
{
	struct gh_vm_mem *mem = list_first_entry(&vm->ghvm->regions, struct gh_vm_mem, node);
	unsigned int i = 0, pos = 0;
	struct fake_rm_parcel *parcel;
	struct gh_vm_run_chunk *chunk;

	KUNIT_EXPECT_EQ(test, mem->nr_runs, n);
	list_for_each_entry(chunk, &mem->chunks, node) {
		unsigned int j;

		KUNIT_EXPECT_TRUE(test, list_is_last(&chunk->node, &mem->chunks) ?
				  chunk->nr <= CHUNK : chunk->nr == CHUNK);
		for (j = 0; j < chunk->nr; j++) {
			KUNIT_ASSERT_LT(test, i, n);
			KUNIT_ASSERT_EQ(test, (u64)chunk->runs[j].nr, lengths[i]);
			KUNIT_ASSERT_EQ(test, (u64)chunk->runs[j].pfn,
					page_to_pfn(block->page) + block->map[pos]);
			pos += lengths[i++];
		}
	}
	KUNIT_EXPECT_EQ(test, i, n);

	/* And so it is told. */
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	parcel = list_first_entry(&vt->f->parcels, struct fake_rm_parcel, node);
	KUNIT_EXPECT_EQ(test, parcel->n_runs, n);
	KUNIT_EXPECT_EQ(test, parcel->size, (u64)block->n * PAGE_SIZE);
	for (i = 0, pos = 0; i < parcel->n_runs; pos += lengths[i++]) {
		KUNIT_ASSERT_EQ(test, parcel->runs[i].size, (u64)lengths[i] * PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, parcel->runs[i].addr,
				page_to_phys(block->page) + (u64)block->map[pos] * PAGE_SIZE);
	}
}

struct runs_case {
	const char *desc;
	unsigned int first;
	unsigned int others;
	unsigned int n;
};

/* A first run, and more of the same length after it */
static const struct runs_case runs_cases[] = {
	{ "one page", 1, 0, 1 },
	{ "one run, a page less than a batch", BATCH - 1, 0, 1 },
	{ "one run, a batch", BATCH, 0, 1 },
	{ "one run across a batch", BATCH + 1, 0, 1 },
	{ "one run of two batches", 2 * BATCH, 0, 1 },
	{ "a run ends with the batch", BATCH, 3, 4 },
	{ "a run ends before the batch", BATCH - 1, 4, 4 },
	{ "a run ends behind the batch", BATCH + 1, 3, 4 },
	{ "single pages", 1, 1, BATCH + 3 },
	{ "runs fill a page but one", 1, 1, CHUNK - 1 },
	{ "runs fill a page", 1, 1, CHUNK },
	{ "runs fill a page and begin another", 2, 1, CHUNK + 1 },
	{ "runs fill two pages", 1, 1, 2 * CHUNK },
	{ "runs fill two pages and begin another", 1, 1, 2 * CHUNK + 1 },
};

KUNIT_ARRAY_PARAM_DESC(runs, runs_cases, desc);

static void runs(struct kunit *test)
{
	const struct runs_case *c = test->param_value;
	struct vm_test *vt = test->priv;
	unsigned int *lengths, i, n = c->first;
	struct vm *vm = vm_new(vt);
	struct block *block;
	unsigned long addr;

	lengths = kunit_kcalloc(test, c->n, sizeof(*lengths), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, lengths);
	lengths[0] = c->first;
	for (i = 1; i < c->n; i++) {
		lengths[i] = c->others;
		n += c->others;
	}

	block = block_alloc(test, n);
	block_cut(block, lengths, c->n);
	addr = block_map(test, block, PROT_READ | PROT_WRITE, MAP_SHARED, false);

	KUNIT_ASSERT_EQ(test, vm_set_mem(vt, vm, 1, R | W | X | LENT, 0, n * PAGE_SIZE, addr), 0);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, n);
	KUNIT_EXPECT_EQ(test, block_pinned(block), n);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, 0, 1), 0);
	expect_runs(test, vt, vm, block, lengths, c->n);

	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, block_pinned(block), 0);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
}

/* What is nearly contiguous, upwards and downwards, is not. */
static void gaps(struct kunit *test)
{
	static const unsigned int map[] = { 0, 2, 4, 5, 7, 6, 8, 8 + 2, 9 };
	static const unsigned int lengths[] = { 1, 1, 2, 1, 1, 1, 1, 1 };
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct block *block = block_alloc(test, 16);
	unsigned long addr;

	memcpy(block->map, map, sizeof(map));
	block->n = ARRAY_SIZE(map);
	addr = block_map(test, block, PROT_READ | PROT_WRITE, MAP_SHARED, false);
	KUNIT_ASSERT_EQ(test, vm_set_mem(vt, vm, 1, R | LENT, 0, block->n * PAGE_SIZE, addr), 0);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, 0, 1), 0);
	expect_runs(test, vt, vm, block, lengths, ARRAY_SIZE(lengths));
}

/* Longer than a test has memory for: only numbers */
static void longest_run(struct kunit *test)
{
	const unsigned long max = (1UL << 24) - 1;
	const unsigned long pfn = 1UL << (sizeof(long) < sizeof(u64) ? 24 : 32);
	struct page *pages[] = { pfn_to_page(pfn + max - 1), pfn_to_page(pfn + max) };
	struct gh_vm_run_chunk *chunk;
	struct gh_vm_mem mem = {};
	struct gh_vm_run *run;

	INIT_LIST_HEAD(&mem.chunks);
	run = gh_vm_mem_add_run(&mem, pfn);
	KUNIT_ASSERT_NOT_NULL(test, run);
	run->nr = max - 1;
	/* Contiguous, but the second is more than a run can say. */
	KUNIT_EXPECT_EQ(test, gh_vm_mem_add_pages(&mem, &pages[0], 1), 1);
	KUNIT_EXPECT_EQ(test, gh_vm_mem_add_pages(&mem, &pages[1], 1), 1);
	KUNIT_EXPECT_EQ(test, mem.nr_runs, 2);

	KUNIT_ASSERT_TRUE(test, list_is_singular(&mem.chunks));
	chunk = list_first_entry(&mem.chunks, struct gh_vm_run_chunk, node);
	KUNIT_EXPECT_EQ(test, chunk->nr, 2);
	KUNIT_EXPECT_EQ(test, (u64)chunk->runs[0].pfn, pfn);
	KUNIT_EXPECT_EQ(test, (u64)chunk->runs[0].nr, max);
	KUNIT_EXPECT_EQ(test, (u64)chunk->runs[1].pfn, pfn + max);
	KUNIT_EXPECT_EQ(test, (u64)chunk->runs[1].nr, 1);
	free_page((unsigned long)chunk);
}

/* The last page that can be: 52 bits of address in pages of 4 KiB */
static void highest_page(struct kunit *test)
{
	const u64 pfn = (1ULL << 40) - 1;
	struct gh_vm_run run = { .pfn = pfn, .nr = 1 };

	KUNIT_EXPECT_EQ(test, (u64)run.pfn, pfn);
	KUNIT_EXPECT_EQ(test, (u64)run.nr, 1);
}

static void random_runs(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	const unsigned int max = 256;
	unsigned int *lengths, n = 0, left;
	struct rnd_state rnd;
	struct block *block;
	unsigned long addr;

	lengths = kunit_kcalloc(test, max, sizeof(*lengths), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, lengths);
	prandom_seed_state(&rnd, 1);
	block = block_alloc(test, 2 * BATCH);
	for (left = block->n; left && n < max; left -= lengths[n++])
		lengths[n] = min(left, 1 + prandom_u32_state(&rnd) % 12);
	block_cut(block, lengths, n);
	addr = block_map(test, block, PROT_READ | PROT_WRITE, MAP_SHARED, false);
	KUNIT_ASSERT_EQ(test, vm_set_mem(vt, vm, 1, R | LENT, 0, block->n * PAGE_SIZE, addr), 0);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, 0, 1), 0);
	expect_runs(test, vt, vm, block, lengths, n);
}

/* Unpinned at a time */
#define UNPIN_BATCH	4096

struct big {
	struct page *blocks[64];
	unsigned int n;
	struct page *first;
};

static int big_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct big *big = file->private_data;
	unsigned long i;
	int ret = 0;

	for (i = 0; i < vma_pages(vma) && !ret; i++)
		ret = vm_insert_page(vma, vma->vm_start + i * PAGE_SIZE, big->first + i);
	return ret;
}

static const struct file_operations big_fops = {
	.mmap = big_mmap,
};

static void big_free(void *data)
{
	struct big *big = data;
	unsigned long i;

	while (big->n--)
		for (i = 0; i < MAX_ORDER_NR_PAGES; i++)
			put_page(big->blocks[big->n] + i);
}

static int big_compare(const void *a, const void *b)
{
	unsigned long pfn = page_to_pfn(*(struct page **)a);
	unsigned long other = page_to_pfn(*(struct page **)b);

	return pfn < other ? -1 : pfn > other;
}

/* More contiguous pages than can be had at once: neighbours, if there are any */
static struct big *big_alloc(struct kunit *test, unsigned long pages)
{
	unsigned int i, in_a_row = 0, want = DIV_ROUND_UP(pages, MAX_ORDER_NR_PAGES);
	struct big *big = kunit_kzalloc(test, sizeof(*big), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, big);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, big_free, big));
	while (big->n < ARRAY_SIZE(big->blocks) && in_a_row < want) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN,
						MAX_PAGE_ORDER);

		if (!page)
			break;
		split_page(page, MAX_PAGE_ORDER);
		big->blocks[big->n++] = page;
		sort(big->blocks, big->n, sizeof(page), big_compare, NULL);
		for (i = 1, in_a_row = 1; i < big->n && in_a_row < want; i++)
			in_a_row = page_to_pfn(big->blocks[i]) ==
				   page_to_pfn(big->blocks[i - 1]) + MAX_ORDER_NR_PAGES ?
				   in_a_row + 1 : 1;
		big->first = big->blocks[i - in_a_row];
	}
	if (in_a_row < want)
		kunit_skip(test, "no %lu contiguous pages", pages);
	return big;
}

/* A run so long that it is not unpinned in one go */
static void long_run(struct kunit *test)
{
	static const unsigned long sizes[] = { UNPIN_BATCH, UNPIN_BATCH + 1, UNPIN_BATCH + 7 };
	struct vm_test *vt = test->priv;
	struct big *big = big_alloc(test, UNPIN_BATCH + 7);
	unsigned int i, j, pinned, dirty;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct file *file = anon_inode_create_getfile("big", &big_fops, big, O_RDWR, NULL);
		unsigned long size = sizes[i] * PAGE_SIZE, addr;
		struct vm *vm = vm_new(vt);
		struct gh_vm_mem *mem;

		KUNIT_ASSERT_FALSE(test, IS_ERR(file));
		addr = kunit_vm_mmap(test, file, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
		fput(file);
		KUNIT_ASSERT_NE(test, addr, 0);
		KUNIT_ASSERT_LT(test, addr, TASK_SIZE);
		KUNIT_ASSERT_EQ(test, vm_set_mem(vt, vm, 1, R | W, 0, size, addr), 0);
		mem = list_first_entry(&vm->ghvm->regions, struct gh_vm_mem, node);
		KUNIT_EXPECT_EQ(test, mem->nr_runs, 1);
		for (j = 0; j < sizes[i]; j++)
			ClearPageDirty(big->first + j);
		KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, 1), 0);
		for (j = 0, pinned = 0, dirty = 0; j < sizes[i]; j++) {
			pinned += folio_maybe_dma_pinned(page_folio(big->first + j));
			dirty += PageDirty(big->first + j);
			ClearPageDirty(big->first + j);
		}
		KUNIT_EXPECT_EQ(test, pinned, 0);
		KUNIT_EXPECT_EQ(test, dirty, sizes[i]);
		KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, size));
	}
}

/* What the guest may have written is dirty, what it could not write is not. */
static void dirty(struct kunit *test)
{
	static const u32 flags[] = { R, R | LENT, R | W, R | W | LENT };
	struct vm_test *vt = test->priv;
	struct block *block = block_alloc(test, 4);
	unsigned int i, j;
	unsigned long addr;

	addr = block_map(test, block, PROT_READ | PROT_WRITE, MAP_SHARED, false);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct vm *vm = vm_new(vt);

		KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, flags[i], 0, 4 * PAGE_SIZE, addr), 0);
		/* Written back while the guest may write to them */
		for (j = 0; j < block->n; j++)
			ClearPageDirty(block->page + j);
		KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, 0, 1), 0);
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		vm_close(vt, vm);
		vm_settle(vt, vm);
		for (j = 0; j < block->n; j++)
			KUNIT_EXPECT_EQ(test, PageDirty(block->page + j), !!(flags[i] & W));
	}
	for (j = 0; j < block->n; j++)
		ClearPageDirty(block->page + j);
}

/*
 * Pinning that fails
 */

/* A hole, in each place of the first and the second batch that is different */
static void hole_in_mapping(struct kunit *test)
{
	static const unsigned int at[] = { 0, 1, BATCH - 1, BATCH, BATCH + 1, BATCH + 7 };
	struct vm_test *vt = test->priv;
	unsigned int i, n = BATCH + 8;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct block *block = block_alloc(test, n);
		unsigned long addr = block_map(test, block, PROT_READ | PROT_WRITE, MAP_SHARED,
					       false);
		struct vm *vm = vm_new(vt);

		KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr + at[i] * PAGE_SIZE, PAGE_SIZE));
		KUNIT_EXPECT_EQ_MSG(test, vm_set_mem(vt, vm, 1, R, 0, n * PAGE_SIZE, addr),
				    -EFAULT, "hole at %u", at[i]);
		KUNIT_EXPECT_EQ(test, block_pinned(block), 0);
		KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
		KUNIT_EXPECT_EQ(test, vm->ghvm->n_regions, 0);
		vm_close(vt, vm);
		vm_settle(vt, vm);
	}
}

static unsigned int runs_to_add;

static struct gh_vm_run *add_run_fails(struct gh_vm_mem *mem, unsigned long pfn)
{
	struct kunit *test = kunit_get_current_test();
	struct gh_vm_run *run;

	if (!runs_to_add--)
		return NULL;

	kunit_deactivate_static_stub(test, gh_vm_mem_add_run);
	run = gh_vm_mem_add_run(mem, pfn);
	kunit_activate_static_stub(test, gh_vm_mem_add_run, add_run_fails);
	return run;
}

/* No memory to record pages, which are pinned by then */
static void no_memory_for_runs(struct kunit *test)
{
	static const unsigned int length[] = { 1, 3, BATCH / 2 };
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	unsigned int i, at, n_runs;

	for (i = 0; i < ARRAY_SIZE(length); i++) {
		unsigned int *lengths;
		struct block *block;
		unsigned long addr;

		n_runs = (BATCH + 8) / length[i];
		block = block_alloc(test, n_runs * length[i]);
		lengths = kunit_kmalloc_array(test, n_runs, sizeof(*lengths), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, lengths);
		for (at = 0; at < n_runs; at++)
			lengths[at] = length[i];
		block_cut(block, lengths, n_runs);
		addr = block_map(test, block, PROT_READ | PROT_WRITE, MAP_SHARED, false);

		/* At the first, around the end of a batch, and at the last */
		for (at = 0; at < n_runs; at++) {
			unsigned int page = at * length[i];

			if (at > 1 && at < n_runs - 1 && (page < BATCH - 1 || page > BATCH + 1))
				continue;
			runs_to_add = at;
			kunit_activate_static_stub(test, gh_vm_mem_add_run, add_run_fails);
			KUNIT_EXPECT_EQ_MSG(test, vm_set_mem(vt, vm, 1, R, 0,
							     block->n * PAGE_SIZE, addr),
					    -ENOMEM, "run %u of %u pages", at, length[i]);
			kunit_deactivate_static_stub(test, gh_vm_mem_add_run);
			KUNIT_EXPECT_EQ(test, block_pinned(block), 0);
			KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
			KUNIT_EXPECT_EQ(test, vm->ghvm->n_regions, 0);
		}
		KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R, 0, block->n * PAGE_SIZE, addr), 0);
		KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R, 0, 0, addr), 0);
	}
}

/* Unpinning a large guest takes long. Here it waits for a page that is locked. */
static void unpinning_holds_up_nobody_else(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt), *other;
	unsigned long deadline = jiffies + FAKE_RM_PATIENCE;
	struct block *block = block_alloc(test, 4);
	struct folio *folio = page_folio(block->page + 2);
	unsigned long addr;

	addr = block_map(test, block, PROT_READ | PROT_WRITE, MAP_SHARED, false);
	KUNIT_ASSERT_EQ(test, vm_set_mem(vt, vm, 1, R | W | X | LENT, 0, 4 * PAGE_SIZE, addr), 0);
	KUNIT_ASSERT_EQ(test, vm_set_dtb(vt, vm, 0, 1), 0);
	KUNIT_ASSERT_EQ(test, vm_start(vt, vm), 0);
	folio_lock(folio);
	/* Only of a page that is not dirty it is that its lock is needed. */
	folio_clear_dirty(folio);
	gh_vm_teardown(vm->ghvm);
	while (READ_ONCE(vm->ghvm->n_regions) && time_before(jiffies, deadline))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, READ_ONCE(vm->ghvm->n_regions), 0);

	/* Its own lock is free for who looks at it, and others come, start and go. */
	if (mutex_trylock(&vm->ghvm->mm_lock))
		mutex_unlock(&vm->ghvm->mm_lock);
	else
		KUNIT_FAIL(test, "mm_lock is held\n");
	other = vm_new_complete(vt);
	KUNIT_EXPECT_EQ(test, vm_start(vt, other), 0);
	vm_close(vt, other);
	vm_settle(vt, other);
	vm_expect_gone(vt, other);

	KUNIT_EXPECT_FALSE(test, completion_done(&vm->ghvm->torn_down));
	KUNIT_EXPECT_EQ(test, block_pinned(block), 2);
	folio_unlock(folio);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, block_pinned(block), 0);
}

static void read_only_mapping(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ, MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R | W, 0, PAGE_SIZE, addr), -EFAULT);
	/* To lend what others may have mapped, too, is as good as to overwrite it. */
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R | LENT, 0, PAGE_SIZE, addr), -EFAULT);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R, 0, PAGE_SIZE, addr), 0);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 1UL);
}

/* A file's pages, which are written back as if nobody wrote to them */
static void file_mapping(struct kunit *test)
{
	static const struct {
		unsigned long map_flags;
		u32 flags;
		long ret;
	} cases[] = {
		{ MAP_SHARED, R, 0 },
		{ MAP_SHARED, R | LENT, -EOPNOTSUPP },
		{ MAP_SHARED, R | W, -EOPNOTSUPP },
		{ MAP_SHARED, R | W | LENT, -EOPNOTSUPP },
		{ MAP_PRIVATE, R, 0 },
		{ MAP_PRIVATE, R | W, 0 },
	};
	struct vm_test *vt = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct block *block = block_alloc(test, 2);
		unsigned long addr = block_map(test, block, PROT_READ | PROT_WRITE,
					       cases[i].map_flags, true);
		struct vm *vm = vm_new(vt);

		KUNIT_EXPECT_EQ_MSG(test, vm_set_mem(vt, vm, 1, cases[i].flags, 0, 2 * PAGE_SIZE,
						     addr), cases[i].ret, "case %d", i);
		KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 2UL * !cases[i].ret);
		vm_close(vt, vm);
		vm_settle(vt, vm);
		KUNIT_EXPECT_EQ(test, block_pinned(block), 0);
	}
}

/* RLIMIT_MEMLOCK counts for who is not privileged. */
static void memlock_limit(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct rlimit *rlim = &current->signal->rlim[RLIMIT_MEMLOCK];
	const struct rlimit saved = *rlim;
	const struct cred *old;
	struct cred *new;

	new = prepare_creds();
	KUNIT_ASSERT_NOT_NULL(test, new);
	cap_lower(new->cap_effective, CAP_IPC_LOCK);
	old = override_creds(new);
	if (capable(CAP_IPC_LOCK)) {
		revert_creds(old);
		put_cred(new);
		kunit_skip(test, "everybody is privileged");
	}

	WRITE_ONCE(rlim->rlim_cur, 4 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R, 0, 5 * PAGE_SIZE, vt->mem), -ENOMEM);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R, 0, 4 * PAGE_SIZE, vt->mem), 0);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 2, R, 4 * PAGE_SIZE, PAGE_SIZE, vt->mem), -ENOMEM);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 4UL);
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R, 0, 3 * PAGE_SIZE, vt->mem), 0);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 2, R, 4 * PAGE_SIZE, PAGE_SIZE, vt->mem), 0);
	revert_creds(old);
	put_cred(new);

	/* Who is privileged has no limit, but is charged all the same. */
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 3, R, 8 * PAGE_SIZE, PAGE_SIZE, vt->mem), 0);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 5UL);
	*rlim = saved;
}

/* Who is killed does not go on pinning. */
static void killed(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);

	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, 1, R, 0, PAGE_SIZE, vt->mem), -EINTR);
	flush_signals(current);
	disallow_signal(SIGKILL);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
}

static struct kunit_case vm_mgr_mm_cases[] = {
	KUNIT_CASE(range_end),
	KUNIT_CASE_PARAM(one_region, region_gen_params),
	KUNIT_CASE(overlap),
	KUNIT_CASE(labels),
	KUNIT_CASE(number_of_regions),
	KUNIT_CASE(find),
	KUNIT_CASE(foreign_mm),
	KUNIT_CASE(access_rights),
	KUNIT_CASE_PARAM(runs, runs_gen_params),
	KUNIT_CASE(gaps),
	KUNIT_CASE(longest_run),
	KUNIT_CASE(highest_page),
	KUNIT_CASE(random_runs),
	KUNIT_CASE(long_run),
	KUNIT_CASE(dirty),
	KUNIT_CASE(hole_in_mapping),
	KUNIT_CASE(no_memory_for_runs),
	KUNIT_CASE(unpinning_holds_up_nobody_else),
	KUNIT_CASE(read_only_mapping),
	KUNIT_CASE(file_mapping),
	KUNIT_CASE(memlock_limit),
	KUNIT_CASE(killed),
	{}
};

static struct kunit_suite vm_mgr_mm_suite = {
	.name = "gunyah_vm_mgr_mm",
	.init = vm_test_init,
	.exit = vm_test_exit,
	.test_cases = vm_mgr_mm_cases,
};

kunit_test_suite(vm_mgr_mm_suite);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of which memory a guest gets: pages that stay the user's own for as long as
 * they are pinned, and of them those that hold the devicetree as the image
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

#define R	GH_MEM_ALLOW_READ
#define W	GH_MEM_ALLOW_WRITE
#define LENT	GH_MEM_LENT

/* The page that is mapped at an address, without a reference, NULL if none is */
static struct page *page_at(unsigned long addr)
{
	struct page *page;

	if (get_user_pages_fast(addr, 1, 0, &page) != 1)
		return NULL;
	put_page(page);
	return page;
}

/*
 * Memory that was only read so far is the page of zeros that everybody has. The user
 * gets another one when it writes to it, of which a guest that reads would not know.
 */
static void page_stays_when_it_is_written(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct page *page;
	unsigned long addr;
	u8 byte = 1;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&byte, (void __user *)addr, 1));
	KUNIT_EXPECT_EQ(test, byte, 0);
	page = page_at(addr);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(page)));

	KUNIT_ASSERT_EQ(test, vm_set_mem(vt, vm, 1, R, 0, PAGE_SIZE, addr), 0);
	page = page_at(addr);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_PTR_NE(test, page, ZERO_PAGE(0));
	KUNIT_EXPECT_TRUE(test, folio_maybe_dma_pinned(page_folio(page)));

	byte = 1;
	KUNIT_ASSERT_EQ(test, 0, copy_to_user((void __user *)addr, &byte, 1));
	KUNIT_EXPECT_PTR_EQ(test, page, page_at(addr));

	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, 1), 0);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(page)));
}

/* Who may not write yet may change that later, and then it is the same. */
static void page_of_read_only_mapping_is_no_other_either(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct page *page;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ, MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_EQ(test, vm_set_mem(vt, vm, 1, R, 0, PAGE_SIZE, addr), 0);
	page = page_at(addr);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_PTR_NE(test, page, ZERO_PAGE(0));
	KUNIT_EXPECT_TRUE(test, folio_maybe_dma_pinned(page_folio(page)));
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, 1), 0);
}

/* A mapping of which its owner wants to know what is written, though it is no file's */

static vm_fault_t tracked_mkwrite(struct vm_fault *vmf)
{
	lock_page(vmf->page);
	return VM_FAULT_LOCKED;
}

static const struct vm_operations_struct tracked_vm_ops = {
	.page_mkwrite = tracked_mkwrite,
};

static int tracked_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &tracked_vm_ops;
	return vm_insert_page(vma, vma->vm_start, file->private_data);
}

static const struct file_operations tracked_fops = {
	.mmap = tracked_mmap,
};

static void tracked_free(void *page)
{
	put_page(page);
}

/* What the kernel itself does not let anybody write to for long is not got around. */
static void tracked_mapping(struct kunit *test)
{
	static const struct { u32 flags; long ret; } cases[] = {
		{ R, 0 },
		{ R | LENT, -EFAULT },
		{ R | W, -EFAULT },
		{ R | W | LENT, -EFAULT },
	};
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct file *file;
	unsigned long addr;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, tracked_free, page));
	file = anon_inode_create_getfile("tracked", &tracked_fops, page, O_RDWR, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	addr = kunit_vm_mmap(test, file, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	fput(file);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_LT(test, addr, TASK_SIZE);

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_EXPECT_EQ_MSG(test, vm_set_mem(vt, vm, i, cases[i].flags, i * PAGE_SIZE,
						     PAGE_SIZE, addr), cases[i].ret, "case %d", i);
		KUNIT_EXPECT_EQ(test, vm->ghvm->n_regions, 1);
		KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 1UL);
	}
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, 0), 0);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(page)));
}

static vm_flags_t flags_at(unsigned long addr)
{
	struct vm_area_struct *vma;
	vm_flags_t flags = 0;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	if (vma)
		flags = vma->vm_flags;
	mmap_read_unlock(current->mm);
	return flags;
}

/* What the kernel does with a process's memory unasked is not for what is lent. */
static void lent_memory_is_kept_out(struct kunit *test)
{
	static const struct {
		u32 flags;
		unsigned long map;
		vm_flags_t set;
	} cases[] = {
		{ R | W, MAP_PRIVATE, 0 },
		{ R | W, MAP_SHARED, 0 },
		{ R | W | LENT, MAP_PRIVATE, VM_DONTDUMP | VM_DONTEXPAND | VM_DONTCOPY },
		/* A child that has it too does no harm. */
		{ R | W | LENT, MAP_SHARED, VM_DONTDUMP | VM_DONTEXPAND },
		{ R | LENT, MAP_SHARED, VM_DONTDUMP | VM_DONTEXPAND },
	};
	const vm_flags_t all = VM_DONTDUMP | VM_DONTEXPAND | VM_DONTCOPY | VM_MERGEABLE;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	unsigned long addr;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const vm_flags_t want = cases[i].set ?: VM_MERGEABLE;

		/* Two mappings, which differ; the region is the end of one and all of the other. */
		addr = kunit_vm_mmap(test, NULL, 0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_ANONYMOUS | cases[i].map, 0);
		KUNIT_ASSERT_NE(test, addr, 0);
		KUNIT_ASSERT_EQ(test, addr + 3 * PAGE_SIZE,
				vm_mmap(NULL, addr + 3 * PAGE_SIZE, PAGE_SIZE,
					PROT_READ | PROT_WRITE | PROT_EXEC,
					MAP_ANONYMOUS | MAP_FIXED | cases[i].map, 0));
		mmap_write_lock(current->mm);
		vma_iter_init(&vmi, current->mm, addr);
		for_each_vma_range(vmi, vma, addr + 4 * PAGE_SIZE)
			vm_flags_set(vma, VM_MERGEABLE);
		mmap_write_unlock(current->mm);

		KUNIT_EXPECT_EQ(test, vm_set_mem(vt, vm, i, cases[i].flags, i * SZ_64K,
						 2 * PAGE_SIZE, addr + 2 * PAGE_SIZE), 0);
		KUNIT_EXPECT_EQ_MSG(test, flags_at(addr) & all, want, "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test, flags_at(addr + 3 * PAGE_SIZE) & all, want, "case %d", i);
		KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, i), 0);
	}
}

/**
 * struct in_use - Pages that cannot be pinned for long at first
 * @times: so often
 * @ret: what is said then
 * @there: they can be pinned for a short time
 * @kill: the user is killed meanwhile
 * @tries: how often it was tried to pin them for long
 */
struct in_use {
	unsigned int times;
	int ret;
	bool there;
	bool kill;
	unsigned int tries;
};

static struct in_use used;

static int pin_in_use(unsigned long addr, unsigned long n, unsigned int gup_flags,
		      struct page **pages)
{
	if (!(gup_flags & FOLL_LONGTERM))
		return used.there ? pin_user_pages_fast(addr, n, gup_flags, pages) : -ENOMEM;
	if (used.tries++ >= used.times)
		return pin_user_pages_fast(addr, n, gup_flags, pages);
	if (used.kill)
		send_sig(SIGKILL, current, 1);
	return used.ret;
}

/* Pages that somebody else uses are waited for, as long as there is hope. */
static void pages_in_use(struct kunit *test)
{
	static const struct {
		struct in_use in_use;
		long ret;
		unsigned int tries;
	} cases[] = {
		{ { .times = 3, .ret = -ENOMEM, .there = true }, 0, 4 },
		{ { .times = 7, .ret = -EBUSY, .there = true }, 0, 8 },
		{ { .times = 1, .ret = -EAGAIN, .there = true }, 0, 2 },
		{ { .times = UINT_MAX, .ret = -ENOMEM, .there = true }, -EAGAIN, 8 },
		{ { .times = UINT_MAX, .ret = -ENOMEM, .there = false }, -ENOMEM, 1 },
		{ { .times = UINT_MAX, .ret = -EFAULT, .there = true }, -EFAULT, 1 },
		{ { .times = UINT_MAX, .ret = -ENOMEM, .there = true, .kill = true }, -EINTR, 1 },
	};
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	int i;

	allow_signal(SIGKILL);
	kunit_activate_static_stub(test, gh_vm_pin_pages, pin_in_use);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		used = cases[i].in_use;
		KUNIT_EXPECT_EQ_MSG(test, vm_add_mem(vt, vm, &image_region), cases[i].ret,
				    "case %d", i);
		flush_signals(current);
		KUNIT_EXPECT_EQ_MSG(test, used.tries, cases[i].tries, "case %d", i);
		if (!cases[i].ret) {
			KUNIT_EXPECT_EQ(test, vm_pinned(vt), IMAGE_PAGES);
			KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, (unsigned long)IMAGE_PAGES);
			KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, LABEL_IMAGE), 0);
		}
		KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
		KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
	}
	kunit_deactivate_static_stub(test, gh_vm_pin_pages);
}

/* It may take a while until whoever uses them has finished. */
static void pages_in_use_are_given_time(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	unsigned long begin;

	kunit_activate_static_stub(test, gh_vm_pin_pages, pin_in_use);
	used = (struct in_use) { .times = 3, .ret = -ENOMEM, .there = true };
	begin = jiffies;
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &image_region), 0);
	KUNIT_EXPECT_GE(test, jiffies - begin, 3 * msecs_to_jiffies(20));
	kunit_deactivate_static_stub(test, gh_vm_pin_pages);
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, LABEL_IMAGE), 0);
}

/**
 * struct mm_reader - Has memory locked for reading until whoever wants to write is killed
 * @vt: the test
 * @mm: the memory
 * @writer: who is killed as soon as it waits
 * @task: the thread that does so
 * @locked: completed when it is locked
 * @waited: somebody waited for it
 */
static struct mm_reader {
	struct vm_test *vt;
	struct mm_struct *mm;
	struct task_struct *writer;
	struct task_struct *task;
	struct completion locked;
	bool waited;
} mm_reader;

#define MM_READER_TRIES	1000

static int mm_read(void *unused)
{
	int i;

	mmap_read_lock(mm_reader.mm);
	complete(&mm_reader.locked);
	for (i = 0; i < MM_READER_TRIES && !mm_reader.waited; i++) {
		mm_reader.waited = mmap_lock_is_contended(mm_reader.mm);
		usleep_range(1000, 2000);
	}
	send_sig(SIGKILL, mm_reader.writer, 1);
	/* The next to wait cannot be killed. */
	for (i = 0; i < MM_READER_TRIES && vm_pinned(mm_reader.vt); i++)
		usleep_range(1000, 2000);
	mmap_read_unlock(mm_reader.mm);
	return 0;
}

static int pin_and_lock(unsigned long addr, unsigned long n, unsigned int gup_flags,
			struct page **pages)
{
	int ret = pin_user_pages_fast(addr, n, gup_flags, pages);

	wake_up_process(mm_reader.task);
	wait_for_completion(&mm_reader.locked);
	return ret;
}

/* It is pinned by then. */
static void killed_before_it_is_kept_out(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);

	mm_reader = (struct mm_reader) { .vt = vt, .mm = current->mm, .writer = current };
	init_completion(&mm_reader.locked);
	mm_reader.task = kthread_create(mm_read, NULL, "mm_read");
	KUNIT_ASSERT_FALSE(test, IS_ERR(mm_reader.task));
	get_task_struct(mm_reader.task);
	allow_signal(SIGKILL);
	kunit_activate_static_stub(test, gh_vm_pin_pages, pin_and_lock);
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &image_region), -EINTR);
	kunit_deactivate_static_stub(test, gh_vm_pin_pages);
	kthread_stop_put(mm_reader.task);
	flush_signals(current);

	KUNIT_EXPECT_TRUE(test, mm_reader.waited);
	KUNIT_EXPECT_EQ(test, vm->ghvm->n_regions, 0);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &image_region), 0);
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, LABEL_IMAGE), 0);
}

/* It is not the first, and the window not all of it. */
static void image_is_the_region_with_the_window(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	const struct fake_rm_image *image = &vt->f->image;
	struct vm *vm = vm_new(vt);

	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &read_region), 0);
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &shared_region), 0);
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &image_region), 0);
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &spare_region), 0);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA + PAGE_SIZE, PAGE_SIZE + 1), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);

	KUNIT_EXPECT_EQ(test, image->auth, GH_RM_VM_AUTH_NONE);
	KUNIT_EXPECT_EQ(test, image->label, LABEL_IMAGE);
	KUNIT_EXPECT_EQ(test, image->image_offset, 0);
	KUNIT_EXPECT_EQ(test, image->image_size, 0);
	KUNIT_EXPECT_EQ(test, image->dtb_offset, PAGE_SIZE);
	/* Whatever the size of a page is here */
	KUNIT_EXPECT_EQ(test, image->dtb_size, PAGE_SIZE + SZ_4K);
}

static struct kunit_case vm_mgr_pin_cases[] = {
	KUNIT_CASE(page_stays_when_it_is_written),
	KUNIT_CASE(page_of_read_only_mapping_is_no_other_either),
	KUNIT_CASE(tracked_mapping),
	KUNIT_CASE(lent_memory_is_kept_out),
	KUNIT_CASE(pages_in_use),
	KUNIT_CASE(image_is_the_region_with_the_window),
	KUNIT_CASE(pages_in_use_are_given_time),
	KUNIT_CASE(killed_before_it_is_kept_out),
	{}
};

static struct kunit_suite vm_mgr_pin_suite = {
	.name = "gunyah_vm_mgr_pin",
	.init = vm_test_init,
	.exit = vm_test_exit,
	.test_cases = vm_mgr_pin_cases,
};

kunit_test_suite(vm_mgr_pin_suite);

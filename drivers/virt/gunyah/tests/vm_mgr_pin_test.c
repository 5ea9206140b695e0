// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of which memory a guest gets: pages that stay the user's own for as long as
 * they are pinned, and of them those that hold the devicetree as the image
 */

#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
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
	KUNIT_CASE(image_is_the_region_with_the_window),
	{}
};

static struct kunit_suite vm_mgr_pin_suite = {
	.name = "gunyah_vm_mgr_pin",
	.init = vm_test_init,
	.exit = vm_test_exit,
	.test_cases = vm_mgr_pin_cases,
};

kunit_test_suite(vm_mgr_pin_suite);

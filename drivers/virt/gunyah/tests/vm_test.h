/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __GH_VM_TEST_H
#define __GH_VM_TEST_H

#include <linux/completion.h>
#include <linux/types.h>

/* What the tests of the VM manager have in common: user memory, VMs, threads */

struct fake_rm;
struct file;
struct gh_fn_desc;
struct gh_vm;
struct gh_vm_exit_info;
struct gh_vm_mgr;
struct kunit;
struct mm_struct;
struct page;
struct task_struct;

#define LABEL_IMAGE	1
#define LABEL_SHARED	2
#define LABEL_READ	0
#define LABEL_SPARE	U32_MAX

#define IMAGE_GPA	0x80000000ULL

#define IMAGE_PAGES	8
#define SHARED_PAGES	4
#define READ_PAGES	2
#define SPARE_PAGES	1
/* A complete VM has these. */
#define COMPLETE_PAGES	(IMAGE_PAGES + SHARED_PAGES + READ_PAGES)
#define VM_TEST_PAGES	(COMPLETE_PAGES + SPARE_PAGES)

#define VM_TEST_VMS	4

/**
 * struct vm_test_region - A region of a test's VM
 * @label: its label
 * @flags: GH_MEM_*
 * @gpa: guest address
 * @first: first of the test's pages
 * @n: number of pages
 */
struct vm_test_region {
	u32 label;
	u32 flags;
	u64 gpa;
	unsigned int first;
	unsigned int n;
};

extern const struct vm_test_region image_region, shared_region, read_region, spare_region;

/**
 * struct vm - A VM
 * @ghvm: the VM; the test holds a reference
 * @file: its file, NULL once it is closed
 */
struct vm {
	struct gh_vm *ghvm;
	struct file *file;
};

/**
 * struct vm_test - Device and user of a test
 * @test: the test
 * @f: the resource manager
 * @mgr: the VM manager
 * @mm: the user's memory
 * @removed: the device was removed
 * @lies: what the resource manager says is not true, so that messages may be sent
 *        that it refuses because of the VM's state
 * @mem: address of %VM_TEST_PAGES pages
 * @arg: address of a page for arguments
 * @pages: the pages at @mem
 * @n_pages: number of @pages that we hold
 * @vms: the VMs
 */
struct vm_test {
	struct kunit *test;
	struct fake_rm *f;
	struct gh_vm_mgr *mgr;
	struct mm_struct *mm;
	bool removed;
	bool lies;
	unsigned long mem;
	unsigned long arg;
	struct page *pages[VM_TEST_PAGES];
	int n_pages;
	struct vm *vms[VM_TEST_VMS];
};

int vm_test_init(struct kunit *test);
void vm_test_exit(struct kunit *test);

struct vm *vm_new(struct vm_test *vt);
struct vm *vm_new_complete(struct vm_test *vt);
void vm_forget(struct vm_test *vt, struct vm *vm);

/* What a user does. These that vm_thread_start() takes need no memory of the user's. */
long vm_wait_ioctl(struct vm_test *vt, struct file *file, unsigned int cmd, const char *what);
long vm_start(struct vm_test *vt, struct vm *vm);
long vm_close(struct vm_test *vt, struct vm *vm);
long vm_remove_device(struct vm_test *vt, struct vm *vm);
long vm_answer_late(struct vm_test *vt, struct vm *vm);
long vm_set_mem(struct vm_test *vt, struct vm *vm, u32 label, u32 flags, u64 gpa, u64 size,
		u64 addr);
long vm_add_mem(struct vm_test *vt, struct vm *vm, const struct vm_test_region *region);
long vm_remove_mem(struct vm_test *vt, struct vm *vm, u32 label);
long vm_set_dtb(struct vm_test *vt, struct vm *vm, u64 gpa, u64 size);
long vm_exit_info(struct vm_test *vt, struct vm *vm, struct gh_vm_exit_info *info);
long vm_function(struct vm_test *vt, struct vm *vm, unsigned int cmd,
		 const struct gh_fn_desc *desc);
long vm_add_function(struct vm_test *vt, struct vm *vm, u32 type, const void *arg, size_t size);
long vm_remove_function(struct vm_test *vt, struct vm *vm, u32 type, const void *arg,
			size_t size);

/* Wait until all works that are queued for the VM are done. */
void vm_settle(struct vm_test *vt, struct vm *vm);
/* Start it, and end it with a resource manager that gives no memory back from now on. */
void vm_quarantine(struct vm_test *vt, struct vm *vm);
/* Nobody but the test knows of the VM. */
void vm_expect_gone(struct vm_test *vt, struct vm *vm);

unsigned int vm_pinned(struct vm_test *vt);
unsigned int vm_pinned_of(struct vm_test *vt, const struct vm_test_region *region);

/* VMIDs that the driver gave up on purpose */
void fake_rm_forget_vms(struct fake_rm *f);

/**
 * struct vm_thread - Does one thing that may take a while
 * @task: the thread
 * @fn: the thing
 * @vt: for @fn
 * @vm: for @fn
 * @ret: what @fn returned
 * @done: @fn has returned
 */
struct vm_thread {
	struct task_struct *task;
	long (*fn)(struct vm_test *vt, struct vm *vm);
	struct vm_test *vt;
	struct vm *vm;
	long ret;
	struct completion done;
};

struct vm_thread *vm_thread_start(struct vm_test *vt,
				  long (*fn)(struct vm_test *vt, struct vm *vm), struct vm *vm);
long vm_thread_wait(struct vm_thread *thread);

#endif /* __GH_VM_TEST_H */

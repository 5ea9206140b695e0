// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests of the VM manager have in common, see vm_test.h
 */

#include <kunit/test.h>
#include <kunit/visibility.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

const struct vm_test_region image_region = {
	.label = LABEL_IMAGE,
	.flags = GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC | GH_MEM_LENT,
	.gpa = IMAGE_GPA,
	.first = 0,
	.n = IMAGE_PAGES,
};

const struct vm_test_region shared_region = {
	.label = LABEL_SHARED,
	.flags = GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE,
	.gpa = IMAGE_GPA + IMAGE_PAGES * PAGE_SIZE,
	.first = IMAGE_PAGES,
	.n = SHARED_PAGES,
};

const struct vm_test_region read_region = {
	.label = LABEL_READ,
	.flags = GH_MEM_ALLOW_READ | GH_MEM_LENT,
	.gpa = 0,
	.first = IMAGE_PAGES + SHARED_PAGES,
	.n = READ_PAGES,
};

const struct vm_test_region spare_region = {
	.label = LABEL_SPARE,
	.flags = GH_MEM_ALLOW_READ | GH_MEM_LENT,
	.gpa = 0x100000000ULL,
	.first = COMPLETE_PAGES,
	.n = SPARE_PAGES,
};

/*
 * Threads
 */

static int vm_thread_fn(void *data)
{
	struct vm_thread *thread = data;

	allow_signal(SIGKILL);
	thread->ret = thread->fn(thread->vt, thread->vm);
	kthread_complete_and_exit(&thread->done, 0);
}

static void vm_thread_put(void *data)
{
	struct vm_thread *thread = data;

	put_task_struct(thread->task);
}

struct vm_thread *vm_thread_start(struct vm_test *vt,
				  long (*fn)(struct vm_test *vt, struct vm *vm), struct vm *vm)
{
	struct kunit *test = vt->test;
	struct vm_thread *thread = kunit_kzalloc(test, sizeof(*thread), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, thread);
	thread->fn = fn;
	thread->vt = vt;
	thread->vm = vm;
	init_completion(&thread->done);
	thread->task = kthread_create(vm_thread_fn, thread, "gunyah-test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread->task));
	get_task_struct(thread->task);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vm_thread_put, thread));
	wake_up_process(thread->task);
	return thread;
}
EXPORT_SYMBOL_IF_KUNIT(vm_thread_start);

long vm_thread_wait(struct vm_thread *thread)
{
	KUNIT_ASSERT_NE_MSG(thread->vt->test, 0UL,
			    wait_for_completion_timeout(&thread->done, FAKE_RM_PATIENCE),
			    "a thread does not end");
	return thread->ret;
}
EXPORT_SYMBOL_IF_KUNIT(vm_thread_wait);

/*
 * Users
 */

/**
 * struct vm_watchdog - Ends a wait of the driver's that does not end by itself
 * @timer: when to
 * @vt: the test, which then fails
 * @task: who waits
 * @fired: it was ended
 */
struct vm_watchdog {
	struct timer_list timer;
	struct vm_test *vt;
	struct task_struct *task;
	bool fired;
};

static void vm_watchdog_fired(struct timer_list *timer)
{
	struct vm_watchdog *watchdog = from_timer(watchdog, timer, timer);
	int i;

	watchdog->fired = true;
	/* Those who close or remove wait for this; who starts can be killed. */
	for (i = 0; i < VM_TEST_VMS; i++)
		if (watchdog->vt->vms[i])
			complete_all(&watchdog->vt->vms[i]->ghvm->torn_down);
	send_sig(SIGKILL, watchdog->task, 1);
}

static void vm_watchdog_start(struct vm_watchdog *watchdog, struct vm_test *vt)
{
	watchdog->vt = vt;
	watchdog->task = current;
	watchdog->fired = false;
	allow_signal(SIGKILL);
	timer_setup_on_stack(&watchdog->timer, vm_watchdog_fired, 0);
	mod_timer(&watchdog->timer, jiffies + FAKE_RM_PATIENCE);
}

static void vm_watchdog_stop(struct vm_watchdog *watchdog, const char *what)
{
	timer_delete_sync(&watchdog->timer);
	destroy_timer_on_stack(&watchdog->timer);
	if (watchdog->fired) {
		flush_signals(current);
		KUNIT_FAIL(watchdog->vt->test, "%s does not end", what);
	}
}

struct vm *vm_new(struct vm_test *vt)
{
	struct kunit *test = vt->test;
	struct vm *vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);
	struct gh_vm *ghvm;
	struct file *file;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, vm);
	for (i = 0; i < VM_TEST_VMS; i++)
		if (!vt->vms[i])
			break;
	/* Make room if one is gone. */
	if (i == VM_TEST_VMS) {
		for (i = 0; i < VM_TEST_VMS; i++) {
			if (!vt->vms[i]->file && kref_read(&vt->vms[i]->ghvm->kref) == 1) {
				vm_forget(vt, vt->vms[i]);
				break;
			}
		}
	}
	KUNIT_ASSERT_LT(test, i, VM_TEST_VMS);

	ghvm = gh_vm_alloc(vt->mgr);
	KUNIT_ASSERT_FALSE(test, IS_ERR(ghvm));
	ghvm->rm_ops = &fake_rm_ops;

	file = anon_inode_getfile("gunyah-vm", &gh_vm_fops, ghvm, O_RDWR);
	if (IS_ERR(file)) {
		gh_vm_put(ghvm);
		KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	}

	vm->ghvm = gh_vm_get(ghvm);
	vm->file = file;
	vt->vms[i] = vm;
	return vm;
}

struct vm *vm_new_complete(struct vm_test *vt)
{
	struct vm *vm = vm_new(vt);

	KUNIT_ASSERT_EQ(vt->test, 0, vm_add_mem(vt, vm, &image_region));
	KUNIT_ASSERT_EQ(vt->test, 0, vm_add_mem(vt, vm, &shared_region));
	KUNIT_ASSERT_EQ(vt->test, 0, vm_add_mem(vt, vm, &read_region));
	KUNIT_ASSERT_EQ(vt->test, 0, vm_set_dtb(vt, vm, IMAGE_GPA + PAGE_SIZE, PAGE_SIZE + 1));
	return vm;
}
EXPORT_SYMBOL_IF_KUNIT(vm_new_complete);

void vm_forget(struct vm_test *vt, struct vm *vm)
{
	int i;

	for (i = 0; i < VM_TEST_VMS; i++)
		if (vt->vms[i] == vm)
			vt->vms[i] = NULL;
	gh_vm_put(vm->ghvm);
}

static long vm_ioctl(struct vm_test *vt, struct vm *vm, unsigned int cmd, const void *arg,
		     size_t size)
{
	void __user *uarg = (void __user *)vt->arg;

	if (copy_to_user(uarg, arg, size)) {
		KUNIT_FAIL(vt->test, "no page for arguments");
		return -EFAULT;
	}
	return vm->file->f_op->unlocked_ioctl(vm->file, cmd, vt->arg);
}

/* One that has no argument, and may wait */
long vm_wait_ioctl(struct vm_test *vt, struct file *file, unsigned int cmd, const char *what)
{
	struct vm_watchdog watchdog;
	long ret;

	vm_watchdog_start(&watchdog, vt);
	ret = file->f_op->unlocked_ioctl(file, cmd, 0);
	vm_watchdog_stop(&watchdog, what);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(vm_wait_ioctl);

long vm_start(struct vm_test *vt, struct vm *vm)
{
	return vm_wait_ioctl(vt, vm->file, GH_VM_START, "a start");
}
EXPORT_SYMBOL_IF_KUNIT(vm_start);

long vm_close(struct vm_test *vt, struct vm *vm)
{
	struct file *file = vm->file;
	struct vm_watchdog watchdog;

	vm->file = NULL;
	if (!file)
		return 0;

	vm_watchdog_start(&watchdog, vt);
	__fput_sync(file);
	vm_watchdog_stop(&watchdog, "a close");
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vm_close);

long vm_remove_device(struct vm_test *vt, struct vm *vm)
{
	struct vm_watchdog watchdog;

	vm_watchdog_start(&watchdog, vt);
	gh_vm_mgr_client.remove(vt->f->rm);
	vm_watchdog_stop(&watchdog, "the removal");
	vt->removed = true;

	mutex_lock(&vt->f->lock);
	vt->f->closed = true;
	mutex_unlock(&vt->f->lock);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vm_remove_device);

long vm_answer_late(struct vm_test *vt, struct vm *vm)
{
	fake_rm_answer_late(vt->f);
	return 0;
}

long vm_set_mem(struct vm_test *vt, struct vm *vm, u32 label, u32 flags, u64 gpa, u64 size,
		u64 addr)
{
	struct gh_userspace_memory_region region = {
		.label = label,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = addr,
	};

	return vm_ioctl(vt, vm, GH_VM_SET_USER_MEM_REGION, &region, sizeof(region));
}

long vm_add_mem(struct vm_test *vt, struct vm *vm, const struct vm_test_region *region)
{
	return vm_set_mem(vt, vm, region->label, region->flags, region->gpa,
			  region->n * PAGE_SIZE, vt->mem + region->first * PAGE_SIZE);
}

long vm_remove_mem(struct vm_test *vt, struct vm *vm, u32 label)
{
	return vm_set_mem(vt, vm, label, 0, 0, 0, 0);
}

long vm_set_dtb(struct vm_test *vt, struct vm *vm, u64 gpa, u64 size)
{
	struct gh_vm_dtb_config dtb = { .guest_phys_addr = gpa, .size = size };

	return vm_ioctl(vt, vm, GH_VM_SET_DTB_CONFIG, &dtb, sizeof(dtb));
}

long vm_exit_info(struct vm_test *vt, struct vm *vm, struct gh_vm_exit_info *info)
{
	struct gh_vm_exit_info got;
	long ret;

	/* What is not written by the ioctl would show. */
	memset(&got, 0xaa, sizeof(got));
	ret = vm_ioctl(vt, vm, GH_VM_GET_EXIT_INFO, &got, sizeof(got));
	if (copy_from_user(&got, (void __user *)vt->arg, sizeof(got)))
		KUNIT_FAIL(vt->test, "no page for arguments");
	if (info)
		*info = got;
	return ret;
}

long vm_function(struct vm_test *vt, struct vm *vm, unsigned int cmd,
		 const struct gh_fn_desc *desc)
{
	return vm_ioctl(vt, vm, cmd, desc, sizeof(*desc));
}

static long vm_function_with(struct vm_test *vt, struct vm *vm, unsigned int cmd, u32 type,
			     const void *arg, size_t size)
{
	struct gh_fn_desc desc = {
		.type = type,
		.arg_size = size,
		.arg = vt->arg + sizeof(desc),
	};

	if (copy_to_user(u64_to_user_ptr(desc.arg), arg, size)) {
		KUNIT_FAIL(vt->test, "no page for arguments");
		return -EFAULT;
	}
	return vm_function(vt, vm, cmd, &desc);
}

long vm_add_function(struct vm_test *vt, struct vm *vm, u32 type, const void *arg, size_t size)
{
	return vm_function_with(vt, vm, GH_VM_ADD_FUNCTION, type, arg, size);
}
EXPORT_SYMBOL_IF_KUNIT(vm_add_function);

long vm_remove_function(struct vm_test *vt, struct vm *vm, u32 type, const void *arg,
			size_t size)
{
	return vm_function_with(vt, vm, GH_VM_REMOVE_FUNCTION, type, arg, size);
}
EXPORT_SYMBOL_IF_KUNIT(vm_remove_function);

void vm_settle(struct vm_test *vt, struct vm *vm)
{
	flush_work(&vm->ghvm->start_work);
	flush_work(&vm->ghvm->teardown_work);
	flush_work(&vm->ghvm->mgr->retry_work);
	fake_rm_flush(vt->f);
}

void vm_quarantine(struct vm_test *vt, struct vm *vm)
{
	KUNIT_EXPECT_EQ(vt->test, vm_start(vt, vm), 0);
	fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 0, FAKE_RM_ALWAYS, FAKE_RM_REFUSED, -EXFULL);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(vt->test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
}

void vm_expect_gone(struct vm_test *vt, struct vm *vm)
{
	KUNIT_EXPECT_EQ_MSG(vt->test, kref_read(&vm->ghvm->kref), vm->file ? 2 : 1,
			    "state %s", gh_vm_state_name(gh_vm_state(vm->ghvm)));
	KUNIT_EXPECT_TRUE(vt->test, list_empty(&vm->ghvm->regions));
	KUNIT_EXPECT_EQ(vt->test, vm->ghvm->n_regions, 0);
}

/*
 * Memory
 */

unsigned int vm_pinned_of(struct vm_test *vt, const struct vm_test_region *region)
{
	unsigned int i, n = 0;

	for (i = region->first; i < region->first + region->n; i++)
		n += folio_maybe_dma_pinned(page_folio(vt->pages[i]));
	return n;
}

unsigned int vm_pinned(struct vm_test *vt)
{
	static const struct vm_test_region all = { .n = VM_TEST_PAGES };

	return vm_pinned_of(vt, &all);
}

void fake_rm_forget_vms(struct fake_rm *f)
{
	unsigned int i;

	mutex_lock(&f->lock);
	f->lost_vmids = 0;
	for (i = 0; i < FAKE_RM_MAX_VMS; i++)
		f->vms[i].used = false;
	mutex_unlock(&f->lock);
}

/*
 * Tests
 */

static void vm_test_get_memory(struct vm_test *vt)
{
	struct kunit *test = vt->test;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, (VM_TEST_PAGES + 1) * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_LT(test, addr, TASK_SIZE);

	mmgrab(current->mm);
	vt->mm = current->mm;
	vt->mem = addr;
	vt->arg = addr + VM_TEST_PAGES * PAGE_SIZE;
	vt->n_pages = get_user_pages_fast(addr, VM_TEST_PAGES, FOLL_WRITE, vt->pages);
	KUNIT_ASSERT_EQ(test, vt->n_pages, VM_TEST_PAGES);
	KUNIT_ASSERT_EQ(test, vm_pinned(vt), 0);
}

int vm_test_init(struct kunit *test)
{
	struct vm_test *vt = kunit_kzalloc(test, sizeof(*vt), GFP_KERNEL);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, vt);
	vt->test = test;
	test->priv = vt;
	vt->f = fake_rm_create(test);
	vm_test_get_memory(vt);

	ret = gh_vm_mgr_client.add(vt->f->rm);
	if (ret == -EEXIST || ret == -EBUSY)
		kunit_skip(test, "there is a resource manager");
	KUNIT_ASSERT_EQ(test, ret, 0);
	/* The device's; and one for us, who want to look at what is left of it. */
	vt->mgr = gh_vm_mgr_get(gh_rm_get_drvdata(vt->f->rm));
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vm_test_init);

/*
 * The resource manager gets well, and then whatever happened before, everything
 * must come back: VMs, VMIDs, memory and what was charged for it, interrupts.
 */
void vm_test_exit(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct fake_rm *f = vt ? vt->f : NULL;
	int i;

	if (!f)
		return;

	if (vt->mgr) {
		fake_rm_open_gate(f);
		fake_rm_no_faults(f);
		for (i = 0; i < VM_TEST_VMS; i++) {
			if (vt->vms[i]) {
				vm_close(vt, vt->vms[i]);
				vm_settle(vt, vt->vms[i]);
			}
		}
		fake_rm_finish_resets(f);
		fake_rm_answer_late(f);
		if (!vt->removed)
			vm_remove_device(vt, NULL);
		for (i = 0; i < VM_TEST_VMS; i++) {
			if (vt->vms[i]) {
				vm_settle(vt, vt->vms[i]);
				vm_expect_gone(vt, vt->vms[i]);
				gh_vm_put(vt->vms[i]->ghvm);
			}
		}
		KUNIT_EXPECT_TRUE(test, list_empty(&vt->mgr->vms));
		KUNIT_EXPECT_TRUE(test, list_empty(&vt->mgr->quarantine));
		KUNIT_EXPECT_EQ(test, kref_read(&vt->mgr->kref), 1);
		gh_vm_mgr_put(vt->mgr);

		KUNIT_EXPECT_EQ(test, f->mapped, 0);
		KUNIT_EXPECT_EQ(test, fake_rm_pages(f), 0UL);
		KUNIT_EXPECT_LE(test, fake_rm_vms(f),
				f->lost_vmids + gh_rm_stat(f->rm, GH_RM_STAT_LOST_VMIDS));
		if (!vt->lies)
			KUNIT_EXPECT_EQ(test, f->illegal, 0);
	}

	if (vt->n_pages > 0) {
		KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
		for (i = 0; i < vt->n_pages; i++)
			put_page(vt->pages[i]);
	}
	if (vt->mm) {
		KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
		mmdrop(vt->mm);
	}
	fake_rm_destroy(f);
}
EXPORT_SYMBOL_IF_KUNIT(vm_test_exit);

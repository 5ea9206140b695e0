// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of what the host does with all of its memory: hibernation, and the end. What the
 * kernel calls then is called here, with a VM in each state.
 */

#include <kunit/test.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/suspend.h>
#include <linux/workqueue.h>

#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

/* Going to sleep and having awoken, or having been kept from it */
static const struct pm_events {
	const char *name;
	unsigned long prepare;
	unsigned long post;
} pm_events[] = {
	{ "hibernate", PM_HIBERNATION_PREPARE, PM_POST_HIBERNATION },
	{ "restore", PM_RESTORE_PREPARE, PM_POST_RESTORE },
};

KUNIT_ARRAY_PARAM_DESC(pm_events, pm_events, name);

static int pm_event(struct kunit *test, unsigned long event)
{
	struct vm_test *vt = test->priv;
	struct notifier_block *nb = &vt->mgr->pm_nb;

	return notifier_to_errno(nb->notifier_call(nb, event, NULL));
}

/* Memory that is only pinned is the host's. */
static void not_while_a_guest_has_memory(struct kunit *test)
{
	const struct pm_events *events = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt), *other = vm_new(vt);

	KUNIT_EXPECT_EQ(test, pm_event(test, events->prepare), 0);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->post), 0);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->prepare), -EBUSY);
	/* Who refuses is not told that it is over. */
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, other, &spare_region), 0);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, other, spare_region.gpa, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, other), 0);
	vm_close(vt, other);
	vm_settle(vt, other);

	/* A guest that has ended still has it. */
	fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_VM_EXIT, NULL, 0);
	fake_rm_flush(vt->f);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_EXITED);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->prepare), -EBUSY);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->prepare), 0);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->post), 0);
}

static void not_while_one_starts(struct kunit *test)
{
	const struct pm_events *events = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm_thread *starter;

	fake_rm_gate(vt->f, FAKE_RM_ALLOC_VMID, false);
	starter = vm_thread_start(vt, vm_start, vm);
	fake_rm_wait_gate(vt->f);
	KUNIT_EXPECT_EQ(test, vm->ghvm->vmid, 0);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->prepare), -EBUSY);
	fake_rm_open_gate(vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), 0);
}

static void not_with_a_quarantine(struct kunit *test)
{
	const struct pm_events *events = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	vm_quarantine(vt, vm);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->prepare), -EBUSY);

	fake_rm_no_faults(vt->f);
	gh_vm_retry_quarantined(vt->mgr);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->prepare), 0);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->post), 0);
}

/* Processes still run when drivers are asked. Who comes too late may come again. */
static void no_start_meanwhile(struct kunit *test)
{
	const struct pm_events *events = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	KUNIT_EXPECT_EQ(test, pm_event(test, events->prepare), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -EBUSY);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_NEW);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_ALLOC_VMID], 0);
	KUNIT_EXPECT_EQ(test, pm_event(test, events->post), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
}

/* Suspend leaves memory alone. */
static void suspend_with_a_guest(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, pm_event(test, PM_SUSPEND_PREPARE), 0);
	KUNIT_EXPECT_EQ(test, pm_event(test, PM_POST_SUSPEND), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_RUNNING);
}

/* Files stay open, and processes go on. */
static void shutdown_ends_guests(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt), *other = vm_new(vt);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	gh_vm_mgr_client.shutdown(vt->f->rm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_EXITED);
	KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), 0UL);
	KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, other), -ENODEV);
}

/* What was not given back before is asked for once more. */
static void shutdown_retries_the_quarantine(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	vm_quarantine(vt, vm);

	/* This time it is in vain. */
	gh_vm_mgr_client.shutdown(vt->f->rm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), COMPLETE_PAGES);

	fake_rm_no_faults(vt->f);
	gh_vm_mgr_client.shutdown(vt->f->rm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_EXITED);
	vm_expect_gone(vt, vm);
}

static struct kunit_case vm_mgr_pm_cases[] = {
	KUNIT_CASE_PARAM(not_while_a_guest_has_memory, pm_events_gen_params),
	KUNIT_CASE_PARAM(not_while_one_starts, pm_events_gen_params),
	KUNIT_CASE_PARAM(not_with_a_quarantine, pm_events_gen_params),
	KUNIT_CASE_PARAM(no_start_meanwhile, pm_events_gen_params),
	KUNIT_CASE(suspend_with_a_guest),
	KUNIT_CASE(shutdown_ends_guests),
	KUNIT_CASE(shutdown_retries_the_quarantine),
	{}
};

static struct kunit_suite vm_mgr_pm_suite = {
	.name = "gunyah_vm_mgr_pm",
	.init = vm_test_init,
	.exit = vm_test_exit,
	.test_cases = vm_mgr_pm_cases,
};

kunit_test_suite(vm_mgr_pm_suite);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the state machine of a VM
 *
 * They use the files that a VMM has, and a scripted resource manager (fake_rm.h)
 * that fails the test if the driver breaks its rules. What has to hold after every
 * test, whatever went wrong in it, is in vm_test_exit().
 */

#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/swait.h>
#include <linux/uaccess.h>

#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

/* An errno that the driver has no reason of its own to return */
#define REFUSAL		(-EXFULL)

/* A deadline that does not pass: what is waited for has to come. */
#define LONG_ENOUGH_MS	10000

/* As numbers, which results are compared as */
#define VM_POLL_HUP	((__force int)EPOLLHUP)

static int vm_poll(struct vm *vm)
{
	return (__force int)vfs_poll(vm->file, NULL);
}

/*
 * The events of the tables
 */

enum event {
	EV_START,
	EV_ADD_MEM,
	EV_REMOVE_MEM,
	EV_SET_DTB,
	EV_EXIT_INFO,
	EV_POLL,
	EV_CLOSE,
	EV_REMOVE_DEVICE,
	EV_EXITED,
	EV_STATUS,
};

static const enum gh_rm_vm_status all_status[] = {
	GH_RM_VM_STATUS_NO_STATE,
	GH_RM_VM_STATUS_INIT,
	GH_RM_VM_STATUS_READY,
	GH_RM_VM_STATUS_RUNNING,
	GH_RM_VM_STATUS_PAUSED,
	GH_RM_VM_STATUS_LOAD,
	GH_RM_VM_STATUS_AUTH,
	GH_RM_VM_STATUS_INIT_FAILED,
	GH_RM_VM_STATUS_EXITED,
	GH_RM_VM_STATUS_RESETTING,
	GH_RM_VM_STATUS_RESET,
	77,
};

#define NR_EVENTS	(EV_STATUS + ARRAY_SIZE(all_status))
#define NR_STATES	(GH_VM_QUARANTINED + 1)

static const char * const event_names[] = {
	[EV_START]		= "START",
	[EV_ADD_MEM]		= "SET_USER_MEM_REGION",
	[EV_REMOVE_MEM]		= "SET_USER_MEM_REGION of size 0",
	[EV_SET_DTB]		= "SET_DTB_CONFIG",
	[EV_EXIT_INFO]		= "GET_EXIT_INFO",
	[EV_POLL]		= "poll",
	[EV_CLOSE]		= "close",
	[EV_REMOVE_DEVICE]	= "device removal",
	[EV_EXITED]		= "VM_EXITED",
};

struct state_case {
	enum gh_vm_state state;
	unsigned int event;
};

static struct state_case state_cases[NR_STATES * NR_EVENTS];

static const void *state_event_gen_params(const void *prev, char *desc)
{
	const struct state_case *last = prev;
	struct state_case *c = last ? state_cases + (last - state_cases) + 1 : state_cases;

	if (c == state_cases + ARRAY_SIZE(state_cases))
		return NULL;

	c->state = (c - state_cases) / NR_EVENTS;
	c->event = (c - state_cases) % NR_EVENTS;
	if (c->event < EV_STATUS)
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s: %s", gh_vm_state_name(c->state),
			 event_names[c->event]);
	else
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s: VM_STATUS %d",
			 gh_vm_state_name(c->state), all_status[c->event - EV_STATUS]);
	return c;
}

/* Bring a VM to a state. A gate is closed if it cannot stay there by itself. */
static struct vm_thread *reach_state(struct vm_test *vt, struct vm *vm, enum gh_vm_state state)
{
	struct kunit *test = vt->test;
	struct vm_thread *thread = NULL;

	switch (state) {
	case GH_VM_NEW:
		break;
	case GH_VM_STARTING:
		fake_rm_gate(vt->f, FAKE_RM_INIT, false);
		thread = vm_thread_start(vt, vm_start, vm);
		fake_rm_wait_gate(vt->f);
		break;
	case GH_VM_RUNNING:
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		break;
	case GH_VM_EXITED:
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
		fake_rm_flush(vt->f);
		break;
	case GH_VM_FAILED:
		fake_rm_fault(vt->f, FAKE_RM_INIT, 0, 1, FAKE_RM_FAILED, REFUSAL);
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), REFUSAL);
		break;
	case GH_VM_STOPPING:
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		fake_rm_gate(vt->f, FAKE_RM_STOP, false);
		gh_vm_teardown(vm->ghvm);
		fake_rm_wait_gate(vt->f);
		break;
	case GH_VM_RESETTING:
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		fake_rm_gate(vt->f, FAKE_RM_RESET, false);
		gh_vm_teardown(vm->ghvm);
		fake_rm_wait_gate(vt->f);
		break;
	case GH_VM_QUARANTINED:
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 0, FAKE_RM_ALWAYS, FAKE_RM_REFUSED, REFUSAL);
		gh_vm_teardown(vm->ghvm);
		vm_settle(vt, vm);
		break;
	}

	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), state);
	return thread;
}

/* What an event comes to; a teardown may have begun already. */
static long expected_result(enum gh_vm_state state, unsigned int event)
{
	static const long start[] = {
		0, 0, 0, -ENODEV, REFUSAL, -ENODEV, -ENODEV, -ENODEV
	};
	static const long exit_info[] = {
		-EAGAIN, -EAGAIN, -EAGAIN, 0, -ENODEV, -EAGAIN, 0, 0
	};

	switch (event) {
	case EV_START:
		return start[state];
	case EV_ADD_MEM:
	case EV_REMOVE_MEM:
	case EV_SET_DTB:
		return state == GH_VM_NEW ? 0 : -EBUSY;
	case EV_EXIT_INFO:
		return exit_info[state];
	case EV_POLL:
		return state > GH_VM_RUNNING ? VM_POLL_HUP : 0;
	default:
		return 0;
	}
}

static enum gh_vm_state expected_state(enum gh_vm_state state, unsigned int event)
{
	bool ends = event == EV_EXITED ||
		    (event >= EV_STATUS && all_status[event - EV_STATUS] == GH_RM_VM_STATUS_EXITED);

	if (state == GH_VM_NEW && event == EV_START)
		return GH_VM_RUNNING;
	if (state == GH_VM_RUNNING && ends)
		return GH_VM_EXITED;
	return state;
}

static void state_event(struct kunit *test)
{
	const struct state_case *c = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm_thread *starter, *thread = NULL;
	enum gh_vm_state before = c->state;
	long want = expected_result(c->state, c->event);
	u16 vmid;

	starter = reach_state(vt, vm, c->state);
	vmid = vm->ghvm->vmid;

	switch (c->event) {
	case EV_START:
		thread = vm_thread_start(vt, vm_start, vm);
		break;
	case EV_ADD_MEM:
		KUNIT_EXPECT_EQ(test, want, vm_add_mem(vt, vm, &spare_region));
		break;
	case EV_REMOVE_MEM:
		KUNIT_EXPECT_EQ(test, want, vm_remove_mem(vt, vm, LABEL_READ));
		break;
	case EV_SET_DTB:
		KUNIT_EXPECT_EQ(test, want, vm_set_dtb(vt, vm, IMAGE_GPA + PAGE_SIZE, 1));
		break;
	case EV_EXIT_INFO:
		KUNIT_EXPECT_EQ(test, want, vm_exit_info(vt, vm, NULL));
		break;
	case EV_POLL:
		KUNIT_EXPECT_EQ(test, want, vm_poll(vm));
		break;
	case EV_CLOSE:
		thread = vm_thread_start(vt, vm_close, vm);
		break;
	case EV_REMOVE_DEVICE:
		fake_rm_no_faults(vt->f);
		thread = vm_thread_start(vt, vm_remove_device, vm);
		break;
	case EV_EXITED:
		vt->lies = true;
		fake_rm_notify_exited(vt->f, vmid, GH_VM_EXIT_TYPE_WDT_BITE, "\1\2\3\4", 4);
		fake_rm_flush(vt->f);
		break;
	default:
		vt->lies = true;
		fake_rm_notify_status(vt->f, vmid, all_status[c->event - EV_STATUS]);
		fake_rm_flush(vt->f);
		/* No more time is given to the VM_EXITED that ought to follow. */
		flush_delayed_work(&vm->ghvm->exit_work);
		break;
	}

	/* What may wait does so until the gate opens. */
	if (c->event == EV_START && c->state != GH_VM_STARTING) {
		KUNIT_EXPECT_EQ(test, want, vm_thread_wait(thread));
		thread = NULL;
	}
	if (c->event != EV_CLOSE && c->event != EV_REMOVE_DEVICE)
		KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), expected_state(before, c->event));

	if (c->state == GH_VM_RUNNING && c->event >= EV_EXITED &&
	    gh_vm_state(vm->ghvm) == GH_VM_EXITED) {
		struct gh_vm_exit_info info;

		KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, &info), 0);
		KUNIT_EXPECT_EQ(test, info.type, c->event == EV_EXITED ?
				GH_VM_EXIT_TYPE_WDT_BITE : GH_VM_EXIT_TYPE_UNKNOWN);
		KUNIT_EXPECT_EQ(test, info.reason_size, c->event == EV_EXITED ? 4 : 0);
	}

	fake_rm_open_gate(vt->f);
	if (thread)
		KUNIT_EXPECT_EQ(test, want, vm_thread_wait(thread));
	if (starter)
		KUNIT_EXPECT_EQ(test, 0, vm_thread_wait(starter));

	if (c->event == EV_REMOVE_DEVICE) {
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -ENODEV);
		KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &spare_region), -ENODEV);
		KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA, 1), -ENODEV);
		KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, NULL), -ENODEV);
		KUNIT_EXPECT_EQ(test, vm_poll(vm), VM_POLL_HUP);
		/* The file is open still, and nothing is left behind it. */
		KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
		KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), 0UL);
		KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
		KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
	}

	/* The first notification of an end is the one that counts. */
	if (c->state == GH_VM_EXITED && c->event >= EV_EXITED) {
		struct gh_vm_exit_info info;

		KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, &info), 0);
		KUNIT_EXPECT_EQ(test, info.type, GH_VM_EXIT_TYPE_PSCI_POWER_OFF);
	}

	vm_close(vt, vm);
	vm_settle(vt, vm);
	/* Lies do not make the driver give up what it can have. */
	if (c->state != GH_VM_QUARANTINED)
		vm_expect_gone(vt, vm);
}

/*
 * A failure at every stage of a start
 */

struct stage {
	const char *name;
	enum fake_rm_op op;
	unsigned int skip;
};

static const struct stage stages[] = {
	{ "alloc VMID", FAKE_RM_ALLOC_VMID, 0 },
	{ "listen", FAKE_RM_LISTEN, 0 },
	{ "first lend", FAKE_RM_LEND, 0 },
	{ "get VMID", FAKE_RM_GET_VMID, 0 },
	{ "share", FAKE_RM_SHARE, 0 },
	{ "last lend", FAKE_RM_LEND, 1 },
	{ "configure", FAKE_RM_CONFIGURE, 0 },
	{ "init", FAKE_RM_INIT, 0 },
	{ "get resources", FAKE_RM_GET_RESOURCES, 0 },
	{ "start", FAKE_RM_START, 0 },
};

static const char * const outcome_names[FAKE_RM_NR_OUTCOMES] = {
	[FAKE_RM_OK]		= "carried out",
	[FAKE_RM_REFUSED]	= "refused",
	[FAKE_RM_FAILED]	= "failed",
	[FAKE_RM_LOST_REQUEST]	= "timed out, not carried out",
	[FAKE_RM_LOST_REPLY]	= "timed out, carried out",
	[FAKE_RM_BAD_REFUSAL]	= "garbled, not carried out",
	[FAKE_RM_BAD_REPLY]	= "garbled, carried out",
	[FAKE_RM_KEPT]		= "kept by the platform",
};

struct stage_case {
	const struct stage *stage;
	enum fake_rm_outcome outcome;
};

static struct stage_case stage_cases[ARRAY_SIZE(stages) * FAKE_RM_NR_OUTCOMES];

static const void *start_fails_gen_params(const void *prev, char *desc)
{
	const struct stage_case *last = prev;
	struct stage_case *c = last ? stage_cases + (last - stage_cases) + 1 : stage_cases;

	for (; c < stage_cases + ARRAY_SIZE(stage_cases); c++) {
		c->stage = &stages[(c - stage_cases) / FAKE_RM_NR_OUTCOMES];
		c->outcome = (c - stage_cases) % FAKE_RM_NR_OUTCOMES;
		if (c->outcome == FAKE_RM_OK)
			continue;
		/* This one asks nobody. */
		if (c->stage->op == FAKE_RM_LISTEN && c->outcome != FAKE_RM_REFUSED)
			continue;
		if (c->outcome == FAKE_RM_KEPT && c->stage->op != FAKE_RM_LEND &&
		    c->stage->op != FAKE_RM_SHARE)
			continue;
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s", c->stage->name,
			 outcome_names[c->outcome]);
		return c;
	}

	return NULL;
}

static int outcome_errno(enum fake_rm_outcome outcome)
{
	switch (outcome) {
	case FAKE_RM_OK:
		return 0;
	case FAKE_RM_LOST_REQUEST:
	case FAKE_RM_LOST_REPLY:
		return -ETIMEDOUT;
	case FAKE_RM_BAD_REFUSAL:
	case FAKE_RM_BAD_REPLY:
		return -EPROTO;
	case FAKE_RM_KEPT:
		return -EREMOTEIO;
	default:
		return REFUSAL;
	}
}

static void start_fails(struct kunit *test)
{
	const struct stage_case *c = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	int err = outcome_errno(c->outcome);
	bool memory = c->stage->op == FAKE_RM_LEND || c->stage->op == FAKE_RM_SHARE;
	bool ran = c->stage->op == FAKE_RM_START &&
		   (c->outcome == FAKE_RM_LOST_REPLY || c->outcome == FAKE_RM_BAD_REPLY);
	bool costs_vmid = (c->stage->op == FAKE_RM_CONFIGURE && c->outcome == FAKE_RM_FAILED) ||
			  (c->stage->op == FAKE_RM_ALLOC_VMID && c->outcome == FAKE_RM_BAD_REPLY);
	unsigned long unknown = 0;
	struct vm *next;

	fake_rm_fault(vt->f, c->stage->op, c->stage->skip, 1, c->outcome, REFUSAL);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), err);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_FAILED);
	/* Who comes later is told the same. */
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), err);
	KUNIT_EXPECT_EQ(test, vm_poll(vm), VM_POLL_HUP);
	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, NULL), ran ? 0 : -ENODEV);

	/* All that can be undone is undone by then. */
	if (memory && gh_rm_outcome_unknown(err))
		unknown = c->stage->op == FAKE_RM_SHARE ? SHARED_PAGES :
			  c->stage->skip ? READ_PAGES : IMAGE_PAGES;
	KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), unknown);
	KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), costs_vmid || unknown);
	/* The memory is the user's until the file is closed, and so pinned. */
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), COMPLETE_PAGES);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, (unsigned long)COMPLETE_PAGES);

	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), unknown);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, unknown);
	if (!unknown)
		vm_expect_gone(vt, vm);
	else
		KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(vt->f->rm, GH_RM_STAT_LOST_VMIDS),
			c->stage->op == FAKE_RM_CONFIGURE && c->outcome == FAKE_RM_FAILED);
	KUNIT_EXPECT_EQ(test, vt->f->illegal, 0);

	/* The next one starts. */
	next = vm_new(vt);
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, next, &spare_region), 0);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, next, spare_region.gpa, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, next), 0);
	vm_close(vt, next);
	vm_settle(vt, next);
	vm_expect_gone(vt, next);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), unknown);

	/* The missing answer comes. */
	fake_rm_answer_late(vt->f);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), costs_vmid);
}

/*
 * A failure at every step of a teardown
 */

static const struct stage steps[] = {
	{ "stop", FAKE_RM_STOP },
	{ "reset", FAKE_RM_RESET },
	{ "get state", FAKE_RM_GET_STATE },
	{ "first reclaim", FAKE_RM_RECLAIM },
	{ "second reclaim", FAKE_RM_RECLAIM, 1 },
	{ "last reclaim", FAKE_RM_RECLAIM, 2 },
	{ "dealloc VMID", FAKE_RM_DEALLOC_VMID },
};

struct step_case {
	const struct stage *step;
	enum fake_rm_outcome outcome;
	bool always;
};

static struct step_case step_cases[ARRAY_SIZE(steps) * FAKE_RM_NR_OUTCOMES * 2];

static const void *teardown_fails_gen_params(const void *prev, char *desc)
{
	const struct step_case *last = prev;
	struct step_case *c = last ? step_cases + (last - step_cases) + 1 : step_cases;

	for (; c < step_cases + ARRAY_SIZE(step_cases); c++) {
		unsigned int i = c - step_cases;

		c->always = i % 2;
		c->outcome = i / 2 % FAKE_RM_NR_OUTCOMES;
		c->step = &steps[i / 2 / FAKE_RM_NR_OUTCOMES];
		if (c->outcome == FAKE_RM_OK || c->outcome == FAKE_RM_FAILED)
			continue;
		if (c->outcome == FAKE_RM_KEPT && c->step->op != FAKE_RM_RECLAIM)
			continue;
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s, %s", c->step->name,
			 outcome_names[c->outcome], c->always ? "always" : "once");
		return c;
	}

	return NULL;
}

static void teardown_fails(struct kunit *test)
{
	const struct step_case *c = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	enum fake_rm_op op = c->step->op;
	unsigned long held;

	KUNIT_ASSERT_EQ(test, vm_start(vt, vm), 0);
	fake_rm_fault(vt->f, op, c->step->skip, c->always ? FAKE_RM_ALWAYS : 1, c->outcome,
		      REFUSAL);
	/* Nothing is asked for as long as notifications tell. */
	if (op == FAKE_RM_GET_STATE) {
		vt->f->drop_status = ~0UL;
		vt->f->drop_exited = true;
	}

	vm_close(vt, vm);
	vm_settle(vt, vm);

	/* What is pinned is exactly what was not given back, and charged. */
	held = fake_rm_pages(vt->f);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), held);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, held);
	if (held)
		KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	else if (op == FAKE_RM_DEALLOC_VMID || c->outcome == FAKE_RM_REFUSED)
		vm_expect_gone(vt, vm);

	switch (op) {
	case FAKE_RM_DEALLOC_VMID:
		/* Asked for once, and not again: it might not be ours any more. */
		KUNIT_EXPECT_EQ(test, vt->f->calls[op], 1);
		KUNIT_EXPECT_EQ(test, gh_rm_stat(vt->f->rm, GH_RM_STAT_LOST_VMIDS), 1);
		break;
	case FAKE_RM_RECLAIM:
		/* One that does not come back does not keep the others. */
		if (c->always && (c->outcome == FAKE_RM_REFUSED || c->outcome == FAKE_RM_KEPT ||
				  c->outcome == FAKE_RM_BAD_REFUSAL))
			KUNIT_EXPECT_EQ(test, held,
					c->step->skip == 2 ? IMAGE_PAGES :
					c->step->skip == 1 ? IMAGE_PAGES + SHARED_PAGES :
							     COMPLETE_PAGES);
		break;
	default:
		/* Refused once it is asked for again. */
		if (!c->always && c->outcome == FAKE_RM_REFUSED && op != FAKE_RM_GET_STATE)
			vm_expect_gone(vt, vm);
		break;
	}
}

/*
 * Every state that a VM can be found in
 */

struct found_case {
	enum fake_rm_op op;
	enum gh_rm_vm_status status;
	bool done;
	const char *desc;
};

static const struct found_case found_cases[] = {
	{ FAKE_RM_CONFIGURE, GH_RM_VM_STATUS_LOAD, true, "LOAD" },
	{ FAKE_RM_CONFIGURE, GH_RM_VM_STATUS_INIT, true, "INIT" },
	{ FAKE_RM_CONFIGURE, GH_RM_VM_STATUS_INIT_FAILED, true, "INIT_FAILED, not configured" },
	{ FAKE_RM_INIT, GH_RM_VM_STATUS_INIT_FAILED, true, "INIT_FAILED" },
	{ FAKE_RM_INIT, GH_RM_VM_STATUS_INIT, true, "INIT, init was lost" },
	{ FAKE_RM_INIT, GH_RM_VM_STATUS_READY, true, "READY" },
	{ FAKE_RM_START, GH_RM_VM_STATUS_READY, true, "READY, start was lost" },
	{ FAKE_RM_START, GH_RM_VM_STATUS_INIT_FAILED, true, "INIT_FAILED by start" },
	{ FAKE_RM_START, GH_RM_VM_STATUS_RUNNING, true, "RUNNING" },
	{ FAKE_RM_START, GH_RM_VM_STATUS_PAUSED, true, "PAUSED" },
	{ FAKE_RM_START, GH_RM_VM_STATUS_EXITED, true, "EXITED" },
	{ FAKE_RM_START, GH_RM_VM_STATUS_RESET, true, "RESET" },
	{ FAKE_RM_START, GH_RM_VM_STATUS_NO_STATE, false, "NO_STATE" },
	{ FAKE_RM_START, GH_RM_VM_STATUS_AUTH, false, "AUTH" },
	{ FAKE_RM_START, GH_RM_VM_STATUS_RESETTING, false, "RESETTING for ever" },
	{ FAKE_RM_START, 77, false, "a state that there is not" },
};

KUNIT_ARRAY_PARAM_DESC(found, found_cases, desc);

static void found_in_state(struct kunit *test)
{
	const struct found_case *c = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm_thread *starter;
	u16 vmid;

	/* The reply is lost, and no notification tells either. */
	vt->f->drop_status = ~0UL;
	vt->f->drop_exited = true;
	fake_rm_fault(vt->f, c->op, 0, 1,
		      c->status == GH_RM_VM_STATUS_INIT_FAILED && c->op == FAKE_RM_CONFIGURE ?
		      FAKE_RM_LOST_REQUEST : FAKE_RM_LOST_REPLY, 0);
	fake_rm_gate(vt->f, c->op, true);
	starter = vm_thread_start(vt, vm_start, vm);
	fake_rm_wait_gate(vt->f);
	vmid = vm->ghvm->vmid;
	fake_rm_set_state(vt->f, vmid, c->status);
	fake_rm_open_gate(vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_FAILED);

	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, vt->f->illegal, 0);
	if (c->done) {
		vm_expect_gone(vt, vm);
		KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), 0UL);
	} else {
		KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
		KUNIT_EXPECT_EQ(test, vm_pinned(vt), COMPLETE_PAGES);
		/* It did not know what to do, and so did nothing. */
		KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RESET], 0);
		KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RECLAIM], 0);
		fake_rm_set_state(vt->f, vmid, GH_RM_VM_STATUS_RESET);
	}
	if (c->status == GH_RM_VM_STATUS_INIT_FAILED && c->op == FAKE_RM_CONFIGURE) {
		KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RESET], 0);
		KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_DEALLOC_VMID], 0);
		KUNIT_EXPECT_EQ(test, gh_rm_stat(vt->f->rm, GH_RM_STAT_LOST_VMIDS), 1);
	}
}

/* One answer that makes no sense is not believed for ever. */
static void nonsense_state_once(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	KUNIT_ASSERT_EQ(test, vm_start(vt, vm), 0);
	vt->f->drop_status = ~0UL;
	vt->f->drop_exited = true;
	vt->f->state_answer = 77;
	fake_rm_fault(vt->f, FAKE_RM_STOP, 0, 1, FAKE_RM_BAD_REPLY, 0);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);

	vt->f->state_answer = 0;
	gh_vm_retry_quarantined(vt->mgr);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
}

/*
 * The course of events
 */

/* Nothing goes wrong: which calls are made, and in which order memory comes back */
static void lifecycle(struct kunit *test)
{
	static const u32 order[] = { LABEL_READ, LABEL_SHARED, LABEL_IMAGE };
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct gh_vm_exit_info info;

	*gh_rm_call_timeout_ms(vt->f->rm) = LONG_ENOUGH_MS;
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), (unsigned long)COMPLETE_PAGES);
	KUNIT_EXPECT_EQ(test, vm_poll(vm), 0);

	fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2,
			    "0123456789abcdef", 16);
	fake_rm_flush(vt->f);
	KUNIT_EXPECT_EQ(test, vm_poll(vm), VM_POLL_HUP);
	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, &info), 0);
	KUNIT_EXPECT_EQ(test, info.type, GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2);
	KUNIT_EXPECT_EQ(test, info.padding, 0);
	KUNIT_EXPECT_EQ(test, info.reason_size, sizeof(info.reason));
	KUNIT_EXPECT_MEMEQ(test, info.reason, "01234567", sizeof(info.reason));
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -ENODEV);

	vm_close(vt, vm);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_STOP], 0);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_START], 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RESET], 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_DEALLOC_VMID], 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_GET_STATE], 0);
	KUNIT_EXPECT_EQ(test, vt->f->n_reclaimed, ARRAY_SIZE(order));
	KUNIT_EXPECT_MEMEQ(test, vt->f->reclaimed, order, sizeof(order));
	KUNIT_EXPECT_EQ(test, vt->f->illegal, 0);
}

static void close_while_running(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	*gh_rm_call_timeout_ms(vt->f->rm) = LONG_ENOUGH_MS;
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	vm_close(vt, vm);
	/* Who has closed the file finds everything given back. */
	KUNIT_EXPECT_TRUE(test, completion_done(&vm->ghvm->torn_down));
	KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, 0UL);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_STOP], 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RESET], 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_GET_STATE], 0);
	KUNIT_EXPECT_EQ(test, vt->f->illegal, 0);
}

/* A VM that was not started never meets the resource manager. */
static void close_without_start(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	int op;

	vm_close(vt, vm);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	for (op = 0; op < FAKE_RM_NR_OPS; op++)
		KUNIT_EXPECT_EQ(test, vt->f->calls[op], 0);
}

static void exited_before_start_reply(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct gh_vm_exit_info info;

	vt->f->exit_at_start = true;
	/* It was started, even if it has ended. */
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_EXITED);
	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, &info), 0);
	KUNIT_EXPECT_EQ(test, info.type, GH_VM_EXIT_TYPE_PSCI_POWER_OFF);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_STOP], 0);
	KUNIT_EXPECT_EQ(test, vt->f->illegal, 0);
}

/* While it is not known whether the start succeeds nobody is told of an end. */
static void exited_while_starting(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm_thread *starter;

	vt->f->exit_at_start = true;
	fake_rm_gate(vt->f, FAKE_RM_START, true);
	starter = vm_thread_start(vt, vm_start, vm);
	fake_rm_wait_gate(vt->f);
	fake_rm_flush(vt->f);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_STARTING);
	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, NULL), -EAGAIN);
	KUNIT_EXPECT_EQ(test, vm_poll(vm), 0);
	fake_rm_open_gate(vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), 0);
	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, NULL), 0);
}

/* VM_STATUS says that the guest has ended, and VM_EXITED was lost. */
static void status_without_exited(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct gh_vm_exit_info info;
	enum gh_vm_state state;

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	vt->f->drop_exited = true;
	fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
	fake_rm_flush(vt->f);
	/* It may come yet. */
	state = gh_vm_state(vm->ghvm);
	if (delayed_work_pending(&vm->ghvm->exit_work))
		KUNIT_EXPECT_EQ(test, state, GH_VM_RUNNING);

	flush_delayed_work(&vm->ghvm->exit_work);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_EXITED);
	KUNIT_EXPECT_EQ(test, vm_poll(vm), VM_POLL_HUP);
	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, &info), 0);
	KUNIT_EXPECT_EQ(test, info.type, GH_VM_EXIT_TYPE_UNKNOWN);
	KUNIT_EXPECT_EQ(test, info.reason_size, 0);

	/* Too late */
	fake_rm_no_faults(vt->f);
	fake_rm_notify_exited(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
	fake_rm_flush(vt->f);
	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, &info), 0);
	KUNIT_EXPECT_EQ(test, info.type, GH_VM_EXIT_TYPE_UNKNOWN);
}

/* The wait for a VM_EXITED must not outlive the VM. */
static void close_while_waiting_for_exited(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	vt->f->drop_exited = true;
	fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
	fake_rm_flush(vt->f);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&vm->ghvm->exit_work));
	vm_expect_gone(vt, vm);
}

enum notif_fault {
	NOTIF_DROP_EXITED = BIT(0),
	NOTIF_DROP_STATUS_EXITED = BIT(1),
	NOTIF_DROP_RESETTING = BIT(2),
	NOTIF_DROP_RESET = BIT(3),
	NOTIF_TWICE = BIT(4),
	NOTIF_REORDER = BIT(5),
	NOTIF_CASES = BIT(6),
};

/* Every combination of these; the guest ends by itself, or is stopped. */
static void notifications_go_wrong(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	unsigned int i;

	vt->lies = true;
	for (i = 0; i < NOTIF_CASES * 2; i++) {
		bool stopped = i & NOTIF_CASES;
		struct vm *vm = vm_new_complete(vt);

		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		fake_rm_flush(vt->f);

		vt->f->twice = i & NOTIF_TWICE;
		vt->f->drop_exited = i & NOTIF_DROP_EXITED;
		vt->f->drop_status = 0;
		if (i & NOTIF_DROP_STATUS_EXITED)
			vt->f->drop_status |= BIT(GH_RM_VM_STATUS_EXITED);
		if (i & NOTIF_DROP_RESETTING)
			vt->f->drop_status |= BIT(GH_RM_VM_STATUS_RESETTING);
		if (i & NOTIF_DROP_RESET)
			vt->f->drop_status |= BIT(GH_RM_VM_STATUS_RESET);

		if (!stopped) {
			vt->f->hold = i & NOTIF_REORDER;
			fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_VM_EXIT, NULL,
					    0);
			fake_rm_release_notifications(vt->f, i & NOTIF_REORDER);
			flush_delayed_work(&vm->ghvm->exit_work);
			/* One of the two is enough. */
			KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm),
					i & NOTIF_DROP_EXITED && i & NOTIF_DROP_STATUS_EXITED ?
					GH_VM_RUNNING : GH_VM_EXITED);
		}

		vt->f->newest_first = i & NOTIF_REORDER;
		vm_close(vt, vm);
		vm_settle(vt, vm);
		vt->f->newest_first = false;
		vm_expect_gone(vt, vm);
		KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
		if (test->status == KUNIT_FAILURE) {
			kunit_info(test, "combination %#x\n", i);
			break;
		}
	}
}

struct slow_delivery {
	struct work_struct work;
	struct fake_rm *f;
};

/* Before it in the queue: nothing is delivered until somebody waits for that. */
static void slow_delivery_work(struct work_struct *work)
{
	struct slow_delivery *slow = container_of(work, struct slow_delivery, work);

	wait_for_completion(&slow->f->flushing);
}

/* What was said about the VM that had the VMID before must not reach the new one. */
static void notifications_of_the_last_owner(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct slow_delivery slow = { .f = vt->f };

	INIT_WORK_ONSTACK(&slow.work, slow_delivery_work);
	queue_work(vt->f->wq, &slow.work);
	fake_rm_notify_exited(vt->f, FAKE_RM_FIRST_VMID, GH_VM_EXIT_TYPE_VM_EXIT, NULL, 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, vm->ghvm->vmid, FAKE_RM_FIRST_VMID);
	/* If nobody did */
	complete_all(&vt->f->flushing);
	fake_rm_flush(vt->f);
	destroy_work_on_stack(&slow.work);

	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, NULL), -EAGAIN);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_RUNNING);
}

/* What is said about the VM that had the VMID before does not count. */
static void stale_notifications(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	unsigned int i;

	vt->lies = true;
	for (i = 0; i < ARRAY_SIZE(all_status); i++) {
		struct vm *vm = vm_new_complete(vt);
		struct vm_thread *starter;

		/* Before it is configured */
		fake_rm_fault(vt->f, FAKE_RM_SHARE, 0, 1, FAKE_RM_REFUSED, REFUSAL);
		fake_rm_gate(vt->f, FAKE_RM_SHARE, false);
		starter = vm_thread_start(vt, vm_start, vm);
		fake_rm_wait_gate(vt->f);
		fake_rm_notify_status(vt->f, vm->ghvm->vmid, all_status[i]);
		fake_rm_notify_exited(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_VM_EXIT, NULL, 0);
		fake_rm_flush(vt->f);
		fake_rm_open_gate(vt->f);
		KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), REFUSAL);
		/* The guest did not run, so it cannot have ended. */
		KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, NULL), -ENODEV);
		KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
		vm_close(vt, vm);
		vm_settle(vt, vm);
		vm_expect_gone(vt, vm);

		/* When the image was refused */
		vm = vm_new_complete(vt);
		fake_rm_no_faults(vt->f);
		fake_rm_fault(vt->f, FAKE_RM_CONFIGURE, 0, 1, FAKE_RM_FAILED, REFUSAL);
		fake_rm_gate(vt->f, FAKE_RM_CONFIGURE, true);
		starter = vm_thread_start(vt, vm_start, vm);
		fake_rm_wait_gate(vt->f);
		fake_rm_notify_status(vt->f, vm->ghvm->vmid, all_status[i]);
		fake_rm_flush(vt->f);
		fake_rm_open_gate(vt->f);
		KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), REFUSAL);
		vm_close(vt, vm);
		vm_settle(vt, vm);
		vm_expect_gone(vt, vm);
		fake_rm_forget_vms(vt->f);
		if (test->status == KUNIT_FAILURE) {
			kunit_info(test, "status %d\n", all_status[i]);
			break;
		}
	}
}

/* It neither ends the guest that starts meanwhile nor keeps that one from being ended. */
static void stale_notification_and_a_start(struct kunit *test)
{
	static const enum gh_rm_vm_status status[] = {
		GH_RM_VM_STATUS_EXITED, GH_RM_VM_STATUS_RESETTING, GH_RM_VM_STATUS_RESET,
	};
	struct vm_test *vt = test->priv;
	unsigned int i;

	vt->lies = true;
	for (i = 0; i < ARRAY_SIZE(status); i++) {
		struct vm *vm = vm_new_complete(vt);
		struct vm_thread *starter;

		fake_rm_gate(vt->f, FAKE_RM_SHARE, false);
		starter = vm_thread_start(vt, vm_start, vm);
		fake_rm_wait_gate(vt->f);
		fake_rm_notify_status(vt->f, vm->ghvm->vmid, status[i]);
		fake_rm_flush(vt->f);
		fake_rm_open_gate(vt->f);
		KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), 0);
		/* No time is given to a VM_EXITED that might follow. */
		flush_delayed_work(&vm->ghvm->exit_work);
		KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_RUNNING);
		KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, NULL), -EAGAIN);
		KUNIT_EXPECT_EQ(test, vm_poll(vm), 0);

		vm_close(vt, vm);
		vm_settle(vt, vm);
		vm_expect_gone(vt, vm);
		KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_STOP], i + 1);
		KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), 0UL);
		KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
		if (test->status == KUNIT_FAILURE) {
			kunit_info(test, "status %d\n", status[i]);
			break;
		}
	}
}

/* A guest that ended without anybody being told is found to have ended. */
static void everything_lost(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	vt->lies = true;
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	vt->f->drop_status = ~0UL;
	vt->f->drop_exited = true;
	fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_VM_EXIT, NULL, 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, vm, NULL), -EAGAIN);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	/* VM_STOP of a VM that has ended is refused, and harmless. */
	KUNIT_EXPECT_EQ(test, vt->f->illegal, 1);
}

/*
 * Several users
 */

#define STARTERS	8

static void concurrent_start(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm_thread *threads[STARTERS];
	int fails, i;

	for (fails = 0; fails < 2; fails++) {
		struct vm *vm = vm_new_complete(vt);
		unsigned int starts = vt->f->calls[FAKE_RM_START];

		if (fails)
			fake_rm_fault(vt->f, FAKE_RM_START, 0, 1, FAKE_RM_FAILED, REFUSAL);
		fake_rm_gate(vt->f, FAKE_RM_START, false);
		for (i = 0; i < STARTERS; i++)
			threads[i] = vm_thread_start(vt, vm_start, vm);
		fake_rm_wait_gate(vt->f);
		fake_rm_open_gate(vt->f);
		for (i = 0; i < STARTERS; i++)
			KUNIT_EXPECT_EQ(test, vm_thread_wait(threads[i]), fails ? REFUSAL : 0);
		KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_START], starts + 1);
		vm_close(vt, vm);
		vm_settle(vt, vm);
		vm_expect_gone(vt, vm);
	}
}

/* While one VM waits for the resource manager the others do what they do. */
static void others_go_on(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *waiting = vm_new_complete(vt), *others[2];
	struct vm_thread *starter;
	int i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = vm_new(vt);
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, others[0], &spare_region), 0);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, others[0], spare_region.gpa, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, others[0]), 0);
	fake_rm_gate(vt->f, FAKE_RM_INIT, false);
	starter = vm_thread_start(vt, vm_start, waiting);
	fake_rm_wait_gate(vt->f);

	fake_rm_guest_exits(vt->f, others[0]->ghvm->vmid, GH_VM_EXIT_TYPE_VM_EXIT, NULL, 0);
	fake_rm_flush(vt->f);
	KUNIT_EXPECT_EQ(test, gh_vm_state(others[0]->ghvm), GH_VM_EXITED);
	KUNIT_EXPECT_EQ(test, vm_poll(others[0]), VM_POLL_HUP);
	KUNIT_EXPECT_EQ(test, vm_exit_info(vt, others[0], NULL), 0);

	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, others[1], &spare_region), 0);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, others[1], spare_region.gpa, 1), 0);

	KUNIT_EXPECT_EQ(test, vm_thread_wait(vm_thread_start(vt, vm_close, others[0])), 0);
	KUNIT_EXPECT_TRUE(test, completion_done(&others[0]->ghvm->torn_down));
	vm_settle(vt, others[0]);
	vm_expect_gone(vt, others[0]);

	KUNIT_EXPECT_EQ(test, gh_vm_state(waiting->ghvm), GH_VM_STARTING);
	fake_rm_open_gate(vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, others[1]), 0);
}

/* Who is killed while it waits for a start does not wait, and the start goes on. */
static void start_is_killable(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm_thread *starter;

	fake_rm_gate(vt->f, FAKE_RM_INIT, false);
	starter = vm_thread_start(vt, vm_start, vm);
	fake_rm_wait_gate(vt->f);
	send_sig(SIGKILL, starter->task, 1);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), -EINTR);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_STARTING);
	fake_rm_open_gate(vt->f);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
}

/* Nor does who is killed while it closes: the teardown goes on. */
static void close_is_killable(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm_thread *closer;

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	fake_rm_gate(vt->f, FAKE_RM_STOP, false);
	closer = vm_thread_start(vt, vm_close, vm);
	fake_rm_wait_gate(vt->f);
	send_sig(SIGKILL, closer->task, 1);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(closer), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_STOPPING);
	fake_rm_open_gate(vt->f);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
}

/* Who closes the file waits until everything has been given back. */
static void expect_close_waits(struct vm_test *vt, long (*fn)(struct vm_test *vt, struct vm *vm))
{
	struct vm *vm = vm_new_complete(vt);
	struct kunit *test = vt->test;
	struct vm_thread *closer;
	unsigned long start;

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	fake_rm_gate(vt->f, FAKE_RM_DEALLOC_VMID, true);
	start = jiffies;
	closer = vm_thread_start(vt, fn, vm);
	fake_rm_wait_gate(vt->f);
	while (!swait_active(&vm->ghvm->torn_down.wait) && !completion_done(&closer->done) &&
	       time_before(jiffies, start + FAKE_RM_PATIENCE))
		schedule_timeout_uninterruptible(1);
	/* On a machine that stands still who exits may have waited, and given up, by now. */
	KUNIT_EXPECT_TRUE(test, swait_active(&vm->ghvm->torn_down.wait) ||
			  (fn != vm_close && time_after(jiffies, start + HZ)));
	fake_rm_open_gate(vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(closer), 0);
	if (fn == vm_close)
		KUNIT_EXPECT_TRUE(test, completion_done(&vm->ghvm->torn_down));
}

static void close_waits(struct kunit *test)
{
	expect_close_waits(test->priv, vm_close);
}

static long close_with_flag(struct vm_test *vt, struct vm *vm, unsigned int flag)
{
	long ret;

	current->flags |= flag;
	ret = vm_close(vt, vm);
	current->flags &= ~flag;
	return ret;
}

static long close_killed(struct vm_test *vt, struct vm *vm)
{
	return close_with_flag(vt, vm, PF_SIGNALED);
}

static long close_exiting(struct vm_test *vt, struct vm *vm)
{
	return close_with_flag(vt, vm, PF_EXITING);
}

struct close_work {
	struct work_struct work;
	struct file *file;
};

static void close_work(struct work_struct *work)
{
	__fput_sync(container_of(work, struct close_work, work)->file);
}

static long close_by_worker(struct vm_test *vt, struct vm *vm)
{
	struct close_work c = { .file = vm->file };

	vm->file = NULL;
	INIT_WORK_ONSTACK(&c.work, close_work);
	queue_work(system_unbound_wq, &c.work);
	flush_work(&c.work);
	destroy_work_on_stack(&c.work);
	return 0;
}

/* Nobody whom no signal reaches any more waits for long, nor who has others to serve. */
static void close_that_no_signal_ends_ends_by_itself(struct kunit *test)
{
	static long (* const how[])(struct vm_test *vt, struct vm *vm) = {
		close_killed, close_exiting, close_by_worker,
	};
	struct vm_test *vt = test->priv;
	struct vm_thread *closer;
	int i;

	for (i = 0; i < ARRAY_SIZE(how); i++) {
		struct vm *vm = vm_new_complete(vt);

		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		fake_rm_gate(vt->f, FAKE_RM_STOP, false);
		closer = vm_thread_start(vt, how[i], vm);
		fake_rm_wait_gate(vt->f);
		KUNIT_EXPECT_EQ(test, vm_thread_wait(closer), 0);
		KUNIT_EXPECT_FALSE_MSG(test, completion_done(&vm->ghvm->torn_down), "case %d", i);
		fake_rm_open_gate(vt->f);
		vm_settle(vt, vm);
		vm_expect_gone(vt, vm);
	}
}

/* While it answers, who exits finds everything given back, as anybody else does. */
static void close_by_who_exits_waits_a_while(struct kunit *test)
{
	expect_close_waits(test->priv, close_exiting);
}

/* A lock that somebody else holds until he is told to let go */
struct holder {
	struct gh_vm *ghvm;
	bool status_lock;
	struct completion held;
	struct completion let_go;
};

static int hold_lock(void *data)
{
	struct holder *holder = data;

	if (holder->status_lock)
		down_write(&holder->ghvm->status_lock);
	else
		mutex_lock(&holder->ghvm->mm_lock);
	complete(&holder->held);
	/* Who does wait for the lock is not to do so for ever. */
	wait_for_completion_timeout(&holder->let_go, FAKE_RM_PATIENCE);
	if (holder->status_lock)
		up_write(&holder->ghvm->status_lock);
	else
		mutex_unlock(&holder->ghvm->mm_lock);
	return 0;
}

/* Somebody who is killed does not wait for another who pins a lot of memory. */
static void who_is_killed_does_not_wait_for_a_lock(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	char *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct seq_file m = { .buf = buf, .size = PAGE_SIZE };
	struct task_struct *task;
	int status_lock;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (status_lock = 0; status_lock < 2; status_lock++) {
		struct holder holder = { .ghvm = vm->ghvm, .status_lock = status_lock };

		init_completion(&holder.held);
		init_completion(&holder.let_go);
		task = kthread_run(hold_lock, &holder, "gunyah-test");
		KUNIT_ASSERT_FALSE(test, IS_ERR(task));
		get_task_struct(task);
		wait_for_completion(&holder.held);

		allow_signal(SIGKILL);
		send_sig(SIGKILL, current, 1);
		KUNIT_EXPECT_EQ(test, gh_vm_start(vm->ghvm), -EINTR);
		if (!status_lock) {
			KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &spare_region), -EINTR);
			KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, LABEL_READ), -EINTR);
			KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA, 1), -EINTR);
			vm->file->f_op->show_fdinfo(&m, vm->file);
			KUNIT_EXPECT_EQ(test, m.count, 0);
		}
		flush_signals(current);
		complete(&holder.let_go);
		kthread_stop_put(task);
	}

	/* Nothing has happened, and nothing is locked. */
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, (unsigned long)COMPLETE_PAGES);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_NEW);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
}

/* A VM that is being started is ended when the start is done, and not before. */
static void close_while_starting(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	unsigned long deadline = jiffies + FAKE_RM_PATIENCE;
	struct vm_thread *starter;

	fake_rm_fault(vt->f, FAKE_RM_INIT, 0, 1, FAKE_RM_FAILED, REFUSAL);
	fake_rm_gate(vt->f, FAKE_RM_INIT, false);
	starter = vm_thread_start(vt, vm_start, vm);
	fake_rm_wait_gate(vt->f);
	gh_vm_teardown(vm->ghvm);
	while (!(work_busy(&vm->ghvm->teardown_work) & WORK_BUSY_RUNNING) &&
	       time_before(jiffies, deadline))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_STARTING);
	fake_rm_open_gate(vt->f);
	/* The result of the start, which nobody knew until now */
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), REFUSAL);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
}

/* What is not complete is not started, and can be completed. */
static void start_needs(struct kunit *test)
{
	static const struct { u64 gpa, size; } windows[] = {
		{ 0, 1 },
		{ IMAGE_GPA - PAGE_SIZE, PAGE_SIZE },
		{ IMAGE_GPA - PAGE_SIZE, 2 * PAGE_SIZE },
		{ IMAGE_GPA, IMAGE_PAGES * PAGE_SIZE + 1 },
		{ IMAGE_GPA + (IMAGE_PAGES - 1) * PAGE_SIZE, PAGE_SIZE + 1 },
		{ IMAGE_GPA + IMAGE_PAGES * PAGE_SIZE, 1 },
		{ U64_MAX - 2 * PAGE_SIZE + 1, PAGE_SIZE },
	};
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	int i;

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &image_region), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -EINVAL);

	/* Nor is one with memory where a window that was not set seems to be. */
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &read_region), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_remove_mem(vt, vm, LABEL_READ), 0);

	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA + 1, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA, U64_MAX), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -EINVAL);

	for (i = 0; i < ARRAY_SIZE(windows); i++) {
		KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, windows[i].gpa, windows[i].size), 0);
		KUNIT_EXPECT_EQ_MSG(test, vm_start(vt, vm), -EINVAL, "window %d", i);
		KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_NEW);
	}
	for (i = 0; i < FAKE_RM_NR_OPS; i++)
		KUNIT_EXPECT_EQ(test, vt->f->calls[i], 0);

	/* The last byte of the region */
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA + (IMAGE_PAGES - 1) * PAGE_SIZE, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
}

/* A window of every size that fits is rounded up for the resource manager. */
/* A VM does not run without the hook that its platform needs, and nothing has happened. */
static void start_needs_a_provider(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	unsigned int i;

	vt->f->platform_err = -ENOPKG;
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -ENOPKG);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_NEW);
	for (i = 0; i < FAKE_RM_NR_OPS; i++)
		KUNIT_EXPECT_EQ(test, vt->f->calls[i], 0);

	vt->f->platform_err = 0;
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);

	/* What has been started is not asked about. */
	vt->f->platform_err = -ENOPKG;
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
}

static void dtb_window_is_rounded(struct kunit *test)
{
	static const u64 sizes[] = { 1, 4095, 4096, 4097, IMAGE_PAGES * PAGE_SIZE - 1,
				     IMAGE_PAGES * PAGE_SIZE };
	struct vm_test *vt = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct vm *vm = vm_new(vt);

		KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vm, &image_region), 0);
		KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA, sizes[i]), 0);
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		KUNIT_EXPECT_EQ(test, vt->f->image.dtb_offset, 0);
		KUNIT_EXPECT_EQ(test, vt->f->image.dtb_size, round_up(sizes[i], SZ_4K));
		vm_close(vt, vm);
		vm_settle(vt, vm);
	}
}

static void wrong_ioctls(struct kunit *test)
{
	static const unsigned int cmds[] = { GH_VM_SET_USER_MEM_REGION, GH_VM_SET_DTB_CONFIG };
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++)
		KUNIT_EXPECT_EQ(test, vm->file->f_op->unlocked_ioctl(vm->file, cmds[i], 0),
				-EFAULT);
	KUNIT_EXPECT_EQ(test, vm->file->f_op->unlocked_ioctl(vm->file, GH_CREATE_VM, 0), -ENOTTY);
	KUNIT_EXPECT_EQ(test, vm->file->f_op->unlocked_ioctl(vm->file, _IO('G', 0x4), 0), -ENOTTY);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_VM_EXIT, NULL, 0);
	fake_rm_flush(vt->f);
	KUNIT_EXPECT_EQ(test, vm->file->f_op->unlocked_ioctl(vm->file, GH_VM_GET_EXIT_INFO, 0),
			-EFAULT);
}

/*
 * The quarantine
 */

static void check_fdinfo(struct vm_test *vt, struct vm *vm, const char *line)
{
	char *buf = kunit_kzalloc(vt->test, PAGE_SIZE, GFP_KERNEL);
	struct seq_file m = { .buf = buf, .size = PAGE_SIZE };

	KUNIT_ASSERT_NOT_NULL(vt->test, buf);
	vm->file->f_op->show_fdinfo(&m, vm->file);
	KUNIT_EXPECT_NOT_NULL_MSG(vt->test, strstr(buf, line), "no \"%s\" in\n%s", line, buf);
}

/* What a VM has, before it is at the resource manager and while it is there */
static void fdinfo(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	char line[32];

	snprintf(line, sizeof(line), "locked_kb:\t%lu\n", COMPLETE_PAGES * PAGE_SIZE / 1024);
	check_fdinfo(vt, vm, "vmid:\t0\n");
	check_fdinfo(vt, vm, "state:\tnew\n");
	check_fdinfo(vt, vm, "regions:\t3\n");
	check_fdinfo(vt, vm, line);
	check_fdinfo(vt, vm, "quarantined_kb:\t0\n");

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	check_fdinfo(vt, vm, "vmid:\t128\n");
	check_fdinfo(vt, vm, "state:\trunning\n");
	check_fdinfo(vt, vm, line);
	check_fdinfo(vt, vm, "quarantined_kb:\t0\n");
}

/*
 * /dev/gunyah
 */

/* As if it had been opened */
static struct file *device_open(struct vm_test *vt)
{
	const struct file_operations *fops = vt->mgr->misc.fops;
	struct file *file = anon_inode_getfile("gunyah", fops, &vt->mgr->misc, O_RDWR);

	KUNIT_ASSERT_FALSE(vt->test, IS_ERR(file));
	KUNIT_EXPECT_EQ(vt->test, fops->open(file_inode(file), file), 0);
	return file;
}

static void device_file(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct file *file = device_open(vt), *vm_file;
	unsigned int refs = kref_read(&vt->mgr->kref);
	struct rlimit *rlim = &current->signal->rlim[RLIMIT_NOFILE];
	const struct rlimit saved = *rlim;
	struct gh_vm *ghvm;
	long fd;
	bool cloexec;

	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, GH_CREATE_VM, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, GH_CREATE_VM, ~0UL), -EINVAL);
	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, GH_VM_START, 0), -ENOTTY);
	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, _IO('G', 0x1), 0), -ENOTTY);
	WRITE_ONCE(rlim->rlim_cur, 0);
	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, GH_CREATE_VM, 0), -EMFILE);
	*rlim = saved;
	KUNIT_EXPECT_TRUE(test, list_empty(&vt->mgr->vms));

	fd = file->f_op->unlocked_ioctl(file, GH_CREATE_VM, 0);
	KUNIT_ASSERT_GE(test, fd, 0);
	vm_file = fget(fd);
	KUNIT_ASSERT_NOT_NULL(test, vm_file);
	KUNIT_EXPECT_PTR_EQ(test, vm_file->f_op, &gh_vm_fops);
	rcu_read_lock();
	cloexec = test_bit(fd, files_fdtable(current->files)->close_on_exec);
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, cloexec);
	ghvm = gh_vm_get(vm_file->private_data);
	KUNIT_EXPECT_EQ(test, gh_vm_state(ghvm), GH_VM_NEW);
	KUNIT_EXPECT_EQ(test, kref_read(&vt->mgr->kref), refs + 1);

	/* The VM does without the file it was made with, and without the device. */
	__fput_sync(file);
	KUNIT_EXPECT_EQ(test, vm_remove_device(vt, NULL), 0);
	KUNIT_EXPECT_EQ(test, vm_file->f_op->unlocked_ioctl(vm_file, GH_VM_START, 0), -ENODEV);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();
	__fput_sync(vm_file);
	flush_work(&ghvm->teardown_work);
	KUNIT_EXPECT_EQ(test, kref_read(&ghvm->kref), 1);
	gh_vm_put(ghvm);
}

/* The file of a device that is gone */
static void device_file_after_removal(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct file *file = device_open(vt);

	KUNIT_EXPECT_EQ(test, vm_remove_device(vt, NULL), 0);
	KUNIT_EXPECT_EQ(test, file->f_op->unlocked_ioctl(file, GH_CREATE_VM, 0), -ENODEV);
	KUNIT_EXPECT_EQ(test, kref_read(&vt->mgr->kref), 2);
	__fput_sync(file);
	KUNIT_EXPECT_EQ(test, kref_read(&vt->mgr->kref), 1);
}

/* Exactly what did not come back stays pinned, until it does. */
static void quarantine(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm *next;

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	/* The second of three, and both times that it is asked for */
	fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 1, 1, FAKE_RM_REFUSED, REFUSAL);
	fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 2, 1, FAKE_RM_REFUSED, REFUSAL);
	gh_vm_teardown(vm->ghvm);
	vm_settle(vt, vm);

	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), (unsigned long)SHARED_PAGES);
	KUNIT_EXPECT_TRUE(test, fake_rm_has_label(vt->f, LABEL_SHARED));
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), SHARED_PAGES);
	KUNIT_EXPECT_EQ(test, vm_pinned_of(vt, &shared_region), SHARED_PAGES);
	KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, (unsigned long)SHARED_PAGES);
	check_fdinfo(vt, vm, "state:\tquarantined\n");
	check_fdinfo(vt, vm, "regions:\t1\n");
	/* Its VMID is in use as long as somebody may have its memory. */
	KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_DEALLOC_VMID], 0);
	vm_close(vt, vm);

	/* A start that works shows that it is worth to ask again. */
	fake_rm_no_faults(vt->f);
	next = vm_new(vt);
	KUNIT_EXPECT_EQ(test, vm_add_mem(vt, next, &spare_region), 0);
	KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, next, spare_region.gpa, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, next), 0);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), SPARE_PAGES);
	KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 1);
}

/* Memory that was never given is not kept, even if the VM cannot be ended. */
static void quarantine_of_part(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	fake_rm_fault(vt->f, FAKE_RM_SHARE, 0, 1, FAKE_RM_LOST_REQUEST, 0);
	fake_rm_fault(vt->f, FAKE_RM_GET_STATE, 0, FAKE_RM_ALWAYS, FAKE_RM_LOST_REQUEST, 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -ETIMEDOUT);
	check_fdinfo(vt, vm, "state:\tfailed\n");
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), IMAGE_PAGES + SHARED_PAGES);
	KUNIT_EXPECT_EQ(test, vm_pinned_of(vt, &read_region), 0);
}

/* One VM that never comes out does not keep the others in. */
static void quarantine_is_not_a_queue(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vms[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(vms); i++) {
		vms[i] = vm_new(vt);
		KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vms[i], &spare_region), 0);
		KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vms[i], spare_region.gpa, 1), 0);
	}

	/* An answer about the first one's memory is missing. */
	fake_rm_fault(vt->f, FAKE_RM_LEND, 0, 1, FAKE_RM_BAD_REPLY, 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vms[0]), -EPROTO);
	for (i = 1; i < ARRAY_SIZE(vms); i++)
		KUNIT_EXPECT_EQ(test, vm_start(vt, vms[i]), 0);
	fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 0, FAKE_RM_ALWAYS, FAKE_RM_REFUSED, REFUSAL);
	for (i = 0; i < ARRAY_SIZE(vms); i++) {
		vm_close(vt, vms[i]);
		vm_settle(vt, vms[i]);
		KUNIT_EXPECT_EQ(test, gh_vm_state(vms[i]->ghvm), GH_VM_QUARANTINED);
	}

	fake_rm_no_faults(vt->f);
	gh_vm_retry_quarantined(vt->mgr);
	for (i = 0; i < ARRAY_SIZE(vms); i++)
		vm_settle(vt, vms[i]);
	for (i = 1; i < ARRAY_SIZE(vms); i++)
		vm_expect_gone(vt, vms[i]);
	KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), (unsigned long)SPARE_PAGES);

	fake_rm_answer_late(vt->f);
	vm_settle(vt, vms[0]);
	vm_expect_gone(vt, vms[0]);
}

/* A resource manager that does not answer is not asked for each VM in turn. */
static void quarantine_gives_up(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vms[3];
	unsigned int asked;
	int i;

	for (i = 0; i < ARRAY_SIZE(vms); i++) {
		vms[i] = vm_new(vt);
		KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vms[i], &spare_region), 0);
		KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vms[i], spare_region.gpa, 1), 0);
		KUNIT_EXPECT_EQ(test, vm_start(vt, vms[i]), 0);
	}
	fake_rm_fault(vt->f, FAKE_RM_STOP, 0, FAKE_RM_ALWAYS, FAKE_RM_LOST_REQUEST, 0);
	for (i = 0; i < ARRAY_SIZE(vms); i++) {
		vm_close(vt, vms[i]);
		vm_settle(vt, vms[i]);
	}

	asked = vt->f->calls[FAKE_RM_STOP];
	gh_vm_retry_quarantined(vt->mgr);
	vm_settle(vt, vms[0]);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_STOP], asked + 1);
	KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), 3UL * SPARE_PAGES);
}

/* A second request to try again, while the first has taken the VMs off the list */
static void retry_during_retry(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	fake_rm_fault(vt->f, FAKE_RM_STOP, 0, 2, FAKE_RM_LOST_REQUEST, 0);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);

	/* The first asks in vain, the second does not. */
	fake_rm_gate(vt->f, FAKE_RM_STOP, false);
	gh_vm_retry_quarantined(vt->mgr);
	fake_rm_wait_gate(vt->f);
	KUNIT_EXPECT_TRUE(test, list_empty(&vt->mgr->quarantine));
	gh_vm_retry_quarantined(vt->mgr);
	fake_rm_open_gate(vt->f);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_STOP], 3);
}

/* The VMID of a refused image is lost once, however often the VM is tried again. */
static void vmid_of_refused_image_is_counted_once(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	fake_rm_fault(vt->f, FAKE_RM_CONFIGURE, 0, 1, FAKE_RM_FAILED, REFUSAL);
	fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 0, FAKE_RM_ALWAYS, FAKE_RM_REFUSED, REFUSAL);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), REFUSAL);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), COMPLETE_PAGES);

	fake_rm_no_faults(vt->f);
	gh_vm_retry_quarantined(vt->mgr);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(vt->f->rm, GH_RM_STAT_LOST_VMIDS), 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RESET], 0);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_DEALLOC_VMID], 0);
}

/* It says that the guest is to stop, and the guest runs on. */
static void guest_that_does_not_stop(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	vt->f->stop_stuck = true;
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), COMPLETE_PAGES);
	/* Asked once whether it has, and then not waited for again */
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_STOP], 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_GET_STATE], 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RESET], 0);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RECLAIM], 0);
	KUNIT_EXPECT_EQ(test, vt->f->illegal, 0);

	fake_rm_no_faults(vt->f);
	gh_vm_retry_quarantined(vt->mgr);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_EXITED);
}

/* Two VMs in quarantine: the first runs, memory of the second was refused. */
static void quarantine_two(struct vm_test *vt, struct vm *vms[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		vms[i] = vm_new(vt);
		KUNIT_EXPECT_EQ(vt->test, vm_add_mem(vt, vms[i], &spare_region), 0);
		KUNIT_EXPECT_EQ(vt->test, vm_set_dtb(vt, vms[i], spare_region.gpa, 1), 0);
		KUNIT_EXPECT_EQ(vt->test, vm_start(vt, vms[i]), 0);
	}
	fake_rm_fault(vt->f, FAKE_RM_STOP, 0, 1, FAKE_RM_LOST_REQUEST, 0);
	fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 0, FAKE_RM_ALWAYS, FAKE_RM_REFUSED, REFUSAL);
	for (i = 0; i < 2; i++) {
		vm_close(vt, vms[i]);
		vm_settle(vt, vms[i]);
		KUNIT_EXPECT_EQ(vt->test, gh_vm_state(vms[i]->ghvm), GH_VM_QUARANTINED);
	}
	fake_rm_no_faults(vt->f);
}

/* A VM that does not move, or goes in circles, does not keep the others in. */
static void quarantine_with_a_stuck_vm(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vms[2];
	int circles;

	for (circles = 0; circles < 2; circles++) {
		quarantine_two(vt, vms);
		if (circles)
			fake_rm_fault(vt->f, FAKE_RM_RESET, 0, FAKE_RM_ALWAYS, FAKE_RM_REFUSED,
				      REFUSAL);
		else
			vt->f->stop_stuck = true;
		gh_vm_retry_quarantined(vt->mgr);
		vm_settle(vt, vms[0]);
		KUNIT_EXPECT_EQ(test, gh_vm_state(vms[0]->ghvm), GH_VM_QUARANTINED);
		vm_settle(vt, vms[1]);
		vm_expect_gone(vt, vms[1]);

		fake_rm_no_faults(vt->f);
		gh_vm_retry_quarantined(vt->mgr);
		vm_settle(vt, vms[0]);
		vm_expect_gone(vt, vms[0]);
	}
}

/* One about which nothing is answered costs a deadline, and is asked about last then. */
static void quarantine_with_silence_about_one(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vms[2];

	quarantine_two(vt, vms);
	fake_rm_fault(vt->f, FAKE_RM_STOP, 0, FAKE_RM_ALWAYS, FAKE_RM_LOST_REQUEST, 0);
	gh_vm_retry_quarantined(vt->mgr);
	vm_settle(vt, vms[0]);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vms[0]->ghvm), GH_VM_QUARANTINED);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vms[1]->ghvm), GH_VM_QUARANTINED);

	gh_vm_retry_quarantined(vt->mgr);
	vm_settle(vt, vms[0]);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vms[0]->ghvm), GH_VM_QUARANTINED);
	vm_settle(vt, vms[1]);
	vm_expect_gone(vt, vms[1]);
}

/* The reset takes longer than anybody waits for it. */
static void slow_reset(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	vt->f->reset_stuck = true;
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), COMPLETE_PAGES);
	/* Asked for once, and taken for what it is */
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RESET], 1);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RECLAIM], 0);
	KUNIT_EXPECT_EQ(test, vt->f->illegal, 0);

	fake_rm_finish_resets(vt->f);
	gh_vm_retry_quarantined(vt->mgr);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RESET], 1);
}

/* That it waited in vain because of a lie does not keep it from waiting when it is true. */
static void reset_told_too_early(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm_thread *closer;

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_VM_EXIT, NULL, 0);
	fake_rm_notify_status(vt->f, vm->ghvm->vmid, GH_RM_VM_STATUS_RESETTING);
	fake_rm_flush(vt->f);
	vt->f->reset_stuck = true;
	fake_rm_gate(vt->f, FAKE_RM_RESET, true);
	closer = vm_thread_start(vt, vm_close, vm);
	fake_rm_wait_gate(vt->f);
	*gh_rm_call_timeout_ms(vt->f->rm) = jiffies_to_msecs(FAKE_RM_PATIENCE);
	fake_rm_open_gate(vt->f);
	/* Nobody is told that somebody waits, and nothing depends on seeing it at once. */
	while (!waitqueue_active(&vm->ghvm->status_wait) && !completion_done(&vm->ghvm->torn_down))
		schedule_timeout_uninterruptible(1);
	fake_rm_finish_resets(vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(closer), 0);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
}

/* The answer about a region comes while the file of the failed VM is open. */
static void late_answer_before_close(struct kunit *test)
{
	static const enum fake_rm_outcome outcomes[] = { FAKE_RM_LOST_REPLY,
							 FAKE_RM_LOST_REQUEST };
	struct vm_test *vt = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(outcomes); i++) {
		struct vm *vm = vm_new_complete(vt);

		fake_rm_fault(vt->f, FAKE_RM_SHARE, 0, 1, outcomes[i], 0);
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -ETIMEDOUT);
		fake_rm_answer_late(vt->f);
		KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_FAILED);
		vm_close(vt, vm);
		vm_settle(vt, vm);
		vm_expect_gone(vt, vm);
		KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
	}
}

/* It comes while the start that gave up on it is being undone. */
/* The resource manager did not take it after all, and so the platform is to give it back. */
static void late_refusal_with_a_platform(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	vt->f->platform = true;
	fake_rm_fault(vt->f, FAKE_RM_SHARE, 0, 1, FAKE_RM_LOST_REQUEST, 0);
	fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 1, 1, FAKE_RM_KEPT, 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -ETIMEDOUT);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), SHARED_PAGES);

	/* It takes two attempts. */
	fake_rm_answer_late(vt->f);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RECLAIM], 3);
}

static void late_answer_during_undo(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm_thread *starter, *late;

	fake_rm_fault(vt->f, FAKE_RM_SHARE, 0, 1, FAKE_RM_LOST_REPLY, 0);
	fake_rm_gate(vt->f, FAKE_RM_GET_STATE, false);
	starter = vm_thread_start(vt, vm_start, vm);
	fake_rm_wait_gate(vt->f);
	late = vm_thread_start(vt, vm_answer_late, vm);
	fake_rm_open_gate(vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(late), 0);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
}

/* What is quarantined when the device goes away is tried once more. */
static void removal_of_quarantined(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	vm_quarantine(vt, vm);

	fake_rm_no_faults(vt->f);
	KUNIT_EXPECT_EQ(test, vm_remove_device(vt, vm), 0);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), 0UL);
}

/* What only the last attempt brings back is not shown as quarantined for ever. */
static void removal_ends_the_quarantine(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	/* Each of the three regions, and both times that it is asked for */
	fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 0, 6, FAKE_RM_REFUSED, REFUSAL);
	KUNIT_EXPECT_EQ(test, vm_remove_device(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RECLAIM], 9);
	KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), 0UL);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
	check_fdinfo(vt, vm, "state:\texited\n");
	check_fdinfo(vt, vm, "regions:\t0\n");
	KUNIT_EXPECT_EQ(test, vm_poll(vm), VM_POLL_HUP);
	vm_expect_gone(vt, vm);
}

/* VMs in every state at once */
static void removal_of_many(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vms[4];
	int i;

	for (i = 0; i < ARRAY_SIZE(vms); i++) {
		vms[i] = vm_new(vt);
		KUNIT_EXPECT_EQ(test, vm_add_mem(vt, vms[i], &spare_region), 0);
		KUNIT_EXPECT_EQ(test, vm_set_dtb(vt, vms[i], spare_region.gpa, 1), 0);
	}
	KUNIT_EXPECT_EQ(test, vm_start(vt, vms[1]), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vms[2]), 0);
	fake_rm_guest_exits(vt->f, vms[2]->ghvm->vmid, GH_VM_EXIT_TYPE_VM_EXIT, NULL, 0);
	fake_rm_fault(vt->f, FAKE_RM_START, 0, 1, FAKE_RM_FAILED, REFUSAL);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vms[3]), REFUSAL);

	KUNIT_EXPECT_EQ(test, vm_remove_device(vt, vms[0]), 0);
	KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
	KUNIT_EXPECT_EQ(test, vm_pinned(vt), 0);
	for (i = 0; i < ARRAY_SIZE(vms); i++)
		KUNIT_EXPECT_EQ(test, vm_start(vt, vms[i]), -ENODEV);
}

/* Who was on the way into the ioctl when the device went away comes too late. */
static void start_after_removal(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct gh_userspace_memory_region region = {
		.flags = GH_MEM_ALLOW_READ | GH_MEM_LENT,
		.guest_phys_addr = IMAGE_GPA,
		.memory_size = PAGE_SIZE,
		.userspace_addr = vt->mem,
	};
	struct vm *vm;

	KUNIT_EXPECT_EQ(test, vm_remove_device(vt, NULL), 0);
	vm = vm_new(vt);
	KUNIT_EXPECT_EQ(test, gh_vm_mem_set(vm->ghvm, &region), 0);
	vm->ghvm->dtb = (struct gh_vm_dtb_config) { .guest_phys_addr = IMAGE_GPA, .size = 1 };
	vm->ghvm->dtb_set = true;
	/* fake_rm_enter() fails the test if this asks for anything. */
	KUNIT_EXPECT_EQ(test, gh_vm_start(vm->ghvm), -ENODEV);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_NEW);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
}

/* Another VM of ours has the VMID already: it must not be taken from it. */
static void vmid_given_out_twice(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	fake_rm_fault(vt->f, FAKE_RM_LISTEN, 0, 1, FAKE_RM_REFUSED, -EBUSY);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -EPROTO);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_DEALLOC_VMID], 0);
	fake_rm_forget_vms(vt->f);
}

/*
 * Whatever happens: random faults, the same for the same seed
 */

#define RANDOM_RUNS	150

static void random_faults(struct kunit *test)
{
	static const enum fake_rm_op ops[] = {
		FAKE_RM_ALLOC_VMID, FAKE_RM_LEND, FAKE_RM_SHARE, FAKE_RM_CONFIGURE, FAKE_RM_INIT,
		FAKE_RM_GET_RESOURCES, FAKE_RM_START, FAKE_RM_STOP, FAKE_RM_RESET,
		FAKE_RM_GET_STATE, FAKE_RM_RECLAIM, FAKE_RM_DEALLOC_VMID,
	};
	struct vm_test *vt = test->priv;
	struct rnd_state rnd;
	unsigned int run, i;

	vt->lies = true;
	*gh_rm_call_timeout_ms(vt->f->rm) = 1;
	for (run = 0; run < RANDOM_RUNS; run++) {
		struct vm *vm = vm_new_complete(vt);
		unsigned int n;

		prandom_seed_state(&rnd, run + 1);
		n = 1 + prandom_u32_state(&rnd) % 4;
		for (i = 0; i < n; i++)
			fake_rm_fault(vt->f, ops[prandom_u32_state(&rnd) % ARRAY_SIZE(ops)],
				      prandom_u32_state(&rnd) % 3, 1 + prandom_u32_state(&rnd) % 2,
				      FAKE_RM_REFUSED + prandom_u32_state(&rnd) %
				      (FAKE_RM_NR_OUTCOMES - FAKE_RM_REFUSED), REFUSAL);
		vt->f->exit_at_start = prandom_u32_state(&rnd) & 1;
		vt->f->twice = prandom_u32_state(&rnd) & 1;
		if (prandom_u32_state(&rnd) & 1)
			vt->f->drop_status = prandom_u32_state(&rnd);
		vt->f->drop_exited = prandom_u32_state(&rnd) & 1;

		vm_start(vt, vm);
		if (prandom_u32_state(&rnd) & 1)
			fake_rm_answer_late(vt->f);
		vm_close(vt, vm);
		vm_settle(vt, vm);
		KUNIT_EXPECT_EQ(test, vm_pinned(vt), fake_rm_pages(vt->f));
		KUNIT_EXPECT_EQ(test, vt->mm->locked_vm, fake_rm_pages(vt->f));

		/* And when it is well again */
		fake_rm_no_faults(vt->f);
		fake_rm_answer_late(vt->f);
		gh_vm_retry_quarantined(vt->mgr);
		vm_settle(vt, vm);
		vm_expect_gone(vt, vm);
		KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), 0UL);
		vm_forget(vt, vm);
		fake_rm_forget_vms(vt->f);
		if (test->status == KUNIT_FAILURE) {
			kunit_info(test, "seed %u\n", run + 1);
			break;
		}
	}
}

static struct kunit_case vm_mgr_state_cases[] = {
	KUNIT_CASE(lifecycle),
	KUNIT_CASE(close_while_running),
	KUNIT_CASE(close_without_start),
	KUNIT_CASE_PARAM(state_event, state_event_gen_params),
	KUNIT_CASE_PARAM(start_fails, start_fails_gen_params),
	KUNIT_CASE_PARAM(teardown_fails, teardown_fails_gen_params),
	KUNIT_CASE_PARAM(found_in_state, found_gen_params),
	KUNIT_CASE(nonsense_state_once),
	KUNIT_CASE(exited_before_start_reply),
	KUNIT_CASE(exited_while_starting),
	KUNIT_CASE(status_without_exited),
	KUNIT_CASE(close_while_waiting_for_exited),
	KUNIT_CASE(notifications_go_wrong),
	KUNIT_CASE(notifications_of_the_last_owner),
	KUNIT_CASE(stale_notifications),
	KUNIT_CASE(stale_notification_and_a_start),
	KUNIT_CASE(everything_lost),
	KUNIT_CASE(concurrent_start),
	KUNIT_CASE(others_go_on),
	KUNIT_CASE(start_is_killable),
	KUNIT_CASE(close_while_starting),
	KUNIT_CASE(close_waits),
	KUNIT_CASE(close_is_killable),
	KUNIT_CASE_SLOW(close_that_no_signal_ends_ends_by_itself),
	KUNIT_CASE(close_by_who_exits_waits_a_while),
	KUNIT_CASE(who_is_killed_does_not_wait_for_a_lock),
	KUNIT_CASE(start_needs),
	KUNIT_CASE(start_needs_a_provider),
	KUNIT_CASE(dtb_window_is_rounded),
	KUNIT_CASE(wrong_ioctls),
	KUNIT_CASE(fdinfo),
	KUNIT_CASE(device_file),
	KUNIT_CASE(device_file_after_removal),
	KUNIT_CASE(quarantine),
	KUNIT_CASE(quarantine_of_part),
	KUNIT_CASE(quarantine_is_not_a_queue),
	KUNIT_CASE(quarantine_gives_up),
	KUNIT_CASE(retry_during_retry),
	KUNIT_CASE(vmid_of_refused_image_is_counted_once),
	KUNIT_CASE(guest_that_does_not_stop),
	KUNIT_CASE(quarantine_with_a_stuck_vm),
	KUNIT_CASE(quarantine_with_silence_about_one),
	KUNIT_CASE(slow_reset),
	KUNIT_CASE(reset_told_too_early),
	KUNIT_CASE(late_answer_before_close),
	KUNIT_CASE(late_refusal_with_a_platform),
	KUNIT_CASE(late_answer_during_undo),
	KUNIT_CASE(removal_of_quarantined),
	KUNIT_CASE(removal_ends_the_quarantine),
	KUNIT_CASE(removal_of_many),
	KUNIT_CASE(start_after_removal),
	KUNIT_CASE(vmid_given_out_twice),
	KUNIT_CASE(random_faults),
	{}
};

static struct kunit_suite vm_mgr_state_suite = {
	.name = "gunyah_vm_mgr_state",
	.init = vm_test_init,
	.exit = vm_test_exit,
	.test_cases = vm_mgr_state_cases,
};

kunit_test_suite(vm_mgr_state_suite);

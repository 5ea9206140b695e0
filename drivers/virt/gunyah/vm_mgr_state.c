// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM manager: the state machine of a VM
 *
 * There are two states. The VM's own (enum gh_vm_state) is what its user sees and
 * what decides which ioctl is allowed. The one in the resource manager (enum
 * gh_rm_vm_status) decides which message is legal, and an illegal one can take the
 * platform down. We follow the latter by what we ask for and by notifications, and
 * ask the resource manager where neither tells.
 *
 * Dealing with the resource manager takes time, and need not end well. It is done
 * by works, one at a time under gh_vm::rm_lock: one starts the VM, one ends it.
 * Users wait for them and can be killed while they wait.
 *
 * To undo a start, however far it got, and to end a VM are the same thing: lead
 * the VM to a state in which the resource manager lets go of it, take back the
 * memory, give back the VMID. gh_vm_unwind() does the first:
 *
 *    LOAD, RESET                 here it lets go
 *    INIT                        there is no way back: VM_INIT, then see
 *    RUNNING, PAUSED             VM_STOP, wait for EXITED
 *    READY, EXITED, INIT_FAILED  VM_RESET, wait for RESET
 *    INIT_FAILED, but the image was refused
 *                                VM_RESET might take the resource manager down. It
 *                                gives the memory back, but never the VMID.
 *
 * What cannot be taken back is quarantined: the VM outlives its file, its pages
 * stay pinned and charged, and it is tried again when the resource manager shows
 * that it is alive.
 */

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <trace/events/gunyah.h>

#include "vm_mgr.h"

/* VM_EXITED follows the VM_STATUS that says the same. After this it is lost. */
#define GH_VM_EXITED_GRACE	msecs_to_jiffies(1000)

/* States that a VM passes through on its way out; more steps than this is a loop. */
#define GH_VM_UNWIND_STEPS	8

#define GH_VM_TEARDOWN_QUEUED	0

static struct workqueue_struct *gh_vm_wq;

GH_VM_STATE_NAMES(GH_RM_NAME_TABLE, gh_vm_state_names);
GH_RM_VM_STATUS_NAMES(GH_RM_NAME_TABLE, gh_vm_rm_status_names);

static const char *gh_vm_name(const struct gh_rm_name *names, size_t n, u32 value)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (names[i].value == value)
			return names[i].name;

	return "?";
}

/**
 * gh_vm_state_name() - The name of a state, for people
 * @state: the state
 *
 * Context: Any.
 * Return: a string.
 */
const char *gh_vm_state_name(enum gh_vm_state state)
{
	return gh_vm_name(gh_vm_state_names, ARRAY_SIZE(gh_vm_state_names), state);
}

/**
 * gh_vm_rm_status_name() - The name of a state in the resource manager, for people
 * @status: the state
 *
 * Context: Any.
 * Return: a string.
 */
const char *gh_vm_rm_status_name(enum gh_rm_vm_status status)
{
	return gh_vm_name(gh_vm_rm_status_names, ARRAY_SIZE(gh_vm_rm_status_names), status);
}

/**
 * gh_vm_state() - State of a VM at this moment
 * @ghvm: the VM
 *
 * Context: Any.
 * Return: the state. It may have changed already, unless what the caller holds
 * excludes that.
 */
enum gh_vm_state gh_vm_state(struct gh_vm *ghvm)
{
	return READ_ONCE(ghvm->state);
}

static void gh_vm_set_state(struct gh_vm *ghvm, enum gh_vm_state state)
{
	lockdep_assert_held_write(&ghvm->status_lock);

	trace_gh_vm_state(ghvm, ghvm->state, state);
	WRITE_ONCE(ghvm->state, state);
	wake_up_all(&ghvm->status_wait);
}

/*
 * What the resource manager told
 */

/*
 * A VM never goes back in the resource manager. A notification that comes later
 * than the reply to what caused it is therefore recognised as old.
 */
static unsigned int gh_vm_rm_progress(enum gh_rm_vm_status status)
{
	switch (status) {
	case GH_RM_VM_STATUS_NO_STATE:
		return 0;
	case GH_RM_VM_STATUS_LOAD:
		return 1;
	case GH_RM_VM_STATUS_AUTH:
	case GH_RM_VM_STATUS_INIT:
		return 2;
	case GH_RM_VM_STATUS_READY:
		return 3;
	case GH_RM_VM_STATUS_RUNNING:
	case GH_RM_VM_STATUS_PAUSED:
		return 4;
	case GH_RM_VM_STATUS_INIT_FAILED:
	case GH_RM_VM_STATUS_EXITED:
		return 5;
	case GH_RM_VM_STATUS_RESETTING:
		return 6;
	case GH_RM_VM_STATUS_RESET:
		return 7;
	}

	return 0;
}

static void gh_vm_set_rm_status(struct gh_vm *ghvm, enum gh_rm_vm_status status)
{
	lockdep_assert_held_write(&ghvm->status_lock);

	/* It is told twice, with a reply and by a notification. */
	if (ghvm->rm_status == status)
		return;

	trace_gh_vm_rm_status(ghvm, ghvm->rm_status, status);
	WRITE_ONCE(ghvm->rm_status, status);
}

static void gh_vm_rm_status_told(struct gh_vm *ghvm, enum gh_rm_vm_status status)
{
	lockdep_assert_held_write(&ghvm->status_lock);

	/* A state that there is not tells nothing. */
	if (!gh_vm_rm_progress(status) ||
	    gh_vm_rm_progress(status) < gh_vm_rm_progress(ghvm->rm_status))
		return;

	gh_vm_set_rm_status(ghvm, status);
	ghvm->rm_status_known = true;
	wake_up_all(&ghvm->status_wait);
}

/* Believe nothing of what was told before: the next to need it will ask. */
static void gh_vm_forget_rm_status(struct gh_vm *ghvm)
{
	down_write(&ghvm->status_lock);
	gh_vm_set_rm_status(ghvm, GH_RM_VM_STATUS_NO_STATE);
	ghvm->rm_status_known = false;
	up_write(&ghvm->status_lock);
}

/* The outcome of a call that leads to a state */
static void gh_vm_rm_status_after(struct gh_vm *ghvm, int ret, enum gh_rm_vm_status status)
{
	if (ret) {
		gh_vm_forget_rm_status(ghvm);
		return;
	}

	down_write(&ghvm->status_lock);
	gh_vm_rm_status_told(ghvm, status);
	up_write(&ghvm->status_lock);
}

static void gh_vm_set_exited(struct gh_vm *ghvm, u16 type, const void *reason, size_t reason_size)
{
	struct gh_vm_exit_info *info = &ghvm->exit_info;

	lockdep_assert_held_write(&ghvm->status_lock);

	/* The first is the one that counts, and a VM ends after it began. */
	if (ghvm->exited || !ghvm->start_asked)
		return;

	ghvm->exited = true;
	info->type = type;
	info->reason_size = min_t(size_t, reason_size, sizeof(info->reason));
	if (info->reason_size)
		memcpy(info->reason, reason, info->reason_size);

	/* If the VM is starting, it ended before the start was answered. */
	if (ghvm->state == GH_VM_RUNNING)
		gh_vm_set_state(ghvm, GH_VM_EXITED);
	wake_up_all(&ghvm->status_wait);
}

static void gh_vm_exit_work(struct work_struct *work)
{
	struct gh_vm *ghvm = container_of(to_delayed_work(work), struct gh_vm, exit_work);

	down_write(&ghvm->status_lock);
	gh_vm_set_exited(ghvm, ghvm->expected_exit, NULL, 0);
	up_write(&ghvm->status_lock);
}

/* The guest has ended: the message that says how is to come soon, or was lost. */
static void gh_vm_await_exited(struct gh_vm *ghvm)
{
	lockdep_assert_held_write(&ghvm->status_lock);

	if (ghvm->start_asked && !ghvm->exited && ghvm->state <= GH_VM_RUNNING)
		queue_delayed_work(gh_vm_wq, &ghvm->exit_work, GH_VM_EXITED_GRACE);
}

/**
 * gh_vm_expect_exit() - One of the VM's vCPUs shows that the guest has ended
 * @ghvm: the VM
 * @exit_type: enum gh_vm_exit_type: how, as far as the vCPU shows
 *
 * The resource manager will say so, too, and more precisely. If it does not within
 * a second the VM has ended like this.
 *
 * Context: Process context. May sleep.
 */
void gh_vm_expect_exit(struct gh_vm *ghvm, u16 exit_type)
{
	down_write(&ghvm->status_lock);
	if (ghvm->expected_exit == GH_VM_EXIT_TYPE_UNKNOWN)
		ghvm->expected_exit = exit_type;
	gh_vm_await_exited(ghvm);
	up_write(&ghvm->status_lock);
}
EXPORT_SYMBOL_GPL(gh_vm_expect_exit);

static void gh_vm_notify_status(struct gh_rm_listener *listener, enum gh_rm_vm_status status)
{
	struct gh_vm *ghvm = container_of(listener, struct gh_vm, listener);

	if (!gh_vm_rm_progress(status)) {
		dev_warn_ratelimited(gh_rm_device(ghvm->rm), "VM %u is said to be in state %d\n",
				     ghvm->vmid, status);
		return;
	}

	down_write(&ghvm->status_lock);
	gh_vm_rm_status_told(ghvm, status);
	if (status == GH_RM_VM_STATUS_EXITED)
		gh_vm_await_exited(ghvm);
	up_write(&ghvm->status_lock);
}

static void gh_vm_notify_exited(struct gh_rm_listener *listener, u16 exit_type,
				const void *reason, size_t reason_size)
{
	struct gh_vm *ghvm = container_of(listener, struct gh_vm, listener);

	down_write(&ghvm->status_lock);
	gh_vm_rm_status_told(ghvm, GH_RM_VM_STATUS_EXITED);
	gh_vm_set_exited(ghvm, exit_type, reason, reason_size);
	up_write(&ghvm->status_lock);
}

/*
 * The VM's state in the resource manager, asked for if need be.
 *
 * A message that is legal only for a VM that was configured takes the platform
 * down if sent to another one. As long as we do not know that the VM was, only an
 * answer counts: a notification may be old, and the VM's that had the VMID before.
 */
static int gh_vm_get_rm_status(struct gh_vm *ghvm, enum gh_rm_vm_status *status)
{
	enum gh_rm_vm_status answer;
	bool known;
	int ret;

	lockdep_assert_held(&ghvm->rm_lock);

	/* What was sent before the last reply may tell. */
	ghvm->rm_ops->flush_notifications(ghvm->rm);

	down_read(&ghvm->status_lock);
	*status = ghvm->rm_status;
	known = ghvm->rm_status_known && ghvm->configured;
	up_read(&ghvm->status_lock);
	if (known)
		return 0;

	gh_vm_forget_rm_status(ghvm);
	ret = ghvm->rm_ops->vm_get_state(ghvm->rm, ghvm->vmid, &answer);
	if (ret)
		return ret;

	if (!gh_vm_rm_progress(answer))
		return -EPROTO;

	ghvm->rm_ops->flush_notifications(ghvm->rm);

	down_write(&ghvm->status_lock);
	if (!ghvm->configured)
		gh_vm_set_rm_status(ghvm, GH_RM_VM_STATUS_NO_STATE);
	/* Else what arrived meanwhile is older than the answer or goes beyond it. */
	gh_vm_rm_status_told(ghvm, answer);
	*status = ghvm->rm_status;
	up_write(&ghvm->status_lock);

	/* A VM gets to the other states only if it was. */
	if (answer != GH_RM_VM_STATUS_LOAD && answer != GH_RM_VM_STATUS_INIT_FAILED)
		ghvm->configured = true;

	return 0;
}

/* Wait for a notification that the VM has left a state, or for the time to ask. */
static void gh_vm_wait_rm_status_change(struct gh_vm *ghvm, enum gh_rm_vm_status from)
{
	unsigned long timeout = msecs_to_jiffies(READ_ONCE(*gh_rm_call_timeout_ms(ghvm->rm)));

	if (!wait_event_timeout(ghvm->status_wait, READ_ONCE(ghvm->rm_status) != from, timeout))
		gh_vm_forget_rm_status(ghvm);
}

/*
 * Ending
 */

/* Lead the VM to where the resource manager lets go of it, see above. */
static int gh_vm_unwind(struct gh_vm *ghvm)
{
	enum gh_rm_vm_status status, waited_in = GH_RM_VM_STATUS_NO_STATE;
	const struct gh_rm_ops *ops = ghvm->rm_ops;
	int ret, i;

	for (i = 0; i < GH_VM_UNWIND_STEPS; i++) {
		ret = gh_vm_get_rm_status(ghvm, &status);
		if (ret)
			return ret;

		/*
		 * Asked at the deadline, and nothing has changed: do not wait again.
		 * It is the VM that is stuck, the resource manager answers.
		 */
		if (status == waited_in)
			return -EBUSY;
		waited_in = GH_RM_VM_STATUS_NO_STATE;

		switch (status) {
		case GH_RM_VM_STATUS_LOAD:
		case GH_RM_VM_STATUS_RESET:
			return 0;

		case GH_RM_VM_STATUS_INIT:
			ret = ops->vm_init(ghvm->rm, ghvm->vmid, NULL);
			gh_vm_rm_status_after(ghvm, ret, GH_RM_VM_STATUS_READY);
			break;

		case GH_RM_VM_STATUS_RUNNING:
		case GH_RM_VM_STATUS_PAUSED:
			ret = ops->vm_stop(ghvm->rm, ghvm->vmid);
			if (ret) {
				gh_vm_forget_rm_status(ghvm);
				break;
			}
			/* That it was accepted does not mean that the VM has stopped. */
			waited_in = status;
			gh_vm_wait_rm_status_change(ghvm, status);
			break;

		case GH_RM_VM_STATUS_INIT_FAILED:
			if (!ghvm->configured) {
				if (!ghvm->vmid_lost)
					gh_rm_count(ghvm->rm, GH_RM_STAT_LOST_VMIDS);
				ghvm->vmid_lost = true;
				return 0;
			}
			fallthrough;
		case GH_RM_VM_STATUS_READY:
		case GH_RM_VM_STATUS_EXITED:
			down_write(&ghvm->status_lock);
			if (ghvm->state == GH_VM_STOPPING)
				gh_vm_set_state(ghvm, GH_VM_RESETTING);
			up_write(&ghvm->status_lock);

			ret = ops->vm_reset(ghvm->rm, ghvm->vmid);
			gh_vm_rm_status_after(ghvm, ret, GH_RM_VM_STATUS_RESETTING);
			break;

		case GH_RM_VM_STATUS_RESETTING:
			waited_in = status;
			gh_vm_wait_rm_status_change(ghvm, status);
			break;

		default:
			gh_vm_forget_rm_status(ghvm);
			return -EPROTO;
		}

		/* It does not answer: do not spend a deadline on each further question. */
		if (gh_rm_is_silent(ret))
			return ret;
	}

	return -EBUSY;
}

/**
 * gh_vm_undo() - Take everything back from the resource manager
 * @ghvm: the VM
 *
 * May be called again after it failed.
 *
 * Context: Process context. gh_vm::rm_lock is held.
 * Return: 0 if the resource manager has nothing of the VM any more.
 */
static int gh_vm_undo(struct gh_vm *ghvm)
{
	int ret;

	lockdep_assert_held(&ghvm->rm_lock);

	if (!ghvm->vmid)
		return 0;

	gh_vm_remove_resources(ghvm);

	ret = gh_vm_unwind(ghvm);
	if (ret)
		return ret;

	ret = gh_vm_mem_reclaim_all(ghvm);
	if (ret && !gh_rm_is_silent(ret)) {
		/* Perhaps the VM is not where a notification said: ask, and again. */
		gh_vm_forget_rm_status(ghvm);
		ret = gh_vm_unwind(ghvm);
		if (!ret)
			ret = gh_vm_mem_reclaim_all(ghvm);
	}
	if (ret)
		return ret;

	/* Before the VMID is somebody else's. */
	if (ghvm->listening) {
		ghvm->rm_ops->unlisten(ghvm->rm, ghvm->vmid);
		ghvm->listening = false;
	}

	if (!ghvm->vmid_lost) {
		ret = ghvm->rm_ops->dealloc_vmid(ghvm->rm, ghvm->vmid);
		/*
		 * Only ever once: a VMID that is not ours makes the resource
		 * manager assert, and after this we cannot tell.
		 */
		if (ret) {
			ghvm->vmid_lost = true;
			gh_rm_count(ghvm->rm, GH_RM_STAT_LOST_VMIDS);
			dev_warn(gh_rm_device(ghvm->rm), "VMID %u is lost: %d\n", ghvm->vmid, ret);
		}
	}

	WRITE_ONCE(ghvm->vmid, 0);
	return 0;
}

static void gh_vm_teardown_work(struct work_struct *work)
{
	struct gh_vm *ghvm = container_of(work, struct gh_vm, teardown_work);
	struct gh_vm_mgr *mgr = ghvm->mgr;
	bool had_vmid;
	int ret;

	/* It ends within its deadlines, and what it started is then known. */
	flush_work(&ghvm->start_work);

	down_write(&ghvm->status_lock);
	gh_vm_set_state(ghvm, GH_VM_STOPPING);
	up_write(&ghvm->status_lock);
	/* Now it is not queued any more. */
	cancel_delayed_work_sync(&ghvm->exit_work);

	mutex_lock(&ghvm->rm_lock);
	had_vmid = ghvm->vmid;
	ret = gh_vm_undo(ghvm);
	gh_vm_mem_release(ghvm);

	down_write(&ghvm->status_lock);
	gh_vm_set_state(ghvm, ret ? GH_VM_QUARANTINED : GH_VM_EXITED);
	up_write(&ghvm->status_lock);

	if (ret) {
		/* Before a late answer can come that is to find it there */
		mutex_lock(&mgr->lock);
		list_add_tail(&ghvm->quarantine_node, &mgr->quarantine);
		mutex_unlock(&mgr->lock);
		dev_warn(gh_rm_device(ghvm->rm), "VM %u is quarantined: %d\n", ghvm->vmid, ret);
	}
	mutex_unlock(&ghvm->rm_lock);

	complete_all(&ghvm->torn_down);

	/* Its pages are still somebody else's: the quarantine keeps VM and module. */
	if (ret)
		return;

	if (had_vmid)
		gh_vm_retry_quarantined(mgr);

	gh_vm_put(ghvm);
	module_put(THIS_MODULE);
}

/**
 * gh_vm_teardown() - Begin to end a VM
 * @ghvm: the VM
 *
 * Stops the guest, takes back the memory and the VMID, and unpins the memory.
 * gh_vm::torn_down is completed when that is done, which takes a few deadlines of
 * the resource manager at most. May be called more than once.
 *
 * Context: Process context.
 */
void gh_vm_teardown(struct gh_vm *ghvm)
{
	if (test_and_set_bit(GH_VM_TEARDOWN_QUEUED, &ghvm->teardown_queued))
		return;

	/* The work may outlast the file, and must not be outlasted by the module. */
	__module_get(THIS_MODULE);
	gh_vm_get(ghvm);
	queue_work(gh_vm_wq, &ghvm->teardown_work);
}

/* Works through the quarantine once, unless the resource manager is silent. */
static void gh_vm_retry_work(struct work_struct *work)
{
	struct gh_vm_mgr *mgr = container_of(work, struct gh_vm_mgr, retry_work);
	struct gh_vm *ghvm, *next;
	LIST_HEAD(list);
	int ret = 0;

	mutex_lock(&mgr->lock);
	list_splice_init(&mgr->quarantine, &list);
	mutex_unlock(&mgr->lock);

	list_for_each_entry_safe(ghvm, next, &list, quarantine_node) {
		mutex_lock(&ghvm->rm_lock);
		ret = gh_vm_undo(ghvm);
		gh_vm_mem_release(ghvm);
		mutex_unlock(&ghvm->rm_lock);

		if (!ret) {
			down_write(&ghvm->status_lock);
			gh_vm_set_state(ghvm, GH_VM_EXITED);
			up_write(&ghvm->status_lock);
			list_del(&ghvm->quarantine_node);
			gh_vm_put(ghvm);
			module_put(THIS_MODULE);
		} else if (gh_rm_is_silent(ret)) {
			/* Should it be silent about this one only, others come first next time. */
			list_move_tail(&ghvm->quarantine_node, &list);
			break;
		}
	}

	mutex_lock(&mgr->lock);
	list_splice(&list, &mgr->quarantine);
	mutex_unlock(&mgr->lock);

	gh_vm_mgr_put(mgr);
}

/**
 * gh_vm_retry_quarantined() - Try again what the resource manager did not give back
 * @mgr: the VM manager
 *
 * To be called when the resource manager has just shown that it is alive. Does not
 * wait for the attempt.
 *
 * Context: Process context.
 */
void gh_vm_retry_quarantined(struct gh_vm_mgr *mgr)
{
	bool empty;

	mutex_lock(&mgr->lock);
	empty = list_empty(&mgr->quarantine);
	mutex_unlock(&mgr->lock);
	if (empty && !work_busy(&mgr->retry_work))
		return;

	gh_vm_mgr_get(mgr);
	if (!queue_work(gh_vm_wq, &mgr->retry_work))
		gh_vm_mgr_put(mgr);
}

/*
 * Starting
 */

static int gh_vm_do_start(struct gh_vm *ghvm, struct gh_vm_failure *failure)
{
	const struct gh_rm_ops *ops = ghvm->rm_ops;
	struct gh_vm_mem *mem, *image;
	u64 dtb_offset, dtb_size;
	u16 vmid;
	int ret;

	failure->step = GH_VM_STEP_ALLOC_VMID;
	ret = ops->alloc_vmid(ghvm->rm, &vmid, &failure->rm_error);
	if (ret)
		return ret;
	WRITE_ONCE(ghvm->vmid, vmid);
	gh_vm_rm_status_after(ghvm, 0, GH_RM_VM_STATUS_LOAD);

	/* What came before the VMID was ours, and was not delivered yet, is not for us. */
	ops->flush_notifications(ghvm->rm);
	ret = ops->listen(ghvm->rm, vmid, &ghvm->listener);
	if (ret == -EBUSY) {
		/* Another VM of ours has it, so it is not this one's to give back. */
		WRITE_ONCE(ghvm->vmid, 0);
		return -EPROTO;
	}
	if (ret)
		return ret;
	ghvm->listening = true;

	list_for_each_entry(mem, &ghvm->regions, node) {
		ret = gh_vm_mem_give(ghvm, mem, failure);
		if (ret)
			return ret;
	}

	/* gh_vm_check() found it, and nothing has changed since. */
	image = gh_vm_mem_find(ghvm, ghvm->dtb.guest_phys_addr, ghvm->dtb.size);
	failure->mem = image;
	dtb_offset = ghvm->dtb.guest_phys_addr - image->gpa;
	/* Regions are whole pages, so this does not leave the region. */
	dtb_size = round_up(ghvm->dtb.size, GH_RM_PAGE_SIZE);

	failure->step = GH_VM_STEP_CONFIGURE;
	ret = ops->vm_configure(ghvm->rm, vmid, GH_RM_VM_AUTH_NONE, image->parcel.mem_handle,
				0, 0, dtb_offset, dtb_size, &failure->rm_error);
	gh_vm_rm_status_after(ghvm, ret, GH_RM_VM_STATUS_INIT);
	if (ret)
		return ret;
	ghvm->configured = true;

	/* There is no way back from here but forward: nothing may fail in between. */
	failure->step = GH_VM_STEP_INIT;
	ret = ops->vm_init(ghvm->rm, vmid, &failure->rm_error);
	gh_vm_rm_status_after(ghvm, ret, GH_RM_VM_STATUS_READY);
	if (ret)
		return ret;

	ret = gh_vm_add_resources(ghvm, failure);
	if (ret)
		return ret;

	/* The guest may end before its start is answered. */
	down_write(&ghvm->status_lock);
	ghvm->start_asked = true;
	up_write(&ghvm->status_lock);

	failure->step = GH_VM_STEP_START;
	ret = ops->vm_start(ghvm->rm, vmid, &failure->rm_error);
	gh_vm_rm_status_after(ghvm, ret, GH_RM_VM_STATUS_RUNNING);
	return ret;
}

static void gh_vm_start_work(struct work_struct *work)
{
	struct gh_vm *ghvm = container_of(work, struct gh_vm, start_work);
	struct gh_vm_failure failure = {};
	int ret, err;

	mutex_lock(&ghvm->rm_lock);
	ret = gh_vm_do_start(ghvm, &failure);
	if (ret) {
		failure.err = ret;
		ret = gh_vm_start_failed(ghvm, &failure);
		err = gh_vm_undo(ghvm);
		if (err)
			dev_warn_ratelimited(gh_rm_device(ghvm->rm),
					     "VM %u not started, and not undone: %d\n",
					     ghvm->vmid, err);
	}
	mutex_unlock(&ghvm->rm_lock);

	down_write(&ghvm->status_lock);
	ghvm->start_result = ret;
	if (ret)
		gh_vm_set_state(ghvm, GH_VM_FAILED);
	else
		gh_vm_set_state(ghvm, ghvm->exited ? GH_VM_EXITED : GH_VM_RUNNING);
	up_write(&ghvm->status_lock);

	if (!ret)
		gh_vm_retry_quarantined(ghvm->mgr);

	gh_vm_put(ghvm);
}

/* What can be checked before the resource manager is bothered */
static int gh_vm_check(struct gh_vm *ghvm)
{
	lockdep_assert_held(&ghvm->mm_lock);

	if (!ghvm->dtb_set) {
		gh_vm_not_started(ghvm, "there is no devicetree: GH_VM_SET_DTB_CONFIG comes first");
		return -EINVAL;
	}

	/* A window that no region holds would be refused in a way that costs a VMID. */
	if (!gh_vm_mem_find(ghvm, ghvm->dtb.guest_phys_addr, ghvm->dtb.size)) {
		gh_vm_not_started(ghvm, "no region holds the window of the devicetree as a whole");
		return -EINVAL;
	}

	return 0;
}

static void gh_vm_queue_start(struct gh_vm *ghvm)
{
	gh_vm_set_state(ghvm, GH_VM_STARTING);
	gh_vm_get(ghvm);
	queue_work(gh_vm_wq, &ghvm->start_work);
}

/* Begin to start; 1 if the VM is starting, else what GH_VM_START returns */
static int gh_vm_begin_start(struct gh_vm *ghvm)
{
	int ret;

	lockdep_assert_held(&ghvm->mm_lock);

	if (down_write_killable(&ghvm->status_lock))
		return -EINTR;

	switch (ghvm->state) {
	case GH_VM_NEW:
		ret = gh_vm_check(ghvm);
		if (ret)
			break;
		/* No work of ours may come after the teardown that removal queues. */
		down_read(&ghvm->mgr->removal);
		if (ghvm->mgr->gone) {
			gh_vm_not_started(ghvm, "the resource manager is going away");
			ret = -ENODEV;
		} else if (ghvm->mgr->hibernating) {
			gh_vm_not_started(ghvm, "the host hibernates soon: start it afterwards");
			ret = -EBUSY;
		} else {
			gh_vm_queue_start(ghvm);
		}
		up_read(&ghvm->mgr->removal);
		if (ret)
			break;
		fallthrough;
	case GH_VM_STARTING:
		ret = 1;
		break;
	case GH_VM_RUNNING:
		ret = 0;
		break;
	case GH_VM_FAILED:
		ret = ghvm->start_result;
		break;
	default:
		gh_vm_not_started(ghvm, "it has ended: a VM can be started once");
		ret = -ENODEV;
		break;
	}

	up_write(&ghvm->status_lock);
	return ret;
}

/**
 * gh_vm_start() - Start a VM, or wait until somebody else has
 * @ghvm: the VM
 *
 * Context: Process context. Killable.
 * Return: 0 if the VM was started, even if it has ended already; the errno of the
 * start that failed; -EINVAL if the VM is not complete, -ENOPKG if the platform must be
 * told who gets memory and nobody can, or -EBUSY if the host is about to hibernate, in
 * which cases nothing has happened; -ENODEV if the guest has ended; -EINTR.
 */
int gh_vm_start(struct gh_vm *ghvm)
{
	int ret;

	/* Without locks: it may load a module. What it says may be wrong by the time it counts. */
	if (gh_vm_state(ghvm) == GH_VM_NEW) {
		ret = ghvm->rm_ops->check_platform(ghvm->rm);
		if (ret)
			return ret;
	}

	if (mutex_lock_killable(&ghvm->mm_lock))
		return -EINTR;
	ret = gh_vm_begin_start(ghvm);
	mutex_unlock(&ghvm->mm_lock);
	if (ret <= 0)
		return ret;

	/* The work goes on without us, and undoes what it must. */
	if (wait_event_killable(ghvm->status_wait, gh_vm_state(ghvm) != GH_VM_STARTING))
		return -EINTR;

	down_read(&ghvm->status_lock);
	ret = ghvm->start_result;
	up_read(&ghvm->status_lock);
	return ret;
}

/**
 * gh_vm_get_exit_info() - How did the guest end?
 * @ghvm: the VM
 * @info: filled in
 *
 * Context: Process context. May sleep.
 * Return: 0; -EAGAIN if it has not ended; -ENODEV if it never started and never
 * will.
 */
int gh_vm_get_exit_info(struct gh_vm *ghvm, struct gh_vm_exit_info *info)
{
	int ret = -EAGAIN;

	down_read(&ghvm->status_lock);
	if (ghvm->exited && ghvm->state != GH_VM_STARTING) {
		*info = ghvm->exit_info;
		ret = 0;
	} else if (ghvm->state == GH_VM_FAILED) {
		ret = -ENODEV;
	}
	up_read(&ghvm->status_lock);

	return ret;
}

/**
 * gh_vm_has_ended() - Will nothing more happen to the VM?
 * @ghvm: the VM
 *
 * Context: Any.
 * Return: true once the guest has ended or failed to start, or is being ended.
 */
bool gh_vm_has_ended(struct gh_vm *ghvm)
{
	switch (gh_vm_state(ghvm)) {
	case GH_VM_NEW:
	case GH_VM_STARTING:
	case GH_VM_RUNNING:
		return test_bit(GH_VM_TEARDOWN_QUEUED, &ghvm->teardown_queued);
	default:
		return true;
	}
}
EXPORT_SYMBOL_GPL(gh_vm_has_ended);

/**
 * gh_vm_end_status() - Has the VM ended, and how is a vCPU to report it?
 * @ghvm: the VM
 * @status: set to enum gh_vm_status if the VM has ended
 * @info: set to how it ended
 *
 * A VM that is ended by its file being closed, or the device being removed, was
 * stopped by force; a vCPU's file may still be open then.
 *
 * Context: Process context. May sleep.
 * Return: whether it has ended.
 */
bool gh_vm_end_status(struct gh_vm *ghvm, u32 *status, struct gh_vm_exit_info *info)
{
	if (!gh_vm_has_ended(ghvm))
		return false;

	*status = GH_VM_STATUS_EXITED;
	*info = (struct gh_vm_exit_info) { .type = GH_VM_EXIT_TYPE_VM_FORCE_STOPPED };

	down_read(&ghvm->status_lock);
	/* Even if the guest had started, nobody was told, and its vCPUs never ran. */
	if (ghvm->start_result)
		*status = GH_VM_STATUS_LOAD_FAILED;
	else if (ghvm->exited)
		*info = ghvm->exit_info;
	up_read(&ghvm->status_lock);

	return true;
}
EXPORT_SYMBOL_GPL(gh_vm_end_status);

/**
 * gh_vm_add_status_wait() - Be woken when the state of a VM changes
 * @ghvm: the VM
 * @wait: woken with spinlocks held
 *
 * Context: Any.
 */
void gh_vm_add_status_wait(struct gh_vm *ghvm, struct wait_queue_entry *wait)
{
	add_wait_queue(&ghvm->status_wait, wait);
}
EXPORT_SYMBOL_GPL(gh_vm_add_status_wait);

/**
 * gh_vm_remove_status_wait() - The end of gh_vm_add_status_wait()
 * @ghvm: the VM
 * @wait: not woken any more when this returns
 *
 * Context: Any.
 */
void gh_vm_remove_status_wait(struct gh_vm *ghvm, struct wait_queue_entry *wait)
{
	remove_wait_queue(&ghvm->status_wait, wait);
}
EXPORT_SYMBOL_GPL(gh_vm_remove_status_wait);

/**
 * gh_vm_mgr_state_init() - Set up what the VMs of a VM manager share
 * @mgr: the VM manager
 *
 * Context: Any.
 */
void gh_vm_mgr_state_init(struct gh_vm_mgr *mgr)
{
	INIT_LIST_HEAD(&mgr->quarantine);
	INIT_WORK(&mgr->retry_work, gh_vm_retry_work);
}

/**
 * gh_vm_state_init() - Set up the state machine of a new VM
 * @ghvm: the VM
 *
 * Context: Any.
 */
void gh_vm_state_init(struct gh_vm *ghvm)
{
	init_rwsem(&ghvm->status_lock);
	mutex_init(&ghvm->rm_lock);
	init_waitqueue_head(&ghvm->status_wait);
	init_completion(&ghvm->torn_down);
	ghvm->state = GH_VM_NEW;
	ghvm->rm_status = GH_RM_VM_STATUS_NO_STATE;
	ghvm->rm_status_known = true;
	ghvm->expected_exit = GH_VM_EXIT_TYPE_UNKNOWN;
	ghvm->listener.status = gh_vm_notify_status;
	ghvm->listener.exited = gh_vm_notify_exited;
	INIT_WORK(&ghvm->start_work, gh_vm_start_work);
	INIT_DELAYED_WORK(&ghvm->exit_work, gh_vm_exit_work);
	INIT_WORK(&ghvm->teardown_work, gh_vm_teardown_work);
}

/**
 * gh_vm_wq_create() - Create what starts and ends VMs
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM.
 */
int gh_vm_wq_create(void)
{
	gh_vm_wq = alloc_workqueue("gh_vm", WQ_UNBOUND, 0);
	return gh_vm_wq ? 0 : -ENOMEM;
}

/**
 * gh_vm_wq_destroy() - The end of gh_vm_wq_create()
 *
 * Context: Process context. Waits for what is queued.
 */
void gh_vm_wq_destroy(void)
{
	destroy_workqueue(gh_vm_wq);
}

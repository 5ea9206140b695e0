// SPDX-License-Identifier: GPL-2.0-only
/*
 * A resource manager at the seam of struct gh_rm_ops, see fake_rm.h
 *
 * fake_rm::lock is not held while a listener is called nor at the gate, so the
 * driver may be called by us wherever the real one may.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <kunit/visibility.h>
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <uapi/linux/gunyah.h>

#include "../rsc_mgr.h"
#include "fake_rm.h"

/* Too short for anybody to notice, long enough for a notification to be delivered */
#define FAKE_RM_CALL_TIMEOUT_MS	20

static const char * const fake_rm_op_names[FAKE_RM_NR_OPS] = {
	[FAKE_RM_GET_VMID]	= "GET_VMID",
	[FAKE_RM_ALLOC_VMID]	= "ALLOC_VMID",
	[FAKE_RM_LISTEN]	= "listen",
	[FAKE_RM_LEND]		= "LEND",
	[FAKE_RM_SHARE]		= "SHARE",
	[FAKE_RM_CONFIGURE]	= "CONFIGURE",
	[FAKE_RM_INIT]		= "INIT",
	[FAKE_RM_GET_RESOURCES]	= "GET_HYP_RESOURCES",
	[FAKE_RM_MAP_VIRQ]	= "map virq",
	[FAKE_RM_START]		= "START",
	[FAKE_RM_STOP]		= "STOP",
	[FAKE_RM_RESET]		= "RESET",
	[FAKE_RM_GET_STATE]	= "GET_STATE",
	[FAKE_RM_RECLAIM]	= "RECLAIM",
	[FAKE_RM_DEALLOC_VMID]	= "DEALLOC_VMID",
};

enum fake_rm_notif_kind {
	FAKE_RM_NOTIF_STATUS,
	FAKE_RM_NOTIF_EXITED,
};

struct fake_rm_notif {
	struct list_head node;
	enum fake_rm_notif_kind kind;
	u16 vmid;
	enum gh_rm_vm_status status;
	u16 exit_type;
	size_t reason_size;
	u8 reason[16];
};

/* One call, from fake_rm_enter() to fake_rm_leave() */
struct fake_rm_call {
	struct fake_rm *f;
	enum fake_rm_op op;
	enum fake_rm_outcome outcome;
	int err;
	int ret;
};

static struct fake_rm *fake_rm(struct gh_rm *rm)
{
	return dev_get_drvdata(gh_rm_device(rm));
}

/* The driver did what takes the resource manager, or memory, down. */
static void fake_rm_die(struct fake_rm *f, enum fake_rm_op op, const char *cause)
{
	f->dead = true;
	KUNIT_FAIL(f->test, "%s: %s", fake_rm_op_names[op], cause);
}

static int fake_rm_illegal(struct fake_rm *f, enum fake_rm_op op, enum gh_rm_vm_status status)
{
	f->illegal++;
	kunit_info(f->test, "%s in state %d\n", fake_rm_op_names[op], status);
	return -EBADFD;
}

static struct fake_rm_vm *fake_rm_vm(struct fake_rm *f, u16 vmid)
{
	unsigned int i = vmid - FAKE_RM_FIRST_VMID;

	return i < FAKE_RM_MAX_VMS && f->vms[i].used ? &f->vms[i] : NULL;
}

/*
 * Notifications
 */

static void fake_rm_deliver(struct fake_rm *f, const struct fake_rm_notif *notif)
{
	unsigned int i = notif->vmid - FAKE_RM_FIRST_VMID;
	struct gh_rm_listener *listener;

	if (i >= FAKE_RM_MAX_VMS)
		return;

	down_read(&f->route_lock);
	listener = f->vms[i].listener;
	if (listener) {
		WRITE_ONCE(f->delivering, current);
		if (notif->kind == FAKE_RM_NOTIF_STATUS)
			listener->status(listener, notif->status);
		else
			listener->exited(listener, notif->exit_type, notif->reason,
					 notif->reason_size);
		WRITE_ONCE(f->delivering, NULL);
	}
	up_read(&f->route_lock);
}

static void fake_rm_notif_work(struct work_struct *work)
{
	struct fake_rm *f = container_of(work, struct fake_rm, notif_work);
	struct fake_rm_notif *notif;

	for (;;) {
		mutex_lock(&f->lock);
		if (f->hold || list_empty(&f->notifications))
			notif = NULL;
		else if (f->newest_first)
			notif = list_last_entry(&f->notifications, struct fake_rm_notif, node);
		else
			notif = list_first_entry(&f->notifications, struct fake_rm_notif, node);
		if (notif)
			list_del(&notif->node);
		mutex_unlock(&f->lock);

		if (!notif)
			break;

		fake_rm_deliver(f, notif);
		kfree(notif);
	}
}

static void fake_rm_queue_notif(struct fake_rm *f, const struct fake_rm_notif *template)
{
	struct fake_rm_notif *notif;
	int i;

	lockdep_assert_held(&f->lock);

	if (template->kind == FAKE_RM_NOTIF_STATUS ?
	    template->status < BITS_PER_LONG && test_bit(template->status, &f->drop_status) :
	    f->drop_exited)
		return;

	for (i = 0; i <= f->twice; i++) {
		notif = kmemdup(template, sizeof(*template), GFP_KERNEL);
		if (!notif)
			return;
		list_add_tail(&notif->node, &f->notifications);
	}
	queue_work(f->wq, &f->notif_work);
}

static void fake_rm_queue_status(struct fake_rm *f, u16 vmid, enum gh_rm_vm_status status)
{
	fake_rm_queue_notif(f, &(struct fake_rm_notif) {
		.kind = FAKE_RM_NOTIF_STATUS,
		.vmid = vmid,
		.status = status,
	});
}

static void fake_rm_queue_exited(struct fake_rm *f, u16 vmid, u16 type, const void *reason,
				 size_t size)
{
	struct fake_rm_notif notif = {
		.kind = FAKE_RM_NOTIF_EXITED,
		.vmid = vmid,
		.exit_type = type,
		.reason_size = size,
	};

	KUNIT_EXPECT_LE(f->test, size, sizeof(notif.reason));
	if (size)
		memcpy(notif.reason, reason, size);
	fake_rm_queue_notif(f, &notif);
}

void fake_rm_notify_status(struct fake_rm *f, u16 vmid, enum gh_rm_vm_status status)
{
	mutex_lock(&f->lock);
	fake_rm_queue_status(f, vmid, status);
	mutex_unlock(&f->lock);
}

void fake_rm_notify_exited(struct fake_rm *f, u16 vmid, u16 type, const void *reason, size_t size)
{
	mutex_lock(&f->lock);
	fake_rm_queue_exited(f, vmid, type, reason, size);
	mutex_unlock(&f->lock);
}

void fake_rm_flush(struct fake_rm *f)
{
	flush_workqueue(f->wq);
}
EXPORT_SYMBOL_IF_KUNIT(fake_rm_flush);

void fake_rm_release_notifications(struct fake_rm *f, bool newest_first)
{
	mutex_lock(&f->lock);
	f->hold = false;
	f->newest_first = newest_first;
	queue_work(f->wq, &f->notif_work);
	mutex_unlock(&f->lock);
	fake_rm_flush(f);

	mutex_lock(&f->lock);
	f->newest_first = false;
	mutex_unlock(&f->lock);
}

static void fake_rm_to_state(struct fake_rm *f, u16 vmid, enum gh_rm_vm_status state)
{
	lockdep_assert_held(&f->lock);

	fake_rm_vm(f, vmid)->state = state;
	fake_rm_queue_status(f, vmid, state);
}

static void fake_rm_exit(struct fake_rm *f, u16 vmid, u16 type, const void *reason, size_t size)
{
	fake_rm_to_state(f, vmid, GH_RM_VM_STATUS_EXITED);
	fake_rm_queue_exited(f, vmid, type, reason, size);
}

void fake_rm_guest_exits(struct fake_rm *f, u16 vmid, u16 type, const void *reason, size_t size)
{
	mutex_lock(&f->lock);
	KUNIT_EXPECT_EQ(f->test, fake_rm_vm(f, vmid)->state, GH_RM_VM_STATUS_RUNNING);
	fake_rm_exit(f, vmid, type, reason, size);
	mutex_unlock(&f->lock);
}
EXPORT_SYMBOL_IF_KUNIT(fake_rm_guest_exits);

static void fake_rm_reset_work(struct work_struct *work)
{
	struct fake_rm *f = container_of(work, struct fake_rm, reset_work);
	struct fake_rm_parcel *parcel;
	unsigned int i;

	mutex_lock(&f->lock);
	for (i = 0; i < FAKE_RM_MAX_VMS && !f->reset_stuck; i++) {
		u16 vmid = FAKE_RM_FIRST_VMID + i;

		if (!f->vms[i].used || f->vms[i].state != GH_RM_VM_STATUS_RESETTING)
			continue;
		list_for_each_entry(parcel, &f->parcels, node)
			if (parcel->vmid == vmid)
				parcel->accepted = false;
		fake_rm_to_state(f, vmid, GH_RM_VM_STATUS_RESET);
	}
	mutex_unlock(&f->lock);
}

void fake_rm_finish_resets(struct fake_rm *f)
{
	mutex_lock(&f->lock);
	f->reset_stuck = false;
	queue_work(f->wq, &f->reset_work);
	mutex_unlock(&f->lock);
	fake_rm_flush(f);
}

void fake_rm_set_state(struct fake_rm *f, u16 vmid, enum gh_rm_vm_status state)
{
	struct fake_rm_parcel *parcel;

	mutex_lock(&f->lock);
	fake_rm_vm(f, vmid)->state = state;
	if (state == GH_RM_VM_STATUS_LOAD || state == GH_RM_VM_STATUS_RESET)
		list_for_each_entry(parcel, &f->parcels, node)
			if (parcel->vmid == vmid)
				parcel->accepted = false;
	mutex_unlock(&f->lock);
}

/*
 * The script
 */

void fake_rm_fault(struct fake_rm *f, enum fake_rm_op op, unsigned int skip, unsigned int count,
		   enum fake_rm_outcome outcome, int err)
{
	mutex_lock(&f->lock);
	if (f->n_faults < FAKE_RM_MAX_FAULTS)
		f->faults[f->n_faults++] = (struct fake_rm_fault) {
			.op = op,
			.outcome = outcome,
			.skip = skip,
			.count = count,
			.err = err,
		};
	else
		KUNIT_FAIL(f->test, "too many faults");
	mutex_unlock(&f->lock);
}
EXPORT_SYMBOL_IF_KUNIT(fake_rm_fault);

void fake_rm_no_faults(struct fake_rm *f)
{
	mutex_lock(&f->lock);
	f->n_faults = 0;
	f->exit_at_start = false;
	f->stop_stuck = false;
	f->state_answer = 0;
	f->drop_status = 0;
	f->drop_exited = false;
	f->twice = false;
	mutex_unlock(&f->lock);
}

static enum fake_rm_outcome fake_rm_outcome(struct fake_rm *f, enum fake_rm_op op, int *err)
{
	struct fake_rm_fault *fault;

	for (fault = f->faults; fault < f->faults + f->n_faults; fault++) {
		if (fault->op != op || !fault->count)
			continue;
		if (fault->skip) {
			fault->skip--;
			continue;
		}
		if (fault->count != FAKE_RM_ALWAYS)
			fault->count--;
		*err = fault->err;
		return fault->outcome;
	}

	return FAKE_RM_OK;
}

void fake_rm_gate(struct fake_rm *f, enum fake_rm_op op, bool after)
{
	reinit_completion(&f->gate_reached);
	reinit_completion(&f->gate_open);
	f->gate_after = after;
	WRITE_ONCE(f->gate_op, op);
}
EXPORT_SYMBOL_IF_KUNIT(fake_rm_gate);

void fake_rm_wait_gate(struct fake_rm *f)
{
	KUNIT_EXPECT_NE_MSG(f->test, 0UL,
			    wait_for_completion_timeout(&f->gate_reached, FAKE_RM_PATIENCE),
			    "nobody came to the gate");
}
EXPORT_SYMBOL_IF_KUNIT(fake_rm_wait_gate);

void fake_rm_open_gate(struct fake_rm *f)
{
	WRITE_ONCE(f->gate_op, FAKE_RM_NR_OPS);
	complete_all(&f->gate_open);
}
EXPORT_SYMBOL_IF_KUNIT(fake_rm_open_gate);

static void fake_rm_at_gate(struct fake_rm *f, enum fake_rm_op op, bool after)
{
	if (READ_ONCE(f->gate_op) != op || f->gate_after != after)
		return;

	complete_all(&f->gate_reached);
	KUNIT_EXPECT_NE_MSG(f->test, 0UL,
			    wait_for_completion_timeout(&f->gate_open, FAKE_RM_PATIENCE),
			    "the gate stays closed");
}

/*
 * Calls
 */

/* Whatever it has, or may be thought to have, must be pinned. */
void fake_rm_check_pins(struct fake_rm *f)
{
	struct fake_rm_parcel *parcel;
	size_t i;
	u64 pos;

	lockdep_assert_held(&f->lock);

	list_for_each_entry(parcel, &f->parcels, node) {
		for (i = 0; i < parcel->n_runs; i++) {
			for (pos = 0; pos < parcel->runs[i].size; pos += PAGE_SIZE) {
				unsigned long pfn = PHYS_PFN(parcel->runs[i].addr + pos);

				if (folio_maybe_dma_pinned(pfn_folio(pfn)))
					continue;
				KUNIT_FAIL(f->test, "memory %u is not ours and not pinned",
					   parcel->label);
				f->dead = true;
				return;
			}
		}
	}
}

/* Begin a call; returns whether it is to be carried out. fake_rm_leave() must follow. */
static bool fake_rm_enter(struct gh_rm *rm, enum fake_rm_op op, struct fake_rm_call *call)
{
	struct fake_rm *f = fake_rm(rm);

	*call = (struct fake_rm_call) { .f = f, .op = op };
	fake_rm_at_gate(f, op, false);

	mutex_lock(&f->lock);
	if (READ_ONCE(f->delivering) == current)
		fake_rm_die(f, op, "called by a listener");
	if (f->closed)
		fake_rm_die(f, op, "called after the device was removed");
	fake_rm_check_pins(f);

	f->calls[op]++;
	call->outcome = f->dead ? FAKE_RM_LOST_REQUEST : fake_rm_outcome(f, op, &call->err);
	if (call->outcome == FAKE_RM_KEPT && op != FAKE_RM_LEND && op != FAKE_RM_SHARE &&
	    op != FAKE_RM_RECLAIM)
		call->outcome = FAKE_RM_REFUSED;

	return call->outcome == FAKE_RM_OK || call->outcome == FAKE_RM_LOST_REPLY ||
	       call->outcome == FAKE_RM_BAD_REPLY;
}

/* The resource manager's error, if it is one, goes to @rm_error. */
static int fake_rm_leave_why(struct fake_rm_call *call, u32 *rm_error)
{
	struct fake_rm *f = call->f;
	int ret = call->ret;

	mutex_unlock(&f->lock);
	fake_rm_at_gate(f, call->op, true);

	switch (call->outcome) {
	case FAKE_RM_REFUSED:
	case FAKE_RM_FAILED:
		ret = call->err;
		break;
	case FAKE_RM_LOST_REQUEST:
	case FAKE_RM_LOST_REPLY:
		ret = -ETIMEDOUT;
		break;
	case FAKE_RM_BAD_REFUSAL:
	case FAKE_RM_BAD_REPLY:
		ret = -EPROTO;
		break;
	case FAKE_RM_KEPT:
		/* Unless the resource manager itself refused */
		ret = ret ?: -EREMOTEIO;
		break;
	default:
		break;
	}

	if (rm_error)
		*rm_error = ret > 0 ? ret : GH_RM_ERROR_OK;
	return ret > 0 ? gh_rm_error_remap(ret) : ret;
}

static int fake_rm_leave(struct fake_rm_call *call)
{
	return fake_rm_leave_why(call, NULL);
}

/* That a provider is missing is known without asking the resource manager. */
static int fake_rm_check_platform(struct gh_rm *rm)
{
	return READ_ONCE(fake_rm(rm)->platform_err);
}

static int fake_rm_get_vmid(struct gh_rm *rm, u16 *vmid, u32 *rm_error)
{
	struct fake_rm_call call;

	if (fake_rm_enter(rm, FAKE_RM_GET_VMID, &call))
		*vmid = FAKE_RM_HOST_VMID;
	return fake_rm_leave_why(&call, rm_error);
}

static int fake_rm_do_alloc_vmid(struct fake_rm *f, u16 *vmid)
{
	unsigned int i;

	for (i = 0; i < FAKE_RM_MAX_VMS; i++) {
		if (f->vms[i].used)
			continue;
		f->vms[i].used = true;
		f->vms[i].state = GH_RM_VM_STATUS_LOAD;
		f->vms[i].configured = false;
		*vmid = FAKE_RM_FIRST_VMID + i;
		return 0;
	}

	return GH_RM_ERROR_NORESOURCE;
}

static int fake_rm_alloc_vmid(struct gh_rm *rm, u16 *vmid, u32 *rm_error)
{
	struct fake_rm_call call;
	u16 got = 0;

	if (fake_rm_enter(rm, FAKE_RM_ALLOC_VMID, &call)) {
		call.ret = fake_rm_do_alloc_vmid(call.f, &got);
		if (!call.ret && call.outcome == FAKE_RM_OK) {
			*vmid = got;
		} else if (!call.ret && call.outcome == FAKE_RM_LOST_REPLY) {
			/* The late reply makes the call engine give it back. */
			fake_rm_vm(call.f, got)->used = false;
		} else if (!call.ret) {
			call.f->lost_vmids++;
		}
	}
	return fake_rm_leave_why(&call, rm_error);
}

static int fake_rm_do_dealloc_vmid(struct fake_rm *f, u16 vmid)
{
	struct fake_rm_vm *vm = fake_rm_vm(f, vmid);
	struct fake_rm_parcel *parcel;

	if (!vm) {
		fake_rm_die(f, FAKE_RM_DEALLOC_VMID, "unknown VMID");
		return -ETIMEDOUT;
	}

	if (vm->state != GH_RM_VM_STATUS_LOAD && vm->state != GH_RM_VM_STATUS_RESET)
		return fake_rm_illegal(f, FAKE_RM_DEALLOC_VMID, vm->state);

	if (vm->listener)
		fake_rm_die(f, FAKE_RM_DEALLOC_VMID, "the next VM's notifications go to this one");

	list_for_each_entry(parcel, &f->parcels, node)
		if (parcel->vmid == vmid)
			fake_rm_die(f, FAKE_RM_DEALLOC_VMID, "the next VM gets this one's memory");

	vm->used = false;
	return 0;
}

static int fake_rm_dealloc_vmid(struct gh_rm *rm, u16 vmid)
{
	struct fake_rm_call call;

	if (fake_rm_enter(rm, FAKE_RM_DEALLOC_VMID, &call))
		call.ret = fake_rm_do_dealloc_vmid(call.f, vmid);
	else if (fake_rm_vm(call.f, vmid))
		call.f->lost_vmids++;
	else
		fake_rm_die(call.f, FAKE_RM_DEALLOC_VMID, "unknown VMID");
	return fake_rm_leave(&call);
}

#define FAKE_RM_ANY_STATE	(~0UL)

/* The VM that a call is about, if it is in one of the states for that call */
static struct fake_rm_vm *fake_rm_vm_in(struct fake_rm_call *call, u16 vmid, unsigned long states)
{
	struct fake_rm_vm *vm = fake_rm_vm(call->f, vmid);

	if (!vm) {
		KUNIT_FAIL(call->f->test, "%s of unknown VMID %u", fake_rm_op_names[call->op],
			   vmid);
		call->ret = -EINVAL;
		return NULL;
	}

	if (states != FAKE_RM_ANY_STATE &&
	    (vm->state >= BITS_PER_LONG || !test_bit(vm->state, &states))) {
		call->ret = fake_rm_illegal(call->f, call->op, vm->state);
		return NULL;
	}

	return vm;
}

static int fake_rm_do_configure(struct fake_rm *f, u16 vmid, u32 mem_handle,
				const struct fake_rm_image *image)
{
	struct fake_rm_parcel *parcel;

	list_for_each_entry(parcel, &f->parcels, node) {
		if (!parcel->held || parcel->handle != mem_handle || parcel->vmid != vmid)
			continue;

		/* Refused here, it would cost a VMID: the driver has to check it itself. */
		if (!image->dtb_size || image->dtb_offset % GH_RM_PAGE_SIZE ||
		    image->dtb_size % GH_RM_PAGE_SIZE || image->dtb_offset > parcel->size ||
		    image->dtb_size > parcel->size - image->dtb_offset)
			fake_rm_die(f, FAKE_RM_CONFIGURE, "window is wrong");
		f->image = *image;
		f->image.label = parcel->label;
		return 0;
	}

	fake_rm_die(f, FAKE_RM_CONFIGURE, "no such memory");
	return -EINVAL;
}

static int fake_rm_vm_configure(struct gh_rm *rm, u16 vmid, enum gh_rm_vm_auth_mechanism auth,
				u32 mem_handle, u64 image_offset, u64 image_size, u64 dtb_offset,
				u64 dtb_size, u32 *rm_error)
{
	const struct fake_rm_image image = {
		.auth = auth,
		.image_offset = image_offset,
		.image_size = image_size,
		.dtb_offset = dtb_offset,
		.dtb_size = dtb_size,
	};
	struct fake_rm_call call;
	bool carry_out = fake_rm_enter(rm, FAKE_RM_CONFIGURE, &call);
	struct fake_rm_vm *vm = fake_rm_vm_in(&call, vmid, BIT(GH_RM_VM_STATUS_LOAD));

	if (!vm)
		return fake_rm_leave_why(&call, rm_error);

	if (carry_out) {
		call.ret = fake_rm_do_configure(call.f, vmid, mem_handle, &image);
		vm->configured = true;
		fake_rm_to_state(call.f, vmid, GH_RM_VM_STATUS_INIT);
	} else if (call.outcome == FAKE_RM_FAILED) {
		fake_rm_to_state(call.f, vmid, GH_RM_VM_STATUS_INIT_FAILED);
	}
	return fake_rm_leave_why(&call, rm_error);
}

static int fake_rm_vm_init(struct gh_rm *rm, u16 vmid, u32 *rm_error)
{
	struct fake_rm_call call;
	bool carry_out = fake_rm_enter(rm, FAKE_RM_INIT, &call);

	if (!fake_rm_vm_in(&call, vmid, BIT(GH_RM_VM_STATUS_INIT)))
		return fake_rm_leave_why(&call, rm_error);

	if (carry_out)
		fake_rm_to_state(call.f, vmid, GH_RM_VM_STATUS_READY);
	else if (call.outcome == FAKE_RM_FAILED)
		fake_rm_to_state(call.f, vmid, GH_RM_VM_STATUS_INIT_FAILED);
	return fake_rm_leave_why(&call, rm_error);
}

static int fake_rm_vm_start(struct gh_rm *rm, u16 vmid, u32 *rm_error)
{
	struct fake_rm_parcel *parcel;
	struct fake_rm_call call;
	bool carry_out = fake_rm_enter(rm, FAKE_RM_START, &call);
	struct fake_rm *f = call.f;
	int ret;

	if (!fake_rm_vm_in(&call, vmid, BIT(GH_RM_VM_STATUS_READY)))
		return fake_rm_leave_why(&call, rm_error);

	/* One that fails has accepted the image all the same. */
	if (carry_out || call.outcome == FAKE_RM_FAILED)
		list_for_each_entry(parcel, &f->parcels, node)
			if (parcel->vmid == vmid)
				parcel->accepted = true;

	if (carry_out) {
		fake_rm_to_state(f, vmid, GH_RM_VM_STATUS_RUNNING);
		if (f->exit_at_start)
			fake_rm_exit(f, vmid, GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
	} else if (call.outcome == FAKE_RM_FAILED) {
		fake_rm_to_state(f, vmid, GH_RM_VM_STATUS_INIT_FAILED);
	}
	ret = fake_rm_leave_why(&call, rm_error);

	/* What was sent before the reply may be delivered before the caller goes on. */
	if (READ_ONCE(f->exit_at_start))
		fake_rm_flush(f);
	return ret;
}

static int fake_rm_vm_stop(struct gh_rm *rm, u16 vmid)
{
	struct fake_rm_call call;
	bool carry_out = fake_rm_enter(rm, FAKE_RM_STOP, &call);

	if (fake_rm_vm_in(&call, vmid, BIT(GH_RM_VM_STATUS_RUNNING) |
				       BIT(GH_RM_VM_STATUS_PAUSED)) &&
	    carry_out && !call.f->stop_stuck)
		fake_rm_exit(call.f, vmid, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED, NULL, 0);
	return fake_rm_leave(&call);
}

static int fake_rm_vm_reset(struct gh_rm *rm, u16 vmid)
{
	struct fake_rm_call call;
	bool carry_out = fake_rm_enter(rm, FAKE_RM_RESET, &call);
	struct fake_rm_vm *vm = fake_rm_vm(call.f, vmid);

	/* It looks at the configuration before it looks at the state. */
	if (vm && !vm->configured)
		fake_rm_die(call.f, FAKE_RM_RESET, "the VM was not configured");

	if (fake_rm_vm_in(&call, vmid, BIT(GH_RM_VM_STATUS_EXITED) | BIT(GH_RM_VM_STATUS_READY) |
				       BIT(GH_RM_VM_STATUS_INIT_FAILED)) && carry_out) {
		fake_rm_to_state(call.f, vmid, GH_RM_VM_STATUS_RESETTING);
		queue_work(call.f->wq, &call.f->reset_work);
	}
	return fake_rm_leave(&call);
}

static int fake_rm_vm_get_state(struct gh_rm *rm, u16 vmid, enum gh_rm_vm_status *status)
{
	struct fake_rm_call call;
	bool carry_out = fake_rm_enter(rm, FAKE_RM_GET_STATE, &call);
	struct fake_rm_vm *vm = fake_rm_vm_in(&call, vmid, FAKE_RM_ANY_STATE);

	if (vm && carry_out && call.outcome == FAKE_RM_OK)
		*status = call.f->state_answer ?: vm->state;
	return fake_rm_leave(&call);
}

static int fake_rm_get_hyp_resources(struct gh_rm *rm, u16 vmid,
				     struct gh_rm_hyp_resources **resources, u32 *rm_error)
{
	struct fake_rm_call call;
	bool carry_out = fake_rm_enter(rm, FAKE_RM_GET_RESOURCES, &call);
	struct gh_rm_hyp_resources *new;
	struct fake_rm *f = call.f;

	if (fake_rm_vm_in(&call, vmid, BIT(GH_RM_VM_STATUS_READY)) && carry_out &&
	    call.outcome == FAKE_RM_OK) {
		new = kvmalloc(struct_size(new, resources, f->n_resources), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(f->test, new);
		new->n = f->n_resources;
		memcpy(new->resources, f->resources, flex_array_size(new, resources, new->n));
		*resources = new;
	}
	return fake_rm_leave_why(&call, rm_error);
}

static int fake_rm_map_virq(struct gh_rm *rm, u32 virq)
{
	struct fake_rm_call call;
	bool carry_out = fake_rm_enter(rm, FAKE_RM_MAP_VIRQ, &call);
	int ret;

	if (carry_out && virq)
		call.f->mapped++;
	ret = fake_rm_leave(&call);
	return ret ? ret : virq;
}

static void fake_rm_unmap_virq(struct gh_rm *rm, int irq)
{
	struct fake_rm *f = fake_rm(rm);

	mutex_lock(&f->lock);
	if (irq)
		f->mapped--;
	mutex_unlock(&f->lock);
}

/*
 * Memory
 */

static struct fake_rm_parcel *fake_rm_find_parcel(struct fake_rm *f, u32 handle)
{
	struct fake_rm_parcel *parcel;

	list_for_each_entry(parcel, &f->parcels, node)
		if (parcel->handle == handle)
			return parcel;

	return NULL;
}

static void fake_rm_check_acl(struct fake_rm *f, enum fake_rm_op op,
			      const struct gh_rm_mem_parcel *owner)
{
	bool host = false;
	size_t i;

	for (i = 0; i < owner->n_acl_entries; i++) {
		const struct gh_rm_mem_acl_entry *acl = &owner->acl_entries[i];

		if (acl->vmid == FAKE_RM_HOST_VMID) {
			host = true;
			/* What it shares it can use as before. */
			KUNIT_EXPECT_EQ(f->test, acl->perms, 7);
		} else if (!fake_rm_vm(f, acl->vmid)) {
			KUNIT_FAIL(f->test, "memory for unknown VMID %u", acl->vmid);
		}
		if (!(acl->perms & GH_RM_ACL_R) ||
		    acl->perms & ~(GH_RM_ACL_R | GH_RM_ACL_W | GH_RM_ACL_X))
			KUNIT_FAIL(f->test, "access rights %u", acl->perms);
	}

	KUNIT_EXPECT_EQ(f->test, host, op == FAKE_RM_SHARE);
	KUNIT_EXPECT_EQ(f->test, owner->n_acl_entries, op == FAKE_RM_SHARE ? 2 : 1);
}

/* As a platform has it: back from the end, and on from anywhere */
static void fake_rm_check_iter(struct fake_rm *f, struct fake_rm_parcel *parcel)
{
	struct gh_rm_mem_iter *iter = parcel->owner->iter;
	size_t i, wrong = 0, step = parcel->n_runs / 16 + 1;
	u64 addr, size;

	for (i = parcel->n_runs; i--; )
		wrong += !iter->prev(iter, &addr, &size) || addr != parcel->runs[i].addr ||
			 size != parcel->runs[i].size;
	wrong += iter->prev(iter, &addr, &size);

	for (i = 0; i < parcel->n_runs; i += step) {
		iter->seek(iter, i);
		wrong += !iter->next(iter, &addr, &size) || addr != parcel->runs[i].addr;
		wrong += !iter->prev(iter, &addr, &size) || addr != parcel->runs[i].addr;
	}
	iter->seek(iter, parcel->n_runs);
	wrong += iter->next(iter, &addr, &size);
	wrong += !iter->prev(iter, &addr, &size) || addr != parcel->runs[parcel->n_runs - 1].addr;
	if (wrong)
		KUNIT_FAIL(f->test, "%zu pieces of %zu are not found again",
			   wrong, parcel->n_runs);
}

/* Record what @owner has in it. */
static struct fake_rm_parcel *fake_rm_new_parcel(struct fake_rm *f, enum fake_rm_op op,
						 struct gh_rm_mem_parcel *owner)
{
	struct fake_rm_parcel *parcel;
	u64 addr, size;
	size_t i;

	KUNIT_EXPECT_EQ(f->test, owner->state, GH_RM_PARCEL_NONE);
	KUNIT_EXPECT_EQ(f->test, owner->mem_handle, GH_MEM_HANDLE_INVAL);
	fake_rm_check_acl(f, op, owner);

	parcel = kvzalloc(struct_size(parcel, runs, owner->n_mem_entries), GFP_KERNEL);
	if (!parcel)
		return NULL;

	parcel->owner = owner;
	parcel->vmid = owner->acl_entries[0].vmid;
	parcel->label = owner->label;
	parcel->perms = owner->acl_entries[0].perms;
	parcel->n_runs = owner->n_mem_entries;
	for (i = 0; i < parcel->n_runs; i++) {
		if (!owner->iter->next(owner->iter, &addr, &size)) {
			KUNIT_FAIL(f->test, "%zu pieces of %zu", i, parcel->n_runs);
			parcel->n_runs = i;
			break;
		}
		KUNIT_EXPECT_TRUE(f->test, PAGE_ALIGNED(addr) && PAGE_ALIGNED(size) && size);
		parcel->runs[i] = (struct fake_rm_run) { .addr = addr, .size = size };
		parcel->size += size;
	}
	KUNIT_EXPECT_FALSE_MSG(f->test, owner->iter->next(owner->iter, &addr, &size),
			       "more pieces than %zu", parcel->n_runs);
	fake_rm_check_iter(f, parcel);

	list_add_tail(&parcel->node, &f->parcels);
	fake_rm_check_pins(f);
	return parcel;
}

static void fake_rm_del_parcel(struct fake_rm_parcel *parcel)
{
	list_del(&parcel->node);
	kvfree(parcel);
}

static int fake_rm_mem_create(struct gh_rm *rm, enum fake_rm_op op, struct gh_rm_mem_parcel *owner)
{
	struct fake_rm_parcel *parcel;
	struct fake_rm_call call;
	struct fake_rm *f;

	fake_rm_enter(rm, op, &call);
	f = call.f;

	parcel = fake_rm_new_parcel(f, op, owner);
	if (!parcel) {
		call.ret = -ENOMEM;
		return fake_rm_leave_why(&call, &owner->why.rm_error);
	}

	switch (call.outcome) {
	case FAKE_RM_FAILED:
		owner->why.append = true;
		fallthrough;
	case FAKE_RM_OK:
		parcel->held = true;
		parcel->handle = ++f->next_handle;
		owner->state = GH_RM_PARCEL_HELD;
		owner->mem_handle = parcel->handle;
		break;
	case FAKE_RM_LOST_REPLY:
	case FAKE_RM_BAD_REPLY:
		parcel->held = true;
		parcel->handle = ++f->next_handle;
		fallthrough;
	case FAKE_RM_LOST_REQUEST:
	case FAKE_RM_BAD_REFUSAL:
		parcel->unanswered = true;
		owner->state = GH_RM_PARCEL_UNKNOWN;
		break;
	case FAKE_RM_KEPT:
		owner->state = GH_RM_PARCEL_ASSIGNED;
		break;
	default:
		fake_rm_del_parcel(parcel);
		break;
	}

	return fake_rm_leave_why(&call, &owner->why.rm_error);
}

static int fake_rm_mem_lend(struct gh_rm *rm, struct gh_rm_mem_parcel *owner)
{
	return fake_rm_mem_create(rm, FAKE_RM_LEND, owner);
}

static int fake_rm_mem_share(struct gh_rm *rm, struct gh_rm_mem_parcel *owner)
{
	return fake_rm_mem_create(rm, FAKE_RM_SHARE, owner);
}

/* @told: the driver will know that it was carried out */
static int fake_rm_do_reclaim(struct fake_rm *f, const struct gh_rm_mem_parcel *owner, bool told)
{
	struct fake_rm_parcel *parcel = fake_rm_find_parcel(f, owner->mem_handle);

	if (!parcel) {
		fake_rm_die(f, FAKE_RM_RECLAIM, "unknown handle");
		return -EINVAL;
	}

	/* Carried out before: the handle is unknown, which tells the driver so. */
	if (!parcel->held) {
		KUNIT_EXPECT_TRUE(f->test, owner->reclaim_asked);
		if (told)
			fake_rm_del_parcel(parcel);
		return 0;
	}

	if (parcel->accepted) {
		f->illegal++;
		return -EINVAL;
	}

	if (f->n_reclaimed < ARRAY_SIZE(f->reclaimed))
		f->reclaimed[f->n_reclaimed++] = parcel->label;
	parcel->held = false;
	if (told)
		fake_rm_del_parcel(parcel);
	return 0;
}

/* What only the platform has. The resource manager is not asked. */
static void fake_rm_platform_reclaim(struct fake_rm_call *call, struct gh_rm_mem_parcel *owner)
{
	struct fake_rm_parcel *parcel, *next;

	if (call->outcome == FAKE_RM_KEPT)
		return;

	call->outcome = FAKE_RM_OK;
	list_for_each_entry_safe(parcel, next, &call->f->parcels, node)
		if (parcel->owner == owner)
			fake_rm_del_parcel(parcel);
}

static int fake_rm_mem_reclaim(struct gh_rm *rm, struct gh_rm_mem_parcel *owner)
{
	struct fake_rm_call call;
	bool carry_out;
	int ret;

	carry_out = fake_rm_enter(rm, FAKE_RM_RECLAIM, &call);
	if (owner->state == GH_RM_PARCEL_ASSIGNED)
		fake_rm_platform_reclaim(&call, owner);
	else if (carry_out || call.outcome == FAKE_RM_KEPT)
		call.ret = fake_rm_do_reclaim(call.f, owner, call.outcome == FAKE_RM_OK);
	ret = fake_rm_leave(&call);

	/* As gh_rm_mem_reclaim() does */
	if (ret == -EREMOTEIO) {
		owner->state = GH_RM_PARCEL_ASSIGNED;
		owner->mem_handle = GH_MEM_HANDLE_INVAL;
		owner->reclaim_asked = false;
	} else if (!ret) {
		owner->state = GH_RM_PARCEL_NONE;
		owner->mem_handle = GH_MEM_HANDLE_INVAL;
		owner->reclaim_asked = false;
	} else if (gh_rm_outcome_unknown(ret)) {
		owner->reclaim_asked = true;
	}
	return ret;
}

/* Tell the driver what it was not told when it lent or shared memory. */
void fake_rm_answer_late(struct fake_rm *f)
{
	struct fake_rm_parcel *parcel, *found;
	struct gh_rm_mem_parcel *owner;
	enum gh_rm_parcel_state state;
	u32 handle;

	do {
		found = NULL;

		mutex_lock(&f->lock);
		list_for_each_entry(parcel, &f->parcels, node) {
			if (!parcel->unanswered)
				continue;
			found = parcel;
			found->unanswered = false;
			owner = found->owner;
			state = found->held ? GH_RM_PARCEL_HELD :
				f->platform ? GH_RM_PARCEL_ASSIGNED : GH_RM_PARCEL_NONE;
			handle = found->held ? found->handle : GH_MEM_HANDLE_INVAL;
			if (state == GH_RM_PARCEL_NONE)
				fake_rm_del_parcel(found);
			break;
		}
		mutex_unlock(&f->lock);

		if (found)
			owner->late(owner, state, handle);
	} while (found);
}

/*
 * Listeners
 */

static int fake_rm_listen(struct gh_rm *rm, u16 vmid, struct gh_rm_listener *listener)
{
	struct fake_rm_call call;
	bool carry_out = fake_rm_enter(rm, FAKE_RM_LISTEN, &call);
	struct fake_rm_vm *vm = fake_rm_vm_in(&call, vmid, FAKE_RM_ANY_STATE);
	struct fake_rm *f = call.f;

	if (!vm || !carry_out)
		return fake_rm_leave(&call);
	/* A listener may take it, so not under the lock. */
	mutex_unlock(&f->lock);

	down_write(&f->route_lock);
	if (vm->listener)
		call.ret = -EBUSY;
	else
		vm->listener = listener;
	up_write(&f->route_lock);

	mutex_lock(&f->lock);
	return fake_rm_leave(&call);
}

static void fake_rm_unlisten(struct gh_rm *rm, u16 vmid)
{
	struct fake_rm *f = fake_rm(rm);
	struct fake_rm_vm *vm = fake_rm_vm(f, vmid);

	KUNIT_EXPECT_NOT_NULL(f->test, vm);
	if (!vm)
		return;

	down_write(&f->route_lock);
	KUNIT_EXPECT_NOT_NULL(f->test, vm->listener);
	vm->listener = NULL;
	up_write(&f->route_lock);
}

static void fake_rm_flush_notifications(struct gh_rm *rm)
{
	struct fake_rm *f = fake_rm(rm);

	if (READ_ONCE(f->delivering) == current)
		KUNIT_FAIL(f->test, "a listener waits for itself");

	complete_all(&f->flushing);
	if (READ_ONCE(f->delivering) != current)
		flush_work(&f->notif_work);
}

const struct gh_rm_ops fake_rm_ops = {
	.check_platform = fake_rm_check_platform,
	.get_vmid = fake_rm_get_vmid,
	.alloc_vmid = fake_rm_alloc_vmid,
	.dealloc_vmid = fake_rm_dealloc_vmid,
	.vm_configure = fake_rm_vm_configure,
	.vm_init = fake_rm_vm_init,
	.vm_start = fake_rm_vm_start,
	.vm_stop = fake_rm_vm_stop,
	.vm_reset = fake_rm_vm_reset,
	.vm_get_state = fake_rm_vm_get_state,
	.get_hyp_resources = fake_rm_get_hyp_resources,
	.map_virq = fake_rm_map_virq,
	.unmap_virq = fake_rm_unmap_virq,
	.mem_lend = fake_rm_mem_lend,
	.mem_share = fake_rm_mem_share,
	.mem_reclaim = fake_rm_mem_reclaim,
	.listen = fake_rm_listen,
	.unlisten = fake_rm_unlisten,
	.flush_notifications = fake_rm_flush_notifications,
};

/*
 * What it has
 */

enum gh_rm_vm_status fake_rm_state(struct fake_rm *f, u16 vmid)
{
	enum gh_rm_vm_status state;

	mutex_lock(&f->lock);
	state = fake_rm_vm(f, vmid) ? fake_rm_vm(f, vmid)->state : GH_RM_VM_STATUS_NO_STATE;
	mutex_unlock(&f->lock);
	return state;
}

unsigned int fake_rm_vms(struct fake_rm *f)
{
	unsigned int i, n = 0;

	mutex_lock(&f->lock);
	for (i = 0; i < FAKE_RM_MAX_VMS; i++)
		n += f->vms[i].used;
	mutex_unlock(&f->lock);
	return n;
}

/* Pages that it has or that the driver cannot know it has not */
unsigned long fake_rm_pages(struct fake_rm *f)
{
	struct fake_rm_parcel *parcel;
	unsigned long pages = 0;

	mutex_lock(&f->lock);
	list_for_each_entry(parcel, &f->parcels, node)
		pages += parcel->size >> PAGE_SHIFT;
	mutex_unlock(&f->lock);
	return pages;
}

bool fake_rm_has_label(struct fake_rm *f, u32 label)
{
	struct fake_rm_parcel *parcel;
	bool found = false;

	mutex_lock(&f->lock);
	list_for_each_entry(parcel, &f->parcels, node)
		found |= parcel->label == label;
	mutex_unlock(&f->lock);
	return found;
}

/* The driver is to call us by struct gh_rm_ops and no other way. */
static int fake_rm_send(void *transport, struct gh_msgq_tx_data *message)
{
	struct fake_rm *f = transport;

	KUNIT_FAIL(f->test, "a message past the operations");
	return -EIO;
}

static const struct gh_rm_transport_ops fake_rm_transport_ops = {
	.send = fake_rm_send,
};

struct fake_rm *fake_rm_create(struct kunit *test)
{
	struct fake_rm *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->test = test;
	mutex_init(&f->lock);
	init_rwsem(&f->route_lock);
	INIT_LIST_HEAD(&f->parcels);
	INIT_LIST_HEAD(&f->notifications);
	init_completion(&f->gate_reached);
	init_completion(&f->gate_open);
	init_completion(&f->flushing);
	f->gate_op = FAKE_RM_NR_OPS;
	INIT_WORK(&f->notif_work, fake_rm_notif_work);
	INIT_WORK(&f->reset_work, fake_rm_reset_work);

	f->dev = kunit_device_register(test, "gunyah-fake-rm");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dev);
	dev_set_drvdata(f->dev, f);

	f->wq = alloc_ordered_workqueue("gunyah-fake-rm", 0);
	KUNIT_ASSERT_NOT_NULL(test, f->wq);

	f->rm = gh_rm_alloc(f->dev, &fake_rm_transport_ops, f);
	if (IS_ERR(f->rm)) {
		destroy_workqueue(f->wq);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->rm);
	}
	*gh_rm_call_timeout_ms(f->rm) = FAKE_RM_CALL_TIMEOUT_MS;

	return f;
}

/* To be called when no VM is left. */
void fake_rm_destroy(struct fake_rm *f)
{
	struct fake_rm_parcel *parcel, *next_parcel;
	struct fake_rm_notif *notif, *next;

	destroy_workqueue(f->wq);
	list_for_each_entry_safe(notif, next, &f->notifications, node)
		kfree(notif);
	list_for_each_entry_safe(parcel, next_parcel, &f->parcels, node)
		fake_rm_del_parcel(parcel);
	gh_rm_close(f->rm);
	gh_rm_shutdown(f->rm);
	gh_rm_put(f->rm);
}

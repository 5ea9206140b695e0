// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM manager: why a VM was not started
 *
 * An errno cannot tell what a user has to do about it. So each start that fails leaves
 * one line in the log: at which step, with which region, what the resource manager or the
 * platform said, and what to look at. Here is also where an errno of the resource
 * manager's that stands for several causes is told apart by the step.
 */

#include <linux/dev_printk.h>
#include <linux/kernel.h>
#include <kunit/static_stub.h>
#include <kunit/visibility.h>

#include "vm_mgr.h"

#define GH_VM_ANY_STEP		GH_VM_NR_STEPS

static const char * const gh_vm_step_names[GH_VM_NR_STEPS] = {
	[GH_VM_STEP_ALLOC_VMID]	= "VM_ALLOC_VMID",
	[GH_VM_STEP_GET_VMID]	= "VM_GET_VMID",
	[GH_VM_STEP_LEND]	= "MEM_LEND",
	[GH_VM_STEP_SHARE]	= "MEM_SHARE",
	[GH_VM_STEP_APPEND]	= "MEM_APPEND",
	[GH_VM_STEP_CONFIGURE]	= "VM_CONFIG_IMAGE",
	[GH_VM_STEP_INIT]	= "VM_INIT",
	[GH_VM_STEP_RESOURCES]	= "VM_GET_HYP_RESOURCES",
	[GH_VM_STEP_POPULATE]	= "resources",
	[GH_VM_STEP_START]	= "VM_START",
};

/**
 * struct gh_vm_cause - What a failure comes from
 * @step: where it happened, or GH_VM_ANY_STEP
 * @rm_error: what the resource manager refused with, or GH_RM_ERROR_OK
 * @err: if it did not refuse: the errno, or 0 for any
 * @image_kind: only if the memory of the image is not of the kind that it must be
 * @as: errno of GH_VM_START, 0: that of the failure
 * @check: what to look at
 *
 * The first that fits is it.
 */
struct gh_vm_cause {
	enum gh_vm_step step;
	u32 rm_error;
	int err;
	bool image_kind;
	int as;
	const char *check;
};

#define GH_VM_TOO_MANY_PARCELS	\
	"too many memory parcels: take fewer, larger regions, or end other VMs"
#define GH_VM_NOT_OURS	"is some of it lent already, or not this host's own memory?"

static const struct gh_vm_cause gh_vm_causes[] = {
	{ GH_VM_STEP_ALLOC_VMID, GH_RM_ERROR_NORESOURCE, .as = -ENOSPC,
	  .check = "all VMIDs are in use: end other VMs, and look at quarantine in debugfs" },
	{ GH_VM_STEP_LEND, GH_RM_ERROR_DENIED, .as = -ENOSPC, .check = GH_VM_TOO_MANY_PARCELS },
	{ GH_VM_STEP_SHARE, GH_RM_ERROR_DENIED, .as = -ENOSPC, .check = GH_VM_TOO_MANY_PARCELS },
	{ GH_VM_STEP_LEND, .err = -ENOSPC, .check = GH_VM_TOO_MANY_PARCELS },
	{ GH_VM_STEP_SHARE, .err = -ENOSPC, .check = GH_VM_TOO_MANY_PARCELS },
	{ GH_VM_STEP_LEND, GH_RM_ERROR_MEM_INVALID, .check = GH_VM_NOT_OURS },
	{ GH_VM_STEP_SHARE, GH_RM_ERROR_MEM_INVALID, .check = GH_VM_NOT_OURS },
	{ GH_VM_STEP_INIT, GH_RM_ERROR_MEM_INVALID,
	  .check = "is the devicetree longer than its window, or without gunyah-vm-config?" },
	{ GH_VM_STEP_INIT, GH_RM_ERROR_ARGUMENT_INVALID,
	  .check = "what in gunyah-vm-config or a cpu node is not allowed?" },
	{ GH_VM_STEP_INIT, GH_RM_ERROR_NORESOURCE,
	  .check = "which vdevice in gunyah-vm-config cannot be made?" },
	{ GH_VM_STEP_INIT, GH_RM_ERROR_DENIED,
	  .check = "is a priority or CPU in gunyah-vm-config not for guests?" },
	{ GH_VM_STEP_START, GH_RM_ERROR_NORESOURCE, .image_kind = true, .as = -EMEDIUMTYPE,
	  .check = "the image must be lent (GH_MEM_LENT), with all three rights" },
	{ GH_VM_STEP_START, GH_RM_ERROR_NORESOURCE,
	  .check = "is the window twice as long as the devicetree, and memory as it says?" },
	{ GH_VM_STEP_POPULATE,
	  .check = "an interrupt or doorbell of a vCPU or irqfd cannot be had" },
	{ GH_VM_ANY_STEP, GH_RM_ERROR_NOMEM,
	  .check = "fewer pieces (huge pages) and fewer VMs take less of its memory" },
	{ GH_VM_ANY_STEP, GH_RM_ERROR_VM_STATE,
	  .check = "another state than we know: stats in debugfs tell what was lost" },
	{ GH_VM_ANY_STEP, .err = -ETIMEDOUT,
	  .check = "is the resource manager alive? see stats and quarantine in debugfs" },
	{ GH_VM_ANY_STEP, .err = -EPROTO,
	  .check = "is this a resource manager for Gunyah API 1, and alive?" },
	{ GH_VM_ANY_STEP, .err = -EREMOTEIO,
	  .check = "is some of it lent or protected already, perhaps by another driver?" },
	{ GH_VM_ANY_STEP, .err = -ENOPKG, .check = "load gunyah_qcom.ko" },
	{ GH_VM_ANY_STEP, .err = -ENOMEM, .check = "the host is out of kernel memory" },
	{ GH_VM_ANY_STEP, .err = -ENODEV, .check = "the resource manager is going away" },
};

static const struct gh_vm_cause *gh_vm_find_cause(const struct gh_vm_failure *failure)
{
	const struct gh_vm_cause *cause;
	/* From VM_CONFIG_IMAGE on the region is the one with the image. */
	bool image_kind = failure->mem && (!(failure->mem->flags & GH_MEM_LENT) ||
					   ~failure->mem->flags & GH_MEM_ACCESS_MASK);

	for (cause = gh_vm_causes; cause < gh_vm_causes + ARRAY_SIZE(gh_vm_causes); cause++) {
		if (cause->step != GH_VM_ANY_STEP && cause->step != failure->step)
			continue;
		if (cause->rm_error != failure->rm_error ||
		    (cause->err && cause->err != failure->err))
			continue;
		if (cause->image_kind && !image_kind)
			continue;
		return cause;
	}

	return NULL;
}

/* Who said no, and how */
static void gh_vm_failure_said(const struct gh_vm_failure *failure, char *text, size_t size)
{
	const struct gh_rm_mem_parcel *parcel = failure->mem ? &failure->mem->parcel : NULL;

	if (failure->rm_error)
		scnprintf(text, size, "refused, %s (%#x)", gh_rm_error_name(failure->rm_error),
			  failure->rm_error);
	else if (failure->err == -EREMOTEIO && parcel && parcel->why.platform)
		scnprintf(text, size, "firmware refused piece %zu of %zu, %s %d",
			  parcel->why.piece, parcel->n_mem_entries,
			  parcel->why.platform > 0 ? "code" : "error", parcel->why.platform);
	else if (failure->err == -ETIMEDOUT)
		scnprintf(text, size, "no answer");
	else if (failure->err == -EPROTO)
		scnprintf(text, size, "the answer makes no sense");
	else
		scnprintf(text, size, "failed");
}

/**
 * gh_vm_failure_errno() - What GH_VM_START returns for a failure
 * @failure: the failure
 *
 * Context: Any.
 * Return: a negative errno: that of the failure, unless one fits the cause better.
 */
VISIBLE_IF_KUNIT int gh_vm_failure_errno(const struct gh_vm_failure *failure)
{
	const struct gh_vm_cause *cause = gh_vm_find_cause(failure);

	return cause && cause->as ? cause->as : failure->err;
}

/**
 * gh_vm_failure_text() - Why a VM was not started, for people
 * @failure: the failure
 * @text: set to one line without its end
 * @size: room in @text in bytes
 *
 * Context: Any.
 */
VISIBLE_IF_KUNIT void gh_vm_failure_text(const struct gh_vm_failure *failure, char *text,
					 size_t size)
{
	const struct gh_vm_cause *cause = gh_vm_find_cause(failure);
	char region[24] = "", said[64];

	if (failure->mem)
		scnprintf(region, sizeof(region), ", region %#x", failure->mem->label);
	gh_vm_failure_said(failure, said, sizeof(said));

	scnprintf(text, size, "%s%s: %s (errno %d): %s", gh_vm_step_names[failure->step], region,
		  said, -gh_vm_failure_errno(failure),
		  cause ? cause->check : "see Documentation/virt/gunyah/vm-manager.rst");
}

/**
 * gh_vm_not_started() - Say in the log that a VM was not started, and why
 * @ghvm: the VM
 * @why: one line without its end
 *
 * Limited in rate, all VMs together: a user can have any number of starts fail.
 *
 * Context: Any.
 */
void gh_vm_not_started(struct gh_vm *ghvm, const char *why)
{
	KUNIT_STATIC_STUB_REDIRECT(gh_vm_not_started, ghvm, why);

	dev_warn_ratelimited(gh_rm_device(ghvm->rm), "VM %u not started: %s\n",
			     READ_ONCE(ghvm->vmid), why);
}

/**
 * gh_vm_start_failed() - Report a start that failed
 * @ghvm: the VM
 * @failure: the failure
 *
 * Context: Process context. &gh_vm.rm_lock is held.
 * Return: what GH_VM_START returns, a negative errno.
 */
int gh_vm_start_failed(struct gh_vm *ghvm, struct gh_vm_failure *failure)
{
	char text[GH_VM_FAILURE_TEXT];

	/* To a user it makes no difference how the resource manager is silent. */
	if (gh_rm_is_silent(failure->err))
		failure->err = -ETIMEDOUT;

	gh_vm_failure_text(failure, text, sizeof(text));
	gh_vm_not_started(ghvm, text);

	return gh_vm_failure_errno(failure);
}

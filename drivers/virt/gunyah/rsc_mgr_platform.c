// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah resource manager: memory parcels and the platform
 *
 * On platforms that must be told who gets which memory, a parcel is assigned piece by
 * piece before the resource manager is asked to take it, and given back piece by piece,
 * the last one first, when it did not take it or has returned it. The pieces that the
 * platform has are always the first ones, and the parcel keeps how many. As long as
 * that is not 0 the parcel is not GH_RM_PARCEL_NONE and the provider stays loaded,
 * however the way back fails, and however often.
 *
 * A parcel belongs to one thread at a time, see rsc_mgr_mem.c; there are no locks here.
 */

#include <linux/device.h>
#include <linux/kmod.h>
#include <linux/sched.h>

#include "rsc_mgr.h"

/**
 * gh_rm_request_platform() - Load the module that tells the platform, if there must be one
 *
 * Context: Process context. Does not wait for it.
 */
void gh_rm_request_platform(void)
{
	if (gh_rm_platform_is_qcom())
		request_module_nowait(GH_RM_PLATFORM_QCOM_ALIAS);
}

/**
 * gh_rm_check_platform() - Can memory be given to VMs on this platform?
 * @rm: the resource manager
 *
 * Context: Process context. Loads a module if need be, and waits for that.
 * Return: 0; -ENOPKG if the platform must be told of it and there is nobody who can. The
 * log has the reason.
 */
int gh_rm_check_platform(struct gh_rm *rm)
{
	const struct gh_rm_platform_ops *ops = gh_rm_platform_get();
	const char *why;
	int ret = 0;

	if (!ops) {
		why = gh_rm_platform_is_qcom();
		if (!why)
			return 0;

		request_module(GH_RM_PLATFORM_QCOM_ALIAS);
		ops = gh_rm_platform_get();
		if (!ops) {
			dev_err_ratelimited(gh_rm_device(rm),
					    "%s: memory cannot be given to a VM without gunyah_qcom.ko (CONFIG_GUNYAH_QCOM_PLATFORM), which is not loaded\n",
					    why);
			return -ENOPKG;
		}
	}

	if (ops->ready)
		ret = ops->ready();
	gh_rm_platform_put(ops);

	return ret ? -ENOPKG : 0;
}

/**
 * gh_rm_mem_unassign() - Have the platform give a parcel back to its owner
 * @rm: the resource manager, which does not have the parcel
 * @parcel: the parcel
 *
 * Stops at the first piece that the platform does not give back. It and those before
 * it can be tried again.
 *
 * Context: Process context. May sleep.
 * Return: 0 and the parcel is in state GH_RM_PARCEL_NONE; -EREMOTEIO and it is in state
 * GH_RM_PARCEL_ASSIGNED.
 */
int gh_rm_mem_unassign(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel)
{
	const struct gh_rm_platform_ops *ops = parcel->platform;
	u64 addr, size;
	int ret;

	if (ops) {
		WRITE_ONCE(parcel->state, GH_RM_PARCEL_ASSIGNED);
		parcel->iter->seek(parcel->iter, parcel->n_assigned);
	}

	while (parcel->n_assigned) {
		if (WARN_ON_ONCE(!parcel->iter->prev(parcel->iter, &addr, &size)))
			return -EREMOTEIO;

		ret = ops->post_mem_reclaim(parcel, addr, size);
		if (ret) {
			dev_err_ratelimited(gh_rm_device(rm),
					    "memory with label %#x stays out of use: the platform does not give back piece %zu of %zu: %s %d\n",
					    parcel->label, parcel->n_assigned,
					    parcel->n_mem_entries, ret > 0 ? "code" : "error", ret);
			return -EREMOTEIO;
		}
		parcel->n_assigned--;
		cond_resched();
	}

	parcel->platform = NULL;
	WRITE_ONCE(parcel->state, GH_RM_PARCEL_NONE);
	if (ops)
		gh_rm_platform_put(ops);
	return 0;
}

/**
 * gh_rm_mem_assign() - Have the platform assign a parcel to whom it is for
 * @rm: the resource manager
 * @parcel: the parcel, in state GH_RM_PARCEL_NONE
 *
 * Context: Process context. May sleep.
 * Return: 0, and the parcel is in state GH_RM_PARCEL_ASSIGNED if there is a platform that
 * must be told; -ENOPKG if there must be and is none; a negative errno of
 * gh_rm_get_vmid(); -EREMOTEIO if the platform refused. After an error
 * gh_rm_mem_unassign() is due.
 */
int gh_rm_mem_assign(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel)
{
	const struct gh_rm_platform_ops *ops = gh_rm_platform_get();
	u64 addr, size;
	u16 vmid;
	int ret;

	if (!ops)
		return gh_rm_platform_is_qcom() ? -ENOPKG : 0;

	ret = gh_rm_get_vmid(rm, &vmid, &parcel->why.rm_error);
	if (ret) {
		gh_rm_platform_put(ops);
		return ret;
	}

	parcel->platform = ops;
	parcel->owner_vmid = vmid;
	parcel->n_assigned = 0;
	WRITE_ONCE(parcel->state, GH_RM_PARCEL_ASSIGNED);

	while (parcel->n_assigned < parcel->n_mem_entries) {
		if (WARN_ON_ONCE(!parcel->iter->next(parcel->iter, &addr, &size)))
			return -EINVAL;

		ret = ops->pre_mem_share(parcel, addr, size);
		if (ret) {
			parcel->why.platform = ret;
			parcel->why.piece = parcel->n_assigned + 1;
			return -EREMOTEIO;
		}
		parcel->n_assigned++;
		cond_resched();
	}

	/* For the resource manager, from the start again */
	parcel->iter->seek(parcel->iter, 0);
	return 0;
}

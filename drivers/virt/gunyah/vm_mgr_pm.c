// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM manager: what the host does with all of its memory at once
 *
 * Hibernation copies every page that is in use, and a restored image writes to every
 * page; a kernel started by kexec uses what it likes. None of them knows that there are
 * pages which the host has no access to. So hibernation is refused while a VM has any,
 * and no VM starts while it is under way; and before the machine goes down, for
 * whatever reason, all VMs are ended like when the device is removed.
 *
 * gh_vm_mgr::hibernating is written with gh_vm_mgr::removal held, as is ::gone.
 */

#include <linux/device.h>
#include <linux/notifier.h>
#include <linux/suspend.h>

#include "vm_mgr.h"

/* What a VM has of the host's, or is about to get */
static bool gh_vm_has_memory(struct gh_vm *ghvm)
{
	/* The start work sets the VMID before it leaves this state. */
	return gh_vm_state(ghvm) == GH_VM_STARTING || READ_ONCE(ghvm->vmid);
}

static void gh_vm_mgr_set_hibernating(struct gh_vm_mgr *mgr, bool hibernating)
{
	down_write(&mgr->removal);
	mgr->hibernating = hibernating;
	up_write(&mgr->removal);
}

static int gh_vm_mgr_prepare_hibernation(struct gh_vm_mgr *mgr)
{
	unsigned int vms = 0, quarantined = 0;
	struct gh_vm *ghvm;

	/* A start from here on fails, and one before can be seen. */
	gh_vm_mgr_set_hibernating(mgr, true);

	mutex_lock(&mgr->lock);
	list_for_each_entry(ghvm, &mgr->vms, node) {
		vms += gh_vm_has_memory(ghvm);
		quarantined += gh_vm_state(ghvm) == GH_VM_QUARANTINED;
	}
	mutex_unlock(&mgr->lock);

	if (!vms && !quarantined)
		return 0;

	gh_vm_mgr_set_hibernating(mgr, false);
	dev_err(gh_rm_device(mgr->rm),
		"no hibernation: %u VMs have memory that it cannot access, %u of them in quarantine\n",
		max(vms, quarantined), quarantined);
	return -EBUSY;
}

static int gh_vm_mgr_pm_event(struct notifier_block *nb, unsigned long event, void *unused)
{
	struct gh_vm_mgr *mgr = container_of(nb, struct gh_vm_mgr, pm_nb);

	switch (event) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(gh_vm_mgr_prepare_hibernation(mgr));
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		gh_vm_mgr_set_hibernating(mgr, false);
		break;
	}

	return NOTIFY_DONE;
}

/**
 * gh_vm_mgr_pm_add() - Be asked before the host hibernates
 * @mgr: the VM manager
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int gh_vm_mgr_pm_add(struct gh_vm_mgr *mgr)
{
	mgr->pm_nb.notifier_call = gh_vm_mgr_pm_event;
	return register_pm_notifier(&mgr->pm_nb);
}

/**
 * gh_vm_mgr_pm_remove() - The end of gh_vm_mgr_pm_add()
 * @mgr: the VM manager
 *
 * Context: Process context. May sleep.
 */
void gh_vm_mgr_pm_remove(struct gh_vm_mgr *mgr)
{
	unregister_pm_notifier(&mgr->pm_nb);
}

/**
 * gh_vm_mgr_shutdown() - The host goes down, perhaps to start another kernel
 * @rm: the resource manager
 *
 * Takes as long as a removal of the device. Processes may still run, and find that the
 * device is gone.
 *
 * Context: Process context. May sleep.
 */
void gh_vm_mgr_shutdown(struct gh_rm *rm)
{
	struct gh_vm_mgr *mgr = gh_rm_get_drvdata(rm);
	unsigned long pages = 0;
	unsigned int vms = 0;
	struct gh_vm *ghvm;

	gh_vm_mgr_end_vms(mgr);

	mutex_lock(&mgr->lock);
	list_for_each_entry(ghvm, &mgr->vms, node) {
		if (gh_vm_state(ghvm) != GH_VM_QUARANTINED)
			continue;
		mutex_lock(&ghvm->mm_lock);
		pages += gh_vm_mem_pages(ghvm, true);
		mutex_unlock(&ghvm->mm_lock);
		vms++;
	}
	mutex_unlock(&mgr->lock);

	if (vms)
		dev_emerg(gh_rm_device(rm),
			  "%lu pages of %u VMs were not given back: a kernel started by kexec dies if it touches them\n",
			  pages, vms);
}

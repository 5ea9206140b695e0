// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM manager: resources and resource tickets
 *
 * A resource is an object of the hypervisor, for example a vCPU, that the resource
 * manager made for a VM and to which we hold a capability. They come with VM_INIT
 * and are worth nothing once the VM is reset. A ticket is somebody's claim to a
 * resource, by type and label. It may be there before the resource is, and outlive
 * it; whenever there are both, the ticket is populated.
 *
 * gh_vm::resources_lock guards both lists and is held while a ticket is populated
 * or unpopulated. It is taken inside gh_vm::fn_lock and gh_vm::rm_lock, and never
 * while the resource manager is called.
 */

#include <linux/slab.h>

#include "vm_mgr.h"

/**
 * struct gh_vm_resource - A resource of a VM
 * @node: in &gh_vm.resources
 * @ghrsc: what a ticket gets. Its interrupt is mapped as long as one has it.
 * @label: tells those of a type apart
 * @virq: number of the interrupt in the GIC
 * @users: number of tickets that have it
 */
struct gh_vm_resource {
	struct list_head node;
	struct gunyah_resource ghrsc;
	u32 label;
	u32 virq;
	unsigned int users;
};

static struct gh_vm_resource *gh_vm_find_resource(struct gh_vm *ghvm,
						  const struct gh_vm_resource_ticket *ticket)
{
	struct gh_vm_resource *res;

	lockdep_assert_held(&ghvm->resources_lock);

	list_for_each_entry(res, &ghvm->resources, node) {
		if (res->ghrsc.type == ticket->type && res->label == ticket->label)
			return res;
	}

	return NULL;
}

static void gh_vm_put_resource(struct gh_vm *ghvm, struct gh_vm_resource *res)
{
	if (--res->users)
		return;

	ghvm->rm_ops->unmap_virq(ghvm->rm, res->ghrsc.irq);
	res->ghrsc.irq = 0;
}

/* Populate a ticket if its resource is there. */
static int gh_vm_populate(struct gh_vm *ghvm, struct gh_vm_resource_ticket *ticket)
{
	struct gh_vm_resource *res;
	int ret;

	lockdep_assert_held(&ghvm->resources_lock);

	res = gh_vm_find_resource(ghvm, ticket);
	if (!res)
		return 0;

	if (!res->users) {
		ret = ghvm->rm_ops->map_virq(ghvm->rm, res->virq);
		if (ret < 0)
			return ret;
		res->ghrsc.irq = ret;
	}
	res->users++;

	ret = ticket->populate(ticket, &res->ghrsc);
	if (ret) {
		gh_vm_put_resource(ghvm, res);
		return ret;
	}
	ticket->ghrsc = &res->ghrsc;

	return 0;
}

static void gh_vm_unpopulate(struct gh_vm *ghvm, struct gh_vm_resource_ticket *ticket)
{
	struct gunyah_resource *ghrsc = ticket->ghrsc;

	lockdep_assert_held(&ghvm->resources_lock);

	if (!ghrsc)
		return;

	ticket->unpopulate(ticket);
	ticket->ghrsc = NULL;
	gh_vm_put_resource(ghvm, container_of(ghrsc, struct gh_vm_resource, ghrsc));
}

/**
 * gh_vm_add_resource_ticket() - Claim a resource
 * @ghvm: the VM
 * @ticket: the claim
 *
 * Context: Process context. May sleep.
 * Return: 0; -EEXIST if the resource is claimed and either claim is not shared;
 * what @ticket's populate() returns.
 */
int gh_vm_add_resource_ticket(struct gh_vm *ghvm, struct gh_vm_resource_ticket *ticket)
{
	struct gh_vm_resource_ticket *other;
	int ret;

	ticket->ghrsc = NULL;

	mutex_lock(&ghvm->resources_lock);
	list_for_each_entry(other, &ghvm->tickets, node) {
		if (other->type == ticket->type && other->label == ticket->label &&
		    !(other->shared && ticket->shared)) {
			ret = -EEXIST;
			goto out;
		}
	}

	ret = gh_vm_populate(ghvm, ticket);
	if (!ret)
		list_add_tail(&ticket->node, &ghvm->tickets);
out:
	mutex_unlock(&ghvm->resources_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(gh_vm_add_resource_ticket);

/**
 * gh_vm_remove_resource_ticket() - Give up the claim to a resource
 * @ghvm: the VM
 * @ticket: the claim. If it has the resource, it is unpopulated.
 *
 * Context: Process context. May sleep.
 */
void gh_vm_remove_resource_ticket(struct gh_vm *ghvm, struct gh_vm_resource_ticket *ticket)
{
	mutex_lock(&ghvm->resources_lock);
	list_del(&ticket->node);
	gh_vm_unpopulate(ghvm, ticket);
	mutex_unlock(&ghvm->resources_lock);
}
EXPORT_SYMBOL_GPL(gh_vm_remove_resource_ticket);

static int gh_vm_add_resource(struct gh_vm *ghvm, const struct gh_rm_hyp_resource *from)
{
	struct gh_vm_resource *res;

	res = kzalloc(sizeof(*res), GFP_KERNEL);
	if (!res)
		return -ENOMEM;

	res->ghrsc.type = from->type;
	res->ghrsc.capid = from->capid;
	res->label = from->label;
	res->virq = from->virq;
	list_add_tail(&res->node, &ghvm->resources);

	return 0;
}

static int gh_vm_populate_all(struct gh_vm *ghvm)
{
	struct gh_vm_resource_ticket *ticket;
	int ret;

	list_for_each_entry(ticket, &ghvm->tickets, node) {
		ret = gh_vm_populate(ghvm, ticket);
		if (ret)
			return ret;
	}

	return 0;
}

/**
 * gh_vm_add_resources() - Fetch the resources of a VM and hand them to the tickets
 * @ghvm: the VM, initialised but not started
 * @failure: says at which step if it fails, and what the resource manager said
 *
 * If it fails, what has been done remains for gh_vm_remove_resources().
 *
 * Context: Process context. gh_vm::rm_lock is held.
 * Return: 0 or a negative errno.
 */
int gh_vm_add_resources(struct gh_vm *ghvm, struct gh_vm_failure *failure)
{
	struct gh_rm_hyp_resources *resources;
	int ret;
	u32 i;

	lockdep_assert_held(&ghvm->rm_lock);

	failure->step = GH_VM_STEP_RESOURCES;
	ret = ghvm->rm_ops->get_hyp_resources(ghvm->rm, ghvm->vmid, &resources,
					      &failure->rm_error);
	if (ret)
		return ret;

	mutex_lock(&ghvm->resources_lock);
	for (i = 0; i < resources->n && !ret; i++)
		ret = gh_vm_add_resource(ghvm, &resources->resources[i]);
	if (!ret) {
		failure->step = GH_VM_STEP_POPULATE;
		ret = gh_vm_populate_all(ghvm);
	}
	mutex_unlock(&ghvm->resources_lock);
	kvfree(resources);

	return ret;
}

/**
 * gh_vm_remove_resources() - Take the resources of a VM away from everybody
 * @ghvm: the VM, about to be reset
 *
 * Context: Process context. gh_vm::rm_lock is held.
 */
void gh_vm_remove_resources(struct gh_vm *ghvm)
{
	struct gh_vm_resource_ticket *ticket;
	struct gh_vm_resource *res, *next;

	lockdep_assert_held(&ghvm->rm_lock);

	mutex_lock(&ghvm->resources_lock);
	list_for_each_entry(ticket, &ghvm->tickets, node)
		gh_vm_unpopulate(ghvm, ticket);
	list_for_each_entry_safe(res, next, &ghvm->resources, node) {
		list_del(&res->node);
		kfree(res);
	}
	mutex_unlock(&ghvm->resources_lock);
}

/**
 * gh_vm_res_init() - Set up the resources of a new VM
 * @ghvm: the VM
 *
 * Context: Any.
 */
void gh_vm_res_init(struct gh_vm *ghvm)
{
	mutex_init(&ghvm->resources_lock);
	INIT_LIST_HEAD(&ghvm->resources);
	INIT_LIST_HEAD(&ghvm->tickets);
}

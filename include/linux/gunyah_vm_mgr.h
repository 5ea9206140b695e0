/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_GUNYAH_VM_MGR_H
#define _LINUX_GUNYAH_VM_MGR_H

/*
 * What the VM manager offers to VM functions: modules that add something to a VM,
 * for example a vCPU.
 */

#include <linux/device/driver.h>
#include <linux/gunyah.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rbtree.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <uapi/linux/gunyah.h>

struct gh_vm;

struct gh_vm *gh_vm_get(struct gh_vm *ghvm);
void gh_vm_put(struct gh_vm *ghvm);

/*
 * Functions
 */

/**
 * enum gh_fn_match - Is a function the one that is to be removed?
 * @GH_FN_NO_MATCH: no
 * @GH_FN_MATCH: yes, unless there is one that fits better
 * @GH_FN_EXACT_MATCH: yes
 */
enum gh_fn_match {
	GH_FN_NO_MATCH,
	GH_FN_MATCH,
	GH_FN_EXACT_MATCH,
};

struct gh_vm_function;

/**
 * struct gh_vm_function_instance - A function that was added to a VM
 * @node: in the VM's list
 * @ghvm: the VM; no reference is held
 * @fn: the type; its module is referenced
 * @argp: argument, &gh_vm_function.arg_size bytes
 * @data: the type's
 */
struct gh_vm_function_instance {
	struct list_head node;
	struct gh_vm *ghvm;
	const struct gh_vm_function *fn;
	void *argp;
	void *data;
};

/**
 * struct gh_vm_function - A type of functions
 * @type: enum gh_fn_type
 * @arg_size: size in bytes of the argument that the type takes
 * @owner: module of the type
 * @bind: adds an instance. Returns what GH_VM_ADD_FUNCTION is to return: a
 *        negative errno, or not.
 * @unbind: undoes @bind. Cannot fail.
 * @match: compares an instance with the argument of GH_VM_REMOVE_FUNCTION
 *
 * The operations on functions of one VM exclude each other. They may sleep.
 */
struct gh_vm_function {
	u32 type;
	size_t arg_size;
	struct module *owner;
	long (*bind)(struct gh_vm_function_instance *f);
	void (*unbind)(struct gh_vm_function_instance *f);
	enum gh_fn_match (*match)(const struct gh_vm_function_instance *f, const void *arg);
};

int gh_vm_function_register(const struct gh_vm_function *fn);
void gh_vm_function_unregister(const struct gh_vm_function *fn);

#define MODULE_ALIAS_GH_VM_FUNCTION(type)	MODULE_ALIAS("ghfunc:" __stringify(type))

#define module_gh_vm_function(__fn)						\
	module_driver(__fn, gh_vm_function_register, gh_vm_function_unregister)

/*
 * Resources
 */

/**
 * struct gh_vm_resource_ticket - A claim to a resource that a VM has or will have
 * @node: in the VM's list
 * @type: type of the resource
 * @label: label of the resource
 * @shared: other tickets may claim the same, if they are shared, too
 * @ghrsc: the resource, while the ticket has it
 * @populate: the resource is there. If this fails, so does what brought ticket and
 *            resource together: GH_VM_START or the adding of the ticket.
 * @unpopulate: it must not be used any more when this returns
 *
 * A VM's resources come when it is started and go when it is ended or undone.
 * The operations on tickets of one VM exclude each other. They may sleep.
 */
struct gh_vm_resource_ticket {
	struct list_head node;
	enum gunyah_resource_type type;
	u32 label;
	bool shared;
	struct gunyah_resource *ghrsc;
	int (*populate)(struct gh_vm_resource_ticket *ticket, struct gunyah_resource *ghrsc);
	void (*unpopulate)(struct gh_vm_resource_ticket *ticket);
};

int gh_vm_add_resource_ticket(struct gh_vm *ghvm, struct gh_vm_resource_ticket *ticket);
void gh_vm_remove_resource_ticket(struct gh_vm *ghvm, struct gh_vm_resource_ticket *ticket);

/*
 * Addresses
 */

/**
 * struct gh_vm_io_handler - Takes writes of the guest's to an address
 * @node: in the VM's tree
 * @addr: guest address in bytes
 * @len: size of the writes in bytes; 0 for any
 * @datamatch: only writes of @data, and @len is not 0
 * @data: see @datamatch; only the @len low bytes may be set
 * @write: called for each such write, from process context. Must not sleep for
 *         long, nor add or remove handlers.
 */
struct gh_vm_io_handler {
	struct rb_node node;
	u64 addr;
	u32 len;
	bool datamatch;
	u64 data;
	void (*write)(struct gh_vm_io_handler *handler);
};

int gh_vm_add_io_handler(struct gh_vm *ghvm, struct gh_vm_io_handler *handler);
void gh_vm_remove_io_handler(struct gh_vm *ghvm, struct gh_vm_io_handler *handler);
bool gh_vm_mmio_write(struct gh_vm *ghvm, u64 addr, u32 len, u64 data);

/*
 * State
 */

bool gh_vm_is_owner(struct gh_vm *ghvm);
bool gh_vm_has_ended(struct gh_vm *ghvm);
bool gh_vm_end_status(struct gh_vm *ghvm, u32 *status, struct gh_vm_exit_info *info);
void gh_vm_expect_exit(struct gh_vm *ghvm, u16 exit_type);
void gh_vm_add_status_wait(struct gh_vm *ghvm, struct wait_queue_entry *wait);
void gh_vm_remove_status_wait(struct gh_vm *ghvm, struct wait_queue_entry *wait);

#endif /* _LINUX_GUNYAH_VM_MGR_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM manager: VM functions
 *
 * A function adds something to a VM: a vCPU, an interrupt, a doorbell of a virtual
 * device. Each type is registered by a module, of which every instance holds a
 * reference. A VM's instances are listed in gh_vm::functions, under gh_vm::fn_lock,
 * and are removed one by one by the user or all together when the file is closed.
 */

#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "vm_mgr.h"

/* struct gh_vm_function by type. The lock keeps a module there while it is looked up. */
static DEFINE_MUTEX(gh_vm_functions_lock);
static DEFINE_XARRAY(gh_vm_functions);

/**
 * gh_vm_function_register() - Make a type of functions known
 * @fn: the type
 *
 * Context: Process context. May sleep.
 * Return: 0; -EBUSY if there is one of that number; -ENOMEM.
 */
int gh_vm_function_register(const struct gh_vm_function *fn)
{
	int ret;

	mutex_lock(&gh_vm_functions_lock);
	ret = xa_insert(&gh_vm_functions, fn->type, (void *)fn, GFP_KERNEL);
	mutex_unlock(&gh_vm_functions_lock);

	return ret;
}
EXPORT_SYMBOL_GPL(gh_vm_function_register);

/**
 * gh_vm_function_unregister() - Take a type of functions back
 * @fn: the type, of which there is no instance
 *
 * Context: Process context. May sleep.
 */
void gh_vm_function_unregister(const struct gh_vm_function *fn)
{
	mutex_lock(&gh_vm_functions_lock);
	WARN_ON_ONCE(xa_erase(&gh_vm_functions, fn->type) != fn);
	mutex_unlock(&gh_vm_functions_lock);
}
EXPORT_SYMBOL_GPL(gh_vm_function_unregister);

/* With a reference to its module */
static const struct gh_vm_function *gh_vm_function_lookup(u32 type)
{
	const struct gh_vm_function *fn;

	mutex_lock(&gh_vm_functions_lock);
	fn = xa_load(&gh_vm_functions, type);
	if (fn && !try_module_get(fn->owner))
		fn = NULL;
	mutex_unlock(&gh_vm_functions_lock);

	return fn;
}

static const struct gh_vm_function *gh_vm_function_get(u32 type)
{
	const struct gh_vm_function *fn = gh_vm_function_lookup(type);

	if (!fn) {
		request_module("ghfunc:%u", type);
		fn = gh_vm_function_lookup(type);
	}

	return fn;
}

static void gh_vm_function_free(struct gh_vm_function_instance *f)
{
	module_put(f->fn->owner);
	kfree(f->argp);
	kfree(f);
}

/**
 * gh_vm_add_function() - GH_VM_ADD_FUNCTION
 * @ghvm: the VM
 * @desc: type and argument
 *
 * Context: Process context. Killable.
 * Return: what the function's type returns; -EINVAL if the argument has not the
 * size of the type's; -ENOENT if there is no such type; -EFAULT; -ENOMEM; -EINTR.
 */
long gh_vm_add_function(struct gh_vm *ghvm, const struct gh_fn_desc *desc)
{
	const struct gh_vm_function *fn;
	struct gh_vm_function_instance *f;
	long ret;

	if (!desc->arg_size || desc->arg_size > GH_FN_MAX_ARG_SIZE)
		return -EINVAL;

	fn = gh_vm_function_get(desc->type);
	if (!fn)
		return -ENOENT;

	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f) {
		module_put(fn->owner);
		return -ENOMEM;
	}
	f->ghvm = ghvm;
	f->fn = fn;

	ret = -EINVAL;
	if (desc->arg_size != fn->arg_size)
		goto err_free;

	f->argp = memdup_user(u64_to_user_ptr(desc->arg), fn->arg_size);
	if (IS_ERR(f->argp)) {
		ret = PTR_ERR(f->argp);
		f->argp = NULL;
		goto err_free;
	}

	ret = -EINTR;
	if (mutex_lock_killable(&ghvm->fn_lock))
		goto err_free;
	ret = fn->bind(f);
	if (ret >= 0)
		list_add_tail(&f->node, &ghvm->functions);
	mutex_unlock(&ghvm->fn_lock);
	if (ret < 0)
		goto err_free;

	return ret;

err_free:
	gh_vm_function_free(f);
	return ret;
}

/* The instance that fits best, of several that fit equally the oldest */
static struct gh_vm_function_instance *
gh_vm_find_function(struct gh_vm *ghvm, const struct gh_fn_desc *desc, const void *arg)
{
	struct gh_vm_function_instance *f, *found = NULL;
	enum gh_fn_match match, best = GH_FN_NO_MATCH;

	lockdep_assert_held(&ghvm->fn_lock);

	list_for_each_entry(f, &ghvm->functions, node) {
		if (f->fn->type != desc->type || f->fn->arg_size != desc->arg_size)
			continue;
		match = f->fn->match(f, arg);
		if (match > best) {
			found = f;
			best = match;
		}
	}

	return found;
}

static void gh_vm_unbind_function(struct gh_vm *ghvm, struct gh_vm_function_instance *f)
{
	lockdep_assert_held(&ghvm->fn_lock);

	list_del(&f->node);
	f->fn->unbind(f);
	gh_vm_function_free(f);
}

/**
 * gh_vm_remove_function() - GH_VM_REMOVE_FUNCTION
 * @ghvm: the VM
 * @desc: type and argument
 *
 * Context: Process context. Killable.
 * Return: 0; -ENOENT if the VM has no such function; -EINVAL if the argument is
 * missing or too long; -EFAULT; -ENOMEM; -EINTR.
 */
int gh_vm_remove_function(struct gh_vm *ghvm, const struct gh_fn_desc *desc)
{
	struct gh_vm_function_instance *f;
	void *arg;
	int ret;

	if (!desc->arg_size || desc->arg_size > GH_FN_MAX_ARG_SIZE)
		return -EINVAL;

	arg = memdup_user(u64_to_user_ptr(desc->arg), desc->arg_size);
	if (IS_ERR(arg))
		return PTR_ERR(arg);

	ret = -EINTR;
	if (mutex_lock_killable(&ghvm->fn_lock))
		goto out;
	ret = -ENOENT;
	f = gh_vm_find_function(ghvm, desc, arg);
	if (f) {
		gh_vm_unbind_function(ghvm, f);
		ret = 0;
	}
	mutex_unlock(&ghvm->fn_lock);
out:
	kfree(arg);
	return ret;
}

/**
 * gh_vm_remove_functions() - Remove all functions of a VM
 * @ghvm: the VM, whose file is being closed, so that there will be no others
 *
 * Context: Process context. May sleep.
 */
void gh_vm_remove_functions(struct gh_vm *ghvm)
{
	struct gh_vm_function_instance *f, *next;

	mutex_lock(&ghvm->fn_lock);
	list_for_each_entry_safe(f, next, &ghvm->functions, node)
		gh_vm_unbind_function(ghvm, f);
	mutex_unlock(&ghvm->fn_lock);
}

/**
 * gh_vm_fn_init() - Set up the functions of a new VM
 * @ghvm: the VM
 *
 * Context: Any.
 */
void gh_vm_fn_init(struct gh_vm *ghvm)
{
	mutex_init(&ghvm->fn_lock);
	INIT_LIST_HEAD(&ghvm->functions);
}

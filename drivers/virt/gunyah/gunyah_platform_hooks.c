// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah: platforms on which others must be told who gets which memory
 *
 * On some platforms the hypervisor is not alone in deciding who may access memory:
 * firmware has to be told before memory is lent or shared, and after it has come
 * back. Whoever does that is a module of its own, the provider, so that no other
 * kernel has the platform's drivers for it. This module is what lies between: gunyah
 * and the provider depend on it, and neither on the other.
 *
 * There is one provider at most. Its module stays for as long as somebody uses what
 * gh_rm_platform_get() returned, which for a parcel is until the platform has given
 * all of it back.
 */

#include <linux/errno.h>
#include <linux/export.h>
#include <linux/gunyah.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/string.h>
#include <kunit/static_stub.h>

#include "rsc_mgr.h"

/* Guards all of these, and that a provider's module is there when a reference is taken */
static DEFINE_MUTEX(gh_rm_platform_lock);
static const struct gh_rm_platform_ops *gh_rm_platform;
/* It does not change, and a hypercall for each parcel would be too many. */
static const char *gh_rm_qcom;
static bool gh_rm_qcom_known;

/**
 * gh_rm_register_platform_ops() - Be told who gets which memory
 * @ops: the provider, which stays until it is unregistered and not in use any more
 *
 * Context: Process context. May sleep.
 * Return: 0; -EEXIST if there is a provider.
 */
int gh_rm_register_platform_ops(const struct gh_rm_platform_ops *ops)
{
	int ret = 0;

	mutex_lock(&gh_rm_platform_lock);
	if (gh_rm_platform)
		ret = -EEXIST;
	else
		gh_rm_platform = ops;
	mutex_unlock(&gh_rm_platform_lock);

	return ret;
}
EXPORT_SYMBOL_GPL(gh_rm_register_platform_ops);

/**
 * gh_rm_unregister_platform_ops() - Be told of no more memory
 * @ops: the provider. One that is not registered is ignored.
 *
 * What it was told of before comes back to it all the same: a module is not unloaded
 * before that, as there is a reference to it.
 *
 * Context: Process context. May sleep.
 */
void gh_rm_unregister_platform_ops(const struct gh_rm_platform_ops *ops)
{
	mutex_lock(&gh_rm_platform_lock);
	if (gh_rm_platform == ops)
		gh_rm_platform = NULL;
	mutex_unlock(&gh_rm_platform_lock);
}
EXPORT_SYMBOL_GPL(gh_rm_unregister_platform_ops);

/**
 * gh_rm_platform_get() - The provider, with a reference to its module
 *
 * Context: Process context. May sleep.
 * Return: the provider, for gh_rm_platform_put(); NULL if there is none, or it is just
 * being unloaded.
 */
const struct gh_rm_platform_ops *gh_rm_platform_get(void)
{
	const struct gh_rm_platform_ops *ops;

	mutex_lock(&gh_rm_platform_lock);
	ops = gh_rm_platform;
	if (ops && !try_module_get(ops->owner))
		ops = NULL;
	mutex_unlock(&gh_rm_platform_lock);

	return ops;
}
EXPORT_SYMBOL_GPL(gh_rm_platform_get);

/**
 * gh_rm_platform_put() - The end of gh_rm_platform_get()
 * @ops: what that returned
 *
 * Context: Any.
 */
void gh_rm_platform_put(const struct gh_rm_platform_ops *ops)
{
	module_put(ops->owner);
}
EXPORT_SYMBOL_GPL(gh_rm_platform_put);

static const char *gh_rm_find_qcom(void)
{
	const char *compatible;
	struct property *prop;

	if (arch_has_gh_qcom_ext())
		return "the hypervisor has Qualcomm's extensions";

	of_property_for_each_string(of_root, "compatible", prop, compatible)
		if (strstarts(compatible, "qcom,"))
			return "the machine is one of Qualcomm's";

	return NULL;
}

/**
 * gh_rm_platform_is_qcom() - Must Qualcomm's firmware be told?
 *
 * Two signs: the hypervisor has Qualcomm's extensions, or the machine is one of
 * Qualcomm's. The hypervisor's node in the devicetree is none: the resource manager
 * calls it Qualcomm's on any machine.
 *
 * Context: Process context. May sleep.
 * Return: why it must, for people; NULL if it need not.
 */
const char *gh_rm_platform_is_qcom(void)
{
	struct device_node *np;
	const char *why;

	KUNIT_STATIC_STUB_REDIRECT(gh_rm_platform_is_qcom);

	mutex_lock(&gh_rm_platform_lock);
	if (!gh_rm_qcom_known) {
		/* Only there the hypervisor may be asked, and only there memory is given away. */
		np = of_find_compatible_node(NULL, NULL, "gunyah-resource-manager");
		if (np) {
			gh_rm_qcom = gh_rm_find_qcom();
			gh_rm_qcom_known = true;
			of_node_put(np);
		}
	}
	why = gh_rm_qcom;
	mutex_unlock(&gh_rm_platform_lock);

	return why;
}
EXPORT_SYMBOL_GPL(gh_rm_platform_is_qcom);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gunyah: platforms that must be told who gets which memory");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah on Qualcomm platforms: who has which memory, to TrustZone
 *
 * TrustZone keeps a list of its own of who may access which memory, by VMIDs of which it
 * knows 64. The VMs that the resource manager makes have others: what is theirs belongs,
 * for TrustZone, to the one VMID that stands for all VMs of the resource manager's, and so
 * does what is the host's if the host is such a VM.
 *
 * Memory changes hands by naming all that have it and all that are to have it. It is
 * refused if the former is not exactly what TrustZone's list says. The host's own memory
 * belongs to the host alone, with all rights, and whoever had it in between it is again
 * when it is back.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/firmware/qcom/qcom_scm.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <kunit/visibility.h>

#include "gunyah_qcom.h"

/* The VMIDs that TrustZone knows, and the one of them that stands for all others */
#define GH_QCOM_MAX_VMID	0x3f
#define GH_QCOM_RM_MANAGED	0x3a

static_assert(GH_RM_ACL_R == QCOM_SCM_PERM_READ);
static_assert(GH_RM_ACL_W == QCOM_SCM_PERM_WRITE);
static_assert(GH_RM_ACL_X == QCOM_SCM_PERM_EXEC);

/* Where this is compiled without QCOM_SCM it is for the tests only. */
static int gh_qcom_scm_ready(void)
{
	return IS_REACHABLE(CONFIG_QCOM_SCM) && qcom_scm_is_available() ? 0 : -EPROBE_DEFER;
}

static int gh_qcom_scm_assign_mem(phys_addr_t addr, size_t size, u64 *src,
				  const struct qcom_scm_vmperm *dst, unsigned int n_dst)
{
	if (!IS_REACHABLE(CONFIG_QCOM_SCM))
		return -ENODEV;

	return qcom_scm_assign_mem(addr, size, src, dst, n_dst);
}

static const struct gh_qcom_scm gh_qcom_real_scm = {
	.ready = gh_qcom_scm_ready,
	.assign_mem = gh_qcom_scm_assign_mem,
};

VISIBLE_IF_KUNIT const struct gh_qcom_scm *gh_qcom_scm = &gh_qcom_real_scm;
EXPORT_SYMBOL_IF_KUNIT(gh_qcom_scm);

static unsigned int gh_qcom_vmid(u16 vmid)
{
	return vmid > GH_QCOM_MAX_VMID ? GH_QCOM_RM_MANAGED : vmid;
}

/*
 * Those who have a parcel that was given away. TrustZone cannot tell the resource
 * manager's VMs apart, so what one of them may, they all may. Returns their VMIDs.
 */
static u64 gh_qcom_users(const struct gh_rm_mem_parcel *parcel, struct qcom_scm_vmperm *users,
			 unsigned int *n)
{
	u8 perms[GH_QCOM_MAX_VMID + 1] = {};
	u64 vmids = 0;
	unsigned int vmid;
	size_t i;

	for (i = 0; i < parcel->n_acl_entries; i++) {
		vmid = gh_qcom_vmid(parcel->acl_entries[i].vmid);
		vmids |= BIT_ULL(vmid);
		perms[vmid] |= parcel->acl_entries[i].perms;
	}

	*n = 0;
	for (vmid = 0; vmid <= GH_QCOM_MAX_VMID; vmid++)
		if (vmids & BIT_ULL(vmid))
			users[(*n)++] = (struct qcom_scm_vmperm) {
				.vmid = vmid,
				.perm = perms[vmid],
			};

	return vmids;
}

static int gh_qcom_assign(u64 addr, u64 size, u64 src, const struct qcom_scm_vmperm *dst,
			  unsigned int n_dst)
{
	/* It is overwritten with what is to be the next source, but only 32 bits of it. */
	u64 scratch = src;
	int ret;

	ret = gh_qcom_scm->assign_mem(addr, size, &scratch, dst, n_dst);
	if (ret)
		pr_debug("firmware refused %#llx bytes, source VMIDs %#llx, %u destinations, the first VMID %#x with rights %#x: %s %d\n",
			 size, src, n_dst, dst->vmid, dst->perm, ret > 0 ? "code" : "error", ret);

	/* A positive one is the firmware's own, which only the log can do something with. */
	return ret;
}

static int gh_qcom_ready(void)
{
	int ret = gh_qcom_scm->ready();

	if (ret)
		pr_err_ratelimited("memory cannot be given to a VM: the driver of the firmware, qcom_scm, is not bound\n");

	return ret;
}

static int gh_qcom_pre_mem_share(const struct gh_rm_mem_parcel *parcel, u64 addr, u64 size)
{
	struct qcom_scm_vmperm users[GH_QCOM_MAX_VMID + 1];
	unsigned int n;
	int ret;

	/* It would be called through a NULL pointer. */
	ret = gh_qcom_scm->ready();
	if (ret)
		return ret;

	gh_qcom_users(parcel, users, &n);
	return gh_qcom_assign(addr, size, BIT_ULL(gh_qcom_vmid(parcel->owner_vmid)), users, n);
}

static int gh_qcom_post_mem_reclaim(const struct gh_rm_mem_parcel *parcel, u64 addr, u64 size)
{
	struct qcom_scm_vmperm users[GH_QCOM_MAX_VMID + 1];
	struct qcom_scm_vmperm owner = {
		.vmid = gh_qcom_vmid(parcel->owner_vmid),
		.perm = QCOM_SCM_PERM_RWX,
	};
	unsigned int n;
	int ret;

	ret = gh_qcom_scm->ready();
	if (ret)
		return ret;

	return gh_qcom_assign(addr, size, gh_qcom_users(parcel, users, &n), &owner, 1);
}

VISIBLE_IF_KUNIT const struct gh_rm_platform_ops gh_qcom_ops = {
	.owner = THIS_MODULE,
	.ready = gh_qcom_ready,
	.pre_mem_share = gh_qcom_pre_mem_share,
	.post_mem_reclaim = gh_qcom_post_mem_reclaim,
};
EXPORT_SYMBOL_IF_KUNIT(gh_qcom_ops);

static int __init gh_qcom_init(void)
{
	/* Elsewhere nobody is to be told of anything. */
	if (!gh_rm_platform_is_qcom())
		return 0;

	return gh_rm_register_platform_ops(&gh_qcom_ops);
}
module_init(gh_qcom_init);

static void __exit gh_qcom_exit(void)
{
	gh_rm_unregister_platform_ops(&gh_qcom_ops);
}
module_exit(gh_qcom_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gunyah on Qualcomm platforms");
MODULE_ALIAS(GH_RM_PLATFORM_QCOM_ALIAS);

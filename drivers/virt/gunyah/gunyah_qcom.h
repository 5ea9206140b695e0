/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __GUNYAH_QCOM_H
#define __GUNYAH_QCOM_H

#include <linux/gunyah_rsc_mgr.h>
#include <linux/types.h>

/* For tests: what gunyah_qcom.c provides, and the firmware that it talks to */

struct qcom_scm_vmperm;

/**
 * struct gh_qcom_scm - The firmware
 * @ready: 0 if it can be called, else a negative errno, and the reason in the log
 * @assign_mem: as qcom_scm_assign_mem()
 */
struct gh_qcom_scm {
	int (*ready)(void);
	int (*assign_mem)(phys_addr_t addr, size_t size, u64 *src,
			  const struct qcom_scm_vmperm *dst, unsigned int n_dst);
};

#if IS_ENABLED(CONFIG_KUNIT)
extern const struct gh_qcom_scm *gh_qcom_scm;
extern const struct gh_rm_platform_ops gh_qcom_ops;
#endif

#endif /* __GUNYAH_QCOM_H */

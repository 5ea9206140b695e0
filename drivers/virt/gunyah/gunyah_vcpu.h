/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __GUNYAH_VCPU_H
#define __GUNYAH_VCPU_H

#include <linux/gunyah_vm_mgr.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/wait.h>

struct task_struct;

/**
 * struct gh_vcpu - A vCPU
 * @kref: the function instance and the file hold one each
 * @ghvm: the VM, referenced
 * @ticket: for the vCPU's resource
 * @vcpu_run: the page that user space maps, too
 * @run_lock: held by who runs the vCPU. Guards what follows, up to @reading.
 * @ghrsc: the vCPU's resource, NULL if the VM has not got it
 * @reading: the vCPU left to read so many bytes, and the hypervisor has not taken
 *           the answer yet; else 0
 * @task: who runs the vCPU
 * @evicting: who runs the vCPU is to stop that
 * @woken: the vCPU's interrupt came since it was last run
 * @wait: who runs the vCPU sleeps here
 * @status_wait: wakes @wait when the state of the VM changes
 * @hypercall: for tests only: what to call in place of the hypervisor
 */
struct gh_vcpu {
	struct kref kref;
	struct gh_vm *ghvm;
	struct gh_vm_resource_ticket ticket;
	struct gh_vcpu_run *vcpu_run;

	struct mutex run_lock;		/* see above */
	struct gunyah_resource *ghrsc;
	unsigned int reading;

	struct task_struct *task;
	bool evicting;
	bool woken;
	wait_queue_head_t wait;
	struct wait_queue_entry status_wait;

#if IS_ENABLED(CONFIG_GUNYAH_KUNIT_TEST)
	enum gh_error (*hypercall)(struct gh_vcpu *vcpu, u64 resume_data,
				   struct gh_hypercall_vcpu_run_resp *resp);
#endif
};

#endif /* __GUNYAH_VCPU_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest as guest.c builds it and vcpu.c runs it. All of it is the hidden CPU's. */
#ifndef _HYP_GUEST_H
#define _HYP_GUEST_H

#include "hyp.h"
#include "rm_dtb.h"

/* EL1 and EL0 state that a guest has to itself, beside the general registers */
#define VCPU_SYSREGS(r)	\
	r(sctlr_el1) r(actlr_el1) r(cpacr_el1) r(ttbr0_el1) r(ttbr1_el1) r(tcr_el1) r(mair_el1)	\
	r(amair_el1) r(esr_el1) r(far_el1) r(afsr0_el1) r(afsr1_el1) r(vbar_el1)		\
	r(contextidr_el1) r(tpidr_el0) r(tpidrro_el0) r(tpidr_el1) r(sp_el0) r(sp_el1)		\
	r(elr_el1) r(spsr_el1) r(par_el1) r(csselr_el1) r(cntkctl_el1) r(cntv_ctl_el0)		\
	r(cntv_cval_el0)

#define VCPU_SYSREG_FIELD(r)	u64 r;

struct fp_state {
	u64 q[64];
	u64 fpcr, fpsr;
} __aligned(16);

enum vcpu_state {
	VCPU_OFF,
	VCPU_RUNNABLE,
	VCPU_WAITING,		/* in WFI, and there are no interrupts to end that */
};

struct vcpu {
	u64 x[31];
	u64 pc, spsr;
	struct { VCPU_SYSREGS(VCPU_SYSREG_FIELD) } sys;
	struct fp_state fp;
	enum vcpu_state state;
	bool injected;		/* an exception, and to this vector */
	u64 vector;
};

struct vm {
	struct rm_dtb_config dtb;
	struct guest_s2 s2;
	struct vcpu vcpu;
};

/* By VMID: 4 to 31 and 0x80 to 0xbe */
#define MAX_VMID	0xbf
extern struct vm vms[MAX_VMID];

/* entry.S */
void fp_save(struct fp_state *fp);
void fp_load(const struct fp_state *fp);

void vcpu_start(struct vcpu *vcpu, u64 pc, u64 x0);
void vcpu_stop(struct vcpu *vcpu);

#endif /* _HYP_GUEST_H */

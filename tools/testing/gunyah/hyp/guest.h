/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest as guest.c builds it and vcpu.c or proxy.c runs it. All of it is the hidden
 * CPU's, but for what proxy.c and vgic.c say about guests whose vCPUs the host runs.
 */
#ifndef _HYP_GUEST_H
#define _HYP_GUEST_H

#include "hyp.h"
#include "rm_dtb.h"

/* EL1 and EL0 state that a guest has to itself, beside the general registers */
#define VCPU_SYSREGS(r)	\
	r(sctlr_el1) r(actlr_el1) r(cpacr_el1) r(ttbr0_el1) r(ttbr1_el1) r(tcr_el1) r(mair_el1)	\
	r(amair_el1) r(esr_el1) r(far_el1) r(afsr0_el1) r(afsr1_el1) r(vbar_el1)		\
	r(contextidr_el1) r(tpidr_el0) r(tpidrro_el0) r(tpidr_el1) r(sp_el0) r(sp_el1)		\
	r(elr_el1) r(spsr_el1) r(par_el1) r(csselr_el1) r(cntkctl_el1) r(mdscr_el1)		\
	r(cntv_ctl_el0) r(cntv_cval_el0)

#define VCPU_SYSREG_FIELD(r)	u64 r;

struct fp_state {
	u64 q[64];
	u64 fpcr, fpsr;
} __aligned(16);

struct vcpu_sys {
	VCPU_SYSREGS(VCPU_SYSREG_FIELD)
};

enum vcpu_state {
	VCPU_OFF,
	VCPU_RUNNABLE,
	VCPU_WAITING,		/* for an interrupt; of the hidden CPU's guests, for ever */
};

/* What vcpu_run returns */
#define RUN_READY		0
#define RUN_EXPECTS_WAKEUP	1
#define RUN_POWERED_OFF		2
#define RUN_VMMIO_READ		4
#define RUN_VMMIO_WRITE		5
#define RUN_FAULT		6
#define RUN_SYSTEM_RESET	0x100
#define SLEEP_WFI		1
#define SLEEP_CPU_SUSPEND	2
#define SLEEP_SYSTEM_SUSPEND	3

struct vcpu_result {
	u64 state;
	u64 data[3];
};

#define MAX_VCPUS	8		/* of a guest's devicetree */

/* vgic.c: 32 interrupts, a bit each */
struct vgic_irqs {
	u32 enabled;
	u32 edge;
	u32 latch;		/* pending, until it is acknowledged */
	u32 line;		/* pending as long as that is high, unless it is an edge */
	u32 active;
	u8 priority[32];
};

#define VGIC_SPIS	256
#define VGIC_LRS	4

/* A vCPU's part of it: redistributor and CPU interface */
struct vgic_cpu {
	struct vgic_irqs irqs;
	u64 vmcr, ap0r, ap1r;
	u64 lr[VGIC_LRS];	/* as they were filled */
	u32 lrs;
	bool loaded;		/* and what is in the registers is not above */
};

struct vgic {
	u64 dist, redist;	/* addresses; 0: it has none */
	u32 ctlr;
	u32 pausing;		/* while not 0 no vCPU enters the guest */
	struct vgic_irqs spi[VGIC_SPIS / 32];
	u8 route[VGIC_SPIS];	/* the vCPU that it goes to, */
	u8 owner[VGIC_SPIS];	/* and where it is active */
};

struct vcpu {
	/* What vcpu_reset() sets */
	u64 x[31];
	u64 pc, spsr;
	struct vcpu_sys sys;
	struct fp_state fp;
	bool injected;		/* an exception, and to this vector */
	u64 vector;
	struct vcpu_result left;	/* READY: it has not left by itself */
	u64 reading;			/* syndrome of the load that it left for, or 0 */

	enum vcpu_state state;
	u32 index;
	/* The rest is for vCPUs that the host runs. */
	bool running;			/* on this CPU of the host's: */
	u32 cpu;
	bool resetting;			/* when it runs next it starts here: */
	u64 entry, context;
	struct vcpu_result sleep;	/* while it is waiting, */
	u64 wake_at;			/* and when its timer ends that */
	struct vgic_cpu gic;
};

struct proxy {
	bool on;			/* the host runs this guest */
	bool exited;			/* for good, and the resource manager knows */
	bool posted;			/* it has exited, and the manager is to be told: */
	u16 exit_type;
	u32 reason[4];
	u32 words;
	u32 spi[MAX_VCPUS];
	struct vcpu *vcpu[MAX_VCPUS];
	u8 last_ran[MAX_CPUS];		/* by CPU: the vCPU that was there last, and 1; or 0 */
	struct vgic gic;
};

struct vm {
	struct rm_dtb_config dtb;
	struct guest_s2 s2;
	struct vcpu vcpu;		/* that the hidden CPU runs */
	struct spinlock lock;		/* see proxy.c */
	/* Since VM_INIT, until it is reset */
	u32 cpus;
	u16 cap[MAX_VCPUS];
	struct proxy proxy;
	/* Likewise; numbers of bell.c's */
	u16 bell[RM_DTB_MAX_BELLS];
	u32 bells;
};

/* By VMID: 4 to 31 and 0x80 to 0xbe */
#define MAX_VMID	0xbf
extern struct vm vms[MAX_VMID];

/* entry.S */
void fp_save(struct fp_state *fp);
void fp_load(const struct fp_state *fp);

/* vcpu.c */
void sys_save(struct vcpu_sys *sys);
void sys_load(const struct vcpu_sys *sys);
void vcpu_reset(struct vcpu *vcpu, u64 pc, u64 x0);
void vcpu_stop(struct vcpu *vcpu);
void vcpu_trapped(u16 vmid, struct vcpu *vcpu);

/* sysreg.c */
bool sysreg_access(u16 vmid, struct vcpu *vcpu, u64 esr);

/* proxy.c */
#define NEVER		(~0UL)
bool vcpus_create(u16 vmid, u32 cpus, bool proxy);
void vcpus_destroy(u16 vmid);
bool vcpu_resource(u16 vmid, u32 index, struct rm_resource *r);
void proxy_start(u16 vmid, u64 pc, u64 x0);
void proxy_kill(u16 vmid);
void proxy_ended(u16 vmid, u16 type, const u32 *reason, u32 words);
bool proxy_cpu_on(u16 vmid, u32 index, u64 entry, u64 context);
void proxy_cpu_off(u16 vmid, struct vcpu *vcpu);
u64 proxy_affinity_info(u16 vmid, u32 index);
void proxy_sleep(u16 vmid, struct vcpu *vcpu, u32 type, u64 data0);
bool proxy_system_suspend(u16 vmid, struct vcpu *vcpu, u64 entry, u64 context);
void proxy_wake(struct vm *vm, struct vcpu *vcpu);
u64 vcpu_run(u64 cap, u64 resume, u64 reserved, struct vcpu_result *r);

/* bell.c */
bool bells_create(u16 vmid, const struct rm_dtb_config *config);
void bells_destroy(u16 vmid);
bool bell_resource(u16 vmid, u32 index, struct rm_resource *r);

/* script.c */
bool script_vcpu_run(u64 cap, u64 *error, struct vcpu_result *r);

/* vgic.c */
void vgic_create(struct vm *vm);
void vgic_reset_cpu(struct vcpu *vcpu);
bool vgic_enter(struct vm *vm, struct vcpu *vcpu);
void vgic_leave(struct vm *vm, struct vcpu *vcpu);
void vgic_set_timer(struct vcpu *vcpu, bool due);
bool vgic_signals(struct vm *vm, struct vcpu *vcpu, bool any_group);
bool vgic_owns(const struct vm *vm, u64 ipa);
bool vgic_access(struct vm *vm, struct vcpu *vcpu, u64 esr, u64 ipa);
void vgic_send_sgi(struct vm *vm, struct vcpu *vcpu, u64 value);

#endif /* _HYP_GUEST_H */

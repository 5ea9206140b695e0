// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running guests, round robin on the hidden CPU: one vCPU each, a slice at a
 * time, and what it does when it traps. The latter also for guests that the host
 * runs (proxy.c), which then are on one of the host's CPUs.
 *
 * loaded is the vCPU whose EL1 and FP state is in the CPU; the hypervisor uses
 * neither, so that this changes only when another guest runs. While that vCPU is
 * loaded its struct holds x, pc and spsr, and the rest is stale.
 *
 * Nothing interrupts a guest that runs here: WFI is for ever, and there is no GIC and no
 * timer. It has one vCPU. What the others have is in proxy.c and vgic.c; no guest has the
 * physical timer.
 */
#include "guest.h"

#define HCR_GUEST		(HCR_RW | HCR_VM | HCR_IMO | HCR_FMO | HCR_AMO | HCR_FB | \
				 HCR_BSU_IS | HCR_TWI | HCR_TID3 | HCR_TSC | HCR_TIDCP | \
				 HCR_TACR)
#define CPTR_GUEST		0x33ffUL	/* traps SVE and SME */
#define MDCR_GUEST		0xe60UL		/* traps debug and PMU registers */
#define CNTHCTL_GUEST		1UL		/* counter, no physical timer */
#define VMPIDR_GUEST		0x80000000UL

#define VECTOR_SIZE		0x80

#define PSCI_VERSION		0x84000000
#define PSCI_CPU_SUSPEND	0x84000001
#define PSCI_CPU_OFF		0x84000002
#define PSCI_CPU_ON		0x84000003
#define PSCI_AFFINITY_INFO	0x84000004
#define PSCI_SYSTEM_OFF		0x84000008
#define PSCI_SYSTEM_RESET	0x84000009
#define PSCI_FEATURES		0x8400000a
#define PSCI_SYSTEM_SUSPEND	0x8400000e
#define PSCI_SYSTEM_RESET2	0x84000012
#define PSCI_SMC64		0x40000000
#define PSCI_1_1		0x10001
#define PSCI_NOT_SUPPORTED	-1L
#define PSCI_INVALID_PARAMS	-2L
#define PSCI_DENIED		-3L
#define PSCI_ALREADY_ON		-4L
#define PSCI_RESET2_VENDOR	BIT(31)
#define SMCCC_VERSION		0x80000000
#define SMCCC_ARCH_FEATURES	0x80000001
#define SMCCC_1_1		0x10001

/* VM_EXITED */
#define EXIT_OFF		1
#define EXIT_RESET		2
#define EXIT_RESET2		3
#define EXIT_ERROR		5
#define RESET2_SMC64		0x8000
/* The same for vcpu_run */
#define RUN_RESET		BIT(63)
#define RUN_RESET2_SMC64	BIT(62)

/* What a guest with no authentication has devices in, for the host to emulate */
#define VMMIO_END		BIT(30)

static struct vcpu *loaded;
static u32 last_vmid;

#define SAVE(r)		(sys->r = read_sysreg(r));
#define LOAD(r)		write_sysreg(sys->r, r);

void sys_save(struct vcpu_sys *sys)
{
	VCPU_SYSREGS(SAVE)
}

void sys_load(const struct vcpu_sys *sys)
{
	VCPU_SYSREGS(LOAD)
}

static void load(struct vcpu *vcpu)
{
	if (vcpu == loaded)
		return;
	if (loaded) {
		sys_save(&loaded->sys);
		fp_save(&loaded->fp);
	}
	sys_load(&vcpu->sys);
	fp_load(&vcpu->fp);
	isb();
	loaded = vcpu;
}

void vcpu_cpu_init(u32 index)
{
	write_sysreg(guest_vectors, vbar_el2);
	write_sysreg(HCR_GUEST, hcr_el2);
	write_sysreg(CPTR_GUEST, cptr_el2);
	write_sysreg(0, hstr_el2);
	write_sysreg(MDCR_GUEST | ((read_sysreg(pmcr_el0) >> 11) & 0x1f), mdcr_el2);
	write_sysreg(CNTHCTL_GUEST, cnthctl_el2);
	write_sysreg(0, cntvoff_el2);
	write_sysreg(read_sysreg(midr_el1), vpidr_el2);
	write_sysreg(VMPIDR_GUEST | index, vmpidr_el2);
	isb();
}

void vcpu_reset(struct vcpu *vcpu, u64 pc, u64 x0)
{
	memset(vcpu, 0, offsetof(struct vcpu, state));
	vcpu->sys.sctlr_el1 = SCTLR_EL1_RESET;
	vcpu->pc = pc;
	vcpu->x[0] = x0;
	vcpu->spsr = SPSR_EL1H | SPSR_DAIF;
}

void vcpu_stop(struct vcpu *vcpu)
{
	vcpu->state = VCPU_OFF;
	if (loaded == vcpu)
		loaded = NULL;
}

static void leave(struct vcpu *vcpu, u64 state, u64 data0, u64 data1, u64 data2)
{
	vcpu->left = (struct vcpu_result){ state, { data0, data1, data2 } };
}

static void ended(u16 vmid, u16 type, const u32 *reason, u32 words)
{
	if (vms[vmid].proxy.on) {
		proxy_ended(vmid, type, reason, words);
	} else {
		vms[vmid].vcpu.state = VCPU_OFF;
		rm_model_guest_exited(rm_model, vmid, type, reason, words);
	}
}

static void ended_plainly(u16 vmid, u16 type)
{
	static const u32 reason[1];

	ended(vmid, type, reason, ARRAY_SIZE(reason));
}

static u64 system_reset2(u16 vmid, struct vcpu *vcpu)
{
	const u64 *x = vcpu->x;
	bool smc64 = x[0] & PSCI_SMC64;
	u64 cookie = smc64 ? x[2] : (u32)x[2];
	u32 type = x[1];
	/* Only the 64-bit call's words were recorded; the flag is taken for its mark. */
	u32 reason[4] = { smc64 ? RESET2_SMC64 : 0, type, cookie, cookie >> 32 };

	if (type && !(type & PSCI_RESET2_VENDOR))
		return PSCI_INVALID_PARAMS;
	leave(vcpu, RUN_SYSTEM_RESET, (smc64 ? RUN_RESET2_SMC64 : 0) | type, cookie, 0);
	ended(vmid, EXIT_RESET2, reason, ARRAY_SIZE(reason));
	return 0;
}

/*
 * What needs more than one vCPU, or something that ends a sleep. The power state only
 * tells the host how deep a sleep may be: that one which would lose the state of the CPU
 * does not, and returns, is allowed. Where a vCPU is to start is not looked at before it
 * is there, and has an abort if that is nowhere.
 */
static u64 proxy_psci(u16 vmid, struct vcpu *vcpu)
{
	bool smc64 = vcpu->x[0] & PSCI_SMC64;
	u64 x[4];

	for (u32 i = 0; i < ARRAY_SIZE(x); i++)
		x[i] = smc64 ? vcpu->x[i] : (u32)vcpu->x[i];
	switch (x[0] & ~(u64)PSCI_SMC64) {
	case PSCI_CPU_SUSPEND:
		proxy_sleep(vmid, vcpu, SLEEP_CPU_SUSPEND, (u32)x[1]);
		return 0;
	case PSCI_SYSTEM_SUSPEND:
		return proxy_system_suspend(vmid, vcpu, x[1], x[2]) ? 0 : PSCI_DENIED;
	case PSCI_CPU_ON:
		if (x[1] >= vms[vmid].cpus)
			return PSCI_INVALID_PARAMS;
		return proxy_cpu_on(vmid, x[1], x[2], x[3]) ? 0 : PSCI_ALREADY_ON;
	default:
		if (x[1] >= vms[vmid].cpus || x[2])
			return PSCI_INVALID_PARAMS;
		return proxy_affinity_info(vmid, x[1]);
	}
}

static u64 psci_features(u16 vmid, u32 fn)
{
	switch (fn) {
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | PSCI_SMC64:
	case PSCI_SYSTEM_SUSPEND:
	case PSCI_SYSTEM_SUSPEND | PSCI_SMC64:
		return vms[vmid].proxy.on ? 0 : PSCI_NOT_SUPPORTED;
	case PSCI_VERSION:
	case PSCI_CPU_OFF:
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | PSCI_SMC64:
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | PSCI_SMC64:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case PSCI_FEATURES:
	case PSCI_SYSTEM_RESET2:
	case PSCI_SYSTEM_RESET2 | PSCI_SMC64:
	case SMCCC_VERSION:
		return 0;
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

static u64 psci(u16 vmid, struct vcpu *vcpu)
{
	u64 *x = vcpu->x;

	switch ((u32)x[0]) {
	case PSCI_VERSION:
		return PSCI_1_1;
	case SMCCC_VERSION:
		return SMCCC_1_1;
	case SMCCC_ARCH_FEATURES:
		if ((u32)x[1] == SMCCC_VERSION || (u32)x[1] == SMCCC_ARCH_FEATURES)
			return 0;
		return PSCI_NOT_SUPPORTED;
	case PSCI_FEATURES:
		return psci_features(vmid, x[1]);
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | PSCI_SMC64:
	case PSCI_SYSTEM_SUSPEND:
	case PSCI_SYSTEM_SUSPEND | PSCI_SMC64:
		return vms[vmid].proxy.on ? proxy_psci(vmid, vcpu) : (u64)PSCI_NOT_SUPPORTED;
	case PSCI_CPU_OFF:
		/* The resource manager is not told, even if nobody is left to turn it on. */
		leave(vcpu, RUN_POWERED_OFF, 0, 0, 0);
		if (vms[vmid].proxy.on)
			proxy_cpu_off(vmid, vcpu);
		else
			vcpu->state = VCPU_OFF;
		return 0;
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | PSCI_SMC64:
		if (vms[vmid].proxy.on)
			return proxy_psci(vmid, vcpu);
		if (!x[1])
			return PSCI_ALREADY_ON;
		/* One vCPU runs, whatever the devicetree lists. */
		return x[1] < vms[vmid].dtb.cpus ? PSCI_DENIED : PSCI_INVALID_PARAMS;
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | PSCI_SMC64:
		if (vms[vmid].proxy.on)
			return proxy_psci(vmid, vcpu);
		if (x[1] >= vms[vmid].dtb.cpus || x[2])
			return PSCI_INVALID_PARAMS;
		return x[1] ? 1 : 0;
	case PSCI_SYSTEM_OFF:
		leave(vcpu, RUN_POWERED_OFF, 0, 0, 0);
		ended_plainly(vmid, EXIT_OFF);
		return 0;
	case PSCI_SYSTEM_RESET:
		leave(vcpu, RUN_SYSTEM_RESET, RUN_RESET, 0, 0);
		ended_plainly(vmid, EXIT_RESET);
		return 0;
	case PSCI_SYSTEM_RESET2:
	case PSCI_SYSTEM_RESET2 | PSCI_SMC64:
		return system_reset2(vmid, vcpu);
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

/*
 * A guest that faults in the very vector that its last injected exception took it
 * to will get no further, ever: it ends.
 */
static void inject(u16 vmid, struct vcpu *vcpu, u64 esr, const u64 *far)
{
	if (vcpu->injected && read_sysreg(elr_el2) - vcpu->vector < VECTOR_SIZE) {
		if (config.verbose)
			print("hyp: VM %u: fault in its vector at %lx, ESR %lx FAR %lx\n", vmid,
			      vcpu->vector, read_sysreg(esr_el2), read_sysreg(far_el2));
		leave(vcpu, RUN_FAULT, 0, 0, 0);
		ended_plainly(vmid, EXIT_ERROR);
		return;
	}
	vcpu->injected = true;
	vcpu->vector = exception_vector();
	inject_exception(esr, far);
}

static void step_over(void)
{
	write_sysreg(read_sysreg(elr_el2) + 4, elr_el2);
}

/*
 * A load or store that is the host's to emulate: of one register, where nothing is
 * mapped. The guest goes on behind it; what it loads comes with the next vcpu_run.
 */
static bool vmmio(u16 vmid, struct vcpu *vcpu, u64 esr, u64 ipa)
{
	u32 srt = ESR_SRT(esr), size = 1 << ESR_SAS(esr);
	u64 value = srt == 31 ? 0 : vcpu->x[srt];

	if (!vms[vmid].proxy.on || ipa >= VMMIO_END || !(esr & ESR_ISV) || (esr & ESR_S1PTW) ||
	    ESR_FSC_TYPE(esr) != ESR_FSC_TRANSLATION)
		return false;
	/* Assumed: of what is stored, the bits that the access has */
	if (size < 8)
		value &= BIT(8 * size) - 1;
	if (esr & ESR_WNR) {
		leave(vcpu, RUN_VMMIO_WRITE, ipa, size, value);
	} else {
		leave(vcpu, RUN_VMMIO_READ, ipa, size, 0);
		vcpu->reading = esr;
	}
	step_over();
	return true;
}

static bool guest_access(u16 vmid, struct vcpu *vcpu, u64 esr, u64 ipa)
{
	if (!vgic_owns(&vms[vmid], ipa))
		return vmmio(vmid, vcpu, esr, ipa);
	if (!vgic_access(&vms[vmid], vcpu, esr, ipa))
		return false;
	step_over();
	return true;
}

void vcpu_trapped(u16 vmid, struct vcpu *vcpu)
{
	u64 esr = read_sysreg(esr_el2), far = read_sysreg(far_el2);

	switch (ESR_EC(esr)) {
	case EC_SMC64:
		step_over();
		fallthrough;
	case EC_HVC64:
		if (!hypercall(vcpu->x, esr & 0xffff, vmid))
			vcpu->x[0] = esr & 0xffff ? (u64)PSCI_NOT_SUPPORTED : psci(vmid, vcpu);
		break;
	case EC_WFX:
		step_over();
		if (vms[vmid].proxy.on)
			proxy_sleep(vmid, vcpu, SLEEP_WFI, 0);
		else
			vcpu->state = VCPU_WAITING;
		break;
	case EC_SYS64:
		if (sysreg_access(vmid, vcpu, esr))
			step_over();
		else
			inject(vmid, vcpu, ((u64)EC_UNKNOWN << 26) | ESR_IL, NULL);
		break;
	case EC_DABT_LOW:
		if (guest_access(vmid, vcpu, esr, abort_ipa(far)))
			break;
		fallthrough;
	case EC_IABT_LOW:
		inject(vmid, vcpu, abort_esr(esr), &far);
		break;
	default:
		/* All that a guest may not use looks as if the CPU did not have it. */
		inject(vmid, vcpu, ((u64)EC_UNKNOWN << 26) | ESR_IL, NULL);
	}
}

static u32 next_runnable(void)
{
	for (u32 i = 1; i <= MAX_VMID; i++) {
		u32 vmid = (last_vmid + i) % MAX_VMID;

		if (!vms[vmid].proxy.on && vms[vmid].vcpu.state == VCPU_RUNNABLE)
			return vmid;
	}
	return MAX_VMID;
}

bool vcpu_any_runnable(void)
{
	return next_runnable() != MAX_VMID;
}

/* Until it traps or an interrupt comes, which stays pending */
void vcpu_run_next(void)
{
	u32 vmid = next_runnable();
	struct vcpu *vcpu = &vms[vmid].vcpu;
	u32 why;

	last_vmid = vmid;
	load(vcpu);
	guest_s2_load(&vms[vmid].s2);
	write_sysreg(vcpu->pc, elr_el2);
	write_sysreg(vcpu->spsr, spsr_el2);
	why = guest_run(vcpu->x);
	host_s2_load();
	if (why == GUEST_EXIT_SYNC)
		vcpu_trapped(vmid, vcpu);
	vcpu->pc = read_sysreg(elr_el2);
	vcpu->spsr = read_sysreg(spsr_el2);
}

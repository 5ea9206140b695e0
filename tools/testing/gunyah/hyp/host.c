// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's CPUs: how they enter EL1, what they trap for, and PSCI.
 *
 * A trap is an SMC (all of them), a hypercall, or an access to an address that
 * stage 2 does not map: the control page, or memory that is not the host's, for
 * which it gets the external abort that a bus would have sent.
 *
 * PSCI is QEMU's, reached by SMC; only CPU_ON is changed, so that a CPU comes to
 * EL2 first. starts says where each one is to go; its entry is written under
 * psci_lock while the CPU is off, and read by that CPU when it comes up.
 * host_faults is counted atomically.
 */
#include "hyp.h"
#include "../lab_ctl.h"

#define CPTR_HOST		0x22ffUL	/* RES1 without the SVE and SME traps */
#define CNTHCTL_HOST		3UL		/* EL1 has counter and timer */
#define HCR_HOST		(HCR_RW | HCR_VM | HCR_TSC | HCR_APK | HCR_API | HCR_ATA)
#define ICC_SRE_HOST		0xfUL

#define PSCI_VERSION		0x84000000
#define PSCI_CPU_SUSPEND	0x84000001
#define PSCI_CPU_OFF		0x84000002
#define PSCI_CPU_ON		0x84000003
#define PSCI_AFFINITY_INFO	0x84000004
#define PSCI_MIGRATE_TYPE	0x84000006
#define PSCI_SYSTEM_OFF		0x84000008
#define PSCI_SYSTEM_RESET	0x84000009
#define PSCI_FEATURES		0x8400000a
#define PSCI_SMC64		0x40000000
#define PSCI_INVALID_PARAMS	-2L
#define PSCI_ALREADY_ON		-4L
#define PSCI_INVALID_ADDRESS	-9L
#define PSCI_AFFINITY_OFF	1
#define SMCCC_VERSION		0x80000000
#define SMCCC_ARCH_FEATURES	0x80000001
#define SMCCC_1_2		0x10002
#define NOT_SUPPORTED		-1L

#define MPIDR_AFFINITY		0xff00ffffffUL

static struct {
	u64 entry;
	u64 context;
} starts[MAX_CPUS];
static struct spinlock psci_lock;
u32 host_faults;

/* Everything that an EL2 which is not there would have left open. Also after a guest */
void host_el2_init(void)
{
	write_sysreg(HCR_HOST, hcr_el2);
	write_sysreg(CPTR_HOST, cptr_el2);
	isb();
	if ((read_sysreg(id_aa64pfr0_el1) >> 32) & 0xf)
		write_sysreg_s(0xf, ZCR_EL2);
	if ((read_sysreg(id_aa64pfr1_el1) >> 24) & 0xf)
		write_sysreg_s(BIT(31) | 0xf, SMCR_EL2);
	write_sysreg(0, hstr_el2);
	write_sysreg((read_sysreg(pmcr_el0) >> 11) & 0x1f, mdcr_el2);
	write_sysreg(CNTHCTL_HOST, cnthctl_el2);
	write_sysreg(0, cntvoff_el2);
	write_sysreg(read_sysreg(midr_el1), vpidr_el2);
	write_sysreg(read_sysreg(mpidr_el1), vmpidr_el2);
	write_sysreg_s(ICC_SRE_HOST, ICC_SRE_EL2);
	isb();
}

void host_enter(u64 entry, u64 x0)
{
	u32 cpu = read_sysreg(mpidr_el1) & 0xff;

	host_el2_init();
	gic_init_host(cpu);
	write_sysreg(SCTLR_EL1_RESET, sctlr_el1);
	host_s2_cpu_init();
	write_sysreg(entry, elr_el2);
	write_sysreg(SPSR_EL1H | SPSR_DAIF, spsr_el2);
	host_start(x0, cpu_stacks[cpu] + STACK_SIZE);
}

void host_cpu_main(u32 cpu)
{
	host_enter(starts[cpu].entry, starts[cpu].context);
}

static bool host_has_cpu(u64 mpidr)
{
	return (mpidr & MPIDR_AFFINITY) < config.cpus - 1;
}

static u64 psci_cpu_on(u64 mpidr, u64 entry, u64 context)
{
	u32 cpu = mpidr & MPIDR_AFFINITY;
	u64 x[4] = { PSCI_AFFINITY_INFO | PSCI_SMC64, cpu, 0 };

	if (!host_has_cpu(mpidr))
		return PSCI_INVALID_PARAMS;
	if (!host_reaches(entry, 4))
		return PSCI_INVALID_ADDRESS;
	spin_lock(&psci_lock);
	/* Also tells what is off from what is on its way here. */
	smc(x);
	if (x[0] == PSCI_AFFINITY_OFF) {
		starts[cpu].entry = entry;
		starts[cpu].context = context;
		cpu_on(cpu);
		x[0] = 0;
	} else {
		x[0] = PSCI_ALREADY_ON;
	}
	spin_unlock(&psci_lock);
	return x[0];
}

static u64 psci_features(u32 fn)
{
	u64 x[4] = { PSCI_FEATURES, fn };

	if (fn == SMCCC_VERSION)
		return 0;
	smc(x);
	return x[0];
}

static void host_smc(u64 x[31])
{
	u32 fn = x[0];

	switch (fn) {
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | PSCI_SMC64:
		x[0] = psci_cpu_on(x[1], x[2], x[3]);
		break;
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | PSCI_SMC64:
		if (!host_has_cpu(x[1])) {
			x[0] = PSCI_INVALID_PARAMS;
			break;
		}
		smc(x);
		break;
	case PSCI_VERSION:
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | PSCI_SMC64:
	case PSCI_CPU_OFF:
	case PSCI_MIGRATE_TYPE:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
		smc(x);
		break;
	case PSCI_FEATURES:
		x[0] = psci_features(x[1]);
		break;
	case SMCCC_VERSION:
		x[0] = SMCCC_1_2;
		break;
	case SMCCC_ARCH_FEATURES:
		fn = x[1];
		x[0] = fn == SMCCC_VERSION || fn == SMCCC_ARCH_FEATURES ? 0 : NOT_SUPPORTED;
		break;
	default:
		if (!tz_call(x))
			x[0] = NOT_SUPPORTED;
	}
}

/* Where EL1 takes an exception that comes from where SPSR_EL2 says */
u64 exception_vector(void)
{
	u64 spsr = read_sysreg(spsr_el2), offset = 0x400;

	if (spsr & SPSR_M32)
		offset = 0x600;
	else if ((spsr & SPSR_M_MASK) == SPSR_EL1H)
		offset = 0x200;
	else if ((spsr & SPSR_M_MASK) == SPSR_EL1T)
		offset = 0x000;
	return read_sysreg(vbar_el1) + offset;
}

void inject_exception(u64 esr, const u64 *far)
{
	u64 spsr = read_sysreg(spsr_el2), sctlr = read_sysreg(sctlr_el1);
	u64 new = (spsr & (SPSR_NZCV | SPSR_DIT | SPSR_PAN)) | SPSR_DAIF | SPSR_EL1H;
	bool has_pan = (read_sysreg(id_aa64mmfr1_el1) >> 20) & 0xf;

	if (has_pan && !(sctlr & SCTLR_EL1_SPAN))
		new |= SPSR_PAN;
	if (sctlr & SCTLR_EL1_DSSBS)
		new |= SPSR_SSBS;
	write_sysreg(esr, esr_el1);
	if (far)
		write_sysreg(*far, far_el1);
	write_sysreg(spsr, spsr_el1);
	write_sysreg(read_sysreg(elr_el2), elr_el1);
	write_sysreg(exception_vector(), elr_el2);
	write_sysreg(new, spsr_el2);
}

/* The external abort at EL1 that stands for a stage 2 abort with syndrome @esr */
u64 abort_esr(u64 esr)
{
	u64 spsr = read_sysreg(spsr_el2);
	bool user = (spsr & SPSR_M32) || (spsr & SPSR_M_MASK) == SPSR_EL0T;
	u64 ec = ESR_EC(esr) == EC_IABT_LOW ? (user ? EC_IABT_LOW : EC_IABT_CUR) :
					      (user ? EC_DABT_LOW : EC_DABT_CUR);
	u64 wnr = ESR_EC(esr) == EC_IABT_LOW ? 0 : esr & ESR_WNR;

	return (ec << 26) | (esr & ESR_IL) | wnr | ESR_FSC_SEA;
}

/* The address that stage 2 aborted on */
u64 abort_ipa(u64 far)
{
	return (read_sysreg(hpfar_el2) & 0xfffffffff0) << 8 | (far & ~PAGE_MASK);
}

static void skip_instruction(void)
{
	write_sysreg(read_sysreg(elr_el2) + 4, elr_el2);
}

/* The control page: aligned 32-bit loads and stores of one general register */
static bool host_control(u64 x[31], u64 esr, u64 ipa)
{
	u32 srt = ESR_SRT(esr), value = srt == 31 ? 0 : x[srt];
	bool write = esr & ESR_WNR;

	if ((ipa & PAGE_MASK) != GH_LAB_CTL_BASE || !(esr & ESR_ISV) || ESR_SAS(esr) != 2)
		return false;
	if (!control_access(ipa & ~PAGE_MASK, write, &value))
		return false;
	if (!write && srt != 31)
		x[srt] = value;
	skip_instruction();
	return true;
}

static void host_abort(u64 x[31], u64 esr)
{
	u64 far = read_sysreg(far_el2);
	u64 ipa = abort_ipa(far);

	if (ESR_EC(esr) == EC_DABT_LOW && host_control(x, esr, ipa))
		return;
	__atomic_add_fetch(&host_faults, 1, __ATOMIC_RELAXED);
	inject_exception(abort_esr(esr), &far);
}

static void host_hypercall(u64 x[31], u32 imm)
{
	u64 start = read_sysreg(cntpct_el0);

	if (!hypercall(x, imm, RM_HOST_VMID))
		x[0] = NOT_SUPPORTED;
	count(COUNT_HVC_TICKS, read_sysreg(cntpct_el0) - start);
}

void host_trap(u64 x[31])
{
	u64 esr = read_sysreg(esr_el2);

	switch (ESR_EC(esr)) {
	case EC_HVC64:
		host_hypercall(x, esr & 0xffff);
		break;
	case EC_SMC64:
		/* A trapped SMC is the one exception that does not step over itself. */
		skip_instruction();
		host_smc(x);
		break;
	case EC_IABT_LOW:
	case EC_DABT_LOW:
		host_abort(x, esr);
		break;
	default:
		panic("host trap: ESR %lx ELR %lx FAR %lx", esr, read_sysreg(elr_el2),
		      read_sysreg(far_el2));
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * System registers of guests that trap: identification, debug, and those by which a vCPU
 * interrupts others.
 *
 * The ID registers are the CPU's without what guests are not given, which is all of whose
 * state is not switched or whose registers trap: EL2 and AArch32, SVE and SME, pointer
 * authentication, memory tagging, RAS, performance monitors, statistical profiling, trace
 * and whatever came later than this list. What is not listed reads as 0.
 *
 * The debug registers read as 0 and ignore writes: no breakpoint or watchpoint of a
 * guest's ever hits. It has two of each, the fewest that are allowed.
 *
 * No state and no locks.
 */
#include "guest.h"

/* A register as the syndrome of a trap has it */
#define SYS(op0, op1, crn, crm, op2) \
	((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define SYS_ESR(esr)		((esr) & 0x3ffc1e)
#define SYS_GROUP(esr)		((esr) & 0x31fc00)	/* without crm and op2 */
#define SYS_RT(esr)		((esr) >> 5 & 0x1f)
#define SYS_READ		BIT(0)

#define SYS_ID(crm, op2)	SYS(3, 0, 0, crm, op2)
#define SYS_ID_GROUP		SYS(3, 0, 0, 0, 0)
#define SYS_DEBUG_GROUP		SYS(2, 0, 0, 0, 0)
#define SYS_DEBUG_GROUP_1	SYS(2, 0, 1, 0, 0)
#define SYS_DEBUG_GROUP_7	SYS(2, 0, 7, 0, 0)
#define SYS_ICC_SGI1R		SYS(3, 0, 12, 11, 5)
#define SYS_ICC_ASGI1R		SYS(3, 0, 12, 11, 6)
#define SYS_ICC_SGI0R		SYS(3, 0, 12, 11, 7)

#define PFR0_EL_AARCH64		0x11UL		/* EL0 and EL1 */
#define PFR0_MASK		0xf00f00000fff0000UL	/* FP, SIMD, GIC, DIT, CSV3 */
#define PFR0_GIC		0x0f000000UL
#define PFR0_CSV2(v)		((v) >> 56 & 0xf)
#define PFR1_MASK		0x00000000000000ffUL	/* BT, SSBS */
/* Debug of Armv8.0 with two breakpoints, two watchpoints, a context-aware one of them */
#define DFR0			0x0000000000101006UL
#define ISAR1_MASK		0x00ffffff00fff00fUL	/* not PAuth, nor XS and LS64 */
#define MMFR0_MASK		0x00000000ffffffffUL
#define MMFR1_MASK		0x000000f000f0f0ffUL	/* AF and dirty, VMID, HPD, PAN, ETS */
#define MMFR2_MASK		0xf0ff000f00ff0fffUL	/* not IESB, NV, ST, IDS, FWB */

static u64 id_register(u16 vmid, u64 reg)
{
	u64 v;

	switch (reg) {
	case SYS_ID(4, 0):
		v = read_sysreg(id_aa64pfr0_el1);
		if (!vms[vmid].proxy.on)
			v &= ~PFR0_GIC;
		/* The most of CSV2 comes with a register that traps. */
		return (v & PFR0_MASK) | PFR0_EL_AARCH64 | (u64)!!PFR0_CSV2(v) << 56;
	case SYS_ID(4, 1):
		return read_sysreg(id_aa64pfr1_el1) & PFR1_MASK;
	case SYS_ID(5, 0):
		return DFR0;
	case SYS_ID(6, 0):
		return read_sysreg(id_aa64isar0_el1);
	case SYS_ID(6, 1):
		return read_sysreg(id_aa64isar1_el1) & ISAR1_MASK;
	case SYS_ID(7, 0):
		return read_sysreg(id_aa64mmfr0_el1) & MMFR0_MASK;
	case SYS_ID(7, 1):
		return read_sysreg(id_aa64mmfr1_el1) & MMFR1_MASK;
	case SYS_ID(7, 2):
		return read_sysreg(S3_0_C0_C7_2) & MMFR2_MASK;
	default:
		return 0;
	}
}

/* Returns false if a guest does not have the register; it is not stepped over. */
bool sysreg_access(u16 vmid, struct vcpu *vcpu, u64 esr)
{
	u64 reg = SYS_ESR(esr), group = SYS_GROUP(esr), value = 0;
	u32 rt = SYS_RT(esr);

	/* From EL0 there is nothing of that. */
	if ((read_sysreg(spsr_el2) & SPSR_M_MASK) == SPSR_EL0T)
		return false;
	if (esr & SYS_READ) {
		if (group == SYS_ID_GROUP)
			value = id_register(vmid, reg);
		else if (group != SYS_DEBUG_GROUP && group != SYS_DEBUG_GROUP_1 &&
			 group != SYS_DEBUG_GROUP_7)
			return false;
		if (rt != 31)
			vcpu->x[rt] = value;
		return true;
	}
	if (group == SYS_DEBUG_GROUP || group == SYS_DEBUG_GROUP_1 || group == SYS_DEBUG_GROUP_7)
		return true;
	if (!vms[vmid].proxy.on)
		return false;
	if (reg == SYS_ICC_SGI1R)
		vgic_send_sgi(&vms[vmid], vcpu, rt == 31 ? 0 : vcpu->x[rt]);
	/* No SGI is in group 0, which the other two are about. */
	return reg == SYS_ICC_SGI1R || reg == SYS_ICC_ASGI1R || reg == SYS_ICC_SGI0R;
}

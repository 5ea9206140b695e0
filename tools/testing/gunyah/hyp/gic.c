// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: the GICv3 belongs to the host, but for the hidden CPU's
 * redistributor. Four things are done with it.
 *
 * The queues' interrupts: the public resource manager uses SPI 928 and 929,
 * which QEMU's distributor (256 SPIs) does not have. They are two SPIs that
 * no device of the virt machine has (it uses 0 to 175), made pending in the
 * real distributor; being edges they stay so until acknowledged, and the host
 * configures, routes and masks them like any other. The devicetree says which.
 *
 * So are those that wake a guest's vCPU which the host runs.
 *
 * A host CPU wakes the hidden CPU, or fetches it out of a guest, by an SGI.
 * The EL2 physical timer ends a guest's slice, or a sleep.
 *
 * While a host CPU runs a guest, any interrupt of the host's ends that and stays
 * pending for the host. Three are for the hypervisor, are enabled for so long only and
 * are no reason to leave the guest: the SGI, which another CPU sends that has changed
 * something for the guest; the maintenance interrupt, by which the guest asks for more
 * interrupts; and that of the virtual timer, which is the guest's meanwhile. The EL2
 * timer stands in for the host's then and is one of the host's interrupts.
 *
 * Data is the redistributors' addresses, found at boot, what each host CPU had enabled
 * before it ran a guest, and whether the virtual timer's interrupt is enabled. All but
 * the first is the CPU's own. GICD_ISPENDR and the like need no lock.
 */
#include "guest.h"

#define GICD_CTLR		0x0000
#define GICD_CTLR_ENABLE_G1	BIT(1)
#define GICD_CTLR_ARE		BIT(4)
#define GICD_ISPENDR		0x0200
#define GICD_ICPENDR		0x0280
#define GICR_STRIDE		0x20000
#define GICR_TYPER		0x0008
#define GICR_TYPER_LAST		BIT(4)
#define GICR_WAKER		0x0014
#define GICR_WAKER_SLEEP	BIT(1)
#define GICR_WAKER_ASLEEP	BIT(2)
#define GICR_SGI		0x10000
#define GICR_IGROUPR0		(GICR_SGI + 0x080)
#define GICR_ISENABLER0		(GICR_SGI + 0x100)
#define GICR_ICENABLER0		(GICR_SGI + 0x180)
#define GICR_ICPENDR0		(GICR_SGI + 0x280)
#define GICR_IPRIORITYR		(GICR_SGI + 0x400)
#define ICC_SRE_SRE		BIT(0)
#define ICC_SRE_DFB		BIT(1)
#define ICC_SRE_DIB		BIT(2)
#define ICH_HCR_TC		BIT(10)
#define ICH_HCR_TALL0		BIT(11)
#define ICH_HCR_TALL1		BIT(12)
#define ICH_VTR_LRS(v)		(((v) & 0x1f) + 1)
#define ICH_VTR_PRE_BITS(v)	((((v) >> 26) & 7) + 1)

#define KICK_SGI		15
#define MAINTENANCE_PPI		25
#define TIMER_PPI		26
#define VIRTUAL_TIMER_PPI	27
#define INTID_NONE		1020	/* and above: nothing to acknowledge */
#define GUEST_INTIDS		(BIT(KICK_SGI) | BIT(MAINTENANCE_PPI) | BIT(TIMER_PPI) | \
				 BIT(VIRTUAL_TIMER_PPI))

static u64 redist[MAX_CPUS];
static u32 enabled[MAX_CPUS];
static bool watching[MAX_CPUS];

void gic_init(void)
{
	u64 ctlr = config.gicd + GICD_CTLR, gicr = config.gicr, typer;
	u64 vtr = read_sysreg_s(ICH_VTR_EL2);

	/* What vgic.c uses; 5 bits are one active priorities register of each group. */
	if (ICH_VTR_LRS(vtr) < VGIC_LRS || ICH_VTR_PRE_BITS(vtr) != 5)
		panic("the CPU's virtual GIC interface is another one: %lx", vtr);
	do {
		typer = mmio_read64(gicr + GICR_TYPER);
		if (typer >> 32 < MAX_CPUS)
			redist[typer >> 32] = gicr;
		gicr += GICR_STRIDE;
	} while (!(typer & GICR_TYPER_LAST));
	for (u32 cpu = 0; cpu < config.cpus; cpu++) {
		if (!redist[cpu])
			panic("CPU %u has no redistributor", cpu);
	}
	/* The host turns it off and on once; a kick meanwhile stays pending. */
	mmio_write32(ctlr, mmio_read32(ctlr) | GICD_CTLR_ARE | GICD_CTLR_ENABLE_G1);
}

/* No ICC_SRE_EL2.Enable and all of ICH_HCR's traps: guests have no GIC. */
static void trap_all(void)
{
	write_sysreg_s(ICC_SRE_SRE | ICC_SRE_DFB | ICC_SRE_DIB, ICC_SRE_EL2);
	isb();
	write_sysreg_s(ICH_HCR_TC | ICH_HCR_TALL0 | ICH_HCR_TALL1, ICH_HCR_EL2);
}

void gic_init_hidden(u32 cpu)
{
	u64 gicr = redist[cpu];

	mmio_write32(gicr + GICR_WAKER, mmio_read32(gicr + GICR_WAKER) & ~GICR_WAKER_SLEEP);
	while (mmio_read32(gicr + GICR_WAKER) & GICR_WAKER_ASLEEP)
		;
	mmio_write32(gicr + GICR_ICENABLER0, ~0U);
	mmio_write32(gicr + GICR_IGROUPR0, ~0U);
	mmio_write8(gicr + GICR_IPRIORITYR + KICK_SGI, 0x80);
	mmio_write8(gicr + GICR_IPRIORITYR + TIMER_PPI, 0x80);
	mmio_write32(gicr + GICR_ISENABLER0, BIT(KICK_SGI) | BIT(TIMER_PPI));

	trap_all();
	write_sysreg_s(0xff, ICC_PMR_EL1);
	write_sysreg_s(0, ICC_BPR1_EL1);
	write_sysreg_s(0, ICC_CTLR_EL1);
	write_sysreg_s(1, ICC_IGRPEN1_EL1);
	isb();
}

void gic_raise_spi(u32 spi)
{
	u32 intid = spi + 32;

	/* What the host is to find in the queue comes first. */
	dsb(ishst);
	mmio_write32(config.gicd + GICD_ISPENDR + intid / 32 * 4, BIT(intid % 32));
}

void gic_clear_spi(u32 spi)
{
	u32 intid = spi + 32;

	mmio_write32(config.gicd + GICD_ICPENDR + intid / 32 * 4, BIT(intid % 32));
}

static void kick(u32 cpu)
{
	dsb(ishst);
	write_sysreg_s(((u64)KICK_SGI << 24) | BIT(cpu), ICC_SGI1R_EL1);
	isb();
}

void gic_kick_hidden(void)
{
	kick(config.cpus - 1);
}

/* A CPU that is running a guest */
void gic_kick_host(u32 cpu)
{
	kick(cpu);
}

/* A host that does more than nothing does the same to all of them. */
void gic_init_host(u32 cpu)
{
	u64 gicr = redist[cpu];

	mmio_write32(gicr + GICR_IGROUPR0, mmio_read32(gicr + GICR_IGROUPR0) | GUEST_INTIDS);
	for (u32 intid = 0; intid < 32; intid++) {
		if (GUEST_INTIDS & BIT(intid))
			mmio_write8(gicr + GICR_IPRIORITYR + intid, 0x80);
	}
}

void gic_enter_guest(u32 cpu)
{
	u64 gicr = redist[cpu];

	enabled[cpu] = mmio_read32(gicr + GICR_ISENABLER0);
	mmio_write32(gicr + GICR_ICENABLER0, BIT(VIRTUAL_TIMER_PPI));
	mmio_write32(gicr + GICR_ISENABLER0, GUEST_INTIDS & ~BIT(VIRTUAL_TIMER_PPI));
	watching[cpu] = false;
}

/* Shall it leave the guest when the virtual timer is due? */
void gic_watch_timer(u32 cpu, bool on)
{
	if (on == watching[cpu])
		return;
	watching[cpu] = on;
	mmio_write32(redist[cpu] + (on ? GICR_ISENABLER0 : GICR_ICENABLER0),
		     BIT(VIRTUAL_TIMER_PPI));
}

/* After an interrupt in a guest: is there one that the host has to take? */
bool gic_host_pending(u32 cpu)
{
	for (;;) {
		isb();
		if (!(read_sysreg(isr_el1) & ISR_I))
			return false;
		switch (read_sysreg_s(ICC_HPPIR1_EL1) & 0xffffff) {
		case KICK_SGI:
			mmio_write32(redist[cpu] + GICR_ICPENDR0, BIT(KICK_SGI));
			break;
		case VIRTUAL_TIMER_PPI:
			gic_watch_timer(cpu, false);
			break;
		case MAINTENANCE_PPI:
			/* Went with what vgic_leave() took out of the registers. */
			break;
		default:
			return true;
		}
		dsb(sy);
	}
}

/* A kick that comes too late ends the next run early, which it may. */
void gic_leave_guest(u32 cpu)
{
	u64 gicr = redist[cpu];

	mmio_write32(gicr + GICR_ICENABLER0, ~enabled[cpu] & GUEST_INTIDS);
	mmio_write32(gicr + GICR_ICPENDR0, BIT(KICK_SGI));
	mmio_write32(gicr + GICR_ISENABLER0, enabled[cpu] & BIT(VIRTUAL_TIMER_PPI));
	isb();
}

/* Called before the hidden CPU looks for work, so that a later kick is not lost. */
void gic_ack_all(void)
{
	u32 intid;

	for (;;) {
		intid = read_sysreg_s(ICC_IAR1_EL1) & 0xffffff;
		if (intid >= INTID_NONE)
			break;
		/* A level: it would be back at once. */
		if (intid == TIMER_PPI)
			timer_stop();
		write_sysreg_s(intid, ICC_EOIR1_EL1);
		isb();
	}
}

/* What the counter is at then */
u64 timer_after(u64 us)
{
	isb();
	return read_sysreg(cntpct_el0) + read_sysreg(cntfrq_el0) * us / 1000000;
}

void timer_start_at(u64 count)
{
	write_sysreg(count, cnthp_cval_el2);
	write_sysreg(1, cnthp_ctl_el2);
	isb();
}

void timer_stop(void)
{
	write_sysreg(0, cnthp_ctl_el2);
	isb();
}

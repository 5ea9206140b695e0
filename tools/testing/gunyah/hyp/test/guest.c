// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test host's guests that have several vCPUs or take interrupts; what each of them
 * does is in guest.h. What they find out they report to the shared page, for the host to
 * judge.
 *
 * Code only, for it is copied: no data, no constants in memory. The MMU is off, so all
 * of memory is as ordered as a device, and vCPUs use no exclusive accesses.
 */
#include "arch.h"
#include "guest.h"

#define ICC_RPR_EL1		S3_0_C12_C11_3

#define GICD_CTLR		(GUEST_GICD + 0x0000)
#define GICD_ISENABLER		(GUEST_GICD + 0x0100)
#define GICD_ICENABLER		(GUEST_GICD + 0x0180)
#define GICD_ISPENDR		(GUEST_GICD + 0x0200)
#define GICD_ICPENDR		(GUEST_GICD + 0x0280)
#define GICD_ISACTIVER		(GUEST_GICD + 0x0300)
#define GICD_IPRIORITYR		(GUEST_GICD + 0x0400)
#define GICD_ICFGR		(GUEST_GICD + 0x0c00)
#define GICD_IROUTER		(GUEST_GICD + 0x6000)
#define GICR_SGI		(GUEST_GICR + 0x10000)
#define GICR_ISENABLER0		(GICR_SGI + 0x0100)
#define GICR_ICENABLER0		(GICR_SGI + 0x0180)
#define GICR_IPRIORITYR		(GICR_SGI + 0x0400)

#define PSCI_CPU_OFF		0x84000002
#define PSCI_CPU_ON		0xc4000003
#define PSCI_AFFINITY_INFO	0xc4000004
#define PSCI_SYSTEM_OFF		0x84000008
#define PSCI_FEATURES		0x8400000a
#define PSCI_SYSTEM_SUSPEND	0xc400000e
#define SMCCC_ARCH_FEATURES	0x80000001
#define SMCCC_WORKAROUND_1	0x80008000

#define SGI_HELLO		3
#define SGI_REQUEST		1
#define SGI_ANSWER		2
#define TIMER_PPI		27
#define FIRST_SPI		40
#define ORDER_SPIS		8
#define ORDER_BITS		((BIT(ORDER_SPIS) - 1) << FIRST_SPI % 32)
#define CROWD_SPI		48	/* makes those above pending, and ends before they come */
#define HOLD_SPI		50	/* active until the first vCPU has seen that */
#define NEST_SPI		64
#define NEST_DEPTH		7

#define shm			((volatile u64 *)GUEST_SHM)

void guest_entry(void);
void guest_main(u64 command, u64 cpu, u64 context, u64 argument);
void guest_irq(void);

static u64 call(u64 fn, u64 a, u64 b, u64 c)
{
	register u64 x0 asm("x0") = fn;
	register u64 x1 asm("x1") = a;
	register u64 x2 asm("x2") = b;
	register u64 x3 asm("x3") = c;

	asm volatile("hvc #0" : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3) : : "memory");
	return x0;
}

/* Returns the flags. */
static u64 bell_receive(u64 cap)
{
	register u64 x0 asm("x0") = cap;
	register u64 x1 asm("x1") = ~0UL;
	register u64 x2 asm("x2") = 0;

	asm volatile("hvc #0x6013" : "+r" (x0), "+r" (x1) : "r" (x2) : "memory");
	return x1;
}

static u64 this_cpu(void)
{
	return read_sysreg(mpidr_el1) & 0xff;
}

static void report(u64 value)
{
	u64 n = shm[SHM_REPORTS];

	if (n < SHM_REPORT_MAX)
		shm[SHM_REPORT + n] = value;
	shm[SHM_REPORTS] = n + 1;
}

static void irqs_on(void)
{
	asm volatile("msr daifclr, #2" : : : "memory");
	isb();
}

static void irqs_off(void)
{
	asm volatile("msr daifset, #2" : : : "memory");
}

static void send_sgi(u32 sgi, u64 cpu)
{
	dsb(sy);
	write_sysreg_s((u64)sgi << 24 | BIT(cpu), ICC_SGI1R_EL1);
	isb();
}

static void gic_init(void)
{
	u64 own = this_cpu() * GICR_STRIDE;

	if (!this_cpu())
		mmio_write32(GICD_CTLR, 0x13);
	for (u32 i = 0; i < 32; i += 4)
		mmio_write32(own + GICR_IPRIORITYR + i, 0xa0a0a0a0);
	mmio_write32(own + GICR_ISENABLER0, 0xffff | BIT(TIMER_PPI));
	write_sysreg_s(0xf0, ICC_PMR_EL1);
	write_sysreg_s(0, ICC_BPR1_EL1);
	write_sysreg_s(0, ICC_CTLR_EL1);
	write_sysreg_s(1, ICC_IGRPEN1_EL1);
	isb();
}

static void timer_arm(u64 ticks)
{
	isb();
	write_sysreg(read_sysreg(cntvct_el0) + ticks, cntv_cval_el0);
	write_sysreg(1, cntv_ctl_el0);
	isb();
}

/* With interrupts off, which is how a sleep loses none */
static void sleep(void)
{
	dsb(sy);
	wfi();
	irqs_on();
	irqs_off();
}

/* What other vCPUs ask for is answered; what they answer is seen where it is awaited. */
static void answer(void)
{
	u64 me = this_cpu();

	for (u64 i = 0; i < 8; i++) {
		u64 request = shm[SHM_REQUEST + 8 * i + me];

		if (request == shm[SHM_ANSWER + 8 * i + me])
			continue;
		shm[SHM_ANSWER + 8 * i + me] = request;
		send_sgi(SGI_ANSWER, i);
	}
}

/* Each one raises the next, which is more urgent, and it is taken before this one ends. */
static void nest(u32 intid)
{
	report(intid << 8 | read_sysreg_s(ICC_RPR_EL1));
	if (intid + 1 < NEST_SPI + NEST_DEPTH) {
		mmio_write32(GICD_ISPENDR + 4 * (NEST_SPI / 32), BIT(intid + 1 - NEST_SPI));
		irqs_on();
		irqs_off();
	}
	report(intid);
}

void guest_irq(void)
{
	u32 intid = read_sysreg_s(ICC_IAR1_EL1);
	u64 elr = read_sysreg(elr_el1), spsr = read_sysreg(spsr_el1);

	dsb(sy);
	if (intid == SGI_REQUEST) {
		answer();
	} else if (intid == TIMER_PPI) {
		/* It is due and active when this leaves the guest, and then is not. */
		call(PSCI_AFFINITY_INFO, 0, 0, 0);
		report(read_sysreg(cntv_ctl_el0));
		write_sysreg(0, cntv_ctl_el0);
		isb();
	} else if (intid >= NEST_SPI && intid < NEST_SPI + NEST_DEPTH) {
		nest(intid);
		write_sysreg(elr, elr_el1);
		write_sysreg(spsr, spsr_el1);
	} else if (intid == CROWD_SPI) {
		report(intid);
		mmio_write32(GICD_ISPENDR + 4 * (FIRST_SPI / 32), ORDER_BITS);
	} else if (intid == HOLD_SPI) {
		shm[SHM_READY] = 2;
		while (!shm[SHM_DONE])
			cpu_relax();
	} else if (intid != SGI_ANSWER) {
		report(intid);
		if (shm[SHM_RECEIVE])
			report(bell_receive(intid - GUEST_BELL));
	}
	write_sysreg_s(intid, ICC_EOIR1_EL1);
	isb();
}

static void cpus_second(u64 context)
{
	report(read_sysreg(mpidr_el1));
	report(context);
	if (context == GUEST_CONTEXT) {
		send_sgi(SGI_HELLO, 0);
		call(PSCI_CPU_OFF, 0, 0, 0);
	}
	/* The first one cannot suspend all while this one sleeps. */
	while (!shm[SHM_DONE])
		sleep();
	call(PSCI_CPU_OFF, 0, 0, 0);
}

static void cpus(u64 cpu, u64 context, u64 ticks)
{
	u64 entry = (u64)guest_entry;

	if (context == GUEST_CONTEXT_3) {
		report(read_sysreg(mpidr_el1));
		report(context);
		return;
	}
	if (cpu)
		report(read_sysreg_s(ICC_PMR_EL1));
	gic_init();
	if (cpu) {
		cpus_second(context);
		return;
	}
	report(call(PSCI_AFFINITY_INFO, 1, 0, 0));
	report(call(PSCI_AFFINITY_INFO, 2, 0, 0));
	report(call(PSCI_CPU_ON, 2, entry, 0));
	report(call(PSCI_CPU_ON, 0, entry, 0));
	report(call(PSCI_CPU_ON, 1, entry, GUEST_CONTEXT));
	report(call(PSCI_CPU_ON, 1, entry, GUEST_CONTEXT));
	report(call(PSCI_AFFINITY_INFO, 1, 0, 0));
	sleep();
	report(call(PSCI_AFFINITY_INFO, 1, 0, 0));
	report(call(PSCI_CPU_ON, 1, entry, GUEST_CONTEXT_2));
	/* Nothing wakes it but its timer. */
	timer_arm(ticks);
	sleep();
	report(call(PSCI_AFFINITY_INFO, 1, 0, 0));
	report(call(PSCI_SYSTEM_SUSPEND, entry, GUEST_CONTEXT_3, 0));
	shm[SHM_DONE] = 1;
	send_sgi(SGI_HELLO, 1);
	timer_arm(ticks);
	sleep();
	timer_arm(ticks);
	call(PSCI_SYSTEM_SUSPEND, entry, GUEST_CONTEXT_3, 0);
	report(~0UL);
}

/* Half of them while it sleeps, and half while it runs */
static void timer(u64 ticks)
{
	gic_init();
	for (u32 i = 0; i < 10; i++) {
		u64 seen = shm[SHM_REPORTS];

		timer_arm(ticks);
		if (i & 1)
			irqs_on();
		while (shm[SHM_REPORTS] == seen) {
			if (!(i & 1))
				sleep();
		}
		irqs_off();
	}
}

/* And does not end it, so that no other interrupt comes */
static void take_hello(void)
{
	send_sgi(SGI_HELLO, 0);
	while (read_sysreg_s(ICC_IAR1_EL1) != SGI_HELLO)
		cpu_relax();
}

/* It becomes due while this sleeps, and is not signalled. */
static void masked(u64 way)
{
	gic_init();
	if (way == 0)
		mmio_write32(GICR_ICENABLER0, BIT(TIMER_PPI));
	else if (way == 1)
		write_sysreg_s(0xa0, ICC_PMR_EL1);
	else if (way == 2)
		write_sysreg_s(0, ICC_IGRPEN1_EL1);
	else if (way == 3)
		mmio_write32(GICD_CTLR, 0x11);
	else
		take_hello();
	timer_arm(read_sysreg(cntfrq_el0) / 100);
	report(read_sysreg(cntv_cval_el0));
	sleep();
}

static void order(void)
{
	u32 word = FIRST_SPI / 32, all = ORDER_BITS;

	gic_init();
	/* Edges, of less and less urgency with the number, but for the last one */
	mmio_write32(GICD_ICFGR + FIRST_SPI / 16 * 4, 0xaaaaaaaa);
	for (u32 i = 0; i < ORDER_SPIS; i++)
		mmio_write8(GICD_IPRIORITYR + FIRST_SPI + i,
			    i == ORDER_SPIS - 1 ? 0x10 : 0x20 + 0x10 * i);
	mmio_write32(GICD_ISPENDR + 4 * word, all);
	report(read_sysreg(isr_el1) & ISR_I);
	mmio_write32(GICD_ISENABLER + 4 * word, all);
	report(read_sysreg(isr_el1) & ISR_I);
	report(mmio_read32(GICD_ISPENDR + 4 * word) == all);
	irqs_on();
	irqs_off();
	report(mmio_read32(GICD_ISPENDR + 4 * word) | mmio_read32(GICD_ISACTIVER + 4 * word));

	mmio_write8(GICD_IPRIORITYR + CROWD_SPI, 0xe0);
	mmio_write32(GICD_ICFGR + CROWD_SPI / 16 * 4, 0xaaaaaaaa);
	mmio_write32(GICD_ISENABLER + 4 * word, BIT(CROWD_SPI % 32));
	mmio_write32(GICD_ISPENDR + 4 * word, BIT(CROWD_SPI % 32));
	irqs_on();
	irqs_off();
	report(mmio_read32(GICD_ISPENDR + 4 * word) | mmio_read32(GICD_ISACTIVER + 4 * word));

	/* What is disabled, not pending any more or routed elsewhere does not come. */
	mmio_write32(GICD_ISPENDR + 4 * word, all);
	mmio_write32(GICD_ICENABLER + 4 * word, BIT(FIRST_SPI % 32));
	mmio_write32(GICD_ICPENDR + 4 * word, BIT(FIRST_SPI % 32 + 1));
	for (u32 i = 2; i < ORDER_SPIS - 1; i++)
		mmio_write32(GICD_IROUTER + 8 * (FIRST_SPI + i), 1);
	irqs_on();
	irqs_off();
	report(mmio_read32(GICD_ISPENDR + 4 * word) >> FIRST_SPI % 32);

	word = NEST_SPI / 32;
	for (u32 i = 0; i < NEST_DEPTH; i++)
		mmio_write8(GICD_IPRIORITYR + NEST_SPI + i, 0xe0 - 0x20 * i);
	/* Even ones are levels that end when they are acknowledged. */
	mmio_write32(GICD_ICFGR + NEST_SPI / 16 * 4, 0x88888888);
	mmio_write32(GICD_ISENABLER + 4 * word, BIT(NEST_DEPTH) - 1);
	mmio_write32(GICD_ISPENDR + 4 * word, 1);
	irqs_on();
	irqs_off();
	report(mmio_read32(GICD_ISPENDR + 4 * word) | mmio_read32(GICD_ISACTIVER + 4 * word));
	report(read_sysreg_s(ICC_RPR_EL1));
}

static u64 cpus_of_this(void)
{
	u64 n = 0;

	while (!(mmio_read32(GUEST_GICR + n * GICR_STRIDE + 8) & BIT(4)))
		n++;
	return n + 1;
}

static bool all_are(u32 what, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		if (!shm[what + i])
			return false;
	}
	return true;
}

/*
 * Each vCPU asks the others, by turns, and waits for the answer: asleep, or not. A lost
 * interrupt leaves one waiting for ever. An SPI that goes from vCPU to vCPU meanwhile,
 * pending and not, makes them leave the guest for its registers.
 */
static void ipi(u64 cpu, u64 rounds)
{
	u64 n = cpus_of_this(), to = cpu;

	gic_init();
	if (!cpu) {
		for (u64 i = 1; i < n; i++)
			call(PSCI_CPU_ON, i, (u64)guest_entry, i);
	}
	shm[SHM_READY + cpu] = 1;
	irqs_on();
	while (!all_are(SHM_READY, n))
		cpu_relax();
	irqs_off();
	for (u64 i = 1; i <= rounds; i++) {
		to = (to + 1) % n;
		if (to == cpu)
			to = (to + 1) % n;
		shm[SHM_REQUEST + 8 * cpu + to] = i;
		send_sgi(SGI_REQUEST, to);
		if (i % 2)
			irqs_on();
		while (shm[SHM_ANSWER + 8 * cpu + to] != i) {
			if (i % 2)
				cpu_relax();
			else
				sleep();
		}
		irqs_off();
		if (i % 64 == cpu) {
			mmio_write32(GICD_IROUTER + 8 * (FIRST_SPI + cpu), to);
			mmio_write32(GICD_ISPENDR + 4, BIT(FIRST_SPI % 32 + cpu));
			mmio_write32(GICD_ICPENDR + 4, BIT(FIRST_SPI % 32 + cpu));
		}
	}
	shm[SHM_DONE + cpu] = 1;
	if (!cpu) {
		irqs_on();
		while (!all_are(SHM_DONE, n))
			cpu_relax();
		return;
	}
	for (;;)
		sleep();
}

static void registers(void)
{
	u64 own = GUEST_GICR;

	report(read_sysreg(id_aa64pfr0_el1));
	report(read_sysreg(id_aa64pfr1_el1));
	report(read_sysreg(S3_0_C0_C4_4));
	report(read_sysreg(id_aa64dfr0_el1));
	report(read_sysreg(id_aa64isar1_el1));
	report(read_sysreg(id_pfr0_el1));
	write_sysreg(0, oslar_el1);
	write_sysreg(0, osdlr_el1);
	write_sysreg(BIT(15), mdscr_el1);
	report(read_sysreg(mdscr_el1));
	write_sysreg(0, dbgbvr0_el1);
	write_sysreg(0, dbgbcr0_el1);
	report(call(PSCI_FEATURES, PSCI_SYSTEM_SUSPEND, 0, 0));
	report(call(SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES, 0, 0));
	report(call(SMCCC_ARCH_FEATURES, SMCCC_WORKAROUND_1, 0, 0));
	report(mmio_read32(GICD_CTLR));
	report(mmio_read32(GUEST_GICD + 4));
	report(mmio_read32(GUEST_GICD + 0xffe8));
	report(mmio_read64(own + 8));
	report(mmio_read64(own + GICR_STRIDE + 8));
	report(mmio_read32(own + 0x14));
	report(mmio_read32(own + 0xffe8));
	report(mmio_read32(GICD_ISENABLER));
	/* No such access: that is an abort. */
	mmio_write8(GICD_CTLR, 1);
}

static void bells(u64 addr)
{
	u32 word = GUEST_BELL / 32 * 4;

	gic_init();
	/* The second one is an edge. */
	mmio_write32(GICD_ICFGR + GUEST_BELL / 16 * 4, 2U << (GUEST_BELL + 1) % 16 * 2);
	mmio_write32(GICD_ISENABLER + word, 3U << GUEST_BELL % 32);
	for (;;) {
		u64 seen = shm[SHM_REPORTS];

		if (shm[SHM_SPIN]) {
			shm[SHM_READY] = 1;
			irqs_on();
			while (shm[SHM_REPORTS] == seen)
				cpu_relax();
			irqs_off();
		} else {
			sleep();
		}
		mmio_write32(addr, shm[SHM_REPORTS]);
	}
}

/* Looks at an interrupt that only the other vCPU's list registers know of. */
static void spin(void)
{
	u32 word = HOLD_SPI / 32 * 4, bit = BIT(HOLD_SPI % 32);

	gic_init();
	mmio_write32(GICD_ICFGR + HOLD_SPI / 16 * 4, 0xaaaaaaaa);
	mmio_write32(GICD_IROUTER + 8 * HOLD_SPI, 1);
	mmio_write32(GICD_ISENABLER + word, bit);
	call(PSCI_CPU_ON, 1, (u64)guest_entry, 0);
	while (shm[SHM_READY] != 1)
		cpu_relax();
	mmio_write32(GICD_ISPENDR + word, bit);
	while (shm[SHM_READY] != 2)
		cpu_relax();
	report(mmio_read32(GICD_ISPENDR + word));
	report(mmio_read32(GICD_ISACTIVER + word));
	shm[SHM_DONE] = 1;
	while (shm[SHM_READY] != 3)
		cpu_relax();
	report(mmio_read32(GICD_ISACTIVER + word));
}

static void spin_second(void)
{
	gic_init();
	irqs_on();
	shm[SHM_READY] = 1;
	while (shm[SHM_READY] != 2)
		cpu_relax();
	shm[SHM_READY] = 3;
	for (;;)
		cpu_relax();
}

/* Whether the second one still leaves the guest or is off for long makes no difference. */
static void on_off(u64 cpu, u64 context, u64 rounds)
{
	if (cpu) {
		shm[SHM_READY] = context;
		call(PSCI_CPU_OFF, 0, 0, 0);
	}
	for (u64 i = 1; i <= rounds; i++) {
		while (call(PSCI_CPU_ON, 1, (u64)guest_entry, i))
			cpu_relax();
		while (shm[SHM_READY] != i)
			cpu_relax();
	}
}

void guest_main(u64 command, u64 cpu, u64 context, u64 argument)
{
	if (command == DO_CPUS) {
		cpus(cpu, context, argument);
	} else if (command == DO_TIMER) {
		timer(argument);
	} else if (command == DO_ON_OFF) {
		on_off(cpu, context, argument);
	} else if (command == DO_MASKED) {
		masked(argument);
	} else if (command == DO_ORDER) {
		order();
	} else if (command == DO_IPI) {
		ipi(cpu, argument);
	} else if (command == DO_REGISTERS) {
		registers();
	} else if (command == DO_BELLS) {
		bells(argument);
	} else if (command == DO_SPIN) {
		if (cpu)
			spin_second();
		else
			spin();
	}
}

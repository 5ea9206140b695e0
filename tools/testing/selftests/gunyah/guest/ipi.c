// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each vCPU asks one after the other for an answer, by an SGI, and waits for it in
 * WFI; now and then it sleeps until its timer interrupts. One interrupt that is lost,
 * or one wakeup, and it asks for nothing more. Nothing here is cached, and each word
 * has one writer, so that there is nothing to lock.
 */
#include "guest.h"
#include "ipi_page.h"

#define PSCI_CPU_ON		0xc4000003

#define GICD			0x3fff0000UL
#define GICD_CTLR		(GICD + 0x0000)
#define GICD_CTLR_ARE_G1	0x12
/* The redistributors end where the distributor begins. */
#define GICR_SIZE		0x20000UL
#define GICR(cpu, cpus)		(GICD - ((cpus) - (cpu)) * GICR_SIZE)
#define GICR_WAKER		0x14
#define GICR_WAKER_SLEEP	2
#define GICR_WAKER_ASLEEP	4
#define GICR_IGROUPR0		0x10080
#define GICR_ISENABLER0		0x10100
#define GICR_IPRIORITYR		0x10400

#define ICC_PMR_EL1		"S3_0_C4_C6_0"
#define ICC_IAR1_EL1		"S3_0_C12_C12_0"
#define ICC_EOIR1_EL1		"S3_0_C12_C12_1"
#define ICC_SGI1R_EL1		"S3_0_C12_C11_5"
#define ICC_SRE_EL1		"S3_0_C12_C12_5"
#define ICC_IGRPEN1_EL1		"S3_0_C12_C12_7"

/* A request has the number of who asks. */
#define SGI_ANSWER		15
#define TIMER_PPI		27
#define NONE			1020

#define SLEEP_EVERY		16
#define STACK_SIZE		1024

/* For the assembly below */
#define for_asm	__attribute__((used, visibility("hidden")))

for_asm char stacks[IPI_MAX_CPUS][STACK_SIZE] __attribute__((aligned(16)));
for_asm void work(unsigned int me);
for_asm void secondary(void);

#define write_sys(reg, value) ({						\
	asm volatile("msr " reg ", %0" : : "r" ((uint64_t)(value)) : "memory");	\
})
#define read_sys(reg) ({							\
	uint64_t value_;							\
	asm volatile("mrs %0, " reg : "=r" (value_) : : "memory");		\
	value_;									\
})

static void write32(uint64_t addr, uint32_t value)
{
	asm volatile("str %w0, [%1]" : : "r" (value), "r" (addr) : "memory");
}

static uint32_t read32(uint64_t addr)
{
	uint32_t value;

	asm volatile("ldr %w0, [%1]" : "=r" (value) : "r" (addr) : "memory");
	return value;
}

static struct ipi_page *page(void)
{
	return (struct ipi_page *)TEST_PAGE_BASE;
}

static void gic_init(unsigned int me, unsigned int cpus)
{
	uint64_t gicr = GICR(me, cpus);
	int i;

	write32(gicr + GICR_WAKER, read32(gicr + GICR_WAKER) & ~GICR_WAKER_SLEEP);
	while (read32(gicr + GICR_WAKER) & GICR_WAKER_ASLEEP)
		;
	write32(gicr + GICR_IGROUPR0, ~0U);
	for (i = 0; i < 32; i += 4)
		write32(gicr + GICR_IPRIORITYR + i, 0xa0a0a0a0);
	write32(gicr + GICR_ISENABLER0, 0xffff | 1U << TIMER_PPI);

	write_sys(ICC_SRE_EL1, 7);
	asm volatile("isb");
	write_sys(ICC_PMR_EL1, 0xff);
	write_sys(ICC_IGRPEN1_EL1, 1);
	asm volatile("isb");
}

static void send(unsigned int cpu, unsigned int sgi)
{
	asm volatile("dsb sy");
	write_sys(ICC_SGI1R_EL1, (uint64_t)sgi << 24 | 1UL << cpu);
	asm volatile("isb");
}

static void timer_start(void)
{
	/* A fifth of a millisecond */
	write_sys("cntv_tval_el0", read_sys("cntfrq_el0") / 5000);
	write_sys("cntv_ctl_el0", 1);
	asm volatile("isb");
}

static void timer_stop(void)
{
	write_sys("cntv_ctl_el0", 0);
	asm volatile("isb");
}

/* What has come. Returns false if this vCPU waits for what it waited for before. */
static int serve(struct ipi_cpu *cpu, unsigned int cpus, int asking, int sleeping)
{
	int ended = 0;
	uint64_t id;

	while ((id = read_sys(ICC_IAR1_EL1) & 0xffffff) < NONE) {
		if (id < cpus) {
			write_word(&cpu->served, cpu->served + 1);
			send(id, SGI_ANSWER);
		} else if (id == SGI_ANSWER && asking && !ended) {
			write_word(&cpu->rounds, cpu->rounds + 1);
			ended = 1;
		} else if (id == TIMER_PPI && sleeping && !ended) {
			timer_stop();
			write_word(&cpu->timers, cpu->timers + 1);
			ended = 1;
		} else {
			write_word(&cpu->error, 0x10000 | id);
		}
		write_sys(ICC_EOIR1_EL1, id);
		asm volatile("isb");
	}
	return ended;
}

static int all_done(unsigned int cpus)
{
	unsigned int i;

	for (i = 0; i < cpus; i++) {
		if (!read_word(&page()->cpu[i].done))
			return 0;
	}
	return 1;
}

void work(unsigned int me)
{
	unsigned int cpus = read_word(&page()->cpus), other = me;
	struct ipi_cpu *cpu = &page()->cpu[me];
	int asking = 0, sleeping = 0;
	uint64_t asked = 0;

	gic_init(me, cpus);
	for (;;) {
		if (cpu->done) {
			/* The others may still ask; the first one has to see them end. */
			if (!me && all_done(cpus))
				return;
		} else if (!asking && !sleeping) {
			if (read_word(&page()->stop)) {
				write_word(&cpu->done, 1);
				continue;
			}
			if (++asked % SLEEP_EVERY) {
				other = (other + 1) % cpus;
				asking = 1;
				send(other, me);
			} else {
				sleeping = 1;
				timer_start();
			}
		}
		if (!cpu->done || me)
			asm volatile("dsb sy\n\twfi" : : : "memory");
		if (serve(cpu, cpus, asking, sleeping)) {
			asking = 0;
			sleeping = 0;
		}
	}
}

/* x0: the number of the vCPU */
asm("	.text\n"
"	.globl	secondary\n"
"	.hidden	secondary\n"
"secondary:\n"
"	adrp	x1, stacks\n"
"	add	x1, x1, :lo12:stacks\n"
"	add	x2, x0, #1\n"
"	lsl	x2, x2, #10\n"
"	add	sp, x1, x2\n"
"	b	work\n");
_Static_assert(STACK_SIZE == 1 << 10, "see above");

void guest_main(uint64_t dtb)
{
	unsigned int cpus = read_word(&page()->cpus), i;
	struct call c;

	(void)dtb;
	write32(GICD_CTLR, GICD_CTLR_ARE_G1);
	for (i = 1; i < cpus; i++) {
		c = (struct call) { { PSCI_CPU_ON, i, (uint64_t)secondary, i } };
		hvc(&c);
		if (c.x[0])
			write_word(&page()->cpu[i].error, c.x[0]);
	}
	work(0);
}

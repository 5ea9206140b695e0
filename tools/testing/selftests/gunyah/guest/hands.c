// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does what the test tells it to, one order at a time, and counts the interrupts that it
 * gets meanwhile.
 */
#include "guest.h"

#define GICD		0x3fff0000UL
#define GICD_CTLR	(GICD + 0x0000)
#define GICD_ENABLE	0x12		/* group 1, with affinity routing */
#define GICD_ISENABLER	(GICD + 0x0100)
#define GICD_IPRIORITYR	(GICD + 0x0400)
#define GICD_ICFGR	(GICD + 0x0c00)
#define PRIORITY	0xa0

#define ICC_IAR1_EL1	"S3_0_C12_C12_0"
#define ICC_EOIR1_EL1	"S3_0_C12_C12_1"
#define ICC_IGRPEN1_EL1	"S3_0_C12_C12_7"
#define ICC_PMR_EL1	"S3_0_C4_C6_0"

/* Only the vector of interrupts of the exception level that they interrupt leads anywhere. */
asm(".pushsection .text.vectors, \"ax\"\n"
"	.balign	2048\n"
"vectors:\n"
"	.space	0x280\n"
"	sub	sp, sp, #176\n"
"	stp	x0, x1, [sp]\n"
"	stp	x2, x3, [sp, #16]\n"
"	stp	x4, x5, [sp, #32]\n"
"	stp	x6, x7, [sp, #48]\n"
"	stp	x8, x9, [sp, #64]\n"
"	stp	x10, x11, [sp, #80]\n"
"	stp	x12, x13, [sp, #96]\n"
"	stp	x14, x15, [sp, #112]\n"
"	stp	x16, x17, [sp, #128]\n"
"	stp	x18, x30, [sp, #144]\n"
"	bl	guest_irq\n"
"	ldp	x0, x1, [sp]\n"
"	ldp	x2, x3, [sp, #16]\n"
"	ldp	x4, x5, [sp, #32]\n"
"	ldp	x6, x7, [sp, #48]\n"
"	ldp	x8, x9, [sp, #64]\n"
"	ldp	x10, x11, [sp, #80]\n"
"	ldp	x12, x13, [sp, #96]\n"
"	ldp	x14, x15, [sp, #112]\n"
"	ldp	x16, x17, [sp, #128]\n"
"	ldp	x18, x30, [sp, #144]\n"
"	add	sp, sp, #176\n"
"	eret\n"
"	.popsection");
extern char vectors[] __attribute__((visibility("hidden")));

void __attribute__((used)) guest_irq(void)
{
	struct test_page *page = test_page();
	uint64_t intid;

	asm volatile("mrs %0, " ICC_IAR1_EL1 "\n\tdsb sy" : "=r" (intid) : : "memory");
	if (intid >= 32 && intid < 32 + TEST_SPIS) {
		write_word(&page->irq[intid - 32], page->irq[intid - 32] + 1);
		write_word(&page->irqs, page->irqs + 1);
	}
	asm volatile("msr " ICC_EOIR1_EL1 ", %0\n\tisb" : : "r" (intid) : "memory");
}

static void mask(void)
{
	asm volatile("msr daifset, #2" : : : "memory");
}

static void unmask(void)
{
	asm volatile("msr daifclr, #2\n\tisb" : : : "memory");
}

static void init(void)
{
	asm volatile("msr vbar_el1, %0\n\tisb" : : "r" (vectors));
	mmio_write(GICD_CTLR, 4, GICD_ENABLE);
	asm volatile("msr " ICC_PMR_EL1 ", %0\n\tmsr " ICC_IGRPEN1_EL1 ", %1\n\tisb"
		     : : "r" (0xf0UL), "r" (1UL));
}

static void enable(uint64_t spi, uint64_t edge)
{
	uint64_t intid = spi + 32, icfgr = GICD_ICFGR + intid / 16 * 4;
	uint64_t config = mmio_read(icfgr, 4) & ~(2UL << intid % 16 * 2);

	mmio_write(GICD_IPRIORITYR + intid, 1, PRIORITY);
	mmio_write(icfgr, 4, config | (edge ? 2UL << intid % 16 * 2 : 0));
	mmio_write(GICD_ISENABLER + intid / 32 * 4, 4, 1UL << intid % 32);
}

/* With interrupts masked, so that none comes between the look and the sleep */
static void sleep(uint64_t irqs)
{
	mask();
	while (test_page()->irqs < irqs) {
		asm volatile("dsb sy\n\twfi" : : : "memory");
		unmask();
		mask();
	}
	unmask();
}

static void carry_out(uint64_t what)
{
	struct test_page *page = test_page();
	uint64_t addr = page->order.addr, size = page->order.size, value = page->order.value;
	uint64_t n;

	switch (what) {
	case HANDS_READ:
		for (n = 0; n < page->order.times; n++)
			value = mmio_read(addr, size);
		write_word(&page->result, value);
		break;
	case HANDS_WRITE:
		for (n = 0; n < page->order.times; n++)
			mmio_write(addr, size, value);
		break;
	case HANDS_ENABLE:
		enable(addr, value);
		break;
	case HANDS_MASK:
		mask();
		break;
	case HANDS_UNMASK:
		unmask();
		break;
	case HANDS_SLEEP:
		sleep(value);
		break;
	}
}

void guest_main(uint64_t dtb)
{
	struct test_page *page = test_page();
	uint64_t n = 0;

	(void)dtb;
	init();
	unmask();
	do {
		while (read_word(&page->order.n) == n)
			;
		n = page->order.n;
		carry_out(page->order.what);
		write_word(&page->done, n);
	} while (page->order.what != HANDS_OFF);
}

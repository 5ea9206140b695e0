/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page that a test and its guest share, beside the console: what the guest is
 * to do, and what came of it. Guest and test write different cache lines, see
 * gh_console.h.
 */
#ifndef _GUNYAH_TEST_PAGE_H
#define _GUNYAH_TEST_PAGE_H

#define TEST_PAGE_LABEL		0x11
#define TEST_PAGE_BASE		0x70100000

/* Interrupts that hands counts */
#define TEST_SPIS		256

#ifndef __ASSEMBLY__
#include <stdint.h>

struct test_page {
	/* Written by the test */
	uint64_t stop;			/* count, echo: end when this is not 0 */
	uint64_t addr;			/* touch: the range, multiples of 8; echo: the device */
	uint64_t size;			/* echo: how often */
	uint64_t key;			/* touch: every word is XORed with this; echo: pause */
	uint64_t reserved0[4];
	/* Written by the guest */
	uint64_t count;			/* count, echo: grows as long as the guest runs */
	uint64_t sum;			/* touch, echo: of the words as they were found */
	uint64_t pause;			/* count: longest between two, in ticks of the counter */
	uint64_t reserved1[5];

	/* Of the test to hands: one order at a time */
	struct {
		uint64_t n;		/* grows with each, when the rest is there */
		uint64_t what;		/* HANDS_* */
		uint64_t addr;
		uint64_t size;
		uint64_t value;
		uint64_t times;
		uint64_t reserved[2];
	} order;
	/* Of hands */
	uint64_t done;			/* n of the last order that was carried out */
	uint64_t result;
	uint64_t reserved2[6];
	uint64_t irqs;			/* interrupts taken, in all */
	uint64_t reserved3[7];
	uint64_t irq[TEST_SPIS];	/* of each SPI */
};

#define HANDS_READ	1		/* @size bytes at @addr, @times times; gives result */
#define HANDS_WRITE	2		/* @value, likewise */
#define HANDS_ENABLE	3		/* SPI @addr; @value: it is an edge, else a level */
#define HANDS_MASK	4		/* take no interrupts */
#define HANDS_UNMASK	5
#define HANDS_SLEEP	6		/* until @value interrupts in all have been taken */
#define HANDS_OFF	7

/* Order matters to it, so that words in the wrong place do not go unseen */
static inline uint64_t test_sum(uint64_t sum, uint64_t word)
{
	return (sum << 7 | sum >> 57) ^ word;
}
#endif

#endif /* _GUNYAH_TEST_PAGE_H */

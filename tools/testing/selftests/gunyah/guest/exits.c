// SPDX-License-Identifier: GPL-2.0-only
/* Leaves its vCPU as often, and by as few instructions, as it can. */
#include "exits.h"
#include "guest.h"

static volatile uint32_t *reg(uint64_t addr)
{
	return (volatile uint32_t *)addr;
}

void guest_main(uint64_t dtb)
{
	int i;

	(void)dtb;
	for (;;) {
		for (i = 0; i < EXITS_COUNT; i++)
			*reg(EXITS_WRITE) = i;
		for (i = 0; i < EXITS_COUNT; i++)
			(void)*reg(EXITS_READ);
		for (i = 0; i < EXITS_COUNT; i++)
			*reg(EXITS_KICK) = i;
		*reg(EXITS_DONE) = 0;
	}
}

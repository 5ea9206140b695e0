// SPDX-License-Identifier: GPL-2.0-only
/* Accesses what is not there, and has no vectors to handle that either. */
#include "guest.h"

void guest_main(uint64_t dtb)
{
	(void)dtb;
	asm volatile("msr vbar_el1, %0\n\tisb" : : "r" (UNMAPPED));
	*(volatile uint64_t *)UNMAPPED;
}

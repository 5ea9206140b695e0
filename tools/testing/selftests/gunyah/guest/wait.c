// SPDX-License-Identifier: GPL-2.0-only
/* Tells that it runs, and waits for an interrupt that never comes: that costs no time. */
#include "guest.h"

void guest_main(uint64_t dtb)
{
	(void)dtb;
	print("waiting\n");
	for (;;)
		asm volatile("wfi");
}

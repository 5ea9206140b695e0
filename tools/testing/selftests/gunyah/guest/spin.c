// SPDX-License-Identifier: GPL-2.0-only
/* Tells that it runs, and never ends of its own accord. */
#include "guest.h"

void guest_main(uint64_t dtb)
{
	(void)dtb;
	print("spinning\n");
	for (;;)
		asm volatile("");
}

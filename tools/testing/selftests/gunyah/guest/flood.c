// SPDX-License-Identifier: GPL-2.0-only
/* Writes more than the console's ring holds. */
#include "guest.h"

void guest_main(uint64_t dtb)
{
	unsigned int i;

	(void)dtb;
	for (i = 0; i < 2000; i++) {
		print("line ");
		print_dec(i);
		print("\n");
	}
}

// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

void guest_main(uint64_t dtb)
{
	(void)dtb;
	/* A vendor's reset type, and a cookie */
	psci(PSCI_SYSTEM_RESET2, 0x80000000, 0x876500004321);
}

// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

void guest_main(uint64_t dtb)
{
	(void)dtb;
	psci(PSCI_SYSTEM_RESET, 0, 0);
}

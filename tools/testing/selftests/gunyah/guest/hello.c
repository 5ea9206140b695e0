// SPDX-License-Identifier: GPL-2.0-only
/* Greets, tells what it sees of its surroundings, and switches itself off. */
#include "guest.h"

#define FDT_MAGIC_LE	0xedfe0dd0

/* First two words of the UUID c1d58fcd-a453-5fdb-9265-ce36673d5f14 */
#define GH_UID_0	0xcd8fd5c1
#define GH_UID_1	0xdb5f53a4

static void print_hypervisor(void)
{
	struct call uid = { { GH_VENDOR_UID } };
	struct call identify = { { GH_HYP_IDENTIFY } };

	hvc(&uid);
	if ((uint32_t)uid.x[0] != GH_UID_0 || (uint32_t)uid.x[1] != GH_UID_1) {
		print("unknown");
		return;
	}
	/* Both encodings of the call must give the same */
	hvc(&identify);
	if (identify.x[0] != hyp_identify()) {
		print("Gunyah, of two minds about its version");
		return;
	}
	print("Gunyah, API version ");
	print_dec(identify.x[0] & 0x3fff);
}

void guest_main(uint64_t dtb)
{
	uint32_t version = psci(PSCI_VERSION, 0, 0);

	print("Hello from a Gunyah guest\n");
	print("devicetree: ");
	if (*(volatile uint32_t *)dtb == FDT_MAGIC_LE)
		print_hex(dtb);
	else
		print("none");
	print("\nPSCI: ");
	print_dec(version >> 16);
	print(".");
	print_dec(version & 0xffff);
	print("\nhypervisor: ");
	print_hypervisor();
	print("\n");
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Constants that assembly and C share. */
#ifndef _HYP_LAYOUT_H
#define _HYP_LAYOUT_H

#define HYP_TEXT_OFFSET		0x80000
#define HYP_RAM_BASE		0x40000000
/* What the hypervisor keeps for itself; the host's RAM starts behind it. */
#define HYP_RAM_SIZE		0x01000000
#define HOST_ENTRY		(HYP_RAM_BASE + HYP_RAM_SIZE)

#define MAX_CPUS		9
#define STACK_SIZE		0x4000

/* Level 1 blocks of the hypervisor's own tables */
#define HYP_PGD_DEVICE		0x0040000000000441	/* XN, AF, AP[1], attribute 0 */
#define HYP_PGD_NORMAL		0x0000000000000745	/* AF, inner shareable, attribute 1 */

#define GUEST_EXIT_SYNC		0
#define GUEST_EXIT_IRQ		1

#endif /* _HYP_LAYOUT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the test host tells its guest to do, and where the guest answers. */
#ifndef _TEST_GUEST_H
#define _TEST_GUEST_H

/* At this offset of its image: what to do, and an argument */
#define GUEST_COMMAND		8
#define GUEST_ARGUMENT		16

#define DO_REPORT_AND_OFF	0
#define DO_RESET		1
#define DO_RESET2		2
#define DO_ABORT_NO_VECTORS	3
#define DO_ABORT		4	/* load from the argument, report ESR, FAR; off */
#define DO_STORE		5	/* store to the argument, likewise */
#define DO_COUNT		6	/* for ever, and check own registers */
#define DO_WFI			7	/* and reset, should that ever end */
#define DO_SYSREG		8	/* read a GIC register, report ESR; off */
#define DO_PSCI			9	/* call the argument, report the result; off */
#define DO_WALK			22	/* count pages behind the image with their number; off */

/* For guests that the host runs */
#define DO_MMIO			10	/* loads and stores at the argument; off */
#define DO_SLEEP		11	/* for so many ticks, by WFI and by PSCI; off */
#define SLEEP_POWER_STATE	0x01010001
#define DO_CALLS		12	/* SHM_COUNT calls, store to the argument; again */

/* For those with several vCPUs and interrupts (guest.c); the argument is of each its own */
#define DO_CPUS			13	/* PSCI of two vCPUs, by turns */
#define DO_TIMER		14	/* so many interrupts of the timer */
#define DO_ORDER		15	/* more interrupts than list registers */
#define DO_IPI			16	/* so many rounds between all vCPUs */
#define DO_SPIN			17	/* an interrupt of the second vCPU's; the first looks */
#define DO_REGISTERS		18	/* what an operating system looks at when it starts */
#define DO_BELLS		19	/* report interrupts, and store how many; again */
#define DO_MASKED		20	/* sleeps with its timer masked in that way */
#define DO_ON_OFF		21	/* the second vCPU goes off, and is turned on at once */
#define GUEST_CONTEXT		0x1234567890UL
#define GUEST_CONTEXT_2		0x9876543210UL
#define GUEST_CONTEXT_3		0x5555UL

#define GUEST_BASE		0x80000000
#define GUEST_IMAGE		0x20000		/* its size */
#define GUEST_GICD		0x3fe00000
#define GUEST_GICR		0x3fe40000
#define GICR_STRIDE		0x20000
#define GUEST_SHM		0x70000000
#define GUEST_BELL		37	/* the interrupt of its doorbell 0, then that of 1 */
/* 64-bit words of the shared page */
#define SHM_X0			0
#define SHM_MAGIC		1
#define SHM_MPIDR		2
#define SHM_EL			3
#define SHM_API			4
#define SHM_UID			5
#define SHM_ESR			6
#define SHM_FAR			7
#define SHM_COUNT		8
#define SHM_RESULT		9
#define SHM_PSCI		10
#define SHM_UNKNOWN		11
#define SHM_CALLS		16	/* 8 words each: x0 to x5, and the resulting x0, x1 */

/* What guest.c reports, one after the other, how much that is, and for its rounds */
#define SHM_REPORTS		15
#define SHM_REPORT		16
#define SHM_REPORT_MAX		64
#define SHM_READY		80
#define SHM_DONE		88
#define SHM_SPIN		81	/* DO_BELLS: do not sleep */
#define SHM_RECEIVE		82	/* DO_BELLS: read the flags of a doorbell, too */
#define SHM_REQUEST		128
#define SHM_ANSWER		192

#endif /* _TEST_GUEST_H */

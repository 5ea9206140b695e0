/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What test_insns.py boots to see whether insns.c counts right: at EL2, EL1, EL0 and on a
 * second CPU so many instructions between the markers that everybody can count them. The
 * numbers are in test_insns.py, in the order of the pairs here.
 */
#include "../hyp/layout.h"

	.equ	UART_FR, 0x09000018
	.equ	PSCI_CPU_OFF, 0x84000002
	.equ	PSCI_CPU_ON, 0xc4000003
	.equ	PSCI_AFFINITY_INFO, 0xc4000004
	.equ	PSCI_SYSTEM_OFF, 0x84000008
	/* Where the one GiB with this program is for EL1 and for EL0, and one without memory */
	.equ	KERNEL_OFFSET, 0xffffff8000000000
	.equ	USER_OFFSET, 0x0000000040000000
	.equ	NOWHERE, 0x00000000c0000000

	.macro	begin
	.inst	0xd5032c1f
	.endm

	.macro	end
	.inst	0xd5032c3f
	.endm

	/* One instruction, then two for each round */
	.macro	loop, n
	mov	w1, #\n
.Lloop\@:
	subs	w1, w1, #1
	b.ne	.Lloop\@
	.endm

	.text
	.global	_start
_start:
	/* Nothing */
	begin
	end

	/* All in one block, with more of it before and behind */
	nop
	begin
	nop
	nop
	nop
	end
	nop

	/* For many icount budgets: 1 + 2 * 50000 */
	begin
	loop	50000
	end

	/* Each access to a device makes QEMU leave the block and repeat: 2 + 10 * 5 */
	ldr	x2, =UART_FR
	begin
	mov	w1, #10
	nop
1:	nop
	ldr	w3, [x2]
	nop
	subs	w1, w1, #1
	b.ne	1b
	end

	/* An end too much */
	end
	/* and one that is missing */
	begin
	nop
	nop

	/* The other CPU: 1 + 2 * 700 + 5. This one waits meanwhile, nobody knows how long. */
	ldr	x0, =PSCI_CPU_ON
	mov	x1, #1
	adr	x2, second
	adr	x4, second_runs
	begin
	smc	#0
1:	ldar	w3, [x4]
	cbz	w3, 1b
1:	ldr	x0, =PSCI_AFFINITY_INFO
	mov	x1, #1
	mov	x2, #0
	smc	#0
	cmp	x0, #1
	b.ne	1b
	end

	/* At EL1, upper half */
	adr	x0, el2_vectors
	msr	vbar_el2, x0
	ldr	x0, =(1 << 31)		/* RW */
	msr	hcr_el2, x0
	adr	x0, tables
	msr	ttbr0_el1, x0
	msr	ttbr1_el1, x0
	ldr	x0, =0xff00		/* attribute 0: device, 1: normal */
	msr	mair_el1, x0
	ldr	x0, =0x2b5193519	/* 39 bits twice, 4 KiB, inner shareable, 40-bit output */
	msr	tcr_el1, x0
	ldr	x0, =0x30d0180d		/* RES1, I, SA, C, M without A */
	msr	sctlr_el1, x0
	isb
	mov	x0, #0x3c5		/* EL1h */
	msr	spsr_el2, x0
	ldr	x1, =KERNEL_OFFSET
	adr	x0, el1
	add	x0, x0, x1
	msr	elr_el2, x0
	eret

el1:
	adr	x0, el1_vectors
	msr	vbar_el1, x0
	/* 1 + 2 * 3000 */
	begin
	loop	3000
	end

	/* And EL0 */
	msr	spsr_el1, xzr
	adr	x0, el0
	ldr	x1, =(USER_OFFSET - KERNEL_OFFSET)
	add	x0, x0, x1
	msr	elr_el1, x0
	eret

	/* User: 3 + 20 * 6; kernel: 20 * (7 + 8); hypervisor: 20 * 2 */
el0:
	ldr	x2, =NOWHERE
	begin
	mov	w1, #20
	nop
	nop
1:	nop
	svc	#0
	ldr	x3, [x2]		/* faults, is left out */
	nop
	subs	w1, w1, #1
	b.ne	1b
	end
	svc	#1

second:
	loop	700
	adr	x4, second_runs
	mov	w3, #1
	stlr	w3, [x4]
	ldr	w0, =PSCI_CPU_OFF
	smc	#0

	.align	11
el2_vectors:
	.org	el2_vectors + 0x400
	nop
	eret

	.align	11
el1_vectors:
	.org	el1_vectors + 0x400
	mrs	x4, esr_el1
	lsr	x5, x4, #26
	cmp	x5, #0x15
	b.ne	1f
	tbnz	w4, #0, off
	hvc	#0
	eret
1:	mrs	x5, elr_el1
	add	x5, x5, #4
	msr	elr_el1, x5
	eret

off:
	ldr	w0, =PSCI_SYSTEM_OFF
	smc	#0

	.ltorg
second_runs:
	.long	0

	/* Level 1: devices, this GiB for EL1, this GiB for EL0 */
	.align	12
tables:
	.quad	0x0060000000000401
	.quad	HYP_RAM_BASE + 0x0040000000000705
	.quad	HYP_RAM_BASE + 0x0020000000000745
	.fill	509, 8, 0

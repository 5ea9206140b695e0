/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test host's assembly: entry at EL1 on both CPUs, vectors that note an abort
 * and step over the instruction, and the guest, which is copied from here.
 */
#include "guest.h"

	.section .head.text, "ax"
	.global	_start
_start:
	mov	x19, x0
	ldr	x1, =_bss_start
	ldr	x2, =_bss_end
1:	stp	xzr, xzr, [x1], #16
	cmp	x1, x2
	b.lo	1b
	ldr	x1, =stack0_top
	mov	sp, x1
	bl	tables_init
	bl	mmu_on
	mov	x0, x19
	bl	host_main
	b	.

/* PSCI CPU_ON: x0 is the context */
	.global	second_start
second_start:
	mov	x19, x0
	ldr	x1, =stack0_top
	mrs	x2, mpidr_el1
	and	x2, x2, #0xff
	add	x1, x1, x2, lsl #14
	mov	sp, x1
	bl	mmu_on
	mov	x0, x19
	bl	second_main
	b	.

mmu_on:
	ldr	x0, =vectors
	msr	vbar_el1, x0
	mov	x0, #0xff04
	msr	mair_el1, x0
	ldr	x0, =0x200803519	/* 39 bits, 4 KiB, TTBR0 only, 40-bit output */
	msr	tcr_el1, x0
	ldr	x0, =pgd
	msr	ttbr0_el1, x0
	dsb	sy
	tlbi	vmalle1
	dsb	sy
	isb
	ldr	x0, =0x30d01805
	msr	sctlr_el1, x0
	isb
	ret

	.balign	0x800
vectors:
	.rept	4
	.balign	0x80
	b	.
	.endr
	.balign	0x80
	stp	x0, x1, [sp, #-16]!
	ldr	x0, =abort_esr_seen
	mrs	x1, esr_el1
	str	x1, [x0]
	ldr	x0, =abort_far_seen
	mrs	x1, far_el1
	str	x1, [x0]
	ldr	x0, =aborts
	ldr	x1, [x0]
	add	x1, x1, #1
	str	x1, [x0]
	mrs	x0, elr_el1
	add	x0, x0, #4
	msr	elr_el1, x0
	ldp	x0, x1, [sp], #16
	eret
	.rept	11
	.balign	0x80
	b	.
	.endr

	.text
/* void smccc_hvc(u64 x[8]), void smccc_smc(u64 x[8]) */
	.macro	smccc name, op
	.global	\name
\name:
	stp	x0, x30, [sp, #-16]!
	mov	x8, x0
	ldp	x0, x1, [x8]
	ldp	x2, x3, [x8, #16]
	ldp	x4, x5, [x8, #32]
	\op	#0
	ldr	x8, [sp]
	stp	x0, x1, [x8]
	stp	x2, x3, [x8, #16]
	stp	x4, x5, [x8, #32]
	ldp	x0, x30, [sp], #16
	ret
	.endm
	smccc	smccc_hvc, hvc
	smccc	smccc_smc, smc

/* The same with HVC #(0x6000 + n) */
	.macro	native name, n
	.global	\name
\name:
	stp	x0, x30, [sp, #-16]!
	mov	x8, x0
	ldp	x0, x1, [x8]
	ldp	x2, x3, [x8, #16]
	ldp	x4, x5, [x8, #32]
	hvc	#(0x6000 + \n)
	ldr	x8, [sp]
	stp	x0, x1, [x8]
	stp	x2, x3, [x8, #16]
	stp	x4, x5, [x8, #32]
	ldp	x0, x30, [sp], #16
	ret
	.endm
	native	native_identify, 0x00
	native	native_send, 0x1b
	native	native_receive, 0x1c
	native	native_vcpu_run, 0x65
	native	native_bell_send, 0x12
	native	native_unknown, 0x1ff

/*
 * void fill_regs(u64 value): into registers of each kind that a guest also has.
 * bool regs_hold(u64 value): and is it still there?
 */
	.arch_extension fp
	.arch_extension simd
	.global	fill_regs, regs_hold
fill_regs:
	mov	x1, #(3 << 20)
	msr	cpacr_el1, x1
	isb
	.irp	n, 0,15,16,31
	dup	v\n\().2d, x0
	.endr
	msr	tpidr_el0, x0
	msr	tpidrro_el0, x0
	msr	tpidr_el1, x0
	msr	sp_el0, x0
	msr	contextidr_el1, x0
	msr	elr_el1, x0
	msr	far_el1, x0
	ret
regs_hold:
	mov	x1, #0
	.irp	n, 0,15,16,31
	.irp	half, 0,1
	umov	x2, v\n\().d[\half]
	eor	x2, x2, x0
	orr	x1, x1, x2
	.endr
	.endr
	.irp	r, tpidr_el0, tpidrro_el0, tpidr_el1, sp_el0, elr_el1, far_el1
	mrs	x2, \r
	eor	x2, x2, x0
	orr	x1, x1, x2
	.endr
	mrs	x2, contextidr_el1
	eor	w2, w2, w0
	orr	x1, x1, x2
	mrs	x2, cpacr_el1
	eor	x2, x2, #(3 << 20)
	orr	x1, x1, x2
	cmp	x1, #0
	cset	w0, eq
	ret

/*
 * The guest. Position independent; x0 is its devicetree.
 */
	.section .guest.head, "ax"
	.global	guest_start
guest_start:
	b	1f
	.balign	8
	.quad	0, 0
1:	mov	x19, #GUEST_SHM
	adr	x20, guest_start
	ldp	x21, x22, [x20, #GUEST_COMMAND]
	mov	x23, x0
	cmp	x21, #DO_REPORT_AND_OFF
	b.eq	do_report
	cmp	x21, #DO_RESET
	b.eq	do_reset
	cmp	x21, #DO_RESET2
	b.eq	do_reset2
	cmp	x21, #DO_ABORT_NO_VECTORS
	b.eq	do_access
	adr	x1, guest_vectors
	msr	vbar_el1, x1
	isb
	cmp	x21, #DO_ABORT
	b.eq	do_access
	cmp	x21, #DO_STORE
	b.eq	do_store
	cmp	x21, #DO_COUNT
	b.eq	do_count
	cmp	x21, #DO_SYSREG
	b.eq	do_sysreg
	cmp	x21, #DO_PSCI
	b.eq	do_psci
	cmp	x21, #DO_MMIO
	b.eq	do_mmio
	cmp	x21, #DO_SLEEP
	b.eq	do_sleep
	cmp	x21, #DO_CALLS
	b.eq	do_calls
	cmp	x21, #DO_WALK
	b.eq	do_walk
	cmp	x21, #DO_CPUS
	b.hs	do_main
	wfi
	b	do_reset

/* To C, with a stack for each vCPU in the rest of the image. x0: a context */
do_main:
	mov	x0, #0
	.global	guest_entry
guest_entry:
	mov	x19, #GUEST_SHM
	adr	x20, guest_start
	adr	x1, guest_vectors
	msr	vbar_el1, x1
	mrs	x1, mpidr_el1
	and	x1, x1, #0xff
	add	x2, x20, #0x10000
	sub	x2, x2, x1, lsl #12
	mov	sp, x2
	isb
	mov	x2, x0
	ldp	x21, x22, [x20, #GUEST_COMMAND]
	mov	x0, x21
	mov	x3, x22
	bl	guest_main
	b	do_off

guest_irq_entry:
	sub	sp, sp, #192
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x30, [sp, #144]
	mrs	x0, elr_el1
	mrs	x1, spsr_el1
	stp	x0, x1, [sp, #160]
	bl	guest_irq
	ldp	x0, x1, [sp, #160]
	msr	elr_el1, x0
	msr	spsr_el1, x1
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x30, [sp, #144]
	ldp	x0, x1, [sp]
	add	sp, sp, #192
	eret

do_report:
	str	x23, [x19, #8 * SHM_X0]
	ldr	w1, [x23]
	str	x1, [x19, #8 * SHM_MAGIC]
	mrs	x1, mpidr_el1
	str	x1, [x19, #8 * SHM_MPIDR]
	mrs	x1, CurrentEL
	str	x1, [x19, #8 * SHM_EL]
	hvc	#0x6000
	str	x0, [x19, #8 * SHM_API]
	ldr	w0, =0x8600ff01
	hvc	#0
	str	x0, [x19, #8 * SHM_UID]
	ldr	w0, =0x84000000
	hvc	#0
	str	x0, [x19, #8 * SHM_PSCI]
	ldr	w0, =0xc6009234
	hvc	#0
	str	x0, [x19, #8 * SHM_UNKNOWN]
do_off:
	ldr	w0, =0x84000008
	hvc	#0
	b	.
do_reset:
	ldr	w0, =0x84000009
	hvc	#0
	b	.
do_reset2:
	ldr	w0, =0xc4000012
	mov	x1, #0x80000000
	ldr	x2, =0x876500004321
	hvc	#0
	b	.
do_access:
	ldr	w0, [x22]
	str	x0, [x19, #8 * SHM_RESULT]
	b	do_off
do_store:
	str	w21, [x22]
	b	do_off
do_sysreg:
	mrs	x0, s3_0_c4_c6_0
	b	do_off
do_psci:
	mov	x0, x22
	mov	x1, #0
	mov	x2, #0
	smc	#0
	str	x0, [x19, #8 * SHM_RESULT]
	b	do_off
/* The argument: how many pages there are */
do_walk:
	add	x1, x20, #GUEST_IMAGE
	mov	x2, #0
	mov	x3, #0
7:	ldr	x0, [x1]
	add	x1, x1, #0x1000
	cmp	x0, x2
	cinc	x3, x3, eq
	add	x2, x2, #1
	cmp	x2, x22
	b.lo	7b
	str	x3, [x19, #8 * SHM_RESULT]
	b	do_off
/* What it loads it stores, at the next address but one or two */
do_mmio:
	ldr	w1, =0xabcd1234
	str	w1, [x22]
	ldr	w2, [x22, #4]
	add	w2, w2, #1
	str	w2, [x22, #8]
	mov	w1, #0x775a
	strb	w1, [x22, #0xc]
	mov	w1, #0x5a
	strh	w1, [x22, #0xe]
	str	w2, [x22, #0x14]
	ldrb	w2, [x22, #0x10]
	str	x2, [x22, #0x18]
	ldr	x2, [x22, #0x20]
	str	x2, [x22, #0x28]
	str	xzr, [x22, #0x30]
	ldrsb	x2, [x22, #0x38]
	str	x2, [x22, #0x40]
	ldrsh	w2, [x22, #0x48]
	str	x2, [x22, #0x50]
	ldr	wzr, [x22, #0x58]
	/* No syndrome tells what these were: an abort. */
	ldp	w1, w2, [x22, #0x60]
	b	do_off
/* By the virtual timer, which then stays due while it goes on; nor is its interrupt taken */
do_sleep:
	ldr	x1, =GUEST_GICD
	mov	w2, #2
	str	w2, [x1]
	ldr	x1, =(GUEST_GICR + 0x10100)
	mov	w2, #(1 << 27)
	str	w2, [x1]
	mov	x2, #0xf0
	msr	s3_0_c4_c6_0, x2	/* ICC_PMR_EL1 */
	mov	x2, #1
	msr	s3_0_c12_c12_7, x2	/* ICC_IGRPEN1_EL1 */
	isb
	mov	x24, #0
	bl	3f
	wfi
	bl	4f
	bl	3f
	ldr	w0, =0xc4000001
	ldr	w1, =SLEEP_POWER_STATE
	hvc	#0
	str	x0, [x19, #8 * SHM_RESULT]
	bl	4f
	/* Not asleep any more when it is due already */
	wfi
	mov	x24, #3
	str	x24, [x19, #8 * SHM_COUNT]
	b	do_off
3:	mrs	x1, cntvct_el0
	add	x1, x1, x22
	msr	cntv_cval_el0, x1
	mov	x1, #1
	msr	cntv_ctl_el0, x1
	isb
	ret
4:	isb
	mrs	x1, cntv_ctl_el0
	tbz	x1, #2, do_reset
	add	x24, x24, #1
	str	x24, [x19, #8 * SHM_COUNT]
	ret
do_calls:
	ldr	x26, [x19, #8 * SHM_COUNT]
	add	x25, x19, #8 * SHM_CALLS
5:	cbz	x26, 6f
	ldp	x0, x1, [x25]
	ldp	x2, x3, [x25, #16]
	ldp	x4, x5, [x25, #32]
	hvc	#0
	stp	x0, x1, [x25, #48]
	add	x25, x25, #64
	sub	x26, x26, #1
	b	5b
6:	str	wzr, [x22]
	b	do_calls
/* The argument in registers of each kind; a change of one ends in a reset. */
	.arch_extension fp
	.arch_extension simd
do_count:
	mov	x1, #(3 << 20)
	msr	cpacr_el1, x1
	isb
	fmov	d31, x22
	msr	tpidr_el1, x22
	msr	tpidr_el0, x22
	msr	ttbr1_el1, x22
	mov	x24, #0
2:	fmov	x1, d31
	cmp	x1, x22
	b.ne	do_reset
	mrs	x1, tpidr_el1
	cmp	x1, x22
	b.ne	do_reset
	mrs	x1, tpidr_el0
	cmp	x1, x22
	b.ne	do_reset
	mrs	x1, ttbr1_el1
	cmp	x1, x22
	b.ne	do_reset
	add	x24, x24, #1
	str	x24, [x19, #8 * SHM_COUNT]
	b	2b

	.balign	0x800
guest_vectors:
	.rept	4
	.balign	0x80
	b	do_reset
	.endr
	.balign	0x80
	mov	x19, #GUEST_SHM
	mrs	x1, esr_el1
	str	x1, [x19, #8 * SHM_ESR]
	mrs	x1, far_el1
	str	x1, [x19, #8 * SHM_FAR]
	b	do_off
	.balign	0x80
	b	guest_irq_entry
	.ltorg

	.bss
	.balign	16
	.skip	0x10000
stack0_top:
	.skip	0x4000 * 7

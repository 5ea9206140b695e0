/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All assembly: the Image header, the ways into EL2 (QEMU's boot, PSCI CPU_ON),
 * the exception vectors, and the switches to the host and to a guest.
 *
 * The host and guests have vectors of their own. The hidden CPU never runs the
 * host; a host CPU runs a guest only while it is in a hypercall (proxy.c).
 *
 * Per-CPU state is the stack; CPU n's is the n-th of cpu_stacks.
 */
#include "layout.h"

	.section .head.text, "ax"
	.global	_head
_head:
	b	primary_entry
	.long	0
	.quad	HYP_TEXT_OFFSET
	.quad	_image_size
	.quad	0x2			/* little endian, 4 KiB pages */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

/* x0: the devicetree; MMU off */
primary_entry:
	msr	daifset, #0xf
	mov	x19, x0
	ldr	x1, =_bss_start
	ldr	x2, =_bss_end
1:	stp	xzr, xzr, [x1], #16
	cmp	x1, x2
	b.lo	1b
	ldr	x1, =cpu_stacks + STACK_SIZE
	mov	sp, x1
	mrs	x1, CurrentEL
	cmp	x1, #(2 << 2)
	b.ne	2f
	bl	el2_setup
	mov	x0, x19
	b	primary_main
2:	b	not_at_el2

/* x0: index of this CPU; MMU off */
	.global	secondary_entry
secondary_entry:
	msr	daifset, #0xf
	mov	x19, x0
	ldr	x1, =cpu_stacks
	mov	x2, #STACK_SIZE
	add	x3, x0, #1
	madd	x1, x2, x3, x1
	mov	sp, x1
	bl	el2_setup
	mov	x0, x19
	b	secondary_main

/* Own stage 1: identity, device memory below 1 GiB, cached memory above. */
el2_setup:
	ldr	x0, =host_vectors
	msr	vbar_el2, x0
	mov	x0, #0xff04		/* attribute 0: device nGnRE, 1: normal write-back */
	msr	mair_el2, x0
	ldr	x0, =0x80823519		/* 39 bits, 4 KiB, inner shareable, 40-bit output */
	msr	tcr_el2, x0
	ldr	x0, =hyp_pgd
	msr	ttbr0_el2, x0
	dsb	sy
	tlbi	alle2
	ic	iallu
	dsb	sy
	isb
	ldr	x0, =0x30c5183d		/* RES1, I, SA, C, M */
	msr	sctlr_el2, x0
	isb
	ret

	.text
/* void host_start(u64 x0, void *stack_top): the EL2 registers are set; go. */
	.global	host_start
host_start:
	mov	sp, x1
	.irp	n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
	mov	x\n, xzr
	.endr
	eret
	dsb	nsh
	isb

/* void smc(u64 x[4]): the real PSCI, which is QEMU's. */
	.global	smc
smc:
	str	x0, [sp, #-16]!
	mov	x8, x0
	ldp	x0, x1, [x8]
	ldp	x2, x3, [x8, #16]
	smc	#0
	ldr	x8, [sp], #16
	stp	x0, x1, [x8]
	stp	x2, x3, [x8, #16]
	ret


/*
 * A trap of the host: the frame is x0..x30. The handler returns to the host.
 */
	.macro	host_vector
	.balign	0x80
	sub	sp, sp, #256
	stp	x0, x1, [sp]
	b	host_trap_entry
	.endm

	.macro	bad_vector n
	.balign	0x80
	mov	x0, #\n
	b	bad_exception
	.endm

	.balign	0x800
	.global	host_vectors
host_vectors:
	bad_vector 0
	bad_vector 1
	bad_vector 2
	bad_vector 3
	bad_vector 4
	bad_vector 5
	bad_vector 6
	bad_vector 7
	host_vector
	bad_vector 9
	bad_vector 10
	bad_vector 11
	host_vector
	bad_vector 13
	bad_vector 14
	bad_vector 15

host_trap_entry:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	str	x30, [sp, #240]
	mov	x0, sp
	bl	host_trap
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #240]
	add	sp, sp, #256
	eret
	dsb	nsh
	isb

/*
 * u32 guest_run(u64 x[31]): runs the guest until it leaves, and returns why
 * (GUEST_EXIT_*). The stack then holds the callee-saved registers and x.
 */
	.global	guest_run
guest_run:
	sub	sp, sp, #112
	stp	x19, x20, [sp]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	str	x0, [sp, #96]
	ldp	x2, x3, [x0, #16]
	ldp	x4, x5, [x0, #32]
	ldp	x6, x7, [x0, #48]
	ldp	x8, x9, [x0, #64]
	ldp	x10, x11, [x0, #80]
	ldp	x12, x13, [x0, #96]
	ldp	x14, x15, [x0, #112]
	ldp	x16, x17, [x0, #128]
	ldp	x18, x19, [x0, #144]
	ldp	x20, x21, [x0, #160]
	ldp	x22, x23, [x0, #176]
	ldp	x24, x25, [x0, #192]
	ldp	x26, x27, [x0, #208]
	ldp	x28, x29, [x0, #224]
	ldr	x30, [x0, #240]
	ldp	x0, x1, [x0]
	eret
	dsb	nsh
	isb

	.macro	guest_vector why
	.balign	0x80
	stp	x0, x1, [sp, #-16]!
	mov	x1, #\why
	b	guest_left
	.endm

	.balign	0x800
	.global	guest_vectors
guest_vectors:
	bad_vector 0
	bad_vector 1
	bad_vector 2
	bad_vector 3
	bad_vector 4
	bad_vector 5
	bad_vector 6
	bad_vector 7
	guest_vector GUEST_EXIT_SYNC
	guest_vector GUEST_EXIT_IRQ
	bad_vector 10
	bad_vector 11
	guest_vector GUEST_EXIT_SYNC
	guest_vector GUEST_EXIT_IRQ
	bad_vector 14
	bad_vector 15

guest_left:
	ldr	x0, [sp, #16 + 96]
	stp	x2, x3, [x0, #16]
	stp	x4, x5, [x0, #32]
	stp	x6, x7, [x0, #48]
	stp	x8, x9, [x0, #64]
	stp	x10, x11, [x0, #80]
	stp	x12, x13, [x0, #96]
	stp	x14, x15, [x0, #112]
	stp	x16, x17, [x0, #128]
	stp	x18, x19, [x0, #144]
	stp	x20, x21, [x0, #160]
	stp	x22, x23, [x0, #176]
	stp	x24, x25, [x0, #192]
	stp	x26, x27, [x0, #208]
	stp	x28, x29, [x0, #224]
	str	x30, [x0, #240]
	ldp	x2, x3, [sp], #16
	stp	x2, x3, [x0]
	mov	x0, x1
	ldp	x19, x20, [sp]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	add	sp, sp, #112
	ret

	.arch_extension fp
	.arch_extension simd
/* void fp_save(struct fp_state *fp), void fp_load(const struct fp_state *fp) */
	.macro	fp_all op
	\op	q0, q1, [x0]
	\op	q2, q3, [x0, #32]
	\op	q4, q5, [x0, #64]
	\op	q6, q7, [x0, #96]
	\op	q8, q9, [x0, #128]
	\op	q10, q11, [x0, #160]
	\op	q12, q13, [x0, #192]
	\op	q14, q15, [x0, #224]
	\op	q16, q17, [x0, #256]
	\op	q18, q19, [x0, #288]
	\op	q20, q21, [x0, #320]
	\op	q22, q23, [x0, #352]
	\op	q24, q25, [x0, #384]
	\op	q26, q27, [x0, #416]
	\op	q28, q29, [x0, #448]
	\op	q30, q31, [x0, #480]
	.endm

	.global	fp_save
fp_save:
	fp_all	stp
	mrs	x1, fpcr
	mrs	x2, fpsr
	add	x0, x0, #512
	stp	x1, x2, [x0]
	ret

	.global	fp_load
fp_load:
	fp_all	ldp
	add	x0, x0, #512
	ldp	x1, x2, [x0]
	msr	fpcr, x1
	msr	fpsr, x2
	ret

	.data
	.balign	4096
/*
 * Level 1 of the hypervisor's own tables. The first GiB of RAM holds the
 * hypervisor and the devicetree; main.c adds the rest once it has read that.
 */
	.global	hyp_pgd
hyp_pgd:
	.quad	HYP_PGD_DEVICE
	.quad	HYP_RAM_BASE + HYP_PGD_NORMAL
	.fill	510, 8, 0

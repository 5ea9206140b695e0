/* SPDX-License-Identifier: GPL-2.0-only */
/* Entry of every payload, at offset 0 of the image: x0 = devicetree */

	.section .head, "ax"
	.global	_start
_start:
	adrp	x1, stack_end
	add	x1, x1, :lo12:stack_end
	mov	sp, x1
	bl	guest_main
	movz	w0, #0x8400, lsl #16		/* PSCI_SYSTEM_OFF */
	movk	w0, #0x0008
	hvc	#0
1:	b	1b

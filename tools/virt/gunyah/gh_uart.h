/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A 16550A whose text goes to the terminal at once, at any speed. There is no
 * modem at its other end that ever goes away.
 */
#ifndef _GH_UART_H
#define _GH_UART_H

#include <stdbool.h>

#include "gh_input.h"
#include "gh_mmio.h"

#define GH_UART_SIZE	0x1000

struct gh_uart {
	struct gh_mmio mmio;
	struct gh_input input;
	int irq;			/* eventfd: an edge */

	/* Protects what follows; taken before the lock of @input */
	pthread_mutex_t lock;
	uint8_t ier, lcr, mcr, scr, dll, dlm;
	bool fifo;
	bool empty;			/* the interrupt that there is room is due */
	bool line;			/* some interrupt is */
};

void gh_uart_init(struct gh_uart *uart, uint64_t base, int irq);

#endif /* _GH_UART_H */

// SPDX-License-Identifier: GPL-2.0-only
/* The 16550A: see gh_uart.h */
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/serial_reg.h>

#include "gh_term.h"
#include "gh_uart.h"

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/*
 * What was typed before anybody listens waits: a driver that opens the port
 * throws away what it finds, and only then asks for receive interrupts.
 */
static bool readable(struct gh_uart *uart)
{
	return uart->ier & UART_IER_RDI && gh_input_level(&uart->input);
}

/*
 * The driver serves interrupts until there is none left, so an edge is due when
 * there was none before. Called with the lock held, after whatever may matter.
 */
static void update(struct gh_uart *uart)
{
	bool line = readable(uart) || (uart->ier & UART_IER_THRI && uart->empty);

	if (line && !uart->line)
		eventfd_write(uart->irq, 1);
	uart->line = line;
}

static uint8_t identify(struct gh_uart *uart)
{
	uint8_t iir = uart->fifo ? 0xc0 : 0;

	if (readable(uart))
		return iir | UART_IIR_RDI;
	if (uart->ier & UART_IER_THRI && uart->empty) {
		/* To have been told of it once is enough */
		uart->empty = false;
		return iir | UART_IIR_THRI;
	}
	return iir | UART_IIR_NO_INT;
}

static uint8_t modem_status(const struct gh_uart *uart)
{
	uint8_t mcr = uart->mcr;

	if (!(mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	return (mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0) |
	       (mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
	       (mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
	       (mcr & UART_MCR_RTS ? UART_MSR_CTS : 0);
}

static uint8_t read_reg(struct gh_uart *uart, uint64_t reg)
{
	bool dlab = uart->lcr & UART_LCR_DLAB;
	uint8_t c = 0;

	switch (reg) {
	case UART_RX:
		if (dlab)
			return uart->dll;
		if (readable(uart))
			gh_input_take(&uart->input, &c, 1);
		return c;
	case UART_IER:
		return dlab ? uart->dlm : uart->ier;
	case UART_IIR:
		return identify(uart);
	case UART_LCR:
		return uart->lcr;
	case UART_MCR:
		return uart->mcr;
	case UART_LSR:
		return UART_LSR_TEMT | UART_LSR_THRE | (readable(uart) ? UART_LSR_DR : 0);
	case UART_MSR:
		return modem_status(uart);
	case UART_SCR:
		return uart->scr;
	}
	return 0;
}

static void write_reg(struct gh_uart *uart, uint64_t reg, uint8_t value)
{
	bool dlab = uart->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_TX:
		if (dlab) {
			uart->dll = value;
			break;
		}
		if (!(uart->mcr & UART_MCR_LOOP))
			gh_term_write(&value, 1);
		uart->empty = true;
		break;
	case UART_IER:
		if (dlab) {
			uart->dlm = value;
			break;
		}
		/* Whoever asks for it is told even if there has been room all the time */
		if (value & UART_IER_THRI && !(uart->ier & UART_IER_THRI))
			uart->empty = true;
		uart->ier = value & 0x0f;
		break;
	case UART_FCR:
		uart->fifo = value & UART_FCR_ENABLE_FIFO;
		break;
	case UART_LCR:
		uart->lcr = value;
		break;
	case UART_MCR:
		uart->mcr = value & 0x1f;
		break;
	case UART_SCR:
		uart->scr = value;
		break;
	}
}

static uint64_t uart_read(struct gh_mmio *dev, uint64_t offset, uint32_t len)
{
	struct gh_uart *uart = container_of(dev, struct gh_uart, mmio);
	uint8_t value;

	(void)len;
	pthread_mutex_lock(&uart->lock);
	value = read_reg(uart, offset);
	update(uart);
	pthread_mutex_unlock(&uart->lock);
	return value;
}

static void uart_write(struct gh_mmio *dev, uint64_t offset, uint32_t len, uint64_t value)
{
	struct gh_uart *uart = container_of(dev, struct gh_uart, mmio);

	(void)len;
	pthread_mutex_lock(&uart->lock);
	write_reg(uart, offset, value);
	update(uart);
	pthread_mutex_unlock(&uart->lock);
}

static void uart_arrived(struct gh_input *input)
{
	struct gh_uart *uart = container_of(input, struct gh_uart, input);

	pthread_mutex_lock(&uart->lock);
	update(uart);
	pthread_mutex_unlock(&uart->lock);
}

void gh_uart_init(struct gh_uart *uart, uint64_t base, int irq)
{
	memset(uart, 0, sizeof(*uart));
	uart->mmio = (struct gh_mmio){
		.base = base,
		.size = GH_UART_SIZE,
		.read = uart_read,
		.write = uart_write,
	};
	uart->irq = irq;
	uart->empty = true;
	pthread_mutex_init(&uart->lock, NULL);
	gh_input_init(&uart->input, uart_arrived);
}

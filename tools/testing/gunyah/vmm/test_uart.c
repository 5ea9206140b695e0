// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of gh_uart: what Linux's 8250 driver looks at. */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/serial_reg.h>

#include "gh_uart.h"
#include "test.h"

#define BASE	0x1000

static struct gh_uart uart;

static void begin(void)
{
	if (uart.irq)
		close(uart.irq);
	gh_uart_init(&uart, BASE, eventfd(0, 0));
	shown(NULL);
}

static uint8_t in(unsigned int reg)
{
	return uart.mmio.read(&uart.mmio, reg, 1);
}

static void out(unsigned int reg, uint8_t value)
{
	uart.mmio.write(&uart.mmio, reg, 1, value);
}

static void type(const char *text)
{
	while (*text)
		gh_input_put(&uart.input, *text++);
	uart.input.arrived(&uart.input);
}

/* The registers by which drivers find out what this is */
static void uart_probe(void)
{
	begin();
	out(UART_IER, 0);
	CHECK_EQ(in(UART_IER), 0);
	out(UART_IER, 0xff);
	CHECK_EQ(in(UART_IER), 0x0f);
	out(UART_IER, 0);
	out(UART_SCR, 0xa5);
	CHECK_EQ(in(UART_SCR), 0xa5);

	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	CHECK_EQ(in(UART_IIR) >> 6, 3);
	out(UART_FCR, 0);
	CHECK_EQ(in(UART_IIR) >> 6, 0);

	CHECK_EQ(in(UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	CHECK_EQ(in(UART_MCR), UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	CHECK_EQ(in(UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1 | UART_MCR_DTR);
	CHECK_EQ(in(UART_MSR) & 0xf0, UART_MSR_RI | UART_MSR_DSR);
}

static void uart_divisor(void)
{
	begin();
	out(UART_IER, UART_IER_RDI);
	out(UART_LCR, UART_LCR_DLAB);
	out(UART_DLL, 0x34);
	out(UART_DLM, 0x12);
	CHECK_EQ(in(UART_DLL), 0x34);
	CHECK_EQ(in(UART_DLM), 0x12);
	out(UART_LCR, UART_LCR_WLEN8);
	CHECK_EQ(in(UART_LCR), UART_LCR_WLEN8);
	CHECK_EQ(in(UART_IER), UART_IER_RDI);
	CHECK(!strcmp(shown(NULL), ""));
}

static void uart_transmit(void)
{
	begin();
	CHECK_EQ(in(UART_LSR), UART_LSR_TEMT | UART_LSR_THRE);
	out(UART_TX, 'h');
	out(UART_TX, 'i');
	CHECK_EQ(in(UART_LSR), UART_LSR_TEMT | UART_LSR_THRE);
	CHECK(!strcmp(shown(NULL), "hi"));
	CHECK_EQ(signals(uart.irq), 0);

	/* What is written while the port is looped back is not for the terminal */
	out(UART_MCR, UART_MCR_LOOP);
	out(UART_TX, 'x');
	CHECK(!strcmp(shown(NULL), ""));
}

/* Whoever turns the interrupt on is told each time, and once for what follows */
static void uart_transmit_interrupt(void)
{
	int i;

	begin();
	for (i = 0; i < 2; i++) {
		out(UART_IER, UART_IER_THRI);
		CHECK_EQ(signals(uart.irq), 1);
		CHECK_EQ(in(UART_IIR), UART_IIR_THRI);
		CHECK_EQ(in(UART_IIR), UART_IIR_NO_INT);
		out(UART_IER, 0);
	}
	out(UART_IER, UART_IER_THRI);
	CHECK_EQ(signals(uart.irq), 1);
	CHECK_EQ(in(UART_IIR), UART_IIR_THRI);
	for (i = 0; i < 16; i++)
		out(UART_TX, 'x');
	CHECK_EQ(signals(uart.irq), 1);
	CHECK_EQ(in(UART_IIR), UART_IIR_THRI);
	CHECK_EQ(in(UART_IIR), UART_IIR_NO_INT);
	CHECK_EQ(signals(uart.irq), 0);
}

static void uart_receive(void)
{
	begin();
	out(UART_IER, UART_IER_RDI);
	CHECK_EQ(signals(uart.irq), 0);
	type("ab");
	CHECK_EQ(signals(uart.irq), 1);
	CHECK_EQ(in(UART_IIR), UART_IIR_RDI);
	CHECK(in(UART_LSR) & UART_LSR_DR);
	CHECK_EQ(in(UART_RX), 'a');
	CHECK_EQ(in(UART_IIR), UART_IIR_RDI);
	CHECK_EQ(in(UART_RX), 'b');
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	CHECK_EQ(in(UART_IIR), UART_IIR_NO_INT);
	CHECK_EQ(in(UART_RX), 0);
	CHECK_EQ(signals(uart.irq), 0);
	/* Only what has been taken makes the next one an edge again */
	type("c");
	CHECK_EQ(signals(uart.irq), 1);
	type("d");
	CHECK_EQ(signals(uart.irq), 0);
}

/* A driver reads away what it finds when it opens the port: there may not be anything */
static void uart_receive_before_open(void)
{
	begin();
	type("early");
	CHECK_EQ(signals(uart.irq), 0);
	CHECK(!(in(UART_LSR) & UART_LSR_DR));
	CHECK_EQ(in(UART_RX), 0);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
	out(UART_IER, UART_IER_RDI);
	CHECK_EQ(signals(uart.irq), 1);
	CHECK_EQ(in(UART_RX), 'e');
	/* The kernel's console turns interrupts off for a moment */
	out(UART_IER, 0);
	out(UART_IER, UART_IER_RDI);
	CHECK_EQ(signals(uart.irq), 1);
	CHECK_EQ(in(UART_RX), 'a');
}

void uart_tests(void)
{
	RUN(uart_probe);
	RUN(uart_divisor);
	RUN(uart_transmit);
	RUN(uart_transmit_interrupt);
	RUN(uart_receive);
	RUN(uart_receive_before_open);
}

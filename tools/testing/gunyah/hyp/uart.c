// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text on the PL011, which the host uses too: a message of ours may land in the
 * middle of a line of the host's. So nothing is printed after the host has
 * started, except a panic and what hyp.verbose asks for.
 *
 * No state and no lock: a panic must get through whoever holds what.
 */
#include <stdarg.h>
#include "hyp.h"

#define UART_BASE	0x09000000UL
#define UART_DR		0x00
#define UART_FR		0x18
#define UART_FR_TXFF	BIT(5)

struct sink {
	char *buf;			/* NULL: the UART */
	size_t size, len;
};

static void put(struct sink *s, char c)
{
	if (s->buf) {
		if (s->len + 1 < s->size)
			s->buf[s->len++] = c;
		return;
	}
	while (mmio_read32(UART_BASE + UART_FR) & UART_FR_TXFF)
		;
	mmio_write32(UART_BASE + UART_DR, c);
}

static void put_number(struct sink *s, u64 v, u32 base, u32 width, char pad)
{
	char digits[20];
	u32 n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	for (; width > n; width--)
		put(s, pad);
	while (n)
		put(s, digits[--n]);
}

/* %s, %u and %x, the latter two with a width, a leading 0 and l */
static void vformat(struct sink *s, const char *fmt, va_list args)
{
	for (; *fmt; fmt++) {
		u32 width = 0;
		char pad = ' ';
		bool l = false;
		u64 v;

		if (*fmt == '\n' && !s->buf)
			put(s, '\r');
		if (*fmt != '%') {
			put(s, *fmt);
			continue;
		}
		if (*++fmt == '0')
			pad = '0';
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + *fmt - '0';
		if (*fmt == 'l') {
			l = true;
			fmt++;
		}
		if (*fmt == 's') {
			for (const char *p = va_arg(args, const char *); *p; p++)
				put(s, *p);
			continue;
		}
		v = l ? va_arg(args, unsigned long) : va_arg(args, unsigned int);
		put_number(s, v, *fmt == 'x' ? 16 : 10, width, pad);
	}
}

void vprint(const char *fmt, va_list args)
{
	struct sink s = { NULL, 0, 0 };

	vformat(&s, fmt, args);
}

void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprint(fmt, args);
	va_end(args);
}

void format(char *buf, size_t size, const char *fmt, ...)
{
	struct sink s = { buf, size, 0 };
	va_list args;

	va_start(args, fmt);
	vformat(&s, fmt, args);
	va_end(args);
	buf[s.len] = 0;
}

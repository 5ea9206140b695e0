// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

static void print_char(char c)
{
	struct gh_console *con = (struct gh_console *)GH_CONSOLE_BASE;
	volatile uint32_t *head = &con->head, *tail = &con->tail;
	volatile uint8_t *text;

	sync_line(con);
	if (con->magic != GH_CONSOLE_MAGIC || con->version != GH_CONSOLE_VERSION)
		return;

	/* Full: wait for the host. head is right in memory, nobody else writes it. */
	do {
		sync_line(tail);
	} while (*head - *tail >= con->size);

	/* The text is there before head says so: sync_line() waits for completion */
	text = &con->text[*head % con->size];
	*text = c;
	sync_line(text);
	*head = *head + 1;
	sync_line(head);
}

void print(const char *s)
{
	while (*s)
		print_char(*s++);
}

void print_dec(uint64_t value)
{
	uint64_t digit = 1;

	while (value / digit >= 10)
		digit *= 10;
	for (; digit; digit /= 10)
		print_char('0' + value / digit % 10);
}

void print_hex(uint64_t value)
{
	int shift = 60;

	print("0x");
	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		print_char("0123456789abcdef"[value >> shift & 15]);
}

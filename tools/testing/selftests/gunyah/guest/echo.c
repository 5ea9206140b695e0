// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads from a device and writes what it has read behind that, in each size in turn. If
 * an access were lost, came twice or got another one's answer, both sides would see it.
 */
#include "guest.h"

void guest_main(uint64_t dtb)
{
	struct test_page *page = test_page();
	uint64_t addr = read_word(&page->addr);
	uint64_t rounds = read_word(&page->size);
	uint64_t pause = read_word(&page->key);
	uint64_t sum = 0, i, n, value;

	(void)dtb;
	for (i = 0; i < rounds && !read_word(&page->stop); i++) {
		value = mmio_read(addr, 1 << (i & 3));
		for (n = 0; n < pause; n++)
			asm volatile("");
		mmio_write(addr + 8, 1 << (i & 3), value);
		sum = test_sum(sum, value);
		write_word(&page->sum, sum);
		write_word(&page->count, i + 1);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* Reads, sums and changes every word of the memory that the test names. */
#include "guest.h"

void guest_main(uint64_t dtb)
{
	struct test_page *page = test_page();
	uint64_t addr = read_word(&page->addr);
	uint64_t size = read_word(&page->size);
	uint64_t key = read_word(&page->key);
	uint64_t *word = (uint64_t *)addr;
	uint64_t *end = (uint64_t *)(addr + size);
	uint64_t sum = 0, value;

	(void)dtb;
	for (; word < end; word++) {
		value = read_word(word);
		sum = test_sum(sum, value);
		write_word(word, value ^ key);
	}
	write_word(&page->sum, sum);
}

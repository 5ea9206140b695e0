// SPDX-License-Identifier: GPL-2.0-only
/* Counts in shared memory until the host says stop. */
#include "guest.h"

void guest_main(uint64_t dtb)
{
	struct test_page *page = test_page();
	uint64_t count = 0;

	(void)dtb;
	while (!read_word(&page->stop))
		write_word(&page->count, ++count);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Counts in shared memory until the host says stop, and tells when it did not run. */
#include "guest.h"

void guest_main(uint64_t dtb)
{
	uint64_t count = 0, longest = 0, last = read_counter(), now;
	struct test_page *page = test_page();

	(void)dtb;
	while (!read_word(&page->stop)) {
		write_word(&page->count, ++count);
		now = read_counter();
		if (now - last > longest) {
			longest = now - last;
			write_word(&page->pause, longest);
		}
		last = now;
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* Tests of gh-vmm's devices and devicetree on the build machine. */
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <poll.h>

#include "gh_term.h"
#include "test.h"

/* Written by threads of devices, too; no more than fits is shown by any test */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char text[0x10000];
static size_t used;

void gh_term_write(const void *data, size_t size)
{
	pthread_mutex_lock(&lock);
	if (size > sizeof(text) - used)
		size = sizeof(text) - used;
	memcpy(text + used, data, size);
	used += size;
	pthread_mutex_unlock(&lock);
}

const char *shown(size_t *size)
{
	static char copy[sizeof(text) + 1];

	pthread_mutex_lock(&lock);
	memcpy(copy, text, used);
	copy[used] = 0;
	if (size)
		*size = used;
	used = 0;
	pthread_mutex_unlock(&lock);
	return copy;
}

uint64_t signals(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	eventfd_t count = 0;

	if (poll(&poll_fd, 1, 0) == 1)
		eventfd_read(fd, &count);
	return count;
}

int main(void)
{
	test_begin();
	uart_tests();
	virtio_tests();
	linux_dtb_tests();
	return test_end();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The tests of gh-vmm's devices, see main.c */
#ifndef _VMM_TEST_H
#define _VMM_TEST_H

#include <stddef.h>

#include "../model/tap.h"

/* Stands in for the terminal: the text that devices showed, and forgets it */
const char *shown(size_t *size);
/* How many times an eventfd was written to since the last call; does not wait */
uint64_t signals(int fd);

void uart_tests(void);
void virtio_tests(void);
void linux_dtb_tests(void);

#endif /* _VMM_TEST_H */

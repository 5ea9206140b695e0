/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devicetree of a guest that is Linux, and with it what gh-vmm and the guest
 * have to agree on.
 */
#ifndef _GH_LINUX_DTB_H
#define _GH_LINUX_DTB_H

#include <stddef.h>
#include <stdint.h>

/* What a guest accesses below 1 GiB, and has no memory there, gets to gh-vmm */
#define GH_LINUX_UART_BASE	0x3f8000
#define GH_LINUX_VIRTIO_BASE	0x400000

/* Labels of the vdevices; the doorbells' are the interrupts' numbers, too */
#define GH_LINUX_UART_BELL	4
#define GH_LINUX_VIRTIO_BELL	5
#define GH_LINUX_WINDOW_LABEL	0x11

struct gh_linux_layout {
	const char *cmdline;		/* may be NULL */
	unsigned int cpus;
	uint64_t memory;		/* bytes at GH_GUEST_BASE */
	uint64_t initrd, initrd_end;	/* guest addresses, both 0 if there is none */
	uint64_t window, window_size;	/* memory that is shared */
};

/* Returns 0, or -ENOSPC if @size bytes do not suffice */
int gh_linux_dtb(void *dtb, size_t size, const struct gh_linux_layout *layout);

#endif /* _GH_LINUX_DTB_H */

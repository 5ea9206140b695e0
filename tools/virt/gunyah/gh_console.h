/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The console of a guest: a ring buffer in memory that guest and VMM share.
 *
 * The VMM lays it out before the guest starts, from then on each side writes
 * only what the table below gives it. Lines of a cache are never written by
 * both sides: a guest that runs with its caches off cleans and invalidates a
 * line before it reads it and after it wrote it, and loses nothing by that.
 *
 *	offset		written by	what
 *	0		VMM, once	magic, version, size
 *	64		guest		head
 *	128		VMM		tail
 *	4096		guest		size bytes of text
 *
 * head and tail count bytes and wrap at 2^32, byte n of the text is at n modulo
 * size. The guest writes text and then head, the VMM reads the text and then
 * writes tail, and a guest that finds head - tail == size waits.
 *
 * The VMM believes nothing that it finds here: size and tail are its own
 * copies, and a head that cannot be costs the guest its text and nobody else
 * anything.
 */
#ifndef _GH_CONSOLE_H
#define _GH_CONSOLE_H

/* The vdevice of type "shm", and the memory region, that hold the console */
#define GH_CONSOLE_LABEL	0x10
#define GH_CONSOLE_BASE		0x70000000

#define GH_CONSOLE_MAGIC	0x4e434847	/* "GHCN" */
#define GH_CONSOLE_VERSION	1

#define GH_CONSOLE_HEADER_SIZE	0x1000
#define GH_CONSOLE_RING_SIZE	0x2000		/* a power of two */
#define GH_CONSOLE_SIZE		(GH_CONSOLE_HEADER_SIZE + GH_CONSOLE_RING_SIZE)

#ifndef __ASSEMBLY__
#include <stdint.h>

struct gh_console {
	uint32_t magic;
	uint32_t version;
	uint32_t size;
	uint32_t reserved0[13];
	uint32_t head;
	uint32_t reserved1[15];
	uint32_t tail;
	uint32_t reserved2[GH_CONSOLE_HEADER_SIZE / 4 - 33];
	uint8_t text[];
};

_Static_assert(__builtin_offsetof(struct gh_console, head) == 64, "head has its own line");
_Static_assert(__builtin_offsetof(struct gh_console, tail) == 128, "tail has its own line");
_Static_assert(__builtin_offsetof(struct gh_console, text) == GH_CONSOLE_HEADER_SIZE,
	       "text follows the header");
#endif

#endif /* _GH_CONSOLE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was typed for one of the guest's consoles: from the thread that reads the
 * terminal (gh_term.c) to the device that hands it to the guest.
 */
#ifndef _GH_INPUT_H
#define _GH_INPUT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define GH_INPUT_SIZE	4096

/* What was typed and a console has not taken yet */
struct gh_input {
	pthread_mutex_t lock;
	pthread_cond_t room;
	uint8_t text[GH_INPUT_SIZE];
	size_t head, tail;		/* bytes in and out, under lock */
	/* Tells the device that there is something */
	void (*arrived)(struct gh_input *input);
};

void gh_input_init(struct gh_input *input, void (*arrived)(struct gh_input *input));
/* Bytes that gh_input_take() would find */
size_t gh_input_level(struct gh_input *input);
/* Takes up to @size bytes. Returns how many. */
size_t gh_input_take(struct gh_input *input, void *text, size_t size);
/* Adds a byte. Waits while the guest is behind: what comes from a pipe may not get lost. */
void gh_input_put(struct gh_input *input, uint8_t c);

#endif /* _GH_INPUT_H */

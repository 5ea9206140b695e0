/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal: text of the guest's consoles goes to standard output, standard
 * input to one of the consoles. Ctrl-A, and then
 *
 *	x	leaves gh-vmm and stops the guest
 *	c	input goes to the other console from here on
 *	Ctrl-A	sends one Ctrl-A
 */
#ifndef _GH_TERM_H
#define _GH_TERM_H

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

/*
 * Starts to read standard input, which is a terminal in raw mode until
 * gh_term_end() or the end of the process, if it is one. Returns a file
 * descriptor that is readable when the user wants to leave, or -errno.
 */
int gh_term_begin(struct gh_input *const *consoles, unsigned int n_consoles);
void gh_term_end(void);
/* Shows text of a console. A reader that went away does not stop the guest. */
void gh_term_write(const void *text, size_t size);

#endif /* _GH_TERM_H */

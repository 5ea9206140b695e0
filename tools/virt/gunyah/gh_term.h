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

#include <stddef.h>

#include "gh_input.h"

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

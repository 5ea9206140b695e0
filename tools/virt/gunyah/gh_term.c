// SPDX-License-Identifier: GPL-2.0-only
/* The terminal: see gh_term.h */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include "gh_term.h"

#define ESCAPE	1		/* Ctrl-A */

/* Protects the end of the last line */
static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER;
static bool in_line;

/* Written before the thread that reads input starts, and not after */
static struct gh_input *const *consoles;
static unsigned int n_consoles;
static int leave = -1;

static struct termios cooked;
static bool raw;

static void *read_input(void *unused)
{
	unsigned int console = 0;
	bool escaped = false;
	uint8_t text[256];
	ssize_t n, i;

	(void)unused;
	while ((n = read(STDIN_FILENO, text, sizeof(text))) > 0 || (n < 0 && errno == EINTR)) {
		for (i = 0; i < n; i++) {
			if (text[i] == ESCAPE && !escaped) {
				escaped = true;
				continue;
			}
			if (escaped && text[i] == 'x') {
				eventfd_write(leave, 1);
				return NULL;
			}
			if (escaped && text[i] == 'c') {
				consoles[console]->arrived(consoles[console]);
				console = (console + 1) % n_consoles;
			} else if (!escaped || text[i] == ESCAPE) {
				gh_input_put(consoles[console], text[i]);
			}
			escaped = false;
		}
		if (n > 0)
			consoles[console]->arrived(consoles[console]);
	}
	return NULL;
}

int gh_term_begin(struct gh_input *const *inputs, unsigned int n)
{
	struct termios term;
	pthread_t thread;
	int err;

	leave = eventfd(0, EFD_CLOEXEC);
	if (leave < 0)
		return -errno;
	if (!tcgetattr(STDIN_FILENO, &cooked)) {
		term = cooked;
		cfmakeraw(&term);
		raw = !tcsetattr(STDIN_FILENO, TCSANOW, &term);
		atexit(gh_term_end);
	}

	consoles = inputs;
	n_consoles = n;
	err = pthread_create(&thread, NULL, read_input, NULL);
	if (err)
		return -err;
	/* It may be waiting for input when everything else has ended */
	pthread_detach(thread);
	return leave;
}

void gh_term_end(void)
{
	if (in_line)
		gh_term_write(raw ? "\r\n" : "\n", raw ? 2 : 1);
	if (raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &cooked);
	raw = false;
}

void gh_term_write(const void *text, size_t size)
{
	const char *p = text;
	ssize_t n;

	if (!size)
		return;
	pthread_mutex_lock(&output_lock);
	in_line = p[size - 1] != '\n';
	while (size) {
		n = write(STDOUT_FILENO, p, size);
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0) {
			p += n;
			size -= n;
		}
	}
	pthread_mutex_unlock(&output_lock);
}

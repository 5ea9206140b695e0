// SPDX-License-Identifier: GPL-2.0-only
/* The terminal: see gh_term.h */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
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

void gh_input_init(struct gh_input *input, void (*arrived)(struct gh_input *input))
{
	memset(input, 0, sizeof(*input));
	pthread_mutex_init(&input->lock, NULL);
	pthread_cond_init(&input->room, NULL);
	input->arrived = arrived;
}

size_t gh_input_level(struct gh_input *input)
{
	size_t level;

	pthread_mutex_lock(&input->lock);
	level = input->head - input->tail;
	pthread_mutex_unlock(&input->lock);
	return level;
}

size_t gh_input_take(struct gh_input *input, void *text, size_t size)
{
	uint8_t *p = text;
	size_t i;

	pthread_mutex_lock(&input->lock);
	if (size > input->head - input->tail)
		size = input->head - input->tail;
	for (i = 0; i < size; i++)
		p[i] = input->text[input->tail++ % GH_INPUT_SIZE];
	pthread_cond_signal(&input->room);
	pthread_mutex_unlock(&input->lock);
	return size;
}

/* Waits while the guest is behind: what comes from a pipe may not get lost */
static void put(struct gh_input *input, uint8_t c)
{
	pthread_mutex_lock(&input->lock);
	while (input->head - input->tail == GH_INPUT_SIZE)
		pthread_cond_wait(&input->room, &input->lock);
	input->text[input->head++ % GH_INPUT_SIZE] = c;
	pthread_mutex_unlock(&input->lock);
}

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
				put(consoles[console], text[i]);
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

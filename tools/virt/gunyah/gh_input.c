// SPDX-License-Identifier: GPL-2.0-only
/* What was typed: see gh_input.h */
#include <string.h>

#include "gh_input.h"

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

void gh_input_put(struct gh_input *input, uint8_t c)
{
	pthread_mutex_lock(&input->lock);
	while (input->head - input->tail == GH_INPUT_SIZE)
		pthread_cond_wait(&input->room, &input->lock);
	input->text[input->head++ % GH_INPUT_SIZE] = c;
	pthread_mutex_unlock(&input->lock);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* A fuzzer's input as a script: read byte by byte, and 0 once it has ended */
#ifndef _FUZZ_INPUT_H
#define _FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_CHECK(cond)							\
	do {									\
		if (!(cond)) {							\
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond); \
			abort();						\
		}								\
	} while (0)

struct input {
	const uint8_t *p;
	size_t left;
};

static inline uint8_t in8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static inline uint16_t in16(struct input *in)
{
	uint16_t low = in8(in);

	return low | in8(in) << 8;
}

static inline uint32_t in32(struct input *in)
{
	uint32_t low = in16(in);

	return low | (uint32_t)in16(in) << 16;
}

static inline void in_bytes(struct input *in, void *p, size_t n)
{
	uint8_t *b = p;

	while (n--)
		*b++ = in8(in);
}

/* Memory of exactly this size, so that the sanitizer sees who leaves it */
static inline void *exact(size_t size)
{
	void *p = malloc(size);

	FUZZ_CHECK(p || !size);
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* _FUZZ_INPUT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests on the build machine: a test is a function; it has failed if one of its
 * checks has. Output is TAP.
 */
#ifndef _MODEL_TAP_H
#define _MODEL_TAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Before the first test */
void test_begin(void);
/* After the last one; returns the exit status */
int test_end(void);
void test_run(const char *name, void (*test)(void));
bool test_check(bool ok, const char *what, const char *file, int line);

#define RUN(test)	test_run(#test, test)
#define CHECK(cond)	test_check(cond, #cond, __FILE__, __LINE__)
/* For values: says what came instead */
#define CHECK_EQ(got, want)								\
	do {										\
		unsigned long long got_ = (got), want_ = (want);			\
											\
		if (!test_check(got_ == want_, #got " == " #want, __FILE__, __LINE__))	\
			printf("#   %#llx instead of %#llx\n", got_, want_);		\
	} while (0)

#endif /* _MODEL_TAP_H */

// SPDX-License-Identifier: GPL-2.0-only
/* Tests on the build machine, see tap.h. One thread runs them. */
#include <stdlib.h>

#include "tap.h"

static unsigned int tests, failed;
static bool ok;

bool test_check(bool cond, const char *what, const char *file, int line)
{
	if (!cond) {
		printf("# %s:%d: not true: %s\n", file, line, what);
		ok = false;
	}
	return cond;
}

void test_run(const char *name, void (*test)(void))
{
	ok = true;
	test();
	tests++;
	failed += !ok;
	printf("%s %u - %s\n", ok ? "ok" : "not ok", tests, name);
}

void test_begin(void)
{
	/* A sanitizer's report must come after what was printed before it. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
}

int test_end(void)
{
	printf("1..%u\n", tests);
	printf("# %u passed, %u failed\n", tests - failed, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the resource manager model on the build machine.
 *
 * usage: model-test DTS-DIRECTORY SCRATCH-DIRECTORY TRACE...
 */
#include <stdlib.h>

#include "test.h"

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

int main(int argc, char **argv)
{
	int i;

	if (argc < 4) {
		fprintf(stderr, "usage: %s DTS-DIRECTORY SCRATCH-DIRECTORY TRACE...\n", argv[0]);
		return EXIT_FAILURE;
	}
	/* A sanitizer's report must come after what was printed before it. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
	rm_model_tests();
	rm_dtb_tests(argv[1], argv[2]);
	for (i = 3; i < argc; i++)
		replay(argv[i]);
	printf("1..%u\n", tests);
	printf("# %u passed, %u failed\n", tests - failed, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

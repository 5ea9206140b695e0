// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the resource manager model on the build machine.
 *
 * usage: model-test DTS-DIRECTORY SCRATCH-DIRECTORY TRACE...
 */
#include <stdlib.h>

#include "test.h"

int main(int argc, char **argv)
{
	int i;

	if (argc < 4) {
		fprintf(stderr, "usage: %s DTS-DIRECTORY SCRATCH-DIRECTORY TRACE...\n", argv[0]);
		return EXIT_FAILURE;
	}
	test_begin();
	rm_model_tests();
	rm_dtb_tests(argv[1], argv[2]);
	for (i = 3; i < argc; i++)
		replay(argv[i]);
	return test_end();
}

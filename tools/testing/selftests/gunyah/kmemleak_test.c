// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests before this one made the kernel forget. To be run last, on a
 * kernel with kmemleak; without it there is nothing to see.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../kselftest_harness.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/*
 * kmemleak does not report what is younger than 5 s: it may be on its way from one
 * place to another. So this has to wait for time to pass, there is no event.
 */
#define MIN_AGE		6

static int scan(void)
{
	int fd, ret;

	fd = open(KMEMLEAK, O_WRONLY);
	if (fd < 0)
		return -errno;
	ret = write(fd, "scan", 4) == 4 ? 0 : -errno;
	close(fd);
	return ret;
}

FIXTURE(kmemleak) {
};

FIXTURE_SETUP(kmemleak)
{
}

FIXTURE_TEARDOWN(kmemleak)
{
}

/* Looking through all memory is slow, and slower with such a kernel */
TEST_F_TIMEOUT(kmemleak, nothing_forgotten, 300)
{
	char text[4096];
	ssize_t len;
	char *line;
	int fd, i;

	if (access(KMEMLEAK, W_OK))
		SKIP(return, "no kmemleak");

	/* The first one sees what is young, the others whether it is still there. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, scan());
		if (!i)
			sleep(MIN_AGE);
	}

	fd = open(KMEMLEAK, O_RDONLY);
	ASSERT_LE(0, fd);
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	ASSERT_LE(0, len);
	text[len] = '\0';

	EXPECT_EQ(0, len);
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		TH_LOG("%s", line);
}

TEST_HARNESS_MAIN

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of the tests. Each test starts with /dev/gunyah open and has to
 * leave the host as it found it: the teardown gives back what the test did not,
 * and compares.
 */
#ifndef _GUNYAH_TEST_H
#define _GUNYAH_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gunyah_lib.h"
#include "../kselftest_harness.h"

/* Seconds. Nothing takes that long unless it hangs. */
#define TEST_LIMIT	300

/* The host has what it had. What follows says when, in case that it has not. */
#define EXPECT_ALL_BACK(before, fmt, ...)					\
	do {									\
		const char *missing_ = resources_missing(before);		\
										\
		if (missing_)							\
			TH_LOG("not given back " fmt ": %s", ##__VA_ARGS__, missing_);	\
		EXPECT_EQ(NULL, missing_);					\
	} while (0)

FIXTURE(gunyah) {
	int dev;
	struct guest guest;
	struct guest other;
	struct resources before;
	int call_timeout;
};

FIXTURE_SETUP(gunyah)
{
	self->dev = gh_open();
	if (self->dev == -ENOENT)
		SKIP(return, "no /dev/gunyah");
	ASSERT_LE(0, self->dev);
	fault_clear();
	call_rules_clear();
	self->call_timeout = get_call_timeout();
	resources_read(&self->before);
}

FIXTURE_TEARDOWN(gunyah)
{
	fault_clear();
	call_rules_clear();
	if (self->call_timeout > 0)
		set_call_timeout(self->call_timeout);
	guest_free(&self->guest);
	guest_free(&self->other);
	EXPECT_ALL_BACK(&self->before, "at the end");
	close(self->dev);
}

#define GUNYAH_TEST(name)	TEST_F_TIMEOUT(gunyah, name, TEST_LIMIT)

#define SKIP_WITHOUT_CONTROL()							\
	do {									\
		if (!ctl_present())						\
			SKIP(return, "needs the test hypervisor's control page");	\
	} while (0)

#endif /* _GUNYAH_TEST_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users of a resource manager that is silent. It is the test hypervisor that can be
 * told to be one; everywhere else this skips. What becomes of each fault at each call
 * is in fault_table_test.
 */
#include <sys/syscall.h>

#include "gunyah_test.h"

/* A deadline that can be waited for */
#define SHORT_MS	500

/* After a fault: with the usual deadline the next guest works, and all is back */
static void recovers(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self)
{
	struct gh_vm_exit_info info;

	fault_clear();
	set_call_timeout(self->call_timeout);
	EXPECT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info));
	EXPECT_ALL_BACK(&self->before, "after the next guest");
}

/* From VM_START on nothing is answered any more: memory stays gone, and is accounted for */
GUNYAH_TEST(silence)
{
	static const uint32_t calls[] = {
		RM_VM_START, RM_VM_STOP, RM_VM_RESET, RM_VM_GET_STATE, RM_VM_DEALLOCATE,
		RM_MEM_RECLAIM,
	};
	struct guest *g = &self->guest;
	const long pages = IMAGE_SIZE / page_size();
	size_t i;

	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		ASSERT_TRUE(fault_add(calls[i], GH_LAB_FAULT_IGNORE, 0, 0, FAULT_ALWAYS));

	EXPECT_EQ(-ETIMEDOUT, guest_run(g, self->dev, "hello", 0));
	EXPECT_EQ(-ETIMEDOUT, gh_start(g->vm));
	EXPECT_STREQ("failed", fdinfo(g->vm, "state"));
	EXPECT_LE(IMAGE_SIZE / 1024, atol(fdinfo(g->vm, "quarantined_kb")));
	EXPECT_FALSE(can_read(g->image.addr));

	guest_close(g);
	EXPECT_LE(pages, quarantine_pages());
	EXPECT_FALSE(can_read(g->image.addr));
	/* Nor does the host use the pages for something else */
	gh_mem_free(&g->image);
	EXPECT_LE(pages, quarantine_pages());

	/* It speaks again, and the next guest that works shows it */
	guest_free(g);
	recovers(_metadata, self);
	EXPECT_EQ(0, quarantine_pages());
}

/* A guest that runs cannot be stopped, and goes on with its memory */
GUNYAH_TEST(unstoppable)
{
	struct guest *g = &self->guest;

	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	ASSERT_TRUE(fault_add(RM_VM_STOP, GH_LAB_FAULT_IGNORE, 0, 0, FAULT_ALWAYS));
	guest_close(g);
	EXPECT_LT(0, quarantine_pages());
	EXPECT_FALSE(can_read(g->image.addr));
	EXPECT_EQ(1, ctl_read(GH_LAB_CTL_GUESTS) - self->before.guests);

	guest_free(g);
	recovers(_metadata, self);
}

/* Holds the answer to @msg back until rules are cleared, or all waits have failed */
static void hold(struct __test_metadata *_metadata, uint32_t msg)
{
	ASSERT_EQ(0, set_call_timeout(2 * EVENT_MS));
	ASSERT_TRUE(fault_add(msg, GH_LAB_FAULT_DELAY, 2 * EVENT_MS, 0, 1));
}

/* Waits for a process that has to end before the call does. Returns its status. */
static int ends_alone(struct __test_metadata *_metadata, pid_t pid)
{
	uint64_t end = now_ms() + EVENT_MS;
	pid_t ended;
	int status;

	do {
		ended = waitpid(pid, &status, WNOHANG);
		if (!ended)
			sleep_ms(10);
	} while (!ended && now_ms() < end);
	EXPECT_EQ(pid, ended) {
		TH_LOG("the process waits for an answer");
		waitpid(pid, &status, 0);
	}
	return status;
}

/*
 * A process that waits for an answer in the system call @nr can be killed, and does
 * not linger
 */
static void killed_while(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self,
			 uint32_t msg, long nr)
{
	struct guest *g = &self->guest;
	uint64_t end;
	int status;
	pid_t pid;

	hold(_metadata, msg);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		status = guest_run(g, self->dev, "spin", 0);
		guest_free(g);
		_exit(status ? 1 : 0);
	}

	end = now_ms() + EVENT_MS;
	while (!ctl_read(GH_LAB_CTL_FAULT_HITS) && now_ms() < end)
		sleep_ms(10);
	EXPECT_EQ(1, ctl_read(GH_LAB_CTL_FAULT_HITS));
	EXPECT_TRUE(asleep_in(pid, nr));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_TRUE(WIFSIGNALED(ends_alone(_metadata, pid)));

	/* The kernel goes on without the process until everything is back */
	recovers(_metadata, self);
}

GUNYAH_TEST(killed_in_start)
{
	SKIP_WITHOUT_CONTROL();
	killed_while(_metadata, self, RM_VM_START, SYS_ioctl);
}

GUNYAH_TEST(killed_in_close)
{
	SKIP_WITHOUT_CONTROL();
	killed_while(_metadata, self, RM_VM_STOP, SYS_close);
}

/* Nor does one linger that leaves it to its exit to close the VM: no signal reaches it */
GUNYAH_TEST(exit_in_silence)
{
	struct guest *g = &self->guest;
	pid_t pid;

	SKIP_WITHOUT_CONTROL();
	hold(_metadata, RM_VM_STOP);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(guest_run(g, self->dev, "spin", 0) ? 1 : 0);
	EXPECT_EQ(0, ends_alone(_metadata, pid));
	EXPECT_EQ(1, ctl_read(GH_LAB_CTL_FAULT_HITS));
	EXPECT_EQ(self->before.vmids + 1, ctl_read(GH_LAB_CTL_VMIDS));
	recovers(_metadata, self);
}

/* Nothing tells that the guest has ended. Closing it works all the same. */
GUNYAH_TEST(end_unnoticed)
{
	struct guest *g = &self->guest;
	uint64_t end = now_ms() + EVENT_MS;

	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	ASSERT_TRUE(fault_add(RM_VM_EXITED, GH_LAB_FAULT_DROP, 0, 0, 1));
	ASSERT_TRUE(fault_add(RM_VM_STATUS, GH_LAB_FAULT_DROP, 0, 3, 1));
	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	g->page->stop = 1;
	while (ctl_read(GH_LAB_CTL_FAULT_HITS) < 2 && now_ms() < end)
		sleep_ms(10);
	EXPECT_EQ(0, vm_events(g->vm) & POLLHUP);
	guest_free(g);
	recovers(_metadata, self);
}

TEST_HARNESS_MAIN

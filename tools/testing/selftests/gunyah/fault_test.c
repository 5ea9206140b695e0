// SPDX-License-Identifier: GPL-2.0-only
/*
 * A resource manager that refuses, is late, is silent or talks nonsense. It is the
 * test hypervisor that can be told to be one; everywhere else this skips.
 *
 * Left out is the one thing that nobody can mend: memory that was lent, or a VMID
 * that was given out, in a call that is never answered. It stays out of use, as it
 * must, and the modules in use, and the tests after this one would suffer for it.
 */
#include "gunyah_test.h"

/* A deadline that can be waited for, and a delay that exceeds it */
#define SHORT_MS	500
#define LATE_MS		1500

/* Says what a rule of the test did, if an expectation fails */
#define FAULT	"message %08x, action %u, argument %u"

/* A guest from start to close while a rule is in force. Returns what START did. */
static int run_guest(FIXTURE_DATA(gunyah) *self, const char *payload)
{
	struct guest *g = &self->guest;
	int err, ret;

	err = guest_run(g, self->dev, payload, 0);
	if (!err) {
		ret = guest_wait(g);
		if (ret)
			err = ret;
	}
	guest_free(g);
	return err;
}

/* After a fault: with the usual deadline the next guest works, and all is back */
static void recovers(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self,
		     uint32_t msg, uint32_t action, uint32_t arg)
{
	struct gh_vm_exit_info info;

	fault_clear();
	set_call_timeout(self->call_timeout);
	EXPECT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info)) {
		TH_LOG("guest after " FAULT, msg, action, arg);
	}
	EXPECT_ALL_BACK(&self->before, "after " FAULT, msg, action, arg);
}

/* The calls of a start, in their order */
static const struct {
	uint32_t msg;
	uint32_t skip;
} start_calls[] = {
	{ RM_VM_ALLOCATE, 0 },
	{ RM_MEM_LEND, 0 },
	{ RM_MEM_SHARE, 0 },
	{ RM_MEM_SHARE, 1 },
	{ RM_VM_CONFIG_IMAGE, 0 },
	{ RM_VM_INIT, 0 },
	{ RM_VM_START, 0 },
};

static const struct {
	uint32_t rm_error;
	int err;
} errors[] = {
	{ 1, -ENOMEM },			/* NOMEM */
	{ 2, -ENODEV },			/* NORESOURCE */
	{ 3, -EPERM },			/* DENIED */
	{ 4, -EINVAL },			/* MSG_INVALID */
	{ 5, -EBUSY },			/* BUSY */
	{ 6, -EINVAL },			/* ARGUMENT_INVALID */
	{ 0xa, -EINVAL },		/* MEM_INVALID */
	{ 0x12, -EBUSY },		/* IN_USE */
	{ 0x14, -EBADFD },		/* VM_STATE */
	{ 0xffffffff, -EOPNOTSUPP },	/* UNIMPLEMENTED */
	{ 0x777, -EBADMSG },		/* no such code */
};

GUNYAH_TEST(start_refused)
{
	struct guest *g = &self->guest;
	size_t i, j;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(start_calls); i++) {
		for (j = 0; j < ARRAY_SIZE(errors); j++) {
			uint32_t msg = start_calls[i].msg, code = errors[j].rm_error;

			ASSERT_TRUE(fault_add(msg, GH_LAB_FAULT_REFUSE, code,
					      start_calls[i].skip, 1));
			EXPECT_EQ(errors[j].err, guest_run(g, self->dev, "hello", 0)) {
				TH_LOG("message %08x, code %x", msg, code);
			}
			EXPECT_EQ(1, ctl_read(GH_LAB_CTL_FAULT_HITS));
			EXPECT_EQ(errors[j].err, gh_start(g->vm));
			EXPECT_STREQ("failed", fdinfo(g->vm, "state"));
			EXPECT_EQ(POLLHUP, vm_events(g->vm) & POLLHUP);
			/* Undone before START returned */
			EXPECT_EQ(0, atol(fdinfo(g->vm, "quarantined_kb")));
			EXPECT_TRUE(can_write(g->image.addr + page_size()));
			guest_free(g);
			fault_clear();
			EXPECT_ALL_BACK(&self->before, "after message %08x, code %x", msg, code);
		}
	}
}

/* No answer at all to one call: START tells so, and is undone all the same */
GUNYAH_TEST(start_unanswered)
{
	static const uint32_t calls[] = {
		RM_VM_ALLOCATE, RM_VM_CONFIG_IMAGE, RM_VM_INIT, RM_VM_START,
	};
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ASSERT_EQ(0, set_call_timeout(SHORT_MS));
		ASSERT_TRUE(fault_add(calls[i], GH_LAB_FAULT_IGNORE, 0, 0, 1));
		EXPECT_EQ(-ETIMEDOUT, run_guest(self, "hello")) {
			TH_LOG("message %08x", calls[i]);
		}
		recovers(_metadata, self, calls[i], GH_LAB_FAULT_IGNORE, 0);
	}
}

/* Carried out, but the answer is lost */
GUNYAH_TEST(start_answer_lost)
{
	static const uint32_t calls[] = { RM_VM_CONFIG_IMAGE, RM_VM_INIT, RM_VM_START };
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ASSERT_EQ(0, set_call_timeout(SHORT_MS));
		ASSERT_TRUE(fault_add(calls[i], GH_LAB_FAULT_NO_REPLY, 0, 0, 1));
		EXPECT_EQ(-ETIMEDOUT, run_guest(self, "spin")) {
			TH_LOG("message %08x", calls[i]);
		}
		recovers(_metadata, self, calls[i], GH_LAB_FAULT_NO_REPLY, 0);
	}
}

/* The answer comes after START has failed for want of it: what it brings is given back */
GUNYAH_TEST(start_answer_late)
{
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(start_calls); i++) {
		uint32_t msg = start_calls[i].msg;

		ASSERT_EQ(0, set_call_timeout(SHORT_MS));
		ASSERT_TRUE(fault_add(msg, GH_LAB_FAULT_DELAY, LATE_MS, start_calls[i].skip, 1));
		EXPECT_EQ(-ETIMEDOUT, run_guest(self, "hello")) {
			TH_LOG("message %08x", msg);
		}
		EXPECT_EQ(1, ctl_read(GH_LAB_CTL_FAULT_HITS));
		/* Nobody tells when it has come */
		sleep_ms(LATE_MS);
		recovers(_metadata, self, msg, GH_LAB_FAULT_DELAY, LATE_MS);
	}
}

/* Answers that come twice, or take their time */
GUNYAH_TEST(start_answer_odd)
{
	static const struct {
		uint32_t action, arg;
	} odd[] = {
		{ GH_LAB_FAULT_DUPLICATE, 0 },
		{ GH_LAB_FAULT_DELAY, 50 },
	};
	size_t i, j;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(start_calls); i++) {
		for (j = 0; j < ARRAY_SIZE(odd); j++) {
			ASSERT_TRUE(fault_add(start_calls[i].msg, odd[j].action, odd[j].arg,
					      start_calls[i].skip, 1));
			EXPECT_EQ(0, run_guest(self, "hello")) {
				TH_LOG(FAULT, start_calls[i].msg, odd[j].action, odd[j].arg);
			}
			recovers(_metadata, self, start_calls[i].msg, odd[j].action, odd[j].arg);
		}
	}
}

/* Answers that are none: for another call, to another message, too short */
GUNYAH_TEST(start_answer_wrong)
{
	static const uint32_t calls[] = { RM_VM_CONFIG_IMAGE, RM_VM_INIT, RM_VM_START };
	static const struct {
		uint32_t action, arg;
	} wrong[] = {
		{ GH_LAB_FAULT_BAD_SEQ, 1 },
		{ GH_LAB_FAULT_BAD_ID, 0x5600007f },
		{ GH_LAB_FAULT_TRUNCATE, 2 },
		{ GH_LAB_FAULT_TRUNCATE, 0 },
	};
	size_t i, j;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (j = 0; j < ARRAY_SIZE(wrong); j++) {
			ASSERT_EQ(0, set_call_timeout(SHORT_MS));
			ASSERT_TRUE(fault_add(calls[i], wrong[j].action, wrong[j].arg, 0, 1));
			EXPECT_GT(0, run_guest(self, "spin")) {
				TH_LOG(FAULT, calls[i], wrong[j].action, wrong[j].arg);
			}
			recovers(_metadata, self, calls[i], wrong[j].action, wrong[j].arg);
		}
	}
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
	recovers(_metadata, self, 0, GH_LAB_FAULT_IGNORE, 0);
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
	recovers(_metadata, self, RM_VM_STOP, GH_LAB_FAULT_IGNORE, 0);
}

/* A process that waits for an answer can be killed, and does not linger */
static void killed_while(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self,
			 uint32_t msg)
{
	struct guest *g = &self->guest;
	pid_t pid, ended;
	uint64_t end;
	int status;

	ASSERT_EQ(0, set_call_timeout(20000));
	ASSERT_TRUE(fault_add(msg, GH_LAB_FAULT_IGNORE, 0, 0, 1));
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
	/* Should it not sleep yet, then less is tested, and this passes all the same */
	sleep_ms(100);
	ASSERT_EQ(0, kill(pid, SIGKILL));

	/* Well below the deadline of the call */
	end = now_ms() + 5000;
	do {
		ended = waitpid(pid, &status, WNOHANG);
		if (!ended)
			sleep_ms(10);
	} while (!ended && now_ms() < end);
	EXPECT_EQ(pid, ended) {
		TH_LOG("still there 5 s after SIGKILL");
		waitpid(pid, &status, 0);
	}
	EXPECT_TRUE(WIFSIGNALED(status));

	/* The kernel goes on without the process until everything is back */
	recovers(_metadata, self, msg, GH_LAB_FAULT_IGNORE, 0);
}

GUNYAH_TEST(killed_in_start)
{
	SKIP_WITHOUT_CONTROL();
	killed_while(_metadata, self, RM_VM_START);
}

GUNYAH_TEST(killed_in_close)
{
	SKIP_WITHOUT_CONTROL();
	killed_while(_metadata, self, RM_VM_STOP);
}

/* The calls of a close */
GUNYAH_TEST(close_faults)
{
	static const struct {
		uint32_t msg, action, arg;
	} faults[] = {
		{ RM_VM_STOP, GH_LAB_FAULT_REFUSE, 5 },
		{ RM_VM_STOP, GH_LAB_FAULT_IGNORE, 0 },
		{ RM_VM_STOP, GH_LAB_FAULT_NO_REPLY, 0 },
		{ RM_VM_STOP, GH_LAB_FAULT_DUPLICATE, 0 },
		{ RM_VM_STOP, GH_LAB_FAULT_DELAY, LATE_MS },
		{ RM_VM_STOP, GH_LAB_FAULT_TRUNCATE, 1 },
		{ RM_VM_RESET, GH_LAB_FAULT_REFUSE, 5 },
		{ RM_VM_RESET, GH_LAB_FAULT_IGNORE, 0 },
		{ RM_VM_RESET, GH_LAB_FAULT_NO_REPLY, 0 },
		{ RM_VM_RESET, GH_LAB_FAULT_DUPLICATE, 0 },
		{ RM_VM_RESET, GH_LAB_FAULT_DELAY, LATE_MS },
		{ RM_MEM_RECLAIM, GH_LAB_FAULT_REFUSE, 0xb },
		{ RM_MEM_RECLAIM, GH_LAB_FAULT_IGNORE, 0 },
		{ RM_MEM_RECLAIM, GH_LAB_FAULT_NO_REPLY, 0 },
		{ RM_MEM_RECLAIM, GH_LAB_FAULT_DUPLICATE, 0 },
		{ RM_MEM_RECLAIM, GH_LAB_FAULT_DELAY, LATE_MS },
		{ RM_VM_DEALLOCATE, GH_LAB_FAULT_NO_REPLY, 0 },
		{ RM_VM_DEALLOCATE, GH_LAB_FAULT_DUPLICATE, 0 },
		{ RM_VM_DEALLOCATE, GH_LAB_FAULT_DELAY, LATE_MS },
	};
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		ASSERT_EQ(0, guest_run(&self->guest, self->dev, "spin", 0));
		ASSERT_EQ(0, set_call_timeout(SHORT_MS));
		ASSERT_TRUE(fault_add(faults[i].msg, faults[i].action, faults[i].arg, 0, 1));
		guest_free(&self->guest);
		EXPECT_EQ(1, ctl_read(GH_LAB_CTL_FAULT_HITS));
		if (faults[i].action == GH_LAB_FAULT_DELAY)
			sleep_ms(LATE_MS);
		recovers(_metadata, self, faults[i].msg, faults[i].action, faults[i].arg);
	}
}

/* Notifications that are lost, doubled, late, out of order, or nonsense */
GUNYAH_TEST(notifications)
{
	const uint16_t off = GH_VM_EXIT_TYPE_PSCI_POWER_OFF, unknown = GH_VM_EXIT_TYPE_UNKNOWN;
	const struct {
		uint32_t msg, action, arg, skip, count;
		uint16_t type;
	} faults[] = {
		{ RM_VM_EXITED, GH_LAB_FAULT_DUPLICATE, 0, 0, 1, off },
		{ RM_VM_EXITED, GH_LAB_FAULT_DELAY, 200, 0, 1, off },
		{ RM_VM_EXITED, GH_LAB_FAULT_DROP, 0, 0, 1, unknown },
		{ RM_VM_EXITED, GH_LAB_FAULT_BAD_VMID, 0x99, 0, 1, unknown },
		{ RM_VM_EXITED, GH_LAB_FAULT_TRUNCATE, 3, 0, 1, unknown },
		{ RM_VM_EXITED, GH_LAB_FAULT_TRUNCATE, 8, 0, 1, unknown },
		/* A size that the message does not have */
		{ RM_VM_EXITED, GH_LAB_FAULT_SET_BYTE, 4 << 8 | 0xff, 0, 1, unknown },
		{ RM_VM_STATUS, GH_LAB_FAULT_DUPLICATE, 0, 0, FAULT_ALWAYS, off },
		{ RM_VM_STATUS, GH_LAB_FAULT_DELAY, 100, 0, FAULT_ALWAYS, off },
		{ RM_VM_STATUS, GH_LAB_FAULT_DROP, 0, 0, FAULT_ALWAYS, off },
		{ RM_VM_STATUS, GH_LAB_FAULT_BAD_VMID, 0x99, 0, FAULT_ALWAYS, off },
		{ RM_VM_STATUS, GH_LAB_FAULT_TRUNCATE, 4, 0, FAULT_ALWAYS, off },
		/* A state that there is not */
		{ RM_VM_STATUS, GH_LAB_FAULT_SET_BYTE, 4 << 8 | 0x63, 0, FAULT_ALWAYS, off },
		/* EXITED: INIT, READY and RUNNING come before */
		{ RM_VM_STATUS, GH_LAB_FAULT_REORDER, 0, 3, 1, off },
	};
	struct gh_vm_exit_info info;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		uint32_t msg = faults[i].msg, action = faults[i].action, arg = faults[i].arg;

		ASSERT_EQ(0, set_call_timeout(SHORT_MS));
		ASSERT_TRUE(fault_add(msg, action, arg, faults[i].skip, faults[i].count));
		memset(&info, 0, sizeof(info));
		EXPECT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info)) {
			TH_LOG(FAULT, msg, action, arg);
		}
		EXPECT_EQ(faults[i].type, info.type) {
			TH_LOG(FAULT, msg, action, arg);
		}
		EXPECT_LT(0, (int)ctl_read(GH_LAB_CTL_FAULT_HITS));
		recovers(_metadata, self, msg, action, arg);
	}
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
	recovers(_metadata, self, RM_VM_EXITED, GH_LAB_FAULT_DROP, 0);
}

TEST_HARNESS_MAIN

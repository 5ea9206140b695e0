// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host sleeps: what it refuses while guests have memory, and guests that are there
 * before and after. Up to the point to which a kernel with CONFIG_PM_DEBUG goes when it
 * is told to test; it stays there for a few seconds, and comes back by itself.
 */
#include <sys/syscall.h>

#include "gunyah_test.h"

#define POWER		"/sys/power/"
/* How long a suspend under test lasts, and when during that time something happens */
#define ASLEEP_S	"4"
#define EVENT_DELAY_MS	2500
#define SHORT_MS	500

static int go_to(const char *state, const char *level)
{
	int err;

	err = write_text(POWER "pm_test", level);
	if (err)
		return err;
	err = write_text(POWER "state", state);
	write_text(POWER "pm_test", "none");
	return err;
}

/* The image is not made, nor anything written */
static int hibernate(void)
{
	return go_to("disk", "freezer");
}

static int suspend(const char *level)
{
	return go_to("freeze", level);
}

/* Can this state be tested? If so a suspend lasts as long as is needed here. */
static bool can_test(const char *state)
{
	char text[64] = "";

	read_text(POWER "state", text, sizeof(text));
	if (!strstr(text, state) || access(POWER "pm_test", W_OK))
		return false;
	write_text("/sys/module/suspend/parameters/pm_test_delay", ASLEEP_S);
	return true;
}

GUNYAH_TEST(no_hibernation_with_guest)
{
	struct guest *g = &self->guest;
	uint32_t faults = ctl_read(GH_LAB_CTL_HOST_FAULTS);

	if (!can_test("disk"))
		SKIP(return, "cannot test hibernation");
	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	EXPECT_EQ(-EBUSY, hibernate());
	EXPECT_EQ(0, guest_wait_count(g, 2));

	/* It has the memory until it is closed */
	g->page->stop = 1;
	EXPECT_EQ(0, guest_wait(g));
	EXPECT_EQ(-EBUSY, hibernate());
	guest_free(g);

	/* Memory that is only pinned is no reason, nor is the next guest's loss */
	ASSERT_EQ(0, guest_alloc(g, "count", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	EXPECT_EQ(0, hibernate());
	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(0, guest_wait_count(g, 2));
	EXPECT_EQ(-EBUSY, hibernate());
	EXPECT_EQ(faults, ctl_read(GH_LAB_CTL_HOST_FAULTS));
}

GUNYAH_TEST(no_hibernation_with_quarantine)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;

	if (!can_test("disk"))
		SKIP(return, "cannot test hibernation");
	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	ASSERT_TRUE(fault_add(RM_VM_STOP, GH_LAB_FAULT_IGNORE, 0, 0, FAULT_ALWAYS));
	guest_free(g);
	EXPECT_LT(0, quarantine_pages());
	EXPECT_EQ(-EBUSY, hibernate());

	fault_clear();
	set_call_timeout(self->call_timeout);
	EXPECT_EQ(0, guest_cycle(g, self->dev, "hello", &info));
	EXPECT_ALL_BACK(&self->before, "after the next guest");
	/* All of the way that needs no disk, with the devices asleep */
	EXPECT_EQ(0, go_to("disk", "devices"));
}

/* A guest that the hypervisor schedules goes on, and one whose vCPU is a thread's after it */
static void sleeps(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self,
		   const char *level)
{
	struct guest *a = &self->guest, *b = &self->other;
	struct gh_vm_exit_info info;
	struct vcpu_thread thread;
	struct guest c;

	if (!can_test("freeze"))
		SKIP(return, "cannot test suspend");
	ASSERT_EQ(0, guest_run(a, self->dev, "count", 0));
	ASSERT_EQ(0, guest_run_vcpus(b, self->dev, "count", 1));
	ASSERT_EQ(0, vcpu_thread_start(&thread, &b->vcpu[0], vcpu_run_to_end));
	EXPECT_EQ(0, guest_wait_count(b, 2));

	EXPECT_EQ(0, suspend(level));

	EXPECT_EQ(0, guest_wait_count(a, 2));
	EXPECT_EQ(0, guest_wait_count(b, 2));
	EXPECT_EQ(0, guest_cycle(&c, self->dev, "hello", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
	b->page->stop = 1;
	EXPECT_EQ(0, vcpu_thread_join(&thread));
	EXPECT_EQ(0, guest_wait(b));
	a->page->stop = 1;
	EXPECT_EQ(0, guest_wait(a));
	EXPECT_EQ(0, gh_exit_info(a->vm, &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

GUNYAH_TEST(suspend_devices)
{
	sleeps(_metadata, self, "devices");
}

/* Interrupts of devices are off */
GUNYAH_TEST(suspend_platform)
{
	sleeps(_metadata, self, "platform");
}

/* The host is asleep when the guest's end is told */
GUNYAH_TEST(told_while_asleep)
{
	static const uint32_t told[] = { RM_VM_STATUS, RM_VM_EXITED };
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;
	uint64_t begin;
	size_t i;

	if (!can_test("freeze"))
		SKIP(return, "cannot test suspend");
	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	EXPECT_EQ(0, guest_wait_count(g, 2));
	for (i = 0; i < ARRAY_SIZE(told); i++)
		ASSERT_TRUE(fault_add(told[i], GH_LAB_FAULT_DELAY, EVENT_DELAY_MS, 0, 1));
	begin = now_ms();
	g->page->stop = 1;
	EXPECT_EQ(0, suspend("platform"));
	/* It was not over before the message came */
	EXPECT_LT(begin + EVENT_DELAY_MS, now_ms());
	EXPECT_EQ(2, ctl_read(GH_LAB_CTL_FAULT_HITS));
	EXPECT_EQ(0, guest_wait(g));
	EXPECT_EQ(0, gh_exit_info(g->vm, &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

TEST_HARNESS_MAIN

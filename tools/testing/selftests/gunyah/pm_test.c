// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host sleeps: what it refuses while guests have memory, and guests that are there
 * before and after. Up to the point to which a kernel with CONFIG_PM_DEBUG goes when it
 * is told to test; it stays there for a few seconds, and comes back by itself. Or truly,
 * until the alarm of an RTC.
 */
#include <sys/syscall.h>
#include <time.h>

#include "gunyah_test.h"

#define POWER		"/sys/power/"
/* How long a suspend under test lasts, and when during that time something happens */
#define ASLEEP_S	"4"
#define EVENT_DELAY_MS	2500
#define SHORT_MS	500

#define RTC		"/sys/class/rtc/rtc0/"
#define RTC_IRQ		"rtc-pl031"
/* An alarm is this much early at most, as an RTC counts whole seconds */
#define ALARM_S		6
#define ASLEEP_MS	((ALARM_S - 1) * 1000)
/* A slow machine takes longer to fall asleep */
#define MAX_ALARM_S	(4 * ALARM_S)

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

/* Two guests that count end, of the second of which a thread runs the vCPU */
static void end_both(struct __test_metadata *_metadata, struct guest *a, struct guest *b,
		     struct vcpu_thread *thread)
{
	struct gh_vm_exit_info info;

	b->page->stop = 1;
	/* Else it does not end */
	ASSERT_EQ(0, vcpu_thread_join(thread));
	EXPECT_EQ(0, guest_wait(b));
	a->page->stop = 1;
	EXPECT_EQ(0, guest_wait(a));
	EXPECT_EQ(0, gh_exit_info(a->vm, &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
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
	end_both(_metadata, a, b, &thread);
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

static long read_number(const char *path)
{
	char text[32] = "";

	return read_text(path, text, sizeof(text)) < 0 ? -1 : atol(text);
}

/* The number of the RTC's interrupt, 0 if there is none */
static long rtc_irq(void)
{
	FILE *f = fopen("/proc/interrupts", "re");
	char line[256];
	long irq = 0;

	while (f && !irq && fgets(line, sizeof(line), f))
		if (strstr(line, RTC_IRQ))
			irq = atol(line);
	if (f)
		fclose(f);
	return irq;
}

static bool can_sleep(void)
{
	char text[64] = "";

	read_text(POWER "state", text, sizeof(text));
	return strstr(text, "freeze") && !access(RTC "wakealarm", W_OK) && rtc_irq() > 0 &&
	       read_number(POWER "suspend_stats/success") >= 0;
}

/*
 * Sleeps until something wakes the host up. The alarm does so at least ASLEEP_MS later.
 * If that went off first, as falling asleep took longer, the kernel does not sleep, as it
 * was told how many such events there had been.
 */
static int sleep_until_alarm(void)
{
	char text[32];
	int err, s;

	for (s = ALARM_S; s <= MAX_ALARM_S; s *= 2) {
		if (read_text(POWER "wakeup_count", text, sizeof(text)) < 0)
			return -EIO;
		err = write_text(POWER "wakeup_count", text);
		if (err)
			return err;
		snprintf(text, sizeof(text), "+%d", s);
		write_text(RTC "wakealarm", "0");
		err = write_text(RTC "wakealarm", text);
		if (err)
			return err;
		err = write_text(POWER "state", "freeze");
		write_text(RTC "wakealarm", "0");
		if (err != -EBUSY)
			break;
	}
	return err;
}

/* Goes on while the host sleeps */
static uint64_t boot_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static uint64_t longest_pause_ms(const struct guest *g)
{
	uint64_t hz;

	asm("mrs %0, cntfrq_el0" : "=r" (hz));
	return *(volatile uint64_t *)&g->page->pause * 1000 / hz;
}

/* A guest that the hypervisor schedules goes on meanwhile, and memory stays where it is */
GUNYAH_TEST(sleeps_until_alarm)
{
	struct guest *a = &self->guest, *b = &self->other;
	long slept = read_number(POWER "suspend_stats/success");
	uint32_t faults, lent;
	struct vcpu_thread thread;
	struct resources with;

	if (!can_sleep())
		SKIP(return, "cannot sleep, or not wake up");
	ASSERT_EQ(0, guest_run(a, self->dev, "count", 0));
	ASSERT_EQ(0, guest_run_vcpus(b, self->dev, "count", 1));
	ASSERT_EQ(0, vcpu_thread_start(&thread, &b->vcpu[0], vcpu_run_to_end));
	EXPECT_EQ(0, guest_wait_count(a, 2));
	EXPECT_EQ(0, guest_wait_count(b, 2));
	resources_read(&with);
	lent = ctl_read(GH_LAB_CTL_LENT_PAGES);
	faults = ctl_read(GH_LAB_CTL_HOST_FAULTS);
	EXPECT_GT(ASLEEP_MS / 2, longest_pause_ms(b));

	EXPECT_EQ(0, sleep_until_alarm());
	EXPECT_EQ(slept + 1, read_number(POWER "suspend_stats/success"));
	EXPECT_EQ(rtc_irq(), read_number(POWER "pm_wakeup_irq"));

	EXPECT_EQ(0, guest_wait_count(a, 2));
	EXPECT_EQ(0, guest_wait_count(b, 2));
	/* The other one's thread was frozen, so this is how long it took */
	EXPECT_LT(ASLEEP_MS / 2, longest_pause_ms(b));
	EXPECT_GT(ASLEEP_MS / 2, longest_pause_ms(a));

	EXPECT_EQ(faults, ctl_read(GH_LAB_CTL_HOST_FAULTS));
	EXPECT_EQ(lent, ctl_read(GH_LAB_CTL_LENT_PAGES));
	EXPECT_ALL_BACK(&with, "after waking up");
	EXPECT_FALSE(can_read(a->image.addr));
	EXPECT_FALSE(can_read(b->image.addr));

	end_both(_metadata, a, b, &thread);
	guest_close(a);
	guest_close(b);
	EXPECT_TRUE(can_read(a->image.addr));
	EXPECT_TRUE(can_read(b->image.addr));
	EXPECT_ALL_BACK(&self->before, "after the sleep");
}

/* What RM tells is no reason to wake up, and is there afterwards */
GUNYAH_TEST(end_does_not_wake)
{
	static const uint32_t told[] = { RM_VM_STATUS, RM_VM_EXITED };
	long slept = read_number(POWER "suspend_stats/success");
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;
	uint64_t begin;
	size_t i;

	if (!can_sleep())
		SKIP(return, "cannot sleep, or not wake up");
	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	EXPECT_EQ(0, guest_wait_count(g, 2));
	for (i = 0; i < ARRAY_SIZE(told); i++)
		ASSERT_TRUE(fault_add(told[i], GH_LAB_FAULT_DELAY, EVENT_DELAY_MS, 0, 1));
	begin = boot_ms();
	g->page->stop = 1;
	EXPECT_EQ(0, sleep_until_alarm());
	EXPECT_EQ(slept + 1, read_number(POWER "suspend_stats/success"));
	EXPECT_EQ(rtc_irq(), read_number(POWER "pm_wakeup_irq"));
	EXPECT_LE(begin + ASLEEP_MS, boot_ms());
	EXPECT_EQ(2, ctl_read(GH_LAB_CTL_FAULT_HITS));
	EXPECT_EQ(0, guest_wait(g));
	EXPECT_EQ(0, gh_exit_info(g->vm, &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

TEST_HARNESS_MAIN

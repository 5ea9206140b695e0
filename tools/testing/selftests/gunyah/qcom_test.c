// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests where TrustZone has to be told who gets which memory, as on Qualcomm's platforms:
 * through gunyah_qcom and qcom_scm, with what TrustZone may refuse at each piece of memory,
 * there and back. It is the test hypervisor that has one, if it is asked to; everywhere
 * else this skips.
 */
#include <limits.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

/* Of the list that TrustZone keeps, whatever the pages of the host are */
#define TZ_PAGE		4096
/* An error that the firmware has thought of itself */
#define TZ_CODE		0x42
#define TZ_BUSY		-12
/* Pages of an image few of which are neighbours, and calls that it takes at least */
#define PIECES		64
#define MIN_CALLS	(PIECES / 2)
/* More than fit into one message */
#define PIECES_APPEND	600
#define MODULE		"gunyah_qcom"
#define MODPROBE	"/proc/sys/kernel/modprobe"
#define SHORT_MS	500

#define SKIP_WITHOUT_TRUSTZONE()						\
	do {									\
		if (!ctl_present() || !ctl_read(GH_LAB_CTL_TZ))			\
			SKIP(return, "needs the test hypervisor with hyp.qcom=1");	\
	} while (0)

static long away(void)
{
	return ctl_read(GH_LAB_CTL_TZ_AWAY);
}

static bool tz_rule(uint32_t direction, int code, uint32_t skip, uint32_t count)
{
	ctl_write(GH_LAB_CTL_TZ_DIRECTION, direction);
	ctl_write(GH_LAB_CTL_TZ_CODE, code);
	ctl_write(GH_LAB_CTL_TZ_SKIP, skip);
	ctl_write(GH_LAB_CTL_TZ_COUNT, count);
	ctl_write(GH_LAB_CTL_TZ_COMMIT, 1);
	return !ctl_read(GH_LAB_CTL_TZ_REFUSED);
}

/* A guest whose image is in @pieces, until START */
static int alloc_pieces(struct guest *g, int dev, size_t pieces)
{
	struct gh_mem image;

	return mem_alloc_fragments(&image, pieces) ?: guest_alloc(g, "hello", &image) ?:
	       guest_setup(g, dev, 0);
}

static int run_pieces(struct guest *g, int dev)
{
	return alloc_pieces(g, dev, PIECES) ?: gh_start(g->vm) ?: guest_wait(g);
}

/* TrustZone does as it is told again, and what was kept comes back by the next guest */
static void recovers(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self)
{
	struct gh_vm_exit_info info;

	fault_clear();
	guest_free(&self->guest);
	set_call_timeout(self->call_timeout);
	EXPECT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info));
	EXPECT_ALL_BACK(&self->before, "after the next guest");
	EXPECT_EQ(0, quarantine_pages());
}

static int unload_now(void)
{
	return syscall(SYS_delete_module, MODULE, O_NONBLOCK) ? -errno : 0;
}

/* Work that closing a VM left behind may hold it for a moment */
static int unload_soon(void)
{
	uint64_t end = now_ms() + EVENT_MS;
	int err;

	while ((err = unload_now()) == -EAGAIN && now_ms() < end)
		sleep_ms(10);
	return err;
}

/* TrustZone's list says at each step what the resource manager does */
GUNYAH_TEST(life)
{
	uint32_t calls = ctl_read(GH_LAB_CTL_TZ_ASSIGNS);
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;
	uint64_t size;

	SKIP_WITHOUT_TRUSTZONE();
	ASSERT_EQ(0, guest_alloc(g, "count", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	EXPECT_EQ(self->before.away, away());
	ASSERT_EQ(0, gh_start(g->vm));
	size = g->image.size + g->console_mem.size + g->page_mem.size;
	EXPECT_EQ(size / TZ_PAGE, away() - self->before.away);
	EXPECT_FALSE(can_read(g->image.addr));
	EXPECT_TRUE(can_write(g->page_mem.addr));
	g->page->stop = 1;
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_EQ(0, gh_exit_info(g->vm, &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
	EXPECT_EQ(size / TZ_PAGE, away() - self->before.away);
	guest_close(g);
	EXPECT_EQ(self->before.away, away());
	EXPECT_TRUE(can_write(g->image.addr));
	/* As often back as there */
	calls = ctl_read(GH_LAB_CTL_TZ_ASSIGNS) - calls;
	EXPECT_LE(6, calls);
	EXPECT_EQ(0, calls % 2);
}

GUNYAH_TEST(shared_image)
{
	SKIP_WITHOUT_TRUSTZONE();
	if (ctl_is_production())
		SKIP(return, "production policy: image memory must be lent");
	ASSERT_EQ(0, guest_run(&self->guest, self->dev, "hello", GUEST_SHARE));
	EXPECT_LE(IMAGE_SIZE / TZ_PAGE, away() - self->before.away);
	ASSERT_EQ(0, guest_wait(&self->guest));
}

GUNYAH_TEST(vcpus)
{
	struct guest *g = &self->guest;

	SKIP_WITHOUT_TRUSTZONE();
	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "hello", 1));
	EXPECT_EQ(0, vcpu_run_to_end(&g->vcpu[0]));
	EXPECT_TRUE(vcpu_says_ended(&g->vcpu[0], GH_VM_EXIT_TYPE_PSCI_POWER_OFF));
}

/* Two guests, which TrustZone cannot tell apart */
GUNYAH_TEST(two)
{
	struct gh_vm_exit_info info;
	long first;

	SKIP_WITHOUT_TRUSTZONE();
	ASSERT_EQ(0, guest_run(&self->guest, self->dev, "count", 0));
	first = away();
	ASSERT_EQ(0, guest_cycle(&self->other, self->dev, "hello", &info));
	EXPECT_EQ(first, away());
	EXPECT_EQ(0, guest_wait_count(&self->guest, 10));
}

/* START fails at each of the pieces, and all before it come back */
GUNYAH_TEST(refused_there)
{
	struct guest *g = &self->guest;
	int i, err;

	SKIP_WITHOUT_TRUSTZONE();
	for (i = 0; ; i++) {
		ASSERT_TRUE(tz_rule(GH_LAB_TZ_AWAY, TZ_CODE, i, 1));
		err = run_pieces(g, self->dev);
		if (!ctl_read(GH_LAB_CTL_TZ_HITS))
			break;
		EXPECT_EQ(-EREMOTEIO, err) {
			TH_LOG("call %d", i);
		}
		EXPECT_EQ(self->before.away, away());
		EXPECT_EQ(self->before.rm_parcels, ctl_read(GH_LAB_CTL_PARCELS));
		EXPECT_TRUE(can_write(g->image.addr));
		EXPECT_STREQ("failed", fdinfo(g->vm, "state"));
		guest_free(g);
		fault_clear();
	}
	/* It had fewer pieces than that. */
	EXPECT_EQ(0, err);
	EXPECT_LE(MIN_CALLS, i);
	recovers(_metadata, self);
}

/* What does not come back stays out of everybody's use until it does */
GUNYAH_TEST(refused_back)
{
	struct guest *g = &self->guest;
	int i;

	SKIP_WITHOUT_TRUSTZONE();
	for (i = 0; i < MIN_CALLS; i += 7) {
		ASSERT_EQ(0, run_pieces(g, self->dev));
		ASSERT_TRUE(tz_rule(GH_LAB_TZ_BACK, TZ_CODE, i, GH_LAB_ANY));
		guest_close(g);
		EXPECT_LE(1, ctl_read(GH_LAB_CTL_TZ_HITS));
		EXPECT_LT(self->before.away, away()) {
			TH_LOG("call %d", i);
		}
		EXPECT_LE(away() - self->before.away, quarantine_pages() * page_size() / TZ_PAGE);
		/* The resource manager has given it back. */
		EXPECT_EQ(self->before.lent_pages, ctl_read(GH_LAB_CTL_LENT_PAGES));
		/* Also without the process' mapping of it, the module stays. */
		guest_free(g);
		EXPECT_LT(self->before.away, away());
		EXPECT_EQ(-EAGAIN, unload_now());
		recovers(_metadata, self);
	}
}

/* The way back of a START that was refused is refused, too */
GUNYAH_TEST(refused_there_and_back)
{
	struct guest *g = &self->guest;
	int i;

	SKIP_WITHOUT_TRUSTZONE();
	for (i = 1; i < MIN_CALLS; i += 9) {
		ASSERT_TRUE(tz_rule(GH_LAB_TZ_AWAY, TZ_CODE, i, 1));
		ASSERT_TRUE(tz_rule(GH_LAB_TZ_BACK, TZ_CODE + 1, 0, GH_LAB_ANY));
		EXPECT_EQ(-EREMOTEIO, run_pieces(g, self->dev));
		/* Each piece that had been assigned still is. */
		EXPECT_LE(i, away() - self->before.away) {
			TH_LOG("call %d", i);
		}
		guest_free(g);
		EXPECT_LE(i, quarantine_pages() * page_size() / TZ_PAGE);
		EXPECT_EQ(self->before.rm_parcels, ctl_read(GH_LAB_CTL_PARCELS));
		recovers(_metadata, self);
	}
}

/* What the resource manager refuses after TrustZone has agreed goes back, too */
static void refuses(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self, size_t pieces)
{
	static const uint32_t calls[] = {
		RM_MEM_LEND, RM_MEM_SHARE, RM_MEM_APPEND, RM_VM_CONFIG_IMAGE, RM_VM_INIT,
		RM_VM_START,
	};
	struct guest *g = &self->guest;
	size_t i;

	SKIP_WITHOUT_TRUSTZONE();
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i] == RM_MEM_APPEND && pieces < PIECES_APPEND)
			continue;
		ASSERT_EQ(0, alloc_pieces(g, self->dev, pieces));
		ASSERT_TRUE(fault_add(calls[i], GH_LAB_FAULT_REFUSE, 1, 0, 1));
		EXPECT_GT(0, gh_start(g->vm));
		EXPECT_EQ(1, ctl_read(GH_LAB_CTL_FAULT_HITS)) {
			TH_LOG("message %#x", calls[i]);
		}
		guest_free(g);
		EXPECT_EQ(self->before.away, away()) {
			TH_LOG("message %#x", calls[i]);
		}
		recovers(_metadata, self);
	}
}

GUNYAH_TEST(manager_refuses)
{
	refuses(_metadata, self, PIECES);
}

GUNYAH_TEST(manager_refuses_many)
{
	refuses(_metadata, self, PIECES_APPEND);
}

/* And if that is refused, it is kept */
GUNYAH_TEST(manager_refuses_and_back)
{
	struct guest *g = &self->guest;

	SKIP_WITHOUT_TRUSTZONE();
	ASSERT_TRUE(fault_add(RM_MEM_LEND, GH_LAB_FAULT_REFUSE, 1, 0, 1));
	ASSERT_TRUE(tz_rule(GH_LAB_TZ_BACK, TZ_CODE, 3, GH_LAB_ANY));
	EXPECT_GT(0, run_pieces(g, self->dev));
	EXPECT_LT(self->before.away, away());
	guest_free(g);
	EXPECT_LT(0, quarantine_pages());
	recovers(_metadata, self);
}

/* The manager lends it after all, when nobody waits any more */
GUNYAH_TEST(late)
{
	struct guest *g = &self->guest;

	SKIP_WITHOUT_TRUSTZONE();
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	ASSERT_TRUE(fault_add(RM_MEM_LEND, GH_LAB_FAULT_DELAY, 600000, 0, 1));
	EXPECT_EQ(-ETIMEDOUT, run_pieces(g, self->dev));
	/* The guest may have it, so TrustZone is not told anything. */
	EXPECT_LE(PIECES, away() - self->before.away);
	guest_free(g);
	EXPECT_LE(PIECES, quarantine_pages());
	EXPECT_LE(PIECES, away() - self->before.away);
	recovers(_metadata, self);
}

/* Whatever it says, it is the firmware that has refused. */
GUNYAH_TEST(codes)
{
	static const int codes[] = { -1, -2, -3, -4, -5, TZ_BUSY, 1, 0x7fffffff };
	size_t i;

	SKIP_WITHOUT_TRUSTZONE();
	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		ASSERT_TRUE(tz_rule(GH_LAB_TZ_AWAY, codes[i], 1, GH_LAB_ANY));
		EXPECT_EQ(-EREMOTEIO, guest_run(&self->guest, self->dev, "hello", 0)) {
			TH_LOG("code %d", codes[i]);
		}
		fault_clear();
		EXPECT_EQ(self->before.away, away());
		guest_free(&self->guest);
	}
}

/* It is asked again, and nobody notices */
GUNYAH_TEST(busy)
{
	SKIP_WITHOUT_TRUSTZONE();
	ASSERT_TRUE(tz_rule(GH_LAB_TZ_AWAY, TZ_BUSY, 1, 2));
	ASSERT_TRUE(tz_rule(GH_LAB_TZ_BACK, TZ_BUSY, 1, 2));
	ASSERT_EQ(0, run_pieces(&self->guest, self->dev));
	EXPECT_EQ(2, ctl_read(GH_LAB_CTL_TZ_HITS));
	guest_free(&self->guest);
	EXPECT_EQ(4, ctl_read(GH_LAB_CTL_TZ_HITS));
	EXPECT_EQ(self->before.away, away());
}

/* Who waits for TrustZone can be killed */
GUNYAH_TEST(killed)
{
	uint64_t end = now_ms() + EVENT_MS;
	int status;
	pid_t pid;

	SKIP_WITHOUT_TRUSTZONE();
	ASSERT_TRUE(tz_rule(GH_LAB_TZ_AWAY, TZ_BUSY, MIN_CALLS / 2, GH_LAB_ANY));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		run_pieces(&self->guest, self->dev);
		_exit(0);
	}
	while (!ctl_read(GH_LAB_CTL_TZ_HITS) && now_ms() < end)
		;
	EXPECT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_ALL_BACK(&self->before, "after the kill");
}

/* Without the module nothing is asked of the resource manager, nor lent */
GUNYAH_TEST(module)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;
	char modprobe[PATH_MAX];
	uint32_t messages;

	SKIP_WITHOUT_TRUSTZONE();
	ASSERT_EQ(0, read_text(MODPROBE, modprobe, sizeof(modprobe)));
	modprobe[strcspn(modprobe, "\n")] = 0;
	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	if (access("/sys/module/" MODULE "/initstate", F_OK))
		SKIP(return, MODULE " is no module");
	/* It has to know of what is given back. */
	EXPECT_EQ(-EAGAIN, unload_now());
	guest_free(g);
	ASSERT_EQ(0, unload_soon());

	ASSERT_EQ(0, write_text(MODPROBE, "/does/not/exist"));
	EXPECT_EQ(0, guest_alloc(g, "hello", NULL));
	EXPECT_EQ(0, guest_setup(g, self->dev, 0));
	messages = ctl_read(GH_LAB_CTL_MSGS_IN);
	EXPECT_EQ(-ENOPKG, gh_start(g->vm));
	EXPECT_EQ(messages, ctl_read(GH_LAB_CTL_MSGS_IN));
	EXPECT_EQ(self->before.away, away());
	/* The kernel finds it, and this VM starts. */
	EXPECT_EQ(0, write_text(MODPROBE, modprobe));
	EXPECT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(0, guest_wait(g));
	guest_free(g);
	EXPECT_EQ(0, guest_cycle(g, self->dev, "hello", &info));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux as a guest of gh-vmm: how it ends, and what is typed. Needs an Image and an
 * initramfs.gz with a shell on the console, beside this program or in /guests.
 */
#include "gunyah_test.h"
#include "gunyah_vmm.h"

/*
 * Its kernel tells of nothing but trouble. On a host that is slow it is no trouble if a
 * CPU gets little time.
 */
#define QUIET		"--cmdline", "quiet rcupdate.rcu_cpu_stall_timeout=200"
#define GUEST(...)	{ "--linux", ##__VA_ARGS__, "--initrd", "initramfs.gz", "Image", NULL }
#define PROMPT		"guest# "
#define LEAVE		"\x01x"

#define SKIP_WITHOUT_LINUX()							\
	do {									\
		SKIP_WITHOUT_VMM();						\
		SKIP_WITHOUT("Image", "/guests");				\
		SKIP_WITHOUT("initramfs.gz", "/guests");			\
	} while (0)

/* The guest's kernel has nothing to complain about */
#define EXPECT_NO_SPLAT(text)							\
	do {									\
		static const char *const splats_[] = {				\
			"Call trace:", "BUG: ", "WARNING: ", "rcu: INFO:", "nobody cared",	\
		};								\
		size_t i_;							\
										\
		for (i_ = 0; i_ < ARRAY_SIZE(splats_); i_++)			\
			EXPECT_EQ(NULL, strstr(text, splats_[i_])) {		\
				TH_LOG("%s", text);				\
			}							\
	} while (0)

static struct vmm vmm;

/* What is typed before the guest listens reaches it, also if nothing follows */
GUNYAH_TEST(typed_early)
{
	static const char *const args[] = GUEST(QUIET);

	SKIP_WITHOUT_LINUX();
	ASSERT_EQ(0, vmm_start(&vmm, 0, args));
	EXPECT_EQ(0, vmm_type(&vmm, "echo it is $((40 + 2))\nreboot -f\n"));
	EXPECT_EQ(0, vmm_end(&vmm));
	EXPECT_EQ(3, vmm.status);
	EXPECT_NE(NULL, strstr(vmm.text, "it is 42"));
	EXPECT_TRUE(ends_with(vmm.text, "guest exited: PSCI system reset\n")) {
		TH_LOG("%s", vmm.text);
	}
	EXPECT_NO_SPLAT(vmm.text);
}

/* As many CPUs as there may be; they are there, and can be told to do something */
GUNYAH_TEST(most_cpus)
{
	static const char *const args[] = GUEST("--cpus", "8", QUIET);
	char answer[32];
	int cpu;

	SKIP_WITHOUT_LINUX();
	ASSERT_EQ(0, vmm_start(&vmm, 0, args));
	EXPECT_EQ(0, vmm_read(&vmm, PROMPT));
	for (cpu = 0; cpu < 8; cpu++) {
		snprintf(answer, sizeof(answer), "taskset %x echo on $((%d))\n", 1 << cpu, cpu);
		EXPECT_EQ(0, vmm_type(&vmm, answer));
		snprintf(answer, sizeof(answer), "on %d\r\n", cpu);
		EXPECT_EQ(0, vmm_read(&vmm, answer));
	}
	EXPECT_EQ(0, vmm_type(&vmm, "poweroff -f\n"));
	EXPECT_EQ(0, vmm_end(&vmm));
	EXPECT_EQ(0, vmm.status);
	EXPECT_TRUE(ends_with(vmm.text, "guest exited: PSCI system off\n")) {
		TH_LOG("%s", vmm.text);
	}
	EXPECT_NO_SPLAT(vmm.text);
}

/* Ctrl-A x, while all CPUs of the guest are busy */
GUNYAH_TEST(leave)
{
	static const char *const args[] = GUEST("--cpus", "2", QUIET);

	SKIP_WITHOUT_LINUX();
	ASSERT_EQ(0, vmm_start(&vmm, 0, args));
	EXPECT_EQ(0, vmm_read(&vmm, PROMPT));
	EXPECT_EQ(0, vmm_type(&vmm, "while :; do :; done & while :; do :; done\n" LEAVE));
	EXPECT_EQ(0, vmm_end(&vmm));
	EXPECT_EQ(0, vmm.status);
	EXPECT_TRUE(ends_with(vmm.text, "\nguest stopped: Ctrl-A x\n")) {
		TH_LOG("%s", vmm.text);
	}
	EXPECT_NO_SPLAT(vmm.text);
}

/*
 * A signal stops the guest, one that boots as well as one that has nothing to do, and
 * everything is back when gh-vmm has ended
 */
GUNYAH_TEST(signals)
{
	/* Nothing but gh-vmm ever wakes the second CPU, which stays off */
	static const char *const args[] = GUEST("--cpus", "2", "--cmdline", "maxcpus=1");
	static const struct {
		int number;
		const char *when;
	} ends[] = { { SIGKILL, "Booting Linux" }, { SIGTERM, PROMPT } };
	size_t i;

	SKIP_WITHOUT_LINUX();
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		ASSERT_EQ(0, vmm_start(&vmm, 0, args));
		/* Nothing will ever be typed */
		EXPECT_EQ(0, vmm_end_of_input(&vmm));
		EXPECT_EQ(0, vmm_read(&vmm, ends[i].when));
		EXPECT_EQ(0, kill(vmm.pid, ends[i].number));
		EXPECT_EQ(0, vmm_end(&vmm));
		EXPECT_EQ(128 + ends[i].number, vmm.status);
		if (ends[i].number != SIGKILL)
			EXPECT_NE(NULL, strstr(vmm.text, "\nguest stopped: "));
		EXPECT_ALL_BACK(&self->before, "after %s", strsignal(ends[i].number));
	}
}

/* What cannot be started is told in one line, and costs nothing */
static const struct {
	const char *args[VMM_MAX_ARGS];
	int status;
	const char *text;
} mistakes[] = {
	{ { "--linux", "--cpus", "0", "Image" }, 2, "--cpus 0: not a number from 1 to 8" },
	{ { "--linux", "--cpus", "9", "Image" }, 2, "--cpus 9: not a number from 1 to 8" },
	{ { "--linux", "--dtb", "Image", "Image" }, 2, "--dtb does not go with --linux" },
	{ { "--cpus", "2", "Image" }, 2, "go with --linux only" },
	{ { "--initrd", "initramfs.gz", "Image" }, 2, "go with --linux only" },
	{ { "--linux", "-m", "2M", "Image" }, 1, "needs more than --memory" },
	{ { "--linux", "initramfs.gz" }, 1, "not an arm64 Linux Image" },
	{ { "--linux", "--initrd", "/nothing", "Image" }, 1, "/nothing: No such file" },
};

GUNYAH_TEST(mistakes)
{
	size_t i;

	SKIP_WITHOUT_LINUX();
	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		ASSERT_EQ(0, vmm_start(&vmm, 0, mistakes[i].args));
		EXPECT_EQ(0, vmm_end(&vmm));
		EXPECT_EQ(mistakes[i].status, vmm.status);
		EXPECT_EQ(0, strncmp(vmm.text, "gh-vmm: ", 8));
		EXPECT_EQ(vmm.text + vmm.len - 1, strchr(vmm.text, '\n'));
		EXPECT_NE(NULL, strstr(vmm.text, mistakes[i].text)) {
			TH_LOG("%s", vmm.text);
		}
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* gh-vmm from the outside: what it prints and how it ends */
#include "gunyah_test.h"
#include "gunyah_vmm.h"

static const struct {
	const char *args[VMM_MAX_ARGS];
	int status;
	const char *end;		/* what the output ends with */
	const char *text;		/* and what is in it */
} ends[] = {
	{ { "hello.bin" }, 0, "guest exited: PSCI system off\n", "Hello from a Gunyah guest\n" },
	{ { "--lend", "-m", "8M", "hello.bin" }, 0, "guest exited: PSCI system off\n",
	  "devicetree: 0x807f" },
	{ { "--cmdline", "quiet words", "hello.bin" }, 0, "guest exited: PSCI system off\n",
	  "Hello" },
	{ { "flood.bin" }, 0, "guest exited: PSCI system off\n", "\nline 1998\nline 1999\n" },
	{ { "reset.bin" }, 3, "guest exited: PSCI system reset\n", "" },
	{ { "reset2.bin" }, 3, "guest exited: PSCI system reset2\n", "" },
	{ { "abort.bin" }, 4, "\n", "guest exited: hypervisor error" },
};

/* Mistakes that gh-vmm tells of in one line */
static const struct {
	const char *args[VMM_MAX_ARGS];
	int status;
	const char *text;
} mistakes[] = {
	{ { NULL }, 2, "no IMAGE" },
	{ { "--none", "hello.bin" }, 2, "--none: unknown option" },
	{ { "-m", "1", "hello.bin" }, 2, "page size" },
	{ { "-m", "lots", "hello.bin" }, 2, "not a size" },
	{ { "-m", "64K", "hello.bin" }, 1, "needs --memory" },
	{ { "/nothing/here" }, 1, "/nothing/here: No such file" },
	{ { "/proc" }, 1, "/proc: Is a directory" },
	{ { "--dtb", "/dev/null", "hello.bin" }, 1, "/dev/null: the file is empty" },
	{ { "--dtb", "hello.bin", "hello.bin" }, 1, "not a devicetree" },
};

static struct vmm vmm;

GUNYAH_TEST(ends)
{
	size_t i;

	SKIP_WITHOUT_VMM();
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		ASSERT_EQ(0, vmm_start(&vmm, 0, ends[i].args));
		ASSERT_EQ(0, vmm_end(&vmm));
		EXPECT_EQ(ends[i].status, vmm.status);
		EXPECT_TRUE(ends_with(vmm.text, ends[i].end));
		EXPECT_NE(NULL, strstr(vmm.text, ends[i].text)) {
			TH_LOG("%s: %s", ends[i].args[0], vmm.text);
		}
	}
}

/* A devicetree of the user's says where the guest's memory is, 2 MiB aligned */
GUNYAH_TEST(own_devicetree)
{
	static const struct gh_shm console = { GH_CONSOLE_LABEL, GH_CONSOLE_BASE };
	const struct gh_dtb_options options = {
		.base = 0x90000000 + 0x1000,
		.shm = &console,
		.n_shm = 1,
	};
	char path[] = "/tmp/gunyah-vmm-XXXXXX", dtb[8192];
	const char *const args[] = { "--dtb", path, "-c", "words", "hello.bin", NULL };
	int fd;

	SKIP_WITHOUT_VMM();
	ASSERT_EQ(0, gh_dtb_build(dtb, sizeof(dtb), &options));
	fd = mkstemp(path);
	ASSERT_LE(0, fd);
	EXPECT_EQ(sizeof(dtb), write(fd, dtb, sizeof(dtb)));
	close(fd);

	ASSERT_EQ(0, vmm_start(&vmm, 0, args));
	ASSERT_EQ(0, vmm_end(&vmm));
	EXPECT_EQ(0, vmm.status);
	EXPECT_NE(NULL, strstr(vmm.text, "devicetree: 0x905")) {
		TH_LOG("%s", vmm.text);
	}
	unlink(path);
}

GUNYAH_TEST(share)
{
	static const char *const args[] = { "--share", "hello.bin", NULL };

	SKIP_WITHOUT_VMM();
	if (!ctl_present())
		SKIP(return, "policy of the hypervisor not known");
	ASSERT_EQ(0, vmm_start(&vmm, 0, args));
	ASSERT_EQ(0, vmm_end(&vmm));
	if (ctl_is_production()) {
		EXPECT_EQ(1, vmm.status);
		EXPECT_NE(NULL, strstr(vmm.text, "gh-vmm: GH_VM_START for "));
	} else {
		EXPECT_EQ(0, vmm.status);
		EXPECT_TRUE(ends_with(vmm.text, "guest exited: PSCI system off\n"));
	}
}

GUNYAH_TEST(mistakes)
{
	size_t i;

	SKIP_WITHOUT_VMM();
	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		ASSERT_EQ(0, vmm_start(&vmm, 0, mistakes[i].args));
		ASSERT_EQ(0, vmm_end(&vmm));
		EXPECT_EQ(mistakes[i].status, vmm.status);
		EXPECT_EQ(0, strncmp(vmm.text, "gh-vmm: ", 8));
		EXPECT_EQ(vmm.text + vmm.len - 1, strchr(vmm.text, '\n'));
		EXPECT_NE(NULL, strstr(vmm.text, mistakes[i].text)) {
			TH_LOG("%s", vmm.text);
		}
	}
}

GUNYAH_TEST(memlock_limit)
{
	static const char *const args[] = { "hello.bin", NULL };

	SKIP_WITHOUT_VMM();
	ASSERT_EQ(0, vmm_start(&vmm, 65536, args));
	ASSERT_EQ(0, vmm_end(&vmm));
	EXPECT_EQ(1, vmm.status);
	EXPECT_NE(NULL, strstr(vmm.text, "the limit is 64 KiB; raise it with `ulimit -l ")) {
		TH_LOG("%s", vmm.text);
	}
}

/* A signal stops the guest, and everything is back when gh-vmm has ended */
GUNYAH_TEST(signals)
{
	static const char *const args[] = { "spin.bin", NULL };
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGKILL };
	size_t i;

	SKIP_WITHOUT_VMM();
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		ASSERT_EQ(0, vmm_start(&vmm, 0, args));
		ASSERT_EQ(0, vmm_read(&vmm, "spinning\n"));
		ASSERT_EQ(0, kill(vmm.pid, numbers[i]));
		ASSERT_EQ(0, vmm_end(&vmm));
		EXPECT_EQ(128 + numbers[i], vmm.status);
		if (numbers[i] != SIGKILL)
			EXPECT_NE(NULL, strstr(vmm.text, "\nguest stopped: "));
		EXPECT_ALL_BACK(&self->before, "after %s", strsignal(numbers[i]));
	}
}

TEST_HARNESS_MAIN

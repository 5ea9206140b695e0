// SPDX-License-Identifier: GPL-2.0-only
/* gh-vmm from the outside: what it prints and how it ends */
#include <limits.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "gunyah_test.h"

#define MAX_ARGS	8

static char dir[PATH_MAX];

static bool beside(const char *name, char *path, size_t size)
{
	char *slash;
	ssize_t n;

	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	if (n < 0)
		return false;
	dir[n] = 0;
	slash = strrchr(dir, '/');
	*slash = 0;
	return (size_t)snprintf(path, size, "%s/%s", dir, name) < size && !access(path, R_OK);
}

static bool find(const char *name, const char *elsewhere, char *path, size_t size)
{
	if (beside(name, path, size))
		return true;
	snprintf(path, size, "%s/%s", elsewhere, name);
	return !access(path, R_OK);
}

struct vmm {
	pid_t pid;
	int out;
	char text[65536];
	size_t len;
	int status;			/* 128 + signal if one ended it */
};

/* Starts gh-vmm with arguments up to a NULL; @limit: bytes of RLIMIT_MEMLOCK, 0 none */
static int vmm_start(struct vmm *v, rlim_t limit, const char *const *args)
{
	struct rlimit rlimit = { limit, limit };
	char path[PATH_MAX + 16], image[PATH_MAX + 16], *argv[MAX_ARGS + 2];
	int i, fds[2];

	if (!find("gh-vmm", "/bin", path, sizeof(path)))
		return -ENOENT;
	argv[0] = path;
	for (i = 0; i < MAX_ARGS && args[i]; i++) {
		argv[i + 1] = (char *)args[i];
		if (strstr(args[i], ".bin") && find(args[i], "/guests", image, sizeof(image)))
			argv[i + 1] = image;
	}
	argv[i + 1] = NULL;

	memset(v, 0, sizeof(*v));
	if (pipe(fds))
		return -errno;
	v->pid = fork();
	if (v->pid < 0)
		return -errno;
	if (!v->pid) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		if (limit) {
			/* root gets back by execve() what is not out of bounds */
			prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK);
			setrlimit(RLIMIT_MEMLOCK, &rlimit);
		}
		execv(path, argv);
		_exit(127);
	}
	close(fds[1]);
	v->out = fds[0];
	return 0;
}

/* Reads until @text was seen, or to the end if that is NULL */
static int vmm_read(struct vmm *v, const char *text)
{
	struct pollfd fd = { .fd = v->out, .events = POLLIN };
	ssize_t n;

	while (!text || !strstr(v->text, text)) {
		if (poll(&fd, 1, EVENT_MS) != 1)
			return -ETIMEDOUT;
		n = read(v->out, v->text + v->len, sizeof(v->text) - 1 - v->len);
		if (n < 0)
			return -errno;
		if (!n)
			return text ? -ENODATA : 0;
		v->len += n;
		v->text[v->len] = 0;
	}
	return 0;
}

static int vmm_end(struct vmm *v)
{
	int status, err;

	err = vmm_read(v, NULL);
	close(v->out);
	if (err)
		kill(v->pid, SIGKILL);
	if (waitpid(v->pid, &status, 0) != v->pid)
		return -errno;
	v->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return err;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

static const struct {
	const char *args[MAX_ARGS];
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
	const char *args[MAX_ARGS];
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

#define SKIP_WITHOUT_VMM()							\
	do {									\
		char vmm_path[PATH_MAX + 16];					\
										\
		if (!find("gh-vmm", "/bin", vmm_path, sizeof(vmm_path)))	\
			SKIP(return, "gh-vmm is not here");			\
	} while (0)

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

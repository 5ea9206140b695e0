// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of the lab's host: mounts what tests expect, carries out
 * the commands of /lab/<name>, where lab=<name> is on the kernel's command line,
 * and powers the machine off. One command a line, split at blanks:
 *
 *   run PROGRAM [ARG]...    output goes line by line to the kernel log
 *   show PROGRAM [ARG]...   output goes to the console as it is
 *   talk PROGRAM [ARG]...   the same, and input comes from there
 *   insmod FILE [PARAM]...
 *   rmmod NAME              and before it what uses it
 *   symbols NAME            where the functions of this module are, to the kernel log
 *   expect STATUS COMMAND   the command has to end with this status, not with 0
 *   quiet COMMAND           the kernel may not say anything meanwhile
 *   limit SECONDS           for each command from here on
 *   kexec NAME              start the kernel in /kexec, which carries out /lab/NAME
 *
 * Markers tell the runner what happened, whatever the log level is:
 *
 *   lab: begin COMMAND
 *   lab: end COMMAND status=N    the exit status, or 128 + the signal
 *   lab: timeout COMMAND         killed because it exceeded the limit
 *   lab: stuck COMMAND           did not even end when it was killed
 *   lab: error TEXT
 *   lab: done                    all commands were carried out
 *
 * The kernel calls it, too, in place of modprobe, to load a module by an alias.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGS	32
/* The kernel refuses records of more than 1024 bytes; leave room for prefixes */
#define MAX_RECORD	900
#define MAX_LINE	512
#define MODULES		"/lib/modules/lab/"
#define KEXEC		"/kexec/"
/* What a program gets to end after SIGKILL, and its pipe to run dry */
#define GRACE_MS	5000

static int kmsg = -1;
static int limit_s = 60;

static void record(int level, const char *prefix, const char *text, size_t len)
{
	char buf[MAX_RECORD + 64];
	size_t part;
	int n;

	do {
		part = len < MAX_RECORD ? len : MAX_RECORD;
		n = snprintf(buf, sizeof(buf), "<%d>%s%.*s\n", level, prefix, (int)part, text);
		/* Nothing is left to report it to if this fails */
		if (write(kmsg, buf, n) != n)
			return;
		text += part;
		len -= part;
	} while (len);
}

/* Alert level: seen with any loglevel that lets something through at all */
static void __attribute__((format(printf, 1, 2))) mark(const char *format, ...)
{
	char text[MAX_RECORD];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	record(1, "lab: ", text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int insmod(char **argv)
{
	char params[512] = "";
	size_t len = 0;
	int fd, i;

	for (i = 1; argv[i]; i++)
		len += snprintf(params + len, len < sizeof(params) ? sizeof(params) - len : 0,
				"%s ", argv[i]);
	fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || len >= sizeof(params) || syscall(SYS_finit_module, fd, params, 0)) {
		dprintf(1, "insmod %s: %s\n", argv[0], strerror(errno));
		return 1;
	}
	return 0;
}

/* Those that use it first; nothing of what is loaded here uses itself in a circle. */
static int rmmod(const char *name)
{
	char path[300];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/module/%s/holders", name);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && rmmod(entry->d_name))
			break;
	}
	if (dir)
		closedir(dir);
	if (syscall(SYS_delete_module, name, O_NONBLOCK)) {
		dprintf(1, "rmmod %s: %s\n", name, strerror(errno));
		return 1;
	}
	return 0;
}

/* Lines as in /proc/kallsyms */
static int symbols(const char *name)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[MAX_LINE], module[80];
	int status = 1;

	snprintf(module, sizeof(module), "\t[%s]\n", name);
	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, module)) {
			fputs(line, stdout);
			status = 0;
		}
	}
	if (f)
		fclose(f);
	fflush(stdout);
	return status;
}

/* Does the file, a module, say that it has this alias? */
static bool has_alias(const char *path, const char *alias)
{
	char want[64], *text = NULL;
	FILE *f = fopen(path, "re");
	size_t size = 0;
	bool has = false;
	ssize_t n, len = snprintf(want, sizeof(want), "alias=%s", alias) + 1;

	if (!f)
		return false;
	/* Strings of a module's information end with 0; what is before the first may not. */
	while (!has && (n = getdelim(&text, &size, 0, f)) > 0)
		has = n >= len && !memcmp(text + n - len, want, len);
	free(text);
	fclose(f);
	return has;
}

/* What the kernel calls: modprobe -q -- ALIAS */
static int modprobe(const char *alias)
{
	char path[300], *argv[] = { path, NULL };
	struct dirent *entry;
	int status = 1;
	DIR *dir;

	dir = opendir(MODULES);
	while (dir && status && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), MODULES "%s", entry->d_name);
		if (has_alias(path, alias))
			status = insmod(argv);
	}
	if (dir)
		closedir(dir);
	return status;
}

static void child(char **argv, int out)
{
	const char *verb = argv[0];
	int null = open("/dev/null", O_RDONLY);

	setsid();
	if (strcmp(verb, "talk"))
		dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	argv++;
	/* _exit(): exit() would also move the offset of the open file of commands */
	if (!strcmp(verb, "insmod"))
		_exit(insmod(argv));
	if (!strcmp(verb, "rmmod"))
		_exit(rmmod(argv[0]));
	if (!strcmp(verb, "symbols"))
		_exit(symbols(argv[0]));
	execv(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Collects a program's output and passes it on in lines */
struct lines {
	char buf[4096];
	size_t len;
};

/* Warning level: a boot that is quiet otherwise has them too */
static void pass_lines(struct lines *l, bool all)
{
	char *end;

	while ((end = memchr(l->buf, '\n', l->len))) {
		size_t n = end - l->buf;

		record(4, "tap: ", l->buf, n);
		l->len -= n + 1;
		memmove(l->buf, end + 1, l->len);
	}
	if (l->len && (all || l->len == sizeof(l->buf))) {
		record(4, "tap: ", l->buf, l->len);
		l->len = 0;
	}
}

/* Returns the exit status; the program and all that it started are gone then */
static int supervise(pid_t pid, int in, const char *command)
{
	struct lines l = { .len = 0 };
	long deadline = now_ms() + limit_s * 1000L;
	bool killed = false, exited = false;
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	int status = -1;
	ssize_t n;

	while (in >= 0 || !exited) {
		struct pollfd fds[] = {
			{ .fd = in, .events = POLLIN },
			{ .fd = exited ? -1 : pidfd, .events = POLLIN },
		};
		long left = deadline - now_ms();

		if (left <= 0) {
			if (killed || exited)
				break;
			mark("timeout %s", command);
			kill(-pid, SIGKILL);
			killed = true;
			deadline = now_ms() + GRACE_MS;
			continue;
		}
		poll(fds, 2, left);
		if (fds[0].revents) {
			n = read(in, l.buf + l.len, sizeof(l.buf) - l.len);
			if (n > 0) {
				l.len += n;
				pass_lines(&l, false);
			} else {
				in = -1;
			}
		}
		if (fds[1].revents) {
			waitpid(pid, &status, 0);
			exited = true;
			/* Others of its session could keep the pipe open */
			kill(-pid, SIGKILL);
			deadline = now_ms() + GRACE_MS;
		}
	}
	pass_lines(&l, true);
	close(pidfd);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (!exited) {
		mark("stuck %s", command);
		return 128 + SIGKILL;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What is on the command line, and another name. Returns only if that failed. */
static void kexec(const char *name)
{
	char cmdline[2048] = "", *at;
	int kernel = open(KEXEC "Image", O_RDONLY | O_CLOEXEC);
	int initramfs = open(KEXEC "initramfs.gz", O_RDONLY | O_CLOEXEC);
	FILE *f = fopen("/proc/cmdline", "re");
	size_t len;

	if (f) {
		if (!fgets(cmdline, sizeof(cmdline), f))
			cmdline[0] = 0;
		fclose(f);
	}
	while ((at = strstr(cmdline, " lab=")))
		memmove(at, at + 1 + strcspn(at + 1, "\n "),
			strlen(at + 1 + strcspn(at + 1, "\n ")) + 1);
	len = strcspn(cmdline, "\n");
	snprintf(cmdline + len, sizeof(cmdline) - len, " lab=%s", name);

	if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(cmdline) + 1, cmdline, 0UL)) {
		mark("error kexec_file_load: %s", strerror(errno));
		return;
	}
	sync();
	reboot(RB_KEXEC);
	mark("error kexec: %s", strerror(errno));
}

static void carry_out(char *line)
{
	char *argv[MAX_ARGS + 1], *save = NULL, *word, command[MAX_LINE];
	int argc = 0, expected = 0, status, pipefd[2] = { -1, -1 };
	char **args = argv;
	bool show;
	pid_t pid;

	line[strcspn(line, "\n")] = 0;
	snprintf(command, sizeof(command), "%s", line);
	for (word = strtok_r(line, " \t", &save); word && argc < MAX_ARGS;
	     word = strtok_r(NULL, " \t", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	if (!argc || argv[0][0] == '#')
		return;
	if (argc == 2 && !strcmp(argv[0], "limit")) {
		limit_s = atoi(argv[1]);
		return;
	}
	if (argc == 2 && !strcmp(argv[0], "kexec")) {
		kexec(argv[1]);
		return;
	}
	/* That it is quiet is for the runner to see */
	if (!strcmp(args[0], "quiet")) {
		args++;
		argc--;
	}
	if (argc > 2 && !strcmp(args[0], "expect")) {
		expected = atoi(args[1]);
		args += 2;
		argc -= 2;
	}
	show = argc && (!strcmp(args[0], "show") || !strcmp(args[0], "talk"));
	if (argc < 2 || word ||
	    (!show && strcmp(args[0], "run") && strcmp(args[0], "insmod") &&
	     strcmp(args[0], "rmmod") && strcmp(args[0], "symbols"))) {
		mark("error cannot understand: %s", command);
		return;
	}

	mark("begin %s", command);
	if (!show && pipe2(pipefd, O_CLOEXEC)) {
		mark("error pipe: %s", strerror(errno));
		return;
	}
	pid = fork();
	if (pid < 0) {
		mark("error fork: %s", strerror(errno));
		return;
	}
	if (!pid)
		child(args, show ? STDOUT_FILENO : pipefd[1]);
	if (!show)
		close(pipefd[1]);
	status = supervise(pid, pipefd[0], command);
	if (show)
		tcdrain(STDOUT_FILENO);
	else
		close(pipefd[0]);
	if (expected)
		status = status == expected ? 0 : 1;
	mark("end %s status=%d", command, status);
}

static void mount_on(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL) && errno != EBUSY)
		mark("error mount %s: %s", where, strerror(errno));
}

static FILE *open_lab(void)
{
	char cmdline[2048] = "", name[64], path[80];
	FILE *f = fopen("/proc/cmdline", "r");
	char *at;

	if (f) {
		if (!fgets(cmdline, sizeof(cmdline), f))
			cmdline[0] = 0;
		fclose(f);
	}
	at = strstr(cmdline, " lab=");
	if (!at || sscanf(at, " lab=%63s", name) != 1) {
		mark("error no lab=NAME on the command line");
		return NULL;
	}
	snprintf(path, sizeof(path), "/lab/%s", name);
	f = fopen(path, "re");
	if (!f)
		mark("error %s: %s", path, strerror(errno));
	return f;
}

static void be_modprobe(void)
{
	static const char path[] = "/init";
	int fd = open("/proc/sys/kernel/modprobe", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, path, strlen(path)) < 0)
		mark("error modprobe: %s", strerror(errno));
	close(fd);
}

int main(int argc, char **argv)
{
	char line[MAX_LINE];
	FILE *f;

	if (getpid() != 1)
		return modprobe(argv[argc - 1]);

	mount_on("devtmpfs", "/dev");
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	mount_on("proc", "/proc");
	mount_on("sysfs", "/sys");
	mount_on("debugfs", "/sys/kernel/debug");
	mount_on("tmpfs", "/tmp");
	mount_on("tmpfs", "/dev/shm");
	be_modprobe();

	f = open_lab();
	if (f) {
		while (fgets(line, sizeof(line), f))
			carry_out(line);
		fclose(f);
		mark("done");
	}
	sync();
	reboot(RB_POWER_OFF);
	/* Ends the machine too: the kernel panics when its first process exits */
	return 1;
}

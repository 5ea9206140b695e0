// SPDX-License-Identifier: GPL-2.0-only
/* gh-vmm as its user has it, see gunyah_vmm.h */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gunyah_lib.h"
#include "gunyah_vmm.h"

static bool beside(const char *name, char *path, size_t size)
{
	char dir[PATH_MAX], *slash;
	ssize_t n;

	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	if (n < 0)
		return false;
	dir[n] = 0;
	slash = strrchr(dir, '/');
	*slash = 0;
	return (size_t)snprintf(path, size, "%s/%s", dir, name) < size && !access(path, R_OK);
}

bool vmm_find(const char *name, const char *elsewhere, char *path, size_t size)
{
	if (beside(name, path, size))
		return true;
	snprintf(path, size, "%s/%s", elsewhere, name);
	return !access(path, R_OK);
}

static bool is_guest_file(const char *name)
{
	return ends_with(name, ".bin") || !strcmp(name, "Image") || !strcmp(name, "initramfs.gz");
}

static void __attribute__((noreturn)) child(const char *path, char **argv, rlim_t limit, int in,
					    int out)
{
	struct rlimit rlimit = { limit, limit };

	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	if (limit) {
		/* root gets back by execve() what is not out of bounds */
		prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK);
		setrlimit(RLIMIT_MEMLOCK, &rlimit);
	}
	execv(path, argv);
	_exit(127);
}

int vmm_start(struct vmm *v, rlim_t limit, const char *const *args)
{
	char path[PATH_MAX + 16], files[VMM_MAX_ARGS][PATH_MAX + 16], *argv[VMM_MAX_ARGS + 2];
	int i, in[2], out[2];

	if (!vmm_find("gh-vmm", "/bin", path, sizeof(path)))
		return -ENOENT;
	argv[0] = path;
	for (i = 0; i < VMM_MAX_ARGS && args[i]; i++) {
		argv[i + 1] = (char *)args[i];
		if (is_guest_file(args[i]) &&
		    vmm_find(args[i], "/guests", files[i], sizeof(files[i])))
			argv[i + 1] = files[i];
	}
	argv[i + 1] = NULL;

	memset(v, 0, sizeof(*v));
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -errno;
	v->pid = fork();
	if (v->pid < 0)
		return -errno;
	if (!v->pid)
		child(path, argv, limit, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	v->in = in[1];
	v->out = out[0];
	return 0;
}

int vmm_read(struct vmm *v, const char *text)
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

int vmm_type(struct vmm *v, const char *text)
{
	size_t len = strlen(text);

	return write(v->in, text, len) == (ssize_t)len ? 0 : -EIO;
}

int vmm_end_of_input(struct vmm *v)
{
	int err = close(v->in) ? -errno : 0;

	v->in = -1;
	return err;
}

int vmm_end(struct vmm *v)
{
	int status, err;

	err = vmm_read(v, NULL);
	if (v->in >= 0)
		close(v->in);
	close(v->out);
	if (err)
		kill(v->pid, SIGKILL);
	if (waitpid(v->pid, &status, 0) != v->pid)
		return -errno;
	v->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return err;
}

bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

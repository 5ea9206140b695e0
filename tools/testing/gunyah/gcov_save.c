// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies the kernel's gcov counters of the drivers to the folder that QEMU shares under
 * the tag "gcov". Files of debugfs have no size, so what is read is what there is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTERS	"/sys/kernel/debug/gcov"
#define SHARE		"/mnt"
#define DRIVER		"/sys/bus/virtio/drivers/9pnet_virtio/"

static int copied;

static int copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	char buf[65536];
	ssize_t n = -1;

	if (in >= 0 && out >= 0)
		while ((n = read(in, buf, sizeof(buf))) > 0)
			if (write(out, buf, n) != n)
				return -1;
	if (n || close(in) || close(out))
		return -1;
	copied++;
	return 0;
}

/* The names of the drivers' objects are unique */
static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;
	char to[256];

	(void)st;
	if (type != FTW_F || !strstr(name, ".gcda") ||
	    (!strstr(path, "/drivers/virt/gunyah/") && strcmp(name, "gunyah-msgq.gcda")))
		return 0;
	snprintf(to, sizeof(to), SHARE "/%s", name);
	if (!copy(path, to))
		return 0;
	printf("# %s: %s\n", path, strerror(errno));
	return -1;
}

static bool write_name(const char *path, const char *name)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, name, strlen(name)) == (ssize_t)strlen(name);

	return !close(fd) && ok;
}

/* The driver does not set the device up again after a suspend: have it do so */
static bool bind_again(void)
{
	bool ok = false;
	glob_t devices;

	if (!glob(DRIVER "virtio*", 0, NULL, &devices)) {
		const char *name = devices.gl_pathv[0] + strlen(DRIVER);

		ok = write_name(DRIVER "unbind", name) && write_name(DRIVER "bind", name);
	}
	globfree(&devices);
	return ok;
}

int main(void)
{
	bool bad;

	printf("TAP version 13\n1..1\n");
	if (!bind_again()) {
		printf("not ok 1 bind: %s\n", strerror(errno));
		return 1;
	}
	if (mount("gcov", SHARE, "9p", 0, "trans=virtio,version=9p2000.L")) {
		printf("not ok 1 mount: %s\n", strerror(errno));
		return 1;
	}
	bad = nftw(COUNTERS, visit, 8, FTW_PHYS) || !copied;
	if (umount(SHARE))
		bad = true;
	printf("%sok 1 %d counter files\n", bad ? "not " : "", copied);
	return bad;
}

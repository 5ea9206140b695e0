// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel log has of a start that fails: one line, with the step, the region, who
 * refused it how, and what to look at. And of a region for which a limit is too low.
 */
#include "gunyah_test.h"

/* The log is limited in rate: lines in an interval, and how long that is */
#define BURST		10
#define INTERVAL_MS	5000
#define SHORT_MS	500
#define DRIVER		"gh_rsc_mgr "
/* More than a record has */
#define TEXT_SIZE	8192

/* Where the log ends now, to read what is added; or -errno */
static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
		return -errno;
	return fd;
}

/* How many lines with @key were added; @text is the last of them */
static int log_lines(int fd, const char *key, char *text)
{
	char record[TEXT_SIZE];
	ssize_t len;
	int n = 0;

	*text = 0;
	while ((len = read(fd, record, sizeof(record) - 1)) > 0) {
		record[len] = 0;
		if (!strstr(record, key))
			continue;
		snprintf(text, TEXT_SIZE, "%s", strchr(record, ';') ?: record);
		n++;
	}
	return n;
}

/* So that none of the next lines is suppressed because of those before */
static void log_wait(void)
{
	sleep_ms(INTERVAL_MS + 500);
}

struct failing {
	const char *name;
	uint32_t msg;
	uint32_t action;
	uint32_t arg;
	uint32_t skip;
	int start;
	const char *line;
	const char *check;
};

static const struct failing failing[] = {
	{ "VMIDs", RM_VM_ALLOCATE, GH_LAB_FAULT_REFUSE, 2, 0, -ENOSPC,
	  "VM_ALLOC_VMID: refused, NORESOURCE (0x2) (errno 28): ", "all VMIDs are in use" },
	{ "image", RM_MEM_LEND, GH_LAB_FAULT_REFUSE, 0xa, 0, -EINVAL,
	  "MEM_LEND, region 0x0: refused, MEM_INVALID (0xa) (errno 22): ", "lent already" },
	{ "second region shared", RM_MEM_SHARE, GH_LAB_FAULT_REFUSE, 3, 1, -ENOSPC,
	  "MEM_SHARE, region 0x11: refused, DENIED (0x3) (errno 28): ", "parcels" },
	{ "rest of a region", RM_MEM_APPEND, GH_LAB_FAULT_REFUSE, 1, 0, -ENOMEM,
	  "MEM_APPEND, region 0x0: refused, NOMEM (0x1) (errno 12): ", "huge pages" },
	{ "devicetree", RM_VM_INIT, GH_LAB_FAULT_REFUSE, 0xa, 0, -EINVAL,
	  "VM_INIT, region 0x0: refused, MEM_INVALID (0xa) (errno 22): ", "gunyah-vm-config" },
	{ "resources", RM_VM_GET_HYP_RESOURCES, GH_LAB_FAULT_TRUNCATE, 8, 0, -EPROTO,
	  "VM_GET_HYP_RESOURCES, region 0x0: the answer makes no sense (errno 71): ", "API" },
	{ "start", RM_VM_START, GH_LAB_FAULT_REFUSE, 2, 0, -ENODEV,
	  "VM_START, region 0x0: refused, NORESOURCE (0x2) (errno 19): ", "window" },
	{ "silence", RM_VM_CONFIG_IMAGE, GH_LAB_FAULT_IGNORE, 0, 0, -ETIMEDOUT,
	  "VM_CONFIG_IMAGE, region 0x0: no answer (errno 110): ", "alive" },
};

_Static_assert(ARRAY_SIZE(failing) <= BURST, "some would be suppressed");

static int run_in_pieces(struct guest *g, int dev)
{
	struct gh_mem image;

	return mem_alloc_fragments(&image, 600) ?: guest_alloc(g, "wait", &image) ?:
	       guest_setup(g, dev, 0) ?: gh_start(g->vm);
}

GUNYAH_TEST(start_fails)
{
	struct guest *g = &self->guest;
	char text[TEXT_SIZE];
	size_t i;
	int log;

	SKIP_WITHOUT_CONTROL();
	log_wait();
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	log = log_open();
	ASSERT_LE(0, log);
	for (i = 0; i < ARRAY_SIZE(failing); i++) {
		const struct failing *f = &failing[i];

		ASSERT_TRUE(fault_add(f->msg, f->action, f->arg, f->skip, 1));
		EXPECT_EQ(f->start, run_in_pieces(g, self->dev)) {
			TH_LOG("%s", f->name);
		}
		/* It says so again, and not why */
		EXPECT_EQ(f->start, gh_start(g->vm));
		fault_clear();
		/* Of all that the driver has to say */
		EXPECT_EQ(1, log_lines(log, DRIVER, text)) {
			TH_LOG("%s: %s", f->name, text);
		}
		EXPECT_NE(NULL, strstr(text, " not started: "));
		EXPECT_NE(NULL, strstr(text, f->line)) {
			TH_LOG("%s: \"%s\" has no \"%s\"", f->name, text, f->line);
		}
		EXPECT_NE(NULL, strstr(text, f->check)) {
			TH_LOG("%s: \"%s\" has no \"%s\"", f->name, text, f->check);
		}
		guest_free(g);
		/* Nor does it when the file is closed: it had been undone */
		EXPECT_EQ(0, log_lines(log, DRIVER, text)) {
			TH_LOG("%s: %s", f->name, text);
		}
	}
	close(log);
}

/* Without any fault: memory of the wrong kind, and what is no start at all */
GUNYAH_TEST(mistakes)
{
	struct guest *g = &self->guest;
	char text[TEXT_SIZE];
	int log, vm;

	log_wait();
	log = log_open();
	ASSERT_LE(0, log);

	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);
	EXPECT_EQ(-EINVAL, gh_start(vm));
	EXPECT_EQ(1, log_lines(log, "VM 0 not started: there is no devicetree", text));
	EXPECT_EQ(0, gh_set_dtb(vm, 0x80000000, 0x1000));
	EXPECT_EQ(-EINVAL, gh_start(vm));
	EXPECT_EQ(1, log_lines(log, "VM 0 not started: no region holds the window", text));
	close(vm);

	if (ctl_is_production()) {
		EXPECT_EQ(-EMEDIUMTYPE, guest_run(g, self->dev, "hello", GUEST_SHARE));
		EXPECT_EQ(1, log_lines(log, " not started: ", text));
		EXPECT_NE(NULL, strstr(text, "VM_START, region 0x0: refused, NORESOURCE")) {
			TH_LOG("%s", text);
		}
		EXPECT_NE(NULL, strstr(text, "GH_MEM_LENT"));
		guest_free(g);
	}

	ASSERT_EQ(0, guest_run(g, self->dev, "hello", 0));
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_EQ(0, log_lines(log, " not started: ", text));
	EXPECT_EQ(-ENODEV, gh_start(g->vm));
	EXPECT_EQ(1, log_lines(log, " not started: it has ended", text));
	close(log);
}

/* Need, what is locked already, and limit: in KiB, as ulimit has it */
GUNYAH_TEST(memlock)
{
	const size_t size = 16 * page_size();
	struct rlimit old, limit;
	char text[TEXT_SIZE], line[TEXT_SIZE];
	struct gh_mem mem;
	int log, vm;

	ASSERT_EQ(0, gh_mem_alloc(&mem, "memory", 4 * size));
	ASSERT_EQ(0, getrlimit(RLIMIT_MEMLOCK, &old));
	limit = old;
	limit.rlim_cur = 2 * size;
	log_wait();
	log = log_open();
	ASSERT_LE(0, log);
	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);
	EXPECT_EQ(0, gh_set_region(vm, 1, RW, 0x80000000, size, mem.addr));

	snprintf(line, sizeof(line),
		 "region 0x2a not added: %zu KiB are needed, %zu KiB locked already, and RLIMIT_MEMLOCK is %zu KiB",
		 2 * size / 1024, size / 1024, 2 * size / 1024);
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	/* The superuser has no limit */
	ASSERT_EQ(0, set_ipc_lock(false));
	EXPECT_EQ(-ENOMEM, gh_set_region(vm, 0x2a, RW, 0x90000000, 2 * size, mem.addr + size));
	EXPECT_EQ(1, log_lines(log, line, text));
	EXPECT_EQ(0, gh_set_region(vm, 0x2a, RW, 0x90000000, size, mem.addr + size));
	EXPECT_EQ(0, log_lines(log, "not added", text));
	close(vm);
	close(log);
	gh_mem_free(&mem);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs has the files of Documentation/ABI/testing/debugfs-gunyah and no others, and
 * each of them says what it says there. What is in them is read line by line here:
 * nothing that is not described may be there.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "gunyah_test.h"

/* A deadline that can be waited for */
#define SHORT_MS	500
#define MAX_PARCELS	64

/* In this order */
static const char *const counters[] = {
	"calls", "replies", "timeouts", "late_replies", "unexpected_replies", "bad_packets",
	"notifications", "unrouted_notifications", "lost_notifications", "lost_vmids",
};

enum counter {
	CALLS, REPLIES, TIMEOUTS, LATE, UNEXPECTED, BAD, NOTIFICATIONS, UNROUTED, LOST, LOST_VMIDS,
};

#define N_COUNTERS	ARRAY_SIZE(counters)

struct stats {
	unsigned long n[ARRAY_SIZE(counters)];
};

#define SKIP_WITHOUT_DEBUGFS()							\
	do {									\
		if (access(DEBUGFS, F_OK))					\
			SKIP(return, "no debugfs");				\
	} while (0)

/* The whole file has to be a line for each counter. False if it is not */
static bool read_stats(struct stats *stats)
{
	char text[1024], line[64];
	const char *at = text;
	size_t i;

	if (read_text(DEBUGFS "stats", text, sizeof(text)))
		return false;
	for (i = 0; i < N_COUNTERS; i++) {
		if (sscanf(at, "%*s %lu", &stats->n[i]) != 1)
			return false;
		snprintf(line, sizeof(line), "%s %lu\n", counters[i], stats->n[i]);
		if (strncmp(at, line, strlen(line)))
			return false;
		at += strlen(line);
	}
	return !*at;
}

/* By how much a counter is more than it was */
static unsigned long more(const struct stats *before, enum counter which)
{
	struct stats now;

	return read_stats(&now) ? now.n[which] - before->n[which] : -1UL;
}

/* Until the counter is more by @n. False if it is not within EVENT_MS */
static bool wait_more(const struct stats *before, enum counter which, unsigned long n)
{
	uint64_t end = now_ms() + EVENT_MS;

	while (more(before, which) < n && now_ms() < end)
		sleep_ms(10);
	return more(before, which) == n;
}

/* Is this all of a file? */
static bool says(const char *file, const char *text)
{
	char path[64], found[4096];

	snprintf(path, sizeof(path), DEBUGFS "%s", file);
	return !read_text(path, found, sizeof(found)) && !strcmp(found, text);
}

static bool says_parcels(unsigned int n)
{
	char text[32];

	snprintf(text, sizeof(text), "%u %u\n", n, MAX_PARCELS);
	return says("parcels", text);
}

static bool says_vm(const char *vmid, const char *state, const char *rm_state)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %s %s\n", vmid, state, rm_state);
	return says("vms", text);
}

GUNYAH_TEST(files)
{
	static const struct {
		const char *name;
		mode_t mode;
	} files[] = {
		{ "call_timeout_ms", 0600 },
		{ "parcels", 0400 },
		{ "quarantine", 0400 },
		{ "stats", 0400 },
		{ "vms", 0400 },
	};
	struct dirent *entry;
	unsigned int n = 0;
	char path[64];
	struct stat st;
	size_t i;
	DIR *dir;

	SKIP_WITHOUT_DEBUGFS();
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s", files[i].name);
		ASSERT_EQ(0, stat(path, &st)) {
			TH_LOG("no %s", path);
		}
		EXPECT_EQ(S_IFREG | files[i].mode, st.st_mode);
		EXPECT_EQ(0, st.st_uid);
	}
	dir = opendir(DEBUGFS);
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	EXPECT_EQ(ARRAY_SIZE(files), n);
}

/* A number in decimal that takes effect with the next call */
GUNYAH_TEST(call_timeout_ms)
{
	struct guest *g = &self->guest;
	uint64_t begin;

	SKIP_WITHOUT_DEBUGFS();
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	EXPECT_TRUE(says("call_timeout_ms", "500\n"));
	EXPECT_NE(0, write_text(DEBUGFS "call_timeout_ms", "soon"));
	EXPECT_TRUE(says("call_timeout_ms", "500\n"));

	SKIP_WITHOUT_CONTROL();
	ASSERT_TRUE(fault_add(RM_VM_ALLOCATE, GH_LAB_FAULT_IGNORE, 0, 0, 1));
	begin = now_ms();
	EXPECT_EQ(-ETIMEDOUT, guest_run(g, self->dev, "hello", 0));
	EXPECT_LE(SHORT_MS, now_ms() - begin);
	/* Not the one that it was */
	EXPECT_GT(self->call_timeout / 2, now_ms() - begin);
}

/* What there is of a guest, from before its start to after its end */
GUNYAH_TEST(life)
{
	struct guest *g = &self->guest;
	struct stats before;
	char vmid[16];

	SKIP_WITHOUT_DEBUGFS();
	ASSERT_TRUE(read_stats(&before));
	EXPECT_TRUE(says("vms", ""));
	EXPECT_TRUE(says("quarantine", ""));
	EXPECT_TRUE(says_parcels(0));

	ASSERT_EQ(0, guest_alloc(g, "count", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	EXPECT_TRUE(says_vm("0", "new", "NO_STATE"));
	EXPECT_TRUE(says_parcels(0));
	EXPECT_EQ(0, more(&before, CALLS));

	ASSERT_EQ(0, gh_start(g->vm));
	snprintf(vmid, sizeof(vmid), "%s", fdinfo(g->vm, "vmid"));
	EXPECT_TRUE(says_vm(vmid, "running", "RUNNING"));
	EXPECT_TRUE(says_parcels(3));
	EXPECT_TRUE(says("quarantine", ""));

	g->page->stop = 1;
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_TRUE(says_vm(vmid, "exited", "EXITED"));
	EXPECT_TRUE(says_parcels(3));
	guest_close(g);
	EXPECT_TRUE(says("vms", ""));
	EXPECT_TRUE(says_parcels(0));

	/* VMID, 3 parcels, image, init, resources, start; reset, 3 parcels, VMID; and our own */
	EXPECT_LE(13, more(&before, CALLS));
	EXPECT_GE(14, more(&before, CALLS));
	EXPECT_EQ(more(&before, CALLS), more(&before, REPLIES));
	EXPECT_LT(0, more(&before, NOTIFICATIONS));
	EXPECT_EQ(0, more(&before, TIMEOUTS));
	EXPECT_EQ(0, more(&before, LATE));
	EXPECT_EQ(0, more(&before, UNEXPECTED));
	EXPECT_EQ(0, more(&before, BAD));
	EXPECT_EQ(0, more(&before, LOST));
	EXPECT_EQ(0, more(&before, LOST_VMIDS));
}

/* A line for each VM */
GUNYAH_TEST(two)
{
	struct guest *a = &self->guest, *b = &self->other;
	char text[4096], line[64];

	SKIP_WITHOUT_DEBUGFS();
	ASSERT_EQ(0, guest_run(a, self->dev, "spin", 0));
	ASSERT_EQ(0, guest_alloc(b, "spin", NULL));
	ASSERT_EQ(0, guest_setup(b, self->dev, 0));
	snprintf(line, sizeof(line), "%s running RUNNING\n0 new NO_STATE\n",
		 fdinfo(a->vm, "vmid"));
	ASSERT_EQ(0, read_text(DEBUGFS "vms", text, sizeof(text)));
	EXPECT_STREQ(line, text);
}

/* Each fault is counted as what it is, and as nothing else */
GUNYAH_TEST(faults)
{
	static const struct {
		uint32_t msg;
		uint32_t action;
		uint32_t arg;
		int err;
		enum counter counter;
		unsigned int unanswered;	/* calls without a reply in time that makes sense */
	} faults[] = {
		{ RM_VM_GET_HYP_RESOURCES, GH_LAB_FAULT_IGNORE, 0, -ETIMEDOUT, TIMEOUTS, 1 },
		{ RM_VM_GET_HYP_RESOURCES, GH_LAB_FAULT_DUPLICATE, 0, 0, UNEXPECTED, 0 },
		{ RM_VM_GET_HYP_RESOURCES, GH_LAB_FAULT_TRUNCATE, 2, -EPROTO, BAD, 1 },
		{ RM_VM_STATUS, GH_LAB_FAULT_BAD_VMID, 0x7f, 0, UNROUTED, 0 },
	};
	static const enum counter all[] = { TIMEOUTS, LATE, UNEXPECTED, BAD, LOST, LOST_VMIDS };
	struct guest *g = &self->guest;
	struct stats before;
	size_t i, j;

	SKIP_WITHOUT_DEBUGFS();
	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		ASSERT_TRUE(read_stats(&before));
		ASSERT_TRUE(fault_add(faults[i].msg, faults[i].action, faults[i].arg, 0, 1));
		EXPECT_EQ(faults[i].err, guest_run(g, self->dev, "spin", 0));
		guest_free(g);
		fault_clear();
		for (j = 0; j < ARRAY_SIZE(all); j++)
			EXPECT_EQ(all[j] == faults[i].counter, more(&before, all[j])) {
				TH_LOG("fault %zu: %s", i, counters[all[j]]);
			}
		if (faults[i].counter == UNROUTED)
			EXPECT_LE(1, more(&before, UNROUTED));
		EXPECT_EQ(more(&before, CALLS) - faults[i].unanswered, more(&before, REPLIES));
	}
}

/* The reply to a call that has timed out */
GUNYAH_TEST(late_reply)
{
	struct guest *g = &self->guest;
	struct stats before;

	SKIP_WITHOUT_DEBUGFS();
	SKIP_WITHOUT_CONTROL();
	ASSERT_TRUE(read_stats(&before));
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	ASSERT_TRUE(fault_add(RM_VM_ALLOCATE, GH_LAB_FAULT_DELAY, 2 * EVENT_MS, 0, 1));
	EXPECT_EQ(-ETIMEDOUT, guest_run(g, self->dev, "hello", 0));
	guest_free(g);
	EXPECT_EQ(1, more(&before, TIMEOUTS));
	EXPECT_EQ(0, more(&before, LATE));
	fault_clear();
	EXPECT_TRUE(wait_more(&before, LATE, 1));
	EXPECT_EQ(0, more(&before, UNEXPECTED));
	EXPECT_EQ(1, more(&before, TIMEOUTS));
}

/* A line for each region that has not come back, until it has */
GUNYAH_TEST(quarantine)
{
	struct guest *g = &self->guest;
	char vmid[16], text[256];

	SKIP_WITHOUT_DEBUGFS();
	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, guest_run(g, self->dev, "spin", 0));
	snprintf(vmid, sizeof(vmid), "%s", fdinfo(g->vm, "vmid"));
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	/* The console's, which is the second that is taken back */
	ASSERT_TRUE(fault_add(RM_MEM_RECLAIM, GH_LAB_FAULT_REFUSE, 9, 1, FAULT_ALWAYS));
	guest_close(g);
	snprintf(text, sizeof(text), "%s %u %zu\n%s %u %zu\n", vmid, GH_IMAGE_LABEL,
		 IMAGE_SIZE / page_size(), vmid, GH_CONSOLE_LABEL,
		 g->console_mem.size / page_size());
	EXPECT_TRUE(says("quarantine", text)) {
		read_text(DEBUGFS "quarantine", text, sizeof(text));
		TH_LOG("%s", text);
	}
	EXPECT_TRUE(says_vm(vmid, "quarantined", "RESET")) {
		read_text(DEBUGFS "vms", text, sizeof(text));
		TH_LOG("%s", text);
	}
	EXPECT_TRUE(says_parcels(2));
	guest_free(g);

	set_call_timeout(self->call_timeout);
	fault_clear();
	EXPECT_EQ(0, guest_cycle(&self->other, self->dev, "hello", &(struct gh_vm_exit_info){ }));
	EXPECT_ALL_BACK(&self->before, "after the next guest");
	EXPECT_TRUE(says("quarantine", ""));
	EXPECT_TRUE(says("vms", ""));
	EXPECT_TRUE(says_parcels(0));
}

/* Parcels are limited for all VMs together */
GUNYAH_TEST(parcels)
{
	const size_t page = page_size();
	struct guest *g = &self->guest;
	struct gh_mem mem;
	unsigned int i;

	SKIP_WITHOUT_DEBUGFS();
	ASSERT_EQ(0, gh_mem_alloc(&mem, "parcels", MAX_PARCELS * page));
	ASSERT_EQ(0, guest_run(&self->other, self->dev, "spin", 0));
	EXPECT_TRUE(says_parcels(3));
	ASSERT_EQ(0, guest_alloc_bare(g, NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	for (i = 0; i < MAX_PARCELS - 4; i++)
		ASSERT_EQ(0, gh_set_region(g->vm, 0x100 + i, RW, 0x90000000 + i * page, page,
					   mem.addr + i * page));
	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_TRUE(says_parcels(MAX_PARCELS));
	guest_free(g);
	EXPECT_TRUE(says_parcels(3));
	gh_mem_free(&mem);
}

TEST_HARNESS_MAIN

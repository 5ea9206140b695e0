// SPDX-License-Identifier: GPL-2.0-only
/* Start, run, exit and close, in all orders */
#include "gunyah_test.h"

GUNYAH_TEST(lent)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;

	ASSERT_EQ(0, guest_run(g, self->dev, "hello", 0));
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_NE(NULL, strstr(g->text, "Hello from a Gunyah guest\n")) {
		TH_LOG("the guest says: %s", g->text);
	}
	EXPECT_NE(NULL, strstr(g->text, "PSCI: 1."));
	EXPECT_NE(NULL, strstr(g->text, "hypervisor: Gunyah, API version 1\n"));
	EXPECT_STREQ("exited", fdinfo(g->vm, "state"));
	EXPECT_EQ(0, gh_exit_info(g->vm, &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

GUNYAH_TEST(shared)
{
	struct guest *g = &self->guest;
	int err;

	if (ctl_is_production())
		SKIP(return, "production policy: image memory must be lent");
	err = guest_run(g, self->dev, "hello", GUEST_SHARE);
	if (err && !ctl_present())
		SKIP(return, "this hypervisor refuses shared image memory");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_NE(NULL, strstr(g->text, "Hello from a Gunyah guest\n"));
}

/* Refused by VM_START itself, that is after INIT: the longest way back */
GUNYAH_TEST(shared_refused)
{
	struct guest *g = &self->guest;

	if (!ctl_is_production())
		SKIP(return, "not the production policy");
	EXPECT_EQ(-EMEDIUMTYPE, guest_run(g, self->dev, "hello", GUEST_SHARE));
	EXPECT_EQ(-EMEDIUMTYPE, gh_start(g->vm));
	EXPECT_STREQ("failed", fdinfo(g->vm, "state"));
	guest_free(g);
	EXPECT_ALL_BACK(&self->before, "at the end");
}

/* debugfs has a line for each VM */
static bool listed(int vm, const char *vmid, const char *state, const char *rm_state)
{
	char text[4096], line[64];

	snprintf(line, sizeof(line), "%s %s %s\n", vmid, state, rm_state);
	return !read_text(DEBUGFS "vms", text, sizeof(text)) && strstr(text, line) &&
	       !strcmp(fdinfo(vm, "state"), state);
}

GUNYAH_TEST(shown)
{
	struct guest *g = &self->guest;
	char vmid[16], text[4096];

	if (read_text(DEBUGFS "vms", text, sizeof(text)))
		SKIP(return, "no debugfs");
	EXPECT_STREQ("", text);
	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	snprintf(vmid, sizeof(vmid), "%s", fdinfo(g->vm, "vmid"));
	EXPECT_TRUE(listed(g->vm, vmid, "running", "RUNNING"));
	g->page->stop = 1;
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_TRUE(listed(g->vm, vmid, "exited", "EXITED"));
	guest_close(g);
	ASSERT_EQ(0, read_text(DEBUGFS "vms", text, sizeof(text)));
	EXPECT_STREQ("", text);
}

GUNYAH_TEST(start_twice)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	EXPECT_STREQ("running", fdinfo(g->vm, "state"));
	EXPECT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(0, gh_start(g->vm));

	g->page->stop = 1;
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_EQ(-ENODEV, gh_start(g->vm));
	EXPECT_EQ(-ENODEV, gh_start(g->vm));
	EXPECT_STREQ("exited", fdinfo(g->vm, "state"));
}

/* Two processes start the same VM; both learn the same outcome */
GUNYAH_TEST(start_together)
{
	struct guest *g = &self->guest;
	int status, go[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, guest_alloc(g, "count", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (read(go[0], &byte, 1) != 1)
			_exit(2);
		_exit(gh_start(g->vm) ? 1 : 0);
	}
	EXPECT_EQ(1, write(go[1], "g", 1));
	EXPECT_EQ(0, gh_start(g->vm));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(go[0]);
	close(go[1]);
}

/* Once START was tried the configuration is fixed */
GUNYAH_TEST(fixed_configuration)
{
	struct guest *g = &self->guest;
	struct gh_mem mem;
	int i;

	ASSERT_EQ(0, gh_mem_alloc(&mem, "more", page_size()));
	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EBUSY, gh_set_region(g->vm, 99, RWX, 0x90000000, mem.size, mem.addr));
		EXPECT_EQ(-EBUSY, gh_set_region(g->vm, GH_IMAGE_LABEL, 0, 0, 0, NULL));
		EXPECT_EQ(-EBUSY, gh_set_dtb(g->vm, GH_GUEST_BASE, 0x1000));
		g->page->stop = 1;
		ASSERT_EQ(0, guest_wait(g));
	}
	EXPECT_STREQ("3", fdinfo(g->vm, "regions"));
	gh_mem_free(&mem);
}

GUNYAH_TEST(close_new)
{
	ASSERT_EQ(0, guest_alloc(&self->guest, "hello", NULL));
	ASSERT_EQ(0, guest_setup(&self->guest, self->dev, 0));
}

GUNYAH_TEST(close_running)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, guest_run(g, self->dev, "spin", 0));
	EXPECT_EQ(0, vm_events(g->vm) & POLLHUP);
	guest_free(g);
	EXPECT_ALL_BACK(&self->before, "at the end");
}

/* The last of all descriptors is the one that counts */
GUNYAH_TEST(close_duplicate)
{
	struct guest *g = &self->guest;
	uint64_t count;
	int dup_fd;

	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	dup_fd = dup(g->vm);
	ASSERT_LE(0, dup_fd);
	close(g->vm);
	g->vm = dup_fd;

	count = *(volatile uint64_t *)&g->page->count;
	while (*(volatile uint64_t *)&g->page->count == count)
		sleep_ms(1);
	EXPECT_EQ(0, gh_start(g->vm));
	g->page->stop = 1;
	EXPECT_EQ(0, guest_wait(g));
}

/* A process that dies leaves nothing behind */
GUNYAH_TEST(killed)
{
	struct guest *g = &self->guest;
	int status, ready[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (guest_run(g, self->dev, "spin", 0) || write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
		_exit(2);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	close(ready[0]);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	/* The teardown of the fixture looks for what is left */
}

/* The resource manager hands out the lowest free VMID: at once to the next VM */
GUNYAH_TEST(same_vmid)
{
	struct guest *g = &self->guest;
	char first[32];
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, guest_run(g, self->dev, i ? "hello" : "spin", 0));
		if (!i)
			snprintf(first, sizeof(first), "%s", fdinfo(g->vm, "vmid"));
		else
			EXPECT_STREQ(first, fdinfo(g->vm, "vmid"));
		if (i) {
			EXPECT_EQ(0, guest_wait(g));
			EXPECT_NE(NULL, strstr(g->text, "Hello"));
		}
		guest_free(g);
	}
}

GUNYAH_TEST(two_at_once)
{
	struct guest *a = &self->guest, *b = &self->other;
	char vmid[32];

	ASSERT_EQ(0, guest_run(a, self->dev, "count", 0));
	ASSERT_EQ(0, guest_run(b, self->dev, "hello", 0));
	snprintf(vmid, sizeof(vmid), "%s", fdinfo(a->vm, "vmid"));
	EXPECT_STRNE(vmid, fdinfo(b->vm, "vmid"));

	/* The end of one is not the end of the other */
	ASSERT_EQ(0, guest_wait(b));
	EXPECT_NE(NULL, strstr(b->text, "Hello"));
	EXPECT_EQ(0, vm_events(a->vm) & POLLHUP);
	EXPECT_STREQ("running", fdinfo(a->vm, "state"));
	guest_free(b);
	EXPECT_EQ(0, vm_events(a->vm) & POLLHUP);

	a->page->stop = 1;
	EXPECT_EQ(0, guest_wait(a));
}

static long free_kb(void)
{
	write_text("/proc/sys/vm/drop_caches", "3");
	/* This empties the lists of free pages that each CPU has. */
	write_text("/proc/sys/vm/compact_memory", "1");
	return read_value("/proc/meminfo", "MemFree");
}

/* Guests one after the other, and what each of them may lose before it shows: 1 KiB */
#define CYCLES		200
#define CYCLES_KB	200
#define ROUNDS		4

GUNYAH_TEST(cycles)
{
	static const char *const payloads[] = { "hello", "reset", "abort" };
	long before_kb, lost_kb = 0;
	struct gh_vm_exit_info info;
	struct resources before;
	int round, i, err;

	resources_read(&before);

	/*
	 * What is lost is lost in every round, what the kernel's caches take only
	 * until they are full, however many CPUs have one. So a leak makes all
	 * rounds fail. It has to be a coarse one, as the kernel frees much of what
	 * it frees later: pinned pages are counted exactly, see above, and objects
	 * that are forgotten are found by kmemleak.
	 */
	for (round = 0; round < ROUNDS; round++) {
		before_kb = free_kb();
		for (i = 0; i < CYCLES; i++) {
			if (i % 8 == 7) {
				/* Stopped while it runs */
				err = guest_run(&self->guest, self->dev, "spin", 0);
				guest_free(&self->guest);
			} else {
				err = guest_cycle(&self->guest, self->dev, payloads[i % 3], &info);
			}
			ASSERT_EQ(0, err) {
				TH_LOG("cycle %d: %s", i, strerror(-err));
			}
		}
		EXPECT_ALL_BACK(&before, "at the end of a round");
		lost_kb = before_kb - free_kb();
		TH_LOG("round %d: %ld KiB less free after %d cycles", round, lost_kb, CYCLES);
		if (lost_kb < CYCLES_KB)
			break;
	}
	EXPECT_LT(lost_kb, CYCLES_KB);
}

TEST_HARNESS_MAIN

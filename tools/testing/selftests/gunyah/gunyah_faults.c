// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gunyah_faults.h"

/* One message describes up to 512 pieces of memory */
#define FRAGMENTS	600
#define LEAST_DEADLINE	100
/* How long what is kept has to stay the same, and how often that is tried */
#define SETTLE_MS	20
#define SETTLE_TRIES	100

static unsigned int deadline_ms;
static unsigned int clean_ms;		/* what a guest without faults takes */
static unsigned int usual_ms;		/* the deadline without faults */
/* What there was when it was last looked at */
static struct resources now;
static long now_strays, now_taint;

unsigned int fault_deadline(void)
{
	return deadline_ms;
}

void fault_set_deadline(unsigned int ms)
{
	deadline_ms = ms;
}

bool resources_none(const struct resources *r)
{
	static const struct resources none;

	return !memcmp(r, &none, sizeof(none));
}

static void __attribute__((format(printf, 2, 3)))
wrong(struct fault_outcome *o, const char *format, ...)
{
	va_list args;

	/* What was wrong first is what counts */
	if (o->wrong[0])
		return;
	va_start(args, format);
	vsnprintf(o->wrong, sizeof(o->wrong), format, args);
	va_end(args);
}

#define VCPUS		2

enum pool { SMALL, FRAGMENTED, BARE, PROXY, N_POOLS };

/*
 * One guest of each kind, with the memory that the one before has had: to get memory
 * and to give it back takes as long as the rest of a guest's life.
 */
static struct guest pool[N_POOLS];

static int alloc_small(struct guest *g, const char *payload)
{
	struct gh_mem image;

	memset(g, 0, sizeof(*g));
	return gh_mem_alloc(&image, "image", SMALL_IMAGE) ?: guest_alloc(g, payload, &image);
}

static int pool_get(enum pool kind, const char *payload, struct guest **g)
{
	struct gh_mem image;

	*g = &pool[kind];
	if ((*g)->image.addr)
		return guest_load(*g, payload);
	switch (kind) {
	case FRAGMENTED:
		return mem_alloc_fragments(&image, FRAGMENTS) ?: guest_alloc(*g, payload, &image);
	case BARE:
		return guest_alloc_bare(*g, payload);
	case PROXY:
		return guest_alloc_vcpus(*g, payload, VCPUS, NULL, 0);
	default:
		return alloc_small(*g, payload);
	}
}

/* @back: its memory is the host's again, as far as can be seen */
static void pool_put(struct guest *g, bool back)
{
	if (back)
		guest_close(g);
	else
		guest_free(g);
}

/* Memory that the host has back must be accessible, and what is lent must not be */
static void check_access(struct guest *g, const struct resources *before,
			 const struct resources *kept, struct fault_outcome *o)
{
	bool image = can_read(g->image.addr) && can_read(g->image.addr + g->image.size - 1);
	struct resources now;

	if (!can_read(g->console_mem.addr) || !can_write((uint8_t *)&g->page->reserved0))
		wrong(o, "no access to memory that is shared at most");
	if (!kept->lent_pages && !image)
		wrong(o, "no access to image memory that is not lent");
	/* An answer that came late may have brought it back since they were counted. */
	if (kept->lent_pages && can_read(g->image.addr)) {
		resources_more(before, &now);
		if (now.lent_pages)
			wrong(o, "access to image memory that is lent");
	}
}

/* The outcome of a start is there to stay */
static void check_start(struct guest *g, struct fault_outcome *o)
{
	const char *state = fdinfo(g->vm, "state");
	int again = gh_start(g->vm);

	if (!o->start) {
		if (strcmp(state, "running") && strcmp(state, "exited"))
			wrong(o, "state %s after START", state);
		if (again && again != -ENODEV)
			wrong(o, "a second START gives %d", again);
		return;
	}
	if (strcmp(state, "failed"))
		wrong(o, "state %s after START failed", state);
	if (again != o->start)
		wrong(o, "START gives %d, and then %d", o->start, again);
	if (!(vm_events(g->vm) & POLLHUP))
		wrong(o, "START failed, and no POLLHUP");
}

/* Of a VM that did not start each vCPU says so. */
static void check_load_failed(struct guest *g, struct fault_outcome *o)
{
	unsigned int i;

	for (i = 0; i < g->n_vcpus; i++) {
		const struct gh_vcpu_run *run = g->vcpu[i].run;
		int err = vcpu_run(&g->vcpu[i]);

		if (err || run->exit_reason != GH_VCPU_EXIT_STATUS ||
		    run->status.status != GH_VM_STATUS_LOAD_FAILED)
			wrong(o, "START failed, and RUN gives %d, exit %u", err, run->exit_reason);
	}
}

static void start_vcpus(struct guest *g, struct vcpu_thread *threads, struct fault_outcome *o)
{
	unsigned int i;

	for (i = 0; i < g->n_vcpus; i++) {
		if (vcpu_thread_start(&threads[i], &g->vcpu[i], vcpu_run_to_end)) {
			wrong(o, "no thread for a vCPU");
			abort();
		}
	}
}

/* Whatever became of the VM, it has ended, and each vCPU says so. */
static void join_vcpus(struct guest *g, struct vcpu_thread *threads, struct fault_outcome *o)
{
	unsigned int i;
	int err;

	for (i = 0; i < g->n_vcpus; i++) {
		err = vcpu_thread_join(&threads[i]);
		if (err || g->vcpu[i].run->status.status != GH_VM_STATUS_EXITED)
			wrong(o, "the VM has ended, and RUN of vCPU %u gives %d, status %u", i, err,
			      g->vcpu[i].run->status.status);
	}
}

/* What the driver shows must be all that the resource manager has */
static void check_kept(const struct resources *kept, struct fault_outcome *o)
{
	if (kept->lent_pages * GH_RM_PAGE > kept->quarantined * (long)page_size())
		wrong(o, "%ld pages are lent, %ld in quarantine", kept->lent_pages,
		      kept->quarantined);
	if (kept->rm_parcels > kept->listed)
		wrong(o, "%ld parcels are out, %ld regions in quarantine", kept->rm_parcels,
		      kept->listed);
	/* Of one that a rule was about it may not be known that it is back */
	if (kept->listed > kept->rm_parcels + o->hits)
		wrong(o, "%ld regions in quarantine, %ld parcels are out", kept->listed,
		      kept->rm_parcels);
	if (kept->parcels != kept->listed)
		wrong(o, "%ld parcels by the driver's count, %ld regions in quarantine",
		      kept->parcels, kept->listed);
	if (kept->pins != kept->quarantined)
		wrong(o, "%ld pages pinned, %ld in quarantine", kept->pins, kept->quarantined);
	if (kept->listed && !kept->module_refs)
		wrong(o, "regions in quarantine, and the module is not held");
	if (kept->guests && !kept->listed)
		wrong(o, "a guest runs, and nothing is in quarantine");
}

/*
 * @more becomes by how much everything is more once that stays so. The numbers are read
 * one after the other, and an answer that comes late brings memory back meanwhile.
 */
static void settle(const struct resources *before, struct resources *more)
{
	struct resources next;
	int i;

	for (i = 0; i < SETTLE_TRIES && !resources_none(more); i++) {
		sleep_ms(SETTLE_MS);
		resources_more(before, &next);
		if (!memcmp(more, &next, sizeof(next)))
			break;
		*more = next;
	}
}

/* A few deadlines, one after the other, and what the machine takes */
static void check_time(struct fault_outcome *o, const char *what, unsigned int ms)
{
	if (ms > 4 * deadline_ms + 20 * clean_ms + 2000)
		wrong(o, "%s took %u ms", what, ms);
}

static long strays(void)
{
	return read_value(DEBUGFS "stats", "late_replies") +
	       read_value(DEBUGFS "stats", "unexpected_replies");
}

/*
 * Most of what the kernel has to complain of leaves its mark; the log has the rest. Not
 * meant is the one of an access to memory that is lent, which is what a test does.
 */
static long taint(void)
{
	const long machine_check = 1L << 4;
	char text[32] = "";

	read_text("/proc/sys/kernel/tainted", text, sizeof(text));
	return atol(text) & ~machine_check;
}

static void run_script(int gunyah, const struct fault_script *s, const struct resources *before,
		       struct fault_outcome *o)
{
	struct vcpu_thread threads[VCPUS];
	struct guest other = { }, *g;
	struct gh_vm_exit_info info;
	struct resources kept;
	bool back = false;
	uint32_t vmid = 0;
	uint64_t start;
	unsigned int i;
	int err;

	err = pool_get(s->fragmented ? FRAGMENTED : s->proxy ? PROXY : SMALL, s->payload, &g);
	if (!err && s->bystander) {
		err = alloc_small(&other, "count");
		if (!err)
			err = guest_setup(&other, gunyah, 0) ?: gh_start(other.vm);
		vmid = atoi(fdinfo(other.vm, "vmid"));
	}
	if (!err)
		err = guest_setup(g, gunyah, 0);
	if (err) {
		wrong(o, "cannot set up: %s", strerror(-err));
		goto out;
	}

	set_call_timeout(deadline_ms);
	for (i = 0; i < s->n_rules; i++) {
		const struct fault_rule *r = &s->rules[i];
		uint32_t arg = r->arg;

		if (r->action == GH_LAB_FAULT_BAD_VMID && !arg)
			arg = vmid;
		if (!fault_add(r->msg, r->action, arg, r->skip, r->count))
			wrong(o, "no such rule");
	}

	start = now_ms();
	o->start = gh_start(g->vm);
	o->start_ms = now_ms() - start;
	check_start(g, o);
	if (o->start)
		check_load_failed(g, o);
	else
		start_vcpus(g, threads, o);
	if (!o->start && s->await_end) {
		err = guest_wait(g) ?: gh_exit_info(g->vm, &info);
		if (err)
			wrong(o, "waiting for the end: %s", strerror(-err));
		else
			o->exit_type = info.type;
	}
	start = now_ms();
	close(g->vm);
	g->has_vm = false;
	o->close_ms = now_ms() - start;
	if (!o->start)
		join_vcpus(g, threads, o);
	guest_close(g);
	guest_close(&other);
	o->hits = ctl_read(GH_LAB_CTL_FAULT_HITS);

	resources_more(before, &o->kept);
	kept = o->kept;
	settle(before, &kept);
	check_time(o, "START", o->start_ms);
	check_time(o, "close", o->close_ms);
	check_kept(&kept, o);
	if (!s->bystander)
		check_access(g, before, &kept, o);
	back = resources_none(&o->kept);
out:
	guest_free(&other);
	pool_put(g, back);
}

/* A guest that finds a resource manager as it should be, with all the time in the world */
static int run_clean(int gunyah)
{
	struct gh_vm_exit_info info = { };
	struct guest *g;
	int err;

	err = pool_get(BARE, "reset", &g);
	if (!err)
		err = guest_setup(g, gunyah, 0) ?: gh_start(g->vm);
	if (!err)
		err = guest_wait(g) ?: gh_exit_info(g->vm, &info);
	pool_put(g, !err);
	if (!err && info.type != GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET)
		err = -EIO;
	return err;
}

int fault_calibrate(int gunyah)
{
	uint64_t start;
	int i, err;

	/* The first one gets memory and warms up what the others find */
	for (i = 0; i < 6; i++) {
		start = now_ms();
		err = run_clean(gunyah);
		if (err)
			return err;
		if (i && now_ms() - start > clean_ms)
			clean_ms = now_ms() - start;
	}
	deadline_ms = clean_ms > LEAST_DEADLINE / 2 ? 2 * clean_ms : LEAST_DEADLINE;
	usual_ms = get_call_timeout();
	resources_read(&now);
	now_strays = strays();
	now_taint = taint();
	return 0;
}

/* What there is more than before. That there is nothing more is worth waiting for. */
static void read_left(const struct resources *before, bool wait, struct resources *left)
{
	uint64_t end = now_ms() + 10 * deadline_ms + 2000;

	for (;;) {
		resources_more(before, left);
		if (resources_none(left) || !wait || now_ms() > end)
			return;
		sleep_ms(5);
	}
}

void fault_run(int gunyah, const struct fault_script *s, struct fault_outcome *o)
{
	/* Nothing has happened since that should matter */
	const struct resources before = now;
	const long before_strays = now_strays, before_taint = now_taint;
	int err;

	memset(o, 0, sizeof(*o));
	o->exit_type = -1;
	run_script(gunyah, s, &before, o);

	fault_clear();
	set_call_timeout(usual_ms);
	/* An answer that was held comes now, and there is no event that tells */
	if (!resources_none(&o->kept))
		read_left(&before, s->held, &o->left);

	err = run_clean(gunyah);
	if (err)
		wrong(o, "the next guest: %s", strerror(-err));
	read_left(&before, !s->lasting, &o->lost);
	check_kept(&o->lost, o);
	now_strays = strays();
	o->strays = now_strays - before_strays;
	now_taint = taint();
	o->splat = now_taint != before_taint;
	if (o->splat)
		wrong(o, "the kernel is tainted: %ld, before %ld", now_taint, before_taint);
	resources_add(&now, &o->lost);
}

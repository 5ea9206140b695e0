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

static unsigned int deadline_ms;
static unsigned int clean_ms;		/* what a guest without faults takes */
static struct resources now;		/* what there was when it was last looked at */

unsigned int fault_deadline(void)
{
	return deadline_ms;
}

void fault_double_deadline(void)
{
	deadline_ms *= 2;
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

/* Every other page of a file, one behind the other: few of them are neighbours */
static int alloc_fragmented(struct gh_mem *mem)
{
	const size_t page = page_size(), size = FRAGMENTS * page;
	struct gh_mem pages;
	uint8_t *addr;
	size_t i;
	int err;

	err = gh_mem_alloc(&pages, "fragments", 2 * size);
	if (err)
		return err;
	memset(pages.addr, 0, pages.size);
	addr = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; addr != MAP_FAILED && i < FRAGMENTS; i++) {
		if (mmap(addr + i * page, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 pages.fd, 2 * i * page) == MAP_FAILED) {
			munmap(addr, size);
			addr = MAP_FAILED;
		}
	}
	munmap(pages.addr, pages.size);
	if (addr == MAP_FAILED) {
		close(pages.fd);
		return -ENOMEM;
	}
	*mem = (struct gh_mem){ .fd = pages.fd, .addr = addr, .size = size };
	return 0;
}

static int alloc_small(struct guest *g, const char *payload, bool fragmented)
{
	struct gh_mem image;
	int err;

	memset(g, 0, sizeof(*g));
	err = fragmented ? alloc_fragmented(&image) :
			   gh_mem_alloc(&image, "image", SMALL_IMAGE);
	return err ?: guest_alloc(g, payload, &image);
}

/* Memory that the host has back must be accessible, and what is lent must not be */
static void check_access(struct guest *g, struct fault_outcome *o)
{
	bool image = can_read(g->image.addr) && can_read(g->image.addr + g->image.size - 1);

	if (!can_read(g->console_mem.addr) || !can_write((uint8_t *)&g->page->reserved0))
		wrong(o, "no access to memory that is shared at most");
	if (!o->kept.lent_pages && !image)
		wrong(o, "no access to image memory that is not lent");
	if (o->kept.lent_pages && can_read(g->image.addr))
		wrong(o, "access to image memory that is lent");
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

static void run_script(int gunyah, const struct fault_script *s, const struct resources *before,
		       struct fault_outcome *o)
{
	struct guest g, other = { };
	struct gh_vm_exit_info info;
	uint32_t vmid = 0;
	uint64_t start;
	unsigned int i;
	int err;

	err = alloc_small(&g, s->payload, s->fragmented);
	if (!err && s->bystander) {
		err = alloc_small(&other, "count", false);
		if (!err)
			err = guest_setup(&other, gunyah, 0) ?: gh_start(other.vm);
		vmid = atoi(fdinfo(other.vm, "vmid"));
	}
	if (!err)
		err = guest_setup(&g, gunyah, 0);
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
	o->start = gh_start(g.vm);
	o->start_ms = now_ms() - start;
	check_start(&g, o);
	if (!o->start && s->await_end) {
		err = guest_wait(&g) ?: gh_exit_info(g.vm, &info);
		if (err)
			wrong(o, "waiting for the end: %s", strerror(-err));
		else
			o->exit_type = info.type;
	}
	start = now_ms();
	guest_close(&g);
	o->close_ms = now_ms() - start;
	guest_close(&other);
	o->hits = ctl_read(GH_LAB_CTL_FAULT_HITS);

	resources_more(before, &o->kept);
	check_time(o, "START", o->start_ms);
	check_time(o, "close", o->close_ms);
	check_kept(&o->kept, o);
	if (!s->bystander)
		check_access(&g, o);
out:
	guest_free(&other);
	guest_free(&g);
}

/* A guest that finds a resource manager as it should be, with all the time in the world */
static int run_clean(int gunyah)
{
	struct gh_vm_exit_info info = { };
	struct guest g;
	int err;

	err = guest_alloc_bare(&g, "reset");
	if (!err)
		err = guest_setup(&g, gunyah, 0) ?: gh_start(g.vm);
	if (!err)
		err = guest_wait(&g) ?: gh_exit_info(g.vm, &info);
	guest_free(&g);
	if (!err && info.type != GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET)
		err = -EIO;
	return err;
}

int fault_calibrate(int gunyah)
{
	uint64_t start;
	int i, err;

	for (i = 0; i < 5; i++) {
		start = now_ms();
		err = run_clean(gunyah);
		if (err)
			return err;
		if (now_ms() - start > clean_ms)
			clean_ms = now_ms() - start;
	}
	deadline_ms = clean_ms > LEAST_DEADLINE / 2 ? 2 * clean_ms : LEAST_DEADLINE;
	resources_read(&now);
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
	int usual = get_call_timeout(), err;
	/* Nothing has happened since that should matter */
	const struct resources before = now;
	long strays_before = strays();

	memset(o, 0, sizeof(*o));
	o->exit_type = -1;
	run_script(gunyah, s, &before, o);

	fault_clear();
	set_call_timeout(usual);
	/* An answer that was held comes now, and there is no event that tells */
	if (!resources_none(&o->kept))
		read_left(&before, s->held, &o->left);

	err = run_clean(gunyah);
	if (err)
		wrong(o, "the next guest: %s", strerror(-err));
	read_left(&before, !s->lasting, &o->lost);
	check_kept(&o->lost, o);
	o->strays = strays() - strays_before;
	resources_add(&now, &o->lost);
}

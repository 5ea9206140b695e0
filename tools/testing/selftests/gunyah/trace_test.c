// SPDX-License-Identifier: GPL-2.0-only
/*
 * The drivers' trace events, as tracefs tells them: what happens in the life of a guest,
 * in which order and with which values. In a trace instance of its own, so that nobody
 * else's tracing is disturbed.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "gunyah_test.h"

#define INSTANCE	"instances/gunyah_test/"
#define EVENTS		INSTANCE "events/gunyah/"
#define TRACE_SIZE	0x100000
#define MAX_EVENTS	4096
/* A deadline that can be waited for */
#define SHORT_MS	500
/* Pages that do not fit in one message */
#define FRAGMENTS	600
#define ENTRIES		512
#define ROUNDS		8

struct event {
	char name[24];
	char text[232];
};

static struct event events[MAX_EVENTS];
static size_t n_events;

/* A file of tracefs, wherever it is mounted */
static const char *tracefs(const char *file)
{
	static const char *const roots[] = { "/sys/kernel/tracing/", "/sys/kernel/debug/tracing/" };
	static char path[2][256];
	static int turn;
	size_t i;

	turn ^= 1;
	for (i = 0; i < ARRAY_SIZE(roots); i++) {
		snprintf(path[turn], sizeof(path[turn]), "%sinstances", roots[i]);
		if (!access(path[turn], F_OK)) {
			snprintf(path[turn], sizeof(path[turn]), "%s%s", roots[i], file);
			return path[turn];
		}
	}
	return NULL;
}

/* From here on all events are recorded. NULL, or why they cannot be */
static const char *trace_begin(void)
{
	if (!tracefs(""))
		return "no tracefs";
	/* What a test that failed left there */
	rmdir(tracefs(INSTANCE));
	if (mkdir(tracefs(INSTANCE), 0700))
		return "no trace instances";
	/* Numbers the events, which gives them an order whichever CPU they are from */
	if (write_text(tracefs(INSTANCE "trace_clock"), "counter"))
		return "no trace clock that counts";
	if (write_text(tracefs(EVENTS "enable"), "1")) {
		rmdir(tracefs(INSTANCE));
		return "no events of gunyah";
	}
	return NULL;
}

#define TRACE_BEGIN()								\
	do {									\
		const char *why_ = trace_begin();				\
										\
		if (why_)							\
			SKIP(return, "%s", why_);				\
	} while (0)

/* No more events; those that were recorded are in events[]. False if some are missing. */
static bool trace_end(void)
{
	unsigned long kept = 0, written = 1;
	char *text, *line, *at, *end;
	struct event *e;

	n_events = 0;
	write_text(tracefs(EVENTS "enable"), "0");
	text = calloc(1, TRACE_SIZE);
	if (!text || read_text(tracefs(INSTANCE "trace"), text, TRACE_SIZE))
		return false;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "# entries-in-buffer/entries-written: %lu/%lu", &kept,
			   &written) == 2)
			continue;
		at = strstr(line, ": gh_");
		end = at ? strchr(at + 2, ':') : NULL;
		if (line[0] == '#' || !end || n_events == MAX_EVENTS)
			continue;
		e = &events[n_events++];
		snprintf(e->name, sizeof(e->name), "%.*s", (int)(end - at - 2), at + 2);
		snprintf(e->text, sizeof(e->text), "%s", end + 1);
	}
	free(text);
	rmdir(tracefs(INSTANCE));
	return kept == written && kept == n_events;
}

/* The next event @name behind @after, or the first one. @name may be NULL for any. */
static const struct event *next(const struct event *after, const char *name)
{
	const struct event *e;

	for (e = after ? after + 1 : events; e < events + n_events; e++)
		if (!name || !strcmp(e->name, name))
			return e;
	return NULL;
}

static unsigned int count(const char *name)
{
	const struct event *e;
	unsigned int n = 0;

	for (e = next(NULL, name); e; e = next(e, name))
		n++;
	return n;
}

/* The value that an event has for @key; one of the last four that were asked for */
static const char *get(const struct event *e, const char *key)
{
	static char value[4][64];
	static unsigned int turn;
	size_t len = strlen(key);
	const char *at;

	if (!e)
		return "no event";
	for (at = strchr(e->text, ' '); at; at = strchr(at + 1, ' ')) {
		if (!strncmp(at + 1, key, len) && at[1 + len] == '=') {
			turn = (turn + 1) % 4;
			snprintf(value[turn], sizeof(value[0]), "%.*s",
				 (int)strcspn(at + 2 + len, " "), at + 2 + len);
			return value[turn];
		}
	}
	return "no field";
}

static bool has(const struct event *e, const char *key, const char *value)
{
	return !strcmp(get(e, key), value);
}

static uint64_t number(const struct event *e, const char *key)
{
	return strtoull(get(e, key), NULL, 0);
}

/* One of the three numbers that come with an exit */
static uint64_t data(const struct event *e, unsigned int which)
{
	const char *at = get(e, "data");

	while (which-- && at)
		at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL;
	return at ? strtoull(at, NULL, 0) : -1ULL;
}

static void show_events(struct __test_metadata *_metadata)
{
	const struct event *e;

	for (e = next(NULL, NULL); e; e = next(e, NULL))
		TH_LOG("%s:%s", e->name, e->text);
}

/* All values of @key in events @name in order, up to a bracket, without those of @except */
static const char *all(const char *name, const char *key, const char *except)
{
	static char text[1024];
	const struct event *e;
	const char *value;
	size_t len = 0;

	text[0] = 0;
	for (e = next(NULL, name); e && len < sizeof(text); e = next(e, name)) {
		value = get(e, key);
		if (!except || strncmp(value, except, strlen(except)))
			len += snprintf(text + len, sizeof(text) - len, "%s%.*s", len ? " " : "",
					(int)strcspn(value, "("), value);
	}
	return text;
}

/* The states that @vm had by events @name. "!" is where one does not follow the other. */
static const char *states(const char *name, const char *vm)
{
	static char text[512];
	const struct event *e;
	char before[32] = "";
	size_t len = 0;

	text[0] = 0;
	for (e = next(NULL, name); e && len < sizeof(text); e = next(e, name)) {
		if (!has(e, "vm", vm))
			continue;
		if (!has(e, "from", before))
			len += snprintf(text + len, sizeof(text) - len, "%s%s",
					before[0] ? "! " : "", get(e, "from"));
		snprintf(before, sizeof(before), "%s", get(e, "to"));
		len += snprintf(text + len, sizeof(text) - len, " %s", before);
	}
	return text;
}

/* Each request has a reply, and none came to nothing */
static void expect_answered(struct __test_metadata *_metadata)
{
	const struct event *request, *e, *reply;

	for (request = next(NULL, "gh_rm_request"); request;
	     request = next(request, "gh_rm_request")) {
		reply = NULL;
		for (e = request + 1; e < events + n_events && strcmp(e->name, "gh_rm_request");
		     e++) {
			if (strcmp(e->name, "gh_rm_reply"))
				continue;
			EXPECT_EQ(NULL, reply);
			reply = e;
		}
		EXPECT_NE(NULL, reply) {
			TH_LOG("no reply to%s", request->text);
		}
		EXPECT_STREQ(get(request, "id"), get(reply, "id"));
		EXPECT_STREQ(get(request, "seq"), get(reply, "seq"));
		EXPECT_STREQ("OK(0)", get(reply, "error"));
		EXPECT_STREQ("0", get(reply, "late"));
	}
	EXPECT_EQ(0, count("gh_rm_bad_message"));
}

/* Runs and exits of each vCPU take turns, and whoever has run has left */
static void expect_pairs(struct __test_metadata *_metadata, unsigned int n_vcpus)
{
	const struct event *e, *run;
	char vcpu[16];
	unsigned int i;

	for (i = 0; i < n_vcpus; i++) {
		snprintf(vcpu, sizeof(vcpu), "%u", i);
		run = NULL;
		for (e = next(NULL, NULL); e; e = next(e, NULL)) {
			if (strncmp(e->name, "gh_vcpu_", 8) || !has(e, "vcpu", vcpu))
				continue;
			EXPECT_STREQ(run ? "gh_vcpu_exit" : "gh_vcpu_run", e->name) {
				TH_LOG("vCPU %u:%s", i, e->text);
			}
			run = run ? NULL : e;
		}
		EXPECT_EQ(NULL, run);
	}
	EXPECT_LT(0, count("gh_vcpu_run"));
	EXPECT_EQ(count("gh_vcpu_run"), count("gh_vcpu_exit"));
}

/* What is told of the regions of a guest of guest_setup(), which is gone */
static void expect_memory(struct __test_metadata *_metadata, const char *vm, const char *vmid,
			  bool shared)
{
	const struct {
		const char *label;
		uint64_t gpa;
		uint64_t size;
		const char *flags;
	} regions[] = {
		{ "0x0", GH_GUEST_BASE, IMAGE_SIZE,
		  shared ? "READ|WRITE|EXEC" : "READ|WRITE|EXEC|LENT" },
		{ "0x10", GH_CONSOLE_BASE,
		  (GH_CONSOLE_SIZE + page_size() - 1) & -page_size(), "READ|WRITE" },
		{ "0x11", TEST_PAGE_BASE, page_size(), "READ|WRITE" },
	};
	static const char *const names[] = { "gh_vm_mem_pin", "gh_vm_mem_unpin" };
	const struct event *e, *give, *reclaim;
	size_t i, j;

	for (j = 0; j < ARRAY_SIZE(names); j++) {
		ASSERT_EQ(ARRAY_SIZE(regions), count(names[j]));
		for (i = 0, e = NULL; i < ARRAY_SIZE(regions); i++) {
			e = next(e, names[j]);
			EXPECT_STREQ(vm, get(e, "vm"));
			EXPECT_STREQ("0", get(e, "vmid"));
			EXPECT_STREQ(regions[i].label, get(e, "label"));
			EXPECT_EQ(regions[i].gpa, number(e, "gpa"));
			EXPECT_EQ(regions[i].size, number(e, "size"));
			EXPECT_STREQ(regions[i].flags, get(e, "flags"));
			EXPECT_LT(0, number(e, "runs"));
			EXPECT_STREQ("none", get(e, "state"));
		}
	}

	EXPECT_EQ(shared ? 0 : 1, count("gh_rm_mem_lend"));
	EXPECT_EQ(shared ? 3 : 2, count("gh_rm_mem_share"));
	ASSERT_EQ(3, count("gh_rm_mem_reclaim"));
	EXPECT_EQ(0, count("gh_vm_mem_quarantine"));
	for (i = 0, give = NULL; i < ARRAY_SIZE(regions); i++) {
		give = i || shared ? next(give, "gh_rm_mem_share") : next(NULL, "gh_rm_mem_lend");
		EXPECT_STREQ(vmid, get(give, "vmid"));
		EXPECT_STREQ(regions[i].label, get(give, "label"));
		EXPECT_STREQ("held", get(give, "state"));
		EXPECT_STREQ("0", get(give, "ret"));
		/* In the reverse order, and each under its own handle */
		reclaim = NULL;
		for (j = i; j < ARRAY_SIZE(regions); j++)
			reclaim = next(reclaim, "gh_rm_mem_reclaim");
		EXPECT_STREQ(regions[i].label, get(reclaim, "label"));
		EXPECT_STREQ(get(give, "handle"), get(reclaim, "handle"));
		EXPECT_STREQ("0", get(reclaim, "ret"));
	}
}

/* From the first region to the last page */
static void life(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self, bool shared)
{
	static const char *const requests[] = {
		"VM_ALLOC_VMID", "MEM_LEND", "MEM_SHARE", "MEM_SHARE", "VM_CONFIG_IMAGE", "VM_INIT",
		"VM_GET_HYP_RESOURCES", "VM_START", "VM_RESET", "MEM_RECLAIM", "MEM_RECLAIM",
		"MEM_RECLAIM", "VM_DEALLOC_VMID",
	};
	struct guest *g = &self->guest;
	unsigned int ends = 0, changes = 0;
	const struct event *e;
	char vm[32], vmid[16];
	const char *at;
	size_t i;
	int err;

	TRACE_BEGIN();
	err = guest_run(g, self->dev, "count", shared ? GUEST_SHARE : 0);
	if (err && shared && !ctl_present()) {
		trace_end();
		SKIP(return, "this hypervisor refuses shared image memory");
	}
	ASSERT_EQ(0, err);
	snprintf(vmid, sizeof(vmid), "%s", fdinfo(g->vm, "vmid"));
	g->page->stop = 1;
	ASSERT_EQ(0, guest_wait(g));
	guest_close(g);
	ASSERT_TRUE(trace_end());

	e = next(NULL, "gh_vm_state");
	snprintf(vm, sizeof(vm), "%s", get(e, "vm"));
	EXPECT_STREQ("new starting running exited stopping resetting exited",
		     states("gh_vm_state", vm)) {
		show_events(_metadata);
	}
	/* RESETTING may be over before it is told */
	EXPECT_EQ(0, strncmp("NO_STATE LOAD INIT READY RUNNING EXITED RESET",
			     states("gh_vm_rm_status", vm), 45));
	EXPECT_STREQ(" RESET", strrchr(states("gh_vm_rm_status", vm), ' '));
	/* It gets its VMID while it is starting, and has none in the end */
	for (; e; e = next(e, "gh_vm_state"))
		EXPECT_STREQ(has(e, "from", "new") || has(e, "from", "resetting") ? "0" : vmid,
			     get(e, "vmid"));

	/* Our own VMID is asked for once in the driver's life */
	at = all("gh_rm_request", "id", "VM_GET_VMID");
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		const char *want = i == 1 && shared ? "MEM_SHARE" : requests[i];
		size_t len = strcspn(at, " ");

		EXPECT_TRUE(len == strlen(want) && !strncmp(at, want, len)) {
			TH_LOG("request %zu is %.*s instead of %s", i, (int)len, at, want);
		}
		at += len + !!at[len];
	}
	EXPECT_STREQ("", at);
	EXPECT_NE(NULL, strstr(next(NULL, "gh_rm_request")->text,
			       "id=VM_ALLOC_VMID(0x56000001) ") ?:
		  strstr(next(NULL, "gh_rm_request")->text, "id=VM_GET_VMID(0x56000024) "));
	expect_answered(_metadata);

	/* The end is told once, states more often */
	for (e = next(NULL, "gh_rm_notification"); e; e = next(e, "gh_rm_notification")) {
		if (!has(e, "vmid", vmid))
			continue;
		ends += has(e, "id", "VM_EXITED(0x56100001)");
		changes += has(e, "id", "VM_STATUS(0x56100008)");
	}
	EXPECT_EQ(1, ends);
	/* INIT to RESET; there may have been one before somebody listened */
	EXPECT_LE(6, changes);
	expect_memory(_metadata, vm, vmid, shared);
	EXPECT_EQ(0, count("gh_vcpu_run") + count("gh_vcpu_exit"));
}

GUNYAH_TEST(lent)
{
	life(_metadata, self, false);
}

GUNYAH_TEST(shared)
{
	if (ctl_is_production())
		SKIP(return, "production policy: image memory must be lent");
	life(_metadata, self, true);
}

/* More pieces of memory than fit in a message */
GUNYAH_TEST(append)
{
	struct guest *g = &self->guest;
	struct gh_mem image;
	const struct event *lend, *append;
	uint64_t runs;

	TRACE_BEGIN();
	ASSERT_EQ(0, mem_alloc_fragments(&image, FRAGMENTS));
	ASSERT_EQ(0, guest_alloc(g, "spin", &image));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	guest_close(g);
	ASSERT_TRUE(trace_end());

	runs = number(next(NULL, "gh_vm_mem_pin"), "runs");
	ASSERT_LT(ENTRIES, runs);
	lend = next(NULL, "gh_rm_mem_lend");
	append = next(NULL, "gh_rm_mem_append");
	EXPECT_EQ(1, count("gh_rm_mem_append"));
	EXPECT_EQ(runs, number(lend, "entries"));
	EXPECT_EQ(runs - ENTRIES, number(append, "entries"));
	EXPECT_STREQ(get(lend, "handle"), get(append, "handle"));
	EXPECT_STREQ("0x0", get(append, "label"));
	EXPECT_STREQ("0", get(append, "ret"));
	EXPECT_NE(NULL, strstr(all("gh_rm_request", "id", NULL), "MEM_LEND MEM_APPEND "));
	expect_answered(_metadata);
}

/* Each access to a device is told as it came, and the answer as it went */
GUNYAH_TEST(vcpu)
{
	struct guest *g = &self->guest;
	const struct event *e, *run;
	struct vcpu *v = &g->vcpu[0];
	const char *wrong = NULL;
	unsigned int i, size;
	uint64_t answer = 0;
	struct echo echo;
	char vmid[16];

	TRACE_BEGIN();
	ASSERT_EQ(0, guest_alloc_vcpus(g, "echo", 1, NULL, 0));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	echo_init(g, &echo, ROUNDS, 0);
	ASSERT_EQ(0, gh_start(g->vm));
	snprintf(vmid, sizeof(vmid), "%s", fdinfo(g->vm, "vmid"));
	for (i = 0; i < 2 * ROUNDS && !wrong; i++) {
		ASSERT_EQ(0, vcpu_run(v));
		wrong = echo_exit(&echo, v->run);
	}
	EXPECT_EQ(NULL, wrong);
	EXPECT_EQ(0, vcpu_run_to_end(v));
	guest_close(g);
	ASSERT_TRUE(trace_end());

	expect_pairs(_metadata, 1);
	/* Nobody else runs vCPUs here, and this one is interrupted when it likes */
	for (i = 0, e = next(NULL, "gh_vcpu_exit"); e; e = next(e, "gh_vcpu_exit")) {
		EXPECT_STREQ(vmid, get(e, "vmid"));
		EXPECT_STREQ("0", get(e, "error"));
		if (strncmp(get(e, "state"), "VMMIO_", 6))
			continue;
		size = 1 << (i / 2 & 3);
		if (!(i & 1)) {
			EXPECT_STREQ("VMMIO_READ(0x4)", get(e, "state"));
			EXPECT_EQ(ECHO_BASE, data(e, 0));
			EXPECT_EQ(size, data(e, 1));
			answer = (i / 2 + 1) * 0x9e3779b97f4a7c15;
			if (size < 8)
				answer &= (1ULL << 8 * size) - 1;
			run = next(e, "gh_vcpu_run");
			EXPECT_EQ(answer, number(run, "resume_data"));
		} else {
			uint64_t value = data(e, 2);

			EXPECT_STREQ("VMMIO_WRITE(0x5)", get(e, "state"));
			EXPECT_EQ(ECHO_BASE + 8, data(e, 0));
			EXPECT_EQ(size, data(e, 1));
			if (size < 8)
				value &= (1ULL << 8 * size) - 1;
			EXPECT_EQ(answer, value);
		}
		i++;
	}
	EXPECT_EQ(2 * ROUNDS, i) {
		show_events(_metadata);
	}
	for (e = NULL; next(e, "gh_vcpu_exit"); e = next(e, "gh_vcpu_exit"))
		;
	EXPECT_STREQ("POWERED_OFF(0x2)", get(e, "state"));
	expect_answered(_metadata);
}

/* vCPUs in threads, of which one is switched off until the end */
GUNYAH_TEST(vcpus)
{
	struct guest *g = &self->guest;
	struct vcpu_thread t;

	TRACE_BEGIN();
	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "hello", 2));
	ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[1], vcpu_run_to_end));
	EXPECT_EQ(0, vcpu_run_to_end(&g->vcpu[0]));
	EXPECT_EQ(0, vcpu_thread_join(&t));
	guest_close(g);
	ASSERT_TRUE(trace_end());
	expect_pairs(_metadata, 2);
	EXPECT_NE(NULL, strstr(all("gh_vcpu_exit", "state", NULL), "POWERED_OFF"));
}

/* A vCPU that the hypervisor does not run has left all the same */
GUNYAH_TEST(vcpu_error)
{
	const struct call_rule rule = {
		.call = CALL_VCPU_RUN, .after = GH_LAB_ANY, .count = 1, .error = ERROR_BUSY,
	};
	struct guest *g = &self->guest;
	const struct event *e;

	SKIP_WITHOUT_CONTROL();
	TRACE_BEGIN();
	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "hello", 1));
	ASSERT_TRUE(call_rule_add(&rule));
	EXPECT_EQ(-EBUSY, vcpu_run(&g->vcpu[0]));
	EXPECT_EQ(0, vcpu_run_to_end(&g->vcpu[0]));
	guest_close(g);
	ASSERT_TRUE(trace_end());
	expect_pairs(_metadata, 1);
	e = next(NULL, "gh_vcpu_exit");
	EXPECT_STREQ("31", get(e, "error"));
	EXPECT_STREQ("0x0,0x0,0x0", get(e, "data"));
	EXPECT_STREQ("0", get(next(e, "gh_vcpu_exit"), "error"));
}

/* What the resource manager says no with, whether we know it or not */
GUNYAH_TEST(refused)
{
	static const struct {
		uint32_t error;
		int err;
		const char *shown;
	} errors[] = {
		{ 5, -EBUSY, "BUSY(5)" },
		{ 20, -EBADFD, "VM_STATE(20)" },
		{ 0xffffffff, -EOPNOTSUPP, "UNIMPLEMENTED(4294967295)" },
		{ 77, -EBADMSG, "0x4d(77)" },
	};
	struct guest *g = &self->guest;
	const struct event *e;
	char vm[32];
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		TRACE_BEGIN();
		ASSERT_TRUE(fault_add(RM_VM_INIT, GH_LAB_FAULT_REFUSE, errors[i].error, 0, 1));
		EXPECT_EQ(errors[i].err, guest_run(g, self->dev, "hello", 0));
		guest_free(g);
		fault_clear();
		ASSERT_TRUE(trace_end());
		for (e = next(NULL, "gh_rm_reply"); e; e = next(e, "gh_rm_reply"))
			if (has(e, "id", "VM_INIT(0x5600000b)"))
				break;
		EXPECT_STREQ(errors[i].shown, get(e, "error"));
		EXPECT_EQ(0, count("gh_rm_bad_message"));
		snprintf(vm, sizeof(vm), "%s", get(next(NULL, "gh_vm_state"), "vm"));
		EXPECT_STREQ("new starting failed stopping exited", states("gh_vm_state", vm));
	}
}

/* Replies that are none, and what was asked for */
GUNYAH_TEST(bad_message)
{
	static const struct {
		uint32_t action;
		uint32_t arg;
		int err;
		const char *why;
		bool replied;			/* beside that, it was answered */
		bool seq;			/* the number is that of the request */
	} faults[] = {
		{ GH_LAB_FAULT_BAD_SEQ, 7, -ETIMEDOUT, "unexpected", false, false },
		{ GH_LAB_FAULT_DUPLICATE, 0, 0, "unexpected", true, true },
		/* Too short for an error code; for a list; for the list that it says it is */
		{ GH_LAB_FAULT_TRUNCATE, 2, -EPROTO, "reply", false, true },
		{ GH_LAB_FAULT_TRUNCATE, 4, -EPROTO, "reply", true, false },
		{ GH_LAB_FAULT_TRUNCATE, 20, -EPROTO, "reply", true, false },
	};
	struct guest *g = &self->guest;
	const struct event *e, *request;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		TRACE_BEGIN();
		ASSERT_TRUE(fault_add(RM_VM_GET_HYP_RESOURCES, faults[i].action, faults[i].arg, 0,
				      1));
		EXPECT_EQ(faults[i].err, guest_run_vcpus(g, self->dev, "hello", 1));
		guest_free(g);
		fault_clear();
		ASSERT_TRUE(trace_end());

		request = NULL;
		do {
			request = next(request, "gh_rm_request");
		} while (request && !has(request, "id", "VM_GET_HYP_RESOURCES(0x56000020)"));
		EXPECT_EQ(1, count("gh_rm_bad_message")) {
			TH_LOG("fault %zu", i);
			show_events(_metadata);
		}
		e = next(request, "gh_rm_bad_message");
		EXPECT_STREQ("VM_GET_HYP_RESOURCES(0x56000020)", get(e, "id"));
		EXPECT_STREQ(faults[i].why, get(e, "why"));
		EXPECT_EQ(faults[i].seq, has(e, "seq", get(request, "seq")));
		e = next(request, "gh_rm_reply");
		EXPECT_EQ(faults[i].replied, has(e, "id", get(request, "id")));
	}
}

/* A reply for which nobody waits any more */
GUNYAH_TEST(late)
{
	struct guest *g = &self->guest;
	const struct event *e, *late = NULL;

	SKIP_WITHOUT_CONTROL();
	TRACE_BEGIN();
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	ASSERT_TRUE(fault_add(RM_VM_ALLOCATE, GH_LAB_FAULT_DELAY, 2 * EVENT_MS, 0, 1));
	EXPECT_EQ(-ETIMEDOUT, guest_run(g, self->dev, "hello", 0));
	guest_free(g);
	set_call_timeout(self->call_timeout);
	fault_clear();
	/* The VMID that has come too late is given back */
	EXPECT_ALL_BACK(&self->before, "after the late reply");
	ASSERT_TRUE(trace_end());
	for (e = next(NULL, "gh_rm_reply"); e; e = next(e, "gh_rm_reply"))
		if (has(e, "late", "1"))
			late = e;
	EXPECT_STREQ("VM_ALLOC_VMID(0x56000001)", get(late, "id"));
	EXPECT_STREQ("OK(0)", get(late, "error"));
	EXPECT_STREQ(get(next(NULL, "gh_rm_request"), "seq"), get(late, "seq"));
	EXPECT_STREQ("VM_ALLOC_VMID VM_DEALLOC_VMID", all("gh_rm_request", "id", NULL));
}

/* Memory that does not come back, and then does */
GUNYAH_TEST(quarantine)
{
	struct guest *g = &self->guest;
	const struct event *e;
	char vm[32], vmid[16];

	SKIP_WITHOUT_CONTROL();
	TRACE_BEGIN();
	ASSERT_EQ(0, guest_run(g, self->dev, "spin", 0));
	snprintf(vmid, sizeof(vmid), "%s", fdinfo(g->vm, "vmid"));
	ASSERT_EQ(0, set_call_timeout(SHORT_MS));
	ASSERT_TRUE(fault_add(RM_MEM_RECLAIM, GH_LAB_FAULT_IGNORE, 0, 0, FAULT_ALWAYS));
	guest_free(g);
	EXPECT_LT(0, quarantine_pages());
	set_call_timeout(self->call_timeout);
	fault_clear();
	EXPECT_EQ(0, guest_cycle(&self->other, self->dev, "hello", &(struct gh_vm_exit_info){ }));
	EXPECT_ALL_BACK(&self->before, "after the next guest");
	ASSERT_TRUE(trace_end());

	e = next(NULL, "gh_vm_state");
	snprintf(vm, sizeof(vm), "%s", get(e, "vm"));
	EXPECT_STREQ("new starting running stopping resetting quarantined exited",
		     states("gh_vm_state", vm));
	e = next(NULL, "gh_rm_mem_reclaim");
	EXPECT_STREQ("0x11", get(e, "label"));
	EXPECT_STREQ("-110", get(e, "ret"));
	EXPECT_LE(3, count("gh_vm_mem_quarantine")) {
		show_events(_metadata);
	}
	for (e = next(NULL, "gh_vm_mem_quarantine"); e; e = next(e, "gh_vm_mem_quarantine")) {
		EXPECT_STREQ(vm, get(e, "vm"));
		EXPECT_STREQ(vmid, get(e, "vmid"));
		EXPECT_STREQ("held", get(e, "state"));
	}
	EXPECT_EQ(6, count("gh_vm_mem_pin"));
	EXPECT_EQ(6, count("gh_vm_mem_unpin"));
}

/* Programs that read the events in binary learn all names from the formats */
GUNYAH_TEST(formats)
{
	static const char *const names[] = {
		"gh_rm_request", "gh_rm_reply", "gh_rm_notification", "gh_rm_bad_message",
		"gh_rm_mem_lend", "gh_rm_mem_share", "gh_rm_mem_append", "gh_rm_mem_reclaim",
		"gh_vm_state", "gh_vm_rm_status", "gh_vm_mem_pin", "gh_vm_mem_unpin",
		"gh_vm_mem_quarantine", "gh_vcpu_run", "gh_vcpu_exit",
	};
	char path[128], text[8192];
	struct dirent *entry;
	unsigned int n = 0;
	size_t i;
	DIR *dir;

	if (!tracefs("") || access(tracefs("events/gunyah"), F_OK))
		SKIP(return, "no events of gunyah");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "events/gunyah/%s/format", names[i]);
		ASSERT_EQ(0, read_text(tracefs(path), text, sizeof(text))) {
			TH_LOG("%s", path);
		}
		EXPECT_NE(NULL, strstr(text, "print fmt: "));
		EXPECT_EQ(NULL, strstr(text, "GH_")) {
			TH_LOG("an enumerator in the format of %s: %.40s", names[i],
			       strstr(text, "GH_"));
		}
	}
	dir = opendir(tracefs("events/gunyah"));
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir)))
		n += !strncmp(entry->d_name, "gh_", 3);
	closedir(dir);
	EXPECT_EQ(ARRAY_SIZE(names), n);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every fault at every call of a guest's start and end, and at every notification.
 *
 * A row is one call or notification and one kind of fault, and one result. It has a
 * case for each way in which the fault can be had, and each case is one guest from
 * start to close, and another one after it for which all is well. What is expected
 * is in the two tables, and what came of each case is printed as a table.
 *
 * Without arguments these are the faults after which everything comes back. With
 * --lost it is the others: what was given out in a call whose answer never came is
 * lost to both sides for good. VMIDs and memory get less by that, and the module stays
 * in use, so nothing else can be tested in the same boot.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gunyah_faults.h"
#include "../kselftest.h"

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

/* Seconds that a case may take, whatever the machine is like */
#define CASE_LIMIT	300
/* Attempts, with longer deadlines, if the machine was too slow for a short one */
#define ATTEMPTS	3

/* Where things end up */
enum end {
	NOT_HERE	= '-',	/* there is no such row */
	BACK		= 'b',	/* everything is back when the guest is closed */
	BY_ITSELF	= 'i',	/* the last of it when the answer that was held comes */
	BY_NEXT		= 'n',	/* when the next guest shows that there are answers again */
	SOMEHOW		= 's',	/* at one of these times */
	NO_VMID		= 'v',	/* a VMID never */
	NO_MEMORY	= 'm',	/* a VMID and memory never */
};

static const char *end_name(enum end end)
{
	switch (end) {
	case BACK:
		return "all, at once";
	case BY_ITSELF:
		return "all, late";
	case BY_NEXT:
		return "all, by next";
	case SOMEHOW:
		return "all";
	case NO_VMID:
		return "lost VMID";
	case NO_MEMORY:
		return "lost memory";
	default:
		return "?";
	}
}

struct expected {
	int start;
	int exit_type;
	enum end end;
	long regions;		/* in quarantine after close */
};

struct arg {
	uint32_t value;
	int start;		/* for REFUSE: what START makes of it */
};

/* Every code that the resource manager has, and one that it has not */
static const struct arg rm_errors[] = {
	{ 0x01, -ENOMEM },	/* NOMEM */
	{ 0x02, -ENODEV },	/* NORESOURCE */
	{ 0x03, -EPERM },	/* DENIED */
	{ 0x04, -EINVAL },	/* MSG_INVALID */
	{ 0x05, -EBUSY },	/* BUSY */
	{ 0x06, -EINVAL },	/* ARGUMENT_INVALID */
	{ 0x07, -EINVAL },	/* HANDLE_INVALID */
	{ 0x08, -EINVAL },	/* VALIDATE_FAILED */
	{ 0x09, -EINVAL },	/* MAP_FAILED */
	{ 0x0a, -EINVAL },	/* MEM_INVALID */
	{ 0x0b, -EINVAL },	/* MEM_INUSE */
	{ 0x0c, -EINVAL },	/* MEM_RELEASED */
	{ 0x0d, -EINVAL },	/* VMID_INVALID */
	{ 0x0e, -EINVAL },	/* LOOKUP_FAILED */
	{ 0x0f, -EINVAL },	/* IRQ_INVALID */
	{ 0x10, -EINVAL },	/* IRQ_INUSE */
	{ 0x11, -EINVAL },	/* IRQ_RELEASED */
	{ 0x12, -EBUSY },	/* IN_USE */
	{ 0x13, -EINVAL },	/* IRQ_NOT_MAPPED */
	{ 0x14, -EBADFD },	/* VM_STATE */
	{ 0xffffffff, -EOPNOTSUPP },	/* UNIMPLEMENTED */
	{ 0x777, -EBADMSG },
};

static const struct arg busy[] = { { 5, -EBUSY } };
static const struct arg none[] = { { 0, 0 } };
static const struct arg soon[] = { { 20, 0 } };
static const struct arg held[] = { { FAULT_HELD_MS, 0 } };
static const struct arg sequences[] = { { 1, 0 }, { 0xffff, 0 } };
/* One that there is, and one that there is not */
static const struct arg ids[] = { { RM_VM_GET_STATE ^ 1, 0 }, { RM_VM_STOP, 0 } };
static const struct arg lengths[] = { { 0, 0 }, { 2, 0 }, { 4, 0 }, { 6, 0 }, { 8, 0 },
				     { 51, 0 } };

enum kind {
	REFUSED, ALWAYS_REFUSED, DELAYED, TWICE, LATE, IGNORED, NEVER_ANSWERED, UNANSWERED,
	BAD_SEQUENCE, BAD_ID, SHORT, N_KINDS
};

static const struct {
	const char *name;
	uint32_t action;
	uint32_t count;
	const struct arg *args;
	size_t n_args;
	int start;		/* what START makes of it, unless the argument says */
} kinds[N_KINDS] = {
#define ARGS(a)	(a), ARRAY_LEN(a)
	[REFUSED] = { "refused", GH_LAB_FAULT_REFUSE, 1, ARGS(rm_errors), 1 },
	[ALWAYS_REFUSED] = { "refused always", GH_LAB_FAULT_REFUSE, FAULT_ALWAYS, ARGS(busy), 1 },
	[DELAYED] = { "delayed", GH_LAB_FAULT_DELAY, 1, ARGS(soon), 0 },
	[LATE] = { "late", GH_LAB_FAULT_DELAY, 1, ARGS(held), -ETIMEDOUT },
	[IGNORED] = { "ignored", GH_LAB_FAULT_IGNORE, 1, ARGS(none), -ETIMEDOUT },
	[NEVER_ANSWERED] = { "ignored always", GH_LAB_FAULT_IGNORE, FAULT_ALWAYS, ARGS(none),
			     -ETIMEDOUT },
	[UNANSWERED] = { "unanswered", GH_LAB_FAULT_NO_REPLY, 1, ARGS(none), -ETIMEDOUT },
	[TWICE] = { "answered twice", GH_LAB_FAULT_DUPLICATE, 1, ARGS(none), 0 },
	[SHORT] = { "truncated", GH_LAB_FAULT_TRUNCATE, 1, ARGS(lengths), -EPROTO },
	[BAD_SEQUENCE] = { "wrong sequence", GH_LAB_FAULT_BAD_SEQ, 1, ARGS(sequences), -ETIMEDOUT },
	[BAD_ID] = { "wrong id", GH_LAB_FAULT_BAD_ID, 1, ARGS(ids), -ETIMEDOUT },
};

enum phase { START, END };

static const struct call {
	const char *name;
	uint32_t msg;
	uint32_t skip;
	enum phase phase;
	unsigned int answer;	/* bytes of a good answer */
	const char *ends;	/* enum end by enum kind */
	/* Regions in quarantine, if any, after an answer that was an error, and after none */
	long regions_error;
	long regions_none;
	bool fragmented;
	bool rebound;		/* comes only once after the driver was bound */
	struct fault_rule before;	/* what has to go wrong for the call to be made */
} calls[] = {
	/*
	 * refused, always, delayed, twice; late, ignored, always, unanswered, wrong
	 * sequence, wrong id; truncated
	 */
	{ "VM_ALLOCATE", RM_VM_ALLOCATE, 0, START, 8, "bbbb" "ibbvvv" "v", .regions_none = 0 },
	{ "VM_GET_VMID", RM_VM_GET_VMID, 0, START, 8, "bbbb" "bbbbbb" "b", .rebound = true },
	/* An answer that never comes cannot tell that there is nothing to give back */
	{ "MEM_LEND", RM_MEM_LEND, 0, START, 8, "bbbb" "im-mmm" "m", 1, .regions_none = 1 },
	{ "MEM_SHARE 1st", RM_MEM_SHARE, 0, START, 8, "bbbb" "im-mmm" "m", 1, .regions_none = 1 },
	{ "MEM_SHARE 2nd", RM_MEM_SHARE, 1, START, 8, "bbbb" "im-mmm" "m", 1,
	  .regions_none = 1 },
	{ "MEM_APPEND", RM_MEM_APPEND, 0, START, 4, "bbbb" "bbbbbb" "b", .fragmented = true },
	{ "VM_CONFIG_IMAGE", RM_VM_CONFIG_IMAGE, 0, START, 4, "bbbb" "bbbbbb" "b",
	  .regions_none = 0 },
	/* There is no way back but through a VM_INIT that is carried out */
	{ "VM_INIT", RM_VM_INIT, 0, START, 4, "bnbb" "bbnbbb" "b", 3, .regions_none = 3 },
	{ "VM_GET_HYP_RESOURCES", RM_VM_GET_HYP_RESOURCES, 0, START, 52, "bbbb" "bbbbbb" "b",
	  .regions_none = 0 },
	{ "VM_START", RM_VM_START, 0, START, 4, "bbbb" "bbbbbb" "b", .regions_none = 0 },
	{ "VM_STOP", RM_VM_STOP, 0, END, 4, "bnbb" "nnnnnn" "b", 3, .regions_none = 3 },
	{ "VM_GET_STATE", RM_VM_GET_STATE, 0, END, 8, "nnbb" "nnnnnn" "n", 3, .regions_none = 3,
	  .before = { RM_VM_STOP, GH_LAB_FAULT_REFUSE, 5, 0, 1 } },
	{ "VM_RESET", RM_VM_RESET, 0, END, 4, "bnbb" "nnnnnn" "b", 3, .regions_none = 3 },
	{ "MEM_RECLAIM 1st", RM_MEM_RECLAIM, 0, END, 4, "bnbb" "nnnnnn" "b", 3, .regions_none = 3 },
	{ "MEM_RECLAIM 2nd", RM_MEM_RECLAIM, 1, END, 4, "bnbb" "nnnnnn" "b", 2,
	  .regions_none = 2 },
	{ "MEM_RECLAIM 3rd", RM_MEM_RECLAIM, 2, END, 4, "bnbb" "nnnnnn" "b", 1,
	  .regions_none = 1 },
	/* Whether it was carried out is not known, and a second attempt could be deadly */
	{ "VM_DEALLOCATE", RM_VM_DEALLOCATE, 0, END, 4, "v-bb" "bv-bbb" "b", .regions_none = 0 },
};

/* Everybody but this VM and its host, and the other one that runs */
static const struct arg nobody[] = { { 0x99, 0 }, { 3, 0 }, { 0xffff, 0 } };
static const struct arg somebody[] = { { 0, 0 } };
static const struct arg cut[] = { { 0, 0 }, { 1, 0 }, { 4, 0 }, { 7, 0 } };
/* Offset and value of a byte: the state of VM_STATUS, the type and size in VM_EXITED */
static const struct arg unknown_states[] = {
	{ 0x407, 0 }, { 0x40c, 0 }, { 0x480, 0 }, { 0x4ff, 0 },
};

static const struct arg wrong_states[] = {
	{ 0x400, 0 }, { 0x401, 0 }, { 0x402, 0 }, { 0x403, 0 }, { 0x404, 0 }, { 0x405, 0 },
	{ 0x406, 0 }, { 0x408, 0 }, { 0x409, 0 }, { 0x40a, 0 }, { 0x40b, 0 },
};

static const struct arg unknown_types[] = { { 0x277, 0 } };
static const struct arg wrong_sizes[] = { { 0x4ff, 0 }, { 0x7ff, 0 } };

#define STATES	1
#define EXITED	2
#define OTHERS	4

static const struct {
	const char *name;
	uint32_t action;
	const struct arg *args;
	size_t n_args;
	unsigned int of;
	enum end end;
	bool bystander;
	bool heard;		/* what it says is heard all the same */
	int type;		/* if it is heard, unless it is the usual one */
} notification_kinds[] = {
	{ "lost", GH_LAB_FAULT_DROP, ARGS(none), STATES | EXITED | OTHERS, .end = BACK },
	{ "late", GH_LAB_FAULT_DELAY, ARGS(held), STATES | EXITED | OTHERS, .end = BACK },
	{ "doubled", GH_LAB_FAULT_DUPLICATE, ARGS(none), STATES | EXITED | OTHERS, .end = BACK,
	  .heard = true },
	/* What is next comes no sooner than the driver gives up waiting */
	{ "reordered", GH_LAB_FAULT_REORDER, ARGS(none), STATES | EXITED | OTHERS, .end = BACK },
	{ "for no VM", GH_LAB_FAULT_BAD_VMID, ARGS(nobody), STATES | EXITED | OTHERS, .end = BACK },
	{ "for another VM", GH_LAB_FAULT_BAD_VMID, ARGS(somebody), STATES | EXITED | OTHERS,
	  .end = SOMEHOW, .bystander = true },
	{ "truncated", GH_LAB_FAULT_TRUNCATE, ARGS(cut), STATES | EXITED | OTHERS, .end = BACK },
	{ "unknown state", GH_LAB_FAULT_SET_BYTE, ARGS(unknown_states), STATES, .end = BACK },
	{ "wrong state", GH_LAB_FAULT_SET_BYTE, ARGS(wrong_states), STATES, .end = SOMEHOW },
	{ "unknown type", GH_LAB_FAULT_SET_BYTE, ARGS(unknown_types), EXITED, .end = BACK,
	  .heard = true, .type = 0x77 },
	{ "wrong size", GH_LAB_FAULT_SET_BYTE, ARGS(wrong_sizes), EXITED, .end = BACK },
};

static const struct {
	const char *name;
	uint32_t msg;
	uint32_t skip;
	unsigned int is;
} notifications[] = {
	{ "VM_STATUS INIT", RM_VM_STATUS, 0, STATES },
	{ "VM_STATUS READY", RM_VM_STATUS, 1, STATES },
	{ "VM_STATUS RUNNING", RM_VM_STATUS, 2, STATES },
	{ "VM_STATUS EXITED", RM_VM_STATUS, 3, STATES },
	{ "VM_STATUS RESETTING", RM_VM_STATUS, 4, STATES },
	{ "VM_STATUS RESET", RM_VM_STATUS, 5, STATES },
	{ "VM_EXITED", RM_VM_EXITED, 0, EXITED },
	{ "MEM_RELEASED", RM_MEM_RELEASED, 0, OTHERS },
};

static int gunyah;
static bool lost_mode;
static unsigned int rows, cases, repeated, failed_cases;
static long lost_vmids, lost_regions, lost_pages;

static void on_alarm(int sig)
{
	static const char text[] = "Bail out! a case does not end\n";

	(void)sig;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(KSFT_FAIL);
	_exit(KSFT_FAIL);
}

/* Is what is kept as it should be, and no more? NULL, or what is not */
static const char *compare(const struct expected *e, const struct fault_outcome *o)
{
	bool kept = !resources_none(&o->kept), left = !resources_none(&o->left);
	bool lost = !resources_none(&o->lost);

	if (o->wrong[0])
		return o->wrong;
	if (!o->hits)
		return "no message met the rule";
	if (o->start != e->start)
		return "START gives something else";
	if (o->exit_type != e->exit_type)
		return "the exit type is another";

	switch (e->end) {
	case BACK:
		return kept || left || lost ? "not everything is back" : NULL;
	case BY_ITSELF:
		if (!kept || o->kept.vmids != 1 || o->kept.listed != e->regions)
			return "something else is kept";
		return left || lost ? "not everything is back" : NULL;
	case BY_NEXT:
		if (o->kept.vmids != 1 || o->kept.listed != e->regions)
			return "something else is kept";
		return lost ? "not everything is back" : NULL;
	case SOMEHOW:
		return lost ? "not everything is back" : NULL;
	case NO_VMID:
	case NO_MEMORY:
		if (o->kept.vmids != 1 || o->kept.listed != e->regions)
			return "something else is kept";
		if (o->lost.vmids != 1 || o->lost.listed != e->regions)
			return "something else is lost";
		if (memcmp(&o->kept, &o->lost, sizeof(o->kept)))
			return "what is kept and what is lost differ";
		return NULL;
	default:
		return "no such end";
	}
}

/* The last rule's message is never sent, so that it cannot be late, or is no reply */
static bool comes_to_nothing(const struct fault_script *script)
{
	const struct fault_rule *rule = &script->rules[script->n_rules - 1];

	if (rule->msg == RM_VM_STATUS || rule->msg == RM_VM_EXITED)
		return true;

	switch (rule->action) {
	case GH_LAB_FAULT_REFUSE:
	case GH_LAB_FAULT_IGNORE:
	case GH_LAB_FAULT_NO_REPLY:
	case GH_LAB_FAULT_DROP:
		return true;
	default:
		return false;
	}
}

/* Returns false if this is not what was expected */
static bool run_case(const char *what, const char *kind, const struct arg *arg,
		     const struct fault_script *script, const struct expected *e)
{
	const char *complaint;
	struct fault_outcome o;
	unsigned int attempt;
	long may_stray;
	char row[64];

	for (attempt = 1;; attempt++) {
		alarm(CASE_LIMIT);
		fault_run(gunyah, script, &o);
		alarm(0);
		lost_vmids += o.lost.vmids;
		lost_regions += o.lost.listed;
		lost_pages += o.lost.quarantined;
		complaint = compare(e, &o);

		/* An answer that no rule made late was too late for the short deadline */
		may_stray = comes_to_nothing(script) ? 0 : o.hits;
		if (!complaint || o.splat || o.strays <= may_stray || attempt == ATTEMPTS)
			break;
		fault_set_deadline(2 * fault_deadline());
		repeated++;
	}

	cases++;
	snprintf(row, sizeof(row), "%5ld %5ld %5ld %5ld %5ld | %5ld %5ld", o.kept.vmids,
		 o.kept.rm_parcels, o.kept.lent_pages, o.kept.listed, o.kept.quarantined,
		 o.lost.vmids, o.lost.listed);
	ksft_print_msg("%-20s %-15s %8x | %5d %5u %5d | %s | %-12s %s%s\n", what, kind,
		       arg->value, o.start, o.start_ms + o.close_ms, o.exit_type, row,
		       end_name(e->end),
		       complaint ? "FAILED: " : "ok", complaint ?: "");
	if (complaint)
		failed_cases++;
	return !complaint;
}

static bool is_lost(enum end end)
{
	return end == NO_VMID || end == NO_MEMORY;
}

/* An answer that is cut behind its end is whole */
static bool is_whole(const struct call *c, enum kind k, const struct arg *arg)
{
	return k == SHORT && arg->value >= c->answer;
}

static bool leave_out(const struct call *c, enum kind k, size_t i)
{
	const struct arg *arg = &kinds[k].args[i];

	return is_whole(c, k, arg) || (k == BAD_ID && arg->value == c->msg);
}

/* Where a code means a limit, START says so, whatever it means elsewhere */
static int start_errno(const struct call *c, const struct arg *arg)
{
	if (c->msg == RM_VM_ALLOCATE && arg->value == 0x02)
		return -ENOSPC;
	if ((c->msg == RM_MEM_LEND || c->msg == RM_MEM_SHARE) && arg->value == 0x03)
		return -ENOSPC;
	return arg->start;
}

static bool call_row(const struct call *c, enum kind k)
{
	struct fault_script script = {
		.payload = "wait",
		.fragmented = c->fragmented,
		.held = c->ends[k] == BY_ITSELF,
		.lasting = is_lost(c->ends[k]),
	};
	struct expected e = {
		.exit_type = -1,
		.end = c->ends[k],
		.regions = k == REFUSED || k == SHORT ? c->regions_error : c->regions_none,
	};
	bool ok = true;
	size_t i;

	if (c->before.msg)
		script.rules[script.n_rules++] = c->before;
	script.rules[script.n_rules++] = (struct fault_rule){
		c->msg, kinds[k].action, 0, c->skip, kinds[k].count,
	};
	for (i = 0; i < kinds[k].n_args; i++) {
		const struct arg *arg = &kinds[k].args[i];

		if (leave_out(c, k, i))
			continue;
		if (c->rebound) {
			close(gunyah);
			if (driver_unbind() || driver_bind())
				ksft_exit_fail_msg("cannot bind the driver again\n");
			gunyah = open_soon();
		}
		script.rules[script.n_rules - 1].arg = arg->value;
		if (c->phase == START)
			e.start = kinds[k].start > 0 ? start_errno(c, arg) : kinds[k].start;
		ok &= run_case(c->name, kinds[k].name, arg, &script, &e);
	}
	return ok;
}

static bool notification_row(size_t n, size_t k)
{
	struct fault_script script = {
		.payload = "hello",
		.await_end = true,
		.bystander = notification_kinds[k].bystander,
		.n_rules = 1,
	};
	struct expected e = {
		.exit_type = GH_VM_EXIT_TYPE_PSCI_POWER_OFF,
		.end = notification_kinds[k].end,
	};
	bool ok = true;
	size_t i;

	if (notifications[n].is == EXITED) {
		if (!notification_kinds[k].heard)
			e.exit_type = GH_VM_EXIT_TYPE_UNKNOWN;
		else if (notification_kinds[k].type)
			e.exit_type = notification_kinds[k].type;
	}
	for (i = 0; i < notification_kinds[k].n_args; i++) {
		const struct arg *arg = &notification_kinds[k].args[i];

		script.rules[0] = (struct fault_rule){
			notifications[n].msg, notification_kinds[k].action, arg->value,
			notifications[n].skip, 1,
		};
		ok &= run_case(notifications[n].name, notification_kinds[k].name, arg, &script,
			       &e);
	}
	return ok;
}

static void result(bool ok, const char *what, const char *kind)
{
	ksft_test_result(ok, "%s: %s\n", what, kind);
}

/* Counts the rows, or carries them out */
static void all_rows(bool count)
{
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(calls); i++) {
		for (k = 0; k < N_KINDS; k++) {
			enum end end = calls[i].ends[k];

			if (end == NOT_HERE || is_lost(end) != lost_mode)
				continue;
			if (count)
				rows++;
			else
				result(call_row(&calls[i], k), calls[i].name, kinds[k].name);
		}
	}
	for (i = 0; !lost_mode && i < ARRAY_LEN(notifications); i++) {
		for (k = 0; k < ARRAY_LEN(notification_kinds); k++) {
			if (!(notification_kinds[k].of & notifications[i].is))
				continue;
			if (count)
				rows++;
			else
				result(notification_row(i, k), notifications[i].name,
				       notification_kinds[k].name);
		}
	}
}

int main(int argc, char **argv)
{
	struct resources before, after;
	uint64_t start = now_ms();
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	lost_mode = argc == 2 && !strcmp(argv[1], "--lost");
	ksft_print_header();
	if (argc > 1 && !lost_mode)
		ksft_exit_fail_msg("usage: fault_table_test [--lost]\n");
	gunyah = gh_open();
	if (gunyah == -ENOENT)
		ksft_exit_skip("no /dev/gunyah\n");
	if (gunyah < 0)
		ksft_exit_fail_msg("/dev/gunyah: %s\n", strerror(-gunyah));
	if (!ctl_present())
		ksft_exit_skip("needs the test hypervisor's control page\n");

	all_rows(true);
	/* And that all of it together is what is gone at the end */
	ksft_set_plan(rows + 1);
	signal(SIGALRM, on_alarm);
	err = fault_calibrate(gunyah);
	if (err)
		ksft_exit_fail_msg("without faults: %s\n", strerror(-err));
	resources_read(&before);

	ksft_print_msg("deadline of calls: %u ms\n", fault_deadline());
	ksft_print_msg("%-20s %-15s %8s | %5s %5s %5s | %5s %5s %5s %5s %5s | %5s %5s |\n", "",
		       "", "", "START", "ms", "exit", "after", "the", "close", "", "", "for",
		       "good");
	ksft_print_msg("%-20s %-15s %8s | %5s %5s %5s | %5s %5s %5s %5s %5s | %5s %5s | %s\n",
		       "message", "fault", "argument", "", "", "type", "VMIDs", "parc.", "lent",
		       "list", "pages", "VMIDs", "list", "expected");
	all_rows(false);

	resources_more(&before, &after);
	ksft_print_msg("%u cases, %u repeated, %u failed, %llu s, deadline %u ms\n", cases,
		       repeated, failed_cases, (unsigned long long)(now_ms() - start) / 1000,
		       fault_deadline());
	ksft_print_msg("lost: %ld VMIDs, %ld regions of %ld pages\n", after.vmids, after.listed,
		       after.quarantined);
	ksft_test_result(after.vmids == lost_vmids && after.listed == lost_regions &&
			 after.quarantined == lost_pages && lost_mode == (lost_vmids > 0) &&
			 (lost_mode || resources_none(&after)),
			 "nothing is lost but what each case lost\n");
	ksft_finished();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests while random rules are in force:
 *
 *   random_test [-n GUESTS] [-s SEED] [-f FIRST] [-d DEADLINE]
 *
 * What happens to a guest depends on the seed, its number and the deadline of calls, not
 * on the guests before it. For one that fails it is printed how to run it again alone.
 *
 * Nothing particular is expected of any of them, but what always has to hold: no call
 * hangs, what the resource manager has is in quarantine, and after the next guest
 * without faults everything is back. Left out are therefore the faults after which
 * something is lost for good, which are known and in fault_table_test.
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

/* Seconds that one may take, whatever the machine is like */
#define CASE_LIMIT	300
/* With longer deadlines, if the machine was too slow for a short one */
#define ATTEMPTS	3

static uint64_t seed = 1, state;

/* xorshift64*: the same numbers everywhere */
static uint32_t any(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1dULL >> 32) % n;
}

/* splitmix64 of the seed and a guest's number: neighbours have nothing in common */
static void begin(unsigned int number)
{
	uint64_t z = seed + (number + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	state = z ^ z >> 31;
	/* A state that the generator never leaves */
	if (!state)
		state = 1;
}

/* A call, and what can happen to it without a loss for good */
#define REFUSE		(1U << GH_LAB_FAULT_REFUSE)
#define IGNORE		(1U << GH_LAB_FAULT_IGNORE)
#define NO_REPLY	(1U << GH_LAB_FAULT_NO_REPLY)
#define DELAY		(1U << GH_LAB_FAULT_DELAY)
#define DUPLICATE	(1U << GH_LAB_FAULT_DUPLICATE)
#define TRUNCATE	(1U << GH_LAB_FAULT_TRUNCATE)
#define BAD_SEQ		(1U << GH_LAB_FAULT_BAD_SEQ)
#define BAD_ID		(1U << GH_LAB_FAULT_BAD_ID)
#define DROP		(1U << GH_LAB_FAULT_DROP)
#define BAD_VMID	(1U << GH_LAB_FAULT_BAD_VMID)
#define REORDER		(1U << GH_LAB_FAULT_REORDER)
#define SET_BYTE	(1U << GH_LAB_FAULT_SET_BYTE)
#define ANSWERS		(NO_REPLY | DELAY | DUPLICATE | TRUNCATE | BAD_SEQ | BAD_ID)
#define ANYTHING	(REFUSE | IGNORE | ANSWERS)
#define NOTIFICATION	(DROP | BAD_VMID | REORDER | DELAY | DUPLICATE | TRUNCATE | SET_BYTE)

static const struct {
	uint32_t msg;
	uint32_t actions;
	uint32_t most;		/* that come in a guest's life */
} messages[] = {
	{ RM_VM_ALLOCATE, REFUSE | IGNORE | DELAY | DUPLICATE, 1 },
	{ RM_MEM_LEND, REFUSE | DELAY | DUPLICATE, 1 },
	{ RM_MEM_SHARE, REFUSE | DELAY | DUPLICATE, 2 },
	{ RM_MEM_APPEND, ANYTHING, 1 },
	{ RM_VM_CONFIG_IMAGE, ANYTHING, 1 },
	{ RM_VM_INIT, ANYTHING, 1 },
	{ RM_VM_GET_HYP_RESOURCES, ANYTHING, 1 },
	{ RM_VM_START, ANYTHING, 1 },
	{ RM_VM_STOP, ANYTHING, 1 },
	{ RM_VM_GET_STATE, ANYTHING, 2 },
	{ RM_VM_RESET, ANYTHING, 1 },
	{ RM_MEM_RECLAIM, ANYTHING, 3 },
	{ RM_VM_DEALLOCATE, ANSWERS, 1 },
	{ RM_VM_STATUS, NOTIFICATION, 6 },
	{ RM_VM_EXITED, NOTIFICATION, 1 },
	{ RM_MEM_RELEASED, NOTIFICATION, 3 },
};

static uint32_t any_arg(uint32_t msg, uint32_t action)
{
	static const uint32_t errors[] = { 0x15, 0x777, 0xffffffff };
	uint32_t n;

	switch (action) {
	case GH_LAB_FAULT_REFUSE:
		n = any(0x14 + ARRAY_LEN(errors));
		return n < 0x14 ? n + 1 : errors[n - 0x14];
	case GH_LAB_FAULT_DELAY:
		return any(2) ? any(fault_deadline()) : any(3) * fault_deadline();
	case GH_LAB_FAULT_TRUNCATE:
		return any(8);
	case GH_LAB_FAULT_BAD_SEQ:
		return 1 + any(0xffff);
	case GH_LAB_FAULT_BAD_ID:
		/* Never by chance the right one */
		return msg ^ (1 + any(0x7f));
	case GH_LAB_FAULT_BAD_VMID:
		return 0xc0 + any(0x1000);
	case GH_LAB_FAULT_SET_BYTE:
		/*
		 * States that there are not. A state that is told and is not so can
		 * make the driver give back a VM that the other side still has.
		 */
		return (msg == RM_VM_STATUS ? 4 : 2 + any(6)) << 8 | (0x0c + any(0xf4));
	default:
		return 0;
	}
}

static struct fault_rule any_rule(void)
{
	struct fault_rule rule = { };
	unsigned int m = any(ARRAY_LEN(messages));

	do {
		rule.action = any(32);
	} while (!(messages[m].actions & 1U << rule.action));
	rule.msg = messages[m].msg;
	rule.arg = any_arg(rule.msg, rule.action);
	rule.skip = any(messages[m].most);
	rule.count = any(4) ? 1 : any(2) ? 1 + any(3) : FAULT_ALWAYS;
	return rule;
}

static void print_script(const char *what, unsigned int i, const struct fault_script *s,
			 const struct fault_outcome *o)
{
	unsigned int r;

	ksft_print_msg("%s: guest %u, %s%s%s%s: START %d, %u + %u ms, %u hits: %s\n", what, i,
		       s->payload, s->await_end ? ", end awaited" : "",
		       s->fragmented ? ", fragmented" : "", s->proxy ? ", proxy" : "", o->start,
		       o->start_ms, o->close_ms, o->hits, o->wrong[0] ? o->wrong : "ok");
	for (r = 0; r < s->n_rules; r++)
		ksft_print_msg("    message %08x, action %u, argument %#x, skip %u, count %d\n",
			       s->rules[r].msg, s->rules[r].action, s->rules[r].arg,
			       s->rules[r].skip, (int)s->rules[r].count);
	ksft_print_msg("    alone: random_test -s %llu -f %u -n 1 -d %u\n",
		       (unsigned long long)seed, i, fault_deadline());
}

static void on_alarm(int sig)
{
	static const char text[] = "Bail out! a guest does not end\n";

	(void)sig;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(KSFT_FAIL);
	_exit(KSFT_FAIL);
}

/* That the faults do something */
static unsigned int hits, not_started, kept, repeated;
/* In attempts that do not count */
static struct resources forgiven;

static void any_script(struct fault_script *s, unsigned int i)
{
	static const char *const payloads[] = { "spin", "wait", "hello", "reset", "abort" };
	unsigned int payload, r;

	begin(i);
	memset(s, 0, sizeof(*s));
	s->held = true;
	payload = any(ARRAY_LEN(payloads));
	s->payload = payloads[payload];
	s->fragmented = !any(8);
	s->proxy = !s->fragmented && any(2);
	s->n_rules = 1 + any(FAULT_MAX_RULES - 1) * any(2);
	for (r = 0; r < s->n_rules; r++)
		s->rules[r] = any_rule();
	/* It can be awaited where something tells of it */
	s->await_end = payload > 1 && any(2);
	for (r = 0; r < s->n_rules; r++) {
		if (s->rules[r].msg == RM_VM_EXITED || s->rules[r].msg == RM_VM_STATUS)
			s->await_end = false;
	}
}

static bool run_one(int gunyah, unsigned int i)
{
	struct fault_script script;
	struct fault_outcome o;
	unsigned int attempt;

	for (attempt = 1;; attempt++) {
		any_script(&script, i);
		alarm(CASE_LIMIT);
		fault_run(gunyah, &script, &o);
		alarm(0);
		if (!o.wrong[0] && !resources_none(&o.lost))
			snprintf(o.wrong, sizeof(o.wrong),
				 "not everything is back: %ld VMIDs, %ld regions", o.lost.vmids,
				 o.lost.listed);

		/* An answer that no rule made late was too late for the short deadline */
		if (!o.wrong[0] || o.splat || o.strays <= (long)o.hits || attempt == ATTEMPTS)
			break;
		resources_add(&forgiven, &o.lost);
		fault_set_deadline(2 * fault_deadline());
		repeated++;
	}

	hits += o.hits;
	not_started += o.start != 0;
	kept += !resources_none(&o.kept);
	if (o.wrong[0]) {
		print_script("FAILED", i, &script, &o);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	unsigned int n = 40, first = 0, deadline = 0, i, failed = 0;
	struct resources before, more;
	uint64_t start;
	int gunyah, opt, err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	while ((opt = getopt(argc, argv, "n:s:f:d:")) != -1) {
		if (opt == 'n')
			n = strtoul(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (opt == 'f')
			first = strtoul(optarg, NULL, 0);
		else if (opt == 'd')
			deadline = strtoul(optarg, NULL, 0);
		else
			ksft_exit_fail_msg("usage: random_test [-n N] [-s SEED] [-f N] [-d MS]\n");
	}
	gunyah = gh_open();
	if (gunyah == -ENOENT)
		ksft_exit_skip("no /dev/gunyah\n");
	if (gunyah < 0)
		ksft_exit_fail_msg("/dev/gunyah: %s\n", strerror(-gunyah));
	if (!ctl_present())
		ksft_exit_skip("needs the test hypervisor's control page\n");

	ksft_set_plan(2);
	ksft_print_msg("%u guests from number %u on, seed %llu\n", n, first,
		       (unsigned long long)seed);
	signal(SIGALRM, on_alarm);
	err = fault_calibrate(gunyah);
	if (err)
		ksft_exit_fail_msg("without faults: %s\n", strerror(-err));
	if (deadline)
		fault_set_deadline(deadline);
	ksft_print_msg("deadline of calls: %u ms\n", fault_deadline());
	resources_read(&before);

	start = now_ms();
	for (i = 1; i <= n; i++) {
		if (!run_one(gunyah, first + i - 1))
			failed++;
		if (i % 100 == 0 || i == n)
			ksft_print_msg("%u guests, %u failed, %llu ms each\n", i, failed,
				       (unsigned long long)(now_ms() - start) / i);
	}
	ksft_print_msg("%u messages met a rule, %u guests did not start\n", hits, not_started);
	ksft_print_msg("of %u guests something was kept, %u were repeated\n", kept, repeated);
	/* A few guests may happen to meet none */
	ksft_test_result(!failed && (hits || n < 10), "%u guests with random faults\n", n);
	resources_more(&before, &more);
	ksft_test_result(!memcmp(&more, &forgiven, sizeof(more)), "everything is back\n");
	ksft_finished();
}

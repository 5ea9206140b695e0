// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls that a test counts, and results of them that it has asked for (lab_ctl.h):
 * those that no guest and no race can be relied on to produce.
 *
 * script_lock guards the rules; host CPUs take it in a hypercall, with no other lock held,
 * and the hidden CPU for the control page. Counters are changed by atomic operations.
 */
#include "guest.h"
#include "../lab_ctl.h"

#define MAX_RULES	32

static struct script_rule rules[MAX_RULES];
static u32 n_rules;
static u32 hits;
static struct spinlock script_lock;
u32 call_counts[CALL_COUNTS];

bool script_add(const struct script_rule *rule)
{
	bool ok;

	spin_lock(&script_lock);
	ok = n_rules < MAX_RULES && rule->count &&
	     (rule->call == CALL_VCPU_RUN || rule->call == CALL_BELL_SEND ||
	      rule->call == CALL_BELL_SET_MASK) &&
	     (rule->call == CALL_VCPU_RUN || rule->error);
	if (ok)
		rules[n_rules++] = *rule;
	spin_unlock(&script_lock);
	return ok;
}

void script_clear(void)
{
	spin_lock(&script_lock);
	n_rules = 0;
	hits = 0;
	spin_unlock(&script_lock);
}

u32 script_hits(void)
{
	return __atomic_load_n(&hits, __ATOMIC_RELAXED);
}

void count(enum call_count which, u32 n)
{
	__atomic_fetch_add(&call_counts[which], n, __ATOMIC_RELAXED);
}

static bool matches(const struct script_rule *r, u32 call, u32 vcpu, u32 last)
{
	if (!r->count || r->call != call)
		return false;
	return call != CALL_VCPU_RUN ||
	       ((r->vcpu == GH_LAB_ANY || r->vcpu == vcpu) &&
		(r->after == GH_LAB_ANY || r->after == last));
}

/* One more call. @rule gets a copy of the rule that acts on it, if there is one. */
static bool act(u32 call, u32 vcpu, u32 last, struct script_rule *rule)
{
	bool found = false;

	spin_lock(&script_lock);
	for (u32 i = 0; i < n_rules && !found; i++) {
		struct script_rule *r = &rules[i];

		if (!matches(r, call, vcpu, last))
			continue;
		if (r->skip) {
			r->skip--;
			continue;
		}
		r->count--;
		hits++;
		*rule = *r;
		found = true;
	}
	spin_unlock(&script_lock);
	return found;
}

static u64 rule_error(const struct script_rule *rule)
{
	return (int64_t)(int32_t)rule->error;
}

/* Instead of vcpu_run, of which nothing happens then */
bool script_vcpu_run(u64 cap, u64 *error, struct vcpu_result *r)
{
	struct script_rule rule;
	u16 vmid, index;

	if (!__atomic_load_n(&n_rules, __ATOMIC_RELAXED) ||
	    cap_find(cap, CAP_VCPU, &vmid, &index) ||
	    !act(CALL_VCPU_RUN, index, cap_last(cap), &rule))
		return false;
	memset(r, 0, sizeof(*r));
	*error = rule_error(&rule);
	if (!*error) {
		r->state = rule.state;
		for (u32 i = 0; i < 3; i++)
			r->data[i] = rule.data[2 * i] | (u64)rule.data[2 * i + 1] << 32;
	}
	return true;
}

/* Instead of a call on a doorbell */
bool script_bell(u32 call, u64 cap, u64 *error)
{
	struct script_rule rule;
	u16 vmid, slot;

	if (!__atomic_load_n(&n_rules, __ATOMIC_RELAXED) ||
	    cap_find(cap, CAP_BELL, &vmid, &slot) || !act(call, 0, 0, &rule))
		return false;
	*error = rule_error(&rule);
	return true;
}

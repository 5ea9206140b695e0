/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests from start to close while the resource manager misbehaves by rule, and
 * what has to hold whatever the rules are. For programs that go through many rules
 * without the harness; all of it needs the control page.
 */
#ifndef _GUNYAH_FAULTS_H
#define _GUNYAH_FAULTS_H

#include "gunyah_lib.h"

/* For ever, as far as a test is concerned: the message is sent when rules are cleared */
#define FAULT_HELD_MS	600000

struct fault_rule {
	uint32_t msg;
	uint32_t action;
	uint32_t arg;
	uint32_t skip;
	uint32_t count;
};

#define FAULT_MAX_RULES	4

struct fault_script {
	const char *payload;
	bool await_end;			/* close only after the guest has ended */
	bool fragmented;		/* image memory that takes a MEM_APPEND */
	bool proxy;			/* its vCPUs are run by threads; not if fragmented */
	bool bystander;			/* another guest runs, it is meant by BAD_VMID with 0 */
	bool held;			/* rules hold answers that give something back */
	bool lasting;			/* something will be lost for good */
	struct fault_rule rules[FAULT_MAX_RULES];
	unsigned int n_rules;
};

struct fault_outcome {
	int start;			/* what GH_VM_START returned */
	int exit_type;			/* -1 if the end was not awaited */
	uint32_t hits;			/* messages that the rules acted on */
	long strays;			/* replies that came late or to nothing, in all */
	unsigned int start_ms;
	unsigned int close_ms;
	struct resources kept;		/* after close, more than before */
	struct resources left;		/* after the rules were cleared, more than before */
	struct resources lost;		/* after the next guest, more than before */
	bool splat;			/* the kernel complained: nothing excuses that */
	char wrong[160];		/* empty, or what must not be */
};

/*
 * Learns how long things take here, and chooses the deadline of calls by that. To
 * be called first. Returns 0 or -errno.
 */
int fault_calibrate(int gunyah);
/* The deadline in milliseconds */
unsigned int fault_deadline(void);
/* Another one: the machine turned out to be slower, or what was seen with it is wanted again */
void fault_set_deadline(unsigned int ms);
/* Runs the script, and after it a guest without faults */
void fault_run(int gunyah, const struct fault_script *script, struct fault_outcome *outcome);
/* Is nothing of it left over? */
bool resources_none(const struct resources *r);

#endif /* _GUNYAH_FAULTS_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the resources of a VM and of the tickets that claim them
 *
 * The scripted resource manager says which resources there are; their interrupts
 * are not requested here, but it counts which are mapped. That none is in the end is
 * in vm_test_exit().
 */

#include <kunit/test.h>
#include <linux/slab.h>

#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

/* An errno that the driver has no reason of its own to return */
#define REFUSAL		(-EXFULL)

/**
 * struct claim - A ticket that keeps account
 * @ticket: the ticket
 * @f: the resource manager
 * @ret: what populate() returns
 * @got: the resource as it was when the ticket got it
 * @ghrsc: the resource while the ticket has it
 * @populated: number of calls to populate()
 * @unpopulated: number of calls to unpopulate()
 * @calls_before: calls to the resource manager by the first populate()
 * @calls_after: ... by the last unpopulate()
 */
struct claim {
	struct gh_vm_resource_ticket ticket;
	struct fake_rm *f;
	int ret;
	struct gunyah_resource got;
	struct gunyah_resource *ghrsc;
	unsigned int populated;
	unsigned int unpopulated;
	unsigned int calls_before[FAKE_RM_NR_OPS];
	unsigned int calls_after[FAKE_RM_NR_OPS];
};

static int claim_populate(struct gh_vm_resource_ticket *ticket, struct gunyah_resource *ghrsc)
{
	struct claim *claim = container_of(ticket, struct claim, ticket);

	KUNIT_EXPECT_PTR_EQ(claim->f->test, claim->ghrsc, NULL);
	if (!claim->populated++)
		memcpy(claim->calls_before, claim->f->calls, sizeof(claim->calls_before));
	claim->got = *ghrsc;
	if (!claim->ret)
		claim->ghrsc = ghrsc;
	return claim->ret;
}

static void claim_unpopulate(struct gh_vm_resource_ticket *ticket)
{
	struct claim *claim = container_of(ticket, struct claim, ticket);

	/* It is still there, and is the one that it got. */
	KUNIT_EXPECT_NOT_NULL(claim->f->test, claim->ghrsc);
	KUNIT_EXPECT_PTR_EQ(claim->f->test, ticket->ghrsc, claim->ghrsc);
	if (claim->ghrsc)
		KUNIT_EXPECT_MEMEQ(claim->f->test, claim->ghrsc, &claim->got, sizeof(claim->got));
	memcpy(claim->calls_after, claim->f->calls, sizeof(claim->calls_after));
	claim->ghrsc = NULL;
	claim->unpopulated++;
}

static struct claim *new_claim(struct vm_test *vt, u32 type, u32 label, bool shared)
{
	struct claim *claim = kunit_kzalloc(vt->test, sizeof(*claim), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(vt->test, claim);
	claim->f = vt->f;
	claim->ticket.type = type;
	claim->ticket.label = label;
	claim->ticket.shared = shared;
	claim->ticket.populate = claim_populate;
	claim->ticket.unpopulate = claim_unpopulate;
	return claim;
}

static struct claim *new_vcpu_claim(struct vm_test *vt, u32 label)
{
	return new_claim(vt, GUNYAH_RESOURCE_TYPE_VCPU, label, false);
}

static void expect_counts(struct vm_test *vt, const struct claim *claim, unsigned int populated,
			  unsigned int unpopulated)
{
	KUNIT_EXPECT_EQ(vt->test, claim->populated, populated);
	KUNIT_EXPECT_EQ(vt->test, claim->unpopulated, unpopulated);
}

static void expect_got(struct vm_test *vt, const struct claim *claim, u32 type, u64 capid, int irq)
{
	KUNIT_EXPECT_NOT_NULL(vt->test, claim->ghrsc);
	KUNIT_EXPECT_EQ(vt->test, claim->got.type, type);
	KUNIT_EXPECT_EQ(vt->test, claim->got.capid, capid);
	KUNIT_EXPECT_EQ(vt->test, claim->got.irq, irq);
}

static void add_resource(struct vm_test *vt, u32 type, u32 label, u64 capid, u32 virq)
{
	struct fake_rm *f = vt->f;

	KUNIT_ASSERT_LT(vt->test, f->n_resources, FAKE_RM_MAX_RESOURCES);
	f->resources[f->n_resources++] = (struct gh_rm_hyp_resource) {
		.type = type,
		.label = label,
		.capid = capid,
		.virq = virq,
	};
}

/* Two vCPUs, a doorbell of the same label as one, and one that has no interrupt */
static void add_usual_resources(struct vm_test *vt)
{
	add_resource(vt, GUNYAH_RESOURCE_TYPE_VCPU, 0, 0, 40);
	add_resource(vt, GUNYAH_RESOURCE_TYPE_VCPU, 1, U64_MAX - 1, 41);
	add_resource(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, 1, 0x1122334455667788ULL, 0);
	add_resource(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, U32_MAX, 7, 43);
}

static void ticket_gets_its_resource_when_the_vm_starts(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *vcpu0 = new_vcpu_claim(vt, 0), *vcpu1 = new_vcpu_claim(vt, 1);
	struct claim *bell1 = new_claim(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, 1, true);
	struct claim *bell_last = new_claim(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, U32_MAX, true);
	struct claim *none = new_vcpu_claim(vt, 2);

	add_usual_resources(vt);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &bell_last->ticket), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu1->ticket), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &none->ticket), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &bell1->ticket), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
	expect_counts(vt, vcpu0, 0, 0);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	expect_counts(vt, vcpu0, 1, 0);
	expect_counts(vt, vcpu1, 1, 0);
	expect_counts(vt, bell1, 1, 0);
	expect_counts(vt, bell_last, 1, 0);
	expect_counts(vt, none, 0, 0);
	expect_got(vt, vcpu0, GUNYAH_RESOURCE_TYPE_VCPU, 0, 40);
	expect_got(vt, vcpu1, GUNYAH_RESOURCE_TYPE_VCPU, U64_MAX - 1, 41);
	expect_got(vt, bell1, GUNYAH_RESOURCE_TYPE_BELL_TX, 0x1122334455667788ULL, 0);
	expect_got(vt, bell_last, GUNYAH_RESOURCE_TYPE_BELL_TX, 7, 43);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 3);

	/* There are none before the VM is initialised, and the guest is to find them. */
	KUNIT_EXPECT_EQ(test, vcpu0->calls_before[FAKE_RM_INIT], 1);
	KUNIT_EXPECT_EQ(test, vcpu0->calls_before[FAKE_RM_GET_RESOURCES], 1);
	KUNIT_EXPECT_EQ(test, vcpu0->calls_before[FAKE_RM_START], 0);

	/* They are gone once the VM is reset, and it is stopped after nobody uses them. */
	vm_close(vt, vm);
	expect_counts(vt, vcpu0, 1, 1);
	expect_counts(vt, vcpu1, 1, 1);
	expect_counts(vt, bell1, 1, 1);
	expect_counts(vt, bell_last, 1, 1);
	KUNIT_EXPECT_EQ(test, vcpu0->calls_after[FAKE_RM_RESET], 0);
	KUNIT_EXPECT_EQ(test, bell_last->calls_after[FAKE_RM_RESET], 0);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_RESET], 1);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);

	/* The tickets are there after the resources, and say so nothing any more. */
	gh_vm_remove_resource_ticket(vm->ghvm, &vcpu0->ticket);
	expect_counts(vt, vcpu0, 1, 1);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
	expect_counts(vt, vcpu0, 1, 1);
}

static void ticket_gets_its_resource_when_it_comes_later(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *vcpu1 = new_vcpu_claim(vt, 1), *none = new_vcpu_claim(vt, 2);

	add_usual_resources(vt);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	/* As long as nobody has them their interrupts are nobody's. */
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);

	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu1->ticket), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &none->ticket), 0);
	expect_counts(vt, vcpu1, 1, 0);
	expect_got(vt, vcpu1, GUNYAH_RESOURCE_TYPE_VCPU, U64_MAX - 1, 41);
	expect_counts(vt, none, 0, 0);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 1);

	/* And when it comes again */
	gh_vm_remove_resource_ticket(vm->ghvm, &vcpu1->ticket);
	expect_counts(vt, vcpu1, 1, 1);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu1->ticket), 0);
	expect_counts(vt, vcpu1, 2, 1);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 1);

	/* The end of the guest takes nothing away: its vCPUs are still there to say so. */
	fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
	fake_rm_flush(vt->f);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_EXITED);
	expect_counts(vt, vcpu1, 2, 1);

	vm_close(vt, vm);
	expect_counts(vt, vcpu1, 2, 2);
	KUNIT_EXPECT_EQ(test, vcpu1->calls_after[FAKE_RM_RESET], 0);
}

static void ticket_is_given_up_before_the_start(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *vcpu0 = new_vcpu_claim(vt, 0);

	add_usual_resources(vt);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
	gh_vm_remove_resource_ticket(vm->ghvm, &vcpu0->ticket);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	expect_counts(vt, vcpu0, 0, 0);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);
}

/* Once, whether the resources are already there or not */
static void ticket_that_comes_during_the_start(struct kunit *test)
{
	static const enum fake_rm_op gates[] = {
		FAKE_RM_INIT, FAKE_RM_GET_RESOURCES, FAKE_RM_START,
	};
	struct vm_test *vt = test->priv;
	struct vm_thread *starter;
	struct claim *vcpu0;
	struct vm *vm;
	int i;

	add_usual_resources(vt);
	for (i = 0; i < ARRAY_SIZE(gates); i++) {
		vm = vm_new_complete(vt);
		vcpu0 = new_vcpu_claim(vt, 0);
		fake_rm_gate(vt->f, gates[i], false);
		starter = vm_thread_start(vt, vm_start, vm);
		fake_rm_wait_gate(vt->f);
		KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
		expect_counts(vt, vcpu0, gates[i] == FAKE_RM_START, 0);
		fake_rm_open_gate(vt->f);
		KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), 0);
		expect_counts(vt, vcpu0, 1, 0);
		vm_close(vt, vm);
		expect_counts(vt, vcpu0, 1, 1);
		KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);
	}
}

static void ticket_that_comes_during_the_end_gets_nothing(struct kunit *test)
{
	static const enum fake_rm_op gates[] = { FAKE_RM_STOP, FAKE_RM_RESET, FAKE_RM_RECLAIM };
	struct vm_test *vt = test->priv;
	struct vm_thread *closer;
	struct claim *vcpu0;
	struct vm *vm;
	int i;

	add_usual_resources(vt);
	for (i = 0; i < ARRAY_SIZE(gates); i++) {
		vm = vm_new_complete(vt);
		vcpu0 = new_vcpu_claim(vt, 0);
		KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		fake_rm_gate(vt->f, gates[i], false);
		closer = vm_thread_start(vt, vm_close, vm);
		fake_rm_wait_gate(vt->f);
		KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
		fake_rm_open_gate(vt->f);
		KUNIT_EXPECT_EQ(test, vm_thread_wait(closer), 0);
		expect_counts(vt, vcpu0, 0, 0);
	}
}

/* How a ticket fails to get its resource */
struct failure {
	const char *desc;
	int populate;
	enum fake_rm_outcome map;
	int ret;
};

static const struct failure failures[] = {
	{ "refused by its owner", REFUSAL, FAKE_RM_OK, REFUSAL },
	{ "the interrupt cannot be mapped", 0, FAKE_RM_REFUSED, -ENXIO },
};

#define FAILURE_CLAIMS	3

struct failure_case {
	const struct failure *failure;
	unsigned int which;
};

static struct failure_case failure_cases[ARRAY_SIZE(failures) * FAILURE_CLAIMS];

static const void *failure_gen_params(const void *prev, char *desc)
{
	const struct failure_case *last = prev;
	struct failure_case *c = last ? failure_cases + (last - failure_cases) + 1 : failure_cases;

	if (c == failure_cases + ARRAY_SIZE(failure_cases))
		return NULL;

	c->failure = &failures[(c - failure_cases) / FAILURE_CLAIMS];
	c->which = (c - failure_cases) % FAILURE_CLAIMS;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "ticket %u: %s", c->which, c->failure->desc);
	return c;
}

/* Then the start fails, and whoever got one before gives it back. */
static void start_fails_if_a_ticket_does(struct kunit *test)
{
	const struct failure_case *c = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *claims[FAILURE_CLAIMS];
	int i;

	for (i = 0; i < FAILURE_CLAIMS; i++) {
		add_resource(vt, GUNYAH_RESOURCE_TYPE_VCPU, i, i, 40 + i);
		claims[i] = new_vcpu_claim(vt, i);
		KUNIT_ASSERT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &claims[i]->ticket), 0);
	}
	claims[c->which]->ret = c->failure->populate;
	fake_rm_fault(vt->f, FAKE_RM_MAP_VIRQ, c->which, 1, c->failure->map, c->failure->ret);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), c->failure->ret);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_FAILED);
	for (i = 0; i < FAILURE_CLAIMS; i++)
		expect_counts(vt, claims[i], i < c->which || (i == c->which && !c->failure->map),
			      i < c->which);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);

	/* The guest has not run, and nothing is left. */
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_START], 0);
	KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
	KUNIT_EXPECT_EQ(test, fake_rm_pages(vt->f), 0UL);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), c->failure->ret);

	vm_close(vt, vm);
	expect_counts(vt, claims[0], c->which || !c->failure->map, c->which > 0);
}

/* Then the ticket is not there, and the VM none the worse. */
static void adding_fails_if_the_ticket_does(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *vcpu0 = new_vcpu_claim(vt, 0);
	int i;

	add_usual_resources(vt);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	for (i = 0; i < ARRAY_SIZE(failures); i++) {
		vcpu0->populated = 0;
		vcpu0->ret = failures[i].populate;
		fake_rm_fault(vt->f, FAKE_RM_MAP_VIRQ, 0, 1, failures[i].map, failures[i].ret);
		KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket),
				failures[i].ret);
		fake_rm_no_faults(vt->f);
		expect_counts(vt, vcpu0, !failures[i].map, 0);
		KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);
		KUNIT_EXPECT_TRUE(test, list_empty(&vm->ghvm->tickets));
	}
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_RUNNING);

	vcpu0->populated = 0;
	vcpu0->ret = 0;
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
	expect_counts(vt, vcpu0, 1, 0);
	gh_vm_remove_resource_ticket(vm->ghvm, &vcpu0->ticket);
	expect_counts(vt, vcpu0, 1, 1);
}

/* A second ticket that fails takes nothing away from the first. */
static void shared_resource_is_kept_when_another_ticket_fails(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *first = new_claim(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, U32_MAX, true);
	struct claim *second = new_claim(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, U32_MAX, true);

	add_usual_resources(vt);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &first->ticket), 0);
	second->ret = REFUSAL;
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &second->ticket), REFUSAL);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 1);
	KUNIT_EXPECT_EQ(test, first->ghrsc->irq, 43);
	gh_vm_remove_resource_ticket(vm->ghvm, &first->ticket);
	expect_counts(vt, first, 1, 1);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);
}

/* A resource is one ticket's, or that of several which all say that they share it. */
static void resource_is_claimed_once_unless_shared(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *first, *second, *other_label, *other_type;
	int started, i;

	add_usual_resources(vt);
	for (started = 0; started < 2; started++) {
		for (i = 0; i < 4; i++) {
			bool share_first = i & 1, share_second = i & 2;
			int ret = share_first && share_second ? 0 : -EEXIST;

			first = new_claim(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, 1, share_first);
			second = new_claim(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, 1, share_second);
			other_label = new_claim(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, 2, false);
			other_type = new_claim(vt, GUNYAH_RESOURCE_TYPE_VCPU, 1, false);

			KUNIT_EXPECT_EQ(test, 0, gh_vm_add_resource_ticket(vm->ghvm,
									   &other_label->ticket));
			KUNIT_EXPECT_EQ(test, 0, gh_vm_add_resource_ticket(vm->ghvm,
									   &first->ticket));
			KUNIT_EXPECT_EQ(test, 0, gh_vm_add_resource_ticket(vm->ghvm,
									   &other_type->ticket));
			KUNIT_EXPECT_EQ_MSG(test, ret, gh_vm_add_resource_ticket(vm->ghvm,
										 &second->ticket),
					    "case %d", i);
			expect_counts(vt, first, started, 0);
			expect_counts(vt, second, started && !ret, 0);

			gh_vm_remove_resource_ticket(vm->ghvm, &first->ticket);
			expect_counts(vt, first, started, started);
			if (!ret) {
				expect_counts(vt, second, started, 0);
				gh_vm_remove_resource_ticket(vm->ghvm, &second->ticket);
			}

			/* Now it is free again. */
			KUNIT_EXPECT_EQ(test, 0, gh_vm_add_resource_ticket(vm->ghvm,
									   &second->ticket));
			gh_vm_remove_resource_ticket(vm->ghvm, &second->ticket);
			gh_vm_remove_resource_ticket(vm->ghvm, &other_type->ticket);
			gh_vm_remove_resource_ticket(vm->ghvm, &other_label->ticket);
		}
		if (!started)
			KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	}
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);
}

/* Once for all tickets: with the first, and until the last is gone */
static void interrupt_is_mapped_once(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *claims[3];
	int started, i;

	add_usual_resources(vt);
	for (i = 0; i < ARRAY_SIZE(claims); i++) {
		claims[i] = new_claim(vt, GUNYAH_RESOURCE_TYPE_BELL_TX, U32_MAX, true);
		KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &claims[i]->ticket), 0);
	}
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	for (started = 0; started < 2; started++) {
		KUNIT_EXPECT_EQ(test, vt->f->mapped, 1);
		KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_MAP_VIRQ], 1 + started);
		for (i = 0; i < ARRAY_SIZE(claims); i++) {
			expect_got(vt, claims[i], GUNYAH_RESOURCE_TYPE_BELL_TX, 7, 43);
			KUNIT_EXPECT_PTR_EQ(test, claims[i]->ghrsc, claims[0]->ghrsc);
		}

		/* The first that came is neither the first nor the last to go. */
		gh_vm_remove_resource_ticket(vm->ghvm, &claims[1]->ticket);
		KUNIT_EXPECT_EQ(test, vt->f->mapped, 1);
		gh_vm_remove_resource_ticket(vm->ghvm, &claims[0]->ticket);
		KUNIT_EXPECT_EQ(test, vt->f->mapped, 1);
		expect_got(vt, claims[2], GUNYAH_RESOURCE_TYPE_BELL_TX, 7, 43);
		gh_vm_remove_resource_ticket(vm->ghvm, &claims[2]->ticket);
		KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);

		for (i = 0; i < ARRAY_SIZE(claims); i++)
			KUNIT_EXPECT_EQ(test, 0, gh_vm_add_resource_ticket(vm->ghvm,
									   &claims[i]->ticket));
	}
	vm_close(vt, vm);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);
}

static void resources_that_nobody_knows_are_ignored(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *vcpu0 = new_vcpu_claim(vt, 0);
	struct claim *msgq = new_claim(vt, GUNYAH_RESOURCE_TYPE_MSGQ_RX, 0, false);

	add_resource(vt, 77, 0, 1, 50);
	add_resource(vt, GUNYAH_RESOURCE_TYPE_MSGQ_TX, 0, 2, 51);
	add_resource(vt, GUNYAH_RESOURCE_TYPE_BELL_RX, 0, 3, 52);
	add_resource(vt, GUNYAH_RESOURCE_TYPE_VCPU, 0, 4, 53);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &msgq->ticket), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	expect_got(vt, vcpu0, GUNYAH_RESOURCE_TYPE_VCPU, 4, 53);
	expect_counts(vt, msgq, 0, 0);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 1);
}

static void vm_without_resources_starts(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *vcpu0 = new_vcpu_claim(vt, 0);

	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	vm_close(vt, vm);
	expect_counts(vt, vcpu0, 0, 0);
}

/* The resource manager does not give them: nobody is told of any. */
static void start_fails_if_the_resources_are_not_told(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *vcpu0 = new_vcpu_claim(vt, 0);

	add_usual_resources(vt);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
	fake_rm_fault(vt->f, FAKE_RM_GET_RESOURCES, 0, 1, FAKE_RM_REFUSED, REFUSAL);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), REFUSAL);
	expect_counts(vt, vcpu0, 0, 0);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_START], 0);
	KUNIT_EXPECT_EQ(test, fake_rm_vms(vt->f), 0);
}

/* The guest does not start, though everything was handed out. */
static void start_that_fails_takes_the_resources_back(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *vcpu0 = new_vcpu_claim(vt, 0), *late = new_vcpu_claim(vt, 1);

	add_usual_resources(vt);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
	fake_rm_fault(vt->f, FAKE_RM_START, 0, 1, FAKE_RM_FAILED, REFUSAL);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), REFUSAL);
	expect_counts(vt, vcpu0, 1, 1);
	KUNIT_EXPECT_EQ(test, vcpu0->calls_after[FAKE_RM_RESET], 0);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &late->ticket), 0);
	expect_counts(vt, late, 0, 0);
}

/* What cannot be undone is tried again; the tickets are told once. */
static void resources_of_a_quarantined_vm_are_taken_once(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt), *next;
	struct claim *vcpu0 = new_vcpu_claim(vt, 0);

	add_usual_resources(vt);
	KUNIT_EXPECT_EQ(test, gh_vm_add_resource_ticket(vm->ghvm, &vcpu0->ticket), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	fake_rm_fault(vt->f, FAKE_RM_RECLAIM, 0, FAKE_RM_ALWAYS, FAKE_RM_REFUSED, REFUSAL);
	vm_close(vt, vm);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_QUARANTINED);
	expect_counts(vt, vcpu0, 1, 1);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 0);

	fake_rm_no_faults(vt->f);
	next = vm_new_complete(vt);
	KUNIT_EXPECT_EQ(test, vm_start(vt, next), 0);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
	expect_counts(vt, vcpu0, 1, 1);
}

/* A function whose instance has a ticket, as that of a vCPU has */

#define FN_CLAIM	0x7f000004

struct claim_arg {
	u32 label;
};

static struct vm_test *claim_fn_vt;
static struct claim *claim_fn_last;

static long claim_fn_bind(struct gh_vm_function_instance *f)
{
	const struct claim_arg *arg = f->argp;
	struct claim *claim = new_vcpu_claim(claim_fn_vt, arg->label);

	f->data = claim;
	claim_fn_last = claim;
	return gh_vm_add_resource_ticket(f->ghvm, &claim->ticket);
}

static void claim_fn_unbind(struct gh_vm_function_instance *f)
{
	struct claim *claim = f->data;

	gh_vm_remove_resource_ticket(f->ghvm, &claim->ticket);
}

static enum gh_fn_match claim_fn_match(const struct gh_vm_function_instance *f, const void *arg)
{
	const struct claim_arg *ours = f->argp, *theirs = arg;

	return ours->label == theirs->label ? GH_FN_EXACT_MATCH : GH_FN_NO_MATCH;
}

static const struct gh_vm_function claim_fn = {
	.type = FN_CLAIM,
	.arg_size = sizeof(struct claim_arg),
	.owner = THIS_MODULE,
	.bind = claim_fn_bind,
	.unbind = claim_fn_unbind,
	.match = claim_fn_match,
};

static void claim_fn_unregister(void *unused)
{
	gh_vm_function_unregister(&claim_fn);
}

static struct claim *add_claim_fn(struct vm_test *vt, struct vm *vm, u32 label, long ret)
{
	const struct claim_arg arg = { .label = label };

	KUNIT_EXPECT_EQ(vt->test, ret, vm_add_function(vt, vm, FN_CLAIM, &arg, sizeof(arg)));
	return claim_fn_last;
}

static void function_with_a_ticket(struct kunit *test)
{
	const struct claim_arg arg = { .label = 1 };
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct claim *vcpu0, *vcpu1;

	claim_fn_vt = vt;
	KUNIT_ASSERT_EQ(test, gh_vm_function_register(&claim_fn), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, claim_fn_unregister, NULL), 0);
	add_usual_resources(vt);

	vcpu0 = add_claim_fn(vt, vm, 0, 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	expect_counts(vt, vcpu0, 1, 0);
	vcpu1 = add_claim_fn(vt, vm, 1, 0);
	expect_counts(vt, vcpu1, 1, 0);
	add_claim_fn(vt, vm, 1, -EEXIST);

	/* A function that goes while it is used, and one that goes with the VM */
	KUNIT_EXPECT_EQ(test, vm_remove_function(vt, vm, FN_CLAIM, &arg, sizeof(arg)), 0);
	expect_counts(vt, vcpu1, 1, 1);
	KUNIT_EXPECT_EQ(test, vt->f->mapped, 1);
	vcpu1 = add_claim_fn(vt, vm, 1, 0);
	expect_counts(vt, vcpu1, 1, 0);
	vm_close(vt, vm);
	expect_counts(vt, vcpu0, 1, 1);
	expect_counts(vt, vcpu1, 1, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&vm->ghvm->tickets));

	/* The device goes first: the resources with it, the function with the file. */
	vm = vm_new_complete(vt);
	vcpu0 = add_claim_fn(vt, vm, 0, 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	expect_counts(vt, vcpu0, 1, 0);
	KUNIT_EXPECT_EQ(test, vm_remove_device(vt, NULL), 0);
	expect_counts(vt, vcpu0, 1, 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&vm->ghvm->tickets));
	vm_close(vt, vm);
	expect_counts(vt, vcpu0, 1, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&vm->ghvm->tickets));
}

static struct kunit_case vm_mgr_res_cases[] = {
	KUNIT_CASE(ticket_gets_its_resource_when_the_vm_starts),
	KUNIT_CASE(ticket_gets_its_resource_when_it_comes_later),
	KUNIT_CASE(ticket_is_given_up_before_the_start),
	KUNIT_CASE(ticket_that_comes_during_the_start),
	KUNIT_CASE(ticket_that_comes_during_the_end_gets_nothing),
	KUNIT_CASE_PARAM(start_fails_if_a_ticket_does, failure_gen_params),
	KUNIT_CASE(adding_fails_if_the_ticket_does),
	KUNIT_CASE(shared_resource_is_kept_when_another_ticket_fails),
	KUNIT_CASE(resource_is_claimed_once_unless_shared),
	KUNIT_CASE(interrupt_is_mapped_once),
	KUNIT_CASE(resources_that_nobody_knows_are_ignored),
	KUNIT_CASE(vm_without_resources_starts),
	KUNIT_CASE(start_fails_if_the_resources_are_not_told),
	KUNIT_CASE(start_that_fails_takes_the_resources_back),
	KUNIT_CASE(resources_of_a_quarantined_vm_are_taken_once),
	KUNIT_CASE(function_with_a_ticket),
	{}
};

static struct kunit_suite vm_mgr_res_suite = {
	.name = "gunyah_vm_mgr_res",
	.init = vm_test_init,
	.exit = vm_test_exit,
	.test_cases = vm_mgr_res_cases,
};

kunit_test_suite(vm_mgr_res_suite);

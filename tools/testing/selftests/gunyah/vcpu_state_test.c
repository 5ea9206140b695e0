// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that the hypervisor can answer to a call that runs a vCPU, also what it should
 * not: by rules for its answers, so it takes the test hypervisor. Whatever the answer is,
 * GH_VCPU_RUN neither spins nor loses what the guest is still to be told.
 */
#include <sys/syscall.h>

#include "gunyah_test.h"

#define ROUNDS		24
#define RESET_PLAIN	(1ULL << 63)
#define RESET_64	(1ULL << 62)

#define ARG_INVAL	1
#define NOMEM		10
#define DENIED		30
#define CAP_NULL	50
#define UNIMPLEMENTED	-1

static struct call_rule rule(int32_t error, uint32_t state, uint64_t d0, uint64_t d1, uint64_t d2)
{
	return (struct call_rule){
		.call = CALL_VCPU_RUN, .after = GH_LAB_ANY, .count = 1,
		.error = error, .state = state, .data = { d0, d1, d2 },
	};
}

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self, struct echo *echo)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, guest_alloc_vcpus(g, "echo", 1, NULL, 0));
	echo_init(g, echo, ROUNDS, 0);
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
}

/* One of these answers before each exit, once and thrice in a row, and nobody notices */
GUNYAH_TEST(transparent)
{
	const struct {
		struct call_rule rule;
		bool ran;		/* it says that the vCPU has had its answer */
	} answers[] = {
		{ rule(0, VCPU_BLOCKED, 0, 0, 0), false },
		{ rule(ERROR_RETRY, 0, 0, 0, 0), false },
		{ rule(0, VCPU_READY, 0, 0, 0), true },
	};
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	const char *wrong;
	struct call_rule r;
	struct echo echo;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		start(_metadata, self, &echo);
		for (wrong = NULL; !wrong;) {
			/* Not to be had by a vCPU that waits for an answer */
			bool applies = !answers[i].ran || !echo.writing;

			r = answers[i].rule;
			r.count = echo.round & 1 ? 3 : 1;
			call_rules_clear();
			if (applies)
				ASSERT_TRUE(call_rule_add(&r));
			ASSERT_EQ(0, vcpu_run(v));
			EXPECT_EQ(applies ? r.count : 0, ctl_read(GH_LAB_CTL_CALL_HITS));
			if (v->run->exit_reason == GH_VCPU_EXIT_STATUS)
				break;
			wrong = echo_exit(&echo, v->run);
		}
		EXPECT_STREQ("", wrong ?: "");
		EXPECT_TRUE(echo_is_complete(&echo, g));
		guest_free(g);
	}
}

static bool is_mmio(const struct call_rule *r)
{
	return !r->error && (r->state == VCPU_VMMIO_READ || r->state == VCPU_VMMIO_WRITE);
}

/* What cannot be, and what goes wrong: the call fails, and the next one goes on */
GUNYAH_TEST(errors)
{
	const struct {
		struct call_rule rule;
		int err;
	} answers[] = {
		{ rule(0, 7, 0x80000000, 0, 0), -EPROTO },
		{ rule(0, 8, 0, 1, 1000), -EPROTO },
		{ rule(0, 9, 0, 0, 0), -EPROTO },
		{ rule(0, 0xff, 0, 0, 0), -EPROTO },
		{ rule(0, 0x101, 0, 0, 0), -EPROTO },
		{ rule(0, 0xffffffff, ~0ULL, ~0ULL, ~0ULL), -EPROTO },
		{ rule(0, VCPU_VMMIO_READ, ECHO_BASE, 0, 0), -EPROTO },
		{ rule(0, VCPU_VMMIO_READ, ECHO_BASE, 3, 0), -EPROTO },
		{ rule(0, VCPU_VMMIO_READ, ECHO_BASE, 16, 0), -EPROTO },
		{ rule(0, VCPU_VMMIO_WRITE, ECHO_BASE, 1ULL << 32 | 4, 0), -EPROTO },
		{ rule(0, VCPU_VMMIO_WRITE, ECHO_BASE, ~0ULL, 0), -EPROTO },
		{ rule(ERROR_BUSY, 0, 0, 0, 0), -EBUSY },
		{ rule(ARG_INVAL, 0, 0, 0, 0), -EINVAL },
		{ rule(NOMEM, 0, 0, 0, 0), -ENOMEM },
		{ rule(DENIED, 0, 0, 0, 0), -EACCES },
		{ rule(CAP_NULL, 0, 0, 0, 0), -EACCES },
		{ rule(UNIMPLEMENTED, 0, 0, 0, 0), -EOPNOTSUPP },
	};
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	const char *wrong = NULL;
	struct echo echo;
	uint8_t copy[64];
	size_t i = 0;

	SKIP_WITHOUT_CONTROL();
	start(_metadata, self, &echo);
	while (!wrong) {
		/*
		 * Each of them comes in place of an answer to a read, and otherwise. That
		 * the vCPU wants something else says that it has had its answer.
		 */
		if (i < 2 * ARRAY_SIZE(answers) &&
		    !(echo.writing && is_mmio(&answers[i / 2].rule))) {
			call_rules_clear();
			ASSERT_TRUE(call_rule_add(&answers[i / 2].rule));
			memcpy(copy, v->run, sizeof(copy));
			EXPECT_EQ(answers[i / 2].err, vcpu_run(v)) {
				TH_LOG("error %d, state %#x", answers[i / 2].rule.error,
				       answers[i / 2].rule.state);
			}
			EXPECT_EQ(1, ctl_read(GH_LAB_CTL_CALL_HITS));
			EXPECT_EQ(0, memcmp(copy, v->run, sizeof(copy)));
			EXPECT_EQ(0, vm_events(g->vm) & POLLHUP);
		}
		i++;
		ASSERT_EQ(0, vcpu_run(v));
		if (v->run->exit_reason == GH_VCPU_EXIT_STATUS)
			break;
		wrong = echo_exit(&echo, v->run);
	}
	EXPECT_STREQ("", wrong ?: "");
	EXPECT_TRUE(echo_is_complete(&echo, g));
	EXPECT_LE(2 * ARRAY_SIZE(answers), i);
}

/* Asleep or off: the thread sleeps, too, and calls nobody until it is told to */
GUNYAH_TEST(sleeping)
{
	const struct call_rule answers[] = {
		rule(0, VCPU_EXPECTS_WAKEUP, 0, 1, 0),
		rule(0, VCPU_EXPECTS_WAKEUP, 0, 2, 0),
		rule(0, VCPU_EXPECTS_WAKEUP, 0x40000003, 2, 0),
		rule(0, VCPU_EXPECTS_WAKEUP, 0, 3, 0),
		rule(0, VCPU_EXPECTS_WAKEUP, ~0ULL, ~0ULL, ~0ULL),
		rule(0, VCPU_POWERED_OFF, 0, 0, 0),
	};
	struct sigaction action = { .sa_handler = SIG_IGN };
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	struct vcpu_thread t;
	struct echo echo;
	uint32_t runs;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	start(_metadata, self, &echo);
	/* The interrupt that comes with the start may still be on its way */
	ASSERT_EQ(0, vcpu_run(v));
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		ASSERT_TRUE(call_rule_add(&answers[i]));
		ASSERT_EQ(0, vcpu_thread_start(&t, v, vcpu_run));
		EXPECT_TRUE(asleep_in(t.tid, SYS_ioctl));
		EXPECT_EQ(i + 1, ctl_read(GH_LAB_CTL_CALL_HITS));
		runs = ctl_read(GH_LAB_CTL_VCPU_RUNS);
		EXPECT_EQ(0, remove_vcpu(g->vm, 0));
		EXPECT_EQ(-ENODEV, vcpu_thread_join(&t));
		EXPECT_EQ(runs, ctl_read(GH_LAB_CTL_VCPU_RUNS));
		vcpu_free(v);
		ASSERT_EQ(0, vcpu_add(v, g->vm, 0));
	}
}

/* It is over, and the resource manager does not say so: what the vCPU says counts then */
GUNYAH_TEST(ended)
{
	const struct {
		struct call_rule rule;
		uint16_t type;
	} ends[] = {
		{ rule(0, VCPU_POWERED_OFF, 1, 0, 0), GH_VM_EXIT_TYPE_UNKNOWN },
		{ rule(0, VCPU_FAULT, 0, 0, 0), GH_VM_EXIT_TYPE_HYP_ERROR },
		{ rule(0, VCPU_SYSTEM_RESET, RESET_PLAIN, 0, 0),
		  GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET },
		{ rule(0, VCPU_SYSTEM_RESET, RESET_64 | 0x80000000, 5, 0),
		  GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2 },
		{ rule(0, VCPU_SYSTEM_RESET, 0, 0, 0), GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2 },
		{ rule(ERROR_OBJECT_STATE, 0, 0, 0, 0), GH_VM_EXIT_TYPE_UNKNOWN },
	};
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	struct gh_vm_exit_info info;
	struct echo echo;
	uint32_t runs;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		start(_metadata, self, &echo);
		runs = ctl_read(GH_LAB_CTL_VCPU_RUNS);
		ASSERT_TRUE(call_rule_add(&ends[i].rule));
		EXPECT_EQ(0, vcpu_run(v));
		EXPECT_TRUE(vcpu_says_ended(v, ends[i].type)) {
			TH_LOG("case %zu: type %u", i, v->run->status.exit_info.type);
		}
		/* It was called once, and is not any more */
		EXPECT_EQ(0, vcpu_run(v));
		EXPECT_EQ(1, ctl_read(GH_LAB_CTL_CALL_HITS));
		EXPECT_EQ(runs + 1, ctl_read(GH_LAB_CTL_VCPU_RUNS));
		EXPECT_EQ(POLLHUP, vm_events(g->vm) & POLLHUP);
		EXPECT_EQ(0, gh_exit_info(g->vm, &info));
		EXPECT_EQ(ends[i].type, info.type);
		call_rules_clear();
		/* The guest itself is stopped only by that */
		guest_free(g);
		EXPECT_ALL_BACK(&self->before, "case %zu", i);
	}
}

/* Of what is written, the bytes that there are; of what is read, none */
GUNYAH_TEST(mmio_data)
{
	static const uint32_t sizes[] = { 1, 2, 4, 8 };
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	struct call_rule r;
	struct echo echo;
	uint64_t data;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	start(_metadata, self, &echo);
	for (i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		r = rule(0, i & 1 ? VCPU_VMMIO_WRITE : VCPU_VMMIO_READ, 0x123456789abcdef0,
			 sizes[i / 2], ~0ULL);
		call_rules_clear();
		ASSERT_TRUE(call_rule_add(&r));
		memset(v->run, 0xa5, page_size());
		v->run->immediate_exit = 0;
		ASSERT_EQ(0, vcpu_run(v));
		EXPECT_EQ(GH_VCPU_EXIT_MMIO, v->run->exit_reason);
		EXPECT_EQ(0x123456789abcdef0, v->run->mmio.phys_addr);
		EXPECT_EQ(sizes[i / 2], v->run->mmio.len);
		EXPECT_EQ(i & 1, v->run->mmio.is_write);
		memcpy(&data, v->run->mmio.data, sizeof(data));
		EXPECT_EQ(i & 1 ? ~0ULL >> (64 - 8 * sizes[i / 2]) : 0, data);
		/* Behind the structure all of it is the VMM's */
		EXPECT_EQ(0xa5, ((uint8_t *)v->run)[sizeof(*v->run)]);
	}
}

TEST_HARNESS_MAIN

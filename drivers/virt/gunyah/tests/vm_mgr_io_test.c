// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of IO handlers: which of them takes a write of the guest's
 *
 * A handler here counts what it takes. That exactly one is called for a write, or
 * none if the write is not taken, is checked with each write.
 */

#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/rwsem.h>
#include <linux/string.h>

#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

#define MAX_HANDLERS	16
#define NOBODY		(-1)
#define BASE		0x10000ULL

/**
 * struct io - What a handler takes
 * @addr: address
 * @len: size, 0 for any
 * @datamatch: only @data
 * @data: the value
 */
struct io {
	u64 addr;
	u32 len;
	bool datamatch;
	u64 data;
};

/**
 * struct taker - A handler
 * @handler: the handler
 * @added: it is there
 * @taken: number of writes that it took
 */
struct taker {
	struct gh_vm_io_handler handler;
	bool added;
	unsigned int taken;
};

/**
 * struct io_test - The handlers of a test
 * @vt: device and user
 * @ghvm: the VM
 * @n: number of @takers
 * @takers: the handlers
 */
struct io_test {
	struct vm_test *vt;
	struct gh_vm *ghvm;
	unsigned int n;
	struct taker takers[MAX_HANDLERS];
};

static void taker_write(struct gh_vm_io_handler *handler)
{
	container_of(handler, struct taker, handler)->taken++;
}

static struct io_test *new_io_test(struct kunit *test)
{
	struct io_test *it = kunit_kzalloc(test, sizeof(*it), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, it);
	it->vt = test->priv;
	it->ghvm = vm_new(it->vt)->ghvm;
	return it;
}

static struct taker *new_taker(struct io_test *it, const struct io *io)
{
	struct taker *taker = &it->takers[it->n];

	KUNIT_ASSERT_LT(it->vt->test, it->n, MAX_HANDLERS);
	it->n++;
	taker->handler.addr = io->addr;
	taker->handler.len = io->len;
	taker->handler.datamatch = io->datamatch;
	taker->handler.data = io->data;
	taker->handler.write = taker_write;
	return taker;
}

static int add_taker(struct io_test *it, struct taker *taker)
{
	int ret = gh_vm_add_io_handler(it->ghvm, &taker->handler);

	taker->added = !ret;
	return ret;
}

static void remove_taker(struct io_test *it, struct taker *taker)
{
	gh_vm_remove_io_handler(it->ghvm, &taker->handler);
	taker->added = false;
}

static void remove_all(struct io_test *it)
{
	unsigned int i;

	for (i = 0; i < it->n; i++)
		if (it->takers[i].added)
			remove_taker(it, &it->takers[i]);
}

/* Number of the handler that takes a write, or NOBODY */
static int who_takes(struct io_test *it, u64 addr, u32 len, u64 data)
{
	unsigned int i, taken = 0;
	int who = NOBODY;
	bool ret;

	for (i = 0; i < it->n; i++)
		it->takers[i].taken = 0;
	ret = gh_vm_mmio_write(it->ghvm, addr, len, data);
	for (i = 0; i < it->n; i++) {
		taken += it->takers[i].taken;
		if (it->takers[i].taken)
			who = i;
	}
	KUNIT_EXPECT_EQ(it->vt->test, taken, ret);
	return who;
}

/* What has to be: the one for that value, else the one for any, if it is for that size */
static int who_is_to_take(struct io_test *it, u64 addr, u32 len, u64 data)
{
	int i, who = NOBODY;

	for (i = 0; i < it->n; i++) {
		const struct gh_vm_io_handler *handler = &it->takers[i].handler;

		if (!it->takers[i].added || handler->addr != addr)
			continue;
		if (handler->datamatch && handler->len == len && handler->data == data)
			return i;
		if (!handler->datamatch && (!handler->len || handler->len == len))
			who = i;
	}
	return who;
}

struct who_case {
	const char *desc;
	struct io handlers[4];
	struct io write;
	int who;
};

#define ANY(offset, len)		{ BASE + (offset), len, false, 0 }
#define ONLY(offset, len, data)		{ BASE + (offset), len, true, data }
#define WRITTEN(offset, len, data)	{ BASE + (offset), len, false, data }

static const struct who_case who_cases[] = {
	{ "nobody there", { }, WRITTEN(0, 4, 0), NOBODY },
	{ "its address", { ANY(0, 4) }, WRITTEN(0, 4, 1), 0 },
	{ "the byte before", { ANY(1, 4) }, WRITTEN(0, 4, 1), NOBODY },
	{ "the byte after", { ANY(0, 4) }, WRITTEN(1, 4, 1), NOBODY },
	{ "within it", { ANY(0, 8) }, WRITTEN(4, 4, 1), NOBODY },
	{ "4 GiB further", { ANY(0, 4) }, WRITTEN(1ULL << 32, 4, 1), NOBODY },
	{ "first address", { { 0, 4, false, 0 } }, { 0, 4, false, 1 }, 0 },
	{ "last address", { { U64_MAX, 1, false, 0 } }, { U64_MAX, 1, false, 1 }, 0 },

	{ "any size, 1", { ANY(0, 0) }, WRITTEN(0, 1, 1), 0 },
	{ "any size, 2", { ANY(0, 0) }, WRITTEN(0, 2, 1), 0 },
	{ "any size, 4", { ANY(0, 0) }, WRITTEN(0, 4, 1), 0 },
	{ "any size, 8", { ANY(0, 0) }, WRITTEN(0, 8, 1), 0 },
	{ "size 1 of 1", { ANY(0, 1) }, WRITTEN(0, 1, 1), 0 },
	{ "size 2 of 1", { ANY(0, 1) }, WRITTEN(0, 2, 1), NOBODY },
	{ "size 2 of 2", { ANY(0, 2) }, WRITTEN(0, 2, 1), 0 },
	{ "size 1 of 2", { ANY(0, 2) }, WRITTEN(0, 1, 1), NOBODY },
	{ "size 4 of 4", { ANY(0, 4) }, WRITTEN(0, 4, 1), 0 },
	{ "size 8 of 4", { ANY(0, 4) }, WRITTEN(0, 8, 1), NOBODY },
	{ "size 8 of 8", { ANY(0, 8) }, WRITTEN(0, 8, 1), 0 },
	{ "size 4 of 8", { ANY(0, 8) }, WRITTEN(0, 4, 1), NOBODY },

	{ "the value", { ONLY(0, 4, 5) }, WRITTEN(0, 4, 5), 0 },
	{ "another value", { ONLY(0, 4, 5) }, WRITTEN(0, 4, 4), NOBODY },
	{ "value 0", { ONLY(0, 4, 0) }, WRITTEN(0, 4, 0), 0 },
	{ "not value 0", { ONLY(0, 4, 0) }, WRITTEN(0, 4, 1), NOBODY },
	{ "longest value", { ONLY(0, 8, U64_MAX) }, WRITTEN(0, 8, U64_MAX), 0 },
	{ "half of the longest value", { ONLY(0, 8, U64_MAX) }, WRITTEN(0, 8, U32_MAX), NOBODY },
	{ "the value in another size", { ONLY(0, 4, 5) }, WRITTEN(0, 2, 5), NOBODY },
	{ "the value at another address", { ONLY(0, 4, 5) }, WRITTEN(4, 4, 5), NOBODY },
	{ "second of three values", { ONLY(0, 4, 1), ONLY(0, 4, 2), ONLY(0, 4, 3) },
	  WRITTEN(0, 4, 2), 1 },
	{ "none of three values", { ONLY(0, 4, 1), ONLY(0, 4, 2), ONLY(0, 4, 3) },
	  WRITTEN(0, 4, 4), NOBODY },
	{ "one value in two sizes, 2", { ONLY(0, 4, 1), ONLY(0, 2, 1) }, WRITTEN(0, 2, 1), 1 },
	{ "one value in two sizes, 4", { ONLY(0, 4, 1), ONLY(0, 2, 1) }, WRITTEN(0, 4, 1), 0 },

	{ "value before any", { ANY(0, 4), ONLY(0, 4, 5) }, WRITTEN(0, 4, 5), 1 },
	{ "value before any of any size", { ANY(0, 0), ONLY(0, 4, 5) }, WRITTEN(0, 4, 5), 1 },
	{ "highest value before any", { ANY(0, 0), ONLY(0, 8, U64_MAX) },
	  WRITTEN(0, 8, U64_MAX), 1 },
	{ "any takes other values", { ONLY(0, 4, 5), ANY(0, 4) }, WRITTEN(0, 4, 6), 1 },
	{ "any takes other sizes", { ONLY(0, 4, 5), ANY(0, 0) }, WRITTEN(0, 2, 5), 1 },
	{ "any of one size leaves others", { ONLY(0, 4, 5), ANY(0, 4) }, WRITTEN(0, 2, 5), NOBODY },
	{ "any of another size", { ONLY(0, 4, 5), ANY(0, 2) }, WRITTEN(0, 2, 5), 1 },

	/* They overlap and do not know of each other. */
	{ "neighbours, first", { ANY(0, 8), ANY(8, 8), ANY(0xa, 8) }, WRITTEN(0, 8, 1), 0 },
	{ "neighbours, second", { ANY(0, 8), ANY(8, 8), ANY(0xa, 8) }, WRITTEN(8, 8, 1), 1 },
	{ "neighbours, third", { ANY(0, 8), ANY(8, 8), ANY(0xa, 8) }, WRITTEN(0xa, 8, 1), 2 },
	{ "neighbours, between", { ANY(0, 8), ANY(8, 8), ANY(0xa, 8) }, WRITTEN(9, 8, 1), NOBODY },
	{ "neighbours of other sizes", { ANY(0, 8), ANY(4, 4), ONLY(4, 2, 7) },
	  WRITTEN(4, 2, 7), 2 },
};

KUNIT_ARRAY_PARAM_DESC(who, who_cases, desc);

/* In the order of the table, and in the opposite one */
static void write_goes_to(struct kunit *test)
{
	const struct who_case *c = test->param_value;
	struct io_test *it = new_io_test(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(c->handlers) && (c->handlers[i].addr || c->handlers[i].len);
	     i++)
		KUNIT_ASSERT_EQ(test, add_taker(it, new_taker(it, &c->handlers[i])), 0);
	KUNIT_EXPECT_EQ(test, who_takes(it, c->write.addr, c->write.len, c->write.data), c->who);
	KUNIT_EXPECT_EQ(test, who_is_to_take(it, c->write.addr, c->write.len, c->write.data),
			c->who);

	remove_all(it);
	KUNIT_EXPECT_EQ(test, who_takes(it, c->write.addr, c->write.len, c->write.data), NOBODY);
	for (i = it->n; i--;)
		KUNIT_ASSERT_EQ(test, add_taker(it, &it->takers[i]), 0);
	KUNIT_EXPECT_EQ(test, who_takes(it, c->write.addr, c->write.len, c->write.data), c->who);
	remove_all(it);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&it->ghvm->io_handlers));
}

struct pair_case {
	const char *desc;
	struct io a, b;
	int ret;
};

static const struct pair_case pair_cases[] = {
	{ "any, same size", ANY(0, 4), ANY(0, 4), -EEXIST },
	{ "any, other sizes", ANY(0, 4), ANY(0, 8), -EEXIST },
	{ "any, size 1 and any size", ANY(0, 1), ANY(0, 0), -EEXIST },
	{ "any, any size", ANY(0, 0), ANY(0, 0), -EEXIST },
	{ "any, other addresses", ANY(0, 4), ANY(1, 4), 0 },
	{ "any, addresses 4 GiB apart", ANY(0, 4), ANY(1ULL << 32, 4), 0 },
	{ "any, first and last address", { 0, 1, false, 0 }, { U64_MAX, 1, false, 0 }, 0 },
	{ "same value and size", ONLY(0, 4, 5), ONLY(0, 4, 5), -EEXIST },
	{ "same value 0 and size", ONLY(0, 8, 0), ONLY(0, 8, 0), -EEXIST },
	{ "other values", ONLY(0, 4, 5), ONLY(0, 4, 6), 0 },
	{ "values that differ in high bits", ONLY(0, 8, 5), ONLY(0, 8, 1ULL << 63 | 5), 0 },
	{ "lowest and highest value", ONLY(0, 8, 0), ONLY(0, 8, U64_MAX), 0 },
	{ "same value, other sizes", ONLY(0, 4, 5), ONLY(0, 2, 5), 0 },
	{ "same value and size, other addresses", ONLY(0, 4, 5), ONLY(4, 4, 5), 0 },
	{ "any and a value", ANY(0, 4), ONLY(0, 4, 5), 0 },
	{ "any and value 0", ANY(0, 4), ONLY(0, 4, 0), 0 },
	{ "any size and a value", ANY(0, 0), ONLY(0, 8, 5), 0 },
};

KUNIT_ARRAY_PARAM_DESC(pair, pair_cases, desc);

/* Two of them: the second is refused or not, whichever that is. */
static void two_at_once(struct kunit *test)
{
	const struct pair_case *c = test->param_value;
	struct io_test *it = new_io_test(test);
	struct taker *a = new_taker(it, &c->a), *b = new_taker(it, &c->b);

	KUNIT_EXPECT_EQ(test, add_taker(it, a), 0);
	KUNIT_EXPECT_EQ(test, add_taker(it, b), c->ret);
	/* The one that is refused leaves the other as it was. */
	KUNIT_EXPECT_EQ(test, who_takes(it, c->a.addr, c->a.len ?: 1, c->a.data),
			who_is_to_take(it, c->a.addr, c->a.len ?: 1, c->a.data));
	KUNIT_EXPECT_EQ(test, who_takes(it, c->b.addr, c->b.len ?: 1, c->b.data),
			who_is_to_take(it, c->b.addr, c->b.len ?: 1, c->b.data));
	remove_taker(it, a);
	if (c->ret)
		KUNIT_EXPECT_EQ(test, add_taker(it, b), 0);
	KUNIT_EXPECT_EQ(test, add_taker(it, a), c->ret);
	remove_all(it);
}

static void expect_right_one(struct io_test *it, u64 offset, u32 len, u64 data,
			     unsigned int round, unsigned int step)
{
	u64 value = data & GENMASK_ULL(8 * len - 1, 0);

	KUNIT_EXPECT_EQ_MSG(it->vt->test, who_takes(it, BASE + offset, len, value),
			    who_is_to_take(it, BASE + offset, len, value),
			    "round %u, step %u, +%llu, %u bytes, %llx", round, step, offset, len,
			    value);
}

/* Many of them, in every order that chance makes, with some that come and go */
static void order_makes_no_difference(struct kunit *test)
{
	static const struct io ios[] = {
		ANY(0, 0), ONLY(0, 8, 0), ONLY(0, 8, U64_MAX), ONLY(0, 4, 0), ONLY(0, 4, 7),
		ONLY(0, 2, 7), ONLY(0, 1, 0xff), ANY(4, 4), ONLY(4, 8, 7), ONLY(4, 4, 7),
		ONLY(8, 1, 0), ONLY(8, 1, 1), ANY(8, 1), ANY(9, 8), ONLY(9, 8, 1ULL << 32),
		ANY(0xa, 2),
	};
	static const u64 data[] = { 0, 1, 7, 0xff, 1ULL << 32, U64_MAX };
	static const u32 lens[] = { 1, 2, 4, 8 };
	struct io_test *it = new_io_test(test);
	unsigned int order[ARRAY_SIZE(ios)];
	unsigned int round, step, i, j, k;
	struct rnd_state rnd;
	struct taker *taker;
	u64 offset;

	BUILD_BUG_ON(ARRAY_SIZE(ios) != MAX_HANDLERS);
	prandom_seed_state(&rnd, 4);
	for (i = 0; i < ARRAY_SIZE(ios); i++) {
		new_taker(it, &ios[i]);
		order[i] = i;
	}

	for (round = 0; round < 20; round++) {
		for (i = ARRAY_SIZE(order) - 1; i; i--) {
			j = prandom_u32_state(&rnd) % (i + 1);
			swap(order[i], order[j]);
		}

		/* All come; then half of them, which ones is by chance, go; then all go. */
		for (step = 0; step < 3; step++) {
			for (i = 0; i < ARRAY_SIZE(order); i++) {
				taker = &it->takers[order[i]];
				if (!step)
					KUNIT_ASSERT_EQ(test, add_taker(it, taker), 0);
				else if (taker->added && (step == 2 || i % 2))
					remove_taker(it, taker);
			}

			for (offset = 0; offset < 12; offset++) {
				for (j = 0; j < ARRAY_SIZE(lens); j++) {
					for (k = 0; k < ARRAY_SIZE(data); k++)
						expect_right_one(it, offset, lens[j], data[k],
								 round, step);
				}
			}
		}
		KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&it->ghvm->io_handlers));
	}
}

static void vms_have_handlers_of_their_own(struct kunit *test)
{
	static const struct io io = ANY(0, 4);
	struct io_test *it = new_io_test(test), *other = new_io_test(test);

	KUNIT_EXPECT_EQ(test, add_taker(it, new_taker(it, &io)), 0);
	KUNIT_EXPECT_EQ(test, who_takes(other, BASE, 4, 0), NOBODY);
	KUNIT_EXPECT_EQ(test, add_taker(other, new_taker(other, &io)), 0);
	KUNIT_EXPECT_EQ(test, who_takes(other, BASE, 4, 0), 0);
	KUNIT_EXPECT_EQ(test, it->takers[0].taken, 0);
	remove_all(it);
	KUNIT_EXPECT_EQ(test, who_takes(other, BASE, 4, 0), 0);
	remove_all(other);
}

/* A handler that takes its time */
struct slow {
	struct gh_vm_io_handler handler;
	struct completion called;
	struct completion go_on;
	bool returned;
};

static void slow_write(struct gh_vm_io_handler *handler)
{
	struct slow *slow = container_of(handler, struct slow, handler);

	complete(&slow->called);
	wait_for_completion_timeout(&slow->go_on, FAKE_RM_PATIENCE);
	WRITE_ONCE(slow->returned, true);
}

static struct slow *slow;

static long write_to_slow(struct vm_test *vt, struct vm *vm)
{
	return gh_vm_mmio_write(vm->ghvm, BASE, 4, 0);
}

/* Returns whether the handler had returned by then */
static long remove_slow(struct vm_test *vt, struct vm *vm)
{
	gh_vm_remove_io_handler(vm->ghvm, &slow->handler);
	return READ_ONCE(slow->returned);
}

/* Who removes it frees it then. */
static void removal_waits_for_a_write(struct kunit *test)
{
	unsigned long deadline = jiffies + FAKE_RM_PATIENCE;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct vm_thread *writer, *remover;

	slow = kunit_kzalloc(test, sizeof(*slow), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, slow);
	init_completion(&slow->called);
	init_completion(&slow->go_on);
	slow->handler.addr = BASE;
	slow->handler.write = slow_write;
	KUNIT_ASSERT_EQ(test, gh_vm_add_io_handler(vm->ghvm, &slow->handler), 0);

	writer = vm_thread_start(vt, write_to_slow, vm);
	KUNIT_EXPECT_NE(test, 0UL, wait_for_completion_timeout(&slow->called, FAKE_RM_PATIENCE));
	remover = vm_thread_start(vt, remove_slow, vm);
	while (!rwsem_is_contended(&vm->ghvm->io_lock) && !completion_done(&remover->done) &&
	       time_before(jiffies, deadline))
		schedule_timeout_uninterruptible(1);
	complete(&slow->go_on);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(remover), 1);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(writer), 1);
	KUNIT_EXPECT_FALSE(test, gh_vm_mmio_write(vm->ghvm, BASE, 4, 0));
}

static struct kunit_case vm_mgr_io_cases[] = {
	KUNIT_CASE_PARAM(write_goes_to, who_gen_params),
	KUNIT_CASE_PARAM(two_at_once, pair_gen_params),
	KUNIT_CASE(order_makes_no_difference),
	KUNIT_CASE(vms_have_handlers_of_their_own),
	KUNIT_CASE(removal_waits_for_a_write),
	{}
};

static struct kunit_suite vm_mgr_io_suite = {
	.name = "gunyah_vm_mgr_io",
	.init = vm_test_init,
	.exit = vm_test_exit,
	.test_cases = vm_mgr_io_cases,
};

kunit_test_suite(vm_mgr_io_suite);

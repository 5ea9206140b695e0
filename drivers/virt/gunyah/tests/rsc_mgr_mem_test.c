// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of memory parcels: what is sent for each, and whose the memory is whatever
 * goes wrong.
 */

#include <kunit/test.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "fake_transport.h"

#define LEND	0x51000012
#define SHARE	0x51000013
#define RECLAIM	0x51000015
#define APPEND	0x51000018

#define HANDLE	0x00c0ffee
#define LABEL	0x13579bdf
#define PIECES	512		/* in a message at most */

/* Piece number @i */
static u64 piece_addr(size_t i)
{
	return 0x123400000000 + i * 0x10000;
}

static u64 piece_size(size_t i)
{
	return (1 + i % 13) * 0x1000;
}

struct pieces {
	struct gh_rm_mem_iter iter;
	size_t next;
};

static bool next_piece(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	struct pieces *pieces = container_of(iter, struct pieces, iter);

	*addr = piece_addr(pieces->next);
	*size = piece_size(pieces->next);
	pieces->next++;
	return true;
}

/**
 * struct memory - A parcel and the peer's view of it
 * @base: the parcel
 * @pieces: its pieces
 * @acl: its ACL
 * @lock: held by who calls, as the VM manager does, and taken by the late callback
 * @lend: lent, not shared
 * @fail: which message of the parcel goes wrong, counted from 0; -1: none
 * @error: with this error code, or if that is 0
 * @silent: without an answer, or
 * @cut: with so many bytes of an answer
 * @reclaim_error: the answer to reclaims
 * @reclaim_silent: there is none
 * @messages: create and append messages received
 * @received: pieces received
 * @closed: the parcel was complete
 * @reclaims: reclaims received
 * @lost: the request that was not answered
 * @late: how often the late callback was called
 * @late_state: the state it was told
 * @late_handle: the handle it was told
 * @late_called: completed by it
 */
struct memory {
	struct gh_rm_mem_parcel base;
	struct pieces pieces;
	struct gh_rm_mem_acl_entry acl[PIECES + 1];
	struct mutex lock;		/* see above */
	bool lend;

	int fail;
	u32 error;
	bool silent;
	size_t cut;
	u32 reclaim_error;
	bool reclaim_silent;

	unsigned int messages;
	size_t received;
	bool closed;
	unsigned int reclaims;
	struct fake_msg *lost;

	unsigned int late;
	enum gh_rm_parcel_state late_state;
	u32 late_handle;
	struct completion late_called;
};

static void late(struct gh_rm_mem_parcel *parcel, enum gh_rm_parcel_state state, u32 mem_handle)
{
	struct memory *mem = container_of(parcel, struct memory, base);

	mutex_lock(&mem->lock);
	parcel->state = state;
	parcel->mem_handle = mem_handle;
	mutex_unlock(&mem->lock);
	mem->late++;
	mem->late_state = state;
	mem->late_handle = mem_handle;
	complete(&mem->late_called);
}

static struct memory *new_memory(struct kunit *test, bool lend, size_t acls, size_t pieces)
{
	struct memory *mem = kunit_kzalloc(test, sizeof(*mem), GFP_KERNEL);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, mem);
	mem->lost = kunit_kzalloc(test, sizeof(*mem->lost), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem->lost);
	mutex_init(&mem->lock);
	init_completion(&mem->late_called);
	mem->lend = lend;
	mem->fail = -1;
	for (i = 0; i < acls; i++)
		mem->acl[i] = (struct gh_rm_mem_acl_entry){ 0x80 + i, 4 + i % 4 };
	mem->pieces.iter.next = next_piece;
	mem->base = (struct gh_rm_mem_parcel){
		.mem_type = GH_RM_MEM_TYPE_NORMAL,
		.label = LABEL,
		.n_acl_entries = acls,
		.acl_entries = mem->acl,
		.n_mem_entries = pieces,
		.iter = &mem->pieces.iter,
		.late = late,
	};
	return mem;
}

/* The peer */

static void expect_pieces(struct fake_transport *ft, const u8 *p, size_t n)
{
	struct memory *mem = ft->priv;
	size_t i, good = 0;

	KUNIT_EXPECT_EQ(ft->test, get_unaligned_le16(p), n);
	KUNIT_EXPECT_EQ(ft->test, get_unaligned_le16(p + 2), 0);
	p += 4;
	for (i = 0; i < n; i++, p += 16)
		good += get_unaligned_le64(p) == piece_addr(mem->received + i) &&
			get_unaligned_le64(p + 8) == piece_size(mem->received + i);
	KUNIT_EXPECT_EQ(ft->test, good, n);
	mem->received += n;
}

static void expect_create(struct fake_transport *ft, const struct fake_msg *req)
{
	struct memory *mem = ft->priv;
	size_t acls = mem->base.n_acl_entries, n = min_t(size_t, mem->base.n_mem_entries, PIECES);
	const u8 *p = req->data;
	size_t i;

	KUNIT_EXPECT_EQ(ft->test, mem->messages, 0);
	KUNIT_EXPECT_EQ(ft->test, req->id, mem->lend ? LEND : SHARE);
	KUNIT_EXPECT_EQ(ft->test, req->len, 8 + 4 + 4 * acls + 4 + 16 * n + 4);
	if (req->len != 8 + 4 + 4 * acls + 4 + 16 * n + 4)
		return;

	KUNIT_EXPECT_EQ(ft->test, p[0], 0);
	KUNIT_EXPECT_EQ(ft->test, p[1], 0);
	KUNIT_EXPECT_EQ(ft->test, p[2], mem->base.n_mem_entries > n ? 2 : 0);
	KUNIT_EXPECT_EQ(ft->test, p[3], 0);
	KUNIT_EXPECT_EQ(ft->test, get_unaligned_le32(p + 4), LABEL);
	p += 8;

	KUNIT_EXPECT_EQ(ft->test, get_unaligned_le16(p), acls);
	KUNIT_EXPECT_EQ(ft->test, get_unaligned_le16(p + 2), 0);
	p += 4;
	for (i = 0; i < acls; i++, p += 4) {
		KUNIT_EXPECT_EQ(ft->test, get_unaligned_le16(p), 0x80 + i);
		KUNIT_EXPECT_EQ(ft->test, p[2], 4 + i % 4);
		KUNIT_EXPECT_EQ(ft->test, p[3], 0);
	}

	expect_pieces(ft, p, n);
	p += 4 + 16 * n;
	/* No attributes */
	KUNIT_EXPECT_EQ(ft->test, get_unaligned_le32(p), 0);
	mem->closed = mem->received == mem->base.n_mem_entries;
}

static void expect_append(struct fake_transport *ft, const struct fake_msg *req)
{
	struct memory *mem = ft->priv;
	size_t n = min_t(size_t, mem->base.n_mem_entries - mem->received, PIECES);
	bool last = mem->received + n == mem->base.n_mem_entries;

	KUNIT_EXPECT_GT(ft->test, mem->messages, 0);
	KUNIT_EXPECT_FALSE(ft->test, mem->closed);
	KUNIT_EXPECT_EQ(ft->test, req->len, 8 + 4 + 16 * n);
	if (req->len != 8 + 4 + 16 * n)
		return;
	KUNIT_EXPECT_EQ(ft->test, get_unaligned_le32(req->data), HANDLE);
	KUNIT_EXPECT_EQ(ft->test, get_unaligned_le32(req->data + 4), last ? 1 : 0);
	expect_pieces(ft, req->data + 8, n);
	mem->closed = last;
}

static void answer(struct fake_transport *ft, const struct fake_msg *req)
{
	static const u8 handle[4] = { 0xee, 0xff, 0xc0, 0x00 };
	struct memory *mem = ft->priv;
	bool fails = mem->messages == mem->fail;

	switch (req->id) {
	case RECLAIM:
		mem->reclaims++;
		KUNIT_EXPECT_EQ(ft->test, req->len, 8);
		KUNIT_EXPECT_EQ(ft->test, get_unaligned_le64(req->data), HANDLE);
		if (!mem->reclaim_silent)
			fake_reply(ft, req, mem->reclaim_error, NULL, 0);
		return;
	case LEND:
	case SHARE:
		expect_create(ft, req);
		break;
	case APPEND:
		expect_append(ft, req);
		break;
	default:
		KUNIT_FAIL(ft->test, "message %#x\n", req->id);
		return;
	}
	mem->messages++;

	/* The message that is not answered is the only one with a short deadline. */
	if (mem->silent && mem->messages == mem->fail) {
		ft->timeout_once = true;
		*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;
	}

	if (fails && mem->reclaim_silent) {
		ft->timeout_once = true;
		*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;
	}

	if (fails && mem->error)
		fake_reply(ft, req, mem->error, NULL, 0);
	else if (fails && mem->silent)
		*mem->lost = *req;
	else if (fails)
		fake_send(ft, FAKE_REPLY, req->seq, req->id, "\0\0\0\0\0\0\0\0\0", mem->cut);
	else
		fake_reply(ft, req, 0, handle, req->id == APPEND ? 0 : 4);
}

static int give(struct fake_transport *ft, struct memory *mem)
{
	int ret;

	ft->request = answer;
	ft->priv = mem;
	mutex_lock(&mem->lock);
	if (mem->lend)
		ret = gh_rm_mem_lend(ft->rm, &mem->base);
	else
		ret = gh_rm_mem_share(ft->rm, &mem->base);
	mutex_unlock(&mem->lock);
	return ret;
}

static int reclaim(struct fake_transport *ft, struct memory *mem)
{
	int ret;

	mutex_lock(&mem->lock);
	ret = gh_rm_mem_reclaim(ft->rm, &mem->base);
	mutex_unlock(&mem->lock);
	return ret;
}

static void expect_state(struct fake_transport *ft, struct memory *mem,
			 enum gh_rm_parcel_state state)
{
	mutex_lock(&mem->lock);
	KUNIT_EXPECT_EQ(ft->test, mem->base.state, state);
	if (state == GH_RM_PARCEL_HELD)
		KUNIT_EXPECT_EQ(ft->test, mem->base.mem_handle, HANDLE);
	mutex_unlock(&mem->lock);
	KUNIT_EXPECT_EQ(ft->test, gh_rm_parcels(ft->rm), state == GH_RM_PARCEL_NONE ? 0 : 1);
}

/* That the parcel goes on to be accounted for is what the test was about. */
static void forget(struct fake_transport *ft)
{
	while (gh_rm_parcels(ft->rm))
		gh_rm_parcel_uncharge(ft->rm);
}

struct size_row {
	const char *name;
	size_t acls;
	size_t pieces;
	unsigned int messages;
};

static const struct size_row size_rows[] = {
	{ "1 piece", 1, 1, 1 },
	{ "511 pieces", 1, 511, 1 },
	{ "512 pieces", 1, 512, 1 },
	{ "513 pieces", 1, 513, 2 },
	{ "1023 pieces", 1, 1023, 2 },
	{ "1024 pieces", 1, 1024, 2 },
	{ "1025 pieces", 1, 1025, 3 },
	{ "100000 pieces", 1, 100000, 196 },
	{ "2 VMs", 2, 3, 1 },
	{ "512 VMs, 512 pieces", 512, 512, 1 },
	{ "512 VMs, 513 pieces", 512, 513, 2 },
};

KUNIT_ARRAY_PARAM_DESC(size, size_rows, name);

static void parcel_arrives_piece_by_piece_and_is_reclaimed(struct kunit *test)
{
	const struct size_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	int lend;

	for (lend = 0; lend < 2; lend++) {
		mem = new_memory(test, lend, row->acls, row->pieces);
		KUNIT_ASSERT_EQ(test, give(ft, mem), 0);
		KUNIT_EXPECT_EQ(test, mem->messages, row->messages);
		KUNIT_EXPECT_EQ(test, mem->received, row->pieces);
		KUNIT_EXPECT_EQ(test, mem->pieces.next, row->pieces);
		KUNIT_EXPECT_TRUE(test, mem->closed);
		expect_state(ft, mem, GH_RM_PARCEL_HELD);

		KUNIT_EXPECT_EQ(test, reclaim(ft, mem), 0);
		KUNIT_EXPECT_EQ(test, mem->reclaims, 1);
		expect_state(ft, mem, GH_RM_PARCEL_NONE);
		KUNIT_EXPECT_EQ(test, mem->base.mem_handle, GH_MEM_HANDLE_INVAL);
	}
}

static const struct size_row bad_rows[] = {
	{ "no pieces", 1, 0 },
	{ "no VMs", 0, 1 },
	{ "neither", 0, 0 },
	{ "513 VMs", 513, 1 },
};

KUNIT_ARRAY_PARAM_DESC(bad, bad_rows, name);

static void parcel_that_cannot_be_is_not_asked_for(struct kunit *test)
{
	const struct size_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	int lend;

	for (lend = 0; lend < 2; lend++) {
		mem = new_memory(test, lend, row->acls, row->pieces);
		KUNIT_EXPECT_EQ(test, give(ft, mem), -EINVAL);
		expect_state(ft, mem, GH_RM_PARCEL_NONE);
	}
	KUNIT_EXPECT_EQ(test, ft->requests, 0);
}

static void there_are_64_parcels_and_no_more(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem[64], *more = new_memory(test, true, 1, 1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mem); i++) {
		mem[i] = new_memory(test, true, 1, 1);
		KUNIT_ASSERT_EQ(test, give(ft, mem[i]), 0);
		KUNIT_EXPECT_EQ(test, gh_rm_parcels(ft->rm), i + 1);
	}
	KUNIT_EXPECT_EQ(test, give(ft, more), -ENOSPC);
	KUNIT_EXPECT_EQ(test, more->messages, 0);
	KUNIT_EXPECT_EQ(test, more->base.state, GH_RM_PARCEL_NONE);
	KUNIT_EXPECT_EQ(test, gh_rm_parcels(ft->rm), 64);

	ft->priv = mem[7];
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem[7]), 0);
	KUNIT_EXPECT_EQ(test, give(ft, more), 0);
	forget(ft);
}

/* A message that goes wrong, and whose the memory is then */
struct fail_row {
	const char *name;
	u32 error;
	bool silent;
	size_t cut;
	int err;
};

static const struct fail_row fail_rows[] = {
	{ "NOMEM", GH_RM_ERROR_NOMEM, .err = -ENOMEM },
	{ "MEM_INVALID", GH_RM_ERROR_MEM_INVALID, .err = -EINVAL },
	{ "UNIMPLEMENTED", GH_RM_ERROR_UNIMPLEMENTED, .err = -EOPNOTSUPP },
	{ "no answer", .silent = true, .err = -ETIMEDOUT },
	{ "half an answer", .cut = 3, .err = -EPROTO },
	{ "too much of an answer", .cut = 9, .err = -EPROTO },
};

KUNIT_ARRAY_PARAM_DESC(fail, fail_rows, name);

static struct memory *failing_memory(struct fake_transport *ft, const struct fail_row *row,
				     size_t pieces, int fail)
{
	struct memory *mem = new_memory(ft->test, true, 1, pieces);

	mem->fail = fail;
	mem->error = row->error;
	mem->silent = row->silent;
	mem->cut = row->cut;
	if (row->silent && !fail) {
		ft->timeout_once = true;
		*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;
	}
	return mem;
}

static void lend_that_fails_leaves_nothing_or_it_is_not_known(struct kunit *test)
{
	const struct fail_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = failing_memory(ft, row, 1, 0);

	KUNIT_EXPECT_EQ(test, give(ft, mem), row->err);
	expect_state(ft, mem, row->error ? GH_RM_PARCEL_NONE : GH_RM_PARCEL_UNKNOWN);
	/* There is no handle to reclaim. */
	KUNIT_EXPECT_EQ(test, mem->reclaims, 0);
	forget(ft);
}

#define APPENDS	4

/* A short deadline may be over before the last packet of many has been sent. */
static void expect_give_fails(struct fake_transport *ft, struct memory *mem, int err)
{
	int ret = give(ft, mem);

	if (ret != -ETIME || err != -ETIMEDOUT || mem->fail == APPENDS)
		KUNIT_EXPECT_EQ(ft->test, ret, err);
}

static void parcel_of_which_an_append_fails_is_reclaimed(struct kunit *test)
{
	const struct fail_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	unsigned int i;

	for (i = 1; i <= APPENDS; i++) {
		mem = failing_memory(ft, row, PIECES * APPENDS + 1, i);
		expect_give_fails(ft, mem, row->err);
		KUNIT_EXPECT_LE(test, mem->messages, i + 1);
		if (mem->messages <= i)
			KUNIT_EXPECT_TRUE(test, row->silent && i < APPENDS);
		KUNIT_EXPECT_EQ(test, mem->reclaims, 1);
		expect_state(ft, mem, GH_RM_PARCEL_NONE);
		fake_transport_flush(ft);
	}
}

static void parcel_of_which_append_and_reclaim_fail_is_still_held(struct kunit *test)
{
	const struct fail_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	unsigned int i;

	for (i = 1; i <= APPENDS; i++) {
		mem = failing_memory(ft, row, PIECES * APPENDS + 1, i);
		mem->reclaim_error = GH_RM_ERROR_MEM_INUSE;
		expect_give_fails(ft, mem, row->err);
		KUNIT_EXPECT_EQ(test, mem->reclaims, 1);
		expect_state(ft, mem, GH_RM_PARCEL_HELD);

		mem->reclaim_error = 0;
		KUNIT_EXPECT_EQ(test, reclaim(ft, mem), 0);
		expect_state(ft, mem, GH_RM_PARCEL_NONE);
	}
}

/* Nobody knows whether that reclaim was carried out, and it can be asked for again. */
static void parcel_of_which_an_append_fails_and_the_reclaim_is_not_answered(struct kunit *test)
{
	static const u32 errors[] = { GH_RM_ERROR_OK, GH_RM_ERROR_HANDLE_INVALID };
	static const struct fail_row row = { .error = GH_RM_ERROR_NOMEM };
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		mem = failing_memory(ft, &row, PIECES + 1, 1);
		mem->reclaim_silent = true;
		KUNIT_EXPECT_EQ(test, give(ft, mem), -ENOMEM);
		KUNIT_EXPECT_EQ(test, mem->reclaims, 1);
		expect_state(ft, mem, GH_RM_PARCEL_HELD);
		KUNIT_EXPECT_TRUE(test, mem->base.reclaim_asked);

		mem->reclaim_silent = false;
		mem->reclaim_error = errors[i];
		*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_LONG;
		KUNIT_EXPECT_EQ(test, reclaim(ft, mem), 0);
		expect_state(ft, mem, GH_RM_PARCEL_NONE);
	}
}

static void parcel_whose_transport_is_gone_was_not_taken(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, true, 1, 1);

	gh_rm_close(ft->rm);
	KUNIT_EXPECT_EQ(test, give(ft, mem), -ENODEV);
	expect_state(ft, mem, GH_RM_PARCEL_NONE);
}

/*
 * Answers that come late
 */

/* One piece, which is one packet: that is sent however short the deadline is. */
static struct memory *give_in_vain(struct fake_transport *ft)
{
	static const struct fail_row row = { .silent = true };
	struct memory *mem = failing_memory(ft, &row, 1, 0);

	KUNIT_EXPECT_EQ(ft->test, give(ft, mem), -ETIMEDOUT);
	fake_transport_flush(ft);
	expect_state(ft, mem, GH_RM_PARCEL_UNKNOWN);
	KUNIT_EXPECT_EQ(ft->test, mem->lost->id, LEND);
	return mem;
}

static void late_handle_is_told_and_can_be_reclaimed(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = give_in_vain(ft);

	fake_reply(ft, mem->lost, 0, "\xee\xff\xc0\x00", 4);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&mem->late_called, FAKE_PATIENCE), 0);
	expect_state(ft, mem, GH_RM_PARCEL_HELD);
	KUNIT_EXPECT_EQ(test, mem->late_state, GH_RM_PARCEL_HELD);
	KUNIT_EXPECT_EQ(test, mem->late_handle, HANDLE);

	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), 0);
	expect_state(ft, mem, GH_RM_PARCEL_NONE);
	KUNIT_EXPECT_EQ(test, mem->late, 1);
}

static void late_refusal_is_told_and_frees_the_parcel(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = give_in_vain(ft);

	fake_reply(ft, mem->lost, GH_RM_ERROR_NOMEM, NULL, 0);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&mem->late_called, FAKE_PATIENCE), 0);
	expect_state(ft, mem, GH_RM_PARCEL_NONE);
	KUNIT_EXPECT_EQ(test, mem->late_state, GH_RM_PARCEL_NONE);
	KUNIT_EXPECT_EQ(test, mem->late_handle, GH_MEM_HANDLE_INVAL);
	gh_rm_shutdown(ft->rm);
	KUNIT_EXPECT_EQ(test, mem->late, 1);
}

static void late_answer_without_a_handle_tells_nothing(struct kunit *test)
{
	static const size_t lens[] = { 0, 3, 5, 8, 12 };
	struct fake_transport *ft = fake_transport_create(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		struct memory *mem = give_in_vain(ft);

		fake_reply(ft, mem->lost, 0, "\xee\xff\xc0\x00\0\0\0\0\0\0\0\0", lens[i]);
		/* Waits for the late reply's work, and for nothing else, as all else is done. */
		gh_rm_shutdown(ft->rm);
		KUNIT_EXPECT_EQ(test, mem->late, 0);
		expect_state(ft, mem, GH_RM_PARCEL_UNKNOWN);
		forget(ft);
	}
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_LATE_REPLIES), ARRAY_SIZE(lens));
}

/*
 * Reclaims
 */

static struct memory *held_memory(struct fake_transport *ft)
{
	struct memory *mem = new_memory(ft->test, false, 2, 1);

	KUNIT_ASSERT_EQ(ft->test, give(ft, mem), 0);
	return mem;
}

static void reclaim_that_is_refused_leaves_the_memory_where_it_is(struct kunit *test)
{
	static const struct { u32 error; int err; } rows[] = {
		{ GH_RM_ERROR_MEM_INUSE, -EINVAL },
		{ GH_RM_ERROR_NOMEM, -ENOMEM },
		{ GH_RM_ERROR_DENIED, -EPERM },
		/* We never asked before, so this is no success. */
		{ GH_RM_ERROR_HANDLE_INVALID, -EINVAL },
		{ GH_RM_ERROR_MEM_RELEASED, -EINVAL },
	};
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = held_memory(ft);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		mem->reclaim_error = rows[i].error;
		KUNIT_EXPECT_EQ(test, reclaim(ft, mem), rows[i].err);
		expect_state(ft, mem, GH_RM_PARCEL_HELD);
	}
	mem->reclaim_error = 0;
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), 0);
	expect_state(ft, mem, GH_RM_PARCEL_NONE);
}

static void reclaim_that_was_not_answered_is_asked_for_again(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = held_memory(ft);

	mem->reclaim_silent = true;
	ft->timeout_once = true;
	*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), -ETIMEDOUT);
	fake_transport_flush(ft);
	expect_state(ft, mem, GH_RM_PARCEL_HELD);

	/* It was not carried out, and is refused now */
	mem->reclaim_silent = false;
	mem->reclaim_error = GH_RM_ERROR_MEM_INUSE;
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), -EINVAL);
	expect_state(ft, mem, GH_RM_PARCEL_HELD);

	/* or it was, and the handle is gone */
	mem->reclaim_error = GH_RM_ERROR_HANDLE_INVALID;
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), 0);
	expect_state(ft, mem, GH_RM_PARCEL_NONE);
	KUNIT_EXPECT_EQ(test, mem->base.mem_handle, GH_MEM_HANDLE_INVAL);
	KUNIT_EXPECT_FALSE(test, mem->base.reclaim_asked);
	KUNIT_EXPECT_EQ(test, mem->reclaims, 3);
}

static void reclaim_is_not_asked_for_if_it_could_not_be_sent(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = held_memory(ft);

	ft->fail_send = ft->accepted + 1;
	ft->fail_err = -EIO;
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), -EIO);
	mem->reclaim_error = GH_RM_ERROR_HANDLE_INVALID;
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), -EINVAL);
	expect_state(ft, mem, GH_RM_PARCEL_HELD);
	forget(ft);
}

static void parcels_are_charged_and_uncharged_alike(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	unsigned int i;

	for (i = 0; i < GH_RM_MAX_PARCELS; i++)
		KUNIT_EXPECT_TRUE(test, gh_rm_parcel_charge(ft->rm));
	KUNIT_EXPECT_FALSE(test, gh_rm_parcel_charge(ft->rm));
	KUNIT_EXPECT_EQ(test, gh_rm_parcels(ft->rm), 64);
	for (i = 0; i < GH_RM_MAX_PARCELS; i++)
		gh_rm_parcel_uncharge(ft->rm);
	KUNIT_EXPECT_EQ(test, gh_rm_parcels(ft->rm), 0);
}

static struct kunit_case mem_cases[] = {
	KUNIT_CASE_PARAM(parcel_arrives_piece_by_piece_and_is_reclaimed, size_gen_params),
	KUNIT_CASE_PARAM(parcel_that_cannot_be_is_not_asked_for, bad_gen_params),
	KUNIT_CASE(there_are_64_parcels_and_no_more),
	KUNIT_CASE_PARAM(lend_that_fails_leaves_nothing_or_it_is_not_known, fail_gen_params),
	KUNIT_CASE_PARAM(parcel_of_which_an_append_fails_is_reclaimed, fail_gen_params),
	KUNIT_CASE_PARAM(parcel_of_which_append_and_reclaim_fail_is_still_held, fail_gen_params),
	KUNIT_CASE(parcel_of_which_an_append_fails_and_the_reclaim_is_not_answered),
	KUNIT_CASE(parcel_whose_transport_is_gone_was_not_taken),
	KUNIT_CASE(late_handle_is_told_and_can_be_reclaimed),
	KUNIT_CASE(late_refusal_is_told_and_frees_the_parcel),
	KUNIT_CASE(late_answer_without_a_handle_tells_nothing),
	KUNIT_CASE(reclaim_that_is_refused_leaves_the_memory_where_it_is),
	KUNIT_CASE(reclaim_that_was_not_answered_is_asked_for_again),
	KUNIT_CASE(reclaim_is_not_asked_for_if_it_could_not_be_sent),
	KUNIT_CASE(parcels_are_charged_and_uncharged_alike),
	{}
};

static struct kunit_suite mem_suite = {
	.name = "gunyah_rsc_mgr_mem",
	.test_cases = mem_cases,
};

kunit_test_suite(mem_suite);

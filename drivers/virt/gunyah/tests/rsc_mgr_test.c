// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the call engine: what becomes of a call whatever comes in, or does not,
 * and where notifications go.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "fake_transport.h"

#define ID	0x56000017
#define STATUS	0x56100008
#define EXITED	0x56100001

static u64 stat(struct fake_transport *ft, enum gh_rm_stat which)
{
	return gh_rm_stat(ft->rm, which);
}

/* A call with a payload of @len bytes each way at most */
static void *payload(struct kunit *test, size_t len)
{
	u8 *buf = kunit_kmalloc(test, len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	fake_fill(buf, len);
	return buf;
}

static void set_timeout(struct fake_transport *ft, u32 ms)
{
	*gh_rm_call_timeout_ms(ft->rm) = ms;
}

/* The simplest call there is, to see that all is well */
static void expect_call_works(struct fake_transport *ft)
{
	struct gh_rm_call call = { .id = ID };
	unsigned int requests = ft->requests;

	set_timeout(ft, FAKE_TIMEOUT_LONG);
	ft->request = NULL;
	KUNIT_EXPECT_EQ(ft->test, gh_rm_call(ft->rm, &call), 0);
	KUNIT_EXPECT_EQ(ft->test, call.rm_error, GH_RM_ERROR_OK);
	KUNIT_EXPECT_EQ(ft->test, ft->requests, requests + 1);
}

/*
 * Requests and replies that are as they should be
 */

struct size_row {
	const char *name;
	size_t req;
	size_t resp;
	unsigned int packets;
};

static const struct size_row size_rows[] = {
	{ "nothing either way", 0, 0, 1 },
	{ "a word either way", 4, 4, 1 },
	{ "a packet out", 232, 0, 1 },
	{ "a packet and a byte out", 233, 0, 2 },
	{ "as many packets as there are slots", 16 * 232, 0, 16 },
	{ "more packets than there are slots", 16 * 232 + 1, 0, 17 },
	{ "the longest request", 14616, 4, 63 },
	{ "a packet in", 0, 228, 1 },
	{ "a packet and a byte in", 0, 229, 1 },
	{ "the longest reply", 4, 14612, 1 },
	{ "the longest either way", 14616, 14612, 63 },
};

KUNIT_ARRAY_PARAM_DESC(size, size_rows, name);

/* Expects what fake_fill() fills in, and answers with the same. */
static void answer_sizes(struct fake_transport *ft, const struct fake_msg *req)
{
	const struct size_row *row = ft->priv;
	u8 *resp = kmalloc(row->resp + 1, GFP_KERNEL);
	size_t i;

	KUNIT_EXPECT_EQ(ft->test, req->id, ID);
	KUNIT_EXPECT_EQ(ft->test, req->len, row->req);
	KUNIT_EXPECT_EQ(ft->test, req->packets, row->packets);
	for (i = 0; i < req->len && req->data[i] == fake_byte(i); i++)
		;
	KUNIT_EXPECT_EQ(ft->test, i, row->req);

	KUNIT_EXPECT_NOT_NULL(ft->test, resp);
	if (!resp)
		return;
	fake_fill(resp, row->resp);
	fake_reply(ft, req, GH_RM_ERROR_OK, resp, row->resp);
	kfree(resp);
}

static void call_of_any_size_arrives_and_so_does_its_reply(struct kunit *test)
{
	const struct size_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	/* Of the reply's size, so that a sanitizer sees it if more is written. */
	u8 *resp = kunit_kzalloc(test, row->resp + !row->resp, GFP_KERNEL);
	struct gh_rm_call call = {
		.id = ID,
		.req = payload(test, row->req + 1),
		.req_len = row->req,
		.resp = resp,
		.resp_size = row->resp,
	};
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, resp);
	ft->request = answer_sizes;
	ft->priv = (void *)row;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	KUNIT_EXPECT_EQ(test, call.rm_error, GH_RM_ERROR_OK);
	for (i = 0; i < row->resp && resp[i] == fake_byte(i); i++)
		;
	KUNIT_EXPECT_EQ(test, i, row->resp);
	KUNIT_EXPECT_EQ(test, call.resp_len, row->resp);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_CALLS), 1);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_BAD_PACKETS), 0);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNEXPECTED), 0);
}

static void request_that_is_too_long_is_not_sent(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = {
		.id = ID,
		.req = payload(test, 14617),
		.req_len = 14617,
		.rm_error = GH_RM_ERROR_BUSY,
	};

	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -E2BIG);
	KUNIT_EXPECT_EQ(test, call.rm_error, GH_RM_ERROR_OK);
	KUNIT_EXPECT_EQ(test, ft->accepted, 0);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_CALLS), 0);
	expect_call_works(ft);
}

/*
 * Replies that are not
 */

/* What the peer sends of a reply with 4 bytes beside the error code, which is expected */
struct reply_row {
	const char *name;
	size_t len;
	u32 error;
	int want;
};

static const struct reply_row reply_rows[] = {
	{ "nothing", 0, 0, -EPROTO },
	{ "a byte", 1, 0, -EPROTO },
	{ "not all of the error code", 3, 0, -EPROTO },
	{ "an error code and nothing more", 4, 0, -EPROTO },
	{ "a byte too few", 7, 0, -EPROTO },
	{ "a byte too many", 9, 0, -EPROTO },
	{ "a word too many", 12, 0, -EPROTO },
	{ "two packets too many", 472, 0, -EPROTO },
	{ "as much as there can be", 14616, 0, -EPROTO },
	{ "a refusal", 4, GH_RM_ERROR_BUSY, -EBUSY },
	{ "a refusal with the payload of a success", 8, GH_RM_ERROR_BUSY, -EBUSY },
	{ "a refusal with a payload of another size", 5, GH_RM_ERROR_BUSY, -EBUSY },
	{ "half a refusal", 2, GH_RM_ERROR_BUSY, -EPROTO },
	{ "an unknown refusal", 4, 0x12345678, -EBADMSG },
	{ "what there should be", 8, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(reply, reply_rows, name);

static void answer_reply_row(struct fake_transport *ft, const struct fake_msg *req)
{
	const struct reply_row *row = ft->priv;
	u8 *buf = kmalloc(row->len + 4, GFP_KERNEL);

	KUNIT_EXPECT_NOT_NULL(ft->test, buf);
	if (!buf)
		return;
	fake_fill(buf, row->len);
	put_unaligned_le32(row->error, buf);
	fake_send(ft, FAKE_REPLY, req->seq, req->id, buf, row->len);
	kfree(buf);
}

static void reply_of_the_wrong_size_is_an_error_and_is_not_copied(struct kunit *test)
{
	const struct reply_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	u8 *resp = kunit_kzalloc(test, 4, GFP_KERNEL);
	struct gh_rm_call call = { .id = ID, .resp = resp, .resp_size = 4 };
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, resp);
	ft->request = answer_reply_row;
	ft->priv = (void *)row;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), row->want);
	KUNIT_EXPECT_EQ(test, call.rm_error, row->len < 4 ? 0 : row->error);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, resp[i], row->want ? 0 : fake_byte(4 + i));
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_BAD_PACKETS), row->want == -EPROTO);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_TIMEOUTS), 0);
	expect_call_works(ft);
}

/* The same with a reply that may be shorter than the 232 bytes that there is room for */
static const struct reply_row varies_rows[] = {
	{ "nothing", 0, 0, -EPROTO },
	{ "not all of the error code", 3, 0, -EPROTO },
	{ "an error code and nothing more", 4, 0, 0 },
	{ "a byte", 5, 0, 0 },
	{ "a byte less than a packet", 231, 0, 0 },
	{ "a packet", 232, 0, 0 },
	{ "a byte less than there is room for", 235, 0, 0 },
	{ "as much as there is room for", 236, 0, 0 },
	{ "a byte too many", 237, 0, -EPROTO },
	{ "two packets too many", 464 + 236, 0, -EPROTO },
	{ "as much as there can be", 14616, 0, -EPROTO },
	{ "a refusal", 4, GH_RM_ERROR_BUSY, -EBUSY },
	{ "a refusal with the payload of a success", 100, GH_RM_ERROR_BUSY, -EBUSY },
	{ "a refusal with too much of a payload", 300, GH_RM_ERROR_BUSY, -EBUSY },
};

KUNIT_ARRAY_PARAM_DESC(varies, varies_rows, name);

static void reply_that_varies_is_copied_as_far_as_it_goes(struct kunit *test)
{
	const struct reply_row *row = test->param_value;
	size_t i, len = row->want ? 0 : row->len - 4;
	struct fake_transport *ft = fake_transport_create(test);
	u8 *resp = kunit_kzalloc(test, 232, GFP_KERNEL);
	struct gh_rm_call call = {
		.id = ID, .resp = resp, .resp_size = 232, .resp_varies = true, .resp_len = 4711,
	};

	KUNIT_ASSERT_NOT_NULL(test, resp);
	ft->request = answer_reply_row;
	ft->priv = (void *)row;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), row->want);
	KUNIT_EXPECT_EQ(test, call.resp_len, len);
	for (i = 0; i < 232 && resp[i] == (i < len ? fake_byte(4 + i) : 0); i++)
		;
	KUNIT_EXPECT_EQ(test, i, 232);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_BAD_PACKETS), row->want == -EPROTO);
	expect_call_works(ft);
}

/* What precedes, or follows, a reply that is as it should be */
struct stray_row {
	const char *name;
	u8 type;
	s16 seq;		/* difference to that of the request */
	u32 id;			/* 0: that of the request */
	bool after;
	bool unexpected;	/* else a bad packet */
};

static const struct stray_row stray_rows[] = {
	{ "a reply with the next sequence number", FAKE_REPLY, 1, 0, false, true },
	{ "a reply with the last sequence number", FAKE_REPLY, -1, 0, false, true },
	{ "a reply with another high byte of the number", FAKE_REPLY, 256, 0, false, true },
	{ "a reply with another id", FAKE_REPLY, 0, 0x56000002, false, true },
	{ "a reply with the id of a notification", FAKE_REPLY, 0, STATUS, false, true },
	{ "a duplicate of the reply", FAKE_REPLY, 0, 0, true, true },
	{ "a request", FAKE_REQUEST, 0, 0, false, false },
	{ "a continuation", FAKE_CONTINUATION, 0, 0, false, false },
	{ "a continuation afterwards", FAKE_CONTINUATION, 0, 0, true, false },
};

KUNIT_ARRAY_PARAM_DESC(stray, stray_rows, name);

static void answer_stray_row(struct fake_transport *ft, const struct fake_msg *req)
{
	static const u8 refusal[8] = { GH_RM_ERROR_DENIED };
	const struct stray_row *row = ft->priv;
	u32 id = row->id ?: req->id;

	if (row->after)
		fake_reply(ft, req, GH_RM_ERROR_OK, "good", 4);
	fake_send(ft, row->type, req->seq + row->seq, id, refusal, sizeof(refusal));
	if (!row->after)
		fake_reply(ft, req, GH_RM_ERROR_OK, "good", 4);
}

static void call_takes_no_reply_but_its_own(struct kunit *test)
{
	const struct stray_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	u8 *resp = kunit_kzalloc(test, 4, GFP_KERNEL);
	struct gh_rm_call call = { .id = ID, .resp = resp, .resp_size = 4 };

	KUNIT_ASSERT_NOT_NULL(test, resp);
	ft->request = answer_stray_row;
	ft->priv = (void *)row;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	KUNIT_EXPECT_EQ(test, call.rm_error, GH_RM_ERROR_OK);
	KUNIT_EXPECT_TRUE(test, !memcmp(resp, "good", 4));
	fake_transport_flush(ft);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNEXPECTED), row->unexpected);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_BAD_PACKETS), !row->unexpected);
	expect_call_works(ft);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNEXPECTED), row->unexpected);
}

/*
 * Deadlines
 */

static void answer_nothing(struct fake_transport *ft, const struct fake_msg *req)
{
	if (ft->priv)
		*(struct fake_msg *)ft->priv = *req;
}

/* A request that is not answered; what the peer got of it */
static struct fake_msg *ask_in_vain(struct fake_transport *ft, struct gh_rm_call *call)
{
	struct fake_msg *req = kunit_kzalloc(ft->test, sizeof(*req), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(ft->test, req);
	set_timeout(ft, FAKE_TIMEOUT_SHORT);
	ft->request = answer_nothing;
	ft->priv = req;
	KUNIT_EXPECT_EQ(ft->test, gh_rm_call(ft->rm, call), -ETIMEDOUT);
	/* The deadline may have been short for the peer, too. */
	fake_transport_flush(ft);
	KUNIT_EXPECT_EQ(ft->test, req->id, call->id);
	return req;
}

static void call_without_a_reply_ends_at_the_deadline(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	unsigned long start = jiffies;

	ask_in_vain(ft, &call);
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies,
					      start + msecs_to_jiffies(FAKE_TIMEOUT_SHORT)));
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_TIMEOUTS), 1);
	expect_call_works(ft);
}

static void reply_after_the_deadline_is_no_reply_to_the_next_call(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	u8 *resp = kunit_kzalloc(test, 4, GFP_KERNEL);
	struct gh_rm_call call = { .id = ID, .resp = resp, .resp_size = 4 };
	struct fake_msg *req;

	KUNIT_ASSERT_NOT_NULL(test, resp);
	req = ask_in_vain(ft, &call);
	/* The caller is gone, and so may be its buffer. */
	kunit_kfree(test, resp);
	fake_reply(ft, req, GH_RM_ERROR_DENIED, "late", 4);
	fake_reply(ft, req, GH_RM_ERROR_OK, "late", 4);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNEXPECTED), 2);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_LATE_REPLIES), 0);
	expect_call_works(ft);
}

static unsigned int elapsed_ms(unsigned long start)
{
	return jiffies_to_msecs(jiffies - start);
}

/* Two seconds and a half that cannot be had for less: it is not a setting. */
static void peer_that_is_silent_is_not_waited_for_as_long_again(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	unsigned long start;

	ask_in_vain(ft, &call);
	set_timeout(ft, FAKE_TIMEOUT_LONG);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ETIMEDOUT);
	KUNIT_EXPECT_GE(test, elapsed_ms(start), 1000);
	KUNIT_EXPECT_LT(test, elapsed_ms(start), FAKE_TIMEOUT_LONG / 2);

	/* Whatever it says is a sign of life. */
	fake_packet(ft, 0x21, FAKE_REPLY, 0, 0, 0, NULL, 0);
	set_timeout(ft, 1500);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ETIMEDOUT);
	KUNIT_EXPECT_GE(test, elapsed_ms(start), 1500);
	expect_call_works(ft);
}

/* What a late reply said; outlives the struct gh_rm_late */
struct late_seen {
	struct completion done;
	struct gh_rm *rm;
	unsigned int count;
	u32 rm_error;
	size_t resp_len;
	u8 resp[GH_RM_LATE_RESP_SIZE];
};

static void late_fn(struct gh_rm_late *late)
{
	struct late_seen *seen = late->data;

	seen->count++;
	seen->rm = late->rm;
	seen->rm_error = late->rm_error;
	seen->resp_len = late->resp_len;
	memcpy(seen->resp, late->resp, sizeof(seen->resp));
	complete(&seen->done);
}

static struct late_seen *want_late(struct kunit *test, struct gh_rm_call *call)
{
	struct late_seen *seen = kunit_kzalloc(test, sizeof(*seen), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, seen);
	init_completion(&seen->done);
	call->late = kzalloc(sizeof(*call->late), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, call->late);
	call->late->fn = late_fn;
	call->late->data = seen;
	return seen;
}

struct late_row {
	const char *name;
	u32 error;
	size_t len;		/* after the error code */
	size_t want_len;
};

static const struct late_row late_rows[] = {
	{ "a success", GH_RM_ERROR_OK, 4, 4 },
	{ "a success without a payload", GH_RM_ERROR_OK, 0, 0 },
	{ "a success with the longest payload", GH_RM_ERROR_OK, 8, 8 },
	{ "a success with a payload too long", GH_RM_ERROR_OK, 9, 0 },
	{ "a success with a payload of many packets", GH_RM_ERROR_OK, 5000, 0 },
	{ "a refusal", GH_RM_ERROR_NOMEM, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(late, late_rows, name);

static void late_reply_is_told_to_who_asked_once(struct kunit *test)
{
	const struct late_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	struct late_seen *seen = want_late(test, &call);
	u8 *resp = payload(test, row->len + 1);
	struct fake_msg *req;

	req = ask_in_vain(ft, &call);

	/* Others that are no reply to it */
	fake_send(ft, FAKE_REPLY, req->seq + 1, ID, "\0\0\0\0", 4);
	fake_send(ft, FAKE_REPLY, req->seq, ID + 1, "\0\0\0\0", 4);
	fake_send(ft, FAKE_REPLY, req->seq, ID, "\0\0\0", 3);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNEXPECTED), 3);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_LATE_REPLIES), 0);

	fake_reply(ft, req, row->error, resp, row->len);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&seen->done, FAKE_PATIENCE), 0);
	KUNIT_EXPECT_PTR_EQ(test, seen->rm, ft->rm);
	KUNIT_EXPECT_EQ(test, seen->rm_error, row->error);
	KUNIT_EXPECT_EQ(test, seen->resp_len, row->want_len);
	KUNIT_EXPECT_TRUE(test, !memcmp(seen->resp, resp, row->want_len));
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_LATE_REPLIES), 1);

	fake_reply(ft, req, row->error, resp, row->len);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_LATE_REPLIES), 1);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNEXPECTED), 4);
	expect_call_works(ft);
	gh_rm_shutdown(ft->rm);
	KUNIT_EXPECT_EQ(test, seen->count, 1);
}

/* The sequence number of such a call is kept until its reply comes, and that is all. */
static void late_reply_of_which_nobody_wants_to_know_is_no_reply_to_another(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	struct fake_msg *req;

	want_late(test, &call);
	call.late->fn = NULL;
	req = ask_in_vain(ft, &call);
	fake_reply(ft, req, GH_RM_ERROR_OK, NULL, 0);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_LATE_REPLIES), 1);
	fake_reply(ft, req, GH_RM_ERROR_OK, NULL, 0);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNEXPECTED), 1);
	expect_call_works(ft);
}

#define MOST_MISSING	256

/* Three seconds that cannot be had for less: each of them ends with a deadline. */
static void calls_whose_replies_are_missing_are_so_many_and_no_more(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID }, other = { .id = ID };
	struct fake_msg *lost = NULL;
	struct late_seen *seen;
	unsigned int i, requests;

	for (i = 0; i < MOST_MISSING; i++) {
		seen = want_late(test, &call);
		if (!lost)
			lost = ask_in_vain(ft, &call);
		else
			KUNIT_ASSERT_EQ(test, gh_rm_call(ft->rm, &call), -ETIMEDOUT);
		ft->priv = NULL;
		set_timeout(ft, 1);
	}

	/* One that may change something is not made, */
	set_timeout(ft, FAKE_TIMEOUT_LONG);
	requests = ft->requests;
	seen = want_late(test, &call);
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -EBUSY);
	fake_transport_flush(ft);
	KUNIT_EXPECT_EQ(test, ft->requests, requests);

	/* any other is, */
	ft->request = NULL;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &other), 0);

	/* and each reply that comes makes room for one. */
	fake_reply(ft, lost, GH_RM_ERROR_OK, NULL, 0);
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	KUNIT_EXPECT_EQ(test, seen->count, 0);
	kfree(call.late);
}

static void late_reply_is_told_while_another_call_is_under_way(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	struct late_seen *seen = want_late(test, &call);
	struct fake_msg *late = ask_in_vain(ft, &call);
	const struct gh_rm_call next = { .id = ID };
	struct fake_call *other;

	set_timeout(ft, FAKE_TIMEOUT_LONG);
	fake_transport_hold(ft, true);
	ft->request = NULL;
	other = fake_call_start(ft, &next);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(other->thread));

	fake_reply(ft, late, GH_RM_ERROR_OK, NULL, 0);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&seen->done, FAKE_PATIENCE), 0);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(other->thread));

	fake_transport_hold(ft, false);
	KUNIT_EXPECT_EQ(test, fake_thread_wait(other->thread), 0);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNEXPECTED), 0);
}

static void late_object_stays_with_the_caller_unless_the_call_timed_out(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	struct late_seen *seen = want_late(test, &call);
	const struct reply_row too_short = { .len = 3 };

	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	ft->request = answer_reply_row;
	ft->priv = (void *)&too_short;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -EPROTO);
	gh_rm_close(ft->rm);
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ENODEV);
	gh_rm_shutdown(ft->rm);
	KUNIT_EXPECT_EQ(test, seen->count, 0);
	/* A sanitizer would see it if it were not ours. */
	kfree(call.late);
}

/* The deadline passes with a reply half in; the rest is too late. */
static void half_a_reply_at_the_deadline_is_no_reply(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	u8 *resp = kunit_kzalloc(test, 1000, GFP_KERNEL);
	struct gh_rm_call call = { .id = ID, .resp = resp, .resp_size = 1000 };
	struct late_seen *seen = want_late(test, &call);
	u8 *reply = kunit_kzalloc(test, 1004, GFP_KERNEL);
	struct fake_msg *req;

	KUNIT_ASSERT_NOT_NULL(test, resp);
	KUNIT_ASSERT_NOT_NULL(test, reply);
	req = ask_in_vain(ft, &call);
	kunit_kfree(test, resp);

	/* Half of it comes, another call is made and answered, the rest comes. */
	fake_send_part(ft, FAKE_REPLY, req->seq, ID, reply, 1004, 0);
	fake_send_part(ft, FAKE_REPLY, req->seq, ID, reply, 1004, 1);
	expect_call_works(ft);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_LATE_REPLIES), 0);
	fake_send_part(ft, FAKE_REPLY, req->seq, ID, reply, 1004, 2);
	fake_send_part(ft, FAKE_REPLY, req->seq, ID, reply, 1004, 3);
	fake_send_part(ft, FAKE_REPLY, req->seq, ID, reply, 1004, 4);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&seen->done, FAKE_PATIENCE), 0);
	KUNIT_EXPECT_EQ(test, seen->resp_len, 0);
	expect_call_works(ft);
}

static void answer_half(struct fake_transport *ft, const struct fake_msg *req)
{
	static const u8 reply[300];

	fake_send_part(ft, FAKE_REPLY, req->seq, req->id, reply, sizeof(reply), 0);
}

static void half_a_reply_does_not_spoil_the_next(struct kunit *test)
{
	const struct size_row row = { .resp = 300, .packets = 1 };
	struct fake_transport *ft = fake_transport_create(test);
	u8 *resp = kunit_kzalloc(test, 300, GFP_KERNEL);
	struct gh_rm_call call = { .id = ID, .resp = resp, .resp_size = 300 };

	KUNIT_ASSERT_NOT_NULL(test, resp);
	set_timeout(ft, FAKE_TIMEOUT_SHORT);
	ft->request = answer_half;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ETIMEDOUT);
	fake_transport_flush(ft);

	set_timeout(ft, FAKE_TIMEOUT_LONG);
	ft->request = answer_sizes;
	ft->priv = (void *)&row;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	KUNIT_EXPECT_EQ(test, resp[299], fake_byte(299));
}

/* What ends a call while its reply is half in */
enum abort { ABORT_DEADLINE, ABORT_SEND, ABORT_SHUTDOWN };

static const struct abort_row {
	const char *name;
	enum abort how;
	int want;
} abort_rows[] = {
	{ "by its deadline", ABORT_DEADLINE, -ETIMEDOUT },
	{ "by a packet that is not sent", ABORT_SEND, -EIO },
	{ "by its deadline, and then all ends", ABORT_SHUTDOWN, -ETIMEDOUT },
};

KUNIT_ARRAY_PARAM_DESC(abort, abort_rows, name);

/* Answers a request of which it has seen one packet, with the first half. */
static void answer_half_early(struct fake_transport *ft, const struct fake_packet *packet)
{
	static const u8 reply[300];
	u16 *seq = ft->priv;

	if ((packet->data[1] & 3) != FAKE_REQUEST)
		return;
	*seq = get_unaligned_le16(packet->data + 2);
	fake_send_part(ft, FAKE_REPLY, *seq, ID, reply, sizeof(reply), 0);
}

static void call_aborted_with_half_a_reply_leaves_nothing_behind(struct kunit *test)
{
	const struct abort_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	u8 *resp = kunit_kzalloc(test, 296, GFP_KERNEL), reply[300] = {};
	struct gh_rm_call call = {
		.id = ID, .req = payload(test, 3 * 232), .req_len = 3 * 232,
		.resp = resp, .resp_size = 296,
	};
	u16 seq;

	KUNIT_ASSERT_NOT_NULL(test, resp);
	ft->packet = answer_half_early;
	ft->priv = &seq;
	if (row->how == ABORT_SEND) {
		ft->fail_sent = 3;
		ft->fail_err = row->want;
	} else {
		set_timeout(ft, FAKE_TIMEOUT_SHORT);
	}
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), row->want);
	fake_transport_flush(ft);
	/* A sanitizer sees it if the rest is still written there. */
	kunit_kfree(test, resp);

	if (row->how == ABORT_SHUTDOWN) {
		gh_rm_close(ft->rm);
		fake_send_part(ft, FAKE_REPLY, seq, ID, reply, sizeof(reply), 1);
		gh_rm_shutdown(ft->rm);
		KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ENODEV);
		return;
	}

	fake_send_part(ft, FAKE_REPLY, seq, ID, reply, sizeof(reply), 1);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNEXPECTED), 1);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_BAD_PACKETS), 0);
	ft->packet = NULL;
	expect_call_works(ft);
}

/* Answers a request of which it has seen one packet. */
static void answer_early(struct fake_transport *ft, const struct fake_packet *packet)
{
	if ((packet->data[1] & 3) == FAKE_REQUEST)
		fake_send(ft, FAKE_REPLY, get_unaligned_le16(packet->data + 2), ID, "\5\0\0\0", 4);
}

/* What of the request is not sent yet does not hold the call up. */
static void reply_to_a_part_of_the_request_ends_the_call(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID, .req = payload(test, 14616), .req_len = 14616 };

	ft->packet = answer_early;
	ft->hold_at = 3;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -EBUSY);
	KUNIT_EXPECT_EQ(test, call.rm_error, GH_RM_ERROR_BUSY);
	/* The packet that waits for space is the last. */
	fake_transport_hold(ft, false);
	fake_transport_flush(ft);
	KUNIT_EXPECT_EQ(test, ft->taken, 3);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_TIMEOUTS), 0);

	/* RM takes what is new for the beginning of another request. */
	ft->packet = NULL;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	KUNIT_EXPECT_EQ(test, ft->requests, 1);
}

/* Expects never to see the sequence number *priv again. */
static void expect_not_reused(struct fake_transport *ft, const struct fake_msg *req)
{
	const struct fake_msg *lost = ft->priv;

	if (req->seq == lost->seq)
		KUNIT_FAIL(ft->test, "sequence number reused after %u requests\n", ft->requests);
	fake_reply(ft, req, GH_RM_ERROR_OK, NULL, 0);
}

static void sequence_number_of_a_missing_reply_is_not_reused(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	struct late_seen *seen = want_late(test, &call);
	struct gh_rm_call next = { .id = ID };
	struct fake_msg *lost = ask_in_vain(ft, &call);
	unsigned int i;

	set_timeout(ft, FAKE_TIMEOUT_LONG);
	ft->request = expect_not_reused;
	/* 65536 of them in the peer's own context would take long. */
	ft->prompt = true;
	for (i = 0; i < 65536 + 10; i++)
		if (gh_rm_call(ft->rm, &next))
			break;
	ft->prompt = false;
	KUNIT_EXPECT_EQ(test, i, 65536 + 10);

	/* And the one that is missing is still known. */
	fake_reply(ft, lost, GH_RM_ERROR_OK, NULL, 0);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&seen->done, FAKE_PATIENCE), 0);
}

static void record_seq(struct fake_transport *ft, const struct fake_msg *req)
{
	u16 **next = ft->priv;

	*(*next)++ = req->seq;
	fake_reply(ft, req, GH_RM_ERROR_OK, NULL, 0);
}

static void sequence_numbers_go_up_by_one(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	u16 seqs[50], *next = seqs;
	unsigned int i;

	ft->request = record_seq;
	ft->priv = &next;
	for (i = 0; i < ARRAY_SIZE(seqs); i++)
		KUNIT_ASSERT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	for (i = 1; i < ARRAY_SIZE(seqs); i++)
		KUNIT_EXPECT_EQ(test, seqs[i], (u16)(seqs[i - 1] + 1));
}

/*
 * Sending that fails, or cannot go on
 */

struct fault_row {
	const char *name;
	bool accepted;
	int err;
};

static const struct fault_row fault_rows[] = {
	{ "is refused", false, -EIO },
	{ "is refused for want of space", false, -ENOBUFS },
	{ "is accepted and not sent", true, -EACCES },
};

KUNIT_ARRAY_PARAM_DESC(fault, fault_rows, name);

static void call_fails_if_its_request(struct kunit *test)
{
	const struct fault_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID, .req = payload(test, 14616), .req_len = 14616 };
	struct late_seen *seen = want_late(test, &call);
	unsigned int i;

	/* Refused as a whole, or at any packet */
	for (i = 0; i < 63; i++) {
		if (row->accepted)
			ft->fail_sent = ft->taken + i + 1;
		else
			ft->fail_send = ft->accepted + 1;
		ft->fail_err = row->err;
		KUNIT_EXPECT_EQ_MSG(test, gh_rm_call(ft->rm, &call), row->err, "packet %u", i);
		KUNIT_EXPECT_EQ(test, call.rm_error, GH_RM_ERROR_OK);
		fake_transport_flush(ft);
		ft->fail_sent = 0;
	}
	KUNIT_EXPECT_EQ(test, ft->requests, 0);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_TIMEOUTS), 0);

	/* Nothing has been lost on the way. */
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	KUNIT_EXPECT_EQ(test, ft->requests, 1);
	KUNIT_EXPECT_EQ(test, seen->count, 0);
	kfree(call.late);
}

/* At the deadline the queue has space for so many packets of the request's 63 and no more. */
static const struct stuck_row {
	const char *name;
	unsigned int space;
	int want;
} stuck_rows[] = {
	{ "for none", 0, -ETIME },
	{ "for one", 1, -ETIME },
	{ "for half of them", 31, -ETIME },
	{ "for all but two", 61, -ETIME },
	/* The last will be sent as soon as there is space, and RM act on the request. */
	{ "for all but one", 62, -ETIMEDOUT },
};

KUNIT_ARRAY_PARAM_DESC(stuck, stuck_rows, name);

static void request_is_cut_at_the_deadline_if_there_is_space(struct kunit *test)
{
	const struct stuck_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID, .req = payload(test, 14616), .req_len = 14616 };
	struct late_seen *seen = want_late(test, &call);

	ft->hold_at = row->space + 1;
	set_timeout(ft, FAKE_TIMEOUT_SHORT);
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), row->want);

	/* The packet that waited is the last of it. */
	set_timeout(ft, FAKE_TIMEOUT_LONG);
	fake_transport_hold(ft, false);
	fake_transport_flush(ft);
	KUNIT_EXPECT_EQ(test, ft->taken, row->space + 1);
	KUNIT_EXPECT_NULL(test, ft->message);
	KUNIT_EXPECT_EQ(test, ft->requests, row->want == -ETIMEDOUT);

	expect_call_works(ft);
	if (row->want == -ETIMEDOUT) {
		KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&seen->done, FAKE_PATIENCE), 0);
	} else {
		KUNIT_EXPECT_EQ(test, seen->count, 0);
		kfree(call.late);
	}
}

static void queue_that_does_not_move_ends_all_calls_at_their_deadline(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID, .req = payload(test, 14616), .req_len = 14616 };
	const struct gh_rm_call next = { .id = ID };
	struct fake_call *other;

	/* RM never sees the end of the request, so it will not act on it, */
	fake_transport_hold(ft, true);
	set_timeout(ft, FAKE_TIMEOUT_SHORT);
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ETIME);
	/* nor any of this one, which waits for the end of that, */
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ETIME);
	KUNIT_EXPECT_EQ(test, ft->accepted, 1);
	set_timeout(ft, FAKE_TIMEOUT_LONG);
	other = fake_call_start(ft, &next);

	/* up to its deadline. When the queue moves all goes on. */
	fake_transport_hold(ft, false);
	KUNIT_EXPECT_EQ(test, fake_thread_wait(other->thread), 0);
	KUNIT_EXPECT_EQ(test, ft->requests, 1);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_TIMEOUTS), 2);
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
}

static void packet_that_fails_after_its_call_has_ended_fails_no_other(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	struct fake_call *other;

	fake_transport_hold(ft, true);
	set_timeout(ft, FAKE_TIMEOUT_SHORT);
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ETIMEDOUT);

	set_timeout(ft, FAKE_TIMEOUT_LONG);
	other = fake_call_start(ft, &call);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(other->thread));
	ft->fail_sent = 1;
	ft->fail_err = -EIO;
	fake_transport_hold(ft, false);
	KUNIT_EXPECT_EQ(test, fake_thread_wait(other->thread), 0);
}

static void packet_that_fails_when_no_call_is_under_way_harms_nothing(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };

	fake_transport_hold(ft, true);
	set_timeout(ft, FAKE_TIMEOUT_SHORT);
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ETIMEDOUT);
	ft->fail_sent = 1;
	ft->fail_err = -EIO;
	fake_transport_hold(ft, false);
	fake_transport_flush(ft);
	expect_call_works(ft);
}

/*
 * Many callers
 */

static void answer_echo(struct fake_transport *ft, const struct fake_msg *req)
{
	fake_reply(ft, req, GH_RM_ERROR_OK, req->data, req->len);
}

#define CALLERS	8

static void calls_of_many_threads_are_made_one_by_one(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct fake_call *calls[CALLERS];
	u32 *req = payload(test, CALLERS * sizeof(u32));
	u32 *resp = kunit_kzalloc(test, CALLERS * sizeof(u32), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, resp);
	ft->request = answer_echo;
	fake_transport_hold(ft, true);
	for (i = 0; i < CALLERS; i++) {
		const struct gh_rm_call call = {
			.id = ID,
			.req = &req[i],
			.req_len = sizeof(u32),
			.resp = &resp[i],
			.resp_size = sizeof(u32),
		};

		calls[i] = fake_call_start(ft, &call);
	}
	/* The first waits for its reply, and all the others for the first. */
	for (i = 0; i < CALLERS; i++)
		KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(calls[i]->thread));
	KUNIT_EXPECT_NOT_NULL(test, ft->message);

	fake_transport_hold(ft, false);
	for (i = 0; i < CALLERS; i++) {
		KUNIT_EXPECT_EQ(test, fake_thread_wait(calls[i]->thread), 0);
		KUNIT_EXPECT_EQ(test, resp[i], req[i]);
	}
	KUNIT_EXPECT_EQ(test, ft->requests, CALLERS);
}

static int call_with_signal(void *data)
{
	struct fake_call *call = data;

	/* Whatever waits so that signals matter ends at once from now on. */
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	return gh_rm_call(call->rm, &call->call);
}

static void signal_does_not_end_a_call(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct fake_call call = {
		.rm = ft->rm,
		.call = { .id = ID, .req = payload(test, 14616), .req_len = 14616 },
	};
	struct fake_thread *thread;

	/* It has to wait for space, and then for the reply. */
	fake_transport_hold(ft, true);
	thread = fake_thread_start(test, call_with_signal, &call);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(thread));
	fake_transport_hold(ft, false);
	KUNIT_EXPECT_EQ(test, fake_thread_wait(thread), 0);
	KUNIT_EXPECT_EQ(test, ft->requests, 1);
}

static void call_killed_before_its_turn_is_not_made(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	const struct gh_rm_call first = { .id = ID };
	struct fake_call call = { .rm = ft->rm, .call = { .id = ID } };
	struct fake_thread *thread;
	struct fake_call *other;

	fake_transport_hold(ft, true);
	other = fake_call_start(ft, &first);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(other->thread));
	thread = fake_thread_start(test, call_with_signal, &call);
	KUNIT_EXPECT_EQ(test, fake_thread_wait(thread), -EINTR);

	fake_transport_hold(ft, false);
	KUNIT_EXPECT_EQ(test, fake_thread_wait(other->thread), 0);
	KUNIT_EXPECT_EQ(test, ft->requests, 1);
	expect_call_works(ft);
}

/*
 * The end
 */

static int close_fn(void *data)
{
	gh_rm_close(data);
	return 0;
}

static void close_waits_for_the_call_under_way_and_ends_later_ones(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };
	struct fake_thread *closer;
	struct fake_call *other;

	fake_transport_hold(ft, true);
	other = fake_call_start(ft, &call);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(other->thread));
	closer = fake_thread_start(test, close_fn, ft->rm);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(closer));

	fake_transport_hold(ft, false);
	fake_thread_wait(closer);
	KUNIT_EXPECT_EQ(test, fake_thread_wait(other->thread), 0);
	KUNIT_EXPECT_EQ(test, ft->requests, 1);

	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ENODEV);
	KUNIT_EXPECT_EQ(test, ft->requests, 1);
}

static void shutdown_forgets_the_replies_that_are_missing(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct late_seen *seen[3];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		struct gh_rm_call call = { .id = ID };

		seen[i] = want_late(test, &call);
		ask_in_vain(ft, &call);
	}
	gh_rm_close(ft->rm);
	gh_rm_shutdown(ft->rm);
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		KUNIT_EXPECT_EQ(test, seen[i]->count, 0);
}

static void reference_keeps_it_after_the_transport_is_gone(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_call call = { .id = ID };

	KUNIT_EXPECT_PTR_EQ(test, gh_rm_get(ft->rm), ft->rm);
	gh_rm_close(ft->rm);
	gh_rm_shutdown(ft->rm);
	gh_rm_put(ft->rm);
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ENODEV);
	KUNIT_EXPECT_PTR_EQ(test, gh_rm_device(ft->rm), ft->dev);
}

static struct kunit_case call_cases[] = {
	KUNIT_CASE_PARAM(call_of_any_size_arrives_and_so_does_its_reply, size_gen_params),
	KUNIT_CASE(request_that_is_too_long_is_not_sent),
	KUNIT_CASE_PARAM(reply_of_the_wrong_size_is_an_error_and_is_not_copied, reply_gen_params),
	KUNIT_CASE_PARAM(reply_that_varies_is_copied_as_far_as_it_goes, varies_gen_params),
	KUNIT_CASE_PARAM(call_takes_no_reply_but_its_own, stray_gen_params),
	KUNIT_CASE(call_without_a_reply_ends_at_the_deadline),
	KUNIT_CASE(reply_after_the_deadline_is_no_reply_to_the_next_call),
	KUNIT_CASE_SLOW(peer_that_is_silent_is_not_waited_for_as_long_again),
	KUNIT_CASE_PARAM(late_reply_is_told_to_who_asked_once, late_gen_params),
	KUNIT_CASE(late_reply_of_which_nobody_wants_to_know_is_no_reply_to_another),
	KUNIT_CASE_SLOW(calls_whose_replies_are_missing_are_so_many_and_no_more),
	KUNIT_CASE(late_reply_is_told_while_another_call_is_under_way),
	KUNIT_CASE(late_object_stays_with_the_caller_unless_the_call_timed_out),
	KUNIT_CASE(half_a_reply_at_the_deadline_is_no_reply),
	KUNIT_CASE(half_a_reply_does_not_spoil_the_next),
	KUNIT_CASE_PARAM(call_aborted_with_half_a_reply_leaves_nothing_behind, abort_gen_params),
	KUNIT_CASE(reply_to_a_part_of_the_request_ends_the_call),
	KUNIT_CASE(sequence_number_of_a_missing_reply_is_not_reused),
	KUNIT_CASE(sequence_numbers_go_up_by_one),
	KUNIT_CASE_PARAM(call_fails_if_its_request, fault_gen_params),
	KUNIT_CASE_PARAM(request_is_cut_at_the_deadline_if_there_is_space, stuck_gen_params),
	KUNIT_CASE(queue_that_does_not_move_ends_all_calls_at_their_deadline),
	KUNIT_CASE(packet_that_fails_after_its_call_has_ended_fails_no_other),
	KUNIT_CASE(packet_that_fails_when_no_call_is_under_way_harms_nothing),
	KUNIT_CASE(calls_of_many_threads_are_made_one_by_one),
	KUNIT_CASE(signal_does_not_end_a_call),
	KUNIT_CASE(call_killed_before_its_turn_is_not_made),
	KUNIT_CASE(close_waits_for_the_call_under_way_and_ends_later_ones),
	KUNIT_CASE(shutdown_forgets_the_replies_that_are_missing),
	KUNIT_CASE(reference_keeps_it_after_the_transport_is_gone),
	{}
};

static struct kunit_suite call_suite = {
	.name = "gunyah_rsc_mgr_call",
	.test_cases = call_cases,
};

/*
 * Notifications
 */

#define EVENTS	512

struct event {
	bool exited;
	u16 what;		/* status or exit type */
	u8 reason[16];
	size_t reason_size;
};

struct listener {
	struct gh_rm_listener base;
	struct kunit *test;
	unsigned int n;
	struct event events[EVENTS];
	/* If set: completed when a notification arrives, and waited for then */
	struct completion *arrived;
	struct completion *go_on;
};

static struct event *new_event(struct listener *l)
{
	static struct event none;

	if (l->arrived) {
		complete(l->arrived);
		KUNIT_EXPECT_NE(l->test, wait_for_completion_timeout(l->go_on, FAKE_PATIENCE), 0);
		l->arrived = NULL;
	}
	KUNIT_EXPECT_LT(l->test, l->n, EVENTS);
	return l->n < EVENTS ? &l->events[l->n++] : &none;
}

static void on_status(struct gh_rm_listener *base, enum gh_rm_vm_status status)
{
	struct event *event = new_event(container_of(base, struct listener, base));

	event->what = status;
}

static void on_exited(struct gh_rm_listener *base, u16 exit_type, const void *reason,
		      size_t reason_size)
{
	struct event *event = new_event(container_of(base, struct listener, base));

	event->exited = true;
	event->what = exit_type;
	event->reason_size = reason_size;
	memcpy(event->reason, reason, min(reason_size, sizeof(event->reason)));
}

static struct listener *listen(struct fake_transport *ft, u16 vmid)
{
	struct listener *l = kunit_kzalloc(ft->test, sizeof(*l), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(ft->test, l);
	l->test = ft->test;
	l->base.status = on_status;
	l->base.exited = on_exited;
	KUNIT_ASSERT_EQ(ft->test, gh_rm_listen(ft->rm, vmid, &l->base), 0);
	return l;
}

static void notify_status(struct fake_transport *ft, u16 seq, u16 vmid, u8 status)
{
	u8 buf[8] = { vmid, vmid >> 8, 0, 0, status };

	fake_send(ft, FAKE_NOTIFICATION, seq, STATUS, buf, sizeof(buf));
}

static void notification_goes_to_the_listener_of_its_vm(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *a = listen(ft, 0x80), *b = listen(ft, 0x8001);

	notify_status(ft, 1, 0x80, GH_RM_VM_STATUS_READY);
	notify_status(ft, 2, 0x8001, GH_RM_VM_STATUS_RUNNING);
	notify_status(ft, 3, 0x01, GH_RM_VM_STATUS_EXITED);
	notify_status(ft, 4, 0x8000, GH_RM_VM_STATUS_EXITED);
	fake_send(ft, FAKE_NOTIFICATION, 5, EXITED, "\x80\0\x04\0\x04\0\0\0\x11\x22\x33\x44", 12);
	gh_rm_flush_notifications(ft->rm);

	KUNIT_ASSERT_EQ(test, a->n, 2);
	KUNIT_EXPECT_FALSE(test, a->events[0].exited);
	KUNIT_EXPECT_EQ(test, a->events[0].what, GH_RM_VM_STATUS_READY);
	KUNIT_EXPECT_TRUE(test, a->events[1].exited);
	KUNIT_EXPECT_EQ(test, a->events[1].what, 4);
	KUNIT_EXPECT_EQ(test, a->events[1].reason_size, 4);
	KUNIT_EXPECT_MEMEQ(test, a->events[1].reason, "\x11\x22\x33\x44", 4);
	KUNIT_ASSERT_EQ(test, b->n, 1);
	KUNIT_EXPECT_EQ(test, b->events[0].what, GH_RM_VM_STATUS_RUNNING);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_NOTIFICATIONS), 5);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNROUTED), 2);
}

struct notif_row {
	const char *name;
	u32 id;
	size_t len;
	u8 data[24];
	bool want;
	size_t reason_size;
};

static const struct notif_row notif_rows[] = {
	{ "VM_STATUS", STATUS, 8, { 0x80, 0, 0, 0, 3 }, true },
	{ "VM_STATUS, longer than known", STATUS, 12, { 0x80, 0, 0, 0, 3 }, true },
	{ "VM_STATUS, state not known", STATUS, 8, { 0x80, 0, 0, 0, 200 }, true },
	{ "VM_STATUS, a byte too short", STATUS, 7, { 0x80, 0, 0, 0, 3 }, false },
	{ "VM_STATUS, a VMID and no more", STATUS, 2, { 0x80 }, false },
	{ "VM_STATUS, half a VMID", STATUS, 1, { 0x80 }, false },
	{ "VM_STATUS, empty", STATUS, 0, {}, false },
	{ "VM_STATUS, VMID 0xffff", STATUS, 8, { 0xff, 0xff, 0, 0, 3 }, false },
	{ "VM_EXITED", EXITED, 16, { 0x80, 0, 4, 0, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 }, true, 8 },
	{ "VM_EXITED, no reason", EXITED, 8, { 0x80, 0, 4 }, true, 0 },
	{ "VM_EXITED, more than the reason", EXITED, 12, { 0x80, 0, 4, 0, 1 }, true, 1 },
	{ "VM_EXITED, a byte less than the reason", EXITED, 11, { 0x80, 0, 4, 0, 4 }, false },
	{ "VM_EXITED, reason cut off", EXITED, 8, { 0x80, 0, 4, 0, 4 }, false },
	{ "VM_EXITED, reason of 4 GiB", EXITED, 12,
	  { 0x80, 0, 4, 0, 0xff, 0xff, 0xff, 0xff }, false },
	{ "VM_EXITED, reason of 4 GiB less the header", EXITED, 12,
	  { 0x80, 0, 4, 0, 0xf8, 0xff, 0xff, 0xff }, false },
	{ "VM_EXITED, a byte too short", EXITED, 7, { 0x80, 0, 4 }, false },
	{ "VM_EXITED, empty", EXITED, 0, {}, false },
	{ "MEM_RELEASED", 0x51100012, 12, { 0x0d, 0, 0, 0, 0x80 }, false },
	{ "of an unknown kind", 0x56100002, 8, { 0x80, 0, 0, 0, 3 }, false },
	{ "with the id of a request", 0x56000008, 8, { 0x80, 0, 0, 0, 3 }, false },
	{ "with id 0", 0, 8, { 0x80, 0, 0, 0, 3 }, false },
};

KUNIT_ARRAY_PARAM_DESC(notif, notif_rows, name);

static void notification_is_delivered_only_if_it_is_whole(struct kunit *test)
{
	const struct notif_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *l = listen(ft, 0x80);

	fake_send(ft, FAKE_NOTIFICATION, 1, row->id, row->data, row->len);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_NOTIFICATIONS), 1);
	KUNIT_ASSERT_EQ(test, l->n, row->want);
	if (row->want) {
		KUNIT_EXPECT_EQ(test, l->events[0].exited, row->id == EXITED);
		KUNIT_EXPECT_EQ(test, l->events[0].what,
				row->id == EXITED ? row->data[2] : row->data[4]);
		KUNIT_EXPECT_EQ(test, l->events[0].reason_size, row->reason_size);
		KUNIT_EXPECT_TRUE(test, !memcmp(l->events[0].reason, row->data + 8,
						row->reason_size));
	}
	expect_call_works(ft);
}

static void notification_longer_than_a_packet_is_delivered(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *l = listen(ft, 0x80);
	u8 *buf = kunit_kzalloc(test, 14616, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	memcpy(buf, "\x80\0\x05\0\x10\x39\0\0", 8);
	memset(buf + 8, 0x77, 14608);
	fake_send(ft, FAKE_NOTIFICATION, 1, EXITED, buf, 14616);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_ASSERT_EQ(test, l->n, 1);
	KUNIT_EXPECT_EQ(test, l->events[0].reason_size, 14608);
	KUNIT_EXPECT_EQ(test, l->events[0].reason[15], 0x77);
}

/* As many as RM keeps for us, and so do we for a listener that takes its time */
#define STORM	256

struct storm {
	unsigned int n;
};

static void answer_after_a_storm(struct fake_transport *ft, const struct fake_msg *req)
{
	const struct storm *storm = ft->priv;
	unsigned int i;

	for (i = 0; i < storm->n; i++)
		notify_status(ft, i, 0x80 + i % 2, i / 2);
	fake_reply(ft, req, GH_RM_ERROR_OK, NULL, 0);
}

static void storm_is_delivered_in_order_and_holds_up_no_call(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *a = listen(ft, 0x80), *b = listen(ft, 0x81);
	struct gh_rm_call call = { .id = ID };
	struct storm storm = { STORM };
	unsigned int i, round;

	ft->request = answer_after_a_storm;
	ft->priv = &storm;
	for (round = 0; round < 4; round++) {
		KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
		/* All that came before the reply has been delivered after this. */
		gh_rm_flush_notifications(ft->rm);
		KUNIT_ASSERT_EQ(test, a->n, STORM / 2);
		KUNIT_ASSERT_EQ(test, b->n, STORM / 2);
		for (i = 0; i < STORM / 2; i++) {
			KUNIT_EXPECT_EQ(test, a->events[i].what, i);
			KUNIT_EXPECT_EQ(test, b->events[i].what, i);
		}
		a->n = 0;
		b->n = 0;
	}
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_LOST), 0);
}

static void storm_that_is_too_much_is_lost_and_counted(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *l = listen(ft, 0x80);
	DECLARE_COMPLETION_ONSTACK(arrived);
	DECLARE_COMPLETION_ONSTACK(go_on);
	struct gh_rm_call call = { .id = ID };
	struct storm storm = { 10000 };
	unsigned int i;

	/* One is being delivered, as many as there may be wait. */
	l->arrived = &arrived;
	l->go_on = &go_on;
	notify_status(ft, 0, 0x80, 255);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&arrived, FAKE_PATIENCE), 0);
	ft->request = answer_after_a_storm;
	ft->priv = &storm;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_NOTIFICATIONS), 10001);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_LOST), 10000 - STORM);

	complete(&go_on);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_ASSERT_EQ(test, l->n, 1 + STORM / 2);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNROUTED), STORM / 2);
	for (i = 1; i < l->n; i++)
		KUNIT_EXPECT_EQ(test, l->events[i].what, i - 1);

	/* There is room again. */
	notify_status(ft, 0, 0x80, 77);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_EXPECT_EQ(test, l->n, 2 + STORM / 2);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_LOST), 10000 - STORM);
}

static void answer_with_notification_between(struct fake_transport *ft, const struct fake_msg *req)
{
	u8 *buf = ft->priv;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		fake_send_part(ft, FAKE_REPLY, req->seq, req->id, buf, 504, i);
		notify_status(ft, i, 0x80, i);
	}
}

static void notification_between_the_packets_of_a_reply_spoils_neither(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *l = listen(ft, 0x80);
	u8 *reply = payload(test, 504), *resp = kunit_kzalloc(test, 500, GFP_KERNEL);
	struct gh_rm_call call = { .id = ID, .resp = resp, .resp_size = 500 };

	KUNIT_ASSERT_NOT_NULL(test, resp);
	memset(reply, 0, 4);
	ft->request = answer_with_notification_between;
	ft->priv = reply;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), 0);
	KUNIT_EXPECT_TRUE(test, !memcmp(resp, reply + 4, 500));
	fake_transport_flush(ft);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_EXPECT_EQ(test, l->n, 3);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_BAD_PACKETS), 0);
}

/* RM does not do that. If it does, the notification takes the place of the reply. */
static void answer_with_long_notification_between(struct fake_transport *ft,
						  const struct fake_msg *req)
{
	static const u8 exited[300] = { 0x80, 0, 5 };
	u8 *buf = ft->priv;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		fake_send_part(ft, FAKE_REPLY, req->seq, req->id, buf, 504, i);
		if (i == 1)
			fake_send(ft, FAKE_NOTIFICATION, 1, EXITED, exited, sizeof(exited));
	}
}

static void long_notification_between_the_packets_of_a_reply_costs_the_reply(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *l = listen(ft, 0x80);
	u8 *reply = payload(test, 504), *resp = kunit_kzalloc(test, 500, GFP_KERNEL);
	struct gh_rm_call call = { .id = ID, .resp = resp, .resp_size = 500 };

	KUNIT_ASSERT_NOT_NULL(test, resp);
	memset(reply, 0, 4);
	set_timeout(ft, FAKE_TIMEOUT_SHORT);
	ft->request = answer_with_long_notification_between;
	ft->priv = reply;
	KUNIT_EXPECT_EQ(test, gh_rm_call(ft->rm, &call), -ETIMEDOUT);
	fake_transport_flush(ft);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_ASSERT_EQ(test, l->n, 1);
	KUNIT_EXPECT_EQ(test, l->events[0].what, 5);
	KUNIT_EXPECT_EQ(test, resp[0], 0);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_BAD_PACKETS), 1);
	expect_call_works(ft);
}

static void vm_has_one_listener(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *a = listen(ft, 0x80);
	struct gh_rm_listener other = {};

	KUNIT_EXPECT_EQ(test, gh_rm_listen(ft->rm, 0x80, &other), -EBUSY);
	gh_rm_unlisten(ft->rm, 0x81);
	notify_status(ft, 1, 0x80, 1);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_EXPECT_EQ(test, a->n, 1);

	gh_rm_unlisten(ft->rm, 0x80);
	notify_status(ft, 2, 0x80, 2);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_EXPECT_EQ(test, a->n, 1);
	KUNIT_EXPECT_EQ(test, stat(ft, GH_RM_STAT_UNROUTED), 1);
	listen(ft, 0x80);
}

static int unlisten_fn(void *data)
{
	gh_rm_unlisten(data, 0x80);
	return 0;
}

static void listener_is_not_called_any_more_once_unlisten_returns(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *l = listen(ft, 0x80);
	DECLARE_COMPLETION_ONSTACK(arrived);
	DECLARE_COMPLETION_ONSTACK(go_on);
	struct fake_thread *thread;
	unsigned int n;

	l->arrived = &arrived;
	l->go_on = &go_on;
	notify_status(ft, 1, 0x80, 1);
	notify_status(ft, 2, 0x80, 2);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&arrived, FAKE_PATIENCE), 0);
	thread = fake_thread_start(test, unlisten_fn, ft->rm);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(thread));

	complete(&go_on);
	fake_thread_wait(thread);
	/* Which of the two is next in line for the lock is not ours to say. */
	n = l->n;
	gh_rm_flush_notifications(ft->rm);
	KUNIT_EXPECT_EQ(test, l->n, n);
	KUNIT_EXPECT_EQ(test, l->n + stat(ft, GH_RM_STAT_UNROUTED), 2);
}

static void call_is_answered_while_a_listener_takes_its_time(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *l = listen(ft, 0x80);
	DECLARE_COMPLETION_ONSTACK(arrived);
	DECLARE_COMPLETION_ONSTACK(go_on);

	l->arrived = &arrived;
	l->go_on = &go_on;
	notify_status(ft, 1, 0x80, 1);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&arrived, FAKE_PATIENCE), 0);
	expect_call_works(ft);
	complete(&go_on);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_EXPECT_EQ(test, l->n, 1);
}

/* A guest ends when it ends, whatever somebody else is waiting for. */
static void notification_is_delivered_while_a_call_waits(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *l = listen(ft, 0x80);
	const struct gh_rm_call call = { .id = ID };
	DECLARE_COMPLETION_ONSTACK(arrived);
	DECLARE_COMPLETION_ONSTACK(go_on);
	struct fake_call *other;

	l->arrived = &arrived;
	l->go_on = &go_on;
	complete(&go_on);
	fake_transport_hold(ft, true);
	other = fake_call_start(ft, &call);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(other->thread));
	notify_status(ft, 1, 0x80, 1);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&arrived, FAKE_PATIENCE), 0);
	KUNIT_EXPECT_TRUE(test, fake_thread_sleeps(other->thread));

	fake_transport_hold(ft, false);
	KUNIT_EXPECT_EQ(test, fake_thread_wait(other->thread), 0);
	gh_rm_flush_notifications(ft->rm);
	KUNIT_EXPECT_EQ(test, l->n, 1);
}

static void shutdown_delivers_what_was_received(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct listener *l = listen(ft, 0x80);
	unsigned int i;

	for (i = 0; i < 100; i++)
		notify_status(ft, i, 0x80, i);
	gh_rm_close(ft->rm);
	gh_rm_shutdown(ft->rm);
	KUNIT_EXPECT_EQ(test, l->n, 100);
}

static struct kunit_case notification_cases[] = {
	KUNIT_CASE(notification_goes_to_the_listener_of_its_vm),
	KUNIT_CASE_PARAM(notification_is_delivered_only_if_it_is_whole, notif_gen_params),
	KUNIT_CASE(notification_longer_than_a_packet_is_delivered),
	KUNIT_CASE(storm_is_delivered_in_order_and_holds_up_no_call),
	KUNIT_CASE(storm_that_is_too_much_is_lost_and_counted),
	KUNIT_CASE(notification_between_the_packets_of_a_reply_spoils_neither),
	KUNIT_CASE(long_notification_between_the_packets_of_a_reply_costs_the_reply),
	KUNIT_CASE(vm_has_one_listener),
	KUNIT_CASE(listener_is_not_called_any_more_once_unlisten_returns),
	KUNIT_CASE(call_is_answered_while_a_listener_takes_its_time),
	KUNIT_CASE(notification_is_delivered_while_a_call_waits),
	KUNIT_CASE(shutdown_delivers_what_was_received),
	{}
};

static struct kunit_suite notification_suite = {
	.name = "gunyah_rsc_mgr_notification",
	.test_cases = notification_cases,
};

kunit_test_suites(&call_suite, &notification_suite);

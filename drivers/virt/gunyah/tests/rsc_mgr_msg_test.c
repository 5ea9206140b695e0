// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the wire format. The bytes are written down here or made by code of the
 * test's own; rsc_mgr_msg.c is never compared with itself.
 */

#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "../rsc_mgr_msg.h"
#include "fake_transport.h"

#define MORE	GH_RM_RX_MORE
#define MESSAGE	GH_RM_RX_MESSAGE
#define BAD	GH_RM_RX_BAD_PACKET
#define STRAY	GH_RM_RX_STRAY

#define CONT	FAKE_CONTINUATION
#define REQ	FAKE_REQUEST
#define REPLY	FAKE_REPLY
#define NOTIF	FAKE_NOTIFICATION

/*
 * Sending
 */

struct pack_row {
	const char *name;
	size_t len;
	unsigned int packets;
	size_t last;		/* payload of the last packet */
};

static const struct pack_row pack_rows[] = {
	{ "nothing", 0, 1, 0 },
	{ "1 byte", 1, 1, 1 },
	{ "a packet less 1", 231, 1, 231 },
	{ "a packet", 232, 1, 232 },
	{ "a packet and 1", 233, 2, 1 },
	{ "2 packets less 1", 463, 2, 231 },
	{ "2 packets", 464, 2, 232 },
	{ "2 packets and 1", 465, 3, 1 },
	{ "all but 1", 14615, 63, 231 },
	{ "the longest", 14616, 63, 232 },
};

KUNIT_ARRAY_PARAM_DESC(pack, pack_rows, name);

static void message_is_cut_into_full_packets(struct kunit *test)
{
	const struct pack_row *row = test->param_value;
	/* Of the message's size, so that a sanitizer sees it if more is written. */
	u8 *buf = kunit_kmalloc(test, 8 + row->len, GFP_KERNEL);
	u8 *payload = kunit_kmalloc(test, row->len + 1, GFP_KERNEL);
	const struct gh_rm_msg msg = {
		.type = GH_RM_MSG_REQUEST,
		.seq = 0x1234,
		.id = 0x56000009,
		.len = row->len,
	};
	unsigned int i, again;
	void *packet;
	u8 header[8];
	size_t len;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_NOT_NULL(test, payload);
	fake_fill(payload, row->len);
	memcpy(buf + 8, payload, row->len);

	KUNIT_ASSERT_EQ(test, gh_rm_msg_packets(row->len), row->packets);
	for (i = 0; i < row->packets; i++) {
		size_t at = i * FAKE_PAYLOAD;
		size_t want = i + 1 < row->packets ? FAKE_PAYLOAD : row->last;

		for (again = 0; again < 2; again++) {
			len = gh_rm_msg_pack(&msg, i, buf, &packet);
			KUNIT_EXPECT_EQ(test, len, 8 + want);
			KUNIT_ASSERT_PTR_EQ(test, packet, buf + at);

			memcpy(header, "\x21\x00\x34\x12\x09\x00\x00\x56", 8);
			header[1] = (row->packets - 1) << 2 | (i ? 0 : 1);
			KUNIT_EXPECT_MEMEQ(test, packet, header, 8);
			/* Nor has what follows been touched. */
			KUNIT_EXPECT_TRUE(test, !memcmp(packet + 8, payload + at, row->len - at));
		}
	}
}

static void first_packet_tells_the_type_of_the_message(struct kunit *test)
{
	static const u8 want[][8] = {
		[GH_RM_MSG_REQUEST] = "\x21\x01\xff\xff\x78\x56\x34\x12",
		[GH_RM_MSG_REPLY] = "\x21\x02\xff\xff\x78\x56\x34\x12",
		[GH_RM_MSG_NOTIFICATION] = "\x21\x03\xff\xff\x78\x56\x34\x12",
	};
	struct gh_rm_msg msg = { .seq = 0xffff, .id = 0x12345678 };
	void *packet;
	u8 buf[8];

	for (msg.type = GH_RM_MSG_REQUEST; msg.type <= GH_RM_MSG_NOTIFICATION; msg.type++) {
		KUNIT_EXPECT_EQ(test, gh_rm_msg_pack(&msg, 0, buf, &packet), 8);
		KUNIT_ASSERT_PTR_EQ(test, packet, (void *)buf);
		KUNIT_EXPECT_MEMEQ(test, packet, want[msg.type], 8);
	}
}

/*
 * Receiving
 */

/* A packet; @len is that of its payload, which is filled with @fill */
struct step {
	u8 api;
	u8 type;
	u8 fragments;
	u16 seq;
	u32 id;
	u16 len;
	u8 fill;
	enum gh_rm_rx want;
	u16 want_len;		/* of the message, if that is complete */
};

static enum gh_rm_rx receive(struct kunit *test, struct gh_rm_reassembly *r,
			     const struct step *step, struct gh_rm_msg *msg, u8 **packet)
{
	/* Of the packet's size, so that a sanitizer sees it if more is read. */
	u8 *p = kmalloc(8 + step->len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p[0] = step->api;
	p[1] = step->fragments << 2 | step->type;
	put_unaligned_le16(step->seq, p + 2);
	put_unaligned_le32(step->id, p + 4);
	memset(p + 8, step->fill, step->len);
	*packet = p;
	return gh_rm_reassemble(r, p, 8 + step->len, msg);
}

#define A	0x51000012
#define B	0x56000001
/* A packet that is as it should be, but for what a row is about */
#define FIRST(n, l, w...)	{ 0x21, REPLY, n, 7, A, l, 1, w }
#define NEXT(n, l, f, w...)	{ 0x21, CONT, n, 7, A, l, f, w }

struct rogue_row {
	const char *name;
	struct step steps[8];
};

static const struct rogue_row rogue_rows[] = {
	{ "nothing is wrong", {
		FIRST(2, 232, MORE), NEXT(2, 232, 2, MORE), NEXT(2, 5, 3, MESSAGE, 469) } },
	{ "version 0", { { 0x20, REPLY, 0, 7, A, 4, 1, BAD } } },
	{ "version 2", { { 0x22, REPLY, 0, 7, A, 4, 1, BAD } } },
	{ "version 15", { { 0x2f, REPLY, 0, 7, A, 4, 1, BAD } } },
	{ "header of 0 words", { { 0x01, REPLY, 0, 7, A, 4, 1, BAD } } },
	{ "header of 1 word", { { 0x11, REPLY, 0, 7, A, 4, 1, BAD } } },
	{ "header of 3 words", { { 0x31, REPLY, 0, 7, A, 4, 1, BAD } } },
	{ "header of 15 words", { { 0xf1, REPLY, 0, 7, A, 4, 1, BAD } } },
	{ "one byte too long", { { 0x21, REPLY, 0, 7, A, 233, 1, BAD } } },
	{ "much too long", { { 0x21, REPLY, 0, 7, A, 4000, 1, BAD } } },
	{ "too long, in the middle", {
		FIRST(2, 232, MORE), NEXT(2, 233, 9, BAD), NEXT(2, 232, 2, MORE),
		NEXT(2, 5, 3, MESSAGE, 469) } },
	{ "63 fragments", { { 0x21, REPLY, 63, 7, A, 232, 1, BAD } } },
	{ "63 fragments, and one comes", {
		{ 0x21, REPLY, 63, 7, A, 232, 1, BAD }, NEXT(63, 232, 2, BAD) } },
	{ "63 fragments, in the middle", {
		FIRST(1, 232, MORE), { 0x21, NOTIF, 63, 9, B, 232, 9, BAD },
		NEXT(1, 5, 2, MESSAGE, 237) } },
	{ "62 fragments begin", { FIRST(62, 232, MORE) } },
	{ "continuation of nothing", { NEXT(0, 4, 1, STRAY) } },
	{ "continuation of nothing, the first of many", { NEXT(5, 232, 1, STRAY) } },
	{ "all zeros", { { 0, 0, 0, 0, 0, 0, 0, BAD } } },
	{ "another sequence number", {
		FIRST(1, 232, MORE), { 0x21, CONT, 1, 8, A, 5, 9, STRAY },
		NEXT(1, 5, 2, MESSAGE, 237) } },
	{ "another high byte of the sequence number", {
		FIRST(1, 232, MORE), { 0x21, CONT, 1, 0x107, A, 5, 9, STRAY },
		NEXT(1, 5, 2, MESSAGE, 237) } },
	{ "another id", {
		FIRST(1, 232, MORE), { 0x21, CONT, 1, 7, B, 5, 9, STRAY },
		NEXT(1, 5, 2, MESSAGE, 237) } },
	{ "more fragments than begun", {
		FIRST(1, 232, MORE), { 0x21, CONT, 2, 7, A, 5, 9, STRAY },
		NEXT(1, 5, 2, MESSAGE, 237) } },
	{ "fewer fragments than begun", {
		FIRST(2, 232, MORE), { 0x21, CONT, 1, 7, A, 5, 9, STRAY },
		NEXT(2, 232, 2, MORE), NEXT(2, 5, 3, MESSAGE, 469) } },
	{ "no fragments in a continuation", {
		FIRST(1, 232, MORE), { 0x21, CONT, 0, 7, A, 5, 9, STRAY },
		NEXT(1, 5, 2, MESSAGE, 237) } },
	{ "one fragment too many", {
		FIRST(1, 232, MORE), NEXT(1, 5, 2, MESSAGE, 237), NEXT(1, 5, 9, STRAY) } },
	{ "a message of one packet in between", {
		FIRST(1, 232, MORE), { 0x21, NOTIF, 0, 9, B, 6, 9, MESSAGE, 6 },
		NEXT(1, 5, 2, MESSAGE, 237) } },
	{ "one of one packet, with the same header, in between", {
		FIRST(1, 232, MORE), { 0x21, REPLY, 0, 7, A, 6, 9, MESSAGE, 6 },
		NEXT(1, 5, 2, MESSAGE, 237) } },
	{ "a message that takes the place of one that ends early", {
		FIRST(3, 232, MORE), NEXT(3, 232, 9, MORE),
		{ 0x21, NOTIF, 1, 9, B, 232, 1, MORE }, NEXT(3, 232, 9, STRAY),
		{ 0x21, CONT, 1, 9, B, 4, 2, MESSAGE, 236 } } },
	{ "a message that begins again", {
		FIRST(2, 232, MORE), NEXT(2, 232, 9, MORE), FIRST(2, 232, MORE),
		NEXT(2, 232, 2, MORE), NEXT(2, 4, 3, MESSAGE, 468) } },
	{ "short fragments", {
		FIRST(2, 1, MORE), NEXT(2, 1, 2, MORE), NEXT(2, 1, 3, MESSAGE, 3) } },
	{ "empty fragments", {
		FIRST(2, 0, MORE), NEXT(2, 0, 2, MORE), NEXT(2, 0, 3, MESSAGE, 0) } },
	{ "an empty message", { { 0x21, NOTIF, 0, 7, A, 0, 0, MESSAGE, 0 } } },
};

KUNIT_ARRAY_PARAM_DESC(rogue, rogue_rows, name);

static struct gh_rm_reassembly *new_reassembly(struct kunit *test)
{
	/* Behind its last member, the buffer, is where a sanitizer watches. */
	struct gh_rm_reassembly *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	return r;
}

/* Nothing that came before may show in a message that comes after. */
static void expect_good_message(struct kunit *test, struct gh_rm_reassembly *r)
{
	static const struct step steps[] = {
		{ 0x21, NOTIF, 2, 0xfedc, 0x56100001, 232, 0x11, MORE },
		{ 0x21, CONT, 2, 0xfedc, 0x56100001, 232, 0x22, MORE },
		{ 0x21, CONT, 2, 0xfedc, 0x56100001, 3, 0x33, MESSAGE },
	};
	struct gh_rm_msg msg;
	u8 *packet;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		KUNIT_ASSERT_EQ(test, receive(test, r, &steps[i], &msg, &packet), steps[i].want);
		kfree(packet);
	}
	KUNIT_EXPECT_EQ(test, msg.type, GH_RM_MSG_NOTIFICATION);
	KUNIT_EXPECT_EQ(test, msg.seq, 0xfedc);
	KUNIT_EXPECT_EQ(test, msg.id, 0x56100001);
	KUNIT_ASSERT_EQ(test, msg.len, 232 + 232 + 3);
	for (i = 0, k = 0; i < ARRAY_SIZE(steps); i++)
		for (size_t n = 0; n < steps[i].len; n++, k++)
			KUNIT_ASSERT_EQ(test, ((const u8 *)msg.payload)[k], steps[i].fill);
}

static void rogue_packet_is_dropped_and_harms_nothing(struct kunit *test)
{
	const struct rogue_row *row = test->param_value;
	struct gh_rm_reassembly *r = new_reassembly(test);
	struct gh_rm_msg msg;
	u8 *packet;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(row->steps) && row->steps[i].api | row->steps[i].want; i++) {
		const struct step *step = &row->steps[i];

		memset(&msg, 0xa5, sizeof(msg));
		KUNIT_EXPECT_EQ_MSG(test, receive(test, r, step, &msg, &packet), step->want,
				    "packet %zu", i);
		if (step->want == MESSAGE) {
			const u8 *payload = msg.payload;

			KUNIT_EXPECT_EQ(test, msg.len, step->want_len);
			/* 9 is the mark of what must not be in a message of several packets. */
			for (size_t k = 0; step->type == CONT && k < msg.len; k++)
				KUNIT_EXPECT_NE(test, payload[k], 9);
			if (msg.len)
				KUNIT_EXPECT_EQ(test, payload[msg.len - 1], step->fill);
		}
		kfree(packet);
	}
	expect_good_message(test, r);
}

static void packet_shorter_than_a_header_is_not_looked_at(struct kunit *test)
{
	static const u8 header[8] = "\x21\x02\x07\x00\x12\x00\x00\x51";
	struct gh_rm_reassembly *r = new_reassembly(test);
	struct gh_rm_msg msg;
	size_t len;
	u8 *packet;

	for (len = 0; len < sizeof(header); len++) {
		packet = kmemdup(header, len, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, packet);
		KUNIT_EXPECT_EQ(test, gh_rm_reassemble(r, packet, len, &msg), BAD);
		kfree(packet);
	}
	KUNIT_EXPECT_EQ(test, gh_rm_reassemble(r, header, len, &msg), MESSAGE);
	expect_good_message(test, r);
}

static void longest_message_fills_the_buffer_and_no_more(struct kunit *test)
{
	struct gh_rm_reassembly *r = new_reassembly(test);
	struct step step = { 0x21, REPLY, 62, 1, A, FAKE_PAYLOAD };
	struct gh_rm_msg msg;
	unsigned int i;
	u8 *packet;

	for (i = 0; i < 63; i++) {
		step.type = i ? CONT : REPLY;
		step.fill = 100 + i;
		KUNIT_ASSERT_EQ(test, receive(test, r, &step, &msg, &packet),
				i < 62 ? MORE : MESSAGE);
		kfree(packet);
	}
	KUNIT_ASSERT_EQ(test, msg.len, 14616);
	KUNIT_EXPECT_EQ(test, msg.type, GH_RM_MSG_REPLY);
	for (i = 0; i < 14616; i++)
		KUNIT_ASSERT_EQ(test, ((const u8 *)msg.payload)[i], 100 + i / FAKE_PAYLOAD);

	/* And there is no 64th. */
	KUNIT_EXPECT_EQ(test, receive(test, r, &step, &msg, &packet), STRAY);
	kfree(packet);
	expect_good_message(test, r);
}

static void what_was_cut_is_put_together_again(struct kunit *test)
{
	const struct pack_row *row = test->param_value;
	struct gh_rm_reassembly *r = new_reassembly(test);
	struct gh_rm_msg in, out = { .seq = 0x8001, .id = B, .len = row->len };
	u8 *payload = kunit_kmalloc(test, row->len + 1, GFP_KERNEL);
	u8 *buf = kunit_kmalloc(test, 8 + row->len, GFP_KERNEL);
	enum gh_rm_msg_type type;
	void *packet, *copy;
	unsigned int i;
	size_t len;

	KUNIT_ASSERT_NOT_NULL(test, payload);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	fake_fill(payload, row->len);
	for (type = GH_RM_MSG_REQUEST; type <= GH_RM_MSG_NOTIFICATION; type++) {
		out.type = type;
		memcpy(buf + 8, payload, row->len);
		for (i = 0; i < row->packets; i++) {
			len = gh_rm_msg_pack(&out, i, buf, &packet);
			copy = kunit_kmalloc(test, len, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, copy);
			memcpy(copy, packet, len);
			KUNIT_ASSERT_EQ(test, gh_rm_reassemble(r, copy, len, &in),
					i + 1 < row->packets ? MORE : MESSAGE);
		}
		KUNIT_EXPECT_EQ(test, in.type, type);
		KUNIT_EXPECT_EQ(test, in.seq, out.seq);
		KUNIT_EXPECT_EQ(test, in.id, out.id);
		KUNIT_ASSERT_EQ(test, in.len, out.len);
		KUNIT_EXPECT_TRUE(test, !memcmp(in.payload, payload, in.len));
	}
}

/* The rules of gh_rm_reassemble() once more, as simple as can be, without contents */
struct oracle {
	bool partial;
	u32 header[2];		/* but for the type */
	unsigned int missing;
	size_t len;
};

static enum gh_rm_rx oracle_receive(struct oracle *o, const struct step *step, size_t *len)
{
	u32 header[2] = { step->fragments << 16 | step->seq, step->id };

	if (step->api != 0x21 || step->len > 232 || step->fragments == 63)
		return BAD;
	if (step->type != CONT && !step->fragments) {
		*len = step->len;
		return MESSAGE;
	}
	if (step->type != CONT) {
		*o = (struct oracle){ true, { header[0], header[1] }, step->fragments, step->len };
		return MORE;
	}
	if (!o->partial || memcmp(header, o->header, sizeof(header)))
		return STRAY;
	o->len += step->len;
	*len = o->len;
	o->partial = --o->missing;
	return o->partial ? MORE : MESSAGE;
}

static void random_packets_are_taken_as_the_rules_say(struct kunit *test)
{
	static const u16 lens[] = { 0, 1, 100, 231, 232, 232, 232, 233 };
	struct gh_rm_reassembly *r = new_reassembly(test);
	unsigned int i, seen[4] = {};
	struct oracle oracle = {};
	struct rnd_state rnd;
	struct gh_rm_msg msg;
	struct step step;
	size_t len = 0;
	u8 *packet;

	/* Few values, so that packets often belong together. */
	prandom_seed_state(&rnd, 3);
	for (i = 0; i < 20000; i++) {
		u32 x = prandom_u32_state(&rnd);

		step.api = x % 64 ? 0x21 : x >> 8;
		step.type = x >> 16 & 1 ? CONT : x >> 17 & 3;
		step.fragments = x >> 19 & 15 ? 1 + (x >> 23 & 1) : x >> 23 & 63;
		x = prandom_u32_state(&rnd);
		step.seq = !(x & 7);
		step.id = x >> 3 & 7 ? A : B;
		step.len = lens[x >> 6 & 7];
		step.fill = x >> 16;
		step.want = oracle_receive(&oracle, &step, &len);

		KUNIT_ASSERT_EQ_MSG(test, receive(test, r, &step, &msg, &packet), step.want,
				    "packet %u", i);
		if (step.want == MESSAGE) {
			KUNIT_ASSERT_EQ(test, msg.len, len);
			KUNIT_ASSERT_EQ(test, msg.seq, step.seq);
			KUNIT_ASSERT_EQ(test, msg.id, step.id);
			if (step.len)
				KUNIT_ASSERT_EQ(test, ((const u8 *)msg.payload)[len - 1],
						step.fill);
		}
		seen[step.want]++;
		kfree(packet);
	}
	/* The test is worth something only if all of them came up. */
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		KUNIT_EXPECT_GT(test, seen[i], 100);
	expect_good_message(test, r);
}

static struct kunit_case msg_cases[] = {
	KUNIT_CASE_PARAM(message_is_cut_into_full_packets, pack_gen_params),
	KUNIT_CASE(first_packet_tells_the_type_of_the_message),
	KUNIT_CASE_PARAM(what_was_cut_is_put_together_again, pack_gen_params),
	KUNIT_CASE_PARAM(rogue_packet_is_dropped_and_harms_nothing, rogue_gen_params),
	KUNIT_CASE(packet_shorter_than_a_header_is_not_looked_at),
	KUNIT_CASE(longest_message_fills_the_buffer_and_no_more),
	KUNIT_CASE(random_packets_are_taken_as_the_rules_say),
	{}
};

static struct kunit_suite msg_suite = {
	.name = "gunyah_rsc_mgr_msg",
	.test_cases = msg_cases,
};

kunit_test_suite(msg_suite);

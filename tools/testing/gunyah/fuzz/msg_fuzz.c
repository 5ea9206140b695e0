// SPDX-License-Identifier: GPL-2.0-only
/*
 * rsc_mgr_msg.c: every packet has to have the result, and every message the contents,
 * that the reference has. What is packed has to come back.
 */
#include "input.h"
#include "reference.h"
#include "shim.h"

#include "../../../../drivers/virt/gunyah/rsc_mgr_msg.h"

bool shim_event(void)
{
	return false;
}

bool shim_alloc_fails(void)
{
	return false;
}

static struct gh_rm_reassembly *r;
static struct reference ref;
static struct ref_message want;

/* True if it completed a message, which is then @want */
static bool feed(const void *packet, size_t len)
{
	static const enum gh_rm_rx results[] = {
		[REF_MORE] = GH_RM_RX_MORE,
		[REF_MESSAGE] = GH_RM_RX_MESSAGE,
		[REF_BAD] = GH_RM_RX_BAD_PACKET,
		[REF_STRAY] = GH_RM_RX_STRAY,
	};
	uint8_t before[offsetof(struct gh_rm_reassembly, buf)];
	void *copy = exact(len);
	struct gh_rm_msg got;
	enum ref_result expected;
	enum gh_rm_rx rx;

	memcpy(copy, packet, len);
	memcpy(before, r, sizeof(before));
	expected = ref_packet(&ref, packet, len, &want);
	rx = gh_rm_reassemble(r, copy, len, &got);

	FUZZ_CHECK(rx == results[expected]);
	FUZZ_CHECK(r->msg.len <= GH_RM_MAX_PAYLOAD);
	FUZZ_CHECK(r->fragments <= GH_RM_MAX_FRAGMENTS && r->received <= r->fragments);
	if (rx == GH_RM_RX_BAD_PACKET || rx == GH_RM_RX_STRAY)
		FUZZ_CHECK(!memcmp(before, r, sizeof(before)));
	if (rx == GH_RM_RX_MESSAGE) {
		FUZZ_CHECK(got.type == want.type && got.type != GH_RM_MSG_CONTINUATION);
		FUZZ_CHECK(got.seq == want.seq && got.id == want.id && got.len == want.len);
		FUZZ_CHECK(!memcmp(got.payload, want.payload, got.len));
	}
	free(copy);
	return rx == GH_RM_RX_MESSAGE;
}

static void fill(uint8_t *p, size_t len, uint8_t first)
{
	while (len--)
		*p++ = first++;
}

/* A message as the driver packs it, one packet of which may be lost or come twice */
static void packed(struct input *in)
{
	uint8_t type = in8(in) % 3 + 1, lost = in8(in), twice = in8(in);
	struct gh_rm_msg msg = {
		.type = type, .seq = in16(in), .id = in32(in),
		.len = in16(in) % (GH_RM_MAX_PAYLOAD + 1),
	};
	unsigned int n = gh_rm_msg_packets(msg.len), i;
	uint8_t *payload = exact(msg.len), *buf = exact(GH_RM_PACKET_HDR_SIZE + msg.len);
	bool done = false;
	void *packet;
	size_t len;

	fill(payload, msg.len, type);
	memcpy(buf + GH_RM_PACKET_HDR_SIZE, payload, msg.len);
	FUZZ_CHECK(n >= 1 && n <= REF_PACKETS);
	for (i = 0; i < n; i++) {
		len = gh_rm_msg_pack(&msg, i, buf, &packet);
		FUZZ_CHECK(len >= 8 && len <= GH_RM_PACKET_SIZE);
		FUZZ_CHECK(len == GH_RM_PACKET_SIZE || i == n - 1);
		if (i == lost)
			continue;
		done = feed(packet, len);
		if (i == twice)
			done |= feed(packet, len);
	}
	if (lost >= n && twice >= n)
		FUZZ_CHECK(done && want.type == msg.type && want.seq == msg.seq &&
			   want.id == msg.id && want.len == msg.len &&
			   !memcmp(want.payload, payload, msg.len));
	free(buf);
	free(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t packet[256];
	uint8_t what, n;
	size_t len;

	/* The last member is the buffer, so what is behind it is behind the object */
	r = exact(sizeof(*r));
	memset(r, 0, sizeof(*r));
	memset(&ref, 0, sizeof(ref));

	while (in.left) {
		what = in8(&in);
		switch (what % 4) {
		case 0:
			/* Any bytes */
			len = in8(&in);
			in_bytes(&in, packet, len);
			feed(packet, len);
			break;
		case 1:
			/* What continues the message that is open, 1 to 64 times */
			len = 8 + in8(&in) % 235;
			memcpy(packet, ref.head, 8);
			packet[0] = 0x21;
			packet[1] &= ~3;
			for (n = what / 4; n-- != 0xff;) {
				fill(packet + 8, len - 8, n);
				feed(packet, len);
			}
			break;
		case 2:
			/* The beginning of one */
			len = 8 + in8(&in) % 233;
			put_header(packet, 0x21, in8(&in) % 3 + 1, what / 4, in16(&in), in32(&in));
			fill(packet + 8, len - 8, what);
			feed(packet, len);
			break;
		case 3:
			packed(&in);
			break;
		}
	}
	free(r);
	return 0;
}

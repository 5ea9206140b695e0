// SPDX-License-Identifier: GPL-2.0-only
#include "input.h"
#include "reference.h"

static void keep(struct reference *ref, const uint8_t *packet, size_t len)
{
	FUZZ_CHECK(ref->pieces < REF_PACKETS);
	ref->piece[ref->pieces].len = len - 8;
	memcpy(ref->piece[ref->pieces].data, packet + 8, len - 8);
	ref->pieces++;
}

enum ref_result ref_packet(struct reference *ref, const uint8_t *packet, size_t len,
			   struct ref_message *msg)
{
	struct reference alone;
	unsigned int more, i;

	/* Version 1, two words of header; one packet and 62 more at most */
	if (len < 8 || len > 240 || packet[0] != 0x21 || packet[1] / 4 > 62)
		return REF_BAD;
	more = packet[1] / 4;

	if (packet[1] % 4 && !more) {
		/* Whole as it is, and nothing to do with what is open */
		alone.pieces = 0;
		memcpy(alone.head, packet, 8);
		keep(&alone, packet, len);
		ref = &alone;
	} else if (packet[1] % 4 == 0) {
		/* Same number of packets, sequence number and id as the first */
		if (!ref->open || more != ref->head[1] / 4 || memcmp(packet + 2, ref->head + 2, 6))
			return REF_STRAY;
		keep(ref, packet, len);
		if (ref->pieces <= more)
			return REF_MORE;
		ref->open = false;
	} else {
		ref->open = true;
		ref->pieces = 0;
		memcpy(ref->head, packet, 8);
		keep(ref, packet, len);
		return REF_MORE;
	}

	msg->type = ref->head[1] % 4;
	msg->seq = le16(ref->head + 2);
	msg->id = le32(ref->head + 4);
	msg->len = 0;
	for (i = 0; i < ref->pieces; i++) {
		memcpy(msg->payload + msg->len, ref->piece[i].data, ref->piece[i].len);
		msg->len += ref->piece[i].len;
	}
	return REF_MESSAGE;
}

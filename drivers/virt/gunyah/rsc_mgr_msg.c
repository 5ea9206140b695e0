// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wire format of the resource manager's messages
 *
 * A message is a header and a payload of up to 63 * 232 bytes. It travels as one
 * packet of up to 240 bytes for each 232 bytes of payload. Every packet carries
 * the header; the first says what kind of message it is, the others that they
 * continue it.
 *
 *    byte 0    protocol version (bits 3:0), header length in words (bits 7:4)
 *    byte 1    type (bits 1:0), number of continuation packets (bits 7:2)
 *    byte 2-3  sequence number
 *    byte 4-7  message id
 *
 * All numbers are little endian. Nothing here has state other than what the
 * caller passes in, takes locks, or knows devices.
 */

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#include "rsc_mgr_msg.h"

struct gh_rm_packet_hdr {
	u8 api;
	u8 type;
	__le16 seq;
	__le32 msg_id;
} __packed;

#define GH_RM_HDR_API_VERSION	GENMASK(3, 0)
#define GH_RM_HDR_WORDS		GENMASK(7, 4)
#define GH_RM_HDR_TYPE		GENMASK(1, 0)
#define GH_RM_HDR_FRAGMENTS	GENMASK(7, 2)

#define GH_RM_API		(FIELD_PREP(GH_RM_HDR_API_VERSION, 1) |			\
				 FIELD_PREP(GH_RM_HDR_WORDS,					\
					    sizeof(struct gh_rm_packet_hdr) / sizeof(u32)))

static_assert(sizeof(struct gh_rm_packet_hdr) == GH_RM_PACKET_HDR_SIZE);

/**
 * gh_rm_msg_packets() - Number of packets that a message takes
 * @len: length of the payload in bytes, at most GH_RM_MAX_PAYLOAD
 *
 * Context: Any.
 * Return: the number of packets, at least 1.
 */
unsigned int gh_rm_msg_packets(size_t len)
{
	return max_t(size_t, DIV_ROUND_UP(len, GH_RM_PACKET_PAYLOAD), 1);
}

/**
 * gh_rm_msg_pack() - Make one packet of a message
 * @msg: the message, at most GH_RM_MAX_PAYLOAD long; its payload is in @buf
 * @index: which of its packets, less than gh_rm_msg_packets()
 * @buf: GH_RM_PACKET_HDR_SIZE bytes for a header, and the payload behind them
 * @packet: set to the packet, which is a part of @buf
 *
 * Nothing is copied: a packet's header takes the place of the last bytes of the
 * packet before, which therefore must have been sent. So packets are made in order.
 * The one that was made last may be made again.
 *
 * Context: Any. One at a time for each @buf.
 * Return: length of the packet in bytes.
 */
size_t gh_rm_msg_pack(const struct gh_rm_msg *msg, unsigned int index, void *buf, void **packet)
{
	unsigned int fragments = gh_rm_msg_packets(msg->len) - 1;
	size_t offset = (size_t)index * GH_RM_PACKET_PAYLOAD;
	struct gh_rm_packet_hdr *hdr = buf + offset;

	hdr->api = GH_RM_API;
	hdr->type = FIELD_PREP(GH_RM_HDR_TYPE, index ? GH_RM_MSG_CONTINUATION : msg->type) |
		    FIELD_PREP(GH_RM_HDR_FRAGMENTS, fragments);
	hdr->seq = cpu_to_le16(msg->seq);
	hdr->msg_id = cpu_to_le32(msg->id);
	*packet = hdr;

	return sizeof(*hdr) + min_t(size_t, msg->len - offset, GH_RM_PACKET_PAYLOAD);
}

/**
 * gh_rm_reassemble() - Take in one packet
 * @r: what has arrived before
 * @packet: the packet
 * @len: length of @packet in bytes
 * @msg: filled in if the packet completed a message. The payload is valid until
 *       the next call or, if the message is one packet, as long as @packet is.
 *
 * A packet that is wrong is dropped and changes nothing. The first packet of a
 * longer message takes the place of a message that never got complete, as it
 * does in the resource manager; a message of one packet leaves that alone.
 *
 * Context: Any. One at a time for each @r.
 * Return: what became of the packet.
 */
enum gh_rm_rx gh_rm_reassemble(struct gh_rm_reassembly *r, const void *packet, size_t len,
			       struct gh_rm_msg *msg)
{
	const struct gh_rm_packet_hdr *hdr = packet;
	unsigned int fragments;
	struct gh_rm_msg in;

	if (len < sizeof(*hdr) || len > GH_RM_PACKET_SIZE || hdr->api != GH_RM_API)
		return GH_RM_RX_BAD_PACKET;

	fragments = FIELD_GET(GH_RM_HDR_FRAGMENTS, hdr->type);
	if (fragments > GH_RM_MAX_FRAGMENTS)
		return GH_RM_RX_BAD_PACKET;

	in.type = FIELD_GET(GH_RM_HDR_TYPE, hdr->type);
	in.seq = le16_to_cpu(hdr->seq);
	in.id = le32_to_cpu(hdr->msg_id);
	in.payload = hdr + 1;
	in.len = len - sizeof(*hdr);

	if (in.type != GH_RM_MSG_CONTINUATION) {
		if (!fragments) {
			*msg = in;
			return GH_RM_RX_MESSAGE;
		}

		r->msg = in;
		r->msg.payload = r->buf;
		r->msg.len = 0;
		r->fragments = fragments;
		r->received = 0;
		r->partial = true;
	} else {
		if (!r->partial || in.seq != r->msg.seq || in.id != r->msg.id ||
		    fragments != r->fragments)
			return GH_RM_RX_STRAY;

		r->received++;
	}

	/* Cannot overflow: at most 63 packets of at most 232 bytes get here. */
	memcpy(r->buf + r->msg.len, in.payload, in.len);
	r->msg.len += in.len;

	if (r->received < r->fragments)
		return GH_RM_RX_MORE;

	r->partial = false;
	*msg = r->msg;
	return GH_RM_RX_MESSAGE;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __GH_RSC_MGR_MSG_H
#define __GH_RSC_MGR_MSG_H

#include <linux/types.h>

#define GH_RM_PACKET_SIZE	240
#define GH_RM_PACKET_PAYLOAD	232
#define GH_RM_PACKET_HDR_SIZE	(GH_RM_PACKET_SIZE - GH_RM_PACKET_PAYLOAD)
/* Continuation packets that may follow the first */
#define GH_RM_MAX_FRAGMENTS	62
#define GH_RM_MAX_PAYLOAD	((GH_RM_MAX_FRAGMENTS + 1) * GH_RM_PACKET_PAYLOAD)

enum gh_rm_msg_type {
	GH_RM_MSG_CONTINUATION	= 0,
	GH_RM_MSG_REQUEST	= 1,
	GH_RM_MSG_REPLY		= 2,
	GH_RM_MSG_NOTIFICATION	= 3,
};

/**
 * struct gh_rm_msg - One whole message
 * @type: never GH_RM_MSG_CONTINUATION
 * @seq: sequence number
 * @id: message id
 * @payload: what follows the header, @len bytes
 * @len: at most GH_RM_MAX_PAYLOAD
 */
struct gh_rm_msg {
	enum gh_rm_msg_type type;
	u16 seq;
	u32 id;
	const void *payload;
	size_t len;
};

unsigned int gh_rm_msg_packets(size_t len);
size_t gh_rm_msg_pack(const struct gh_rm_msg *msg, unsigned int index, void *buf, void **packet);

/**
 * enum gh_rm_rx - What became of a received packet
 * @GH_RM_RX_MORE: it was taken, the message is not complete yet
 * @GH_RM_RX_MESSAGE: it completed a message
 * @GH_RM_RX_BAD_PACKET: dropped: its header or its length is wrong
 * @GH_RM_RX_STRAY: dropped: it continues no message that has begun
 */
enum gh_rm_rx {
	GH_RM_RX_MORE,
	GH_RM_RX_MESSAGE,
	GH_RM_RX_BAD_PACKET,
	GH_RM_RX_STRAY,
};

/**
 * struct gh_rm_reassembly - A message that has arrived in part
 * @msg: header of the first packet; its payload is @buf
 * @fragments: continuation packets that the message has
 * @received: continuation packets that have arrived
 * @partial: there is such a message
 * @buf: payload so far
 */
struct gh_rm_reassembly {
	struct gh_rm_msg msg;
	unsigned int fragments;
	unsigned int received;
	bool partial;
	u8 buf[GH_RM_MAX_PAYLOAD] __aligned(8);
};

enum gh_rm_rx gh_rm_reassemble(struct gh_rm_reassembly *r, const void *packet, size_t len,
			       struct gh_rm_msg *msg);

#endif /* __GH_RSC_MGR_MSG_H */

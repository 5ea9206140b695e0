/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the packets of the resource manager mean, a second time: written from the
 * description of the wire format, to keep every piece and put them together at the
 * end, and with no line in common with the driver's.
 */
#ifndef _FUZZ_REFERENCE_H
#define _FUZZ_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REF_PACKETS	63
#define REF_PIECE	232

enum ref_result { REF_MORE, REF_MESSAGE, REF_BAD, REF_STRAY };

struct ref_message {
	uint8_t type;
	uint16_t seq;
	uint32_t id;
	size_t len;
	uint8_t payload[REF_PACKETS * REF_PIECE];
};

struct reference {
	bool open;
	uint8_t head[8];
	unsigned int pieces;
	struct {
		size_t len;
		uint8_t data[REF_PIECE];
	} piece[REF_PACKETS];
};

static inline uint16_t le16(const void *p)
{
	const uint8_t *b = p;

	return b[0] | b[1] << 8;
}

static inline uint32_t le32(const void *p)
{
	return le16(p) | (uint32_t)le16((const uint8_t *)p + 2) << 16;
}

static inline void put_header(uint8_t *p, uint8_t api, uint8_t type, uint8_t fragments,
			      uint16_t seq, uint32_t id)
{
	int i;

	p[0] = api;
	p[1] = type | fragments << 2;
	p[2] = seq;
	p[3] = seq >> 8;
	for (i = 0; i < 4; i++)
		p[4 + i] = id >> 8 * i;
}

/* Takes a packet; @msg is the message, if this completes one */
enum ref_result ref_packet(struct reference *ref, const uint8_t *packet, size_t len,
			   struct ref_message *msg);

#endif /* _FUZZ_REFERENCE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The surroundings of a model under test: a host with RAM, its receive queue, and guests
 * that do what they are told.
 */
#ifndef _MODEL_ENV_H
#define _MODEL_ENV_H

#include "../../../../drivers/virt/gunyah/tests/rm_model.h"

#define ENV_RAM		0x40000000ull
#define ENV_RAM_SIZE	0x40000000ull
#define ENV_PAGE	0x1000ull
#define ENV_PAGES	(ENV_RAM_SIZE / ENV_PAGE)
#define ENV_QUEUE	2048
#define ENV_MESSAGE	(63 * 232)
#define ENV_ASKED	16
#define ENV_ASKED_ACLS	4

enum { CONTINUATION, REQUEST, REPLY, NOTIFICATION };

struct packet {
	uint32_t len;
	uint8_t data[RM_PACKET_SIZE];
};

struct message {
	uint8_t type;
	uint16_t seq;
	uint32_t id;
	uint32_t len;
	uint8_t data[ENV_MESSAGE];
};

struct env {
	struct rm_model *m;
	void *mem;

	/* What the model has sent and the host has not taken */
	struct packet queue[ENV_QUEUE];
	uint32_t queued;
	uint32_t taken;
	uint32_t depth;			/* how many the queue holds */

	bool lent[ENV_PAGES];
	uint32_t lent_pages;
	uint64_t zeroed;		/* bytes */
	/* Memory counts as the host's even while it is lent */
	bool blind;
	/* What those who keep a list were asked since env_open_listed() */
	struct rm_acl asked_acl[ENV_ASKED_ACLS];
	uint32_t asked_acls;
	struct rm_mem_entry asked[ENV_ASKED];
	uint32_t n_asked;
	uint64_t unassigned;		/* a page that is not with whom it is to be */

	uint64_t now_ms;

	uint32_t init_error;
	uint32_t start_error;
	bool accept_all;		/* vm_start accepts every parcel */
	bool has_rpc;
	uint32_t inits, starts, kills, teardowns;
	struct rm_image image;
	const struct rm_resource *resources;
	uint32_t n_resources;
	const char *died;
};

extern struct env env;

void env_open(enum rm_policy policy, uint32_t max_entries);
/* Where somebody else keeps a list of who has which memory, too */
void env_open_listed(enum rm_policy policy, uint32_t max_entries);
void env_close(void);
/* As a request, in as many packets as it takes */
void env_request(uint16_t seq, uint32_t id, const void *payload, uint32_t len);
void env_packet(uint8_t api, uint8_t type, uint8_t fragments, uint16_t seq, uint32_t id,
		const void *payload, uint32_t len);
/* The next packet, or message, out of the queue; false if that is empty */
bool env_take_packet(const struct packet **packet);
bool env_take(struct message *msg);

static inline uint16_t le16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t le32(const void *p)
{
	return le16(p) | (uint32_t)le16((const uint8_t *)p + 2) << 16;
}

#endif /* _MODEL_ENV_H */

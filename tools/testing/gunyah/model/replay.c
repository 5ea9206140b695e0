// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replays a recording of the public resource manager's traffic against the model.
 *
 * Every request is sent as recorded, in packets; every reply and notification must come
 * with the recorded id, number and bytes, in the recorded order, and none beside.
 *
 * Nothing of that is mapped. A recording that starts in the middle of a run instead gets a
 * model to which the run so far has happened as far as it shows: before the first line it
 * is made to use up as many handles and notification numbers as the recording has behind
 * it, through its own messages (see catch_up()). What else is "of that run" the
 * surroundings supply: the host's RAM, where all recorded addresses lie, and the list of
 * resources with its capability ids and interrupts.
 *
 * Two things are not messages, so that the recording tells only by their effect when they
 * happened, and they are made to happen then:
 * - a guest ends, before a VM_STATUS(EXITED) that belongs to no request. The "vcpu_run"
 *   lines are skipped: no vCPUs here.
 * - the manager takes one of the steps of RESET that follow its reply, before a
 *   notification that belongs to no request, and before a request between which and its
 *   reply a VM_STATUS(RESET) was received (in share-psci-off).
 *
 * One request, a MEM_LEND of 100 entries, is cut off after the first few. The others are
 * completed by the pattern of these: each as far from the one before as the second is from
 * the first, of the same size, and no attributes. So only its reply, and those to what
 * follows, are the recording's.
 */
#include <stdlib.h>

#include "env.h"
#include "test.h"

#define VM_ALLOCATE	0x56000001
#define VM_DEALLOCATE	0x56000002
#define VM_RESET	0x56000006
#define VM_CONFIG_IMAGE	0x56000009
#define VM_INIT		0x5600000b
#define VM_EXITED	0x56100001
#define VM_STATUS	0x56100008
#define MEM_LEND	0x51000012
#define MEM_SHARE	0x51000013
#define MEM_RECLAIM	0x51000015
#define MEM_NOTIFY	0x51000017
#define MAX_LINES	200

struct line {
	int number;
	char kind;		/* '>', '<' or '!' */
	uint32_t id;
	uint16_t seq;
	uint32_t len;
	uint8_t data[ENV_MESSAGE];
};

static struct line lines[MAX_LINES];
static uint32_t n_lines;
static const char *trace;

static bool bad_line(const struct line *l, const char *what)
{
	printf("# %s:%d: %s\n", trace, l->number, what);
	return CHECK(!"as recorded");
}

static bool read_line(const char *text, struct line *l)
{
	char hex[4096];
	unsigned int id, seq, byte, i;

	if (sscanf(text, "%c %8x %4x %4095s", &l->kind, &id, &seq, hex) != 4)
		return false;
	l->id = id;
	l->seq = (uint16_t)seq;
	l->len = 0;
	if (!strcmp(hex, "-"))
		return true;
	for (i = 0; sscanf(hex + i, "%2x", &byte) == 1; i += 2)
		l->data[l->len++] = (uint8_t)byte;
	return !hex[i] && i % 2 == 0;
}

/* The cut request: header, one ACL entry, a list of 16-byte entries, attributes */
static void complete_lend(struct line *l)
{
	uint32_t n = le16(l->data + 16), at = 20, i, have;
	uint64_t first, step;
	uint8_t *e;

	if (l->len < at + 32 || l->len >= at + 16 * n)
		return;
	first = le32(l->data + at);
	step = le32(l->data + at + 16) - first;
	have = (l->len - at) / 16;
	for (i = 0; i < n; i++) {
		e = l->data + at + 16 * i;
		if (i < have) {
			/* What is there bears out the pattern. */
			CHECK_EQ(le32(e), first + i * step);
			CHECK(!memcmp(e + 4, l->data + at + 4, 12));
			continue;
		}
		memcpy(e, l->data + at, 16);
		e[0] = (uint8_t)(first + i * step);
		e[1] = (uint8_t)((first + i * step) >> 8);
		e[2] = (uint8_t)((first + i * step) >> 16);
		e[3] = (uint8_t)((first + i * step) >> 24);
	}
	l->len = at + 16 * n;
	memset(l->data + l->len, 0, 4);
	l->len += 4;
}

static bool read_trace(void)
{
	char text[8192];
	int number = 0;
	FILE *f = fopen(trace, "r");

	n_lines = 0;
	if (!CHECK(f))
		return false;
	while (fgets(text, sizeof(text), f)) {
		struct line *l = &lines[n_lines];

		number++;
		if (text[0] == '#' || text[0] == '=')
			continue;
		if (!CHECK(n_lines < MAX_LINES - 1))
			break;
		l->number = number;
		if (!read_line(text, l) || !strchr("><!", l->kind)) {
			bad_line(l, "unreadable");
			break;
		}
		if (l->kind == '>' && l->id == MEM_LEND)
			complete_lend(l);
		n_lines++;
	}
	fclose(f);
	lines[n_lines].kind = 0;
	return CHECK(n_lines);
}

/* A request of catch_up(): its error, and the word after that */
static uint32_t ask(uint32_t id, const void *payload, uint32_t len, uint32_t *word)
{
	static struct message msg;
	uint32_t error = ~0u;

	env_request(1, id, payload, len);
	while (env_take(&msg)) {
		if (msg.type != REPLY)
			continue;
		error = le32(msg.data);
		if (word)
			*word = le32(msg.data + 4);
	}
	return error;
}

/*
 * Brings a new model to the first handle and notification number of the recording. A lend
 * that is refused for its rights uses up a handle; a life of a VM without START makes four
 * notifications, and MEM_NOTIFY to it makes one for the guest.
 */
static void catch_up(uint32_t handles, uint32_t notifications)
{
	static uint8_t lend[] = {
		0, 0, 0, 0, 0, 0, 0, 0,
		1, 0, 0, 0, 0x80, 0, 7, 0,
		1, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0,
	};
	static const uint8_t vmid[4] = { 0x80 };
	static const uint8_t any[4];
	uint8_t config[40] = { 0x80 }, notify[12] = { 0, 0, 0, 0, 1 }, reclaim[8] = { 0 };
	uint32_t handle;

	if (!handles && !notifications)
		return;
	CHECK_EQ(ask(VM_ALLOCATE, any, 4, NULL), RM_OK);
	lend[14] = 7;
	CHECK_EQ(ask(MEM_LEND, lend, sizeof(lend), &handle), RM_OK);
	CHECK_EQ(handle, 0);
	if (notifications) {
		CHECK(notifications >= 4);
		config[33] = 0x10;
		CHECK_EQ(ask(VM_CONFIG_IMAGE, config, sizeof(config), NULL), RM_OK);
		CHECK_EQ(ask(VM_INIT, vmid, 4, NULL), RM_OK);
		for (; notifications > 4; notifications--)
			CHECK_EQ(ask(MEM_NOTIFY, notify, sizeof(notify), NULL), RM_OK);
		CHECK_EQ(ask(VM_RESET, vmid, 4, NULL), RM_OK);
		while (rm_model_poll(env.m, 0))
			;
	}
	CHECK_EQ(ask(MEM_RECLAIM, reclaim, sizeof(reclaim), NULL), RM_OK);
	lend[14] = 1;
	for (; handles > 1; handles--)
		CHECK_EQ(ask(MEM_LEND, lend, sizeof(lend), NULL), RM_ARGUMENT_INVALID);
	CHECK_EQ(ask(VM_DEALLOCATE, vmid, 4, NULL), RM_OK);
}

static void catch_up_with_trace(void)
{
	uint32_t handles = 0, notifications = 0, i;

	/* A recording of refusals that use up handles, too, is from the start. */
	for (i = 0; i + 1 < n_lines; i++) {
		if (lines[i].kind == '>' && (lines[i].id == MEM_LEND || lines[i].id == MEM_SHARE)) {
			if (lines[i + 1].kind == '<' && !le32(lines[i + 1].data))
				handles = le32(lines[i + 1].data + 4);
			break;
		}
	}
	for (i = 0; i < n_lines; i++) {
		if (lines[i].kind == '!') {
			notifications = lines[i].seq;
			break;
		}
	}
	catch_up(handles, notifications);
	CHECK(env.queued == 0 || !"left over");
	env.queued = 0;
	env.taken = 0;
}

static bool is_status(const struct line *l, uint8_t state)
{
	return l->kind == '!' && l->id == VM_STATUS && l->len == 8 && l->data[4] == state;
}

/* The guest ends as the next line but one says. */
static void end_guest(const struct line *l)
{
	const struct line *exited = l + 1;
	uint32_t reason[8], words, i;

	if (exited->kind != '!' || exited->id != VM_EXITED || exited->len < 8) {
		bad_line(l, "EXITED without a reason");
		return;
	}
	words = le32(exited->data + 4) / 4;
	for (i = 0; i < words && i < 8; i++)
		reason[i] = le32(exited->data + 8 + 4 * i);
	rm_model_guest_exited(env.m, le16(exited->data), le16(exited->data + 2), reason, words);
}

static bool compare(const struct line *l)
{
	static struct message msg;

	if (!env_take(&msg))
		return bad_line(l, "the model sends nothing");
	if (msg.type != (l->kind == '<' ? REPLY : NOTIFICATION))
		return bad_line(l, "another kind of message");
	if (msg.id != l->id || msg.seq != l->seq) {
		printf("# id %08x number %04x\n", msg.id, msg.seq);
		return bad_line(l, "another message");
	}
	if (msg.len != l->len || memcmp(msg.data, l->data, l->len)) {
		printf("# error %x, %u bytes\n", le32(msg.data), msg.len);
		return bad_line(l, "another payload");
	}
	return true;
}

static void replay_trace(void)
{
	static const struct rm_resource resources[] = {
		{ .type = 4, .label = 0, .capid = 3, .virq = 0x3c2 },
		{ .type = 4, .label = 1, .capid = 4, .virq = 0x3c3 },
		{ .type = 0, .partner_vmid = 0x80, .label = 5, .capid = 5 },
		{ .type = 1, .partner_vmid = 0x80, .label = 9, .capid = 6, .virq = 0x3c4 },
	};
	bool asked = false;
	uint32_t i;

	if (!read_trace())
		return;
	env_open(RM_POLICY_DEBUG, 1024);
	env.resources = resources;
	env.n_resources = ARRAY_SIZE(resources);
	catch_up_with_trace();

	for (i = 0; i < n_lines; i++) {
		const struct line *l = &lines[i];

		if (l->kind == '>') {
			if (!CHECK(!env.queued))
				break;
			if (is_status(l + 1, RM_VM_RESET))
				rm_model_poll(env.m, 0);
			env_request(l->seq, l->id, l->data, l->len);
			asked = true;
			continue;
		}
		if (l->kind == '!' && !asked && !env.queued) {
			if (is_status(l, RM_VM_EXITED))
				end_guest(l);
			else
				rm_model_poll(env.m, 0);
		}
		if (!compare(l))
			break;
		if (l->kind == '<')
			asked = false;
	}
	/* The recording is over: so must the model be, and all is as it was. */
	CHECK(!rm_model_poll(env.m, 0));
	CHECK(!env.queued);
	CHECK(!env.died);
	CHECK_EQ(rm_model_vmids(env.m), 0);
	CHECK_EQ(rm_model_parcels(env.m), 0);
	CHECK_EQ(env.lent_pages, 0);
	env_close();
}

void replay(const char *path)
{
	const char *name = strrchr(path, '/');
	char test[128];

	trace = path;
	snprintf(test, sizeof(test), "recording %s", name ? name + 1 : path);
	test_run(test, replay_trace);
}

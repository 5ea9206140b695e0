// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recordings of the public resource manager, with it as the driver's peer.
 *
 * The driver is made to ask for what was asked for in each recording: with the typed
 * call, if there is one that can ask so, else with the call engine. What it sends must
 * be what was sent then, and what is sent back is what was sent back then. What the
 * driver makes of that, and of the notifications, is compared with the recording.
 *
 * Not mapped are contents, but for sequence numbers of requests and their replies,
 * which are the driver's. One request was recorded in part only: that part is compared.
 *
 * The files are those of tools/testing/gunyah/rm-traces, as they are.
 */

#include <kunit/test.h>
#include <linux/hex.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "fake_transport.h"

#define TRACE(name, file)						\
	extern const char trace_##name[], trace_##name##_end[];		\
	asm("	.pushsection .rodata\n"					\
	    "	.globl	trace_" #name ", trace_" #name "_end\n"		\
	    "trace_" #name ":\n"					\
	    "	.incbin	\"" GH_RM_TRACES "/" file "\"\n"		\
	    "trace_" #name "_end:\n"					\
	    "	.popsection\n")

TRACE(protocol, "protocol.trace");
TRACE(lend_psci_off, "lend-psci-off.trace");
TRACE(lend_psci_reset, "lend-psci-reset.trace");
TRACE(lend_guest_fault, "lend-guest-fault.trace");
TRACE(lend_force_stop, "lend-force-stop.trace");
TRACE(share_psci_off, "share-psci-off.trace");

/* What each has is written down here, so that none can pass by being empty. */
struct trace_row {
	const char *name;
	const char *start;
	const char *end;
	unsigned int requests;
	unsigned int typed;
	unsigned int notifications;
};

#define ROW(n, r, t, e) { #n, trace_##n, trace_##n##_end, r, t, e }

static const struct trace_row trace_rows[] = {
	ROW(protocol, 55, 30, 0),
	ROW(lend_psci_off, 21, 20, 8),
	ROW(lend_psci_reset, 21, 20, 8),
	ROW(lend_guest_fault, 21, 20, 8),
	ROW(lend_force_stop, 23, 20, 8),
	ROW(share_psci_off, 21, 20, 8),
};

KUNIT_ARRAY_PARAM_DESC(trace, trace_rows, name);

#define VM_ALLOC	0x56000001
#define VM_DEALLOC	0x56000002
#define VM_START	0x56000004
#define VM_STOP		0x56000005
#define VM_RESET	0x56000006
#define VM_CONFIG	0x56000009
#define VM_INIT		0x5600000b
#define VM_GET_STATE	0x56000017
#define VM_GET_RESOURCES 0x56000020
#define VM_GET_VMID	0x56000024
#define VM_EXITED	0x56100001
#define VM_STATUS	0x56100008
#define MEM_LEND	0x51000012
#define MEM_SHARE	0x51000013
#define MEM_RECLAIM	0x51000015

/* That all recordings with a VM have */
#define VMID		0x80

#define MAX_LINES	200

/**
 * struct line - A request, reply or notification
 * @number: of the line in the file
 * @kind: '>', '<' or '!'
 * @id: message id
 * @seq: sequence number
 * @len: length of @data in bytes
 * @data: payload
 */
struct line {
	unsigned int number;
	char kind;
	u32 id;
	u16 seq;
	size_t len;
	u8 *data;
};

/**
 * struct replay - A recording being replayed
 * @ft: the transport
 * @lines: its lines, ended by one without a kind
 * @n: number of @lines
 * @at: the request under way
 * @cut: it was recorded in part only
 * @typed: number of requests made with a typed call
 * @listener: for the VM
 * @delivered: the last line of which @listener was told, NULL if there was none
 */
struct replay {
	struct fake_transport *ft;
	struct line lines[MAX_LINES];
	unsigned int n;
	struct line *at;
	bool cut;
	unsigned int typed;
	struct gh_rm_listener listener;
	struct line *delivered;
};

/*
 * The file
 */

static void parse_line(struct kunit *test, struct replay *r, char *text, unsigned int number)
{
	struct line *line = &r->lines[r->n];
	char *hex, *word;
	u32 seq;

	KUNIT_ASSERT_LT(test, r->n, MAX_LINES - 1);
	line->number = number;
	line->kind = text[0];
	KUNIT_ASSERT_NOT_NULL_MSG(test, strchr("><!", line->kind), "line %u", number);

	text += 2;
	word = strsep(&text, " ");
	KUNIT_ASSERT_EQ_MSG(test, kstrtou32(word, 16, &line->id), 0, "line %u", number);
	word = strsep(&text, " ");
	KUNIT_ASSERT_EQ_MSG(test, kstrtou32(word, 16, &seq), 0, "line %u", number);
	line->seq = seq;
	hex = strsep(&text, "\t");
	if (strcmp(hex, "-")) {
		line->len = strlen(hex) / 2;
		line->data = kunit_kmalloc(test, line->len, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, line->data);
		KUNIT_ASSERT_EQ_MSG(test, hex2bin(line->data, hex, line->len), 0, "line %u",
				    number);
	}
	r->n++;
}

static void parse(struct kunit *test, struct replay *r, const struct trace_row *row)
{
	size_t len = row->end - row->start;
	char *text = kunit_kmalloc(test, len + 1, GFP_KERNEL), *line;
	unsigned int number = 0;

	KUNIT_ASSERT_NOT_NULL(test, text);
	memcpy(text, row->start, len);
	text[len] = 0;
	while ((line = strsep(&text, "\n"))) {
		number++;
		/* Remarks, and vCPUs, which are not the resource manager's business */
		if (*line && *line != '#' && *line != '=')
			parse_line(test, r, line, number);
	}
}

/*
 * The peer
 */

static void play_line(struct replay *r, const struct line *line, u16 seq)
{
	if (line->kind == '<')
		fake_send(r->ft, FAKE_REPLY, seq, line->id, line->data, line->len);
	else
		fake_send(r->ft, FAKE_NOTIFICATION, line->seq, line->id, line->data, line->len);
}

static void answer(struct fake_transport *ft, const struct fake_msg *req)
{
	struct replay *r = ft->priv;
	struct line *line = r->at;

	KUNIT_EXPECT_EQ_MSG(ft->test, req->id, line->id, "line %u", line->number);
	if (r->cut)
		KUNIT_EXPECT_GT_MSG(ft->test, req->len, line->len, "line %u", line->number);
	else
		KUNIT_EXPECT_EQ_MSG(ft->test, req->len, line->len, "line %u", line->number);
	KUNIT_EXPECT_TRUE_MSG(ft->test, !memcmp(req->data, line->data, min(req->len, line->len)),
			      "line %u", line->number);
	do {
		line++;
		play_line(r, line, req->seq);
	} while (line->kind != '<');
}

/*
 * The driver
 */

static struct line *next_event(struct replay *r)
{
	struct line *line = r->delivered;

	for (line = !line ? r->lines : line->kind ? line + 1 : line; line->kind; line++)
		if (line->kind == '!' && (line->id == VM_STATUS || line->id == VM_EXITED))
			break;
	r->delivered = line;
	return line;
}

static void on_status(struct gh_rm_listener *listener, enum gh_rm_vm_status status)
{
	struct replay *r = container_of(listener, struct replay, listener);
	struct line *line = next_event(r);

	KUNIT_EXPECT_EQ_MSG(r->ft->test, line->id, VM_STATUS, "line %u", line->number);
	if (line->id == VM_STATUS)
		KUNIT_EXPECT_EQ_MSG(r->ft->test, status, line->data[4], "line %u", line->number);
}

static void on_exited(struct gh_rm_listener *listener, u16 exit_type, const void *reason,
		      size_t reason_size)
{
	struct replay *r = container_of(listener, struct replay, listener);
	struct line *line = next_event(r);

	KUNIT_EXPECT_EQ_MSG(r->ft->test, line->id, VM_EXITED, "line %u", line->number);
	if (line->id != VM_EXITED)
		return;
	KUNIT_EXPECT_EQ(r->ft->test, exit_type, get_unaligned_le16(line->data + 2));
	KUNIT_EXPECT_EQ(r->ft->test, reason_size, line->len - 8);
	if (reason_size == line->len - 8)
		KUNIT_EXPECT_TRUE(r->ft->test, !memcmp(reason, line->data + 8, reason_size));
}

struct pieces {
	struct gh_rm_mem_iter iter;
	const u8 *list;
	size_t have;		/* of the list */
	size_t next;
};

/* Behind what was recorded: each as far from the one before as the second from the first */
static bool next_piece(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	struct pieces *p = container_of(iter, struct pieces, iter);
	size_t i = p->next++;

	if (i < p->have) {
		*addr = get_unaligned_le64(p->list + 16 * i);
		*size = get_unaligned_le64(p->list + 16 * i + 8);
	} else {
		*addr = get_unaligned_le64(p->list);
		*addr += i * (get_unaligned_le64(p->list + 16) - *addr);
		*size = get_unaligned_le64(p->list + 8);
	}
	return true;
}

/* Can gh_rm_mem_lend() or _share() ask so? It must be what it would ask itself. */
static bool parse_create(struct replay *r, const struct line *line, struct gh_rm_mem_parcel *parcel,
			 struct gh_rm_mem_acl_entry *acl, struct pieces *pieces)
{
	const u8 *p = line->data;
	size_t i, whole;

	if (line->len < 20 || p[2])
		return false;
	*parcel = (struct gh_rm_mem_parcel){
		.mem_type = p[0],
		.label = get_unaligned_le32(p + 4),
		.n_acl_entries = get_unaligned_le16(p + 8),
		.acl_entries = acl,
		.iter = &pieces->iter,
	};
	if (!parcel->n_acl_entries || parcel->n_acl_entries > 4)
		return false;
	for (i = 0; i < parcel->n_acl_entries; i++) {
		acl[i].vmid = get_unaligned_le16(p + 12 + 4 * i);
		acl[i].perms = p[14 + 4 * i];
	}
	p += 12 + 4 * i;
	parcel->n_mem_entries = get_unaligned_le16(p);
	if (!parcel->n_mem_entries)
		return false;
	whole = p + 4 + 16 * parcel->n_mem_entries + 4 - line->data;
	r->cut = line->len < whole;
	*pieces = (struct pieces){
		.iter.next = next_piece,
		.list = p + 4,
		.have = min_t(size_t, (line->data + line->len - p - 4) / 16, parcel->n_mem_entries),
	};
	return true;
}

static void create(struct replay *r, struct gh_rm_mem_parcel *parcel, const struct line *reply,
		   int want)
{
	struct fake_transport *ft = r->ft;
	int ret = r->at->id == MEM_LEND ? gh_rm_mem_lend(ft->rm, parcel) :
					  gh_rm_mem_share(ft->rm, parcel);

	KUNIT_EXPECT_EQ_MSG(ft->test, ret, want, "line %u", r->at->number);
	KUNIT_EXPECT_EQ(ft->test, parcel->state, want ? GH_RM_PARCEL_NONE : GH_RM_PARCEL_HELD);
	if (want)
		return;
	KUNIT_EXPECT_EQ(ft->test, parcel->mem_handle, get_unaligned_le32(reply->data + 4));
	/* Reclaiming is another line. */
	gh_rm_parcel_uncharge(ft->rm);
}

static void reclaim(struct replay *r, int want)
{
	struct gh_rm_mem_parcel parcel = {
		.state = GH_RM_PARCEL_HELD,
		.mem_handle = get_unaligned_le32(r->at->data),
	};
	struct fake_transport *ft = r->ft;

	KUNIT_EXPECT_TRUE(ft->test, gh_rm_parcel_charge(ft->rm));
	KUNIT_EXPECT_EQ_MSG(ft->test, gh_rm_mem_reclaim(ft->rm, &parcel), want, "line %u",
			    r->at->number);
	KUNIT_EXPECT_EQ(ft->test, parcel.state, want ? GH_RM_PARCEL_HELD : GH_RM_PARCEL_NONE);
	if (want)
		gh_rm_parcel_uncharge(ft->rm);
}

static void get_resources(struct replay *r, u16 vmid, const struct line *reply, int want)
{
	struct gh_rm_hyp_resources *resources;
	struct kunit *test = r->ft->test;
	const u8 *p = reply->data + 8;
	u32 i;

	KUNIT_ASSERT_EQ_MSG(test, gh_rm_get_hyp_resources(r->ft->rm, vmid, &resources, NULL), want,
			    "line %u", r->at->number);
	if (want)
		return;
	KUNIT_EXPECT_EQ(test, resources->n, get_unaligned_le32(reply->data + 4));
	for (i = 0; i < resources->n && p < reply->data + reply->len; i++, p += 44) {
		const struct gh_rm_hyp_resource *res = &resources->resources[i];

		KUNIT_EXPECT_EQ(test, res->type, p[0]);
		KUNIT_EXPECT_EQ(test, res->partner_vmid, get_unaligned_le16(p + 2));
		KUNIT_EXPECT_EQ(test, res->label, get_unaligned_le32(p + 8));
		KUNIT_EXPECT_EQ(test, res->capid, get_unaligned_le64(p + 12));
		KUNIT_EXPECT_EQ(test, res->virq, get_unaligned_le32(p + 24));
		/* Nothing had any of these. */
		KUNIT_EXPECT_EQ(test, res->handle | res->virq_handle, 0);
		KUNIT_EXPECT_EQ(test, res->base | res->size, 0);
	}
	KUNIT_EXPECT_PTR_EQ(test, p, reply->data + reply->len);
	kvfree(resources);
}

/* Ask with a typed call. False if there is none that can ask so. */
static bool ask_typed(struct replay *r, const struct line *reply, int want)
{
	const struct line *req = r->at;
	struct gh_rm_mem_acl_entry acl[4];
	struct gh_rm *rm = r->ft->rm;
	struct gh_rm_mem_parcel parcel;
	struct kunit *test = r->ft->test;
	enum gh_rm_vm_status status = 0;
	bool short_form = req->len == 4 && !get_unaligned_le16(req->data + 2);
	struct pieces pieces;
	u16 vmid = 0, arg;
	int ret;

	arg = req->len >= 4 ? get_unaligned_le16(req->data) : 0;
	switch (req->id) {
	case VM_GET_VMID:
		if (req->len || *gh_rm_own_vmid(rm) != GH_VMID_INVAL)
			return false;
		ret = gh_rm_get_vmid(rm, &vmid, NULL);
		if (!want)
			KUNIT_EXPECT_EQ(test, vmid, get_unaligned_le16(reply->data + 4));
		break;
	case VM_ALLOC:
		if (!short_form || arg)
			return false;
		ret = gh_rm_alloc_vmid(rm, &vmid, NULL);
		if (!want)
			KUNIT_EXPECT_EQ(test, vmid, get_unaligned_le16(reply->data + 4));
		break;
	case VM_DEALLOC:
		if (!short_form)
			return false;
		ret = gh_rm_dealloc_vmid(rm, arg);
		break;
	case VM_CONFIG:
		if (req->len != 40)
			return false;
		ret = gh_rm_vm_configure(rm, arg, get_unaligned_le16(req->data + 2),
					 get_unaligned_le32(req->data + 4),
					 get_unaligned_le64(req->data + 8),
					 get_unaligned_le64(req->data + 16),
					 get_unaligned_le64(req->data + 24),
					 get_unaligned_le64(req->data + 32), NULL);
		break;
	case VM_INIT:
		if (!short_form)
			return false;
		ret = gh_rm_vm_init(rm, arg, NULL);
		break;
	case VM_START:
		if (!short_form)
			return false;
		ret = gh_rm_vm_start(rm, arg, NULL);
		break;
	case VM_STOP:
		if (req->len != 8 || req->data[2] != 1 || req->data[4] != 3)
			return false;
		ret = gh_rm_vm_stop(rm, arg);
		break;
	case VM_RESET:
		if (!short_form)
			return false;
		ret = gh_rm_vm_reset(rm, arg);
		break;
	case VM_GET_STATE:
		if (!short_form)
			return false;
		ret = gh_rm_vm_get_state(rm, arg, &status);
		if (!want)
			KUNIT_EXPECT_EQ(test, status, reply->data[4]);
		break;
	case VM_GET_RESOURCES:
		if (!short_form)
			return false;
		get_resources(r, arg, reply, want);
		return true;
	case MEM_RECLAIM:
		if (req->len != 8 || get_unaligned_le32(req->data + 4))
			return false;
		reclaim(r, want);
		return true;
	case MEM_LEND:
	case MEM_SHARE:
		if (!parse_create(r, req, &parcel, acl, &pieces))
			return false;
		create(r, &parcel, reply, want);
		return true;
	default:
		return false;
	}
	KUNIT_EXPECT_EQ_MSG(test, ret, want, "line %u", req->number);
	return true;
}

static void ask_raw(struct replay *r, const struct line *reply, int want)
{
	struct kunit *test = r->ft->test;
	size_t resp_size = reply->len - 4;
	u8 *resp = kunit_kzalloc(test, resp_size + !resp_size, GFP_KERNEL);
	struct gh_rm_call call = {
		.id = r->at->id,
		.req = r->at->data,
		.req_len = r->at->len,
		.resp = resp,
		.resp_size = resp_size,
	};

	KUNIT_ASSERT_NOT_NULL(test, resp);
	KUNIT_EXPECT_EQ_MSG(test, gh_rm_call(r->ft->rm, &call), want, "line %u", r->at->number);
	KUNIT_EXPECT_EQ(test, call.rm_error, get_unaligned_le32(reply->data));
	if (!want && resp_size)
		KUNIT_EXPECT_MEMEQ(test, resp, reply->data + 4, resp_size);
}

static void driver_and_recording_agree(struct kunit *test)
{
	const struct trace_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct replay *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	unsigned int requests = 0, notifications = 0;
	struct line *line, *reply;

	KUNIT_ASSERT_NOT_NULL(test, r);
	parse(test, r, row);
	r->ft = ft;
	r->listener.status = on_status;
	r->listener.exited = on_exited;
	KUNIT_ASSERT_EQ(test, gh_rm_listen(ft->rm, VMID, &r->listener), 0);
	ft->request = answer;
	ft->priv = r;

	for (line = r->lines; line->kind; line = reply + 1) {
		int want;

		if (line->kind == '!') {
			notifications++;
			play_line(r, line, 0);
			reply = line;
			continue;
		}
		KUNIT_ASSERT_EQ_MSG(test, line->kind, '>', "line %u", line->number);
		for (reply = line + 1; reply->kind == '!'; reply++)
			notifications++;
		KUNIT_ASSERT_EQ_MSG(test, reply->kind, '<', "line %u", reply->number);
		KUNIT_ASSERT_GE(test, reply->len, 4);
		want = gh_rm_error_remap(get_unaligned_le32(reply->data));

		r->at = line;
		r->cut = false;
		requests++;
		if (ask_typed(r, reply, want))
			r->typed++;
		else
			ask_raw(r, reply, want);
	}
	gh_rm_flush_notifications(ft->rm);

	KUNIT_EXPECT_FALSE(test, next_event(r)->kind);
	KUNIT_EXPECT_EQ(test, ft->requests, requests);
	KUNIT_EXPECT_EQ(test, requests, row->requests);
	KUNIT_EXPECT_EQ(test, r->typed, row->typed);
	KUNIT_EXPECT_EQ(test, notifications, row->notifications);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_NOTIFICATIONS), notifications);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_UNROUTED), 0);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_BAD_PACKETS), 0);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_UNEXPECTED), 0);
}

static struct kunit_case trace_cases[] = {
	KUNIT_CASE_PARAM(driver_and_recording_agree, trace_gen_params),
	{}
};

static struct kunit_suite trace_suite = {
	.name = "gunyah_rsc_mgr_trace",
	.test_cases = trace_cases,
};

kunit_test_suite(trace_suite);

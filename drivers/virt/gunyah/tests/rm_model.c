// SPDX-License-Identifier: GPL-2.0-only
/*
 * rm_model: the Gunyah resource manager as seen by its primary VM.
 *
 * Written from what the public resource manager was seen to do (the recordings in
 * tools/testing/gunyah/rm-traces/) and from descriptions of its messages, limits and
 * error codes; never from the driver, so that the two do not agree by construction.
 * Where neither tells, the comment says "assumed".
 *
 * Two rules hold for every request: everything is checked first, then done, and the
 * doing cannot fail; and what would kill the real resource manager calls ops->die(),
 * after which the model is deaf. One deviation is on purpose: the forced VM_STOP of a
 * guest that the hypervisor schedules itself kills the open resource manager and works
 * here, because all guests that the drivers can run are of that kind.
 */
#include "rm_model.h"
#include "../../../../tools/testing/gunyah/lab_ctl.h"

#define RM_HEADER_SIZE		8
#define RM_PACKET_PAYLOAD	(RM_PACKET_SIZE - RM_HEADER_SIZE)
#define RM_MAX_FRAGMENTS	62	/* beside the first packet */
#define RM_MESSAGE_MAX		((RM_MAX_FRAGMENTS + 1) * RM_PACKET_PAYLOAD)
#define RM_API			0x21	/* version 1, two header words */

enum rm_msg_type { RM_CONTINUATION, RM_REQUEST, RM_REPLY, RM_NOTIFICATION };

#define RM_MEM_DONATE		0x51000010u
#define RM_MEM_LEND		0x51000012u
#define RM_MEM_SHARE		0x51000013u
#define RM_MEM_RELEASE		0x51000014u
#define RM_MEM_RECLAIM		0x51000015u
#define RM_MEM_NOTIFY		0x51000017u
#define RM_MEM_APPEND		0x51000018u
#define RM_VM_ALLOCATE		0x56000001u
#define RM_VM_DEALLOCATE	0x56000002u
#define RM_VM_START		0x56000004u
#define RM_VM_STOP		0x56000005u
#define RM_VM_RESET_MSG		0x56000006u
#define RM_VM_CONFIG_IMAGE	0x56000009u
#define RM_VM_AUTH_IMAGE	0x5600000au
#define RM_VM_INIT_MSG		0x5600000bu
#define RM_VM_GET_ID		0x56000010u
#define RM_VM_GET_OWNER		0x56000015u
#define RM_VM_GET_STATE		0x56000017u
#define RM_VM_GET_RESOURCES	0x56000020u
#define RM_VM_GET_VMID		0x56000024u
#define RM_VM_GET_PEERS		0x56000025u
#define RM_IRQ_ACCEPT		0x56000050u
#define RM_IRQ_LEND		0x56000051u
#define RM_IRQ_RELEASE		0x56000052u
#define RM_IRQ_RECLAIM		0x56000053u
#define RM_IRQ_NOTIFY		0x56000054u
#define RM_CONSOLE_WRITE	0x56000083u
#define RM_HOST_GET_TYPE	0x560000a0u

#define RM_NOTIFY_VM_EXITED	0x56100001u
#define RM_NOTIFY_VM_STATUS	0x56100008u
#define RM_NOTIFY_MEM_RELEASED	0x51100012u
#define RM_ID_NOTIFICATION	0x00100000u	/* set in the id of every notification */

#define RM_HOST_TYPE		0x01000164u
#define RM_OWN_VMID		255
#define RM_VMID_DYNAMIC		0x80
#define RM_VMIDS_DYNAMIC	63
#define RM_VMID_SECONDARY	4	/* 4..31: handed out on demand only */
#define RM_VMIDS_SECONDARY	28
#define RM_MAX_VMS		(RM_VMIDS_DYNAMIC + RM_VMIDS_SECONDARY)
/* Every VM, the host and the resource manager: an ACL has no VMID twice. */
#define RM_MAX_ACL		(RM_MAX_VMS + 2)
#define RM_MAX_PARCELS		64
#define RM_MAX_LIST		512
#define RM_PAGE_MASK		0xfffull
#define RM_RIGHTS_RWX		7
#define RM_RESOURCE_SIZE	44

#define RM_EXIT_FORCED		7
#define RM_REASON_WORDS		8

#define RM_NOTIFICATIONS	256
#define RM_NOTIFICATION_SIZE	(8 + 4 * RM_REASON_WORDS)
/* Slot 0 is the reply that may be pending, the others are for delayed ones. */
#define RM_REPLIES		5
#define RM_OUTS			(RM_NOTIFICATIONS + RM_REPLIES)
#define RM_OUT_REPLY		RM_NOTIFICATIONS
#define RM_FAULTS		16
#define RM_FAULT_FOREVER	0xffffffffu

struct rm_vm {
	uint16_t vmid;
	enum rm_vm_state state;
	/* CONFIG_IMAGE succeeded: the resource manager has an object to reset. */
	bool configured;
	bool initialised;
	bool started;
	/* RESET has released everything and only has to say so. */
	bool torn_down;
	struct rm_image image;
};

struct rm_parcel {
	uint32_t handle;
	uint32_t label;
	bool lent;
	bool open;		/* more to come by MEM_APPEND */
	bool sanitize;
	uint32_t acls;
	uint32_t attrs;
	struct rm_acl acl[RM_MAX_ACL];
	uint32_t entries;
	uint64_t size;
	uint32_t first;		/* nodes, linked by next */
	uint32_t last;
};

/*
 * One memory entry of a parcel. Every entry of every parcel is also in one search tree
 * by address, which tells in O(log n) whether a range is in use already. The tree is a
 * treap whose priorities are a hash of the node's number. Node 0 is "none".
 */
struct rm_node {
	struct rm_mem_entry entry;
	uint32_t left;
	uint32_t right;
	uint32_t next;
};

/* A message on its way out */
struct rm_out {
	bool used;
	bool reorder;		/* wait for a later message to go first */
	uint8_t type;
	uint16_t seq;
	uint32_t id;
	uint32_t len;
	uint32_t copies;
	uint32_t packets_sent;
	uint64_t order;
	uint64_t not_before;	/* ms */
};

struct rm_model {
	const struct rm_env_ops *ops;
	void *env;
	enum rm_policy policy;
	bool dead;
	uint64_t now_ms;
	uint32_t received;
	uint32_t sent;

	/* Both in order of creation, without gaps */
	uint32_t n_vms;
	struct rm_vm vms[RM_MAX_VMS];
	uint32_t n_parcels;
	struct rm_parcel parcels[RM_MAX_PARCELS];
	uint32_t next_handle;

	uint32_t root;
	uint32_t free_first;
	uint32_t n_free;

	bool rx_partial;
	uint8_t rx_type;
	uint8_t rx_fragments;
	uint8_t rx_missing;
	uint16_t rx_seq;
	uint32_t rx_id;
	uint32_t rx_len;
	uint8_t rx[RM_MESSAGE_MAX];

	/* What a handler answers beside the error code */
	uint32_t answer_len;
	uint8_t answer[RM_MESSAGE_MAX];

	uint16_t notify_seq;
	uint64_t order;
	struct rm_out *sending;	/* is out in part, so the rest comes next */
	uint32_t n_outs;
	struct rm_out outs[RM_OUTS];
	uint8_t notifications[RM_NOTIFICATIONS][RM_NOTIFICATION_SIZE];
	uint8_t replies[RM_REPLIES][RM_MESSAGE_MAX];

	uint32_t n_faults;
	uint32_t fault_hits;
	struct rm_fault faults[RM_FAULTS];

	struct rm_node nodes[];
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)v);
	put16(p + 2, (uint16_t)(v >> 16));
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static void rm_die(struct rm_model *m, const char *cause)
{
	m->dead = true;
	m->ops->die(m->env, cause);
}

/* ---- faults ---- */

static bool rm_is_notification(uint32_t id)
{
	return id & RM_ID_NOTIFICATION;
}

bool rm_model_fault_add(struct rm_model *m, const struct rm_fault *fault)
{
	bool ok;

	switch (fault->action) {
	case GH_LAB_FAULT_REFUSE:
	case GH_LAB_FAULT_IGNORE:
	case GH_LAB_FAULT_NO_REPLY:
	case GH_LAB_FAULT_BAD_SEQ:
	case GH_LAB_FAULT_BAD_ID:
		ok = !rm_is_notification(fault->msg_id);
		break;
	case GH_LAB_FAULT_DROP:
	case GH_LAB_FAULT_BAD_VMID:
	case GH_LAB_FAULT_REORDER:
		ok = rm_is_notification(fault->msg_id);
		break;
	case GH_LAB_FAULT_DELAY:
	case GH_LAB_FAULT_DUPLICATE:
	case GH_LAB_FAULT_TRUNCATE:
	case GH_LAB_FAULT_SET_BYTE:
		ok = true;
		break;
	default:
		ok = false;
		break;
	}
	if (!ok || m->n_faults == RM_FAULTS)
		return false;
	m->faults[m->n_faults++] = *fault;
	return true;
}

void rm_model_fault_clear(struct rm_model *m)
{
	uint32_t i;

	m->n_faults = 0;
	m->fault_hits = 0;
	for (i = 0; i < RM_OUTS; i++) {
		m->outs[i].reorder = false;
		m->outs[i].not_before = 0;
	}
}

uint32_t rm_model_fault_hits(const struct rm_model *m)
{
	return m->fault_hits;
}

/* The rule for a message, if any. A rule that skips or is used up does not match. */
static const struct rm_fault *rm_fault_match(struct rm_model *m, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < m->n_faults; i++) {
		struct rm_fault *f = &m->faults[i];

		if (f->msg_id != id || !f->count)
			continue;
		if (f->skip) {
			f->skip--;
			continue;
		}
		if (f->count != RM_FAULT_FOREVER)
			f->count--;
		m->fault_hits++;
		return f;
	}
	return NULL;
}

/* What the rules do to a message of either kind, its payload included */
static void rm_fault_apply(struct rm_model *m, const struct rm_fault *f, struct rm_out *out,
			   uint8_t *payload)
{
	uint32_t pos;

	switch (f->action) {
	case GH_LAB_FAULT_DELAY:
		out->not_before = m->now_ms + f->arg;
		break;
	case GH_LAB_FAULT_DUPLICATE:
		out->copies = 2;
		break;
	case GH_LAB_FAULT_TRUNCATE:
		if (f->arg < out->len)
			out->len = f->arg;
		break;
	case GH_LAB_FAULT_BAD_SEQ:
		out->seq = (uint16_t)(out->seq + f->arg);
		break;
	case GH_LAB_FAULT_BAD_ID:
		out->id = f->arg;
		break;
	case GH_LAB_FAULT_BAD_VMID:
		/* Memory notifications have the handle first. */
		put16(payload + ((out->id >> 24) == 0x51 ? 4 : 0), (uint16_t)f->arg);
		break;
	case GH_LAB_FAULT_REORDER:
		out->reorder = true;
		break;
	case GH_LAB_FAULT_SET_BYTE:
		pos = f->arg >> 8 & 0xff;
		if (pos < out->len)
			payload[pos] = (uint8_t)f->arg;
		break;
	}
}

/* ---- messages to the host ---- */

static uint8_t *rm_out_payload(struct rm_model *m, const struct rm_out *out)
{
	uint32_t i = (uint32_t)(out - m->outs);

	return i < RM_OUT_REPLY ? m->notifications[i] : m->replies[i - RM_OUT_REPLY];
}

static void rm_out_free(struct rm_model *m, struct rm_out *out)
{
	if (m->sending == out)
		m->sending = NULL;
	out->used = false;
	m->n_outs--;
}

static struct rm_out *rm_out_init(struct rm_model *m, uint32_t slot, enum rm_msg_type type,
				  uint32_t id, uint16_t seq, uint32_t len)
{
	struct rm_out *out = &m->outs[slot];

	memset(out, 0, sizeof(*out));
	out->used = true;
	out->type = (uint8_t)type;
	out->id = id;
	out->seq = seq;
	out->len = len;
	out->copies = 1;
	out->order = m->order++;
	m->n_outs++;
	return out;
}

static bool rm_send_packet(struct rm_model *m, struct rm_out *out)
{
	uint32_t more = out->len ? (out->len - 1) / RM_PACKET_PAYLOAD : 0;
	uint32_t off = out->packets_sent * RM_PACKET_PAYLOAD;
	uint32_t len = out->len - off;
	uint8_t packet[RM_PACKET_SIZE];

	if (len > RM_PACKET_PAYLOAD)
		len = RM_PACKET_PAYLOAD;
	packet[0] = RM_API;
	packet[1] = (uint8_t)(more << 2 | (off ? RM_CONTINUATION : out->type));
	put16(packet + 2, out->seq);
	put32(packet + 4, out->id);
	memcpy(packet + RM_HEADER_SIZE, rm_out_payload(m, out) + off, len);
	return m->ops->send(m->env, packet, RM_HEADER_SIZE + len);
}

/* The oldest message that may go now */
static struct rm_out *rm_out_next(struct rm_model *m)
{
	struct rm_out *next = NULL;
	uint32_t i;

	for (i = 0; i < RM_OUTS; i++) {
		struct rm_out *out = &m->outs[i];

		if (out->used && !out->reorder && out->not_before <= m->now_ms &&
		    (!next || out->order < next->order))
			next = out;
	}
	return next;
}

static void rm_flush(struct rm_model *m)
{
	struct rm_out *out;
	uint32_t i;

	while (m->n_outs) {
		out = m->sending ? m->sending : rm_out_next(m);
		if (!out || !rm_send_packet(m, out))
			return;
		m->sending = out;
		out->packets_sent++;
		if (out->packets_sent * RM_PACKET_PAYLOAD < out->len)
			continue;

		m->sending = NULL;
		m->sent++;
		out->packets_sent = 0;
		for (i = 0; i < RM_OUTS; i++) {
			if (m->outs[i].order < out->order)
				m->outs[i].reorder = false;
		}
		if (!--out->copies)
			rm_out_free(m, out);
	}
}

/* Sequence numbers are counted over all VMs and consumed by what is lost, too. */
static void rm_notify(struct rm_model *m, uint32_t id, const uint8_t *payload, uint32_t len)
{
	const struct rm_fault *f = rm_fault_match(m, id);
	uint16_t seq = m->notify_seq++;
	uint32_t i, slot = 0;
	struct rm_out *out;

	if (f && f->action == GH_LAB_FAULT_DROP)
		return;
	for (i = 0; i < RM_NOTIFICATIONS && m->outs[slot].used; i++) {
		if (!m->outs[i].used || m->outs[i].order < m->outs[slot].order)
			slot = i;
	}
	/* None is free: the oldest is lost. */
	if (m->outs[slot].used)
		rm_out_free(m, &m->outs[slot]);
	memcpy(m->notifications[slot], payload, len);
	out = rm_out_init(m, slot, RM_NOTIFICATION, id, seq, len);
	if (f)
		rm_fault_apply(m, f, out, m->notifications[slot]);
}

/* A notification to a guest: nobody here sees it but the counter. */
static void rm_notify_guest(struct rm_model *m)
{
	m->notify_seq++;
}

static void rm_reply(struct rm_model *m, uint32_t id, uint16_t seq, uint32_t error,
		     const struct rm_fault *f)
{
	uint32_t slot = RM_OUT_REPLY;
	struct rm_out *out;
	uint8_t *payload;

	/* Delayed replies do not displace others; one that finds no slot is not delayed. */
	if (f && f->action == GH_LAB_FAULT_DELAY) {
		for (slot = RM_OUTS - 1; slot > RM_OUT_REPLY && m->outs[slot].used; slot--)
			;
		if (slot == RM_OUT_REPLY)
			f = NULL;
	}
	/* One reply can wait for the queue; a second one throws it away. */
	if (m->outs[slot].used)
		rm_out_free(m, &m->outs[slot]);
	payload = m->replies[slot - RM_OUT_REPLY];
	put32(payload, error);
	if (error)
		m->answer_len = 0;
	memcpy(payload + 4, m->answer, m->answer_len);
	out = rm_out_init(m, slot, RM_REPLY, id, seq, 4 + m->answer_len);
	if (f)
		rm_fault_apply(m, f, out, payload);
}

/* ---- VMs ---- */

static struct rm_vm *rm_find_vm(struct rm_model *m, uint16_t vmid)
{
	uint32_t i;

	for (i = 0; i < m->n_vms; i++) {
		if (m->vms[i].vmid == vmid)
			return &m->vms[i];
	}
	return NULL;
}

static bool rm_is_secondary(uint16_t vmid)
{
	return vmid >= RM_VMID_SECONDARY && vmid < RM_VMID_SECONDARY + RM_VMIDS_SECONDARY;
}

/* Secondary VMIDs count as valid in an ACL even while nobody has them. */
static bool rm_vmid_valid(struct rm_model *m, uint16_t vmid)
{
	return vmid == RM_HOST_VMID || vmid == RM_OWN_VMID || rm_is_secondary(vmid) ||
	       rm_find_vm(m, vmid);
}

/* Every transition is told, and before the reply to the request that caused it. */
static void rm_set_state(struct rm_model *m, struct rm_vm *vm, enum rm_vm_state state)
{
	uint8_t payload[8] = { 0 };

	vm->state = state;
	put16(payload, vm->vmid);
	payload[4] = (uint8_t)state;
	rm_notify(m, RM_NOTIFY_VM_STATUS, payload, sizeof(payload));
}

static void rm_exited(struct rm_model *m, struct rm_vm *vm, uint16_t exit_type,
		      const uint32_t *reason, uint32_t words)
{
	uint8_t payload[RM_NOTIFICATION_SIZE];
	uint32_t i;

	if (words > RM_REASON_WORDS)
		words = RM_REASON_WORDS;
	put16(payload, vm->vmid);
	put16(payload + 2, exit_type);
	put32(payload + 4, 4 * words);
	for (i = 0; i < words; i++)
		put32(payload + 8 + 4 * i, reason[i]);
	rm_set_state(m, vm, RM_VM_EXITED);
	rm_notify(m, RM_NOTIFY_VM_EXITED, payload, 8 + 4 * words);
}

/* ---- memory entries ---- */

static uint32_t rm_priority(uint32_t node)
{
	node *= 0x9e3779b1u;
	node ^= node >> 15;
	return node * 0x85ebca77u;
}

static bool rm_range_used(const struct rm_model *m, uint64_t addr, uint64_t size)
{
	uint32_t i = m->root, below = 0;

	/* Entries do not overlap: only the last one that starts below the end can. */
	while (i) {
		if (m->nodes[i].entry.addr <= addr + (size - 1)) {
			below = i;
			i = m->nodes[i].right;
		} else {
			i = m->nodes[i].left;
		}
	}
	return below && m->nodes[below].entry.addr + (m->nodes[below].entry.size - 1) >= addr;
}

static void rm_tree_insert(struct rm_model *m, uint32_t node)
{
	uint64_t addr = m->nodes[node].entry.addr;
	uint32_t *link = &m->root;
	uint32_t *low, *high, i;

	while (*link && rm_priority(*link) >= rm_priority(node)) {
		i = *link;
		link = addr < m->nodes[i].entry.addr ? &m->nodes[i].left : &m->nodes[i].right;
	}
	/* The new node takes the place of a subtree, which it splits between its sides. */
	low = &m->nodes[node].left;
	high = &m->nodes[node].right;
	i = *link;
	*link = node;
	while (i) {
		if (m->nodes[i].entry.addr < addr) {
			*low = i;
			low = &m->nodes[i].right;
			i = *low;
		} else {
			*high = i;
			high = &m->nodes[i].left;
			i = *high;
		}
	}
	*low = 0;
	*high = 0;
}

static void rm_tree_remove(struct rm_model *m, uint32_t node)
{
	uint64_t addr = m->nodes[node].entry.addr;
	uint32_t *link = &m->root;
	uint32_t low, high, i;

	while (*link != node) {
		i = *link;
		link = addr < m->nodes[i].entry.addr ? &m->nodes[i].left : &m->nodes[i].right;
	}
	low = m->nodes[node].left;
	high = m->nodes[node].right;
	while (low && high) {
		if (rm_priority(low) >= rm_priority(high)) {
			*link = low;
			link = &m->nodes[low].right;
			low = *link;
		} else {
			*link = high;
			link = &m->nodes[high].left;
			high = *link;
		}
	}
	*link = low ? low : high;
}

static void rm_free_entries(struct rm_model *m, uint32_t node)
{
	uint32_t next;

	for (; node; node = next) {
		next = m->nodes[node].next;
		rm_tree_remove(m, node);
		m->nodes[node].next = m->free_first;
		m->free_first = node;
		m->n_free++;
	}
}

/* That the manager asks, and what it then says, is assumed. */
static bool rm_assigned(const struct rm_model *m, const struct rm_parcel *p,
			const struct rm_mem_entry *e)
{
	return !m->ops->mem_assigned ||
	       m->ops->mem_assigned(m->env, e->addr, e->size, p->acl, p->acls);
}

static uint32_t rm_check_entry(const struct rm_model *m, const struct rm_parcel *p,
			       const struct rm_mem_entry *e)
{
	if ((e->addr | e->size) & RM_PAGE_MASK)
		return RM_ARGUMENT_INVALID;
	if (!e->size || e->addr + (e->size - 1) < e->addr)
		return RM_MEM_INVALID;
	if (!m->ops->mem_owned(m->env, e->addr, e->size) || rm_range_used(m, e->addr, e->size))
		return RM_MEM_INVALID;
	return rm_assigned(m, p, e) ? RM_OK : RM_MEM_INVALID;
}

/*
 * Add a list of a message to a parcel. The entries go into the tree as they are checked,
 * which finds a page that is listed twice, and out of it again if one is bad; the host's
 * memory is not touched before all of them are good.
 */
static uint32_t rm_add_entries(struct rm_model *m, struct rm_parcel *p, const uint8_t *sgl,
			       uint32_t n)
{
	uint32_t first = 0, last = 0, node, i, error;
	uint64_t size = 0;

	if (n > m->n_free)
		return RM_NOMEM;
	for (i = 0; i < n; i++, sgl += 16) {
		struct rm_mem_entry e = { get64(sgl), get64(sgl + 8) };

		error = rm_check_entry(m, p, &e);
		if (error) {
			rm_free_entries(m, first);
			return error;
		}
		node = m->free_first;
		m->free_first = m->nodes[node].next;
		m->n_free--;
		m->nodes[node].entry = e;
		m->nodes[node].next = 0;
		rm_tree_insert(m, node);
		if (last)
			m->nodes[last].next = node;
		else
			first = node;
		last = node;
		size += e.size;
	}

	for (node = first; node; node = m->nodes[node].next) {
		const struct rm_mem_entry *e = &m->nodes[node].entry;

		if (p->sanitize)
			m->ops->mem_zero(m->env, e->addr, e->size);
		if (p->lent)
			m->ops->mem_lend(m->env, e->addr, e->size);
	}
	if (p->last)
		m->nodes[p->last].next = first;
	else
		p->first = first;
	p->last = last;
	p->entries += n;
	p->size += size;
	return RM_OK;
}

/* ---- memory parcels ---- */

static struct rm_parcel *rm_find_parcel(struct rm_model *m, uint32_t handle)
{
	uint32_t i;

	for (i = 0; i < m->n_parcels; i++) {
		if (m->parcels[i].handle == handle)
			return &m->parcels[i];
	}
	return NULL;
}

static const struct rm_acl *rm_parcel_acl(const struct rm_parcel *p, uint16_t vmid)
{
	uint32_t i;

	for (i = 0; i < p->acls; i++) {
		if (p->acl[i].vmid == vmid)
			return &p->acl[i];
	}
	return NULL;
}

/* Takes a list off a message: count, and where its elements are. False: too short. */
static bool rm_list(const uint8_t *msg, uint32_t len, uint32_t *off, uint32_t element,
		    uint32_t *n, const uint8_t **list)
{
	if (len - *off < 4)
		return false;
	*n = get16(msg + *off);
	*off += 4;
	/* That more than 512 entries make a message malformed is assumed. */
	if (*n > RM_MAX_LIST || len - *off < *n * element)
		return false;
	*list = msg + *off;
	*off += *n * element;
	return true;
}

static uint32_t rm_check_acl(struct rm_model *m, bool lent, const uint8_t *acl, uint32_t n)
{
	uint8_t seen[256 / 8] = { 0 };
	uint32_t i;

	for (i = 0; i < n; i++, acl += 4) {
		uint16_t vmid = get16(acl);

		if (!rm_vmid_valid(m, vmid) || acl[2] < 4 || acl[2] > 7)
			return RM_ARGUMENT_INVALID;
		if (seen[vmid / 8] & 1 << vmid % 8)
			return RM_ARGUMENT_INVALID;
		seen[vmid / 8] |= (uint8_t)(1 << vmid % 8);
	}
	/* The owner shares with itself as well, and does not lend to itself. */
	if (!!(seen[RM_HOST_VMID / 8] & 1 << RM_HOST_VMID % 8) == lent)
		return RM_ARGUMENT_INVALID;
	return RM_OK;
}

static uint32_t rm_mem_create(struct rm_model *m, const uint8_t *msg, uint32_t len, bool lent)
{
	const uint8_t *acl, *sgl, *attr;
	uint32_t off = 8, acls, entries, attrs, i, error;
	struct rm_parcel *p;

	if (len < 20 || !rm_list(msg, len, &off, 4, &acls, &acl) ||
	    !rm_list(msg, len, &off, 16, &entries, &sgl) ||
	    !rm_list(msg, len, &off, 4, &attrs, &attr) || off != len)
		return RM_MSG_INVALID;
	if (!acls || !entries)
		return RM_ARGUMENT_INVALID;
	if (m->n_parcels == RM_MAX_PARCELS)
		return RM_DENIED;

	/*
	 * From here on a failure costs a handle. With that the recording of refused and
	 * accepted creations comes out right if the first handle ever is 0.
	 */
	p = &m->parcels[m->n_parcels];
	memset(p, 0, sizeof(*p));
	p->handle = m->next_handle++;
	/* Memory type 1 is I/O, of which the host has none to give. */
	if (msg[0] > 1 || (msg[0] && msg[2] & 1))
		return RM_ARGUMENT_INVALID;
	error = rm_check_acl(m, lent, acl, acls);
	if (error)
		return error;
	if (msg[0])
		return RM_MEM_INVALID;

	p->label = get32(msg + 4);
	p->lent = lent;
	p->sanitize = msg[2] & 1;
	p->open = msg[2] & 2;
	p->attrs = attrs;
	p->acls = acls;
	for (i = 0; i < acls; i++) {
		p->acl[i].vmid = get16(acl + 4 * i);
		p->acl[i].rights = acl[4 * i + 2];
	}
	error = rm_add_entries(m, p, sgl, entries);
	if (error)
		return error;
	m->n_parcels++;
	put32(m->answer, p->handle);
	m->answer_len = 4;
	return RM_OK;
}

static uint32_t rm_mem_lend(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	return rm_mem_create(m, msg, len, true);
}

static uint32_t rm_mem_share(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	return rm_mem_create(m, msg, len, false);
}

/* Not modelled: the host of these tests has nobody to give memory to for good. */
static uint32_t rm_mem_donate(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	(void)m;
	(void)msg;
	return len < 20 ? RM_MSG_INVALID : RM_DENIED;
}

static uint32_t rm_mem_append(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	uint32_t off = 8, entries, error;
	const uint8_t *sgl;
	struct rm_parcel *p;

	if (len < 12 || !rm_list(msg, len, &off, 16, &entries, &sgl) || off != len)
		return RM_MSG_INVALID;
	p = rm_find_parcel(m, get32(msg));
	if (!p)
		return RM_HANDLE_INVALID;
	if (!p->open)
		return RM_DENIED;
	/* Assumed, from the same rule for the first part. */
	if (!entries)
		return RM_ARGUMENT_INVALID;
	/* A part that is refused leaves the parcel as it was: open. */
	error = rm_add_entries(m, p, sgl, entries);
	if (error)
		return error;
	if (msg[4] & 1)
		p->open = false;
	return RM_OK;
}

static uint32_t rm_mem_reclaim(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	struct rm_parcel *p;
	uint32_t i, node;

	if (len < 8)
		return RM_MSG_INVALID;
	p = rm_find_parcel(m, get32(msg));
	if (!p)
		return RM_HANDLE_INVALID;
	for (i = 0; i < p->acls; i++) {
		if (p->acl[i].accepted)
			return RM_MEM_INUSE;
	}

	for (node = p->first; node; node = m->nodes[node].next) {
		const struct rm_mem_entry *e = &m->nodes[node].entry;

		if (msg[4] & 1)
			m->ops->mem_zero(m->env, e->addr, e->size);
		if (p->lent)
			m->ops->mem_return(m->env, e->addr, e->size);
	}
	rm_free_entries(m, p->first);
	m->n_parcels--;
	i = (uint32_t)(p - m->parcels);
	memmove(p, p + 1, (m->n_parcels - i) * sizeof(*p));
	return RM_OK;
}

/* The host never accepts a parcel, so it has none to release. The code is assumed. */
static uint32_t rm_mem_release(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	if (len < 8)
		return RM_MSG_INVALID;
	return rm_find_parcel(m, get32(msg)) ? RM_DENIED : RM_HANDLE_INVALID;
}

/* A guest can be told something only if it has a message queue to the manager. */
static bool rm_guest_listens(struct rm_model *m, const struct rm_vm *vm)
{
	return vm->initialised && m->ops->vm_has_rpc(m->env, vm->vmid);
}

static uint32_t rm_mem_notify(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	uint32_t off = 12, n = 0, i, k;
	const uint8_t *list = NULL;
	struct rm_parcel *p;
	struct rm_vm *vm;

	if (len < 12 || (len > 12 && (!rm_list(msg, len, &off, 4, &n, &list) || off != len)))
		return RM_MSG_INVALID;
	p = rm_find_parcel(m, get32(msg));
	if (!p)
		return RM_HANDLE_INVALID;
	/* The owner's are "shared" and "recall". The code for the others is assumed. */
	if (msg[4] != 1 && msg[4] != 8)
		return RM_ARGUMENT_INVALID;
	for (i = 0; i < p->acls; i++) {
		for (k = 0; k < n && get16(list + 4 * k) != p->acl[i].vmid; k++)
			;
		if (p->acl[i].vmid == RM_HOST_VMID || (n && k == n))
			continue;
		vm = rm_find_vm(m, p->acl[i].vmid);
		if (!vm || !rm_guest_listens(m, vm)) {
			rm_die(m, "MEM_NOTIFY for a VM that has no rm-rpc");
			return RM_OK;
		}
		rm_notify_guest(m);
	}
	return RM_OK;
}

/* ---- VM requests ---- */

static uint32_t rm_vm_allocate(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	uint16_t vmid = get16(msg);
	struct rm_vm *vm;

	(void)len;
	if (!vmid) {
		for (vmid = RM_VMID_DYNAMIC; rm_find_vm(m, vmid); vmid++)
			;
		if (vmid == RM_VMID_DYNAMIC + RM_VMIDS_DYNAMIC)
			return RM_NORESOURCE;
		put32(m->answer, vmid);
		m->answer_len = 4;
	} else if (!rm_is_secondary(vmid) || rm_find_vm(m, vmid)) {
		return RM_NORESOURCE;
	}
	vm = &m->vms[m->n_vms++];
	memset(vm, 0, sizeof(*vm));
	vm->vmid = vmid;
	/* Not told to anybody, unlike all that follow. */
	vm->state = RM_VM_LOAD;
	return RM_OK;
}

static uint32_t rm_vm_deallocate(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	uint16_t vmid = get16(msg);
	struct rm_vm *vm = rm_find_vm(m, vmid);
	uint32_t i;

	(void)len;
	/* They exist and run, so this is assumed of them. */
	if (vmid == RM_HOST_VMID || vmid == RM_OWN_VMID)
		return RM_VM_STATE;
	if (!vm) {
		rm_die(m, "VM_DEALLOCATE of an unknown VMID");
		return RM_OK;
	}
	if (vm->state != RM_VM_LOAD && vm->state != RM_VM_RESET)
		return RM_VM_STATE;
	m->n_vms--;
	i = (uint32_t)(vm - m->vms);
	memmove(vm, vm + 1, (m->n_vms - i) * sizeof(*vm));
	return RM_OK;
}

static uint32_t rm_check_image(struct rm_model *m, uint16_t vmid, const struct rm_image *image)
{
	struct rm_parcel *p = rm_find_parcel(m, image->handle);

	/* That an unknown or unfinished parcel is told by the same code is assumed. */
	if (!p || p->open || !rm_parcel_acl(p, vmid))
		return RM_MEM_INVALID;
	if (image->image_offset > p->size || image->image_size > p->size - image->image_offset)
		return RM_ARGUMENT_INVALID;
	if (image->dtb_offset > p->size || image->dtb_size > p->size - image->dtb_offset ||
	    !image->dtb_size)
		return RM_ARGUMENT_INVALID;
	return RM_OK;
}

static uint32_t rm_vm_config_image(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	/* Authentication: none, platform, Android */
	static const enum rm_vm_state next[] = { RM_VM_INIT, RM_VM_AUTH, RM_VM_INIT };
	struct rm_vm *vm = rm_find_vm(m, get16(msg));
	uint16_t auth = get16(msg + 2);
	uint32_t error;

	(void)len;
	if (!vm)
		return RM_VMID_INVALID;
	if (vm->state != RM_VM_LOAD && vm->state != RM_VM_RESET)
		return RM_VM_STATE;
	vm->image.handle = get32(msg + 4);
	vm->image.image_offset = get64(msg + 8);
	vm->image.image_size = get64(msg + 16);
	vm->image.dtb_offset = get64(msg + 24);
	vm->image.dtb_size = get64(msg + 32);
	error = rm_check_image(m, vm->vmid, &vm->image);
	if (!error && auth > 2)
		error = RM_ARGUMENT_INVALID;
	vm->configured = !error;
	rm_set_state(m, vm, error ? RM_VM_INIT_FAILED : next[auth]);
	return error;
}

/* With this platform every image is authentic. */
static uint32_t rm_vm_auth_image(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	struct rm_vm *vm;

	if (len < 4 || len != 4 + 8 * (uint32_t)get16(msg + 2))
		return RM_MSG_INVALID;
	vm = rm_find_vm(m, get16(msg));
	if (!vm)
		return RM_VMID_INVALID;
	if (vm->state != RM_VM_AUTH)
		return RM_VM_STATE;
	rm_set_state(m, vm, RM_VM_INIT);
	return RM_OK;
}

static uint32_t rm_vm_init(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	struct rm_vm *vm = rm_find_vm(m, get16(msg));
	uint32_t error;

	(void)len;
	if (!vm)
		return RM_VMID_INVALID;
	if (vm->state != RM_VM_INIT)
		return RM_VM_STATE;
	/* The manager maps the devicetree, so that has to be there still, in whole pages. */
	if (!rm_find_parcel(m, vm->image.handle) ||
	    (vm->image.dtb_offset | vm->image.dtb_size) & RM_PAGE_MASK)
		error = RM_MEM_INVALID;
	else
		error = m->ops->vm_init(m->env, vm->vmid, &vm->image);
	vm->initialised = !error;
	rm_set_state(m, vm, error ? RM_VM_INIT_FAILED : RM_VM_READY);
	return error;
}

/* Production builds want the image to be the guest's alone. */
static bool rm_image_acceptable(const struct rm_model *m, const struct rm_parcel *p)
{
	if (!p)
		return false;
	if (m->policy == RM_POLICY_DEBUG)
		return true;
	return p->lent && p->acls == 1 && p->acl[0].rights == RM_RIGHTS_RWX && !p->attrs;
}

static uint32_t rm_vm_start(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	struct rm_vm *vm = rm_find_vm(m, get16(msg));
	bool ok;

	(void)len;
	if (!vm)
		return RM_VMID_INVALID;
	if (vm->state != RM_VM_READY)
		return RM_VM_STATE;
	ok = rm_image_acceptable(m, rm_find_parcel(m, vm->image.handle));
	if (ok) {
		/* What was accepted stays so until RESET, also if the rest fails. */
		rm_model_accept(m, vm->vmid, vm->image.handle);
		ok = !m->ops->vm_start(m->env, vm->vmid, &vm->image);
	}
	vm->started = ok;
	rm_set_state(m, vm, ok ? RM_VM_RUNNING : RM_VM_INIT_FAILED);
	return ok ? RM_OK : RM_NORESOURCE;
}

static uint32_t rm_vm_stop(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	static const uint32_t reason[1];
	struct rm_vm *vm = rm_find_vm(m, get16(msg));

	(void)len;
	if (!vm)
		return RM_VMID_INVALID;
	if (vm->state != RM_VM_RUNNING)
		return RM_VM_STATE;
	if (msg[2] & 1) {
		m->ops->vm_kill(m->env, vm->vmid);
		rm_exited(m, vm, RM_EXIT_FORCED, reason, 1);
	} else if (rm_guest_listens(m, vm)) {
		rm_notify_guest(m);
	} else {
		rm_die(m, "VM_STOP without force of a VM that has no rm-rpc");
	}
	return RM_OK;
}

static uint32_t rm_vm_reset(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	struct rm_vm *vm = rm_find_vm(m, get16(msg));

	(void)len;
	if (!vm)
		return RM_VMID_INVALID;
	if (vm->state == RM_VM_LOAD) {
		rm_die(m, "VM_RESET before VM_CONFIG_IMAGE");
		return RM_OK;
	}
	if (vm->state != RM_VM_EXITED && vm->state != RM_VM_READY &&
	    vm->state != RM_VM_INIT_FAILED)
		return RM_VM_STATE;
	/* Some refusals of CONFIG_IMAGE may leave an object to reset; none is relied on. */
	if (!vm->configured) {
		rm_die(m, "VM_RESET after VM_CONFIG_IMAGE was refused");
		return RM_OK;
	}
	if (vm->started)
		m->ops->vm_kill(m->env, vm->vmid);
	vm->started = false;
	vm->torn_down = false;
	rm_set_state(m, vm, RM_VM_RESETTING);
	return RM_OK;
}

/* The rest of RESET, in two steps: a request may come in between (see share-psci-off). */
static void rm_reset_step(struct rm_model *m, struct rm_vm *vm)
{
	uint8_t payload[12] = { 0 };
	uint32_t i, k;

	if (vm->torn_down) {
		rm_set_state(m, vm, RM_VM_RESET);
		return;
	}
	m->ops->vm_teardown(m->env, vm->vmid);
	vm->torn_down = true;
	vm->configured = false;
	vm->initialised = false;
	put16(payload + 4, vm->vmid);
	for (i = 0; i < m->n_parcels; i++) {
		struct rm_parcel *p = &m->parcels[i];

		for (k = 0; k < p->acls; k++) {
			if (p->acl[k].vmid != vm->vmid || !p->acl[k].accepted)
				continue;
			p->acl[k].accepted = false;
			put32(payload, p->handle);
			rm_notify(m, RM_NOTIFY_MEM_RELEASED, payload, sizeof(payload));
		}
	}
}

/* Known of the host only; a guest has at least a GUID, which is zero. */
static uint32_t rm_vm_get_id(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	static const uint8_t host[] = {
		3, 0, 0, 0,
		0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		2, 0, 4, 0, 'H', 'L', 'O', 'S',
		3, 0, 3, 0, 'N', '/', 'A', 0,
	};
	uint16_t vmid = get16(msg);
	struct rm_vm *vm = rm_find_vm(m, vmid);

	(void)len;
	if (!vmid || vmid == RM_HOST_VMID) {
		memcpy(m->answer, host, sizeof(host));
		m->answer_len = sizeof(host);
		return RM_OK;
	}
	/* Assumed, from VM_GET_STATE. */
	if (!vm)
		return RM_NORESOURCE;
	if (vm->state != RM_VM_READY && vm->state != RM_VM_RUNNING)
		return RM_VM_STATE;
	m->answer_len = 4 + 4 + 16;
	memset(m->answer, 0, m->answer_len);
	m->answer[0] = 1;
	m->answer[6] = 16;
	return RM_OK;
}

static uint32_t rm_vm_get_state(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	uint16_t vmid = get16(msg);
	struct rm_vm *vm = rm_find_vm(m, vmid);

	(void)len;
	if (!vm && vmid && vmid != RM_HOST_VMID)
		return RM_NORESOURCE;
	put32(m->answer, vm ? vm->state : RM_VM_RUNNING);
	m->answer_len = 4;
	return RM_OK;
}

static uint32_t rm_vm_get_resources(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	uint16_t vmid = get16(msg);
	struct rm_vm *vm = rm_find_vm(m, vmid);
	struct rm_resource r;
	uint32_t n = 0;
	uint8_t *e;

	(void)len;
	if (!vm && vmid != RM_HOST_VMID && vmid != RM_OWN_VMID)
		return RM_ARGUMENT_INVALID;
	if (vm && !vm->configured)
		return RM_NORESOURCE;
	m->answer_len = 4;
	/* A VM that has not seen VM_INIT has none yet; the host's own are not listed. */
	if (m->ops->resource && vmid != RM_HOST_VMID &&
	    (!vm || (vm->state != RM_VM_INIT && vm->state != RM_VM_AUTH))) {
		while (m->answer_len + RM_RESOURCE_SIZE <= RM_MESSAGE_MAX - 4) {
			memset(&r, 0, sizeof(r));
			if (!m->ops->resource(m->env, vmid, n, &r))
				break;
			e = m->answer + m->answer_len;
			memset(e, 0, RM_RESOURCE_SIZE);
			e[0] = r.type;
			put16(e + 2, r.partner_vmid);
			put32(e + 8, r.label);
			put64(e + 12, r.capid);
			put32(e + 24, r.virq);
			put64(e + 28, r.base);
			put64(e + 36, r.size);
			m->answer_len += RM_RESOURCE_SIZE;
			n++;
		}
	}
	put32(m->answer, n);
	return RM_OK;
}

static uint32_t rm_answer_u32(struct rm_model *m, uint32_t value)
{
	put32(m->answer, value);
	m->answer_len = 4;
	return RM_OK;
}

static uint32_t rm_vm_get_owner(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	(void)msg;
	(void)len;
	return rm_answer_u32(m, RM_OWN_VMID);
}

static uint32_t rm_vm_get_vmid(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	(void)msg;
	(void)len;
	return rm_answer_u32(m, RM_HOST_VMID);
}

static uint32_t rm_host_get_type(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	(void)msg;
	(void)len;
	return rm_answer_u32(m, RM_HOST_TYPE);
}

static uint32_t rm_vm_get_peers(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	uint32_t i;

	(void)msg;
	(void)len;
	put32(m->answer, m->n_vms);
	for (i = 0; i < m->n_vms; i++)
		put32(m->answer + 4 + 4 * i, m->vms[i].vmid);
	m->answer_len = 4 + 4 * m->n_vms;
	return RM_OK;
}

/* These are not modelled but for the way in which they kill. */
static uint32_t rm_empty_kills(struct rm_model *m, const uint8_t *msg, uint32_t len)
{
	(void)msg;
	if (!len)
		rm_die(m, "VM_IRQ_* or VM_CONSOLE_WRITE with an empty payload");
	return RM_UNIMPLEMENTED;
}

#define RM_LEN_ANY	0xffffffffu	/* the handler checks it */

static const struct rm_call {
	uint32_t id;
	uint32_t len;
	uint32_t (*handle)(struct rm_model *m, const uint8_t *msg, uint32_t len);
} rm_calls[] = {
	{ RM_MEM_DONATE, RM_LEN_ANY, rm_mem_donate },
	{ RM_MEM_LEND, RM_LEN_ANY, rm_mem_lend },
	{ RM_MEM_SHARE, RM_LEN_ANY, rm_mem_share },
	{ RM_MEM_RELEASE, RM_LEN_ANY, rm_mem_release },
	{ RM_MEM_RECLAIM, RM_LEN_ANY, rm_mem_reclaim },
	{ RM_MEM_NOTIFY, RM_LEN_ANY, rm_mem_notify },
	{ RM_MEM_APPEND, RM_LEN_ANY, rm_mem_append },
	{ RM_VM_ALLOCATE, 4, rm_vm_allocate },
	{ RM_VM_DEALLOCATE, 4, rm_vm_deallocate },
	{ RM_VM_START, 4, rm_vm_start },
	{ RM_VM_STOP, 8, rm_vm_stop },
	{ RM_VM_RESET_MSG, 4, rm_vm_reset },
	{ RM_VM_CONFIG_IMAGE, 40, rm_vm_config_image },
	{ RM_VM_AUTH_IMAGE, RM_LEN_ANY, rm_vm_auth_image },
	{ RM_VM_INIT_MSG, 4, rm_vm_init },
	{ RM_VM_GET_ID, 4, rm_vm_get_id },
	{ RM_VM_GET_OWNER, 0, rm_vm_get_owner },
	{ RM_VM_GET_STATE, 4, rm_vm_get_state },
	{ RM_VM_GET_RESOURCES, 4, rm_vm_get_resources },
	{ RM_VM_GET_VMID, 0, rm_vm_get_vmid },
	{ RM_VM_GET_PEERS, 0, rm_vm_get_peers },
	{ RM_IRQ_ACCEPT, RM_LEN_ANY, rm_empty_kills },
	{ RM_IRQ_LEND, RM_LEN_ANY, rm_empty_kills },
	{ RM_IRQ_RELEASE, RM_LEN_ANY, rm_empty_kills },
	{ RM_IRQ_RECLAIM, RM_LEN_ANY, rm_empty_kills },
	{ RM_IRQ_NOTIFY, RM_LEN_ANY, rm_empty_kills },
	{ RM_CONSOLE_WRITE, RM_LEN_ANY, rm_empty_kills },
	{ RM_HOST_GET_TYPE, 0, rm_host_get_type },
	{ 0, 0, NULL }
};

static uint32_t rm_carry_out(struct rm_model *m, uint32_t id, const uint8_t *msg, uint32_t len)
{
	const struct rm_call *call;

	for (call = rm_calls; call->handle; call++) {
		if (call->id != id)
			continue;
		if (call->len != RM_LEN_ANY && call->len != len)
			return RM_MSG_INVALID;
		return call->handle(m, msg, len);
	}
	return RM_UNIMPLEMENTED;
}

static void rm_request(struct rm_model *m)
{
	const struct rm_fault *f = rm_fault_match(m, m->rx_id);
	uint32_t action = f ? f->action : 0;
	uint32_t error;

	if (action == GH_LAB_FAULT_IGNORE)
		return;
	m->answer_len = 0;
	if (action == GH_LAB_FAULT_REFUSE)
		error = f->arg;
	else
		error = rm_carry_out(m, m->rx_id, m->rx, m->rx_len);
	/* After die() it is put down, but nothing is sent any more. */
	if (action != GH_LAB_FAULT_NO_REPLY)
		rm_reply(m, m->rx_id, m->rx_seq, error, f);
}

/* ---- interface ---- */

size_t rm_model_size(uint32_t max_entries)
{
	return sizeof(struct rm_model) + ((size_t)max_entries + 1) * sizeof(struct rm_node);
}

struct rm_model *rm_model_init(void *mem, uint32_t max_entries, const struct rm_env_ops *ops,
			       void *env, enum rm_policy policy)
{
	struct rm_model *m = mem;
	uint32_t i;

	memset(m, 0, rm_model_size(max_entries));
	m->ops = ops;
	m->env = env;
	m->policy = policy;
	for (i = max_entries; i; i--) {
		m->nodes[i].next = m->free_first;
		m->free_first = i;
	}
	m->n_free = max_entries;
	return m;
}

/* A packet that breaks a rule is dropped without a word, as are replies and notifications. */
void rm_model_receive(struct rm_model *m, const void *packet, uint32_t len)
{
	const uint8_t *p = packet;
	uint8_t type, fragments;
	uint16_t seq;
	uint32_t id;

	if (m->dead || len < RM_HEADER_SIZE || len > RM_PACKET_SIZE || p[0] != RM_API)
		return;
	type = p[1] & 3;
	fragments = p[1] >> 2;
	seq = get16(p + 2);
	id = get32(p + 4);
	if (fragments > RM_MAX_FRAGMENTS)
		return;
	if (type == RM_CONTINUATION) {
		if (!m->rx_partial || seq != m->rx_seq || id != m->rx_id ||
		    fragments != m->rx_fragments)
			return;
		m->rx_missing--;
	} else {
		m->rx_type = type;
		m->rx_seq = seq;
		m->rx_id = id;
		m->rx_fragments = fragments;
		m->rx_missing = fragments;
		m->rx_len = 0;
	}
	memcpy(m->rx + m->rx_len, p + RM_HEADER_SIZE, len - RM_HEADER_SIZE);
	m->rx_len += len - RM_HEADER_SIZE;
	m->rx_partial = m->rx_missing;
	if (m->rx_partial)
		return;
	if (m->rx_type == RM_REQUEST) {
		m->received++;
		rm_request(m);
	}
	if (!m->dead)
		rm_flush(m);
}

bool rm_model_poll(struct rm_model *m, uint64_t now_ms)
{
	bool again = false;
	uint32_t i;

	if (m->dead)
		return false;
	m->now_ms = now_ms;
	for (i = 0; i < m->n_vms; i++) {
		if (m->vms[i].state != RM_VM_RESETTING)
			continue;
		rm_reset_step(m, &m->vms[i]);
		again |= m->vms[i].state == RM_VM_RESETTING;
	}
	rm_flush(m);
	return again || m->n_outs;
}

void rm_model_guest_exited(struct rm_model *m, uint16_t vmid, uint16_t exit_type,
			   const uint32_t *reason, uint32_t reason_words)
{
	struct rm_vm *vm = rm_find_vm(m, vmid);

	/* It may have been stopped by force just before. */
	if (m->dead || !vm || vm->state != RM_VM_RUNNING)
		return;
	rm_exited(m, vm, exit_type, reason, reason_words);
	rm_flush(m);
}

bool rm_model_next_parcel(const struct rm_model *m, uint16_t vmid, uint32_t *pos,
			  struct rm_parcel_info *info)
{
	while (*pos < m->n_parcels) {
		const struct rm_parcel *p = &m->parcels[(*pos)++];
		const struct rm_acl *acl = rm_parcel_acl(p, vmid);

		if (!acl || p->open)
			continue;
		info->handle = p->handle;
		info->label = p->label;
		info->lent = p->lent;
		info->rights = acl->rights;
		info->acl_entries = p->acls;
		info->attr_entries = p->attrs;
		info->entries = p->entries;
		info->size = p->size;
		info->priv = p;
		return true;
	}
	return false;
}

bool rm_model_next_entry(const struct rm_model *m, const struct rm_parcel_info *info,
			 const void **cursor, struct rm_mem_entry *entry)
{
	const struct rm_parcel *p = info->priv;
	const struct rm_node *node = *cursor;
	uint32_t i = node ? node->next : p->first;

	if (!i)
		return false;
	*cursor = &m->nodes[i];
	*entry = m->nodes[i].entry;
	return true;
}

void rm_model_accept(struct rm_model *m, uint16_t vmid, uint32_t handle)
{
	struct rm_parcel *p = rm_find_parcel(m, handle);
	uint32_t i;

	for (i = 0; p && i < p->acls; i++) {
		if (p->acl[i].vmid == vmid)
			p->acl[i].accepted = true;
	}
}

bool rm_model_uses(const struct rm_model *m, uint64_t addr, uint64_t size)
{
	return rm_range_used(m, addr, size);
}

uint32_t rm_model_vmids(const struct rm_model *m)
{
	return m->n_vms;
}

uint32_t rm_model_parcels(const struct rm_model *m)
{
	return m->n_parcels;
}

uint32_t rm_model_running(const struct rm_model *m)
{
	uint32_t i, n = 0;

	for (i = 0; i < m->n_vms; i++)
		n += m->vms[i].state == RM_VM_RUNNING;
	return n;
}

uint32_t rm_model_received(const struct rm_model *m)
{
	return m->received;
}

uint32_t rm_model_sent(const struct rm_model *m)
{
	return m->sent;
}

enum rm_vm_state rm_model_vm_state(const struct rm_model *m, uint16_t vmid)
{
	uint32_t i;

	for (i = 0; i < m->n_vms; i++) {
		if (m->vms[i].vmid == vmid)
			return m->vms[i].state;
	}
	return RM_VM_NONE;
}

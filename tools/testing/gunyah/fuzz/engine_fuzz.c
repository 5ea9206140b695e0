// SPDX-License-Identifier: GPL-2.0-only
/*
 * rsc_mgr.c, rsc_mgr_rpc.c and rsc_mgr_mem.c: a script of calls, and of what the
 * resource manager, the queue and the clock do meanwhile.
 *
 * What a call returns has to follow from the reply that came for it, listeners have to
 * be told what was received and nothing else, in its order, and the count of parcels is
 * to be that of those that may be at the resource manager. Messages are put together
 * by the reference, not by the driver.
 */
#include "input.h"
#include "reference.h"
#include "shim.h"

#include "../../../../drivers/virt/gunyah/rsc_mgr.h"
#include "../../../../drivers/virt/gunyah/rsc_mgr_msg.h"

#define VM_ALLOC_VMID	0x56000001
#define VM_EXITED	0x56100001
#define VM_STATUS	0x56100008
#define PARCELS		4
#define LISTENERS	4
#define CALLS		8
/* As many notifications as the resource manager itself keeps for a client */
#define MAX_TOLD	256

static struct input in;
static struct gh_rm *rm;
static struct device dev;
static struct reference ref;

/* What was handed to the transport and is not on its way yet */
static struct gh_msgq_tx_data *tx;
static bool refuse_send;

/* The last requests that were sent, and how often the driver was told about each */
static struct { uint32_t id; uint16_t seq; } calls[CALLS];
static unsigned int n_calls;

/*
 * The call under way. A reply that comes before its first packet was sent cannot be
 * told from one that is for it by luck, so it is not looked at then.
 */
static struct {
	bool active, sent, answered, unclear;
	uint32_t id;
	uint16_t seq;
	struct ref_message reply;
} call;

/* Notifications that were taken and not delivered */
struct told {
	struct told *next;
	uint32_t id;
	size_t len;
	uint8_t payload[];
};

static struct told *told, **told_end;
static unsigned int n_waiting, n_told, n_lost;

static unsigned int alloc_fails_in, alloc_failures;

bool shim_alloc_fails(void)
{
	if (!alloc_fails_in || --alloc_fails_in)
		return false;
	alloc_failures++;
	return true;
}

u16 shim_random_u16(void)
{
	return in16(&in);
}

/* Listeners */

static const uint16_t vmids[LISTENERS] = { 0x80, 0x81, 3, 0 };
static struct listener {
	struct gh_rm_listener listener;
	bool active;
} listeners[LISTENERS];

static int vmid_index(uint16_t vmid)
{
	int i;

	for (i = 0; i < LISTENERS; i++) {
		if (vmids[i] == vmid)
			return i;
	}
	return -1;
}

/* Who is to be told, -1: nobody */
static int told_whom(const struct told *t)
{
	int i;

	if (t->len < 8)
		return -1;
	if (t->id == VM_EXITED && le32(t->payload + 4) > t->len - 8)
		return -1;
	if (t->id != VM_EXITED && t->id != VM_STATUS)
		return -1;
	i = vmid_index(le16(t->payload));
	return i >= 0 && listeners[i].active ? i : -1;
}

/* The next one that anybody is to be told; the caller frees it */
static struct told *next_told(void)
{
	struct told *t;

	while (told) {
		t = told;
		told = t->next;
		n_waiting--;
		if (!told)
			told_end = &told;
		if (told_whom(t) >= 0)
			return t;
		free(t);
	}
	return NULL;
}

static struct told *check_told(struct gh_rm_listener *l, uint32_t id)
{
	struct told *t = next_told();

	FUZZ_CHECK(!shim_atomic);
	FUZZ_CHECK(t && t->id == id);
	FUZZ_CHECK(l == &listeners[told_whom(t)].listener);
	return t;
}

static void on_status(struct gh_rm_listener *l, enum gh_rm_vm_status status)
{
	struct told *t = check_told(l, VM_STATUS);

	FUZZ_CHECK(status == t->payload[4]);
	free(t);
}

static void on_exited(struct gh_rm_listener *l, u16 type, const void *reason, size_t reason_size)
{
	struct told *t = check_told(l, VM_EXITED);

	FUZZ_CHECK(type == le16(t->payload + 2));
	FUZZ_CHECK(reason_size == le32(t->payload + 4));
	FUZZ_CHECK(!memcmp(reason, t->payload + 8, reason_size));
	free(t);
}

/* Receiving */

static void receive(const uint8_t *packet, size_t len)
{
	unsigned int failures = alloc_failures;
	uint8_t *copy = exact(len);
	static struct ref_message msg;
	struct told *t;
	bool whole;

	memcpy(copy, packet, len);
	whole = ref_packet(&ref, packet, len, &msg) == REF_MESSAGE;
	gh_rm_transport_received(rm, copy, len);
	free(copy);
	FUZZ_CHECK(!shim_atomic);
	if (!whole)
		return;

	if (msg.type == 2 && call.active && !call.answered && msg.id == call.id) {
		if (!call.sent) {
			call.unclear = true;
		} else if (msg.seq == call.seq) {
			call.answered = true;
			call.reply = msg;
		}
	} else if (msg.type == 3) {
		n_told++;
		if (failures != alloc_failures || n_waiting == MAX_TOLD) {
			n_lost++;
			return;
		}
		n_waiting++;
		t = exact(sizeof(*t) + msg.len);
		t->next = NULL;
		t->id = msg.id;
		t->len = msg.len;
		memcpy(t->payload, msg.payload, msg.len);
		*told_end = t;
		told_end = &t->next;
	}
}

/* In as many packets as it takes, or with pieces shorter than they have to be */
static void receive_message(uint8_t type, uint16_t seq, uint32_t id, const uint8_t *payload,
			    size_t len, uint8_t more)
{
	size_t piece = len / (more + 1), n;
	uint8_t packet[8 + REF_PIECE];
	unsigned int i;

	for (i = 0; i <= more; i++) {
		n = i < more ? piece : len;
		put_header(packet, 0x21, i ? 0 : type, more, seq, id);
		memcpy(packet + 8, payload, n);
		receive(packet, 8 + n);
		payload += n;
		len -= n;
	}
}

static void reply(unsigned int back)
{
	static const uint32_t errors[] = {
		0, 0, 0, 0, 0, 1, 2, 7, 0xb, 0x14, 0x15, 0xffffffff, 0x80000000,
	};
	uint8_t payload[REF_PIECE], what = in8(&in), len = in8(&in), first = in8(&in);
	uint32_t error = errors[what % ARRAY_SIZE(errors)], id;
	uint16_t seq;
	size_t i;

	if (back >= n_calls || back >= CALLS)
		return;
	id = calls[(n_calls - 1 - back) % CALLS].id;
	seq = calls[(n_calls - 1 - back) % CALLS].seq;
	for (i = 0; i < sizeof(payload); i++)
		payload[i] = i < 4 ? error >> 8 * i : first;
	receive_message(2, seq, id, payload, len % (sizeof(payload) + 1), what / 64);
}

static void notification(void)
{
	static const uint32_t ids[] = { VM_STATUS, VM_STATUS, VM_EXITED, VM_EXITED, 0x51100012 };
	uint8_t payload[REF_PIECE], what = in8(&in), len = in8(&in), n = in8(&in) % 20;

	memset(payload, what, sizeof(payload));
	payload[0] = vmids[what % LISTENERS];
	payload[1] = vmids[what % LISTENERS] >> 8;
	payload[4] = what / 8;
	payload[5] = 0;
	payload[6] = 0;
	payload[7] = 0;
	in_bytes(&in, payload, n);
	receive_message(3, what, ids[what / 4 % ARRAY_SIZE(ids)], payload,
			len % (sizeof(payload) + 1), what / 64);
}

/* Sending */

static void check_packet(void)
{
	const uint8_t *p = tx->data;

	FUZZ_CHECK(tx->length >= 8 && tx->length <= 240 && p[0] == 0x21);
	if (p[1] % 4) {
		FUZZ_CHECK(p[1] % 4 == 1);
		calls[n_calls % CALLS].seq = le16(p + 2);
		calls[n_calls++ % CALLS].id = le32(p + 4);
		if (call.active) {
			FUZZ_CHECK(call.id == le32(p + 4));
			call.seq = le16(p + 2);
			call.sent = true;
		}
	} else {
		FUZZ_CHECK(n_calls && calls[(n_calls - 1) % CALLS].seq == le16(p + 2));
	}
}

/* The packet that waits was sent, or could not be. */
static void sent(int err)
{
	if (!tx)
		return;
	if (!err && tx->next(tx)) {
		check_packet();
		return;
	}
	tx = NULL;
	gh_rm_transport_sent(rm, err);
}

static int send(void *transport, struct gh_msgq_tx_data *message)
{
	FUZZ_CHECK(transport == &tx && !shim_atomic && !tx);
	if (refuse_send) {
		refuse_send = false;
		return -EIO;
	}
	tx = message;
	check_packet();
	return 0;
}

static const struct gh_rm_transport_ops ops = { .send = send };

static void run_work(bool ordered_only)
{
	struct workqueue_struct *wq = shim_run_work(ordered_only);

	/* The one that is ordered delivers notifications, and leaves none. */
	if (wq && wq->ordered)
		FUZZ_CHECK(!next_told());
}

/* Things that happen. What is left of a byte's value beyond them is nothing. */
static void event(uint8_t what)
{
	uint8_t packet[256], len;

	switch (what % 8) {
	case 1:
		len = in8(&in);
		in_bytes(&in, packet, len);
		receive(packet, len);
		break;
	case 2:
		reply(0);
		break;
	case 3:
		notification();
		break;
	case 4:
		sent(what & 0x80 ? -EIO : 0);
		break;
	case 5:
		run_work(true);
		break;
	case 6:
		if (what & 0x80)
			refuse_send = true;
		else
			alloc_fails_in = what / 8 % 4 + 1;
		break;
	case 7:
		reply(what / 8 % CALLS);
		break;
	}
}

bool shim_event(void)
{
	uint8_t what = in8(&in);

	/* The end of the script is the deadline of all that is waited for. */
	if (what % 8 == 0)
		return false;
	event(what);
	return true;
}

/* Calls */

static void check_result(int ret, const struct gh_rm_call *c)
{
	const struct ref_message *m = &call.reply;

	if (call.unclear)
		return;
	if (!call.answered) {
		FUZZ_CHECK(ret == -ETIMEDOUT || ret == -ETIME || ret == -EIO);
	} else if (m->len < 4) {
		FUZZ_CHECK(ret == -EPROTO);
	} else if (le32(m->payload)) {
		FUZZ_CHECK(ret < 0 && ret != -EPROTO && ret != -ETIMEDOUT);
	} else if (m->len - 4 > c->resp_size || (m->len - 4 < c->resp_size && !c->resp_varies)) {
		FUZZ_CHECK(ret == -EPROTO);
	} else if (ret != -EIO) {
		FUZZ_CHECK(!ret && c->resp_len == m->len - 4);
		FUZZ_CHECK(!memcmp(c->resp, m->payload + 4, c->resp_len));
	}
	if (ret)
		FUZZ_CHECK(!c->resp_len);
}

static void on_late(struct gh_rm_late *late)
{
	FUZZ_CHECK(late->rm == rm && late->resp_len <= sizeof(late->resp));
	FUZZ_CHECK(late->data == &call);
}

static void any_call(void)
{
	uint8_t what = in8(&in);
	size_t resp_size = in8(&in), req_len = what & 1 ? in16(&in) % 0x3a00 : in8(&in);
	struct gh_rm_call c = { .req_len = req_len, .resp_size = resp_size };
	int ret;

	c.id = 0x56000000 + what / 32;
	c.req = exact(req_len);
	c.resp = exact(resp_size);
	c.resp_varies = what & 4;
	memset((void *)c.req, what, req_len);
	if (what & 2) {
		c.late = calloc(1, sizeof(*c.late));
		c.late->fn = on_late;
		c.late->data = &call;
	}
	memset(&call, 0, offsetof(typeof(call), reply));
	call.active = true;
	call.id = c.id;
	ret = gh_rm_call(rm, &c);
	call.active = false;
	if (req_len > GH_RM_MAX_PAYLOAD)
		FUZZ_CHECK(ret == -E2BIG);
	else
		check_result(ret, &c);
	if (ret != -ETIMEDOUT)
		free(c.late);
	free((void *)c.req);
	free(c.resp);
}

static void get_resources(void)
{
	const struct ref_message *m = &call.reply;
	struct gh_rm_hyp_resources *r = NULL;
	unsigned int i, failures = alloc_failures;
	const uint8_t *e;
	int ret;

	memset(&call, 0, offsetof(typeof(call), reply));
	call.active = true;
	call.id = 0x56000020;
	ret = gh_rm_get_hyp_resources(rm, in8(&in), &r, NULL);
	call.active = false;
	FUZZ_CHECK(ret <= 0 && !ret == !!r);
	if (!ret) {
		FUZZ_CHECK(call.unclear || (m->len >= 8 && !le32(m->payload)));
		/* Each of them is there to be read, and as the message has it */
		for (i = 0, e = m->payload + 8; i < r->n && !call.unclear; i++, e += 44)
			FUZZ_CHECK(r->resources[i].type == e[0] &&
				   r->resources[i].virq == le32(e + 24) &&
				   r->resources[i].size >> 32 == le32(e + 40));
		if (!call.unclear)
			FUZZ_CHECK(e == m->payload + m->len);
	} else if (call.answered && !call.unclear && failures == alloc_failures && ret != -EIO) {
		/* It was refused, or it is not as long as it says. */
		FUZZ_CHECK(m->len < 8 || le32(m->payload) ||
			   m->len != 8 + 44ULL * le32(m->payload + 4));
	}
	kvfree(r);
}

static void vm_call(void)
{
	uint8_t what = in8(&in);
	enum gh_rm_vm_status status;
	u32 rm_error = GH_RM_ERROR_OK;
	uint16_t vmid;
	int ret;

	switch (what % 8) {
	case 0:
		ret = gh_rm_alloc_vmid(rm, &vmid, &rm_error);
		break;
	case 1:
		ret = gh_rm_dealloc_vmid(rm, what);
		break;
	case 2:
		ret = gh_rm_get_vmid(rm, &vmid, &rm_error);
		break;
	case 3:
		ret = gh_rm_vm_get_state(rm, what, &status);
		break;
	case 4:
		ret = gh_rm_vm_configure(rm, what, 0, what, what, what, what, what, &rm_error);
		break;
	case 5:
	case 6:
		get_resources();
		return;
	default:
		ret = gh_rm_vm_stop(rm, what);
		break;
	}
	FUZZ_CHECK(ret <= 0);
	/* It refused if it has a reason, and then the errno is the reason's */
	FUZZ_CHECK(!rm_error || ret == gh_rm_error_remap(rm_error));
}

/* Parcels */

static struct parcel {
	struct gh_rm_mem_parcel parcel;
	struct gh_rm_mem_acl_entry acl[2];
	struct gh_rm_mem_iter iter;
	size_t told;
	size_t assigned;
} parcels[PARCELS];

static bool next_piece(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	struct parcel *p = container_of(iter, struct parcel, iter);

	if (p->told == p->parcel.n_mem_entries)
		return false;
	*addr = p->told++ << 13;
	*size = 4096;
	return true;
}

static bool prev_piece(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	struct parcel *p = container_of(iter, struct parcel, iter);

	if (!p->told)
		return false;
	*addr = --p->told << 13;
	*size = 4096;
	return true;
}

static void seek_piece(struct gh_rm_mem_iter *iter, size_t index)
{
	container_of(iter, struct parcel, iter)->told = index;
}

/* Who tells the platform: it has the first pieces of a parcel, and refuses as it likes */

static bool platform;
static unsigned int platform_fails_in, platform_refs;

static bool platform_refuses(void)
{
	return platform_fails_in && !--platform_fails_in;
}

static int platform_assign(const struct gh_rm_mem_parcel *parcel, u64 addr, u64 size)
{
	struct parcel *p = container_of(parcel, struct parcel, parcel);

	FUZZ_CHECK(parcel->state == GH_RM_PARCEL_ASSIGNED);
	FUZZ_CHECK(addr == p->assigned << 13 && size == 4096);
	if (platform_refuses())
		return -ETIMEDOUT;
	p->assigned++;
	return 0;
}

static int platform_return(const struct gh_rm_mem_parcel *parcel, u64 addr, u64 size)
{
	struct parcel *p = container_of(parcel, struct parcel, parcel);

	FUZZ_CHECK(parcel->state == GH_RM_PARCEL_ASSIGNED);
	FUZZ_CHECK(p->assigned && addr == (p->assigned - 1) << 13 && size == 4096);
	if (platform_refuses())
		return -EPROTO;
	p->assigned--;
	return 0;
}

static const struct gh_rm_platform_ops platform_ops = {
	.pre_mem_share = platform_assign,
	.post_mem_reclaim = platform_return,
};

const struct gh_rm_platform_ops *gh_rm_platform_get(void)
{
	platform_refs += platform;
	return platform ? &platform_ops : NULL;
}

void gh_rm_platform_put(const struct gh_rm_platform_ops *used)
{
	FUZZ_CHECK(used == &platform_ops && platform_refs);
	platform_refs--;
}

const char *gh_rm_platform_is_qcom(void)
{
	return NULL;
}

static void parcel_late(struct gh_rm_mem_parcel *parcel, enum gh_rm_parcel_state state, u32 handle)
{
	FUZZ_CHECK(parcel->state == GH_RM_PARCEL_UNKNOWN);
	FUZZ_CHECK(state != GH_RM_PARCEL_UNKNOWN);
	parcel->state = state;
	parcel->mem_handle = handle;
}

static void mem_call(void)
{
	static const uint16_t pieces[] = { 1, 2, 100, 511, 512, 513, 1025, 0 };
	uint8_t what = in8(&in);
	struct parcel *p = &parcels[what % PARCELS];
	int ret;

	platform = what & 0x40;
	platform_fails_in = what & 0x80 ? in8(&in) : 0;
	/* What the platform is told of is ours. */
	if (platform)
		*gh_rm_own_vmid(rm) = 3;

	switch (p->parcel.state) {
	case GH_RM_PARCEL_NONE:
		memset(p, 0, sizeof(*p));
		p->iter = (struct gh_rm_mem_iter) { next_piece, prev_piece, seek_piece };
		p->parcel.n_acl_entries = what & 4 ? 2 : 1;
		p->parcel.acl_entries = p->acl;
		p->parcel.n_mem_entries = pieces[what / 8 % 8];
		p->parcel.iter = &p->iter;
		p->parcel.late = parcel_late;
		ret = what & 4 ? gh_rm_mem_share(rm, &p->parcel) : gh_rm_mem_lend(rm, &p->parcel);
		FUZZ_CHECK(ret <= 0);
		if (!ret)
			FUZZ_CHECK(p->parcel.state == GH_RM_PARCEL_HELD &&
				   p->told == p->parcel.n_mem_entries);
		break;
	case GH_RM_PARCEL_HELD:
	case GH_RM_PARCEL_ASSIGNED:
		ret = gh_rm_mem_reclaim(rm, &p->parcel);
		FUZZ_CHECK((p->parcel.state == GH_RM_PARCEL_NONE) == !ret);
		break;
	case GH_RM_PARCEL_UNKNOWN:
		break;
	}
}

static void check_parcels(void)
{
	unsigned int i, n = 0, refs = 0;

	for (i = 0; i < PARCELS; i++) {
		struct gh_rm_mem_parcel *parcel = &parcels[i].parcel;

		n += parcel->state == GH_RM_PARCEL_HELD || parcel->state == GH_RM_PARCEL_UNKNOWN;
		refs += !!parcel->platform;
		FUZZ_CHECK(parcel->n_assigned == parcels[i].assigned);
		FUZZ_CHECK(!parcels[i].assigned || parcel->platform);
		FUZZ_CHECK(!parcel->platform || parcel->state != GH_RM_PARCEL_NONE);
	}
	FUZZ_CHECK(gh_rm_parcels(rm) == n);
	FUZZ_CHECK(platform_refs == refs);
}

static void listen(void)
{
	uint8_t what = in8(&in);
	struct listener *l = &listeners[what % LISTENERS];
	unsigned int failures = alloc_failures;
	int ret;

	if (what & 4) {
		gh_rm_unlisten(rm, vmids[what % LISTENERS]);
		l->active = false;
		return;
	}
	ret = gh_rm_listen(rm, vmids[what % LISTENERS], &l->listener);
	if (l->active)
		FUZZ_CHECK(ret == -EBUSY);
	else if (failures != alloc_failures)
		FUZZ_CHECK(ret == -ENOMEM);
	else
		FUZZ_CHECK(!ret);
	l->active = true;
	if (ret == -ENOMEM)
		l->active = false;
}

static void flush(void)
{
	gh_rm_flush_notifications(rm);
	FUZZ_CHECK(!next_told());
}

static void script(void)
{
	uint8_t what;

	while (in.left) {
		what = in8(&in);
		switch (what % 16) {
		case 8:
		case 9:
			any_call();
			break;
		case 10:
			vm_call();
			break;
		case 11:
		case 12:
			mem_call();
			break;
		case 13:
			listen();
			break;
		case 14:
			flush();
			break;
		case 15:
			run_work(false);
			break;
		default:
			event(what);
			break;
		}
		FUZZ_CHECK(!shim_atomic);
		check_parcels();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int i;

	in = (struct input) { data, size };
	memset(&ref, 0, sizeof(ref));
	memset(&parcels, 0, sizeof(parcels));
	platform_refs = 0;
	memset(&call, 0, offsetof(typeof(call), reply));
	told = NULL;
	told_end = &told;
	tx = NULL;
	n_calls = 0;
	n_waiting = 0;
	n_told = 0;
	n_lost = 0;
	alloc_fails_in = 0;
	alloc_failures = 0;
	refuse_send = false;
	shim_jiffies = 0;
	for (i = 0; i < LISTENERS; i++) {
		listeners[i].listener.status = on_status;
		listeners[i].listener.exited = on_exited;
		listeners[i].active = false;
	}

	rm = gh_rm_alloc(&dev, &ops, &tx);
	FUZZ_CHECK(!IS_ERR(rm) && dev.refs == 1);
	script();

	/* As the device's removal has it */
	alloc_fails_in = 0;
	FUZZ_CHECK(gh_rm_stat(rm, GH_RM_STAT_NOTIFICATIONS) == n_told);
	FUZZ_CHECK(gh_rm_stat(rm, GH_RM_STAT_LOST) == n_lost);
	gh_rm_close(rm);
	while (tx)
		sent(-EIO);
	gh_rm_shutdown(rm);
	check_parcels();
	FUZZ_CHECK(!next_told());
	gh_rm_put(rm);
	FUZZ_CHECK(!dev.refs && !shim_run_work(false));
	return 0;
}

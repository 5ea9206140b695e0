// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model of the resource manager as the driver's peer: whole lives of VMs, and what
 * is left of them if one message goes wrong.
 */

#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "../../../../tools/testing/gunyah/lab_ctl.h"
#include "fake_transport.h"
#include "rm_model.h"

#define VM_ALLOC	0x56000001
#define VM_DEALLOC	0x56000002
#define VM_START	0x56000004
#define VM_STOP		0x56000005
#define VM_RESET	0x56000006
#define VM_CONFIG	0x56000009
#define VM_INIT		0x5600000b
#define VM_GET_STATE	0x56000017
#define VM_GET_RESOURCES 0x56000020
#define VM_EXITED	0x56100001
#define VM_STATUS	0x56100008
#define MEM_LEND	0x51000012
#define MEM_SHARE	0x51000013
#define MEM_RECLAIM	0x51000015
#define MEM_APPEND	0x51000018

/* Memory of the host */
#define RAM		0x40000000ULL
#define RAM_PAGES	8192
#define PAGE		4096ULL

#define MAX_EVENTS	64
#define EVENT_EXITED	0x100	/* plus the exit type; else a status */

/**
 * struct world - The model, its surroundings and a VM
 * @ft: the transport
 * @test: the test
 * @lock: guards the model
 * @m: the model
 * @now_ms: its clock
 * @full: every third packet finds the queue full and has to be sent again
 * @packets: sent by the model
 * @lent: pages of the host that it has lent
 * @starts: guests that were started less those that were killed
 * @fail_after: the message that comes before it, if it is not the next anyway
 * @listener: for the VM
 * @events: what @listener was told, in order
 * @n_events: number of @events
 * @reset: completed when the VM is in state RESET
 * @mem: the parcel of the VM
 * @iter: its memory
 * @next: next piece of @iter
 * @first_page: first page of the parcel
 * @acl: its ACL
 * @rm_lock: held by who calls, as the VM manager does, and taken by the late callback
 * @late_called: completed by that
 * @vmid: of the VM
 * @lost_vmids: VMIDs that nobody knows of any more
 * @lost_parcels: parcels likewise
 * @unknown_parcels: parcels of which the driver cannot know that they do not exist
 */
struct world {
	struct fake_transport *ft;
	struct kunit *test;
	struct mutex lock;		/* see above */
	struct rm_model *m;
	u64 now_ms;
	bool full;
	unsigned int packets;
	DECLARE_BITMAP(lent, RAM_PAGES);
	int starts;
	u32 fail_after;

	struct gh_rm_listener listener;
	u16 events[MAX_EVENTS];
	unsigned int n_events;
	struct completion reset;

	struct gh_rm_mem_parcel mem;
	struct gh_rm_mem_iter iter;
	size_t next;
	u64 first_page;
	struct gh_rm_mem_acl_entry acl[2];
	struct mutex rm_lock;		/* see above */
	struct completion late_called;
	u16 vmid;
	unsigned int lost_vmids;
	unsigned int lost_parcels;
	unsigned int unknown_parcels;
};

/*
 * Surroundings of the model
 */

static bool env_send(void *env, const void *packet, uint32_t len)
{
	struct world *w = env;
	void *copy;

	if (w->full && w->packets++ % 3 == 2)
		return false;
	/* Of the packet's size, so that a sanitizer sees it if more is read. */
	copy = kmemdup(packet, len, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(w->test, copy);
	if (copy)
		gh_rm_transport_received(w->ft->rm, copy, len);
	kfree(copy);
	return true;
}

static bool env_mem_owned(void *env, uint64_t addr, uint64_t size)
{
	struct world *w = env;
	u64 first = (addr - RAM) / PAGE, n = size / PAGE;

	return addr >= RAM && first + n <= RAM_PAGES &&
	       find_next_bit(w->lent, first + n, first) >= first + n;
}

static void env_mem_lend(void *env, uint64_t addr, uint64_t size)
{
	struct world *w = env;

	bitmap_set(w->lent, (addr - RAM) / PAGE, size / PAGE);
}

static void env_mem_return(void *env, uint64_t addr, uint64_t size)
{
	struct world *w = env;

	bitmap_clear(w->lent, (addr - RAM) / PAGE, size / PAGE);
}

static void env_mem_zero(void *env, uint64_t addr, uint64_t size)
{
	struct world *w = env;

	KUNIT_FAIL(w->test, "the driver asked to have memory cleared\n");
}

static uint32_t env_vm_init(void *env, uint16_t vmid, const struct rm_image *image)
{
	return RM_OK;
}

static uint32_t env_vm_start(void *env, uint16_t vmid, const struct rm_image *image)
{
	struct world *w = env;

	w->starts++;
	return RM_OK;
}

static void env_vm_kill(void *env, uint16_t vmid)
{
}

static void env_vm_teardown(void *env, uint16_t vmid)
{
}

static bool env_vm_has_rpc(void *env, uint16_t vmid)
{
	return false;
}

/* As many as the reply of 536 bytes had that was seen: three packets */
static const struct rm_resource env_resources[] = {
	{ 4, 0, 0, 0x1122334455667788, 962 },
	{ 4, 0, 1, 4, 963 },
	{ 4, 0, 2, 5, 0xffffffff },
	{ 0, 0x80, 5, 6 },
	{ 1, 0x80, 9, 7, 964 },
	{ 2, 0x80, 10, 8, 965 },
	{ 3, 0x80, 10, 9, 4096 },
	{ 5, 0, 0, 10 },
	{ 6, 0x80, 11, 11, 966, 0x4011121314000, 0x1000 },
	{ 7, 0, 0, 12 },
	{ 8, 0, 0, 13, 967 },
	{ 0xfe, 0xfffe, 0xfffffffe, 0xfffffffffffffffe, 0xfffffffe, 0xffffffffffff0000, 0xffff },
};

static bool env_resource(void *env, uint16_t vmid, uint32_t index, struct rm_resource *resource)
{
	struct world *w = env;

	KUNIT_EXPECT_EQ(w->test, vmid, w->vmid);
	if (index >= ARRAY_SIZE(env_resources))
		return false;
	*resource = env_resources[index];
	return true;
}

static void env_die(void *env, const char *cause)
{
	struct world *w = env;

	KUNIT_FAIL(w->test, "that would have taken the resource manager down: %s\n", cause);
}

static const struct rm_env_ops env_ops = {
	.send = env_send,
	.mem_owned = env_mem_owned,
	.mem_lend = env_mem_lend,
	.mem_return = env_mem_return,
	.mem_zero = env_mem_zero,
	.vm_init = env_vm_init,
	.vm_start = env_vm_start,
	.vm_kill = env_vm_kill,
	.vm_teardown = env_vm_teardown,
	.vm_has_rpc = env_vm_has_rpc,
	.die = env_die,
	.resource = env_resource,
};

/* All that the model does by itself, up to and including what waits for @now_ms */
static void settle(struct world *w)
{
	unsigned int i;

	/* Messages that wait for a later time make it say "again" for ever. */
	for (i = 0; i < 1000 && rm_model_poll(w->m, w->now_ms); i++)
		;
}

static void to_model(struct fake_transport *ft, const struct fake_packet *packet)
{
	struct world *w = ft->priv;

	if (w->fail_after && packet->push &&
	    get_unaligned_le32(packet->data + 4) == w->fail_after) {
		ft->timeout_once = true;
		*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;
	}
	mutex_lock(&w->lock);
	rm_model_receive(w->m, packet->data, packet->length);
	settle(w);
	mutex_unlock(&w->lock);
}

static void add_event(struct world *w, u16 event)
{
	KUNIT_EXPECT_LT(w->test, w->n_events, MAX_EVENTS);
	if (w->n_events < MAX_EVENTS)
		w->events[w->n_events++] = event;
}

static void on_status(struct gh_rm_listener *listener, enum gh_rm_vm_status status)
{
	struct world *w = container_of(listener, struct world, listener);

	add_event(w, status);
	if (status == GH_RM_VM_STATUS_RESET)
		complete(&w->reset);
}

static void on_exited(struct gh_rm_listener *listener, u16 exit_type, const void *reason,
		      size_t reason_size)
{
	add_event(container_of(listener, struct world, listener), EVENT_EXITED + exit_type);
}

static bool next_piece(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	struct world *w = container_of(iter, struct world, iter);

	*addr = RAM + (w->first_page + 2 * w->next++) * PAGE;
	*size = PAGE;
	return true;
}

static void late(struct gh_rm_mem_parcel *parcel, enum gh_rm_parcel_state state, u32 mem_handle)
{
	struct world *w = container_of(parcel, struct world, mem);

	mutex_lock(&w->rm_lock);
	parcel->state = state;
	parcel->mem_handle = mem_handle;
	mutex_unlock(&w->rm_lock);
	complete(&w->late_called);
}

static void free_world(void *world)
{
	kvfree(world);
}

static struct world *new_world(struct kunit *test, enum rm_policy policy)
{
	struct world *w = kvzalloc(sizeof(*w), GFP_KERNEL);
	void *mem;

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_world, w), 0);
	mem = kvzalloc(rm_model_size(2048), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_world, mem), 0);
	w->test = test;
	mutex_init(&w->lock);
	mutex_init(&w->rm_lock);
	init_completion(&w->reset);
	init_completion(&w->late_called);
	w->m = rm_model_init(mem, 2048, &env_ops, w, policy);
	w->listener.status = on_status;
	w->listener.exited = on_exited;
	w->iter.next = next_piece;
	w->ft = fake_transport_create(test);
	w->ft->packet = to_model;
	w->ft->priv = w;
	return w;
}

/*
 * The steps of a VM's life
 */

static int do_alloc(struct world *w)
{
	return gh_rm_alloc_vmid(w->ft->rm, &w->vmid, NULL);
}

static void set_memory(struct world *w, bool share, size_t pieces)
{
	const u8 all = GH_RM_ACL_R | GH_RM_ACL_W | GH_RM_ACL_X;

	w->acl[0] = (struct gh_rm_mem_acl_entry){ w->vmid, all };
	w->acl[1] = (struct gh_rm_mem_acl_entry){ 3, all };
	w->next = 0;
	w->mem = (struct gh_rm_mem_parcel){
		.label = 1,
		.n_acl_entries = share ? 2 : 1,
		.acl_entries = w->acl,
		.n_mem_entries = pieces,
		.iter = &w->iter,
		.late = late,
	};
}

static int do_give(struct world *w)
{
	int ret;

	w->next = 0;
	mutex_lock(&w->rm_lock);
	ret = w->mem.n_acl_entries == 2 ? gh_rm_mem_share(w->ft->rm, &w->mem) :
					  gh_rm_mem_lend(w->ft->rm, &w->mem);
	mutex_unlock(&w->rm_lock);
	return ret;
}

static int do_configure(struct world *w)
{
	return gh_rm_vm_configure(w->ft->rm, w->vmid, GH_RM_VM_AUTH_NONE, w->mem.mem_handle, 0,
				  PAGE, 0, PAGE, NULL);
}

static int do_init(struct world *w)
{
	return gh_rm_vm_init(w->ft->rm, w->vmid, NULL);
}

static int do_get_resources(struct world *w)
{
	struct gh_rm_hyp_resources *resources;
	unsigned int i;
	int ret;

	ret = gh_rm_get_hyp_resources(w->ft->rm, w->vmid, &resources, NULL);
	if (ret)
		return ret;
	KUNIT_EXPECT_EQ(w->test, resources->n, ARRAY_SIZE(env_resources));
	for (i = 0; i < min(resources->n, ARRAY_SIZE(env_resources)); i++) {
		const struct gh_rm_hyp_resource *r = &resources->resources[i];

		KUNIT_EXPECT_EQ_MSG(w->test, r->type, env_resources[i].type, "resource %u", i);
		KUNIT_EXPECT_EQ_MSG(w->test, r->partner_vmid, env_resources[i].partner_vmid,
				    "resource %u", i);
		KUNIT_EXPECT_EQ_MSG(w->test, r->label, env_resources[i].label, "resource %u", i);
		KUNIT_EXPECT_EQ_MSG(w->test, r->capid, env_resources[i].capid, "resource %u", i);
		KUNIT_EXPECT_EQ_MSG(w->test, r->virq, env_resources[i].virq, "resource %u", i);
		KUNIT_EXPECT_EQ_MSG(w->test, r->base, env_resources[i].base, "resource %u", i);
		KUNIT_EXPECT_EQ_MSG(w->test, r->size, env_resources[i].size, "resource %u", i);
		KUNIT_EXPECT_EQ_MSG(w->test, r->handle | r->virq_handle, 0, "resource %u", i);
	}
	kvfree(resources);
	return 0;
}

static int do_start(struct world *w)
{
	return gh_rm_vm_start(w->ft->rm, w->vmid, NULL);
}

static int do_get_state(struct world *w)
{
	enum gh_rm_vm_status status = 0;
	int ret = gh_rm_vm_get_state(w->ft->rm, w->vmid, &status);

	if (!ret)
		KUNIT_EXPECT_EQ(w->test, status, GH_RM_VM_STATUS_RUNNING);
	return ret;
}

static int do_stop(struct world *w)
{
	return gh_rm_vm_stop(w->ft->rm, w->vmid);
}

static int do_reset(struct world *w)
{
	return gh_rm_vm_reset(w->ft->rm, w->vmid);
}

static int do_reclaim(struct world *w)
{
	int ret;

	mutex_lock(&w->rm_lock);
	ret = gh_rm_mem_reclaim(w->ft->rm, &w->mem);
	mutex_unlock(&w->rm_lock);
	return ret;
}

static int do_dealloc(struct world *w)
{
	return gh_rm_dealloc_vmid(w->ft->rm, w->vmid);
}

static unsigned int lent_pages(struct world *w)
{
	return bitmap_weight(w->lent, RAM_PAGES);
}

static void expect_events(struct world *w, const u16 *want, unsigned int n)
{
	unsigned int i;

	gh_rm_flush_notifications(w->ft->rm);
	KUNIT_ASSERT_EQ(w->test, w->n_events, n);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ_MSG(w->test, w->events[i], want[i], "event %u", i);
}

static void wait_for_reset(struct world *w)
{
	KUNIT_ASSERT_NE(w->test, wait_for_completion_timeout(&w->reset, FAKE_PATIENCE), 0);
}

/*
 * Lives in which nothing goes wrong
 */

struct life_row {
	const char *name;
	enum rm_policy policy;
	bool share;
	size_t pieces;
	bool full;
	bool forced;
};

static const struct life_row life_rows[] = {
	{ "lent", RM_POLICY_PRODUCTION, false, 1 },
	{ "lent, 512 pieces", RM_POLICY_PRODUCTION, false, 512 },
	{ "lent, 1300 pieces", RM_POLICY_PRODUCTION, false, 1300 },
	{ "lent, stopped by force", RM_POLICY_PRODUCTION, false, 2, .forced = true },
	{ "lent, full queue", RM_POLICY_PRODUCTION, false, 600, .full = true },
	{ "lent, debug", RM_POLICY_DEBUG, false, 3 },
	{ "shared, debug", RM_POLICY_DEBUG, true, 1 },
	{ "shared, debug, 513 pieces, full queue", RM_POLICY_DEBUG, true, 513, .full = true },
};

KUNIT_ARRAY_PARAM_DESC(life, life_rows, name);

static void vm_lives_and_leaves_nothing_behind(struct kunit *test)
{
	static const u32 reason[] = { 1, 2, 3 };
	const struct life_row *row = test->param_value;
	struct world *w = new_world(test, row->policy);
	const u16 events[] = {
		GH_RM_VM_STATUS_INIT, GH_RM_VM_STATUS_READY, GH_RM_VM_STATUS_RUNNING,
		GH_RM_VM_STATUS_EXITED, EVENT_EXITED + (row->forced ? 7 : 4),
		GH_RM_VM_STATUS_RESETTING, GH_RM_VM_STATUS_RESET,
	};
	unsigned int life;
	u16 own;

	w->full = row->full;
	KUNIT_EXPECT_EQ(test, gh_rm_get_vmid(w->ft->rm, &own, NULL), 0);
	KUNIT_EXPECT_EQ(test, own, 3);

	/* The second gets the VMID of the first, and must not hear of that. */
	for (life = 0; life < 3; life++) {
		w->n_events = 0;
		KUNIT_ASSERT_EQ(test, do_alloc(w), 0);
		KUNIT_EXPECT_EQ(test, w->vmid, 0x80);
		KUNIT_ASSERT_EQ(test, gh_rm_listen(w->ft->rm, w->vmid, &w->listener), 0);
		set_memory(w, row->share, row->pieces);
		KUNIT_ASSERT_EQ(test, do_give(w), 0);
		KUNIT_EXPECT_EQ(test, lent_pages(w), row->share ? 0 : row->pieces);
		KUNIT_EXPECT_EQ(test, do_configure(w), 0);
		KUNIT_EXPECT_EQ(test, do_init(w), 0);
		KUNIT_EXPECT_EQ(test, do_get_resources(w), 0);
		KUNIT_ASSERT_EQ(test, do_start(w), 0);
		KUNIT_EXPECT_EQ(test, do_get_resources(w), 0);
		KUNIT_EXPECT_EQ(test, do_get_state(w), 0);
		KUNIT_EXPECT_EQ(test, rm_model_running(w->m), 1);

		/* Neither while the guest runs nor before it is reset */
		KUNIT_EXPECT_EQ(test, do_reclaim(w), -EINVAL);
		if (row->forced) {
			KUNIT_EXPECT_EQ(test, do_stop(w), 0);
		} else {
			mutex_lock(&w->lock);
			rm_model_guest_exited(w->m, w->vmid, 4, reason, ARRAY_SIZE(reason));
			settle(w);
			mutex_unlock(&w->lock);
		}
		KUNIT_EXPECT_EQ(test, do_reclaim(w), -EINVAL);
		KUNIT_EXPECT_EQ(test, do_dealloc(w), -EBADFD);
		KUNIT_EXPECT_EQ(test, do_reset(w), 0);
		wait_for_reset(w);
		expect_events(w, events, ARRAY_SIZE(events));

		KUNIT_EXPECT_EQ(test, do_reclaim(w), 0);
		KUNIT_EXPECT_EQ(test, lent_pages(w), 0);
		gh_rm_unlisten(w->ft->rm, w->vmid);
		KUNIT_EXPECT_EQ(test, do_dealloc(w), 0);
		KUNIT_EXPECT_EQ(test, rm_model_vmids(w->m), 0);
		KUNIT_EXPECT_EQ(test, rm_model_parcels(w->m), 0);
	}
	KUNIT_EXPECT_EQ(test, w->starts, 3);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(w->ft->rm, GH_RM_STAT_TIMEOUTS), 0);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(w->ft->rm, GH_RM_STAT_BAD_PACKETS), 0);
}

static void shared_image_is_refused_in_production(struct kunit *test)
{
	struct world *w = new_world(test, RM_POLICY_PRODUCTION);

	KUNIT_ASSERT_EQ(test, do_alloc(w), 0);
	KUNIT_ASSERT_EQ(test, gh_rm_listen(w->ft->rm, w->vmid, &w->listener), 0);
	set_memory(w, true, 1);
	KUNIT_ASSERT_EQ(test, do_give(w), 0);
	KUNIT_EXPECT_EQ(test, do_configure(w), 0);
	KUNIT_EXPECT_EQ(test, do_init(w), 0);
	KUNIT_EXPECT_EQ(test, do_start(w), -ENODEV);
	KUNIT_EXPECT_EQ(test, do_reset(w), 0);
	wait_for_reset(w);
	KUNIT_EXPECT_EQ(test, do_reclaim(w), 0);
	KUNIT_EXPECT_EQ(test, do_dealloc(w), 0);
	KUNIT_EXPECT_EQ(test, rm_model_vmids(w->m), 0);
}

/* In each of its states, those included in which the VM manager does not ask */
static void resources_are_those_of_a_vm_that_is_configured(struct kunit *test)
{
	struct world *w = new_world(test, RM_POLICY_PRODUCTION);
	struct gh_rm_hyp_resources *resources;

	KUNIT_EXPECT_EQ(test, gh_rm_get_hyp_resources(w->ft->rm, 0x80, &resources, NULL), -EINVAL);
	KUNIT_ASSERT_EQ(test, do_alloc(w), 0);
	KUNIT_ASSERT_EQ(test, gh_rm_listen(w->ft->rm, w->vmid, &w->listener), 0);
	KUNIT_EXPECT_EQ(test, do_get_resources(w), -ENODEV);
	set_memory(w, false, 1);
	KUNIT_ASSERT_EQ(test, do_give(w), 0);
	KUNIT_EXPECT_EQ(test, do_configure(w), 0);
	KUNIT_ASSERT_EQ(test, gh_rm_get_hyp_resources(w->ft->rm, w->vmid, &resources, NULL), 0);
	KUNIT_EXPECT_EQ(test, resources->n, 0);
	kvfree(resources);
	KUNIT_EXPECT_EQ(test, do_init(w), 0);
	KUNIT_EXPECT_EQ(test, do_get_resources(w), 0);
	KUNIT_EXPECT_EQ(test, do_start(w), 0);
	KUNIT_EXPECT_EQ(test, do_get_resources(w), 0);
	KUNIT_EXPECT_EQ(test, do_stop(w), 0);
	KUNIT_EXPECT_EQ(test, do_get_resources(w), 0);
	KUNIT_EXPECT_EQ(test, do_reset(w), 0);
	wait_for_reset(w);
	KUNIT_EXPECT_EQ(test, do_get_resources(w), -ENODEV);
	KUNIT_EXPECT_EQ(test, do_reclaim(w), 0);
	gh_rm_unlisten(w->ft->rm, w->vmid);
	KUNIT_EXPECT_EQ(test, do_dealloc(w), 0);
	KUNIT_EXPECT_EQ(test, do_get_resources(w), -EINVAL);
}

static void vmids_run_out_after_63_and_come_back(struct kunit *test)
{
	struct world *w = new_world(test, RM_POLICY_PRODUCTION);
	unsigned int i;
	u16 vmid;

	for (i = 0; i < 63; i++) {
		KUNIT_ASSERT_EQ(test, gh_rm_alloc_vmid(w->ft->rm, &vmid, NULL), 0);
		KUNIT_EXPECT_EQ(test, vmid, 0x80 + i);
	}
	KUNIT_EXPECT_EQ(test, gh_rm_alloc_vmid(w->ft->rm, &vmid, NULL), -ENODEV);
	for (i = 0; i < 63; i++)
		KUNIT_EXPECT_EQ(test, gh_rm_dealloc_vmid(w->ft->rm, 0x80 + i), 0);
	KUNIT_EXPECT_EQ(test, rm_model_vmids(w->m), 0);
	KUNIT_EXPECT_EQ(test, gh_rm_alloc_vmid(w->ft->rm, &vmid, NULL), 0);
	KUNIT_EXPECT_EQ(test, gh_rm_dealloc_vmid(w->ft->rm, vmid), 0);
}

/*
 * Lives in which one message goes wrong, each in turn
 */

struct action_row {
	const char *name;
	u32 action;
	u32 arg;
	int err;
	bool carried_out;
	bool short_deadline;
};

static const struct action_row action_rows[] = {
	{ "is refused", GH_LAB_FAULT_REFUSE, RM_NOMEM, -ENOMEM },
	{ "is refused with an unknown code", GH_LAB_FAULT_REFUSE, 4711, -EBADMSG },
	{ "is ignored", GH_LAB_FAULT_IGNORE, 0, -ETIMEDOUT, false, true },
	{ "is not answered", GH_LAB_FAULT_NO_REPLY, 0, -ETIMEDOUT, true, true },
	{ "is answered late", GH_LAB_FAULT_DELAY, 1000, -ETIMEDOUT, true, true },
	{ "is answered twice", GH_LAB_FAULT_DUPLICATE, 0, 0, true },
	{ "is answered with nothing", GH_LAB_FAULT_TRUNCATE, 0, -EPROTO, true },
	{ "is answered with half an error code", GH_LAB_FAULT_TRUNCATE, 2, -EPROTO, true },
	{ "is answered with another number", GH_LAB_FAULT_BAD_SEQ, 1, -ETIMEDOUT, true, true },
	{ "is answered with another id", GH_LAB_FAULT_BAD_ID, VM_EXITED, -ETIMEDOUT, true, true },
};

static const struct {
	u32 id;
	const char *name;
} messages[] = {
	{ VM_ALLOC, "VM_ALLOC_VMID" },
	{ MEM_LEND, "MEM_LEND" },
	{ MEM_APPEND, "MEM_APPEND" },
	{ VM_CONFIG, "VM_CONFIG_IMAGE" },
	{ VM_INIT, "VM_INIT" },
	{ VM_GET_RESOURCES, "VM_GET_HYP_RESOURCES" },
	{ VM_START, "VM_START" },
	{ VM_GET_STATE, "VM_GET_STATE" },
	{ VM_STOP, "VM_STOP" },
	{ VM_RESET, "VM_RESET" },
	{ MEM_RECLAIM, "MEM_RECLAIM" },
	{ VM_DEALLOC, "VM_DEALLOC_VMID" },
};

/* Each message with each action: the position in the table of both is the parameter. */
static const u8 faults[ARRAY_SIZE(messages) * ARRAY_SIZE(action_rows)];

static const void *fault_gen_params(const void *prev, char *desc)
{
	const u8 *next = prev ? prev + 1 : faults;
	size_t i = next - faults;

	if (i == ARRAY_SIZE(faults))
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s", messages[i / ARRAY_SIZE(action_rows)].name,
		 action_rows[i % ARRAY_SIZE(action_rows)].name);
	return next;
}

static void add_fault(struct world *w, u32 id, const struct action_row *row)
{
	const struct rm_fault fault = {
		.msg_id = id, .action = row->action, .arg = row->arg, .count = 1,
	};

	mutex_lock(&w->lock);
	rm_model_fault_clear(w->m);
	KUNIT_EXPECT_TRUE(w->test, rm_model_fault_add(w->m, &fault));
	mutex_unlock(&w->lock);
}

static void let_time_pass(struct world *w, u32 ms)
{
	mutex_lock(&w->lock);
	w->now_ms += ms;
	settle(w);
	mutex_unlock(&w->lock);
}

/* What to do so that the life can go on; the call was carried out, but said otherwise. */
static void recover(struct world *w, u32 id, const struct action_row *row)
{
	bool is_late = row->action == GH_LAB_FAULT_DELAY;

	switch (id) {
	case VM_ALLOC:
		if (is_late)
			/* Given back by the driver: wait for that. */
			gh_rm_shutdown(w->ft->rm);
		else
			w->lost_vmids++;
		KUNIT_EXPECT_EQ(w->test, rm_model_vmids(w->m), w->lost_vmids);
		KUNIT_ASSERT_EQ(w->test, do_alloc(w), 0);
		break;
	case MEM_LEND:
		if (is_late) {
			KUNIT_ASSERT_NE(w->test,
					wait_for_completion_timeout(&w->late_called, FAKE_PATIENCE),
					0);
			KUNIT_EXPECT_EQ(w->test, w->mem.state, GH_RM_PARCEL_HELD);
			break;
		}
		KUNIT_EXPECT_EQ(w->test, w->mem.state, GH_RM_PARCEL_UNKNOWN);
		w->lost_parcels++;
		/* That memory cannot be used. */
		w->first_page += 2 * w->mem.n_mem_entries;
		set_memory(w, false, w->mem.n_mem_entries);
		KUNIT_ASSERT_EQ(w->test, do_give(w), 0);
		break;
	case MEM_APPEND:
		/* Reclaimed at once by the driver */
		KUNIT_EXPECT_EQ(w->test, w->mem.state, GH_RM_PARCEL_NONE);
		KUNIT_ASSERT_EQ(w->test, do_give(w), 0);
		break;
	case MEM_RECLAIM:
		KUNIT_EXPECT_EQ(w->test, w->mem.state, GH_RM_PARCEL_HELD);
		KUNIT_EXPECT_EQ(w->test, do_reclaim(w), 0);
		break;
	}
}

/* It was not carried out, and is asked for again. */
static void ask_again(struct world *w, u32 id, int (*step)(struct world *w))
{
	if (id == MEM_LEND && w->mem.state == GH_RM_PARCEL_UNKNOWN) {
		/* Which is not known, so that the memory remains accounted for. */
		w->unknown_parcels++;
		set_memory(w, false, w->mem.n_mem_entries);
	}
	KUNIT_ASSERT_EQ_MSG(w->test, step(w), 0, "message %#x once more", id);
}

static void do_step(struct world *w, u32 id, int (*step)(struct world *w), u32 fail,
		    const struct action_row *row)
{
	bool fails = id == fail || (id == MEM_LEND && fail == MEM_APPEND);

	if (!fails) {
		KUNIT_ASSERT_EQ_MSG(w->test, step(w), 0, "message %#x", id);
		return;
	}

	add_fault(w, fail, row);
	if (row->short_deadline && id == fail) {
		w->ft->timeout_once = true;
		*gh_rm_call_timeout_ms(w->ft->rm) = FAKE_TIMEOUT_SHORT;
	} else if (row->short_deadline) {
		w->fail_after = MEM_LEND;
	}
	KUNIT_EXPECT_EQ_MSG(w->test, step(w), row->err, "message %#x", fail);
	fake_transport_flush(w->ft);
	w->fail_after = 0;
	KUNIT_EXPECT_EQ_MSG(w->test, rm_model_fault_hits(w->m), 1, "message %#x", fail);
	let_time_pass(w, 2000);
	if (!row->err)
		return;
	if (row->carried_out)
		recover(w, fail, row);
	else
		ask_again(w, fail, step);
}

static void life_goes_on_after(struct kunit *test)
{
	size_t i = (const u8 *)test->param_value - faults;
	const struct action_row *row = &action_rows[i % ARRAY_SIZE(action_rows)];
	u32 fail = messages[i / ARRAY_SIZE(action_rows)].id;
	struct world *w = new_world(test, RM_POLICY_PRODUCTION);

	do_step(w, VM_ALLOC, do_alloc, fail, row);
	KUNIT_ASSERT_EQ(test, gh_rm_listen(w->ft->rm, w->vmid, &w->listener), 0);
	/* A message with a short deadline is one packet: that is sent however short it is. */
	set_memory(w, false, fail == MEM_APPEND ? 513 : 1);
	do_step(w, MEM_LEND, do_give, fail, row);
	do_step(w, VM_CONFIG, do_configure, fail, row);
	do_step(w, VM_INIT, do_init, fail, row);
	do_step(w, VM_GET_RESOURCES, do_get_resources, fail, row);
	do_step(w, VM_START, do_start, fail, row);
	do_step(w, VM_GET_STATE, do_get_state, fail, row);
	do_step(w, VM_STOP, do_stop, fail, row);
	do_step(w, VM_RESET, do_reset, fail, row);
	wait_for_reset(w);
	do_step(w, MEM_RECLAIM, do_reclaim, fail, row);
	KUNIT_EXPECT_EQ(test, w->mem.state, GH_RM_PARCEL_NONE);
	gh_rm_unlisten(w->ft->rm, w->vmid);
	do_step(w, VM_DEALLOC, do_dealloc, fail, row);

	KUNIT_EXPECT_EQ_MSG(test, rm_model_vmids(w->m), w->lost_vmids, "message %#x", fail);
	KUNIT_EXPECT_EQ_MSG(test, rm_model_parcels(w->m), w->lost_parcels, "message %#x", fail);
	/* What the resource manager may have that we know nothing of is still accounted for. */
	KUNIT_EXPECT_EQ(test, gh_rm_parcels(w->ft->rm), w->lost_parcels + w->unknown_parcels);
	KUNIT_EXPECT_EQ(test, lent_pages(w), w->lost_parcels);
	while (gh_rm_parcels(w->ft->rm))
		gh_rm_parcel_uncharge(w->ft->rm);
}

/*
 * Notifications that go wrong
 */

struct notif_row {
	const char *name;
	u32 id;
	u32 action;
	u32 arg;
	u32 skip;
	u16 events[9];		/* ended by 0 */
	unsigned int unrouted;
};

#define INIT		GH_RM_VM_STATUS_INIT
#define READY		GH_RM_VM_STATUS_READY
#define RUNNING		GH_RM_VM_STATUS_RUNNING
#define EXITED		GH_RM_VM_STATUS_EXITED
#define RESETTING	GH_RM_VM_STATUS_RESETTING
#define RESET		GH_RM_VM_STATUS_RESET
#define FORCED		(EVENT_EXITED + 7)

static const struct notif_row notif_rows[] = {
	{ "READY is lost", VM_STATUS, GH_LAB_FAULT_DROP, 0, 1,
	  { INIT, RUNNING, EXITED, FORCED, RESETTING, RESET } },
	{ "EXITED is lost", VM_EXITED, GH_LAB_FAULT_DROP, 0, 0,
	  { INIT, READY, RUNNING, EXITED, RESETTING, RESET } },
	{ "EXITED is doubled", VM_EXITED, GH_LAB_FAULT_DUPLICATE, 0, 0,
	  { INIT, READY, RUNNING, EXITED, FORCED, FORCED, RESETTING, RESET } },
	{ "RUNNING is for another VM", VM_STATUS, GH_LAB_FAULT_BAD_VMID, 0x99, 2,
	  { INIT, READY, EXITED, FORCED, RESETTING, RESET }, 1 },
	{ "EXITED is for another VM", VM_EXITED, GH_LAB_FAULT_BAD_VMID, 0x99, 0,
	  { INIT, READY, RUNNING, EXITED, RESETTING, RESET }, 1 },
	{ "RESETTING is truncated", VM_STATUS, GH_LAB_FAULT_TRUNCATE, 4, 4,
	  { INIT, READY, RUNNING, EXITED, FORCED, RESET } },
	{ "EXITED is truncated", VM_EXITED, GH_LAB_FAULT_TRUNCATE, 11, 0,
	  { INIT, READY, RUNNING, EXITED, RESETTING, RESET } },
	{ "status EXITED comes after the exit", VM_STATUS, GH_LAB_FAULT_REORDER, 0, 3,
	  { INIT, READY, RUNNING, FORCED, EXITED, RESETTING, RESET } },
	{ "RUNNING is an unknown state", VM_STATUS, GH_LAB_FAULT_SET_BYTE, 0x4c8, 2,
	  { INIT, READY, 0xc8, EXITED, FORCED, RESETTING, RESET } },
};

KUNIT_ARRAY_PARAM_DESC(notif, notif_rows, name);

static void listener_is_told_what_was_sent(struct kunit *test)
{
	const struct notif_row *row = test->param_value;
	struct world *w = new_world(test, RM_POLICY_PRODUCTION);
	const struct rm_fault fault = {
		.msg_id = row->id, .action = row->action, .arg = row->arg, .skip = row->skip,
		.count = 1,
	};
	unsigned int n;

	KUNIT_ASSERT_EQ(test, do_alloc(w), 0);
	KUNIT_ASSERT_EQ(test, gh_rm_listen(w->ft->rm, w->vmid, &w->listener), 0);
	mutex_lock(&w->lock);
	KUNIT_EXPECT_TRUE(test, rm_model_fault_add(w->m, &fault));
	mutex_unlock(&w->lock);

	set_memory(w, false, 1);
	KUNIT_ASSERT_EQ(test, do_give(w), 0);
	KUNIT_EXPECT_EQ(test, do_configure(w), 0);
	KUNIT_EXPECT_EQ(test, do_init(w), 0);
	KUNIT_EXPECT_EQ(test, do_start(w), 0);
	KUNIT_EXPECT_EQ(test, do_stop(w), 0);
	KUNIT_EXPECT_EQ(test, do_reset(w), 0);
	wait_for_reset(w);
	KUNIT_EXPECT_EQ(test, do_reclaim(w), 0);
	KUNIT_EXPECT_EQ(test, do_dealloc(w), 0);

	for (n = 0; row->events[n]; n++)
		;
	expect_events(w, row->events, n);
	KUNIT_EXPECT_EQ(test, rm_model_fault_hits(w->m), 1);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(w->ft->rm, GH_RM_STAT_UNROUTED), row->unrouted);
}

static struct kunit_case model_cases[] = {
	KUNIT_CASE_PARAM(vm_lives_and_leaves_nothing_behind, life_gen_params),
	KUNIT_CASE(shared_image_is_refused_in_production),
	KUNIT_CASE(resources_are_those_of_a_vm_that_is_configured),
	KUNIT_CASE(vmids_run_out_after_63_and_come_back),
	KUNIT_CASE_PARAM(life_goes_on_after, fault_gen_params),
	KUNIT_CASE_PARAM(listener_is_told_what_was_sent, notif_gen_params),
	{}
};

static struct kunit_suite model_suite = {
	.name = "gunyah_rm_model",
	.test_cases = model_cases,
};

kunit_test_suite(model_suite);

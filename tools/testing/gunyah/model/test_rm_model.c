// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of rm_model: each rule, limit, order and fault by itself. What the model does
 * as a whole is compared with the recordings, see replay.c.
 */
#include <stdlib.h>

#include "../lab_ctl.h"
#include "env.h"
#include "test.h"

#define MEM_DONATE	0x51000010
#define MEM_LEND	0x51000012
#define MEM_SHARE	0x51000013
#define MEM_RELEASE	0x51000014
#define MEM_RECLAIM	0x51000015
#define MEM_NOTIFY	0x51000017
#define MEM_APPEND	0x51000018
#define VM_ALLOCATE	0x56000001
#define VM_DEALLOCATE	0x56000002
#define VM_START	0x56000004
#define VM_STOP		0x56000005
#define VM_RESET	0x56000006
#define VM_CONFIG_IMAGE	0x56000009
#define VM_AUTH_IMAGE	0x5600000a
#define VM_INIT		0x5600000b
#define VM_GET_ID	0x56000010
#define VM_GET_OWNER	0x56000015
#define VM_GET_STATE	0x56000017
#define VM_GET_RESOURCES 0x56000020
#define VM_GET_VMID	0x56000024
#define VM_GET_PEERS	0x56000025
#define VM_IRQ_LEND	0x56000051
#define CONSOLE_WRITE	0x56000083
#define HOST_GET_TYPE	0x560000a0
#define VM_EXITED	0x56100001
#define VM_STATUS	0x56100008
#define MEM_RELEASED	0x51100012

#define NO_ERROR_CODE	0xdeadbeef	/* there was no reply */
#define VM		0x80
#define HOST		3
#define R		4
#define RWX		7
#define IMAGE		ENV_RAM
#define IMAGE_SIZE	0x200000ull
#define DTB_OFFSET	0x100000ull
#define DTB_SIZE	0x10000ull

/* ---- a host ---- */

/* A message under construction */
struct buf {
	uint32_t len;
	uint8_t data[ENV_MESSAGE];
};

static struct buf buf;
/* What the last call brought */
static struct message reply;
static struct message notes[64];
static uint32_t n_notes;
static uint16_t seq;

static void put(uint64_t value, uint32_t bytes)
{
	while (bytes--) {
		buf.data[buf.len++] = (uint8_t)value;
		value >>= 8;
	}
}

static void open_model(void)
{
	env_open(RM_POLICY_PRODUCTION, 4096);
	n_notes = 0;
	seq = 0x100;
}

static void take_notes(void)
{
	static struct message msg;

	n_notes = 0;
	while (env_take(&msg)) {
		CHECK_EQ(msg.type, NOTIFICATION);
		if (CHECK(n_notes < ARRAY_SIZE(notes)))
			notes[n_notes++] = msg;
	}
}

/* Send what is in buf, and return the error code of the reply, which comes last. */
static uint32_t call(uint32_t id)
{
	static struct message msg;
	bool replied = false;

	n_notes = 0;
	env_request(++seq, id, buf.data, buf.len);
	buf.len = 0;
	while (env_take(&msg)) {
		CHECK(!replied);
		if (msg.type == NOTIFICATION) {
			if (CHECK(n_notes < ARRAY_SIZE(notes)))
				notes[n_notes++] = msg;
			continue;
		}
		CHECK_EQ(msg.type, REPLY);
		CHECK_EQ(msg.id, id);
		CHECK_EQ(msg.seq, seq);
		CHECK(msg.len >= 4);
		reply = msg;
		replied = true;
	}
	if (!replied)
		return NO_ERROR_CODE;
	if (le32(reply.data))
		CHECK_EQ(reply.len, 4);
	return le32(reply.data);
}

static uint32_t call_vmid(uint32_t id, uint16_t vmid)
{
	put(vmid, 4);
	return call(id);
}

static uint16_t vm_alloc(void)
{
	CHECK_EQ(call_vmid(VM_ALLOCATE, 0), RM_OK);
	CHECK_EQ(reply.len, 8);
	return le16(reply.data + 4);
}

static uint32_t vm_stop(uint16_t vmid, bool force)
{
	put(vmid, 2);
	put(force, 2);
	put(3, 4);
	return call(VM_STOP);
}

static uint32_t vm_config(uint16_t vmid, uint16_t auth, uint32_t handle, uint64_t image_off,
			  uint64_t image_size, uint64_t dtb_off, uint64_t dtb_size)
{
	put(vmid, 2);
	put(auth, 2);
	put(handle, 4);
	put(image_off, 8);
	put(image_size, 8);
	put(dtb_off, 8);
	put(dtb_size, 8);
	return call(VM_CONFIG_IMAGE);
}

static void put_header(uint8_t type, uint8_t flags, uint32_t label)
{
	put(type, 2);
	put(flags, 2);
	put(label, 4);
}

static void put_acl(uint16_t vmid, uint8_t rights)
{
	put(vmid, 2);
	put(rights, 2);
}

static void put_entry(uint64_t addr, uint64_t size)
{
	put(addr, 8);
	put(size, 8);
}

/* A parcel of one entry, for one guest; shared ones list the host as well. */
static uint32_t mem_create(uint32_t id, uint8_t flags, uint32_t label, uint16_t vmid,
			   uint64_t addr, uint64_t size, uint32_t *handle)
{
	uint32_t error;

	put_header(0, flags, label);
	put(id == MEM_SHARE ? 2 : 1, 4);
	put_acl(vmid, RWX);
	if (id == MEM_SHARE)
		put_acl(HOST, RWX);
	put(1, 4);
	put_entry(addr, size);
	put(0, 4);
	error = call(id);
	if (!error) {
		CHECK_EQ(reply.len, 8);
		*handle = le32(reply.data + 4);
	}
	return error;
}

static uint32_t mem_reclaim(uint32_t handle, uint8_t flags)
{
	put(handle, 4);
	put(flags, 4);
	return call(MEM_RECLAIM);
}

static uint32_t mem_append1(uint32_t handle, uint8_t flags, uint64_t addr, uint64_t size)
{
	put(handle, 4);
	put(flags, 4);
	put(1, 4);
	put_entry(addr, size);
	return call(MEM_APPEND);
}

static uint32_t lend_image(uint16_t vmid)
{
	uint32_t handle = 0;

	CHECK_EQ(mem_create(MEM_LEND, 0, 0, vmid, IMAGE, IMAGE_SIZE, &handle), RM_OK);
	return handle;
}

static uint32_t config_image(uint16_t vmid, uint16_t auth, uint32_t handle)
{
	return vm_config(vmid, auth, handle, 0, 0, DTB_OFFSET, DTB_SIZE);
}

static bool is_status(const struct message *msg, uint16_t vmid, uint8_t state)
{
	return msg->id == VM_STATUS && msg->len == 8 && le32(msg->data) == vmid &&
	       le32(msg->data + 4) == state;
}

/* The last call caused just this one notification, before its reply. */
static bool one_status(uint16_t vmid, uint8_t state)
{
	return n_notes == 1 && is_status(&notes[0], vmid, state);
}

static bool is_released(const struct message *msg, uint32_t handle, uint16_t vmid)
{
	return msg->id == MEM_RELEASED && msg->len == 12 && le32(msg->data) == handle &&
	       le32(msg->data + 4) == vmid && !le32(msg->data + 8);
}

static void finish_reset(uint16_t vmid)
{
	while (rm_model_poll(env.m, env.now_ms))
		;
	take_notes();
	CHECK_EQ(rm_model_vm_state(env.m, vmid), RM_VM_RESET);
}

/* Takes a new VM to a state and returns its image's handle. */
static uint32_t vm_to(uint16_t vmid, enum rm_vm_state state)
{
	static const uint32_t reason[1];
	uint32_t handle;

	CHECK_EQ(vm_alloc(), vmid);
	handle = lend_image(vmid);
	if (state == RM_VM_LOAD)
		return handle;
	CHECK_EQ(config_image(vmid, state == RM_VM_AUTH, handle), RM_OK);
	if (state == RM_VM_INIT || state == RM_VM_AUTH)
		return handle;
	if (state == RM_VM_INIT_FAILED) {
		env.init_error = RM_MEM_INVALID;
		CHECK_EQ(call_vmid(VM_INIT, vmid), RM_MEM_INVALID);
		env.init_error = 0;
		return handle;
	}
	CHECK_EQ(call_vmid(VM_INIT, vmid), RM_OK);
	if (state == RM_VM_READY)
		return handle;
	CHECK_EQ(call_vmid(VM_START, vmid), RM_OK);
	if (state == RM_VM_RUNNING)
		return handle;
	rm_model_guest_exited(env.m, vmid, 1, reason, 1);
	take_notes();
	if (state == RM_VM_EXITED)
		return handle;
	CHECK_EQ(call_vmid(VM_RESET, vmid), RM_OK);
	if (state == RM_VM_RESETTING)
		return handle;
	finish_reset(vmid);
	return handle;
}

/* ---- transport ---- */

static bool answered(void)
{
	return env_take(&reply);
}

static void bad_packets_are_dropped(void)
{
	uint8_t big[240] = { 0 };
	uint32_t i;

	open_model();
	for (i = 0; i < 8; i++)
		rm_model_receive(env.m, "\x21\x01\x01\x00\x24\x00\x00\x56", i);
	env_packet(0x22, REQUEST, 0, 1, VM_GET_VMID, NULL, 0);
	env_packet(0x20, REQUEST, 0, 1, VM_GET_VMID, NULL, 0);
	env_packet(0x11, REQUEST, 0, 1, VM_GET_VMID, NULL, 0);
	env_packet(0x31, REQUEST, 0, 1, VM_GET_VMID, NULL, 0);
	env_packet(0x21, REQUEST, 63, 1, VM_GET_VMID, NULL, 0);
	env_packet(0x21, REPLY, 0, 1, VM_GET_VMID, NULL, 0);
	env_packet(0x21, NOTIFICATION, 0, 1, VM_GET_VMID, NULL, 0);
	env_packet(0x21, CONTINUATION, 0, 1, VM_GET_VMID, NULL, 0);
	env_packet(0x21, CONTINUATION, 1, 1, VM_GET_VMID, NULL, 0);
	env_packet(0x21, REQUEST, 0, 1, VM_GET_VMID, big, 233);
	CHECK(!answered());
	rm_model_receive(env.m, "\x21\x01\x01\x00\x24\x00\x00\x56", 8);
	CHECK(answered());
	CHECK_EQ(reply.seq, 1);
	CHECK_EQ(reply.len, 8);
	env_close();
}

static void fragments_are_put_together(void)
{
	open_model();
	/* Pieces of any size, an empty one among them */
	env_packet(0x21, REQUEST, 3, 7, VM_ALLOCATE, "\0", 1);
	env_packet(0x21, CONTINUATION, 3, 7, VM_ALLOCATE, NULL, 0);
	env_packet(0x21, CONTINUATION, 3, 7, VM_ALLOCATE, "\0\0", 2);
	CHECK(!answered());
	env_packet(0x21, CONTINUATION, 3, 7, VM_ALLOCATE, "\0", 1);
	CHECK(answered());
	CHECK_EQ(reply.seq, 7);
	CHECK_EQ(le32(reply.data + 4), VM);
	/* It is complete: one more has no start. */
	env_packet(0x21, CONTINUATION, 3, 7, VM_ALLOCATE, "\0", 1);
	CHECK(!answered());
	env_close();
}

static void foreign_continuations_are_dropped(void)
{
	open_model();
	env_packet(0x21, REQUEST, 1, 7, VM_ALLOCATE, "\0\0", 2);
	env_packet(0x21, CONTINUATION, 1, 8, VM_ALLOCATE, "\0\0", 2);
	env_packet(0x21, CONTINUATION, 1, 7, VM_DEALLOCATE, "\0\0", 2);
	env_packet(0x21, CONTINUATION, 2, 7, VM_ALLOCATE, "\0\0", 2);
	/* Nor does a start that is itself wrong take its place. */
	env_packet(0x21, REQUEST, 63, 7, VM_ALLOCATE, "\0\0", 2);
	env_packet(0x20, REQUEST, 0, 7, VM_ALLOCATE, "\0\0", 2);
	CHECK(!answered());
	env_packet(0x21, CONTINUATION, 1, 7, VM_ALLOCATE, "\0\0", 2);
	CHECK(answered());
	CHECK_EQ(le32(reply.data), RM_OK);
	env_close();
}

static void a_new_message_ends_a_partial_one(void)
{
	uint8_t type;

	for (type = REQUEST; type <= NOTIFICATION; type++) {
		open_model();
		env_packet(0x21, REQUEST, 1, 7, VM_ALLOCATE, "\0\0", 2);
		env_packet(0x21, type, 0, 8, VM_GET_VMID, NULL, 0);
		CHECK_EQ(answered(), type == REQUEST);
		env_packet(0x21, CONTINUATION, 1, 7, VM_ALLOCATE, "\0\0", 2);
		CHECK(!answered());
		CHECK_EQ(rm_model_vmids(env.m), 0);
		env_close();
	}
}

static void the_longest_message(void)
{
	open_model();
	put(0, 8);
	while (buf.len < ENV_MESSAGE)
		put(0xa5, 1);
	CHECK_EQ(call(MEM_LEND), RM_MSG_INVALID);
	put(1, ENV_MESSAGE);
	CHECK_EQ(call(0x56007777), RM_UNIMPLEMENTED);
	env_close();
}

static void long_replies_are_fragmented(void)
{
	static struct rm_resource res[400];
	uint32_t sizes[] = { 0, 1, 5, 6, 300, 332, 333, 400 }, i, k;

	for (i = 0; i < ARRAY_SIZE(res); i++) {
		res[i] = (struct rm_resource){
			.type = 6, .partner_vmid = VM, .label = i, .capid = 0x1122334455667788,
			.virq = 32 + i, .base = 0x1000000000ull * i, .size = 0x8000000000000200,
		};
	}
	open_model();
	vm_to(VM, RM_VM_READY);
	env.resources = res;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t n = sizes[i] > 332 ? 332 : sizes[i];

		env.n_resources = sizes[i];
		CHECK_EQ(call_vmid(VM_GET_RESOURCES, VM), RM_OK);
		CHECK_EQ(le32(reply.data + 4), n);
		CHECK_EQ(reply.len, 8 + 44 * n);
		for (k = 0; k < n; k++) {
			uint8_t *e = reply.data + 8 + 44 * k;

			CHECK_EQ(le32(e), 6 | VM << 16);
			CHECK_EQ(le32(e + 4), 0);
			CHECK_EQ(le32(e + 8), k);
			CHECK_EQ(le32(e + 12), 0x55667788);
			CHECK_EQ(le32(e + 16), 0x11223344);
			CHECK_EQ(le32(e + 20), 0);
			CHECK_EQ(le32(e + 24), 32 + k);
			CHECK_EQ(le32(e + 28), 0);
			CHECK_EQ(le32(e + 32), 16 * k);
			CHECK_EQ(le32(e + 36), 0x200);
			CHECK_EQ(le32(e + 40), 0x80000000);
		}
	}
	env_close();
}

static void a_long_reply_waits_for_room(void)
{
	static struct rm_resource res[100];

	open_model();
	vm_to(VM, RM_VM_READY);
	env.resources = res;
	env.n_resources = ARRAY_SIZE(res);
	env.depth = 8;
	CHECK_EQ(call_vmid(VM_GET_RESOURCES, VM), RM_OK);
	CHECK_EQ(reply.len, 8 + 44 * 100);
	CHECK(!rm_model_poll(env.m, 0));
	env_close();
}

static void a_second_reply_drops_the_first(void)
{
	open_model();
	env.depth = 0;
	env_request(1, VM_GET_VMID, NULL, 0);
	CHECK(rm_model_poll(env.m, 0));
	env_request(2, VM_GET_OWNER, NULL, 0);
	env.depth = 8;
	CHECK(!rm_model_poll(env.m, 0));
	CHECK(answered());
	CHECK_EQ(reply.seq, 2);
	CHECK_EQ(reply.id, VM_GET_OWNER);
	CHECK(!answered());
	/* One that is in the queue is safe. */
	env_request(3, VM_GET_VMID, NULL, 0);
	env_request(4, VM_GET_OWNER, NULL, 0);
	CHECK(answered());
	CHECK_EQ(reply.seq, 3);
	CHECK(answered());
	CHECK_EQ(reply.seq, 4);
	env_close();
}

static void a_reply_can_be_dropped_half_way(void)
{
	static struct rm_resource res[20];
	const struct packet *p;
	uint32_t i;

	open_model();
	vm_to(VM, RM_VM_READY);
	env.resources = res;
	env.n_resources = ARRAY_SIZE(res);
	env.depth = 2;
	env_request(1, VM_GET_RESOURCES, "\x80\0\0\0", 4);
	env_request(2, VM_GET_OWNER, NULL, 0);
	for (i = 0; i < 2; i++) {
		CHECK(env_take_packet(&p));
		CHECK_EQ(le16(p->data + 2), 1);
	}
	CHECK(!rm_model_poll(env.m, 0));
	CHECK(answered());
	CHECK_EQ(reply.seq, 2);
	CHECK_EQ(reply.len, 8);
	CHECK(!answered());
	env_close();
}

static void order_survives_a_full_queue(void)
{
	uint32_t handle;

	open_model();
	CHECK_EQ(vm_alloc(), VM);
	handle = lend_image(VM);
	env.depth = 0;
	CHECK_EQ(config_image(VM, 0, handle), NO_ERROR_CODE);
	env.depth = 1;
	CHECK(rm_model_poll(env.m, 0));
	CHECK(answered());
	CHECK(is_status(&reply, VM, RM_VM_INIT));
	CHECK(!rm_model_poll(env.m, 0));
	CHECK(answered());
	CHECK_EQ(reply.id, VM_CONFIG_IMAGE);
	env_close();
}

static void the_oldest_notification_is_lost(void)
{
	uint32_t handle, i, n = 0;

	open_model();
	CHECK_EQ(vm_alloc(), VM);
	handle = lend_image(VM);
	env.depth = 0;
	/* Four notifications a round: INIT, READY, RESETTING, RESET */
	for (i = 0; i < 70; i++) {
		config_image(VM, 0, handle);
		call_vmid(VM_INIT, VM);
		call_vmid(VM_RESET, VM);
		rm_model_poll(env.m, 0);
		rm_model_poll(env.m, 0);
	}
	env.depth = ENV_QUEUE;
	rm_model_poll(env.m, 0);
	while (answered()) {
		/* The one pending reply comes where it belongs: to the last RESET */
		if (reply.type == REPLY) {
			CHECK_EQ(reply.id, VM_RESET);
			CHECK_EQ(n, 255);
			continue;
		}
		CHECK_EQ(reply.seq, 280 - 256 + n);
		n++;
	}
	CHECK_EQ(n, 256);
	env_close();
}

static void notifications_have_their_own_numbers(void)
{
	uint32_t handle;

	open_model();
	seq = 0x7000;
	CHECK_EQ(vm_alloc(), VM);
	handle = lend_image(VM);
	CHECK_EQ(config_image(VM, 0, handle), RM_OK);
	CHECK_EQ(notes[0].seq, 0);
	CHECK_EQ(call_vmid(VM_INIT, VM), RM_OK);
	CHECK_EQ(notes[0].seq, 1);
	CHECK_EQ(call_vmid(VM_START, VM), RM_OK);
	CHECK_EQ(notes[0].seq, 2);
	/* The guest's SHUTDOWN takes number 3. */
	CHECK_EQ(vm_stop(VM, false), RM_OK);
	CHECK_EQ(n_notes, 0);
	CHECK_EQ(vm_stop(VM, true), RM_OK);
	CHECK_EQ(n_notes, 2);
	CHECK_EQ(notes[0].seq, 4);
	CHECK_EQ(notes[1].seq, 5);
	env_close();
}

/* ---- lengths ---- */

static void exact_lengths(void)
{
	static const struct {
		uint32_t id;
		uint32_t len;
	} calls[] = {
		{ VM_ALLOCATE, 4 }, { VM_DEALLOCATE, 4 }, { VM_START, 4 }, { VM_STOP, 8 },
		{ VM_RESET, 4 }, { VM_CONFIG_IMAGE, 40 }, { VM_INIT, 4 }, { VM_GET_ID, 4 },
		{ VM_GET_OWNER, 0 }, { VM_GET_STATE, 4 }, { VM_GET_RESOURCES, 4 },
		{ VM_GET_VMID, 0 }, { VM_GET_PEERS, 0 }, { HOST_GET_TYPE, 0 },
	};
	uint32_t i, len;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (len = 0; len <= 300; len++) {
			open_model();
			/* A VM in LOAD state, and the request is about it */
			CHECK_EQ(vm_alloc(), VM);
			put(VM, len);
			if (len == calls[i].len && calls[i].id == VM_RESET) {
				buf.len = 0;
				env_close();
				continue;
			}
			if (len == calls[i].len)
				CHECK(call(calls[i].id) != RM_MSG_INVALID);
			else
				CHECK_EQ(call(calls[i].id), RM_MSG_INVALID);
			CHECK(!env.died);
			env_close();
		}
	}
}

static void minimal_lengths(void)
{
	uint32_t len;

	open_model();
	for (len = 0; len < 32; len++) {
		put(0x55, len);
		CHECK_EQ(call(MEM_RECLAIM), len < 8 ? RM_MSG_INVALID : RM_HANDLE_INVALID);
		put(0x55, len);
		CHECK_EQ(call(MEM_RELEASE), len < 8 ? RM_MSG_INVALID : RM_HANDLE_INVALID);
		put(0, len);
		CHECK_EQ(call(MEM_LEND), len == 20 ? RM_ARGUMENT_INVALID : RM_MSG_INVALID);
		put(0, len);
		CHECK_EQ(call(MEM_SHARE), len == 20 ? RM_ARGUMENT_INVALID : RM_MSG_INVALID);
		put(0, len);
		CHECK_EQ(call(MEM_DONATE), len < 20 ? RM_MSG_INVALID : RM_DENIED);
		put(0x55, len);
		CHECK_EQ(call(MEM_APPEND), len == 12 ? RM_HANDLE_INVALID : RM_MSG_INVALID);
		put(0x55, len);
		CHECK_EQ(call(MEM_NOTIFY), len == 12 || len == 16 ? RM_HANDLE_INVALID :
								    RM_MSG_INVALID);
		put(0x55, len);
		CHECK_EQ(call(VM_AUTH_IMAGE), len == 4 ? RM_VMID_INVALID : RM_MSG_INVALID);
	}
	/* Two parameters announced */
	for (len = 0; len < 32; len++) {
		put(0x55, 2);
		put(2, 2);
		put(0, len);
		CHECK_EQ(call(VM_AUTH_IMAGE), len == 16 ? RM_VMID_INVALID : RM_MSG_INVALID);
	}
	env_close();
}

static void list_lengths(void)
{
	uint32_t acls, entries, attrs, cut, i, want;

	open_model();
	CHECK_EQ(vm_alloc(), VM);
	for (acls = 1; acls <= 2; acls++) {
		for (entries = 1; entries <= 2; entries++) {
			for (attrs = 0; attrs <= 2; attrs++) {
				want = 20 + 4 * acls + 16 * entries + 4 * attrs;
				for (cut = 0; cut <= want + 4; cut++) {
					uint32_t handle;

					put_header(0, 0, 0);
					put(acls, 4);
					put_acl(VM, RWX);
					if (acls == 2)
						put_acl(31, R);
					put(entries, 4);
					for (i = 0; i < entries; i++)
						put_entry(ENV_RAM + i * 0x1000, 0x1000);
					put(attrs, 4);
					put(0, 4 * attrs + 4);
					buf.len = cut;
					if (cut != want) {
						CHECK_EQ(call(MEM_LEND), RM_MSG_INVALID);
						continue;
					}
					CHECK_EQ(call(MEM_LEND), RM_OK);
					handle = le32(reply.data + 4);
					CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
				}
			}
		}
	}
	/* A count that a multiplication by 16 would wrap, and one above the limit */
	put_header(0, 0, 0);
	put(1, 4);
	put_acl(VM, RWX);
	put(0xffff, 4);
	put(0, 4);
	CHECK_EQ(call(MEM_LEND), RM_MSG_INVALID);
	env_close();
}

/* ---- VMIDs ---- */

static void dynamic_vmids(void)
{
	uint16_t i;

	open_model();
	for (i = 0; i < 63; i++) {
		CHECK_EQ(vm_alloc(), VM + i);
		CHECK_EQ(n_notes, 0);
	}
	CHECK_EQ(call_vmid(VM_ALLOCATE, 0), RM_NORESOURCE);
	CHECK_EQ(rm_model_vmids(env.m), 63);
	/* The lowest free one is next. */
	CHECK_EQ(call_vmid(VM_DEALLOCATE, VM + 40), RM_OK);
	CHECK_EQ(n_notes, 0);
	CHECK_EQ(call_vmid(VM_DEALLOCATE, VM + 5), RM_OK);
	CHECK_EQ(vm_alloc(), VM + 5);
	CHECK_EQ(vm_alloc(), VM + 40);
	CHECK_EQ(call_vmid(VM_ALLOCATE, 0), RM_NORESOURCE);
	/* The others are still to be had. */
	for (i = 4; i < 32; i++)
		CHECK_EQ(call_vmid(VM_ALLOCATE, i), RM_OK);
	CHECK_EQ(rm_model_vmids(env.m), 91);
	CHECK_EQ(call(VM_GET_PEERS), RM_OK);
	CHECK_EQ(reply.len, 8 + 4 * 91);
	env_close();
}

static void secondary_vmids(void)
{
	uint32_t vmid;

	open_model();
	for (vmid = 1; vmid < 0x200; vmid++) {
		if (vmid >= 4 && vmid < 32) {
			CHECK_EQ(call_vmid(VM_ALLOCATE, (uint16_t)vmid), RM_OK);
			CHECK_EQ(reply.len, 4);
		}
		CHECK_EQ(call_vmid(VM_ALLOCATE, (uint16_t)vmid), RM_NORESOURCE);
	}
	env_close();
}

static void peers_in_order_of_allocation(void)
{
	open_model();
	vm_alloc();
	vm_alloc();
	CHECK_EQ(call_vmid(VM_ALLOCATE, 24), RM_OK);
	CHECK_EQ(call_vmid(VM_DEALLOCATE, VM), RM_OK);
	CHECK_EQ(vm_alloc(), VM);
	CHECK_EQ(call(VM_GET_PEERS), RM_OK);
	CHECK_EQ(reply.len, 20);
	CHECK_EQ(le32(reply.data + 4), 3);
	CHECK_EQ(le32(reply.data + 8), VM + 1);
	CHECK_EQ(le32(reply.data + 12), 24);
	CHECK_EQ(le32(reply.data + 16), VM);
	env_close();
}

static void unknown_vmids(void)
{
	static const uint16_t vmids[] = { 0, 3, 0x63, VM, 0xbf, 255, 0xffff };
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(vmids); i++) {
		open_model();
		CHECK_EQ(call_vmid(VM_START, vmids[i]), RM_VMID_INVALID);
		CHECK_EQ(call_vmid(VM_RESET, vmids[i]), RM_VMID_INVALID);
		CHECK_EQ(call_vmid(VM_INIT, vmids[i]), RM_VMID_INVALID);
		CHECK_EQ(vm_stop(vmids[i], true), RM_VMID_INVALID);
		CHECK_EQ(vm_stop(vmids[i], false), RM_VMID_INVALID);
		CHECK_EQ(config_image(vmids[i], 0, 0), RM_VMID_INVALID);
		CHECK_EQ(call_vmid(VM_AUTH_IMAGE, vmids[i]), RM_VMID_INVALID);
		CHECK_EQ(call_vmid(VM_GET_STATE, vmids[i]),
			 !vmids[i] || vmids[i] == HOST ? RM_OK : RM_NORESOURCE);
		CHECK_EQ(call_vmid(VM_GET_RESOURCES, vmids[i]),
			 vmids[i] == HOST || vmids[i] == 255 ? RM_OK : RM_ARGUMENT_INVALID);
		CHECK_EQ(n_notes, 0);
		CHECK(!env.died);
		env_close();
	}
}

/* ---- each message in each state ---- */

static void states(void)
{
	enum { START, STOP, RESET, CONFIG, AUTH, INIT, DEALLOC, RESOURCES, N_CALLS };
	static const uint32_t S = RM_VM_STATE;
	/* Die: the model is to call die() */
	enum { DIE = 0x1000 };
	static const struct {
		enum rm_vm_state state;
		uint32_t want[N_CALLS];
	} rows[] = {
		/*		     START STOP RESET CONF AUTH INIT DEALL RESOURCES */
		{ RM_VM_LOAD,	     { 0x14, 0x14, DIE, 0, 0x14, 0x14, 0, RM_NORESOURCE } },
		{ RM_VM_INIT,	     { 0x14, 0x14, 0x14, 0x14, 0x14, 0, 0x14, 0 } },
		{ RM_VM_AUTH,	     { 0x14, 0x14, 0x14, 0x14, 0, 0x14, 0x14, 0 } },
		{ RM_VM_READY,	     { 0, 0x14, 0, 0x14, 0x14, 0x14, 0x14, 0 } },
		{ RM_VM_RUNNING,     { 0x14, 0, 0x14, 0x14, 0x14, 0x14, 0x14, 0 } },
		{ RM_VM_EXITED,	     { 0x14, 0x14, 0, 0x14, 0x14, 0x14, 0x14, 0 } },
		{ RM_VM_INIT_FAILED, { 0x14, 0x14, 0, 0x14, 0x14, 0x14, 0x14, 0 } },
		{ RM_VM_RESETTING,   { 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0 } },
		{ RM_VM_RESET,	     { 0x14, 0x14, 0x14, 0, 0x14, 0x14, 0, RM_NORESOURCE } },
	};
	static const enum rm_vm_state next[N_CALLS] = {
		RM_VM_RUNNING, RM_VM_EXITED, RM_VM_RESETTING, RM_VM_INIT, RM_VM_INIT,
		RM_VM_READY, RM_VM_NONE,
	};
	uint32_t row, what, handle, error, want;

	for (row = 0; row < ARRAY_SIZE(rows); row++) {
		for (what = 0; what < N_CALLS; what++) {
			enum rm_vm_state state = rows[row].state;

			open_model();
			handle = vm_to(VM, state);
			CHECK_EQ(rm_model_vm_state(env.m, VM), state);
			CHECK_EQ(call_vmid(VM_GET_STATE, VM), RM_OK);
			CHECK_EQ(reply.len, 8);
			CHECK_EQ(le32(reply.data + 4), state);
			switch (what) {
			case START:
				error = call_vmid(VM_START, VM);
				break;
			case STOP:
				error = vm_stop(VM, true);
				break;
			case RESET:
				error = call_vmid(VM_RESET, VM);
				break;
			case CONFIG:
				error = config_image(VM, 0, handle);
				break;
			case AUTH:
				error = call_vmid(VM_AUTH_IMAGE, VM);
				break;
			case INIT:
				error = call_vmid(VM_INIT, VM);
				break;
			case DEALLOC:
				error = call_vmid(VM_DEALLOCATE, VM);
				break;
			default:
				error = call_vmid(VM_GET_RESOURCES, VM);
				break;
			}
			want = rows[row].want[what];
			if (want == DIE) {
				CHECK_EQ(error, NO_ERROR_CODE);
				CHECK(env.died);
			} else {
				CHECK_EQ(error, want);
				CHECK(!env.died);
			}
			if (want || what == RESOURCES) {
				CHECK_EQ(n_notes, 0);
				CHECK_EQ(rm_model_vm_state(env.m, VM), state);
				if (want == S)
					CHECK_EQ(env.kills, state >= RM_VM_RESETTING);
			} else {
				CHECK_EQ(rm_model_vm_state(env.m, VM), next[what]);
				if (what == DEALLOC)
					CHECK_EQ(n_notes, 0);
				else
					CHECK(n_notes && is_status(&notes[0], VM, next[what]));
			}
			if (error == RM_OK && what == STOP)
				CHECK_EQ(n_notes, 2);
			env_close();
		}
	}
}

/* ---- memory parcels ---- */

static uint32_t create_acl(uint32_t id, const uint16_t *vmids, const uint8_t *rights, uint32_t n)
{
	uint32_t i, error, handle;

	put_header(0, 0, 0);
	put(n, 4);
	for (i = 0; i < n; i++)
		put_acl(vmids[i], rights[i]);
	put(1, 4);
	put_entry(IMAGE, 0x1000);
	put(0, 4);
	error = call(id);
	if (!error) {
		handle = le32(reply.data + 4);
		CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	}
	return error;
}

static void acl_rules(void)
{
	uint16_t vmids[128];
	uint8_t rights[128];
	uint32_t i;

	open_model();
	vm_alloc();
	memset(rights, RWX, sizeof(rights));
	for (i = 0; i < 256; i++) {
		vmids[0] = VM;
		rights[0] = (uint8_t)i;
		CHECK_EQ(create_acl(MEM_LEND, vmids, rights, 1),
			 i >= 4 && i <= 7 ? RM_OK : RM_ARGUMENT_INVALID);
	}
	rights[0] = R;
	for (i = 0; i < 0x10000; i++) {
		bool good = i == VM || (i >= 4 && i < 32) || i == 255;

		vmids[0] = (uint16_t)i;
		CHECK_EQ(create_acl(MEM_LEND, vmids, rights, 1),
			 good ? RM_OK : RM_ARGUMENT_INVALID);
		if (i == HOST)
			continue;
		vmids[1] = HOST;
		CHECK_EQ(create_acl(MEM_SHARE, vmids, rights, 2),
			 good ? RM_OK : RM_ARGUMENT_INVALID);
	}
	vmids[0] = VM;
	CHECK_EQ(create_acl(MEM_SHARE, vmids, rights, 1), RM_ARGUMENT_INVALID);
	vmids[1] = HOST;
	CHECK_EQ(create_acl(MEM_LEND, vmids, rights, 2), RM_ARGUMENT_INVALID);
	vmids[1] = VM;
	CHECK_EQ(create_acl(MEM_LEND, vmids, rights, 2), RM_ARGUMENT_INVALID);
	vmids[1] = 4;
	CHECK_EQ(create_acl(MEM_LEND, vmids, rights, 2), RM_OK);
	CHECK_EQ(create_acl(MEM_LEND, vmids, rights, 0), RM_ARGUMENT_INVALID);
	/* The most that an ACL can hold: all VMs, the manager and the host */
	for (i = 0; i < 62; i++)
		vm_alloc();
	for (i = 0; i < 63; i++)
		vmids[i] = (uint16_t)(VM + i);
	for (i = 4; i < 32; i++)
		vmids[63 + i - 4] = (uint16_t)i;
	vmids[91] = 255;
	CHECK_EQ(create_acl(MEM_LEND, vmids, rights, 92), RM_OK);
	vmids[92] = HOST;
	CHECK_EQ(create_acl(MEM_SHARE, vmids, rights, 93), RM_OK);
	CHECK_EQ(env.lent_pages, 0);
	env_close();
}

static void entry_rules(void)
{
	static const struct {
		uint64_t addr, size;
		uint32_t error;
	} rows[] = {
		{ IMAGE, 0x1000, RM_OK },
		{ IMAGE + 8, 0x1000, RM_ARGUMENT_INVALID },
		{ IMAGE, 0x1008, RM_ARGUMENT_INVALID },
		{ IMAGE, 0, RM_MEM_INVALID },
		{ 0, 0, RM_MEM_INVALID },
		{ 0x90000000, 0x1000, RM_MEM_INVALID },
		{ 0, 0x1000, RM_MEM_INVALID },
		{ ENV_RAM - 0x1000, 0x2000, RM_MEM_INVALID },
		{ ENV_RAM + ENV_RAM_SIZE - 0x1000, 0x1000, RM_OK },
		{ ENV_RAM + ENV_RAM_SIZE - 0x1000, 0x2000, RM_MEM_INVALID },
		{ 0xfffffffffffff000, 0x1000, RM_MEM_INVALID },
		{ 0xfffffffffffff000, 0x2000, RM_MEM_INVALID },
		{ IMAGE, 0xfffffffffffff000, RM_MEM_INVALID },
		{ IMAGE, ENV_RAM_SIZE, RM_OK },
	};
	uint32_t i, handle, ids[] = { MEM_LEND, MEM_SHARE }, k;

	open_model();
	vm_alloc();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (k = 0; k < 2; k++) {
			CHECK_EQ(mem_create(ids[k], 0, 0, VM, rows[i].addr, rows[i].size, &handle),
				 rows[i].error);
			if (rows[i].error)
				continue;
			CHECK_EQ(env.lent_pages, k ? 0 : rows[i].size / 0x1000);
			CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
		}
	}
	/* I/O memory is not the host's to give. */
	put_header(1, 0, 0);
	put(1, 4);
	put_acl(VM, RWX);
	put(1, 4);
	put_entry(IMAGE, 0x1000);
	put(0, 4);
	CHECK_EQ(call(MEM_LEND), RM_MEM_INVALID);
	CHECK_EQ(env.lent_pages, 0);
	CHECK_EQ(rm_model_parcels(env.m), 0);
	env_close();
}

static void no_page_twice(void)
{
	static const uint32_t ids[] = { MEM_LEND, MEM_SHARE };
	uint32_t first, second, handle, other, k;

	for (k = 0; k < 2; k++) {
		open_model();
		vm_alloc();
		/* In one list, overlapping by a page at the end */
		put_header(0, 0, 0);
		put(1 + k, 4);
		put_acl(VM, RWX);
		if (k)
			put_acl(HOST, RWX);
		put(3, 4);
		put_entry(IMAGE + 0x10000, 0x4000);
		put_entry(IMAGE, 0x1000);
		put_entry(IMAGE + 0xe000, 0x3000);
		put(0, 4);
		CHECK_EQ(call(ids[k]), RM_MEM_INVALID);
		CHECK_EQ(env.lent_pages, 0);
		env_close();
	}
	/* In two parcels, of any kinds */
	for (first = 0; first < 2; first++) {
		for (second = 0; second < 2; second++) {
			open_model();
			vm_alloc();
			CHECK_EQ(mem_create(ids[first], 0, 0, VM, IMAGE + 0x4000, 0x4000, &handle),
				 RM_OK);
			CHECK_EQ(mem_create(ids[second], 0, 0, VM, IMAGE + 0x7000, 0x2000, &other),
				 RM_MEM_INVALID);
			CHECK_EQ(mem_create(ids[second], 0, 0, VM, IMAGE + 0x3000, 0x2000, &other),
				 RM_MEM_INVALID);
			CHECK_EQ(mem_create(ids[second], 0, 0, VM, IMAGE + 0x3000, 0x10000, &other),
				 RM_MEM_INVALID);
			CHECK_EQ(mem_create(ids[second], 0, 0, VM, IMAGE + 0x5000, 0x1000, &other),
				 RM_MEM_INVALID);
			CHECK_EQ(mem_create(ids[second], 0, 0, VM, IMAGE + 0x8000, 0x1000, &other),
				 RM_OK);
			CHECK_EQ(mem_create(ids[second], 0, 0, VM, IMAGE + 0x3000, 0x1000, &other),
				 RM_OK);
			CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
			CHECK_EQ(mem_create(ids[second], 0, 0, VM, IMAGE + 0x4000, 0x4000, &other),
				 RM_OK);
			env_close();
		}
	}
}

/* Lends and reclaims at random, the tree against a table of pages */
static void ranges_at_random(void)
{
	static uint8_t used[512];
	struct {
		uint32_t handle, page, pages;
	} parcels[64];
	uint32_t n = 0, i, k, page, pages, handle = 0, error;
	bool free;

	memset(used, 0, sizeof(used));
	open_model();
	env.blind = true;
	vm_alloc();
	srand(1);
	for (i = 0; i < 20000; i++) {
		if (n && (n == 64 || rand() % 3 == 0)) {
			k = (uint32_t)rand() % n;
			CHECK_EQ(mem_reclaim(parcels[k].handle, 0), RM_OK);
			memset(used + parcels[k].page, 0, parcels[k].pages);
			parcels[k] = parcels[--n];
			continue;
		}
		page = (uint32_t)rand() % 500;
		pages = 1 + (uint32_t)rand() % 12;
		free = true;
		for (k = 0; k < pages; k++)
			free &= !used[page + k];
		error = mem_create(MEM_SHARE, 0, 0, VM, ENV_RAM + page * ENV_PAGE,
				   pages * ENV_PAGE, &handle);
		if (!CHECK(error == (free ? RM_OK : RM_MEM_INVALID)))
			break;
		if (error)
			continue;
		memset(used + page, 1, pages);
		parcels[n].handle = handle;
		parcels[n].page = page;
		parcels[n++].pages = pages;
	}
	CHECK_EQ(rm_model_parcels(env.m), n);
	env_close();
}

static void parcel_limit(void)
{
	uint32_t handles[64], i, other;

	open_model();
	vm_alloc();
	for (i = 0; i < 64; i++)
		CHECK_EQ(mem_create(i % 2 ? MEM_LEND : MEM_SHARE, 0, 0, VM, IMAGE + i * 0x1000,
				    0x1000, &handles[i]), RM_OK);
	CHECK_EQ(rm_model_parcels(env.m), 64);
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE + 0x100000, 0x1000, &other), RM_DENIED);
	CHECK_EQ(mem_reclaim(handles[17], 0), RM_OK);
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE + 0x100000, 0x1000, &handles[17]), RM_OK);
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE + 0x101000, 0x1000, &other), RM_DENIED);
	for (i = 0; i < 64; i++)
		CHECK_EQ(mem_reclaim(handles[i], 0), RM_OK);
	CHECK_EQ(rm_model_parcels(env.m), 0);
	CHECK_EQ(env.lent_pages, 0);
	env_close();
}

static void handles_are_counted(void)
{
	uint32_t handle, other;

	open_model();
	vm_alloc();
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE, 0x1000, &handle), RM_OK);
	CHECK_EQ(handle, 0);
	CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	CHECK_EQ(mem_reclaim(handle, 0), RM_HANDLE_INVALID);
	/* A failure costs one, a malformed request does not. */
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE, 0, &other), RM_MEM_INVALID);
	put(0, 16);
	CHECK_EQ(call(MEM_LEND), RM_MSG_INVALID);
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE, 0x1000, &other), RM_OK);
	CHECK_EQ(other, 2);
	env_close();
}

static uint32_t lend_list(uint32_t n, uint8_t flags, uint64_t addr, uint64_t step)
{
	uint32_t i;

	put_header(0, flags, 0);
	put(1, 4);
	put_acl(VM, RWX);
	put(n, 4);
	for (i = 0; i < n; i++)
		put_entry(addr + i * step, ENV_PAGE);
	put(0, 4);
	return call(MEM_LEND);
}

static uint32_t append_list(uint32_t handle, uint32_t n, uint8_t flags, uint64_t addr,
			    uint64_t step)
{
	uint32_t i;

	put(handle, 4);
	put(flags, 4);
	put(n, 4);
	for (i = 0; i < n; i++)
		put_entry(addr + i * step, ENV_PAGE);
	return call(MEM_APPEND);
}

static void list_limit(void)
{
	uint32_t i, handle;

	open_model();
	vm_alloc();
	CHECK_EQ(lend_list(512, 0, IMAGE, 2 * ENV_PAGE), RM_OK);
	handle = le32(reply.data + 4);
	CHECK_EQ(env.lent_pages, 512);
	CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	CHECK_EQ(lend_list(513, 0, IMAGE, 2 * ENV_PAGE), RM_MSG_INVALID);
	/* The attributes count, and 512 of them pass. */
	for (i = 512; i <= 513; i++) {
		put_header(0, 0, 0);
		put(1, 4);
		put_acl(VM, RWX);
		put(1, 4);
		put_entry(IMAGE, ENV_PAGE);
		put(i, 4);
		put(0, 4 * i);
		CHECK_EQ(call(MEM_LEND), i == 512 ? RM_OK : RM_MSG_INVALID);
	}
	env_close();
}

static void append(void)
{
	struct rm_parcel_info info = { 0 };
	struct rm_mem_entry entry;
	const void *cursor = NULL;
	uint32_t handle, pos = 0, i;

	open_model();
	vm_alloc();
	CHECK_EQ(mem_create(MEM_LEND, 2, 11, VM, IMAGE + 0x5000, 0x1000, &handle), RM_OK);
	/* Open parcels are nobody's. */
	CHECK(!rm_model_next_parcel(env.m, VM, &pos, &info));
	CHECK_EQ(mem_append1(handle + 1, 0, IMAGE, 0x1000), RM_HANDLE_INVALID);
	CHECK_EQ(mem_append1(handle, 0, IMAGE, 0x1000), RM_OK);
	CHECK_EQ(append_list(handle, 0, 1, 0, 0), RM_ARGUMENT_INVALID);
	/* A list that is refused, be it the last, changes nothing. */
	CHECK_EQ(append_list(handle, 3, 1, IMAGE + 0x3000, 0x1000), RM_MEM_INVALID);
	CHECK_EQ(mem_append1(handle, 1, IMAGE + 0x1000, 0x1001), RM_ARGUMENT_INVALID);
	CHECK_EQ(env.lent_pages, 2);
	CHECK_EQ(append_list(handle, 2, 1, IMAGE + 0x3000, 0x1000), RM_OK);
	CHECK_EQ(mem_append1(handle, 1, IMAGE + 0x8000, 0x1000), RM_DENIED);

	pos = 0;
	CHECK(rm_model_next_parcel(env.m, VM, &pos, &info));
	CHECK_EQ(info.handle, handle);
	CHECK_EQ(info.label, 11);
	CHECK(info.lent);
	CHECK_EQ(info.rights, RWX);
	CHECK_EQ(info.acl_entries, 1);
	CHECK_EQ(info.attr_entries, 0);
	CHECK_EQ(info.entries, 4);
	CHECK_EQ(info.size, 0x4000);
	for (i = 0; i < 4; i++) {
		static const uint64_t offsets[] = { 0x5000, 0, 0x3000, 0x4000 };

		CHECK(rm_model_next_entry(env.m, &info, &cursor, &entry));
		CHECK_EQ(entry.addr, IMAGE + offsets[i]);
		CHECK_EQ(entry.size, 0x1000);
	}
	CHECK(!rm_model_next_entry(env.m, &info, &cursor, &entry));
	CHECK(!rm_model_next_parcel(env.m, VM, &pos, &info));
	CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	CHECK_EQ(env.lent_pages, 0);
	env_close();
}

static bool asked(uint32_t i, uint64_t addr, uint64_t size)
{
	return i < env.n_asked && env.asked[i].addr == addr && env.asked[i].size == size;
}

static bool asked_acl(uint32_t i, uint16_t vmid, uint8_t rights)
{
	return i < env.asked_acls && env.asked_acl[i].vmid == vmid &&
	       env.asked_acl[i].rights == rights;
}

/* A parcel of two entries that is still open */
static uint32_t give_listed(uint32_t id, uint32_t *handle)
{
	uint32_t error;

	env.n_asked = 0;
	env.asked_acls = 0;
	put_header(0, 3, 0);
	put(id == MEM_SHARE ? 2 : 1, 4);
	put_acl(VM, R);
	if (id == MEM_SHARE)
		put_acl(HOST, RWX);
	put(2, 4);
	put_entry(IMAGE + 0x4000, 0x2000);
	put_entry(IMAGE, 0x1000);
	put(0, 4);
	error = call(id);
	if (!error)
		*handle = le32(reply.data + 4);
	return error;
}

/* Whoever keeps a list of who has which memory is asked about each entry, and has a say. */
static void memory_is_assigned_before_it_is_given(void)
{
	static const uint32_t ids[] = { MEM_LEND, MEM_SHARE };
	uint32_t handle = 0, k;

	for (k = 0; k < ARRAY_SIZE(ids); k++) {
		uint32_t lent = ids[k] == MEM_LEND;

		env_open_listed(RM_POLICY_PRODUCTION, 16);
		n_notes = 0;
		vm_alloc();

		/* With all of the list, whose it is to be as the message says */
		CHECK_EQ(give_listed(ids[k], &handle), RM_OK);
		CHECK_EQ(env.n_asked, 2);
		CHECK(asked(0, IMAGE + 0x4000, 0x2000));
		CHECK(asked(1, IMAGE, 0x1000));
		CHECK_EQ(env.asked_acls, lent ? 1 : 2);
		CHECK(asked_acl(0, VM, R));
		CHECK(lent || asked_acl(1, HOST, RWX));
		CHECK_EQ(env.lent_pages, lent * 3);
		CHECK_EQ(env.zeroed, 0x3000);

		/* What is appended, too; a list that is refused changes nothing. */
		env.unassigned = IMAGE + 0x9000;
		env.asked_acls = 0;
		CHECK_EQ(append_list(handle, 3, 1, IMAGE + 0x8000, 0x1000), RM_MEM_INVALID);
		CHECK_EQ(env.n_asked, 4);
		CHECK(asked(2, IMAGE + 0x8000, 0x1000));
		CHECK(asked(3, IMAGE + 0x9000, 0x1000));
		CHECK(asked_acl(0, VM, R));
		CHECK_EQ(env.lent_pages, lent * 3);
		CHECK_EQ(env.zeroed, 0x3000);
		CHECK_EQ(append_list(handle, 1, 1, IMAGE + 0x8000, 0x1000), RM_OK);
		CHECK_EQ(env.lent_pages, lent * 4);

		/* When it comes back nobody is asked. */
		env.n_asked = 0;
		CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
		CHECK_EQ(env.n_asked, 0);
		CHECK_EQ(env.lent_pages, 0);

		/* The last page of the last entry is enough; there is no parcel then. */
		env.zeroed = 0;
		env.unassigned = IMAGE + 0x5000;
		CHECK_EQ(give_listed(ids[k], &handle), RM_MEM_INVALID);
		env.unassigned = IMAGE;
		CHECK_EQ(give_listed(ids[k], &handle), RM_MEM_INVALID);
		CHECK_EQ(env.n_asked, 2);
		CHECK_EQ(env.lent_pages, 0);
		CHECK_EQ(env.zeroed, 0);
		CHECK_EQ(rm_model_parcels(env.m), 0);
		env.unassigned = 0;
		CHECK_EQ(give_listed(ids[k], &handle), RM_OK);

		/* Memory of other parcels, or of nobody, is refused without asking. */
		env.n_asked = 0;
		CHECK_EQ(mem_append1(handle, 0, IMAGE, 0x1000), RM_MEM_INVALID);
		CHECK_EQ(mem_append1(handle, 0, ENV_RAM - 0x1000, 0x1000), RM_MEM_INVALID);
		CHECK_EQ(mem_append1(handle, 0, IMAGE + 0x8000, 0x1008), RM_ARGUMENT_INVALID);
		CHECK_EQ(env.n_asked, 0);
		env_close();
	}
}

static void an_open_parcel(void)
{
	uint32_t handle;

	open_model();
	vm_alloc();
	CHECK_EQ(mem_create(MEM_LEND, 2, 0, VM, IMAGE, IMAGE_SIZE, &handle), RM_OK);
	CHECK_EQ(config_image(VM, 0, handle), RM_MEM_INVALID);
	CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	CHECK_EQ(env.lent_pages, 0);
	env_close();
}

static void a_very_large_parcel(void)
{
	const uint32_t total = 100000;
	struct rm_parcel_info info = { 0 };
	struct rm_mem_entry entry;
	const void *cursor = NULL;
	uint32_t handle, done, n, pos = 0, i;
	uint64_t sum = 0;

	env_open(RM_POLICY_PRODUCTION, total);
	vm_alloc();
	CHECK_EQ(lend_list(512, 2, IMAGE, 2 * ENV_PAGE), RM_OK);
	handle = le32(reply.data + 4);
	for (done = 512; done < total; done += n) {
		n = total - done < 512 ? total - done : 512;
		CHECK_EQ(append_list(handle, n, done + n == total, IMAGE + done * 2 * ENV_PAGE,
				     2 * ENV_PAGE), RM_OK);
	}
	CHECK_EQ(env.lent_pages, total);
	/* Nothing is left, and that shows before anything is done. */
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE + ENV_PAGE, ENV_PAGE, &i), RM_NOMEM);
	CHECK(rm_model_next_parcel(env.m, VM, &pos, &info));
	CHECK_EQ(info.entries, total);
	CHECK_EQ(info.size, total * ENV_PAGE);
	for (i = 0; rm_model_next_entry(env.m, &info, &cursor, &entry); i++)
		sum += entry.addr == IMAGE + i * 2 * ENV_PAGE;
	CHECK_EQ(sum, total);
	CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	CHECK_EQ(env.lent_pages, 0);
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE + ENV_PAGE, ENV_PAGE, &handle), RM_OK);
	env_close();
}

static void entries_run_out(void)
{
	uint32_t handle, other, i;

	env_open(RM_POLICY_PRODUCTION, 10);
	vm_alloc();
	CHECK_EQ(lend_list(11, 0, IMAGE, ENV_PAGE), RM_NOMEM);
	for (i = 0; i < 5; i++) {
		CHECK_EQ(lend_list(8, 2, IMAGE, ENV_PAGE), RM_OK);
		handle = le32(reply.data + 4);
		CHECK_EQ(append_list(handle, 3, 1, IMAGE + 0x10000, ENV_PAGE), RM_NOMEM);
		/* Refused ones give back what they took. */
		CHECK_EQ(append_list(handle, 2, 1, IMAGE, ENV_PAGE), RM_MEM_INVALID);
		CHECK_EQ(append_list(handle, 2, 1, IMAGE + 0x10000, ENV_PAGE), RM_OK);
		CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE + 0x20000, ENV_PAGE, &other),
			 RM_NOMEM);
		CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	}
	CHECK_EQ(env.lent_pages, 0);
	env_close();
}

static void sanitize(void)
{
	uint32_t handle;

	open_model();
	vm_alloc();
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE, 0x3000, &handle), RM_OK);
	CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	CHECK_EQ(env.zeroed, 0);
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM, IMAGE, 0x3000, &handle), RM_OK);
	CHECK_EQ(mem_reclaim(handle, 1), RM_OK);
	CHECK_EQ(env.zeroed, 0x3000);
	CHECK_EQ(mem_create(MEM_LEND, 3, 0, VM, IMAGE, 0x1000, &handle), RM_OK);
	CHECK_EQ(env.zeroed, 0x4000);
	CHECK_EQ(mem_append1(handle, 1, IMAGE + 0x1000, 0x1000), RM_OK);
	CHECK_EQ(env.zeroed, 0x5000);
	/* A refused one leaves the host's memory alone. */
	CHECK_EQ(lend_list(5, 1, IMAGE - 0x1000, 0x1000), RM_MEM_INVALID);
	CHECK_EQ(env.zeroed, 0x5000);
	env_close();
}

static void reclaim_and_release(void)
{
	uint32_t handle;

	open_model();
	vm_alloc();
	CHECK_EQ(mem_reclaim(0, 0), RM_HANDLE_INVALID);
	CHECK_EQ(mem_create(MEM_SHARE, 0, 0, VM, IMAGE, 0x3000, &handle), RM_OK);
	put(handle, 8);
	CHECK_EQ(call(MEM_RELEASE), RM_DENIED);
	/* Longer messages are no error. */
	put(handle, 12);
	CHECK_EQ(call(MEM_RECLAIM), RM_OK);
	put(handle, 8);
	CHECK_EQ(call(MEM_RELEASE), RM_HANDLE_INVALID);
	env_close();
}

static void reclaim_in_each_state(void)
{
	static const struct {
		enum rm_vm_state state;
		uint32_t error;
	} rows[] = {
		{ RM_VM_LOAD, RM_OK }, { RM_VM_INIT, RM_OK }, { RM_VM_AUTH, RM_OK },
		{ RM_VM_INIT_FAILED, RM_OK }, { RM_VM_READY, RM_OK },
		{ RM_VM_RUNNING, RM_MEM_INUSE }, { RM_VM_EXITED, RM_MEM_INUSE },
		{ RM_VM_RESETTING, RM_MEM_INUSE }, { RM_VM_RESET, RM_OK },
	};
	uint32_t i, handle;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		open_model();
		handle = vm_to(VM, rows[i].state);
		CHECK_EQ(mem_reclaim(handle, 0), rows[i].error);
		CHECK_EQ(env.lent_pages, rows[i].error ? IMAGE_SIZE / 0x1000 : 0);
		env_close();
	}
}

static void notify_guests(void)
{
	static const uint8_t good[] = { 1, 8 };
	uint32_t handle, flags, i;

	open_model();
	vm_to(VM, RM_VM_READY);
	CHECK_EQ(mem_create(MEM_SHARE, 0, 0, VM, IMAGE + IMAGE_SIZE, 0x1000, &handle), RM_OK);
	for (flags = 0; flags < 32; flags++) {
		put(handle, 4);
		put(flags, 4);
		put(0, 4);
		CHECK_EQ(call(MEM_NOTIFY), flags == 1 || flags == 8 ? RM_OK : RM_ARGUMENT_INVALID);
		CHECK_EQ(n_notes, 0);
	}
	/* A list that leaves out the guest: nobody is told. */
	env.has_rpc = false;
	for (i = 0; i < 2; i++) {
		put(handle, 4);
		put(good[i], 4);
		put(0, 4);
		put(1, 4);
		put(VM + 1, 4);
		CHECK_EQ(call(MEM_NOTIFY), RM_OK);
	}
	/* The guest took two numbers, after INIT and READY. */
	CHECK_EQ(call_vmid(VM_START, VM), RM_OK);
	CHECK_EQ(notes[0].seq, 4);
	env_close();
}

/* ---- a VM's life ---- */

static void config_rules(void)
{
	static const struct {
		uint64_t image_off, image_size, dtb_off, dtb_size;
		uint32_t error;
	} rows[] = {
		{ 0, 0, 0, 1, RM_OK },
		{ 0, 0, 0, IMAGE_SIZE, RM_OK },
		{ 0, IMAGE_SIZE, IMAGE_SIZE - 0x1000, 0x1000, RM_OK },
		{ IMAGE_SIZE, 0, 0, 0x1000, RM_OK },
		{ 0, 0, 0, 0, RM_ARGUMENT_INVALID },
		{ 0, 0, 0, IMAGE_SIZE + 1, RM_ARGUMENT_INVALID },
		{ 0, 0, IMAGE_SIZE, 1, RM_ARGUMENT_INVALID },
		{ 0, 0, IMAGE_SIZE + 0x1000, 0, RM_ARGUMENT_INVALID },
		{ 0, 0, 0x1000, 0xfffffffffffff000, RM_ARGUMENT_INVALID },
		{ 0, 0, 0xfffffffffffff000, 0x2000, RM_ARGUMENT_INVALID },
		{ 0x1000, IMAGE_SIZE, 0, 0x1000, RM_ARGUMENT_INVALID },
		{ 0x1000, 0xfffffffffffff000, 0, 0x1000, RM_ARGUMENT_INVALID },
		{ 0xfffffffffffff000, 0x1000, 0, 0x1000, RM_ARGUMENT_INVALID },
	};
	static const uint32_t auths[] = { 0, 1, 2, 3, 0xffff };
	uint32_t i, handle, other, error;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		open_model();
		vm_alloc();
		handle = lend_image(VM);
		error = vm_config(VM, 0, handle, rows[i].image_off, rows[i].image_size,
				  rows[i].dtb_off, rows[i].dtb_size);
		CHECK_EQ(error, rows[i].error);
		CHECK(one_status(VM, error ? RM_VM_INIT_FAILED : RM_VM_INIT));
		env_close();
	}
	for (i = 0; i < ARRAY_SIZE(auths); i++) {
		open_model();
		vm_alloc();
		handle = lend_image(VM);
		error = config_image(VM, (uint16_t)auths[i], handle);
		CHECK_EQ(error, i < 3 ? RM_OK : RM_ARGUMENT_INVALID);
		CHECK(one_status(VM, i > 2 ? RM_VM_INIT_FAILED : i == 1 ? RM_VM_AUTH :
					     RM_VM_INIT));
		env_close();
	}
	/* Somebody else's parcel, and nobody's */
	open_model();
	vm_alloc();
	vm_alloc();
	other = lend_image(VM + 1);
	CHECK_EQ(config_image(VM, 0, other), RM_MEM_INVALID);
	CHECK(one_status(VM, RM_VM_INIT_FAILED));
	/* That VM is lost: it can be neither reset (see what_kills) nor freed. */
	CHECK_EQ(call_vmid(VM_DEALLOCATE, VM), RM_VM_STATE);
	CHECK_EQ(config_image(VM + 1, 0, other + 1), RM_MEM_INVALID);
	/* But its memory is not. */
	CHECK_EQ(mem_reclaim(other, 0), RM_OK);
	env_close();
}

static void authentication(void)
{
	open_model();
	vm_to(VM, RM_VM_AUTH);
	put(VM, 2);
	put(1, 2);
	put(0, 8);
	CHECK_EQ(call(VM_AUTH_IMAGE), RM_OK);
	CHECK(one_status(VM, RM_VM_INIT));
	CHECK_EQ(call_vmid(VM_INIT, VM), RM_OK);
	env_close();
}

static void init_failures(void)
{
	static const uint32_t errors[] = { RM_MEM_INVALID, RM_ARGUMENT_INVALID, RM_NORESOURCE };
	uint32_t i, handle;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		open_model();
		handle = vm_to(VM, RM_VM_INIT);
		env.init_error = errors[i];
		CHECK_EQ(call_vmid(VM_INIT, VM), errors[i]);
		CHECK(one_status(VM, RM_VM_INIT_FAILED));
		CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
		CHECK_EQ(call_vmid(VM_RESET, VM), RM_OK);
		finish_reset(VM);
		CHECK_EQ(env.kills, 0);
		CHECK_EQ(env.teardowns, 1);
		CHECK_EQ(call_vmid(VM_DEALLOCATE, VM), RM_OK);
		env_close();
	}
	/* Whole pages of devicetree only, and it has to be there still. */
	for (i = 0; i < 3; i++) {
		open_model();
		vm_alloc();
		handle = lend_image(VM);
		CHECK_EQ(vm_config(VM, 0, handle, 0, 0, i == 0 ? 0x1008 : 0x1000,
				   i == 1 ? 0x1008 : 0x1000), RM_OK);
		if (i == 2)
			CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
		CHECK_EQ(call_vmid(VM_INIT, VM), RM_MEM_INVALID);
		CHECK(one_status(VM, RM_VM_INIT_FAILED));
		CHECK_EQ(env.inits, 0);
		env_close();
	}
}

static void init_is_told_the_image(void)
{
	uint32_t handle;

	open_model();
	vm_alloc();
	handle = lend_image(VM);
	CHECK_EQ(vm_config(VM, 0, handle, 0x2000, 0x3000, 0x100000, 0x4000), RM_OK);
	CHECK_EQ(call_vmid(VM_INIT, VM), RM_OK);
	CHECK_EQ(env.image.handle, handle);
	CHECK_EQ(env.image.image_offset, 0x2000);
	CHECK_EQ(env.image.image_size, 0x3000);
	CHECK_EQ(env.image.dtb_offset, 0x100000);
	CHECK_EQ(env.image.dtb_size, 0x4000);
	env_close();
}

static void start_policy(void)
{
	/* What is not what production wants */
	enum { GOOD, SHARED, MORE_ACL, LESS_RIGHTS, ATTRIBUTE, N_KINDS };
	uint32_t kind, policy, handle, want;

	for (policy = RM_POLICY_PRODUCTION; policy <= RM_POLICY_DEBUG; policy++) {
		for (kind = GOOD; kind < N_KINDS; kind++) {
			env_open(policy, 16);
			vm_alloc();
			put_header(0, 0, 0);
			put(kind == SHARED || kind == MORE_ACL ? 2 : 1, 4);
			put_acl(VM, kind == LESS_RIGHTS ? 6 : RWX);
			if (kind == SHARED)
				put_acl(HOST, RWX);
			if (kind == MORE_ACL)
				put_acl(4, R);
			put(1, 4);
			put_entry(IMAGE, IMAGE_SIZE);
			put(kind == ATTRIBUTE, 4);
			if (kind == ATTRIBUTE)
				put(0, 4);
			CHECK_EQ(call(kind == SHARED ? MEM_SHARE : MEM_LEND), RM_OK);
			handle = le32(reply.data + 4);
			CHECK_EQ(config_image(VM, 0, handle), RM_OK);
			CHECK_EQ(call_vmid(VM_INIT, VM), RM_OK);
			want = kind == GOOD || policy == RM_POLICY_DEBUG ? RM_OK : RM_NORESOURCE;
			CHECK_EQ(call_vmid(VM_START, VM), want);
			CHECK(one_status(VM, want ? RM_VM_INIT_FAILED : RM_VM_RUNNING));
			CHECK_EQ(env.starts, !want);
			CHECK_EQ(rm_model_running(env.m), !want);
			CHECK_EQ(mem_reclaim(handle, 0), want ? RM_OK : RM_MEM_INUSE);
			env_close();
		}
	}
}

static void start_failures(void)
{
	uint32_t handle;

	open_model();
	handle = vm_to(VM, RM_VM_READY);
	env.start_error = RM_NOMEM;
	CHECK_EQ(call_vmid(VM_START, VM), RM_NORESOURCE);
	CHECK(one_status(VM, RM_VM_INIT_FAILED));
	CHECK_EQ(rm_model_running(env.m), 0);
	/* What it accepted is released by RESET only. */
	CHECK_EQ(mem_reclaim(handle, 0), RM_MEM_INUSE);
	CHECK_EQ(call_vmid(VM_RESET, VM), RM_OK);
	CHECK(one_status(VM, RM_VM_RESETTING));
	finish_reset(VM);
	CHECK_EQ(n_notes, 2);
	CHECK(is_released(&notes[0], handle, VM));
	CHECK_EQ(env.kills, 0);
	CHECK_EQ(env.teardowns, 1);
	CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	env_close();

	/* The image went away between INIT and START. */
	open_model();
	handle = vm_to(VM, RM_VM_READY);
	CHECK_EQ(mem_reclaim(handle, 0), RM_OK);
	CHECK_EQ(call_vmid(VM_START, VM), RM_NORESOURCE);
	CHECK_EQ(env.starts, 0);
	env_close();
}

static void forced_stop(void)
{
	open_model();
	vm_to(VM, RM_VM_RUNNING);
	CHECK_EQ(vm_stop(VM, true), RM_OK);
	CHECK_EQ(env.kills, 1);
	CHECK_EQ(n_notes, 2);
	CHECK(is_status(&notes[0], VM, RM_VM_EXITED));
	CHECK_EQ(notes[1].id, VM_EXITED);
	CHECK_EQ(notes[1].len, 12);
	CHECK(!memcmp(notes[1].data, "\x80\0\x07\0\x04\0\0\0\0\0\0\0", 12));
	CHECK_EQ(rm_model_running(env.m), 0);
	env_close();
}

static void graceful_stop(void)
{
	open_model();
	vm_to(VM, RM_VM_RUNNING);
	CHECK_EQ(vm_stop(VM, false), RM_OK);
	CHECK_EQ(n_notes, 0);
	CHECK_EQ(env.kills, 0);
	CHECK_EQ(rm_model_vm_state(env.m, VM), RM_VM_RUNNING);
	env_close();
}

static void guest_ends(void)
{
	static const uint32_t reason[10] = {
		0x00008000, 0x80000000, 0x00004321, 0x00008765, 5, 6, 7, 8, 9, 10
	};
	uint32_t words, i;

	for (words = 0; words <= 10; words++) {
		uint32_t n = words > 8 ? 8 : words;

		open_model();
		vm_to(VM, RM_VM_RUNNING);
		rm_model_guest_exited(env.m, VM, 3, reason, words);
		take_notes();
		CHECK_EQ(n_notes, 2);
		CHECK(is_status(&notes[0], VM, RM_VM_EXITED));
		CHECK_EQ(notes[1].id, VM_EXITED);
		CHECK_EQ(notes[1].len, 8 + 4 * n);
		CHECK_EQ(le32(notes[1].data), VM | 3 << 16);
		CHECK_EQ(le32(notes[1].data + 4), 4 * n);
		for (i = 0; i < n; i++)
			CHECK_EQ(le32(notes[1].data + 8 + 4 * i), reason[i]);
		CHECK_EQ(env.kills, 0);
		env_close();
	}
	/* Only one that runs can end. */
	open_model();
	rm_model_guest_exited(env.m, VM, 1, reason, 1);
	vm_to(VM, RM_VM_EXITED);
	rm_model_guest_exited(env.m, VM, 1, reason, 1);
	rm_model_guest_exited(env.m, VM + 1, 1, reason, 1);
	take_notes();
	CHECK_EQ(n_notes, 0);
	env_close();
}

static void reset_in_steps(void)
{
	uint32_t image, shm, other;

	open_model();
	env.accept_all = true;
	vm_alloc();
	image = lend_image(VM);
	CHECK_EQ(mem_create(MEM_SHARE, 0, 16, VM, IMAGE + IMAGE_SIZE, 0x1000, &shm), RM_OK);
	CHECK_EQ(config_image(VM, 0, image), RM_OK);
	CHECK_EQ(call_vmid(VM_INIT, VM), RM_OK);
	CHECK_EQ(call_vmid(VM_START, VM), RM_OK);
	/* Not accepted: it came too late. */
	CHECK_EQ(mem_create(MEM_SHARE, 0, 17, VM, IMAGE + 2 * IMAGE_SIZE, 0x1000, &other), RM_OK);
	CHECK_EQ(vm_stop(VM, true), RM_OK);
	CHECK_EQ(call_vmid(VM_RESET, VM), RM_OK);
	CHECK(one_status(VM, RM_VM_RESETTING));
	CHECK_EQ(env.kills, 2);
	CHECK_EQ(env.teardowns, 0);
	CHECK_EQ(mem_reclaim(shm, 0), RM_MEM_INUSE);
	CHECK_EQ(call_vmid(VM_RESET, VM), RM_VM_STATE);

	CHECK(rm_model_poll(env.m, 0));
	CHECK_EQ(env.teardowns, 1);
	take_notes();
	CHECK_EQ(n_notes, 2);
	CHECK(is_released(&notes[0], image, VM));
	CHECK(is_released(&notes[1], shm, VM));
	CHECK_EQ(rm_model_vm_state(env.m, VM), RM_VM_RESETTING);
	CHECK_EQ(mem_reclaim(shm, 0), RM_OK);
	CHECK_EQ(call_vmid(VM_DEALLOCATE, VM), RM_VM_STATE);
	CHECK_EQ(call_vmid(VM_GET_RESOURCES, VM), RM_NORESOURCE);

	CHECK(!rm_model_poll(env.m, 0));
	take_notes();
	CHECK(one_status(VM, RM_VM_RESET));
	CHECK_EQ(env.teardowns, 1);
	CHECK(!rm_model_poll(env.m, 0));
	take_notes();
	CHECK_EQ(n_notes, 0);

	/* The VM can be used again, with the same parcel. */
	CHECK_EQ(config_image(VM, 0, image), RM_OK);
	CHECK_EQ(call_vmid(VM_INIT, VM), RM_OK);
	CHECK_EQ(call_vmid(VM_START, VM), RM_OK);
	CHECK_EQ(vm_stop(VM, true), RM_OK);
	CHECK_EQ(call_vmid(VM_RESET, VM), RM_OK);
	finish_reset(VM);
	CHECK_EQ(mem_reclaim(image, 0), RM_OK);
	CHECK_EQ(mem_reclaim(other, 0), RM_OK);
	CHECK_EQ(call_vmid(VM_DEALLOCATE, VM), RM_OK);
	CHECK_EQ(rm_model_vmids(env.m), 0);
	CHECK_EQ(rm_model_parcels(env.m), 0);
	CHECK_EQ(env.lent_pages, 0);
	env_close();
}

static void two_guests(void)
{
	uint32_t a, b, shm = 0;
	struct rm_parcel_info info = { 0 };
	uint32_t pos = 0;

	open_model();
	env.accept_all = true;
	a = vm_to(VM, RM_VM_RUNNING);
	vm_alloc();
	CHECK_EQ(mem_create(MEM_LEND, 0, 0, VM + 1, IMAGE + IMAGE_SIZE, IMAGE_SIZE, &b), RM_OK);
	CHECK_EQ(mem_create(MEM_SHARE, 0, 9, VM + 1, IMAGE + 2 * IMAGE_SIZE, 0x1000, &shm), RM_OK);
	CHECK(rm_model_next_parcel(env.m, VM, &pos, &info));
	CHECK_EQ(info.handle, a);
	CHECK(!rm_model_next_parcel(env.m, VM, &pos, &info));
	pos = 0;
	CHECK(rm_model_next_parcel(env.m, VM + 1, &pos, &info));
	CHECK_EQ(info.handle, b);
	CHECK(rm_model_next_parcel(env.m, VM + 1, &pos, &info));
	CHECK_EQ(info.handle, shm);
	CHECK(!info.lent);
	CHECK_EQ(info.acl_entries, 2);
	CHECK(!rm_model_next_parcel(env.m, VM + 1, &pos, &info));
	CHECK_EQ(config_image(VM + 1, 0, b), RM_OK);
	CHECK_EQ(call_vmid(VM_INIT, VM + 1), RM_OK);
	CHECK_EQ(call_vmid(VM_START, VM + 1), RM_OK);
	CHECK_EQ(rm_model_running(env.m), 2);
	/* Both at once; each releases its own. */
	CHECK_EQ(vm_stop(VM, true), RM_OK);
	CHECK_EQ(vm_stop(VM + 1, true), RM_OK);
	CHECK_EQ(call_vmid(VM_RESET, VM), RM_OK);
	CHECK_EQ(call_vmid(VM_RESET, VM + 1), RM_OK);
	rm_model_poll(env.m, 0);
	take_notes();
	CHECK_EQ(n_notes, 3);
	CHECK(is_released(&notes[0], a, VM));
	CHECK(is_released(&notes[1], b, VM + 1));
	CHECK(is_released(&notes[2], shm, VM + 1));
	rm_model_poll(env.m, 0);
	take_notes();
	CHECK_EQ(n_notes, 2);
	CHECK(is_status(&notes[0], VM, RM_VM_RESET));
	CHECK(is_status(&notes[1], VM + 1, RM_VM_RESET));
	env_close();
}

static void resources(void)
{
	static const struct rm_resource res[] = { { .type = 4 } };

	open_model();
	env.resources = res;
	env.n_resources = 1;
	/* The manager has one vCPU, the host has nothing to be listed. */
	CHECK_EQ(call_vmid(VM_GET_RESOURCES, 255), RM_OK);
	CHECK_EQ(le32(reply.data + 4), 1);
	CHECK_EQ(call_vmid(VM_GET_RESOURCES, HOST), RM_OK);
	CHECK_EQ(reply.len, 8);
	CHECK_EQ(le32(reply.data + 4), 0);
	vm_to(VM, RM_VM_INIT);
	CHECK_EQ(call_vmid(VM_GET_RESOURCES, VM), RM_OK);
	CHECK_EQ(reply.len, 8);
	CHECK_EQ(call_vmid(VM_INIT, VM), RM_OK);
	CHECK_EQ(call_vmid(VM_GET_RESOURCES, VM), RM_OK);
	CHECK_EQ(reply.len, 8 + 44);
	env_close();
}

static void ids(void)
{
	open_model();
	CHECK_EQ(call_vmid(VM_GET_ID, VM), RM_NORESOURCE);
	vm_to(VM, RM_VM_INIT);
	CHECK_EQ(call_vmid(VM_GET_ID, VM), RM_VM_STATE);
	CHECK_EQ(call_vmid(VM_INIT, VM), RM_OK);
	CHECK_EQ(call_vmid(VM_GET_ID, VM), RM_OK);
	CHECK_EQ(reply.len, 28);
	CHECK_EQ(le32(reply.data + 4), 1);
	CHECK_EQ(le32(reply.data + 8), 16 << 16);
	env_close();
}

static void not_implemented(void)
{
	static const uint32_t ids[] = {
		0, 0x51000011, 0x5100001a, 0x51000020, 0x56000003, 0x56000021, 0x56000022,
		0x56000030, 0x56000031, 0x56000032, 0x56000055, 0x56007777, VM_STATUS, VM_EXITED,
		0xffffffff,
	};
	uint32_t i, len;

	open_model();
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		for (len = 0; len < 48; len += 4) {
			put(0, len);
			CHECK_EQ(call(ids[i]), RM_UNIMPLEMENTED);
		}
	}
	env_close();
}

/* ---- what kills the resource manager ---- */

static void expect_death(void)
{
	CHECK(env.died);
	CHECK_EQ(n_notes, 0);
	/* Deaf and dumb from now on */
	CHECK_EQ(call(VM_GET_VMID), NO_ERROR_CODE);
	CHECK_EQ(call_vmid(VM_DEALLOCATE, 0x99), NO_ERROR_CODE);
	rm_model_guest_exited(env.m, VM, 1, NULL, 0);
	CHECK(!rm_model_poll(env.m, 1));
	CHECK(!answered());
	env_close();
}

static void what_kills(void)
{
	static const uint32_t empty[] = { 0x56000050, 0x56000051, 0x56000052, 0x56000053,
					  0x56000054, CONSOLE_WRITE };
	static const uint8_t flags[] = { 1, 8 };
	uint32_t i, handle;

	open_model();
	CHECK_EQ(call_vmid(VM_DEALLOCATE, VM), NO_ERROR_CODE);
	expect_death();

	/* Twice */
	open_model();
	vm_alloc();
	CHECK_EQ(call_vmid(VM_DEALLOCATE, VM), RM_OK);
	CHECK_EQ(call_vmid(VM_DEALLOCATE, VM), NO_ERROR_CODE);
	expect_death();

	open_model();
	vm_alloc();
	CHECK_EQ(call_vmid(VM_RESET, VM), NO_ERROR_CODE);
	expect_death();

	open_model();
	vm_alloc();
	handle = lend_image(VM);
	CHECK_EQ(vm_config(VM, 0, handle, 0, 0, 0, 0), RM_ARGUMENT_INVALID);
	CHECK_EQ(call_vmid(VM_RESET, VM), NO_ERROR_CODE);
	expect_death();

	open_model();
	vm_to(VM, RM_VM_RUNNING);
	env.has_rpc = false;
	CHECK_EQ(vm_stop(VM, false), NO_ERROR_CODE);
	expect_death();

	for (i = 0; i < 2; i++) {
		open_model();
		handle = vm_to(VM, RM_VM_LOAD);
		put(handle, 4);
		put(flags[i], 4);
		put(0, 4);
		CHECK_EQ(call(MEM_NOTIFY), NO_ERROR_CODE);
		expect_death();
	}
	for (i = 0; i < ARRAY_SIZE(empty); i++) {
		open_model();
		CHECK_EQ(call(empty[i]), NO_ERROR_CODE);
		expect_death();
		open_model();
		put(0, 8);
		CHECK_EQ(call(empty[i]), RM_UNIMPLEMENTED);
		env_close();
	}
	/* These exist; nothing happens. */
	open_model();
	CHECK_EQ(call_vmid(VM_DEALLOCATE, HOST), RM_VM_STATE);
	CHECK_EQ(call_vmid(VM_DEALLOCATE, 255), RM_VM_STATE);
	CHECK(!env.died);
	env_close();
}

static void death_silences_what_waits(void)
{
	open_model();
	env.depth = 0;
	env_request(1, VM_GET_VMID, NULL, 0);
	env_request(2, VM_DEALLOCATE, "\x80\0\0\0", 4);
	CHECK(env.died);
	env.depth = 8;
	CHECK(!rm_model_poll(env.m, 0));
	CHECK(!answered());
	env_close();
}

/* ---- faults ---- */

static bool fault(uint32_t id, uint32_t action, uint32_t arg, uint32_t skip, uint32_t count)
{
	struct rm_fault f = { id, action, arg, skip, count };

	return rm_model_fault_add(env.m, &f);
}

static void fault_rules(void)
{
	static const uint32_t both[] = { GH_LAB_FAULT_DELAY, GH_LAB_FAULT_DUPLICATE,
					 GH_LAB_FAULT_TRUNCATE, GH_LAB_FAULT_SET_BYTE };
	uint32_t action, i;

	open_model();
	for (action = 0; action < 20; action++) {
		bool request = action >= GH_LAB_FAULT_REFUSE && action <= GH_LAB_FAULT_BAD_ID;
		bool notification = action >= GH_LAB_FAULT_DROP &&
				    action <= GH_LAB_FAULT_SET_BYTE;

		for (i = 0; i < ARRAY_SIZE(both); i++) {
			request |= action == both[i];
			notification |= action == both[i];
		}
		CHECK_EQ(fault(VM_GET_VMID, action, 0, 0, 1), request);
		CHECK_EQ(fault(VM_STATUS, action, 0, 0, 1), notification);
		CHECK_EQ(fault(MEM_RELEASED, action, 0, 0, 1), notification);
		rm_model_fault_clear(env.m);
	}
	for (i = 0; i < 16; i++)
		CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_REFUSE, 1, 0, 1));
	CHECK(!fault(VM_GET_VMID, GH_LAB_FAULT_REFUSE, 1, 0, 1));
	rm_model_fault_clear(env.m);
	CHECK_EQ(call(VM_GET_VMID), RM_OK);
	CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_REFUSE, 1, 0, 1));
	env_close();
}

static void fault_skip_and_count(void)
{
	static const uint32_t want[] = { 0, 0, 5, 5, 9, 0 };
	uint32_t i;

	open_model();
	CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_REFUSE, 5, 2, 2));
	CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_REFUSE, 9, 2, 1));
	CHECK(fault(VM_GET_OWNER, GH_LAB_FAULT_REFUSE, 7, 0, 0xffffffff));
	CHECK(fault(VM_GET_PEERS, GH_LAB_FAULT_REFUSE, 7, 0, 0));
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		CHECK_EQ(call(VM_GET_VMID), want[i]);
		CHECK_EQ(call(VM_GET_OWNER), 7);
		CHECK_EQ(call(VM_GET_PEERS), 0);
	}
	CHECK_EQ(rm_model_fault_hits(env.m), 3 + 6);
	rm_model_fault_clear(env.m);
	CHECK_EQ(rm_model_fault_hits(env.m), 0);
	CHECK_EQ(call(VM_GET_OWNER), 0);
	env_close();
}

static void fault_refuse_ignore_no_reply(void)
{
	open_model();
	CHECK(fault(VM_ALLOCATE, GH_LAB_FAULT_REFUSE, 0x1234, 0, 1));
	CHECK(fault(VM_ALLOCATE, GH_LAB_FAULT_IGNORE, 0, 0, 1));
	CHECK(fault(VM_ALLOCATE, GH_LAB_FAULT_NO_REPLY, 0, 0, 1));
	CHECK_EQ(call_vmid(VM_ALLOCATE, 0), 0x1234);
	CHECK_EQ(rm_model_vmids(env.m), 0);
	CHECK_EQ(call_vmid(VM_ALLOCATE, 0), NO_ERROR_CODE);
	CHECK_EQ(rm_model_vmids(env.m), 0);
	CHECK_EQ(call_vmid(VM_ALLOCATE, 0), NO_ERROR_CODE);
	CHECK_EQ(rm_model_vmids(env.m), 1);
	CHECK_EQ(vm_alloc(), VM + 1);
	/* A refusal with no error is a reply without its payload. */
	CHECK(fault(VM_ALLOCATE, GH_LAB_FAULT_REFUSE, 0, 0, 1));
	CHECK_EQ(call_vmid(VM_ALLOCATE, 0), RM_OK);
	CHECK_EQ(reply.len, 4);
	CHECK_EQ(rm_model_vmids(env.m), 2);
	/* Refused is not killed. */
	CHECK(fault(VM_DEALLOCATE, GH_LAB_FAULT_REFUSE, 5, 0, 1));
	CHECK_EQ(call_vmid(VM_DEALLOCATE, 0x99), 5);
	CHECK(!env.died);
	env_close();
}

static void fault_delayed_replies(void)
{
	uint32_t i;

	open_model();
	rm_model_poll(env.m, 1000);
	CHECK(fault(VM_ALLOCATE, GH_LAB_FAULT_DELAY, 50, 0, 0xffffffff));
	/* Four are held, a fifth finds no place. */
	for (i = 0; i < 4; i++)
		CHECK_EQ(call_vmid(VM_ALLOCATE, 0), NO_ERROR_CODE);
	CHECK_EQ(rm_model_vmids(env.m), 4);
	CHECK_EQ(call_vmid(VM_ALLOCATE, 0), RM_OK);
	/* Others pass. */
	CHECK_EQ(call(VM_GET_VMID), RM_OK);
	CHECK(rm_model_poll(env.m, 1049));
	CHECK(!answered());
	CHECK(!rm_model_poll(env.m, 1050));
	for (i = 0; i < 4; i++) {
		CHECK(answered());
		CHECK_EQ(le32(reply.data + 4), VM + i);
	}
	CHECK(!answered());
	/* Clearing the rules lets go what is held. */
	CHECK_EQ(call_vmid(VM_ALLOCATE, 0), NO_ERROR_CODE);
	rm_model_fault_clear(env.m);
	CHECK(!rm_model_poll(env.m, 1051));
	CHECK(answered());
	env_close();
}

static void fault_duplicate_reply(void)
{
	open_model();
	CHECK(fault(VM_ALLOCATE, GH_LAB_FAULT_DUPLICATE, 0, 0, 1));
	env_request(9, VM_ALLOCATE, "\0\0\0\0", 4);
	CHECK(answered());
	CHECK(answered());
	CHECK_EQ(reply.seq, 9);
	CHECK_EQ(le32(reply.data + 4), VM);
	CHECK(!answered());
	CHECK_EQ(rm_model_vmids(env.m), 1);
	env_close();
}

static void fault_malformed_replies(void)
{
	uint32_t len;

	open_model();
	for (len = 0; len < 12; len++) {
		CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_TRUNCATE, len, 0, 1));
		env_request(1, VM_GET_VMID, NULL, 0);
		CHECK(answered());
		CHECK_EQ(reply.len, len < 8 ? len : 8);
		rm_model_fault_clear(env.m);
	}
	CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_BAD_SEQ, 3, 0, 1));
	CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_BAD_ID, 0x56000099, 0, 1));
	CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_SET_BYTE, 0x0477, 0, 1));
	CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_SET_BYTE, 0x0877, 0, 1));
	env_request(0xfffe, VM_GET_VMID, NULL, 0);
	CHECK(answered());
	CHECK_EQ(reply.seq, 1);
	env_request(1, VM_GET_VMID, NULL, 0);
	CHECK(answered());
	CHECK_EQ(reply.id, 0x56000099);
	env_request(1, VM_GET_VMID, NULL, 0);
	CHECK(answered());
	CHECK_EQ(le32(reply.data + 4), 0x77);
	/* Behind the end there is nothing to set. */
	env_request(1, VM_GET_VMID, NULL, 0);
	CHECK(answered());
	CHECK_EQ(reply.len, 8);
	CHECK_EQ(le32(reply.data + 4), 3);
	env_close();
}

static void fault_lost_and_false_notifications(void)
{
	uint32_t handle;

	open_model();
	vm_alloc();
	handle = lend_image(VM);
	CHECK(fault(VM_STATUS, GH_LAB_FAULT_DROP, 0, 0, 1));
	CHECK(fault(VM_STATUS, GH_LAB_FAULT_BAD_VMID, 0x1234, 0, 1));
	CHECK(fault(VM_STATUS, GH_LAB_FAULT_TRUNCATE, 3, 0, 1));
	CHECK(fault(VM_EXITED, GH_LAB_FAULT_SET_BYTE, 0x0209, 0, 1));
	CHECK(fault(VM_STATUS, GH_LAB_FAULT_DUPLICATE, 0, 1, 1));
	CHECK(fault(MEM_RELEASED, GH_LAB_FAULT_BAD_VMID, 0x1234, 0, 1));
	CHECK_EQ(config_image(VM, 0, handle), RM_OK);
	CHECK_EQ(n_notes, 0);
	CHECK_EQ(call_vmid(VM_INIT, VM), RM_OK);
	CHECK(one_status(0x1234, RM_VM_READY));
	CHECK_EQ(notes[0].seq, 1);
	CHECK_EQ(call_vmid(VM_START, VM), RM_OK);
	CHECK_EQ(n_notes, 1);
	CHECK_EQ(notes[0].len, 3);
	CHECK_EQ(vm_stop(VM, true), RM_OK);
	CHECK_EQ(n_notes, 2);
	CHECK_EQ(notes[1].id, VM_EXITED);
	CHECK_EQ(le16(notes[1].data + 2), 9);
	CHECK_EQ(call_vmid(VM_RESET, VM), RM_OK);
	CHECK_EQ(n_notes, 2);
	CHECK(is_status(&notes[0], VM, RM_VM_RESETTING));
	CHECK(is_status(&notes[1], VM, RM_VM_RESETTING));
	CHECK_EQ(notes[0].seq, notes[1].seq);
	finish_reset(VM);
	CHECK(is_released(&notes[0], handle, 0x1234));
	CHECK_EQ(rm_model_fault_hits(env.m), 6);
	env_close();
}

static void whole_messages_are_counted(void)
{
	static struct rm_resource res[100];
	uint32_t in, out;

	open_model();
	CHECK_EQ(call(VM_GET_VMID), RM_OK);
	CHECK_EQ(rm_model_received(env.m), 1);
	CHECK_EQ(rm_model_sent(env.m), 1);
	while (buf.len < ENV_MESSAGE)
		put(0, 4);
	CHECK_EQ(call(MEM_LEND), RM_MSG_INVALID);
	CHECK_EQ(rm_model_received(env.m), 2);
	CHECK_EQ(rm_model_sent(env.m), 2);

	vm_to(VM, RM_VM_READY);
	env.resources = res;
	env.n_resources = ARRAY_SIZE(res);
	in = rm_model_received(env.m);
	out = rm_model_sent(env.m);
	CHECK_EQ(call_vmid(VM_GET_RESOURCES, VM), RM_OK);
	CHECK_EQ(rm_model_received(env.m), ++in);
	CHECK_EQ(rm_model_sent(env.m), ++out);
	CHECK_EQ(call_vmid(VM_START, VM), RM_OK);
	CHECK_EQ(n_notes, 1);
	CHECK_EQ(rm_model_received(env.m), ++in);
	CHECK_EQ(rm_model_sent(env.m), out += 2);

	CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_IGNORE, 0, 0, 1));
	CHECK(fault(VM_GET_VMID, GH_LAB_FAULT_DUPLICATE, 0, 0, 1));
	env_request(1, VM_GET_VMID, NULL, 0);
	CHECK_EQ(rm_model_received(env.m), ++in);
	CHECK_EQ(rm_model_sent(env.m), out);
	env_request(2, VM_GET_VMID, NULL, 0);
	CHECK_EQ(rm_model_received(env.m), ++in);
	CHECK_EQ(rm_model_sent(env.m), out += 2);
	CHECK(answered());
	CHECK(answered());

	/* In the queue is what counts. */
	env.depth = 0;
	env_request(3, VM_GET_VMID, NULL, 0);
	CHECK_EQ(rm_model_received(env.m), ++in);
	CHECK_EQ(rm_model_sent(env.m), out);
	env.depth = 8;
	rm_model_poll(env.m, 0);
	CHECK_EQ(rm_model_sent(env.m), ++out);
	CHECK(answered());
	env_close();
}

static void fault_reordered_notifications(void)
{
	open_model();
	vm_to(VM, RM_VM_RUNNING);
	CHECK(fault(VM_STATUS, GH_LAB_FAULT_REORDER, 0, 0, 1));
	CHECK_EQ(vm_stop(VM, true), RM_OK);
	CHECK_EQ(n_notes, 2);
	CHECK_EQ(notes[0].id, VM_EXITED);
	CHECK(is_status(&notes[1], VM, RM_VM_EXITED));
	CHECK_EQ(notes[0].seq, (uint16_t)(notes[1].seq + 1));
	/* After a reply as well */
	CHECK(fault(VM_STATUS, GH_LAB_FAULT_REORDER, 0, 0, 1));
	env_request(77, VM_RESET, "\x80\0\0\0", 4);
	CHECK(answered());
	CHECK_EQ(reply.type, REPLY);
	CHECK(answered());
	CHECK(is_status(&reply, VM, RM_VM_RESETTING));
	CHECK(!answered());
	/* With nothing to come it waits, but not for ever. */
	CHECK(fault(VM_STATUS, GH_LAB_FAULT_REORDER, 0, 0, 1));
	rm_model_poll(env.m, 0);
	take_notes();
	CHECK(rm_model_poll(env.m, 0));
	CHECK(!answered());
	rm_model_fault_clear(env.m);
	CHECK(!rm_model_poll(env.m, 0));
	CHECK(answered());
	CHECK(is_status(&reply, VM, RM_VM_RESET));
	env_close();
}

static void fault_delayed_notifications(void)
{
	open_model();
	vm_to(VM, RM_VM_READY);
	CHECK(fault(VM_STATUS, GH_LAB_FAULT_DELAY, 20, 0, 1));
	CHECK_EQ(call_vmid(VM_START, VM), RM_OK);
	CHECK_EQ(n_notes, 0);
	CHECK_EQ(vm_stop(VM, true), RM_OK);
	CHECK_EQ(n_notes, 2);
	CHECK(rm_model_poll(env.m, 19));
	CHECK(!answered());
	CHECK(!rm_model_poll(env.m, 20));
	CHECK(answered());
	CHECK(is_status(&reply, VM, RM_VM_RUNNING));
	env_close();
}

/* Whatever comes, nothing is overrun and nothing is answered twice. */
static void noise(void)
{
	static const uint32_t ids[] = {
		MEM_LEND, MEM_SHARE, MEM_RECLAIM, MEM_APPEND, MEM_NOTIFY, MEM_RELEASE,
		VM_ALLOCATE, VM_START, VM_STOP, VM_CONFIG_IMAGE, VM_AUTH_IMAGE, VM_INIT,
		VM_GET_ID, VM_GET_STATE, VM_GET_RESOURCES, VM_GET_PEERS,
	};
	uint32_t round, i;

	srand(2);
	for (round = 0; round < 20; round++) {
		env_open(round % 2, 64);
		for (i = 0; i < 5000 && !env.died; i++) {
			uint8_t packet[260], type = rand() % 8 ? REQUEST : rand() % 4;
			uint32_t len = (uint32_t)rand() % 64, k;

			for (k = 0; k < sizeof(packet); k++)
				packet[k] = rand() % 4 ? 0 : (uint8_t)(rand() % 8);
			if (rand() % 2)
				packet[0] = VM;
			env_packet(rand() % 16 ? 0x21 : 0x31, type, rand() % 8 ? 0 : rand() % 64,
				   rand() % 4, ids[(uint32_t)rand() % ARRAY_SIZE(ids)], packet,
				   rand() % 4 ? len : len * 4);
			env.depth = (uint32_t)rand() % 4;
			rm_model_poll(env.m, i);
			while (env.queued) {
				const struct packet *p;

				env_take_packet(&p);
			}
		}
		env_close();
	}
}

void rm_model_tests(void)
{
	RUN(bad_packets_are_dropped);
	RUN(fragments_are_put_together);
	RUN(foreign_continuations_are_dropped);
	RUN(a_new_message_ends_a_partial_one);
	RUN(the_longest_message);
	RUN(long_replies_are_fragmented);
	RUN(a_long_reply_waits_for_room);
	RUN(a_second_reply_drops_the_first);
	RUN(a_reply_can_be_dropped_half_way);
	RUN(order_survives_a_full_queue);
	RUN(the_oldest_notification_is_lost);
	RUN(notifications_have_their_own_numbers);
	RUN(exact_lengths);
	RUN(minimal_lengths);
	RUN(list_lengths);
	RUN(dynamic_vmids);
	RUN(secondary_vmids);
	RUN(peers_in_order_of_allocation);
	RUN(unknown_vmids);
	RUN(states);
	RUN(acl_rules);
	RUN(entry_rules);
	RUN(no_page_twice);
	RUN(ranges_at_random);
	RUN(parcel_limit);
	RUN(handles_are_counted);
	RUN(list_limit);
	RUN(append);
	RUN(memory_is_assigned_before_it_is_given);
	RUN(an_open_parcel);
	RUN(a_very_large_parcel);
	RUN(entries_run_out);
	RUN(sanitize);
	RUN(reclaim_and_release);
	RUN(reclaim_in_each_state);
	RUN(notify_guests);
	RUN(config_rules);
	RUN(authentication);
	RUN(init_failures);
	RUN(init_is_told_the_image);
	RUN(start_policy);
	RUN(start_failures);
	RUN(forced_stop);
	RUN(graceful_stop);
	RUN(guest_ends);
	RUN(reset_in_steps);
	RUN(two_guests);
	RUN(resources);
	RUN(ids);
	RUN(not_implemented);
	RUN(what_kills);
	RUN(death_silences_what_waits);
	RUN(fault_rules);
	RUN(fault_skip_and_count);
	RUN(fault_refuse_ignore_no_reply);
	RUN(fault_delayed_replies);
	RUN(fault_duplicate_reply);
	RUN(fault_malformed_replies);
	RUN(fault_lost_and_false_notifications);
	RUN(fault_reordered_notifications);
	RUN(whole_messages_are_counted);
	RUN(fault_delayed_notifications);
	RUN(noise);
}

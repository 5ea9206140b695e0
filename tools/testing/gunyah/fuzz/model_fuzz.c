// SPDX-License-Identifier: GPL-2.0-only
/*
 * rm_model.c: any sequence of packets, faults and events, in the surroundings of its
 * unit tests (env.c), which check what the model asks for. At the end everything that
 * can be taken back is, and then the model must have nothing any more.
 */
#include "input.h"
#include "../model/env.h"
#include "../model/test.h"

#define MAX_ENTRIES	600
#define MAX_SENT	4000

#define MEM_LEND	0x51000012
#define MEM_SHARE	0x51000013
#define MEM_RECLAIM	0x51000015
#define MEM_APPEND	0x51000018
#define VM_ALLOCATE	0x56000001
#define VM_DEALLOCATE	0x56000002
#define VM_STOP		0x56000005
#define VM_RESET	0x56000006
#define VM_CONFIG_IMAGE	0x56000009
#define VM_INIT		0x5600000b
#define VM_EXITED	0x56100001
#define VM_STATUS	0x56100008

static const uint32_t ids[] = {
	VM_ALLOCATE, VM_DEALLOCATE, 0x56000004, VM_STOP, VM_RESET, VM_CONFIG_IMAGE, 0x5600000a,
	VM_INIT, 0x56000010, 0x56000015, 0x56000017, 0x56000020, 0x56000024, 0x56000025,
	0x56000050, 0x56000053, 0x56000083, 0x560000a0, 0x51000010, MEM_LEND, MEM_SHARE,
	0x51000014, MEM_RECLAIM, 0x51000017, MEM_APPEND, VM_EXITED, VM_STATUS,
};

static struct input in;
static uint16_t seq;
static uint32_t rm_handle;	/* the last that was given */
static uint32_t handles;	/* that may be in use: not more than requests sent */

bool test_check(bool ok, const char *what, const char *file, int line)
{
	if (!ok) {
		fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
		abort();
	}
	return ok;
}

static void put(uint8_t *p, uint64_t value, int bytes)
{
	while (bytes--) {
		*p++ = value;
		value >>= 8;
	}
}

static uint32_t pick_id(void)
{
	return ids[in8(&in) % ARRAY_SIZE(ids)];
}

/* Mostly a VMID that there is */
static uint16_t pick_vmid(void)
{
	uint8_t b = in8(&in);

	return b < 0xf0 ? 0x80 + b % 4 : b - 0xf0;
}

static void take_all(void)
{
	static struct message msg;

	while (env_take(&msg)) {
		FUZZ_CHECK(msg.len <= ENV_MESSAGE);
		if (msg.id == MEM_LEND && msg.len == 8)
			rm_handle = le32(msg.data + 4);
	}
}

static void request(uint32_t id, const void *payload, uint32_t len)
{
	handles++;
	env_request(seq++, id, payload, len);
}

/* A list with its length in front of it */
static uint8_t *put_count(uint8_t *p, uint32_t n)
{
	put(p, n, 4);
	return p + 4;
}

static uint8_t *put_entries(uint8_t *p)
{
	static const uint16_t counts[] = { 1, 1, 2, 3, 16, 200, 512, 513 };
	uint32_t n = counts[in8(&in) % ARRAY_SIZE(counts)], i;
	uint64_t addr = ENV_RAM + in16(&in) * ENV_PAGE, size = (in8(&in) + 1) * ENV_PAGE;
	/* By chance they overlap */
	uint64_t stride = in8(&in) * ENV_PAGE;

	p = put_count(p, n);
	for (i = 0; i < n; i++) {
		put(p, addr + i * stride, 8);
		put(p + 8, n > 3 ? ENV_PAGE : size, 8);
		p += 16;
	}
	return p;
}

static void mem_create(uint8_t what)
{
	static uint8_t buf[16384];
	uint8_t *p = buf;
	uint32_t n;

	if (what & 8) {
		put(p, in8(&in), 4);
		put(p + 4, in8(&in), 4);
		p = put_entries(p + 8);
		request(MEM_APPEND, buf, p - buf);
		return;
	}
	put(p, in32(&in) & 0x030001, 4);
	put(p + 4, what >> 4, 4);
	n = 1 + !!(what & 0x10);
	p = put_count(p + 8, n);
	put(p, pick_vmid(), 2);
	put(p + 2, 4 | in8(&in) % 8, 2);
	p += 4;
	if (n == 2) {
		put(p, RM_HOST_VMID, 2);
		put(p + 2, 7, 2);
		p += 4;
	}
	p = put_entries(p);
	p = put_count(p, 0);
	request(n == 2 ? MEM_SHARE : MEM_LEND, buf, p - buf);
}

static void vm_request(uint8_t what)
{
	static const uint32_t steps[] = {
		VM_ALLOCATE, VM_CONFIG_IMAGE, VM_INIT, 0x56000004, VM_STOP, VM_RESET,
		VM_DEALLOCATE, MEM_RECLAIM,
	};
	uint32_t id = steps[what / 8 % 8];
	uint8_t buf[40] = { 0 };

	switch (id) {
	case VM_ALLOCATE:
		request(id, buf, 4);
		break;
	case VM_CONFIG_IMAGE:
		put(buf, pick_vmid(), 2);
		put(buf + 4, in8(&in), 4);
		put(buf + 24, in8(&in) % 4 * ENV_PAGE, 8);
		put(buf + 32, in8(&in) % 4 * ENV_PAGE, 8);
		request(id, buf, 40);
		break;
	case MEM_RECLAIM:
		put(buf, in8(&in), 4);
		buf[4] = what >> 7;
		request(id, buf, 8);
		break;
	default:
		put(buf, pick_vmid(), 2);
		buf[2] = id == VM_STOP ? in8(&in) % 2 : 0;
		request(id, buf, id == VM_STOP ? 8 : 4);
		break;
	}
}

static void fault(void)
{
	struct rm_fault f = {
		.msg_id = pick_id(), .action = in8(&in) % 14, .arg = in8(&in),
		.skip = in8(&in) % 4, .count = in8(&in) % 4,
	};

	rm_model_fault_add(env.m, &f);
}

/* Up to a packet more than a message can have: that one is not a message */
static void huge(uint32_t id)
{
	static const uint16_t lens[] = {
		0, 231, 232, 233, 464, 62 * 232, ENV_MESSAGE, ENV_MESSAGE + 1, 64 * 232,
	};
	static const uint8_t zero[64 * 232];
	uint32_t len = lens[in8(&in) % ARRAY_SIZE(lens)], before;

	take_all();
	before = env.queued;
	request(id, zero, len);
	FUZZ_CHECK(len <= ENV_MESSAGE || before == env.queued);
}

/* Memory that a running guest was started from is not taken back. */
static void check_running(void)
{
	struct rm_parcel_info info;
	uint16_t vmid;
	uint32_t pos;

	for (vmid = 0x80; vmid < 0x84; vmid++) {
		pos = 0;
		if (rm_model_vm_state(env.m, vmid) == RM_VM_RUNNING)
			FUZZ_CHECK(rm_model_next_parcel(env.m, vmid, &pos, &info));
	}
}

static void step(void)
{
	uint8_t what = in8(&in), data[255];
	uint32_t id, len;
	uint16_t vmid;

	switch (what % 8) {
	case 0:
		len = in8(&in);
		in_bytes(&in, data, len);
		handles++;
		/* env_packet() puts it on the heap, of exactly this size */
		if (len >= 8)
			env_packet(data[0], data[1] & 3, data[1] >> 2, le16(data + 2),
				   le32(data + 4), data + 8, len - 8);
		break;
	case 1:
		id = pick_id();
		if (what & 0x80) {
			huge(id);
			break;
		}
		len = in8(&in) % 64;
		in_bytes(&in, data, len);
		request(id, data, len);
		break;
	case 2:
		mem_create(what);
		break;
	case 3:
		env.now_ms += what / 8;
		rm_model_poll(env.m, env.now_ms);
		break;
	case 4:
		vmid = pick_vmid();
		in_bytes(&in, data, 40);
		rm_model_guest_exited(env.m, vmid, what / 8, (uint32_t *)data, data[0] % 11);
		break;
	case 5:
		if (what & 0x80)
			rm_model_fault_clear(env.m);
		else
			fault();
		break;
	case 6:
		env.depth = what & 0x80 ? ENV_QUEUE : 1 + what / 8;
		env.init_error = in8(&in) % 8 ? 0 : RM_MEM_INVALID;
		env.start_error = in8(&in) % 8 ? 0 : RM_NORESOURCE;
		env.accept_all = what & 8;
		break;
	case 7:
		vm_request(what);
		break;
	}
	/* The queue may stay full for a while */
	if (env.depth == ENV_QUEUE || in8(&in) % 2)
		take_all();
	FUZZ_CHECK(rm_model_parcels(env.m) <= 64 && rm_model_vmids(env.m) <= 63 + 28);
	FUZZ_CHECK(!env.lent_pages || rm_model_parcels(env.m));
	check_running();
}

static void vm_message(uint32_t id, uint16_t vmid)
{
	uint8_t buf[8] = { vmid & 0xff, vmid >> 8, 1 };

	if (id != VM_STOP)
		buf[2] = 0;
	else
		buf[4] = 3;
	request(id, buf, id == VM_STOP ? 8 : 4);
	take_all();
}

/* As the driver leads a VM out; false if there is no way */
static bool end_vm(uint16_t vmid)
{
	int i, k;

	for (i = 0; i < 8 && !env.died; i++) {
		switch (rm_model_vm_state(env.m, vmid)) {
		case RM_VM_NONE:
			return true;
		case RM_VM_INIT:
			vm_message(VM_INIT, vmid);
			break;
		case RM_VM_RUNNING:
			vm_message(VM_STOP, vmid);
			break;
		case RM_VM_READY:
		case RM_VM_EXITED:
		case RM_VM_INIT_FAILED:
			/* Takes the model down if the VM was never configured */
			vm_message(VM_RESET, vmid);
			break;
		case RM_VM_RESETTING:
			for (k = 0; k < 8; k++)
				rm_model_poll(env.m, env.now_ms);
			take_all();
			break;
		case RM_VM_LOAD:
		case RM_VM_RESET:
			vm_message(VM_DEALLOCATE, vmid);
			break;
		default:
			return false;
		}
	}
	return false;
}

/* All memory can be given away again, in as many pieces as there is room for. */
static void check_room(void)
{
	static uint8_t buf[32 + 16 * 512];
	uint32_t sent, n, i;
	uint8_t *p;

	vm_message(VM_ALLOCATE, 0);
	for (sent = 0; sent < MAX_ENTRIES; sent += n) {
		n = MAX_ENTRIES - sent < 512 ? MAX_ENTRIES - sent : 512;
		memset(buf, 0, sizeof(buf));
		if (!sent) {
			/* To be appended to, for the VM that is there now */
			put(buf + 2, 2, 1);
			p = put_count(buf + 8, 1);
			put(p, 0x80, 2);
			put(p + 2, 7, 2);
			p += 4;
		} else {
			put(buf, rm_handle, 4);
			put(buf + 4, sent + n == MAX_ENTRIES, 1);
			p = buf + 8;
		}
		p = put_count(p, n);
		for (i = 0; i < n; i++, p += 16) {
			put(p, ENV_RAM + (sent + i) * 2 * ENV_PAGE, 8);
			put(p + 8, ENV_PAGE, 8);
		}
		if (!sent)
			p = put_count(p, 0);
		request(sent ? MEM_APPEND : MEM_LEND, buf, p - buf);
		take_all();
	}
	FUZZ_CHECK(rm_model_parcels(env.m) == 1 && env.lent_pages == MAX_ENTRIES);
}

static void end(void)
{
	uint8_t reclaim[8] = { 0 };
	bool ended = true;
	uint32_t i, n;

	rm_model_fault_clear(env.m);
	env.depth = ENV_QUEUE;
	env.init_error = 0;
	/* What is left of a request that was never complete is no part of the next. */
	rm_model_poll(env.m, env.now_ms);
	take_all();

	for (i = 1; i < 0xff; i++) {
		if (i != RM_HOST_VMID)
			ended &= end_vm(i);
	}
	for (i = 0, n = handles; i < n && !env.died; i++) {
		put(reclaim, i, 4);
		request(MEM_RECLAIM, reclaim, sizeof(reclaim));
		take_all();
	}
	if (env.died || !ended)
		return;
	FUZZ_CHECK(!rm_model_vmids(env.m) && !rm_model_parcels(env.m));
	FUZZ_CHECK(!env.lent_pages && !rm_model_running(env.m));
	check_room();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = (struct input) { data, size };
	seq = 0;
	handles = 0;
	env_open(in8(&in) % 2 ? RM_POLICY_DEBUG : RM_POLICY_PRODUCTION, MAX_ENTRIES);
	while (in.left && !env.died && handles < MAX_SENT)
		step();
	if (!env.died)
		end();
	env_close();
	return 0;
}

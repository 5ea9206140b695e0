// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "env.h"
#include "test.h"

struct env env;

static bool env_send(void *e, const void *packet, uint32_t len)
{
	CHECK(e == &env);
	CHECK(len >= 8 && len <= RM_PACKET_SIZE);
	if (env.queued - env.taken >= env.depth)
		return false;
	if (!CHECK(env.queued < ENV_QUEUE))
		return false;
	memcpy(env.queue[env.queued].data, packet, len);
	env.queue[env.queued++].len = len;
	return true;
}

static bool env_is_ram(uint64_t addr, uint64_t size)
{
	return addr >= ENV_RAM && addr < ENV_RAM + ENV_RAM_SIZE &&
	       size <= ENV_RAM + ENV_RAM_SIZE - addr;
}

static bool env_mem_owned(void *e, uint64_t addr, uint64_t size)
{
	uint64_t i;

	CHECK(e == &env);
	CHECK(size);
	CHECK(!((addr | size) & (ENV_PAGE - 1)));
	if (!env_is_ram(addr, size))
		return false;
	for (i = 0; !env.blind && i < size / ENV_PAGE; i++) {
		if (env.lent[(addr - ENV_RAM) / ENV_PAGE + i])
			return false;
	}
	return true;
}

static bool env_mem_assigned(void *e, uint64_t addr, uint64_t size, const struct rm_acl *acl,
			     uint32_t n)
{
	CHECK(e == &env);
	/* Not asked of what cannot be given */
	CHECK(env_mem_owned(e, addr, size));
	if (CHECK(n <= ENV_ASKED_ACLS))
		memcpy(env.asked_acl, acl, n * sizeof(*acl));
	env.asked_acls = n;
	if (CHECK(env.n_asked < ENV_ASKED))
		env.asked[env.n_asked++] = (struct rm_mem_entry) { addr, size };
	return env.unassigned < addr || env.unassigned >= addr + size;
}

static void env_set_lent(uint64_t addr, uint64_t size, bool lent)
{
	uint64_t i;

	if (!CHECK(env_is_ram(addr, size)))
		return;
	for (i = (addr - ENV_RAM) / ENV_PAGE; size; i++, size -= ENV_PAGE) {
		CHECK(env.lent[i] != lent);
		env.lent[i] = lent;
		env.lent_pages += lent ? 1 : -1;
	}
}

static void env_mem_lend(void *e, uint64_t addr, uint64_t size)
{
	CHECK(e == &env);
	env_set_lent(addr, size, true);
}

static void env_mem_return(void *e, uint64_t addr, uint64_t size)
{
	CHECK(e == &env);
	env_set_lent(addr, size, false);
}

static void env_mem_zero(void *e, uint64_t addr, uint64_t size)
{
	CHECK(e == &env);
	CHECK(env_is_ram(addr, size));
	env.zeroed += size;
}

static uint32_t env_vm_init(void *e, uint16_t vmid, const struct rm_image *image)
{
	CHECK(e == &env);
	CHECK_EQ(rm_model_vm_state(env.m, vmid), RM_VM_INIT);
	env.inits++;
	env.image = *image;
	return env.init_error;
}

static uint32_t env_vm_start(void *e, uint16_t vmid, const struct rm_image *image)
{
	struct rm_parcel_info info;
	uint32_t pos = 0;

	CHECK(e == &env);
	CHECK_EQ(rm_model_vm_state(env.m, vmid), RM_VM_READY);
	CHECK(!memcmp(&env.image, image, sizeof(*image)));
	env.starts++;
	while (env.accept_all && rm_model_next_parcel(env.m, vmid, &pos, &info))
		rm_model_accept(env.m, vmid, info.handle);
	return env.start_error;
}

static void env_vm_kill(void *e, uint16_t vmid)
{
	CHECK(e == &env);
	CHECK(rm_model_vm_state(env.m, vmid) == RM_VM_RUNNING ||
	      rm_model_vm_state(env.m, vmid) == RM_VM_EXITED);
	env.kills++;
}

static void env_vm_teardown(void *e, uint16_t vmid)
{
	CHECK(e == &env);
	CHECK_EQ(rm_model_vm_state(env.m, vmid), RM_VM_RESETTING);
	env.teardowns++;
}

static bool env_vm_has_rpc(void *e, uint16_t vmid)
{
	(void)vmid;
	CHECK(e == &env);
	return env.has_rpc;
}

static void env_die(void *e, const char *cause)
{
	CHECK(e == &env);
	CHECK(!env.died);
	env.died = cause;
}

static bool env_resource(void *e, uint16_t vmid, uint32_t index, struct rm_resource *resource)
{
	/* The manager's own vCPU, as recorded */
	static const struct rm_resource own = { .type = 4, .capid = 2 };

	CHECK(e == &env);
	if (vmid == 255) {
		*resource = own;
		return !index;
	}
	if (index >= env.n_resources)
		return false;
	*resource = env.resources[index];
	return true;
}

/* All but the one that is not there everywhere */
#define ENV_OPS						\
	.send = env_send,				\
	.mem_owned = env_mem_owned,			\
	.mem_lend = env_mem_lend,			\
	.mem_return = env_mem_return,			\
	.mem_zero = env_mem_zero,			\
	.vm_init = env_vm_init,				\
	.vm_start = env_vm_start,			\
	.vm_kill = env_vm_kill,				\
	.vm_teardown = env_vm_teardown,			\
	.vm_has_rpc = env_vm_has_rpc,			\
	.die = env_die,					\
	.resource = env_resource

static const struct rm_env_ops env_ops = { ENV_OPS };
static const struct rm_env_ops env_listed_ops = { ENV_OPS, .mem_assigned = env_mem_assigned };

static void env_open_with(const struct rm_env_ops *ops, enum rm_policy policy,
			  uint32_t max_entries)
{
	memset(&env, 0, sizeof(env));
	env.depth = ENV_QUEUE;
	env.has_rpc = true;
	/* Exactly as much as it asks for, so that the sanitizer sees it take more. */
	env.mem = malloc(rm_model_size(max_entries));
	if (!env.mem)
		abort();
	env.m = rm_model_init(env.mem, max_entries, ops, &env, policy);
}

void env_open(enum rm_policy policy, uint32_t max_entries)
{
	env_open_with(&env_ops, policy, max_entries);
}

void env_open_listed(enum rm_policy policy, uint32_t max_entries)
{
	env_open_with(&env_listed_ops, policy, max_entries);
}

void env_close(void)
{
	free(env.mem);
	env.mem = NULL;
}

void env_packet(uint8_t api, uint8_t type, uint8_t fragments, uint16_t seq, uint32_t id,
		const void *payload, uint32_t len)
{
	/* On the heap and of the packet's size, for the same reason */
	uint8_t *p = malloc(8 + len);

	if (!p)
		abort();
	p[0] = api;
	p[1] = (uint8_t)(fragments << 2 | type);
	p[2] = (uint8_t)seq;
	p[3] = (uint8_t)(seq >> 8);
	p[4] = (uint8_t)id;
	p[5] = (uint8_t)(id >> 8);
	p[6] = (uint8_t)(id >> 16);
	p[7] = (uint8_t)(id >> 24);
	if (len)
		memcpy(p + 8, payload, len);
	rm_model_receive(env.m, p, 8 + len);
	free(p);
}

void env_request(uint16_t seq, uint32_t id, const void *payload, uint32_t len)
{
	uint32_t fragments = len ? (len - 1) / 232 : 0, i;

	for (i = 0; i <= fragments; i++)
		env_packet(0x21, i ? CONTINUATION : REQUEST, (uint8_t)fragments, seq, id,
			   (const uint8_t *)payload + 232 * i,
			   i < fragments ? 232 : len - 232 * i);
}

bool env_take_packet(const struct packet **packet)
{
	if (env.taken == env.queued)
		return false;
	*packet = &env.queue[env.taken++];
	if (env.taken == env.queued) {
		/* All is read and may be overwritten by the next that is sent, not before. */
		env.taken = 0;
		env.queued = 0;
	}
	return true;
}

bool env_take(struct message *msg)
{
	const struct packet *p;
	uint32_t more, i;

	if (!env_take_packet(&p))
		return false;
	CHECK_EQ(p->data[0], 0x21);
	msg->type = p->data[1] & 3;
	msg->seq = le16(p->data + 2);
	msg->id = le32(p->data + 4);
	msg->len = 0;
	CHECK(msg->type == REPLY || msg->type == NOTIFICATION);
	more = p->data[1] >> 2;
	for (i = 0; ; i++) {
		memcpy(msg->data + msg->len, p->data + 8, p->len - 8);
		msg->len += p->len - 8;
		if (i == more)
			return true;
		/* All but the last are full, and the same but for the type. */
		CHECK_EQ(p->len, RM_PACKET_SIZE);
		/* The rest may have waited for room. */
		if (!env_take_packet(&p)) {
			rm_model_poll(env.m, env.now_ms);
			if (!CHECK(env_take_packet(&p)))
				return false;
		}
		CHECK_EQ(p->data[0], 0x21);
		CHECK_EQ(p->data[1], more << 2);
		CHECK_EQ(le16(p->data + 2), msg->seq);
		CHECK_EQ(le32(p->data + 4), msg->id);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hidden CPU: it runs rm_model behind the message queues, and guests when
 * the model has nothing to do. Whatever both of them hold is touched by no other
 * CPU, so there are no locks in it.
 *
 * A host CPU that accesses the control page, or calls TrustZone (tz.c), leaves that in
 * the mailbox, under the control lock, kicks the hidden CPU and waits for it to be
 * done: so what a test reads is a state between two messages, and not older than the
 * last reply that it has seen.
 */
#include "guest.h"
#include "../lab_ctl.h"

#define SLICE_US	5000
#define POLL_US		1000
#define MIN_ENTRIES	65536

struct rm_model *rm_model;
static bool ready;

static struct spinlock control_lock;
static struct {
	void (*serve)(void *arg);
	void *arg;
	bool posted;			/* set by the host's CPU, cleared by the hidden one */
} mailbox;
static struct rm_fault staged;
static bool commit_refused;
static u32 staged_call[sizeof(struct script_rule) / sizeof(u32)];
static bool call_refused;
static u32 staged_tz[sizeof(struct tz_rule) / sizeof(u32)];
static bool tz_refused;

static bool env_send(void *env, const void *packet, uint32_t len)
{
	(void)env;
	/* The host must find true whatever the message tells it. */
	host_s2_sync();
	return msgq_rm_send(packet, len);
}

static bool env_owned(void *env, uint64_t addr, uint64_t size)
{
	(void)env;
	return host_owns(addr, size);
}

static bool env_assigned(void *env, uint64_t addr, uint64_t size, const struct rm_acl *acl,
			 uint32_t n)
{
	(void)env;
	return tz_assigned(addr, size, acl, n);
}

static void env_lend(void *env, uint64_t addr, uint64_t size)
{
	(void)env;
	host_lend(addr, size);
}

static void env_return(void *env, uint64_t addr, uint64_t size)
{
	(void)env;
	host_return(addr, size);
}

static void env_zero(void *env, uint64_t addr, uint64_t size)
{
	(void)env;
	host_s2_sync();
	memset((void *)addr, 0, size);
	cache_clean_inval(addr, size);
}

static void env_die(void *env, const char *cause)
{
	(void)env;
	panic("this kills the resource manager: %s", cause);
}

static const struct rm_env_ops ops = {
	.send		= env_send,
	.mem_owned	= env_owned,
	.mem_assigned	= env_assigned,
	.mem_lend	= env_lend,
	.mem_return	= env_return,
	.mem_zero	= env_zero,
	.vm_init	= guest_vm_init,
	.vm_start	= guest_vm_start,
	.vm_kill	= guest_vm_kill,
	.vm_teardown	= guest_vm_teardown,
	.vm_has_rpc	= guest_vm_has_rpc,
	.die		= env_die,
	.resource	= guest_resource,
};

/* Each page of the host's may be an entry of its own. */
static u32 model_entries(void)
{
	u64 pages = (config.ram_end - HOST_ENTRY) / PAGE_SIZE;

	return pages > MIN_ENTRIES ? pages : MIN_ENTRIES;
}

u64 rm_heap(void)
{
	return ALIGN_UP(rm_model_size(model_entries()), PAGE_SIZE);
}

void rm_init(void)
{
	void *mem = heap_alloc(rm_heap());

	rm_model = rm_model_init(mem, model_entries(), &ops, NULL, config.policy);
}

/* The register of a rule that is being written, or NULL */
static u32 *rule_register(u32 offset)
{
	if (offset >= GH_LAB_CTL_CALL_NUMBER && offset < GH_LAB_CTL_CALL_COMMIT)
		return &staged_call[(offset - GH_LAB_CTL_CALL_NUMBER) / sizeof(u32)];
	if (offset >= GH_LAB_CTL_TZ_DIRECTION && offset < GH_LAB_CTL_TZ_COMMIT)
		return &staged_tz[(offset - GH_LAB_CTL_TZ_DIRECTION) / sizeof(u32)];
	return NULL;
}

static bool call_commit(void)
{
	struct script_rule rule;

	memcpy(&rule, staged_call, sizeof(rule));
	return script_add(&rule);
}

static bool tz_commit(void)
{
	struct tz_rule rule;

	memcpy(&rule, staged_tz, sizeof(rule));
	return tz_rule_add(&rule);
}

static bool control_read(u32 offset, u32 *value)
{
	const u32 *reg = rule_register(offset);

	if (reg) {
		*value = *reg;
		return true;
	}
	switch (offset) {
	case GH_LAB_CTL_ID:
		*value = GH_LAB_CTL_MAGIC;
		return true;
	case GH_LAB_CTL_VERSION:
		*value = 1;
		return true;
	case GH_LAB_CTL_POLICY:
		*value = config.policy == RM_POLICY_DEBUG;
		return true;
	case GH_LAB_CTL_VMIDS:
		*value = rm_model_vmids(rm_model);
		return true;
	case GH_LAB_CTL_PARCELS:
		*value = rm_model_parcels(rm_model);
		return true;
	case GH_LAB_CTL_LENT_PAGES:
		*value = lent_pages;
		return true;
	case GH_LAB_CTL_GUESTS:
		*value = rm_model_running(rm_model);
		return true;
	case GH_LAB_CTL_SENDS:
		*value = msgq_sends;
		return true;
	case GH_LAB_CTL_RECVS:
		*value = msgq_recvs;
		return true;
	case GH_LAB_CTL_HOST_FAULTS:
		*value = host_faults;
		return true;
	case GH_LAB_CTL_VCPU_RUNS:
	case GH_LAB_CTL_VCPU_READY:
	case GH_LAB_CTL_BELL_SENDS:
	case GH_LAB_CTL_BELL_SET_MASKS:
	case GH_LAB_CTL_HVC_TICKS:
		*value = __atomic_load_n(&call_counts[(offset - GH_LAB_CTL_VCPU_RUNS) / 4],
					 __ATOMIC_RELAXED);
		return true;
	case GH_LAB_CTL_MSGS_IN:
		*value = rm_model_received(rm_model);
		return true;
	case GH_LAB_CTL_MSGS_OUT:
		*value = rm_model_sent(rm_model);
		return true;
	case GH_LAB_CTL_TZ:
		*value = config.qcom;
		return true;
	case GH_LAB_CTL_TZ_ASSIGNS:
		*value = tz_assigns;
		return true;
	case GH_LAB_CTL_TZ_AWAY:
		*value = tz_away_pages;
		return true;
	case GH_LAB_CTL_TZ_HITS:
		*value = tz_rule_hits();
		return true;
	case GH_LAB_CTL_TZ_REFUSED:
		*value = tz_refused;
		return true;
	case GH_LAB_CTL_CALL_HITS:
		*value = script_hits();
		return true;
	case GH_LAB_CTL_CALL_REFUSED:
		*value = call_refused;
		return true;
	case GH_LAB_CTL_FAULT_MSG:
		*value = staged.msg_id;
		return true;
	case GH_LAB_CTL_FAULT_ACTION:
		*value = staged.action;
		return true;
	case GH_LAB_CTL_FAULT_ARG:
		*value = staged.arg;
		return true;
	case GH_LAB_CTL_FAULT_SKIP:
		*value = staged.skip;
		return true;
	case GH_LAB_CTL_FAULT_COUNT:
		*value = staged.count;
		return true;
	case GH_LAB_CTL_FAULT_HITS:
		*value = rm_model_fault_hits(rm_model);
		return true;
	case GH_LAB_CTL_FAULT_ERROR:
		*value = commit_refused;
		return true;
	default:
		return false;
	}
}

static bool control_write(u32 offset, u32 value)
{
	u32 *reg = rule_register(offset);

	if (reg) {
		*reg = value;
		return true;
	}
	switch (offset) {
	case GH_LAB_CTL_CALL_COMMIT:
		call_refused = !call_commit();
		return true;
	case GH_LAB_CTL_CALL_CLEAR:
		script_clear();
		return true;
	case GH_LAB_CTL_TZ_COMMIT:
		tz_refused = !tz_commit();
		return true;
	case GH_LAB_CTL_TZ_CLEAR:
		tz_rules_clear();
		return true;
	case GH_LAB_CTL_FAULT_MSG:
		staged.msg_id = value;
		return true;
	case GH_LAB_CTL_FAULT_ACTION:
		staged.action = value;
		return true;
	case GH_LAB_CTL_FAULT_ARG:
		staged.arg = value;
		return true;
	case GH_LAB_CTL_FAULT_SKIP:
		staged.skip = value;
		return true;
	case GH_LAB_CTL_FAULT_COUNT:
		staged.count = value;
		return true;
	case GH_LAB_CTL_FAULT_COMMIT:
		commit_refused = !rm_model_fault_add(rm_model, &staged);
		return true;
	case GH_LAB_CTL_FAULT_CLEAR:
		rm_model_fault_clear(rm_model);
		return true;
	default:
		return false;
	}
}

/* A host CPU has the hidden one call this, between two messages. */
void hidden_call(void (*serve)(void *arg), void *arg)
{
	spin_lock(&control_lock);
	mailbox.serve = serve;
	mailbox.arg = arg;
	__atomic_store_n(&mailbox.posted, true, __ATOMIC_RELEASE);
	gic_kick_hidden();
	while (__atomic_load_n(&mailbox.posted, __ATOMIC_ACQUIRE))
		cpu_relax();
	spin_unlock(&control_lock);
}

static void mailbox_serve(void)
{
	if (!__atomic_load_n(&mailbox.posted, __ATOMIC_ACQUIRE))
		return;
	mailbox.serve(mailbox.arg);
	__atomic_store_n(&mailbox.posted, false, __ATOMIC_RELEASE);
}

struct access {
	u32 offset;
	bool write;
	u32 value;
	bool ok;
};

static void control_serve(void *arg)
{
	struct access *a = arg;

	a->ok = a->write ? control_write(a->offset, a->value) :
			   control_read(a->offset, &a->value);
}

/* A host CPU; returns false if there is no such register to read or to write. */
bool control_access(u32 offset, bool write, u32 *value)
{
	struct access a = { offset, write, *value, false };

	hidden_call(control_serve, &a);
	*value = a.value;
	return a.ok;
}

/* Returns when there is more to do, by the counter, if nobody says so before. */
static u64 work(void)
{
	u8 packet[RM_PACKET_SIZE];
	u64 next, poll;
	u32 len;

	while (msgq_rm_receive(packet, &len))
		rm_model_receive(rm_model, packet, len);
	next = proxy_poll();
	if (rm_model_poll(rm_model, now_ms())) {
		poll = timer_after(POLL_US);
		next = poll < next ? poll : next;
	}
	host_s2_sync();
	mailbox_serve();
	return next;
}

void rm_wait_ready(void)
{
	while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
		cpu_relax();
}

void hidden_main(u32 cpu)
{
	host_s2_cpu_init();
	vcpu_cpu_init(0);
	gic_init_hidden(cpu);
	__atomic_store_n(&ready, true, __ATOMIC_RELEASE);

	for (;;) {
		u64 next, slice;

		gic_ack_all();
		next = work();
		slice = timer_after(SLICE_US);
		if (vcpu_any_runnable()) {
			timer_start_at(slice < next ? slice : next);
			vcpu_run_next();
		} else {
			if (next != NEVER)
				timer_start_at(next);
			wfi();
		}
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells between a guest and the host, each made from a node of the guest's
 * devicetree: a "doorbell" interrupts the guest, a "doorbell-source" the host. 64 flags,
 * set by who sends; the receiver has an interrupt while any of them is enabled.
 *
 * A guest that is not started yet, or not run, gets its interrupts later: they wait in
 * vgic.c, which has them since VM_INIT.
 *
 * bell_lock guards the bells and what struct vm says of them; host CPUs and the hidden
 * CPU take it. bell[i] of a VM is what its own capability i names: bells are all that a
 * guest has capabilities of here.
 *
 * Assumed, where neither the recordings nor the description of the calls say it:
 * - An edge is one event for each call that leaves an enabled flag set, whether that was
 *   set before or not: a guest that handles the interrupt without asking for the flags
 *   gets each one.
 * - The flags of the ack mask are cleared when they interrupt, not when the guest gets to
 *   know: there is the same reason, and it is what makes a level of them end.
 * - The sender may set masks, read and reset only if the node has "source-can-clear".
 * - Reset also gives the masks their first values: all enabled, nothing acknowledged.
 */
#include "guest.h"

#define RIGHT_SEND	1
#define RIGHT_RECEIVE	2

static struct bell {
	u16 vmid;			/* 0: free */
	u16 cap;			/* the host's */
	struct rm_dtb_bell node;
	u32 spi;			/* of the host, for a source */
	u64 flags, enabled, ack;
} bells[MAX_BELLS];
static struct spinlock bell_lock;

static void reset(struct bell *b)
{
	b->flags = 0;
	b->enabled = ~0UL;
	b->ack = 0;
}

static bool add(u16 vmid, const struct rm_dtb_bell *node)
{
	struct vm *vm = &vms[vmid];
	u32 slot = 0, spi = 0;

	while (slot < MAX_BELLS && bells[slot].vmid)
		slot++;
	if (slot == MAX_BELLS || (node->source && !host_spis_take(&spi, 1)))
		return false;
	bells[slot] = (struct bell){ .vmid = vmid, .node = *node, .spi = spi };
	bells[slot].cap = cap_take(CAP_BELL, vmid, slot);
	reset(&bells[slot]);
	vm->bell[vm->bells++] = slot;
	return true;
}

/* VM_INIT: false if there are not enough of them, or of interrupts. */
bool bells_create(u16 vmid, const struct rm_dtb_config *config)
{
	bool ok = true;

	spin_lock(&bell_lock);
	for (u32 i = 0; ok && i < config->bells; i++)
		ok = add(vmid, &config->bell[i]);
	spin_unlock(&bell_lock);
	return ok;
}

/* RESET, also of a VM that has only some of its bells */
void bells_destroy(u16 vmid)
{
	struct vm *vm = &vms[vmid];

	spin_lock(&bell_lock);
	for (u32 i = 0; i < vm->bells; i++) {
		struct bell *b = &bells[vm->bell[i]];

		cap_free(b->cap);
		if (b->node.source)
			host_spi_free(b->spi);
		b->vmid = 0;
	}
	vm->bells = 0;
	spin_unlock(&bell_lock);
}

bool bell_resource(u16 vmid, u32 index, struct rm_resource *r)
{
	const struct vm *vm = &vms[vmid];
	const struct bell *b;

	if (index >= vm->bells)
		return false;
	b = &bells[vm->bell[index]];
	memset(r, 0, sizeof(*r));
	r->type = b->node.source;
	r->partner_vmid = vmid;
	r->label = b->node.label;
	r->capid = cap_id(b->cap);
	r->virq = b->node.source ? b->spi + 32 : 0;
	return true;
}

/* A level that ended because its only flags were acknowledged is still an event. */
static void drive(const struct bell *b, bool event)
{
	bool high = b->flags & b->enabled;

	if (b->node.source) {
		if (event)
			gic_raise_spi(b->spi);
		return;
	}
	if (!b->node.edge)
		vgic_set_spi(b->vmid, b->node.intid, high, false);
	if (event && (b->node.edge || !high))
		vgic_set_spi(b->vmid, b->node.intid, true, true);
}

static void ring(struct bell *b)
{
	bool event = b->flags & b->enabled;

	if (event)
		b->flags &= ~b->ack;
	drive(b, event);
}

/* What a VM's capability names, if it has the right to that */
static u64 find(u16 vmid, u64 cap, u32 right, struct bell **bell)
{
	const struct vm *vm = &vms[vmid];
	u16 owner, slot;
	bool sends;

	if (vmid == RM_HOST_VMID) {
		u64 error = cap_find(cap, CAP_BELL, &owner, &slot);

		if (error)
			return error;
	} else {
		if (cap >= RM_DTB_MAX_BELLS)
			return ERROR_ARGUMENT_INVALID;
		if (cap >= vm->bells)
			return ERROR_CAP_NULL;
		slot = vm->bell[cap];
	}
	*bell = &bells[slot];
	sends = (*bell)->node.source != (vmid == RM_HOST_VMID);
	if (right == RIGHT_SEND ? !sends : sends && !(*bell)->node.can_clear)
		return ERROR_RIGHTS;
	return ERROR_OK;
}

u64 bell_send(u16 vmid, u64 cap, u64 flags, u64 *old)
{
	struct bell *b;
	u64 error;

	*old = 0;
	spin_lock(&bell_lock);
	error = find(vmid, cap, RIGHT_SEND, &b);
	if (!error) {
		*old = b->flags;
		b->flags |= flags;
		ring(b);
	}
	spin_unlock(&bell_lock);
	return error;
}

u64 bell_receive(u16 vmid, u64 cap, u64 clear, u64 *old)
{
	struct bell *b;
	u64 error;

	*old = 0;
	if (!clear)
		return ERROR_ARGUMENT_INVALID;
	spin_lock(&bell_lock);
	error = find(vmid, cap, RIGHT_RECEIVE, &b);
	if (!error) {
		*old = b->flags;
		b->flags &= ~clear;
		drive(b, false);
	}
	spin_unlock(&bell_lock);
	return error;
}

u64 bell_reset(u16 vmid, u64 cap)
{
	struct bell *b;
	u64 error;

	spin_lock(&bell_lock);
	error = find(vmid, cap, RIGHT_RECEIVE, &b);
	if (!error) {
		reset(b);
		drive(b, false);
	}
	spin_unlock(&bell_lock);
	return error;
}

u64 bell_set_mask(u16 vmid, u64 cap, u64 enabled, u64 ack)
{
	struct bell *b;
	u64 error;

	spin_lock(&bell_lock);
	error = find(vmid, cap, RIGHT_RECEIVE, &b);
	if (!error) {
		b->enabled = enabled;
		b->ack = ack;
		ring(b);
	}
	spin_unlock(&bell_lock);
	return error;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two message queues between the host and the resource manager, 8 messages
 * of up to 240 bytes each way, with the edges and the error codes of the public
 * hypervisor: the receiver's interrupt when a queue gets its first message (or
 * on push), the sender's when a full queue has room again, and no others.
 *
 * One queue lock for both, taken by host CPUs in a hypercall and by the hidden
 * CPU; the ownership lock is taken inside it.
 */
#include "hyp.h"

#define DEPTH			8

struct queue {
	u32 head, count;
	struct {
		u32 len;
		u8 data[RM_PACKET_SIZE];
	} msg[DEPTH];
};

static struct queue to_rm, to_host;
static struct spinlock queue_lock;
u32 msgq_sends, msgq_recvs;

static void push(struct queue *q, const void *data, u32 len)
{
	u32 slot = (q->head + q->count++) % DEPTH;

	q->msg[slot].len = len;
	memcpy(q->msg[slot].data, data, len);
}

static void pop(struct queue *q)
{
	q->head = (q->head + 1) % DEPTH;
	q->count--;
}

/* Which is not the capability of the queue that is meant, but of the @other at best */
static u64 wrong_cap(u64 cap, u64 other)
{
	if (cap == other)
		return ERROR_RIGHTS;
	return cap_exists(cap) ? ERROR_TYPE : ERROR_ARGUMENT_INVALID;
}

/*
 * The public hypervisor drops a message whose size or buffer it cannot accept and
 * reports success; so must this one, or a driver that relies on an error would pass.
 */
u64 msgq_host_send(u64 cap, u64 size, u64 va, u64 *not_full)
{
	u8 data[RM_PACKET_SIZE];
	bool sent = false;

	*not_full = 0;
	if (cap != config.tx_cap)
		return wrong_cap(cap, config.rx_cap);

	spin_lock(&queue_lock);
	msgq_sends++;
	if (to_rm.count == DEPTH) {
		spin_unlock(&queue_lock);
		return ERROR_FULL;
	}
	if (size <= RM_PACKET_SIZE && host_copy(data, va, size, false)) {
		push(&to_rm, data, size);
		sent = true;
	}
	*not_full = to_rm.count < DEPTH;
	spin_unlock(&queue_lock);
	if (sent)
		gic_kick_hidden();
	return ERROR_OK;
}

/* Likewise: a message that does not fit stays in the queue, and that is success. */
u64 msgq_host_receive(u64 cap, u64 va, u64 max, u64 *size, u64 *not_empty)
{
	u64 ret = ERROR_OK;
	bool was_full;

	*size = 0;
	*not_empty = 0;
	if (cap != config.rx_cap)
		return wrong_cap(cap, config.tx_cap);

	spin_lock(&queue_lock);
	msgq_recvs++;
	was_full = to_host.count == DEPTH;
	if (!to_host.count) {
		ret = ERROR_EMPTY;
	} else {
		u32 len = to_host.msg[to_host.head].len;

		if (len <= max && host_copy(to_host.msg[to_host.head].data, va, len, true)) {
			*size = len;
			pop(&to_host);
		}
		*not_empty = to_host.count != 0;
	}
	was_full = was_full && to_host.count < DEPTH;
	spin_unlock(&queue_lock);
	if (was_full)
		gic_kick_hidden();
	return ret;
}

/* @packet: RM_PACKET_SIZE bytes */
bool msgq_rm_receive(void *packet, u32 *len)
{
	bool any, room = false;

	spin_lock(&queue_lock);
	any = to_rm.count;
	if (any) {
		room = to_rm.count == DEPTH;
		*len = to_rm.msg[to_rm.head].len;
		memcpy(packet, to_rm.msg[to_rm.head].data, *len);
		pop(&to_rm);
	}
	spin_unlock(&queue_lock);
	if (room)
		gic_raise_spi(HOST_SPI_TX);
	return any;
}

bool msgq_rm_send(const void *packet, u32 len)
{
	bool room, first;

	spin_lock(&queue_lock);
	first = !to_host.count;
	room = to_host.count < DEPTH;
	if (room)
		push(&to_host, packet, len);
	spin_unlock(&queue_lock);
	if (first)
		gic_raise_spi(HOST_SPI_RX);
	return room;
}

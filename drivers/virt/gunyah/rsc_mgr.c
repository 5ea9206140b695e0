// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah resource manager: the call engine
 *
 * The resource manager (RM) is a VM of the hypervisor's that makes other VMs. We
 * talk to it with messages: a request is answered by a reply with its sequence
 * number, notifications come at any time, both through one queue.
 *
 * Calls
 *   RM keeps one reply per client. If another becomes due while that one waits
 *   for space in the queue, the first is lost. So there is one request at a time,
 *   from its first packet to its reply, and gh_rm::call_lock is held all the
 *   while. What a request changed in RM has to be known to undo it, so no signal
 *   ends a call. A deadline does: RM does not answer what it cannot parse.
 *
 *   A reply may come after its deadline and say that RM gave us something. The
 *   sequence number stays reserved until then, and whoever made the call may
 *   leave a struct gh_rm_late to be called for it.
 *
 * Notifications
 *   are handed to one ordered workqueue as they are received and from there to the
 *   listener of the VM that they are about. RM keeps 256 of them for a client and
 *   then drops the oldest, so no one may wait for one without a deadline.
 *
 * Locks
 *   call_lock (mutex)    one call at a time; transmit side
 *   rx_lock (spinlock)   pending call, late calls, reassembly, queued notifications
 *   route_lock (rwsem)   listeners; read side held while a listener is called
 *   call_lock is taken outside rx_lock. The others do not nest.
 */

#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/mailbox_client.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/of_platform.h>
#include <linux/platform_device.h>
#include <linux/random.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <trace/events/gunyah.h>
#include <asm/byteorder.h>

#include "rsc_mgr.h"
#include "rsc_mgr_msg.h"

/* RM flushes a whole image from the caches during VM_START: be generous. */
#define GH_RM_CALL_TIMEOUT_MS	30000
/* But not again and again, when it has shown no sign of life since the last time. */
#define GH_RM_SILENT_TIMEOUT_MS	1000

/*
 * Replies that may be missing at a time. Each keeps a sequence number, and somebody
 * who asks on when so many got lost gains nothing.
 */
#define GH_RM_MAX_LATE		256

/* As many as RM itself keeps for us */
#define GH_RM_MAX_NOTIFICATIONS	256

/* In place of a packet's number: none is to follow */
#define GH_RM_TX_CUT		(GH_RM_MAX_FRAGMENTS + 1)

static_assert(GH_RM_PACKET_SIZE == GH_MSGQ_MAX_MSG_SIZE);

/**
 * struct gh_rm_tx - The message that is being sent
 * @data: its packets one by one, for the transport
 * @msg: the message
 * @index: number of the packet that the transport has, or GH_RM_TX_CUT
 * @buf: room for a header, and the payload
 */
struct gh_rm_tx {
	struct gh_msgq_tx_data data;
	struct gh_rm_msg msg;
	atomic_t index;
	u8 buf[GH_RM_PACKET_HDR_SIZE + GH_RM_MAX_PAYLOAD] __aligned(8);
};

/* The call that waits for its reply */
struct gh_rm_pending {
	struct gh_rm_call *call;
	u16 seq;
	struct completion done;
	int ret;
};

struct gh_rm_notification {
	struct list_head list;
	u32 id;
	size_t len;
	u8 payload[] __aligned(8);
};

/**
 * struct gh_rm - A resource manager
 * @kref: the device and every VM hold one
 * @dev: the resource manager's device, referenced
 * @drvdata: of the registered client
 * @own_vmid: our VMID, GH_VMID_INVAL until it has been asked for
 * @transport_ops: how to send
 * @transport: for @transport_ops
 * @call_lock: held by the one call that is under way
 * @call_timeout_ms: deadline of a call
 * @silent: a call was not answered, and nothing was received since
 * @next_seq: sequence number of the next request; under @call_lock
 * @tx: the request on its way. Written under @call_lock while @tx_busy is not set
 * @tx_busy: the transport has @tx
 * @tx_wait: woken when it has no more
 * @rx_lock: guards what follows, up to @n_notifications
 * @pending: the call that waits for its reply
 * @late: the calls whose reply never came, struct gh_rm_late
 * @n_late: number of them
 * @rx: a message that has arrived in part
 * @notifications: those that were not delivered yet
 * @n_notifications: number of them
 * @notif_work: delivers @notifications
 * @notif_wq: ordered, for @notif_work
 * @late_wq: for late replies
 * @route_lock: guards @routes
 * @routes: VMID to struct gh_rm_listener
 * @parcels: number of parcels charged
 * @stats: see enum gh_rm_stat
 */
struct gh_rm {
	struct kref kref;
	struct device *dev;
	void *drvdata;
	u16 own_vmid;

	const struct gh_rm_transport_ops *transport_ops;
	void *transport;

	struct mutex call_lock;		/* see above */
	u32 call_timeout_ms;
	bool silent;
	u16 next_seq;
	struct gh_rm_tx tx;
	bool tx_busy;
	wait_queue_head_t tx_wait;

	spinlock_t rx_lock;		/* see above */
	struct gh_rm_pending *pending;
	struct list_head late;
	unsigned int n_late;
	struct gh_rm_reassembly rx;
	struct list_head notifications;
	unsigned int n_notifications;

	struct work_struct notif_work;
	struct workqueue_struct *notif_wq;
	struct workqueue_struct *late_wq;

	struct rw_semaphore route_lock;
	struct xarray routes;

	atomic_t parcels;
	atomic64_t stats[GH_RM_NR_STATS];
};

/**
 * gh_rm_count() - Count an event
 * @rm: the resource manager
 * @stat: which of them
 *
 * Context: Any.
 */
void gh_rm_count(struct gh_rm *rm, enum gh_rm_stat stat)
{
	atomic64_inc(&rm->stats[stat]);
}

/**
 * gh_rm_stat() - How often did it happen?
 * @rm: the resource manager
 * @stat: which event
 *
 * Context: Any.
 * Return: the number of gh_rm_count() for it.
 */
u64 gh_rm_stat(struct gh_rm *rm, enum gh_rm_stat stat)
{
	return atomic64_read(&rm->stats[stat]);
}

/**
 * gh_rm_parcels() - Parcels that count against the resource manager's limit
 * @rm: the resource manager
 *
 * Context: Any.
 * Return: their number.
 */
unsigned int gh_rm_parcels(struct gh_rm *rm)
{
	return atomic_read(&rm->parcels);
}

/**
 * gh_rm_parcel_charge() - Count a parcel against the resource manager's limit
 * @rm: the resource manager
 *
 * Context: Any.
 * Return: false if there are GH_RM_MAX_PARCELS already.
 */
bool gh_rm_parcel_charge(struct gh_rm *rm)
{
	return atomic_add_unless(&rm->parcels, 1, GH_RM_MAX_PARCELS);
}

/**
 * gh_rm_parcel_uncharge() - The end of gh_rm_parcel_charge()
 * @rm: the resource manager
 *
 * Context: Any.
 */
void gh_rm_parcel_uncharge(struct gh_rm *rm)
{
	WARN_ON_ONCE(atomic_dec_return(&rm->parcels) < 0);
}

/**
 * gh_rm_own_vmid() - Where the host's own VMID is kept
 * @rm: the resource manager
 *
 * Context: Any.
 * Return: a place that lives as long as @rm; GH_VMID_INVAL is in it while it is not known.
 */
u16 *gh_rm_own_vmid(struct gh_rm *rm)
{
	return &rm->own_vmid;
}

/**
 * gh_rm_call_timeout_ms() - Where the deadline of calls is kept
 * @rm: the resource manager
 *
 * Context: Any.
 * Return: a place that lives as long as @rm, with milliseconds in it.
 */
u32 *gh_rm_call_timeout_ms(struct gh_rm *rm)
{
	return &rm->call_timeout_ms;
}

/**
 * gh_rm_device() - The device of the resource manager
 * @rm: the resource manager
 *
 * Context: Any.
 * Return: the device, which @rm holds.
 */
struct device *gh_rm_device(struct gh_rm *rm)
{
	return rm->dev;
}

/**
 * gh_rm_set_drvdata() - Keep something of the user's with the resource manager
 * @rm: the resource manager
 * @data: what gh_rm_get_drvdata() is to return
 *
 * Context: Any. Who sets it sees to it that nobody reads it meanwhile.
 */
void gh_rm_set_drvdata(struct gh_rm *rm, void *data)
{
	rm->drvdata = data;
}

/**
 * gh_rm_get_drvdata() - What gh_rm_set_drvdata() has set
 * @rm: the resource manager
 *
 * Context: Any.
 * Return: what was set, or NULL.
 */
void *gh_rm_get_drvdata(struct gh_rm *rm)
{
	return rm->drvdata;
}

/*
 * Calls
 */

/* A reply that nobody is waiting for any more. Called with rx_lock held. */
static bool gh_rm_late_reply(struct gh_rm *rm, const struct gh_rm_msg *msg)
{
	const u8 *resp = msg->payload + sizeof(__le32);
	struct gh_rm_late *late;
	size_t resp_len;

	lockdep_assert_held(&rm->rx_lock);

	list_for_each_entry(late, &rm->late, list) {
		if (late->seq != msg->seq || late->id != msg->id)
			continue;

		/* Too short even for an error code: it tells us nothing. */
		if (msg->len < sizeof(__le32))
			return false;

		resp_len = msg->len - sizeof(__le32);
		late->rm_error = le32_to_cpup(msg->payload);
		late->resp_len = 0;
		if (resp_len <= sizeof(late->resp)) {
			memcpy(late->resp, resp, resp_len);
			late->resp_len = resp_len;
		}
		list_del(&late->list);
		rm->n_late--;
		gh_rm_count(rm, GH_RM_STAT_LATE_REPLIES);
		trace_gh_rm_reply(msg->id, msg->seq, msg->len, late->rm_error, true);
		queue_work(rm->late_wq, &late->work);
		return true;
	}

	return false;
}

static void gh_rm_late_work(struct work_struct *work)
{
	struct gh_rm_late *late = container_of(work, struct gh_rm_late, work);

	if (late->fn)
		late->fn(late);
	kfree(late);
}

static bool gh_rm_late_has_seq(struct gh_rm *rm, u16 seq)
{
	struct gh_rm_late *late;

	list_for_each_entry(late, &rm->late, list)
		if (late->seq == seq)
			return true;

	return false;
}

/* The reply is copied under rx_lock, so the caller may free its buffers once it has unlinked. */
static void gh_rm_reply(struct gh_rm *rm, const struct gh_rm_msg *msg)
{
	struct gh_rm_pending *pending = rm->pending;
	struct gh_rm_call *call;
	size_t resp_len;

	lockdep_assert_held(&rm->rx_lock);

	if (!pending || pending->seq != msg->seq || pending->call->id != msg->id) {
		if (!gh_rm_late_reply(rm, msg)) {
			gh_rm_count(rm, GH_RM_STAT_UNEXPECTED);
			trace_gh_rm_bad_message(msg->id, msg->seq, msg->len, GH_RM_BAD_UNEXPECTED);
			dev_dbg(rm->dev, "reply to nothing: message %#x sequence %u\n", msg->id,
				msg->seq);
		}
		return;
	}

	call = pending->call;
	rm->pending = NULL;

	if (msg->len < sizeof(__le32)) {
		pending->ret = -EPROTO;
		goto out;
	}

	call->rm_error = le32_to_cpup(msg->payload);
	if (call->rm_error != GH_RM_ERROR_OK) {
		pending->ret = gh_rm_error_remap(call->rm_error);
		goto out;
	}

	resp_len = msg->len - sizeof(__le32);
	if (resp_len > call->resp_size || (resp_len < call->resp_size && !call->resp_varies)) {
		pending->ret = -EPROTO;
		goto out;
	}

	if (resp_len)
		memcpy(call->resp, msg->payload + sizeof(__le32), resp_len);
	call->resp_len = resp_len;
	pending->ret = 0;
out:
	if (pending->ret == -EPROTO) {
		gh_rm_count(rm, GH_RM_STAT_BAD_PACKETS);
		trace_gh_rm_bad_message(msg->id, msg->seq, msg->len, GH_RM_BAD_REPLY);
	} else {
		gh_rm_count(rm, GH_RM_STAT_REPLIES);
		trace_gh_rm_reply(msg->id, msg->seq, msg->len, call->rm_error, false);
	}
	complete(&pending->done);
}

static void gh_rm_tx_pack(struct gh_rm_tx *tx, unsigned int index)
{
	tx->data.length = gh_rm_msg_pack(&tx->msg, index, tx->buf, &tx->data.data);
	/* RM is to look when it can have the whole message. */
	tx->data.push = index == gh_rm_msg_packets(tx->msg.len) - 1;
}

static bool gh_rm_tx_next(struct gh_msgq_tx_data *data)
{
	struct gh_rm_tx *tx = container_of(data, struct gh_rm_tx, data);
	int index = atomic_read(&tx->index);

	if (data->push || index == GH_RM_TX_CUT ||
	    atomic_cmpxchg(&tx->index, index, index + 1) != index)
		return false;

	gh_rm_tx_pack(tx, index + 1);
	return true;
}

/* Send no more of the request. Returns whether RM may get to see all of it. */
static bool gh_rm_tx_cut(struct gh_rm_tx *tx)
{
	int index = atomic_xchg(&tx->index, GH_RM_TX_CUT);

	return index == gh_rm_msg_packets(tx->msg.len) - 1;
}

static int gh_rm_send(struct gh_rm *rm, struct gh_rm_call *call, u16 seq, unsigned long deadline)
{
	struct gh_rm_tx *tx = &rm->tx;
	void *payload = tx->buf + GH_RM_PACKET_HDR_SIZE;
	int ret;

	lockdep_assert_held(&rm->call_lock);

	/* RM has not taken the request before this one: not even its queue moves. */
	if (!wait_event_timeout(rm->tx_wait, !smp_load_acquire(&rm->tx_busy),
				max_t(long, deadline - jiffies, 0)))
		return -ETIME;

	if (call->write) {
		ret = call->write(call, payload);
		if (ret)
			return ret;
	} else if (call->req_len) {
		memcpy(payload, call->req, call->req_len);
	}

	tx->msg = (struct gh_rm_msg) {
		.type = GH_RM_MSG_REQUEST,
		.seq = seq,
		.id = call->id,
		.len = call->req_len,
	};
	tx->data.next = gh_rm_tx_next;
	atomic_set(&tx->index, 0);
	gh_rm_tx_pack(tx, 0);

	rm->tx_busy = true;
	ret = rm->transport_ops->send(rm->transport, &tx->data);
	if (ret < 0) {
		rm->tx_busy = false;
		return ret;
	}

	return 0;
}

static void gh_rm_log_failure(struct gh_rm *rm, const struct gh_rm_call *call, int ret)
{
	if (gh_rm_is_silent(ret))
		dev_warn_ratelimited(rm->dev, "no reply to message %#x\n", call->id);
	else if (ret == -EPROTO)
		dev_warn_ratelimited(rm->dev, "reply to message %#x makes no sense\n", call->id);
	else if (ret && call->rm_error)
		dev_warn_ratelimited(rm->dev, "message %#x refused: %s (%#x)\n", call->id,
				     gh_rm_error_name(call->rm_error), call->rm_error);
}

/**
 * gh_rm_call() - Ask the resource manager for something and wait for the answer
 * @rm: the resource manager
 * @call: request and reply, see struct gh_rm_call
 *
 * Not interruptible once it has begun: an operation that changes RM's state ends
 * with its reply, or with the deadline.
 *
 * Context: Process context. Sleeps up to the deadline, and as long as the calls
 * of others before it take.
 * Return: 0; the errno for RM's error, see gh_rm_error_remap(); -E2BIG if the
 * request is too long to be sent; -EINTR if the caller was killed before it began;
 * -ENODEV if the device is gone; -EBUSY if too many replies are missing;
 * -ETIMEDOUT if there was no reply; -ETIME if RM did not take the request; -EPROTO
 * if the reply makes no sense; another errno if it could not be sent. For which of
 * these it may have been carried out see gh_rm_outcome_unknown().
 */
int gh_rm_call(struct gh_rm *rm, struct gh_rm_call *call)
{
	struct gh_rm_pending pending = { .call = call };
	unsigned long deadline;
	bool complete;
	u32 timeout;
	int ret;

	might_sleep();

	call->rm_error = GH_RM_ERROR_OK;
	call->resp_len = 0;
	if (call->req_len > GH_RM_MAX_PAYLOAD)
		return -E2BIG;

	init_completion(&pending.done);

	/* Many may queue up here behind one that is not answered. */
	if (mutex_lock_killable(&rm->call_lock))
		return -EINTR;
	if (!rm->transport) {
		ret = -ENODEV;
		goto out_unlock;
	}

	timeout = READ_ONCE(rm->call_timeout_ms);
	if (READ_ONCE(rm->silent))
		timeout = min(timeout, GH_RM_SILENT_TIMEOUT_MS);
	deadline = jiffies + msecs_to_jiffies(timeout);

	spin_lock_irq(&rm->rx_lock);
	if (call->late && rm->n_late >= GH_RM_MAX_LATE) {
		spin_unlock_irq(&rm->rx_lock);
		ret = -EBUSY;
		goto out_unlock;
	}

	/*
	 * Numbers go round rather than be reused, so that a late reply meets a
	 * call of the same number only after 65536 others, and never if it is
	 * known to be missing.
	 */
	while (gh_rm_late_has_seq(rm, rm->next_seq))
		rm->next_seq++;
	pending.seq = rm->next_seq++;
	rm->pending = &pending;
	spin_unlock_irq(&rm->rx_lock);

	gh_rm_count(rm, GH_RM_STAT_CALLS);
	trace_gh_rm_request(call->id, pending.seq, call->req_len);
	ret = gh_rm_send(rm, call, pending.seq, deadline);
	if (!ret) {
		wait_for_completion_timeout(&pending.done, max_t(long, deadline - jiffies, 1));
		complete = gh_rm_tx_cut(&rm->tx);
	}

	spin_lock_irq(&rm->rx_lock);
	if (rm->pending != &pending) {
		/* Answered, even if that was after the deadline. */
		ret = pending.ret;
	} else {
		rm->pending = NULL;
		/* RM does not act on a request of which it never sees the end. */
		if (!ret)
			ret = complete ? -ETIMEDOUT : -ETIME;
		if (ret == -ETIMEDOUT && call->late) {
			call->late->rm = rm;
			call->late->id = call->id;
			call->late->seq = pending.seq;
			INIT_WORK(&call->late->work, gh_rm_late_work);
			list_add_tail(&call->late->list, &rm->late);
			rm->n_late++;
		}
	}
	if (gh_rm_is_silent(ret))
		rm->silent = true;
	spin_unlock_irq(&rm->rx_lock);

out_unlock:
	mutex_unlock(&rm->call_lock);

	if (gh_rm_is_silent(ret))
		gh_rm_count(rm, GH_RM_STAT_TIMEOUTS);
	if (!call->quiet)
		gh_rm_log_failure(rm, call, ret);

	return ret;
}

/*
 * Notifications
 */

static void gh_rm_notification(struct gh_rm *rm, const struct gh_rm_msg *msg)
{
	struct gh_rm_notification *notif;

	lockdep_assert_held(&rm->rx_lock);

	gh_rm_count(rm, GH_RM_STAT_NOTIFICATIONS);
	trace_gh_rm_notification(msg->id, msg->payload, msg->len);

	/*
	 * Whoever waits for what this says asks RM when the deadline has come,
	 * just as if RM itself had dropped it.
	 */
	notif = NULL;
	if (rm->n_notifications < GH_RM_MAX_NOTIFICATIONS)
		notif = kmalloc(struct_size(notif, payload, msg->len), GFP_ATOMIC | __GFP_NOWARN);
	if (!notif) {
		gh_rm_count(rm, GH_RM_STAT_LOST);
		return;
	}

	notif->id = msg->id;
	notif->len = msg->len;
	memcpy(notif->payload, msg->payload, msg->len);
	list_add_tail(&notif->list, &rm->notifications);
	rm->n_notifications++;
	queue_work(rm->notif_wq, &rm->notif_work);
}

static void gh_rm_route(struct gh_rm *rm, const struct gh_rm_notification *notif)
{
	struct gh_rm_listener *listener;
	u16 vmid;

	vmid = gh_rm_notification_vmid(notif->id, notif->payload, notif->len);
	if (vmid == GH_VMID_INVAL) {
		dev_dbg(rm->dev, "notification %#x of %zu bytes ignored\n", notif->id, notif->len);
		return;
	}

	down_read(&rm->route_lock);
	listener = xa_load(&rm->routes, vmid);
	if (listener)
		gh_rm_notification_deliver(rm, listener, notif->id, notif->payload, notif->len);
	else
		/* RM tells every VM about every other one. */
		gh_rm_count(rm, GH_RM_STAT_UNROUTED);
	up_read(&rm->route_lock);
}

static void gh_rm_notif_work(struct work_struct *work)
{
	struct gh_rm *rm = container_of(work, struct gh_rm, notif_work);
	struct gh_rm_notification *notif;

	for (;;) {
		spin_lock_irq(&rm->rx_lock);
		notif = list_first_entry_or_null(&rm->notifications, struct gh_rm_notification,
						 list);
		if (notif) {
			list_del(&notif->list);
			rm->n_notifications--;
		}
		spin_unlock_irq(&rm->rx_lock);

		if (!notif)
			break;

		gh_rm_route(rm, notif);
		kfree(notif);
		cond_resched();
	}
}

/**
 * gh_rm_listen() - Receive the notifications about a VM
 * @rm: the resource manager
 * @vmid: the VM
 * @listener: called for each of them, from now on
 *
 * Context: Process context. May sleep.
 * Return: 0; -EBUSY if somebody listens already; -ENOMEM.
 */
int gh_rm_listen(struct gh_rm *rm, u16 vmid, struct gh_rm_listener *listener)
{
	int ret;

	down_write(&rm->route_lock);
	ret = xa_insert(&rm->routes, vmid, listener, GFP_KERNEL);
	up_write(&rm->route_lock);

	return ret;
}

/**
 * gh_rm_unlisten() - Receive them no more
 * @rm: the resource manager
 * @vmid: the VM
 *
 * To be called before the VMID is given back: the next VM may get it at once. The
 * listener is not being called any more when this returns.
 *
 * Context: Process context. May sleep.
 */
void gh_rm_unlisten(struct gh_rm *rm, u16 vmid)
{
	down_write(&rm->route_lock);
	xa_erase(&rm->routes, vmid);
	up_write(&rm->route_lock);
}

/**
 * gh_rm_flush_notifications() - Wait until what was received has been delivered
 * @rm: the resource manager
 *
 * After a call this includes all that RM sent before it replied.
 *
 * Context: Process context, not that of a listener. May sleep.
 */
void gh_rm_flush_notifications(struct gh_rm *rm)
{
	flush_work(&rm->notif_work);
}

/*
 * Transport
 */

static void gh_rm_drop(struct gh_rm *rm, u32 id, u16 seq, size_t len, enum gh_rm_bad why)
{
	gh_rm_count(rm, GH_RM_STAT_BAD_PACKETS);
	trace_gh_rm_bad_message(id, seq, len, why);
	dev_dbg(rm->dev, "message %#x of %zu bytes dropped\n", id, len);
}

/**
 * gh_rm_transport_received() - A packet came in
 * @rm: the resource manager
 * @packet: the packet
 * @len: its length in bytes
 *
 * Context: Any. Packets must be handed over one at a time and in order.
 */
void gh_rm_transport_received(struct gh_rm *rm, const void *packet, size_t len)
{
	struct gh_rm_msg msg;
	unsigned long flags;

	spin_lock_irqsave(&rm->rx_lock, flags);
	WRITE_ONCE(rm->silent, false);
	switch (gh_rm_reassemble(&rm->rx, packet, len, &msg)) {
	case GH_RM_RX_MORE:
		break;
	case GH_RM_RX_MESSAGE:
		if (msg.type == GH_RM_MSG_REPLY)
			gh_rm_reply(rm, &msg);
		else if (msg.type == GH_RM_MSG_NOTIFICATION)
			gh_rm_notification(rm, &msg);
		else
			/* RM has no requests for us. */
			gh_rm_drop(rm, msg.id, msg.seq, msg.len, GH_RM_BAD_TYPE);
		break;
	case GH_RM_RX_BAD_PACKET:
		gh_rm_drop(rm, 0, 0, len, GH_RM_BAD_PACKET);
		break;
	case GH_RM_RX_STRAY:
		gh_rm_drop(rm, 0, 0, len, GH_RM_BAD_STRAY);
		break;
	}
	spin_unlock_irqrestore(&rm->rx_lock, flags);
}

/**
 * gh_rm_transport_sent() - A message is on its way, or never will be as a whole
 * @rm: the resource manager
 * @err: 0, or why a packet was not sent
 *
 * Context: Any.
 */
void gh_rm_transport_sent(struct gh_rm *rm, int err)
{
	unsigned long flags;

	if (err) {
		/* RM ignores a message of which a packet is missing: the call failed. */
		spin_lock_irqsave(&rm->rx_lock, flags);
		if (rm->pending && rm->pending->seq == rm->tx.msg.seq) {
			rm->pending->ret = err;
			complete(&rm->pending->done);
			rm->pending = NULL;
		}
		spin_unlock_irqrestore(&rm->rx_lock, flags);
	}

	/* Pairs with gh_rm_send(): from now on it writes the next. */
	smp_store_release(&rm->tx_busy, false);
	wake_up(&rm->tx_wait);
}

/*
 * Lifetime
 */

/**
 * gh_rm_alloc() - Make a resource manager
 * @dev: its device
 * @ops: how packets get there
 * @transport: for @ops
 *
 * Context: Process context. May sleep.
 * Return: the resource manager, to be ended with gh_rm_close(),
 * gh_rm_shutdown() and gh_rm_put(); ERR_PTR(-ENOMEM).
 */
struct gh_rm *gh_rm_alloc(struct device *dev, const struct gh_rm_transport_ops *ops,
			  void *transport)
{
	struct gh_rm *rm = kvzalloc(sizeof(*rm), GFP_KERNEL);

	if (!rm)
		return ERR_PTR(-ENOMEM);

	rm->notif_wq = alloc_ordered_workqueue("gh_rm_notif", 0);
	rm->late_wq = alloc_workqueue("gh_rm_late", WQ_UNBOUND, 0);
	if (!rm->notif_wq || !rm->late_wq) {
		if (rm->notif_wq)
			destroy_workqueue(rm->notif_wq);
		if (rm->late_wq)
			destroy_workqueue(rm->late_wq);
		kvfree(rm);
		return ERR_PTR(-ENOMEM);
	}

	kref_init(&rm->kref);
	rm->dev = get_device(dev);
	rm->transport_ops = ops;
	rm->transport = transport;
	rm->own_vmid = GH_VMID_INVAL;
	mutex_init(&rm->call_lock);
	rm->call_timeout_ms = GH_RM_CALL_TIMEOUT_MS;
	/* There may be a reply on its way to somebody before us. */
	rm->next_seq = get_random_u16();
	init_waitqueue_head(&rm->tx_wait);
	spin_lock_init(&rm->rx_lock);
	INIT_LIST_HEAD(&rm->late);
	INIT_LIST_HEAD(&rm->notifications);
	INIT_WORK(&rm->notif_work, gh_rm_notif_work);
	init_rwsem(&rm->route_lock);
	xa_init(&rm->routes);

	return rm;
}

/**
 * gh_rm_close() - The transport is about to go away
 * @rm: the resource manager
 *
 * Waits for the call that is under way. Every later one fails with -ENODEV.
 *
 * Context: Process context. May sleep. Packets may still come in.
 */
void gh_rm_close(struct gh_rm *rm)
{
	mutex_lock(&rm->call_lock);
	rm->transport = NULL;
	mutex_unlock(&rm->call_lock);
}

/**
 * gh_rm_shutdown() - The transport is gone
 * @rm: the resource manager, closed
 *
 * Delivers what has been received and forgets the replies that are missing.
 *
 * Context: Process context. May sleep. No packet may come in any more.
 */
void gh_rm_shutdown(struct gh_rm *rm)
{
	struct gh_rm_late *late, *next;

	flush_workqueue(rm->notif_wq);
	flush_workqueue(rm->late_wq);

	list_for_each_entry_safe(late, next, &rm->late, list) {
		list_del(&late->list);
		kfree(late);
	}
}

static void gh_rm_free(struct kref *kref)
{
	struct gh_rm *rm = container_of(kref, struct gh_rm, kref);

	destroy_workqueue(rm->notif_wq);
	destroy_workqueue(rm->late_wq);
	xa_destroy(&rm->routes);
	put_device(rm->dev);
	kvfree(rm);
}

/**
 * gh_rm_get() - Hold the resource manager's memory
 * @rm: the resource manager
 *
 * Context: Any.
 * Return: @rm.
 */
struct gh_rm *gh_rm_get(struct gh_rm *rm)
{
	kref_get(&rm->kref);
	return rm;
}

/**
 * gh_rm_put() - The end of gh_rm_get()
 * @rm: the resource manager
 *
 * Context: Process context. May sleep.
 */
void gh_rm_put(struct gh_rm *rm)
{
	kref_put(&rm->kref, gh_rm_free);
}

/*
 * Device
 */

/**
 * struct gh_rm_msgq - The transport: a mailbox over two message queues
 * @client: us, to the mailbox
 * @msgq: the mailbox
 * @rm: what is received goes there
 */
struct gh_rm_msgq {
	struct mbox_client client;
	struct gh_msgq msgq;
	struct gh_rm *rm;
};

static const struct gh_rm_client *gh_rm_client;

static int gh_rm_msgq_send(void *transport, struct gh_msgq_tx_data *message)
{
	struct gh_rm_msgq *rmq = transport;

	return mbox_send_message(&rmq->msgq.chan, message);
}

static const struct gh_rm_transport_ops gh_rm_msgq_ops = {
	.send = gh_rm_msgq_send,
};

static void gh_rm_msgq_rx(struct mbox_client *client, void *mssg)
{
	struct gh_rm_msgq *rmq = container_of(client, struct gh_rm_msgq, client);
	struct gh_msgq_rx_data *rx = mssg;

	gh_rm_transport_received(rmq->rm, rx->data, rx->length);
}

static void gh_rm_msgq_tx_done(struct mbox_client *client, void *mssg, int err)
{
	struct gh_rm_msgq *rmq = container_of(client, struct gh_rm_msgq, client);

	gh_rm_transport_sent(rmq->rm, err);
}

/* The two queues, as the device tree has them: transmit first, then receive */
static int gh_rm_get_queues(struct platform_device *pdev, struct gunyah_resource *tx,
			    struct gunyah_resource *rx)
{
	struct device_node *np = pdev->dev.of_node;
	int ret;

	tx->type = GUNYAH_RESOURCE_TYPE_MSGQ_TX;
	ret = of_property_read_u64_index(np, "reg", 0, &tx->capid);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "no capability to send\n");

	rx->type = GUNYAH_RESOURCE_TYPE_MSGQ_RX;
	ret = of_property_read_u64_index(np, "reg", 1, &rx->capid);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "no capability to receive\n");

	tx->irq = platform_get_irq(pdev, 0);
	if (tx->irq < 0)
		return tx->irq;

	rx->irq = platform_get_irq(pdev, 1);
	if (rx->irq < 0)
		return rx->irq;

	return 0;
}

static int gh_rm_identify(struct device *dev)
{
	struct gh_hypercall_hyp_identify_resp id;

	/* The devicetree says there is Gunyah; believe it when the hypervisor says so, too. */
	if (!arch_is_gh_guest()) {
		dev_dbg(dev, "no Gunyah hypervisor\n");
		return -ENODEV;
	}

	gh_hypercall_hyp_identify(&id);
	if (gh_api_version(&id) != GH_API_V1) {
		dev_err(dev, "hypervisor has API version %u, this is for %u\n",
			gh_api_version(&id), GH_API_V1);
		return -ENODEV;
	}

	if (!(id.flags[0] & GH_IDENTIFY_MSGQUEUE)) {
		dev_err(dev, "hypervisor has no message queues\n");
		return -EOPNOTSUPP;
	}

	return 0;
}

static int gh_rm_probe(struct platform_device *pdev)
{
	struct gunyah_resource tx, rx;
	struct gh_rm_msgq *rmq;
	int ret;

	ret = gh_rm_identify(&pdev->dev);
	if (ret)
		return ret;

	ret = gh_rm_get_queues(pdev, &tx, &rx);
	if (ret)
		return ret;

	rmq = devm_kzalloc(&pdev->dev, sizeof(*rmq), GFP_KERNEL);
	if (!rmq)
		return -ENOMEM;

	rmq->rm = gh_rm_alloc(&pdev->dev, &gh_rm_msgq_ops, rmq);
	if (IS_ERR(rmq->rm))
		return PTR_ERR(rmq->rm);

	ret = gh_msgq_init(&pdev->dev, &rmq->msgq, &tx, &rx);
	if (ret)
		goto err_rm;

	rmq->client.dev = &pdev->dev;
	rmq->client.rx_callback = gh_rm_msgq_rx;
	rmq->client.tx_done = gh_rm_msgq_tx_done;
	ret = mbox_bind_client(&rmq->msgq.chan, &rmq->client);
	if (ret)
		goto err_msgq;

	platform_set_drvdata(pdev, rmq);

	ret = gh_rm_client->add(rmq->rm);
	if (ret)
		goto err_msgq;

	return 0;

err_msgq:
	gh_rm_close(rmq->rm);
	gh_msgq_remove(&rmq->msgq);
err_rm:
	gh_rm_shutdown(rmq->rm);
	gh_rm_put(rmq->rm);
	return ret;
}

static void gh_rm_remove(struct platform_device *pdev)
{
	struct gh_rm_msgq *rmq = platform_get_drvdata(pdev);

	gh_rm_client->remove(rmq->rm);
	gh_rm_close(rmq->rm);
	gh_msgq_remove(&rmq->msgq);
	gh_rm_shutdown(rmq->rm);
	gh_rm_put(rmq->rm);
}

/* Queues and interrupts stay, as whoever comes next finds them by itself. */
static void gh_rm_device_shutdown(struct platform_device *pdev)
{
	struct gh_rm_msgq *rmq = platform_get_drvdata(pdev);

	gh_rm_client->shutdown(rmq->rm);
}

static const struct of_device_id gh_rm_of_match[] = {
	{ .compatible = "gunyah-resource-manager" },
	{ }
};
MODULE_DEVICE_TABLE(of, gh_rm_of_match);

static struct platform_driver gh_rm_driver = {
	.probe = gh_rm_probe,
	.remove = gh_rm_remove,
	.driver = {
		.name = "gh_rsc_mgr",
		.of_match_table = gh_rm_of_match,
	},
	.shutdown = gh_rm_device_shutdown,
};

/*
 * RM makes the /hypervisor node a "simple-bus", whose children become devices by
 * themselves. Where the node is a plain "gunyah-hypervisor" somebody has to do it.
 */
static int gh_hypervisor_probe(struct platform_device *pdev)
{
	return of_platform_default_populate(pdev->dev.of_node, NULL, &pdev->dev);
}

static void gh_hypervisor_remove(struct platform_device *pdev)
{
	of_platform_depopulate(&pdev->dev);
}

static const struct of_device_id gh_hypervisor_of_match[] = {
	{ .compatible = "gunyah-hypervisor" },
	{ }
};
MODULE_DEVICE_TABLE(of, gh_hypervisor_of_match);

static struct platform_driver gh_hypervisor_driver = {
	.probe = gh_hypervisor_probe,
	.remove = gh_hypervisor_remove,
	.driver = {
		.name = "gh_hypervisor",
		.of_match_table = gh_hypervisor_of_match,
	},
};

static struct platform_driver * const gh_rm_drivers[] = {
	&gh_hypervisor_driver,
	&gh_rm_driver,
};

/**
 * gh_rm_register_client() - Look for a resource manager
 * @client: told when there is one. There can be one client.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int gh_rm_register_client(const struct gh_rm_client *client)
{
	gh_rm_client = client;
	return platform_register_drivers(gh_rm_drivers, ARRAY_SIZE(gh_rm_drivers));
}

/**
 * gh_rm_unregister_client() - Undo gh_rm_register_client()
 *
 * Context: Process context. May sleep.
 */
void gh_rm_unregister_client(void)
{
	platform_unregister_drivers(gh_rm_drivers, ARRAY_SIZE(gh_rm_drivers));
}

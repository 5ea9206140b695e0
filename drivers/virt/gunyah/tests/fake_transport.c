// SPDX-License-Identifier: GPL-2.0-only

#include <kunit/device.h>
#include <kunit/test.h>
#include <kunit/visibility.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "fake_transport.h"

u8 fake_byte(size_t i)
{
	return i * 7 + i / 251;
}

void fake_fill(void *buf, size_t len)
{
	u8 *bytes = buf;
	size_t i;

	for (i = 0; i < len; i++)
		bytes[i] = fake_byte(i);
}

/*
 * From the peer to the driver
 */

void fake_packet(struct fake_transport *ft, u8 api, u8 type, u8 fragments, u16 seq, u32 id,
		 const void *payload, size_t len)
{
	/* Of the packet's size, so that a sanitizer sees it if more is read. */
	u8 *p = kmalloc(8 + len, GFP_ATOMIC);

	if (!p) {
		KUNIT_FAIL(ft->test, "out of memory\n");
		return;
	}
	p[0] = api;
	p[1] = fragments << 2 | type;
	put_unaligned_le16(seq, p + 2);
	put_unaligned_le32(id, p + 4);
	if (len)
		memcpy(p + 8, payload, len);
	gh_rm_transport_received(ft->rm, p, 8 + len);
	kfree(p);
}

void fake_send_part(struct fake_transport *ft, u8 type, u16 seq, u32 id, const void *payload,
		    size_t len, unsigned int index)
{
	unsigned int fragments = len ? (len - 1) / FAKE_PAYLOAD : 0;
	size_t at = index * FAKE_PAYLOAD;

	fake_packet(ft, 0x21, index ? FAKE_CONTINUATION : type, fragments, seq, id, payload + at,
		    min_t(size_t, len - at, FAKE_PAYLOAD));
}

void fake_send(struct fake_transport *ft, u8 type, u16 seq, u32 id, const void *payload, size_t len)
{
	unsigned int i;

	for (i = 0; i == 0 || i * FAKE_PAYLOAD < len; i++)
		fake_send_part(ft, type, seq, id, payload, len, i);
}
EXPORT_SYMBOL_IF_KUNIT(fake_send);

void fake_reply(struct fake_transport *ft, const struct fake_msg *req, u32 error,
		const void *payload, size_t len)
{
	u8 *buf = kmalloc(4 + len, GFP_ATOMIC);

	if (!buf) {
		KUNIT_FAIL(ft->test, "out of memory\n");
		return;
	}
	put_unaligned_le32(error, buf);
	if (len)
		memcpy(buf + 4, payload, len);
	fake_send(ft, FAKE_REPLY, req->seq, req->id, buf, 4 + len);
	kfree(buf);
}
EXPORT_SYMBOL_IF_KUNIT(fake_reply);

/*
 * From the driver to the peer
 */

/* The driver has to keep all the rules, so a packet that breaks one fails the test. */
static void fake_take(struct fake_transport *ft, const struct fake_packet *packet)
{
	const u8 *p = packet->data;
	struct fake_msg *req = &ft->req;
	unsigned int type, fragments;
	size_t len;

	if (ft->packet) {
		ft->packet(ft, packet);
		return;
	}

	KUNIT_EXPECT_GE(ft->test, packet->length, 8);
	KUNIT_EXPECT_LE(ft->test, packet->length, FAKE_PACKET);
	if (packet->length < 8 || packet->length > FAKE_PACKET)
		return;
	len = packet->length - 8;
	type = p[1] & 3;
	fragments = p[1] >> 2;
	KUNIT_EXPECT_EQ(ft->test, p[0], 0x21);
	KUNIT_EXPECT_LE(ft->test, fragments, 62);

	if (type == FAKE_REQUEST) {
		ft->gap = false;
		req->seq = get_unaligned_le16(p + 2);
		req->id = get_unaligned_le32(p + 4);
		req->packets = 1;
		req->len = 0;
		ft->fragments = fragments;
		ft->partial = true;
	} else {
		KUNIT_EXPECT_EQ(ft->test, type, FAKE_CONTINUATION);
		if (ft->gap)
			return;
		KUNIT_EXPECT_TRUE(ft->test, ft->partial);
		KUNIT_EXPECT_EQ(ft->test, get_unaligned_le16(p + 2), req->seq);
		KUNIT_EXPECT_EQ(ft->test, get_unaligned_le32(p + 4), req->id);
		KUNIT_EXPECT_EQ(ft->test, fragments, ft->fragments);
		if (!ft->partial)
			return;
		req->packets++;
	}
	memcpy(req->data + req->len, p + 8, len);
	req->len += len;

	if (req->packets <= ft->fragments) {
		/* All but the last are full, and only the last is to wake the peer. */
		KUNIT_EXPECT_EQ(ft->test, len, FAKE_PAYLOAD);
		KUNIT_EXPECT_FALSE(ft->test, packet->push);
		return;
	}
	KUNIT_EXPECT_TRUE(ft->test, packet->push);

	ft->partial = false;
	ft->requests++;
	if (ft->request)
		ft->request(ft, req);
	else
		fake_reply(ft, req, GH_RM_ERROR_OK, NULL, 0);
}

/* The driver makes the next packet in the memory of this one, so that is copied. */
static void fake_copy(struct fake_transport *ft, struct fake_packet *packet,
		      const struct gh_msgq_tx_data *message)
{
	KUNIT_EXPECT_LE(ft->test, message->length, FAKE_PACKET);
	packet->length = min_t(size_t, message->length, FAKE_PACKET);
	packet->push = message->push;
	memcpy(packet->data, message->data, packet->length);
}

static void fake_work(struct work_struct *work)
{
	struct fake_transport *ft = container_of(work, struct fake_transport, work);
	struct gh_msgq_tx_data *message;
	struct fake_packet packet;
	bool failed, more;

	for (;;) {
		spin_lock_irq(&ft->lock);
		if (ft->taken + 1 == ft->hold_at) {
			ft->hold_at = 0;
			ft->hold = true;
		}
		message = ft->hold ? NULL : ft->message;
		if (message)
			failed = ++ft->taken == ft->fail_sent;
		spin_unlock_irq(&ft->lock);
		if (!message)
			break;

		fake_copy(ft, &packet, message);
		if (failed)
			ft->gap = true;
		more = !failed && message->next(message);
		if (!more) {
			/* It is the driver's again as soon as it is reported as sent. */
			ft->message = NULL;
			gh_rm_transport_sent(ft->rm, failed ? ft->fail_err : 0);
		}
		if (!failed)
			fake_take(ft, &packet);
	}
}

static int fake_send_op(void *transport, struct gh_msgq_tx_data *message)
{
	struct fake_transport *ft = transport;
	struct fake_packet packet;
	bool more;
	int ret = 0;

	if (ft->prompt) {
		do {
			fake_copy(ft, &packet, message);
			more = message->next(message);
			if (!more)
				gh_rm_transport_sent(ft->rm, 0);
			fake_take(ft, &packet);
		} while (more);
		return 0;
	}

	/* The call that sends this has its deadline. */
	if (ft->timeout_once) {
		ft->timeout_once = false;
		*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_LONG;
	}

	spin_lock_irq(&ft->lock);
	if (ft->accepted + 1 == ft->fail_send) {
		ft->fail_send = 0;
		ret = ft->fail_err;
	} else if (ft->message) {
		KUNIT_FAIL(ft->test, "two messages at a time\n");
		ret = -EBUSY;
	} else {
		ft->message = message;
		ft->accepted++;
	}
	spin_unlock_irq(&ft->lock);

	if (!ret)
		queue_work(ft->wq, &ft->work);
	return ret;
}

static const struct gh_rm_transport_ops fake_ops = {
	.send = fake_send_op,
};

void fake_transport_hold(struct fake_transport *ft, bool hold)
{
	spin_lock_irq(&ft->lock);
	ft->hold = hold;
	spin_unlock_irq(&ft->lock);
	if (!hold)
		queue_work(ft->wq, &ft->work);
}

void fake_transport_flush(struct fake_transport *ft)
{
	flush_work(&ft->work);
}
EXPORT_SYMBOL_IF_KUNIT(fake_transport_flush);

/* The order in which the platform driver ends it */
static void fake_transport_destroy(void *data)
{
	struct fake_transport *ft = data;

	fake_transport_hold(ft, false);
	gh_rm_close(ft->rm);
	destroy_workqueue(ft->wq);
	gh_rm_shutdown(ft->rm);
	KUNIT_EXPECT_EQ(ft->test, gh_rm_parcels(ft->rm), 0);
	gh_rm_put(ft->rm);
	kvfree(ft);
}

struct fake_transport *fake_transport_create(struct kunit *test)
{
	struct fake_transport *ft = kvzalloc(sizeof(*ft), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ft);
	ft->test = test;
	spin_lock_init(&ft->lock);
	INIT_WORK(&ft->work, fake_work);
	ft->wq = alloc_ordered_workqueue("fake_transport", 0);
	KUNIT_ASSERT_NOT_NULL(test, ft->wq);
	ft->dev = kunit_device_register(test, "gunyah-rm");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ft->dev);
	ft->rm = gh_rm_alloc(ft->dev, &fake_ops, ft);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ft->rm);
	*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_LONG;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_transport_destroy, ft), 0);

	return ft;
}
EXPORT_SYMBOL_IF_KUNIT(fake_transport_create);

/*
 * Threads
 */

static int fake_thread_main(void *data)
{
	struct fake_thread *thread = data;

	thread->ret = thread->fn(thread->data);
	complete(&thread->done);
	return 0;
}

static void fake_thread_end(void *data)
{
	struct fake_thread *thread = data;

	wait_for_completion(&thread->done);
	put_task_struct(thread->task);
}

struct fake_thread *fake_thread_start(struct kunit *test, int (*fn)(void *data), void *data)
{
	struct fake_thread *thread = kunit_kzalloc(test, sizeof(*thread), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, thread);
	thread->test = test;
	thread->fn = fn;
	thread->data = data;
	init_completion(&thread->done);
	thread->task = kthread_create(fake_thread_main, thread, "gunyah-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread->task);
	get_task_struct(thread->task);
	wake_up_process(thread->task);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_thread_end, thread), 0);
	return thread;
}

bool fake_thread_sleeps(struct fake_thread *thread)
{
	unsigned long deadline = jiffies + FAKE_PATIENCE;

	while (!completion_done(&thread->done)) {
		if (READ_ONCE(thread->task->__state) & TASK_UNINTERRUPTIBLE)
			return true;
		KUNIT_ASSERT_TRUE(thread->test, time_before(jiffies, deadline));
		schedule_timeout_uninterruptible(1);
	}
	return false;
}

int fake_thread_wait(struct fake_thread *thread)
{
	/* done is not used up: it is waited for once more at the end. */
	if (!completion_done(&thread->done)) {
		KUNIT_ASSERT_NE(thread->test,
				wait_for_completion_timeout(&thread->done, FAKE_PATIENCE), 0);
		complete(&thread->done);
	}
	return thread->ret;
}

static int fake_call_fn(void *data)
{
	struct fake_call *call = data;

	return gh_rm_call(call->rm, &call->call);
}

struct fake_call *fake_call_start(struct fake_transport *ft, const struct gh_rm_call *call)
{
	struct fake_call *new = kunit_kzalloc(ft->test, sizeof(*new), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(ft->test, new);
	new->rm = ft->rm;
	new->call = *call;
	new->thread = fake_thread_start(ft->test, fake_call_fn, new);
	return new;
}

/* What tests that are modules of their own have the driver do, which exports none of it */
EXPORT_SYMBOL_IF_KUNIT(gh_rm_call_timeout_ms);
EXPORT_SYMBOL_IF_KUNIT(gh_rm_check_platform);
EXPORT_SYMBOL_IF_KUNIT(gh_rm_mem_lend);
EXPORT_SYMBOL_IF_KUNIT(gh_rm_mem_reclaim);
EXPORT_SYMBOL_IF_KUNIT(gh_rm_mem_share);
EXPORT_SYMBOL_IF_KUNIT(gh_rm_own_vmid);
EXPORT_SYMBOL_IF_KUNIT(gh_rm_parcel_uncharge);
EXPORT_SYMBOL_IF_KUNIT(gh_rm_parcels);

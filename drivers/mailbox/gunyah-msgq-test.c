// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the mailbox over message queues, with simulated interrupts and, in place
 * of the hypervisor, two queues of the test's own.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/gunyah.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irq_sim.h>
#include <linux/irqdomain.h>
#include <linux/mailbox_client.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/string.h>

/* Every wait is for an event. This is for the event that does not come. */
#define PATIENCE	(10 * HZ)

#define DEPTH		8	/* of the queue to the peer */
#define CORE_DEPTH	20	/* of the mailbox core's */
#define MAX_MSGS		256
#define TX_CAP		0x1122334455667788ULL
#define RX_CAP		0ULL	/* a valid one */

/* Simulated interrupts are handled in the order of their numbers. */
enum { TX_IRQ, RX_IRQ, MARK_IRQ, NR_SIM_IRQS };

struct message {
	size_t length;
	u64 flags;
	u8 data[GH_MSGQ_MAX_MSG_SIZE];
};

/**
 * struct request - What is sent
 * @tx: for the mailbox, one message after the other
 * @first: number of the first of them
 * @n: how many there are
 * @sent: how many were sent
 * @too_long: this one, counted from 0, is too long
 * @data: the message
 */
struct request {
	struct gh_msgq_tx_data tx;
	unsigned int first;
	unsigned int n;
	unsigned int sent;
	unsigned int too_long;
	u8 data[GH_MSGQ_MAX_MSG_SIZE];
};

/* What a receive hypercall returns; @ready is what it says, not what is true */
struct recv_step {
	enum gh_error err;
	size_t length;
	bool ready;
	bool raise;		/* the next one comes in the meantime, with an interrupt */
};

/**
 * struct fake - Mailbox, client and hypervisor
 * @test: the test
 * @parent: device of the client
 * @domain: of the simulated interrupts
 * @irqs: their numbers
 * @marked: completed by the last of them
 * @msgq: the mailbox
 * @inited: there is one
 * @client: its client
 * @lock: guards what follows
 * @sent: messages in the queue to the peer, or taken out of it
 * @n_sent: number of @sent
 * @taken: number of @sent that were taken out
 * @send_calls: hypercalls
 * @send_err: what the next returns
 * @send_err_at: not the next, but so many later
 * @take_during_send: so often a full queue is emptied before the hypercall that
 *                    found it full, or filled it, has returned
 * @requests: what the test sends
 * @done: requests completed, in order
 * @done_err: with these
 * @n_done: number of @done
 * @done_event: completed for each
 * @steps: what receive hypercalls return, in order; then: nothing is there
 * @n_steps: number of @steps
 * @recv_calls: hypercalls
 * @received: messages received
 * @n_received: number of @received
 * @received_event: completed for each
 */
struct fake {
	struct kunit *test;
	struct device *parent;
	struct irq_domain *domain;
	int irqs[NR_SIM_IRQS];
	struct completion marked;
	struct gh_msgq msgq;
	bool inited;
	struct mbox_client client;

	raw_spinlock_t lock;		/* see above */
	struct message sent[MAX_MSGS];
	unsigned int n_sent;
	unsigned int taken;
	unsigned int send_calls;
	enum gh_error send_err;
	unsigned int send_err_at;
	unsigned int take_during_send;
	struct request requests[MAX_MSGS];
	void *done[MAX_MSGS];
	int done_err[MAX_MSGS];
	unsigned int n_done;
	struct completion done_event;

	struct recv_step steps[MAX_MSGS];
	unsigned int n_steps;
	unsigned int recv_calls;
	struct gh_msgq_rx_data received[MAX_MSGS];
	unsigned int n_received;
	struct completion received_event;
};

static u8 fake_byte(unsigned int message, size_t i)
{
	return message * 31 + i;
}

/*
 * Hypervisor
 */

static void raise(struct fake *f, unsigned int which)
{
	KUNIT_EXPECT_EQ(f->test, irq_set_irqchip_state(f->irqs[which], IRQCHIP_STATE_PENDING, true),
			0);
}

static irqreturn_t mark_irq(int irq, void *data)
{
	struct fake *f = data;

	complete(&f->marked);
	return IRQ_HANDLED;
}

/* Wait until all interrupts that were raised have been dealt with. */
static void settle(struct fake *f)
{
	raise(f, MARK_IRQ);
	KUNIT_ASSERT_NE(f->test, wait_for_completion_timeout(&f->marked, PATIENCE), 0);
	synchronize_irq(f->irqs[TX_IRQ]);
	synchronize_irq(f->irqs[RX_IRQ]);
}

/* The peer takes messages out of its queue. */
static void take(struct fake *f, unsigned int n)
{
	bool was_full;

	raw_spin_lock_irq(&f->lock);
	was_full = f->n_sent - f->taken == DEPTH;
	f->taken += n;
	KUNIT_EXPECT_LE(f->test, f->taken, f->n_sent);
	raw_spin_unlock_irq(&f->lock);
	/* An edge, raised by the step from full to not full */
	if (was_full)
		raise(f, TX_IRQ);
}

/* Somebody before us has filled the queue. */
static void fill(struct fake *f)
{
	f->n_sent += DEPTH;
}

static enum gh_error fake_send(struct gh_msgq *msgq, u64 capid, size_t size, void *buff,
			       u64 tx_flags, bool *ready)
{
	struct fake *f = container_of(msgq, struct fake, msgq);
	enum gh_error err = GH_ERROR_OK;
	struct message *msg;
	unsigned long flags;
	bool interrupt = false;

	KUNIT_EXPECT_EQ(f->test, capid, TX_CAP);
	KUNIT_EXPECT_LE(f->test, size, GH_MSGQ_MAX_MSG_SIZE);
	raw_spin_lock_irqsave(&f->lock, flags);
	f->send_calls++;
	if (f->send_err_at) {
		f->send_err_at--;
	} else {
		err = f->send_err;
		f->send_err = GH_ERROR_OK;
	}
	*ready = false;
	if (!err && f->n_sent - f->taken == DEPTH)
		err = GH_ERROR_MSGQUEUE_FULL;
	if (!err) {
		msg = &f->sent[f->n_sent++ % MAX_MSGS];
		msg->length = size;
		msg->flags = tx_flags;
		memcpy(msg->data, buff, min_t(size_t, size, sizeof(msg->data)));
		*ready = f->n_sent - f->taken < DEPTH;
	}
	if (f->n_sent - f->taken == DEPTH && f->take_during_send) {
		f->take_during_send--;
		f->taken = f->n_sent;
		interrupt = true;
	}
	raw_spin_unlock_irqrestore(&f->lock, flags);
	if (interrupt)
		raise(f, TX_IRQ);
	return err;
}

static enum gh_error fake_recv(struct gh_msgq *msgq, u64 capid, void *buff, size_t size,
			       size_t *recv_size, bool *ready)
{
	struct fake *f = container_of(msgq, struct fake, msgq);
	unsigned int call = f->recv_calls++;
	struct recv_step *step;
	u8 *bytes = buff;
	size_t i;

	KUNIT_EXPECT_EQ(f->test, capid, RX_CAP);
	KUNIT_EXPECT_EQ(f->test, size, GH_MSGQ_MAX_MSG_SIZE);
	*recv_size = 0;
	*ready = false;
	if (call >= f->n_steps)
		return GH_ERROR_MSGQUEUE_EMPTY;
	step = &f->steps[call];
	if (step->raise) {
		/* The simulation drops one that comes while another CPU is still at the last. */
		synchronize_hardirq(f->irqs[RX_IRQ]);
		raise(f, RX_IRQ);
	}
	if (step->err)
		return step->err;
	for (i = 0; i < step->length; i++)
		bytes[i] = fake_byte(call, i);
	*recv_size = step->length;
	*ready = step->ready;
	return GH_ERROR_OK;
}

static const struct gh_msgq_hypercalls fake_hypercalls = {
	.send = fake_send,
	.recv = fake_recv,
};

/*
 * Client
 */

static void fake_tx_done(struct mbox_client *client, void *mssg, int err)
{
	struct fake *f = container_of(client, struct fake, client);

	f->done[f->n_done % MAX_MSGS] = mssg;
	f->done_err[f->n_done % MAX_MSGS] = err;
	f->n_done++;
	complete(&f->done_event);
}

static void fake_rx(struct mbox_client *client, void *mssg)
{
	struct fake *f = container_of(client, struct fake, client);

	f->received[f->n_received++ % MAX_MSGS] = *(struct gh_msgq_rx_data *)mssg;
	complete(&f->received_event);
}

/* What follows is in the memory of what was sent. */
static bool next_message(struct gh_msgq_tx_data *tx)
{
	struct request *r = container_of(tx, struct request, tx);
	size_t k;

	if (++r->sent == r->n)
		return false;
	if (r->sent == r->too_long)
		tx->length = 241;
	tx->push = r->sent + 1 == r->n;
	for (k = 0; k < min_t(size_t, tx->length, sizeof(r->data)); k++)
		r->data[k] = fake_byte(r->first + r->sent, k);
	return true;
}

/* Hand over request number @i: @n messages of @length bytes from number @first on */
static void send_many(struct fake *f, unsigned int i, unsigned int first, unsigned int n,
		      size_t length, bool push)
{
	struct request *r = &f->requests[i];
	size_t k;

	r->first = first;
	r->n = n;
	r->sent = 0;
	r->tx.data = r->data;
	r->tx.length = length;
	r->tx.push = push;
	r->tx.next = n > 1 ? next_message : NULL;
	for (k = 0; k < min_t(size_t, length, sizeof(r->data)); k++)
		r->data[k] = fake_byte(first, k);
	KUNIT_ASSERT_GE(f->test, mbox_send_message(&f->msgq.chan, &r->tx), 0);
}

/* One message with the request's number */
static void send(struct fake *f, unsigned int i, size_t length, bool push)
{
	send_many(f, i, i, 1, length, push);
}

static void wait_done(struct fake *f, unsigned int n)
{
	while (READ_ONCE(f->n_done) < n)
		KUNIT_ASSERT_NE(f->test, wait_for_completion_timeout(&f->done_event, PATIENCE), 0);
}

static void wait_received(struct fake *f, unsigned int n)
{
	while (READ_ONCE(f->n_received) < n)
		KUNIT_ASSERT_NE(f->test, wait_for_completion_timeout(&f->received_event, PATIENCE),
				0);
}

static void expect_sent(struct fake *f, unsigned int at, unsigned int i, size_t length, bool push)
{
	const struct message *msg = &f->sent[at];
	size_t k;

	KUNIT_EXPECT_EQ(f->test, msg->length, length);
	KUNIT_EXPECT_EQ(f->test, msg->flags, push);
	for (k = 0; k < length && msg->data[k] == fake_byte(i, k); k++)
		;
	KUNIT_EXPECT_EQ(f->test, k, length);
}

static void expect_done(struct fake *f, unsigned int i, int err)
{
	KUNIT_EXPECT_PTR_EQ(f->test, f->done[i], (void *)&f->requests[i].tx);
	KUNIT_EXPECT_EQ(f->test, f->done_err[i], err);
}

/* The received message is that of hypercall number @call. */
static void expect_received(struct fake *f, unsigned int at, unsigned int call)
{
	const struct gh_msgq_rx_data *msg = &f->received[at];
	size_t k;

	KUNIT_EXPECT_EQ(f->test, msg->length, f->steps[call].length);
	for (k = 0; k < msg->length && msg->data[k] == fake_byte(call, k); k++)
		;
	KUNIT_EXPECT_EQ(f->test, k, msg->length);
}

/*
 * Beginning and end
 */

static struct gunyah_resource tx_resource(struct fake *f)
{
	return (struct gunyah_resource){
		.type = GUNYAH_RESOURCE_TYPE_MSGQ_TX, .capid = TX_CAP, .irq = f->irqs[TX_IRQ],
	};
}

static struct gunyah_resource rx_resource(struct fake *f)
{
	return (struct gunyah_resource){
		.type = GUNYAH_RESOURCE_TYPE_MSGQ_RX, .capid = RX_CAP, .irq = f->irqs[RX_IRQ],
	};
}

static void end(struct fake *f)
{
	if (f->inited)
		gh_msgq_remove(&f->msgq);
	f->inited = false;
}

static void init(struct fake *f)
{
	const struct gunyah_resource tx = tx_resource(f), rx = rx_resource(f);

	KUNIT_ASSERT_EQ(f->test, gh_msgq_init(f->parent, &f->msgq, &tx, &rx), 0);
	f->inited = true;
}

static void free_fake(void *data)
{
	struct fake *f = data;
	unsigned int i;

	end(f);
	if (f->irqs[MARK_IRQ])
		free_irq(f->irqs[MARK_IRQ], f);
	for (i = 0; i < NR_SIM_IRQS; i++)
		irq_dispose_mapping(f->irqs[i]);
	irq_domain_remove_sim(f->domain);
	kvfree(f);
}

/* Mailbox without a client */
static struct fake *new_fake(struct kunit *test)
{
	struct fake *f = kvzalloc(sizeof(*f), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->test = test;
	raw_spin_lock_init(&f->lock);
	init_completion(&f->marked);
	init_completion(&f->done_event);
	init_completion(&f->received_event);
	f->parent = kunit_device_register(test, "gunyah-msgq-parent");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->parent);
	f->domain = irq_domain_create_sim(NULL, NR_SIM_IRQS);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->domain);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_fake, f), 0);
	for (i = 0; i < NR_SIM_IRQS; i++) {
		f->irqs[i] = irq_create_mapping(f->domain, i);
		KUNIT_ASSERT_GT(test, f->irqs[i], 0);
	}
	KUNIT_ASSERT_EQ(test, request_irq(f->irqs[MARK_IRQ], mark_irq, 0, "mark", f), 0);
	f->msgq.hypercalls = &fake_hypercalls;
	f->client.dev = f->parent;
	f->client.tx_done = fake_tx_done;
	f->client.rx_callback = fake_rx;
	init(f);
	return f;
}

static struct fake *new_bound_fake(struct kunit *test)
{
	struct fake *f = new_fake(test);

	KUNIT_ASSERT_EQ(test, mbox_bind_client(&f->msgq.chan, &f->client), 0);
	settle(f);
	f->recv_calls = 0;
	return f;
}

/*
 * Sending
 */

static void message_is_sent_as_it_is_and_done(struct kunit *test)
{
	static const size_t lengths[] = { 0, 1, 8, 239, 240 };
	struct fake *f = new_bound_fake(test);
	unsigned int i, push;

	for (push = 0; push < 2; push++) {
		f->n_done = 0;
		f->n_sent = 0;
		f->taken = 0;
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			send(f, i, lengths[i], push);
			wait_done(f, i + 1);
			expect_sent(f, i, i, lengths[i], push);
			expect_done(f, i, 0);
		}
	}
	KUNIT_EXPECT_EQ(test, f->send_calls, 2 * ARRAY_SIZE(lengths));
}

static void message_that_is_too_long_is_done_with_an_error(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);

	send(f, 0, 241, false);
	send(f, 1, SIZE_MAX, false);
	send(f, 2, 240, false);
	wait_done(f, 3);
	expect_done(f, 0, -E2BIG);
	expect_done(f, 1, -E2BIG);
	expect_done(f, 2, 0);
	KUNIT_EXPECT_EQ(test, f->send_calls, 1);
	KUNIT_EXPECT_EQ(test, f->n_sent, 1);
}

static void messages_are_sent_and_done_in_order(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);
	unsigned int i;

	for (i = 0; i < CORE_DEPTH; i++)
		send(f, i, i, false);

	/* The last that fits is done once there is space behind it. */
	wait_done(f, DEPTH - 1);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->n_done, DEPTH - 1);
	KUNIT_EXPECT_EQ(test, f->n_sent, DEPTH);
	KUNIT_EXPECT_EQ(test, f->send_calls, DEPTH);

	/* One at a time, and all at once */
	for (i = DEPTH; i < 12; i++) {
		take(f, 1);
		wait_done(f, i);
		settle(f);
		KUNIT_EXPECT_EQ(test, f->n_done, i);
		KUNIT_EXPECT_EQ(test, f->n_sent, i + 1);
	}
	take(f, DEPTH);
	wait_done(f, 12 + DEPTH - 1);
	take(f, DEPTH);
	wait_done(f, CORE_DEPTH);

	KUNIT_EXPECT_EQ(test, f->n_sent, CORE_DEPTH);
	KUNIT_EXPECT_EQ(test, f->send_calls, CORE_DEPTH);
	for (i = 0; i < CORE_DEPTH; i++) {
		expect_sent(f, i, i, i, false);
		expect_done(f, i, 0);
	}
}

static void message_that_finds_the_queue_full_is_sent_when_there_is_space(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);

	fill(f);
	send(f, 0, 10, true);
	send(f, 1, 20, false);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->n_done, 0);
	KUNIT_EXPECT_EQ(test, f->n_sent, DEPTH);

	take(f, 2);
	wait_done(f, 1);
	KUNIT_EXPECT_EQ(test, f->n_sent, DEPTH + 2);
	take(f, 1);
	wait_done(f, 2);
	expect_sent(f, DEPTH, 0, 10, true);
	expect_sent(f, DEPTH + 1, 1, 20, false);
	expect_done(f, 0, 0);
	expect_done(f, 1, 0);
}

/* The queue's interrupt is there before the hypercall has returned. */
static void interrupt_during_the_hypercall_is_not_missed(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);
	unsigned int i;

	f->take_during_send = 5;
	fill(f);
	for (i = 0; i < CORE_DEPTH; i++)
		send(f, i, 4, false);
	wait_done(f, CORE_DEPTH);
	KUNIT_EXPECT_EQ(test, f->n_sent, DEPTH + CORE_DEPTH);
	for (i = 0; i < CORE_DEPTH; i++) {
		expect_sent(f, DEPTH + i, i, 4, false);
		expect_done(f, i, 0);
	}
}

/* So many messages, sent to a queue that is empty or full */
static const struct many_row {
	const char *name;
	unsigned int n;
	bool full;
} many_rows[] = {
	{ "of two", 2, false },
	{ "that leaves space for one", DEPTH - 1, false },
	{ "that fills the queue", DEPTH, false },
	{ "of one more than fit", DEPTH + 1, false },
	{ "of the longest message's packets", 63, false },
	{ "that finds the queue full", 3, true },
	{ "of many that finds the queue full", 63, true },
};

KUNIT_ARRAY_PARAM_DESC(many, many_rows, name);

static void messages_follow_at_once_in_a_request(struct kunit *test)
{
	const struct many_row *row = test->param_value;
	struct fake *f = new_bound_fake(test);
	unsigned int at = row->full ? DEPTH : 0, i;

	if (row->full)
		fill(f);
	send_many(f, 0, 0, row->n, 240, row->n == 1);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->n_sent - f->taken, min_t(unsigned int, at + row->n, DEPTH));
	KUNIT_EXPECT_EQ(test, f->n_done, at + row->n < DEPTH);

	/* Space for one, and then for all that there is */
	while (f->n_sent < at + row->n) {
		take(f, f->n_sent % 3 ? DEPTH : 1);
		settle(f);
	}
	if (at + row->n >= DEPTH)
		take(f, 1);
	wait_done(f, 1);
	settle(f);

	/* Once for all of them, and no hypercall more than there are messages */
	KUNIT_EXPECT_EQ(test, f->n_done, 1);
	expect_done(f, 0, 0);
	KUNIT_EXPECT_EQ(test, f->send_calls, row->n + row->full);
	KUNIT_ASSERT_EQ(test, f->n_sent, at + row->n);
	for (i = 0; i < row->n; i++)
		expect_sent(f, at + i, i, 240, i == row->n - 1);
}

static void requests_of_many_messages_do_not_mix(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);
	unsigned int i;

	f->take_during_send = 20;
	send_many(f, 0, 0, 63, 8, false);
	send(f, 1, 9, true);
	send_many(f, 2, 70, 20, 10, false);
	wait_done(f, 3);
	KUNIT_ASSERT_EQ(test, f->n_sent, 63 + 1 + 20);
	for (i = 0; i < 63; i++)
		expect_sent(f, i, i, 8, i == 62);
	expect_sent(f, 63, 1, 9, true);
	for (i = 0; i < 20; i++)
		expect_sent(f, 64 + i, 70 + i, 10, i == 19);
	for (i = 0; i < 3; i++)
		expect_done(f, i, 0);
}

static void request_ends_with_the_message_that_fails(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);

	/* Refused by the hypervisor, or too long for it */
	f->send_err = GH_ERROR_DENIED;
	f->send_err_at = 2;
	send_many(f, 0, 0, 5, 8, false);
	f->requests[1].too_long = 3;
	send_many(f, 1, 10, 5, 8, false);
	send(f, 2, 9, false);
	wait_done(f, 3);
	expect_done(f, 0, -EACCES);
	expect_done(f, 1, -E2BIG);
	expect_done(f, 2, 0);
	KUNIT_EXPECT_EQ(test, f->send_calls, 3 + 3 + 1);
	KUNIT_ASSERT_EQ(test, f->n_sent, 2 + 3 + 1);
	expect_sent(f, 1, 1, 8, false);
	expect_sent(f, 4, 12, 8, false);
	expect_sent(f, 5, 2, 9, false);
}

static void interrupt_for_nothing_completes_nothing(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);

	raise(f, TX_IRQ);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->n_done, 0);
	KUNIT_EXPECT_EQ(test, f->send_calls, 0);

	send(f, 0, 4, false);
	wait_done(f, 1);
	raise(f, TX_IRQ);
	raise(f, TX_IRQ);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->n_done, 1);
	KUNIT_EXPECT_EQ(test, f->send_calls, 1);
}

/* From the documented meaning of each code, not from the driver's table */
static const struct error_row {
	const char *name;
	enum gh_error err;
	int want;
} error_rows[] = {
	{ "UNIMPLEMENTED", -1, -EOPNOTSUPP },
	{ "RETRY", -2, -EOPNOTSUPP },
	{ "ARG_INVAL", 1, -EINVAL },
	{ "ARG_SIZE", 2, -EINVAL },
	{ "ARG_ALIGN", 3, -EINVAL },
	{ "NOMEM", 10, -ENOMEM },
	{ "NORESOURCES", 11, -EINVAL },
	{ "ADDR_OVFL", 20, -EINVAL },
	{ "ADDR_UNFL", 21, -EINVAL },
	{ "ADDR_INVAL", 22, -EINVAL },
	{ "DENIED", 30, -EACCES },
	{ "BUSY", 31, -EBUSY },
	{ "IDLE", 32, -EBUSY },
	{ "OBJECT_STATE", 33, -EINVAL },
	{ "OBJECT_CONFIG", 34, -EINVAL },
	{ "OBJECT_CONFIGURED", 35, -EINVAL },
	{ "FAILURE", 36, -EINVAL },
	{ "IRQ_BOUND", 40, -EIO },
	{ "IRQ_UNBOUND", 41, -EIO },
	{ "CSPACE_CAP_NULL", 50, -EACCES },
	{ "CSPACE_CAP_REVOKED", 51, -EACCES },
	{ "CSPACE_WRONG_OBJ_TYPE", 52, -EACCES },
	{ "CSPACE_INSUF_RIGHTS", 53, -EACCES },
	{ "CSPACE_FULL", 54, -EACCES },
	{ "MSGQUEUE_EMPTY", 60, -EIO },
	{ "an unknown one", 4711, -EINVAL },
	{ "an unknown negative one", -3, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(error, error_rows, name);

static void hypercall_error_is_told_and_the_next_message_goes_out(struct kunit *test)
{
	const struct error_row *row = test->param_value;
	struct fake *f = new_bound_fake(test);

	f->send_err = row->err;
	send(f, 0, 4, false);
	send(f, 1, 5, false);
	wait_done(f, 2);
	expect_done(f, 0, row->want);
	expect_done(f, 1, 0);
	KUNIT_EXPECT_EQ(test, f->send_calls, 2);
	KUNIT_EXPECT_EQ(test, f->n_sent, 1);
	expect_sent(f, 0, 1, 5, false);

	/* No message waits for the interrupt. */
	raise(f, TX_IRQ);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->n_done, 2);
	KUNIT_EXPECT_EQ(test, gh_error_remap(row->err), row->want);
}

/*
 * Receiving
 */

static void queue_is_emptied_in_order(struct kunit *test)
{
	static const size_t lengths[] = { 240, 1, 8, 239 };
	struct fake *f = new_bound_fake(test);
	unsigned int i;

	f->n_steps = 100;
	for (i = 0; i < 100; i++)
		f->steps[i] = (struct recv_step){ 0, lengths[i % 4], i != 99 };
	raise(f, RX_IRQ);
	wait_received(f, 100);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->n_received, 100);
	/* Not once more: it said that there is nothing. */
	KUNIT_EXPECT_EQ(test, f->recv_calls, 100);
	for (i = 0; i < 100; i++)
		expect_received(f, i, i);
}

struct recv_row {
	const char *name;
	struct recv_step steps[16];
	unsigned int n_steps;
	unsigned int calls;
	unsigned int received;
};

#define EMPTY_3	{ 0, 0, true }, { 0, 0, true }, { 0, 0, true }

static const struct recv_row recv_rows[] = {
	{ "nothing is there", {}, 0, 1, 0 },
	{ "it is said that more is there, but it is not", { { 0, 5, true } }, 1, 2, 1 },
	{ "an error", { { GH_ERROR_DENIED }, { 0, 5 } }, 2, 1, 0 },
	{ "an error behind a message", { { 0, 5, true }, { GH_ERROR_RETRY }, { 0, 5 } }, 3, 2, 1 },
	{ "an empty message before another", { { 0, 0, true }, { 0, 5 } }, 2, 2, 1 },
	{ "an empty message that is the last", { { 0, 0, false }, { 0, 5 } }, 2, 1, 0 },
	{ "as many empty messages as there can be",
	  { EMPTY_3, EMPTY_3, { 0, 0, true }, { 0, 0, true }, { 0, 5 } }, 9, 9, 1 },
	{ "one that cannot be had, again and again",
	  { EMPTY_3, EMPTY_3, EMPTY_3, EMPTY_3, { 0, 5 } }, 13, 9, 0 },
	{ "one that comes in the meantime", { { 0, 5, false, true }, { 0, 6 } }, 2, 2, 2 },
};

KUNIT_ARRAY_PARAM_DESC(recv, recv_rows, name);

static void receiving_ends_when_there_is(struct kunit *test)
{
	const struct recv_row *row = test->param_value;
	struct fake *f = new_bound_fake(test);
	unsigned int i, next;

	memcpy(f->steps, row->steps, sizeof(row->steps));
	f->n_steps = row->n_steps;
	raise(f, RX_IRQ);
	/* One that is raised on the way may be taken by another CPU. */
	wait_received(f, row->received);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->recv_calls, row->calls);
	KUNIT_ASSERT_EQ(test, f->n_received, row->received);
	for (i = 0, next = 0; i < row->received; i++, next++) {
		while (!f->steps[next].length)
			next++;
		expect_received(f, i, next);
	}

	/* And begins again with the next interrupt */
	f->recv_calls = 0;
	f->n_received = 0;
	f->n_steps = 1;
	f->steps[0] = (struct recv_step){ 0, 7 };
	raise(f, RX_IRQ);
	wait_received(f, 1);
	expect_received(f, 0, 0);
}

static void what_was_there_before_is_received(struct kunit *test)
{
	struct fake *f = new_fake(test);

	f->n_steps = 2;
	f->steps[0] = (struct recv_step){ 0, 3, true };
	f->steps[1] = (struct recv_step){ 0, 4 };
	KUNIT_ASSERT_EQ(test, mbox_bind_client(&f->msgq.chan, &f->client), 0);
	wait_received(f, 2);
	expect_received(f, 0, 0);
	expect_received(f, 1, 1);
}

/*
 * Beginning and end
 */

static void queues_that_are_none_are_refused(struct kunit *test)
{
	struct fake *f = new_fake(test);
	const struct gunyah_resource tx = tx_resource(f), rx = rx_resource(f);
	struct gunyah_resource bad;

	end(f);
	KUNIT_EXPECT_EQ(test, gh_msgq_init(f->parent, &f->msgq, &rx, &tx), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_msgq_init(f->parent, &f->msgq, &tx, &tx), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_msgq_init(f->parent, &f->msgq, &rx, &rx), -EINVAL);
	bad = tx;
	bad.irq = 0;
	KUNIT_EXPECT_EQ(test, gh_msgq_init(f->parent, &f->msgq, &bad, &rx), -EINVAL);
	bad.irq = -ENXIO;
	KUNIT_EXPECT_EQ(test, gh_msgq_init(f->parent, &f->msgq, &bad, &rx), -EINVAL);
	bad = rx;
	bad.irq = 0;
	KUNIT_EXPECT_EQ(test, gh_msgq_init(f->parent, &f->msgq, &tx, &bad), -EINVAL);
	init(f);
}

/* A controller's device that its driver does not recognise */
static int keep_driver_away(struct notifier_block *nb, unsigned long action, void *data)
{
	struct platform_device *pdev = to_platform_device(data);

	if (action == BUS_NOTIFY_ADD_DEVICE && !strcmp(pdev->name, "gunyah-msgq"))
		pdev->name = "none";
	return NOTIFY_DONE;
}

/* The mailbox core would take no notice, and nothing would hold the module. */
static void controller_without_its_driver_is_put_off(struct kunit *test)
{
	struct notifier_block nb = { .notifier_call = keep_driver_away };
	struct fake *f = new_fake(test);
	const struct gunyah_resource tx = tx_resource(f), rx = rx_resource(f);

	end(f);
	KUNIT_ASSERT_EQ(test, bus_register_notifier(&platform_bus_type, &nb), 0);
	KUNIT_EXPECT_EQ(test, gh_msgq_init(f->parent, &f->msgq, &tx, &rx), -EPROBE_DEFER);
	KUNIT_EXPECT_EQ(test, bus_unregister_notifier(&platform_bus_type, &nb), 0);
	/* Not even its device is left. */
	KUNIT_EXPECT_FALSE(test, device_find_any_child(f->parent));

	init(f);
	KUNIT_EXPECT_EQ(test, mbox_bind_client(&f->msgq.chan, &f->client), 0);
	send(f, 0, 4, false);
	wait_done(f, 1);
}

static irqreturn_t other_irq(int irq, void *data)
{
	return IRQ_NONE;
}

/* Whether an interrupt is free tells whether it was freed. */
static void expect_free(struct fake *f, unsigned int which)
{
	KUNIT_EXPECT_EQ(f->test, request_irq(f->irqs[which], other_irq, 0, "other", f), 0);
	free_irq(f->irqs[which], f);
}

static void bind_without_an_interrupt_undoes_what_it_did(struct kunit *test)
{
	struct fake *f = new_fake(test);
	unsigned int taken;

	for (taken = TX_IRQ; taken <= RX_IRQ; taken++) {
		KUNIT_ASSERT_EQ(test, request_irq(f->irqs[taken], other_irq, 0, "other", f), 0);
		KUNIT_EXPECT_EQ(test, mbox_bind_client(&f->msgq.chan, &f->client), -EBUSY);
		expect_free(f, taken == TX_IRQ ? RX_IRQ : TX_IRQ);
		free_irq(f->irqs[taken], f);
	}
	KUNIT_EXPECT_EQ(test, f->recv_calls, 0);

	KUNIT_EXPECT_EQ(test, mbox_bind_client(&f->msgq.chan, &f->client), 0);
	send(f, 0, 4, false);
	wait_done(f, 1);
}

static void there_is_one_client_at_a_time(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);
	struct mbox_client other = { .dev = f->parent };

	KUNIT_EXPECT_EQ(test, mbox_bind_client(&f->msgq.chan, &other), -EBUSY);
	send(f, 0, 4, false);
	wait_done(f, 1);
	mbox_free_channel(&f->msgq.chan);
	expect_free(f, TX_IRQ);
	expect_free(f, RX_IRQ);
	KUNIT_EXPECT_EQ(test, mbox_bind_client(&f->msgq.chan, &f->client), 0);
	send(f, 1, 4, false);
	wait_done(f, 2);
}

static void removal_completes_nothing_any_more(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);
	unsigned int i, done;

	/* Done, but not told; waiting for space; behind that */
	for (i = 0; i < CORE_DEPTH; i++)
		send(f, i, 4, false);
	end(f);
	done = f->n_done;
	KUNIT_EXPECT_LT(test, done, CORE_DEPTH);
	expect_free(f, TX_IRQ);
	expect_free(f, RX_IRQ);

	/* Neither an interrupt nor the work of one */
	raise(f, TX_IRQ);
	raise(f, RX_IRQ);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->n_done, done);
	KUNIT_EXPECT_EQ(test, f->recv_calls, 0);

	/* Nothing is left of it that the next would stumble over. */
	f->n_done = 0;
	f->n_sent = 0;
	f->taken = 0;
	init(f);
	KUNIT_EXPECT_EQ(test, mbox_bind_client(&f->msgq.chan, &f->client), 0);
	settle(f);
	KUNIT_EXPECT_EQ(test, f->n_done, 0);
	send(f, 0, 4, false);
	wait_done(f, 1);
	expect_done(f, 0, 0);
}

static void mailboxes_do_not_meddle_with_each_other(struct kunit *test)
{
	struct fake *f = new_bound_fake(test);
	struct gh_msgq *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	const struct gunyah_resource tx = tx_resource(f), rx = rx_resource(f);

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_EXPECT_EQ(test, gh_msgq_init(f->parent, other, &tx, &rx), 0);
	gh_msgq_remove(other);
	send(f, 0, 4, false);
	wait_done(f, 1);
	KUNIT_EXPECT_EQ(test, f->send_calls, 1);
}

static struct kunit_case msgq_cases[] = {
	KUNIT_CASE(message_is_sent_as_it_is_and_done),
	KUNIT_CASE(message_that_is_too_long_is_done_with_an_error),
	KUNIT_CASE(messages_are_sent_and_done_in_order),
	KUNIT_CASE(message_that_finds_the_queue_full_is_sent_when_there_is_space),
	KUNIT_CASE(interrupt_during_the_hypercall_is_not_missed),
	KUNIT_CASE_PARAM(messages_follow_at_once_in_a_request, many_gen_params),
	KUNIT_CASE(requests_of_many_messages_do_not_mix),
	KUNIT_CASE(request_ends_with_the_message_that_fails),
	KUNIT_CASE(interrupt_for_nothing_completes_nothing),
	KUNIT_CASE_PARAM(hypercall_error_is_told_and_the_next_message_goes_out, error_gen_params),
	KUNIT_CASE(queue_is_emptied_in_order),
	KUNIT_CASE_PARAM(receiving_ends_when_there_is, recv_gen_params),
	KUNIT_CASE(what_was_there_before_is_received),
	KUNIT_CASE(queues_that_are_none_are_refused),
	KUNIT_CASE(controller_without_its_driver_is_put_off),
	KUNIT_CASE(bind_without_an_interrupt_undoes_what_it_did),
	KUNIT_CASE(there_is_one_client_at_a_time),
	KUNIT_CASE(removal_completes_nothing_any_more),
	KUNIT_CASE(mailboxes_do_not_meddle_with_each_other),
	{}
};

static struct kunit_suite msgq_suite = {
	.name = "gunyah_msgq",
	.test_cases = msgq_cases,
};

kunit_test_suite(msgq_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Tests of the Gunyah message queue mailbox");

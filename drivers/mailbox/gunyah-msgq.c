// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah message queues as a mailbox
 *
 * A Gunyah message queue carries messages one way. Two of them, one to send and
 * one to receive, make a mailbox controller with one channel.
 *
 * Sending. The hypervisor copies the message during the hypercall and says
 * whether there is space for another. As long as there is, the messages of a
 * request follow each other at once. After the last the request is done; as the
 * mailbox core calls send_data() under the channel's lock, which
 * mbox_chan_txdone() takes too, an irq_work tells the core. If there is no space,
 * the queue's interrupt tells when there is. That interrupt is an edge, raised by
 * the step from full to not full. So a request takes one hypercall for each of its
 * messages, and one that only finds the queue full if others had filled it before.
 *
 * Receiving. The interrupt is an edge, raised by the step from empty to not
 * empty (or by a push), so the queue is emptied each time.
 *
 * The mailbox core pins the module whose driver is bound to the controller's
 * device for as long as a channel is in use. Were that device the client's own,
 * the client's module would pin itself and could never be unloaded, so each
 * controller has a device of its own, bound to a driver in this module.
 */

#include <linux/container_of.h>
#include <linux/gunyah.h>
#include <linux/interrupt.h>
#include <linux/mailbox_client.h>
#include <linux/mailbox_controller.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#define GH_MSGQ_TX_WAITING	0

/* More empty messages in a row than a queue of the resource manager holds */
#define GH_MSGQ_MAX_EMPTY	8

static inline struct gh_msgq *mbox_chan_to_msgq(struct mbox_chan *chan)
{
	return container_of(chan, struct gh_msgq, chan);
}

static enum gh_error gh_msgq_hyp_send(struct gh_msgq *msgq, struct gh_msgq_tx_data *msg,
				      bool *ready)
{
	u64 flags = msg->push ? GH_HYPERCALL_MSGQ_TX_FLAGS_PUSH : 0;

#if IS_ENABLED(CONFIG_GUNYAH_KUNIT_TEST)
	if (msgq->hypercalls)
		return msgq->hypercalls->send(msgq, msgq->tx.capid, msg->length, msg->data, flags,
					      ready);
#endif
	return gh_hypercall_msgq_send(msgq->tx.capid, msg->length, msg->data, flags, ready);
}

static enum gh_error gh_msgq_hyp_recv(struct gh_msgq *msgq, struct gh_msgq_rx_data *msg,
				      bool *ready)
{
#if IS_ENABLED(CONFIG_GUNYAH_KUNIT_TEST)
	if (msgq->hypercalls)
		return msgq->hypercalls->recv(msgq, msgq->rx.capid, msg->data, sizeof(msg->data),
					      &msg->length, ready);
#endif
	return gh_hypercall_msgq_recv(msgq->rx.capid, msg->data, sizeof(msg->data), &msg->length,
				      ready);
}

static irqreturn_t gh_msgq_rx_irq_thread(int irq, void *data)
{
	struct gh_msgq *msgq = data;
	unsigned int empty = 0;
	enum gh_error err;
	bool ready;

	do {
		err = gh_msgq_hyp_recv(msgq, &msgq->rx_data, &ready);
		if (err != GH_ERROR_OK) {
			if (err != GH_ERROR_MSGQUEUE_EMPTY)
				dev_warn_ratelimited(msgq->mbox.dev,
						     "receiving failed: hypervisor error %d\n",
						     err);
			break;
		}

		/*
		 * Length 0 is an empty message, or how the hypervisor reports
		 * that it could not write to the buffer. The message is still
		 * there in that case: do not spin on it.
		 */
		if (!msgq->rx_data.length) {
			if (++empty > GH_MSGQ_MAX_EMPTY)
				break;
			continue;
		}

		empty = 0;
		mbox_chan_received_data(&msgq->chan, &msgq->rx_data);
		cond_resched();
	} while (ready);

	return IRQ_HANDLED;
}

static irqreturn_t gh_msgq_tx_irq(int irq, void *data)
{
	struct gh_msgq *msgq = data;

	/*
	 * With a message that was accepted this completes it, with one that was
	 * not it makes the core submit it again. Clear under the same rule that
	 * gh_msgq_send_data() sets: whoever clears the bit owns the completion.
	 */
	if (test_and_clear_bit(GH_MSGQ_TX_WAITING, &msgq->tx_waiting))
		mbox_chan_txdone(&msgq->chan, 0);

	return IRQ_HANDLED;
}

static void gh_msgq_txdone_work(struct irq_work *work)
{
	struct gh_msgq *msgq = container_of(work, struct gh_msgq, txdone_work);

	mbox_chan_txdone(&msgq->chan, msgq->txdone_err);
}

/* Called under the channel's lock, so there is one of these at a time. */
static int gh_msgq_send_data(struct mbox_chan *chan, void *data)
{
	struct gh_msgq *msgq = mbox_chan_to_msgq(chan);
	struct gh_msgq_tx_data *msg = data;
	enum gh_error err;
	bool ready;

	/*
	 * Set before the hypercalls: the interrupt that follows a full queue may
	 * be taken by another CPU before the hypercall has returned here. Its
	 * handler then waits for the channel's lock, and completes or resubmits.
	 */
	set_bit(GH_MSGQ_TX_WAITING, &msgq->tx_waiting);

	do {
		/* The hypervisor drops a message that is too long without a word. */
		if (msg->length > GH_MSGQ_MAX_MSG_SIZE) {
			msgq->txdone_err = -E2BIG;
			goto done;
		}

		err = gh_msgq_hyp_send(msgq, msg, &ready);
		/* The core keeps the request and submits it again, from this message on. */
		if (err == GH_ERROR_MSGQUEUE_FULL)
			return -EAGAIN;

		msgq->txdone_err = gh_error_remap(err);
		if (err != GH_ERROR_OK)
			goto done;

		if (!msg->next || !msg->next(msg)) {
			/* The interrupt completes it. */
			if (!ready)
				return 0;
			goto done;
		}
	} while (ready);

	return -EAGAIN;

done:
	/*
	 * Done, well or not. The core keeps a message whose send_data() failed
	 * at the head of the channel and tells nobody, so an error is reported
	 * by completing the message with it.
	 */
	if (test_and_clear_bit(GH_MSGQ_TX_WAITING, &msgq->tx_waiting))
		irq_work_queue(&msgq->txdone_work);

	return 0;
}

static int gh_msgq_startup(struct mbox_chan *chan)
{
	struct gh_msgq *msgq = mbox_chan_to_msgq(chan);
	struct device *dev = msgq->mbox.dev;
	int ret;

	/* If this fails the mailbox core shuts the channel down all the same. */
	msgq->tx_requested = false;
	msgq->rx_requested = false;

	ret = request_irq(msgq->tx.irq, gh_msgq_tx_irq, 0, "gh_msgq_tx", msgq);
	if (ret) {
		dev_err(dev, "no transmit interrupt: %d\n", ret);
		return ret;
	}
	msgq->tx_requested = true;

	ret = request_threaded_irq(msgq->rx.irq, NULL, gh_msgq_rx_irq_thread, IRQF_ONESHOT,
				   "gh_msgq_rx", msgq);
	if (ret) {
		dev_err(dev, "no receive interrupt: %d\n", ret);
		return ret;
	}
	msgq->rx_requested = true;

	/* What was there before has had its edge already. */
	irq_wake_thread(msgq->rx.irq, msgq);

	return 0;
}

static void gh_msgq_shutdown(struct mbox_chan *chan)
{
	struct gh_msgq *msgq = mbox_chan_to_msgq(chan);

	if (msgq->rx_requested)
		free_irq(msgq->rx.irq, msgq);
	if (msgq->tx_requested)
		free_irq(msgq->tx.irq, msgq);
	irq_work_sync(&msgq->txdone_work);
}

static const struct mbox_chan_ops gh_msgq_ops = {
	.send_data = gh_msgq_send_data,
	.startup = gh_msgq_startup,
	.shutdown = gh_msgq_shutdown,
};

static struct platform_driver gh_msgq_driver = {
	.driver = {
		.name = "gunyah-msgq",
		/* The mailbox core relies on the binding while a channel is in use. */
		.suppress_bind_attrs = true,
	},
};

/**
 * gh_msgq_init() - Make a mailbox of two message queues
 * @parent: device that the queues belong to
 * @msgq: initialised; must stay until gh_msgq_remove()
 * @tx: queue to send to
 * @rx: queue to receive from
 *
 * Interrupts are requested when a client binds to @msgq->chan.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL if a queue is of the wrong type or has no interrupt;
 * -EPROBE_DEFER if the controller's device found no driver; -ENOMEM.
 */
int gh_msgq_init(struct device *parent, struct gh_msgq *msgq,
		 const struct gunyah_resource *tx, const struct gunyah_resource *rx)
{
	struct platform_device *pdev;
	int ret;

	if (tx->type != GUNYAH_RESOURCE_TYPE_MSGQ_TX || rx->type != GUNYAH_RESOURCE_TYPE_MSGQ_RX ||
	    tx->irq <= 0 || rx->irq <= 0)
		return -EINVAL;

	pdev = platform_device_register_data(parent, gh_msgq_driver.driver.name,
					     PLATFORM_DEVID_AUTO, NULL, 0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);

	if (!device_is_bound(&pdev->dev)) {
		ret = -EPROBE_DEFER;
		goto err_unregister;
	}

	msgq->pdev = pdev;
	msgq->tx = *tx;
	msgq->rx = *rx;
	msgq->tx_waiting = 0;
	msgq->txdone_work = IRQ_WORK_INIT(gh_msgq_txdone_work);

	msgq->mbox.dev = &pdev->dev;
	msgq->mbox.ops = &gh_msgq_ops;
	msgq->mbox.chans = &msgq->chan;
	msgq->mbox.num_chans = 1;
	msgq->mbox.txdone_irq = true;

	ret = mbox_controller_register(&msgq->mbox);
	if (ret)
		goto err_unregister;

	return 0;

err_unregister:
	platform_device_unregister(pdev);
	return ret;
}
EXPORT_SYMBOL_GPL(gh_msgq_init);

/**
 * gh_msgq_remove() - Undo gh_msgq_init()
 * @msgq: what gh_msgq_init() initialised
 *
 * Frees the channel if a client is still bound to it.
 *
 * Context: Process context. May sleep.
 */
void gh_msgq_remove(struct gh_msgq *msgq)
{
	mbox_controller_unregister(&msgq->mbox);
	platform_device_unregister(msgq->pdev);
}
EXPORT_SYMBOL_GPL(gh_msgq_remove);

module_platform_driver(gh_msgq_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gunyah message queue mailbox");

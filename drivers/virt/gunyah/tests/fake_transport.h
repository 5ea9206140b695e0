/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __GH_FAKE_TRANSPORT_H
#define __GH_FAKE_TRANSPORT_H

#include <linux/completion.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "../rsc_mgr.h"

/*
 * A transport with somebody at its other end, for tests of the call engine and of
 * all that is above it.
 *
 * A work takes the packets of the message that the driver sends: as with the
 * real transport, what comes up comes from another context than the test's. The
 * peer knows the wire format by its own code, not by rsc_mgr_msg.c.
 */

struct kunit;
struct task_struct;

/* Every wait is for an event. This is for the event that does not come. */
#define FAKE_PATIENCE		(10 * HZ)

/* Deadline of a call that is to miss it, and of one that is not, in ms */
#define FAKE_TIMEOUT_SHORT	10
#define FAKE_TIMEOUT_LONG	20000

#define FAKE_PACKET		240
#define FAKE_PAYLOAD		232
#define FAKE_MESSAGE		(63 * FAKE_PAYLOAD)

enum { FAKE_CONTINUATION, FAKE_REQUEST, FAKE_REPLY, FAKE_NOTIFICATION };

/**
 * struct fake_msg - A request that the peer has received
 * @seq: its sequence number
 * @id: its message id
 * @packets: in how many packets it came
 * @len: length of @data in bytes
 * @data: its payload
 */
struct fake_msg {
	u16 seq;
	u32 id;
	unsigned int packets;
	size_t len;
	u8 data[FAKE_MESSAGE];
};

/**
 * struct fake_packet - A packet that the driver has sent
 * @length: length of @data in bytes
 * @push: the flag that it was sent with
 * @data: the packet
 */
struct fake_packet {
	size_t length;
	bool push;
	u8 data[FAKE_PACKET];
};

/**
 * struct fake_transport - The transport, the driver above it and the peer below it
 * @test: the test
 * @dev: the resource manager's device
 * @rm: the driver's call engine
 * @request: what the peer does about a request. Called from the peer's work, or
 *           by send() if @prompt. Without one a request is answered with OK.
 * @packet: if set, gets the packets instead of @request
 * @priv: for the test
 * @prompt: packets are taken as they are sent, in the sender's context
 * @timeout_once: the deadline that is set is for the next call, those after it have
 *                FAKE_TIMEOUT_LONG
 * @fail_send: send() refuses this message, counted from 1
 * @fail_sent: this packet is reported as not sent, counted from 1
 * @fail_err: with which error
 * @lock: guards what follows
 * @hold: the peer takes no packets
 * @hold_at: from this one on, counted from 1
 * @message: the message that the driver has sent, as long as it is not done
 * @accepted: messages accepted so far
 * @taken: packets taken so far
 * @requests: complete requests received so far
 * @wq: for @work and nothing else
 * @work: takes packets
 * @partial: a request has begun
 * @gap: a packet was not sent; what continues its request is ignored
 * @fragments: packets that it has
 * @req: the request
 */
struct fake_transport {
	struct kunit *test;
	struct device *dev;
	struct gh_rm *rm;
	void (*request)(struct fake_transport *ft, const struct fake_msg *req);
	void (*packet)(struct fake_transport *ft, const struct fake_packet *packet);
	void *priv;
	bool prompt;
	bool timeout_once;
	unsigned int fail_send;
	unsigned int fail_sent;
	int fail_err;

	spinlock_t lock;		/* see above */
	bool hold;
	unsigned int hold_at;
	struct gh_msgq_tx_data *message;
	unsigned int accepted;
	unsigned int taken;
	unsigned int requests;

	struct workqueue_struct *wq;
	struct work_struct work;

	bool partial;
	bool gap;
	unsigned int fragments;
	struct fake_msg req;
};

/* Ends with the test. */
struct fake_transport *fake_transport_create(struct kunit *test);

/* Wait until the peer has dealt with all that was sent. */
void fake_transport_flush(struct fake_transport *ft);
/* Let the packets go that are held, or hold those that follow. */
void fake_transport_hold(struct fake_transport *ft, bool hold);

/* What the peer sends. From a packet's header on all is up to the caller. */
void fake_packet(struct fake_transport *ft, u8 api, u8 type, u8 fragments, u16 seq, u32 id,
		 const void *payload, size_t len);
/* One packet of a message, and all of it */
void fake_send_part(struct fake_transport *ft, u8 type, u16 seq, u32 id, const void *payload,
		    size_t len, unsigned int index);
void fake_send(struct fake_transport *ft, u8 type, u16 seq, u32 id, const void *payload,
	       size_t len);
void fake_reply(struct fake_transport *ft, const struct fake_msg *req, u32 error,
		const void *payload, size_t len);

/*
 * Another thread than the test's. Ended when the test ends, whatever becomes of that.
 */

/**
 * struct fake_thread - A thread
 * @test: the test
 * @fn: what it does
 * @data: for @fn
 * @ret: what @fn returned
 * @done: completed then
 * @task: the thread
 */
struct fake_thread {
	struct kunit *test;
	int (*fn)(void *data);
	void *data;
	int ret;
	struct completion done;
	struct task_struct *task;
};

struct fake_thread *fake_thread_start(struct kunit *test, int (*fn)(void *data), void *data);
/* Waits until it sleeps, so that signals do not wake it, or has ended. True if it sleeps. */
bool fake_thread_sleeps(struct fake_thread *thread);
/* Waits until it has ended. Fails the test, and does not return, if it does not. */
int fake_thread_wait(struct fake_thread *thread);

/* A call made by such a thread, with the return value of gh_rm_call() */
struct fake_call {
	struct gh_rm *rm;
	struct gh_rm_call call;
	struct fake_thread *thread;
};

struct fake_call *fake_call_start(struct fake_transport *ft, const struct gh_rm_call *call);

/* Bytes of which none is like its neighbours, to tell what was moved */
u8 fake_byte(size_t i);
void fake_fill(void *buf, size_t len);

#endif /* __GH_FAKE_TRANSPORT_H */

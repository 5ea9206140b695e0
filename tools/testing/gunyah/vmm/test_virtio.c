// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of gh_virtio: a driver that keeps to the rules, and ones that do not.
 * They play the guest in the shared window, and wait for the device's interrupt.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "gh_virtio.h"
#include "test.h"

#define WINDOW		0x88000000ULL
#define WINDOW_SIZE	0x10000
#define QUEUE_SIZE	8
#define FEATURES_HIGH	(1 << (VIRTIO_F_VERSION_1 - 32) | 1 << (VIRTIO_F_ACCESS_PLATFORM - 32))
/* Longer than any answer takes, however busy the machine is */
#define LONG_MS		20000

enum { RECEIVE, TRANSMIT };

struct queue {
	struct vring_desc desc[QUEUE_SIZE];
	struct vring_desc behind;	/* would do if it were in the queue */
	uint16_t avail_flags, avail_idx, avail_ring[QUEUE_SIZE];

	_Alignas(4) uint16_t used_flags;
	uint16_t used_idx;
	struct vring_used_elem used_ring[QUEUE_SIZE];
} __attribute__((aligned(4096)));

/* Of exactly its size, so that the address sanitizer sees what is behind it */
struct window {
	struct queue queue[2];
	char text[WINDOW_SIZE - 2 * 4096];
};

_Static_assert(sizeof(struct window) == WINDOW_SIZE, "the window is full");

static struct gh_virtio dev;
static struct window *w;

static uint32_t in(unsigned int reg)
{
	return dev.mmio.read(&dev.mmio, reg, 4);
}

static void out(unsigned int reg, uint32_t value)
{
	dev.mmio.write(&dev.mmio, reg, 4, value);
}

static uint64_t gpa(const void *p)
{
	return WINDOW + ((const char *)p - (const char *)w);
}

/* Waits for the interrupt, acknowledges it. Returns its reason. */
static uint32_t interrupt(void)
{
	struct pollfd fd = { .fd = dev.irq, .events = POLLIN };
	eventfd_t count;
	uint32_t why;

	if (!CHECK(poll(&fd, 1, LONG_MS) == 1))
		return 0;
	eventfd_read(dev.irq, &count);
	why = in(VIRTIO_MMIO_INTERRUPT_STATUS);
	out(VIRTIO_MMIO_INTERRUPT_ACK, why);
	return why;
}

static void set_address(unsigned int low, uint64_t value)
{
	out(low, value);
	out(low + 4, value >> 32);
}

static void set_queue(int q, uint64_t desc, uint64_t avail, uint64_t used, uint32_t size)
{
	out(VIRTIO_MMIO_QUEUE_SEL, q);
	out(VIRTIO_MMIO_QUEUE_NUM, size);
	set_address(VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
	set_address(VIRTIO_MMIO_QUEUE_AVAIL_LOW, avail);
	set_address(VIRTIO_MMIO_QUEUE_USED_LOW, used);
	out(VIRTIO_MMIO_QUEUE_READY, 1);
}

static void negotiate(void)
{
	out(VIRTIO_MMIO_STATUS, 0);
	out(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	out(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	out(VIRTIO_MMIO_DRIVER_FEATURES, FEATURES_HIGH);
	out(VIRTIO_MMIO_STATUS, 11);
}

/* From reset to a device that works, as the driver does it */
static void begin(void)
{
	int q;

	if (!w) {
		w = aligned_alloc(4096, WINDOW_SIZE);
		CHECK_EQ(gh_virtio_init(&dev, 0x1000, eventfd(0, 0), WINDOW, w, WINDOW_SIZE), 0);
		CHECK_EQ(gh_virtio_serve(&dev), 0);
	}
	negotiate();
	memset(w, 0, sizeof(*w));
	for (q = 0; q < 2; q++) {
		w->queue[q].behind = (struct vring_desc){ gpa(w->text), 1, 0, 0 };
		set_queue(q, gpa(w->queue[q].desc), gpa(&w->queue[q].avail_flags),
			  gpa(&w->queue[q].used_flags), QUEUE_SIZE);
	}
	out(VIRTIO_MMIO_STATUS, 15);
	signals(dev.irq);
	shown(NULL);
}

static void kick(int q)
{
	eventfd_write(dev.kick[q], 1);
}

/* Offers the chain that starts with descriptor @head; the device has to be kicked */
static void offer(int q, uint16_t head)
{
	uint16_t idx = w->queue[q].avail_idx;

	w->queue[q].avail_ring[idx % QUEUE_SIZE] = head;
	__atomic_store_n(&w->queue[q].avail_idx, idx + 1, __ATOMIC_RELEASE);
}

static uint16_t used(int q)
{
	return __atomic_load_n(&w->queue[q].used_idx, __ATOMIC_ACQUIRE);
}

static void virtio_identity(void)
{
	begin();
	CHECK_EQ(in(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	CHECK_EQ(in(VIRTIO_MMIO_VERSION), 2);
	CHECK_EQ(in(VIRTIO_MMIO_DEVICE_ID), 3);
	out(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	CHECK_EQ(in(VIRTIO_MMIO_DEVICE_FEATURES), 0);
	out(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	CHECK_EQ(in(VIRTIO_MMIO_DEVICE_FEATURES), FEATURES_HIGH);
	out(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	CHECK_EQ(in(VIRTIO_MMIO_DEVICE_FEATURES), 0);
	out(VIRTIO_MMIO_QUEUE_SEL, 1);
	CHECK_EQ(in(VIRTIO_MMIO_QUEUE_NUM_MAX), GH_VIRTIO_QUEUE_SIZE);
	CHECK_EQ(in(VIRTIO_MMIO_QUEUE_READY), 1);
	out(VIRTIO_MMIO_QUEUE_SEL, 2);
	CHECK_EQ(in(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	CHECK_EQ(in(VIRTIO_MMIO_QUEUE_READY), 0);
}

/* The device can only reach the window, and says so */
static void virtio_features(void)
{
	begin();
	CHECK_EQ(in(VIRTIO_MMIO_STATUS), 15);
	out(VIRTIO_MMIO_STATUS, 0);
	CHECK_EQ(in(VIRTIO_MMIO_STATUS), 0);
	out(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	out(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	out(VIRTIO_MMIO_STATUS, 11);
	CHECK_EQ(in(VIRTIO_MMIO_STATUS), 3);
}

static void virtio_transmit(void)
{
	struct vring_used_elem *elem;
	int i;

	begin();
	snprintf(w->text, sizeof(w->text), "to be seen");
	w->queue[TRANSMIT].desc[3] = (struct vring_desc){ gpa(w->text), 6, VRING_DESC_F_NEXT, 5 };
	w->queue[TRANSMIT].desc[5] = (struct vring_desc){ gpa(w->text + 6), 4, 0, 0 };
	/* More often than there are places in the queue */
	for (i = 1; i <= 3 * QUEUE_SIZE; i++) {
		offer(TRANSMIT, 3);
		kick(TRANSMIT);
		CHECK_EQ(interrupt(), VIRTIO_MMIO_INT_VRING);
		CHECK_EQ(used(TRANSMIT), i);
		elem = &w->queue[TRANSMIT].used_ring[(i - 1) % QUEUE_SIZE];
		CHECK_EQ(elem->id, 3);
		elem->id = 0;
		CHECK(!strcmp(shown(NULL), "to be seen"));
	}
	CHECK_EQ(in(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

/* A driver that looks by itself does not want to be interrupted */
static void virtio_no_interrupt(void)
{
	begin();
	w->queue[TRANSMIT].desc[0] = (struct vring_desc){ gpa(w->text), 1, 0, 0 };
	w->queue[TRANSMIT].avail_flags = VRING_AVAIL_F_NO_INTERRUPT;
	offer(TRANSMIT, 0);
	kick(TRANSMIT);
	/* The next one tells that this one is over */
	w->queue[RECEIVE].desc[0] =
		(struct vring_desc){ gpa(w->text), 1, VRING_DESC_F_WRITE, 0 };
	offer(RECEIVE, 0);
	gh_input_put(&dev.input, 'x');
	kick(RECEIVE);
	CHECK_EQ(interrupt(), VIRTIO_MMIO_INT_VRING);
	CHECK_EQ(used(TRANSMIT), 1);
	CHECK_EQ(used(RECEIVE), 1);
	CHECK_EQ(signals(dev.irq), 0);
}

/* A queue that the driver has taken back is not looked at */
static void virtio_not_ready(void)
{
	begin();
	out(VIRTIO_MMIO_QUEUE_SEL, TRANSMIT);
	out(VIRTIO_MMIO_QUEUE_READY, 0);
	w->queue[TRANSMIT].desc[0] = w->queue[TRANSMIT].behind;
	offer(TRANSMIT, 0);
	kick(TRANSMIT);
	w->queue[RECEIVE].desc[0] =
		(struct vring_desc){ gpa(w->text), 1, VRING_DESC_F_WRITE, 0 };
	offer(RECEIVE, 0);
	gh_input_put(&dev.input, 'x');
	kick(RECEIVE);
	CHECK_EQ(interrupt(), VIRTIO_MMIO_INT_VRING);
	CHECK_EQ(used(RECEIVE), 1);
	CHECK_EQ(used(TRANSMIT), 0);
}

static void virtio_receive(void)
{
	struct vring_used_elem *elem;
	const char *p;

	begin();
	w->queue[RECEIVE].desc[0] =
		(struct vring_desc){ gpa(w->text), 4, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1 };
	w->queue[RECEIVE].desc[1] =
		(struct vring_desc){ gpa(w->text + 4), 100, VRING_DESC_F_WRITE, 0 };
	w->queue[RECEIVE].desc[2] =
		(struct vring_desc){ gpa(w->text + 200), 100, VRING_DESC_F_WRITE, 0 };

	/* What was typed first waits for a buffer, later a buffer waits */
	for (p = "typed early"; *p; p++)
		gh_input_put(&dev.input, *p);
	dev.input.arrived(&dev.input);
	offer(RECEIVE, 0);
	kick(RECEIVE);
	CHECK_EQ(interrupt(), VIRTIO_MMIO_INT_VRING);
	elem = &w->queue[RECEIVE].used_ring[0];
	CHECK_EQ(elem->id, 0);
	CHECK_EQ(elem->len, 11);
	CHECK(!memcmp(w->text, "typed early", 12));

	offer(RECEIVE, 2);
	kick(RECEIVE);
	gh_input_put(&dev.input, 'z');
	dev.input.arrived(&dev.input);
	CHECK_EQ(interrupt(), VIRTIO_MMIO_INT_VRING);
	CHECK_EQ(used(RECEIVE), 2);
	CHECK_EQ(elem[1].id, 2);
	CHECK_EQ(elem[1].len, 1);
	CHECK_EQ(w->text[200], 'z');
	CHECK(!strcmp(shown(NULL), ""));
}

/* Descriptors that no driver may write */
static const struct {
	const char *what;
	uint16_t head;
	struct vring_desc desc;
} bad[] = {
	{ "before the window", 0, { WINDOW - 1, 1, 0, 0 } },
	{ "behind the window", 0, { WINDOW + WINDOW_SIZE, 1, 0, 0 } },
	{ "over its end", 0, { WINDOW + WINDOW_SIZE - 1, 2, 0, 0 } },
	{ "larger than it", 0, { WINDOW, WINDOW_SIZE + 1, 0, 0 } },
	{ "of 4 GiB", 0, { WINDOW, ~0U, 0, 0 } },
	{ "round the end of addresses", 0, { ~0ULL, 2, 0, 0 } },
	{ "no such descriptor", QUEUE_SIZE, { } },
	{ "no such next one", 0, { WINDOW, 1, VRING_DESC_F_NEXT, QUEUE_SIZE } },
	{ "a circle", 0, { WINDOW, 1, VRING_DESC_F_NEXT, 0 } },
	{ "to be written to", 0, { WINDOW, 1, VRING_DESC_F_WRITE, 0 } },
	{ "indirect", 0, { WINDOW, 16, VRING_DESC_F_INDIRECT, 0 } },
};

/* It breaks the device, which a reset repairs, and nothing else */
static void virtio_bad_descriptors(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		begin();
		w->queue[TRANSMIT].desc[0] = bad[i].desc;
		offer(TRANSMIT, bad[i].head);
		kick(TRANSMIT);
		if (!CHECK(interrupt() == VIRTIO_MMIO_INT_CONFIG &&
			   in(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET &&
			   !used(TRANSMIT) && !*shown(NULL)))
			printf("#   descriptor: %s\n", bad[i].what);
	}
	/* More than the queue has places for */
	begin();
	w->queue[TRANSMIT].desc[0] = w->queue[TRANSMIT].behind;
	w->queue[TRANSMIT].avail_idx = QUEUE_SIZE + 1;
	kick(TRANSMIT);
	CHECK_EQ(interrupt(), VIRTIO_MMIO_INT_CONFIG);

	begin();
	w->queue[RECEIVE].desc[0] = (struct vring_desc){ WINDOW, 1, 0, 0 };
	offer(RECEIVE, 0);
	gh_input_put(&dev.input, 'x');
	kick(RECEIVE);
	CHECK_EQ(interrupt(), VIRTIO_MMIO_INT_CONFIG);

	/* Works again, and what was typed is not lost */
	begin();
	w->queue[RECEIVE].desc[0] =
		(struct vring_desc){ gpa(w->text), 8, VRING_DESC_F_WRITE, 0 };
	offer(RECEIVE, 0);
	kick(RECEIVE);
	CHECK_EQ(interrupt(), VIRTIO_MMIO_INT_VRING);
	CHECK_EQ(w->text[0], 'x');
}

/* Queues that are not in the window, or not aligned, or of no size that there is */
static const struct {
	uint64_t desc, avail, used;
	uint32_t size;
} bad_queues[] = {
	{ WINDOW - 16, WINDOW, WINDOW, 8 },
	{ WINDOW + WINDOW_SIZE - 16, WINDOW, WINDOW, 8 },
	{ WINDOW, WINDOW + WINDOW_SIZE - 4, WINDOW, 8 },
	{ WINDOW, WINDOW, WINDOW + WINDOW_SIZE - 8, 8 },
	{ WINDOW + 8, WINDOW, WINDOW, 8 },
	{ WINDOW, WINDOW + 1, WINDOW, 8 },
	{ WINDOW, WINDOW, WINDOW + 2, 8 },
	{ WINDOW, WINDOW, WINDOW, 0 },
	{ WINDOW, WINDOW, WINDOW, 7 },
	{ WINDOW, WINDOW, WINDOW, 2 * GH_VIRTIO_QUEUE_SIZE },
	{ ~0ULL << 4, WINDOW, WINDOW, 8 },
};

static void virtio_bad_queues(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad_queues); i++) {
		begin();
		negotiate();
		set_queue(TRANSMIT, bad_queues[i].desc, bad_queues[i].avail, bad_queues[i].used,
			  bad_queues[i].size);
		if (!CHECK(!in(VIRTIO_MMIO_QUEUE_READY) &&
			   in(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET))
			printf("#   queue %zu\n", i);
		/* And is not looked at */
		out(VIRTIO_MMIO_STATUS, 15);
		kick(TRANSMIT);
	}
	/* One that is in use does not move */
	begin();
	out(VIRTIO_MMIO_QUEUE_SEL, TRANSMIT);
	set_address(VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	w->queue[TRANSMIT].desc[0] = (struct vring_desc){ gpa(w->text), 1, 0, 0 };
	offer(TRANSMIT, 0);
	kick(TRANSMIT);
	CHECK_EQ(interrupt(), VIRTIO_MMIO_INT_VRING);
	CHECK_EQ(used(TRANSMIT), 1);
}

void virtio_tests(void)
{
	RUN(virtio_identity);
	RUN(virtio_features);
	RUN(virtio_transmit);
	RUN(virtio_no_interrupt);
	RUN(virtio_not_ready);
	RUN(virtio_receive);
	RUN(virtio_bad_descriptors);
	RUN(virtio_bad_queues);
}

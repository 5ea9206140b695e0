// SPDX-License-Identifier: GPL-2.0-only
/* The virtio device: see gh_virtio.h */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "gh_term.h"
#include "gh_virtio.h"

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define MAGIC		0x74726976	/* "virt" */
#define VENDOR		0x4e594e47	/* "GNYN": of no meaning to anybody */
#define FEATURES	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_ACCESS_PLATFORM)

enum { RECEIVE, TRANSMIT };

/* One request: buffers of the window that the device reads, or writes to */
struct chain {
	uint16_t head;
	unsigned int n;
	struct iovec parts[GH_VIRTIO_QUEUE_SIZE];
};

/* Where the guest's @size bytes at @addr are; NULL if not in the window */
static void *in_window(const struct gh_virtio *dev, uint64_t addr, uint64_t size)
{
	if (addr < dev->window || size > dev->window_size ||
	    addr - dev->window > dev->window_size - size)
		return NULL;
	return dev->mem + (addr - dev->window);
}

static void interrupt(struct gh_virtio *dev, uint32_t why)
{
	dev->isr |= why;
	eventfd_write(dev->irq, 1);
}

/* The guest broke the rules: it has to reset the device */
static void broken(struct gh_virtio *dev)
{
	if (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}

static bool usable(const struct gh_virtio *dev, const struct gh_virtio_queue *q)
{
	return q->ready && dev->status & VIRTIO_CONFIG_S_DRIVER_OK &&
	       !(dev->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* The parts of a queue; gh_virtio_queue.ready says that they are in the window */
static struct vring_desc *desc_of(const struct gh_virtio *dev, const struct gh_virtio_queue *q)
{
	return in_window(dev, q->desc, q->size * sizeof(struct vring_desc));
}

static struct vring_avail *avail_of(const struct gh_virtio *dev, const struct gh_virtio_queue *q)
{
	return in_window(dev, q->avail, sizeof(struct vring_avail) + q->size * sizeof(uint16_t));
}

static struct vring_used *used_of(const struct gh_virtio *dev, const struct gh_virtio_queue *q)
{
	return in_window(dev, q->used, sizeof(struct vring_used) +
				       q->size * sizeof(struct vring_used_elem));
}

/*
 * Takes the next request, of buffers that the device writes to or of ones that it
 * reads. Returns false if there is none, or none that can be served.
 */
static bool take(struct gh_virtio *dev, struct gh_virtio_queue *q, bool writes,
		 struct chain *chain)
{
	const struct vring_avail *avail = avail_of(dev, q);
	const struct vring_desc *table = desc_of(dev, q);
	uint16_t index = le16toh(__atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE));
	uint16_t next, flags;
	struct iovec *part;
	uint64_t addr;
	uint32_t len;

	if (index == q->taken)
		return false;
	if ((uint16_t)(index - q->taken) > q->size)
		goto err_broken;

	next = le16toh(avail->ring[q->taken % q->size]);
	chain->head = next;
	for (chain->n = 0; chain->n < q->size; chain->n++) {
		if (next >= q->size)
			goto err_broken;
		/* Each word once: the guest can change it meanwhile */
		addr = le64toh(__atomic_load_n(&table[next].addr, __ATOMIC_RELAXED));
		len = le32toh(__atomic_load_n(&table[next].len, __ATOMIC_RELAXED));
		flags = le16toh(__atomic_load_n(&table[next].flags, __ATOMIC_RELAXED));
		next = le16toh(__atomic_load_n(&table[next].next, __ATOMIC_RELAXED));

		part = &chain->parts[chain->n];
		part->iov_base = in_window(dev, addr, len);
		part->iov_len = len;
		if (!part->iov_base || flags & VRING_DESC_F_INDIRECT ||
		    !(flags & VRING_DESC_F_WRITE) == writes)
			goto err_broken;
		if (!(flags & VRING_DESC_F_NEXT)) {
			chain->n++;
			q->taken++;
			return true;
		}
	}

err_broken:
	broken(dev);
	return false;
}

static void give_back(struct gh_virtio *dev, struct gh_virtio_queue *q, const struct chain *chain,
		      uint32_t written)
{
	struct vring_used *used = used_of(dev, q);
	struct vring_used_elem *elem = &used->ring[q->given % q->size];

	elem->id = htole32(chain->head);
	elem->len = htole32(written);
	__atomic_store_n(&used->idx, htole16(++q->given), __ATOMIC_RELEASE);
}

/* The guest may have said that it looks by itself */
static void tell(struct gh_virtio *dev, struct gh_virtio_queue *q)
{
	const struct vring_avail *avail = avail_of(dev, q);

	/* What was given back is to be seen before the flag is looked at */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(le16toh(__atomic_load_n(&avail->flags, __ATOMIC_RELAXED)) &
	      VRING_AVAIL_F_NO_INTERRUPT))
		interrupt(dev, VIRTIO_MMIO_INT_VRING);
}

static void transmit(struct gh_virtio *dev)
{
	struct gh_virtio_queue *q = &dev->queues[TRANSMIT];
	struct chain chain;
	bool any = false;
	unsigned int i;

	while (usable(dev, q) && take(dev, q, false, &chain)) {
		for (i = 0; i < chain.n; i++)
			gh_term_write(chain.parts[i].iov_base, chain.parts[i].iov_len);
		give_back(dev, q, &chain, 0);
		any = true;
	}
	if (any)
		tell(dev, q);
}

static void receive(struct gh_virtio *dev)
{
	struct gh_virtio_queue *q = &dev->queues[RECEIVE];
	struct chain chain;
	bool any = false;
	unsigned int i;
	uint32_t n;

	while (usable(dev, q) && gh_input_level(&dev->input) && take(dev, q, true, &chain)) {
		for (i = n = 0; i < chain.n; i++)
			n += gh_input_take(&dev->input, chain.parts[i].iov_base,
					   chain.parts[i].iov_len);
		give_back(dev, q, &chain, n);
		any = true;
	}
	if (any)
		tell(dev, q);
}

static void *serve(void *arg)
{
	struct gh_virtio *dev = arg;
	struct pollfd fds[] = {
		{ .fd = dev->kick[RECEIVE], .events = POLLIN },
		{ .fd = dev->kick[TRANSMIT], .events = POLLIN },
		{ .fd = dev->arrived, .events = POLLIN },
	};
	eventfd_t count;
	size_t i;

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		for (i = 0; i < ARRAY_SIZE(fds); i++) {
			if (fds[i].revents)
				eventfd_read(fds[i].fd, &count);
		}
		pthread_mutex_lock(&dev->lock);
		transmit(dev);
		receive(dev);
		pthread_mutex_unlock(&dev->lock);
	}
	return NULL;
}

static void reset(struct gh_virtio *dev)
{
	dev->status = 0;
	dev->isr = 0;
	dev->features = 0;
	dev->queue_sel = 0;
	memset(dev->queues, 0, sizeof(dev->queues));
}

static uint32_t read_reg(struct gh_virtio *dev, uint64_t reg)
{
	static struct gh_virtio_queue none;
	struct gh_virtio_queue *q =
		dev->queue_sel < GH_VIRTIO_QUEUES ? &dev->queues[dev->queue_sel] : &none;

	switch (reg) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return VIRTIO_ID_CONSOLE;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return dev->device_sel < 2 ? FEATURES >> 32 * dev->device_sel : 0;
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return q == &none ? 0 : GH_VIRTIO_QUEUE_SIZE;
	case VIRTIO_MMIO_QUEUE_READY:
		return q->ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return dev->isr;
	case VIRTIO_MMIO_STATUS:
		return dev->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
		/* There is no such region */
		return ~0U;
	}
	return 0;
}

static void set_ready(struct gh_virtio *dev, struct gh_virtio_queue *q, bool ready)
{
	uint64_t align = (q->desc & 15) | (q->avail & 1) | (q->used & 3);

	q->ready = false;
	if (!ready)
		return;
	if (!q->size || align || !desc_of(dev, q) || !avail_of(dev, q) || !used_of(dev, q)) {
		broken(dev);
		return;
	}
	q->ready = true;
	q->taken = 0;
	q->given = 0;
}

static void set_status(struct gh_virtio *dev, uint32_t status)
{
	if (!status) {
		reset(dev);
		return;
	}
	/* A driver that does not know where its memory is cannot be served */
	if (dev->features != FEATURES)
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	dev->status = status | (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void set_low(uint64_t *addr, uint32_t value)
{
	*addr = (*addr & ~0xffffffffULL) | value;
}

static void set_high(uint64_t *addr, uint32_t value)
{
	*addr = (*addr & 0xffffffffULL) | (uint64_t)value << 32;
}

/* A queue that is in use stays as it is */
static void write_queue(struct gh_virtio *dev, uint64_t reg, uint32_t value)
{
	struct gh_virtio_queue *q = &dev->queues[dev->queue_sel];

	if (reg == VIRTIO_MMIO_QUEUE_READY)
		set_ready(dev, q, value);
	if (q->ready)
		return;
	switch (reg) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = value && value <= GH_VIRTIO_QUEUE_SIZE && !(value & (value - 1)) ?
			  value : 0;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&q->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&q->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&q->avail, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&q->avail, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&q->used, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&q->used, value);
		break;
	}
}

static void write_reg(struct gh_virtio *dev, uint64_t reg, uint32_t value)
{
	switch (reg) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->device_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->driver_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (dev->status & VIRTIO_CONFIG_S_FEATURES_OK)
			break;
		if (dev->driver_sel == 0)
			set_low(&dev->features, value);
		else if (dev->driver_sel == 1)
			set_high(&dev->features, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_sel = value;
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		dev->isr &= ~value;
		break;
	case VIRTIO_MMIO_STATUS:
		set_status(dev, value);
		break;
	default:
		if (dev->queue_sel < GH_VIRTIO_QUEUES)
			write_queue(dev, reg, value);
	}
}

static uint64_t virtio_read(struct gh_mmio *mmio, uint64_t offset, uint32_t len)
{
	struct gh_virtio *dev = container_of(mmio, struct gh_virtio, mmio);
	uint32_t value;

	/* The device has no configuration space that it would have to offer */
	if (len != sizeof(value))
		return 0;
	pthread_mutex_lock(&dev->lock);
	value = read_reg(dev, offset);
	pthread_mutex_unlock(&dev->lock);
	return value;
}

static void virtio_write(struct gh_mmio *mmio, uint64_t offset, uint32_t len, uint64_t value)
{
	struct gh_virtio *dev = container_of(mmio, struct gh_virtio, mmio);

	if (len != sizeof(uint32_t))
		return;
	pthread_mutex_lock(&dev->lock);
	write_reg(dev, offset, value);
	pthread_mutex_unlock(&dev->lock);
}

static void virtio_arrived(struct gh_input *input)
{
	eventfd_write(container_of(input, struct gh_virtio, input)->arrived, 1);
}

int gh_virtio_init(struct gh_virtio *dev, uint64_t base, int irq, uint64_t window, void *mem,
		   uint64_t size)
{
	int i;

	memset(dev, 0, sizeof(*dev));
	dev->mmio = (struct gh_mmio){
		.base = base,
		.size = GH_VIRTIO_SIZE,
		.read = virtio_read,
		.write = virtio_write,
	};
	dev->irq = irq;
	dev->window = window;
	dev->window_size = size;
	dev->mem = mem;
	pthread_mutex_init(&dev->lock, NULL);
	gh_input_init(&dev->input, virtio_arrived);

	dev->arrived = eventfd(0, EFD_CLOEXEC);
	if (dev->arrived < 0)
		return -errno;
	for (i = 0; i < GH_VIRTIO_QUEUES; i++) {
		dev->kick[i] = eventfd(0, EFD_CLOEXEC);
		if (dev->kick[i] < 0)
			return -errno;
	}
	return 0;
}

int gh_virtio_serve(struct gh_virtio *dev)
{
	pthread_t thread;
	int err;

	err = pthread_create(&thread, NULL, serve, dev);
	if (!err)
		pthread_detach(thread);
	return -err;
}

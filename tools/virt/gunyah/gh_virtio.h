/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-mmio device (version 2): a console with one port, which shares the
 * terminal with the serial port.
 *
 * The VMM cannot read the guest's memory, only a window that both share. So the
 * device insists on VIRTIO_F_ACCESS_PLATFORM, and the guest copies what it sends
 * and receives through a restricted DMA pool in the window. Nothing that lies in
 * there is believed: what does not fit the window or the queue breaks the device
 * until the guest resets it, and concerns nobody else.
 */
#ifndef _GH_VIRTIO_H
#define _GH_VIRTIO_H

#include <stdbool.h>

#include "gh_input.h"
#include "gh_mmio.h"

#define GH_VIRTIO_SIZE		0x1000
#define GH_VIRTIO_QUEUES	2
#define GH_VIRTIO_QUEUE_SIZE	64

struct gh_virtio_queue {
	bool ready;
	uint32_t size;
	uint64_t desc, avail, used;	/* guest addresses */
	uint16_t taken, given;		/* what the indices of avail and used have to be */
};

struct gh_virtio {
	struct gh_mmio mmio;
	struct gh_input input;
	int irq;			/* eventfd: held until the guest takes it */
	int arrived;			/* eventfd: there is input */
	int kick[GH_VIRTIO_QUEUES];	/* eventfds: ioeventfds of QueueNotify */

	/* The window, at its guest address */
	uint64_t window;
	uint64_t window_size;
	uint8_t *mem;

	/* Protects what follows; taken before the lock of @input */
	pthread_mutex_t lock;
	uint32_t status, isr;
	uint32_t device_sel, driver_sel, queue_sel;
	uint64_t features;
	struct gh_virtio_queue queues[GH_VIRTIO_QUEUES];
};

/* @mem: @size bytes that the guest has at @window. Returns 0 or -errno. */
int gh_virtio_init(struct gh_virtio *dev, uint64_t base, int irq, uint64_t window, void *mem,
		   uint64_t size);
/* Starts the thread that serves the queues. Returns 0 or -errno. */
int gh_virtio_serve(struct gh_virtio *dev);

#endif /* _GH_VIRTIO_H */

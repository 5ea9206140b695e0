/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that the guest finds at an address: what the loops of the vCPUs
 * (gh_vcpu.c) need to know of the emulated ones.
 */
#ifndef _GH_MMIO_H
#define _GH_MMIO_H

#include <stdint.h>

/*
 * read and write are called by several threads at a time; @offset and @len stay
 * within the device.
 */
struct gh_mmio {
	uint64_t base;
	uint64_t size;
	uint64_t (*read)(struct gh_mmio *dev, uint64_t offset, uint32_t len);
	void (*write)(struct gh_mmio *dev, uint64_t offset, uint32_t len, uint64_t value);
};

#endif /* _GH_MMIO_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vCPUs of a guest that gh-vmm runs: one thread each, which serves what the
 * guest does at the addresses of emulated devices.
 */
#ifndef _GH_VCPU_H
#define _GH_VCPU_H

#include <pthread.h>

#include <linux/gunyah.h>

#include "gh_guest.h"
#include "gh_mmio.h"

struct gh_vcpu {
	int fd;
	struct gh_vcpu_run *run;
	size_t run_size;
	pthread_t thread;
	struct gh_vcpus *vcpus;
};

struct gh_vcpus {
	unsigned int n;
	struct gh_vcpu vcpu[GH_MAX_VCPUS];
	/* Devices, up to a NULL; do not change while vCPUs run */
	struct gh_mmio *const *devices;
	/* eventfd: becomes readable when a vCPU cannot go on, though the VM has not ended */
	int failed;
};

/* Adds @n vCPUs to @vm. Returns 0 or -errno. */
int gh_vcpus_add(struct gh_vcpus *vcpus, int vm, unsigned int n, struct gh_mmio *const *devices);
/* To be called after GH_VM_START. Returns 0 or -errno. */
int gh_vcpus_run(struct gh_vcpus *vcpus);
/* Interrupts the vCPUs that still run, waits for their threads, closes all */
void gh_vcpus_end(struct gh_vcpus *vcpus);

#endif /* _GH_VCPU_H */

// SPDX-License-Identifier: GPL-2.0-only
/* vCPUs: see gh_vcpu.h */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gh_vcpu.h"

#define KICK	SIGUSR1

/* Also from another thread than the one that runs the vCPU */
static bool stop_wanted(const struct gh_vcpu_run *run)
{
	return __atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED);
}

static struct gh_mmio *find(struct gh_mmio *const *devices, uint64_t addr, uint32_t len)
{
	for (; *devices; devices++) {
		struct gh_mmio *dev = *devices;

		if (addr >= dev->base && addr - dev->base < dev->size &&
		    len <= dev->size - (addr - dev->base))
			return dev;
	}
	return NULL;
}

/* Where there is no device, reads find all bits set and writes get lost */
static void serve(struct gh_vcpu *vcpu)
{
	struct gh_vcpu_run *run = vcpu->run;
	uint64_t addr = run->mmio.phys_addr, value = 0;
	uint32_t len = run->mmio.len;
	struct gh_mmio *dev = find(vcpu->vcpus->devices, addr, len);

	/* Both sides count in little endian, as does every host of this program */
	if (len > sizeof(run->mmio.data))
		return;
	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, len);
		if (dev)
			dev->write(dev, addr - dev->base, len, value);
	} else {
		value = dev ? dev->read(dev, addr - dev->base, len) : ~0ULL;
		memcpy(run->mmio.data, &value, len);
	}
}

static void *run_vcpu(void *arg)
{
	struct gh_vcpu *vcpu = arg;
	struct gh_vcpu_run *run = vcpu->run;

	for (;;) {
		if (ioctl(vcpu->fd, GH_VCPU_RUN)) {
			if (errno == EINTR && !stop_wanted(run))
				continue;
			if (errno != EINTR)
				fprintf(stderr, "gh-vmm: GH_VCPU_RUN: %s\n", strerror(errno));
			break;
		}
		if (run->exit_reason == GH_VCPU_EXIT_STATUS)
			return NULL;
		if (run->exit_reason != GH_VCPU_EXIT_MMIO) {
			fprintf(stderr, "gh-vmm: GH_VCPU_RUN: exit reason %" PRIu32
				" is not known\n", run->exit_reason);
			break;
		}
		serve(vcpu);
	}
	if (!stop_wanted(run))
		eventfd_write(vcpu->vcpus->failed, 1);
	return NULL;
}

static int add(struct gh_vcpu *vcpu, int vm, uint32_t id)
{
	int size;

	vcpu->fd = gh_add_vcpu(vm, id);
	if (vcpu->fd < 0)
		return vcpu->fd;
	size = ioctl(vcpu->fd, GH_VCPU_MMAP_SIZE);
	if (size < 0)
		return -errno;
	vcpu->run_size = size;
	vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	return vcpu->run == MAP_FAILED ? -errno : 0;
}

int gh_vcpus_add(struct gh_vcpus *vcpus, int vm, unsigned int n, struct gh_mmio *const *devices)
{
	unsigned int id;
	int err;

	memset(vcpus, 0, sizeof(*vcpus));
	vcpus->devices = devices;
	vcpus->failed = eventfd(0, EFD_CLOEXEC);
	if (vcpus->failed < 0)
		return -errno;
	for (id = 0; id < n; id++) {
		err = add(&vcpus->vcpu[id], vm, id);
		if (err)
			return err;
		vcpus->vcpu[id].vcpus = vcpus;
	}
	vcpus->n = n;
	return 0;
}

/* It is enough that the signal interrupts GH_VCPU_RUN */
static void kicked(int signo)
{
	(void)signo;
}

int gh_vcpus_run(struct gh_vcpus *vcpus)
{
	const struct sigaction action = { .sa_handler = kicked };
	unsigned int id;
	int err;

	sigaction(KICK, &action, NULL);
	for (id = 0; id < vcpus->n; id++) {
		err = pthread_create(&vcpus->vcpu[id].thread, NULL, run_vcpu, &vcpus->vcpu[id]);
		if (err)
			return -err;
	}
	return 0;
}

void gh_vcpus_end(struct gh_vcpus *vcpus)
{
	struct gh_vcpu *vcpu;

	/* One that is about to call GH_VCPU_RUN finds this, one that is in it the signal */
	for (vcpu = vcpus->vcpu; vcpu < vcpus->vcpu + vcpus->n; vcpu++) {
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		pthread_kill(vcpu->thread, KICK);
	}
	for (vcpu = vcpus->vcpu; vcpu < vcpus->vcpu + vcpus->n; vcpu++) {
		pthread_join(vcpu->thread, NULL);
		munmap(vcpu->run, vcpu->run_size);
		close(vcpu->fd);
	}
	close(vcpus->failed);
}

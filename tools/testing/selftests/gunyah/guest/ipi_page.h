/* SPDX-License-Identifier: GPL-2.0-only */
/* The test page of ipi.c. Each vCPU writes a cache line of its own. */
#ifndef _GUNYAH_IPI_PAGE_H
#define _GUNYAH_IPI_PAGE_H

#include <stdint.h>

#define IPI_MAX_CPUS		8

struct ipi_cpu {
	uint64_t rounds;	/* requests that were answered */
	uint64_t served;	/* requests of others' */
	uint64_t timers;	/* sleeps that the timer has ended */
	uint64_t error;		/* what came that nobody had sent, or of PSCI */
	uint64_t done;		/* asks for nothing more */
	uint64_t reserved[3];
};

struct ipi_page {
	/* Written by the test */
	uint64_t cpus;
	uint64_t stop;		/* end when this is not 0 */
	uint64_t reserved[6];
	/* Written by the guest */
	struct ipi_cpu cpu[IPI_MAX_CPUS];
};

#endif /* _GUNYAH_IPI_PAGE_H */

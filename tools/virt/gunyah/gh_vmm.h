/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of gh-vmm have in common: options, messages, and what is done
 * for every guest, whichever its kind. All of it in gh-vmm.c.
 */
#ifndef _GH_VMM_H
#define _GH_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gh_guest.h"

/* Exit status; --help explains them */
enum {
	STATUS_CLEAN,
	STATUS_ERROR,
	STATUS_USAGE,
	STATUS_RESET,
	STATUS_FAILED,
	STATUS_STOPPED,
	STATUS_SIGNAL = 128,
};

struct options {
	const char *image;
	const char *dtb;
	const char *cmdline;
	uint64_t memory;
	bool share;
	/* With --linux only */
	bool is_linux;
	unsigned int cpus;
	const char *initrd;
};

/* Both show a message and end gh-vmm */
void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...);
void __attribute__((format(printf, 1, 2), noreturn)) die_usage(const char *fmt, ...);

uint64_t page_size(void);
uint64_t round_up(uint64_t value, uint64_t to);

/* These end gh-vmm with a message that says why, if they fail */
void *read_file(const char *path, size_t *size);
void alloc(struct gh_mem *mem, const char *name, uint64_t size);
int open_gunyah(void);
int create_vm(int gunyah);
/* @need: bytes of all regions together */
void set_region(int vm, const char *what, uint32_t label, uint32_t flags, uint64_t gpa,
		const struct gh_mem *mem, uint64_t need);
/* A signal still ends gh-vmm in here, and the kernel gives back what the guest has */
void start(int vm, const struct options *options, uint64_t dtb, uint64_t dtb_space);
/* From here on signals that end gh-vmm are read from a file descriptor */
int open_signals(void);
/* Says how the guest ended; returns the exit status */
int report(int vm);

/* A guest that is Linux: runs it, returns the exit status */
int run_linux(const struct options *options);

#endif /* _GH_VMM_H */

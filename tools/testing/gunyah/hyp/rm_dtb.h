/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the resource manager reads from a guest's devicetree and adds to it.
 * Needs libfdt and nothing else, so that it is tested on the build machine.
 */
#ifndef _RM_DTB_H
#define _RM_DTB_H

#include <stdbool.h>
#include <stdint.h>

#define RM_DTB_MAX_SHM		16
/* An emulator may have one for each of 256 interrupts. */
#define RM_DTB_MAX_BELLS	288

struct rm_dtb_shm {
	uint32_t label;
	bool has_base;
	uint64_t base;
};

/* Between the guest and the host; the guest's capability i names doorbell i. */
struct rm_dtb_bell {
	uint32_t label;
	uint16_t intid;		/* the guest's interrupt, if it is not the source */
	uint8_t source : 1;	/* the guest sends */
	uint8_t edge : 1;	/* or level */
	uint8_t can_clear : 1;	/* the source may clear flags and set masks */
};

struct rm_dtb_config {
	uint64_t base;		/* guest address of the image memory, 2 MiB aligned */
	bool proxy;		/* vCPUs are scheduled by the host */
	bool has_rpc;
	uint32_t cpus;
	uint64_t gicd, gicr;	/* addresses; both 0 if the tree does not say */
	uint32_t shms;
	struct rm_dtb_shm shm[RM_DTB_MAX_SHM];
	uint32_t bells;
	struct rm_dtb_bell bell[RM_DTB_MAX_BELLS];
};

/* A range of guest memory as it ends up in /memory */
struct rm_dtb_memory {
	uint64_t addr;
	uint64_t size;
};

/* Returns an enum rm_error. @space: bytes that the tree may occupy */
uint32_t rm_dtb_parse(const void *fdt, uint64_t space, struct rm_dtb_config *config);
/* Edits the tree in place as VM_START does. Returns an enum rm_error. */
uint32_t rm_dtb_finish(void *fdt, uint64_t space, const struct rm_dtb_config *config,
		       const struct rm_dtb_memory *memory, uint32_t n_memory);

#endif /* _RM_DTB_H */

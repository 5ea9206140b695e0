/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every user of /dev/gunyah needs: memory for a guest, an image and a
 * devicetree in it, the ioctls, the console. gh-vmm and the selftests use it.
 *
 * Functions that return int return 0 or a value that is not negative, or
 * -errno. None prints anything.
 */
#ifndef _GH_GUEST_H
#define _GH_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/gunyah.h>

#include "gh_console.h"

/* The resource manager counts in 4 KiB pages, whatever the host's page size is */
#define GH_RM_PAGE		0x1000
#define GH_GUEST_BASE		0x80000000ULL
/* The resource manager places a guest's memory at a multiple of this */
#define GH_GUEST_ALIGN		0x200000ULL
#define GH_IMAGE_LABEL		0
/* Least room for a devicetree, see gh_dtb_space() */
#define GH_DTB_SPACE		0x10000

/* Memory that is both mapped here and good for a guest */
struct gh_mem {
	int fd;
	uint8_t *addr;
	size_t size;
};

int gh_mem_alloc(struct gh_mem *mem, const char *name, size_t size);
void gh_mem_free(struct gh_mem *mem);

/* Reads a whole file, *data is malloc()ed */
int gh_read_file(const char *path, void **data, size_t *size);
/*
 * Bytes that an image needs from its start: the length of the file, or more if
 * it is an arm64 Linux Image, whose header tells about memory behind the file.
 */
uint64_t gh_image_extent(const void *image, size_t size);

/* A vdevice of type "shm": memory that guest and host share at a fixed address */
struct gh_shm {
	uint32_t label;
	uint64_t base;
};

/* A vdevice of type "doorbell": an interrupt of the guest that an irqfd can raise */
struct gh_bell {
	uint32_t label;
	uint32_t spi;
	bool level;			/* else an edge */
};

/* Most vCPUs of a guest */
#define GH_MAX_VCPUS		8

struct gh_dtb_options {
	uint64_t base;			/* of the guest's memory */
	const char *cmdline;		/* may be NULL */
	unsigned int vcpus;		/* that the VMM runs; 0: see gh_dtb_build() */
	const struct gh_shm *shm;
	unsigned int n_shm;
	const struct gh_bell *bells;
	unsigned int n_bells;
};

/*
 * Builds the devicetree of a guest with @vcpus CPUs that the VMM runs by
 * GH_VCPU_RUN, or with one that the hypervisor schedules. -ENOSPC if @size bytes
 * do not suffice.
 */
int gh_dtb_build(void *dtb, size_t size, const struct gh_dtb_options *options);
/* Puts a copy of a valid devicetree to @dtb, with @cmdline in /chosen unless NULL */
int gh_dtb_copy(void *dtb, size_t size, const void *from, const char *cmdline);
/* For an error of libfdt: -ENOSPC or -EINVAL, or 0 */
int gh_fdt_errno(int err);
/* Is this a complete devicetree? */
bool gh_dtb_valid(const void *dtb, size_t size);
/* Guest address that the resource manager places the image at by this devicetree */
int gh_dtb_base(const void *dtb, uint64_t *base);
/*
 * Room to give to a devicetree of @size bytes. The resource manager adds to the
 * tree in place and needs twice its final size; what it adds depends on the
 * vdevices and does not depend on @size.
 */
uint64_t gh_dtb_space(uint64_t size);

/* The ioctls */
int gh_open(void);
int gh_create_vm(int gunyah);
int gh_set_region(int vm, uint32_t label, uint32_t flags, uint64_t gpa, uint64_t size,
		  const void *addr);
int gh_set_dtb(int vm, uint64_t gpa, uint64_t size);
int gh_start(int vm);
int gh_exit_info(int vm, struct gh_vm_exit_info *info);
/* Returns the vCPU's file descriptor */
int gh_add_vcpu(int vm, uint32_t id);
int gh_add_irqfd(int vm, int fd, uint32_t label, uint32_t flags);
int gh_add_ioeventfd(int vm, int fd, uint64_t addr, uint32_t len, uint32_t flags,
		     uint64_t datamatch);

/* How a guest ended, in words: "PSCI system off" */
const char *gh_exit_words(const struct gh_vm_exit_info *info);
/* The first 32-bit word of the reason, 0 if there is none */
uint32_t gh_exit_reason(const struct gh_vm_exit_info *info);

struct gh_console_reader {
	struct gh_console *console;
	uint32_t tail;
	bool broken;			/* the guest wrote an impossible head */
};

/* @mem: GH_CONSOLE_SIZE bytes or more, not yet seen by the guest */
void gh_console_init(struct gh_console_reader *reader, void *mem);
/* Takes up to @size bytes of what the guest wrote. Returns how many. */
size_t gh_console_read(struct gh_console_reader *reader, void *text, size_t size);

#endif /* _GH_GUEST_H */

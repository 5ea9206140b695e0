// SPDX-License-Identifier: GPL-2.0-only
/* The devicetree of a Linux guest: see gh_linux_dtb.h */
#include <inttypes.h>
#include <stdio.h>

#include <libfdt.h>

#include "gh_guest.h"
#include "gh_linux_dtb.h"
#include "gh_uart.h"
#include "gh_virtio.h"

/*
 * Level and edge, as other VMMs have it for the two kinds of devices. It makes no
 * difference here: both drivers look until nothing is left to do, and the line of
 * the one only stays up until the guest has taken the interrupt.
 */
static const struct gh_bell bells[] = {
	{ .label = GH_LINUX_UART_BELL, .spi = GH_LINUX_UART_BELL },
	{ .label = GH_LINUX_VIRTIO_BELL, .spi = GH_LINUX_VIRTIO_BELL, .level = true },
};

/* Keeps the first error, so that what follows reads like a list */
static void check(int *err, int ret)
{
	if (!*err && ret < 0)
		*err = ret;
}

static void append_range(void *dtb, int *err, int node, const char *name, uint64_t base,
			 uint64_t size)
{
	check(err, fdt_appendprop_u64(dtb, node, name, base));
	check(err, fdt_appendprop_u64(dtb, node, name, size));
}

static int add_node(void *dtb, int *err, int parent, const char *name)
{
	int node = fdt_add_subnode(dtb, parent, name);

	check(err, node);
	return node;
}

static int add_device(void *dtb, int *err, const char *kind, const char *compatible, uint64_t base,
		      uint64_t size, const struct gh_bell *bell)
{
	char name[32];
	int node;

	snprintf(name, sizeof(name), "%s@%" PRIx64, kind, base);
	node = add_node(dtb, err, 0, name);
	check(err, fdt_setprop_string(dtb, node, "compatible", compatible));
	append_range(dtb, err, node, "reg", base, size);
	check(err, fdt_appendprop_u32(dtb, node, "interrupts", 0));
	check(err, fdt_appendprop_u32(dtb, node, "interrupts", bell->spi));
	check(err, fdt_appendprop_u32(dtb, node, "interrupts", bell->level ? 4 : 1));
	return node;
}

static void add_chosen(void *dtb, int *err, const struct gh_linux_layout *layout)
{
	int node = fdt_path_offset(dtb, "/chosen");
	char stdout_path[32];

	check(err, node);
	snprintf(stdout_path, sizeof(stdout_path), "/serial@%x", GH_LINUX_UART_BASE);
	check(err, fdt_setprop_string(dtb, node, "stdout-path", stdout_path));
	if (layout->initrd) {
		check(err, fdt_setprop_u64(dtb, node, "linux,initrd-start", layout->initrd));
		check(err, fdt_setprop_u64(dtb, node, "linux,initrd-end", layout->initrd_end));
	}
	/*
	 * The resource manager writes /memory, without the window. A restricted pool
	 * has to be in memory that Linux knows, though: the first of these ranges
	 * limits what /memory says, the others are added to it.
	 */
	append_range(dtb, err, node, "linux,usable-memory-range", GH_GUEST_BASE,
		     layout->memory);
	append_range(dtb, err, node, "linux,usable-memory-range", layout->window,
		     layout->window_size);
}

static void add_linux_nodes(void *dtb, int *err, const struct gh_linux_layout *layout)
{
	uint32_t pool_phandle = 0;
	char name[48];
	int node, pool;

	add_chosen(dtb, err, layout);

	node = add_device(dtb, err, "serial", "ns16550a", GH_LINUX_UART_BASE, GH_UART_SIZE,
			  &bells[0]);
	check(err, fdt_setprop_u32(dtb, node, "clock-frequency", 1843200));

	node = add_node(dtb, err, 0, "reserved-memory");
	check(err, fdt_setprop_u32(dtb, node, "#address-cells", 2));
	check(err, fdt_setprop_u32(dtb, node, "#size-cells", 2));
	check(err, fdt_setprop_empty(dtb, node, "ranges"));
	snprintf(name, sizeof(name), "restricted-dma@%" PRIx64, layout->window);
	pool = add_node(dtb, err, node, name);
	check(err, fdt_setprop_string(dtb, pool, "compatible", "restricted-dma-pool"));
	append_range(dtb, err, pool, "reg", layout->window, layout->window_size);
	check(err, fdt_generate_phandle(dtb, &pool_phandle));
	check(err, fdt_setprop_u32(dtb, pool, "phandle", pool_phandle));

	node = add_device(dtb, err, "virtio", "virtio,mmio", GH_LINUX_VIRTIO_BASE, GH_VIRTIO_SIZE,
			  &bells[1]);
	check(err, fdt_setprop_empty(dtb, node, "dma-coherent"));
	check(err, fdt_setprop_u32(dtb, node, "memory-region", pool_phandle));
}

int gh_linux_dtb(void *dtb, size_t size, const struct gh_linux_layout *layout)
{
	const struct gh_shm window = { GH_LINUX_WINDOW_LABEL, layout->window };
	const struct gh_dtb_options machine = {
		.base = GH_GUEST_BASE,
		.cmdline = layout->cmdline,
		.vcpus = layout->cpus,
		.shm = &window,
		.n_shm = 1,
		.bells = bells,
		.n_bells = sizeof(bells) / sizeof(bells[0]),
	};
	int err;

	err = gh_dtb_build(dtb, size, &machine);
	if (err)
		return err;
	err = fdt_open_into(dtb, dtb, size);
	add_linux_nodes(dtb, &err, layout);
	/* Space to grow is the window's, not the tree's */
	check(&err, fdt_pack(dtb));
	return gh_fdt_errno(err);
}

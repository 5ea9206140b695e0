// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of gh_linux_dtb: what the resource manager makes of the tree, and whether
 * what Linux and gh-vmm take from it is the same.
 */
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "../hyp/rm_dtb.h"
#include "gh_guest.h"
#include "gh_linux_dtb.h"
#include "test.h"

#define SPACE	0x10000

static const struct gh_linux_layout layout = {
	.cmdline = "some words",
	.cpus = 2,
	.memory = 128 << 20,
	.initrd = 0x81000000,
	.initrd_end = 0x81234567,
	.window = 0x88000000,
	.window_size = 2 << 20,
};

/* As the guest gets it, after VM_START */
static void *make(const struct gh_linux_layout *from, struct rm_dtb_config *config)
{
	const struct rm_dtb_memory memory = { GH_GUEST_BASE, from->memory };
	void *dtb = malloc(SPACE);

	CHECK_EQ(gh_linux_dtb(dtb, SPACE, from), 0);
	CHECK_EQ(rm_dtb_parse(dtb, SPACE, config), 0);
	CHECK_EQ(rm_dtb_finish(dtb, SPACE, config, &memory, 1), 0);
	return dtb;
}

/* Cell @i of a property, ~0 if there is none */
static uint32_t cell(const void *dtb, int node, const char *name, int i)
{
	int len;
	const fdt32_t *p = fdt_getprop(dtb, node, name, &len);

	return p && (i + 1) * 4 <= len ? fdt32_ld(p + i) : ~0U;
}

static uint64_t cells(const void *dtb, int node, const char *name, int i)
{
	return (uint64_t)cell(dtb, node, name, 2 * i) << 32 | cell(dtb, node, name, 2 * i + 1);
}

static int find(const void *dtb, const char *compatible)
{
	return fdt_node_offset_by_compatible(dtb, -1, compatible);
}

static void linux_dtb_machine(void)
{
	struct gh_linux_layout l = layout;
	struct rm_dtb_config config;
	char name[32];
	void *dtb;
	int node;

	for (l.cpus = 1; l.cpus <= GH_MAX_VCPUS; l.cpus++) {
		dtb = make(&l, &config);
		CHECK(config.proxy);
		CHECK_EQ(config.cpus, l.cpus);
		CHECK_EQ(config.base, GH_GUEST_BASE);
		snprintf(name, sizeof(name), "/cpus/cpu@%x", l.cpus - 1);
		CHECK_EQ(cell(dtb, fdt_path_offset(dtb, name), "reg", 0), l.cpus - 1);
		node = find(dtb, "arm,gic-v3");
		CHECK_EQ(cells(dtb, node, "reg", 2) + cells(dtb, node, "reg", 3),
			 cells(dtb, node, "reg", 0));
		CHECK_EQ(cells(dtb, node, "reg", 3), 0x20000 * l.cpus);
		/* The virtual timer's, which is the one that Linux uses */
		CHECK_EQ(cell(dtb, find(dtb, "arm,armv8-timer"), "interrupts", 7), 11);
		free(dtb);
	}
}

/* The resource manager writes /memory; Linux needs the window, too */
static void linux_dtb_memory(void)
{
	struct rm_dtb_config config;
	void *dtb = make(&layout, &config);
	int chosen = fdt_path_offset(dtb, "/chosen");
	int pool = find(dtb, "restricted-dma-pool");
	int memory = fdt_path_offset(dtb, "/memory");

	CHECK_EQ(cells(dtb, memory, "reg", 0), GH_GUEST_BASE);
	CHECK_EQ(cells(dtb, memory, "reg", 1), layout.memory);
	CHECK_EQ(cells(dtb, chosen, "linux,usable-memory-range", 0), GH_GUEST_BASE);
	CHECK_EQ(cells(dtb, chosen, "linux,usable-memory-range", 1), layout.memory);
	CHECK_EQ(cells(dtb, chosen, "linux,usable-memory-range", 2), layout.window);
	CHECK_EQ(cells(dtb, chosen, "linux,usable-memory-range", 3), layout.window_size);
	CHECK_EQ(cells(dtb, pool, "reg", 0), layout.window);
	CHECK_EQ(cells(dtb, pool, "reg", 1), layout.window_size);
	CHECK_EQ(fdt_node_offset_by_phandle(dtb, cell(dtb, find(dtb, "virtio,mmio"),
						      "memory-region", 0)), pool);
	CHECK_EQ(config.shms, 1);
	CHECK_EQ(config.shm[0].label, GH_LINUX_WINDOW_LABEL);
	CHECK_EQ(config.shm[0].base, layout.window);
	free(dtb);
}

static void linux_dtb_chosen(void)
{
	struct gh_linux_layout l = layout;
	struct rm_dtb_config config;
	void *dtb = make(&l, &config);
	int chosen = fdt_path_offset(dtb, "/chosen");
	const char *path;

	CHECK_EQ(cells(dtb, chosen, "linux,initrd-start", 0), l.initrd);
	CHECK_EQ(cells(dtb, chosen, "linux,initrd-end", 0), l.initrd_end);
	CHECK(!strcmp(fdt_getprop(dtb, chosen, "bootargs", NULL), l.cmdline));
	path = fdt_getprop(dtb, chosen, "stdout-path", NULL);
	CHECK_EQ(fdt_path_offset(dtb, path), find(dtb, "ns16550a"));
	free(dtb);

	l.initrd = 0;
	l.initrd_end = 0;
	l.cmdline = NULL;
	dtb = make(&l, &config);
	chosen = fdt_path_offset(dtb, "/chosen");
	CHECK(!fdt_getprop(dtb, chosen, "linux,initrd-start", NULL));
	CHECK(!fdt_getprop(dtb, chosen, "bootargs", NULL));
	free(dtb);
}

/* A device's interrupt is the one of its doorbell */
static void linux_dtb_interrupts(void)
{
	static const struct {
		const char *device;
		const char *bell;
		uint64_t base;
		uint32_t label;
		uint32_t trigger;
	} devices[] = {
		{ "ns16550a", "/gunyah-vm-config/vdevices/bell-4", GH_LINUX_UART_BASE,
		  GH_LINUX_UART_BELL, 1 },
		{ "virtio,mmio", "/gunyah-vm-config/vdevices/bell-5", GH_LINUX_VIRTIO_BASE,
		  GH_LINUX_VIRTIO_BELL, 4 },
	};
	struct rm_dtb_config config;
	void *dtb = make(&layout, &config);
	int node, bell, cell_no;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		node = find(dtb, devices[i].device);
		bell = fdt_path_offset(dtb, devices[i].bell);
		CHECK_EQ(cells(dtb, node, "reg", 0), devices[i].base);
		CHECK(devices[i].base + cells(dtb, node, "reg", 1) <= 1 << 30);
		CHECK_EQ(cell(dtb, bell, "label", 0), devices[i].label);
		CHECK_EQ(cell(dtb, bell, "interrupts", 2), devices[i].trigger);
		for (cell_no = 0; cell_no < 3; cell_no++)
			CHECK_EQ(cell(dtb, node, "interrupts", cell_no),
				 cell(dtb, bell, "interrupts", cell_no));
	}
	free(dtb);
}

static void linux_dtb_space(void)
{
	void *dtb = malloc(SPACE);
	size_t size, need;

	CHECK_EQ(gh_linux_dtb(dtb, SPACE, &layout), 0);
	need = fdt_totalsize(dtb);
	for (size = 64; size < need; size += 16)
		CHECK_EQ(-gh_linux_dtb(dtb, size, &layout), 28 /* ENOSPC */);
	free(dtb);
}

void linux_dtb_tests(void)
{
	RUN(linux_dtb_machine);
	RUN(linux_dtb_memory);
	RUN(linux_dtb_chosen);
	RUN(linux_dtb_interrupts);
	RUN(linux_dtb_space);
}

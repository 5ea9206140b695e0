// SPDX-License-Identifier: GPL-2.0-only
/*
 * rm_dtb.c: any blob as a guest's devicetree. A tree that is accepted can be finished,
 * or refused; a finished one has to be a tree that says what was to be added.
 *
 * Trees hardly ever stay trees when bytes are changed, so half of the time what is
 * changed are nodes and properties.
 */
#include <libfdt.h>

#include "input.h"
#include "../hyp/rm_dtb.h"
#include "../../../../drivers/virt/gunyah/tests/rm_model.h"

#define MAX_TREE	0x8000

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static void check_finished(const void *fdt, uint64_t space, const struct rm_dtb_memory *memory,
			   uint32_t n_memory)
{
	int ac = fdt_address_cells(fdt, 0), sc = fdt_size_cells(fdt, 0), node, len;
	struct rm_dtb_config config;
	const fdt32_t *reg;

	FUZZ_CHECK(!fdt_check_header(fdt) && fdt_totalsize(fdt) <= space);
	node = fdt_path_offset(fdt, "/hypervisor");
	FUZZ_CHECK(node >= 0 && !fdt_node_check_compatible(fdt, node, "gunyah-hypervisor"));
	node = fdt_path_offset(fdt, "/memory");
	FUZZ_CHECK(node >= 0);
	reg = fdt_getprop(fdt, node, "reg", &len);
	FUZZ_CHECK(reg && len == n_memory * (ac + sc) * 4);
	FUZZ_CHECK(fdt32_ld(reg + ac - 1) == (uint32_t)memory->addr);
	FUZZ_CHECK(fdt32_ld(reg + ac + sc - 1) == (uint32_t)memory->size);
	/* Once is enough: it has a hypervisor now. */
	FUZZ_CHECK(rm_dtb_parse(fdt, space, &config) == RM_MEM_INVALID);
}

/* The first four bytes tell about the room behind the tree, and the memory */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rm_dtb_memory memory[2] = {
		{ 0x80000000, 0x200000 }, { 0x90000000, 0x1000 },
	};
	struct input in = { data, size };
	uint64_t space = (uint64_t)in16(&in) << 2;
	uint32_t n_memory = 1 + in8(&in) % 2, error;
	struct rm_dtb_config config;
	void *fdt;

	if (in8(&in) % 16 == 15)
		memory[0].addr = 0x880000000;
	if (space > in.left + 0x8000)
		space = in.left + 0x8000;
	/* Exactly the room that it has, with what is given of the tree in it */
	fdt = exact(space ?: 1);
	memset(fdt, 0, space);
	memcpy(fdt, in.p, in.left < space ? in.left : space);

	error = rm_dtb_parse(fdt, space, &config);
	FUZZ_CHECK(config.shms <= RM_DTB_MAX_SHM && config.bells <= RM_DTB_MAX_BELLS);
	if (!error) {
		FUZZ_CHECK(config.cpus >= 1 && config.cpus <= 8 && !(config.base & 0x1fffff));
		error = rm_dtb_finish(fdt, space, &config, memory, n_memory);
		if (!error)
			check_finished(fdt, space, memory, n_memory);
	}
	free(fdt);
	return 0;
}

static unsigned int random_below(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % n;
}

static int random_node(const void *fdt, unsigned int *seed)
{
	int node, depth, n = 0;

	for (node = 0, depth = 0; node >= 0 && depth >= 0; node = fdt_next_node(fdt, node, &depth))
		n++;
	n = random_below(seed, n);
	for (node = 0; n--;)
		node = fdt_next_node(fdt, node, NULL);
	return node;
}

static void change_tree(void *fdt, unsigned int *seed)
{
	static const char *const names[] = {
		"label", "base", "memory", "config", "vdevice-type", "device_type", "reg",
		"#address-cells", "#size-cells", "affinity", "status", "image-name", "generate",
		"interrupts", "peer-default",
	};
	static const char *const values[] = {
		"shm", "rm-rpc", "doorbell", "memory", "cpu", "proxy", "doorbell-source",
		"/hypervisor/x",
	};
	int node = random_node(fdt, seed), prop, len;
	const char *name = names[random_below(seed, 15)], *string, *old;
	uint8_t value[64];
	const void *from;

	prop = fdt_first_property_offset(fdt, node);
	for (len = random_below(seed, 6); len && prop >= 0; len--)
		prop = fdt_next_property_offset(fdt, prop);

	switch (random_below(seed, 6)) {
	case 0:
		string = values[random_below(seed, 8)];
		fdt_setprop_string(fdt, node, name, string);
		break;
	case 1:
		fdt_setprop_u32(fdt, node, name, random_below(seed, 4));
		break;
	case 2:
		fdt_add_subnode(fdt, node, name);
		break;
	case 3:
		if (node)
			fdt_del_node(fdt, node);
		break;
	default:
		if (prop < 0)
			break;
		from = fdt_getprop_by_offset(fdt, prop, &old, &len);
		if (!from || len > 32)
			break;
		memcpy(value, from, len);
		len = LLVMFuzzerMutate(value, len, sizeof(value));
		/* The name moves when the value changes its size */
		name = strdup(old);
		fdt_setprop(fdt, node, name, value, len);
		free((char *)name);
		break;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static uint64_t from[MAX_TREE / 8], tree[MAX_TREE / 8];
	struct rm_dtb_config config;
	size_t len;

	if (size < 4 + sizeof(struct fdt_header) || size > sizeof(from) ||
	    random_below(&seed, 2))
		return LLVMFuzzerMutate(data, size, max_size);
	memcpy(from, data + 4, size - 4);
	/* Only what is known to be a tree may be handed to libfdt */
	if (rm_dtb_parse(from, size - 4, &config) || fdt_open_into(from, tree, sizeof(tree)))
		return LLVMFuzzerMutate(data, size, max_size);
	do
		change_tree(tree, &seed);
	while (random_below(&seed, 2));
	if (fdt_pack(tree))
		return size;
	len = fdt_totalsize(tree);
	if (4 + len > max_size)
		return size;
	memcpy(data + 4, tree, len);
	return 4 + len;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the public resource manager demands of a guest's devicetree, and what it adds.
 *
 * A guest's devicetree comes from user space, so nothing in it is believed: the whole blob
 * is checked before it is read. Bad trees are RM_MEM_INVALID, as VM_INIT answers to them;
 * a device that cannot be made is RM_NORESOURCE; what only a trusted VM may ask for is
 * RM_DENIED.
 *
 * Left out, because the test hypervisor's guests have no use for it: the nodes of
 * generated vdevices other than doorbells, /reserved-memory and /vsoc are not added, and a
 * GIC without "reg", which the resource manager would place, stays without.
 *
 * Assumed of doorbells: one that is not the host's ("peer-default") is not made, as there is
 * nobody else; "generate" names a node right below /hypervisor; a label may be there twice,
 * but not an interrupt. One without an interrupt, which the resource manager would choose,
 * is refused.
 */
#include <libfdt.h>

#include "../../../../drivers/virt/gunyah/tests/rm_model.h"
#include "rm_dtb.h"

#define BASE_DEFAULT		0x28800000ull
#define BASE_ALIGN		0x200000ull
#define PAGE_MASK		0xfffull
#define MAX_CPUS		8
#define GICR_PER_CPU		0x20000ull
#define TIMESLICE_MIN		100
#define TIMESLICE_MAX		100000
/* A tree up to this size is edited aside, a larger one needs twice its size of space. */
#define EDIT_ASIDE_MAX		0x4000
#define WORK_SIZE		0x20000
#define MAX_DEPTH		32
#define GIC_SPI			0
#define GIC_SPIS		988
#define GIC_EDGE_RISING		1
#define GIC_LEVEL_HIGH		4

static const char * const vdevice_types[] = {
	"rm-rpc", "doorbell", "doorbell-source", "message-queue", "message-queue-pair", "shm",
	"shm-doorbell", "virtio-mmio", "iomem", "vrtc-pl031", "vsmmu-v2", NULL
};

static bool prop_is(const void *fdt, int node, const char *name, const char *value)
{
	int len;
	const char *p = fdt_getprop(fdt, node, name, &len);

	return p && (size_t)len == strlen(value) + 1 && !memcmp(p, value, (size_t)len);
}

static bool has_prop(const void *fdt, int node, const char *name)
{
	return fdt_getprop(fdt, node, name, NULL);
}

static bool get_u32(const void *fdt, int node, const char *name, uint32_t *value)
{
	int len;
	const fdt32_t *p = fdt_getprop(fdt, node, name, &len);

	if (!p || len != sizeof(*p))
		return false;
	*value = fdt32_ld(p);
	return true;
}

/* Either spelling, the plain one first */
static bool get_label(const void *fdt, int node, uint32_t *label)
{
	return get_u32(fdt, node, "label", label) || get_u32(fdt, node, "qcom,label", label);
}

static uint64_t load_cells(const fdt32_t *p, int cells)
{
	uint64_t value = 0;

	while (cells--)
		value = value << 32 | fdt32_ld(p++);
	return value;
}

/* An address of as many cells as the node says, two if it says nothing */
static bool get_address(const void *fdt, int node, const char *name, uint64_t *value)
{
	uint32_t cells = 2;
	const fdt32_t *p;
	int len;

	get_u32(fdt, node, "#address-cells", &cells);
	p = fdt_getprop(fdt, node, name, &len);
	if (!p || cells < 1 || cells > 2 || len != (int)(cells * sizeof(*p)))
		return false;
	*value = load_cells(p, (int)cells);
	return true;
}

/* Exactly "gunyah-vm-config" or "qcom,vm-config": libfdt would take a unit address, too. */
static int config_node(const void *fdt)
{
	const char *name;
	int node;

	fdt_for_each_subnode(node, fdt, 0) {
		name = fdt_get_name(fdt, node, NULL);
		if (name && (!strcmp(name, "gunyah-vm-config") || !strcmp(name, "qcom,vm-config")))
			return node;
	}
	return node;
}

/* The node that "config" names, by path or by phandle */
static int referenced_node(const void *fdt, int node, const char *fallback)
{
	const char *path = fallback;
	uint32_t phandle;
	int len;

	if (has_prop(fdt, node, "config")) {
		if (get_u32(fdt, node, "config", &phandle))
			return fdt_node_offset_by_phandle(fdt, phandle);
		path = fdt_getprop(fdt, node, "config", &len);
		if (len < 1 || path[len - 1])
			return -FDT_ERR_BADVALUE;
	}
	return path ? fdt_path_offset(fdt, path) : -FDT_ERR_NOTFOUND;
}

static uint32_t parse_cpus(const void *fdt, int vcpus, struct rm_dtb_config *config)
{
	int cpus = referenced_node(fdt, vcpus, "/cpus");
	bool boot = false, psci = false, idle = true;
	int node;

	if (cpus < 0)
		return RM_MEM_INVALID;
	fdt_for_each_subnode(node, fdt, cpus) {
		if (!prop_is(fdt, node, "device_type", "cpu"))
			continue;
		if (++config->cpus > MAX_CPUS)
			return RM_MEM_INVALID;
		psci |= prop_is(fdt, node, "enable-method", "psci");
		idle &= has_prop(fdt, node, "cpu-idle-states");
		if (!boot && !has_prop(fdt, node, "status")) {
			boot = true;
			continue;
		}
		if (!prop_is(fdt, node, "enable-method", "psci") &&
		    !prop_is(fdt, node, "enable-method", "qcom,gunyah-hvc"))
			return RM_MEM_INVALID;
	}
	if (!boot)
		return RM_MEM_INVALID;
	/* The hypervisor suspends the vCPUs that it schedules by their idle states. */
	return !config->proxy && psci && !idle ? RM_MEM_INVALID : RM_OK;
}

static uint32_t parse_vcpus(const void *fdt, int top, struct rm_dtb_config *config)
{
	int node = fdt_subnode_offset(fdt, top, "vcpus");
	uint32_t timeslice, priority = 0, error;
	int len;

	/* Without a node: "static", and that needs a map. */
	if (node < 0)
		return RM_MEM_INVALID;
	config->proxy = prop_is(fdt, node, "affinity", "proxy");
	if (!config->proxy && has_prop(fdt, node, "affinity") &&
	    !prop_is(fdt, node, "affinity", "static") &&
	    !prop_is(fdt, node, "affinity", "pinned") && !prop_is(fdt, node, "affinity", "sticky"))
		return RM_MEM_INVALID;
	error = parse_cpus(fdt, node, config);
	if (error || config->proxy)
		return error;

	/* A host core for each vCPU */
	if (!fdt_getprop(fdt, node, "affinity-map", &len) ||
	    len < (int)(config->cpus * sizeof(fdt32_t)))
		return RM_MEM_INVALID;
	if (!get_u32(fdt, node, "sched-timeslice", &timeslice) || timeslice < TIMESLICE_MIN ||
	    timeslice > TIMESLICE_MAX)
		return RM_MEM_INVALID;
	/* Relative to the host, which an untrusted guest has to stay below */
	get_u32(fdt, node, "sched-priority", &priority);
	return (int32_t)priority < 0 ? RM_OK : RM_DENIED;
}

static uint32_t parse_gic(const void *fdt, int top, struct rm_dtb_config *config)
{
	int node = fdt_subnode_offset(fdt, top, "interrupts");
	uint64_t dist, dist_size, redist, redist_size;
	int parent, ac, sc, len;
	const fdt32_t *reg;
	uint32_t cells;

	if (node < 0)
		return RM_MEM_INVALID;
	node = referenced_node(fdt, node, NULL);
	if (node < 0 || fdt_node_check_compatible(fdt, node, "arm,gic-v3") ||
	    !has_prop(fdt, node, "interrupt-controller") ||
	    !get_u32(fdt, node, "#interrupt-cells", &cells) || cells != 3)
		return RM_MEM_INVALID;
	reg = fdt_getprop(fdt, node, "reg", &len);
	if (!reg)
		return RM_OK;
	parent = fdt_parent_offset(fdt, node);
	ac = fdt_address_cells(fdt, parent);
	sc = fdt_size_cells(fdt, parent);
	if (ac < 1 || ac > 2 || sc < 1 || sc > 2 ||
	    len < (int)(2 * (ac + sc) * (int)sizeof(*reg)))
		return RM_MEM_INVALID;
	dist = load_cells(reg, ac);
	dist_size = load_cells(reg + ac, sc);
	redist = load_cells(reg + ac + sc, ac);
	redist_size = load_cells(reg + 2 * ac + sc, sc);
	if (redist_size < GICR_PER_CPU * config->cpus)
		return RM_NORESOURCE;
	if (redist - dist < dist_size || dist - redist < redist_size)
		return RM_NORESOURCE;
	config->gicd = dist;
	config->gicr = redist;
	return RM_OK;
}

static uint32_t parse_shm(const void *fdt, int node, struct rm_dtb_config *config)
{
	int memory = fdt_subnode_offset(fdt, node, "memory");
	struct rm_dtb_shm shm = { 0 };
	uint32_t i;

	/* The parcel's label is the memory's, where that has one of its own. */
	if ((memory < 0 || !get_label(fdt, memory, &shm.label)) &&
	    !get_label(fdt, node, &shm.label))
		return RM_MEM_INVALID;
	if (memory >= 0 && has_prop(fdt, memory, "base")) {
		shm.has_base = true;
		if (!get_address(fdt, memory, "base", &shm.base) || shm.base & PAGE_MASK)
			return RM_MEM_INVALID;
	}
	for (i = 0; i < config->shms; i++) {
		if (config->shm[i].label == shm.label)
			return RM_NORESOURCE;
	}
	if (config->shms == RM_DTB_MAX_SHM)
		return RM_NORESOURCE;
	config->shm[config->shms++] = shm;
	return RM_OK;
}

/* The name of the node that "generate" asks for, NULL if it does not. */
static bool get_generated(const void *fdt, int node, const char **name)
{
	static const char place[] = "/hypervisor/";
	const size_t n = sizeof(place) - 1;
	const char *path;
	int len;

	*name = NULL;
	path = fdt_getprop(fdt, node, "generate", &len);
	if (!path)
		return true;
	if (len < (int)n + 2 || memcmp(path, place, n) || memchr(path + n, '/', len - n) ||
	    memchr(path, 0, len) != path + len - 1)
		return false;
	*name = path + n;
	return true;
}

static bool get_spi(const void *fdt, int node, struct rm_dtb_bell *bell)
{
	const fdt32_t *p;
	uint32_t number;
	int len;

	p = fdt_getprop(fdt, node, "interrupts", &len);
	if (!p || len != 3 * (int)sizeof(*p) || fdt32_ld(p) != GIC_SPI)
		return false;
	number = fdt32_ld(p + 1);
	bell->intid = (uint16_t)(number + 32);
	bell->edge = fdt32_ld(p + 2) == GIC_EDGE_RISING;
	return number < GIC_SPIS && (bell->edge || fdt32_ld(p + 2) == GIC_LEVEL_HIGH);
}

static bool is_bell_source(const void *fdt, int node)
{
	return prop_is(fdt, node, "vdevice-type", "doorbell-source");
}

static bool is_bell(const void *fdt, int node)
{
	return is_bell_source(fdt, node) || prop_is(fdt, node, "vdevice-type", "doorbell");
}

static uint32_t parse_bell(const void *fdt, int node, struct rm_dtb_config *config)
{
	struct rm_dtb_bell bell = { 0 };
	const char *name;
	uint32_t i;

	bell.source = is_bell_source(fdt, node);
	bell.can_clear = has_prop(fdt, node, "source-can-clear");
	if (!get_label(fdt, node, &bell.label) || !get_generated(fdt, node, &name) ||
	    (!bell.source && !get_spi(fdt, node, &bell)))
		return RM_MEM_INVALID;
	if (!has_prop(fdt, node, "peer-default"))
		return RM_OK;
	for (i = 0; !bell.source && i < config->bells; i++) {
		if (config->bell[i].intid == bell.intid)
			return RM_NORESOURCE;
	}
	if (config->bells == RM_DTB_MAX_BELLS)
		return RM_NORESOURCE;
	config->bell[config->bells++] = bell;
	return RM_OK;
}

static bool known_vdevice(const void *fdt, int node)
{
	const char * const *type;

	for (type = vdevice_types; *type; type++) {
		if (prop_is(fdt, node, "vdevice-type", *type))
			return true;
	}
	return false;
}

static uint32_t parse_vdevice(const void *fdt, int node, struct rm_dtb_config *config)
{
	if (!known_vdevice(fdt, node))
		return RM_MEM_INVALID;
	if (prop_is(fdt, node, "vdevice-type", "shm"))
		return parse_shm(fdt, node, config);
	if (prop_is(fdt, node, "vdevice-type", "rm-rpc")) {
		/* The resource manager copies this string without looking for it. */
		if (!has_prop(fdt, node, "generate"))
			return RM_MEM_INVALID;
		config->has_rpc = true;
		return RM_OK;
	}
	return is_bell(fdt, node) ? parse_bell(fdt, node, config) : RM_OK;
}

/* "memory" or "memory@...", below the root */
static bool is_memory_node(const void *fdt, int node)
{
	int len;
	const char *name = fdt_get_name(fdt, node, &len);

	return name && len >= 6 && !memcmp(name, "memory", 6) && (!name[6] || name[6] == '@') &&
	       !fdt_parent_offset(fdt, node);
}

static uint32_t parse_base(const void *fdt, int top, struct rm_dtb_config *config)
{
	int node = fdt_subnode_offset(fdt, top, "memory");

	config->base = BASE_DEFAULT;
	/* A value with another number of cells is ignored, as the manager does. */
	if (node >= 0)
		get_address(fdt, node, "base-address", &config->base);
	if (config->base > ~0ull - BASE_ALIGN)
		return RM_MEM_INVALID;
	config->base = (config->base + BASE_ALIGN - 1) & ~(BASE_ALIGN - 1);
	return RM_OK;
}

/*
 * The tree's structure as a whole: balanced, every name and every value inside the blob.
 * (libfdt's own check of that is not in the kernel's copy.) What libfdt then says of a tree
 * is true of all of it, and not just of the part before the first mistake.
 */
static bool is_well_formed(const void *fdt)
{
	int offset, next = 0, depth = 0, len;
	const char *name;
	uint32_t tag;

	/* libfdt loads words from there without looking. */
	if (fdt_off_dt_struct(fdt) % 4 || fdt_off_mem_rsvmap(fdt) % 8)
		return false;
	/* Nor does it look whether the list of reservations ends before it copies that. */
	if (fdt_num_mem_rsv(fdt) < 0)
		return false;
	do {
		offset = next;
		tag = fdt_next_tag(fdt, offset, &next);
		if (next < 0)
			return false;
		switch (tag) {
		case FDT_BEGIN_NODE:
			if ((offset && !depth) || ++depth > MAX_DEPTH ||
			    !fdt_get_name(fdt, offset, NULL))
				return false;
			break;
		case FDT_END_NODE:
			if (--depth < 0)
				return false;
			break;
		case FDT_PROP:
			if (!depth || !fdt_getprop_by_offset(fdt, offset, &name, &len) || !name)
				return false;
			break;
		}
	} while (tag != FDT_END);
	return !depth;
}

uint32_t rm_dtb_parse(const void *fdt, uint64_t space, struct rm_dtb_config *config)
{
	uint32_t error;
	int top, node, len;
	const char *name;

	memset(config, 0, sizeof(*config));
	if (space < sizeof(struct fdt_header) || fdt_check_header(fdt) ||
	    fdt_totalsize(fdt) > space || !is_well_formed(fdt))
		return RM_MEM_INVALID;
	top = config_node(fdt);
	if (top < 0 || fdt_subnode_offset(fdt, 0, "hypervisor") >= 0)
		return RM_MEM_INVALID;
	name = fdt_getprop(fdt, top, "image-name", &len);
	if (!name || len < 2 || name[len - 1])
		return RM_MEM_INVALID;
	error = parse_base(fdt, top, config);
	if (!error)
		error = parse_vcpus(fdt, top, config);
	if (!error)
		error = parse_gic(fdt, top, config);
	for (node = 0; !error && node >= 0; node = fdt_next_node(fdt, node, NULL)) {
		if (has_prop(fdt, node, "vdevice-type"))
			error = parse_vdevice(fdt, node, config);
		if (prop_is(fdt, node, "device_type", "memory") && !is_memory_node(fdt, node))
			error = RM_MEM_INVALID;
	}
	return error;
}

static int finish_hypervisor(void *fdt)
{
	static const char compatible[] = "gunyah-hypervisor\0simple-bus";
	int node = fdt_add_subnode(fdt, 0, "hypervisor");
	int ret = node < 0 ? node : 0;

	if (!ret)
		ret = fdt_setprop(fdt, node, "compatible", compatible, sizeof(compatible));
	if (!ret)
		ret = fdt_setprop_u32(fdt, node, "#address-cells", 2);
	if (!ret)
		ret = fdt_setprop_u32(fdt, node, "#size-cells", 0);
	return ret;
}

/* Compatible strings as the properties of the vdevice are named; they are assumed. */
static int add_bell(void *work, const void *fdt, int bell, const char *name, uint64_t cap)
{
	static const char source[] = "gunyah-doorbell-source\0gunyah-capability";
	static const char sink[] = "gunyah-doorbell\0gunyah-capability";
	bool sends = is_bell_source(fdt, bell);
	const void *interrupts;
	uint32_t label = 0;
	int node, ret, len;

	node = fdt_subnode_offset(work, 0, "hypervisor");
	node = fdt_add_subnode(work, node, name);
	if (node < 0)
		return node;
	get_label(fdt, bell, &label);
	ret = fdt_setprop(work, node, "compatible", sends ? source : sink,
			  sends ? sizeof(source) : sizeof(sink));
	if (!ret)
		ret = fdt_setprop_u64(work, node, "reg", cap);
	if (!ret)
		ret = fdt_setprop_u32(work, node, "label", label);
	if (ret || sends)
		return ret;
	interrupts = fdt_getprop(fdt, bell, "interrupts", &len);
	return fdt_setprop(work, node, "interrupts", interrupts, len);
}

/* Of the same nodes as parse_bell() has made doorbells, in the same order */
static int finish_bells(void *work, const void *fdt)
{
	int node, ret = 0;
	const char *name;
	uint64_t cap = 0;

	for (node = 0; !ret && node >= 0; node = fdt_next_node(fdt, node, NULL)) {
		if (!is_bell(fdt, node) || !has_prop(fdt, node, "peer-default"))
			continue;
		if (get_generated(fdt, node, &name) && name)
			ret = add_bell(work, fdt, node, name, cap);
		cap++;
	}
	return ret;
}

static int append_cells(void *fdt, int node, uint64_t value, int cells)
{
	if (cells == 2)
		return fdt_appendprop_u64(fdt, node, "reg", value);
	if (cells != 1 || value >> 32)
		return -FDT_ERR_BADVALUE;
	return fdt_appendprop_u32(fdt, node, "reg", (uint32_t)value);
}

/* One memory node says it all; what the tree said about memory before is gone. */
static int finish_memory(void *fdt, const struct rm_dtb_memory *memory, uint32_t n_memory)
{
	int ac = fdt_address_cells(fdt, 0), sc = fdt_size_cells(fdt, 0);
	int node, next, ret;
	uint32_t i;

	for (node = fdt_first_subnode(fdt, 0); node >= 0; node = next) {
		next = fdt_next_subnode(fdt, node);
		if (!is_memory_node(fdt, node))
			continue;
		ret = fdt_del_node(fdt, node);
		if (ret)
			return ret;
		/* What followed it has moved to its place. */
		next = fdt_first_subnode(fdt, 0);
	}
	node = fdt_add_subnode(fdt, 0, "memory");
	ret = node < 0 ? node : fdt_setprop_string(fdt, node, "device_type", "memory");
	for (i = 0; !ret && i < n_memory; i++) {
		ret = append_cells(fdt, node, memory[i].addr, ac);
		if (!ret)
			ret = append_cells(fdt, node, memory[i].size, sc);
	}
	return ret;
}

static int finish_chosen(void *fdt)
{
	int node = fdt_subnode_offset(fdt, 0, "chosen");

	/* Any number will do, and the same one each time keeps runs repeatable. */
	return node < 0 ? node : fdt_setprop_u64(fdt, node, "kaslr-seed", 0x67756e79616873ull);
}

/*
 * The tree is edited aside and written back when it is complete. The resource manager
 * writes it back over whatever is behind the space, which would be hard to find; here the
 * start fails instead.
 */
uint32_t rm_dtb_finish(void *fdt, uint64_t space, const struct rm_dtb_config *config,
		       const struct rm_dtb_memory *memory, uint32_t n_memory)
{
	static char work[WORK_SIZE] __attribute__((aligned(8)));
	uint64_t size;
	int ret;

	(void)config;
	ret = fdt_open_into(fdt, work, sizeof(work));
	if (!ret)
		ret = finish_hypervisor(work);
	if (!ret)
		ret = finish_bells(work, fdt);
	if (!ret)
		ret = finish_memory(work, memory, n_memory);
	if (!ret)
		ret = finish_chosen(work);
	if (!ret)
		ret = fdt_pack(work);
	if (ret)
		return ret == -FDT_ERR_NOSPACE ? RM_NOMEM : RM_NORESOURCE;
	size = fdt_totalsize(work);
	if (size > space || (size > EDIT_ASIDE_MAX && space < 2 * size))
		return RM_NORESOURCE;
	memcpy(fdt, work, size);
	return RM_OK;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of rm_dtb. Trees are compiled by dtc from dts/guest.dtsi and a fragment that
 * changes it.
 */
#include <libfdt.h>
#include <stdlib.h>

#include "../hyp/rm_dtb.h"
#include "../../../../drivers/virt/gunyah/tests/rm_model.h"
#include "test.h"

#define MAX_TREE	0x40000

static const char *dts_dir, *scratch_dir;

/* Compiled with room of @pad bytes; the memory is exactly of the tree's size. */
static void *compile(const char *fragment, int pad)
{
	const char *dtc = getenv("DTC");
	char path[512], command[2048];
	size_t size;
	FILE *f;
	void *fdt;

	snprintf(path, sizeof(path), "%s/test.dtb", scratch_dir);
	snprintf(command, sizeof(command), "%s -q -I dts -O dtb -p %d -i %s -o %s -",
		 dtc ? dtc : "dtc", pad, dts_dir, path);
	remove(path);
	f = popen(command, "w");
	if (!f)
		abort();
	fprintf(f, "/include/ \"guest.dtsi\"\n%s\n", fragment);
	fdt = NULL;
	if (!CHECK(!pclose(f)))
		return NULL;
	f = fopen(path, "rb");
	if (!CHECK(f))
		return NULL;
	fdt = malloc(MAX_TREE);
	if (!fdt)
		abort();
	size = fread(fdt, 1, MAX_TREE, f);
	fclose(f);
	CHECK(size < MAX_TREE);
	CHECK_EQ(size, fdt_totalsize(fdt));
	fdt = realloc(fdt, size);
	if (!fdt)
		abort();
	return fdt;
}

static uint32_t parse(const char *fragment, struct rm_dtb_config *config)
{
	void *fdt = compile(fragment, 0);
	uint32_t error;

	if (!fdt)
		return ~0u;
	error = rm_dtb_parse(fdt, fdt_totalsize(fdt), config);
	free(fdt);
	return error;
}

static const struct tree {
	const char *what;
	uint32_t error;
	const char *fragment;
} trees[] = {
	{ "as it is", RM_OK, "" },
	/* Who and where */
	{ "other name", RM_OK,
	  "/delete-node/ &config;"
	  "/ { qcom,vm-config { image-name = \"a\"; memory { base-address = <0 0x80000000>; };"
	  " interrupts { config = \"/intc\"; };"
	  " vcpus { affinity-map = <0>; sched-timeslice = <100>; sched-priority = <(-1)>; };"
	  " }; };" },
	{ "no configuration", RM_MEM_INVALID, "/delete-node/ &config;" },
	{ "unit address", RM_MEM_INVALID,
	  "/delete-node/ &config; / { gunyah-vm-config@0 { image-name = \"a\";"
	  " interrupts { config = <&gic>; }; vcpus { affinity = \"proxy\"; }; }; };" },
	{ "configuration elsewhere", RM_MEM_INVALID,
	  "/delete-node/ &config; / { a { gunyah-vm-config { image-name = \"a\"; }; }; };" },
	{ "no image name", RM_MEM_INVALID, "&config { /delete-property/ image-name; };" },
	{ "empty image name", RM_MEM_INVALID, "&config { image-name = \"\"; };" },
	{ "image name without end", RM_MEM_INVALID, "&config { image-name = [61 62]; };" },
	{ "hypervisor node", RM_MEM_INVALID, "/ { hypervisor { }; };" },
	{ "memory node", RM_OK,
	  "/ { memory@80000000 { device_type = \"memory\"; reg = <0 0x80000000 0 0x1000>; }; };" },
	{ "memory elsewhere", RM_MEM_INVALID,
	  "/ { a { memory { device_type = \"memory\"; }; }; };" },
	{ "memory of another name", RM_MEM_INVALID, "/ { ram { device_type = \"memory\"; }; };" },
	{ "memory of a longer name", RM_MEM_INVALID,
	  "/ { memoryx { device_type = \"memory\"; }; };" },
	{ "no chosen yet", RM_OK, "/delete-node/ &chosen;" },
	{ "base at the end", RM_MEM_INVALID,
	  "&ram { base-address = <0xffffffff 0xfffff000>; };" },
	/* CPUs */
	{ "no vcpus", RM_MEM_INVALID, "/delete-node/ &vcpus;" },
	{ "unknown affinity", RM_MEM_INVALID, "&vcpus { affinity = \"fixed\"; };" },
	{ "pinned", RM_OK, "&vcpus { affinity = \"pinned\"; };" },
	{ "sticky", RM_OK, "&vcpus { affinity = \"sticky\"; };" },
	{ "static by default", RM_OK, "&vcpus { /delete-property/ affinity; };" },
	{ "no affinity map", RM_MEM_INVALID, "&vcpus { /delete-property/ affinity-map; };" },
	{ "no affinity map by default", RM_MEM_INVALID,
	  "&vcpus { /delete-property/ affinity; /delete-property/ affinity-map; };" },
	{ "no map, proxy", RM_OK,
	  "&vcpus { affinity = \"proxy\"; /delete-property/ affinity-map; };" },
	{ "map too short", RM_MEM_INVALID,
	  "&cpus { cpu@1 { device_type = \"cpu\"; reg = <1>; enable-method = \"psci\";"
	  " cpu-idle-states; }; };" },
	{ "no timeslice", RM_MEM_INVALID, "&vcpus { /delete-property/ sched-timeslice; };" },
	{ "shortest timeslice", RM_OK, "&vcpus { sched-timeslice = <100>; };" },
	{ "too short a timeslice", RM_MEM_INVALID, "&vcpus { sched-timeslice = <99>; };" },
	{ "longest timeslice", RM_OK, "&vcpus { sched-timeslice = <100000>; };" },
	{ "too long a timeslice", RM_MEM_INVALID, "&vcpus { sched-timeslice = <100001>; };" },
	{ "no timeslice, proxy", RM_OK,
	  "&vcpus { affinity = \"proxy\"; /delete-property/ sched-timeslice; };" },
	{ "the host's priority", RM_DENIED, "&vcpus { sched-priority = <0>; };" },
	{ "no priority", RM_DENIED, "&vcpus { /delete-property/ sched-priority; };" },
	{ "no priority, proxy", RM_OK,
	  "&vcpus { affinity = \"proxy\"; /delete-property/ sched-priority; };" },
	{ "no idle states", RM_MEM_INVALID, "&cpu0 { /delete-property/ cpu-idle-states; };" },
	{ "no idle states, proxy", RM_OK,
	  "&cpu0 { /delete-property/ cpu-idle-states; }; &vcpus { affinity = \"proxy\"; };" },
	{ "no idle states, no PSCI", RM_OK,
	  "&cpu0 { /delete-property/ cpu-idle-states; /delete-property/ enable-method; };" },
	{ "no cpus", RM_MEM_INVALID, "/delete-node/ &cpus;" },
	{ "no cpu", RM_MEM_INVALID, "/delete-node/ &cpu0;" },
	{ "no device type", RM_MEM_INVALID, "&cpu0 { /delete-property/ device_type; };" },
	{ "no boot cpu", RM_MEM_INVALID, "&cpu0 { status = \"disabled\"; };" },
	{ "cpus elsewhere", RM_OK,
	  "/delete-node/ &cpus; / { them { cpu@0 { device_type = \"cpu\"; }; }; };"
	  "&vcpus { config = \"/them\"; };" },
	{ "cpus nowhere", RM_MEM_INVALID, "&vcpus { config = \"/them\"; };" },
	{ "second cpu without a method", RM_MEM_INVALID,
	  "&vcpus { affinity-map = <0 1>; };"
	  "&cpus { cpu@1 { device_type = \"cpu\"; reg = <1>; cpu-idle-states; }; };" },
	{ "second cpu with another method", RM_MEM_INVALID,
	  "&vcpus { affinity-map = <0 1>; }; &cpus { cpu@1 { device_type = \"cpu\"; reg = <1>;"
	  " enable-method = \"spin-table\"; cpu-idle-states; }; };" },
	{ "second cpu by the hypervisor's method", RM_OK,
	  "&vcpus { affinity-map = <0 1>; }; &cpus { cpu@1 { device_type = \"cpu\"; reg = <1>;"
	  " enable-method = \"qcom,gunyah-hvc\"; cpu-idle-states; }; };" },
	{ "nine cpus", RM_MEM_INVALID,
	  "&vcpus { affinity-map = <0 1 2 3 4 5 6 7 8>; }; &cpu0 { enable-method = \"psci\"; };"
	  "&gic { reg = <0 0x3fff0000 0 0x10000 0 0x3f000000 0 0x400000>; };"
#define CPU(n) "cpu@" #n " { device_type = \"cpu\"; enable-method = \"psci\"; cpu-idle-states; };"
	  "&cpus {" CPU(1) CPU(2) CPU(3) CPU(4) CPU(5) CPU(6) CPU(7) CPU(8) "};" },
	/* Interrupt controller */
	{ "no interrupts", RM_MEM_INVALID, "/delete-node/ &interrupts;" },
	{ "no interrupts config", RM_MEM_INVALID,
	  "&interrupts { /delete-property/ config; };" },
	{ "GIC by path", RM_OK, "&interrupts { config = \"/intc\"; };" },
	{ "GIC by a path without end", RM_MEM_INVALID,
	  "&interrupts { config = [2f 69 6e 74 63]; };" },
	{ "GIC nowhere", RM_MEM_INVALID, "&interrupts { config = <0x1234>; };" },
	{ "another GIC", RM_MEM_INVALID, "&gic { compatible = \"arm,gic-400\"; };" },
	{ "GIC of two cells", RM_MEM_INVALID, "&gic { #interrupt-cells = <2>; };" },
	{ "no interrupt controller", RM_MEM_INVALID,
	  "&gic { /delete-property/ interrupt-controller; };" },
	{ "GIC to be placed", RM_OK, "&gic { /delete-property/ reg; };" },
	{ "half a GIC", RM_MEM_INVALID, "&gic { reg = <0 0x3fff0000 0 0x10000>; };" },
	{ "redistributor too small", RM_NORESOURCE,
	  "&gic { reg = <0 0x3fff0000 0 0x10000 0 0x3ffb0000 0 0x1f000>; };" },
	{ "redistributor just fits", RM_OK,
	  "&gic { reg = <0 0x3fff0000 0 0x10000 0 0x3ffd0000 0 0x20000>; };" },
	{ "redistributor over distributor", RM_NORESOURCE,
	  "&gic { reg = <0 0x3fff0000 0 0x10000 0 0x3ffd1000 0 0x20000>; };" },
	{ "distributor over redistributor", RM_NORESOURCE,
	  "&gic { reg = <0 0x3ffdf000 0 0x10000 0 0x3ffe0000 0 0x20000>; };" },
	/* Devices */
	{ "unknown device", RM_MEM_INVALID, "&bell { vdevice-type = \"bell\"; };" },
	{ "a device anywhere", RM_MEM_INVALID, "/ { x { y { vdevice-type = \"bell\"; }; }; };" },
	{ "message queues", RM_OK,
	  "/ { x { vdevice-type = \"message-queue-pair\"; };"
	  " y { vdevice-type = \"vrtc-pl031\"; }; };" },
	{ "rm-rpc without a place", RM_MEM_INVALID, "&rpc { /delete-property/ generate; };" },
	{ "doorbell without label", RM_MEM_INVALID, "&bell { /delete-property/ label; };" },
	{ "doorbell with the other label", RM_OK,
	  "&bell { /delete-property/ label; qcom,label = <5>; };" },
	{ "doorbell source without label", RM_MEM_INVALID,
	  "/ { x { vdevice-type = \"doorbell-source\"; }; };" },
	{ "doorbell source without an interrupt", RM_OK,
	  "/ { x { vdevice-type = \"doorbell-source\"; label = <5>; peer-default; }; };" },
	{ "doorbell without interrupt", RM_MEM_INVALID,
	  "&bell { /delete-property/ interrupts; };" },
	{ "doorbell with half an interrupt", RM_MEM_INVALID, "&bell { interrupts = <0 5>; };" },
	{ "doorbell with two interrupts", RM_MEM_INVALID,
	  "&bell { interrupts = <0 5 1 0 6 1>; };" },
	{ "doorbell with a private interrupt", RM_MEM_INVALID, "&bell { interrupts = <1 5 1>; };" },
	{ "doorbell of a falling edge", RM_MEM_INVALID, "&bell { interrupts = <0 5 2>; };" },
	{ "doorbell with the last interrupt", RM_OK, "&bell { interrupts = <0 987 1>; };" },
	{ "doorbell behind the last interrupt", RM_MEM_INVALID,
	  "&bell { interrupts = <0 988 1>; };" },
	{ "interrupt twice", RM_NORESOURCE,
	  "/ { x { vdevice-type = \"doorbell\"; label = <6>; peer-default;"
	  " interrupts = <0 5 4>; }; };" },
	{ "interrupt twice, for nobody", RM_OK,
	  "/ { x { vdevice-type = \"doorbell\"; label = <6>; interrupts = <0 5 4>; }; };" },
	{ "label twice", RM_OK,
	  "/ { x { vdevice-type = \"doorbell\"; label = <5>; peer-default;"
	  " interrupts = <0 6 1>; }; };" },
	{ "doorbell without a node", RM_OK, "&bell { /delete-property/ generate; };" },
	{ "doorbell's node at the root", RM_MEM_INVALID, "&bell { generate = \"/bell-5\"; };" },
	{ "doorbell's node without name", RM_MEM_INVALID,
	  "&bell { generate = \"/hypervisor/\"; };" },
	{ "doorbell's node further down", RM_MEM_INVALID,
	  "&bell { generate = \"/hypervisor/a/b\"; };" },
	{ "doorbell's node without end", RM_MEM_INVALID,
	  "&bell { generate = [2f 68 79 70 65 72 76 69 73 6f 72 2f 61 61]; };" },
	{ "doorbell's two nodes", RM_MEM_INVALID,
	  "&bell { generate = \"/hypervisor/a\", \"b\"; };" },
	{ "shm without label", RM_MEM_INVALID, "&shm_memory { /delete-property/ label; };" },
	{ "shm off page", RM_MEM_INVALID, "&shm_memory { base = <0 0x70000800>; };" },
	{ "shm at one cell", RM_MEM_INVALID, "&shm_memory { base = <0x70000000>; };" },
	{ "shm twice", RM_NORESOURCE,
	  "/ { x { vdevice-type = \"shm\"; label = <0x10>; }; };" },
};

static const struct tree *tree;

static void one_tree(void)
{
	struct rm_dtb_config config;

	CHECK_EQ(parse(tree->fragment, &config), tree->error);
}

static void what_is_found(void)
{
	struct rm_dtb_config c;

	CHECK_EQ(parse("", &c), RM_OK);
	CHECK_EQ(c.base, 0x80000000);
	CHECK(!c.proxy);
	CHECK(c.has_rpc);
	CHECK_EQ(c.cpus, 1);
	CHECK_EQ(c.gicd, 0x3fff0000);
	CHECK_EQ(c.gicr, 0x3ffb0000);
	CHECK_EQ(c.shms, 1);
	CHECK_EQ(c.shm[0].label, 0x10);
	CHECK(c.shm[0].has_base);
	CHECK_EQ(c.shm[0].base, 0x70000000);
	CHECK_EQ(c.bells, 1);
	CHECK_EQ(c.bell[0].label, 5);
	CHECK_EQ(c.bell[0].intid, 37);
	CHECK(!c.bell[0].source && c.bell[0].edge && !c.bell[0].can_clear);

	CHECK_EQ(parse("/delete-node/ &rpc; /delete-node/ &shm; /delete-node/ &bell;"
		       "&vcpus { affinity = \"proxy\"; }; &gic { /delete-property/ reg; };"
		       "&cpus { cpu@1 { device_type = \"cpu\";"
		       " enable-method = \"psci\"; }; };", &c),
		 RM_OK);
	CHECK(c.proxy);
	CHECK(!c.has_rpc);
	CHECK_EQ(c.cpus, 2);
	CHECK(!c.gicd && !c.gicr);
	CHECK_EQ(c.shms, 0);
	CHECK_EQ(c.bells, 0);
}

/* In the order of the tree, but for those that are not the host's */
static const char bells[] =
	"&bell { interrupts = <0 987 4>; source-can-clear; };"
	"/ { x { vdevice-type = \"doorbell-source\"; label = <9>; peer-default;"
	"  generate = \"/hypervisor/src@9\"; };"
	" y { vdevice-type = \"doorbell\"; qcom,label = <7>; interrupts = <0 7 1>;"
	"  generate = \"/hypervisor/none\"; };"
	" z { vdevice-type = \"doorbell\"; qcom,label = <8>; interrupts = <0 8 1>;"
	"  peer-default; };"
	" zz { vdevice-type = \"doorbell\"; qcom,label = <0x10>; interrupts = <0 9 1>;"
	"  peer-default; generate = \"/hypervisor/bell-10\"; }; };";

static void doorbells(void)
{
	struct rm_dtb_config c;

	CHECK_EQ(parse(bells, &c), RM_OK);
	CHECK_EQ(c.bells, 4);
	CHECK_EQ(c.bell[0].label, 5);
	CHECK_EQ(c.bell[0].intid, 1019);
	CHECK(!c.bell[0].source && !c.bell[0].edge && c.bell[0].can_clear);
	CHECK_EQ(c.bell[1].label, 9);
	CHECK(c.bell[1].source && !c.bell[1].can_clear);
	CHECK_EQ(c.bell[2].label, 8);
	CHECK_EQ(c.bell[2].intid, 40);
	CHECK_EQ(c.bell[3].label, 0x10);
	CHECK_EQ(c.bell[3].intid, 41);
}

/* With the one that is there */
static void many_doorbells(void)
{
	char *fragment = malloc(0x20000);
	struct rm_dtb_config c;
	uint32_t n, i;
	int len;

	if (!fragment)
		abort();
	for (n = RM_DTB_MAX_BELLS - 1; n <= RM_DTB_MAX_BELLS; n++) {
		len = sprintf(fragment, "/ {");
		for (i = 0; i < n; i++)
			len += sprintf(fragment + len,
				       " x%u { vdevice-type = \"doorbell\"; label = <%u>;"
				       " peer-default; interrupts = <0 %u 1>; };",
				       i, 100 + i, 100 + i);
		sprintf(fragment + len, "};");
		CHECK_EQ(parse(fragment, &c), n < RM_DTB_MAX_BELLS ? RM_OK : RM_NORESOURCE);
		CHECK_EQ(c.bells, RM_DTB_MAX_BELLS);
	}
	CHECK_EQ(c.bell[RM_DTB_MAX_BELLS - 1].label, 100 + RM_DTB_MAX_BELLS - 2);
	free(fragment);
}

static void base_address(void)
{
	static const struct {
		const char *fragment;
		uint64_t base;
	} rows[] = {
		{ "&ram { /delete-property/ base-address; };", 0x28800000 },
		{ "/delete-node/ &ram;", 0x28800000 },
		{ "&ram { base-address = <0 0>; };", 0 },
		{ "&ram { base-address = <0 1>; };", 0x200000 },
		{ "&ram { base-address = <0 0x80000001>; };", 0x80200000 },
		{ "&ram { base-address = <0 0x801fffff>; };", 0x80200000 },
		{ "&ram { base-address = <0x12 0x80000000>; };", 0x1280000000 },
		/* Another number of cells than announced is ignored. */
		{ "&ram { base-address = <0x80000000>; };", 0x28800000 },
		{ "&ram { #address-cells = <1>; base-address = <0x80000000>; };", 0x80000000 },
		{ "&ram { /delete-property/ #address-cells; };", 0x80000000 },
	};
	struct rm_dtb_config c;
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_EQ(parse(rows[i].fragment, &c), RM_OK);
		CHECK_EQ(c.base, rows[i].base);
	}
}

static void shared_memory(void)
{
	char fragment[4096];
	struct rm_dtb_config c;
	uint32_t n, i;
	int len;

	/* With the one that is there */
	for (n = RM_DTB_MAX_SHM - 1; n <= RM_DTB_MAX_SHM; n++) {
		len = sprintf(fragment, "/ {");
		for (i = 0; i < n; i++)
			len += sprintf(fragment + len,
				       " x%u { vdevice-type = \"shm\"; qcom,label = <%u>; };", i,
				       0x100 + i);
		sprintf(fragment + len, "};");
		CHECK_EQ(parse(fragment, &c),
			 n < RM_DTB_MAX_SHM ? RM_OK : RM_NORESOURCE);
	}
	CHECK_EQ(c.shms, RM_DTB_MAX_SHM);
	for (i = 0; i + 1 < RM_DTB_MAX_SHM; i++) {
		CHECK_EQ(c.shm[i + 1].label, 0x100 + i);
		CHECK(!c.shm[i + 1].has_base);
	}
	/* The memory's label comes before the device's. */
	CHECK_EQ(parse("&shm { label = <3>; };", &c), RM_OK);
	CHECK_EQ(c.shm[0].label, 0x10);
}

static void space(void)
{
	struct rm_dtb_config c;
	void *fdt = compile("", 0);
	uint64_t i, size;

	if (!fdt)
		return;
	size = fdt_totalsize(fdt);
	CHECK_EQ(rm_dtb_parse(fdt, size, &c), RM_OK);
	CHECK_EQ(rm_dtb_parse(fdt, 1ull << 40, &c), RM_OK);
	CHECK_EQ(rm_dtb_parse(fdt, size - 1, &c), RM_MEM_INVALID);
	for (i = 0; i < 64; i++)
		CHECK_EQ(rm_dtb_parse(fdt, i, &c), RM_MEM_INVALID);
	free(fdt);
	/* Room behind the tree that belongs to it counts. */
	fdt = compile("", 0x1000);
	if (!fdt)
		return;
	CHECK_EQ(rm_dtb_parse(fdt, size, &c), RM_MEM_INVALID);
	CHECK_EQ(rm_dtb_parse(fdt, size + 0x1000, &c), RM_OK);
	free(fdt);
}

static const struct rm_dtb_memory memory[] = {
	{ 0x80000000, 0x4000000 },
	{ 0x1234567000, 0x1000 },
};

/* Each byte of the tree changed in turn: any verdict will do, overruns will not. */
static void broken_trees(void)
{
	struct rm_dtb_config c;
	uint8_t *fdt = compile("", 0x200), *copy;
	uint32_t size, i, k, parsed = 0, finished = 0;

	if (!fdt)
		return;
	size = fdt_totalsize(fdt);
	copy = malloc(size);
	if (!copy)
		abort();
	for (i = 0; i < size; i++) {
		static const uint8_t change[] = { 0xff, 0x01, 0x80 };

		for (k = 0; k < ARRAY_SIZE(change); k++) {
			memcpy(copy, fdt, size);
			copy[i] ^= change[k];
			if (rm_dtb_parse(copy, size, &c))
				continue;
			parsed++;
			finished += !rm_dtb_finish(copy, size, &c, memory, ARRAY_SIZE(memory));
		}
	}
	free(copy);
	/* Some get past the checks, most of those to the end: it was not for nothing. */
	CHECK(parsed > 100);
	CHECK(finished > 100);
	CHECK_EQ(rm_dtb_parse(fdt, size, &c), RM_OK);
	memset(fdt, 0, size);
	CHECK_EQ(rm_dtb_parse(fdt, size, &c), RM_MEM_INVALID);
	memset(fdt, 0xff, size);
	CHECK_EQ(rm_dtb_parse(fdt, size, &c), RM_MEM_INVALID);
	free(fdt);
}

/* Parse and finish in memory of just that size */
static uint32_t finish(const char *fragment, uint64_t room, void **result)
{
	struct rm_dtb_config config;
	void *fdt = compile(fragment, 0);
	uint32_t error;

	*result = NULL;
	if (!fdt)
		return ~0u;
	fdt = realloc(fdt, room);
	if (!fdt)
		abort();
	error = rm_dtb_parse(fdt, room, &config);
	if (CHECK(!error))
		error = rm_dtb_finish(fdt, room, &config, memory, ARRAY_SIZE(memory));
	*result = fdt;
	return error;
}

static void what_is_added(void)
{
	const fdt64_t *reg;
	int node, len;
	void *fdt;

	CHECK_EQ(finish("", 0x10000, &fdt), RM_OK);
	if (!fdt)
		return;
	CHECK(!fdt_check_header(fdt));
	node = fdt_path_offset(fdt, "/hypervisor");
	CHECK(node > 0 && !fdt_node_check_compatible(fdt, node, "gunyah-hypervisor"));
	CHECK_EQ(fdt_address_cells(fdt, node), 2);
	CHECK_EQ(fdt_size_cells(fdt, node), 0);
	node = fdt_path_offset(fdt, "/memory");
	CHECK(node > 0);
	CHECK(!strcmp(fdt_getprop(fdt, node, "device_type", NULL), "memory"));
	reg = fdt_getprop(fdt, node, "reg", &len);
	if (CHECK(len == 32)) {
		CHECK_EQ(fdt64_ld(reg), memory[0].addr);
		CHECK_EQ(fdt64_ld(reg + 1), memory[0].size);
		CHECK_EQ(fdt64_ld(reg + 2), memory[1].addr);
		CHECK_EQ(fdt64_ld(reg + 3), memory[1].size);
	}
	node = fdt_path_offset(fdt, "/chosen");
	CHECK(fdt_getprop(fdt, node, "kaslr-seed", &len) && len == 8);
	CHECK(!strcmp(fdt_getprop(fdt, node, "bootargs", NULL), "probe"));
	free(fdt);
}

static void check_node(const void *fdt, const char *path, const char *compatible, uint64_t cap,
		       uint32_t label, uint32_t spi, uint32_t flags)
{
	int node = fdt_path_offset(fdt, path), len;
	const fdt32_t *p;

	if (!CHECK(node > 0))
		return;
	CHECK(!fdt_node_check_compatible(fdt, node, compatible));
	p = fdt_getprop(fdt, node, "reg", &len);
	if (CHECK(p && len == 8))
		CHECK_EQ(fdt64_ld((const fdt64_t *)p), cap);
	p = fdt_getprop(fdt, node, "label", &len);
	if (CHECK(p && len == 4))
		CHECK_EQ(fdt32_ld(p), label);
	p = fdt_getprop(fdt, node, "interrupts", &len);
	if (!spi) {
		CHECK(!p);
	} else if (CHECK(p && len == 12)) {
		CHECK_EQ(fdt32_ld(p), 0);
		CHECK_EQ(fdt32_ld(p + 1), spi);
		CHECK_EQ(fdt32_ld(p + 2), flags);
	}
}

static void doorbells_are_added(void)
{
	int node, n = 0;
	void *fdt;

	CHECK_EQ(finish(bells, 0x10000, &fdt), RM_OK);
	if (!fdt)
		return;
	check_node(fdt, "/hypervisor/bell-5", "gunyah-doorbell", 0, 5, 987, 4);
	check_node(fdt, "/hypervisor/src@9", "gunyah-doorbell-source", 1, 9, 0, 0);
	check_node(fdt, "/hypervisor/bell-10", "gunyah-doorbell", 3, 0x10, 9, 1);
	fdt_for_each_subnode(node, fdt, fdt_path_offset(fdt, "/hypervisor"))
		n++;
	CHECK_EQ(n, 3);
	free(fdt);
}

static void memory_is_replaced(void)
{
	int node, len, n = 0;
	void *fdt;

	CHECK_EQ(finish("/ { memory@0 { device_type = \"memory\"; reg = <0 0 0 1>; };"
			" memory@1 { device_type = \"memory\"; reg = <0 1 0 1>; };"
			" z { }; memory@2 { }; };", 0x10000, &fdt), RM_OK);
	if (!fdt)
		return;
	fdt_for_each_subnode(node, fdt, 0) {
		if (memcmp(fdt_get_name(fdt, node, NULL), "memory", 6))
			continue;
		n++;
		CHECK(fdt_getprop(fdt, node, "reg", &len) && len == 32);
	}
	CHECK_EQ(n, 1);
	CHECK(fdt_path_offset(fdt, "/z") > 0);
	/* The configuration's own is another matter. */
	CHECK(fdt_path_offset(fdt, "/gunyah-vm-config/memory") > 0);
	free(fdt);
}

static void what_cannot_be_finished(void)
{
	void *fdt;

	CHECK_EQ(finish("/delete-node/ &chosen;", 0x10000, &fdt), RM_NORESOURCE);
	free(fdt);
	/* An address that does not fit into the root's cells */
	CHECK_EQ(finish("/ { #address-cells = <1>; };"
			"&gic { /delete-property/ reg; };", 0x10000, &fdt), RM_NORESOURCE);
	free(fdt);
	/* Two nodes of one name */
	CHECK_EQ(finish("/ { x { vdevice-type = \"doorbell-source\"; label = <1>; peer-default;"
			" generate = \"/hypervisor/bell-5\"; }; };", 0x10000, &fdt),
		 RM_NORESOURCE);
	free(fdt);
}

static void room_to_grow(void)
{
	static const uint32_t sizes[] = { 0x3000, 0x4800, 0x1e000, 0x24000 };
	char *fragment = malloc(0x100000), *p;
	uint32_t i, k, error, final;
	void *fdt;

	if (!fragment)
		abort();
	/* How large is the finished tree? It must fit, and nothing is written if not. */
	CHECK_EQ(finish("", 0x10000, &fdt), RM_OK);
	if (fdt) {
		final = fdt_totalsize(fdt);
		free(fdt);
		CHECK_EQ(finish("", final, &fdt), RM_OK);
		free(fdt);
		CHECK_EQ(finish("", final - 1, &fdt), RM_NORESOURCE);
		CHECK(fdt_path_offset(fdt, "/hypervisor") < 0);
		free(fdt);
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = fragment + sprintf(fragment, "/ { filler = [");
		for (k = 0; k < sizes[i]; k++)
			p += sprintf(p, "00 ");
		sprintf(p, "]; };");
		error = finish(fragment, 0x40000, &fdt);
		if (sizes[i] == 0x24000) {
			/* More than this hypervisor has room for */
			CHECK_EQ(error, RM_NOMEM);
			free(fdt);
			break;
		}
		CHECK_EQ(error, RM_OK);
		final = fdt_totalsize(fdt);
		free(fdt);
		/* Up to 16 KiB it only has to fit, above that twice. */
		CHECK_EQ(finish(fragment, 2 * final, &fdt), RM_OK);
		free(fdt);
		CHECK_EQ(finish(fragment, 2 * final - 1, &fdt),
			 final > 0x4000 ? RM_NORESOURCE : RM_OK);
		free(fdt);
	}
	free(fragment);
}

void rm_dtb_tests(const char *dts, const char *scratch)
{
	char name[128];
	size_t i;

	dts_dir = dts;
	scratch_dir = scratch;
	for (i = 0; i < ARRAY_SIZE(trees); i++) {
		tree = &trees[i];
		snprintf(name, sizeof(name), "devicetree: %s", tree->what);
		test_run(name, one_tree);
	}
	RUN(what_is_found);
	RUN(doorbells);
	RUN(many_doorbells);
	RUN(base_address);
	RUN(shared_memory);
	RUN(space);
	RUN(broken_trees);
	RUN(what_is_added);
	RUN(doorbells_are_added);
	RUN(memory_is_replaced);
	RUN(what_cannot_be_finished);
	RUN(room_to_grow);
}

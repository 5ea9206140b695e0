// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devicetree: what QEMU says about the machine and the command line, and
 * what the host is told instead, which is the same without the hypervisor's RAM
 * and CPU and with the /hypervisor node that the resource manager would add.
 *
 * Runs on the boot CPU only. The tree is edited in a buffer of its own and
 * put back where QEMU had it, so x0 is for the host what it was for us.
 */
#include <libfdt.h>
#include "hyp.h"
#include "../lab_ctl.h"

#define FDT_ROOM	0x200000UL

static u8 buffer[FDT_ROOM] __aligned(8);

static int check(int ret, const char *what)
{
	if (ret < 0)
		panic("devicetree: %s: error %u of libfdt", what, -ret);
	return ret;
}

static int node_by_prop(const void *fdt, const char *name, const char *value)
{
	return fdt_node_offset_by_prop_value(fdt, -1, name, value, strlen(value) + 1);
}

static u64 read_reg(const void *fdt, int node, u32 index)
{
	int len;
	const fdt64_t *reg = fdt_getprop(fdt, node, "reg", &len);

	if (!reg || (u32)len < (index + 1) * sizeof(*reg))
		panic("devicetree: node without reg");
	return fdt64_to_cpu(reg[index]);
}

/* Finds "name=" at the start of a word and returns what follows. */
static const char *option(const char *args, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = args; *p; p++) {
		if ((p == args || p[-1] == ' ') && !strncmp(p, name, len))
			return p + len;
	}
	return NULL;
}

static bool is_word(const char *p, const char *word)
{
	size_t len = strlen(word);

	return !strncmp(p, word, len) && (p[len] == ' ' || !p[len]);
}

static void read_options(const char *args)
{
	const char *p = option(args, "hyp.policy=");

	if (p && is_word(p, "debug"))
		config.policy = RM_POLICY_DEBUG;
	else if (p && !is_word(p, "production"))
		panic("hyp.policy= must be production or debug");

	p = option(args, "hyp.seed=");
	for (; p && *p >= '0' && *p <= '9'; p++)
		config.seed = config.seed * 10 + *p - '0';

	p = option(args, "hyp.node=");
	config.plain_node = p && is_word(p, "binding");
	if (p && !config.plain_node)
		panic("hyp.node= must be binding");

	p = option(args, "hyp.qcom=");
	config.qcom = p && is_word(p, "1");

	p = option(args, "hyp.verbose=");
	config.verbose = p && is_word(p, "1");
}

void hostfdt_read(const void *fdt)
{
	const char *args;
	int node, cpu, len;
	u32 seen = 0;

	/* Behind HYP_RAM_SIZE in the first GiB is all that is mapped so far. */
	if ((u64)fdt < HOST_ENTRY || (u64)fdt >= HYP_RAM_BASE + BIT(30) - FDT_ROOM)
		panic("devicetree at %lx is not in the host's RAM", (u64)fdt);
	check(fdt_check_header(fdt), "header");

	config.policy = RM_POLICY_PRODUCTION;
	node = fdt_path_offset(fdt, "/chosen");
	args = node < 0 ? NULL : fdt_getprop(fdt, node, "bootargs", NULL);
	if (args)
		read_options(args);

	node = check(node_by_prop(fdt, "device_type", "memory"), "memory");
	if (read_reg(fdt, node, 0) != HYP_RAM_BASE)
		panic("RAM does not start at %x", HYP_RAM_BASE);
	config.ram_end = HYP_RAM_BASE + read_reg(fdt, node, 1);
	if (config.ram_end < HOST_ENTRY + FDT_ROOM || (config.ram_end & ~PAGE_MASK))
		panic("RAM ends at %lx", config.ram_end);

	node = check(fdt_node_offset_by_compatible(fdt, -1, "arm,gic-v3"), "GICv3");
	config.gicd = read_reg(fdt, node, 0);
	config.gicr = read_reg(fdt, node, 2);

	node = check(fdt_path_offset(fdt, "/cpus"), "cpus");
	fdt_for_each_subnode(cpu, fdt, node) {
		const fdt32_t *reg = fdt_getprop(fdt, cpu, "reg", &len);

		if (!reg)
			continue;
		if (fdt32_to_cpu(*reg) >= MAX_CPUS)
			panic("more than %u CPUs", MAX_CPUS);
		seen |= BIT(fdt32_to_cpu(*reg));
		config.cpus++;
	}
	if (seen != BIT(config.cpus) - 1)
		panic("CPUs are not numbered from 0");
	if (config.cpus < 2)
		panic("no CPU of its own for the hypervisor, use -smp 2 or more");
}

static void set_u32(void *fdt, int node, const char *name, u32 v)
{
	check(fdt_setprop_u32(fdt, node, name, v), name);
}

static void set_flag(void *fdt, int node, const char *name)
{
	check(fdt_setprop_empty(fdt, node, name), name);
}

#define set_strings(fdt, node, name, s) check(fdt_setprop(fdt, node, name, s, sizeof(s)), name)

static void hide_memory(void *fdt)
{
	int node = check(node_by_prop(fdt, "device_type", "memory"), "memory");
	fdt64_t reg[2] = { cpu_to_fdt64(HOST_ENTRY), cpu_to_fdt64(config.ram_end - HOST_ENTRY) };
	char name[32];

	check(fdt_setprop_inplace(fdt, node, "reg", reg, sizeof(reg)), "memory reg");
	format(name, sizeof(name), "memory@%x", HOST_ENTRY);
	check(fdt_set_name(fdt, node, name), "memory name");
}

static void hide_cpu(void *fdt)
{
	char path[32];
	int map = fdt_path_offset(fdt, "/cpus/cpu-map");

	/* The map would refer to the CPU that is gone, and no host needs it. */
	if (map >= 0)
		check(fdt_del_node(fdt, map), "cpu-map");
	format(path, sizeof(path), "/cpus/cpu@%x", config.cpus - 1);
	check(fdt_del_node(fdt, check(fdt_path_offset(fdt, path), path)), "cpu");
}

/* The PCI host's registers are above what the host's stage 2 gives it as devices. */
static void hide_pci(void *fdt)
{
	int node = fdt_node_offset_by_compatible(fdt, -1, "pci-host-ecam-generic");

	if (node >= 0)
		check(fdt_del_node(fdt, node), "pci");
}

/*
 * As the public resource manager writes it, or as little as the binding asks for, with
 * one difference: the interrupts are not SPI 928 and 929, which QEMU's distributor does
 * not have (see gic.c).
 */
static void add_hypervisor(void *fdt)
{
	fdt64_t caps[2] = { cpu_to_fdt64(config.tx_cap), cpu_to_fdt64(config.rx_cap) };
	fdt32_t irqs[6] = {
		cpu_to_fdt32(0), cpu_to_fdt32(HOST_SPI_TX), cpu_to_fdt32(1),
		cpu_to_fdt32(0), cpu_to_fdt32(HOST_SPI_RX), cpu_to_fdt32(1),
	};
	char name[64];
	int hyp, node;

	hyp = check(fdt_add_subnode(fdt, 0, "hypervisor"), "hypervisor");
	set_u32(fdt, hyp, "#address-cells", 2);
	set_u32(fdt, hyp, "#size-cells", 0);
	if (config.plain_node)
		set_strings(fdt, hyp, "compatible", "gunyah-hypervisor");
	else
		set_strings(fdt, hyp, "compatible",
			    "qcom,gunyah-hypervisor-1.0\0qcom,gunyah-hypervisor\0simple-bus");

	format(name, sizeof(name), "%s@%016lx", config.plain_node ? "gunyah-resource-mgr" :
	       "qcom,resource-manager-rpc", config.tx_cap);
	node = check(fdt_add_subnode(fdt, hyp, name), name);
	check(fdt_setprop(fdt, node, "reg", caps, sizeof(caps)), "reg");
	check(fdt_setprop(fdt, node, "interrupts", irqs, sizeof(irqs)), "interrupts");
	if (config.plain_node) {
		set_strings(fdt, node, "compatible", "gunyah-resource-manager");
		return;
	}

	set_strings(fdt, node, "compatible",
		    "gunyah-resource-manager\0qcom,resource-manager-1-0\0qcom,resource-manager");
	set_flag(fdt, node, "qcom,is-full-duplex");
	set_u32(fdt, node, "qcom,tx-message-size", RM_PACKET_SIZE);
	set_u32(fdt, node, "qcom,rx-message-size", RM_PACKET_SIZE);
	set_u32(fdt, node, "qcom,tx-queue-depth", 8);
	set_u32(fdt, node, "qcom,rx-queue-depth", 8);
	set_u32(fdt, node, "qcom,free-irq-start", HOST_SPI_TX + 32);

	node = check(fdt_add_subnode(fdt, hyp, "qcom,gunyah-vm"), "gunyah-vm");
	set_strings(fdt, node, "compatible", "qcom,gunyah-vm-id-1.0\0qcom,gunyah-vm-id");
	set_u32(fdt, node, "qcom,vmid", RM_HOST_VMID);
	set_strings(fdt, node, "qcom,vendor", "Qualcomm");
}

static void add_control(void *fdt)
{
	fdt64_t reg[2] = { cpu_to_fdt64(GH_LAB_CTL_BASE), cpu_to_fdt64(GH_LAB_CTL_SIZE) };
	char name[64];
	int node;

	format(name, sizeof(name), "gunyah-test-control@%x", GH_LAB_CTL_BASE);
	node = check(fdt_add_subnode(fdt, 0, name), name);
	set_strings(fdt, node, "compatible", GH_LAB_CTL_COMPATIBLE);
	check(fdt_setprop(fdt, node, "reg", reg, sizeof(reg)), "reg");
}

/* What makes Linux bind qcom_scm */
static void add_scm(void *fdt)
{
	int node = check(fdt_add_subnode(fdt, 0, "firmware"), "firmware");

	node = check(fdt_add_subnode(fdt, node, "scm"), "scm");
	set_strings(fdt, node, "compatible", "qcom,scm");
}

void hostfdt_finish(void *fdt)
{
	check(fdt_open_into(fdt, buffer, sizeof(buffer)), "open");
	hide_memory(buffer);
	hide_cpu(buffer);
	hide_pci(buffer);
	add_hypervisor(buffer);
	add_control(buffer);
	if (config.qcom)
		add_scm(buffer);
	check(fdt_pack(buffer), "pack");

	/* QEMU puts it behind all that it loads, 2 MiB aligned. */
	if ((u64)fdt + FDT_ROOM > config.ram_end)
		panic("no room for the devicetree at %lx", (u64)fdt);
	memcpy(fdt, buffer, fdt_totalsize(buffer));
	/* The host reads it with its caches off. */
	cache_clean_inval((u64)fdt, FDT_ROOM);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libfdt.h>

#include "gh_guest.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

int gh_mem_alloc(struct gh_mem *mem, const char *name, size_t size)
{
	void *addr;
	int fd, err;

	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size))
		goto err_close;
	addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED)
		goto err_close;

	mem->fd = fd;
	mem->addr = addr;
	mem->size = size;
	return 0;

err_close:
	err = -errno;
	close(fd);
	return err;
}

void gh_mem_free(struct gh_mem *mem)
{
	if (!mem->addr)
		return;
	munmap(mem->addr, mem->size);
	close(mem->fd);
	mem->addr = NULL;
}

int gh_read_file(const char *path, void **data, size_t *size)
{
	size_t done = 0;
	struct stat st;
	char *buf;
	ssize_t n;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		err = -errno;
		goto out_close;
	}
	if (S_ISDIR(st.st_mode)) {
		err = -EISDIR;
		goto out_close;
	}

	/* One byte more, so that malloc(0) does not happen */
	buf = malloc(st.st_size + 1);
	if (!buf) {
		err = -ENOMEM;
		goto out_close;
	}
	while (done < (size_t)st.st_size) {
		n = read(fd, buf + done, st.st_size - done);
		if (n < 0) {
			err = -errno;
			free(buf);
			goto out_close;
		}
		if (!n)
			break;
		done += n;
	}

	*data = buf;
	*size = done;
	err = 0;

out_close:
	close(fd);
	return err;
}

uint64_t gh_image_extent(const void *image, size_t size)
{
	/* The parts of the header of an arm64 Image that matter here */
	const size_t size_at = 16, magic_at = 56, header = 64;
	const char *p = image;
	uint64_t extent;

	if (size < header || memcmp(p + magic_at, "ARM\x64", 4))
		return size;
	memcpy(&extent, p + size_at, sizeof(extent));
	extent = le64toh(extent);
	return extent > size ? extent : size;
}

/* Keeps the first error, so that the tree below reads like a tree */
struct builder {
	void *fdt;
	int err;
};

static void begin(struct builder *b, const char *name)
{
	if (!b->err)
		b->err = fdt_begin_node(b->fdt, name);
}

static void end(struct builder *b)
{
	if (!b->err)
		b->err = fdt_end_node(b->fdt);
}

static void prop(struct builder *b, const char *name, const void *value, int size)
{
	if (!b->err)
		b->err = fdt_property(b->fdt, name, value, size);
}

static void flag(struct builder *b, const char *name)
{
	prop(b, name, "", 0);
}

static void str(struct builder *b, const char *name, const char *value)
{
	prop(b, name, value, strlen(value) + 1);
}

static void u32(struct builder *b, const char *name, uint32_t value)
{
	if (!b->err)
		b->err = fdt_property_u32(b->fdt, name, value);
}

static void u64(struct builder *b, const char *name, uint64_t value)
{
	if (!b->err)
		b->err = fdt_property_u64(b->fdt, name, value);
}

enum { PHANDLE_GIC = 1, PHANDLE_IDLE };

#define GICD_BASE	0x3fff0000
#define GICD_SIZE	0x10000
#define GICR_SIZE	0x20000		/* for each CPU, below the distributor */

static void build_idle_state(struct builder *b)
{
	begin(b, "idle-states");
	str(b, "entry-method", "psci");
	begin(b, "idle");
	str(b, "compatible", "arm,idle-state");
	u32(b, "arm,psci-suspend-param", 0);
	u32(b, "entry-latency-us", 1);
	u32(b, "exit-latency-us", 1);
	u32(b, "min-residency-us", 1);
	u32(b, "phandle", PHANDLE_IDLE);
	end(b);
	end(b);
}

static void build_cpus(struct builder *b, const struct gh_dtb_options *options)
{
	unsigned int cpu, n = options->vcpus ? options->vcpus : 1;
	char name[16];

	begin(b, "cpus");
	u32(b, "#address-cells", 1);
	u32(b, "#size-cells", 0);
	for (cpu = 0; cpu < n; cpu++) {
		snprintf(name, sizeof(name), "cpu@%x", cpu);
		begin(b, name);
		str(b, "device_type", "cpu");
		str(b, "compatible", "arm,arm-v8");
		u32(b, "reg", cpu);
		str(b, "enable-method", "psci");
		/* Demanded of a CPU that the host does not schedule, if there is PSCI */
		if (!options->vcpus)
			u32(b, "cpu-idle-states", PHANDLE_IDLE);
		end(b);
	}
	if (!options->vcpus)
		build_idle_state(b);
	end(b);
}

static void build_timer(struct builder *b)
{
	/* Secure and not secure physical, virtual and hypervisor timer; level, high */
	static const uint32_t ppis[] = { 13, 14, 11, 10 };
	fdt32_t interrupts[3 * ARRAY_SIZE(ppis)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ppis); i++) {
		interrupts[3 * i] = cpu_to_fdt32(1);
		interrupts[3 * i + 1] = cpu_to_fdt32(ppis[i]);
		interrupts[3 * i + 2] = cpu_to_fdt32(4);
	}
	begin(b, "timer");
	str(b, "compatible", "arm,armv8-timer");
	prop(b, "interrupts", interrupts, sizeof(interrupts));
	flag(b, "always-on");
	end(b);
}

static void build_machine(struct builder *b, const struct gh_dtb_options *options)
{
	static const char psci[] = "arm,psci-1.0\0arm,psci-0.2";
	/* A CPU that the hypervisor schedules gets the redistributors of two */
	const uint64_t gicr = GICR_SIZE * (options->vcpus ? options->vcpus : 2);
	const fdt64_t gic_reg[] = {
		cpu_to_fdt64(GICD_BASE), cpu_to_fdt64(GICD_SIZE),
		cpu_to_fdt64(GICD_BASE - gicr), cpu_to_fdt64(gicr),
	};

	/* The resource manager adds to /chosen and does not create it */
	begin(b, "chosen");
	if (options->cmdline)
		str(b, "bootargs", options->cmdline);
	end(b);

	build_cpus(b, options);

	begin(b, "psci");
	prop(b, "compatible", psci, sizeof(psci));
	str(b, "method", "hvc");
	end(b);

	begin(b, "intc@3fff0000");
	str(b, "compatible", "arm,gic-v3");
	u32(b, "#interrupt-cells", 3);
	flag(b, "interrupt-controller");
	u32(b, "#address-cells", 2);
	u32(b, "#size-cells", 2);
	prop(b, "reg", gic_reg, sizeof(gic_reg));
	u32(b, "phandle", PHANDLE_GIC);
	end(b);

	if (options->vcpus)
		build_timer(b);
}

static void build_vcpus(struct builder *b, const struct gh_dtb_options *options)
{
	begin(b, "vcpus");
	if (options->vcpus) {
		str(b, "affinity", "proxy");
	} else {
		str(b, "affinity", "static");
		u32(b, "affinity-map", 1);
		u32(b, "sched-timeslice", 5000);
		/* Below the host's, else the guest is refused */
		u32(b, "sched-priority", -1);
	}
	end(b);
}

static void build_shm(struct builder *b, const struct gh_shm *shm)
{
	char name[32];

	snprintf(name, sizeof(name), "shm-%x", shm->label);
	begin(b, name);
	str(b, "vdevice-type", "shm");
	snprintf(name, sizeof(name), "/hypervisor/shm-%x", shm->label);
	str(b, "generate", name);
	u32(b, "label", shm->label);
	flag(b, "peer-default");
	u64(b, "dma_base", 0);
	begin(b, "memory");
	u32(b, "label", shm->label);
	u32(b, "#address-cells", 2);
	u64(b, "base", shm->base);
	end(b);
	end(b);
}

static void build_bell(struct builder *b, const struct gh_bell *bell)
{
	const fdt32_t interrupts[] = {
		cpu_to_fdt32(0), cpu_to_fdt32(bell->spi), cpu_to_fdt32(bell->level ? 4 : 1),
	};
	char name[32];

	snprintf(name, sizeof(name), "bell-%x", bell->label);
	begin(b, name);
	str(b, "vdevice-type", "doorbell");
	snprintf(name, sizeof(name), "/hypervisor/bell-%x", bell->label);
	str(b, "generate", name);
	u32(b, "label", bell->label);
	flag(b, "peer-default");
	flag(b, "source-can-clear");
	prop(b, "interrupts", interrupts, sizeof(interrupts));
	end(b);
}

/* Not for the guest: what the resource manager is to make for it */
static void build_vm_config(struct builder *b, const struct gh_dtb_options *options)
{
	unsigned int i;

	begin(b, "gunyah-vm-config");
	str(b, "image-name", "gh-vmm");
	str(b, "os-type", "linux");

	begin(b, "memory");
	u32(b, "#address-cells", 2);
	u32(b, "#size-cells", 2);
	u64(b, "base-address", options->base);
	end(b);

	begin(b, "interrupts");
	u32(b, "config", PHANDLE_GIC);
	end(b);

	build_vcpus(b, options);

	begin(b, "vdevices");
	str(b, "generate", "/hypervisor");
	for (i = 0; i < options->n_shm; i++)
		build_shm(b, &options->shm[i]);
	for (i = 0; i < options->n_bells; i++)
		build_bell(b, &options->bells[i]);
	end(b);

	end(b);
}

int gh_fdt_errno(int err)
{
	if (!err)
		return 0;
	return err == -FDT_ERR_NOSPACE ? -ENOSPC : -EINVAL;
}

int gh_dtb_build(void *dtb, size_t size, const struct gh_dtb_options *options)
{
	struct builder b = { .fdt = dtb };

	b.err = fdt_create(dtb, size);
	if (!b.err)
		b.err = fdt_finish_reservemap(dtb);

	begin(&b, "");
	u32(&b, "#address-cells", 2);
	u32(&b, "#size-cells", 2);
	str(&b, "compatible", "linux,dummy-virt");
	u32(&b, "interrupt-parent", PHANDLE_GIC);
	build_machine(&b, options);
	build_vm_config(&b, options);
	end(&b);

	if (!b.err)
		b.err = fdt_finish(dtb);
	return gh_fdt_errno(b.err);
}

int gh_dtb_copy(void *dtb, size_t size, const void *from, const char *cmdline)
{
	int node, err;

	err = fdt_open_into(from, dtb, size);
	if (err || !cmdline)
		goto out;

	node = fdt_path_offset(dtb, "/chosen");
	if (node == -FDT_ERR_NOTFOUND)
		node = fdt_add_subnode(dtb, 0, "chosen");
	err = node < 0 ? node : fdt_setprop_string(dtb, node, "bootargs", cmdline);
out:
	/* Space to grow is the window's, not the tree's */
	if (!err)
		err = fdt_pack(dtb);
	return gh_fdt_errno(err);
}

bool gh_dtb_valid(const void *dtb, size_t size)
{
	return size >= sizeof(struct fdt_header) && !fdt_check_header(dtb) &&
	       fdt_totalsize(dtb) <= size;
}

int gh_dtb_base(const void *dtb, uint64_t *base)
{
	const fdt32_t *cells;
	uint64_t value = 0;
	int node, i, size;

	node = fdt_path_offset(dtb, "/gunyah-vm-config/memory");
	if (node < 0)
		node = fdt_path_offset(dtb, "/qcom,vm-config/memory");
	if (node < 0)
		return -ENOENT;
	cells = fdt_getprop(dtb, node, "base-address", &size);
	if (!cells)
		return -ENOENT;
	if (size != sizeof(*cells) && size != 2 * sizeof(*cells))
		return -EINVAL;
	for (i = 0; i < size / (int)sizeof(*cells); i++)
		value = value << 32 | fdt32_to_cpu(cells[i]);

	if (value > UINT64_MAX - GH_GUEST_ALIGN)
		return -EINVAL;
	*base = (value + GH_GUEST_ALIGN - 1) & ~(GH_GUEST_ALIGN - 1);
	return 0;
}

uint64_t gh_dtb_space(uint64_t size)
{
	uint64_t space = 2 * size + GH_DTB_SPACE;

	/* Whole pages, also of a host with 64 KiB pages */
	return (space + GH_DTB_SPACE - 1) & ~(uint64_t)(GH_DTB_SPACE - 1);
}

int gh_open(void)
{
	int fd = open("/dev/gunyah", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int gh_create_vm(int gunyah)
{
	int fd = ioctl(gunyah, GH_CREATE_VM, 0);

	return fd < 0 ? -errno : fd;
}

int gh_set_region(int vm, uint32_t label, uint32_t flags, uint64_t gpa, uint64_t size,
		  const void *addr)
{
	struct gh_userspace_memory_region region = {
		.label = label,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)addr,
	};

	return ioctl(vm, GH_VM_SET_USER_MEM_REGION, &region) ? -errno : 0;
}

int gh_set_dtb(int vm, uint64_t gpa, uint64_t size)
{
	struct gh_vm_dtb_config config = {
		.guest_phys_addr = gpa,
		.size = size,
	};

	return ioctl(vm, GH_VM_SET_DTB_CONFIG, &config) ? -errno : 0;
}

int gh_start(int vm)
{
	return ioctl(vm, GH_VM_START) ? -errno : 0;
}

int gh_exit_info(int vm, struct gh_vm_exit_info *info)
{
	return ioctl(vm, GH_VM_GET_EXIT_INFO, info) ? -errno : 0;
}

static int add_function(int vm, uint32_t type, const void *arg, uint32_t size)
{
	struct gh_fn_desc desc = {
		.type = type,
		.arg_size = size,
		.arg = (uintptr_t)arg,
	};
	int ret = ioctl(vm, GH_VM_ADD_FUNCTION, &desc);

	return ret < 0 ? -errno : ret;
}

int gh_add_vcpu(int vm, uint32_t id)
{
	struct gh_fn_vcpu_arg arg = { .id = id };

	return add_function(vm, GH_FN_VCPU, &arg, sizeof(arg));
}

int gh_add_irqfd(int vm, int fd, uint32_t label, uint32_t flags)
{
	struct gh_fn_irqfd_arg arg = {
		.fd = fd,
		.label = label,
		.flags = flags,
	};

	return add_function(vm, GH_FN_IRQFD, &arg, sizeof(arg));
}

int gh_add_ioeventfd(int vm, int fd, uint64_t addr, uint32_t len, uint32_t flags,
		     uint64_t datamatch)
{
	struct gh_fn_ioeventfd_arg arg = {
		.datamatch = datamatch,
		.addr = addr,
		.len = len,
		.fd = fd,
		.flags = flags,
	};

	return add_function(vm, GH_FN_IOEVENTFD, &arg, sizeof(arg));
}

const char *gh_exit_words(const struct gh_vm_exit_info *info)
{
	switch (info->type) {
	case GH_VM_EXIT_TYPE_VM_EXIT:
		return "ended by the guest through the resource manager";
	case GH_VM_EXIT_TYPE_PSCI_POWER_OFF:
		return "PSCI system off";
	case GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET:
		return "PSCI system reset";
	case GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2:
		return "PSCI system reset2";
	case GH_VM_EXIT_TYPE_WDT_BITE:
		return "watchdog";
	case GH_VM_EXIT_TYPE_HYP_ERROR:
		return "hypervisor error, for example an abort that the guest could not handle";
	case GH_VM_EXIT_TYPE_ASYNC_EXT_ABORT:
		return "asynchronous external abort";
	case GH_VM_EXIT_TYPE_VM_FORCE_STOPPED:
		return "stopped by the host";
	default:
		return "for an unknown reason";
	}
}

uint32_t gh_exit_reason(const struct gh_vm_exit_info *info)
{
	uint32_t reason;

	if (info->reason_size < sizeof(reason))
		return 0;
	memcpy(&reason, info->reason, sizeof(reason));
	return le32toh(reason);
}

void gh_console_init(struct gh_console_reader *reader, void *mem)
{
	struct gh_console *console = mem;

	memset(console, 0, GH_CONSOLE_HEADER_SIZE);
	console->magic = GH_CONSOLE_MAGIC;
	console->version = GH_CONSOLE_VERSION;
	console->size = GH_CONSOLE_RING_SIZE;

	reader->console = console;
	reader->tail = 0;
	reader->broken = false;
}

size_t gh_console_read(struct gh_console_reader *reader, void *text, size_t size)
{
	struct gh_console *console = reader->console;
	/* Pairs with the guest's barrier between text and head */
	uint32_t head = __atomic_load_n(&console->head, __ATOMIC_ACQUIRE);
	uint32_t used = head - reader->tail;
	uint32_t at = reader->tail % GH_CONSOLE_RING_SIZE;
	size_t first;

	if (used > GH_CONSOLE_RING_SIZE) {
		reader->broken = true;
		reader->tail = head;
		used = 0;
	}
	if (size > used)
		size = used;
	first = GH_CONSOLE_RING_SIZE - at;
	if (first > size)
		first = size;
	memcpy(text, console->text + at, first);
	memcpy((char *)text + first, console->text, size - first);

	/* The guest may overwrite the text only after it has been read */
	reader->tail += size;
	__atomic_store_n(&console->tail, reader->tail, __ATOMIC_RELEASE);
	return size;
}

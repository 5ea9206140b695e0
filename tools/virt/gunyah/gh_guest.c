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

static void build_machine(struct builder *b, const struct gh_dtb_options *options)
{
	static const char psci[] = "arm,psci-1.0\0arm,psci-0.2";
	/* Distributor, and redistributors for two CPUs */
	const fdt64_t gic_reg[] = {
		cpu_to_fdt64(0x3fff0000), cpu_to_fdt64(0x10000),
		cpu_to_fdt64(0x3ffb0000), cpu_to_fdt64(0x40000),
	};

	/* The resource manager adds to /chosen and does not create it */
	begin(b, "chosen");
	if (options->cmdline)
		str(b, "bootargs", options->cmdline);
	end(b);

	begin(b, "cpus");
	u32(b, "#address-cells", 1);
	u32(b, "#size-cells", 0);
	begin(b, "cpu@0");
	str(b, "device_type", "cpu");
	str(b, "compatible", "arm,arm-v8");
	u32(b, "reg", 0);
	str(b, "enable-method", "psci");
	/* Demanded of a CPU that the host does not schedule, if there is PSCI */
	u32(b, "cpu-idle-states", PHANDLE_IDLE);
	end(b);
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
	end(b);

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
}

/* Not for the guest: what the resource manager is to make for it */
static void build_vm_config(struct builder *b, const struct gh_dtb_options *options)
{
	char name[32];
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

	begin(b, "vcpus");
	str(b, "affinity", "static");
	u32(b, "affinity-map", 1);
	u32(b, "sched-timeslice", 5000);
	/* Below the host's, else the guest is refused */
	u32(b, "sched-priority", -1);
	end(b);

	begin(b, "vdevices");
	str(b, "generate", "/hypervisor");
	for (i = 0; i < options->n_shm; i++) {
		snprintf(name, sizeof(name), "shm-%x", options->shm[i].label);
		begin(b, name);
		str(b, "vdevice-type", "shm");
		snprintf(name, sizeof(name), "/hypervisor/shm-%x", options->shm[i].label);
		str(b, "generate", name);
		u32(b, "label", options->shm[i].label);
		flag(b, "peer-default");
		u64(b, "dma_base", 0);
		begin(b, "memory");
		u32(b, "label", options->shm[i].label);
		u32(b, "#address-cells", 2);
		u64(b, "base", options->shm[i].base);
		end(b);
		end(b);
	}
	end(b);

	end(b);
}

static int fdt_errno(int err)
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
	return fdt_errno(b.err);
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
	return fdt_errno(err);
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

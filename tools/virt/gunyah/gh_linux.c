// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that is Linux. In memory that it gets lent, or shares with --share:
 *
 *	0x80000000		Image, at a multiple of 2 MiB as it demands
 *	behind what it needs	the initramfs
 *	at the end		the devicetree
 *
 * and behind that memory a window that is shared in any case, for the buffers of
 * the virtio device.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <linux/virtio_mmio.h>

#include "gh_linux_dtb.h"
#include "gh_term.h"
#include "gh_uart.h"
#include "gh_vcpu.h"
#include "gh_virtio.h"
#include "gh_vmm.h"

#define DEFAULT_MEMORY	(128ULL << 20)
#define WINDOW_SIZE	GH_GUEST_ALIGN

struct linux_guest {
	struct gh_mem memory;
	struct gh_mem window;
	struct gh_linux_layout layout;
	uint64_t dtb, dtb_space;
	struct gh_uart uart;
	struct gh_virtio virtio;
	struct gh_vcpus vcpus;
	struct gh_input *consoles[2];
	struct gh_mmio *devices[3];
};

/* The header of an arm64 Image, little endian */
struct image_header {
	uint32_t code[2];
	uint64_t text_offset;
	uint64_t image_size;
	uint64_t flags;
	uint64_t reserved[3];
	char magic[4];
	uint32_t pe_header;
};

static void check_image(const char *path, const void *image, size_t size)
{
	const struct image_header *header = image;

	if (size < sizeof(*header) || memcmp(header->magic, "ARM\x64", sizeof(header->magic)))
		die("%s: not an arm64 Linux Image, or a compressed one", path);
	/* The resource manager has it entered where its memory starts */
	if (header->text_offset || !header->image_size)
		die("%s: an Image of a kernel before 5.8", path);
}

static void make_guest(const struct options *options, struct linux_guest *guest)
{
	uint64_t memory = options->memory ? options->memory : DEFAULT_MEMORY;
	struct gh_linux_layout *layout = &guest->layout;
	size_t image_size, initrd_size = 0;
	uint64_t initrd_at, need;
	void *image, *initrd = NULL;
	int err;

	image = read_file(options->image, &image_size);
	check_image(options->image, image, image_size);
	if (options->initrd)
		initrd = read_file(options->initrd, &initrd_size);

	initrd_at = gh_image_extent(image, image_size);
	if (initrd_at > SIZE_MAX / 2)
		die("%s: the header asks for %" PRIu64 " KiB of memory", options->image,
		    initrd_at / 1024);
	initrd_at = round_up(initrd_at, GH_DTB_SPACE);
	guest->dtb_space = gh_dtb_space(options->cmdline ? strlen(options->cmdline) : 0);
	need = initrd_at + round_up(initrd_size, GH_DTB_SPACE) + guest->dtb_space;
	if (memory < need)
		die("%s: needs more than --memory %" PRIu64 "K", options->image,
		    round_up(need, page_size()) / 1024);

	alloc(&guest->memory, "gunyah guest", memory);
	memcpy(guest->memory.addr, image, image_size);
	free(image);
	if (initrd) {
		memcpy(guest->memory.addr + initrd_at, initrd, initrd_size);
		layout->initrd = GH_GUEST_BASE + initrd_at;
		layout->initrd_end = layout->initrd + initrd_size;
		free(initrd);
	}
	guest->dtb = GH_GUEST_BASE + memory - guest->dtb_space;

	alloc(&guest->window, "gunyah window", WINDOW_SIZE);
	layout->window = round_up(GH_GUEST_BASE + memory, GH_GUEST_ALIGN);
	layout->window_size = WINDOW_SIZE;
	layout->memory = memory;
	layout->cmdline = options->cmdline;
	layout->cpus = options->cpus;
	err = gh_linux_dtb(guest->memory.addr + (guest->dtb - GH_GUEST_BASE), guest->dtb_space,
			   layout);
	if (err)
		die("devicetree: %s", strerror(-err));
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		die("eventfd: %s", strerror(errno));
	return fd;
}

static void make_devices(struct linux_guest *guest)
{
	int err;

	gh_uart_init(&guest->uart, GH_LINUX_UART_BASE, new_eventfd());
	err = gh_virtio_init(&guest->virtio, GH_LINUX_VIRTIO_BASE, new_eventfd(),
			     guest->layout.window, guest->window.addr, guest->window.size);
	if (err)
		die("virtio device: %s", strerror(-err));
	guest->consoles[0] = &guest->uart.input;
	guest->consoles[1] = &guest->virtio.input;
	guest->devices[0] = &guest->uart.mmio;
	guest->devices[1] = &guest->virtio.mmio;
}

static void added(const char *what, int err)
{
	if (err == -ENOENT)
		die("GH_VM_ADD_FUNCTION for %s: the module of this function is not loaded", what);
	if (err)
		die("GH_VM_ADD_FUNCTION for %s: %s", what, strerror(-err));
}

static void add_functions(int vm, const struct options *options, struct linux_guest *guest)
{
	int queue;

	added("a vCPU", gh_vcpus_add(&guest->vcpus, vm, options->cpus, guest->devices));
	added("the serial port's interrupt",
	      gh_add_irqfd(vm, guest->uart.irq, GH_LINUX_UART_BELL, 0));
	added("the virtio device's interrupt",
	      gh_add_irqfd(vm, guest->virtio.irq, GH_LINUX_VIRTIO_BELL, GH_IRQFD_FLAGS_LEVEL));
	for (queue = 0; queue < GH_VIRTIO_QUEUES; queue++)
		added("a queue of the virtio device",
		      gh_add_ioeventfd(vm, guest->virtio.kick[queue],
				       GH_LINUX_VIRTIO_BASE + VIRTIO_MMIO_QUEUE_NOTIFY,
				       sizeof(uint32_t), GH_IOEVENTFD_FLAGS_DATAMATCH, queue));
}

static void start_linux(int vm, const struct options *options, struct linux_guest *guest)
{
	uint32_t rw = GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE;
	uint32_t flags = rw | GH_MEM_ALLOW_EXEC | (options->share ? 0 : GH_MEM_LENT);
	uint64_t need = guest->memory.size + guest->window.size;

	set_region(vm, "the guest's memory", GH_IMAGE_LABEL, flags, GH_GUEST_BASE, &guest->memory,
		   need);
	set_region(vm, "the shared window", GH_LINUX_WINDOW_LABEL, rw, guest->layout.window,
		   &guest->window, need);
	add_functions(vm, options, guest);
	start(vm, options, guest->dtb, guest->dtb_space);
}

/* Why the wait for the guest's end was over */
enum end { END_GUEST, END_LEAVE, END_FAILURE, END_SIGNAL };

static enum end wait_for_end(int vm, int leave, int failed, int signals, int *signo)
{
	struct pollfd fds[] = {
		[END_GUEST] = { .fd = vm },
		[END_LEAVE] = { .fd = leave, .events = POLLIN },
		[END_FAILURE] = { .fd = failed, .events = POLLIN },
		[END_SIGNAL] = { .fd = signals, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(fds, 4, -1) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (fds[END_GUEST].revents)
			return END_GUEST;
		if (fds[END_LEAVE].revents)
			return END_LEAVE;
		if (fds[END_FAILURE].revents)
			return END_FAILURE;
		if (fds[END_SIGNAL].revents && read(signals, &info, sizeof(info)) == sizeof(info)) {
			*signo = info.ssi_signo;
			return END_SIGNAL;
		}
	}
}

int run_linux(const struct options *options)
{
	static struct linux_guest guest;
	int gunyah, vm, leave, signals, err, status, signo = 0;
	enum end end;

	make_guest(options, &guest);
	make_devices(&guest);
	gunyah = open_gunyah();
	vm = create_vm(gunyah);
	start_linux(vm, options, &guest);

	/* Before the first thread, which inherits what is blocked */
	signals = open_signals();
	leave = gh_term_begin(guest.consoles, 2);
	if (leave < 0)
		die("standard input: %s", strerror(-leave));
	err = gh_virtio_serve(&guest.virtio);
	if (!err)
		err = gh_vcpus_run(&guest.vcpus);
	if (err)
		die("threads: %s", strerror(-err));

	end = wait_for_end(vm, leave, guest.vcpus.failed, signals, &signo);
	gh_vcpus_end(&guest.vcpus);
	gh_term_end();
	switch (end) {
	case END_GUEST:
		status = report(vm);
		break;
	case END_LEAVE:
		puts("guest stopped: Ctrl-A x");
		status = STATUS_CLEAN;
		break;
	case END_SIGNAL:
		printf("guest stopped: %s\n", strsignal(signo));
		status = STATUS_SIGNAL + signo;
		break;
	default:
		puts("guest stopped: a vCPU failed");
		status = STATUS_FAILED;
	}

	/* This stops a guest that still runs, and gives back all that it has */
	close(vm);
	close(gunyah);
	return status;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * gh-vmm: start a guest through /dev/gunyah, show what it says, tell how it
 * ended. Here are the options, what is done for guests of every kind, and flat
 * guests, which the hypervisor schedules; gh_linux.c has the ones that are Linux.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <libfdt.h>

#include "gh_vmm.h"

/*
 * How often to look for text of the guest: nothing tells that there is some.
 * The end of the guest is an event and does not wait for this.
 */
#define CONSOLE_INTERVAL_MS	20

#define DEFAULT_MEMORY		(4ULL << 20)
/* What Linux accepts */
#define MAX_DTB_SIZE		(2U << 20)

static const char usage[] =
"Usage: gh-vmm [OPTION]... IMAGE\n"
"       gh-vmm --linux [OPTION]... IMAGE\n"
"Start a Gunyah guest from the flat binary IMAGE, or from the arm64 Linux Image\n"
"IMAGE, show its console, and say how it ended.\n"
"\n"
"  -m, --memory SIZE   memory of the guest, in bytes or with K, M or G; a multiple\n"
"                      of the page size (default: 4M, or as much as IMAGE needs;\n"
"                      with --linux 128M)\n"
"  -l, --lend          lend the memory to the guest: nobody else, this host included,\n"
"                      can access it while the guest has it (default)\n"
"  -s, --share         share the memory with the guest; production builds of the\n"
"                      resource manager refuse that\n"
"  -d, --dtb FILE      devicetree for the guest (default: one is made)\n"
"  -c, --cmdline STR   put STR as bootargs into /chosen of the devicetree\n"
"  -L, --linux         IMAGE is Linux; see below\n"
"  -p, --cpus N        with --linux: number of the guest's CPUs (default: 1)\n"
"  -i, --initrd FILE   with --linux: an initramfs\n"
"  -h, --help          show this text\n"
"\n"
"A flat guest is entered at the first byte of IMAGE, at EL1 with its MMU off and the\n"
"address of the devicetree in x0. Its memory starts at 0x80000000, or where\n"
"base-address in /gunyah-vm-config/memory of the devicetree FILE says. Memory at\n"
"0x70000000 is shared with gh-vmm and is the console: gh_console.h tells how to\n"
"write to it. A devicetree FILE needs a vdevice of type \"shm\" with label 0x10 and\n"
"that base, else the guest has no console. The console goes to standard output.\n"
"\n"
"A Linux guest has CPUs that gh-vmm runs, a 16550 (ttyS0) and a virtio console\n"
"(hvc0). Both show their text on standard output; what is typed goes to ttyS0. If\n"
"standard input is a terminal it is in raw mode, so Ctrl-C goes to the guest.\n"
"  Ctrl-A x       stops the guest and leaves gh-vmm\n"
"  Ctrl-A c       what is typed goes to the other console from here on\n"
"  Ctrl-A Ctrl-A  sends one Ctrl-A\n"
"\n"
"The last line says how the guest ended. SIGINT and SIGTERM stop the guest. Whatever\n"
"the end, all that the guest had is given back.\n"
"\n"
"Exit status:\n"
"  0  the guest ended by PSCI SYSTEM_OFF, or through the resource manager with\n"
"     reason 0, or by Ctrl-A x\n"
"  1  the guest could not be started; standard error says why\n"
"  2  wrong use of gh-vmm\n"
"  3  the guest asked for a reset\n"
"  4  the guest failed: hypervisor error, watchdog, asynchronous abort, ended with a\n"
"     reason other than 0, or nobody knows; or one of its CPUs could not go on\n"
"  5  somebody else on the host stopped the guest\n"
"  128 + N  signal N stopped gh-vmm, and with it the guest\n";

void die(const char *fmt, ...)
{
	va_list args;

	fputs("gh-vmm: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(STATUS_ERROR);
}

void die_usage(const char *fmt, ...)
{
	va_list args;

	fputs("gh-vmm: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputs("; see gh-vmm --help\n", stderr);
	exit(STATUS_USAGE);
}

uint64_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static uint64_t parse_size(const char *text)
{
	unsigned int shift = 0;
	uint64_t size;
	char *end;

	errno = 0;
	size = strtoull(text, &end, 0);
	if (end == text || *text == '-' || errno)
		die_usage("--memory %s: not a size", text);

	switch (*end) {
	case 'G': case 'g':
		shift += 10;
		__attribute__((fallthrough));
	case 'M': case 'm':
		shift += 10;
		__attribute__((fallthrough));
	case 'K': case 'k':
		shift += 10;
		end++;
		break;
	}
	if (*end || !size || size > SIZE_MAX >> shift)
		die_usage("--memory %s: not a size", text);
	size <<= shift;
	if (size % page_size())
		die_usage("--memory %s: not a multiple of the page size, %" PRIu64, text,
			  page_size());
	return size;
}

static unsigned int parse_cpus(const char *text)
{
	unsigned long cpus;
	char *end;

	cpus = strtoul(text, &end, 10);
	if (end == text || *end || !cpus || cpus > GH_MAX_VCPUS)
		die_usage("--cpus %s: not a number from 1 to %d", text, GH_MAX_VCPUS);
	return cpus;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longopts[] = {
		{ "memory", required_argument, NULL, 'm' },
		{ "lend", no_argument, NULL, 'l' },
		{ "share", no_argument, NULL, 's' },
		{ "dtb", required_argument, NULL, 'd' },
		{ "cmdline", required_argument, NULL, 'c' },
		{ "linux", no_argument, NULL, 'L' },
		{ "cpus", required_argument, NULL, 'p' },
		{ "initrd", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	/* getopt's own messages lack the hint that die_usage() gives */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":m:lsd:c:Lp:i:h", longopts, NULL)) != -1) {
		switch (c) {
		case 'm':
			options->memory = parse_size(optarg);
			break;
		case 'l':
			options->share = false;
			break;
		case 's':
			options->share = true;
			break;
		case 'd':
			options->dtb = optarg;
			break;
		case 'c':
			options->cmdline = optarg;
			break;
		case 'L':
			options->is_linux = true;
			break;
		case 'p':
			options->cpus = parse_cpus(optarg);
			break;
		case 'i':
			options->initrd = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(STATUS_CLEAN);
		case ':':
			die_usage("%s needs an argument", argv[optind - 1]);
		default:
			die_usage("%s: unknown option", argv[optind - 1]);
		}
	}
	if (optind == argc)
		die_usage("no IMAGE given");
	if (optind + 1 != argc)
		die_usage("%s: more than one IMAGE given", argv[optind + 1]);
	options->image = argv[optind];

	if (options->cmdline && strlen(options->cmdline) > MAX_DTB_SIZE)
		die_usage("--cmdline: too long");
	if (options->is_linux && options->dtb)
		die_usage("--dtb does not go with --linux");
	if (!options->is_linux && (options->cpus || options->initrd))
		die_usage("--cpus and --initrd go with --linux only");
	if (options->is_linux && !options->cpus)
		options->cpus = 1;
}

/*
 * What an errno means in answer to an ioctl, where strerror() does not say it.
 * Documentation/virt/gunyah/vm-manager.rst has the whole table.
 */
static const char *explain_start(int err)
{
	switch (err) {
	case -EINVAL:
		return "the resource manager refused the image or the devicetree";
	case -ENODEV:
		return "the resource manager is gone, or lacks something";
	case -EMEDIUMTYPE:
		return "the resource manager wants image memory lent: do not --share it";
	case -ENOPKG:
		return "the platform has to be told who gets memory, and gunyah_qcom is not loaded";
	case -EREMOTEIO:
		return "the platform's firmware refused to assign the memory";
	case -ENOMEM:
		return "out of memory, in the kernel or in the resource manager";
	case -ENOSPC:
		return "all VMIDs or all 64 memory parcels of this host are in use";
	case -EPERM:
		return "the resource manager denied it";
	case -EBUSY:
		return "the resource manager is busy, or memory is in use already";
	case -EBADFD:
		return "the resource manager has the guest in another state than expected";
	case -EOPNOTSUPP:
		return "the resource manager does not implement it";
	case -EBADMSG:
		return "the resource manager answered with an error that is not known";
	case -ETIMEDOUT:
		return "the resource manager does not answer";
	default:
		return strerror(-err);
	}
}

static void __attribute__((noreturn)) die_region(const char *what, int err, uint64_t need)
{
	struct rlimit limit;

	if (err == -ENOMEM && !getrlimit(RLIMIT_MEMLOCK, &limit) &&
	    limit.rlim_cur != RLIM_INFINITY)
		die("GH_VM_SET_USER_MEM_REGION for %s: %s: the guest needs %" PRIu64
		    " KiB of locked memory, the limit is %" PRIu64
		    " KiB; raise it with `ulimit -l %" PRIu64 "'", what, strerror(ENOMEM),
		    need / 1024, (uint64_t)limit.rlim_cur / 1024, need / 1024);
	die("GH_VM_SET_USER_MEM_REGION for %s: %s", what, strerror(-err));
}

int open_gunyah(void)
{
	int fd = gh_open();

	if (fd == -ENOENT || fd == -ENODEV || fd == -ENXIO)
		die("/dev/gunyah: %s: no Gunyah hypervisor here, or its module is not loaded",
		    strerror(-fd));
	if (fd < 0)
		die("/dev/gunyah: %s", strerror(-fd));
	return fd;
}

int create_vm(int gunyah)
{
	int vm = gh_create_vm(gunyah);

	if (vm == -ENODEV)
		die("GH_CREATE_VM: %s: the resource manager is gone", strerror(-vm));
	if (vm < 0)
		die("GH_CREATE_VM: %s", strerror(-vm));
	return vm;
}

void alloc(struct gh_mem *mem, const char *name, uint64_t size)
{
	int err = gh_mem_alloc(mem, name, size);

	if (err)
		die("memfd for %s, %" PRIu64 " KiB: %s", name, size / 1024, strerror(-err));
}

void *read_file(const char *path, size_t *size)
{
	void *data;
	int err;

	err = gh_read_file(path, &data, size);
	if (err)
		die("%s: %s", path, strerror(-err));
	if (!*size)
		die("%s: the file is empty", path);
	return data;
}

struct guest {
	struct gh_mem image;
	struct gh_mem console_mem;
	struct gh_console_reader console;
	uint64_t base;
	uint64_t dtb_offset;
	uint64_t dtb_space;
	bool in_line;			/* the last text did not end with a newline */
};

/* Writes the devicetree that is to be used to @dtb; also tells where memory is */
static void make_dtb(const struct options *options, struct guest *guest, void **dtb)
{
	static const struct gh_shm console = { GH_CONSOLE_LABEL, GH_CONSOLE_BASE };
	struct gh_dtb_options generated = {
		.base = GH_GUEST_BASE,
		.cmdline = options->cmdline,
		.shm = &console,
		.n_shm = 1,
	};
	size_t cmdline = options->cmdline ? strlen(options->cmdline) : 0;
	void *file = NULL;
	size_t size = 0;
	int err;

	guest->base = GH_GUEST_BASE;
	if (options->dtb) {
		file = read_file(options->dtb, &size);
		if (!gh_dtb_valid(file, size))
			die("%s: not a devicetree blob, or cut short", options->dtb);
		if (size > MAX_DTB_SIZE)
			die("%s: larger than 2 MiB", options->dtb);
		if (gh_dtb_base(file, &guest->base))
			die("%s: no usable base-address in /gunyah-vm-config/memory", options->dtb);
	}

	guest->dtb_space = gh_dtb_space(size + cmdline);
	*dtb = malloc(guest->dtb_space);
	if (!*dtb)
		die("devicetree: %s", strerror(ENOMEM));

	if (file) {
		err = gh_dtb_copy(*dtb, guest->dtb_space, file, options->cmdline);
		if (err)
			die("%s: the devicetree cannot be read", options->dtb);
	} else {
		err = gh_dtb_build(*dtb, guest->dtb_space, &generated);
		if (err)
			die("devicetree: %s", strerror(-err));
	}
	free(file);
}

static void make_guest(const struct options *options, struct guest *guest)
{
	uint64_t extent, need, memory;
	size_t image_size;
	void *image, *dtb;

	image = read_file(options->image, &image_size);
	make_dtb(options, guest, &dtb);

	extent = gh_image_extent(image, image_size);
	if (extent > SIZE_MAX / 2)
		die("%s: the header asks for %" PRIu64 " KiB of memory", options->image,
		    extent / 1024);
	need = round_up(extent, GH_RM_PAGE) + guest->dtb_space;
	memory = options->memory;
	if (!memory)
		memory = need > DEFAULT_MEMORY ? round_up(need, GH_GUEST_ALIGN) : DEFAULT_MEMORY;
	if (memory < need)
		die("%s: needs --memory %" PRIu64 "K or more, devicetree included", options->image,
		    round_up(need, page_size()) / 1024);

	alloc(&guest->image, "gunyah guest", memory);
	memcpy(guest->image.addr, image, image_size);
	free(image);
	/* At the end, where it is in nobody's way */
	guest->dtb_offset = memory - guest->dtb_space;
	memcpy(guest->image.addr + guest->dtb_offset, dtb, fdt_totalsize(dtb));
	free(dtb);

	alloc(&guest->console_mem, "gunyah console", round_up(GH_CONSOLE_SIZE, page_size()));
	gh_console_init(&guest->console, guest->console_mem.addr);
}

void set_region(int vm, const char *what, uint32_t label, uint32_t flags, uint64_t gpa,
		const struct gh_mem *mem, uint64_t need)
{
	int err = gh_set_region(vm, label, flags, gpa, mem->size, mem->addr);

	if (err)
		die_region(what, err, need);
}

void start(int vm, const struct options *options, uint64_t dtb, uint64_t dtb_space)
{
	int err;

	err = gh_set_dtb(vm, dtb, dtb_space);
	if (err)
		die("GH_VM_SET_DTB_CONFIG: %s", strerror(-err));
	err = gh_start(vm);
	if (err)
		die("GH_VM_START for %s: %s", options->image, explain_start(err));
}

static void start_flat(int vm, const struct options *options, const struct guest *guest)
{
	const struct gh_mem *image = &guest->image, *console = &guest->console_mem;
	uint32_t rw = GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE;
	uint32_t flags = rw | GH_MEM_ALLOW_EXEC | (options->share ? 0 : GH_MEM_LENT);
	uint64_t need = image->size + console->size;

	set_region(vm, "the guest's memory", GH_IMAGE_LABEL, flags, guest->base, image, need);
	set_region(vm, "the console", GH_CONSOLE_LABEL, rw, GH_CONSOLE_BASE, console, need);
	start(vm, options, guest->base + guest->dtb_offset, guest->dtb_space);
}

/* The guest's text as it is; a reader that went away does not stop the guest */
static void show_console(struct guest *guest)
{
	bool broken = guest->console.broken;
	size_t size, done;
	char text[4096];
	ssize_t n;

	while ((size = gh_console_read(&guest->console, text, sizeof(text)))) {
		guest->in_line = text[size - 1] != '\n';
		for (done = 0; done < size; done += n) {
			n = write(STDOUT_FILENO, text + done, size - done);
			if (n < 0)
				break;
		}
	}
	if (guest->console.broken && !broken)
		fputs("gh-vmm: the guest broke its console's protocol, text is lost\n", stderr);
}

/* Returns the number of the signal that ended the wait, 0 if the guest did */
static int wait_for_end(int vm, int signals, struct guest *guest)
{
	struct pollfd fds[] = {
		{ .fd = vm },
		{ .fd = signals, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(fds, 2, CONSOLE_INTERVAL_MS) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		show_console(guest);
		if (fds[0].revents)
			return 0;
		if (fds[1].revents && read(signals, &info, sizeof(info)) == sizeof(info))
			return info.ssi_signo;
	}
}

int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd: %s", strerror(errno));
	return fd;
}

int report(int vm)
{
	struct gh_vm_exit_info info;
	uint32_t reason;
	int err;

	err = gh_exit_info(vm, &info);
	if (err)
		die("GH_VM_GET_EXIT_INFO: %s", strerror(-err));

	reason = gh_exit_reason(&info);
	if (reason && info.type != GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2)
		printf("guest exited: %s, reason 0x%" PRIx32 "\n", gh_exit_words(&info), reason);
	else
		printf("guest exited: %s\n", gh_exit_words(&info));

	switch (info.type) {
	case GH_VM_EXIT_TYPE_PSCI_POWER_OFF:
		return STATUS_CLEAN;
	case GH_VM_EXIT_TYPE_VM_EXIT:
		return reason ? STATUS_FAILED : STATUS_CLEAN;
	case GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET:
	case GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2:
		return STATUS_RESET;
	case GH_VM_EXIT_TYPE_VM_FORCE_STOPPED:
		return STATUS_STOPPED;
	default:
		return STATUS_FAILED;
	}
}

static int run_flat(const struct options *options)
{
	struct guest guest = { };
	int gunyah, vm, signals, signo, status;

	make_guest(options, &guest);
	gunyah = open_gunyah();
	vm = create_vm(gunyah);
	start_flat(vm, options, &guest);

	signals = open_signals();
	signo = wait_for_end(vm, signals, &guest);
	if (guest.in_line)
		putchar('\n');
	if (signo) {
		printf("guest stopped: %s\n", strsignal(signo));
		status = STATUS_SIGNAL + signo;
	} else {
		status = report(vm);
	}

	/* This stops a guest that still runs, and gives back all that it has */
	close(vm);
	close(gunyah);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = { };

	parse_options(argc, argv, &options);
	/* When standard output goes away that is an error of write(), not the end */
	signal(SIGPIPE, SIG_IGN);
	return options.is_linux ? run_linux(&options) : run_flat(&options);
}

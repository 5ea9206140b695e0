// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random use of /dev/gunyah by several threads at once: ioctl_fuzz [-s SEED] [-n N]
 *
 * Each thread does N things that the seed decides, with the VMs of all of them.
 * Nothing of that has to succeed; but afterwards the host has to have all that it
 * had, and a guest has to start. The order in which the threads get on is not in the
 * seed, so that what one run finds the next with the same seed may miss.
 *
 * Memory is unmapped as soon as a VM may have it, and no system call is given any of
 * it: the kernel must not touch lent memory (Documentation/virt/gunyah/memory.rst).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gunyah_lib.h"
#include "../kselftest.h"

#define THREADS	4
#define SLOTS	8
#define POOL	(4 << 20)
#define EVENTS	4
/* A vCPU is left that often, whatever its guest does */
#define RUN_NS	3000000

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

static int gunyah;
/* Descriptors of VMs, -1: none. Whoever takes one out closes it, nobody else. */
static _Atomic int slots[SLOTS];
/* The same of vCPUs */
static _Atomic int vcpus[SLOTS];
static int events[EVENTS];
/* Calls that ran a vCPU, or told that its VM has ended */
static atomic_uint runs;
static pthread_t threads[THREADS];
static unsigned long ops = 350;
/* The same each time, unless asked for */
static uint64_t seed = 1;

static __thread uint64_t state;

static uint64_t rnd(void)
{
	/* splitmix64 */
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static unsigned int below(unsigned int n)
{
	return rnd() % n;
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

/* Now and then a number that breaks things, or @usual */
static uint64_t spoiled(uint64_t usual)
{
	const uint64_t edges[] = {
		0, 1, page_size() - 1, page_size(), page_size() + 1, IMAGE_SIZE, 1ULL << 31,
		(1ULL << 32) - page_size(), 1ULL << 32, 1ULL << 40, 1ULL << 48, 1ULL << 63,
		-page_size(), -1ULL, usual + 1, usual + page_size(), usual - page_size(), ~usual,
	};

	if (!one_in(12))
		return usual;
	return one_in(4) ? rnd() : edges[below(ARRAY_LEN(edges))];
}

static int vm(void)
{
	return slots[below(SLOTS)];
}

static int vcpu(void)
{
	return vcpus[below(SLOTS)];
}

static void put_in(_Atomic int *slots, int fd)
{
	int old = atomic_exchange(&slots[below(SLOTS)], fd);

	if (old >= 0)
		close(old);
}

static void put(int fd)
{
	put_in(slots, fd);
}

static void put_vcpu(int fd)
{
	put_in(vcpus, fd);
}

/*
 * Memory with a page that nobody can access at either end, so that a range that goes
 * astray does not end in what is somebody's stack.
 */
static uint8_t *arena_map(size_t size)
{
	uint8_t *p = mmap(NULL, size + 2 * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	return p == MAP_FAILED ? NULL : p + page_size();
}

static void arena_unmap(uint8_t *p, size_t size)
{
	munmap(p - page_size(), size + 2 * page_size());
}

/* Put over memory of an arena. It stays inaccessible if this fails. */
static void put_kind(uint8_t *p, size_t size)
{
	int fd = -1, prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;

	switch (below(7)) {
	case 0:
		prot = PROT_READ;
		break;
	case 1:
		prot = PROT_NONE;
		break;
	case 2:
		flags |= MAP_HUGETLB;
		break;
	case 3:
	case 4:
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		/* It may be shorter than its mapping */
		if (fd < 0 || ftruncate(fd, spoiled(size) % (POOL + 1)))
			break;
		flags = one_in(2) ? MAP_SHARED : MAP_PRIVATE;
		break;
	case 5:
		fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
		flags = MAP_SHARED;
		break;
	}
	mmap(p, size, prot, flags | MAP_FIXED, fd, 0);
	if (fd >= 0)
		close(fd);
}

static void set_region(void)
{
	static const uint64_t places[] = {
		GH_GUEST_BASE, GH_CONSOLE_BASE, TEST_PAGE_BASE, 0, 1ULL << 40, -IMAGE_SIZE,
	};
	size_t size = (1 + below(one_in(8) ? POOL / page_size() : 16)) * page_size();
	uint32_t flags = one_in(8) ? rnd() : GH_MEM_ALLOW_READ | below(16);
	uint8_t *p = arena_map(size);

	if (!p)
		return;
	put_kind(p, size);
	if (one_in(8))
		mmap(p + below(size / page_size()) * page_size(), page_size(), PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (one_in(8))
		madvise(p, size, one_in(2) ? MADV_DONTNEED : MADV_HUGEPAGE);
	gh_set_region(vm(), spoiled(below(4)), flags, spoiled(places[below(ARRAY_LEN(places))]),
		      spoiled(one_in(6) ? 0 : size), (void *)spoiled((uintptr_t)p));
	arena_unmap(p, size);
}

static const struct gh_bell bells[] = { { 0, 0, false }, { 1, 1, true }, { 2, 2, false } };

/* A guest that would start, but for a number here and there */
static void whole_guest(void)
{
	static const char *const payloads[] = {
		"hello", "spin", "abort", "reset", "flood", "echo", "count", "wait", "reset2",
	};
	const char *payload = payloads[below(ARRAY_LEN(payloads))];
	struct gh_mem image = { .fd = -1, .addr = arena_map(IMAGE_SIZE), .size = IMAGE_SIZE };
	struct guest *g = malloc(sizeof(*g));
	uint32_t flags = RWX | (one_in(4) ? 0 : GH_MEM_LENT);
	int fd, err;

	if (!g || !image.addr)
		goto out;
	mmap(image.addr, image.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
	     -1, 0);
	err = guest_alloc(g, payload, &image);
	if (!err && one_in(2)) {
		g->n_vcpus = 1 + below(3);
		g->bells = bells;
		g->n_bells = ARRAY_LEN(bells);
		err = guest_load(g, payload);
		g->page->addr = spoiled(ECHO_BASE);
		g->page->size = spoiled(100);
	}
	if (!err) {
		fd = gh_create_vm(gunyah);
		gh_set_region(fd, GH_IMAGE_LABEL, spoiled(flags), spoiled(GH_GUEST_BASE),
			      spoiled(image.size), image.addr);
		gh_set_region(fd, spoiled(GH_CONSOLE_LABEL), RW, spoiled(GH_CONSOLE_BASE),
			      g->console_mem.size, g->console_mem.addr);
		gh_set_region(fd, TEST_PAGE_LABEL, spoiled(RW), TEST_PAGE_BASE, g->page_mem.size,
			      g->page_mem.addr);
		gh_set_dtb(fd, spoiled(GH_GUEST_BASE + g->dtb_offset), spoiled(g->dtb_space));
		put(fd);
		if (g->n_vcpus && !one_in(4))
			put_vcpu(gh_add_vcpu(fd, below(g->n_vcpus)));
		if (one_in(2))
			gh_start(fd);
	}
	gh_mem_free(&g->console_mem);
	gh_mem_free(&g->page_mem);
out:
	if (image.addr)
		arena_unmap(image.addr, image.size);
	free(g);
}

/* Few numbers, so that what is removed, or added twice, is there */
static void change_functions(void)
{
	static const uint32_t sizes[] = { 0, 4, 16, 32, 5, GH_FN_MAX_ARG_SIZE };
	struct gh_fn_ioeventfd_arg ioeventfd = {
		.addr = spoiled(ECHO_BASE + 8 * below(2)), .len = spoiled(1 << below(4)),
		.flags = spoiled(below(2)), .datamatch = spoiled(below(2)),
		.fd = spoiled(events[below(EVENTS)]), .padding = rnd(),
	};
	struct gh_fn_irqfd_arg irqfd = {
		.label = spoiled(below(4)), .flags = spoiled(below(2)),
		.fd = spoiled(events[below(EVENTS)]), .padding = rnd(),
	};
	unsigned long cmd = one_in(3) ? GH_VM_REMOVE_FUNCTION : GH_VM_ADD_FUNCTION;
	uint8_t arg[GH_FN_MAX_ARG_SIZE] = { };
	int fd;

	switch (below(8)) {
	case 0:
	case 1:
		if (cmd == GH_VM_ADD_FUNCTION)
			put_vcpu(gh_add_vcpu(vm(), spoiled(below(3))));
		else
			remove_vcpu(vm(), spoiled(below(3)));
		break;
	case 2:
	case 3:
		function(vm(), cmd, GH_FN_IRQFD, &irqfd, sizeof(irqfd));
		break;
	case 4:
	case 5:
		function(vm(), cmd, GH_FN_IOEVENTFD, &ioeventfd, sizeof(ioeventfd));
		break;
	case 6:
		fd = function(vm(), cmd, spoiled(below(5)), one_in(4) ? NULL : arg,
			      spoiled(sizes[below(ARRAY_LEN(sizes))]));
		/* All but vCPUs give 0 */
		if (fd > 0)
			put_vcpu(fd);
		break;
	case 7:
		if (one_in(2) && eventfd_write(events[below(EVENTS)], spoiled(1)))
			eventfd_read(events[below(EVENTS)], &(eventfd_t){ 0 });
		break;
	}
}

/* Signals all the while: one alone could come before the call */
static void run(void)
{
	struct itimerspec when = { { 0, RUN_NS }, { 0, RUN_NS } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	int i, fd = vcpu();
	timer_t timer;

	event._sigev_un._tid = syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer))
		return;
	timer_settime(timer, 0, &when, NULL);
	for (i = below(20); i >= 0; i--) {
		if (!ioctl(fd, GH_VCPU_RUN))
			runs++;
		else if (errno != EINTR)
			break;
	}
	timer_delete(timer);
}

static void use_page(void)
{
	int fd = vcpu();
	uint8_t *p;
	size_t i;

	ioctl(fd, spoiled(GH_VCPU_MMAP_SIZE), NULL);
	p = mmap(NULL, spoiled(page_size()), PROT_READ | PROT_WRITE,
		 one_in(4) ? MAP_PRIVATE : MAP_SHARED, fd, one_in(4) ? spoiled(0) : 0);
	if (p == MAP_FAILED)
		return;
	for (i = 0; i < sizeof(struct gh_vcpu_run); i++)
		p[i] = one_in(2) ? rnd() : 0;
	if (one_in(2))
		p[0] = 0;
	if (one_in(4))
		madvise(p, page_size(), MADV_DONTNEED);
	if (one_in(2))
		run();
	munmap(p, page_size());
}

static void any_ioctl(void)
{
	static const unsigned long cmds[] = {
		GH_CREATE_VM, GH_VM_SET_USER_MEM_REGION, GH_VM_SET_DTB_CONFIG, GH_VM_START,
		GH_VM_GET_EXIT_INFO, GH_VM_ADD_FUNCTION, GH_VM_REMOVE_FUNCTION,
		GH_VM_ANDROID_LEND_USER_MEM, GH_VCPU_MMAP_SIZE,
	};
	unsigned long cmd = cmds[below(ARRAY_LEN(cmds))];
	/* Room for any argument behind the last place where one begins */
	uint8_t arg[128];
	size_t i;
	int fd;

	for (i = 0; i < sizeof(arg); i++)
		arg[i] = one_in(4) ? rnd() : 0;
	if (one_in(3))
		cmd ^= 1UL << below(32);
	fd = ioctl(one_in(3) ? gunyah : vm(), cmd,
		   one_in(3) ? (void *)spoiled(0) : arg + below(sizeof(arg) / 2));
	/* Nothing else returns a number that is not 0 */
	if (fd > 0 && (cmd & 0xffff) == (GH_CREATE_VM & 0xffff))
		put(fd);
	if (fd > 0 && (cmd & 0xffff) == (GH_VM_ADD_FUNCTION & 0xffff))
		put_vcpu(fd);
}

static void look(void)
{
	struct pollfd fds = { .fd = vm(), .events = rnd() };
	struct gh_vm_exit_info info;
	char path[64], text[512];

	switch (below(4)) {
	case 0:
		poll(&fds, 1, below(20));
		break;
	case 1:
		gh_exit_info(vm(), &info);
		break;
	case 2:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", vm());
		read_text(path, text, sizeof(text));
		break;
	case 3:
		read_text(one_in(2) ? DEBUGFS "vms" : DEBUGFS "quarantine", text, sizeof(text));
		break;
	}
}

static void misuse(void)
{
	int fd = one_in(3) ? gunyah : one_in(2) ? vcpu() : vm();
	char byte = 0;
	void *p;

	switch (below(5)) {
	case 0:
		p = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED)
			munmap(p, page_size());
		break;
	case 1:
		if (read(fd, &byte, 1) > 0)
			ksft_print_msg("a VM has contents\n");
		break;
	case 2:
		if (write(fd, &byte, 1) > 0)
			ksft_print_msg("a VM takes contents\n");
		break;
	case 3:
		lseek(fd, rnd(), below(3));
		break;
	case 4:
		pthread_kill(threads[below(THREADS)], SIGUSR1);
		break;
	}
}

static void step(void)
{
	switch (below(22)) {
	case 0:
		put(gh_create_vm(gunyah));
		break;
	case 1:
	case 2:
	case 3:
	case 4:
		set_region();
		break;
	case 5:
		gh_set_dtb(vm(), spoiled(GH_GUEST_BASE), spoiled(page_size()));
		break;
	case 6:
	case 7:
		gh_start(vm());
		break;
	case 8:
	case 9:
		whole_guest();
		break;
	case 10:
		put(fcntl(vm(), F_DUPFD_CLOEXEC, 0));
		break;
	case 11:
		put(-1);
		break;
	case 12:
		any_ioctl();
		break;
	case 13:
	case 14:
		look();
		break;
	case 15:
		misuse();
		break;
	case 16:
	case 17:
	case 18:
		change_functions();
		break;
	case 19:
		run();
		break;
	case 20:
		use_page();
		break;
	case 21:
		put_vcpu(one_in(4) ? -1 : fcntl(vcpu(), F_DUPFD_CLOEXEC, 0));
		break;
	}
}

static void *work(void *number)
{
	unsigned long i;

	state = seed + (uintptr_t)number * 0x100000001b3ULL;
	for (i = 0; i < ops; i++)
		step();
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void arguments(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'n')
			ops = strtoul(optarg, NULL, 0);
		else
			ksft_exit_fail_msg("usage: %s [-s SEED] [-n N]\n", argv[0]);
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct resources before;
	struct gh_vm_exit_info info;
	static struct guest guest;
	const char *missing;
	long locked, locked_after;
	uintptr_t i;
	int err;

	ksft_print_header();
	arguments(argc, argv);
	gunyah = gh_open();
	if (gunyah == -ENOENT)
		ksft_exit_skip("no /dev/gunyah\n");
	if (gunyah < 0)
		ksft_exit_fail_msg("/dev/gunyah: %s\n", strerror(-gunyah));
	ksft_set_plan(3);
	ksft_print_msg("seed %#llx, %lu operations by each of %d threads\n",
		       (unsigned long long)seed, ops, THREADS);

	for (i = 0; i < SLOTS; i++) {
		slots[i] = -1;
		vcpus[i] = -1;
	}
	for (i = 0; i < EVENTS; i++)
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sigaction(SIGUSR1, &action, NULL);
	resources_read(&before);
	locked = read_value("/proc/self/status", "VmLck");

	for (i = 0; i < THREADS; i++)
		threads[i] = pthread_self();
	for (i = 0; i < THREADS; i++) {
		err = pthread_create(&threads[i], NULL, work, (void *)i);
		if (err)
			ksft_exit_fail_msg("pthread_create: %s\n", strerror(err));
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < SLOTS; i++) {
		if (slots[i] >= 0)
			close(slots[i]);
		if (vcpus[i] >= 0)
			close(vcpus[i]);
	}

	ksft_print_msg("%u exits of vCPUs\n", runs);
	missing = resources_missing(&before);
	if (missing)
		ksft_print_msg("not given back: %s\n", missing);
	ksft_test_result(!missing, "everything is given back\n");
	locked_after = read_value("/proc/self/status", "VmLck");
	ksft_test_result(locked_after == locked, "locked memory is as before\n");
	err = guest_cycle(&guest, gunyah, "hello", &info);
	if (err)
		ksft_print_msg("the next guest: %s\n", strerror(-err));
	ksft_test_result(!err && info.type == GH_VM_EXIT_TYPE_PSCI_POWER_OFF,
			 "the next guest starts and ends\n");
	ksft_finished();
}

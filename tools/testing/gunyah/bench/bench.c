// SPDX-License-Identifier: GPL-2.0-only
/*
 * What guest memory costs the host:
 * bench [--sizes MIB,...] [--guests MIB] [--huge GIB,...] [--small GIB,...]
 *
 * Uses nothing but /dev/gunyah as it was posted in v10 to v14, and procfs and sysfs, so
 * that any kernel with any driver of that ABI can be measured. It has to run as root and
 * alone. bench.py boots it, reads what it prints, compares and draws.
 *
 * Each guest has a small lent image region with a devicetree, and one big region, which is
 * what is measured; its one vCPU is never run, and close() ends it. There are three phases:
 * "set" is GH_VM_SET_USER_MEM_REGION of the big region, "start" is GH_VM_START, "close" is
 * close() of the VM. Memory is there and mapped before, and stays.
 *
 * Memory is of one of three kinds, which the page tables say it is in the end:
 *
 *	scattered	4 KiB pages, each a run of its own
 *	huge		2 MiB pages, each a run of its own
 *	contiguous	2 MiB pages in the order of their addresses, so few runs
 *
 * On stdout there is a line "# bench: {...}" for each measurement, a JSON object, and last
 * a line of TAP, which says whether all was carried out. What the driver refuses is a row
 * like others: with "step", the phase, and "errno". There is no "errno" in a good row.
 *
 * Phases are counted in one pass and memory is looked at in another, as looking costs
 * instructions. Counters of a phase:
 *
 *	pair		The program executes "hint #0x60" where the phase begins and
 *			"hint #0x61" where it ends; this is the number of the pair. A plugin
 *			of QEMU (insns.c) counts what is between them. No CPU does anything
 *			for these hints.
 *	perf		instructions that a hardware counter has seen in the calling thread
 *	ticks		nanoseconds by the system counter. With QEMU's "-icount shift=0" these
 *			are instructions, of all CPUs.
 *	sends, recvs	hypercalls of the host that send or receive a message
 *	requests	whole messages to the resource manager
 *	messages	whole messages from the resource manager
 *
 * The last four are the test hypervisor's; those that cannot be known are not there.
 *
 * Memory: see free_memory() and sampler().
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "gh_guest.h"
#include "lab_ctl.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIB		(1024UL * 1024)
#define GIB		(1024 * MIB)
#define HUGE		(2 * MIB)

#define IMAGE_SIZE	0x40000
#define RWX		(GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC)
#define BIG_LABEL	0x100
#define BIG_BASE	0x100000000ULL
#define MAX_GUESTS	8
#define MAX_SIZES	16
/* Of the memory that is free, regions may have so much */
#define USABLE(free)	((free) / 8 * 7)
/* A driver may go on after close() has returned; so long it is waited for */
#define LATE_MS		20000

static size_t page;
static int gunyah;
static bool all_done = true;

/*
 * Small files, which are read without a new allocation each time: free memory is measured.
 */

static ssize_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	else
		text[n] = 0;
	close(fd);
	return n;
}

static int write_number(const char *path, unsigned long value)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	fprintf(f, "%lu\n", value);
	return fclose(f) ? -errno : 0;
}

static unsigned long number_behind(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoul(at + strlen(key), NULL, 0) : 0;
}

static unsigned long locked_kib(void)
{
	char text[8192];

	return read_file("/proc/self/status", text, sizeof(text)) < 0 ? 0 :
	       number_behind(text, "\nVmLck:");
}

/*
 * The control page of the test hypervisor, if it has one
 */

static uint8_t *ctl;
static bool has_messages;

/*
 * The hypervisor emulates the access, for which it has to be a plain load. The compiler
 * might use one that changes the address, too.
 */
static uint32_t ctl_read(unsigned int reg)
{
	uint32_t value = 0;

	if (ctl) {
#ifdef __aarch64__
		asm volatile("ldr %w0, [%1]" : "=r" (value) : "r" (ctl + reg) : "memory");
#else
		memcpy(&value, ctl + reg, sizeof(value));
#endif
	}
	return value;
}

static void ctl_open(void)
{
	char path[128], text[256] = "";
	void *map;
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/firmware/devicetree/base/gunyah-test-control@%x/compatible",
		 GH_LAB_CTL_BASE);
	if (read_file(path, text, sizeof(text)) < 0 || strcmp(text, GH_LAB_CTL_COMPATIBLE))
		return;
	fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		return;
	map = mmap(NULL, GH_LAB_CTL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, GH_LAB_CTL_BASE);
	close(fd);
	if (map == MAP_FAILED)
		return;
	ctl = map;
	/* The first messages were exchanged when the driver was loaded. */
	has_messages = ctl_read(GH_LAB_CTL_MSGS_OUT);
}

/*
 * Counting
 */

struct count {
	unsigned int pair;
	uint64_t ticks;
	uint64_t perf;
	uint32_t sends;
	uint32_t recvs;
	uint32_t requests;
	uint32_t messages;
};

static int perf = -1;
static unsigned int pairs;

static void perf_open(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_hv = 1,
	};

	perf = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t perf_read(void)
{
	uint64_t value;

	return perf >= 0 && read(perf, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

#ifdef __aarch64__
static uint64_t counter(void)
{
	uint64_t value;

	asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r" (value) : : "memory");
	return value;
}

static uint64_t to_ns(uint64_t ticks)
{
	uint64_t frequency;

	asm volatile("mrs %0, cntfrq_el0" : "=r" (frequency));
	return ticks * 1000000000.0 / frequency;
}

static inline void mark_begin(void)
{
	asm volatile("hint #0x60" : : : "memory");
}

static inline void mark_end(void)
{
	asm volatile("hint #0x61" : : : "memory");
}
#else
static uint64_t counter(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static uint64_t to_ns(uint64_t ticks)
{
	return ticks;
}

static void mark_begin(void)
{
}

static void mark_end(void)
{
}
#endif

static void begin(struct count *c)
{
	c->pair = ++pairs;
	c->sends = ctl_read(GH_LAB_CTL_SENDS);
	c->recvs = ctl_read(GH_LAB_CTL_RECVS);
	c->requests = ctl_read(GH_LAB_CTL_MSGS_IN);
	c->messages = ctl_read(GH_LAB_CTL_MSGS_OUT);
	c->perf = perf_read();
	c->ticks = counter();
	mark_begin();
}

static void end(struct count *c)
{
	mark_end();
	c->ticks = to_ns(counter() - c->ticks);
	c->perf = perf_read() - c->perf;
	c->sends = ctl_read(GH_LAB_CTL_SENDS) - c->sends;
	c->recvs = ctl_read(GH_LAB_CTL_RECVS) - c->recvs;
	c->requests = ctl_read(GH_LAB_CTL_MSGS_IN) - c->requests;
	c->messages = ctl_read(GH_LAB_CTL_MSGS_OUT) - c->messages;
}

/*
 * Free memory in bytes: the free lists of all zones, and the pages that each CPU keeps for
 * itself. Exact to the page, but what it says of one driver is not: a slab that happens to
 * be full takes a page or more for one object more, and keeps it.
 */
static long free_memory(void)
{
	static char text[65536];
	static int fd = -1;
	unsigned long pages = 0;
	char *at;
	ssize_t n;

	if (fd < 0)
		fd = open("/proc/zoneinfo", O_RDONLY | O_CLOEXEC);
	n = pread(fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = 0;
	for (at = text; (at = strstr(at, "nr_free_pages")); at++)
		pages += strtoul(at + strlen("nr_free_pages"), NULL, 10);
	for (at = text; (at = strstr(at, "count:")); at++)
		pages += strtoul(at + strlen("count:"), NULL, 10);
	return pages * page;
}

/* What was freed before may come back only now, for which there is no event. */
static void settle(void)
{
	const struct timespec pause = { .tv_nsec = 50000000 };

	nanosleep(&pause, NULL);
}

/*
 * The least free memory while a phase lasts, by a thread that gets the CPU whenever its
 * timer says so and the driver lets it: without preemption that is where the driver calls
 * cond_resched() or sleeps. So this is a lower bound of the peak, by what comes and goes
 * between two of these moments, which are some hundred pages apart if the driver is fair.
 */
#define SAMPLE_NS	100000

static struct {
	sem_t go, gone;
	bool active;
	long least;
} sampling;

static void *sampler(void *arg)
{
	const struct timespec pause = { .tv_nsec = SAMPLE_NS };

	for (;;) {
		sem_wait(&sampling.go);
		while (__atomic_load_n(&sampling.active, __ATOMIC_ACQUIRE)) {
			long now = free_memory();

			if (now < sampling.least)
				sampling.least = now;
			clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		}
		sem_post(&sampling.gone);
	}
	return arg;
}

static int sampler_init(void)
{
	const struct sched_param first = { .sched_priority = 50 };
	pthread_attr_t attr;
	pthread_t thread;

	sem_init(&sampling.go, 0, 0);
	sem_init(&sampling.gone, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &first);
	return pthread_create(&thread, &attr, sampler, NULL);
}

static void sampler_begin(void)
{
	sampling.least = free_memory();
	__atomic_store_n(&sampling.active, true, __ATOMIC_RELEASE);
	sem_post(&sampling.go);
}

static long sampler_end(void)
{
	long now;

	__atomic_store_n(&sampling.active, false, __ATOMIC_RELEASE);
	sem_wait(&sampling.gone);
	now = free_memory();
	return now < sampling.least ? now : sampling.least;
}

/*
 * Memory of each kind
 */

enum kind { SCATTERED, HUGE_PAGES, CONTIGUOUS, KINDS };

static const char *const kind_names[] = { "scattered", "huge", "contiguous" };

struct region {
	uint8_t *addr;
	size_t size;
	size_t runs;
};

/* Numbers of the page frames behind @n pages from @addr */
static int frames(const uint8_t *addr, size_t n, uint64_t *pfn)
{
	static int fd = -1;
	size_t i;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, pfn, n * sizeof(*pfn), (uintptr_t)addr / page * sizeof(*pfn)) !=
	    (ssize_t)(n * sizeof(*pfn)))
		return -EIO;
	for (i = 0; i < n; i++) {
		/* Bit 63: there is a page */
		if (!(pfn[i] >> 63))
			return -ENXIO;
		pfn[i] &= (1ULL << 55) - 1;
		if (!pfn[i])
			return -EPERM;
	}
	return 0;
}

static int count_runs(const uint8_t *addr, size_t size, size_t *runs)
{
	uint64_t pfn[512], last = 0;
	size_t i, done, n, pages = size / page;
	int err;

	*runs = 0;
	for (done = 0; done < pages; done += n) {
		n = pages - done < ARRAY_SIZE(pfn) ? pages - done : ARRAY_SIZE(pfn);
		err = frames(addr + done * page, n, pfn);
		if (err)
			return err;
		for (i = 0; i < n; i++) {
			if (!last || pfn[i] != last + 1)
				++*runs;
			last = pfn[i];
		}
	}
	return 0;
}

/*
 * The kernel hands out neighbours one after the other: first to every other page, then to
 * those between.
 */
static int alloc_scattered(struct region *r)
{
	size_t i, first;

	r->addr = mmap(NULL, r->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->addr == MAP_FAILED)
		return -errno;
	/* Fails if the kernel has none anyway */
	madvise(r->addr, r->size, MADV_NOHUGEPAGE);
	for (first = 0; first < 2; first++) {
		for (i = first * page; i < r->size; i += 2 * page)
			r->addr[i] = 1;
	}
	return 0;
}

#define NR_HUGE	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

/* At least @n, and @more if there are. Sets *@got to how many there are. */
static int reserve_huge(size_t n, size_t more, size_t *got)
{
	char text[32];
	int err;

	err = write_number(NR_HUGE, n + more);
	if (err)
		return err;
	if (read_file(NR_HUGE, text, sizeof(text)) < 0)
		return -EIO;
	*got = strtoul(text, NULL, 10);
	return *got < n ? -ENOMEM : 0;
}

struct huge {
	uint64_t pfn;
	size_t at;			/* in the file */
};

static int by_pfn(const void *a, const void *b)
{
	const struct huge *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* The pages of a file, of @n huge ones, in the order of their addresses */
static int sorted_huge(int fd, struct huge *huge, size_t n)
{
	uint8_t *addr;
	size_t i;
	int err = 0;

	if (ftruncate(fd, n * HUGE))
		return -errno;
	addr = mmap(NULL, n * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED)
		return -errno;
	for (i = 0; i < n && !err; i++) {
		addr[i * HUGE] = 1;
		huge[i].at = i * HUGE;
		err = frames(addr + i * HUGE, 1, &huge[i].pfn);
	}
	munmap(addr, n * HUGE);
	qsort(huge, n, sizeof(*huge), by_pfn);
	return err;
}

/* Where in a sorted list of @all do @n begin that have the fewest gaps? */
static size_t best_window(const struct huge *huge, size_t all, size_t n)
{
	size_t i, gaps = 0, best = 0, fewest;

	for (i = 1; i < n; i++)
		gaps += huge[i].pfn != huge[i - 1].pfn + HUGE / page;
	fewest = gaps;
	for (i = n; i < all; i++) {
		gaps += huge[i].pfn != huge[i - 1].pfn + HUGE / page;
		gaps -= huge[i - n + 1].pfn != huge[i - n].pfn + HUGE / page;
		if (gaps < fewest) {
			fewest = gaps;
			best = i - n + 1;
		}
	}
	return best;
}

/* Address space that huge pages can be mapped to */
static uint8_t *huge_space(size_t size)
{
	uint8_t *addr, *aligned;

	addr = mmap(NULL, size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	if (addr == MAP_FAILED)
		return NULL;
	aligned = (uint8_t *)(((uintptr_t)addr + HUGE - 1) & ~(HUGE - 1));
	if (aligned > addr)
		munmap(addr, aligned - addr);
	munmap(aligned + size, addr + HUGE - aligned);
	return aligned;
}

/* More than are needed, to find some that are neighbours */
#define MORE_HUGE	128

/* In a descending order no page is the next one's neighbour. */
static int alloc_huge(struct region *r, bool ascending)
{
	size_t i, n = r->size / HUGE, first = 0, all;
	struct huge *huge;
	int fd, err;

	err = reserve_huge(n, MORE_HUGE, &all);
	if (err)
		return err;
	fd = memfd_create("bench", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	if (fd < 0)
		return -errno;
	huge = calloc(all, sizeof(*huge));
	r->addr = huge_space(r->size);
	err = !huge || !r->addr ? -ENOMEM : sorted_huge(fd, huge, all);
	if (!err)
		first = best_window(huge, all, n);
	for (i = 0; i < n && !err; i++) {
		uint8_t *addr = r->addr + i * HUGE;

		if (mmap(addr, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 huge[first + (ascending ? i : n - 1 - i)].at) == MAP_FAILED)
			err = -errno;
		else
			*addr = 1;
	}
	free(huge);
	close(fd);
	return err;
}

static void region_free(struct region *r)
{
	if (r->addr && r->addr != MAP_FAILED)
		munmap(r->addr, r->size);
	r->addr = NULL;
	/* Fails where there are none */
	write_number(NR_HUGE, 0);
}

/* Is it what it should be? A tenth of a per cent of it may be by chance. */
static bool has_kind(const struct region *r, enum kind kind)
{
	size_t huge = r->size / HUGE, pages = r->size / page;

	switch (kind) {
	case SCATTERED:
		return r->runs >= pages - pages / 1000;
	case HUGE_PAGES:
		return r->runs == huge;
	default:
		return r->runs <= huge / 8 + 1;
	}
}

/* @n regions, of the kind together */
static int regions_alloc(struct region *r, unsigned int n, size_t size, enum kind kind)
{
	struct region all = { .size = n * size };
	unsigned int i;
	int err;

	err = kind == SCATTERED ? alloc_scattered(&all) : alloc_huge(&all, kind == CONTIGUOUS);
	if (err) {
		region_free(&all);
		return err;
	}
	for (i = 0; i < n; i++) {
		r[i] = (struct region){ .addr = all.addr + i * size, .size = size };
		err = count_runs(r[i].addr, size, &r[i].runs);
		if (!err && !has_kind(&r[i], kind))
			err = -EUCLEAN;
		if (err)
			break;
	}
	return err;
}

static void regions_free(struct region *r, unsigned int n)
{
	struct region all = { .addr = r->addr, .size = n * r->size };

	region_free(&all);
}

/*
 * Guests
 */

struct guest {
	int vm;
	int err;
	struct gh_mem image;
	size_t image_runs;
	uint64_t dtb_space;
	struct region *big;		/* so many, with labels from BIG_LABEL on */
	unsigned int n_big;
	uint32_t flags;
};

static int guest_init(struct guest *g)
{
	int err;

	*g = (struct guest){ .vm = -1 };
	err = gh_mem_alloc(&g->image, "image", IMAGE_SIZE);
	if (err)
		return err;
	memset(g->image.addr, 0, IMAGE_SIZE);
	g->dtb_space = gh_dtb_space(0);
	/* Whether one may look */
	return count_runs(g->image.addr, IMAGE_SIZE, &g->image_runs);
}

static void guest_open(struct guest *g)
{
	const struct gh_dtb_options options = { .base = GH_GUEST_BASE, .vcpus = 1 };
	uint64_t at = IMAGE_SIZE - g->dtb_space;

	/* The last guest's is what the resource manager has made of it. */
	g->err = gh_dtb_build(g->image.addr + at, g->dtb_space, &options);
	g->vm = g->err ? -1 : gh_create_vm(gunyah);
	if (!g->err && g->vm < 0)
		g->err = g->vm;
	if (!g->err)
		g->err = gh_set_region(g->vm, GH_IMAGE_LABEL, RWX | GH_MEM_LENT, GH_GUEST_BASE,
				       IMAGE_SIZE, g->image.addr);
	if (!g->err)
		g->err = gh_set_dtb(g->vm, GH_GUEST_BASE + at, g->dtb_space);
}

static void guest_set(struct guest *g)
{
	uint64_t gpa = BIG_BASE;
	unsigned int i;

	for (i = 0; i < g->n_big && !g->err; i++) {
		g->err = gh_set_region(g->vm, BIG_LABEL + i, g->flags, gpa, g->big[i].size,
				       g->big[i].addr);
		gpa += g->big[i].size;
	}
}

static void guest_start(struct guest *g)
{
	if (!g->err)
		g->err = gh_start(g->vm);
}

static void guest_close(struct guest *g)
{
	if (g->vm >= 0)
		close(g->vm);
	g->vm = -1;
}

/*
 * Several guests do the same at once, each in a thread of its own. One alone has none.
 */

static struct {
	pthread_barrier_t begin, end;
	void (*what)(struct guest *g);
} crew;

static void *member(void *arg)
{
	for (;;) {
		pthread_barrier_wait(&crew.begin);
		if (!crew.what)
			return NULL;
		crew.what(arg);
		pthread_barrier_wait(&crew.end);
	}
}

static void all_do(struct guest *guests, unsigned int n, void (*what)(struct guest *g))
{
	if (n == 1) {
		what(guests);
		return;
	}
	crew.what = what;
	pthread_barrier_wait(&crew.begin);
	pthread_barrier_wait(&crew.end);
}

/*
 * Rows
 */

static char row[4096];
static size_t row_len;

static void __attribute__((format(printf, 1, 2))) add(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	row_len += vsnprintf(row + row_len, sizeof(row) - row_len, format, args);
	va_end(args);
}

static void row_begin(const char *test)
{
	row_len = 0;
	add("{\"test\": \"%s\"", test);
}

static void row_end(void)
{
	printf("# bench: %s}\n", row);
	fflush(stdout);
}

static void add_count(const char *phase, const struct count *c)
{
	add(", \"%s\": {\"pair\": %u, \"ticks\": %llu", phase, c->pair,
	    (unsigned long long)c->ticks);
	if (perf >= 0)
		add(", \"perf\": %llu", (unsigned long long)c->perf);
	if (ctl)
		add(", \"sends\": %u, \"recvs\": %u", c->sends, c->recvs);
	if (has_messages)
		add(", \"requests\": %u, \"messages\": %u", c->requests, c->messages);
	add("}");
}

static void add_error(const char *step, int err)
{
	add(", \"step\": \"%s\", \"errno\": %d", step, -err);
}

/* The first guest's error; and if there is one the row has it */
static bool failed(struct guest *guests, unsigned int n, const char *step)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (guests[i].err) {
			add_error(step, guests[i].err);
			return true;
		}
	}
	return false;
}

/*
 * A driver may undo in a worker what close() began. Then it has not yet uncharged the
 * memory, and what it still does is a phase of its own.
 */
static void wait_closed(unsigned long before, bool report)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct count c;
	unsigned int i;

	if (locked_kib() <= before)
		return;
	begin(&c);
	for (i = 0; i < LATE_MS && locked_kib() > before; i++)
		nanosleep(&pause, NULL);
	end(&c);
	if (report)
		add_count("late", &c);
}

static bool count_phases(struct guest *guests, unsigned int n)
{
	static const struct {
		const char *name;
		void (*what)(struct guest *g);
	} phases[] = { { "set", guest_set }, { "start", guest_start }, { "close", guest_close } };
	unsigned long locked = locked_kib();
	struct count c;
	bool bad;
	size_t i;

	all_do(guests, n, guest_open);
	bad = failed(guests, n, "open");
	for (i = 0; i < ARRAY_SIZE(phases); i++) {
		/* Whatever became of it, it is closed */
		if (bad && phases[i].what != guest_close)
			continue;
		begin(&c);
		all_do(guests, n, phases[i].what);
		end(&c);
		if (bad)
			continue;
		bad = failed(guests, n, phases[i].name);
		if (!bad)
			add_count(phases[i].name, &c);
	}
	wait_closed(locked, true);
	return !bad;
}

struct memory {
	long set, run, peak_set, peak_start;
};

static bool look_at_memory(struct guest *guests, unsigned int n, struct memory *m)
{
	unsigned long locked = locked_kib();
	bool good = false;
	long before;

	all_do(guests, n, guest_open);
	settle();
	before = free_memory();
	sampler_begin();
	all_do(guests, n, guest_set);
	m->peak_set = before - sampler_end();
	m->set = before - free_memory();
	if (!failed(guests, n, "set")) {
		sampler_begin();
		all_do(guests, n, guest_start);
		m->peak_start = before - sampler_end();
		m->run = before - free_memory();
		good = !failed(guests, n, "start");
	}
	all_do(guests, n, guest_close);
	wait_closed(locked, false);
	return good;
}

static int by_value(const void *a, const void *b)
{
	const long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* In one of a few times a slab is filled, or something else is freed: the one between. */
#define TIMES	3

static void memory_phases(struct guest *guests, unsigned int n)
{
	static const char *const names[] = { "set", "run", "peak_set", "peak_start" };
	long all[ARRAY_SIZE(names)][TIMES];
	struct memory m;
	size_t i;

	for (i = 0; i < TIMES; i++) {
		if (!look_at_memory(guests, n, &m))
			return;
		all[0][i] = m.set;
		all[1][i] = m.run;
		all[2][i] = m.peak_set;
		all[3][i] = m.peak_start;
	}
	add(", \"memory\": {");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		qsort(all[i], TIMES, sizeof(*all[i]), by_value);
		add("%s\"%s\": %ld", i ? ", " : "", names[i], all[i][TIMES / 2]);
	}
	add("}");
}

static void add_number(size_t value, bool first)
{
	add("%s%zu", first ? "" : ", ", value);
}

static void describe(struct guest *guests, unsigned int n, const char *kind, bool lend)
{
	size_t runs = 0, pages = 0;
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		/* Images move when the kernel looks for room for huge pages. */
		if (count_runs(guests[i].image.addr, IMAGE_SIZE, &guests[i].image_runs))
			guests[i].image_runs = 0;
		guests[i].flags = lend ? RWX | GH_MEM_LENT : RWX;
		for (j = 0; j < guests[i].n_big; j++) {
			runs += guests[i].big[j].runs;
			pages += guests[i].big[j].size / page;
		}
	}
	add(", \"kind\": \"%s\", \"how\": \"%s\", \"guests\": %u, \"regions\": %u", kind,
	    lend ? "lend" : "share", n, guests->n_big);
	add(", \"size\": %zu, \"pages\": %zu, \"runs\": %zu", guests->big->size, pages, runs);
	/* What each parcel consists of */
	add(", \"image_runs\": [");
	for (i = 0; i < n; i++)
		add_number(guests[i].image_runs, !i);
	add("], \"region_runs\": [");
	for (i = 0; i < n; i++) {
		for (j = 0; j < guests[i].n_big; j++)
			add_number(guests[i].big[j].runs, !i && !j);
	}
	add("]");
}

/* Both passes, with guests that have their memory */
static void measure(const char *test, struct guest *guests, unsigned int n, const char *kind,
		    bool lend)
{
	pthread_t threads[MAX_GUESTS];
	unsigned int i;

	if (n > 1) {
		pthread_barrier_init(&crew.begin, NULL, n + 1);
		pthread_barrier_init(&crew.end, NULL, n + 1);
		for (i = 0; i < n; i++)
			pthread_create(&threads[i], NULL, member, &guests[i]);
	}

	row_begin(test);
	describe(guests, n, kind, lend);
	if (count_phases(guests, n))
		memory_phases(guests, n);
	row_end();

	if (n > 1) {
		crew.what = NULL;
		pthread_barrier_wait(&crew.begin);
		for (i = 0; i < n; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&crew.begin);
		pthread_barrier_destroy(&crew.end);
	}
}

/* This machine, not the driver, cannot do it */
static void report_no_memory(const char *test, const char *kind, size_t size, unsigned int n,
			     const struct region *r, int err)
{
	row_begin(test);
	add(", \"kind\": \"%s\", \"guests\": %u, \"size\": %zu", kind, n, size);
	if (r->size)
		add(", \"runs\": %zu", r->runs);
	add_error("memory", err);
	row_end();
	all_done = false;
}

static struct guest guests[MAX_GUESTS];

/*
 * Some guests, each with memory of this kind and size. It is new, as the driver marks the
 * pages dirty when it gives them back, and has less to do if they are already.
 */
static void measure_kind(const char *test, enum kind kind, size_t size, unsigned int n, bool lend)
{
	struct region regions[MAX_GUESTS] = { 0 };
	unsigned int i;
	int err;

	err = regions_alloc(regions, n, size, kind);
	if (err) {
		report_no_memory(test, kind_names[kind], size, n, regions, err);
	} else {
		for (i = 0; i < n; i++) {
			guests[i].big = &regions[i];
			guests[i].n_big = 1;
		}
		measure(test, guests, n, kind_names[kind], lend);
	}
	if (regions->addr)
		regions_free(regions, n);
}

static bool fits(size_t size)
{
	return size <= USABLE((size_t)free_memory());
}

static void measure_sizes(const unsigned long *mib)
{
	enum kind kind;

	for (; *mib; mib++) {
		for (kind = 0; kind < KINDS && fits(*mib * MIB); kind++) {
			measure_kind("cost", kind, *mib * MIB, 1, true);
			measure_kind("cost", kind, *mib * MIB, 1, false);
		}
	}
}

static void measure_guests(size_t size)
{
	unsigned int n;

	for (n = 1; n <= MAX_GUESTS && fits(n * size); n *= 2)
		measure_kind("guests", SCATTERED, size, n, true);
}

/* What a call of the resource manager costs is the difference that so many more make. */
#define MORE_CALLS	32

static void measure_calls(void)
{
	static const unsigned int numbers[] = { 1, 1 + MORE_CALLS };
	struct region regions[1 + MORE_CALLS] = { 0 };
	size_t i;
	int err;

	err = regions_alloc(regions, ARRAY_SIZE(regions), page, SCATTERED);
	if (err) {
		report_no_memory("calls", kind_names[SCATTERED], page, 1, regions, err);
	} else {
		for (i = 0; i < ARRAY_SIZE(numbers); i++) {
			guests->big = regions;
			guests->n_big = numbers[i];
			measure("calls", guests, 1, kind_names[SCATTERED], true);
		}
	}
	if (regions->addr)
		regions_free(regions, ARRAY_SIZE(regions));
}

/*
 * A region that is larger than the machine: one file, mapped again and again. It is never
 * started, as the resource manager takes memory once.
 */
#define FILE_SIZE	(16 * MIB)

static int map_repeatedly(struct region *r, int fd)
{
	size_t at;

	r->addr = huge_space(r->size);
	if (!r->addr)
		return -ENOMEM;
	if (ftruncate(fd, FILE_SIZE))
		return -errno;
	for (at = 0; at < r->size; at += FILE_SIZE) {
		size_t size = r->size - at < FILE_SIZE ? r->size - at : FILE_SIZE;

		if (mmap(r->addr + at, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) == MAP_FAILED)
			return -errno;
	}
	return 0;
}

static void measure_virtual(bool huge, size_t size)
{
	const char *kind = huge ? "huge" : "small";
	struct region r = { .size = size };
	unsigned long locked = locked_kib();
	struct count set, closed;
	long before, kept;
	size_t all;
	int fd, err;

	err = huge ? reserve_huge(FILE_SIZE / HUGE, 0, &all) : 0;
	fd = memfd_create("bench", MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
	if (!err)
		err = fd < 0 ? -errno : map_repeatedly(&r, fd);
	if (!err)
		err = count_runs(r.addr, FILE_SIZE, &r.runs);
	if (err) {
		report_no_memory("virtual", kind, size, 1, &r, err);
	} else {
		/* The last page of one mapping may be the neighbour of the next one's first. */
		r.runs *= size / FILE_SIZE;
		guests->big = &r;
		guests->n_big = 1;
		row_begin("virtual");
		describe(guests, 1, kind, true);
		guest_open(guests);
		if (!failed(guests, 1, "open")) {
			settle();
			before = free_memory();
			begin(&set);
			guest_set(guests);
			end(&set);
			kept = before - free_memory();
			if (!failed(guests, 1, "set")) {
				add(", \"memory\": {\"set\": %ld}", kept);
				add_count("set", &set);
			}
		}
		begin(&closed);
		guest_close(guests);
		end(&closed);
		if (!guests->err)
			add_count("close", &closed);
		wait_closed(locked, true);
		row_end();
	}
	if (fd >= 0)
		close(fd);
	region_free(&r);
}

/* The first guest that there is makes caches; what a phase costs does not depend on it. */
static void warm_up(void)
{
	struct region regions[MAX_GUESTS] = { 0 };
	unsigned int i, flags;
	int err;

	err = regions_alloc(regions, MAX_GUESTS, MIB, SCATTERED);
	for (flags = 0; !err && flags <= GH_MEM_LENT; flags += GH_MEM_LENT) {
		for (i = 0; i < MAX_GUESTS; i++) {
			guests[i].big = &regions[i];
			guests[i].n_big = 1;
			guests[i].flags = RWX | flags;
			guest_open(&guests[i]);
			guest_set(&guests[i]);
			guest_start(&guests[i]);
		}
		for (i = 0; i < MAX_GUESTS; i++)
			guest_close(&guests[i]);
	}
	if (regions->addr)
		regions_free(regions, MAX_GUESTS);
}

static void report_host(void)
{
	struct utsname name;

	uname(&name);
	row_begin("host");
	add(", \"release\": \"%s\", \"version\": \"%s\", \"machine\": \"%s\"", name.release,
	    name.version, name.machine);
	add(", \"cpus\": %ld, \"page_size\": %zu, \"memory\": %ld, \"free\": %ld",
	    sysconf(_SC_NPROCESSORS_ONLN), page, sysconf(_SC_PHYS_PAGES) * (long)page,
	    free_memory());
	row_end();
}

/* Numbers with commas between, which end with a 0 */
static bool parse(const char *text, unsigned long *numbers)
{
	size_t n = 0;
	char *end;

	do {
		numbers[n] = strtoul(text, &end, 10);
		n++;
		if (end == text || (*end && *end != ',') || n == MAX_SIZES)
			return false;
		text = end + 1;
	} while (*end);
	numbers[n] = 0;
	return true;
}

int main(int argc, char **argv)
{
	unsigned long sizes[MAX_SIZES] = { 4, 16, 64, 256, 1024, 4096, 16384 };
	unsigned long huge[MAX_SIZES] = { 2, 8, 64, 256 }, small[MAX_SIZES] = { 2, 8 };
	unsigned long each[MAX_SIZES] = { 64 };
	const struct {
		const char *name;
		unsigned long *numbers;
	} options[] = {
		{ "--sizes", sizes }, { "--guests", each },
		{ "--huge", huge }, { "--small", small },
	};
	size_t i, j;

	for (i = 1; i < (size_t)argc; i += 2) {
		for (j = 0; j < ARRAY_SIZE(options) && strcmp(argv[i], options[j].name); j++)
			;
		if (j == ARRAY_SIZE(options) || !argv[i + 1] ||
		    !parse(argv[i + 1], options[j].numbers)) {
			fprintf(stderr, "usage: bench%s%s\n", " [--sizes MIB,...] [--guests MIB]",
				" [--huge GIB,...] [--small GIB,...]");
			return 2;
		}
	}

	page = sysconf(_SC_PAGESIZE);
	printf("TAP version 13\n1..1\n");
	gunyah = gh_open();
	if (gunyah < 0) {
		printf("ok 1 # SKIP /dev/gunyah: %s\n", strerror(-gunyah));
		return 0;
	}
	ctl_open();
	perf_open();
	for (i = 0; i < MAX_GUESTS; i++) {
		if (guest_init(&guests[i])) {
			printf("not ok 1 - bench: no memory, or no right to see where it is\n");
			return 1;
		}
	}
	if (sampler_init()) {
		printf("not ok 1 - bench: no thread\n");
		return 1;
	}
	warm_up();

	report_host();
	measure_sizes(sizes);
	measure_guests(each[0] * MIB);
	measure_calls();
	for (i = 0; huge[i]; i++)
		measure_virtual(true, huge[i] * GIB);
	for (i = 0; small[i]; i++)
		measure_virtual(false, small[i] * GIB);

	printf("%sok 1 - bench\n", all_done ? "" : "not ");
	return !all_done;
}

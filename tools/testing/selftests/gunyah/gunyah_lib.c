// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <libfdt.h>

#include "gunyah_lib.h"

size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

/* Payloads are beside the test program, or where the lab puts them */
static int load_payload(const char *name, void **data, size_t *size)
{
	char path[PATH_MAX + 64], self[PATH_MAX];
	char *slash;
	ssize_t n;
	int err;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return -errno;
	self[n] = 0;
	slash = strrchr(self, '/');
	*slash = 0;

	snprintf(path, sizeof(path), "%s/%s.bin", self, name);
	err = gh_read_file(path, data, size);
	if (err != -ENOENT)
		return err;
	snprintf(path, sizeof(path), "/guests/%s.bin", name);
	return gh_read_file(path, data, size);
}

int guest_load(struct guest *g, const char *payload)
{
	static const struct gh_shm shm[] = {
		{ GH_CONSOLE_LABEL, GH_CONSOLE_BASE },
		{ TEST_PAGE_LABEL, TEST_PAGE_BASE },
	};
	/* wfi, and back to it */
	static const uint32_t loop[] = { 0xd503207f, 0x17ffffff };
	struct gh_dtb_options options = { .base = GH_GUEST_BASE };
	size_t size;
	void *data;
	int err;

	if (payload) {
		err = load_payload(payload, &data, &size);
		if (err)
			return err;
		memcpy(g->image.addr, data, size);
		free(data);
	} else {
		memcpy(g->image.addr, loop, sizeof(loop));
	}
	if (g->page) {
		options.shm = shm;
		options.n_shm = sizeof(shm) / sizeof(shm[0]);
		gh_console_init(&g->console, g->console_mem.addr);
		memset(g->page_mem.addr, 0, g->page_mem.size);
	}
	g->text_len = 0;
	g->dtb_space = gh_dtb_space(0);
	g->dtb_offset = g->image.size - g->dtb_space;
	return gh_dtb_build(g->image.addr + g->dtb_offset, g->dtb_space, &options);
}

int guest_alloc(struct guest *g, const char *payload, const struct gh_mem *image)
{
	size_t round = page_size() - 1;
	int err = 0;

	memset(g, 0, sizeof(*g));
	if (image)
		g->image = *image;
	else
		err = gh_mem_alloc(&g->image, "image", IMAGE_SIZE);
	if (!err)
		err = gh_mem_alloc(&g->console_mem, "console", (GH_CONSOLE_SIZE + round) & ~round);
	if (!err)
		err = gh_mem_alloc(&g->page_mem, "page", page_size());
	if (err)
		return err;
	g->page = (struct test_page *)g->page_mem.addr;
	return guest_load(g, payload);
}

int guest_alloc_bare(struct guest *g, const char *payload)
{
	memset(g, 0, sizeof(*g));
	return gh_mem_alloc(&g->image, "image", SMALL_IMAGE) ?: guest_load(g, payload);
}

int guest_setup(struct guest *g, int gunyah, unsigned int flags)
{
	int err;

	g->vm = gh_create_vm(gunyah);
	if (g->vm < 0)
		return g->vm;
	g->has_vm = true;

	err = gh_set_region(g->vm, GH_IMAGE_LABEL, flags & GUEST_SHARE ? RWX : RWX | GH_MEM_LENT,
			    GH_GUEST_BASE, g->image.size, g->image.addr);
	if (!err && g->console_mem.addr)
		err = gh_set_region(g->vm, GH_CONSOLE_LABEL, RW, GH_CONSOLE_BASE,
				    g->console_mem.size, g->console_mem.addr);
	if (!err && g->page_mem.addr)
		err = gh_set_region(g->vm, TEST_PAGE_LABEL,
				    flags & GUEST_READ_ONLY_PAGE ? GH_MEM_ALLOW_READ : RW,
				    TEST_PAGE_BASE, g->page_mem.size, g->page_mem.addr);
	if (!err)
		err = gh_set_dtb(g->vm, GH_GUEST_BASE + g->dtb_offset, g->dtb_space);
	return err;
}

int guest_run(struct guest *g, int gunyah, const char *payload, unsigned int flags)
{
	int err;

	err = guest_alloc(g, payload, NULL);
	if (!err)
		err = guest_setup(g, gunyah, flags);
	return err ?: gh_start(g->vm);
}

void guest_read_console(struct guest *g)
{
	size_t n;

	if (!g->console_mem.addr)
		return;
	do {
		n = gh_console_read(&g->console, g->text + g->text_len,
				    sizeof(g->text) - 1 - g->text_len);
		g->text_len += n;
	} while (n);
	g->text[g->text_len] = 0;
}

int guest_wait(struct guest *g)
{
	struct pollfd fd = { .fd = g->vm };
	uint64_t end = now_ms() + EVENT_MS;
	int n;

	do {
		/* The end is an event; the timeout is for text, which is none */
		n = poll(&fd, 1, 20);
		if (n < 0)
			return -errno;
		guest_read_console(g);
		if (n)
			return 0;
	} while (now_ms() < end);
	return -ETIMEDOUT;
}

void guest_close(struct guest *g)
{
	if (g->has_vm)
		close(g->vm);
	g->has_vm = false;
}

void guest_free(struct guest *g)
{
	guest_close(g);
	gh_mem_free(&g->image);
	gh_mem_free(&g->console_mem);
	gh_mem_free(&g->page_mem);
}

int guest_cycle(struct guest *g, int gunyah, const char *payload, struct gh_vm_exit_info *info)
{
	int err;

	err = guest_run(g, gunyah, payload, 0);
	if (!err)
		err = guest_wait(g);
	if (!err)
		err = gh_exit_info(g->vm, info);
	guest_free(g);
	return err;
}

bool asleep_in(pid_t tid, long nr)
{
	uint64_t end = now_ms() + EVENT_MS;
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	/* "running" unless the thread sleeps; nobody is told when it begins to */
	while (read_text(path, text, sizeof(text)) || text[0] == 'r' || atol(text) != nr) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

int vm_events(int vm)
{
	struct pollfd fd = { .fd = vm, .events = POLLIN | POLLOUT };

	return poll(&fd, 1, 0) < 0 ? -errno : fd.revents;
}

const char *fdinfo(int fd, const char *key)
{
	static char text[2048];
	size_t len = strlen(key);
	char path[64], *line;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (read_text(path, text, sizeof(text)))
		return "";
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (!strncmp(line, key, len) && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return "";
}

int open_soon(void)
{
	uint64_t end = now_ms() + EVENT_MS;
	int fd;

	while ((fd = gh_open()) == -ENOENT && now_ms() < end)
		sleep_ms(10);
	return fd;
}

#define DRIVER	"/sys/bus/platform/drivers/gh_rsc_mgr"

static char driver_device[256];

/* The device that the driver has */
static bool find_device(char *device, size_t size)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir(DRIVER);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_type == DT_LNK && strcmp(entry->d_name, "module")) {
			snprintf(device, size, "%s", entry->d_name);
			found = true;
		}
	}
	closedir(dir);
	return found;
}

int driver_unbind(void)
{
	if (!find_device(driver_device, sizeof(driver_device)))
		return -ENODEV;
	return write_text(DRIVER "/unbind", driver_device);
}

int driver_bind(void)
{
	return write_text(DRIVER "/bind", driver_device);
}

static sigjmp_buf bus_error;

static void on_bus_error(int sig)
{
	(void)sig;
	siglongjmp(bus_error, 1);
}

static bool try_access(volatile uint8_t *p, bool write)
{
	struct sigaction action = { .sa_handler = on_bus_error }, old;
	bool ok = false;

	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(bus_error, 1)) {
		if (write)
			*p = 0xa5;
		else
			(void)*p;
		ok = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return ok;
}

bool can_read(const volatile void *addr)
{
	return try_access((volatile uint8_t *)addr, false);
}

bool can_write(volatile void *addr)
{
	return try_access(addr, true);
}

int read_text(const char *path, char *text, size_t size)
{
	size_t done = 0;
	ssize_t n = 0;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (done < size - 1) {
		n = read(fd, text + done, size - 1 - done);
		if (n <= 0)
			break;
		done += n;
	}
	if (n < 0)
		err = -errno;
	text[done] = 0;
	close(fd);
	return err;
}

int write_text(const char *path, const char *text)
{
	int fd, err = 0;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

long read_value(const char *path, const char *key)
{
	size_t len = strlen(key);
	char *text, *line;
	long value = -1;

	/* /proc/vmstat is the largest of them */
	text = malloc(65536);
	if (text && !read_text(path, text, 65536)) {
		for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
			if (!strncmp(line, key, len) && strchr(": \t", line[len]))
				value = strtol(line + len + strspn(line + len, ": \t"), NULL, 10);
		}
	}
	free(text);
	return value;
}

static void read_quarantine(long *regions, long *pages)
{
	char text[8192], *line;
	long n;

	*regions = *pages = 0;
	if (read_text(DEBUGFS "quarantine", text, sizeof(text)))
		return;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "%*s %*s %ld", &n) == 1) {
			*pages += n;
			++*regions;
		}
	}
}

long quarantine_pages(void)
{
	long regions, pages;

	read_quarantine(&regions, &pages);
	return pages;
}

int get_call_timeout(void)
{
	char text[32];

	return read_text(DEBUGFS "call_timeout_ms", text, sizeof(text)) ?: atoi(text);
}

int set_call_timeout(unsigned int ms)
{
	char text[32];

	snprintf(text, sizeof(text), "%u", ms);
	return write_text(DEBUGFS "call_timeout_ms", text);
}

static bool is_control_node(const char *dir, const char *name)
{
	char path[PATH_MAX], text[256];

	snprintf(path, sizeof(path), "%s/%s/compatible", dir, name);
	memset(text, 0, sizeof(text));
	return !read_text(path, text, sizeof(text)) && !strcmp(text, GH_LAB_CTL_COMPATIBLE);
}

static bool find_control_node(const char *path)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			found = is_control_node(path, entry->d_name);
	}
	closedir(dir);
	return found;
}

static volatile uint32_t *ctl_page(void)
{
	static volatile uint32_t *page;
	static bool tried;
	void *map;
	int fd;

	if (tried)
		return page;
	tried = true;
	if (!find_control_node("/sys/firmware/devicetree/base") &&
	    !find_control_node("/sys/firmware/devicetree/base/hypervisor"))
		return NULL;

	fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	map = mmap(NULL, GH_LAB_CTL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, GH_LAB_CTL_BASE);
	close(fd);
	if (map == MAP_FAILED)
		return NULL;
	page = map;
	if (ctl_read(GH_LAB_CTL_ID) != GH_LAB_CTL_MAGIC || ctl_read(GH_LAB_CTL_VERSION) != 1)
		page = NULL;
	return page;
}

bool ctl_present(void)
{
	return ctl_page();
}

/*
 * The hypervisor emulates the access, and only plain loads and stores tell it
 * what to do. A compiler may otherwise use one that also changes the address.
 */
uint32_t ctl_read(unsigned int reg)
{
	volatile uint32_t *p = ctl_page();
	uint32_t value;

	if (!p)
		return 0;
	p += reg / sizeof(*p);
#ifdef __aarch64__
	asm volatile("ldr %w0, [%1]" : "=r" (value) : "r" (p) : "memory");
#else
	value = *p;
#endif
	return value;
}

void ctl_write(unsigned int reg, uint32_t value)
{
	volatile uint32_t *p = ctl_page();

	if (!p)
		return;
	p += reg / sizeof(*p);
#ifdef __aarch64__
	asm volatile("str %w0, [%1]" : : "r" (value), "r" (p) : "memory");
#else
	*p = value;
#endif
}

bool ctl_is_production(void)
{
	return ctl_present() && !ctl_read(GH_LAB_CTL_POLICY);
}

bool fault_add(uint32_t msg, uint32_t action, uint32_t arg, uint32_t skip, uint32_t count)
{
	ctl_write(GH_LAB_CTL_FAULT_MSG, msg);
	ctl_write(GH_LAB_CTL_FAULT_ACTION, action);
	ctl_write(GH_LAB_CTL_FAULT_ARG, arg);
	ctl_write(GH_LAB_CTL_FAULT_SKIP, skip);
	ctl_write(GH_LAB_CTL_FAULT_COUNT, count);
	ctl_write(GH_LAB_CTL_FAULT_COMMIT, 1);
	return !ctl_read(GH_LAB_CTL_FAULT_ERROR);
}

void fault_clear(void)
{
	ctl_write(GH_LAB_CTL_FAULT_CLEAR, 1);
}

bool call_rule_add(const struct call_rule *rule)
{
	int i;

	ctl_write(GH_LAB_CTL_CALL_NUMBER, rule->call);
	ctl_write(GH_LAB_CTL_CALL_VCPU, rule->vcpu);
	ctl_write(GH_LAB_CTL_CALL_AFTER, rule->after);
	ctl_write(GH_LAB_CTL_CALL_SKIP, rule->skip);
	ctl_write(GH_LAB_CTL_CALL_COUNT, rule->count);
	ctl_write(GH_LAB_CTL_CALL_ERROR, rule->error);
	ctl_write(GH_LAB_CTL_CALL_STATE, rule->state);
	for (i = 0; i < 3; i++) {
		ctl_write(GH_LAB_CTL_CALL_DATA + 8 * i, rule->data[i]);
		ctl_write(GH_LAB_CTL_CALL_DATA + 8 * i + 4, rule->data[i] >> 32);
	}
	ctl_write(GH_LAB_CTL_CALL_COMMIT, 1);
	return !ctl_read(GH_LAB_CTL_CALL_REFUSED);
}

void call_rules_clear(void)
{
	ctl_write(GH_LAB_CTL_CALL_CLEAR, 1);
}

static long vmstat_value(const char *vmstat, const char *key)
{
	const char *line = strstr(vmstat, key);

	return line ? atol(line + strlen(key)) : -1;
}

void resources_read(struct resources *r)
{
	char text[64] = "", vmstat[8192] = "";

	/* Counters that each CPU keeps are added up only now and then */
	write_text("/proc/sys/vm/stat_refresh", "1");
	read_text("/proc/vmstat", vmstat, sizeof(vmstat));
	r->pins = vmstat_value(vmstat, "\nnr_foll_pin_acquired ") -
		  vmstat_value(vmstat, "\nnr_foll_pin_released ");

	r->vmids = ctl_read(GH_LAB_CTL_VMIDS);
	r->rm_parcels = ctl_read(GH_LAB_CTL_PARCELS);
	r->lent_pages = ctl_read(GH_LAB_CTL_LENT_PAGES);
	r->guests = ctl_read(GH_LAB_CTL_GUESTS);

	read_text(DEBUGFS "parcels", text, sizeof(text));
	r->parcels = atol(text);
	read_quarantine(&r->listed, &r->quarantined);

	text[0] = 0;
	read_text("/sys/module/gunyah/refcnt", text, sizeof(text));
	r->module_refs = atol(text);
}

/* The fields of struct resources in their order, all of them long */
static const char *const resource_names[] = {
	"vmids", "parcels of the resource manager", "lent pages", "guests", "parcels",
	"quarantined regions", "quarantined pages", "pinned pages", "module references",
};

_Static_assert(sizeof(struct resources) ==
	       sizeof(resource_names) / sizeof(resource_names[0]) * sizeof(long),
	       "each field has a name");

void resources_more(const struct resources *before, struct resources *more)
{
	const long *a = (const long *)before;
	long *b = (long *)more;
	size_t i;

	resources_read(more);
	for (i = 0; i < sizeof(*more) / sizeof(*b); i++)
		b[i] -= a[i];
}

void resources_add(struct resources *r, const struct resources *more)
{
	const long *b = (const long *)more;
	long *a = (long *)r;
	size_t i;

	for (i = 0; i < sizeof(*r) / sizeof(*a); i++)
		a[i] += b[i];
}

static const char *missing(const struct resources *before)
{
	static char text[128];
	struct resources now;
	const long *a = (const long *)before, *b = (const long *)&now;
	size_t i;

	resources_read(&now);
	for (i = 0; i < sizeof(now) / sizeof(*b); i++) {
		if (a[i] != b[i]) {
			snprintf(text, sizeof(text), "%s: %ld, before %ld", resource_names[i],
				 b[i], a[i]);
			return text;
		}
	}
	return NULL;
}

const char *resources_missing(const struct resources *before)
{
	uint64_t end = now_ms() + EVENT_MS;
	const char *text;

	for (;;) {
		text = missing(before);
		if (!text || now_ms() > end)
			return text;
		/* There is no event to wait for: other CPUs may still be at it */
		sleep_ms(20);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <linux/capability.h>

#include <libfdt.h>

#include "../kselftest.h"
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

int mem_alloc_fragments(struct gh_mem *mem, size_t n)
{
	const size_t page = page_size(), size = n * page;
	struct gh_mem pages;
	uint8_t *addr;
	size_t i;
	int err;

	err = gh_mem_alloc(&pages, "fragments", 2 * size);
	if (err)
		return err;
	memset(pages.addr, 0, pages.size);
	addr = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; addr != MAP_FAILED && i < n; i++) {
		if (mmap(addr + i * page, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 pages.fd, 2 * i * page) == MAP_FAILED) {
			munmap(addr, size);
			addr = MAP_FAILED;
		}
	}
	munmap(pages.addr, pages.size);
	if (addr == MAP_FAILED) {
		close(pages.fd);
		return -ENOMEM;
	}
	*mem = (struct gh_mem){ .fd = pages.fd, .addr = addr, .size = size };
	return 0;
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

/* What a doorbell adds to a devicetree, and more */
#define BELL_DTB_SIZE	256

int guest_load(struct guest *g, const char *payload)
{
	static const struct gh_shm shm[] = {
		{ GH_CONSOLE_LABEL, GH_CONSOLE_BASE },
		{ TEST_PAGE_LABEL, TEST_PAGE_BASE },
	};
	/* wfi, and back to it */
	static const uint32_t loop[] = { 0xd503207f, 0x17ffffff };
	struct gh_dtb_options options = {
		.base = GH_GUEST_BASE,
		.vcpus = g->n_vcpus,
		.bells = g->bells,
		.n_bells = g->n_bells,
	};
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
		options.n_shm = ARRAY_SIZE(shm);
		gh_console_init(&g->console, g->console_mem.addr);
		memset(g->page_mem.addr, 0, g->page_mem.size);
	}
	g->text_len = 0;
	g->dtb_space = gh_dtb_space(g->n_bells * BELL_DTB_SIZE);
	g->dtb_offset = g->image.size - g->dtb_space;
	return gh_dtb_build(g->image.addr + g->dtb_offset, g->dtb_space, &options);
}

/* All of the memory but the image's, and what is in it */
static int guest_fill(struct guest *g, const char *payload)
{
	size_t round = page_size() - 1;
	int err;

	err = gh_mem_alloc(&g->console_mem, "console", (GH_CONSOLE_SIZE + round) & ~round);
	if (!err)
		err = gh_mem_alloc(&g->page_mem, "page", page_size());
	if (err)
		return err;
	g->page = (struct test_page *)g->page_mem.addr;
	return guest_load(g, payload);
}

int guest_alloc(struct guest *g, const char *payload, const struct gh_mem *image)
{
	int err = 0;

	memset(g, 0, sizeof(*g));
	if (image)
		g->image = *image;
	else
		err = gh_mem_alloc(&g->image, "image", IMAGE_SIZE);
	return err ?: guest_fill(g, payload);
}

int guest_alloc_vcpus(struct guest *g, const char *payload, unsigned int n_vcpus,
		      const struct gh_bell *bells, unsigned int n_bells)
{
	int err;

	memset(g, 0, sizeof(*g));
	g->n_vcpus = n_vcpus;
	g->bells = bells;
	g->n_bells = n_bells;
	err = gh_mem_alloc(&g->image, "image", IMAGE_SIZE);
	return err ?: guest_fill(g, payload);
}

int guest_alloc_bare(struct guest *g, const char *payload)
{
	memset(g, 0, sizeof(*g));
	return gh_mem_alloc(&g->image, "image", SMALL_IMAGE) ?: guest_load(g, payload);
}

int guest_setup(struct guest *g, int gunyah, unsigned int flags)
{
	unsigned int i;
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
	for (i = 0; !err && i < g->n_vcpus; i++)
		err = vcpu_add(&g->vcpu[i], g->vm, i);
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

int guest_run_vcpus(struct guest *g, int gunyah, const char *payload, unsigned int n_vcpus)
{
	int err;

	err = guest_alloc_vcpus(g, payload, n_vcpus, NULL, 0);
	if (!err)
		err = guest_setup(g, gunyah, 0);
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

int guest_wait_text(struct guest *g, const char *text)
{
	uint64_t end = now_ms() + EVENT_MS;

	/* The console has no interrupt */
	for (;;) {
		guest_read_console(g);
		if (strstr(g->text, text))
			return 0;
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(1);
	}
}

/* Waits until a word that the guest writes is @value or more */
static int wait_word(volatile uint64_t *word, uint64_t value)
{
	uint64_t end = now_ms() + EVENT_MS;
	unsigned int n;

	/* Nobody is told; most of it takes less than a millisecond */
	for (n = 0; *word < value; n++) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		if (n < 1000)
			sched_yield();
		else
			sleep_ms(1);
	}
	return 0;
}

int guest_wait_count(struct guest *g, uint64_t more)
{
	return wait_word(&g->page->count, *(volatile uint64_t *)&g->page->count + more);
}

void guest_close(struct guest *g)
{
	unsigned int i;

	if (g->has_vm)
		close(g->vm);
	g->has_vm = false;
	for (i = 0; i < g->n_vcpus; i++)
		vcpu_free(&g->vcpu[i]);
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

int function(int vm, unsigned long cmd, uint32_t type, const void *arg, uint32_t size)
{
	struct gh_fn_desc desc = {
		.type = type,
		.arg_size = size,
		.arg = (uintptr_t)arg,
	};
	int ret = ioctl(vm, cmd, &desc);

	return ret < 0 ? -errno : ret;
}

int remove_vcpu(int vm, uint32_t id)
{
	struct gh_fn_vcpu_arg arg = { .id = id };

	return function(vm, GH_VM_REMOVE_FUNCTION, GH_FN_VCPU, &arg, sizeof(arg));
}

int remove_irqfd(int vm, int fd, uint32_t label)
{
	struct gh_fn_irqfd_arg arg = { .fd = fd, .label = label };

	return function(vm, GH_VM_REMOVE_FUNCTION, GH_FN_IRQFD, &arg, sizeof(arg));
}

int remove_ioeventfd(int vm, int fd, uint64_t addr, uint32_t flags, uint64_t datamatch)
{
	struct gh_fn_ioeventfd_arg arg = {
		.addr = addr, .fd = fd, .flags = flags, .datamatch = datamatch,
	};

	return function(vm, GH_VM_REMOVE_FUNCTION, GH_FN_IOEVENTFD, &arg, sizeof(arg));
}

int vcpu_add(struct vcpu *vcpu, int vm, uint32_t id)
{
	void *run;
	int fd, err;

	fd = gh_add_vcpu(vm, id);
	if (fd < 0)
		return fd;
	run = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED) {
		err = -errno;
		close(fd);
		return err;
	}
	vcpu->fd = fd;
	vcpu->run = run;
	vcpu->n_exits = 0;
	return 0;
}

void vcpu_free(struct vcpu *vcpu)
{
	if (!vcpu->run)
		return;
	munmap(vcpu->run, page_size());
	close(vcpu->fd);
	vcpu->run = NULL;
}

int vcpu_run(struct vcpu *vcpu)
{
	return ioctl(vcpu->fd, GH_VCPU_RUN) ? -errno : 0;
}

int vcpu_run_to_end(struct vcpu *vcpu)
{
	int err;

	do {
		err = vcpu_run(vcpu);
	} while (err == -EINTR);
	if (err)
		return err;
	return vcpu->run->exit_reason == GH_VCPU_EXIT_STATUS ? 0 : -EPROTO;
}

int vcpu_serve(struct vcpu *vcpu)
{
	struct gh_vcpu_run *run = vcpu->run;
	uint64_t addr;
	int err;

	for (;;) {
		err = vcpu_run(vcpu);
		if (err == -EINTR) {
			run->immediate_exit = 0;
			continue;
		}
		if (err || run->exit_reason == GH_VCPU_EXIT_STATUS)
			return err;
		addr = run->mmio.phys_addr;
		vcpu->exits[vcpu->n_exits % MAX_EXITS] = *run;
		__atomic_store_n(&vcpu->n_exits, vcpu->n_exits + 1, __ATOMIC_RELEASE);
		if (!run->mmio.is_write)
			memcpy(run->mmio.data, &addr, sizeof(addr));
	}
}

unsigned int vcpu_exits(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->n_exits, __ATOMIC_ACQUIRE);
}

bool vcpu_says_ended(const struct vcpu *vcpu, uint16_t exit_type)
{
	return vcpu->run->exit_reason == GH_VCPU_EXIT_STATUS &&
	       vcpu->run->status.status == GH_VM_STATUS_EXITED &&
	       vcpu->run->status.exit_info.type == exit_type;
}

void guest_order_begin(struct guest *g, uint64_t what, uint64_t addr, uint64_t size,
		       uint64_t value, uint64_t times)
{
	struct test_page *page = g->page;

	page->order.what = what;
	page->order.addr = addr;
	page->order.size = size;
	page->order.value = value;
	page->order.times = times;
	__atomic_store_n(&page->order.n, page->order.n + 1, __ATOMIC_RELEASE);
}

int guest_order_end(struct guest *g)
{
	return wait_word(&g->page->done, g->page->order.n);
}

int guest_order(struct guest *g, uint64_t what, uint64_t addr, uint64_t size, uint64_t value,
		uint64_t times)
{
	guest_order_begin(g, what, addr, size, value, times);
	return guest_order_end(g);
}

int guest_wait_irq(struct guest *g, unsigned int spi, uint64_t count)
{
	return wait_word(&g->page->irq[spi], count);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu_thread *t = arg;

	t->tid = syscall(SYS_gettid);
	sem_post(&t->begun);
	t->ret = t->run(t->vcpu);
	return NULL;
}

int vcpu_thread_start(struct vcpu_thread *t, struct vcpu *vcpu, int (*run)(struct vcpu *vcpu))
{
	int err;

	t->vcpu = vcpu;
	t->run = run;
	sem_init(&t->begun, 0, 0);
	err = pthread_create(&t->thread, NULL, vcpu_thread, t);
	if (err)
		return -err;
	while (sem_wait(&t->begun))
		;
	return 0;
}

int vcpu_thread_join(struct vcpu_thread *t)
{
	pthread_join(t->thread, NULL);
	return t->ret;
}

void echo_init(struct guest *g, struct echo *echo, uint64_t rounds, uint64_t pause)
{
	*echo = (struct echo){ .round = 0 };
	g->page->addr = ECHO_BASE;
	g->page->size = rounds;
	g->page->key = pause;
}

static uint64_t low_bytes(uint64_t value, unsigned int size)
{
	return size < sizeof(value) ? value & ((1ULL << 8 * size) - 1) : value;
}

const char *echo_exit(struct echo *echo, struct gh_vcpu_run *run)
{
	unsigned int size = 1 << (echo->round & 3);
	uint64_t value;

	if (run->exit_reason != GH_VCPU_EXIT_MMIO)
		return "not an exit for MMIO";
	if (run->mmio.is_write != echo->writing)
		return echo->writing ? "a read instead of a write" : "a write instead of a read";
	if (run->mmio.len != size)
		return "the size";
	if (run->mmio.phys_addr != ECHO_BASE + (echo->writing ? 8 : 0))
		return "the address";
	memcpy(&value, run->mmio.data, sizeof(value));
	if (value != (echo->writing ? low_bytes(echo->answer, size) : 0))
		return echo->writing ? "what it writes" : "data before there is an answer";

	if (!echo->writing) {
		/* What is in the bytes behind the size is nobody's business */
		echo->answer = (echo->round + 1) * 0x9e3779b97f4a7c15;
		memcpy(run->mmio.data, &echo->answer, sizeof(echo->answer));
		echo->sum = test_sum(echo->sum, low_bytes(echo->answer, size));
	} else {
		echo->round++;
	}
	echo->writing = !echo->writing;
	return NULL;
}

bool echo_is_complete(const struct echo *echo, const struct guest *g)
{
	return !echo->writing && echo->round == g->page->count && echo->sum == g->page->sum;
}

int send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
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

int set_ipc_lock(bool on)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	if (on)
		data[0].effective |= 1U << CAP_IPC_LOCK;
	else
		data[0].effective &= ~(1U << CAP_IPC_LOCK);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
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
	ctl_write(GH_LAB_CTL_TZ_CLEAR, 1);
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

/*
 * How often the modules are in use. What uses another one as soon as it is loaded is not
 * counted: that happens when a VM first asks for it.
 */
static long module_refs(void)
{
	static const char *const modules[] = {
		"gunyah", "gunyah_vcpu", "gunyah_irqfd", "gunyah_ioeventfd",
	};
	char path[64], text[32];
	long refs = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s/refcnt", modules[i]);
		if (!read_text(path, text, sizeof(text)))
			refs += atol(text);
		snprintf(path, sizeof(path), "/sys/module/gunyah/holders/%s", modules[i]);
		if (!access(path, F_OK))
			refs--;
	}
	return refs;
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
	r->away = ctl_read(GH_LAB_CTL_TZ_AWAY);

	read_text(DEBUGFS "parcels", text, sizeof(text));
	r->parcels = atol(text);
	read_quarantine(&r->listed, &r->quarantined);

	r->module_refs = module_refs();
}

/* The fields of struct resources in their order, all of them long */
static const char *const resource_names[] = {
	"vmids", "parcels of the resource manager", "lent pages", "guests",
	"pages assigned to others", "parcels", "quarantined regions", "quarantined pages",
	"pinned pages", "module references",
};

_Static_assert(sizeof(struct resources) == ARRAY_SIZE(resource_names) * sizeof(long),
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

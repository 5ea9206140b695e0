// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a VM, again and again, each time with the next memory allocation of the
 * kernel failing, until there is no next one. Whatever fails, nothing else than -ENOMEM
 * comes out of it, the host gets all back, and the same works once memory is there.
 *
 * /proc/self/fail-nth is for the caller's own allocations. What the driver does in works
 * and interrupts is in no task of ours: there the allocations are made to fail that have
 * the driver's code on their stack.
 */
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

#define DEBUG	"/sys/kernel/debug/"
/* More allocations than there can be */
#define MAX_NTH	5000
#define COLD_PAGES	4
#define COLD_LABEL	0x77

static const struct gh_bell bell = { .label = 5, .spi = 5, .level = true };

static const char *const attrs[] = { "failslab", "fail_page_alloc" };

static int set(const char *attr, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUG "%s/%s", attr, name);
	return write_text(path, value);
}

static int set_number(const char *attr, const char *name, unsigned long value)
{
	char text[32];

	/* Addresses are shown and taken in hexadecimal, other numbers as any C program */
	snprintf(text, sizeof(text), "%#lx", value);
	return set(attr, name, text);
}

/* Nothing fails by itself; every kind of allocation may. 0 or -errno */
static int quiet(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		err = err ?: set(attrs[i], "probability", "0");
		err = err ?: set(attrs[i], "times", "-1");
		err = err ?: set(attrs[i], "space", "0");
		err = err ?: set(attrs[i], "verbose", "0");
		err = err ?: set(attrs[i], "task-filter", "N");
		err = err ?: set(attrs[i], "ignore-gfp-wait", "N");
	}
	err = err ?: set("fail_page_alloc", "ignore-gfp-highmem", "N");
	return err ?: set("fail_page_alloc", "min-order", "0");
}

/* Where a function of the kernel's is; false if that is not known */
static bool function_text(const char *function, unsigned long *start, unsigned long *end)
{
	char line[256], name[128];
	unsigned long addr;
	FILE *f;
	char type;

	*start = 0;
	*end = ~0UL;
	f = fopen("/proc/kallsyms", "r");
	if (!f)
		return false;
	/* They are in the order of addresses */
	while (fgets(line, sizeof(line), f) && *end == ~0UL) {
		if (sscanf(line, "%lx %c %127s", &addr, &type, name) != 3)
			continue;
		if (*start && addr > *start)
			*end = addr;
		if (!strcmp(name, function))
			*start = addr;
	}
	fclose(f);
	return *start && *end != ~0UL;
}

/*
 * When files in /proc/irq cannot be made the core of interrupts does not mind, but warns
 * when it removes them with the interrupt: their memory is not among what fails.
 */
static void spare_irq_files(bool spare)
{
	unsigned long start = 0, end = 0;
	unsigned int i;

	if (spare && !function_text("register_irq_proc", &start, &end)) {
		start = 0;
		end = 0;
	}
	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		set_number(attrs[i], "reject-start", start);
		set_number(attrs[i], "reject-end", end);
		set_number(attrs[i], "stacktrace-depth", 32);
	}
}

/* What the kernel begins with */
static void restore(void)
{
	quiet();
	spare_irq_files(false);
	set("failslab", "ignore-gfp-wait", "Y");
	set("fail_page_alloc", "ignore-gfp-wait", "Y");
	set("fail_page_alloc", "ignore-gfp-highmem", "Y");
	set("fail_page_alloc", "min-order", "1");
	write_text("/proc/self/make-it-fail", "0");
}

FIXTURE(fail_nth) {
	int dev;
	struct guest guest;
	struct resources before;
	int call_timeout;
	bool ready;
	uint8_t *cold;
	int irq;
	int notify;
};

/* The modules are there then, or it would be theirs that fail */
static int load_functions(FIXTURE_DATA(fail_nth) *self)
{
	int vm = gh_create_vm(self->dev), fd, err;

	self->irq = eventfd(0, EFD_CLOEXEC);
	self->notify = eventfd(0, EFD_CLOEXEC);
	fd = gh_add_vcpu(vm, 0);
	err = fd < 0 ? fd : gh_add_irqfd(vm, self->irq, bell.label, 0);
	err = err ?: gh_add_ioeventfd(vm, self->notify, ECHO_BASE, 4, 0, 0);
	close(fd);
	close(vm);
	return err;
}

FIXTURE_SETUP(fail_nth)
{
	struct gh_mem image;

	self->dev = gh_open();
	if (self->dev == -ENOENT)
		SKIP(return, "no /dev/gunyah");
	ASSERT_LE(0, self->dev);
	if (access("/proc/self/fail-nth", W_OK) || quiet())
		SKIP(return, "needs FAULT_INJECTION_DEBUG_FS, FAILSLAB and FAIL_PAGE_ALLOC");
	spare_irq_files(true);
	self->call_timeout = get_call_timeout();
	/* A notification that is lost is missed only then */
	ASSERT_EQ(0, set_call_timeout(2000));

	ASSERT_EQ(0, gh_mem_alloc(&image, "image", SMALL_IMAGE));
	ASSERT_EQ(0, guest_alloc(&self->guest, "hello", &image));
	self->guest.n_vcpus = 1;
	self->guest.bells = &bell;
	self->guest.n_bells = 1;
	ASSERT_EQ(0, load_functions(self));
	/* Every page is there, or it would take its own failure */
	memset(self->guest.image.addr + 0x10000, 0, self->guest.dtb_offset - 0x10000);
	memset(self->guest.page_mem.addr, 0, self->guest.page_mem.size);
	resources_read(&self->before);
	self->ready = true;
}

FIXTURE_TEARDOWN(fail_nth)
{
	if (!self->ready)
		return;
	restore();
	set_call_timeout(self->call_timeout);
	guest_free(&self->guest);
	close(self->irq);
	close(self->notify);
	EXPECT_ALL_BACK(&self->before, "at the end");
	close(self->dev);
}

/* A life up to START and close. 0 or the first -errno, and which step that was. */
static int live(FIXTURE_DATA(fail_nth) *self, const char **step)
{
	struct guest *g = &self->guest;
	int err;

	*step = "GH_CREATE_VM, regions and a vCPU";
	err = guest_setup(g, self->dev, 0);
	if (!err) {
		*step = "an irqfd";
		err = gh_add_irqfd(g->vm, self->irq, bell.label, GH_IRQFD_FLAGS_LEVEL);
	}
	if (!err) {
		*step = "an ioeventfd";
		err = gh_add_ioeventfd(g->vm, self->notify, ECHO_BASE, 4, 0, 0);
	}
	if (!err) {
		*step = "a region that was never touched";
		err = gh_set_region(g->vm, COLD_LABEL, RW, 0x90000000, COLD_PAGES * page_size(),
				    self->cold);
	}
	if (!err) {
		*step = "its removal";
		err = gh_set_region(g->vm, COLD_LABEL, 0, 0, 0, NULL);
	}
	if (!err) {
		*step = "GH_VM_START";
		err = gh_start(g->vm);
	}
	if (!err) {
		*step = "functions added and removed after GH_VM_START";
		err = gh_add_ioeventfd(g->vm, self->notify, ECHO_BASE + 8, 0, 0, 0);
		err = err ?: remove_irqfd(g->vm, self->irq, bell.label);
		err = err ?: gh_add_irqfd(g->vm, self->irq, bell.label, GH_IRQFD_FLAGS_LEVEL);
	}
	if (!err) {
		*step = "a vCPU removed and added";
		vcpu_free(&g->vcpu[0]);
		err = remove_vcpu(g->vm, 0) ?: vcpu_add(&g->vcpu[0], g->vm, 0);
	}
	return err;
}

/* The image has to be made again once a guest has had it: its devicetree was edited */
static int again(FIXTURE_DATA(fail_nth) *self)
{
	struct guest *g = &self->guest;
	int err;

	guest_close(g);
	err = guest_load(g, "hello");
	if (err)
		return err;
	if (self->cold)
		munmap(self->cold, COLD_PAGES * page_size());
	self->cold = mmap(NULL, COLD_PAGES * page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return self->cold == MAP_FAILED ? -errno : 0;
}

/* If @nth is not used up, all of it has happened with no failure */
TEST_F_TIMEOUT(fail_nth, caller, TEST_LIMIT)
{
	struct guest *g = &self->guest;
	const char *step, *missing;
	unsigned int nth, left = 0, failed = 0;
	char text[16];
	int fd, err, n;

	fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	for (nth = 1; nth < MAX_NTH && !left; nth++) {
		ASSERT_EQ(0, again(self));
		n = snprintf(text, sizeof(text), "%u", nth);
		ASSERT_EQ(n, pwrite(fd, text, n, 0));
		err = live(self, &step);
		guest_close(g);
		memset(text, 0, sizeof(text));
		ASSERT_LT(0, pread(fd, text, sizeof(text) - 1, 0));
		left = atoi(text);
		ASSERT_EQ(1, pwrite(fd, "0", 1, 0));

		failed += err != 0;
		if (left)
			EXPECT_EQ(0, err);
		ASSERT_TRUE(!err || err == -ENOMEM) {
			TH_LOG("allocation %u: %s: %s", nth, step, strerror(-err));
		}
		missing = resources_missing(&self->before);
		ASSERT_EQ(NULL, missing) {
			TH_LOG("allocation %u (%s: %d): %s", nth, step, err, missing);
		}
	}
	close(fd);
	ASSERT_NE(0, left);
	/* Some allocations can fail without harm, but not most of them */
	EXPECT_LT(10, failed);
	TH_LOG("%u allocations failed, %u of them to be seen", nth - 2, failed);
}

/* The same for who binds the driver to its device */
TEST_F_TIMEOUT(fail_nth, bind, TEST_LIMIT)
{
	struct gh_vm_exit_info info;
	struct guest g = { };
	unsigned int nth, left = 0, failed = 0;
	char text[16];
	int fd, err, n;

	fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	close(self->dev);
	for (nth = 1; nth < MAX_NTH && !left; nth++) {
		ASSERT_EQ(0, driver_unbind());
		EXPECT_EQ(-ENOENT, gh_open());
		n = snprintf(text, sizeof(text), "%u", nth);
		ASSERT_EQ(n, pwrite(fd, text, n, 0));
		err = driver_bind();
		memset(text, 0, sizeof(text));
		ASSERT_LT(0, pread(fd, text, sizeof(text) - 1, 0));
		left = atoi(text);
		ASSERT_EQ(1, pwrite(fd, "0", 1, 0));

		if (err) {
			failed++;
			/*
			 * An interrupt that cannot be mapped is invalid for the core, and
			 * a queue without driver may get one: then it is tried again later.
			 */
			EXPECT_TRUE(err == -ENOMEM || err == -EINVAL || err == -EAGAIN) {
				TH_LOG("allocation %u: %s", nth, strerror(-err));
			}
			EXPECT_EQ(0, left);
			if (err != -EAGAIN)
				EXPECT_EQ(-ENOENT, gh_open());
			err = driver_bind();
			self->dev = open_soon();
			ASSERT_LE(0, self->dev) {
				TH_LOG("allocation %u: %s", nth, strerror(-err));
			}
			close(self->dev);
		} else {
			/* What failed did no harm: guests run. */
			self->dev = open_soon();
			ASSERT_LE(0, self->dev);
			EXPECT_EQ(0, guest_cycle(&g, self->dev, "hello", &info));
			close(self->dev);
		}
	}
	close(fd);
	ASSERT_NE(0, left);
	EXPECT_LT(10, failed);
	TH_LOG("%u allocations failed, %u of them to be seen", nth - 2, failed);
	self->dev = open_soon();
	ASSERT_LE(0, self->dev);
	/* The driver's settings are new with it */
	self->call_timeout = get_call_timeout();
}

/* The driver's own code, as the module or in the kernel */
static bool driver_text(unsigned long *start, unsigned long *end)
{
	char line[256], name[128], module[64];
	unsigned long addr;
	FILE *f;
	char type;
	int n;

	*start = ~0UL;
	*end = 0;
	f = fopen("/proc/kallsyms", "r");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		n = sscanf(line, "%lx %c %127s %63s", &addr, &type, name, module);
		if (n < 3 || (type != 't' && type != 'T'))
			continue;
		if (n == 4 ? strcmp(module, "[gunyah]") : strncmp(name, "gh_", 3))
			continue;
		if (addr < *start)
			*start = addr;
		if (addr > *end)
			*end = addr;
	}
	fclose(f);
	/* The last function is longer than nothing, and not longer than this */
	*end += 0x200;
	return *start && *start < *end;
}

static long times_left(const char *attr)
{
	char path[64], text[32] = "";

	snprintf(path, sizeof(path), DEBUG "%s/times", attr);
	/* Reading may itself be what fails */
	return read_text(path, text, sizeof(text)) ? -1 : atol(text);
}

/*
 * Arms an attribute to fail the @nth allocation from here on, whoever makes it, that
 * has the driver on its stack. What it counts with has no file and goes on from where
 * it is; but it is a multiple of the interval when a failure has just happened. So let
 * something of our own fail first.
 */
static int arm(const char *attr, unsigned int nth, unsigned long start, unsigned long end)
{
	bool pages = !strcmp(attr, "fail_page_alloc");
	static char page[4096];
	int i, err, fds[2];

	err = set(attr, "probability", "0");
	err = err ?: set_number(attr, "interval", nth);
	err = err ?: set_number(attr, "require-start", 0);
	err = err ?: set_number(attr, "require-end", ~0UL);
	if (!err && nth > 1) {
		err = write_text("/proc/self/make-it-fail", "1");
		err = err ?: set(attr, "task-filter", "Y");
		err = err ?: set(attr, "times", "1");
		err = err ?: set(attr, "probability", "100");
		for (i = 0; !err && times_left(attr) && i < MAX_NTH; i++) {
			if (pages && !pipe(fds)) {
				if (write(fds[1], page, sizeof(page)) < 0)
					continue;
				close(fds[0]);
				close(fds[1]);
			}
		}
		write_text("/proc/self/make-it-fail", "0");
		if (!err && times_left(attr))
			err = -EIO;
		err = err ?: set(attr, "probability", "0");
		err = err ?: set(attr, "task-filter", "N");
	}
	err = err ?: set_number(attr, "stacktrace-depth", 32);
	err = err ?: set_number(attr, "require-start", start);
	err = err ?: set_number(attr, "require-end", end);
	err = err ?: set(attr, "times", "1");
	return err ?: set(attr, "probability", "100");
}

static void sweep_driver(struct __test_metadata *_metadata, FIXTURE_DATA(fail_nth) *self,
			 const char *attr)
{
	struct guest *g = &self->guest;
	const char *step, *missing;
	unsigned int nth, failed = 0, starts = 0;
	struct gh_vm_exit_info info;
	unsigned long start, end;
	bool used = true;
	int err;

	if (set_number(attr, "stacktrace-depth", 32))
		SKIP(return, "needs FAULT_INJECTION_STACKTRACE_FILTER");
	ASSERT_TRUE(driver_text(&start, &end));
	for (nth = 1; nth < MAX_NTH && used; nth++) {
		ASSERT_EQ(0, again(self));
		ASSERT_EQ(0, arm(attr, nth, start, end));
		err = live(self, &step);
		if (!err) {
			step = "the guest's end";
			err = vcpu_run_to_end(&g->vcpu[0]);
			err = err ?: gh_exit_info(g->vm, &info);
		}
		guest_close(g);
		used = !times_left(attr);
		ASSERT_EQ(0, set(attr, "probability", "0"));

		failed += err != 0;
		starts += err && !strcmp(step, "GH_VM_START");
		if (!used)
			EXPECT_EQ(0, err);
		ASSERT_TRUE(!err || err == -ENOMEM) {
			TH_LOG("%s %u: %s: %s", attr, nth, step, strerror(-err));
		}
		/* That the guest has ended is known even if the message was lost */
		EXPECT_TRUE(err || info.type == GH_VM_EXIT_TYPE_PSCI_POWER_OFF ||
			    info.type == GH_VM_EXIT_TYPE_UNKNOWN);
		missing = resources_missing(&self->before);
		ASSERT_EQ(NULL, missing) {
			TH_LOG("%s %u (%s: %d): %s", attr, nth, step, err, missing);
		}
	}
	ASSERT_FALSE(used);
	/* The works' are among them; of whole pages they hardly need any */
	if (!strcmp(attr, "failslab"))
		EXPECT_LT(0, starts);
	TH_LOG("%u allocations failed, %u of them to be seen, %u in GH_VM_START", nth - 2, failed,
	       starts);
}

TEST_F_TIMEOUT(fail_nth, driver_slab, TEST_LIMIT)
{
	sweep_driver(_metadata, self, "failslab");
}

TEST_F_TIMEOUT(fail_nth, driver_pages, TEST_LIMIT)
{
	sweep_driver(_metadata, self, "fail_page_alloc");
}

TEST_HARNESS_MAIN

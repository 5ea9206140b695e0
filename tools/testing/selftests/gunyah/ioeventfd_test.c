// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes of a guest to an eventfd: each write is either an event or an exit, it is the one
 * that it should be, and an event costs no more than the call that runs the vCPU.
 */
#include <sys/eventfd.h>

#include "gunyah_test.h"

#define ADDR		0x3f001000ULL
#define MATCH		GH_IOEVENTFD_FLAGS_DATAMATCH
#define BURST		200
#define LOAD		20000

FIXTURE(ioeventfd) {
	int dev;
	struct guest guest;
	struct vcpu_thread thread;
	struct resources before;
	int fd[4];
};

/* The guest runs, and ends with the test */
FIXTURE_SETUP(ioeventfd)
{
	size_t i;

	self->dev = gh_open();
	if (self->dev == -ENOENT)
		SKIP(return, "no /dev/gunyah");
	ASSERT_LE(0, self->dev);
	resources_read(&self->before);
	for (i = 0; i < ARRAY_SIZE(self->fd); i++) {
		self->fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT_LE(0, self->fd[i]);
	}
	ASSERT_EQ(0, guest_run_vcpus(&self->guest, self->dev, "hands", 1));
	ASSERT_EQ(0, vcpu_thread_start(&self->thread, &self->guest.vcpu[0], vcpu_serve));
}

FIXTURE_TEARDOWN(ioeventfd)
{
	size_t i;

	if (self->dev < 0)
		return;
	if (self->guest.has_vm) {
		EXPECT_EQ(0, guest_order(&self->guest, HANDS_OFF, 0, 0, 0, 0));
		EXPECT_EQ(0, vcpu_thread_join(&self->thread));
	}
	guest_free(&self->guest);
	for (i = 0; i < ARRAY_SIZE(self->fd); i++)
		close(self->fd[i]);
	EXPECT_ALL_BACK(&self->before, "at the end");
	close(self->dev);
}

#define IOEVENTFD_TEST(name)	TEST_F_TIMEOUT(ioeventfd, name, TEST_LIMIT)

static int add(FIXTURE_DATA(ioeventfd) *self, int i, uint64_t addr, uint32_t len, uint32_t flags,
	       uint64_t datamatch)
{
	return gh_add_ioeventfd(self->guest.vm, self->fd[i], addr, len, flags, datamatch);
}

static int remove_at(FIXTURE_DATA(ioeventfd) *self, uint64_t addr)
{
	return remove_ioeventfd(self->guest.vm, 0, addr, 0, 0);
}

#define EXIT	-1

/* Who gets the guest's write: the number of an eventfd, or EXIT. -2 if not exactly one does */
static int takes(FIXTURE_DATA(ioeventfd) *self, uint64_t addr, uint32_t size, uint64_t value)
{
	struct vcpu *v = &self->guest.vcpu[0];
	unsigned int exits = vcpu_exits(v), n = 0;
	const struct gh_vcpu_run *run;
	eventfd_t events;
	int i, who = -2;
	uint64_t data;

	if (guest_order(&self->guest, HANDS_WRITE, addr, size, value, 1))
		return -2;
	for (i = 0; i < (int)ARRAY_SIZE(self->fd); i++) {
		if (!eventfd_read(self->fd[i], &events)) {
			n += events;
			who = i;
		}
	}
	if (vcpu_exits(v) != exits) {
		run = &v->exits[exits % MAX_EXITS];
		n += vcpu_exits(v) - exits;
		who = EXIT;
		memcpy(&data, run->mmio.data, sizeof(data));
		if (run->mmio.phys_addr != addr || run->mmio.len != size || !run->mmio.is_write ||
		    data != (size < 8 ? value & ((1ULL << 8 * size) - 1) : value))
			n = 0;
	}
	return n == 1 ? who : -2;
}

/* The size has to be that of the write, unless it is none */
IOEVENTFD_TEST(sizes)
{
	static const uint32_t sizes[] = { 0, 1, 2, 4, 8 };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, add(self, 0, ADDR, sizes[i], 0, 0));
		for (j = 1; j < ARRAY_SIZE(sizes); j++) {
			EXPECT_EQ(!i || i == j ? 0 : EXIT,
				  takes(self, ADDR, sizes[j], 0x1122334455667788));
			/* Beside it */
			EXPECT_EQ(EXIT, takes(self, ADDR + sizes[j], sizes[j], 1));
			EXPECT_EQ(EXIT, takes(self, ADDR - sizes[j], sizes[j], 1));
		}
		EXPECT_EQ(0, remove_at(self, ADDR));
		EXPECT_EQ(EXIT, takes(self, ADDR, 4, 1));
	}
}

/* Of the value as many bytes count as are written; who wants any comes after who wants one */
IOEVENTFD_TEST(values)
{
	static const uint32_t sizes[] = { 1, 2, 4, 8 };
	const uint64_t value = 0x1122334455667788;
	unsigned int bit;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* In both orders */
		if (i & 1)
			ASSERT_EQ(0, add(self, 2, ADDR, 0, 0, 0));
		ASSERT_EQ(0, add(self, 0, ADDR, sizes[i], MATCH, value));
		ASSERT_EQ(0, add(self, 1, ADDR, sizes[i], MATCH, value + 1));
		if (!(i & 1))
			ASSERT_EQ(0, add(self, 2, ADDR, 0, 0, 0));
		EXPECT_EQ(0, takes(self, ADDR, sizes[i], value));
		EXPECT_EQ(1, takes(self, ADDR, sizes[i], value + 1));
		for (bit = 1; bit < 8 * sizes[i]; bit += 5)
			EXPECT_EQ(2, takes(self, ADDR, sizes[i], value ^ 1ULL << bit));
		/* The same value in another size is another one */
		EXPECT_EQ(2, takes(self, ADDR, sizes[(i + 1) % 4], value));
		EXPECT_EQ(0, remove_ioeventfd(self->guest.vm, self->fd[2], ADDR, 0, 0));
		EXPECT_EQ(EXIT, takes(self, ADDR, sizes[i], value ^ 2));
		EXPECT_EQ(EXIT, takes(self, ADDR, sizes[(i + 1) % 4], value));
		EXPECT_EQ(0, takes(self, ADDR, sizes[i], value));
		EXPECT_EQ(0, remove_ioeventfd(self->guest.vm, 0, ADDR, MATCH, value));
		EXPECT_EQ(EXIT, takes(self, ADDR, sizes[i], value));
		EXPECT_EQ(1, takes(self, ADDR, sizes[i], value + 1));
		EXPECT_EQ(0, remove_at(self, ADDR));
	}
}

/* Addresses that are close by do not know of each other */
IOEVENTFD_TEST(overlapping)
{
	ASSERT_EQ(0, add(self, 0, ADDR, 8, 0, 0));
	ASSERT_EQ(0, add(self, 1, ADDR + 4, 8, 0, 0));
	ASSERT_EQ(0, add(self, 2, ADDR + 2, 2, MATCH, 5));
	ASSERT_EQ(0, add(self, 3, ADDR + 6, 0, 0, 0));
	EXPECT_EQ(0, takes(self, ADDR, 8, 5));
	EXPECT_EQ(EXIT, takes(self, ADDR, 4, 5));
	EXPECT_EQ(EXIT, takes(self, ADDR + 4, 4, 5));
	EXPECT_EQ(2, takes(self, ADDR + 2, 2, 5));
	EXPECT_EQ(EXIT, takes(self, ADDR + 2, 1, 5));
	EXPECT_EQ(3, takes(self, ADDR + 6, 2, 5));
	EXPECT_EQ(3, takes(self, ADDR + 6, 1, 5));
	EXPECT_EQ(0, remove_at(self, ADDR));
	EXPECT_EQ(EXIT, takes(self, ADDR, 8, 5));
	EXPECT_EQ(3, takes(self, ADDR + 6, 2, 5));
}

IOEVENTFD_TEST(reads)
{
	struct guest *g = &self->guest;
	uint32_t size;

	ASSERT_EQ(0, add(self, 0, ADDR, 0, 0, 0));
	for (size = 1; size <= 8; size *= 2) {
		EXPECT_EQ(0, guest_order(g, HANDS_READ, ADDR, size, 0, 1));
		EXPECT_EQ(size < 4 ? ADDR & ((1ULL << 8 * size) - 1) : ADDR, g->page->result);
	}
	EXPECT_EQ(4, vcpu_exits(&g->vcpu[0]));
	EXPECT_EQ(-1, eventfd_read(self->fd[0], &(eventfd_t){ 0 }));
}

/* Each is one event and one call of the hypervisor, and the VMM's thread stays where it is */
IOEVENTFD_TEST(fast)
{
	struct guest *g = &self->guest;
	uint32_t runs, ready;
	eventfd_t events = 0;

	ASSERT_EQ(0, add(self, 0, ADDR, 4, MATCH, 7));
	ASSERT_EQ(0, add(self, 1, ADDR, 4, 0, 0));
	runs = ctl_read(GH_LAB_CTL_VCPU_RUNS);
	ready = ctl_read(GH_LAB_CTL_VCPU_READY);
	EXPECT_EQ(0, guest_order(g, HANDS_WRITE, ADDR, 4, 7, BURST));
	/* Those that the host's own interrupts ended do not count */
	runs = ctl_read(GH_LAB_CTL_VCPU_RUNS) - runs;
	ready = ctl_read(GH_LAB_CTL_VCPU_READY) - ready;
	EXPECT_EQ(0, vcpu_exits(&g->vcpu[0]));
	EXPECT_EQ(0, eventfd_read(self->fd[0], &events));
	EXPECT_EQ(BURST, events);
	if (ctl_present()) {
		TH_LOG("%u runs, %u of them ended by the host's interrupts", runs, ready);
		/* The counters are not read at one time: what happens between adds to one */
		EXPECT_LE(BURST - 3, runs - ready);
		EXPECT_GE(BURST + 3, runs - ready);
	}
}

/* Nobody has the eventfd open any more, or it is full: that is not the guest's fault */
IOEVENTFD_TEST(eventfd_gone)
{
	eventfd_t events = 0;
	int fd, i;

	fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_EQ(0, gh_add_ioeventfd(self->guest.vm, fd, ADDR, 4, 0, 0));
	close(fd);
	EXPECT_EQ(0, guest_order(&self->guest, HANDS_WRITE, ADDR, 4, 1, 3));
	EXPECT_EQ(0, vcpu_exits(&self->guest.vcpu[0]));

	ASSERT_EQ(0, add(self, 0, ADDR + 8, 4, 0, 0));
	EXPECT_EQ(0, eventfd_write(self->fd[0], ~0ULL - 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, guest_order(&self->guest, HANDS_WRITE, ADDR + 8, 4, 1, 1));
	EXPECT_EQ(0, eventfd_read(self->fd[0], &events));
	EXPECT_EQ(~0ULL, events);
	EXPECT_EQ(0, takes(self, ADDR + 8, 4, 1));
	EXPECT_EQ(0, remove_at(self, ADDR));
}

/* The VM is closed with some left, and the eventfd is as it was */
IOEVENTFD_TEST(vm_closed)
{
	struct guest *g = &self->guest;
	eventfd_t events = 0;
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, add(self, i, ADDR + i, 0, 0, 0));
	guest_order_begin(g, HANDS_WRITE, ADDR, 1, 1, ~0ULL);
	/* Until it is at it */
	while (eventfd_read(self->fd[0], &events))
		sched_yield();
	close(g->vm);
	g->has_vm = false;
	EXPECT_EQ(0, vcpu_thread_join(&self->thread));
	eventfd_read(self->fd[0], &events);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(-1, eventfd_read(self->fd[i], &events));
		EXPECT_EQ(0, eventfd_write(self->fd[i], 1));
		EXPECT_EQ(0, eventfd_read(self->fd[i], &events));
		EXPECT_EQ(1, events);
	}
}

/* Before START, and after the end, they are only listed */
IOEVENTFD_TEST(not_running)
{
	struct guest *g = &self->guest;
	int i;

	EXPECT_EQ(0, guest_order(g, HANDS_OFF, 0, 0, 0, 0));
	EXPECT_EQ(0, vcpu_thread_join(&self->thread));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, add(self, i, ADDR + i, 4, 0, 0));
	EXPECT_EQ(-EEXIST, add(self, 0, ADDR, 8, 0, 0));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, remove_at(self, ADDR + i));
	guest_free(g);

	ASSERT_EQ(0, guest_alloc_vcpus(g, "hands", 1, NULL, 0));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, add(self, i, ADDR + 4 * i, 4, 0, 0));
	EXPECT_EQ(0, remove_at(self, ADDR + 8));
	ASSERT_EQ(0, gh_start(g->vm));
	ASSERT_EQ(0, vcpu_thread_start(&self->thread, &g->vcpu[0], vcpu_serve));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(i == 2 ? EXIT : i, takes(self, ADDR + 4 * i, 4, i));
}

/* They come and go while the guest writes: no write is lost by that, none counts twice */
IOEVENTFD_TEST(under_load)
{
	struct guest *g = &self->guest;
	uint64_t total = 0, changes = 0;
	eventfd_t events;
	unsigned int i;

	guest_order_begin(g, HANDS_WRITE, ADDR, 4, 3, LOAD);
	while (*(volatile uint64_t *)&g->page->done != g->page->order.n) {
		ASSERT_EQ(0, add(self, 0, ADDR, 4, 0, 0));
		ASSERT_EQ(0, add(self, 1, ADDR, 4, MATCH, 3));
		ASSERT_EQ(0, add(self, 2, ADDR, 4, MATCH, 4));
		ASSERT_EQ(0, add(self, 3, ADDR - 4, 8, 0, 0));
		sched_yield();
		EXPECT_EQ(0, remove_ioeventfd(g->vm, 0, ADDR, MATCH, 3));
		sched_yield();
		EXPECT_EQ(0, remove_at(self, ADDR - 4));
		EXPECT_EQ(0, remove_at(self, ADDR));
		EXPECT_EQ(0, remove_at(self, ADDR));
		sched_yield();
		changes++;
	}
	for (i = 0; i < ARRAY_SIZE(self->fd); i++) {
		events = 0;
		eventfd_read(self->fd[i], &events);
		EXPECT_TRUE(i < 2 || !events);
		total += events;
	}
	TH_LOG("%llu events, %u exits, %llu changes", (unsigned long long)total,
	       vcpu_exits(&g->vcpu[0]), (unsigned long long)changes);
	EXPECT_EQ(LOAD, total + vcpu_exits(&g->vcpu[0]));
	EXPECT_LT(10, changes);
	EXPECT_LT(0, total);
	EXPECT_LT(0, vcpu_exits(&g->vcpu[0]));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an exit of a vCPU, a kick of an ioeventfd and an interrupt by an irqfd cost: in
 * hypercalls, of which each may take one and no more, and in instructions.
 *
 * The latter are differences of the virtual counter. That counts instructions if QEMU
 * runs with "-icount shift=0": one of any CPU's is a nanosecond, and a CPU that waits
 * executes none. So they are the same run after run, and they are all that is executed
 * meanwhile: the loop in here, the kernel, its timer interrupt, the hypervisor and the
 * guest. What the latter two have of it is from the hypervisor's own counter.
 *
 * Elsewhere it is time, which tells nothing; the numbers of hypercalls are good anywhere.
 */
#include <sys/eventfd.h>

#include "gunyah_test.h"
#include "guest/exits.h"

#define BELL_LABEL	5
#define BELL_SPI	5

struct sample {
	uint64_t time;
	uint32_t hyp_ticks;
	uint32_t runs;
	uint32_t ready;
	uint32_t bells;
};

static uint64_t counter(void)
{
	uint64_t value;

	asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r" (value) : : "memory");
	return value;
}

static double to_ns(uint64_t ticks)
{
	uint64_t frequency;

	asm volatile("mrs %0, cntfrq_el0" : "=r" (frequency));
	return ticks * 1e9 / frequency;
}

/* Reading the control page takes time, too: that of the clock is the inner one. */
static void begin(struct sample *s)
{
	s->hyp_ticks = ctl_read(GH_LAB_CTL_HVC_TICKS);
	s->runs = ctl_read(GH_LAB_CTL_VCPU_RUNS);
	s->ready = ctl_read(GH_LAB_CTL_VCPU_READY);
	s->bells = ctl_read(GH_LAB_CTL_BELL_SENDS);
	s->time = counter();
}

/* What there was since begin() */
static void end(struct sample *s)
{
	s->time = counter() - s->time;
	s->hyp_ticks = ctl_read(GH_LAB_CTL_HVC_TICKS) - s->hyp_ticks;
	s->runs = ctl_read(GH_LAB_CTL_VCPU_RUNS) - s->runs;
	s->ready = ctl_read(GH_LAB_CTL_VCPU_READY) - s->ready;
	s->bells = ctl_read(GH_LAB_CTL_BELL_SENDS) - s->bells;
}

static void report(const struct sample *s, const char *what)
{
	double all = to_ns(s->time) / EXITS_COUNT, hyp = to_ns(s->hyp_ticks) / EXITS_COUNT;

	printf("# bench: %-22s %7.0f instructions: host %7.0f, hypervisor and guest %5.0f;"
	       " for %d: vcpu_run %u (%u of them interrupted), bell_send %u\n",
	       what, all, all - hyp, hyp, EXITS_COUNT, s->runs, s->ready, s->bells);
	fflush(stdout);
}

FIXTURE(bench) {
	int dev;
	struct guest guest;
	int vcpu;
	int event;
	struct gh_vcpu_run *run;
	struct sample sample;
};

FIXTURE_SETUP(bench)
{
	static const struct gh_bell bell = { BELL_LABEL, BELL_SPI, false };
	struct gh_dtb_options options = {
		.base = GH_GUEST_BASE,
		.vcpus = 1,
		.bells = &bell,
		.n_bells = 1,
	};
	struct guest *g = &self->guest;

	SKIP_WITHOUT_CONTROL();
	self->dev = gh_open();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, guest_alloc_bare(g, "exits"));
	ASSERT_EQ(0, gh_dtb_build(g->image.addr + g->dtb_offset, g->dtb_space, &options));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	self->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->event);
	self->vcpu = gh_add_vcpu(g->vm, 0);
	ASSERT_LE(0, self->vcpu);
	self->run = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, self->vcpu, 0);
	ASSERT_NE(MAP_FAILED, self->run);
}

FIXTURE_TEARDOWN(bench)
{
	munmap(self->run, page_size());
	close(self->vcpu);
	close(self->event);
	guest_free(&self->guest);
	close(self->dev);
}

/* Runs the vCPU until it leaves for user space; returns what it has accessed, or 0. */
static uint64_t next_exit(FIXTURE_DATA(bench) *self)
{
	if (ioctl(self->vcpu, GH_VCPU_RUN) || self->run->exit_reason != GH_VCPU_EXIT_MMIO)
		return 0;
	return self->run->mmio.phys_addr;
}

/* So often at one address? */
static bool leaves(FIXTURE_DATA(bench) *self, uint64_t addr)
{
	int i;

	for (i = 0; i < EXITS_COUNT; i++) {
		if (next_exit(self) != addr)
			return false;
	}
	return true;
}

/* From the start once through all, so that nothing happens for the first time later */
static bool warm_up(FIXTURE_DATA(bench) *self)
{
	uint64_t addr;

	do {
		addr = next_exit(self);
	} while (addr && addr != EXITS_DONE);
	return addr;
}

TEST_F_TIMEOUT(bench, mmio, TEST_LIMIT)
{
	ASSERT_EQ(0, gh_start(self->guest.vm));
	ASSERT_TRUE(warm_up(self));

	begin(&self->sample);
	ASSERT_TRUE(leaves(self, EXITS_WRITE));
	end(&self->sample);
	report(&self->sample, "write to user space");
	EXPECT_EQ(EXITS_COUNT, self->sample.runs - self->sample.ready);
	EXPECT_EQ(0, self->sample.bells);

	begin(&self->sample);
	ASSERT_TRUE(leaves(self, EXITS_READ));
	end(&self->sample);
	report(&self->sample, "read from user space");
	EXPECT_EQ(EXITS_COUNT, self->sample.runs - self->sample.ready);
	EXPECT_EQ(0, self->sample.bells);
}

TEST_F_TIMEOUT(bench, ioeventfd, TEST_LIMIT)
{
	uint64_t kicks;

	ASSERT_EQ(0, gh_add_ioeventfd(self->guest.vm, self->event, EXITS_KICK, 4, 0, 0));
	ASSERT_EQ(0, gh_start(self->guest.vm));
	ASSERT_TRUE(warm_up(self));
	ASSERT_EQ(sizeof(kicks), read(self->event, &kicks, sizeof(kicks)));
	ASSERT_EQ(EXITS_COUNT, kicks);
	ASSERT_TRUE(leaves(self, EXITS_WRITE));
	ASSERT_TRUE(leaves(self, EXITS_READ));

	/* The end of that is an exit, as one of so many */
	begin(&self->sample);
	ASSERT_EQ(EXITS_DONE, next_exit(self));
	end(&self->sample);
	report(&self->sample, "kick of an ioeventfd");
	EXPECT_EQ(EXITS_COUNT + 1, self->sample.runs - self->sample.ready);
	EXPECT_EQ(0, self->sample.bells);
	ASSERT_EQ(sizeof(kicks), read(self->event, &kicks, sizeof(kicks)));
	EXPECT_EQ(EXITS_COUNT, kicks);
}

static bool interrupt(int event)
{
	const uint64_t one = 1;
	int i;

	for (i = 0; i < EXITS_COUNT; i++) {
		if (write(event, &one, sizeof(one)) != sizeof(one))
			return false;
	}
	return true;
}

/* The vCPU does not run: what is counted is what the host does for it. */
TEST_F_TIMEOUT(bench, irqfd, TEST_LIMIT)
{
	ASSERT_EQ(0, gh_add_irqfd(self->guest.vm, self->event, BELL_LABEL, 0));
	ASSERT_EQ(0, gh_start(self->guest.vm));
	ASSERT_TRUE(interrupt(self->event));

	begin(&self->sample);
	ASSERT_TRUE(interrupt(self->event));
	end(&self->sample);
	report(&self->sample, "interrupt by an irqfd");
	EXPECT_EQ(EXITS_COUNT, self->sample.bells);
	EXPECT_EQ(0, self->sample.runs);
}

TEST_HARNESS_MAIN

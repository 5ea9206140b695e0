// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of a guest by eventfd: each event comes to the guest once, whenever it is
 * written and whoever writes, and nothing is left behind in an eventfd that outlives the
 * VM.
 */
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

#define EDGE		8
#define LEVEL		9
#define UNKNOWN		10		/* no doorbell has this label */
#define NOTIFY		0x3f001000
#define LOAD_MS		500

/* Labels are not the numbers of the interrupts */
#define LABEL(spi)	(0x100 + (spi))

static const struct gh_bell bells[] = {
	{ .label = LABEL(EDGE), .spi = EDGE, .level = false },
	{ .label = LABEL(LEVEL), .spi = LEVEL, .level = true },
};

static uint32_t flags_of(unsigned int spi)
{
	return spi == LEVEL ? GH_IRQFD_FLAGS_LEVEL : 0;
}

static int new_event(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static int add(struct guest *g, int fd, unsigned int spi)
{
	return gh_add_irqfd(g->vm, fd, LABEL(spi), flags_of(spi));
}

static void begin(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self)
{
	ASSERT_EQ(0, guest_alloc_vcpus(&self->guest, "hands", 1, bells, ARRAY_SIZE(bells)));
	ASSERT_EQ(0, guest_setup(&self->guest, self->dev, 0));
}

/* Starts the guest, and a thread that runs it; both interrupts are enabled */
static void start(struct __test_metadata *_metadata, struct guest *g, struct vcpu_thread *t)
{
	ASSERT_EQ(0, gh_start(g->vm));
	ASSERT_EQ(0, vcpu_thread_start(t, &g->vcpu[0], vcpu_serve));
	ASSERT_EQ(0, guest_order(g, HANDS_ENABLE, EDGE, 0, 1, 0));
	ASSERT_EQ(0, guest_order(g, HANDS_ENABLE, LEVEL, 0, 0, 0));
}

static void end(struct __test_metadata *_metadata, struct guest *g, struct vcpu_thread *t)
{
	ASSERT_EQ(0, guest_order(g, HANDS_OFF, 0, 0, 0, 0));
	EXPECT_EQ(0, vcpu_thread_join(t));
	EXPECT_TRUE(vcpu_says_ended(&g->vcpu[0], GH_VM_EXIT_TYPE_PSCI_POWER_OFF));
	guest_close(g);
}

/* What has come by now, when the guest has carried out some more orders */
static uint64_t count(struct __test_metadata *_metadata, struct guest *g, unsigned int spi)
{
	int i;

	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, guest_order(g, HANDS_UNMASK, 0, 0, 0, 0));
	return g->page->irq[spi];
}

/* One call of the hypervisor and one interrupt for each event, and a mask for the level */
GUNYAH_TEST(events)
{
	static const unsigned int spis[] = { EDGE, LEVEL };
	uint32_t sends, masks = ctl_read(GH_LAB_CTL_BELL_SET_MASKS);
	struct guest *g = &self->guest;
	int fd[ARRAY_SIZE(spis)];
	struct vcpu_thread t;
	unsigned int i, n;
	uint64_t value;

	begin(_metadata, self);
	for (i = 0; i < ARRAY_SIZE(spis); i++) {
		fd[i] = new_event();
		ASSERT_EQ(0, add(g, fd[i], spis[i]));
	}
	EXPECT_EQ(masks, ctl_read(GH_LAB_CTL_BELL_SET_MASKS));
	start(_metadata, g, &t);
	if (ctl_present())
		EXPECT_EQ(masks + 1, ctl_read(GH_LAB_CTL_BELL_SET_MASKS));
	for (i = 0; i < ARRAY_SIZE(spis); i++) {
		sends = ctl_read(GH_LAB_CTL_BELL_SENDS);
		for (n = 1; n <= 20; n++) {
			/* However much is written at once, it is one event */
			EXPECT_EQ(0, eventfd_write(fd[i], n));
			EXPECT_EQ(0, guest_wait_irq(g, spis[i], n));
			EXPECT_EQ(-1, read(fd[i], &value, sizeof(value)));
		}
		/* It came once, and does not come again */
		EXPECT_EQ(20, count(_metadata, g, spis[i]));
		if (ctl_present())
			EXPECT_EQ(sends + 20, ctl_read(GH_LAB_CTL_BELL_SENDS));
	}
	EXPECT_EQ(40, g->page->irqs);
	EXPECT_EQ(0, vcpu_exits(&g->vcpu[0]));

	/* What the guest does not take is remembered, as one */
	for (i = 0; i < ARRAY_SIZE(spis); i++) {
		EXPECT_EQ(0, guest_order(g, HANDS_MASK, 0, 0, 0, 0));
		for (n = 0; n < 5; n++)
			EXPECT_EQ(0, eventfd_write(fd[i], 1));
		EXPECT_EQ(20, g->page->irq[spis[i]]);
		EXPECT_EQ(21, count(_metadata, g, spis[i]));
	}
	end(_metadata, g, &t);
	for (i = 0; i < ARRAY_SIZE(spis); i++)
		close(fd[i]);
}

/* Written before the irqfd is there, and before the guest is started */
GUNYAH_TEST(before_start)
{
	static const unsigned int spis[] = { EDGE, LEVEL };
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	unsigned int i, when;
	int fd[2];

	for (when = 0; when < 3; when++) {
		begin(_metadata, self);
		for (i = 0; i < 2; i++) {
			fd[i] = new_event();
			if (when != 1)
				EXPECT_EQ(0, eventfd_write(fd[i], 3));
			ASSERT_EQ(0, add(g, fd[i], spis[i]));
			if (when != 0) {
				EXPECT_EQ(0, eventfd_write(fd[i], 1));
				EXPECT_EQ(0, eventfd_write(fd[i], 1));
			}
		}
		start(_metadata, g, &t);
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(0, guest_wait_irq(g, spis[i], 1));
			EXPECT_EQ(1, count(_metadata, g, spis[i]));
			EXPECT_EQ(0, eventfd_write(fd[i], 1));
			EXPECT_EQ(0, guest_wait_irq(g, spis[i], 2));
			EXPECT_EQ(2, count(_metadata, g, spis[i]));
		}
		end(_metadata, g, &t);
		guest_free(g);
		close(fd[0]);
		close(fd[1]);
	}
}

/* The same for one that is added to a guest that runs */
GUNYAH_TEST(after_start)
{
	static const unsigned int spis[] = { EDGE, LEVEL };
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	unsigned int i, n;
	int fd;

	begin(_metadata, self);
	start(_metadata, g, &t);
	for (i = 0; i < 2; i++) {
		for (n = 0; n < 5; n++) {
			fd = new_event();
			EXPECT_EQ(0, eventfd_write(fd, 1));
			ASSERT_EQ(0, add(g, fd, spis[i]));
			EXPECT_EQ(0, guest_wait_irq(g, spis[i], 2 * n + 1));
			EXPECT_EQ(0, eventfd_write(fd, 1));
			EXPECT_EQ(0, guest_wait_irq(g, spis[i], 2 * n + 2));
			EXPECT_EQ(0, remove_irqfd(g->vm, 0, LABEL(spis[i])));
			/* What is written now is for others, who find it */
			EXPECT_EQ(0, eventfd_write(fd, 1));
			EXPECT_EQ(2 * n + 2, count(_metadata, g, spis[i]));
			EXPECT_EQ(0, eventfd_read(fd, &(eventfd_t){ 0 }));
			close(fd);
		}
	}
	end(_metadata, g, &t);
}

/* Several devices at one interrupt, of which some go; and one device with two interrupts */
GUNYAH_TEST(shared)
{
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	int fd[3], i;

	begin(_metadata, self);
	for (i = 0; i < 3; i++) {
		fd[i] = new_event();
		ASSERT_EQ(0, gh_add_irqfd(g->vm, fd[i], LABEL(EDGE), i & GH_IRQFD_FLAGS_LEVEL));
	}
	start(_metadata, g, &t);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, eventfd_write(fd[i], 1));
		EXPECT_EQ(0, guest_wait_irq(g, EDGE, i + 1));
	}
	/* The one that is said by its file; then, with no file, the oldest */
	EXPECT_EQ(0, remove_irqfd(g->vm, fd[1], LABEL(EDGE)));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, eventfd_write(fd[i], 1));
		/* Two that come at once are one to the guest */
		EXPECT_EQ(i == 2 ? 5 : 4, count(_metadata, g, EDGE));
	}
	EXPECT_EQ(0, remove_irqfd(g->vm, 0, LABEL(EDGE)));
	EXPECT_EQ(0, eventfd_write(fd[0], 1));
	EXPECT_EQ(5, count(_metadata, g, EDGE));
	EXPECT_EQ(0, eventfd_write(fd[2], 1));
	EXPECT_EQ(6, count(_metadata, g, EDGE));

	ASSERT_EQ(0, add(g, fd[2], LEVEL));
	EXPECT_EQ(0, eventfd_write(fd[2], 1));
	EXPECT_EQ(0, guest_wait_irq(g, LEVEL, 1));
	EXPECT_EQ(7, count(_metadata, g, EDGE));
	EXPECT_EQ(1, count(_metadata, g, LEVEL));
	end(_metadata, g, &t);
	for (i = 0; i < 3; i++)
		close(fd[i]);
}

/* The last descriptor of the eventfd is closed, before START or after it */
GUNYAH_TEST(eventfd_closed)
{
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	int fd, other, again;

	begin(_metadata, self);
	fd = new_event();
	other = dup(fd);
	ASSERT_EQ(0, add(g, fd, EDGE));
	close(fd);
	/* It is still open for somebody */
	EXPECT_EQ(0, eventfd_write(other, 1));
	close(other);
	fd = new_event();
	ASSERT_EQ(0, add(g, fd, LEVEL));
	close(fd);
	start(_metadata, g, &t);
	EXPECT_EQ(0, guest_wait_irq(g, EDGE, 1));
	EXPECT_EQ(1, count(_metadata, g, EDGE));
	EXPECT_EQ(0, count(_metadata, g, LEVEL));

	/* The label is not used up by that, and what is left of them can be removed */
	fd = new_event();
	again = new_event();
	ASSERT_EQ(0, add(g, fd, EDGE));
	ASSERT_EQ(0, add(g, again, LEVEL));
	EXPECT_EQ(0, remove_irqfd(g->vm, 0, LABEL(EDGE)));
	EXPECT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(0, guest_wait_irq(g, EDGE, 2));
	close(fd);
	EXPECT_EQ(0, remove_irqfd(g->vm, 0, LABEL(EDGE)));
	EXPECT_EQ(-ENOENT, remove_irqfd(g->vm, 0, LABEL(EDGE)));
	end(_metadata, g, &t);
	close(again);
}

/* The VM goes first, and the eventfd has forgotten it */
GUNYAH_TEST(vm_closed)
{
	enum { NEW, FAILED, RUNNING, EXITED, N_STATES };
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	unsigned int state;
	eventfd_t value;
	int fd[3], i;

	for (state = 0; state < N_STATES; state++) {
		if (state == FAILED && !ctl_present())
			continue;
		begin(_metadata, self);
		for (i = 0; i < 3; i++) {
			fd[i] = new_event();
			/* One label has no doorbell, which hurts nobody */
			ASSERT_EQ(0, add(g, fd[i], EDGE + i));
		}
		EXPECT_EQ(0, eventfd_write(fd[0], 1));
		EXPECT_EQ(0, eventfd_write(fd[2], 1));
		if (state == FAILED) {
			ASSERT_TRUE(fault_add(RM_VM_START, GH_LAB_FAULT_REFUSE, 5, 0, 1));
			EXPECT_EQ(-EBUSY, gh_start(g->vm));
		} else if (state != NEW) {
			start(_metadata, g, &t);
			EXPECT_EQ(0, guest_wait_irq(g, EDGE, 1));
		}
		if (state == EXITED) {
			EXPECT_EQ(0, guest_order(g, HANDS_OFF, 0, 0, 0, 0));
			EXPECT_EQ(0, vcpu_thread_join(&t));
		}
		for (i = 0; i < 3; i++)
			EXPECT_EQ(0, eventfd_write(fd[i], 1));
		close(g->vm);
		g->has_vm = false;
		if (state == RUNNING)
			EXPECT_EQ(0, vcpu_thread_join(&t));
		for (i = 0; i < 3; i++) {
			EXPECT_EQ(0, eventfd_write(fd[i], 1));
			EXPECT_EQ(0, eventfd_read(fd[i], &value));
			EXPECT_EQ(1, value);
			close(fd[i]);
		}
		fault_clear();
		guest_free(g);
	}
}

/* A write of the guest's that is an interrupt of its own, and nobody in between */
GUNYAH_TEST(loop)
{
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	int fd = new_event();

	begin(_metadata, self);
	ASSERT_EQ(0, add(g, fd, EDGE));
	ASSERT_EQ(0, gh_add_ioeventfd(g->vm, fd, NOTIFY, 4, 0, 0));
	start(_metadata, g, &t);
	EXPECT_EQ(0, guest_order(g, HANDS_WRITE, NOTIFY, 4, 0, 1));
	EXPECT_EQ(1, count(_metadata, g, EDGE));
	EXPECT_EQ(0, guest_order(g, HANDS_WRITE, NOTIFY, 4, 0, 50));
	EXPECT_EQ(51, count(_metadata, g, EDGE));
	EXPECT_EQ(0, vcpu_exits(&g->vcpu[0]));
	end(_metadata, g, &t);
	close(fd);
}

/*
 * A guest that goes to sleep at the same time as an event comes wakes up, every time. A
 * wakeup that was lost leaves it asleep.
 */
GUNYAH_TEST(wakes)
{
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	unsigned int n, i;
	int fd = new_event();

	begin(_metadata, self);
	ASSERT_EQ(0, add(g, fd, EDGE));
	start(_metadata, g, &t);
	for (n = 1; n <= 300; n++) {
		guest_order_begin(g, HANDS_SLEEP, 0, 0, n, 0);
		/* Sometimes when it sleeps for sure, and otherwise a little later each time */
		if (n % 10 == 0)
			EXPECT_TRUE(asleep_in(t.tid, SYS_ioctl));
		for (i = 0; i < n % 64; i++)
			sched_yield();
		EXPECT_EQ(0, eventfd_write(fd, 1));
		ASSERT_EQ(0, guest_order_end(g)) {
			TH_LOG("does not wake up: %u", n);
		}
	}
	EXPECT_EQ(300, g->page->irqs);
	end(_metadata, g, &t);
	close(fd);
}

struct load {
	struct guest *g;
	int fd;
	volatile bool stop;
	unsigned int writes;
};

static void *write_events(void *arg)
{
	struct load *l = arg;

	while (!l->stop) {
		/* With nobody who takes them there will be too many one day */
		if (eventfd_write(l->fd, 1))
			eventfd_read(l->fd, &(eventfd_t){ 0 });
		l->writes++;
	}
	return NULL;
}

/* Events all the time, while irqfds come and go, the guest starts and the VM is closed */
GUNYAH_TEST(under_load)
{
	struct guest *g = &self->guest;
	struct load l = { .g = g, .fd = new_event() };
	unsigned int round, n = 0;
	pthread_t writer;
	struct vcpu_thread t;
	uint64_t until;

	ASSERT_LE(0, l.fd);
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_events, &l));
	for (round = 0; round < 4; round++) {
		begin(_metadata, self);
		for (n = 0; n < 50; n++) {
			ASSERT_EQ(0, add(g, l.fd, EDGE));
			ASSERT_EQ(0, add(g, l.fd, LEVEL));
			EXPECT_EQ(0, remove_irqfd(g->vm, 0, LABEL(LEVEL)));
			EXPECT_EQ(0, remove_irqfd(g->vm, l.fd, LABEL(EDGE)));
		}
		ASSERT_EQ(0, add(g, l.fd, EDGE));
		ASSERT_EQ(0, add(g, l.fd, LEVEL));
		start(_metadata, g, &t);
		until = now_ms() + LOAD_MS / 4;
		while (now_ms() < until) {
			EXPECT_EQ(0, remove_irqfd(g->vm, 0, LABEL(EDGE)));
			EXPECT_EQ(0, remove_irqfd(g->vm, l.fd, LABEL(LEVEL)));
			ASSERT_EQ(0, add(g, l.fd, LEVEL));
			ASSERT_EQ(0, add(g, l.fd, EDGE));
		}
		n = g->page->irq[EDGE];
		EXPECT_EQ(0, guest_wait_irq(g, EDGE, n + 1));
		n = g->page->irq[LEVEL];
		EXPECT_EQ(0, guest_wait_irq(g, LEVEL, n + 1));
		if (round & 1) {
			EXPECT_EQ(0, guest_order(g, HANDS_OFF, 0, 0, 0, 0));
			EXPECT_EQ(0, vcpu_thread_join(&t));
		}
		close(g->vm);
		g->has_vm = false;
		if (!(round & 1))
			EXPECT_EQ(0, vcpu_thread_join(&t));
		guest_free(g);
	}
	l.stop = true;
	pthread_join(writer, NULL);
	EXPECT_LT(1000, l.writes);
	close(l.fd);
}

/* The hypervisor refuses: a mask is needed, and that an event is lost is not the writer's */
GUNYAH_TEST(refused)
{
	struct call_rule mask = { .call = CALL_BELL_SET_MASK, .count = 1, .error = ERROR_BUSY };
	struct call_rule send = { .call = CALL_BELL_SEND, .count = 1, .error = ERROR_BUSY };
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	int fd = new_event();

	SKIP_WITHOUT_CONTROL();
	begin(_metadata, self);
	ASSERT_EQ(0, add(g, fd, LEVEL));
	ASSERT_TRUE(call_rule_add(&mask));
	EXPECT_EQ(-EBUSY, gh_start(g->vm));
	guest_free(g);
	EXPECT_ALL_BACK(&self->before, "after the start that failed");

	begin(_metadata, self);
	start(_metadata, g, &t);
	call_rules_clear();
	ASSERT_TRUE(call_rule_add(&mask));
	EXPECT_EQ(-EBUSY, add(g, fd, LEVEL));
	EXPECT_EQ(-ENOENT, remove_irqfd(g->vm, fd, LABEL(LEVEL)));
	ASSERT_EQ(0, add(g, fd, LEVEL));
	call_rules_clear();
	ASSERT_TRUE(call_rule_add(&send));
	EXPECT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(0, count(_metadata, g, LEVEL));
	EXPECT_EQ(0, eventfd_write(fd, 1));
	EXPECT_EQ(0, guest_wait_irq(g, LEVEL, 1));
	end(_metadata, g, &t);
	close(fd);
}

TEST_HARNESS_MAIN

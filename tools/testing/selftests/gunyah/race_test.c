// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eight threads at one VM, or at one device, while signals rain. Which of them is
 * first is chance; that each gets one of the answers that it may get, that nothing
 * hangs, and that all is back, is not.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

#define THREADS		8
#define ROUNDS		25
#define FN_ROUNDS	10

struct race {
	int vm;
	int dev;
	uint8_t *memory;
	int event;
	struct guest *g;
	pthread_barrier_t begin;
	volatile bool stop;
	bool worked;			/* the guest has got somewhere */
	unsigned int calls;
	unsigned int odd;		/* answers that it may not give */
	int odd_answer;
	const char *odd_call;
};

static void on_signal(int sig)
{
	(void)sig;
}

static void check(struct race *r, const char *call, int answer, const int *may, size_t n)
{
	size_t i;

	__atomic_add_fetch(&r->calls, 1, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++) {
		if (answer == may[i])
			return;
	}
	if (!__atomic_fetch_add(&r->odd, 1, __ATOMIC_RELAXED)) {
		r->odd_answer = answer;
		r->odd_call = call;
	}
}

#define CHECK(r, call, answer, ...)						\
	do {									\
		static const int may_[] = { __VA_ARGS__ };			\
										\
		check(r, call, answer, may_, ARRAY_SIZE(may_));			\
	} while (0)

/*
 * What a descriptor says that another thread may have closed, and that a file of
 * /proc may have got since: all calls of the VM may give it in addition.
 */
#define CLOSED	-EBADF, -ENOTTY

static void *add_and_remove(void *arg)
{
	struct race *r = arg;
	uint32_t label = 0x100 + (uint32_t)(uintptr_t)pthread_self() % 3;
	int err;

	pthread_barrier_wait(&r->begin);
	while (!r->stop) {
		err = gh_set_region(r->vm, label, RW, 0x90000000, page_size(), r->memory);
		CHECK(r, "add", err, 0, -EEXIST, -EBUSY, CLOSED);
		err = gh_set_region(r->vm, label, 0, 0, 0, NULL);
		CHECK(r, "remove", err, 0, -ENOENT, -EBUSY, CLOSED);
	}
	return NULL;
}

static void *set_dtb(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(&r->begin);
	while (!r->stop) {
		/* Valid always, or what START runs into is not the race */
		CHECK(r, "set dtb", gh_set_dtb(r->vm, GH_GUEST_BASE + r->g->dtb_offset,
					       r->g->dtb_space), 0, -EBUSY, CLOSED);
		CHECK(r, "bad dtb", gh_set_dtb(r->vm, 1, 1), -EINVAL, CLOSED);
	}
	return NULL;
}

static void *start(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(&r->begin);
	while (!r->stop)
		CHECK(r, "start", gh_start(r->vm), 0, -ENODEV, CLOSED);
	return NULL;
}

static void *watch(void *arg)
{
	struct gh_vm_exit_info info;
	struct race *r = arg;
	struct pollfd fd = { .fd = r->vm };
	int n;

	pthread_barrier_wait(&r->begin);
	while (!r->stop) {
		n = poll(&fd, 1, 1);
		CHECK(r, "poll", n < 0 ? -errno : n, 0, 1, -EINTR);
		CHECK(r, "exit info", gh_exit_info(r->vm, &info), 0, -EAGAIN, CLOSED);
	}
	return NULL;
}

static void *look(void *arg)
{
	struct race *r = arg;
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", r->vm);
	pthread_barrier_wait(&r->begin);
	while (!r->stop) {
		CHECK(r, "fdinfo", read_text(path, text, sizeof(text)), 0, -ENOENT, -EINTR);
		CHECK(r, "vms", read_text(DEBUGFS "vms", text, sizeof(text)), 0, -ENOENT,
		      -EINTR);
	}
	return NULL;
}

static void *close_some_time(void *arg)
{
	struct race *r = arg;
	unsigned int calls;

	pthread_barrier_wait(&r->begin);
	/* Later in each round: before, in and after the start */
	calls = r->calls + (unsigned int)r->g->text_len;
	while (r->calls < calls && !r->stop)
		sched_yield();
	close(r->vm);
	r->stop = true;
	return NULL;
}

/* Signals for all threads of the process, as fast as it takes them */
static pid_t begin_storm(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	pid_t parent = getpid(), pid;

	/* No SA_RESTART: whatever can be interrupted shall be */
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	pid = fork();
	if (!pid) {
		/* With no pause at all the threads would get nowhere */
		while (getppid() == parent && !kill(parent, SIGUSR1) && !kill(parent, SIGUSR2))
			usleep(200);
		_exit(0);
	}
	return pid;
}

static void end_storm(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void run_threads(struct __test_metadata *_metadata, struct race *r,
			void *(*const threads[THREADS])(void *))
{
	pthread_t ids[THREADS];
	size_t i;

	r->stop = false;
	r->calls = 0;
	ASSERT_EQ(0, pthread_barrier_init(&r->begin, NULL, THREADS));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&ids[i], NULL, threads[i], r));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(ids[i], NULL));
	pthread_barrier_destroy(&r->begin);
}

GUNYAH_TEST(one_vm)
{
	static void *(*const threads[THREADS])(void *) = {
		add_and_remove, add_and_remove, set_dtb, start, start, watch, look,
		close_some_time,
	};
	static const char *const payloads[] = { "spin", "hello" };
	struct guest *g = &self->guest;
	struct race r = { .dev = self->dev, .g = g };
	struct gh_mem more;
	int round, err;
	pid_t storm;

	ASSERT_EQ(0, gh_mem_alloc(&more, "more", page_size()));
	r.memory = more.addr;
	storm = begin_storm();
	ASSERT_LT(0, storm);
	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(0, guest_alloc(g, payloads[round & 1], NULL));
		err = guest_setup(g, self->dev, 0);
		EXPECT_EQ(0, err);
		if (err)
			break;
		r.vm = g->vm;
		/* Closed by a thread. The text is not used otherwise. */
		g->has_vm = false;
		g->text_len = round * round;
		run_threads(_metadata, &r, threads);
		EXPECT_EQ(0, r.odd) {
			TH_LOG("round %d: %s gives %d", round, r.odd_call, r.odd_answer);
		}
		guest_free(g);
	}
	end_storm(storm);
	gh_mem_free(&more);
	EXPECT_ALL_BACK(&self->before, "after the races");
}

/* Runs a vCPU, which another thread may take away meanwhile, and does that to others */
static void *run_vcpus(void *arg)
{
	struct race *r = arg;
	int i, fd;

	pthread_barrier_wait(&r->begin);
	while (!r->stop) {
		fd = gh_add_vcpu(r->vm, 0);
		CHECK(r, "add a vCPU", fd < 0 ? fd : 0, 0, -EEXIST, CLOSED);
		for (i = 0; fd >= 0 && i < 20; i++)
			CHECK(r, "run", ioctl(fd, GH_VCPU_RUN) ? -errno : 0, 0, -ENODEV, -EINTR);
		CHECK(r, "remove a vCPU", remove_vcpu(r->vm, 0), 0, -ENOENT, CLOSED);
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void *change_irqfds(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(&r->begin);
	while (!r->stop) {
		CHECK(r, "add an irqfd", gh_add_irqfd(r->vm, r->event, 1, GH_IRQFD_FLAGS_LEVEL),
		      0, CLOSED);
		CHECK(r, "write", eventfd_write(r->event, 1) ? -errno : 0, 0, -EAGAIN);
		CHECK(r, "remove an irqfd", remove_irqfd(r->vm, 0, 1), 0, -ENOENT, CLOSED);
	}
	return NULL;
}

static void *change_ioeventfds(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(&r->begin);
	while (!r->stop) {
		CHECK(r, "add an ioeventfd",
		      gh_add_ioeventfd(r->vm, r->event, ECHO_BASE + 8, 0, 0, 0), 0, -EEXIST,
		      CLOSED);
		sched_yield();
		CHECK(r, "remove an ioeventfd",
		      remove_ioeventfd(r->vm, 0, ECHO_BASE + 8, 0, 0), 0, -ENOENT, CLOSED);
	}
	return NULL;
}

static void *write_events(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(&r->begin);
	while (!r->stop)
		CHECK(r, "write", eventfd_write(r->event, 1) ? -errno : 0, 0, -EAGAIN);
	return NULL;
}

/* When the guest has got somewhere, which takes a vCPU that somebody runs now and then */
static void *close_after_work(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(&r->begin);
	r->worked = !guest_wait_count(r->g, 10);
	close(r->vm);
	r->stop = true;
	return NULL;
}

/* Functions come and go and are used while the VM starts, runs and is closed */
GUNYAH_TEST(functions)
{
	static void *(*const threads[2][THREADS])(void *) = {
		{ run_vcpus, run_vcpus, change_irqfds, change_irqfds, change_ioeventfds,
		  write_events, start, close_some_time },
		{ run_vcpus, run_vcpus, change_irqfds, change_irqfds, change_ioeventfds,
		  write_events, start, close_after_work },
	};
	static const struct gh_bell bell = { .label = 1, .spi = 1, .level = true };
	struct guest *g = &self->guest;
	struct race r = { .dev = self->dev, .g = g };
	struct echo echo;
	int round, err;
	pid_t storm;

	r.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, r.event);
	storm = begin_storm();
	ASSERT_LT(0, storm);
	for (round = 0; round < FN_ROUNDS; round++) {
		ASSERT_EQ(0, guest_alloc_vcpus(g, "echo", 1, &bell, 1));
		echo_init(g, &echo, ~0ULL, 0);
		/* Of which the threads add as many as they like */
		g->n_vcpus = 0;
		err = guest_setup(g, self->dev, 0);
		EXPECT_EQ(0, err);
		if (err)
			break;
		r.vm = g->vm;
		g->has_vm = false;
		g->text_len = 20 * round * round;
		r.worked = true;
		run_threads(_metadata, &r, threads[round & 1]);
		EXPECT_TRUE(r.worked);
		EXPECT_EQ(0, r.odd) {
			TH_LOG("round %d: %s gives %d", round, r.odd_call, r.odd_answer);
		}
		guest_free(g);
	}
	end_storm(storm);
	close(r.event);
	EXPECT_ALL_BACK(&self->before, "after the races");
}

/* A guest's whole life, over and over */
static void *live(void *arg)
{
	struct race *r = arg;
	struct guest g;
	int dev, err;

	pthread_barrier_wait(&r->begin);
	while (!r->stop) {
		dev = gh_open();
		CHECK(r, "open", dev < 0 ? dev : 0, 0, -ENOENT, -ENODEV, -ENXIO, -EINTR);
		if (dev < 0)
			continue;
		err = guest_alloc(&g, "spin", NULL);
		CHECK(r, "alloc", err, 0);
		if (!err)
			err = guest_setup(&g, dev, 0);
		CHECK(r, "set up", err, 0, -ENODEV);
		if (!err)
			CHECK(r, "start", gh_start(g.vm), 0, -ENODEV);
		guest_free(&g);
		close(dev);
	}
	return NULL;
}

static void *look_at_device(void *arg)
{
	static const char *const files[] = {
		"vms", "parcels", "quarantine", "stats", "call_timeout_ms",
	};
	char path[64], text[1024];
	struct race *r = arg;
	unsigned int i = 0;

	pthread_barrier_wait(&r->begin);
	while (!r->stop) {
		snprintf(path, sizeof(path), DEBUGFS "%s", files[i++ % ARRAY_SIZE(files)]);
		CHECK(r, files[i % ARRAY_SIZE(files)], read_text(path, text, sizeof(text)), 0,
		      -ENOENT, -EIO, -EINTR);
		sched_yield();
	}
	return NULL;
}

/* sysfs lets no signal disturb it, so this one need not be repeated */
static void *bind_and_unbind(void *arg)
{
	struct race *r = arg;
	int i;

	pthread_barrier_wait(&r->begin);
	for (i = 0; i < 8; i++) {
		unsigned int calls = r->calls + 20;
		uint64_t end = now_ms() + EVENT_MS;

		CHECK(r, "unbind", driver_unbind(), 0);
		CHECK(r, "bind", driver_bind(), 0);
		while (r->calls < calls && now_ms() < end)
			sched_yield();
	}
	r->stop = true;
	return NULL;
}

/* The device goes and comes while guests start and end */
GUNYAH_TEST(unbind)
{
	static void *(*const threads[THREADS])(void *) = {
		live, live, live, live, look_at_device, look_at_device, look_at_device,
		bind_and_unbind,
	};
	struct race r = { .dev = self->dev };
	struct gh_vm_exit_info info;
	pid_t storm;

	SKIP_WITHOUT_CONTROL();
	storm = begin_storm();
	ASSERT_LT(0, storm);
	run_threads(_metadata, &r, threads);
	end_storm(storm);
	EXPECT_EQ(0, r.odd) {
		TH_LOG("%s gives %d", r.odd_call, r.odd_answer);
	}
	/* The open file is of a device that is gone, the next is of the one that is here */
	EXPECT_EQ(-ENODEV, gh_create_vm(self->dev));
	close(self->dev);
	self->dev = open_soon();
	ASSERT_LE(0, self->dev);
	EXPECT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

struct unbinder {
	pid_t tid;
	bool waited;
};

/* Holds the answer back until the one who unbinds waits as well */
static void *let_go(void *arg)
{
	struct unbinder *u = arg;

	u->waited = asleep_in(u->tid, SYS_write);
	fault_clear();
	return NULL;
}

/* The device goes while a start waits for an answer, which then comes */
GUNYAH_TEST(unbind_in_start)
{
	static const uint32_t calls[] = { RM_VM_ALLOCATE, RM_MEM_LEND, RM_VM_INIT, RM_VM_START };
	struct unbinder unbinder = { .tid = syscall(SYS_gettid) };
	struct guest *g = &self->guest;
	pthread_t thread, other;
	struct race r = { };
	uint64_t end;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ASSERT_EQ(0, guest_alloc(g, "spin", NULL));
		ASSERT_EQ(0, guest_setup(g, self->dev, 0));
		ASSERT_TRUE(fault_add(calls[i], GH_LAB_FAULT_DELAY, EVENT_MS, 0, 1));
		r.vm = g->vm;
		r.stop = true;
		ASSERT_EQ(0, pthread_barrier_init(&r.begin, NULL, 1));
		r.stop = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, start, &r));
		end = now_ms() + EVENT_MS;
		while (!ctl_read(GH_LAB_CTL_FAULT_HITS) && now_ms() < end)
			sleep_ms(1);
		ASSERT_EQ(0, pthread_create(&other, NULL, let_go, &unbinder));
		EXPECT_EQ(0, driver_unbind());
		ASSERT_EQ(0, pthread_join(other, NULL));
		EXPECT_TRUE(unbinder.waited);
		/* By now the VM has ended, one way or the other */
		EXPECT_TRUE(can_read(g->image.addr));
		EXPECT_EQ(self->before.vmids, ctl_read(GH_LAB_CTL_VMIDS));
		EXPECT_EQ(self->before.rm_parcels, ctl_read(GH_LAB_CTL_PARCELS));
		r.stop = true;
		ASSERT_EQ(0, pthread_join(thread, NULL));
		pthread_barrier_destroy(&r.begin);
		EXPECT_EQ(0, r.odd) {
			TH_LOG("%s gives %d", r.odd_call, r.odd_answer);
		}
		guest_free(g);
		close(self->dev);
		EXPECT_EQ(0, driver_bind());
		self->dev = open_soon();
		ASSERT_LE(0, self->dev);
	}
}

TEST_HARNESS_MAIN

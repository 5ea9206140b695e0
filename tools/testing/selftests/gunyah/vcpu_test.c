// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that the test runs: their file, the page that it maps, and exits of the guest. An
 * exit may neither be lost nor come twice, whatever signals there are meanwhile.
 */
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "gunyah_test.h"

#define ROUNDS		64
#define STORM_ROUNDS	600
/* So that the guest is caught while it runs, too */
#define STORM_PAUSE	2000

/* What a vCPU's file maps, or MAP_FAILED */
static void *map(int fd, size_t size, int flags, off_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
}

/* The one page, shared, and nothing else */
GUNYAH_TEST(mmap)
{
	const size_t page = page_size();
	struct guest *g = &self->guest;
	uint8_t *run, *other, *place;
	int fd;

	g->vm = gh_create_vm(self->dev);
	ASSERT_LE(0, g->vm);
	g->has_vm = true;
	fd = gh_add_vcpu(g->vm, 0);
	ASSERT_LE(0, fd);

	EXPECT_EQ(page, ioctl(fd, GH_VCPU_MMAP_SIZE));
	EXPECT_EQ(MAP_FAILED, map(fd, page, MAP_PRIVATE, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map(fd, 2 * page, MAP_SHARED, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map(fd, page, MAP_SHARED, page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map(fd, page, MAP_SHARED, -page));
	EXPECT_EQ(-1, read(fd, &run, sizeof(run)));
	EXPECT_EQ(EINVAL, errno);

	/* QEMU maps this much and does not ask */
	run = map(fd, 4096, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, run);
	EXPECT_EQ(0, run[0] | run[page - 1]);
	other = map(fd, page, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, other);
	run[1] = 0x11;
	run[page - 1] = 0x22;
	EXPECT_EQ(0x11, other[1]);
	EXPECT_EQ(0x22, other[page - 1]);
	EXPECT_EQ(0, munmap(other, page));

	/* It does not grow, nor is there a second page behind it */
	EXPECT_EQ(MAP_FAILED, mremap(run, page, 2 * page, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(run, 0, page, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);

	/* It can be moved */
	place = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, place);
	EXPECT_EQ(place, mremap(run, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, place));
	EXPECT_EQ(0x11, place[1]);

	/* What is dropped comes back as it was, also after the file and the VM are closed */
	EXPECT_EQ(0, madvise(place, page, MADV_DONTNEED));
	EXPECT_EQ(0x11, place[1]);
	guest_close(g);
	close(fd);
	EXPECT_EQ(0, madvise(place, page, MADV_DONTNEED));
	EXPECT_EQ(0x22, place[page - 1]);
	EXPECT_EQ(0, munmap(place, page));
}

/* A child has the mapping, too: that is what shared means */
GUNYAH_TEST(mmap_and_fork)
{
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	int status = -1;
	pid_t pid;

	ASSERT_EQ(0, guest_alloc_vcpus(g, "hello", 1, NULL, 0));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		v->run->immediate_exit = 1;
		_exit(v->run->padding[0]);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(-EINTR, vcpu_run(v));
	v->run->immediate_exit = 0;
	EXPECT_EQ(0, vcpu_run_to_end(v));
}

GUNYAH_TEST(ioctls)
{
	static const unsigned int unknown[] = {
		0x00004700, 0x40204701, 0x40104702, 0x00004703, 0x40104704, 0x40104707, 0x8010470b,
		0x40004705, 0xc0004706, 0x00004105, 0x000047ff, 0x5401, 0,
	};
	struct guest *g = &self->guest;
	char path[64], name[64] = "";
	struct vcpu v = { };
	uint8_t arg[64] = { };
	size_t i;

	g->vm = gh_create_vm(self->dev);
	ASSERT_LE(0, g->vm);
	g->has_vm = true;
	ASSERT_EQ(0, vcpu_add(&v, g->vm, 0));
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_EQ(-1, ioctl(v.fd, unknown[i], arg));
		EXPECT_EQ(ENOTTY, errno) {
			TH_LOG("ioctl 0x%x of a vCPU: %s", unknown[i], strerror(errno));
		}
	}
	/* The vCPU's are not the VM's */
	EXPECT_EQ(-1, ioctl(g->vm, GH_VCPU_RUN));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(g->vm, GH_VCPU_MMAP_SIZE));
	EXPECT_EQ(ENOTTY, errno);

	EXPECT_EQ(FD_CLOEXEC, fcntl(v.fd, F_GETFD));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", v.fd);
	EXPECT_LT(0, readlink(path, name, sizeof(name) - 1));
	EXPECT_STREQ("anon_inode:gunyah-vcpu", name);
	vcpu_free(&v);
}

/* Of what a VM can be given, and how it is to be said */
GUNYAH_TEST(function_arguments)
{
	static const unsigned long both[] = { GH_VM_ADD_FUNCTION, GH_VM_REMOVE_FUNCTION };
	static const uint32_t sizes[] = { 0, GH_FN_MAX_ARG_SIZE + 1, 0x10000, 0xffffffff };
	static const uint32_t types[] = { 0, 4, 5, 0x10001, 0x80000001, 0xffffffff };
	uint8_t arg[GH_FN_MAX_ARG_SIZE] = { };
	struct guest *g = &self->guest;
	size_t i, j;
	int fd;

	g->vm = gh_create_vm(self->dev);
	ASSERT_LE(0, g->vm);
	g->has_vm = true;
	for (i = 0; i < ARRAY_SIZE(both); i++) {
		for (j = 0; j < ARRAY_SIZE(sizes); j++)
			EXPECT_EQ(-EINVAL, function(g->vm, both[i], GH_FN_VCPU, arg, sizes[j]));
		for (j = 0; j < ARRAY_SIZE(types); j++)
			EXPECT_EQ(-ENOENT, function(g->vm, both[i], types[j], arg, 4));
		EXPECT_EQ(-EFAULT, function(g->vm, both[i], GH_FN_VCPU, NULL, 4));
		EXPECT_EQ(-1, ioctl(g->vm, both[i], NULL));
		EXPECT_EQ(EFAULT, errno);
	}
	EXPECT_EQ(-EINVAL, function(g->vm, GH_VM_ADD_FUNCTION, GH_FN_VCPU, arg, 3));
	EXPECT_EQ(-EINVAL, function(g->vm, GH_VM_ADD_FUNCTION, GH_FN_VCPU, arg, 5));
	EXPECT_EQ(-ENOENT, remove_vcpu(g->vm, 0));

	fd = gh_add_vcpu(g->vm, 0xfffffffe);
	EXPECT_LE(0, fd);
	EXPECT_EQ(-EEXIST, gh_add_vcpu(g->vm, 0xfffffffe));
	EXPECT_EQ(-ENOENT, remove_vcpu(g->vm, 0xfffffffd));
	/* That it is closed does not remove it */
	close(fd);
	EXPECT_EQ(-EEXIST, gh_add_vcpu(g->vm, 0xfffffffe));
	EXPECT_EQ(0, remove_vcpu(g->vm, 0xfffffffe));
	EXPECT_EQ(-ENOENT, remove_vcpu(g->vm, 0xfffffffe));
}

/* There is something to run between START and the end, and only if the VM has it */
GUNYAH_TEST(run_when)
{
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0], more = { };

	ASSERT_EQ(0, guest_alloc_vcpus(g, "hello", 1, NULL, 0));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	EXPECT_EQ(-ENODEV, vcpu_run(v));
	ASSERT_EQ(0, vcpu_add(&more, g->vm, 1));
	EXPECT_EQ(-ENODEV, vcpu_run(&more));
	ASSERT_EQ(0, gh_start(g->vm));
	/* The devicetree has one */
	EXPECT_EQ(-ENODEV, vcpu_run(&more));
	EXPECT_EQ(0, vcpu_run_to_end(v));
	EXPECT_TRUE(vcpu_says_ended(v, GH_VM_EXIT_TYPE_PSCI_POWER_OFF));
	vcpu_free(&more);
}

/* The first that is added after START is as good as one before */
GUNYAH_TEST(add_after_start)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, guest_alloc_vcpus(g, "hello", 1, NULL, 0));
	g->n_vcpus = 0;
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	g->n_vcpus = 1;
	ASSERT_EQ(0, vcpu_add(&g->vcpu[0], g->vm, 0));
	EXPECT_EQ(0, vcpu_run_to_end(&g->vcpu[0]));
	guest_read_console(g);
	EXPECT_NE(NULL, strstr(g->text, "Hello from a Gunyah guest\n"));
}

/* A vCPU that the hypervisor schedules is not ours to run */
GUNYAH_TEST(not_a_proxy)
{
	struct guest *g = &self->guest;
	struct vcpu v = { };

	ASSERT_EQ(0, guest_run(g, self->dev, "wait", 0));
	ASSERT_EQ(0, vcpu_add(&v, g->vm, 0));
	EXPECT_EQ(-EBUSY, vcpu_run(&v));
	vcpu_free(&v);
}

/* Who has the file only, by birth or by gift, may not run it */
GUNYAH_TEST(not_the_owner)
{
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	int sockets[2], status = -1;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "hello", 1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct vcpu given = { .fd = receive_fd(sockets[1]) };

		/* Not even that the VMM is to be left in peace matters to him */
		v->run->immediate_exit = 1;
		status = vcpu_run(v) != -EPERM;
		v->run->immediate_exit = 0;
		status |= (vcpu_run(v) != -EPERM) << 1;
		status |= (given.fd < 0 || vcpu_run(&given) != -EPERM) << 2;
		/* Nor does he get another one in */
		given.fd = gh_add_vcpu(g->vm, 1);
		status |= (given.fd >= 0 && vcpu_run(&given) != -EPERM) << 3;
		_exit(status);
	}
	EXPECT_EQ(0, send_fd(sockets[0], v->fd));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, vcpu_run_to_end(v));
	close(sockets[0]);
	close(sockets[1]);
}

/* Every size in both directions */
GUNYAH_TEST(mmio)
{
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	const char *wrong = NULL;
	struct echo echo;

	ASSERT_EQ(0, guest_alloc_vcpus(g, "echo", 1, NULL, 0));
	echo_init(g, &echo, ROUNDS, 0);
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	while (!wrong) {
		ASSERT_EQ(0, vcpu_run(v));
		if (v->run->exit_reason == GH_VCPU_EXIT_STATUS)
			break;
		wrong = echo_exit(&echo, v->run);
	}
	EXPECT_STREQ("", wrong ?: "");
	EXPECT_TRUE(vcpu_says_ended(v, GH_VM_EXIT_TYPE_PSCI_POWER_OFF));
	EXPECT_EQ(ROUNDS, echo.round);
	EXPECT_TRUE(echo_is_complete(&echo, g));
}

/*
 * immediate_exit before each RUN, once, twice and thrice: the page remains what it was,
 * with an answer that nobody has taken yet or without
 */
GUNYAH_TEST(immediate_exit)
{
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	const size_t size = page_size();
	const char *wrong = NULL;
	unsigned int i, n = 0;
	struct echo echo;
	uint8_t *copy;

	copy = malloc(size);
	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, guest_alloc_vcpus(g, "echo", 1, NULL, 0));
	echo_init(g, &echo, ROUNDS, 0);
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	memset(v->run, 0x5a, size);
	while (!wrong) {
		/* Any value but 0 */
		v->run->immediate_exit = n % 255 + 1;
		memcpy(copy, v->run, size);
		for (i = 0; i <= n % 3; i++) {
			EXPECT_EQ(-EINTR, vcpu_run(v));
			EXPECT_EQ(0, memcmp(copy, v->run, size));
		}
		v->run->immediate_exit = 0;
		n++;
		ASSERT_EQ(0, vcpu_run(v));
		if (v->run->exit_reason == GH_VCPU_EXIT_STATUS)
			break;
		wrong = echo_exit(&echo, v->run);
	}
	EXPECT_STREQ("", wrong ?: "");
	EXPECT_EQ(2 * ROUNDS + 1, n);
	EXPECT_TRUE(echo_is_complete(&echo, g));

	/* Nor does that it has ended come before it */
	v->run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, vcpu_run(v));
	v->run->immediate_exit = 0;
	EXPECT_EQ(0, vcpu_run(v));
	free(copy);
}

/*
 * A signal at some time of each RUN, also before it begins, while the guest runs, and when
 * there is an exit already
 */
static struct {
	struct gh_vcpu_run *run;
	bool sets;			/* the handler sets immediate_exit */
	volatile bool in_run;
	volatile unsigned int within;	/* signals that came in RUN or close to it */
} storm;

static void on_storm(int sig)
{
	(void)sig;
	storm.within += storm.in_run;
	if (storm.sets)
		storm.run->immediate_exit = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* One signal, some time between now and twice as long as a RUN takes on average */
static void send_storm(timer_t timer, uint64_t average)
{
	struct itimerspec when = { };

	when.it_value.tv_nsec = 1 + random() % (2 * average);
	timer_settime(timer, 0, &when, NULL);
}

static void in_storm(struct __test_metadata *_metadata, FIXTURE_DATA(gunyah) *self, bool sets,
		     int sa_flags)
{
	struct sigaction action = { .sa_handler = on_storm, .sa_flags = sa_flags };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	unsigned int exits = 0, interrupted = 0;
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	uint64_t begin, average = 0;
	const char *wrong = NULL;
	struct echo echo;
	timer_t timer;
	int err;

	ASSERT_EQ(0, guest_alloc_vcpus(g, "echo", 1, NULL, 0));
	echo_init(g, &echo, STORM_ROUNDS, STORM_PAUSE);
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	storm.run = v->run;
	storm.sets = sets;
	storm.within = 0;
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, timer_create(CLOCK_MONOTONIC, &event, &timer));

	begin = now_ns();
	while (!wrong) {
		if (average)
			send_storm(timer, average);
		storm.in_run = true;
		err = vcpu_run(v);
		storm.in_run = false;
		if (err == -EINTR) {
			interrupted++;
			/* The only reason, if the call is restarted after a signal */
			if (sa_flags & SA_RESTART)
				EXPECT_EQ(1, v->run->immediate_exit);
			v->run->immediate_exit = 0;
			continue;
		}
		ASSERT_EQ(0, err);
		if (v->run->exit_reason == GH_VCPU_EXIT_STATUS)
			break;
		wrong = echo_exit(&echo, v->run);
		/* The first ones tell how long it takes */
		if (++exits == 2 * ROUNDS)
			average = (now_ns() - begin) / exits;
	}
	timer_delete(timer);
	EXPECT_STREQ("", wrong ?: "");
	EXPECT_EQ(STORM_ROUNDS, echo.round);
	EXPECT_TRUE(echo_is_complete(&echo, g));
	TH_LOG("%u exits of %u us, %u signals while they lasted, %u times EINTR", exits,
	       (unsigned int)(average / 1000), storm.within, interrupted);
	EXPECT_LT(STORM_ROUNDS / 20, storm.within);
	EXPECT_TRUE(sets || !(sa_flags & SA_RESTART) ? interrupted > STORM_ROUNDS / 20 :
		    !interrupted);
}

/* As crosvm does it: the kernel calls again, and has to find what the handler has set */
GUNYAH_TEST(kicks_restarted)
{
	in_storm(_metadata, self, true, SA_RESTART);
}

/* As QEMU does it */
GUNYAH_TEST(kicks_not_restarted)
{
	in_storm(_metadata, self, true, 0);
}

/* A signal that is not meant for the vCPU, for example a profiler's, is not seen at all */
GUNYAH_TEST(other_signals)
{
	in_storm(_metadata, self, false, SA_RESTART);
}

GUNYAH_TEST(other_signals_not_restarted)
{
	in_storm(_metadata, self, false, 0);
}

static void kick_out(struct __test_metadata *_metadata, struct guest *g, bool sleeps)
{
	static const struct {
		bool sets;
		int sa_flags;
	} kicks[] = { { true, SA_RESTART }, { true, 0 }, { false, 0 } };
	struct sigaction action = { .sa_handler = on_storm };
	struct vcpu *v = &g->vcpu[0];
	struct vcpu_thread t;
	size_t i;

	storm.run = v->run;
	for (i = 0; i < ARRAY_SIZE(kicks); i++) {
		storm.sets = kicks[i].sets;
		action.sa_flags = kicks[i].sa_flags;
		ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
		ASSERT_EQ(0, vcpu_thread_start(&t, v, vcpu_run));
		EXPECT_TRUE(sleeps ? asleep_in(t.tid, SYS_ioctl) : !guest_wait_count(g, 10));
		EXPECT_EQ(0, pthread_kill(t.thread, SIGUSR1));
		EXPECT_EQ(-EINTR, vcpu_thread_join(&t));
		EXPECT_EQ(kicks[i].sets, v->run->immediate_exit);
		v->run->immediate_exit = 0;
	}
}

/* A kick ends a RUN of a guest that does nothing, and of one that never stops */
GUNYAH_TEST(kicked_out)
{
	struct guest *g = &self->guest;

	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "wait", 1));
	kick_out(_metadata, g, true);
	guest_free(g);
	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "count", 1));
	kick_out(_metadata, g, false);
}

/* The numbers of /proc/PID/stat: 14 user time, 15 system time, 43 time of a guest */
static long stat_value(pid_t tid, int number)
{
	char path[64], text[1024], *p;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (read_text(path, text, sizeof(text)))
		return -1;
	/* The name, which may contain anything, is the second */
	p = strrchr(text, ')');
	while (p && number-- > 2)
		p = strchr(p + 1, ' ');
	return p ? atol(p + 1) : -1;
}

/* What the guest uses is the VMM's time, and counted as the guest's */
GUNYAH_TEST(guest_time)
{
	const long enough = sysconf(_SC_CLK_TCK) / 10;
	struct guest *g = &self->guest;
	uint64_t end = now_ms() + EVENT_MS;
	struct vcpu_thread t;
	long guest, user, system;

	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "spin", 1));
	ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[0], vcpu_run_to_end));
	do {
		sleep_ms(10);
		guest = stat_value(t.tid, 43);
	} while (guest < enough && now_ms() < end);
	user = stat_value(t.tid, 14);
	system = stat_value(t.tid, 15);
	TH_LOG("guest %ld, user %ld, system %ld", guest, user, system);
	EXPECT_LE(enough, guest);
	EXPECT_LT(system, guest);
	EXPECT_EQ(0, remove_vcpu(g->vm, 0));
	EXPECT_EQ(-ENODEV, vcpu_thread_join(&t));
}

static void *spin(void *arg)
{
	volatile bool *stop = arg;

	while (!*stop)
		;
	return NULL;
}

static uint64_t cpu_ms(pthread_t thread)
{
	struct timespec ts = { };
	clockid_t clock;

	if (!pthread_getcpuclockid(thread, &clock))
		clock_gettime(clock, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* A guest that never stops has a CPU no more to itself than any other thread */
GUNYAH_TEST(shares_the_cpu)
{
	struct guest *g = &self->guest;
	uint64_t end = now_ms() + EVENT_MS, guest, other;
	volatile bool stop = false;
	struct vcpu_thread t;
	pthread_t thread;
	cpu_set_t cpus;

	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "spin", 1));
	ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[0], vcpu_run_to_end));
	ASSERT_EQ(0, guest_wait_text(g, "spinning"));
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	ASSERT_EQ(0, pthread_setaffinity_np(t.thread, sizeof(cpus), &cpus));
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin, (void *)&stop));
	ASSERT_EQ(0, pthread_setaffinity_np(thread, sizeof(cpus), &cpus));
	guest = cpu_ms(t.thread);
	other = cpu_ms(thread);
	while (cpu_ms(t.thread) - guest + cpu_ms(thread) - other < 600 && now_ms() < end)
		sleep_ms(20);
	guest = cpu_ms(t.thread) - guest;
	other = cpu_ms(thread) - other;
	EXPECT_LT(100, guest);
	EXPECT_LT(100, other) {
		TH_LOG("guest %u ms, the other %u ms", (unsigned int)guest, (unsigned int)other);
	}
	stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, remove_vcpu(g->vm, 0));
	EXPECT_EQ(-ENODEV, vcpu_thread_join(&t));
}

TEST_HARNESS_MAIN

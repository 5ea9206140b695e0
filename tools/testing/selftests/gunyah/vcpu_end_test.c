// SPDX-License-Identifier: GPL-2.0-only
/*
 * How it ends for a vCPU: its VM ends, is closed or goes away with the device, or the vCPU
 * is taken from who runs it. Nobody is left in GH_VCPU_RUN, and all learn why.
 */
#include <sys/socket.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

static void on_signal(int sig)
{
	(void)sig;
}

/* GH_VCPU_RUN until it fails, whatever the page says */
static int run_blindly(struct vcpu *vcpu)
{
	int err;

	do {
		err = vcpu_run(vcpu);
	} while (!err || err == -EINTR);
	return err;
}

/* The same until it returns */
static int run_once(struct vcpu *vcpu)
{
	int err;

	do {
		err = vcpu_run(vcpu);
	} while (err == -EINTR);
	return err;
}

/* Both have been told the same as the VM's file tells, and are as often as they ask */
static void expect_ended(struct __test_metadata *_metadata, struct guest *g, uint16_t type)
{
	struct gh_vm_exit_info info = { .type = 0xeeee };
	unsigned int i, n;

	if (g->has_vm)
		EXPECT_EQ(0, gh_exit_info(g->vm, &info));
	for (i = 0; i < g->n_vcpus; i++) {
		for (n = 0; n < 3; n++) {
			EXPECT_TRUE(vcpu_says_ended(&g->vcpu[i], type)) {
				TH_LOG("vCPU %u: reason %u, type %u instead of %u", i,
				       g->vcpu[i].run->exit_reason,
				       g->vcpu[i].run->status.exit_info.type, type);
			}
			if (g->has_vm)
				EXPECT_EQ(0, memcmp(&info, &g->vcpu[i].run->status.exit_info,
						    sizeof(info)));
			memset(g->vcpu[i].run, n ? 0 : 0xa5, page_size());
			g->vcpu[i].run->immediate_exit = 0;
			EXPECT_EQ(0, vcpu_run(&g->vcpu[i]));
		}
	}
}

/* Whatever ends the VM, each vCPU is told: who runs, who was never on, who comes later */
GUNYAH_TEST(ends)
{
	static const struct {
		const char *payload;
		uint16_t type;
	} ends[] = {
		{ "hello", GH_VM_EXIT_TYPE_PSCI_POWER_OFF },
		{ "reset", GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET },
		{ "reset2", GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2 },
		{ "abort", GH_VM_EXIT_TYPE_HYP_ERROR },
	};
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	struct vcpu late;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		ASSERT_EQ(0, guest_run_vcpus(g, self->dev, ends[i].payload, 2));
		ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[1], vcpu_run_to_end));
		EXPECT_TRUE(asleep_in(t.tid, SYS_ioctl));
		EXPECT_EQ(0, vcpu_run_to_end(&g->vcpu[0]));
		EXPECT_EQ(0, vcpu_thread_join(&t));
		expect_ended(_metadata, g, ends[i].type);
		ASSERT_EQ(0, vcpu_add(&late, g->vm, 7));
		EXPECT_EQ(0, vcpu_run(&late));
		EXPECT_TRUE(vcpu_says_ended(&late, ends[i].type));
		vcpu_free(&late);
		guest_free(g);
	}
}

/* The same ends in another way: no more than the type may be lost with the message */
GUNYAH_TEST(other_ends)
{
	static const uint16_t types[] = {
		GH_VM_EXIT_TYPE_VM_EXIT, GH_VM_EXIT_TYPE_WDT_BITE, GH_VM_EXIT_TYPE_ASYNC_EXT_ABORT,
	};
	struct guest *g = &self->guest;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		/* The type is the third byte of the message */
		ASSERT_TRUE(fault_add(RM_VM_EXITED, GH_LAB_FAULT_SET_BYTE, 2 << 8 | types[i], 0,
				      1));
		ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "hello", 1));
		EXPECT_EQ(0, vcpu_run_to_end(&g->vcpu[0]));
		expect_ended(_metadata, g, types[i]);
		guest_free(g);
		fault_clear();
	}
}

/* Neither message about the end comes, or only one: what the vCPU has seen is enough */
GUNYAH_TEST(untold)
{
	static const struct {
		const char *payload;
		uint16_t type;
		bool is_told;		/* of the state at least */
	} ends[] = {
		{ "reset", GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET, false },
		{ "reset2", GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2, false },
		{ "abort", GH_VM_EXIT_TYPE_HYP_ERROR, false },
		{ "abort", GH_VM_EXIT_TYPE_HYP_ERROR, true },
		{ "hello", GH_VM_EXIT_TYPE_UNKNOWN, true },
	};
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		ASSERT_EQ(0, guest_run_vcpus(g, self->dev, ends[i].payload, 2));
		ASSERT_TRUE(fault_add(RM_VM_EXITED, GH_LAB_FAULT_DROP, 0, 0, 1));
		if (!ends[i].is_told)
			ASSERT_TRUE(fault_add(RM_VM_STATUS, GH_LAB_FAULT_DROP, 0, 0, 1));
		ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[1], vcpu_run_to_end));
		EXPECT_EQ(0, vcpu_run_to_end(&g->vcpu[0]));
		EXPECT_EQ(0, vcpu_thread_join(&t));
		expect_ended(_metadata, g, ends[i].type);
		fault_clear();
		guest_free(g);
	}
}

/* Nothing to run, and never will be */
GUNYAH_TEST(load_failed)
{
	static const uint32_t calls[] = {
		RM_VM_ALLOCATE, RM_MEM_LEND, RM_VM_CONFIG_IMAGE, RM_VM_INIT,
		RM_VM_GET_HYP_RESOURCES, RM_VM_START,
	};
	struct guest *g = &self->guest;
	struct vcpu *v = &g->vcpu[0];
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ASSERT_EQ(0, guest_alloc_vcpus(g, "hello", 1, NULL, 0));
		ASSERT_EQ(0, guest_setup(g, self->dev, 0));
		ASSERT_TRUE(fault_add(calls[i], GH_LAB_FAULT_REFUSE, 5, 0, 1));
		EXPECT_EQ(-EBUSY, gh_start(g->vm));
		EXPECT_EQ(0, vcpu_run(v));
		EXPECT_EQ(GH_VCPU_EXIT_STATUS, v->run->exit_reason);
		EXPECT_EQ(GH_VM_STATUS_LOAD_FAILED, v->run->status.status);
		fault_clear();
		guest_free(g);
	}
}

/* The VM's file is closed under vCPUs of which one runs and one sleeps */
GUNYAH_TEST(closed)
{
	struct guest *g = &self->guest;
	struct vcpu_thread t[2];

	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "count", 2));
	ASSERT_EQ(0, vcpu_thread_start(&t[0], &g->vcpu[0], vcpu_run_to_end));
	ASSERT_EQ(0, vcpu_thread_start(&t[1], &g->vcpu[1], vcpu_run_to_end));
	EXPECT_EQ(0, guest_wait_count(g, 10));
	EXPECT_TRUE(asleep_in(t[1].tid, SYS_ioctl));
	close(g->vm);
	g->has_vm = false;
	/* The host has the memory again, and the guest does not run in it */
	EXPECT_TRUE(can_read(g->image.addr));
	EXPECT_EQ(0, vcpu_thread_join(&t[0]));
	EXPECT_EQ(0, vcpu_thread_join(&t[1]));
	expect_ended(_metadata, g, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED);
}

/* The vCPU is removed from under the thread that runs it, and another one goes on */
static void remove_and_add(struct __test_metadata *_metadata, struct guest *g, bool sleeps)
{
	struct vcpu *v = &g->vcpu[0], old;
	struct vcpu_thread t;
	int round;

	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, vcpu_thread_start(&t, v, run_once));
		EXPECT_TRUE(sleeps ? asleep_in(t.tid, SYS_ioctl) : !guest_wait_count(g, 10));
		EXPECT_EQ(0, remove_vcpu(g->vm, 0));
		EXPECT_EQ(-ENODEV, vcpu_thread_join(&t));
		EXPECT_EQ(-ENODEV, vcpu_run(v));
		/* The guest has not ended by that */
		EXPECT_EQ(0, vm_events(g->vm) & POLLHUP);
		old = *v;
		ASSERT_EQ(0, vcpu_add(v, g->vm, 0));
		EXPECT_EQ(-ENODEV, vcpu_run(&old));
		EXPECT_EQ(page_size(), ioctl(old.fd, GH_VCPU_MMAP_SIZE));
		vcpu_free(&old);
	}
}

GUNYAH_TEST(removed_and_added)
{
	struct guest *g = &self->guest;
	struct vcpu_thread t;

	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "wait", 1));
	remove_and_add(_metadata, g, true);
	guest_free(g);
	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "count", 1));
	remove_and_add(_metadata, g, false);
	ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[0], vcpu_run_to_end));
	EXPECT_EQ(0, guest_wait_count(g, 10));
	g->page->stop = 1;
	EXPECT_EQ(0, vcpu_thread_join(&t));
	EXPECT_TRUE(vcpu_says_ended(&g->vcpu[0], GH_VM_EXIT_TYPE_PSCI_POWER_OFF));
}

struct scribbler {
	uint8_t *page;
	volatile bool stop;
};

/* All over the page, but never a wish to leave */
static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	size_t i, size = page_size();
	uint8_t value = 1;

	while (!s->stop) {
		for (i = 1; i < 64; i++)
			s->page[i] = value++;
		s->page[0] = 0;
		memset(s->page + 64, value, size - 64);
	}
	return NULL;
}

/* That a vCPU can be taken away, and what the kernel does then, is not for the page to say */
GUNYAH_TEST(scribbled_page)
{
	static const char *const payloads[] = { "count", "echo", "wait" };
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	struct scribbler s;
	struct echo echo;
	pthread_t thread;
	size_t i;
	int round;

	for (i = 0; i < ARRAY_SIZE(payloads); i++) {
		ASSERT_EQ(0, guest_alloc_vcpus(g, payloads[i], 1, NULL, 0));
		echo_init(g, &echo, ~0ULL, 0);
		ASSERT_EQ(0, guest_setup(g, self->dev, 0));
		ASSERT_EQ(0, gh_start(g->vm));
		for (round = 0; round < 3; round++) {
			s = (struct scribbler){ (uint8_t *)g->vcpu[0].run, false };
			ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &s));
			ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[0], run_blindly));
			EXPECT_TRUE(i == 2 ? asleep_in(t.tid, SYS_ioctl) :
				    !guest_wait_count(g, 10));
			EXPECT_EQ(0, remove_vcpu(g->vm, 0));
			EXPECT_EQ(-ENODEV, vcpu_thread_join(&t));
			s.stop = true;
			pthread_join(thread, NULL);
			vcpu_free(&g->vcpu[0]);
			ASSERT_EQ(0, vcpu_add(&g->vcpu[0], g->vm, 0));
		}
		guest_free(g);
	}
}

/* The parts of a VM that can be closed on their own, in order @order */
enum { PART_VM, PART_DUP, PART_VCPU, PART_PAGE, N_PARTS };

static void close_parts(struct guest *g, int dup, unsigned int order)
{
	bool done[N_PARTS] = { };
	unsigned int i, n, skip;

	for (i = 0; i < N_PARTS; i++) {
		skip = order % (N_PARTS - i);
		order /= N_PARTS - i;
		for (n = 0; done[n] || skip; n++)
			skip -= !done[n];
		done[n] = true;
		switch (n) {
		case PART_VM:
			close(g->vm);
			break;
		case PART_DUP:
			close(dup);
			break;
		case PART_VCPU:
			close(g->vcpu[0].fd);
			break;
		case PART_PAGE:
			munmap(g->vcpu[0].run, page_size());
		}
	}
	g->has_vm = false;
	g->vcpu[0].run = NULL;
}

#define N_ORDERS	24		/* of N_PARTS */

/* Each order, before START, after it, and while a thread runs the vCPU */
GUNYAH_TEST(closing_orders)
{
	enum { NEW, STARTED, RUNNING, N_STATES };
	struct guest *g = &self->guest;
	unsigned int order, state;
	struct vcpu_thread t;
	int dup_vm;

	for (state = 0; state < N_STATES; state++) {
		for (order = 0; order < N_ORDERS; order++) {
			ASSERT_EQ(0, guest_alloc_vcpus(g, "count", 1, NULL, 0));
			ASSERT_EQ(0, guest_setup(g, self->dev, 0));
			dup_vm = dup(g->vm);
			ASSERT_LE(0, dup_vm);
			if (state != NEW)
				ASSERT_EQ(0, gh_start(dup_vm));
			if (state == RUNNING) {
				ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[0], run_once));
				EXPECT_EQ(0, guest_wait_count(g, 1));
			}
			close_parts(g, dup_vm, order);
			if (state == RUNNING)
				EXPECT_EQ(0, vcpu_thread_join(&t));
			guest_free(g);
		}
		EXPECT_ALL_BACK(&self->before, "in state %u", state);
	}
}

/* As long as somebody has the VM's file, under whatever number, it goes on */
GUNYAH_TEST(duplicates)
{
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	int fds[3];

	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "count", 1));
	ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[0], vcpu_run_to_end));
	fds[0] = dup(g->vm);
	fds[1] = dup(fds[0]);
	fds[2] = fcntl(g->vm, F_DUPFD_CLOEXEC, 100);
	ASSERT_LE(0, fds[2]);
	close(g->vm);
	g->has_vm = false;
	EXPECT_EQ(0, guest_wait_count(g, 10));
	close(fds[1]);
	EXPECT_EQ(0, guest_wait_count(g, 10));
	EXPECT_EQ(-EEXIST, gh_add_vcpu(fds[2], 0));
	close(fds[2]);
	EXPECT_EQ(0, guest_wait_count(g, 10));
	close(fds[0]);
	EXPECT_EQ(0, vcpu_thread_join(&t));
	expect_ended(_metadata, g, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED);
}

/* Somebody else has it, who got it as a message, and ends some time */
GUNYAH_TEST(given_away)
{
	struct guest *g = &self->guest;
	int sockets[2], status = -1;
	struct vcpu_thread t;
	char byte = 0;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	/* Before there is a VM that he would have by birth */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int vm = receive_fd(sockets[1]);

		/* That it runs can be seen by all who have it */
		status = vm < 0 || gh_start(vm);
		status |= write(sockets[1], &byte, 1) != 1;
		status |= read(sockets[1], &byte, 1) != 1;
		_exit(status);
	}
	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "count", 1));
	ASSERT_EQ(0, vcpu_thread_start(&t, &g->vcpu[0], vcpu_run_to_end));
	EXPECT_EQ(0, send_fd(sockets[0], g->vm));
	close(g->vm);
	g->has_vm = false;
	EXPECT_EQ(1, read(sockets[0], &byte, 1));
	EXPECT_EQ(0, guest_wait_count(g, 10));
	EXPECT_EQ(1, write(sockets[0], &byte, 1));
	EXPECT_EQ(0, vcpu_thread_join(&t));
	expect_ended(_metadata, g, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(sockets[0]);
	close(sockets[1]);
}

/* A VMM that gives both files away and goes: nobody can run the guest any more */
GUNYAH_TEST(owner_gone)
{
	struct guest *g = &self->guest;
	int sockets[2], status = -1;
	struct vcpu v = { };
	char byte = 0;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		status = guest_run_vcpus(g, self->dev, "hello", 1);
		status = status || send_fd(sockets[1], g->vm) || send_fd(sockets[1], g->vcpu[0].fd);
		/* The message is of no use to who gets it from a socket that is closed */
		status |= read(sockets[1], &byte, 1) != 1;
		_exit(status);
	}
	g->vm = receive_fd(sockets[0]);
	v.fd = receive_fd(sockets[0]);
	ASSERT_LE(0, v.fd);
	g->has_vm = true;
	EXPECT_EQ(1, write(sockets[0], &byte, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(0, vm_events(g->vm) & POLLHUP);
	EXPECT_EQ(-EPERM, vcpu_run(&v));
	EXPECT_EQ(0, remove_vcpu(g->vm, 0));
	EXPECT_EQ(-EPERM, vcpu_run(&v));
	close(v.fd);
	close(sockets[0]);
	close(sockets[1]);
}

/* A VMM that is killed in RUN: nothing of it stays */
GUNYAH_TEST(killed)
{
	static const char *const payloads[] = { "count", "wait" };
	struct guest *g = &self->guest;
	struct vcpu_thread t;
	char byte = 0;
	int fds[2];
	pid_t pid;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(payloads); i++) {
		ASSERT_EQ(0, pipe(fds));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			if (!guest_run_vcpus(g, self->dev, payloads[i], 1) &&
			    !vcpu_thread_start(&t, &g->vcpu[0], run_blindly) &&
			    (i ? asleep_in(t.tid, SYS_ioctl) : !guest_wait_count(g, 10)))
				byte = write(fds[1], &byte, 1);
			for (;;)
				pause();
		}
		close(fds[1]);
		EXPECT_EQ(1, read(fds[0], &byte, 1));
		close(fds[0]);
		EXPECT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(pid, waitpid(pid, NULL, 0));
		EXPECT_ALL_BACK(&self->before, "%s", payloads[i]);
	}
}

/* Two who run the same: one does, one waits for it and can be told to stop that */
GUNYAH_TEST(two_threads)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct guest *g = &self->guest;
	struct vcpu_thread t[2];

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "count", 1));
	ASSERT_EQ(0, vcpu_thread_start(&t[0], &g->vcpu[0], run_once));
	EXPECT_EQ(0, guest_wait_count(g, 10));
	ASSERT_EQ(0, vcpu_thread_start(&t[1], &g->vcpu[0], vcpu_run));
	EXPECT_TRUE(asleep_in(t[1].tid, SYS_ioctl));
	EXPECT_EQ(0, pthread_kill(t[1].thread, SIGUSR1));
	EXPECT_EQ(-EINTR, vcpu_thread_join(&t[1]));

	ASSERT_EQ(0, vcpu_thread_start(&t[1], &g->vcpu[0], run_once));
	EXPECT_TRUE(asleep_in(t[1].tid, SYS_ioctl));
	EXPECT_EQ(0, guest_wait_count(g, 10));
	EXPECT_EQ(0, remove_vcpu(g->vm, 0));
	EXPECT_EQ(-ENODEV, vcpu_thread_join(&t[0]));
	EXPECT_EQ(-ENODEV, vcpu_thread_join(&t[1]));
}

/* The device goes: the guest has ended, and nothing but that is left to learn */
GUNYAH_TEST(unbound)
{
	struct guest *g = &self->guest;
	struct vcpu_thread t[2];

	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "count", 2));
	ASSERT_EQ(0, vcpu_thread_start(&t[0], &g->vcpu[0], vcpu_run_to_end));
	ASSERT_EQ(0, vcpu_thread_start(&t[1], &g->vcpu[1], vcpu_run_to_end));
	EXPECT_EQ(0, guest_wait_count(g, 10));
	EXPECT_TRUE(asleep_in(t[1].tid, SYS_ioctl));
	ASSERT_EQ(0, driver_unbind());
	EXPECT_TRUE(can_read(g->image.addr));
	EXPECT_EQ(0, vcpu_thread_join(&t[0]));
	EXPECT_EQ(0, vcpu_thread_join(&t[1]));
	EXPECT_EQ(-ENODEV, remove_vcpu(g->vm, 0));
	EXPECT_EQ(-ENODEV, gh_add_vcpu(g->vm, 2));
	close(g->vm);
	g->has_vm = false;
	expect_ended(_metadata, g, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED);
	EXPECT_EQ(page_size(), ioctl(g->vcpu[0].fd, GH_VCPU_MMAP_SIZE));
	close(self->dev);
	EXPECT_EQ(0, driver_bind());
	self->dev = open_soon();
	ASSERT_LE(0, self->dev);
	/* The old one's files are closed with the new device there */
	guest_free(g);
	ASSERT_EQ(0, guest_run_vcpus(g, self->dev, "hello", 1));
	EXPECT_EQ(0, vcpu_run_to_end(&g->vcpu[0]));
}

TEST_HARNESS_MAIN

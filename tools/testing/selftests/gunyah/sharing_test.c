// SPDX-License-Identifier: GPL-2.0-only
/* A VM file in other hands: fork, exec, SCM_RIGHTS, dup, threads; and files that are no VM */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

/* What a program started by exec() does with the descriptor it is given */
enum helper_result { HELPER_FINE = 10, HELPER_CLOSED, HELPER_WRONG };

/*
 * Runs instead of the tests if this program was started by exec_helper(). The mm of
 * the VM's creator is gone by now, the process is the same.
 */
static void __attribute__((constructor)) helper(int argc, char **argv)
{
	static uint8_t __attribute__((aligned(65536))) memory[65536];
	struct gh_vm_exit_info info;
	struct pollfd end = {};
	struct guest g = { .has_vm = true };
	int err;

	if (argc != 2 || strcmp(argv[0], "sharing-helper"))
		return;
	g.vm = atoi(argv[1]);
	err = gh_start(g.vm);
	if (err == -EBADF)
		_exit(HELPER_CLOSED);
	if (err || gh_set_region(g.vm, 99, RWX, 0x90000000, sizeof(memory), memory) != -EPERM ||
	    gh_set_dtb(g.vm, GH_GUEST_BASE, 0x1000) != -EBUSY)
		_exit(HELPER_WRONG);
	/* The end comes by poll(); there is no console to read */
	end.fd = g.vm;
	if (poll(&end, 1, EVENT_MS) != 1 || gh_exit_info(g.vm, &info) ||
	    info.type != GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET)
		_exit(HELPER_WRONG);
	_exit(HELPER_FINE);
}

static void exec_helper(int vm)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", vm);
	execl("/proc/self/exe", "sharing-helper", number, NULL);
	_exit(127);
}

static int wait_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A child that inherits the file may start the VM and keep it, but not add memory */
GUNYAH_TEST(forked)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;
	int go[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, guest_alloc(g, "count", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (gh_set_region(g->vm, 99, RWX, 0x90000000, g->page_mem.size,
				  g->page_mem.addr) != -EPERM ||
		    gh_set_region(g->vm, TEST_PAGE_LABEL, 0, 0, 0, NULL) != -EPERM ||
		    gh_start(g->vm) || read(go[0], &byte, 1) != 1)
			_exit(1);
		/* The parent has closed its descriptor, the guest is none the worse */
		if (vm_events(g->vm) & POLLHUP)
			_exit(2);
		g->page->stop = 1;
		if (guest_wait(g) || gh_exit_info(g->vm, &info))
			_exit(3);
		_exit(info.type == GH_VM_EXIT_TYPE_PSCI_POWER_OFF ? 0 : 4);
	}
	EXPECT_EQ(0, gh_start(g->vm));
	guest_close(g);
	EXPECT_EQ(1, write(go[1], "g", 1));
	EXPECT_EQ(0, wait_status(pid));
	close(go[0]);
	close(go[1]);
}

/* The creator dies first, and its memory is used and charged until the VM ends */
GUNYAH_TEST(creator_dies)
{
	struct guest *g = &self->guest;
	int ends[2];
	pid_t pid, child;
	char byte;

	ASSERT_EQ(0, pipe(ends));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (guest_run(g, self->dev, "count", 0))
			_exit(1);
		child = fork();
		if (child)
			_exit(child < 0);
		/* Until nobody is left who could be the creator */
		while (getppid() != 1)
			sleep_ms(1);
		g->page->stop = 1;
		_exit(guest_wait(g) || write(ends[1], "e", 1) != 1);
	}
	close(ends[1]);
	EXPECT_EQ(0, wait_status(pid));
	EXPECT_EQ(1, read(ends[0], &byte, 1));
	close(ends[0]);
}

GUNYAH_TEST(exec_closes)
{
	struct guest *g = &self->guest;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (guest_run(g, self->dev, "spin", 0))
			_exit(1);
		exec_helper(g->vm);
	}
	EXPECT_EQ(HELPER_CLOSED, wait_status(pid));
	EXPECT_ALL_BACK(&self->before, "after exec()");
}

GUNYAH_TEST(exec_keeps)
{
	struct guest *g = &self->guest;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (guest_alloc(g, "reset", NULL) || guest_setup(g, self->dev, 0) ||
		    fcntl(g->vm, F_SETFD, 0))
			_exit(1);
		exec_helper(g->vm);
	}
	EXPECT_EQ(HELPER_FINE, wait_status(pid));
}

GUNYAH_TEST(sent)
{
	struct guest *g = &self->guest;
	struct gh_mem more;
	int sock[2];
	pid_t pid;

	ASSERT_EQ(0, guest_alloc(g, "count", NULL));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(sock[1]);
		g->vm = receive_fd(sock[0]);
		if (g->vm < 0 || gh_mem_alloc(&more, "more", page_size()))
			_exit(1);
		/* Memory of its own it may not add to another's VM */
		if (gh_set_region(g->vm, 99, RWX, 0x90000000, more.size, more.addr) != -EPERM)
			_exit(2);
		if (gh_start(g->vm))
			_exit(3);
		g->page->stop = 1;
		_exit(guest_wait(g) ? 4 : 0);
	}
	close(sock[0]);
	EXPECT_EQ(0, guest_setup(g, self->dev, 0));
	EXPECT_EQ(0, send_fd(sock[1], g->vm));
	guest_close(g);
	EXPECT_EQ(0, wait_status(pid));
	close(sock[1]);
}

/* In a message that nobody takes: the VM lives as long as the message */
GUNYAH_TEST(in_flight)
{
	struct guest *g = &self->guest;
	uint64_t count;
	int sock[2];

	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, send_fd(sock[0], g->vm));
	guest_close(g);
	count = *(volatile uint64_t *)&g->page->count;
	while (*(volatile uint64_t *)&g->page->count == count)
		sleep_ms(1);
	EXPECT_FALSE(can_read(g->image.addr));
	close(sock[0]);
	close(sock[1]);
	EXPECT_ALL_BACK(&self->before, "with the message");
	EXPECT_TRUE(can_read(g->image.addr));
}

/* Descriptors by dup(), dup2() and fcntl() are one VM */
GUNYAH_TEST(duplicates)
{
	struct guest *g = &self->guest;
	int fds[3];
	size_t i;

	ASSERT_EQ(0, guest_run(g, self->dev, "spin", 0));
	fds[0] = dup(g->vm);
	fds[1] = dup2(g->vm, 200);
	fds[2] = fcntl(g->vm, F_DUPFD_CLOEXEC, 100);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(0, gh_start(fds[i]));
		EXPECT_EQ(-EBUSY, gh_set_dtb(fds[i], GH_GUEST_BASE, 0x1000));
	}
	guest_close(g);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_FALSE(can_read(g->image.addr));
		EXPECT_STREQ("running", fdinfo(fds[i], "state"));
		close(fds[i]);
	}
	EXPECT_TRUE(can_read(g->image.addr));
}

struct call {
	int vm;
	int result;
	pid_t tid;
};

static void *start_thread(void *arg)
{
	struct call *call = arg;

	call->result = gh_start(call->vm);
	return NULL;
}

/* close() while START is under way in another thread: that one ends as it would have */
GUNYAH_TEST(closed_in_start)
{
	struct guest *g = &self->guest;
	uint64_t end = now_ms() + EVENT_MS;
	struct call call = { .result = 1 };
	pthread_t thread;

	SKIP_WITHOUT_CONTROL();
	ASSERT_EQ(0, guest_alloc(g, "spin", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	/* Held until rules are cleared */
	ASSERT_TRUE(fault_add(RM_VM_INIT, GH_LAB_FAULT_DELAY, EVENT_MS, 0, 1));
	call.vm = g->vm;
	ASSERT_EQ(0, pthread_create(&thread, NULL, start_thread, &call));
	while (!ctl_read(GH_LAB_CTL_FAULT_HITS) && now_ms() < end)
		sleep_ms(1);
	guest_close(g);
	EXPECT_EQ(-EBADF, gh_start(call.vm));
	fault_clear();
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, call.result);
	/* The thread's was the last reference: it is all back when it has returned */
	EXPECT_ALL_BACK(&self->before, "after the start");
	EXPECT_TRUE(can_read(g->image.addr));
}

static void *poll_thread(void *arg)
{
	struct call *call = arg;
	struct pollfd fd = { .fd = call->vm };

	__atomic_store_n(&call->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	call->result = poll(&fd, 1, EVENT_MS) == 1 ? fd.revents : -1;
	return NULL;
}

/* close() while another thread waits for the end by poll(), which holds the file */
GUNYAH_TEST(closed_in_poll)
{
	struct guest *g = &self->guest;
	struct call call = { .result = 0 };
	pthread_t thread;
	pid_t tid;

	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	call.vm = g->vm;
	ASSERT_EQ(0, pthread_create(&thread, NULL, poll_thread, &call));
	while (!(tid = __atomic_load_n(&call.tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	EXPECT_TRUE(asleep_in(tid, SYS_ppoll));
	guest_close(g);
	g->page->stop = 1;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	/* Woken by the guest's end, poll() looks for what is behind the descriptor */
	EXPECT_EQ(POLLNVAL, call.result);
}

/* The ioctls belong to a kind of file */
GUNYAH_TEST(wrong_kind)
{
	static const unsigned int vm_ioctls[] = {
		GH_VM_SET_USER_MEM_REGION, GH_VM_SET_DTB_CONFIG, GH_VM_START, GH_VM_GET_EXIT_INFO,
	};
	uint8_t arg[64] = { };
	int fds[6], vm, ends[2];
	size_t i, j;
	char path[64];

	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);
	ASSERT_EQ(0, pipe(ends));
	fds[0] = ends[0];
	fds[1] = ends[1];
	fds[2] = memfd_create("wrong", 0);
	fds[3] = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[4] = open("/dev/null", O_RDWR);
	fds[5] = open("/", O_RDONLY | O_DIRECTORY);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(-1, ioctl(fds[i], GH_CREATE_VM, 0));
		EXPECT_EQ(ENOTTY, errno);
		for (j = 0; j < ARRAY_SIZE(vm_ioctls); j++) {
			EXPECT_EQ(-1, ioctl(fds[i], vm_ioctls[j], arg));
			EXPECT_EQ(ENOTTY, errno);
		}
		close(fds[i]);
	}
	for (j = 0; j < ARRAY_SIZE(vm_ioctls); j++) {
		EXPECT_EQ(-1, ioctl(self->dev, vm_ioctls[j], arg));
		EXPECT_EQ(ENOTTY, errno);
		EXPECT_EQ(-1, ioctl(fds[0], vm_ioctls[j], arg));
		EXPECT_EQ(EBADF, errno);
	}
	EXPECT_EQ(-1, ioctl(vm, GH_CREATE_VM, 0));
	EXPECT_EQ(ENOTTY, errno);

	/* A VM has no name by which it could be opened again, and paths do nothing */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", vm);
	EXPECT_EQ(-1, open(path, O_RDWR));
	EXPECT_EQ(ENXIO, errno);
	fds[0] = open(path, O_PATH);
	ASSERT_LE(0, fds[0]);
	EXPECT_EQ(-EBADF, gh_start(fds[0]));
	close(fds[0]);
	EXPECT_EQ(-1, ftruncate(vm, 0));
	EXPECT_EQ(-1, fsync(vm));
	EXPECT_EQ(-EINVAL, gh_start(vm));
	close(vm);
}

/* A descriptor that only reads the device is as good, as for all devices made of ioctls */
GUNYAH_TEST(read_only_device)
{
	int dev, vm;

	dev = open("/dev/gunyah", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, dev);
	vm = gh_create_vm(dev);
	EXPECT_LE(0, vm);
	close(vm);
	close(dev);
}

TEST_HARNESS_MAIN

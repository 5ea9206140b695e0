// SPDX-License-Identifier: GPL-2.0-only
/* poll() and GH_VM_GET_EXIT_INFO over the life of a VM */
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "gunyah_test.h"

GUNYAH_TEST(states)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info, again;

	ASSERT_EQ(0, guest_alloc(g, "count", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	EXPECT_EQ(0, vm_events(g->vm));
	EXPECT_EQ(-EAGAIN, gh_exit_info(g->vm, &info));

	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(0, vm_events(g->vm));
	EXPECT_EQ(-EAGAIN, gh_exit_info(g->vm, &info));

	g->page->stop = 1;
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_EQ(POLLHUP, vm_events(g->vm));
	EXPECT_EQ(POLLHUP, vm_events(g->vm));
	EXPECT_EQ(-1, ioctl(g->vm, GH_VM_GET_EXIT_INFO, NULL));
	EXPECT_EQ(EFAULT, errno);
	memset(&info, 0xff, sizeof(info));
	memset(&again, 0, sizeof(again));
	EXPECT_EQ(0, gh_exit_info(g->vm, &info));
	EXPECT_EQ(0, gh_exit_info(g->vm, &again));
	EXPECT_EQ(0, memcmp(&info, &again, sizeof(info)));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

/* A waiter that sleeps is woken */
GUNYAH_TEST(wakes)
{
	struct guest *g = &self->guest;
	struct pollfd fd;
	int status;
	pid_t pid;

	ASSERT_EQ(0, guest_run(g, self->dev, "count", 0));
	fd = (struct pollfd){ .fd = g->vm };
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(poll(&fd, 1, EVENT_MS) == 1 && fd.revents == POLLHUP ? 0 : 1);

	EXPECT_TRUE(asleep_in(pid, SYS_ppoll));
	g->page->stop = 1;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

GUNYAH_TEST(epoll)
{
	struct guest *g = &self->guest;
	struct epoll_event event = { .events = EPOLLET };
	int ep;

	ASSERT_EQ(0, guest_alloc(g, "hello", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, g->vm, &event));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, EVENT_MS));
	EXPECT_EQ((uint32_t)EPOLLHUP, event.events);
	close(ep);
}

/* Two VMs: the events of each are its own */
GUNYAH_TEST(two)
{
	struct guest *a = &self->guest, *b = &self->other;
	struct pollfd fds[2];

	ASSERT_EQ(0, guest_run(a, self->dev, "count", 0));
	ASSERT_EQ(0, guest_run(b, self->dev, "count", 0));
	fds[0] = (struct pollfd){ .fd = a->vm };
	fds[1] = (struct pollfd){ .fd = b->vm };
	EXPECT_EQ(0, poll(fds, 2, 0));
	b->page->stop = 1;
	EXPECT_EQ(1, poll(fds, 2, EVENT_MS));
	EXPECT_EQ(0, fds[0].revents);
	EXPECT_EQ(POLLHUP, fds[1].revents);
	a->page->stop = 1;
	EXPECT_EQ(0, guest_wait(a));
}

TEST_HARNESS_MAIN

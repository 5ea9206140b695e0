// SPDX-License-Identifier: GPL-2.0-only
/*
 * Before and after another kernel is started by kexec, or the machine is turned off,
 * while guests run:
 *
 *   kexec_test leave    leaves a process behind that has two guests, one of whose vCPU
 *                       is a thread's
 *   kexec_test find     what did the kernel before leave? Uses all memory, runs a guest
 *   kexec_test lose     as leave, but the resource manager will not give the memory back
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gunyah_lib.h"
#include "../kselftest.h"

/* In the process that stays */
static int have_guests(int gunyah, bool lose)
{
	static struct guest a, b;
	static struct vcpu_thread thread;
	int err;

	err = guest_run(&a, gunyah, "count", 0) ?: guest_run_vcpus(&b, gunyah, "count", 1) ?:
	      vcpu_thread_start(&thread, &b.vcpu[0], vcpu_run_to_end) ?:
	      guest_wait_count(&a, 2) ?: guest_wait_count(&b, 2);
	if (!err && lose && !fault_add(RM_MEM_RECLAIM, GH_LAB_FAULT_REFUSE, 1, 0, FAULT_ALWAYS))
		err = -EIO;
	return err;
}

static void leave(int gunyah, bool lose)
{
	int ends[2], err = -EIO;
	pid_t pid;

	if (pipe(ends))
		ksft_exit_fail_msg("no pipe\n");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		ksft_exit_fail_msg("no process\n");
	if (!pid) {
		/* Of a session of its own, and with nobody's pipe */
		setsid();
		close(0);
		close(1);
		close(2);
		err = have_guests(gunyah, lose);
		if (write(ends[1], &err, sizeof(err)) != sizeof(err) || err)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(ends[0], &err, sizeof(err)) != sizeof(err))
		err = -EPIPE;
	if (err)
		ksft_print_msg("%s\n", strerror(-err));
	ksft_test_result(!err, "two guests run\n");
	if (ctl_present())
		ksft_test_result(ctl_read(GH_LAB_CTL_LENT_PAGES), "they have memory\n");
	else
		ksft_test_result_skip("they have memory\n");
}

/* The number of pages of what the host has that it could not write to and read again */
static long wrong_pages(void)
{
	long free_kb = read_value("/proc/meminfo", "MemAvailable"), wrong = 0;
	size_t size = free_kb / 10 * 9 * 1024 & ~(page_size() - 1), i;
	volatile uint64_t *word;
	uint8_t *memory;

	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (free_kb <= 0 || memory == MAP_FAILED)
		return -1;
	for (i = 0; i < size; i += page_size()) {
		word = (uint64_t *)(memory + i);
		*word = i;
	}
	for (i = 0; i < size; i += page_size())
		wrong += *(uint64_t *)(memory + i) != i;
	ksft_print_msg("%zu MiB\n", size >> 20);
	munmap(memory, size);
	return wrong;
}

static void find(int gunyah)
{
	struct gh_vm_exit_info info = { };
	struct guest g;
	int err;

	if (ctl_present()) {
		ksft_print_msg("lent %u parcels %u VMIDs %u guests %u faults %u\n",
			       ctl_read(GH_LAB_CTL_LENT_PAGES), ctl_read(GH_LAB_CTL_PARCELS),
			       ctl_read(GH_LAB_CTL_VMIDS), ctl_read(GH_LAB_CTL_GUESTS),
			       ctl_read(GH_LAB_CTL_HOST_FAULTS));
		ksft_test_result(!ctl_read(GH_LAB_CTL_LENT_PAGES) && !ctl_read(GH_LAB_CTL_PARCELS),
				 "no memory is lent\n");
		ksft_test_result(!ctl_read(GH_LAB_CTL_VMIDS) && !ctl_read(GH_LAB_CTL_GUESTS),
				 "there are no VMs\n");
	} else {
		ksft_test_result_skip("no memory is lent\n");
		ksft_test_result_skip("there are no VMs\n");
	}
	ksft_test_result(!wrong_pages(), "all memory can be used\n");
	err = guest_cycle(&g, gunyah, "hello", &info);
	ksft_test_result(!err && info.type == GH_VM_EXIT_TYPE_PSCI_POWER_OFF, "a guest runs\n");
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	bool is_find = !strcmp(what, "find");
	int gunyah;

	ksft_print_header();
	if (!is_find && strcmp(what, "leave") && strcmp(what, "lose"))
		ksft_exit_skip("usage: kexec_test leave|find|lose\n");
	gunyah = gh_open();
	if (gunyah == -ENOENT)
		ksft_exit_skip("no /dev/gunyah\n");
	if (gunyah < 0)
		ksft_exit_fail_msg("/dev/gunyah: %s\n", strerror(-gunyah));

	ksft_set_plan(is_find ? 4 : 2);
	if (is_find)
		find(gunyah);
	else
		leave(gunyah, !strcmp(what, "lose"));
	ksft_finished();
}

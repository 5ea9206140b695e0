// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many vCPUs that interrupt and wake each other, more of them than the host has CPUs:
 * no interrupt and no wakeup may get lost, or one vCPU gets stuck.
 *
 *   smp_test [-n VCPUS] [-t SECONDS]
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gunyah_lib.h"
#include "../kselftest.h"
#include "guest/ipi_page.h"

/* Under emulation a vCPU may have to wait for a turn behind all others. */
#define STUCK_MS	30000
#define LOOK_MS		100

static const volatile struct ipi_page *ipi_page(const struct guest *g)
{
	return (const volatile struct ipi_page *)g->page;
}

/* Whatever it is, it is over: 0, or what is wrong with a vCPU */
static uint64_t guest_error(const struct guest *g)
{
	unsigned int i;

	for (i = 0; i < g->n_vcpus; i++) {
		if (ipi_page(g)->cpu[i].error)
			return (uint64_t)i << 32 | ipi_page(g)->cpu[i].error;
	}
	return 0;
}

/* Looks on until the time is over. The number of a vCPU that is stuck, or -1 */
static int watch(const struct guest *g, uint64_t ms)
{
	uint64_t end = now_ms() + ms, now, seen[IPI_MAX_CPUS] = { 0 }, since[IPI_MAX_CPUS];
	unsigned int i;

	for (i = 0; i < g->n_vcpus; i++)
		since[i] = now_ms();
	do {
		sleep_ms(LOOK_MS);
		now = now_ms();
		for (i = 0; i < g->n_vcpus; i++) {
			if (seen[i] != ipi_page(g)->cpu[i].rounds) {
				seen[i] = ipi_page(g)->cpu[i].rounds;
				since[i] = now;
			} else if (now - since[i] > STUCK_MS) {
				return i;
			}
		}
	} while (now < end && !guest_error(g));
	return -1;
}

int main(int argc, char **argv)
{
	unsigned int vcpus = IPI_MAX_CPUS, seconds = 3, i;
	uint64_t rounds = 0, served = 0, timers = 0;
	struct vcpu_thread threads[IPI_MAX_CPUS];
	struct resources before;
	struct guest g = { 0 };
	int gunyah, opt, err, stuck;
	bool ended = true;
	const char *missing;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	while ((opt = getopt(argc, argv, "n:t:")) != -1) {
		if (opt == 'n')
			vcpus = strtoul(optarg, NULL, 0);
		else if (opt == 't')
			seconds = strtoul(optarg, NULL, 0);
		else
			ksft_exit_fail_msg("usage: smp_test [-n VCPUS] [-t SECONDS]\n");
	}
	if (vcpus < 1 || vcpus > IPI_MAX_CPUS)
		ksft_exit_fail_msg("1 to %u vCPUs\n", IPI_MAX_CPUS);
	gunyah = gh_open();
	if (gunyah == -ENOENT)
		ksft_exit_skip("no /dev/gunyah\n");
	if (gunyah < 0)
		ksft_exit_fail_msg("/dev/gunyah: %s\n", strerror(-gunyah));

	ksft_set_plan(4);
	resources_read(&before);
	err = guest_alloc_vcpus(&g, "ipi", vcpus, NULL, 0);
	if (!err) {
		((struct ipi_page *)g.page)->cpus = vcpus;
		err = guest_setup(&g, gunyah, 0);
	}
	if (err || ioctl(g.vm, GH_VM_START))
		ksft_exit_fail_msg("no guest: %s\n", strerror(err ? -err : errno));
	for (i = 0; i < vcpus; i++) {
		if (vcpu_thread_start(&threads[i], &g.vcpu[i], vcpu_run_to_end))
			ksft_exit_fail_msg("no thread for vCPU %u\n", i);
	}

	stuck = watch(&g, seconds * 1000ULL);
	for (i = 0; i < vcpus; i++) {
		const volatile struct ipi_cpu *cpu = &ipi_page(&g)->cpu[i];

		ksft_print_msg("vCPU %u: %llu answers, %llu requests, %llu timers\n", i,
			       (unsigned long long)cpu->rounds, (unsigned long long)cpu->served,
			       (unsigned long long)cpu->timers);
	}
	ksft_test_result(stuck < 0, "no vCPU is stuck for %u ms%s\n", STUCK_MS,
			 stuck < 0 ? "" : " but one");

	/* It ends by itself when each vCPU has got the answer that it waits for. */
	((volatile struct ipi_page *)g.page)->stop = 1;
	if (stuck >= 0 || guest_wait(&g)) {
		close(g.vm);
		g.has_vm = false;
	}
	for (i = 0; i < vcpus; i++)
		ended &= !vcpu_thread_join(&threads[i]) &&
			 vcpu_says_ended(&g.vcpu[i], GH_VM_EXIT_TYPE_PSCI_POWER_OFF);
	ksft_test_result(ended, "all vCPUs end when the guest does\n");

	for (i = 0; i < vcpus; i++) {
		rounds += ipi_page(&g)->cpu[i].rounds;
		served += ipi_page(&g)->cpu[i].served;
		timers += ipi_page(&g)->cpu[i].timers;
	}
	ksft_print_msg("%llu answers to %llu requests, %llu timers, error %#llx\n",
		       (unsigned long long)rounds, (unsigned long long)served,
		       (unsigned long long)timers, (unsigned long long)guest_error(&g));
	ksft_test_result(rounds && rounds == served && timers && !guest_error(&g),
			 "each request was answered once\n");

	guest_free(&g);
	missing = resources_missing(&before);
	ksft_test_result(!missing, "everything is back%s%s\n", missing ? ": " : "",
			 missing ? missing : "");
	ksft_finished();
}

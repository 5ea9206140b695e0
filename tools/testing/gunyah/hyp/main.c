// SPDX-License-Identifier: GPL-2.0-only
/*
 * Boot, the heap, time and the two ways out: power off and panic.
 *
 * CPU 0 arrives here from QEMU, builds everything, starts the hidden CPU, waits
 * until that is ready and becomes the host's first CPU. The others arrive when
 * the host asks for them (host.c). config is written before any of them starts
 * and only read from then on; the heap is used by CPU 0 alone and never freed.
 */
#include <stdarg.h>
#include "hyp.h"

struct hyp_config config;
u8 cpu_stacks[MAX_CPUS][STACK_SIZE] __aligned(16);

/* The end of the host's RAM, so that it still is whole huge pages */
#define HEAP_ALIGN	0x200000UL

extern u8 _end[];

static u64 heap_next, heap_end;

void *heap_alloc(u64 size)
{
	void *p = (void *)heap_next;

	if (size > heap_left())
		panic("%lu bytes of %lu left: the heap was miscounted", size, heap_left());
	heap_next += ALIGN_UP(size, PAGE_SIZE);
	return memset(p, 0, ALIGN_UP(size, PAGE_SIZE));
}

u64 heap_left(void)
{
	return heap_end - heap_next;
}

/*
 * What everybody wants depends on how much memory there is. A small machine has it in
 * HYP_RAM_SIZE, so that its host's RAM is all the rest; of a large one it is the end.
 */
static void heap_init(void)
{
	u64 need = host_s2_heap() + rm_heap() + tz_heap() + guest_s2_heap();

	heap_next = ALIGN_UP((u64)_end, PAGE_SIZE);
	heap_end = HOST_ENTRY;
	if (need <= heap_left())
		return;
	heap_end = config.ram_end;
	config.ram_end = (config.ram_end - need) & ~(HEAP_ALIGN - 1);
	heap_next = config.ram_end;
}

u64 now_ms(void)
{
	isb();
	return read_sysreg(cntpct_el0) / (read_sysreg(cntfrq_el0) / 1000);
}

/* CPU n's stack pointer and index are all that it needs to know. */
void cpu_on(u32 cpu)
{
	u64 x[4] = { 0xc4000003, cpu, (u64)secondary_entry, cpu };

	smc(x);
	if (x[0])
		panic("CPU %u does not start: %lx", cpu, x[0]);
}

void power_off(void)
{
	u64 x[4] = { 0x84000008 };

	smc(x);
	for (;;)
		wfi();
}

/*
 * Says why, on a line of its own, and turns the machine off. The host loses the
 * UART first, so that it cannot write into that line.
 */
void panic(const char *fmt, ...)
{
	static u32 panicking;
	va_list args;

	while (__atomic_exchange_n(&panicking, 1, __ATOMIC_ACQ_REL))
		wfi();
	host_s2_revoke_devices();
	print("\nhyp: PANIC: ");
	va_start(args, fmt);
	vprint(fmt, args);
	va_end(args);
	print("\n");
	power_off();
}

void bad_exception(u32 vector)
{
	panic("exception %u: ESR %lx ELR %lx FAR %lx", vector, read_sysreg(esr_el2),
	      read_sysreg(elr_el2), read_sysreg(far_el2));
}

void not_at_el2(void)
{
	print("\nhyp: PANIC: not entered at EL2, use -machine virt,virtualization=on\n");
	asm volatile("mov x0, %0\n\thvc #0" : : "r" (0x84000008UL) : "x0", "x1", "x2", "x3");
	for (;;)
		wfi();
}

/* A capability id as the public production build has them: random, never repeated */
static void choose_caps(void)
{
	u64 x[3], state = config.seed ? config.seed : read_sysreg(cntpct_el0);

	if (config.policy == RM_POLICY_DEBUG) {
		config.tx_cap = 0;
		config.rx_cap = 1;
		return;
	}
	for (u32 i = 0; i < ARRAY_SIZE(x); i++) {
		u64 z = state += 0x9e3779b97f4a7c15;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		x[i] = z ^ (z >> 31);
	}
	/* One random word is common to all; the differing one has 4 byte steps. */
	config.tx_cap = (x[0] << 32) | (x[1] & 0xfffffffc);
	config.rx_cap = (x[0] << 32) | (x[2] & 0xfffffffc);
	/* Those of guests are made of this one by changing its low bits (caps.c). */
	if ((config.rx_cap ^ config.tx_cap) < CAP_SPAN)
		config.rx_cap ^= CAP_SPAN;
}

void primary_main(void *fdt)
{
	hostfdt_read(fdt);
	for (u64 gib = (HYP_RAM_BASE >> 30) + 1; gib << 30 < config.ram_end; gib++)
		hyp_pgd[gib] = (gib << 30) | HYP_PGD_NORMAL;
	dsb(ishst);
	heap_init();
	choose_caps();
	gic_init();
	host_s2_init();
	rm_init();
	tz_init();
	guest_s2_pool_init();
	hostfdt_finish(fdt);
	print("hyp: Gunyah test hypervisor, %s policy: %u CPUs, %lu MiB, queues %lx %lx\n",
	      config.policy == RM_POLICY_DEBUG ? "debug" : "production",
	      config.cpus - 1, (config.ram_end - HOST_ENTRY) >> 20,
	      config.tx_cap, config.rx_cap);
	cpu_on(config.cpus - 1);
	rm_wait_ready();
	host_enter(HOST_ENTRY, (u64)fdt);
}

void secondary_main(u32 cpu)
{
	if (cpu == config.cpus - 1)
		hidden_main(cpu);
	host_cpu_main(cpu);
}

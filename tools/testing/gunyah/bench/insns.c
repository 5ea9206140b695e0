// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU's TCG (7.2 or later, system emulation of AArch64) that counts the
 * instructions a program has executed for it:
 *
 *	-icount shift=0,sleep=off -plugin file=insns.so,out=FILE[,profile=on]
 *
 * The program says what is to be counted by two instructions that do nothing on any CPU:
 * "hint #0x60" begins and "hint #0x61" ends. Neither is counted itself; pairs do not nest.
 * Each pair adds a line to FILE, a JSON object. Numbers start with 1:
 *
 *	{"pair": 1, "user": 8, "kernel": 1300, "hypervisor": 240, "others": 97}
 *
 * The first three are what vCPU 0 has executed, told apart by the address that the
 * instruction is at: "kernel" are those in the upper half, "hypervisor" those in the memory
 * that the test hypervisor keeps for itself, "user" all else. "others" is what all other
 * vCPUs have executed, wherever. With profile=on there is also
 *
 *	"blocks": {"0xffff800080012340": 56, ...}
 *
 * with vCPU 0's instructions per translation block, by the address it starts at. A block
 * ends with a branch at the latest, so it is part of one function.
 *
 * Instead of the counts there is "error" if the pair has no begin or no end.
 *
 * What is exact: every instruction counts when it starts, one by one, and so once for every
 * time that it starts. It does not matter where a block ends: what is behind an exception,
 * before or behind a marker in the same block, or behind the last instruction that an
 * icount budget has left, does not count. What is counted is the CPU and not a process: an
 * interrupt or another process that runs meanwhile counts. With -icount and nothing else
 * that varies it is the same in every run.
 *
 * What is not: an instruction that faults and is repeated counts each time. Exception levels
 * are guessed from addresses: a program that has mapped something where the hypervisor
 * happens to be, with the MMU off the kernel, and a guest that vCPU 0 runs during a
 * hypercall are taken for something else.
 *
 * All vCPUs share one counter, so they may only run by turns in one thread, as they do with
 * -icount. If they do not, QEMU is ended.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../hyp/layout.h"
#include "qemu_plugin.h"

#define INSN_BEGIN	0xd5032c1f	/* hint #0x60 */
#define INSN_END	0xd5032c3f	/* hint #0x61 */

#define KERNEL_START	0xffff000000000000

#define TABLE_BITS	16

enum level {
	USER,
	KERNEL,
	HYPERVISOR,
	OTHERS,
	LEVELS,
};

/* A translation block, or without a profile all those of a level; never freed. */
struct block {
	struct block *next;
	uint64_t start;
	uint64_t count;
	enum level level;
};

int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static FILE *out;
static bool profile;
static struct block *table[1 << TABLE_BITS];

/* What has been executed since the start, and how much of it has been accounted */
static uint64_t executed, accounted;
/* What executes now. At first it is nothing, and that has executed nothing. */
static struct block *current, all[OTHERS] = {
	[USER].level = USER,
	[KERNEL].level = KERNEL,
	[HYPERVISOR].level = HYPERVISOR,
};

static unsigned int current_vcpu;
static pthread_t current_thread;

/* Of the pair that is open, if one is */
static bool open_pair;
static unsigned int pair;
static uint64_t counts[LEVELS];

static enum level level_of(uint64_t addr)
{
	if (addr >= KERNEL_START)
		return KERNEL;
	if (addr >= HYP_RAM_BASE && addr < HYP_RAM_BASE + HYP_RAM_SIZE)
		return HYPERVISOR;
	return USER;
}

static struct block *block_at(uint64_t start)
{
	struct block **chain, *block;

	if (!profile)
		return &all[level_of(start)];
	chain = &table[(start >> 2 ^ start >> (2 + TABLE_BITS)) & ((1 << TABLE_BITS) - 1)];
	for (block = *chain; block; block = block->next) {
		if (block->start == start)
			return block;
	}
	block = calloc(1, sizeof(*block));
	if (!block)
		abort();
	block->start = start;
	block->level = level_of(start);
	block->next = *chain;
	*chain = block;
	return block;
}

/* To whom belongs what was executed since the last call? */
static void account(void)
{
	uint64_t n = executed - accounted;

	accounted = executed;
	if (!open_pair)
		return;
	if (current_vcpu) {
		counts[OTHERS] += n;
	} else if (current) {
		counts[current->level] += n;
		current->count += n;
	}
}

/* Before the first instruction of a block */
static void enter_block(unsigned int vcpu, void *data)
{
	account();
	current = data;
	if (vcpu == current_vcpu)
		return;
	current_vcpu = vcpu;
	if (current_thread && !pthread_equal(current_thread, pthread_self())) {
		fputs("insns: vCPUs may not run at the same time; use -icount\n", stderr);
		_Exit(1);
	}
	current_thread = pthread_self();
}

static void print_blocks(void)
{
	const char *separator = "";
	struct block *block;
	size_t i;

	fputs(", \"blocks\": {", out);
	for (i = 0; i < 1 << TABLE_BITS; i++) {
		for (block = table[i]; block; block = block->next) {
			if (!block->count)
				continue;
			fprintf(out, "%s\"0x%" PRIx64 "\": %" PRIu64, separator, block->start,
				block->count);
			separator = ", ";
			block->count = 0;
		}
	}
	fputc('}', out);
}

static void print_error(const char *what)
{
	fprintf(out, "{\"pair\": %u, \"error\": \"%s\"}\n", pair, what);
	fflush(out);
}

static void begin(unsigned int vcpu, void *data)
{
	size_t i;

	(void)vcpu;
	(void)data;
	account();
	if (open_pair)
		print_error("no end");
	open_pair = true;
	pair++;
	memset(counts, 0, sizeof(counts));
	/* What a pair without an end has left */
	for (i = 0; i < 1 << TABLE_BITS; i++) {
		struct block *block;

		for (block = table[i]; block; block = block->next)
			block->count = 0;
	}
}

static void end(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	account();
	if (!open_pair) {
		pair++;
		print_error("no begin");
		return;
	}
	open_pair = false;
	fprintf(out, "{\"pair\": %u, \"user\": %" PRIu64 ", \"kernel\": %" PRIu64
		", \"hypervisor\": %" PRIu64 ", \"others\": %" PRIu64, pair, counts[USER],
		counts[KERNEL], counts[HYPERVISOR], counts[OTHERS]);
	if (profile)
		print_blocks();
	fputs("}\n", out);
	fflush(out);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, enter_block, QEMU_PLUGIN_CB_NO_REGS,
					     block_at(qemu_plugin_tb_vaddr(tb)));
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t code = 0;

		/* Those of 32-bit programs may be shorter */
		if (qemu_plugin_insn_size(insn) == sizeof(code))
			memcpy(&code, qemu_plugin_insn_data(insn), sizeof(code));
		if (code == INSN_BEGIN)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, begin,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		else if (code == INSN_END)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, end,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		else
			qemu_plugin_register_vcpu_insn_exec_inline(insn,
								   QEMU_PLUGIN_INLINE_ADD_U64,
								   &executed, 1);
	}
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	const char *path = NULL;
	int i;

	if (!info->system_emulation || strcmp(info->target_name, "aarch64")) {
		fputs("insns: only for qemu-system-aarch64\n", stderr);
		return -1;
	}
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			path = argv[i] + 4;
		} else if (!strcmp(argv[i], "profile=on")) {
			profile = true;
		} else {
			fprintf(stderr, "insns: what is %s?\n", argv[i]);
			return -1;
		}
	}
	if (!path) {
		fputs("insns: out=FILE is missing\n", stderr);
		return -1;
	}
	out = fopen(path, "w");
	if (!out) {
		perror(path);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devicetree of the test hypervisor's host, made on the PC for dt-validate:
 *
 *	host_dtb QEMU_DTB DTB [binding]
 *
 * hyp/hostfdt.c (HOSTFDT) edits what QEMU has for the machine, with no hypervisor around
 * it. With "binding" the node is the plain form, as hyp.node=binding makes it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../hyp/hyp.h"

/* Instructions of another CPU, for caches that are not there */
#define cache_clean_inval(addr, size)	((void)(addr), (void)(size))
#include HOSTFDT

#define ROOM	0x400000

struct hyp_config config;

void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void format(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf, size, fmt, args);
	va_end(args);
}

int main(int argc, char **argv)
{
	/* Where it is in the machine, which is looked at */
	void *fdt = mmap((void *)(HOST_ENTRY + 0x1000000UL), ROOM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	FILE *file;
	size_t len;

	if (argc < 3 || fdt == MAP_FAILED)
		panic("usage: host_dtb QEMU_DTB DTB [binding]");
	file = fopen(argv[1], "rb");
	if (!file || !fread(fdt, 1, ROOM, file))
		panic("%s cannot be read", argv[1]);
	fclose(file);

	hostfdt_read(fdt);
	config.plain_node = argc > 3;
	config.tx_cap = 0x161582f83ab10ffc;
	config.rx_cap = 0x161582f83ab107d8;
	hostfdt_finish(fdt);

	/* Big endian: the second word is the size of all */
	len = __builtin_bswap32(((u32 *)fdt)[1]);
	file = fopen(argv[2], "wb");
	if (!file || fwrite(fdt, 1, len, file) != len || fclose(file))
		panic("%s cannot be written", argv[2]);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest payload can use. Payloads are flat and position independent, and
 * run at EL1 with the MMU off: all accesses must be aligned.
 */
#ifndef _GUNYAH_GUEST_H
#define _GUNYAH_GUEST_H

#include <stdint.h>

#include "gh_console.h"
#include "test_page.h"

#define PSCI_VERSION		0x84000000
#define PSCI_SYSTEM_OFF		0x84000008
#define PSCI_SYSTEM_RESET	0x84000009
#define PSCI_SYSTEM_RESET2	0xc4000012
#define GH_VENDOR_UID		0x8600ff01
#define GH_HYP_IDENTIFY		0xc6008000

/* Neither memory nor a device of the guest is here */
#define UNMAPPED		0x60000000UL

/* The payload. The guest is switched off if it returns. */
void guest_main(uint64_t dtb);

/*
 * The host's view of memory is cached and the guest's is not. This makes them
 * one: before a read of what the host wrote, and after a write.
 */
static inline void sync_line(const volatile void *p)
{
	asm volatile("dmb sy\n\tdc civac, %0\n\tdsb sy" : : "r" (p) : "memory");
}

static inline uint64_t read_word(const volatile uint64_t *p)
{
	sync_line(p);
	return *p;
}

static inline void write_word(volatile uint64_t *p, uint64_t value)
{
	*p = value;
	sync_line(p);
}

/*
 * Accesses that somebody emulates, who is told of one register and nothing else: no
 * pairs, and no address that changes with the access.
 */
static inline uint64_t mmio_read(uint64_t addr, unsigned int size)
{
	uint64_t value;

	switch (size) {
	case 1:
		asm volatile("ldrb %w0, [%1]" : "=r" (value) : "r" (addr) : "memory");
		break;
	case 2:
		asm volatile("ldrh %w0, [%1]" : "=r" (value) : "r" (addr) : "memory");
		break;
	case 4:
		asm volatile("ldr %w0, [%1]" : "=r" (value) : "r" (addr) : "memory");
		break;
	default:
		asm volatile("ldr %0, [%1]" : "=r" (value) : "r" (addr) : "memory");
	}
	return value;
}

static inline void mmio_write(uint64_t addr, unsigned int size, uint64_t value)
{
	switch (size) {
	case 1:
		asm volatile("strb %w0, [%1]" : : "r" (value), "r" (addr) : "memory");
		break;
	case 2:
		asm volatile("strh %w0, [%1]" : : "r" (value), "r" (addr) : "memory");
		break;
	case 4:
		asm volatile("str %w0, [%1]" : : "r" (value), "r" (addr) : "memory");
		break;
	default:
		asm volatile("str %0, [%1]" : : "r" (value), "r" (addr) : "memory");
	}
}

static inline uint64_t read_counter(void)
{
	uint64_t ticks;

	asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r" (ticks) : : "memory");
	return ticks;
}

static inline struct test_page *test_page(void)
{
	return (struct test_page *)TEST_PAGE_BASE;
}

struct call {
	uint64_t x[4];
};

/* An SMCCC call; c->x is both arguments and results */
static inline void hvc(struct call *c)
{
	register uint64_t x0 asm("x0") = c->x[0];
	register uint64_t x1 asm("x1") = c->x[1];
	register uint64_t x2 asm("x2") = c->x[2];
	register uint64_t x3 asm("x3") = c->x[3];

	asm volatile("hvc #0"
		     : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3)
		     : : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
			 "x15", "x16", "x17", "memory");
	c->x[0] = x0;
	c->x[1] = x1;
	c->x[2] = x2;
	c->x[3] = x3;
}

static inline uint64_t psci(uint64_t function, uint64_t arg1, uint64_t arg2)
{
	struct call c = { { function, arg1, arg2 } };

	hvc(&c);
	return c.x[0];
}

/* hyp_identify by its own immediate. Returns the API information. */
static inline uint64_t hyp_identify(void)
{
	register uint64_t x0 asm("x0") = 0;

	asm volatile("hvc #0x6000"
		     : "+r" (x0)
		     : : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
			 "x13", "x14", "x15", "x16", "x17", "memory");
	return x0;
}

/* Text for the console. Dropped if there is no console. */
void print(const char *s);
void print_dec(uint64_t value);
void print_hex(uint64_t value);

#endif /* _GUNYAH_GUEST_H */

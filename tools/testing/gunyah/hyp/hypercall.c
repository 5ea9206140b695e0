// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls in Gunyah's two encodings: HVC #(0x6000 + n) with arguments from
 * x0, and SMCCC vendor hypervisor calls with HVC #0 and arguments from x1.
 * Those that the driver and its guests use are here, the rest is unimplemented.
 *
 * No data: counters and queues are msgq.c's.
 */
#include "guest.h"

#define HVC_BASE		0x6000
#define HVC_COUNT		0x2000
/* SMC64 fast call, vendor hypervisor; bits 15:14 are the class */
#define SMCCC_HYPERCALL		0xc6008000U
#define SMCCC_HYPERCALL_MASK	0xffffc000U
#define SMCCC_UID		0x8600ff01U
#define SMCCC_REVISION		0x8600ff03U

#define CALL_IDENTIFY		0x00
#define CALL_MSGQ_SEND		0x1b
#define CALL_MSGQ_RECEIVE	0x1c
#define CALL_VCPU_RUN		0x65

/* API version 1, 64 bit, variant Qualcomm */
#define API_INFO		0x5100000000008001UL
/* All of the API but the watchdog; scheduler FPRR: the public build's answer */
#define API_FLAGS0		0x10000effUL
#define UNIMPLEMENTED		-1L

static void identify(u64 x[31])
{
	x[0] = API_INFO;
	x[1] = API_FLAGS0;
	x[2] = 0;
	x[3] = 0;
}

/* @arg is a part of @x */
static void run_vcpu(u64 x[31], const u64 *arg)
{
	struct vcpu_result r;

	x[0] = vcpu_run(arg[0], arg[1], arg[4], &r);
	x[1] = r.state;
	x[2] = r.data[0];
	x[3] = r.data[1];
	x[4] = r.data[2];
}

/* A guest has neither queues nor vCPUs of its own in this hypervisor. */
static void call(u64 x[31], u32 n, const u64 *arg, bool host)
{
	u64 a, b = 0;

	if (n == CALL_IDENTIFY) {
		identify(x);
	} else if (n == CALL_MSGQ_SEND && host) {
		x[0] = msgq_host_send(arg[0], arg[1], arg[2], &a);
		x[1] = a;
	} else if (n == CALL_MSGQ_RECEIVE && host) {
		x[0] = msgq_host_receive(arg[0], arg[1], arg[2], &a, &b);
		x[1] = a;
		x[2] = b;
	} else if (n == CALL_VCPU_RUN && host) {
		run_vcpu(x, arg);
	} else {
		x[0] = UNIMPLEMENTED;
	}
}

/* Returns false if it is not one of Gunyah's, which then is up to the caller. */
bool hypercall(u64 x[31], u32 imm, bool host)
{
	u32 fn = x[0];

	if (imm >= HVC_BASE && imm < HVC_BASE + HVC_COUNT) {
		call(x, imm - HVC_BASE, x, host);
		return true;
	}
	if (imm)
		return false;
	if ((fn & SMCCC_HYPERCALL_MASK) == SMCCC_HYPERCALL) {
		call(x, fn & ~SMCCC_HYPERCALL_MASK, x + 1, host);
		return true;
	}
	if (fn == SMCCC_UID) {
		x[0] = 0xcd8fd5c1;
		x[1] = 0xdb5f53a4;
		x[2] = 0x36ce6592;
		x[3] = 0x145f3d67;
		return true;
	}
	if (fn == SMCCC_REVISION) {
		x[0] = API_INFO;
		return true;
	}
	return false;
}

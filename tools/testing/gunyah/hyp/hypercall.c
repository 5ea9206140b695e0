// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls in Gunyah's two encodings: HVC #(0x6000 + n) with arguments from
 * x0, and SMCCC vendor hypervisor calls with HVC #0 and arguments from x1.
 * Those that the driver and its guests use are here, the rest is unimplemented.
 *
 * No data: queues are msgq.c's, counters script.c's.
 */
#include "guest.h"

#define HVC_BASE		0x6000
#define HVC_COUNT		0x2000
/* SMC64 fast call, vendor hypervisor; bits 15:14 are the class */
#define SMCCC_HYPERCALL		0xc6008000U
#define SMCCC_HYPERCALL_MASK	0xffffc000U
#define SMCCC_UID		0x8600ff01U
#define SMCCC_REVISION		0x8600ff03U
#define SMCCC_QCOM_UID		0x86003f01U	/* Qualcomm's extensions */

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

/* @arg is a part of @x, here and below */
static void run_vcpu(u64 x[31], const u64 *arg)
{
	u64 cap = arg[0], error;
	struct vcpu_result r;

	count(COUNT_VCPU_RUN, 1);
	if (!script_vcpu_run(cap, &error, &r)) {
		error = vcpu_run(cap, arg[1], arg[4], &r);
		if (!error)
			cap_set_last(cap, r.state);
		if (!error && r.state == RUN_READY)
			count(COUNT_VCPU_READY, 1);
	}
	x[0] = error;
	x[1] = r.state;
	x[2] = r.data[0];
	x[3] = r.data[1];
	x[4] = r.data[2];
}

/* Returns true if it was one of these. That reserved arguments are checked is assumed. */
static bool bell_call(u64 x[31], u32 n, const u64 *arg, u16 vmid)
{
	bool host = vmid == RM_HOST_VMID;
	u64 error, old = 0;

	if (n == CALL_BELL_SEND) {
		if (host)
			count(COUNT_BELL_SEND, 1);
		if (arg[2])
			error = ERROR_ARGUMENT_INVALID;
		else if (!host || !script_bell(n, arg[0], &error))
			error = bell_send(vmid, arg[0], arg[1], &old);
		x[1] = old;
	} else if (n == CALL_BELL_RECEIVE) {
		error = arg[2] ? ERROR_ARGUMENT_INVALID :
				 bell_receive(vmid, arg[0], arg[1], &old);
		x[1] = old;
	} else if (n == CALL_BELL_RESET) {
		error = arg[1] ? ERROR_ARGUMENT_INVALID : bell_reset(vmid, arg[0]);
	} else if (n == CALL_BELL_SET_MASK) {
		if (host)
			count(COUNT_BELL_SET_MASK, 1);
		if (arg[3])
			error = ERROR_ARGUMENT_INVALID;
		else if (!host || !script_bell(n, arg[0], &error))
			error = bell_set_mask(vmid, arg[0], arg[1], arg[2]);
	} else {
		return false;
	}
	x[0] = error;
	return true;
}

/* A guest has neither queues nor vCPUs of its own in this hypervisor. */
static void call(u64 x[31], u32 n, const u64 *arg, u16 vmid)
{
	bool host = vmid == RM_HOST_VMID;
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
	} else if (!bell_call(x, n, arg, vmid)) {
		x[0] = UNIMPLEMENTED;
	}
}

/* Returns false if it is not one of Gunyah's, which then is up to the caller. */
bool hypercall(u64 x[31], u32 imm, u16 vmid)
{
	u32 fn = x[0];

	if (imm >= HVC_BASE && imm < HVC_BASE + HVC_COUNT) {
		call(x, imm - HVC_BASE, x, vmid);
		return true;
	}
	if (imm)
		return false;
	if ((fn & SMCCC_HYPERCALL_MASK) == SMCCC_HYPERCALL) {
		call(x, fn & ~SMCCC_HYPERCALL_MASK, x + 1, vmid);
		return true;
	}
	if (fn == SMCCC_UID) {
		x[0] = 0xcd8fd5c1;
		x[1] = 0xdb5f53a4;
		x[2] = 0x36ce6592;
		x[3] = 0x145f3d67;
		return true;
	}
	if (fn == SMCCC_QCOM_UID && config.qcom) {
		x[0] = 0xbd54bd19;
		x[1] = 0x1b57370b;
		x[2] = 0x9b606f94;
		x[3] = 0xe69d5354;
		return true;
	}
	if (fn == SMCCC_REVISION) {
		x[0] = API_INFO;
		return true;
	}
	return false;
}

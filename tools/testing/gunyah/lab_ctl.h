/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test hypervisor's control page: one page of 32-bit registers at a fixed
 * physical address of the host, which a test maps through /dev/mem.
 *
 * Nothing but tests may use it, and no test may depend on it without skipping
 * where it is absent: another hypervisor does not have it. It is there if the
 * host's devicetree has a node that is compatible with GH_LAB_CTL_COMPATIBLE.
 */
#ifndef _GUNYAH_LAB_CTL_H
#define _GUNYAH_LAB_CTL_H

#define GH_LAB_CTL_COMPATIBLE	"gunyah-test,control"
/* A hole in the memory map of QEMU's virt machine */
#define GH_LAB_CTL_BASE		0x0b000000
#define GH_LAB_CTL_SIZE		0x1000

/* Read only */
#define GH_LAB_CTL_ID		0x000	/* GH_LAB_CTL_MAGIC */
#define GH_LAB_CTL_MAGIC	0x43544847
#define GH_LAB_CTL_VERSION	0x004	/* 1 */
#define GH_LAB_CTL_POLICY	0x008	/* 0 production, 1 debug */
#define GH_LAB_CTL_VMIDS	0x010	/* VMIDs allocated */
#define GH_LAB_CTL_PARCELS	0x014	/* parcels of the host */
#define GH_LAB_CTL_LENT_PAGES	0x018	/* 4 KiB pages that the host has no access to */
#define GH_LAB_CTL_GUESTS	0x01c	/* guests in state RUNNING */
#define GH_LAB_CTL_SENDS	0x020	/* msgqueue_send hypercalls of the host */
#define GH_LAB_CTL_RECVS	0x024	/* msgqueue_receive hypercalls of the host */
#define GH_LAB_CTL_HOST_FAULTS	0x028	/* host accesses to memory that it lent */
/* Hypercalls of the host, whatever became of them */
#define GH_LAB_CTL_VCPU_RUNS	0x02c
#define GH_LAB_CTL_VCPU_READY	0x030	/* of these, that ended because of a host interrupt */
#define GH_LAB_CTL_BELL_SENDS	0x034
#define GH_LAB_CTL_BELL_SET_MASKS 0x038
/* Ticks of the system counter that were spent in hypercalls of the host, guests included */
#define GH_LAB_CTL_HVC_TICKS	0x03c
/* Messages of the resource manager's protocol, each of one packet or more */
#define GH_LAB_CTL_MSGS_IN	0x040	/* requests of the host */
#define GH_LAB_CTL_MSGS_OUT	0x044	/* replies and notifications to it */
/* TrustZone, as Qualcomm's platforms have it */
#define GH_LAB_CTL_TZ		0x048	/* 1 if it is there, which takes hyp.qcom=1 */
#define GH_LAB_CTL_TZ_ASSIGNS	0x04c	/* calls that assign memory, whatever became of them */
#define GH_LAB_CTL_TZ_AWAY	0x050	/* pages that are not the host's alone, with all rights */

/* In a register that selects: all */
#define GH_LAB_ANY		0xffffffff

/*
 * Fault scripting: write MSG to COUNT, then anything to COMMIT, which adds one
 * rule. The first rule that matches a message acts on it.
 */
#define GH_LAB_CTL_FAULT_MSG	0x100	/* message id the rule is for */
#define GH_LAB_CTL_FAULT_ACTION	0x104	/* GH_LAB_FAULT_* */
#define GH_LAB_CTL_FAULT_ARG	0x108	/* depends on the action */
#define GH_LAB_CTL_FAULT_SKIP	0x10c	/* let so many matching messages pass first */
#define GH_LAB_CTL_FAULT_COUNT	0x110	/* act on so many, 0xffffffff: on all */
#define GH_LAB_CTL_FAULT_COMMIT	0x114	/* write only */
#define GH_LAB_CTL_FAULT_CLEAR	0x118	/* write only: remove all rules, let go what is held */
#define GH_LAB_CTL_FAULT_HITS	0x11c	/* read only: messages acted on since CLEAR */
#define GH_LAB_CTL_FAULT_ERROR	0x120	/* read only: 1 if the last COMMIT was refused */

/* Actions on a request and its reply; MSG is a request's id */
#define GH_LAB_FAULT_REFUSE	1	/* not carried out, reply is error ARG */
#define GH_LAB_FAULT_IGNORE	2	/* not carried out, no reply */
#define GH_LAB_FAULT_NO_REPLY	3	/* carried out, no reply */
#define GH_LAB_FAULT_DELAY	4	/* message is sent ARG milliseconds later */
#define GH_LAB_FAULT_DUPLICATE	5	/* message is sent twice */
#define GH_LAB_FAULT_TRUNCATE	6	/* only ARG bytes of the payload are sent */
#define GH_LAB_FAULT_BAD_SEQ	7	/* reply carries sequence number + ARG */
#define GH_LAB_FAULT_BAD_ID	8	/* reply carries message id ARG */
/* Actions on a notification, beside DELAY, DUPLICATE and TRUNCATE */
#define GH_LAB_FAULT_DROP	9	/* is not sent */
#define GH_LAB_FAULT_BAD_VMID	10	/* is for VMID ARG instead */
#define GH_LAB_FAULT_REORDER	11	/* is sent after the next message, whatever that is */
#define GH_LAB_FAULT_SET_BYTE	12	/* payload byte ARG[15:8] becomes ARG[7:0] */

/*
 * Results of hypercalls of the host: write NUMBER to DATA, then anything to COMMIT, which
 * adds one rule. The first rule that matches a call takes its place:
 *
 * The call returns ERROR or, if that is 0, STATE with DATA, and does nothing else. No
 * guest runs. If it would have brought the answer to a load, the load is not answered; it
 * is by the next call that no rule matches, with what that brings. Nor does a guest know
 * of an access to devices or of an end that a rule has made up. What STATE or DATA mean
 * is not looked at.
 *
 * Only calls with the capability of a vCPU (NUMBER 0x65) or of a doorbell match, those of
 * vCPUs also when they are off or asleep. A doorbell's call must get an ERROR, and has no
 * VCPU, AFTER, STATE and DATA.
 */
#define GH_LAB_CTL_CALL_NUMBER	0x140	/* 0x65 vcpu_run, 0x12 bell_send, 0x15 bell_set_mask */
#define GH_LAB_CTL_CALL_VCPU	0x144	/* number of the vCPU in its VM, or GH_LAB_ANY */
/*
 * State that the last call for this vCPU returned which no rule had matched, or
 * GH_LAB_ANY: 4 is for the calls that bring the answer to a load.
 */
#define GH_LAB_CTL_CALL_AFTER	0x148
#define GH_LAB_CALL_FIRST	0xfffffffe	/* there was none */
#define GH_LAB_CTL_CALL_SKIP	0x14c	/* let so many matching calls pass first */
#define GH_LAB_CTL_CALL_COUNT	0x150	/* act on so many, GH_LAB_ANY: on all; 0 is refused */
#define GH_LAB_CTL_CALL_ERROR	0x154	/* of 32 bits, with sign: -2 is RETRY */
#define GH_LAB_CTL_CALL_STATE	0x158
#define GH_LAB_CTL_CALL_DATA	0x15c	/* 3 times the low and the high half */
#define GH_LAB_CTL_CALL_COMMIT	0x174	/* write only */
#define GH_LAB_CTL_CALL_CLEAR	0x178	/* write only: remove all rules */
#define GH_LAB_CTL_CALL_HITS	0x17c	/* read only: calls replaced since CLEAR */
#define GH_LAB_CTL_CALL_REFUSED	0x180	/* read only: 1 if the last COMMIT was refused */

/*
 * Results of calls that assign memory: write DIRECTION to COUNT, then anything to COMMIT,
 * which adds one rule. The first rule that matches a call takes its place: nothing is
 * assigned. Calls that TrustZone cannot read do not match.
 */
#define GH_LAB_CTL_TZ_DIRECTION	0x1a0	/* or GH_LAB_ANY */
#define GH_LAB_TZ_AWAY		0	/* what has been the host's alone */
#define GH_LAB_TZ_BACK		1	/* to the host alone */
#define GH_LAB_CTL_TZ_CODE	0x1a4	/* of 32 bits, with sign, and not 0: -12 is "busy" */
#define GH_LAB_CTL_TZ_SKIP	0x1a8	/* let so many matching calls pass first */
#define GH_LAB_CTL_TZ_COUNT	0x1ac	/* act on so many, GH_LAB_ANY: on all; 0 is refused */
#define GH_LAB_CTL_TZ_COMMIT	0x1b0	/* write only */
#define GH_LAB_CTL_TZ_CLEAR	0x1b4	/* write only: remove all rules */
#define GH_LAB_CTL_TZ_HITS	0x1b8	/* read only: calls replaced since CLEAR */
#define GH_LAB_CTL_TZ_REFUSED	0x1bc	/* read only: 1 if the last COMMIT was refused */

/* Codes of TrustZone's own, beside those that are errors of the call as such */
#define GH_LAB_TZ_WRONG_SOURCE	0x11	/* who is said to have it is not who has it */
#define GH_LAB_TZ_UNKNOWN_VMID	0x12
#define GH_LAB_TZ_OVERLAP	0x13	/* two ranges of one call */
#define GH_LAB_TZ_IN_PARCEL	0x14	/* the resource manager has lent or shared it */

#endif /* _GUNYAH_LAB_CTL_H */

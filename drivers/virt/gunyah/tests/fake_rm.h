/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __GH_FAKE_RM_H
#define __GH_FAKE_RM_H

#include <linux/completion.h>
#include <linux/gunyah_rsc_mgr.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

/*
 * A resource manager at the seam of struct gh_rm_ops, for tests of the VM manager.
 *
 * It keeps the rules that the resource manager keeps. What would take that one
 * down, and what would let memory be used while others have it, fails the test. A
 * script says which call goes wrong, and how.
 */

struct kunit;

/* Every wait of a test is for an event. This is for the event that does not come. */
#define FAKE_RM_PATIENCE	(10 * HZ)

enum fake_rm_op {
	FAKE_RM_GET_VMID,
	FAKE_RM_ALLOC_VMID,
	FAKE_RM_LISTEN,
	FAKE_RM_LEND,
	FAKE_RM_SHARE,
	FAKE_RM_CONFIGURE,
	FAKE_RM_INIT,
	FAKE_RM_GET_RESOURCES,
	FAKE_RM_MAP_VIRQ,
	FAKE_RM_START,
	FAKE_RM_STOP,
	FAKE_RM_RESET,
	FAKE_RM_GET_STATE,
	FAKE_RM_RECLAIM,
	FAKE_RM_DEALLOC_VMID,
	FAKE_RM_NR_OPS,
};

/**
 * enum fake_rm_outcome - What becomes of a call
 * @FAKE_RM_OK: it is carried out, or refused as the rules say
 * @FAKE_RM_REFUSED: refused, and nothing has changed
 * @FAKE_RM_FAILED: refused, and the VM is in state INIT_FAILED. For lending and
 *                  sharing: the first message was taken, a later one refused, and
 *                  so was the reclaim, so that the parcel is still there.
 * @FAKE_RM_LOST_REQUEST: -ETIMEDOUT, not carried out
 * @FAKE_RM_LOST_REPLY: -ETIMEDOUT, carried out
 * @FAKE_RM_BAD_REFUSAL: -EPROTO, not carried out
 * @FAKE_RM_BAD_REPLY: -EPROTO, carried out
 * @FAKE_RM_KEPT: for lending and sharing: the platform refused, and kept what it had got
 *                before. For reclaims: carried out, but the platform keeps it. For
 *                everything else as %FAKE_RM_REFUSED.
 * @FAKE_RM_NR_OUTCOMES: number of outcomes
 */
enum fake_rm_outcome {
	FAKE_RM_OK,
	FAKE_RM_REFUSED,
	FAKE_RM_FAILED,
	FAKE_RM_LOST_REQUEST,
	FAKE_RM_LOST_REPLY,
	FAKE_RM_BAD_REFUSAL,
	FAKE_RM_BAD_REPLY,
	FAKE_RM_KEPT,
	FAKE_RM_NR_OUTCOMES,
};

#define FAKE_RM_MAX_VMS		4
#define FAKE_RM_FIRST_VMID	0x80
#define FAKE_RM_HOST_VMID	3
#define FAKE_RM_MAX_FAULTS	8
#define FAKE_RM_MAX_RESOURCES	8
#define FAKE_RM_ALWAYS		UINT_MAX

struct fake_rm_vm {
	bool used;
	enum gh_rm_vm_status state;
	bool configured;
	struct gh_rm_listener *listener;
};

struct fake_rm_run {
	u64 addr;
	u64 size;
};

/**
 * struct fake_rm_parcel - Memory that the driver asked to be taken
 * @node: in &fake_rm.parcels
 * @owner: the driver's idea of it
 * @vmid: who gets it
 * @handle: its handle
 * @label: its label
 * @perms: the access that the VM gets
 * @held: it is not the driver's. If it is, the driver cannot know that.
 * @unanswered: the driver was not told
 * @accepted: the VM has it
 * @size: bytes in all
 * @n_runs: number of @runs
 * @runs: the memory
 */
struct fake_rm_parcel {
	struct list_head node;
	struct gh_rm_mem_parcel *owner;
	u16 vmid;
	u32 handle;
	u32 label;
	u8 perms;
	bool held;
	bool unanswered;
	bool accepted;
	u64 size;
	size_t n_runs;
	struct fake_rm_run runs[];
};

struct fake_rm_fault {
	enum fake_rm_op op;
	enum fake_rm_outcome outcome;
	unsigned int skip;
	unsigned int count;
	int err;
};

/**
 * struct fake_rm_image - What a VM was last configured with
 * @auth: how its image is checked
 * @label: label of the parcel with the image
 * @image_offset: where in the parcel the image is
 * @image_size: its size
 * @dtb_offset: where in the parcel the devicetree is
 * @dtb_size: its size
 */
struct fake_rm_image {
	enum gh_rm_vm_auth_mechanism auth;
	u32 label;
	u64 image_offset;
	u64 image_size;
	u64 dtb_offset;
	u64 dtb_size;
};

/**
 * struct fake_rm - The resource manager
 * @test: fails if the driver does what it must not
 * @rm: what the driver knows of it
 * @dev: the device of @rm
 * @lock: guards what follows
 * @vms: the VMs, from %FAKE_RM_FIRST_VMID on
 * @parcels: struct fake_rm_parcel
 * @image: the image that was accepted last
 * @resources: what comes with a VM; an interrupt is mapped to itself
 * @n_resources: number of @resources
 * @mapped: number of interrupts that are mapped
 * @next_handle: handle of the next parcel
 * @faults: the script
 * @n_faults: number of @faults
 * @calls: how often which call was made
 * @reclaimed: labels of the parcels reclaimed, in order
 * @n_reclaimed: number of @reclaimed
 * @lost_vmids: VMIDs that the driver was not told of, or not told that they are free
 * @illegal: calls that were refused because the VM was not in a state for them
 * @dead: it would have died
 * @closed: the device is gone, nobody may call any more
 *
 * @platform: there is a platform that is told: what is refused late, it has
 * @platform_err: why memory cannot be given to VMs on this platform
 * @exit_at_start: the guest ends before its start is answered
 * @stop_stuck: a guest that is stopped runs on
 * @reset_stuck: a reset begins and does not end
 * @state_answer: answer GET_STATE with this unless 0
 * @drop_status: bits of the VM_STATUS notifications that get lost
 * @drop_exited: VM_EXITED notifications get lost
 * @twice: notifications are sent twice
 * @hold: keep notifications back
 * @newest_first: deliver those kept back in the wrong order
 *
 * @gate_op: who makes this call waits at the gate, %FAKE_RM_NR_OPS for none
 * @gate_after: ... after it was carried out
 * @gate_reached: somebody waits
 * @gate_open: completed to let them through
 *
 * @flushing: completed when the driver waits for notifications to be delivered
 * @notifications: to be delivered
 * @wq: ordered, delivers them
 * @notif_work: on @wq
 * @reset_work: ends resets, on @wq
 * @delivering: who is in a listener
 * @route_lock: held while a listener is called
 */
struct fake_rm {
	struct kunit *test;
	struct gh_rm *rm;
	struct device *dev;

	struct mutex lock;		/* see above */
	struct fake_rm_vm vms[FAKE_RM_MAX_VMS];
	struct list_head parcels;
	struct fake_rm_image image;
	struct gh_rm_hyp_resource resources[FAKE_RM_MAX_RESOURCES];
	unsigned int n_resources;
	unsigned int mapped;
	u32 next_handle;
	struct fake_rm_fault faults[FAKE_RM_MAX_FAULTS];
	unsigned int n_faults;
	unsigned int calls[FAKE_RM_NR_OPS];
	u32 reclaimed[GH_RM_MAX_PARCELS];
	unsigned int n_reclaimed;
	unsigned int lost_vmids;
	unsigned int illegal;
	bool dead;
	bool closed;

	bool platform;
	int platform_err;
	bool exit_at_start;
	bool stop_stuck;
	bool reset_stuck;
	enum gh_rm_vm_status state_answer;
	unsigned long drop_status;
	bool drop_exited;
	bool twice;
	bool hold;
	bool newest_first;

	enum fake_rm_op gate_op;
	bool gate_after;
	struct completion gate_reached;
	struct completion gate_open;

	struct completion flushing;
	struct list_head notifications;
	struct workqueue_struct *wq;
	struct work_struct notif_work;
	struct work_struct reset_work;
	struct task_struct *delivering;
	struct rw_semaphore route_lock;
};

extern const struct gh_rm_ops fake_rm_ops;

struct fake_rm *fake_rm_create(struct kunit *test);
void fake_rm_destroy(struct fake_rm *f);

/* The script: @err is a negative errno, or an error of the resource manager, GH_RM_ERROR_* */
void fake_rm_fault(struct fake_rm *f, enum fake_rm_op op, unsigned int skip, unsigned int count,
		   enum fake_rm_outcome outcome, int err);
void fake_rm_no_faults(struct fake_rm *f);
void fake_rm_gate(struct fake_rm *f, enum fake_rm_op op, bool after);
void fake_rm_wait_gate(struct fake_rm *f);
void fake_rm_open_gate(struct fake_rm *f);

/* What it does of its own accord */
void fake_rm_notify_status(struct fake_rm *f, u16 vmid, enum gh_rm_vm_status status);
void fake_rm_notify_exited(struct fake_rm *f, u16 vmid, u16 type, const void *reason, size_t size);
void fake_rm_flush(struct fake_rm *f);
void fake_rm_release_notifications(struct fake_rm *f, bool newest_first);
void fake_rm_guest_exits(struct fake_rm *f, u16 vmid, u16 type, const void *reason, size_t size);
void fake_rm_finish_resets(struct fake_rm *f);
void fake_rm_answer_late(struct fake_rm *f);
void fake_rm_set_state(struct fake_rm *f, u16 vmid, enum gh_rm_vm_status state);

/* What it has */
enum gh_rm_vm_status fake_rm_state(struct fake_rm *f, u16 vmid);
unsigned int fake_rm_vms(struct fake_rm *f);
unsigned long fake_rm_pages(struct fake_rm *f);
bool fake_rm_has_label(struct fake_rm *f, u32 label);
void fake_rm_check_pins(struct fake_rm *f);

#endif /* __GH_FAKE_RM_H */

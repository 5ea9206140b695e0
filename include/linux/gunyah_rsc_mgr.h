/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_GUNYAH_RSC_MGR_H
#define _LINUX_GUNYAH_RSC_MGR_H

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/types.h>

#define GH_VMID_INVAL		U16_MAX
#define GH_MEM_HANDLE_INVAL	U32_MAX

/* The resource manager's limits, per VM that owns memory and per message */
#define GH_RM_MAX_PARCELS	64
#define GH_RM_MAX_MEM_ENTRIES	512

/* The resource manager counts memory in pages of this size, whatever ours is. */
#define GH_RM_PAGE_SIZE		4096

struct device;
struct gh_rm;
struct gh_rm_platform_ops;
struct module;

/*
 * Lifetime
 */

/**
 * struct gh_rm_client - Who is told that there is a resource manager
 * @add: there is one. May fail, with an errno.
 * @remove: it is about to go away. Calls still work until this returns and must
 *          not be made afterwards.
 * @shutdown: the host goes down. Calls still work, and nothing follows.
 */
struct gh_rm_client {
	int (*add)(struct gh_rm *rm);
	void (*remove)(struct gh_rm *rm);
	void (*shutdown)(struct gh_rm *rm);
};

int gh_rm_register_client(const struct gh_rm_client *client);
void gh_rm_unregister_client(void);

struct gh_rm *gh_rm_get(struct gh_rm *rm);
void gh_rm_put(struct gh_rm *rm);
struct device *gh_rm_device(struct gh_rm *rm);
void gh_rm_set_drvdata(struct gh_rm *rm, void *data);
void *gh_rm_get_drvdata(struct gh_rm *rm);

u32 *gh_rm_call_timeout_ms(struct gh_rm *rm);

/**
 * enum gh_rm_stat - What a resource manager client counts
 * @GH_RM_STAT_CALLS: requests sent
 * @GH_RM_STAT_REPLIES: replies to them, in time and well-formed, whatever they say
 * @GH_RM_STAT_TIMEOUTS: requests that got no reply before the deadline
 * @GH_RM_STAT_LATE_REPLIES: replies to such requests, received in the end
 * @GH_RM_STAT_UNEXPECTED: replies to nothing that was asked
 * @GH_RM_STAT_BAD_PACKETS: packets and messages dropped because they made no sense
 * @GH_RM_STAT_NOTIFICATIONS: notifications received
 * @GH_RM_STAT_UNROUTED: notifications for VMs that are not ours
 * @GH_RM_STAT_LOST: notifications dropped here for want of memory
 * @GH_RM_STAT_LOST_VMIDS: VMIDs that can never be given back
 * @GH_RM_NR_STATS: number of counters
 */
enum gh_rm_stat {
	GH_RM_STAT_CALLS,
	GH_RM_STAT_REPLIES,
	GH_RM_STAT_TIMEOUTS,
	GH_RM_STAT_LATE_REPLIES,
	GH_RM_STAT_UNEXPECTED,
	GH_RM_STAT_BAD_PACKETS,
	GH_RM_STAT_NOTIFICATIONS,
	GH_RM_STAT_UNROUTED,
	GH_RM_STAT_LOST,
	GH_RM_STAT_LOST_VMIDS,
	GH_RM_NR_STATS,
};

void gh_rm_count(struct gh_rm *rm, enum gh_rm_stat stat);
u64 gh_rm_stat(struct gh_rm *rm, enum gh_rm_stat stat);
unsigned int gh_rm_parcels(struct gh_rm *rm);

/*
 * Notifications
 */

/*
 * State of a VM in the resource manager: values of the resource manager's VM_STATUS and
 * VM_GET_STATE messages.
 */
enum gh_rm_vm_status {
	GH_RM_VM_STATUS_NO_STATE	= 0,
	GH_RM_VM_STATUS_INIT		= 1,
	GH_RM_VM_STATUS_READY		= 2,
	GH_RM_VM_STATUS_RUNNING		= 3,
	GH_RM_VM_STATUS_PAUSED		= 4,
	GH_RM_VM_STATUS_LOAD		= 5,
	GH_RM_VM_STATUS_AUTH		= 6,
	GH_RM_VM_STATUS_INIT_FAILED	= 8,
	GH_RM_VM_STATUS_EXITED		= 9,
	GH_RM_VM_STATUS_RESETTING	= 10,
	GH_RM_VM_STATUS_RESET		= 11,
};

/* A number of the resource manager's, and its name */
struct gh_rm_name {
	u32 value;
	const char *name;
};

#define GH_RM_NAME_TABLE(table, ...)						\
	static const struct gh_rm_name table[] = { __VA_ARGS__ }

/* The names of the states: for GH_RM_NAME_TABLE, or what else is to be made of them */
#define GH_RM_VM_STATUS_NAMES(apply, to)				\
	apply(to,							\
	      { GH_RM_VM_STATUS_NO_STATE, "NO_STATE" },			\
	      { GH_RM_VM_STATUS_INIT, "INIT" },				\
	      { GH_RM_VM_STATUS_READY, "READY" },			\
	      { GH_RM_VM_STATUS_RUNNING, "RUNNING" },			\
	      { GH_RM_VM_STATUS_PAUSED, "PAUSED" },			\
	      { GH_RM_VM_STATUS_LOAD, "LOAD" },				\
	      { GH_RM_VM_STATUS_AUTH, "AUTH" },				\
	      { GH_RM_VM_STATUS_INIT_FAILED, "INIT_FAILED" },		\
	      { GH_RM_VM_STATUS_EXITED, "EXITED" },			\
	      { GH_RM_VM_STATUS_RESETTING, "RESETTING" },		\
	      { GH_RM_VM_STATUS_RESET, "RESET" })

/**
 * struct gh_rm_listener - Receives the notifications about one VM
 * @status: the VM changed its state in the resource manager
 * @exited: the VM ended; @reason is @reason_size bytes
 *
 * Both are called from one ordered workqueue, in the order in which the resource
 * manager sent the notifications. They may sleep, but must not call the resource
 * manager.
 */
struct gh_rm_listener {
	void (*status)(struct gh_rm_listener *listener, enum gh_rm_vm_status status);
	void (*exited)(struct gh_rm_listener *listener, u16 exit_type, const void *reason,
		       size_t reason_size);
};

/*
 * Memory parcels
 */

enum gh_rm_mem_type {
	GH_RM_MEM_TYPE_NORMAL	= 0,
	GH_RM_MEM_TYPE_IO	= 1,
};

/* Access rights in an ACL. The resource manager takes only those with R. */
#define GH_RM_ACL_X		BIT(0)
#define GH_RM_ACL_W		BIT(1)
#define GH_RM_ACL_R		BIT(2)

struct gh_rm_mem_acl_entry {
	u16 vmid;
	u8 perms;
};

/**
 * struct gh_rm_mem_iter - Enumerates the memory of a parcel
 * @next: writes the next contiguous piece, in bytes, to @addr and @size. Returns
 *        false if there is none.
 * @prev: the same backwards: after @next it writes the same piece once more
 * @seek: goes to where @next writes piece @index, and @prev the one before it. At
 *        most the number of pieces.
 *
 * @prev and @seek are for platforms that must be told, see gh_rm_register_platform_ops().
 */
struct gh_rm_mem_iter {
	bool (*next)(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size);
	bool (*prev)(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size);
	void (*seek)(struct gh_rm_mem_iter *iter, size_t index);
};

/**
 * enum gh_rm_parcel_state - Who has the memory of a parcel
 * @GH_RM_PARCEL_NONE: the owner; the resource manager has nothing
 * @GH_RM_PARCEL_HELD: the resource manager has it, under @mem_handle
 * @GH_RM_PARCEL_UNKNOWN: the resource manager was asked and did not answer
 * @GH_RM_PARCEL_ASSIGNED: the resource manager has nothing, but for the platform it is
 *                         not, or not all of it, the owner's
 */
enum gh_rm_parcel_state {
	GH_RM_PARCEL_NONE,
	GH_RM_PARCEL_HELD,
	GH_RM_PARCEL_UNKNOWN,
	GH_RM_PARCEL_ASSIGNED,
};

/**
 * struct gh_rm_mem_why - Why memory was not lent or shared
 * @rm_error: the resource manager's error code, GH_RM_ERROR_OK if it did not refuse
 * @platform: what the platform answered: a negative errno, a positive code of its
 *            firmware, 0 if it did not refuse
 * @piece: the piece that it refused, the first is 1
 * @append: it was a MEM_APPEND that failed
 */
struct gh_rm_mem_why {
	u32 rm_error;
	int platform;
	size_t piece;
	bool append;
};

/**
 * struct gh_rm_mem_parcel - Memory that is lent to or shared with VMs
 * @mem_type: normal or I/O memory
 * @label: label for the VM to know the memory by
 * @n_acl_entries: number of entries in @acl_entries
 * @acl_entries: which VMs get access and what access. Must list the owner if the
 *               memory is shared, must not if it is lent. Must stay, as must @iter,
 *               while @state is not GH_RM_PARCEL_NONE.
 * @n_mem_entries: number of pieces that @iter enumerates
 * @iter: the memory, at its first piece when it is lent or shared
 * @late: called, from process context, if the answer to lending or sharing comes
 *        after the deadline, with what @state and @mem_handle are now to become.
 *        Until then the parcel is in state GH_RM_PARCEL_UNKNOWN and must stay. To
 *        take a lock that is also held while lending or sharing: the answer may
 *        come before that call has returned.
 * @state: who has the memory now
 * @mem_handle: the resource manager's name for the parcel, if it has it
 * @reclaim_asked: a reclaim was asked for and not answered
 * @platform: who was told of the memory, and is to be told when it is back; NULL if
 *            nobody
 * @owner_vmid: the owner, if there is a @platform
 * @n_assigned: so many pieces, from the first on, @platform has not given back
 * @why: why it was not lent or shared: what to log. Nobody else does.
 */
struct gh_rm_mem_parcel {
	enum gh_rm_mem_type mem_type;
	u32 label;
	size_t n_acl_entries;
	struct gh_rm_mem_acl_entry *acl_entries;
	size_t n_mem_entries;
	struct gh_rm_mem_iter *iter;
	void (*late)(struct gh_rm_mem_parcel *parcel, enum gh_rm_parcel_state state,
		     u32 mem_handle);
	enum gh_rm_parcel_state state;
	u32 mem_handle;
	bool reclaim_asked;
	const struct gh_rm_platform_ops *platform;
	u16 owner_vmid;
	size_t n_assigned;
	struct gh_rm_mem_why why;
};

/*
 * Platforms that must be told
 */

/* What a module that tells Qualcomm's firmware has as an alias */
#define GH_RM_PLATFORM_QCOM_ALIAS	"gunyah-platform-qcom"

/**
 * struct gh_rm_platform_ops - Tells a platform who gets which memory
 * @owner: the module, which stays while the platform has memory of a parcel
 * @ready: optional: 0, or a negative errno if @pre_mem_share cannot work yet, and the
 *         reason in the log
 * @pre_mem_share: before memory is lent or shared: assign a piece of it, in bytes, to
 *                 whom &gh_rm_mem_parcel.acl_entries names, instead of to
 *                 &gh_rm_mem_parcel.owner_vmid. 0; if nothing has changed a negative
 *                 errno, or a positive code of firmware's.
 * @post_mem_reclaim: the way back, with all rights: after the resource manager has
 *                    given the memory back or did not take it. As @pre_mem_share; if
 *                    nothing has changed it is tried again at some time.
 *
 * All may sleep. The pieces of a parcel are assigned from the first to the last and
 * given back from the last to the first.
 */
struct gh_rm_platform_ops {
	struct module *owner;
	int (*ready)(void);
	int (*pre_mem_share)(const struct gh_rm_mem_parcel *parcel, u64 addr, u64 size);
	int (*post_mem_reclaim)(const struct gh_rm_mem_parcel *parcel, u64 addr, u64 size);
};

int gh_rm_register_platform_ops(const struct gh_rm_platform_ops *ops);
void gh_rm_unregister_platform_ops(const struct gh_rm_platform_ops *ops);
const char *gh_rm_platform_is_qcom(void);

void gh_rm_request_platform(void);

/*
 * Objects of the hypervisor
 */

/**
 * struct gh_rm_hyp_resource - An object that we hold a capability to
 * @type: what it is: enum gunyah_resource_type, or something that we do not know
 * @partner_vmid: the VM at its other end, 0 if it has none
 * @handle: the resource manager's name for it; always 0
 * @label: tells those of a type apart. From the VM's devicetree, for a vCPU its
 *         number.
 * @capid: the capability
 * @virq_handle: the resource manager's name for its interrupt; always 0
 * @virq: the interrupt that it raises, for gh_rm_virq_spec()
 * @base: address of its memory, if it has any
 * @size: size of that in bytes
 */
struct gh_rm_hyp_resource {
	u8 type;
	u16 partner_vmid;
	u32 handle;
	u32 label;
	u64 capid;
	u32 virq_handle;
	u32 virq;
	u64 base;
	u64 size;
};

/**
 * struct gh_rm_hyp_resources - The objects that come with a VM
 * @n: number of @resources. One message holds 332.
 * @resources: the objects
 */
struct gh_rm_hyp_resources {
	u32 n;
	struct gh_rm_hyp_resource resources[] __counted_by(n);
};

/* Not an interrupt; nor is 0 */
#define GH_RM_VIRQ_NONE		U32_MAX

/* Cells of the GIC's interrupt specifier: type, number, flags */
#define GH_RM_VIRQ_SPEC_CELLS	3

/*
 * Calls
 */

enum gh_rm_vm_auth_mechanism {
	GH_RM_VM_AUTH_NONE		= 0,
	GH_RM_VM_AUTH_QCOM_PIL_ELF	= 1,
	GH_RM_VM_AUTH_QCOM_ANDROID_PVM	= 2,
};

/* Error codes of the resource manager, in a reply's first word */
#define GH_RM_ERROR_OK			0
#define GH_RM_ERROR_NOMEM		1
#define GH_RM_ERROR_NORESOURCE		2
#define GH_RM_ERROR_DENIED		3
#define GH_RM_ERROR_INVALID		4
#define GH_RM_ERROR_BUSY		5
#define GH_RM_ERROR_ARGUMENT_INVALID	6
#define GH_RM_ERROR_HANDLE_INVALID	7
#define GH_RM_ERROR_VALIDATE_FAILED	8
#define GH_RM_ERROR_MAP_FAILED		9
#define GH_RM_ERROR_MEM_INVALID		10
#define GH_RM_ERROR_MEM_INUSE		11
#define GH_RM_ERROR_MEM_RELEASED	12
#define GH_RM_ERROR_VMID_INVALID	13
#define GH_RM_ERROR_LOOKUP_FAILED	14
#define GH_RM_ERROR_IRQ_INVALID		15
#define GH_RM_ERROR_IRQ_INUSE		16
#define GH_RM_ERROR_IRQ_RELEASED	17
#define GH_RM_ERROR_IN_USE		18
#define GH_RM_ERROR_IRQ_NOT_MAPPED	19
#define GH_RM_ERROR_VM_STATE		20
#define GH_RM_ERROR_UNIMPLEMENTED	0xffffffff

const char *gh_rm_error_name(u32 rm_error);

/*
 * A call that ends with one of these may have been carried out or not. Every
 * other error means that it was not.
 */
static inline bool gh_rm_outcome_unknown(int err)
{
	return err == -ETIMEDOUT || err == -EPROTO;
}

/*
 * The resource manager does not answer (-ETIMEDOUT) or does not even take messages
 * (-ETIME). There is no use in asking on.
 */
static inline bool gh_rm_is_silent(int err)
{
	return err == -ETIMEDOUT || err == -ETIME;
}

/*
 * What a VM manager asks of the resource manager. A VM holds a pointer to one of these, so that
 * tests can put a scripted resource manager in its place. See the functions of the same names,
 * with the prefix gh_rm_, for arguments and results.
 */
struct gh_rm_ops {
	int (*check_platform)(struct gh_rm *rm);
	int (*get_vmid)(struct gh_rm *rm, u16 *vmid, u32 *rm_error);
	int (*alloc_vmid)(struct gh_rm *rm, u16 *vmid, u32 *rm_error);
	int (*dealloc_vmid)(struct gh_rm *rm, u16 vmid);
	int (*vm_configure)(struct gh_rm *rm, u16 vmid, enum gh_rm_vm_auth_mechanism auth,
			    u32 mem_handle, u64 image_offset, u64 image_size, u64 dtb_offset,
			    u64 dtb_size, u32 *rm_error);
	int (*vm_init)(struct gh_rm *rm, u16 vmid, u32 *rm_error);
	int (*vm_start)(struct gh_rm *rm, u16 vmid, u32 *rm_error);
	int (*vm_stop)(struct gh_rm *rm, u16 vmid);
	int (*vm_reset)(struct gh_rm *rm, u16 vmid);
	int (*vm_get_state)(struct gh_rm *rm, u16 vmid, enum gh_rm_vm_status *status);
	int (*get_hyp_resources)(struct gh_rm *rm, u16 vmid,
				 struct gh_rm_hyp_resources **resources, u32 *rm_error);
	int (*map_virq)(struct gh_rm *rm, u32 virq);
	void (*unmap_virq)(struct gh_rm *rm, int irq);
	int (*mem_lend)(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel);
	int (*mem_share)(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel);
	int (*mem_reclaim)(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel);
	int (*listen)(struct gh_rm *rm, u16 vmid, struct gh_rm_listener *listener);
	void (*unlisten)(struct gh_rm *rm, u16 vmid);
	void (*flush_notifications)(struct gh_rm *rm);
};

extern const struct gh_rm_ops gh_rm_ops;

int gh_rm_check_platform(struct gh_rm *rm);
int gh_rm_get_vmid(struct gh_rm *rm, u16 *vmid, u32 *rm_error);
int gh_rm_alloc_vmid(struct gh_rm *rm, u16 *vmid, u32 *rm_error);
int gh_rm_dealloc_vmid(struct gh_rm *rm, u16 vmid);
int gh_rm_vm_configure(struct gh_rm *rm, u16 vmid, enum gh_rm_vm_auth_mechanism auth,
		       u32 mem_handle, u64 image_offset, u64 image_size, u64 dtb_offset,
		       u64 dtb_size, u32 *rm_error);
int gh_rm_vm_init(struct gh_rm *rm, u16 vmid, u32 *rm_error);
int gh_rm_vm_start(struct gh_rm *rm, u16 vmid, u32 *rm_error);
int gh_rm_vm_stop(struct gh_rm *rm, u16 vmid);
int gh_rm_vm_reset(struct gh_rm *rm, u16 vmid);
int gh_rm_vm_get_state(struct gh_rm *rm, u16 vmid, enum gh_rm_vm_status *status);
int gh_rm_get_hyp_resources(struct gh_rm *rm, u16 vmid, struct gh_rm_hyp_resources **resources,
			    u32 *rm_error);
int gh_rm_virq_spec(u32 virq, u32 spec[GH_RM_VIRQ_SPEC_CELLS]);
int gh_rm_map_virq(struct gh_rm *rm, u32 virq);
void gh_rm_unmap_virq(struct gh_rm *rm, int irq);
int gh_rm_mem_lend(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel);
int gh_rm_mem_share(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel);
int gh_rm_mem_reclaim(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel);
int gh_rm_listen(struct gh_rm *rm, u16 vmid, struct gh_rm_listener *listener);
void gh_rm_unlisten(struct gh_rm *rm, u16 vmid);
void gh_rm_flush_notifications(struct gh_rm *rm);

#endif /* _LINUX_GUNYAH_RSC_MGR_H */

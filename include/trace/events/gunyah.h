/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the Gunyah drivers
 *
 * Documentation/virt/gunyah/tracing.rst says what they are good for, and what their
 * fields mean. All layers include this, so it includes nothing of theirs: only
 * drivers/virt/gunyah/trace.c, where the events are made, looks into the structures
 * that are passed, and knows the names and numbers that are printed.
 *
 * Some are called with spinlocks held and interrupts masked.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gunyah

#if !defined(_TRACE_GUNYAH_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_GUNYAH_H

#include <linux/tracepoint.h>
#include <linux/types.h>

struct gh_hypercall_vcpu_run_resp;
struct gh_rm_mem_parcel;
struct gh_vm;
struct gh_vm_mem;

/* User space knows no enumerators, so these become numbers in the events' formats. */
TRACE_DEFINE_ENUM(GH_RM_BAD_PACKET);
TRACE_DEFINE_ENUM(GH_RM_BAD_STRAY);
TRACE_DEFINE_ENUM(GH_RM_BAD_TYPE);
TRACE_DEFINE_ENUM(GH_RM_BAD_UNEXPECTED);
TRACE_DEFINE_ENUM(GH_RM_BAD_REPLY);

TRACE_DEFINE_ENUM(GH_RM_PARCEL_NONE);
TRACE_DEFINE_ENUM(GH_RM_PARCEL_HELD);
TRACE_DEFINE_ENUM(GH_RM_PARCEL_UNKNOWN);
TRACE_DEFINE_ENUM(GH_RM_PARCEL_ASSIGNED);

TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_NO_STATE);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_INIT);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_READY);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_RUNNING);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_PAUSED);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_LOAD);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_AUTH);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_INIT_FAILED);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_EXITED);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_RESETTING);
TRACE_DEFINE_ENUM(GH_RM_VM_STATUS_RESET);

TRACE_DEFINE_ENUM(GH_VM_NEW);
TRACE_DEFINE_ENUM(GH_VM_STARTING);
TRACE_DEFINE_ENUM(GH_VM_RUNNING);
TRACE_DEFINE_ENUM(GH_VM_EXITED);
TRACE_DEFINE_ENUM(GH_VM_FAILED);
TRACE_DEFINE_ENUM(GH_VM_STOPPING);
TRACE_DEFINE_ENUM(GH_VM_RESETTING);
TRACE_DEFINE_ENUM(GH_VM_QUARANTINED);

TRACE_DEFINE_ENUM(GH_VCPU_STATE_READY);
TRACE_DEFINE_ENUM(GH_VCPU_STATE_EXPECTS_WAKEUP);
TRACE_DEFINE_ENUM(GH_VCPU_STATE_POWERED_OFF);
TRACE_DEFINE_ENUM(GH_VCPU_STATE_BLOCKED);
TRACE_DEFINE_ENUM(GH_VCPU_ADDRSPACE_VMMIO_READ);
TRACE_DEFINE_ENUM(GH_VCPU_ADDRSPACE_VMMIO_WRITE);
TRACE_DEFINE_ENUM(GH_VCPU_STATE_FAULT);
TRACE_DEFINE_ENUM(GH_VCPU_STATE_SYSTEM_RESET);

#define show_gh_rm_message(id)							\
	__print_symbolic(id,							\
			 { GH_RM_RPC_MEM_LEND, "MEM_LEND" },			\
			 { GH_RM_RPC_MEM_SHARE, "MEM_SHARE" },			\
			 { GH_RM_RPC_MEM_RECLAIM, "MEM_RECLAIM" },		\
			 { GH_RM_RPC_MEM_APPEND, "MEM_APPEND" },		\
			 { GH_RM_RPC_VM_ALLOC_VMID, "VM_ALLOC_VMID" },		\
			 { GH_RM_RPC_VM_DEALLOC_VMID, "VM_DEALLOC_VMID" },	\
			 { GH_RM_RPC_VM_START, "VM_START" },			\
			 { GH_RM_RPC_VM_STOP, "VM_STOP" },			\
			 { GH_RM_RPC_VM_RESET, "VM_RESET" },			\
			 { GH_RM_RPC_VM_CONFIG_IMAGE, "VM_CONFIG_IMAGE" },	\
			 { GH_RM_RPC_VM_INIT, "VM_INIT" },			\
			 { GH_RM_RPC_VM_GET_STATE, "VM_GET_STATE" },		\
			 { GH_RM_RPC_VM_GET_HYP_RESOURCES, "VM_GET_HYP_RESOURCES" }, \
			 { GH_RM_RPC_VM_GET_VMID, "VM_GET_VMID" },		\
			 { GH_RM_NOTIF_MEM_RELEASED, "MEM_RELEASED" },		\
			 { GH_RM_NOTIF_VM_EXITED, "VM_EXITED" },		\
			 { GH_RM_NOTIF_VM_STATUS, "VM_STATUS" })

#define show_gh_rm_bad(why)							\
	__print_symbolic(why,							\
			 { GH_RM_BAD_PACKET, "packet" },			\
			 { GH_RM_BAD_STRAY, "stray" },				\
			 { GH_RM_BAD_TYPE, "type" },				\
			 { GH_RM_BAD_UNEXPECTED, "unexpected" },		\
			 { GH_RM_BAD_REPLY, "reply" })

#define show_gh_rm_parcel_state(state)						\
	__print_symbolic(state,							\
			 { GH_RM_PARCEL_NONE, "none" },				\
			 { GH_RM_PARCEL_HELD, "held" },				\
			 { GH_RM_PARCEL_UNKNOWN, "unknown" },			\
			 { GH_RM_PARCEL_ASSIGNED, "assigned" })

#define show_gh_mem_flags(flags)						\
	__print_flags(flags, "|",						\
		      { GH_MEM_ALLOW_READ, "READ" },				\
		      { GH_MEM_ALLOW_WRITE, "WRITE" },				\
		      { GH_MEM_ALLOW_EXEC, "EXEC" },				\
		      { GH_MEM_LENT, "LENT" })

#define show_gh_vcpu_state(state)						\
	__print_symbolic(state,							\
			 { GH_VCPU_STATE_READY, "READY" },			\
			 { GH_VCPU_STATE_EXPECTS_WAKEUP, "EXPECTS_WAKEUP" },	\
			 { GH_VCPU_STATE_POWERED_OFF, "POWERED_OFF" },		\
			 { GH_VCPU_STATE_BLOCKED, "BLOCKED" },			\
			 { GH_VCPU_ADDRSPACE_VMMIO_READ, "VMMIO_READ" },	\
			 { GH_VCPU_ADDRSPACE_VMMIO_WRITE, "VMMIO_WRITE" },	\
			 { GH_VCPU_STATE_FAULT, "FAULT" },			\
			 { GH_VCPU_STATE_SYSTEM_RESET, "SYSTEM_RESET" })

#define show_gh_rm_error(error)		GH_RM_ERROR_NAMES(__print_symbolic, error)
#define show_gh_rm_vm_status(status)	GH_RM_VM_STATUS_NAMES(__print_symbolic, status)
#define show_gh_vm_state(state)		GH_VM_STATE_NAMES(__print_symbolic, state)

/*
 * Messages of the resource manager
 */

TRACE_EVENT(gh_rm_request,

	TP_PROTO(u32 id, u16 seq, size_t len),

	TP_ARGS(id, seq, len),

	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, len)
		__field(u16, seq)
	),

	TP_fast_assign(
		__entry->id = id;
		__entry->len = len;
		__entry->seq = seq;
	),

	TP_printk("id=%s(%#x) seq=%u len=%u", show_gh_rm_message(__entry->id), __entry->id,
		  __entry->seq, __entry->len)
);

TRACE_EVENT(gh_rm_reply,

	TP_PROTO(u32 id, u16 seq, size_t len, u32 error, bool late),

	TP_ARGS(id, seq, len, error, late),

	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, len)
		__field(u32, error)
		__field(u16, seq)
		__field(bool, late)
	),

	TP_fast_assign(
		__entry->id = id;
		__entry->len = len;
		__entry->error = error;
		__entry->seq = seq;
		__entry->late = late;
	),

	TP_printk("id=%s(%#x) seq=%u len=%u error=%s(%u) late=%u",
		  show_gh_rm_message(__entry->id), __entry->id, __entry->seq, __entry->len,
		  show_gh_rm_error(__entry->error), __entry->error, __entry->late)
);

TRACE_EVENT(gh_rm_notification,

	TP_PROTO(u32 id, const void *payload, size_t len),

	TP_ARGS(id, payload, len),

	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, len)
		__field(u16, vmid)
	),

	TP_fast_assign(
		__entry->id = id;
		__entry->len = len;
		__entry->vmid = gh_rm_notification_vmid(id, payload, len);
	),

	TP_printk("id=%s(%#x) vmid=%u len=%u", show_gh_rm_message(__entry->id), __entry->id,
		  __entry->vmid, __entry->len)
);

TRACE_EVENT(gh_rm_bad_message,

	TP_PROTO(u32 id, u16 seq, size_t len, unsigned int why),

	TP_ARGS(id, seq, len, why),

	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, len)
		__field(u32, why)
		__field(u16, seq)
	),

	TP_fast_assign(
		__entry->id = id;
		__entry->len = len;
		__entry->why = why;
		__entry->seq = seq;
	),

	TP_printk("id=%s(%#x) seq=%u len=%u why=%s", show_gh_rm_message(__entry->id),
		  __entry->id, __entry->seq, __entry->len, show_gh_rm_bad(__entry->why))
);

/*
 * Memory at the resource manager
 */

DECLARE_EVENT_CLASS(gh_rm_mem_create,

	TP_PROTO(const struct gh_rm_mem_parcel *parcel, int ret),

	TP_ARGS(parcel, ret),

	TP_STRUCT__entry(
		__field(u32, label)
		__field(u32, handle)
		__field(u32, entries)
		__field(u32, state)
		__field(int, ret)
		__field(u16, vmid)
	),

	TP_fast_assign(
		__entry->label = parcel->label;
		__entry->handle = parcel->mem_handle;
		__entry->entries = parcel->n_mem_entries;
		__entry->state = parcel->state;
		__entry->ret = ret;
		__entry->vmid = parcel->n_acl_entries ? parcel->acl_entries[0].vmid : 0;
	),

	TP_printk("vmid=%u label=%#x entries=%u handle=%#x state=%s ret=%d", __entry->vmid,
		  __entry->label, __entry->entries, __entry->handle,
		  show_gh_rm_parcel_state(__entry->state), __entry->ret)
);

DEFINE_EVENT(gh_rm_mem_create, gh_rm_mem_lend,
	TP_PROTO(const struct gh_rm_mem_parcel *parcel, int ret),
	TP_ARGS(parcel, ret)
);

DEFINE_EVENT(gh_rm_mem_create, gh_rm_mem_share,
	TP_PROTO(const struct gh_rm_mem_parcel *parcel, int ret),
	TP_ARGS(parcel, ret)
);

TRACE_EVENT(gh_rm_mem_append,

	TP_PROTO(const struct gh_rm_mem_parcel *parcel, size_t entries, int ret),

	TP_ARGS(parcel, entries, ret),

	TP_STRUCT__entry(
		__field(u32, label)
		__field(u32, handle)
		__field(u32, entries)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->label = parcel->label;
		__entry->handle = parcel->mem_handle;
		__entry->entries = entries;
		__entry->ret = ret;
	),

	TP_printk("label=%#x entries=%u handle=%#x ret=%d", __entry->label, __entry->entries,
		  __entry->handle, __entry->ret)
);

TRACE_EVENT(gh_rm_mem_reclaim,

	TP_PROTO(const struct gh_rm_mem_parcel *parcel, int ret),

	TP_ARGS(parcel, ret),

	TP_STRUCT__entry(
		__field(u32, label)
		__field(u32, handle)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->label = parcel->label;
		__entry->handle = parcel->mem_handle;
		__entry->ret = ret;
	),

	TP_printk("label=%#x handle=%#x ret=%d", __entry->label, __entry->handle, __entry->ret)
);

/*
 * VMs
 */

TRACE_EVENT(gh_vm_state,

	TP_PROTO(const struct gh_vm *ghvm, unsigned int from, unsigned int to),

	TP_ARGS(ghvm, from, to),

	TP_STRUCT__entry(
		__field(const void *, vm)
		__field(u32, from)
		__field(u32, to)
		__field(u16, vmid)
	),

	TP_fast_assign(
		__entry->vm = ghvm;
		__entry->from = from;
		__entry->to = to;
		__entry->vmid = READ_ONCE(ghvm->vmid);
	),

	TP_printk("vm=%p vmid=%u from=%s to=%s", __entry->vm, __entry->vmid,
		  show_gh_vm_state(__entry->from), show_gh_vm_state(__entry->to))
);

TRACE_EVENT(gh_vm_rm_status,

	TP_PROTO(const struct gh_vm *ghvm, unsigned int from, unsigned int to),

	TP_ARGS(ghvm, from, to),

	TP_STRUCT__entry(
		__field(const void *, vm)
		__field(u32, from)
		__field(u32, to)
		__field(u16, vmid)
	),

	TP_fast_assign(
		__entry->vm = ghvm;
		__entry->from = from;
		__entry->to = to;
		__entry->vmid = READ_ONCE(ghvm->vmid);
	),

	TP_printk("vm=%p vmid=%u from=%s to=%s", __entry->vm, __entry->vmid,
		  show_gh_rm_vm_status(__entry->from), show_gh_rm_vm_status(__entry->to))
);

DECLARE_EVENT_CLASS(gh_vm_mem,

	TP_PROTO(const struct gh_vm_mem *mem),

	TP_ARGS(mem),

	TP_STRUCT__entry(
		__field(const void *, vm)
		__field(u64, gpa)
		__field(u64, size)
		__field(u64, runs)
		__field(u32, label)
		__field(u32, flags)
		__field(u32, state)
		__field(u16, vmid)
	),

	TP_fast_assign(
		__entry->vm = mem->ghvm;
		__entry->gpa = mem->gpa;
		__entry->size = mem->size;
		__entry->runs = mem->nr_runs;
		__entry->label = mem->label;
		__entry->flags = mem->flags;
		__entry->state = mem->parcel.state;
		__entry->vmid = READ_ONCE(mem->ghvm->vmid);
	),

	TP_printk("vm=%p vmid=%u label=%#x gpa=%#llx size=%#llx flags=%s runs=%llu state=%s",
		  __entry->vm, __entry->vmid, __entry->label, __entry->gpa, __entry->size,
		  show_gh_mem_flags(__entry->flags), __entry->runs,
		  show_gh_rm_parcel_state(__entry->state))
);

DEFINE_EVENT(gh_vm_mem, gh_vm_mem_pin,
	TP_PROTO(const struct gh_vm_mem *mem),
	TP_ARGS(mem)
);

DEFINE_EVENT(gh_vm_mem, gh_vm_mem_unpin,
	TP_PROTO(const struct gh_vm_mem *mem),
	TP_ARGS(mem)
);

DEFINE_EVENT(gh_vm_mem, gh_vm_mem_quarantine,
	TP_PROTO(const struct gh_vm_mem *mem),
	TP_ARGS(mem)
);

/*
 * vCPUs
 */

TRACE_EVENT(gh_vcpu_run,

	TP_PROTO(const struct gh_vm *ghvm, u32 vcpu, u64 resume_data),

	TP_ARGS(ghvm, vcpu, resume_data),

	TP_STRUCT__entry(
		__field(const void *, vm)
		__field(u64, resume_data)
		__field(u32, vcpu)
		__field(u16, vmid)
	),

	TP_fast_assign(
		__entry->vm = ghvm;
		__entry->resume_data = resume_data;
		__entry->vcpu = vcpu;
		__entry->vmid = READ_ONCE(ghvm->vmid);
	),

	TP_printk("vm=%p vmid=%u vcpu=%u resume_data=%#llx", __entry->vm, __entry->vmid,
		  __entry->vcpu, __entry->resume_data)
);

TRACE_EVENT(gh_vcpu_exit,

	TP_PROTO(const struct gh_vm *ghvm, u32 vcpu, int error,
		 const struct gh_hypercall_vcpu_run_resp *resp),

	TP_ARGS(ghvm, vcpu, error, resp),

	TP_STRUCT__entry(
		__field(const void *, vm)
		__field(u64, state)
		__field(u64, data0)
		__field(u64, data1)
		__field(u64, data2)
		__field(u32, vcpu)
		__field(int, error)
		__field(u16, vmid)
	),

	/* What there is of a response, there is only without an error. */
	TP_fast_assign(
		__entry->vm = ghvm;
		__entry->state = error ? 0 : resp->state;
		__entry->data0 = error ? 0 : resp->state_data[0];
		__entry->data1 = error ? 0 : resp->state_data[1];
		__entry->data2 = error ? 0 : resp->state_data[2];
		__entry->vcpu = vcpu;
		__entry->error = error;
		__entry->vmid = READ_ONCE(ghvm->vmid);
	),

	TP_printk("vm=%p vmid=%u vcpu=%u error=%d state=%s(%#llx) data=%#llx,%#llx,%#llx",
		  __entry->vm, __entry->vmid, __entry->vcpu, __entry->error,
		  show_gh_vcpu_state(__entry->state), __entry->state, __entry->data0,
		  __entry->data1, __entry->data2)
);

#endif /* _TRACE_GUNYAH_H */

/* This part must be outside protection */
#include <trace/define_trace.h>

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah resource manager: typed calls for the life of a VM, and notifications
 *
 * Each function is one message of the resource manager's public interface
 * (vm_mgnt_message.h, vm_creation_message.h); its id stands beside its name. The
 * resource manager checks the length of every request exactly.
 */

#include <linux/build_bug.h>
#include <linux/dev_printk.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <trace/events/gunyah.h>
#include <asm/byteorder.h>

#include "rsc_mgr.h"
#include "rsc_mgr_msg.h"

struct gh_rm_vm_req {
	__le16 vmid;
	__le16 zero;
} __packed;

struct gh_rm_vmid_resp {
	__le16 vmid;
	__le16 zero;
} __packed;

#define GH_RM_VM_STOP_FLAG_FORCE	BIT(0)
#define GH_RM_VM_STOP_REASON_FORCE	3

struct gh_rm_vm_stop_req {
	__le16 vmid;
	u8 flags;
	u8 zero;
	__le32 stop_reason;
} __packed;

struct gh_rm_vm_config_image_req {
	__le16 vmid;
	__le16 auth_mech;
	__le32 mem_handle;
	__le64 image_offset;
	__le64 image_size;
	__le64 dtb_offset;
	__le64 dtb_size;
} __packed;

struct gh_rm_vm_state_resp {
	u8 vm_status;
	u8 os_status;
	__le16 app_status;
} __packed;

struct gh_rm_vm_resource {
	u8 type;
	u8 zero;
	__le16 partner_vmid;
	__le32 handle;
	__le32 label;
	__le64 capid;
	__le32 virq_handle;
	__le32 virq;
	__le64 base;
	__le64 size;
} __packed;

static_assert(sizeof(struct gh_rm_vm_resource) == 44);

struct gh_rm_vm_resources_resp {
	__le32 n;
	struct gh_rm_vm_resource resources[];
} __packed;

struct gh_rm_vm_exited_notif {
	__le16 vmid;
	__le16 exit_type;
	__le32 reason_size;
	u8 reason[];
} __packed;

struct gh_rm_vm_status_notif {
	__le16 vmid;
	__le16 zero;
	u8 vm_status;
	u8 os_status;
	__le16 app_status;
} __packed;

/**
 * gh_rm_error_name() - The resource manager's name for an error
 * @rm_error: first word of a reply
 *
 * Context: Any.
 * Return: a string, "unknown error" for a code that we do not know.
 */
const char *gh_rm_error_name(u32 rm_error)
{
	GH_RM_ERROR_NAMES(GH_RM_NAME_TABLE, names);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].value == rm_error)
			return names[i].name;

	return "unknown error";
}

/**
 * gh_rm_error_remap() - The errno for an error of the resource manager
 * @rm_error: first word of a reply
 *
 * Context: Any.
 * Return: 0 or a negative errno, -EBADMSG for a code that we do not know.
 */
int gh_rm_error_remap(u32 rm_error)
{
	static const int errnos[] = {
		[GH_RM_ERROR_OK]		= 0,
		[GH_RM_ERROR_NOMEM]		= -ENOMEM,
		[GH_RM_ERROR_NORESOURCE]	= -ENODEV,
		[GH_RM_ERROR_DENIED]		= -EPERM,
		[GH_RM_ERROR_INVALID]		= -EINVAL,
		[GH_RM_ERROR_BUSY]		= -EBUSY,
		[GH_RM_ERROR_ARGUMENT_INVALID]	= -EINVAL,
		[GH_RM_ERROR_HANDLE_INVALID]	= -EINVAL,
		[GH_RM_ERROR_VALIDATE_FAILED]	= -EINVAL,
		[GH_RM_ERROR_MAP_FAILED]	= -EINVAL,
		[GH_RM_ERROR_MEM_INVALID]	= -EINVAL,
		[GH_RM_ERROR_MEM_INUSE]		= -EINVAL,
		[GH_RM_ERROR_MEM_RELEASED]	= -EINVAL,
		[GH_RM_ERROR_VMID_INVALID]	= -EINVAL,
		[GH_RM_ERROR_LOOKUP_FAILED]	= -EINVAL,
		[GH_RM_ERROR_IRQ_INVALID]	= -EINVAL,
		[GH_RM_ERROR_IRQ_INUSE]		= -EINVAL,
		[GH_RM_ERROR_IRQ_RELEASED]	= -EINVAL,
		[GH_RM_ERROR_IN_USE]		= -EBUSY,
		[GH_RM_ERROR_IRQ_NOT_MAPPED]	= -EINVAL,
		[GH_RM_ERROR_VM_STATE]		= -EBADFD,
	};

	if (rm_error == GH_RM_ERROR_UNIMPLEMENTED)
		return -EOPNOTSUPP;
	if (rm_error < ARRAY_SIZE(errnos))
		return errnos[rm_error];
	return -EBADMSG;
}

/* A call whose failure is for the caller to log if it wants to know why: @rm_error is not NULL */
static int gh_rm_call_why(struct gh_rm *rm, struct gh_rm_call *call, u32 *rm_error)
{
	int ret;

	call->quiet = rm_error;
	ret = gh_rm_call(rm, call);
	if (rm_error)
		*rm_error = call->rm_error;

	return ret;
}

/* The many messages whose request is a VMID and whose reply is an error code */
static int gh_rm_vm_call(struct gh_rm *rm, u32 id, u16 vmid, u32 *rm_error)
{
	struct gh_rm_vm_req req = { .vmid = cpu_to_le16(vmid) };
	struct gh_rm_call call = { .id = id, .req = &req, .req_len = sizeof(req) };

	return gh_rm_call_why(rm, &call, rm_error);
}

/**
 * gh_rm_get_vmid() - Ask for our own VMID (VM_GET_VMID, 0x56000024)
 * @rm: the resource manager
 * @vmid: set to the VMID
 * @rm_error: as in gh_rm_alloc_vmid()
 *
 * It never changes, so it is asked for once.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0 or a negative errno of gh_rm_call().
 */
int gh_rm_get_vmid(struct gh_rm *rm, u16 *vmid, u32 *rm_error)
{
	struct gh_rm_vmid_resp resp;
	struct gh_rm_call call = {
		.id = GH_RM_RPC_VM_GET_VMID,
		.resp = &resp,
		.resp_size = sizeof(resp),
	};
	u16 *own = gh_rm_own_vmid(rm);
	int ret;

	if (READ_ONCE(*own) == GH_VMID_INVAL) {
		ret = gh_rm_call_why(rm, &call, rm_error);
		if (ret)
			return ret;
		WRITE_ONCE(*own, le16_to_cpu(resp.vmid));
	}

	*vmid = READ_ONCE(*own);
	return 0;
}

/* Nobody knows of the VMID that came too late, so nobody else can give it back. */
static void gh_rm_alloc_vmid_late(struct gh_rm_late *late)
{
	struct gh_rm_vmid_resp *resp = (struct gh_rm_vmid_resp *)late->resp;

	if (late->rm_error == GH_RM_ERROR_OK && late->resp_len == sizeof(*resp) &&
	    !gh_rm_dealloc_vmid(late->rm, le16_to_cpu(resp->vmid)))
		return;

	if (late->rm_error == GH_RM_ERROR_OK)
		gh_rm_count(late->rm, GH_RM_STAT_LOST_VMIDS);
}

/**
 * gh_rm_alloc_vmid() - Get a VMID for a new VM (VM_ALLOC_VMID, 0x56000001)
 * @rm: the resource manager
 * @vmid: set to the VMID
 * @rm_error: set to the resource manager's error code if it refused, and to
 *            GH_RM_ERROR_OK if it did not reply; a failure is then for the caller to
 *            log. NULL: it is logged here.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -ENODEV if all are in use; -ENOMEM; -EPROTO if it is none that a VM
 * can have; a negative errno of gh_rm_call(). A VMID that arrives after -ETIMEDOUT is given back.
 */
int gh_rm_alloc_vmid(struct gh_rm *rm, u16 *vmid, u32 *rm_error)
{
	/* VMID 0: whichever is free */
	struct gh_rm_vm_req req = {};
	struct gh_rm_vmid_resp resp;
	struct gh_rm_call call = {
		.id = GH_RM_RPC_VM_ALLOC_VMID,
		.req = &req,
		.req_len = sizeof(req),
		.resp = &resp,
		.resp_size = sizeof(resp),
	};
	int ret;

	call.late = kzalloc(sizeof(*call.late), GFP_KERNEL);
	if (!call.late)
		return -ENOMEM;
	call.late->fn = gh_rm_alloc_vmid_late;

	ret = gh_rm_call_why(rm, &call, rm_error);
	if (ret != -ETIMEDOUT)
		kfree(call.late);
	if (!ret) {
		u16 id = le16_to_cpu(resp.vmid);

		/* Neither is one that a VM can have. */
		if (id && id != GH_VMID_INVAL)
			*vmid = id;
		else
			ret = -EPROTO;
	}
	if (ret == -EPROTO)
		gh_rm_count(rm, GH_RM_STAT_LOST_VMIDS);

	return ret;
}

/**
 * gh_rm_dealloc_vmid() - Give a VMID back (VM_DEALLOC_VMID, 0x56000002)
 * @rm: the resource manager
 * @vmid: the VMID. Must be ours: an unknown one makes the resource manager assert.
 *
 * The VM must be in state LOAD or RESET.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -EBADFD in another state; a negative errno of gh_rm_call().
 */
int gh_rm_dealloc_vmid(struct gh_rm *rm, u16 vmid)
{
	return gh_rm_vm_call(rm, GH_RM_RPC_VM_DEALLOC_VMID, vmid, NULL);
}

/**
 * gh_rm_vm_configure() - Say where a VM's image and devicetree are
 *                        (VM_CONFIG_IMAGE, 0x56000009)
 * @rm: the resource manager
 * @vmid: the VM, in state LOAD
 * @auth: how the image is authenticated
 * @mem_handle: parcel with image and devicetree, with the VM in its ACL
 * @image_offset: start of the image in the parcel, in bytes
 * @image_size: its size in bytes
 * @dtb_offset: start of the devicetree in the parcel, in bytes, page aligned
 * @dtb_size: room for the devicetree in bytes, page aligned
 * @rm_error: as in gh_rm_alloc_vmid()
 *
 * The VM is then in state INIT, or in INIT_FAILED if this is refused.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -EBADFD in another state; -EINVAL if the parcel or a range is wrong;
 * a negative errno of gh_rm_call().
 */
int gh_rm_vm_configure(struct gh_rm *rm, u16 vmid, enum gh_rm_vm_auth_mechanism auth,
		       u32 mem_handle, u64 image_offset, u64 image_size, u64 dtb_offset,
		       u64 dtb_size, u32 *rm_error)
{
	struct gh_rm_vm_config_image_req req = {
		.vmid = cpu_to_le16(vmid),
		.auth_mech = cpu_to_le16(auth),
		.mem_handle = cpu_to_le32(mem_handle),
		.image_offset = cpu_to_le64(image_offset),
		.image_size = cpu_to_le64(image_size),
		.dtb_offset = cpu_to_le64(dtb_offset),
		.dtb_size = cpu_to_le64(dtb_size),
	};
	struct gh_rm_call call = {
		.id = GH_RM_RPC_VM_CONFIG_IMAGE,
		.req = &req,
		.req_len = sizeof(req),
	};

	return gh_rm_call_why(rm, &call, rm_error);
}

/**
 * gh_rm_vm_init() - Make a VM of what was configured (VM_INIT, 0x5600000b)
 * @rm: the resource manager
 * @vmid: the VM, in state INIT
 * @rm_error: as in gh_rm_alloc_vmid()
 *
 * Reads the devicetree. The VM is then in state READY, or in INIT_FAILED if this
 * is refused.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -EBADFD in another state; -EINVAL if the devicetree is bad; -ENODEV
 * if it asks for what there is not; a negative errno of gh_rm_call().
 */
int gh_rm_vm_init(struct gh_rm *rm, u16 vmid, u32 *rm_error)
{
	return gh_rm_vm_call(rm, GH_RM_RPC_VM_INIT, vmid, rm_error);
}

/**
 * gh_rm_vm_start() - Let a VM run (VM_START, 0x56000004)
 * @rm: the resource manager
 * @vmid: the VM, in state READY
 * @rm_error: as in gh_rm_alloc_vmid()
 *
 * The VM is then in state RUNNING, or in INIT_FAILED if this is refused.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -EBADFD in another state; -ENODEV if the image memory is not as the
 * resource manager demands; a negative errno of gh_rm_call().
 */
int gh_rm_vm_start(struct gh_rm *rm, u16 vmid, u32 *rm_error)
{
	return gh_rm_vm_call(rm, GH_RM_RPC_VM_START, vmid, rm_error);
}

/**
 * gh_rm_vm_stop() - Stop a VM by force (VM_STOP, 0x56000005)
 * @rm: the resource manager
 * @vmid: the VM, in state RUNNING or PAUSED
 *
 * Without force a VM is only asked to stop, and asking one that cannot hear it
 * takes the resource manager down. The VM is stopped once it is in state EXITED.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -EBADFD in another state; a negative errno of gh_rm_call().
 */
int gh_rm_vm_stop(struct gh_rm *rm, u16 vmid)
{
	struct gh_rm_vm_stop_req req = {
		.vmid = cpu_to_le16(vmid),
		.flags = GH_RM_VM_STOP_FLAG_FORCE,
		.stop_reason = cpu_to_le32(GH_RM_VM_STOP_REASON_FORCE),
	};
	struct gh_rm_call call = {
		.id = GH_RM_RPC_VM_STOP,
		.req = &req,
		.req_len = sizeof(req),
	};

	return gh_rm_call(rm, &call);
}

/**
 * gh_rm_vm_reset() - Begin to take a VM apart (VM_RESET, 0x56000006)
 * @rm: the resource manager
 * @vmid: the VM, in state EXITED, READY or INIT_FAILED, and only if it was
 *        configured: otherwise this may take the resource manager down
 *
 * The VM is then in state RESETTING, and some time later in RESET. Only then can
 * its memory be reclaimed.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -EBADFD in another state; a negative errno of gh_rm_call().
 */
int gh_rm_vm_reset(struct gh_rm *rm, u16 vmid)
{
	return gh_rm_vm_call(rm, GH_RM_RPC_VM_RESET, vmid, NULL);
}

/**
 * gh_rm_vm_get_state() - Ask for the state of a VM (VM_GET_STATE, 0x56000017)
 * @rm: the resource manager
 * @vmid: the VM
 * @status: set to its state
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -ENODEV if there is no such VM; a negative errno of gh_rm_call().
 */
int gh_rm_vm_get_state(struct gh_rm *rm, u16 vmid, enum gh_rm_vm_status *status)
{
	struct gh_rm_vm_req req = { .vmid = cpu_to_le16(vmid) };
	struct gh_rm_vm_state_resp resp;
	struct gh_rm_call call = {
		.id = GH_RM_RPC_VM_GET_STATE,
		.req = &req,
		.req_len = sizeof(req),
		.resp = &resp,
		.resp_size = sizeof(resp),
	};
	int ret;

	ret = gh_rm_call(rm, &call);
	if (!ret)
		*status = resp.vm_status;

	return ret;
}

/* What the reply says, in our byte order. Its length is the only one that can be right for it. */
static int gh_rm_read_resources(const struct gh_rm_vm_resources_resp *resp, size_t len,
				struct gh_rm_hyp_resources **resources)
{
	struct gh_rm_hyp_resources *new;
	u32 i, n;

	if (len < sizeof(*resp))
		return -EPROTO;
	n = le32_to_cpu(resp->n);
	if (len != struct_size(resp, resources, n))
		return -EPROTO;

	new = kvmalloc(struct_size(new, resources, n), GFP_KERNEL);
	if (!new)
		return -ENOMEM;

	new->n = n;
	for (i = 0; i < n; i++) {
		const struct gh_rm_vm_resource *r = &resp->resources[i];

		new->resources[i] = (struct gh_rm_hyp_resource) {
			.type = r->type,
			.partner_vmid = le16_to_cpu(r->partner_vmid),
			.handle = le32_to_cpu(r->handle),
			.label = le32_to_cpu(r->label),
			.capid = le64_to_cpu(r->capid),
			.virq_handle = le32_to_cpu(r->virq_handle),
			.virq = le32_to_cpu(r->virq),
			.base = le64_to_cpu(r->base),
			.size = le64_to_cpu(r->size),
		};
	}
	*resources = new;

	return 0;
}

/**
 * gh_rm_get_hyp_resources() - Ask which objects of the hypervisor come with a VM
 *                             (VM_GET_HYP_RESOURCES, 0x56000020)
 * @rm: the resource manager
 * @vmid: the VM, configured; before VM_INIT it has none
 * @resources: set to what we hold capabilities to, in the order of the resource
 *             manager's list. To be freed with kvfree().
 * @rm_error: as in gh_rm_alloc_vmid()
 *
 * Types that are not in enum gunyah_resource_type are passed on, too.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -ENODEV if the VM is in state LOAD or RESET; -EINVAL if there is no
 * such VM; -EPROTO if the list is not as long as it says; -ENOMEM; a negative
 * errno of gh_rm_call().
 */
int gh_rm_get_hyp_resources(struct gh_rm *rm, u16 vmid, struct gh_rm_hyp_resources **resources,
			    u32 *rm_error)
{
	struct gh_rm_vm_req req = { .vmid = cpu_to_le16(vmid) };
	struct gh_rm_call call = {
		.id = GH_RM_RPC_VM_GET_HYP_RESOURCES,
		.req = &req,
		.req_len = sizeof(req),
		/* How long it is we learn under a spinlock, so there is room for the longest. */
		.resp_size = GH_RM_MAX_PAYLOAD - sizeof(__le32),
		.resp_varies = true,
	};
	int ret;

	call.resp = kvmalloc(call.resp_size, GFP_KERNEL);
	if (!call.resp)
		return -ENOMEM;

	ret = gh_rm_call_why(rm, &call, rm_error);
	if (!ret) {
		ret = gh_rm_read_resources(call.resp, call.resp_len, resources);
		if (ret == -EPROTO) {
			gh_rm_count(rm, GH_RM_STAT_BAD_PACKETS);
			trace_gh_rm_bad_message(call.id, 0, call.resp_len, GH_RM_BAD_REPLY);
			if (!call.quiet)
				dev_warn_ratelimited(gh_rm_device(rm),
						     "list of the resources of VM %u makes no sense\n",
						     vmid);
		}
	}
	kvfree(call.resp);

	return ret;
}

/**
 * gh_rm_notification_vmid() - Which VM is a notification about?
 * @id: message id
 * @payload: payload of the notification
 * @len: length of @payload in bytes
 *
 * Context: Any.
 * Return: the VMID, or GH_VMID_INVAL if the notification is of a kind that we do
 * not know or is too short for its kind.
 */
u16 gh_rm_notification_vmid(u32 id, const void *payload, size_t len)
{
	const struct gh_rm_vm_exited_notif *exited = payload;
	const struct gh_rm_vm_status_notif *status = payload;

	switch (id) {
	case GH_RM_NOTIF_VM_EXITED:
		if (len < sizeof(*exited) ||
		    le32_to_cpu(exited->reason_size) > len - sizeof(*exited))
			return GH_VMID_INVAL;
		return le16_to_cpu(exited->vmid);
	case GH_RM_NOTIF_VM_STATUS:
		if (len < sizeof(*status))
			return GH_VMID_INVAL;
		return le16_to_cpu(status->vmid);
	default:
		return GH_VMID_INVAL;
	}
}

/**
 * gh_rm_notification_deliver() - Hand a notification to a VM's listener
 * @rm: the resource manager
 * @listener: the listener
 * @id: message id
 * @payload: payload of the notification, for which gh_rm_notification_vmid()
 *           found a VM
 * @len: length of @payload in bytes
 *
 * Context: Process context, in the order in which notifications came.
 */
void gh_rm_notification_deliver(struct gh_rm *rm, struct gh_rm_listener *listener, u32 id,
				const void *payload, size_t len)
{
	const struct gh_rm_vm_exited_notif *exited = payload;
	const struct gh_rm_vm_status_notif *status = payload;

	switch (id) {
	case GH_RM_NOTIF_VM_EXITED:
		listener->exited(listener, le16_to_cpu(exited->exit_type), exited->reason,
				 le32_to_cpu(exited->reason_size));
		break;
	case GH_RM_NOTIF_VM_STATUS:
		listener->status(listener, status->vm_status);
		break;
	}
}

const struct gh_rm_ops gh_rm_ops = {
	.check_platform = gh_rm_check_platform,
	.get_vmid = gh_rm_get_vmid,
	.alloc_vmid = gh_rm_alloc_vmid,
	.dealloc_vmid = gh_rm_dealloc_vmid,
	.vm_configure = gh_rm_vm_configure,
	.vm_init = gh_rm_vm_init,
	.vm_start = gh_rm_vm_start,
	.vm_stop = gh_rm_vm_stop,
	.vm_reset = gh_rm_vm_reset,
	.vm_get_state = gh_rm_vm_get_state,
	.get_hyp_resources = gh_rm_get_hyp_resources,
	.map_virq = gh_rm_map_virq,
	.unmap_virq = gh_rm_unmap_virq,
	.mem_lend = gh_rm_mem_lend,
	.mem_share = gh_rm_mem_share,
	.mem_reclaim = gh_rm_mem_reclaim,
	.listen = gh_rm_listen,
	.unlisten = gh_rm_unlisten,
	.flush_notifications = gh_rm_flush_notifications,
};

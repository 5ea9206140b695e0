/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __GH_RSC_MGR_H
#define __GH_RSC_MGR_H

#include <linux/gunyah.h>
#include <linux/gunyah_rsc_mgr.h>
#include <linux/workqueue.h>

/* What is shared between the call engine and the typed calls that are made with it. */

/* Messages of the resource manager's public interface that we send or understand */
#define GH_RM_RPC_MEM_LEND		0x51000012
#define GH_RM_RPC_MEM_SHARE		0x51000013
#define GH_RM_RPC_MEM_RECLAIM		0x51000015
#define GH_RM_RPC_MEM_APPEND		0x51000018
#define GH_RM_RPC_VM_ALLOC_VMID		0x56000001
#define GH_RM_RPC_VM_DEALLOC_VMID	0x56000002
#define GH_RM_RPC_VM_START		0x56000004
#define GH_RM_RPC_VM_STOP		0x56000005
#define GH_RM_RPC_VM_RESET		0x56000006
#define GH_RM_RPC_VM_CONFIG_IMAGE	0x56000009
#define GH_RM_RPC_VM_INIT		0x5600000b
#define GH_RM_RPC_VM_GET_STATE		0x56000017
#define GH_RM_RPC_VM_GET_HYP_RESOURCES	0x56000020
#define GH_RM_RPC_VM_GET_VMID		0x56000024

#define GH_RM_NOTIF_MEM_RELEASED	0x51100012	/* known by name only */
#define GH_RM_NOTIF_VM_EXITED		0x56100001
#define GH_RM_NOTIF_VM_STATUS		0x56100008

/* The names of errors: for GH_RM_NAME_TABLE, or what else is to be made of them */
#define GH_RM_ERROR_NAMES(apply, to)					\
	apply(to,							\
	      { GH_RM_ERROR_OK, "OK" },					\
	      { GH_RM_ERROR_NOMEM, "NOMEM" },				\
	      { GH_RM_ERROR_NORESOURCE, "NORESOURCE" },			\
	      { GH_RM_ERROR_DENIED, "DENIED" },				\
	      { GH_RM_ERROR_INVALID, "MSG_INVALID" },			\
	      { GH_RM_ERROR_BUSY, "BUSY" },				\
	      { GH_RM_ERROR_ARGUMENT_INVALID, "ARGUMENT_INVALID" },	\
	      { GH_RM_ERROR_HANDLE_INVALID, "HANDLE_INVALID" },		\
	      { GH_RM_ERROR_VALIDATE_FAILED, "VALIDATE_FAILED" },	\
	      { GH_RM_ERROR_MAP_FAILED, "MAP_FAILED" },			\
	      { GH_RM_ERROR_MEM_INVALID, "MEM_INVALID" },		\
	      { GH_RM_ERROR_MEM_INUSE, "MEM_INUSE" },			\
	      { GH_RM_ERROR_MEM_RELEASED, "MEM_RELEASED" },		\
	      { GH_RM_ERROR_VMID_INVALID, "VMID_INVALID" },		\
	      { GH_RM_ERROR_LOOKUP_FAILED, "LOOKUP_FAILED" },		\
	      { GH_RM_ERROR_IRQ_INVALID, "IRQ_INVALID" },		\
	      { GH_RM_ERROR_IRQ_INUSE, "IRQ_INUSE" },			\
	      { GH_RM_ERROR_IRQ_RELEASED, "IRQ_RELEASED" },		\
	      { GH_RM_ERROR_IN_USE, "IN_USE" },				\
	      { GH_RM_ERROR_IRQ_NOT_MAPPED, "IRQ_NOT_MAPPED" },		\
	      { GH_RM_ERROR_VM_STATE, "VM_STATE" },			\
	      { GH_RM_ERROR_UNIMPLEMENTED, "UNIMPLEMENTED" })

/**
 * enum gh_rm_bad - What is wrong with something that was received, for tracing
 * @GH_RM_BAD_PACKET: header or length of a packet
 * @GH_RM_BAD_STRAY: a packet that continues no message
 * @GH_RM_BAD_TYPE: a request: the resource manager has none for us
 * @GH_RM_BAD_UNEXPECTED: a reply to nothing that was asked
 * @GH_RM_BAD_REPLY: a reply that makes no sense
 */
enum gh_rm_bad {
	GH_RM_BAD_PACKET,
	GH_RM_BAD_STRAY,
	GH_RM_BAD_TYPE,
	GH_RM_BAD_UNEXPECTED,
	GH_RM_BAD_REPLY,
};

/* Longest payload of a late reply that anybody is interested in, in bytes */
#define GH_RM_LATE_RESP_SIZE		8

/**
 * struct gh_rm_late - What to do about a reply that comes after the deadline
 * @fn: called from process context with @rm_error, @resp and @resp_len filled in;
 *      may call the resource manager. The object is freed when it returns.
 *      Not called if the reply never comes.
 * @data: for @fn
 * @rm_error: the resource manager's error code
 * @resp: the reply's payload, after the error code
 * @resp_len: length of @resp in bytes, 0 if it was too long for @resp
 * @rm: the resource manager that was asked
 */
struct gh_rm_late {
	void (*fn)(struct gh_rm_late *late);
	void *data;
	u32 rm_error;
	u8 resp[GH_RM_LATE_RESP_SIZE] __aligned(4);
	size_t resp_len;
	struct gh_rm *rm;

	/* private: the call engine's */
	struct work_struct work;
	struct list_head list;
	u32 id;
	u16 seq;
};

/**
 * struct gh_rm_call - One request and its reply
 * @id: message id
 * @req: payload of the request, or NULL if there is @write
 * @req_len: length of the request's payload in bytes
 * @write: writes the payload, for one that is too large to be made somewhere else
 *         first. Called once, with the engine's lock held; an errno ends the call.
 * @resp: where the reply's payload after the error code goes
 * @resp_size: length that the payload of a successful reply must have there, in bytes
 * @resp_varies: it may also be shorter; whether it is whole is for the caller to see
 * @resp_len: set to its length if the call succeeds
 * @late: called if the reply comes after the deadline, or NULL. kmalloc'ed; the
 *        engine takes it over if the call ends in -ETIMEDOUT, and only then.
 * @quiet: a failure is for the caller to log
 * @rm_error: set to the resource manager's error code if it replied
 */
struct gh_rm_call {
	u32 id;
	const void *req;
	size_t req_len;
	int (*write)(struct gh_rm_call *call, void *req);
	void *resp;
	size_t resp_size;
	bool resp_varies;
	size_t resp_len;
	struct gh_rm_late *late;
	bool quiet;
	u32 rm_error;
};

int gh_rm_call(struct gh_rm *rm, struct gh_rm_call *call);
int gh_rm_error_remap(u32 rm_error);

/* Our own VMID, GH_VMID_INVAL until it has been asked for */
u16 *gh_rm_own_vmid(struct gh_rm *rm);

/* The parcels that all VMs of this host have at the resource manager together */
bool gh_rm_parcel_charge(struct gh_rm *rm);
void gh_rm_parcel_uncharge(struct gh_rm *rm);

/* The platform that must be told, while somebody uses it */
const struct gh_rm_platform_ops *gh_rm_platform_get(void);
void gh_rm_platform_put(const struct gh_rm_platform_ops *ops);

/* A parcel and the platform: before the resource manager gets it, and after */
int gh_rm_mem_assign(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel);
int gh_rm_mem_unassign(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel);

/* Decodes a notification and returns which VM it is about, or GH_VMID_INVAL. */
u16 gh_rm_notification_vmid(u32 id, const void *payload, size_t len);
void gh_rm_notification_deliver(struct gh_rm *rm, struct gh_rm_listener *listener, u32 id,
				const void *payload, size_t len);

/**
 * struct gh_rm_transport_ops - How packets get to the resource manager
 * @send: takes a message of one or more packets, see struct gh_msgq_tx_data, to be
 *        sent as soon as possible. It is answered by gh_rm_transport_sent() and must
 *        stay until then. May fail with an errno, in which case it is not answered.
 *        Does not sleep.
 *
 * Packets received go to gh_rm_transport_received().
 */
struct gh_rm_transport_ops {
	int (*send)(void *transport, struct gh_msgq_tx_data *message);
};

struct gh_rm *gh_rm_alloc(struct device *dev, const struct gh_rm_transport_ops *ops,
			  void *transport);
void gh_rm_close(struct gh_rm *rm);
void gh_rm_shutdown(struct gh_rm *rm);
void gh_rm_transport_sent(struct gh_rm *rm, int err);
void gh_rm_transport_received(struct gh_rm *rm, const void *packet, size_t len);

#endif /* __GH_RSC_MGR_H */

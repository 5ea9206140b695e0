/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_GUNYAH_H
#define _LINUX_GUNYAH_H

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/irq_work.h>
#include <linux/limits.h>
#include <linux/mailbox_controller.h>
#include <linux/types.h>

struct device;
struct platform_device;

/*
 * Results of hypercalls. The names and numbers are those of the hypervisor's public API document,
 * section "Error Code Enumeration".
 */
enum gh_error {
	GH_ERROR_OK			= 0,
	GH_ERROR_UNIMPLEMENTED		= -1,
	GH_ERROR_RETRY			= -2,

	GH_ERROR_ARG_INVAL		= 1,
	GH_ERROR_ARG_SIZE		= 2,
	GH_ERROR_ARG_ALIGN		= 3,

	GH_ERROR_NOMEM			= 10,
	GH_ERROR_NORESOURCES		= 11,

	GH_ERROR_ADDR_OVFL		= 20,
	GH_ERROR_ADDR_UNFL		= 21,
	GH_ERROR_ADDR_INVAL		= 22,

	GH_ERROR_DENIED			= 30,
	GH_ERROR_BUSY			= 31,
	GH_ERROR_IDLE			= 32,
	GH_ERROR_OBJECT_STATE		= 33,
	GH_ERROR_OBJECT_CONFIG		= 34,
	GH_ERROR_OBJECT_CONFIGURED	= 35,
	GH_ERROR_FAILURE		= 36,

	GH_ERROR_IRQ_BOUND		= 40,
	GH_ERROR_IRQ_UNBOUND		= 41,

	GH_ERROR_CSPACE_CAP_NULL	= 50,
	GH_ERROR_CSPACE_CAP_REVOKED	= 51,
	GH_ERROR_CSPACE_WRONG_OBJ_TYPE	= 52,
	GH_ERROR_CSPACE_INSUF_RIGHTS	= 53,
	GH_ERROR_CSPACE_FULL		= 54,

	GH_ERROR_MSGQUEUE_EMPTY		= 60,
	GH_ERROR_MSGQUEUE_FULL		= 61,
};

/**
 * gh_error_remap() - The errno for a hypercall's result
 * @gh_error: what the hypervisor returned
 *
 * Return: 0 or a negative errno; never the hypervisor's own code.
 */
static inline int gh_error_remap(enum gh_error gh_error)
{
	switch (gh_error) {
	case GH_ERROR_OK:
		return 0;
	case GH_ERROR_NOMEM:
		return -ENOMEM;
	case GH_ERROR_DENIED:
	case GH_ERROR_CSPACE_CAP_NULL:
	case GH_ERROR_CSPACE_CAP_REVOKED:
	case GH_ERROR_CSPACE_WRONG_OBJ_TYPE:
	case GH_ERROR_CSPACE_INSUF_RIGHTS:
	case GH_ERROR_CSPACE_FULL:
		return -EACCES;
	case GH_ERROR_BUSY:
	case GH_ERROR_IDLE:
		return -EBUSY;
	case GH_ERROR_IRQ_BOUND:
	case GH_ERROR_IRQ_UNBOUND:
	case GH_ERROR_MSGQUEUE_FULL:
	case GH_ERROR_MSGQUEUE_EMPTY:
		return -EIO;
	case GH_ERROR_UNIMPLEMENTED:
	case GH_ERROR_RETRY:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

/* Capability ids are opaque 64-bit values; 0 is a valid one. */
#define GH_CAPID_INVAL	U64_MAX

enum gunyah_resource_type {
	GUNYAH_RESOURCE_TYPE_BELL_TX	= 0,
	GUNYAH_RESOURCE_TYPE_BELL_RX	= 1,
	GUNYAH_RESOURCE_TYPE_MSGQ_TX	= 2,
	GUNYAH_RESOURCE_TYPE_MSGQ_RX	= 3,
	GUNYAH_RESOURCE_TYPE_VCPU	= 4,
};

/**
 * struct gunyah_resource - An object of the hypervisor that we hold a capability to
 * @type: what it is
 * @capid: the capability
 * @irq: Linux interrupt that the object raises, 0 if none
 */
struct gunyah_resource {
	enum gunyah_resource_type type;
	u64 capid;
	int irq;
};

/*
 * Hypercalls
 */

#define GH_API_V1			1

/* struct gh_hypercall_hyp_identify_resp, api_info */
#define GH_API_INFO_API_VERSION_MASK	GENMASK_ULL(13, 0)
#define GH_API_INFO_BIG_ENDIAN		BIT_ULL(14)
#define GH_API_INFO_IS_64BIT		BIT_ULL(15)
#define GH_API_INFO_VARIANT_MASK	GENMASK_ULL(63, 56)

/* struct gh_hypercall_hyp_identify_resp, flags[0] */
#define GH_IDENTIFY_PARTITION_CSPACE	BIT_ULL(0)
#define GH_IDENTIFY_DOORBELL		BIT_ULL(1)
#define GH_IDENTIFY_MSGQUEUE		BIT_ULL(2)

/**
 * struct gh_hypercall_hyp_identify_resp - What the hypervisor says of itself
 * @api_info: version, see GH_API_INFO_*
 * @flags: features, see GH_IDENTIFY_*
 */
struct gh_hypercall_hyp_identify_resp {
	u64 api_info;
	u64 flags[3];
};

static inline u16 gh_api_version(const struct gh_hypercall_hyp_identify_resp *resp)
{
	return FIELD_GET(GH_API_INFO_API_VERSION_MASK, resp->api_info);
}

#define GH_HYPERCALL_MSGQ_TX_FLAGS_PUSH	BIT(0)

/**
 * enum gh_vcpu_state - Why a vCPU left, &struct gh_hypercall_vcpu_run_resp
 * @GH_VCPU_STATE_READY: its time is over or the host has an interrupt; it can go on
 * @GH_VCPU_STATE_EXPECTS_WAKEUP: it sleeps until its interrupt. state_data[0] is 0
 *                                for WFI, else what PSCI was asked for.
 * @GH_VCPU_STATE_POWERED_OFF: it is off until its interrupt, or if state_data[0] is
 *                             not 0 until the VM is reset
 * @GH_VCPU_STATE_BLOCKED: something in the hypervisor keeps it for the moment
 * @GH_VCPU_ADDRSPACE_VMMIO_READ: it reads state_data[1] bytes at state_data[0]
 * @GH_VCPU_ADDRSPACE_VMMIO_WRITE: it writes state_data[1] bytes at state_data[0],
 *                                 of which state_data[2] is the value
 * @GH_VCPU_STATE_FAULT: it cannot go on, ever
 * @GH_VCPU_STATE_SYSTEM_RESET: it has asked PSCI to reset the VM. state_data[0] says
 *                              how, state_data[1] is the cookie.
 *
 * The states are those of the hypervisor's public API document, section "Run a
 * Proxy-Scheduled VCPU".
 */
enum gh_vcpu_state {
	GH_VCPU_STATE_READY		= 0,
	GH_VCPU_STATE_EXPECTS_WAKEUP	= 1,
	GH_VCPU_STATE_POWERED_OFF	= 2,
	GH_VCPU_STATE_BLOCKED		= 3,
	GH_VCPU_ADDRSPACE_VMMIO_READ	= 4,
	GH_VCPU_ADDRSPACE_VMMIO_WRITE	= 5,
	GH_VCPU_STATE_FAULT		= 6,
	GH_VCPU_STATE_SYSTEM_RESET	= 0x100,
};

/* state_data[0] of GH_VCPU_STATE_SYSTEM_RESET: SYSTEM_RESET, else SYSTEM_RESET2 */
#define GH_VCPU_SYSTEM_RESET_PLAIN	BIT_ULL(63)

/**
 * struct gh_hypercall_vcpu_run_resp - How a vCPU left
 * @state: enum gh_vcpu_state, or something that we do not know
 * @state_data: depends on @state
 */
struct gh_hypercall_vcpu_run_resp {
	u64 state;
	u64 state_data[3];
};

#if IS_ENABLED(CONFIG_GUNYAH_HYPERCALL)
bool arch_is_gh_guest(void);
bool arch_has_gh_qcom_ext(void);
void gh_hypercall_hyp_identify(struct gh_hypercall_hyp_identify_resp *hyp_identity);
enum gh_error gh_hypercall_msgq_send(u64 capid, size_t size, void *buff, u64 tx_flags, bool *ready);
enum gh_error gh_hypercall_msgq_recv(u64 capid, void *buff, size_t size, size_t *recv_size,
				     bool *ready);
enum gh_error gh_hypercall_bell_send(u64 capid, u64 new_flags, u64 *old_flags);
enum gh_error gh_hypercall_bell_set_mask(u64 capid, u64 enable_mask, u64 ack_mask);
enum gh_error gh_hypercall_vcpu_run(u64 capid, u64 resume_data,
				    struct gh_hypercall_vcpu_run_resp *resp);
#else
/* Compile testing where there is no HVC instruction: no hypervisor, ever. */
static inline bool arch_is_gh_guest(void)
{
	return false;
}

static inline bool arch_has_gh_qcom_ext(void)
{
	return false;
}

static inline void
gh_hypercall_hyp_identify(struct gh_hypercall_hyp_identify_resp *hyp_identity)
{
	*hyp_identity = (struct gh_hypercall_hyp_identify_resp) {};
}

static inline enum gh_error
gh_hypercall_msgq_send(u64 capid, size_t size, void *buff, u64 tx_flags, bool *ready)
{
	*ready = false;
	return GH_ERROR_UNIMPLEMENTED;
}

static inline enum gh_error
gh_hypercall_msgq_recv(u64 capid, void *buff, size_t size, size_t *recv_size, bool *ready)
{
	*recv_size = 0;
	*ready = false;
	return GH_ERROR_UNIMPLEMENTED;
}

static inline enum gh_error gh_hypercall_bell_send(u64 capid, u64 new_flags, u64 *old_flags)
{
	return GH_ERROR_UNIMPLEMENTED;
}

static inline enum gh_error
gh_hypercall_bell_set_mask(u64 capid, u64 enable_mask, u64 ack_mask)
{
	return GH_ERROR_UNIMPLEMENTED;
}

static inline enum gh_error
gh_hypercall_vcpu_run(u64 capid, u64 resume_data, struct gh_hypercall_vcpu_run_resp *resp)
{
	return GH_ERROR_UNIMPLEMENTED;
}

#endif /* CONFIG_GUNYAH_HYPERCALL */

/*
 * Message queues
 */

/* Size of one message in a queue of the resource manager, in bytes */
#define GH_MSGQ_MAX_MSG_SIZE		240

/**
 * struct gh_msgq_tx_data - One or more messages to send
 * @data: the message; the hypervisor reads it through this virtual address
 * @length: length of @data in bytes, at most GH_MSGQ_MAX_MSG_SIZE
 * @push: interrupt the receiver even if its queue was not empty
 * @next: called when the message has been sent, which its memory may then be used
 *        for something else: makes this describe the one that follows, or returns
 *        false if none does. Atomic context. NULL if there is one message only.
 *
 * The messages are one request to the mailbox: they go out as long as the queue has
 * space, and tx_done() is called once, for all of them. If one cannot be sent those
 * behind it are not. Belongs to the mailbox from mbox_send_message() until tx_done().
 */
struct gh_msgq_tx_data {
	void *data;
	size_t length;
	bool push;
	bool (*next)(struct gh_msgq_tx_data *msg);
};

/**
 * struct gh_msgq_rx_data - One message received
 * @length: length of @data in bytes
 * @data: the message, valid during the rx_callback() only
 */
struct gh_msgq_rx_data {
	size_t length;
	u8 data[GH_MSGQ_MAX_MSG_SIZE] __aligned(8);
};

struct gh_msgq;

/**
 * struct gh_msgq_hypercalls - What a test has in place of the hypervisor
 * @send: for gh_hypercall_msgq_send()
 * @recv: for gh_hypercall_msgq_recv()
 */
struct gh_msgq_hypercalls {
	enum gh_error (*send)(struct gh_msgq *msgq, u64 capid, size_t size, void *buff,
			      u64 tx_flags, bool *ready);
	enum gh_error (*recv)(struct gh_msgq *msgq, u64 capid, void *buff, size_t size,
			      size_t *recv_size, bool *ready);
};

/**
 * struct gh_msgq - A queue in each direction, as one mailbox channel
 * @pdev: the controller's device, see drivers/mailbox/gunyah-msgq.c
 * @mbox: the controller that the two queues make
 * @chan: its only channel; bind a client with mbox_bind_client()
 * @tx: queue that we send to; its interrupt says that there is space again
 * @rx: queue that we receive from; its interrupt says that there is a message
 * @tx_requested: the interrupt of @tx is ours
 * @rx_requested: the interrupt of @rx is ours
 * @tx_waiting: bit 0: the message at the head of the channel waits for @tx's
 *              interrupt
 * @txdone_work: completes a message outside of the channel's lock
 * @txdone_err: what @txdone_work completes it with
 * @rx_data: the message being handed to the client, used by the interrupt
 *           thread of @rx only
 * @hypercalls: for tests only: what to call in place of the hypervisor. KUnit's
 *              static stubs act in the test's own thread only, and most of the
 *              hypercalls are made in others and in interrupts.
 */
struct gh_msgq {
	struct platform_device *pdev;
	struct mbox_controller mbox;
	struct mbox_chan chan;
	struct gunyah_resource tx;
	struct gunyah_resource rx;

	bool tx_requested;
	bool rx_requested;
	unsigned long tx_waiting;
	struct irq_work txdone_work;
	int txdone_err;

	struct gh_msgq_rx_data rx_data;

#if IS_ENABLED(CONFIG_GUNYAH_KUNIT_TEST)
	const struct gh_msgq_hypercalls *hypercalls;
#endif
};

int gh_msgq_init(struct device *parent, struct gh_msgq *msgq,
		 const struct gunyah_resource *tx, const struct gunyah_resource *rx);
void gh_msgq_remove(struct gh_msgq *msgq);

#endif /* _LINUX_GUNYAH_H */

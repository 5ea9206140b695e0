/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rm_model: what the Gunyah resource manager does with the messages of its
 * primary VM, in plain C. The test hypervisor runs it behind real message
 * queues, KUnit runs it behind the driver's call engine, and a host program
 * replays recorded traffic against it.
 *
 * It needs fixed-width integers, memcpy(), memmove() and memset() and nothing
 * else: no allocation, no clock, no locks. The caller serialises all calls.
 */
#ifndef _GUNYAH_RM_MODEL_H
#define _GUNYAH_RM_MODEL_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#endif

#define RM_PACKET_SIZE		240
#define RM_HOST_VMID		3

enum rm_error {
	RM_OK			= 0,
	RM_NOMEM		= 1,
	RM_NORESOURCE		= 2,
	RM_DENIED		= 3,
	RM_MSG_INVALID		= 4,
	RM_BUSY			= 5,
	RM_ARGUMENT_INVALID	= 6,
	RM_HANDLE_INVALID	= 7,
	RM_VALIDATE_FAILED	= 8,
	RM_MAP_FAILED		= 9,
	RM_MEM_INVALID		= 0xa,
	RM_MEM_INUSE		= 0xb,
	RM_MEM_RELEASED		= 0xc,
	RM_VMID_INVALID		= 0xd,
	RM_LOOKUP_FAILED	= 0xe,
	RM_IRQ_INVALID		= 0xf,
	RM_IRQ_INUSE		= 0x10,
	RM_IRQ_RELEASED		= 0x11,
	RM_IN_USE		= 0x12,
	RM_IRQ_NOT_MAPPED	= 0x13,
	RM_VM_STATE		= 0x14,
};

#define RM_UNIMPLEMENTED	0xffffffffu

enum rm_policy { RM_POLICY_PRODUCTION, RM_POLICY_DEBUG };

enum rm_vm_state {
	RM_VM_NONE		= 0,
	RM_VM_INIT		= 1,
	RM_VM_READY		= 2,
	RM_VM_RUNNING		= 3,
	RM_VM_PAUSED		= 4,
	RM_VM_LOAD		= 5,
	RM_VM_AUTH		= 6,
	RM_VM_INIT_FAILED	= 8,
	RM_VM_EXITED		= 9,
	RM_VM_RESETTING		= 10,
	RM_VM_RESET		= 11,
};

struct rm_mem_entry {
	uint64_t addr;
	uint64_t size;
};

/* What VM_CONFIG_IMAGE told about a VM */
struct rm_image {
	uint32_t handle;
	uint64_t image_offset;
	uint64_t image_size;
	uint64_t dtb_offset;
	uint64_t dtb_size;
};

/* An entry of VM_GET_HYP_RESOURCES; what is not here is 0 on the wire */
struct rm_resource {
	uint8_t type;
	uint16_t partner_vmid;
	uint32_t label;
	uint64_t capid;
	uint32_t virq;
	uint64_t base;
	uint64_t size;
};

/* Who may access a parcel */
struct rm_acl {
	uint16_t vmid;
	uint8_t rights;			/* R 4, W 2, X 1 */
	bool accepted;			/* the model's */
};

/*
 * What the model needs from whoever runs it. A function that returns a uint32_t
 * returns an enum rm_error; one that returns void cannot fail, because the
 * model asks first (mem_owned, vm_start).
 */
struct rm_env_ops {
	/* Put a packet into the host's receive queue; false if that is full. */
	bool (*send)(void *env, const void *packet, uint32_t len);
	/* Is the range memory of the host that it has not lent away? */
	bool (*mem_owned)(void *env, uint64_t addr, uint64_t size);
	/*
	 * Where others keep a list of who has which memory: is the range with just those
	 * who are to have it? May be NULL: there is nobody else.
	 */
	bool (*mem_assigned)(void *env, uint64_t addr, uint64_t size, const struct rm_acl *acl,
			     uint32_t n);
	/* Take the host's access away, and give it back. */
	void (*mem_lend)(void *env, uint64_t addr, uint64_t size);
	void (*mem_return)(void *env, uint64_t addr, uint64_t size);
	void (*mem_zero)(void *env, uint64_t addr, uint64_t size);
	/* VM_INIT: read the guest's devicetree. */
	uint32_t (*vm_init)(void *env, uint16_t vmid, const struct rm_image *image);
	/* VM_START: build the guest's address space and let it run. */
	uint32_t (*vm_start)(void *env, uint16_t vmid, const struct rm_image *image);
	/* The guest runs no more when this returns. Also called for a guest that exited. */
	void (*vm_kill)(void *env, uint16_t vmid);
	/*
	 * RESET, second half: the guest's address space is gone when this returns. Also
	 * called for a VM that was not started, or whose vm_init failed.
	 */
	void (*vm_teardown)(void *env, uint16_t vmid);
	/* Does the guest have an rm-rpc vdevice? */
	bool (*vm_has_rpc)(void *env, uint16_t vmid);
	/* What would kill the real resource manager. Need not return. */
	void (*die)(void *env, const char *cause);
	/*
	 * The VM's resource number @index, counted from 0; false if there are no more.
	 * VMID 255 is the resource manager itself. May be NULL: nobody has resources.
	 */
	bool (*resource)(void *env, uint16_t vmid, uint32_t index, struct rm_resource *resource);
};

struct rm_model;

/* Bytes of memory for a model that can hold @max_entries memory entries in all */
size_t rm_model_size(uint32_t max_entries);
/* @mem: rm_model_size() bytes, 16 byte aligned */
struct rm_model *rm_model_init(void *mem, uint32_t max_entries, const struct rm_env_ops *ops,
			       void *env, enum rm_policy policy);

/* One packet from the host, as it was in the queue. */
void rm_model_receive(struct rm_model *m, const void *packet, uint32_t len);
/*
 * Everything the model does of its own accord: the second half of RESET, packets
 * that did not fit into the queue, delayed messages. Call it whenever something
 * may have changed. Returns true if it should be called again soon.
 */
bool rm_model_poll(struct rm_model *m, uint64_t now_ms);
/* A running guest has ended. @reason: 32-bit words, the first 8 of which are told */
void rm_model_guest_exited(struct rm_model *m, uint16_t vmid, uint16_t exit_type,
			   const uint32_t *reason, uint32_t reason_words);

/*
 * The parcels that a VM is in the ACL of, for vm_init and vm_start. Iterate with
 * *pos = 0; NULL ends. A parcel that is still open (append) does not count.
 */
struct rm_parcel_info {
	uint32_t handle;
	uint32_t label;
	bool lent;			/* else shared */
	uint8_t rights;			/* of this VM: R 4, W 2, X 1 */
	uint32_t acl_entries;
	uint32_t attr_entries;
	uint32_t entries;		/* memory entries */
	uint64_t size;			/* bytes in all */
	const void *priv;
};

bool rm_model_next_parcel(const struct rm_model *m, uint16_t vmid, uint32_t *pos,
			  struct rm_parcel_info *info);
/* Memory entries of a parcel in order: *cursor = NULL starts, false ends. */
bool rm_model_next_entry(const struct rm_model *m, const struct rm_parcel_info *info,
			 const void **cursor, struct rm_mem_entry *entry);
/*
 * From vm_start only: the VM accepts the parcel, until RESET has released it. The
 * image parcel is accepted by the model before it calls vm_start.
 */
void rm_model_accept(struct rm_model *m, uint16_t vmid, uint32_t handle);

/* Is any of that in a parcel? */
bool rm_model_uses(const struct rm_model *m, uint64_t addr, uint64_t size);

/* Figures for tests */
uint32_t rm_model_vmids(const struct rm_model *m);
uint32_t rm_model_parcels(const struct rm_model *m);
uint32_t rm_model_running(const struct rm_model *m);
/* Whole requests that came, and whole replies and notifications that went, since init */
uint32_t rm_model_received(const struct rm_model *m);
uint32_t rm_model_sent(const struct rm_model *m);
enum rm_vm_state rm_model_vm_state(const struct rm_model *m, uint16_t vmid);

/*
 * Faults: see tools/testing/gunyah/lab_ctl.h for the meaning of each action.
 */
struct rm_fault {
	uint32_t msg_id;
	uint32_t action;		/* GH_LAB_FAULT_* */
	uint32_t arg;
	uint32_t skip;
	uint32_t count;
};

bool rm_model_fault_add(struct rm_model *m, const struct rm_fault *fault);
void rm_model_fault_clear(struct rm_model *m);
uint32_t rm_model_fault_hits(const struct rm_model *m);

#endif /* _GUNYAH_RM_MODEL_H */

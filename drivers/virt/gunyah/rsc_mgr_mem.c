// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah resource manager: memory parcels
 *
 * A parcel is memory that its owner lends to (and then has no access to any more)
 * or shares with other VMs. It is a list of contiguous pieces and an ACL. One
 * message holds up to 512 pieces; a parcel with more is created open and grows by
 * further messages, the last of which closes it. An open parcel can be reclaimed
 * like any other.
 *
 * What a parcel's state says is the whole contract with its owner: memory may be
 * used again if it is GH_RM_PARCEL_NONE, and in no other case. Every path out of
 * here sets it.
 * Where a platform must be told, it is told before the resource manager, and after it
 * on the way back: rsc_mgr_platform.c.
 *
 * Memory is not sanitised by the resource manager, neither when it is given away
 * (it holds the guest's image) nor when it comes back (its owner is the process
 * whose guest it was).
 */

#include <linux/slab.h>
#include <trace/events/gunyah.h>
#include <asm/byteorder.h>

#include "rsc_mgr.h"

#define GH_MEM_CREATE_FLAG_APPEND	BIT(1)
#define GH_MEM_APPEND_FLAG_END		BIT(0)

struct gh_rm_mem_create_hdr {
	u8 mem_type;
	u8 zero0;
	u8 flags;
	u8 zero1;
	__le32 label;
} __packed;

struct gh_rm_mem_append_hdr {
	__le32 mem_handle;
	u8 flags;
	u8 zero[3];
} __packed;

/* In front of each list */
struct gh_rm_list_hdr {
	__le16 n;
	__le16 zero;
} __packed;

struct gh_rm_acl {
	__le16 vmid;
	u8 perms;
	u8 zero;
} __packed;

struct gh_rm_mem {
	__le64 addr;
	__le64 size;
} __packed;

struct gh_rm_mem_reclaim_req {
	__le32 mem_handle;
	u8 flags;
	u8 zero[3];
} __packed;

struct gh_rm_mem_create_resp {
	__le32 mem_handle;
} __packed;

static size_t gh_rm_list_size(size_t n, size_t entry)
{
	return sizeof(struct gh_rm_list_hdr) + n * entry;
}

/* Write the next @n pieces of memory; returns the byte behind them or NULL if there are fewer. */
static void *gh_rm_put_mem_list(struct gh_rm_mem_iter *iter, void *buf, size_t n)
{
	struct gh_rm_list_hdr *hdr = buf;
	struct gh_rm_mem *mem = buf + sizeof(*hdr);
	u64 addr, size;
	size_t i;

	hdr->n = cpu_to_le16(n);
	hdr->zero = 0;
	for (i = 0; i < n; i++, mem++) {
		if (WARN_ON_ONCE(!iter->next(iter, &addr, &size)))
			return NULL;
		mem->addr = cpu_to_le64(addr);
		mem->size = cpu_to_le64(size);
	}

	return mem;
}

static void *gh_rm_put_acl_list(const struct gh_rm_mem_parcel *parcel, void *buf)
{
	struct gh_rm_list_hdr *hdr = buf;
	struct gh_rm_acl *acl = buf + sizeof(*hdr);
	size_t i;

	hdr->n = cpu_to_le16(parcel->n_acl_entries);
	hdr->zero = 0;
	for (i = 0; i < parcel->n_acl_entries; i++, acl++) {
		acl->vmid = cpu_to_le16(parcel->acl_entries[i].vmid);
		acl->perms = parcel->acl_entries[i].perms;
		acl->zero = 0;
	}

	return acl;
}

/**
 * struct gh_rm_mem_call - A call with a list of memory
 * @call: the call
 * @parcel: the parcel
 * @n: so many of its pieces are in the message
 * @last: those are the last
 */
struct gh_rm_mem_call {
	struct gh_rm_call call;
	struct gh_rm_mem_parcel *parcel;
	size_t n;
	bool last;
};

static int gh_rm_mem_write_append(struct gh_rm_call *call, void *req)
{
	struct gh_rm_mem_call *mem = container_of(call, struct gh_rm_mem_call, call);
	struct gh_rm_mem_append_hdr *hdr = req;

	*hdr = (struct gh_rm_mem_append_hdr) {
		.mem_handle = cpu_to_le32(mem->parcel->mem_handle),
		.flags = mem->last ? GH_MEM_APPEND_FLAG_END : 0,
	};

	return gh_rm_put_mem_list(mem->parcel->iter, hdr + 1, mem->n) ? 0 : -EINVAL;
}

/* Append what is left of @parcel, of which the first message took @sent pieces. */
static int gh_rm_mem_append(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel, size_t sent)
{
	int ret;

	while (sent < parcel->n_mem_entries) {
		size_t n = min_t(size_t, parcel->n_mem_entries - sent, GH_RM_MAX_MEM_ENTRIES);
		struct gh_rm_mem_call mem = {
			.call.id = GH_RM_RPC_MEM_APPEND,
			.call.req_len = sizeof(struct gh_rm_mem_append_hdr) +
					gh_rm_list_size(n, sizeof(struct gh_rm_mem)),
			.call.write = gh_rm_mem_write_append,
			.call.quiet = true,
			.parcel = parcel,
			.n = n,
			.last = sent + n == parcel->n_mem_entries,
		};

		ret = gh_rm_call(rm, &mem.call);
		trace_gh_rm_mem_append(parcel, n, ret);
		if (ret) {
			parcel->why.rm_error = mem.call.rm_error;
			parcel->why.append = true;
			return ret;
		}

		sent += n;
	}

	return 0;
}

static int gh_rm_mem_write_create(struct gh_rm_call *call, void *req)
{
	struct gh_rm_mem_call *mem = container_of(call, struct gh_rm_mem_call, call);
	struct gh_rm_mem_create_hdr *hdr = req;
	struct gh_rm_list_hdr *attr;

	*hdr = (struct gh_rm_mem_create_hdr) {
		.mem_type = mem->parcel->mem_type,
		.flags = mem->last ? 0 : GH_MEM_CREATE_FLAG_APPEND,
		.label = cpu_to_le32(mem->parcel->label),
	};

	attr = gh_rm_put_mem_list(mem->parcel->iter, gh_rm_put_acl_list(mem->parcel, hdr + 1),
				  mem->n);
	if (!attr)
		return -EINVAL;

	/* No attributes: what the resource manager demands of image memory */
	*attr = (struct gh_rm_list_hdr) {};
	return 0;
}

static void gh_rm_mem_create_late(struct gh_rm_late *late)
{
	struct gh_rm_mem_create_resp *resp = (struct gh_rm_mem_create_resp *)late->resp;
	struct gh_rm_mem_parcel *parcel = late->data;

	if (late->rm_error != GH_RM_ERROR_OK) {
		gh_rm_parcel_uncharge(late->rm);
		/* Whoever it is told reclaims it from the platform in the end. */
		parcel->late(parcel, parcel->platform ? GH_RM_PARCEL_ASSIGNED : GH_RM_PARCEL_NONE,
			     GH_MEM_HANDLE_INVAL);
	} else if (late->resp_len == sizeof(*resp)) {
		parcel->late(parcel, GH_RM_PARCEL_HELD, le32_to_cpu(resp->mem_handle));
	}
}

static int gh_rm_mem_create(struct gh_rm *rm, u32 id, struct gh_rm_mem_parcel *parcel)
{
	size_t n = min_t(size_t, parcel->n_mem_entries, GH_RM_MAX_MEM_ENTRIES);
	struct gh_rm_mem_create_resp resp;
	struct gh_rm_mem_call mem = {
		.call.id = id,
		.call.write = gh_rm_mem_write_create,
		.call.quiet = true,
		.call.resp = &resp,
		.call.resp_size = sizeof(resp),
		.parcel = parcel,
		.n = n,
		.last = n == parcel->n_mem_entries,
	};
	struct gh_rm_late *late = NULL;
	int ret;

	parcel->why = (struct gh_rm_mem_why) {};
	if (!parcel->n_mem_entries || !parcel->n_acl_entries ||
	    parcel->n_acl_entries > GH_RM_MAX_MEM_ENTRIES)
		return -EINVAL;

	if (!gh_rm_parcel_charge(rm))
		return -ENOSPC;

	ret = gh_rm_mem_assign(rm, parcel);
	if (ret)
		goto out;

	late = kzalloc(sizeof(*late), GFP_KERNEL);
	if (!late) {
		ret = -ENOMEM;
		goto out;
	}
	late->fn = gh_rm_mem_create_late;
	late->data = parcel;

	mem.call.late = late;
	mem.call.req_len = sizeof(struct gh_rm_mem_create_hdr) +
			   gh_rm_list_size(parcel->n_acl_entries, sizeof(struct gh_rm_acl)) +
			   gh_rm_list_size(n, sizeof(struct gh_rm_mem)) +
			   sizeof(struct gh_rm_list_hdr);
	ret = gh_rm_call(rm, &mem.call);
	parcel->why.rm_error = mem.call.rm_error;
	if (!ret) {
		WRITE_ONCE(parcel->state, GH_RM_PARCEL_HELD);
		parcel->mem_handle = le32_to_cpu(resp.mem_handle);

		ret = gh_rm_mem_append(rm, parcel, n);
		/* Should the reclaim fail, too, the parcel's state says so. */
		if (ret)
			gh_rm_mem_reclaim(rm, parcel);
		goto out_free;
	}

	if (gh_rm_outcome_unknown(ret))
		WRITE_ONCE(parcel->state, GH_RM_PARCEL_UNKNOWN);
	/* The call engine has taken it over. */
	if (ret == -ETIMEDOUT)
		late = NULL;
out:
	/* What the platform does not give back, the parcel's state says. */
	if (parcel->state != GH_RM_PARCEL_UNKNOWN) {
		gh_rm_parcel_uncharge(rm);
		gh_rm_mem_unassign(rm, parcel);
	}
out_free:
	kfree(late);
	return ret;
}

/**
 * gh_rm_mem_lend() - Give memory away for a while (MEM_LEND, 0x51000012)
 * @rm: the resource manager
 * @parcel: the memory, in state GH_RM_PARCEL_NONE. Must stay while its state is
 *          another.
 *
 * The host must not touch the memory while the parcel exists.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0; -ENOSPC if there are GH_RM_MAX_PARCELS parcels already; -ENOMEM; -ENOPKG
 * if the platform must be told and nobody can; -EREMOTEIO if it refused; a negative
 * errno of gh_rm_call(). After an error look at the parcel's state: the resource
 * manager, or the platform, may have kept the memory all the same. The error is not
 * logged: &gh_rm_mem_parcel.why has what there is to be said.
 */
int gh_rm_mem_lend(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel)
{
	int ret = gh_rm_mem_create(rm, GH_RM_RPC_MEM_LEND, parcel);

	trace_gh_rm_mem_lend(parcel, ret);
	return ret;
}

/**
 * gh_rm_mem_share() - Give others access to memory (MEM_SHARE, 0x51000013)
 * @rm: the resource manager
 * @parcel: the memory, as for gh_rm_mem_lend()
 *
 * Context: Process context. See gh_rm_call().
 * Return: as gh_rm_mem_lend().
 */
int gh_rm_mem_share(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel)
{
	int ret = gh_rm_mem_create(rm, GH_RM_RPC_MEM_SHARE, parcel);

	trace_gh_rm_mem_share(parcel, ret);
	return ret;
}

static int gh_rm_mem_take_back(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel)
{
	struct gh_rm_mem_reclaim_req req = { .mem_handle = cpu_to_le32(parcel->mem_handle) };
	struct gh_rm_call call = {
		.id = GH_RM_RPC_MEM_RECLAIM,
		.req = &req,
		.req_len = sizeof(req),
	};
	int ret;

	ret = gh_rm_call(rm, &call);

	/*
	 * Handles are not reused. If the resource manager does not know this one
	 * any more the reclaim that it did not answer was carried out.
	 */
	if (ret && parcel->reclaim_asked && call.rm_error == GH_RM_ERROR_HANDLE_INVALID)
		ret = 0;

	trace_gh_rm_mem_reclaim(parcel, ret);
	if (ret) {
		if (gh_rm_outcome_unknown(ret))
			parcel->reclaim_asked = true;
		return ret;
	}

	parcel->mem_handle = GH_MEM_HANDLE_INVAL;
	parcel->reclaim_asked = false;
	gh_rm_parcel_uncharge(rm);
	return 0;
}

/**
 * gh_rm_mem_reclaim() - Take memory back (MEM_RECLAIM, 0x51000015)
 * @rm: the resource manager
 * @parcel: the memory, in state GH_RM_PARCEL_HELD or GH_RM_PARCEL_ASSIGNED
 *
 * Refused while a VM has accepted the memory, which it has from its start until
 * its reset is complete. In the latter state there is only the platform to ask.
 *
 * Context: Process context. See gh_rm_call().
 * Return: 0 and the parcel is in state GH_RM_PARCEL_NONE; -EINVAL if it is still
 * in use; -EREMOTEIO if the platform did not give it back; a negative errno of
 * gh_rm_call(). After an error the parcel must be reclaimed again.
 */
int gh_rm_mem_reclaim(struct gh_rm *rm, struct gh_rm_mem_parcel *parcel)
{
	int ret;

	if (parcel->state == GH_RM_PARCEL_HELD) {
		ret = gh_rm_mem_take_back(rm, parcel);
		if (ret)
			return ret;
	}

	return gh_rm_mem_unassign(rm, parcel);
}

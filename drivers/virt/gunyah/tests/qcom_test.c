// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of what Qualcomm's firmware is told of memory parcels, from gh_rm_mem_lend()
 * down to the firmware, and of who may do the telling.
 *
 * Both ends are fakes: the peer of a fake transport is the resource manager, and there is
 * a firmware that keeps a list of who has which memory and refuses what TrustZone refuses.
 * Whatever goes wrong, at the end of a test the list is as it was at its start, or the
 * parcel says that it is not.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/firmware/qcom/qcom_scm.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "../gunyah_qcom.h"
#include "fake_transport.h"

#define LEND		0x51000012
#define SHARE		0x51000013
#define RECLAIM		0x51000015
#define APPEND		0x51000018
#define GET_VMID	0x56000024

#define HANDLE		0x00c0ffee
#define LABEL		17
#define HOST		3
#define PIECES		5
#define MANY_PIECES	(512 + 2)

#define R	GH_RM_ACL_R
#define RW	(GH_RM_ACL_R | GH_RM_ACL_W)
#define RX	(GH_RM_ACL_R | GH_RM_ACL_X)
#define RWX	(GH_RM_ACL_R | GH_RM_ACL_W | GH_RM_ACL_X)

/*
 * The firmware
 */

#define TZ_MAX_USERS	4
#define TZ_VMIDS	64
#define TZ_NEVER	UINT_MAX

/* Codes of the firmware's own */
#define TZ_BAD_RANGE	2
#define TZ_BAD_SOURCE	3
#define TZ_BAD_DEST	4
#define TZ_OVERLAP	5

/**
 * struct tz_memory - Memory that the host does not have alone and with all rights
 * @addr: where it is
 * @size: how much
 * @vmids: those who have it
 * @perms: what each may
 */
struct tz_memory {
	u64 addr;
	u64 size;
	u64 vmids;
	u8 perms[TZ_VMIDS];
};

/**
 * struct tz - The firmware
 * @test: the test
 * @lock: guards the rest; late answers have a thread of their own
 * @available: its driver is bound
 * @host: whose all memory is that is not in @memory
 * @memory: what others have
 * @n: entries in @memory
 * @given: calls that took memory from the host alone
 * @returned: calls that gave it back to it
 * @fail_given: which of the former is refused, counted from 0
 * @fail_returned: which of the latter
 * @code: with this code
 * @out_of_order: memory was given away or returned in another order than it has to be
 */
struct tz {
	struct kunit *test;
	struct mutex lock;		/* see above */
	bool available;
	unsigned int host;
	struct tz_memory memory[MANY_PIECES];
	unsigned int n;
	unsigned int given;
	unsigned int returned;
	unsigned int fail_given;
	unsigned int fail_returned;
	int code;
	bool out_of_order;
};

/* There is one firmware. */
static struct tz *tz;

static int tz_ready(void)
{
	return tz->available ? 0 : -EPROBE_DEFER;
}

static bool tz_knows(unsigned int vmid)
{
	return vmid == HOST || vmid == 0x3a || vmid == 0x3f;
}

static int tz_check_dst(const struct qcom_scm_vmperm *dst, unsigned int n, struct tz_memory *to)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (dst[i].vmid < 0 || dst[i].vmid >= TZ_VMIDS || !tz_knows(dst[i].vmid) ||
		    !dst[i].perm || dst[i].perm & ~RWX || to->vmids & BIT_ULL(dst[i].vmid))
			return TZ_BAD_DEST;
		to->vmids |= BIT_ULL(dst[i].vmid);
		to->perms[dst[i].vmid] = dst[i].perm;
	}

	return to->vmids ? 0 : TZ_BAD_DEST;
}

static int tz_do_assign(struct tz_memory *to, u64 src)
{
	struct tz_memory *from = NULL;
	bool back = to->vmids == BIT_ULL(tz->host) && to->perms[tz->host] == RWX;
	unsigned int i;

	if (!to->size || !PAGE_ALIGNED(to->addr) || !PAGE_ALIGNED(to->size))
		return TZ_BAD_RANGE;

	for (i = 0; i < tz->n; i++) {
		struct tz_memory *m = &tz->memory[i];

		if (to->addr >= m->addr + m->size || m->addr >= to->addr + to->size)
			continue;
		if (m->addr != to->addr || m->size != to->size)
			return TZ_OVERLAP;
		from = m;
	}

	if (src != (from ? from->vmids : BIT_ULL(tz->host)))
		return TZ_BAD_SOURCE;

	if (!from && tz->given++ == tz->fail_given)
		return tz->code;
	if (back && from && tz->returned++ == tz->fail_returned)
		return tz->code;

	/* Up from the first piece, and down from the last that was given away */
	if (tz->n)
		tz->out_of_order |= from ? from != &tz->memory[tz->n - 1] :
					   to->addr <= tz->memory[tz->n - 1].addr;

	if (!from) {
		KUNIT_ASSERT_LT(tz->test, tz->n, ARRAY_SIZE(tz->memory));
		from = &tz->memory[tz->n++];
	}
	*from = back ? tz->memory[--tz->n] : *to;
	return 0;
}

static int tz_assign_mem(phys_addr_t addr, size_t size, u64 *src,
			 const struct qcom_scm_vmperm *dst, unsigned int n_dst)
{
	struct tz_memory to = { .addr = addr, .size = size };
	int ret;

	KUNIT_EXPECT_TRUE_MSG(tz->test, tz->available, "the kernel would have crashed");

	mutex_lock(&tz->lock);
	ret = tz_check_dst(dst, n_dst, &to);
	if (!ret)
		ret = tz_do_assign(&to, *src);
	mutex_unlock(&tz->lock);

	/* As qcom_scm_assign_mem() has it: of int, which has no bit for most VMIDs */
	if (!ret)
		*src = (int)to.vmids;
	return ret;
}

/* The next calls to go wrong, counted from now on */
static void tz_fail(unsigned int given, unsigned int returned, int code)
{
	mutex_lock(&tz->lock);
	tz->given = 0;
	tz->returned = 0;
	tz->fail_given = given;
	tz->fail_returned = returned;
	tz->code = code;
	mutex_unlock(&tz->lock);
}

static const struct gh_qcom_scm tz_scm = {
	.ready = tz_ready,
	.assign_mem = tz_assign_mem,
};

/*
 * The memory and the resource manager
 */

static u64 piece_addr(size_t i)
{
	return 0x40000000 + i * 0x100000;
}

static u64 piece_size(size_t i)
{
	return (1 + i % 3) * PAGE_SIZE;
}

/**
 * struct memory - A parcel and the resource manager's view of it
 * @base: the parcel
 * @iter: enumerates its pieces
 * @next: the next of them
 * @first: number of the first; memories with other numbers have nothing in common
 * @acl: who gets it
 * @lock: as the VM manager's: held by who calls, and taken by the late callback
 * @fail: which message of the parcel goes wrong, counted from 0; -1: none
 * @error: with this error code, or if that is 0
 * @silent: without an answer, or
 * @cut: with so many bytes of an answer
 * @reclaim_error: the answer to reclaims
 * @messages: create and append messages received
 * @reclaims: reclaims received
 * @assigned: pieces that the firmware had given away when the resource manager was asked
 * @lost: the request that was not answered
 * @late_state: what the late callback was told
 * @late_called: completed by it
 */
struct memory {
	struct gh_rm_mem_parcel base;
	struct gh_rm_mem_iter iter;
	size_t next;
	size_t first;
	struct gh_rm_mem_acl_entry acl[TZ_MAX_USERS];
	struct mutex lock;		/* see above */
	int fail;
	u32 error;
	bool silent;
	size_t cut;
	u32 reclaim_error;
	unsigned int messages;
	unsigned int reclaims;
	unsigned int assigned;
	struct fake_msg *lost;
	enum gh_rm_parcel_state late_state;
	struct completion late_called;
};

static bool next_piece(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	struct memory *mem = container_of(iter, struct memory, iter);

	if (mem->next == mem->base.n_mem_entries)
		return false;
	*addr = piece_addr(mem->first + mem->next);
	*size = piece_size(mem->first + mem->next);
	mem->next++;
	return true;
}

static bool prev_piece(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	struct memory *mem = container_of(iter, struct memory, iter);

	if (!mem->next)
		return false;
	mem->next--;
	*addr = piece_addr(mem->first + mem->next);
	*size = piece_size(mem->first + mem->next);
	return true;
}

static void seek_piece(struct gh_rm_mem_iter *iter, size_t index)
{
	struct memory *mem = container_of(iter, struct memory, iter);

	mem->next = index;
}

static void late(struct gh_rm_mem_parcel *parcel, enum gh_rm_parcel_state state, u32 mem_handle)
{
	struct memory *mem = container_of(parcel, struct memory, base);

	mutex_lock(&mem->lock);
	parcel->state = state;
	parcel->mem_handle = mem_handle;
	mutex_unlock(&mem->lock);
	mem->late_state = state;
	complete(&mem->late_called);
}

static struct memory *new_memory(struct kunit *test, size_t pieces)
{
	struct memory *mem = kunit_kzalloc(test, sizeof(*mem), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mem);
	mem->lost = kunit_kzalloc(test, sizeof(*mem->lost), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem->lost);
	mutex_init(&mem->lock);
	init_completion(&mem->late_called);
	mem->iter = (struct gh_rm_mem_iter) { next_piece, prev_piece, seek_piece };
	mem->fail = -1;
	mem->acl[0] = (struct gh_rm_mem_acl_entry) { 0x80, RWX };
	mem->base = (struct gh_rm_mem_parcel) {
		.mem_type = GH_RM_MEM_TYPE_NORMAL,
		.label = LABEL,
		.n_acl_entries = 1,
		.acl_entries = mem->acl,
		.n_mem_entries = pieces,
		.iter = &mem->iter,
		.late = late,
		.mem_handle = GH_MEM_HANDLE_INVAL,
	};
	return mem;
}

static void answer(struct fake_transport *ft, const struct fake_msg *req)
{
	static const u8 handle[4] = { 0xee, 0xff, 0xc0, 0x00 };
	static const u8 own_vmid[4] = { HOST };
	struct memory *mem = ft->priv;
	bool fails;

	if (req->id == GET_VMID) {
		/* The VMID of the test's host is set before that is asked for. */
		if (mem->error && mem->fail < 0)
			fake_reply(ft, req, mem->error, NULL, 0);
		else
			fake_reply(ft, req, 0, own_vmid, sizeof(own_vmid));
		return;
	}

	mutex_lock(&tz->lock);
	mem->assigned = tz->n;
	mutex_unlock(&tz->lock);

	if (req->id == RECLAIM) {
		mem->reclaims++;
		fake_reply(ft, req, mem->reclaim_error, NULL, 0);
		return;
	}

	fails = mem->messages++ == mem->fail;
	if (mem->silent && mem->messages == mem->fail)
		*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;

	if (!fails)
		fake_reply(ft, req, 0, handle, req->id == APPEND ? 0 : sizeof(handle));
	else if (mem->error)
		fake_reply(ft, req, mem->error, NULL, 0);
	else if (mem->silent)
		*mem->lost = *req;
	else
		fake_send(ft, FAKE_REPLY, req->seq, req->id, "\0\0\0\0\0\0\0\0\0", mem->cut);
}

static int lend(struct fake_transport *ft, struct memory *mem)
{
	int ret;

	ft->request = answer;
	ft->priv = mem;
	if (mem->silent && !mem->fail) {
		ft->timeout_once = true;
		*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;
	}
	seek_piece(&mem->iter, 0);
	mutex_lock(&mem->lock);
	ret = gh_rm_mem_lend(ft->rm, &mem->base);
	mutex_unlock(&mem->lock);
	return ret;
}

static int reclaim(struct fake_transport *ft, struct memory *mem)
{
	int ret;

	mutex_lock(&mem->lock);
	ret = gh_rm_mem_reclaim(ft->rm, &mem->base);
	mutex_unlock(&mem->lock);
	return ret;
}

/* Whose the memory is to the resource manager and to the firmware, which has @n pieces of it */
static void expect(struct fake_transport *ft, struct memory *mem, enum gh_rm_parcel_state state,
		   size_t n)
{
	bool charged = state == GH_RM_PARCEL_HELD || state == GH_RM_PARCEL_UNKNOWN;

	mutex_lock(&mem->lock);
	KUNIT_EXPECT_EQ(ft->test, mem->base.state, state);
	KUNIT_EXPECT_EQ(ft->test, mem->base.n_assigned, n);
	if (state == GH_RM_PARCEL_NONE)
		KUNIT_EXPECT_NULL(ft->test, mem->base.platform);
	else
		KUNIT_EXPECT_PTR_EQ(ft->test, mem->base.platform, &gh_qcom_ops);
	KUNIT_EXPECT_EQ(ft->test, mem->base.mem_handle,
			state == GH_RM_PARCEL_HELD ? HANDLE : GH_MEM_HANDLE_INVAL);
	mutex_unlock(&mem->lock);

	mutex_lock(&tz->lock);
	KUNIT_EXPECT_EQ(ft->test, tz->n, n);
	KUNIT_EXPECT_FALSE(ft->test, tz->out_of_order);
	mutex_unlock(&tz->lock);
	KUNIT_EXPECT_EQ(ft->test, gh_rm_parcels(ft->rm), charged);
}

static void expect_reclaimed(struct fake_transport *ft, struct memory *mem)
{
	KUNIT_EXPECT_EQ(ft->test, reclaim(ft, mem), 0);
	expect(ft, mem, GH_RM_PARCEL_NONE, 0);
}

/*
 * Who gets what
 */

struct who_row {
	const char *name;
	unsigned int owner;
	unsigned int n_acl;
	struct gh_rm_mem_acl_entry acl[TZ_MAX_USERS];
	unsigned int n_users;
	struct gh_rm_mem_acl_entry users[TZ_MAX_USERS];
};

static const struct who_row who_rows[] = {
	{ "lent to 0x80", 3, 1, { { 0x80, RWX } }, 1, { { 0x3a, RWX } } },
	{ "lent to 0xbe", 3, 1, { { 0xbe, R } }, 1, { { 0x3a, R } } },
	{ "lent to 0x40", 3, 1, { { 0x40, RX } }, 1, { { 0x3a, RX } } },
	{ "lent to 0x3f", 3, 1, { { 0x3f, RW } }, 1, { { 0x3f, RW } } },
	{ "lent to 0x80 and 0x81", 3, 2, { { 0x80, R }, { 0x81, RX } }, 1, { { 0x3a, RX } } },
	{ "lent to 0x81, 0x3f and 0xbe", 3, 3, { { 0x81, RW }, { 0x3f, R }, { 0xbe, RX } },
	  2, { { 0x3a, RWX }, { 0x3f, R } } },
	{ "lent to 0x3a and 0x80", 3, 2, { { 0x3a, R }, { 0x80, RW } }, 1, { { 0x3a, RW } } },
	{ "shared with 0x80", 3, 2, { { 0x80, RW }, { 3, RWX } },
	  2, { { 0x3a, RW }, { 3, RWX } } },
	{ "shared with 0x80, 0xbe and 0x3f", 3, 4,
	  { { 0x80, R }, { 0xbe, RW }, { 0x3f, R }, { 3, RWX } },
	  3, { { 0x3a, RW }, { 3, RWX }, { 0x3f, R } } },
	{ "lent by 0x40 to 0x80", 0x40, 1, { { 0x80, R } }, 1, { { 0x3a, R } } },
	{ "lent by 0xbe to 3", 0xbe, 1, { { 3, RW } }, 1, { { 3, RW } } },
	{ "lent by 0x3f to 0x80", 0x3f, 1, { { 0x80, RWX } }, 1, { { 0x3a, RWX } } },
	{ "shared by 0x80 with 3", 0x80, 2, { { 3, RW }, { 0x80, RWX } },
	  2, { { 3, RW }, { 0x3a, RWX } } },
};

KUNIT_ARRAY_PARAM_DESC(who, who_rows, name);

static void expect_users(struct kunit *test, const struct who_row *row)
{
	const struct tz_memory *m;
	u64 vmids = 0;
	unsigned int i, k;

	for (k = 0; k < row->n_users; k++)
		vmids |= BIT_ULL(row->users[k].vmid);

	for (i = 0; i < tz->n; i++) {
		m = &tz->memory[i];
		KUNIT_EXPECT_EQ(test, m->addr, piece_addr(i));
		KUNIT_EXPECT_EQ(test, m->size, piece_size(i));
		KUNIT_EXPECT_EQ(test, m->vmids, vmids);
		for (k = 0; k < row->n_users; k++)
			KUNIT_EXPECT_EQ(test, m->perms[row->users[k].vmid], row->users[k].perms);
	}
}

static void memory_is_assigned_to_whom_it_is_for_and_given_back(struct kunit *test)
{
	const struct who_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);

	*gh_rm_own_vmid(ft->rm) = row->owner;
	tz->host = row->owner > 0x3f ? 0x3a : row->owner;
	memcpy(mem->acl, row->acl, sizeof(mem->acl));
	mem->base.n_acl_entries = row->n_acl;

	KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
	expect(ft, mem, GH_RM_PARCEL_HELD, PIECES);
	expect_users(test, row);
	KUNIT_EXPECT_EQ(test, mem->assigned, PIECES);
	KUNIT_EXPECT_EQ(test, tz->given, PIECES);

	mem->assigned = 0;
	expect_reclaimed(ft, mem);
	KUNIT_EXPECT_EQ(test, mem->assigned, PIECES);
	KUNIT_EXPECT_EQ(test, tz->returned, PIECES);
}

static void shared_memory_is_asked_for_our_vmid_and_comes_back(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, MANY_PIECES);

	mem->acl[1] = (struct gh_rm_mem_acl_entry) { HOST, RWX };
	mem->base.n_acl_entries = 2;
	ft->request = answer;
	ft->priv = mem;
	mutex_lock(&mem->lock);
	KUNIT_EXPECT_EQ(test, gh_rm_mem_share(ft->rm, &mem->base), 0);
	mutex_unlock(&mem->lock);
	expect(ft, mem, GH_RM_PARCEL_HELD, MANY_PIECES);
	KUNIT_EXPECT_EQ(test, mem->messages, 2);
	KUNIT_EXPECT_EQ(test, mem->base.owner_vmid, HOST);
	expect_reclaimed(ft, mem);
}

/*
 * Memory that is refused
 */

static const int codes[] = { 7, 1, -EINVAL, -ENOMEM, -ETIMEDOUT, -EPROTO, -EPROBE_DEFER };

/* Whatever the firmware says, it is not mistaken for what the resource manager may say. */
static void piece_that_is_refused_is_the_end_of_those_before_it(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		for (n = 0; n < PIECES; n++) {
			mem = new_memory(test, PIECES);
			tz_fail(n, TZ_NEVER, codes[i]);
			KUNIT_EXPECT_EQ(test, lend(ft, mem), -EREMOTEIO);
			expect(ft, mem, GH_RM_PARCEL_NONE, 0);
			KUNIT_EXPECT_EQ(test, tz->given, n + 1);
			KUNIT_EXPECT_EQ(test, tz->returned, n);
			KUNIT_EXPECT_EQ(test, mem->messages, 0);
			KUNIT_EXPECT_EQ(test, mem->base.why.platform, codes[i]);
			KUNIT_EXPECT_EQ(test, mem->base.why.piece, n + 1);
			KUNIT_EXPECT_EQ(test, mem->base.why.rm_error, GH_RM_ERROR_OK);
		}
	}

	/* What was the reason is none any more. */
	KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
	KUNIT_EXPECT_EQ(test, mem->base.why.platform, 0);
	KUNIT_EXPECT_EQ(test, mem->base.why.piece, 0);
	expect_reclaimed(ft, mem);
}

/* For the log. No caller of gh_rm_mem_lend() ever sees it. */
static void code_of_the_firmware_is_passed_on(struct kunit *test)
{
	struct memory *mem = new_memory(test, 1);
	struct gh_rm_mem_parcel *parcel = &mem->base;
	unsigned int i;

	parcel->owner_vmid = HOST;
	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		tz_fail(0, 0, codes[i]);
		KUNIT_EXPECT_EQ(test, gh_qcom_ops.pre_mem_share(parcel, SZ_1M, PAGE_SIZE),
				codes[i]);
		KUNIT_EXPECT_EQ(test, gh_qcom_ops.pre_mem_share(parcel, SZ_1M, PAGE_SIZE), 0);
		KUNIT_EXPECT_EQ(test, gh_qcom_ops.post_mem_reclaim(parcel, SZ_1M, PAGE_SIZE),
				codes[i]);
		KUNIT_EXPECT_EQ(test, gh_qcom_ops.post_mem_reclaim(parcel, SZ_1M, PAGE_SIZE), 0);
	}
	KUNIT_EXPECT_EQ(test, tz->n, 0);
}

static void piece_that_does_not_come_back_keeps_those_before_it(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		for (n = 0; n < PIECES - 1; n++) {
			mem = new_memory(test, PIECES);
			tz_fail(PIECES - 1, n, codes[i]);
			KUNIT_EXPECT_EQ(test, lend(ft, mem), -EREMOTEIO);
			expect(ft, mem, GH_RM_PARCEL_ASSIGNED, PIECES - 1 - n);
			KUNIT_EXPECT_EQ(test, mem->messages, 0);

			/* Tried again, the resource manager is not asked for what it never had. */
			tz_fail(TZ_NEVER, 0, codes[i]);
			KUNIT_EXPECT_EQ(test, reclaim(ft, mem), -EREMOTEIO);
			expect(ft, mem, GH_RM_PARCEL_ASSIGNED, PIECES - 1 - n);
			tz_fail(TZ_NEVER, TZ_NEVER, 0);
			expect_reclaimed(ft, mem);
			KUNIT_EXPECT_EQ(test, mem->reclaims, 0);
		}
	}
}

static void memory_that_the_resource_manager_refuses_comes_back(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	unsigned int n;

	for (n = 0; n <= PIECES; n++) {
		mem = new_memory(test, PIECES);
		mem->fail = 0;
		mem->error = GH_RM_ERROR_NOMEM;
		tz_fail(TZ_NEVER, n, 7);
		KUNIT_EXPECT_EQ(test, lend(ft, mem), -ENOMEM);
		KUNIT_EXPECT_EQ(test, mem->assigned, PIECES);
		expect(ft, mem, n < PIECES ? GH_RM_PARCEL_ASSIGNED : GH_RM_PARCEL_NONE, PIECES - n);
		tz_fail(TZ_NEVER, TZ_NEVER, 0);
		if (n < PIECES)
			expect_reclaimed(ft, mem);
		KUNIT_EXPECT_EQ(test, mem->reclaims, 0);
	}
}

static void memory_of_which_an_append_fails_comes_back(struct kunit *test)
{
	static const unsigned int refused[] = { 0, 1, MANY_PIECES - 1, TZ_NEVER };
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	unsigned int i;
	size_t left;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		left = refused[i] == TZ_NEVER ? 0 : MANY_PIECES - refused[i];
		mem = new_memory(test, MANY_PIECES);
		mem->fail = 1;
		mem->error = GH_RM_ERROR_NOMEM;
		tz_fail(TZ_NEVER, refused[i], 7);
		KUNIT_EXPECT_EQ(test, lend(ft, mem), -ENOMEM);
		KUNIT_EXPECT_EQ(test, mem->reclaims, 1);
		expect(ft, mem, left ? GH_RM_PARCEL_ASSIGNED : GH_RM_PARCEL_NONE, left);
		tz_fail(TZ_NEVER, TZ_NEVER, 0);
		if (left)
			expect_reclaimed(ft, mem);
		KUNIT_EXPECT_EQ(test, mem->reclaims, 1);
	}
}

/* The resource manager would refuse it, too, but is not even asked. */
static void memory_is_not_given_twice(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *one = new_memory(test, PIECES), *two = new_memory(test, PIECES);

	two->first = PIECES - 1;
	KUNIT_EXPECT_EQ(test, lend(ft, two), 0);
	KUNIT_EXPECT_EQ(test, lend(ft, one), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, one->messages, 0);
	KUNIT_EXPECT_EQ(test, one->base.state, GH_RM_PARCEL_NONE);
	KUNIT_EXPECT_EQ(test, two->base.state, GH_RM_PARCEL_HELD);
	KUNIT_EXPECT_EQ(test, tz->n, PIECES);
	ft->priv = two;
	KUNIT_EXPECT_EQ(test, reclaim(ft, two), 0);
	KUNIT_EXPECT_EQ(test, tz->n, 0);
}

/* What the resource manager has may not be taken from those to whom it gave it. */
static void memory_that_the_resource_manager_keeps_stays_assigned(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, MANY_PIECES);

	mem->fail = 1;
	mem->error = GH_RM_ERROR_NOMEM;
	mem->reclaim_error = GH_RM_ERROR_MEM_INUSE;
	KUNIT_EXPECT_EQ(test, lend(ft, mem), -ENOMEM);
	expect(ft, mem, GH_RM_PARCEL_HELD, MANY_PIECES);
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), -EINVAL);
	expect(ft, mem, GH_RM_PARCEL_HELD, MANY_PIECES);
	KUNIT_EXPECT_EQ(test, tz->returned, 0);
	mem->reclaim_error = 0;
	expect_reclaimed(ft, mem);
}

static void memory_that_is_reclaimed_may_not_come_back_at_once(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem;
	unsigned int n;

	for (n = 0; n < PIECES; n++) {
		mem = new_memory(test, PIECES);
		KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
		tz_fail(TZ_NEVER, n, 7);
		KUNIT_EXPECT_EQ(test, reclaim(ft, mem), -EREMOTEIO);
		expect(ft, mem, GH_RM_PARCEL_ASSIGNED, PIECES - n);
		tz_fail(TZ_NEVER, TZ_NEVER, 0);
		expect_reclaimed(ft, mem);
		KUNIT_EXPECT_EQ(test, mem->reclaims, 1);
	}
}

/* Without a VMID of ours there is nobody to take the memory from. */
static void memory_is_not_assigned_if_our_vmid_is_not_known(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);

	mem->error = GH_RM_ERROR_BUSY;
	KUNIT_EXPECT_EQ(test, lend(ft, mem), -EBUSY);
	expect(ft, mem, GH_RM_PARCEL_NONE, 0);
	KUNIT_EXPECT_EQ(test, tz->given, 0);
	KUNIT_EXPECT_EQ(test, mem->messages, 0);
}

/*
 * Answers that come late, or make no sense
 */

static struct memory *lend_in_vain(struct fake_transport *ft)
{
	struct memory *mem = new_memory(ft->test, 1);

	/* Else it is asked for first, with the deadline that is for what follows. */
	*gh_rm_own_vmid(ft->rm) = HOST;
	mem->fail = 0;
	mem->silent = true;
	KUNIT_EXPECT_EQ(ft->test, lend(ft, mem), -ETIMEDOUT);
	fake_transport_flush(ft);
	expect(ft, mem, GH_RM_PARCEL_UNKNOWN, 1);
	return mem;
}

static void late_handle_keeps_the_memory_assigned(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = lend_in_vain(ft);

	fake_reply(ft, mem->lost, 0, "\xee\xff\xc0\x00", 4);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&mem->late_called, FAKE_PATIENCE), 0);
	KUNIT_EXPECT_EQ(test, mem->late_state, GH_RM_PARCEL_HELD);
	expect(ft, mem, GH_RM_PARCEL_HELD, 1);
	expect_reclaimed(ft, mem);
	KUNIT_EXPECT_EQ(test, mem->reclaims, 1);
}

static void late_refusal_leaves_the_memory_to_be_reclaimed(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = lend_in_vain(ft);

	fake_reply(ft, mem->lost, GH_RM_ERROR_NOMEM, NULL, 0);
	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&mem->late_called, FAKE_PATIENCE), 0);
	KUNIT_EXPECT_EQ(test, mem->late_state, GH_RM_PARCEL_ASSIGNED);
	expect(ft, mem, GH_RM_PARCEL_ASSIGNED, 1);
	expect_reclaimed(ft, mem);
	KUNIT_EXPECT_EQ(test, mem->reclaims, 0);
}

static void memory_of_which_nothing_is_known_stays_assigned(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);

	mem->fail = 0;
	mem->cut = 3;
	KUNIT_EXPECT_EQ(test, lend(ft, mem), -EPROTO);
	expect(ft, mem, GH_RM_PARCEL_UNKNOWN, PIECES);
	KUNIT_EXPECT_EQ(test, tz->returned, 0);

	/* That both go on to be held is what the test was about. */
	gh_rm_parcel_uncharge(ft->rm);
	gh_rm_platform_put(mem->base.platform);
}

/*
 * Who does the telling
 */

static const char *platform_is_qcom(void)
{
	return "a test says so";
}

static const char *platform_is_not(void)
{
	return NULL;
}

static void memory_is_not_given_without_a_provider_that_there_must_be(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);

	kunit_activate_static_stub(test, gh_rm_platform_is_qcom, platform_is_qcom);
	gh_rm_unregister_platform_ops(&gh_qcom_ops);
	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), -ENOPKG);
	KUNIT_EXPECT_EQ(test, lend(ft, mem), -ENOPKG);
	expect(ft, mem, GH_RM_PARCEL_NONE, 0);
	KUNIT_EXPECT_EQ(test, ft->requests, 0);

	/* It comes late, and not too late. */
	KUNIT_EXPECT_EQ(test, gh_rm_register_platform_ops(&gh_qcom_ops), 0);
	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), 0);
	KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
	expect(ft, mem, GH_RM_PARCEL_HELD, PIECES);
	expect_reclaimed(ft, mem);
}

static void provider_is_not_needed_elsewhere(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);

	kunit_activate_static_stub(test, gh_rm_platform_is_qcom, platform_is_not);
	gh_rm_unregister_platform_ops(&gh_qcom_ops);
	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), 0);
	KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
	KUNIT_EXPECT_EQ(test, mem->base.state, GH_RM_PARCEL_HELD);
	KUNIT_EXPECT_EQ(test, tz->given, 0);

	/* Who comes later is not told of what it was not told of. */
	KUNIT_EXPECT_EQ(test, gh_rm_register_platform_ops(&gh_qcom_ops), 0);
	expect_reclaimed(ft, mem);
	KUNIT_EXPECT_EQ(test, tz->returned, 0);
}

static const struct gh_rm_platform_ops another;

static void there_is_one_provider(struct kunit *test)
{
	const struct gh_rm_platform_ops *ops;

	KUNIT_EXPECT_EQ(test, gh_rm_register_platform_ops(&another), -EEXIST);
	KUNIT_EXPECT_EQ(test, gh_rm_register_platform_ops(&gh_qcom_ops), -EEXIST);
	gh_rm_unregister_platform_ops(&another);
	ops = gh_rm_platform_get();
	KUNIT_EXPECT_PTR_EQ(test, ops, &gh_qcom_ops);
	if (ops)
		gh_rm_platform_put(ops);
	gh_rm_unregister_platform_ops(&gh_qcom_ops);
	KUNIT_EXPECT_NULL(test, gh_rm_platform_get());
}

static void provider_whose_firmware_is_not_there_is_none(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);

	tz->available = false;
	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), -ENOPKG);
	KUNIT_EXPECT_EQ(test, lend(ft, mem), -EREMOTEIO);
	expect(ft, mem, GH_RM_PARCEL_NONE, 0);

	tz->available = true;
	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), 0);
	KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
	tz->available = false;
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), -EREMOTEIO);
	expect(ft, mem, GH_RM_PARCEL_ASSIGNED, PIECES);
	tz->available = true;
	expect_reclaimed(ft, mem);
}

/* It has memory of ours, so it is told when that is back, whether it wants more or not. */
static void provider_that_has_gone_is_told_of_what_it_has(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);

	KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
	gh_rm_unregister_platform_ops(&gh_qcom_ops);
	expect(ft, mem, GH_RM_PARCEL_HELD, PIECES);
	expect_reclaimed(ft, mem);
}

static int module_refs(void)
{
#ifdef CONFIG_MODULE_UNLOAD
	return module_refcount(THIS_MODULE);
#else
	return 0;
#endif
}

/*
 * The module of the provider stays for each parcel of which it has a piece. That it is
 * this one's and not gunyah_qcom's makes no difference to who counts.
 */
static void provider_is_not_unloaded_while_it_has_memory(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct gh_rm_platform_ops *ops = kunit_kzalloc(test, sizeof(*ops), GFP_KERNEL);
	struct memory *one = new_memory(test, PIECES), *two = new_memory(test, PIECES);
	int refs;

	if (!IS_ENABLED(CONFIG_MODULE_UNLOAD) || !IS_MODULE(CONFIG_GUNYAH_QCOM_KUNIT_TEST))
		kunit_skip(test, "no module, or none that can be unloaded");

	KUNIT_ASSERT_NOT_NULL(test, ops);
	*ops = gh_qcom_ops;
	ops->owner = THIS_MODULE;
	gh_rm_unregister_platform_ops(&gh_qcom_ops);
	KUNIT_ASSERT_EQ(test, gh_rm_register_platform_ops(ops), 0);
	refs = module_refs();
	two->first = PIECES;

	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), 0);
	KUNIT_EXPECT_EQ(test, module_refs(), refs);

	/* Refused, and nothing of it is left */
	tz_fail(1, TZ_NEVER, 7);
	KUNIT_EXPECT_EQ(test, lend(ft, one), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, module_refs(), refs);

	/* ... or something is */
	tz_fail(1, 0, 7);
	KUNIT_EXPECT_EQ(test, lend(ft, one), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, module_refs(), refs + 1);

	tz_fail(TZ_NEVER, TZ_NEVER, 0);
	KUNIT_EXPECT_EQ(test, lend(ft, two), 0);
	KUNIT_EXPECT_EQ(test, module_refs(), refs + 2);
	gh_rm_unregister_platform_ops(ops);
	KUNIT_EXPECT_EQ(test, module_refs(), refs + 2);

	tz_fail(TZ_NEVER, 0, 7);
	KUNIT_EXPECT_EQ(test, reclaim(ft, two), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, module_refs(), refs + 2);

	tz_fail(TZ_NEVER, TZ_NEVER, 0);
	KUNIT_EXPECT_EQ(test, reclaim(ft, two), 0);
	KUNIT_EXPECT_EQ(test, module_refs(), refs + 1);
	KUNIT_EXPECT_EQ(test, reclaim(ft, one), 0);
	KUNIT_EXPECT_EQ(test, module_refs(), refs);
	KUNIT_EXPECT_EQ(test, tz->n, 0);
}

/* A module that nobody has loaded, to count the references to it */
static struct module *fake_module(struct kunit *test)
{
	struct module *module = kunit_kzalloc(test, sizeof(*module), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, module);
#ifdef CONFIG_MODULE_UNLOAD
	/* What it has of itself */
	atomic_set(&module->refcnt, 1);
#else
	kunit_skip(test, "modules cannot be unloaded");
#endif
	return module;
}

static int fake_module_refs(struct module *module)
{
#ifdef CONFIG_MODULE_UNLOAD
	return module_refcount(module);
#else
	return 0;
#endif
}

static void unregister(void *ops)
{
	gh_rm_unregister_platform_ops(ops);
}

/* As gunyah_qcom, in a module of which the references can be seen */
static struct gh_rm_platform_ops *count_references(struct kunit *test)
{
	struct gh_rm_platform_ops *ops = kunit_kzalloc(test, sizeof(*ops), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ops);
	*ops = gh_qcom_ops;
	ops->owner = fake_module(test);
	gh_rm_unregister_platform_ops(&gh_qcom_ops);
	KUNIT_ASSERT_EQ(test, gh_rm_register_platform_ops(ops), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister, ops), 0);
	return ops;
}

static void references_are_given_back(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);
	struct gh_rm_platform_ops *ops = count_references(test);

	/* Nobody has memory */
	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), 0);
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 0);
	tz->available = false;
	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), -ENOPKG);
	tz->available = true;
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 0);

	/* ... nor will have any */
	mem->error = GH_RM_ERROR_BUSY;
	KUNIT_EXPECT_EQ(test, lend(ft, mem), -EBUSY);
	KUNIT_EXPECT_NULL(test, mem->base.platform);
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 0);
	mem->error = 0;
	tz_fail(0, TZ_NEVER, 7);
	KUNIT_EXPECT_EQ(test, lend(ft, mem), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 0);

	/* Until the last piece is back */
	tz_fail(TZ_NEVER, TZ_NEVER, 0);
	KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 1);
	tz_fail(TZ_NEVER, PIECES - 1, 7);
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, mem->base.n_assigned, 1);
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 1);
	gh_rm_unregister_platform_ops(ops);
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 1);
	tz_fail(TZ_NEVER, TZ_NEVER, 0);
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), 0);
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 0);
	KUNIT_EXPECT_EQ(test, tz->n, 0);
}

/* While it has memory it is called, so from the first piece on it must not go. */
static int module_refs_meanwhile;

static int counting_pre_mem_share(const struct gh_rm_mem_parcel *parcel, u64 addr, u64 size)
{
	module_refs_meanwhile = min(module_refs_meanwhile,
				    fake_module_refs(parcel->platform->owner));
	return gh_qcom_ops.pre_mem_share(parcel, addr, size);
}

static int counting_post_mem_reclaim(const struct gh_rm_mem_parcel *parcel, u64 addr, u64 size)
{
	module_refs_meanwhile = min(module_refs_meanwhile,
				    fake_module_refs(parcel->platform->owner));
	return gh_qcom_ops.post_mem_reclaim(parcel, addr, size);
}

static void provider_is_held_while_it_is_called(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);
	struct gh_rm_platform_ops *ops = count_references(test);

	ops->pre_mem_share = counting_pre_mem_share;
	ops->post_mem_reclaim = counting_post_mem_reclaim;
	module_refs_meanwhile = INT_MAX;
	KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
	KUNIT_EXPECT_EQ(test, module_refs_meanwhile, 1);
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), 0);
	KUNIT_EXPECT_EQ(test, module_refs_meanwhile, 1);
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 0);
}

static void provider_that_is_being_unloaded_is_none(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);
	struct gh_rm_platform_ops *ops = count_references(test);

	kunit_activate_static_stub(test, gh_rm_platform_is_qcom, platform_is_qcom);
	ops->owner->state = MODULE_STATE_GOING;
	KUNIT_EXPECT_NULL(test, gh_rm_platform_get());
	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), -ENOPKG);
	KUNIT_EXPECT_EQ(test, lend(ft, mem), -ENOPKG);
	expect(ft, mem, GH_RM_PARCEL_NONE, 0);
	KUNIT_EXPECT_EQ(test, tz->given, 0);
	KUNIT_EXPECT_EQ(test, fake_module_refs(ops->owner), 0);
}

static void provider_need_not_say_that_it_is_ready(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct memory *mem = new_memory(test, PIECES);
	struct gh_rm_platform_ops *ops = count_references(test);

	ops->ready = NULL;
	KUNIT_EXPECT_EQ(test, gh_rm_check_platform(ft->rm), 0);
	KUNIT_EXPECT_EQ(test, lend(ft, mem), 0);
	KUNIT_EXPECT_EQ(test, reclaim(ft, mem), 0);
	KUNIT_EXPECT_EQ(test, tz->returned, PIECES);
}

static const struct gh_qcom_scm *qcom_test_real_scm;

/* Wherever the tests run the driver of the firmware has none to drive. */
static void firmware_without_a_driver_is_not_asked(struct kunit *test)
{
	struct memory *mem = new_memory(test, 1);

	if (IS_REACHABLE(CONFIG_QCOM_SCM) && qcom_scm_is_available())
		kunit_skip(test, "it has one");

	gh_qcom_scm = qcom_test_real_scm;
	KUNIT_EXPECT_EQ(test, gh_qcom_ops.ready(), -EPROBE_DEFER);
	KUNIT_EXPECT_EQ(test, gh_qcom_ops.pre_mem_share(&mem->base, SZ_1M, PAGE_SIZE),
			-EPROBE_DEFER);
	KUNIT_EXPECT_EQ(test, gh_qcom_ops.post_mem_reclaim(&mem->base, SZ_1M, PAGE_SIZE),
			-EPROBE_DEFER);
}

static int qcom_test_init(struct kunit *test)
{
	tz = kunit_kzalloc(test, sizeof(*tz), GFP_KERNEL);
	if (!tz)
		return -ENOMEM;

	tz->test = test;
	mutex_init(&tz->lock);
	tz->available = true;
	tz->host = HOST;
	tz->fail_given = TZ_NEVER;
	tz->fail_returned = TZ_NEVER;
	qcom_test_real_scm = gh_qcom_scm;
	gh_qcom_scm = &tz_scm;

	return gh_rm_register_platform_ops(&gh_qcom_ops);
}

static void qcom_test_exit(struct kunit *test)
{
	gh_rm_unregister_platform_ops(&gh_qcom_ops);
	gh_qcom_scm = qcom_test_real_scm;
}

static struct kunit_case qcom_cases[] = {
	KUNIT_CASE_PARAM(memory_is_assigned_to_whom_it_is_for_and_given_back, who_gen_params),
	KUNIT_CASE(shared_memory_is_asked_for_our_vmid_and_comes_back),
	KUNIT_CASE(piece_that_is_refused_is_the_end_of_those_before_it),
	KUNIT_CASE(code_of_the_firmware_is_passed_on),
	KUNIT_CASE(piece_that_does_not_come_back_keeps_those_before_it),
	KUNIT_CASE(memory_that_the_resource_manager_refuses_comes_back),
	KUNIT_CASE(memory_of_which_an_append_fails_comes_back),
	KUNIT_CASE(memory_is_not_given_twice),
	KUNIT_CASE(memory_that_the_resource_manager_keeps_stays_assigned),
	KUNIT_CASE(memory_that_is_reclaimed_may_not_come_back_at_once),
	KUNIT_CASE(memory_is_not_assigned_if_our_vmid_is_not_known),
	KUNIT_CASE(late_handle_keeps_the_memory_assigned),
	KUNIT_CASE(late_refusal_leaves_the_memory_to_be_reclaimed),
	KUNIT_CASE(memory_of_which_nothing_is_known_stays_assigned),
	KUNIT_CASE(memory_is_not_given_without_a_provider_that_there_must_be),
	KUNIT_CASE(provider_is_not_needed_elsewhere),
	KUNIT_CASE(there_is_one_provider),
	KUNIT_CASE(provider_whose_firmware_is_not_there_is_none),
	KUNIT_CASE(provider_that_has_gone_is_told_of_what_it_has),
	KUNIT_CASE(provider_is_not_unloaded_while_it_has_memory),
	KUNIT_CASE(references_are_given_back),
	KUNIT_CASE(provider_is_held_while_it_is_called),
	KUNIT_CASE(provider_that_is_being_unloaded_is_none),
	KUNIT_CASE(provider_need_not_say_that_it_is_ready),
	KUNIT_CASE(firmware_without_a_driver_is_not_asked),
	{}
};

static struct kunit_suite qcom_suite = {
	.name = "gunyah_qcom",
	.init = qcom_test_init,
	.exit = qcom_test_exit,
	.test_cases = qcom_cases,
};

kunit_test_suite(qcom_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Tests of Gunyah on Qualcomm platforms");

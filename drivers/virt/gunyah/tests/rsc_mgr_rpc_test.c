// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the typed calls: the bytes of every request, and what every reply becomes.
 */

#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "fake_transport.h"

#define VMID	0x8123

/* What a call returned beside its errno */
struct result {
	u32 value;
	/* What the resource manager said, where the caller gets to know */
	u32 rm_error;
	/* and to which message */
	bool append;
};

static int call_get_vmid(struct gh_rm *rm, struct result *result)
{
	u16 vmid = 0;
	int ret = gh_rm_get_vmid(rm, &vmid, &result->rm_error);

	result->value = vmid;
	return ret;
}

static int call_alloc_vmid(struct gh_rm *rm, struct result *result)
{
	u16 vmid = 0;
	int ret = gh_rm_alloc_vmid(rm, &vmid, &result->rm_error);

	result->value = vmid;
	return ret;
}

static int call_dealloc_vmid(struct gh_rm *rm, struct result *result)
{
	return gh_rm_dealloc_vmid(rm, VMID);
}

static int call_configure(struct gh_rm *rm, struct result *result)
{
	return gh_rm_vm_configure(rm, VMID, GH_RM_VM_AUTH_QCOM_ANDROID_PVM, 0x01020304,
				  0x1112131415161718, 0x2122232425262728, 0x3132333435363738,
				  0x4142434445464748, &result->rm_error);
}

static int call_init(struct gh_rm *rm, struct result *result)
{
	return gh_rm_vm_init(rm, VMID, &result->rm_error);
}

static int call_start(struct gh_rm *rm, struct result *result)
{
	return gh_rm_vm_start(rm, VMID, &result->rm_error);
}

static int call_stop(struct gh_rm *rm, struct result *result)
{
	return gh_rm_vm_stop(rm, VMID);
}

static int call_reset(struct gh_rm *rm, struct result *result)
{
	return gh_rm_vm_reset(rm, VMID);
}

static int call_get_state(struct gh_rm *rm, struct result *result)
{
	enum gh_rm_vm_status status = 0;
	int ret = gh_rm_vm_get_state(rm, VMID, &status);

	result->value = status;
	return ret;
}

static int call_get_resources(struct gh_rm *rm, struct result *result)
{
	struct gh_rm_hyp_resources *resources;
	int ret = gh_rm_get_hyp_resources(rm, VMID, &resources, &result->rm_error);

	if (!ret) {
		result->value = resources->resources[0].label;
		kvfree(resources);
	}
	return ret;
}

static int call_reclaim(struct gh_rm *rm, struct result *result)
{
	struct gh_rm_mem_parcel parcel = {
		.state = GH_RM_PARCEL_HELD,
		.mem_handle = 0x01020304,
	};
	bool charged = gh_rm_parcel_charge(rm);
	int ret = gh_rm_mem_reclaim(rm, &parcel);

	if (charged && parcel.state != GH_RM_PARCEL_NONE)
		gh_rm_parcel_uncharge(rm);
	result->value = parcel.state;
	return ret;
}

static bool one_page(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	*addr = 0x0807060504030000;
	*size = 0x1000;
	return true;
}

static int call_create(struct gh_rm *rm, struct result *result, bool lend)
{
	struct gh_rm_mem_iter iter = { .next = one_page };
	struct gh_rm_mem_acl_entry acl[] = {
		{ VMID, GH_RM_ACL_R | GH_RM_ACL_X },
		{ 3, GH_RM_ACL_R | GH_RM_ACL_W | GH_RM_ACL_X },
	};
	struct gh_rm_mem_parcel parcel = {
		.mem_type = GH_RM_MEM_TYPE_NORMAL,
		.label = 0x51525354,
		.n_acl_entries = lend ? 1 : 2,
		.acl_entries = acl,
		.n_mem_entries = 1,
		.iter = &iter,
	};
	int ret = lend ? gh_rm_mem_lend(rm, &parcel) : gh_rm_mem_share(rm, &parcel);

	result->value = parcel.mem_handle;
	result->rm_error = parcel.why.rm_error;
	result->append = parcel.why.append;
	if (parcel.state != GH_RM_PARCEL_NONE)
		gh_rm_parcel_uncharge(rm);
	return ret;
}

static int call_lend(struct gh_rm *rm, struct result *result)
{
	return call_create(rm, result, true);
}

static int call_share(struct gh_rm *rm, struct result *result)
{
	return call_create(rm, result, false);
}

/* One piece more than the first message of a parcel holds */
static int call_append(struct gh_rm *rm, struct result *result)
{
	struct gh_rm_mem_iter iter = { .next = one_page };
	struct gh_rm_mem_acl_entry acl = { VMID, GH_RM_ACL_R };
	struct gh_rm_mem_parcel parcel = {
		.n_acl_entries = 1,
		.acl_entries = &acl,
		.n_mem_entries = 513,
		.iter = &iter,
	};
	int ret = gh_rm_mem_lend(rm, &parcel);

	result->rm_error = parcel.why.rm_error;
	result->append = parcel.why.append;
	if (parcel.state != GH_RM_PARCEL_NONE)
		gh_rm_parcel_uncharge(rm);
	return ret;
}

#define BYTES(s)	.req = (s), .req_len = sizeof(s) - 1
#define REPLY(s)	.resp = (s), .resp_len = sizeof(s) - 1
#define VMID_BYTES	"\x23\x81\0\0"

struct call_row {
	const char *name;
	int (*fn)(struct gh_rm *rm, struct result *result);
	u32 id;
	/* Messages before it, and behind it if it fails */
	unsigned int before;
	unsigned int behind;
	const char *req;
	size_t req_len;
	/* A success, after the error code */
	const char *resp;
	size_t resp_len;
	u32 value;
	/* The caller gets to know the resource manager's error. */
	bool says;
};

static const struct call_row call_rows[] = {
	{ "VM_GET_VMID", call_get_vmid, 0x56000024, BYTES(""), REPLY("\x03\x01\0\0"),
	  .value = 0x103, .says = true },
	{ "VM_ALLOC_VMID", call_alloc_vmid, 0x56000001, BYTES("\0\0\0\0"),
	  REPLY("\x80\x02\0\0"), .value = 0x280, .says = true },
	{ "VM_DEALLOC_VMID", call_dealloc_vmid, 0x56000002, BYTES(VMID_BYTES), REPLY("") },
	{ "VM_CONFIG_IMAGE", call_configure, 0x56000009,
	  BYTES("\x23\x81\x02\0\x04\x03\x02\x01"
		"\x18\x17\x16\x15\x14\x13\x12\x11\x28\x27\x26\x25\x24\x23\x22\x21"
		"\x38\x37\x36\x35\x34\x33\x32\x31\x48\x47\x46\x45\x44\x43\x42\x41"),
	  REPLY(""), .says = true },
	{ "VM_INIT", call_init, 0x5600000b, BYTES(VMID_BYTES), REPLY(""), .says = true },
	{ "VM_START", call_start, 0x56000004, BYTES(VMID_BYTES), REPLY(""), .says = true },
	{ "VM_STOP", call_stop, 0x56000005, BYTES("\x23\x81\x01\0\x03\0\0\0"), REPLY("") },
	{ "VM_RESET", call_reset, 0x56000006, BYTES(VMID_BYTES), REPLY("") },
	{ "VM_GET_STATE", call_get_state, 0x56000017, BYTES(VMID_BYTES),
	  REPLY("\x09\x77\x66\x55"), .value = GH_RM_VM_STATUS_EXITED },
	{ "VM_GET_HYP_RESOURCES", call_get_resources, 0x56000020, BYTES(VMID_BYTES),
	  REPLY("\x01\0\0\0" "\0\0\0\0\0\0\0\0\x54\x53\x52\x51\0\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	  .value = 0x51525354, .says = true },
	{ "MEM_LEND", call_lend, 0x51000012,
	  BYTES("\0\0\0\0\x54\x53\x52\x51" "\x01\0\0\0" "\x23\x81\x05\0"
		"\x01\0\0\0" "\0\0\x03\x04\x05\x06\x07\x08\0\x10\0\0\0\0\0\0" "\0\0\0\0"),
	  REPLY("\x44\x33\x22\x11"), .value = 0x11223344, .says = true },
	{ "MEM_SHARE", call_share, 0x51000013,
	  BYTES("\0\0\0\0\x54\x53\x52\x51" "\x02\0\0\0" "\x23\x81\x05\0\x03\0\x07\0"
		"\x01\0\0\0" "\0\0\x03\x04\x05\x06\x07\x08\0\x10\0\0\0\0\0\0" "\0\0\0\0"),
	  REPLY("\x44\x33\x22\x11"), .value = 0x11223344, .says = true },
	{ "MEM_APPEND", call_append, 0x51000018, 1, 1,
	  BYTES("\x44\x33\x22\x11\x01\0\0\0"
		"\x01\0\0\0" "\0\0\x03\x04\x05\x06\x07\x08\0\x10\0\0\0\0\0\0"),
	  REPLY(""), .says = true },
	{ "MEM_RECLAIM", call_reclaim, 0x51000015, BYTES("\x04\x03\x02\x01\0\0\0\0"),
	  REPLY(""), .value = GH_RM_PARCEL_NONE },
};

KUNIT_ARRAY_PARAM_DESC(call, call_rows, name);

/* What the peer answers, and a copy of the request that it answered last */
struct script {
	/* If set: only to this, and to others what it has to be */
	u32 only;
	u32 error;
	const void *resp;
	size_t resp_len;
	/* If set: so many bytes of the reply, error code and all */
	ssize_t cut;
	u32 id;
	size_t req_len;
	u8 req[100];
};

static void answer(struct fake_transport *ft, const struct fake_msg *req)
{
	struct script *script = ft->priv;
	u8 reply[100] = {};

	if (script->only && script->only != req->id) {
		fake_reply(ft, req, GH_RM_ERROR_OK, "\x44\x33\x22\x11",
			   req->id == 0x51000012 ? 4 : 0);
		return;
	}

	script->id = req->id;
	script->req_len = req->len;
	memcpy(script->req, req->data, min(req->len, sizeof(script->req)));
	if (script->cut >= 0) {
		put_unaligned_le32(script->error, reply);
		memcpy(reply + 4, script->resp, script->resp_len);
		fake_send(ft, FAKE_REPLY, req->seq, req->id, reply, script->cut);
	} else {
		fake_reply(ft, req, script->error, script->resp, script->resp_len);
	}
}

static void request_is_right_to_the_byte(struct kunit *test)
{
	const struct call_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct script script = {
		.only = row->id, .resp = row->resp, .resp_len = row->resp_len, .cut = -1,
	};
	struct result result = {};

	ft->request = answer;
	ft->priv = &script;
	KUNIT_EXPECT_EQ(test, row->fn(ft->rm, &result), 0);
	KUNIT_EXPECT_EQ(test, script.id, row->id);
	KUNIT_ASSERT_EQ(test, script.req_len, row->req_len);
	if (row->req_len)
		KUNIT_EXPECT_MEMEQ(test, script.req, row->req, row->req_len);
	KUNIT_EXPECT_EQ(test, result.value, row->value);
	KUNIT_EXPECT_EQ(test, result.rm_error, GH_RM_ERROR_OK);
	KUNIT_EXPECT_FALSE(test, result.append);
	KUNIT_EXPECT_EQ(test, ft->requests, row->before + 1);
}

static void reply_of_any_other_length_is_refused(struct kunit *test)
{
	const struct call_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct script script = { .only = row->id, .resp = row->resp, .resp_len = row->resp_len };
	struct result result = {};

	ft->request = answer;
	ft->priv = &script;
	for (script.cut = 0; script.cut < 80; script.cut++) {
		if (script.cut == 4 + row->resp_len)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, row->fn(ft->rm, &result), -EPROTO, "%zd bytes",
				    script.cut);
		if (row->resp_len)
			KUNIT_EXPECT_NE(test, result.value, row->value);
	}
	KUNIT_EXPECT_EQ(test, ft->requests, 79 * (row->before + 1 + row->behind));
}

/* From the documented meaning of each code, not from the driver's table */
static const struct {
	u32 rm_error;
	const char *name;
	int err;
} errors[] = {
	{ 1, "NOMEM", -ENOMEM },
	{ 2, "NORESOURCE", -ENODEV },
	{ 3, "DENIED", -EPERM },
	{ 4, "MSG_INVALID", -EINVAL },
	{ 5, "BUSY", -EBUSY },
	{ 6, "ARGUMENT_INVALID", -EINVAL },
	{ 7, "HANDLE_INVALID", -EINVAL },
	{ 8, "VALIDATE_FAILED", -EINVAL },
	{ 9, "MAP_FAILED", -EINVAL },
	{ 10, "MEM_INVALID", -EINVAL },
	{ 11, "MEM_INUSE", -EINVAL },
	{ 12, "MEM_RELEASED", -EINVAL },
	{ 13, "VMID_INVALID", -EINVAL },
	{ 14, "LOOKUP_FAILED", -EINVAL },
	{ 15, "IRQ_INVALID", -EINVAL },
	{ 16, "IRQ_INUSE", -EINVAL },
	{ 17, "IRQ_RELEASED", -EINVAL },
	{ 18, "IN_USE", -EBUSY },
	{ 19, "IRQ_NOT_MAPPED", -EINVAL },
	{ 20, "VM_STATE", -EBADFD },
	{ 0xffffffff, "UNIMPLEMENTED", -EOPNOTSUPP },
	{ 21, "unknown error", -EBADMSG },
	{ 22, "unknown error", -EBADMSG },
	{ 0x7fffffff, "unknown error", -EBADMSG },
	{ 0x80000000, "unknown error", -EBADMSG },
	{ 0xfffffffe, "unknown error", -EBADMSG },
	{ (u32)-ENOMEM, "unknown error", -EBADMSG },
};

static void error_code_becomes_an_errno(struct kunit *test)
{
	const struct call_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct script script = { .only = row->id, .resp = "", .cut = -1 };
	struct result result = {};
	unsigned int i;

	ft->request = answer;
	ft->priv = &script;
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		script.error = errors[i].rm_error;
		KUNIT_EXPECT_EQ_MSG(test, row->fn(ft->rm, &result), errors[i].err, "error %u",
				    errors[i].rm_error);
		if (row->resp_len)
			KUNIT_EXPECT_NE(test, result.value, row->value);
		if (row->says)
			KUNIT_EXPECT_EQ(test, result.rm_error, errors[i].rm_error);
		KUNIT_EXPECT_EQ(test, result.append, row->id == 0x51000018);
	}
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_LOST_VMIDS), 0);
}

static void error_code_has_a_name(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_STREQ(test, gh_rm_error_name(0), "OK");
	KUNIT_EXPECT_EQ(test, gh_rm_error_remap(0), 0);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		KUNIT_EXPECT_STREQ(test, gh_rm_error_name(errors[i].rm_error), errors[i].name);
		KUNIT_EXPECT_EQ(test, gh_rm_error_remap(errors[i].rm_error), errors[i].err);
	}
}

static void own_vmid_is_asked_for_once(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct script script = { .resp = "", .cut = -1, .error = GH_RM_ERROR_BUSY };
	u16 vmid = 0;

	ft->request = answer;
	ft->priv = &script;
	KUNIT_EXPECT_EQ(test, gh_rm_get_vmid(ft->rm, &vmid, NULL), -EBUSY);
	KUNIT_EXPECT_EQ(test, vmid, 0);

	script = (struct script){ .resp = "\x03\0\0\0", .resp_len = 4, .cut = -1 };
	KUNIT_EXPECT_EQ(test, gh_rm_get_vmid(ft->rm, &vmid, NULL), 0);
	KUNIT_EXPECT_EQ(test, vmid, 3);
	KUNIT_EXPECT_EQ(test, ft->requests, 2);

	vmid = 0;
	KUNIT_EXPECT_EQ(test, gh_rm_get_vmid(ft->rm, &vmid, NULL), 0);
	KUNIT_EXPECT_EQ(test, vmid, 3);
	KUNIT_EXPECT_EQ(test, ft->requests, 2);
}

/*
 * VMIDs that come too late
 */

/* The first request is not answered, what follows is. */
struct late_vmid {
	struct script script;
	struct fake_msg lost;
	unsigned int requests;
	struct completion dealloc;
};

static void answer_late(struct fake_transport *ft, const struct fake_msg *req)
{
	struct late_vmid *late = ft->priv;

	if (!late->requests++) {
		late->lost = *req;
		return;
	}
	late->script.id = req->id;
	late->script.req_len = req->len;
	memcpy(late->script.req, req->data, min(req->len, sizeof(late->script.req)));
	fake_reply(ft, req, late->script.error, NULL, 0);
	complete(&late->dealloc);
}

struct late_row {
	const char *name;
	u32 error;
	size_t len;
	bool given_back;
	u32 dealloc_error;
	unsigned int lost;
};

static const struct late_row late_rows[] = {
	{ "and is given back", 0, 4, true, 0, 0 },
	{ "and is not taken back", 0, 4, true, GH_RM_ERROR_VM_STATE, 1 },
	{ "as a refusal", GH_RM_ERROR_NORESOURCE, 0, false, 0, 0 },
	{ "as a refusal with a VMID", GH_RM_ERROR_NORESOURCE, 4, false, 0, 0 },
	{ "without a VMID", 0, 0, false, 0, 1 },
	{ "with half a VMID", 0, 3, false, 0, 1 },
	{ "with too much", 0, 8, false, 0, 1 },
	{ "with far too much", 0, 12, false, 0, 1 },
};

KUNIT_ARRAY_PARAM_DESC(late, late_rows, name);

static void vmid_comes_too_late(struct kunit *test)
{
	const struct late_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct late_vmid *late = kunit_kzalloc(test, sizeof(*late), GFP_KERNEL);
	u16 vmid = 0x5555;

	KUNIT_ASSERT_NOT_NULL(test, late);
	init_completion(&late->dealloc);
	late->script.error = row->dealloc_error;
	ft->request = answer_late;
	ft->priv = late;
	*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;
	KUNIT_EXPECT_EQ(test, gh_rm_alloc_vmid(ft->rm, &vmid, NULL), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, vmid, 0x5555);
	fake_transport_flush(ft);
	KUNIT_EXPECT_EQ(test, late->lost.id, 0x56000001);

	*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_LONG;
	fake_reply(ft, &late->lost, row->error, "\x91\x02\0\0\0\0\0\0\0\0\0\0", row->len);
	if (row->given_back) {
		KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&late->dealloc, FAKE_PATIENCE),
				0);
		KUNIT_EXPECT_EQ(test, late->script.id, 0x56000002);
		KUNIT_ASSERT_EQ(test, late->script.req_len, 4);
		KUNIT_EXPECT_MEMEQ(test, late->script.req, "\x91\x02\0\0", 4);
	}
	/* Waits for the late reply's work, and for nothing else, as all else is done. */
	gh_rm_shutdown(ft->rm);
	KUNIT_EXPECT_EQ(test, late->requests, row->given_back ? 2 : 1);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_LATE_REPLIES), 1);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_LOST_VMIDS), row->lost);
}

static void vmid_that_comes_after_the_end_is_counted_as_lost(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct late_vmid *late = kunit_kzalloc(test, sizeof(*late), GFP_KERNEL);
	u16 vmid;

	KUNIT_ASSERT_NOT_NULL(test, late);
	init_completion(&late->dealloc);
	ft->request = answer_late;
	ft->priv = late;
	*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;
	KUNIT_EXPECT_EQ(test, gh_rm_alloc_vmid(ft->rm, &vmid, NULL), -ETIMEDOUT);
	fake_transport_flush(ft);

	gh_rm_close(ft->rm);
	fake_reply(ft, &late->lost, 0, "\x80\0\0\0", 4);
	gh_rm_shutdown(ft->rm);
	KUNIT_EXPECT_EQ(test, late->requests, 1);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_LOST_VMIDS), 1);
}

static void vmid_that_cannot_be_read_is_counted_as_lost(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct script script = { .resp = "\x80\0\0\0", .resp_len = 4, .cut = 7 };
	u16 vmid;

	ft->request = answer;
	ft->priv = &script;
	KUNIT_EXPECT_EQ(test, gh_rm_alloc_vmid(ft->rm, &vmid, NULL), -EPROTO);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_LOST_VMIDS), 1);
}

static void vmid_that_no_vm_can_have_is_refused(struct kunit *test)
{
	static const char * const vmids[] = { "\0\0\0\0", "\xff\xff\0\0" };
	struct fake_transport *ft = fake_transport_create(test);
	struct script script = { .resp_len = 4, .cut = -1 };
	unsigned int i;
	u16 vmid;

	ft->request = answer;
	ft->priv = &script;
	for (i = 0; i < ARRAY_SIZE(vmids); i++) {
		script.resp = vmids[i];
		KUNIT_EXPECT_EQ(test, gh_rm_alloc_vmid(ft->rm, &vmid, NULL), -EPROTO);
		KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_LOST_VMIDS), i + 1);
	}
}

static void outcome_is_unknown_only_without_an_answer(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_TRUE(test, gh_rm_outcome_unknown(-ETIMEDOUT));
	KUNIT_EXPECT_TRUE(test, gh_rm_outcome_unknown(-EPROTO));
	/* No error code may look like one of these. */
	for (i = 0; i < ARRAY_SIZE(errors); i++)
		KUNIT_EXPECT_FALSE(test, gh_rm_outcome_unknown(errors[i].err));
	/* Not even taken */
	KUNIT_EXPECT_FALSE(test, gh_rm_outcome_unknown(-ETIME));
	KUNIT_EXPECT_FALSE(test, gh_rm_outcome_unknown(0));
	KUNIT_EXPECT_FALSE(test, gh_rm_outcome_unknown(-ENODEV));
}

static struct kunit_case rpc_cases[] = {
	KUNIT_CASE_PARAM(request_is_right_to_the_byte, call_gen_params),
	KUNIT_CASE_PARAM(reply_of_any_other_length_is_refused, call_gen_params),
	KUNIT_CASE_PARAM(error_code_becomes_an_errno, call_gen_params),
	KUNIT_CASE(error_code_has_a_name),
	KUNIT_CASE(own_vmid_is_asked_for_once),
	KUNIT_CASE_PARAM(vmid_comes_too_late, late_gen_params),
	KUNIT_CASE(vmid_that_comes_after_the_end_is_counted_as_lost),
	KUNIT_CASE(vmid_that_cannot_be_read_is_counted_as_lost),
	KUNIT_CASE(vmid_that_no_vm_can_have_is_refused),
	KUNIT_CASE(outcome_is_unknown_only_without_an_answer),
	{}
};

static struct kunit_suite rpc_suite = {
	.name = "gunyah_rsc_mgr_rpc",
	.test_cases = rpc_cases,
};

kunit_test_suite(rpc_suite);

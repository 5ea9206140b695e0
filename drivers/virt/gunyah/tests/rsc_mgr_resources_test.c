// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of VM_GET_HYP_RESOURCES, whose reply is a list and the longest there is, and
 * of the interrupts in it. What is common to all typed calls is in rsc_mgr_rpc_test.c.
 */

#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "fake_transport.h"

#define ID	0x56000020
#define VMID	0x8123
#define ENTRY	44
#define HEADER	8	/* error code and count */
#define MOST	332

/* What the peer answers to every request, and the last request */
struct script {
	size_t len;
	u32 id;
	size_t req_len;
	u8 req[8];
	u8 reply[FAKE_MESSAGE];
};

static void answer(struct fake_transport *ft, const struct fake_msg *req)
{
	struct script *script = ft->priv;

	script->id = req->id;
	script->req_len = req->len;
	memcpy(script->req, req->data, min(req->len, sizeof(script->req)));
	fake_send(ft, FAKE_REPLY, req->seq, req->id, script->reply, script->len);
}

/* A list of @n, in which no byte is 0 because of what it means, that says it is of @count */
static void set_list(struct script *script, u32 n, u32 count)
{
	script->len = HEADER + ENTRY * n;
	fake_fill(script->reply, script->len);
	put_unaligned_le32(GH_RM_ERROR_OK, script->reply);
	put_unaligned_le32(count, script->reply + 4);
}

static struct script *new_script(struct fake_transport *ft)
{
	struct script *script = kunit_kzalloc(ft->test, sizeof(*script), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(ft->test, script);
	ft->request = answer;
	ft->priv = script;
	return script;
}

/* Nobody may write to where a result would go if there is none. */
static struct gh_rm_hyp_resources untouched;

static int get(struct fake_transport *ft, struct gh_rm_hyp_resources **resources)
{
	*resources = &untouched;
	return gh_rm_get_hyp_resources(ft->rm, VMID, resources, NULL);
}

static void expect_list(struct kunit *test, const struct script *script,
			const struct gh_rm_hyp_resources *resources, u32 n)
{
	const u8 *e = script->reply + HEADER;
	u32 i;

	KUNIT_ASSERT_PTR_NE(test, resources, &untouched);
	KUNIT_ASSERT_EQ(test, resources->n, n);
	for (i = 0; i < n; i++, e += ENTRY) {
		const struct gh_rm_hyp_resource *r = &resources->resources[i];

		KUNIT_EXPECT_EQ_MSG(test, r->type, e[0], "entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, r->partner_vmid, get_unaligned_le16(e + 2), "entry %u",
				    i);
		KUNIT_EXPECT_EQ_MSG(test, r->handle, get_unaligned_le32(e + 4), "entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, r->label, get_unaligned_le32(e + 8), "entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, r->capid, get_unaligned_le64(e + 12), "entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, r->virq_handle, get_unaligned_le32(e + 20), "entry %u",
				    i);
		KUNIT_EXPECT_EQ_MSG(test, r->virq, get_unaligned_le32(e + 24), "entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, r->base, get_unaligned_le64(e + 28), "entry %u", i);
		KUNIT_EXPECT_EQ_MSG(test, r->size, get_unaligned_le64(e + 36), "entry %u", i);
	}
}

static void expect_refused(struct fake_transport *ft, int err, const char *what, u32 number)
{
	struct gh_rm_hyp_resources *resources;

	KUNIT_EXPECT_EQ_MSG(ft->test, get(ft, &resources), err, "%s %u", what, number);
	KUNIT_EXPECT_PTR_EQ_MSG(ft->test, resources, &untouched, "%s %u", what, number);
	if (resources != &untouched)
		kvfree(resources);
}

/*
 * Lists that are as they should be
 */

struct list_row {
	const char *name;
	u32 n;
};

static const struct list_row list_rows[] = {
	{ "none", 0 },
	{ "one", 1 },
	{ "two", 2 },
	{ "as many as fit into a packet", 5 },
	{ "two packets", 6 },
	{ "536 bytes in three packets", 12 },
	{ "one less than there can be", MOST - 1 },
	{ "as many as there can be", MOST },
};

KUNIT_ARRAY_PARAM_DESC(list, list_rows, name);

static void list_of_any_length_arrives(struct kunit *test)
{
	const struct list_row *row = test->param_value;
	struct fake_transport *ft = fake_transport_create(test);
	struct script *script = new_script(ft);
	struct gh_rm_hyp_resources *resources;

	set_list(script, row->n, row->n);
	KUNIT_ASSERT_EQ(test, get(ft, &resources), 0);
	expect_list(test, script, resources, row->n);
	kvfree(resources);
	KUNIT_EXPECT_EQ(test, script->id, ID);
	KUNIT_ASSERT_EQ(test, script->req_len, 4);
	KUNIT_EXPECT_MEMEQ(test, script->req, "\x23\x81\0\0", 4);
	KUNIT_EXPECT_EQ(test, ft->requests, 1);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_BAD_PACKETS), 0);
}

/* Written down, so that the offsets above are not only those that the driver has */
static void entry_is_read_to_the_byte(struct kunit *test)
{
	static const u8 entry[ENTRY] =
		"\x04\xee\x02\x01" "\x14\x13\x12\x11" "\x24\x23\x22\x21"
		"\x38\x37\x36\x35\x34\x33\x32\x31" "\x44\x43\x42\x41" "\xc2\x03\x00\x00"
		"\x58\x57\x56\x55\x54\x53\x52\x51" "\x68\x67\x66\x65\x64\x63\x62\x61";
	struct fake_transport *ft = fake_transport_create(test);
	struct script *script = new_script(ft);
	struct gh_rm_hyp_resources *resources;
	struct gh_rm_hyp_resource *r;

	set_list(script, 1, 1);
	memcpy(script->reply + HEADER, entry, ENTRY);
	KUNIT_ASSERT_EQ(test, get(ft, &resources), 0);
	KUNIT_ASSERT_EQ(test, resources->n, 1);
	r = resources->resources;
	KUNIT_EXPECT_EQ(test, r->type, GUNYAH_RESOURCE_TYPE_VCPU);
	KUNIT_EXPECT_EQ(test, r->partner_vmid, 0x102);
	KUNIT_EXPECT_EQ(test, r->handle, 0x11121314);
	KUNIT_EXPECT_EQ(test, r->label, 0x21222324);
	KUNIT_EXPECT_EQ(test, r->capid, 0x3132333435363738);
	KUNIT_EXPECT_EQ(test, r->virq_handle, 0x41424344);
	KUNIT_EXPECT_EQ(test, r->virq, 962);
	KUNIT_EXPECT_EQ(test, r->base, 0x5152535455565758);
	KUNIT_EXPECT_EQ(test, r->size, 0x6162636465666768);
	kvfree(resources);
}

static void type_that_is_not_known_is_passed_on(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct script *script = new_script(ft);
	struct gh_rm_hyp_resources *resources;
	u32 i;

	set_list(script, 256, 256);
	for (i = 0; i < 256; i++)
		script->reply[HEADER + ENTRY * i] = i;
	KUNIT_ASSERT_EQ(test, get(ft, &resources), 0);
	expect_list(test, script, resources, 256);
	kvfree(resources);
}

/*
 * Lists that are not
 */

static void list_of_any_other_length_is_refused(struct kunit *test)
{
	const size_t whole = HEADER + 3 * ENTRY;
	struct fake_transport *ft = fake_transport_create(test);
	struct script *script = new_script(ft);
	struct gh_rm_hyp_resources *resources;
	unsigned int refused = 0;
	size_t len;

	set_list(script, 5, 3);
	for (len = 0; len <= HEADER + 5 * ENTRY; len++) {
		script->len = len;
		if (len == whole)
			continue;
		expect_refused(ft, -EPROTO, "bytes:", len);
		refused++;
		KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_BAD_PACKETS), refused);
	}
	KUNIT_EXPECT_EQ(test, refused, HEADER + 5 * ENTRY);

	script->len = whole;
	KUNIT_ASSERT_EQ(test, get(ft, &resources), 0);
	expect_list(test, script, resources, 3);
	kvfree(resources);
}

/* How many there are, and how many there are said to be */
struct count_row {
	u32 n;
	u32 count;
};

static const struct count_row count_rows[] = {
	{ 0, 1 }, { 1, 0 }, { 1, 2 }, { 2, 1 }, { 5, 6 }, { 6, 5 }, { 12, 0x0c000000 },
	{ MOST, 0 }, { MOST, MOST - 1 }, { MOST, MOST + 1 }, { MOST - 1, MOST },
	{ 0, 0x7fffffff }, { 0, 0x80000000 }, { 0, 0xffffffff },
	{ MOST, 0x7fffffff }, { MOST, 0xffffffff },
	/* So many times 44 are as many bytes as there are, if it is 32 bits that count. */
	{ 0, 0x40000000 }, { 1, 0x40000001 }, { 2, 0x80000002 }, { 3, 0xc0000003 },
	{ MOST, 0x40000000 + MOST },
};

static void count_that_lies_is_refused(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct script *script = new_script(ft);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(count_rows); i++) {
		set_list(script, count_rows[i].n, count_rows[i].count);
		expect_refused(ft, -EPROTO, "row", i);
	}
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_BAD_PACKETS), i);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_TIMEOUTS), 0);
}

static void list_behind_an_error_code_is_not_looked_at(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct script *script = new_script(ft);
	u32 n;

	for (n = 0; n <= MOST; n += 83) {
		set_list(script, n, n);
		put_unaligned_le32(GH_RM_ERROR_NORESOURCE, script->reply);
		expect_refused(ft, -ENODEV, "entries:", n);
	}
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_BAD_PACKETS), 0);
}

/*
 * Lists that come too late
 */

/* The first request is not answered. */
struct late {
	struct script *script;
	struct fake_msg lost;
	bool has_lost;
};

static void answer_late(struct fake_transport *ft, const struct fake_msg *req)
{
	struct late *late = ft->priv;

	if (!late->has_lost) {
		late->has_lost = true;
		late->lost = *req;
		return;
	}
	/* The other list first, and then what is asked for */
	fake_send(ft, FAKE_REPLY, late->lost.seq, ID, late->script->reply,
		  HEADER + MOST * ENTRY);
	put_unaligned_le32(2, late->script->reply + 4);
	fake_send(ft, FAKE_REPLY, req->seq, ID, late->script->reply, HEADER + 2 * ENTRY);
}

static void list_that_comes_too_late_is_dropped(struct kunit *test)
{
	struct fake_transport *ft = fake_transport_create(test);
	struct late *late = kunit_kzalloc(test, sizeof(*late), GFP_KERNEL);
	struct gh_rm_hyp_resources *resources;

	KUNIT_ASSERT_NOT_NULL(test, late);
	late->script = new_script(ft);
	ft->request = answer_late;
	ft->priv = late;
	set_list(late->script, MOST, MOST);
	*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_SHORT;
	expect_refused(ft, -ETIMEDOUT, "request", 1);
	fake_transport_flush(ft);
	KUNIT_ASSERT_TRUE(test, late->has_lost);

	/* The buffer that it was for is freed. */
	fake_send(ft, FAKE_REPLY, late->lost.seq, ID, late->script->reply, late->script->len);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_UNEXPECTED), 1);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_LATE_REPLIES), 0);

	*gh_rm_call_timeout_ms(ft->rm) = FAKE_TIMEOUT_LONG;
	KUNIT_ASSERT_EQ(test, get(ft, &resources), 0);
	expect_list(test, late->script, resources, 2);
	kvfree(resources);
	KUNIT_EXPECT_EQ(test, gh_rm_stat(ft->rm, GH_RM_STAT_UNEXPECTED), 2);
}

/*
 * Interrupts
 */

struct virq_row {
	u32 virq;
	int ret;
	u32 type;	/* 0 SPI, 2 ESPI */
	u32 number;
};

static const struct virq_row virq_rows[] = {
	/* None */
	{ 0, -ENOENT }, { 0xffffffff, -ENOENT },
	/* A CPU's own */
	{ 1, -EINVAL }, { 15, -EINVAL }, { 16, -EINVAL }, { 31, -EINVAL },
	{ 32, 0, 0, 0 }, { 33, 0, 0, 1 }, { 962, 0, 0, 930 }, { 1019, 0, 0, 987 },
	/* Special, reserved, and a CPU's own again */
	{ 1020, -EINVAL }, { 1023, -EINVAL }, { 1024, -EINVAL }, { 1056, -EINVAL },
	{ 1119, -EINVAL }, { 4095, -EINVAL },
	{ 4096, 0, 2, 0 }, { 4097, 0, 2, 1 }, { 5119, 0, 2, 1023 },
	/* Reserved, messages, and what the GIC does not count to */
	{ 5120, -EINVAL }, { 8191, -EINVAL }, { 8192, -EINVAL }, { 0xffffff, -EINVAL },
	{ 0x1000020, -EINVAL }, { 0x80000020, -EINVAL }, { 0xfffffffe, -EINVAL },
};

static void interrupt_has_the_specifier_of_the_binding(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(virq_rows); i++) {
		const struct virq_row *row = &virq_rows[i];
		u32 spec[3] = { 0x55, 0x66, 0x77 };

		KUNIT_EXPECT_EQ_MSG(test, gh_rm_virq_spec(row->virq, spec), row->ret, "virq %u",
				    row->virq);
		KUNIT_EXPECT_EQ_MSG(test, spec[0], row->ret ? 0x55 : row->type, "virq %u",
				    row->virq);
		KUNIT_EXPECT_EQ_MSG(test, spec[1], row->ret ? 0x66 : row->number, "virq %u",
				    row->virq);
		/* 1: rising edge */
		KUNIT_EXPECT_EQ_MSG(test, spec[2], row->ret ? 0x77 : 1, "virq %u", row->virq);
	}
}

/* As many as the GIC has of the two kinds */
static void interrupts_are_988_and_1024(struct kunit *test)
{
	unsigned int n[2] = {};
	u32 virq, spec[3];

	for (virq = 0; virq < 0x10000; virq++)
		if (!gh_rm_virq_spec(virq, spec))
			n[!!spec[0]]++;
	KUNIT_EXPECT_EQ(test, n[0], 988);
	KUNIT_EXPECT_EQ(test, n[1], 1024);
}

static struct kunit_case resources_cases[] = {
	KUNIT_CASE_PARAM(list_of_any_length_arrives, list_gen_params),
	KUNIT_CASE(entry_is_read_to_the_byte),
	KUNIT_CASE(type_that_is_not_known_is_passed_on),
	KUNIT_CASE(list_of_any_other_length_is_refused),
	KUNIT_CASE(count_that_lies_is_refused),
	KUNIT_CASE(list_behind_an_error_code_is_not_looked_at),
	KUNIT_CASE(list_that_comes_too_late_is_dropped),
	KUNIT_CASE(interrupt_has_the_specifier_of_the_binding),
	KUNIT_CASE(interrupts_are_988_and_1024),
	{}
};

static struct kunit_suite resources_suite = {
	.name = "gunyah_rsc_mgr_resources",
	.test_cases = resources_cases,
};

kunit_test_suite(resources_suite);

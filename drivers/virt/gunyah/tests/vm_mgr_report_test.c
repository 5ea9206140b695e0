// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the log has of a start that failed, and its errno
 *
 * Each start is carried out by the test itself, whose calls can be redirected: usually it
 * is a work's.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/string.h>

#include <uapi/linux/gunyah.h>

#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

/* What was last said, and how often anything was */
static char said[GH_VM_FAILURE_TEXT];
static unsigned int n_said;

static void hear(struct gh_vm *ghvm, const char *why)
{
	strscpy(said, why, sizeof(said));
	n_said++;
}

static int report_test_init(struct kunit *test)
{
	said[0] = 0;
	n_said = 0;
	kunit_activate_static_stub(test, gh_vm_not_started, hear);
	return vm_test_init(test);
}

static void expect_said(struct kunit *test, const char *begin, const char *part)
{
	KUNIT_EXPECT_EQ_MSG(test, n_said, 1, "%s", said);
	KUNIT_EXPECT_TRUE_MSG(test, strstarts(said, begin), "\"%s\" does not begin with \"%s\"",
			      said, begin);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(said, part), "\"%s\" has no \"%s\"", said, part);
}

/* GH_VM_START without the work */
static int start(struct vm *vm)
{
	/* For the work */
	gh_vm_get(vm->ghvm);
	vm->ghvm->start_work.func(&vm->ghvm->start_work);
	return vm->ghvm->start_result;
}

/* A step at which something goes wrong, what START returns, and what is said */
static const struct failing {
	enum fake_rm_op op;
	unsigned int skip;
	enum fake_rm_outcome outcome;
	int err;
	int start;
	const char *begin;
	const char *part;
} failing[] = {
	{ FAKE_RM_ALLOC_VMID, 0, FAKE_RM_REFUSED, GH_RM_ERROR_NORESOURCE, -ENOSPC,
	  "VM_ALLOC_VMID: refused, NORESOURCE (0x2) (errno 28): ", "all VMIDs" },
	{ FAKE_RM_ALLOC_VMID, 0, FAKE_RM_LOST_REQUEST, 0, -ETIMEDOUT,
	  "VM_ALLOC_VMID: no answer (errno 110): ", "alive?" },
	{ FAKE_RM_ALLOC_VMID, 0, FAKE_RM_REFUSED, -ETIME, -ETIMEDOUT,
	  "VM_ALLOC_VMID: no answer (errno 110): ", "alive?" },
	{ FAKE_RM_LISTEN, 0, FAKE_RM_REFUSED, -ENOMEM, -ENOMEM,
	  "VM_ALLOC_VMID: failed (errno 12): ", "kernel memory" },
	{ FAKE_RM_LEND, 0, FAKE_RM_REFUSED, GH_RM_ERROR_MEM_INVALID, -EINVAL,
	  "MEM_LEND, region 0x1: refused, MEM_INVALID (0xa) (errno 22): ", "lent already" },
	{ FAKE_RM_LEND, 0, FAKE_RM_REFUSED, GH_RM_ERROR_DENIED, -ENOSPC,
	  "MEM_LEND, region 0x1: refused, DENIED (0x3) (errno 28): ", "parcels" },
	{ FAKE_RM_LEND, 0, FAKE_RM_REFUSED, -ENOSPC, -ENOSPC,
	  "MEM_LEND, region 0x1: failed (errno 28): ", "parcels" },
	{ FAKE_RM_LEND, 0, FAKE_RM_REFUSED, GH_RM_ERROR_NOMEM, -ENOMEM,
	  "MEM_LEND, region 0x1: refused, NOMEM (0x1) (errno 12): ", "its memory" },
	{ FAKE_RM_LEND, 0, FAKE_RM_REFUSED, -EREMOTEIO, -EREMOTEIO,
	  "MEM_LEND, region 0x1: failed (errno 121): ", "another driver" },
	{ FAKE_RM_LEND, 0, FAKE_RM_REFUSED, -ENOPKG, -ENOPKG,
	  "MEM_LEND, region 0x1: failed (errno 65): ", "gunyah_qcom" },
	{ FAKE_RM_LEND, 1, FAKE_RM_FAILED, GH_RM_ERROR_DENIED, -EPERM,
	  "MEM_APPEND, region 0x0: refused, DENIED (0x3) (errno 1): ", "vm-manager.rst" },
	{ FAKE_RM_GET_VMID, 0, FAKE_RM_REFUSED, GH_RM_ERROR_BUSY, -EBUSY,
	  "VM_GET_VMID, region 0x2: refused, BUSY (0x5) (errno 16): ",
	  "vm-manager.rst" },
	{ FAKE_RM_SHARE, 0, FAKE_RM_REFUSED, GH_RM_ERROR_MEM_INVALID, -EINVAL,
	  "MEM_SHARE, region 0x2: refused, MEM_INVALID (0xa) (errno 22): ", "lent already" },
	{ FAKE_RM_SHARE, 0, FAKE_RM_REFUSED, GH_RM_ERROR_DENIED, -ENOSPC,
	  "MEM_SHARE, region 0x2: refused, DENIED (0x3) (errno 28): ", "parcels" },
	{ FAKE_RM_LEND, 1, FAKE_RM_REFUSED, GH_RM_ERROR_DENIED, -ENOSPC,
	  "MEM_LEND, region 0x0: refused, DENIED (0x3) (errno 28): ", "parcels" },
	{ FAKE_RM_CONFIGURE, 0, FAKE_RM_REFUSED, GH_RM_ERROR_ARGUMENT_INVALID, -EINVAL,
	  "VM_CONFIG_IMAGE, region 0x1: refused, ARGUMENT_INVALID (0x6) (errno 22): ",
	  "vm-manager.rst" },
	{ FAKE_RM_INIT, 0, FAKE_RM_FAILED, GH_RM_ERROR_MEM_INVALID, -EINVAL,
	  "VM_INIT, region 0x1: refused, MEM_INVALID (0xa) (errno 22): ", "gunyah-vm-config" },
	{ FAKE_RM_INIT, 0, FAKE_RM_FAILED, GH_RM_ERROR_ARGUMENT_INVALID, -EINVAL,
	  "VM_INIT, region 0x1: refused, ARGUMENT_INVALID (0x6) (errno 22): ", "cpu node" },
	{ FAKE_RM_INIT, 0, FAKE_RM_FAILED, GH_RM_ERROR_NORESOURCE, -ENODEV,
	  "VM_INIT, region 0x1: refused, NORESOURCE (0x2) (errno 19): ", "vdevice" },
	{ FAKE_RM_INIT, 0, FAKE_RM_FAILED, GH_RM_ERROR_DENIED, -EPERM,
	  "VM_INIT, region 0x1: refused, DENIED (0x3) (errno 1): ", "priority" },
	{ FAKE_RM_INIT, 0, FAKE_RM_FAILED, GH_RM_ERROR_VM_STATE, -EBADFD,
	  "VM_INIT, region 0x1: refused, VM_STATE (0x14) (errno 77): ", "another state" },
	{ FAKE_RM_GET_RESOURCES, 0, FAKE_RM_BAD_REPLY, 0, -EPROTO,
	  "VM_GET_HYP_RESOURCES, region 0x1: the answer makes no sense (errno 71): ", "API" },
	{ FAKE_RM_START, 0, FAKE_RM_FAILED, GH_RM_ERROR_NORESOURCE, -ENODEV,
	  "VM_START, region 0x1: refused, NORESOURCE (0x2) (errno 19): ", "window" },
	{ FAKE_RM_START, 0, FAKE_RM_REFUSED, -ENODEV, -ENODEV,
	  "VM_START, region 0x1: failed (errno 19): ", "going away" },
};

static void failing_name(const struct failing *failing, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", failing->begin);
}

KUNIT_ARRAY_PARAM(failing, failing, failing_name);

static void step_and_cause(struct kunit *test)
{
	const struct failing *failing = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	fake_rm_fault(vt->f, failing->op, failing->skip, 1, failing->outcome, failing->err);
	KUNIT_EXPECT_EQ(test, start(vm), failing->start);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_FAILED);
	expect_said(test, failing->begin, failing->part);
}

static void nothing_without_failure(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);

	KUNIT_EXPECT_EQ(test, start(vm), 0);
	KUNIT_EXPECT_EQ(test, n_said, 0);
}

/* By the rules, and not because of a fault */
static void all_vmids_in_use(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	unsigned int i;

	for (i = 0; i < FAKE_RM_MAX_VMS; i++)
		vt->f->vms[i].used = true;
	KUNIT_EXPECT_EQ(test, start(vm_new_complete(vt)), -ENOSPC);
	expect_said(test, "VM_ALLOC_VMID: refused, NORESOURCE", "all VMIDs");
	for (i = 0; i < FAKE_RM_MAX_VMS; i++)
		vt->f->vms[i].used = false;
}

/* Production builds of the resource manager insist on one kind of memory for the image. */
static const struct image_kind {
	const char *name;
	u32 flags;
	int start;
} image_kinds[] = {
	{ "lent, all rights", GH_MEM_LENT | GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE |
			      GH_MEM_ALLOW_EXEC, -ENODEV },
	{ "shared", GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC, -EMEDIUMTYPE },
	{ "lent, not to be written", GH_MEM_LENT | GH_MEM_ALLOW_READ | GH_MEM_ALLOW_EXEC,
	  -EMEDIUMTYPE },
	{ "lent, not to be executed", GH_MEM_LENT | GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE,
	  -EMEDIUMTYPE },
};

static void image_kind_name(const struct image_kind *kind, char *desc)
{
	strscpy(desc, kind->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(image_kind, image_kinds, image_kind_name);

static void kind_of_image_memory(struct kunit *test)
{
	const struct image_kind *kind = test->param_value;
	struct vm_test_region region = image_region;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);

	region.flags = kind->flags;
	KUNIT_ASSERT_EQ(test, vm_add_mem(vt, vm, &region), 0);
	KUNIT_ASSERT_EQ(test, vm_add_mem(vt, vm, &shared_region), 0);
	KUNIT_ASSERT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA, PAGE_SIZE), 0);
	fake_rm_fault(vt->f, FAKE_RM_START, 0, 1, FAKE_RM_FAILED, GH_RM_ERROR_NORESOURCE);
	KUNIT_EXPECT_EQ(test, start(vm), kind->start);
	expect_said(test, "VM_START, region 0x1: refused, NORESOURCE",
		    kind->start == -ENODEV ? "window" : "GH_MEM_LENT");
}

static void code_of_firmware(struct kunit *test)
{
	struct gh_vm_mem mem = {
		.label = 0x2a,
		.parcel.n_mem_entries = 12,
		.parcel.why = { .platform = 6, .piece = 3 },
	};
	struct gh_vm_failure failure = {
		.step = GH_VM_STEP_LEND, .mem = &mem, .err = -EREMOTEIO,
	};
	static const char begin[] =
		"MEM_LEND, region 0x2a: firmware refused piece 3 of 12, code 6 (errno 121): ";
	char text[GH_VM_FAILURE_TEXT];

	gh_vm_failure_text(&failure, text, sizeof(text));
	KUNIT_EXPECT_TRUE_MSG(test, strstarts(text, begin), "%s", text);

	mem.parcel.why.platform = -ENODEV;
	gh_vm_failure_text(&failure, text, sizeof(text));
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, "error -19"), "%s", text);
}

/* Whatever was said by whom, it fits, and ends with something to look at. */
static void texts_are_whole(struct kunit *test)
{
	struct gh_vm_mem mem = { .label = U32_MAX, .parcel.n_mem_entries = SIZE_MAX,
				 .parcel.why = { .platform = INT_MIN, .piece = SIZE_MAX } };
	static const int errs[] = { -EINVAL, -ETIMEDOUT, -EPROTO, -EREMOTEIO, -ENOMEM, -ENOPKG };
	struct gh_vm_failure failure = { .mem = &mem };
	char text[GH_VM_FAILURE_TEXT];
	unsigned int i;
	u32 rm_error;

	for (failure.step = 0; failure.step < GH_VM_NR_STEPS; failure.step++) {
		for (i = 0; i < ARRAY_SIZE(errs); i++) {
			for (rm_error = 0; rm_error <= GH_RM_ERROR_VM_STATE + 1; rm_error++) {
				failure.err = errs[i];
				failure.rm_error = rm_error;
				gh_vm_failure_text(&failure, text, sizeof(text));
				KUNIT_EXPECT_LT_MSG(test, strlen(text), sizeof(text) - 1, "%s",
						    text);
				KUNIT_EXPECT_NULL_MSG(test, strstr(text, "(null)"), "%s", text);
				KUNIT_EXPECT_LT(test, gh_vm_failure_errno(&failure), 0);
			}
		}
	}
}

/* Before the resource manager is asked: nothing has happened, and the log says so, too. */
static void mistakes(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);

	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -EINVAL);
	expect_said(test, "there is no devicetree", "GH_VM_SET_DTB_CONFIG");

	n_said = 0;
	KUNIT_ASSERT_EQ(test, vm_set_dtb(vt, vm, IMAGE_GPA, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -EINVAL);
	expect_said(test, "no region holds the window", "as a whole");

	n_said = 0;
	KUNIT_ASSERT_EQ(test, vm_add_mem(vt, vm, &image_region), 0);
	vt->mgr->hibernating = true;
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -EBUSY);
	vt->mgr->hibernating = false;
	expect_said(test, "the host hibernates soon", "afterwards");
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_NEW);
	KUNIT_EXPECT_EQ(test, vt->f->calls[FAKE_RM_ALLOC_VMID], 0);
}

/* One that has failed says so again, but not why. */
static void too_late(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt), *other = vm_new_complete(vt);

	vt->f->exit_at_start = true;
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	vm_settle(vt, vm);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_EXITED);
	KUNIT_EXPECT_EQ(test, n_said, 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), -ENODEV);
	expect_said(test, "it has ended", "once");

	n_said = 0;
	fake_rm_fault(vt->f, FAKE_RM_INIT, 0, 1, FAKE_RM_FAILED, GH_RM_ERROR_MEM_INVALID);
	KUNIT_EXPECT_EQ(test, start(other), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_start(vt, other), -EINVAL);
	KUNIT_EXPECT_EQ(test, n_said, 1);
}

static struct kunit_case vm_mgr_report_cases[] = {
	KUNIT_CASE_PARAM(step_and_cause, failing_gen_params),
	KUNIT_CASE(nothing_without_failure),
	KUNIT_CASE(all_vmids_in_use),
	KUNIT_CASE_PARAM(kind_of_image_memory, image_kind_gen_params),
	KUNIT_CASE(code_of_firmware),
	KUNIT_CASE(texts_are_whole),
	KUNIT_CASE(mistakes),
	KUNIT_CASE(too_late),
	{}
};

static struct kunit_suite vm_mgr_report_suite = {
	.name = "gunyah_vm_mgr_report",
	.init = report_test_init,
	.exit = vm_test_exit,
	.test_cases = vm_mgr_report_cases,
};

kunit_test_suite(vm_mgr_report_suite);

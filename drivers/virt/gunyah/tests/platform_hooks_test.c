// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of how it is found out whether Qualcomm's firmware must be told who gets which
 * memory. That is found out once, so the tests have a copy of the source, with a machine
 * of their own: a devicetree, and a hypervisor.
 */

#include <kunit/test.h>
#include <linux/gunyah.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/string.h>

#define gh_rm_register_platform_ops	copy_register_platform_ops
#define gh_rm_unregister_platform_ops	copy_unregister_platform_ops
#define gh_rm_platform_get		copy_platform_get
#define gh_rm_platform_put		copy_platform_put
#define gh_rm_platform_is_qcom		copy_platform_is_qcom

#include "../rsc_mgr.h"

/**
 * struct machine - What the source under test sees of the machine
 * @test: the test
 * @has_rm: the devicetree has a resource manager
 * @has_ext: the hypervisor has Qualcomm's extensions
 * @asked: how often it was asked for them
 * @rm_refs: references to the resource manager's node
 * @rm: that node
 * @root: the root of the devicetree
 * @compatible: its only property, and
 * @names: the value of that
 */
static struct machine {
	struct kunit *test;
	bool has_rm;
	bool has_ext;
	unsigned int asked;
	int rm_refs;
	struct device_node rm;
	struct device_node root;
	struct property compatible;
	char names[64];
} machine;

static bool machine_has_ext(void)
{
	KUNIT_EXPECT_TRUE_MSG(machine.test, machine.has_rm, "there may be no hypervisor");
	machine.asked++;
	return machine.has_ext;
}

static struct device_node *machine_find(struct device_node *from, const char *type,
					const char *compatible)
{
	KUNIT_EXPECT_NULL(machine.test, from);
	KUNIT_EXPECT_NULL(machine.test, type);
	KUNIT_EXPECT_STREQ(machine.test, compatible, "gunyah-resource-manager");
	if (!machine.has_rm)
		return NULL;
	machine.rm_refs++;
	return &machine.rm;
}

static void machine_put(struct device_node *np)
{
	KUNIT_EXPECT_PTR_EQ(machine.test, np, &machine.rm);
	machine.rm_refs--;
}

#define of_root					(&machine.root)
#define of_find_compatible_node(f, t, c)	machine_find(f, t, c)
#define of_node_put(np)				machine_put(np)
#define arch_has_gh_qcom_ext()			machine_has_ext()

/* What the original exports and says of itself is that of this module already. */
#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(symbol)		static_assert(true, #symbol)
#undef MODULE_LICENSE
#define MODULE_LICENSE(license)			static_assert(true, license)
#undef MODULE_DESCRIPTION
#define MODULE_DESCRIPTION(text)		static_assert(true, text)

#include "../gunyah_platform_hooks.c"

struct sign_row {
	const char *name;
	bool ext;
	const char *compatible[2];
	const char *why;
};

#define EXT	"the hypervisor has Qualcomm's extensions"
#define MACHINE	"the machine is one of Qualcomm's"

static const struct sign_row sign_rows[] = {
	{ "nothing", false, { }, NULL },
	{ "another machine", false, { "linux,dummy-virt" }, NULL },
	{ "extensions", true, { "linux,dummy-virt" }, EXT },
	{ "extensions alone", true, { }, EXT },
	{ "machine", false, { "qcom,sm8650" }, MACHINE },
	{ "board and machine", false, { "vendor,board", "qcom,sm8650" }, MACHINE },
	{ "extensions and machine", true, { "qcom,sm8650" }, EXT },
	{ "maker of a like name", false, { "qcomputers,board" }, NULL },
	{ "not its maker", false, { "vendor,like-qcom,sm8650" }, NULL },
};

KUNIT_ARRAY_PARAM_DESC(sign, sign_rows, name);

static void set_machine(const struct sign_row *row)
{
	size_t size = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(row->compatible) && row->compatible[i]; i++) {
		strscpy(machine.names + size, row->compatible[i], sizeof(machine.names) - size);
		size += strlen(row->compatible[i]) + 1;
	}
	machine.compatible = (struct property) {
		.name = "compatible",
		.value = machine.names,
		.length = size,
	};
	machine.root.properties = size ? &machine.compatible : NULL;
	machine.has_ext = row->ext;
}

static void expect_why(struct kunit *test, const char *want)
{
	const char *why = gh_rm_platform_is_qcom();

	if (want)
		KUNIT_EXPECT_STREQ(test, why ?: "nothing", want);
	else
		KUNIT_EXPECT_NULL(test, why);
	KUNIT_EXPECT_EQ(test, machine.rm_refs, 0);
}

static void signs_of_qualcomm(struct kunit *test)
{
	const struct sign_row *row = test->param_value;

	set_machine(row);
	machine.has_rm = true;
	expect_why(test, row->why);
}

/* Machine and hypervisor do not change. */
static void answer_is_kept(struct kunit *test)
{
	const struct sign_row *row = test->param_value;
	const struct sign_row other = {
		.ext = !row->why, .compatible = { "vendor,other" },
	};

	set_machine(row);
	machine.has_rm = true;
	expect_why(test, row->why);
	set_machine(&other);
	expect_why(test, row->why);
	KUNIT_EXPECT_EQ(test, machine.asked, 1);
}

/* Without a resource manager no memory is given away, and there may be no hypervisor. */
static void no_answer_without_a_resource_manager(struct kunit *test)
{
	const struct sign_row *row = test->param_value;

	set_machine(row);
	expect_why(test, NULL);
	expect_why(test, NULL);
	KUNIT_EXPECT_EQ(test, machine.asked, 0);

	/* It comes later, with an overlay. */
	machine.has_rm = true;
	expect_why(test, row->why);
	KUNIT_EXPECT_EQ(test, machine.asked, 1);
}

static int platform_hooks_test_init(struct kunit *test)
{
	machine = (struct machine) { .test = test };
	gh_rm_qcom = NULL;
	gh_rm_qcom_known = false;
	return 0;
}

static struct kunit_case platform_hooks_cases[] = {
	KUNIT_CASE_PARAM(signs_of_qualcomm, sign_gen_params),
	KUNIT_CASE_PARAM(answer_is_kept, sign_gen_params),
	KUNIT_CASE_PARAM(no_answer_without_a_resource_manager, sign_gen_params),
	{}
};

static struct kunit_suite platform_hooks_suite = {
	.name = "gunyah_platform_hooks",
	.init = platform_hooks_test_init,
	.test_cases = platform_hooks_cases,
};

kunit_test_suite(platform_hooks_suite);

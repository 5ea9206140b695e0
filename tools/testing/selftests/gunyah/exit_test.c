// SPDX-License-Identifier: GPL-2.0-only
/* How guests end, and what the host hears of it */
#include "gunyah_test.h"

GUNYAH_TEST(system_off)
{
	struct gh_vm_exit_info info;

	ASSERT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
	EXPECT_EQ(0, info.padding);
	EXPECT_EQ(4, info.reason_size);
	EXPECT_EQ(0, gh_exit_reason(&info));
	EXPECT_STREQ("PSCI system off", gh_exit_words(&info));
}

GUNYAH_TEST(system_reset)
{
	struct gh_vm_exit_info info;

	ASSERT_EQ(0, guest_cycle(&self->guest, self->dev, "reset", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET, info.type);
	EXPECT_STREQ("PSCI system reset", gh_exit_words(&info));
}

/* The reason is longer than the structure has room for: the first words of it */
GUNYAH_TEST(system_reset2)
{
	struct gh_vm_exit_info info;
	uint32_t words[2];

	ASSERT_EQ(0, guest_cycle(&self->guest, self->dev, "reset2", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2, info.type);
	EXPECT_STREQ("PSCI system reset2", gh_exit_words(&info));
	EXPECT_EQ(8, info.reason_size);
	memcpy(words, info.reason, sizeof(words));
	/* A vendor's reset type, as the guest gave it */
	EXPECT_EQ(0x80000000, words[1]);
}

GUNYAH_TEST(guest_abort)
{
	struct gh_vm_exit_info info;

	ASSERT_EQ(0, guest_cycle(&self->guest, self->dev, "abort", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_HYP_ERROR, info.type);
}

/* More text than the console's ring holds, complete and in order */
GUNYAH_TEST(much_text)
{
	struct guest *g = &self->guest;
	char *expected, *p;
	int i;

	expected = malloc(32768);
	ASSERT_NE(NULL, expected);
	p = expected;
	for (i = 0; i < 2000; i++)
		p += sprintf(p, "line %d\n", i);

	ASSERT_EQ(0, guest_run(g, self->dev, "flood", 0));
	ASSERT_EQ(0, guest_wait(g));
	EXPECT_FALSE(g->console.broken);
	EXPECT_EQ(p - expected, (long)g->text_len);
	EXPECT_EQ(0, strcmp(expected, g->text));
	free(expected);
}

/* The ends that no guest of ours can bring about, as the resource manager tells them */
static const struct {
	uint16_t type;
	uint16_t expected;
	const char *words;
} types[] = {
	{ 0, GH_VM_EXIT_TYPE_VM_EXIT, "ended by the guest through the resource manager" },
	{ 4, GH_VM_EXIT_TYPE_WDT_BITE, "watchdog" },
	{ 6, GH_VM_EXIT_TYPE_ASYNC_EXT_ABORT, "asynchronous external abort" },
	{ 7, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED, "stopped by the host" },
};

GUNYAH_TEST(other_types)
{
	struct gh_vm_exit_info info;
	size_t i;

	SKIP_WITHOUT_CONTROL();
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		/* The type is the third byte of the message */
		ASSERT_TRUE(fault_add(RM_VM_EXITED, GH_LAB_FAULT_SET_BYTE, 2 << 8 | types[i].type,
				      0, 1));
		ASSERT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info));
		EXPECT_EQ(types[i].expected, info.type);
		EXPECT_STREQ(types[i].words, gh_exit_words(&info));
		fault_clear();
	}
}

/* Size and contents of the reason come from a message: as much as there is, at most 8 */
GUNYAH_TEST(reason)
{
	struct gh_vm_exit_info info;

	SKIP_WITHOUT_CONTROL();
	ASSERT_TRUE(fault_add(RM_VM_EXITED, GH_LAB_FAULT_SET_BYTE, 8 << 8 | 0x21, 0, 1));
	ASSERT_EQ(0, guest_cycle(&self->guest, self->dev, "hello", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
	EXPECT_EQ(0x21, gh_exit_reason(&info));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/* The VMM's side of the console against a guest that plays foul. Needs no Gunyah. */
#include "gunyah_lib.h"
#include "../kselftest_harness.h"

FIXTURE(console) {
	struct gh_console_reader reader;
	struct gh_console *console;
	char text[2 * GH_CONSOLE_RING_SIZE];
};

FIXTURE_SETUP(console)
{
	void *mem;

	ASSERT_EQ(0, posix_memalign(&mem, 4096, GH_CONSOLE_SIZE));
	memset(mem, 0xff, GH_CONSOLE_SIZE);
	self->console = mem;
	gh_console_init(&self->reader, mem);
}

FIXTURE_TEARDOWN(console)
{
	free(self->console);
}

static void put(struct gh_console *console, const char *text)
{
	while (*text)
		console->text[console->head++ % GH_CONSOLE_RING_SIZE] = *text++;
}

TEST_F(console, layout)
{
	EXPECT_EQ(GH_CONSOLE_MAGIC, self->console->magic);
	EXPECT_EQ(GH_CONSOLE_VERSION, self->console->version);
	EXPECT_EQ(GH_CONSOLE_RING_SIZE, self->console->size);
	EXPECT_EQ(0, self->console->head);
	EXPECT_EQ(0, self->console->tail);
	EXPECT_EQ(0, gh_console_read(&self->reader, self->text, sizeof(self->text)));
}

TEST_F(console, in_order)
{
	put(self->console, "one, ");
	EXPECT_EQ(3, gh_console_read(&self->reader, self->text, 3));
	EXPECT_EQ(3, self->console->tail);
	put(self->console, "two");
	EXPECT_EQ(5, gh_console_read(&self->reader, self->text + 3, sizeof(self->text) - 3));
	EXPECT_EQ(0, memcmp(self->text, "one, two", 8));
	EXPECT_EQ(8, self->console->tail);
}

/* Across the end of the ring, and across the end of the counters */
TEST_F(console, wraps)
{
	self->console->head = UINT32_MAX - 2;
	self->reader.tail = UINT32_MAX - 2;
	put(self->console, "abcdef");
	EXPECT_EQ(6, gh_console_read(&self->reader, self->text, sizeof(self->text)));
	EXPECT_EQ(0, memcmp(self->text, "abcdef", 6));
	EXPECT_FALSE(self->reader.broken);
}

TEST_F(console, full)
{
	self->console->head = GH_CONSOLE_RING_SIZE;
	EXPECT_EQ(GH_CONSOLE_RING_SIZE,
		  gh_console_read(&self->reader, self->text, sizeof(self->text)));
	EXPECT_FALSE(self->reader.broken);
}

/* A head that cannot be: no text, no access outside of the ring, and life goes on */
TEST_F(console, impossible_head)
{
	static const uint32_t heads[] = {
		GH_CONSOLE_RING_SIZE + 1, 0x80000000, UINT32_MAX, 1U << 20,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		self->reader.broken = false;
		self->reader.tail = 0;
		self->console->head = heads[i];
		EXPECT_EQ(0, gh_console_read(&self->reader, self->text, sizeof(self->text)));
		EXPECT_TRUE(self->reader.broken);
		put(self->console, "again");
		EXPECT_EQ(5, gh_console_read(&self->reader, self->text, sizeof(self->text)));
		EXPECT_EQ(0, memcmp(self->text, "again", 5));
	}
}

/* Nothing that is for the guest to read is believed */
TEST_F(console, header_overwritten)
{
	self->console->magic = 0;
	self->console->size = UINT32_MAX;
	self->console->tail = 0x12345678;
	put(self->console, "text");
	EXPECT_EQ(4, gh_console_read(&self->reader, self->text, sizeof(self->text)));
	EXPECT_EQ(0, memcmp(self->text, "text", 4));
	EXPECT_EQ(4, self->console->tail);
}

TEST_HARNESS_MAIN

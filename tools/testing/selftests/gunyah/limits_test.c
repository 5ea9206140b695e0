// SPDX-License-Identifier: GPL-2.0-only
/* All that there is of VMIDs and parcels used up, and got back; many guests at once */
#include "gunyah_test.h"

#define VMIDS		63
#define PARCELS		64

static int small_guest(struct guest *g, int dev, const char *payload)
{
	struct gh_mem image;

	memset(g, 0, sizeof(*g));
	return gh_mem_alloc(&image, "image", SMALL_IMAGE) ?: guest_alloc(g, payload, &image) ?:
	       guest_setup(g, dev, 0);
}

/* Its console and page would cost parcels */
static int bare_guest(struct guest *g, int dev)
{
	return guest_alloc_bare(g, NULL) ?: guest_setup(g, dev, 0);
}

/* Every VMID in use: the next guest fails and costs nothing, and works when one is free */
GUNYAH_TEST(vmids)
{
	static struct guest guests[VMIDS];
	struct guest *next = &self->guest;
	struct resources full;
	long free = VMIDS;
	int i, round;

	SKIP_WITHOUT_CONTROL();
	/* Tests before this one may have lost some for good */
	free -= self->before.vmids;
	ASSERT_LT(0, free);
	for (i = 0; i < free; i++) {
		ASSERT_EQ(0, bare_guest(&guests[i], self->dev));
		ASSERT_EQ(0, gh_start(guests[i].vm)) {
			TH_LOG("guest %d", i);
		}
	}
	EXPECT_EQ(VMIDS, ctl_read(GH_LAB_CTL_VMIDS));
	EXPECT_EQ(free, ctl_read(GH_LAB_CTL_GUESTS) - self->before.guests);
	resources_read(&full);

	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, bare_guest(next, self->dev));
		EXPECT_EQ(-ENOSPC, gh_start(next->vm));
		EXPECT_EQ(-ENOSPC, gh_start(next->vm));
		EXPECT_TRUE(can_write(next->image.addr));
		guest_free(next);
		EXPECT_ALL_BACK(&full, "after a guest too many");
	}
	guest_free(&guests[free / 2]);
	EXPECT_EQ(0, bare_guest(&guests[free / 2], self->dev));
	EXPECT_EQ(0, gh_start(guests[free / 2].vm));
	EXPECT_EQ(VMIDS, ctl_read(GH_LAB_CTL_VMIDS));

	for (i = 0; i < free; i++)
		guest_free(&guests[i]);
	EXPECT_ALL_BACK(&self->before, "after all guests");
}

/* Every parcel in use: by one VM with as many regions, and then one VM more */
GUNYAH_TEST(parcels)
{
	const size_t page = page_size();
	struct guest *g = &self->guest, *next = &self->other;
	struct resources full;
	struct gh_mem more;
	long free;
	int i;

	SKIP_WITHOUT_CONTROL();
	free = PARCELS - self->before.parcels;
	ASSERT_EQ(0, gh_mem_alloc(&more, "more", PARCELS * page));
	ASSERT_EQ(0, bare_guest(g, self->dev));
	for (i = 1; i < free; i++)
		ASSERT_EQ(0, gh_set_region(g->vm, 0x100 + i, i & 1 ? RW : RW | GH_MEM_LENT,
					   0x90000000 + i * page, page, more.addr + i * page));
	ASSERT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(PARCELS, ctl_read(GH_LAB_CTL_PARCELS));
	resources_read(&full);

	ASSERT_EQ(0, bare_guest(next, self->dev));
	EXPECT_EQ(-ENOSPC, gh_start(next->vm));
	EXPECT_STREQ("failed", fdinfo(next->vm, "state"));
	EXPECT_TRUE(can_write(next->image.addr));
	guest_free(next);
	EXPECT_ALL_BACK(&full, "after a parcel too many");

	guest_free(g);
	EXPECT_ALL_BACK(&self->before, "after the guest");

	/* With all but one, a guest that takes three fails in the middle */
	ASSERT_EQ(0, bare_guest(g, self->dev));
	for (i = 1; i < free - 1; i++)
		ASSERT_EQ(0, gh_set_region(g->vm, 0x100 + i, RW, 0x90000000 + i * page, page,
					   more.addr + i * page));
	ASSERT_EQ(0, gh_start(g->vm));
	resources_read(&full);
	ASSERT_EQ(0, small_guest(next, self->dev, "hello"));
	EXPECT_EQ(-ENOSPC, gh_start(next->vm));
	EXPECT_TRUE(can_write(next->image.addr));
	guest_free(next);
	EXPECT_ALL_BACK(&full, "after two parcels too many");
	guest_free(g);

	ASSERT_EQ(0, small_guest(g, self->dev, "hello"));
	EXPECT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(0, guest_wait(g));
	gh_mem_free(&more);
}

static uint64_t count(struct guest *g)
{
	return *(volatile uint64_t *)&g->page->count;
}

/* They share a CPU, and all get on; each one's end is its own */
GUNYAH_TEST(several)
{
	enum { N = 12 };
	static const char order[N] = { 5, 0, 11, 3, 7, 1, 10, 2, 9, 4, 8, 6 };
	static struct guest guests[N];
	uint64_t counts[N], end;
	int i, j;

	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, small_guest(&guests[i], self->dev, "count"));
		ASSERT_EQ(0, gh_start(guests[i].vm));
	}
	for (i = 0; i < N; i++) {
		for (j = i; j < N; j++)
			counts[j] = count(&guests[(int)order[j]]);
		end = now_ms() + EVENT_MS;
		for (j = i; j < N; j++) {
			struct guest *g = &guests[(int)order[j]];

			while (count(g) == counts[j] && now_ms() < end)
				sleep_ms(1);
			EXPECT_NE(counts[j], count(g)) {
				TH_LOG("guest %d does not run, %d have ended", order[j], i);
			}
			EXPECT_EQ(0, vm_events(g->vm) & POLLHUP);
		}
		/* By turns the guest ends itself, and is ended */
		if (i & 1) {
			guests[(int)order[i]].page->stop = 1;
			EXPECT_EQ(0, guest_wait(&guests[(int)order[i]]));
		}
		guest_free(&guests[(int)order[i]]);
	}
	EXPECT_ALL_BACK(&self->before, "after all guests");
}

/* One process each, all at the same time */
GUNYAH_TEST(processes)
{
	enum { N = 8, CYCLES = 4 };
	struct gh_vm_exit_info info;
	pid_t pids[N];
	int i, j, status;

	for (i = 0; i < N; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			for (j = 0; j < CYCLES; j++) {
				if (guest_cycle(&self->guest, self->dev, "hello", &info) ||
				    info.type != GH_VM_EXIT_TYPE_PSCI_POWER_OFF)
					_exit(1);
			}
			_exit(0);
		}
	}
	for (i = 0; i < N; i++) {
		EXPECT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_ALL_BACK(&self->before, "after all processes");
}

TEST_HARNESS_MAIN

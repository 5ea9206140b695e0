// SPDX-License-Identifier: GPL-2.0-only
/* GH_VM_SET_DTB_CONFIG, where the window may be at START, and what is in it */
#include <libfdt.h>

#include "gunyah_test.h"

#define GPA	GH_GUEST_BASE

GUNYAH_TEST(arguments)
{
	uint64_t page = page_size();
	int vm;

	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);

	EXPECT_EQ(-1, ioctl(vm, GH_VM_SET_DTB_CONFIG, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-EINVAL, gh_set_dtb(vm, GPA, 0));
	EXPECT_EQ(-EINVAL, gh_set_dtb(vm, GPA + 1, page));
	EXPECT_EQ(-EINVAL, gh_set_dtb(vm, GPA + page / 2, page));
	EXPECT_EQ(-EOVERFLOW, gh_set_dtb(vm, -page, 2 * page));
	EXPECT_EQ(-EOVERFLOW, gh_set_dtb(vm, page, UINT64_MAX));
	EXPECT_EQ(-EOVERFLOW, gh_set_dtb(vm, GPA, UINT64_MAX - page));

	/* Before any region, of any length, and again */
	EXPECT_EQ(0, gh_set_dtb(vm, GPA, 1));
	EXPECT_EQ(0, gh_set_dtb(vm, GPA, 0x1234));
	EXPECT_EQ(0, gh_set_dtb(vm, 0, page));
	EXPECT_STREQ("new", fdinfo(vm, "state"));
	close(vm);
}

/* START tells that the window is wrong before it does anything, so it can be mended */
GUNYAH_TEST(windows)
{
	const uint64_t page = page_size(), size = IMAGE_SIZE;
	const struct {
		uint64_t gpa, size;
	} wrong[] = {
		{ GPA - page, page },
		{ GPA - page, 2 * page },
		{ GPA + size, page },
		{ GPA + size - page, 2 * page },
		{ GPA + size - page, page + 1 },
		{ GPA, size + 1 },
		{ 0, page },
		/* These would do if only 32 bits were looked at */
		{ GPA + self->guest.dtb_offset, 1ULL << 32 | page },
		{ 1ULL << 32 | GPA, page },
		{ GPA, (1ULL << 63) - GPA },
	};
	struct guest *g = &self->guest;
	size_t i;

	ASSERT_EQ(0, guest_alloc(g, "hello", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		ASSERT_EQ(0, gh_set_dtb(g->vm, wrong[i].gpa, wrong[i].size));
		EXPECT_EQ(-EINVAL, gh_start(g->vm)) {
			TH_LOG("window %zu", i);
		}
		EXPECT_STREQ("new", fdinfo(g->vm, "state"));
		EXPECT_EQ(0, vm_events(g->vm) & POLLHUP);
	}

	/* Up to the end of the region, not to a multiple of a page */
	ASSERT_EQ(0, gh_set_dtb(g->vm, GPA + g->dtb_offset, g->dtb_space - 1));
	EXPECT_EQ(0, gh_start(g->vm));
	EXPECT_EQ(0, guest_wait(g));
	EXPECT_NE(NULL, strstr(g->text, "Hello"));
}

GUNYAH_TEST(nothing_set)
{
	struct guest *g = &self->guest;
	int vm;

	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);
	EXPECT_EQ(-EINVAL, gh_start(vm));
	EXPECT_EQ(0, gh_set_dtb(vm, GPA, 0x1000));
	EXPECT_EQ(-EINVAL, gh_start(vm));
	EXPECT_STREQ("new", fdinfo(vm, "state"));
	close(vm);

	/* A region, and no window */
	ASSERT_EQ(0, guest_alloc(g, "hello", NULL));
	vm = gh_create_vm(self->dev);
	ASSERT_LE(0, vm);
	EXPECT_EQ(0, gh_set_region(vm, 0, RWX, 0, g->image.size, g->image.addr));
	EXPECT_EQ(-EINVAL, gh_start(vm));
	close(vm);
}

/* Two regions that touch are two parcels */
GUNYAH_TEST(two_regions)
{
	struct guest *g = &self->guest;
	uint64_t half = IMAGE_SIZE / 2;

	ASSERT_EQ(0, guest_alloc(g, "hello", NULL));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_EQ(0, gh_set_region(g->vm, GH_IMAGE_LABEL, 0, 0, 0, NULL));
	ASSERT_EQ(0, gh_set_region(g->vm, 1, RWX | GH_MEM_LENT, GPA, half, g->image.addr));
	ASSERT_EQ(0, gh_set_region(g->vm, 2, RWX | GH_MEM_LENT, GPA + half, half,
				   g->image.addr + half));
	ASSERT_EQ(0, gh_set_dtb(g->vm, GPA + half - page_size(), 2 * page_size()));
	EXPECT_EQ(-EINVAL, gh_start(g->vm));
}

/* Ways to spoil the devicetree at @dtb. Each returns 0, or an error of libfdt. */
static int spoil_zero(void *dtb)
{
	memset(dtb, 0, sizeof(struct fdt_header));
	return 0;
}

static int spoil_magic(void *dtb)
{
	fdt_set_magic(dtb, 0x12345678);
	return 0;
}

static int spoil_size(void *dtb)
{
	fdt_set_totalsize(dtb, 0x7fffffff);
	return 0;
}

static int spoil_structure(void *dtb)
{
	fdt_set_off_dt_struct(dtb, 0x40000000);
	return 0;
}

static int spoil_config(void *dtb)
{
	return fdt_nop_node(dtb, fdt_path_offset(dtb, "/gunyah-vm-config"));
}

static int spoil_name(void *dtb)
{
	return fdt_nop_property(dtb, fdt_path_offset(dtb, "/gunyah-vm-config"), "image-name");
}

static int spoil_cpus(void *dtb)
{
	return fdt_nop_node(dtb, fdt_path_offset(dtb, "/cpus"));
}

static int spoil_map(void *dtb)
{
	return fdt_nop_property(dtb, fdt_path_offset(dtb, "/gunyah-vm-config/vcpus"),
				"affinity-map");
}

static int spoil_timeslice(void *dtb)
{
	return fdt_setprop_inplace_u32(dtb, fdt_path_offset(dtb, "/gunyah-vm-config/vcpus"),
				       "sched-timeslice", 1);
}

static int spoil_idle(void *dtb)
{
	return fdt_nop_property(dtb, fdt_path_offset(dtb, "/cpus/cpu@0"), "cpu-idle-states");
}

static int spoil_priority(void *dtb)
{
	return fdt_setprop_inplace_u32(dtb, fdt_path_offset(dtb, "/gunyah-vm-config/vcpus"),
				       "sched-priority", 1);
}

static const struct {
	const char *what;
	int (*spoil)(void *dtb);
	int err;			/* 0: any */
} spoilt[] = {
	{ "no devicetree", spoil_zero, -EINVAL },
	{ "wrong magic", spoil_magic, -EINVAL },
	{ "larger than the window", spoil_size, -EINVAL },
	{ "structure outside of the tree", spoil_structure, -EINVAL },
	{ "no gunyah-vm-config", spoil_config, -EINVAL },
	{ "no image-name", spoil_name, -EINVAL },
	{ "no cpus", spoil_cpus, -EINVAL },
	{ "no affinity-map", spoil_map, -EINVAL },
	{ "time slice too short", spoil_timeslice, 0 },
	{ "no idle states", spoil_idle, 0 },
	{ "priority above the host's", spoil_priority, -EPERM },
};

/* A devicetree that the resource manager refuses: the start is undone at once */
GUNYAH_TEST(bad_tree)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(spoilt); i++) {
		ASSERT_EQ(0, guest_alloc(g, "hello", NULL));
		ASSERT_EQ(0, spoilt[i].spoil(g->image.addr + g->dtb_offset));
		ASSERT_EQ(0, guest_setup(g, self->dev, 0));

		err = gh_start(g->vm);
		EXPECT_GT(0, err) {
			TH_LOG("%s: started", spoilt[i].what);
		}
		if (spoilt[i].err) {
			EXPECT_EQ(spoilt[i].err, err) {
				TH_LOG("%s: %s", spoilt[i].what, strerror(-err));
			}
		}
		/* Once and for all */
		EXPECT_EQ(err, gh_start(g->vm));
		EXPECT_STREQ("failed", fdinfo(g->vm, "state"));
		EXPECT_EQ(POLLHUP, vm_events(g->vm) & POLLHUP);
		EXPECT_EQ(-ENODEV, gh_exit_info(g->vm, &info));
		EXPECT_EQ(-EBUSY, gh_set_dtb(g->vm, GPA, 0x1000));
		/* The host has its memory back, not only after close */
		EXPECT_TRUE(can_read(g->image.addr));
		EXPECT_TRUE(can_write(g->image.addr + page_size()));
		guest_free(g);
		EXPECT_ALL_BACK(&self->before, "after: %s", spoilt[i].what);
	}
}

/* What fails leaves room for what does not, in the same process and on the same fd */
GUNYAH_TEST(good_after_bad)
{
	struct guest *g = &self->guest;
	struct gh_vm_exit_info info;

	ASSERT_EQ(0, guest_alloc(g, "hello", NULL));
	ASSERT_EQ(0, spoil_config(g->image.addr + g->dtb_offset));
	ASSERT_EQ(0, guest_setup(g, self->dev, 0));
	ASSERT_GT(0, gh_start(g->vm));
	guest_free(g);

	ASSERT_EQ(0, guest_cycle(g, self->dev, "hello", &info));
	EXPECT_EQ(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, info.type);
}

/* The guest gets the tree that the resource manager made of ours */
GUNYAH_TEST(edited_in_place)
{
	struct guest *g = &self->guest;
	char line[64];
	void *dtb;

	ASSERT_EQ(0, guest_run(g, self->dev, "hello", 0));
	ASSERT_EQ(0, guest_wait(g));
	snprintf(line, sizeof(line), "devicetree: 0x%llx\n",
		 GPA + (unsigned long long)g->dtb_offset);
	EXPECT_NE(NULL, strstr(g->text, line)) {
		TH_LOG("the guest says: %s", g->text);
	}

	guest_close(g);
	dtb = g->image.addr + g->dtb_offset;
	ASSERT_EQ(0, fdt_check_header(dtb));
	EXPECT_LE(0, fdt_path_offset(dtb, "/hypervisor"));
	EXPECT_LE(0, fdt_path_offset(dtb, "/memory"));
	EXPECT_LE(0, fdt_path_offset(dtb, "/chosen"));
	EXPECT_LE(0, fdt_path_offset(dtb, "/cpus/cpu@0"));
}

TEST_HARNESS_MAIN

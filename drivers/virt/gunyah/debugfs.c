// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM manager: /sys/kernel/debug/gunyah
 *
 * What a developer, or a test, wants to know and no program may depend on.
 */

#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "vm_mgr.h"

static struct dentry *gh_debugfs_dir;

static const char * const gh_stat_names[GH_RM_NR_STATS] = {
	[GH_RM_STAT_CALLS]		= "calls",
	[GH_RM_STAT_REPLIES]		= "replies",
	[GH_RM_STAT_TIMEOUTS]		= "timeouts",
	[GH_RM_STAT_LATE_REPLIES]	= "late_replies",
	[GH_RM_STAT_UNEXPECTED]		= "unexpected_replies",
	[GH_RM_STAT_BAD_PACKETS]	= "bad_packets",
	[GH_RM_STAT_NOTIFICATIONS]	= "notifications",
	[GH_RM_STAT_UNROUTED]		= "unrouted_notifications",
	[GH_RM_STAT_LOST]		= "lost_notifications",
	[GH_RM_STAT_LOST_VMIDS]		= "lost_vmids",
};

static int stats_show(struct seq_file *m, void *unused)
{
	struct gh_vm_mgr *mgr = m->private;
	int i;

	for (i = 0; i < GH_RM_NR_STATS; i++)
		seq_printf(m, "%s %llu\n", gh_stat_names[i], gh_rm_stat(mgr->rm, i));

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int parcels_show(struct seq_file *m, void *unused)
{
	struct gh_vm_mgr *mgr = m->private;

	seq_printf(m, "%u %u\n", gh_rm_parcels(mgr->rm), GH_RM_MAX_PARCELS);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(parcels);

static int vms_show(struct seq_file *m, void *unused)
{
	struct gh_vm_mgr *mgr = m->private;
	struct gh_vm *ghvm;

	mutex_lock(&mgr->lock);
	list_for_each_entry(ghvm, &mgr->vms, node)
		seq_printf(m, "%u %s %s\n", READ_ONCE(ghvm->vmid),
			   gh_vm_state_name(gh_vm_state(ghvm)),
			   gh_vm_rm_status_name(READ_ONCE(ghvm->rm_status)));
	mutex_unlock(&mgr->lock);

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vms);

static int quarantine_show(struct seq_file *m, void *unused)
{
	struct gh_vm_mgr *mgr = m->private;
	struct gh_vm_mem *mem;
	struct gh_vm *ghvm;

	mutex_lock(&mgr->lock);
	list_for_each_entry(ghvm, &mgr->vms, node) {
		if (gh_vm_state(ghvm) != GH_VM_QUARANTINED)
			continue;

		/* Nobody but a teardown that has just ended uses the regions. */
		mutex_lock(&ghvm->mm_lock);
		list_for_each_entry(mem, &ghvm->regions, node)
			seq_printf(m, "%u %u %lu\n", READ_ONCE(ghvm->vmid), mem->label,
				   mem->npages);
		mutex_unlock(&ghvm->mm_lock);
	}
	mutex_unlock(&mgr->lock);

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(quarantine);

/**
 * gh_debugfs_add() - Show a VM manager in debugfs
 * @mgr: the VM manager
 *
 * Context: Process context. May sleep.
 */
void gh_debugfs_add(struct gh_vm_mgr *mgr)
{
	struct dentry *dir = debugfs_create_dir("gunyah", NULL);

	debugfs_create_u32("call_timeout_ms", 0600, dir, gh_rm_call_timeout_ms(mgr->rm));
	debugfs_create_file("stats", 0400, dir, mgr, &stats_fops);
	debugfs_create_file("parcels", 0400, dir, mgr, &parcels_fops);
	debugfs_create_file("vms", 0400, dir, mgr, &vms_fops);
	debugfs_create_file("quarantine", 0400, dir, mgr, &quarantine_fops);
	gh_debugfs_dir = dir;
}

/**
 * gh_debugfs_remove() - The end of gh_debugfs_add()
 *
 * Context: Process context. Waits for files that are being read.
 */
void gh_debugfs_remove(void)
{
	debugfs_remove(gh_debugfs_dir);
}

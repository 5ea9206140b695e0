// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM manager: /dev/gunyah and the files of VMs
 *
 * The objects and who holds them:
 *
 *   gh_rm      the device, and each VM manager
 *   gh_vm_mgr  the device, each open /dev/gunyah, each VM, and a retry that is queued
 *   gh_vm      its file, its works while they are queued, the quarantine, and its
 *              functions as they need it: a vCPU's file may outlive the VM's
 *   module     each open file, each teardown that is queued, and the quarantine
 *
 * Nothing points down, so a file may outlive the device. Its ioctls then fail with
 * -ENODEV, and closing it has nothing left to do: removal ends all VMs first.
 */

#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <kunit/visibility.h>

#include "vm_mgr.h"

/* What a resource manager that answers needs is a fraction of it. */
#define GH_VM_EXIT_PATIENCE	msecs_to_jiffies(1000)

static void gh_vm_mgr_free(struct kref *kref)
{
	struct gh_vm_mgr *mgr = container_of(kref, struct gh_vm_mgr, kref);

	WARN_ON_ONCE(!list_empty(&mgr->vms));
	gh_rm_put(mgr->rm);
	kfree(mgr);
}

/**
 * gh_vm_mgr_get() - Hold a VM manager
 * @mgr: the VM manager
 *
 * Context: Any.
 * Return: @mgr.
 */
struct gh_vm_mgr *gh_vm_mgr_get(struct gh_vm_mgr *mgr)
{
	kref_get(&mgr->kref);
	return mgr;
}

/**
 * gh_vm_mgr_put() - The end of gh_vm_mgr_get()
 * @mgr: the VM manager
 *
 * Context: Process context. May sleep.
 */
void gh_vm_mgr_put(struct gh_vm_mgr *mgr)
{
	kref_put(&mgr->kref, gh_vm_mgr_free);
}

static bool gh_vm_mgr_gone(struct gh_vm_mgr *mgr)
{
	return READ_ONCE(mgr->gone);
}

/*
 * VMs
 */

static void gh_vm_free(struct kref *kref)
{
	struct gh_vm *ghvm = container_of(kref, struct gh_vm, kref);
	struct gh_vm_mgr *mgr = ghvm->mgr;

	mutex_lock(&mgr->lock);
	list_del(&ghvm->node);
	mutex_unlock(&mgr->lock);

	WARN_ON_ONCE(!list_empty(&ghvm->regions));
	WARN_ON_ONCE(!list_empty(&ghvm->functions));
	WARN_ON_ONCE(!list_empty(&ghvm->resources));
	mmdrop(ghvm->mm);
	gh_vm_mgr_put(mgr);
	kfree(ghvm);
}

/**
 * gh_vm_get() - Keep the structure of a VM
 * @ghvm: the VM
 *
 * It keeps neither the guest running nor the file open.
 *
 * Context: Any.
 * Return: @ghvm.
 */
struct gh_vm *gh_vm_get(struct gh_vm *ghvm)
{
	kref_get(&ghvm->kref);
	return ghvm;
}
EXPORT_SYMBOL_GPL(gh_vm_get);

/**
 * gh_vm_put() - The end of gh_vm_get()
 * @ghvm: the VM
 *
 * Context: Process context. May sleep.
 */
void gh_vm_put(struct gh_vm *ghvm)
{
	kref_put(&ghvm->kref, gh_vm_free);
}
EXPORT_SYMBOL_GPL(gh_vm_put);

/**
 * gh_vm_is_owner() - Is the caller in the address space of the VM's creator?
 * @ghvm: the VM
 *
 * Context: Process context.
 * Return: whether it is.
 */
bool gh_vm_is_owner(struct gh_vm *ghvm)
{
	return current->mm == ghvm->mm;
}
EXPORT_SYMBOL_GPL(gh_vm_is_owner);

VISIBLE_IF_KUNIT struct gh_vm *gh_vm_alloc(struct gh_vm_mgr *mgr)
{
	struct gh_vm *ghvm;

	ghvm = kzalloc(sizeof(*ghvm), GFP_KERNEL_ACCOUNT);
	if (!ghvm)
		return ERR_PTR(-ENOMEM);

	kref_init(&ghvm->kref);
	ghvm->mgr = gh_vm_mgr_get(mgr);
	ghvm->rm = mgr->rm;
	ghvm->rm_ops = &gh_rm_ops;
	mmgrab(current->mm);
	ghvm->mm = current->mm;
	mutex_init(&ghvm->mm_lock);
	INIT_LIST_HEAD(&ghvm->regions);
	gh_vm_fn_init(ghvm);
	gh_vm_res_init(ghvm);
	gh_vm_io_init(ghvm);
	gh_vm_state_init(ghvm);

	mutex_lock(&mgr->lock);
	list_add_tail(&ghvm->node, &mgr->vms);
	mutex_unlock(&mgr->lock);

	return ghvm;
}

/* @flags: what the ioctl says in addition to what its argument says */
static long gh_vm_set_mem(struct gh_vm *ghvm, void __user *argp, u32 flags)
{
	struct gh_userspace_memory_region region;

	if (copy_from_user(&region, argp, sizeof(region)))
		return -EFAULT;
	region.flags |= flags;

	return gh_vm_mem_set(ghvm, &region);
}

static long gh_vm_set_dtb_config(struct gh_vm *ghvm, void __user *argp)
{
	struct gh_vm_dtb_config dtb;
	u64 end;
	int ret;

	if (copy_from_user(&dtb, argp, sizeof(dtb)))
		return -EFAULT;

	if (!dtb.size || !PAGE_ALIGNED(dtb.guest_phys_addr))
		return -EINVAL;

	ret = gh_vm_range_end(dtb.guest_phys_addr, dtb.size, &end);
	if (ret)
		return ret;

	if (mutex_lock_killable(&ghvm->mm_lock))
		return -EINTR;

	if (gh_vm_state(ghvm) != GH_VM_NEW) {
		ret = -EBUSY;
	} else {
		ghvm->dtb = dtb;
		ghvm->dtb_set = true;
	}

	mutex_unlock(&ghvm->mm_lock);
	return ret;
}

static long gh_vm_exit_info(struct gh_vm *ghvm, void __user *argp)
{
	struct gh_vm_exit_info info;
	int ret;

	ret = gh_vm_get_exit_info(ghvm, &info);
	if (ret)
		return ret;

	return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
}

static long gh_vm_function(struct gh_vm *ghvm, void __user *argp, bool add)
{
	struct gh_fn_desc desc;

	if (copy_from_user(&desc, argp, sizeof(desc)))
		return -EFAULT;

	return add ? gh_vm_add_function(ghvm, &desc) : gh_vm_remove_function(ghvm, &desc);
}

static bool gh_vm_has_ioctl(unsigned int cmd)
{
	switch (cmd) {
	case GH_VM_SET_USER_MEM_REGION:
	case GH_VM_SET_DTB_CONFIG:
	case GH_VM_START:
	case GH_VM_ADD_FUNCTION:
	case GH_VM_REMOVE_FUNCTION:
	case GH_VM_GET_EXIT_INFO:
		return true;
	case GH_VM_ANDROID_LEND_USER_MEM:
		return IS_ENABLED(CONFIG_GUNYAH_ANDROID);
	default:
		return false;
	}
}

static long gh_vm_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct gh_vm *ghvm = filp->private_data;
	void __user *argp = (void __user *)arg;

	if (!gh_vm_has_ioctl(cmd))
		return -ENOTTY;

	if (gh_vm_mgr_gone(ghvm->mgr))
		return -ENODEV;

	switch (cmd) {
	case GH_VM_SET_USER_MEM_REGION:
		return gh_vm_set_mem(ghvm, argp, 0);
	case GH_VM_ANDROID_LEND_USER_MEM:
		return gh_vm_set_mem(ghvm, argp, GH_MEM_LENT);
	case GH_VM_SET_DTB_CONFIG:
		return gh_vm_set_dtb_config(ghvm, argp);
	case GH_VM_START:
		return gh_vm_start(ghvm);
	case GH_VM_ADD_FUNCTION:
		return gh_vm_function(ghvm, argp, true);
	case GH_VM_REMOVE_FUNCTION:
		return gh_vm_function(ghvm, argp, false);
	default:
		return gh_vm_exit_info(ghvm, argp);
	}
}

static __poll_t gh_vm_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct gh_vm *ghvm = filp->private_data;

	poll_wait(filp, &ghvm->status_wait, wait);

	return gh_vm_has_ended(ghvm) ? EPOLLHUP : 0;
}

static void gh_vm_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct gh_vm *ghvm = filp->private_data;
	enum gh_vm_state state = gh_vm_state(ghvm);
	unsigned long locked, quarantined;
	unsigned int regions;

	/* Somebody who is adding a region may hold it for as long as pinning takes. */
	if (mutex_lock_killable(&ghvm->mm_lock))
		return;
	regions = ghvm->n_regions;
	locked = gh_vm_mem_pages(ghvm, false);
	/* In all other states they are where they belong. */
	quarantined = state == GH_VM_FAILED || state == GH_VM_QUARANTINED ?
		      gh_vm_mem_pages(ghvm, true) : 0;
	mutex_unlock(&ghvm->mm_lock);

	seq_printf(m, "vmid:\t%u\n", READ_ONCE(ghvm->vmid));
	seq_printf(m, "state:\t%s\n", gh_vm_state_name(state));
	seq_printf(m, "regions:\t%u\n", regions);
	seq_printf(m, "locked_kb:\t%lu\n", locked << (PAGE_SHIFT - 10));
	seq_printf(m, "quarantined_kb:\t%lu\n", quarantined << (PAGE_SHIFT - 10));
}

/*
 * The teardown work does all there is to do. To wait for it lets a VMM find everything
 * given back when it has closed the file, but nobody is to hang on firmware.
 */
static void gh_vm_wait_torn_down(struct gh_vm *ghvm)
{
	/*
	 * Not a process that was killed, whose signal is no longer pending by now, nor
	 * the worker that closes files for the whole system.
	 */
	if (current->flags & (PF_SIGNALED | PF_WQ_WORKER))
		return;

	/* No signal reaches who exits. */
	if (current->flags & PF_EXITING)
		wait_for_completion_timeout(&ghvm->torn_down, GH_VM_EXIT_PATIENCE);
	else
		(void)wait_for_completion_killable(&ghvm->torn_down);
}

static int gh_vm_release(struct inode *inode, struct file *filp)
{
	struct gh_vm *ghvm = filp->private_data;

	/*
	 * In this order a vCPU whose file is still open reports the end of the VM and
	 * not that it was removed.
	 */
	gh_vm_teardown(ghvm);
	gh_vm_wait_torn_down(ghvm);
	gh_vm_remove_functions(ghvm);
	gh_vm_put(ghvm);
	return 0;
}

VISIBLE_IF_KUNIT const struct file_operations gh_vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = gh_vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = gh_vm_poll,
	.release = gh_vm_release,
	.show_fdinfo = gh_vm_show_fdinfo,
	.llseek = noop_llseek,
};

/*
 * /dev/gunyah
 */

static long gh_dev_create_vm(struct gh_vm_mgr *mgr, unsigned long arg)
{
	struct gh_vm *ghvm;
	struct file *file;
	int fd;

	/* No types of VMs are defined. */
	if (arg)
		return -EINVAL;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;

	ghvm = gh_vm_alloc(mgr);
	if (IS_ERR(ghvm)) {
		put_unused_fd(fd);
		return PTR_ERR(ghvm);
	}

	file = anon_inode_getfile("gunyah-vm", &gh_vm_fops, ghvm, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		gh_vm_put(ghvm);
		return PTR_ERR(file);
	}

	/* The VM is the file's now, and the file is user space's. */
	fd_install(fd, file);
	return fd;
}

static long gh_dev_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct gh_vm_mgr *mgr = filp->private_data;

	if (cmd != GH_CREATE_VM)
		return -ENOTTY;

	if (gh_vm_mgr_gone(mgr))
		return -ENODEV;

	return gh_dev_create_vm(mgr, arg);
}

static int gh_dev_open(struct inode *inode, struct file *filp)
{
	struct miscdevice *misc = filp->private_data;
	struct gh_vm_mgr *mgr = container_of(misc, struct gh_vm_mgr, misc);

	/* misc_deregister() waits for us, so the device still holds one. */
	filp->private_data = gh_vm_mgr_get(mgr);
	return 0;
}

static int gh_dev_release(struct inode *inode, struct file *filp)
{
	gh_vm_mgr_put(filp->private_data);
	return 0;
}

/* The argument of GH_CREATE_VM is a number, which needs no conversion. */
static const struct file_operations gh_dev_fops = {
	.owner = THIS_MODULE,
	.open = gh_dev_open,
	.release = gh_dev_release,
	.unlocked_ioctl = gh_dev_ioctl,
	.compat_ioctl = gh_dev_ioctl,
	.llseek = noop_llseek,
};

static int gh_vm_mgr_add(struct gh_rm *rm)
{
	struct gh_vm_mgr *mgr;
	int ret;

	mgr = kzalloc(sizeof(*mgr), GFP_KERNEL);
	if (!mgr)
		return -ENOMEM;

	kref_init(&mgr->kref);
	mgr->rm = gh_rm_get(rm);
	init_rwsem(&mgr->removal);
	mutex_init(&mgr->lock);
	INIT_LIST_HEAD(&mgr->vms);
	gh_vm_mgr_state_init(mgr);

	ret = gh_vm_mgr_pm_add(mgr);
	if (ret)
		goto err_put;

	mgr->misc.parent = gh_rm_device(rm);
	mgr->misc.name = "gunyah";
	mgr->misc.minor = MISC_DYNAMIC_MINOR;
	mgr->misc.fops = &gh_dev_fops;
	ret = misc_register(&mgr->misc);
	if (ret)
		goto err_pm;

	gh_rm_set_drvdata(rm, mgr);
	gh_debugfs_add(mgr);
	gh_rm_request_platform();
	return 0;

err_pm:
	gh_vm_mgr_pm_remove(mgr);
err_put:
	gh_vm_mgr_put(mgr);
	return ret;
}

/* The first VM that is not being torn down yet, with a reference */
static struct gh_vm *gh_vm_mgr_next(struct gh_vm_mgr *mgr)
{
	struct gh_vm *ghvm;

	mutex_lock(&mgr->lock);
	list_for_each_entry(ghvm, &mgr->vms, node) {
		if (!completion_done(&ghvm->torn_down) && kref_get_unless_zero(&ghvm->kref)) {
			mutex_unlock(&mgr->lock);
			return ghvm;
		}
	}
	mutex_unlock(&mgr->lock);

	return NULL;
}

/**
 * gh_vm_mgr_end_vms() - End all VMs, and have no others
 * @mgr: the VM manager, whose resource manager is about to go away
 *
 * Context: Process context. Sleeps as long as it takes, which is a few deadlines of the
 * resource manager at most for each VM.
 */
void gh_vm_mgr_end_vms(struct gh_vm_mgr *mgr)
{
	struct gh_vm *ghvm;

	down_write(&mgr->removal);
	WRITE_ONCE(mgr->gone, true);
	up_write(&mgr->removal);

	/* The resource manager still answers, so everything can be given back. */
	while ((ghvm = gh_vm_mgr_next(mgr))) {
		gh_vm_teardown(ghvm);
		wait_for_completion(&ghvm->torn_down);
		gh_vm_put(ghvm);
	}

	/* So can what is quarantined, and nobody can be asked for it afterwards. */
	gh_vm_retry_quarantined(mgr);
	flush_work(&mgr->retry_work);
}

static void gh_vm_mgr_remove(struct gh_rm *rm)
{
	struct gh_vm_mgr *mgr = gh_rm_get_drvdata(rm);

	gh_debugfs_remove();
	misc_deregister(&mgr->misc);
	gh_vm_mgr_pm_remove(mgr);
	gh_vm_mgr_end_vms(mgr);
	gh_vm_mgr_put(mgr);
}

VISIBLE_IF_KUNIT const struct gh_rm_client gh_vm_mgr_client = {
	.add = gh_vm_mgr_add,
	.remove = gh_vm_mgr_remove,
	.shutdown = gh_vm_mgr_shutdown,
};

static int __init gh_init(void)
{
	int ret;

	ret = gh_vm_wq_create();
	if (ret)
		return ret;

	ret = gh_rm_register_client(&gh_vm_mgr_client);
	if (ret)
		gh_vm_wq_destroy();

	return ret;
}
module_init(gh_init);

static void __exit gh_exit(void)
{
	gh_rm_unregister_client();
	gh_vm_wq_destroy();
}
module_exit(gh_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gunyah resource manager and VM manager");

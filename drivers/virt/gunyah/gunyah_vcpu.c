// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM function: vCPUs that are scheduled by the host
 *
 * GH_VCPU_RUN runs a vCPU on the caller's CPU until there is something for user
 * space to do. What the vCPU left for is in the page that user space maps; what the
 * kernel has to remember of it is in struct gh_vcpu, since that page is user space's
 * to scribble on.
 *
 * Nothing that a guest does is lost. An exit is in the page before GH_VCPU_RUN
 * returns 0 for it, and whatever may end a call without one - a signal,
 * immediate_exit, a call of the hypervisor that is to be repeated - is looked at
 * before the vCPU runs, with the answer to its last exit still untouched.
 *
 * Who runs the vCPU holds run_lock all the while. To take the vCPU away from it,
 * gh_vcpu_evict() sets a flag that user space cannot reach and gets it out of its
 * sleep or out of the guest, and so need not wait for long.
 *
 * A vCPU is held by the function instance and by its file, and holds the structure of
 * its VM. Neither keeps the guest alive: once the VM has ended, each vCPU says so.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/anon_inodes.h>
#include <linux/bits.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gunyah_vm_mgr.h>
#include <linux/interrupt.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vtime.h>
#include <linux/wait.h>
#include <trace/events/gunyah.h>

#include "gunyah_vcpu.h"

/* What the steps of GH_VCPU_RUN return if it is to go on */
#define GH_VCPU_GO_ON	1

/*
 * Tell user space why the vCPU left, which is all of the page but immediate_exit. User
 * space may write there meanwhile, and gets what it deserves.
 */
static void gh_vcpu_tell(struct gh_vcpu *vcpu, const struct gh_vcpu_run *exit)
{
	u8 *to = (u8 *)vcpu->vcpu_run;
	size_t i;

	for (i = offsetof(struct gh_vcpu_run, exit_reason); i < sizeof(*exit); i++)
		WRITE_ONCE(to[i], ((const u8 *)exit)[i]);
}

/*
 * The first step: is there a reason not to run? What comes first here wins. Once the
 * VM has ended, that is all that there is to report.
 */
static int gh_vcpu_check(struct gh_vcpu *vcpu)
{
	struct gh_vcpu_run exit = { .exit_reason = GH_VCPU_EXIT_STATUS };
	struct gh_vm_exit_info info;
	u32 status;

	/* A VMM that kicks itself by a signal finds the kick, even if the call is restarted. */
	if (READ_ONCE(vcpu->vcpu_run->immediate_exit))
		return -EINTR;

	if (gh_vm_end_status(vcpu->ghvm, &status, &info)) {
		exit.status.status = status;
		exit.status.exit_info = info;
		gh_vcpu_tell(vcpu, &exit);
		return 0;
	}

	if (!vcpu->ghrsc || READ_ONCE(vcpu->evicting))
		return -ENODEV;

	if (signal_pending(current))
		return -ERESTARTSYS;

	cond_resched();
	return GH_VCPU_GO_ON;
}

/* What user space left for the vCPU to read, little endian as the guest stored it */
static u64 gh_vcpu_answer(struct gh_vcpu *vcpu)
{
	u64 value = 0;
	int i;

	for (i = vcpu->reading; i--;)
		value = value << 8 | READ_ONCE(vcpu->vcpu_run->mmio.data[i]);

	return value;
}

static enum gh_error gh_vcpu_hypercall(struct gh_vcpu *vcpu, u64 resume_data,
				       struct gh_hypercall_vcpu_run_resp *resp)
{
#if IS_ENABLED(CONFIG_GUNYAH_KUNIT_TEST)
	if (vcpu->hypercall)
		return vcpu->hypercall(vcpu, resume_data, resp);
#endif
	return gh_hypercall_vcpu_run(vcpu->ghrsc->capid, resume_data, resp);
}

static void gh_vcpu_take_interrupts(void)
{
	local_irq_enable();
#ifdef CONFIG_ARM64
	/* Else the CPU need not take any before they are masked again. */
	isb();
#endif
	local_irq_disable();
}

/*
 * Run the vCPU. Interrupts are masked from the last look at what is to keep it from
 * running: one that comes later makes it leave at once, and is taken then.
 */
static enum gh_error gh_vcpu_enter(struct gh_vcpu *vcpu, struct gh_hypercall_vcpu_run_resp *resp)
{
	enum gh_error gh_error;
	u64 resume_data;

	/*
	 * Pairs with the hypervisor, which makes the vCPU runnable and then raises the
	 * interrupt: what is cleared here was for what the vCPU will find now.
	 */
	smp_store_mb(vcpu->woken, false);

	local_irq_disable();
	if (signal_pending(current) || need_resched() || READ_ONCE(vcpu->evicting)) {
		local_irq_enable();
		return GH_ERROR_RETRY;
	}

	vtime_account_guest_enter();
	resume_data = vcpu->reading ? gh_vcpu_answer(vcpu) : 0;
	trace_gh_vcpu_run(vcpu->ghvm, vcpu->ticket.label, resume_data);
	gh_error = gh_vcpu_hypercall(vcpu, resume_data, resp);
	trace_gh_vcpu_exit(vcpu->ghvm, vcpu->ticket.label, gh_error, resp);
	/* The interrupt that ended it is still the guest's time, which a tick is charged to. */
	gh_vcpu_take_interrupts();
	vtime_account_guest_exit();
	local_irq_enable();

	return gh_error;
}

/* Wait until there is a reason to run it again, or to return; gh_vcpu_check() says which. */
static int gh_vcpu_sleep(struct gh_vcpu *vcpu)
{
	/* Whatever interrupts it is still there for the check. */
	(void)wait_event_interruptible(vcpu->wait, READ_ONCE(vcpu->woken) ||
				       READ_ONCE(vcpu->evicting) || gh_vm_has_ended(vcpu->ghvm));

	return GH_VCPU_GO_ON;
}

/* The guest has ended, and the VM will have in a moment. */
static int gh_vcpu_ended(struct gh_vcpu *vcpu, u16 exit_type)
{
	gh_vm_expect_exit(vcpu->ghvm, exit_type);

	return gh_vcpu_sleep(vcpu);
}

static int gh_vcpu_nonsense(struct gh_vcpu *vcpu, const struct gh_hypercall_vcpu_run_resp *resp)
{
	pr_warn_ratelimited("vCPU %u left with state %#llx, data %#llx\n", vcpu->ticket.label,
			    resp->state, resp->state_data[1]);

	return -EPROTO;
}

static int gh_vcpu_mmio(struct gh_vcpu *vcpu, const struct gh_hypercall_vcpu_run_resp *resp)
{
	struct gh_vcpu_run exit = { .exit_reason = GH_VCPU_EXIT_MMIO };
	u64 addr = resp->state_data[0], len = resp->state_data[1], value = resp->state_data[2];
	bool is_write = resp->state == GH_VCPU_ADDRSPACE_VMMIO_WRITE;
	unsigned int i;

	if (len != 1 && len != 2 && len != 4 && len != 8)
		return gh_vcpu_nonsense(vcpu, resp);
	if (len < sizeof(value))
		value &= GENMASK_ULL(8 * len - 1, 0);

	if (is_write && gh_vm_mmio_write(vcpu->ghvm, addr, len, value))
		return GH_VCPU_GO_ON;

	exit.mmio.phys_addr = addr;
	exit.mmio.len = len;
	exit.mmio.is_write = is_write;
	for (i = 0; i < sizeof(exit.mmio.data); i++)
		exit.mmio.data[i] = is_write ? value >> 8 * i : 0;
	gh_vcpu_tell(vcpu, &exit);

	if (!is_write)
		vcpu->reading = len;
	return 0;
}

/* What to do about how the vCPU left */
static int gh_vcpu_handle(struct gh_vcpu *vcpu, const struct gh_hypercall_vcpu_run_resp *resp)
{
	unsigned int reading = vcpu->reading;

	vcpu->reading = 0;

	switch (resp->state) {
	case GH_VCPU_STATE_READY:
		return GH_VCPU_GO_ON;
	case GH_VCPU_STATE_EXPECTS_WAKEUP:
		return gh_vcpu_sleep(vcpu);
	case GH_VCPU_STATE_POWERED_OFF:
		if (resp->state_data[0])
			return gh_vcpu_ended(vcpu, GH_VM_EXIT_TYPE_UNKNOWN);
		return gh_vcpu_sleep(vcpu);
	case GH_VCPU_STATE_BLOCKED:
		/* It has not run, so the answer may not have been looked at. */
		vcpu->reading = reading;
		schedule_timeout_interruptible(1);
		return GH_VCPU_GO_ON;
	case GH_VCPU_ADDRSPACE_VMMIO_READ:
	case GH_VCPU_ADDRSPACE_VMMIO_WRITE:
		return gh_vcpu_mmio(vcpu, resp);
	case GH_VCPU_STATE_FAULT:
		return gh_vcpu_ended(vcpu, GH_VM_EXIT_TYPE_HYP_ERROR);
	case GH_VCPU_STATE_SYSTEM_RESET:
		return gh_vcpu_ended(vcpu, resp->state_data[0] & GH_VCPU_SYSTEM_RESET_PLAIN ?
				     GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET :
				     GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2);
	default:
		vcpu->reading = reading;
		return gh_vcpu_nonsense(vcpu, resp);
	}
}

/* The three steps of GH_VCPU_RUN, which go on until one says otherwise */
static int gh_vcpu_step(struct gh_vcpu *vcpu)
{
	struct gh_hypercall_vcpu_run_resp resp;
	enum gh_error gh_error;
	int ret;

	ret = gh_vcpu_check(vcpu);
	if (ret != GH_VCPU_GO_ON)
		return ret;

	gh_error = gh_vcpu_enter(vcpu, &resp);
	switch (gh_error) {
	case GH_ERROR_OK:
		return gh_vcpu_handle(vcpu, &resp);
	case GH_ERROR_RETRY:
		return GH_VCPU_GO_ON;
	case GH_ERROR_OBJECT_STATE:
		/* It is not active: the VM was stopped meanwhile. */
		return gh_vcpu_ended(vcpu, GH_VM_EXIT_TYPE_UNKNOWN);
	default:
		return gh_error_remap(gh_error);
	}
}

static long gh_vcpu_run(struct gh_vcpu *vcpu)
{
	int ret;

	/* Its memory is the owner's, and what it runs is charged to it. */
	if (!gh_vm_is_owner(vcpu->ghvm))
		return -EPERM;

	if (mutex_lock_interruptible(&vcpu->run_lock))
		return -ERESTARTSYS;

	WRITE_ONCE(vcpu->task, current);
	do {
		ret = gh_vcpu_step(vcpu);
	} while (ret == GH_VCPU_GO_ON);
	WRITE_ONCE(vcpu->task, NULL);

	mutex_unlock(&vcpu->run_lock);
	return ret;
}

/* Returns with nobody running the vCPU, and run_lock held. */
static void gh_vcpu_evict(struct gh_vcpu *vcpu)
{
	struct task_struct *task;

	WRITE_ONCE(vcpu->evicting, true);
	wake_up(&vcpu->wait);
	/*
	 * Who runs it is on a CPU since before it looked at the flag: either it sees the
	 * flag, or the interrupt that follows makes it leave the guest.
	 */
	smp_mb();
	rcu_read_lock();
	task = READ_ONCE(vcpu->task);
	if (task)
		kick_process(task);
	rcu_read_unlock();

	mutex_lock(&vcpu->run_lock);
	WRITE_ONCE(vcpu->evicting, false);
}

static irqreturn_t gh_vcpu_irq(int irq, void *data)
{
	struct gh_vcpu *vcpu = data;

	WRITE_ONCE(vcpu->woken, true);
	wake_up(&vcpu->wait);

	return IRQ_HANDLED;
}

static int gh_vcpu_populate(struct gh_vm_resource_ticket *ticket, struct gunyah_resource *ghrsc)
{
	struct gh_vcpu *vcpu = container_of(ticket, struct gh_vcpu, ticket);
	int ret;

	/* A vCPU that the hypervisor schedules has none. It cannot be run, either. */
	if (ghrsc->irq) {
		ret = request_irq(ghrsc->irq, gh_vcpu_irq, IRQF_TRIGGER_RISING, "gh_vcpu", vcpu);
		if (ret)
			return ret;
	}

	mutex_lock(&vcpu->run_lock);
	vcpu->ghrsc = ghrsc;
	mutex_unlock(&vcpu->run_lock);

	return 0;
}

static void gh_vcpu_unpopulate(struct gh_vm_resource_ticket *ticket)
{
	struct gh_vcpu *vcpu = container_of(ticket, struct gh_vcpu, ticket);
	int irq = vcpu->ghrsc->irq;

	gh_vcpu_evict(vcpu);
	vcpu->ghrsc = NULL;
	vcpu->reading = 0;
	mutex_unlock(&vcpu->run_lock);

	if (irq)
		free_irq(irq, vcpu);
}

/* The VM has another state, which may be the end. */
static int gh_vcpu_vm_changed(struct wait_queue_entry *wait, unsigned int mode, int flags,
			      void *key)
{
	struct gh_vcpu *vcpu = container_of(wait, struct gh_vcpu, status_wait);

	wake_up(&vcpu->wait);
	return 0;
}

static void gh_vcpu_free(struct kref *kref)
{
	struct gh_vcpu *vcpu = container_of(kref, struct gh_vcpu, kref);

	gh_vm_put(vcpu->ghvm);
	free_page((unsigned long)vcpu->vcpu_run);
	kfree(vcpu);
}

static void gh_vcpu_put(struct gh_vcpu *vcpu)
{
	kref_put(&vcpu->kref, gh_vcpu_free);
}

static int gh_vcpu_release(struct inode *inode, struct file *filp)
{
	gh_vcpu_put(filp->private_data);
	return 0;
}

/* Neither command has an argument that a 32-bit caller would pass otherwise. */
static long gh_vcpu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case GH_VCPU_RUN:
		return gh_vcpu_run(filp->private_data);
	case GH_VCPU_MMAP_SIZE:
		return PAGE_SIZE;
	default:
		return -ENOTTY;
	}
}

static vm_fault_t gh_vcpu_fault(struct vm_fault *vmf)
{
	struct gh_vcpu *vcpu = vmf->vma->vm_file->private_data;
	struct page *page;

	if (vmf->pgoff)
		return VM_FAULT_SIGBUS;

	page = virt_to_page(vcpu->vcpu_run);
	get_page(page);
	vmf->page = page;

	return 0;
}

static const struct vm_operations_struct gh_vcpu_vm_ops = {
	.fault = gh_vcpu_fault,
};

/* The one page, and shared: of a copy the kernel would not see what is written to it. */
static int gh_vcpu_mmap(struct file *filp, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;

	vm_flags_set(vma, VM_DONTEXPAND);
	vma->vm_ops = &gh_vcpu_vm_ops;
	return 0;
}

static const struct file_operations gh_vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = gh_vcpu_ioctl,
	.compat_ioctl = gh_vcpu_ioctl,
	.mmap = gh_vcpu_mmap,
	.release = gh_vcpu_release,
	.llseek = noop_llseek,
};

static struct gh_vcpu *gh_vcpu_alloc(struct gh_vm *ghvm, u32 id)
{
	struct gh_vcpu *vcpu;

	vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		return NULL;

	vcpu->vcpu_run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->vcpu_run) {
		kfree(vcpu);
		return NULL;
	}

	kref_init(&vcpu->kref);
	vcpu->ghvm = gh_vm_get(ghvm);
	mutex_init(&vcpu->run_lock);
	init_waitqueue_head(&vcpu->wait);
	init_waitqueue_func_entry(&vcpu->status_wait, gh_vcpu_vm_changed);
	vcpu->ticket.type = GUNYAH_RESOURCE_TYPE_VCPU;
	vcpu->ticket.label = id;
	vcpu->ticket.populate = gh_vcpu_populate;
	vcpu->ticket.unpopulate = gh_vcpu_unpopulate;

	return vcpu;
}

static long gh_vcpu_bind(struct gh_vm_function_instance *f)
{
	const struct gh_fn_vcpu_arg *arg = f->argp;
	struct gh_vcpu *vcpu;
	struct file *file;
	int fd, ret;

	vcpu = gh_vcpu_alloc(f->ghvm, arg->id);
	if (!vcpu)
		return -ENOMEM;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		ret = fd;
		goto err_put_vcpu;
	}

	file = anon_inode_getfile("gunyah-vcpu", &gh_vcpu_fops, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_put_fd;
	}
	kref_get(&vcpu->kref);

	ret = gh_vm_add_resource_ticket(f->ghvm, &vcpu->ticket);
	if (ret)
		goto err_put_file;

	gh_vm_add_status_wait(f->ghvm, &vcpu->status_wait);
	f->data = vcpu;
	fd_install(fd, file);
	return fd;

err_put_file:
	fput(file);
err_put_fd:
	put_unused_fd(fd);
err_put_vcpu:
	gh_vcpu_put(vcpu);
	return ret;
}

static void gh_vcpu_unbind(struct gh_vm_function_instance *f)
{
	struct gh_vcpu *vcpu = f->data;

	gh_vm_remove_status_wait(f->ghvm, &vcpu->status_wait);
	gh_vm_remove_resource_ticket(f->ghvm, &vcpu->ticket);
	gh_vcpu_put(vcpu);
}

static enum gh_fn_match gh_vcpu_match(const struct gh_vm_function_instance *f, const void *arg)
{
	const struct gh_fn_vcpu_arg *ours = f->argp, *theirs = arg;

	return ours->id == theirs->id ? GH_FN_EXACT_MATCH : GH_FN_NO_MATCH;
}

static const struct gh_vm_function gh_vcpu_function = {
	.type = GH_FN_VCPU,
	.arg_size = sizeof(struct gh_fn_vcpu_arg),
	.owner = THIS_MODULE,
	.bind = gh_vcpu_bind,
	.unbind = gh_vcpu_unbind,
	.match = gh_vcpu_match,
};
module_gh_vm_function(gh_vcpu_function);
MODULE_ALIAS_GH_VM_FUNCTION(1);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gunyah vCPUs");

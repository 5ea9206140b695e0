// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM function: interrupts of a guest by eventfd
 *
 * An interrupt of the guest is a doorbell that the host rings. An irqfd sits in the
 * wait queue of its eventfd and rings as soon as that is written to, in the context
 * of who writes. What is written while there is no doorbell, because the guest was
 * not started yet, is remembered and rung when there is.
 *
 * gh_irqfd::lock guards the doorbell and what is remembered. It is taken inside the
 * lock of the eventfd's wait queue.
 */

#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/gunyah_vm_mgr.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

/* All flags of a doorbell do the same, and of one the driver is enough. */
#define GH_IRQFD_BELL_FLAG	BIT_ULL(0)

struct gh_irqfd {
	struct gh_vm_resource_ticket ticket;
	struct eventfd_ctx *ctx;
	struct wait_queue_entry wait;
	poll_table pt;
	bool level;

	spinlock_t lock;		/* guards what follows */
	struct gunyah_resource *ghrsc;
	bool pending;
};

static void gh_irqfd_ring(struct gh_irqfd *irqfd)
{
	lockdep_assert_held(&irqfd->lock);

	/* What can be wrong is that the VM has ended, when nobody needs it any more. */
	if (irqfd->ghrsc)
		(void)gh_hypercall_bell_send(irqfd->ghrsc->capid, GH_IRQFD_BELL_FLAG, NULL);
	else
		irqfd->pending = true;
}

static int gh_irqfd_wakeup(struct wait_queue_entry *wait, unsigned int mode, int sync, void *key)
{
	struct gh_irqfd *irqfd = container_of(wait, struct gh_irqfd, wait);
	__poll_t flags = key_to_poll(key);
	unsigned long irqflags;
	u64 count;

	if (flags & EPOLLIN) {
		/* However many have been written, it is one interrupt. */
		eventfd_ctx_do_read(irqfd->ctx, &count);
		spin_lock_irqsave(&irqfd->lock, irqflags);
		gh_irqfd_ring(irqfd);
		spin_unlock_irqrestore(&irqfd->lock, irqflags);
	}

	/* The file is closed, and so has nobody left to write to it. */
	if (flags & EPOLLHUP)
		list_del_init(&wait->entry);

	return 0;
}

static void gh_irqfd_queue(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct gh_irqfd *irqfd = container_of(pt, struct gh_irqfd, pt);

	add_wait_queue(wqh, &irqfd->wait);
}

static int gh_irqfd_populate(struct gh_vm_resource_ticket *ticket, struct gunyah_resource *ghrsc)
{
	struct gh_irqfd *irqfd = container_of(ticket, struct gh_irqfd, ticket);
	enum gh_error gh_error;

	/*
	 * A level has to be taken back when the guest has taken the interrupt, or it
	 * would be interrupted for ever. An edge leaves nothing behind.
	 */
	if (irqfd->level) {
		gh_error = gh_hypercall_bell_set_mask(ghrsc->capid, GH_IRQFD_BELL_FLAG,
						      GH_IRQFD_BELL_FLAG);
		if (gh_error)
			return gh_error_remap(gh_error);
	}

	spin_lock_irq(&irqfd->lock);
	irqfd->ghrsc = ghrsc;
	if (irqfd->pending) {
		irqfd->pending = false;
		gh_irqfd_ring(irqfd);
	}
	spin_unlock_irq(&irqfd->lock);

	return 0;
}

static void gh_irqfd_unpopulate(struct gh_vm_resource_ticket *ticket)
{
	struct gh_irqfd *irqfd = container_of(ticket, struct gh_irqfd, ticket);

	spin_lock_irq(&irqfd->lock);
	irqfd->ghrsc = NULL;
	spin_unlock_irq(&irqfd->lock);
}

static void gh_irqfd_remove_wait(struct gh_irqfd *irqfd)
{
	u64 count;

	/* What has been written has been rung for, so nothing is lost with the count. */
	eventfd_ctx_remove_wait_queue(irqfd->ctx, &irqfd->wait, &count);
}

static long gh_irqfd_bind(struct gh_vm_function_instance *f)
{
	const struct gh_fn_irqfd_arg *arg = f->argp;
	struct gh_irqfd *irqfd;
	struct file *file;
	int ret;

	/* @padding is not looked at: there are VMMs that leave anything there. */
	if (arg->flags & ~GH_IRQFD_FLAGS_LEVEL)
		return -EINVAL;

	file = eventfd_fget(arg->fd);
	if (IS_ERR(file))
		return PTR_ERR(file);

	irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	if (!irqfd) {
		ret = -ENOMEM;
		goto err_fput;
	}

	irqfd->ctx = eventfd_ctx_fileget(file);
	spin_lock_init(&irqfd->lock);
	irqfd->level = arg->flags & GH_IRQFD_FLAGS_LEVEL;
	irqfd->ticket.type = GUNYAH_RESOURCE_TYPE_BELL_TX;
	irqfd->ticket.label = arg->label;
	irqfd->ticket.shared = true;
	irqfd->ticket.populate = gh_irqfd_populate;
	irqfd->ticket.unpopulate = gh_irqfd_unpopulate;

	init_waitqueue_func_entry(&irqfd->wait, gh_irqfd_wakeup);
	init_poll_funcptr(&irqfd->pt, gh_irqfd_queue);
	/* What was written before has not woken us. */
	if (vfs_poll(file, &irqfd->pt) & EPOLLIN) {
		spin_lock_irq(&irqfd->lock);
		irqfd->pending = true;
		spin_unlock_irq(&irqfd->lock);
	}

	ret = gh_vm_add_resource_ticket(f->ghvm, &irqfd->ticket);
	if (ret)
		goto err_remove_wait;

	fput(file);
	f->data = irqfd;
	return 0;

err_remove_wait:
	gh_irqfd_remove_wait(irqfd);
	eventfd_ctx_put(irqfd->ctx);
	kfree(irqfd);
err_fput:
	fput(file);
	return ret;
}

static void gh_irqfd_unbind(struct gh_vm_function_instance *f)
{
	struct gh_irqfd *irqfd = f->data;

	gh_irqfd_remove_wait(irqfd);
	gh_vm_remove_resource_ticket(f->ghvm, &irqfd->ticket);
	eventfd_ctx_put(irqfd->ctx);
	kfree(irqfd);
}

static bool gh_irqfd_is(const struct gh_irqfd *irqfd, int fd)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fd);

	if (IS_ERR(ctx))
		return false;

	eventfd_ctx_put(ctx);
	return ctx == irqfd->ctx;
}

/* Some VMMs give the label alone. If several have it, the file may tell which. */
static enum gh_fn_match gh_irqfd_match(const struct gh_vm_function_instance *f, const void *data)
{
	const struct gh_fn_irqfd_arg *arg = data;
	const struct gh_irqfd *irqfd = f->data;

	if (irqfd->ticket.label != arg->label)
		return GH_FN_NO_MATCH;

	return gh_irqfd_is(irqfd, arg->fd) ? GH_FN_EXACT_MATCH : GH_FN_MATCH;
}

static const struct gh_vm_function gh_irqfd_function = {
	.type = GH_FN_IRQFD,
	.arg_size = sizeof(struct gh_fn_irqfd_arg),
	.owner = THIS_MODULE,
	.bind = gh_irqfd_bind,
	.unbind = gh_irqfd_unbind,
	.match = gh_irqfd_match,
};
module_gh_vm_function(gh_irqfd_function);
MODULE_ALIAS_GH_VM_FUNCTION(2);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gunyah irqfds");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM function: writes of a guest to an eventfd
 *
 * An IO handler that signals. It holds the eventfd's context, which outlives the
 * file, from before the handler is there until it is gone.
 */

#include <linux/eventfd.h>
#include <linux/gunyah_vm_mgr.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>

struct gh_ioeventfd {
	struct gh_vm_io_handler handler;
	struct eventfd_ctx *ctx;
};

static void gh_ioeventfd_write(struct gh_vm_io_handler *handler)
{
	struct gh_ioeventfd *ioeventfd = container_of(handler, struct gh_ioeventfd, handler);

	eventfd_signal(ioeventfd->ctx);
}

/* The low bytes of a value */
static u64 gh_ioeventfd_mask(u64 value, u32 len)
{
	return len < sizeof(value) ? value & GENMASK_ULL(8 * len - 1, 0) : value;
}

static int gh_ioeventfd_check(const struct gh_fn_ioeventfd_arg *arg)
{
	u64 end;

	if (arg->flags & ~GH_IOEVENTFD_FLAGS_DATAMATCH)
		return -EINVAL;

	switch (arg->len) {
	case 0:
		/* No size says how much of the value is to be compared. */
		if (arg->flags & GH_IOEVENTFD_FLAGS_DATAMATCH)
			return -EINVAL;
		break;
	case 1:
	case 2:
	case 4:
	case 8:
		break;
	default:
		return -EINVAL;
	}

	return check_add_overflow(arg->addr, arg->len, &end) ? -EINVAL : 0;
}

static long gh_ioeventfd_bind(struct gh_vm_function_instance *f)
{
	const struct gh_fn_ioeventfd_arg *arg = f->argp;
	struct gh_ioeventfd *ioeventfd;
	struct eventfd_ctx *ctx;
	int ret;

	ret = gh_ioeventfd_check(arg);
	if (ret)
		return ret;

	ctx = eventfd_ctx_fdget(arg->fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);

	ioeventfd = kzalloc(sizeof(*ioeventfd), GFP_KERNEL_ACCOUNT);
	if (!ioeventfd) {
		ret = -ENOMEM;
		goto err_put_ctx;
	}

	ioeventfd->ctx = ctx;
	ioeventfd->handler.addr = arg->addr;
	ioeventfd->handler.len = arg->len;
	ioeventfd->handler.write = gh_ioeventfd_write;
	if (arg->flags & GH_IOEVENTFD_FLAGS_DATAMATCH) {
		ioeventfd->handler.datamatch = true;
		ioeventfd->handler.data = gh_ioeventfd_mask(arg->datamatch, arg->len);
	}

	ret = gh_vm_add_io_handler(f->ghvm, &ioeventfd->handler);
	if (ret)
		goto err_free;

	f->data = ioeventfd;
	return 0;

err_free:
	kfree(ioeventfd);
err_put_ctx:
	eventfd_ctx_put(ctx);
	return ret;
}

static void gh_ioeventfd_unbind(struct gh_vm_function_instance *f)
{
	struct gh_ioeventfd *ioeventfd = f->data;

	gh_vm_remove_io_handler(f->ghvm, &ioeventfd->handler);
	eventfd_ctx_put(ioeventfd->ctx);
	kfree(ioeventfd);
}

static bool gh_ioeventfd_is(const struct gh_ioeventfd *ioeventfd, int fd)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fd);

	if (IS_ERR(ctx))
		return false;

	eventfd_ctx_put(ctx);
	return ctx == ioeventfd->ctx;
}

/*
 * Some VMMs give the address alone. Others may have several handlers there and tell
 * which by value and file, or by the file alone.
 */
static enum gh_fn_match gh_ioeventfd_match(const struct gh_vm_function_instance *f,
					   const void *data)
{
	const struct gh_ioeventfd *ioeventfd = f->data;
	const struct gh_vm_io_handler *handler = &ioeventfd->handler;
	const struct gh_fn_ioeventfd_arg *arg = data;
	bool datamatch = arg->flags & GH_IOEVENTFD_FLAGS_DATAMATCH;

	if (handler->addr != arg->addr)
		return GH_FN_NO_MATCH;
	if (datamatch && (!handler->datamatch ||
			  handler->data != gh_ioeventfd_mask(arg->datamatch, handler->len)))
		return GH_FN_NO_MATCH;
	if (arg->fd > 0 && !gh_ioeventfd_is(ioeventfd, arg->fd))
		return GH_FN_NO_MATCH;

	return handler->datamatch == datamatch && handler->len == arg->len ?
	       GH_FN_EXACT_MATCH : GH_FN_MATCH;
}

static const struct gh_vm_function gh_ioeventfd_function = {
	.type = GH_FN_IOEVENTFD,
	.arg_size = sizeof(struct gh_fn_ioeventfd_arg),
	.owner = THIS_MODULE,
	.bind = gh_ioeventfd_bind,
	.unbind = gh_ioeventfd_unbind,
	.match = gh_ioeventfd_match,
};
module_gh_vm_function(gh_ioeventfd_function);
MODULE_ALIAS_GH_VM_FUNCTION(3);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gunyah ioeventfds");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM manager: IO handlers
 *
 * An IO handler takes writes of the guest's that else a vCPU would leave to user
 * space. Several may have one address: any number that take one value each, and one
 * that takes the others. Handlers of neighbouring addresses do not know of each
 * other, even if their writes would overlap.
 *
 * gh_vm::io_lock guards the tree, and is held for reading while a handler is called.
 */

#include "vm_mgr.h"

static int gh_vm_cmp(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

/*
 * A total order: by address, those for one value first, these by size and value. Two
 * that take any value of one address are the same, of whatever size: which of them a
 * write is for would be hard to see.
 */
static int gh_vm_cmp_io_handlers(const struct gh_vm_io_handler *a,
				 const struct gh_vm_io_handler *b)
{
	if (a->addr != b->addr)
		return gh_vm_cmp(a->addr, b->addr);
	if (a->datamatch != b->datamatch)
		return a->datamatch ? -1 : 1;
	if (!a->datamatch)
		return 0;
	if (a->len != b->len)
		return gh_vm_cmp(a->len, b->len);
	return gh_vm_cmp(a->data, b->data);
}

static int gh_vm_cmp_io_nodes(struct rb_node *a, const struct rb_node *b)
{
	return gh_vm_cmp_io_handlers(rb_entry(a, struct gh_vm_io_handler, node),
				     rb_entry(b, struct gh_vm_io_handler, node));
}

static int gh_vm_cmp_io_addr(const void *addr, const struct rb_node *node)
{
	return gh_vm_cmp(*(const u64 *)addr,
			 rb_entry(node, struct gh_vm_io_handler, node)->addr);
}

/**
 * gh_vm_add_io_handler() - Take writes of the guest's to an address
 * @ghvm: the VM
 * @handler: what to take, and who gets it
 *
 * Context: Process context. May sleep.
 * Return: 0; -EEXIST if there is a handler for the same.
 */
int gh_vm_add_io_handler(struct gh_vm *ghvm, struct gh_vm_io_handler *handler)
{
	struct rb_node *found;

	down_write(&ghvm->io_lock);
	found = rb_find_add(&handler->node, &ghvm->io_handlers, gh_vm_cmp_io_nodes);
	up_write(&ghvm->io_lock);

	return found ? -EEXIST : 0;
}
EXPORT_SYMBOL_GPL(gh_vm_add_io_handler);

/**
 * gh_vm_remove_io_handler() - Take no more writes
 * @ghvm: the VM
 * @handler: the handler. It is not being called any more when this returns.
 *
 * Context: Process context. May sleep.
 */
void gh_vm_remove_io_handler(struct gh_vm *ghvm, struct gh_vm_io_handler *handler)
{
	down_write(&ghvm->io_lock);
	rb_erase(&handler->node, &ghvm->io_handlers);
	up_write(&ghvm->io_lock);
}
EXPORT_SYMBOL_GPL(gh_vm_remove_io_handler);

static bool gh_vm_io_handler_takes(const struct gh_vm_io_handler *handler, u32 len, u64 data)
{
	if (handler->len && handler->len != len)
		return false;

	return !handler->datamatch || handler->data == data;
}

/**
 * gh_vm_mmio_write() - The guest has written to an address
 * @ghvm: the VM
 * @addr: guest address in bytes
 * @len: size of the write in bytes: 1, 2, 4 or 8
 * @data: what was written, in the @len low bytes; the others are 0
 *
 * Context: Process context. May sleep.
 * Return: true if a handler took it.
 */
bool gh_vm_mmio_write(struct gh_vm *ghvm, u64 addr, u32 len, u64 data)
{
	struct gh_vm_io_handler *handler;
	struct rb_node *node;
	bool taken = false;

	down_read(&ghvm->io_lock);
	rb_for_each(node, &addr, &ghvm->io_handlers, gh_vm_cmp_io_addr) {
		handler = rb_entry(node, struct gh_vm_io_handler, node);
		if (gh_vm_io_handler_takes(handler, len, data)) {
			handler->write(handler);
			taken = true;
			break;
		}
	}
	up_read(&ghvm->io_lock);

	return taken;
}
EXPORT_SYMBOL_GPL(gh_vm_mmio_write);

/**
 * gh_vm_io_init() - Set up the IO handlers of a new VM
 * @ghvm: the VM
 *
 * Context: Any.
 */
void gh_vm_io_init(struct gh_vm *ghvm)
{
	init_rwsem(&ghvm->io_lock);
	ghvm->io_handlers = RB_ROOT;
}

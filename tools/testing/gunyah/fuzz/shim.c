// SPDX-License-Identifier: GPL-2.0-only
#include "shim.h"

#include <linux/gunyah.h>
#include <linux/gunyah_rsc_mgr.h>

bool shim_atomic;
unsigned long shim_jiffies;

static LIST_HEAD(works);

void queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	if (!list_empty(&work->node))
		return;
	work->wq = wq;
	list_add_tail(&work->node, &works);
}

static void run(struct work_struct *work)
{
	list_del_init(&work->node);
	work->fn(work);
}

struct workqueue_struct *shim_run_work(bool ordered_only)
{
	struct workqueue_struct *wq;
	struct work_struct *work;

	list_for_each_entry(work, &works, node) {
		wq = work->wq;
		if (!ordered_only || wq->ordered) {
			run(work);
			return wq;
		}
	}
	return NULL;
}

void flush_work(struct work_struct *work)
{
	might_sleep();
	if (!list_empty(&work->node))
		run(work);
}

void flush_workqueue(struct workqueue_struct *wq)
{
	struct work_struct *work;

	might_sleep();
again:
	list_for_each_entry(work, &works, node) {
		if (work->wq == wq) {
			run(work);
			goto again;
		}
	}
}

struct workqueue_struct *shim_alloc_workqueue(bool ordered)
{
	struct workqueue_struct *wq = kmalloc(sizeof(*wq), GFP_KERNEL);

	if (wq)
		wq->ordered = ordered;
	return wq;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(xa->slot); i++) {
		if (xa->slot[i].entry && xa->slot[i].index == index)
			return xa->slot[i].entry;
	}
	return NULL;
}

void xa_erase(struct xarray *xa, unsigned long index)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(xa->slot); i++) {
		if (xa->slot[i].index == index)
			xa->slot[i].entry = NULL;
	}
}

int xa_insert(struct xarray *xa, unsigned long index, void *entry, shim_gfp_t gfp)
{
	size_t i;

	(void)gfp;
	if (xa_load(xa, index))
		return -EBUSY;
	if (shim_alloc_fails())
		return -ENOMEM;
	for (i = 0; xa->slot[i].entry; i++)
		shim_check(i + 1 < ARRAY_SIZE(xa->slot));
	xa->slot[i].index = index;
	xa->slot[i].entry = entry;
	return 0;
}

/* The device is never probed */
int gh_msgq_init(struct device *parent, struct gh_msgq *msgq, const struct gunyah_resource *tx,
		 const struct gunyah_resource *rx)
{
	(void)parent;
	(void)msgq;
	(void)tx;
	(void)rx;
	return -ENODEV;
}

void gh_msgq_remove(struct gh_msgq *msgq)
{
	(void)msgq;
}

/* There are no interrupts, and nobody asks for any */
int gh_rm_map_virq(struct gh_rm *rm, u32 virq)
{
	(void)rm;
	(void)virq;
	return -ENXIO;
}

void gh_rm_unmap_virq(struct gh_rm *rm, int irq)
{
	(void)rm;
	(void)irq;
}

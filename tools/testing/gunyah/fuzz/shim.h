/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as drivers/virt/gunyah/rsc_mgr*.c needs to run in a process.
 *
 * What has no meaning here is not there: one thread does everything, so a lock is a
 * flag that tells misuse, a work is queued until the harness lets it run, and whoever
 * would sleep asks the harness for the next thing to happen instead. Time passes only
 * when nothing else does. Devices and device trees are there to be compiled.
 *
 * Lists, bit fields and types are the kernel's own, from tools/include.
 */
#ifndef _FUZZ_SHIM_H
#define _FUZZ_SHIM_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/kconfig.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/string.h>

#define shim_check(cond)							\
	do {									\
		if (!(cond)) {							\
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond); \
			abort();						\
		}								\
	} while (0)

/* The harness: makes one thing happen, or returns false if nothing happens for now. */
bool shim_event(void);
/* The harness: should this allocation fail? */
bool shim_alloc_fails(void);

/* A spinlock is held. */
extern bool shim_atomic;

#define U16_MAX			((u16)~0U)
#define U32_MAX			((u32)~0U)
#define U64_MAX			((u64)~0ULL)

#ifndef __counted_by
#define __counted_by(member)
#endif
#ifndef fallthrough
#define fallthrough		__attribute__((__fallthrough__))
#endif
#ifndef __le64_to_cpu
#define __le64_to_cpu		le64_to_cpu
#endif

static inline u32 le32_to_cpup(const void *p)
{
	u32 value;

	memcpy(&value, p, sizeof(value));
	return le32_to_cpu(value);
}

#define struct_size(p, member, n)	(sizeof(*(p)) + sizeof((p)->member[0]) * (n))
#undef WARN_ON_ONCE
#define WARN_ON_ONCE(cond)	({ shim_check(!(cond)); false; })
#define lockdep_assert_held(l)	shim_check((l)->held)
#define might_sleep()		shim_check(!shim_atomic)
#define cond_resched()		might_sleep()
#define dev_dbg(dev, ...)	((void)(dev), (void)snprintf(NULL, 0, __VA_ARGS__))
#define dev_warn		dev_dbg
#define dev_warn_ratelimited	dev_dbg
#define dev_err			dev_dbg
#define dev_err_ratelimited	dev_dbg
#define dev_err_probe(dev, err, ...)	({ dev_dbg(dev, __VA_ARGS__); (err); })

/* Unlike those of tools/include these take what the kernel's take */
#undef min
#undef max
#undef min_t
#undef max_t
#define min_t(type, a, b)	({ type a_ = (a); type b_ = (b); a_ < b_ ? a_ : b_; })
#define max_t(type, a, b)	({ type a_ = (a); type b_ = (b); a_ > b_ ? a_ : b_; })
#define min(a, b)		min_t(typeof((a) + (b)), a, b)
#define max(a, b)		max_t(typeof((a) + (b)), a, b)

/* Modules: none is there to be loaded */

#define request_module(name)	((void)(name))
#define request_module_nowait	request_module

/* Tracepoints, to which nobody listens */

#define TRACE_DEFINE_ENUM(name)
#define TP_PROTO(...)		__VA_ARGS__
#define DECLARE_EVENT_CLASS(...)
#define TRACE_EVENT(name, proto, ...)		static inline void trace_##name(proto) { }
#define DEFINE_EVENT(template, name, proto, ...)	static inline void trace_##name(proto) { }

/* Memory */

typedef unsigned int shim_gfp_t;
#define GFP_KERNEL		1
#define GFP_ATOMIC		2
#define __GFP_NOWARN		0
#define SHIM_ZERO		4

static inline void *kmalloc(size_t size, shim_gfp_t gfp)
{
	if (!(gfp & GFP_ATOMIC))
		might_sleep();
	if (shim_alloc_fails())
		return NULL;
	return gfp & SHIM_ZERO ? calloc(1, size) : malloc(size);
}

#define kzalloc(size, gfp)	kmalloc(size, (gfp) | SHIM_ZERO)
#define kvmalloc		kmalloc
#define kvzalloc		kzalloc
#define devm_kzalloc(dev, size, gfp)	((void)(dev), kzalloc(size, gfp))
#define kfree(p)		free((void *)(p))
#define kvfree			kfree

/* Locks */

typedef struct { bool held; } spinlock_t;

static inline void spin_lock_init(spinlock_t *l)
{
	l->held = false;
}

static inline void spin_lock_irq(spinlock_t *l)
{
	shim_check(!shim_atomic);
	l->held = true;
	shim_atomic = true;
}

static inline void spin_unlock_irq(spinlock_t *l)
{
	shim_check(l->held);
	l->held = false;
	shim_atomic = false;
}

#define spin_lock_irqsave(l, flags)		((void)((flags) = 0), spin_lock_irq(l))
#define spin_unlock_irqrestore(l, flags)	((void)(flags), spin_unlock_irq(l))

struct mutex { bool held; };

static inline void mutex_init(struct mutex *m)
{
	m->held = false;
}

static inline void mutex_lock(struct mutex *m)
{
	might_sleep();
	shim_check(!m->held);
	m->held = true;
}

static inline void mutex_unlock(struct mutex *m)
{
	shim_check(m->held);
	m->held = false;
}

/* Nobody is killed here */
#define mutex_lock_killable(m)	(mutex_lock(m), 0)

struct rw_semaphore { bool held; };

static inline void init_rwsem(struct rw_semaphore *s)
{
	s->held = false;
}

static inline void down_write(struct rw_semaphore *s)
{
	might_sleep();
	shim_check(!s->held);
	s->held = true;
}

static inline void up_write(struct rw_semaphore *s)
{
	shim_check(s->held);
	s->held = false;
}

#define down_read		down_write
#define up_read			up_write

/* Numbers that are counted */

typedef struct { s64 counter; } atomic64_t;

#define atomic_read(v)		((v)->counter)
#define atomic64_read(v)	((v)->counter)
#define atomic_set(v, n)	((void)((v)->counter = (n)))
#define atomic_inc(v)		((void)(v)->counter++)
#define atomic64_inc		atomic_inc
#define atomic_dec(v)		((void)(v)->counter--)
#define atomic_dec_return(v)	(--(v)->counter)
#define atomic_add_unless(v, n, u)	\
	((v)->counter != (int)(u) && ((v)->counter += (n), true))

static inline int atomic_xchg(atomic_t *v, int new)
{
	int old = v->counter;

	v->counter = new;
	return old;
}

static inline int atomic_cmpxchg(atomic_t *v, int old, int new)
{
	int was = v->counter;

	if (was == old)
		v->counter = new;
	return was;
}

/* One thread: there is nobody for whom there is an order. */
#define smp_load_acquire(p)	(*(p))
#define smp_store_release(p, v)	((void)(*(p) = (v)))

struct kref { int n; };

static inline void kref_init(struct kref *k)
{
	k->n = 1;
}

static inline void kref_get(struct kref *k)
{
	shim_check(k->n > 0);
	k->n++;
}

static inline void kref_put(struct kref *k, void (*release)(struct kref *k))
{
	shim_check(k->n > 0);
	if (!--k->n)
		release(k);
}

/* Time */

extern unsigned long shim_jiffies;
#define jiffies			shim_jiffies
#define msecs_to_jiffies(ms)	((unsigned long)(ms))

typedef struct { int unused; } wait_queue_head_t;
#define init_waitqueue_head(w)	((void)(w))
#define wake_up(w)		((void)(w))

#define wait_event_timeout(w, cond, timeout)					\
	({									\
		long left_ = (timeout);						\
										\
		might_sleep();							\
		while (!(cond) && left_) {					\
			if (!shim_event()) {					\
				shim_jiffies += left_;				\
				left_ = 0;					\
			}							\
		}								\
		(cond) ? (left_ ?: 1) : 0;					\
	})

struct completion { bool done; };

#define init_completion(c)	((void)((c)->done = false))
#define complete(c)		((void)((c)->done = true))
#define completion_done(c)	((c)->done)
#define wait_for_completion_timeout(c, timeout)					\
	wait_event_timeout(NULL, (c)->done, timeout)

/* Works; one queue keeps the order of all */

struct work_struct {
	struct list_head node;
	void (*fn)(struct work_struct *work);
	struct workqueue_struct *wq;
};

struct workqueue_struct { bool ordered; };

void queue_work(struct workqueue_struct *wq, struct work_struct *work);
/* Runs the first work, or the first that is on an ordered queue; tells which queue, or NULL */
struct workqueue_struct *shim_run_work(bool ordered_only);
void flush_work(struct work_struct *work);
void flush_workqueue(struct workqueue_struct *wq);
struct workqueue_struct *shim_alloc_workqueue(bool ordered);

static inline void destroy_workqueue(struct workqueue_struct *wq)
{
	flush_workqueue(wq);
	free(wq);
}

#define WQ_UNBOUND		0
#define alloc_ordered_workqueue(name, flags)		shim_alloc_workqueue(true)
#define alloc_workqueue(name, flags, max_active)	shim_alloc_workqueue(false)
#define INIT_WORK(w, f)						\
	do {							\
		INIT_LIST_HEAD(&(w)->node);			\
		(w)->fn = (f);					\
	} while (0)

/* Pointers under a number: few */

struct xarray { struct { unsigned long index; void *entry; } slot[8]; };

#define xa_init(x)		memset(x, 0, sizeof(*(x)))
#define xa_destroy(x)		((void)(x))
void *xa_load(struct xarray *xa, unsigned long index);
void xa_erase(struct xarray *xa, unsigned long index);
int xa_insert(struct xarray *xa, unsigned long index, void *entry, shim_gfp_t gfp);

/* Of devices only what it takes to be one */

struct device {
	struct device_node *of_node;
	int refs;
};

#define get_device(d)		((d)->refs++, (d))
#define put_device(d)		((void)(d)->refs--)

struct of_device_id { const char *compatible; };
struct platform_device { struct device dev; void *drvdata; };
struct platform_driver {
	int (*probe)(struct platform_device *pdev);
	void (*remove)(struct platform_device *pdev);
	void (*shutdown)(struct platform_device *pdev);
	struct { const char *name; const struct of_device_id *of_match_table; } driver;
};

#define MODULE_DEVICE_TABLE(type, table)
#define platform_get_drvdata(p)			((p)->drvdata)
#define platform_set_drvdata(p, d)		((void)((p)->drvdata = (d)))
#define platform_get_irq(p, i)			((void)(p), -ENXIO)
#define platform_register_drivers(d, n)		((void)(d), -ENODEV)
#define platform_unregister_drivers(d, n)	((void)(d))
#define of_property_read_u64_index(n, name, i, v)	((void)(n), (void)(v), -EINVAL)
#define of_platform_default_populate(n, m, d)	((void)(n), 0)
#define of_platform_depopulate(d)		((void)(d))

#define MBOX_TX_QUEUE_LEN	20

struct mbox_chan { int unused; };
struct mbox_controller { int unused; };
struct irq_work { int unused; };
struct mbox_client {
	struct device *dev;
	void (*rx_callback)(struct mbox_client *client, void *mssg);
	void (*tx_done)(struct mbox_client *client, void *mssg, int err);
};

#define mbox_send_message(c, m)	((void)(c), (void)(m), -ENODEV)
#define mbox_bind_client(c, cl)	((void)(c), (void)(cl), -ENODEV)

u16 shim_random_u16(void);
#define get_random_u16		shim_random_u16

#endif /* _FUZZ_SHIM_H */

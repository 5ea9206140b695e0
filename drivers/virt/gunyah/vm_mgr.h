/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __GH_VM_MGR_H
#define __GH_VM_MGR_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/gunyah_rsc_mgr.h>
#include <linux/gunyah_vm_mgr.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <uapi/linux/gunyah.h>

struct gh_vm_failure;
struct mm_struct;
struct page;
struct seq_file;

/**
 * struct gh_vm_mgr - The VM manager of one resource manager
 * @kref: the device, its open files and every VM hold one
 * @misc: /dev/gunyah
 * @rm: the resource manager
 * @removal: held for reading to start a VM, for writing to set @gone and @hibernating
 * @gone: the resource manager is gone or about to go
 * @hibernating: the host is about to hibernate, or to resume from it
 * @pm_nb: is told so
 * @lock: guards @vms and @quarantine
 * @vms: every VM that exists, quarantined or not
 * @quarantine: the VMs of which the resource manager has not given back everything
 * @retry_work: tries again to end those
 */
struct gh_vm_mgr {
	struct kref kref;
	struct miscdevice misc;
	struct gh_rm *rm;
	struct rw_semaphore removal;
	bool gone;
	bool hibernating;
	struct notifier_block pm_nb;
	struct mutex lock;		/* see above */
	struct list_head vms;
	struct list_head quarantine;
	struct work_struct retry_work;
};

/**
 * enum gh_vm_state - State of a VM, as its user sees it
 * @GH_VM_NEW: can be configured
 * @GH_VM_STARTING: the start work is at it
 * @GH_VM_RUNNING: the guest runs
 * @GH_VM_EXITED: the guest has ended
 * @GH_VM_FAILED: the start failed and has been undone as far as possible
 * @GH_VM_STOPPING: the file is closed or the device removed; being stopped
 * @GH_VM_RESETTING: being stopped; the resource manager takes the VM apart
 * @GH_VM_QUARANTINED: the file is closed, but the resource manager did not give
 *                     everything back
 *
 * Only vm_mgr_state.c writes it. Documentation/virt/gunyah/lifecycle.rst has the
 * transitions.
 */
enum gh_vm_state {
	GH_VM_NEW,
	GH_VM_STARTING,
	GH_VM_RUNNING,
	GH_VM_EXITED,
	GH_VM_FAILED,
	GH_VM_STOPPING,
	GH_VM_RESETTING,
	GH_VM_QUARANTINED,
};

/* Their names: for GH_RM_NAME_TABLE, or what else is to be made of them */
#define GH_VM_STATE_NAMES(apply, to)		\
	apply(to,				\
	      { GH_VM_NEW, "new" },		\
	      { GH_VM_STARTING, "starting" },	\
	      { GH_VM_RUNNING, "running" },	\
	      { GH_VM_EXITED, "exited" },	\
	      { GH_VM_FAILED, "failed" },	\
	      { GH_VM_STOPPING, "stopping" },	\
	      { GH_VM_RESETTING, "resetting" },	\
	      { GH_VM_QUARANTINED, "quarantined" })

/**
 * struct gh_vm - A virtual machine
 * @kref: the file, the works and the resource manager's list hold one
 * @mgr: the VM manager
 * @rm: the resource manager
 * @rm_ops: how to call it
 * @mm: address space of the creator, grabbed; locked memory is charged to it
 * @node: in &gh_vm_mgr.vms
 * @quarantine_node: in &gh_vm_mgr.quarantine
 *
 * @mm_lock: guards @regions, @dtb and the step out of GH_VM_NEW. Once the VM has
 *           left that state both are fixed and need no lock.
 * @regions: struct gh_vm_mem, in the order in which they were added
 * @n_regions: number of @regions
 * @dtb: where the devicetree is
 * @dtb_set: @dtb was set
 *
 * @status_lock: guards what follows, up to @expected_exit. Held for a change of state
 *               only, never across a call to the resource manager.
 * @state: see enum gh_vm_state
 * @start_result: what GH_VM_START returns, once the start work is done
 * @rm_status: the VM's state in the resource manager as far as we know it
 * @rm_status_known: @rm_status is to be believed
 * @start_asked: VM_START was sent
 * @exited: the guest has ended
 * @exit_info: how the guest ended
 * @expected_exit: how it ended if the resource manager does not say, GH_VM_EXIT_TYPE_*
 * @status_wait: woken when any of these changes
 *
 * @rm_lock: held by the one work that deals with the resource manager. It guards
 *           what follows, up to @vmid_lost.
 * @vmid: 0 if there is none
 * @listening: @listener is registered for @vmid
 * @configured: the resource manager accepted the image, so that the VM can be reset
 * @vmid_lost: the resource manager will not take @vmid back
 *
 * @listener: receives the notifications about @vmid
 * @start_work: GH_VM_START
 * @exit_work: ends the wait for a VM_EXITED that was lost
 * @teardown_work: ends the VM
 * @teardown_queued: bit 0: it was queued
 * @torn_down: completed by @teardown_work
 *
 * @fn_lock: guards @functions; taken outside all others of these
 * @functions: struct gh_vm_function_instance
 *
 * @resources_lock: guards @resources and @tickets; taken inside @fn_lock and @rm_lock
 * @resources: what the resource manager made for the VM, see vm_mgr_res.c
 * @tickets: struct gh_vm_resource_ticket
 *
 * @io_lock: guards @io_handlers
 * @io_handlers: struct gh_vm_io_handler
 */
struct gh_vm {
	struct kref kref;
	struct gh_vm_mgr *mgr;
	struct gh_rm *rm;
	const struct gh_rm_ops *rm_ops;
	struct mm_struct *mm;
	struct list_head node;
	struct list_head quarantine_node;

	struct mutex mm_lock;		/* see above */
	struct list_head regions;
	unsigned int n_regions;
	struct gh_vm_dtb_config dtb;
	bool dtb_set;

	struct rw_semaphore status_lock;
	enum gh_vm_state state;
	int start_result;
	enum gh_rm_vm_status rm_status;
	bool rm_status_known;
	bool start_asked;
	bool exited;
	struct gh_vm_exit_info exit_info;
	u16 expected_exit;
	wait_queue_head_t status_wait;

	struct mutex rm_lock;		/* see above */
	u16 vmid;
	bool listening;
	bool configured;
	bool vmid_lost;

	struct gh_rm_listener listener;
	struct work_struct start_work;
	struct delayed_work exit_work;
	struct work_struct teardown_work;
	unsigned long teardown_queued;
	struct completion torn_down;

	struct mutex fn_lock;		/* see above */
	struct list_head functions;

	struct mutex resources_lock;	/* see above */
	struct list_head resources;
	struct list_head tickets;

	struct rw_semaphore io_lock;
	struct rb_root io_handlers;
};

/* vm_mgr.c: devices, files and the life of the objects */
struct gh_vm_mgr *gh_vm_mgr_get(struct gh_vm_mgr *mgr);
void gh_vm_mgr_put(struct gh_vm_mgr *mgr);
void gh_vm_mgr_end_vms(struct gh_vm_mgr *mgr);

/* vm_mgr_pm.c: hibernation and shutdown */
int gh_vm_mgr_pm_add(struct gh_vm_mgr *mgr);
void gh_vm_mgr_pm_remove(struct gh_vm_mgr *mgr);
void gh_vm_mgr_shutdown(struct gh_rm *rm);

/* vm_mgr_state.c: the state machine */
void gh_vm_mgr_state_init(struct gh_vm_mgr *mgr);
void gh_vm_state_init(struct gh_vm *ghvm);
const char *gh_vm_state_name(enum gh_vm_state state);
const char *gh_vm_rm_status_name(enum gh_rm_vm_status status);
enum gh_vm_state gh_vm_state(struct gh_vm *ghvm);
int gh_vm_start(struct gh_vm *ghvm);
int gh_vm_get_exit_info(struct gh_vm *ghvm, struct gh_vm_exit_info *info);
void gh_vm_teardown(struct gh_vm *ghvm);
void gh_vm_retry_quarantined(struct gh_vm_mgr *mgr);
int gh_vm_wq_create(void);
void gh_vm_wq_destroy(void);

#define GH_VM_RUN_PFN_BITS	40	/* 52 bits of address in pages of 4 KiB */
#define GH_VM_RUN_NR_BITS	(64 - GH_VM_RUN_PFN_BITS)
#define GH_VM_RUN_MAX		((1UL << GH_VM_RUN_NR_BITS) - 1)

/**
 * struct gh_vm_run - Physically contiguous memory of a region
 * @pfn: first page
 * @nr: number of pages, at most GH_VM_RUN_MAX
 *
 * The worst that can happen is one for each page, so they are kept small.
 */
struct gh_vm_run {
	u64 pfn : GH_VM_RUN_PFN_BITS;
	u64 nr : GH_VM_RUN_NR_BITS;
};

/**
 * struct gh_vm_run_chunk - As many runs as fit in a page
 * @node: in &gh_vm_mem.chunks
 * @nr: number of valid @runs
 * @runs: the runs, in the order of the region
 */
struct gh_vm_run_chunk {
	struct list_head node;
	unsigned int nr;
	struct gh_vm_run runs[];
};

/**
 * struct gh_vm_mem - A memory region
 * @node: in &gh_vm.regions
 * @ghvm: the VM
 * @gpa: guest address in bytes
 * @size: size in bytes
 * @label: the user's name for it, and the guest's
 * @flags: GH_MEM_*
 * @npages: pages pinned, and charged
 * @nr_runs: number of runs in @chunks
 * @chunks: struct gh_vm_run_chunk
 * @parcel: the region at the resource manager; under &gh_vm.rm_lock, as is the rest
 * @acl: who gets it
 * @iter: enumerates the runs
 * @iter_chunk: where @iter is
 * @iter_run: before this run of @iter_chunk
 */
struct gh_vm_mem {
	struct list_head node;
	struct gh_vm *ghvm;
	u64 gpa;
	u64 size;
	u32 label;
	u32 flags;
	unsigned long npages;
	unsigned long nr_runs;
	struct list_head chunks;
	struct gh_rm_mem_parcel parcel;
	struct gh_rm_mem_acl_entry acl[2];
	struct gh_rm_mem_iter iter;
	struct gh_vm_run_chunk *iter_chunk;
	unsigned int iter_run;
};

#define GH_MEM_ACCESS_MASK	(GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC)

/* vm_mgr_mm.c: memory regions */
int gh_vm_range_end(u64 start, u64 size, u64 *end);
int gh_vm_mem_set(struct gh_vm *ghvm, const struct gh_userspace_memory_region *region);
struct gh_vm_mem *gh_vm_mem_find(struct gh_vm *ghvm, u64 gpa, u64 size);
int gh_vm_mem_give(struct gh_vm *ghvm, struct gh_vm_mem *mem, struct gh_vm_failure *failure);
int gh_vm_mem_reclaim_all(struct gh_vm *ghvm);
void gh_vm_mem_release(struct gh_vm *ghvm);
unsigned long gh_vm_mem_pages(struct gh_vm *ghvm, bool at_rm_only);

/**
 * enum gh_vm_step - Steps of starting a VM
 * @GH_VM_STEP_ALLOC_VMID: get a VMID, and be told what becomes of it
 * @GH_VM_STEP_GET_VMID: ask for the host's own VMID
 * @GH_VM_STEP_LEND: lend a region
 * @GH_VM_STEP_SHARE: share a region
 * @GH_VM_STEP_APPEND: the rest of a region that is too long for one message
 * @GH_VM_STEP_CONFIGURE: say where image and devicetree are
 * @GH_VM_STEP_INIT: have the VM made
 * @GH_VM_STEP_RESOURCES: ask for its resources
 * @GH_VM_STEP_POPULATE: hand them to vCPUs and irqfds
 * @GH_VM_STEP_START: let it run
 * @GH_VM_NR_STEPS: their number
 */
enum gh_vm_step {
	GH_VM_STEP_ALLOC_VMID,
	GH_VM_STEP_GET_VMID,
	GH_VM_STEP_LEND,
	GH_VM_STEP_SHARE,
	GH_VM_STEP_APPEND,
	GH_VM_STEP_CONFIGURE,
	GH_VM_STEP_INIT,
	GH_VM_STEP_RESOURCES,
	GH_VM_STEP_POPULATE,
	GH_VM_STEP_START,
	GH_VM_NR_STEPS,
};

/**
 * struct gh_vm_failure - Why a VM was not started
 * @step: what was being done
 * @mem: the region it was done with, or that holds the image; NULL if none
 * @rm_error: what the resource manager refused with, GH_RM_ERROR_OK if it did not
 * @err: negative errno
 */
struct gh_vm_failure {
	enum gh_vm_step step;
	const struct gh_vm_mem *mem;
	u32 rm_error;
	int err;
};

/* Room for what the log has of one, in bytes */
#define GH_VM_FAILURE_TEXT	256

/* vm_mgr_report.c: why a VM was not started */
void gh_vm_not_started(struct gh_vm *ghvm, const char *why);
int gh_vm_start_failed(struct gh_vm *ghvm, struct gh_vm_failure *failure);

/* vm_mgr_fn.c: functions */
void gh_vm_fn_init(struct gh_vm *ghvm);
long gh_vm_add_function(struct gh_vm *ghvm, const struct gh_fn_desc *desc);
int gh_vm_remove_function(struct gh_vm *ghvm, const struct gh_fn_desc *desc);
void gh_vm_remove_functions(struct gh_vm *ghvm);

/* vm_mgr_res.c: resources and tickets */
void gh_vm_res_init(struct gh_vm *ghvm);
int gh_vm_add_resources(struct gh_vm *ghvm, struct gh_vm_failure *failure);
void gh_vm_remove_resources(struct gh_vm *ghvm);

/* vm_mgr_io.c: IO handlers */
void gh_vm_io_init(struct gh_vm *ghvm);

#if IS_ENABLED(CONFIG_KUNIT)
/* For tests of what is behind the files, the device, the pinning of pages and the log */
extern const struct file_operations gh_vm_fops;
extern const struct gh_rm_client gh_vm_mgr_client;
struct gh_vm *gh_vm_alloc(struct gh_vm_mgr *mgr);
int gh_vm_pin_pages(unsigned long addr, unsigned long n, unsigned int gup_flags,
		    struct page **pages);
struct gh_vm_run *gh_vm_mem_add_run(struct gh_vm_mem *mem, unsigned long pfn);
unsigned long gh_vm_mem_add_pages(struct gh_vm_mem *mem, struct page **pages, unsigned long n);
int gh_vm_failure_errno(const struct gh_vm_failure *failure);
void gh_vm_failure_text(const struct gh_vm_failure *failure, char *text, size_t size);
#endif

/* debugfs.c */
void gh_debugfs_add(struct gh_vm_mgr *mgr);
void gh_debugfs_remove(void);

#endif /* __GH_VM_MGR_H */

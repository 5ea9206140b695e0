// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah VM manager: memory regions
 *
 * A region is memory of the VM's creator. It is pinned and charged when it is
 * added, given to the resource manager when the VM is started, and taken back when
 * the VM ends. Pages are unpinned only if the resource manager never got them or
 * has confirmed that it gave them back, which is what the state of the region's
 * parcel tells. In every other case they stay pinned, charged and listed.
 *
 * What is kept of a region is its runs of contiguous pages, in chunks of one page
 * each, so that nothing needs an allocation that grows with the region.
 */

#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <trace/events/gunyah.h>
#include <kunit/static_stub.h>
#include <kunit/visibility.h>

#include "vm_mgr.h"

#define GH_MEM_FLAGS_MASK	(GH_MEM_ACCESS_MASK | GH_MEM_LENT)

/* Pages pinned at a time, as many as one page holds pointers to */
#define GH_VM_PIN_BATCH		(PAGE_SIZE / sizeof(struct page *))
/* How often it is tried to get pages that do not move, and how long it is waited between */
#define GH_VM_PIN_TRIES		8
#define GH_VM_PIN_PAUSE		msecs_to_jiffies(20)
/* Pages unpinned at a time */
#define GH_VM_UNPIN_BATCH	4096UL
#define GH_VM_CHUNK_RUNS	((PAGE_SIZE - sizeof(struct gh_vm_run_chunk)) /	\
				 sizeof(struct gh_vm_run))

static_assert(sizeof(struct gh_vm_run) == sizeof(u64));

/**
 * gh_vm_range_end() - End of a range of addresses
 * @start: first byte
 * @size: number of bytes
 * @end: set to the byte behind the last
 *
 * A range that ends with the address space is refused like one that wraps: its
 * end cannot be told from 0.
 *
 * Context: Any.
 * Return: 0 or -EOVERFLOW.
 */
int gh_vm_range_end(u64 start, u64 size, u64 *end)
{
	return check_add_overflow(start, size, end) ? -EOVERFLOW : 0;
}

static struct gh_vm_run *gh_vm_mem_last_run(struct gh_vm_mem *mem)
{
	struct gh_vm_run_chunk *chunk;

	if (list_empty(&mem->chunks))
		return NULL;

	chunk = list_last_entry(&mem->chunks, struct gh_vm_run_chunk, node);
	return &chunk->runs[chunk->nr - 1];
}

VISIBLE_IF_KUNIT struct gh_vm_run *gh_vm_mem_add_run(struct gh_vm_mem *mem, unsigned long pfn)
{
	struct gh_vm_run_chunk *chunk;
	struct gh_vm_run *run;

	KUNIT_STATIC_STUB_REDIRECT(gh_vm_mem_add_run, mem, pfn);

	chunk = list_last_entry(&mem->chunks, struct gh_vm_run_chunk, node);
	if (list_empty(&mem->chunks) || chunk->nr == GH_VM_CHUNK_RUNS) {
		chunk = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
		if (!chunk)
			return NULL;
		chunk->nr = 0;
		list_add_tail(&chunk->node, &mem->chunks);
	}

	mem->nr_runs++;
	run = &chunk->runs[chunk->nr++];
	*run = (struct gh_vm_run) { .pfn = pfn, .nr = 1 };
	return run;
}

/* Record pinned pages; returns how many were, less than @n if there is no memory for more. */
VISIBLE_IF_KUNIT unsigned long gh_vm_mem_add_pages(struct gh_vm_mem *mem, struct page **pages,
						   unsigned long n)
{
	struct gh_vm_run *run = gh_vm_mem_last_run(mem);
	unsigned long i = 0, pfn = page_to_pfn(pages[0]);

	while (i < n) {
		unsigned long start = i, first = pfn, nr;

		do {
			if (++i == n)
				break;
			pfn = page_to_pfn(pages[i]);
		} while (pfn == first + (i - start));
		nr = i - start;

		/* Only the first of a batch may go on with what was before it. */
		if (!start && run && run->pfn + run->nr == first &&
		    run->nr + nr <= GH_VM_RUN_MAX) {
			run->nr += nr;
			continue;
		}

		run = gh_vm_mem_add_run(mem, first);
		if (!run)
			return start;
		run->nr = nr;
	}

	return n;
}

static void gh_vm_mem_unpin(struct gh_vm_mem *mem)
{
	bool dirty = mem->flags & GH_MEM_ALLOW_WRITE;
	struct gh_vm_run_chunk *chunk, *next;
	unsigned long done = 0;
	unsigned int i;

	list_for_each_entry_safe(chunk, next, &mem->chunks, node) {
		for (i = 0; i < chunk->nr; i++) {
			unsigned long pfn = chunk->runs[i].pfn;
			unsigned long left = chunk->runs[i].nr;

			while (left) {
				unsigned long n = min(left, GH_VM_UNPIN_BATCH);

				unpin_user_page_range_dirty_lock(pfn_to_page(pfn), n, dirty);
				pfn += n;
				left -= n;
				done += n;
				if (done >= GH_VM_UNPIN_BATCH) {
					cond_resched();
					done = 0;
				}
			}
		}
		list_del(&chunk->node);
		free_page((unsigned long)chunk);
		cond_resched();
	}
}

/*
 * Lending takes memory away from everybody who maps it, other processes and the page
 * cache included. Whoever could not overwrite it may not do that either.
 */
static bool gh_vm_mem_needs_write(const struct gh_vm_mem *mem)
{
	return mem->flags & (GH_MEM_ALLOW_WRITE | GH_MEM_LENT);
}

VISIBLE_IF_KUNIT int gh_vm_pin_pages(unsigned long addr, unsigned long n, unsigned int gup_flags,
				     struct page **pages)
{
	KUNIT_STATIC_STUB_REDIRECT(gh_vm_pin_pages, addr, n, gup_flags, pages);

	return pin_user_pages_fast(addr, n, gup_flags, pages);
}

/*
 * Pages of a movable zone or of CMA are moved elsewhere before they are pinned for long.
 * That fails while somebody else uses one of them, I/O for example, which ends; and if
 * there is no room elsewhere. The kernel's errno is that of a lack of memory: it was
 * another one if the pages can be had for a short time.
 */
static int gh_vm_mem_pin_some(struct gh_vm_mem *mem, unsigned long addr, unsigned long n,
			      unsigned int gup_flags, struct page **pages)
{
	int tries, ret;

	for (tries = 1; ; tries++) {
		ret = gh_vm_pin_pages(addr, n, gup_flags | FOLL_LONGTERM, pages);
		if (ret != -ENOMEM && ret != -EBUSY && ret != -EAGAIN)
			return ret;

		if (fatal_signal_pending(current))
			return -EINTR;

		if (tries == GH_VM_PIN_TRIES)
			break;

		if (tries == 1) {
			int there = gh_vm_pin_pages(addr, n, gup_flags, pages);

			if (there > 0)
				unpin_user_pages(pages, there);
			if (there != n)
				return ret;
		}

		schedule_timeout_killable(GH_VM_PIN_PAUSE);
	}

	dev_warn_ratelimited(gh_rm_device(mem->ghvm->rm),
			     "region %#x: pages are in use and cannot leave a movable zone or CMA; take huge pages (hugetlbfs, memfd with MFD_HUGETLB)\n",
			     mem->label);
	return -EAGAIN;
}

static int gh_vm_mem_pin(struct gh_vm_mem *mem, unsigned long addr)
{
	unsigned int gup_flags = 0;
	unsigned long left = mem->npages;
	struct page **pages;
	int ret = 0;

	if (gh_vm_mem_needs_write(mem))
		gup_flags |= FOLL_WRITE;

	pages = (struct page **)__get_free_page(GFP_KERNEL);
	if (!pages)
		return -ENOMEM;

	while (left) {
		unsigned long added;
		int n;

		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}

		n = gh_vm_mem_pin_some(mem, addr, min(left, GH_VM_PIN_BATCH), gup_flags, pages);
		if (n <= 0) {
			ret = n ?: -EFAULT;
			break;
		}

		added = gh_vm_mem_add_pages(mem, pages, n);
		if (added < n) {
			unpin_user_pages(pages + added, n - added);
			ret = -ENOMEM;
			break;
		}

		addr += (unsigned long)n << PAGE_SHIFT;
		left -= n;
		cond_resched();
	}

	free_page((unsigned long)pages);

	if (ret)
		gh_vm_mem_unpin(mem);

	return ret;
}

/*
 * A filesystem that tracks dirty pages may write such a page back, and think it
 * clean, while the guest goes on writing to it. Newer kernels refuse to pin these
 * as well, but do not say why.
 */
static int gh_vm_mem_check_file(struct gh_vm_mem *mem, unsigned long addr)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int ret = 0;

	if (!gh_vm_mem_needs_write(mem))
		return 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;

	vma_iter_init(&vmi, mm, addr);
	for_each_vma_range(vmi, vma, addr + mem->size) {
		if (!vma->vm_file || !(vma->vm_flags & VM_SHARED) || is_vm_hugetlb_page(vma))
			continue;

		if (S_ISREG(file_inode(vma->vm_file)->i_mode) &&
		    !shmem_mapping(vma->vm_file->f_mapping)) {
			ret = -EOPNOTSUPP;
			break;
		}
	}

	mmap_read_unlock(mm);
	return ret;
}

/*
 * Of what the kernel does with a process's memory unasked some reads it, which for memory
 * that was lent is fatal. Whole mappings are excluded, for good: a module cannot split
 * them, and does not know later which they were.
 *
 *   VM_DONTDUMP    from core dumps.
 *   VM_DONTEXPAND  from KSM, which compares pages before it looks whether they are
 *                  pinned; from being one with other mappings; and MADV_DODUMP fails.
 *   VM_DONTCOPY    from fork(), which copies pinned pages of a private mapping at once.
 */
static int gh_vm_mem_keep_out(struct gh_vm_mem *mem, unsigned long addr)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	if (!(mem->flags & GH_MEM_LENT))
		return 0;

	if (mmap_write_lock_killable(mm))
		return -EINTR;

	vma_iter_init(&vmi, mm, addr);
	for_each_vma_range(vmi, vma, addr + mem->size)
		vm_flags_mod(vma, VM_DONTDUMP | VM_DONTEXPAND |
			     (vma->vm_flags & VM_SHARED ? 0 : VM_DONTCOPY), VM_MERGEABLE);

	mmap_write_unlock(mm);
	return 0;
}

static void gh_vm_mem_free(struct gh_vm_mem *mem)
{
	trace_gh_vm_mem_unpin(mem);
	gh_vm_mem_unpin(mem);
	account_locked_vm(mem->ghvm->mm, mem->npages, false);
	kfree(mem);
}

static struct gh_vm_mem *gh_vm_mem_by_label(struct gh_vm *ghvm, u32 label)
{
	struct gh_vm_mem *mem;

	list_for_each_entry(mem, &ghvm->regions, node)
		if (mem->label == label)
			return mem;

	return NULL;
}

static bool gh_vm_mem_overlaps(struct gh_vm *ghvm, u64 start, u64 end)
{
	struct gh_vm_mem *mem;

	list_for_each_entry(mem, &ghvm->regions, node)
		if (start < mem->gpa + mem->size && mem->gpa < end)
			return true;

	return false;
}

/**
 * gh_vm_mem_find() - The region that a range of guest addresses lies in
 * @ghvm: the VM
 * @gpa: start of the range in bytes
 * @size: its size in bytes
 *
 * Context: &gh_vm.mm_lock is held, or the VM has been started.
 * Return: the region, NULL if the range does not lie in one as a whole.
 */
struct gh_vm_mem *gh_vm_mem_find(struct gh_vm *ghvm, u64 gpa, u64 size)
{
	struct gh_vm_mem *mem;
	u64 end;

	if (gh_vm_range_end(gpa, size, &end))
		return NULL;

	list_for_each_entry(mem, &ghvm->regions, node)
		if (gpa >= mem->gpa && end <= mem->gpa + mem->size)
			return mem;

	return NULL;
}

static unsigned long gh_vm_pages_to_kb(unsigned long pages)
{
	return pages << (PAGE_SHIFT - 10);
}

/* The errno is that of any lack of memory, and the limit is low by default. */
static void gh_vm_mem_over_limit(const struct gh_vm_mem *mem)
{
	dev_warn_ratelimited(gh_rm_device(mem->ghvm->rm),
			     "region %#x not added: %lu KiB are needed, %lu KiB locked already, and RLIMIT_MEMLOCK is %lu KiB: raise it, or use CAP_IPC_LOCK\n",
			     mem->label, gh_vm_pages_to_kb(mem->npages),
			     gh_vm_pages_to_kb(READ_ONCE(mem->ghvm->mm->locked_vm)),
			     rlimit(RLIMIT_MEMLOCK) >> 10);
}

static int gh_vm_mem_remove(struct gh_vm *ghvm, u32 label)
{
	struct gh_vm_mem *mem = gh_vm_mem_by_label(ghvm, label);

	if (!mem)
		return -ENOENT;

	list_del(&mem->node);
	ghvm->n_regions--;
	gh_vm_mem_free(mem);
	return 0;
}

static int gh_vm_mem_add(struct gh_vm *ghvm, const struct gh_userspace_memory_region *region)
{
	unsigned long addr = untagged_addr((unsigned long)region->userspace_addr);
	unsigned long size = region->memory_size;
	struct gh_vm_mem *mem;
	u64 end;
	int ret;

	if (!PAGE_ALIGNED(region->guest_phys_addr) || !PAGE_ALIGNED(region->memory_size) ||
	    !PAGE_ALIGNED(region->userspace_addr))
		return -EINVAL;

	/* The resource manager knows no access right without reading. */
	if (!(region->flags & GH_MEM_ALLOW_READ))
		return -EINVAL;

	ret = gh_vm_range_end(region->guest_phys_addr, region->memory_size, &end);
	if (ret)
		return ret;

	if (size != region->memory_size ||
	    (unsigned long)region->userspace_addr != region->userspace_addr ||
	    !access_ok((void __user *)addr, size))
		return -EFAULT;

	if (gh_vm_mem_by_label(ghvm, region->label) ||
	    gh_vm_mem_overlaps(ghvm, region->guest_phys_addr, end))
		return -EEXIST;

	/* Each region becomes a parcel, so there is no use for more of them. */
	if (ghvm->n_regions == GH_RM_MAX_PARCELS)
		return -ENOSPC;

	mem = kzalloc(sizeof(*mem), GFP_KERNEL_ACCOUNT);
	if (!mem)
		return -ENOMEM;

	mem->ghvm = ghvm;
	mem->gpa = region->guest_phys_addr;
	mem->size = region->memory_size;
	mem->label = region->label;
	mem->flags = region->flags;
	mem->npages = size >> PAGE_SHIFT;
	mem->parcel.mem_handle = GH_MEM_HANDLE_INVAL;
	INIT_LIST_HEAD(&mem->chunks);

	ret = account_locked_vm(ghvm->mm, mem->npages, true);
	if (ret) {
		gh_vm_mem_over_limit(mem);
		goto err_free;
	}

	ret = gh_vm_mem_check_file(mem, addr);
	if (ret)
		goto err_uncharge;

	ret = gh_vm_mem_pin(mem, addr);
	if (ret)
		goto err_uncharge;

	ret = gh_vm_mem_keep_out(mem, addr);
	if (ret)
		goto err_unpin;

	trace_gh_vm_mem_pin(mem);
	list_add_tail(&mem->node, &ghvm->regions);
	ghvm->n_regions++;
	return 0;

err_unpin:
	gh_vm_mem_unpin(mem);
err_uncharge:
	account_locked_vm(ghvm->mm, mem->npages, false);
err_free:
	kfree(mem);
	return ret;
}

/**
 * gh_vm_mem_set() - Add a memory region, or remove one
 * @ghvm: the VM
 * @region: as in GH_VM_SET_USER_MEM_REGION
 *
 * Context: Process context of the VM's creator. May sleep.
 * Return: 0 or a negative errno, see the table in
 * Documentation/virt/gunyah/vm-manager.rst.
 */
int gh_vm_mem_set(struct gh_vm *ghvm, const struct gh_userspace_memory_region *region)
{
	int ret;

	if (region->flags & ~GH_MEM_FLAGS_MASK)
		return -EINVAL;

	/* Pinned pages are charged to the creator, so nobody else may add any. */
	if (current->mm != ghvm->mm)
		return -EPERM;

	if (mutex_lock_killable(&ghvm->mm_lock))
		return -EINTR;

	/* Nothing is started without mm_lock, and nobody closes the file under us. */
	if (gh_vm_state(ghvm) != GH_VM_NEW)
		ret = -EBUSY;
	else if (!region->memory_size)
		ret = gh_vm_mem_remove(ghvm, region->label);
	else
		ret = gh_vm_mem_add(ghvm, region);

	mutex_unlock(&ghvm->mm_lock);
	return ret;
}

/*
 * At the resource manager
 */

static bool gh_vm_mem_next(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	struct gh_vm_mem *mem = container_of(iter, struct gh_vm_mem, iter);
	struct gh_vm_run *run;

	if (mem->iter_run == mem->iter_chunk->nr) {
		if (list_is_last(&mem->iter_chunk->node, &mem->chunks))
			return false;
		mem->iter_chunk = list_next_entry(mem->iter_chunk, node);
		mem->iter_run = 0;
	}

	run = &mem->iter_chunk->runs[mem->iter_run++];
	*addr = (u64)run->pfn << PAGE_SHIFT;
	*size = (u64)run->nr << PAGE_SHIFT;
	return true;
}

static bool gh_vm_mem_prev(struct gh_rm_mem_iter *iter, u64 *addr, u64 *size)
{
	struct gh_vm_mem *mem = container_of(iter, struct gh_vm_mem, iter);
	struct gh_vm_run *run;

	if (!mem->iter_run) {
		if (list_is_first(&mem->iter_chunk->node, &mem->chunks))
			return false;
		mem->iter_chunk = list_prev_entry(mem->iter_chunk, node);
		mem->iter_run = mem->iter_chunk->nr;
	}

	run = &mem->iter_chunk->runs[--mem->iter_run];
	*addr = (u64)run->pfn << PAGE_SHIFT;
	*size = (u64)run->nr << PAGE_SHIFT;
	return true;
}

static void gh_vm_mem_seek(struct gh_rm_mem_iter *iter, size_t index)
{
	struct gh_vm_mem *mem = container_of(iter, struct gh_vm_mem, iter);

	mem->iter_chunk = list_first_entry(&mem->chunks, struct gh_vm_run_chunk, node);
	while (index > mem->iter_chunk->nr) {
		index -= mem->iter_chunk->nr;
		mem->iter_chunk = list_next_entry(mem->iter_chunk, node);
	}
	mem->iter_run = index;
}

/*
 * An answer that had been given up: the resource manager has the memory under this
 * handle, or never took it. The region has waited for it, and its VM with it.
 */
static void gh_vm_mem_late(struct gh_rm_mem_parcel *parcel, enum gh_rm_parcel_state state,
			   u32 mem_handle)
{
	struct gh_vm_mem *mem = container_of(parcel, struct gh_vm_mem, parcel);
	struct gh_vm *ghvm = gh_vm_get(mem->ghvm);

	mutex_lock(&ghvm->rm_lock);
	WRITE_ONCE(parcel->state, state);
	parcel->mem_handle = mem_handle;
	mutex_unlock(&ghvm->rm_lock);

	gh_vm_retry_quarantined(ghvm->mgr);
	gh_vm_put(ghvm);
}

static u8 gh_vm_mem_perms(const struct gh_vm_mem *mem)
{
	return (mem->flags & GH_MEM_ALLOW_READ ? GH_RM_ACL_R : 0) |
	       (mem->flags & GH_MEM_ALLOW_WRITE ? GH_RM_ACL_W : 0) |
	       (mem->flags & GH_MEM_ALLOW_EXEC ? GH_RM_ACL_X : 0);
}

/**
 * gh_vm_mem_give() - Lend or share a region
 * @ghvm: the VM, which has a VMID
 * @mem: the region
 * @failure: says at which step if it fails, and what the resource manager said
 *
 * Context: Process context. &gh_vm.rm_lock is held.
 * Return: 0 or a negative errno of gh_rm_mem_lend(), in which case the region may
 * be at the resource manager all the same.
 */
int gh_vm_mem_give(struct gh_vm *ghvm, struct gh_vm_mem *mem, struct gh_vm_failure *failure)
{
	bool lend = mem->flags & GH_MEM_LENT;
	struct gh_rm_mem_acl_entry *acl = mem->acl;
	struct gh_rm_mem_parcel *parcel = &mem->parcel;
	int ret;

	lockdep_assert_held(&ghvm->rm_lock);

	acl[0] = (struct gh_rm_mem_acl_entry) {
		.vmid = ghvm->vmid,
		.perms = gh_vm_mem_perms(mem),
	};

	mem->iter.next = gh_vm_mem_next;
	mem->iter.prev = gh_vm_mem_prev;
	mem->iter.seek = gh_vm_mem_seek;
	gh_vm_mem_seek(&mem->iter, 0);

	parcel->mem_type = GH_RM_MEM_TYPE_NORMAL;
	parcel->label = mem->label;
	parcel->acl_entries = acl;
	parcel->n_acl_entries = 1;
	parcel->n_mem_entries = mem->nr_runs;
	parcel->iter = &mem->iter;
	parcel->late = gh_vm_mem_late;

	failure->mem = mem;
	if (!lend) {
		failure->step = GH_VM_STEP_GET_VMID;
		ret = ghvm->rm_ops->get_vmid(ghvm->rm, &acl[1].vmid, &failure->rm_error);
		if (ret)
			return ret;
		/* The host keeps what access it has, which is all. */
		acl[1].perms = GH_RM_ACL_R | GH_RM_ACL_W | GH_RM_ACL_X;
		parcel->n_acl_entries = 2;
	}

	if (lend) {
		failure->step = GH_VM_STEP_LEND;
		ret = ghvm->rm_ops->mem_lend(ghvm->rm, parcel);
	} else {
		failure->step = GH_VM_STEP_SHARE;
		ret = ghvm->rm_ops->mem_share(ghvm->rm, parcel);
	}
	failure->rm_error = parcel->why.rm_error;
	if (parcel->why.append)
		failure->step = GH_VM_STEP_APPEND;

	return ret;
}

/**
 * gh_vm_mem_reclaim_all() - Take back what the resource manager has
 * @ghvm: the VM
 *
 * In the reverse order of giving. One region that does not come back does not
 * keep the others, unless the resource manager has stopped to answer.
 *
 * Context: Process context. &gh_vm.rm_lock is held.
 * Return: 0 if the resource manager has nothing any more; a negative errno of
 * gh_rm_mem_reclaim(); -EBUSY if an answer about a region is still missing.
 */
int gh_vm_mem_reclaim_all(struct gh_vm *ghvm)
{
	struct gh_vm_mem *mem;
	int err, ret = 0;

	lockdep_assert_held(&ghvm->rm_lock);

	list_for_each_entry_reverse(mem, &ghvm->regions, node) {
		switch (mem->parcel.state) {
		case GH_RM_PARCEL_NONE:
			break;
		case GH_RM_PARCEL_HELD:
		case GH_RM_PARCEL_ASSIGNED:
			err = ghvm->rm_ops->mem_reclaim(ghvm->rm, &mem->parcel);
			if (gh_rm_is_silent(err))
				return err;
			if (err)
				ret = err;
			break;
		case GH_RM_PARCEL_UNKNOWN:
			ret = -EBUSY;
			break;
		}
	}

	return ret;
}

/**
 * gh_vm_mem_release() - Give the regions back to the VM's creator
 * @ghvm: the VM, which can have no regions added any more
 *
 * Regions that are still at the resource manager stay.
 *
 * Context: Process context. &gh_vm.rm_lock is held. May sleep.
 */
void gh_vm_mem_release(struct gh_vm *ghvm)
{
	struct gh_vm_mem *mem, *next;
	LIST_HEAD(released);

	lockdep_assert_held(&ghvm->rm_lock);

	mutex_lock(&ghvm->mm_lock);
	list_for_each_entry_safe(mem, next, &ghvm->regions, node) {
		if (mem->parcel.state != GH_RM_PARCEL_NONE) {
			trace_gh_vm_mem_quarantine(mem);
			continue;
		}
		list_move_tail(&mem->node, &released);
		ghvm->n_regions--;
	}
	mutex_unlock(&ghvm->mm_lock);

	/* This may take long, and whoever looks at the VM takes mm_lock. */
	list_for_each_entry_safe(mem, next, &released, node)
		gh_vm_mem_free(mem);
}

/**
 * gh_vm_mem_pages() - Number of pages that a VM has pinned
 * @ghvm: the VM
 * @at_rm_only: only those of regions that the resource manager has or may have
 *
 * Context: &gh_vm.mm_lock is held.
 * Return: the number of pages.
 */
unsigned long gh_vm_mem_pages(struct gh_vm *ghvm, bool at_rm_only)
{
	unsigned long pages = 0;
	struct gh_vm_mem *mem;

	lockdep_assert_held(&ghvm->mm_lock);

	list_for_each_entry(mem, &ghvm->regions, node)
		if (!at_rm_only || READ_ONCE(mem->parcel.state) != GH_RM_PARCEL_NONE)
			pages += mem->npages;

	return pages;
}

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_GUNYAH_H
#define _UAPI_LINUX_GUNYAH_H

/**
 * DOC: Gunyah user ABI
 *
 * There are three kinds of files: ``/dev/gunyah`` creates VMs, the file of a VM
 * configures and starts it, and the file of a vCPU runs the vCPU. Numbers and
 * layouts are those of the v10 to v14 postings of the driver, so that a VMM that
 * was built for them runs unchanged.
 *
 * The ioctls use errnos alike:
 *
 * - ENOTTY: There is no such ioctl on this kind of file, or not in this kernel.
 *   A VMM that tries what it can do without takes this for "not supported".
 * - EFAULT: The argument, or what it points to, cannot be accessed.
 * - EINVAL: A field is not correct: an unknown bit in ``flags``, an address that
 *   is not page aligned, a size that there is not.
 * - EOVERFLOW: An address plus a size is 2^64 or more.
 * - EPERM: The caller is not in the address space that created the VM.
 * - ENOENT: The VM has no such region or function, or there is no such type.
 * - EEXIST: There is a region or a function that this one would collide with.
 * - ENOSPC: A fixed limit is reached.
 * - ENOMEM: Out of kernel memory, or more than RLIMIT_MEMLOCK allows.
 * - EOPNOTSUPP: The memory is of a kind that cannot be given away, or the resource
 *   manager does not know a message.
 * - EMEDIUMTYPE: The resource manager does not take the memory for what it is meant
 *   for: the image is not lent, or lacks a right.
 * - ENOPKG, EREMOTEIO: The platform must be told who gets memory; nobody can tell it,
 *   or its firmware refused.
 * - EBUSY: It is too late, as GH_VM_START was tried; or the vCPU is not for the
 *   host to run.
 * - EAGAIN: There is nothing to tell yet.
 * - ENODEV: What is asked for has ended, or cannot be had any more: the guest, the
 *   vCPU, or the resource manager, whose device was removed.
 * - ETIMEDOUT, EPROTO: The resource manager did not answer, or not sensibly.
 * - EINTR: The caller is being killed, so that it never sees it. For GH_VCPU_RUN
 *   alone it may be any signal.
 * - EBADF, EMFILE, ENFILE: As of any call that takes or returns a descriptor.
 *
 * What the resource manager or the hypervisor refuses has a table of its own, and
 * may be any errno in it.
 *
 * An ioctl that fails has changed nothing, but for GH_VM_START and GH_VCPU_RUN,
 * where it is told what has become of the VM. Which mistake gives which errno, and
 * which of two mistakes decides, is in Documentation/virt/gunyah/vm-manager.rst, with
 * both tables.
 *
 * Fields called ``padding`` are ignored, because there are VMMs that do not fill
 * them in; what the kernel returns in them is 0.
 */

#include <linux/ioctl.h>
#include <linux/types.h>

#define GH_IOCTL_TYPE			'G'

/*
 * ioctls for /dev/gunyah
 */

/**
 * GH_CREATE_VM - Create a virtual machine
 *
 * On ``/dev/gunyah``. The argument is a number, not a pointer, and must be 0.
 *
 * Return: A file descriptor (close-on-exec) that stands for the VM: closing its
 * last duplicate stops the guest and gives back everything that the VM holds.
 */
#define GH_CREATE_VM			_IO(GH_IOCTL_TYPE, 0x0)

/*
 * ioctls for VM file descriptors
 */

/**
 * GH_MEM_ALLOW_READ - The guest may read the region, without which it has no use
 */
#define GH_MEM_ALLOW_READ		(1UL << 0)
/**
 * GH_MEM_ALLOW_WRITE - The guest may write to the region
 */
#define GH_MEM_ALLOW_WRITE		(1UL << 1)
/**
 * GH_MEM_ALLOW_EXEC - The guest may execute what is in the region
 */
#define GH_MEM_ALLOW_EXEC		(1UL << 2)
/**
 * GH_MEM_LENT - Lend the region: the host has no access while the guest has it
 */
#define GH_MEM_LENT			(1UL << 3)

/**
 * struct gh_userspace_memory_region - Memory for a guest, taken from the caller
 * @label: Identifies the region to this VM. A devicetree node of the guest (a
 *         vdevice of type "shm") refers to the region by this label.
 * @flags: Access for the guest, a combination of %GH_MEM_ALLOW_READ,
 *         %GH_MEM_ALLOW_WRITE and %GH_MEM_ALLOW_EXEC. With %GH_MEM_LENT the
 *         region is lent, without it is shared.
 * @guest_phys_addr: Where the region starts in the guest, in bytes. Page
 *                   aligned.
 * @memory_size: Size in bytes, page aligned. 0 removes the region with this
 *               @label.
 * @userspace_addr: Where the region starts in the caller, in bytes. Page
 *                  aligned.
 *
 * Argument of GH_VM_SET_USER_MEM_REGION and GH_VM_ANDROID_LEND_USER_MEM.
 */
struct gh_userspace_memory_region {
	__u32 label;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
};

/**
 * GH_VM_SET_USER_MEM_REGION - Add a region to the guest's memory, or remove it
 *
 * On a VM, with &struct gh_userspace_memory_region, by the process that created
 * the VM. The memory is pinned, and charged to RLIMIT_MEMLOCK, at once. The guest
 * gets it when the VM is started. Once a start was tried regions can neither be
 * added nor removed.
 *
 * Return: 0
 */
#define GH_VM_SET_USER_MEM_REGION	_IOW(GH_IOCTL_TYPE, 0x1, \
						struct gh_userspace_memory_region)

/**
 * struct gh_vm_dtb_config - Where the guest's devicetree is
 * @guest_phys_addr: Guest address of the devicetree blob, in bytes. Page
 *                   aligned.
 * @size: Room for the devicetree in bytes, not the length of the blob: the
 *        resource manager edits the tree in place and needs space behind it.
 *        Need not be page aligned.
 *
 * Argument of GH_VM_SET_DTB_CONFIG.
 */
struct gh_vm_dtb_config {
	__u64 guest_phys_addr;
	__u64 size;
};

/**
 * GH_VM_SET_DTB_CONFIG - Say where the guest's devicetree is
 *
 * On a VM, with &struct gh_vm_dtb_config, until a start was tried. Of several calls
 * the last one counts. The window must lie inside one memory region. That is
 * checked when the VM is started, so the window may be set before the region is.
 *
 * Return: 0
 */
#define GH_VM_SET_DTB_CONFIG		_IOW(GH_IOCTL_TYPE, 0x2, struct gh_vm_dtb_config)

/**
 * GH_VM_START - Start the guest
 *
 * On a VM. The argument is ignored. A start that failed has been undone when the
 * call returns. It is final, unless it failed with EINVAL because of the devicetree
 * window, before the resource manager was asked for anything.
 *
 * Return: 0 once the guest runs, and for a guest that is running already
 */
#define GH_VM_START			_IO(GH_IOCTL_TYPE, 0x3)

/**
 * GH_VM_MAX_EXIT_REASON_SIZE - Longest reason for an exit, in bytes
 */
#define GH_VM_MAX_EXIT_REASON_SIZE	8u

/**
 * enum gh_vm_exit_type - How a guest ended
 * @GH_VM_EXIT_TYPE_VM_EXIT: The guest asked the resource manager to end it
 * @GH_VM_EXIT_TYPE_PSCI_POWER_OFF: PSCI SYSTEM_OFF
 * @GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET: PSCI SYSTEM_RESET
 * @GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2: PSCI SYSTEM_RESET2
 * @GH_VM_EXIT_TYPE_WDT_BITE: The guest's watchdog expired
 * @GH_VM_EXIT_TYPE_HYP_ERROR: The hypervisor ended the guest, for example
 *                             because of an abort that the guest cannot handle
 * @GH_VM_EXIT_TYPE_ASYNC_EXT_ABORT: Asynchronous external abort
 * @GH_VM_EXIT_TYPE_VM_FORCE_STOPPED: The host stopped the guest
 * @GH_VM_EXIT_TYPE_UNKNOWN: The guest is known to have ended, but the message
 *                           that says how was lost
 */
enum gh_vm_exit_type {
	GH_VM_EXIT_TYPE_VM_EXIT			= 0,
	GH_VM_EXIT_TYPE_PSCI_POWER_OFF		= 1,
	GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET	= 2,
	GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2	= 3,
	GH_VM_EXIT_TYPE_WDT_BITE		= 4,
	GH_VM_EXIT_TYPE_HYP_ERROR		= 5,
	GH_VM_EXIT_TYPE_ASYNC_EXT_ABORT		= 6,
	GH_VM_EXIT_TYPE_VM_FORCE_STOPPED	= 7,
	GH_VM_EXIT_TYPE_UNKNOWN			= 0xffff,
};

/**
 * struct gh_vm_exit_info - How a guest ended
 * @type: &enum gh_vm_exit_type
 * @padding: 0
 * @reason_size: Number of valid bytes in @reason
 * @reason: What the guest gave as reason; its meaning depends on @type
 */
struct gh_vm_exit_info {
	__u16 type;
	__u16 padding;
	__u32 reason_size;
	__u8 reason[GH_VM_MAX_EXIT_REASON_SIZE];
};

/**
 * GH_VM_GET_EXIT_INFO - Ask how the guest ended
 *
 * On a VM, with &struct gh_vm_exit_info, which it fills in, as often as one likes.
 * Fails with EAGAIN while there is nothing to tell, and with ENODEV if there
 * never will be because the start failed. poll() on the VM file descriptor
 * reports EPOLLHUP from the moment on that it does not fail with EAGAIN.
 *
 * Return: 0
 */
#define GH_VM_GET_EXIT_INFO		_IOR(GH_IOCTL_TYPE, 0xb, struct gh_vm_exit_info)

/*
 * VM functions
 */

/**
 * GH_FN_MAX_ARG_SIZE - Longest argument of a function, in bytes
 */
#define GH_FN_MAX_ARG_SIZE		256

/**
 * enum gh_fn_type - What a function adds to a VM
 * @GH_FN_VCPU: A virtual CPU that the caller runs, &struct gh_fn_vcpu_arg.
 *              GH_VM_ADD_FUNCTION returns the vCPU's file descriptor
 *              (close-on-exec).
 * @GH_FN_IRQFD: An interrupt of the guest behind an eventfd, &struct
 *               gh_fn_irqfd_arg
 * @GH_FN_IOEVENTFD: An eventfd behind an address of the guest, &struct
 *                   gh_fn_ioeventfd_arg
 *
 * A type may be a module of its own, which is loaded by the alias
 * ``ghfunc:<type>``.
 */
enum gh_fn_type {
	GH_FN_VCPU	= 1,
	GH_FN_IRQFD	= 2,
	GH_FN_IOEVENTFD	= 3,
};

/**
 * struct gh_fn_desc - A function to add or to remove
 * @type: &enum gh_fn_type
 * @arg_size: Size of the type's argument in bytes
 * @arg: Address of the argument in the caller
 *
 * Argument of GH_VM_ADD_FUNCTION and GH_VM_REMOVE_FUNCTION.
 */
struct gh_fn_desc {
	__u32 type;
	__u32 arg_size;
	__u64 arg;
};

/**
 * GH_VM_ADD_FUNCTION - Add a function to a VM
 *
 * On a VM, with &struct gh_fn_desc, at any time, also while the guest runs.
 *
 * Return: What the type has: of %GH_FN_VCPU a file descriptor, of others 0
 */
#define GH_VM_ADD_FUNCTION		_IOW(GH_IOCTL_TYPE, 0x4, struct gh_fn_desc)

/**
 * GH_VM_REMOVE_FUNCTION - Remove a function from a VM
 *
 * On a VM, with &struct gh_fn_desc, at any time. What of the argument tells which
 * function is to be removed depends on the type.
 *
 * Return: 0
 */
#define GH_VM_REMOVE_FUNCTION		_IOW(GH_IOCTL_TYPE, 0x7, struct gh_fn_desc)

/**
 * struct gh_fn_vcpu_arg - Argument of GH_FN_VCPU
 * @id: The vCPU's number: the guest's cpu nodes are counted from 0
 *
 * A vCPU is removed by its @id. A file descriptor that is still open then only
 * returns ENODEV.
 */
struct gh_fn_vcpu_arg {
	__u32 id;
};

/**
 * GH_IRQFD_FLAGS_LEVEL - Hold the interrupt's line until the guest has taken the
 *                        interrupt, instead of only raising an edge
 */
#define GH_IRQFD_FLAGS_LEVEL		(1UL << 0)

/**
 * struct gh_fn_irqfd_arg - Argument of GH_FN_IRQFD
 * @fd: The eventfd. Whatever is written to it raises the interrupt.
 * @label: Label of the doorbell in the guest's devicetree that stands for the
 *         interrupt. Several eventfds may share it.
 * @flags: 0 or %GH_IRQFD_FLAGS_LEVEL
 * @padding: Ignored
 *
 * What is written before the guest was started is delivered when it starts. An
 * irqfd is removed by its @label; if several have it, @fd tells which.
 */
struct gh_fn_irqfd_arg {
	__u32 fd;
	__u32 label;
	__u32 flags;
	__u32 padding;
};

/**
 * GH_IOEVENTFD_FLAGS_DATAMATCH - Only writes of &gh_fn_ioeventfd_arg.datamatch
 */
#define GH_IOEVENTFD_FLAGS_DATAMATCH	(1UL << 0)

/**
 * struct gh_fn_ioeventfd_arg - Argument of GH_FN_IOEVENTFD
 * @datamatch: With %GH_IOEVENTFD_FLAGS_DATAMATCH the value that has to be written;
 *             the @len low bytes of it count
 * @addr: Guest address in bytes
 * @len: Size of the write in bytes: 1, 2, 4 or 8. 0 stands for any size and
 *       cannot be combined with %GH_IOEVENTFD_FLAGS_DATAMATCH.
 * @fd: The eventfd. Writes that match are added to it and do not leave the
 *      kernel.
 * @flags: 0 or %GH_IOEVENTFD_FLAGS_DATAMATCH
 * @padding: Ignored
 *
 * An ioeventfd is removed by its @addr. If several have it,
 * %GH_IOEVENTFD_FLAGS_DATAMATCH with @datamatch, and an @fd other than 0, tell
 * which.
 */
struct gh_fn_ioeventfd_arg {
	__u64 datamatch;
	__u64 addr;
	__u32 len;
	__s32 fd;
	__u32 flags;
	__u32 padding;
};

/*
 * ioctls for vCPU file descriptors
 */

/**
 * enum gh_vcpu_exit - Why GH_VCPU_RUN returned
 * @GH_VCPU_EXIT_UNKNOWN: It has not returned yet
 * @GH_VCPU_EXIT_MMIO: The guest accessed an address that the VMM is to emulate
 * @GH_VCPU_EXIT_STATUS: The VM has ended, and so has this vCPU
 */
enum gh_vcpu_exit {
	GH_VCPU_EXIT_UNKNOWN	= 0,
	GH_VCPU_EXIT_MMIO	= 1,
	GH_VCPU_EXIT_STATUS	= 2,
};

/**
 * enum gh_vm_status - State of the VM that %GH_VCPU_EXIT_STATUS reports
 * @GH_VM_STATUS_LOAD_FAILED: The VM could not be started
 * @GH_VM_STATUS_EXITED: The VM has ended, see &struct gh_vm_exit_info
 * @GH_VM_STATUS_CRASHED: The VM is in no state to go on and it is not known why
 */
enum gh_vm_status {
	GH_VM_STATUS_LOAD_FAILED	= 1,
	GH_VM_STATUS_EXITED		= 2,
	GH_VM_STATUS_CRASHED		= 3,
};

/**
 * struct gh_vcpu_run - The page that a vCPU's file descriptor maps at offset 0
 * @immediate_exit: Set by the VMM to make GH_VCPU_RUN fail with EINTR before the
 *                  guest runs; nothing but the VMM clears it
 * @padding: Not used
 * @exit_reason: &enum gh_vcpu_exit, once GH_VCPU_RUN has returned 0
 * @mmio: For %GH_VCPU_EXIT_MMIO
 * @mmio.phys_addr: Guest address in bytes
 * @mmio.data: What is written, little endian. What the guest is to read: to be
 *             filled in before the next GH_VCPU_RUN.
 * @mmio.len: Size of the access in bytes
 * @mmio.is_write: 1 for a write, 0 for a read
 * @mmio.padding: Not used
 * @status: For %GH_VCPU_EXIT_STATUS
 * @status.status: &enum gh_vm_status
 * @status.exit_info: How the VM ended
 */
struct gh_vcpu_run {
	__u8 immediate_exit;
	__u8 padding[7];

	__u32 exit_reason;

	union {
		struct {
			__u64 phys_addr;
			__u8 data[8];
			__u32 len;
			__u8 is_write;
			__u8 padding[3];
		} mmio;

		struct {
			__u32 status;
			struct gh_vm_exit_info exit_info;
		} status;
	};
};

/**
 * GH_VCPU_RUN - Run the vCPU until there is something for the caller to do
 *
 * On a vCPU, by the process that created the VM. The argument is ignored. Fails with
 * EINTR because of a signal or of &gh_vcpu_run.immediate_exit; neither loses an exit.
 * Once the VM has ended each call returns 0 at once, with %GH_VCPU_EXIT_STATUS.
 *
 * Return: 0 with &gh_vcpu_run.exit_reason set
 */
#define GH_VCPU_RUN			_IO(GH_IOCTL_TYPE, 0x5)

/**
 * GH_VCPU_MMAP_SIZE - Ask how much of a vCPU's file is to be mapped
 *
 * On a vCPU. The argument is ignored.
 *
 * Return: The size of the page that holds &struct gh_vcpu_run, in bytes
 */
#define GH_VCPU_MMAP_SIZE		_IO(GH_IOCTL_TYPE, 0x6)

/*
 * Numbers of the Android kernels
 */

#define GH_ANDROID_IOCTL_TYPE		'A'

/**
 * GH_VM_ANDROID_LEND_USER_MEM - GH_VM_SET_USER_MEM_REGION with %GH_MEM_LENT
 *
 * On a VM, with &struct gh_userspace_memory_region, for VMMs that were built for
 * Android. A kernel without CONFIG_GUNYAH_ANDROID does not have it.
 *
 * Return: 0
 */
#define GH_VM_ANDROID_LEND_USER_MEM	_IOW(GH_ANDROID_IOCTL_TYPE, 0x11, \
						struct gh_userspace_memory_region)

#endif /* _UAPI_LINUX_GUNYAH_H */

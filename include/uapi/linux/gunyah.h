/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_GUNYAH_H
#define _UAPI_LINUX_GUNYAH_H

/**
 * DOC: Gunyah user ABI
 *
 * ``/dev/gunyah`` creates virtual machines; everything else is done on the file
 * descriptor of one VM. Numbers and layouts are those of the v10 to v14
 * postings of the driver, so that a VMM built for them runs unchanged. Which
 * errno an ioctl returns for which mistake is one table in
 * Documentation/virt/gunyah/vm-manager.rst.
 */

#include <linux/ioctl.h>
#include <linux/types.h>

#define GH_IOCTL_TYPE			'G'

/*
 * ioctls for /dev/gunyah
 */

/*
 * GH_CREATE_VM - create a virtual machine
 *
 * The argument must be 0. Returns a file descriptor (close-on-exec) that stands
 * for the VM: closing its last duplicate stops the guest and gives back
 * everything that the VM holds.
 */
#define GH_CREATE_VM			_IO(GH_IOCTL_TYPE, 0x0)

/*
 * ioctls for VM file descriptors
 */

/* Access that the guest gets to a memory region */
#define GH_MEM_ALLOW_READ		(1UL << 0)
#define GH_MEM_ALLOW_WRITE		(1UL << 1)
#define GH_MEM_ALLOW_EXEC		(1UL << 2)
/* Lend the region: the host loses its access for as long as the guest has it */
#define GH_MEM_LENT			(1UL << 3)

/**
 * struct gh_userspace_memory_region - Memory for a guest, taken from the caller
 * @label: Identifies the region to this VM. A devicetree node of the guest (a
 *         vdevice of type "shm") refers to the region by this label.
 * @flags: Access for the guest, a combination of GH_MEM_ALLOW_*. With
 *         GH_MEM_LENT the region is lent, without it is shared.
 * @guest_phys_addr: Where the region starts in the guest, in bytes. Page
 *                   aligned.
 * @memory_size: Size in bytes, page aligned. 0 removes the region with this
 *               @label.
 * @userspace_addr: Where the region starts in the caller, in bytes. Page
 *                  aligned.
 *
 * Memory is pinned, and charged to RLIMIT_MEMLOCK, by the ioctl. The guest gets
 * it when the VM is started. Once the VM has been started regions can neither
 * be added nor removed.
 */
struct gh_userspace_memory_region {
	__u32 label;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
};

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
 * The window must lie inside one memory region. That is checked when the VM is
 * started, so the window may be set before the region is.
 */
struct gh_vm_dtb_config {
	__u64 guest_phys_addr;
	__u64 size;
};

#define GH_VM_SET_DTB_CONFIG		_IOW(GH_IOCTL_TYPE, 0x2, struct gh_vm_dtb_config)

/*
 * GH_VM_START - start the guest
 *
 * Returns 0 once the guest runs, and for a guest that is running already.
 */
#define GH_VM_START			_IO(GH_IOCTL_TYPE, 0x3)

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
 * @type: enum gh_vm_exit_type
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

/*
 * GH_VM_GET_EXIT_INFO - ask how the guest ended
 *
 * Fails with EAGAIN while there is nothing to tell, and with ENODEV if there
 * never will be because the start failed. poll() on the VM file descriptor
 * reports EPOLLHUP from the moment on that it does not fail with EAGAIN.
 */
#define GH_VM_GET_EXIT_INFO		_IOR(GH_IOCTL_TYPE, 0xb, struct gh_vm_exit_info)

#endif /* _UAPI_LINUX_GUNYAH_H */

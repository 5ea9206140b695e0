// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah: the events of include/trace/events/gunyah.h, those of the vCPUs included
 *
 * Here is what they take from the structures of all layers, and the names and numbers
 * that they print. No lock: who calls a tracepoint holds what keeps its arguments.
 */

#include <linux/gunyah.h>
#include <linux/gunyah_rsc_mgr.h>

#include <uapi/linux/gunyah.h>

#include "rsc_mgr.h"
#include "vm_mgr.h"

#define CREATE_TRACE_POINTS
#include <trace/events/gunyah.h>

/* vCPUs are a module of their own. */
EXPORT_TRACEPOINT_SYMBOL_GPL(gh_vcpu_run);
EXPORT_TRACEPOINT_SYMBOL_GPL(gh_vcpu_exit);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host is given of its guests, which it calls by number: capability ids and
 * interrupts. Both are given out lowest first and again when they are free.
 *
 * caps_lock guards both; host CPUs and the hidden CPU take it, with the lock of the
 * object's file held. Who holds that knows that a capability stays what it is.
 */
#include "hyp.h"
#include "../lab_ctl.h"

/* All VMs with all the vCPUs they can have, and all bells: ids do not run out. */
#define MAX_CAPS	(728 + MAX_BELLS)
_Static_assert((MAX_CAPS + 1) * CAP_STEP <= CAP_SPAN, "ids of guests' objects meet others");
/* In the debug build 2 is the resource manager's own vCPU. */
#define FIRST_DEBUG_CAP	3
/*
 * The table grows by so many. Behind it ids are invalid, in it they name nothing at worst:
 * that 999 was the former is recorded, how it grows is assumed.
 */
#define TABLE_STEP	512

static struct cap {
	enum cap_kind kind;		/* CAP_NONE: free */
	u16 vmid;
	u16 index;
	u32 last;			/* state of a vCPU's last vcpu_run */
} caps[MAX_CAPS];
static u32 table_size;
static u64 spis;			/* bit n: HOST_SPI_GUEST + n is in use */
static u32 n_spis;
static struct spinlock caps_lock;

/* The ids differ from the queues' by choose_caps(). */
u64 cap_id(u32 slot)
{
	if (config.policy == RM_POLICY_DEBUG)
		return FIRST_DEBUG_CAP + slot;
	return config.rx_cap ^ ((slot + 1) * CAP_STEP);
}

/* MAX_CAPS or more if there is no such slot */
static u64 cap_slot(u64 cap)
{
	u64 diff = cap ^ config.rx_cap;

	if (config.policy == RM_POLICY_DEBUG)
		return cap - FIRST_DEBUG_CAP;
	return diff % CAP_STEP ? MAX_CAPS : diff / CAP_STEP - 1;
}

/* Returns its slot. */
u32 cap_take(enum cap_kind kind, u16 vmid, u16 index)
{
	u32 slot = 0;

	spin_lock(&caps_lock);
	while (caps[slot].kind)
		slot++;
	if (slot >= table_size)
		table_size += TABLE_STEP;
	caps[slot] = (struct cap){ kind, vmid, index, GH_LAB_CALL_FIRST };
	spin_unlock(&caps_lock);
	return slot;
}

void cap_free(u32 slot)
{
	spin_lock(&caps_lock);
	caps[slot].kind = CAP_NONE;
	spin_unlock(&caps_lock);
}

bool cap_exists(u64 cap)
{
	u64 slot = cap_slot(cap);
	bool exists;

	spin_lock(&caps_lock);
	exists = slot < MAX_CAPS && caps[slot].kind;
	spin_unlock(&caps_lock);
	return exists;
}

/* Whose it is, or the error of a hypercall on an object of that kind */
u64 cap_find(u64 cap, enum cap_kind kind, u16 *vmid, u16 *index)
{
	u64 slot = cap_slot(cap);
	struct cap c;
	bool valid;

	if (cap == config.tx_cap || cap == config.rx_cap)
		return ERROR_TYPE;
	spin_lock(&caps_lock);
	valid = slot < table_size && slot < MAX_CAPS;
	if (valid)
		c = caps[slot];
	spin_unlock(&caps_lock);
	if (!valid)
		return ERROR_ARGUMENT_INVALID;
	if (!c.kind)
		return ERROR_CAP_NULL;
	if (c.kind != kind)
		return ERROR_TYPE;
	*vmid = c.vmid;
	*index = c.index;
	return ERROR_OK;
}

/* Of a vCPU that cap_find() has found, or had */
u32 cap_last(u64 cap)
{
	u32 last;

	spin_lock(&caps_lock);
	last = caps[cap_slot(cap)].last;
	spin_unlock(&caps_lock);
	return last;
}

void cap_set_last(u64 cap, u32 state)
{
	spin_lock(&caps_lock);
	caps[cap_slot(cap)].last = state;
	spin_unlock(&caps_lock);
}

/* All of them or, if there are not enough, none */
bool host_spis_take(u32 *spi, u32 count)
{
	bool ok;

	spin_lock(&caps_lock);
	ok = count + n_spis <= HOST_SPI_GUESTS;
	for (u32 i = 0; ok && i < count; i++) {
		u32 n = __builtin_ctzl(~spis);

		spis |= BIT(n);
		n_spis++;
		spi[i] = HOST_SPI_GUEST + n;
	}
	spin_unlock(&caps_lock);
	return ok;
}

/* Nor does an edge that nobody took reach the next owner. */
void host_spi_free(u32 spi)
{
	spin_lock(&caps_lock);
	gic_clear_spi(spi);
	spis &= ~BIT(spi - HOST_SPI_GUEST);
	n_spis--;
	spin_unlock(&caps_lock);
}

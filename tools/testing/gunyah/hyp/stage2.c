// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stage 2 of the host and of the guests, and who owns which page.
 *
 * The host's tables are complete from the start: all of its RAM in 4 KiB pages,
 * so that lending and returning a page is one store to an entry that exists.
 * Its devices are 2 MiB blocks and pages around the control page.
 * page_state says for each page of host RAM whether the host has lent it, and whether
 * it is assigned to others (tz.c): either way the host does not reach it.
 * Both, and what TLB invalidation is owed, are changed by the hidden CPU only;
 * host CPUs read page_state under the ownership lock, and what they found holds
 * until they release it.
 *
 * Guest tables come from a pool. All of it is the hidden CPU's. A guest is
 * built after guest_s2_tables() of all its ranges was found to fit. The pool is
 * enough for guests that have all of the host's RAM among them, once.
 */
#include "hyp.h"
#include "../lab_ctl.h"

#define S2_VALID	BIT(0)
#define S2_TABLE	BIT(1)		/* in levels 1 and 2; a page in level 3 */
#define S2_AF		BIT(10)
#define S2_SH_INNER	(3UL << 8)
#define S2_AP_READ	BIT(6)
#define S2_AP_WRITE	BIT(7)
#define S2_XN		BIT(54)
#define S2_ATTR_DEVICE	BIT(2)		/* nGnRE */
#define S2_ATTR_NORMAL	(0xfUL << 2)	/* write-back */
#define S2_ADDR_MASK	0x0000fffffffff000UL

#define S2_HOST_RAM	(S2_VALID | S2_TABLE | S2_AF | S2_SH_INNER | S2_ATTR_NORMAL | \
			 S2_AP_READ | S2_AP_WRITE)
#define S2_HOST_DEVICE	(S2_VALID | S2_AF | S2_ATTR_DEVICE | S2_AP_READ | S2_AP_WRITE | S2_XN)

#define VTCR_RES1	BIT(31)
#define VTCR_SH0_INNER	(3UL << 12)
#define VTCR_RGN0_WBWA	((1UL << 10) | (1UL << 8))
#define VTCR_SL0_L1	BIT(6)

#define PTRS		512
#define BLOCK_SIZE	(PTRS * PAGE_SIZE)
/* Tables that are not full: up to 91 VMs, and up to 64 parcels of the host's */
#define POOL_EXTRA	1024

/* page_state: 0, or one or both of these */
#define PAGE_LENT	1
#define PAGE_ASSIGNED	2

static u64 *host_pgd;
static u64 *host_pte;			/* of all RAM from HYP_RAM_BASE on, in one array */
static u8 *page_state;			/* likewise */
static struct spinlock own_lock;
u32 lent_pages;

/* Pages taken from the host whose translations may still be cached */
#define OWED_MAX	32
static u64 owed[OWED_MAX];
static u32 n_owed;			/* more than OWED_MAX: everything is owed */

static u64 *pool;			/* list of free pages, linked by their first word */
static u64 pool_pages;

static u64 page_index(u64 addr)
{
	return (addr - HYP_RAM_BASE) >> PAGE_SHIFT;
}

static u64 vttbr(u16 vmid, const u64 *pgd)
{
	return ((u64)vmid << 48) | (u64)pgd;
}

static void load_vttbr(u64 v)
{
	write_sysreg(v, vttbr_el2);
	isb();
}

static void s2_flush_all(void)
{
	dsb(ishst);
	asm volatile("tlbi vmalls12e1is" : : : "memory");
	dsb(ish);
	isb();
}

u64 host_s2_heap(void)
{
	u64 pages = page_index(config.ram_end), gib = (config.ram_end >> 30) + 1;

	return ALIGN_UP(pages * sizeof(*host_pte), PAGE_SIZE) +
	       ALIGN_UP(pages * sizeof(*page_state), PAGE_SIZE) + (gib + 3) * PAGE_SIZE;
}

void host_s2_init(void)
{
	u64 pages = page_index(config.ram_end);
	u64 *dev, *ctl, *l2 = NULL;

	host_pgd = heap_alloc(PAGE_SIZE);
	host_pte = heap_alloc(pages * sizeof(*host_pte));
	page_state = heap_alloc(pages * sizeof(*page_state));

	for (u64 addr = HOST_ENTRY; addr < config.ram_end; addr += PAGE_SIZE)
		host_pte[page_index(addr)] = addr | S2_HOST_RAM;
	for (u64 addr = HYP_RAM_BASE; addr < config.ram_end; addr += BLOCK_SIZE) {
		if (!(addr & (BIT(30) - 1))) {
			l2 = heap_alloc(PAGE_SIZE);
			host_pgd[addr >> 30] = (u64)l2 | S2_VALID | S2_TABLE;
		}
		l2[(addr >> 21) % PTRS] = (u64)&host_pte[page_index(addr)] | S2_VALID | S2_TABLE;
	}

	dev = heap_alloc(PAGE_SIZE);
	ctl = heap_alloc(PAGE_SIZE);
	for (u64 i = 0; i < PTRS; i++) {
		u64 page = (GH_LAB_CTL_BASE & ~(BLOCK_SIZE - 1)) + i * PAGE_SIZE;

		dev[i] = (i * BLOCK_SIZE) | S2_HOST_DEVICE;
		if (page != GH_LAB_CTL_BASE)
			ctl[i] = page | S2_HOST_DEVICE | S2_TABLE;
	}
	dev[GH_LAB_CTL_BASE / BLOCK_SIZE] = (u64)ctl | S2_VALID | S2_TABLE;
	host_pgd[0] = (u64)dev | S2_VALID | S2_TABLE;
	dsb(ishst);
}

void host_s2_load(void)
{
	load_vttbr(vttbr(RM_HOST_VMID, host_pgd));
}

/* On each CPU, before anything else here */
void host_s2_cpu_init(void)
{
	u64 pa_range = read_sysreg(id_aa64mmfr0_el1) & 0xf;

	/* 40 bits of output address are enough for what QEMU's virt machine has. */
	if (pa_range > 2)
		pa_range = 2;
	write_sysreg(VTCR_RES1 | (pa_range << 16) | VTCR_SH0_INNER | VTCR_RGN0_WBWA |
		     VTCR_SL0_L1 | (64 - IPA_BITS), vtcr_el2);
	host_s2_load();
	s2_flush_all();
}

/* For a panic: whatever the host does next with a device traps, and stays trapped. */
void host_s2_revoke_devices(void)
{
	if (!host_pgd)
		return;
	host_pgd[0] = 0;
	host_s2_load();
	s2_flush_all();
}

bool host_ram(u64 addr, u64 size)
{
	return addr >= HOST_ENTRY && addr < config.ram_end && size <= config.ram_end - addr;
}

static bool host_has(u64 addr, u64 size, u8 unless)
{
	if (!host_ram(addr, size))
		return false;
	for (u64 end = addr + size; addr < end; addr = (addr & PAGE_MASK) + PAGE_SIZE) {
		if (page_state[page_index(addr)] & unless)
			return false;
	}
	return true;
}

/* Has it not lent any of it? */
bool host_owns(u64 addr, u64 size)
{
	return host_has(addr, size, PAGE_LENT);
}

bool host_reaches(u64 addr, u64 size)
{
	return host_has(addr, size, PAGE_LENT | PAGE_ASSIGNED);
}

static void take(u64 addr, u64 size, u8 reason)
{
	spin_lock(&own_lock);
	for (u64 end = addr + size; addr < end; addr += PAGE_SIZE) {
		page_state[page_index(addr)] |= reason;
		host_pte[page_index(addr)] = 0;
		if (n_owed < OWED_MAX)
			owed[n_owed] = addr;
		if (n_owed <= OWED_MAX)
			n_owed++;
	}
	spin_unlock(&own_lock);
}

static void give_back(u64 addr, u64 size, u8 reason)
{
	spin_lock(&own_lock);
	for (u64 end = addr + size; addr < end; addr += PAGE_SIZE) {
		u8 *state = &page_state[page_index(addr)];

		*state &= ~reason;
		if (!*state)
			host_pte[page_index(addr)] = addr | S2_HOST_RAM;
	}
	spin_unlock(&own_lock);
	/* Faulting translations are not cached: nothing to invalidate. */
	dsb(ishst);
}

void host_lend(u64 addr, u64 size)
{
	take(addr, size, PAGE_LENT);
	lent_pages += size / PAGE_SIZE;
}

void host_return(u64 addr, u64 size)
{
	give_back(addr, size, PAGE_LENT);
	lent_pages -= size / PAGE_SIZE;
}

void host_s2_assign(u64 addr, u64 size, bool to_host)
{
	if (to_host)
		give_back(addr, size, PAGE_ASSIGNED);
	else
		take(addr, size, PAGE_ASSIGNED);
}

/*
 * After this no host CPU reaches a page that was taken from it before. Comes before a
 * message to the host, before the memory is zeroed and before a guest runs.
 */
void host_s2_sync(void)
{
	if (!n_owed)
		return;
	if (n_owed > OWED_MAX) {
		s2_flush_all();
	} else {
		dsb(ishst);
		for (u32 i = 0; i < n_owed; i++)
			asm volatile("tlbi ipas2e1is, %0" : : "r" (owed[i] >> PAGE_SHIFT) :
				     "memory");
		dsb(ish);
		asm volatile("tlbi vmalle1is" : : : "memory");
		dsb(ish);
		isb();
	}
	n_owed = 0;
}

/* One page's worth at most, by the host's own stage 1 tables on this CPU */
static bool translate(u64 va, bool write, u64 *pa)
{
	u64 saved = read_sysreg(par_el1), par;

	if (write)
		asm volatile("at s1e1w, %0" : : "r" (va) : "memory");
	else
		asm volatile("at s1e1r, %0" : : "r" (va) : "memory");
	isb();
	par = read_sysreg(par_el1);
	write_sysreg(saved, par_el1);
	*pa = (par & S2_ADDR_MASK) | (va & ~PAGE_MASK);
	return !(par & 1);
}

/*
 * Copies between a buffer and memory that the host named by an EL1 virtual
 * address. Nothing is copied unless all of it is mapped for that and is
 * memory that the host reaches.
 */
bool host_copy(void *buf, u64 va, u64 size, bool to_host)
{
	u64 pa[2], first = PAGE_SIZE - (va & ~PAGE_MASK);
	bool ok;

	if (!size || size > PAGE_SIZE || va + size < va)
		return false;
	if (first > size)
		first = size;

	spin_lock(&own_lock);
	ok = translate(va, to_host, &pa[0]) && host_reaches(pa[0], first);
	if (ok && size > first)
		ok = translate(va + first, to_host, &pa[1]) && host_reaches(pa[1], size - first);
	if (ok && to_host) {
		memcpy((void *)pa[0], buf, first);
		if (size > first)
			memcpy((void *)pa[1], buf + first, size - first);
	} else if (ok) {
		memcpy(buf, (void *)pa[0], first);
		if (size > first)
			memcpy(buf + first, (void *)pa[1], size - first);
	}
	spin_unlock(&own_lock);
	return ok;
}

/* Guests */

static void pool_put(u64 *page)
{
	*(u64 **)page = pool;
	pool = page;
	pool_pages++;
}

static u64 *pool_get(void)
{
	u64 *page = pool;

	if (!page)
		panic("guest tables were miscounted");
	pool = *(u64 **)page;
	pool_pages--;
	return memset(page, 0, PAGE_SIZE);
}

u64 guest_s2_heap(void)
{
	return (page_index(config.ram_end) / PTRS + POOL_EXTRA) * PAGE_SIZE;
}

/* The rest of the heap */
void guest_s2_pool_init(void)
{
	while (heap_left() >= PAGE_SIZE)
		pool_put(heap_alloc(PAGE_SIZE));
}

u64 guest_s2_pool_free(void)
{
	return pool_pages;
}

/* How many tables, at most, map a range; the pgd is one more. */
u64 guest_s2_tables(u64 ipa, u64 size)
{
	u64 last = ipa + size - 1;

	return (last >> 30) - (ipa >> 30) + 1 + (last >> 21) - (ipa >> 21) + 1;
}

void guest_s2_create(struct guest_s2 *s2, u16 vmid)
{
	s2->pgd = pool_get();
	s2->vmid = vmid;
}

static u64 *next_table(u64 *entry)
{
	if (!*entry)
		*entry = (u64)pool_get() | S2_VALID | S2_TABLE;
	return (u64 *)(*entry & S2_ADDR_MASK);
}

void guest_s2_map(struct guest_s2 *s2, u64 ipa, u64 pa, u64 size, u8 rights)
{
	u64 attr = S2_VALID | S2_TABLE | S2_AF | S2_SH_INNER | S2_ATTR_NORMAL;

	if (rights & S2_READ)
		attr |= S2_AP_READ;
	if (rights & S2_WRITE)
		attr |= S2_AP_WRITE;
	if (!(rights & S2_EXEC))
		attr |= S2_XN;
	for (u64 end = ipa + size; ipa < end; ipa += PAGE_SIZE, pa += PAGE_SIZE) {
		u64 *l2 = next_table(&s2->pgd[ipa >> 30]);
		u64 *l3 = next_table(&l2[(ipa >> 21) % PTRS]);

		l3[(ipa >> PAGE_SHIFT) % PTRS] = pa | attr;
	}
	dsb(ishst);
}

void guest_s2_destroy(struct guest_s2 *s2)
{
	static u64 doomed[PTRS];

	/* Unhook, invalidate, and only then give the tables another use. */
	memcpy(doomed, s2->pgd, sizeof(doomed));
	memset(s2->pgd, 0, sizeof(doomed));
	guest_s2_load(s2);
	s2_flush_all();
	host_s2_load();

	for (u64 i = 0; i < PTRS; i++) {
		u64 *l2 = (u64 *)(doomed[i] & S2_ADDR_MASK);

		for (u64 j = 0; l2 && j < PTRS; j++) {
			u64 *l3 = (u64 *)(l2[j] & S2_ADDR_MASK);

			if (l3)
				pool_put(l3);
		}
		if (l2)
			pool_put(l2);
	}
	pool_put(s2->pgd);
	s2->pgd = NULL;
}

/*
 * What this CPU keeps of the VMID that is loaded. A guest may use an ASID on each of its
 * vCPUs for something else, and only broadcasts what it changes.
 */
void guest_s2_flush_local(void)
{
	dsb(nshst);
	asm volatile("tlbi vmalle1" : : : "memory");
	asm volatile("ic iallu" : : : "memory");
	dsb(nsh);
	isb();
}

/* Until host_s2_load(), which is the hidden CPU's state while it runs no guest */
void guest_s2_load(const struct guest_s2 *s2)
{
	load_vttbr(vttbr(s2->vmid, s2->pgd));
}

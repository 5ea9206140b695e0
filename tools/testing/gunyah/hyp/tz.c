// SPDX-License-Identifier: GPL-2.0-only
/*
 * TrustZone as Qualcomm's platforms have it (hyp.qcom=1): a list of its own of who has
 * which page of the host's RAM, and the SMCs by which the host changes it, as Linux'
 * qcom_scm makes them. Whoever it takes a page from has no access to it, whatever the
 * resource manager says; that lends or shares only what is assigned in just that way.
 *
 * Which VMIDs there are, what is refused, and all codes but those that qcom_scm knows are
 * assumed. So is that memory which is in a parcel stays as it is.
 *
 * A page's entry in the list is the number of a set of owners, of which there are few.
 * All of it is the hidden CPU's, which carries out a call between two messages.
 */
#include "hyp.h"
#include "../lab_ctl.h"

/* SMC32 or 64, fast or not, of the owner "SiP" */
#define SCM_OWNER_MASK		0x3f000000U
#define SCM_OWNER_SIP		0x02000000U
#define SCM_SMC64		0x40000000U
#define SCM_CALL_AVAILABLE	0x0601
#define SCM_ASSIGN		0x0c16
/* Types of arguments: seven, of which the first, third and fifth are buffers */
#define SCM_ASSIGN_ARGS		0x1117
#define SCM_EINVAL_ARG		-2
#define SCM_EINVAL_ADDR		-3
#define SCM_EOPNOTSUPP		-4
#define SCM_ENOMEM		-5

#define TZ_VMIDS		64
#define TZ_RM_MANAGED		0x3a	/* stands for all VMIDs that are not below TZ_VMIDS */
/* The host, those that the resource manager gives out on demand, and all its others */
#define TZ_KNOWN		(BIT(RM_HOST_VMID) | 0xfffffff0UL | BIT(TZ_RM_MANAGED))
#define TZ_RIGHTS		(S2_READ | S2_WRITE | S2_EXEC)
#define MAX_RANGES		32
#define MAX_SETS		256
#define MAX_RULES		8

struct owners {
	u64 vmids;
	u8 rights[TZ_VMIDS];
};

/* The parameters as qcom_scm lays them out */
struct call {
	u64 ranges, ranges_size;
	u64 src, src_size;
	u64 dst, dst_size;
};

struct range {
	u64 addr, size;
};

struct destination {
	u32 vmid, rights;
	u64 context;
	u32 context_size, unused;
};

/* Set 0 is what all pages have at first, and stays. */
static struct owners sets[MAX_SETS];
static u32 set_pages[MAX_SETS];		/* that have it; 0: it is free */
static u8 *page_set;			/* of all RAM from HYP_RAM_BASE on */
static struct tz_rule rules[MAX_RULES];
static u32 n_rules, hits;
u32 tz_assigns, tz_away_pages;

u64 tz_heap(void)
{
	return config.qcom ? ALIGN_UP((config.ram_end - HYP_RAM_BASE) / PAGE_SIZE, PAGE_SIZE) : 0;
}

void tz_init(void)
{
	if (!config.qcom)
		return;
	page_set = heap_alloc(tz_heap());
	set_pages[0] = (config.ram_end - HYP_RAM_BASE) / PAGE_SIZE;
	sets[0].vmids = BIT(RM_HOST_VMID);
	sets[0].rights[RM_HOST_VMID] = TZ_RIGHTS;
}

static u8 *set_of(u64 addr)
{
	return &page_set[(addr - HYP_RAM_BASE) / PAGE_SIZE];
}

static bool same(const struct owners *a, const struct owners *b)
{
	return a->vmids == b->vmids && !memcmp(a->rights, b->rights, sizeof(a->rights));
}

/* MAX_SETS if there is no room for one more */
static u32 find_set(const struct owners *o)
{
	u32 n, free = MAX_SETS;

	for (n = 0; n < MAX_SETS; n++) {
		if (n && !set_pages[n])
			free = n;
		else if (same(&sets[n], o))
			return n;
	}
	if (free < MAX_SETS)
		sets[free] = *o;
	return free;
}

static bool read_host(void *buf, u64 addr, u64 size)
{
	if (!host_reaches(addr, size))
		return false;
	cache_clean_inval(addr, size);
	memcpy(buf, (const void *)addr, size);
	return true;
}

static bool is_known(u32 vmid)
{
	return vmid < TZ_VMIDS && TZ_KNOWN & BIT(vmid);
}

static int read_source(const struct call *c, u64 *vmids)
{
	u32 vmid[TZ_VMIDS], n = c->src_size / sizeof(*vmid);

	if (!n || n > TZ_VMIDS || c->src_size % sizeof(*vmid))
		return SCM_EINVAL_ARG;
	if (!read_host(vmid, c->src, c->src_size))
		return SCM_EINVAL_ADDR;
	*vmids = 0;
	for (u32 i = 0; i < n; i++) {
		if (!is_known(vmid[i]))
			return GH_LAB_TZ_UNKNOWN_VMID;
		if (*vmids & BIT(vmid[i]))
			return SCM_EINVAL_ARG;
		*vmids |= BIT(vmid[i]);
	}
	return 0;
}

static int read_destination(const struct call *c, struct owners *o)
{
	struct destination d[TZ_VMIDS];
	u32 n = c->dst_size / sizeof(*d);

	if (!n || n > TZ_VMIDS || c->dst_size % sizeof(*d))
		return SCM_EINVAL_ARG;
	if (!read_host(d, c->dst, c->dst_size))
		return SCM_EINVAL_ADDR;
	memset(o, 0, sizeof(*o));
	for (u32 i = 0; i < n; i++) {
		if (!is_known(d[i].vmid))
			return GH_LAB_TZ_UNKNOWN_VMID;
		if (o->vmids & BIT(d[i].vmid) || !d[i].rights || d[i].rights & ~TZ_RIGHTS ||
		    d[i].context || d[i].context_size)
			return SCM_EINVAL_ARG;
		o->vmids |= BIT(d[i].vmid);
		o->rights[d[i].vmid] = d[i].rights;
	}
	return 0;
}

static int read_ranges(const struct call *c, struct range *r, u32 *n)
{
	*n = c->ranges_size / sizeof(*r);
	if (!*n || *n > MAX_RANGES || c->ranges_size % sizeof(*r))
		return SCM_EINVAL_ARG;
	if (!read_host(r, c->ranges, c->ranges_size))
		return SCM_EINVAL_ADDR;
	for (u32 i = 0; i < *n; i++) {
		if (!r[i].size || (r[i].addr | r[i].size) & ~PAGE_MASK)
			return SCM_EINVAL_ARG;
		if (!host_ram(r[i].addr, r[i].size))
			return SCM_EINVAL_ADDR;
		for (u32 k = 0; k < i; k++) {
			if (r[k].addr < r[i].addr + r[i].size && r[i].addr < r[k].addr + r[k].size)
				return GH_LAB_TZ_OVERLAP;
		}
	}
	return 0;
}

/* Is it with those that the caller says, and not in anybody's use? */
static int check_range(const struct range *r, u64 src)
{
	if (rm_model_uses(rm_model, r->addr, r->size))
		return GH_LAB_TZ_IN_PARCEL;
	for (u64 addr = r->addr; addr < r->addr + r->size; addr += PAGE_SIZE) {
		if (sets[*set_of(addr)].vmids != src)
			return GH_LAB_TZ_WRONG_SOURCE;
	}
	return 0;
}

static void assign_range(const struct range *r, u32 set)
{
	for (u64 addr = r->addr; addr < r->addr + r->size; addr += PAGE_SIZE) {
		u8 *old = set_of(addr);

		tz_away_pages += !!set - !!*old;
		set_pages[*old]--;
		set_pages[set]++;
		*old = set;
	}
	host_s2_assign(r->addr, r->size, sets[set].vmids & BIT(RM_HOST_VMID));
}

/* The code of the first rule that is for such a call, or 0 */
static int scripted(u64 src, u64 dst)
{
	u32 direction = src == BIT(RM_HOST_VMID) ? GH_LAB_TZ_AWAY :
			dst == BIT(RM_HOST_VMID) ? GH_LAB_TZ_BACK : GH_LAB_ANY;

	for (u32 i = 0; i < n_rules; i++) {
		struct tz_rule *r = &rules[i];

		if (!r->count || (r->direction != GH_LAB_ANY && r->direction != direction))
			continue;
		if (r->skip) {
			r->skip--;
			continue;
		}
		if (r->count != GH_LAB_ANY)
			r->count--;
		hits++;
		return (int)r->code;
	}
	return 0;
}

static int assign(const struct call *c)
{
	struct range ranges[MAX_RANGES];
	struct owners to;
	u32 n, set;
	u64 src;
	int ret;

	tz_assigns++;
	ret = read_source(c, &src);
	if (!ret)
		ret = read_destination(c, &to);
	if (!ret)
		ret = read_ranges(c, ranges, &n);
	if (!ret)
		ret = scripted(src, to.vmids);
	for (u32 i = 0; !ret && i < n; i++)
		ret = check_range(&ranges[i], src);
	if (ret)
		return ret;
	set = find_set(&to);
	if (set == MAX_SETS)
		return SCM_ENOMEM;
	for (u32 i = 0; i < n; i++)
		assign_range(&ranges[i], set);
	host_s2_sync();
	return 0;
}

/* x0 to x6 of the caller; qcom_scm's results are x0, an error, and x1 */
static void serve(void *arg)
{
	u64 *x = arg, more[4];
	struct call c;
	int ret;

	if (x[1] != SCM_ASSIGN_ARGS) {
		x[0] = SCM_EINVAL_ARG;
		return;
	}
	/* All arguments but the first three are in memory. */
	if (!read_host(more, x[5], sizeof(more))) {
		x[0] = SCM_EINVAL_ADDR;
		return;
	}
	c = (struct call){ x[2], x[3], x[4], more[0], more[1], more[2] };
	ret = more[3] ? SCM_EINVAL_ARG : assign(&c);
	if (ret && config.verbose)
		print("hyp: TrustZone refuses: %s%u\n", ret < 0 ? "-" : "", ret < 0 ? -ret : ret);
	x[0] = ret < 0 ? ret : 0;
	x[1] = ret > 0 ? ret : 0;
}

static bool is_available(u64 fn)
{
	return (fn & SCM_OWNER_MASK) == SCM_OWNER_SIP &&
	       ((fn & 0xffff) == SCM_CALL_AVAILABLE || (fn & 0xffff) == SCM_ASSIGN);
}

/* A host CPU; returns false if it is no call of this kind. */
bool tz_call(u64 x[31])
{
	u32 fn = x[0];

	if (!config.qcom || (fn & SCM_OWNER_MASK) != SCM_OWNER_SIP)
		return false;
	if (!(fn & SCM_SMC64)) {
		x[0] = SCM_EOPNOTSUPP;
	} else if ((fn & 0xffff) == SCM_CALL_AVAILABLE) {
		x[0] = 0;
		x[1] = is_available(x[2]);
	} else if ((fn & 0xffff) == SCM_ASSIGN) {
		hidden_call(serve, x);
	} else {
		x[0] = SCM_EOPNOTSUPP;
	}
	return true;
}

/* The resource manager asks: is it assigned to just those who are to have it? */
bool tz_assigned(u64 addr, u64 size, const struct rm_acl *acl, u32 n)
{
	struct owners want = { 0 };

	if (!config.qcom)
		return true;
	for (u32 i = 0; i < n; i++) {
		u32 vmid = acl[i].vmid < TZ_VMIDS ? acl[i].vmid : TZ_RM_MANAGED;

		want.vmids |= BIT(vmid);
		want.rights[vmid] |= acl[i].rights;
	}
	for (u64 end = addr + size; addr < end; addr += PAGE_SIZE) {
		if (same(&sets[*set_of(addr)], &want))
			continue;
		if (config.verbose)
			print("hyp: page %lx is not assigned as the parcel says\n", addr);
		return false;
	}
	return true;
}

bool tz_rule_add(const struct tz_rule *rule)
{
	bool ok = n_rules < MAX_RULES && rule->count && rule->code &&
		  (rule->direction == GH_LAB_TZ_AWAY || rule->direction == GH_LAB_TZ_BACK ||
		   rule->direction == GH_LAB_ANY);

	if (ok)
		rules[n_rules++] = *rule;
	return ok;
}

void tz_rules_clear(void)
{
	n_rules = 0;
	hits = 0;
}

u32 tz_rule_hits(void)
{
	return hits;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that does nothing but test the hypervisor, by the letter: which
 * register holds what, when an interrupt becomes pending, what an access to lent
 * memory does. What a driver would do with all that is tested with the driver.
 *
 * Bare metal at EL1 with its MMU on; TAP on the PL011. Interrupts stay masked
 * and are looked at in the distributor. A second CPU, if there is one, serves to
 * see that what the first one lends is gone for it too, and runs a guest that the
 * first one then stops. All there are run a guest of many vCPUs.
 */
#include <stdarg.h>
#include <libfdt.h>
#include "hyp.h"
#include "guest.h"
#include "../../lab_ctl.h"

#define MAP_VA		0x80000000UL	/* pages A and B, a hole, and C read-only */
#define PAGE_A		0x42000000UL
#define PAGE_B		0x42005000UL
#define PAGE_C		0x42009000UL
#define IMAGE_1		0x43100000UL	/* the guest's memory, in two pieces: code, */
#define IMAGE_2		0x43000000UL	/* and the devicetree */
#define IMAGE_PIECE	0x10000UL
#define SHM		0x43200000UL
#define SHM_2		0x43201000UL
#define BIG		0x44000000UL
#define BIG_SIZE	0x03000000UL
#define SCATTER		0x47400000UL
/* Of a large machine only */
#define LARGE		0xc0000000UL
#define LARGE_GUESTS	8
#define LIST_MAX	512		/* entries of one message */

#define MSG_ALLOCATE	0x56000001
#define MSG_DEALLOCATE	0x56000002
#define MSG_START	0x56000004
#define MSG_STOP	0x56000005
#define MSG_RESET	0x56000006
#define MSG_CONFIG	0x56000009
#define MSG_INIT	0x5600000b
#define MSG_RESOURCES	0x56000020
#define MSG_GET_VMID	0x56000024
#define MSG_LEND	0x51000012
#define MSG_SHARE	0x51000013
#define MSG_RECLAIM	0x51000015
#define MSG_APPEND	0x51000018
#define NOTE_EXITED	0x56100001
#define NOTE_STATUS	0x56100008
#define NOTE_RELEASED	0x51100012

#define QCOM_UID	0x86003f01
#define SCM_AVAILABLE	0x42000601
#define SCM_ASSIGN	0x42000c16
#define SCM_ASSIGN_ARGS	0x1117
#define SCM_EINVAL_ARG	-2
#define SCM_EINVAL_ADDR	-3
#define SCM_EOPNOTSUPP	-4
#define SCM_ENOMEM	-5
#define RM_MANAGED	0x3a		/* all guests but those below 64, to TrustZone */

#define GICD_ISPENDR	0x200
#define GICD_ICPENDR	0x280
#define GICR_WAKER	0x0014
#define GICR_SGI	0x10000
#define GICR_IGROUPR0	(GICR_SGI + 0x080)
#define GICR_ISENABLER0	(GICR_SGI + 0x100)
#define GICR_IPRIORITYR	(GICR_SGI + 0x400)
#define TIMER_VIRTUAL	27
#define TIMER_PHYSICAL	30

/* States of vcpu_run */
#define READY		0
#define EXPECTS_WAKEUP	1
#define POWERED_OFF	2
#define BLOCKED		3
#define VMMIO_READ	4
#define VMMIO_WRITE	5
#define FAULT		6
#define SYSTEM_RESET	0x100

u64 pgd[512] __aligned(4096);
static u64 l2[512] __aligned(4096);
static u64 l3[512] __aligned(4096);

volatile u64 aborts, abort_esr_seen, abort_far_seen;
static u64 tx_cap, rx_cap, gicd, gicr;
static u32 tx_intid, rx_intid;
static bool debug_policy, second_cpu;
static u64 ram_end;
/* Of guests that are prepared: run by the host, with doorbells, with so many vCPUs */
static bool proxy, bells;
static bool trustzone;			/* memory has to be assigned before it is given away */
static u32 vcpus = 2;
static u32 cpus;
static u32 tests;
static const volatile u32 *control = (const volatile u32 *)GH_LAB_CTL_BASE;

extern u8 guest_start[], guest_end[];
void second_start(void);
void tables_init(void);
void host_main(const void *fdt);
void second_main(u64 context);
void smccc_hvc(u64 x[6]);
void smccc_smc(u64 x[6]);
void native_identify(u64 x[6]);
void native_send(u64 x[6]);
void native_receive(u64 x[6]);
void native_unknown(u64 x[6]);
void native_vcpu_run(u64 x[6]);
void native_bell_send(u64 x[6]);
void fill_regs(u64 value);
bool regs_hold(u64 value);

static void ok(bool good, const char *what)
{
	print("%s %u - %s\n", good ? "ok" : "not ok", ++tests, what);
}

static void is(u64 got, u64 want, const char *what)
{
	ok(got == want, what);
	if (got != want)
		print("# got %lx, expected %lx\n", got, want);
}

static u64 now_us(void)
{
	isb();
	return read_sysreg(cntvct_el0) / (read_sysreg(cntfrq_el0) / 1000000);
}

/*
 * The hidden CPU serves an access to the control page after it has dealt with
 * what was in the queue. At the second one that is all that was sent before.
 */
static void sync_hidden(void)
{
	(void)control[GH_LAB_CTL_ID / 4];
	(void)control[GH_LAB_CTL_ID / 4];
}

void tables_init(void)
{
	pgd[0] = 0x0060000000000401;			/* device */
	pgd[1] = HYP_RAM_BASE | 0x705;			/* normal */
	pgd[2] = (u64)l2 | 3;
	for (u64 gib = LARGE >> 30; gib < ARRAY_SIZE(pgd); gib++)
		pgd[gib] = (gib << 30) | 0x705;
	l2[0] = (u64)l3 | 3;
	l3[0] = PAGE_A | 0x707;
	l3[1] = PAGE_B | 0x707;
	l3[3] = PAGE_C | 0x787;
}

static bool pending(u32 intid)
{
	return mmio_read32(gicd + GICD_ISPENDR + intid / 32 * 4) & BIT(intid % 32);
}

/* What acknowledging it would do */
static void clear_pending(u32 intid)
{
	mmio_write32(gicd + GICD_ICPENDR + intid / 32 * 4, BIT(intid % 32));
}

/* Touches an address; true if that aborted. */
static bool aborts_on(u64 addr, bool write)
{
	u64 before = aborts;

	if (write)
		mmio_write32(addr, 0x5a5a5a5a);
	else
		(void)mmio_read32(addr);
	return aborts != before;
}

static u64 send(const void *buf, u64 len, u64 *not_full)
{
	u64 x[6] = { tx_cap, len, (u64)buf, 0, 0 };

	native_send(x);
	if (not_full)
		*not_full = x[1];
	return x[0];
}

static u64 receive(void *buf, u64 max, u64 *len, u64 *not_empty)
{
	u64 x[6] = { 0xc600801c, rx_cap, (u64)buf, max, 0 };

	smccc_hvc(x);
	*len = x[1];
	if (not_empty)
		*not_empty = x[2];
	return x[0];
}

static bool receive_wait(void *buf, u64 *len)
{
	u64 end = now_us() + 30000000;	/* a large parcel takes seconds */

	while (now_us() < end) {
		if (!receive(buf, RM_PACKET_SIZE, len, NULL))
			return true;
		cpu_relax();
	}
	return false;
}

/* Little-endian message building; the buffer is as long as any test needs. */
struct message {
	u32 len;
	u8 data[0x3000];
};

static void put16(struct message *m, u16 v)
{
	m->data[m->len++] = v;
	m->data[m->len++] = v >> 8;
}

static void put32(struct message *m, u32 v)
{
	put16(m, v);
	put16(m, v >> 16);
}

static void put64(struct message *m, u64 v)
{
	put32(m, v);
	put32(m, v >> 32);
}

static u32 get32(const u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

struct note {
	u32 id;
	u8 data[32];
};

static struct note notes[16];
static u32 n_notes;
static u16 sequence;
static u8 reply[2 * RM_PACKET_SIZE];		/* the last one, with its header */

static void keep_note(const u8 *packet, u64 len)
{
	struct note *n = &notes[n_notes++ % ARRAY_SIZE(notes)];

	memset(n, 0, sizeof(*n));
	n->id = get32(packet + 4);
	len -= 8;
	memcpy(n->data, packet + 8, len < sizeof(n->data) ? len : sizeof(n->data));
}

/* Sends a request, in fragments if need be, and returns the reply's error. */
static u32 call(u32 id, const struct message *m, u32 *result)
{
	u32 extra = m->len ? (m->len - 1) / 232 : 0;
	u8 p[RM_PACKET_SIZE];
	u64 len, err;

	sequence++;
	for (u32 i = 0; i <= extra; i++) {
		u32 n = m->len - i * 232 < 232 ? m->len - i * 232 : 232;

		p[0] = 0x21;
		p[1] = extra << 2 | (i ? 0 : 1);
		p[2] = sequence;
		p[3] = sequence >> 8;
		p[4] = id;
		p[5] = id >> 8;
		p[6] = id >> 16;
		p[7] = id >> 24;
		memcpy(p + 8, m->data + i * 232, n);
		while ((err = send(p, 8 + n, NULL)) == 61)
			cpu_relax();
		if (err)
			return 0xdead0000 | err;
	}
	while (receive_wait(p, &len)) {
		if ((p[1] & 3) == 3) {
			keep_note(p, len);
			continue;
		}
		if (get32(p + 4) != id || (p[2] | p[3] << 8) != sequence)
			return 0xdead1000;
		memcpy(reply, p, sizeof(p));
		if (result)
			*result = len >= 16 ? get32(p + 12) : 0;
		/* One that goes on is a long list, and of that no more is needed than this. */
		if (p[1] >> 2 && receive_wait(p, &len) && p[1] >> 2)
			memcpy(reply + RM_PACKET_SIZE, p + 8, len - 8);
		return get32(reply + 8);
	}
	return 0xdead2000;
}

static bool is_status(const struct note *n, u32 vmid, u32 state)
{
	return n->id == NOTE_STATUS && get32(n->data) == vmid && n->data[4] == state;
}

/* Takes in notifications until there are so many. */
static bool wait_notes(u32 n)
{
	u8 p[RM_PACKET_SIZE];
	u64 len;

	while (n_notes < n) {
		if (!receive_wait(p, &len))
			return false;
		keep_note(p, len);
	}
	return true;
}

static u32 call_vmid(u32 id, u32 vmid, u32 *result)
{
	struct message m = { 0 };

	put32(&m, vmid);
	return call(id, &m, result);
}

struct range {
	u64 addr, size;
};

/* Lends (host_rights 0) or shares, with one guest */
static u32 give(u32 vmid, u8 rights, u8 host_rights, u32 label, const struct range *ranges,
		u32 n, u32 *handle)
{
	struct message m = { 0 };

	put32(&m, 0);
	put32(&m, label);
	put32(&m, host_rights ? 2 : 1);
	if (host_rights) {
		put16(&m, RM_HOST_VMID);
		put16(&m, host_rights);
	}
	put16(&m, vmid);
	put16(&m, rights);
	put32(&m, n);
	for (u32 i = 0; i < n; i++) {
		put64(&m, ranges[i].addr);
		put64(&m, ranges[i].size);
	}
	put32(&m, 0);
	return call(host_rights ? MSG_SHARE : MSG_LEND, &m, handle);
}

static u32 reclaim(u32 handle, u8 flags)
{
	struct message m = { 0 };

	put32(&m, handle);
	put32(&m, flags);
	return call(MSG_RECLAIM, &m, NULL);
}

/* TrustZone's part of giving memory away: parameters as qcom_scm lays them out */
struct destination {
	u32 vmid, rights;
	u64 context;
	u32 context_size, unused;
};

static struct {
	struct range range[300];
	struct destination dst[70];
	u32 src[70];
	u64 more[4];
} scm;

/* The lists are in scm. Returns an error of the call, or TrustZone's code. */
static int scm_assign(u32 ranges, u32 srcs, u32 dsts)
{
	u64 x[6] = { SCM_ASSIGN, SCM_ASSIGN_ARGS, (u64)scm.range, ranges * sizeof(scm.range[0]),
		     (u64)scm.src, (u64)scm.more };

	scm.more[0] = srcs * sizeof(scm.src[0]);
	scm.more[1] = (u64)scm.dst;
	scm.more[2] = dsts * sizeof(scm.dst[0]);
	smccc_smc(x);
	return x[0] ? (int)x[0] : (int)x[1];
}

/* One range, from one VMID to one or, with @host_rights, to the host as well */
static int assign_to(u64 addr, u64 size, u32 src, u32 vmid, u32 rights, u32 host_rights)
{
	scm.range[0] = (struct range){ addr, size };
	scm.src[0] = src;
	scm.dst[0] = (struct destination){ vmid, rights, 0, 0, 0 };
	scm.dst[1] = (struct destination){ RM_HOST_VMID, host_rights, 0, 0, 0 };
	return scm_assign(1, 1, host_rights ? 2 : 1);
}

static int assign_back(u64 addr, u64 size, u32 src, bool shared)
{
	scm.range[0] = (struct range){ addr, size };
	scm.src[0] = src;
	scm.src[1] = RM_HOST_VMID;
	scm.dst[0] = (struct destination){ RM_HOST_VMID, 7, 0, 0, 0 };
	return scm_assign(1, shared ? 2 : 1, 1);
}

/* Identification */

static void test_identify(void)
{
	u64 x[6] = { 0, 1, 2, 3, 4, 5 };

	native_identify(x);
	ok(x[0] == 0x5100000000008001 && x[1] == 0x10000eff && !x[2] && !x[3],
	   "hyp_identify, native");
	x[0] = 0xc6008000;
	smccc_hvc(x);
	ok(x[0] == 0x5100000000008001 && x[1] == 0x10000eff && !x[2] && !x[3],
	   "hyp_identify, SMCCC");
	x[0] = 0x8600ff01;
	smccc_hvc(x);
	ok(x[0] == 0xcd8fd5c1 && x[1] == 0xdb5f53a4 && x[2] == 0x36ce6592 && x[3] == 0x145f3d67,
	   "UID");
	x[0] = 0x8600ff03;
	smccc_hvc(x);
	is(x[0], 0x5100000000008001, "revision");
	x[0] = QCOM_UID;
	smccc_hvc(x);
	is(x[0], -1UL, "no extensions of Qualcomm's");
	x[0] = 0x8600ff00;
	smccc_hvc(x);
	is(x[0], -1UL, "call count is not there");
	x[0] = 0x8600bf01;
	smccc_hvc(x);
	is(x[0], -1UL, "32-bit hypercall class is not there");
	native_unknown(x);
	is(x[0], -1UL, "unknown hypercall, native");
	x[0] = 0xc60081ff;
	smccc_hvc(x);
	is(x[0], -1UL, "unknown hypercall, SMCCC");
}

static u64 smc1(u64 fn, u64 a, u64 b, u64 c)
{
	u64 x[6] = { fn, a, b, c };

	smccc_smc(x);
	return x[0];
}

static void test_psci(void)
{
	ok(smc1(0x84000000, 0, 0, 0) >= 2, "PSCI version");
	ok(smc1(0x80000000, 0, 0, 0) >= 0x10001, "SMCCC version");
	is(smc1(0x80000001, 0x80000000, 0, 0), 0, "SMCCC_ARCH_FEATURES(SMCCC_VERSION)");
	is(smc1(0x80000001, 0x80008000, 0, 0), -1UL, "no workaround 1");
	is(smc1(0x8400000a, 0x80000000, 0, 0), 0, "PSCI_FEATURES(SMCCC_VERSION)");
	is(smc1(0xc4000003, 8, HOST_ENTRY, 0), -2UL, "CPU_ON of a CPU that is not there");
	is(smc1(0xc4000003, 0, HOST_ENTRY, 0), -4UL, "CPU_ON of itself");
	is(smc1(0xc4000004, 8, 0, 0), -2UL, "AFFINITY_INFO of a CPU that is not there");
	is(smc1(0xc4000004, 0, 0, 0), 0, "AFFINITY_INFO of itself");
	is(smc1(0x8600ff01, 0, 0, 0), -1UL, "no hypervisor UID by SMC");
	is(smc1(SCM_ASSIGN, SCM_ASSIGN_ARGS, 0, 0), -1UL, "no TrustZone");
}

/* Queues */

static u64 send_to(u64 cap, const void *buf)
{
	u64 x[6] = { 0xc600801b, cap, 8, (u64)buf };

	smccc_hvc(x);
	return x[0];
}

static void test_queue_errors(void)
{
	u8 p[RM_PACKET_SIZE] = { 0 };
	u64 x[6] = { tx_cap, (u64)p, sizeof(p) }, len, more, room;

	is(send_to(999, p), 1, "send to a capability that is not there");
	is(send_to(rx_cap, p), 53, "send to the receive queue");
	native_receive(x);
	is(x[0], 53, "receive from the send queue");
	is(receive(p, sizeof(p), &len, &more), 60, "receive from an empty queue");
	ok(!len && !more, "and nothing is received");

	room = 0;
	ok(!send((void *)(MAP_VA + 0x2000), 16, &room) && room, "send of an unmapped buffer: 0");
	ok(!send(p, 241, &room) && room, "send of 241 bytes: 0");
	ok(!send(p, 2000, &room) && room, "send of 2000 bytes: 0");
	ok(!send(p, 0, &room) && room, "send of 0 bytes: 0");
	ok(!send((void *)0x40080000, 16, &room) && room, "send of the hypervisor's memory: 0");
	sync_hidden();
	is(receive(p, sizeof(p), &len, NULL), 60, "none of which has a reply");
}

static void make_get_vmid(u8 *p, u16 seq)
{
	static const u8 request[8] = { 0x21, 1, 0, 0, 0x24, 0, 0, 0x56 };

	memcpy(p, request, sizeof(request));
	p[2] = seq;
	p[3] = seq >> 8;
}

static void test_round_trip(void)
{
	u8 p[RM_PACKET_SIZE] = { 0 };
	u64 len = 0, more;

	clear_pending(rx_intid);
	make_get_vmid(p, 7);
	is(send(p, 8, NULL), 0, "send GET_VMID");
	while (!pending(rx_intid))
		cpu_relax();
	ok(true, "the receive interrupt becomes pending");
	clear_pending(rx_intid);
	is(receive(p, 8, &len, &more), 0, "receive into a short buffer: 0");
	ok(!len && more, "and the message stays");
	is(receive((void *)(MAP_VA + 0x2000), sizeof(p), &len, &more), 0,
	   "receive into an unmapped buffer: 0");
	ok(!len && more, "and the message stays");
	memset((void *)PAGE_C, 0xa5, PAGE_SIZE);
	is(receive((void *)(MAP_VA + 0x3000), sizeof(p), &len, &more), 0,
	   "receive into a read-only buffer: 0");
	ok(!len && more && *(u8 *)PAGE_C == 0xa5, "and the message stays");
	is(receive(p, sizeof(p), &len, &more), 0, "receive");
	ok(len == 16 && !more && p[0] == 0x21 && p[1] == 2 && p[2] == 7 &&
	   get32(p + 4) == MSG_GET_VMID && !get32(p + 8) && get32(p + 12) == RM_HOST_VMID,
	   "the reply to GET_VMID is right");
	ok(!pending(rx_intid), "and there was no interrupt more");
}

/* A buffer that crosses a page whose neighbour is elsewhere */
static void test_crossing(void)
{
	u8 *va = (u8 *)(MAP_VA + PAGE_SIZE - 3), p[RM_PACKET_SIZE];
	u64 len = 0;

	make_get_vmid(va, 0x1234);
	is(send(va, 8, NULL), 0, "send from a buffer across two pages");
	is(((u8 *)PAGE_B)[0], 0x12, "which are not neighbours");
	ok(receive_wait(va, &len) && len == 16 && get32(va + 12) == 3 && va[3] == 0x12,
	   "receive into it");
	memcpy(p, (void *)(PAGE_A + PAGE_SIZE - 3), 3);
	ok(p[0] == 0x21 && p[2] == 0x34, "both parts are where they belong");
	make_get_vmid((u8 *)(MAP_VA + 2 * PAGE_SIZE - 8), 1);
	is(send((void *)(MAP_VA + 2 * PAGE_SIZE - 8), 16, NULL), 0,
	   "send from a buffer that ends in a hole: 0");
	sync_hidden();
	is(receive(p, sizeof(p), &len, NULL), 60, "but nothing was sent");
}

static void test_receive_queue_full(void)
{
	u8 p[RM_PACKET_SIZE];
	u64 len, n = 0;

	/* One reply may wait at the manager, beside the eight in the queue. */
	for (u32 i = 0; i < 9; i++) {
		make_get_vmid(p, i);
		send(p, 8, NULL);
		sync_hidden();
	}
	clear_pending(rx_intid);
	while (n < 9 && receive_wait(p, &len) && p[2] == n)
		n++;
	is(n, 9, "nine replies come in order, the ninth when there is room");
	is(receive(p, sizeof(p), &len, NULL), 60, "and no more");
}

/* Memory */

static void test_lend(u32 vmid)
{
	struct range r = { BIG, 0x10000 };
	struct range scatter[100];
	u32 handle, refused, bad = 0;
	u8 p[16] = { 0 };
	u64 room, len;

	*(u32 *)BIG = 0x11223344;
	*(u32 *)(BIG + 0xfffc) = 0x55667788;
	is(give(vmid, 7, 0, 0, &r, 1, &handle), 0, "lend 64 KiB");
	is(control[GH_LAB_CTL_LENT_PAGES / 4], 16, "16 pages are lent");
	ok(aborts_on(BIG, false), "load from it aborts");
	ok(abort_esr_seen >> 26 == EC_DABT_CUR && (abort_esr_seen & 0x3f) == ESR_FSC_SEA &&
	   !(abort_esr_seen & ESR_WNR) && abort_far_seen == BIG, "with the right syndrome");
	ok(aborts_on(BIG + 0xfffc, true), "store to its end aborts");
	ok((abort_esr_seen & ESR_WNR) && (abort_esr_seen & 0x3f) == ESR_FSC_SEA &&
	   abort_far_seen == BIG + 0xfffc, "with the right syndrome");
	ok(!aborts_on(BIG - 4, true) && !aborts_on(BIG + 0x10000, true), "neighbours do not");
	ok(!send((void *)BIG, 16, &room) && room, "send from it: 0");
	make_get_vmid(p, 2);
	send(p, 8, NULL);
	sync_hidden();
	ok(!receive((void *)BIG, 240, &len, &room) && !len && room,
	   "receive into it: 0, and the message stays");
	ok(receive_wait(p, &len) && len == 16, "and is received elsewhere");
	is(give(vmid, 7, 0, 0, &r, 1, &refused), 0xa, "it cannot be lent twice");
	is(reclaim(handle, 0), 0, "reclaim");
	ok(!aborts_on(BIG, false) && *(u32 *)BIG == 0x11223344 &&
	   *(u32 *)(BIG + 0xfffc) == 0x55667788, "it is back with its contents");
	is(control[GH_LAB_CTL_LENT_PAGES / 4], 0, "no page is lent");

	is(give(vmid, 7, 0, 0, &r, 1, &handle), 0, "lend again");
	is(reclaim(handle, 1), 0, "reclaim, sanitized");
	ok(!*(u32 *)BIG && !*(u32 *)(BIG + 0xfffc), "it is back and zero");

	for (u32 i = 0; i < 100; i++) {
		scatter[i].addr = SCATTER + i * 2 * PAGE_SIZE;
		scatter[i].size = PAGE_SIZE;
		*(u64 *)scatter[i].addr = i;
	}
	is(give(vmid, 7, 0, 0, scatter, 100, &handle), 0, "lend 100 ranges, in fragments");
	for (u32 i = 0; i < 100; i++)
		bad += !aborts_on(scatter[i].addr, i & 1) ||
		       aborts_on(scatter[i].addr + PAGE_SIZE, true);
	is(bad, 0, "each aborts and the pages between do not");
	is(reclaim(handle, 0), 0, "reclaim");
	for (u32 i = 0; i < 100; i++)
		bad += *(u64 *)scatter[i].addr != i;
	is(bad, 0, "all are back");

	r = (struct range){ GH_LAB_CTL_BASE, PAGE_SIZE };
	is(give(vmid, 7, 0, 0, &r, 1, &refused), 0xa, "a device cannot be lent");
	r = (struct range){ 0x40080000, PAGE_SIZE };
	is(give(vmid, 7, 0, 0, &r, 1, &refused), 0xa, "nor the hypervisor");
	r = (struct range){ 0x4ffff000, 2 * PAGE_SIZE };
	is(give(vmid, 7, 0, 0, &r, 1, &refused), 0xa, "nor what is only partly RAM");
}

/* Has @handle reclaimed and sends on until the queue is full, or is not going to be. */
static bool fill_send_queue(u32 handle)
{
	u8 p[RM_PACKET_SIZE] = { 0x21, 1, 0, 0, 0x15, 0, 0, 0x51, handle, 0, 0, 0, 1 };
	u64 room = 1;
	u32 filled;

	clear_pending(tx_intid);
	send(p, 16, NULL);
	p[0] = 0;			/* dropped by the manager without a word */
	/* Until it has taken in the request the queue can drain once. */
	for (filled = 0; room && filled < 100; filled++)
		send(p, 8, &room);
	/* Filled, and still so: nothing was taken out of it meanwhile. */
	return !room && send(p, 8, &room) == 61 && !room && !pending(tx_intid);
}

/*
 * The hidden CPU is busy with zeroing what it reclaims, so that the queue fills. If
 * this one is kept from running just then it does not: then again.
 */
static void test_send_queue_full(u32 vmid)
{
	struct range r = { BIG, BIG_SIZE };
	u8 p[RM_PACKET_SIZE] = { 0 };
	u64 len, room = 1;
	bool full = false;
	u32 handle;

	for (u32 i = 0; i < 20 && !full; i++) {
		if (i) {
			receive_wait(p, &len);
			sync_hidden();
		}
		if (give(vmid, 7, 0, 0, &r, 1, &handle))
			break;
		full = fill_send_queue(handle);
	}
	ok(full, "the queue fills, refuses more, and no interrupt comes while it is full");
	ok(receive_wait(p, &len) && len == 12 && !get32(p + 8), "reclaimed meanwhile");
	sync_hidden();
	ok(pending(tx_intid), "the send interrupt when it is not full any more");
	clear_pending(tx_intid);
	is(send(p, 0, &room), 0, "there is room");
	ok(!*(u32 *)(BIG + BIG_SIZE - 4), "it is back and zero");
}

/* Guests */

static void must(int ret)
{
	if (ret < 0)
		print("# libfdt: error %u\n", -ret);
}

static int add_node(void *fdt, int parent, const char *name)
{
	int node = fdt_add_subnode(fdt, parent, name);

	must(node);
	return node;
}

static void add_cpu(void *fdt, int cpus, const char *name, u32 reg)
{
	int node = add_node(fdt, cpus, name);

	must(fdt_setprop_string(fdt, node, "device_type", "cpu"));
	must(fdt_setprop_string(fdt, node, "compatible", "arm,arm-v8"));
	must(fdt_setprop_u32(fdt, node, "reg", reg));
	if (reg)
		must(fdt_setprop_string(fdt, node, "enable-method", "psci"));
}

static void add_bell(void *fdt, int vdevices, const char *name, u32 label, u32 flags,
		     bool can_clear)
{
	fdt32_t interrupts[3] = { 0, cpu_to_fdt32(label), cpu_to_fdt32(flags) };
	int node = add_node(fdt, vdevices, name);
	char path[32];

	format(path, sizeof(path), "/hypervisor/%s", name);
	must(fdt_setprop_string(fdt, node, "generate", path));
	must(fdt_setprop_string(fdt, node, "vdevice-type",
				flags ? "doorbell" : "doorbell-source"));
	must(fdt_setprop_u32(fdt, node, "label", label));
	must(fdt_setprop_empty(fdt, node, "peer-default"));
	if (can_clear)
		must(fdt_setprop_empty(fdt, node, "source-can-clear"));
	if (flags)
		must(fdt_setprop(fdt, node, "interrupts", interrupts, sizeof(interrupts)));
}

static void make_dtb(void *fdt)
{
	fdt32_t gic[8] = {
		0, cpu_to_fdt32(GUEST_GICD), 0, cpu_to_fdt32(0x10000),
		0, cpu_to_fdt32(GUEST_GICR), 0, cpu_to_fdt32(8 * GICR_STRIDE),
	};
	int node, top, sub;
	char name[16];

	must(fdt_create_empty_tree(fdt, 0x2000));
	must(fdt_setprop_u32(fdt, 0, "#address-cells", 2));
	must(fdt_setprop_u32(fdt, 0, "#size-cells", 2));
	top = add_node(fdt, 0, "gunyah-vm-config");
	must(fdt_setprop_string(fdt, top, "image-name", "test"));
	node = add_node(fdt, top, "vdevices");
	/* libfdt puts a new node first, here and below. */
	if (bells) {
		add_bell(fdt, node, "src-9", 9, 0, false);
		add_bell(fdt, node, "bell-6", 6, 1, false);
		add_bell(fdt, node, "bell-5", 5, 4, true);
	}
	node = add_node(fdt, node, "shm-10");
	must(fdt_setprop_string(fdt, node, "vdevice-type", "shm"));
	must(fdt_setprop_u32(fdt, node, "label", 0x10));
	must(fdt_setprop_empty(fdt, node, "peer-default"));
	must(fdt_setprop_string(fdt, node, "push-compatible", "shm"));
	sub = add_node(fdt, node, "memory");
	must(fdt_setprop_u32(fdt, sub, "#address-cells", 2));
	must(fdt_setprop_u32(fdt, sub, "label", 0x10));
	must(fdt_setprop_u64(fdt, sub, "base", GUEST_SHM));
	top = fdt_path_offset(fdt, "/gunyah-vm-config");
	node = add_node(fdt, top, "vcpus");
	must(fdt_setprop_string(fdt, node, "affinity", proxy ? "proxy" : "static"));
	if (!proxy) {
		must(fdt_setprop_u32(fdt, node, "affinity-map", 0));
		must(fdt_setprop_u32(fdt, node, "sched-timeslice", 5000));
		must(fdt_setprop_u32(fdt, node, "sched-priority", -1));
	}
	node = add_node(fdt, top, "interrupts");
	must(fdt_setprop_string(fdt, node, "config", "/intc"));
	node = add_node(fdt, top, "memory");
	must(fdt_setprop_u32(fdt, node, "#address-cells", 2));
	must(fdt_setprop_u32(fdt, node, "#size-cells", 2));
	must(fdt_setprop_u64(fdt, node, "base-address", GUEST_BASE));
	node = add_node(fdt, 0, "intc");
	must(fdt_setprop_string(fdt, node, "compatible", "arm,gic-v3"));
	must(fdt_setprop_u32(fdt, node, "#interrupt-cells", 3));
	must(fdt_setprop_empty(fdt, node, "interrupt-controller"));
	must(fdt_setprop(fdt, node, "reg", gic, sizeof(gic)));
	node = add_node(fdt, 0, "cpus");
	must(fdt_setprop_u32(fdt, node, "#address-cells", 1));
	must(fdt_setprop_u32(fdt, node, "#size-cells", 0));
	for (u32 i = proxy ? vcpus : 1; i--;) {
		format(name, sizeof(name), "cpu@%x", i);
		add_cpu(fdt, node, name, i);
	}
	add_node(fdt, 0, "chosen");
	must(fdt_pack(fdt));
}

struct guest {
	u32 vmid, image, shm;
	u64 at;				/* offset from IMAGE_1, IMAGE_2 and SHM */
};

static u64 *shm_of(const struct guest *g)
{
	return (u64 *)(SHM + g->at);
}

/* Prepares memory and the manager until VM_START; true if all went well. */
static bool prepare(struct guest *g, u64 at, u64 command, u64 argument, u8 shm_rights,
		    bool share_image)
{
	struct range image[2] = { { IMAGE_1 + at, IMAGE_PIECE }, { IMAGE_2 + at, IMAGE_PIECE } };
	struct range shm = { SHM + at, PAGE_SIZE };
	struct message m = { 0 };
	u8 *code = (u8 *)image[0].addr;

	g->at = at;
	memset((void *)shm.addr, 0, PAGE_SIZE);
	memcpy(code, guest_start, guest_end - guest_start);
	*(u64 *)(code + GUEST_COMMAND) = command;
	*(u64 *)(code + GUEST_ARGUMENT) = argument;
	make_dtb((void *)image[1].addr);

	if (trustzone && (assign_to(image[0].addr, IMAGE_PIECE, RM_HOST_VMID, RM_MANAGED, 7, 0) ||
			  assign_to(image[1].addr, IMAGE_PIECE, RM_HOST_VMID, RM_MANAGED, 7, 0) ||
			  assign_to(shm.addr, PAGE_SIZE, RM_HOST_VMID, RM_MANAGED, shm_rights, 6)))
		return false;
	if (call_vmid(MSG_ALLOCATE, 0, &g->vmid) ||
	    give(g->vmid, 7, share_image ? 7 : 0, 0, image, 2, &g->image) ||
	    give(g->vmid, shm_rights, 6, 0x10, &shm, 1, &g->shm))
		return false;
	put32(&m, g->vmid);
	put32(&m, g->image);
	put64(&m, 0);
	put64(&m, IMAGE_PIECE);
	put64(&m, IMAGE_PIECE);
	put64(&m, IMAGE_PIECE);
	n_notes = 0;
	return !call(MSG_CONFIG, &m, NULL) && !call_vmid(MSG_INIT, g->vmid, NULL) &&
	       n_notes == 2 && is_status(&notes[0], g->vmid, RM_VM_INIT) &&
	       is_status(&notes[1], g->vmid, RM_VM_READY);
}

/* Everything back, whatever state the guest ended in */
static bool cleanup(const struct guest *g, bool started)
{
	n_notes = 0;
	if (call_vmid(MSG_RESET, g->vmid, NULL) || !wait_notes(started ? 4 : 2) ||
	    !is_status(&notes[0], g->vmid, RM_VM_RESETTING) ||
	    !is_status(&notes[started ? 3 : 1], g->vmid, RM_VM_RESET))
		return false;
	if (started && (notes[1].id != NOTE_RELEASED || notes[2].id != NOTE_RELEASED))
		return false;
	return !reclaim(g->image, 0) && !reclaim(g->shm, 0) &&
	       !call_vmid(MSG_DEALLOCATE, g->vmid, NULL);
}

/* Runs a guest to its end, and checks how it ended. */
static void run(u64 command, u64 argument, u8 shm_rights, u32 type, const char *what)
{
	struct guest g;
	bool good = prepare(&g, 0, command, argument, shm_rights, false);
	const u8 *exited = notes[2].data;

	ok(good, what);
	n_notes = 0;
	is(call_vmid(MSG_START, g.vmid, NULL), 0, "  starts");
	ok(wait_notes(3) && is_status(&notes[0], g.vmid, RM_VM_RUNNING) &&
	   is_status(&notes[1], g.vmid, RM_VM_EXITED) && notes[2].id == NOTE_EXITED,
	   "  ends, in the right order");
	is(get32(exited), g.vmid | type << 16, "  for the right reason");
	if (type == 3)
		ok(get32(exited + 4) == 16 && get32(exited + 8) == 0x8000 &&
		   get32(exited + 12) == 0x80000000 && get32(exited + 16) == 0x4321 &&
		   get32(exited + 20) == 0x8765, "  with the recorded words");
	else
		ok(get32(exited + 4) == 4 && !get32(exited + 8), "  with one word, 0");
	is(reclaim(g.image, 0), 0xb, "  keeps its memory until it is reset");
	ok(aborts_on(IMAGE_1, false), "  which the host still cannot access");
	ok(cleanup(&g, true), "  resets and gives everything back");
	ok(!aborts_on(IMAGE_1, false) && *(u32 *)IMAGE_1 == *(u32 *)guest_start,
	   "  its memory is back");
}

static void test_guest_ends(void)
{
	u64 *shm = (u64 *)SHM;

	run(DO_REPORT_AND_OFF, 0, 6, 1, "guest that reports and turns off");
	is(shm[SHM_X0], GUEST_BASE + IMAGE_PIECE, "x0 is its devicetree");
	is(shm[SHM_MAGIC], 0xedfe0dd0, "its memory is contiguous");
	is(shm[SHM_MPIDR], 0x80000000, "MPIDR");
	is(shm[SHM_EL], 4, "EL1");
	is(shm[SHM_API], 0x5100000000008001, "hyp_identify");
	is(shm[SHM_UID], 0xcd8fd5c1, "UID");
	is(shm[SHM_PSCI], 0x10001, "PSCI 1.1");
	is(shm[SHM_UNKNOWN], -1UL, "unknown hypercall");
	ok(fdt_path_offset((void *)IMAGE_2, "/memory") > 0 &&
	   fdt_path_offset((void *)IMAGE_2, "/hypervisor") > 0,
	   "its devicetree has what the manager adds");

	run(DO_RESET, 0, 6, 2, "guest that resets");
	run(DO_RESET2, 0, 6, 3, "guest that resets by RESET2");
	run(DO_ABORT_NO_VECTORS, 0x10000000, 6, 5, "guest that aborts and has no vectors");

	run(DO_ABORT, 0x10000000, 6, 1, "guest that aborts and handles that");
	ok(shm[SHM_ESR] >> 26 == EC_DABT_CUR && (shm[SHM_ESR] & 0x3f) == ESR_FSC_SEA &&
	   shm[SHM_FAR] == 0x10000000, "external abort with the right syndrome");
	run(DO_ABORT, HOST_ENTRY, 6, 1, "guest that reads the host's memory");
	is(shm[SHM_FAR], HOST_ENTRY, "cannot");
	run(DO_ABORT, GUEST_BASE + 2 * IMAGE_PIECE, 6, 1, "guest that reads past its memory");
	is(shm[SHM_FAR], GUEST_BASE + 2 * IMAGE_PIECE, "cannot");
	run(DO_ABORT, GUEST_BASE + 2 * IMAGE_PIECE - 4, 6, 1, "guest that reads its last word");
	is(shm[SHM_ESR], 0, "can");
	run(DO_STORE, GUEST_SHM + 0x80, 6, 1, "guest that writes what it may write");
	is(shm[16], DO_STORE, "does");
	run(DO_STORE, GUEST_SHM + 0x80, 4, 5, "guest that writes what it may only read");
	is(shm[16], 0, "cannot, and neither can its handler");
	run(DO_SYSREG, 0, 6, 1, "guest that looks for a GIC");
	is(shm[SHM_ESR], ESR_IL, "finds an undefined instruction");
	run(DO_PSCI, 0x8400000a, 6, 1, "guest that calls PSCI by SMC");
	is(shm[SHM_RESULT], -1UL, "is answered");
}

static bool wait_count(const struct guest *g, u64 at_least)
{
	u64 end = now_us() + 5000000;

	while (*(volatile u64 *)&shm_of(g)[SHM_COUNT] < at_least) {
		if (now_us() > end)
			return false;
		cpu_relax();
	}
	return true;
}

static void stop(const struct guest *g, const char *what)
{
	struct message m = { 0 };

	put32(&m, g->vmid);
	put32(&m, 0);
	m.data[2] = 1;
	put32(&m, 0);
	m.len = 8;
	n_notes = 0;
	is(call(MSG_STOP, &m, NULL), 0, what);
	ok(n_notes == 2 && is_status(&notes[0], g->vmid, RM_VM_EXITED) &&
	   notes[1].id == NOTE_EXITED && get32(notes[1].data) == (g->vmid | 7 << 16),
	   "  ends before the reply, as forced");
}

static void test_guests_together(void)
{
	struct guest a, b;
	bool good;
	u64 count;
	u32 i;

	ok(prepare(&a, 0, DO_COUNT, 0x1111, 6, false) &&
	   prepare(&b, 0x20000, DO_COUNT, 0x2222, 6, false), "two guests that count for ever");
	n_notes = 0;
	ok(!call_vmid(MSG_START, a.vmid, NULL) && !call_vmid(MSG_START, b.vmid, NULL),
	   "  both start");
	ok(wait_count(&a, 100) && wait_count(&b, 100), "  both run");
	is(control[GH_LAB_CTL_GUESTS / 4], 2, "  two guests are running");
	ok(wait_count(&a, shm_of(&a)[SHM_COUNT] + 100) &&
	   wait_count(&b, shm_of(&b)[SHM_COUNT] + 100), "  and go on, by turns");
	is(n_notes, 2, "  with their own registers");
	stop(&a, "stop the first");
	count = shm_of(&a)[SHM_COUNT];
	ok(wait_count(&b, shm_of(&b)[SHM_COUNT] + 100), "  the second goes on");
	is(shm_of(&a)[SHM_COUNT], count, "  the first does not");
	stop(&b, "stop the second");
	ok(cleanup(&b, true) && cleanup(&a, true), "  both give everything back");

	ok(prepare(&a, 0, DO_WFI, 0, 6, false) && !call_vmid(MSG_START, a.vmid, NULL),
	   "a guest that waits for an interrupt");
	/* It had its turns when others have come to their end. A reset would show. */
	for (good = true, i = 0; good && i < 4; i++) {
		good = prepare(&b, 0x20000, DO_REPORT_AND_OFF, 0, 6, false);
		n_notes = 0;
		good = good && !call_vmid(MSG_START, b.vmid, NULL) && wait_notes(3) &&
		       is_status(&notes[1], b.vmid, RM_VM_EXITED) && cleanup(&b, true);
	}
	ok(good, "  others run, and end");
	is(control[GH_LAB_CTL_GUESTS / 4], 1, "  it goes on waiting");
	stop(&a, "  until it is stopped");
	ok(cleanup(&a, true), "  gives everything back");
}

static void test_start_refused(void)
{
	struct guest g;
	bool good = prepare(&g, 0, DO_REPORT_AND_OFF, 0, 6, true);
	u32 error;

	ok(good, "guest with a shared image");
	n_notes = 0;
	error = call_vmid(MSG_START, g.vmid, NULL);
	if (debug_policy) {
		is(error, 0, "  starts under the debug policy");
		ok(wait_notes(3) && get32(notes[2].data) == (g.vmid | 1 << 16), "  and ends");
		is(fdt_path_offset((void *)IMAGE_2, "/memory") > 0, 1,
		   "  in memory that the host sees");
		ok(cleanup(&g, true), "  gives everything back");
	} else {
		is(error, RM_NORESOURCE, "  is refused under the production policy");
		ok(n_notes == 1 && is_status(&notes[0], g.vmid, RM_VM_INIT_FAILED),
		   "  and failed");
		ok(cleanup(&g, false), "  gives everything back");
	}

	/* Both want the address of the same vdevice. */
	good = prepare(&g, 0, DO_REPORT_AND_OFF, 0, 6, false);
	if (good) {
		struct range r = { SHM_2, PAGE_SIZE };
		u32 handle;

		ok(!give(g.vmid, 6, 6, 0x10, &r, 1, &handle), "a second parcel of that label");
		n_notes = 0;
		is(call_vmid(MSG_START, g.vmid, NULL), RM_NORESOURCE, "  does not start");
		n_notes = 0;
		ok(!call_vmid(MSG_RESET, g.vmid, NULL) && wait_notes(2), "  resets");
		while (notes[n_notes - 1].id != NOTE_STATUS || notes[n_notes - 1].data[4] !=
		       RM_VM_RESET)
			wait_notes(n_notes + 1);
		ok(!reclaim(handle, 0) && !reclaim(g.shm, 0) && !reclaim(g.image, 0) &&
		   !call_vmid(MSG_DEALLOCATE, g.vmid, NULL), "  gives everything back");
	} else {
		ok(false, "prepare");
	}
}

/* For the next message of that id */
static bool add_fault(u32 msg, u32 action, u32 arg)
{
	volatile u32 *c = (volatile u32 *)GH_LAB_CTL_BASE;

	c[GH_LAB_CTL_FAULT_MSG / 4] = msg;
	c[GH_LAB_CTL_FAULT_ACTION / 4] = action;
	c[GH_LAB_CTL_FAULT_ARG / 4] = arg;
	c[GH_LAB_CTL_FAULT_SKIP / 4] = 0;
	c[GH_LAB_CTL_FAULT_COUNT / 4] = 1;
	c[GH_LAB_CTL_FAULT_COMMIT / 4] = 1;
	return !c[GH_LAB_CTL_FAULT_ERROR / 4];
}

static void test_control(void)
{
	volatile u32 *c = (volatile u32 *)GH_LAB_CTL_BASE;
	u32 vmid, before;

	is(c[GH_LAB_CTL_ID / 4], GH_LAB_CTL_MAGIC, "control page");
	is(c[GH_LAB_CTL_POLICY / 4], debug_policy, "policy");
	is(c[GH_LAB_CTL_TZ / 4], 0, "no TrustZone");
	is(c[GH_LAB_CTL_VMIDS / 4], 0, "no VMID is allocated");
	is(c[GH_LAB_CTL_PARCELS / 4], 0, "there is no parcel");
	before = c[GH_LAB_CTL_HOST_FAULTS / 4];
	ok(aborts_on(GH_LAB_CTL_BASE + 0x200, false), "no such register");
	ok(aborts_on(GH_LAB_CTL_BASE + GH_LAB_CTL_CALL_REFUSED, true), "nor this to write");
	ok(aborts_on(GH_LAB_CTL_BASE + GH_LAB_CTL_ID, true), "not a register to write");
	is(c[GH_LAB_CTL_HOST_FAULTS / 4], before + 3, "host faults are counted");
	before = c[GH_LAB_CTL_SENDS / 4];

	ok(add_fault(MSG_ALLOCATE, GH_LAB_FAULT_REFUSE, RM_NOMEM), "fault rule is accepted");
	is(call_vmid(MSG_ALLOCATE, 0, &vmid), RM_NOMEM, "and acts");
	is(c[GH_LAB_CTL_FAULT_HITS / 4], 1, "once");
	is(c[GH_LAB_CTL_SENDS / 4], before + 1, "sends are counted");
	c[GH_LAB_CTL_FAULT_CLEAR / 4] = 1;
	is(c[GH_LAB_CTL_FAULT_HITS / 4], 0, "until it is cleared");
}

static void vcpu_run(u64 cap, u64 resume, u64 x[6])
{
	u64 y[6] = { 0xc6008065, cap, resume };

	smccc_hvc(y);
	memcpy(x, y, sizeof(y));
}

/* So that its timers interrupt this CPU, which takes that only when it runs a guest */
static void gic_open(u32 cpu)
{
	u64 own = gicr + cpu * 0x20000;

	mmio_write32(own + GICR_WAKER, 0);
	while (mmio_read32(own + GICR_WAKER) & 4)
		cpu_relax();
	mmio_write32(own + GICR_IGROUPR0, ~0U);
	mmio_write8(own + GICR_IPRIORITYR + TIMER_VIRTUAL, 0xa0);
	mmio_write8(own + GICR_IPRIORITYR + TIMER_PHYSICAL, 0xa0);
	mmio_write32(own + GICR_ISENABLER0, BIT(TIMER_VIRTUAL) | BIT(TIMER_PHYSICAL));
	write_sysreg_s(0xff, ICC_PMR_EL1);
	write_sysreg_s(1, ICC_IGRPEN1_EL1);
	isb();
}

/* The second CPU: touches what it is told to, and says whether that aborted. */

#define SECOND_TOUCHES	~0UL
#define SECOND_SCHEDULES	(~0UL - 1)
static void schedule(u32 cpu);
static volatile u64 second_addr, second_done, second_aborted;
static u64 second_result[6];

void second_main(u64 context)
{
	u64 seen = 0, addr;

	if (context == SECOND_SCHEDULES) {
		schedule(read_sysreg(mpidr_el1) & 0xff);
		smc1(0x84000002, 0, 0, 0);
	}
	/* Or, with a capability, runs that vCPU until it is not only preempted. */
	if (context != SECOND_TOUCHES) {
		gic_open(1);
		do {
			vcpu_run(context, 0, second_result);
		} while (!second_result[0] && second_result[1] == READY);
		smc1(0x84000002, 0, 0, 0);
	}
	while ((addr = __atomic_load_n(&second_addr, __ATOMIC_ACQUIRE)) != 1) {
		if (!addr || addr == seen) {
			cpu_relax();
			continue;
		}
		/* Bit 0 makes a request differ from the one before it. */
		seen = addr;
		second_aborted = aborts_on(addr & ~1UL, false);
		__atomic_store_n(&second_done, addr, __ATOMIC_RELEASE);
	}
	smc1(0x84000002, 0, 0, 0);
}

static bool second_aborts_on(u64 addr)
{
	__atomic_store_n(&second_addr, addr, __ATOMIC_RELEASE);
	while (__atomic_load_n(&second_done, __ATOMIC_ACQUIRE) != addr)
		cpu_relax();
	return second_aborted;
}

static void test_second_cpu(u32 vmid)
{
	struct range r = { BIG, BIG_SIZE }, one = { BIG, PAGE_SIZE };
	u32 handle;

	for (u32 round = 0; round < 2; round++) {
		second_addr = 0;
		is(smc1(0xc4000003, 1, (u64)second_start, SECOND_TOUCHES), 0,
		   "start the second CPU");
		ok(!second_aborts_on(BIG), "it reads a page");
		is(give(vmid, 7, 0, 0, &one, 1, &handle), 0, "which the first lends");
		ok(second_aborts_on(BIG + 1), "it cannot read it any more");
		is(reclaim(handle, 0), 0, "reclaim");
		ok(!second_aborts_on(BIG), "it can again");
		is(give(vmid, 7, 0, 0, &r, 1, &handle), 0, "lend 48 MiB");
		ok(second_aborts_on(BIG + 1), "it cannot read their first page");
		ok(second_aborts_on(BIG + BIG_SIZE - 8), "nor their last one");
		is(reclaim(handle, 0), 0, "reclaim");
		second_addr = 1;
		while (smc1(0xc4000004, 1, 0, 0) != 1)
			cpu_relax();
		ok(true, "the second CPU is off");
	}
}

/* vCPUs that the host runs */

struct proxy_guest {
	struct guest g;
	u32 vcpus;
	u64 cap[8];
	u32 virq[8];
	u64 bell[3];
	u32 bell_virq;			/* of the third, which is the host's */
};

static u64 get64(const u8 *p)
{
	return get32(p) | (u64)get32(p + 4) << 32;
}

/* Has the virtual interrupt of a vCPU become pending? It is an edge and stays so. */
static bool take_virq(u32 intid)
{
	if (!pending(intid))
		return false;
	clear_pending(intid);
	return true;
}

static bool wait_virq(u32 intid)
{
	u64 end = now_us() + 5000000;

	while (!take_virq(intid)) {
		if (now_us() > end)
			return false;
		cpu_relax();
	}
	return true;
}

/* With the vCPUs that the devicetree lists, of which the first is to run */
static bool get_vcpus(struct proxy_guest *p)
{
	u32 n;

	p->vcpus = vcpus;
	if (call_vmid(MSG_RESOURCES, p->g.vmid, &n) || n != vcpus + (bells ? 3 : 0))
		return false;
	for (u32 i = 0; i < vcpus; i++) {
		u8 *d = reply + 16 + 44 * i, want[44] = { 4, [8] = i };

		p->cap[i] = get64(d + 12);
		p->virq[i] = get32(d + 24);
		memcpy(want + 12, d + 12, 8);
		memcpy(want + 24, d + 24, 4);
		if (memcmp(d, want, sizeof(want)))
			return false;
	}
	return true;
}

/* Of the same reply: five are what a packet has room for. */
static bool get_bells(struct proxy_guest *p)
{
	static const u32 labels[] = { 5, 6, 9 };

	for (u32 i = 0; i < 3; i++) {
		u8 *d = reply + 16 + 44 * (2 + i), want[44] = { i == 2 };

		want[2] = p->g.vmid;
		want[8] = labels[i];
		p->bell[i] = get64(d + 12);
		memcpy(want + 12, d + 12, 8);
		if (i == 2)
			memcpy(want + 24, d + 24, 4);
		p->bell_virq = get32(d + 24);
		if (memcmp(d, want, sizeof(want)))
			return false;
	}
	return true;
}

static bool prepare_proxy(struct proxy_guest *p, u64 at, u64 command, u64 argument)
{
	bool good;

	proxy = true;
	good = prepare(&p->g, at, command, argument, 6, false) && get_vcpus(p) &&
	       (!bells || get_bells(p));
	proxy = false;
	return good;
}

/* Started, and its interrupt taken */
static bool start_proxy(struct proxy_guest *p, u64 at, u64 command, u64 argument)
{
	if (!prepare_proxy(p, at, command, argument) || call_vmid(MSG_START, p->g.vmid, NULL))
		return false;
	n_notes = 0;
	return take_virq(p->virq[0]);
}

/* Runs it until it leaves for something else than the host's interrupts, which are none. */
static bool leaves_from(u64 cap, u64 resume, u64 state, u64 d0, u64 d1, u64 d2)
{
	u64 x[6];

	vcpu_run(cap, resume, x);
	if (!x[0] && x[1] == state && x[2] == d0 && x[3] == d1 && x[4] == d2)
		return true;
	print("# vcpu_run: error %lx, state %lx, data %lx %lx %lx\n", x[0], x[1], x[2], x[3],
	      x[4]);
	return false;
}

static bool leaves(const struct proxy_guest *p, u64 resume, u64 state, u64 d0, u64 d1, u64 d2)
{
	return leaves_from(p->cap[0], resume, state, d0, d1, d2);
}

/* The manager tells the end of a guest that has come to it in vcpu_run. */
static void ended_proxy(const struct proxy_guest *p, u32 type)
{
	u64 x[6];

	ok(wait_notes(2) && is_status(&notes[0], p->g.vmid, RM_VM_EXITED) &&
	   notes[1].id == NOTE_EXITED && get32(notes[1].data) == (p->g.vmid | type << 16),
	   "  which is told");
	ok(leaves(p, 0, POWERED_OFF, 1, 0, 0), "  is off for good then");
	ok(cleanup(&p->g, true), "  gives everything back");
	vcpu_run(p->cap[0], 0, x);
	is(x[0], 50, "  and its capability");
}

static void stop_proxy(const struct proxy_guest *p)
{
	stop(&p->g, "  stop it");
	ok(leaves(p, 0, POWERED_OFF, 1, 0, 0), "  it is off for good");
	ok(cleanup(&p->g, true), "  gives everything back");
}

static void test_vcpu_resources(void)
{
	struct proxy_guest a, b;
	struct guest g;
	u64 x[6] = { 0 };
	u32 n;

	ok(prepare_proxy(&a, 0, DO_REPORT_AND_OFF, 0), "guest that the host runs: its vCPUs");
	ok(prepare_proxy(&b, 0x20000, DO_REPORT_AND_OFF, 0), "  and those of another");
	ok(a.cap[0] != a.cap[1] && a.cap[0] != b.cap[0] && a.cap[0] != b.cap[1] &&
	   a.cap[1] != b.cap[0] && a.cap[1] != b.cap[1] && b.cap[0] != b.cap[1],
	   "  have capabilities of their own");
	ok(a.virq[1] == a.virq[0] + 1 && b.virq[0] == a.virq[0] + 2 &&
	   a.virq[0] == rx_intid + 1, "  and interrupts, from the queues' on");
	if (debug_policy)
		ok(a.cap[0] == 3 && a.cap[1] == 4, "  capability ids as recorded");
	else
		ok(a.cap[0] >> 32 == rx_cap >> 32, "  random capability ids");
	ok(leaves(&a, 0, POWERED_OFF, 0, 0, 0), "  are off, not for good");
	ok(!pending(a.virq[0]) && !pending(b.virq[0]), "  and have nothing to tell");

	is(send_to(a.cap[0], x), 52, "send to a vCPU's capability");
	vcpu_run(tx_cap, 0, x);
	is(x[0], 52, "vcpu_run of a queue");
	vcpu_run(999, 0, x);
	is(x[0], 1, "vcpu_run of a capability that is not there");
	x[0] = a.cap[0];
	x[4] = 1;
	native_vcpu_run(x);
	is(x[0], 1, "vcpu_run with a reserved argument");
	x[0] = a.cap[1];
	x[4] = 0;
	native_vcpu_run(x);
	ok(!x[0] && x[1] == POWERED_OFF && !x[2] && !x[3] && !x[4], "vcpu_run, native");

	n_notes = 0;
	is(call_vmid(MSG_START, a.g.vmid, NULL), 0, "start one");
	ok(take_virq(a.virq[0]), "  it is announced as runnable");
	ok(!pending(a.virq[1]) && !pending(b.virq[0]), "  and no other");
	sync_hidden();
	ok(!pending(a.virq[0]), "  once");
	ok(cleanup(&b.g, false), "  the other gives everything back");
	vcpu_run(b.cap[0], 0, x);
	is(x[0], 50, "  and its capability");
	n_notes = 0;
	ok(leaves(&a, 0, POWERED_OFF, 0, 0, 0), "  the first runs, and turns off");
	is(shm_of(&a.g)[SHM_MPIDR], 0x80000000, "  MPIDR");
	is(shm_of(&a.g)[SHM_X0], GUEST_BASE + IMAGE_PIECE, "  x0 is its devicetree");
	ended_proxy(&a, 1);

	ok(prepare(&g, 0, DO_WFI, 0, 6, false) && !call_vmid(MSG_RESOURCES, g.vmid, &n) &&
	   n == 1 && get32(reply + 16 + 24) == ~0U && get64(reply + 16 + 12) == a.cap[0],
	   "guest that the hypervisor runs: no interrupt, and numbers are used again");
	vcpu_run(a.cap[0], 0, x);
	is(x[0], 31, "  vcpu_run");
	ok(cleanup(&g, false), "  gives everything back");
}

/* Requests for resources are under the fault rules like any other. */
static void test_resource_faults(void)
{
	volatile u32 *c = (volatile u32 *)GH_LAB_CTL_BASE;
	u8 p[RM_PACKET_SIZE];
	struct proxy_guest a;
	u64 len = 0, sent;
	u32 n;

	ok(prepare_proxy(&a, 0, DO_REPORT_AND_OFF, 0), "guest whose resources are asked for");
	add_fault(MSG_RESOURCES, GH_LAB_FAULT_REFUSE, RM_NOMEM);
	is(call_vmid(MSG_RESOURCES, a.g.vmid, &n), RM_NOMEM, "  refused");
	ok(!call_vmid(MSG_RESOURCES, a.g.vmid, &n) && n == 2, "  once");
	add_fault(MSG_RESOURCES, GH_LAB_FAULT_TRUNCATE, 8 + 44 + 43);
	ok(!call_vmid(MSG_RESOURCES, a.g.vmid, &n) && n == 2 && !reply[16 + 44 + 43],
	   "  cut off");
	add_fault(MSG_RESOURCES, GH_LAB_FAULT_DELAY, 200);
	sent = now_us();
	ok(!call_vmid(MSG_RESOURCES, a.g.vmid, &n) && n == 2 && now_us() - sent >= 190000,
	   "  answered late");
	for (u32 action = GH_LAB_FAULT_IGNORE; action <= GH_LAB_FAULT_NO_REPLY; action++) {
		add_fault(MSG_RESOURCES, action, 0);
		make_get_vmid(p, 0x5555);
		p[4] = (u8)MSG_RESOURCES;
		memcpy(p + 8, &a.g.vmid, 4);
		send(p, 12, NULL);
		sync_hidden();
		make_get_vmid(p, 0x5556);
		send(p, 8, NULL);
		ok(receive_wait(p, &len) && p[2] == 0x56, "  not answered, but what follows is");
	}
	is(c[GH_LAB_CTL_FAULT_HITS / 4], 5, "  five times in all");
	c[GH_LAB_CTL_FAULT_CLEAR / 4] = 1;
	ok(cleanup(&a.g, false), "  gives everything back");
}

static void test_vcpu_mmio(void)
{
	const u64 at = 0x10000000;
	struct proxy_guest p;

	/* As it was recorded, but for the second store of the same, until the signed loads */
	ok(start_proxy(&p, 0, DO_MMIO, at), "guest with devices that the host emulates");
	ok(leaves(&p, 0, VMMIO_WRITE, at, 4, 0xabcd1234), "  stores 4 bytes");
	ok(leaves(&p, 0, VMMIO_READ, at + 4, 4, 0), "  loads 4 bytes");
	ok(leaves(&p, 0xcafe0004, VMMIO_WRITE, at + 8, 4, 0xcafe0005), "  and has got them");
	ok(leaves(&p, 0, VMMIO_WRITE, at + 0xc, 1, 0x5a), "  stores a byte");
	ok(leaves(&p, 0, VMMIO_WRITE, at + 0xe, 2, 0x5a), "  stores 2 bytes");
	ok(leaves(&p, 0, VMMIO_WRITE, at + 0x14, 4, 0xcafe0005), "  has got it once");
	ok(leaves(&p, 0, VMMIO_READ, at + 0x10, 1, 0), "  loads a byte");
	ok(leaves(&p, 0xcafe0010, VMMIO_WRITE, at + 0x18, 8, 0xcafe0010),
	   "  and has got all that the register takes");
	ok(leaves(&p, 0, VMMIO_READ, at + 0x20, 8, 0), "  loads 8 bytes");
	ok(leaves(&p, 0x1122334455667788, VMMIO_WRITE, at + 0x28, 8, 0x1122334455667788),
	   "  and has got them");
	ok(leaves(&p, 0, VMMIO_WRITE, at + 0x30, 8, 0), "  stores the zero register");
	ok(leaves(&p, 0, VMMIO_READ, at + 0x38, 1, 0), "  loads a signed byte");
	ok(leaves(&p, 0x1280, VMMIO_WRITE, at + 0x40, 8, 0xffffffffffffff80), "  in 64 bits");
	ok(leaves(&p, 0, VMMIO_READ, at + 0x48, 2, 0), "  loads a signed halfword");
	ok(leaves(&p, 0x8001, VMMIO_WRITE, at + 0x50, 8, 0xffff8001), "  in 32 bits");
	ok(leaves(&p, 0, VMMIO_READ, at + 0x58, 4, 0), "  loads the zero register");
	ok(leaves(&p, ~0UL, POWERED_OFF, 0, 0, 0), "  loads a pair, and turns off");
	ok(shm_of(&p.g)[SHM_ESR] >> 26 == EC_DABT_CUR && shm_of(&p.g)[SHM_FAR] == at + 0x60,
	   "  because of an abort");
	ended_proxy(&p, 1);

	ok(start_proxy(&p, 0, DO_ABORT, 0x3ffffffc) &&
	   leaves(&p, 0, VMMIO_READ, 0x3ffffffc, 4, 0), "the last word for devices");
	ok(leaves(&p, 0x77, POWERED_OFF, 0, 0, 0), "  is loaded");
	is(shm_of(&p.g)[SHM_RESULT], 0x77, "  as the host said");
	ended_proxy(&p, 1);
	ok(start_proxy(&p, 0, DO_ABORT, 0x40000000) && leaves(&p, 0, POWERED_OFF, 0, 0, 0),
	   "the word behind it");
	is(shm_of(&p.g)[SHM_FAR], 0x40000000, "  is an abort for the guest");
	ended_proxy(&p, 1);
	ok(start_proxy(&p, 0, DO_MMIO, at) && leaves(&p, 0, VMMIO_WRITE, at, 4, 0xabcd1234) &&
	   leaves(&p, 0, VMMIO_READ, at + 4, 4, 0), "guest that waits for what it loads");
	stop_proxy(&p);
}

static void test_vcpu_ends(void)
{
	struct proxy_guest p;

	ok(start_proxy(&p, 0, DO_RESET, 0) && leaves(&p, 0, SYSTEM_RESET, BIT(63), 0, 0),
	   "guest that resets");
	ended_proxy(&p, 2);
	ok(start_proxy(&p, 0, DO_RESET2, 0) &&
	   leaves(&p, 0, SYSTEM_RESET, BIT(62) | 0x80000000, 0x876500004321, 0),
	   "guest that resets by RESET2");
	ended_proxy(&p, 3);
	ok(start_proxy(&p, 0, DO_ABORT_NO_VECTORS, HOST_ENTRY) && leaves(&p, 0, FAULT, 0, 0, 0),
	   "guest that aborts and has no vectors");
	ended_proxy(&p, 5);
	ok(start_proxy(&p, 0, DO_PSCI, 0x84000002) && leaves(&p, 0, POWERED_OFF, 0, 0, 0),
	   "guest that turns its only CPU off");
	ok(leaves(&p, 0, POWERED_OFF, 0, 0, 0), "  it stays off");
	sync_hidden();
	is(control[GH_LAB_CTL_GUESTS / 4], 1, "  but is a running guest");
	stop_proxy(&p);
	ok(prepare_proxy(&p, 0, DO_WFI, 0) && !call_vmid(MSG_START, p.g.vmid, NULL) &&
	   pending(p.virq[0]), "guest that is announced and never run");
	stop_proxy(&p);
	ok(!pending(p.virq[0]), "  its interrupt too");
	ok(start_proxy(&p, 0, DO_SYSREG, 0) && leaves(&p, 0, POWERED_OFF, 0, 0, 0),
	   "guest that looks for a GIC");
	is(shm_of(&p.g)[SHM_ESR], 0, "  finds one");
	ended_proxy(&p, 1);
}

static void test_vcpu_sleep(void)
{
	u64 ticks = read_sysreg(cntfrq_el0) / 3;
	struct proxy_guest p;

	ok(start_proxy(&p, 0, DO_WFI, 0) && leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0),
	   "guest that waits for an interrupt");
	ok(leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0), "  it goes on waiting");
	sync_hidden();
	ok(!pending(p.virq[0]), "  and is not announced");
	stop(&p.g, "  stop it");
	ok(!pending(p.virq[0]), "  which is not announced either");
	ok(leaves(&p, 0, POWERED_OFF, 1, 0, 0), "  it is off for good");
	ok(cleanup(&p.g, true), "  gives everything back");

	ok(start_proxy(&p, 0, DO_SLEEP, ticks) && leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0),
	   "guest that waits for its timer, by WFI");
	ok(wait_virq(p.virq[0]), "  is announced as runnable");
	sync_hidden();
	ok(!pending(p.virq[0]), "  once");
	is(shm_of(&p.g)[SHM_COUNT], 0, "  does not run by itself");
	ok(leaves(&p, 0, EXPECTS_WAKEUP, SLEEP_POWER_STATE, 2, 0), "  goes on, waits by PSCI");
	is(shm_of(&p.g)[SHM_COUNT], 1, "  its timer was due");
	ok(wait_virq(p.virq[0]), "  is announced as runnable");
	ok(leaves(&p, 0, POWERED_OFF, 0, 0, 0), "  goes on, and does not wait when it is due");
	ok(shm_of(&p.g)[SHM_COUNT] == 3 && !shm_of(&p.g)[SHM_RESULT], "  to its end");
	ended_proxy(&p, 1);
}

/* Runs a guest that counts until the host's timer interrupts that. */
static bool preempted(const struct proxy_guest *p, bool virtual)
{
	u64 deadline = read_sysreg(cntpct_el0) + read_sysreg(cntfrq_el0) / 100, x[6], cval;
	bool good;

	if (virtual) {
		write_sysreg(deadline, cntv_cval_el0);
		write_sysreg(1, cntv_ctl_el0);
	} else {
		write_sysreg(deadline, cntp_cval_el0);
		write_sysreg(1, cntp_ctl_el0);
	}
	isb();
	fill_regs(deadline);
	vcpu_run(p->cap[0], 0, x);
	good = regs_hold(deadline) && !x[0] && x[1] == READY && !x[2] && !x[3] && !x[4];
	/* For the host to take, who was not interrupted too early */
	isb();
	good = good && (read_sysreg(isr_el1) & ISR_I) && read_sysreg(cntpct_el0) >= deadline;
	cval = virtual ? read_sysreg(cntv_cval_el0) : read_sysreg(cntp_cval_el0);
	write_sysreg(0, cntv_ctl_el0);
	write_sysreg(0, cntp_ctl_el0);
	isb();
	return good && cval == deadline && !(read_sysreg(isr_el1) & ISR_I);
}

static void test_vcpu_preempted(void)
{
	struct proxy_guest a, b;
	struct guest g;
	bool good = true;
	u32 enabled, ready;
	u64 count;

	enabled = mmio_read32(gicr + GICR_ISENABLER0);
	ok(start_proxy(&a, 0, DO_COUNT, 0x1111), "guest that counts for ever");
	ready = control[GH_LAB_CTL_VCPU_READY / 4];
	ok(preempted(&a, false), "  is preempted by the host's physical timer");
	is(control[GH_LAB_CTL_VCPU_READY / 4], ready + 1, "  which is counted");
	count = shm_of(&a.g)[SHM_COUNT];
	ok(count, "  it ran");
	ok(preempted(&a, true), "  is preempted by the host's virtual timer");
	ok(shm_of(&a.g)[SHM_COUNT] > count, "  it went on");
	count = shm_of(&a.g)[SHM_COUNT];

	ok(prepare(&g, 0x20000, DO_COUNT, 0x2222, 6, false) &&
	   !call_vmid(MSG_START, g.vmid, NULL) && wait_count(&g, 100),
	   "  beside one that the hypervisor runs");
	is(shm_of(&a.g)[SHM_COUNT], count, "  it does not run by itself");
	ok(start_proxy(&b, 0x40000, DO_COUNT, 0x3333), "  and another one");
	for (u32 i = 0; good && i < 10; i++)
		good = preempted(i & 1 ? &a : &b, i & 2);
	ok(good, "  all run, by turns");
	ok(shm_of(&a.g)[SHM_COUNT] > count && shm_of(&b.g)[SHM_COUNT] &&
	   wait_count(&g, shm_of(&g)[SHM_COUNT] + 100), "  and go on");
	is(mmio_read32(gicr + GICR_ISENABLER0), enabled, "  the host's interrupts are as before");
	is(n_notes, 0, "  each with its own registers");
	stop(&g, "  stop the hypervisor's");
	ok(cleanup(&g, true), "  gives everything back");
	stop_proxy(&b);
	stop_proxy(&a);
}

static void test_vcpu_elsewhere(void)
{
	struct proxy_guest p;
	u64 x[6];

	ok(start_proxy(&p, 0, DO_COUNT, 0x4444) &&
	   !smc1(0xc4000003, 1, (u64)second_start, p.cap[0]), "the second CPU runs a guest");
	ok(wait_count(&p.g, 100), "  which counts");
	vcpu_run(p.cap[0], 0, x);
	is(x[0], 31, "  vcpu_run on the first");
	vcpu_run(p.cap[1], 0, x);
	ok(!x[0] && x[1] == POWERED_OFF && !x[2], "  and of a vCPU that is off");
	stop(&p.g, "  stop it");
	while (smc1(0xc4000004, 1, 0, 0) != 1)
		cpu_relax();
	ok(!second_result[0] && second_result[1] == POWERED_OFF && second_result[2] == 1,
	   "  the second CPU gets to know");
	ok(leaves(&p, 0, POWERED_OFF, 1, 0, 0), "  and the first");
	ok(cleanup(&p.g, true), "  gives everything back");
}

/* What a guest with several vCPUs or interrupts has reported */
static bool reports(const struct proxy_guest *p, const u64 *want, u32 n)
{
	const u64 *shm = shm_of(&p->g);
	bool good = shm[SHM_REPORTS] == n;

	for (u32 i = 0; i < n; i++)
		good &= shm[SHM_REPORT + i] == want[i];
	for (u32 i = 0; !good && i < n; i++)
		print("# report %u of %u: %lx, expected %lx\n", i, (u32)shm[SHM_REPORTS],
		      shm[SHM_REPORT + i], want[i]);
	return good;
}

static void test_vcpu_cpus(void)
{
	u64 ticks = read_sysreg(cntfrq_el0) / 2;
	const u64 want[] = {
		/* PSCI_AFFINITY_INFO of one that is off and of one that is not there, */
		1, -2UL,
		/* CPU_ON of that and of itself, and of the other one: twice, and so it is on */
		-2UL, -4UL, 0, -4UL, 2,
		/* Both times it starts with all masked. */
		0, 0x80000001, GUEST_CONTEXT, 3, 1, 0,
		0, 0x80000001, GUEST_CONTEXT_2, 5, 0, -3UL, 3, 5,
		0x80000000, GUEST_CONTEXT_3,
	};
	struct proxy_guest p;

	ok(start_proxy(&p, 0, DO_CPUS, ticks) && leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0),
	   "guest of two vCPUs, of which the first turns the second on");
	ok(take_virq(p.virq[1]) && !pending(p.virq[0]), "  that one is announced as runnable");
	ok(leaves_from(p.cap[1], 0, POWERED_OFF, 0, 0, 0),
	   "  it interrupts the first one and turns itself off");
	ok(take_virq(p.virq[0]) && !pending(p.virq[1]), "  the first is announced as runnable");
	ok(leaves_from(p.cap[1], 0, POWERED_OFF, 0, 0, 0), "  the second stays off");
	ok(leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0), "  until the first turns it on again");
	ok(take_virq(p.virq[1]), "  it is announced");
	ok(leaves_from(p.cap[1], 0, EXPECTS_WAKEUP, 0, 1, 0), "  and sleeps");
	ok(wait_virq(p.virq[0]) && leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0),
	   "  the first goes on by its timer, and interrupts it");
	ok(take_virq(p.virq[1]) && leaves_from(p.cap[1], 0, POWERED_OFF, 0, 0, 0),
	   "  it turns itself off");
	ok(wait_virq(p.virq[0]) && leaves(&p, 0, EXPECTS_WAKEUP, 0, 3, 0),
	   "  the first suspends the system");
	ok(leaves(&p, 0, EXPECTS_WAKEUP, 0, 3, 0), "  it stays so");
	ok(wait_virq(p.virq[0]) && leaves(&p, 0, POWERED_OFF, 0, 0, 0),
	   "  goes on by its timer, and turns off");
	ok(reports(&p, want, ARRAY_SIZE(want)), "  both have seen what they should have");
	ended_proxy(&p, 1);
}

static void test_vcpu_timer(void)
{
	u64 ticks = read_sysreg(cntfrq_el0) / 5, want[10];
	struct proxy_guest p;
	bool good = true;

	for (u32 i = 0; i < ARRAY_SIZE(want); i++)
		want[i] = 5;
	ok(start_proxy(&p, 0, DO_TIMER, ticks), "guest whose timer interrupts it");
	for (u32 i = 0; good && i < ARRAY_SIZE(want) / 2; i++)
		good = leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0) && wait_virq(p.virq[0]);
	ok(good, "  while it sleeps, and also while it runs without leaving");
	ok(leaves(&p, 0, POWERED_OFF, 0, 0, 0), "  turns off");
	ok(reports(&p, want, ARRAY_SIZE(want)), "  it was due each time");
	ended_proxy(&p, 1);
}

/* Nobody tells that nothing happens: the hidden CPU looks at the timer, and then at us. */
static void test_vcpu_masked(void)
{
	struct proxy_guest p;

	for (u32 way = 0; way < 5; way++) {
		ok(start_proxy(&p, 0, DO_MASKED, way) && leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0),
		   "guest that sleeps and has masked its timer");
		while (read_sysreg(cntpct_el0) <= shm_of(&p.g)[SHM_REPORT])
			cpu_relax();
		sync_hidden();
		ok(!pending(p.virq[0]) && leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0),
		   "  goes on when that is due");
		stop_proxy(&p);
	}
}

static void test_vcpu_order(void)
{
	const u64 want[] = {
		/* Pending, and then enabled, too */
		0, ISR_I, 1,
		47, 40, 41, 42, 43, 44, 45, 46, 0,
		/* Again, while one that is less urgent is still active and has no register */
		48, 47, 40, 41, 42, 43, 44, 45, 46, 0,
		/* All but one do not come. */
		47, 0x7d,
		/* Number and priority while it is active; then the ends */
		64 << 8 | 0xe0, 65 << 8 | 0xc0, 66 << 8 | 0xa0, 67 << 8 | 0x80, 68 << 8 | 0x60,
		69 << 8 | 0x40, 70 << 8 | 0x20, 70, 69, 68, 67, 66, 65, 64, 0, 0xff,
	};
	struct proxy_guest p;

	ok(start_proxy(&p, 0, DO_ORDER, 0) && leaves(&p, 0, POWERED_OFF, 0, 0, 0),
	   "guest that has many interrupts at once");
	ok(reports(&p, want, ARRAY_SIZE(want)), "  takes each once and by priority");
	ended_proxy(&p, 1);
}

static void test_vcpu_registers(void)
{
	const u64 want[] = {
		0, 0, 0, 0x101006, 0, 0, 0,
		/* PSCI_FEATURES of SYSTEM_SUSPEND, SMCCC_ARCH_FEATURES of itself and of more */
		0, 0, -1UL,
		/* GICD_CTLR, TYPER and PIDR2; GICR_TYPER twice, WAKER and PIDR2 */
		0x50, 0x2480008, 0x3b, 0, 1UL << 32 | 0x110, 0, 0x3b, 0,
	};
	struct proxy_guest p;
	u64 *shm;

	ok(start_proxy(&p, 0, DO_REGISTERS, 0) && leaves(&p, 0, POWERED_OFF, 0, 0, 0),
	   "guest that looks at registers");
	shm = shm_of(&p.g);
	/* Of these the CPU's own values go through, but for what a guest is not given. */
	is(shm[SHM_REPORT] & 0x00f0fffff000ffff, 0x11, "  PFR0: no EL2, SVE, RAS");
	is((shm[SHM_REPORT] >> 24) & 0xf, 1, "  and a GIC");
	is(shm[SHM_REPORT + 1] & ~0xffUL, 0, "  PFR1: no MTE, no SME");
	is(shm[SHM_REPORT + 4] & 0xff000ff0, 0, "  ISAR1: no pointer authentication");
	shm[SHM_REPORT] = 0;
	shm[SHM_REPORT + 1] = 0;
	shm[SHM_REPORT + 4] = 0;
	ok(reports(&p, want, ARRAY_SIZE(want)), "  and the rest");
	ok(shm[SHM_ESR] >> 26 == EC_DABT_CUR && shm[SHM_FAR] == GUEST_GICD,
	   "  a store that the GIC does not have aborts");
	ended_proxy(&p, 1);
}

/*
 * A host that runs many vCPUs on some CPUs, by turns of a millisecond. It ends with the
 * guest, or when that has taken too long, and says of each vCPU how it left last.
 */
#define SCHEDULE_US	120000000
static struct {
	struct proxy_guest p;
	u32 taken[8];
	bool asleep[8];
	u64 last[8][6];
	u64 until;
	bool ended;
} sched;

static void schedule(u32 cpu)
{
	gic_open(cpu);
	for (u32 i = cpu; !__atomic_load_n(&sched.ended, __ATOMIC_ACQUIRE); i++) {
		u32 n = i % sched.p.vcpus;
		u64 *x = sched.last[n];

		if (now_us() > sched.until)
			break;
		if (__atomic_exchange_n(&sched.taken[n], 1, __ATOMIC_ACQUIRE))
			continue;
		if (!sched.asleep[n] || take_virq(sched.p.virq[n])) {
			write_sysreg(read_sysreg(cntpct_el0) + read_sysreg(cntfrq_el0) / 1000,
				     cntp_cval_el0);
			write_sysreg(1, cntp_ctl_el0);
			isb();
			vcpu_run(sched.p.cap[n], 0, x);
			write_sysreg(0, cntp_ctl_el0);
			isb();
			sched.asleep[n] = x[1] == EXPECTS_WAKEUP || x[1] == POWERED_OFF;
			if (x[0] || x[2] || (x[1] == POWERED_OFF && !n) || x[1] > POWERED_OFF)
				__atomic_store_n(&sched.ended, true, __ATOMIC_RELEASE);
		}
		__atomic_store_n(&sched.taken[n], 0, __ATOMIC_RELEASE);
	}
}

/* On so many CPUs, but for this one; all vCPUs, or all but the first */
static void schedule_start(u32 on, bool all)
{
	memset(sched.taken, 0, sizeof(sched.taken));
	sched.taken[0] = !all;
	memset(sched.asleep, 0, sizeof(sched.asleep));
	sched.ended = false;
	sched.until = now_us() + SCHEDULE_US;
	for (u32 i = 1; i < on; i++)
		smc1(0xc4000003, i, (u64)second_start, SECOND_SCHEDULES);
}

static void schedule_end(u32 on)
{
	for (u32 i = 1; i < on; i++) {
		while (smc1(0xc4000004, i, 0, 0) != 1)
			cpu_relax();
	}
}

static void ipi(u32 on, u32 n, u64 rounds)
{
	const struct proxy_guest *p = &sched.p;
	const u64 *shm;
	bool good = true;

	vcpus = n;
	ok(start_proxy(&sched.p, 0, DO_IPI, rounds), "guest whose vCPUs interrupt each other");
	vcpus = 2;
	print("# %u vCPUs on %u CPUs\n", n, on);
	schedule_start(on, true);
	schedule(0);
	schedule_end(on);
	shm = shm_of(&p->g);
	for (u32 i = 0; i < n; i++) {
		good &= shm[SHM_DONE + i];
		if (!shm[SHM_DONE + i])
			print("# vCPU %u: error %lx state %lx %lx %lx\n", i, sched.last[i][0],
			      sched.last[i][1], sched.last[i][2], sched.last[i][3]);
	}
	ok(good, "  loses none");
	is(shm[SHM_REPORTS], 0, "  nor has any other");
	if (!good) {
		stop(&p->g, "  stop it");
		cleanup(&p->g, true);
		return;
	}
	ok(sched.last[0][1] == POWERED_OFF, "  turns off");
	ok(wait_notes(2) && is_status(&notes[0], p->g.vmid, RM_VM_EXITED), "  which is told");
	for (u32 i = 0; i < n; i++)
		good &= leaves_from(p->cap[i], 0, POWERED_OFF, 1, 0, 0);
	ok(good, "  all are off for good");
	ok(cleanup(&p->g, true), "  gives everything back");
}

static void test_vcpu_ipi(void)
{
	ipi(1, 2, 200);
	if (second_cpu) {
		ipi(2, 2, 2000);
		ipi(cpus, 8, 200);
	}
}

/* One turns another on as soon as that is off, which may not have left then. */
static void test_vcpu_on_off(void)
{
	const struct proxy_guest *p = &sched.p;

	ok(start_proxy(&sched.p, 0, DO_ON_OFF, 200), "guest whose second vCPU is off and on");
	schedule_start(2, true);
	schedule(0);
	schedule_end(2);
	is(shm_of(&p->g)[SHM_READY], 200, "  is always on again");
	if (sched.last[0][1] == POWERED_OFF)
		ended_proxy(p, 1);
	else
		stop_proxy(p);
}

/* One looks at what another has in its registers, and turns the guest off. */
static void test_vcpu_all_leave(void)
{
	/* Pending, active; and active when that has ended */
	const u64 want[] = { 0, BIT(50 - 32), 0 };

	ok(start_proxy(&sched.p, 0, DO_SPIN, 0), "guest of two vCPUs on two CPUs");
	schedule_start(2, false);
	ok(leaves(&sched.p, 0, POWERED_OFF, 0, 0, 0), "  one turns it off");
	schedule_end(2);
	ok(!sched.last[1][0] && sched.last[1][1] == POWERED_OFF && sched.last[1][2] == 1,
	   "  the other leaves, and is off for good");
	ok(reports(&sched.p, want, ARRAY_SIZE(want)), "  its interrupt was seen");
	ended_proxy(&sched.p, 1);
}

/* Between IMAGE_2, IMAGE_1 and SHM is room for eight guests. */
static u64 place(u32 n)
{
	return n % 8 * 0x20000 + n / 8 * 0x300000;
}

/* There are 54 interrupts to wake vCPUs, two for each guest here. */
static void test_vcpu_limit(void)
{
	static struct proxy_guest p[28];
	bool good = true;

	for (u32 i = 0; good && i < 27; i++)
		good = prepare_proxy(&p[i], place(i), DO_WFI, 0);
	ok(good, "27 guests that the host is to run");
	ok(!prepare_proxy(&p[27], place(27), DO_WFI, 0) &&
	   is_status(&notes[1], p[27].g.vmid, RM_VM_INIT_FAILED), "  are all that can be");
	for (u32 i = 0; good && i < 28; i++)
		good = cleanup(&p[i].g, false);
	ok(good, "  give everything back");
	ok(start_proxy(&p[0], 0, DO_REPORT_AND_OFF, 0) &&
	   leaves(&p[0], 0, POWERED_OFF, 0, 0, 0), "  another one");
	ended_proxy(&p[0], 1);
}

/* Doorbells */

#define BELL_SEND	0xc6008012
#define BELL_RECEIVE	0xc6008013
#define BELL_RESET	0xc6008014
#define BELL_SET_MASK	0xc6008015
#define KNOCK		0x10000000	/* where the guest stores when its call is done */

static u64 old_flags;

static u64 bell_call(u64 fn, u64 cap, u64 a, u64 b, u64 c)
{
	u64 x[6] = { fn, cap, a, b, c };

	smccc_hvc(x);
	old_flags = x[1];
	return x[0];
}

/* A host's call that has to work and to return these flags as the old ones */
static bool host_bell(u64 fn, u64 cap, u64 a, u64 old)
{
	u64 error = bell_call(fn, cap, a, 0, 0);

	if (!error && old_flags == old)
		return true;
	print("# error %lx, old flags %lx\n", error, old_flags);
	return false;
}

/* The guest makes a call, and the host runs it meanwhile. */
static u64 guest_call(const struct proxy_guest *p, u64 fn, u64 cap, u64 a, u64 b, u64 c)
{
	u64 call[6] = { fn, cap, a, b, c };
	u64 *shm = shm_of(&p->g);

	memcpy(shm + SHM_CALLS, call, sizeof(call));
	shm[SHM_COUNT] = 1;
	if (!leaves(p, 0, VMMIO_WRITE, KNOCK, 4, 0))
		return 0xdead;
	old_flags = shm[SHM_CALLS + 7];
	return shm[SHM_CALLS + 6];
}

static bool guest_bell(const struct proxy_guest *p, u64 fn, u64 cap, u64 a, u64 old)
{
	u64 error = guest_call(p, fn, cap, a, 0, 0);

	if (!error && old_flags == old)
		return true;
	print("# guest: error %lx, old flags %lx\n", error, old_flags);
	return false;
}

static bool prepare_bells(struct proxy_guest *p, u64 at, u64 command)
{
	bool good;

	bells = true;
	good = prepare_proxy(p, at, command, KNOCK);
	bells = false;
	return good;
}

static void test_bell_errors(const struct proxy_guest *p)
{
	u64 level = p->bell[0], edge = p->bell[1], source = p->bell[2], x[6] = { 0 };
	static const u32 calls[] = { BELL_SEND, BELL_RECEIVE, BELL_RESET, BELL_SET_MASK };

	for (u32 i = 0; i < ARRAY_SIZE(calls); i++) {
		u64 a = i == 2 ? 0 : 1;

		is(bell_call(calls[i], 999, a, 0, 0), 1, "a doorbell that is not there");
		is(bell_call(calls[i], tx_cap, a, 0, 0), 52, "  that is a queue");
		is(bell_call(calls[i], p->cap[0], a, 0, 0), 52, "  that is a vCPU");
		is(bell_call(calls[i], level, 1, i < 2, 1), 1,
		   "  with a reserved argument");
	}
	is(bell_call(BELL_RECEIVE, level, 0, 0, 0), 1, "  that is read and no flag cleared");
	is(bell_call(BELL_SEND, source, 1, 0, 0), 53, "send of what the guest sends");
	is(bell_call(BELL_RECEIVE, edge, 1, 0, 0), 53, "a guest's doorbell is the guest's to read");
	is(bell_call(BELL_SET_MASK, edge, 1, 1, 0), 53, "  to mask");
	is(bell_call(BELL_RESET, edge, 0, 0, 0), 53, "  and to reset");
	vcpu_run(level, 0, x);
	is(x[0], 52, "vcpu_run of a doorbell");
	is(send_to(level, x), 52, "message to a doorbell");
	x[0] = edge;
	x[1] = 0;
	x[2] = 0;
	native_bell_send(x);
	ok(!x[0] && !x[1], "send of nothing, native");
}

static void test_guest_bell_errors(const struct proxy_guest *p)
{
	is(guest_call(p, BELL_SEND, 300, 1, 0, 0), 1, "the guest: a capability that is not there");
	is(guest_call(p, BELL_SEND, 3, 1, 0, 0), 50, "  one that might be");
	is(guest_call(p, BELL_SEND, 1, 1, 0, 0), 53, "  send of what the host sends");
	is(guest_call(p, BELL_RECEIVE, 2, 1, 0, 0), 53, "  receive of what the host receives");
	is(guest_call(p, BELL_SET_MASK, 2, 1, 1, 0), 53, "  mask of that");
	is(guest_call(p, BELL_RESET, 2, 0, 0, 0), 53, "  reset of that");
	is(guest_call(p, BELL_RECEIVE, 0, 0, 0, 0), 1, "  receive of nothing");
	is(guest_call(p, BELL_SEND, 2, 1, 1, 0), 1, "  a reserved argument");
}

static void test_bells(void)
{
	volatile u32 *c = (volatile u32 *)GH_LAB_CTL_BASE;
	struct proxy_guest p, q;
	u64 edge, level, source;
	u32 sends, masks, runs, ready;
	int node;

	ok(prepare_bells(&p, 0, DO_CALLS), "guest with doorbells");
	level = p.bell[0];
	edge = p.bell[1];
	source = p.bell[2];
	ok(p.bell_virq == p.virq[1] + 1, "  an interrupt for the one that is the host's");
	if (debug_policy)
		ok(level == p.cap[1] + 1 && edge == level + 1 && source == edge + 1,
		   "  capability ids as recorded");
	ok(prepare_bells(&q, 0x20000, DO_CALLS) && q.bell[0] != level &&
	   q.bell_virq == p.bell_virq + 3, "  and another with its own");
	ok(cleanup(&q.g, false), "  which is gone");
	is(bell_call(BELL_SEND, q.bell[0], 1, 0, 0), 50, "  and its doorbells");
	test_bell_errors(&p);

	sends = c[GH_LAB_CTL_BELL_SENDS / 4];
	masks = c[GH_LAB_CTL_BELL_SET_MASKS / 4];
	runs = c[GH_LAB_CTL_VCPU_RUNS / 4];
	ready = c[GH_LAB_CTL_VCPU_READY / 4];
	ok(host_bell(BELL_SEND, edge, 5, 0) && host_bell(BELL_SEND, edge, 6, 5),
	   "flags are collected before it starts");
	is(bell_call(BELL_SET_MASK, level, 2, 0, 0), 0, "the sender's masks of one that may");
	is(c[GH_LAB_CTL_BELL_SENDS / 4], sends + 2, "calls are counted");
	is(c[GH_LAB_CTL_BELL_SET_MASKS / 4], masks + 1, "of each kind");
	is(call_vmid(MSG_START, p.g.vmid, NULL), 0, "start");
	n_notes = 0;
	ok(take_virq(p.virq[0]), "  it is runnable");
	ok(guest_bell(&p, BELL_RECEIVE, 1, 3, 7), "  reads them");
	ok(guest_bell(&p, BELL_RECEIVE, 1, ~0UL, 4), "  those that were left");
	ok(host_bell(BELL_SEND, edge, BIT(32), 0), "  none was");
	is(guest_call(&p, BELL_RESET, 1, 0, 0, 0), 0, "  resets it");
	ok(guest_bell(&p, BELL_RECEIVE, 1, 1, 0), "  and it is");
	is(c[GH_LAB_CTL_VCPU_RUNS / 4], runs + 4, "  its vCPU was run for each");
	is(c[GH_LAB_CTL_VCPU_READY / 4], ready, "  and not interrupted");
	test_guest_bell_errors(&p);

	ok(!pending(p.bell_virq), "nobody has called the host");
	ok(guest_bell(&p, BELL_SEND, 2, 0x10, 0) && take_virq(p.bell_virq), "the guest does");
	ok(guest_bell(&p, BELL_SEND, 2, 0x20, 0x10) && take_virq(p.bell_virq),
	   "  and again before that is read");
	ok(host_bell(BELL_RECEIVE, source, 0x10, 0x30) &&
	   host_bell(BELL_RECEIVE, source, ~0UL, 0x20), "  the host reads");
	is(bell_call(BELL_SET_MASK, source, 2, 0, 0), 0, "enable one flag");
	ok(guest_bell(&p, BELL_SEND, 2, 1, 0) && !pending(p.bell_virq), "  another says nothing");
	ok(guest_bell(&p, BELL_SEND, 2, 2, 1) && take_virq(p.bell_virq), "  that one does");
	ok(host_bell(BELL_RECEIVE, source, 2, 3), "  they are told apart");
	ok(!bell_call(BELL_SET_MASK, source, 1, 1, 0) && take_virq(p.bell_virq),
	   "enable the other, acknowledged: it speaks");
	ok(host_bell(BELL_RECEIVE, source, ~0UL, 0), "  and is cleared");
	ok(guest_bell(&p, BELL_SEND, 2, 3, 0) && take_virq(p.bell_virq) &&
	   host_bell(BELL_RECEIVE, source, 4, 2), "  alone");
	ok(!bell_call(BELL_SET_MASK, source, 1, 4, 0) && !bell_call(BELL_RESET, source, 0, 0, 0) &&
	   guest_bell(&p, BELL_SEND, 2, 6, 0) && take_virq(p.bell_virq) &&
	   host_bell(BELL_RECEIVE, source, ~0UL, 6),
	   "reset: no flag set, all enabled, none acknowledged");

	ok(host_bell(BELL_SEND, level, 1, 0) && host_bell(BELL_SEND, level, 2, 1) &&
	   guest_bell(&p, BELL_RECEIVE, 0, 1, 3), "sender's flags, one of them enabled");
	ok(!bell_call(BELL_SET_MASK, level, 2, 2, 0) && host_bell(BELL_RECEIVE, level, 1, 0),
	   "  which is acknowledged now");
	ok(host_bell(BELL_SEND, level, 3, 0) && host_bell(BELL_SEND, level, 0, 1),
	   "  and always");

	is(guest_call(&p, BELL_SEND, 2, 1, 0, 0), 0, "the guest calls once more");
	node = fdt_path_offset((void *)IMAGE_2, "/hypervisor/bell-6");
	stop(&p.g, "stop it");
	ok(pending(p.bell_virq), "  that is to be heard");
	ok(host_bell(BELL_SEND, edge, 1, 0), "  its doorbells are still there");
	ok(cleanup(&p.g, true), "  gives everything back");
	ok(!pending(p.bell_virq), "  the interrupt");
	is(bell_call(BELL_SEND, edge, 1, 0, 0), 50, "  and the doorbells");
	is(bell_call(BELL_SET_MASK, level, 1, 1, 0), 50, "  all of them");
	node = fdt_path_offset((void *)IMAGE_2, "/hypervisor/bell-6");
	ok(node > 0 && fdt64_ld(fdt_getprop((void *)IMAGE_2, node, "reg", NULL)) == 1,
	   "its devicetree names its capabilities");
}

/* The guest has had so many interrupts, the last of them these, and sleeps again. */
static bool interrupted(const struct proxy_guest *p, u32 n, u64 before_last, u64 last)
{
	const u64 *reports = shm_of(&p->g) + SHM_REPORT;

	return leaves(p, 0, VMMIO_WRITE, KNOCK, 4, n) &&
	       (n < 2 || reports[n - 2] == before_last) && reports[n - 1] == last &&
	       leaves(p, 0, EXPECTS_WAKEUP, 0, 1, 0) && !pending(p->virq[0]);
}

static void test_bells_interrupt(void)
{
	const u64 level_irq = GUEST_BELL, edge_irq = GUEST_BELL + 1;
	struct proxy_guest p;
	u64 level, edge, *shm;

	ok(prepare_bells(&p, 0, DO_BELLS), "guest that is interrupted");
	level = p.bell[0];
	edge = p.bell[1];
	shm = shm_of(&p.g);
	ok(host_bell(BELL_SEND, edge, 1, 0) && !bell_call(BELL_SET_MASK, level, 1, 1, 0) &&
	   host_bell(BELL_SEND, level, 1, 0) && !pending(p.virq[0]),
	   "  both doorbells, before it starts");
	is(call_vmid(MSG_START, p.g.vmid, NULL), 0, "  start");
	n_notes = 0;
	ok(take_virq(p.virq[0]) && interrupted(&p, 2, level_irq, edge_irq), "  it gets both");

	ok(host_bell(BELL_SEND, edge, 1, 1) && take_virq(p.virq[0]), "an edge wakes it");
	ok(interrupted(&p, 3, edge_irq, edge_irq), "  though its flag was set all the time");
	ok(host_bell(BELL_SEND, edge, 1, 1) && take_virq(p.virq[0]) &&
	   host_bell(BELL_SEND, edge, 2, 1) && !pending(p.virq[0]), "two edges wake it once");
	ok(interrupted(&p, 4, edge_irq, edge_irq), "  and are one");
	ok(host_bell(BELL_SEND, level, 1, 0) && host_bell(BELL_SEND, level, 1, 0) &&
	   take_virq(p.virq[0]), "a level that is acknowledged wakes it");
	ok(interrupted(&p, 5, edge_irq, level_irq), "  and has an end");

	ok(!bell_call(BELL_SET_MASK, level, 1, 0, 0) && host_bell(BELL_SEND, level, 2, 0) &&
	   !pending(p.virq[0]), "a flag that is not enabled does not");
	ok(host_bell(BELL_SEND, level, 1, 2) && take_virq(p.virq[0]), "another one does");
	shm[SHM_RECEIVE] = 1;
	ok(interrupted(&p, 7, level_irq, 3), "  and the guest ends it by reading");
	shm[SHM_RECEIVE] = 0;
	ok(host_bell(BELL_SEND, level, 1, 0) && take_virq(p.virq[0]) &&
	   host_bell(BELL_RECEIVE, level, 1, 1) && leaves(&p, 0, VMMIO_WRITE, KNOCK, 4, 7) &&
	   leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0), "a level that ends before it is looked at");
	ok(host_bell(BELL_SEND, level, 1, 0) && take_virq(p.virq[0]) &&
	   !bell_call(BELL_RESET, level, 0, 0, 0) && leaves(&p, 0, VMMIO_WRITE, KNOCK, 4, 7) &&
	   leaves(&p, 0, EXPECTS_WAKEUP, 0, 1, 0), "  or is reset");
	ok(!bell_call(BELL_SET_MASK, level, 0, 0, 0) && host_bell(BELL_SEND, level, 4, 0) &&
	   !pending(p.virq[0]), "a flag that is not enabled");
	ok(!bell_call(BELL_SET_MASK, level, 4, 4, 0) && take_virq(p.virq[0]) &&
	   interrupted(&p, 8, 3, level_irq), "  interrupts when it is");

	if (second_cpu) {
		shm[SHM_SPIN] = 1;
		ok(host_bell(BELL_SEND, edge, 1, 3) && take_virq(p.virq[0]) &&
		   leaves(&p, 0, VMMIO_WRITE, KNOCK, 4, 9), "  wake it once more");
		ok(!smc1(0xc4000003, 1, (u64)second_start, p.cap[0]), "the second CPU runs it");
		while (!__atomic_load_n(&shm[SHM_READY], __ATOMIC_ACQUIRE))
			cpu_relax();
		ok(host_bell(BELL_SEND, level, 4, 0) && !pending(p.virq[0]),
		   "  an interrupt meanwhile");
		while (smc1(0xc4000004, 1, 0, 0) != 1)
			cpu_relax();
		ok(!second_result[0] && second_result[1] == VMMIO_WRITE && second_result[4] == 10,
		   "  reaches it");
	}
	stop_proxy(&p);
}

/* Results by script */

struct rule {
	u32 call, vcpu, after, skip, count;
	int32_t error;
	u32 state;
	u64 data[3];
};

static bool add_rule(const struct rule *r)
{
	volatile u32 *c = (volatile u32 *)(GH_LAB_CTL_BASE + GH_LAB_CTL_CALL_NUMBER);

	*c++ = r->call;
	*c++ = r->vcpu;
	*c++ = r->after;
	*c++ = r->skip;
	*c++ = r->count;
	*c++ = r->error;
	*c++ = r->state;
	for (u32 i = 0; i < 3; i++) {
		*c++ = r->data[i];
		*c++ = r->data[i] >> 32;
	}
	*c = 1;
	return !control[GH_LAB_CTL_CALL_REFUSED / 4];
}

/* Of the next vcpu_run */
static bool add_result(int error, u32 state, u64 d0, u64 d1, u64 d2)
{
	return add_rule(&(struct rule){ 0x65, GH_LAB_ANY, GH_LAB_ANY, 0, 1, error, state,
					{ d0, d1, d2 } });
}

static bool fails(const struct proxy_guest *p, u64 resume, u64 error)
{
	u64 x[6];

	vcpu_run(p->cap[0], resume, x);
	return x[0] == error && !x[1] && !x[2] && !x[3] && !x[4];
}

static void test_script_rules(const struct proxy_guest *p)
{
	struct rule r = { 0x65, GH_LAB_ANY, GH_LAB_ANY, 0, 0, 0, READY, { 0 } };
	bool good = true;
	u64 x[6];

	ok(!add_rule(&r), "rule for no call is refused");
	r.count = 1;
	r.call = 0x1b;
	ok(!add_rule(&r), "rule for another hypercall");
	r.call = 0x12;
	ok(!add_rule(&r), "rule for a doorbell without an error");
	r.call = 0x65;
	r.vcpu = 1;
	ok(add_rule(&r), "rule for the second vCPU");
	ok(leaves(p, 0, POWERED_OFF, 0, 0, 0), "  not the first");
	vcpu_run(p->cap[1], 0, x);
	ok(!x[0] && x[1] == READY, "  the second");
	vcpu_run(p->cap[1], 0, x);
	ok(!x[0] && x[1] == POWERED_OFF, "  once");
	r.vcpu = 0;
	r.count = GH_LAB_ANY;
	r.skip = 2;
	ok(add_rule(&r), "rule that lets two calls pass and no more");
	ok(leaves(p, 0, POWERED_OFF, 0, 0, 0) && leaves(p, 0, POWERED_OFF, 0, 0, 0), "  two");
	for (u32 i = 0; i < 5; i++)
		good = good && leaves(p, 0, READY, 0, 0, 0);
	ok(good, "  no more");
	is(control[GH_LAB_CTL_CALL_HITS / 4], 6, "  calls are counted");
	((volatile u32 *)control)[GH_LAB_CTL_CALL_CLEAR / 4] = 1;
	ok(leaves(p, 0, POWERED_OFF, 0, 0, 0), "  until it is removed");
	is(control[GH_LAB_CTL_CALL_HITS / 4], 0, "  and its count");
	for (u32 i = 0; good && i < 32; i++)
		good = add_result(33, 0, 0, 0, 0);
	ok(good && !add_result(33, 0, 0, 0, 0), "32 rules are all that there can be");
	((volatile u32 *)control)[GH_LAB_CTL_CALL_CLEAR / 4] = 1;
}

/* All that a driver cannot be shown otherwise. The guest knows nothing of it. */
static void test_script(void)
{
	struct rule r = { 0x65, GH_LAB_ANY, VMMIO_READ, 0, 2, -2, 0, { 0 } };
	const u64 at = 0x10000000;
	struct proxy_guest p;

	ok(prepare_proxy(&p, 0, DO_MMIO, at), "guest whose vCPU is a test's");
	test_script_rules(&p);
	ok(!call_vmid(MSG_START, p.g.vmid, NULL) && take_virq(p.virq[0]), "start");
	n_notes = 0;
	ok(add_result(-2, 1, 2, 3, 4) && fails(&p, 0, -2), "RETRY");
	ok(add_result(31, 0, 0, 0, 0) && fails(&p, 0, 31), "BUSY");
	ok(add_result(33, 0, 0, 0, 0) && fails(&p, 0, 33), "OBJECT_STATE");
	ok(add_result(0, BLOCKED, 0, 0, 0) && leaves(&p, 0, BLOCKED, 0, 0, 0), "BLOCKED");
	ok(add_result(0, FAULT, 0, 0, 0) && leaves(&p, 0, FAULT, 0, 0, 0), "FAULT");
	ok(add_result(0, POWERED_OFF, 1, 0, 0) && leaves(&p, 0, POWERED_OFF, 1, 0, 0),
	   "off for good");
	ok(add_result(0, SYSTEM_RESET, BIT(63), 1, 2) &&
	   leaves(&p, 0, SYSTEM_RESET, BIT(63), 1, 2), "system reset");
	ok(add_result(0, 0x77, 1, 2, 3) && leaves(&p, 0, 0x77, 1, 2, 3), "unknown state");
	ok(add_result(0, VMMIO_READ, at, 16, 0) && leaves(&p, 0, VMMIO_READ, at, 16, 0),
	   "16 bytes of a device");
	ok(add_rule(&r), "rule for answers to loads");
	ok(leaves(&p, 0, VMMIO_WRITE, at, 4, 0xabcd1234), "the guest starts, and stores");
	ok(leaves(&p, 0, VMMIO_READ, at + 4, 4, 0), "  loads");
	ok(fails(&p, 0x11, -2) && fails(&p, 0x22, -2), "  its answer is sent back, twice");
	ok(leaves(&p, 0xcafe0004, VMMIO_WRITE, at + 8, 4, 0xcafe0005), "  it gets the third");
	is(control[GH_LAB_CTL_CALL_HITS / 4], 11, "  all were counted");
	((volatile u32 *)control)[GH_LAB_CTL_CALL_CLEAR / 4] = 1;
	r = (struct rule){ 0x65, GH_LAB_ANY, GH_LAB_CALL_FIRST, 0, 1, 31, 0, { 0 } };
	ok(add_rule(&r) && leaves(&p, 0, VMMIO_WRITE, at + 0xc, 1, 0x5a),
	   "rule for the first call comes too late");
	stop_proxy(&p);
	ok(prepare_bells(&p, 0, DO_CALLS) && fails(&p, 0, 31) &&
	   leaves(&p, 0, POWERED_OFF, 0, 0, 0), "  and is for another guest's");
	r = (struct rule){ 0x12, 0, 0, 0, 1, 10, 0, { 0 } };
	ok(add_rule(&r) && bell_call(BELL_SEND, p.bell[0], 1, 0, 0) == 10 && !old_flags &&
	   host_bell(BELL_SEND, p.bell[0], 2, 0), "bell_send that fails sets nothing");
	r.call = 0x15;
	r.error = 36;
	ok(add_rule(&r) && bell_call(BELL_SET_MASK, p.bell[0], 1, 2, 0) == 36 &&
	   host_bell(BELL_SEND, p.bell[0], 2, 2), "bell_set_mask that fails masks nothing");
	ok(!bell_call(BELL_SET_MASK, p.bell[0], 1, 2, 0), "  once");
	((volatile u32 *)control)[GH_LAB_CTL_CALL_CLEAR / 4] = 1;
	ok(cleanup(&p.g, false), "  gives everything back");
}

/* Large machines */

/* Page @i of @n, a power of two: each page once, and none beside the one before it */
static u64 scattered(u64 at, u64 i, u64 n)
{
	return at + (i * 0x9e3779b1 & (n - 1)) * PAGE_SIZE;
}

/* Lends @n pages from @at on, each as an entry of its own; returns an error. */
static u32 lend_scattered(u32 vmid, u64 at, u64 n, u32 *handle)
{
	static struct message m;
	u32 error = 0;

	for (u64 i = 0; i < n && !error; i++) {
		if (!(i % LIST_MAX)) {
			m.len = 0;
			put32(&m, i ? *handle : n > LIST_MAX ? 0x20000 : 0);
			put32(&m, i && i + LIST_MAX >= n);
			if (!i) {
				put32(&m, 1);
				put16(&m, vmid);
				put16(&m, 7);
			}
			put32(&m, n - i < LIST_MAX ? n - i : LIST_MAX);
		}
		*(u64 *)scattered(at, i, n) = i;
		put64(&m, scattered(at, i, n));
		put64(&m, PAGE_SIZE);
		if (i == n - 1 || i % LIST_MAX == LIST_MAX - 1) {
			bool first = i < LIST_MAX;

			if (first)
				put32(&m, 0);
			error = call(first ? MSG_LEND : MSG_APPEND, &m, first ? handle : NULL);
		}
	}
	return error;
}

/* Guest @i of those that have memory from LARGE on among them: it looks at all of its own. */
static bool prepare_large(struct guest *g, u32 i, u64 n, u32 *handle)
{
	return prepare(g, place(i), DO_WALK, n, 6, false) &&
	       !lend_scattered(g->vmid, LARGE + i * n * PAGE_SIZE, n, handle);
}

static bool cleanup_large(const struct guest *g, u32 handle)
{
	n_notes = 0;
	/* RESETTING, three parcels released, RESET */
	return !call_vmid(MSG_RESET, g->vmid, NULL) && wait_notes(5) &&
	       is_status(&notes[4], g->vmid, RM_VM_RESET) && !reclaim(handle, 0) &&
	       !reclaim(g->image, 0) && !reclaim(g->shm, 0) &&
	       !call_vmid(MSG_DEALLOCATE, g->vmid, NULL);
}

static bool walked(const struct guest *g, u64 n)
{
	return shm_of(g)[SHM_RESULT] == n;
}

/* As much as there is, in pages of which no two belong together, in one guest and in eight */
static void test_large(void)
{
	u32 handle[LARGE_GUESTS], in, out, ended = 0;
	u64 pages = 1, start, wrong = 0;
	struct guest g[LARGE_GUESTS];
	struct range r;
	bool good;

	while (LARGE + 2 * pages * PAGE_SIZE <= ram_end)
		pages *= 2;
	print("# %lu MiB are the host's, %lu are lent\n", (ram_end - HOST_ENTRY) >> 20,
	      pages >> 8);
	ok(aborts_on(ram_end, true) && !aborts_on(ram_end - 4, true),
	   "the end of RAM is the hypervisor's");
	r = (struct range){ ram_end, PAGE_SIZE };
	is(give(RM_HOST_VMID + 1, 7, 0, 0, &r, 1, handle), 0xa, "which cannot be lent");

	start = now_us();
	in = control[GH_LAB_CTL_MSGS_IN / 4];
	out = control[GH_LAB_CTL_MSGS_OUT / 4];
	ok(prepare_large(g, 0, pages, handle), "guest with memory in single pages");
	print("#   %lu entries are lent in %lu ms\n", pages, (now_us() - start) / 1000);
	/* Allocated, two small parcels, the large one, configured and initialised */
	is(control[GH_LAB_CTL_MSGS_IN / 4] - in, 5 + pages / LIST_MAX, "  requests are counted");
	is(control[GH_LAB_CTL_MSGS_OUT / 4] - out, 7 + pages / LIST_MAX,
	   "  replies and notifications, too");
	is(control[GH_LAB_CTL_LENT_PAGES / 4], pages + 2 * IMAGE_PIECE / PAGE_SIZE,
	   "  all of it is lent");
	start = now_us();
	n_notes = 0;
	is(call_vmid(MSG_START, g[0].vmid, NULL), 0, "  starts");
	ok(wait_notes(3) && is_status(&notes[1], g[0].vmid, RM_VM_EXITED), "  and ends");
	print("#   started and walked through it in %lu ms\n", (now_us() - start) / 1000);
	ok(walked(&g[0], pages), "  has seen each page in its place");
	start = now_us();
	ok(cleanup_large(&g[0], handle[0]), "  gives everything back");
	print("#   took it back in %lu ms\n", (now_us() - start) / 1000);

	pages /= LARGE_GUESTS;
	for (good = true, start = 0; start < LARGE_GUESTS && good; start++)
		good = prepare_large(&g[start], start, pages, &handle[start]);
	ok(good, "eight guests with such memory");
	n_notes = 0;
	for (u32 i = 0; i < LARGE_GUESTS && good; i++)
		good = !call_vmid(MSG_START, g[i].vmid, NULL);
	ok(good, "  start");
	ok(wait_notes(3 * LARGE_GUESTS), "  and end");
	for (u32 i = 0; i < LARGE_GUESTS; i++)
		ended += walked(&g[i], pages);
	is(ended, LARGE_GUESTS, "  have seen each page in its place");
	for (good = true, start = LARGE_GUESTS; start-- && good;)
		good = cleanup_large(&g[start], handle[start]);
	ok(good, "  give everything back");
	for (u32 i = 0; i < LARGE_GUESTS; i++) {
		for (u64 k = 0; k < pages; k++)
			wrong += *(u64 *)scattered(LARGE + i * pages * PAGE_SIZE, k, pages) != k;
	}
	is(wrong, 0, "  all of it is as it was");
}

/* TrustZone */

static u32 away(void)
{
	return control[GH_LAB_CTL_TZ_AWAY / 4];
}

static bool available(u64 fn, u64 which)
{
	u64 x[6] = { fn, 1, which };

	smccc_smc(x);
	return !x[0] && x[1] == 1;
}

static void test_tz_calls(void)
{
	u64 x[6] = { QCOM_UID };

	smccc_hvc(x);
	ok(x[0] == 0xbd54bd19 && x[1] == 0x1b57370b && x[2] == 0x9b606f94 && x[3] == 0xe69d5354,
	   "Qualcomm's extensions");
	is(control[GH_LAB_CTL_TZ / 4], 1, "TrustZone");
	ok(available(SCM_AVAILABLE | BIT(31), 0x02000601),
	   "says what there is: that, by a fast call");
	ok(available(SCM_AVAILABLE, 0x02000c16), "and how to assign memory");
	ok(!available(SCM_AVAILABLE, 0x02000c15), "but nothing else");
	is(smc1(0x42002404, 0, 0, 0), (u64)SCM_EOPNOTSUPP, "which cannot be called");
	is(smc1(SCM_ASSIGN & ~BIT(30), SCM_ASSIGN_ARGS, 0, 0), (u64)SCM_EOPNOTSUPP,
	   "nor in 32 bits");
	is(smc1(0x80000000, 0, 0, 0), 0x10002, "what is not TrustZone's is as it was");
}

static void test_tz_lend(u32 vmid)
{
	struct range r = { BIG, 0x10000 };
	u32 before = control[GH_LAB_CTL_TZ_ASSIGNS / 4], handle, refused;

	*(u32 *)BIG = 0x11223344;
	is(give(vmid, 7, 0, 0, &r, 1, &refused), 0xa, "what is the host's alone is not lent");
	is(give(vmid, 6, 6, 0, &r, 1, &refused), 0xa, "nor shared");
	is(assign_to(BIG, 0x10000, RM_HOST_VMID, RM_MANAGED, 7, 0), 0, "assign 64 KiB");
	ok(aborts_on(BIG, false) && aborts_on(BIG + 0xfffc, true), "  the host cannot touch it");
	is(away(), 16, "  16 pages are not the host's");
	ok(!aborts_on(BIG - 4, true) && !aborts_on(BIG + 0x10000, true), "  but its neighbours");
	is(control[GH_LAB_CTL_LENT_PAGES / 4], 0, "  and nothing is lent");
	is(assign_to(BIG, PAGE_SIZE, RM_HOST_VMID, RM_MANAGED, 7, 0), GH_LAB_TZ_WRONG_SOURCE,
	   "  it is not assigned twice");
	is(give(vmid, 6, 0, 0, &r, 1, &refused), 0xa, "  not lent with other rights");
	is(give(vmid, 7, 7, 0, &r, 1, &refused), 0xa, "  not shared");
	is(give(5, 7, 0, 0, &r, 1, &refused), 0xa, "  not lent to others");
	r.size += PAGE_SIZE;
	is(give(vmid, 7, 0, 0, &r, 1, &refused), 0xa, "  nor with a page more");
	r.size -= PAGE_SIZE;
	is(give(vmid, 7, 0, 0, &r, 1, &handle), 0, "  but lent");
	is(assign_back(BIG, 0x10000, RM_MANAGED, false), GH_LAB_TZ_IN_PARCEL,
	   "  and then not assigned back");
	is(assign_back(BIG + 0xf000, PAGE_SIZE, RM_MANAGED, false), GH_LAB_TZ_IN_PARCEL,
	   "  not even its end");
	is(reclaim(handle, 0), 0, "  reclaimed");
	ok(aborts_on(BIG, false), "  it still is not the host's");
	is(assign_back(BIG, 0x10000, RM_HOST_VMID, false), GH_LAB_TZ_WRONG_SOURCE,
	   "  whose it is has to be told right");
	is(assign_back(BIG, 0x10000, RM_MANAGED, true), GH_LAB_TZ_WRONG_SOURCE, "  exactly");
	is(assign_back(BIG, 0x11000, RM_MANAGED, false), GH_LAB_TZ_WRONG_SOURCE,
	   "  of all of the pages");
	is(assign_back(BIG, 0x10000, RM_MANAGED, false), 0, "  assigned back");
	is(away(), 0, "  it is all the host's");
	ok(!aborts_on(BIG + 0xfffc, true) && *(u32 *)BIG == 0x11223344, "  with its contents");
	is(control[GH_LAB_CTL_TZ_ASSIGNS / 4], before + 8, "  calls are counted");
}

static void test_tz_share(u32 vmid)
{
	struct range r = { BIG, PAGE_SIZE };
	struct message m = { 0 };
	u32 handle, other;

	is(assign_to(BIG, PAGE_SIZE, RM_HOST_VMID, RM_MANAGED, 4, 6), 0, "assign to share");
	ok(away() == 1 && !aborts_on(BIG, true), "  the host can still touch it");
	is(give(vmid, 7, 0, 0, &r, 1, &handle), 0xa, "  it is not lent");
	is(give(vmid, 4, 6, 0, &r, 1, &handle), 0, "  but shared");
	is(assign_back(BIG, PAGE_SIZE, RM_MANAGED, true), GH_LAB_TZ_IN_PARCEL,
	   "  and then not assigned back");
	ok(!reclaim(handle, 0) && !assign_back(BIG, PAGE_SIZE, RM_MANAGED, true) && !away(),
	   "  reclaimed and assigned back");

	is(assign_to(BIG, PAGE_SIZE, RM_HOST_VMID, 5, 7, 0), 0, "assign to a VM of few");
	ok(!give(5, 7, 0, 0, &r, 1, &handle) && !reclaim(handle, 0) &&
	   !assign_back(BIG, PAGE_SIZE, 5, false), "  which it then is lent to");

	/* Two guests that are one to TrustZone, with the rights of both */
	is(call_vmid(MSG_ALLOCATE, 0, &other), 0, "another VM");
	is(assign_to(BIG, PAGE_SIZE, RM_HOST_VMID, RM_MANAGED, 7, 0), 0, "assign to both");
	put64(&m, 0);
	put32(&m, 2);
	put16(&m, vmid);
	put16(&m, 5);
	put16(&m, other);
	put16(&m, 6);
	put32(&m, 1);
	put64(&m, BIG);
	put64(&m, PAGE_SIZE);
	put32(&m, 0);
	is(call(MSG_LEND, &m, &handle), 0, "  and lend");
	ok(!reclaim(handle, 0) && !assign_back(BIG, PAGE_SIZE, RM_MANAGED, false) &&
	   !call_vmid(MSG_DEALLOCATE, other, NULL) && !away(), "  reclaimed and assigned back");
}

/* Prepares a call that would be good; each of those below has one mistake. */
static void good_call(void)
{
	scm.range[0] = (struct range){ BIG, PAGE_SIZE };
	scm.range[1] = (struct range){ BIG + 0x2000, PAGE_SIZE };
	scm.src[0] = RM_HOST_VMID;
	scm.src[1] = RM_MANAGED;
	scm.dst[0] = (struct destination){ RM_MANAGED, 7, 0, 0, 0 };
	scm.dst[1] = (struct destination){ 4, 7, 0, 0, 0 };
}

#define bad_call(change, n_ranges, n_src, n_dst, code, what) do {	\
		good_call();						\
		change;							\
		is(scm_assign(n_ranges, n_src, n_dst), code, what);	\
	} while (0)

#define NOT_CHANGED	(~0UL)

/* A call of two ranges, sources and destinations with these instead of its own */
static int scm_raw(u64 ranges, u64 ranges_size, u64 src, u64 src_size, u64 dst, u64 dst_size,
		   u64 last)
{
	u64 x[6] = { SCM_ASSIGN, SCM_ASSIGN_ARGS };

	good_call();
	x[2] = ranges == NOT_CHANGED ? (u64)scm.range : ranges;
	x[3] = ranges_size == NOT_CHANGED ? 2 * sizeof(scm.range[0]) : ranges_size;
	x[4] = src == NOT_CHANGED ? (u64)scm.src : src;
	x[5] = (u64)scm.more;
	scm.more[0] = src_size == NOT_CHANGED ? sizeof(scm.src[0]) : src_size;
	scm.more[1] = dst == NOT_CHANGED ? (u64)scm.dst : dst;
	scm.more[2] = dst_size == NOT_CHANGED ? 2 * sizeof(scm.dst[0]) : dst_size;
	scm.more[3] = last;
	smccc_smc(x);
	scm.more[3] = 0;
	return x[0] ? (int)x[0] : (int)x[1];
}

/* Lists that are not where they may be, or not of whole elements */
static void test_tz_lists(void)
{
	const u64 as = NOT_CHANGED, hyp = 0x40080000;
	u32 i;

	is(scm_raw(hyp, as, as, as, as, as, 0), SCM_EINVAL_ADDR,
	   "ranges in the hypervisor's memory");
	is(scm_raw(as, as, hyp, as, as, as, 0), SCM_EINVAL_ADDR,
	   "sources in the hypervisor's memory");
	is(scm_raw(as, as, as, as, hyp, as, 0), SCM_EINVAL_ADDR,
	   "destinations in the hypervisor's memory");
	is(scm_raw(as, 17, as, as, as, as, 0), SCM_EINVAL_ARG, "a range and a part of one");
	is(scm_raw(as, as, as, 5, as, as, 0), SCM_EINVAL_ARG, "a source and a part of one");
	is(scm_raw(as, as, as, as, as, 25, 0), SCM_EINVAL_ARG, "a destination and a part of one");
	is(scm_raw(as, as, as, as, as, as, 1), SCM_EINVAL_ARG, "an argument that is not 0");
	is(away(), 0, "nothing came of all this, either");
	is(scm_raw(as, as, as, as, as, as, 0), 0, "without any of it, two pages to two");
	ok(away() == 2 && aborts_on(BIG, false) && aborts_on(BIG + 0x2000, false) &&
	   !aborts_on(BIG + 0x1000, false), "  just these");
	scm.range[0] = (struct range){ BIG, PAGE_SIZE };
	scm.src[0] = 4;
	scm.src[1] = RM_MANAGED;
	scm.dst[0] = (struct destination){ RM_HOST_VMID, 7, 0, 0, 0 };
	is(scm_assign(2, 2, 1), 0, "  and back");
	good_call();
	scm.range[1].addr = BIG + PAGE_SIZE;
	is(scm_assign(2, 1, 1), 0, "ranges side by side");
	is(assign_back(BIG, 2 * PAGE_SIZE, RM_MANAGED, false), 0, "  and back, as one");
	good_call();
	for (i = 0; i < 33; i++)
		scm.range[i] = (struct range){ BIG + i * PAGE_SIZE, PAGE_SIZE };
	is(scm_assign(33, 1, 1), SCM_EINVAL_ARG, "one range too many");
	ok(!away() && !scm_assign(32, 1, 1) && away() == 32, "  but one less");
	is(assign_back(BIG, 32 * PAGE_SIZE, RM_MANAGED, false), 0, "  and back");
	is(away(), 0, "all");
}

static void test_tz_refusals(void)
{
	u64 x[6] = { SCM_ASSIGN, SCM_ASSIGN_ARGS + 1, (u64)scm.range, 16, (u64)scm.src,
		     (u64)scm.more };

	bad_call(, 0, 1, 1, SCM_EINVAL_ARG, "no range");
	bad_call(, 1, 0, 1, SCM_EINVAL_ARG, "no source");
	bad_call(, 1, 1, 0, SCM_EINVAL_ARG, "no destination");
	bad_call(, 300, 1, 1, SCM_EINVAL_ARG, "too many ranges");
	bad_call(, 1, 65, 1, SCM_EINVAL_ARG, "too many sources");
	bad_call(, 1, 1, 65, SCM_EINVAL_ARG, "too many destinations");
	bad_call(scm.range[0].size = 0, 1, 1, 1, SCM_EINVAL_ARG, "empty range");
	bad_call(scm.range[0].size = 0x800, 1, 1, 1, SCM_EINVAL_ARG, "half a page");
	bad_call(scm.range[0].addr += 0x800, 1, 1, 1, SCM_EINVAL_ARG, "half of two pages");
	bad_call(scm.range[0].addr = GH_LAB_CTL_BASE, 1, 1, 1, SCM_EINVAL_ADDR, "a device");
	bad_call(scm.range[0].addr = 0x40080000, 1, 1, 1, SCM_EINVAL_ADDR, "the hypervisor");
	bad_call(scm.range[0].addr = ram_end, 1, 1, 1, SCM_EINVAL_ADDR, "no RAM");
	bad_call(scm.range[0].size = -PAGE_SIZE, 1, 1, 1, SCM_EINVAL_ADDR, "more than RAM");
	bad_call(scm.range[1].addr = BIG, 2, 1, 1, GH_LAB_TZ_OVERLAP, "the same range twice");
	bad_call(scm.range[1] = ((struct range){ BIG - PAGE_SIZE, 2 * PAGE_SIZE }), 2, 1, 1,
		 GH_LAB_TZ_OVERLAP, "ranges that overlap");
	bad_call(scm.src[0] = 2, 1, 1, 1, GH_LAB_TZ_UNKNOWN_VMID, "source that is not there");
	bad_call(scm.src[0] = 0x80, 1, 1, 1, GH_LAB_TZ_UNKNOWN_VMID, "source above all");
	bad_call(scm.src[1] = 3, 1, 2, 1, SCM_EINVAL_ARG, "the same source twice");
	bad_call(, 1, 2, 1, GH_LAB_TZ_WRONG_SOURCE, "one source too many");
	bad_call(scm.src[0] = 5, 1, 1, 1, GH_LAB_TZ_WRONG_SOURCE, "the wrong source");
	bad_call(scm.dst[0].vmid = 0x3b, 1, 1, 1, GH_LAB_TZ_UNKNOWN_VMID,
		 "destination that is not there");
	bad_call(scm.dst[0].vmid = 0x40, 1, 1, 1, GH_LAB_TZ_UNKNOWN_VMID, "destination above all");
	bad_call(scm.dst[1].vmid = RM_MANAGED, 1, 1, 2, SCM_EINVAL_ARG,
		 "the same destination twice");
	bad_call(scm.dst[0].rights = 0, 1, 1, 1, SCM_EINVAL_ARG, "no rights");
	bad_call(scm.dst[0].rights = 8, 1, 1, 1, SCM_EINVAL_ARG, "rights that there are not");
	bad_call(scm.dst[0].context_size = 1, 1, 1, 1, SCM_EINVAL_ARG, "context");
	bad_call(scm.dst[0].context = BIG, 1, 1, 1, SCM_EINVAL_ARG, "context without a size");
	good_call();
	smccc_smc(x);
	is(x[0], (u64)SCM_EINVAL_ARG, "other types of arguments");
	x[0] = SCM_ASSIGN;
	x[1] = SCM_ASSIGN_ARGS;
	x[5] = 0x40080000;
	smccc_smc(x);
	is(x[0], (u64)SCM_EINVAL_ADDR, "arguments in the hypervisor's memory");
	is(away(), 0, "nothing came of all this");

	is(assign_to(BIG + 0x2000, PAGE_SIZE, RM_HOST_VMID, RM_MANAGED, 7, 0), 0, "one page");
	bad_call(, 2, 1, 1, GH_LAB_TZ_WRONG_SOURCE, "  with another one before it");
	ok(away() == 1 && !aborts_on(BIG, true), "  of which nothing comes");
	x[0] = SCM_ASSIGN;
	x[1] = SCM_ASSIGN_ARGS;
	x[5] = BIG + 0x2000;
	smccc_smc(x);
	is(x[0], (u64)SCM_EINVAL_ADDR, "  is no place for arguments");
	is(assign_back(BIG + 0x2000, PAGE_SIZE, RM_MANAGED, false), 0, "  and back");
	bad_call(, 2, 1, 2, 0, "two ranges to two");
	scm.src[0] = 4;
	scm.dst[0] = (struct destination){ RM_HOST_VMID, 7, 0, 0, 0 };
	is(scm_assign(2, 2, 1), 0, "  and back");
	is(away(), 0, "  all");
}

/* As many ways in which a page is assigned as can be told apart */
static void test_tz_sets(void)
{
	int ret = 0;
	u32 i, k;

	for (i = 0; i < 300 && !ret; i++) {
		good_call();
		scm.range[0].addr = BIG + i * PAGE_SIZE;
		scm.dst[0].rights = 1 + i / 28 % 7;
		scm.dst[0].vmid = 4 + i % 28;
		scm.dst[1].vmid = RM_MANAGED;
		ret = scm_assign(1, 1, i < 196 ? 1 : 2);
	}
	ok(ret == SCM_ENOMEM && i == 256, "255 ways to assign a page, and no more");
	for (ret = 0, k = 0; k < i - 1 && !ret; k++) {
		good_call();
		scm.range[0].addr = BIG + k * PAGE_SIZE;
		scm.src[0] = 4 + k % 28;
		scm.dst[0].vmid = RM_HOST_VMID;
		ret = scm_assign(1, k < 196 ? 1 : 2, 1);
	}
	ok(!ret && !away(), "all back");
	ok(!assign_to(BIG, PAGE_SIZE, RM_HOST_VMID, 4, 1, 0) &&
	   !assign_back(BIG, PAGE_SIZE, 4, false), "and one again");
}

static bool add_tz_rule(u32 direction, u32 code, u32 skip, u32 n)
{
	volatile u32 *c = (volatile u32 *)GH_LAB_CTL_BASE;

	c[GH_LAB_CTL_TZ_DIRECTION / 4] = direction;
	c[GH_LAB_CTL_TZ_CODE / 4] = code;
	c[GH_LAB_CTL_TZ_SKIP / 4] = skip;
	c[GH_LAB_CTL_TZ_COUNT / 4] = n;
	c[GH_LAB_CTL_TZ_COMMIT / 4] = 1;
	return !c[GH_LAB_CTL_TZ_REFUSED / 4];
}

static int there(void)
{
	return assign_to(BIG, PAGE_SIZE, RM_HOST_VMID, RM_MANAGED, 7, 0);
}

static int and_back(void)
{
	return assign_back(BIG, PAGE_SIZE, RM_MANAGED, false);
}

static void test_tz_rules(void)
{
	volatile u32 *c = (volatile u32 *)GH_LAB_CTL_BASE;
	u32 i;

	ok(!add_tz_rule(2, 1, 0, 1) && !add_tz_rule(GH_LAB_ANY, 0, 0, 1) &&
	   !add_tz_rule(GH_LAB_ANY, 1, 0, 0), "rules that are none");
	ok(add_tz_rule(GH_LAB_TZ_AWAY, 0x77, 1, 1) && add_tz_rule(GH_LAB_TZ_BACK, -12, 1, 2),
	   "rules for both directions");
	ok(!there() && !and_back(), "  let one pass");
	is(there(), 0x77, "  then refuse, there");
	is(away(), 0, "  of which nothing comes");
	is(there(), 0, "  once");
	ok(and_back() == -12 && and_back() == -12, "  and back, twice");
	ok(aborts_on(BIG, false) && away() == 1, "  of which nothing comes");
	ok(!and_back() && !away(), "  and no more");
	is(c[GH_LAB_CTL_TZ_HITS / 4], 3, "  three times in all");
	ok(add_tz_rule(GH_LAB_ANY, 5, 0, GH_LAB_ANY) && there() == 5 && and_back() == 5,
	   "one for all");
	bad_call(, 0, 1, 1, SCM_EINVAL_ARG, "  but not what cannot be read");
	c[GH_LAB_CTL_TZ_CLEAR / 4] = 1;
	ok(!c[GH_LAB_CTL_TZ_HITS / 4] && !there() && !and_back(), "cleared");
	for (i = 0; i < 20 && add_tz_rule(GH_LAB_ANY, 5, 0, 1); i++)
		;
	is(i, 8, "eight rules are all");
	c[GH_LAB_CTL_TZ_CLEAR / 4] = 1;
}

static void test_tz_guest(void)
{
	struct guest g;

	trustzone = true;
	ok(prepare(&g, 0, DO_REPORT_AND_OFF, 0, 6, false), "guest whose memory is assigned to it");
	is(away(), 2 * IMAGE_PIECE / PAGE_SIZE + 1, "  all of it");
	n_notes = 0;
	is(call_vmid(MSG_START, g.vmid, NULL), 0, "  starts");
	ok(wait_notes(3) && is_status(&notes[1], g.vmid, RM_VM_EXITED), "  and ends");
	is(shm_of(&g)[SHM_X0], GUEST_BASE + IMAGE_PIECE, "  has told where it was");
	ok(cleanup(&g, true), "  resets, and the manager gives everything back");
	ok(!assign_back(IMAGE_1, IMAGE_PIECE, RM_MANAGED, false) &&
	   !assign_back(IMAGE_2, IMAGE_PIECE, RM_MANAGED, false) &&
	   !assign_back(SHM, PAGE_SIZE, RM_MANAGED, true), "  TrustZone, too");
	trustzone = false;
}

static void test_trustzone(void)
{
	u32 vmid;

	test_tz_calls();
	is(call_vmid(MSG_ALLOCATE, 0, &vmid), 0, "VM_ALLOCATE");
	test_tz_lend(vmid);
	test_tz_share(vmid);
	is(call_vmid(MSG_DEALLOCATE, vmid, NULL), 0, "VM_DEALLOCATE");
	test_tz_refusals();
	test_tz_lists();
	test_tz_sets();
	test_tz_rules();
	test_tz_guest();
	is(away(), 0, "all of the memory is the host's");
}

/* What kills the resource manager */
static void die(const char *how)
{
	struct message m = { 0 };
	struct guest g;
	u32 vmid;

	if (!strncmp(how, "dealloc", 7)) {
		call_vmid(MSG_DEALLOCATE, 0x85, NULL);
	} else if (!strncmp(how, "reset", 5)) {
		call_vmid(MSG_ALLOCATE, 0, &vmid);
		call_vmid(MSG_RESET, vmid, NULL);
	} else if (prepare(&g, 0, DO_COUNT, 1, 6, false)) {
		call_vmid(MSG_START, g.vmid, NULL);
		put32(&m, g.vmid);
		put32(&m, 0);
		call(MSG_STOP, &m, NULL);
	}
	print("not ok - the hypervisor goes on\n");
}

static void read_fdt(const void *fdt)
{
	const char *args = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL);
	int node, hyp, mem, len;
	const fdt64_t *reg;
	const fdt32_t *irq;
	char name[64];

	is(fdt_check_header(fdt), 0, "devicetree");
	debug_policy = args && !strncmp(args, "hyp.policy=debug", 16);
	node = fdt_node_offset_by_compatible(fdt, -1, "gunyah-resource-manager");
	reg = fdt_getprop(fdt, node, "reg", &len);
	irq = fdt_getprop(fdt, node, "interrupts", NULL);
	if (!reg || !irq) {
		print("not ok - no resource manager in the devicetree\n");
		smc1(0x84000008, 0, 0, 0);
	}
	tx_cap = fdt64_to_cpu(reg[0]);
	rx_cap = fdt64_to_cpu(reg[1]);
	tx_intid = fdt32_to_cpu(irq[1]) + 32;
	rx_intid = fdt32_to_cpu(irq[4]) + 32;
	format(name, sizeof(name), "qcom,resource-manager-rpc@%016lx", tx_cap);
	hyp = fdt_path_offset(fdt, "/hypervisor");
	is(fdt_subnode_offset(fdt, hyp, name), node, "resource manager's node");
	ok(!fdt_node_check_compatible(fdt, hyp, "qcom,gunyah-hypervisor-1.0") &&
	   fdt_node_check_compatible(fdt, hyp, "gunyah-hypervisor"), "and the node above it");
	if (debug_policy)
		ok(tx_cap == 0 && rx_cap == 1, "capability ids 0 and 1");
	else
		ok(tx_cap >> 32 && rx_cap >> 32 && tx_cap != rx_cap, "random capability ids");
	node = fdt_node_offset_by_compatible(fdt, -1, "arm,gic-v3");
	reg = fdt_getprop(fdt, node, "reg", &len);
	gicd = fdt64_to_cpu(reg[0]);
	gicr = fdt64_to_cpu(reg[2]);
	mem = fdt_path_offset(fdt, "/memory@41000000");
	reg = fdt_getprop(fdt, mem, "reg", &len);
	ok(reg && fdt64_to_cpu(reg[0]) == HOST_ENTRY, "memory");
	ram_end = HOST_ENTRY + (reg ? fdt64_to_cpu(reg[1]) : 0);
	fdt_for_each_subnode(node, fdt, fdt_path_offset(fdt, "/cpus"))
		cpus += !!fdt_getprop(fdt, node, "reg", NULL);
	second_cpu = cpus > 1;
	node = fdt_node_offset_by_compatible(fdt, -1, GH_LAB_CTL_COMPATIBLE);
	ok(node > 0, "control page's node");
}

static void end(void)
{
	ok(!control[GH_LAB_CTL_VMIDS / 4] && !control[GH_LAB_CTL_PARCELS / 4] &&
	   !control[GH_LAB_CTL_LENT_PAGES / 4] && !control[GH_LAB_CTL_GUESTS / 4],
	   "nothing is left over");
	print("1..%u\n", tests);
	smc1(0x84000008, 0, 0, 0);
}

void host_main(const void *fdt)
{
	const char *args = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL);
	u32 vmid;

	read_fdt(fdt);
	if (args && !strncmp(args, "test.die=", 9)) {
		die(args + 9);
		smc1(0x84000008, 0, 0, 0);
	}
	if (fdt_path_offset(fdt, "/firmware/scm") > 0) {
		test_trustzone();
		end();
	}
	if (ram_end > LARGE) {
		test_large();
		end();
	}
	is(ram_end, 0x50000000, "all of a small machine's RAM but 16 MiB");
	test_identify();
	test_psci();
	ok(aborts_on(0x40080000, false) && aborts_on(0x40ffffff & ~3UL, true) &&
	   aborts_on(0x50000000, false), "the hypervisor's memory and what is no RAM abort");
	test_queue_errors();
	test_round_trip();
	test_crossing();
	test_receive_queue_full();
	test_control();
	is(call_vmid(MSG_ALLOCATE, 0, &vmid), 0, "VM_ALLOCATE");
	test_lend(vmid);
	test_send_queue_full(vmid);
	if (second_cpu)
		test_second_cpu(vmid);
	is(call_vmid(MSG_DEALLOCATE, vmid, NULL), 0, "VM_DEALLOCATE");
	test_guest_ends();
	test_guests_together();
	test_start_refused();
	gic_open(0);
	test_vcpu_resources();
	test_resource_faults();
	test_vcpu_mmio();
	test_vcpu_ends();
	test_vcpu_sleep();
	test_vcpu_preempted();
	if (second_cpu)
		test_vcpu_elsewhere();
	test_vcpu_cpus();
	test_vcpu_timer();
	test_vcpu_masked();
	test_vcpu_order();
	test_vcpu_registers();
	test_vcpu_ipi();
	if (second_cpu) {
		test_vcpu_on_off();
		test_vcpu_all_leave();
	}
	test_vcpu_limit();
	test_bells();
	test_bells_interrupt();
	test_script();
	end();
}

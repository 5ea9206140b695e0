/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test hypervisor's interfaces, file by file. Each .c file says what it is
 * for, what it holds and under which lock.
 *
 * Locks, outermost first: control lock (rm.c) and psci_lock (host.c), each taken
 * with none held; proxy lock (proxy.c) and bell lock (bell.c), each with none held; a
 * guest's lock (proxy.c); capability lock (caps.c); queue lock (msgq.c); ownership lock
 * (stage2.c). The script lock (script.c) is inside all of these.
 */
#ifndef _HYP_H
#define _HYP_H

#include "arch.h"
#include "layout.h"
#include "rm_model.h"

#define PAGE_SHIFT	12
#define PAGE_SIZE	BIT(PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define IPA_BITS	39

/* entry.S */
extern u64 hyp_pgd[512];
extern u8 host_vectors[], guest_vectors[];
void secondary_entry(void);
__noreturn void host_start(u64 x0, void *stack_top);
void smc(u64 x[4]);
u32 guest_run(u64 x[31]);

/* main.c */
struct hyp_config {
	enum rm_policy policy;
	u64 seed;			/* 0: of the time */
	bool plain_node;		/* describe ourselves with what the binding has only */
	bool verbose;			/* say on the console what happens to guests */
	bool qcom;			/* be one of Qualcomm's platforms */
	u32 cpus;			/* CPU n has affinity n; the last one is hidden */
	u64 ram_end;			/* of the host's RAM, which starts at HOST_ENTRY; until
					 * the heap is there, of all RAM
					 */
	u64 gicd, gicr;
	u64 tx_cap, rx_cap;		/* as the host sees them: it sends on TX */
};

extern struct hyp_config config;
extern u8 cpu_stacks[MAX_CPUS][STACK_SIZE];

void *heap_alloc(u64 size);		/* zeroed, page aligned; for boot only, cannot fail */
u64 heap_left(void);
u64 now_ms(void);
void cpu_on(u32 cpu);
__noreturn void power_off(void);
__noreturn __printf(1, 2) void panic(const char *fmt, ...);
__noreturn void primary_main(void *fdt);
__noreturn void secondary_main(u32 cpu);
__noreturn void not_at_el2(void);
__noreturn void bad_exception(u32 vector);

/* uart.c */
__printf(1, 2) void print(const char *fmt, ...);
void vprint(const char *fmt, __builtin_va_list args);
/* The same for who wants the text elsewhere; always terminated */
__printf(3, 4) void format(char *buf, size_t size, const char *fmt, ...);

/* hostfdt.c */
void hostfdt_read(const void *fdt);	/* fills in config, or panics */
void hostfdt_finish(void *fdt);		/* makes it the host's */

/* gic.c */
#define HOST_SPI_TX	200		/* see gic.c for the choice */
#define HOST_SPI_RX	201
#define HOST_SPI_GUEST	202		/* and up: those of guests */
#define HOST_SPI_GUESTS	54
void gic_init(void);
void gic_init_hidden(u32 cpu);
void gic_raise_spi(u32 spi);
void gic_clear_spi(u32 spi);
void gic_kick_hidden(void);
void gic_init_host(u32 cpu);
void gic_enter_guest(u32 cpu);
void gic_watch_timer(u32 cpu, bool on);
bool gic_host_pending(u32 cpu);
void gic_leave_guest(u32 cpu);
void gic_kick_host(u32 cpu);
void gic_ack_all(void);
u64 timer_after(u64 us);
void timer_start_at(u64 count);
void timer_stop(void);

/* stage2.c */
#define S2_READ		4		/* the rights of a memory parcel */
#define S2_WRITE	2
#define S2_EXEC		1
u64 host_s2_heap(void);			/* bytes that host_s2_init() takes, at most */
void host_s2_init(void);
void host_s2_cpu_init(void);
void host_s2_load(void);
void host_s2_revoke_devices(void);
bool host_ram(u64 addr, u64 size);
bool host_owns(u64 addr, u64 size);
bool host_reaches(u64 addr, u64 size);
void host_lend(u64 addr, u64 size);
void host_return(u64 addr, u64 size);
void host_s2_assign(u64 addr, u64 size, bool to_host);
void host_s2_sync(void);
bool host_copy(void *buf, u64 va, u64 size, bool to_host);
extern u32 lent_pages;

struct guest_s2 {
	u64 *pgd;
	u16 vmid;
};

u64 guest_s2_heap(void);		/* bytes that the pool has, at least */
void guest_s2_pool_init(void);
u64 guest_s2_pool_free(void);
u64 guest_s2_tables(u64 ipa, u64 size);
void guest_s2_create(struct guest_s2 *s2, u16 vmid);
void guest_s2_map(struct guest_s2 *s2, u64 ipa, u64 pa, u64 size, u8 rights);
void guest_s2_destroy(struct guest_s2 *s2);
void guest_s2_load(const struct guest_s2 *s2);
void guest_s2_flush_local(void);

/* host.c */
__noreturn void host_enter(u64 entry, u64 x0);
__noreturn void host_cpu_main(u32 cpu);
void host_trap(u64 x[31]);
void host_el2_init(void);
extern u32 host_faults;
/* Exceptions as the architecture would take them to EL1; ELR_EL2 and SPSR_EL2 change. */
void inject_exception(u64 esr, const u64 *far);
u64 abort_esr(u64 esr);
u64 abort_ipa(u64 far);
u64 exception_vector(void);

/* hypercall.c */
#define ERROR_OK		0
#define ERROR_ARGUMENT_INVALID	1
#define ERROR_BUSY		31
#define ERROR_CAP_NULL		50
#define ERROR_TYPE		52
#define ERROR_RIGHTS		53
#define ERROR_EMPTY		60
#define ERROR_FULL		61
#define CALL_IDENTIFY		0x00
#define CALL_BELL_SEND		0x12
#define CALL_BELL_RECEIVE	0x13
#define CALL_BELL_RESET		0x14
#define CALL_BELL_SET_MASK	0x15
#define CALL_MSGQ_SEND		0x1b
#define CALL_MSGQ_RECEIVE	0x1c
#define CALL_VCPU_RUN		0x65
/* @vmid: the caller */
bool hypercall(u64 x[31], u32 imm, u16 vmid);

/* script.c */
enum call_count {
	COUNT_VCPU_RUN,
	COUNT_VCPU_READY,
	COUNT_BELL_SEND,
	COUNT_BELL_SET_MASK,
	COUNT_HVC_TICKS,
	CALL_COUNTS,
};

/* As the registers of the control page */
struct script_rule {
	u32 call, vcpu, after, skip, count, error, state, data[6];
};

extern u32 call_counts[CALL_COUNTS];

void count(enum call_count which, u32 n);
bool script_add(const struct script_rule *rule);
void script_clear(void);
u32 script_hits(void);
bool script_bell(u32 call, u64 cap, u64 *error);

/* msgq.c */
extern u32 msgq_sends, msgq_recvs;
u64 msgq_host_send(u64 cap, u64 size, u64 va, u64 *not_full);
u64 msgq_host_receive(u64 cap, u64 va, u64 max, u64 *size, u64 *not_empty);
bool msgq_rm_receive(void *packet, u32 *len);
bool msgq_rm_send(const void *packet, u32 len);

/* caps.c */
#define MAX_BELLS		1024		/* of all guests */
#define CAP_STEP		4UL
#define CAP_SPAN		0x2000UL	/* the bits that tell guests' ids apart */
enum cap_kind {
	CAP_NONE,
	CAP_VCPU,
	CAP_BELL,
};

u64 cap_id(u32 slot);
u32 cap_take(enum cap_kind kind, u16 vmid, u16 index);
void cap_free(u32 slot);
bool cap_exists(u64 cap);
u64 cap_find(u64 cap, enum cap_kind kind, u16 *vmid, u16 *index);
u32 cap_last(u64 cap);
void cap_set_last(u64 cap, u32 state);
bool host_spis_take(u32 *spi, u32 count);
void host_spi_free(u32 spi);

/* rm.c */
extern struct rm_model *rm_model;
u64 rm_heap(void);
void rm_init(void);
__noreturn void hidden_main(u32 cpu);
void rm_wait_ready(void);
void hidden_call(void (*serve)(void *arg), void *arg);
bool control_access(u32 offset, bool write, u32 *value);

/* tz.c; a rule is as the registers of the control page */
struct tz_rule {
	u32 direction, code, skip, count;
};

extern u32 tz_assigns, tz_away_pages;
u64 tz_heap(void);
void tz_init(void);
bool tz_call(u64 x[31]);
bool tz_assigned(u64 addr, u64 size, const struct rm_acl *acl, u32 n);
bool tz_rule_add(const struct tz_rule *rule);
void tz_rules_clear(void);
u32 tz_rule_hits(void);

/* guest.c: operations of rm_model */
uint32_t guest_vm_init(void *env, uint16_t vmid, const struct rm_image *image);
uint32_t guest_vm_start(void *env, uint16_t vmid, const struct rm_image *image);
void guest_vm_kill(void *env, uint16_t vmid);
void guest_vm_teardown(void *env, uint16_t vmid);
bool guest_vm_has_rpc(void *env, uint16_t vmid);
bool guest_resource(void *env, uint16_t vmid, uint32_t index, struct rm_resource *r);

/* proxy.c */
u64 proxy_poll(void);

/*
 * vgic.c: an SPI of a guest's, 32 and up. @edge: one more event, which the guest sees
 * once; @level_high is not looked at. Otherwise @level_high is what the line is at from
 * now on. By any CPU, with no lock held that is inside a guest's; an interrupt or a VM
 * that is not there is ignored.
 */
void vgic_set_spi(u16 vmid, u32 intid, bool level_high, bool edge);

/* bell.c */
u64 bell_send(u16 vmid, u64 cap, u64 flags, u64 *old);
u64 bell_receive(u16 vmid, u64 cap, u64 clear, u64 *old);
u64 bell_reset(u16 vmid, u64 cap);
u64 bell_set_mask(u16 vmid, u64 cap, u64 enabled, u64 ack);

/* vcpu.c */
void vcpu_cpu_init(u32 index);
bool vcpu_any_runnable(void);
void vcpu_run_next(void);

#endif /* _HYP_H */

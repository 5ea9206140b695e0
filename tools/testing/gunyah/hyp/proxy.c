// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that the host schedules ("proxy"): the vcpu_run hypercall runs one on the
 * CPU that calls it, until there is something for the host to do. And what the
 * resource manager tells the host of any vCPU: capability id and interrupt.
 *
 * proxy_lock guards vm->cap, vm->cpus, which vCPUs of the pool are in use, and whether
 * vm->proxy is there at all; host CPUs and the hidden CPU take it. Who runs a vCPU of a
 * guest knows that all of these stay.
 *
 * The guest's lock, vm->lock, guards what is in vm->proxy and what vCPUs are to each
 * other: their states, what a sleep waits for, and the interrupts (vgic.c). The rest of a
 * vCPU belongs to the CPU that runs it while running is set, and to who holds the lock
 * otherwise. What a guest ends with is left there for the hidden CPU, whose the resource
 * manager is.
 *
 * A vCPU that becomes runnable is announced to the host by its interrupt, but one that is
 * just on its way out of vcpu_run then leaves as READY instead: that is decided with the
 * guest's lock, as it is whether a vCPU sleeps at all, so that nothing gets lost between.
 *
 * State BLOCKED is never returned: nothing here blocks a vCPU but its own sleep.
 */
#include "guest.h"

#define LEAVE_MS		5000

/* Each has an interrupt of the host's, and so they do not run out. */
static struct vcpu pool[HOST_SPI_GUESTS];
static bool in_use[HOST_SPI_GUESTS];
static struct spinlock proxy_lock;

static struct vcpu *take_vcpu(u32 index)
{
	u32 n = 0;

	while (in_use[n])
		n++;
	in_use[n] = true;
	memset(&pool[n], 0, sizeof(pool[n]));
	pool[n].index = index;
	return &pool[n];
}

/* VM_INIT: false if there are not enough interrupts for all of them. */
bool vcpus_create(u16 vmid, u32 cpus, bool proxy)
{
	struct vm *vm = &vms[vmid];
	bool ok;

	spin_lock(&proxy_lock);
	spin_lock(&vm->lock);
	memset(&vm->proxy, 0, sizeof(vm->proxy));
	ok = !proxy || host_spis_take(vm->proxy.spi, cpus);
	if (ok) {
		vm->proxy.on = proxy;
		vm->cpus = cpus;
		for (u32 i = 0; i < cpus; i++) {
			vm->cap[i] = cap_take(CAP_VCPU, vmid, i);
			if (proxy)
				vm->proxy.vcpu[i] = take_vcpu(i);
		}
		if (proxy)
			vgic_create(vm);
	}
	spin_unlock(&vm->lock);
	spin_unlock(&proxy_lock);
	return ok;
}

/* RESET: none of them runs any more. */
void vcpus_destroy(u16 vmid)
{
	struct vm *vm = &vms[vmid];

	spin_lock(&proxy_lock);
	spin_lock(&vm->lock);
	for (u32 i = 0; i < vm->cpus; i++) {
		cap_free(vm->cap[i]);
		if (vm->proxy.on) {
			host_spi_free(vm->proxy.spi[i]);
			in_use[vm->proxy.vcpu[i] - pool] = false;
		}
	}
	vm->cpus = 0;
	vm->proxy.on = false;
	spin_unlock(&vm->lock);
	spin_unlock(&proxy_lock);
}

bool vcpu_resource(u16 vmid, u32 index, struct rm_resource *r)
{
	const struct vm *vm = &vms[vmid];

	if (index >= vm->cpus)
		return false;
	memset(r, 0, sizeof(*r));
	r->type = 4;
	r->label = index;
	r->capid = cap_id(vm->cap[index]);
	r->virq = vm->proxy.on ? vm->proxy.spi[index] + 32 : ~0U;
	return true;
}

static bool has_ended(const struct vm *vm)
{
	return vm->proxy.posted || vm->proxy.exited;
}

/* With the guest's lock: it slept, or was off. */
void proxy_wake(struct vm *vm, struct vcpu *vcpu)
{
	vcpu->state = VCPU_RUNNABLE;
	if (!vcpu->running)
		gic_raise_spi(vm->proxy.spi[vcpu->index]);
}

/* VM_START. The host is told once that there is something to run. */
void proxy_start(u16 vmid, u64 pc, u64 x0)
{
	struct vm *vm = &vms[vmid];

	spin_lock(&vm->lock);
	vm->proxy.gic.dist = vm->dtb.gicd;
	vm->proxy.gic.redist = vm->dtb.gicr;
	vcpu_reset(vm->proxy.vcpu[0], pc, x0);
	proxy_wake(vm, vm->proxy.vcpu[0]);
	spin_unlock(&vm->lock);
}

/* With the guest's lock: those of its vCPUs that are in it leave it, and none enters. */
static void end_all(struct vm *vm)
{
	for (u32 i = 0; i < vm->cpus; i++) {
		vm->proxy.vcpu[i]->state = VCPU_OFF;
		if (vm->proxy.vcpu[i]->gic.loaded)
			gic_kick_host(vm->proxy.vcpu[i]->cpu);
	}
}

/*
 * The guest runs no more when this returns. A vCPU that sleeps is not announced as
 * runnable for that: the recordings have no such interrupt, so nobody may need one.
 */
void proxy_kill(u16 vmid)
{
	struct vm *vm = &vms[vmid];
	u64 end = now_ms() + LEAVE_MS;

	spin_lock(&vm->lock);
	vm->proxy.exited = true;
	vm->proxy.posted = false;
	end_all(vm);
	spin_unlock(&vm->lock);
	for (u32 i = 0; i < vm->cpus; i++) {
		struct vcpu *vcpu = vm->proxy.vcpu[i];

		while (__atomic_load_n(&vcpu->running, __ATOMIC_ACQUIRE)) {
			if (now_ms() > end)
				panic("CPU %u runs VM %u and takes no interrupt", vcpu->cpu, vmid);
			cpu_relax();
		}
	}
}

/* By the vCPU that ends it; the hidden CPU takes that over when none of them runs. */
void proxy_ended(u16 vmid, u16 type, const u32 *reason, u32 words)
{
	struct vm *vm = &vms[vmid];

	spin_lock(&vm->lock);
	if (!has_ended(vm)) {
		vm->proxy.exit_type = type;
		vm->proxy.words = words;
		memcpy(vm->proxy.reason, reason, words * sizeof(*reason));
		vm->proxy.posted = true;
		end_all(vm);
	}
	spin_unlock(&vm->lock);
}

/* PSCI: false if it is on. What it starts with is set when it runs. */
bool proxy_cpu_on(u16 vmid, u32 index, u64 entry, u64 context)
{
	struct vm *vm = &vms[vmid];
	struct vcpu *vcpu = vm->proxy.vcpu[index];
	bool was_off;

	spin_lock(&vm->lock);
	was_off = vcpu->state == VCPU_OFF;
	if (was_off && !has_ended(vm)) {
		vcpu->resetting = true;
		vcpu->entry = entry;
		vcpu->context = context;
		proxy_wake(vm, vcpu);
	}
	spin_unlock(&vm->lock);
	return was_off;
}

void proxy_cpu_off(u16 vmid, struct vcpu *vcpu)
{
	spin_lock(&vms[vmid].lock);
	vcpu->state = VCPU_OFF;
	spin_unlock(&vms[vmid].lock);
}

/* On, off, or about to be on */
u64 proxy_affinity_info(u16 vmid, u32 index)
{
	struct vm *vm = &vms[vmid];
	struct vcpu *vcpu = vm->proxy.vcpu[index];
	u64 info;

	spin_lock(&vm->lock);
	info = vcpu->state == VCPU_OFF ? 1 : vcpu->resetting ? 2 : 0;
	spin_unlock(&vm->lock);
	return info;
}

static bool timer_due(u64 wake_at)
{
	isb();
	return wake_at != NEVER && read_sysreg(cntpct_el0) >= wake_at;
}

/* With the guest's lock: the timer of a vCPU that sleeps may have become due, and end that. */
static bool timer_wakes(struct vm *vm, struct vcpu *vcpu)
{
	if (!timer_due(vcpu->wake_at))
		return false;
	vcpu->wake_at = NEVER;
	vgic_set_timer(vcpu, true);
	return vgic_signals(vm, vcpu, vcpu->sleep.data[1] != SLEEP_WFI);
}

/* With the guest's lock, and with the vCPU's own timer on this CPU */
static void sleep(struct vm *vm, struct vcpu *vcpu, u32 type, u64 data0)
{
	bool armed = (read_sysreg(cntv_ctl_el0) & CNT_CTL_MASK) == CNT_CTL_ENABLE;
	u64 cval = read_sysreg(cntv_cval_el0);

	if (has_ended(vm))
		return;
	vcpu->sleep = (struct vcpu_result){ RUN_EXPECTS_WAKEUP, { data0, type } };
	vcpu->wake_at = armed ? cval : NEVER;
	vgic_set_timer(vcpu, false);
	/* QEMU's timers are late when it has much to do, but not when they are set. */
	if (timer_due(vcpu->wake_at))
		write_sysreg(cval, cntv_cval_el0);
	if (!timer_wakes(vm, vcpu) && !vgic_signals(vm, vcpu, type != SLEEP_WFI))
		vcpu->state = VCPU_WAITING;
}

void proxy_sleep(u16 vmid, struct vcpu *vcpu, u32 type, u64 data0)
{
	struct vm *vm = &vms[vmid];

	spin_lock(&vm->lock);
	sleep(vm, vcpu, type, data0);
	spin_unlock(&vm->lock);
}

/* PSCI: false if another vCPU is on. It goes on as from a reset. */
bool proxy_system_suspend(u16 vmid, struct vcpu *vcpu, u64 entry, u64 context)
{
	struct vm *vm = &vms[vmid];
	bool alone = true;

	spin_lock(&vm->lock);
	for (u32 i = 0; i < vm->cpus; i++)
		alone &= vm->proxy.vcpu[i] == vcpu || vm->proxy.vcpu[i]->state == VCPU_OFF;
	if (alone) {
		vcpu->resetting = true;
		vcpu->entry = entry;
		vcpu->context = context;
		sleep(vm, vcpu, SLEEP_SYSTEM_SUSPEND, 0);
	}
	spin_unlock(&vm->lock);
	return alone;
}

/* Hidden CPU, a guest that is there: wakes who is due, and returns when the next one is. */
static u64 poll_sleepers(struct vm *vm)
{
	u64 next = NEVER;

	for (u32 i = 0; i < vm->cpus; i++) {
		struct vcpu *vcpu = vm->proxy.vcpu[i];

		if (vcpu->state != VCPU_WAITING)
			continue;
		if (timer_wakes(vm, vcpu))
			proxy_wake(vm, vcpu);
		else if (vcpu->wake_at < next)
			next = vcpu->wake_at;
	}
	return next;
}

/* With the guest's lock */
static bool any_running(const struct vm *vm)
{
	bool any = false;

	for (u32 i = 0; i < vm->cpus; i++)
		any |= vm->proxy.vcpu[i]->running;
	return any;
}

/* Hidden CPU: returns when to look again, by the counter, if nobody says so before. */
u64 proxy_poll(void)
{
	u64 first = NEVER;

	for (u32 vmid = 0; vmid < MAX_VMID; vmid++) {
		struct vm *vm = &vms[vmid];
		struct proxy *proxy = &vm->proxy;
		bool ended;
		u64 next;

		if (!proxy->on)
			continue;
		spin_lock(&vm->lock);
		ended = proxy->posted && !any_running(vm);
		if (ended) {
			proxy->posted = false;
			proxy->exited = true;
		}
		next = poll_sleepers(vm);
		if (next < first)
			first = next;
		spin_unlock(&vm->lock);
		if (ended)
			rm_model_guest_exited(rm_model, vmid, proxy->exit_type, proxy->reason,
					      proxy->words);
	}
	return first;
}

static void result(struct vcpu_result *r, u64 state, u64 data0)
{
	*r = (struct vcpu_result){ state, { data0 } };
}

/*
 * What the host answers to a load. The recordings show that a byte's register got
 * all of a 32-bit word, so nothing is cut off but what the register does not have.
 */
static void finish_read(struct vcpu *vcpu, u64 value)
{
	u64 esr = vcpu->reading;
	u32 srt = ESR_SRT(esr), drop = 64 - (8 << ESR_SAS(esr));

	vcpu->reading = 0;
	if (esr & ESR_SSE)
		value = (u64)((int64_t)(value << drop) >> drop);
	if (!(esr & ESR_SF))
		value = (u32)value;
	if (srt != 31)
		vcpu->x[srt] = value;
}

/*
 * With the vCPU's own context on this CPU: until it leaves by itself, sleeps or is off,
 * there is an interrupt for the host, or it may not enter.
 */
static void run(u16 vmid, struct vcpu *vcpu)
{
	struct vm *vm = &vms[vmid];

	vcpu->left.state = RUN_READY;
	while (vcpu->left.state == RUN_READY && vgic_enter(vm, vcpu)) {
		u32 why;

		write_sysreg(vcpu->pc, elr_el2);
		write_sysreg(vcpu->spsr, spsr_el2);
		why = guest_run(vcpu->x);
		vgic_leave(vm, vcpu);
		if (why == GUEST_EXIT_SYNC)
			vcpu_trapped(vmid, vcpu);
		vcpu->pc = read_sysreg(elr_el2);
		vcpu->spsr = read_sysreg(spsr_el2);
		if (why == GUEST_EXIT_IRQ && gic_host_pending(vcpu->cpu))
			break;
	}
}

/*
 * The host's context waits on the stack. Its virtual timer must still interrupt the
 * guest: while that has the registers, the EL2 timer stands in with the deadline.
 */
static void switch_and_run(u16 vmid, struct vcpu *vcpu)
{
	u64 elr = read_sysreg(elr_el2), spsr = read_sysreg(spsr_el2);
	u8 *last_ran = &vms[vmid].proxy.last_ran[vcpu->cpu];
	struct fp_state fp;
	struct vcpu_sys sys;

	sys_save(&sys);
	fp_save(&fp);
	gic_enter_guest(vcpu->cpu);
	if ((sys.cntv_ctl_el0 & CNT_CTL_MASK) == CNT_CTL_ENABLE)
		timer_start_at(sys.cntv_cval_el0);
	sys_load(&vcpu->sys);
	fp_load(&vcpu->fp);
	vcpu_cpu_init(vcpu->index);
	guest_s2_load(&vms[vmid].s2);
	if (*last_ran != vcpu->index + 1)
		guest_s2_flush_local();
	*last_ran = vcpu->index + 1;

	run(vmid, vcpu);

	sys_save(&vcpu->sys);
	fp_save(&vcpu->fp);
	sys_load(&sys);
	fp_load(&fp);
	write_sysreg(host_vectors, vbar_el2);
	host_el2_init();
	host_s2_load();
	timer_stop();
	gic_leave_guest(vcpu->cpu);
	write_sysreg(elr, elr_el2);
	write_sysreg(spsr, spsr_el2);
}

/* With the guest's lock; @r says READY if the vCPU is now this CPU's to run. */
static u64 begin(struct vm *vm, struct vcpu *vcpu, struct vcpu_result *r)
{
	if (vcpu->running)
		return ERROR_BUSY;
	if (vcpu->state == VCPU_OFF) {
		result(r, RUN_POWERED_OFF, has_ended(vm));
		return ERROR_OK;
	}
	if (vcpu->state == VCPU_WAITING && !timer_wakes(vm, vcpu)) {
		*r = vcpu->sleep;
		return ERROR_OK;
	}
	vcpu->state = VCPU_RUNNABLE;
	if (vcpu->resetting) {
		vcpu->resetting = false;
		vcpu_reset(vcpu, vcpu->entry, vcpu->context);
		vgic_reset_cpu(vcpu);
	}
	vcpu->cpu = read_sysreg(mpidr_el1) & 0xff;
	vcpu->running = true;
	return ERROR_OK;
}

/* With the guest's lock: what has become of the vCPU since it left */
static void finish(struct vm *vm, struct vcpu *vcpu, struct vcpu_result *r)
{
	*r = vcpu->left;
	if (vcpu->state == VCPU_WAITING)
		*r = vcpu->sleep;
	else if (vcpu->state == VCPU_RUNNABLE && r->state == RUN_POWERED_OFF)
		result(r, RUN_READY, 0);
	if (vm->proxy.exited || (vm->proxy.posted && r->state == RUN_READY))
		result(r, RUN_POWERED_OFF, true);
	__atomic_store_n(&vcpu->running, false, __ATOMIC_RELEASE);
	/* It has to know of an end, and of a sleep that has one. */
	if (vm->proxy.posted || (vcpu->state == VCPU_WAITING && vcpu->wake_at != NEVER))
		gic_kick_hidden();
}

/*
 * A host CPU. @resume: the answer to the load that the vCPU left for, if it did. That
 * a reserved argument is checked is assumed, from the description of all calls.
 */
u64 vcpu_run(u64 cap, u64 resume, u64 reserved, struct vcpu_result *r)
{
	struct vcpu *vcpu = NULL;
	bool runs = false;
	struct vm *vm;
	u16 vmid, index;
	u64 error;

	memset(r, 0, sizeof(*r));
	if (reserved)
		return ERROR_ARGUMENT_INVALID;
	spin_lock(&proxy_lock);
	error = cap_find(cap, CAP_VCPU, &vmid, &index);
	vm = &vms[vmid];
	if (!error && !vm->proxy.on)
		error = ERROR_BUSY;
	if (!error) {
		vcpu = vm->proxy.vcpu[index];
		spin_lock(&vm->lock);
		error = begin(vm, vcpu, r);
		runs = !error && r->state == RUN_READY;
		spin_unlock(&vm->lock);
	}
	spin_unlock(&proxy_lock);
	if (!runs)
		return error;

	if (vcpu->reading)
		finish_read(vcpu, resume);
	switch_and_run(vmid, vcpu);

	spin_lock(&vm->lock);
	finish(vm, vcpu, r);
	spin_unlock(&vm->lock);
	return ERROR_OK;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that the host schedules ("proxy"): the vcpu_run hypercall runs one on the
 * CPU that calls it, until there is something for the host to do. And what the
 * resource manager tells the host of any vCPU: capability id and interrupt.
 *
 * proxy_lock guards vm->cap, vm->cpus and vm->proxy; host CPUs and the hidden CPU take
 * it. The vcpu of such a guest belongs to the CPU that runs it while vm->proxy.running is
 * set, and to who holds proxy_lock otherwise. What a guest ends with is left there for
 * the hidden CPU, whose the resource manager is.
 *
 * vCPU 0 runs. Others that the devicetree has are there and off, for good. State
 * BLOCKED is never returned: nothing here blocks a vCPU but its own sleep.
 */
#include "guest.h"

#define LEAVE_MS		5000

static struct spinlock proxy_lock;

/* VM_INIT: false if there are not enough interrupts for all of them. */
bool vcpus_create(u16 vmid, u32 cpus, bool proxy)
{
	struct vm *vm = &vms[vmid];
	bool ok;

	spin_lock(&proxy_lock);
	memset(&vm->proxy, 0, sizeof(vm->proxy));
	ok = !proxy || host_spis_take(vm->proxy.spi, cpus);
	if (ok) {
		vm->proxy.on = proxy;
		vm->cpus = cpus;
		for (u32 i = 0; i < cpus; i++)
			vm->cap[i] = cap_take(CAP_VCPU, vmid, i);
	}
	spin_unlock(&proxy_lock);
	return ok;
}

/* RESET: none of them runs any more. */
void vcpus_destroy(u16 vmid)
{
	struct vm *vm = &vms[vmid];

	spin_lock(&proxy_lock);
	for (u32 i = 0; i < vm->cpus; i++) {
		cap_free(vm->cap[i]);
		if (vm->proxy.on)
			host_spi_free(vm->proxy.spi[i]);
	}
	vm->cpus = 0;
	vm->proxy.on = false;
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

/* VM_START. The host is told once that there is something to run. */
void proxy_start(u16 vmid, u64 pc, u64 x0)
{
	struct vm *vm = &vms[vmid];

	spin_lock(&proxy_lock);
	vcpu_start(&vm->vcpu, pc, x0);
	spin_unlock(&proxy_lock);
	gic_raise_spi(vm->proxy.spi[0]);
}

/*
 * The guest runs no more when this returns. A vCPU that sleeps is not announced as
 * runnable for that: the recordings have no such interrupt, so nobody may need one.
 */
void proxy_kill(u16 vmid)
{
	struct proxy *proxy = &vms[vmid].proxy;
	u64 end = now_ms() + LEAVE_MS;

	spin_lock(&proxy_lock);
	proxy->exited = true;
	proxy->posted = false;
	if (proxy->running)
		gic_kick_host(proxy->cpu);
	spin_unlock(&proxy_lock);
	while (__atomic_load_n(&proxy->running, __ATOMIC_ACQUIRE)) {
		if (now_ms() > end)
			panic("CPU %u runs VM %u and takes no interrupt", proxy->cpu, vmid);
		cpu_relax();
	}
	spin_lock(&proxy_lock);
	vms[vmid].vcpu.state = VCPU_OFF;
	spin_unlock(&proxy_lock);
}

/* By the CPU that runs it; the hidden CPU takes that over when it runs no more. */
void proxy_ended(u16 vmid, u16 type, const u32 *reason, u32 words)
{
	struct proxy *proxy = &vms[vmid].proxy;

	spin_lock(&proxy_lock);
	/* Who was killed meanwhile has ended by that. */
	if (!proxy->exited) {
		proxy->exit_type = type;
		proxy->words = words;
		memcpy(proxy->reason, reason, words * sizeof(*reason));
		proxy->posted = true;
	}
	spin_unlock(&proxy_lock);
}

static bool timer_due(u64 ctl, u64 cval)
{
	return (ctl & CNT_CTL_MASK) == CNT_CTL_ENABLE && read_sysreg(cntpct_el0) >= cval;
}

/* A guest has no interrupts; its virtual timer at least ends its sleep. */
static bool wakes(const struct vcpu *vcpu)
{
	return timer_due(vcpu->sys.cntv_ctl_el0, vcpu->sys.cntv_cval_el0);
}

static bool may_wake(const struct vcpu *vcpu)
{
	return (vcpu->sys.cntv_ctl_el0 & CNT_CTL_MASK) == CNT_CTL_ENABLE;
}

/* Hidden CPU: returns true if there is something to look for again soon. */
bool proxy_poll(void)
{
	bool again = false;

	for (u32 vmid = 0; vmid < MAX_VMID; vmid++) {
		struct vm *vm = &vms[vmid];
		struct proxy *proxy = &vm->proxy;
		bool ended;

		if (!proxy->on)
			continue;
		spin_lock(&proxy_lock);
		ended = proxy->posted && !proxy->running;
		if (ended) {
			proxy->posted = false;
			proxy->exited = true;
		}
		if (!proxy->running && vm->vcpu.state == VCPU_WAITING) {
			isb();
			if (wakes(&vm->vcpu)) {
				vm->vcpu.state = VCPU_RUNNABLE;
				gic_raise_spi(proxy->spi[0]);
			} else {
				again |= may_wake(&vm->vcpu);
			}
		}
		spin_unlock(&proxy_lock);
		if (ended)
			rm_model_guest_exited(rm_model, vmid, proxy->exit_type, proxy->reason,
					      proxy->words);
	}
	return again;
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

/* With the vCPU's own context on this CPU */
static void run(u16 vmid, struct vcpu *vcpu)
{
	u32 why;

	vcpu->left.state = RUN_READY;
	do {
		write_sysreg(vcpu->pc, elr_el2);
		write_sysreg(vcpu->spsr, spsr_el2);
		why = guest_run(vcpu->x);
		if (why == GUEST_EXIT_SYNC)
			vcpu_trapped(vmid, vcpu);
		vcpu->pc = read_sysreg(elr_el2);
		vcpu->spsr = read_sysreg(spsr_el2);
		if (vcpu->state == VCPU_WAITING &&
		    timer_due(read_sysreg(cntv_ctl_el0), read_sysreg(cntv_cval_el0)))
			vcpu->state = VCPU_RUNNABLE;
		if (vcpu->state == VCPU_WAITING)
			vcpu->left = vcpu->sleep;
	} while (why == GUEST_EXIT_SYNC && vcpu->left.state == RUN_READY);
}

/*
 * The host's context waits on the stack. Its virtual timer must still interrupt the
 * guest: while that has the registers, the EL2 timer stands in with the deadline.
 */
static void switch_and_run(u16 vmid, struct vcpu *vcpu, u32 cpu)
{
	u64 elr = read_sysreg(elr_el2), spsr = read_sysreg(spsr_el2);
	struct fp_state fp;
	struct vcpu_sys sys;

	sys_save(&sys);
	fp_save(&fp);
	gic_enter_guest(cpu);
	if ((sys.cntv_ctl_el0 & CNT_CTL_MASK) == CNT_CTL_ENABLE)
		timer_start_at(sys.cntv_cval_el0);
	sys_load(&vcpu->sys);
	fp_load(&vcpu->fp);
	vcpu_cpu_init();
	guest_s2_load(&vms[vmid].s2);

	run(vmid, vcpu);

	sys_save(&vcpu->sys);
	fp_save(&vcpu->fp);
	sys_load(&sys);
	fp_load(&fp);
	write_sysreg(host_vectors, vbar_el2);
	host_el2_init();
	host_s2_load();
	timer_stop();
	gic_leave_guest(cpu);
	write_sysreg(elr, elr_el2);
	write_sysreg(spsr, spsr_el2);
}

/* Under proxy_lock; true if the vCPU is now this CPU's to run. */
static bool begin(struct vm *vm, u32 index, struct vcpu_result *r)
{
	struct vcpu *vcpu = &vm->vcpu;

	if (index || vcpu->state == VCPU_OFF || vm->proxy.exited) {
		result(r, RUN_POWERED_OFF, vm->proxy.exited);
		return false;
	}
	isb();
	if (vcpu->state == VCPU_WAITING && !wakes(vcpu)) {
		*r = vcpu->sleep;
		return false;
	}
	vcpu->state = VCPU_RUNNABLE;
	vm->proxy.cpu = read_sysreg(mpidr_el1) & 0xff;
	vm->proxy.running = true;
	return true;
}

static u64 lookup(u64 cap, u16 *vmid, u16 *index)
{
	u64 error = cap_find(cap, CAP_VCPU, vmid, index);

	if (error)
		return error;
	if (!vms[*vmid].proxy.on || (!*index && vms[*vmid].proxy.running))
		return ERROR_BUSY;
	return ERROR_OK;
}

/*
 * A host CPU. @resume: the answer to the load that the vCPU left for, if it did. That
 * a reserved argument is checked is assumed, from the description of all calls.
 */
u64 vcpu_run(u64 cap, u64 resume, u64 reserved, struct vcpu_result *r)
{
	bool asleep, runs = false;
	struct vm *vm;
	u16 vmid, index;
	u64 error;

	memset(r, 0, sizeof(*r));
	if (reserved)
		return ERROR_ARGUMENT_INVALID;
	spin_lock(&proxy_lock);
	error = lookup(cap, &vmid, &index);
	vm = &vms[vmid];
	if (!error)
		runs = begin(vm, index, r);
	spin_unlock(&proxy_lock);
	if (!runs)
		return error;

	if (vm->vcpu.reading)
		finish_read(&vm->vcpu, resume);
	switch_and_run(vmid, &vm->vcpu, vm->proxy.cpu);

	spin_lock(&proxy_lock);
	*r = vm->vcpu.left;
	if (vm->proxy.exited)
		result(r, RUN_POWERED_OFF, true);
	asleep = vm->vcpu.state == VCPU_WAITING && may_wake(&vm->vcpu);
	__atomic_store_n(&vm->proxy.running, false, __ATOMIC_RELEASE);
	if (vm->proxy.posted || asleep)
		gic_kick_hidden();
	spin_unlock(&proxy_lock);
	return ERROR_OK;
}

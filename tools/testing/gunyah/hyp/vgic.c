// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual GICv3 of a guest that the host runs. The distributor and the
 * redistributors are emulated where the guest's devicetree has them; the CPU interface
 * is the CPU's own, by list registers.
 *
 * An interrupt that is not in a list register is in memory: vm->proxy.gic has the SPIs,
 * vcpu->gic the SGIs and PPIs of that vCPU. The list registers are filled whenever the
 * guest is entered, with the most urgent interrupts, and emptied whenever it is left, so
 * that memory has it all while the hypervisor does something for that vCPU. An edge that
 * goes to a list register leaves its latch free for the next one.
 *
 * All of that is under the guest's lock (proxy.c). While vcpu->gic.loaded is set, that
 * vCPU is in the guest, or on its way into or out of it without any lock. Who has more
 * for it makes it leave by a kick; who wants to know or to change what may be in its
 * list registers keeps all other vCPUs out meanwhile (pause_others()).
 *
 * Not emulated: group 0 (all interrupts are in group 1, for good), LPIs and the ITS,
 * extended ranges, 1 of N delivery, PPIs as edges, and the sleep of a redistributor.
 * GICD_CTLR and GICR_CTLR never say that a write is pending; it never is.
 */
#include "guest.h"

#define SGIS			16
#define TIMER_PPI		27
#define INTIDS			(32 + VGIC_SPIS)

#define GICD_CTLR		0x0000
#define GICD_CTLR_G1		BIT(1)
#define GICD_CTLR_ENABLE	3
#define GICD_CTLR_ARE		BIT(4)
#define GICD_CTLR_DS		BIT(6)
#define GICD_TYPER		0x0004
#define GICD_TYPER_IDBITS	(9UL << 19)
#define GICD_TYPER_NO1N		BIT(25)
#define GICD_IROUTER		0x6100
#define GICR_TYPER_LAST		BIT(4)
#define GICR_FRAME		0x10000		/* the first one, and then the one of SGIs */
#define GICR_SIZE		0x20000
/* The same in both */
#define GIC_IIDR		0x0008
#define GICR_IIDR		0x0004
#define GICR_TYPER		0x0008
#define GIC_PIDR2		0xffe8
#define GIC_V3			0x3b
#define IIDR_QUALCOMM		0x47000070
/* A bit for each interrupt, a byte, two bits */
#define GIC_IGROUPR		0x0080
#define GIC_ISENABLER		0x0100
#define GIC_ICENABLER		0x0180
#define GIC_ISPENDR		0x0200
#define GIC_ICPENDR		0x0280
#define GIC_ISACTIVER		0x0300
#define GIC_ICACTIVER		0x0380
#define GIC_IPRIORITYR		0x0400
#define GIC_IPRIORITYR_END	0x0800
#define GIC_ICFGR		0x0c00
#define GIC_ICFGR_END		0x0d00
#define PRIORITY_MASK		0xf8
#define PRIORITY_BITS		5

#define ICH_HCR_EN		BIT(0)
#define ICH_HCR_UIE		BIT(1)
#define ICH_HCR_LRENPIE		BIT(2)
#define ICH_HCR_EOI_COUNT(v)	((v) >> 27 & 0x1f)
#define ICH_VMCR_G1		BIT(1)
#define ICH_VMCR_PMR(v)		((v) >> 24 & 0xff)
#define LR_PENDING		BIT(62)
#define LR_ACTIVE		BIT(63)
#define LR_GROUP1		BIT(60)
#define LR_PRIORITY_SHIFT	48
#define LR_EOI			BIT(41)		/* tell us when it is no longer active */
#define LR_INTID(lr)		((u32)(lr))

#define SGIR_TARGETS(v)		((v) & 0xffff)
#define SGIR_INTID(v)		((v) >> 24 & 0xf)
#define SGIR_OTHERS		BIT(40)
/* Affinity levels 1 to 3 and the range selector, which are 0 for every vCPU */
#define SGIR_ELSEWHERE		0x00fff0ff00ff0000UL

static struct vgic_irqs *irqs_of(struct vm *vm, struct vcpu *vcpu, u32 intid)
{
	return intid < 32 ? &vcpu->gic.irqs : &vm->proxy.gic.spi[intid / 32 - 1];
}

static u32 pending(const struct vgic_irqs *q)
{
	return q->latch | (q->line & ~q->edge);
}

/* VM_INIT; vCPUs come later. */
void vgic_create(struct vm *vm)
{
	memset(&vm->proxy.gic, 0, sizeof(vm->proxy.gic));
	for (u32 i = 0; i < vm->cpus; i++) {
		struct vgic_cpu *gic = &vm->proxy.vcpu[i]->gic;

		memset(gic, 0, sizeof(*gic));
		gic->irqs.edge = BIT(SGIS) - 1;
	}
}

/* Of the rest, nothing is lost when a CPU goes off. */
void vgic_reset_cpu(struct vcpu *vcpu)
{
	vcpu->gic.vmcr = 0;
	vcpu->gic.ap0r = 0;
	vcpu->gic.ap1r = 0;
}

/*
 * The interrupts that concern a vCPU: those which are active on it, and those which are
 * pending, enabled, its own or routed to it, and not active elsewhere.
 */
static u32 concerning(struct vm *vm, struct vcpu *vcpu, u32 word)
{
	struct vgic *gic = &vm->proxy.gic;
	struct vgic_irqs *q = irqs_of(vm, vcpu, word * 32);
	u32 all = q->active, mine = 0;

	if (gic->ctlr & GICD_CTLR_G1)
		all |= pending(q) & q->enabled;
	if (!word)
		return all;
	for (; all; all &= all - 1) {
		u32 bit = __builtin_ctz(all), spi = (word - 1) * 32 + bit;

		if ((q->active & BIT(bit) ? gic->owner[spi] : gic->route[spi]) == vcpu->index)
			mine |= BIT(bit);
	}
	return mine;
}

/* The priority that an interrupt has to be above, without what the binary point masks */
static u32 running_priority(const struct vcpu *vcpu)
{
	u32 mask = ICH_VMCR_PMR(vcpu->gic.vmcr), active = vcpu->gic.ap0r | vcpu->gic.ap1r;
	u32 running = active ? __builtin_ctz(active) << (8 - PRIORITY_BITS) : 0xff;

	return running < mask ? running : mask;
}

/* Would its CPU interface signal an interrupt? The guest is left. */
bool vgic_signals(struct vm *vm, struct vcpu *vcpu, bool any_group)
{
	u32 above = running_priority(vcpu);

	if (!any_group && !(vcpu->gic.vmcr & ICH_VMCR_G1))
		return false;
	for (u32 word = 0; word < INTIDS / 32; word++) {
		struct vgic_irqs *q = irqs_of(vm, vcpu, word * 32);
		u32 left = concerning(vm, vcpu, word) & ~q->active;

		for (; left; left &= left - 1) {
			if (q->priority[__builtin_ctz(left)] < above)
				return true;
		}
	}
	return false;
}

/* There may be something new for this vCPU. */
static void notify(struct vm *vm, struct vcpu *vcpu)
{
	if (vcpu->gic.loaded)
		gic_kick_host(vcpu->cpu);
	else if (vcpu->state == VCPU_WAITING &&
		 vgic_signals(vm, vcpu, vcpu->sleep.data[1] != SLEEP_WFI))
		proxy_wake(vm, vcpu);
}

static void notify_all(struct vm *vm)
{
	for (u32 i = 0; i < vm->cpus; i++)
		notify(vm, vm->proxy.vcpu[i]);
}

static void write_lr(u32 n, u64 value)
{
	switch (n) {
	case 0:
		write_sysreg_s(value, ICH_LR0_EL2);
		break;
	case 1:
		write_sysreg_s(value, ICH_LR1_EL2);
		break;
	case 2:
		write_sysreg_s(value, ICH_LR2_EL2);
		break;
	default:
		write_sysreg_s(value, ICH_LR3_EL2);
	}
}

static u64 read_lr(u32 n)
{
	switch (n) {
	case 0:
		return read_sysreg_s(ICH_LR0_EL2);
	case 1:
		return read_sysreg_s(ICH_LR1_EL2);
	case 2:
		return read_sysreg_s(ICH_LR2_EL2);
	default:
		return read_sysreg_s(ICH_LR3_EL2);
	}
}

/* Inserts by value; the last one is dropped when there are too many. */
static bool insert(u32 key[VGIC_LRS], u32 *keys, u32 new)
{
	bool dropped = *keys == VGIC_LRS;
	u32 i = dropped ? VGIC_LRS - 1 : (*keys)++;

	if (dropped && key[i] < new)
		return true;
	for (; i && key[i - 1] > new; i--)
		key[i] = key[i - 1];
	key[i] = new;
	return dropped;
}

/*
 * A level is not made pending while it is active: when that ends we are told, and look
 * whether it is still high.
 */
static u64 make_lr(struct vm *vm, struct vcpu *vcpu, u32 intid)
{
	struct vgic_irqs *q = irqs_of(vm, vcpu, intid);
	u32 bit = BIT(intid % 32);
	bool edge = q->edge & bit, active = q->active & bit;
	u64 lr = LR_GROUP1 | (u64)q->priority[intid % 32] << LR_PRIORITY_SHIFT | intid;

	if (active)
		lr |= LR_ACTIVE;
	if (!edge)
		lr |= LR_EOI;
	if ((edge || !active) && (pending(q) & q->enabled & bit))
		lr |= LR_PENDING;
	if (edge && (lr & LR_PENDING))
		q->latch &= ~bit;
	return lr;
}

static void fill(struct vm *vm, struct vcpu *vcpu)
{
	struct vgic_cpu *gic = &vcpu->gic;
	u64 hcr = ICH_HCR_EN;
	u32 key[VGIC_LRS];

	gic->lrs = 0;
	for (u32 word = 0; word < INTIDS / 32; word++) {
		struct vgic_irqs *q = irqs_of(vm, vcpu, word * 32);
		u32 left = concerning(vm, vcpu, word);

		for (; left; left &= left - 1) {
			u32 bit = __builtin_ctz(left);
			bool active = q->active & BIT(bit);

			/* By priority, then those that are active, then by number */
			if (insert(key, &gic->lrs, q->priority[bit] << 16 |
				   (active ? 0 : BIT(15)) | (word * 32 + bit)))
				hcr |= ICH_HCR_UIE | ICH_HCR_LRENPIE;
		}
	}
	for (u32 i = 0; i < VGIC_LRS; i++) {
		gic->lr[i] = i < gic->lrs ? make_lr(vm, vcpu, key[i] & 0x7fff) : 0;
		write_lr(i, gic->lr[i]);
	}
	write_sysreg_s(gic->vmcr, ICH_VMCR_EL2);
	write_sysreg_s(gic->ap0r, ICH_AP0R0_EL2);
	write_sysreg_s(gic->ap1r, ICH_AP1R0_EL2);
	write_sysreg_s(hcr, ICH_HCR_EL2);
}

/* What the guest has ended and had no list register is the most urgent of its kind. */
static void deactivate_one(struct vm *vm, struct vcpu *vcpu)
{
	u32 best = INTIDS, priority = 0x100;

	for (u32 intid = 0; intid < INTIDS; intid++) {
		struct vgic_irqs *q = irqs_of(vm, vcpu, intid);
		bool held = intid >= 32 && vm->proxy.gic.owner[intid - 32] != vcpu->index;

		for (u32 i = 0; i < vcpu->gic.lrs; i++)
			held |= LR_INTID(vcpu->gic.lr[i]) == intid;
		if (!held && (q->active & BIT(intid % 32)) &&
		    q->priority[intid % 32] < priority) {
			best = intid;
			priority = q->priority[intid % 32];
		}
	}
	if (best < INTIDS)
		irqs_of(vm, vcpu, best)->active &= ~BIT(best % 32);
}

static void drain(struct vm *vm, struct vcpu *vcpu)
{
	struct vgic_cpu *gic = &vcpu->gic;
	u64 hcr = read_sysreg_s(ICH_HCR_EL2);

	for (u32 i = 0; i < gic->lrs; i++) {
		u32 intid = LR_INTID(gic->lr[i]), bit = BIT(intid % 32);
		struct vgic_irqs *q = irqs_of(vm, vcpu, intid);
		u64 lr = read_lr(i);

		q->active &= ~bit;
		if (lr & LR_ACTIVE) {
			q->active |= bit;
			if (intid >= 32)
				vm->proxy.gic.owner[intid - 32] = vcpu->index;
		}
		if (q->edge & bit)
			q->latch |= lr & LR_PENDING ? bit : 0;
		else if ((gic->lr[i] & LR_PENDING) && !(lr & LR_PENDING))
			q->latch &= ~bit;
	}
	for (u32 n = ICH_HCR_EOI_COUNT(hcr); n; n--)
		deactivate_one(vm, vcpu);
	gic->vmcr = read_sysreg_s(ICH_VMCR_EL2);
	gic->ap0r = read_sysreg_s(ICH_AP0R0_EL2);
	gic->ap1r = read_sysreg_s(ICH_AP1R0_EL2);
	write_sysreg_s(0, ICH_HCR_EL2);
	isb();
}

void vgic_set_timer(struct vcpu *vcpu, bool due)
{
	struct vgic_irqs *q = &vcpu->gic.irqs;

	q->line = due ? q->line | BIT(TIMER_PPI) : q->line & ~BIT(TIMER_PPI);
}

/*
 * On the CPU that has this vCPU's registers, before the guest is entered. False if it is
 * not to be: the vCPU sleeps or is off meanwhile, or another one needs it to stay out.
 */
bool vgic_enter(struct vm *vm, struct vcpu *vcpu)
{
	u64 timer = read_sysreg(cntv_ctl_el0);
	bool enters, due;

	due = (timer & CNT_CTL_MASK) == CNT_CTL_ENABLE && (timer & CNT_CTL_ISTATUS);
	spin_lock(&vm->lock);
	enters = vcpu->state == VCPU_RUNNABLE && !vcpu->resetting && !vm->proxy.gic.pausing;
	if (enters) {
		vgic_set_timer(vcpu, due);
		fill(vm, vcpu);
		vcpu->gic.loaded = true;
	}
	spin_unlock(&vm->lock);
	/* When the guest is done with it, that is an end of an interrupt. */
	if (enters)
		gic_watch_timer(vcpu->cpu, !due);
	return enters;
}

void vgic_leave(struct vm *vm, struct vcpu *vcpu)
{
	spin_lock(&vm->lock);
	drain(vm, vcpu);
	__atomic_store_n(&vcpu->gic.loaded, false, __ATOMIC_RELEASE);
	spin_unlock(&vm->lock);
}

/* With the guest's lock, which is released meanwhile: the other vCPUs are out then. */
static void pause_others(struct vm *vm, struct vcpu *vcpu)
{
	vm->proxy.gic.pausing++;
	for (u32 i = 0; i < vm->cpus; i++) {
		struct vcpu *other = vm->proxy.vcpu[i];

		if (other == vcpu || !other->gic.loaded)
			continue;
		gic_kick_host(other->cpu);
		spin_unlock(&vm->lock);
		while (__atomic_load_n(&other->gic.loaded, __ATOMIC_ACQUIRE))
			cpu_relax();
		spin_lock(&vm->lock);
	}
}

static void resume_others(struct vm *vm)
{
	vm->proxy.gic.pausing--;
}

void vgic_set_spi(u16 vmid, u32 intid, bool level_high, bool edge)
{
	struct vm *vm = &vms[vmid];
	u32 bit = BIT(intid % 32);
	struct vgic_irqs *q;
	u8 route;

	if (vmid >= MAX_VMID || intid < 32 || intid >= INTIDS)
		return;
	spin_lock(&vm->lock);
	if (vm->proxy.on) {
		q = irqs_of(vm, NULL, intid);
		if (edge || (level_high && (q->edge & ~q->line & bit)))
			q->latch |= bit;
		if (!edge)
			q->line = level_high ? q->line | bit : q->line & ~bit;
		route = vm->proxy.gic.route[intid - 32];
		if (route < vm->cpus)
			notify(vm, vm->proxy.vcpu[route]);
	}
	spin_unlock(&vm->lock);
}

/* ICC_SGI1R_EL1 */
void vgic_send_sgi(struct vm *vm, struct vcpu *vcpu, u64 value)
{
	u32 targets = value & SGIR_ELSEWHERE ? 0 : SGIR_TARGETS(value);

	if (value & SGIR_OTHERS)
		targets = ~BIT(vcpu->index);
	spin_lock(&vm->lock);
	for (u32 i = 0; i < vm->cpus; i++) {
		if (!(targets & BIT(i)))
			continue;
		vm->proxy.vcpu[i]->gic.irqs.latch |= BIT(SGIR_INTID(value));
		notify(vm, vm->proxy.vcpu[i]);
	}
	spin_unlock(&vm->lock);
}

/* A register of both, of the interrupts in the given word of the distributor's */
static u32 common_read(const struct vgic_irqs *q, u32 offset)
{
	u32 value = 0;

	if (offset >= GIC_IPRIORITYR && offset < GIC_IPRIORITYR_END) {
		memcpy(&value, &q->priority[offset % 32], sizeof(value));
		return value;
	}
	if (offset >= GIC_ICFGR && offset < GIC_ICFGR_END) {
		for (u32 i = 0; i < 16; i++) {
			if (q->edge & BIT(offset % 8 * 4 + i))
				value |= 2U << (2 * i);
		}
		return value;
	}
	switch (offset & ~0x7fU) {
	case GIC_IGROUPR:
		return ~0U;
	case GIC_ISENABLER:
	case GIC_ICENABLER:
		return q->enabled;
	case GIC_ISPENDR:
	case GIC_ICPENDR:
		return pending(q);
	case GIC_ISACTIVER:
	case GIC_ICACTIVER:
		return q->active;
	default:
		return 0;
	}
}

static void common_write(struct vgic_irqs *q, u32 offset, u32 value)
{
	if (offset >= GIC_IPRIORITYR && offset < GIC_IPRIORITYR_END) {
		for (u32 i = 0; i < 4; i++)
			q->priority[offset % 32 + i] = value >> (8 * i) & PRIORITY_MASK;
		return;
	}
	if (offset >= GIC_ICFGR && offset < GIC_ICFGR_END) {
		for (u32 i = 0; i < 16; i++) {
			u32 bit = BIT(offset % 8 * 4 + i);

			q->edge = value >> (2 * i) & 2 ? q->edge | bit : q->edge & ~bit;
		}
		return;
	}
	switch (offset & ~0x7fU) {
	case GIC_ISENABLER:
		q->enabled |= value;
		break;
	case GIC_ICENABLER:
		q->enabled &= ~value;
		break;
	case GIC_ISPENDR:
		q->latch |= value;
		break;
	case GIC_ICPENDR:
		q->latch &= ~value;
		break;
	case GIC_ISACTIVER:
		q->active |= value;
		break;
	case GIC_ICACTIVER:
		q->active &= ~value;
		break;
	}
}

/* Which word of interrupts a register of both is about; 0 are the redistributors'. */
static u32 common_word(u32 offset)
{
	if (offset < GIC_IGROUPR || offset >= GIC_ICFGR_END)
		return INTIDS / 32;
	if (offset < GIC_IPRIORITYR)
		return offset % 0x80 / 4;
	if (offset < GIC_IPRIORITYR_END)
		return (offset - GIC_IPRIORITYR) / 32;
	return offset < GIC_ICFGR ? INTIDS / 32 : (offset - GIC_ICFGR) / 8;
}

static u32 dist_read(struct vm *vm, u32 offset)
{
	struct vgic *gic = &vm->proxy.gic;
	u32 word = common_word(offset);

	switch (offset) {
	case GICD_CTLR:
		return gic->ctlr | GICD_CTLR_ARE | GICD_CTLR_DS;
	case GICD_TYPER:
		return GICD_TYPER_NO1N | GICD_TYPER_IDBITS | (INTIDS / 32 - 1);
	case GIC_IIDR:
		return IIDR_QUALCOMM;
	case GIC_PIDR2:
		return GIC_V3;
	}
	if (word && word < INTIDS / 32)
		return common_read(&gic->spi[word - 1], offset);
	if (offset >= GICD_IROUTER && offset < GICD_IROUTER + 8 * VGIC_SPIS && !(offset & 4))
		return gic->route[(offset - GICD_IROUTER) / 8];
	return 0;
}

static void dist_write(struct vm *vm, struct vcpu *vcpu, u32 offset, u32 value)
{
	struct vgic *gic = &vm->proxy.gic;
	u32 word = common_word(offset);

	if (offset == GICD_CTLR) {
		gic->ctlr = value & GICD_CTLR_ENABLE;
	} else if (word && word < INTIDS / 32) {
		u32 before = gic->spi[word - 1].active, new;

		common_write(&gic->spi[word - 1], offset, value);
		/* Made active here, it is so on the CPU that does that. */
		for (new = gic->spi[word - 1].active & ~before; new; new &= new - 1)
			gic->owner[(word - 1) * 32 + __builtin_ctz(new)] = vcpu->index;
	} else if (offset >= GICD_IROUTER && offset < GICD_IROUTER + 8 * VGIC_SPIS &&
		   !(offset & 4)) {
		/* No vCPU has an affinity that is not in this byte; who is meant is nobody. */
		gic->route[(offset - GICD_IROUTER) / 8] = value >> 8 & 0xffff ? 0xff : value;
	}
}

static u32 redist_read(struct vm *vm, struct vcpu *of, u32 offset)
{
	switch (offset) {
	case GICR_IIDR:
		return IIDR_QUALCOMM;
	case GICR_TYPER:
		return of->index << 8 | (of->index == vm->cpus - 1 ? GICR_TYPER_LAST : 0);
	case GICR_TYPER + 4:
		return of->index;
	case GIC_PIDR2:
		return GIC_V3;
	}
	if (offset < GICR_FRAME || common_word(offset - GICR_FRAME))
		return 0;
	return common_read(&of->gic.irqs, offset - GICR_FRAME);
}

static void redist_write(struct vcpu *of, u32 offset, u32 value)
{
	if (offset < GICR_FRAME || common_word(offset - GICR_FRAME))
		return;
	/* SGIs are edges, and PPIs are levels. */
	if (offset - GICR_FRAME < GIC_ICFGR)
		common_write(&of->gic.irqs, offset - GICR_FRAME, value);
}

/* A 32-bit register. @redist: whose it is; NULL: it is the distributor's. */
static u32 reg_read(struct vm *vm, struct vcpu *redist, u32 offset)
{
	return redist ? redist_read(vm, redist, offset) : dist_read(vm, offset);
}

static void reg_write(struct vm *vm, struct vcpu *vcpu, struct vcpu *redist, u32 offset,
		      u32 value)
{
	if (redist)
		redist_write(redist, offset, value);
	else
		dist_write(vm, vcpu, offset, value);
}

bool vgic_owns(const struct vm *vm, u64 ipa)
{
	const struct vgic *gic = &vm->proxy.gic;

	return vm->proxy.on && gic->dist &&
	       (ipa - gic->dist < GICR_FRAME || ipa - gic->redist < vm->cpus * GICR_SIZE);
}

/* As much of a register as the access has; 64 bits are two of them. */
static u64 load(struct vm *vm, struct vcpu *redist, u32 offset, u32 size)
{
	u64 value = reg_read(vm, redist, offset & ~3U);

	if (size == 8)
		return value | (u64)reg_read(vm, redist, offset + 4) << 32;
	return value >> (offset & 3) * 8 & (BIT(size * 8) - 1);
}

static void store(struct vm *vm, struct vcpu *vcpu, struct vcpu *redist, u32 offset, u32 size,
		  u64 value)
{
	if (size == 8) {
		reg_write(vm, vcpu, redist, offset, value);
		reg_write(vm, vcpu, redist, offset + 4, value >> 32);
		return;
	}
	if (size < 4) {
		u32 shift = (offset & 3) * 8, mask = (BIT(size * 8) - 1) << shift;
		u32 old = reg_read(vm, redist, offset & ~3U);

		value = (old & ~mask) | (value << shift & mask);
	}
	reg_write(vm, vcpu, redist, offset & ~3U, value);
}

/*
 * The guest's load or store at an address that vgic_owns(); it is not stepped over.
 * False if that is none that a GIC has: only priorities are accessed by the byte.
 */
bool vgic_access(struct vm *vm, struct vcpu *vcpu, u64 esr, u64 ipa)
{
	u32 srt = ESR_SRT(esr), size = 1 << ESR_SAS(esr), offset;
	struct vgic *gic = &vm->proxy.gic;
	struct vcpu *redist = NULL;
	u64 value;

	if (!(esr & ESR_ISV) || (esr & (ESR_S1PTW | ESR_SSE)) || (ipa & (size - 1)) ||
	    ESR_FSC_TYPE(esr) != ESR_FSC_TRANSLATION)
		return false;
	offset = ipa - gic->dist;
	if (ipa - gic->dist >= GICR_FRAME) {
		redist = vm->proxy.vcpu[(ipa - gic->redist) / GICR_SIZE];
		offset = (ipa - gic->redist) % GICR_SIZE;
	}
	if (size < 4 && (offset % GICR_FRAME < GIC_IPRIORITYR ||
			 offset % GICR_FRAME >= GIC_IPRIORITYR_END))
		return false;

	spin_lock(&vm->lock);
	/* Its own redistributor's state is in memory, as it is here. */
	if (redist != vcpu)
		pause_others(vm, vcpu);
	if (esr & ESR_WNR) {
		store(vm, vcpu, redist, offset, size, srt == 31 ? 0 : vcpu->x[srt]);
		notify_all(vm);
	} else {
		value = load(vm, redist, offset, size);
		if (srt != 31)
			vcpu->x[srt] = value;
	}
	if (redist != vcpu)
		resume_others(vm);
	spin_unlock(&vm->lock);
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the resource manager does to make a guest of memory parcels: reads its
 * devicetree (VM_INIT), builds its address space and starts it (VM_START), ends
 * it, takes its address space down (RESET). These are operations of rm_model.
 *
 * vms is indexed by VMID; it and the buffer are used by the hidden CPU only.
 * VM_START finds out all that can go wrong before it changes anything.
 *
 * A guest whose vCPUs the host is to run ("proxy") is built like any other; proxy.c
 * is what is special about it.
 */
#include <libfdt.h>
#include "guest.h"

#define MAX_PARCELS	64		/* of the host, by the resource manager */
#define DTB_ROOM	0x40000UL
/* Parcels without an address of their own go here or above all others. */
#define IPA_ALLOC	BIT(36)
#define IPA_ALLOC_ALIGN	0x200000UL

struct mapping {
	struct rm_parcel_info parcel;
	u64 ipa;
};

struct vm vms[MAX_VMID];
static struct mapping maps[MAX_PARCELS];
static u32 n_maps;
static u8 dtb[DTB_ROOM] __aligned(8);

static u32 refuse(u16 vmid, u32 error, const char *why)
{
	if (config.verbose)
		print("hyp: VM %u: %s\n", vmid, why);
	return error;
}

static bool find_parcel(u16 vmid, u32 handle, struct rm_parcel_info *parcel)
{
	u32 pos = 0;

	while (rm_model_next_parcel(rm_model, vmid, &pos, parcel)) {
		if (parcel->handle == handle)
			return true;
	}
	return false;
}

/* The range was checked against the size of the parcel. */
static void copy_parcel(const struct rm_parcel_info *parcel, u64 offset, void *buf, u64 size,
			bool to_parcel)
{
	const void *cursor = NULL;
	struct rm_mem_entry e;

	while (size && rm_model_next_entry(rm_model, parcel, &cursor, &e)) {
		u64 n;

		if (offset >= e.size) {
			offset -= e.size;
			continue;
		}
		n = e.size - offset < size ? e.size - offset : size;
		if (to_parcel)
			memcpy((void *)(e.addr + offset), buf, n);
		else
			memcpy(buf, (void *)(e.addr + offset), n);
		offset = 0;
		buf += n;
		size -= n;
	}
}

/* Fetches the devicetree into the buffer and reads it. */
static u32 read_dtb(const struct rm_parcel_info *parcel, const struct rm_image *image,
		    struct rm_dtb_config *out)
{
	u64 size = image->dtb_size < DTB_ROOM ? image->dtb_size : DTB_ROOM;

	if (image->dtb_offset > parcel->size || size > parcel->size - image->dtb_offset)
		return RM_ARGUMENT_INVALID;
	copy_parcel(parcel, image->dtb_offset, dtb, size, false);
	return rm_dtb_parse(dtb, size, out);
}

uint32_t guest_vm_init(void *env, uint16_t vmid, const struct rm_image *image)
{
	struct vm *vm = &vms[vmid];
	struct rm_parcel_info parcel;
	u32 error;

	(void)env;
	if (!find_parcel(vmid, image->handle, &parcel))
		return refuse(vmid, RM_MEM_INVALID, "no image parcel");
	error = read_dtb(&parcel, image, &vm->dtb);
	if (error)
		return refuse(vmid, error, "devicetree not accepted");
	if (!vcpus_create(vmid, vm->dtb.cpus, vm->dtb.proxy))
		return refuse(vmid, RM_NORESOURCE, "no interrupts left to wake its vCPUs");
	if (!bells_create(vmid, &vm->dtb))
		return refuse(vmid, RM_NORESOURCE, "not enough doorbells or interrupts of theirs");
	return RM_OK;
}

static bool overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
	return a < b + b_size && b < a + a_size;
}

static bool add_mapping(const struct rm_parcel_info *parcel, u64 ipa)
{
	if (n_maps == MAX_PARCELS || ipa > BIT(IPA_BITS) || parcel->size > BIT(IPA_BITS) - ipa)
		return false;
	for (u32 i = 0; i < n_maps; i++) {
		if (overlap(ipa, parcel->size, maps[i].ipa, maps[i].parcel.size))
			return false;
	}
	maps[n_maps].parcel = *parcel;
	maps[n_maps++].ipa = ipa;
	return true;
}

static const struct rm_dtb_shm *find_shm(const struct rm_dtb_config *c, u32 label)
{
	for (u32 i = 0; i < c->shms; i++) {
		if (c->shm[i].label == label && c->shm[i].has_base)
			return &c->shm[i];
	}
	return NULL;
}

static bool is_private(const struct rm_parcel_info *p)
{
	return !p->label && p->lent && p->rights == (S2_READ | S2_WRITE | S2_EXEC);
}

/*
 * Where each parcel goes: the image at the base address, more of its kind behind
 * it, shared memory where its vdevice says, and the rest above all of that.
 */
static bool layout(u16 vmid, const struct rm_dtb_config *c, const struct rm_parcel_info *image,
		   struct rm_dtb_memory *memory, u32 *n_memory)
{
	u64 next = c->base + image->size, top = IPA_ALLOC;
	struct rm_parcel_info p;
	u32 pos;

	n_maps = 0;
	if (!add_mapping(image, c->base))
		return false;
	*n_memory = 1;
	memory[0] = (struct rm_dtb_memory){ c->base, image->size };

	for (pos = 0; rm_model_next_parcel(rm_model, vmid, &pos, &p);) {
		const struct rm_dtb_shm *shm = find_shm(c, p.label);

		if (p.handle == image->handle)
			continue;
		if (is_private(&p)) {
			if (!add_mapping(&p, next))
				return false;
			memory[(*n_memory)++] = (struct rm_dtb_memory){ next, p.size };
			next += p.size;
		} else if (shm && !add_mapping(&p, shm->base)) {
			return false;
		}
	}
	for (u32 i = 0; i < n_maps; i++) {
		if (maps[i].ipa + maps[i].parcel.size > top)
			top = maps[i].ipa + maps[i].parcel.size;
	}
	for (pos = 0; rm_model_next_parcel(rm_model, vmid, &pos, &p);) {
		if (p.handle == image->handle || is_private(&p) || find_shm(c, p.label))
			continue;
		top = ALIGN_UP(top, IPA_ALLOC_ALIGN);
		if (!add_mapping(&p, top))
			return false;
		top += p.size;
	}
	return true;
}

/* At most, with the top level */
static u64 count_tables(void)
{
	u64 n = 1;

	for (u32 i = 0; i < n_maps; i++)
		n += guest_s2_tables(maps[i].ipa, maps[i].parcel.size);
	return n;
}

static void map_all(struct vm *vm, u16 vmid)
{
	guest_s2_create(&vm->s2, vmid);
	for (u32 i = 0; i < n_maps; i++) {
		const struct rm_parcel_info *p = &maps[i].parcel;
		const void *cursor = NULL;
		struct rm_mem_entry e;
		u64 ipa = maps[i].ipa;

		while (rm_model_next_entry(rm_model, p, &cursor, &e)) {
			guest_s2_map(&vm->s2, ipa, e.addr, e.size, p->rights);
			/* The guest starts with its caches off. */
			cache_clean_inval(e.addr, e.size);
			ipa += e.size;
		}
		rm_model_accept(rm_model, vmid, p->handle);
	}
	asm volatile("ic ialluis" : : : "memory");
	dsb(ish);
	isb();
}

uint32_t guest_vm_start(void *env, uint16_t vmid, const struct rm_image *image)
{
	static struct rm_dtb_memory memory[MAX_PARCELS];
	struct vm *vm = &vms[vmid];
	struct rm_parcel_info parcel;
	u32 n_memory, error;
	u64 pc, x0;

	(void)env;
	if (!find_parcel(vmid, image->handle, &parcel))
		return refuse(vmid, RM_MEM_INVALID, "no image parcel");
	/* Read again: a shared image may have changed since VM_INIT. */
	error = read_dtb(&parcel, image, &vm->dtb);
	if (error)
		return refuse(vmid, error, "devicetree not accepted");
	if (!layout(vmid, &vm->dtb, &parcel, memory, &n_memory))
		return refuse(vmid, RM_NORESOURCE, "memory overlaps or is out of range");
	if (count_tables() > guest_s2_pool_free())
		return refuse(vmid, RM_NORESOURCE, "not enough memory for tables");
	error = rm_dtb_finish(dtb, image->dtb_size < DTB_ROOM ? image->dtb_size : DTB_ROOM,
			      &vm->dtb, memory, n_memory);
	if (error)
		return refuse(vmid, error, "no room in the devicetree");

	copy_parcel(&parcel, image->dtb_offset, dtb, fdt_totalsize(dtb), true);
	map_all(vm, vmid);
	pc = vm->dtb.base + image->image_offset;
	x0 = vm->dtb.base + image->dtb_offset;
	if (vm->proxy.on) {
		proxy_start(vmid, pc, x0);
	} else {
		vcpu_reset(&vm->vcpu, pc, x0);
		vm->vcpu.state = VCPU_RUNNABLE;
	}
	return RM_OK;
}

void guest_vm_kill(void *env, uint16_t vmid)
{
	(void)env;
	if (vms[vmid].proxy.on)
		proxy_kill(vmid);
	else
		vcpu_stop(&vms[vmid].vcpu);
}

void guest_vm_teardown(void *env, uint16_t vmid)
{
	(void)env;
	vcpu_stop(&vms[vmid].vcpu);
	vcpus_destroy(vmid);
	bells_destroy(vmid);
	if (vms[vmid].s2.pgd)
		guest_s2_destroy(&vms[vmid].s2);
}

bool guest_vm_has_rpc(void *env, uint16_t vmid)
{
	(void)env;
	return vms[vmid].dtb.has_rpc;
}

bool guest_resource(void *env, uint16_t vmid, uint32_t index, struct rm_resource *r)
{
	(void)env;
	if (vmid >= MAX_VMID)
		return false;
	return vcpu_resource(vmid, index, r) ||
	       (index >= vms[vmid].cpus && bell_resource(vmid, index - vms[vmid].cpus, r));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls of the Gunyah hypervisor
 *
 * The only file that issues HVC. Each Gunyah hypercall can be reached as an
 * SMCCC fast call of the vendor hypervisor service range, so the generic SMCCC
 * helpers serve and nothing here depends on an instruction encoding.
 *
 * Function ids and register assignments are those of the hypervisor's public
 * API document. Every call ends in a reserved argument that must be zero.
 */

#include <linux/arm-smccc.h>
#include <linux/export.h>
#include <linux/gunyah.h>
#include <linux/module.h>
#include <linux/uuid.h>
#include <asm/virt.h>

/* The hypervisor answers the UID call with the UUID's bytes as little-endian words. */
static const uuid_t gh_hypervisor_uid =
	UUID_INIT(0xc1d58fcd, 0xa453, 0x5fdb, 0x92, 0x65, 0xce, 0x36, 0x67, 0x3d, 0x5f, 0x14);

/* With Qualcomm's extensions it answers a call of their own in the same way. */
static const uuid_t gh_qcom_ext_uid =
	UUID_INIT(0x19bd54bd, 0x0b37, 0x571b, 0x94, 0x6f, 0x60, 0x9b, 0x54, 0x53, 0x9d, 0xe6);

#define GH_QCOM_EXT_UID_FUNC_ID	ARM_SMCCC_CALL_VAL(ARM_SMCCC_FAST_CALL, ARM_SMCCC_SMC_32,	\
						   ARM_SMCCC_OWNER_VENDOR_HYP, 0x3f01)

/* Bits 15:14 of the function number: 0b10 is the class of hypercalls */
#define GH_HYPERCALL(call)	ARM_SMCCC_CALL_VAL(ARM_SMCCC_FAST_CALL, ARM_SMCCC_SMC_64,	\
						   ARM_SMCCC_OWNER_VENDOR_HYP, 0x8000 | (call))

#define GH_HYPERCALL_HYP_IDENTIFY	GH_HYPERCALL(0x00)
#define GH_HYPERCALL_BELL_SEND		GH_HYPERCALL(0x12)
#define GH_HYPERCALL_BELL_SET_MASK	GH_HYPERCALL(0x15)
#define GH_HYPERCALL_MSGQ_SEND		GH_HYPERCALL(0x1b)
#define GH_HYPERCALL_MSGQ_RECV		GH_HYPERCALL(0x1c)
#define GH_HYPERCALL_VCPU_RUN		GH_HYPERCALL(0x65)

static bool gh_uid_is(u32 func_id, const uuid_t *expected)
{
	struct arm_smccc_res res;
	__le32 words[4];
	uuid_t uid;

	arm_smccc_1_1_hvc(func_id, &res);

	words[0] = cpu_to_le32(lower_32_bits(res.a0));
	words[1] = cpu_to_le32(lower_32_bits(res.a1));
	words[2] = cpu_to_le32(lower_32_bits(res.a2));
	words[3] = cpu_to_le32(lower_32_bits(res.a3));
	import_uuid(&uid, (const u8 *)words);

	return uuid_equal(&uid, expected);
}

/**
 * arch_is_gh_guest() - Is the hypervisor below us Gunyah?
 *
 * Asks for the vendor hypervisor UID (SMCCC, "General service queries"), which
 * is harmless under any other hypervisor. To be called only where something, for
 * example a devicetree, says that there is one: Gunyah's conduit is HVC even if
 * that of PSCI is SMC, and HVC is undefined on a CPU without EL2.
 *
 * Context: Any.
 * Return: true if Gunyah answered.
 */
bool arch_is_gh_guest(void)
{
	/* A kernel that runs at EL2 has no hypervisor below it, and HVC is its own. */
	if (is_kernel_in_hyp_mode())
		return false;

	if (arm_smccc_1_1_get_conduit() == SMCCC_CONDUIT_NONE)
		return false;

	return gh_uid_is(ARM_SMCCC_VENDOR_HYP_CALL_UID_FUNC_ID, &gh_hypervisor_uid);
}
EXPORT_SYMBOL_GPL(arch_is_gh_guest);

/**
 * arch_has_gh_qcom_ext() - Is it Gunyah as it comes with Qualcomm's platforms?
 *
 * There the hypervisor is not the only one to decide who has which memory.
 *
 * Context: Any. To be called only where arch_is_gh_guest() may be.
 * Return: true if Gunyah answered, and has Qualcomm's extensions.
 */
bool arch_has_gh_qcom_ext(void)
{
	return arch_is_gh_guest() && gh_uid_is(GH_QCOM_EXT_UID_FUNC_ID, &gh_qcom_ext_uid);
}
EXPORT_SYMBOL_GPL(arch_has_gh_qcom_ext);

/**
 * gh_hypercall_hyp_identify() - Ask for the API version and the features
 * @hyp_identity: filled in
 *
 * To be called only if arch_is_gh_guest() said so.
 *
 * Context: Any.
 */
void gh_hypercall_hyp_identify(struct gh_hypercall_hyp_identify_resp *hyp_identity)
{
	struct arm_smccc_res res;

	arm_smccc_1_1_hvc(GH_HYPERCALL_HYP_IDENTIFY, 0, &res);

	hyp_identity->api_info = res.a0;
	hyp_identity->flags[0] = res.a1;
	hyp_identity->flags[1] = res.a2;
	hyp_identity->flags[2] = res.a3;
}
EXPORT_SYMBOL_GPL(gh_hypercall_hyp_identify);

/**
 * gh_hypercall_msgq_send() - Put a message into a queue
 * @capid: capability of the queue's sending side
 * @size: length of the message in bytes
 * @buff: the message. The hypervisor walks our stage 1 for this address and
 *        drops the message silently if that fails, so it must be mapped and
 *        stay mapped: linear map or vmalloc, never user space.
 * @tx_flags: GH_HYPERCALL_MSGQ_TX_FLAGS_*
 * @ready: set to whether there is space for another message
 *
 * The hypervisor has copied the message when this returns.
 *
 * Context: Any.
 * Return: GH_ERROR_OK, GH_ERROR_MSGQUEUE_FULL if there was no space, or what is
 * wrong with @capid.
 */
enum gh_error gh_hypercall_msgq_send(u64 capid, size_t size, void *buff, u64 tx_flags, bool *ready)
{
	struct arm_smccc_res res;

	arm_smccc_1_1_hvc(GH_HYPERCALL_MSGQ_SEND, capid, size, (uintptr_t)buff, tx_flags, 0, &res);

	*ready = res.a0 == GH_ERROR_OK && res.a1;

	return res.a0;
}
EXPORT_SYMBOL_GPL(gh_hypercall_msgq_send);

/**
 * gh_hypercall_msgq_recv() - Take a message out of a queue
 * @capid: capability of the queue's receiving side
 * @buff: where the message goes; as in gh_hypercall_msgq_send() the hypervisor
 *        writes to it through our stage 1
 * @size: length of @buff in bytes
 * @recv_size: set to the length of the message in bytes
 * @ready: set to whether there is another message
 *
 * Context: Any.
 * Return: GH_ERROR_OK, GH_ERROR_MSGQUEUE_EMPTY if there was no message, or what
 * is wrong with @capid.
 */
enum gh_error gh_hypercall_msgq_recv(u64 capid, void *buff, size_t size, size_t *recv_size,
				     bool *ready)
{
	struct arm_smccc_res res;

	arm_smccc_1_1_hvc(GH_HYPERCALL_MSGQ_RECV, capid, (uintptr_t)buff, size, 0, &res);

	if (res.a0 == GH_ERROR_OK) {
		*recv_size = res.a1;
		*ready = res.a2;
	} else {
		*recv_size = 0;
		*ready = false;
	}

	return res.a0;
}
EXPORT_SYMBOL_GPL(gh_hypercall_msgq_recv);

/**
 * gh_hypercall_bell_send() - Set flags of a doorbell
 * @capid: capability of the doorbell
 * @new_flags: the flags to set
 * @old_flags: set to the flags that were set before, or NULL
 *
 * The receiver is interrupted if one of the flags that it has enabled is set.
 *
 * Context: Any.
 * Return: GH_ERROR_OK or what is wrong with @capid.
 */
enum gh_error gh_hypercall_bell_send(u64 capid, u64 new_flags, u64 *old_flags)
{
	struct arm_smccc_res res;

	arm_smccc_1_1_hvc(GH_HYPERCALL_BELL_SEND, capid, new_flags, 0, &res);

	if (res.a0 == GH_ERROR_OK && old_flags)
		*old_flags = res.a1;

	return res.a0;
}
EXPORT_SYMBOL_GPL(gh_hypercall_bell_send);

/**
 * gh_hypercall_bell_set_mask() - Say what the flags of a doorbell do
 * @capid: capability of the doorbell
 * @enable_mask: the flags that interrupt the receiver for as long as they are set
 * @ack_mask: the flags that are cleared when the receiver takes the interrupt
 *
 * Context: Any.
 * Return: GH_ERROR_OK or what is wrong with @capid.
 */
enum gh_error gh_hypercall_bell_set_mask(u64 capid, u64 enable_mask, u64 ack_mask)
{
	struct arm_smccc_res res;

	arm_smccc_1_1_hvc(GH_HYPERCALL_BELL_SET_MASK, capid, enable_mask, ack_mask, 0, &res);

	return res.a0;
}
EXPORT_SYMBOL_GPL(gh_hypercall_bell_set_mask);

/**
 * gh_hypercall_vcpu_run() - Run a vCPU on this CPU until it leaves
 * @capid: capability of the vCPU
 * @resume_data: what it reads, if it left with GH_VCPU_ADDRSPACE_VMMIO_READ
 * @resp: set to how it left
 *
 * Any interrupt of the host's makes it leave, also one that the caller has masked.
 *
 * Context: Any.
 * Return: GH_ERROR_OK; GH_ERROR_RETRY if nothing has happened and it is to be tried
 * again; GH_ERROR_BUSY if it is being run or the host is not to run it;
 * GH_ERROR_OBJECT_STATE if it is not active; or what is wrong with @capid. @resp is
 * valid for GH_ERROR_OK only.
 */
enum gh_error gh_hypercall_vcpu_run(u64 capid, u64 resume_data,
				    struct gh_hypercall_vcpu_run_resp *resp)
{
	struct arm_smccc_1_2_regs args = {
		.a0 = GH_HYPERCALL_VCPU_RUN,
		.a1 = capid,
		.a2 = resume_data,
		/* Two more resume arguments, and the one that must be zero with every call */
	};
	struct arm_smccc_1_2_regs res;

	arm_smccc_1_2_hvc(&args, &res);

	resp->state = res.a1;
	resp->state_data[0] = res.a2;
	resp->state_data[1] = res.a3;
	resp->state_data[2] = res.a4;

	return res.a0;
}
EXPORT_SYMBOL_GPL(gh_hypercall_vcpu_run);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gunyah hypervisor calls");

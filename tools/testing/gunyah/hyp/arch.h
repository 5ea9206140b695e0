/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C files need of the Arm architecture: system registers, barriers,
 * cache maintenance, spinlocks, and the fields of the registers they touch.
 */
#ifndef _HYP_ARCH_H
#define _HYP_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define __noreturn	__attribute__((noreturn))
#define __aligned(n)	__attribute__((aligned(n)))
#define __printf(f, a)	__attribute__((format(printf, f, a)))
#define fallthrough	__attribute__((fallthrough))

#define BIT(n)		(1UL << (n))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a)	(((x) + (a) - 1) & ~((a) - 1))

#define read_sysreg(r) ({						\
	u64 __v;							\
	asm volatile("mrs %0, " #r : "=r" (__v));			\
	__v;								\
})
#define write_sysreg(v, r) ({						\
	asm volatile("msr " #r ", %x0" : : "rZ" ((u64)(v)) : "memory");	\
})

/* Names that the assembler does not know at the base architecture level */
#define ICC_SRE_EL2		S3_4_C12_C9_5
#define ICC_SRE_EL1		S3_0_C12_C12_5
#define ICC_PMR_EL1		S3_0_C4_C6_0
#define ICC_BPR1_EL1		S3_0_C12_C12_3
#define ICC_CTLR_EL1		S3_0_C12_C12_4
#define ICC_IGRPEN1_EL1		S3_0_C12_C12_7
#define ICC_IAR1_EL1		S3_0_C12_C12_0
#define ICC_EOIR1_EL1		S3_0_C12_C12_1
#define ICC_SGI1R_EL1		S3_0_C12_C11_5
#define ICC_HPPIR1_EL1		S3_0_C12_C12_2
#define ICH_HCR_EL2		S3_4_C12_C11_0
#define ICH_VTR_EL2		S3_4_C12_C11_1
#define ICH_VMCR_EL2		S3_4_C12_C11_7
#define ICH_AP0R0_EL2		S3_4_C12_C8_0
#define ICH_AP1R0_EL2		S3_4_C12_C9_0
#define ICH_LR0_EL2		S3_4_C12_C12_0
#define ICH_LR1_EL2		S3_4_C12_C12_1
#define ICH_LR2_EL2		S3_4_C12_C12_2
#define ICH_LR3_EL2		S3_4_C12_C12_3
#define ZCR_EL2			S3_4_C1_C2_0
#define SMCR_EL2		S3_4_C1_C2_6
/* Expand register names that are macros */
#define read_sysreg_s(r)	read_sysreg(r)
#define write_sysreg_s(v, r)	write_sysreg(v, r)

#define dsb(opt)	({ asm volatile("dsb " #opt : : : "memory"); })

static inline void isb(void)
{
	asm volatile("isb" : : : "memory");
}

static inline void wfi(void)
{
	asm volatile("wfi" : : : "memory");
}

static inline void cpu_relax(void)
{
	asm volatile("yield" : : : "memory");
}

static inline void barrier(void)
{
	asm volatile("" : : : "memory");
}

static inline u32 mmio_read32(u64 addr)
{
	u32 v;

	asm volatile("ldr %w0, [%1]" : "=r" (v) : "r" (addr) : "memory");
	return v;
}

static inline u64 mmio_read64(u64 addr)
{
	u64 v;

	asm volatile("ldr %0, [%1]" : "=r" (v) : "r" (addr) : "memory");
	return v;
}

static inline void mmio_write32(u64 addr, u32 v)
{
	asm volatile("str %w0, [%1]" : : "rZ" (v), "r" (addr) : "memory");
}

static inline void mmio_write8(u64 addr, u8 v)
{
	asm volatile("strb %w0, [%1]" : : "rZ" (v), "r" (addr) : "memory");
}

/* Make memory the same for those who access it with and without caches. */
static inline void cache_clean_inval(u64 addr, u64 size)
{
	u64 line = 4UL << ((read_sysreg(ctr_el0) >> 16) & 0xf);
	u64 end = addr + size;

	for (addr &= ~(line - 1); addr < end; addr += line)
		asm volatile("dc civac, %0" : : "r" (addr) : "memory");
	dsb(sy);
}

/* A lock is held for short by one CPU, with interrupts masked as always at EL2. */
struct spinlock {
	u32 held;
};

static inline void spin_lock(struct spinlock *lock)
{
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			cpu_relax();
	}
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#define HCR_VM			BIT(0)
#define HCR_FMO			BIT(3)
#define HCR_IMO			BIT(4)
#define HCR_AMO			BIT(5)
#define HCR_FB			BIT(9)
#define HCR_BSU_IS		BIT(10)
#define HCR_TWI			BIT(13)
#define HCR_TID3		BIT(18)
#define HCR_TSC			BIT(19)
#define HCR_TIDCP		BIT(20)
#define HCR_TACR		BIT(21)
#define HCR_RW			BIT(31)
#define HCR_APK			BIT(40)
#define HCR_API			BIT(41)
#define HCR_ATA			BIT(56)

/* SCTLR_EL1 with the MMU and the caches off */
#define SCTLR_EL1_RESET		0x30d00800UL
#define SCTLR_EL1_SPAN		BIT(23)
#define SCTLR_EL1_DSSBS		BIT(44)

#define SPSR_M_MASK		0x1fUL
#define SPSR_EL0T		0x00UL
#define SPSR_EL1T		0x04UL
#define SPSR_EL1H		0x05UL
#define SPSR_M32		BIT(4)
#define SPSR_DAIF		0x3c0UL
#define SPSR_SSBS		BIT(12)
#define SPSR_PAN		BIT(22)
#define SPSR_DIT		BIT(24)
#define SPSR_NZCV		0xf0000000UL

#define ESR_EC(esr)		(((esr) >> 26) & 0x3f)
#define ESR_IL			BIT(25)
#define EC_UNKNOWN		0x00
#define EC_WFX			0x01
#define EC_HVC64		0x16
#define EC_SMC64		0x17
#define EC_SYS64		0x18
#define EC_IABT_LOW		0x20
#define EC_IABT_CUR		0x21
#define EC_DABT_LOW		0x24
#define EC_DABT_CUR		0x25
#define ESR_WNR			BIT(6)
#define ESR_ISV			BIT(24)
#define ESR_S1PTW		BIT(7)
#define ESR_SF			BIT(15)
#define ESR_SSE			BIT(21)
#define ESR_SAS(esr)		(((esr) >> 22) & 3)
#define ESR_SRT(esr)		(((esr) >> 16) & 0x1f)
#define ESR_FSC_TYPE(esr)	((esr) & 0x3c)
#define ESR_FSC_TRANSLATION	0x04
#define ESR_FSC_SEA		0x10

/* CNTV_CTL_EL0; the timer can interrupt if of these only ENABLE is set */
#define CNT_CTL_ENABLE		BIT(0)
#define CNT_CTL_IMASK		BIT(1)
#define CNT_CTL_ISTATUS		BIT(2)
#define CNT_CTL_MASK		(CNT_CTL_ENABLE | CNT_CTL_IMASK)

/* In ISR_EL1 */
#define ISR_I			BIT(7)

#endif /* _HYP_ARCH_H */

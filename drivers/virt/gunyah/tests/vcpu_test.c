// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of vCPUs that are scheduled by the host
 *
 * VMs are those of the other tests (vm_test.h), vCPUs are added by the ioctl and run
 * by their files. In place of the hypervisor there is a script for each vCPU, which
 * says how it leaves each time it is run, and what happens meanwhile. What it was
 * given to resume with is recorded. Interrupts are simulated.
 *
 * The hypercall is made with interrupts disabled, so what is wrong there is only
 * noted, and fails the test when it is over.
 */

#include <kunit/test.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irq_sim.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "../gunyah_vcpu.h"
#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

/* An errno that the driver has no reason of its own to return */
#define REFUSAL		(-EXFULL)

#define NR_VCPUS	2
#define MAX_CALLS	8
#define ADDR		0x12345678000ULL

/* What GH_VCPU_RUN returns when the script is over: nothing else comes to this. */
#define SCRIPT_OVER	(-EIO)

struct vcpu;

/**
 * struct step - What becomes of one hypercall
 * @err: what it returns
 * @state: how the vCPU leaves
 * @data: what comes with @state
 * @during: called before it returns, with interrupts disabled
 */
struct step {
	enum gh_error err;
	u64 state;
	u64 data[3];
	void (*during)(struct vcpu *v);
};

#define LEAVES(_state, ...)		{ .state = (_state), .data = { __VA_ARGS__ } }
#define MEANWHILE(_state, _during)	{ .state = (_state), .during = (_during) }
#define FAILS(_err)			{ .err = (_err), .state = 0xaaaa }
#define READS(addr, len)		LEAVES(GH_VCPU_ADDRSPACE_VMMIO_READ, addr, len, ~0ULL)
#define WRITES(addr, len, value)	LEAVES(GH_VCPU_ADDRSPACE_VMMIO_WRITE, addr, len, value)

/**
 * struct vcpu - A vCPU
 * @file: its file
 * @vcpu: what the driver knows of it
 * @run: its page
 * @irq: its interrupt
 * @steps: the script
 * @n_steps: number of @steps
 * @forever: the last of @steps is repeated
 * @calls: number of hypercalls
 * @resume: what they were given
 * @wrong: what was wrong with one of them
 */
struct vcpu {
	struct file *file;
	struct gh_vcpu *vcpu;
	struct gh_vcpu_run *run;
	int irq;
	const struct step *steps;
	unsigned int n_steps;
	bool forever;
	unsigned int calls;
	u64 resume[MAX_CALLS];
	const char *wrong;
};

/* There is one test at a time. */
static struct vcpu_test {
	struct irq_domain *domain;
	struct vm_test *vt;
	struct vm *vm;
	struct vcpu vcpus[NR_VCPUS];
} ct;

/* Capability ids of the vCPUs, of which 0 is a valid one */
static u64 vcpu_capid(unsigned int id)
{
	return id ? U64_MAX - id : 0;
}

/*
 * Hypervisor
 */

static struct vcpu *vcpu_of(struct gh_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < NR_VCPUS - 1; i++)
		if (ct.vcpus[i].vcpu == vcpu)
			break;
	return &ct.vcpus[i];
}

static enum gh_error fake_vcpu_run(struct gh_vcpu *vcpu, u64 resume_data,
				   struct gh_hypercall_vcpu_run_resp *resp)
{
	struct vcpu *v = vcpu_of(vcpu);
	unsigned int call = v->calls++;
	const struct step *step;

	if (!irqs_disabled())
		v->wrong = "interrupts are enabled";
	if (!(current->flags & PF_VCPU))
		v->wrong = "the time is not the guest's";
	if (vcpu->ghrsc->capid != vcpu_capid(v - ct.vcpus))
		v->wrong = "it is another vCPU's";
	if (call < MAX_CALLS)
		v->resume[call] = resume_data;

	if (call >= v->n_steps && !v->forever)
		return GH_ERROR_MSGQUEUE_FULL;
	step = &v->steps[min(call, v->n_steps - 1)];
	resp->state = step->state;
	memcpy(resp->state_data, step->data, sizeof(resp->state_data));
	if (step->during)
		step->during(v);
	return step->err;
}

static void raise_irq(struct vcpu *v)
{
	if (generic_handle_irq_safe(v->irq))
		v->wrong = "there is no interrupt";
}

static void be_killed(struct vcpu *v)
{
	send_sig(SIGKILL, current, 1);
}

/* The guest runs until it is kicked. */
static void stay_in_guest(struct vcpu *v)
{
	local_irq_enable();
	if (!wait_event_interruptible_timeout(v->vcpu->wait, READ_ONCE(v->vcpu->evicting) ||
					      gh_vm_has_ended(v->vcpu->ghvm), FAKE_RM_PATIENCE))
		v->wrong = "it is not kicked";
	local_irq_disable();
}

/* Another thread of the VMM's writes to the page. */
static void scribble(struct vcpu *v)
{
	memset(v->run, 0xaa, sizeof(*v->run));
	WRITE_ONCE(v->run->immediate_exit, 0);
}

/*
 * User
 */

static long add_vcpu(struct vm *vm, u32 id)
{
	const struct gh_fn_vcpu_arg arg = { .id = id };

	return vm_add_function(ct.vt, vm, GH_FN_VCPU, &arg, sizeof(arg));
}

static long remove_vcpu(struct vm *vm, u32 id)
{
	const struct gh_fn_vcpu_arg arg = { .id = id };

	return vm_remove_function(ct.vt, vm, GH_FN_VCPU, &arg, sizeof(arg));
}

static void close_vcpu(struct vcpu *v)
{
	if (v->file)
		__fput_sync(v->file);
	v->file = NULL;
	v->vcpu = NULL;
	v->run = NULL;
}

static struct vcpu *new_vcpu(struct kunit *test, struct vm *vm, u32 id)
{
	struct vcpu *v = &ct.vcpus[id];
	long fd = add_vcpu(vm, id);

	KUNIT_ASSERT_GE(test, fd, 0);
	v->file = fget(fd);
	KUNIT_ASSERT_NOT_NULL(test, v->file);
	KUNIT_ASSERT_EQ(test, close_fd(fd), 0);
	v->vcpu = v->file->private_data;
	v->vcpu->hypercall = fake_vcpu_run;
	v->run = v->vcpu->vcpu_run;
	return v;
}

/* A VM with a vCPU, not started */
static struct vcpu *new_vm_and_vcpu(struct kunit *test)
{
	ct.vm = vm_new_complete(ct.vt);
	return new_vcpu(test, ct.vm, 0);
}

/* A VM that runs, and a vCPU of which nobody has run anything yet */
static struct vcpu *new_running_vcpu(struct kunit *test)
{
	struct vcpu *v = new_vm_and_vcpu(test);

	KUNIT_ASSERT_EQ(test, vm_start(ct.vt, ct.vm), 0);
	KUNIT_ASSERT_NOT_NULL(test, v->vcpu->ghrsc);
	return v;
}

static void set_script(struct vcpu *v, const struct step *steps, unsigned int n)
{
	v->steps = steps;
	v->n_steps = n;
	v->forever = false;
	v->calls = 0;
	memset(v->resume, 0x55, sizeof(v->resume));
}

#define SCRIPT(v, ...)								\
	do {									\
		static const struct step steps[] = { __VA_ARGS__ };		\
										\
		set_script(v, steps, ARRAY_SIZE(steps));			\
	} while (0)

static long run(struct vcpu *v)
{
	return vm_wait_ioctl(ct.vt, v->file, GH_VCPU_RUN, "a vCPU");
}

/* What vm_thread_start() takes */
static long run_in_thread(struct vm_test *vt, struct vm *vm)
{
	long ret;

	kthread_use_mm(vt->mm);
	ret = run(&ct.vcpus[0]);
	kthread_unuse_mm(vt->mm);
	return ret;
}

static long run_in_other_mm(struct vm_test *vt, struct vm *vm)
{
	return run(&ct.vcpus[0]);
}

/* Wait until the vCPU was run so often, and perhaps until who runs it waits, too. */
static void wait_running(struct vcpu *v, unsigned int calls, bool waits)
{
	unsigned long deadline = jiffies + FAKE_RM_PATIENCE;

	/* Nobody is told that somebody waits, and nothing depends on seeing it at once. */
	while ((READ_ONCE(v->calls) < calls || (waits && !waitqueue_active(&v->vcpu->wait))) &&
	       time_before(jiffies, deadline))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_GE(ct.vt->test, v->calls, calls);
	/* Who waits goes on only when this thread lets it. */
	KUNIT_EXPECT_TRUE(ct.vt->test, !waits || waitqueue_active(&v->vcpu->wait));
}

static void wait_asleep(struct vcpu *v, unsigned int calls)
{
	wait_running(v, calls, true);
}

static void kill_pending(void)
{
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
}

/* Fill the page with what no exit leaves there. */
static struct gh_vcpu_run marked_page(struct vcpu *v)
{
	scribble(v);
	return *v->run;
}

static void expect_page(struct vcpu *v, const struct gh_vcpu_run *page)
{
	KUNIT_EXPECT_MEMEQ(ct.vt->test, v->run, page, sizeof(*page));
}

static void expect_mmio(struct vcpu *v, u64 addr, u32 len, bool is_write, u64 value)
{
	struct kunit *test = ct.vt->test;
	int i;

	KUNIT_EXPECT_EQ(test, v->run->exit_reason, GH_VCPU_EXIT_MMIO);
	KUNIT_EXPECT_EQ(test, v->run->mmio.phys_addr, addr);
	KUNIT_EXPECT_EQ(test, v->run->mmio.len, len);
	KUNIT_EXPECT_EQ(test, v->run->mmio.is_write, is_write);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ_MSG(test, v->run->mmio.data[i], (u8)(value >> 8 * i), "byte %d", i);
}

static void expect_status(struct vcpu *v, u32 status, u16 type, const void *reason,
			  u32 reason_size)
{
	const struct gh_vm_exit_info *info = &v->run->status.exit_info;
	struct kunit *test = ct.vt->test;

	KUNIT_EXPECT_EQ(test, v->run->exit_reason, GH_VCPU_EXIT_STATUS);
	KUNIT_EXPECT_EQ(test, v->run->status.status, status);
	KUNIT_EXPECT_EQ(test, info->type, type);
	KUNIT_EXPECT_EQ(test, info->padding, 0);
	KUNIT_EXPECT_EQ(test, info->reason_size, reason_size);
	if (reason_size && info->reason_size == reason_size)
		KUNIT_EXPECT_MEMEQ(test, info->reason, reason, reason_size);
}

/* Whatever is in the page, and however often it is asked for */
static void expect_status_for_ever(struct vcpu *v, u32 status, u16 type, const void *reason,
				   u32 reason_size)
{
	unsigned int calls = v->calls;
	int i;

	for (i = 0; i < 3; i++) {
		scribble(v);
		KUNIT_EXPECT_EQ(ct.vt->test, run(v), 0);
		expect_status(v, status, type, reason, reason_size);
	}
	KUNIT_EXPECT_EQ(ct.vt->test, v->calls, calls);
}

static enum gh_vm_state vm_state(void)
{
	return READ_ONCE(ct.vm->ghvm->state);
}

static void guest_exits(u16 type, const void *reason, size_t size)
{
	fake_rm_guest_exits(ct.vt->f, ct.vm->ghvm->vmid, type, reason, size);
	fake_rm_flush(ct.vt->f);
}

/*
 * Files
 */

static void vcpu_is_a_file(struct kunit *test)
{
	static const unsigned int wrong[] = {
		0, GH_VM_START, GH_CREATE_VM, GH_VM_ADD_FUNCTION, _IO('A', 0x5), _IO('G', 0x7),
		_IOR('G', 0x5, u32), ~0U,
	};
	const struct file_operations *fops;
	struct vcpu *v;
	long fd;
	bool cloexec;
	int i;

	v = new_running_vcpu(test);
	fops = v->file->f_op;
	KUNIT_EXPECT_EQ(test, fops->unlocked_ioctl(v->file, GH_VCPU_MMAP_SIZE, 0), PAGE_SIZE);
	/* Nothing about a caller of 32 bits is different. */
	KUNIT_EXPECT_EQ(test, fops->compat_ioctl(v->file, GH_VCPU_MMAP_SIZE, 0), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, fops->compat_ioctl(v->file, GH_VCPU_RUN, 0), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		KUNIT_EXPECT_EQ(test, fops->unlocked_ioctl(v->file, wrong[i], 0), -ENOTTY);

	fd = add_vcpu(ct.vm, 1);
	KUNIT_ASSERT_GE(test, fd, 0);
	rcu_read_lock();
	cloexec = test_bit(fd, files_fdtable(current->files)->close_on_exec);
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, cloexec);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();
}

static void page_is_shared_with_user_space(struct kunit *test)
{
	static const struct {
		unsigned long pages, offset, flags;
		long ret;
	} wrong[] = {
		{ 2, 0, MAP_SHARED, -EINVAL },
		{ 1, 1, MAP_SHARED, -EINVAL },
		{ 2, 1, MAP_SHARED, -EINVAL },
		{ 1, 0, MAP_PRIVATE, -EINVAL },
	};
	struct gh_vcpu_run seen, written;
	struct vcpu *v = new_running_vcpu(test);
	unsigned long addr;
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		KUNIT_EXPECT_EQ_MSG(test, (long)vm_mmap(v->file, 0, wrong[i].pages * PAGE_SIZE,
							PROT_READ | PROT_WRITE, wrong[i].flags,
							wrong[i].offset * PAGE_SIZE),
				    wrong[i].ret, "case %d", i);

	addr = vm_mmap(v->file, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));

	/* It is empty at first, what we write is seen there, and the other way round. */
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&seen, (void __user *)addr, sizeof(seen)));
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(&seen, 0, sizeof(seen)), NULL);
	SCRIPT(v, READS(ADDR, 4));
	KUNIT_EXPECT_EQ(test, run(v), 0);
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&seen, (void __user *)addr, sizeof(seen)));
	expect_page(v, &seen);
	KUNIT_EXPECT_EQ(test, seen.mmio.phys_addr, ADDR);
	memset(&written, 0x77, sizeof(written));
	KUNIT_ASSERT_EQ(test, 0, copy_to_user((void __user *)addr, &written, sizeof(written)));
	expect_page(v, &written);

	/* The page is the mapping's, too, and the mapping keeps the file. */
	close_vcpu(v);
	KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 0), 0);
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&seen, (void __user *)addr, sizeof(seen)));
	KUNIT_EXPECT_MEMEQ(test, &seen, &written, sizeof(seen));
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, PAGE_SIZE), 0);
	flush_delayed_fput();
}

/* By its number; of one that is there already nothing remains but that. */
static void vcpus_are_told_apart_by_id(struct kunit *test)
{
	struct vcpu *v = new_vm_and_vcpu(test);
	unsigned int refs = kref_read(&ct.vm->ghvm->kref);
	long fd, next;

	KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 1), -ENOENT);
	fd = get_unused_fd_flags(O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	put_unused_fd(fd);
	KUNIT_EXPECT_EQ(test, add_vcpu(ct.vm, 0), -EEXIST);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, kref_read(&ct.vm->ghvm->kref), refs);
	next = get_unused_fd_flags(O_CLOEXEC);
	KUNIT_EXPECT_EQ(test, next, fd);
	put_unused_fd(next);

	new_vcpu(test, ct.vm, 1);
	KUNIT_EXPECT_EQ(test, kref_read(&ct.vm->ghvm->kref), refs + 1);
	KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 0), 0);
	KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 0), -ENOENT);
	/* The file that is still open keeps the VM's structure, and that is all. */
	KUNIT_EXPECT_EQ(test, kref_read(&ct.vm->ghvm->kref), refs + 1);
	close_vcpu(v);
	KUNIT_EXPECT_EQ(test, kref_read(&ct.vm->ghvm->kref), refs);

	new_vcpu(test, ct.vm, 0);
	KUNIT_EXPECT_EQ(test, vm_start(ct.vt, ct.vm), 0);
	KUNIT_EXPECT_EQ(test, run(&ct.vcpus[0]), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, run(&ct.vcpus[1]), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, ct.vcpus[0].calls, 1);
	KUNIT_EXPECT_EQ(test, ct.vcpus[1].calls, 1);
}

static void file_of_a_removed_vcpu_is_of_no_use(struct kunit *test)
{
	struct vcpu *v = new_running_vcpu(test), old;
	struct gh_vcpu_run page = marked_page(v);

	KUNIT_EXPECT_TRUE(test, irq_has_action(v->irq));
	KUNIT_EXPECT_EQ(test, irq_get_trigger_type(v->irq), IRQ_TYPE_EDGE_RISING);
	KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 0), 0);
	KUNIT_EXPECT_FALSE(test, irq_has_action(v->irq));
	KUNIT_EXPECT_EQ(test, ct.vt->f->mapped, 0);
	KUNIT_EXPECT_EQ(test, run(v), -ENODEV);
	KUNIT_EXPECT_EQ(test, run(v), -ENODEV);
	expect_page(v, &page);
	KUNIT_EXPECT_EQ(test, v->calls, 0);

	/* There may be another one of its number, which it does not run. */
	old = *v;
	new_vcpu(test, ct.vm, 0);
	KUNIT_EXPECT_EQ(test, run(&old), -ENODEV);
	KUNIT_EXPECT_EQ(test, v->calls, 0);
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
	close_vcpu(&old);
}

static void vcpu_that_the_vm_has_not_got(struct kunit *test)
{
	struct vcpu *v;

	ct.vt->f->n_resources = 1;
	v = new_vm_and_vcpu(test);
	new_vcpu(test, ct.vm, 1);
	KUNIT_EXPECT_EQ(test, run(v), -ENODEV);
	KUNIT_EXPECT_EQ(test, vm_start(ct.vt, ct.vm), 0);
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, run(&ct.vcpus[1]), -ENODEV);
	KUNIT_EXPECT_EQ(test, ct.vcpus[1].calls, 0);
}

/* One that the hypervisor schedules; there is nothing to request. */
static void vcpu_without_an_interrupt(struct kunit *test)
{
	struct vcpu *v;

	ct.vt->f->resources[0].virq = 0;
	v = new_running_vcpu(test);
	SCRIPT(v, FAILS(GH_ERROR_BUSY));
	KUNIT_EXPECT_EQ(test, run(v), -EBUSY);
	KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 0), 0);
	KUNIT_EXPECT_EQ(test, run(v), -ENODEV);
}

static irqreturn_t others_irq(int irq, void *data)
{
	return IRQ_NONE;
}

static void start_fails_if_the_interrupt_is_taken(struct kunit *test)
{
	struct vcpu *v = new_vm_and_vcpu(test);

	KUNIT_ASSERT_EQ(test, request_irq(v->irq, others_irq, 0, "gunyah-test", v), 0);
	KUNIT_EXPECT_EQ(test, vm_start(ct.vt, ct.vm), -EBUSY);
	KUNIT_EXPECT_EQ(test, ct.vt->f->mapped, 0);
	free_irq(v->irq, v);
	expect_status_for_ever(v, GH_VM_STATUS_LOAD_FAILED, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED,
			       NULL, 0);
}

static void others_may_not_run_it(struct kunit *test)
{
	struct vcpu *v = new_running_vcpu(test);
	struct gh_vcpu_run page = marked_page(v);

	KUNIT_EXPECT_EQ(test, vm_thread_wait(vm_thread_start(ct.vt, run_in_other_mm, ct.vm)),
			-EPERM);
	KUNIT_EXPECT_EQ(test, v->calls, 0);
	expect_page(v, &page);

	/* And are not told how it ended. */
	guest_exits(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(vm_thread_start(ct.vt, run_in_other_mm, ct.vm)),
			-EPERM);
	expect_page(v, &page);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(vm_thread_start(ct.vt, run_in_thread, ct.vm)), 0);
}

/*
 * MMIO
 */

struct access_case {
	const char *desc;
	u64 len;
	u64 value;
	u64 masked;
};

static const struct access_case access_cases[] = {
	{ "1 byte", 1, 0xf1e2d3c4b5a69788ULL, 0x88 },
	{ "2 bytes", 2, 0xf1e2d3c4b5a69788ULL, 0x9788 },
	{ "4 bytes", 4, 0xf1e2d3c4b5a69788ULL, 0xb5a69788 },
	{ "8 bytes", 8, 0xf1e2d3c4b5a69788ULL, 0xf1e2d3c4b5a69788ULL },
};

KUNIT_ARRAY_PARAM_DESC(access, access_cases, desc);

static struct step access_steps[2];

static void access_script(struct vcpu *v, u64 state, u64 len, u64 value)
{
	access_steps[0] = (struct step)LEAVES(state, ADDR, len, value);
	access_steps[1] = (struct step)LEAVES(GH_VCPU_STATE_READY);
	set_script(v, access_steps, ARRAY_SIZE(access_steps));
}

/* The answer is handed over once, as many bytes of it as were asked for. */
static void answer_to_a_read(struct kunit *test)
{
	const struct access_case *c = test->param_value;
	struct vcpu *v = new_running_vcpu(test);
	int i;

	access_script(v, GH_VCPU_ADDRSPACE_VMMIO_READ, c->len, ~0ULL);
	scribble(v);
	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, ADDR, c->len, false, 0);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
	KUNIT_EXPECT_EQ(test, v->resume[0], 0ULL);

	/* Nothing else of the page is looked at. */
	scribble(v);
	for (i = 0; i < 8; i++)
		v->run->mmio.data[i] = c->value >> 8 * i;
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->calls, 3);
	KUNIT_EXPECT_EQ(test, v->resume[1], c->masked);
	KUNIT_EXPECT_EQ(test, v->resume[2], 0ULL);
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->resume[3], 0ULL);
}

/* There is no answer. */
static void write_is_told(struct kunit *test)
{
	const struct access_case *c = test->param_value;
	struct vcpu *v = new_running_vcpu(test);

	access_script(v, GH_VCPU_ADDRSPACE_VMMIO_WRITE, c->len, c->value);
	scribble(v);
	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, ADDR, c->len, true, c->masked);
	KUNIT_EXPECT_EQ(test, v->calls, 1);

	scribble(v);
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->resume[0], 0ULL);
	KUNIT_EXPECT_EQ(test, v->resume[1], 0ULL);
	KUNIT_EXPECT_EQ(test, v->resume[2], 0ULL);
}

static void reads_and_writes_follow_each_other(struct kunit *test)
{
	struct vcpu *v = new_running_vcpu(test);

	SCRIPT(v, READS(ADDR, 8), READS(ADDR + 8, 1), WRITES(0, 2, 0xabcd), READS(~0ULL, 4));
	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, ADDR, 8, false, 0);
	memset(v->run->mmio.data, 0x11, 8);
	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, ADDR + 8, 1, false, 0);
	memset(v->run->mmio.data, 0x22, 8);
	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, 0, 2, true, 0xabcd);
	memset(v->run->mmio.data, 0x33, 8);
	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, ~0ULL, 4, false, 0);
	memset(v->run->mmio.data, 0x44, 8);
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);

	KUNIT_EXPECT_EQ(test, v->resume[0], 0ULL);
	KUNIT_EXPECT_EQ(test, v->resume[1], 0x1111111111111111ULL);
	KUNIT_EXPECT_EQ(test, v->resume[2], 0x22ULL);
	KUNIT_EXPECT_EQ(test, v->resume[3], 0ULL);
	KUNIT_EXPECT_EQ(test, v->resume[4], 0x44444444ULL);
}

static unsigned int taken;

static void take(struct gh_vm_io_handler *handler)
{
	taken++;
}

/* Such a write does not leave the kernel; all others do. */
static void write_that_a_handler_takes(struct kunit *test)
{
	static struct gh_vm_io_handler handler;
	struct vcpu *v = new_running_vcpu(test);
	struct gh_vcpu_run page;

	handler = (struct gh_vm_io_handler) {
		.addr = ADDR, .len = 2, .datamatch = true, .data = 0x9788, .write = take,
	};
	taken = 0;
	KUNIT_ASSERT_EQ(test, gh_vm_add_io_handler(ct.vm->ghvm, &handler), 0);
	SCRIPT(v, WRITES(ADDR, 2, 0x9788), WRITES(ADDR, 2, 0xf1e2d3c4b5a69788ULL),
	       WRITES(ADDR, 4, 0x9788), READS(ADDR, 2), WRITES(ADDR, 2, 0x9789));
	scribble(v);
	KUNIT_EXPECT_EQ(test, run(v), 0);
	KUNIT_EXPECT_EQ(test, taken, 2);
	expect_mmio(v, ADDR, 4, true, 0x9788);
	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, ADDR, 2, false, 0);
	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, ADDR, 2, true, 0x9789);
	KUNIT_EXPECT_EQ(test, taken, 2);

	SCRIPT(v, WRITES(ADDR, 2, 0x9788));
	page = marked_page(v);
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, taken, 3);
	expect_page(v, &page);
	gh_vm_remove_io_handler(ct.vm->ghvm, &handler);
}

static void access_of_a_length_that_there_is_not(struct kunit *test)
{
	static const u64 lens[] = { 0, 3, 5, 6, 7, 9, 16, 1ULL << 32, 1ULL << 32 | 4, ~0ULL };
	struct vcpu *v = new_running_vcpu(test);
	struct gh_vcpu_run page = marked_page(v);
	int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		access_script(v, GH_VCPU_ADDRSPACE_VMMIO_READ, lens[i], 0);
		KUNIT_EXPECT_EQ(test, run(v), -EPROTO);
		KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
		KUNIT_EXPECT_EQ(test, v->resume[1], 0ULL);
		access_script(v, GH_VCPU_ADDRSPACE_VMMIO_WRITE, lens[i], ~0ULL);
		KUNIT_EXPECT_EQ(test, run(v), -EPROTO);
		KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	}
	expect_page(v, &page);
}

/* What may come between an exit for a read and the vCPU that takes the answer */
struct interruption {
	const char *desc;
	bool immediate_exit;
	bool signal;
	struct step step;
	long ret;
};

static const struct interruption interruptions[] = {
	{ "nothing", .ret = SCRIPT_OVER },
	{ "immediate_exit", .immediate_exit = true, .ret = -EINTR },
	{ "a signal", .signal = true, .ret = -ERESTARTSYS },
	{ "immediate_exit and a signal", .immediate_exit = true, .signal = true, .ret = -EINTR },
	{ "RETRY", .step = FAILS(GH_ERROR_RETRY), .ret = SCRIPT_OVER },
	{ "RETRY because of a signal",
	  .step = { .err = GH_ERROR_RETRY, .during = be_killed }, .ret = -ERESTARTSYS },
	{ "BLOCKED", .step = LEAVES(GH_VCPU_STATE_BLOCKED), .ret = SCRIPT_OVER },
	{ "BLOCKED and a signal", .step = MEANWHILE(GH_VCPU_STATE_BLOCKED, be_killed),
	  .ret = -ERESTARTSYS },
	{ "BUSY", .step = FAILS(GH_ERROR_BUSY), .ret = -EBUSY },
	{ "DENIED", .step = FAILS(GH_ERROR_DENIED), .ret = -EACCES },
	{ "an unknown state", .step = LEAVES(0x77), .ret = -EPROTO },
};

KUNIT_ARRAY_PARAM_DESC(interruption, interruptions, desc);

static void answer_survives(struct kunit *test)
{
	const struct interruption *c = test->param_value;
	static struct step steps[3];
	struct vcpu *v = new_running_vcpu(test);
	unsigned int i, n = 0, interrupted;
	struct gh_vcpu_run page;

	steps[n++] = (struct step)READS(ADDR, 4);
	if (c->step.err || c->step.state)
		steps[n++] = c->step;
	interrupted = n;
	steps[n++] = (struct step)LEAVES(GH_VCPU_STATE_READY);
	set_script(v, steps, n);

	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, ADDR, 4, false, 0);
	memcpy(v->run->mmio.data, "\x78\x56\x34\x12\xff\xff\xff\xff", 8);
	v->run->immediate_exit = c->immediate_exit;
	page = *v->run;
	if (c->signal)
		kill_pending();
	KUNIT_EXPECT_EQ(test, run(v), c->ret);
	/* What is in the page is still what was. */
	expect_page(v, &page);
	if (c->ret != SCRIPT_OVER) {
		KUNIT_EXPECT_EQ(test, v->calls, interrupted);
		flush_signals(current);
		v->run->immediate_exit = 0;
		KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	}

	KUNIT_EXPECT_EQ(test, v->calls, n + 1);
	KUNIT_EXPECT_EQ(test, v->resume[0], 0ULL);
	for (i = 1; i < n; i++)
		KUNIT_EXPECT_EQ_MSG(test, v->resume[i], 0x12345678ULL, "call %u", i);
	KUNIT_EXPECT_EQ(test, v->resume[n], 0ULL);
}

/* A signal is looked at before the vCPU runs, so an exit that it comes with is told. */
static void exit_survives_a_signal(struct kunit *test)
{
	struct vcpu *v = new_running_vcpu(test);

	SCRIPT(v,
	       { .state = GH_VCPU_ADDRSPACE_VMMIO_READ, .data = { ADDR, 4 }, .during = be_killed });
	allow_signal(SIGKILL);
	KUNIT_EXPECT_EQ(test, run(v), 0);
	expect_mmio(v, ADDR, 4, false, 0);
	memset(v->run->mmio.data, 0x11, 8);
	KUNIT_EXPECT_EQ(test, run(v), -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
	flush_signals(current);
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->resume[1], 0x11111111ULL);
}

/*
 * Other states, and errors
 */

static void vcpu_goes_on(struct kunit *test)
{
	struct vcpu *v = new_running_vcpu(test);
	struct gh_vcpu_run page = marked_page(v);

	SCRIPT(v, LEAVES(GH_VCPU_STATE_READY, 1, 2, 3), LEAVES(GH_VCPU_STATE_BLOCKED, 4, 5, 6),
	       FAILS(GH_ERROR_RETRY), LEAVES(GH_VCPU_STATE_READY), LEAVES(GH_VCPU_STATE_BLOCKED));
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->calls, 6);
	expect_page(v, &page);
	KUNIT_EXPECT_FALSE(test, current->flags & PF_VCPU);
	KUNIT_EXPECT_FALSE(test, irqs_disabled());
}

static void unknown_states_are_refused(struct kunit *test)
{
	static const u64 states[] = { 7, 8, 0x77, 0xff, 0x101, 1ULL << 32, ~0ULL };
	struct vcpu *v = new_running_vcpu(test);
	struct gh_vcpu_run page = marked_page(v);
	int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		access_script(v, states[i], 4, 0);
		KUNIT_EXPECT_EQ(test, run(v), -EPROTO);
		KUNIT_EXPECT_EQ(test, v->calls, 1);
		KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	}
	expect_page(v, &page);
	KUNIT_EXPECT_EQ(test, vm_state(), GH_VM_RUNNING);
}

static void errors_are_told(struct kunit *test)
{
	static const struct { enum gh_error err; long ret; } errors[] = {
		{ GH_ERROR_UNIMPLEMENTED, -EOPNOTSUPP },
		{ GH_ERROR_ARG_INVAL, -EINVAL },
		{ GH_ERROR_NOMEM, -ENOMEM },
		{ GH_ERROR_DENIED, -EACCES },
		{ GH_ERROR_BUSY, -EBUSY },
		{ GH_ERROR_OBJECT_CONFIG, -EINVAL },
		{ GH_ERROR_FAILURE, -EINVAL },
		{ GH_ERROR_CSPACE_CAP_NULL, -EACCES },
		{ GH_ERROR_CSPACE_CAP_REVOKED, -EACCES },
		{ GH_ERROR_CSPACE_WRONG_OBJ_TYPE, -EACCES },
		{ GH_ERROR_CSPACE_INSUF_RIGHTS, -EACCES },
		{ 999, -EINVAL },
	};
	static struct step step;
	struct vcpu *v = new_running_vcpu(test);
	struct gh_vcpu_run page = marked_page(v);
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		step = (struct step)FAILS(errors[i].err);
		set_script(v, &step, 1);
		KUNIT_EXPECT_EQ_MSG(test, run(v), errors[i].ret, "error %d", errors[i].err);
		KUNIT_EXPECT_EQ(test, v->calls, 1);
		KUNIT_EXPECT_FALSE(test, current->flags & PF_VCPU);
	}
	expect_page(v, &page);
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
}

/*
 * Sleep
 */

struct sleep_case {
	const char *desc;
	struct step step;
};

static const struct sleep_case sleep_cases[] = {
	{ "WFI", LEAVES(GH_VCPU_STATE_EXPECTS_WAKEUP, 0, 1) },
	{ "CPU_SUSPEND", LEAVES(GH_VCPU_STATE_EXPECTS_WAKEUP, 0x40000002, 2) },
	{ "SYSTEM_SUSPEND", LEAVES(GH_VCPU_STATE_EXPECTS_WAKEUP, 0, 3) },
	{ "off", LEAVES(GH_VCPU_STATE_POWERED_OFF, 0) },
};

KUNIT_ARRAY_PARAM_DESC(sleep, sleep_cases, desc);

static void vcpu_sleeps_until_its_interrupt(struct kunit *test)
{
	const struct sleep_case *c = test->param_value;
	struct vcpu *v = new_running_vcpu(test);
	struct vm_thread *thread;

	set_script(v, &c->step, 1);
	thread = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	raise_irq(v);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->calls, 2);

	/* What came before it was run is over. */
	raise_irq(v);
	set_script(v, &c->step, 1);
	thread = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
	raise_irq(v);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), SCRIPT_OVER);
}

/* The interrupt may come before the hypercall has returned, and be the only one. */
static void interrupt_before_sleep_is_not_lost(struct kunit *test)
{
	const struct sleep_case *c = test->param_value;
	struct vcpu *v = new_running_vcpu(test);
	static struct step step;

	step = c->step;
	step.during = raise_irq;
	set_script(v, &step, 1);
	KUNIT_EXPECT_EQ(test, run(v), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->calls, 2);
}

/* It is run by one at a time; who waits for that can be interrupted. */
static void who_waits_for_another_to_run_it(struct kunit *test)
{
	unsigned long deadline = jiffies + FAKE_RM_PATIENCE;
	struct vcpu *v = new_running_vcpu(test);
	struct vm_thread *first, *second;

	SCRIPT(v, LEAVES(GH_VCPU_STATE_EXPECTS_WAKEUP));
	first = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	second = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	while (READ_ONCE(second->task->__state) != TASK_INTERRUPTIBLE &&
	       time_before(jiffies, deadline))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
	send_sig(SIGKILL, second->task, 1);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(second), -ERESTARTSYS);

	raise_irq(v);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(first), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->calls, 2);
}

/*
 * What ends a run that does not end by itself
 */

struct busy_case {
	const char *desc;
	struct step step;
	bool waits;
};

static const struct busy_case busy_cases[] = {
	{ "running", MEANWHILE(GH_VCPU_STATE_READY, scribble), false },
	{ "blocked", LEAVES(GH_VCPU_STATE_BLOCKED), false },
	{ "retrying", FAILS(GH_ERROR_RETRY), false },
	{ "writing", WRITES(ADDR, 4, 0), false },
	{ "sleeping", LEAVES(GH_VCPU_STATE_EXPECTS_WAKEUP), true },
	{ "off", LEAVES(GH_VCPU_STATE_POWERED_OFF, 0), true },
	{ "off for good", LEAVES(GH_VCPU_STATE_POWERED_OFF, 1), true },
	{ "at fault", LEAVES(GH_VCPU_STATE_FAULT), true },
	{ "reset", LEAVES(GH_VCPU_STATE_SYSTEM_RESET, 1ULL << 63), true },
	{ "not active", FAILS(GH_ERROR_OBJECT_STATE), true },
	{ "in the guest", MEANWHILE(GH_VCPU_STATE_READY, stay_in_guest), true },
};

enum ending {
	ENDED_BY_SIGNAL,
	ENDED_BY_GUEST,
	ENDED_BY_REMOVAL,
	ENDED_BY_CLOSE,
	ENDED_WITH_DEVICE,
	NR_ENDINGS,
};

static const char * const ending_names[] = {
	[ENDED_BY_SIGNAL]	= "signal",
	[ENDED_BY_GUEST]	= "VM_EXITED",
	[ENDED_BY_REMOVAL]	= "removal of the vCPU",
	[ENDED_BY_CLOSE]	= "close of the VM",
	[ENDED_WITH_DEVICE]	= "removal of the device",
};

struct ending_case {
	const struct busy_case *busy;
	enum ending ending;
};

static struct ending_case ending_cases[ARRAY_SIZE(busy_cases) * NR_ENDINGS];

static const void *ending_gen_params(const void *prev, char *desc)
{
	const struct ending_case *last = prev;
	struct ending_case *c = last ? ending_cases + (last - ending_cases) + 1 : ending_cases;

	if (c == ending_cases + ARRAY_SIZE(ending_cases))
		return NULL;

	c->busy = &busy_cases[(c - ending_cases) / NR_ENDINGS];
	c->ending = (c - ending_cases) % NR_ENDINGS;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s: %s", c->busy->desc, ending_names[c->ending]);
	return c;
}

static void run_is_ended_by(struct kunit *test)
{
	const struct ending_case *c = test->param_value;
	struct vcpu *v = new_running_vcpu(test);
	static struct gh_vm_io_handler handler;
	struct vm_thread *thread;
	unsigned int calls;

	handler = (struct gh_vm_io_handler) { .addr = ADDR, .write = take };
	KUNIT_ASSERT_EQ(test, gh_vm_add_io_handler(ct.vm->ghvm, &handler), 0);
	set_script(v, &c->busy->step, 1);
	v->forever = true;
	thread = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_running(v, c->busy->waits ? 1 : 3, c->busy->waits);
	/* This is not about those that end by themselves. */
	cancel_delayed_work_sync(&ct.vm->ghvm->exit_work);

	switch (c->ending) {
	case ENDED_BY_SIGNAL:
		send_sig(SIGKILL, thread->task, 1);
		KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), -ERESTARTSYS);
		KUNIT_EXPECT_EQ(test, vm_state(), GH_VM_RUNNING);
		break;
	case ENDED_BY_GUEST:
		guest_exits(GH_VM_EXIT_TYPE_WDT_BITE, "\1\2\3\4", 4);
		KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), 0);
		expect_status(v, GH_VM_STATUS_EXITED, GH_VM_EXIT_TYPE_WDT_BITE, "\1\2\3\4", 4);
		expect_status_for_ever(v, GH_VM_STATUS_EXITED, GH_VM_EXIT_TYPE_WDT_BITE,
				       "\1\2\3\4", 4);
		break;
	case ENDED_BY_REMOVAL:
		KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 0), 0);
		/* Nobody runs it any more by then. */
		calls = v->calls;
		KUNIT_EXPECT_FALSE(test, irq_has_action(v->irq));
		KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), -ENODEV);
		KUNIT_EXPECT_EQ(test, v->calls, calls);
		KUNIT_EXPECT_EQ(test, run(v), -ENODEV);
		break;
	case ENDED_BY_CLOSE:
	case ENDED_WITH_DEVICE:
		if (c->ending == ENDED_BY_CLOSE)
			KUNIT_EXPECT_EQ(test, vm_close(ct.vt, ct.vm), 0);
		else
			KUNIT_EXPECT_EQ(test, vm_remove_device(ct.vt, NULL), 0);
		calls = v->calls;
		KUNIT_EXPECT_FALSE(test, irq_has_action(v->irq));
		KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), 0);
		KUNIT_EXPECT_EQ(test, v->calls, calls);
		expect_status(v, GH_VM_STATUS_EXITED, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED, NULL, 0);
		expect_status_for_ever(v, GH_VM_STATUS_EXITED, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED,
				       NULL, 0);
		break;
	default:
		break;
	}

	gh_vm_remove_io_handler(ct.vm->ghvm, &handler);
}

/* They all leave; whoever waits for it to be free finds nothing to run. */
static void removal_while_others_wait(struct kunit *test)
{
	struct vcpu *v = new_running_vcpu(test);
	struct vm_thread *threads[3];
	int i;

	SCRIPT(v, MEANWHILE(GH_VCPU_STATE_READY, stay_in_guest));
	v->forever = true;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		threads[i] = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 0), 0);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		KUNIT_EXPECT_EQ(test, vm_thread_wait(threads[i]), -ENODEV);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
}

/* An answer to the vCPU that was is none for the one that comes after it. */
static void nothing_is_left_of_a_removed_vcpu(struct kunit *test)
{
	struct vcpu *v = new_running_vcpu(test);

	SCRIPT(v, READS(ADDR, 8));
	KUNIT_EXPECT_EQ(test, run(v), 0);
	memset(v->run->mmio.data, 0x11, 8);
	KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 0), 0);
	KUNIT_EXPECT_EQ(test, v->vcpu->reading, 0);
	KUNIT_EXPECT_PTR_EQ(test, v->vcpu->ghrsc, NULL);
	KUNIT_EXPECT_FALSE(test, v->vcpu->evicting);
}

static void immediate_exit(struct kunit *test)
{
	struct vcpu *v = new_vm_and_vcpu(test);
	struct gh_vcpu_run page;
	int i;

	scribble(v);
	for (i = 1; i < 256; i <<= 1) {
		v->run->immediate_exit = i;
		page = *v->run;
		KUNIT_EXPECT_EQ(test, run(v), -EINTR);
		expect_page(v, &page);
	}
	KUNIT_EXPECT_EQ(test, vm_start(ct.vt, ct.vm), 0);
	KUNIT_EXPECT_EQ(test, run(v), -EINTR);
	KUNIT_EXPECT_EQ(test, v->calls, 0);
	/* It does not end a run that has begun: that is what the signal is for. */
	v->run->immediate_exit = 0;
	SCRIPT(v, MEANWHILE(GH_VCPU_STATE_READY, be_killed));
	allow_signal(SIGKILL);
	KUNIT_EXPECT_EQ(test, run(v), -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
	flush_signals(current);
}

/*
 * The end of the VM
 */

struct exit_case {
	const char *desc;
	u16 type;
	u32 reason_size;
};

static const struct exit_case exit_cases[] = {
	{ "VM_EXIT", GH_VM_EXIT_TYPE_VM_EXIT, 4 },
	{ "SYSTEM_OFF", GH_VM_EXIT_TYPE_PSCI_POWER_OFF, 0 },
	{ "SYSTEM_RESET", GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET, 0 },
	{ "SYSTEM_RESET2", GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2, 16 },
	{ "watchdog", GH_VM_EXIT_TYPE_WDT_BITE, 1 },
	{ "hypervisor", GH_VM_EXIT_TYPE_HYP_ERROR, 8 },
	{ "abort", GH_VM_EXIT_TYPE_ASYNC_EXT_ABORT, 9 },
	{ "one that nobody knows", 0x1234, 8 },
};

KUNIT_ARRAY_PARAM_DESC(exit, exit_cases, desc);

/* On each vCPU, and after the file is closed as before */
static void end_is_told_by_each_vcpu(struct kunit *test)
{
	static const u8 reason[] = "0123456789abcde";
	const struct exit_case *c = test->param_value;
	u32 size = min_t(u32, c->reason_size, GH_VM_MAX_EXIT_REASON_SIZE);
	struct vcpu *v = new_running_vcpu(test), *other;

	other = new_vcpu(test, ct.vm, 1);
	guest_exits(c->type, reason, c->reason_size);
	expect_status_for_ever(v, GH_VM_STATUS_EXITED, c->type, reason, size);
	expect_status_for_ever(other, GH_VM_STATUS_EXITED, c->type, reason, size);
	KUNIT_EXPECT_EQ(test, v->calls, 0);

	/* A kick is still one. */
	v->run->immediate_exit = 1;
	KUNIT_EXPECT_EQ(test, run(v), -EINTR);
	v->run->immediate_exit = 0;
	/* But a signal does not keep the end from being told. */
	kill_pending();
	KUNIT_EXPECT_EQ(test, run(v), 0);
	flush_signals(current);

	KUNIT_EXPECT_EQ(test, remove_vcpu(ct.vm, 1), 0);
	expect_status_for_ever(other, GH_VM_STATUS_EXITED, c->type, reason, size);
	vm_close(ct.vt, ct.vm);
	expect_status_for_ever(v, GH_VM_STATUS_EXITED, c->type, reason, size);
	expect_status_for_ever(other, GH_VM_STATUS_EXITED, c->type, reason, size);
}

static void end_of_a_vm_that_was_never_started(struct kunit *test)
{
	struct vcpu *v = new_vm_and_vcpu(test);

	KUNIT_EXPECT_EQ(test, run(v), -ENODEV);
	vm_close(ct.vt, ct.vm);
	expect_status_for_ever(v, GH_VM_STATUS_EXITED, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED, NULL, 0);
}

/* Even of one that has run: who started it was told that it has not. */
static void end_of_a_vm_that_did_not_start(struct kunit *test)
{
	static const struct {
		enum fake_rm_op op;
		enum fake_rm_outcome outcome;
		long ret;
		bool exits;
	} cases[] = {
		{ FAKE_RM_ALLOC_VMID, FAKE_RM_REFUSED, REFUSAL },
		{ FAKE_RM_INIT, FAKE_RM_FAILED, REFUSAL },
		{ FAKE_RM_GET_RESOURCES, FAKE_RM_REFUSED, REFUSAL },
		{ FAKE_RM_START, FAKE_RM_REFUSED, REFUSAL },
		{ FAKE_RM_START, FAKE_RM_LOST_REPLY, -ETIMEDOUT },
		{ FAKE_RM_START, FAKE_RM_BAD_REPLY, -EPROTO },
		{ FAKE_RM_START, FAKE_RM_BAD_REPLY, -EPROTO, true },
	};
	struct vcpu *v;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		v = new_vm_and_vcpu(test);
		fake_rm_fault(ct.vt->f, cases[i].op, 0, 1, cases[i].outcome, REFUSAL);
		ct.vt->f->exit_at_start = cases[i].exits;
		KUNIT_EXPECT_EQ_MSG(test, vm_start(ct.vt, ct.vm), cases[i].ret, "case %d", i);
		expect_status_for_ever(v, GH_VM_STATUS_LOAD_FAILED,
				       GH_VM_EXIT_TYPE_VM_FORCE_STOPPED, NULL, 0);
		vm_close(ct.vt, ct.vm);
		expect_status_for_ever(v, GH_VM_STATUS_LOAD_FAILED,
				       GH_VM_EXIT_TYPE_VM_FORCE_STOPPED, NULL, 0);
		close_vcpu(v);
	}
}

/* It is there already, and off: the interrupt that START raises wakes it. */
static void run_before_the_vm_is_started(struct kunit *test)
{
	struct vcpu *v = new_vm_and_vcpu(test);
	struct vm_thread *starter, *thread;

	fake_rm_gate(ct.vt->f, FAKE_RM_START, false);
	starter = vm_thread_start(ct.vt, vm_start, ct.vm);
	fake_rm_wait_gate(ct.vt->f);
	SCRIPT(v, LEAVES(GH_VCPU_STATE_POWERED_OFF, 0));
	thread = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	fake_rm_open_gate(ct.vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), 0);
	raise_irq(v);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), SCRIPT_OVER);
	KUNIT_EXPECT_EQ(test, v->calls, 2);
}

/* Then it has nothing to run, and is told why when it asks again. */
static void run_while_the_start_fails(struct kunit *test)
{
	struct vcpu *v = new_vm_and_vcpu(test);
	struct vm_thread *starter, *thread;

	fake_rm_fault(ct.vt->f, FAKE_RM_START, 0, 1, FAKE_RM_FAILED, REFUSAL);
	fake_rm_gate(ct.vt->f, FAKE_RM_START, false);
	starter = vm_thread_start(ct.vt, vm_start, ct.vm);
	fake_rm_wait_gate(ct.vt->f);
	SCRIPT(v, LEAVES(GH_VCPU_STATE_POWERED_OFF, 0));
	thread = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	fake_rm_open_gate(ct.vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), -ENODEV);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), REFUSAL);
	expect_status_for_ever(v, GH_VM_STATUS_LOAD_FAILED, GH_VM_EXIT_TYPE_VM_FORCE_STOPPED,
			       NULL, 0);
}

/* The vCPU shows that the guest has ended, and how as far as it knows */
struct shown_case {
	const char *desc;
	struct step step;
	u16 type;
};

static const struct shown_case shown_cases[] = {
	{ "off for good", LEAVES(GH_VCPU_STATE_POWERED_OFF, 1), GH_VM_EXIT_TYPE_UNKNOWN },
	{ "fault", LEAVES(GH_VCPU_STATE_FAULT), GH_VM_EXIT_TYPE_HYP_ERROR },
	{ "SYSTEM_RESET", LEAVES(GH_VCPU_STATE_SYSTEM_RESET, 1ULL << 63),
	  GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET },
	{ "SYSTEM_RESET2", LEAVES(GH_VCPU_STATE_SYSTEM_RESET, 0x80000000, 0x876500004321ULL),
	  GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2 },
	{ "SYSTEM_RESET2 of 64 bits", LEAVES(GH_VCPU_STATE_SYSTEM_RESET, 0x4000000080000000ULL),
	  GH_VM_EXIT_TYPE_PSCI_SYSTEM_RESET2 },
	{ "not active", FAILS(GH_ERROR_OBJECT_STATE), GH_VM_EXIT_TYPE_UNKNOWN },
};

KUNIT_ARRAY_PARAM_DESC(shown, shown_cases, desc);

/* The resource manager says nothing, though it has a second to do so. */
static void end_that_only_the_vcpu_shows(struct kunit *test)
{
	const struct shown_case *c = test->param_value;
	struct vcpu *v = new_running_vcpu(test);
	struct delayed_work *exit_work = &ct.vm->ghvm->exit_work;
	struct vm_thread *thread;
	unsigned long expires;

	set_script(v, &c->step, 1);
	v->forever = true;
	thread = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(exit_work));
	expires = exit_work->timer.expires;
	KUNIT_EXPECT_TRUE(test, time_before_eq(expires, jiffies + HZ));
	KUNIT_EXPECT_EQ(test, vm_state(), GH_VM_RUNNING);

	/* An interrupt makes it look again, which does not begin another second. */
	raise_irq(v);
	wait_asleep(v, 2);
	KUNIT_EXPECT_EQ(test, exit_work->timer.expires, expires);

	/* The second is over. */
	flush_delayed_work(exit_work);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), 0);
	expect_status_for_ever(v, GH_VM_STATUS_EXITED, c->type, NULL, 0);
	KUNIT_EXPECT_EQ(test, vm_state(), GH_VM_EXITED);
}

/* What the resource manager says is more precise, and what counts. */
static void end_that_the_vcpu_shows_first(struct kunit *test)
{
	const struct shown_case *c = test->param_value;
	struct vcpu *v = new_running_vcpu(test);
	struct vm_thread *thread;

	set_script(v, &c->step, 1);
	thread = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	guest_exits(GH_VM_EXIT_TYPE_ASYNC_EXT_ABORT, "\7\6\5\4", 4);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), 0);
	flush_delayed_work(&ct.vm->ghvm->exit_work);
	expect_status_for_ever(v, GH_VM_STATUS_EXITED, GH_VM_EXIT_TYPE_ASYNC_EXT_ABORT,
			       "\7\6\5\4", 4);
	KUNIT_EXPECT_EQ(test, v->calls, 1);
}

/* One vCPU knows how it ended, the other that it did. */
static void first_vcpu_that_knows_counts(struct kunit *test)
{
	static const struct step off = LEAVES(GH_VCPU_STATE_POWERED_OFF, 1);
	static const struct step fault = LEAVES(GH_VCPU_STATE_FAULT);
	static const struct step reset = LEAVES(GH_VCPU_STATE_SYSTEM_RESET, 1ULL << 63);
	struct vcpu *v = new_running_vcpu(test);
	struct vm_thread *thread;

	set_script(v, &off, 1);
	thread = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	set_script(v, &fault, 1);
	raise_irq(v);
	wait_asleep(v, 1);
	set_script(v, &reset, 1);
	raise_irq(v);
	wait_asleep(v, 1);
	flush_delayed_work(&ct.vm->ghvm->exit_work);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), 0);
	expect_status_for_ever(v, GH_VM_STATUS_EXITED, GH_VM_EXIT_TYPE_HYP_ERROR, NULL, 0);
}

/* It is not SYSTEM_OFF that the vCPU shows, but the same as one that is merely off. */
static void guest_that_powers_off(struct kunit *test)
{
	struct vcpu *v = new_running_vcpu(test);
	struct vm_thread *thread;

	SCRIPT(v, LEAVES(GH_VCPU_STATE_POWERED_OFF, 0));
	thread = vm_thread_start(ct.vt, run_in_thread, ct.vm);
	wait_asleep(v, 1);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&ct.vm->ghvm->exit_work));
	guest_exits(GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(thread), 0);
	expect_status_for_ever(v, GH_VM_STATUS_EXITED, GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
}

/* Nothing is left of it, and it can be added when there is room for a file. */
static void no_vcpu_without_a_file(struct kunit *test)
{
	struct rlimit *rlim = &current->signal->rlim[RLIMIT_NOFILE];
	const struct rlimit saved = *rlim;
	unsigned int refs;

	ct.vm = vm_new_complete(ct.vt);
	refs = kref_read(&ct.vm->ghvm->kref);
	WRITE_ONCE(rlim->rlim_cur, 0);
	KUNIT_EXPECT_EQ(test, add_vcpu(ct.vm, 0), -EMFILE);
	*rlim = saved;
	KUNIT_EXPECT_EQ(test, kref_read(&ct.vm->ghvm->kref), refs);
	new_vcpu(test, ct.vm, 0);
}

static int vcpu_test_init(struct kunit *test)
{
	unsigned int i;
	int ret;

	memset(&ct, 0, sizeof(ct));
	ret = vm_test_init(test);
	if (ret)
		return ret;

	ct.vt = test->priv;
	ct.domain = irq_domain_create_sim(NULL, NR_VCPUS);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ct.domain);
	for (i = 0; i < NR_VCPUS; i++) {
		ct.vcpus[i].irq = irq_create_mapping(ct.domain, i);
		KUNIT_ASSERT_GT(test, ct.vcpus[i].irq, 0);
		ct.vt->f->resources[i] = (struct gh_rm_hyp_resource) {
			.type = GUNYAH_RESOURCE_TYPE_VCPU,
			.label = i,
			.capid = vcpu_capid(i),
			.virq = ct.vcpus[i].irq,
		};
	}
	ct.vt->f->n_resources = NR_VCPUS;
	return 0;
}

static void vcpu_test_exit(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < NR_VCPUS; i++) {
		if (ct.vcpus[i].wrong)
			KUNIT_FAIL(test, "a hypercall: %s", ct.vcpus[i].wrong);
		close_vcpu(&ct.vcpus[i]);
	}
	vm_test_exit(test);
	for (i = 0; i < NR_VCPUS; i++) {
		KUNIT_EXPECT_FALSE(test, ct.vcpus[i].irq && irq_has_action(ct.vcpus[i].irq));
		irq_dispose_mapping(ct.vcpus[i].irq);
	}
	if (!IS_ERR_OR_NULL(ct.domain))
		irq_domain_remove_sim(ct.domain);
}

static struct kunit_case vcpu_cases[] = {
	KUNIT_CASE(vcpu_is_a_file),
	KUNIT_CASE(page_is_shared_with_user_space),
	KUNIT_CASE(vcpus_are_told_apart_by_id),
	KUNIT_CASE(file_of_a_removed_vcpu_is_of_no_use),
	KUNIT_CASE(vcpu_that_the_vm_has_not_got),
	KUNIT_CASE(vcpu_without_an_interrupt),
	KUNIT_CASE(start_fails_if_the_interrupt_is_taken),
	KUNIT_CASE(others_may_not_run_it),
	KUNIT_CASE_PARAM(answer_to_a_read, access_gen_params),
	KUNIT_CASE_PARAM(write_is_told, access_gen_params),
	KUNIT_CASE(reads_and_writes_follow_each_other),
	KUNIT_CASE(write_that_a_handler_takes),
	KUNIT_CASE(access_of_a_length_that_there_is_not),
	KUNIT_CASE_PARAM(answer_survives, interruption_gen_params),
	KUNIT_CASE(exit_survives_a_signal),
	KUNIT_CASE(vcpu_goes_on),
	KUNIT_CASE(unknown_states_are_refused),
	KUNIT_CASE(errors_are_told),
	KUNIT_CASE_PARAM(vcpu_sleeps_until_its_interrupt, sleep_gen_params),
	KUNIT_CASE_PARAM(interrupt_before_sleep_is_not_lost, sleep_gen_params),
	KUNIT_CASE(who_waits_for_another_to_run_it),
	KUNIT_CASE_PARAM(run_is_ended_by, ending_gen_params),
	KUNIT_CASE(removal_while_others_wait),
	KUNIT_CASE(nothing_is_left_of_a_removed_vcpu),
	KUNIT_CASE(immediate_exit),
	KUNIT_CASE_PARAM(end_is_told_by_each_vcpu, exit_gen_params),
	KUNIT_CASE(end_of_a_vm_that_was_never_started),
	KUNIT_CASE(end_of_a_vm_that_did_not_start),
	KUNIT_CASE(run_before_the_vm_is_started),
	KUNIT_CASE(run_while_the_start_fails),
	KUNIT_CASE_PARAM(end_that_only_the_vcpu_shows, shown_gen_params),
	KUNIT_CASE_PARAM(end_that_the_vcpu_shows_first, shown_gen_params),
	KUNIT_CASE(first_vcpu_that_knows_counts),
	KUNIT_CASE(guest_that_powers_off),
	KUNIT_CASE(no_vcpu_without_a_file),
	{}
};

static struct kunit_suite vcpu_suite = {
	.name = "gunyah_vcpu",
	.init = vcpu_test_init,
	.exit = vcpu_test_exit,
	.test_cases = vcpu_cases,
};

kunit_test_suite(vcpu_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Tests of Gunyah vCPUs");

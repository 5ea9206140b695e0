// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of VM functions: which can be added, with what, and which is removed
 *
 * Two types of functions are registered for each test. One finds its instances by
 * key and group, or less well by the group alone; the other takes the longest
 * argument that there may be. What was unbound is logged by the number that the
 * instance was given when it was bound.
 */

#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../vm_mgr.h"
#include "fake_rm.h"
#include "vm_test.h"

/* An errno that the driver has no reason of its own to return */
#define REFUSAL		(-EXFULL)

#define FN_KEYED	0x7f000001
#define FN_LONGEST	0x7f000002
#define FN_UNKNOWN	0x7f000003

#define MAX_LOG		16

struct keyed_arg {
	u32 key;
	u32 group;
};

struct longest_arg {
	struct keyed_arg keyed;
	u8 rest[GH_FN_MAX_ARG_SIZE - sizeof(struct keyed_arg)];
};

/**
 * struct fn_test - What is registered, and what happened to it
 * @registered: the types are registered
 * @bind_ret: what bind() returns
 * @bound: number of instances bound so far; the next gets this as its number
 * @last: the one bound last
 * @last_arg: and what it was given
 * @matches: number of calls to match()
 * @log: numbers of the instances that were unbound, in order
 * @states: state of the VM at each of these
 * @n_log: number of @log
 */
struct fn_test {
	bool registered;
	long bind_ret;
	unsigned int bound;
	struct gh_vm_function_instance *last;
	struct longest_arg last_arg;
	unsigned int matches;
	unsigned int log[MAX_LOG];
	enum gh_vm_state states[MAX_LOG];
	unsigned int n_log;
};

static struct fn_test ft;

static long fn_bind(struct gh_vm_function_instance *f)
{
	memcpy(&ft.last_arg, f->argp, f->fn->arg_size);
	ft.last = f;
	if (ft.bind_ret >= 0)
		f->data = (void *)(unsigned long)ft.bound++;
	return ft.bind_ret;
}

static void fn_unbind(struct gh_vm_function_instance *f)
{
	if (ft.n_log < MAX_LOG) {
		ft.log[ft.n_log] = (unsigned long)f->data;
		ft.states[ft.n_log] = gh_vm_state(f->ghvm);
	}
	ft.n_log++;
}

static enum gh_fn_match fn_match(const struct gh_vm_function_instance *f, const void *arg)
{
	const struct keyed_arg *ours = f->argp, *theirs = arg;

	ft.matches++;
	if (ours->group != theirs->group)
		return GH_FN_NO_MATCH;
	return ours->key == theirs->key ? GH_FN_EXACT_MATCH : GH_FN_MATCH;
}

static struct gh_vm_function keyed_fn = {
	.type = FN_KEYED,
	.arg_size = sizeof(struct keyed_arg),
	.owner = THIS_MODULE,
	.bind = fn_bind,
	.unbind = fn_unbind,
	.match = fn_match,
};

static const struct gh_vm_function longest_fn = {
	.type = FN_LONGEST,
	.arg_size = sizeof(struct longest_arg),
	.owner = THIS_MODULE,
	.bind = fn_bind,
	.unbind = fn_unbind,
	.match = fn_match,
};

static long add_keyed(struct vm_test *vt, struct vm *vm, u32 key, u32 group)
{
	const struct keyed_arg arg = { .key = key, .group = group };

	return vm_add_function(vt, vm, FN_KEYED, &arg, sizeof(arg));
}

static long remove_keyed(struct vm_test *vt, struct vm *vm, u32 key, u32 group)
{
	const struct keyed_arg arg = { .key = key, .group = group };

	return vm_remove_function(vt, vm, FN_KEYED, &arg, sizeof(arg));
}

static void function_is_added_and_removed(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);

	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 2), -ENOENT);

	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 2), 0);
	KUNIT_ASSERT_EQ(test, ft.bound, 1);
	KUNIT_EXPECT_EQ(test, ft.last_arg.keyed.key, 1);
	KUNIT_EXPECT_EQ(test, ft.last_arg.keyed.group, 2);
	KUNIT_EXPECT_PTR_EQ(test, ft.last->ghvm, vm->ghvm);
	KUNIT_EXPECT_PTR_EQ(test, ft.last->fn, &keyed_fn);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&vm->ghvm->functions));

	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 3), -ENOENT);
	KUNIT_EXPECT_EQ(test, ft.n_log, 0);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 2), 0);
	KUNIT_EXPECT_EQ(test, ft.n_log, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&vm->ghvm->functions));
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 2), -ENOENT);
	KUNIT_EXPECT_EQ(test, ft.n_log, 1);
}

/* A file descriptor, for example, and an error even if nobody knows it */
static void add_returns_what_bind_returns(struct kunit *test)
{
	static const long rets[] = { 0, 1, 42, INT_MAX, -1, REFUSAL, -EINTR, -MAX_ERRNO };
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	int i;

	for (i = 0; i < ARRAY_SIZE(rets); i++) {
		ft.bind_ret = rets[i];
		KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, i, 0), rets[i]);
		/* Of one that failed nothing is left. */
		KUNIT_EXPECT_EQ(test, list_empty(&vm->ghvm->functions), rets[i] < 0);
		KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, i, 0), rets[i] < 0 ? -ENOENT : 0);
	}
	KUNIT_EXPECT_EQ(test, ft.n_log, ft.bound);
}

struct arg_case {
	const char *desc;
	u32 type;
	u32 size;
	bool bad_address;
	long add;
	long remove;
};

static const struct arg_case arg_cases[] = {
	{ "none", FN_KEYED, 0, false, -EINVAL, -EINVAL },
	{ "none, unknown type", FN_UNKNOWN, 0, false, -EINVAL, -EINVAL },
	{ "short by one", FN_KEYED, sizeof(struct keyed_arg) - 1, false, -EINVAL, -ENOENT },
	{ "long by one", FN_KEYED, sizeof(struct keyed_arg) + 1, false, -EINVAL, -ENOENT },
	{ "of another type", FN_KEYED, GH_FN_MAX_ARG_SIZE, false, -EINVAL, -ENOENT },
	{ "too long", FN_LONGEST, GH_FN_MAX_ARG_SIZE + 1, false, -EINVAL, -EINVAL },
	{ "far too long", FN_LONGEST, U32_MAX, false, -EINVAL, -EINVAL },
	{ "too long, unknown type", FN_UNKNOWN, GH_FN_MAX_ARG_SIZE + 1, false, -EINVAL, -EINVAL },
	{ "unknown type", FN_UNKNOWN, 4, false, -ENOENT, -ENOENT },
	{ "type 0", 0, 4, false, -ENOENT, -ENOENT },
	{ "type -1", U32_MAX, 4, false, -ENOENT, -ENOENT },
	{ "bad address", FN_KEYED, sizeof(struct keyed_arg), true, -EFAULT, -EFAULT },
	{ "bad address, long", FN_LONGEST, GH_FN_MAX_ARG_SIZE, true, -EFAULT, -EFAULT },
	{ "right", FN_KEYED, sizeof(struct keyed_arg), false, 0, 0 },
	{ "right and as long as can be", FN_LONGEST, GH_FN_MAX_ARG_SIZE, false, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(arg, arg_cases, desc);

static void argument(struct kunit *test)
{
	const struct arg_case *c = test->param_value;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct gh_fn_desc desc = {
		.type = c->type,
		.arg_size = c->size,
		.arg = c->bad_address ? 1ULL << 55 : vt->arg + sizeof(desc),
	};

	/* There is one of another group, that nobody asks for. */
	KUNIT_ASSERT_EQ(test, add_keyed(vt, vm, 0, 1), 0);
	memset(&ft.last_arg, 0xaa, sizeof(ft.last_arg));
	KUNIT_ASSERT_EQ(test, 0UL, clear_user((void __user *)(vt->arg + sizeof(desc)),
					      GH_FN_MAX_ARG_SIZE));

	KUNIT_EXPECT_EQ(test, vm_function(vt, vm, GH_VM_ADD_FUNCTION, &desc), c->add);
	KUNIT_EXPECT_EQ(test, ft.bound, 1 + !c->add);
	if (!c->add)
		KUNIT_EXPECT_PTR_EQ(test, memchr_inv(&ft.last_arg, 0, c->size), NULL);

	ft.matches = 0;
	KUNIT_EXPECT_EQ(test, vm_function(vt, vm, GH_VM_REMOVE_FUNCTION, &desc), c->remove);
	KUNIT_EXPECT_EQ(test, ft.n_log, !c->remove);
	/* A type is never shown an argument of another size, which it would read beyond. */
	if (c->remove)
		KUNIT_EXPECT_EQ(test, ft.matches, 0);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&vm->ghvm->functions));
}

static void argument_is_nowhere(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	const struct file_operations *fops = vm->file->f_op;

	KUNIT_EXPECT_EQ(test, fops->unlocked_ioctl(vm->file, GH_VM_ADD_FUNCTION, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, fops->unlocked_ioctl(vm->file, GH_VM_REMOVE_FUNCTION, 0), -EFAULT);
}

static void type_is_there_while_it_is_registered(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct gh_vm_function same = { .type = FN_KEYED };

	KUNIT_EXPECT_EQ(test, gh_vm_function_register(&same), -EBUSY);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 1), 0);

	gh_vm_function_unregister(&keyed_fn);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, ft.bound, 1);

	KUNIT_EXPECT_EQ(test, gh_vm_function_register(&keyed_fn), 0);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
	KUNIT_EXPECT_EQ(test, ft.bound, 2);
}

/* What fits best goes, of several that fit equally the oldest, whatever came between. */
static void best_match_is_removed(struct kunit *test)
{
	static const struct keyed_arg added[] = {
		{ 7, 1 }, { 1, 1 }, { 1, 2 }, { 2, 1 }, { 1, 1 }, { 7, 1 },
	};
	static const struct { struct keyed_arg arg; int which; } removed[] = {
		{ { 1, 1 }, 1 },	/* exact, before one that came earlier and fits less */
		{ { 1, 1 }, 4 },
		{ { 1, 1 }, 0 },	/* none fits exactly any more */
		{ { 7, 1 }, 5 },
		{ { 1, 3 }, -1 },
		{ { 1, 1 }, 3 },
		{ { 1, 1 }, -1 },
		{ { 9, 2 }, 2 },
		{ { 9, 2 }, -1 },
	};
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	unsigned int n;
	int i;

	for (i = 0; i < ARRAY_SIZE(added); i++)
		KUNIT_ASSERT_EQ(test, add_keyed(vt, vm, added[i].key, added[i].group), 0);

	for (i = 0; i < ARRAY_SIZE(removed); i++) {
		n = ft.n_log;
		KUNIT_EXPECT_EQ_MSG(test, remove_keyed(vt, vm, removed[i].arg.key,
						       removed[i].arg.group),
				    removed[i].which < 0 ? -ENOENT : 0, "step %d", i);
		KUNIT_ASSERT_EQ_MSG(test, ft.n_log, n + (removed[i].which >= 0), "step %d", i);
		if (removed[i].which >= 0)
			KUNIT_EXPECT_EQ_MSG(test, ft.log[n], removed[i].which, "step %d", i);
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&vm->ghvm->functions));
}

static void other_types_and_vms_are_left_alone(struct kunit *test)
{
	struct longest_arg *longest;
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt), *other = vm_new(vt);

	longest = kunit_kzalloc(test, sizeof(*longest), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, longest);
	longest->keyed.key = 1;
	longest->keyed.group = 1;
	KUNIT_EXPECT_EQ(test, vm_add_function(vt, vm, FN_LONGEST, longest, sizeof(*longest)), 0);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, other, 1, 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, ft.n_log, 0);
	KUNIT_EXPECT_EQ(test, vm_remove_function(vt, vm, FN_LONGEST, longest, sizeof(*longest)),
			0);
	KUNIT_EXPECT_EQ(test, ft.n_log, 1);
	KUNIT_EXPECT_EQ(test, ft.log[0], 0);

	KUNIT_EXPECT_EQ(test, add_keyed(vt, other, 1, 1), 0);
	vm_close(vt, other);
	KUNIT_EXPECT_EQ(test, ft.n_log, 2);
	KUNIT_EXPECT_EQ(test, ft.log[1], 2);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 1), 0);
}

/* Each is told after the VM has ended, so that it need not ask whether it will. */
static void functions_are_removed_with_the_file(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	int started;
	int i;

	for (started = 0; started < 2; started++) {
		struct vm *vm = vm_new_complete(vt);

		ft.n_log = 0;
		ft.bound = 0;
		KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
		if (started)
			KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
		KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
		KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
		KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 1), 0);
		KUNIT_EXPECT_EQ(test, ft.n_log, 1);

		vm_close(vt, vm);
		KUNIT_EXPECT_EQ(test, ft.n_log, 3);
		for (i = 0; i < 3; i++)
			KUNIT_EXPECT_EQ(test, ft.log[i], i);
		for (i = 1; i < 3; i++)
			KUNIT_EXPECT_EQ(test, ft.states[i], GH_VM_EXITED);
		vm_settle(vt, vm);
		vm_expect_gone(vt, vm);
	}
}

static long close_killed(struct vm_test *vt, struct vm *vm)
{
	long ret;

	current->flags |= PF_SIGNALED;
	ret = vm_close(vt, vm);
	current->flags &= ~PF_SIGNALED;
	return ret;
}

/* Who closes the file may not be able to wait for the end; the VM outlives its functions. */
static void functions_are_removed_while_the_vm_ends(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt);
	struct vm_thread *closer;

	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_start(vt, vm), 0);
	fake_rm_gate(vt->f, FAKE_RM_STOP, false);
	gh_vm_teardown(vm->ghvm);
	fake_rm_wait_gate(vt->f);
	closer = vm_thread_start(vt, close_killed, vm);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(closer), 0);
	KUNIT_EXPECT_EQ(test, ft.n_log, 1);
	KUNIT_EXPECT_EQ(test, ft.states[0], GH_VM_STOPPING);
	fake_rm_open_gate(vt->f);
	vm_settle(vt, vm);
	vm_expect_gone(vt, vm);
}

/* At any time, as long as there is a device */
static void functions_come_and_go_in_any_state(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new_complete(vt), *failed = vm_new_complete(vt);
	struct vm_thread *starter;

	fake_rm_gate(vt->f, FAKE_RM_INIT, false);
	starter = vm_thread_start(vt, vm_start, vm);
	fake_rm_wait_gate(vt->f);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_STARTING);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 2, 2), 0);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 1), 0);
	fake_rm_open_gate(vt->f);
	KUNIT_EXPECT_EQ(test, vm_thread_wait(starter), 0);

	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_RUNNING);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 3, 3), 0);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 2, 2), 0);

	fake_rm_guest_exits(vt->f, vm->ghvm->vmid, GH_VM_EXIT_TYPE_PSCI_POWER_OFF, NULL, 0);
	fake_rm_flush(vt->f);
	KUNIT_EXPECT_EQ(test, gh_vm_state(vm->ghvm), GH_VM_EXITED);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 4, 4), 0);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 3, 3), 0);

	fake_rm_fault(vt->f, FAKE_RM_INIT, 0, 1, FAKE_RM_FAILED, REFUSAL);
	KUNIT_EXPECT_EQ(test, vm_start(vt, failed), REFUSAL);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, failed, 5, 5), 0);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, failed, 5, 5), 0);

	KUNIT_EXPECT_EQ(test, vm_remove_device(vt, NULL), 0);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 6, 6), -ENODEV);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 4, 4), -ENODEV);
	KUNIT_EXPECT_EQ(test, ft.n_log, 4);
	vm_close(vt, vm);
	KUNIT_EXPECT_EQ(test, ft.n_log, 5);
	KUNIT_EXPECT_EQ(test, ft.bound, 5);
}

/* A lock that somebody else holds until he is told to let go */
struct holder {
	struct mutex *lock;	/* which one */
	struct completion held;
	struct completion let_go;
};

static int hold_lock(void *data)
{
	struct holder *holder = data;

	mutex_lock(holder->lock);
	complete(&holder->held);
	/* Who does wait for the lock is not to do so for ever. */
	wait_for_completion_timeout(&holder->let_go, FAKE_RM_PATIENCE);
	mutex_unlock(holder->lock);
	return 0;
}

static void who_is_killed_does_not_wait_for_another_function(struct kunit *test)
{
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	struct holder holder = { .lock = &vm->ghvm->fn_lock };
	struct task_struct *task;

	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
	init_completion(&holder.held);
	init_completion(&holder.let_go);
	task = kthread_run(hold_lock, &holder, "gunyah-test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wait_for_completion(&holder.held);

	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 2, 2), -EINTR);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 1), -EINTR);
	flush_signals(current);
	complete(&holder.let_go);
	kthread_stop_put(task);

	KUNIT_EXPECT_EQ(test, ft.bound, 1);
	KUNIT_EXPECT_EQ(test, ft.n_log, 0);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 1, 1), 0);
}

#ifdef CONFIG_MODULE_UNLOAD
/* Each instance keeps its module, and nothing else does. */
static void module_is_held_by_each_instance(struct kunit *test)
{
	struct module *owner = kunit_kzalloc(test, sizeof(*owner), GFP_KERNEL);
	struct vm_test *vt = test->priv;
	struct vm *vm = vm_new(vt);
	const struct keyed_arg arg = { };

	KUNIT_ASSERT_NOT_NULL(test, owner);
	owner->state = MODULE_STATE_LIVE;
	/* As that of a module that nobody uses */
	atomic_set(&owner->refcnt, 1);
	keyed_fn.owner = owner;

	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 1, 1), 0);
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 2, 2), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 3);

	ft.bind_ret = REFUSAL;
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 3, 3), REFUSAL);
	ft.bind_ret = 0;
	KUNIT_EXPECT_EQ(test, vm_add_function(vt, vm, FN_KEYED, &arg, sizeof(arg) - 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 3, 3), -ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 3);

	KUNIT_EXPECT_EQ(test, remove_keyed(vt, vm, 2, 2), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 2);

	/* Of one that is about to go there are no further instances. */
	owner->state = MODULE_STATE_GOING;
	KUNIT_EXPECT_EQ(test, add_keyed(vt, vm, 2, 2), -ENOENT);
	owner->state = MODULE_STATE_LIVE;
	vm_close(vt, vm);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 1);
}
#endif

static int vm_mgr_fn_init(struct kunit *test)
{
	int ret = vm_test_init(test);

	if (ret)
		return ret;

	memset(&ft, 0, sizeof(ft));
	keyed_fn.owner = THIS_MODULE;
	KUNIT_ASSERT_EQ(test, gh_vm_function_register(&keyed_fn), 0);
	KUNIT_ASSERT_EQ(test, gh_vm_function_register(&longest_fn), 0);
	ft.registered = true;
	return 0;
}

static void vm_mgr_fn_exit(struct kunit *test)
{
	vm_test_exit(test);
	if (!ft.registered)
		return;

	/* Each was unbound, and that once. */
	KUNIT_EXPECT_EQ(test, ft.n_log, ft.bound);
	gh_vm_function_unregister(&keyed_fn);
	gh_vm_function_unregister(&longest_fn);
	ft.registered = false;
}

static struct kunit_case vm_mgr_fn_cases[] = {
	KUNIT_CASE(function_is_added_and_removed),
	KUNIT_CASE(add_returns_what_bind_returns),
	KUNIT_CASE_PARAM(argument, arg_gen_params),
	KUNIT_CASE(argument_is_nowhere),
	KUNIT_CASE(type_is_there_while_it_is_registered),
	KUNIT_CASE(best_match_is_removed),
	KUNIT_CASE(other_types_and_vms_are_left_alone),
	KUNIT_CASE(functions_are_removed_with_the_file),
	KUNIT_CASE(functions_are_removed_while_the_vm_ends),
	KUNIT_CASE(functions_come_and_go_in_any_state),
	KUNIT_CASE(who_is_killed_does_not_wait_for_another_function),
#ifdef CONFIG_MODULE_UNLOAD
	KUNIT_CASE(module_is_held_by_each_instance),
#endif
	{}
};

static struct kunit_suite vm_mgr_fn_suite = {
	.name = "gunyah_vm_mgr_fn",
	.init = vm_mgr_fn_init,
	.exit = vm_mgr_fn_exit,
	.test_cases = vm_mgr_fn_cases,
};

kunit_test_suite(vm_mgr_fn_suite);

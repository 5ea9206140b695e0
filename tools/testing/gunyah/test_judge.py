#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of what decides whether a test has passed. Prints TAP."""

import sys
import tempfile

import judge
import run
import tap

GOOD = """\
Booting Linux on physical CPU 0x0000000000 [0x411fd070]
hyp: 2 host CPUs
lab: begin insmod /modules/gunyah.ko
lab: end insmod /modules/gunyah.ko status=0
lab: begin run /tests/a_test
tap: TAP version 13
tap: 1..3
tap: # Starting 3 tests from 1 test cases.
tap: #  RUN           global.one ...
tap: #            OK  global.one
tap: ok 1 global.one
tap: ok 2 global.two # SKIP no hugetlb pages
tap:     not ok 1 - of another level
tap: # not ok 7 a comment
tap: ok 3 - global.three
tap: # PASSED: 3 / 3 tests passed.
lab: end run /tests/a_test status=0
lab: begin show /bin/gh-vmm x
Hello
no newlinelab: end show /bin/gh-vmm x status=0
gunyah: a message
lab: begin talk /bin/gh-vmm y
Linux version 6.12
guest# lab: end talk /bin/gh-vmm y status=0
lab: begin quiet expect 1 insmod x
lab: end quiet expect 1 insmod x status=0
lab: done
reboot: Power down
"""

# One line as the kernel prints it for each kind of defect
SPLAT_LINES = """\
WARNING: CPU: 1 PID: 57 at drivers/virt/gunyah/vm_mgr.c:123 gh_vm_put+0x10/0x20
WARNING: possible recursive locking detected
WARNING: possible circular locking dependency detected
WARNING: inconsistent lock state
WARNING: suspicious RCU usage
BUG: KASAN: slab-use-after-free in gh_rm_call+0x1/0x2
BUG: KCSAN: data-race in gh_rm_call / gh_rm_notify
BUG: KFENCE: use-after-free read in gh_vm_free
BUG: sleeping function called from invalid context at kernel/locking/mutex.c:585
BUG: scheduling while atomic: a_test/57/0x00000002
BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!
BUG: Bad page state in process a_test  pfn:4d0a1
BUG: Bad rss-counter state mm:(____ptrval____) type:MM_ANONPAGES val:1
watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [a_test:57]
kernel BUG at mm/gup.c:100!
Internal error: Oops - BUG: 00000000f2000800 [#1] SMP
Internal error: synchronous external abort: 0000000096000010 [#1] SMP
Call trace:
Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010
Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100
UBSAN: array-index-out-of-bounds in drivers/virt/gunyah/rsc_mgr.c:10:2
kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
unreferenced object 0xffff000003c1a000 (size 128):
INFO: task a_test:57 blocked for more than 60 seconds.
INFO: trying to register non-static key.
rcu: INFO: rcu_sched detected stalls on CPUs/tasks:
rcu: INFO: rcu_sched self-detected stall on CPU
refcount_t: underflow; use-after-free.
list_del corruption. prev->next should be ffff000003c1a000, but was 0000000000000000
DEBUG_LOCKS_WARN_ON(lock->magic != lock)
ODEBUG: free active (active state 0) object: 00000000 object type: work_struct
a_test: page allocation failure: order:10, mode:0xcc0
a_test invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0
irq 25: nobody cared (try booting with the "irqpoll" option)
gunyah: unknown state 0x99 of VM 128
gunyah: Unknown symbol gh_rm_call (err -2)
hyp: PANIC: VM_START twice
hyp: text that was cut inhyp: PANIC: free of a parcel that is not there
"""


def results(log, **keys):
    lines = []
    verdict = judge.Judge(tap.Writer(lines.append), "t")
    for line in log.splitlines():
        verdict.line(line)
    verdict.finish(**keys)
    reader = tap.Reader()
    for line in lines + ["1..%d" % verdict.writer.number]:
        reader.feed(line)
    reader.end()
    return reader


def counts(reader):
    return tuple(reader.count(outcome) for outcome in (tap.PASSED, tap.FAILED, tap.SKIPPED))


def read(text):
    reader = tap.Reader()
    for line in text.splitlines():
        reader.feed(line)
    reader.end()
    return reader


def converse(script, *outputs):
    """Return what is typed after each output, and what was waited for in vain."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(script)
        file.flush()
        dialogue = run.Dialogue(file.name)
    return [dialogue.feed(output) for output in outputs], dialogue.missing()


def main():
    writer = tap.Writer()

    def equal(got, expected, name):
        writer.check(got == expected, name, ["is %s, should be %s" % (got, expected)])

    # TAP itself: (passed, failed, skipped)
    for name, text, expected in (
            ("plan first", "1..2\nok 1 a\nok 2 - b\n", (2, 0, 0)),
            ("plan last", "ok 1 a\nok 2 b\n1..2\n", (2, 0, 0)),
            ("no numbers", "1..2\nok a\nnot ok b\n", (1, 1, 0)),
            ("a skipped test has not passed", "1..1\nok 1 a # SKIP why\n", (0, 0, 1)),
            ("nor has one skipped in lower case", "1..1\nok 1 # skip why\n", (0, 0, 1)),
            ("everything skipped", "1..0 # SKIP no device\n", (0, 0, 1)),
            ("not ok", "1..1\nnot ok 1 a\n", (0, 1, 0)),
            ("expected failure", "1..1\nok 1 a # XFAIL\n", (0, 0, 1)),
            ("unexpected pass", "1..1\nok 1 a # XPASS\n", (0, 1, 0)),
            ("truncated", "1..3\nok 1 a\nok 2 b\n", (2, 1, 0)),
            ("too many", "1..1\nok 1 a\nok 2 b\n", (2, 1, 0)),
            ("no plan", "ok 1 a\n", (1, 1, 0)),
            ("a hole", "1..2\nok 1 a\nok 3 c\n", (1, 1, 0)),
            ("bail out", "1..1\nok 1 a\nBail out! no memory\n", (1, 1, 0)),
            ("two documents", "TAP version 13\n1..1\nok 1 a\nTAP version 13\n1..1\nok 1 b\n",
             (2, 0, 0)),
            ("two documents, plans last", "ok 1 a\n1..1\nok 1 b\n1..1\n", (2, 0, 0)),
            ("the first of two is truncated", "1..2\nok 1 a\nTAP version 13\n1..1\nok 1 b\n",
             (2, 1, 0)),
            ("a document without results", "TAP version 13\n", (0, 1, 0)),
            ("nothing", "", (0, 0, 0))):
        equal(counts(read(text)), expected, "tap: " + name)

    for name, text in (("before", "1..1\n# a.c:1: why\nnot ok 1 a\n"),
                       ("behind", "1..2\nok 1 a\nnot ok 2 b\n# a.c:1: why\n")):
        equal([comments for outcome, _, comments in read(text).results if outcome == tap.FAILED],
              [["# a.c:1: why"]], "tap: the comment %s it explains a failure" % name)

    # Logs: one result more than the tests, for the log itself
    equal(counts(results(GOOD)), (3, 0, 1), "judge: a good log")
    stamped = "\n".join("[    1.234567] " + line for line in GOOD.splitlines())
    equal(counts(results(stamped.replace("no newline[", "no newline\n["))), (3, 0, 1),
          "judge: with time stamps")
    equal(counts(results(GOOD, wanted=["Hello"])), (2, 1, 1), "judge: wanted text is not there")
    equal(counts(results(GOOD, ended=False)), (2, 1, 1), "judge: machine did not end")
    for name, old, new, expected in (
            ("not ok", "tap: ok 1", "tap: not ok 1", (2, 1, 1)),
            ("a test without result", "tap: ok 3 - global.three\n", "", (2, 1, 1)),
            ("status of the program", "a_test status=0", "a_test status=1", (3, 1, 1)),
            ("program crashed", "a_test status=0", "a_test status=139", (3, 1, 1)),
            ("status of a command", "gunyah.ko status=0", "gunyah.ko status=1", (3, 1, 1)),
            ("status of a shown program", "gh-vmm x status=0", "gh-vmm x status=3", (3, 1, 1)),
            ("status of a program that is talked to", "gh-vmm y status=0", "gh-vmm y status=3",
             (3, 1, 1)),
            ("a splat of a guest", "Linux version", "WARNING: CPU: 0", (2, 1, 1)),
            ("a splat of a guest, behind a prompt", "guest# ", "guest# Call trace:\n",
             (2, 1, 1)),
            ("no end of a program", "lab: end run /tests/a_test status=0\n", "", (2, 2, 1)),
            ("no end of a command", "lab: end insmod /modules/gunyah.ko status=0\n", "",
             (2, 2, 1)),
            ("end of something else", "lab: end run /tests/a_test", "lab: end run /tests/b_test",
             (2, 2, 1)),
            ("not done", "lab: done\n", "", (2, 1, 1)),
            ("timeout", "tap: ok 3", "lab: timeout run /tests/a_test\ntap: ok 3", (2, 1, 1)),
            ("error of init", "lab: done", "lab: error no file\nlab: done", (2, 1, 1)),
            ("a message while quiet is due", "lab: end quiet", "gunyah: hello\nlab: end quiet",
             (2, 1, 1)),
            ("a unit test of a module that fails", "lab: end quiet",
             "    not ok 2 a_unit_test\nlab: end quiet", (2, 1, 1)),
            ("name of a unit test", "lab: end insmod",
             "    ok 1 a_BUG: or_KASAN\n# b: KCSAN\nlab: end insmod", (3, 0, 1)),
            ("output that is no result", "tap: ok 3", "tap: BUG: said a test\ntap: ok 3",
             (3, 0, 1))):
        assert old in GOOD
        equal(counts(results(GOOD.replace(old, new))), expected, "judge: " + name)
    silent = "lab: begin run /x\nlab: end run /x status=%d\nlab: done\n"
    equal(counts(results(silent % 0)), (1, 1, 0), "judge: a program that prints nothing")
    equal(counts(results(silent % 4)), (1, 0, 1), "judge: a program that skips itself")
    equal(counts(results("")), (0, 1, 0), "judge: an empty log")
    equal(counts(results("lab: done\n")), (0, 1, 0), "judge: nothing was carried out")

    script = "# not this\n\nwait a# \ntype one^A^M\nwait b\ntype two\ntype three\nwait c\n"
    for name, outputs, typed, missing in (
            ("in order", (b"a# ", b"b", b"c"), [b"one\x01\r\r", b"two\rthree\r", b""], []),
            ("cut anywhere", (b"xa", b"# b", b"c"), [b"", b"one\x01\r\rtwo\rthree\r", b""], []),
            ("what was seen does not count again", (b"b a# ", b"x"), [b"one\x01\r\r", b""],
             ["b", "c"]),
            ("nothing comes", (b"",), [b""], ["a# ", "b", "c"])):
        equal(converse(script, *outputs), (typed, missing), "dialogue: " + name)

    for splat in SPLAT_LINES.splitlines():
        for stamp in "", "[   12.345678] ", "[   12.345678][   T57] ":
            log = GOOD.replace("tap: ok 3", stamp + splat + "\ntap: ok 3")
            equal(counts(results(log)), (2, 1, 1), "judge: finds %s%s" % (stamp, splat))
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

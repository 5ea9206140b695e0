# SPDX-License-Identifier: GPL-2.0-only
"""Judges the console log of a boot of the lab (see init.c for its markers)"""

import re

import tap

# A line of the kernel that means a defect. Output of programs ("tap: ") is not
# looked at.
SPLATS = re.compile("|".join((
    r"\bWARNING: ", r"\bBUG: ", r"\bBUG at ", r"\bkernel BUG\b", r"\bOops\b", r"\bCall trace:",
    r"\bInternal error:", r"Kernel panic", r"Unable to handle", r"Unhandled fault",
    r"Bad mode in", r"bad: scheduling", r"\bKASAN\b", r"\bUBSAN\b", r"\bKCSAN\b", r"\bKFENCE\b",
    r"kmemleak: \d+ new suspected", r"unreferenced object", r"hung task",
    r"blocked for more than \d+ seconds", r"soft lockup", r"hard LOCKUP",
    r"rcu: INFO:", r"rcu_\w+ (?:self-)?detected", r"stall on CPU", r"starved for \d+ jiffies",
    r"refcount_t", r"sleeping function called", r"scheduling while atomic",
    r"possible recursive locking", r"possible circular locking", r"possible irq lock inversion",
    r"inconsistent lock state", r"lock held when returning", r"locks? held by",
    r"held lock freed", r"bad unlock balance", r"suspicious RCU usage",
    r"HARDIRQ-safe", r"SOFTIRQ-safe", r"Invalid wait context", r"MAX_LOCK\w+ too low",
    r"MAX_STACK_TRACE_ENTRIES too low", r"turning off the locking correctness",
    r"list_(?:add|del) corruption", r"DEBUG_LOCKS_WARN_ON", r"ODEBUG:", r"unknown state",
    r"Bad page state", r"Bad rss-counter", r"slab .* corruption", r"Objects remaining",
    r"double free", r"Freepointer corrupt", r"Redzone overwritten", r"Poison overwritten",
    r"general protection", r"stack-protector", r"page allocation failure", r"Out of memory",
    r"invoked oom-killer", r"nobody cared", r"Unbalanced enable", r"enabling IRQ without",
    r"trying to register non-static key", r"Tainted:", r"loading out-of-tree module",
    r"disagrees about version", r"Unknown symbol", r"sysfs: cannot create duplicate",
)))
PANIC = re.compile(r"hyp: PANIC: .*")
# What KUnit prints: names of tests and what they say
KTAP = re.compile(r"\s*(?:(not )?ok \d|# )")
TIMESTAMP = re.compile(r"^\[\s*\d+\.\d+\](?:\[\s*\w+\])? ")
MARKER = re.compile(r"lab: (begin|end|timeout|stuck|error|done)\b ?(.*)$")
STATUS = re.compile(r"(.*) status=(\d+)$")
KSFT_SKIP = 4


class Judge:
    """Takes the lines of a console log, writes results to a tap.Writer."""

    def __init__(self, writer, name):
        self.writer = writer
        self.name = name
        self.command = None     # that is running
        self.reader = None      # of its output, if that is to be TAP
        self.trouble = []       # what makes the log unclean
        self.commands = 0
        self.all_done = False

    def line(self, line):
        line = TIMESTAMP.sub("", line.rstrip("\r\n"))
        if line.startswith("tap: "):
            if self.reader:
                self.reader.feed(line[5:])
            return
        marker = MARKER.search(line)
        # A program that shows its output may have left the line unfinished
        if marker and (marker.start() == 0 or (self.command or "").startswith(("show ", "talk "))):
            getattr(self, marker.group(1))(marker.group(2))
            line = line[:marker.start()]
        ktap = KTAP.match(line)
        if ktap:
            if ktap.group(1):
                self.note("unit test: " + line.strip())
            return
        if PANIC.search(line) or SPLATS.search(line):
            self.note(line)
        elif line and (self.command or "").startswith("quiet "):
            self.note("not quiet: " + line)

    def note(self, text):
        self.trouble.append("%s: %s" % (self.command or "no command", text))

    def begin(self, command):
        if self.command:
            self.note("did not end")
            self.result()
        self.commands += 1
        self.command = command
        words = command.split()
        if words[:1] == ["quiet"]:
            words = words[1:]
        if words[:1] == ["expect"]:
            words = words[2:]
        self.reader = tap.Reader() if words[:1] == ["run"] else None

    def end(self, text):
        match = STATUS.match(text)
        if not match or match.group(1) != self.command:
            self.note("unexpected end of: " + text)
            return
        self.result(int(match.group(2)))

    def result(self, status=None):
        """The command has ended, or never will."""
        reader, command = self.reader, self.command
        self.reader = self.command = None
        if not reader:
            if status != 0:
                self.writer.result(tap.FAILED, "%s: %s: status %s" % (self.name, command, status))
            return
        reader.end()
        program = command.split("run ", 1)[1]
        for outcome, name, comments in reader.results:
            self.writer.result(outcome, "%s: %s: %s" % (self.name, program, name), comments)
        failed = reader.count(tap.FAILED)
        if not reader.results and status == KSFT_SKIP:
            self.writer.result(tap.SKIPPED, "%s: %s" % (self.name, program))
        elif not reader.results:
            self.writer.result(tap.FAILED, "%s: %s: printed no result" % (self.name, program))
        elif status not in (0, KSFT_SKIP) and not failed:
            self.writer.result(tap.FAILED, "%s: %s: status %s" % (self.name, program, status))

    def timeout(self, _):
        self.note("exceeded its time limit")

    def stuck(self, _):
        self.note("could not be killed")

    def error(self, text):
        self.note(text)

    def done(self, _=None):
        self.all_done = True

    def finish(self, wanted=(), ended=True):
        """End of the log. wanted: texts that must have been seen (text, found)."""
        if self.command:
            self.note("did not end")
            self.result()
        if not self.all_done:
            self.trouble.append("no marker that all was carried out")
        if not ended:
            self.trouble.append("the machine did not power off in time")
        if not self.commands:
            self.trouble.append("no command was carried out")
        for text in wanted:
            self.trouble.append("not on the console: " + text)
        self.writer.check(not self.trouble, self.name + ": complete, and the log is clean",
                          self.trouble)

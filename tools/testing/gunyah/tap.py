# SPDX-License-Identifier: GPL-2.0-only
"""The Test Anything Protocol as the kernel's tests speak it: read and write"""

import functools
import re

VERSION = re.compile(r"TAP version \d+\s*$")
PLAN = re.compile(r"1\.\.(\d+)\s*(?:#\s*(.*))?$")
RESULT = re.compile(r"(not )?ok\b\s*(\d+)?\s*(?:- )?\s*(.*?)\s*(?:#\s*(SKIP|TODO|XFAIL|XPASS)\b(.*))?$",
                    re.IGNORECASE)
BAIL = re.compile(r"Bail out!\s*(.*)$")
# What the kselftest harness says of every test, and what sums up
NOISE = re.compile(r"#\s+(RUN|OK|FAIL|ok)\b|# (Starting|Totals|PASSED|FAILED|SKIP)\b")
MAX_COMMENTS = 12

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Reader:
    """Takes lines, collects results.

    Several documents may follow each other. Only the outermost level counts:
    lines that are indented or start with "#" are comments. Whatever is missing
    becomes a failed result, and nothing that was not run counts as passed.
    """

    def __init__(self):
        self.results = []       # (outcome, name, comments)
        self.comments = []      # since the last result
        self.documents = 0
        self.plan = None
        self.seen = 0
        self.open = False
        self.plan_last = False

    def begin(self):
        self.end()
        self.open = True
        self.documents += 1

    def end(self):
        """End of a document, and of all if nothing follows."""
        if self.open:
            if self.plan is None:
                self.fail("TAP without a plan after %d results" % self.seen)
            elif self.plan != self.seen:
                self.fail("%d tests planned, %d results" % (self.plan, self.seen))
        self.plan, self.seen, self.open, self.plan_last = None, 0, False, False

    def add(self, outcome, name):
        self.results.append((outcome, name, self.comments if outcome == FAILED else []))
        self.comments = []

    def fail(self, name):
        self.add(FAILED, name)

    def comment(self, line):
        """What explains a failure stands before it with some, behind it with others."""
        if NOISE.match(line):
            return
        self.comments = self.comments[1 - MAX_COMMENTS:] + [line]
        if self.results and self.results[-1][0] == FAILED and \
           len(self.results[-1][2]) < MAX_COMMENTS:
            self.results[-1][2].append(line)

    def feed(self, line):
        line = line.rstrip()
        if line.startswith("#"):
            self.comment(line)
            return
        if VERSION.match(line):
            self.begin()
            return
        match = PLAN.match(line)
        if match:
            if self.plan is not None or not self.open:
                self.begin()
            self.plan = int(match.group(1))
            self.plan_last = self.seen > 0
            if not self.plan:
                self.add(SKIPPED, match.group(2) or "nothing to run")
            return
        match = RESULT.match(line)
        if match:
            self.result(*match.groups())
            return
        match = BAIL.match(line)
        if match:
            self.fail("Bail out! " + match.group(1))

    def result(self, negated, number, name, directive, reason):
        if not self.open or (self.plan_last and number == "1"):
            self.begin()
        self.seen += 1
        directive = (directive or "").upper()
        name = name or (reason or "").strip() or "test %d" % self.seen
        if number and int(number) != self.seen:
            self.fail("result %s where %d was due: %s" % (number, self.seen, name))
        elif directive == "SKIP":
            self.add(SKIPPED, name)
        elif negated or directive == "XPASS":
            self.fail(name)
        elif directive in ("XFAIL", "TODO"):
            self.add(SKIPPED, name)
        else:
            self.add(PASSED, name)

    def count(self, outcome):
        return sum(result[0] == outcome for result in self.results)


class Writer:
    """Prints a document, the plan last."""

    def __init__(self, out=functools.partial(print, flush=True)):
        self.out = out
        self.number = 0
        self.failed = 0
        out("TAP version 13")

    def result(self, outcome, name, comments=()):
        self.number += 1
        self.failed += outcome == FAILED
        self.out("%sok %d - %s%s" % ("not " if outcome == FAILED else "", self.number,
                                     name.replace("#", ""),
                                     " # SKIP" if outcome == SKIPPED else ""))
        for comment in comments:
            self.out("# " + comment.lstrip("# "))

    def check(self, passed, name, comments=()):
        self.result(PASSED if passed else FAILED, name, () if passed else comments)

    def end(self):
        self.out("1..%d" % self.number)
        return 1 if self.failed or not self.number else 0

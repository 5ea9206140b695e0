#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Report what of the drivers the tests have run: coverage.py OUT COUNTERS REPORT DOC

OUT is the folder in which the kernel was built, COUNTERS has a folder with gcov's
counters for each boot, REPORT is where index.html and coverage.txt go. gcovr does the
counting. On stdout come the results as TAP: enough lines, enough branches, and each
line that did not run is listed with its reason in DOC, under the heading "Lines that
do not run": a literal block has a reason for each line, as

  FILE: FUNCTION: SOURCE LINE
"""

import collections
import json
import os
import re
import shutil
import subprocess
import sys

import tap

LINES, BRANCHES = 95, 85
HEADING = "Lines that do not run"
FILES = re.compile(r"(?:.*/)?(drivers/(?:virt/gunyah/\w+|mailbox/gunyah-msgq)\.[ch])$")
FUNCTION = re.compile(r"^\w[^;]*?\b(\w+)\(")
LISTED = re.compile(r"^  ([\w.-]+): (\w+): (.*)$")


def gcovr(*args):
    subprocess.run(["gcovr", "--gcov-executable", "aarch64-linux-gnu-gcov", *args], check=True,
                   stdout=subprocess.DEVNULL)


def collect(out, counters, report):
    """Return gcovr's report of one boot."""
    objects = {}
    for folder in "drivers/virt/gunyah", "drivers/mailbox":
        for name in os.listdir(os.path.join(out, folder)):
            if name.endswith(".gcda"):
                os.unlink(os.path.join(out, folder, name))
            elif name.endswith(".gcno"):
                objects[name[:-5]] = os.path.join(out, folder)
    for name in os.listdir(counters):
        shutil.copy(os.path.join(counters, name), objects[name[:-5]])
    # What gcc marks as thrown cannot be here
    tree = os.path.realpath(os.path.join(out, "source"))
    gcovr("--root", tree, "--object-directory", out, "--exclude-throw-branches",
          "--filter", r".*/drivers/virt/gunyah/\w+\.[ch]", "--filter",
          r".*/drivers/mailbox/gunyah-msgq\.c", "--json", report,
          os.path.join(out, "drivers/virt/gunyah"), os.path.join(out, "drivers/mailbox"))


def function_of(source, number):
    """Return the name of the function that has the line with this number."""
    name = "?"
    for line in source[:number]:
        match = FUNCTION.match(line)
        if match:
            name = match.group(1)
    return name


def listed(doc):
    """Return the lines of source that the documentation has a reason for."""
    with open(doc, encoding="utf-8") as file:
        _, found, text = file.read().partition("\n" + HEADING + "\n")
    if not found:
        sys.exit("coverage: no heading '%s' in %s" % (HEADING, doc))
    text = re.split(r"\n[^\n]+\n===+\n", text.split("\n", 2)[2])[0]
    return collections.Counter(match.groups() for match in
                               filter(None, map(LISTED.match, text.splitlines())))


def main():
    out, counters, report, doc = sys.argv[1:]
    shutil.rmtree(report, ignore_errors=True)
    os.makedirs(report)
    tree = os.path.realpath(os.path.join(out, "source"))
    boots = []
    for name in sorted(os.listdir(counters)):
        boots.append(os.path.join(report, name + ".json"))
        collect(out, os.path.join(counters, name), boots[-1])
    added = [word for boot in boots for word in ("--add-tracefile", boot)]
    total = os.path.join(report, "total.json")
    gcovr("--root", tree, *added, "--json", total, "--json-summary",
          os.path.join(report, "summary.json"), "--txt", os.path.join(report, "coverage.txt"),
          "--html-details", os.path.join(report, "index.html"))

    with open(os.path.join(report, "summary.json"), encoding="utf-8") as file:
        summary = json.load(file)
    with open(total, encoding="utf-8") as file:
        files = json.load(file)["files"]
    missed = collections.Counter()
    for entry in files:
        name = FILES.match(entry["file"]).group(1)
        with open(os.path.join(tree, name), encoding="utf-8") as file:
            source = file.read().splitlines()
        for line in entry["lines"]:
            if not line["count"] and not line.get("gcovr/noncode"):
                number = line["line_number"]
                missed[os.path.basename(name), function_of(source, number),
                       source[number - 1].strip()] += 1

    writer = tap.Writer()
    known = listed(doc)
    writer.check(summary["line_percent"] >= LINES, "%d of %d lines: %.1f %%" % (
        summary["line_covered"], summary["line_total"], summary["line_percent"]),
                 ["at least %d %% have to run" % LINES])
    writer.check(summary["branch_percent"] >= BRANCHES, "%d of %d branches: %.1f %%" % (
        summary["branch_covered"], summary["branch_total"], summary["branch_percent"]),
                 ["at least %d %% have to be taken" % BRANCHES])
    writer.check(not missed - known, "each line that does not run is in testing.rst",
                 [": ".join(line) for line in missed - known])
    # Some need luck: that one does run in a run is no mistake of the list
    for line in known - missed:
        print("# runs: " + ": ".join(line))
    sys.exit(writer.end())


if __name__ == "__main__":
    main()

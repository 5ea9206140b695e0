#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Is what testing.rst says answers a question there? Prints TAP.

Looks up each function, unit test, kselftest and deliberate fault that the section "What
a reviewer asks" names. Whether it answers the question is for people to see.
"""

import glob
import os
import re
import sys

import mutate
import tap

ROOT = mutate.ROOT
HEADING = "\nWhat a reviewer asks\n"
FIELD = re.compile(r"^ +:(Code|Test):(.*?)(?=^ +:(?:Code|Test):|^\S|\Z)", re.M | re.S)
# In quotes there are also rows of tables and headings; faults stand alone
FAULT = re.compile(r'(?:^|[;,]) *"([^"]+)"(?=[;,.]|$)')


def sources(*patterns):
    found = {}
    for pattern in patterns:
        for path in glob.glob(os.path.join(ROOT, pattern)):
            with open(path, encoding="utf-8") as file:
                found[os.path.basename(path)] = file.read()
    return found


def missing_tests(field, suites, programs):
    """Yield the names of tests in a field that are not there."""
    for part in re.sub(r'"[^"]*"', "", field).split(";"):
        name, colon, tests = part.rpartition(": ")
        name = name.strip()
        if not colon or name == "none" or not re.fullmatch(r"\w+", name):
            continue
        if name in suites:
            pattern, text = r"KUNIT_CASE\w*\(%s\b", suites[name]
        elif name + ".c" in programs:
            pattern, text = r"TEST\w*\((?:\w+, )?%s\b", programs[name + ".c"]
        else:
            yield name
            continue
        for test in re.findall(r"^\w+|(?<=, )\w+", tests.strip()):
            if not re.search(pattern % test, text):
                yield "%s: %s" % (name, test)


def main():
    with open(os.path.join(ROOT, "Documentation/virt/gunyah/testing.rst"),
              encoding="utf-8") as file:
        _, _, text = file.read().partition(HEADING)
    drivers = sources("drivers/virt/gunyah/*.[ch]", "drivers/mailbox/gunyah-msgq.c")
    programs = sources("tools/testing/selftests/gunyah/*.c")
    suites = {}
    for unit in sources("drivers/virt/gunyah/tests/*.c", "drivers/mailbox/*.c").values():
        for name in re.findall(r'\.name = "(gunyah_\w+)"', unit):
            suites[name] = unit
    faults = {fault.name for fault in mutate.load()}

    wrong, checked = [], 0
    for kind, field in FIELD.findall(text):
        checked += 1
        field = " ".join(field.split())
        if kind == "Code":
            wrong += ["no function " + name for name in re.findall(r"\b(gh_\w+)\(\)", field)
                      if not any(re.search(r"\b%s\(" % name, code) for code in drivers.values())]
            continue
        field = re.sub(r"\([^()]*\)", "", field)
        wrong += ["no test " + name for name in missing_tests(field, suites, programs)]
        wrong += ["no fault " + name for name in FAULT.findall(field) if name not in faults]

    writer = tap.Writer()
    writer.check(checked > 100 and not wrong, "testing.rst names what there is, in %d answers" %
                 checked, wrong or ["only %d answers" % checked])
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

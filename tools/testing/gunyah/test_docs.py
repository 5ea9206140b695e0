#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Is there what the pages of the documentation name? test_docs.py TREE. Prints TAP.

Looks up each file, function, constant, option, target, suite and test, and each unit test,
kselftest and deliberate fault that the section "What a reviewer asks" of testing.rst names.
Whether it answers the question is for people to see. What is not ours is looked for in
TREE, a kernel tree.
"""

import glob
import os
import re
import sys

import mutate
import overlay
import tap

ROOT = mutate.ROOT
HEADING = "\nWhat a reviewer asks\n"
FIELD = re.compile(r"^ +:(Code|Test):(.*?)(?=^ +:(?:Code|Test):|^\S|\Z)", re.M | re.S)
WORD = re.compile(r"\w+")
PATH = re.compile(r"(?<![\w./-])(?:Documentation|arch|drivers|fs|include|kernel|mm|scripts|tools)/"
                  r"[\w./*-]*[\w*]")
FILE = re.compile(r"(?<![\w./*<-])[\w-]+\.(?:[chS]|config|py|rst|sh|talk|txt|yaml)\b")
NAME = re.compile(r"\b(?:gh|GH|CONFIG_GUNYAH)(?:_\w+)?\b(\*?)")
TARGET = re.compile(r"(?:^|``)make ([a-z][\w-]*[a-z0-9])(?=``|  | [A-Z]|$)", re.M)
SUITE = re.compile(r"\bsuites? \*(\w+)\*")
PROGRAM = re.compile(r"(?<![\w.])(?:\w+_test|ioctl_fuzz)(?![\w.])")
TESTS = re.compile(r"\b(\w+_test|gunyah_\w+): (\w+(?:, \w+)*)(?=[;.,(]| [(*]|$)")
# Of the kernel's selftests, of other kernels and of other versions of the drivers
ELSEWHERE = {"kselftest_harness.h", "arch/arm64/gunyah", "GH_VM_SET_BOOT_CONTEXT",
             "GH_VM_CHECK_EXTENSION", "GH_VM_ANDROID_SET_FW_CONFIG"}
# In quotes there are also rows of tables and headings; faults stand alone
FAULT = re.compile(r'(?:^|[;,]) *"([^"]+)"(?=[;,.]|$)')


def read(*patterns):
    """Yield path and text of each file."""
    for pattern in patterns:
        for path in filter(os.path.isfile, glob.glob(os.path.join(ROOT, pattern))):
            with open(path, encoding="utf-8") as file:
                yield path, file.read()


def sources(*patterns):
    return {os.path.basename(path): text for path, text in read(*patterns)}


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


def missing_names(page, text, tree, files, words):
    """Yield the files and identifiers on a page that are not there."""
    for name in sorted(set(PATH.findall(text)) - ELSEWHERE):
        # Names in capitals stand for something, and modules are made
        if not (re.search(r"/[A-Z]+$", name) or name.endswith(".ko") or
                any(glob.glob(os.path.join(root, name)) for root in (ROOT, tree))):
            yield "%s: no file %s" % (page, name)
    for name in sorted(set(FILE.findall(text)) - files - ELSEWHERE):
        yield "%s: no file %s" % (page, name)
    for match in NAME.finditer(text):
        name = match.group(0).rstrip("*")
        if name not in words and name not in ELSEWHERE and \
           not (match.group(1) and any(word.startswith(name) for word in words)):
            yield "%s: no %s" % (page, name)


def missing_runs(page, text, makefile, suites, programs):
    """Yield the targets, suites and tests on a page that are not there."""
    for name in sorted(set(TARGET.findall(text))):
        if not re.search(r"^(?:\S+ )*%s(?: \S+)*:" % name, makefile, re.M):
            yield "%s: no target %s" % (page, name)
    targets = re.search(r"^suites\s*:=((?:.*\\\n)*.*)", makefile, re.M).group(1)
    known = {word.partition(":")[0] for word in targets.split()}
    known |= set(re.findall(r"^suite-(\w+):", makefile, re.M))
    for name in sorted(set(SUITE.findall(text)) - known):
        yield "%s: no suite %s" % (page, name)
    for name in sorted(set(PROGRAM.findall(text))):
        if name + ".c" not in programs:
            yield "%s: no test %s" % (page, name)
    text = " ".join(text.split())
    for name, tests in TESTS.findall(text):
        if name in suites or name + ".c" in programs:
            for test in missing_tests("%s: %s" % (name, tests), suites, programs):
                yield "%s: no test %s" % (page, test)


def main():
    tree = sys.argv[1]
    drivers = sources("drivers/virt/gunyah/*.[ch]", "drivers/mailbox/gunyah-msgq.c")
    programs = sources("tools/testing/selftests/gunyah/*.c")
    tests = sources("drivers/virt/gunyah/tests/*.c", "drivers/mailbox/*.c")
    suites = {}
    for unit in tests.values():
        for name in re.findall(r'\.name = "(gunyah_\w+)"', unit):
            suites[name] = unit
    faults = {fault.name for fault in mutate.load()}
    pages = sources("Documentation/virt/gunyah/*.rst")
    makefile = sources("Makefile")["Makefile"]

    words = set()
    for _, text in read("drivers/virt/gunyah/*", "drivers/virt/gunyah/tests/*",
                        "drivers/mailbox/*", "include/*/*.h", "include/*/*/*.h",
                        "tools/testing/gunyah/*.h", "tools/testing/selftests/gunyah/*.[ch]"):
        words |= set(WORD.findall(text))
    words |= {"CONFIG_" + word for word in words if word.startswith("GUNYAH")}
    files = {name for part in overlay.PARTS for _, _, names in os.walk(os.path.join(ROOT, part))
             for name in names}

    writer = tap.Writer()
    wrong = []
    for page, text in sorted(pages.items()):
        wrong += missing_names(page, text, tree, files, words)
        wrong += missing_runs(page, text, makefile, suites, programs)
    writer.check(len(pages) > 5 and not wrong, "pages name what there is", wrong)

    _, _, text = pages["testing.rst"].partition(HEADING)
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

    writer.check(checked > 100 and not wrong, "testing.rst names what there is, in %d answers" %
                 checked, wrong or ["only %d answers" % checked])
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

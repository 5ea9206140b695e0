#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Is there what the pages of the documentation name? test_docs.py TREE. Prints TAP.

Looks up each file, function, constant, option, target, suite and test, and each unit test,
kselftest and deliberate fault that the section "What a reviewer asks" of testing.rst names.
Whether it answers the question is for people to see. What is not ours is looked for in
TREE, a kernel tree. Files and counters of debugfs, and trace events, have to be the same in
the drivers, in what describes them, and in their tests.
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


def contents(path):
    return next(read(path))[1]


def different(what, **lists):
    """Return the lists, if they are not all the same, or if there is nothing in them."""
    first = next(iter(lists.values()))
    if first and all(found == first for found in lists.values()):
        return []
    return ["%s of %s: %s" % (what, where, " ".join(found)) for where, found in lists.items()]


def compare_debugfs():
    driver = contents("drivers/virt/gunyah/debugfs.c")
    abi = contents("Documentation/ABI/testing/debugfs-gunyah")
    test = contents("tools/testing/selftests/gunyah/debugfs_test.c")
    files = re.findall(r'debugfs_create_\w+\("(\w+)", (0\d+)', driver)
    tested = re.findall(r'\{ "(\w+)", (0\d+) \}', test)
    stats = re.search(r"/stats\n.*?(?=^What|\Z)", abi, re.M | re.S)
    counters = re.search(r"counters\[\] = \{(.*?)\}", test, re.S)
    return (different("files", driver=sorted(name for name, _ in files),
                      abi=re.findall(r"^What:\s+/sys/kernel/debug/gunyah/(\w+)$", abi, re.M)) +
            different("modes", driver=sorted(map(" ".join, files)),
                      test=sorted(map(" ".join, tested))) +
            different("counters", driver=re.findall(r'\[GH_RM_STAT_\w+\]\s*= "(\w+)"', driver),
                      abi=re.findall(r"^\t\t(\w+)\t+\S", stats.group(0), re.M),
                      test=re.findall(r'"(\w+)"', counters.group(1))))


def compare_events():
    header = contents("include/trace/events/gunyah.h")
    rst = contents("Documentation/virt/gunyah/tracing.rst")
    test = contents("tools/testing/selftests/gunyah/trace_test.c")
    names = re.search(r"GUNYAH_TEST\(formats\).*?\{.*?= \{(.*?)\}", test, re.S)
    return different("events",
                     header=re.findall(r"^(?:TRACE_EVENT|DEFINE_EVENT)\((?:\w+, )?(\w+),$",
                                       header, re.M),
                     rst=re.findall(r"^``(gh_\w+)``", rst, re.M),
                     test=re.findall(r'"(\w+)"', names.group(1)))


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
    wrong = compare_debugfs()
    writer.check(not wrong, "debugfs is as it is described and tested", wrong)
    wrong = compare_events()
    writer.check(not wrong, "trace events are as they are described and tested", wrong)
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

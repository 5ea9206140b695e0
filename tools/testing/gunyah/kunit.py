#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the kernel's KUnit tool and print what it found: kunit.py OUT COMMAND...

COMMAND is the kernel's kunit.py with its arguments, OUT the folder in which it has
built the kernel. On stdout come the results as TAP, one for each parameter of each
test, and one for the log: a test that makes the kernel complain has not passed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import judge
import tap

# Before this the kernel boots, which is not what is tested
START = re.compile(r"\bKTAP version \d")
OUTCOMES = {"PASS": tap.PASSED, "SKIP": tap.SKIPPED}
COMMENTS = 12


def results(group, path=()):
    """Yield the outcome and name of each test of a group."""
    for case in group["test_cases"]:
        yield OUTCOMES.get(case["status"], tap.FAILED), ": ".join((*path, case["name"]))
    for sub in group["sub_groups"]:
        yield from results(sub, (*path, sub["name"]))


def complaints(log):
    """Return the lines of the log that mean a defect."""
    found, started = [], False
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            line = judge.TIMESTAMP.sub("", line)
            started = started or START.search(line)
            if started and not judge.KTAP.match(line) and judge.SPLATS.search(line):
                found.append(line.strip())
    return found if started else ["the tests did not start"]


def reasons(output):
    """Return, for the name of each failed test, the lines that precede its result."""
    found, lines = {}, []
    for line in output.splitlines():
        line = re.sub(r"^\[\d\d:\d\d:\d\d\] ", "", line)
        match = re.match(r"(?:=+ )?\[(PASSED|SKIPPED|FAILED|CRASHED|ERROR)\] (.*?)(?: =+)?$", line)
        if not match:
            lines.append(line)
            continue
        if match.group(1) not in ("PASSED", "SKIPPED"):
            found.setdefault(match.group(2), lines[-COMMENTS:])
        lines = []
    return found


def main():
    out, command = sys.argv[1], sys.argv[2:]
    log = os.path.join(out, "test.log")
    if os.path.exists(log):
        os.unlink(log)
    with tempfile.NamedTemporaryFile() as report:
        run = subprocess.run(command + ["--json=" + report.name], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        text = report.read()
    output = run.stdout.decode(errors="replace")
    writer = tap.Writer()
    if not text or not os.path.exists(log):
        writer.result(tap.FAILED, "the kernel boots", output.splitlines()[-COMMENTS:])
        sys.exit(writer.end())
    why = reasons(output)
    for outcome, name in results(json.loads(text)):
        writer.result(outcome, name,
                      why.get(name.split(": ")[-1], ()) if outcome == tap.FAILED else ())
    found = complaints(log)
    writer.check(not found, "the kernel does not complain", found[:COMMENTS])
    # It fails also if there is no test or if something was not understood
    writer.check(not run.returncode or writer.failed, "all tests were run",
                 output.splitlines()[-COMMENTS:])
    sys.exit(writer.end())


if __name__ == "__main__":
    main()

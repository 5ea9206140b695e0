#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run test suites one after the other and sum them up: check.py [SUITE[:NEEDS]]...

A suite is a target "suite-SUITE" of the makefile that prints TAP; SAN/SUITE is one
with the kernel SAN, 6.1/SUITE one with that version. One whose NEEDS, another suite,
failed is not run and counts as failed. All suites are run, whatever comes out; the last
line is "N passed, N failed, N skipped".
"""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time

import overlay
import tap

SECONDS = 1800


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_suite(name):
    """Return the results of a suite."""
    reader = tap.Reader()
    timed_out = threading.Event()
    kernel, _, target = name.rpartition("/")
    variable = "KERNEL" if re.fullmatch(r"\d+\.\d+", kernel) else "SAN"
    variables = ["%s=%s" % (variable, kernel)] if kernel else []
    child = subprocess.Popen([os.environ.get("MAKE", "make"), "-s", "--no-print-directory",
                              "suite-" + target] + variables,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             start_new_session=True)

    def stop():
        timed_out.set()
        os.killpg(child.pid, signal.SIGKILL)

    timer = threading.Timer(SECONDS, stop)
    timer.start()
    os.makedirs("build/log", exist_ok=True)
    try:
        with open("build/log/suite-%s.tap" % name.replace("/", "-"), "wb") as log:
            for line in child.stdout:
                log.write(line)
                reader.feed(line.decode(errors="replace"))
                if os.environ.get("V") == "1":
                    print(line.decode(errors="replace"), end="", flush=True)
        status = child.wait()
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    finally:
        timer.cancel()
    reader.end()
    if timed_out.is_set():
        reader.fail("took more than %d s" % SECONDS)
    elif not reader.results:
        reader.fail("no result was printed, status %d" % status)
    elif status and not reader.count(tap.FAILED):
        reader.fail("no test failed, but the status is %d" % status)
    return reader


def record(name, digest, counts):
    """Keep the result for the cover letter of the series."""
    os.makedirs("build/results", exist_ok=True)
    with open("build/results/%s.json" % name.replace("/", "-"), "w", encoding="utf-8") as file:
        json.dump({"suite": name, "overlay": digest, "passed": counts[0], "failed": counts[1],
                   "skipped": counts[2]}, file)


def main():
    digest = overlay.overlay_digest(".")
    total = {tap.PASSED: 0, tap.FAILED: 0, tap.SKIPPED: 0}
    failed = set()
    for suite in sys.argv[1:]:
        name, _, needs = suite.partition(":")
        wall, cpu = time.monotonic(), cpu_seconds()
        if needs in failed:
            reader = tap.Reader()
            reader.fail("not run: needs %s, which failed" % needs)
        else:
            reader = run_suite(name)
        counts = [reader.count(outcome) for outcome in total]
        for outcome, count in zip(total, counts):
            total[outcome] += count
        record(name, digest, counts)
        if reader.count(tap.FAILED):
            failed.add(name)
        for outcome, test, comments in reader.results:
            if outcome == tap.FAILED:
                print("\n  ".join(["FAILED %s: %s" % (name, test), *comments]), flush=True)
        print("%-24s %7.1f s wall %7.1f s CPU  %5d passed %5d failed %5d skipped" %
              (name, time.monotonic() - wall, cpu_seconds() - cpu, *counts), flush=True)
    if not any(total.values()):
        total[tap.FAILED] = 1
    if failed:
        print("failed: %s; see build/log" % ", ".join(sorted(failed)))
    print("%d passed, %d failed, %d skipped" % tuple(total.values()), flush=True)
    sys.exit(1 if total[tap.FAILED] else 0)


if __name__ == "__main__":
    main()

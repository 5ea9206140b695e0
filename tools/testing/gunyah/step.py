#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run one step of the lab: step.py NAME COMMAND...

The output goes to build/log/NAME.log; if the command fails its errors and its
end are shown, with V=1 all of it. Says on stderr how long the step took.
"""

import fcntl
import os
import re
import resource
import subprocess
import sys
import time

ERROR = re.compile(rb"\berror\b|No rule to make|undefined reference|Error \d+$", re.IGNORECASE)


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main():
    name, command = sys.argv[1], sys.argv[2:]
    os.makedirs("build/log", exist_ok=True)
    log = "build/log/%s.log" % name
    # Two at a time in one folder would spoil what they build
    lock = open("build/.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    start = time.monotonic()
    with open(log, "wb") as file:
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except OSError as error:
            sys.exit("%s: %s" % (name, error))
        for line in child.stdout:
            file.write(line)
            if os.environ.get("V") == "1":
                sys.stderr.buffer.write(line)
                sys.stderr.buffer.flush()
    status = child.wait()
    if status and os.environ.get("V") != "1":
        with open(log, "rb") as file:
            lines = file.readlines()
        # Of a parallel build the end alone tells nothing
        errors = [line for line in lines[:-20] if ERROR.search(line)]
        for line in errors[:20] + lines[-20:]:
            sys.stderr.buffer.write(line if len(line) < 300 else line[:300] + b" ...\n")
        sys.stderr.buffer.flush()
    print("%-24s %7.1f s wall %7.1f s CPU%s" %
          (name, time.monotonic() - start, cpu_seconds(),
           "   FAILED, see " + log if status else ""), file=sys.stderr)
    sys.exit(1 if status else 0)


if __name__ == "__main__":
    main()

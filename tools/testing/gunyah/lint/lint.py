#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Static checks of the overlay: lint.py TREE OUT [VAR=VALUE]... Prints TAP.

TREE is a kernel tree that has the overlay in it; nothing is written there. OUT keeps
the kernels that are configured, not built, and what was found in files that have not
changed since. The variables are for the kernel's make, as for a build with gcc.

Each kind of check is one result. What it finds are the comments; that a tool is missing
or fails is a failure as well. exceptions.txt has what is found and stays, each with its
reason, and one that has nothing to except is a finding, too.
"""

import hashlib
import json
import os
import resource
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]

import checks
import exceptions
import tap

ROOT = os.path.abspath(os.path.join(HERE, "../../../.."))


def cpu_seconds():
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def digest(paths):
    """A checksum over files, and over what looks at them."""
    total = hashlib.sha256()
    for path in [os.path.join(HERE, "checks.py")] + sorted(paths):
        total.update(path.encode() + b"\0")
        if os.path.exists(path):
            with open(path, "rb") as file:
                total.update(hashlib.sha256(file.read()).digest())
    return total.hexdigest()


class Cache:
    """What was found, until one of the inputs changes"""

    def __init__(self, folder):
        self.folder = folder
        self.used = set()
        os.makedirs(folder, exist_ok=True)

    def find(self, name, inputs, function):
        path = os.path.join(self.folder, "%s-%s.json" % (name, digest(inputs)))
        self.used.add(path)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                return [checks.Finding(*found) for found in json.load(file)]
        found = function()
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(found, file)
        os.replace(path + ".new", path)
        return found

    def forget_others(self):
        for name in os.listdir(self.folder):
            if os.path.join(self.folder, name) not in self.used:
                os.unlink(os.path.join(self.folder, name))


def main():
    tree, out = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    project = checks.Project(ROOT, tree, out, sys.argv[3:])
    table = exceptions.Table(os.path.join(HERE, "exceptions.txt"))
    cache = Cache(os.path.join(out, "found"))
    writer = tap.Writer()
    for check in checks.CHECKS:
        wall, cpu = time.monotonic(), cpu_seconds()
        try:
            found = table.filter(check(project, cache.find))
            skipped = [finding for finding in found if finding.kind == checks.SKIPPED]
            found = [finding for finding in found if finding.kind != checks.SKIPPED]
            writer.check(not found, check.__doc__, [str(finding) for finding in found])
            for finding in skipped:
                writer.result(tap.SKIPPED, "%s: %s" % (finding.path, finding.text))
        except checks.ToolError as error:
            writer.check(False, check.__doc__, str(error).splitlines())
        print("%-24s %7.1f s wall %7.1f s CPU" % (check.__name__, time.monotonic() - wall,
                                                  cpu_seconds() - cpu), file=sys.stderr)
    unused = table.unused()
    writer.check(not unused, "each exception is needed", unused)
    cache.forget_others()
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

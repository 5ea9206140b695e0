#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Find out whether the unit tests notice faults in the drivers.

  mutate.py --check             does each fault of mutations.txt still fit the sources?
  mutate.py TREE OUT [OPTION]   carry them out one by one, and test

The second works on a copy of the kernel tree TREE, which has the overlay in it, in
the folder OUT. It builds user-mode Linux there and runs the unit tests once without
a fault, which has to pass, and once with each. A fault is caught if a test fails, if
the kernel complains, or if the tests do not come to their end in time. That one
survives is an error, unless mutations.txt says why it has to.

mutations.txt has for each fault

  = NAME
  file: PATH
  why: what goes wrong with it
  survives: why no unit test can notice it        (few have this line)

and the change as in a unified diff, without line numbers. The old lines must be in
the file exactly once.
"""

import argparse
import fcntl
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import judge
import kunit
import tap

LAB = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(LAB)))
TABLE = os.path.join(LAB, "mutations.txt")
FIELD = re.compile(r"(file|why|survives):\s+(.*)")
NOT_OK = re.compile(r"\s*not ok \d+ (?:- )?(.*)")
# For the first run; each other one has some times what that took, and more, so that
# whoever else uses the machine catches no fault
SECONDS = 300
SECONDS_MORE = 60
TIMES = 3


class MutateError(Exception):
    """Nothing can be said about the faults."""


class Fault:
    """A change of a file"""

    def __init__(self, name):
        self.name = name
        self.file = self.why = self.survives = None
        self.lines = []

    def __str__(self):
        return "%s: %s" % (os.path.basename(self.file or "?"), self.name)

    def text(self, omit):
        """Return the lines of the diff but for those that begin with omit."""
        while self.lines and not self.lines[-1]:
            self.lines.pop()
        return "".join(line[1:] + "\n" for line in self.lines if line[:1] != omit)

    def apply(self, source):
        """Return the source with the fault in it."""
        if not self.file or not self.why:
            raise MutateError("%s: has no file, or does not say why" % self)
        old, new = self.text("+"), self.text("-")
        if old == new or not old:
            raise MutateError("%s: changes nothing" % self)
        # Whole lines only
        count = ("\n" + source).count("\n" + old)
        if count != 1:
            raise MutateError("%s: the old lines are there %d times" % (self, count))
        return ("\n" + source).replace("\n" + old, "\n" + new)[1:]


def load():
    """Return the faults in mutations.txt."""
    faults = []
    with open(TABLE, encoding="utf-8") as file:
        for line in file.read().splitlines():
            match = FIELD.match(line)
            if line.startswith("= "):
                faults.append(Fault(line[2:]))
            elif line.startswith("#"):
                continue
            elif match and faults:
                setattr(faults[-1], *match.groups())
            elif line[:1] in ("", " ", "+", "-"):
                if faults:
                    faults[-1].lines.append(line)
            else:
                raise MutateError("mutations.txt: not understood: " + line)
    if len({fault.name for fault in faults}) != len(faults):
        raise MutateError("mutations.txt: two faults have the same name")
    return faults


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check():
    """Print as TAP whether all faults fit the sources."""
    writer, faults, wrong = tap.Writer(), [], []
    try:
        faults = load()
    except MutateError as error:
        wrong.append(str(error))
    for fault in faults:
        try:
            fault.apply(read(os.path.join(ROOT, fault.file)) if fault.file else "")
        except (MutateError, OSError) as error:
            wrong.append(str(error))
    writer.check(faults and not wrong, "each of %d faults fits the sources" % len(faults), wrong)
    return writer.end()


def link_or_copy(src, dst):
    try:
        os.link(src, dst)
    except OSError:
        shutil.copy2(src, dst)


class Lab:
    """The copy of the tree and what is built of it"""

    def __init__(self, args, files):
        self.args = args
        # The same distance as from the tree to what is built for "make kunit", so
        # that ccache finds it
        self.tree = os.path.join(args.out, os.path.basename(args.tree))
        self.build_dir = os.path.join(args.out, "kunit")
        self.log = os.path.join(args.out, "log")
        self.seconds = SECONDS
        os.makedirs(args.out, exist_ok=True)
        # Two at a time in one folder would spoil what they build
        self.lock = open(os.path.join(args.out, ".lock"), "w", encoding="utf-8")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        for folder in (self.tree, self.log):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(args.tree, self.tree, symlinks=True, copy_function=link_or_copy)
        os.makedirs(self.log)
        self.sources = {file: read(os.path.join(self.tree, file)) for file in files}
        # A run that was interrupted may have left objects that have a fault in them
        for file in files:
            self.write(file, self.sources[file])

    def write(self, file, source):
        """Never into what may be a link to the original."""
        path = os.path.join(self.tree, file)
        with open(path + ".new", "w", encoding="utf-8") as new:
            new.write(source)
        os.replace(path + ".new", path)

    def command(self, name, *command, **env):
        """Return whether a command succeeds; what it prints goes to the log."""
        with open(os.path.join(self.log, name + ".log"), "wb") as log:
            return not subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log,
                                      stderr=subprocess.STDOUT, check=False,
                                      env=dict(os.environ, **env)).returncode

    def configure(self):
        return self.command("config", os.path.join(self.tree, "tools/testing/kunit/kunit.py"),
                            "config", "--build_dir", self.build_dir, "--kunitconfig",
                            os.path.join(ROOT, "drivers/virt/gunyah/.kunitconfig"),
                            "--make_options", "CC=" + self.args.cc)

    def build(self, name, **env):
        return self.command(name, "make", "-s", "-j%d" % self.args.jobs, "-C", self.tree,
                            "O=" + self.build_dir, "ARCH=um", "CC=" + self.args.cc, "linux",
                            **env)

    def test(self, name):
        """Return what shows that there is a fault, None if nothing does."""
        late = threading.Event()
        # A group of its own: user-mode Linux is more processes than one
        child = subprocess.Popen([os.path.join(self.build_dir, "linux"), "mem=1G", "console=tty",
                                  "uml_dir=%s/" % self.log, "kunit_shutdown=halt",
                                  "kunit.enable=1", "kunit.filter_glob=gunyah*"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, start_new_session=True)

        def stop():
            late.set()
            os.killpg(child.pid, signal.SIGKILL)

        timer = threading.Timer(self.seconds, stop)
        timer.start()
        try:
            with open(os.path.join(self.log, name + ".log"), "wb") as log:
                found = self.judge(child.stdout, log)
        finally:
            # It has not been waited for, so its group is there still
            timer.cancel()
            timer.join()
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            child.stdout.close()
        return "no end after %d s" % self.seconds if late.is_set() else found

    @staticmethod
    def judge(output, log):
        """Read what the kernel prints, up to the first sign of a fault."""
        reader, started = tap.Reader(), False
        for line in output:
            log.write(line)
            line = judge.TIMESTAMP.sub("", line.decode(errors="replace").rstrip())
            started = started or kunit.START.search(line)
            if not started:
                continue
            match = NOT_OK.match(line)
            if match:
                return match.group(1)
            if not judge.KTAP.match(line) and judge.SPLATS.search(line):
                return line.strip()
            reader.feed(line)
        reader.end()
        if not reader.count(tap.PASSED):
            return "the tests did not start"
        return next((name for outcome, name, _ in reader.results if outcome == tap.FAILED), None)

    def without_fault(self):
        if not self.configure() or not self.build("none"):
            raise MutateError("without a fault it does not build, see " + self.log)
        start = time.monotonic()
        found = self.test("none")
        if found:
            raise MutateError("without a fault: %s, see %s" % (found, self.log))
        took = time.monotonic() - start
        self.seconds = int(SECONDS_MORE + TIMES * took)
        print("without a fault all tests pass, in %.0f s" % took, flush=True)

    def with_fault(self, fault):
        """Return the verdict, and what shows it."""
        log = re.sub(r"\W+", "-", fault.name)
        self.write(fault.file, fault.apply(self.sources[fault.file]))
        try:
            # If this is interrupted a compiler may see the source change under it:
            # what comes of that must not be kept for others.
            if not self.build(log, CCACHE_DISABLE="1"):
                return "not built", "see %s" % os.path.join(self.log, log + ".log")
            found = self.test(log)
        finally:
            self.write(fault.file, self.sources[fault.file])
        if found:
            return "caught", found
        return ("survived", fault.survives) if fault.survives else ("SURVIVED", fault.why)


def select(faults, args):
    """Return the faults that are asked for."""
    chosen = [fault for fault in faults if re.search(args.names, str(fault))]
    if args.sample and args.sample < len(chosen):
        seed = args.seed if args.seed is not None else random.randrange(1 << 32)
        print("seed %d" % seed, flush=True)
        chosen = random.Random(seed).sample(chosen, args.sample)
    if not chosen:
        raise MutateError("no fault has such a name")
    return chosen


def mutate(args):
    """Return whether all faults are caught that have to be."""
    faults = load()
    chosen = select(faults, args)
    lab = Lab(args, sorted({fault.file for fault in faults}))
    for fault in faults:
        fault.apply(lab.sources[fault.file])
    lab.without_fault()
    total = {"caught": 0, "survived": 0, "SURVIVED": 0, "not built": 0}
    for fault in chosen:
        start = time.monotonic()
        verdict, detail = lab.with_fault(fault)
        total[verdict] += 1
        print("%-9s %4.0f s  %s | %s" % (verdict, time.monotonic() - start, fault,
                                         detail[:100]), flush=True)
    print("%d faults: %d caught, %d survived for a known reason, %d survived, %d not built" %
          (len(chosen), *total.values()))
    return not total["SURVIVED"] and not total["not built"]


def interrupted(*_):
    sys.exit("interrupted")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tree", nargs="?", type=os.path.abspath)
    parser.add_argument("out", nargs="?", type=os.path.abspath)
    parser.add_argument("--check", action="store_true", help="run nothing, print TAP")
    parser.add_argument("--names", default="", help='only those whose "FILE: NAME" matches')
    parser.add_argument("--sample", type=int, help="only so many, drawn at random")
    parser.add_argument("--seed", type=int, help="for --sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--cc", default="gcc")
    args = parser.parse_args()
    if args.check:
        sys.exit(check())
    if not args.out:
        parser.error("TREE and OUT are missing")
    # So that nothing is left running
    signal.signal(signal.SIGTERM, interrupted)
    try:
        sys.exit(0 if mutate(args) else 1)
    except MutateError as error:
        sys.exit("mutate: %s" % error)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does the plugin that counts instructions count right? test_insns.py PLUGIN

Boots insns_test.S, which has so many instructions between the markers, and prints TAP.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import tap  # noqa: E402, pylint: disable=wrong-import-position

CC = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-") + "gcc"
ICOUNT = ["-icount", "shift=0,sleep=off"]
# Nobody has to know how long the first CPU waits for the second
ANY = object()
WANTED = [
    ("nothing", (0, 0, 0, 0)),
    ("a part of a block", (0, 0, 3, 0)),
    ("a long loop", (0, 0, 1 + 2 * 50000, 0)),
    ("accesses to a device", (0, 0, 2 + 10 * 5, 0)),
    ("an end too much", "no begin"),
    ("an end that is missing", "no end"),
    ("another CPU", (0, 0, ANY, 1 + 2 * 700 + 5)),
    ("a loop at EL1", (0, 1 + 2 * 3000, 0, 0)),
    ("exceptions and EL0", (3 + 20 * 6, 20 * (7 + 8), 20 * 2, 0)),
]
LEVELS = ("user", "kernel", "hypervisor", "others")


def build(work):
    image = os.path.join(work, "insns_test")
    subprocess.run([CC, "-nostdlib", "-static", "-Wl,-Ttext=0x40080000,--build-id=none",
                    "-o", image, os.path.join(HERE, "insns_test.S")], check=True)
    return image


def run(plugin, image, out, options, more=""):
    """Boot it; return QEMU's status and what it says."""
    line = ["qemu-system-aarch64", "-machine", "virt,virtualization=on,gic-version=3",
            "-cpu", "cortex-a57", "-smp", "2", "-m", "128", "-nodefaults", "-display", "none",
            "-kernel", image, "-plugin", "file=%s,out=%s%s" % (plugin, out, more)] + options
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.returncode, done.stdout.decode(errors="replace").strip()


def read(path):
    with open(path, encoding="ascii") as file:
        return [json.loads(line) for line in file]


def differences(record, wanted):
    """Say what of the record is not as it should be."""
    if isinstance(wanted, str):
        return [] if record.get("error") == wanted else [str(record)]
    return ["%s: %s instead of %d" % (level, record.get(level), number)
            for level, number in zip(LEVELS, wanted)
            if number is not ANY and record.get(level) != number]


def main():
    plugin = os.path.abspath(sys.argv[1])
    writer = tap.Writer()
    with tempfile.TemporaryDirectory() as work:
        image = build(work)
        outs = [os.path.join(work, name) for name in ("plain", "again", "profile", "threads")]
        said = [run(plugin, image, out, ICOUNT, more)
                for out, more in zip(outs, ("", "", ",profile=on"))]
        plain, again, profile = [read(out) for out in outs[:3]]
        writer.check(all(status == 0 for status, _ in said), "QEMU ends", [str(said)])
        writer.check([record.get("pair") for record in plain] == list(range(1, len(WANTED) + 1)),
                      "a line for each pair", [str(record) for record in plain])
        for record, (name, wanted) in zip(plain, WANTED):
            wrong = differences(record, wanted)
            writer.check(not wrong, name, wrong)
        writer.check(plain == again, "the same when run again", [])
        blocks = [record.pop("blocks", {}) for record in profile]
        writer.check(plain == profile, "the same with a profile", [str(profile)])
        sums = [sum(of.values()) for of in blocks]
        wanted = [sum(record.get(level, 0) for level in LEVELS[:3]) for record in plain]
        writer.check(sums == wanted, "blocks add up", ["%s instead of %s" % (sums, wanted)])
        status, text = run(plugin, image, outs[3], ["-accel", "tcg,thread=multi"])
        writer.check(status == 1 and "use -icount" in text, "threads are refused",
                      ["status %d: %s" % (status, text)])
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

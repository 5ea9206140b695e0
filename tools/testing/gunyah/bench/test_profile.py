#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does profile.py put instructions where they belong? Prints TAP."""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import tap  # noqa: E402, pylint: disable=wrong-import-position

MAP = """\
0000000000000000 A _kernel_flags
ffff800080000000 T _text
ffff800080000000 T _stext
ffff800080000100 t pin
ffff800080000140 T unpin
ffff800080000200 D jiffies
ffff800080001000 B _end
"""
ROW = {"test": "cost", "kind": "scattered", "size": 4 << 20, "pages": 1024,
       "set": {"pair": 1}, "start": {"pair": 2}}
CONSOLE = """\
[    1.000000][    T1] tap: ffff80007a000010 t $x\t[gunyah]
[    1.000000][    T1] tap: ffff80007a000010 t send\t[gunyah]
[    1.000000][    T1] tap: ffff80007a000080 t receive\t[gunyah_msgq]
[    2.000000][    T1] tap: # bench: %s
[    2.000000][    T1] tap: # bench: %s
""" % (json.dumps(ROW), json.dumps(dict(ROW, size=8 << 20, start={"pair": 4}, set={"pair": 3})))
COUNTS = [
    {"pair": 1, "user": 7, "kernel": 1000, "hypervisor": 0, "others": 0,
     "blocks": {"0x400010": 7, "0xffff800080000100": 100, "0xffff80008000013c": 600,
                "0xffff800080000140": 290, "0xffff8000800000ff": 10}},
    {"pair": 2, "user": 0, "kernel": 1048, "hypervisor": 24, "others": 4,
     "blocks": {"0xffff80007a00007c": 1000, "0xffff80007a000080": 24, "0xffff800080002000": 24,
                "0x40001000": 24}},
    {"pair": 3, "user": 0, "kernel": 5, "hypervisor": 0, "others": 0, "blocks": {}},
    {"pair": 4, "error": "no end"},
    {"pair": 5, "user": 0, "kernel": 0, "hypervisor": 0, "others": 0},
]
BOTH = [
    "          set        start          all       %  per page  function",
    "            0         1000         1000   48.66      0.98  send [gunyah]",
    "          700            0          700   34.06      0.68  pin",
    "          290            0          290   14.11      0.28  unpin",
    "            0           24           24    1.17      0.02  (no symbol)",
    "            0           24           24    1.17      0.02  receive [gunyah_msgq]",
    "           17            0           17    0.83      0.02  (2 others)",
    "         1007         1048         2055  100.00      2.01  (host)",
    "            0           24           24              0.02  (hypervisor)",
    "            0            4            4              0.00  (other CPUs)",
]
ONE = [
    "            1          all       %  function",
    "          700          700   69.51  pin",
    "          290          290   28.80  unpin",
    "           10           10    0.99  _text",
    "            7            7    0.70  (user space)",
    "         1007         1007  100.00  (host)",
    "            0            0          (hypervisor)",
    "            0            0          (other CPUs)",
]
# Arguments, and the table or a part of what is said instead
CASES = [
    ("two phases of a row", ["--least", "1", "set", "start", "size=4M", "test=cost"], BOTH),
    ("a pair by its number", ["1"], ONE),
    ("no such row", ["set", "size=16M"], "0 rows"),
    ("more than one row", ["set", "kind=scattered"], "2 rows"),
    ("no such phase", ["close", "size=4M"], "0 rows"),
    ("no phase", ["size=4M"], "which phases"),
    ("no such pair", ["6"], "no counts of pair 6"),
    ("blocks that do not add up", ["3"], "blocks are 0 of 5"),
    ("a pair with an error", ["4"], "pair 4 has no end"),
    ("counts without a profile", ["5"], "without a profile"),
]


def main():
    writer = tap.Writer()
    with tempfile.TemporaryDirectory() as work:
        paths = [os.path.join(work, name) for name in ("map", "counts", "console")]
        counts = "".join(json.dumps(record) + "\n" for record in COUNTS)
        for path, text in zip(paths, (MAP, counts, CONSOLE)):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        for name, args, wanted in CASES:
            done = subprocess.run([os.path.join(HERE, "profile.py"), "--map", *paths, *args],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  check=False)
            if isinstance(wanted, str):
                good = done.returncode == 1 and not done.stdout and wanted in done.stderr and \
                    done.stderr.startswith("profile: ")
            else:
                good = done.returncode == 0 and done.stdout.splitlines() == wanted
            writer.check(good, name, (done.stdout + done.stderr).splitlines())
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

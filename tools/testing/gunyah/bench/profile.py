#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""In which functions are the instructions that insns.c has counted?

    profile.py [--map System.map] COUNTS CONSOLE set start close kind=scattered how=lend size=64M
    profile.py [--map System.map] [--pages N] COUNTS CONSOLE 3 4 5

COUNTS is the plugin's file, written with profile=on. CONSOLE is the log of the same boot:
from it come the symbols of modules, as the command "symbols" of /init prints them, and the
rows of the benchmark. Prints a table with a column for each phase. A phase is the number of
a pair, or the name of a phase of the one row that has these values. With so many pages, a
row's or --pages, there are also the instructions per page. Per cent are of what the host has
executed on vCPU 0; behind it are the hypervisor on the same CPU, and all other CPUs.

What a function has is its own, without what it calls. Inlined functions are part of those
they are in. Assembly may have a branch over the end of a symbol; it counts where it starts.
"""

import argparse
import bisect
import collections
import json
import re
import sys

# Not those that tell code from data, "$x"
SYMBOL = re.compile(r"([0-9a-f]{16}) [tTwW] ([^\s$]\S*)(?:\s+\[(\w+)\])?$")
END = re.compile(r"([0-9a-f]{16}) \w _end$")
ROW = re.compile(r"# bench: (\{.*\})$")
CHOICE = re.compile(r"(\w+)=(\w+)$")
SIZE = re.compile(r"(\d+)([KMG])$")
KERNEL_START = 0xffff000000000000
# Code that has no symbol, or no functions here
NONE = "(no symbol)"
USER = "(user space)"
# What is not the host's
APART = {"hypervisor": "(hypervisor)", "others": "(other CPUs)"}


def read_symbols(map_path, console):
    """Return a sorted list of (address, name)."""
    symbols = {}
    with open(map_path, encoding="utf-8") as file:
        for line in file:
            match = SYMBOL.match(line.strip())
            end = END.match(line.strip())
            # The first of several names for an address
            if match:
                symbols.setdefault(int(match[1], 16), match[2])
            elif end:
                symbols[int(end[1], 16)] = NONE
    for line in console:
        match = SYMBOL.search(line)
        if match and match[3]:
            symbols.setdefault(int(match[1], 16), "%s [%s]" % (match[2], match[3]))
    return sorted(symbols.items())


def by_function(record, symbols):
    """Return a Counter of the instructions of one pair."""
    if "error" in record:
        raise ValueError("pair %d has %s" % (record["pair"], record["error"]))
    if "blocks" not in record:
        raise ValueError("the counts are without a profile")
    counts = collections.Counter({name: record[level] for level, name in APART.items()})
    counts[USER] = record["user"]
    addresses = [address for address, _ in symbols]
    kernel = 0
    for start, number in record["blocks"].items():
        if int(start, 16) < KERNEL_START:
            continue
        kernel += number
        at = bisect.bisect(addresses, int(start, 16)) - 1
        counts[symbols[at][1] if at >= 0 else NONE] += number
    if kernel != record["kernel"]:
        raise ValueError("pair %d: blocks are %d of %d" % (record["pair"], kernel,
                                                           record["kernel"]))
    return +counts


def value_of(text):
    """Return what a row would have: 64M is a number, lend is not."""
    match = SIZE.match(text)
    if match:
        return int(match[1]) << 10 * (" KMG".index(match[2]))
    return int(text) if text.isdigit() else text


def choose(choices, console):
    """Return [(phase, pair)] and the number of pages of the row, if one is meant."""
    wanted = {match[1]: value_of(match[2]) for match in map(CHOICE.match, choices) if match}
    phases = [choice for choice in choices if not CHOICE.match(choice)]
    if not phases:
        raise ValueError("which phases?")
    if all(phase.isdigit() for phase in phases):
        return [(phase, int(phase)) for phase in phases], None
    rows = [json.loads(match[1]) for match in map(ROW.search, console) if match]
    rows = [row for row in rows if all(isinstance(row.get(phase), dict) for phase in phases) and
            all(row.get(key) == value for key, value in wanted.items())]
    if len(rows) != 1:
        raise ValueError("there are %d rows with that, not one" % len(rows))
    return [(phase, rows[0][phase]["pair"]) for phase in phases], rows[0].get("pages")


def table(phases, counts, pages, least):
    """Return lines: a column for each phase and their sum, functions with the most first."""
    total = sum(counts, collections.Counter())
    own = {name: number for name, number in total.items() if name not in APART.values()}
    host = sum(own.values())
    lines = ["".join("%13s" % phase for phase in phases) + "%13s%8s%s  %s" %
             ("all", "%", "%10s" % "per page" if pages else "", "function")]

    def add(names, title, share=True):
        row = [sum(of[name] for name in names) for of in counts]
        number = sum(row)
        lines.append("".join("%13d" % n for n in row) + "%13d%8s%s  %s" % (
            number, "%.2f" % (100 * number / host) if share and host else "",
            "%10.2f" % (number / pages) if pages else "", title))

    small = [name for name in own if 100 * own[name] < least * host]
    for name in sorted(set(own) - set(small), key=lambda name: (-own[name], name)):
        add([name], name)
    if small:
        add(small, "(%d others)" % len(small))
    add(own, "(host)")
    for name in APART.values():
        add([name], name, False)
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--map", default="build/kernel/System.map", help="the kernel's symbols")
    parser.add_argument("--pages", type=int, help="to divide by")
    parser.add_argument("--least", type=float, default=0.1, help="per cent to be a line of its own")
    parser.add_argument("counts", help="what the plugin has written, with profile=on")
    parser.add_argument("console", help="the log of the boot")
    parser.add_argument("choice", nargs="+", help="a pair, or a phase, or KEY=VALUE of its row")
    args = parser.parse_args()
    with open(args.console, encoding="utf-8", errors="replace") as file:
        console = [line.rstrip() for line in file]
    pairs, pages = choose(args.choice, console)
    with open(args.counts, encoding="ascii") as file:
        records = [json.loads(line) for line in file]
    records = {record["pair"]: record for record in records}
    missing = [str(pair) for _, pair in pairs if pair not in records]
    if missing:
        raise ValueError("no counts of pair " + ", ".join(missing))
    symbols = read_symbols(args.map, console)
    counts = [by_function(records[pair], symbols) for _, pair in pairs]
    print("\n".join(table([phase for phase, _ in pairs], counts, args.pages or pages,
                          args.least)))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as problem:
        sys.exit("profile: %s" % problem)

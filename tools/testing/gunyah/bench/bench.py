#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot the benchmark of guest memory, keep its figures, and compare, check and show them.

  bench.py run --name NAME ... -- COMMAND   COMMAND boots bench; writes FOLDER/NAME.json
  bench.py table A.json                     what run prints in the end
  bench.py compare A.json B.json            B in relation to A; --exact: are they equal?
  bench.py check A.json                     is it what the documentation promises?
  bench.py plot A.json -o FILE.svg          cost against size; needs gnuplot
  bench.py rst A.json FILE.rst              put the tables into a document
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import textwrap

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402, pylint: disable=wrong-import-position

MARK = "tap: # bench: "
PHASES = ("set", "start", "close", "late")
MEMORY = ("set", "run", "peak_set", "peak_start")
KEY = ("test", "kind", "how", "guests", "regions", "size")
MIB = 1 << 20
GIB = 1 << 30

# A message of n bytes takes as many packets as have room for it
PACKET = 232
# Pieces of memory in a message, and what is around them: heads, ACL, list heads
PIECES = 512
PIECE = 16
LIST = 4
ACL = 4
HEAD = 8
# Requests of a start beside those for memory: allocate a VMID, image, init, resources, start
START_REQUESTS = 5

# What is promised
RUN_BYTES = 16
REGION_BYTES = 4096
HUGE_PER_GIB = 64 << 10
SCATTERED_PER_GIB = 4.1 * MIB
GIB_FROM = 64 * MIB
PEAK = 2
# For each guest: a message, and what points to the pages that are pinned at a time
BATCH_BYTES = 16384
LINEAR = 0.1
LINEAR_FROM = 64 * MIB
ACCEPTED = 64 * GIB


class Problem(Exception):
    """Something that a person has to be told"""


#
# Figures
#

def read_log(path):
    """Return the rows on a console."""
    rows = []
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            _, mark, text = line.rstrip("\r\n").partition(MARK)
            if mark:
                try:
                    rows.append(json.loads(text))
                except ValueError:
                    raise Problem("%s: not a row: %s" % (path, text)) from None
    return rows


def read_insns(path):
    """Return what the plugin has counted, by number of the pair."""
    if not path or not os.path.exists(path):
        return {}
    with open(path, encoding="ascii") as file:
        return {record["pair"]: record for record in map(json.loads, file)}


def phases_of(row):
    return [(name, row[name]) for name in PHASES if isinstance(row.get(name), dict)]


def add_insns(rows, counted):
    """Give each phase "insns": the host's instructions, as exactly as they are known."""
    sources = set()
    for row in rows:
        for _, phase in phases_of(row):
            record = counted.get(phase["pair"], {})
            if "error" in record:
                raise Problem("pair %d: %s" % (phase["pair"], record["error"]))
            if record:
                phase["insns"] = record["user"] + record["kernel"]
                phase.update((name, record[name]) for name in
                             ("user", "kernel", "hypervisor", "others"))
                sources.add("plugin")
            elif phase.get("perf"):
                phase["insns"] = phase["perf"]
                sources.add("perf")
            else:
                phase["insns"] = phase["ticks"]
                sources.add("ticks")
    return "+".join(sorted(sources)) or "none"


def describe_tree(tree):
    done = subprocess.run(["git", "-C", tree, "describe", "--always", "--dirty"], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() or None


def digest(path):
    if not path or not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def key_of(row):
    return tuple(row.get(name) for name in KEY)


def rows_by_key(data):
    rows = {}
    for row in data["rows"]:
        if key_of(row) in rows:
            raise Problem("twice in the figures: %s" % (key_of(row),))
        rows[key_of(row)] = row
    return rows


def words(key):
    """Say in words which row it is."""
    row = dict(zip(KEY, key))
    text = "%s %s %s" % (row["test"], row["kind"], row["how"] or "")
    if (row["guests"] or 1) > 1 or row["test"] == "guests":
        text += " %s guests" % row["guests"]
    if (row["regions"] or 1) > 1 or row["test"] == "calls":
        text += " %s regions" % row["regions"]
    return "%s %s" % (text.strip(), size_words(row["size"]))


def size_words(size):
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (1024, "KiB")):
        if size >= unit and size % unit == 0:
            return "%d %s" % (size // unit, name)
    return "%d B" % size


def per_page(row, names=("set", "start", "close", "late")):
    """Instructions of these phases per 4 KiB page, None if one is missing"""
    if "errno" in row or not all(name in row for name in names if name != "late"):
        return None
    insns = sum(phase["insns"] for name, phase in phases_of(row) if name in names)
    return insns / (row["size"] * row["guests"] * row["regions"] / 4096)


def metrics(row):
    """Return all figures of a row by name."""
    found = {"runs": row.get("runs"), "errno": row.get("errno")}
    for name, phase in phases_of(row):
        for what, value in phase.items():
            if what != "pair":
                found["%s.%s" % (name, what)] = value
    for what, value in row.get("memory", {}).items():
        found["memory.%s" % what] = value
    return {name: value for name, value in found.items() if value is not None}


#
# Protocol
#

def packets(size):
    return max(1, -(-size // PACKET))


def give_messages(runs, shared):
    """Sizes of the messages that give a region of so many runs."""
    first = min(runs, PIECES)
    sizes = [HEAD + LIST + ACL * (2 if shared else 1) + LIST + PIECE * first + LIST]
    left = runs - first
    while left:
        more = min(left, PIECES)
        sizes.append(HEAD + LIST + PIECE * more)
        left -= more
    return sizes


def start_messages(row):
    """Sizes of the requests that GH_VM_START has to make; of all guests of the row."""
    sizes = [0] * (START_REQUESTS * row["guests"])
    for runs in row["image_runs"]:
        sizes += give_messages(runs, False)
    for runs in row["region_runs"]:
        sizes += give_messages(runs, row["how"] == "share")
    return sizes


def start_minimum(row):
    sizes = start_messages(row)
    return len(sizes), sum(map(packets, sizes))


#
# Promises
#

def check_start(row):
    """A start takes the requests and packets that it has to; nothing is received in vain."""
    if "sends" not in row.get("start", {}):
        return []
    requests, sends = start_minimum(row)
    start = row["start"]
    wrong = []
    if start["sends"] != sends:
        wrong.append("%d packets sent, the protocol needs %d" % (start["sends"], sends))
    if "requests" in start and start["requests"] != requests:
        wrong.append("%d requests, the protocol needs %d" % (start["requests"], requests))
    # Each reply and notification is a packet
    if "messages" in start and start["recvs"] != start["messages"]:
        wrong.append("%d times received, for %d packets" % (start["recvs"], start["messages"]))
    return wrong


def memory_limits(row):
    """What may be kept for a row's big regions: in words, and bytes"""
    regions = row["guests"] * row["regions"]
    gib = row["size"] * regions / GIB
    yield "16 bytes a run and 4 KiB a region", RUN_BYTES * row["runs"] + REGION_BYTES * regions
    # Of a small one the page that it has at least is more
    if row["size"] >= GIB_FROM:
        if row["kind"] == "scattered":
            yield "4.1 MiB a GiB", SCATTERED_PER_GIB * gib
        else:
            yield "64 KiB a GiB", HUGE_PER_GIB * gib


def check_memory(row):
    """What is kept while the guest runs, and at most."""
    wrong = []
    memory = row["memory"]
    for what, most in memory_limits(row):
        for name in ("set", "run"):
            if memory[name] > most:
                wrong.append("%s: %d bytes are kept, %s are %d" % (name, memory[name], what, most))
        peak = PEAK * most + BATCH_BYTES * row["guests"]
        for name in ("peak_set", "peak_start"):
            if memory[name] > peak:
                wrong.append("%s: %d bytes, twice %s and a batch are %d" %
                             (name, memory[name], what, peak))
    return wrong


def check_linear(data):
    """Costs of a page do not grow with the size."""
    wrong, seen = [], False
    rows = [row for row in data["rows"] if row["test"] == "cost" and "errno" not in row]
    for kind, how in sorted({(row["kind"], row["how"]) for row in rows}):
        sizes = {row["size"]: per_page(row) for row in rows
                 if (row["kind"], row["how"]) == (kind, how)}
        last = max(sizes)
        if LINEAR_FROM not in sizes or last == LINEAR_FROM:
            continue
        seen = True
        base, cost = sizes[LINEAR_FROM], sizes[last]
        # What a VM costs, however little memory it has, is shared by more pages
        lower = base * (1 - LINEAR) if kind == "scattered" else 0
        if not lower <= cost <= base * (1 + LINEAR):
            wrong.append("%s %s: %.1f instructions a page at %s, %.1f at %s" %
                         (kind, how, cost, size_words(last), base, size_words(LINEAR_FROM)))
    return wrong if seen else ["no size beyond %s" % size_words(LINEAR_FROM)]


def check(data):
    """Return (name, what is wrong) for each promise."""
    results = []
    bad = ["%s: %s: errno %d" % (words(key_of(row)), row.get("step"), row["errno"])
           for row in data["rows"] if "errno" in row]
    results.append(("everything is accepted", bad))
    good = [row for row in data["rows"] if "errno" not in row]
    for test in ("cost", "guests", "calls"):
        rows = [row for row in good if row["test"] == test]
        counted = [row for row in rows if "sends" in row["start"]]
        if counted or not data["machine"].get("counters"):
            results.append(("%s: no more packets than the protocol needs" % test, [
                "%s: %s" % (words(key_of(row)), text) for row in counted
                for text in check_start(row)]))
        else:
            results.append(("%s: packets were counted" % test, ["they were not"]))
        if test != "calls":
            results.append(("%s: little memory is kept" % test, [
                "%s: %s" % (words(key_of(row)), text) for row in rows
                for text in check_memory(row)] or ([] if rows else ["nothing was measured"])))
    results.append(("a page costs the same however large the region is", check_linear(data)))
    accepted = [row["size"] for row in good if row["test"] == "virtual"]
    results.append(("a region of %s is accepted" % size_words(ACCEPTED),
                    [] if accepted and max(accepted) >= ACCEPTED else
                    ["the largest is %s" % size_words(max(accepted or [0]))]))
    if "repeated" in data:
        results.append(("equal counts when run again", data["repeated"]))
    return results


#
# Comparison
#

def differences(a, b, exact=False):
    """Yield lines: all ratios, or with exact what is not equal."""
    ours, theirs = rows_by_key(a), rows_by_key(b)
    for key, row in ours.items():
        if key not in theirs:
            yield "%s: only in the first" % words(key)
            continue
        first, second = metrics(row), metrics(theirs[key])
        for name in sorted(set(first) | set(second)):
            if name not in first or name not in second:
                yield "%s: %s: only in the %s" % (words(key), name,
                                                  "first" if name in first else "second")
            elif exact and first[name] != second[name]:
                yield "%s: %s: %d, then %d" % (words(key), name, first[name], second[name])
            elif not exact and name.endswith((".insns", ".hypervisor", ".sends", ".recvs",
                                              ".requests", ".messages")) or \
                    not exact and name.startswith("memory."):
                ratio = "%8.3f" % (second[name] / first[name]) if first[name] else "       -"
                yield "%-52s %-18s %14d %14d %s" % (words(key), name, first[name],
                                                     second[name], ratio)
    for key in theirs:
        if key not in ours:
            yield "%s: only in the second" % words(key)


#
# Tables
#

def number(value, form="%d"):
    return "-" if value is None else form % value


def table_rows(data, tests):
    """Return the header and the rows of the table of some tests."""
    head = ["what", "runs", "set", "start", "close", "a page", "sent", "recv", "close: sent",
            "kept: set", "run", "peak: set", "start"]
    lines = []
    for row in data["rows"]:
        if row["test"] not in tests:
            continue
        name = words(key_of(row))
        if "errno" in row:
            lines.append([name, number(row.get("runs")), "%s: errno %d (%s)" % (
                row.get("step"), row["errno"], os.strerror(row["errno"]))])
            continue
        memory = row.get("memory", {})
        cells = [name, number(row["runs"])]
        late = row.get("late", {}).get("insns", 0)
        for phase in ("set", "start", "close"):
            insns = row.get(phase, {}).get("insns")
            if insns is not None and phase == "close":
                insns += late
            cells.append(number(insns))
        whole = per_page(row, ("set", "close", "late") if row["test"] == "virtual" else PHASES)
        cells.append(number(whole, "%.1f"))
        cells.append(number(row.get("start", {}).get("sends")))
        cells.append(number(row.get("start", {}).get("recvs")))
        cells.append(number(row.get("close", {}).get("sends")))
        cells += [number(memory.get(name)) for name in MEMORY]
        lines.append(cells)
    return head, lines


def aligned(head, lines):
    full = [line for line in lines if len(line) == len(head)] + [head]
    widths = [max(len(line[i]) for line in full) for i in range(len(head))]
    for line in [head] + lines:
        yield "  ".join([line[0].ljust(widths[0])] +
                        [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])])


def call_costs(data):
    """Return what one MEM_LEND of a page, and one MEM_RECLAIM, cost: a list of rows."""
    rows = {row["regions"]: row for row in data["rows"]
            if row["test"] == "calls" and "errno" not in row}
    if len(rows) < 2:
        return []
    few, many = min(rows), max(rows)
    calls = []
    for name, phase in (("MEM_LEND", "start"), ("MEM_RECLAIM", "close")):
        less, more = rows[few][phase], rows[many][phase]
        calls.append([name] + [number((more[what] - less[what]) / (many - few), "%.1f")
                               if what in more and what in less else "-"
                               for what in ("insns", "hypervisor", "sends", "recvs")])
    return calls


CALLS_HEAD = ["call", "host", "hypervisor", "sent", "received"]


def print_table(data):
    machine = data["machine"]
    print("%s: Linux %s, %s of memory, instructions by %s" %
          (data["name"], machine.get("release"), size_words(machine.get("memory", 0) & -MIB),
           data["insns"]))
    print("\ninstructions of the host; packets; bytes of its memory\n")
    print("\n".join(aligned(*table_rows(data, ("cost", "guests", "calls", "virtual")))))
    calls = call_costs(data)
    if calls:
        print("\na call of the resource manager\n")
        print("\n".join(aligned(CALLS_HEAD, calls)))


#
# Documents
#

BEGIN = ".. Figures of bench.py begin here."
END = ".. Figures of bench.py end here."


def simple_table(head, lines):
    """A table of reStructuredText"""
    lines = [[cell if cell else "\\" for cell in line] for line in lines]
    widths = [max(len(line[i]) for line in lines + [head]) for i in range(len(head))]
    rule = "  ".join("=" * width for width in widths)

    def text(line):
        return "  ".join([line[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]).rstrip()

    return "\n".join([rule, text(head), rule] + [text(line) for line in lines] + [rule])


def rst(data):
    """Return the part of the document that is made of figures."""
    machine = data["machine"]
    parts = ["Linux %s on QEMU with %s of memory, one CPU:" %
             (machine["release"], size_words(-(-machine["memory"] // GIB) * GIB))]
    rows = [row for row in data["rows"] if row["test"] == "cost" and "errno" not in row]
    shared = {(row["kind"], row["size"]): row for row in rows if row["how"] == "share"}
    parts.append("Instructions of the host per 4 KiB page, of memory that is lent and, in one sum, "
                 "shared; packets that the start of the guest sends and receives; bytes of the "
                 "host's memory:")
    lines = []
    for row in rows:
        if row["how"] != "lend":
            continue
        again = shared.get((row["kind"], row["size"]))
        lines.append([row["kind"], size_words(row["size"]), "%d" % row["runs"]] +
                     ["%.1f" % per_page(row, (phase,)) for phase in ("set", "start")] +
                     ["%.1f" % per_page(row, ("close", "late")), "%.1f" % per_page(row),
                      number(again and per_page(again), "%.1f"), number(row["start"].get("sends")),
                      number(row["start"].get("recvs")), "%d" % row["memory"]["run"],
                      "%d" % max(row["memory"]["peak_set"], row["memory"]["peak_start"])])
    parts.append(simple_table(["memory", "size", "runs", "set", "start", "close", "lent", "shared",
                               "sent", "received", "kept", "peak"], lines))
    rows = [row for row in data["rows"] if row["test"] == "guests" and "errno" not in row]
    if rows:
        parts.append("So many guests at once, each with %s of scattered memory:" %
                     size_words(rows[0]["size"]))
        parts.append(simple_table(
            ["guests", "instructions a page", "packets sent", "kept"],
            [["%d" % row["guests"], "%.1f" % per_page(row),
              number(row["start"].get("sends")), "%d" % row["memory"]["run"]] for row in rows]))
    rows = [row for row in data["rows"] if row["test"] == "virtual" and "errno" not in row]
    if rows:
        parts.append("Regions that are larger than the machine, one file mapped again and again, "
                     "set and removed. What is kept is what the host has less of free memory; "
                     "its own use of it varies by some 100 KiB either way:")
        parts.append(simple_table(
            ["size", "pages", "instructions a page", "kept"],
            [[size_words(row["size"]), "2 MiB" if row["kind"] == "huge" else "4 KiB",
              "%.1f" % per_page(row, ("set", "close", "late")),
              "%d" % row["memory"]["set"]] for row in rows]))
    calls = call_costs(data)
    if calls:
        parts.append("A call of the resource manager, instructions and packets:")
        parts.append(simple_table(CALLS_HEAD, calls))
    parts.append(".. kernel-figure:: cost.svg\n   :alt: cost of a page against the size of "
                 "the region\n\n   What a page costs, and what is kept of it")
    return "\n\n".join(part if part.startswith((".", "=")) else textwrap.fill(part, 80)
                       for part in parts)


def replace(text, figures):
    """Put figures between the markers of a document."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise Problem("the document has to have one line each, in this order: %s %s" %
                      (BEGIN, END))
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return before + BEGIN + "\n\n" + figures + "\n\n" + END + after


PLOT = """\
set terminal svg size 760,640 font "sans-serif,13" background rgb "white"
set output "%(out)s"
set multiplot layout 2,1
set logscale x 2
set logscale y 10
set xrange [%(low)g:%(high)g]
set xtics (%(tics)s)
set format y "%%g"
set grid
set key outside right
set xlabel "size of the region"
set ylabel "instructions per page"
plot %(insns)s
set ylabel "bytes kept per page"
plot %(bytes)s
unset multiplot
"""


def plot_script(data, out):
    """Return what gnuplot is to do."""
    series = {}
    for row in data["rows"]:
        if row["test"] == "cost" and "errno" not in row:
            series.setdefault("%s, %s" % (row["kind"], row["how"]), []).append(row)
    if not series:
        raise Problem("there is nothing to draw")
    blocks, insns, kept = [], [], []
    for i, (name, rows) in enumerate(series.items()):
        blocks.append("$d%d << EOD\n%s\nEOD\n" % (i, "\n".join(
            "%d %.3f %.5f" % (row["size"], per_page(row),
                              max(row["memory"]["run"], 1) / (row["size"] / 4096))
            for row in sorted(rows, key=lambda row: row["size"]))))
        style = 'with linespoints lw 1.5 pt %d title "%s"' % (i + 1, name)
        insns.append("$d%d using 1:2 %s" % (i, style))
        kept.append("$d%d using 1:3 %s" % (i, style))
    sizes = sorted({row["size"] for rows in series.values() for row in rows})
    return "".join(blocks) + PLOT % {
        "out": out, "low": sizes[0] / 1.5, "high": sizes[-1] * 1.5,
        "tics": ", ".join('"%s" %d' % (size_words(size), size) for size in sizes),
        "insns": ", \\\n     ".join(insns), "bytes": ", \\\n     ".join(kept)}


def plot(data, out):
    done = subprocess.run(["gnuplot", "-"], input=plot_script(data, out), text=True, check=False,
                          stderr=subprocess.PIPE)
    if done.returncode:
        raise Problem("gnuplot: " + done.stderr)
    # Of the tool and its version nothing is left, nor blanks where lines end
    with open(out, encoding="utf-8") as file:
        text = re.sub(r"[ \t]+$", "", file.read(), flags=re.M)
    text = re.sub(r"<(title|desc)>.*?</\1>\n?", "", text, flags=re.S)
    text = re.sub(r"\A<\?xml.*?\?>", "<!-- SPDX-License-Identifier: GPL-2.0-only -->", text)
    with open(out, "w", encoding="utf-8") as file:
        file.write(text.strip("\n") + "\n")


#
# Commands
#

def boot(args):
    """Boot once and return the figures."""
    for path in (args.log, args.insns):
        if path and os.path.exists(path):
            os.unlink(path)
    for path in (args.log, args.insns):
        if path:
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    done = subprocess.run(args.command, check=False, stdout=None if args.tap else subprocess.PIPE)
    if done.returncode and not args.tap:
        sys.stderr.buffer.write(done.stdout)
    if not os.path.exists(args.log):
        raise Problem("%s was not written" % args.log)
    rows = read_log(args.log)
    hosts = [row for row in rows if row["test"] == "host"]
    rows = [row for row in rows if row["test"] != "host"]
    if not hosts or not rows:
        raise Problem("no figures in %s" % args.log)
    machine = {name: value for name, value in hosts[0].items() if name != "test"}
    machine["counters"] = any("sends" in phase for row in rows for _, phase in phases_of(row))
    return done.returncode, {"name": args.name, "tree": describe_tree(args.tree),
                    "config": digest(args.config), "machine": machine,
                    "insns": add_insns(rows, read_insns(args.insns)), "rows": rows}


def save(data, path):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        # A row a line, so that people can read and compare it
        rows = data.pop("rows")
        text = json.dumps(data, indent=1)
        file.write(text[:-2] + ',\n "rows": [\n' +
                   ",\n".join("  " + json.dumps(row) for row in rows) + "\n ]\n}\n")
        data["rows"] = rows
    os.replace(path + ".new", path)


def do_run(args):
    if args.command[:1] == ["--"]:
        args.command = args.command[1:]
    status, data = boot(args)
    for _ in range(args.repeat - 1):
        more, again = boot(args)
        status = status or more
        data.setdefault("repeated", []).extend(differences(data, again, exact=True))
    path = os.path.join(args.folder, args.name + ".json")
    save(data, path)
    if args.tap:
        return status
    print_table(data)
    if "repeated" in data:
        print("\nrun again: " + ("the same counts" if not data["repeated"] else
                                "%d figures differ" % len(data["repeated"])))
        print("\n".join(data["repeated"][:20]))
    print("\nthe figures: " + os.path.relpath(path))
    return status


def do_table(args):
    print_table(load(args.a))
    return 0


def do_compare(args):
    lines = list(differences(load(args.a), load(args.b), args.exact))
    print("\n".join(lines) if lines else "equal" if args.exact else "nothing to compare")
    return 1 if args.exact and lines else 0


def do_check(args):
    results = check(load(args.a))
    if args.tap:
        writer = tap.Writer()
        for name, wrong in results:
            writer.check(not wrong, "bench: " + name, wrong)
        return writer.end()
    for name, wrong in results:
        print("%-6s %s" % ("FAILED" if wrong else "ok", name))
        for text in wrong:
            print("         " + text)
    return 1 if any(wrong for _, wrong in results) else 0


def do_plot(args):
    plot(load(args.a), args.output)
    return 0


def do_rst(args):
    with open(args.file, encoding="utf-8") as file:
        text = file.read()
    text = replace(text, rst(load(args.a)))
    with open(args.file, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command_name", required=True)
    run = commands.add_parser("run")
    run.add_argument("--name", required=True)
    run.add_argument("--folder", required=True)
    run.add_argument("--log", required=True, help="that the command writes the console to")
    run.add_argument("--insns", help="that the plugin writes to")
    run.add_argument("--config", help="of the kernel")
    run.add_argument("--tree", default=".", help="that the kernel's drivers are from")
    run.add_argument("--repeat", type=int, default=1, help="boot so often, and compare")
    run.add_argument("--tap", action="store_true", help="what the boot prints, no table")
    run.add_argument("command", nargs=argparse.REMAINDER)
    for name in ("table", "compare", "check", "plot", "rst"):
        command = commands.add_parser(name)
        command.add_argument("a", metavar="A.json")
        if name == "compare":
            command.add_argument("b", metavar="B.json")
            command.add_argument("--exact", action="store_true")
        elif name == "check":
            command.add_argument("--tap", action="store_true")
        elif name == "plot":
            command.add_argument("-o", dest="output", required=True, metavar="FILE.svg")
        elif name == "rst":
            command.add_argument("file", metavar="FILE.rst")
    return parser.parse_args()


def main():
    args = arguments()
    return globals()["do_" + args.command_name](args)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Problem, OSError, ValueError, subprocess.CalledProcessError) as problem:
        sys.exit("bench: %s" % problem)

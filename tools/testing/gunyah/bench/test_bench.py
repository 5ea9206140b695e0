#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of what compares, checks and shows the figures of the benchmark. Prints TAP."""

import contextlib
import copy
import io
import os
import shutil
import subprocess
import sys
import tempfile

import bench

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402, pylint: disable=wrong-import-position

# What a start with an image of one run sends, without the regions
FIXED = bench.START_REQUESTS + 1


def phase(insns, **more):
    return dict({"pair": 1, "ticks": insns, "insns": insns, "hypervisor": 7}, **more)


def row(test="cost", kind="scattered", size=64 * bench.MIB, **more):
    """A row of a driver that does all that is promised, and nothing more"""
    pages = size // 4096
    runs = pages if kind == "scattered" else size // (2 * bench.MIB)
    regions = more.get("regions", 1)
    found = {"test": test, "kind": kind, "how": "lend", "guests": 1, "regions": 1, "size": size,
             "pages": pages * regions, "runs": runs * regions, "image_runs": [1],
             "region_runs": [runs] * regions}
    found.update(more)
    requests, sends = bench.start_minimum(found)
    found.update({
        "set": phase(100 * pages * regions),
        "start": phase(50 * pages * regions, sends=sends, requests=requests, recvs=requests + 4,
                       messages=requests + 4),
        "close": phase(20 * pages * regions, sends=4 + regions, recvs=8),
        "memory": {"set": 8 * runs * regions, "run": 8 * runs * regions,
                   "peak_set": 8 * runs * regions, "peak_start": 8 * runs * regions + 8192}})
    return found


def virtual(size):
    return {"test": "virtual", "kind": "huge", "how": "lend", "guests": 1, "regions": 1,
            "size": size, "runs": size // (16 * bench.MIB), "set": phase(size // 4096),
            "close": phase(100), "memory": {"set": 4096}}


def figures():
    rows = [row(kind=kind, size=size * bench.MIB) for size in (4, 64, 256)
            for kind in ("scattered", "huge")]
    rows += [row("guests", size=4 * bench.MIB)]
    rows += [row("calls", size=4096, regions=regions) for regions in (1, 33)]
    rows += [virtual(size * bench.GIB) for size in (2, 64)]
    return {"name": "made up", "tree": None, "config": None, "insns": "plugin", "rows": rows,
            "machine": {"release": "6.12", "memory": bench.GIB - 5000, "counters": True}}


def at(data, **wanted):
    """The row that has these values"""
    return next(found for found in data["rows"]
                if all(found.get(name) == value for name, value in wanted.items()))


BIG = {"test": "cost", "kind": "scattered", "size": 256 * bench.MIB}
HUGE = {"test": "cost", "kind": "huge", "size": 256 * bench.MIB}
HUGE64 = {"test": "cost", "kind": "huge", "size": 64 * bench.MIB}


def change(select, *path):
    """Return a function that sets a value in one row."""
    def apply(data, value):
        found = at(data, **select)
        for name in path[:-1]:
            found = found[name]
        found[path[-1]] = value(found[path[-1]])
    return apply


def drop_virtual(data, _):
    data["rows"] = [found for found in data["rows"]
                    if found["test"] != "virtual" or found["size"] < 64 * bench.GIB]


def drop_large(data, _):
    data["rows"] = [found for found in data["rows"]
                    if found["test"] != "cost" or found["size"] <= 64 * bench.MIB]


def drop_counters(data, _):
    for found in data["rows"]:
        found.get("start", {}).pop("sends", None)


def more_runs(data, value):
    """So many are in more pieces than they could be: the limit is that of the size."""
    for found in data["rows"]:
        if found["test"] == "cost":
            found["runs"] *= value
            found["memory"]["run"] *= value


def refuse(data, _):
    found = at(data, **BIG)
    found.update(step="start", errno=12)
    del found["start"], found["close"], found["memory"]


def repeat(data, lines):
    data["repeated"] = lines(None)


# What is changed, how, and the promise that is then broken
BROKEN = [
    ("one packet more", change(BIG, "start", "sends"), lambda n: n + 1, "cost: no more packets"),
    ("one packet less", change(BIG, "start", "sends"), lambda n: n - 1, "cost: no more packets"),
    ("one request more", change(BIG, "start", "requests"), lambda n: n + 1,
     "cost: no more packets"),
    ("received in vain", change(BIG, "start", "recvs"), lambda n: n + 1, "cost: no more packets"),
    ("a packet more of several guests", change({"test": "guests"}, "start", "sends"),
     lambda n: n + 1, "guests: no more packets"),
    ("a packet more of many regions", change({"test": "calls", "regions": 33}, "start", "sends"),
     lambda n: n + 1, "calls: no more packets"),
    ("packets were not counted", drop_counters, None, "cost: packets were counted"),
    ("24 bytes a run", change(BIG, "memory", "run"), lambda n: 3 * n, "cost: little memory"),
    ("the same while it is only set", change(BIG, "memory", "set"), lambda n: 3 * n,
     "cost: little memory"),
    ("two pages a region", change(HUGE, "memory", "run"), lambda n: 8192, "cost: little memory"),
    ("more for a GiB than a limit by runs allows", more_runs, 3, "cost: little memory"),
    ("64 KiB for a GiB", change(HUGE64, "memory", "set"), lambda n: 4500, "cost: little memory"),
    ("a peak", change(BIG, "memory", "peak_set"), lambda n: 6 * n, "cost: little memory"),
    ("a peak of a start", change(BIG, "memory", "peak_start"), lambda n: 6 * n,
     "cost: little memory"),
    ("several guests keep more", change({"test": "guests"}, "memory", "run"), lambda n: 5 * n,
     "guests: little memory"),
    ("dearer the larger", change(BIG, "set", "insns"), lambda n: n * 1.2, "a page costs the same"),
    ("cheaper the larger", change(BIG, "set", "insns"), lambda n: n * 0.8,
     "a page costs the same"),
    ("huge pages dearer the larger", change(HUGE, "set", "insns"), lambda n: n * 1.2,
     "a page costs the same"),
    ("no large region", drop_large, None, "a page costs the same"),
    ("64 GiB were not tried", drop_virtual, None, "a region of 64 GiB"),
    ("64 GiB are refused", lambda data, _: at(data, size=64 * bench.GIB).update(errno=12), None,
     "a region of 64 GiB"),
    ("a start is refused", refuse, None, "everything is accepted"),
    ("counts differ", repeat, lambda _: ["runs: 1, then 2"], "equal counts"),
]


def failures(data):
    return [name for name, wrong in bench.check(data) if wrong]


def test_check(writer):
    good = figures()
    writer.check(not failures(good), "check: a good driver", failures(good))
    repeat(good, lambda _: [])
    writer.check(not failures(good), "check: equal counts", failures(good))
    cheap = figures()
    at(cheap, **HUGE)["start"]["insns"] //= 10
    writer.check(not failures(cheap), "check: what a VM costs is shared by more pages",
                 failures(cheap))
    for name, apply, value, promise in BROKEN:
        data = figures()
        apply(data, value)
        found = failures(data)
        writer.check(any(text.startswith(promise) for text in found), "check: " + name, found)


def test_protocol(writer):
    """Sizes from the protocol's description, counted by hand"""
    for runs, shared, sizes in (
            (1, False, [40]), (1, True, [44]), (12, False, [216]), (13, False, [232]),
            (13, True, [236]), (512, False, [8216]), (513, False, [8216, 28]),
            (1024, True, [8220, 8204])):
        found = bench.give_messages(runs, shared)
        writer.check(found == sizes, "protocol: %d runs, %s" %
                     (runs, "shared" if shared else "lent"), [str(found)])
    found = [bench.packets(size) for size in (0, 4, 232, 233, 8204, 8216)]
    writer.check(found == [1, 1, 1, 2, 36, 36], "protocol: packets", [str(found)])
    requests, sends = bench.start_minimum(row(size=4 * bench.MIB))
    writer.check((requests, sends) == (FIXED + 2, FIXED + 72), "protocol: a start",
                 ["%d, %d" % (requests, sends)])


def test_compare(writer):
    a, b = figures(), figures()
    writer.check(not list(bench.differences(a, b, exact=True)), "compare: equal", [])
    at(b, **BIG)["set"]["hypervisor"] += 1
    lines = list(bench.differences(a, b, exact=True))
    writer.check(len(lines) == 1 and "set.hypervisor: 7, then 8" in lines[0],
                 "compare: one instruction more is a difference", lines)
    at(b, **BIG)["set"]["insns"] //= 2
    lines = [line for line in bench.differences(a, b) if "scattered lend 256 MiB" in line]
    writer.check(any("set.insns" in line and line.endswith(" 0.500") for line in lines),
                 "compare: half as much", lines)
    del b["rows"][0]
    lines = list(bench.differences(a, b)) + list(bench.differences(b, a))
    writer.check(sum(line.endswith("only in the first") for line in lines) == 1 and
                 sum(line.endswith("only in the second") for line in lines) == 1,
                 "compare: a row that one lacks", lines)
    b["rows"].append(copy.deepcopy(b["rows"][0]))
    try:
        list(bench.differences(a, b))
        caught = False
    except bench.Problem:
        caught = True
    writer.check(caught, "compare: a row that is there twice", [])


def test_calls(writer):
    data = figures()
    few, many = at(data, test="calls", regions=1), at(data, test="calls", regions=33)
    few["start"].update(insns=1000, sends=7, recvs=10)
    many["start"].update(insns=1000 + 32 * 250, sends=7 + 32, recvs=10 + 32)
    writer.check(bench.call_costs(data)[0] == ["MEM_LEND", "250.0", "0.0", "1.0", "1.0"],
                 "calls: the slope", [str(bench.call_costs(data))])


def test_rst(writer):
    data, again = figures(), figures()
    at(again, **BIG)["memory"]["run"] = 123456
    text = "Cost\n====\n\n%s\n\nold\n\n%s\n\nLimits\n" % (bench.BEGIN, bench.END)
    first = bench.replace(text, bench.rst(data))
    writer.check(first.startswith("Cost\n") and first.endswith("Limits\n") and
                 "\nold\n" not in first and "256 MiB" in first, "rst: between the markers",
                 first.splitlines())
    writer.check(bench.replace(first, bench.rst(data)) == first, "rst: the same again", [])
    second = bench.replace(first, bench.rst(again))
    writer.check("123456" in second and "123456" not in first, "rst: other figures", [])
    for name, bad in (("no markers", "Cost\n"), ("the wrong order", "%s\n%s\n" %
                                                 (bench.END, bench.BEGIN)),
                      ("two beginnings", bench.BEGIN + "\n" + text),
                      ("two ends", text + bench.END + "\n")):
        try:
            bench.replace(bad, "new")
            caught = False
        except bench.Problem:
            caught = True
        writer.check(caught, "rst: %s" % name, [])
    wide = [line for line in bench.rst(data).splitlines() if set(line) == {"=", " "}]
    writer.check(wide and all(len(line) < 100 for line in wide), "rst: no wide tables", wide)


def test_plot(writer):
    data = figures()
    refuse(data, None)
    script = bench.plot_script(data, "x.svg")
    writer.check("67108864 170.000 8.00000\n" in script and "268435456 170.000" not in
                 script.split("$d1")[0], "plot: what was measured, nothing else",
                 script.splitlines())
    data["rows"] = []
    try:
        bench.plot_script(data, "x.svg")
        caught = False
    except bench.Problem:
        caught = True
    writer.check(caught, "plot: of nothing", [])
    if not shutil.which("gnuplot"):
        writer.result(tap.SKIPPED, "plot: gnuplot")
        return
    with tempfile.TemporaryDirectory() as work:
        texts = []
        for name in ("a", "b"):
            os.mkdir(os.path.join(work, name))
            path = os.path.join(work, name, "x.svg")
            bench.plot(figures(), path)
            with open(path, encoding="utf-8") as file:
                texts.append(file.read())
    writer.check(texts[0] == texts[1] and "scattered, lend" in texts[0] and "256 MiB" in texts[0],
                 "plot: the same again", [])
    writer.check(texts[0].startswith("<!-- SPDX-License-Identifier: ") and
                 "gnuplot 5" not in texts[0].lower(), "plot: the licence, and no version", [])
    wrong = [line for line in texts[0].splitlines() if line != line.rstrip()]
    writer.check(not wrong, "plot: no blanks at the end of lines", wrong[:5])


def test_read(writer):
    """A console that a boot leaves, and the plugin's file"""
    lines = ['[    1.0] tap: # bench: {"test": "host", "release": "6.12", "memory": 1048576}',
             '[    1.1] tap: # bench: {"test": "cost", "kind": "huge", "how": "lend", '
             '"guests": 1, "regions": 1, "size": 4194304, "runs": 2, "set": {"pair": 2, '
             '"ticks": 99, "sends": 0}}', "[    1.2] tap: ok 1 - bench"]
    counted = '{"pair": 1, "error": "no end"}\n' \
        '{"pair": 2, "user": 3, "kernel": 40, "hypervisor": 500, "others": 6}\n'
    with tempfile.TemporaryDirectory() as work:
        paths = [os.path.join(work, name) for name in ("log", "insns")]

        def run(log, insns, *options):
            """What the runner does, with a boot that only writes files"""
            script = "import sys\nfor path, text in zip(sys.argv[1::2], sys.argv[2::2]):\n" \
                "    open(path, 'w').write(text)\n"
            with contextlib.redirect_stdout(io.StringIO()) as out:
                sys.argv = ["bench.py", "run", "--name", "x", "--folder", work, "--log", paths[0],
                            "--insns", paths[1], *options, "--", sys.executable, "-c", script,
                            paths[0], log, paths[1], insns]
                try:
                    bench.main()
                except bench.Problem as problem:
                    return None, str(problem)
            return bench.load(os.path.join(work, "x.json")), out.getvalue()

        data, _ = run("\n".join(lines), counted)
        found = data["rows"][0]["set"] if data else {}
        writer.check(found.get("insns") == 43 and found.get("hypervisor") == 500 and
                     data["insns"] == "plugin", "read: by the plugin", [str(data)])
        data, text = run("\n".join(lines), "", "--repeat", "2")
        writer.check(data and data["rows"][0]["set"]["insns"] == 99 and data["insns"] == "ticks" and
                     data["repeated"] == [] and "the same counts" in text, "read: by ticks, twice",
                     [str(data), text])
        _, text = run("\n".join(lines), counted.splitlines()[0].replace("1", "2"))
        writer.check("pair 2" in text, "read: the plugin missed a marker", [text])
        _, text = run("nothing\n", counted)
        writer.check("no figures" in text, "read: no figures", [text])
        _, text = run(lines[0] + "\n" + lines[1][:-5], counted)
        writer.check("not a row" in text, "read: half a row", [text])


def test_commands(writer):
    """What the commands say, and their status"""
    with tempfile.TemporaryDirectory() as work:
        good, bad = [os.path.join(work, name) for name in ("good.json", "bad.json")]
        data = figures()
        bench.save(data, good)
        change(BIG, "start", "sends")(data, lambda n: n + 1)
        bench.save(data, bad)
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench.py")
        for words, status, wanted in (
                (["check", good], 0, "ok     everything"), (["check", bad], 1, "FAILED cost"),
                (["check", "--tap", bad], 1, "not ok"),
                (["compare", "--exact", good, good], 0, "equal"),
                (["compare", "--exact", good, bad], 1, "start.sends"),
                (["compare", good, bad], 0, "start.sends"), (["table", good], 0, "MEM_RECLAIM"),
                (["check", work + "/none"], 1, "")):
            done = subprocess.run([sys.executable, program] + words, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, check=False)
            writer.check(done.returncode == status and wanted in done.stdout and
                         "Traceback" not in done.stderr,
                         "commands: " + " ".join(map(os.path.basename, words)),
                         ["status %d" % done.returncode] + done.stdout.splitlines()[-3:] +
                         done.stderr.splitlines()[-3:])


def main():
    writer = tap.Writer()
    for test in (test_protocol, test_check, test_compare, test_calls, test_rst, test_plot,
                 test_read, test_commands):
        test(writer)
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

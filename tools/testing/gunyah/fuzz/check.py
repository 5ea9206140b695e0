#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the fuzzers and report as TAP: check.py BUILD SEED TARGET:RUNS...

Each target first gets the inputs of regress/ that are for it, then so many runs that
begin with the seed inputs made here: the recordings of ../rm-traces, rogue.txt and a
guest's devicetree. The same arguments give the same runs. An input that fails is kept
in BUILD; "check.py keep TARGET FILE NAME" makes it a regression input.
"""

import glob
import os
import re
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TRACES = os.path.join(HERE, "..", "rm-traces")
REGRESS = os.path.join(HERE, "regress")
LIMITS = ["-timeout=20", "-rss_limit_mb=1024", "-max_len=4096", "-len_control=20"]
# Values that are compared guide the fuzzer, and addresses are among them
SAME_ADDRESSES = ["setarch", "-R"]
HEADER, PAYLOAD, PACKETS = 8, 232, 63
TYPES = {">": 1, "<": 2, "!": 3}
# Packets in one seed input
CHUNK = 24


def unhex(text):
    return bytes.fromhex("".join(line.split("#")[0] for line in text.splitlines()))


def packets(kind, msg_id, seq, payload):
    pieces = [payload[i:i + PAYLOAD] for i in range(0, len(payload), PAYLOAD)] or [b""]
    more = len(pieces) - 1
    return [struct.pack("<BBHI", 0x21, (0 if i else kind) | more << 2, seq, msg_id) + piece
            for i, piece in enumerate(pieces)]


def traces():
    """The packets of each recording, and whether the host sent them"""
    line = re.compile(r"([<>!]) ([0-9a-f]{8}) ([0-9a-f]{4}) (-|[0-9a-f]+)")
    for path in sorted(glob.glob(os.path.join(TRACES, "*.trace"))):
        found = []
        with open(path, encoding="utf-8") as file:
            for match in filter(None, map(line.match, file)):
                kind, msg_id, seq, payload = match.groups()
                payload = b"" if payload == "-" else bytes.fromhex(payload)
                if len(payload) <= PAYLOAD * PACKETS:
                    found += [(kind == ">", packet) for packet in packets(
                        TYPES[kind], int(msg_id, 16), int(seq, 16), payload)]
        yield found


def rogues():
    with open(os.path.join(HERE, "rogue.txt"), encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].split()
            if line:
                yield b"".join(bytes.fromhex(word[:-3]) * int(word[-2:]) if "*" in word
                               else bytes.fromhex(word) for word in line)


def chunks(items):
    return [items[i:i + CHUNK] for i in range(0, len(items), CHUNK)]


def raw(op, some):
    """A script of packets as they are, which is the same in all targets but for the code"""
    return b"".join(bytes((op, len(packet))) + packet for packet in some)


def seeds(build):
    found = {"msg": [], "engine": [], "model": [], "dtb": []}
    rogue = list(rogues())
    for recording in traces():
        for chunk in chunks([packet for _, packet in recording]):
            found["msg"].append(raw(0, chunk))
        # Somebody listens to each of the VMs, and all is delivered at the end
        listen = bytes((0, 0)) + bytes(x for i in range(4) for x in (13, i))
        for chunk in chunks([packet for host, packet in recording if not host]):
            found["engine"].append(listen + raw(1, chunk) + bytes((14,)))
        for chunk in chunks([packet for host, packet in recording if host]):
            found["model"].append(b"\1" + raw(0, chunk))
    found["msg"] += [raw(0, rogue), bytes.fromhex("fe05e80100000056" "fd80"),
                     bytes.fromhex("03018080010001000056ffff")]
    found["engine"].append(listen + raw(1, rogue) + bytes((14,)))
    # A call, its packets leave, an answer; one that is late; a parcel that is appended to
    found["engine"] += [bytes.fromhex(script) for script in (
        "0000" "08030408" "04" "020008aa" "0f", "0000" "08030408" "00" "07000800" "0f" "0f",
        "0000" "0b28" + "04" * 40 + "0200087f" + "04" * 40 + "02000400" "0b28" "02000400",
        "0000" "0b00" "0200087f" "0b00" "02000400", "0000" "0a00" "00" "02000881" "0f" "02000400")]
    # A list of resources: no, one, and one with the count of two
    for count, entries in ((0, 0), (1, 1), (2, 1)):
        reply = struct.pack("<II", 0, count) + bytes(range(44)) * entries
        found["engine"].append(bytes.fromhex("0000" "0a05" "80" "04") +
                               raw(1, packets(2, 0x56000020, 0, reply)) + b"\0")
    # A VM from its beginning to its end
    life = [bytes.fromhex(step) for step in (
        "07", "0200000000" "0003" "0100000000", "0f00000001", "1700", "1f00", "270001", "2f00",
        "03", "03", "03", "03", "3700", "3f00")]
    # The same, with an attempt at each step to take the memory back, or to begin again
    found["model"] += [b"\1" + raw(0, rogue), b"\1" + b"".join(life)]
    found["model"] += [b"\1" + b"".join(step + other for step in life)
                       for other in (life[12], life[1], life[6], b"\x81\x13\7", b"\x81\x0a\x08")]
    with open(os.path.join(build, "guest.dtb"), "rb") as file:
        tree = file.read()
    for room in (0, 0x100, 0x800):
        found["dtb"].append(struct.pack("<HBB", (len(tree) + room) // 4, 1, 0) + tree)
    return found


def write_all(folder, inputs):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for number, data in enumerate(inputs):
        with open(os.path.join(folder, "%03d" % number), "wb") as file:
            file.write(data)


def run(build, target, leaks, arguments):
    """Returns whether that went well; shows the end of the output if not"""
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=%d" % leaks)
    line = [os.path.join(build, target + "_fuzz"), "-artifact_prefix=%s/%s-" % (build, target)]
    # Where that is not permitted the runs are as many, but not the same each time
    if subprocess.run(SAME_ADDRESSES + ["true"], stderr=subprocess.DEVNULL,
                      check=False).returncode == 0:
        line = SAME_ADDRESSES + line
    done = subprocess.run(line + LIMITS + arguments, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        for text in done.stdout.decode(errors="replace").splitlines()[-60:]:
            print("# " + text)
    return done.returncode == 0


def regress(build, target):
    folder = os.path.join(build, "regress-" + target)
    inputs = []
    for path in sorted(glob.glob(os.path.join(REGRESS, target + "-*"))):
        with open(path, encoding="utf-8") as file:
            inputs.append(unhex(file.read()))
    write_all(folder, inputs)
    files = sorted(glob.glob(os.path.join(folder, "*")))
    return not files or run(build, target, 1, files)


def fuzz(build, target, inputs, seed, runs):
    begin, found = (os.path.join(build, name, target) for name in ("seeds", "found"))
    write_all(begin, inputs)
    write_all(found, [])
    # Looking for leaks in between is not repeatable: what was found is gone through again
    return run(build, target, 0, ["-reload=0", "-seed=" + seed, "-runs=" + runs, found, begin]) \
        and run(build, target, 1, ["-runs=0", found, begin])


def keep(target, path, name):
    with open(path, "rb") as file:
        data = file.read().hex()
    with open(os.path.join(REGRESS, "%s-%s" % (target, name)), "w", encoding="utf-8") as out:
        out.write("# SPDX-License-Identifier: GPL-2.0-only\n")
        for i in range(0, len(data), 64):
            out.write(data[i:i + 64] + "\n")


def main():
    build, seed = sys.argv[1:3]
    todo = [word.split(":") for word in sys.argv[3:]]
    inputs = seeds(build)
    number = failed = 0
    print("TAP version 13\n1..%d" % (2 * len(todo)), flush=True)
    for target, runs in todo:
        for name, good in (("regression inputs", lambda: regress(build, target)),
                           ("%s runs from seed %s" % (runs, seed),
                            lambda: fuzz(build, target, inputs[target], seed, runs))):
            number += 1
            result = good()
            failed += not result
            print("%sok %d - %s: %s" % ("" if result else "not ", number, target, name),
                  flush=True)
    sys.exit(failed != 0)


if __name__ == "__main__":
    if sys.argv[1] == "keep":
        keep(*sys.argv[2:5])
    else:
        main()

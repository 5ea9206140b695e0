#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot the lab's machine and judge what happened.

The console goes to a log file; on stdout come the results as TAP, or with --live
the console as a person wants to see it. With --interactive it is the terminal, and
nothing is judged.
"""

import argparse
import os
import re
import resource
import selectors
import subprocess
import sys
import time

import judge
import tap

# What a shell asks a terminal, for example where its cursor is
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[@-~]")
# Where the test hypervisor, and Gunyah's own QEMU platform, expect the kernel
OUR_KERNEL_AT = "0x41000000"
GUNYAH_KERNEL_AT = "0x41080000"


def qemu_line(args):
    command = ["console=ttyAMA0", "panic=-1", "printk.devkmsg=on", "lab=" + args.lab,
               "loglevel=%d" % (1 if args.interactive else 5 if args.live else 8)] + args.append
    machine = "virt,virtualization=on,gic-version=3"
    if args.gunyah:
        machine += ",highmem=off"
        cpu, memory, cpus, kernel_at = "max", "2G", 8, GUNYAH_KERNEL_AT
    else:
        command.append("hyp.policy=" + args.policy)
        # One CPU more than the host sees: it runs the guests
        cpu, memory, cpus, kernel_at = args.cpu, "512", args.cpus + 1, OUR_KERNEL_AT
    line = ["qemu-system-aarch64", "-machine", machine, "-cpu", cpu, "-smp", str(cpus),
            "-m", memory, "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
            "-kernel", args.hyp,
            "-device", "loader,file=%s,addr=%s,force-raw=on" % (args.image, kernel_at),
            "-initrd", args.initramfs, "-append", " ".join(command)]
    if args.bare:
        line = line[:line.index("-kernel")] + \
            ["-kernel", args.image] + line[line.index("-initrd"):]
        line[line.index("-machine") + 1] = "virt,gic-version=3"
    if args.interactive:
        # Ctrl-C is for the guest
        at = line.index("-serial")
        line[at:at + 2] = ["-chardev", "stdio,id=tty,signal=off", "-serial", "chardev:tty"]
    return line + args.qemu.split()


class Dialogue:
    """What to type on the console, and when: lines "wait TEXT" and "type TEXT" of a file

    What is typed ends with Enter; "^A" and "^M" in it stand for Ctrl-A and Enter.
    """

    def __init__(self, path):
        self.steps = []
        self.seen = b""
        with open(path, encoding="utf-8") as file:
            for line in file:
                verb, _, text = line.rstrip("\n").partition(" ")
                if verb in ("wait", "type"):
                    self.steps.append((verb, text.encode()))
                elif verb and not verb.startswith("#"):
                    sys.exit("run: %s: cannot understand: %s" % (path, verb))

    def feed(self, data):
        """Take output of the console, return what is to be typed now."""
        typed = b""
        self.seen += data
        while self.steps:
            verb, text = self.steps[0]
            if verb == "type":
                typed += text.replace(b"^A", b"\x01").replace(b"^M", b"\r") + b"\r"
            elif text in self.seen:
                self.seen = self.seen.partition(text)[2]
            else:
                break
            self.steps.pop(0)
        return typed

    def missing(self):
        """Return what was waited for in vain."""
        return [text.decode() for verb, text in self.steps if verb == "wait"]


class Console:
    """Runs QEMU; hands on its output line by line until it ends or time is up."""

    def __init__(self, line, log, seconds, dialogue):
        self.ended = False
        self.error = None
        self.log = open(log, "wb")
        self.deadline = time.monotonic() + seconds
        self.dialogue = dialogue
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        stdin=subprocess.PIPE if dialogue else
                                        subprocess.DEVNULL)

    def lines(self):
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        rest = b""
        while True:
            left = self.deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                break
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                self.ended = self.process.wait() == 0
                break
            self.log.write(data)
            self.log.flush()
            if self.dialogue:
                self.type(self.dialogue.feed(data))
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")
        if rest:
            yield rest.decode(errors="replace")

    def type(self, text):
        try:
            self.process.stdin.write(text)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass                # QEMU has ended, which is seen elsewhere

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def show(text, verdict):
    """Show a line to a person: what commands say, and what they are if that is shown."""
    text = ESCAPES.sub("", text)
    marker = re.search(r"lab: begin (?:show|talk) (.*)$", text)
    if marker:
        print("$ " + marker.group(1), flush=True)
    elif "hyp: " in text or judge.SPLATS.search(text) or \
            (verdict.command and "lab: " not in text):
        print(text, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lab", help="name of the commands that /init carries out")
    parser.add_argument("--image", required=True, help="the host's kernel")
    parser.add_argument("--initramfs", required=True)
    parser.add_argument("--hyp", default="", help="hypervisor")
    parser.add_argument("--gunyah", action="store_true", help="which is a Gunyah image")
    parser.add_argument("--bare", action="store_true", help="no hypervisor at all")
    parser.add_argument("--policy", default="production")
    parser.add_argument("--cpu", default="cortex-a57", help="the model of the CPUs")
    parser.add_argument("--cpus", type=int, default=2, help="that the host sees")
    parser.add_argument("--timeout", type=int, default=300, help="seconds")
    parser.add_argument("--name", help="of the suite (default: that of the commands)")
    parser.add_argument("--log", required=True)
    parser.add_argument("--live", action="store_true", help="show the console, not TAP")
    parser.add_argument("--interactive", action="store_true", help="the console is the terminal")
    parser.add_argument("--talk", metavar="FILE", help="what to type, and when")
    parser.add_argument("--wanted", action="append", default=[], metavar="TEXT",
                        help="a line of the console has to contain it; in this order")
    parser.add_argument("--append", action="append", default=[], help="to the command line")
    parser.add_argument("--qemu", default="", help="more arguments for QEMU")
    return parser.parse_args()


def main():
    args = arguments()
    start = time.monotonic()
    for path in (args.image, args.initramfs) + (() if args.bare else (args.hyp,)):
        if not os.path.isfile(path):
            sys.exit("run: %s is missing" % path)
    os.makedirs(os.path.dirname(os.path.abspath(args.log)), exist_ok=True)

    writer = tap.Writer(*([lambda text: None] if args.live else []))
    verdict = judge.Judge(writer, args.name or args.lab)
    wanted = list(args.wanted)
    line = qemu_line(args)
    if args.interactive:
        os.execvp(line[0], line)
    dialogue = Dialogue(args.talk) if args.talk else None
    console = Console(line, args.log, args.timeout, dialogue)
    try:
        for text in console.lines():
            verdict.line(text)
            if wanted and wanted[0] in text:
                wanted.pop(0)
            if args.live:
                show(text.rstrip("\r"), verdict)
    finally:
        console.close()
    verdict.finish(wanted + (dialogue.missing() if dialogue else []), console.ended)
    status = writer.end()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("%-24s %7.1f s wall %7.1f s CPU" % ("boot " + verdict.name, time.monotonic() - start,
                                              usage.ru_utime + usage.ru_stime), file=sys.stderr)
    if status and args.live:
        for trouble in verdict.trouble or ["a command failed"]:
            print("run: " + trouble, file=sys.stderr)
        print("run: the whole console is in " + args.log, file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit("run: %s" % problem)
    except KeyboardInterrupt:
        sys.exit(130)

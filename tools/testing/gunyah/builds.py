#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compile the drivers for many kernels: builds.py TREE OUT KERNEL [REGEX]

Prints TAP, one result for each kernel of the table below whose name matches REGEX. With
W=1, and a warning is a failure. Only the drivers are compiled, and what they need of the
kernel's own: kernels that have much in common are one after the other in one folder of
OUT. KERNEL is the folder where the lab's kernel was built: what the drivers want of it
has to be there. In the end the programs for user space, with the tree's headers.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import time

import tap

LAB = os.path.dirname(os.path.abspath(__file__))
PATHS = ("drivers/virt/gunyah/", "drivers/mailbox/gunyah-msgq.o")
TEST_PATHS = ("drivers/mailbox/gunyah-msgq-test.o",)
CCACHE = ["ccache"] if shutil.which("ccache") else []
# What is up to date is not compiled again; what else is installed makes no difference
MAKE = ["make", "-s", "-j%d" % len(os.sched_getaffinity(0)), "RUSTC=false", "PAHOLE=false"]
# What the compiler calls on its own on machines of 32 bits, where the kernel has other means
LIBGCC = re.compile(r"__\w+[ds]i[1-4]$")

PARTS = ("GUNYAH_VCPU", "GUNYAH_IRQFD", "GUNYAH_IOEVENTFD", "GUNYAH_QCOM_PLATFORM")


def gunyah(value, **others):
    """The drivers as modules (m), or built in (y)"""
    return {"GUNYAH": value, "GUNYAH_ANDROID": "y", **dict.fromkeys(PARTS, value), **others}


def tests(value, kunit="y"):
    return gunyah(value, GUNYAH_KUNIT_TEST=value, KUNIT=kunit)


CROSS = ("ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-")


# With gcc for arm64 is enough
NO_KERNEL_DOC = "KERNELDOC=true"


def cross(compiler):
    return [*CROSS, "CC=" + " ".join(CCACHE + [compiler])]


def native(arch, compiler):
    return ["ARCH=" + arch, "CC=" + " ".join(CCACHE + [compiler]), NO_KERNEL_DOC]


# For what is not the lab's own kernel: the smallest there is, without tracing, lockdep, COMPAT
SMALL = {"EXPERT": "y", "PRINTK": "y", "MODULES": "y", "MODULE_UNLOAD": "y", "VIRT_DRIVERS": "y",
         "MAILBOX": "y", "DEBUG_FS": "y"}
OTHER = {**SMALL, "COMPILE_TEST": "y", "OF": "y"}

ARM64 = cross("aarch64-linux-gnu-gcc")
# Byte orders are a matter of types, which sparse looks at
SPARSE = [NO_KERNEL_DOC, "C=1", "CHECK=sparse"]

# Folder, variables for the kernel's make, symbols (None: those of the lab's kernel), and the
# kernels: a name, and more symbols
KERNELS = (
    ("arm64", ARM64, None, (
        ("modules", gunyah("m")),
        ("without vCPUs", gunyah("m", GUNYAH_VCPU="n")),
        ("without irqfds", gunyah("m", GUNYAH_IRQFD="n")),
        ("without ioeventfds", gunyah("m", GUNYAH_IOEVENTFD="n")),
        ("without Android's ioctls", gunyah("m", GUNYAH_ANDROID="n")),
        ("without Qualcomm's platforms", gunyah("m", GUNYAH_QCOM_PLATFORM="n")),
        # The lab's kernel has qcom_scm as a module
        ("built in", gunyah("y", GUNYAH_QCOM_PLATFORM="m")),
        ("built in, vCPUs and eventfds as modules", gunyah("y", **dict.fromkeys(PARTS, "m"))),
    )),
    ("arm64-small", ARM64, SMALL, (
        ("without tracing", gunyah("m")),
        ("without debugfs", gunyah("m", DEBUG_FS="n")),
        ("without modules", gunyah("y", MODULES="n", MODULE_UNLOAD="n")),
        ("16 KiB, without unloading, KUnit as module",
         tests("m", kunit="m") | {"ARM64_16K_PAGES": "y", "MODULE_UNLOAD": "n"}),
        ("64 KiB", tests("m") | {"ARM64_64K_PAGES": "y"}),
        ("64 KiB, tests without vCPUs",
         tests("m") | {"ARM64_64K_PAGES": "y", "GUNYAH_VCPU": "n"}),
    )),
    ("arm64-be", ARM64 + SPARSE, SMALL, (
        ("big endian", gunyah("m", CPU_BIG_ENDIAN="y")),
    )),
    ("arm64-clang", cross("clang") + [NO_KERNEL_DOC], SMALL, (
        ("modules and tests", tests("m")),
        ("built in", gunyah("y")),
    )),
    ("x86", native("x86_64", "gcc"), OTHER | {"64BIT": "y"}, (
        ("modules and tests", tests("m")),
        ("built in", gunyah("y")),
    )),
    ("x86-clang", native("x86_64", "clang"), OTHER | {"64BIT": "y"}, (
        ("modules", gunyah("m")),
    )),
    ("i386", native("i386", "gcc"), OTHER, (
        ("modules and tests", tests("m")),
    )),
    ("um", native("um", "gcc"), OTHER | {"64BIT": "y"}, (
        ("modules", gunyah("m")),
        # Built in as well by suite kunit
        ("built in, tests as modules", tests("y") | {"GUNYAH_KUNIT_TEST": "m"}),
    )),
)


# The programs: a name, and how they are made, with %(tree)s and %(out)s
SELFTESTS = "%(tree)s/tools/testing/selftests"
PROGRAMS = (
    ("kselftests", ["-C", SELFTESTS, "TARGETS=gunyah", "O=%(out)s", *CROSS]),
    ("kselftests with clang",
     ["-C", SELFTESTS + "/gunyah", "OUTPUT=%(out)s/clang", "CC=clang --target=aarch64-linux-gnu",
      "KHDR_INCLUDES=-isystem %(out)s/usr/include", *CROSS]),
    ("gh-vmm", ["-C", "%(tree)s/tools/virt/gunyah", "O=%(out)s/gh-vmm", *CROSS]),
    ("gh-vmm with clang", ["-C", "%(tree)s/tools/virt/gunyah", "O=%(out)s/gh-vmm-clang",
                           "CC=clang --target=aarch64-linux-gnu", *CROSS]),
)


class Failed(Exception):
    """What to say of it, as lines"""


def run(log, *command):
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as child:
        lines = child.stdout.read().splitlines()
    log.write("\n".join(["$ " + " ".join(command), *lines, ""]))
    if child.returncode:
        raise Failed([line for line in lines if "error:" in line][:10] + lines[-10:])
    return lines


def ours(out):
    """Yield the objects of a build that are linked into the kernel, or are a module."""
    folder = os.path.join(out, "drivers/virt/gunyah")
    if os.path.exists(os.path.join(folder, "built-in.a")):
        yield os.path.join(folder, "built-in.a")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".mod"):
            yield os.path.join(folder, name[:-len(".mod")] + ".o")
    yield os.path.join(out, "drivers/mailbox/gunyah-msgq.o")


def symbols(objects):
    """Return what objects define, export, and do not define."""
    defined, exported, undefined = set(), set(), set()
    listed = subprocess.run(["nm", *objects], stdout=subprocess.PIPE, text=True, check=True).stdout
    for kind, name in re.findall(r"^[0-9a-f ]* (\w) (\S+)$", listed, re.M):
        if name.startswith("__export_symbol_"):
            exported.add(name.removeprefix("__export_symbol_"))
        elif kind in "Uw":
            undefined.add(name)
        else:
            defined.add(name)
    return defined, exported, undefined - defined


def kernel_has(kernel):
    """Return the symbols that a kernel has for what is built in, and for modules."""
    with open(os.path.join(kernel, "System.map"), encoding="utf-8") as file:
        built_in = {line.split()[2] for line in file}
    with open(os.path.join(kernel, "Module.symvers"), encoding="utf-8") as file:
        # The first is made up for each module
        return built_in, {"__this_module"} | {line.split()[1] for line in file}


def check_symbols(out, kernel, msgq_built_in):
    """What the objects want has to be there."""
    objects = {path: symbols([path]) for path in ours(out)}
    for path, (_, _, undefined) in objects.items():
        helpers = sorted(name for name in undefined if LIBGCC.match(name))
        if helpers:
            raise Failed(["%s: calls %s" % (path, " ".join(helpers))])
    if not kernel:
        return
    built_in, modules = kernel_has(kernel)
    for path, (defined, exported, _) in objects.items():
        modules |= exported
        if path.endswith(".a") or (msgq_built_in and path.endswith("msgq.o")):
            built_in |= defined
    for path, (_, _, undefined) in objects.items():
        if path.endswith(".a") or (msgq_built_in and path.endswith("msgq.o")):
            missing = undefined - built_in
        else:
            missing = undefined - modules
        if missing:
            raise Failed(["%s: the kernel has no %s" % (os.path.basename(path),
                                                        " ".join(sorted(missing)))])


def build(tree, out, variables, fragments, wanted, kernel, log):
    """Configure and compile one kernel."""
    with open(os.path.join(out, "more.config"), "w", encoding="utf-8") as file:
        file.writelines("# CONFIG_%s is not set\n" % name if value == "n" else
                        "CONFIG_%s=%s\n" % (name, value) for name, value in wanted.items())
    run(log, os.path.join(LAB, "kconfig.py"), tree, out, *fragments,
        os.path.join(out, "more.config"), *variables)
    # Objects of what was a module and is now built in, and the other way round
    for folder in ("drivers/virt/gunyah", "drivers/mailbox"):
        for name in glob.glob(os.path.join(out, folder, "*.mod")) + \
                glob.glob(os.path.join(out, folder, "built-in.a")):
            os.unlink(name)
    paths = PATHS + (TEST_PATHS if wanted.get("GUNYAH_KUNIT_TEST") else ())
    lines = run(log, *MAKE, "-C", tree, "O=" + out, *variables, "W=1e", *paths)
    warnings = [line for line in lines if re.search(r"gunyah.*warning:", line, re.IGNORECASE)]
    if warnings:
        raise Failed(warnings[:10])
    check_symbols(out, kernel, wanted["GUNYAH"] == "y")


def build_programs(tree, out, writer, chosen):
    """Make each program anew, as only what is compiled can warn."""
    places = {"tree": tree, "out": out}
    programs = [program for program in PROGRAMS if chosen.search(program[0])]
    if not programs:
        return
    with open("build/log/builds-programs.log", "w", encoding="utf-8") as log:
        for folder in ("kselftest", "clang", "gh-vmm", "gh-vmm-clang"):
            shutil.rmtree(os.path.join(out, folder), ignore_errors=True)
        try:
            os.makedirs(os.path.join(out, "clang"))
            run(log, *MAKE, "-C", tree, "O=" + out, "ARCH=arm64", "headers")
            writer.check(True, "headers")
        except Failed as error:
            writer.check(False, "headers", error.args[0])
        for name, args in programs:
            try:
                lines = run(log, *MAKE, *(arg % places for arg in args))
                warnings = [line for line in lines if "warning:" in line]
                writer.check(not warnings, name, warnings[:10])
            except Failed as error:
                writer.check(False, name, error.args[0])


def main():
    tree, root, kernel = (os.path.abspath(path) for path in sys.argv[1:4])
    chosen = re.compile(sys.argv[4] if len(sys.argv) > 4 else "")
    writer = tap.Writer()
    os.makedirs("build/log", exist_ok=True)
    for folder, variables, base, kernels in KERNELS:
        out = os.path.join(root, folder)
        os.makedirs(out, exist_ok=True)
        with open("build/log/builds-%s.log" % folder, "w", encoding="utf-8") as log:
            for name, more in kernels:
                name = "%s: %s" % (folder, name)
                if not chosen.search(name):
                    continue
                fragments = [] if base else [os.path.join(LAB, "kernel.config")]
                compare = kernel if not base and "GUNYAH_KUNIT_TEST" not in more else None
                before = time.monotonic()
                try:
                    build(tree, out, variables, fragments, {**(base or {}), **more}, compare, log)
                except Failed as error:
                    # What is up to date would not warn again
                    shutil.rmtree(os.path.join(out, "drivers"), ignore_errors=True)
                    writer.check(False, name, error.args[0])
                else:
                    writer.check(True, name)
                log.write("%s: %.1f s\n" % (name, time.monotonic() - before))
    build_programs(tree, os.path.join(root, "programs"), writer, chosen)
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

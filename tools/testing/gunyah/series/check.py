#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Check a series patch by patch, and report in TAP: check.py TREE OUT [VAR=VALUE]...

The patches in OUT are applied one after the other, by git am, to a copy of TREE
without the overlay. After each the tree has to build as far as the patch touches it:
the drivers as modules, built in, and without each of the symbols there are; with --short
as modules only. In the end the tree has to be that which has the overlay. The variables
are for the kernel's make.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys

import series as series_
from series import overlay

LAB = os.path.dirname(series_.FOLDER)
sys.path.insert(0, os.path.join(LAB, "lint"))

import exceptions  # noqa: E402
import tap  # noqa: E402

# With each new file it asks about MAINTAINERS; coverage() below has the answer. The name of
# a folder in the diffstat makes it believe that syzkaller has found what the patch mends.
CHECKPATCH = ("scripts/checkpatch.pl", "--strict", "--terse", "--showfile", "--show-types",
              "--no-summary", "--max-line-length=100", "--ignore", "FILE_PATH_CHANGES,MISSING_FIXES_TAG")
Finding = collections.namedtuple("Finding", "path kind text")
KERNEL = ("drivers/virt/gunyah/", "drivers/mailbox/")
TOOLS = {
    "tools/virt/gunyah/": ["-C", "tools/virt/gunyah", "O={out}/gh-vmm"],
    "tools/testing/selftests/gunyah/": ["-C", "tools/testing/selftests/gunyah",
                                        "OUTPUT={out}/selftests", "LDFLAGS=-static"],
    "tools/testing/gunyah/hyp/": ["-C", "tools/testing/gunyah/hyp", "O={out}/hyp"],
    "tools/testing/gunyah/model/": ["-C", "tools/testing/gunyah/model", "O={out}/model"],
    "tools/testing/gunyah/vmm/": ["-C", "tools/testing/gunyah/vmm", "O={out}/vmm"],
}


class Checker:
    def __init__(self, args):
        self.tap = tap.Writer()
        self.variables = args.variables
        self.work = os.path.abspath(args.work)
        self.tree = os.path.join(self.work, "tree")
        self.short = args.short
        self.patches = os.path.abspath(args.out)
        self.series = series_.Series()
        self.base = series_.Base(args.tree)
        self.exceptions = exceptions.Table(os.path.join(LAB, "lint/exceptions.txt"))
        self.edited = {edit.path for edit in overlay.load_snippet(self.series.root)}

    def result(self, good, name, detail=""):
        self.tap.check(good, name, detail.strip().splitlines()[-30:])
        return good

    def run(self, *command):
        """Run a command in the tree; return whether it succeeded, and what it printed."""
        env = {name: value for name, value in os.environ.items()
               if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        # checkpatch needs modules that the distribution's Python has
        env["PATH"] = "/usr/bin:" + env["PATH"]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, cwd=self.tree, env=env,
                                check=False)
        return result.returncode == 0, result.stdout.decode(errors="replace")

    def prepare(self):
        """Make the tree without the overlay, as a git repository of the files it changes."""
        shutil.rmtree(self.tree, ignore_errors=True)
        os.makedirs(self.work, exist_ok=True)
        # git and overlay.py replace files, they do not write into them
        subprocess.run(["cp", "-al", self.base.tree.path, self.tree], check=True)
        overlay.Tree(self.tree).unapply()
        # Where checkpatch looks which licences there are
        tracked = ["LICENSES", *self.edited]
        name, email = series_.person()
        for command in (["init", "-q"], ["config", "user.name", name],
                        ["config", "user.email", email], ["add", "-f", *tracked],
                        ["commit", "-q", "-m", "base"]):
            series_.run("git", *command, cwd=self.tree)

    def symbols(self):
        """Return the symbols of the drivers that a user can choose."""
        path = os.path.join(self.tree, "drivers/virt/gunyah/Kconfig")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as file:
            return {match.group(1): match.group(2) for match in
                    re.finditer(r"^config (\w+)\n\t(tristate|bool) \"", file.read(), re.M)}

    def configure(self, out, values):
        fragment = out + ".config"
        with open(os.path.join(LAB, "kernel.config"), encoding="utf-8") as file:
            lines = [line for line in file if "GUNYAH" not in line]
        if values.get("GUNYAH_KUNIT_TEST", "n") != "n":
            lines.append("CONFIG_KUNIT=y\n")
        lines += ["# CONFIG_%s is not set\n" % name if value == "n" else
                  "CONFIG_%s=%s\n" % (name, value) for name, value in values.items()]
        text = "".join(lines)
        config = os.path.join(out, ".config")
        if os.path.exists(config) and overlay.read(fragment).decode() == text and \
                os.path.getmtime(config) > os.path.getmtime(
                        os.path.join(self.tree, "drivers/virt/gunyah/Kconfig")):
            return True, ""
        with open(fragment, "w", encoding="utf-8") as file:
            file.write(text)
        return self.run(os.path.join(LAB, "kconfig.py"), self.tree, out, fragment,
                        *self.variables)

    def build(self, name, folder, values):
        out = os.path.join(self.work, folder)
        good, text = self.configure(out, values)
        if good:
            good, text = self.run("make", "-s", "O=" + out, *self.variables, "W=1",
                                  "-j%d" % (os.cpu_count() or 1), *KERNEL)
            ours = [line for line in text.splitlines()
                    if re.search("gunyah.*(warning|error):", line)]
            if good and ours:
                good, text = False, "\n".join(ours)
        self.result(good, name, text)

    def builds(self, name, touched):
        symbols = self.symbols()
        if "GUNYAH" not in symbols:
            return
        modules = {symbol: "m" if kind == "tristate" else "y"
                   for symbol, kind in symbols.items()}
        self.build("%s: builds as modules" % name, "m", modules)
        if self.short:
            return
        self.build("%s: builds built in" % name, "y", dict.fromkeys(symbols, "y"))
        others = [symbol for symbol in symbols if symbol != "GUNYAH"]
        if others:
            self.build("%s: builds without %s" % (name, ", ".join(others)), "n",
                       dict(modules, **dict.fromkeys(others, "n")))
        # One at a time where it can make a difference
        if len(others) > 1 and "drivers/virt/gunyah/Kconfig" in touched:
            for symbol in others:
                self.build("%s: builds without %s" % (name, symbol), "1",
                           dict(modules, **{symbol: "n"}))

    def tools(self, name, touched):
        for folder, arguments in TOOLS.items():
            if any(path.startswith(folder) for path in touched) and \
                    os.path.exists(os.path.join(self.tree, folder, "Makefile")):
                good, text = self.run(
                    "make", "-s", *[arg.format(out=self.work) for arg in arguments],
                    "LIBFDT=" + os.path.join(self.tree, "scripts/dtc/libfdt"),
                    *[v for v in self.variables if v.startswith(("ARCH=", "CROSS_COMPILE="))])
                self.result(good, "%s: %s builds" % (name, folder), text)

    def patch(self, name):
        path = os.path.join(self.patches, name)
        good, text = self.run("git", "am", "-q", path)
        if not self.result(good, "%s: applies" % name, text):
            return False
        self.checkpatch(name, path)
        touched = series_.run("git", "diff", "--name-only", "HEAD~", cwd=self.tree)
        touched = touched.decode().splitlines()
        self.coverage(name, touched)
        if any(path.startswith(("drivers/", "include/")) for path in touched):
            self.builds(name, touched)
        self.tools(name, touched)
        return True

    def checkpatch(self, name, path):
        """What make lint excepts in a file is excepted in the patch that brings it."""
        good, text = self.run(*CHECKPATCH, path)
        lines = text.strip().splitlines()
        found = [(line, re.match(r"(\S+?):\d+: \w+:(\w+): (.*)", line)) for line in lines]
        bad = [line for line, match in found
               if not match or self.exceptions.filter([Finding(*match.groups())])]
        self.result(not bad and (good or lines), "%s: checkpatch --strict" % name,
                        "\n".join(bad) or text)

    def coverage(self, name, touched):
        """Has MAINTAINERS a line for each file, and is each page in the index?"""
        entry = self.series.state(self.series.patches[-1].number)["MAINTAINERS"].decode()
        entry = overlay.read(os.path.join(self.tree, "MAINTAINERS")).decode().partition(
            entry.splitlines()[0] + "\n")[2].partition("\n\n")[0]
        patterns = re.findall(r"^F:\t(.*)$", entry, re.M)
        bare = [path for path in touched if path not in self.edited and
                not any(series_.matches(path, p + "**" if p.endswith("/") else p)
                        for p in patterns)]
        self.result(not bare, "%s: MAINTAINERS has what is new" % name, "\n".join(bare))
        folder = os.path.join(self.tree, "Documentation/virt/gunyah")
        index = overlay.read(os.path.join(folder, "index.rst")).decode()
        listed = set(re.findall(r"^   ([\w-]+)$", index.partition(".. toctree::")[2], re.M))
        pages = {page[:-4] for page in os.listdir(folder) if page.endswith(".rst")} - {"index"}
        self.result(listed == pages, "%s: the index lists the pages" % name,
                        "differ: " + ", ".join(sorted(listed ^ pages)))

    def final(self):
        wanted = series_.changes(self.series, len(self.series.patches), self.base)
        bad = [path for path, data in wanted.items()
               if not os.path.isfile(os.path.join(self.tree, path)) or
               overlay.read(os.path.join(self.tree, path)) != data]
        tracked = series_.run("git", "ls-files", cwd=self.tree).decode().splitlines()
        bad += sorted({path for path in tracked if not path.startswith("LICENSES/")} ^
                      set(wanted))
        # What the manifest makes of the overlay is not to be asked here
        for path in overlay.overlay_files(self.series.root):
            if overlay.read(os.path.join(self.series.root, path)) != \
                    overlay.read(os.path.join(self.tree, path)):
                bad.append(path)
        self.result(not bad, "the tree has the overlay, and nothing else", "\n".join(bad))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("tree")
    parser.add_argument("out", help="folder with the patches, written anew")
    parser.add_argument("--work", required=True, help="folder for what is built")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("variables", nargs="*")
    args = parser.parse_args()
    checker = Checker(args)
    names = series_.export(checker.series, checker.base, args.out)
    checker.prepare()
    for name in names:
        if not checker.patch(name):
            break
    else:
        checker.final()
    sys.exit(checker.tap.end())


if __name__ == "__main__":
    try:
        main()
    except (series_.SeriesError, overlay.OverlayError, OSError) as error:
        sys.exit("series: %s" % error)

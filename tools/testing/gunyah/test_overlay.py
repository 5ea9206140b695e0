#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of overlay.py: test_overlay.py [TREE]. Prints TAP.

Works on small trees of its own, then on a copy (of hard links) of TREE, which
has the overlay in it and, in .lab-unpacked, the checksums of a tree without.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

import overlay
import tap

HERE = os.path.dirname(os.path.abspath(__file__))
SNIPPET = """\
# comment
file drivers/virt/Kconfig
before endif
+source "drivers/virt/new/Kconfig"
+
file drivers/virt/Makefile
after obj-$(CONFIG_A) += a/
+obj-$(CONFIG_NEW)	+= new/
file MAINTAINERS
before HABANA
+<MAINTAINERS
+
"""
OVERLAY = {
    "Kconfig.snippet": SNIPPET,
    "MAINTAINERS": "GUNYAH\nF:\tdrivers/virt/new/\n",
    "Makefile": "not to be copied\n",
    "drivers/virt/new/Kconfig": "config NEW\n",
    "drivers/virt/new/new.c": "int x;\n",
    "drivers/virt/new/new.o": "not to be copied\n",
    "include/linux/new.h": "int x;\n",
    "tools/new/run.sh": "#!/bin/sh\n",
}
TREE = {
    "Kbuild": "\n",
    "Makefile": "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n",
    "MAINTAINERS": "ACRN\nF:\tx\n\nHABANA\nF:\ty\n",
    "drivers/virt/Kconfig": "menu\n\nendif\n",
    "drivers/virt/Makefile": "obj-$(CONFIG_A)\t\t+= a/\nobj-y\t+= b/\n",
    "include/linux/old.h": "int y;\n",
}
# What a kernel of another version needs: a changed line, a new file, one less, other lines
BACKPORT = {
    overlay.BACKPORT + "/6.1/0001-first.patch": """\
A reason

--- a/drivers/virt/new/new.c
+++ b/drivers/virt/new/new.c
@@ -1 +1 @@
-int x;
+int old;
--- /dev/null
+++ b/drivers/virt/new/compat.h
@@ -0,0 +1 @@
+int compat;
""",
    overlay.BACKPORT + "/6.1/0002-second.patch": """\
diff --git a/include/linux/new.h b/include/linux/new.h
deleted file mode 100644
--- a/include/linux/new.h
+++ /dev/null
@@ -1 +0,0 @@
-int x;
--- a/Kconfig.snippet
+++ b/Kconfig.snippet
@@ -7,2 +7,3 @@
 +obj-$(CONFIG_NEW)	+= new/
++obj-$(CONFIG_OLD)	+= old/
 file MAINTAINERS
--- a/drivers/virt/new/new.c
+++ b/drivers/virt/new/new.c
@@ -1 +1 @@
-int old;
+int older;
""",
    overlay.BACKPORT + "/6.1/README": "no patch\n",
}


def write(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def state(root, names=None):
    """Everything about a tree: contents, modes, folders (empty ones too)."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), root)] = "folder"
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = (os.stat(path).st_mode, file.read())
    return found


def times(root):
    return {os.path.join(folder, name): os.stat(os.path.join(folder, name)).st_mtime_ns
            for folder, _, files in os.walk(root) for name in files}


class Case:
    """A small overlay and a small tree"""

    def __init__(self, folder):
        self.root = os.path.join(folder, "overlay")
        self.tree = os.path.join(folder, "tree")
        for path in self.root, self.tree:
            shutil.rmtree(path, ignore_errors=True)
        write(self.root, OVERLAY)
        write(self.tree, TREE)
        os.chmod(os.path.join(self.root, "tools/new/run.sh"), 0o755)
        os.chmod(os.path.join(self.tree, "MAINTAINERS"), 0o640)
        self.before = state(self.tree)

    def read(self, name):
        with open(os.path.join(self.tree, name), encoding="utf-8") as file:
            return file.read()

    def apply(self):
        overlay.Tree(self.tree).apply(self.root)

    def unapply(self):
        overlay.Tree(self.tree).unapply()

    def restored(self):
        return state(self.tree) == self.before


def refused(case, function, text):
    """The function fails with a message that has the text, and changes nothing."""
    now = state(case.tree)
    try:
        function()
    except overlay.OverlayError as error:
        return text in str(error) and state(case.tree) == now
    return False


def small(writer, folder):
    case = Case(folder)
    case.apply()
    writer.check(case.read("drivers/virt/Kconfig") ==
                 "menu\n\nsource \"drivers/virt/new/Kconfig\"\n\nendif\n", "lines before a line")
    writer.check(case.read("drivers/virt/Makefile") ==
                 "obj-$(CONFIG_A)\t\t+= a/\nobj-$(CONFIG_NEW)\t+= new/\nobj-y\t+= b/\n",
                 "lines after a line")
    writer.check(case.read("MAINTAINERS") ==
                 "ACRN\nF:\tx\n\nGUNYAH\nF:\tdrivers/virt/new/\n\nHABANA\nF:\ty\n",
                 "lines of a file")
    after = state(case.tree)
    writer.check(set(after) - set(case.before) - {n for n in after if n.startswith(".gunyah")} ==
                 {"drivers/virt/new", "drivers/virt/new/Kconfig", "drivers/virt/new/new.c",
                  "include/linux/new.h", "tools", "tools/new", "tools/new/run.sh"},
                 "files of the overlay are copied, build products and others are not")
    writer.check(after["tools/new/run.sh"][0] & 0o777 == 0o755, "mode of a copy")
    writer.check(after["MAINTAINERS"][0] & 0o777 == 0o640, "mode of an edited file")

    stamps = times(case.tree)
    case.apply()
    writer.check(state(case.tree) == after and times(case.tree) == stamps,
                 "twice is the same as once, and touches nothing")
    write(case.root, {"drivers/virt/new/new.c": "int z;\n"})
    case.apply()
    touched = {os.path.relpath(n, case.tree) for n, t in times(case.tree).items()
               if stamps.get(n) != t}
    writer.check(touched == {"drivers/virt/new/new.c", ".gunyah-overlay/manifest"},
                 "only what has changed is touched", sorted(touched))
    case.unapply()
    writer.check(case.restored(), "unapply restores everything")
    case.unapply()
    writer.check(case.restored(), "unapply of a tree without the overlay changes nothing")

    case = Case(folder)
    case.apply()
    os.unlink(os.path.join(case.root, "include/linux/new.h"))
    shutil.rmtree(os.path.join(case.root, "tools"))
    case.apply()
    writer.check(not os.path.exists(os.path.join(case.tree, "include/linux/new.h")) and
                 not os.path.exists(os.path.join(case.tree, "tools")),
                 "stale copies and folders are removed")
    write(case.root, {"Kconfig.snippet": SNIPPET[SNIPPET.index("file MAINTAINERS"):]})
    case.apply()
    writer.check(case.read("drivers/virt/Kconfig") == TREE["drivers/virt/Kconfig"] and
                 "GUNYAH" in case.read("MAINTAINERS"), "stale lines are removed")
    write(case.root, {"MAINTAINERS": "GUNYAH\nF:\tother/\n"})
    case.apply()
    writer.check(case.read("MAINTAINERS").count("GUNYAH") == 1 and
                 "other/" in case.read("MAINTAINERS"), "changed lines replace the old ones")
    case.unapply()
    writer.check(case.restored(), "unapply after that restores everything")

    case = Case(folder)
    case.apply()
    text = case.read("MAINTAINERS")
    write(case.tree, {"MAINTAINERS": text + "\nZRAM\n", "drivers/virt/new/mine.c": "mine\n"})
    case.apply()
    writer.check(case.read("MAINTAINERS") == text + "\nZRAM\n",
                 "the user's lines in an edited file stay at apply")
    case.unapply()
    writer.check(case.read("MAINTAINERS") == TREE["MAINTAINERS"] + "\nZRAM\n" and
                 case.read("drivers/virt/new/mine.c") == "mine\n",
                 "and at unapply, and so do files that the user added")

    case = Case(folder)
    case.apply()
    write(case.tree, {"drivers/virt/new/new.c": "int mine;\n"})
    writer.check(refused(case, case.apply, "new.c") and refused(case, case.unapply, "new.c"),
                 "a copy that the user changed is neither overwritten nor removed")
    case = Case(folder)
    case.apply()
    write(case.tree, {"drivers/virt/Makefile": "obj-$(CONFIG_A) += a/\nobj-m += new/\n"})
    writer.check(refused(case, case.unapply, "drivers/virt/Makefile"),
                 "inserted lines that the user changed are not guessed at")
    case = Case(folder)
    write(case.tree, {"include/linux/new.h": "int theirs;\n"})
    writer.check(refused(case, case.apply, "include/linux/new.h"),
                 "a file that is not of the overlay is not overwritten")
    for name, text, what in (("drivers/virt/Kconfig", "menu\n", "missing"),
                             ("drivers/virt/Kconfig", "endif\nendif\n", "not the only one")):
        case = Case(folder)
        write(case.tree, {name: text})
        writer.check(refused(case, case.apply, name), "a line to insert at is " + what)
    case = Case(folder)
    os.unlink(os.path.join(case.tree, "drivers/virt/Makefile"))
    writer.check(refused(case, case.apply, "drivers/virt/Makefile"), "a file to edit is missing")
    os.unlink(os.path.join(case.tree, "Kbuild"))
    writer.check(refused(case, case.apply, "not a kernel tree"), "not a kernel tree")

    for action in "repeated", "undone":
        for what in "first", "second":
            count = interruptions(folder, what == "second", action == "repeated")
            writer.check(count > 3, "the %s apply is interrupted at any of %d writes and %s" %
                         (what, count, action))


def set_version(case, level, backport):
    """Make the tree one of Linux 6.level, the overlay one with patches."""
    write(case.root, backport)
    write(case.tree, {"Makefile": "VERSION = 6\nPATCHLEVEL = %d\nSUBLEVEL = 1\n" % level})
    case.before = state(case.tree)


def versions(writer, folder):
    def copies(case):
        return {name for name in state(case.tree)
                if name.startswith(("drivers/virt/new/", "include/linux/new", "tools/"))}

    case = Case(folder)
    case.apply()
    plain = copies(case), case.read("drivers/virt/Makefile")
    for level in 12, 10, 13:
        case = Case(folder)
        set_version(case, level, BACKPORT)
        case.apply()
        writer.check((copies(case), case.read("drivers/virt/Makefile")) == plain and
                     case.read("drivers/virt/new/new.c") == "int x;\n",
                     "patches for 6.1 are neither copied to 6.%d nor applied" % level,
                     sorted(copies(case) ^ plain[0]))

    case = Case(folder)
    set_version(case, 1, BACKPORT)
    root = state(case.root)
    case.apply()
    writer.check(copies(case) == plain[0] - {"include/linux/new.h"} | {"drivers/virt/new/compat.h"}
                 and case.read("drivers/virt/new/compat.h") == "int compat;\n",
                 "patches add and remove files", sorted(copies(case) ^ plain[0]))
    writer.check(case.read("drivers/virt/new/new.c") == "int older;\n",
                 "patches are applied one after the other")
    writer.check(case.read("drivers/virt/Makefile").count("old/") == 1,
                 "patches change the inserted lines")
    writer.check(os.access(os.path.join(case.tree, "tools/new/run.sh"), os.X_OK),
                 "what is not patched keeps its mode")
    writer.check(state(case.root) == root, "the overlay itself is not patched")
    after, stamps = state(case.tree), times(case.tree)
    case.apply()
    writer.check(state(case.tree) == after and times(case.tree) == stamps,
                 "with patches twice is the same as once, too, and touches nothing")
    shutil.rmtree(os.path.join(case.root, overlay.BACKPORT))
    case.apply()
    writer.check((copies(case), case.read("drivers/virt/Makefile")) == plain,
                 "without the patches what they did goes")
    case.unapply()
    writer.check(case.restored(), "and unapply restores everything")

    for what, broken in (("first", "int x;"), ("second", "int old;")):
        name = "%s/6.1/000%d-%s.patch" % (overlay.BACKPORT, 1 + (what == "second"), what)
        case = Case(folder)
        set_version(case, 1, BACKPORT)
        write(case.root, {name: BACKPORT[name].replace("-" + broken, "-int y;")})
        writer.check(refused(case, case.apply, name) and case.restored(),
                     "if the %s patch does not apply nothing is done, and it is named" % what)
    case = Case(folder)
    case.apply()
    set_version(case, 1, BACKPORT)
    case.apply()
    write(case.tree, {"drivers/virt/new/new.c": "int mine;\n"})
    writer.check(refused(case, case.apply, "new.c"),
                 "a patched copy that the user changed is not overwritten")


def interruptions(folder, second, repeat):
    """Return at how many writes apply can be interrupted, 0 if it can't be repeated or undone."""
    count = 0
    while True:
        case = Case(folder)
        if second:
            case.apply()
            write(case.root, {"drivers/virt/new/new.c": "int z;\n",
                              "MAINTAINERS": "GUNYAH\nF:\tother/\n"})
        if not interrupted(case, count):
            return count
        if repeat:
            case.apply()
            if case.read("MAINTAINERS").count("GUNYAH") != 1 or \
               ("other/" in case.read("MAINTAINERS")) != second:
                return 0
        case.unapply()
        if not case.restored():
            return 0
        count += 1


def interrupted(case, count):
    """Let apply fail at the write of this number; tell whether it came so far."""
    real = overlay.write_atomic
    left = [count]

    def write_atomic(path, data):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(path, data)

    overlay.write_atomic = write_atomic
    try:
        case.apply()
        return False
    except KeyboardInterrupt:
        return True
    finally:
        overlay.write_atomic = real


def sums(root, listed):
    """Lines as sha256sum prints them, for the files listed, and all names."""
    names = []
    for folder, _, files in os.walk(root):
        names += ["./" + os.path.relpath(os.path.join(folder, name), root) for name in files
                  if not os.path.islink(os.path.join(folder, name))]
    lines = []
    for name in sorted(set(names) & listed, key=os.fsencode):
        with open(os.path.join(root, name), "rb") as file:
            lines.append("%s  %s\n" % (hashlib.sha256(file.read()).hexdigest(), name))
    return lines, set(names)


def real(writer, folder, tree):
    stamp = os.path.join(tree, ".lab-unpacked")
    if not os.path.exists(stamp):
        writer.result(tap.SKIPPED, "the tree is not one that was unpacked here")
        return
    copy = os.path.join(folder, "copy")
    subprocess.run(["cp", "-al", tree, copy], check=True)
    os.unlink(os.path.join(copy, ".lab-unpacked"))
    with open(stamp, encoding="utf-8") as file:
        expected = file.readlines()
    listed = {line.rstrip("\n").split("  ", 1)[1] for line in expected}
    overlay.Tree(copy).unapply()
    lines, names = sums(copy, listed)
    writer.check(lines == expected and names == listed, "real tree: unapply restores all of it",
                 sorted(set(lines) ^ set(expected))[:10] + sorted(names ^ listed)[:10])
    overlay.Tree(copy).apply(os.path.join(HERE, "../../.."))
    different = [name for name in overlay.Tree(tree).copied | overlay.Tree(tree).edited
                 if overlay.read(os.path.join(copy, name)) !=
                 overlay.read(os.path.join(tree, name))]
    writer.check(not different, "real tree: apply does the same again", different)


def main():
    writer = tap.Writer()
    with tempfile.TemporaryDirectory() as folder:
        small(writer, folder)
        versions(writer, folder)
    for tree in sys.argv[1:]:
        # Beside the tree, for hard links
        with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(tree))) as folder:
            real(writer, folder, os.path.abspath(tree))
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

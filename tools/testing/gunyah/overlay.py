#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Put the overlay into a kernel tree and take it out again.

  overlay.py apply TREE     copy the files, insert the lines of Kconfig.snippet
  overlay.py unapply TREE   restore the tree byte for byte

The files are for Linux 6.12. The patches in tools/testing/gunyah/backport/VERSION are
applied to what is copied into a tree of that version, to Kconfig.snippet as well.

What was done is kept in TREE/.gunyah-overlay: a manifest and the originals of
the edited files. The manifest is written before the tree is touched, so that an
interrupted run can be repeated or undone. Everything is checked before anything
is changed; nothing that the overlay did not put there is overwritten.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

STATE = ".gunyah-overlay"
PARTS = ("Documentation", "drivers", "include", "tools")
# Build products and editors' leavings
SKIP = ("build", "*.o", "*.a", "*.d", "*.ko", "*.mod", "*.mod.c", "*.order", "*.symvers", "*.cmd",
        "*.pyc", "__pycache__", "*~", "*.swp", "*.orig", "*.rej")
# Patches for a kernel of another version than that of the overlay
BACKPORT = "tools/testing/gunyah/backport"
# About the overlay, and of no use in a tree that has it
APART = ("tools/testing/gunyah/series", BACKPORT)


class OverlayError(Exception):
    """A mistake that the user can see and mend."""


def read(path):
    with open(path, "rb") as file:
        return file.read()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def write_atomic(path, data):
    new = path + ".gunyah-new"
    with open(new, "wb") as file:
        file.write(data)
    os.replace(new, path)


class Edit:
    """The lines for one file of the tree"""

    def __init__(self, path, where):
        self.path = path
        self.where = where
        self.after = True
        self.anchor = None
        self.lines = b""

    def insert(self, old):
        """Return old with the lines in it."""
        lines = old.splitlines(keepends=True)
        found = [i for i, line in enumerate(lines) if line.split() == self.anchor]
        if len(found) != 1:
            raise OverlayError("%s: %s '%s' %d times, expected once (%s)" %
                               (self.path, "has the line", b" ".join(self.anchor).decode(),
                                len(found), self.where))
        at = found[0] + self.after
        if at and not lines[at - 1].endswith(b"\n"):
            raise OverlayError("%s: no newline at the end of the file" % self.path)
        return b"".join(lines[:at]) + self.lines + b"".join(lines[at:])

    def remove(self, new):
        """Return new without the lines, None if they are not there just once."""
        if new.count(self.lines) != 1:
            return None
        return new.replace(self.lines, b"")


def load_snippet(root):
    edits = []
    name = os.path.join(root, "Kconfig.snippet")
    for number, line in enumerate(read(name).splitlines(keepends=True), 1):
        where = "Kconfig.snippet:%d" % number
        word, _, rest = line.strip().partition(b" ")
        if not word or line.startswith(b"#"):
            continue
        if line.startswith(b"+<"):
            edits[-1].lines += read(os.path.join(root, line[2:].strip().decode()))
        elif line.startswith(b"+"):
            edits[-1].lines += line[1:]
        elif word == b"file":
            edits.append(Edit(rest.decode(), where))
        elif word in (b"after", b"before"):
            edits[-1].after = word == b"after"
            edits[-1].anchor = rest.split()
        else:
            raise OverlayError("%s: cannot be understood" % where)
    for edit in edits:
        if not edit.anchor or not edit.lines:
            raise OverlayError("%s: incomplete" % edit.where)
    return edits


def overlay_files(root):
    found = []
    for part in PARTS:
        for folder, folders, names in os.walk(os.path.join(root, part)):
            folders[:] = [f for f in folders if not any(fnmatch.fnmatch(f, s) for s in SKIP) and
                          os.path.relpath(os.path.join(folder, f), root) not in APART]
            found += [os.path.relpath(os.path.join(folder, n), root) for n in names
                      if not any(fnmatch.fnmatch(n, s) for s in SKIP)]
    return sorted(found)


def overlay_digest(root):
    """Return what tells one state of the overlay from another."""
    state = hashlib.sha256()
    for name in overlay_files(root) + ["Kconfig.snippet", "MAINTAINERS"]:
        state.update(("%s %s\n" % (name, digest(read(os.path.join(root, name))))).encode())
    return state.hexdigest()


def kernel_version(tree):
    """Return the version of a kernel tree, of which "6.1" tells what is in it."""
    found = dict(re.findall(rb"^(VERSION|PATCHLEVEL) *= *(\d+)$",
                            read(os.path.join(tree, "Makefile")), re.MULTILINE))
    return b".".join(found.get(name, b"") for name in (b"VERSION", b"PATCHLEVEL")).decode()


def patched(root, version, folder):
    """Return where the overlay for this version is: in folder if there are patches for it."""
    patches = os.path.join(root, BACKPORT, version)
    if not os.path.isdir(patches):
        return root
    for name in ["Kconfig.snippet", "MAINTAINERS", *overlay_files(root)]:
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        shutil.copy2(os.path.join(root, name), os.path.join(folder, name))
    # Not a part of a repository that the folder happens to be in
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": os.path.dirname(folder)}
    for name in sorted(os.listdir(patches)):
        if not name.endswith(".patch"):
            continue
        run = subprocess.run(["git", "apply", "--whitespace=nowarn",
                              os.path.join(patches, name)], cwd=folder, env=env, check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode:
            raise OverlayError("%s: does not apply to the overlay\n%s" %
                               (os.path.join(BACKPORT, version, name),
                                run.stdout.decode(errors="replace").rstrip()))
    return folder


class Tree:
    def __init__(self, path):
        self.path = path
        # While an apply is under way what a file was and what it will be both count
        self.copied = {}    # path: digests that are ours
        self.edited = {}    # path: digests of the edited file, lines that were inserted
        self.folders = []   # made by us, parents first
        if not all(os.path.isfile(self.at(n)) for n in ("Kbuild", "MAINTAINERS", "Makefile")):
            raise OverlayError("%s is not a kernel tree" % path)
        if os.path.exists(self.at(STATE, "manifest")):
            state = json.loads(read(self.at(STATE, "manifest")))
            self.copied = state["copied"]
            self.edited = state["edited"]
            self.folders = state["folders"]

    def at(self, *parts):
        return os.path.join(self.path, *parts)

    def save(self):
        state = {"copied": self.copied, "edited": self.edited, "folders": self.folders}
        text = json.dumps(state, indent=1, sort_keys=True).encode() + b"\n"
        if not os.path.exists(self.at(STATE, "manifest")) or \
           read(self.at(STATE, "manifest")) != text:
            os.makedirs(self.at(STATE), exist_ok=True)
            # The state is no part of the tree for a git that the tree is in
            if not os.path.exists(self.at(STATE, ".gitignore")):
                write_atomic(self.at(STATE, ".gitignore"), b"*\n")
            write_atomic(self.at(STATE, "manifest"), text)

    def original(self, path):
        """Contents of an edited file without our lines"""
        new = read(self.at(path))
        if path not in self.edited:
            return new
        state = self.edited[path]
        kept = self.at(STATE, "orig", path)
        if os.path.exists(kept):
            old = read(kept)
            if new == old or digest(new) in state["digests"]:
                return old
        # The user went on working in the file, or a run was interrupted
        edit = Edit(path, STATE)
        edit.lines = state["lines"].encode()
        old = edit.remove(new)
        if old is None:
            raise OverlayError("%s: the lines of the overlay were changed, undo that first" % path)
        return old

    def remove_copy(self, path):
        """Remove a file that was copied; must have been checked by check_copy()."""
        if os.path.lexists(self.at(path)):
            os.unlink(self.at(path))
        del self.copied[path]

    def check_copy(self, path, also=()):
        """A copied file may go only if it is what was copied, or what will be."""
        if os.path.lexists(self.at(path)) and \
           digest(read(self.at(path))) not in (*self.copied[path], *also):
            raise OverlayError("%s: was changed in the tree since it was copied there; "
                               "save the changes and remove the file" % path)

    def remove_folders(self):
        for folder in reversed(self.folders):
            if os.path.isdir(self.at(folder)) and not os.listdir(self.at(folder)):
                os.rmdir(self.at(folder))
        self.folders = [f for f in self.folders if os.path.isdir(self.at(f))]

    def apply(self, root):
        """Put the overlay into the tree, as it is for the tree's version."""
        with tempfile.TemporaryDirectory() as folder:
            return self.copy(patched(root, kernel_version(self.path), folder))

    def copy(self, root):
        names = overlay_files(root)
        data = {name: read(os.path.join(root, name)) for name in names}

        # Check everything ...
        for name in names:
            if name in self.copied:
                self.check_copy(name, (digest(data[name]),))
            elif os.path.lexists(self.at(name)):
                raise OverlayError("%s: exists and is not of the overlay" % name)
        stale = [name for name in self.copied if name not in data]
        for name in stale:
            self.check_copy(name)
        old, new, edits = {}, {}, load_snippet(root)
        for edit in edits:
            if not os.path.isfile(self.at(edit.path)):
                raise OverlayError("%s: is missing in the tree (%s)" % (edit.path, edit.where))
            if edit.path in old:
                raise OverlayError("%s: two entries for %s" % (edit.where, edit.path))
            old[edit.path] = self.original(edit.path)
            new[edit.path] = edit.insert(old[edit.path])
        undo = {name: self.original(name) for name in self.edited if name not in new}

        # ... say what will be done ...
        for name in names:
            folder = os.path.dirname(name)
            missing = []
            while folder and not os.path.isdir(self.at(folder)) and folder not in self.folders:
                missing.insert(0, folder)
                folder = os.path.dirname(folder)
            self.folders += missing
            self.copied[name] = sorted({*self.copied.get(name, ()), digest(data[name])})
        for edit in edits:
            kept = self.at(STATE, "orig", edit.path)
            if not os.path.exists(kept) or read(kept) != old[edit.path]:
                os.makedirs(os.path.dirname(kept), exist_ok=True)
                write_atomic(kept, old[edit.path])
                shutil.copystat(self.at(edit.path), kept)
            self.edited[edit.path] = {"digests": sorted({digest(read(self.at(edit.path))),
                                                         digest(new[edit.path])}),
                                      "lines": edit.lines.decode()}
        self.save()

        # ... and do it, without touching what is right already
        count = 0
        for name in names:
            if not os.path.exists(self.at(name)) or read(self.at(name)) != data[name]:
                os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
                write_atomic(self.at(name), data[name])
                count += 1
            shutil.copymode(os.path.join(root, name), self.at(name))
            self.copied[name] = [digest(data[name])]
        for name, text in new.items():
            count += self.replace(name, text)
            self.edited[name]["digests"] = [digest(text)]
        for name, text in undo.items():
            count += self.replace(name, text)
            del self.edited[name]
        for name in stale:
            self.remove_copy(name)
        self.remove_folders()
        self.save()
        return "%d files, %d edited, %d of them new or changed, %d stale removed" % \
               (len(names), len(new), count, len(stale))

    def replace(self, name, text):
        """Replace the contents of a file, keep its mode."""
        if read(self.at(name)) == text:
            return 0
        mode = os.stat(self.at(name)).st_mode
        write_atomic(self.at(name), text)
        os.chmod(self.at(name), mode & 0o7777)
        return 1

    def unapply(self):
        if not os.path.isdir(self.at(STATE)):
            return "the overlay is not in this tree"
        for name in self.copied:
            self.check_copy(name)
        old = {name: self.original(name) for name in self.edited}
        count = len(self.copied)
        for name, text in old.items():
            self.replace(name, text)
            kept = self.at(STATE, "orig", name)
            if os.path.exists(kept) and read(kept) == text:
                shutil.copystat(kept, self.at(name))
        for name in list(self.copied):
            self.remove_copy(name)
        self.remove_folders()
        shutil.rmtree(self.at(STATE))
        left = ", ".join(self.folders)
        return "%d files removed, %d restored%s" % \
               (count, len(old), left and "; not empty and left: " + left)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("apply", "unapply"))
    parser.add_argument("tree", help="kernel tree")
    parser.add_argument("--root", help="the overlay (default: where this file is)",
                        default=os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                             "../../.."))
    args = parser.parse_args()
    try:
        tree = Tree(os.path.abspath(args.tree))
        print("%s: %s" % (args.action, tree.apply(os.path.abspath(args.root))
                          if args.action == "apply" else tree.unapply()))
    except (OverlayError, OSError) as error:
        sys.exit("%s: %s" % (args.action, error))


if __name__ == "__main__":
    main()

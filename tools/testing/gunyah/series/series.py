#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The overlay as a series of patches.

  series.py export OUT [--tree TREE]   write OUT/0000-cover-letter.patch and the patches
  series.py state N OUT                write the overlay as it is after patch N

Each file of the folder series is a patch, in the order of their names: the commit
message, a line "---", and what of the overlay comes with the patch:

  file PATTERN...     files. Each file of the overlay comes with exactly one patch, the
                      last one whose pattern it matches.
  in FILE             what follows are parts of this file that came with an earlier patch:
  item NAME...        definitions at the top level with the comments above them; with a
                      test also its line in the table of test cases
  member TYPE NAME... members of a struct or constants of an enum, with the lines of the
                      kernel-doc comment
  block TEXT          what blank lines at the top level part from the rest, and has a line
                      that begins with TEXT
  section TITLE       a section of a text
  of NAME             lines and from, until something else follows, are of this definition
  lines TEXT          all lines that contain TEXT
  from TEXT           the line that begins with TEXT (blanks do not count) ...
  to TEXT             ... and those up to the next one that does so with this TEXT
  blocks TEXT         the same, with all of the blocks that the first and the last are in
  instead TEXT        what stands there before; may be repeated
  since NAME          but only from the patch on whose name begins like this

A patch is the difference between two states, and a state is the overlay without what
comes later. So whoever changes a line has nothing to do here, and whoever adds a part
that needs a later patch lists it with that one.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(FOLDER, "../../../.."))
sys.path.insert(0, os.path.dirname(FOLDER))

import cover  # noqa: E402
import overlay  # noqa: E402
# Sources of the edits of files that the kernel tree has already
SOURCES = ("Kconfig.snippet", "MAINTAINERS")


class SeriesError(Exception):
    """A mistake in the manifest, or something that it does not fit any more."""


class Part:
    """Lines of a file that come later than the file"""

    def __init__(self, patch, where, path):
        self.patch = patch
        self.where = where
        self.path = path
        self.scope = None
        self.instead = None
        self.since = None

    def range(self, lines):
        """Return the range of lines that the part is looked for in."""
        return self.scope.find(lines)[0] if self.scope else (0, len(lines))

    def fail(self, message):
        raise SeriesError("%s: %s: %s" % (self.where, self.path, message))

    def chunks(self, lines):
        """Return the ranges of lines that blank lines at the top level part."""
        if os.path.basename(self.path) == "Kconfig":
            return kconfig_chunks(lines)
        return c_chunks(lines) if self.path.endswith((".c", ".h")) else text_chunks(lines)

    def find(self, lines):
        """Return the ranges [first, after) of lines."""
        raise NotImplementedError


class Item(Part):
    def __init__(self, *args, name):
        super().__init__(*args)
        name = re.escape(name)
        self.name = name
        self.definition = re.compile(
            r"^#\s*define {0}\b|^config {0}$|\b(?:struct|enum|union) {0}\s*\{{|"
            r"(?<!struct )\b{0}(?:\[[^]]*\])*\s*(?:=(?!=)|;)|\b{0}\s*\([^;{{}}]*\)[^;{{}}]*\{{|"
            r"\w+\((?:\w+, )?{0}\)\s*\{{".format(name), re.M)
        self.case = re.compile(r"\s*KUNIT_CASE(?:_\w+)?\({0}[,)]".format(name))

    def find(self, lines):
        found = [chunk for chunk in self.chunks(lines)
                 if self.definition.search("\n".join(top_level(lines, chunk)))]
        if len(found) != 1:
            self.fail("'%s' is defined %d times" % (self.name, len(found)))
        cases = [(i, i + 1) for i, line in enumerate(lines) if self.case.match(line)]
        return found + cases


class Member(Part):
    def __init__(self, *args, owner, name):
        super().__init__(*args)
        self.owner = owner
        self.name = name

    def find(self, lines):
        begin = [i for i, line in enumerate(lines)
                 if re.match(r"(?:typedef )?(?:struct|enum|union) %s \{" % self.owner, line)]
        if len(begin) != 1:
            self.fail("'%s' is defined %d times" % (self.owner, len(begin)))
        end = begin[0]
        while not lines[end].startswith("}"):
            end += 1
        found = []
        at = begin[0] + 1
        while at < end:
            last = at
            while last < end - 1 and not re.search(r"[;,{}]\s*(?:/\*.*)?$", lines[last]):
                last += 1
            # The arguments of a function go on
            while last < end - 1 and lines[last].rstrip().endswith(",") and \
                    "(" in "".join(lines[at:last + 1]):
                last += 1
            text = " ".join(lines[at:last + 1])
            if re.match(r"[^(]*\(\*%s\)|[^(]*\b%s\b(?:\[.*\]|:\d+)?\s*[;,=]|\s*%s\b" %
                        ((self.name,) * 3), text):
                found.append((at, last + 1))
            at = last + 1
        if len(found) != 1:
            self.fail("%s has '%s' %d times" % (self.owner, self.name, len(found)))
        # The line of the comment above, and what continues it
        at = begin[0] - 1
        while at >= 0 and lines[at].startswith(" *"):
            match = re.match(r" \* @%s:(.*)" % self.name, lines[at])
            if match:
                last = at + 1
                while re.match(r" \*\s+\S", lines[last]) and \
                        not re.match(r" \* @", lines[last]) and len(lines[last]) > 4 and \
                        lines[last][2:].startswith("  "):
                    last += 1
                found.append((at, last))
                break
            at -= 1
        return found


class Section(Part):
    def __init__(self, *args, title):
        super().__init__(*args)
        self.title = title

    def find(self, lines):
        heads = [(i, lines[i + 1][0]) for i in range(len(lines) - 1)
                 if lines[i].strip() and re.match(r"([=\-~^\"])\1+$", lines[i + 1].rstrip()) and
                 len(lines[i + 1].rstrip()) >= len(lines[i].rstrip()) and
                 (i == 0 or not lines[i - 1].strip() or lines[i - 1][0] == lines[i + 1][0])]
        found = [n for n, (i, _) in enumerate(heads) if lines[i].strip() == self.title]
        if len(found) != 1:
            self.fail("section '%s' found %d times" % (self.title, len(found)))
        order = []
        for _, mark in heads:
            if mark not in order:
                order.append(mark)
        first, mark = heads[found[0]]
        for i, other in heads[found[0] + 1:]:
            if order.index(other) <= order.index(mark):
                return [(first, i)]
        return [(first, len(lines))]


class Block(Part):
    def __init__(self, *args, text):
        super().__init__(*args)
        self.text = text

    def find(self, lines):
        found = [chunk for chunk in self.chunks(lines)
                 if any(line.strip().startswith(self.text) for line in lines[slice(*chunk)])]
        if len(found) != 1:
            self.fail("%d blocks with a line that begins with '%s'" % (len(found), self.text))
        return found


class Lines(Part):
    def __init__(self, *args, text):
        super().__init__(*args)
        self.text = text

    def find(self, lines):
        found = [(i, i + 1) for i in range(*self.range(lines)) if self.text in lines[i]]
        if not found:
            self.fail("no line with '%s'" % self.text)
        return found


class Range(Part):
    def __init__(self, *args, first, whole):
        super().__init__(*args)
        self.first = first
        self.whole = whole
        self.last = None

    def find(self, lines):
        begin = [i for i in range(*self.range(lines))
                 if lines[i].strip().startswith(self.first)]
        if len(begin) != 1:
            self.fail("%d lines begin with '%s'" % (len(begin), self.first))
        end = begin[0]
        while self.last is not None:
            end += 1
            if end == len(lines):
                self.fail("no line after it begins with '%s'" % self.last)
            if lines[end].strip().startswith(self.last):
                break
        if not self.whole:
            return [(begin[0], end + 1)]
        first, last = ([chunk for chunk in self.chunks(lines) if chunk[0] <= i < chunk[1]][0]
                       for i in (begin[0], end))
        return [(first[0], last[1])]


def c_chunks(lines):
    """Yield the chunks of a C file."""
    first, depth, comment = None, 0, False
    for i, line in enumerate(lines):
        if not line.strip() and not depth and not comment:
            if first is not None:
                yield (first, i)
            first = None
            continue
        if first is None:
            first = i
        code, comment = strip_comment(line, comment)
        if not code.lstrip().startswith("#"):
            depth += code.count("{") - code.count("}")
    if first is not None:
        yield (first, len(lines))


def kconfig_chunks(lines):
    """Yield those of a Kconfig file, which has blank lines in help texts."""
    begin = [i for i, line in enumerate(lines) if line.startswith("config ")]
    for first, after in zip(begin, begin[1:] + [len(lines)]):
        while not lines[after - 1].strip():
            after -= 1
        yield (first, after)


def text_chunks(lines):
    """Yield those of any other file."""
    first = 0
    for i, line in enumerate([*lines, ""]):
        if not line.strip():
            if i > first:
                yield (first, i)
            first = i + 1


def strip_comment(line, comment):
    """Return the line without comments and strings, and whether a comment goes on."""
    code = ""
    text = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', '""', line) if not comment else line
    while text:
        if comment:
            _, end, text = text.partition("*/")
            comment = not end
        else:
            before, begin, text = text.partition("/*")
            code += before
            comment = bool(begin)
    return code.partition("//")[0], comment


def top_level(lines, chunk):
    """Yield the lines of a chunk that are outside of comments and braces."""
    depth, comment = 0, False
    for line in lines[slice(*chunk)]:
        code, comment = strip_comment(line, comment)
        if not depth and code.strip():
            yield code.rstrip()
        if not code.lstrip().startswith("#"):
            depth += code.count("{") - code.count("}")


class Patch:
    def __init__(self, number, name):
        self.number = number
        self.name = name
        self.message = ""
        self.patterns = []
        self.parts = []


def load_patch(folder, count, name):
    patch = Patch(count, name)
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        message, found, rest = file.read().partition("\n---\n")
    if not found:
        raise SeriesError("%s: no line '---'" % name)
    patch.message = message.strip() + "\n"
    target = scope = None
    for number, line in enumerate(rest.splitlines(), message.count("\n") + 3):
        where = "%s:%d" % (name, number)
        word, _, text = line.strip().partition(" ")
        text = text.strip()
        if not word or word.startswith("#"):
            continue
        if word == "file":
            patch.patterns += text.split()
        elif word == "in":
            target, scope = text, None
        elif word == "to" and isinstance(patch.parts[-1], Range):
            patch.parts[-1].last = text
        elif word == "instead" and patch.parts:
            # Blanks at its beginning count
            kept = line.lstrip()[len("instead "):]
            patch.parts[-1].instead = (patch.parts[-1].instead or []) + [kept]
        elif word == "since" and patch.parts:
            patch.parts[-1].since = text
        else:
            if not target:
                raise SeriesError("%s: in which file?" % where)
            args = (patch, where, target)
            if word in ("item", "member", "block", "section"):
                scope = None
            if word == "item":
                patch.parts += [Item(*args, name=name_) for name_ in text.split()]
            elif word == "member":
                owner, *names = text.split()
                patch.parts += [Member(*args, owner=owner, name=name_) for name_ in names]
            elif word == "block":
                patch.parts.append(Block(*args, text=text))
            elif word == "section":
                patch.parts.append(Section(*args, title=text))
            elif word == "of":
                scope = Item(*args, name=text)
            elif word in ("lines", "from", "blocks"):
                patch.parts.append(Lines(*args, text=text) if word == "lines" else
                                   Range(*args, first=text, whole=word == "blocks"))
                patch.parts[-1].scope = scope
            else:
                raise SeriesError("%s: cannot be understood" % where)
    return patch


def load(folder):
    names = sorted(name for name in os.listdir(folder) if re.match(r"\d", name))
    return [load_patch(folder, count, name) for count, name in enumerate(names, 1)]


def tidy(lines):
    """Remove the blank lines that the removal of what was between them left over."""
    text = "\n".join(lines)
    text = re.sub(r"\n{3,}", "\n\n", text)
    text = re.sub(r"(\{\n)\n+", r"\1", text)
    text = re.sub(r"\n\n+(\t*\})", r"\n\1", text)
    # Lines of comments that hold nothing, likewise
    text = re.sub(r"(\n \*)(?:\n \*)+(?=\n)", r"\1", text)
    text = re.sub(r"\n \*\n \*/", r"\n */", text)
    return text.strip("\n") + "\n"


def without(text, parts, number):
    """Return the text as it is after patch number: without the parts that come later."""
    lines = text.split("\n")
    gone = [False] * len(lines)
    instead = {}
    for part in parts:
        # Also of those that are there, so that each part is known to be found
        ranges = part.find(lines)
        if part.patch.number <= number:
            continue
        for first, after in ranges:
            gone[first:after] = [True] * (after - first)
            if part.instead is not None and (part.since or 0) <= number:
                instead[first] = part.instead
    kept = []
    for i, line in enumerate(lines):
        kept += instead.get(i, [])
        if not gone[i]:
            kept.append(line)
    return text if kept == lines else tidy(kept)


def matches(path, pattern):
    """As in a shell: * stands for part of a name, ** also for folders."""
    regex = "".join({"**": ".*", "*": "[^/]*"}.get(part) or re.escape(part)
                    for part in re.split(r"(\*\*|\*)", pattern))
    return re.fullmatch(regex, path)


class Series:
    def __init__(self, root=ROOT, folder=FOLDER):
        self.root = root
        self.patches = load(folder)
        self.files = {}
        self.first = {}
        for path in [*overlay.overlay_files(root), *SOURCES]:
            with open(os.path.join(root, path), "rb") as file:
                self.files[path] = file.read()
            for patch in self.patches:
                if any(matches(path, pattern) for pattern in patch.patterns):
                    self.first[path] = patch.number
            if path not in self.first:
                raise SeriesError("%s: comes with no patch" % path)
        self.parts = {}
        for patch in self.patches:
            for pattern in patch.patterns:
                if not any(matches(path, pattern) for path in self.files):
                    raise SeriesError("%s: no file matches '%s'" % (patch.name, pattern))
            for part in patch.parts:
                if part.path not in self.files:
                    part.fail("there is no such file")
                if self.first[part.path] >= patch.number:
                    part.fail("comes with patch %d" % self.first[part.path])
                if part.since:
                    since = [p.number for p in self.patches if p.name.startswith(part.since)]
                    if len(since) != 1:
                        part.fail("%d patches begin with '%s'" % (len(since), part.since))
                    part.since = since[0]
                self.parts.setdefault(part.path, []).append(part)

    def state(self, number):
        """Return the overlay's files after patch number."""
        found = {}
        for path, data in self.files.items():
            if self.first[path] > number:
                continue
            if path in self.parts:
                data = without(data.decode(), self.parts[path], number).encode()
            found[path] = data
        return found


class Base:
    """The tree that the series is for"""

    def __init__(self, tree):
        self.tree = overlay.Tree(os.path.abspath(tree))
        self.git = os.path.exists(self.tree.at(".git"))
        self.version = overlay.kernel_version(self.tree.path)

    def read(self, path):
        if self.git:
            return run("git", "-C", self.tree.path, "show", "HEAD:" + path)
        return self.tree.original(path)


def run(*command, data=None, env=None, cwd=None):
    """Run a command and return what it prints."""
    result = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=dict(os.environ, **env or {}), cwd=cwd, check=False)
    if result.returncode:
        raise SeriesError("%s: %s" % (" ".join(command[:3]),
                                      (result.stderr + result.stdout).decode().strip()))
    return result.stdout


def person():
    """Return who exports: git's user, else the maintainers."""
    try:
        return tuple(run("git", "-C", ROOT, "config", key).decode().strip()
                     for key in ("user.name", "user.email"))
    except SeriesError:
        with open(os.path.join(ROOT, "MAINTAINERS"), encoding="utf-8") as file:
            return re.search(r"^M:\s+(.*\S)\s+<(.*)>$", file.read(), re.M).groups()


def changes(series, number, base):
    """Return all files that the overlay adds to or changes in a tree, after patch number."""
    files = series.state(number)
    with tempfile.TemporaryDirectory() as folder:
        for source in SOURCES:
            with open(os.path.join(folder, source), "wb") as file:
                file.write(files.pop(source, b""))
        for edit in overlay.load_snippet(folder):
            files[edit.path] = edit.insert(base.read(edit.path))
    return files


class Repository:
    """Where the series is made: a repository without a working tree"""

    def __init__(self, folder, base, series):
        self.folder = folder
        name, email = person()
        self.sign = "\nSigned-off-by: %s <%s>\n" % (name, email)
        try:
            date = run("git", "-C", ROOT, "log", "-1", "--format=%cI").decode().strip()
        except SeriesError:
            date = None
        self.env = {"GIT_DIR": folder, "GIT_INDEX_FILE": os.path.join(folder, "series-index")}
        for role in ("AUTHOR", "COMMITTER"):
            self.env["GIT_%s_NAME" % role] = name
            self.env["GIT_%s_EMAIL" % role] = email
            if date:
                self.env["GIT_%s_DATE" % role] = date
        if base.git:
            run("git", "clone", "-q", "--bare", "--shared", base.tree.path, folder)
            self.base = self.git("rev-parse", "HEAD")
            self.git("read-tree", self.base)
        else:
            run("git", "init", "-q", "--bare", folder)
            self.add({edit.path: base.read(edit.path)
                      for edit in overlay.load_snippet(series.root)})
            self.base = self.git("commit-tree", "-m", "Linux " + base.version,
                                 self.git("write-tree"))
        self.tip = self.base

    def git(self, *args, data=None):
        return run("git", *args, data=data, env=self.env).decode().strip()

    def add(self, files):
        lines = []
        for path, data in files.items():
            blob = self.git("hash-object", "-w", "--stdin", data=data)
            mode = "755" if os.access(os.path.join(ROOT, path), os.X_OK) else "644"
            lines.append("100%s %s\t%s\n" % (mode, blob, path))
        self.git("update-index", "--add", "--index-info", data="".join(lines).encode())

    def commit(self, message):
        self.tip = self.git("commit-tree", "-p", self.tip, "-F", "-", self.git("write-tree"),
                            data=(message + self.sign).encode())


def export(series, base, out):
    """Write the patches; return their names in order, without the cover letter."""
    os.makedirs(out, exist_ok=True)
    for name in os.listdir(out):
        if name.endswith(".patch"):
            os.unlink(os.path.join(out, name))
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(os.path.join(folder, "git"), base, series)
        before = {}
        for patch in series.patches:
            after = changes(series, patch.number, base)
            repository.add({path: data for path, data in after.items()
                            if before.get(path) != data})
            repository.commit(patch.message)
            before = after
        repository.git("format-patch", "-q", "--cover-letter", "--no-signature", "-M",
                       *(["--base=" + repository.base] if base.git else []),
                       "-o", os.path.abspath(out), repository.base + ".." + repository.tip)
    path = os.path.join(out, "0000-cover-letter.patch")
    with open(path, encoding="utf-8") as file:
        letter = file.read()
    subject, _, body = cover.letter(ROOT, base.version).partition("\n\n")
    letter = letter.replace("*** SUBJECT HERE ***", subject)
    letter = letter.replace("*** BLURB HERE ***", body.rstrip())
    with open(path, "w", encoding="utf-8") as file:
        file.write(letter)
    return sorted(name for name in os.listdir(out) if re.match(r"\d+-.*\.patch$", name))[1:]


def write_state(series, number, out):
    for path, data in series.state(number).items():
        path = os.path.join(out, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("export")
    command.add_argument("out")
    command.add_argument("--tree", required=True)
    command = commands.add_parser("state")
    command.add_argument("number", type=int)
    command.add_argument("out")
    args = parser.parse_args()
    series = Series()
    if args.command == "export":
        names = export(series, Base(args.tree), args.out)
        print("series: %d patches and a cover letter in %s" % (len(names), args.out))
    else:
        write_state(series, args.number, args.out)


if __name__ == "__main__":
    try:
        main()
    except (SeriesError, overlay.OverlayError, OSError) as error:
        sys.exit("series: %s" % error)

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Build the documentation, and hold it against the code: docs.py TREE OUT VAR=VALUE...

TREE is a kernel tree with the overlay in it, of which nothing is written to; OUT gets the
HTML, in OUT/html, and modules. The variables are for the kernel's make; the examples are
compiled with the same CC. Prints TAP. Names on the pages are looked up by test_docs.py.
"""

import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import mutate
import symbols
import tap

ROOT = mutate.ROOT
PAGES = "Documentation/virt/gunyah"
UAPI = "include/uapi/linux/gunyah.h"
ANDROID = "android.rst"
# The symbols of that page are of this version
ANDROID_KERNEL = ("6", "12")
# What refers to our pages, and is built with them
LINKED = ("virt/index.rst", "userspace-api/ioctl/ioctl-number.rst")
TOCTREE = re.compile(r"^\.\. toctree::\n(?:   :.*\n)*\n((?:   \S.*\n)+)", re.M)
EXAMPLE = re.compile(r"^\.\. code-block:: c\n\n((?:(?:   .*)?\n)+)", re.M)
KERNEL_DOC = re.compile(r"^\.\. kernel-doc:: (\S+)\n((?:   .*\n)*)", re.M)
DOCUMENTED = re.compile(r"^/\*\*\n \* (?:(?:struct|union|enum) )?(\w+)(?:\(\))?(?: - |:)", re.M)
OPTIONS = re.compile(r"^\.\. code-block:: kconfig\n\n((?:   .*\n)+)", re.M)
MODULE = re.compile(r'^  ("?)([\w/-]+)\.ko\1,?$', re.M)
IOCTL = re.compile(r"^#define (GH_\w+)\s+_IO[WR]*\(", re.M)
# We draw nothing
NO_DOT = "WARNING: dot(1) not found"


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def write(text, *path):
    path = os.path.join(*path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def pages():
    """Return the text of each of our pages by its name."""
    return {name: read(ROOT, PAGES, name) for name in sorted(os.listdir(os.path.join(ROOT, PAGES)))
            if name.endswith(".rst")}


def run(command, **args):
    """Return the lines that a command prints, and whether it succeeded."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, text=True, **args)
    return done.stdout.splitlines(), not done.returncode


def kernel_version(tree):
    return re.search(r"^VERSION = (\d+)\nPATCHLEVEL = (\d+)$", read(tree, "Makefile"),
                     re.M).groups()


def link_sources(tree, out):
    """Make a folder of what is to be built; other pages that it refers to are empty there."""
    docs = os.path.join(tree, "Documentation")
    shutil.rmtree(out, ignore_errors=True)
    for name in LINKED:
        os.makedirs(os.path.dirname(os.path.join(out, name)), exist_ok=True)
        os.symlink(os.path.join(docs, name), os.path.join(out, name))
        for toctree in TOCTREE.findall(read(docs, name)):
            for entry in toctree.split():
                if entry != "gunyah/index":
                    write("%s\n%s\n" % (entry, "=" * len(entry)),
                          out, os.path.dirname(name), entry + ".rst")
    os.symlink(os.path.join(docs, "virt/gunyah"), os.path.join(out, "virt/gunyah"))


def abi(tree, out):
    """Validate the files of the ABI that are ours, and turn them into a page."""
    command = [os.path.join(tree, "scripts/get_abi.pl"), "--dir",
               os.path.join(ROOT, "Documentation/ABI")]
    if not os.path.isdir(command[-1]):
        return [], []
    problems, _ = run(command + ["validate"])
    text, _ = run(command + ["rest", "--rst-source"])
    write("\n".join(["ABI", "===", ""] + text) + "\n", out, "abi.rst")
    return ["abi"], problems


def build(tree, out, more):
    """Return the warnings of Sphinx and of kernel-doc, each of which is an error."""
    source, docs = os.path.join(out, "source"), os.path.join(tree, "Documentation")
    warnings = os.path.join(out, "warnings")
    write("Pages\n=====\n\n.. toctree::\n\n" + "".join(
        "   %s\n" % os.path.splitext(name)[0] for name in list(LINKED) + more),
          source, "index.rst")
    # It leaves nothing in the tree
    env = dict(os.environ, KDOC_WERROR="1", PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
    for name in ("MAKEFLAGS", "MAKELEVEL", "SPHINX_IMGMATH", "DOCS_THEME", "DOCS_CSS"):
        env.pop(name, None)
    lines, good = run(["sphinx-build", "-q", "-b", "html", "-E", "-w", warnings,
                       "-c", docs, "-d", os.path.join(out, "doctrees"),
                       "-D", "kerneldoc_srctree=" + tree,
                       "-D", "kerneldoc_bin=" + os.path.join(tree, "scripts/kernel-doc"),
                       "-D", "release=" + ".".join(kernel_version(tree)),
                       source, os.path.join(out, "html")], env=env)
    if not good:
        return lines or ["sphinx-build failed"]
    # What kernel-doc has to say is only here
    return [line for line in lines if not line.startswith(NO_DOT)] \
        if any(not line.startswith(NO_DOT) for line in read(warnings).splitlines()) else []


def missing_kernel_doc(texts):
    """Yield what a page takes from a file that has not got it, and what of the ABI none takes.

    kernel-doc itself complains only if it finds nothing at all.
    """
    shown = set()
    for page, text in texts.items():
        for path, options in KERNEL_DOC.findall(text):
            if ":doc:" in options:
                continue
            there = set(DOCUMENTED.findall(read(ROOT, path)))
            listed = re.search(r":identifiers:((?:\s+\w+)+)", options)
            names = set(listed.group(1).split()) if listed else there
            yield from ("%s: no kernel-doc of %s in %s" % (page, name, path)
                        for name in sorted(names - there))
            if path == UAPI:
                shown |= names
    header = read(ROOT, UAPI)
    defined = set(re.findall(r"^(?:struct|enum) (\w+) \{", header, re.M))
    defined |= set(re.findall(r"^#define (GH_\w+)\s", header, re.M))
    # These are parts of the numbers
    defined -= {"GH_IOCTL_TYPE", "GH_ANDROID_IOCTL_TYPE"}
    yield from ("%s: %s is on no page" % (UAPI, name) for name in sorted(defined - shown))


def ioctls_without(what, found):
    return ["%s has no %s" % (name, what) for name in IOCTL.findall(read(ROOT, UAPI))
            if name not in found]


def examples(texts):
    """Yield a name and a source file for each example.

    One that includes headers stands for itself, or, without a main(), at the beginning of
    all that follow on its page; these are what a function consists of.
    """
    for page, text in texts.items():
        before = ""
        for i, block in enumerate(EXAMPLE.findall(text)):
            block = textwrap.dedent(block)
            if block.lstrip().startswith("#include"):
                if "int main(" not in block:
                    before = block
                    continue
            else:
                block = "%s\nvoid example(void);\nvoid example(void)\n{\n%s}\n" % (before, block)
            yield "%s-%d" % (page[:-len(".rst")], i), block


def compile_examples(tree, out, compiler, texts):
    include = os.path.join(out, "include")
    for command in (["gcc", "-o", "scripts/unifdef", os.path.join(tree, "scripts/unifdef.c")],
                    ["sh", os.path.join(tree, "scripts/headers_install.sh"),
                     os.path.join(tree, UAPI), "include/linux/gunyah.h"]):
        os.makedirs(os.path.join(out, "scripts"), exist_ok=True)
        os.makedirs(os.path.join(include, "linux"), exist_ok=True)
        lines, good = run(command, cwd=out)
        if not good:
            return lines

    done, problems = "", []
    shutil.rmtree(os.path.join(out, "examples"), ignore_errors=True)
    for name, text in examples(texts):
        path = os.path.join(out, "examples", name + ".c")
        write(text, path)
        lines, good = run(compiler + ["-std=gnu11", "-Wall", "-Wextra", "-Werror",
                                      "-Wno-unused-variable", "-isystem", include,
                                      "-fsyntax-only", path])
        problems += lines if not good else []
        done += text
    return problems + ioctls_without("example", set(re.findall(r"\bGH_\w+", done)))


def undocumented_errors(texts):
    """Return the ioctls that the table of errors leaves out."""
    table = texts["vm-manager.rst"].partition("\n.. list-table::\n")[2]
    rows = re.findall(r"^   \* - ([\w, ]+)$", table, re.M)
    return ioctls_without("row in the table of errors", ", ".join(rows).split(", "))


def build_modules(tree, out, variables, page):
    """Build the modules with the options of a page; return errors, or none and the modules."""
    write(textwrap.dedent("".join(OPTIONS.findall(page))), out, "page.config")
    # No part of the job server of who calls us
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MAKELEVEL")}
    lab = os.path.join(ROOT, "tools/testing/gunyah")
    folders = ["drivers/virt/gunyah/", "drivers/mailbox/"]
    for command in ([os.path.join(lab, "kconfig.py"), tree, out, os.path.join(lab, "gki.config"),
                     os.path.join(out, "page.config")] + variables,
                    ["make", "-s", "-C", tree, "O=" + out, "-j%d" % os.cpu_count()] + variables +
                    folders):
        lines, good = run(command, env=env)
        if not good:
            return lines[-20:], []
    return [], [line[:-len(".o")] for folder in folders
                for line in read(out, folder, "modules.order").split()]


def compare_modules(tree, out, variables, page):
    """Yield where a page for those who build modules is wrong."""
    problems, built = build_modules(tree, out, variables, page)
    yield from problems
    if problems:
        return
    paths = [path for quote, path in MODULE.findall(page) if quote]
    names = [path for quote, path in MODULE.findall(page) if not quote]
    if sorted(paths) != sorted(built):
        yield "modules on the page: %s; built: %s" % (sorted(paths), sorted(built))
        return
    if names != [os.path.basename(path) for path in paths]:
        yield "modules.load and BUILD.bazel differ"
    modules = [symbols.Module(os.path.join(out, path + ".o")) for path in paths]
    for i, module in enumerate(modules):
        yield from ("%s is loaded before %s, which it needs" % (module.name, later.name)
                    for later in modules[i + 1:] if module.needs & later.has)
    listed, needed = symbols.on_page(page), symbols.needed(modules)
    if listed != needed:
        yield "symbols differ; symbols.py --page %s/%s MODULE... puts them there" % (PAGES, ANDROID)
        yield from difflib.unified_diff(listed.splitlines(), needed.splitlines(), "page",
                                        "modules", lineterm="", n=0)


def main():
    tree, out = (os.path.abspath(path) for path in sys.argv[1:3])
    variables = sys.argv[3:]
    compiler = dict(word.split("=", 1) for word in variables).get("CC", "gcc")
    writer, texts = tap.Writer(), pages()

    source = os.path.join(out, "source")
    link_sources(tree, source)
    more, problems = abi(tree, source)
    writer.check(not problems, "files of Documentation/ABI are valid", problems)

    problems = build(tree, out, more)
    writer.check(not problems, "pages are built without a warning", problems)
    problems = compile_examples(tree, out, shlex.split(compiler), texts)
    writer.check(not problems, "examples compile, and each ioctl has one", problems)
    problems = list(missing_kernel_doc(texts))
    writer.check(not problems, "all that the pages take from kernel-doc is there, and all of "
                 "the user ABI is on a page", problems)
    problems = undocumented_errors(texts)
    writer.check(not problems, "table of errors has each ioctl", problems)
    problems = [name for name, words in zip(LINKED, ('href="gunyah/index.html"', "linux/gunyah.h"))
                if words not in read(out, "html", os.path.splitext(name)[0] + ".html")]
    writer.check(not problems, "kernel's own pages name ours", problems)

    name = "options, modules and symbols of %s are those of the modules" % ANDROID
    if kernel_version(tree) == ANDROID_KERNEL:
        problems = list(compare_modules(tree, os.path.join(out, "modules"), variables,
                                        texts[ANDROID]))
        writer.check(not problems, name, problems)
    else:
        writer.result(tap.SKIPPED, name)
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

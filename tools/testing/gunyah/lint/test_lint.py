#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does each of the static checks find what it is for? test_lint.py TREE OUT [VAR=VALUE]...

Prints TAP. Plants one fault after the other, each in a project that has nothing else, and
looks for it in what the check finds; the same without the fault has to be clean. The
arguments are those of lint.py, whose kernels in OUT are used if they are there.
"""

import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]

import checks
import exceptions
import lint
import tap

ROOT = os.path.abspath(os.path.join(HERE, "../../../.."))
SPDX = "// SPDX-License-Identifier: GPL-2.0-only\n"
HASH = "# SPDX-License-Identifier: GPL-2.0-only\n"
DRIVER = "drivers/virt/gunyah/gunyah_planted.c"
GOOD = SPDX + """\
#include <asm/byteorder.h>
#include <linux/types.h>

u16 gh_planted(__le16 wire);

/**
 * gh_planted() - Something that is right
 * @wire: from the wire
 *
 * Context: Any.
 * Return: the same for the CPU.
 */
u16 gh_planted(__le16 wire)
{
	return le16_to_cpu(wire);
}
"""
HEADER = """\
/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PLANTED_H
#define _PLANTED_H

#include <linux/types.h>

struct gh_planted {
	__u64 field;
};
#endif
"""


HOSTFDT = "tools/testing/gunyah/hyp/hostfdt.c"


def real(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


# What is checked, the file, its text, what is wrong in it (pairs of old and new), and
# what the finding says
FAULTS = (
    ("leftovers", DRIVER, GOOD, (
        (SPDX, "", "no SPDX line"),
        ("from the wire", "from the wire; TO" "DO", "from the wire; TO" "DO"),
        ("(__le16 wire);\n", "(__le16 wire); \n", "white space"),
        ("\n}\n", "\n}\n\n", "ends with"))),
    ("include_direction", "drivers/virt/gunyah/rsc_mgr_planted.c", GOOD, (
        ("#include <linux/types.h>", '#include "vm_mgr.h"', "includes vm_mgr.h"),
        ("#include <linux/types.h>", "#include <linux/gunyah_vm_mgr.h>",
         "includes linux/gunyah_vm_mgr.h"))),
    ("include_direction", "drivers/virt/gunyah/tests/rm_model.c", GOOD, (
        ("#include <linux/types.h>", '#include "../rsc_mgr_msg.h"', "includes rsc_mgr_msg.h"),)),
    ("include_direction", "include/linux/planted.h", HEADER, (
        ("", "", "belongs to no layer"),)),
    ("every_function", DRIVER, GOOD, (
        ("/**\n", "/*\n", 'no "gh_planted()"'),
        (" * Context: Any.\n", "", 'no "Context:"'),
        (" * Return: the", " * the", 'no "Return:"'))),
    ("kernel_doc", DRIVER, GOOD, (
        (" * @wire: from the wire\n", "", "'wire' not described"),
        (" * Return: the same for the CPU.\n", "", "No description found for return value"))),
    ("spelling", DRIVER, GOOD, (
        ("that is right", "that is rig" "th", "rig" "th ==> right"),
        ("that is right", "that is unn" "eded", "unn" "eded ==> unneeded"))),
    ("shellcheck", "tools/testing/gunyah/planted", "#!/bin/sh\n" + HASH + 'cat "$1"\n', (
        ('"$1"', "$1", "SC2086"),)),
    ("shellcheck", "tools/testing/gunyah/planted.sh", "#!/bin/bash\n" + HASH + 'cat "$1"\n', (
        ('"$1"', "$1", "SC2086"), ('"$1"', '"$1', "SC"))),
    ("python", "tools/testing/gunyah/planted.py", HASH + "import os\nprint(os.name)\n", (
        ("os.name", "1", "imported but unused"), ("(os.name)", "(os.name", ""),
        ("os.name", "sys.name", "undefined name 'sys'"))),
    ("host_devicetree", HOSTFDT, real(HOSTFDT), (
        ('"qcom,vendor"', '"qcom,planted"', "'qcom,planted'"),
        ('"#size-cells", 0', '"#size-cells", 1', "#size-cells"),
        ('config.plain_node ? "gunyah-resource-mgr"', 'config.plain_node ? "gunyah-planted"',
         "'gunyah-planted@"),
        ('fdt, 0, "hypervisor")', 'fdt, 0, "planted")', "$nodename"),
        ('"qcom,gunyah-hypervisor-1.0\\0qcom,gunyah-hypervisor\\0simple-bus"', '"simple-bus"',
         "is not for what is in"))),
    ("binding", checks.BINDING, real(checks.BINDING), (
        ("gunyah-resource-mgr@0 {\n", "gunyah-resource-mgr@0 {\n            planted;\n",
         "'planted' does not match"),
        ('compatible = "gunyah-resource-manager"', 'compatible = "gunyah-planted"',
         "'gunyah-planted'"),
        ("reg = <0x00000000 0x00000000>, <0x00000000 0x00000001>;", "reg = <0 0>;",
         "is too short"),
        ("qcom,vmid = <3>;", 'qcom,vmid = "3";', "qcom,vmid"),
        ("qcom,vmid = <3>;", "qcom,vmid = <3>", "syntax error"),
        ("hypervisor {\n        compatible", "planted {\n        compatible", "$nodename"),
        ("maximum: 65535", "maximum: sixty", ""),
        ("type: object", "type:  object", "too many spaces"),
        ("firmware/gunyah-hypervisor.yaml#", "firmware/planted.yaml#", "$id"),
        ("title: Gunyah Hypervisor\n", "", "'title' is a required property"))),
    ("checkpatch", DRIVER, GOOD, (
        (SPDX, "", "SPDX_LICENSE_TAG"),
        ("return le16_to_cpu(wire)", "return (le16_to_cpu(wire))", "return is not a function"),
        ("return le16_to_cpu(wire)", "return le16_to_cpu(wire )", "space prohibited"),
        ("Something that is right", "Something that is long " + 90 * "x",
         "exceeds 100 columns"))),
    ("headers", "include/uapi/linux/gunyah.h", HEADER, (
        ("#include <linux/types.h>\n", "", "unknown type name"),
        ("#ifndef _PLANTED_H", "#ifndef _OTHER_H", "redefinition of"))),
    ("headers_install", "include/uapi/linux/planted.h", HEADER, (
        ("__u64 field", "u64 field", "u64"),
        ("__u64 field", "__u64 new", "expected member name"),
        ("__u64 field", "bool field", ""),
        ("#include <linux/types.h>\n", "", ""))),
    ("w1_gcc", DRIVER, GOOD, (
        ("\treturn", "\tbool set;\n\n\tset = wire;\n\treturn", "Wunused-but-set-variable"),)),
    ("sparse", DRIVER, GOOD, (
        ("return le16_to_cpu(wire)", "return wire", "incorrect type in return"),
        ("u16 gh_planted(__le16 wire);\n", "", "Should it be static"))),
    ("w1_clang", DRIVER, GOOD, (
        ("\treturn", "\tbool set;\n\n\tset = wire;\n\treturn", "Wunused-but-set-variable"),
        ("return le16_to_cpu(wire)", "return wire == wire", "self-comparison"))),
)
COCCI = ("coccicheck", DRIVER, GOOD.replace("types.h>", "slab.h>"), (
    ("\treturn", "\tvoid *p = NULL;\n\n\tif (p)\n\t\tkfree(p);\n\treturn",
     "NULL check before some freeing functions is not needed"),))


class Planted:
    """A project with one file"""

    def __init__(self, folder, name, arguments):
        self.root = os.path.join(folder, "root")
        shutil.rmtree(self.root, ignore_errors=True)
        tree, out, *variables = arguments
        self.project = checks.Project(self.root, os.path.abspath(tree),
                                      os.path.join(folder, "out"), variables, [name])
        self.path = os.path.join(self.root, name)
        shutil.copytree(os.path.join(ROOT, checks.BINDINGS),
                        os.path.join(self.root, checks.BINDINGS))
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        os.makedirs(self.project.out, exist_ok=True)
        # Which kernel is there makes no difference
        for compiler in "gcc", "clang":
            os.makedirs(os.path.join(out, compiler), exist_ok=True)
            link = os.path.join(self.project.out, compiler)
            if not os.path.lexists(link):
                os.symlink(os.path.abspath(os.path.join(out, compiler)), link)
        self.project.lab = os.path.join(ROOT, "tools/testing/gunyah")
        if name.endswith(".c"):
            self.project.module = os.path.dirname(self.path)
            with open(self.project.module + "/Kbuild", "w", encoding="utf-8") as file:
                file.write("obj-m := %s.o\n" % os.path.basename(name)[:-2])

    def findings(self, check, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            return [str(f) for f in check(self.project, lambda _name, _inputs, run: run())]
        except checks.ToolError as error:
            return ["the tool failed: %s" % error]


def faults(writer, folder, arguments):
    for name, path, text, planted in FAULTS + (COCCI,):
        check = getattr(checks, name)
        place = Planted(folder, path, arguments)
        if name == "coccicheck":
            place.project.semantic_patches = "free/ifnullfree.cocci"
        found = place.findings(check, text) if planted[0][0] else []
        writer.check(not found, "%s: nothing is wrong" % name, found)
        for old, new, expected in planted:
            found = place.findings(check, text.replace(old, new, 1))
            writer.check(old in text and any(expected in f and "the tool failed" not in f
                                             for f in found),
                         "%s: finds %s" % (name, expected or repr(new)), found or ["nothing"])


def tools(writer, folder, arguments):
    """A tool that is not there is not one that finds nothing."""
    path = os.environ["PATH"]
    for check in checks.CHECKS[3:]:
        place = Planted(folder, "Makefile", arguments)
        os.environ["PATH"] = folder
        found = place.findings(check, "")
        os.environ["PATH"] = path
        writer.check(len(found) == 1 and "is not installed" in found[0],
                     "%s: without its tool" % check.__name__, found)


def table(writer, folder):
    path = os.path.join(folder, "exceptions.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("# A comment\nONE a/* b/*\nTWO=text a/*\n\ta reason\nTHREE a/*\n")
    rows = exceptions.Table(path)
    left = [checks.Finding(*found) for found in (
        ("c/x.c", 1, "ONE", ""), ("a/x.c", 1, "TWO", "other"), ("a/x.c", 1, "FOUR", ""))]
    gone = [checks.Finding(*found) for found in (
        ("a/x.c", 1, "ONE", ""), ("a/x.c", 1, "TWO", "a text"))]
    writer.check(rows.filter(gone + left) == left, "exceptions: by type, file and text")
    unused = [re.sub(r".*?:\d+: ", "", line) for line in rows.unused()]
    writer.check(unused == ["ONE finds nothing in b/*", "THREE finds nothing in a/*", "no reason"],
                 "exceptions: what is not needed, or has no reason", unused)


def cache(writer, folder):
    """Nothing is looked at twice, unless it has changed."""
    def look():
        looked.append(None)
        return [checks.Finding("a", 1, "ONE", "text")]

    def find(text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return lint.Cache(os.path.join(folder, "found")).find("name", [path], look)

    path = os.path.join(folder, "input")
    looked = []
    counts = [(len(find(text)), len(looked)) for text in ("one", "one", "two")]
    writer.check(counts == [(1, 1), (1, 1), (1, 2)], "what has not changed is not looked at again",
                 [str(counts)])


def main():
    writer = tap.Writer()
    with tempfile.TemporaryDirectory() as folder:
        table(writer, folder)
        cache(writer, folder)
        tools(writer, folder, sys.argv[1:])
        faults(writer, folder, sys.argv[1:])
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Is the description of /dev/gunyah for syzkaller right? Prints TAP.

  check.py            compare dev_gunyah.txt with include/uapi/linux/gunyah.h
  check.py --write    write dev_gunyah.txt.const anew, as syz-extract would

syzkaller itself is no package of Debian's. This knows as much of its language as the
description uses, and takes all numbers and layouts from a compiler for arm64. That the
check finds mistakes is tested by making them.
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../../../.."))
sys.path.insert(0, os.path.join(HERE, ".."))

import tap  # noqa: E402  (where it is found was only just said)

NAME = "dev_gunyah.txt"
HEADER = "include/uapi/linux/gunyah.h"
CC = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-") + "gcc"

# What other descriptions of syzkaller's define
RESOURCES = {"fd": 4, "fd_event": 4}
FLAGS = {"open_flags", "mmap_prot", "mmap_flags"}
# Calls that the executor carries out itself have no number
PSEUDO = "syz_"
INTS = {kind + str(8 * size): size for kind in ("int", "bool") for size in (1, 2, 4, 8)}
INTS["intptr"] = 8
# A structure here that is one of the header's by another name, or a part of one
C_TYPES = {
    "gh_userspace_memory_region_lent": "struct gh_userspace_memory_region",
    "gh_userspace_memory_region_removed": "struct gh_userspace_memory_region",
    "gh_fn_desc_any": "struct gh_fn_desc",
    "gh_vcpu_run_mmio": "__typeof__(((struct gh_vcpu_run *)0)->mmio)",
}
# Described member by member, by what is copied into the page
PAGE = "gh_vcpu_run"
# Macros that are no value to pass to a call; what the kernel only reports
NOT_PASSED = {"GH_IOCTL_TYPE", "GH_ANDROID_IOCTL_TYPE", "GH_VM_MAX_EXIT_REASON_SIZE"}
REPORTED = {"gh_vm_exit_type", "gh_vm_status"}

TOKEN = re.compile(r'\s*("[^"]*"|[\w$]+|[\[\],:])')


class Mistake(Exception):
    """The description is not in the language."""


class Type:
    """name[argument, ...], or from:to"""

    def __init__(self, name):
        self.name = name
        self.args = []
        self.to = None

    def __str__(self):
        args = "[%s]" % ", ".join(map(str, self.args)) if self.args else ""
        return self.name + args + (":" + self.to if self.to else "")

    def walk(self):
        yield self
        for arg in self.args:
            yield from arg.walk()


def parse_types(text):
    """Parse "a[b, c], d" into a list of types."""
    tokens, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match:
            raise Mistake("'%s' cannot be understood" % text[at:])
        tokens.append(match.group(1))
        at = match.end()

    def word():
        if not tokens or tokens[0] in "[],:":
            raise Mistake("a name is missing in '%s'" % text)
        return tokens.pop(0)

    def listed():
        found = [one()]
        while tokens and tokens[0] == ",":
            tokens.pop(0)
            found.append(one())
        return found

    def one():
        this = Type(word())
        if tokens and tokens[0] == "[":
            tokens.pop(0)
            this.args = listed()
            if not tokens or tokens.pop(0) != "]":
                raise Mistake("a bracket is missing in '%s'" % text)
        if tokens and tokens[0] == ":":
            tokens.pop(0)
            this.to = word()
        return this

    found = listed() if tokens else []
    if tokens:
        raise Mistake("'%s' is too much in '%s'" % ("".join(tokens), text))
    return found


def parse_type(text):
    found = parse_types(text)
    if len(found) != 1:
        raise Mistake("'%s' is not one type" % text)
    return found[0]


class Call:
    def __init__(self, name, args, result):
        self.name, self.args, self.result = name, args, result

    def __str__(self):
        return "%s(%s)%s" % (self.name, ", ".join("%s %s" % arg for arg in self.args),
                             " " + self.result if self.result else "")


class Struct:
    def __init__(self, params):
        self.params = params
        self.fields = []        # (name, type)


class Description:
    """A parsed description. Formatting that is not syz-fmt's is in problems."""

    def __init__(self, text):
        self.problems = []
        self.arches, self.includes = [], []
        self.defines, self.resources, self.flags, self.structs = {}, {}, {}, {}
        self.calls = []
        self.struct = None
        for number, line in enumerate(text.splitlines(), 1):
            try:
                self.parse(line)
            except Mistake as error:
                self.problems.append("line %d: %s" % (number, error))
        if self.struct:
            self.problems.append("the last structure has no end")
        for name, struct in self.structs.items():
            self.check_columns(name, struct, text)

    def add(self, known, name, value):
        if name in [*self.defines, *self.resources, *self.flags, *self.structs,
                    *RESOURCES, *FLAGS, *INTS]:
            raise Mistake("%s is defined twice" % name)
        known[name] = value

    def same(self, line, canonical):
        if line != canonical:
            raise Mistake("to be formatted as '%s'" % canonical)

    def parse(self, line):
        if not line or line.startswith("#"):
            return
        if self.struct:
            self.parse_field(line)
            return
        word, _, rest = line.partition(" ")
        if word == "meta":
            kind = parse_type(rest)
            if kind.name != "arches":
                raise Mistake("meta %s is not known here" % kind.name)
            self.arches += [arg.name.strip('"') for arg in kind.args]
            self.same(line, "meta %s" % kind)
        elif word == "include":
            if not re.fullmatch(r"<[\w/.]+>", rest):
                raise Mistake("'%s' is no header" % rest)
            self.includes.append(rest)
        elif word == "define":
            name, tab, value = rest.partition("\t")
            if not tab or not value:
                raise Mistake("a tab and a value are missing behind %s" % name)
            self.add(self.defines, name, value)
        elif word == "resource":
            kind = parse_type(rest)
            self.same(line, "resource %s" % kind)
            self.add(self.resources, kind.name, kind.args[0].name if kind.args else None)
        elif re.match(r"[\w$]+\(", line):
            self.parse_call(line)
        elif line.endswith("{"):
            head = parse_type(rest[:-1].strip() if word == "type" else line[:-1].strip())
            self.struct = Struct([param.name for param in head.args])
            self.same(line, "%s%s {" % ("type " if head.args else "", head))
            self.add(self.structs, head.name, self.struct)
        elif " = " in line:
            name, _, values = line.partition(" = ")
            values = [str(value) for value in parse_types(values)]
            self.same(line, "%s = %s" % (name, ", ".join(values)))
            if len(set(values)) != len(values):
                raise Mistake("%s has a value twice" % name)
            self.add(self.flags, name, values)
        else:
            raise Mistake("'%s' cannot be understood" % line)

    def parse_field(self, line):
        if line == "}":
            if not self.struct.fields:
                raise Mistake("a structure without fields")
            self.struct = None
            return
        match = re.fullmatch(r"\t(\w+)\t+(\S.*)", line)
        if not match:
            raise Mistake("'%s' is no field" % line)
        kind = parse_type(match.group(2))
        self.same(match.group(2), str(kind))
        if match.group(1) in dict(self.struct.fields):
            raise Mistake("%s is there twice" % match.group(1))
        self.struct.fields.append((match.group(1), kind))

    def parse_call(self, line):
        match = re.fullmatch(r"([\w$]+)\((.*)\)(?: (\w+))?", line)
        if not match:
            raise Mistake("'%s' is no call" % line)
        # A comma within brackets belongs to a type
        parts, depth = [""], 0
        for char in match.group(2):
            depth += (char == "[") - (char == "]")
            if char == "," and not depth:
                parts.append("")
            else:
                parts[-1] += char
        args = []
        for part in parts:
            name, _, kind = part.strip().partition(" ")
            args.append((name, parse_type(kind)))
        call = Call(match.group(1), args, match.group(3))
        self.same(line, str(call))
        if call.name in [other.name for other in self.calls]:
            raise Mistake("%s is there twice" % call.name)
        self.calls.append(call)

    def check_columns(self, name, struct, text):
        """All types of a structure are in the first column that is right of all names."""
        width = max((len(field) // 8 + 1 for field, _ in struct.fields), default=0)
        for field, kind in struct.fields:
            line = "\t%s%s%s\n" % (field, "\t" * (width - len(field) // 8), kind)
            if line not in text:
                self.problems.append("%s.%s: not in line with the others" % (name, field))

    def types(self):
        """Yield where it is, and the type, of each argument and field, outermost only."""
        for call in self.calls:
            for name, kind in call.args:
                yield call.name, dict(call.args), [], kind
        for name, struct in self.structs.items():
            for _, kind in struct.fields:
                yield name, dict(struct.fields), struct.params, kind


def is_number(word):
    return re.fullmatch(r"0x[0-9a-f]+|\d+", word) is not None


class Check:
    """What is wrong with a description"""

    def __init__(self, text, const, header):
        self.desc = Description(text)
        self.problems = list(self.desc.problems)
        self.used = set()
        self.constants = set()
        self.header = header
        self.const = const
        if self.problems:
            return
        if self.desc.arches != ["arm64"]:
            self.problems.append("not for arm64 alone")
        if "<%s>" % HEADER.removeprefix("include/") not in self.desc.includes:
            self.problems.append("%s is not included" % HEADER)
        for where, names, params, kind in self.desc.types():
            try:
                self.check_type(names, params, kind)
            except Mistake as error:
                self.problems.append("%s: %s" % (where, error))
        for values in self.desc.flags.values():
            self.constants |= {value for value in values if not is_number(value)}
        self.check_resources()
        self.constants |= {"__NR_" + call.name.partition("$")[0] for call in self.desc.calls
                           if not call.name.startswith(PSEUDO)}
        if not self.problems:
            self.compare()
        known = [*self.desc.resources, *self.desc.flags, *self.desc.structs, *self.desc.defines]
        self.problems += ["%s is not used" % name for name in known
                          if name not in self.used | self.constants]

    def check_type(self, names, params, kind):
        """Names that a type refers to have to be there."""
        desc = self.desc
        name, args = kind.name, kind.args

        def constant(arg):
            for word in (arg.name, arg.to):
                if word and word not in params and not is_number(word):
                    self.constants.add(word)

        def want(count):
            if len(args) not in count:
                raise Mistake("%s: wrong number of arguments" % kind)

        def inner(arg):
            self.check_type(names, params, arg)

        self.used.add(name)
        if name in INTS:
            want((0, 1))
            for arg in args:
                constant(arg)
        elif name in ("vma", "vma64"):
            want((0, 1))
            for arg in args:
                constant(arg)
        elif name == "const":
            want((1, 2))
            constant(args[0])
            for arg in args[1:]:
                inner(arg)
        elif name == "flags":
            want((1, 2))
            if args[0].name not in {*desc.flags, *FLAGS}:
                raise Mistake("there are no flags %s" % args[0])
            self.used.add(args[0].name)
            for arg in args[1:]:
                inner(arg)
        elif name in ("len", "bytesize"):
            want((1, 2))
            if args[0].name not in names:
                raise Mistake("there is no %s to tell the length of" % args[0])
            for arg in args[1:]:
                inner(arg)
        elif name in ("ptr", "ptr64"):
            want((2,))
            if args[0].name not in ("in", "out", "inout"):
                raise Mistake("%s is no direction" % args[0])
            inner(args[1])
        elif name == "array":
            want((1, 2))
            inner(args[0])
            for arg in args[1:]:
                constant(arg)
        elif name == "string":
            want((1,))
        elif name in params:
            want((0,))
        elif name in {*desc.resources, *RESOURCES}:
            want((0,))
        elif name in desc.structs:
            want((len(desc.structs[name].params),))
            # By what they are put in for: types are looked at as such, all else are numbers
            for param, arg in zip(desc.structs[name].params, args):
                if any(field.name == param or any(part.name == param for part in field.walk()
                       if field.name != "const") for _, field in desc.structs[name].fields):
                    inner(arg)
                else:
                    constant(arg)
        else:
            raise Mistake("there is no type %s" % name)

    def check_resources(self):
        made = {call.result for call in self.desc.calls}
        taken = {kind.name for call in self.desc.calls for _, kind in call.args}
        for name, base in self.desc.resources.items():
            if base not in {*self.desc.resources, *RESOURCES, *INTS}:
                self.problems.append("%s: there is no type %s" % (name, base))
            if name not in made:
                self.problems.append("no call makes a %s" % name)
            if name not in taken:
                self.problems.append("no call takes a %s" % name)
        self.problems += ["%s: there is no resource %s" % (call.name, call.result)
                          for call in self.desc.calls
                          if call.result and call.result not in self.desc.resources]

    def layout(self, kind, bound):
        """Return size and alignment of a type, and the fields of a structure."""
        name, args = kind.name, kind.args
        if name in bound:
            return self.layout(bound[name], {})
        if name in INTS:
            return INTS[name], INTS[name], []
        if name in ("const", "flags", "len", "bytesize") and len(args) == 2:
            return self.layout(args[1], bound)
        if name in ("ptr64", "vma64"):
            return 8, 8, []
        if name in RESOURCES:
            return RESOURCES[name], RESOURCES[name], []
        if name in self.desc.resources:
            return self.layout(Type(self.desc.resources[name]), bound)
        if name == "array" and len(args) == 2 and not args[1].to:
            size, align, _ = self.layout(args[0], bound)
            count = args[1].name
            return size * (int(count, 0) if is_number(count) else self.values[count]), align, []
        if name not in self.desc.structs:
            raise Mistake("%s has no size in a structure" % kind)
        struct = self.desc.structs[name]
        bound = dict(zip(struct.params, args))
        at, aligned, fields = 0, 1, []
        for field, kind in struct.fields:
            size, align, _ = self.layout(kind, bound)
            at = (at + align - 1) // align * align
            fields.append((field, at, size))
            at, aligned = at + size, max(aligned, align)
        return (at + aligned - 1) // aligned * aligned, aligned, fields

    def compile(self, names, structs):
        """Return the values of constants, and (C type, field): (offset, size)."""
        asked = {}
        for name in names:
            asked[name] = name if name not in self.desc.defines else self.desc.defines[name]
        for struct in structs:
            ctype = C_TYPES.get(struct, "struct " + struct)
            asked["size %s" % struct] = "sizeof(%s)" % ctype
            for field, _ in self.desc.structs[struct].fields:
                asked["offset %s.%s" % (struct, field)] = \
                    "__builtin_offsetof(%s, %s)" % (ctype, field)
                asked["size %s.%s" % (struct, field)] = "sizeof(((%s *)0)->%s)" % (ctype, field)
        source = "#include <fcntl.h>\n#include <stddef.h>\n#include <asm/unistd.h>\n" \
            "#include \"%s\"\nvoid values(void)\n{\n" % self.header
        lines = {}
        for asking, expression in asked.items():
            lines[source.count("\n") + 1] = asking
            source += 'asm volatile("->%s=%%c0" : : "i" ((long)(%s)));\n' % (asking, expression)
        run = subprocess.run([CC, "-x", "c", "-S", "-o", "-", "-"], input=source + "}\n",
                             capture_output=True, text=True, check=False)
        if run.returncode:
            wrong = {lines.get(int(line)) for line in
                     re.findall(r"^<stdin>:(\d+):\d+: error", run.stderr, re.M)}
            self.problems += ["the compiler does not know %s" % name
                              for name in sorted(filter(None, wrong))] or [run.stderr]
            return {}
        return {asking: int(value) for asking, value in
                re.findall(r"^\t?->(.*)=#?(-?\d+)$", run.stdout, re.M)}

    def compare(self):
        """With the header"""
        desc = self.desc
        text = self.header_text()
        # Those of a template are the same for all that can be put in
        structs = list(desc.structs)
        ioctls = set(re.findall(r"^#define\s+(GH_\w+)\s+_IO[RW]*\(", text, re.M))
        self.values = self.compile(sorted(self.constants | ioctls), structs)
        if self.problems:
            return
        instances = {str(kind): kind for _, _, _, outer in desc.types() for kind in outer.walk()
                     if kind.name in desc.structs}
        for text_of, kind in instances.items():
            try:
                self.compare_struct(text_of, kind)
            except Mistake as error:
                self.problems.append("%s: %s" % (text_of, error))
        for call in desc.calls:
            if call.name.startswith("ioctl$"):
                self.compare_ioctl(call, ioctls)
        self.compare_cover(text, ioctls)
        if self.const is not None and self.const != self.const_file():
            self.problems.append("%s.const is not as %s and the header want it" % (NAME, NAME))

    def header_text(self):
        with open(self.header, encoding="utf-8") as file:
            return re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S).replace("\\\n", " ")

    def compare_struct(self, where, kind):
        size, _, fields = self.layout(kind, {})
        values, name = self.values, kind.name
        if size != values["size " + name]:
            self.problems.append("%s: has %d bytes, the header's %d" %
                                 (where, size, values["size " + name]))
        for field, at, size in fields:
            real = values["offset %s.%s" % (name, field)], values["size %s.%s" % (name, field)]
            if (at, size) != real:
                self.problems.append("%s.%s: %d bytes at %d, the header's %d bytes at %d" %
                                     (where, field, size, at, real[1], real[0]))

    def compare_ioctl(self, call, ioctls):
        """Is the number the one in its name, and the argument what the number says?"""
        args = dict(call.args)
        cmd, arg = args["cmd"], args["arg"]
        name = cmd.args[0].name if cmd.name == "const" else None
        if name not in ioctls:
            self.problems.append("%s: no ioctl of the header" % call.name)
            return
        if call.name != "ioctl$" + name and not call.name.startswith("ioctl$%s_" % name):
            self.problems.append("%s: is %s" % (call.name, name))
        direction, size = self.values[name] >> 30 & 3, self.values[name] >> 16 & 0x3fff
        if not direction:
            if str(arg) != "const[0]":
                self.problems.append("%s: takes no argument" % call.name)
        elif arg.name != "ptr" or arg.args[0].name != {1: "in", 2: "out", 3: "inout"}[direction]:
            self.problems.append("%s: argument in the other direction" % call.name)
        elif self.layout(arg.args[1], {})[0] != size:
            self.problems.append("%s: argument of another size than the number says" % call.name)

    def compare_cover(self, text, ioctls):
        """Is all there that the header has?"""
        desc = self.desc
        made = {dict(call.args)["cmd"].args[0].name for call in desc.calls
                if call.name.startswith("ioctl$")}
        self.problems += ["%s is not described" % name for name in sorted(ioctls - made)]
        if not any(call.name.startswith("mmap$") and ("fd_gunyah_vcpu" in
                   [kind.name for _, kind in call.args]) for call in desc.calls):
            self.problems.append("mmap() of a vCPU is not described")
        structs = set(re.findall(r"^struct (\w+) \{", text, re.M))
        described = {C_TYPES.get(name, "struct " + name).removeprefix("struct ")
                     for name in desc.structs}
        self.problems += ["struct %s is not described" % name
                          for name in sorted(structs - described - {PAGE})]
        wanted = set(re.findall(r"^#define\s+(GH_\w+)\s", text, re.M)) - ioctls - NOT_PASSED
        for name, body in re.findall(r"^enum (\w+) \{(.*?)\}", text, re.M | re.S):
            if name not in REPORTED:
                wanted |= set(re.findall(r"\b(GH_\w+)\s*=", body))
        self.problems += ["%s is not used" % name for name in sorted(wanted - self.constants)]
        # Any type of function can be added and removed
        for call in ("ADD", "REMOVE"):
            cmd = "GH_VM_%s_FUNCTION" % call
            types = {arg.args[1].args[0].name for arg in
                     (dict(call.args)["arg"] for call in desc.calls
                      if call.name.startswith("ioctl$" + cmd))
                     if arg.args[1].args}
            self.problems += ["%s with %s is not described" % (cmd, name) for name in
                              sorted(set(re.findall(r"\b(GH_FN_\w+)\s*=", text)) - types)]

    def const_file(self):
        """As syz-extract writes it"""
        return "# Code generated by syz-sysgen. DO NOT EDIT.\narches = arm64\n" + \
            "".join("%s = %d\n" % (name, self.values[name] & (1 << 64) - 1)
                    for name in sorted(self.constants))


# What is done to the description, or to the .const file or the header, and what has to be
# said of it
MISTAKES = [
    (NAME, "ioctl$GH_VM_START(", "# ioctl$GH_VM_START(", "GH_VM_START is not described"),
    (NAME, "flags flags[mmap_flags], fd fd_gunyah_vcpu", "flags flags[mmap_flags], fd fd_gunyah_vm",
     "mmap() of a vCPU is not described"),
    (NAME, "cmd const[GH_VM_SET_DTB_CONFIG]", "cmd const[GH_VM_START]", "is GH_VM_START"),
    (NAME, "const[GH_VM_START]", "const[GH_VM_STRAT]", "does not know GH_VM_STRAT"),
    (NAME, "arg ptr[out, gh_vm_exit_info]", "arg ptr[in, gh_vm_exit_info]",
     "argument in the other direction"),
    (NAME, "arg ptr[in, gh_vm_dtb_config]", "arg ptr[in, gh_fn_vcpu_arg]",
     "argument of another size"),
    (NAME, "const[GH_VCPU_RUN], arg const[0]", "const[GH_VCPU_RUN], arg ptr[in, gh_fn_vcpu_arg]",
     "takes no argument"),
    (NAME, "\tlen\t\tflags[gh_ioeventfd_lens, int32]\n\tfd\t\tfd_event\n",
     "\tfd\t\tfd_event\n\tlen\t\tflags[gh_ioeventfd_lens, int32]\n",
     "gh_fn_ioeventfd_arg.fd: 4 bytes at 16, the header's 4 bytes at 20"),
    (NAME, "reason_size\tint32", "reason_size\tint16", "gh_vm_exit_info: has 14 bytes"),
    (NAME, "\treason\t\tarray[int8, GH_VM_MAX_EXIT_REASON_SIZE]\n", "",
     "gh_vm_exit_info: has 8 bytes"),
    (NAME, "\tpadding\t\tarray[const[0, int8], 3]\n", "\tpadding\t\tarray[const[0, int8], 2]\n",
     "gh_vcpu_run_mmio.padding"),
    (NAME, "arg_size\tbytesize", "argument\tbytesize", "does not know offset gh_fn_desc"),
    (NAME, "bytesize[arg, int32]\n\targ\t\tptr64[in, ARG]",
     "bytesize[args, int32]\n\targ\t\tptr64[in, ARG]", "no args to tell the length of"),
    (NAME, "label\t\tint32[0:4]", "label\t\tu32[0:4]", "there is no type u32"),
    (NAME, "flags[gh_irqfd_flags, int32]", "flags[gh_irq_flags, int32]",
     "there are no flags gh_irq_flags"),
    (NAME, "flags[gh_irqfd_flags, int32]", "int32", "gh_irqfd_flags is not used"),
    (NAME, "gh_mem_flags_lent = GH_MEM_LENT, ", "gh_mem_flags_lent = ",
     "GH_MEM_LENT is not used"),
    (NAME, "resource fd_gunyah_vcpu[fd]", "resource fd_gunyah_vcpu[fdx]",
     "there is no type fdx"),
    (NAME, "[GH_FN_VCPU, gh_fn_vcpu_arg]]) fd_gunyah_vcpu", "[GH_FN_VCPU, gh_fn_vcpu_arg]])",
     "no call makes a fd_gunyah_vcpu"),
    (NAME, "arg ptr[in, gh_fn_desc[GH_FN_IRQFD, gh_fn_irqfd_arg]])",
     "arg ptr[in, gh_fn_desc[GH_FN_IOEVENTFD, gh_fn_ioeventfd_arg]])",
     "GH_VM_ADD_FUNCTION with GH_FN_IRQFD is not described"),
    (NAME, "arg ptr[in, gh_fn_desc_any]", "arg ptr[in, gh_fn_desc[GH_FN_VCPU]]",
     "wrong number of arguments"),
    (NAME, "arg const[0])", "arg const[0)", "bracket is missing"),
    (NAME, "mode const[0])", "mode  const[0])", "to be formatted as"),
    (NAME, "\tfd\tfd_event", "\tfd\t\tfd_event", "not in line with the others"),
    (NAME, "gh_vcpu_exit = ", "gh_fn_type = ", "gh_fn_type is defined twice"),
    (NAME, "mmio)\n", "mmi0)\n", "does not know GH_VCPU_RUN_MMIO"),
    (NAME + ".const", "GH_VM_START = ", "GH_VM_START = 1", ".const is not as"),
    (HEADER, "_IO(GH_IOCTL_TYPE, 0x3)", "_IO(GH_IOCTL_TYPE, 0x13)", ".const is not as"),
    (HEADER, "#define GH_VM_START", "#define GH_VM_PAUSE _IO(GH_IOCTL_TYPE, 0xc)\n"
     "#define GH_VM_START", "GH_VM_PAUSE is not described"),
    (HEADER, "\t__u32 id;", "\t__u64 id;", "gh_fn_vcpu_arg: has 4 bytes, the header's 8"),
    (HEADER, "\t__u8 padding[7];\n", "\t__u8 padding[7];\n\t__u64 more;\n", ".const is not as"),
    (HEADER, "\tGH_FN_IOEVENTFD\t= 3,", "\tGH_FN_IOEVENTFD\t= 3,\n\tGH_FN_MORE\t= 4,",
     "GH_FN_MORE is not used"),
]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def problems_with(files, folder):
    """What is said of files, by name, of which the header gets into a folder."""
    header = os.path.join(folder, "gunyah.h")
    with open(header, "w", encoding="utf-8") as file:
        file.write(files[HEADER])
    return Check(files[NAME], files[NAME + ".const"], header).problems


def main():
    files = {NAME: read(os.path.join(HERE, NAME)), HEADER: read(os.path.join(ROOT, HEADER))}
    const = os.path.join(HERE, NAME + ".const")
    if sys.argv[1:] == ["--write"]:
        check = Check(files[NAME], None, os.path.join(ROOT, HEADER))
        if check.problems:
            sys.exit("\n".join(check.problems))
        with open(const, "w", encoding="utf-8") as file:
            file.write(check.const_file())
        return 0

    writer = tap.Writer()
    files[NAME + ".const"] = read(const)
    with tempfile.TemporaryDirectory() as folder:
        found = problems_with(files, folder)
        writer.check(not found, "description for syzkaller fits the header", found)
        missed = []
        for name, old, new, wanted in MISTAKES:
            if old not in files[name]:
                missed.append("%s has no '%s' any more" % (name, old))
                continue
            found = problems_with({**files, name: files[name].replace(old, new, 1)}, folder)
            if not any(wanted in problem for problem in found):
                missed.append("'%s' is not said of '%s', but %s" % (wanted, new, found))
    writer.check(not missed, "%d mistakes in it are found" % len(MISTAKES), missed)
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of checks of lint.py

Each is a function of a project, and of a cache find(name, inputs, function) that calls
the function only if the inputs have changed, and returns a list of findings. Its first
line of documentation is the name of the result.
"""

import collections
import concurrent.futures
import fnmatch
import glob
import os
import re
import shutil
import subprocess

import overlay

TIMEOUT = 900
# Beside what overlay.py copies
TOP = (".ci/run", ".gitignore", "Kconfig.snippet", "MAINTAINERS", "Makefile", "README")
# Not a finding: what could not be looked at
SKIPPED = "SKIPPED"
BINDINGS = "Documentation/devicetree/bindings"
BINDING = BINDINGS + "/firmware/gunyah-hypervisor.yaml"


class ToolError(Exception):
    """A tool that is missing, or fails"""


class Finding(collections.namedtuple("Finding", "path line kind text")):
    __slots__ = ()

    def __str__(self):
        return "%s:%s: %s: %s" % self


def run(command, status=(0,), **options):
    """Return what a command prints. Only these exit statuses are no failures of the tool."""
    if not shutil.which(command[0]):
        raise ToolError("%s is not installed" % command[0])
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False,
                              encoding="utf-8", errors="replace", **options)
    except subprocess.TimeoutExpired as error:
        raise ToolError("%s took more than %d s" % (command[0], TIMEOUT)) from error
    if done.returncode not in status:
        raise ToolError("%s: status %d\n%s" % (" ".join(command)[:200], done.returncode,
                                               "\n".join(done.stdout.splitlines()[-20:])))
    return done.stdout


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [found for result in pool.map(function, items) for found in result]


class Project:
    """What is checked, and with what"""

    def __init__(self, root, tree, out, variables=(), files=None):
        self.root = root
        self.tree = tree
        self.out = out
        self.variables = list(variables)
        self.files = files or sorted(overlay.overlay_files(root) + list(TOP))
        self.lab = os.path.join(root, "tools/testing/gunyah")
        # What the tests of the checks have in place of the whole: a folder that is compiled
        # as if it were out of the tree, and one semantic patch
        self.module = None
        self.semantic_patches = "*/*.cocci"

    def at(self, *names):
        return [os.path.join(self.root, name) for name in names]

    def source(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def matching(self, pattern):
        return [name for name in self.files if re.search(pattern, name)]

    def of_language(self, pattern, *interpreters):
        """Files by name, and scripts by their first line."""
        return [name for name in self.files if re.search(pattern, name) or
                re.match(r"#! ?\S*(/env )?\S*\b(%s)\b" % "|".join(interpreters),
                         self.source(name).partition("\n")[0])]

    def kernel(self):
        """All that the compiler sees of ours."""
        return self.matching(r"^(drivers|include)/") + \
            ["tools/testing/gunyah/lab_ctl.h", "tools/testing/gunyah/kernel.config",
             "tools/testing/gunyah/lint/lint.config"]

    def folder(self, name):
        path = os.path.join(self.out, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def make(self, compiler, *arguments, prepared=True, status=(0,)):
        """Run the kernel's make, for a kernel that is configured here."""
        out = os.path.join(self.out, compiler)
        variables = [re.sub(r"^(CC=.*?)\S+$", r"\1clang", v) for v in self.variables] \
            if compiler == "clang" else self.variables
        if prepared:
            self.prepare(out, compiler, variables)
        return run(["make", "-C", self.tree, "O=" + out, "-j%d" % os.cpu_count(),
                    *variables, *arguments], status=status)

    def prepare(self, out, compiler, variables):
        fragments = [os.path.join(self.lab, "kernel.config"),
                     os.path.join(self.lab, "lint/lint.config")]
        stamp = os.path.join(out, ".config")
        newest = max(os.path.getmtime(f) for f in fragments +
                     glob.glob(os.path.join(self.root, "drivers/virt/gunyah/Kconfig")))
        if os.path.exists(stamp) and os.path.getmtime(stamp) > newest:
            return
        run([os.path.join(self.lab, "kconfig.py"), self.tree, out, *fragments, *variables])
        self.make(compiler, "prepare", "scripts_unifdef", prepared=False)
        os.utime(stamp)


def compile_findings(project, compiler, kind, folder, *arguments):
    """What compilers and sparse say about our files."""
    text = project.make(compiler, *arguments, status=(0, 2))
    found = []
    for match in re.finditer(r"^(\S*gunyah\S*):(\d+)(?::\d+)?: ((?:fatal )?error|warning): (.*)$",
                             text, re.M):
        path = os.path.join(folder, match.group(1))
        found.append(Finding(os.path.relpath(path, folder), match.group(2), kind,
                             match.group(4)))
    if not found and re.search(r"^make.*: \*\*\*", text, re.M):
        raise ToolError("make failed\n" + "\n".join(text.splitlines()[-20:]))
    return found


def checkpatch(project, find):
    """checkpatch.pl --strict"""
    script = os.path.join(project.tree, "scripts/checkpatch.pl")
    # It leaves a file where it runs, and goes by the names of files
    folder = project.folder("checkpatch")
    for name in {name.split("/")[0] for name in project.files}:
        os.symlink(os.path.join(project.root, name), os.path.join(folder, name))
    environment = dict(os.environ, GIT_DIR=os.path.join(folder, "none"))

    def check(name):
        text = run(["perl", script, "--root=" + project.tree, "--strict", "--terse", "--show-types",
                    "--no-summary", "--max-line-length=100", "--file", name], status=(0, 1),
                   cwd=folder, env=environment)
        found = []
        for line in text.splitlines():
            match = re.match(r"(\S+?):(\d+): \w+:(\w+): (.*)", line)
            if not match:
                raise ToolError("checkpatch.pl: " + line)
            found.append(Finding(*match.groups()))
        return found

    spelling = os.path.join(project.tree, "scripts/spelling.txt")
    return in_parallel(lambda name: find("checkpatch", project.at(name) + [script, spelling],
                                         lambda: check(name)), project.files)


def spelling(project, find):
    """codespell and the kernel's spelling.txt"""
    words = os.path.join(project.tree, "scripts/spelling.txt")

    def check():
        dictionary = os.path.join(project.folder("spelling"), "dictionary")
        with open(words, encoding="utf-8") as old, \
             open(dictionary, "w", encoding="utf-8") as new:
            new.writelines(line.replace("||", "->") for line in old if "||" in line)
        text = run(["codespell", "-D", "-", "-D", dictionary, *project.files], status=(0, 65),
                   cwd=project.root)
        return [Finding(*match.groups()[:2], "SPELLING", match.group(3)) for match in
                re.finditer(r"^(?:\./)?(.+?):(\d+): (.*)$", text, re.M)]

    return find("spelling", project.at(*project.files) + [words], check)


def objects(project, compiler, kind, *arguments):
    """Compile, or only check, the drivers."""
    # What is up to date would not warn again
    if project.module:
        where = ["M=" + project.module] + [os.path.basename(name)[:-1] + "o" for name in
                                           glob.glob(project.module + "/*.c")]
    else:
        where = ["drivers/virt/gunyah/", "drivers/mailbox/"]
        for folder, pattern in ("drivers/virt/gunyah", "**/*.o"), ("drivers/mailbox", "gunyah*.o"):
            for name in glob.glob(os.path.join(project.out, compiler, folder, pattern),
                                  recursive=True):
                if "C=2" not in arguments:
                    os.unlink(name)
    return compile_findings(project, compiler, kind, project.module or project.tree, *arguments,
                            *where)


def w1_gcc(project, find):
    """gcc with W=1"""
    return find("w1-gcc", project.at(*project.kernel()),
                lambda: objects(project, "gcc", "GCC", "W=1"))


def w1_clang(project, find):
    """clang with W=1"""
    return find("w1-clang", project.at(*project.kernel()),
                lambda: objects(project, "clang", "CLANG", "W=1"))


def sparse(project, find):
    """sparse with endianness"""
    if not shutil.which("sparse"):
        raise ToolError("sparse is not installed")
    # As for gcc above, so that nothing is compiled once more
    return find("sparse", project.at(*project.kernel()),
                lambda: objects(project, "gcc", "SPARSE", "W=1", "C=2", "CF=-D__CHECK_ENDIAN__"))


def coccicheck(project, find):
    """coccicheck in report mode"""
    names = project.matching(r"^drivers/.*\.[ch]$")
    patches = sorted(glob.glob(os.path.join(project.tree, "scripts/coccinelle",
                                            project.semantic_patches)))
    arch = os.path.join(project.tree, "arch/arm64/include")
    include = os.path.join(project.tree, "include")

    def check(patch, folder):
        # Debian's coccinelle comes without the compiler that these want
        if "script:ocaml" in read(patch):
            return [Finding(os.path.relpath(patch, project.tree), 0, SKIPPED, "needs OCaml")]
        environment = dict(os.environ, srctree=project.tree, KBUILD_EXTMOD=folder, COCCI=patch,
                           MODE="report", J="1", V="0", C="0",
                           LINUXINCLUDE=" ".join("-I" + f for f in (
                               arch, include, arch + "/uapi", include + "/uapi")))
        text = run(["bash", os.path.join(project.tree, "scripts/coccicheck")], cwd=folder,
                   env=environment)
        # Beside these it prints what it thinks of the semantic patch
        return [Finding(os.path.relpath(match.group(1), folder), match.group(2), "COCCI",
                        "%s (%s)" % (match.group(3), os.path.basename(patch))) for match in
                re.finditer(r"^(%s/\S+?):(\d+)[-:\d]*:? (.*)$" % re.escape(folder), text, re.M)]

    def check_all():
        if not shutil.which("spatch"):
            raise ToolError("spatch is not installed")
        folder = project.folder("cocci")
        for name in names:
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            shutil.copy(os.path.join(project.root, name), os.path.join(folder, name))
        return in_parallel(lambda patch: check(patch, folder), patches)

    return find("coccicheck", project.at(*names) + patches, check_all)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def kernel_doc(project, find):
    """kernel-doc -none"""
    script = os.path.join(project.tree, "scripts/kernel-doc")
    names = project.matching(r"^(drivers|include)/.*\.[ch]$")

    def check():
        text = run(["perl", script, "-none", "-Wall", *names], status=range(256), cwd=project.root)
        found = []
        for line in text.splitlines():
            match = re.match(r"(\S+?):(\d+): (?:warning|error): (.*)", line)
            if not match:
                raise ToolError("kernel-doc: " + line)
            found.append(Finding(match.group(1), match.group(2), "KERNEL_DOC", match.group(3)))
        return found

    return find("kernel-doc", project.at(*names) + [script], check)


FUNCTION = re.compile(r"^(?!static\b|typedef\b)([a-z][^;{}=#]*?\b(\w+)\([^;{}]*?\)[^;{}()]*)\n\{",
                      re.M)


def every_function(project, _find):
    """kernel-doc of each function that is not static"""
    found = []
    for name in project.matching(r"^drivers/(virt/gunyah|mailbox)/[^/]*(?<!-test)\.c$"):
        text = project.source(name)
        for match in FUNCTION.finditer(text):
            before = text[:match.start()].rstrip()
            doc = before[before.rindex("/*"):] if before.endswith("*/") else ""
            wanted = ["/**\n * %s() - " % match.group(2), "\n * Context: "]
            if not re.match(r"void\s+\w", match.group(1)):
                wanted.append("\n * Return: ")
            line = text.count("\n", 0, match.start()) + 1
            found += [Finding(name, line, "FUNCTION", "%s() has no \"%s\"" %
                              (match.group(2), part.strip("/* \n-"))) for part in wanted
                      if part not in doc]
    return found


def headers(project, find):
    """headers on their own, and twice"""
    names = project.matching(r"^include/.*\.h$|^drivers/.*\.h$")

    def check():
        folder = project.folder("headers")
        made = []
        for name in names:
            base = re.sub(r"\W", "_", name)
            with open(os.path.join(folder, base + ".c"), "w", encoding="utf-8") as file:
                file.write(2 * ('#include "%s"\n' % os.path.join(project.root, name)))
            made.append(base + ".o")
        with open(os.path.join(folder, "Kbuild"), "w", encoding="utf-8") as file:
            file.write("obj-m := %s\n" % " ".join(made))
        return compile_findings(project, "gcc", "HEADER", project.root, "-k", "W=1", "M=" + folder,
                                *made)

    return find("headers", project.at(*project.kernel()), check)


def headers_install(project, find):
    """the user's header in C and C++"""
    names = project.matching(r"^include/uapi/.*\.h$")

    def check():
        project.make("gcc", "prepare")
        folder = project.folder("uapi")
        found = []
        for name in names:
            installed = os.path.join(folder, os.path.relpath(name, "include/uapi"))
            os.makedirs(os.path.dirname(installed), exist_ok=True)
            run(["sh", os.path.join(project.tree, "scripts/headers_install.sh"),
                 os.path.join(project.root, name), installed],
                cwd=os.path.join(project.out, "gcc"))
            text = run(["perl", os.path.join(project.tree, "usr/include/headers_check.pl"), folder,
                        installed], status=(0, 1))
            for command in (["gcc", "-std=c90", "-xc"], ["aarch64-linux-gnu-gcc", "-std=c11", "-xc"],
                            ["clang", "-std=c++98", "-xc++"]):
                text += run([*command, "-Wall", "-Wextra", "-fsyntax-only", "-I", folder,
                             "-include", installed, "-include", installed, "/dev/null"],
                            status=(0, 1))
            found += [Finding(name, match.group(1) or 0, "UAPI", match.group(2)) for match in
                      re.finditer(r"^\S*?:(\d+)?[\d:]* (?:(?:fatal )?error|warning)?:? ?(.*)$", text,
                                  re.M)]
        return found

    return find("headers-install", project.at(*names), check)


# What of ours each file may include, so that calls go down only: the first row that fits
LAYERS = (
    ("include/uapi/linux/gunyah.h", ""),
    ("include/linux/gunyah.h", ""),
    ("drivers/virt/gunyah/hypercall.c", "linux/gunyah.h"),
    ("drivers/mailbox/gunyah-msgq*.c", "linux/gunyah.h"),
    ("drivers/virt/gunyah/rsc_mgr_msg.[ch]", "rsc_mgr_msg.h"),
    ("include/linux/gunyah_rsc_mgr.h", "linux/gunyah.h"),
    ("include/linux/gunyah_vm_mgr.h", "linux/gunyah.h uapi/linux/gunyah.h"),
    ("include/trace/events/gunyah.h", ""),
    # Has the names of what all layers trace
    ("drivers/virt/gunyah/trace.c", "linux/gunyah.h linux/gunyah_rsc_mgr.h uapi/linux/gunyah.h "
     "rsc_mgr.h vm_mgr.h trace/events/gunyah.h"),
    ("drivers/virt/gunyah/rsc_mgr.h", "linux/gunyah.h linux/gunyah_rsc_mgr.h"),
    ("drivers/virt/gunyah/rsc_mgr*.c", "rsc_mgr.h rsc_mgr_msg.h trace/events/gunyah.h"),
    ("drivers/virt/gunyah/vm_mgr.h",
     "linux/gunyah_rsc_mgr.h linux/gunyah_vm_mgr.h uapi/linux/gunyah.h"),
    ("drivers/virt/gunyah/vm_mgr*.c", "vm_mgr.h trace/events/gunyah.h"),
    ("drivers/virt/gunyah/debugfs.c", "vm_mgr.h"),
    ("drivers/virt/gunyah/gunyah_platform_hooks.c", "linux/gunyah.h rsc_mgr.h"),
    # Functions of VMs, and who tells a platform, know of these what a driver elsewhere would
    ("drivers/virt/gunyah/gunyah_qcom.[ch]", "gunyah_qcom.h linux/gunyah_rsc_mgr.h"),
    ("drivers/virt/gunyah/gunyah_vcpu.[ch]",
     "gunyah_vcpu.h linux/gunyah_vm_mgr.h trace/events/gunyah.h"),
    ("drivers/virt/gunyah/gunyah_*.c", "linux/gunyah_vm_mgr.h"),
    # The model is not to agree with the drivers because it is made of them
    ("drivers/virt/gunyah/tests/rm_model.[ch]", "tests/rm_model.h tools/testing/gunyah/lab_ctl.h"),
    # Has a copy of what it tests
    ("drivers/virt/gunyah/tests/platform_hooks_test.c",
     "linux/gunyah.h rsc_mgr.h gunyah_platform_hooks.c"),
    ("drivers/virt/gunyah/tests/*",
     "linux/gunyah.h linux/gunyah_rsc_mgr.h uapi/linux/gunyah.h trace/events/gunyah.h "
     "rsc_mgr.h rsc_mgr_msg.h vm_mgr.h gunyah_vcpu.h gunyah_qcom.h "
     "tests/rm_model.h tests/fake_transport.h tests/fake_rm.h tests/vm_test.h "
     "tools/testing/gunyah/lab_ctl.h"),
)


def include_direction(project, _find):
    """#include of lower layers only"""
    found = []
    for name in project.matching(r"^(drivers|include)/.*\.[ch]$"):
        allowed = [row[1] for row in LAYERS if fnmatch.fnmatch(name, row[0])]
        if not allowed:
            found.append(Finding(name, 0, "LAYER", "belongs to no layer"))
            continue
        for number, line in enumerate(project.source(name).splitlines(), 1):
            match = re.match(r'#\s*include\s+([<"])(.*?)[>"]', line)
            if not match or (match.group(1) == "<" and "gunyah" not in match.group(2)):
                continue
            folder = os.path.dirname(name) if match.group(1) == '"' else "include"
            header = os.path.normpath(os.path.join(folder, match.group(2)))
            header = re.sub(r"^(include|drivers/virt/gunyah)/", "", header)
            if header not in allowed[0].split():
                found.append(Finding(name, number, "LAYER", "includes " + header))
    return found


def shellcheck(project, find):
    """shellcheck"""
    names = project.of_language(r"\.sh$", "sh", "bash")

    def check():
        text = run(["shellcheck", "--format=gcc", "--external-sources", *names], status=(0, 1),
                   cwd=project.root)
        return [Finding(*match.groups()[:2], "SHELL", match.group(3)) for match in
                re.finditer(r"^(.+?):(\d+):\d+: (.*)$", text, re.M)]

    return find("shellcheck", project.at(*names), check)


def python(project, find):
    """pyflakes"""
    names = project.of_language(r"\.py$", "python3")

    def check():
        text = run(["pyflakes3", *names], status=(0, 1), cwd=project.root)
        return [Finding(*match.groups()[:2], "PYTHON", match.group(3)) for match in
                re.finditer(r"^(.+?):(\d+):\d*:? ?(.*)$", text, re.M)]

    return find("python", project.at(*names), check)


def leftovers(project, _find):
    """SPDX lines, nothing left to do, white space"""
    found = []
    for name in project.files:
        lines = project.source(name).split("\n")
        if not any("SPDX-License-Identifier: " in line for line in lines[:3]):
            found.append(Finding(name, 1, "SPDX", "no SPDX line"))
        if lines[-1] or (len(lines) > 1 and not lines[-2]):
            found.append(Finding(name, len(lines), "WHITE", "ends with no newline, or with two"))
        for number, line in enumerate(lines, 1):
            if re.search(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b", line):
                found.append(Finding(name, number, "LEFT", line.strip()))
            if line != line.rstrip(" \t"):
                found.append(Finding(name, number, "WHITE", "white space at the end"))
    return found


def schemas(project, folder):
    """Process our binding, and those that the tool brings."""
    if not shutil.which("dt-mk-schema"):
        raise ToolError("dt-mk-schema is not installed")
    path = os.path.join(folder, "schema.json")
    run(["dt-mk-schema", "-j", "-o", path, os.path.join(project.root, BINDINGS)])
    return path


def compile_dts(project, source, result):
    text = run(["cpp", "-nostdinc", "-undef", "-D__DTS__", "-x", "assembler-with-cpp", "-P",
                "-I", os.path.join(project.tree, "include"), source, source + ".i"])
    # The warnings that the kernel's own make turns off for examples
    return text + run(["dtc", "-I", "dts", "-O", "dtb", "-o", result,
                       "-Wno-avoid_unnecessary_addr_size", "-Wno-graph_child_address",
                       "-Wno-interrupt_provider", "-Wno-unique_unit_address",
                       "-Wunique_unit_address_if_enabled", source + ".i"], status=(0, 1))


def binding(project, find):
    """dt_binding_check"""
    bindings = os.path.join(project.root, BINDINGS)
    path = os.path.join(project.root, BINDING)

    # What make dt_binding_check does, which wants a newer tool than Debian has
    def check():
        folder = project.folder("binding")
        text = run(["yamllint", "-f", "parsable", "-c",
                    os.path.join(project.tree, BINDINGS, ".yamllint"), path], status=(0, 1, 2))
        text += run(["dt-doc-validate", "-u", bindings, path], status=range(256))
        example = os.path.join(folder, "example.dts")
        with open(example, "w", encoding="utf-8") as file:
            file.write(run(["dt-extract-example", path]))
        text += compile_dts(project, example, os.path.join(folder, "example.dtb"))
        found = [Finding(BINDING, 0, "DT", line.replace(project.root + "/", ""))
                 for line in text.splitlines()]
        if os.path.exists(os.path.join(folder, "example.dtb")):
            text = run(["dt-validate", "-s", schemas(project, folder), "-m",
                        os.path.join(folder, "example.dtb")])
            # Each with a line about where that is from
            found += [Finding(BINDING, 0, "DT", line) for line in text.splitlines()
                      if not line.startswith("\t")]
        return found

    return find("binding", [path], check)


def host_devicetree(project, find):
    """what the test hypervisor's host sees, in both forms, against the binding"""
    source = os.path.join(project.root, "tools/testing/gunyah/hyp/hostfdt.c")
    libfdt = os.path.join(project.tree, "scripts/dtc/libfdt")

    def check():
        folder = project.folder("host")
        program, machine = os.path.join(folder, "host_dtb"), os.path.join(folder, "qemu.dtb")
        # As run.py starts it
        run(["qemu-system-aarch64", "-machine",
             "virt,virtualization=on,gic-version=3,dumpdtb=" + machine, "-cpu", "cortex-a57",
             "-smp", "3", "-m", "512", "-display", "none", "-nic", "none"])
        run(["gcc", "-std=gnu11", "-O2", '-DHOSTFDT="%s"' % source, "-I", project.lab + "/hyp",
             "-I", project.lab + "/../../../drivers/virt/gunyah/tests", "-I", libfdt,
             "-o", program, project.lab + "/lint/host_dtb.c"] +
            [os.path.join(libfdt, name + ".c") for name in (
                "fdt", "fdt_ro", "fdt_rw", "fdt_wip", "fdt_addresses")])
        found = []
        for form in [], ["binding"]:
            tree = os.path.join(folder, "host%s.dtb" % "-".join([""] + form))
            run([program, machine, tree, *form])
            # What simple-bus has to say about the one that says it is one is in the binding
            text = run(["dt-validate", "-s", schemas(project, folder), "--show-matched", "-l",
                        os.path.basename(BINDING), tree])
            matched = tree + ": /hypervisor: matched on schema(s)"
            lines = [line for line in text.splitlines() if not line.startswith("\t")]
            found += [Finding(BINDING, 0, "DT", line) for line in lines if line != matched]
            if matched not in lines:
                found.append(Finding(BINDING, 0, "DT", "is not for what is in " + tree))
        return found

    return find("host-devicetree", [source, project.lab + "/lint/host_dtb.c",
                                    os.path.join(project.root, BINDING)], check)


CHECKS = (leftovers, include_direction, every_function, kernel_doc, spelling, shellcheck, python,
          binding, host_devicetree, checkpatch, headers, headers_install, w1_gcc, sparse, w1_clang, coccicheck)

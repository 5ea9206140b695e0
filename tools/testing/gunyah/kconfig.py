#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Configure a kernel from fragments: kconfig.py TREE OUT FRAGMENT... [VAR=VALUE]...

Everything is off but what the fragments ask for (a later one wins) and what that
needs. Fails, naming them, if symbols of the fragments did not take effect.
The variables are for the kernel's make.
"""

import os
import re
import subprocess
import sys

LINE = re.compile(r"(?:# )?(CONFIG_\w+)(?:=(.*)| is not set)$")


def load(path):
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = LINE.match(line.rstrip())
            if match:
                found[match.group(1)] = match.group(2) or "n"
    return found


def main():
    tree, out = sys.argv[1], os.path.abspath(sys.argv[2])
    variables = [word for word in sys.argv[3:] if "=" in word]
    fragments = [word for word in sys.argv[3:] if "=" not in word]
    wanted = {}
    for fragment in fragments:
        wanted.update(load(fragment))
    os.makedirs(out, exist_ok=True)
    merged = os.path.join(out, "fragments.config")
    with open(merged, "w", encoding="utf-8") as file:
        for name, value in wanted.items():
            file.write("# %s is not set\n" % name if value == "n" else "%s=%s\n" % (name, value))
    subprocess.run(["make", "-s", "-C", tree, "O=" + out, "KCONFIG_ALLCONFIG=" + merged,
                    *variables, "allnoconfig"], check=True)
    got = load(os.path.join(out, ".config"))
    bad = ["%s=%s (is %s)" % (name, value, got.get(name, "n"))
           for name, value in wanted.items() if got.get(name, "n") != value]
    if bad:
        # The next run has to try again
        os.unlink(os.path.join(out, ".config"))
        sys.exit("kconfig: no effect: " + ", ".join(bad))


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit("kconfig: %s" % error)

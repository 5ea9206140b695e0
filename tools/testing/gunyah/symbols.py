#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Which symbols of the kernel do modules need? symbols.py [--page PAGE] MODULE...

Prints them in the form of Android's symbol lists, android/abi_gki_aarch64_*, without those
that the modules have from each other. A MODULE is a .ko, or the .o that it is made of. With
--page the list takes the place of the one in PAGE.
"""

import argparse
import collections
import os
import re
import subprocess

HEAD = "[abi_symbol_list]"
# The build looks for it in any module
ALWAYS = "module_layout"
# Made by modpost
OWN = {"__this_module"}
LIST = re.compile(r"^(?:   )?%s\n(?:(?:   .*)?\n)*" % re.escape(HEAD), re.M)


class Module:
    """What a module needs and what others may need of it"""

    def __init__(self, path):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.needs, self.has = set(), set()
        for line in subprocess.run(["nm", path], stdout=subprocess.PIPE, text=True,
                                   check=True).stdout.splitlines():
            kind, name = line.split()[-2:]
            if kind == "U":
                self.needs.add(name)
            elif kind.isupper() and name not in OWN:
                self.has.add(name)


def order(modules):
    """Return the modules so that each comes after those that it needs something of."""
    left, done = list(modules), []
    while left:
        ready = [module for module in left
                 if not any(module.needs & other.has for other in left if other is not module)]
        if not ready:
            raise ValueError("modules need each other: %s" % [module.name for module in left])
        done += ready
        left = [module for module in left if module not in ready]
    return done


def needed(modules):
    """Return a list, as text."""
    ours = set().union(OWN, *(module.has for module in modules))
    users = collections.defaultdict(list)
    for module in modules:
        for name in module.needs - ours:
            users[name].append(module.name)
    lines = [HEAD, "# commonly used symbols", "  " + ALWAYS]
    lines += ["  " + name for name in sorted(users) if len(users[name]) > 1]
    for module in modules:
        names = [name for name in sorted(users) if users[name] == [module.name]]
        if names:
            lines += ["", "# required by %s.ko" % module.name] + ["  " + name for name in names]
    return "\n".join(lines) + "\n"


def on_page(text):
    """Return the list that a page has, as needed() would."""
    found = LIST.search(text)
    return re.sub("^   ", "", found.group(0), flags=re.M).rstrip("\n") + "\n" if found else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page")
    parser.add_argument("modules", nargs="+", metavar="MODULE")
    args = parser.parse_args()

    text = needed(order([Module(path) for path in args.modules]))
    if not args.page:
        print(text, end="")
        return
    with open(args.page, encoding="utf-8") as file:
        page = file.read()
    indented = re.sub("^(?=.)", "   ", text, flags=re.M)
    with open(args.page, "w", encoding="utf-8") as file:
        file.write(LIST.sub(lambda _: indented + "\n", page).rstrip("\n") + "\n")


if __name__ == "__main__":
    main()

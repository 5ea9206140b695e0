# SPDX-License-Identifier: GPL-2.0-only
"""The cover letter of the series, with the figures of the last runs"""

import json
import os
import re
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(FOLDER))

import overlay  # noqa: E402


def results(root):
    """Yield (suite, counts) of what check.py ran on the overlay as it is now."""
    folder = os.path.join(root, "build/results")
    digest = overlay.overlay_digest(root)
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            result = json.load(file)
        if result["overlay"] == digest:
            yield result["suite"], result


def table(found):
    lines = ["  %-24s %8s %8s %8s" % ("suite", "passed", "failed", "skipped")]
    total = dict.fromkeys(("passed", "failed", "skipped"), 0)
    for suite, counts in found:
        lines.append("  %-24s %8d %8d %8d" % (suite, *(counts[key] for key in total)))
        for key in total:
            total[key] += counts[key]
    lines.append("  %-24s %8d %8d %8d" % ("all", *total.values()))
    return "\n".join(lines)


def bench(root, found):
    """Return what suite bench measured."""
    path = os.path.join(root, "build/log/boot-bench.log")
    if "bench" not in dict(found) or not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = re.findall(r"# bench: (.*\S)", file.read())
    return "What leaving and interrupting a guest cost (make bench-exits):\n\n" + \
        "\n".join("  " + line for line in lines)


def letter(root, version):
    """Return subject, blank line and body for a tree of this version."""
    with open(os.path.join(FOLDER, "cover-letter"), encoding="utf-8") as file:
        text = file.read()
    found = list(results(root))
    values = {
        "version": version,
        "results": table(found) if found else
                   "  (none: \"make check\" was not run on this state)",
        "bench": bench(root, found),
    }
    for name, value in values.items():
        text = text.replace("{%s}" % name, value)
    return text.rstrip() + "\n"

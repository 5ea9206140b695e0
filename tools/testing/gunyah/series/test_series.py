#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of series.py with small overlays of their own. Prints TAP."""

import os
import sys
import tempfile

import series
from series import overlay

import tap
import test_overlay

MAIN = """\
// licence
#include <a.h>
#include <b.h>

/* What it has */
struct thing {
	int old;
	int *new;
	void (*call)(int x,
		     int y);
};

enum kind {
	KIND_OLD,
	KIND_NEW	= 3,
};

/**
 * fresh() - Comes later
 */
static int fresh(int x)
{
	if (x) {

		return 1;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(fresh);

static void first(void)
{
	fresh(1);
	prepare();
	use();

	end();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(first),
	KUNIT_CASE(fresh),
	{}
};
"""
EARLY = """\
// licence
#include <a.h>

/* What it has */
struct thing {
	int old;
};

enum kind {
	KIND_OLD,
};

static void first(void)
{
	was_used();

	end();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(first),
	{}
};
"""
PAGE = "Page\n====\n\nOne\n---\n\n1.\n\nTwo\n---\n\n2.\n\nThree\n-----\n\n3.\n"
KCONFIG = "config A\n\ttristate\n\thelp\n\t  One.\n\n\t  Two.\n\nconfig B\n\tbool\n"
OVERLAY = {
    "Kconfig.snippet": "#\n",
    "MAINTAINERS": "X\n",
    "drivers/main.c": MAIN,
    "drivers/Kconfig": KCONFIG,
    "drivers/late/late.c": "int late;\n",
    "Documentation/page.rst": PAGE,
}
PATCHES = {
    "01-first": "a: First\n\nWhy.\n---\nfile Kconfig.snippet MAINTAINERS drivers/* **.rst\n",
    "02-second": """\
a: Second
---
file drivers/late/*
in drivers/main.c
lines #include <b.h>
item fresh
member thing new call
member kind KIND_NEW
of first
from prepare();
to use();
instead 	was_used();
lines fresh(1);
in drivers/Kconfig
item A
in Documentation/page.rst
section Two
""",
}
# What is appended to the second patch, and what has to be said of it
MISTAKES = {
    "item nothing": "'nothing' is defined 0 times",
    "member thing nothing": "thing has 'nothing' 0 times",
    "member nothing new": "'nothing' is defined 0 times",
    "lines nothing": "no line with 'nothing'",
    "from nothing": "0 lines begin with 'nothing'",
    "from #include": "2 lines begin with '#include'",
    "from prepare();\nto nothing": "no line after it begins with 'nothing'",
    "block nothing": "0 blocks with a line that begins with 'nothing'",
    "of cases\nlines prepare();": "no line with 'prepare();'",
    "lines end();\nsince 7": "0 patches begin with '7'",
    "in drivers/nothing.c\nitem x": "there is no such file",
    "in drivers/late/late.c\nitem late": "comes with patch 2",
    "file nothing/*": "no file matches 'nothing/*'",
    "nonsense x": "cannot be understood",
}


def states(files, patches):
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as folder:
        test_overlay.write(root, files)
        test_overlay.write(folder, patches)
        found = series.Series(root, folder)
        return [{path: data.decode() for path, data in found.state(patch.number).items()}
                for patch in found.patches]


def mistake(files, patches):
    try:
        states(files, patches)
    except (series.SeriesError, overlay.OverlayError) as error:
        return str(error)
    return "nothing is wrong"


def main():
    writer = tap.Writer()
    first, second = states(OVERLAY, PATCHES)
    for path, wanted in (("drivers/main.c", EARLY), ("drivers/Kconfig", "config B\n\tbool\n"),
                         ("Documentation/page.rst", PAGE.replace("Two\n---\n\n2.\n\n", "")),
                         ("drivers/late/late.c", None)):
        writer.check(first.get(path) == wanted, "%s without what comes later" % path,
                     str(first.get(path)).splitlines())
    writer.check(second == OVERLAY, "the last state is the overlay")

    # Two patches replace the same line: each says since when its text is there
    third = dict(PATCHES, **{"03-third": "a: Third\n---\nin drivers/main.c\nof first\n"
                                         "lines end();\ninstead \tstop();\nsince 02\n"})
    found = [state["drivers/main.c"] for state in states(OVERLAY, third)]
    writer.check("end" not in found[0] and "stop" not in found[0] and "stop();" in found[1] and
                 found[2] == MAIN, "what stood there before did so since its patch only")

    # What checkpatch would find, only it takes the export of all patches to ask it
    with open(os.path.join(series.FOLDER, "cover-letter"), encoding="utf-8") as file:
        letters = {"cover-letter": file.read()}
    letters.update((patch.name, patch.message) for patch in series.Series().patches)
    long = ["%s: %s" % (name, line) for name, text in letters.items()
            for line in text.splitlines() if len(line) > 75]
    writer.check(not long, "no line of a message is longer than 75 characters", long)

    for lines, wanted in MISTAKES.items():
        bad = dict(PATCHES, **{"02-second": PATCHES["02-second"] +
                               ("" if lines.startswith(("in ", "file ")) else
                                "in drivers/main.c\n") + lines + "\n"})
        said = mistake(OVERLAY, bad)
        writer.check(wanted in said, "told: " + lines.replace("\n", ", "), [said])
    said = mistake(dict(OVERLAY, **{"tools/new.c": ""}), PATCHES)
    writer.check("tools/new.c: comes with no patch" in said, "told: a file in no list", [said])
    return writer.end()


if __name__ == "__main__":
    sys.exit(main())

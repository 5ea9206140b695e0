# SPDX-License-Identifier: GPL-2.0-only
"""The table in exceptions.txt: what is found and stays

A line "TYPE PATTERN..." excepts findings of this type in files whose names match one of
the patterns; after "TYPE=TEXT" only those that say TEXT. The lines that follow, indented,
are the reason for all the lines before.
"""

import fnmatch


class Exception_:
    def __init__(self, where, kind, patterns):
        self.where = where
        self.kind, _, self.text = kind.partition("=")
        self.patterns = {pattern: False for pattern in patterns}
        self.reason = ""

    def covers(self, finding):
        if self.kind != finding.kind or self.text not in finding.text:
            return False
        matching = [p for p in self.patterns if fnmatch.fnmatch(finding.path, p)]
        for pattern in matching:
            self.patterns[pattern] = True
        return bool(matching)


class Table:
    def __init__(self, path):
        self.exceptions = []
        block = []
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                if line[0].isspace():
                    for exception in block:
                        exception.reason += line
                    continue
                if not block or block[-1].reason:
                    block = []
                kind, *patterns = line.split()
                block.append(Exception_("%s:%d" % (path, number), kind, patterns))
                self.exceptions.append(block[-1])

    def filter(self, findings):
        return [finding for finding in findings
                if not [e for e in self.exceptions if e.covers(finding)]]

    def unused(self):
        """What the table has too much: patterns without a finding, or without a reason."""
        return ["%s: %s finds nothing in %s" % (e.where, e.kind, pattern)
                for e in self.exceptions for pattern, used in e.patterns.items() if not used] + \
               ["%s: no reason" % e.where for e in self.exceptions if not e.reason]

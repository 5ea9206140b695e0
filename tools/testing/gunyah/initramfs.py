#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Pack a folder as an initramfs: initramfs.py OUT FOLDER

Owner, times and order are fixed, so that equal contents give an equal archive,
and device nodes need no privilege. Adds the folders that /init mounts on.
"""

import gzip
import os
import stat
import sys

FOLDERS = ("dev", "proc", "sys", "tmp", "mnt")
CONSOLE = ("dev/console", stat.S_IFCHR | 0o600, 5, 1)


class Archive:
    """A cpio archive of the format that the kernel's initramfs code reads"""

    def __init__(self):
        self.data = bytearray()
        self.inode = 0

    def add(self, name, mode, data=b"", major=0, minor=0):
        self.inode += 1
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name) + 1, 0)
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields)
        self.data += name.encode() + b"\0"
        self.pad()
        self.data += data
        self.pad()

    def pad(self):
        self.data += b"\0" * (-len(self.data) % 4)

    def end(self):
        self.add("TRAILER!!!", 0)
        return bytes(self.data)


def pack(root):
    archive = Archive()
    names = []
    for folder, folders, files in os.walk(root):
        names += [os.path.relpath(os.path.join(folder, name), root) for name in folders + files]
    for name in sorted(set(names).union(FOLDERS)):
        path = os.path.join(root, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                archive.add(name, stat.S_IFREG | (os.stat(path).st_mode & 0o777), file.read())
        else:
            archive.add(name, stat.S_IFDIR | 0o755)
        if name == "dev":
            archive.add(CONSOLE[0], CONSOLE[1], b"", CONSOLE[2], CONSOLE[3])
    return gzip.compress(archive.end(), 1, mtime=0)


if __name__ == "__main__":
    image = pack(sys.argv[2])
    with open(sys.argv[1] + ".new", "wb") as out:
        out.write(image)
    os.replace(sys.argv[1] + ".new", sys.argv[1])

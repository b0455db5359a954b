# SPDX-License-Identifier: GPL-2.0-or-later
"""Which pages of a file are a library's text: all before its writable segment."""
import functools
import os
import struct

PAGE = os.sysconf("SC_PAGE_SIZE")
LEAST_TEXT = 1 << 20
ET_DYN, PT_LOAD, PF_W = 3, 1, 2


def _loads(path):
    """(flags, offset, size in the file) of each PT_LOAD of a shared object."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:5] != b"\x7fELF\x02":
            return
        kind, = struct.unpack_from("<H", head, 16)
        table, = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        if kind != ET_DYN:
            return
        file.seek(table)
        for _ in range(count):
            fields = struct.unpack_from("<IIQQQQQQ", file.read(size))
            if fields[0] == PT_LOAD:
                yield fields[1], fields[2], fields[5]


@functools.lru_cache(maxsize=None)
def pages(path):
    """Numbers of the file pages that are text; none unless it is a library
    with at least 1 MiB of it."""
    if ".so" not in os.path.basename(path) or not os.path.isfile(path):
        return frozenset()
    found = set()
    for flags, offset, size in _loads(path):
        if flags & PF_W:
            break
        found.update(range(offset // PAGE, -(-(offset + size) // PAGE)))
    return frozenset(found if len(found) * PAGE >= LEAST_TEXT else ())

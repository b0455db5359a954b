# SPDX-License-Identifier: GPL-2.0-or-later
"""What /proc tells about the system and about live processes."""
import os
import struct

PAGE = os.sysconf("SC_PAGE_SIZE")


def _number_after(path, key):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith(key):
                return int(line.split()[1])
    raise RuntimeError(f"no {key} in {path}")


def page_tables_kb():
    """Page tables of the whole system; a region's host mm has its share."""
    return _number_after("/proc/meminfo", "PageTables:")


def vmpte_kb(pid):
    return _number_after(f"/proc/{pid}/status", "VmPTE:")


def minor_faults(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        # The name in parentheses may have blanks in it.
        fields = file.read().rpartition(")")[2].split()
    return int(fields[7])


def system_call(pid):
    """(number, first argument) of the call a process is blocked in, or None."""
    with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
        words = file.read().split()
    return (int(words[0]), int(words[1], 16)) if len(words) > 2 else None


class Mapping:
    """One line of /proc/PID/maps."""

    def __init__(self, line):
        fields = line.rstrip("\n").split(maxsplit=5)
        self.start, self.end = (int(x, 16) for x in fields[0].split("-"))
        self.perms = fields[1]
        self.offset = int(fields[2], 16)
        self.path = fields[5] if len(fields) > 5 else ""

    def file_page(self, address):
        return (address - self.start + self.offset) // PAGE


def mappings(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        return [Mapping(line) for line in file]


def resident_addresses(pid, mapping):
    """Addresses of a mapping's pages that the process's tables have."""
    count = (mapping.end - mapping.start) // PAGE
    with open(f"/proc/{pid}/pagemap", "rb") as file:
        file.seek(mapping.start // PAGE * 8)
        entries = struct.unpack(f"<{count}Q", file.read(count * 8))
    return [mapping.start + i * PAGE
            for i, entry in enumerate(entries) if entry >> 63]

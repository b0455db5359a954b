# SPDX-License-Identifier: GPL-2.0-or-later
"""What /proc tells about the system and about live processes."""
import contextlib
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


class Call:
    """A system call that a thread is blocked in: its number, its arguments."""

    def __init__(self, words):
        self.number = int(words[0])
        self.args = [int(word, 16) for word in words[1:7]]


def system_calls(pid):
    """Of all threads of a process; none of those that run, or have gone."""
    calls = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/syscall",
                      encoding="ascii") as file:
                words = file.read().split()
            if len(words) == 9:
                calls.append(Call(words))
    return calls


def has_open(pid, descriptor, file):
    """Whether a descriptor of a process is of a file that we have open."""
    try:
        return os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"),
                                os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def command_line(pid):
    """The words of it, or the title a process has given itself; "": gone."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            return file.read().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


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


def libraries(pid):
    """Files of the shared libraries that a process has mapped."""
    return {mapping.path for mapping in mappings(pid)
            if "x" in mapping.perms and ".so" in os.path.basename(mapping.path)}


def executable(pid):
    """The file that a process runs."""
    return os.readlink(f"/proc/{pid}/exe")


def resident_addresses(pid, mapping):
    """Addresses of a mapping's pages that the process's tables have."""
    count = (mapping.end - mapping.start) // PAGE
    with open(f"/proc/{pid}/pagemap", "rb") as file:
        file.seek(mapping.start // PAGE * 8)
        entries = struct.unpack(f"<{count}Q", file.read(count * 8))
    return [mapping.start + i * PAGE
            for i, entry in enumerate(entries) if entry >> 63]

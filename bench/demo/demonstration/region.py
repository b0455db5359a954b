# SPDX-License-Identifier: GPL-2.0-or-later
"""The live region, and which pages of a process are linked to it."""
import contextlib
import ctypes
import fcntl
import os
import struct
import subprocess

from demonstration import proc

LIBEXEC = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = "/sys/fs/mshare/system"

# From <linux/msharefs.h>
WINDOW = 1 << 21
INFO = struct.Struct("<QQQII")
STAT = struct.Struct("<71Q")
PROCESS_STAT = struct.Struct("<QIiII")
MSHARE_WINDOW_ATTACHED = 2


def _ioctl_read(nr, size):
    return 2 << 30 | size << 16 | ord("x") << 8 | nr


MSHAREFS_STAT = _ioctl_read(18, STAT.size)
MSHAREFS_PROCESS_STAT = 1 << 30 | _ioctl_read(20, PROCESS_STAT.size)


class Region:
    """The live region, opened."""

    def __init__(self):
        self.fd = os.open(PATH, os.O_RDONLY)
        self.start, self.size = INFO.unpack(os.pread(self.fd, INFO.size, 0))[:2]

    def host_page_tables_kb(self):
        stat = bytearray(STAT.size)
        fcntl.ioctl(self.fd, MSHAREFS_STAT, stat)
        return STAT.unpack(stat)[3] // 1024

    def attached_windows(self, pid):
        """Addresses of the windows that a process has linked."""
        flags = (ctypes.c_uint8 * (self.size // WINDOW))()
        fcntl.ioctl(self.fd, MSHAREFS_PROCESS_STAT, bytearray(PROCESS_STAT.pack(
            ctypes.addressof(flags), len(flags), pid, 0, 0)))
        return {self.start + i * WINDOW for i, flag in enumerate(flags)
                if flag & MSHARE_WINDOW_ATTACHED}

    def linked_text(self, pid, windows):
        """{library: file pages of it that lie in these windows of a process}"""
        linked = {}
        for mapping in proc.mappings(pid):
            if "x" not in mapping.perms:
                continue
            for window in windows:
                low = max(window, mapping.start)
                high = min(window + WINDOW, mapping.end)
                if low < high:
                    linked.setdefault(mapping.path, set()).update(
                        range(mapping.file_page(low), mapping.file_page(high)))
        return linked


@contextlib.contextmanager
def live(*options):
    """Populate the region, with options of mshare-preload, and bind our ld.so
    over the stock one, until exit."""
    subprocess.run([f"{LIBEXEC}/demo-setup", "on", *options], check=True,
                   stdout=subprocess.DEVNULL)
    try:
        region = Region()
        yield region
        os.close(region.fd)
    finally:
        subprocess.run([f"{LIBEXEC}/demo-setup", "off"], check=True)


def build_images(libraries, programs, *more):
    """Make the images of these; more: options that name others.

    programs	that this machine is for: what they load is placed first
    """
    first = [f"--first={program}" for program in sorted(programs)]
    subprocess.run(["mshare", "image", "build", *first, *more,
                    *sorted(libraries)], check=True)

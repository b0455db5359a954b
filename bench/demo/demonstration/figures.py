# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured of a crowd while all of it is alive and ready."""
from statistics import mean

from demonstration import proc, text
from demonstration.programs import PROGRAMS


def _resident_text(pid):
    """{library: file pages of its text that the process has in its tables}"""
    resident = {}
    for mapping in proc.mappings(pid):
        pages = text.pages(mapping.path) if "w" not in mapping.perms else ()
        if pages:
            resident.setdefault(mapping.path, set()).update(
                pages.intersection(map(mapping.file_page,
                                       proc.resident_addresses(pid, mapping))))
    return resident


class ProgramFigures:
    """One program: means over its processes."""

    def __init__(self, pids):
        self.vmpte_kb = mean(map(proc.vmpte_kb, pids))
        self.minflt = mean(map(proc.minor_faults, pids))


class CrowdFigures:
    """One half of the demonstration.

    pagetables_kb	growth of the system's page tables since before_kb
    programs		{program: ProgramFigures}
    """

    def __init__(self, crowd, before_kb):
        self.pagetables_kb = proc.page_tables_kb() - before_kb
        self.programs = {program: ProgramFigures(crowd.pids_of(program))
                         for program in PROGRAMS}


class StockFigures(CrowdFigures):
    """With the stock loader; resident_text: {program: [of each process]}"""

    def __init__(self, crowd, before_kb):
        super().__init__(crowd, before_kb)
        self.resident_text = {
            program: [_resident_text(pid) for pid in crowd.pids_of(program)]
            for program in PROGRAMS}


class SharedFigures(CrowdFigures):
    """With ldmshare.

    windows		{program: windows attached, mean}
    linked_text		{program: [{library: file pages} of each process]}
    host_pagetables_kb	the host mm's part of pagetables_kb
    """

    def __init__(self, crowd, before_kb, region):
        super().__init__(crowd, before_kb)
        self.host_pagetables_kb = region.host_page_tables_kb()
        self.windows = {}
        self.linked_text = {}
        for program in PROGRAMS:
            pids = crowd.pids_of(program)
            windows = [region.attached_windows(pid) for pid in pids]
            self.windows[program] = mean(map(len, windows))
            self.linked_text[program] = [
                region.linked_text(pid, attached)
                for pid, attached in zip(pids, windows)]


def linked_text_share(stock, shared):
    """Of the text that the stock processes have resident, the share that lies
    in windows linked in the corresponding process with ldmshare.

    Weighted with what the stock processes use: pages that are in a linked
    window just because the region is populated do not count.
    """
    resident_pages = linked_pages = 0
    for program in PROGRAMS:
        for resident, linked in zip(stock.resident_text[program],
                                    shared.linked_text[program]):
            for library, pages in resident.items():
                resident_pages += len(pages)
                linked_pages += len(pages & linked.get(library, set()))
    return linked_pages / resident_pages

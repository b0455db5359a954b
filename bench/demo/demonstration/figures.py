# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured of live processes that are ready: one column."""
from statistics import mean

from demonstration import proc, text
from demonstration.processes import Crowd, faults_of_run
from demonstration.programs import TOGETHER, WHOLE_RUNS, rounds

RUNS = 5
QUICK_COUNT = 5		# processes of each program that is not of TOGETHER


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
        self.processes = len(pids)
        self.vmpte_kb = mean(map(proc.vmpte_kb, pids))
        self.minflt = mean(map(proc.minor_faults, pids))


class Column:
    """All programs, with one loader and region.

    pagetables_kb	what the system's page tables have grown by since
			before_kb, while all processes of TOGETHER live
    programs		{program: ProgramFigures}
    runs		{name in WHOLE_RUNS: minor faults, mean}
    outputs		of all processes
    """

    def __init__(self, before_kb, quick):
        self.before_kb = before_kb
        self.programs = {}
        self.outputs = []
        for group in rounds(quick):
            few = quick and group is not TOGETHER
            crowd = Crowd(group, QUICK_COUNT if few else None)
            crowd.start()
            self.measure(crowd)
            crowd.finish()
            self.outputs += crowd.outputs()
        self.runs = {name: mean(faults_of_run(argv) for _ in range(RUNS))
                     for name, argv in WHOLE_RUNS.items()}

    def measure(self, crowd):
        if crowd.group is TOGETHER:
            self.pagetables_kb = proc.page_tables_kb() - self.before_kb
        for program in crowd.group.programs:
            self.programs[program] = ProgramFigures(crowd.pids_of(program))

    def vmpte_kb(self):
        """One process of each program"""
        return sum(figures.vmpte_kb for figures in self.programs.values())


class StockColumn(Column):
    """With the stock loader.

    resident_text	{program of TOGETHER: [of each process]}
    executables		files of the programs
    libraries		files of libraries that any of them has mapped
    """

    def __init__(self, before_kb, quick):
        self.resident_text = {}
        self.executables = set()
        self.libraries = set()
        super().__init__(before_kb, quick)

    def measure(self, crowd):
        super().measure(crowd)
        for program in crowd.group.programs:
            pids = crowd.pids_of(program)
            self.executables.add(proc.executable(pids[0]))
            self.libraries.update(proc.libraries(pids[0]))
            if crowd.group is TOGETHER:
                self.resident_text[program] = list(map(_resident_text, pids))


class SharedColumn(Column):
    """With ldmshare.

    windows		{program: windows attached, mean}
    linked_text		{program of TOGETHER: [{library: file pages} of each]}
    host_pagetables_kb	the host mm's part of pagetables_kb
    """

    def __init__(self, before_kb, quick, region):
        self.region = region
        self.windows = {}
        self.linked_text = {}
        super().__init__(before_kb, quick)

    def measure(self, crowd):
        super().measure(crowd)
        if crowd.group is TOGETHER:
            self.host_pagetables_kb = self.region.host_page_tables_kb()
        for program in crowd.group.programs:
            pids = crowd.pids_of(program)
            windows = list(map(self.region.attached_windows, pids))
            self.windows[program] = mean(map(len, windows))
            if crowd.group is TOGETHER:
                self.linked_text[program] = list(map(self.region.linked_text,
                                                     pids, windows))


def linked_text_share(stock, shared):
    """Of the text that the stock processes have resident, the share that lies
    in windows linked in the corresponding process with ldmshare.

    Weighted with what the stock processes use: pages that are in a linked
    window just because the region is populated do not count.
    """
    resident_pages = linked_pages = 0
    for program in TOGETHER.programs:
        for resident, linked in zip(stock.resident_text[program],
                                    shared.linked_text[program]):
            for library, pages in resident.items():
                resident_pages += len(pages)
                linked_pages += len(pages & linked.get(library, set()))
    return linked_pages / resident_pages

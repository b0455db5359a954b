# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures as tables for people and as JSON for programs."""
from demonstration.programs import TOGETHER

COLUMNS = ("stock", "shared", "images")
SHARED = COLUMNS[1:]


def _different(columns):
    """{program: (column, stock output, output)}: what it printed there is not
    what it printed with the stock loader"""
    return {ours[0]: (name, stock[1], ours[1])
            for name in SHARED
            for ours, stock in zip(columns[name].outputs,
                                   columns["stock"].outputs)
            if ours != stock}


class Result:
    """The columns and the verdicts."""

    def __init__(self, columns, linked_text_share, kernel_log_clean):
        self.columns = columns
        self.linked_text_share = linked_text_share
        self.different = _different(columns)
        self.outputs_equal = not self.different
        self.kernel_log_clean = kernel_log_clean

    @property
    def programs(self):
        return self.columns["stock"].programs

    @property
    def runs(self):
        return self.columns["stock"].runs

    def ok(self):
        return self.outputs_equal and self.kernel_log_clean

    def figures(self, program):
        """[(name of a column, ProgramFigures)]"""
        return [(name, self.columns[name].programs[program])
                for name in COLUMNS]


def _program_as_json(result, program):
    members = {"name": program.name,
               "processes": result.programs[program].processes,
               "together": program in TOGETHER.programs}
    for name, figures in result.figures(program):
        members[name] = {"vmpte_kb": round(figures.vmpte_kb, 1),
                         "minflt": round(figures.minflt, 1)}
        if name in SHARED:
            members[name]["windows"] = round(
                result.columns[name].windows[program], 1)
    return members


def _total_as_json(result, name):
    column = result.columns[name]
    members = {"vmpte_kb": round(column.vmpte_kb(), 1),
               "pagetables_kb": column.pagetables_kb}
    if name in SHARED:
        members["host_pagetables_kb"] = column.host_pagetables_kb
    return members


def as_json(result):
    """The result as what json.dump() takes; all sizes in kB, 1024 bytes."""
    return {
        "programs": [_program_as_json(result, program)
                     for program in result.programs],
        "runs": [{"name": run,
                  **{name: {"minflt": round(result.columns[name].runs[run], 1)}
                     for name in COLUMNS}}
                 for run in result.runs],
        "total": {**{name: _total_as_json(result, name) for name in COLUMNS},
                  "linked_text_share": round(result.linked_text_share, 4)},
        "outputs_equal": result.outputs_equal,
        "different": sorted(result.different),
        "kernel_log_clean": result.kernel_log_clean,
    }


def _cells(values):
    """The first as it is, the others with their percentage of it"""
    first = values[0]
    yield f"{first:.0f}"
    for value in values[1:]:
        yield f"{value:.0f}"
        yield f"{100 * value / first:.0f} %"


def _table(rows):
    """Lines: the first column to the left, the others to the right"""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        yield "  ".join(cells).rstrip()


def _cells_of(names):
    """Headings over what _cells() gives"""
    yield names[0]
    for name in names[1:]:
        yield name
        yield ""


def _program_rows(result):
    yield ("", "", "", "windows", "VmPTE kB", *[""] * 4, "faults", *[""] * 4)
    yield ("program", "processes", *SHARED, *_cells_of(COLUMNS),
           *_cells_of(COLUMNS))
    for program in result.programs:
        figures = [f for _, f in result.figures(program)]
        windows = [f"{result.columns[name].windows[program]:.0f}"
                   for name in SHARED]
        yield (program.name, str(figures[0].processes), *windows,
               *_cells([f.vmpte_kb for f in figures]),
               *_cells([f.minflt for f in figures]))
    for run in result.runs:
        yield (run, *[""] * 8,
               *_cells([result.columns[name].runs[run] for name in COLUMNS]))


def _total_rows(result):
    columns = [result.columns[name] for name in COLUMNS]
    together = sum(result.programs[program].processes
                   for program in TOGETHER.programs)
    yield ("", *_cells_of(COLUMNS))
    yield ("VmPTE, one process of each program, kB",
           *_cells([column.vmpte_kb() for column in columns]))
    yield (f"page tables of the system, {together} processes, kB",
           *_cells([column.pagetables_kb for column in columns]))
    yield ("  of these the region's host mm", "",
           f"{columns[1].host_pagetables_kb}", "",
           f"{columns[2].host_pagetables_kb}", "")


def table(result):
    """The result as text: means for each process, then the totals."""
    return "\n".join([
        *_table(_program_rows(result)),
        "",
        *_table(_total_rows(result)),
        "",
        f"resident library text linked (shared): "
        f"{100 * result.linked_text_share:.1f} %",
        f"outputs equal: {'NO: ' * bool(result.different)}"
        f"{', '.join(result.different) or 'yes'}; "
        f"kernel log clean: {'yes' if result.kernel_log_clean else 'NO'}",
    ])

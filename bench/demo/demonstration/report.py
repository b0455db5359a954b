# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures as a table for people and as JSON for programs."""
from demonstration.programs import PROGRAMS


class Result:
    """Both halves and the verdicts."""

    def __init__(self, stock, shared, linked_text_share, outputs_equal,
                 kernel_log_clean):
        self.stock = stock
        self.shared = shared
        self.linked_text_share = linked_text_share
        self.outputs_equal = outputs_equal
        self.kernel_log_clean = kernel_log_clean

    def ok(self):
        return self.outputs_equal and self.kernel_log_clean


def as_json(result):
    """The result as what json.dump() takes; all sizes in kB, 1024 bytes."""
    def half(figures, program):
        return {"vmpte_kb": round(figures.programs[program].vmpte_kb, 1),
                "minflt": round(figures.programs[program].minflt, 1)}

    return {
        "programs": [
            {"name": program.name,
             "processes": program.count,
             "windows": round(result.shared.windows[program], 1),
             "stock": half(result.stock, program),
             "shared": half(result.shared, program)}
            for program in PROGRAMS],
        "total": {
            "stock": {"pagetables_kb": result.stock.pagetables_kb},
            "shared": {
                "pagetables_kb": result.shared.pagetables_kb,
                "host_pagetables_kb": result.shared.host_pagetables_kb},
            "linked_text_share": round(result.linked_text_share, 4)},
        "outputs_equal": result.outputs_equal,
        "kernel_log_clean": result.kernel_log_clean,
    }


def _percent(shared, stock):
    return f"{100 * shared / stock:.0f} %"


def _rows(result):
    yield ("program", "processes", "windows", "VmPTE stock", "ours", "",
           "minor faults stock", "ours", "")
    for program in PROGRAMS:
        stock = result.stock.programs[program]
        shared = result.shared.programs[program]
        yield (program.name, str(program.count),
               f"{result.shared.windows[program]:.0f}",
               f"{stock.vmpte_kb:.0f} kB", f"{shared.vmpte_kb:.0f} kB",
               _percent(shared.vmpte_kb, stock.vmpte_kb),
               f"{stock.minflt:.0f}", f"{shared.minflt:.0f}",
               _percent(shared.minflt, stock.minflt))


def table(result):
    """The result as text: means for each process, then the system's totals."""
    rows = list(_rows(result))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join([row[0].ljust(widths[0])] +
                       [cell.rjust(width)
                        for cell, width in zip(row[1:], widths[1:])]).rstrip()
             for row in rows]
    stock_kb = result.stock.pagetables_kb
    shared_kb = result.shared.pagetables_kb
    lines += [
        "",
        f"page tables of all processes, stock   {stock_kb:8d} kB",
        f"page tables of all processes, ours    {shared_kb:8d} kB  "
        f"{_percent(shared_kb, stock_kb)}",
        f"  of these the region's host mm       "
        f"{result.shared.host_pagetables_kb:8d} kB",
        f"resident library text now linked      "
        f"{100 * result.linked_text_share:8.1f} %",
        f"outputs equal: {'yes' if result.outputs_equal else 'NO'}; "
        f"kernel log clean: {'yes' if result.kernel_log_clean else 'NO'}",
    ]
    return "\n".join(lines)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The processes: which programs, how many, and when they are ready."""
import os
import subprocess
import time

from demonstration import proc

READY_TIMEOUT_S = 600
FINISH_TIMEOUT_S = 600
SYS_READ, STDIN = 0, 0

# Nothing of it may differ between the two halves.
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/root", "LC_ALL": "C.UTF-8"}

C_SOURCE = b"""
static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main(int argc, char **argv) { (void)argv; return fib(argc + 10); }
"""


class Program:
    """A command that does its work once it has read its standard input."""

    def __init__(self, name, count, argv, stdin):
        self.name = name
        self.count = count
        self.argv = argv
        self.stdin = stdin


PROGRAMS = (
    Program("clang", 40,
            ["/usr/lib/llvm-14/bin/clang", "-cc1",
             "-triple", "x86_64-pc-linux-gnu", "-O2", "-S", "-o", "-",
             "-x", "c", "-"],
            C_SOURCE),
    Program("python3", 20,
            ["/usr/bin/python3", "-c",
             "import sys, numpy\n"
             "a = numpy.array(sys.stdin.read().split(), float)\n"
             "print(numpy.linalg.norm(a), numpy.fft.fft(a))"],
            b"3 1 4 1 5 9 2 6\n"),
    Program("gdb", 20,
            ["/usr/bin/gdb", "-q", "-nx", "-batch",
             "-ex", "python import sys; exec(sys.stdin.read())"],
            b"print(gdb.parse_and_eval('6 * 7'), gdb.VERSION)\n"),
    Program("git", 20, ["/usr/bin/git", "hash-object", "--stdin"],
            b"blob\n"),
    Program("perl", 20,
            ["/usr/bin/perl", "-e",
             "use POSIX; my @l = <STDIN>; print scalar(@l), floor(2.5), sort @l"],
            b"pear\napple\n"),
    Program("bash", 20, ["/bin/bash"],
            b"echo $((6 * 7)) $BASH_VERSION; printf 'b\\na\\n' | sort; "
            b"readlink /proc/$$/exe; cat /proc/$$/comm\n"),
)


class Process:
    """One process of a program, with pipes for its input and output."""

    def __init__(self, program):
        self.program = program
        self.output = None
        self.child = subprocess.Popen(
            program.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=ENVIRONMENT)
        self.pid = self.child.pid

    def wait_until_ready(self, deadline):
        """Return when it is blocked in read(2) of its standard input."""
        while proc.system_call(self.pid) != (SYS_READ, STDIN):
            if self.child.poll() is not None:
                raise RuntimeError(
                    f"{self.program.name} ended before it read its input: "
                    + self.child.stdout.read().decode(errors="replace"))
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.program.name} is not ready in time")
            # Nothing announces that a process has blocked: look again.
            time.sleep(0.05)

    def finish(self):
        """Give it its input, and keep its exit status and output."""
        stdout, _ = self.child.communicate(self.program.stdin,
                                           timeout=FINISH_TIMEOUT_S)
        self.output = (self.child.returncode, stdout)


class Crowd:
    """All processes of all programs."""

    def __init__(self):
        self.processes = []

    def start(self):
        """Start all, and return when every one of them waits for its input."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        for program in PROGRAMS:
            self.processes += [Process(program) for _ in range(program.count)]
        for process in self.processes:
            process.wait_until_ready(deadline)

    def pids_of(self, program):
        return [p.pid for p in self.processes if p.program is program]

    def finish(self):
        for process in self.processes:
            process.finish()

    def outputs(self):
        """(name, (exit status, output)) of each."""
        return [(p.program.name, p.output) for p in self.processes]


def warm_up():
    """Run each program once, so that both halves find its files in memory."""
    for program in PROGRAMS:
        process = Process(program)
        process.finish()
        if process.output[0]:
            raise RuntimeError(f"{program.name}: exit status "
                               f"{process.output[0]}: {process.output[1]!r}")

# SPDX-License-Identifier: GPL-2.0-or-later
"""The processes: how each is brought to where it waits for its input."""
import contextlib
import os
import pty
import subprocess
import time

from demonstration import proc

READY_TIMEOUT_S = 1800
FINISH_TIMEOUT_S = 1800

SYS_READ, SYS_POLL, SYS_EPOLL_WAIT, SYS_PSELECT6, SYS_PPOLL = 0, 7, 232, 270, 271
STDIN = 0

# Nothing of it may differ between the columns.
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/root", "LC_ALL": "C.UTF-8",
               "TERM": "linux",
               # Clients of services.Manager wait as long as it takes.
               "SYSTEMD_BUS_TIMEOUT": "3600"}


class Process:
    """One process of a program that reads its standard input, a pipe."""

    def __init__(self, program, service):
        self.program = program
        self.service = service
        self.output = None
        self.child = self.spawn()
        self.pid = self.child.pid

    def spawn(self, **streams):
        streams = streams or {"stdin": subprocess.PIPE,
                              "stdout": subprocess.PIPE,
                              "stderr": subprocess.STDOUT}
        return subprocess.Popen(self.program.argv, env=ENVIRONMENT, cwd="/",
                                **streams, **self.program.more)

    def is_ready(self):
        """Whether one of its threads is blocked in read(2) of that pipe."""
        return any(call.number == SYS_READ and
                   proc.has_open(self.pid, call.args[0], self.child.stdin)
                   for call in proc.system_calls(self.pid))

    def wait_until_ready(self, deadline):
        """Return when it waits for its input."""
        while not self.is_ready():
            if self.child.poll() is not None:
                raise RuntimeError(
                    f"{self.program.name} ended before it was ready: "
                    + self.rest().decode(errors="replace"))
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.program.name} is not ready in time")
            # Nothing announces that a process has blocked: look again.
            time.sleep(0.05)

    def rest(self):
        """Give it its input; what it prints, until it has ended."""
        return self.child.communicate(self.program.stdin,
                                      timeout=FINISH_TIMEOUT_S)[0]

    def finish(self):
        """Let it do its work, and keep its exit status and output."""
        output = self.rest()
        self.output = (self.child.wait(FINISH_TIMEOUT_S), output)


class Terminal(Process):
    """One that reads what is typed."""

    def spawn(self):
        self.keyboard, terminal = pty.openpty()
        child = super().spawn(stdin=terminal, stdout=terminal, stderr=terminal,
                              start_new_session=True)
        os.close(terminal)
        return child

    def is_ready(self):
        return any(call.number == SYS_PSELECT6 and call.args[0] == STDIN + 1
                   for call in proc.system_calls(self.pid))

    def rest(self):
        os.write(self.keyboard, self.program.stdin)
        output = bytearray()
        # EIO: nobody has the terminal open any more.
        with contextlib.suppress(OSError):
            while True:
                output += os.read(self.keyboard, 4096)
        os.close(self.keyboard)
        return bytes(output)


class Client(Process):
    """One whose server has its question, and does not answer yet."""

    def __init__(self, program, service):
        super().__init__(program, service)
        service.expected += 1

    def is_ready(self):
        return self.service.all_have_asked() and any(
            call.number in (SYS_POLL, SYS_PPOLL)
            for call in proc.system_calls(self.pid))

    def rest(self):
        self.service.answer_all()
        return super().rest()


class Backend:
    """A process that a services.Cluster made for one of its clients."""

    def __init__(self, program, service):
        self.program = program
        self.output = None
        self.pid = service.next_backend()

    def wait_until_ready(self, deadline):
        while not (proc.command_line(self.pid).rstrip().endswith("idle") and
                   any(call.number == SYS_EPOLL_WAIT
                       for call in proc.system_calls(self.pid))):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.program.name} is not ready in time")
            time.sleep(0.05)

    def finish(self):
        """It ends when its client does."""


class Crowd:
    """Processes of some programs that live at the same time."""

    def __init__(self, group, count=None):
        """count: of each program; None: as many as it says"""
        self.group = group
        self.count = count
        self.processes = []
        self.stack = contextlib.ExitStack()

    def start(self):
        """Start all, and return when every one of them waits for its input."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        service = self.stack.enter_context(self.group.service())
        for program in self.group.programs:
            self.processes += [program.process(program, service)
                               for _ in range(self.count or program.count)]
        for process in self.processes:
            process.wait_until_ready(deadline)

    def pids_of(self, program):
        return [p.pid for p in self.processes if p.program is program]

    def finish(self):
        for process in self.processes:
            process.finish()
        self.stack.close()

    def outputs(self):
        """(name, (exit status, output)) of each."""
        return [(p.program.name, p.output) for p in self.processes]


def faults_of_run(argv):
    """Minor faults of a command, from its first instruction to its exit."""
    child = subprocess.Popen(argv, env=ENVIRONMENT, cwd="/",
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"{argv}: exit status {child.returncode}")
    return usage.ru_minflt


def warm_up(group):
    """Run each program once, so that all columns find its files in memory."""
    crowd = Crowd(group, count=1)
    crowd.start()
    crowd.finish()

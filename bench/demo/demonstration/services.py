# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients among the programs talk to."""
import contextlib
import glob
import os
import socket
import subprocess
import time

from demonstration import proc

BACKLOG = 128
BACKEND_TIMEOUT_S = 1800


class Nobody:
    """For programs that need nobody."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


class Server:
    """A server that takes questions, and answers all of them when it is told.

    END		the last bytes of a question
    ANSWER	to all of them
    expected	clients that there are
    """

    END = ANSWER = b""

    def __enter__(self):
        self.clients = []
        self.expected = 0
        self.socket = self.listen()
        self.socket.listen(BACKLOG)
        self.socket.setblocking(False)
        return self

    def __exit__(self, *exception):
        self.answer_all()
        self.socket.close()

    def all_have_asked(self):
        """Take the questions that have come; whether these are all."""
        with contextlib.suppress(BlockingIOError):
            while len(self.clients) < self.expected:
                client, _ = self.socket.accept()
                client.setblocking(True)
                self.clients.append(client)
                self.hear(client)
        return len(self.clients) == self.expected

    def hear(self, client):
        """Read a client's question."""
        heard = b""
        while not heard.endswith(self.END):
            heard += client.recv(4096)

    def answer_all(self):
        self.expected = 0
        while self.clients:
            with self.clients.pop() as client:
                client.sendall(self.ANSWER)


class WebServer(Server):
    """For curl."""

    PORT = 8080
    URL = f"http://127.0.0.1:{PORT}/"
    END = b"\r\n\r\n"
    ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"

    def listen(self):
        return socket.create_server(("127.0.0.1", self.PORT))


class Manager(Server):
    """For systemctl: lets it log in, and then has nothing to say.

    libsystemd only looks for a manager where there is the directory.
    """

    DIRECTORY = "/run/systemd/system"
    SOCKET = "/run/systemd/private"
    END = b"BEGIN\r\n"
    WELCOME = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n"

    def listen(self):
        os.makedirs(self.DIRECTORY)
        manager = socket.socket(socket.AF_UNIX)
        manager.bind(self.SOCKET)
        return manager

    def hear(self, client):
        super().hear(client)
        client.sendall(self.WELCOME)
        client.recv(4096)

    def __exit__(self, *exception):
        super().__exit__(*exception)
        os.unlink(self.SOCKET)
        os.rmdir(self.DIRECTORY)


class Cluster:
    """PostgreSQL's cluster "main", for psql; its processes for clients."""

    def _control(self, action):
        version = os.path.basename(max(glob.glob("/etc/postgresql/*")))
        subprocess.run(["pg_ctlcluster", "--skip-systemctl-redirect",
                        version, "main", action], check=True)

    def __enter__(self):
        self._control("start")
        self.taken = set()
        return self

    def __exit__(self, *exception):
        self._control("stop")

    def next_backend(self):
        """One that is not taken yet; they come when a client has logged in."""
        deadline = time.monotonic() + BACKEND_TIMEOUT_S
        while time.monotonic() < deadline:
            for pid in proc.processes():
                if (pid not in self.taken and
                        "[local]" in proc.command_line(pid)):
                    self.taken.add(pid)
                    return pid
            time.sleep(0.05)
        raise RuntimeError("postgres has fewer backends than clients")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Which programs are measured, in which state, and how many processes of each.

What a program does before it is ready must not depend on anything but its
files: only then do the columns of the demonstration show the same state.
"""
import glob

from demonstration import services
from demonstration.processes import Backend, Client, Process, Terminal

# What is measured besides, from its first instruction to its exit
WHOLE_RUNS = {"clang --version": ["/usr/lib/llvm-14/bin/clang", "--version"]}

C_SOURCE = b"""
static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main(int argc, char **argv) { (void)argv; return fib(argc + 10); }
"""

# RFC 7468 asks for no more; it is none, which keytool says.
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def _installed(pattern):
    """The newest version of a file whose path has its version in it"""
    return max(glob.glob(pattern), default=pattern)


class Program:
    """A command that does its work once its input has come.

    count	processes of it: addresses are random, so the page tables of 20 tell
		those of all to 1 kB or 2
    process	a class of processes.py: what its input is, and when it is ready
    more	more arguments of subprocess.Popen
    """

    def __init__(self, name, argv, stdin=b"", count=20, process=Process,
                 **more):
        self.name = name
        self.argv = argv
        self.stdin = stdin
        self.count = count
        self.process = process
        self.more = more


class Round:
    """Programs whose processes live at the same time, and what serves them.

    slow	whether they take so long to start that a quick demonstration
		does without
    """

    def __init__(self, *programs, service=services.Nobody, slow=False):
        self.programs = programs
        self.service = service
        self.slow = slow


# The page tables of the whole system are looked at while these live.
TOGETHER = Round(
    Program("clang",
            ["/usr/lib/llvm-14/bin/clang", "-cc1",
             "-triple", "x86_64-pc-linux-gnu", "-O2", "-S", "-o", "-",
             "-x", "c", "-"],
            C_SOURCE, count=40),
    Program("python3+numpy",
            ["/usr/bin/python3", "-c",
             "import sys, numpy\n"
             "a = numpy.array(sys.stdin.read().split(), float)\n"
             "print(numpy.linalg.norm(a), numpy.fft.fft(a))"],
            b"3 1 4 1 5 9 2 6\n"),
    Program("gdb",
            ["/usr/bin/gdb", "-q", "-nx", "-batch",
             "-ex", "python import sys; exec(sys.stdin.read())"],
            b"print(gdb.parse_and_eval('6 * 7'), gdb.VERSION)\n"),
    Program("git", ["/usr/bin/git", "hash-object", "--stdin"],
            b"blob\n"),
    Program("perl",
            ["/usr/bin/perl", "-e",
             "use POSIX; my @l = <STDIN>; print scalar(@l), floor(2.5), sort @l"],
            b"pear\napple\n"),
    Program("bash", ["/bin/bash"],
            b"echo $((6 * 7)) $BASH_VERSION; printf 'b\\na\\n' | sort; "
            b"readlink /proc/$$/exe; cat /proc/$$/comm\n"))

ROUNDS = (
    TOGETHER,
    # Its greeting depends on the second in which it begins.
    Round(Program("vim", ["/usr/bin/vim", "-c", "set shortmess+=I"], b":q!\n",
                  process=Terminal),
          slow=True),
    Round(Program("systemctl", ["/usr/bin/systemctl", "list-units"],
                  process=Client),
          service=services.Manager),
    Round(Program("python3+ssl",
                  ["/usr/bin/python3", "-c",
                   "import ssl, sys\n"
                   "context = ssl.create_default_context()\n"
                   "print(ssl.OPENSSL_VERSION, sys.stdin.read())"],
                  b"done\n"),
          slow=True),
    Round(Program("php",
                  ["/usr/bin/php", "-r",
                   "echo sha1(stream_get_contents(STDIN)), PHP_VERSION;"],
                  b"elephant\n")),
    Round(Program("curl", ["/usr/bin/curl", "-sS", services.WebServer.URL],
                  process=Client, count=60),
          service=services.WebServer),
    # A backend is forked by its server, and serves one client.
    Round(Program("psql",
                  [_installed("/usr/lib/postgresql/*/bin/psql"), "-X", "-A", "-t"],
                  b"select 6 * 7;\n", count=60, user="postgres"),
          Program("postgres", [], process=Backend),
          service=services.Cluster, slow=True),
    Round(Program("cmake", ["/usr/bin/cmake", "-E", "sha256sum", "/dev/stdin"],
                  b"make\n"),
          slow=True),
    Round(Program("cc1plus",
                  [_installed("/usr/lib/gcc/x86_64-linux-gnu/*/cc1plus"),
                   "-quiet", "-O2", "-o", "-", "-"],
                  C_SOURCE)),
    Round(Program("node",
                  ["/usr/bin/node", "-e",
                   "const text = require('fs').readFileSync(0, 'utf8');"
                   "console.log(text.length, process.version)"],
                  b"knot\n"),
          slow=True),
    # Without the file of performance data: one JVM warns if another locks it.
    Round(Program("java",
                  ["/usr/bin/java", "-XX:-UsePerfData", "-m",
                   "java.base/sun.security.tools.keytool.Main", "-printcert"],
                  CERTIFICATE),
          slow=True),
    Round(Program("openssl", ["/usr/bin/openssl", "dgst", "-sha256"],
                  b"digest\n")),
    Round(Program("sqlite3", ["/usr/bin/sqlite3"],
                  b"select 6 * 7, sqlite_version();\n")),
)


def rounds(quick):
    """Those that are measured"""
    return [group for group in ROUNDS if not (quick and group.slow)]

# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of many packages, and what they are made to do.

A program says the same each time it is run like this; nothing of it depends on
process ids, times, random numbers or how many processors there are.
"""
import os

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What is run directly: program, arguments. Its libraries are looked at, too.
ALONE = """
apt-config dump APT::Architecture
update-passwd --help
bash --version
bc --version
as --version
bison --version
script --version
bzip2 --help
clang-14 --version
cmake --version
spatch --version
ls --version
cpio --version
cpp --version
curl --version
dash -c "echo $((6 * 7))"
run-parts --test /etc/cron.daily
diff --version
dmsetup --help
dpkg --version
mke2fs -V
eu-readelf --version
file --version
find --version
flex --version
g++ --version
gawk --version
gcc --version
gdb --version
msgfmt --version
envsubst --version
git --version
gpgv --version
grep --version
gzip --version
hostname --version
ip -V
jq --version
kmod --version
less --version
getent --version
gencat --version
setcap -h
faillock --help
perf --version
logsave
login --version
m4 --version
make --version
mawk --help
mount --version
infocmp -V
node --version
numactl --show --help
ocamlrun -version
ocamlfind
java -version
openssl version -a
pahole --version
passwd --help
patch --version
perl -v
php --version
pkgconf --version
/usr/lib/postgresql/15/bin/postgres --version
/usr/lib/postgresql/15/bin/psql --version
ps --version
pstree --version
python3 --version
rpcgen --version
sed --version
sparse --version
sqlite3 --version
strace --version
systemctl --version
pidof -h
tar --version
/usr/bin/time --version
udevadm --version
lsblk --version
fincore --version
vim --version
xz --version
"""

PYTHON = """
import bz2, ctypes, decimal, hashlib, json, lzma, sqlite3, ssl, threading, zlib
out = []
threads = [threading.Thread(target=lambda n=n: out.append(sum(range(n))))
           for n in range(0, 20000, 1000)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sorted(out), decimal.Decimal(2).sqrt())
db = sqlite3.connect("db")
db.execute("create table t (a, b)")
db.executemany("insert into t values (?, ?)", [(i, i * i % 97) for i in range(500)])
print(json.dumps(db.execute("select b, count(*), avg(a) from t group by b order by b").fetchall()))
text = json.dumps({"x": list(range(999))}).encode()
for way in bz2, lzma, zlib:
    print(way.__name__, way.decompress(way.compress(text)) == text)
print(hashlib.sha3_256(text).hexdigest(), ssl.OPENSSL_VERSION)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_default_certs()
print(len(context.get_ciphers()), sorted(c["serialNumber"] for c in context.get_ca_certs())[:2])
try:
    1 / 0
except ZeroDivisionError as e:
    print(repr(e))
"""

# Clang's own tables of processors: libLLVM crashed here once, when it was split.
CLONES = """
#include <cstdio>
__attribute__((target("default"))) int f() { return 1; }
__attribute__((target("arch=atom"))) int f() { return 1; }
__attribute__((target("arch=skylake"))) int f() { return 1; }
int main() { std::printf("%d\\\\n", f()); }
"""

CXX = r"""
#include <iostream>
#include <map>
#include <regex>
#include <stdexcept>
#include <thread>
static thread_local int n = 7;
int main() {
    std::map<std::string, int> m;
    for (int i = 0; i < 5; i++) {
        try { if (i & 1) throw std::out_of_range("odd"); m["even"] += i; }
        catch (const std::exception &e) { m[e.what()] += i; }
    }
    std::thread([&] { n += 1; m["thread"] = n; }).join();
    for (auto &[k, v] : m) std::cout << k << ' ' << v << std::endl;
    std::cout << std::regex_replace("far data", std::regex("a"), "o") << std::endl;
    try { std::stoi("x"); } catch (std::invalid_argument &e) { std::cout << e.what() << std::endl; }
}
"""

# Constants that GCC folds with libmpfr, libmpc and libgmp
FOLDED = """
#include <complex.h>
const double a = __builtin_sin(1e22) + __builtin_tgamma(4.5);
const double _Complex b = __builtin_cexp(1.5 + 2i);
const long double c = __builtin_powl(3.1L, 77.7L);
"""

CALCULATOR_Y = r"""
%{
#include <stdio.h>
int yylex(void);
static void yyerror(const char *s) { puts(s); }
%}
%token NUMBER
%left '+' '-'
%left '*' '/'
%%
lines: | lines expression '\n' { printf("%d\n", $2); };
expression: NUMBER | expression '+' expression { $$ = $1 + $3; }
	| expression '-' expression { $$ = $1 - $3; }
	| expression '*' expression { $$ = $1 * $3; }
	| '(' expression ')' { $$ = $2; };
%%
int main(void) { return yyparse(); }
"""

CALCULATOR_L = r"""
%{
#include <stdlib.h>
#include "y.tab.h"
%}
%option noyywrap noinput nounput
%%
[0-9]+ { yylval = atoi(yytext); return NUMBER; }
[ ] ;
.|\n { return *yytext; }
"""

MAKEFILE = """
calculator: y.tab.o lex.yy.o ; gcc -o $@ $^
%.o: %.c ; gcc -O2 -g -c $<
lex.yy.o: y.tab.c
y.tab.c: calculator.y ; bison -y -d $<
lex.yy.c: calculator.l ; flex $<
"""

# Files of every directory that a command below runs in
FILES = {
    "x.py": PYTHON, "x.cc": CXX, "clones.cc": CLONES, "folded.c": FOLDED,
    "calculator.y": CALCULATOR_Y, "calculator.l": CALCULATOR_L,
    "Makefile": MAKEFILE,
    "x.c": "#include <stdio.h>\n"
           "int fact(int n) { return n < 2 ? 1 : n * fact(n - 1); }\n"
           'int main(void) { printf("%d\\n", fact(10)); return 5; }\n',
}

# Round trips: a shell's commands.
TOGETHER = {
    "bash": "for i in 1 2 3; do echo $((i * i)); done; declare -A a=([x]=1); echo ${a[x]}; exit 3",
    "many forks": "for i in {1..100}; do (echo $i) | cat; done | md5sum",
    "locales": r"""LC_ALL=C.UTF-8 bash -c 'printf "%s\n" ä ö | sort; printf "%(%Y)T\n" 0'; locale; locale -a | sort""",
    "text": "seq 3000 | sort -rn | sed s/0/o/ | grep -P '^1+o' | awk '{ n += length } END { print n, sin(n) }'",
    "files": "mkdir d; touch d/{a..k}; ls -ln d | cut -c 1-20; find d -name '[a-c]' | sort; du -a d | wc -l; stat -c %a d",
    "archives": "tar -cJf a.tar.xz -C /etc pam.d && tar -tJf a.tar.xz | sort; tar -czf a.tgz -C /etc pam.d && tar -tzf a.tgz | wc -l; ls /etc/pam.d | (cd /etc/pam.d; cpio -o --quiet) | cpio -t --quiet | sort | md5sum",
    "compression": "seq 20000 >f; for c in gzip xz bzip2; do $c -c f | tee g | $c -dc | cmp - f; wc -c <g; done",
    "perl": "perl -MPOSIX -MList::Util=sum -MData::Dumper -MDigest::SHA=sha1_hex -MEncode -e 'print floor(2.5), sum(1 .. 10), Dumper({a => [1, 2]}), sprintf(\"%.9f\", atan2(1, 3)), sha1_hex(encode(\"UTF-16\", \"x\")); exit 4'",
    "python": "python3 x.py",
    "python processes": "python3 -c 'import multiprocessing as m; p = m.Pool(3); print(p.map(abs, range(-9, 9)))'",
    "numpy": "python3 -c 'import numpy as np; a = np.arange(1, 101.).reshape(10, 10) + np.eye(10); print(np.linalg.det(a), np.linalg.eigvalsh(a @ a.T)[:3], np.fft.fft(a[0])[:4])'",
    "git": "export GIT_AUTHOR_DATE=@1000000000 GIT_COMMITTER_DATE=@1000000000 GIT_CONFIG_GLOBAL=$PWD/c; git config --global user.email a@b; git config --global user.name a; git init -q -b m r; cd r; for i in 1 2 3; do seq $((i * 300)) >f; git add f; git commit -qm $i; done; git log --stat --oneline; git fsck; git gc -q; git clone -q . ../s && git -C ../s diff --stat HEAD~2; git grep -c 99",
    "openssl": r"""
        openssl dgst -sha512 -hmac key /etc/passwd
        enc() { openssl enc -aes-256-cbc -pbkdf2 -S 0102030405060708 -k x -a "$@"; }
        enc -in /etc/passwd | tee e | md5sum; enc -d -in e | cmp - /etc/passwd
        openssl req -x509 -newkey rsa:1024 -nodes -keyout k -out c -subj /CN=x -days 9 2>/dev/null
        openssl x509 -in c -noout -subject; openssl verify -CAfile c c""",
    "cryptography": os.path.join(TESTS, "lib", "crypto-self-tests"),
    "long numbers": os.path.join(TESTS, "lib", "number-self-tests"),
    "sqlite3": r"""
        printf 'create table t(a);\ninsert into t values (1),(2.5);\nselect sum(a), sqlite_version(), json_array(1,2) from t;\n.dump\n' | sqlite3 db
        sqlite3 db .schema""",
    "curl": "curl -s file:///etc/passwd | md5sum; curl -s http://127.0.0.1:1/; echo $?",
    "gcc": "gcc -O2 -Wall x.c -o x && ./x; echo $?; gcc -S -O2 -o - folded.c",
    "g++": "g++ -O1 -pthread -o x x.cc && ./x",
    "clang": "clang-14 -O2 -Wall x.c -o x && ./x; echo $?; clang-14 -S -O2 -emit-llvm -o - x.c",
    "clang, clones": "clang-14 -O2 -S -o - clones.cc | grep -v ident && clang-14 clones.cc -lstdc++ -o x && ./x",
    "make, bison, flex": "make -s && printf '1 + 2 * 3\\n(7-2)*4\\n' | ./calculator && strip calculator && size calculator",
    "binutils": "gcc -g -c x.c && ar cr x.a x.o && nm x.a && objdump -d x.o && readelf -a /bin/true | md5sum && addr2line -e x.o 0",
    "elfutils": "gcc -g -c x.c && eu-nm x.o && eu-readelf -a x.o | md5sum && eu-elflint --gnu-ld x.o; pahole x.o; pfunct x.o",
    "sparse": "sparse x.c; spatch --help | head -3; ocamlfind list 2>/dev/null | sort | head -3; rpcgen -h /usr/include/rpcsvc/bootparam_prot.x | md5sum",
    "gdb": "gcc -g x.c -o x && gdb -batch -nx -ex 'p 6 * 7' -ex 'python print(gdb.VERSION)' -ex 'info line main' -ex 'ptype main' ./x",
    "strace": "strace -f -o /dev/null sh -c 'echo traced'",
    "cmake": "printf 'cmake_minimum_required(VERSION 3.20)\\nproject(x NONE)\\nfile(SHA256 /etc/passwd h)\\nmessage(STATUS ${h})\\n' >CMakeLists.txt; cmake -B b . | grep -v Generating; cmake -E tar cf t.tar x.c; cmake -E tar tf t.tar",
    "vim": "printf 'b\\na\\n' >f; vim -es -u NONE f -c sort -c wq </dev/null; cat f",
    "node": "node -e 'console.log([3, 1, 2].sort(), require(\"crypto\").createHash(\"sha256\").update(\"x\").digest(\"hex\"), require(\"zlib\").gunzipSync(require(\"zlib\").gzipSync(\"text\")).toString(), Intl.NumberFormat(\"de\").format(1234.5))'",
    "php": "php -r 'echo json_encode([1, 2, strrev(\"abc\"), hash(\"sha256\", \"x\"), preg_replace(\"/a/\", \"b\", \"aa\")]), \"\\n\"; throw new Exception(\"x\");'",
    "postgres": """
        pg=/usr/lib/postgresql/15/bin; chown postgres .; as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
        as $pg/initdb -D db -A trust --no-sync >/dev/null && as $pg/pg_ctl -D db -w -l log -o "-k $PWD -h '' -F" start >/dev/null &&
        as psql -h $PWD -d postgres -c "create table t as select n, n * n % 97 as m, md5(n::text) as h from generate_series(1, 2000) n" \\
            -c "select m, count(*), max(h) from t group by m order by m limit 5" -c "select jsonb_agg(n) from t where n < 9" -c "select 1 / 0"
        as pg_dump -h $PWD postgres | grep -v -e ^-- -e restrict | md5sum; as $pg/pg_ctl -D db -m fast stop >/dev/null""",
    "java": "java -Xshare:auto -XshowSettings:properties -version 2>&1 | grep -e java.vm -e ' java.version'",
    "e2fsprogs": "truncate -s 4M d; mke2fs -q -U 00000000-0000-0000-0000-000000000001 -E hash_seed=00000000-0000-0000-0000-000000000002 d && e2fsck -fn d && echo 'write x.c x.c' | debugfs -w d && debugfs -R 'cat x.c' d && dumpe2fs -h d | grep -i block",
    "util-linux": "lsblk --version; findmnt -no FSTYPE /proc; getopt -o ab: -- -a -b x y; truncate -s 1M d; mkswap -q -U 00000000-0000-0000-0000-000000000001 d; blkid -p d; flock d echo locked; taskset 1 nproc; setpriv --reuid 65534 --clear-groups id -u; ls -l / | rev | rev | wc -l",
    "processes": "ps -p $$ -o comm=,uid=; free | wc -l; pgrep -x bash >/dev/null && echo bash; pidof -s bash >/dev/null; killall -0 bash; pstree $$ >/dev/null; echo $?",
    "network": "ip -br addr show lo; ip -j link show lo | jq -r '.[].flags[]'; ss -ltn; hostname; curl -s --max-time 2 telnet://127.0.0.1:1; echo $?",
    "modules": "modinfo -F license loop; lsmod | head -1; udevadm info -q property /sys/class/mem/null",
    "systemd": r"""
        systemd-escape --path /a/b; systemd-analyze calendar --base-time='2020-01-01 00:00:00 UTC' monthly | head -2
        systemd-id128 --help | head -3; journalctl --version; busctl --help | head -1; systemctl list-unit-files --root=/ ssl* | head -1""",
    "accounts": "getent passwd root; id nobody; chage -l root | head -1; grpck -r >/dev/null; echo $?; groups; passwd -S root | cut -d' ' -f 1,2",
    "packages": "dpkg -s libc6 | grep Version; dpkg-deb --version | head -1; apt-get --version | head -1; dpkg --compare-versions 1 lt 2; echo $?; dpkg -L hostname | sort | head -3",
    "messages": "printf 'msgid \"\"\\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\\\n\"\\nmsgid \"a\"\\nmsgstr \"b\"\\n' >x.po; msgfmt -o x.mo x.po && msgunfmt x.mo; echo '$HOME' | HOME=h envsubst; iconv -f UTF-8 -t UTF-16LE x.po | md5sum; printf '\\344' | iconv -f ISO-8859-1 -t UTF-8",
    "small languages": r"""
        echo 'scale=40; 4*a(1); sqrt(2)' | bc -l; echo 'define(x, y)x eval(2**9)' | m4; mawk 'BEGIN { printf "%.6f\n", exp(1) }'
        gawk 'BEGIN { print strftime("%Y", 0, 1), length("ä") }'; jq -nc '[range(5)] | map(. * .)'""",
    "terminal": "infocmp -1 dumb | head -4; TERM=xterm tput cols; echo text | less -E; printf 'a\\n' >a; printf 'b\\n' >b; diff -u --label a --label b a b | tee p; patch -o c a p; cat c; file -L /bin/sh x.py; seq 3 >f; ed=1; split -l 1 f; ls x??",
    "numa": "numactl --cpunodebind=0 true; numactl -C 0 nproc; getcap /bin/true; capsh --decode=3; getpcaps $$ 2>&1 | wc -l",
    "preload and audit": "LD_PRELOAD=libm.so.6 echo preloaded; LD_AUDIT=/usr/lib/x86_64-linux-gnu/audit/sotruss-lib.so true; /lib64/ld-linux-x86-64.so.2 /bin/echo run by ld.so; ldd /bin/true | wc -l",
}

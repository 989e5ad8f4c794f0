"""The sandbox: programs that try to get out of it, and ordinary ones that must run."""

import os
import resource
import subprocess
import sys

import pytest

from dyntemp.evaluation import sandbox
from dyntemp.evaluation.sandbox import OUTPUT, run_code
from dyntemp.evaluation.sandbox_guard import ALLOWED, NOBODY

OS = "import random\nos = random._os\n"  # a module that holds another as an attribute
SYS = "import typing\nsys = typing.sys\n"

ESCAPES = {
    "open": "open('/etc/passwd').read()",
    "open for writing": "open('written', 'w').write('x')",
    "os.open": f"{OS}os.open({__file__!r}, 0)",
    "io.FileIO": f"{SYS}sys.modules['io'].FileIO('/etc/passwd')",
    "pathlib": "import pathlib\npathlib.Path('/etc/passwd').read_text()",
    "list a folder": f"{OS}os.listdir('/')",
    "remove": f"{OS}os.remove({__file__!r})",
    "socket": "import socket\nsocket.create_connection(('127.0.0.1', 22))",
    "subprocess": "import subprocess\nsubprocess.run(['true'])",
    "fork": f"{OS}while True: os.fork()",
    "shell": f"{OS}os.system('true')",
    "exec": f"{OS}os.execv('/bin/true', ['true'])",
    "kill the parent": f"{OS}os.kill(os.getppid(), 9)",
    "kill all": f"{OS}os.kill(-1, 9)",
    "raise limits": f"{SYS}sys.modules['resource'].setrlimit(7, (9, 9))",
    "eval of a file": "exec(compile('open(\"/etc/passwd\")', 'x', 'exec'))",
    "ctypes": "import ctypes\nctypes.CDLL(None)",
    "real import": f"{SYS}sys.modules['builtins'].__import__('ctypes')",
    "another hook": f"{SYS}sys.addaudithook(lambda *_: None)\nopen('/etc/passwd')",
    "harmless events": f"{SYS}sys.modules['__main__'].HARMLESS = {{'open'}}\nopen('/etc/passwd')",
    "code of the hook": f"{SYS}f = sys.modules['__main__'].make_hook\nf.__code__ = compile('1', 'x', 'exec')",
    "code of a function": "import re\nre.compile.__code__",
    "frame of a traceback": "try: 1 / 0\nexcept Exception as error: error.__traceback__.tb_frame",
    "input": "input()",
}  # fmt: skip

REFUSALS = ("PermissionError: the sandbox refuses", "ImportError: the sandbox has no", "RuntimeError: input()")

FAILURES = {
    "memory": "x = []\nwhile True: x.append(bytes(10**7))",
    "one large list": "[0] * 10**10",
    "recursion": "def f(): return f()\nf()",
    "exit": "raise SystemExit(0)",
    "exit, found": f"{OS}os._exit(0)",
    "exit, caught": "try: raise SystemExit\nexcept BaseException: raise KeyboardInterrupt",
    "quit": "quit()",
    "interrupt": "raise KeyboardInterrupt",
    "syntax": "x = ([]\n",
    "zero byte": "x = '\0'",
    "surrogate": "x = '\ud800'",
    "gigabytes": "while True: print('x' * 10**6)",
    "a forged end": "print('x\\0', end='')\n1 / 0",
    "a forged end, flushed": f"{OS}print('x\\0', end='', flush=True)\nos._exit(3)",
    "the checker's json": "import json\njson.dumps = lambda *_: '{}'\n1 / 0",
    "an exception that fails": "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E",
}


@pytest.fixture(scope="module", autouse=True)
def _next_program_runs():
    """Nothing that the programs of this file did keeps another one from running."""
    yield
    assert run_code("print('still here')").output == "still here\n"


@pytest.mark.parametrize("name", ESCAPES)
def test_no_program_gets_out(name):
    outcome = run_code(ESCAPES[name] + "\nprint('out')")

    assert not outcome.ok
    assert outcome.output == ""
    assert outcome.why.startswith(
        ("PermissionError: the sandbox refuses", "ImportError: the sandbox has no", "Runtime")
    )


@pytest.mark.parametrize("name", FAILURES)
def test_a_program_that_does_not_end_well_is_not_ok(name):
    outcome = run_code(FAILURES[name], seconds=5, memory_mb=128)

    assert not outcome.ok
    assert outcome.why
    assert len(outcome.output) <= OUTPUT + 1


@pytest.mark.parametrize("source", [
    "while True: pass",
    "while True:\n    try: 1 / 0\n    except BaseException: pass",
    "10 ** 10 ** 10",  # does not return to the interpreter
])  # fmt: skip
def test_a_program_without_an_end_is_ended(source):
    outcome = run_code(source, seconds=0.5)

    assert not outcome.ok
    assert outcome.why == "ended after 0.5 s"


def test_a_program_that_closes_its_output_is_ended():
    assert not run_code(f"{OS}os.close(1)\nwhile True: pass", seconds=0.5).ok


@pytest.mark.parametrize("source", [
    *(f"import {name}" for name in ALLOWED),
    "from collections import namedtuple\nassert namedtuple('P', 'a b', defaults=[1])(2) == (2, 1)",
    "from typing import *\nclass A(NamedTuple):\n    x: int = 3\nassert A().x == 3 and List[int]",
    "from functools import *\nassert lru_cache(max)(1, 2) == reduce(max, [1, 2])",
    "import random, re\nassert random.Random(1).choice('aa') == re.sub('b', 'a', 'b')",
    "assert eval('6 * 7') == 42\nexec('x = 1')\nassert x",
    "class A:\n    def __eq__(self, other): return True\nassert A() == 3 and sorted({3, 1}) == [1, 3]",
])  # fmt: skip
def test_ordinary_programs_run(source):
    assert run_code(source)[:3] == (True, "", "")


def test_output_is_that_of_the_program():
    assert run_code("print('é', 1)\nprint('a\\0b')").output == "é 1\na\0b\n"
    assert run_code("print('before')\n1 / 0")[:3] == (False, "before\n", "ZeroDivisionError: division by zero")


def test_the_outcome_names_its_guards():
    guards = run_code("").guards

    assert {"audit hook", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CPU", "RLIMIT_NPROC"} <= set(guards)
    assert ("user without rights" in guards) == (os.geteuid() == 0)


FORKS = """
import os, time
os.fork()
with open({path!r}, "w") as file:
    time.sleep(5)
    file.write("survived")
"""


def test_all_processes_of_a_program_end_with_it(monkeypatch, tmp_path):
    """Should one ever get past the guards."""
    fifo, guard = tmp_path / "fifo", tmp_path / "guard.py"
    os.mkfifo(fifo)
    guard.write_text(FORKS.format(path=str(fifo)))
    monkeypatch.setattr(sandbox, "GUARD", guard)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    assert run_code("", seconds=0.5).why == "ended after 0.5 s"
    os.set_blocking(reader, True)

    assert os.read(reader, 99) == b""  # nobody holds the other end
    os.close(reader)


LIMITED = """
import os, sys, socket
sys.path.insert(0, '{folder}')
import sandbox_guard
sandbox_guard.limit(2, 128)
if os.geteuid() == 0:
    os.setuid({user})
for attempt in (lambda: open('/etc/passwd'), socket.socket, os.fork, lambda: bytes(10**9), os.pipe):
    try:
        attempt()
    except (OSError, MemoryError):
        print('refused')
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not bound memory")
def test_the_kernel_refuses_what_the_hook_would_let_through():
    code = LIMITED.format(folder=sandbox.GUARD.parent, user=NOBODY)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["refused"] * 5


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"seconds": float("nan")}, {"memory_mb": -1}])
def test_limits_are_positive(limits):
    with pytest.raises(ValueError, match="both are positive numbers"):
        run_code("", **limits)


def test_a_sandbox_that_does_not_start_is_told(monkeypatch):
    monkeypatch.setattr(sandbox, "GUARD", "/no/such/file")
    with pytest.raises(ValueError, match=r"ended with the status 2 before the program.*-s -S /no/such/file 2 256"):
        run_code("")


def test_windows_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ValueError, match="Linux or macOS"):
        run_code("")


def test_the_limits_of_this_process_stay():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    run_code("")

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_sets_have_one_order():
    assert len({run_code("print({'a', 'b', 'c', 'd', 'e', 'f'})").output for _ in range(4)}) == 1

"""Runs Python code that a model wrote, in a process with limits on time, memory, processes, files and network.

The process imports the modules of the standard library that the code names, gives up what it can, and runs the code:

- limits of the kernel: no new file or socket (RLIMIT_NOFILE 0), no new process or thread (RLIMIT_NPROC 0), nothing
  written to files (RLIMIT_FSIZE 0), and bounds on memory and processor time;
- an audit hook of Python, which refuses every event of the interpreter that plain computation does not raise, such as
  `open`, `import`, `os.fork`, `socket.connect`, or the code of a function being read;
- `import` gives the modules that `sandbox_guard.ALLOWED` lists, and no other;
- where root starts it: the root folder is an empty one, and the user becomes 65534, whom RLIMIT_NPROC binds and who
  may not end the processes of others.

The parent reads a bounded output, and ends the whole process group when the time is over. The outcome names the guards
that were active: macOS does not bound memory, and users other than root stay who they are.

This holds against the code that language models write. It is not made for an attacker: a program that corrupts memory
can make system calls that need no new file, such as `unlink` or `kill`, and one that is written for this sandbox can
claim success, through `random._os._exit`. On a machine with secrets, run the whole study in a container.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Final, NamedTuple

from dyntemp.errors import StudyError

OUTPUT: Final = 65536
"""Most bytes of output."""

GUARD: Final = Path(__file__).with_name("sandbox_guard.py")


class Outcome(NamedTuple):
    """The outcome of a program.

    Attributes:
        ok: Whether the program ran to its end, without an exception, within all limits.
        output: Its output.
        why: The reason why it is not ok, such as `ZeroDivisionError: division by zero` or `ended after 2 s`.
        guards: The guards that were active; none if the time was over before the program began.
    """

    ok: bool
    output: str
    why: str
    guards: tuple[str, ...]


def run_code(source: str, *, seconds: float = 2, memory_mb: int = 256) -> Outcome:
    r"""Run a program of Python, in about 40 ms and the program's own time.

    Args:
        source: The program. `print` is its only way out, `__name__` is `program`, and it reads no input.
        seconds: Most time, of the clock and of the processor; the start of the process counts.
        memory_mb: Most memory of the process, in MiB; Python itself takes about 20.

    Raises:
        ValueError: On Windows, which has none of these limits, and for limits that are not positive.

    >>> run_code("print(6 * 7)").output
    '42\n'
    >>> run_code("open('/etc/passwd')").why
    'PermissionError: the sandbox refuses open'
    """
    if sys.platform == "win32":
        raise StudyError("Windows has no limits for processes: run tasks with code on Linux or macOS, or in WSL")
    if not (seconds > 0 and memory_mb > 0):
        raise StudyError(f"limits of {seconds} s and {memory_mb} MiB were given; both are positive numbers")
    command = [sys.executable, "-X", "utf8", "-P", "-s", "-S", str(GUARD), str(math.ceil(seconds)), str(memory_mb)]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as program:
        program.write(source.encode("utf-8", "surrogatepass"))
        program.seek(0)
        with subprocess.Popen(  # noqa: S603  # our own file
            command,
            stdin=program,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={"PYTHONHASHSEED": "0"},  # the order of a set, and with it a score, is the same in every run
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            try:
                told, ended = _read(process.stdout, OUTPUT, seconds)
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # it has not been waited for, so the group exists
    if ended and b"\0" not in told and len(told) <= OUTPUT:
        raise StudyError(
            f"the sandbox ended with the status {process.returncode} before the program began: see why with "
            f"`{' '.join(command)} < /dev/null` in an empty folder"
        )
    return _outcome(told, process.returncode, "" if ended else f"ended after {seconds:g} s")


def _read(pipe: IO[bytes], most: int, seconds: float) -> tuple[bytes, bool]:
    """Up to `most` bytes and one more, and whether the pipe ended or was full in time."""
    end = time.monotonic() + seconds
    told = b""
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while len(told) <= most:
            if not ready.select(max(0.0, end - time.monotonic())):
                return told, False
            part = os.read(pipe.fileno(), most + 1 - len(told))
            if not part:
                break
            told += part
    return told, True


def _outcome(told: bytes, status: int, late: str) -> Outcome:
    """The outcome of a process from what it told, its exit status, and the reason if it was ended."""
    names, started, rest = told.partition(b"\0")
    output, finished, error = rest.rpartition(b"\0") if b"\0" in rest else (rest, b"", b"")
    if len(told) > OUTPUT:
        why = f"printed more than {OUTPUT} bytes"
    elif late or not finished or status != 0:
        why = late or f"the process ended before the program did, with the status {status}"
    else:
        why = error.decode("utf-8", "replace")
    guards = tuple(names.decode().split(",")) if started else ()
    return Outcome(ok=not why, output=output.decode("utf-8", "replace"), why=why, guards=guards)

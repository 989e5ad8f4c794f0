"""The process of `sandbox`, run as a script: gives up what it can, then runs the program on its standard input."""

from __future__ import annotations

import builtins
import contextlib
import os
import resource
import sys
from collections.abc import Callable
from typing import Any, Final

ALLOWED: Final = (
    "bisect", "cmath", "collections", "copy", "datetime", "decimal", "enum", "fractions", "functools", "hashlib",
    "heapq", "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "textwrap", "typing",
)  # fmt: skip
"""The modules that a program may import."""

HARMLESS: Final = frozenset({"builtins.id", "compile", "exec", "sys._getframe", "sys._getframemodulename"})
"""The audit events that plain computation raises."""

NOBODY: Final = 65534
MIB: Final = 2**20


def main(seconds: int, memory_mb: int) -> None:
    """Run the program. Write the guards, a zero byte, the output, a zero byte, and the exception if there was one."""
    source = sys.stdin.buffer.read()
    for name in ALLOWED:
        __import__(name)
    sys.stdin.close()
    sys.stdin = None  # `input` says that there is none
    output, tell, leave = sys.stdout, os.write, os._exit  # the program may change what modules hold
    guards = [*give_up_rights(), *limit(seconds, memory_mb), "audit hook"]
    sys.addaudithook(make_hook())
    tell(1, ",".join(guards).encode() + b"\0")
    why = ""
    try:
        scope = {"__name__": "program", "__builtins__": {**vars(builtins), "__import__": only_allowed}}
        exec(compile(source, "program", "exec"), scope)  # noqa: S102  # what all of this is for
        output.flush()
    except BaseException as error:  # noqa: BLE001  # SystemExit too: the program did not reach its end
        why = described(error)
        with contextlib.suppress(BaseException):
            output.flush()
    tell(1, b"\0" + why.encode("utf-8", "replace"))
    leave(0)


def give_up_rights() -> list[str]:
    """For root: make the empty working folder the root folder, and become a user without rights. What was done."""
    done = []
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):  # containers may forbid it
            os.chroot(".")
            done.append("empty root folder")
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            done.append("user without rights")
    return done


def limit(seconds: int, memory_mb: int) -> list[str]:
    """Set the limits of the kernel; the names of those that it has."""
    limits = {
        "RLIMIT_CPU": seconds,
        "RLIMIT_AS": memory_mb * MIB,
        "RLIMIT_NOFILE": 0,
        "RLIMIT_NPROC": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
    }
    active = []
    for name, most in limits.items():
        with contextlib.suppress(OSError, ValueError):  # macOS has no limit of the address space
            resource.setrlimit(getattr(resource, name), (most, most))
            active.append(name)
    return active


def make_hook() -> Callable[[str, tuple[Any, ...]], None]:
    """The audit hook. All that it knows is in a closure, which the program cannot reach: that raises an event too."""
    harmless = HARMLESS

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        sets = event == "object.__setattr__" and args[1] != "__code__"  # named tuples do; code could replace a hook
        if event not in harmless and not sets:
            raise PermissionError(f"the sandbox refuses {event}")

    return refuse


def only_allowed(name: str, *args: Any, **options: Any) -> Any:
    """The `import` of the program."""
    if name.partition(".")[0] not in ALLOWED:
        raise ImportError(f"the sandbox has no module {name!r}; it has {', '.join(ALLOWED)}")
    return __import__(name, *args, **options)


def described(error: BaseException) -> str:
    """The kind and the message of an exception, in one short line; its own code may fail or print."""
    with contextlib.suppress(BaseException):
        return f"{type(error).__name__}: {error}".replace("\0", "").replace("\n", " ")[:200]
    return "an exception without a message"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

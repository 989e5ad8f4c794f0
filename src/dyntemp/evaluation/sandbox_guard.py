"""The process of `sandbox`, run as a script: gives up what it can, then runs the program on its standard input."""

from __future__ import annotations

import builtins
import os
import resource
import sys

TYPE_CHECKING = False  # importing `typing`, or `contextlib`, would take longer than Python's start
if TYPE_CHECKING:
    from collections.abc import Callable

ALLOWED = (
    "bisect", "cmath", "collections", "copy", "datetime", "decimal", "enum", "fractions", "functools", "hashlib",
    "heapq", "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "textwrap", "typing",
)  # fmt: skip
"""The modules that a program may import."""

HARMLESS = frozenset({"builtins.id", "compile", "exec", "sys._getframe", "sys._getframemodulename"})
"""The audit events that plain computation raises."""

NOBODY = 65534
MIB = 2**20


def main(seconds: int, memory_mb: int) -> None:
    """Run the program. Write the guards, a zero byte, the output, a zero byte, and the exception if there was one."""
    source = sys.stdin.buffer.read()
    for name in ALLOWED:
        if name.encode() in source:
            __import__(name)
    sys.stdin.close()
    sys.stdin = None  # `input` says that there is none
    output, tell, leave = sys.stdout, os.write, os._exit  # the program may change what modules hold
    guards = [*give_up_rights(), *limit(seconds, memory_mb), "audit hook"]
    sys.addaudithook(make_hook())
    tell(1, ",".join(guards).encode() + b"\0")
    why, unwritten = failure(run, source), failure(output.flush)
    tell(1, b"\0" + (why or unwritten).encode("utf-8", "replace"))
    leave(0)


def run(source: bytes) -> None:
    """Run a program in a scope of its own."""
    scope = {"__name__": "program", "__builtins__": {**vars(builtins), "__import__": import_allowed}}
    exec(compile(source, "program", "exec"), scope)  # noqa: S102  # what all of this is for


def failure(action: Callable[..., object], *args: object) -> str:
    """Call an action: the kind and the message of its exception, SystemExit too, in one short line; empty without."""
    try:
        action(*args)
    except BaseException as error:  # noqa: BLE001
        try:  # the exception's own code may fail
            return f"{type(error).__name__}: {error}".replace("\0", "").replace("\n", " ")[:200]
        except BaseException:  # noqa: BLE001
            return "an exception without a message"
    return ""


def give_up_rights() -> list[str]:
    """For root: make the empty working folder the root folder, and become a user without rights. What was done."""
    if os.geteuid() != 0:
        return []
    steps = {"empty root folder": lambda: os.chroot("."), "user without rights": become_nobody}
    return [name for name, step in steps.items() if not failure(step)]  # containers may forbid them


def become_nobody() -> None:
    """Give up the rights of root."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def limit(seconds: int, memory_mb: int) -> list[str]:
    """Set the limits of the kernel; the names of those that it has."""
    limits = {
        "RLIMIT_CPU": seconds,
        "RLIMIT_AS": memory_mb * MIB,  # macOS has none of the address space
        "RLIMIT_NOFILE": 0,
        "RLIMIT_NPROC": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
    }
    return [
        name for name, most in limits.items() if not failure(resource.setrlimit, getattr(resource, name), (most, most))
    ]


def make_hook() -> Callable[[str, tuple[object, ...]], None]:
    """The audit hook. All that it knows is in a closure, so that the program cannot change it."""
    harmless = HARMLESS

    def refuse(event: str, args: tuple[object, ...]) -> None:
        sets = event == "object.__setattr__" and args[1] != "__code__"  # named tuples do; code could replace a hook
        if event not in harmless and not sets:
            raise PermissionError(f"the sandbox refuses {event}")

    return refuse


def import_allowed(
    name: str,
    scope: dict[str, object] | None = None,
    local: dict[str, object] | None = None,
    wanted: tuple[str, ...] = (),
    level: int = 0,
) -> object:
    """The `import` of the program."""
    if name.partition(".")[0] not in ALLOWED:
        raise ImportError(f"the sandbox has no module {name!r}; it has {', '.join(ALLOWED)}")
    return __import__(name, scope, local, wanted, level)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""Zones that the shape of lines decides: fenced code, JSON values, and the beginning of Python blocks.

Each reader has a start state, for the beginning of a line, and maps a state and bytes to the next state. A state keeps
of the present line only what can still matter, so that it stays small however long the line is.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

BLANK = b" \t\r"
"""Bytes that a line may end with unseen."""


class LineReader(Protocol):
    """A reader of lines; states are immutable and hashable.

    Attributes:
        start: The state at the beginning of a line.
    """

    start: Any

    def read(self, state: Any, data: bytes) -> Any:
        """The state after further bytes."""

    def inside(self, state: Any) -> bool:
        """True in the zone."""


class FencedCode:
    """Code between fences, as CommonMark has them, at any indentation.

    A fence is a line that begins with three or more backticks or tildes; behind backticks, the line has no further one.
    The zone begins with the line after the opening fence. It ends at a fence of the same sign that is at least as long,
    at most three columns further right, and alone on its line. The end counts as soon as the fence is long enough; the
    zone is open again where other text follows on that line.

    A state is the open fence (its column and its signs) or None, and the present line from its newline on.
    """

    start: tuple[tuple[int, bytes] | None, bytes] = (None, b"\n")

    _FENCE = re.compile(rb"\n([ \t]*)(`{3,}|~{3,})([^\n]*)")
    _HEAD = re.compile(rb"\n[ \t]*(?:`+|~+)?")

    def read(self, state: tuple[tuple[int, bytes] | None, bytes], data: bytes) -> Any:
        """The state after further bytes."""
        fence, line = state
        text = line + data
        last = text.rindex(b"\n")
        for found in self._FENCE.finditer(text, 0, last):
            if fence is not None:
                fence = None if self._closes(fence, found) else fence
            elif b"`" not in found[2] or b"`" not in found[3]:
                fence = _column(found[1]), found[2]
        return fence, self._shortened(text[last:])

    def inside(self, state: tuple[tuple[int, bytes] | None, bytes]) -> bool:
        """True in the zone."""
        fence, line = state
        if fence is None:
            return False
        found = self._FENCE.fullmatch(line)
        return found is None or not self._closes(fence, found)

    def _closes(self, fence: tuple[int, bytes], found: re.Match[bytes]) -> bool:
        column, signs = fence
        return found[2].startswith(signs) and not found[3].strip(BLANK) and _column(found[1]) <= column + 3

    def _shortened(self, line: bytes) -> bytes:
        """A line with the same meaning: what follows its signs matters only by being blank or holding a backtick."""
        head = self._HEAD.match(line)
        assert head is not None, "the line begins with its newline"
        rest = line[head.end() :]
        return head[0] + b" " * bool(rest) + b"x" * bool(rest.strip(BLANK)) + b"`" * (b"`" in rest)


class JsonValue:
    """A JSON object or array that begins a line, to its closing bracket.

    The zone ends early at a byte that no JSON value has there, as in a link of Markdown, `[text](address)`.

    A state is the number of open brackets, True inside a string, and the bytes that are not decided yet: a newline at
    the beginning of a line, a backslash that escapes the next byte.
    """

    start: tuple[int, bool, bytes] = (0, False, b"\n")

    _BEGIN = re.compile(rb"\n[ \t]*[{\[]")
    _VALUE = re.compile(rb'["{}\[\]]|[^ \t\r\n,:+\-.0-9eEtrufalsn]')
    _STRING = re.compile(rb'["\\\x00-\x1f]')

    def read(self, state: tuple[int, bool, bytes], data: bytes) -> Any:
        """The state after further bytes."""
        depth, quoted, undecided = state
        text, at = undecided + data, 0
        while True:
            if not depth:
                begin = self._BEGIN.search(text, at)
                if begin is None:
                    return 0, False, b"\n" if text[at:].rstrip(b" \t").endswith(b"\n") else b""
                depth, quoted, at = 1, False, begin.end()
            found = (self._STRING if quoted else self._VALUE).search(text, at)
            if found is None:
                return depth, quoted, b""
            at = found.end()
            match found[0]:
                case b'"':
                    quoted = not quoted
                case b"\\":
                    if at == len(text):
                        return depth, quoted, b"\\"
                    at += 1
                case b"{" | b"[":
                    depth += 1
                case b"}" | b"]":
                    depth -= 1
                case _:  # no JSON
                    depth, at = 0, found.start()

    def inside(self, state: tuple[int, bool, bytes]) -> bool:
        """True in the zone."""
        return state[0] > 0


class BlockStart:
    r"""The place of a Python block's first token: after a line that ends in a colon, up to the next visible byte.

    A state is `b":"` behind a colon and blanks, `b":\n"` behind such a line and blanks, else empty.
    """

    start: bytes = b""

    def read(self, state: bytes, data: bytes) -> bytes:
        """The state after further bytes."""
        text = state + data
        visible = text.rstrip(b" \t\r\n")
        if not visible.endswith(b":"):
            return b""
        return b":\n" if b"\n" in text[len(visible) :] else b":"

    def inside(self, state: bytes) -> bool:
        """True in the zone."""
        return state == b":\n"


def _column(indent: bytes) -> int:
    """The column after these blanks; a tab goes to the next multiple of 4."""
    return len(indent.expandtabs(4))

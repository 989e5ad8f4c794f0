"""Text -> tokens: numbers, words, text in quotes and symbols.

Numbers are written as in Python: `5`, `5.`, `.5`, `1e-3`, `1_000`, `0x10`, `0o17`, `0b11`. Text in quotes holds a name,
so it has no escapes, no prefix and no line breaks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dyntemp.language.fault import fail
from dyntemp.language.grammar import MAX_DIGITS, OUTSIDE

_DIGITS = "[0-9]+(?:_[0-9]+)*"
TOKEN = re.compile(
    rf"(?P<number>0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+"
    rf"|(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?)"
    r"|(?P<word>[A-Za-z_][A-Za-z_0-9]*)"
    r"""|(?P<text>'[^']*'|"[^"]*")"""
    r"|(?P<symbol>\*\*|//|<<|>>|<=|>=|==|!=|<>|:=|&&|\|\||\.\.\.|[^ ])"
)
JOINED = re.compile(r"[A-Za-z_0-9.]*")
WHOLE = re.compile(r"[0-9_]+")
SHORT = 30
"""Characters of a number that a message repeats."""
NUMBERS = "write a number such as 0.8, 1e-3 or 1_000, and `*` between a number and a name"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (`number`, `word`, `text`, `symbol` or `end`), its characters, and where they are."""

    kind: str
    text: str
    start: int
    end: int


def tokens_of(line: str) -> list[Token]:
    """The tokens of `line`; the last is `end`, behind the last character that is not a space.

    Raises:
        PolicyError: For a character outside the language, a number that cannot be read, or a quote without its end.
    """
    for at, character in enumerate(line):
        if character == "#" or not (character.isascii() and character.isprintable()):
            instead = f": write `{OUTSIDE[character]}`" if character in OUTSIDE else ""
            fail(f"the character {character!r} is not part of the policy language{instead}", line, at, at + 1)
    found = [Token(str(match.lastgroup), match[0], *match.span()) for match in TOKEN.finditer(line)]
    for token in found:
        if token.kind == "number":
            _check_number(line, token)
        elif token.text in ("'", '"'):
            fail(f"this quote is not closed: write `{token.text}` behind the name", line, token.start, token.end)
    stop = len(line.rstrip())
    return [*found, Token("end", "", stop, stop)]


def _check_number(line: str, token: Token) -> None:
    behind = JOINED.match(line, token.end)
    if behind and behind[0]:
        shown = line[token.start : behind.end()][:SHORT]
        fail(f"`{shown}` is not a number of the policy language: {NUMBERS}", line, token.start, behind.end())
    digits = token.text.replace("_", "")
    if not WHOLE.fullmatch(digits):
        return
    if len(digits) > MAX_DIGITS:
        fail("a number too long to read: write it as 1e300", line, token.start, token.end)
    if digits[0] == "0" and digits.strip("0"):
        advice = f"write `{digits.lstrip('0')[:SHORT]}`"
        fail(f"a whole number does not begin with 0: {advice}", line, token.start, token.end)


def number(text: str) -> int | float:
    """The value of a number token."""
    whole = WHOLE.fullmatch(text) or text[:2].lower() in ("0x", "0o", "0b")
    return int(text, 0) if whole else float(text)

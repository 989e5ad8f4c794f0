"""The grammar's tables: how tightly operators bind, what is refused with which advice, and the limits of a text.

The page reads these tables too, so that it refuses a text as Python does.
"""

from __future__ import annotations

MAX_LENGTH = 10_000
"""Characters in one policy."""

MAX_NESTING = 200
"""Parentheses, signs and right operands inside one another, so that the parser can recurse."""

MAX_DIGITS = 4_300
"""Digits in one whole number."""

LEVELS = (
    "= := if ?", "or ||", "and &&", "< <= > >= == != <> in is not", "|", "^", "&", "<< >>", "+ -", "* / // % @", "**",
)  # fmt: skip
"""The operators between two values, loosest first. Those that the language lacks bind as in Python."""

LEVEL = {symbol: level for level, symbols in enumerate(LEVELS) for symbol in symbols.split()}
COMPARING, POWER = LEVEL["<"], LEVEL["**"]

OUTSIDE = {"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "≤": "<=", "≥": ">=", "（": "(", "）": ")", "，": ","}
"""Characters outside ASCII that stand for one of the language."""

_LOGIC = "`and` and `or` are not part of the policy language: nest `where(...)`, or use min and max"
_CHOICE = "`x if c else y` is not part of the policy language: write `where(c, x, y)`"
_NOT = "`not` is not part of the policy language: turn the comparison round"
_UNEQUAL = "`!=` is not part of the policy language: write a narrow range, where(abs(x - y) < 1e-9, y, x)"

REFUSED = {
    "and": _LOGIC,
    "&&": _LOGIC,
    "or": _LOGIC,
    "||": _LOGIC,
    "if": _CHOICE,
    "?": _CHOICE,
    "not": _NOT,
    "!": _NOT,
    "==": "`==` is not part of the policy language: write a narrow range, where(abs(x - y) < 1e-9, ...)",
    "!=": _UNEQUAL,
    "<>": _UNEQUAL,
    "=": "`=` is not part of the policy language: write the temperature alone, without a name before it",
    ":=": "`:=` is not part of the policy language",
    "^": "`^` is not a power here: write `**`",
    "//": "`//` is not part of the policy language: write `/`",
    "%": "`%` is not part of the policy language: write a share as a number, 5% as 0.05",
    ".": "`.` is not part of the policy language: signals and functions are plain names",
    "[": "`[...]` is not part of the policy language",
    "{": "`{...}` is not part of the policy language",
    "lambda": "`lambda` is not part of the policy language",
    "True": "`True` is not a number of the policy language",
    "False": "`False` is not a number of the policy language",
    "None": "`None` is not a number of the policy language",
}
"""Words and signs of other languages: the message for each."""

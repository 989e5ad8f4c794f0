"""The words of a command line as settings: KEY=VALUE, and the options of another program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dyntemp.convert.curve import ConversionError
from dyntemp.convert.nested import unwrapped
from dyntemp.convert.programs import Program

CONSTANTS = {"True": True, "False": False, "None": None}
"""Constants of Python that JSON writes in lower case."""

_NUMBER = re.compile(r"[-+]?\.?\d")


def settings_of(program: Program, words: Sequence[str]) -> dict[str, Any]:
    """The settings in words such as `temperature=0.8`, `--temp 0.8`, `--temp=0.8` and `--ignore-eos`.

    An option without a value is True. An option has no value if the program's option is known to take none, if it is
    the last word, or if the next word is an option too. A repeated option becomes a list.

    Raises:
        ConversionError: If a word is neither KEY=VALUE nor an option, or a temperature or filter is repeated.

    >>> from dyntemp.convert.programs import program_of
    >>> settings_of(program_of("llama.cpp"), ["--ignore-eos", "--temp", "0.8", "top_k=-1"])
    {'--ignore-eos': True, '--temp': 0.8, 'top_k': -1}
    """
    found: dict[str, Any] = {}
    repeated: set[str] = set()
    for key, value in _pairs(program, words):
        if key not in found:
            found[key] = value
        elif program.field_of(key) in program.own_fields:
            raise ConversionError(f"`{key}` was given twice, as {found[key]!r} and as {value!r}: leave one of them out")
        else:
            found[key] = [*found[key], value] if key in repeated else [found[key], value]
            repeated.add(key)
    return found


def over(program: Program, settings: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a file, updated with those of the command line, `words`."""
    fields = {program.field_of(word) for word in words}
    inside, around, path = unwrapped(settings, program.wrappers)
    kept = {name: value for name, value in inside.items() if program.field_of(str(name)) not in fields}
    kept |= words
    return {**around, path[-1]: kept} if path else kept


def _pairs(program: Program, words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        key, equals, text = word.partition("=")
        if equals and key.strip("-"):
            yield key, _value(text)
        elif key.strip("-") and not equals and _is_option(word):
            bare = program.takes_no_value(word) or not rest or _is_option(rest[0])
            yield word, True if bare else _value(rest.pop(0))
        else:
            raise ConversionError(
                f"{word} was given; write KEY=VALUE, as in temperature=0.8, or options behind `--`, as in -- --temp 0.8"
            )


def _is_option(word: str) -> bool:
    """True if a word is the name of an option; -1 and -.5 are numbers."""
    return word.startswith("-") and not _NUMBER.match(word)


def _value(text: str) -> Any:
    """The value of `text`: a constant of Python, JSON, or a number such as .5; else the text itself."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    for read in (json.loads, float) if _NUMBER.match(text) else (json.loads,):
        try:
            return read(text)
        except (ValueError, RecursionError):
            pass
    return text

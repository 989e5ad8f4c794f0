"""Given settings with checked values, and their meaning: a curve, a chain of samplers and differences."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from dyntemp.convert.curve import ConversionError, Curve
from dyntemp.convert.fields import Aside

MOST = sys.float_info.max
GROUPS = {
    "low": ("dynatemp_low", "dynatemp_high", "dynatemp_exponent"),
    "min_temp": ("min_temp", "max_temp", "temp_exponent", "dynatemp_exponent"),
    "temperature": ("temperature",),
    "exponent": ("dynatemp_exponent",),
}
"""Groups of fields that have an effect, or none, together."""


class Unknown(NamedTuple):
    """An entry of a list that the program does not know.

    Attributes:
        field: The list that has it.
        name: The entry.
        known: The entries that the program knows.
    """

    field: str
    name: str
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """The settings under one name each.

    Attributes:
        program: The name of the program.
        values: Name -> value.
    """

    program: str
    values: Mapping[str, Any]

    def number(self, name: str, default: float, low: float | None = None, high: float | None = None) -> float:
        """A finite number.

        Raises:
            ConversionError: If it is no finite number, or outside [low, high].
        """
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
            raise self.wrong(name, value, "a finite number is", _as_number(value))
        if low is not None and value < low:
            raise self.wrong(name, value, f"{low:g} and more is")
        if high is not None and value > high:
            raise self.wrong(name, value, f"at most {high:g} is")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false; 1 and 0 are allowed."""
        value = self._value(name, default)
        if value not in (True, False):
            raise self.wrong(name, value, "true or false is")
        return bool(value)

    def has(self, name: str) -> bool:
        """True if the field was given."""
        return self.values.get(name) is not None

    def wrong(self, name: str, value: Any, allowed: str, instead: str = "") -> ConversionError:
        """The error for a value that the program would not take.

        Args:
            name: The field.
            value: Its value.
            allowed: The values that are allowed, with their verb, as in "a list is".
            instead: A remedy, as in ": write 0.8".
        """
        return ConversionError(f"{self.program} was given {name} = {value!r}; {allowed} allowed there{instead}")

    def _value(self, name: str, default: Any) -> Any:
        return self.values[name] if self.has(name) else default


def _as_number(value: Any) -> str:
    """The remedy for a number that was given as text, such as "0.8", or 1e-3 in a YAML file."""
    try:
        number = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        return ""
    return f": this is text, write {number:f} without quotes" if number.is_finite() and abs(number) < 10**9 else ""


@dataclass(frozen=True, slots=True)
class Reading:
    """The meaning of a program's settings.

    Attributes:
        curve: The temperature.
        chain: The temperature and the filters in their order; a filter that is missing is not applied.
        notes: Differences from dyntemp that remain in any case.
        differs: Differences that let other tokens be drawn.
        ignored: Fields about temperature that have no effect.
        floor: The lowest temperature that the program uses.
        cap: Most candidates that the program reads; 0 for all.
        unknown: Unknown entries of the list of samplers, which the program skips.
    """

    curve: Curve
    chain: tuple[str, ...]
    notes: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    ignored: tuple[Aside, ...] = ()
    floor: float = 0.0
    cap: int = 0
    unknown: tuple[Unknown, ...] = ()


def between(given: Given, low: float, high: float, exponent: float) -> Curve:
    """A curve between two temperatures.

    Raises:
        ConversionError: If it goes below 0.
    """
    if min(low, high) < 0:
        raise ConversionError(f"{given.program} was given temperatures from {low:g} to {high:g}; 0 and more is allowed")
    if high < low and exponent < 0:
        raise ConversionError(
            f"{given.program} was given temperatures that fall from {low:g} to {high:g} with the exponent "
            f"{exponent:g}, and so go below 0 where the entropy is low; an exponent of 0 and more is allowed"
        )
    return Curve(low, high, exponent)


def undefined(exponent: float) -> tuple[str, ...]:
    """The difference that an exponent below 0 makes, for `differs`."""
    if exponent >= 0:
        return ()
    return (
        "an exponent below 0 is infinite where the entropy is 0: NaN for every token there, and a uniform draw here",
    )


def unread(given: Given, why: str, *groups: str) -> tuple[Aside, ...]:
    """The given fields of these groups, which have no effect in these settings."""
    found = tuple(name for group in groups for name in GROUPS[group] if given.values.get(name) is not None)
    return (Aside(found, why),) if found else ()

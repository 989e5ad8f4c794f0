"""Given settings with checked values, and their meaning: a curve, filters and differences."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from dyntemp.convert.curve import ConversionError, Curve
from dyntemp.convert.fields import Aside
from dyntemp.distribution.filters import Filters

FILTERS = ("top_k", "top_p", "min_p")
TEMPERATURE_FIRST = ("temperature", *FILTERS)
FILTERS_FIRST = (*FILTERS, "temperature")
MOST = sys.float_info.max
UNTRUNCATED: dict[str, Any] = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
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
        defaults: Values of the filters that were not given.
        notes: Differences from dyntemp that remain in any case.
        differs: Differences that let other tokens be drawn.
        ignored: Fields about temperature that have no effect.
        floor: The lowest temperature that the program uses.
        cap: Most candidates that the program reads; 0 for all.
        unknown: Unknown entries of the list of samplers, which the program skips.
    """

    curve: Curve
    chain: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=lambda: UNTRUNCATED)
    notes: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    ignored: tuple[Aside, ...] = ()
    floor: float = 0.0
    cap: int = 0
    unknown: tuple[Unknown, ...] = ()


def filters_of(given: Given, reading: Reading, zero_is_off: bool) -> tuple[Filters, list[str], list[str]]:
    """dyntemp's filters for a reading, notes on them, and their differences."""
    notes, differs = [], []
    values: dict[str, Any] = {name: given.number(name, reading.defaults[name]) for name in FILTERS}
    values = {name: value if name in reading.chain else UNTRUNCATED[name] for name, value in values.items()}
    assumed = [f"{name} = {values[name]:g}" for name in FILTERS
               if not given.has(name) and values[name] != UNTRUNCATED[name]]  # fmt: skip
    if assumed:
        notes.append(f"{given.program} itself sets {', '.join(assumed)} where nothing is given")
    values["top_k"] = max(values["top_k"], 0)
    if values["top_p"] <= 0:
        values.update({"top_p": 1.0} if zero_is_off else {"top_p": 1.0, "top_k": 1})
        notes.append(f"top_p = 0 {'is off' if zero_is_off else 'keeps the likeliest token alone, as top_k = 1 does'}")
    if reading.cap:
        values["top_k"] = min(values["top_k"] or reading.cap, reading.cap)
    active = [name for name in reading.chain if values.get(name) != UNTRUNCATED.get(name)]
    place = reading.chain.index("temperature") if "temperature" in reading.chain else len(reading.chain)
    before = [name for name in active if name in reading.chain[:place]]
    after = [name for name in active if name in reading.chain[place + 1 :]]
    at_model = {"top_p", "min_p"} & set(before)
    at_temperature = {"top_p", "min_p"} & set(after)
    if before and not reading.curve.is_flat:
        differs.append(
            f"entropy is measured over what {_and(before)} left; dyntemp measures the row that it is given: mask with "
            "`conversion.filters.mask(row)` first for the same temperature"
        )
    if at_model and at_temperature:
        differs.append(
            f"{_and(at_model)} comes before the temperature and {_and(at_temperature)} after it, here both do"
        )
    filters = [name for name in active if name != "temperature"]
    if any(filters.index(late) < filters.index(early) for early, late in (("top_k", "top_p"), ("top_p", "min_p"))
           if {early, late} <= set(filters)):  # fmt: skip
        differs.append(f"it filters in the order {', '.join(filters)}; dyntemp does top_k, top_p, min_p")
    try:
        at = "temperature" if at_temperature and not at_model else "model"
        return Filters(values["top_k"], values["top_p"], values["min_p"], at), notes, differs
    except ValueError as error:
        raise ConversionError(f"{given.program}: {error}") from None


def _and(names: Sequence[str] | set[str]) -> str:
    *head, last = sorted(names, key=FILTERS.index)
    return f"{', '.join(head)} and {last}" if head else last


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

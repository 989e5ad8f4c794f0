"""Sampler settings of other programs as a policy, and back: exact, or with every difference stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from dyntemp.convert.chains import filters_of
from dyntemp.convert.curve import ConversionError, Curve
from dyntemp.convert.fields import HOME, Aside, sort_out
from dyntemp.convert.nested import as_written, unwrapped
from dyntemp.convert.programs import PROGRAMS, Program, program_of, table
from dyntemp.convert.reading import Given, Unknown
from dyntemp.convert.recognise import curve_of
from dyntemp.convert.samplers import FILTERS, KNOBS, fields_of
from dyntemp.distribution.filters import Filters
from dyntemp.distribution.filters import filters_of as given_filters
from dyntemp.language.policy import Policy
from dyntemp.language.signals import suggestion

__all__ = [
    "PROGRAMS", "Aside", "Conversion", "ConversionError", "Curve", "Program", "Settings", "curve_of", "from_settings",
    "table", "to_settings",
]  # fmt: skip

ENVELOPE = "around the settings: about the server, the model or other templates"
OPTIONS = "options about the model, the machine and the log"
SKIP = "leave out what is not its, or have it listed, with --skip-unknown, or skip_unknown=True in Python"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A program's settings as a policy and filters.

    Attributes:
        program: The name of the program.
        policy: The temperature of the settings.
        filters: The filters of the settings, in the program's order.
        exact: True if `sample(row, policy, **arguments)` draws from the program's own distribution, except for
            `notes`. False if `differs` is not empty.
        notes: Small differences that remain in any case.
        differs: Differences that make other tokens likely.
        ignored: Fields about temperature that have no effect in these settings.
        not_temperature: Settings that are on, and are neither a temperature nor one of the filters.
        off: Known fields at their neutral values.
        unknown: Unknown fields, and unknown entries of lists of samplers; empty without `skip_unknown`.
    """

    program: str
    policy: Policy
    filters: Filters
    exact: bool
    notes: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    ignored: tuple[Aside, ...] = ()
    not_temperature: tuple[Aside, ...] = ()
    off: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """The filters as arguments of `sample` and `generate`: four numbers where these say all, else the chain."""
        short = self.filters.short
        if short is None:
            return {"filters": str(self.filters)}
        return {"filter_at" if name == "at" else name: value for name, value in short.items()}


@dataclass(frozen=True, slots=True)
class Settings:
    """A policy as settings of a program.

    Attributes:
        program: The name of the program.
        fields: Name -> value, ready for a request.
        exact: True if the program then draws from the policy's distribution, except for `notes`.
        notes: Small differences that remain in any case.
        differs: Differences that make other tokens likely.
        flags: The fields as options of its command line; empty where it has none.
    """

    program: str
    fields: Mapping[str, Any]
    exact: bool
    notes: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def from_settings(program: str, settings: Mapping[str, Any], *, skip_unknown: bool = False) -> Conversion:
    """Convert a program's settings to a policy and filters.

    Missing fields have the program's own defaults. Settings that are no temperature are listed in the result.

    Args:
        program: A name of `PROGRAMS`, such as "llama.cpp" or "sillytavern".
        settings: The fields of a request or a preset. Names of command-line options are allowed. So are objects around
            the fields: an answer of llama-server, a request with an envelope, an export of SillyTavern.
        skip_unknown: True lists unknown fields and samplers instead of refusing them.

    Raises:
        ConversionError: If the program or a field is unknown, or the program would refuse a value.

    >>> found = from_settings("textgen", {"dynamic_temperature": True, "dynatemp_low": 0.3, "dynatemp_high": 1.3})
    >>> str(found.policy), found.exact
    ('lerp(0.3, 1.3, normalized_entropy)', True)
    """
    known = program_of(program)
    values, beside = _named(known, settings)
    own = {*known.own_fields}
    others = sort_out({name: value for name, value in values.items() if name not in own})
    if others.unknown and not skip_unknown:
        raise ConversionError(_unknown(known, others.unknown))
    given = Given(known.name, values)
    reading = known.read(given, others.has("mirostat", "mirostat_mode"))
    if reading.unknown and not skip_unknown:
        raise ConversionError(_strange(known, reading.unknown))
    filters, notes, differs = filters_of(given, reading, known.zero_is_off)
    differs = [*reading.differs, *differs]
    off = (*_off(known, given, filters), *others.off)
    unknown = (*others.unknown, *(f"{entry.name} in {entry.field}" for entry in reading.unknown))
    return Conversion(
        known.name, reading.curve.policy(reading.floor), filters, not differs and not others.draws,
        (*reading.notes, *notes), tuple(differs), reading.ignored, (*others.active, *beside), off, unknown,
    )  # fmt: skip


def to_settings(
    program: str,
    policy: Policy | str | float,
    *,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    filter_at: str = "model",
    filters: Filters | str | None = None,
) -> Settings:
    """The settings with which a program computes `policy` by itself.

    Args:
        program: A name of `PROGRAMS`.
        policy: The policy, or its text, or one temperature.
        top_k: As in `sample`, like the other filters.
        top_p: See `top_k`.
        min_p: See `top_k`.
        filter_at: See `top_k`.
        filters: A chain of filters, instead of these four.

    Raises:
        ConversionError: If the program cannot compute it; the message says why.
        PolicyError: If `policy` is no policy.

    >>> dict(to_settings("aphrodite", "1.2 - 0.9*normalized_entropy").fields)["dynatemp_min"]
    1.2
    """
    known = program_of(program)
    chain = given_filters(filters, top_k, top_p, min_p, filter_at)
    curve = curve_of(policy, known.floor)
    if curve.low < 0 or curve.high < 0:
        raise ConversionError(f"`{policy}` would go below 0 without its floor, which {known.name} does not take")
    if not curve.is_flat and curve.exponent < 0:
        raise ConversionError(
            f"`{policy}` is infinite where the entropy is 0, where an engine computes NaN for every token: keep the "
            "entropy above it, as in `max(normalized_entropy, 0.01)**-1`, and run the policy with dyntemp itself"
        )
    written = known.write(curve, chain)
    flags = tuple(
        f"{flag} {_option(written.fields[name])}" for name, flag in known.flags.items() if name in written.fields
    )
    return Settings(known.name, written.fields, not written.differs, written.notes, written.differs, flags)


def _off(program: Program, given: Given, filters: Filters) -> tuple[str, ...]:
    """The fields that were given of filters that are off, beside the usual three."""
    active = {step.name for step in filters.steps}
    return tuple(
        knob.field
        for name, knobs in KNOBS[program.name].items()
        if name not in active and name not in FILTERS
        for knob in knobs
        if given.has(knob.field)
    )


def _named(program: Program, settings: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Aside, ...]]:
    """The settings under the program's own names, without None, and other fields that came with them.

    Raises:
        ConversionError: If a setting is given twice, or a name is no text.
    """
    inside, around, path = unwrapped(settings, program.wrappers)
    if path and program.answers_float32:
        inside = {name: as_written(value) for name, value in inside.items()}
    about = {*program.own_fields, *HOME}
    sent = {*fields_of(program.name)}.difference(FILTERS)  # some programs are sent a filter under two names
    values: dict[str, Any] = {}
    envelope, options = [], []
    for place, (spelled, value) in enumerate((*inside.items(), *around.items())):
        if not isinstance(spelled, str):
            raise ConversionError(
                f"{program.name} was given a field named {spelled!r}; a name is text: YAML takes yes, no, on and off "
                "for true and false where they have no quotes"
            )
        name = program.field_of(spelled)
        if program.is_beside(spelled):
            options.append(spelled)
        elif place >= len(inside) and name not in about:
            envelope.append(spelled)
        elif name in values and not (name in sent and values[name] == value):
            raise ConversionError(f"{program.name} was given `{name}` twice, as `{spelled}` too: leave one of them out")
        elif value is not None:
            mark = program.separators.get(name) if spelled.startswith("-") else None
            values[name] = value.split(mark) if mark and isinstance(value, str) else value
    beside = (Aside(tuple(envelope), ENVELOPE), Aside(tuple(options), OPTIONS))
    return values, tuple(aside for aside in beside if aside.fields)


def _unknown(program: Program, names: tuple[str, ...]) -> str:
    """The message about unknown fields."""
    faults = []
    for name in names:
        owners = [other.name for other in PROGRAMS.values() if name in other.fields or name in other.spellings]
        near = f"; it belongs to {', '.join(owners)}." if owners else suggestion(name, program.own_fields) or "."
        faults.append(f"{program.name} has no field `{name}`{near}")
    return f"{' '.join(faults)} Its own are {', '.join(program.own_fields)}; {SKIP}"


def _strange(program: Program, entries: tuple[Unknown, ...]) -> str:
    """The message about unknown entries in a list of samplers."""
    faults = [
        f"{program.name} knows no `{entry.name}` in {entry.field}, and would leave it out"
        f"{suggestion(entry.name.strip().lower(), entry.known) or '.'}"
        for entry in entries
    ]
    return f"{' '.join(faults)} It knows {', '.join(dict.fromkeys(entries[0].known))}; {SKIP}"


def _option(value: Any) -> str:
    """A value as a word of a command line."""
    if isinstance(value, list):
        return quote(";".join(map(str, value)))
    return str(int(value)) if value == int(value) else repr(value)

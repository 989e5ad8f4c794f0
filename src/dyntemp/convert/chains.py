"""Filters between their two forms: fields of a program with its order, and a chain of dyntemp."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dyntemp.convert.curve import ConversionError, Curve, decimal
from dyntemp.convert.reading import Given, Reading
from dyntemp.convert.samplers import DIFFERS, FILTERS, KNOBS, NOTES
from dyntemp.distribution.filters import Filters, Step

TEMPERATURE = "temperature"
INVARIANT = ("top_k", "top_n_sigma")
"""Filters that keep the same tokens at every temperature."""

OFF_BELOW = ("top_k", "top_n_sigma", "top_a", "epsilon", "eta")
"""Filters that programs leave out at 0 and below."""

SHARES = ("top_p", "typical", "tfs")
"""Filters that keep entries until a share is reached; at 0 they keep one, or are off in some programs."""

LEAST = 1e-12
"""The share that stands for 0, which dyntemp does not allow."""


def filters_of(given: Given, reading: Reading, zero_is_off: bool) -> tuple[Filters, list[str], list[str]]:
    """dyntemp's filters for a reading, notes on them, and their differences.

    Raises:
        ConversionError: For a value that the filter cannot have.
    """
    notes: list[str] = []
    knobs = KNOBS[given.program]
    assumed = [
        f"{knob.field} = {knob.own:g}"
        for name in sorted(reading.chain, key=_usual_first)
        for knob in knobs.get(name, ())
        if not given.has(knob.field) and knob.own != knob.off
    ]
    if assumed:
        notes.append(f"{given.program} itself sets {', '.join(assumed)} where nothing is given")
    steps: list[Step | str] = [Step("top_k", (reading.cap,))] if reading.cap else []
    for name in reading.chain:
        if name == TEMPERATURE:
            steps.append(name)
        elif (step := _step(given, name, zero_is_off, notes)) is not None:
            _add(steps, step)
    place = steps.index(TEMPERATURE) if TEMPERATURE in steps else len(steps)
    before = [step for step in steps[:place] if isinstance(step, Step)]
    after = [step for step in steps[place:] if isinstance(step, Step)]
    differs = []
    if before and not reading.curve.is_flat:
        differs.append(
            f"entropy is measured over what {_and([step.name for step in before])} left; dyntemp measures the row that "
            "it is given: mask with `conversion.filters.mask(row)` first for the same temperature"
        )
    active = [step.name for step in (*before, *after)]
    differs += [text for name, text in DIFFERS.get(given.program, {}).items() if name in active]
    notes += [text for name, text in NOTES.get(given.program, {}).items() if name in active]
    return _joined(given, before, after), notes, differs


def _usual_first(name: str) -> int:
    return FILTERS.index(name) if name in FILTERS else len(FILTERS)


def _step(given: Given, name: str, zero_is_off: bool, notes: list[str]) -> Step | None:
    """The filter of this name with the program's values; None where it is off."""
    knobs = KNOBS[given.program][name]
    value, *others = [float(decimal(given.number(knob.field, knob.own)) * decimal(knob.unit)) for knob in knobs]
    if name == "xtc":
        (probability,) = others
        return Step(name, (min(max(value, 0.0), 1.0), min(probability, 1.0))) if probability > 0 else None
    if value >= knobs[0].beyond or value == knobs[0].off or (value <= 0 and name in OFF_BELOW):
        return None
    if value <= 0 and name in SHARES:
        if name == "top_p":
            told = "is off" if zero_is_off else "keeps the likeliest token alone, as top_k = 1 does"
            notes.append(f"top_p = 0 {told}")
        if zero_is_off:
            return None
        return Step("top_k", (1,)) if name == "top_p" else Step(name, (LEAST,))
    if name in ("epsilon", "eta"):
        value = min(value, 1.0)
    step = Step(name, (int(value) if name == "top_k" and value == int(value) else value,))
    try:
        Filters.read(str(step))
    except ValueError as error:
        raise ConversionError(f"{given.program}, {knobs[0].field}: {error}") from None
    return step


def _add(steps: list[Step | str], step: Step) -> None:
    """Append a filter; a top-k that follows another takes its place if it keeps fewer."""
    at = next((at for at, other in reversed([*enumerate(steps)]) if isinstance(other, Step)), None)
    last = None if at is None else steps[at]
    if at is None or not isinstance(last, Step) or last.name != step.name or step.name != "top_k":
        steps.append(step)
    elif step.arguments < last.arguments:
        steps[at] = step


def _joined(given: Given, before: Sequence[Step], after: Sequence[Step]) -> Filters:
    """The chain; filters that the temperature does not concern stand on the side of the others."""
    if all(step.name in INVARIANT for step in after):
        before, after = [*before, *after], []
    elif all(step.name in INVARIANT for step in before):
        before, after = [], [*before, *after]
    try:
        return Filters.read(", ".join([*map(str, before), TEMPERATURE, *map(str, after)]))
    except ValueError as error:
        raise ConversionError(f"{given.program}: {error}") from None


def sequences(program: str, curve: Curve, filters: Filters) -> list[list[str]]:
    """The equivalent orders of filters and temperature by name, those with an early temperature first.

    Raises:
        ConversionError: If the program lacks a filter, if one comes twice, or if filters come before a temperature that
            would then be measured over what they leave.
    """
    names = [step.name for step in filters.steps]
    for name in names:
        if name not in KNOBS[program]:
            known = ", ".join(KNOBS[program])
            raise ConversionError(f"{program} has no filter like {name}; its own are {known}")
        if names.count(name) > 1:
            raise ConversionError(f"{program} applies each filter once, and these have {name} more than once")
    if filters.short is not None:  # the usual three, those that are off too
        names = list(FILTERS)
    places = sorted(_places(curve, filters, names))
    found = [[*names[:place], TEMPERATURE, *names[place:]] for place in places]
    if curve.is_flat:
        return found
    if places[0] > 0:
        first = [step.name for step in filters.steps if not step.after]
        raise ConversionError(
            f"{program} would measure the entropy over what {_and(first)} {'leave' if first[1:] else 'leaves'}, a "
            'policy measures the row: convert with filter_at="temperature", or without them'
        )
    return found[:1]


def _places(curve: Curve, filters: Filters, names: Sequence[str]) -> Iterator[int]:
    """Where the temperature may stand among these names."""
    if curve.is_flat and (curve.high == 1 or (curve.high == 0 and filters.cut)):
        yield from range(len(names) + 1)
        return
    active = {step.name: step.after for step in filters.steps}
    for place in range(len(names) + 1):
        moved = [*(name for name in names[:place] if active.get(name) is True),
                 *(name for name in names[place:] if active.get(name) is False)]  # fmt: skip
        if all(name in INVARIANT for name in moved):
            yield place


def fitting(
    program: str, curve: Curve, filters: Filters, orders: Sequence[Sequence[str]], *, strict: bool = True
) -> tuple[int, tuple[str, ...]]:
    """The number of the first order in which a program filters like the chain, and the difference that remains.

    Raises:
        ConversionError: If filters come on the other side of the temperature in every order, and `strict` is True.
    """
    active = {TEMPERATURE, *(step.name for step in filters.steps)}
    theirs = [[name for name in order if name in active] for order in orders]
    ours = [[name for name in names if name in active] for names in sequences(program, curve, filters)]
    for number, order in enumerate(theirs):
        if order in ours:
            return number, ()
    for number, order in enumerate(theirs):
        if not strict or any(_sides(order) == _sides(names) for names in ours):
            told = ", ".join(name for name in order if name != TEMPERATURE)
            return number, (f"{program} filters in the order {told}",)
    told = " or ".join(", ".join(order) for order in theirs)
    raise ConversionError(
        f"{program} has the order {told}: convert with these filters on that side of the temperature, or without them"
    )


def _sides(order: Sequence[str]) -> tuple[set[str], set[str]]:
    place = order.index(TEMPERATURE)
    return set(order[:place]), set(order[place:])


def fields_of_filters(program: str, filters: Filters) -> dict[str, Any]:
    """The fields of these filters, and of the usual three where they are off."""
    active = {step.name: step.arguments for step in filters.steps}
    return {
        knob.field: _written(active[name][at], knob.unit) if name in active else knob.off
        for name, knobs in KNOBS[program].items()
        if name in active or name in FILTERS
        for at, knob in enumerate(knobs)
    }


def differences(program: str, filters: Filters) -> tuple[str, ...]:
    """The differences of a program's filters."""
    active = {step.name for step in filters.steps}
    return tuple(text for name, text in DIFFERS.get(program, {}).items() if name in active)


def _written(argument: float, unit: float) -> float:
    return argument if unit == 1 else float(decimal(argument) / decimal(unit))


def _and(names: Sequence[str]) -> str:
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last

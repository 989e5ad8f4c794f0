"""Settings of each program for a curve and filters: one function each, which refuses a curve it cannot express."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dyntemp.convert.curve import ConversionError, Curve
from dyntemp.distribution.filters import Filters


@dataclass(frozen=True, slots=True)
class Written:
    """The settings of a program.

    Attributes:
        fields: Name -> value. Complete: fields that are off have the value that switches them off.
        notes: Remarks on the settings.
        differs: Differences that let other tokens be drawn.
    """

    fields: dict[str, Any]
    notes: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


Writer = Callable[[Curve, Filters], Written]

AROUND = "llama.cpp counts candidates at -inf in its normaliser: the same for rows without masked candidates"
NO_RANGE = "has one temperature for all and no dynamic one: run the policy with dyntemp inside of it, or on its logits"
LAST_IN_ORDER = "min_p comes before top_k and top_p there, in dyntemp after them"


def llama_cpp(curve: Curve, filters: Filters) -> Written:
    """`temperature` with `dynatemp_range`, and always `samplers`: the order decides which candidates are measured."""
    _rising(curve, "llama.cpp", "a dynatemp_range is above 0")
    names = _order(curve, filters, "llama.cpp")
    fields = {"temperature": curve.temperature, "dynatemp_range": curve.reach, "dynatemp_exponent": curve.exponent}
    fields |= _filters(filters) | {"samplers": ["penalties", "dry", *names]}
    return Written(fields, () if curve.is_flat else (AROUND,))


def koboldcpp(curve: Curve, filters: Filters) -> Written:
    """As llama.cpp, but with numbers for samplers, and with at most 3,000 candidates."""
    numbers = {"top_k": 0, "top_p": 2, "temperature": 5}
    order = [6, *(numbers[name] for name in _order(curve, filters, "koboldcpp") if name in numbers), 1, 3, 4]
    fields = {"temperature": curve.temperature, "dynatemp_range": curve.reach, "dynatemp_exponent": curve.exponent}
    fields |= _filters(filters) | {"sampler_order": order}
    notes = ("a dynatemp_range below 0 is off in versions of 2024",) if curve.high < curve.low else ()
    cap = "koboldcpp measures and draws among the 3,000 likeliest tokens (5,000 in 2024)"
    return Written(fields, notes, (cap,) if not 0 < filters.top_k <= 3000 or not curve.is_flat else ())


def textgen(curve: Curve, filters: Filters) -> Written:
    """The dynamic temperature with the static one at 1, or the static one alone."""
    last = _filters_first(curve, filters, "textgen")
    flat = curve.is_flat
    fields: dict[str, Any] = {
        "temperature": curve.high if flat and curve.high > 0 else 1.0, "dynamic_temperature": not flat,
        "dynatemp_low": 1.0 if flat else curve.low, "dynatemp_high": 1.0 if flat else curve.high,
        "dynatemp_exponent": curve.exponent, "temperature_last": last, "do_sample": curve.high > 0 or not flat,
    }  # fmt: skip
    notes = () if flat else ("textgen sums the entropy over the batch: the same for a batch of one",)
    return Written(fields | _filters(filters), notes)


def textgen_llama_cpp(curve: Curve, filters: Filters) -> Written:
    """The fields of textgen, which sends llama.cpp their mean and a range."""
    _rising(curve, "textgen-llama.cpp", "dynatemp_high is above dynatemp_low")
    written = textgen(curve, filters)
    fields = {name: value for name, value in written.fields.items() if name != "do_sample"}
    if curve.is_flat:
        fields["temperature"] = curve.high
    return Written(fields, () if curve.is_flat else (AROUND,))


def exllamav2(curve: Curve, filters: Filters) -> Written:
    """The dynamic temperature acts after truncation, in any order; the static one follows `temperature_last`."""
    _rising(curve, "exllamav2", "max_temp is above min_temp")
    if not curve.is_flat and filters.active:
        raise ConversionError(
            "exllamav2 measures the entropy over what its filters leave, a policy over the row: convert without filters"
        )
    last = _filters_first(curve, filters, "exllamav2")
    temperature = curve.high if curve.is_flat else 1.0
    if 0 < temperature < 0.01:
        raise ConversionError(f"exllamav2 takes a temperature below 0.01 as greedy, and this is {temperature:g}")
    bounds = (1.0, 1.0) if curve.is_flat else (curve.low, curve.high)
    fields: dict[str, Any] = {"temperature": temperature, "temperature_last": last and temperature > 0,
                              "min_temp": bounds[0], "max_temp": bounds[1],
                              "temp_exponent": curve.exponent}  # fmt: skip
    return Written(fields | _filters(filters), () if curve.is_flat else (AROUND.replace("llama.cpp", "exllamav2"),),
                   _crossing(filters, "exllamav2"))  # fmt: skip


def exllamav3(curve: Curve, filters: Filters) -> Written:
    """TabbyAPI's static temperature."""
    if not curve.is_flat:
        raise ConversionError(
            "exllamav3 has no dynamic temperature: TabbyAPI accepts min_temp and max_temp, and ignores them with a "
            "warning in its log. Use a step of its sampler that runs the policy"
        )
    last = _filters_first(curve, filters, "exllamav3")
    fields = {"temperature": curve.high, "temperature_last": last, **_filters(filters)}
    return Written(fields, differs=_crossing(filters, "exllamav3"))


def aphrodite(curve: Curve, filters: Filters) -> Written:
    """The dynamic bounds, in either order. Filters come after the temperature."""
    _fixed_order(curve, filters, "aphrodite")
    if curve.is_flat:
        _no_less_than(curve, 0.01, "aphrodite")
        fields = {"temperature": curve.high, "dynatemp_min": 0.0, "dynatemp_max": 0.0, "dynatemp_exponent": 1.0}
        return Written(fields | _filters(filters), differs=_min_p_first(filters))
    if max(curve.low, curve.high) <= 1e-5:
        raise ConversionError(
            f"aphrodite takes bounds of 1e-5 and less as off, and these are {curve.low:g} and {curve.high:g}"
        )
    fields = {"temperature": 1.0, "dynatemp_min": curve.low, "dynatemp_max": curve.high,
              "dynatemp_exponent": curve.exponent}  # fmt: skip
    notes = ["it acts in the V1 model runner only: set APHRODITE_USE_V2_MODEL_RUNNER=0"]
    if min(curve.low, curve.high) < 1e-5:
        notes.append("it raises a temperature below 1e-5 to that")
    return Written(fields | _filters(filters), tuple(notes), _min_p_first(filters))


def sillytavern(curve: Curve, filters: Filters) -> Written:
    """The fields of a text completion preset."""
    _rising(curve, "sillytavern", "max_temp is above min_temp, or the range that it sends is below 0")
    last = _filters_first(curve, filters, "sillytavern")
    bounds = (0.0, 2.0) if curve.is_flat else (curve.low, curve.high)
    fields: dict[str, Any] = {
        "temp": curve.temperature, "dynatemp": not curve.is_flat, "min_temp": bounds[0], "max_temp": bounds[1],
        "dynatemp_exponent": curve.exponent, "temperature_last": last,
        "sampler_order": koboldcpp(curve, filters).fields["sampler_order"],
        "samplers": [name for name in llama_cpp(curve, filters).fields["samplers"] if name != "penalties"],
    }  # fmt: skip
    differs = ("the program that it is sent to decides in which order it filters",) if filters.active else ()
    return Written(fields | _filters(filters), ("the rest of a preset keeps its neutral values",), differs)


def vllm(curve: Curve, filters: Filters) -> Written:
    """One temperature, up to 2."""
    _static(curve, "vllm", 2.0)
    _no_less_than(curve, 0.01, "vllm")
    _fixed_order(curve, filters, "vllm")
    return Written({"temperature": curve.high, **_filters(filters)}, differs=_min_p_first(filters))


def transformers(curve: Curve, filters: Filters) -> Written:
    """The arguments of `generate`, always with `top_k`, since its default is 50."""
    _static(curve, "transformers")
    _fixed_order(curve, filters, "transformers")
    sampled = curve.high > 0
    return Written({"do_sample": sampled, "temperature": curve.high if sampled else 1.0, **_filters(filters)})


def openai(curve: Curve, filters: Filters) -> Written:
    """One temperature, up to 2, and top_p."""
    _static(curve, "openai", 2.0)
    _fixed_order(curve, filters, "openai")
    if filters.top_k or filters.min_p:
        raise ConversionError("openai has neither top_k nor min_p; top_p is all that it filters by")
    differs = ("OpenAI does not say whether top_p comes before the temperature or after it",)
    return Written({"temperature": curve.high, "top_p": filters.top_p}, differs=differs if filters.active else ())


def _filters(filters: Filters) -> dict[str, Any]:
    return {"top_k": filters.top_k, "top_p": filters.top_p, "min_p": filters.min_p}


def _rising(curve: Curve, program: str, rule: str) -> None:
    if curve.high < curve.low:
        raise ConversionError(
            f"this temperature falls from {curve.low:g} to {curve.high:g} as entropy rises, and {program} lets it only "
            f"rise ({rule}); aphrodite and textgen take either"
        )


def _static(curve: Curve, program: str, highest: float = float("inf")) -> None:
    if not curve.is_flat:
        raise ConversionError(f"{program} {NO_RANGE}")
    if curve.high > highest:
        raise ConversionError(f"{program} takes temperatures up to {highest:g}, and this is {curve.high:g}")


def _no_less_than(curve: Curve, least: float, program: str) -> None:
    if 0 < curve.high < least:
        raise ConversionError(f"{program} raises a temperature below {least:g} to it, and this is {curve.high:g}")


def _filters_first(curve: Curve, filters: Filters, program: str) -> bool:
    """True if the filters have to come before the temperature.

    Raises:
        ConversionError: If they do, and the program would then measure the entropy after them.
    """
    if filters.at == "temperature" or (filters.top_p == 1 and filters.min_p == 0):
        return False  # the tokens that top_k keeps do not depend on the temperature
    if curve.is_flat:
        return True
    raise ConversionError(
        f"{program} would measure the entropy over what top_p and min_p leave, a policy measures the row: convert with "
        'filter_at="temperature", or without them'
    )


def _order(curve: Curve, filters: Filters, program: str) -> list[str]:
    names = ["top_k", "top_p", "min_p"]
    return [*names, "temperature"] if _filters_first(curve, filters, program) else ["temperature", *names]


def _fixed_order(curve: Curve, filters: Filters, program: str) -> None:
    if _filters_first(curve, filters, program) and curve.high not in (0.0, 1.0):
        raise ConversionError(
            f'{program} reads top_p and min_p after the temperature: convert with filter_at="temperature", or without '
            "them"
        )


def _min_p_first(filters: Filters) -> tuple[str, ...]:
    return (LAST_IN_ORDER,) if filters.min_p > 0 and filters.top_p < 1 else ()


def _crossing(filters: Filters, program: str) -> tuple[str, ...]:
    return (
        (f"{program}'s top_p leaves out the token that crosses the sum, dyntemp keeps it",) if filters.top_p < 1 else ()
    )

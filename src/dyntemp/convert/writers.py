"""Settings of each program for a curve and filters: one function each, which refuses a curve it cannot express."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dyntemp.convert.chains import TEMPERATURE, differences, fields_of_filters, fitting, sequences
from dyntemp.convert.curve import ConversionError, Curve
from dyntemp.convert.samplers import NAMES, ORDERS, TEXTGEN_LAST, TEXTGEN_STATIC
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
THEIR_NAMES = {"typical": "typ_p"}
"""Names of filters -> names in llama.cpp's list, where they differ."""

TEXTGEN_NAMES = {name: theirs for theirs, name in NAMES.items() if theirs != "typ_p"}
"""Names of filters -> names in the list of text-generation-webui, where they differ."""

MOST = 3000
"""Most candidates of koboldcpp."""

STAGES = {"top_k": 0, "top_a": 1, "top_p": 2, "min_p": 2, "tfs": 3, "typical": 4, TEMPERATURE: 5, "top_n_sigma": 5}
"""Samplers -> koboldcpp's numbers."""


def llama_cpp(curve: Curve, filters: Filters) -> Written:
    """`temperature` with `dynatemp_range`, and always `samplers`: the order decides which candidates are measured."""
    _rising(curve, "llama.cpp", "a dynatemp_range is above 0")
    names = [THEIR_NAMES.get(name, name) for name in sequences("llama.cpp", curve, filters)[0]]
    fields = {"temperature": curve.temperature, "dynatemp_range": curve.reach, "dynatemp_exponent": curve.exponent}
    fields |= fields_of_filters("llama.cpp", filters) | {"samplers": ["penalties", "dry", *names]}
    return Written(fields, () if curve.is_flat else (AROUND,))


def koboldcpp(curve: Curve, filters: Filters) -> Written:
    """As llama.cpp, but with numbers for samplers, and with at most 3,000 candidates."""
    order = _stages(curve, filters)
    fields = {"temperature": curve.temperature, "dynatemp_range": curve.reach, "dynatemp_exponent": curve.exponent}
    fields |= fields_of_filters("koboldcpp", filters) | {"sampler_order": order}
    notes = ("a dynatemp_range below 0 is off in versions of 2024",) if curve.high < curve.low else ()
    cap = "koboldcpp measures and draws among the 3,000 likeliest tokens (5,000 in 2024)"
    first = filters.steps[0] if filters.steps else None
    held = first is not None and first.name == "top_k" and first.arguments[0] <= MOST
    differs = differences("koboldcpp", filters) + (() if held and curve.is_flat else (cap,))
    return Written(fields, notes, differs)


def _stages(curve: Curve, filters: Filters) -> list[int]:
    """koboldcpp's `sampler_order`.

    Raises:
        ConversionError: If its numbers do not express the order: 2 is top_p and then min_p, 5 the temperature and then
            nsigma, and XTC comes last.
    """
    for names in sequences("koboldcpp", curve, filters):
        listed = [name for name in names if name != "xtc"]
        stages = list(dict.fromkeys(STAGES[name] for name in listed))
        theirs = [name for stage in stages for name in STAGES if STAGES[name] == stage and name in listed]
        if theirs == listed and "xtc" not in names[:-1]:
            return [6, *stages, *(stage for stage in (0, 2, 1, 3, 4) if stage not in stages)]
    raise ConversionError(
        f"koboldcpp has no order for `{filters}`: min_p follows top_p at once, nsigma follows the temperature, and XTC "
        "comes last"
    )


def textgen(curve: Curve, filters: Filters) -> Written:
    """The dynamic temperature with the static one at 1, or the static one alone."""
    return _textgen("textgen", curve, filters)


def textgen_llama_cpp(curve: Curve, filters: Filters) -> Written:
    """The fields of textgen, which sends llama.cpp their mean and a range."""
    _rising(curve, "textgen-llama.cpp", "dynatemp_high is above dynatemp_low")
    written = _textgen("textgen-llama.cpp", curve, filters)
    fields = {name: value for name, value in written.fields.items() if name != "do_sample"}
    if curve.is_flat:
        fields["temperature"] = curve.high
    return Written(fields, () if curve.is_flat else (AROUND,))


def _textgen(program: str, curve: Curve, filters: Filters) -> Written:
    """The fields of text-generation-webui; with `sampler_priority` only where neither place of the temperature fits."""
    flat = curve.is_flat
    names = sequences(program, curve, filters)[0]
    number, differs = fitting(program, curve, filters, (TEXTGEN_STATIC, TEXTGEN_LAST), strict=False)
    fields: dict[str, Any] = {
        "temperature": curve.high if flat and curve.high > 0 else 1.0, "dynamic_temperature": not flat,
        "dynatemp_low": 1.0 if flat else curve.low, "dynatemp_high": 1.0 if flat else curve.high,
        "dynatemp_exponent": curve.exponent, "temperature_last": number == 1 and not differs,
        "do_sample": curve.high > 0 or not flat,
    }  # fmt: skip
    fields |= fields_of_filters(program, filters)
    if differs:
        own = {TEMPERATURE: TEMPERATURE if flat or program != "textgen" else "dynamic_temperature", **TEXTGEN_NAMES}
        fields |= {"sampler_priority": [own.get(name, name) for name in names]}
    notes = () if flat else ("textgen sums the entropy over the batch: the same for a batch of one",)
    return Written(fields, notes, differences(program, filters))


def exllamav2(curve: Curve, filters: Filters) -> Written:
    """The dynamic temperature acts after truncation, in any order; the static one follows `temperature_last`."""
    _rising(curve, "exllamav2", "max_temp is above min_temp")
    if not curve.is_flat and filters.active:
        raise ConversionError(
            "exllamav2 measures the entropy over what its filters leave, a policy over the row: convert without filters"
        )
    number, differs = fitting("exllamav2", curve, filters, ORDERS["exllamav2"])
    temperature = curve.high if curve.is_flat else 1.0
    if 0 < temperature < 0.01:
        raise ConversionError(f"exllamav2 takes a temperature below 0.01 as greedy, and this is {temperature:g}")
    bounds = (1.0, 1.0) if curve.is_flat else (curve.low, curve.high)
    fields: dict[str, Any] = {"temperature": temperature, "temperature_last": number == 1 and temperature > 0,
                              "min_temp": bounds[0], "max_temp": bounds[1],
                              "temp_exponent": curve.exponent}  # fmt: skip
    return Written(fields | fields_of_filters("exllamav2", filters),
                   () if curve.is_flat else (AROUND.replace("llama.cpp", "exllamav2"),),
                   (*differs, *differences("exllamav2", filters)))  # fmt: skip


def exllamav3(curve: Curve, filters: Filters) -> Written:
    """TabbyAPI's static temperature."""
    if not curve.is_flat:
        raise ConversionError(
            "exllamav3 has no dynamic temperature: TabbyAPI accepts min_temp and max_temp, and ignores them with a "
            "warning in its log. Use a step of its sampler that runs the policy"
        )
    number, differs = fitting("exllamav3", curve, filters, ORDERS["exllamav3"])
    fields = {"temperature": curve.high, "temperature_last": number == 1, **fields_of_filters("exllamav3", filters)}
    return Written(fields, differs=(*differs, *differences("exllamav3", filters)))


def aphrodite(curve: Curve, filters: Filters) -> Written:
    """The dynamic bounds, in either order. top_k, top_p and min_p come after the temperature, others on either side."""
    number, differs = fitting("aphrodite", curve, filters, ORDERS["aphrodite"])
    differs = (*differs, *differences("aphrodite", filters))
    fields: dict[str, Any] = {"temperature": curve.high, "dynatemp_min": 0.0, "dynatemp_max": 0.0,
                              "dynatemp_exponent": 1.0, **fields_of_filters("aphrodite", filters)}  # fmt: skip
    if number == 1:
        fields["temperature_last"] = True
    if curve.is_flat:
        _no_less_than(curve, 0.01, "aphrodite")
        return Written(fields, differs=differs)
    if max(curve.low, curve.high) <= 1e-5:
        raise ConversionError(
            f"aphrodite takes bounds of 1e-5 and less as off, and these are {curve.low:g} and {curve.high:g}"
        )
    fields |= {"temperature": 1.0, "dynatemp_min": curve.low, "dynatemp_max": curve.high,
               "dynatemp_exponent": curve.exponent}  # fmt: skip
    notes = ["it acts in the V1 model runner only: set APHRODITE_USE_V2_MODEL_RUNNER=0"]
    if min(curve.low, curve.high) < 1e-5:
        notes.append("it raises a temperature below 1e-5 to that")
    return Written(fields, tuple(notes), differs)


def sillytavern(curve: Curve, filters: Filters) -> Written:
    """The fields of a text completion preset."""
    _rising(curve, "sillytavern", "max_temp is above min_temp, or the range that it sends is below 0")
    number, differs = fitting("sillytavern", curve, filters, (TEXTGEN_STATIC, TEXTGEN_LAST))
    bounds = (0.0, 2.0) if curve.is_flat else (curve.low, curve.high)
    fields: dict[str, Any] = {
        "temp": curve.temperature, "dynatemp": not curve.is_flat, "min_temp": bounds[0], "max_temp": bounds[1],
        "dynatemp_exponent": curve.exponent, "temperature_last": number == 1,
    }  # fmt: skip
    if filters.short is not None:  # orders that koboldcpp and llama.cpp both have
        fields["sampler_order"] = koboldcpp(curve, filters).fields["sampler_order"]
        fields["samplers"] = [name for name in llama_cpp(curve, filters).fields["samplers"] if name != "penalties"]
    if filters.active:
        differs = (*differs, "the program that it is sent to decides in which order it filters")
    fields |= fields_of_filters("sillytavern", filters)
    return Written(fields, ("the rest of a preset keeps its neutral values",), differs)


def vllm(curve: Curve, filters: Filters) -> Written:
    """One temperature, up to 2."""
    _static(curve, "vllm", 2.0)
    _no_less_than(curve, 0.01, "vllm")
    return _fixed("vllm", {"temperature": curve.high}, curve, filters)


def transformers(curve: Curve, filters: Filters) -> Written:
    """The arguments of `generate`, always with `top_k`, since its default is 50."""
    _static(curve, "transformers")
    sampled = curve.high > 0
    return _fixed("transformers", {"do_sample": sampled, "temperature": curve.high if sampled else 1.0}, curve, filters)


def openai(curve: Curve, filters: Filters) -> Written:
    """One temperature, up to 2, and top_p."""
    _static(curve, "openai", 2.0)
    if any(step.name != "top_p" for step in filters.steps):
        raise ConversionError("openai has neither top_k nor min_p; top_p is all that it filters by")
    written = _fixed("openai", {"temperature": curve.high}, curve, filters)
    fields = {name: value for name, value in written.fields.items() if name not in ("top_k", "min_p")}
    differs = ("OpenAI does not say whether top_p comes before the temperature or after it",)
    return Written(fields, differs=differs if filters.active else ())


def _fixed(program: str, fields: dict[str, Any], curve: Curve, filters: Filters) -> Written:
    """The fields of a program with one order, and those of its filters."""
    _, differs = fitting(program, curve, filters, ORDERS[program])
    return Written(fields | fields_of_filters(program, filters), differs=(*differs, *differences(program, filters)))


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

"""The meaning of each program's settings: one function each, `(given, mirostat is on) -> Reading`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dyntemp.convert.curve import ConversionError, Curve
from dyntemp.convert.fields import Aside
from dyntemp.convert.orders import kobold_order, llama_order, textgen_llama_order, textgen_order
from dyntemp.convert.reading import Given, Reading, between, undefined, unread
from dyntemp.convert.samplers import KNOBS, ORDERS, TEXTGEN_BUILT, TEXTGEN_LAST, TEXTGEN_STATIC

FLOAT32 = "its sums are float32: up to 3.5e-4 of the temperature on 150,000 candidates"
MASKED = "it counts candidates at -inf in its normaliser, dyntemp does not: the same for rows without masked candidates"
ALONE = "a single candidate is left as it is, so its temperature cannot matter"


def llama_cpp(given: Given, mirostat: bool) -> Reading:
    """The order is `samplers`; without a temperature there, T is 1. Mirostat replaces the chain."""
    temperature, reach = given.number("temperature", 0.8), given.number("dynatemp_range", 0.0)
    exponent = given.number("dynatemp_exponent", 1.0)
    order = llama_order(given)
    chain = _known("llama.cpp", order.names)
    differs = ("`infill` merges candidates of the same text; dyntemp has no such sampler",) * ("infill" in order.names)
    notes = list(order.notes)
    ignored: tuple[Aside, ...] = ()
    if mirostat:
        curve, chain = Curve.flat(temperature), ("temperature",)
        differs = ("mirostat replaces the whole chain: temperature comes first, without dynamic range or filters",)
    elif "temperature" not in chain:
        curve = Curve.flat(1.0)
        notes.append("`samplers` has no temperature, so it stays at 1")
    elif reach <= 0:
        curve = Curve.flat(temperature)
        ignored = unread(given, "a dynatemp_range at or below 0 is off", "exponent")
    else:
        curve = Curve.around(temperature, reach, exponent)
        differs += undefined(exponent)
        notes += [MASKED, ALONE, FLOAT32]
        if temperature == 0:
            notes.append(f"temperature = 0 is not greedy beside a range: it moves from 0 to {curve.high:g}")
    return Reading(curve, chain, tuple(notes), differs, ignored, unknown=order.unknown)


def koboldcpp(given: Given, mirostat: bool) -> Reading:
    """The order is `sampler_order`: 0 is top_k, 2 is top_p with min_p, 5 is the temperature with nsigma."""
    temperature, reach = given.number("temperature", 0.7), given.number("dynatemp_range", 0.0)
    exponent = max(given.number("dynatemp_exponent", 1.0), 0.0)
    order = kobold_order(given)
    cap = "it keeps the 3,000 likeliest tokens (5,000 in 2024) before all else, which stands here as top_k = 3000"
    notes = [*order.notes, cap]
    chain = order.names
    differs: tuple[str, ...] = ()
    ignored: tuple[Aside, ...] = ()
    if mirostat:
        curve, chain = Curve.flat(temperature), ("temperature",)
        differs = ("mirostat replaces the order: temperature comes first, without dynamic range or filters",)
    elif "temperature" not in chain:
        curve = Curve.flat(1.0)
        notes.append("`sampler_order` has no temperature (5), so it stays at 1")
    elif reach == 0:
        curve = Curve.flat(temperature)
        ignored = unread(given, "a dynatemp_range of 0 is off", "exponent")
    else:
        curve = Curve.around(temperature, reach, exponent)
        notes += [MASKED, ALONE, FLOAT32]
        if reach < 0:
            notes.append("a dynatemp_range below 0 turns the curve round; in versions of 2024 it is off")
        if not max(curve.low, curve.high):
            raise ConversionError(
                f"koboldcpp was given temperature = {temperature:g} and dynatemp_range = {reach:g}, and would divide "
                "by 0; a sum above 0 is allowed"
            )
    return Reading(curve, chain, tuple(notes), differs, ignored, cap=3000, unknown=order.unknown)


def textgen(given: Given, _: bool) -> Reading:
    """The order is `sampler_priority`. It may hold two temperatures, applied one after the other."""
    order = textgen_order(given)
    static, dynamic = given.number("temperature", 1.0), given.flag("dynamic_temperature", False)
    rank = {name: place for place, name in reversed(tuple(enumerate(order.names)))}  # the first place of a name
    low, high = given.number("dynatemp_low", 1.0), given.number("dynatemp_high", 1.0)
    exponent = given.number("dynatemp_exponent", 1.0)
    own = "dynamic_temperature" if dynamic else "temperature"
    made = [name for name in TEXTGEN_BUILT if name == own or name not in ("temperature", "dynamic_temperature")]
    stages = sorted(made, key=lambda name: rank.get(name, -1))
    chain = tuple("temperature" if stage == own else stage for stage in stages)
    if not given.flag("do_sample", True) or (static <= 0 and not dynamic):
        return Reading(Curve.flat(0.0), chain, notes=("do_sample = false is greedy",), unknown=order.unknown)
    if not dynamic:
        ignored = unread(given, "dynamic_temperature is off", "low")
        return Reading(Curve.flat(static), chain, ignored=ignored, unknown=order.unknown)
    if static <= 0:
        raise ConversionError(
            f"textgen was given temperature = {static:g}; its loaders refuse it: send 1, or do_sample = false"
        )
    curve = between(given, low, high, exponent)
    notes: tuple[str, ...] = ("entropy is summed over the batch: exact for a batch of one", FLOAT32)
    differs = undefined(exponent)
    if static != 1:
        notes = (f"it divides by its temperature = {static:g} as well, so both ends are multiplied with it", *notes)
        first, second = rank.get("temperature", -1), rank.get("dynamic_temperature", -1)
        inside = [name for name in stages if second < rank.get(name, -1) < first and _is_on(given, name)]
        if first < second:
            differs += (f"entropy is measured at temperature {static:g}, dyntemp measures at 1: send temperature = 1",)
        elif inside:
            differs += (
                f"{' and '.join(inside)} comes between its two temperatures, here after both: send temperature = 1",
            )
    return Reading(curve.times(static), chain, notes=notes, differs=differs, unknown=order.unknown)


def textgen_llama_cpp(given: Given, mirostat: bool) -> Reading:
    """The fields of `textgen`, sent to llama.cpp as their mean and a range."""
    samplers, unknown = textgen_llama_order(given)
    dynamic = given.flag("dynamic_temperature", False)
    low, high = given.number("dynatemp_low", 1.0), given.number("dynatemp_high", 1.0)
    sent: dict[str, Any] = {"temperature": given.number("temperature", 1.0), "samplers": samplers}
    sent["dynatemp_exponent"] = given.number("dynatemp_exponent", 1.0)
    if dynamic:
        curve = Curve(low, high)
        sent |= {"temperature": curve.temperature, "dynatemp_range": curve.reach}
    reading = llama_cpp(Given(given.program, sent), mirostat)
    notes = reading.notes
    if dynamic and high < low:
        notes = ("dynatemp_high below dynatemp_low becomes a range below 0, which llama.cpp takes as off", *notes)
    silent = ("dynamic_temperature replaces it by the mean", "temperature") if dynamic else (
        "dynamic_temperature is off", "low")  # fmt: skip
    ignored = unread(given, *silent)
    return Reading(reading.curve, reading.chain, notes=notes, differs=reading.differs, ignored=ignored, unknown=unknown)


def exllamav2(given: Given, _: bool) -> Reading:
    """The dynamic temperature acts after truncation. The static one comes first, unless `temperature_last` is set."""
    static, last = given.number("temperature", 1.0), given.flag("temperature_last", False)
    low, high = given.number("min_temp", 1.0, 0.0), given.number("max_temp", 1.0, 0.0)
    exponent = given.number("temp_exponent", 1.0, 0.0)
    first, afterwards = ORDERS["exllamav2"]
    if high <= low or (static < 0.01 and not last):
        ignored = unread(given, "min_temp and max_temp act where max_temp is larger", "min_temp")
        chain = afterwards if last else first
        return Reading(Curve.flat(static if static >= 0.01 else 0.0), chain, ignored=ignored)
    curve = Curve(low, high, exponent)
    if last or static == 1:
        ignored = (
            unread(given, "temperature_last lets max_temp above min_temp replace it", "temperature") if last else ()
        )
        return Reading(curve, afterwards, notes=(MASKED, ALONE, FLOAT32), ignored=ignored)
    notes = (
        f"it divides by its temperature = {static:g} as well, so both ends are multiplied with it",
        MASKED,
        FLOAT32,
    )
    differs = (
        f"entropy and filters are measured at temperature {static:g}, dyntemp measures at 1: send temperature_last",
    )
    return Reading(curve.times(static), afterwards, notes=notes, differs=differs)


def exllamav3(given: Given, _: bool) -> Reading:
    """The static temperature counts. The dynamic fields are ignored, with a warning in TabbyAPI's log."""
    chain = ORDERS["exllamav3"][given.flag("temperature_last", False)]
    ignored = unread(given, "TabbyAPI accepts it and ignores it: ExLlamaV3 has no dynamic temperature", "min_temp")
    return Reading(Curve.flat(given.number("temperature", 1.0, 0.0)), chain, ignored=ignored)


def aphrodite(given: Given, mirostat: bool) -> Reading:
    """The dynamic temperature is on if a bound is above 1e-5; then `temperature` is not read."""
    static = given.number("temperature", 1.0, 0.0)
    low, high = given.number("dynatemp_min", 0.0, 0.0), given.number("dynatemp_max", 0.0, 0.0)
    exponent = given.number("dynatemp_exponent", 1.0, 0.0)
    chain = ORDERS["aphrodite"][given.flag("temperature_last", False)]
    if mirostat:
        differs: tuple[str, ...] = ("a mirostat request takes out the other samplers, temperature among them",)
        return Reading(Curve.flat(1.0), ("temperature", "min_p", "top_k", "top_p"), differs=differs)
    if max(low, high) <= 1e-5:
        ignored = unread(given, "dynatemp_min and dynatemp_max up to 1e-5 are off", "exponent")
        return Reading(_raised(static), chain, notes=_raising(static), ignored=ignored)
    if exponent == 0:
        raise ConversionError("aphrodite was given dynatemp_exponent = 0; more than 0 is allowed there")
    notes = ("it acts in the V1 model runner only: set APHRODITE_USE_V2_MODEL_RUNNER=0", FLOAT32)
    differs = ("temperature = 0 stays greedy where every request of the batch is; send 1",) if static == 0 else ()
    ignored = unread(given, "dynatemp_min and dynatemp_max replace it", "temperature")
    return Reading(Curve(low, high, exponent), chain, notes=notes, differs=differs, ignored=ignored, floor=1e-5)


def sillytavern(given: Given, mirostat: bool) -> Reading:
    """A preset has a check box for the dynamic temperature, and an order for each program it may be sent to."""
    dynamic = given.flag("dynatemp", False)
    low, high = given.number("min_temp", 0.0, 0.0), given.number("max_temp", 2.0, 0.0)
    static, exponent = given.number("temperature", 0.7), given.number("dynatemp_exponent", 1.0)
    chain = TEXTGEN_LAST if given.flag("temperature_last", True) else TEXTGEN_STATIC
    filters = [name for name in chain if name != "temperature"]
    differs = []
    if any(_is_on(given, name) for name in filters if dynamic or name != "top_k"):
        differs.append(
            "where the filters stand is up to the program that it is sent to (sampler_order for koboldcpp, samplers "
            "for llama.cpp, sampler_priority and temperature_last for others); temperature_last decides here"
        )
    if not given.flag("do_sample", True):
        differs.append("do_sample = false is greedy in text-generation-webui and is not sent to others")
    if mirostat and dynamic:
        differs.append("mirostat switches the dynamic temperature off in llama.cpp and koboldcpp")
    if not dynamic:
        ignored = unread(given, "`dynatemp` is off", "min_temp")
        return Reading(Curve.flat(static), chain, differs=tuple(differs), ignored=ignored)
    notes = ["llama.cpp and koboldcpp are sent (max_temp + min_temp)/2 and (max_temp - min_temp)/2"]
    ignored = unread(given, "`dynatemp` is on, so it is not sent", "temperature")
    differs += undefined(exponent)
    curve = between(given, low, high, exponent)
    if curve.temperature != 1:
        notes.append(
            f"all are sent temperature = {curve.temperature:g} too, by which text-generation-webui on transformers "
            "divides as well, and ExLlamaV2 without temperature_last"
        )
    if high < low:
        differs.append(
            f"max_temp = {high:g} is below min_temp = {low:g}: llama.cpp then stays at {curve.temperature:g}, "
            "ExLlamaV2 at the temperature that it is sent; koboldcpp, text-generation-webui on transformers and "
            "Aphrodite turn the curve round"
        )
    return Reading(curve, chain, notes=tuple(notes), differs=tuple(differs), ignored=ignored)


def vllm(given: Given, _: bool) -> Reading:
    """One temperature, raised to 0.01 where it is lower."""
    static = given.number("temperature", 1.0, 0.0, 2.0)
    return Reading(_raised(static), ORDERS["vllm"][0], notes=_raising(static))


def transformers(given: Given, _: bool) -> Reading:
    """One temperature; greedy without `do_sample`. `top_k` is 50 by default."""
    static, sampled = given.number("temperature", 1.0, 0.0), given.flag("do_sample", False)
    notes = () if sampled else ("do_sample is off, so that generate() is greedy",)
    if sampled and static == 0:
        raise ConversionError("transformers was given temperature = 0; above 0 is allowed there: set do_sample = false")
    return Reading(Curve.flat(static if sampled else 0.0), ORDERS["transformers"][0], notes)


def openai(given: Given, _: bool) -> Reading:
    """One temperature from 0 to 2. The order of its filters is not documented."""
    notes = (
        ("OpenAI does not say whether top_p comes before the temperature or after it",) if given.has("top_p") else ()
    )
    return Reading(Curve.flat(given.number("temperature", 1.0, 0.0, 2.0)), ORDERS["openai"][0], notes=notes)


def _known(program: str, names: Iterable[str]) -> tuple[str, ...]:
    """The temperature and the program's filters among these names."""
    return tuple(name for name in names if name == "temperature" or name in KNOBS[program])


def _is_on(given: Given, name: str) -> bool:
    """True if a field of the program's filter has a value other than its neutral one."""
    *_, switch = KNOBS[given.program].get(name, (None,))
    return switch is not None and given.number(switch.field, switch.own) != switch.off


def _raised(temperature: float) -> Curve:
    """A temperature as vLLM and Aphrodite raise it; Aphrodite stems from vLLM."""
    return Curve.flat(max(temperature, 0.01) if temperature > 0 else 0.0)


def _raising(temperature: float) -> tuple[str, ...]:
    return ("a temperature between 0 and 0.01 is raised to 0.01",) if 0 < temperature < 0.01 else ()

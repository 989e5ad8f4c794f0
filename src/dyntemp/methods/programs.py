"""DynaTemp as each program computes it, with the program's own names.

The programs differ in the largest entropy by which they normalise. llama.cpp, koboldcpp and ExLlamaV2 count every
candidate that they were left with, masked ones too; text-generation-webui and Aphrodite count the unmasked ones.
"""

from __future__ import annotations

from fractions import Fraction

from dyntemp.functions import log, max, min  # noqa: A004 (the language's own)
from dyntemp.language.nodes import Expression
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.methods.normalized import EXPONENT, HIGH, LOW, between
from dyntemp.signals import entries, entropy

SHARE_OF_ENTRIES = min(entropy / log(max(entries, 2)), 1)
"""The entropy's share of the logarithm of all entries of the row."""


def dynatemp_llama_cpp(temp: Number = 0.8, dynatemp_range: Number = 0.5, dynatemp_exponent: Number = 1.0) -> Policy:
    """T between temp - dynatemp_range, but at least 0, and temp + dynatemp_range.

    A range of 0 or less is off: T = temp. T <= 0 is greedy, as on its CPU; its GPU is greedy where temp <= 0.
    """
    if not isinstance(dynatemp_range, Expression) and dynatemp_range <= 0:
        return Policy(max(temp, 0), name="dynatemp_llama_cpp")
    low, high = _ends(temp, dynatemp_range)
    return Policy(between(low, high, dynatemp_exponent, SHARE_OF_ENTRIES), name="dynatemp_llama_cpp")


def dynatemp_koboldcpp(
    temperature: Number = 0.8, dynatemp_range: Number = 0.5, dynatemp_exponent: Number = 1.0
) -> Policy:
    """T between temperature - dynatemp_range and temperature + dynatemp_range, each at least 0.

    A range of 0 is off, a range below 0 turns the curve round. An exponent below 0 counts as 0. The program divides
    by a T of 0; here that is greedy.
    """
    low, high = _ends(temperature, dynatemp_range)
    if not isinstance(dynatemp_exponent, Expression):
        dynatemp_exponent = dynatemp_exponent if dynatemp_exponent > 0 else 0.0
    return Policy(between(low, high, dynatemp_exponent, SHARE_OF_ENTRIES), name="dynatemp_koboldcpp")


def dynatemp_textgen(
    dynatemp_low: Number = 0.3, dynatemp_high: Number = 1.3, dynatemp_exponent: Number = 1.0, temperature: Number = 1.0
) -> Policy:
    """T between dynatemp_low and dynatemp_high, times `temperature`, by which text-generation-webui divides as well."""
    curve = between(dynatemp_low, dynatemp_high, dynatemp_exponent)
    return Policy(curve if temperature == 1 else temperature * curve, name="dynatemp_textgen")


def dynatemp_aphrodite(
    dynatemp_min: Number = 0.3, dynatemp_max: Number = 1.3, dynatemp_exponent: Number = 1.0
) -> Policy:
    """T between dynatemp_min and dynatemp_max, at least 1e-5."""
    return Policy(max(between(dynatemp_min, dynatemp_max, dynatemp_exponent), 1e-5), name="dynatemp_aphrodite")


def dynatemp_exllamav2(min_temp: Number = 0.3, max_temp: Number = 1.3, temp_exponent: Number = 1.0) -> Policy:
    """T between min_temp and max_temp, with temperature_last set; 1 where max_temp is not above min_temp.

    Without temperature_last the program divides by its `temperature` before all of this.
    """
    numbers = not isinstance(min_temp, Expression) and not isinstance(max_temp, Expression)
    if numbers and max_temp <= min_temp:
        return Policy(1.0, name="dynatemp_exllamav2")
    return Policy(between(min_temp, max_temp, temp_exponent, SHARE_OF_ENTRIES), name="dynatemp_exllamav2")


def dynatemp_sillytavern(min_temp: Number = 0.3, max_temp: Number = 1.3, dynatemp_exponent: Number = 1.0) -> Policy:
    """T between min_temp and max_temp: what SillyTavern asks of each program, in that program's names."""
    return Policy(between(min_temp, max_temp, dynatemp_exponent), name="dynatemp_sillytavern")


def around(temperature: float, reach: float) -> tuple[float, float]:
    """The ends temperature - reach and temperature + reach, each at least 0.

    Computed in decimals, so that 0.8 - 0.5 is 0.3.

    Raises:
        OverflowError: If an end is beyond what a number can hold.

    >>> around(0.8, 0.5)
    (0.3, 1.3)
    """
    t, d = Fraction(repr(float(temperature))), Fraction(repr(float(reach)))
    return float(t - d) if t > d else 0.0, float(t + d) if t > -d else 0.0


def _ends(temperature: Number, reach: Number) -> tuple[Number, Number]:
    """`around`, for parameters too."""
    if isinstance(temperature, Expression) or isinstance(reach, Expression):
        return max(temperature - reach, 0), max(temperature + reach, 0)
    return around(temperature, reach)


MIDDLE = Range(0, 2, "the middle between both ends")
REACH = Range(0, 2, "the distance of both ends from the middle; 0, the program's own default, is off")
ANSWERED = "its normaliser depends on what the filters before it left"

METHODS = (
    Method("dynatemp_llama_cpp", dynatemp_llama_cpp, "DynaTemp as llama.cpp computes it",
           "src/llama-sampler.cpp, temp_ext; b11434", f"{ANSWERED}, masked candidates included; an exponent below 0, "
           "which it accepts, gives uniform draws or NaN",
           {"temp": MIDDLE, "dynatemp_range": REACH, "dynatemp_exponent": EXPONENT}),
    Method("dynatemp_koboldcpp", dynatemp_koboldcpp, "DynaTemp as koboldcpp computes it",
           "gpttype_adapter.cpp, sample_entropy; 2da346a", f"{ANSWERED}; it divides by 0 where T is 0",
           {"temperature": MIDDLE, "dynatemp_range": REACH, "dynatemp_exponent": EXPONENT}),
    Method("dynatemp_textgen", dynatemp_textgen, "DynaTemp as text-generation-webui computes it",
           "modules/sampler_hijack.py, DynamicTemperatureLogitsWarper; 1dcde41",
           "the program sums the entropy over a batch: the same for a batch of one only",
           {"dynatemp_low": LOW, "dynatemp_high": HIGH, "dynatemp_exponent": EXPONENT,
            "temperature": Range(0.05, 2, "the factor on both ends")}),
    Method("dynatemp_aphrodite", dynatemp_aphrodite, "DynaTemp as Aphrodite computes it",
           "aphrodite/v1/sample/ops/temperatures.py; b42eeec", "measured before top-k and top-p, unlike elsewhere",
           {"dynatemp_min": LOW, "dynatemp_max": HIGH, "dynatemp_exponent": EXPONENT}),
    Method("dynatemp_exllamav2", dynatemp_exllamav2, "DynaTemp as ExLlamaV2 computes it",
           "exllamav2_ext/cpp/sampling.cpp, post_softmax_temperature; da07fac",
           f"{ANSWERED}; off without a word where max_temp is not above min_temp; ExLlamaV3 has none",
           {"min_temp": Range(0, 1, "the lower end"), "max_temp": Range(1, 3, "the higher end"),
            "temp_exponent": EXPONENT}),
    Method("dynatemp_sillytavern", dynatemp_sillytavern, "DynaTemp in the names of SillyTavern's presets",
           "public/scripts/textgen-settings.js; ba6f7b7",
           "what the program behind it makes of it differs: `dynatemp_llama_cpp` and its like say how",
           {"min_temp": LOW, "max_temp": HIGH, "dynatemp_exponent": EXPONENT}),
)  # fmt: skip

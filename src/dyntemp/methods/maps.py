"""Bells, lines and powers of entropy and varentropy, as qr-sampler has them; all within 0.3 to 2.2, or its own box.

Its largest entropy is the logarithm of the vocabulary; here it is that of the support, which is the same for rows
without masked entries. Its min-p, which moves with the temperature, is not part of these policies.
"""

from __future__ import annotations

from dyntemp.functions import clip, ema, exp, prev
from dyntemp.language.nodes import Expression
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.signals import entropy, normalized_entropy, varentropy

LOWEST, HIGHEST = 0.3, 2.2


def gdt(
    t_base: Number = 0.582, t_peak: Number = 1.402, mu: Number = 0.397, sigma: Number = 0.283, alpha: Number = 0.952,
    lambda_vh: Number = 10.0,
) -> Policy:  # fmt: skip
    """T = t_base + a bell of the normalized entropy + a boost by varentropy that fades as the entropy rises."""
    boost = alpha * _saturated(lambda_vh) * (1 - normalized_entropy)
    return _boxed(t_base + _bell(t_peak, mu, sigma) + boost, "gdt")


def belltemp(
    t_base: Number = 0.7, t_peak: Number = 0.6, mu: Number = 0.35, sigma: Number = 0.15, vh_weight: Number = 0.0,
    lambda_vh: Number = 10.0,
) -> Policy:  # fmt: skip
    """T = t_base + a bell of the normalized entropy + a weighted varentropy."""
    bell = t_base + _bell(t_peak, mu, sigma)
    return _boxed(bell if vh_weight == 0 else bell + vh_weight * _saturated(lambda_vh), "belltemp")


def evdt(t_base: Number = 1.25, alpha: Number = 0.35, beta: Number = -0.1) -> Policy:
    """T = t_base + alpha*entropy + beta*varentropy."""
    return _boxed(t_base + alpha * entropy + beta * varentropy, "evdt")


def hvh_drift(
    t_base: Number = 1.35, alpha_h: Number = 0.3, alpha_vh: Number = -0.2, gamma_dh: Number = 1.0,
    delta_dvh: Number = 0.5, lambda_ema: Number = 0.02,
) -> Policy:  # fmt: skip
    """T = t_base + alpha_h*entropy + alpha_vh*varentropy + their distances from their moving averages, weighted.

    The averages are those of the position before, so that the first distances are 0.
    """
    linear = t_base + alpha_h * entropy + alpha_vh * varentropy
    drift = gamma_dh * _distance(entropy, lambda_ema) + delta_dvh * _distance(varentropy, lambda_ema)
    return _boxed(linear + drift, "hvh_drift")


def power_map(
    base_temp: Number = 0.8, exponent: Number = 0.5, min_temp: Number = 0.1, max_temp: Number = 2.0
) -> Policy:
    """T = base_temp * normalized_entropy**exponent, within [min_temp, max_temp]."""
    return Policy(clip(base_temp * normalized_entropy**exponent, min_temp, max_temp), name="power_map")


def _boxed(temperature: Expression, name: str) -> Policy:
    return Policy(clip(temperature, LOWEST, HIGHEST), name=name)


def _bell(peak: Number, mu: Number, sigma: Number) -> Expression:
    return peak * exp(-((normalized_entropy - mu) ** 2) / (2 * sigma**2))


def _saturated(scale: Number) -> Expression:
    """Varentropy from 0 towards 1."""
    return 1 - exp(-varentropy / scale)


def _distance(signal: Expression, rate: Number) -> Expression:
    return signal - prev(ema(signal, 1 - rate))


SOURCE = "qr-sampler 1fd2349 (2026), `{}`"
UNMEASURED = "made for draws from quantum noise; no evaluation was published"
BASE, PEAK = Range(0, 2, "the temperature far from the bell"), Range(0, 1.5, "the height of the bell")
MU, SIGMA = Range(0, 1, "the normalized entropy under the bell's top"), Range(0.02, 1, "the width of the bell")
SCALE = Range(0.5, 50, "the varentropy at which its part is 63 %, in nats^2")
WEIGHT = Range(-2, 2, "a weight")

METHODS = (
    Method("gdt", gdt, "hottest at middle entropies", SOURCE.format("gdt"), UNMEASURED,
           {"t_base": BASE, "t_peak": PEAK, "mu": MU, "sigma": SIGMA,
            "alpha": Range(0, 2, "the weight of varentropy"), "lambda_vh": SCALE}, stated="both"),
    Method("belltemp", belltemp, "hottest at middle entropies", SOURCE.format("belltemp"), UNMEASURED,
           {"t_base": BASE, "t_peak": PEAK, "mu": MU, "sigma": SIGMA,
            "vh_weight": Range(0, 2, "the weight of varentropy"), "lambda_vh": SCALE}, stated="both"),
    Method("evdt", evdt, "hotter with entropy, colder with varentropy", SOURCE.format("evdt_tt"),
           f"{UNMEASURED}; unnormalised, so most open rows lie at the upper limit",
           {"t_base": BASE, "alpha": WEIGHT, "beta": WEIGHT}, stated="heats"),
    Method("hvh_drift", hvh_drift, "hotter where the entropy is above its own average", SOURCE.format("hvh_drift"),
           f"{UNMEASURED}; unnormalised, so most open rows lie at the upper limit",
           {"t_base": BASE, "alpha_h": WEIGHT, "alpha_vh": WEIGHT, "gamma_dh": WEIGHT, "delta_dvh": WEIGHT,
            "lambda_ema": Range(0.001, 1, "the weight of the present token in the averages")}, stated="heats"),
    Method("power_map", power_map, "from 0 at certainty to `base_temp` at uniform rows", SOURCE.format("edt"),
           f"{UNMEASURED}; its source calls it EDT, which is another formula",
           {"base_temp": Range(0, 3, "the temperature of a uniform row"), "exponent": Range(0.1, 5, "the exponent"),
            "min_temp": Range(0, 0.5, "the lowest temperature"), "max_temp": Range(0.5, 3, "the highest temperature")}),
)  # fmt: skip

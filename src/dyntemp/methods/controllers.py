"""Feedback: temperatures that hold a measure of the text near a target."""

from __future__ import annotations

from dyntemp.functions import clip, ema, exp, integral, lerp, max, prev  # noqa: A004 (the language's own)
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.signals import entropy, surprisal


def surprise_control(target: Number = 2.5, gain: Number = 0.1, base: Number = 0.7) -> Policy:
    """T = base + a clipped running sum of gain*(target - surprisal): hotter after unsurprising tokens, else colder."""
    return Policy(base + integral(gain * (target - surprisal), -0.5, 0.8), name="surprise_control")


def adaptive_p(target: Number = 0.5, decay: Number = 0.9, low: Number = 0.3, high: Number = 1.3) -> Policy:
    """T from `high` to `low` as the aim 2*target - mean rises from 0 to 1.

    mean is a moving average of the probability, at T = 1, of the tokens drawn.
    """
    aim = clip(2 * target - ema(exp(-surprisal), decay), 0, 1)
    return Policy(lerp(high, low, aim), name="adaptive_p")


def entropy_control(
    target: Number = 1.0, base: Number = 0.7, kp: Number = 0.1, ki: Number = 0.02, kd: Number = 0.05,
    windup: Number = 0.4, low: Number = 0.1, high: Number = 1.5,
) -> Policy:  # fmt: skip
    """T = base + kp*error + a running sum of ki*error + kd*(change of error), with error = target - entropy.

    The sum is clipped to [-windup, windup], so that it never has to unwind, and T to [low, high].
    """
    error = target - entropy
    summed = integral(ki * error, -windup, windup)
    return Policy(clip(base + kp * error + summed + kd * (error - prev(error)), low, high), name="entropy_control")


def entropy_cooling(
    target_entropy: Number = 2.0, cooling_rate: Number = 0.5, min_temperature: Number = 0.1, base: Number = 0.8,
    decay: Number = 0.9,
) -> Policy:  # fmt: skip
    """T = base * (1 - cooling_rate*excess), within [min_temperature, base].

    excess is the part by which a moving average of the entropy exceeds `target_entropy`.
    """
    excess = max(ema(entropy, decay) / target_entropy - 1, 0)
    return Policy(clip(base * (1 - cooling_rate * excess), min_temperature, base), name="entropy_cooling")


UNPROVEN = "no proof of stability"
DECAY = Range(0, 0.99, "the share of the past in the moving average")

METHODS = (
    Method("surprise_control", surprise_control, "feedback that holds the surprise near a target",
           "after Basu et al. 2020, arXiv:2007.14966 (Mirostat), acting on temperature",
           f"{UNPROVEN}; a target that the text cannot reach drives it to its limits",
           {"target": Range(0, 10, "the surprise to hold, in nats"), "gain": Range(0, 1, "the change of T for a nat"),
            "base": Range(0.5, 1.5, "the temperature at the start")}),
    Method("adaptive_p", adaptive_p, "hotter after likely tokens, colder after unlikely ones",
           "after adaptive-p, llama.cpp pull request 17927 (2026), acting on temperature",
           f"{UNPROVEN}; swings at a low decay and is slow at a high one, as its source does",
           {"target": Range(0, 1, "the probability of a drawn token to hold"), "decay": DECAY,
            "low": Range(0, 1, "the temperature for likely tokens"),
            "high": Range(0, 3, "the temperature for unlikely tokens")}),
    Method("entropy_control", entropy_control, "feedback (PID) that holds the entropy near a target",
           "after Cybernetic Entropy Control (2026), which controls other samplers in this manner",
           f"{UNPROVEN}; its source lost up to 8 points with temperature as what it moves, measured after the "
           "temperature, where here the entropy is that at T = 1",
           {"target": Range(0, 5, "the entropy to hold, in nats"), "base": Range(0, 2, "the temperature without error"),
            "kp": Range(0, 1, "the weight of the error"), "ki": Range(0, 0.5, "the weight of the sum"),
            "kd": Range(0, 1, "the weight of the change"), "windup": Range(0, 2, "the largest sum"),
            "low": Range(0, 0.5, "the lowest temperature"), "high": Range(0.5, 3, "the highest temperature")},
           stated="cools"),
    Method("entropy_cooling", entropy_cooling, "colder while the entropy has been high for some time",
           "after `EntropyCooling` of oxibonsai-runtime 0.1.4 (2026), with a moving average for its mean",
           "cools a text that is open throughout to its lowest temperature; no evaluation was published",
           {"target_entropy": Range(0.1, 10, "the entropy above which it cools, in nats"),
            "cooling_rate": Range(0, 1, "the share of the excess that is taken off"),
            "min_temperature": Range(0, 0.1, "the lowest temperature"),
            "base": Range(0.1, 2, "the temperature without excess"), "decay": DECAY}),
)  # fmt: skip

"""The verdict on the loop of a policy and a model: if texts settle under it, or run away, and at which temperatures."""

from __future__ import annotations

from dyntemp.language.policy import Policy
from dyntemp.theory.feedback import TEXTS, TOKENS, Expected, Feedback, Forecast
from dyntemp.theory.verdict import Verdict

PROOF = "loop.md#runs-away"

RISES = 1.02
"""The last third is hotter than the first by more than this factor where the policy takes part in the heating."""


def stability(policy: Policy, feedback: Feedback) -> Verdict:
    """Predict if texts of a model settle under `policy`, from texts that were recorded at static temperatures.

    A text runs away where the mean entropy of its last 20 of 60 rows is more than 1 nat above that of texts at T = 1.

    Args:
        policy: Without `integral`, whose sum winds up on texts that it did not heat itself.
        feedback: The feedback of the model, from its recordings; see `dyntemp.theory.record`.

    Raises:
        PolicyError: If the policy sums with `integral`, or reads what is not recorded.
    """
    forecast, recordings = feedback.forecast(policy), feedback.recordings
    return Verdict(
        claim=_claim(forecast, recordings.model),
        holds=not forecast.runs_away,
        evidence=(
            f"{recordings.count} recorded texts of up to {TOKENS} tokens at {len(recordings.static)} static "
            f"temperatures; intervals are for the mean over {TEXTS} texts, and {forecast.likely:.0%} of "
            "the resamples agree"
        ),
        proof=PROOF,
        values={
            "temperature": forecast.temperature,
            "first": forecast.first,
            "last": forecast.last,
            "entropy": forecast.entropy,
            "own_entropy": forecast.own_entropy,
            "fixed_points": [list(point) for point in forecast.fixed_points],
            "agree": forecast.likely,
        },
        assumptions=(
            "no filter cuts the draw",
            "the prompts are like the recorded ones: short requests in the chat template",
            "rows depend on the text so far through its heat alone",
        ),
    )


def _claim(forecast: Forecast, model: str) -> str:
    if not forecast.runs_away:
        return f"settles on {model}: mean T {_text(forecast.temperature)} over {TOKENS} tokens"
    heat = f"entropy from {forecast.own_entropy:.1f} nats at T = 1 to {forecast.entropy.value:.1f}"
    if forecast.last.value > RISES * forecast.first.value:
        first, last = f"{forecast.first.value:.3g}", _text(forecast.last)
        return f"runs away on {model}: mean T from {first} to {last} within {TOKENS} tokens, {heat}"
    return f"runs too hot on {model}: mean T {_text(forecast.temperature)} over {TOKENS} tokens, {heat}"


def _text(expected: Expected) -> str:
    value, low, high = (f"{number:.3g}" for number in expected)
    return value if low == high else f"{value} ({low} to {high})"

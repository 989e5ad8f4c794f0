"""The file of a policy that was learned from texts: with its filters, its gain and where it comes from."""

from __future__ import annotations

from dyntemp.distribution.filters import Filters
from dyntemp.generation.policy_file import PolicyFile, Provenance, Score
from dyntemp.language.policy import Policy
from dyntemp.learn.passage_results import METRIC, PassageResults


def policy_file(results: PassageResults) -> PolicyFile:
    """The file of the learned policy; its score is the gain over the best static temperature."""
    gain = results.gains[-1]
    return PolicyFile(
        policy=Policy(results.policy),
        filters=Filters.read(results.filters),
        provenance=Provenance(
            sentence=results.sentence,
            model=results.model,
            trials=len(results.pulls),
            scores=(
                Score(
                    task=results.source,
                    metric=f"{METRIC} less than static",
                    mean=gain.difference,
                    low=gain.low,
                    high=gain.high,
                    items=results.passages[1],
                ),
            ),
            digest=results.digest,
            about=results.about,
        ),
    )

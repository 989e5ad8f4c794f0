"""The verdicts that fit a policy, as the command `check` prints them."""

from __future__ import annotations

from dyntemp.language.policy import Policy
from dyntemp.theory.agreement import agreement
from dyntemp.theory.controllers import convergence
from dyntemp.theory.lipschitz import lipschitz
from dyntemp.theory.order import monotone
from dyntemp.theory.reapplication import on_zipf
from dyntemp.theory.speculation import lossless
from dyntemp.theory.verdict import Verdict

DISTANCE = 1e-3
"""How far apart the logits of two models are, for the verdict on their agreement."""


def verdicts(policy: Policy, vocabulary: int) -> list[Verdict]:
    """All that is known of `policy` on rows of `vocabulary` unmasked entries without a model.

    Args:
        policy: A policy that is no template.
        vocabulary: The number of entries, at least 2.
    """
    found = [monotone(policy, vocabulary), lipschitz(policy, vocabulary)]
    if found[1].holds:
        found.append(agreement(policy, DISTANCE, vocabulary))
    if not policy.parameters and not policy.remembers:
        found.append(on_zipf(policy, vocabulary))
    if controller := convergence(policy):
        found.append(controller)
    return [*found, lossless(policy)]

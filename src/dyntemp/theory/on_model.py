"""The verdicts on a policy that need a model: the loop of its texts, and the convergence of its controller."""

from __future__ import annotations

from dyntemp.language.policy import Policy
from dyntemp.theory.controllers import PROOF, convergence
from dyntemp.theory.feedback import Feedback, sums
from dyntemp.theory.recordings import Recordings
from dyntemp.theory.stability import stability
from dyntemp.theory.verdict import Verdict


def verdicts_on(policy: Policy, recordings: Recordings) -> list[Verdict]:
    """The verdicts on `policy` from recorded texts of a model.

    Args:
        policy: Without free parameters.
        recordings: The recorded texts; see `dyntemp.theory.record.recordings_for`.

    Raises:
        PolicyError: If the policy reads what is not recorded.
    """
    controller = convergence(policy, recordings)
    found = [] if controller is None else [controller]
    if not sums(policy):
        return [stability(policy, Feedback(recordings)), *found]
    return found or [
        Verdict(
            claim=f"may do anything on {recordings.model}: it sums with `integral`, and is not linear in one signal",
            holds=None, evidence="neither the theory of controllers nor that of memoryless policies applies",
            proof=PROOF,
        )
    ]  # fmt: skip

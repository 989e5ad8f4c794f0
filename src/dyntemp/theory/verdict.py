"""The verdict on a claim about a policy: if it holds, by which numbers, and where its proof is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dyntemp.traces.token import plain

PAGES = "docs/theory/"
"""Where the proofs are."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim, if it holds, and why.

    Attributes:
        claim: The claim, in one sentence, with its numbers: `T falls as max_prob rises`.
        holds: True or False where that is certain, or None where it cannot be said.
        evidence: One sentence that says what the verdict rests on.
        proof: The page and the section of the proof, below `docs/theory/`: `rows.md#lipschitz`.
        values: The numbers of the claim, by name; numbers, text, or lists of them.
        assumptions: What the proof asks of the rows, of the policy and of the run, a sentence each.
    """

    claim: str
    holds: bool | None
    evidence: str
    proof: str
    values: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()

    @property
    def link(self) -> str:
        """The place of the proof in the repository: `docs/theory/rows.md#lipschitz`."""
        return PAGES + self.proof

    def to_json(self) -> dict[str, Any]:
        """A JSON object of the fields; infinities are text."""
        return {name: plain(value) for name, value in asdict(self).items()}

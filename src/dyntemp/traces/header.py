"""The first line of a trace: the model, the policy, the seed, the prompts and the settings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dyntemp.traces.settings import Settings


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a trace: all that is needed to repeat the run.

    Attributes:
        model: Name of the model.
        policy: Text of the policy.
        policy_name: Name of the policy, if it has one.
        seed: The seed of every draw; 0 where a host drew.
        prompts: The prompts as given: texts, conversations or lists of tokens.
        settings: The settings as the file has them; `run` reads them.
        versions: Versions of dyntemp, Python and the packages that took part.
        started: Date and time in ISO 8601, with the offset from UTC.
        rendered: The text of each prompt as the model read it, with its template and control tokens; older traces lack
            it.
        host: The host that drew the tokens, whose seed is not known; empty where dyntemp drew them.
    """

    model: str
    policy: str
    policy_name: str | None
    seed: int
    prompts: list[Any]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    started: str
    rendered: list[str] = field(default_factory=list)
    host: str = ""

    @property
    def drawn(self) -> str:
        """The origin of the draws in words: `seed 7`, or `drawn by vLLM`."""
        return f"drawn by {self.host}" if self.host else f"seed {self.seed}"

    def run(self) -> Settings:
        """The settings of the run, with its seed.

        Raises:
            TraceError: For a value that no run has.
        """
        return Settings.from_json(self.settings, seed=self.seed)


KINDS = {"model": str, "policy": str, "policy_name": str | None, "seed": int, "prompts": list, "settings": dict,
         "versions": dict, "started": str, "rendered": list, "host": str}  # fmt: skip
"""The kind of value that each field of a header has in JSON."""

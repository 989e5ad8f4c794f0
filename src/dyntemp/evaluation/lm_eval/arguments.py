"""Arguments of our models in the harness, and the settings of its requests."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.generation.policies import read_given
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.language.policy import Policy
from dyntemp.textfile import read_text

FILE = "@"
"""A policy that begins so is the name of a file."""


def read_arguments(policy: Any, filters: str | None) -> tuple[Policy, Filters | None]:
    """The policy and the filters of the arguments; the filters of a policy's file hold where no others are given.

    Args:
        policy: Text, a number as the harness reads `1` or `0.7`, or `@` and the name of a file with a policy as text or
            as JSON.
        filters: A chain of filters; None for those of each request.

    Raises:
        PolicyError: For another policy, one with free parameters, or filters beside those of its file.
        ValueError: For a text that is no chain.
    """
    found, chain = _given(policy), None if filters is None else Filters.read(filters)
    if found.policy.parameters:
        name = next(iter(found.policy.parameters))
        raise PolicyError(f"`{found.policy}` has the parameter `{name}`: write a number in its place")
    if not found.filters.active:
        return found.policy, chain
    if chain not in (None, found.filters):
        raise PolicyError(f"{policy} has filters of its own, `{found.filters}`, and `{chain}` was given: leave one out")
    return found.policy, found.filters


def _given(policy: Any) -> PolicyFile:
    if isinstance(policy, bool) or not isinstance(policy, str | int | float | Policy):
        raise PolicyError(
            f"policy = {policy!r} was given; a text, a number or @FILE is allowed. The harness splits arguments at "
            'commas: give them as JSON, --model_args \'{"pretrained": "...", "policy": "..."}\''
        )
    if isinstance(policy, str) and policy.startswith(FILE):
        return read_given(read_text(Path(policy.removeprefix(FILE))).strip())
    return PolicyFile(policy=Policy(policy))


class Draws:
    """The seeds and settings of the texts of one model.

    A seed is a function of the model's seed, the prompt, and how often the prompt came before. So a text does not
    depend on the other texts of its batch, and repeats of a prompt differ.

    Args:
        seed: The seed of all texts.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._seen: Counter[bytes] = Counter()
        self._told = False

    def seed_of(self, prompt: Sequence[int]) -> int:
        """The seed of the next text to this prompt, its tokens without padding; 63 bits."""
        digest = hashlib.sha256(f"{self._seed} {list(prompt)}".encode()).digest()
        self._seen[digest] += 1
        return int.from_bytes(hashlib.sha256(digest + b"%d" % self._seen[digest]).digest()[:8], "big") >> 1

    def sampled(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a request with sampling on, which most tasks have off.

        A positive `temperature` stays, as the value of `requested`; else it is 1.
        """
        temperature = float(settings.get("temperature") or 0.0)
        if temperature == 0 and not self._told:
            self._told = True
            logging.getLogger("dyntemp").warning(
                "dyntemp: the task asks for greedy decoding, and tokens are drawn, since a policy was given: take the "
                "policy 0, or the models hf and vllm, for greedy decoding"
            )
        return {**settings, "do_sample": True, "temperature": temperature or 1.0}

"""The settings of a server: its limits, its default policy, and the clients that it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dyntemp.engines.request_fields import MOST_CHARACTERS
from dyntemp.generation.loop import PART


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The settings of a server.

    Attributes:
        batch: Texts written at the same time.
        queue: Requests that may wait beside those that run; one more is answered with 429.
        part: About how many tokens of a prompt are read at a time, between the steps of the texts that run.
        steps: How many tokens each running text gets for each `part` tokens of prompts that are read.
        max_tokens: Most tokens that one text may ask for.
        default_tokens: Tokens of a text that does not say how many.
        max_choices: Most texts of one request: prompts times `n`.
        max_body: Most bytes of a request.
        max_policy: Most characters of a policy.
        max_stops: Most stop texts of a request.
        max_stop: Most characters of a stop text.
        max_top_logprobs: Most alternatives named per token.
        timeout: Most seconds that a request may take, waiting included.
        patience: Seconds that a client may take to send its body, or to read a part of the response.
        policy: The policy of requests that bring neither a policy nor a temperature, or bring a temperature that it
            reads: a text, or an object of `PolicyFile.to_json`; None for dyntemp's own default.
        lenient: Whether fields that are unknown, or that nothing follows from, are ignored instead of refused.
        api_key: The key that requests send as `Authorization: Bearer KEY`; None needs no key.
        open_metrics: Whether `/metrics` is open without the key.
        metrics: Whether there is `/metrics`.
        hosts: Names under which the server may be addressed; None for any. A server that listens on this machine
            alone names itself, so that no web page reaches it through a name of its own (DNS rebinding).
        allowed_origins: Web pages from elsewhere whose scripts may call the server (CORS).

    Raises:
        ValueError: For a limit that is too low.
    """

    batch: int = 8
    queue: int = 64
    part: int = PART
    steps: int = 4
    max_tokens: int = 4096
    default_tokens: int = 256
    max_choices: int = 16
    max_body: int = 1_000_000
    max_policy: int = MOST_CHARACTERS
    max_stops: int = 16
    max_stop: int = 200
    max_top_logprobs: int = 20
    timeout: float = 1800.0
    patience: float = 60.0
    policy: str | Mapping[str, Any] | None = None
    lenient: bool = False
    api_key: str | None = None
    open_metrics: bool = False
    metrics: bool = True
    hosts: tuple[str, ...] | None = None
    allowed_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        least = {
            "batch": 1, "queue": 0, "part": 1, "steps": 1, "max_tokens": 1, "default_tokens": 1,
            "max_choices": 1, "max_body": 1000, "max_policy": 1, "max_stops": 0, "max_stop": 1, "max_top_logprobs": 0,
        }  # fmt: skip
        for name, lowest in least.items():
            if (value := getattr(self, name)) < lowest:
                raise ValueError(f"{name} = {value} was given; whole numbers from {lowest} are allowed")
        for name in ("timeout", "patience"):
            if not (seconds := getattr(self, name)) > 0:
                raise ValueError(f"{name} = {seconds} was given; seconds above 0 are allowed")
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable() and self.api_key):
            raise ValueError("an API key has printable ASCII characters, at least one")
        if self.default_tokens > self.max_tokens:
            object.__setattr__(self, "default_tokens", self.max_tokens)

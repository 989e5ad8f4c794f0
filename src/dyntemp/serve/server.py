"""The parts that the endpoints share: the model's worker, the settings and the metrics."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from dyntemp.generation.policies import chosen_filters
from dyntemp.generation.request import Request
from dyntemp.language.policy import Policy
from dyntemp.models import Model
from dyntemp.serve.errors import ApiError, wrong
from dyntemp.serve.metrics import Metrics
from dyntemp.serve.policies import Chosen, read_policy
from dyntemp.serve.reply import Run
from dyntemp.serve.settings import ServerSettings
from dyntemp.serve.worker import Worker
from dyntemp.traces.settings import Settings
from dyntemp.traces.token import Token
from dyntemp.zones.tracker import ZoneTracker

IGNORED = "X-Dyntemp-Ignored"
"""The header in which a lenient server names the fields that it ignored."""

SEED_BITS = 53
"""Bits of a random seed; numbers of every language hold so many."""


@dataclass(slots=True)
class Server:
    """One server.

    Attributes:
        settings: The settings that it was started with.
        metrics: Its counters.
        worker: The thread that owns the model; None without a model.
        fallback: The policy of requests that bring none.
    """

    settings: ServerSettings
    metrics: Metrics
    worker: Worker | None = None
    fallback: Policy | None = None

    @classmethod
    def of(cls, model: Model | None, settings: ServerSettings) -> Server:
        """A server that is not started.

        Raises:
            ValueError: If the policy in the settings cannot be read.
        """
        server = cls(settings, Metrics())
        if settings.policy is not None:
            try:
                server.fallback = read_policy(settings.policy, settings.max_policy)
                server.fallback.bounds()
                ZoneTracker.of(server.fallback.zones)
            except ApiError as error:
                raise ValueError(str(error)) from None
        if model is not None:
            server.worker = Worker(model, settings)
            server.metrics.observe(server.worker)
        return server

    def running(self) -> Worker:
        """The worker.

        Raises:
            ApiError: 503 without a model.
        """
        if self.worker is None:
            text = "there is no model behind this server, only the page: start `dyntemp serve` with one"
            raise ApiError(503, text, code="no_model")
        return self.worker

    def run(
        self,
        requests: Sequence[Request],
        tell: Callable[[Token], Any],
        prompt_tokens: int,
        ignored: Sequence[str],
        *,
        together: bool = False,
    ) -> Run:
        """A request that is ready to be written."""
        watch = self.metrics.watch([request.policy for request in requests], prompt_tokens)
        begin = partial(self.running().stream, requests, tell, watch, together=together)
        return Run(self.settings, begin, _headers(ignored))


def run_settings(server: Server, values: Mapping[str, Any], policy: Chosen) -> Settings:
    """The settings of a run that the fields of a request ask for, without its seed.

    Raises:
        ApiError: 400 for filters in their long and in their short form.
    """
    try:
        filters = chosen_filters(
            values["filters"], max(values["top_k"], 0), values["top_p"], values["min_p"], values["filter_at"],
            default=policy.default,
        )  # fmt: skip
    except ValueError as error:
        raise wrong("filters", str(error)) from None
    return Settings(
        max_tokens=values["max_tokens"] or server.settings.default_tokens,
        stop=values["stop"],
        filters=filters,
        requested=policy.requested,
        given=policy.given,
        zones=values["zones"],
    )


def seed_of(values: Mapping[str, Any]) -> int:
    """The seed of a request, or a random one."""
    return secrets.randbits(SEED_BITS) if values["seed"] is None else int(values["seed"])


def _headers(ignored: Sequence[str]) -> dict[str, str]:
    """The header with the names of ignored fields, in characters that a header can hold."""
    if not ignored:
        return {}
    names = ("".join(sign if sign.isascii() and (sign.isalnum() or sign in "_-.") else "?" for sign in name[:60])
             for name in ignored[:40])  # fmt: skip
    return {IGNORED: ", ".join(names)}

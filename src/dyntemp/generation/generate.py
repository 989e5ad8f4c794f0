"""The loop we own: a model, a prompt and a policy -> tokens that tell how they came about."""

from __future__ import annotations

import asyncio
import platform
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from numbers import Integral
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any

import numpy as np

from dyntemp._version import __version__
from dyntemp.distribution.filters import Filters
from dyntemp.generation.loop import Ask, Loop, Path
from dyntemp.generation.prompts import Prompt, encode, prompts_of
from dyntemp.generation.request import ALTERNATIVES, RECORDED
from dyntemp.kernels import backend_of
from dyntemp.kernels.job import Job, Keys
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.models import Model
from dyntemp.sampling import PolicyLike, as_policy, measurable, new_seed
from dyntemp.traces.file import Trace, TraceWriter
from dyntemp.traces.header import Header
from dyntemp.traces.token import Token


def generate(
    model: Model,
    prompt: Prompt | Sequence[Prompt],
    policy: PolicyLike,
    *,
    max_tokens: int = 256,
    seed: int | None = None,
    stop: str | Sequence[str] = (),
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    filter_at: str = "model",
    system: str | None = None,
    chat: bool | None = None,
    alternatives: int = ALTERNATIVES,
    signals: Sequence[Signal | str] = RECORDED,
    requested: float = 1.0,
    given: Mapping[str, float] | None = None,
    parameters: Mapping[str, float] | None = None,
    follow: Trace | None = None,
    trace: str | FilePath | None = None,
    overwrite: bool = False,
    backend: str | None = None,
) -> Generation:
    """Write text, token by token, at the temperatures that `policy` gives.

    The filters are measured before the temperature by default, so that what survives does not depend on it.

    Args:
        model: What `load_model` returned, or anything that meets `dyntemp.models.Model`.
        prompt: Text, a conversation (`[{"role": "user", "content": "..."}]`) or tokens; a list of these runs as a
            batch, whose tokens come position by position.
        policy: A policy, or what makes one: text, an expression, a number.
        max_tokens: Tokens to write at most for each prompt; fewer where the model's context ends before.
        seed: 64-bit seed; None draws one, or takes that of `follow`; the result's
            `seed` names it. The same seed writes the same text, alone
            or in a batch: prompt i draws with request number i.
        stop: Text, or texts, that end a request where they appear; they are left out of the text.
        top_k: Keep the k likeliest tokens; 0 keeps all.
        top_p: Keep the likeliest that together have this probability; 1 keeps all.
        min_p: Keep what has at least this share of the likeliest's probability; 0 keeps all.
        filter_at: `"model"`: filters read probabilities at temperature 1; `"temperature"`: after the temperature.
        system: What the system message of a chat says; needs a chat template.
        chat: Whether text is put into the model's chat template; None does so where the model has one.
        alternatives: How many of the likeliest tokens each record names.
        signals: What each record holds beside what the policy reads, so that the text can be looked at under others:
            all that take no argument, by default.
        requested: What the signal `requested` reads.
        given: What each `given("name", low, high)` reads, by name.
        parameters: Values for free parameters.
        follow: A recorded run of the same prompts that this one is coupled to: the texts part only where they must,
            while this one's tokens are distributed as if it were alone. See `dyntemp.distribution.coupling`.
        trace: A file to write the records to as they come; see `Trace`.
        overwrite: Whether a trace file that is already there may be replaced.
        backend: `cpu` (the default) or `reference`.

    Returns:
        An iterator of `Token`. Closing it, or leaving its `with` block, ends the run and frees the model's memory.

    Raises:
        PolicyError, ModelError, TraceError, ValueError: For what cannot be run, before anything is.
        InvalidLogitsError: While running, for a broken row of logits.
    """
    policy = as_policy(policy)
    for setting, value, least in (("max_tokens", max_tokens, 1), ("alternatives", alternatives, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise ValueError(f"{setting} = {value!r} was given; whole numbers from {least} are allowed")
    stops = [stop] if isinstance(stop, str) else list(stop)
    if not all(stops):
        raise ValueError("an empty stop text was given; it would stop everything")
    prompts = prompts_of(prompt)
    if seed is None:
        seed = new_seed() if follow is None else follow.header.seed
    seed = int(Keys.of(1, seed, 0, 0).seed[0])
    filters = Filters(top_k, top_p, min_p, filter_at)
    recorded = tuple(measurable(signal) for signal in signals)
    dry_run = np.zeros((1, 2), np.float32)  # two equal logits: what the policy lacks is told before the model runs
    state = policy.state() if policy.remembers else None
    job = Job(
        (policy,), recorded, True, filters, seed, state=state, requested=requested, given=given, parameters=parameters
    )
    backend_of(dry_run, backend or "cpu").run(dry_run, job)
    paths = _paths(follow, prompts)
    asks = [
        Ask(
            prompt=encode(model, one, system, chat), policy=policy, seed=seed, request=number, max_tokens=max_tokens,
            stop=stops, filters=filters, alternatives=alternatives, signals=recorded, requested=requested,
            given=given, parameters=parameters, follow=paths.get(number),
        )
        for number, one in enumerate(prompts)
    ]  # fmt: skip
    settings = {
        "max_tokens": max_tokens, "stop": stops, "top_k": filters.top_k, "top_p": filters.top_p,
        "min_p": filters.min_p, "filter_at": filters.at, "requested": requested, "given": dict(given or {}),
        "parameters": dict(parameters or {}), "alternatives": alternatives, "backend": backend or "cpu",
        "system": system, "chat": chat,
        "follow": None if follow is None else {"policy": follow.header.policy, "seed": follow.header.seed},
    }  # fmt: skip
    header = header_of(model, policy, seed, prompts, settings)
    loop = Loop(model, backend or "cpu")
    loop.add(asks)
    writer = None if trace is None else TraceWriter(trace, header, overwrite=overwrite)
    return Generation(loop, header, writer)


def _paths(follow: Trace | None, prompts: list[Any]) -> dict[int, Path]:
    """What each request follows, by its number.

    Raises:
        ValueError: If the trace is of other prompts, or does not hold its texts from their beginning.
    """
    if follow is None:
        return {}
    if follow.header.prompts != prompts:
        raise ValueError(
            f"follow was given a trace of {follow.header.prompts!r:.200}; texts can only follow those of their own "
            "prompts"
        )
    written: dict[int, list[Token]] = {}
    for token in follow:
        text = written.setdefault(token.request, [])
        if token.position != len(text):
            raise ValueError(
                f"follow was given a trace in which position {token.position} comes where {len(text)} should; texts "
                "can only follow records from position 0 on, without gaps"
            )
        text.append(token)
    asked = follow.header.settings
    filters = Filters(asked["top_k"], asked["top_p"], asked["min_p"], asked["filter_at"])
    return {number: Path.of(tokens, filters) for number, tokens in written.items()}


async def agenerate(
    model: Model, prompt: Prompt | Sequence[Prompt], policy: PolicyLike, **settings: Any
) -> AsyncIterator[Token]:
    """`generate` for asyncio: each token is computed in a thread, so that the event loop goes on meanwhile."""
    run = await asyncio.to_thread(generate, model, prompt, policy, **settings)
    try:
        while (token := await asyncio.to_thread(next, run, None)) is not None:
            yield token
    finally:
        run.close()


def header_of(model: Model, policy: Policy, seed: int, prompts: list[Any], settings: Mapping[str, Any]) -> Header:
    """The first line of a trace that begins now."""
    return Header(
        model.name, str(policy), policy.name, seed, prompts, settings, versions(),
        datetime.now().astimezone().isoformat(timespec="seconds"),
    )  # fmt: skip


def versions() -> dict[str, str]:
    """The versions of dyntemp, Python, and what has been loaded beside them; of llama.cpp the library that runs."""
    from dyntemp.models.llama.library import running

    beside = ("numpy", "numba", "torch", "transformers")
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in beside}
    known = {name: str(version) for name, version in {**loaded, "llama.cpp": running()}.items() if version}
    return {"dyntemp": __version__, "python": platform.python_version(), **known}


class Generation(Iterator[Token]):
    """A run of `generate`: an iterator of tokens.

    Attributes:
        header: Model, policy, seed, versions and settings, as a trace begins with them.
        seed: The seed that writes the same text again.
    """

    def __init__(self, loop: Loop, header: Header, writer: TraceWriter | None) -> None:
        self.header = header
        self.seed = header.seed
        self._loop = loop
        self._ready: deque[Token] = deque()
        self._writer = writer
        self._closed = False
        self._lock = threading.Lock()

    @property
    def restarts(self) -> int:
        """How often the policy's memory had to begin afresh; 0 in an undisturbed run."""
        return self._loop.restarts

    def __next__(self) -> Token:
        with self._lock:
            try:
                while not self._ready:
                    if self._closed or not self._loop.live:
                        raise StopIteration
                    ready = [token for _, token in self._loop.step()]
                    self._save(ready)
                    self._ready.extend(ready)
            except BaseException:
                self._end()
                raise
            return self._ready.popleft()

    def __enter__(self) -> Generation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()

    def close(self) -> None:
        """End the run: nothing more is computed, the trace is complete as far as it goes. May be called again."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._ready.clear()
        held = self._loop.close()
        if self._writer:
            try:
                self._save(held)
            finally:
                self._writer.close()

    def _save(self, tokens: list[Token]) -> None:
        if self._writer:
            for token in tokens:
                self._writer.write(token)

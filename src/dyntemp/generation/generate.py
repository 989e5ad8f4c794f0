"""Generation with our own loop: a model, prompts and a policy -> tokens, each with a record of its draw."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from types import TracebackType
from typing import Any

from dyntemp.distribution.filters import Filters, filters_of
from dyntemp.generation.dry_run import dry_run
from dyntemp.generation.loop import Loop
from dyntemp.generation.prompts import Prompt, encode, prompts_of
from dyntemp.generation.recorded import RecordedSequence
from dyntemp.generation.request import Request
from dyntemp.generation.trace_header import header_of
from dyntemp.kernels.job import Keys
from dyntemp.language.given import GivenNumbers
from dyntemp.language.nodes import Signal
from dyntemp.models import Model
from dyntemp.models.hidden import Given, HiddenFunction
from dyntemp.sampling import PolicyLike, as_policy, measurable, new_seed
from dyntemp.traces.file import Trace, TraceWriter
from dyntemp.traces.header import Header
from dyntemp.traces.row_record import RECORDED
from dyntemp.traces.settings import ALTERNATIVES, Leader, Settings
from dyntemp.traces.token import Token
from dyntemp.zones.zone import listed


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
    filters: Filters | str | None = None,
    system: str | None = None,
    chat: bool | None = None,
    alternatives: int = ALTERNATIVES,
    signals: Sequence[Signal | str] = RECORDED,
    requested: float = 1.0,
    given: Mapping[str, GivenNumbers | HiddenFunction] | None = None,
    contrast: Prompt | Sequence[Prompt] | None = None,
    parameters: Mapping[str, float] | None = None,
    zones: str | Sequence[str] = (),
    follow: Trace | None = None,
    trace: str | Path | None = None,
    overwrite: bool = False,
    backend: str | None = None,
    threads: int | None = None,
) -> Generation:
    """Generate text, token by token, at the temperatures that `policy` gives.

    By default the filters read probabilities before the temperature, so that it does not change which tokens they keep.

    Args:
        model: A model from `load_model`, or any object that meets `dyntemp.models.Model`.
        prompt: Text, a conversation (`[{"role": "user", "content": "..."}]`) or tokens; a list of these runs as a
            batch, whose tokens come position by position.
        policy: A policy, or its text, an expression, or a number.
        max_tokens: Tokens to write at most for each prompt; fewer where the model's context ends before.
        seed: 64-bit seed; None takes the one of `follow`, or draws one. The result names it in `seed`. The same seed
            gives the same text, alone or in a batch: prompt i draws with request number i.
        stop: A text, or several, that end a sequence where they appear; they are not part of its text.
        top_k: Keep the k likeliest tokens; 0 keeps all.
        top_p: Keep the likeliest that together have this probability; 1 keeps all.
        min_p: Keep what has at least this share of the likeliest's probability; 0 keeps all.
        filter_at: `"model"`: filters read probabilities at temperature 1; `"temperature"`: after the temperature.
        filters: Any chain of filters instead of these four: `"top_k(40), temperature, min_p(0.05)"`.
        system: Text of the system message; needs a chat template.
        chat: Whether text is put into the model's chat template; None does so where the model has one.
        alternatives: How many of the likeliest tokens each record names.
        signals: Signals that each record holds beside those of the policy, so that other policies can be replayed; by
            default all that take no argument.
        requested: The value of the signal `requested`.
        given: The value of each `given("name", low, high)`, by name: a number; a list of numbers, one for each position
            of the text, which begins again behind its end; or, for a model of transformers, a function of the hidden
            states that returns a number for each row; see `dyntemp.models.hidden`.
        contrast: A second prompt, such as the first one without its context; one for each prompt of a batch. The model
            reads both with the same tokens after them, and the signal `divergence` is KL(p || q) of their rows.
        parameters: Values for free parameters.
        zones: Your own zone for `inside("name")`, or several, each as its name and its delimiters:
            `"note=<note>...</note>"`. See `dyntemp.zones.known` for those that are there.
        follow: A trace of the same prompts that this run is coupled to: the texts part only where they must, and yet
            the tokens of this run are distributed as without it. See `dyntemp.distribution.coupling`.
        trace: A file for the records, written as they come; see `Trace`.
        overwrite: Whether a trace file that is already there may be replaced.
        backend: `cpu` (the default) or `reference`.
        threads: The number of threads that share the rows of a batch, as for `dyntemp.sample`; the texts are the same
            for any number. The model has threads of its own.

    Returns:
        An iterator of `Token`. Closing it, or leaving its `with` block, ends the run and frees the model's memory.

    Raises:
        PolicyError, ModelError, TraceError, ValueError: Before the model runs, for arguments that cannot be run.
        InvalidLogitsError: During the run, for a broken row of logits.
    """
    policy = as_policy(policy)
    for setting, value, least in (("max_tokens", max_tokens, 1), ("alternatives", alternatives, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise ValueError(f"{setting} = {value!r} was given; whole numbers from {least} are allowed")
    stops = [stop] if isinstance(stop, str) else list(stop)
    if not all(stops):
        raise ValueError("an empty stop text was given; it would stop everything")
    prompts = prompts_of(prompt)
    seconds = None if contrast is None else prompts_of(contrast)
    if seconds is not None and len(seconds) != len(prompts):
        raise ValueError(f"contrast has {len(seconds)} prompts for a batch of {len(prompts)}; give one for each")
    known = Given.of(given)
    if seed is None:
        seed = new_seed() if follow is None else follow.header.seed
    settings = Settings(
        seed=int(Keys.of(1, seed, 0, 0).seed[0]), max_tokens=max_tokens, stop=stops,
        filters=filters_of(filters, top_k, top_p, min_p, filter_at), requested=requested, given=known.numbers,
        parameters=parameters or {}, zones=listed(zones),
        alternatives=alternatives, backend=backend or "cpu", system=system, chat=chat,
        follow=None if follow is None else Leader(follow.header.policy, follow.header.seed), contrast=seconds,
    )  # fmt: skip
    recorded = tuple(measurable(signal) for signal in signals)
    dry_run(policy, settings, recorded, known.functions)
    leaders = {} if follow is None else _recorded(follow, prompts)
    requests = [
        Request(
            prompt=encode(model, one, system, chat), policy=policy, settings=settings, number=number,
            signals=recorded, leader=leaders.get(number), functions=known.functions,
            contrast=None if seconds is None else encode(model, seconds[number], system, chat),
        )
        for number, one in enumerate(prompts)
    ]  # fmt: skip
    header = header_of(model, policy, prompts, [request.prompt for request in requests], settings)
    loop = Loop(model, settings.backend, threads=threads)
    try:
        loop.add(requests)
        writer = None if trace is None else TraceWriter(trace, header, overwrite=overwrite)
    except BaseException:
        loop.close()
        raise
    return Generation(loop, header, writer)


def _recorded(follow: Trace, prompts: list[Any]) -> dict[int, RecordedSequence]:
    """The sequences of a trace, by the number of their request.

    Raises:
        ValueError: If the trace has other prompts, or does not hold its sequences from their beginning.
    """
    if follow.header.prompts != prompts:
        raise ValueError(
            f"follow was given a trace of {follow.header.prompts!r:.200}; texts can only follow those of their own "
            "prompts"
        )
    run = follow.header.run()
    sequences: dict[int, RecordedSequence] = {}
    for token in follow:
        sequence = sequences.setdefault(token.request, RecordedSequence(run.filters, (run.seed, token.request)))
        if token.position != len(sequence.tokens):
            raise ValueError(
                f"follow was given a trace in which position {token.position} comes where {len(sequence.tokens)} "
                "should; texts can only follow records from position 0 on, without gaps"
            )
        sequence.append(token)
    return sequences


async def agenerate(
    model: Model, prompt: Prompt | Sequence[Prompt], policy: PolicyLike, **settings: Any
) -> AsyncIterator[Token]:
    """`generate` for asyncio: a thread computes each token, so that the event loop goes on meanwhile."""
    run = await asyncio.to_thread(generate, model, prompt, policy, **settings)
    try:
        while (token := await asyncio.to_thread(next, run, None)) is not None:
            yield token
    finally:
        run.close()


class Generation(Iterator[Token]):
    """A run of `generate`: an iterator of tokens.

    Attributes:
        header: Model, policy, seed, settings and versions, as in the first line of a trace.
        seed: The seed that gives the same text again.
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
        """End the run and complete the trace with the records that were held back. May be called again."""
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

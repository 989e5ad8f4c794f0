"""The loop we own: a model, a prompt and a policy -> tokens that tell how they came about."""

from __future__ import annotations

import asyncio
import codecs
import platform
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import exp, log
from numbers import Integral
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from dyntemp._version import __version__
from dyntemp.after import After, top
from dyntemp.filters import Filters
from dyntemp.kernels import backend_of
from dyntemp.kernels.job import Job, Keys, Outcome
from dyntemp.kernels.rows import Rows, as_rows
from dyntemp.models import Model, Session
from dyntemp.policy import Policy
from dyntemp.prompts import Prompt, encode, prompts_of
from dyntemp.sampling import PolicyLike, as_policy, new_seed
from dyntemp.signals import entropy, max_prob, support
from dyntemp.trace import Alternative, Header, Token, TraceWriter

MEASURED = (max_prob, entropy, support)
"""What every record holds, beside what the policy reads."""


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
    alternatives: int = 5,
    requested: float = 1.0,
    given: Mapping[str, float] | None = None,
    parameters: Mapping[str, float] | None = None,
    trace: str | Path | None = None,
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
        seed: 64-bit seed; None draws one, which the result's `seed` names. The same seed writes the same text, alone
            or in a batch: prompt i draws with request number i.
        stop: Text, or texts, that end a request where they appear; they are left out of the text.
        top_k: Keep the k likeliest tokens; 0 keeps all.
        top_p: Keep the likeliest that together have this probability; 1 keeps all.
        min_p: Keep what has at least this share of the likeliest's probability; 0 keeps all.
        filter_at: `"model"`: filters read probabilities at temperature 1; `"temperature"`: after the temperature.
        system: What the system message of a chat says; needs a chat template.
        chat: Whether text is put into the model's chat template; None does so where the model has one.
        alternatives: How many of the likeliest tokens each record names.
        requested: What the signal `requested` reads.
        given: What each `given("name", low, high)` reads, by name.
        parameters: Values for free parameters.
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
    seed = int(Keys.of(1, new_seed() if seed is None else seed, 0, 0).seed[0])
    job = Job(
        (policy,), MEASURED, True, Filters(top_k, top_p, min_p, filter_at), seed, requested=requested, given=given,
        parameters=parameters,
    )  # fmt: skip
    dry_run = np.zeros((1, 2), np.float32)  # two equal logits: what the policy lacks is told before the model runs
    state = policy.state() if policy.remembers else None
    backend_of(dry_run, backend or "cpu").run(dry_run, replace(job, state=state))
    tokens = [encode(model, one, system, chat) for one in prompts]
    settings = Settings(policy, job, max_tokens, stops, alternatives, backend or "cpu")
    header = settings.header(model, prompts, {"system": system, "chat": chat})
    session = model.start(tokens)
    try:
        writer = TraceWriter(trace, header, overwrite=overwrite) if trace is not None else None
    except BaseException:
        session.close()
        raise
    # the last token drawn is never fed, so that it needs no place in the context
    room = [max_tokens if model.context is None else min(max_tokens, model.context - len(one) + 1) for one in tokens]
    return Generation(model, session, settings, room, header, writer)


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


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run was asked for, checked."""

    policy: Policy
    job: Job
    max_tokens: int
    stops: list[str]
    alternatives: int
    backend: str

    def header(self, model: Model, prompts: list[Any], more: Mapping[str, Any]) -> Header:
        """The first line of this run's trace."""
        job, filters = self.job, self.job.filters
        shown = {
            "max_tokens": self.max_tokens, "stop": self.stops, "top_k": filters.top_k, "top_p": filters.top_p,
            "min_p": filters.min_p, "filter_at": filters.at, "requested": job.requested,
            "given": dict(job.given or {}), "parameters": dict(job.parameters or {}),
            "alternatives": self.alternatives, "backend": self.backend, **more,
        }  # fmt: skip
        return Header(
            model.name, str(self.policy), self.policy.name, job.seed, prompts, shown, versions(),
            datetime.now().astimezone().isoformat(timespec="seconds"),
        )  # fmt: skip


def versions() -> dict[str, str]:
    """The versions of dyntemp, Python, and what has been loaded beside them."""
    beside = ("numpy", "numba", "llama_cpp", "torch", "transformers")
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in beside}
    known = {name: str(version) for name, version in loaded.items() if version}
    return {"dyntemp": __version__, "python": platform.python_version(), **known}


@dataclass(slots=True)
class _Request:
    """One prompt's text so far, and the records held back while a stop text may be in the making.

    Attributes:
        limit: Tokens to write at most.
        decoder: Turns bytes into characters, across tokens.
        held: Records that are not handed out yet.
    """

    limit: int
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )
    held: list[Token] = field(default_factory=list)

    def receive(self, token: Token, stops: Sequence[str]) -> list[Token]:
        """The records that may be shown now that `token` has come; the last one has its `finish` set at the end."""
        self.held.append(replace(token, text=self.decoder.decode(token.bytes, final=token.finish is not None)))
        text = "".join(held.text for held in self.held)
        found = [at for at in (text.find(stop) for stop in stops) if at >= 0]
        if found:
            self._cut(min(found))
            return self.release("stop")
        if token.finish:
            return self.release(token.finish)
        if any(text.endswith(stop[:size]) for stop in stops for size in range(1, len(stop))):
            return []
        return self.release(None)

    def _cut(self, length: int) -> None:
        """Leave `length` characters of the held text."""
        for index, held in enumerate(self.held):
            self.held[index] = replace(held, text=held.text[: max(length, 0)])
            length -= len(held.text)

    def release(self, finish: str | None) -> list[Token]:
        """All records that are held back, the last with `finish`."""
        ready, self.held = self.held, []
        return [*ready[:-1], replace(ready[-1], finish=finish)] if ready else []


class Generation(Iterator[Token]):
    """A run of `generate`: an iterator of tokens.

    Attributes:
        header: Model, policy, seed, versions and settings, as a trace begins with them.
        seed: The seed that writes the same text again.
    """

    def __init__(
        self, model: Model, session: Session, settings: Settings, room: list[int], header: Header,
        writer: TraceWriter | None,
    ) -> None:  # fmt: skip
        self.header = header
        self.seed = settings.job.seed
        self._model = model
        self._session = session
        self._settings = settings
        self._state = settings.policy.state(len(room)) if settings.policy.remembers else None
        self._requests = {number: _Request(limit) for number, limit in enumerate(room)}
        self._position = 0
        self._ready: deque[Token] = deque()
        self._next: dict[int, int] = {}
        self._writer = writer
        self._closed = False
        self._lock = threading.Lock()

    @property
    def restarts(self) -> int:
        """How often the policy's memory had to begin afresh; 0 in an undisturbed run."""
        return self._state.restarts if self._state else 0

    def __next__(self) -> Token:
        with self._lock:
            try:
                if self._closed:
                    raise StopIteration
                while not self._ready:
                    if not self._requests:
                        raise StopIteration
                    self._step()
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
        self._session.close()
        if self._writer:
            try:
                for request in self._requests.values():
                    self._save(request.release(None))
            finally:
                self._writer.close()

    def _save(self, tokens: list[Token]) -> None:
        if self._writer:
            for token in tokens:
                self._writer.write(token)

    def _step(self) -> None:
        """One token of every live request."""
        if self._next:
            self._session.advance(self._next)
        settings = self._settings
        live = np.array(sorted(self._requests))
        positions = np.full(len(live), self._position)
        logits = self._session.logits()
        job = replace(
            settings.job, seed=np.full(len(live), settings.job.seed, np.uint64), request=live, slot=live,
            position=positions, state=self._state,
        )  # fmt: skip
        chosen = backend_of(logits, settings.backend).run(logits, job)
        rows = as_rows(logits)
        self._next = {}
        for row, number in enumerate(live.tolist()):
            token = self._record(chosen, rows, row, number)
            ready = self._requests[number].receive(token, settings.stops)
            self._save(ready)
            self._ready.extend(ready)
            if ready and ready[-1].finish:
                del self._requests[number]
            else:
                self._next[number] = token.token
        self._position += 1

    def _record(self, chosen: Outcome, rows: Rows, row: int, number: int) -> Token:
        """Everything about the token drawn from one row."""
        z = rows.widened(row)
        token = int(chosen.token[row])
        temperature = float(chosen.temperature[row])
        signals = {name: float(values[row]) for name, values in chosen.signals.items()}
        kept = rows.kept(row, chosen.cut, chosen.last)
        after = After(kept, rows.masked_at, temperature)
        highest, most = float(z.max()), signals["max_prob"]
        surprisal = highest - float(z[token]) - log(most)

        def probability(other: int) -> float:
            return exp(float(z[other]) - highest) * most

        ended = token in self._model.end_tokens
        finish = "end" if ended else "length" if self._position + 1 == self._requests[number].limit else None
        likeliest = top(z, self._settings.alternatives)
        return Token(
            request=number,
            position=self._position,
            token=token,
            text="",
            bytes=b"" if ended else self._model.token_bytes(token),
            temperature=temperature,
            signals=signals,
            probability=probability(token),
            probability_after=exp(-after.surprisal(token)),
            surprisal=max(surprisal, 0.0),
            entropy_after=after.entropy,
            surprisal_after=after.surprisal(token),
            candidates=int(chosen.candidates[row]),
            alternatives=tuple(
                Alternative(other, self._name(other), probability(other), exp(-after.surprisal(other)))
                for other in likeliest
            ),
            finish=finish,
        )

    def _name(self, token: int) -> str:
        """How an alternative is shown."""
        raw = self._model.token_bytes(token)
        return raw.decode(errors="backslashreplace") if raw else self._model.token_name(token)

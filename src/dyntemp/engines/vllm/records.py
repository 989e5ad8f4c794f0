"""Traces of the requests that bring a label, each in a file of a folder that the server's operator chose.

A request sends a label and never a path: `{"dyntemp": "0.1 + 0.8*entropy", "dyntemp_record": "mine"}` writes
`mine.jsonl`, or `mine-2.jsonl` where that is there. vLLM tells a token with the next step. A request's last token is
told when it leaves the batch, except with asynchronous scheduling and in the second runner: its trace then ends before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from dyntemp.distribution.filters import GREEDY_AT, Filters
from dyntemp.engines.host_trace import HostTrace
from dyntemp.engines.request_fields import KEY, OFF, RECORD
from dyntemp.engines.requests import Requests
from dyntemp.engines.sequence_record import SequenceRecord
from dyntemp.engines.vllm.report import LOG, Worker
from dyntemp.engines.vllm.tokens import ServedTokenizer, SlotTokens, Tokens
from dyntemp.engines.vocabulary import Vocabulary
from dyntemp.errors import EngineError, TraceError
from dyntemp.language.policy import Policy

LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
"""A label: no separator, no drive, no hidden file."""

RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
"""Names that Windows keeps for devices, whatever follows a dot."""

MOST_ALIKE = 1000
"""Most files of one label."""

MOST_PARKED = 64
"""Most traces that stay open for requests that left the batch, and may come back to it."""


def own_label(sampling_params: Any) -> str | None:
    """The label of a request's trace; None where it wants none.

    Raises:
        EngineError: For a label that is none, and for a request whose temperatures no policy decides.
    """
    extra = sampling_params.extra_args or {}
    label = extra.get(RECORD)
    if label is None:
        return None
    if not isinstance(label, str) or not LABEL.fullmatch(label) or label.split(".")[0].lower() in RESERVED:
        shown = repr(label) if len(repr(label)) <= 80 else f"{label!r:.77}..."
        raise EngineError(
            f"`{RECORD}` = {shown} was given; a label is allowed that names a file in the server's folder: 1 to 100 "
            "letters, digits, `.`, `_` and `-` of ASCII, not `.` or `-` first, and no name of a device such as `nul`"
        )
    if extra.get(KEY) == OFF or sampling_params.temperature <= GREEDY_AT:
        raise EngineError(
            f"`{RECORD}` was given with `{KEY}` = {OFF!r} or temperature 0, so that no policy decides: leave it out; "
            "the policy `0` at another temperature is greedy too, and is recorded"
        )
    return label


@dataclass(slots=True, eq=False)
class Wanted:
    """The trace that a request wants, before its first row.

    Attributes:
        label: Its label.
        policy: Its policy.
        requested: The temperature that it asked for.
        zones: Its own zones.
        filters: The truncation behind the policy.
        ends: The tokens that end its text.
    """

    label: str
    policy: Policy
    requested: float
    zones: Sequence[str]
    filters: Filters
    ends: Collection[int] = ()

    @classmethod
    def of(cls, label: str, policy: Policy, zones: Sequence[str], sampling_params: Any, *, second: bool) -> Self:
        """The trace of a request to the first runner, or to the second, whose min-p comes behind the policy."""
        asked = {name: getattr(sampling_params, name, None) for name in ("top_k", "top_p", "min_p")}
        lowest, most = (asked["min_p"] or 0.0) if second else 0.0, 1.0 if asked["top_p"] is None else asked["top_p"]
        behind = f"temperature, min_p({lowest}), top_k({max(asked['top_k'] or 0, 0)}), top_p({most})"
        ends = getattr(sampling_params, "all_stop_token_ids", ())
        return cls(label, policy, sampling_params.temperature, zones, Filters.read(behind), ends)


@dataclass(slots=True, eq=False)
class Running:
    """The trace of a request, with the tokens by which it is known again when it comes back to the batch."""

    label: str
    trace: HostTrace
    record: SequenceRecord
    prompt: list[int]
    tokens: list[int]

    def is_of(self, label: str, prompt: list[int], tokens: list[int]) -> bool:
        """True if a text of this label, prompt and tokens goes on with this one."""
        return (label, prompt, tokens[: len(self.tokens)]) == (self.label, self.prompt, self.tokens)

    def know(self, tokens: Tokens | SlotTokens) -> None:
        """Record the tokens that became known."""
        if self.record.ended:
            return
        fresh = tokens.generated(max(len(self.tokens) - 1, 0))
        if self.tokens:
            if fresh[:1] != self.tokens[-1:]:  # the host took tokens back, as after a failure of its cache
                self.record.end()
                return
            fresh = fresh[1:]
        known = fresh[: fresh.index(-1)] if -1 in fresh else fresh
        try:
            self.record.know(known)
        except TraceError as error:
            LOG.error("dyntemp: %s", error)
        self.tokens += known


class Records:
    """The traces of a worker's requests.

    An error in writing ends the trace with whole lines, and goes to the log: raised, it would end the server.

    Args:
        directory: The folder; None where the operator chose none.
        worker: The worker. Of ranks that draw the same, the first one writes.
        requests: The requests.
        tokenizer: The bytes of the tokens.
        model: The name of the model.

    Raises:
        EngineError: If the folder cannot be made.
    """

    def __init__(
        self, directory: str | None, worker: Worker, requests: Requests, tokenizer: ServedTokenizer, model: str
    ) -> None:
        self._folder = None if directory is None else worker.folder(directory)
        self._writes = worker.first
        self._requests, self._tokenizer, self._model = requests, tokenizer, model
        self._vocabulary: Vocabulary | None = None
        self._wanted: dict[int, Wanted] = {}
        self._running: dict[int, Running] = {}
        self._parked: list[Running] = []

    def __bool__(self) -> bool:
        return bool(self._wanted or self._running)

    def begin(self, slot: int, wanted: Wanted) -> None:
        """Note that the request in a slot wants a trace."""
        if self._folder is None or not self._tokenizer.exists:
            LOG.error(
                "dyntemp: no trace of `%s`: start the server with a tokenizer, and with a folder for traces: "
                '--additional-config \'{"%s": {"records": "FOLDER"}}\'', wanted.label, KEY,
            )  # fmt: skip
        elif self._writes:
            self._wanted[slot] = wanted

    def follow(self, slot: int, tokens: Tokens | SlotTokens) -> None:
        """Write what is known of a request, before its next row is measured."""
        if (wanted := self._wanted.pop(slot, None)) is not None:
            try:
                running = self._resumed(wanted.label, tokens) or self._opened(wanted, tokens)
            except TraceError as error:
                LOG.error("dyntemp: no trace of `%s`: %s", wanted.label, error)
                return
            self._running[slot] = running
            self._requests.attach(slot, running.record)
        if slot in self._running:
            self._running[slot].know(tokens)

    def end(self, slot: int, tokens: Tokens | None = None) -> None:
        """Write what is known of a request that leaves the batch, for good or to come back.

        Args:
            slot: Its slot.
            tokens: Its tokens; None where they are not told any more.
        """
        self._wanted.pop(slot, None)
        running = self._running.pop(slot, None)
        if running is None:
            return
        if tokens is not None:
            running.know(tokens)
        if running.record.ended:
            running.trace.close()
            return
        self._parked.append(running)
        if len(self._parked) > MOST_PARKED:
            self._parked.pop(0).trace.close()

    def _resumed(self, label: str, tokens: Tokens | SlotTokens) -> Running | None:
        """The trace that a request wrote before it left the batch. Those of equal texts stand for each other."""
        prompt, generated = tokens.prompt, tokens.generated(0)
        for running in self._parked if generated else ():
            if running.is_of(label, prompt, generated):
                self._parked.remove(running)
                return running
        return None

    def _opened(self, wanted: Wanted, tokens: Tokens | SlotTokens) -> Running:
        """A trace that begins.

        Raises:
            TraceError: If it cannot be written.
        """
        assert self._folder is not None
        if self._vocabulary is None:
            self._vocabulary = Vocabulary.of(self._tokenizer.load())
        known = replace(self._vocabulary, ends=frozenset(wanted.ends))
        prompt, first = tokens.prompt, len(tokens.generated(0))
        for number in range(1, MOST_ALIKE + 1):
            path = self._folder / f"{wanted.label}{f'-{number}' if number > 1 else ''}.jsonl"
            try:
                trace = HostTrace(path, self._requests.capabilities, known, self._model, wanted.zones)
                (record,) = trace.begin(
                    wanted.policy, [prompt], requested=wanted.requested, filters=wanted.filters, first=first
                )
            except TraceError:
                if not path.exists():
                    raise
                continue
            return Running(wanted.label, trace, record, prompt, tokens.generated(0))
        raise TraceError(f"{MOST_ALIKE} files of this label are there: send another one")

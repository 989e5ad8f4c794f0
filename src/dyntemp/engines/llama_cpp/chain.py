"""A policy as a sampler in llama.cpp's chain: the callback for each token's candidates, and its insertion."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import Filters
from dyntemp.engines.batch import Batch
from dyntemp.engines.host_trace import HostTrace
from dyntemp.engines.requests import Requests
from dyntemp.engines.sequence_record import SequenceRecord
from dyntemp.errors import EngineError
from dyntemp.kernels.job import NO_FILTERS
from dyntemp.language.policy import Policy

RECORD = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""llama.cpp's `llama_token_data`."""

PLACES = ("penalties", "top-k", "typical", "top-p", "min-p", "temp")
"""The samplers of llama-cpp-python's chain that a policy can stand before; a grammar is between the first two."""


def candidates_of(array: Any) -> NDArray[np.void]:
    """The candidates of a `llama_token_data_array*` as records, in llama.cpp's own memory."""
    found = array.contents
    size = found.size * RECORD.itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(ctypes.addressof(found.data.contents)), RECORD)


class Generation:
    """One generation: its policy, its position, and the error that a callback raised.

    Python's exceptions do not pass through llama.cpp: ctypes prints them, and llama.cpp goes on with the unchanged row.
    So they are kept here, and `check` raises them when llama.cpp has returned.

    A temperature of 0 leaves the first of equal candidates, as llama.cpp's own does. That is the lowest token, unless
    the candidates were sorted.

    Args:
        requests: The engine's requests; the generation begins there with its first token.
        policy: Its policy, or None.
        requested: The temperature that the call asked for.
        trace: The file of its trace, if one is written.
        filters: The truncation that comes after the policy, for the trace.

    Attributes:
        position: Index in the sequence of the next token; set by the caller before each token.
        tokens: The tokens before it, an array; set by the caller too.
        slot: The generation's slot in `requests`.
    """

    def __init__(
        self, requests: Requests, policy: Policy | None, requested: float, trace: HostTrace | None = None,
        filters: Filters = NO_FILTERS,
    ) -> None:  # fmt: skip
        self.requests = requests
        self.policy = policy
        self.requested = requested
        self.position = 0
        self.tokens: NDArray[np.int32] = np.empty(0, np.int32)
        self.slot = 0
        self._trace, self._filters = trace, filters
        self._record: SequenceRecord | None = None
        self._begun = False
        self._called_at = -1
        self._error: BaseException | None = None
        self._before: tuple[int, NDArray[np.int32]] = (-1, np.empty(0, np.int32))

    def apply(self, array: Any) -> None:
        """Divide the logits of a `llama_token_data_array*` in place. llama.cpp calls this for each token."""
        self._called_at = self.position
        try:
            self._scale(candidates_of(array))
        except BaseException as error:  # noqa: BLE001  # raised again by `check`
            self._error = error

    def know(self, token: int) -> None:
        """Record the token that was drawn at the position.

        Raises:
            TraceError: If the file cannot be written further.
        """
        if self._record is not None:
            self._record.know([token])

    def close(self) -> None:
        """Close the trace. Calling it again does nothing."""
        if self._trace is not None:
            self._trace.close()

    def guarded(self, processors: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
        """One processor that runs several; `check` raises their errors."""

        def process(input_ids: Any, scores: Any) -> Any:
            try:
                for processor in processors:
                    scores = processor(input_ids, scores)
            except BaseException as error:  # noqa: BLE001  # raised again by `check`
                self._error = error
            return scores

        return process

    def count(self, _: Any) -> None:
        """Count a row that llama.cpp's own sampler scales. llama.cpp calls this for each token."""
        self._called_at = self.position
        counts = self.requests.counts
        counts.calls += 1
        counts.seen += 1
        if self.requested == 0:
            counts.greedy += 1
        else:
            counts.changed += 1

    def check(self) -> None:
        """Raise the error of a callback since the position was set.

        Raises:
            EngineError: If there is a policy, and no callback was called.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error
        if self.policy is not None and self._called_at != self.position:
            raise EngineError(
                f"llama.cpp drew the token at {self.position} without its chain of samplers, and so without "
                f"`{self.policy}`: if a sampler on the device draws (llama_set_sampler), take it away"
            )

    def _scale(self, candidates: NDArray[np.void]) -> None:
        assert self.policy is not None
        if not self._begun:
            self._begun = True
            self.requests.begin(self.slot, self.policy, requested=self.requested, prompt=self.position)
            if self._trace is not None:
                (self._record,) = self._trace.begin(
                    self.policy, [self.tokens.tolist()], requested=self.requested, filters=self._filters
                )
                self.requests.attach(self.slot, self._record)
        row = np.ascontiguousarray(candidates["logit"])[None]
        drawn = self._place_of_drawn(candidates) if self.policy.reads_surprisal else -1
        batch = Batch(
            row, [self.slot], self.position, drawn=[drawn], text=lambda _: self.tokens, tokens=candidates["id"][None]
        )
        self.requests.scale(batch, out=row)
        candidates["logit"] = row[0]

    def _place_of_drawn(self, candidates: NDArray[np.void]) -> int:
        """Index of the drawn token among the candidates of the step before; -1 if it was not there."""
        position, ids = self._before
        self._before = self.position, candidates["id"].copy()
        places = np.flatnonzero(ids == self.tokens[-1])
        return int(places[0]) if position == self.position - 1 and len(places) else -1


def filters_behind(before: str, asked: Mapping[str, Any]) -> Filters:
    """The truncation behind a policy that stands before a sampler of `PLACES`; penalties and a grammar are left out.

    Args:
        before: The sampler.
        asked: The arguments of `_init_sampler`, by name.
    """
    if asked["temp"] <= 0:  # llama.cpp then truncates nothing
        return NO_FILTERS
    after = PLACES[PLACES.index(before) :]
    values = {"top-k": max(asked["top_k"], 0), "typical": asked["typical_p"], "top-p": asked["top_p"],
              "min-p": asked["min_p"]}  # fmt: skip
    names = [f"{place.replace('-', '_')}({value})" for place, value in values.items() if place in after]
    return Filters.read(", ".join(["temperature", *names]))


def insert(sampler: Any, before: str, add: Callable[[], None], *, short: bool) -> None:
    """Insert a sampler into a `LlamaSampler`, and remove its temperature.

    Args:
        sampler: The chain as llama-cpp-python makes it.
        before: A name of `PLACES`: the sampler that will come after the new one.
        add: Appends the new sampler.
        short: True for a chain without truncation and temperature; the new sampler then comes before the last.

    Raises:
        EngineError: If the chain is an unknown one.
    """
    import llama_cpp

    chain = sampler.sampler
    names = links(sampler)
    if short:
        at = names.index(before) if before in names else len(names) - 1
    elif {before, "temp"} <= set(names):
        at = names.index(before)
    else:
        raise EngineError(
            f"this llama-cpp-python ({llama_cpp.__version__}) makes the chain {', '.join(names)}, in which there is "
            f"no `{before}` or no `temp`: take a version that dyntemp was run with, or `DynamicTemperature`"
        )
    tail = [llama_cpp.llama_sampler_chain_remove(chain, at) for _ in names[at:]]
    add()
    for name, link in zip(names[at:], tail, strict=True):
        if name == "temp":
            llama_cpp.llama_sampler_free(link)
        else:
            llama_cpp.llama_sampler_chain_add(chain, link)


def links(sampler: Any) -> list[str]:
    """The names of a chain's samplers; `custom` for those written in Python, whose name llama.cpp cannot tell.

    A sampler that is switched off, such as top-k with k = 0, has its usual name.
    """
    import llama_cpp

    chain = sampler.sampler
    ours = {place for place, _ in sampler.custom_samplers}
    return [
        "custom"
        if place in ours
        else llama_cpp.llama_sampler_name(llama_cpp.llama_sampler_chain_get(chain, place)).decode().lstrip("?")
        for place in range(llama_cpp.llama_sampler_chain_n(chain))
    ]

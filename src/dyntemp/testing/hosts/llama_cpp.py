"""Fakes of llama.cpp: an array of candidates in memory, and llama-cpp-python's logits processors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dyntemp.engines import CAPABILITIES, Counts, Requests
from dyntemp.engines.llama_cpp import DynamicTemperature
from dyntemp.engines.llama_cpp.chain import RECORD, Generation
from dyntemp.testing.fake_host import Asked, FakeHost, Row
from dyntemp.testing.spelling import OWN_ZONE, spelled

Order = Literal["ids", "sorted", "shuffled"]


class TokenDataArray(ctypes.Structure):
    """llama.h's `llama_token_data_array`; `data` points to records of id, logit and p, twelve bytes each."""

    _fields_ = (
        ("data", ctypes.POINTER(ctypes.c_byte * RECORD.itemsize)),
        ("size", ctypes.c_size_t),
        ("selected", ctypes.c_int64),
        ("sorted", ctypes.c_bool),
    )


class Candidates:
    """A row in llama.cpp's memory, in one of the orders that its samplers leave."""

    def __init__(self, row: Row, order: Order) -> None:
        ids = {
            "ids": np.arange(len(row)),
            "sorted": np.argsort(-row, kind="stable"),
            "shuffled": np.random.default_rng(len(row)).permutation(len(row)),
        }[order]
        self.records = np.zeros(len(row), RECORD)
        self.records["id"], self.records["logit"], self.records["p"] = ids, row[ids], -7.0
        pointer = self.records.ctypes.data_as(TokenDataArray._fields_[0][1])
        self.array = TokenDataArray(pointer, len(row), -1, order == "sorted")

    @property
    def pointer(self) -> Any:
        """The argument with which llama.cpp calls a sampler."""
        return ctypes.pointer(self.array)

    @property
    def row(self) -> Row:
        """The logits by token."""
        found = np.empty(len(self.records), np.float32)
        found[self.records["id"]] = self.records["logit"]
        return found


class ChainHost(FakeHost):
    """A host that runs one generation at a time, as `DynamicLlama` does with a chain of samplers.

    Args:
        order: The order of the candidates.
        apply: Called with each row of candidates before the draw; by default the generation's own callback.
    """

    adapter = "llama_cpp/chain"
    batch = 1
    mixes = False
    joins = False

    def __init__(self, order: Order = "ids", apply: Callable[[Generation, Candidates], None] | None = None) -> None:
        self.order = order
        self.apply = apply or (lambda generation, candidates: generation.apply(candidates.pointer))
        self.requests = Requests(CAPABILITIES[self.adapter], tokenizer=spelled, zones=OWN_ZONE)

    def begin(self, asked: Sequence[Asked]) -> list[int]:
        """Begin the generation."""
        (one,) = asked
        assert one.policy is not None
        self.generation = Generation(self.requests, self.requests.accept(one.policy), one.requested)
        self.put(one.prompt_of(0))
        return [0]

    def put(self, tokens: Sequence[int]) -> None:
        """Let the sequence have these tokens."""
        self.generation.tokens = np.array(tokens, np.int32)
        self.generation.position = len(tokens)

    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Call the sampler with the candidates, and raise its error."""
        candidates = Candidates(rows[0], self.order)
        self.apply(self.generation, candidates)
        self.generation.check()
        return {0: candidates.row}

    def draw(self, tokens: Mapping[int, int]) -> None:
        """Append the token to the sequence."""
        self.put([*self.generation.tokens, tokens[0]])

    def take_back(self, count: int) -> bool:
        """Shorten the sequence."""
        self.put(self.generation.tokens[:-count].tolist())
        return True

    def finish(self, request: int) -> None:
        """End the generation. The adapter is not told; the next generation takes the slot."""

    @property
    def counts(self) -> Counts:
        """The counts of `DynamicLlama`."""
        return self.requests.counts


class ProcessorHost(FakeHost):
    """A host that calls a `DynamicTemperature` as `Llama._init_sampler` of llama-cpp-python 0.3.36 does."""

    adapter = "llama_cpp/processor"
    batch = 1
    mixes = False
    joins = False
    tells_requested = False

    def __init__(self) -> None:
        self.counted = Counts()

    def begin(self, asked: Sequence[Asked]) -> list[int]:
        """Make a processor and a prompt."""
        (one,) = asked
        assert one.policy is not None
        self.processor = DynamicTemperature(one.policy, tokenizer=spelled, zones=OWN_ZONE)
        self.counted = self.processor.counts
        self.input_ids: NDArray[np.intc] = np.zeros(4096, np.intc)
        prompt = one.prompt_of(0)
        self.length = len(prompt)
        self.input_ids[: self.length] = prompt
        return [0]

    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Write the processor's row into the column of logits."""
        records = Candidates(rows[0], "ids").records.view(np.recarray)
        for processor in self.processor.arguments["logits_processor"]:
            records.logit[:] = processor(self.input_ids[: self.length], records.logit)
        self.processor.stop()
        return {0: records.logit.copy()}

    def draw(self, tokens: Mapping[int, int]) -> None:
        """Append the token to the sequence."""
        self.input_ids[self.length] = tokens[0]
        self.length += 1

    def take_back(self, count: int) -> bool:
        """Shorten the sequence."""
        self.length -= count
        return True

    def finish(self, request: int) -> None:
        """End the generation. The adapter is not told."""

    @property
    def counts(self) -> Counts:
        """The counts of the processor."""
        return self.counted

"""Fakes of vLLM's two runners, which call the adapter in the same order and with the same shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from importlib import import_module
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from dyntemp.engines import Capabilities, Counts
from dyntemp.testing.fake_host import Asked, FakeHost, Row
from dyntemp.testing.spelling import OWN_ZONE, spelled

GREEDY_BELOW = 1e-5
"""Temperatures below this are greedy in vLLM."""


class Direction(Enum):
    """The direction of a move, with vLLM's names."""

    UNIDIRECTIONAL = auto()
    SWAP = auto()


class Update(NamedTuple):
    """vLLM's `BatchUpdate`."""

    removed: list[int]
    added: list[tuple[int, Any, list[int] | None, list[int]]]
    moved: list[tuple[int, int, Direction]]


class Running:
    """A request in a runner."""

    def __init__(self, asked: Asked) -> None:
        extra = None
        if asked.policy is not None:
            extra = {"dyntemp": str(asked.policy), "dyntemp_zones": [OWN_ZONE], "dyntemp_given": dict(asked.given)}
            extra |= {} if asked.record is None else {"dyntemp_record": asked.record}
        self.params = SimpleNamespace(temperature=asked.requested, extra_args=extra)
        self.prompt = asked.prompt_of(0)
        self.output: list[int] = []

    @property
    def length(self) -> int:
        """Number of its tokens."""
        return len(self.prompt) + len(self.output)


class _Runner(FakeHost):
    """The base of both runners: requests by number, which begin and end at the next step.

    Args:
        adapter: The class that vLLM loads.
        options: The value of `additional_config["dyntemp"]`.
        drafts: True for a server that is configured to draft tokens.
    """

    def __init__(self, adapter: Any, options: Mapping[str, str] | None = None, drafts: bool = False) -> None:
        self.config = SimpleNamespace(
            additional_config={"dyntemp": dict(options or {})},
            speculative_config=SimpleNamespace() if drafts else None,
            parallel_config=SimpleNamespace(rank=0, data_parallel_index=0),
            model_config=SimpleNamespace(get_vocab_size=lambda: self.vocabulary, logits_processors=None),
        )
        self.torch: Any = import_module("torch")
        self.requests: dict[int, Running] = {}
        self.begun = 0
        self.processor = adapter

    def begin(self, asked: Sequence[Asked]) -> list[int]:
        """Admit requests in the front end."""
        new = [Running(one) for one in asked]
        for one in new:
            self.processor.validate_params(one.params)
        numbers = list(range(self.begun, self.begun + len(new)))
        self.begun += len(new)
        for number, one in zip(numbers, new, strict=True):
            self.requests[number] = one
            self.arrive(number)
        return numbers

    def draw(self, tokens: Mapping[int, int]) -> None:
        """Append tokens to the requests' lists, which the adapter may hold."""
        for number, token in tokens.items():
            self.requests[number].output.append(token)

    def arrive(self, number: int) -> None:
        """Let a request join the batch."""
        raise NotImplementedError

    def preempt(self, request: int) -> None:
        """Preempt a request: it loses its slot and its cache, and joins again with its tokens."""
        kept = self.requests[request]
        self.finish(request)
        self.requests[request] = kept
        self.arrive(request)

    @property
    def counts(self) -> Counts:
        """The counts of the only worker."""
        return self.processor.counts


class FirstRunner(_Runner):
    """vLLM's V1 runner: a batch without gaps, whose changes it hands over before each step. It divides first."""

    adapter = "vllm/v1"

    def __init__(self, adapter: Any, options: Mapping[str, str] | None = None) -> None:
        super().__init__(adapter, options)
        self.processor = adapter(self.config, self.torch.device("cpu"), False)
        self.processor.tokenizer.load = lambda: spelled
        self.places: list[int | None] = []
        self.arriving: list[int] = []
        self.gone: list[int] = []
        self.swaps: list[tuple[int, int, Direction]] = []

    def arrive(self, number: int) -> None:
        """Let the request join at the next step."""
        self.arriving.append(number)

    def finish(self, request: int) -> None:
        """End the request at the next step."""
        if request in self.arriving:
            self.arriving.remove(request)
        else:
            self.gone.append(self.places.index(request))
        del self.requests[request]

    def take_back(self, count: int) -> bool:
        """Discard the latest tokens, as after a failure of the host's cache."""
        for one in self.requests.values():
            del one.output[-count:]
        return True

    def rearrange(self) -> None:
        """Swap the first two requests, as attention backends ask for."""
        self.update()
        if len(self.places) > 1:
            self.places[0], self.places[1] = self.places[1], self.places[0]
            self.swaps.append((0, 1, Direction.SWAP))

    def update(self) -> None:
        """Fill free places, the lowest first: with requests that arrive, and then with the last ones of the batch."""
        gone, update = sorted(self.gone, reverse=True), Update([], [], [])
        for place in gone:
            self.places[place] = None
        for number in self.arriving:
            place = gone.pop() if gone else len(self.places)
            self.places[place : place + 1] = [number]
            one = self.requests[number]
            update.added.append((place, one.params, one.prompt, one.output))
        while gone and gone[-1] < (last := max((i for i, n in enumerate(self.places) if n is not None), default=-1)):
            place = gone.pop()
            self.places[place], self.places[last] = self.places[last], None
            update.moved.append((last, place, Direction.UNIDIRECTIONAL))
        while self.places and self.places[-1] is None:
            self.places.pop()
        update.removed.extend(gone)
        update.moved.extend(self.swaps)
        self.arriving, self.gone, self.swaps = [], [], []
        self.processor.update_state(update if any(update) else None)

    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Divide the rows, and then call the adapter, unless all requests are greedy."""
        self.update()
        numbers = [number for number in self.places if number is not None]
        logits = self.torch.from_numpy(np.stack([rows[number] for number in numbers]))
        t = self.torch.tensor([self.requests[number].params.temperature for number in numbers])
        if not bool((t < GREEDY_BELOW).all()):
            logits.div_(self.torch.where(t < GREEDY_BELOW, 1.0, t)[:, None])
            logits = self.processor.apply(logits)
        return dict(zip(numbers, logits.numpy(), strict=True))


class SecondRunner(_Runner):
    """vLLM's V2 runner: slots stay, rows come in another order at every step, and the runner divides last.

    Args:
        adapter: The class that vLLM loads.
        options: The value of `additional_config["dyntemp"]`.
        drafts: Number of tokens that it drafts; None for a server without drafts.
    """

    adapter = "vllm/v2"
    slots = 12
    context = 256

    def __init__(self, adapter: Any, options: Mapping[str, str] | None = None, drafts: int | None = None) -> None:
        super().__init__(adapter, options, drafts is not None)
        self.drafts = drafts
        lengths = {name: self.torch.zeros(self.slots, dtype=self.torch.int32) for name in ("prompt_len", "prefill_len")}
        buffers = {name: SimpleNamespace(np=length.numpy(), gpu=length) for name, length in lengths.items()}
        self.tokens = self.torch.zeros((self.slots, self.context), dtype=self.torch.int32)
        self.state = SimpleNamespace(
            all_token_ids=SimpleNamespace(gpu=self.tokens),
            device=self.torch.device("cpu"),
            max_num_reqs=self.slots,
            vocab_size=self.vocabulary,
            **buffers,
        )
        self.processor = adapter(self.config, self.state)
        self.processor.tokenizer.load = lambda: spelled
        self.free = list(range(self.slots))
        self.slot: dict[int, int] = {}
        self.wants: dict[int, bool] = {}
        self.turn = np.random.default_rng(0)

    @property
    def capabilities(self) -> Capabilities:
        """The record of the class that vLLM loads."""
        return self.processor.capabilities(second=True)

    def arrive(self, number: int) -> None:
        """Give a request a free slot, the latest freed first."""
        slot, one = self.free.pop(), self.requests[number]
        self.slot[number] = slot
        self.state.prompt_len.np[slot], self.state.prefill_len.np[slot] = len(one.prompt), one.length
        self.wants[number] = self.processor.add_request(slot, one.params) or one.params.temperature not in {0.0, 1.0}

    def write(self, number: int) -> None:
        """Write a request's tokens into its slot, as the runner does before a step."""
        one = self.requests[number]
        self.tokens[self.slot[number], : one.length] = self.torch.tensor([*one.prompt, *one.output])

    def finish(self, request: int) -> None:
        """End a request. The adapter is not told."""
        self.free.append(self.slot.pop(request))
        del self.requests[request], self.wants[request]

    def step(self, rows: Mapping[int, Row], read: Mapping[int, int] | None = None) -> dict[int, Row]:
        """Run a step, and return the row of each request's next token.

        Args:
            rows: A row of each running request.
            read: Number of tokens read so far, for requests whose prompt is not read completely.
        """
        order = self.turn.permutation(list(self.requests)).tolist()
        own = {number: [row] for number, row in rows.items()}
        return {number: found[0] for number, found in self.expanded(own, order, read or {}).items()}

    def expanded(
        self, rows: Mapping[int, Sequence[Row]], order: Sequence[int], read: Mapping[int, int]
    ) -> dict[int, Any]:
        """Several rows for each request: for the next token, and for the tokens after each draft."""
        torch = self.torch
        self.processor.apply_staged_writes()
        if not any(self.wants[number] for number in order):
            return dict(rows)
        counts = [len(rows[number]) for number in order]
        slots = np.array([self.slot[number] for number in order], np.intp)
        for number in order:
            self.write(number)
        lengths = np.array([read.get(number, self.requests[number].length) for number in order])
        local = np.concatenate([np.arange(count) for count in counts])
        ctx = SimpleNamespace(
            idx_mapping=torch.from_numpy(slots), idx_mapping_np=slots,
            expanded_idx_mapping=torch.from_numpy(np.repeat(slots, counts).astype(np.int32)),
            expanded_local_pos=torch.from_numpy(local.astype(np.int32)),
            pos=torch.from_numpy(np.repeat(lengths, counts) - 1 + local), input_ids=torch.zeros(len(local)),
            seq_lens_upper_bound_np=np.r_[lengths, 0, 0].astype(np.int32),  # the batch is padded
        )  # fmt: skip
        logits = self.processor.apply(torch.from_numpy(np.concatenate([rows[number] for number in order])), ctx)
        t = np.repeat([self.requests[number].params.temperature for number in order], counts).astype(np.float32)
        divided = logits.numpy() / np.where(t == 0, 1, t)[:, None]
        return dict(zip(order, np.split(divided, np.cumsum(counts)[:-1]), strict=True))

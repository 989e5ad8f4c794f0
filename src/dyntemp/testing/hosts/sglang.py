"""A fake of SGLang's sampler, which calls a processor with its rows and the requests' parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from dyntemp.engines.batch import Counts
from dyntemp.engines.sglang import DynamicTemperature, extra_body
from dyntemp.testing.fake_host import Asked, FakeHost, Row

TOP_K_ALL = 1 << 30


@dataclass(eq=False)
class Running:
    """A request in the host, which keeps T = 0 as top_k = 1."""

    params: dict[str, Any] | None
    sampling_params: SimpleNamespace
    to_finish: Any = None


class SGLang(FakeHost):
    """A batch of requests, some with our processor.

    Args:
        array: Converts a NumPy array to the host's: `torch.from_numpy`.
    """

    adapter = "sglang"

    def __init__(self, array: Any = np.asarray) -> None:
        self.array = array
        self.running: dict[int, Running] = {}
        self.begun = 0
        self.before = DynamicTemperature.counts.as_dict()

    def begin(self, asked: Sequence[Asked]) -> list[int]:
        """Begin requests of a client."""
        numbers = []
        for one in asked:
            params = None if one.policy is None else dict(extra_body(one.policy)["custom_params"])
            greedy = one.requested == 0
            settings = SimpleNamespace(temperature=one.requested or 1.0, top_k=1 if greedy else TOP_K_ALL)
            request = Running(params, settings)
            if params is not None:
                params["__req__"] = request
            self.running[self.begun] = request
            numbers.append(self.begun)
            self.begun += 1
        return numbers

    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Call the processor with its rows and write them back; then divide each row."""
        numbers = [number for number in self.running if number in rows]
        logits = np.stack([rows[number] for number in numbers])
        ours = [place for place, number in enumerate(numbers) if self.running[number].params is not None]
        if ours:
            processor = DynamicTemperature()  # one per prefilled batch
            found = processor(self.array(logits[ours]), [self.running[numbers[place]].params for place in ours])
            logits[ours] = np.asarray(found)
        settings = [self.running[number].sampling_params for number in numbers]
        for place, one in enumerate(settings):
            if one.top_k > 1:
                logits[place] /= np.float32(one.temperature)
        return dict(zip(numbers, logits, strict=True))

    def draw(self, tokens: Mapping[int, int]) -> None:
        """Do nothing: the adapter is not told of tokens."""

    def finish(self, request: int) -> None:
        """End a request."""
        del self.running[request]

    def rearrange(self) -> None:
        """Reorder the batch, as when it is filtered and merged."""
        self.running = dict(reversed(self.running.items()))

    @property
    def counts(self) -> Counts:
        """The counts since this host was made."""
        now = DynamicTemperature.counts.as_dict()
        return Counts(**{name: now[name] - self.before[name] for name in now})

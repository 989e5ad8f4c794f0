"""Fakes of MLX-LM's `GenerationBatch`, with rows and tokens of any array library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dyntemp.engines.batch import Counts, Step
from dyntemp.engines.mlx import DynamicTemperature, ScaleLogits
from dyntemp.testing.fake_host import Asked, FakeHost, Row
from dyntemp.testing.spelling import OWN_ZONE, spelled


class MLX(FakeHost):
    """A batch of sequences, each with its tokens. A position is never run again.

    Args:
        array: Converts a NumPy array to the host's: `mlx.core.array`.
        follows: True lets samplers see the tokens too.
    """

    tells_requested = False

    def __init__(self, array: Callable[[Any], Any] = np.asarray, *, follows: bool = True) -> None:
        self.array = array
        self.follows = follows
        self.texts: dict[int, list[int]] = {}
        self.plugged: dict[int, Any] = {}
        self.asked: dict[int, Asked] = {}
        self.steps: list[Step] = []
        self.done: dict[int, Row] = {}
        self.made: list[Any] = []

    def begin(self, asked: Sequence[Asked]) -> list[int]:
        """Let sequences with different prompts join the batch."""
        numbers = []
        for one in asked:
            number = len(self.asked)
            plugged = self.plug(one, number)
            self.asked[number], self.plugged[number] = one, plugged
            self.texts[number] = one.prompt_of(1000 + number)
            self.made += [plugged] if plugged not in self.made and plugged is not None else []
            numbers.append(number)
        return numbers

    def plug(self, one: Asked, number: int) -> Any:
        """The sampler or processor of a sequence; None for the host's own."""
        raise NotImplementedError

    def draw(self, tokens: Mapping[int, int]) -> None:
        """Append a token to each sequence."""
        for number, token in tokens.items():
            self.texts[number].append(token)
        self.done = {}

    def finish(self, request: int) -> None:
        """Remove a sequence from the batch."""
        del self.texts[request], self.plugged[request]
        self.done = {}

    def rearrange(self) -> None:
        """Reorder the batch, as when one sequence leaves and another joins."""
        self.texts = dict(reversed(self.texts.items()))

    @property
    def counts(self) -> Counts:
        """The counts of all samplers and processors."""
        total = Counts()
        for plugged in self.made:
            for name, value in plugged.counts.as_dict().items():
                setattr(total, name, getattr(total, name) + value)
        return total

    def context(self, number: int) -> Any:
        """The tokens of a sequence, as a processor receives them."""
        return self.array(np.array(self.texts[number], np.int32))


class Sampler(MLX):
    """`samplers=`: each sequence has its own sampler, so rows come one by one."""

    adapter = "mlx/sampler"
    tells_requested = True

    def plug(self, one: Asked, number: int) -> Any:
        """A sampler with the sequence's number as its seed."""
        if one.policy is None:
            return None
        return DynamicTemperature(
            one.policy, seed=number, requested=one.requested, tokenizer=spelled, zones=OWN_ZONE,
            record=self.steps.append,
        )  # fmt: skip

    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Call all processors, then all samplers. The rows returned are those drawn from."""
        if self.done:
            return self.done
        running = [number for number in self.texts if number in rows]
        if self.follows:
            for number in running:
                if self.plugged[number] is not None:
                    self.plugged[number].follow(self.context(number), self.array(rows[number][None]))
        for numbers, sampler in self.calls(running):
            self.called(numbers, sampler, rows)
        return self.done

    def calls(self, running: list[int]) -> list[tuple[list[int], Any]]:
        """The sequences of each call, with the sampler that is called."""
        return [([number], self.plugged[number]) for number in running]

    def called(self, numbers: list[int], sampler: Any, rows: Mapping[int, Row]) -> None:
        """Call a sampler with log-probabilities."""
        given = np.stack([rows[number] for number in numbers])
        if sampler is None:
            self.done |= {number: rows[number] for number in numbers}
            return
        with np.errstate(invalid="ignore"):
            logprobs = given - np.logaddexp.reduce(given, axis=-1, keepdims=True)
        tokens = np.asarray(sampler(self.array(logprobs)))
        for row, token, t, number in zip(given, tokens, self.steps[-1].temperature, numbers, strict=True):
            self.done[number] = drawn_from(row, float(t))
            assert np.isnan(t) or self.done[number][token] > -np.inf


class Shared(Sampler):
    """`sampler=` of a `BatchGenerator`: one sampler for all sequences, so rows come in one call."""

    mixes = False
    tells_requested = False

    def plug(self, one: Asked, number: int) -> Any:
        """The sampler that exists already, or a new one."""
        return self.made[0] if self.made else super().plug(one, number)

    def calls(self, running: list[int]) -> list[tuple[list[int], Any]]:
        """One call with all sequences."""
        return [(running, self.plugged[running[0]])]


class Processor(MLX):
    """`logits_processors=`: a processor for each sequence, or one for all."""

    adapter = "mlx/processor"

    def __init__(self, array: Callable[[Any], Any] = np.asarray, *, shared: bool = False) -> None:
        super().__init__(array)
        self.mixes = not shared

    def plug(self, one: Asked, number: int) -> Any:  # noqa: ARG002  # all are alike
        """A processor."""
        if one.policy is None:
            return None
        if self.made and not self.mixes:
            return self.made[0]
        return ScaleLogits(one.policy, tokenizer=spelled, zones=OWN_ZONE)

    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Call the processor with each row by itself, [1, n], and its tokens."""
        if not self.done:
            for number in self.texts:
                if number in rows:
                    plugged, row = self.plugged[number], self.array(rows[number][None])
                    found = row if plugged is None else plugged(self.context(number), row)
                    self.done[number] = np.asarray(found)[0]
        return self.done


def drawn_from(row: Row, temperature: float) -> Row:
    """The row divided by its temperature; unchanged where the temperature is NaN."""
    if np.isnan(temperature):
        return row
    if temperature == 0:
        return np.where(np.arange(len(row)) == row.argmax(), np.float32(0), np.float32(-np.inf))
    kept = row > np.finfo(np.float32).min / 2
    scaled = np.where(kept, row.astype(np.float64) - row.max(), 0.0) / temperature
    return np.where(kept, scaled.clip(np.finfo(np.float32).min), -np.inf).astype(np.float32)

"""Times contestants side by side: in every round each has its turn, in a new order."""

import gc
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

SLOW = 0.02
"""Seconds of one call from which a contestant sits out all but every `FAST_ROUNDS`-th round."""

FAST_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something that is timed.

    Attributes:
        name: What tables call it.
        call: What is timed; it gets what `view` made.
        shape: Rows and vocabulary of the buffer that one call reads.
        view: From a buffer to what `call` takes; not timed.
    """

    name: str
    call: Callable[[Any], object]
    shape: tuple[int, int]
    view: Callable[[Any], Any] = lambda buffer: buffer

    @property
    def logits(self) -> int:
        return math.prod(self.shape)


def wall(call: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Seconds by the clock on the wall of `call` on each argument in turn."""
    began = perf_counter()
    for argument in arguments:
        call(argument)
    return perf_counter() - began


def spent(call: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Seconds of processor time of `call` on each argument in turn: what other processes take is not counted."""
    began = process_time()
    for argument in arguments:
        call(argument)
    return process_time() - began


def interleave(
    contestants: Sequence[Contestant],
    buffer: Callable[[tuple[int, int]], Any],
    rounds: int,
    *,
    warm: bool,
    elapsed: Callable[[Callable[[Any], object], Sequence[Any]], float] = wall,
    sample: float = 0.01,
) -> dict[str, list[float | None]]:
    """Seconds per logit of each contestant in each of `rounds * FAST_ROUNDS` rounds; None where a slow one sat out.

    Args:
        contestants: Each has run once, so that nothing is compiled here.
        buffer: From a shape to the next buffer of that shape.
        rounds: How many samples each contestant gets at least.
        warm: Whether a call that is not timed comes first, to bring the buffer back into the caches.
        elapsed: The clock.
        sample: Seconds that one sample should last at least, so that the clock's own error does not show.
    """
    once = {c.name: elapsed(c.call, [c.view(buffer(c.shape))]) for c in contestants}
    samples: dict[str, list[float | None]] = {c.name: [] for c in contestants}
    shuffle = random.Random(0)
    gc.collect()
    gc.disable()
    for number in range(rounds * FAST_ROUNDS):
        for c in shuffle.sample(contestants, len(contestants)):
            if once[c.name] > SLOW and number % FAST_ROUNDS:
                samples[c.name].append(None)
                continue
            calls = max(1, math.ceil(sample / once[c.name]))
            arguments = [c.view(buffer(c.shape)) for _ in range(calls + warm)]
            if warm:
                c.call(arguments.pop())
            samples[c.name].append(elapsed(c.call, arguments) / calls / c.logits)
    gc.enable()
    return samples


def admitted(
    contestants: Sequence[Contestant], buffer: Callable[[tuple[int, int]], Any]
) -> tuple[list[Contestant], dict[str, str]]:
    """Those that ran once, and why each of the others did not."""
    able, missing = [], {}
    for c in contestants:
        try:
            c.call(c.view(buffer(c.shape)))
            able.append(c)
        except Exception as error:  # noqa: BLE001  # a peer that cannot run here is reported, whatever the reason
            missing[c.name] = unable(error)
    return able, missing


def unable(error: Exception) -> str:
    """Why a contestant is missing."""
    return f"does not run here: {type(error).__name__}: {' '.join(str(error).split())[:200]}"

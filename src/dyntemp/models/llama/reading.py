"""Prompts that llama.cpp reads part by part, while other sequences of the session continue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import ModelError
from dyntemp.models.kept_prompts import KeptPrompts
from dyntemp.models.llama.handles import BATCH, Context, Weights

LEAST = 64
"""Fewest tokens of a part, unless the prompt has fewer. For fewer tokens llama.cpp computes attention with another
kernel, which sums in another order and takes up to twice as long for each token."""


class ReadPrompt(NamedTuple):
    """A prompt that was read.

    Attributes:
        length: Number of its tokens.
        state: The cache of its sequence; see `Context.state`.
        logits: The logits of the token after it, [vocabulary].
    """

    length: int
    state: Any
    logits: NDArray[np.float32]


TakeIn = Callable[[Sequence[ReadPrompt], Sequence[int]], tuple[list[int], NDArray[np.float32]]]


def part_ends(length: int, part: int, first: int = 0) -> list[int]:
    """The positions at which the parts of a prompt end, of which the `first` tokens are read already.

    A prompt is divided into blocks of `BATCH` tokens, as `start` reads it, and each block into equal parts. A part has
    at least `LEAST` tokens, and fewer than twice as many as the larger of `part` and `LEAST`; only a block with fewer
    tokens than `LEAST` makes a smaller part. llama.cpp then computes each token by the same kernel as in `start`.

    >>> part_ends(150, 64), part_ends(600, 300)
    ([75, 150], [512, 600])
    """
    ends = []
    for begin in range(0, length, BATCH):
        size = min(BATCH, length - begin)
        count = max(size // max(part, LEAST), 1)
        ends += [begin + size * (at + 1) // count for at in range(count)]
    return [end for end in ends if end > first]


class LlamaCppReading:
    """Prompts that are being read for a `LlamaCppSession`; see `Reading`.

    A prompt is read in a context of its own. So its logits do not depend on other sequences of the session, and a
    cancelled prompt leaves nothing in it.

    Args:
        weights: The weights of the model.
        threads: Processor threads.
        prompts: The prompts, none of them empty.
        part: See `OpenSession.join`.
        take_in: Called by `finish` with each distinct prompt, and with the index of the distinct prompt for each
            prompt; returns the result of `finish`.
        end: Called once, when the reading ends for any reason.
        kept: The prompts that the session keeps.
    """

    def __init__(
        self,
        weights: Weights,
        threads: int,
        prompts: Sequence[Sequence[int]],
        part: int,
        take_in: TakeIn,
        end: Callable[[], object],
        kept: KeptPrompts[ReadPrompt],
    ) -> None:
        places: dict[tuple[int, ...], int] = {}
        self._sources = [places.setdefault(tuple(prompt), len(places)) for prompt in prompts]
        self._prompts = list(places)
        self._kept = kept
        self._read = [kept.longest(prompt) for prompt in places]
        begun = [0 if read is None else read.length for read in self._read]
        self._parts = deque(
            (at, begin, end)
            for at, (prompt, first) in enumerate(zip(places, begun, strict=True))
            for begin, end in pairwise([first, *part_ends(len(prompt), part, first)])
        )
        self._weights, self._threads, self._take_in, self._end = weights, threads, take_in, end
        self._context: Context | None = None
        self._open = True
        self.left = sum(map(len, places)) - sum(begun)

    def read(self) -> int:
        """Read the next part, and return its number of tokens.

        Raises:
            ModelError: If llama.cpp fails, or all tokens are read.
        """
        if not self._open or not self._parts:
            raise ModelError("this reading has ended: join again")
        if self._context is None:
            self._context = Context(self._weights, max(map(len, self._prompts)), 1, self._threads)
        at, begin, end = self._parts.popleft()
        prompt, before = self._prompts[at], self._read[at]
        last = len(prompt) - 1
        if before is not None and begin == before.length:
            self._context.restore(before.state, 0)
        self._context.decode([(int(prompt[where]), where, 0, where == last) for where in range(begin, end)])
        if end == len(prompt):
            self._read[at] = read = ReadPrompt(end, self._context.state(0), self._context.rows(1)[0].copy())
            self._kept.keep(prompt, read)
            self._context.clear()
        self.left -= end - begin
        return end - begin

    def finish(self) -> tuple[list[int], NDArray[np.float32]]:
        """Let the sequences join the session; see `Reading.finish`."""
        if not self._open or self._parts:
            raise ModelError(f"{self.left} tokens of these prompts are not read yet, or the reading has ended")
        read, sources = [one for one in self._read if one is not None], self._sources
        self.close()
        return self._take_in(read, sources)

    def close(self) -> None:
        """Free the prompts."""
        if self._open:
            self._open = False
            self._context, self._read = None, []
            self._end()

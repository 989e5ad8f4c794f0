"""The zones that the texts of a host's requests end in, for policies that read `inside("zone")`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.engines.arrays import on_host
from dyntemp.engines.row_settings import RowSettings
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy
from dyntemp.models.pieces import Pieces
from dyntemp.traces.zones import inside_values
from dyntemp.zones.tracker import ZoneTracker
from dyntemp.zones.zone import listed

TokenBytes = Callable[[int], bytes]
"""The bytes of a token; those of a control token are its name, such as `<|im_end|>`."""


def token_bytes(tokenizer: Any) -> TokenBytes:
    """The bytes of each token of a tokenizer.

    Args:
        tokenizer: A tokenizer of transformers, or one with its methods; or a function of this kind.

    Raises:
        EngineError: If it is neither.
    """
    if hasattr(tokenizer, "convert_ids_to_tokens"):
        return cache(Pieces(tokenizer).full_bytes)
    if callable(tokenizer):
        return cache(tokenizer)
    raise EngineError(
        f"tokenizer={type(tokenizer).__name__} was given; a tokenizer of transformers is allowed, or a function that "
        "returns the bytes of a token"
    )


def inside_at(policy: Policy, tokens: Sequence[int], tokenizer: Any, own: str | Sequence[str]) -> dict[str, float]:
    """The value of each `inside("zone")` that a policy reads behind these tokens, by its text; for self-tests."""
    tracker = ZoneTracker.of(policy.zones, listed(own))
    if not tracker.names:
        return {}
    state = tracker.advance(tracker.start, b"".join(map(token_bytes(tokenizer), tokens)))
    return inside_values(tracker, state)


class Zones:
    """Follows the texts of requests, each through the zones that its policy reads.

    Args:
        tokenizer: As `token_bytes` takes it; None where no policy may read a zone.
        own: Zones of the user's own, as `parse_zone` reads them: one, or several.
        window: Number of tokens that a text may lose at its end without being read again from the beginning.
    """

    def __init__(self, tokenizer: Any, own: str | Sequence[str], window: int) -> None:
        self._token_bytes = None if tokenizer is None else token_bytes(tokenizer)
        self._own = listed(own)
        self._window = window
        self._texts: dict[int, _Text] = {}

    def tracker(self, policy: Policy, own: str | Sequence[str] = ()) -> ZoneTracker:
        """A tracker of the zones that a policy reads.

        Args:
            policy: The policy.
            own: Further zones of its request's own.

        Raises:
            PolicyError: For a zone that nobody defined, or a text that is no zone.
            EngineError: If there is no tokenizer.
        """
        found = ZoneTracker.of(policy.zones, [*self._own, *listed(own)])
        if found.names and self._token_bytes is None:
            raise EngineError(
                f"`{policy}` reads `inside(...)`, which needs the text of the tokens: pass tokenizer=, a tokenizer of "
                "transformers or a function that returns the bytes of a token"
            )
        return found

    def begin(self, slot: int, policy: Policy, own: str | Sequence[str] = ()) -> None:
        """Begin the text of a request; an earlier one in this slot is forgotten."""
        self.forget(slot)
        tracker = self.tracker(policy, own)
        if tracker.names and self._token_bytes is not None:
            self._texts[slot] = _Text(tracker, self._token_bytes, self._window)

    def forget(self, slot: int) -> None:
        """Drop the text of a slot."""
        self._texts.pop(slot, None)

    def inside(self, rows: RowSettings, text: Callable[[int], Any] | None) -> dict[str, NDArray[np.float64]]:
        """The value of each `inside("zone")` that a policy reads, [rows], by its text; 0 in rows that do not read it.

        Args:
            rows: The settings of each row.
            text: Returns the tokens before a row, by the row's number; see `Batch`.

        Raises:
            EngineError: If the tokens are needed, and were not told.
        """
        values: dict[str, NDArray[np.float64]] = {}
        if not self._texts:
            return values
        for row, policy in enumerate(rows.policies):
            if not policy.zones:
                continue
            if text is None:
                raise EngineError(f"`{policy}` reads `inside(...)`, and rows came without the tokens before them")
            followed = self._texts[int(rows.slots[row])]
            if rows.position[row] == 0:  # a host may begin another text without a word
                followed.restart()
            for name, value in followed.inside(text(row)).items():
                values.setdefault(name, np.zeros(len(rows.policies)))[row] = value
        return values


class _Text:
    """The text of one request: the tracker's states behind its latest tokens.

    Each step compares the latest tokens with those of the step before. So the states of rejected drafts are dropped.
    """

    def __init__(self, tracker: ZoneTracker, bytes_of: TokenBytes, window: int) -> None:
        self._tracker, self._bytes_of, self._window = tracker, bytes_of, window
        self.restart()

    def inside(self, text: Any) -> dict[str, float]:
        """The value of each zone behind these tokens, which are a sequence or an array."""
        if len(text) < self._before:
            self.restart()
        tokens = on_host(text[self._before :]).tolist()
        both = zip(self._tokens, tokens, strict=False)
        shared = next((at for at, (one, other) in enumerate(both) if one != other), min(len(self._tokens), len(tokens)))
        del self._tokens[shared:], self._states[shared + 1 :]
        self._follow(tokens[shared:])
        return inside_values(self._tracker, self._states[-1])

    def restart(self) -> None:
        """Forget what was read."""
        self._before = 0  # number of tokens before the first state
        self._tokens: list[int] = []
        self._states = [self._tracker.start]  # before the first of these tokens, and behind each

    def _follow(self, tokens: Sequence[int]) -> None:
        """Go on with further tokens. States are kept behind the latest ones alone."""
        late = max(0, len(tokens) - self._window)
        if late:
            skipped = b"".join(map(self._bytes_of, tokens[:late]))
            self._before += len(self._tokens) + late
            self._tokens, self._states = [], [self._tracker.advance(self._states[-1], skipped)]
        for token in tokens[late:]:
            self._tokens.append(token)
            self._states.append(self._tracker.advance(self._states[-1], self._bytes_of(token)))
        surplus = max(0, len(self._tokens) - self._window)
        del self._tokens[:surplus], self._states[:surplus]
        self._before += surplus

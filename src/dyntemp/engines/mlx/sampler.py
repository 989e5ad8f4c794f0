"""A policy in `sampler=` of MLX-LM: it decides the temperature of each token, and draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import Filters
from dyntemp.engines.arrays import beside, on_host
from dyntemp.engines.batch import Batch, Counts, Step
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.draw import draw_at
from dyntemp.engines.mlx.check import check_temperatures, run_host
from dyntemp.engines.mlx.sequences import Sequences, tokens_of
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError
from dyntemp.sampling import PolicyLike, new_seed


class DynamicTemperature:
    """A sampler for `sampler=` and `samplers=` of MLX-LM; see the package's description.

    A row with NaN, +inf or nothing unmasked gives its likeliest token. It is counted as broken, with one warning.

    Args:
        policy: The policy, or its text.
        seed: 64-bit seed; None draws one, which the attribute `seed` holds. The noise of a token follows from the seed,
            the number of its row and the number of calls. With `follow`, it follows from the seed, the number of its
            sequence and the token's position. For sequences with seeds of their own, make a sampler for each.
        top_k: Keep the k likeliest tokens; 0 keeps all.
        top_p: Keep the likeliest tokens that together have this probability; 1 keeps all.
        min_p: Keep tokens with at least this share of the likeliest token's probability; 0 keeps all.
        filter_at: The temperature at which filters read probabilities: `"model"`, 1, or `"temperature"`, the policy's.
        requested: The value of `requested` in the policy; at 0 every token is greedy.
        given: The value of each `given("name", low, high)`, by name; read again at every call.
        tokenizer: The model's tokenizer, for policies that read `inside(...)`.
        zones: Zones of your own, such as `"note=<note>...</note>"`: one, or several.
        record: Called with a `Step` at every call.

    Raises:
        PolicyError, EngineError: If `policy` is no policy, or has free parameters.
        ValueError: If a filter is outside its range.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        seed: int | None = None,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        filter_at: str = "model",
        requested: float = 1.0,
        given: Mapping[str, Any] | None = None,
        tokenizer: Any = None,
        zones: str | Sequence[str] = (),
        record: Callable[[Step], None] | None = None,
    ) -> None:
        self._zones = {"tokenizer": tokenizer, "zones": zones}
        self._requests = Requests(CAPABILITIES["mlx/sampler"], given=given, record=record, **self._zones)
        self.policy = self._requests.accept(policy)
        self.seed = new_seed() if seed is None else seed
        self.requested = requested
        filters = Filters(top_k, top_p, min_p, filter_at)
        self._filters: dict[str, Any] = {"top_k": filters.top_k, "top_p": top_p, "min_p": min_p, "filter_at": filter_at}
        self._sequences = Sequences(self._requests, self.policy, requested)
        self._followed: list[NDArray[np.int32]] = []
        self._drew = False  # since the last call of `follow`

    @property
    def counts(self) -> Counts:
        """Numbers of calls and rows; see `Counts`."""
        return self._requests.counts

    def follow(self, tokens: Any, logits: Any) -> Any:
        """Tell the sampler the tokens of the next row: for `logits_processors=`. The logits are returned unchanged.

        Raises:
            EngineError: If an earlier sequence got no row, since rows would then be taken for other sequences.
        """
        if self._drew and self._followed:
            raise EngineError(
                f"{len(self._followed)} texts were followed for which no row came, as after an error in the host, or "
                "where a sequence has `follow` without this sampler: call reset(), and give each sequence both"
            )
        self._drew = False
        self._followed.append(tokens_of(tokens))
        return logits

    def reset(self) -> None:
        """Forget all sequences: the next row of each begins a new one."""
        self._sequences = Sequences(self._requests, self.policy, self.requested)
        self._followed = []

    def __call__(self, logprobs: Any) -> Any:
        """A token for each row of log-probabilities, [rows, n] -> [rows].

        Raises:
            EngineError: If the policy needs `follow` and that was not called for each row, or if a sequence begins
                inside one that is being generated.
        """
        rows = on_host(logprobs)
        self._drew = True
        tokens, self._followed = self._followed[: len(rows)], self._followed[len(rows) :]
        if tokens or self._sequences.needed:
            slots, number = self._placed(tokens, len(rows))
            lengths, drawn = [len(one) for one in tokens], [int(one[-1]) for one in tokens]
            batch = Batch(rows, slots, lengths, drawn=drawn, text=tokens.__getitem__)
        else:
            slots, number = self._sequences.unplaced(len(rows)), [self.counts.calls] * len(rows)
            batch = Batch(rows, slots)
        temperature = self._requests.temperatures(batch)
        token = self._drawn(rows, temperature, np.array(slots), np.array(number))
        return beside(token.astype(np.uint32), logprobs)

    def _drawn(
        self, rows: NDArray[Any], temperature: NDArray[np.float64], request: NDArray[Any], number: NDArray[Any]
    ) -> NDArray[Any]:
        """The token of each row; the likeliest where the temperature is NaN, for greedy requests and broken rows."""
        token = np.empty(len(rows), np.int64)
        left = np.isnan(temperature)
        if left.any():
            token[left] = np.where(np.isnan(rows[left]), -np.inf, rows[left]).argmax(axis=-1)
        if not left.all():
            ours = slice(None) if not left.any() else ~left
            key = {"seed": self.seed, "request": request[ours], "position": number[ours]}
            token[ours] = draw_at(rows[ours], temperature[ours], **key, **self._filters).token
        return token

    def _placed(self, tokens: list[NDArray[np.int32]], rows: int) -> tuple[list[int], list[int]]:
        """The slot of each row's sequence, and the number of tokens generated in it."""
        if len(tokens) != rows:
            raise EngineError(
                f"{rows} rows came, and the tokens of {len(tokens)}, while `{self.policy}` reads what only tokens "
                "tell: pass logits_processors=[dynamic.follow] with every sequence of sampler=dynamic, and no "
                "draft_model="
            )
        slots = [self._sequences.find(one) for one in tokens]
        return slots, [len(one) - self._sequences.prompt(slot) for slot, one in zip(slots, tokens, strict=True)]

    def self_test(self, model: Any, tokenizer: Any, prompt: str = "Name a river.") -> Counts:
        """Generate four tokens with MLX-LM, and compare temperatures and tokens with the reference.

        Returns:
            The counts of that run.

        Raises:
            EngineError: If the host did not call, or a row's temperature or token is not the policy's.
        """
        steps: list[Step] = []
        twin = DynamicTemperature(
            self.policy, seed=self.seed, requested=self.requested, given=self._requests.given, record=steps.append,
            **self._filters, **self._zones,
        )  # fmt: skip
        yielded = run_host(model, tokenizer, prompt, twin, [twin.follow])
        rows = [on_host(one.logprobs) for one in yielded]
        check_temperatures(rows, steps, self.policy, self.requested, self._requests.given)
        for number, (row, step, one) in enumerate(zip(rows, steps, yielded, strict=False)):
            (expected,) = twin._drawn(row[None], step.temperature, np.zeros(1, np.int64), np.array([number]))
            if expected != one.token:
                raise EngineError(f"token {number} is {one.token}, and {expected} was drawn: does the host draw again?")
        return twin.counts

"""MLX-LM: a sampler that decides each token's temperature and draws it, and a processor that only scales.

    dynamic = DynamicTemperature("0.3 + 0.7*normalized_entropy**0.5", min_p=0.05, seed=7)
    generate(model, tokenizer, "Name a river.", sampler=dynamic)

The sampler takes the place of the host's temperature, truncation and draw, alone and in batches: rows of a
`BatchGenerator` that share one sampler come in one call, others one by one. It gets log-probabilities, and no word of
whose they are. So a policy that reads `position` or earlier tokens has to see the tokens as well:

    generate(model, tokenizer, prompt, sampler=dynamic, logits_processors=[dynamic.follow])

Without that its first call is an error: no step can be taken for another, and no text for the one before.

What to know:

- The host computes one token ahead, so it calls once more than it yields: of what `record` was told, the last is of a
  token that nobody saw. `zip` it with what was yielded.
- Each call waits for the row, so that the host cannot prepare the next step meanwhile.
- A model in bfloat16 gives log-probabilities rounded to bfloat16 again after the host's subtraction; the processor
  sees the logits before it.
- With `draft_model=`, draft and target are drawn by the same rule, and every token that comes out is drawn by the
  target's row. Policies that need `follow` are refused there, in the second round at the latest.
- `mlx_lm.server` has no field for a policy. One policy for all that it serves, which must not need `follow`, takes the
  place of a function of its module:

      mlx_lm.server._make_sampler = lambda args, tokenizer: DynamicTemperature(
          policy, requested=args.sampling.temperature, top_p=args.sampling.top_p, min_p=args.sampling.min_p)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import Filters
from dyntemp.engines.batch import Batch, Counts, Step
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.mlx.check import check_temperatures, run_host
from dyntemp.engines.mlx.texts import Texts, beside, on_host, tokens_of
from dyntemp.engines.requests import Requests, draw_at
from dyntemp.errors import EngineError
from dyntemp.sampling import PolicyLike, new_seed


class DynamicTemperature:
    """A sampler for `sampler=` and `samplers=` of MLX-LM; see the module's description.

    A row with NaN, +inf or nothing unmasked gives its likeliest token, is counted as broken, and warned about once.

    Args:
        policy: The policy, or its text.
        seed: 64-bit seed; None draws one, which `seed` names. The noise of a token is a function of the seed, its row
            and the number of calls, or, with `follow`, of the seed, the text's number and the token's position: texts
            that are to have seeds of their own get a sampler each.
        top_k: Keep the k likeliest; 0 keeps all.
        top_p: Keep the likeliest that together have this probability; 1 keeps all.
        min_p: Keep what has at least this share of the likeliest's probability; 0 keeps all.
        filter_at: Where filters read probabilities: `"model"`, at temperature 1, or `"temperature"`.
        requested: What the policy's `requested` reads; at 0 all is greedy.
        given: What each `given("name", low, high)` reads, by name; read anew at every call.
        record: Called with a `Step` at every call.

    Raises:
        PolicyError, EngineError: For what is no policy, or one with free parameters.
        ValueError: For a filter outside its range.
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
        record: Callable[[Step], None] | None = None,
    ) -> None:
        self._requests = Requests(CAPABILITIES["mlx/sampler"], given=given, record=record)
        self.policy = self._requests.accept(policy)
        self.seed = new_seed() if seed is None else seed
        self.requested = requested
        filters = Filters(top_k, top_p, min_p, filter_at)
        self._filters: dict[str, Any] = {"top_k": filters.top_k, "top_p": top_p, "min_p": min_p, "filter_at": filter_at}
        self._texts = Texts(self._requests, self.policy, requested)
        self._followed: list[NDArray[np.int32]] = []
        self._drew = False  # since the last text that was followed

    @property
    def counts(self) -> Counts:
        """How many rows came, and what became of them."""
        return self._requests.counts

    def follow(self, tokens: Any, logits: Any) -> Any:
        """The logits as they are: in `logits_processors=`, this tells the sampler which text the next row is of.

        Raises:
            EngineError: If no row came for a text before, so that rows would be taken for those of other texts.
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
        """Forget all texts: whatever comes next begins a new one."""
        self._texts = Texts(self._requests, self.policy, self.requested)
        self._followed = []

    def __call__(self, logprobs: Any) -> Any:
        """A token for each row of log-probabilities, [rows, n] -> [rows].

        Raises:
            EngineError: If the policy needs `follow` and that was not called for each row, or a text begins within one
                that is being generated.
        """
        rows = on_host(logprobs)
        self._drew = True
        texts, self._followed = self._followed[: len(rows)], self._followed[len(rows) :]
        if texts or self._texts.needed:
            slots, number = self._placed(texts, len(rows))
            batch = Batch(rows, slots, [len(text) for text in texts], drawn=[int(text[-1]) for text in texts])
        else:
            slots, number = self._texts.unplaced(len(rows)), [self.counts.calls] * len(rows)
            batch = Batch(rows, slots)
        temperature = self._requests.temperatures(batch)
        token = self._drawn(rows, temperature, np.array(slots), np.array(number))
        return beside(token.astype(np.uint32), logprobs)

    def _drawn(
        self, rows: NDArray[Any], temperature: NDArray[np.float64], request: NDArray[Any], number: NDArray[Any]
    ) -> NDArray[Any]:
        """The tokens, which are the likeliest where no temperature was decided: of greedy requests and broken rows."""
        token = np.empty(len(rows), np.int64)
        left = np.isnan(temperature)
        if left.any():
            token[left] = np.where(np.isnan(rows[left]), -np.inf, rows[left]).argmax(axis=-1)
        if not left.all():
            ours = slice(None) if not left.any() else ~left
            key = {"seed": self.seed, "request": request[ours], "position": number[ours]}
            token[ours] = draw_at(rows[ours], temperature[ours], **key, **self._filters).token
        return token

    def _placed(self, texts: list[NDArray[np.int32]], rows: int) -> tuple[list[int], list[int]]:
        """The slot of each row's text, and how many of its tokens were generated."""
        if len(texts) != rows:
            raise EngineError(
                f"{rows} rows came, and the tokens of {len(texts)}, while `{self.policy}` reads what only tokens tell: "
                "pass logits_processors=[dynamic.follow] with every sequence of sampler=dynamic, and no draft_model="
            )
        slots = [self._texts.find(text) for text in texts]
        return slots, [len(text) - self._texts.prompt(slot) for slot, text in zip(slots, texts, strict=True)]

    def self_test(self, model: Any, tokenizer: Any, prompt: str = "Name a river.") -> Counts:
        """Generate four tokens with MLX-LM, and compare what it was told and what it yields with the reference.

        Returns:
            The counts of that run.

        Raises:
            EngineError: If the host did not call, or a row's temperature or token is not the policy's.
        """
        steps: list[Step] = []
        twin = DynamicTemperature(
            self.policy, seed=self.seed, requested=self.requested, given=self._requests.given, record=steps.append,
            **self._filters,
        )  # fmt: skip
        yielded = run_host(model, tokenizer, prompt, twin, [twin.follow])
        rows = [on_host(one.logprobs) for one in yielded]
        check_temperatures(rows, steps, self.policy, self.requested, self._requests.given)
        for number, (row, step, one) in enumerate(zip(rows, steps, yielded, strict=False)):
            (expected,) = twin._drawn(row[None], step.temperature, np.zeros(1, np.int64), np.array([number]))
            if expected != one.token:
                raise EngineError(f"token {number} is {one.token}, and {expected} was drawn: does the host draw again?")
        return twin.counts


class ScaleLogits:
    """A processor for `logits_processors=` of MLX-LM that divides rows by their temperature, for a sampler of yours.

    It sees what the processors before it left, and its rows go on in float32. The host's own temperature comes after
    it and multiplies: leave it at 1, `make_sampler(temp=1.0, ...)`; at 0, the default, the host is greedy.

    A row is that of a text when it holds the text's tokens and one more: so one processor may serve a batch.

    Args:
        policy: The policy, or its text.
        given: What each `given("name", low, high)` reads, by name; read anew at every call.
        record: Called with a `Step` at every call.

    Raises:
        PolicyError, EngineError: For what is no policy, or one that reads `requested`.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        given: Mapping[str, Any] | None = None,
        record: Callable[[Step], None] | None = None,
    ) -> None:
        self._requests = Requests(CAPABILITIES["mlx/processor"], given=given, record=record)
        self.policy = self._requests.accept(policy)
        self._texts = Texts(self._requests, self.policy, 1.0)

    @property
    def counts(self) -> Counts:
        """How many rows came, and what became of them."""
        return self._requests.counts

    def reset(self) -> None:
        """Forget all texts: whatever comes next begins a new one."""
        self._texts = Texts(self._requests, self.policy, 1.0)

    def __call__(self, tokens: Any, logits: Any) -> Any:
        """The logits over their temperature, [1, n], in float32.

        Raises:
            EngineError: If the policy reads more than its row, and these tokens begin within a text that is being
                generated.
        """
        rows = on_host(logits)
        if self._texts.needed:
            text = tokens_of(tokens)
            batch = Batch(rows, [self._texts.find(text)], len(text), drawn=[int(text[-1])])
        else:
            batch = Batch(rows, self._texts.unplaced(len(rows)))
        return beside(self._requests.scale(batch), logits)

    def self_test(self, model: Any, tokenizer: Any, prompt: str = "Name a river.") -> Counts:
        """Generate four tokens with MLX-LM, and compare what it gave and what it yields with the reference.

        Returns:
            The counts of that run.

        Raises:
            EngineError: If the host did not call, or a row's temperature is not the policy's.
        """
        from mlx_lm.sample_utils import make_sampler

        steps: list[Step] = []
        rows: list[NDArray[Any]] = []

        def spy(tokens: Any, logits: Any) -> Any:  # noqa: ARG001  # the host's signature
            rows.append(on_host(logits)[0].copy())
            return logits

        twin = ScaleLogits(self.policy, given=self._requests.given, record=steps.append)
        yielded = run_host(model, tokenizer, prompt, make_sampler(temp=1.0), [spy, twin])
        check_temperatures(rows[: len(yielded)], steps, self.policy, 1.0, self._requests.given)
        for row, step, one in zip(rows, steps, yielded, strict=False):
            scaled = row / step.temperature[0]
            if not np.allclose(on_host(one.logprobs), scaled - np.logaddexp.reduce(scaled), rtol=1e-4, atol=1e-3):
                raise EngineError("the host yields other rows than were scaled: does a processor after ours undo it?")
        return twin.counts

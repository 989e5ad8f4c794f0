"""A policy in `logits_processors=` of MLX-LM, for a sampler of the host or of yours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.engines.arrays import beside, on_host
from dyntemp.engines.batch import Batch, Counts, Step
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.mlx.check import check_temperatures, run_host
from dyntemp.engines.mlx.sequences import Sequences, tokens_of
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError
from dyntemp.sampling import PolicyLike


class ScaleLogits:
    """A processor for `logits_processors=` of MLX-LM that divides rows by their temperature.

    It reads rows after the processors before it, and returns float32. The host's own temperature divides the rows once
    more: leave it at 1, `make_sampler(temp=1.0, ...)`. At 0, the default, the host is greedy.

    A row belongs to a sequence if its tokens are those of the sequence and one more. So one processor may serve a
    batch.

    Args:
        policy: The policy, or its text.
        given: The value of each `given("name", low, high)`, by name; read again at every call.
        tokenizer: The model's tokenizer, for policies that read `inside(...)`.
        zones: Zones of your own, such as `"note=<note>...</note>"`: one, or several.
        record: Called with a `Step` at every call.

    Raises:
        PolicyError, EngineError: If `policy` is no policy, or reads `requested`.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        given: Mapping[str, Any] | None = None,
        tokenizer: Any = None,
        zones: str | Sequence[str] = (),
        record: Callable[[Step], None] | None = None,
    ) -> None:
        self._zones = {"tokenizer": tokenizer, "zones": zones}
        self._requests = Requests(CAPABILITIES["mlx/processor"], given=given, record=record, **self._zones)
        self.policy = self._requests.accept(policy)
        self._sequences = Sequences(self._requests, self.policy, 1.0)

    @property
    def counts(self) -> Counts:
        """Numbers of calls and rows; see `Counts`."""
        return self._requests.counts

    def reset(self) -> None:
        """Forget all sequences: the next row of each begins a new one."""
        self._sequences = Sequences(self._requests, self.policy, 1.0)

    def __call__(self, tokens: Any, logits: Any) -> Any:
        """Logits divided by their temperature, float32; [1, n] -> [1, n].

        Raises:
            EngineError: If the policy reads more than its row, and these tokens end inside a sequence that is being
                generated.
        """
        rows = on_host(logits)
        if self._sequences.needed:
            known = tokens_of(tokens)
            slot = self._sequences.find(known)
            batch = Batch(rows, [slot], len(known), drawn=[int(known[-1])], text=[known].__getitem__)
        else:
            batch = Batch(rows, self._sequences.unplaced(len(rows)))
        return beside(self._requests.scale(batch), logits)

    def self_test(self, model: Any, tokenizer: Any, prompt: str = "Name a river.") -> Counts:
        """Generate four tokens with MLX-LM, and compare temperatures and rows with the reference.

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

        twin = ScaleLogits(self.policy, given=self._requests.given, record=steps.append, **self._zones)
        yielded = run_host(model, tokenizer, prompt, make_sampler(temp=1.0), [spy, twin])
        check_temperatures(rows[: len(yielded)], steps, self.policy, 1.0, self._requests.given)
        for row, step, one in zip(rows, steps, yielded, strict=False):
            scaled = row / step.temperature[0]
            if not np.allclose(on_host(one.logprobs), scaled - np.logaddexp.reduce(scaled), rtol=1e-4, atol=1e-3):
                raise EngineError("the host yields other rows than were scaled: does a processor after ours undo it?")
        return twin.counts

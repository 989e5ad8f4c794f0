"""PyTorch, for a loop of your own: a module that divides rows of logits by their temperature, or draws from them.

    scale = DynamicTemperature("0.3 + 0.7*normalized_entropy**0.5")
    probabilities = scale(model(tokens)[:, -1]).softmax(-1)

It is `dyntemp.scale` with memory for each sequence, sequences that begin and end with policies of their own, counts,
and parameters that learn:

    learned = DynamicTemperature('0.3 + param("b", 0, 2)*normalized_entropy', learn={"b": 0.7})
    loss = cross_entropy(learned(logits), targets)      # gradients in the logits, and in b

For gradients, and under `torch.compile(fullgraph=True)`, it computes in plain PyTorch and keeps no memory.
`dyntemp.models.torch_module` is for modules whose loop dyntemp runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dyntemp.engines.arrays import on_host
from dyntemp.engines.batch import Batch, Counts, Step
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.draw import draw_at
from dyntemp.engines.given import at_positions
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError
from dyntemp.kernels import backend_of
from dyntemp.language.given import numbers_at
from dyntemp.language.policy import Policy
from dyntemp.sampling import Draw, PolicyLike, as_policy, temperatures

try:
    import torch
    from torch.nn import Module
except ImportError:  # the error is raised when a module is made
    torch = None
    Module = object


class DynamicTemperature(Module):  # type: ignore[misc]  # PyTorch is not there when types are checked
    """A `torch.nn.Module` that divides rows of logits by their temperatures; see the description of this file.

    Args:
        policy: The policy of sequences without one of their own, or its text.
        learn: First values of free parameters. These become parameters of this module, clamped to their ranges.
        given: The value of each `given("name", low, high)`, by name; read again at every call.
        tokenizer: For policies that read `inside(...)`: a tokenizer of transformers, or a function that returns the
            bytes of a token.
        zones: Zones of your own, such as `"note=<note>...</note>"`: one, or several.
        window: Number of positions that a sequence may go back and run again.
        device: The device of the logits; policies keep their memory there.
        record: Called with a `Step` at every call that computes no gradient. On a device, each call is then waited for.

    Raises:
        PolicyError, EngineError: If `policy` is no policy, has parameters without values, or remembers while parameters
            learn.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        learn: Mapping[str, float] | None = None,
        given: Mapping[str, Any] | None = None,
        tokenizer: Any = None,
        zones: str | Sequence[str] = (),
        window: int = 64,
        device: Any = None,
        record: Callable[[Step], None] | None = None,
    ) -> None:
        if torch is None:
            raise EngineError("PyTorch is not installed: pip install 'dyntemp[torch]'")
        super().__init__()
        self.policy = as_policy(policy)
        there = None if device is None or torch.device(device).type == "cpu" else device
        self._requests = Requests(
            CAPABILITIES["torch"], window=window, device=there, given=given, tokenizer=tokenizer, zones=zones,
            record=record,
        )  # fmt: skip
        self._requests.accept(_with_values(self.policy, learn or {}))
        self.learned = None
        if learn:
            first = {name: torch.nn.Parameter(torch.tensor(float(value))) for name, value in learn.items()}
            self.learned = torch.nn.ParameterDict(first)
        self.register_buffer("_traced", torch.zeros(3, dtype=torch.int64), persistent=False)  # calls, rows, changed

    def extra_repr(self) -> str:
        """The policy, for `print(model)`."""
        return repr(str(self.policy))

    def begin(self, slot: int, policy: PolicyLike | None = None, *, requested: float = 1.0, prompt: int = 0) -> None:
        """Begin a sequence in `slot`. Not needed for a sequence with the defaults of these arguments.

        Args:
            slot: An integer of your choice.
            policy: Its policy; the module's by default.
            requested: The value of `requested`; at 0 its rows stay as they are.
            prompt: The value of `position` at the first generated token.

        Raises:
            PolicyError, EngineError: If `policy` is no policy, or has free parameters.
        """
        self._requests.begin(slot, self.policy if policy is None else policy, requested=requested, prompt=prompt)

    def end(self, slot: int) -> None:
        """End the sequence in `slot`."""
        self._requests.end(slot)

    def forward(
        self, logits: Any, *, slot: Any = None, position: Any = None, drawn: Any = None, text: Any = None,
        requested: Any = 1.0,
    ) -> Any:  # fmt: skip
        """`logits / temperature`, a new tensor.

        Args:
            logits: [rows, n].
            slot: The slot of each row, a list or an array; by default the rows' numbers.
            position: The index of the token that each row decides, one for all or one each. It counts from 0, or from
                the `prompt` of `begin`.
            drawn: The token before it, of each row, where a policy reads `surprisal`.
            text: All tokens before it, prompt included, of each row, where a policy reads `inside(...)`:
                [rows, length], or a list of such lists.
            requested: The value of `requested` where a gradient is computed; elsewhere `begin` sets it.

        Raises:
            EngineError: If the policy reads `position` or earlier tokens and `position` is missing, if it reads
                `inside(...)` and `text` is missing, or if it reads earlier tokens where a gradient is computed or the
                call is traced.
        """
        if self._is_traced(logits):
            return self._traced_forward(logits, position, requested)
        return self._requests.scale(self._batch(logits, slot, position, drawn, text))

    def draw(
        self, logits: Any, *, seed: int, slot: Any = None, position: Any = None, drawn: Any = None, text: Any = None,
        **filters: Any,
    ) -> Draw:  # fmt: skip
        """Draw a token of each row at its temperature: `scale.draw(logits, seed=7, position=step).token`.

        Args:
            logits: As for `forward`; draws have no gradient.
            seed: 64-bit seed. The noise follows from the seed, the slot and the position alone.
            slot: As for `forward`.
            position: As for `forward`, but required, since the noise depends on it.
            drawn: As for `forward`.
            text: As for `forward`.
            filters: `top_k`, `top_p`, `min_p`, `filter_at` and `filters` of `dyntemp.sample`.

        Raises:
            EngineError: As `forward`; also without `position`, and where parameters learn.
            InvalidLogitsError: If a row in the host's memory is broken. On a device, its token is -1.
        """
        if position is None:
            raise EngineError(
                "no position was given, which the noise counts by: pass the number of tokens generated so far"
            )
        if self.learned is not None:
            raise EngineError(f"parameters of `{self.policy}` learn: for draws, make a module of policy.bind(...)")
        logits = logits.detach()
        decided = self._requests.temperatures(self._batch(logits, slot, position, drawn, text))
        where = np if isinstance(decided, np.ndarray) else torch
        decided = where.where(where.isnan(decided), 0.0, decided)  # rows without a temperature are greedy
        return draw_at(logits, decided, seed=seed, request=slot, position=position, **filters)

    @property
    def counts(self) -> Counts:
        """The counts of all calls. `as_dict()` reads numbers on a device, and waits for them."""
        counts = self._requests.counts
        calls, rows, changed = self._traced
        return replace(
            counts, calls=counts.calls + calls, seen=counts.seen + rows, changed=counts.changed + changed,
            broken=counts.broken + rows - changed,
        )  # fmt: skip

    def self_test(self, n: int = 1000, rows: int = 16) -> Counts:
        """Scale rows from flat to sharp on this module's device, and compare with the reference.

        Returns:
            The counts of these rows.

        Raises:
            EngineError: If a row's temperature is not the policy's.
        """
        device = self._traced.device
        given = torch.linspace(-1, 1, n).repeat(rows, 1) * torch.logspace(-2, 2, rows)[:, None]
        ranges = self.policy.parameters
        learned = {
            name: value.clamp(ranges[name].low, ranges[name].high).item() for name, value in self._learned.items()
        }
        policy = self.policy.bind(**learned)
        twin = DynamicTemperature(policy, given=self._requests.given, device=device)
        scaled = twin(given.to(device), position=0).cpu().double()
        expected = temperatures(
            given.numpy(),
            policy,
            state=policy.state(rows),
            given=numbers_at(self._requests.given, 0),
            backend="reference",
        )
        found = ((given[:, -1] - given[:, 0]).double() / (scaled[:, -1] - scaled[:, 0])).numpy()
        if not np.allclose(found, expected, rtol=2e-5, atol=0):
            raise EngineError(f"rows were given T = {found}, and `{policy}` makes it {expected}")
        return twin.counts

    @property
    def _learned(self) -> dict[str, Any]:
        return {} if self.learned is None else dict(self.learned.items())

    def _is_traced(self, logits: Any) -> bool:
        if torch.compiler.is_compiling() or self.learned is not None:
            return True
        return bool(logits.requires_grad and torch.is_grad_enabled())

    def _traced_forward(self, logits: Any, position: Any, requested: Any) -> Any:
        """As `forward`, in PyTorch's own operations: for gradients and `torch.compile`."""
        self._check_position(position)
        position = 0 if position is None else position
        if self.policy.remembers or self.policy.zones:
            raise EngineError(
                f"`{self.policy}` reads earlier tokens, which has no gradient here and cannot be compiled: detach the "
                "logits, and call the module outside of torch.compile"
            )
        t = temperatures(
            logits, self.policy, position=position, requested=requested,
            given=at_positions(self._requests.given, np.array(position) if isinstance(position, list) else position),
            parameters=self._learned, backend="torch",
        )  # fmt: skip
        with torch.no_grad():
            self._traced[0] += 1
            self._traced[1] += logits.shape[0]
            self._traced[2] += (~t.isnan()).sum()
        return backend_of(logits, "torch").scale(logits, t)

    def _batch(self, logits: Any, slot: Any, position: Any, drawn: Any, text: Any) -> Batch:
        self._check_position(position)
        if slot is not None:
            slot = on_host(slot).tolist()
        for one in range(len(logits)) if slot is None else slot:
            if one not in self._requests:
                self._requests.begin(one, self.policy)
        told = None if text is None else text.__getitem__
        return Batch(logits, slot, 0 if position is None else on_host(position), drawn=drawn, text=told)

    def _check_position(self, position: Any) -> None:
        if position is None and self._requests.reads_place(self.policy):
            raise EngineError(f"`{self.policy}` reads more than its row: pass position=, the tokens generated so far")


def _with_values(policy: Policy, learn: Mapping[str, float]) -> Policy:
    """The policy with the first values of its parameters.

    Raises:
        PolicyError, EngineError: If it lacks a named parameter, or a parameter cannot learn.
    """
    if not learn:
        return policy
    for name, parameter in policy.parameters.items():
        if parameter.low is None:
            raise EngineError(f'`{name}` is to learn within a range: write param("{name}", low, high) in `{policy}`')
    if policy.remembers:
        raise EngineError(f"`{policy}` remembers, and has parameters that learn: bind them, policy.bind(...)")
    return policy.bind(**learn)

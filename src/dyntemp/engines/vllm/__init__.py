"""vLLM, in both of its runners: `--logits-processors dyntemp.engines.vllm:DynamicTemperature`.

    SamplingParams(extra_args={"dyntemp": "0.1 + 0.8*entropy"})          # offline
    extra_body={"vllm_xargs": {"dyntemp": "0.1 + 0.8*entropy"}}          # the openai client

The class has the interfaces of both runners. The first hands over its changes of a batch (`update_state`) and then rows
that it has divided by each request's own temperature; the second hands over new requests (`add_request`), whose slots
never move, and rows that it will divide.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.engines.batch import Batch, Counts
from dyntemp.engines.capabilities import CAPABILITIES, Capabilities
from dyntemp.engines.requests import Requests
from dyntemp.engines.vllm.check import self_test
from dyntemp.engines.vllm.files import LOG, Report, Trace, Worker
from dyntemp.engines.vllm.options import ID, OFF, Options, asked, refuse
from dyntemp.language.policy import Policy

__all__ = ["DynamicTemperature", "StatelessDynamicTemperature", "self_test"]

INTERFACES = ("vllm.v1.sample.logits_processor", "vllm.v1.worker.gpu.sample.logits_processor")
"""Where vLLM keeps the base class of its first and of its second runner."""


def _bases() -> tuple[Any, ...]:
    """The base classes that the installed vLLM has: both, of an older one the first, and without vLLM none."""
    found = []
    for name in INTERFACES:
        try:
            found.append(import_module(name).LogitsProcessor)
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("vllm"):
                raise
    return tuple(found)


BASES = _bases()


@dataclass(slots=True, eq=False)
class Place:
    """A request where the first runner has it: our slot, and the tokens that it generated, a live list."""

    slot: int
    output: list[int]


class DynamicTemperature(*BASES):  # type: ignore[misc]  # what is installed
    """A policy per request, which decides the temperature of each of its tokens.

    A request without a policy, with `"off"`, or with temperature 0 is left alone. `Options` is what can be set for the
    whole server. vLLM makes one in every worker.

    Args:
        vllm_config: vLLM's configuration.
        rest: A device and whether memory is pinned, from the first runner; the state of its requests, from the second.

    Attributes:
        counts: See `Counts`.

    Raises:
        EngineError: For options that cannot be met.
    """

    remembers: ClassVar[bool] = True

    def __init__(self, vllm_config: Any, *rest: Any) -> None:
        second = len(rest) == 1
        self._states: Any = rest[0] if second else None
        device = rest[0].device if second else rest[0]
        options = Options.of(vllm_config)
        self._drafts = getattr(vllm_config, "speculative_config", None) is not None
        refuse(vllm_config, options, self.remembers)
        worker = Worker("V2" if second else "V1", vllm_config)
        self._named: dict[int, str] = {}
        trace = None if options.trace is None else Trace(worker.path(options.trace, "jsonl"), self._named)
        self.requests = Requests(
            self.capabilities(second), divided="after" if second else "before",
            device=None if str(device) == "cpu" else device, backend=options.backend, record=trace,
        )  # fmt: skip
        self._default = None if options.policy in {None, OFF} else self.requests.accept(options.policy)
        self._begun = 0
        self._places: dict[int, Place] = {}
        self._free: list[int] = []
        self._rows: tuple[Any, list[list[int]]] | None = None
        self._report = Report(self.counts, worker, options.counts)
        weakref.finalize(self, self._report.tell, now=True)
        self._compile(device, options.backend, vllm_config)
        LOG.info(
            "dyntemp %s: %s runner, rank %s; %s", *(worker.facts[name] for name in ("dyntemp", "runner", "rank")),
            f"policy of requests that bring none: {self._default or 'none'}",
        )  # fmt: skip

    @classmethod
    def capabilities(cls, second: bool = False) -> Capabilities:
        """What can be done in one of the runners."""
        record = CAPABILITIES["vllm/v2" if second else "vllm/v1"]
        limits = "its rows are not in one order while the server drafts tokens; send a policy without memory"
        return record if cls.remembers else replace(record, remembers=False, limits=limits)

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Refuse a request in the front end, which answers it with HTTP 400 and the message.

        Raises:
            PolicyError, EngineError: For a policy that cannot be read or carried out here.
        """
        policy = asked(sampling_params.extra_args)
        if policy not in {None, OFF}:
            Requests(cls.capabilities()).accept(policy)

    @property
    def counts(self) -> Counts:
        """How often vLLM called."""
        return self.requests.counts

    def is_argmax_invariant(self) -> bool:
        """True: the first runner then calls after penalties and its temperature, and never for greedy batches."""
        return True

    def update_state(self, batch_update: Any) -> None:
        """The first runner's batch has changed: requests left, came, and moved, in this order."""
        if batch_update is None:
            return
        self._rows = None
        for index in batch_update.removed:
            self._leave(index)
        for index, params, _, output in batch_update.added:
            self._leave(index)
            place = Place(heappop(self._free) if self._free else len(self._places), output)
            self._places[index] = place
            self._begin(place.slot, params)
        for source, target, direction in batch_update.moved:
            here, there = self._places.pop(source, None), self._places.pop(target, None)
            if here is not None:
                self._places[target] = here
            if there is not None:
                self._places[source] = there
                if direction.name != "SWAP":
                    self._leave(source)
        if not self._places:
            self._report.tell(now=True)

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """The second runner has a request; whether its rows may change."""
        return self._begin(req_idx, sampling_params, int(self._states.prompt_len.np[req_idx]))

    def apply_staged_writes(self) -> None:
        """Nothing is staged for the second runner."""

    def apply(self, logits: Any, ctx: Any = None) -> Any:
        """The rows of one step, divided in place so that vLLM draws at the policies' temperatures."""
        batch = self._batch_of_places(logits) if ctx is None else self._batch_of_slots(logits, ctx)
        scaled = self.requests.scale(batch, out=logits)
        self._report.tell()
        return scaled

    def _batch_of_places(self, logits: Any) -> Batch:
        """The first runner's rows, in the order of its batch; positions are counted from the end of the prompt.

        While a long prompt is read in parts there are no tokens yet, so that its first position is run several times.
        """
        if self._rows is None:
            places = [self._places[index] for index in range(len(logits))]
            self._rows = np.array([place.slot for place in places], np.int64), [place.output for place in places]
        slots, outputs = self._rows
        return Batch(logits, slots, np.fromiter(map(len, outputs), np.int64, len(outputs)))

    def _batch_of_slots(self, logits: Any, ctx: Any) -> Batch:
        """The second runner's rows: one per request, or with drafts one for each of its tokens.

        A row decides the token after the one it was computed from. Until a prompt is read it decides nothing.
        """
        filled = self._states.prefill_len
        if self._drafts:
            position = ctx.pos + 1
            slots = ctx.expanded_idx_mapping
            return Batch(logits, slots, position, live=position >= filled.gpu[slots.long()])
        slots = np.asarray(ctx.idx_mapping_np, np.int64)
        position = np.asarray(ctx.seq_lens_upper_bound_np[: len(slots)], np.int64)
        return Batch(logits, slots, position, live=position >= filled.np[slots])

    def _begin(self, slot: int, params: Any, prompt: int = 0) -> bool:
        """A request takes a slot; whether its rows may change."""
        text = asked(params.extra_args)
        policy: Policy | str | None = self._default if text is None else text
        if policy is None or policy == OFF:
            self.requests.end(slot)
            return False
        self.requests.begin(slot, policy, requested=params.temperature, prompt=prompt)
        self._named[slot] = self._name(params.extra_args)
        return bool(params.temperature > GREEDY_AT)

    def _name(self, extra_args: Mapping[str, Any] | None) -> str:
        """What the trace calls a request: its own name, or the number of requests so far that had none."""
        name = (extra_args or {}).get(ID)
        self._begun += name is None
        return str(self._begun if name is None else name)

    def _leave(self, index: int) -> None:
        """Nobody is at this place any more."""
        place = self._places.pop(index, None)
        if place is not None:
            self.requests.end(place.slot)
            heappush(self._free, place.slot)

    def _compile(self, device: Any, backend: str | None, vllm_config: Any) -> None:
        """Have what is compiled on first use compiled before the server says that it is ready."""
        torch: Any = import_module("torch")
        rows = torch.zeros((2, vllm_config.model_config.get_vocab_size()), device=device)
        trial = Requests(
            self.capabilities(), divided=self.requests.divided, device=None if rows.is_cpu else device,
            backend=backend,
        )  # fmt: skip
        remembering = ["0.2 + ema(entropy, 0.5)"] if self.remembers else []
        for slot, policy in enumerate([self._default or "0.1 + 0.8*entropy", *remembering]):
            trial.begin(slot, policy, requested=0.5)
        trial.scale(Batch(rows), out=rows)


class StatelessDynamicTemperature(DynamicTemperature):
    """The same for servers that draft tokens (speculative decoding), in the second runner: no policy may remember."""

    remembers = False

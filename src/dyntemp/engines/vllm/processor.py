"""The logits processor that vLLM loads, with the interfaces of both of its runners.

The first runner hands over the changes of its batch (`update_state`), and then rows that it has divided by each
request's own temperature. The second hands over new requests (`add_request`), each in a slot of its own until it ends,
and rows that it divides afterwards.
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
from dyntemp.engines.request_fields import ID, KEY, OFF
from dyntemp.engines.requests import Requests
from dyntemp.engines.vllm.options import HERE, Options, accepted, asked, own_curves, own_given, own_zones, refuse
from dyntemp.engines.vllm.records import Records, Wanted, own_label
from dyntemp.engines.vllm.report import LOG, Report, Trace, Worker
from dyntemp.engines.vllm.tokens import ServedTokenizer, SlotTokens, Tokens
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy

INTERFACES = ("vllm.v1.sample.logits_processor", "vllm.v1.worker.gpu.sample.logits_processor")
"""The modules with the base class of vLLM's first runner, and of its second."""


def _bases() -> tuple[Any, ...]:
    """The base classes of the installed vLLM: two, one in older versions, none without vLLM."""
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
    """A request at an index of the first runner's batch.

    Attributes:
        slot: Its slot in `Requests`.
        tokens: Its tokens.
    """

    slot: int
    tokens: Tokens


class DynamicTemperature(*BASES):  # type: ignore[misc]  # what is installed
    """A policy per request, which decides the temperature of each of its tokens.

    Rows of a request without a policy, with the policy `"off"`, or with temperature 0 stay as they are. `Options` holds
    for the whole server. vLLM makes one processor in every worker.

    Args:
        vllm_config: vLLM's configuration.
        rest: From the first runner, a device and a flag for pinned memory; from the second, the state of its requests.

    Attributes:
        counts: See `Counts`.
        tokenizer: The bytes of the tokens, for policies that read `inside(...)`.

    Raises:
        EngineError: If the options cannot be carried out.
    """

    __module__ = HERE  # the public name, by which vLLM's processes and users find the class

    remembers: ClassVar[bool] = True

    def __init__(self, vllm_config: Any, *rest: Any) -> None:
        second = len(rest) == 1
        self._states: Any = rest[0] if second else None
        device = rest[0].device if second else rest[0]
        options = Options.of(vllm_config)
        self._drafts = getattr(vllm_config, "speculative_config", None) is not None
        refuse(vllm_config, options, self.remembers)
        worker = Worker("V2" if second else "V1", vllm_config)
        self.tokenizer = ServedTokenizer(vllm_config.model_config)
        self._named: dict[int, str] = {}
        trace = None if options.trace is None else Trace(worker.path(options.trace, "jsonl"), self._named)
        self.requests = Requests(
            self.capabilities(second), divided="after" if second else "before",
            device=None if str(device) == "cpu" else device, backend=options.backend, tokenizer=self.tokenizer,
            record=trace,
        )  # fmt: skip
        model = str(getattr(vllm_config.model_config, "model", ""))
        self._records = Records(options.records, worker, self.requests, self.tokenizer, model)
        self._default = None if options.policy in {None, OFF} else accepted(self.requests, options.policy)
        self._begun = 0
        self._places: dict[int, Place] = {}
        self._free: list[int] = []
        self._rows: tuple[Any, list[Tokens], list[list[int]]] | None = None
        self._report = Report(self.counts, worker, options.counts)
        weakref.finalize(self, self._report.tell, now=True)
        self._compile(device, options.backend, vllm_config)
        LOG.info(
            "dyntemp %s: %s runner, rank %s; %s", *(worker.facts[name] for name in ("dyntemp", "runner", "rank")),
            f"policy of requests that bring none: {self._default or 'none'}",
        )  # fmt: skip

    @classmethod
    def capabilities(cls, second: bool = False) -> Capabilities:
        """The record of the first runner, or of the second."""
        record = CAPABILITIES["vllm/v2" if second else "vllm/v1"]
        limits = "its rows are not in one order while the server drafts tokens; send a policy without memory"
        return record if cls.remembers else replace(record, remembers=False, given=False, zones=False, limits=limits)

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Check a request in vLLM's front end, which answers HTTP 400 with the message of an error.

        Raises:
            PolicyError, EngineError: If the policy cannot be read, or not be carried out here.
        """
        extra = sampling_params.extra_args
        policy, zones, given = asked(extra), own_zones(extra), own_given(extra)
        own_label(sampling_params)
        own_curves(sampling_params, second=False)
        if policy is not None and policy != OFF:
            accepted(Requests(cls.capabilities(), tokenizer=ServedTokenizer()), policy, zones, given)

    @property
    def counts(self) -> Counts:
        """Numbers of calls and rows; see `Counts`."""
        return self.requests.counts

    def is_argmax_invariant(self) -> bool:
        """True, so that the first runner calls after penalties and its temperature, and not for greedy batches."""
        return True

    def update_state(self, batch_update: Any) -> None:
        """Follow a change of the first runner's batch: requests removed, added and moved, in this order."""
        if batch_update is None:
            return
        self._rows = None
        for index in batch_update.removed:
            self._leave(index)
        for index, params, prompt, output in batch_update.added:
            self._leave(index)
            place = Place(heappop(self._free) if self._free else len(self._places), Tokens(prompt, output))
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
        """Begin a request of the second runner. Returns True if its rows may change."""
        return self._begin(req_idx, sampling_params, int(self._states.prompt_len.np[req_idx]))

    def apply_staged_writes(self) -> None:
        """Do nothing: no write is staged for the second runner."""

    def apply(self, logits: Any, ctx: Any = None) -> Any:
        """Divide the rows of one step in place, so that vLLM draws at the policies' temperatures."""
        batch = self._batch_of_places(logits) if ctx is None else self._batch_of_slots(logits, ctx)
        if self._records:
            self._follow(batch)
        scaled = self.requests.scale(batch, out=logits)
        self._report.tell()
        return scaled

    def _batch_of_places(self, logits: Any) -> Batch:
        """The first runner's rows, in the order of its batch. Positions are counted from the end of the prompt.

        While a long prompt is read in parts no token is generated yet, so its first position is run several times.
        """
        if self._rows is None:
            places = [self._places[index] for index in range(len(logits))]
            tokens = [place.tokens for place in places]
            self._rows = np.array([place.slot for place in places], np.int64), tokens, [one.output for one in tokens]
        slots, tokens, outputs = self._rows
        positions = np.fromiter(map(len, outputs), np.int64, len(outputs))
        return Batch(logits, slots, positions, text=tokens.__getitem__)

    def _batch_of_slots(self, logits: Any, ctx: Any) -> Batch:
        """The second runner's rows: one per request, or with drafts one per token of a request.

        A row decides the token after the one that it was computed from. Rows inside a prompt decide no token.
        """
        filled = self._states.prefill_len
        if self._drafts:
            position = ctx.pos + 1
            slots = ctx.expanded_idx_mapping
            return Batch(logits, slots, position, live=position >= filled.gpu[slots.long()])
        slots = np.asarray(ctx.idx_mapping_np, np.int64)
        position = np.asarray(ctx.seq_lens_upper_bound_np[: len(slots)], np.int64)
        tokens = self._states.all_token_ids
        return Batch(
            logits, slots, position, live=position >= filled.np[slots],
            text=lambda row: tokens.gpu[slots[row], : position[row]],
        )  # fmt: skip

    def _follow(self, batch: Batch) -> None:
        """Tell the traces the tokens that became known."""
        texts: dict[int, Tokens | SlotTokens]
        if self._states is None:
            texts = {place.slot: place.tokens for place in self._places.values()}
        else:
            held, prompts = self._states.all_token_ids.gpu, self._states.prompt_len.np
            rows = zip(batch.slot.tolist(), batch.position.tolist(), batch.live.tolist(), strict=True)
            texts = {slot: SlotTokens(held[slot], int(prompts[slot]), end) for slot, end, live in rows if live}
        for slot, tokens in texts.items():
            self._records.follow(slot, tokens)

    def _begin(self, slot: int, params: Any, prompt: int = 0) -> bool:
        """Begin a request in a slot. Returns True if its rows may change."""
        self._records.end(slot)
        label = own_label(params)
        text = asked(params.extra_args)
        policy: Policy | str | None = self._default if text is None else text
        if policy is None or policy == OFF:
            if label is not None:
                LOG.error("dyntemp: no trace of `%s`: it brings no policy, and this server has none", label)
            self.requests.end(slot)
            return False
        zones, given = own_zones(params.extra_args), own_given(params.extra_args)
        if self.requests.accept(policy, zones).zones and not self.tokenizer.exists:
            LOG.error(
                "dyntemp: `%s` reads `inside(...)`, and this server has no tokenizer: rows stay as they are", policy
            )
            self.requests.end(slot)
            return False
        self.requests.begin(
            slot, policy, requested=params.temperature, prompt=prompt, zones=zones, given=given,
            curves=self._tells_curves(params),
        )  # fmt: skip
        self._named[slot] = self._name(params.extra_args)
        if label is not None:
            accepted_policy = self.requests.accept(policy, zones)
            self._records.begin(slot, Wanted.of(label, accepted_policy, zones, params, second=self._states is not None))
        return bool(params.temperature > GREEDY_AT)

    def _tells_curves(self, params: Any) -> bool:
        """True if the trace is to hold the curves of a request; the log says why it cannot."""
        try:
            wanted = own_curves(params, second=self._states is not None)
        except EngineError as error:  # the front end knows one runner
            LOG.error("dyntemp: no curves: %s", error)
            return False
        if wanted and self.requests.record is None:
            LOG.error(
                "dyntemp: no curves: start the engine with a folder for its trace: --additional-config "
                '\'{"%s": {"trace": "FOLDER"}}\'', KEY,
            )  # fmt: skip
        return wanted and self.requests.record is not None

    def _name(self, extra_args: Mapping[str, Any] | None) -> str:
        """A request's name in the trace: its own, or the number of requests without a name so far."""
        name = (extra_args or {}).get(ID)
        self._begun += name is None
        return str(self._begun if name is None else name)

    def _leave(self, index: int) -> None:
        """End the request at an index of the first runner's batch, if there is one."""
        place = self._places.pop(index, None)
        if place is not None:
            self._records.end(place.slot, place.tokens)
            self.requests.end(place.slot)
            heappush(self._free, place.slot)

    def _compile(self, device: Any, backend: str | None, vllm_config: Any) -> None:
        """Run once the kernels that are compiled on first use, before the server reports that it is ready."""
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
    """A `DynamicTemperature` for servers with speculative decoding, in the second runner: policies may not remember."""

    __module__ = HERE

    remembers = False

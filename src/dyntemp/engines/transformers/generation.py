"""One `generate()` of transformers: its rows, and the settings that the user gave the adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dyntemp.engines.batch import Batch, Counts, Step
from dyntemp.engines.capabilities import Capabilities
from dyntemp.engines.requests import Requests
from dyntemp.engines.sequence_record import SequenceRecord
from dyntemp.engines.transformers.trace import GenerateTrace
from dyntemp.engines.zones import inside_at
from dyntemp.errors import EngineError
from dyntemp.language.given import numbers_at
from dyntemp.language.policy import Policy
from dyntemp.models.hidden import Given, HiddenStates, numbers
from dyntemp.sampling import PolicyLike

WINDOW = 256
"""Number of positions that `generate()` may go back: more than it ever drafts."""

BEAMS = (
    "`{policy}` reads earlier tokens of a row, or they are recorded, but beam search puts another text into the row at "
    "every step: set num_beams=1, or use a policy without `ema`, `prev`, `integral`, `surprisal`, `inside`, and no "
    "record="
)


@dataclass(frozen=True, slots=True, eq=False)
class AdapterSettings:
    """The settings of an adapter, for every `generate()` that it takes part in.

    Attributes:
        capabilities: The adapter's record.
        policy: The policy of all rows.
        counts: The counts to continue.
        given: The value of each `given("name", low, high)`, by name: a number, a list of numbers by position, an array
            of one per row, or a function of the hidden state; read again at every step.
        tokenizer: For policies that read `inside(...)`: the tokenizer, or a function that returns the bytes of a token.
        zones: Zones of the user's own.
        record: Called with each `Step`.
        trace: The trace of the `generate()`, which it then serves alone.
        watch: Called with each step's rows at temperature 1, and the numbers of `given`; for `self_test`.
        hidden: The hidden states of the model, where `given` has functions.
    """

    capabilities: Capabilities
    policy: Policy
    counts: Counts
    given: Mapping[str, Any] | None = None
    tokenizer: Any = None
    zones: str | Sequence[str] = ()
    record: Callable[[Step], None] | None = None
    trace: GenerateTrace | None = None
    watch: Callable[[tuple[Any, Mapping[str, Any] | None]], None] | None = None
    hidden: HiddenStates | None = None

    def requests(
        self, rows: int, device: Any, *, requested: float = 1.0, divided: Literal["never", "before"] = "never",
        prompt: int = 0, records: Sequence[SequenceRecord] = (),
    ) -> Requests:  # fmt: skip
        """New `Requests`, with one request for each row, in the slot of the row's number."""
        made = Requests(
            self.capabilities, divided=divided, window=WINDOW, device=None if device.type == "cpu" else device,
            given=self.given, tokenizer=self.tokenizer, zones=self.zones, record=self.record, counts=self.counts,
        )  # fmt: skip
        for row in reversed(range(rows)):  # the last first, so that the memory is made once
            made.begin(row, self.policy, requested=requested, prompt=prompt)
            if records:
                made.attach(row, records[row])
        return made


def accepted(
    capabilities: Capabilities, policy: PolicyLike, tokenizer: Any = None, zones: str | Sequence[str] = ()
) -> Policy:
    """Read a policy, and check that this adapter can carry it out.

    Raises:
        PolicyError, EngineError: As `Requests.accept`.
    """
    return Requests(capabilities, tokenizer=tokenizer, zones=zones).accept(policy)


def hidden_states(model: Any, given: Mapping[str, Any] | None) -> HiddenStates | None:
    """Hooks for the functions in `given`; None if it has none.

    Raises:
        EngineError: If there is a function and no model.
        ModelError: If the model has no such states.
    """
    functions = Given.of(given).functions
    if functions and model is None:
        raise EngineError(
            f"given[{next(iter(functions))!r}] is a function of the hidden state, and no model was given: pass model="
        )
    return HiddenStates(model, [*functions.values()]) if functions else None


class Generation:
    """The rows of one `generate()`, each a request in the slot of its number.

    A row's position is the number of tokens in `input_ids`. An assistant model and its target call with the same
    sequences, and go back to the first draft that was rejected. Memory is kept by position, so the target finds the
    memory of the accepted tokens.

    Args:
        settings: The settings of the adapter.
        input_ids: The prompts of the first step, padded on the left, [rows, length].
        scores: The rows of the first step, [rows, vocabulary].
        beams: True for log-probabilities, as in beam search.
        requested: The temperature that the host divides by.
        divided: `"before"` if the host divides the rows before it calls us.
    """

    def __init__(
        self, settings: AdapterSettings, input_ids: Any, scores: Any, *, beams: bool = False, requested: float = 1.0,
        divided: Literal["never", "before"] = "never",
    ) -> None:  # fmt: skip
        rows, self.prompt = input_ids.shape
        self._trace = trace = settings.trace
        records = () if trace is None else trace.begin(settings.policy, input_ids, requested)
        self.requests = settings.requests(
            rows, scores.device, requested=requested, divided=divided, prompt=self.prompt, records=records
        )
        self._policy = settings.policy
        self._watch = settings.watch
        self._given, self._hidden = Given.of(settings.given), settings.hidden
        self._divided_by = requested if divided == "before" else 1.0
        self._tokens_matter = settings.policy.remembers or bool(settings.policy.zones) or trace is not None
        reads_place = self.requests.reads_place(settings.policy)
        self._places_matter = self._tokens_matter or reads_place or settings.record is not None
        self._tokenizer, self._zones = settings.tokenizer, settings.zones
        self._padding = _padding(input_ids, settings.tokenizer) if settings.policy.zones else []
        self._beams = beams
        self._ids = input_ids

    def goes_on_with(self, input_ids: Any) -> bool:
        """True if a step with these ids belongs to this `generate()`.

        Where no policy depends on the tokens, only lengths are compared: a comparison of ids waits for a device.

        Raises:
            EngineError: If the rows were put in another order, as beam search does, and the policy reads earlier
                tokens.
        """
        last = self._ids
        length = input_ids.shape[1]
        if len(input_ids) != len(last) or not self.prompt <= length <= last.shape[1] + 1:
            return False
        if self._trace is not None and length < self._trace.known:
            return False
        if not self._places_matter:
            return True
        shared = max(length - 1, self.prompt)
        ids, before = input_ids[:, :shared], last[:, :shared]
        if bool((ids == before).all()):
            return True
        reordered = length == last.shape[1] + 1 and bool((ids[:, None] == before).all(-1).any(-1).all())
        if reordered and self._tokens_matter:
            raise EngineError(BEAMS.format(policy=self._policy))
        return reordered

    def batch(self, input_ids: Any, scores: Any) -> Batch:
        """A step's rows, for `Requests`."""
        self._ids = input_ids
        length = input_ids.shape[1]
        if self._hidden is not None:
            found = numbers(self._given.functions, self._hidden.take())
            self.requests.given = {**self._given.numbers, **found}
        if self._watch is not None:
            text = self._text(0).tolist() if self._policy.zones else []
            inside = inside_at(self._policy, text, self._tokenizer, self._zones)
            given = numbers_at(self.requests.given, length - self.prompt)
            self._watch((scores * self._divided_by, {**given, **inside}))
        drawn = input_ids[:, -1].tolist() if self._policy.reads_surprisal and length > self.prompt else None
        space: Literal["logits", "log-probabilities"] = "log-probabilities" if self._beams else "logits"
        return Batch(scores, position=length, drawn=drawn, space=space, text=self._text)

    def scale(self, input_ids: Any, scores: Any) -> Any:
        """Divide the rows by their temperatures; a new tensor."""
        return self.requests.scale(self.batch(input_ids, scores))

    def _text(self, row: int) -> Any:
        """The tokens of a row, without its padding."""
        return self._ids[row, self._padding[row] :]


def _padding(input_ids: Any, tokenizer: Any) -> list[int]:
    """The number of padding tokens on the left of each row."""
    pad = getattr(tokenizer, "pad_token_id", None)
    found: list[int] = [0] * len(input_ids) if pad is None else (input_ids != pad).int().argmax(-1).tolist()
    return found

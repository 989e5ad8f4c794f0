"""A policy in `logits_processor=`, before the host's own temperature and truncation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock, Thread, current_thread
from typing import Any
from weakref import WeakKeyDictionary, finalize

from dyntemp.engines.batch import Counts
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.host_trace import Record, split_record
from dyntemp.engines.transformers.check import check_scores, four_tokens
from dyntemp.engines.transformers.generation import AdapterSettings, Generation, accepted, hidden_states
from dyntemp.engines.transformers.trace import GenerateTrace
from dyntemp.sampling import PolicyLike

RECORD = CAPABILITIES["transformers/processor"]

NEUTRAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}
"""Settings that `neutral` always sets: transformers sets `top_k` to 50 by default."""

NEUTRAL_IF_SET = {"min_p": 0.0, "typical_p": 1.0, "epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "top_h": None}
"""Settings that `neutral` sets where the model's own generation config has another value."""


def neutral(model: Any = None) -> dict[str, Any]:
    """Arguments of `generate()`, or of a `GenerationConfig`, that switch off its own temperature and truncation.

    Penalties and constraints keep their values: they are applied before the policy. A `top_h` of the model's own
    generation config is overruled by arguments of `generate()` only.

    Args:
        model: The model, or its generation config; settings there are switched off too.

    >>> neutral()
    {'do_sample': True, 'temperature': 1.0, 'top_k': 0, 'top_p': 1.0}
    """
    config = getattr(model, "generation_config", model)
    own = {name: value for name, value in NEUTRAL_IF_SET.items() if getattr(config, name, None) not in (None, value)}
    return {"do_sample": True, **NEUTRAL, **own}


class DynamicTemperature:
    """A logits processor that divides each row by the temperature of a policy.

    `generate()` divides and truncates the rows once more, unless `neutral(model)` switches that off. A processor cannot
    see that; `self_test` does. A processor cannot see either that tokens are not sampled. So greedy rows are scaled
    too, which changes no choice except at an infinite temperature. Finished rows of a batch are scaled and counted.

        with DynamicTemperature("0.1 + 0.8*entropy", record="run.jsonl", tokenizer=tokenizer, model=model) as processor:
            model.generate(**inputs, **neutral(model), **processor.arguments)

    One object serves any number of `generate()` calls in turn, and one in each thread at a time. A new call is
    recognised by its `input_ids`, which do not continue those of the step before. A call whose `input_ids` do continue
    them counts on: `generate(generate(ids))`, or a step after a rejected draft. `restart()` between two calls prevents
    that.

    Args:
        policy: A policy, or its text.
        given: The value of each `given("name", low, high)`, by name: a number, a list of numbers by position, an
            array of one per row, or a function of the hidden
            state, see `dyntemp.models.hidden`; read at every step.
        tokenizer: The model's tokenizer, for policies that read `inside(...)`.
        zones: Zones of your own, such as `"note=<note>...</note>"`: one, or several.
        record: A file for the trace of one `generate()`, for which `tokenizer` is needed, and `arguments` among those
            of `generate()`; or a function that is called with each `Step`, those of an assistant model and
            of prompt lookup's drafts included.
        model: The model, where `given` has functions, or for a trace. Its hooks are removed with this object.

    Attributes:
        policy: The policy.
        counts: See `Counts`.

    Raises:
        PolicyError: If `policy` is no policy, or reads a zone that nobody defined.
        EngineError: If it has parameters without values, if it reads a zone or a trace is asked for and `tokenizer` is
            missing, or if `given` has functions and `model` is missing.
        TraceError: If the file of the trace is there.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        given: Mapping[str, Any] | None = None,
        tokenizer: Any = None,
        zones: str | Sequence[str] = (),
        record: Record | None = None,
        model: Any = None,
    ) -> None:
        self.policy = accepted(RECORD, policy, tokenizer, zones)
        self.counts = Counts()
        hidden = hidden_states(model, given)
        if hidden is not None:
            finalize(self, hidden.close)
        call, path = split_record(record)
        trace = None if path is None else GenerateTrace(path, RECORD, tokenizer, zones, model)
        self._settings = AdapterSettings(
            RECORD, self.policy, self.counts, given, tokenizer, zones, record=call, trace=trace, hidden=hidden
        )
        self._running: WeakKeyDictionary[Thread, dict[Any, Generation]] = WeakKeyDictionary()
        self._lock = Lock()

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Divide the rows by their temperatures; a new tensor.

        Args:
            input_ids: The tokens before each row, [rows, length].
            scores: [rows, vocabulary], float32.


        Raises:
            EngineError: In beam search with a policy that reads earlier tokens.
        """
        with self._lock:
            running = self._running.setdefault(current_thread(), {})
            key = scores.shape[-1], scores.device  # an assistant may have another vocabulary, or another device
            generation = running.get(key)
            if generation is None or not generation.goes_on_with(input_ids):
                generation = running[key] = self._begin(input_ids, scores)
            return generation.scale(input_ids, scores)

    def _begin(self, input_ids: Any, scores: Any) -> Generation:
        """Begin a new `generate()`.

        Rows without a positive entry may be log-probabilities of beams. They are normalised again, which changes no
        draw where they are logits.
        """
        return Generation(self._settings, input_ids, scores, beams=bool((scores.amax(-1) <= 0).all()))

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `generate()`: this processor, and what tells its trace the tokens."""
        trace = self._settings.trace
        return {"logits_processor": [self], **({} if trace is None else {"stopping_criteria": [trace.watch]})}

    def __enter__(self) -> DynamicTemperature:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Close the trace.

        Raises:
            EngineError: If it has no token.
        """
        trace = self._settings.trace
        if trace is not None:
            trace.close()
            if kind is None:
                trace.check()

    def restart(self) -> None:
        """Take the next call in this thread as the first step of a `generate()`."""
        self._running.pop(current_thread(), None)

    def self_test(self, model: Any, **settings: Any) -> None:
        """Generate four tokens, and check that the host called this processor and drew from its rows unchanged.

        Args:
            model: The model.
            settings: The arguments of your calls of `generate()`; by default `neutral(model)`.

        Raises:
            EngineError: If the host did not call, or changed the rows afterwards; the message says what to set.
        """
        rows: list[Any] = []
        ours = self._settings
        twin = DynamicTemperature(
            self.policy, given=ours.given, tokenizer=ours.tokenizer, zones=ours.zones, model=model
        )
        twin._settings = replace(twin._settings, watch=rows.append)
        output = four_tokens(model, settings or neutral(model), logits_processor=[twin])
        check_scores(self.policy, rows, output, instead="pass **neutral(model) to generate()")

"""transformers: a policy in `generate()`, in one of three forms.

    model.generate(**inputs, **neutral(model), logits_processor=[DynamicTemperature("0.1 + 0.8*normalized_entropy")])

    with AfterWarpers(model):      # behind the host's own temperature, top-k, top-p: assistants, beams, streamers
        model.generate(**inputs, generation_config=GenerationConfig(do_sample=True, top_p=0.9, dyntemp="0.1 + entropy"))

    sampler = DynamicSampler("0.3 + 0.7*normalized_entropy**0.5", seed=7)      # draws the tokens itself
    model.generate(**inputs, custom_generate=sampler, do_sample=True, min_p=0.05, token_streamer=streamer)

| form | rows are measured | why take it |
|---|---|---|
| `DynamicTemperature` | behind penalties, before the host's temperature and truncation | nothing is touched |
| `AfterWarpers` | behind truncation too | no neutral settings; the generation config holds the policy |
| `DynamicSampler` | as the first; truncation is ours, at temperature 1 | a seed for each row, one fast draw |

Run with transformers 5.23.0 and 4.57.6. Importing this module does not import transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock, Thread, current_thread
from typing import Any
from weakref import WeakKeyDictionary

from dyntemp.engines.batch import Counts, Step
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.transformers.after import AfterWarpers
from dyntemp.engines.transformers.check import check_scores, four_tokens
from dyntemp.engines.transformers.draw import DynamicSampler
from dyntemp.engines.transformers.rows import Generation, Wanted, accepted
from dyntemp.sampling import PolicyLike

__all__ = ["AfterWarpers", "DynamicSampler", "DynamicTemperature", "neutral"]

RECORD = CAPABILITIES["transformers/processor"]

NEUTRAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}
"""What is always set: transformers itself sets `top_k` to 50 where nobody does."""

NEUTRAL_IF_SET = {"min_p": 0.0, "typical_p": 1.0, "epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "top_h": None}
"""What is set where the model's own generation config has something else."""


def neutral(model: Any = None) -> dict[str, Any]:
    """Arguments of `generate()`, or of a `GenerationConfig`, that let its own temperature and truncation do nothing.

    Penalties and constraints are left as they are: they change what the model says, not how it is drawn, and come
    before the policy. A `top_h` of the model's own generation config yields to arguments of `generate()` only.

    Args:
        model: The model, or its generation config, whose own settings are to be overruled too.

    >>> neutral()
    {'do_sample': True, 'temperature': 1.0, 'top_k': 0, 'top_p': 1.0}
    """
    config = getattr(model, "generation_config", model)
    own = {name: value for name, value in NEUTRAL_IF_SET.items() if getattr(config, name, None) not in (None, value)}
    return {"do_sample": True, **NEUTRAL, **own}


class DynamicTemperature:
    """A logits processor that divides each row by the temperature of a policy.

    `generate()` divides and truncates the rows once more, unless told not to by `neutral(model)`; `self_test` finds
    that out. It cannot be seen from here, and neither can whether the tokens are sampled: greedy rows are scaled too,
    which changes no choice but at an infinite temperature. Finished rows of a batch go on being processed, and
    counted.

    One object serves any number of `generate()` in turn, and one in each thread at a time. A new one is told from the
    next step by its `input_ids`, which do not go on with those before. What goes on where the last one stopped,
    `generate(generate(ids))`, or from within its text, as after a rejected draft, counts on, unless `restart()` is
    called between them.

    Args:
        policy: A policy, or what makes one.
        given: What each `given("name", low, high)` reads, by name: a number, or one per row; read at every step.
        record: Called with each `Step`. Steps of an assistant model, and those by which prompt lookup tries its
            drafts, are among them.

    Attributes:
        policy: The policy.
        counts: See `Counts`.

    Raises:
        PolicyError: For what is no policy.
        EngineError: For a policy with parameters that have no values.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        given: Mapping[str, Any] | None = None,
        record: Callable[[Step], None] | None = None,
    ) -> None:
        self.policy = accepted(RECORD, policy)
        self.counts = Counts()
        self._wanted = Wanted(RECORD, self.policy, self.counts, given, record)
        self._running: WeakKeyDictionary[Thread, dict[Any, Generation]] = WeakKeyDictionary()
        self._lock = Lock()

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The rows over their temperatures: `scores` is [rows, vocabulary], float32, and stays as it is.

        Raises:
            EngineError: In beam search with a policy that remembers.
        """
        with self._lock:
            running = self._running.setdefault(current_thread(), {})
            which = scores.shape[-1], scores.device  # an assistant may have a vocabulary, and a device, of its own
            generation = running.get(which)
            if generation is None or not generation.goes_on_with(input_ids):
                generation = running[which] = self._begin(input_ids, scores)
            return generation.scale(input_ids, scores)

    def _begin(self, input_ids: Any, scores: Any) -> Generation:
        """The rows of a new `generate()`.

        Rows without a positive entry may be log-probabilities of beams, which have to come back normalised; for those
        that are not, that changes nothing.
        """
        return Generation(self._wanted, input_ids, scores, beams=bool((scores.amax(-1) <= 0).all()))

    def restart(self) -> None:
        """The next call in this thread is the first step of a `generate()`, whatever its `input_ids`."""
        self._running.pop(current_thread(), None)

    def self_test(self, model: Any, **settings: Any) -> None:
        """Let the model generate four tokens, and check that its host called us and drew from our rows as they are.

        Args:
            model: The model.
            settings: What `generate()` will be called with; by default `neutral(model)`.

        Raises:
            EngineError: If it did not call, or changed the rows afterwards; the message says what to set.
        """
        rows: list[Any] = []
        twin = DynamicTemperature(self.policy, given=self._wanted.given)
        twin._wanted = replace(twin._wanted, watch=rows.append)
        output = four_tokens(model, settings or neutral(model), logits_processor=[twin])
        check_scores(self.policy, rows, output, self._wanted.given, instead="pass **neutral(model) to generate()")

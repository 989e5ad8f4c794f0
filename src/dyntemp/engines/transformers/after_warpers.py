"""A policy after the host's own temperature and truncation, read from the generation config."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dyntemp.engines.batch import Batch, Counts
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.host_trace import Record, split_record
from dyntemp.engines.transformers.check import OF_SELF_TEST, check_scores, four_tokens
from dyntemp.engines.transformers.generation import BEAMS, AdapterSettings, Generation, accepted, hidden_states
from dyntemp.engines.transformers.trace import GenerateTrace
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy
from dyntemp.models.hidden import HiddenStates
from dyntemp.sampling import PolicyLike

RECORD = CAPABILITIES["transformers/after-warpers"]

METHOD = "_get_logits_processor"
"""The private method of a model that lists the processors of a `generate()`, the warpers last."""

ATTRIBUTE = "dyntemp"
"""The attribute of a `GenerationConfig` that holds the policy, as text."""


class AfterWarpers:
    """A hook in a model that adds the policy of a generation config to `generate()`, after all warpers.

    The policy is text: `GenerationConfig(do_sample=True, dyntemp="0.1 + 0.8*entropy")`, or
    `model.generation_config.dyntemp = "..."`. It goes through JSON, `save_pretrained` and `from_pretrained`. (In the
    config of a model that was made in code, transformers drops such settings: give it a new `GenerationConfig`.)

    The policy measures and scales rows after penalties, constraints and truncation. The host's own temperature is
    undone; it is the value of `requested`. Without `do_sample=True` no row is changed. Streamers, batches, assistants
    and `return_dict_in_generate` work as before.

    The hook replaces one private method of this one model object, since no public argument will do. Processors in
    `logits_processor=` come before the warpers. A `custom_generate=` callable loses the streamer, beams and assistants.
    The last processor, of `watermarking_config=`, knows neither the temperature nor `do_sample`. `uninstall()`, or the
    end of the `with` block, restores the method. One model serves one thread at a time.

    Args:
        model: A model with `generate()`.
        policy: The policy of generation configs without one; by default their rows stay as they are.
        given: The value of each `given("name", low, high)`, by name: a number, a list of numbers by position, an
            array of one per row, or a function of the hidden
            state, see `dyntemp.models.hidden`; read at every step.
        tokenizer: The model's tokenizer, for policies that read `inside(...)`.
        zones: Zones of your own, such as `"note=<note>...</note>"`: one, or several.
        record: A file for the trace of one `generate()`, for which `tokenizer` is needed, and `arguments` among those
            of `generate()`; or a function that is called with each `Step`.

    Attributes:
        counts: See `Counts`.

    Raises:
        PolicyError, EngineError: If `policy` cannot be read, or not be carried out here; or if a trace is asked for
            without `tokenizer`.
        TraceError: If the file of the trace is there.
    """

    def __init__(
        self,
        model: Any,
        policy: PolicyLike | None = None,
        *,
        given: Mapping[str, Any] | None = None,
        tokenizer: Any = None,
        zones: str | Sequence[str] = (),
        record: Record | None = None,
    ) -> None:
        self.counts = Counts()
        self._model = model
        self._tokenizer, self._zones = tokenizer, zones
        self._policy = None if policy is None else self._accepted(policy)
        self._given = given
        self._record, path = split_record(record)
        self._trace = None if path is None else GenerateTrace(path, RECORD, tokenizer, zones, model)
        self._watch: Callable[[Any], None] | None = None
        self._hidden: HiddenStates | None = None
        self._original: Callable[..., Any] | None = None
        self._before: Any = None

    def install(self) -> AfterWarpers:
        """Install the hook, and return it.

        Raises:
            EngineError: If the model has such a hook already, or this version of transformers lacks the method.
        """
        if isinstance(getattr(getattr(self._model, METHOD, None), "__self__", None), AfterWarpers):
            raise EngineError("this model has such a hook already: uninstall() that one first")
        original = getattr(self._model, METHOD, None)
        place = getattr(type(self._model), METHOD, None)
        if place is None or "generation_config" not in inspect.signature(place).parameters:
            raise EngineError(
                f"{type(self._model).__name__} has no method {METHOD}(generation_config, ...), which this hook needs; "
                "transformers 4.57 and 5.23 have it. Use DynamicTemperature or DynamicSampler, which need no hook"
            )
        self._hidden = hidden_states(self._model, self._given)
        self._before = vars(self._model).get(METHOD)
        self._original = original
        setattr(self._model, METHOD, self._listed)
        return self

    def uninstall(self) -> None:
        """Remove the hook, if it is installed.

        Raises:
            EngineError: If the method was replaced once more since.
        """
        if self._trace is not None:
            self._trace.close()
        if self._original is None:
            return
        if vars(self._model).get(METHOD) != self._listed:
            raise EngineError(f"{METHOD} of this model was replaced after this hook: take that hook out first")
        if self._before is None:
            delattr(self._model, METHOD)
        else:
            setattr(self._model, METHOD, self._before)
        self._original = None
        if self._hidden is not None:
            self._hidden.close()
            self._hidden = None

    def __enter__(self) -> AfterWarpers:
        return self.install()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Remove the hook, and close the trace.

        Raises:
            EngineError: If the trace has no token.
        """
        self.uninstall()
        if self._trace is not None and kind is None:
            self._trace.check()

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `generate()`, which tell a trace the tokens; empty without one."""
        return {} if self._trace is None else {"stopping_criteria": [self._trace.watch]}

    def _listed(self, *arguments: Any, **keywords: Any) -> Any:
        """The host's processors, with ours after the warpers."""
        if self._original is None:
            raise EngineError("the hook was taken out while generate() ran")
        processors = self._original(*arguments, **keywords)
        config = keywords["generation_config"] if "generation_config" in keywords else arguments[0]
        chosen = getattr(config, ATTRIBUTE, None)
        policy = self._policy if chosen is None else self._accepted(chosen)
        if policy is None or not config.do_sample or any(isinstance(one, _Warper) for one in processors):
            return processors
        continuous = "input_ids_seq_length" not in keywords and len(arguments) < 2
        settings = AdapterSettings(
            RECORD, policy, counts=self.counts, given=self._given, tokenizer=self._tokenizer, zones=self._zones,
            record=self._record, trace=None if self._watch else self._trace, watch=self._watch, hidden=self._hidden,
        )  # fmt: skip
        ours = _BatchWarper(settings, config, self._model.device) if continuous else _Warper(settings, config)
        if self._trace is not None:
            self._trace.configure(config, self._model)
        last = [config.watermarking_config is not None, config.renormalize_logits is True]  # these come after warpers
        processors.insert(len(processors) - sum(last), ours)
        return processors

    def self_test(self, **settings: Any) -> None:
        """Generate four tokens, and check that the host called this hook and drew from its rows unchanged.

        These rows are counted too. Where no policy is set, the test has one of its own.

        Args:
            settings: The arguments of your calls of `generate()`.

        Raises:
            EngineError: If the host did not call, or changed the rows afterwards.
        """
        config = settings.get("generation_config", self._model.generation_config)
        chosen = settings.get(ATTRIBUTE, getattr(config, ATTRIBUTE, None))
        policy = self._policy or Policy(OF_SELF_TEST) if chosen is None else self._accepted(chosen)
        rows: list[Any] = []
        before, self._policy, self._watch = self._policy, policy, rows.append
        try:
            output = four_tokens(self._model, {"do_sample": True, **settings})
        finally:
            self._policy, self._watch = before, None
        requested = settings.get("temperature", config.temperature)
        check_scores(policy, rows, output, instead="install() the hook, and no other behind it",
                     requested=1.0 if requested is None else requested)  # fmt: skip

    def _accepted(self, policy: PolicyLike) -> Policy:
        return accepted(RECORD, policy, self._tokenizer, self._zones)


class _Warper:
    """The policy in one `generate()`, after the warpers."""

    def __init__(self, settings: AdapterSettings, config: Any) -> None:
        self._settings = settings
        self._beams = (config.num_beams or 1) > 1
        if self._beams and (settings.policy.remembers or settings.policy.zones or settings.trace):
            raise EngineError(BEAMS.format(policy=settings.policy))
        self._requested = _temperature(config)
        self._generation: Generation | None = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if self._generation is None:
            self._generation = Generation(
                self._settings, input_ids, scores, beams=self._beams, requested=self._requested, divided="before"
            )
        return self._generation.scale(input_ids, scores)


class _BatchWarper:
    """The policy in `generate_batch()`, which does not say which sequence a row belongs to."""

    supports_continuous_batching = True

    def __init__(self, settings: AdapterSettings, config: Any, device: Any) -> None:
        if settings.hidden is not None or settings.trace is not None:
            raise EngineError(
                "functions in `given`, or a file as record=, were given for generate_batch(), whose rows mix passes: "
                "use generate()"
            )
        self._requests = settings.requests(0, device)
        more = self._requests.reads_place(settings.policy) or settings.policy.zones
        if more or device.type != "cpu" or _temperature(config) != 1:
            raise EngineError(
                f"`{settings.policy}` was given for generate_batch() on {device} at temperature "
                f"{_temperature(config)}; "
                "policies that read the row alone are allowed there, on a CPU, at temperature=1.0: use generate()"
            )
        self._settings = settings
        self._rows = 0

    def __call__(self, _: Any, scores: Any) -> Any:
        for row in range(self._rows, len(scores)):
            self._requests.begin(row, self._settings.policy)
        self._rows = max(self._rows, len(scores))
        if self._settings.watch is not None:
            self._settings.watch((scores.clone(), self._settings.given))
        return self._requests.scale(Batch(scores))


def _temperature(config: Any) -> float:
    """The temperature of a generation config; 1 where it has none."""
    return 1.0 if config.temperature is None else float(config.temperature)

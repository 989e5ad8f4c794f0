"""A policy in `custom_generate=`: transformers computes the logits, and we draw the tokens."""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dyntemp.distribution.filters import Filters
from dyntemp.engines.arrays import beside, on_host
from dyntemp.engines.batch import Counts
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.draw import draw_at
from dyntemp.engines.host_trace import Record, split_record
from dyntemp.engines.transformers.check import check_draws, four_tokens
from dyntemp.engines.transformers.generation import AdapterSettings, Generation, accepted, hidden_states
from dyntemp.engines.transformers.trace import GenerateTrace
from dyntemp.errors import EngineError
from dyntemp.sampling import PolicyLike, new_seed

RECORD = CAPABILITIES["transformers/custom-generate"]

UNUSED = {"typical_p": 1.0, "epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "top_h": None, "watermarking_config": None,
          "prompt_lookup_num_tokens": None}  # fmt: skip
"""Settings that this form does not support, with the values that switch them off."""


class DynamicSampler:
    """Draws the tokens of a `generate()`, with noise of its own, at the temperatures of a policy.

    The loop is the host's: stopping criteria, batches with padding and end tokens, caches, `return_dict_in_generate`
    and streamers work. `top_k`, `top_p` and `min_p` are read from the generation config, and applied by dyntemp at
    temperature 1 (see `dyntemp.sample`). The config's `temperature` is the value of `requested`, and has no other
    effect. Without `do_sample=True` the host decodes greedily, with a warning in the log. `output_scores` are 0 at the
    token drawn and -inf elsewhere; `output_logits` are the model's.

    transformers does not pass `streamer=`, `assistant_model=` and `tokenizer=` to such a callable. Give the streamer as
    `token_streamer=`. An assistant is not used. `stop_strings` need a `StopStringCriteria` in `stopping_criteria=`.
    One sampler serves one `generate()` at a time.

    Args:
        policy: A policy, or its text.
        seed: 64-bit seed for all rows, or one for each; None draws one for each `generate()`. A row with a seed of its
            own gets the same tokens alone and in any batch. Rows that share a seed get noise by their order.
        given: The value of each `given("name", low, high)`, by name: a number, a list of numbers by position, an
            array of one per row, or a function of the hidden
            state, see `dyntemp.models.hidden`; read at every step.
        tokenizer: The model's tokenizer, for policies that read `inside(...)`.
        zones: Zones of your own, such as `"note=<note>...</note>"`: one, or several.
        filters: A chain of filters, in place of `top_k`, `top_p` and `min_p` of the generation config.
        record: A file for the trace of one `generate()`, for which `tokenizer` is needed; or a function that is called
            with each `Step`. Rows with seeds of their own go into no trace.

    Attributes:
        policy: The policy.
        filters: The chain of filters; None where the generation config has them.
        seeds: The seed of each row of the latest `generate()`.
        counts: See `Counts`. Finished rows of a batch are processed and counted too.

    Raises:
        PolicyError: If `policy` is no policy, or reads a zone that nobody defined.
        EngineError: If it has parameters without values, or reads a zone or writes a trace and `tokenizer` is missing.
        TraceError: If the file of the trace is there.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        seed: int | Sequence[int] | None = None,
        given: Mapping[str, Any] | None = None,
        tokenizer: Any = None,
        zones: str | Sequence[str] = (),
        filters: Filters | str | None = None,
        record: Record | None = None,
    ) -> None:
        self.policy = accepted(RECORD, policy, tokenizer, zones)
        self.filters = Filters.read(filters) if isinstance(filters, str) else filters
        self.counts = Counts()
        self.seeds: list[int] = []
        self._seed = seed
        self._draw: _Draw | None = None
        call, path = split_record(record)
        trace = None if path is None else GenerateTrace(path, RECORD, tokenizer, zones)
        self._settings = AdapterSettings(
            RECORD, self.policy, self.counts, given, tokenizer, zones, record=call, trace=trace
        )

    def __call__(
        self,
        model: Any,
        input_ids: Any,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        seed: int | Sequence[int] | None = None,
        token_streamer: Any = None,
        **model_kwargs: Any,
    ) -> Any:
        """Generate the tokens; called by `generate(..., custom_generate=self, seed=..., token_streamer=...)`.

        Args:
            model: The model. transformers prepares this argument and the next four.
            input_ids: The prompts.
            logits_processor: The host's processors.
            stopping_criteria: The host's criteria.
            generation_config: All settings.
            model_kwargs: Further arguments of the model.
            seed: A seed for this call, in place of the sampler's own.
            token_streamer: A streamer, which receives the prompt, each token and the end.

        Raises:
            EngineError: If beams or an unsupported setting are asked for, the number of seeds is wrong, or a trace is
            asked for of a greedy text, or of rows with seeds of their own.
        """
        check_settings(generation_config)
        if token_streamer is not None:
            token_streamer.put(input_ids.cpu())
        config, trace = generation_config, self._settings.trace
        hidden = None
        if config.do_sample:
            self.seeds = _seeds(self._seed if seed is None else seed, len(input_ids))
            hidden = hidden_states(model, self._settings.given)
            self._draw = _Draw(replace(self._settings, hidden=hidden), config, self.seeds, self.filters)
            if trace is not None:
                trace.configure(config, model, filters=self._draw.filters, seed=_shared(self.seeds))
                stopping_criteria = type(stopping_criteria)([*stopping_criteria, trace.watch])
            logits_processor = type(logits_processor)([*_without_warpers(logits_processor, config), self._draw])
            config = copy.copy(config)
            config.do_sample = False  # one token is left: taking the likeliest is faster than a draw
        elif trace is not None:
            raise EngineError(
                "record= was given, and a greedy text has no policy: pass do_sample=True; the policy 0 is greedy"
            )
        else:
            logging.getLogger("dyntemp").warning("dyntemp: do_sample is not set, so tokens are the likeliest ones")
        try:
            return model._sample(  # noqa: SLF001
                input_ids, logits_processor=logits_processor, stopping_criteria=stopping_criteria,
                generation_config=config, streamer=token_streamer, **model_kwargs,
            )  # fmt: skip
        finally:
            if hidden is not None:
                hidden.close()
            if trace is not None:
                trace.close()

    def self_test(self, model: Any, **settings: Any) -> None:
        """Generate four tokens, and check that they are those that `dyntemp.sample` draws.

        Args:
            model: The model.
            settings: The arguments of your calls of `generate()`.

        Raises:
            EngineError: If the host did not call, or the tokens differ.
        """
        rows: list[Any] = []
        ours = self._settings
        twin = DynamicSampler(
            self.policy, seed=7, given=ours.given, tokenizer=ours.tokenizer, zones=ours.zones, filters=self.filters
        )
        twin._settings = replace(twin._settings, watch=rows.append)
        output = four_tokens(model, {"do_sample": True, **settings}, custom_generate=twin)
        if twin._draw is None:
            raise EngineError("the host did not call: pass do_sample=True and custom_generate=sampler to generate()")
        check_draws(self.policy, rows, output, 7, twin._draw.filters, twin._draw.requested)


class _Draw:
    """A logits processor that leaves one token in each row: the one that it draws."""

    def __init__(
        self, settings: AdapterSettings, config: Any, seeds: Sequence[int], filters: Filters | None
    ) -> None:  # fmt: skip
        self._settings = settings
        self.requested = 1.0 if config.temperature is None else float(config.temperature)
        self.filters = filters_of(config) if filters is None else filters
        self._seeds = np.array(seeds, np.uint64)
        seen: Counter[int] = Counter()
        self._numbers = np.zeros(len(seeds), np.int64)
        for row, seed in enumerate(seeds):
            self._numbers[row] = seen[seed]
            seen[seed] += 1
        self._generation: Generation | None = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if self._generation is None:
            self._generation = Generation(self._settings, input_ids, scores, requested=self.requested)
        generation = self._generation
        temperature = on_host(generation.requests.temperatures(generation.batch(input_ids, scores)))
        ours = np.flatnonzero(~np.isnan(temperature))  # the others are broken, and stay as they are
        at = slice(None) if len(ours) == len(scores) else beside(ours, scores)
        tokens = draw_at(
            scores[at], temperature[ours], seed=self._seeds[ours], request=self._numbers[ours],
            position=input_ids.shape[1] - generation.prompt, filters=self.filters,
        ).token if len(ours) else []  # fmt: skip
        chosen = scores.clone()
        chosen[at] = -np.inf
        chosen[beside(ours, scores), beside(np.asarray(tokens), scores)] = 0.0
        return chosen


def filters_of(config: Any) -> Filters:
    """The truncation of a generation config."""
    return Filters(config.top_k or 0, 1.0 if config.top_p is None else config.top_p, config.min_p or 0.0)


def check_settings(config: Any) -> None:
    """Check that this form supports all settings of a generation config.

    Raises:
        EngineError: If it does not; the message says what to do instead.
    """
    if (config.num_beams or 1) > 1:
        raise EngineError(
            f"num_beams = {config.num_beams} was given; DynamicSampler draws one token per row: set num_beams=1, or "
            "use DynamicTemperature or AfterWarpers"
        )
    for name, nothing in UNUSED.items():
        value = getattr(config, name, None)
        if value is not None and value != nothing:
            raise EngineError(
                f"{name} = {value} was given; DynamicSampler knows top_k, top_p and min_p, and drafts nothing: leave "
                "it out, or use AfterWarpers"
            )


def _without_warpers(processors: Any, config: Any) -> list[Any]:
    """The host's processors without its warpers: temperature, top-k, top-p, min-p and the normalisation."""
    names = ["TemperatureLogitsWarper"] * (config.temperature not in (None, 1.0))
    names += ["TopKLogitsWarper"] * bool(config.top_k) + ["TopPLogitsWarper"] * (
        config.top_p is not None and config.top_p < 1
    )
    names += ["MinPLogitsWarper"] * (config.min_p is not None) + ["LogitNormalization"] * (
        config.renormalize_logits is True
    )
    first = len(processors) - len(names)
    found = [type(processor).__name__ for processor in processors[first:]]
    if found != names:
        raise EngineError(
            f"this version of transformers lists {found} where {names} were expected; DynamicSampler knows 4.57 and "
            "5.23: use DynamicTemperature"
        )
    return list(processors[:first])


def _seeds(seed: int | Sequence[int] | None, rows: int) -> list[int]:
    """A seed for each row.

    Raises:
        EngineError: If there are neither one seed nor as many as rows.
    """
    if seed is None or isinstance(seed, (int, np.integer)):
        return [new_seed() if seed is None else int(seed)] * rows
    if len(seed) != rows:
        raise EngineError(f"{len(seed)} seeds were given for {rows} rows; pass one for all, or one per row")
    return [int(one) for one in seed]


def _shared(seeds: Sequence[int]) -> int:
    """The seed of all rows, as a trace has it.

    Raises:
        EngineError: If there are several.
    """
    if len(set(seeds)) > 1:
        raise EngineError(f"{len(set(seeds))} seeds were given, and a trace has one: give one seed for all rows")
    return seeds[0]

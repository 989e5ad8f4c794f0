"""The model `dyntemp` of the harness: transformers, with the tokens of generated texts drawn under a policy."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dyntemp.engines.transformers import DynamicSampler
from dyntemp.errors import EngineError
from dyntemp.evaluation.lm_eval.arguments import Draws, read_arguments

HFLM: Any = import_module("lm_eval.models.huggingface").HFLM


class PolicyHFLM(HFLM):  # type: ignore[misc]  # the harness has no types for us
    """The harness's `hf` model, whose generated texts are drawn under a policy.

    All requests `generate_until` are sampled, those of tasks with `do_sample: false` too. A positive `temperature` of
    the request is the value of `requested`, and has no other effect. `top_k`, `top_p` and `min_p` of the request or of
    the model's own generation config apply, unless `filters` is given. Log-likelihoods do not know the policy.

    Args:
        pretrained: The model, as in `hf`.
        policy: A policy, a number, or `@` and the name of a file.
        filters: A chain of filters in place of the request's, such as `min_p(0.05), temperature`.
        seed: Seed of all texts. A text does not depend on the batch that it is in.
        zones: Zones of your own, for policies that read `inside(...)`: `"note=<note>...</note>"`, or several.
        rest: The other arguments of `hf`.

    Raises:
        ValueError: For a policy, filters or zones that cannot be used.
    """

    def __init__(
        self, pretrained: Any, *, policy: Any, filters: str | None = None, seed: int = 0,
        zones: str | list[str] = "", **rest: Any,
    ) -> None:  # fmt: skip
        chosen, chain = read_arguments(policy, filters)  # a mistake is found before the model is loaded
        super().__init__(pretrained, **rest)
        if self.backend != "causal":
            raise EngineError(f"{pretrained} is a {self.backend} model; causal models are supported: use hf for it")
        self._draws = Draws(int(seed))
        self._sampler = DynamicSampler(
            chosen, tokenizer=self.tokenizer if chosen.zones else None, zones=zones or (), filters=chain
        )

    def _model_generate(self, context: Any, max_length: int, stop: list[str], **settings: Any) -> Any:
        """One batch of texts."""
        masks = settings["attention_mask"]
        seeds = [self._draws.seed_of(ids[mask.bool()].tolist()) for ids, mask in zip(context, masks, strict=True)]
        ours = {"custom_generate": self._sampler, "seed": seeds}
        return super()._model_generate(context, max_length, stop, **self._draws.sampled(settings), **ours)

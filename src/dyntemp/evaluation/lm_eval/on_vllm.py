"""The model `dyntemp-vllm` of the harness: vLLM, with our processor in its sampler."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dyntemp.engines.request_fields import KEY
from dyntemp.evaluation.host_fields import vllm_filters
from dyntemp.evaluation.lm_eval.arguments import Draws, read_arguments
from dyntemp.evaluation.vllm_runner import PROCESSOR

VLLM: Any = import_module("lm_eval.models.vllm_causallms").VLLM


class PolicyVLLM(VLLM):  # type: ignore[misc]  # the harness has no types for us
    """The harness's `vllm` model, whose generated texts are drawn at the temperatures of a policy.

    Requests are sampled as those of `dyntemp` are. vLLM draws, with `top_k`, `top_p` and `min_p` of the request unless
    `filters` is given. Log-likelihoods do not know the policy.

    Args:
        pretrained: The model, as in `vllm`.
        policy: A policy, a number, or `@` and the name of a file.
        filters: A chain of filters in vLLM's order, in place of the request's: `min_p(0.05), temperature, top_p(0.9)`.
        seed: Seed of all texts, and of vLLM itself.
        rest: The other arguments of `vllm`.

    Raises:
        ValueError: For a policy or filters that cannot be used.
    """

    def __init__(
        self, pretrained: str, *, policy: Any, filters: str | None = None, seed: int = 0, **rest: Any
    ) -> None:  # fmt: skip
        chosen, chain = read_arguments(policy, filters)
        self._policy = str(chosen)
        self._truncation: dict[str, Any] = {} if chain is None else vllm_filters(chain)
        self._draws = Draws(int(seed))
        super().__init__(pretrained, seed=int(seed), logits_processors=[PROCESSOR], **rest)

    def modify_gen_kwargs(self, gen_kwargs: dict[str, Any], **rest: Any) -> tuple[dict[str, Any], list[str], int]:
        """vLLM's settings for a request, its stop texts, and its most tokens; the policy and filters are ours."""
        settings, until, most = super().modify_gen_kwargs(gen_kwargs, **rest)
        settings = {**self._draws.sampled(settings), **self._truncation}
        del settings["do_sample"]
        settings["extra_args"] = {**settings.get("extra_args", {}), KEY: self._policy}
        return settings, until, most

    def _model_generate(self, requests: list[list[int]], generate: bool = False, sampling_params: Any = None) -> Any:
        """The texts, or the log-likelihoods, of some prompts."""
        if generate:
            for prompt, params in zip(requests, sampling_params, strict=True):
                params.seed = self._draws.seed_of(prompt)
        return super()._model_generate(requests, generate, sampling_params)

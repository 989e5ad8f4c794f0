"""Fakes of transformers' `generate()`, with rows and tokens of a test. They need PyTorch alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

from dyntemp.engines.batch import Counts, Step
from dyntemp.engines.transformers import AfterWarpers, DynamicSampler, DynamicTemperature
from dyntemp.kernels import backend_of
from dyntemp.testing.fake_host import Asked, FakeHost, Row
from dyntemp.testing.spelling import OWN_ZONE, spelled

VOCABULARY = 1000


class Generate(FakeHost):
    """One `generate()` at a time, with a batch of prompts of one length that run together to the last step.

    A step passes float32 scores, [rows, vocabulary], and all ids so far, a new tensor each time. Rows of finished
    requests are processed too.
    """

    mixes = False
    joins = False
    vocabulary = VOCABULARY

    def __init__(self) -> None:
        self.torch: Any = import_module("torch")
        self.random = np.random.default_rng(0)
        self.requests: list[int] = []
        self.process: Callable[[Any, Any], Any]
        self.ids: Any = None
        self.begun = 0

    def begin(self, asked: Sequence[Asked]) -> list[int]:
        """Begin a `generate()` with prompts of equal settings."""
        first = asked[0]
        chosen = [one.tokens for one in asked]
        self.ids = self.torch.tensor(
            chosen if first.tokens else self.random.integers(0, VOCABULARY, (len(asked), first.prompt))
        )
        self.process = self.plug(first)
        self.requests = list(range(self.begun, self.begun + len(asked)))
        self.begun += len(asked)
        return list(self.requests)

    def plug(self, asked: Asked) -> Callable[[Any, Any], Any]:
        """A function for the steps of a new `generate()`: (ids, scores) -> the rows that are drawn from."""
        raise NotImplementedError

    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Run a step. Rows of finished requests hold logits after padding."""
        rest = self.random.normal(0, 3, VOCABULARY).astype(np.float32)
        scores = self.torch.from_numpy(np.stack([rows.get(request, rest) for request in self.requests]))
        before = scores.numpy().tobytes()
        found = self.process(self.ids.clone(), scores)
        assert scores.numpy().tobytes() == before, "the host keeps the scores as its output_logits"
        return {request: row for request, row in zip(self.requests, found.numpy(), strict=True) if request in rows}

    def draw(self, tokens: Mapping[int, int]) -> None:
        """Append a token to each sequence, and padding to finished ones."""
        new = self.torch.tensor([[tokens.get(request, 0)] for request in self.requests])
        self.ids = self.torch.cat([self.ids, new], dim=1)

    def take_back(self, count: int) -> bool:
        """Shorten all sequences."""
        self.ids = self.ids[:, :-count]
        return True

    def finish(self, request: int) -> None:
        """End a request, whose row stays in the batch."""


class WithProcessor(Generate):
    """`generate(logits_processor=[DynamicTemperature(...)], **neutral(model))`, with one processor for each policy."""

    adapter = "transformers/processor"
    tells_requested = False

    def __init__(self) -> None:
        super().__init__()
        self.processors: dict[str, DynamicTemperature] = {}

    def plug(self, asked: Asked) -> Callable[[Any, Any], Any]:
        """The processor, which may have served another `generate()` before."""
        key = str(asked.policy)
        if key not in self.processors:
            self.processors[key] = DynamicTemperature(asked.policy or 1.0, tokenizer=spelled, zones=OWN_ZONE)
        return self.processors[key]

    @property
    def counts(self) -> Counts:
        """The counts of the latest processor."""
        return list(self.processors.values())[-1].counts


class FakeModel:
    """The parts of a model of transformers that `generate()` and the adapters call."""

    def __init__(self) -> None:
        self.device = import_module("torch").device("cpu")

    def _get_logits_processor(self, generation_config: Any, input_ids_seq_length: int | None = None) -> list[Any]:
        del input_ids_seq_length
        t = generation_config.temperature
        return [TemperatureLogitsWarper(t)] if generation_config.do_sample and t != 1.0 else []

    def _sample(self, input_ids: Any, *, logits_processor: Any, **_: Any) -> Any:
        del input_ids
        return logits_processor


class TemperatureLogitsWarper:
    """The host's own warper for the temperature."""

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def __call__(self, _: Any, scores: Any) -> Any:
        """Divide the rows by the temperature."""
        return scores / self.temperature


def config_of(asked: Asked) -> SimpleNamespace:
    """A generation config with all settings, as `generate()` completes it; greedy without a temperature."""
    return SimpleNamespace(
        do_sample=asked.requested > 0, temperature=asked.requested or 1.0, top_k=0, top_p=1.0, min_p=None, num_beams=1,
        renormalize_logits=None, watermarking_config=None, dyntemp=asked.policy,
    )  # fmt: skip


class WithHook(Generate):
    """`AfterWarpers(model)`, with the policy and the host's own temperature in the generation config."""

    adapter = "transformers/after-warpers"

    def __init__(self) -> None:
        super().__init__()
        self.model = FakeModel()
        self.hook = AfterWarpers(self.model, tokenizer=spelled, zones=OWN_ZONE).install()

    def plug(self, asked: Asked) -> Callable[[Any, Any], Any]:
        """All processors that the host lists."""
        listed = self.model._get_logits_processor(  # noqa: SLF001
            generation_config=config_of(asked), input_ids_seq_length=asked.prompt
        )

        def process(ids: Any, scores: Any) -> Any:
            for processor in listed:
                scores = processor(ids, scores)
            return scores

        return process

    @property
    def counts(self) -> Counts:
        """The counts of the hook."""
        return self.hook.counts


class WithSampler(Generate):
    """`custom_generate=DynamicSampler(...)`; the rows returned are the distributions of the draws."""

    adapter = "transformers/custom-generate"

    def __init__(self) -> None:
        super().__init__()
        self.sampler = DynamicSampler(1.0)
        self.steps: list[Step] = []

    def plug(self, asked: Asked) -> Callable[[Any, Any], Any]:
        """The processors that the sampler passes to the host's loop, with the sampler's record of each step."""
        model, config = FakeModel(), config_of(asked)
        self.sampler = DynamicSampler(
            asked.policy or 1.0, seed=7, tokenizer=spelled, zones=OWN_ZONE, record=self.steps.append
        )
        listed = self.sampler(
            model, self.ids, model._get_logits_processor(config, asked.prompt), [], config  # noqa: SLF001
        )  # fmt: skip

        def process(ids: Any, scores: Any) -> Any:
            self.steps.clear()
            for processor in listed:
                processor(ids, scores)
            if not self.steps:
                return scores
            return backend_of(scores, "reference").scale(scores, self.steps[0].temperature)

        return process

    @property
    def counts(self) -> Counts:
        """The counts of the latest sampler."""
        return self.sampler.counts

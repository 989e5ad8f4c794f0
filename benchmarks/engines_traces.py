"""What the trace of a host costs: the same texts with and without `record=`, in transformers and llama.cpp."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import engines_llama_cpp as cpp
import engines_transformers as hf
import torch
from hosts import POLICY, Case

from dyntemp.engines.llama_cpp import DynamicLlama
from dyntemp.engines.transformers import DynamicSampler, DynamicTemperature, neutral


def cases() -> Iterator[Case]:
    """Each form without a trace, and then with one."""
    with tempfile.TemporaryDirectory() as there:
        names = (str(Path(there) / f"{number}.jsonl") for number in count())
        name, model, tokens, _ = hf.narrow()
        yield from _transformers(f"{name}, 1 row", model, tokens, names)
        wide = Path(there) / "wide.gguf"
        cpp.write_wide(wide)
        yield from _llama_cpp(
            "one layer, 151,936 tokens, the whole row", DynamicLlama(str(wide), **cpp.OPTIONS), cpp.WHOLE, names
        )
        real = DynamicLlama("smollm2", **cpp.OPTIONS)
        yield from _llama_cpp("SmolLM2-135M, 49,152 tokens, top-k 40", real, cpp.CUT, names)


def _transformers(what: str, model: Any, tokens: int, names: Iterator[str]) -> Iterator[Case]:
    ids = torch.arange(3, 11)[None]
    every = {
        "attention_mask": torch.ones_like(ids),
        "max_new_tokens": tokens,
        "min_new_tokens": tokens,
        "pad_token_id": 0,
    }
    static = partial(model.generate, ids, **hf.STATIC, **every)

    def processed(record: str | None = None) -> None:
        with DynamicTemperature(POLICY, record=record, tokenizer=_spelled) as adapter:
            model.generate(ids, **neutral(model), **every, **adapter.arguments)

    def sampled(record: str | None = None) -> None:
        sampler = DynamicSampler(POLICY, seed=1, record=record, tokenizer=_spelled)
        model.generate(ids, **hf.STATIC, **every, custom_generate=sampler)

    for form, run in (("logits_processor", processed), ("custom_generate", sampled)):
        yield Case(f"transformers, {form}", what, tokens, static, run)
        yield Case(f"transformers, {form}, recorded", what, tokens, static, partial(_recorded, run, names))


def _llama_cpp(what: str, llama: DynamicLlama, filters: dict[str, float], names: Iterator[str]) -> Iterator[Case]:
    static = partial(cpp.generate, llama, temp=0.65, **filters)
    run = partial(cpp.generate, llama, policy=POLICY, **filters)
    yield Case(f"{cpp.HOST}, in the chain", what, cpp.TOKENS, static, run)
    yield Case(f"{cpp.HOST}, in the chain, recorded", what, cpp.TOKENS, static, partial(_recorded, run, names))


def _recorded(run: Callable[..., None], names: Iterator[str]) -> None:
    """Run with a new file."""
    run(record=next(names))


def _spelled(token: int) -> bytes:
    return b"t%d" % token

"""What the trace of a host costs: the same texts with and without `record=`, in transformers and llama.cpp."""

import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

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
        yield from _transformers(names)
        wide = Path(there) / "wide.gguf"
        cpp.write_wide(wide)
        for name, path in (("SmolLM2-135M, 49,152 tokens", "smollm2"), ("one layer, 151,936 tokens", str(wide))):
            yield from _llama_cpp(name, DynamicLlama(path, **cpp.OPTIONS), names)


def _transformers(names: Iterator[str]) -> Iterator[Case]:
    for name, model, tokens, batches in hf.models():
        for rows in batches:
            ids = torch.arange(3, 11)[None].repeat(rows, 1)
            every = {"attention_mask": torch.ones_like(ids), "max_new_tokens": tokens, "min_new_tokens": tokens,
                     "pad_token_id": 0}  # fmt: skip
            static = partial(model.generate, ids, **hf.STATIC, **every)

            def processed(record: str | None = None, model=model, ids=ids, every=every) -> None:
                with DynamicTemperature(POLICY, record=record, tokenizer=_spelled) as adapter:
                    model.generate(ids, **neutral(model), **every, **adapter.arguments)

            def sampled(record: str | None = None, model=model, ids=ids, every=every) -> None:
                sampler = DynamicSampler(POLICY, seed=1, record=record, tokenizer=_spelled)
                model.generate(ids, **hf.STATIC, **every, custom_generate=sampler)

            for form, run in (("logits_processor", processed), ("custom_generate", sampled)):
                what = f"{name}, {rows} rows"
                yield Case(f"transformers, {form}", what, tokens * rows, static, run)
                recorded = partial(_recorded, run, names)
                yield Case(f"transformers, {form}, recorded", what, tokens * rows, static, recorded)


def _llama_cpp(name: str, llama: DynamicLlama, names: Iterator[str]) -> Iterator[Case]:
    for what, filters in (("top-k 40", cpp.CUT), ("the whole row", cpp.WHOLE)):
        static = partial(cpp.generate, llama, temp=0.65, **filters)
        run = partial(cpp.generate, llama, policy=POLICY, **filters)
        yield Case(f"{cpp.HOST}, in the chain", f"{name}, {what}", cpp.TOKENS, static, run)
        recorded = partial(_recorded, run, names)
        yield Case(f"{cpp.HOST}, in the chain, recorded", f"{name}, {what}", cpp.TOKENS, static, recorded)


def _recorded(run: object, names: Iterator[str]) -> None:
    """Run with a new file."""
    run(record=next(names))


def _spelled(token: int) -> bytes:
    return b"t%d" % token

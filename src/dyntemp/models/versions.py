"""The versions of what runs, for the first line of a file that a run writes."""

from __future__ import annotations

import platform
import sys

from dyntemp._version import __version__
from dyntemp.models.llama.library import running

BESIDE = ("numpy", "numba", "torch", "transformers", "vllm", "llama_cpp")
"""Packages whose versions decide a run, where they are loaded."""


def versions() -> dict[str, str]:
    """The versions of dyntemp, Python, the packages that are loaded, and the library of llama.cpp if it runs."""
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in BESIDE}
    known = {name: str(version) for name, version in {**loaded, "llama.cpp": running()}.items() if version}
    return {"dyntemp": __version__, "python": platform.python_version(), **known}

"""The digest of the sources that compiled code depends on, so that no stale code is run."""

from __future__ import annotations

import hashlib
import re
import sys
from importlib.util import find_spec
from typing import Any

IMPORT = re.compile(r"^from (dyntemp[\w.]*) import (\([^)]*\)|[^\n#]*)", re.MULTILINE)


def digest(module: str) -> str:
    """SHA-256 of a module's source and of those of all modules of dyntemp that it imports, directly or through others.

    Raises:
        ImportError: If a source is missing. Compiled code that is kept on disk could then be of another version.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = source = _source(name)
        for package, names in IMPORT.findall(source):
            inside = (f"{package}.{one.split()[0]}" for one in names.strip("()").split(",") if one.strip())
            waiting += [package, *(one for one in inside if one in sys.modules)]
    return hashlib.sha256("\n".join(found[name] for name in sorted(found)).encode()).hexdigest()


def _source(name: str) -> str:
    """The source of a module."""
    spec = find_spec(name)
    loader: Any = spec.loader if spec else None
    source = loader.get_source(name) if loader else None
    if source is None:
        raise ImportError(
            f"the source of {name} is missing; compiled kernels are kept on disk under the digest of their sources: "
            "install dyntemp with its sources"
        )
    return str(source)

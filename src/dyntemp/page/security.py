"""The content security policy of a page: the sources that a browser lets it load from, and the scripts that may run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable


def content_security_policy(scripts: Iterable[str] | None = None, **sources: str) -> str:
    """A policy that forbids everything but styles inside the page, these scripts, and the sources of these directives.

    Args:
        scripts: Texts of the scripts that may run, each named by its digest; None leaves them to `default-src`, which
            forbids all.
        sources: Further directives with their sources, such as `img_src="data:"`.

    >>> content_security_policy(img_src="data:")
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    """
    directives = {"default-src": "'none'"}
    if scripts is not None:
        directives["script-src"] = " ".join(sorted(map(_digest, set(scripts)))) or "'none'"
    directives["style-src"] = "'unsafe-inline'"
    directives |= {name.replace("_", "-"): source for name, source in sources.items()}
    return "; ".join(f"{name} {source}" for name, source in directives.items())


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"

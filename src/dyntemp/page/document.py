"""The page as one HTML text: its script, its style, and the data that they show."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from dyntemp._version import __version__
from dyntemp.methods import METHODS
from dyntemp.page.bundle import bundle
from dyntemp.page.security import content_security_policy
from dyntemp.page.tables import table

HERE = Path(__file__).parent
TOKENS = HERE.parent / "show" / "tokens.css"
ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<rect width='16' height='16' rx='4' fill='%231f4fae'/>"
    "<path d='M2 12h3V9h3V4h3v5h3' fill='none' stroke='%23ffae66' stroke-width='2'/></svg>"
)


class Example(TypedDict):
    """A trace that comes with the page: its title, one sentence on what it teaches, and the text of its file."""

    title: str
    teaches: str
    lines: str


class OpenTrace(TypedDict):
    """A trace that the page opens with: its name, and the text of its file."""

    name: str
    lines: str


class OpenLearning(TypedDict):
    """A learning that the page opens with: its name, and the text of its file, which `check_learning` has passed."""

    name: str
    text: str


def document(
    *,
    examples: Sequence[Example] | None = None,
    traces: Sequence[OpenTrace] = (),
    learnings: Sequence[OpenLearning] = (),
    server: bool = False,
) -> str:
    """The page as one HTML text.

    Args:
        examples: The traces in its menu; the bundled ones by default.
        traces: The traces that it opens at start.
        learnings: The learnings that it opens at start.
        server: True where the page comes from a server that has a model.
    """
    data = {
        "version": __version__, "server": server, "table": table(), "methods": methods(),
        "examples": bundled() if examples is None else list(examples), "traces": list(traces),
        "learnings": list(learnings),
    }  # fmt: skip
    script = bundle()
    parts = {
        "csp": content_security_policy(
            [script], img_src="data:", connect_src="'self'" if server else "'none'", base_uri="'none'",
            form_action="'none'",
        ),
        "icon": ICON, "data": as_data(data), "script": script,
        "style": TOKENS.read_text(encoding="utf-8") + (HERE / "style.css").read_text(encoding="utf-8"),
    }  # fmt: skip
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], (HERE / "index.html").read_text(encoding="utf-8"))


def bundled() -> list[Example]:
    """The example traces that come with dyntemp, in the order of their menu."""
    folder = HERE / "examples"
    index = folder / "index.json"
    if not index.exists():
        return []
    return [
        {"title": one["title"], "teaches": one["teaches"], "lines": (folder / one["file"]).read_text(encoding="utf-8")}
        for one in json.loads(index.read_text(encoding="utf-8"))
    ]


def methods() -> list[dict[str, str]]:
    """The published methods that need nothing from their caller."""
    return [
        {"name": method.name, "idea": method.idea, "fails": method.fails, "policy": str(method.make())}
        for method in METHODS.values()
        if not method.needs
    ]


def as_data(data: Any) -> str:
    r"""JSON that can stand in a script element, whatever its texts say.

    >>> as_data("</script>")
    '"\\u003c/script>"'
    """
    return json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")

"""The page of `dyntemp play`: one HTML text that needs nothing else, served or opened as a file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

from dyntemp._version import __version__
from dyntemp.methods import METHODS
from dyntemp.page.tables import table

HERE = Path(__file__).parent
MAIN = "main.js"
TOKENS = HERE.parent / "show" / "tokens.css"
ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<rect width='16' height='16' rx='4' fill='%231f4fae'/>"
    "<path d='M2 12h3V9h3V4h3v5h3' fill='none' stroke='%23ffae66' stroke-width='2'/></svg>"
)
IMPORT = re.compile(r"^import \{([^}]*)\} from \"\./([^\"]+)\";\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const|let) (\w+))", re.MULTILINE)


class Example(TypedDict):
    """A trace that comes with the page: what it is called, what it teaches, and the text of its file."""

    title: str
    teaches: str
    lines: str


class OpenTrace(TypedDict):
    """A trace that the page opens with: its name, and the text of its file."""

    name: str
    lines: str


def document(
    *, examples: Sequence[Example] | None = None, traces: Sequence[OpenTrace] = (), server: bool = False
) -> str:
    """The page as one HTML text.

    Args:
        examples: What its menu offers; the bundled ones by default.
        traces: What it opens with.
        server: Whether it may ask the server that it came from for a model.
    """
    data = {
        "version": __version__, "server": server, "table": table(), "methods": methods(),
        "examples": bundled() if examples is None else list(examples), "traces": list(traces),
    }  # fmt: skip
    script = bundle()
    parts = {
        "csp": policy_of(script, server=server), "icon": ICON, "data": as_data(data), "script": script,
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
        if not any(signal.name == "given" for signal in method.make().signals)
    ]


def as_data(data: Any) -> str:
    r"""JSON that can stand in a script element, whatever its texts say.

    >>> as_data("</script>")
    '"\\u003c/script>"'
    """
    return json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def policy_of(script: str, *, server: bool) -> str:
    """The content security policy: this script and no other, and no request but to the server that the page is from."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    asks = "'self'" if server else "'none'"
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        f"connect-src {asks}; base-uri 'none'; form-action 'none'"
    )


def bundle(folder: Path = HERE / "js") -> str:
    """All modules that `main.js` needs as one script, each in a scope of its own, each after what it imports.

    Raises:
        ValueError: If a module imports what is not there, or modules import each other in a ring.
    """
    parts = [_scoped(name, text) for name, text in _ordered(folder, MAIN, [], set())]
    return "\n".join(["const modules = {};", *parts])


def _ordered(folder: Path, name: str, above: list[str], done: set[str]) -> Iterator[tuple[str, str]]:
    if name in above:
        raise ValueError(f"modules import each other in a ring: {' -> '.join([*above, name])}")
    if name in done:
        return
    text = (folder / name).read_text(encoding="utf-8")
    for names, other in IMPORT.findall(text):
        yield from _ordered(folder, other, [*above, name], done)
        offered = EXPORT.findall((folder / other).read_text(encoding="utf-8"))
        for wanted in _names(names):
            if wanted.split(" as ")[0] not in offered:
                raise ValueError(f"{name} imports `{wanted}` from {other}, which exports {', '.join(offered)}")
    done.add(name)
    yield name, text


def _scoped(name: str, text: str) -> str:
    """A module as a function of its own, whose result is what it exports."""
    offered = ", ".join(EXPORT.findall(text))

    def bound(found: re.Match[str]) -> str:
        return f'const {{ {", ".join(_names(found[1])).replace(" as ", ": ")} }} = modules["{found[2]}"];\n'

    body = EXPORT.sub("", IMPORT.sub(bound, text))
    return f'modules["{name}"] = (() => {{\n{body}return {{ {offered} }};\n}})();'


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.replace("\n", " ").split(",") if name.strip()]

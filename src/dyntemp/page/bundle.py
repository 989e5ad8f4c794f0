"""The page's JavaScript modules as one script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, join, normpath

SCRIPTS = Path(__file__).parent / "js"
MAIN = "main.js"
IMPORT = re.compile(r"^import \{([^}]*)\} from \"(\.{1,2}/[^\"]+)\";\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const|let) (\w+))", re.MULTILINE)


def bundle(folder: Path = SCRIPTS) -> str:
    """All modules that `main.js` needs as one script, each in a scope of its own, each after what it imports.

    Modules are named by their path in `folder`, such as `language/parse.js`.

    Raises:
        ValueError: If a module imports what is not there, or modules import each other in a circle.
    """
    parts = [_scoped(name, text) for name, text in _ordered(folder, MAIN, [], set())]
    return "\n".join(["const modules = {};", *parts])


def _ordered(folder: Path, name: str, above: list[str], done: set[str]) -> Iterator[tuple[str, str]]:
    """`name` and all that it imports, each module once and after its own imports."""
    if name in above:
        raise ValueError(f"modules import each other in a circle: {' -> '.join([*above, name])}")
    if name in done:
        return
    text = (folder / name).read_text(encoding="utf-8")
    for names, path in IMPORT.findall(text):
        other = _resolved(name, path)
        if not (folder / other).is_file():
            raise ValueError(f"{name} imports {path}, but there is no {other}")
        yield from _ordered(folder, other, [*above, name], done)
        exported = EXPORT.findall((folder / other).read_text(encoding="utf-8"))
        for wanted in _names(names):
            if wanted.split(" as ")[0] not in exported:
                raise ValueError(f"{name} imports `{wanted}` from {other}, which exports {', '.join(exported)}")
    done.add(name)
    yield name, text


def _resolved(importer: str, path: str) -> str:
    """The name of the module that `importer` imports by the relative `path`."""
    return normpath(join(dirname(importer), path))


def _scoped(name: str, text: str) -> str:
    """The module `name` as a function that is called at once and returns the module's exports."""
    exported = ", ".join(EXPORT.findall(text))

    def bound(found: re.Match[str]) -> str:
        names = ", ".join(_names(found[1])).replace(" as ", ": ")
        return f'const {{ {names} }} = modules["{_resolved(name, found[2])}"];\n'

    body = EXPORT.sub("", IMPORT.sub(bound, text))
    return f'modules["{name}"] = (() => {{\n{body}return {{ {exported} }};\n}})();'


def _names(text: str) -> list[str]:
    """The names between the braces of an import."""
    return [name.strip() for name in text.replace("\n", " ").split(",") if name.strip()]

"""Writes the tables of the documentation from the code: `make tables`. A test fails where they differ."""

import re
from collections.abc import Iterator
from pathlib import Path

from dyntemp.distribution.filter_table import FILTERS
from dyntemp.engines.capabilities import support_details, support_matrix
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.signals import SIGNALS
from dyntemp.methods import METHODS
from dyntemp.methods.measured import Figures, read
from dyntemp.zones.known import KNOWN

PAGES = [Path(__file__).with_name(name) for name in ("language.md", "engines.md", "filters.md", "methods.md")]


def tables() -> dict[str, list[str]]:
    """The lines of each table."""
    signals = ["| signal | meaning | formula | range |", "|---|---|---|---|"]
    signals += [f"| `{s.spelling}` | {s.meaning} | {s.formula} | {s.range} |" for s in SIGNALS.values()]
    functions = ["| function | value |", "|---|---|"]
    functions += [f"| `{f.name}({', '.join(f.arguments)})` | {f.meaning} |" for f in FUNCTIONS.values()]
    return {
        "signals": signals, "functions": functions, "zones": list(zones()),
        "matrix": support_matrix(), "details": support_details(),
        "filters": list(filters()), "differences": list(differences()),
        "methods": list(methods()), "parameters": list(parameters()), "fails": list(fails()), "run": [run()],
    }  # fmt: skip


def zones() -> Iterator[str]:
    """The table of zones."""
    yield "| zone | meaning | delimiters |"
    yield "|---|---|---|"
    for zone in KNOWN.values():
        pairs = ", ".join(f"`{opening}...{closing}`" for opening, closing in zone.pairs.items())
        yield f"| `{zone.name}` | {zone.meaning} | {pairs.replace('|', chr(92) + '|') or 'the shape of lines'} |"


def methods() -> Iterator[str]:
    """The table of methods, a row each, with what was measured."""
    yield "| method | T | reads | where unsure | remembers | cost | measured | source |"
    yield "|---|---|---|---|---|---|---|---|"
    _, lines = read()
    for method in METHODS.values():
        line = lines.get(method.name)
        found = "run docs/measure_methods.py" if line is None else line.reason or shown(line.figures)
        reads = ", ".join(f"`{signal}`" for signal in method.signals)
        cells = (
            f"`{method.name}`", f"`{method.formula}`", reads, method.direction, "yes" if method.remembers else "",
            method.cost, found, method.source,
        )  # fmt: skip
        yield f"| {' | '.join(map(str, cells))} |"


def shown(figures: Figures | None) -> str:
    """The figures of one method in one cell."""
    assert figures is not None, "there is a reason otherwise"
    return (
        f"T {figures.mean:.2f} ± {figures.spread:.2f}, {figures.low:.2f} to {figures.high:.2f}; "
        f"entropy {figures.entropy:.2f}; {figures.changed:.0%} differ"
    )


def parameters() -> Iterator[str]:
    """The table of parameters."""
    yield "| method | parameter | default | range | meaning |"
    yield "|---|---|---|---|---|"
    for method in METHODS.values():
        for name, default, low, high, meaning in method.parameters.values():
            yield f"| `{method.name}` | `{name}` | {default:g} | {low:g} to {high:g} | {meaning} |"


def fails() -> Iterator[str]:
    """The table of known failures."""
    yield "| method | idea | known to fail |"
    yield "|---|---|---|"
    yield from (f"| `{method.name}` | {method.idea} | {method.fails} |" for method in METHODS.values())


def run() -> str:
    """The sentence on the run that measured."""
    found, _ = read()
    commits = ", ".join(found.commits)
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    return (
        f"`{found.model}`, {len(found.prompts)} prompts as chats, up to {found.tokens} tokens each, seed {found.seed}, "
        f"no filters; measured at {commits}; {versions}; {found.machine}."
    )


def filters() -> Iterator[str]:
    """The table of filters."""
    yield "| filter | keeps | formula | range | usual | cut | source |"
    yield "|---|---|---|---|---|---|---|"
    for record in FILTERS.values():
        ranges = "<br>".join(f"{argument.name}: {argument.span}" for argument in record.arguments)
        usual = "<br>".join(argument.usual for argument in record.arguments)
        cells = (record.meaning, f"`{record.formula}`", ranges, usual, "yes" if record.cut else "no", record.source)
        yield f"| `{record.spelling}` | {' | '.join(cells)} |"


def differences() -> Iterator[str]:
    """The table of the filters that other programs compute otherwise."""
    yield "| filter | programs that differ |"
    yield "|---|---|"
    yield from (f"| `{record.name}` | {record.differs} |" for record in FILTERS.values() if record.differs)


def filled(text: str) -> str:
    """`text` with its tables as the code has them."""
    for name, lines in tables().items():
        table = "\n".join(lines)
        text = re.sub(
            rf"(?s)(<!-- {name} -->\n).*?(<!-- end -->)", lambda found, t=table: f"{found[1]}{t}\n{found[2]}", text
        )
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")

"""Writes the tables of the documentation from the code: `make tables`. A test fails where they differ."""

import re
from pathlib import Path

from dyntemp.engines.capabilities import support_details, support_matrix
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.signals import SIGNALS

PAGES = [Path(__file__).with_name(name) for name in ("language.md", "engines.md")]


def tables() -> dict[str, list[str]]:
    """The lines of each table."""
    signals = ["| signal | meaning | formula | range |", "|---|---|---|---|"]
    signals += [f"| `{s.spelling}` | {s.meaning} | {s.formula} | {s.range} |" for s in SIGNALS.values()]
    functions = ["| function | value |", "|---|---|"]
    functions += [f"| `{f.name}({', '.join(f.arguments)})` | {f.meaning} |" for f in FUNCTIONS.values()]
    return {"signals": signals, "functions": functions, "matrix": support_matrix(), "details": support_details()}


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

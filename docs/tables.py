"""Writes the tables of the documentation from the code: `make tables`. A test fails where they differ."""

import re
from pathlib import Path

from dyntemp.distribution.filter_table import FILTERS, Filter
from dyntemp.engines.capabilities import support_details, support_matrix
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.signals import SIGNALS

PAGES = [Path(__file__).with_name(name) for name in ("language.md", "engines.md", "filters.md")]


def tables() -> dict[str, list[str]]:
    """The lines of each table."""
    signals = ["| signal | meaning | formula | range |", "|---|---|---|---|"]
    signals += [f"| `{s.spelling}` | {s.meaning} | {s.formula} | {s.range} |" for s in SIGNALS.values()]
    functions = ["| function | value |", "|---|---|"]
    functions += [f"| `{f.name}({', '.join(f.arguments)})` | {f.meaning} |" for f in FUNCTIONS.values()]
    filters = ["| filter | keeps | formula | range | usual | cut | source |", "|---|---|---|---|---|---|---|"]
    filters += [_filter_row(record) for record in FILTERS.values()]
    differences = ["| filter | programs that differ |", "|---|---|"]
    differences += [f"| `{record.name}` | {record.differs} |" for record in FILTERS.values() if record.differs]
    tables_of_filters = {"filters": filters, "differences": differences}
    return tables_of_filters | {
        "signals": signals,
        "functions": functions,
        "matrix": support_matrix(),
        "details": support_details(),
    }


def _filter_row(record: Filter) -> str:
    """The line of a filter in the table of filters."""
    ranges = "<br>".join(f"{argument.name}: {argument.span}" for argument in record.arguments)
    usual = "<br>".join(argument.usual for argument in record.arguments)
    cells = (record.meaning, f"`{record.formula}`", ranges, usual, "yes" if record.cut else "no", record.source)
    return f"| `{record.spelling}` | {' | '.join(cells)} |"


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

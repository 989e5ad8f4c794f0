"""The tables of the documentation are those of the code."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_of_the_language_page_are_those_of_the_code():
    page = (DOCS / "language.md").read_text(encoding="utf-8")
    filled = runpy.run_path(str(DOCS / "tables.py"))["filled"]

    assert filled(page) == page, "run `make tables`"

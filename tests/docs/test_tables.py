"""The tables of the documentation are those of the code."""

import runpy
from pathlib import Path

import pytest

TABLES = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "tables.py"))


@pytest.mark.parametrize("page", TABLES["PAGES"], ids=lambda page: page.name)
def test_the_tables_of_the_documentation_are_those_of_the_code(page):
    text = page.read_text(encoding="utf-8")

    assert "<!-- end -->" in text
    assert TABLES["filled"](text) == text, "run `make tables`"

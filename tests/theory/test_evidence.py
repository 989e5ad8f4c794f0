"""The tables of the theory are those of the committed data, and say what the text claims of them."""

import json
from pathlib import Path

import pytest
from tests.loading import script

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "evidence" / "theory"


@pytest.fixture(scope="module")
def tables():
    return script(FOLDER / "tables.py")


def test_the_page_has_the_tables_of_the_data(tables):
    page = (ROOT / "docs" / "theory" / "loop.md").read_text(encoding="utf-8")

    assert page == tables.filled(page), "run python evidence/theory/tables.py"


def test_unseen_policies_were_predicted_well_enough(tables):
    data = json.loads((FOLDER / "unseen.json").read_text(encoding="utf-8"))
    right = inside = 0
    for policy, predicted in data["predicted"].items():
        seen = data["observed"][policy]
        right += (seen["entropy"] > predicted["own_entropy"] + tables.MARGIN) == predicted["runs_away"]
        _, low, high = predicted["temperature"]
        inside += low - tables.ROUNDED <= seen["temperature"] <= high + tables.ROUNDED

    assert len(data["observed"]) == 40
    assert right >= 36
    assert inside >= 36

"""The record of a verdict."""

import json
from math import inf

from dyntemp.theory.verdict import Verdict


def test_a_verdict_is_json():
    verdict = Verdict("T is bounded", None, "none", "rows.md#lipschitz", {"constant": inf, "at": [1.0]}, ("a", "b"))

    data = json.loads(json.dumps(verdict.to_json(), allow_nan=False))

    assert data["holds"] is None
    assert data["values"] == {"constant": "inf", "at": [1.0]}
    assert data["assumptions"] == ["a", "b"]


def test_a_verdict_links_its_proof():
    assert Verdict("", True, "", "rows.md#entropy").link == "docs/theory/rows.md#entropy"

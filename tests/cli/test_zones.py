"""Zones on the command line: `--zone` for texts that are written, compared and explained."""

import json

import pytest

from dyntemp import Trace
from dyntemp.cli import OK, USAGE, main
from dyntemp.testing import FakeModel

POLICY = 'where(inside("z") > 0.5, 1, 0.25)'
ZONE = "z=(...)"
PIECES = [b"a", b"(", b")"]


@pytest.fixture(autouse=True)
def model(monkeypatch):
    """A model that writes `a()` again and again stands in for every other."""

    def logits(tokens):
        return [30.0 if place == len(tokens) % 3 else -30.0 for place in range(3)]

    def load(options):
        return FakeModel(PIECES, logits)

    for command in ("generate", "compare"):
        monkeypatch.setattr(f"dyntemp.cli.{command}.open_model", load)


def test_generate_and_explain(tmp_path, capsys):
    path = tmp_path / "run.jsonl"
    command = ["generate", "--policy", POLICY, "--zone", ZONE, "-n", "6", "-q", "--trace", str(path), "a"]

    assert main(command) == OK
    assert [token.temperature for token in Trace.open(path)] == [0.25, 1.0, 0.25, 0.25, 1.0, 0.25]
    capsys.readouterr()
    other = ["explain", str(path), "--policy", '1 + inside("y") + inside("z")', "--zone", "y=)...a", "--jsonl"]
    assert main(other) == OK
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["replayed"]["temperature"] for line in lines] == [1, 2, 2, 1, 2, 2]


def test_compare(tmp_path):
    command = ["compare", "-p", POLICY, "-p", "0.7", "--zone", ZONE, "-n", "4", "-q", "-o", str(tmp_path / "out"), "a"]

    assert main(command) == OK
    assert main(command) == OK  # complete, and the same
    first = min((tmp_path / "out").rglob("*.jsonl"))
    assert Trace.open(first).header.run().zones == [ZONE]
    assert {token.signals.get('inside("z")') for token in Trace.open(first)} == {0.0, 1.0}


@pytest.mark.parametrize(("zones", "words"), [
    ([], 'inside("z")` names a zone that nobody defined'),
    (["--zone", "z"], "a zone is written as its name"),
])  # fmt: skip
@pytest.mark.parametrize("command", [["generate", "a"], ["chat"], ["compare", "a", "-p", "1", "-o", "x"]])
def test_an_unknown_zone_is_refused_before_a_model_is_loaded(monkeypatch, capsys, command, zones, words):
    monkeypatch.setattr(f"dyntemp.cli.{command[0]}.open_model", None)

    assert main([*command, "--policy", POLICY, *zones]) == USAGE
    assert words in capsys.readouterr().err

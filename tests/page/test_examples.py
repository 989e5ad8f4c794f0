"""The example traces of the page: each replays exactly, and shows what its sentence says."""

import json
from pathlib import Path

import pytest

import dyntemp
from dyntemp.language.policy import Policy
from dyntemp.traces.file import Trace
from dyntemp.traces.replay import replay

FOLDER = Path(dyntemp.__file__).parent / "page" / "examples"
INDEX = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))


def tokens(name):
    return list(Trace.open(FOLDER / f"{name}.jsonl"))


@pytest.mark.parametrize("name", [one["file"] for one in INDEX])
def test_an_example_replays_to_itself(name):
    trace = Trace.open(FOLDER / name)
    again = replay(list(trace), Policy(trace.header.policy), seed=trace.header.seed)

    assert [token.temperature for token in trace] == pytest.approx([one.temperature for one in again], rel=1e-12)
    assert all(one.kept for one in again)


def test_every_example_is_in_the_menu():
    assert {path.name for path in FOLDER.glob("*.jsonl")} == {one["file"] for one in INDEX}


def test_sure_and_torn():
    found = [(token.text, token.temperature) for token in tokens("sure-and-torn")]
    sure, torn = [value for text, value in found if text == " of"], [value for text, value in found if text == "Bon"]

    assert max(sure) < 0.45
    assert min(torn) > 0.65


def test_parted():
    first, second = tokens("sure-and-torn"), tokens("parted")
    at = [token.origin for token in second].index("parted")

    assert at > 20
    assert [token.token for token in first[:at]] == [token.token for token in second[:at]]


def test_runaway():
    temperatures = [token.temperature for token in tokens("runaway")]

    assert sum(temperatures[-20:]) / 20 > sum(temperatures[:5]) / 5 > 1
    assert max(temperatures) > 5


def test_cold_loop():
    fish = [token.signals["entropy"] for token in tokens("cold-loop") if token.text == " Fish"][2:]

    assert sorted(fish, reverse=True) == fish
    assert (round(fish[0], 1), round(fish[-1], 1)) == (3.9, 1.6)


def test_one_candidate():
    survivors = [token.candidates for token in tokens("one-candidate")]

    assert survivors.count(1) > 15


def test_thermostat():
    trace = tokens("thermostat")
    mean = sum(token.surprisal for token in trace[20:]) / len(trace[20:])

    assert 1.5 < mean < 3.5
    assert len({round(token.temperature, 3) for token in trace}) > 50

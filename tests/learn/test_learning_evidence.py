"""The tables of learning are those of the committed data, and the data those of the committed commands."""

import argparse
import json
import shlex
from pathlib import Path

import pytest
from tests.loading import script

from dyntemp.cli import learn
from dyntemp.cli.learn_texts import asked_texts
from dyntemp.evaluation.tasks.other_categories import OTHER_CATEGORIES
from dyntemp.evaluation.verdict import OWN
from dyntemp.learn.passages.reading import read_passages
from dyntemp.models.recommended import CARDS

FOLDER = Path(__file__).parents[2] / "evidence" / "learning"

pytest.importorskip("statsmodels")


@pytest.fixture(scope="module")
def tables():
    return script(FOLDER / "tables.py")


def test_the_pages_have_the_figures_of_the_data(tables):
    for path, text in tables.written().items():
        assert text == path.read_text(encoding="utf-8"), f"{path.name}: run python evidence/learning/tables.py"


def test_the_runs_are_those_of_the_script(tables):
    run = script(FOLDER / "run.py")
    asked = {name: run.settings(name, CARDS["smollm2"]).digest for name in run.names()}

    assert asked == {name: results.digest for name, results in tables.tasks().items()}


def test_the_texts_are_those_of_the_script(tables):
    passages = read_passages(FOLDER / "passages.jsonl")
    common = ["--texts", "passages.jsonl", "--model", "transformers:smollm2", "--most", "12000", "--seed", "19", "-o"]
    asked = {}
    for line in (FOLDER / "texts.sh").read_text(encoding="utf-8").splitlines():
        if line.startswith("learn "):
            place, *options = shlex.split(line)[1:]
            parser = argparse.ArgumentParser()
            learn.add_arguments(parser)
            settings = asked_texts(parser.parse_args([*common, place, *options]), passages)
            asked[place.rpartition("/")[2]] = settings.digest

    assert asked == {name: results.digest for name, results in tables.texts().items()}


def test_the_confirmation_is_of_what_was_learned_on_categories_that_nothing_has_seen(tables):
    learned, data = tables.tasks()[tables.NEAREST], json.loads(tables.CONFIRMED.read_text(encoding="utf-8"))
    static, matched, *_ = data["controls"]

    assert sorted(data["items"]) == sorted(OTHER_CATEGORIES)
    assert not set(data["items"]) & {item for split in learned.task.items.values() for item in split}
    assert (static["policy"], static["filters"]) == (learned.rival, learned.rival_filters)
    assert matched["filters"] == learned.filters
    assert len(data["runs"]) == len(learned.runs)
    assert {40} == {len(test) for test in (*data["runs"], *(one["test"] for one in data["controls"]))}
    assert [one["kind"] for one in data["controls"]] == ["static + min_p", *OWN, "schedule"]


def test_a_shape_helps_only_where_it_beats_every_control(tables):
    found = tables.own(tables.tasks())
    chances = tables.corrected(found)
    for how, groups in tables.helps(found).items():
        own = [name for name, one in found.items() if name.endswith(how) and one.task.group in groups]

        assert all(chances[name] < 0.05 and tables.hardest(found[name]).low > 0 for name in own)

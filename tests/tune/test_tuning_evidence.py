"""The presets, their page and the study of them are those of the committed data."""

import argparse
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from tests.loading import script

from dyntemp.cli import tune
from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.configuration import StudySettings, read_study
from dyntemp.models.recommended import CARDS
from dyntemp.tune.presets import presets

FOLDER = Path(__file__).parents[2] / "evidence" / "tuning"


@pytest.fixture(scope="module")
def tables():
    return script(FOLDER / "tables.py")


@pytest.fixture(scope="module")
def tunings(tables):
    return tables.tunings()


def test_the_pages_have_the_figures_of_the_data(tables):
    pytest.importorskip("statsmodels")
    pytest.importorskip("optuna")
    for path, text in tables.written().items():
        assert text == path.read_text(encoding="utf-8"), f"{path.name}: run python evidence/tuning/tables.py"


def test_the_tunings_are_those_of_the_script(tables, tunings):
    asked = {}
    for line in (FOLDER / "tune.sh").read_text(encoding="utf-8").splitlines():
        if line.startswith("tune ") and "{" not in line:
            name, *options = shlex.split(line)[1:]
            parser = argparse.ArgumentParser()
            tune.add_arguments(parser)
            common = ["--model", "transformers:smollm2", "--seed", "18", "-o", name]
            settings = tune.asked(parser.parse_args([*options, *common]))
            asked[name] = replace(settings, card=CARDS["smollm2"]).digest

    assert asked == {name: results.digest for name, results in tunings.items()}


def test_the_study_is_that_of_the_file(tables):
    settings = StudySettings.read(read_study(FOLDER / "held_out.toml"), "short")

    assert settings.digest == tables.held_out().digest


def test_a_preset_is_the_control_unless_the_policy_was_worth_its_parameters(tunings):
    least = min(results.differences[0].p for results in tunings.values())
    for name, results in tunings.items():
        control = next(one for one in results.tested if one.control)
        preset = presets()[name]
        is_control = (str(preset.policy), preset.filters) == (control.policy, Filters.read(control.filters))

        assert is_control or results.answer == "worth"
        assert is_control or len(tunings) * least < 0.05, "Holm's correction of the smallest p"
        assert preset.provenance.sentence.startswith(results.sentence)

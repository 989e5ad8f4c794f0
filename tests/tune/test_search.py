"""Searches by several processes: each trial is done once, whichever process ends when."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluation.toy import runner
from tests.tune.toy_tuning import SETTINGS, TASKS
from tests.waiting import wait_until

from dyntemp.errors import StudyError
from dyntemp.tune.settings import TuneSettings
from dyntemp.tune.storage import open_storage
from dyntemp.tune.tuning import tune

optuna = pytest.importorskip("optuna")
pytest.importorskip("statsmodels")

ROOT = Path(__file__).parents[2]
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def process(folder, *more):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    return subprocess.Popen([sys.executable, "-m", "tests.tune.toy_tuning", str(folder), *more], env=environment)


def done(folder, url=None):
    """Every trial of the database that is done, by study."""
    storage = open_storage(Path(folder), url)
    studies = storage.get_all_studies()
    return {study.study_name: [one for one in storage.get_all_trials(study._study_id) if one.state.is_finished()]
            for study in studies}  # fmt: skip


def complete(trials):
    return [one for one in trials if one.state == optuna.trial.TrialState.COMPLETE]


def begun(folder, url=None):
    """True if a process is in the middle of a trial, after some that are done."""
    if not (Path(folder) / "study.json").exists():
        return False
    storage = open_storage(Path(folder), url)
    trials = [one for study in storage.get_all_studies() for one in storage.get_all_trials(study._study_id)]
    return len(complete(trials)) >= 3 and any(one.state == optuna.trial.TrialState.RUNNING for one in trials)


def without_circumstances(results):
    return replace(results, about={})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tune(SETTINGS, TASKS, runner(), tmp_path_factory.mktemp("whole"))


def test_a_killed_process_goes_on_and_comes_to_the_same_results(tmp_path, whole):
    child = process(tmp_path)
    wait_until(lambda: begun(tmp_path))
    child.kill()
    child.wait()

    again = tune(SETTINGS, TASKS, runner(), tmp_path)

    assert without_circumstances(whole) == without_circumstances(again)


def test_no_trial_is_lost_or_doubled_when_one_of_two_processes_is_killed(tmp_path):
    children = [process(tmp_path), process(tmp_path)]
    wait_until(lambda: begun(tmp_path))
    children[0].send_signal(signal.SIGKILL)
    assert 0 == children[1].wait(120)

    _each_place_is_done_once(done(tmp_path))


def _each_place_is_done_once(studies):
    assert 2 == len(studies)
    for trials in studies.values():
        assert list(range(SETTINGS.trials)) == sorted(one.user_attrs["place"] for one in complete(trials))

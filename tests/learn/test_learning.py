"""Learning on contexts without a model, from settings to results: its stages, and what stops it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.learn import working
from tests.learn.toy import Contexts, runner
from tests.waiting import wait_until

from dyntemp.errors import StudyError
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.learn.learned import learned
from dyntemp.learn.learning import RESULTS, TRACE, learn
from dyntemp.learn.results import LearnResults
from dyntemp.learn.settings import LearnSettings
from dyntemp.page.learning import check_learning

pytest.importorskip("torch")
pytest.importorskip("optuna")
pytest.importorskip("statsmodels")
pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]
TASK = Contexts()
SIZES = {"items": {"tune": 4, "val": 4, "test": 6}, "samples": {"tune": 8, "val": 16, "test": 16}}
SETTINGS = LearnSettings(task=TASK.name, shape="curve(entropy, 3)", filters="", rounds=6, texts=12, runs=2, **SIZES)


class Watched:
    """A runner that notes the split and the filters of each text, and stops at one of them."""

    def __init__(self, stop=None, error=KeyboardInterrupt):
        self.own, self.stop, self.error, self.jobs = runner(), stop, error, []
        self.name = self.own.name

    def check(self, arm):
        self.own.check(arm)

    def run(self, jobs):
        for job, sample in self.own.run(jobs):
            self.jobs.append(job)
            if len(self.jobs) == self.stop:
                raise self.error
            yield job, sample

    @property
    def splits(self):
        return [job.item.id.rstrip("0123456789") for job in self.jobs]


def outcome(results):
    """What came out, without the machine and the moment."""
    return {name: value for name, value in results.to_json().items() if name != "about"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder, watched, told = tmp_path_factory.mktemp("learning"), Watched(), []
    return folder, learn(SETTINGS, TASK, watched, folder, progress=told.append), watched, told


def test_no_text_of_test_is_written_before_learning_and_choosing_are_over(whole):
    splits = whole[2].splits
    first = splits.index("test")

    assert {"tune", "val"} == set(splits[:first])
    assert {"test"} == set(splits[first:])


def test_curves_are_kept_of_texts_that_are_learned_from_alone(whole):
    learning = [job for job in whole[2].jobs if job.curves]

    assert {"tune"} == {job.item.id.rstrip("0123456789") for job in learning}
    assert {"learning"} == {job.arm.family for job in learning}


def test_static_temperature_and_each_run_have_equal_texts(whole):
    _, results, watched, _ = whole
    learning = [job for job in watched.jobs if job.curves]
    searched = [
        job for job, split in zip(watched.jobs, watched.splits, strict=True) if split == "tune" and not job.curves
    ]
    of_run, of_static = results.budget

    assert abs(of_run - of_static) <= SETTINGS.tuning.samples["tune"] * 4 / 2
    assert [of_run] * 2 == [one.rounds[-1].texts for one in results.runs]
    assert len(learning) == 2 * of_run
    assert {"static + min_p", "static"} == {job.arm.family for job in searched}
    for family in ("static + min_p", "static"):
        assert len({job.arm.digest for job in searched if job.arm.family == family}) <= SETTINGS.tuning.trials


def test_what_is_learned_goes_to_test_beside_each_control(whole):
    results = whole[1]
    kinds = [one.kind for one in results.controls]
    same = (results.rival, results.rival_filters) == (results.anchor, results.filters)
    statics = ["static + min_p"] if same else ["static + min_p", "static"]
    own = [] if results.runs[results.kept].static else ["matched", "placebo", "shuffled"]

    assert [*statics, *own] == kinds
    assert kinds == [one.kind for one in results.beside]
    for one in results.runs:
        assert one.static == (one.on_val.values[0] <= results.anchor_on_val.values[0])
        assert 6 == len(one.test)
    best = max(results.runs, key=lambda one: one.on_val.values[0])
    assert best.static or best.seed == results.kept
    assert "" == results.filters


def test_the_winner_is_above_static_where_contexts_differ(whole):
    results = whole[1]

    assert not results.runs[results.kept].static
    assert all(one.difference > 0 for one in results.beside if one.kind not in ("placebo", "shuffled"))


def test_results_and_trace_are_files(whole):
    folder, results, *_ = whole
    read, traced = (json.loads((folder / name).read_text()) for name in (RESULTS, TRACE))

    assert results == LearnResults.from_json(read)
    assert ("dyntemp.learning", 1) == (traced["format"], traced["version"])
    assert list(results.bounds) == traced["bounds"]
    assert float(results.anchor) == traced["anchor"]
    assert set(traced["signals"]) == {"entropy"}
    for run, one in zip(results.runs, traced["runs"], strict=True):
        assert [*(each.policy for each in run.rounds), run.learned] == [each["policy"] for each in one["rounds"]]
        assert [each.score for each in run.rounds] == [each["score"] for each in one["rounds"][:-1]]
        assert one["chosen"] == (None if run.static else len(run.rounds))
    check_learning(json.dumps(traced))


def test_the_file_of_the_policy_has_its_filters_score_and_source(whole, tmp_path):
    results = whole[1]
    learned(results).save(tmp_path / "policy.json")
    file = PolicyFile.load(tmp_path / "policy.json")
    (score,) = file.provenance.scores

    assert (results.policy, results.filters) == (str(file.policy), str(file.filters))
    assert score.mean == pytest.approx(np.mean(results.runs[results.kept].test))
    assert score.low <= score.mean <= score.high
    assert (6, results.digest, results.sentence) == (score.items, file.provenance.digest, file.provenance.sentence)


def test_progress_rises_to_its_end(whole):
    told = whole[3]
    done = [one.done for one in told]

    assert done == sorted(done)
    assert 0.8 * told[-1].of <= told[-1].done <= told[-1].of


def test_a_finished_folder_writes_nothing_again(whole):
    folder, results, *_ = whole
    again = Watched()

    assert outcome(learn(SETTINGS, TASK, again, folder)) == outcome(results)
    assert [] == again.jobs


@pytest.mark.parametrize("part", [0.1, 0.45, 0.7, 0.97])
def test_learning_that_is_interrupted_ends_as_it_would_have(whole, tmp_path, part):
    _, results, watched, _ = whole
    with pytest.raises(KeyboardInterrupt):
        learn(SETTINGS, TASK, Watched(stop=int(part * len(watched.jobs))), tmp_path)
    rest = Watched()

    assert outcome(learn(SETTINGS, TASK, rest, tmp_path)) == outcome(results)
    assert len(rest.jobs) < len(watched.jobs)


def test_another_setting_is_another_study(whole):
    folder = whole[0]
    other = LearnSettings(**{**SETTINGS.to_json(), "bounds": (0.2, 3.0)})
    with pytest.raises(StudyError, match=r"holds another study \(bounds"):
        learn(other, TASK, Watched(), folder)


def test_tuned_filters_are_those_of_the_tuned_static_temperature(tmp_path):
    settings = LearnSettings(task=TASK.name, shape="curve(entropy, 2)", rounds=2, texts=9, runs=1, **SIZES)
    results = learn(settings, TASK, Watched(), tmp_path)

    assert results.rival == results.anchor
    assert results.rival_filters == results.filters
    assert "static" not in [one.kind for one in results.controls]


def test_a_template_that_cannot_be_static_is_told(tmp_path):
    shape = 'clip(entropy*param("a", 0.5, 1.5), 0.1, 3)'
    settings = LearnSettings(task=TASK.name, shape=shape, filters="", rounds=2, texts=9, runs=1, **SIZES)

    assert any(
        "could not begin at the static temperature" in one
        for one in learn(settings, TASK, Watched(), tmp_path).warnings
    )


def test_where_static_is_best_nothing_helps(tmp_path):
    task = Contexts("wn")
    settings = LearnSettings(task=task.name, shape="curve(entropy, 2)", filters="", rounds=6, texts=12, runs=2, **SIZES)
    results = learn(settings, task, Watched(), tmp_path)

    assert results.answer in ("not better", "open")


def process(folder, seconds):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    return subprocess.Popen([sys.executable, "-m", "tests.learn.working", str(folder), str(seconds)], env=environment)


def test_after_kill_9_at_a_random_moment_the_same_command_ends_with_the_same_policy(tmp_path):
    whole, killed = working.run(tmp_path / "whole"), tmp_path / "killed"
    moment = random.SystemRandom().uniform(0, 6)
    child = process(killed, 0.03)
    wait_until((killed / "study.json").exists, child)
    time.sleep(moment)
    child.kill()

    assert -signal.SIGKILL == child.wait()
    assert outcome(working.run(killed)) == outcome(whole), f"killed after {moment} s"

"""A study from its settings to its results: what chooses, what is declared, and what goes on after an interruption."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluation.toy import COUNTS, PIECES, Letters, logits, runner
from tests.waiting import wait_until

from dyntemp.evaluation.configuration import StudySettings
from dyntemp.evaluation.exact_tier import ExactTier
from dyntemp.evaluation.results import ArmResult, Results
from dyntemp.evaluation.selection import best, best_of_families
from dyntemp.evaluation.study import run_study
from dyntemp.language.policy import Policy
from dyntemp.testing import FakeModel

pytest.importorskip("statsmodels")

ROOT = Path(__file__).parents[2]
TASKS = [Letters("letters"), Letters("free text", None)]
SETTINGS = StudySettings(
    tasks=("letters", "free text"), methods=("edt",), filters=("top_p",), policies=("0.3 + max_prob",), budget=3,
    kept=2, finalists=2, items=COUNTS, samples={"tune": 4, "val": 8, "test": 8},
)  # fmt: skip
PROCESS = f"""
import sys, time
sys.path[:0] = [{str(ROOT)!r}]
from tests.evaluation import toy
from tests.evaluation.test_study import SETTINGS, TASKS
from dyntemp.evaluation.study import run_study
from dyntemp.testing import FakeModel
def slow(tokens):
    time.sleep(0.0005)
    return toy.logits(tokens)
run_study(SETTINGS, TASKS, toy.runner(FakeModel(toy.PIECES, slow)), sys.argv[1])
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "whole"
    return folder, run_study(SETTINGS, TASKS, runner(), folder)


def cells(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in (folder / "cells").rglob("*.*")}


def process(folder):
    return subprocess.Popen([sys.executable, "-c", PROCESS, str(folder)])


def arms(results, split, task="letters"):
    return {one.name: one for one in results.arms if (one.task, one.split) == (task, split)}


def test_the_stages_narrow_families_down_and_keep_every_result(whole):
    _, results = whole

    assert 3 * 6 + 1 == len(arms(results, "tune")), "3 of each family, 1 of a policy without parameters"
    assert {2} == {
        sum(one.family == family for one in arms(results, "val").values())
        for family in ("static", "edt", "edt + min_p")
    }
    assert {"static", "static + min_p", "no-op", "greedy"} <= arms(results, "test").keys()
    assert 2 == sum(one.control is None for one in arms(results, "test").values())
    assert results == Results.from_json(json.loads((whole[0] / "results.json").read_text()))


def test_a_task_may_have_a_budget_of_its_own(tmp_path):
    settings = replace(SETTINGS, tasks=("letters",), task={"letters": {"budget": 1}}, filters=(), policies=())

    results = run_study(settings, TASKS[:1], runner(), tmp_path)

    assert {"static #1", "static + min_p #1", "edt #1", "edt + min_p #1"} == set(arms(results, "tune"))


def test_every_dynamic_method_of_test_has_its_own_controls(whole):
    _, results = whole
    test = arms(results, "test")

    for name, one in test.items():
        own = {other.control for other in test.values() if other.of == name}
        expected = {"matched", "placebo", "shuffled"} if one.control is None and Policy(one.policy).signals else set()
        assert expected == own


def test_a_task_without_a_verifier_has_values_on_test_alone(whole):
    _, results = whole

    assert not arms(results, "tune", "free text")
    assert arms(results, "test", "free text").keys() <= arms(results, "test").keys()
    assert not [one for one in results.comparisons if one.task == "free text"]


def test_what_test_compares_is_declared_before_its_first_text(tmp_path):
    class Watching:
        name = "fake"

        def __init__(self, inner):
            self.inner, self.seen = inner, []

        def check(self, arm):
            self.inner.check(arm)

        def run(self, jobs):
            def watched():
                for job in jobs:
                    if job.item.id.startswith("test"):
                        self.seen.append((tmp_path / "a" / "declared.json").exists())
                    yield job

            return self.inner.run(watched())

    watching = Watching(runner())
    run_study(SETTINGS, TASKS, watching, tmp_path / "a")

    assert watching.seen
    assert all(watching.seen)
    declared = json.loads((tmp_path / "a" / "declared.json").read_text())
    assert SETTINGS.digest == declared["digest"]
    assert declared["detectable"]["letters"] > 0


def test_a_declaration_that_does_not_follow_any_more_is_refused(whole, tmp_path):
    subprocess.run(["cp", "-r", str(whole[0]), str(tmp_path / "a")], check=True)
    path = tmp_path / "a" / "declared.json"
    declared = json.loads(path.read_text())
    path.write_text(json.dumps({**declared, "arms": {}}))

    with pytest.raises(ValueError, match="begin in another folder"):
        run_study(SETTINGS, TASKS, runner(), tmp_path / "a")


def test_the_choice_does_not_depend_on_test(whole, tmp_path):
    class Turned(Letters):
        def score(self, item, text):
            score = super().score(item, text)
            return score._replace(correct=not score.correct, key=text[:1]) if item.id.startswith("test") else score

    turned = run_study(SETTINGS, [Turned("letters"), TASKS[1]], runner(), tmp_path / "a")

    declared = [json.loads((folder / "declared.json").read_text()) for folder in (whole[0], tmp_path / "a")]
    assert declared[0] == declared[1]
    assert arms(whole[1], "test")["greedy"].values != arms(turned, "test")["greedy"].values


def test_equal_seeds_give_equal_figures_and_others_others(whole, tmp_path):
    again = run_study(SETTINGS, TASKS, runner(), tmp_path / "a")
    other = run_study(StudySettings(**{**vars_of(SETTINGS), "seed": 1}), TASKS, runner(), tmp_path / "b")

    assert whole[1].arms == again.arms
    assert cells(whole[0]) == cells(tmp_path / "a")
    assert whole[1].arms != other.arms


def vars_of(settings):
    return {name: getattr(settings, name) for name in settings.__slots__}


@pytest.mark.slow
def test_a_killed_study_goes_on_with_the_same_command_and_gives_equal_files(whole, tmp_path):
    folder = tmp_path / "a"
    running = process(folder)
    wait_until(lambda: len(list(folder.rglob("*.jsonl"))) >= 12, running)
    running.send_signal(signal.SIGKILL)
    assert -signal.SIGKILL == running.wait()
    assert cells(folder) != cells(whole[0])

    results = run_study(SETTINGS, TASKS, runner(), folder)

    assert cells(whole[0]) == cells(folder)
    assert whole[1].arms == results.arms


@pytest.mark.slow
def test_two_processes_share_a_study_and_lose_and_double_nothing(whole, tmp_path):
    folder = tmp_path / "a"
    both = [process(folder) for _ in range(2)]

    assert [0, 0] == [one.wait() for one in both]
    assert cells(whole[0]) == cells(folder)
    data = json.loads((folder / "results.json").read_text())
    assert whole[1].arms == Results.from_json(data).arms


def result(name, family, values, control=None):
    return ArmResult(
        task="t", split="tune", name=name, family=family, control=control, of=None, policy="1", filters="", exact=False,
        values={"accuracy": values}, texts=0, tokens=0, temperatures=(), temperature=None, spread=None,
    )  # fmt: skip


def test_tune_and_val_are_computed_where_answers_are_listed(tmp_path):
    """Of val only those are sampled that go on to test, for the controls that are made from their temperatures."""
    model = FakeModel(PIECES, logits)
    task, settings = Letters("letters", answers=True), replace(SETTINGS, tasks=("letters",))

    def study():
        return run_study(settings, [task], runner(model), tmp_path / "a", exact=ExactTier(model))

    results = study()
    assert all(one.exact == (one.split != "test") for one in results.arms)
    place = tmp_path / "a" / "cells" / "letters"
    assert {"val", "test"} == {path.name for path in place.iterdir()}
    assert 2 + settings.finalists == len(list((place / "val").iterdir()))
    assert all(0 <= value <= 2 for one in results.arms for value in one.values["distinct@4"])

    kept = tmp_path / "a" / "exact" / "letters.tune.json"
    values = json.loads(kept.read_text())
    kept.write_text(json.dumps(dict(list(values.items())[::2])))  # as a process leaves them that was killed
    assert results == study()
    assert values == json.loads(kept.read_text())


def test_the_best_have_the_largest_mean_and_the_earlier_goes_before_its_equals():
    found = [result("a", "f", [0.5, None]), result("b", "f", [0.0, 1.0]), result("c", "g", [0.1, 0.2]),
             result("d", "f", [1.0, 1.0]), result("e", "h", [None, None])]  # fmt: skip

    assert ["d", "a", "b", "c", "e"] == [one.name for one in best(found, "accuracy", 5)]
    assert ["d", "a", "c", "e"] == [one.name for one in best_of_families(found, "accuracy", 2)]


def test_controls_of_a_method_have_its_temperatures(whole):
    _, results = whole
    finalist = next(one for one in arms(results, "test").values() if one.control is None and one.temperature)
    val = next(one for one in arms(results, "val").values() if one.policy == finalist.policy)
    matched = next(
        one for one in arms(results, "test").values() if one.of == finalist.name and one.control == "matched"
    )

    assert pytest.approx(val.temperature, rel=1e-5) == float(matched.policy)
    for kind in ("placebo", "shuffled"):
        control = next(one for one in arms(results, "test").values() if one.of == finalist.name and one.control == kind)
        assert val.temperatures[0] - 1e-4 <= control.temperatures[0]
        assert control.temperatures[-1] <= val.temperatures[-1] + 1e-4


def test_a_runner_without_series_leaves_controls_out_and_the_results_say_so(tmp_path):
    class Limited:
        name = "fake"

        def __init__(self, inner):
            self.inner, self.run = inner, inner.run

        def check(self, arm):
            if arm.given or "max_prob" in str(arm.policy):
                raise ValueError("it takes no numbers")

    results = run_study(SETTINGS, TASKS, Limited(runner()), tmp_path / "a")

    assert not [one for one in results.arms if one.control in ("placebo", "shuffled")]
    reasons = "\n".join(results.verdict.reasons)
    assert "`0.3 + max_prob` was not run: it takes no numbers" in reasons
    assert "`placebo of edt" in reasons


def test_a_folder_that_another_study_has_is_refused(whole):
    with pytest.raises(ValueError, match="holds another study"):
        run_study(StudySettings(tasks=("letters",), items=COUNTS), [TASKS[0]], runner(), whole[0])

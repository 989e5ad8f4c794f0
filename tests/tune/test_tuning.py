"""Tunings of a model without weights, from settings to results."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.toy import COUNTS, PIECES, Letters, logits, runner

from dyntemp.errors import StudyError
from dyntemp.evaluation.exact.answers import Answers
from dyntemp.evaluation.exact_tier import ExactTier
from dyntemp.evaluation.folder import Folder
from dyntemp.language.policy import Policy
from dyntemp.testing import FakeModel
from dyntemp.tune.objective import Scorer
from dyntemp.tune.progress import Meter
from dyntemp.tune.results import TuningResults
from dyntemp.tune.settings import TuneSettings
from dyntemp.tune.tuning import RESULTS, tune
from dyntemp.tune.values import per_item, value_of

pytest.importorskip("optuna")
pytest.importorskip("statsmodels")

SETTINGS = TuneSettings(
    template='clip(param("a", 0, 1) + param("b", -1, 2)*normalized_entropy, 0.05, 2)', filters="min_p(0:0.3)",
    tasks=("letters",), trials=6, kept=2, items=COUNTS, samples={"tune": 4, "val": 8, "test": 8},
)  # fmt: skip


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sampled")
    told = []
    return folder, tune(SETTINGS, [Letters()], runner(), folder, progress=told.append), told


def own(results, control=False):
    (family,) = [one.family for one in results.spaces if one.control == control]
    return [one for one in results.trials if one.family == family]


def test_both_searches_have_the_same_budget_and_the_best_static_opens_the_second(sampled):
    _, results, _ = sampled
    rival = max(own(results, control=True), key=lambda one: one.measured.values[0])

    assert 6 == len(own(results)) == len(own(results, control=True))
    assert "first: best static" == own(results)[0].source
    assert rival.measured.items == own(results)[0].measured.items, "equal policies have equal noise"


def test_the_best_are_measured_again_and_one_of_each_search_goes_to_test(sampled):
    _, results, _ = sampled

    for space in results.spaces:
        finalists = [one for one in results.finalists if one.family == space.family]
        (chosen,) = [one for one in finalists if one.chosen]
        (tested,) = [one for one in results.tested if one.family == space.family]
        assert chosen.left.values[0] == max(one.left.values[0] for one in finalists)
        assert chosen.number == tested.number
        assert 8 * COUNTS["val"] == chosen.left.texts
    assert results.differences[0].difference == pytest.approx(
        results.tested[0].measured.values[0] - results.tested[1].measured.values[0]
    )
    assert results.answer in ("worth", "not worth", "open")


def test_results_are_kept_and_a_finished_tuning_is_read(sampled):
    folder, results, _ = sampled

    assert results == TuningResults.from_json(json.loads((folder / RESULTS).read_text()))
    assert replace(results, about={}) == replace(tune(SETTINGS, [Letters()], runner(), folder), about={})
    with pytest.raises(StudyError, match="holds another study"):
        tune(replace(SETTINGS, seed=1), [Letters()], runner(), folder)


def test_progress_rises_to_its_end(sampled):
    _, results, told = sampled

    assert [one.done for one in told] == sorted(one.done for one in told)
    assert told[-1].done == told[-1].of
    assert told[-1].tokens == sum(results.tokens.values())
    assert max(one.best or 0 for one in told) == max(one.measured.values[0] for one in results.trials)


@pytest.mark.parametrize("part", [0.3, 0.95])
def test_a_tuning_that_is_interrupted_ends_as_it_would_have(sampled, tmp_path, part):
    _, results, told = sampled

    def interrupt(at):
        if at.done >= part * told[-1].of:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(SETTINGS, [Letters()], runner(), tmp_path, progress=interrupt)

    assert replace(results, about={}) == replace(tune(SETTINGS, [Letters()], runner(), tmp_path), about={})


def test_a_task_that_lists_its_answers_is_computed_and_static_lies_where_a_grid_puts_it(tmp_path):
    model = FakeModel(PIECES, logits)
    task = Letters(answers=True)
    settings = replace(SETTINGS, template="static", filters="", trials=24)

    told = []
    results = tune(settings, [task], runner(model), tmp_path, exact=ExactTier(model), progress=told.append)

    answers = Answers.read(model, task.items("tune", COUNTS["tune"]))
    grid = np.geomspace(0.05, 2, 60)
    values = [answers.values(Policy(float(t)), "distinct@4").mean() for t in grid]
    top = max(own(results), key=lambda one: one.measured.values[0])
    near = grid[np.array(values) > max(values) - 0.02]
    assert all(one.measured.exact and not one.measured.texts for one in results.trials)
    assert max(values) - 0.02 < top.measured.values[0] <= max(values) + 1e-3
    assert near[0] <= top.parameters["temperature"] <= near[-1]
    assert {"tune": 0, "val": 0, "test": 0} == results.tokens
    assert "not worth" == results.answer, "a static temperature is not worth a parameter more than a static temperature"
    assert "its best configuration is static too" in results.sentence
    reads = {one.stage.partition(":")[0] for one in told if "read" in one.stage}
    assert {"letters, tune", "letters, val", "letters, test"} == reads


def test_two_objectives_have_a_front_and_a_constraint_is_kept(tmp_path):
    settings = replace(SETTINGS, objectives=("validity", "distinct@4"), constraint="accuracy")

    results = tune(settings, [Letters()], runner(), tmp_path)

    assert ["validity", "distinct@4"] == [one.objective for one in results.differences]
    for one in own(results):
        assert one.feasible == (np.mean(one.measured.items["letters"]["accuracy"]) >= results.least)
    first = next(one for one in results.finalists if one.family != results.spaces[0].family)
    best = next(one for one in own(results) if one.number == first.number)
    assert best.feasible
    assert not any(
        one.feasible and np.all(np.array(one.measured.values) > best.measured.values) for one in own(results)
    )


def test_values_of_several_tasks_are_weighed_in_units_of_the_best_fixed_temperature(tmp_path):
    tasks = [Letters(), Letters("others", "accuracy")]
    settings = replace(SETTINGS, tasks=("letters", "others"), weights={"letters": 3})
    with Folder(tmp_path, settings) as folder:
        scorer = Scorer(settings, tasks, runner(), folder, None, Meter(None))
        scorer.prepare([settings.family().arm("x", {"a": 0.5, "b": 0, "min_p": 0})])
        (objective,) = scorer.objectives
        found = scorer.measure(settings.family().arm("x", {"a": 1, "b": 0, "min_p": 0}), "tune")
        shared = Scorer(replace(settings, objectives=("accuracy",)), tasks, runner(), folder, None, Meter(None))

    means = {task: np.mean(found.items[task][metric]) for task, metric in objective.metrics.items()}
    assert "score" == objective.name
    assert ["relative accuracy"] == [one.name for one in shared.objectives]
    assert {"letters": 0.75, "others": 0.25} == objective.weights
    assert all(unit >= means[task] for task, unit in objective.units.items()), "T = 1 is one of the fixed ones"
    expected = sum(objective.weights[task] * means[task] / objective.units[task] for task in means)
    assert found.values == pytest.approx([expected])
    assert expected == pytest.approx(np.mean(per_item(objective, found.items)))
    assert expected == value_of(objective, found.items)


def test_a_trial_ends_once_its_first_items_are_enough(tmp_path):
    with Folder(tmp_path, SETTINGS) as folder:
        scorer = Scorer(SETTINGS, [Letters()], runner(), folder, None, Meter(None))
        arm = SETTINGS.family().arm("x", {"a": 0.5, "b": 0, "min_p": 0})
        scorer.prepare([arm])
        pruned = scorer.measure(arm, "tune", lambda items: len(items) == 2)
        whole = scorer.measure(arm, "tune")
        again = scorer.measure(arm, "tune", lambda items: len(items) == 2)

    assert scorer.prunes
    assert not pruned.whole
    assert 8 == pruned.texts
    assert whole.whole
    assert pruned == again, "samples that were there before change nothing"
    assert whole.items["letters"]["distinct@4"][:2] == pruned.items["letters"]["distinct@4"]


def test_a_task_without_a_metric_needs_an_objective(tmp_path):
    with pytest.raises(StudyError, match="name an objective"):
        tune(SETTINGS, [Letters(metric=None)], runner(), tmp_path)

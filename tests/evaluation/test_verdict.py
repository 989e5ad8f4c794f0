"""The verdict: each method against every control, and a sentence for either outcome."""

from dataclasses import replace

import numpy as np
import pytest

from dyntemp.evaluation import pairs
from dyntemp.evaluation.results import ArmResult, TaskResult
from dyntemp.evaluation.verdict import OWN, SHARED, best_control, compare_all, verdict
from dyntemp.statistics import estimate

pytest.importorskip("statsmodels")

ITEMS = 40


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(estimate, "RESAMPLES", 499)
    monkeypatch.setattr(pairs, "RESAMPLES", 999)


def task(name="a", group="text", metric="accuracy"):
    names = {"test": [str(n) for n in range(ITEMS)]}
    return TaskResult(
        name=name, group=group, metric=metric, about="", items=names, clusters=names, samples={"test": 16}
    )


def arm(name, mean, control=None, of=None, where="a"):
    """An arm whose values lie around a mean, and differ from those of equal mean by little."""
    noise = np.random.default_rng(list(f"{where} {name}".encode())).normal(0, 0.02, ITEMS)
    return ArmResult(
        task=where, split="test", name=name, family=name, control=control, of=of, policy="", filters="", exact=False,
        values={"accuracy": (mean + noise - noise.mean()).tolist()}, texts=0, tokens=0, temperatures=(),
        temperature=None, spread=None,
    )  # fmt: skip


def study(methods, where="a", **means):
    """Arms of a task: all controls at 0.5 but those whose means are given, and methods with their own controls."""
    shared = [arm(kind, means.get(kind, 0.5), kind, where=where) for kind in SHARED]
    own = [arm(f"{kind} of {name}", means.get(kind, 0.5), kind, name, where) for name in methods for kind in OWN]
    return [*shared, *own, *[arm(name, mean, where=where) for name, mean in methods.items()]]


def judged(methods, groups=("text", "code"), without=(), **means):
    tasks = [task(group, group) for group in groups]
    comparisons = []
    for one in tasks:
        arms = [arm for arm in study(methods, one.name, **means) if arm.control not in without]
        comparisons += compare_all(one, arms, list(methods))
    return verdict(tasks, comparisons, dict.fromkeys(groups, 0.0312), "a model")


def test_each_method_meets_every_shared_control_and_its_own():
    found = compare_all(task(), study({"edt": 0.6, "other": 0.5}), ["edt", "other"])
    against = [one.against for one in found if one.arm == "edt"]

    assert against == [*SHARED, *[f"{kind} of edt" for kind in OWN]]
    assert [(one.arm, one.against) for one in found][-1] == ("no_op", "static")
    assert len(found) == 15


def test_the_corrected_p_is_that_of_the_hardest_control():
    found = compare_all(task(), study({"edt": 0.6, "other": 0.4}, placebo=0.605), ["edt", "other"])
    p = {name: max(one.p for one in found if one.arm == name) for name in ("edt", "other")}

    assert {one.holm for one in found if one.arm == "edt"} == {min(1.0, 2 * min(p.values()))}
    assert p["edt"] > 0.5


def test_losers_that_were_declared_count_in_the_correction_and_others_do_not():
    methods = {"edt": 0.52, "loser 1": 0.3, "loser 2": 0.3}
    alone = {one.holm for one in compare_all(task(), study(methods), ["edt"]) if one.arm == "edt"}
    found = compare_all(task(), study(methods), list(methods))

    [corrected] = {one.holm for one in found if one.arm == "edt"}
    assert corrected == pytest.approx(3 * min(alone))
    undeclared = compare_all(task(), study(methods), ["edt"])
    assert {one.holm for one in undeclared if one.arm != "edt"} == {None}


def test_a_method_helps_if_it_beats_every_control_in_two_groups():
    found = judged({"edt": 0.6, "other": 0.5})

    assert found.sentence == (
        "`edt` helped in text and code: better than every control, on a model, 80 test items of 2 tasks."
    )
    assert (found.helps, found.groups) == (["edt"], {"edt": ["text", "code"]})
    assert "text: a true difference of 0.0312 would have been seen with a power of 80 %." in found.reasons
    assert sum("the no-op differs" in one for one in found.reasons) == 2


@pytest.mark.parametrize("kind", [*SHARED, *OWN])
def test_one_control_that_is_as_good_is_enough_against_it(kind):
    found = judged({"edt": 0.6}, **{kind: 0.6})

    assert found.sentence == (
        "No dynamic temperature helped: none of 1 method was better than every control in 2 groups of tasks, on a "
        "model, 80 test items of 2 tasks."
    )
    assert (found.helps, found.groups) == ([], {})
    assert any("the best method, `edt`" in one for one in found.reasons)


@pytest.mark.parametrize(("p", "low", "wins"), [(0.049, 0.001, True), (0.051, 0.001, False), (0.049, 0.0, False)])
def test_both_the_corrected_p_and_the_interval_decide(p, low, wins):
    found = compare_all(task(), study({"edt": 0.6}), ["edt"])
    found = [replace(one, holm=p, low=low) if one.arm == "edt" else one for one in found]

    assert verdict([task()], found, {}, "a model").groups == ({"edt": ["text"]} if wins else {})


@pytest.mark.parametrize("groups", [("text",), ("text", "text")])
def test_one_group_is_not_enough(groups):
    tasks = [task(f"task {n}", group) for n, group in enumerate(groups)]
    comparisons = [each for one in tasks for each in compare_all(one, study({"edt": 0.6}, one.name), ["edt"])]
    found = verdict(tasks, comparisons, {}, "a model")

    assert (found.helps, found.groups) == ([], {"edt": ["text"]})
    assert "`edt` beat every control in text; 2 groups are needed to say that it helps." in found.reasons


@pytest.mark.parametrize("kind", [*SHARED, *OWN])
def test_nothing_is_claimed_where_a_control_is_missing(kind):
    found = judged({"edt": 0.6}, without=(kind,))

    assert (found.helps, found.groups) == ([], {})
    assert f"text: `edt` was not compared with {kind}, so nothing is claimed of it." in found.reasons


def test_a_filter_beside_a_static_temperature_is_no_dynamic_temperature():
    found = judged({"static + top_p": 0.6}, without=OWN)

    assert found.sentence.startswith("No dynamic temperature helped")
    assert found.helps == []
    assert any("Nothing is claimed of dynamic temperature." in one for one in found.reasons)


def test_the_best_control_has_the_highest_mean():
    found = compare_all(task(), study({"edt": 0.6}, static=0.55, shuffled=0.57), ["edt"])

    assert best_control([one for one in found if one.arm == "edt"]).against == "shuffled of edt"


def test_a_task_without_a_metric_has_no_part():
    found = verdict([task(metric=None)], [], {}, "a model")

    assert found.sentence.endswith("on a model, 0 test items of 0 tasks.")
    with pytest.raises(ValueError, match="has no metric"):
        compare_all(task(metric=None), study({"edt": 0.6}), ["edt"])


def test_a_declared_method_without_values_is_refused():
    with pytest.raises(ValueError, match="'gone' was declared for 'a', and has no values on test"):
        compare_all(task(), study({"edt": 0.6}), ["edt", "gone"])


def test_other_splits_and_tasks_are_not_compared():
    arms = study({"edt": 0.6})
    others = [replace(one, split="val") for one in arms] + [replace(one, task="b") for one in arms]

    assert compare_all(task(), arms + others, ["edt"]) == compare_all(task(), arms, ["edt"])

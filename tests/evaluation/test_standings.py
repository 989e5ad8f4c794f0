"""The standing of a family is a paired difference on val, and nothing else decides it."""

import numpy as np
import pytest
from tests.evaluation.made_results import Maker

from dyntemp.evaluation.standings import standings

pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def results():
    return Maker().results()


def test_each_family_is_paired_with_the_better_static_control(results):
    task = results.tasks[0]
    val = {one.family: np.array(one.values[task.metric]) for one in results.arms
           if (one.task, one.split) == (task.name, "val")}  # fmt: skip
    base = max(("static", "static + min_p"), key=lambda family: val[family].mean())

    found = standings(task, results.arms)
    assert {*val} - {base} == {one.family for one in found}
    assert {f"{base} #1"} == {one.against for one in found}
    for one in found:
        differences = val[one.family] - val[base]
        assert one.difference == pytest.approx(differences.mean())
        assert one.mean - one.other == pytest.approx(one.difference)
        assert one.low < one.difference < one.high
        assert one.high - one.low == pytest.approx(4 * differences.std(ddof=1) / 8**0.5, rel=0.35)
    assert sorted(found, key=lambda one: -one.difference) == found


def test_a_task_without_a_metric_has_none(results):
    assert [] == standings(results.tasks[2], results.arms)


def test_tune_and_test_have_no_part(results):
    task = results.tasks[0]
    val = [one for one in results.arms if one.split == "val"]

    assert standings(task, val) == standings(task, results.arms)
    assert [] == standings(task, [one for one in results.arms if one.split != "val"])

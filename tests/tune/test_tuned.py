"""The file of a winner has its policy, its filters, and scores with intervals over clusters."""

from dataclasses import replace

import pytest
from tests.tune.made_tuning import Maker

from dyntemp.tune.tuned import tuned


def with_items(values, clusters):
    """Results whose winner has these values on test, in these clusters."""
    results = Maker().results()
    measured = replace(results.tested[0].measured, items={"fluency": {"distinct@8": values}})
    task = replace(results.tasks[0], clusters={**results.tasks[0].clusters, "test": clusters})
    return replace(results, tasks=[task]), replace(results.tested[0], measured=measured)


def test_items_of_one_cluster_count_as_one():
    values = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    apart, together = (tuned(*with_items(values, clusters)).provenance.scores[0] for clusters in ("abcdef", "aaabbb"))

    assert 0.5 == apart.mean == together.mean
    assert (0.0, 1.0) == (together.low, together.high)
    assert 0 < apart.low < apart.high < 1


def test_items_without_a_value_are_left_out():
    (score,) = tuned(*with_items([1.0, None, 0.5], "abc")).provenance.scores

    assert (0.75, 2) == (score.mean, score.items)
    assert () == tuned(*with_items([None, None], "ab")).provenance.scores


def test_both_objectives_are_scores():
    results = Maker(objectives=("validity", "distinct@8")).results()
    file = tuned(results, results.tested[1])

    assert ["validity", "distinct@8"] == [score.metric for score in file.provenance.scores]
    assert results.tested[1].filters == str(file.filters)
    assert results.tested[1].measured.values == pytest.approx([score.mean for score in file.provenance.scores])

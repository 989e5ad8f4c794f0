"""The report of a tuning is one file that needs nothing else, with the answer first and every trial in it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.test_report import Reader, words
from tests.tune.made_tuning import POLICY, STATIC, Maker

from dyntemp.evaluation.report.reading import value
from dyntemp.tune.report import document, drawn
from dyntemp.tune.report.reading import own, searches

pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def results():
    return Maker().results()


@pytest.fixture(scope="module")
def html(results):
    return document(results)


def test_the_page_is_well_formed_and_asks_for_nothing(html):
    reader = Reader(html)

    assert [] == reader.open
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.elements}
    assert not re.search(r"url\(|@import|https?://|\bnan\b", html.split("</style>")[1])


def test_the_answer_comes_first_then_what_was_promised_and_what_was_left(results, html):
    text = words(html)

    assert text.startswith(results.sentence.replace("`", ""))
    for one in results.finalists:
        assert value(one.promised[0]) in text
        assert f"{value(one.left.values[0])} ({value(one.left.low[0])} to {value(one.left.high[0])})" in text
    assert text.index("best trial promised") < text.index("Sensitivity") < text.index("All trials")
    assert "+0.310 (+0.120 to +0.500)" in text
    assert "+0.200" in text, "the expected luck"


def test_the_first_table_has_the_best_trial_on_tune_and_the_winner_on_test(results, html):
    rows = re.findall("<tr.*?</tr>", html.split("<tbody>")[1].split("</tbody>")[0])

    for search, text in zip(searches(results), map(words, rows), strict=True):
        best, winner = search.finalists[0], search.winner
        assert best.number != winner.number
        assert value(best.promised[0]) == value(max(one.measured.values[0] for one in search.complete))
        for measured in (best.left, winner.measured):
            assert value(measured.values[0]) in text
        assert value(best.promised[0]) in text
        assert winner.policy in text


def test_every_trial_is_there_and_pruned_ones_have_no_value(results, html):
    text = words(html)
    tables = [table for table in re.split("<table", html) if "source" in table.split("</thead>")[0]]

    assert 2 == len(tables)
    for space, table in zip((POLICY, STATIC), tables, strict=True):
        rows = table.count("<tr") - 1
        trials = [one for one in results.trials if one.family == space.family]
        assert len(trials) == rows
        pruned = sum(one.state == "pruned" for one in trials)
        assert (pruned, pruned) == (table.count("pruned"), table.count("<td>–</td>"))
        assert pruned > 0
    assert "first: T = 0.7" in text
    assert "trials ended early" in text


def test_slices_and_surface_have_the_trials_as_points(results, html):
    told = [attrs["aria-label"] for tag, attrs in Reader(html).elements if tag == "svg"]
    count = len(own(results).complete)

    assert [f"distinct@8 over {name} of {count} trials" for name in ("a", "b", "min_p")] == told[1:]
    assert re.match(r"distinct@8 over (a|b|min_p) and (a|b|min_p), from", told[0])
    points = re.findall(r'<path d="([^"]*)" class="dt-dots', html)
    assert all(1 < path.count("M") <= count for path in points)
    assert 4 == html.count("<circle"), "the winner has a ring in each"


def test_a_surface_is_the_mean_of_near_trials_and_empty_elsewhere():
    smooth = drawn.smoothed(np.array([[0.25, 0.75], [0.25, 0.25]]), np.array([1.0, 3.0]))
    near = (np.arange(drawn.CELLS) + 0.5) / drawn.CELLS
    at, up = np.argmin(abs(near - 0.25)), np.argmin(abs(near - 0.75))

    assert (drawn.CELLS, drawn.CELLS) == smooth.shape
    assert 1 == pytest.approx(smooth[at, up], abs=1e-3)
    assert 3 == pytest.approx(smooth[at, at], abs=1e-3)
    assert 2 == pytest.approx((smooth[at, 11] + smooth[at, 12]) / 2)
    assert np.isnan(smooth[-1]).all()


def test_two_objectives_have_a_front_of_both_searches():
    results = Maker(objectives=("validity", "distinct@8")).results()
    html = document(results)
    (title,) = [label for tag, attrs in Reader(html).elements if tag == "svg"
                if (label := attrs["aria-label"]).startswith("tune:")]  # fmt: skip

    count = sum(one.state == "complete" for one in results.trials)
    assert title.startswith(f"tune: distinct@8 over validity of {count} trials; the front has ")
    assert "Both objectives" in words(html)


def test_limits_and_constraint_are_told():
    text = words(document(Maker(constraint="validity").results()))

    assert "fluency has 20 clusters on test" in text
    assert "Only configurations with a validity of at least 0.5" in text
    assert "breaks the constraint" in text


def test_texts_are_escaped(results):
    assert "<script>" not in document(replace(results, sentence="<script>alert(1)</script>"))


def test_few_trials_without_a_winner_have_a_report_too(results):
    few = replace(
        results, trials=[one for one in results.trials if one.number < 1], finalists=[], tested=[], differences=[]
    )

    assert "1 trial" in words(document(few))

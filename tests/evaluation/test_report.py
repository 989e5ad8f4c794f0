"""The report of a study is one file that needs nothing else, and says what the results say."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from tests.evaluation.made_results import Maker

from dyntemp.evaluation.report import document, filled, listed, markdown, tables
from dyntemp.evaluation.report.axes import Axis, ticks
from dyntemp.evaluation.report.curves import BOTTOM, LINE, TOP, apart
from dyntemp.evaluation.report.fronts import Point, front
from dyntemp.evaluation.report.reading import Reading, difference, interval
from dyntemp.evaluation.results import Results


@pytest.fixture(scope="module")
def results():
    return Maker().results()


@pytest.fixture(scope="module")
def html(results):
    return document(results)


class Reader(HTMLParser):
    """Elements in order, and whether each is closed where it should be."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.words.append(data)


def words(page):
    return "".join(Reader(page).words).strip()


def test_the_page_is_well_formed_and_asks_for_nothing(html):
    reader = Reader(html)
    links = [attrs["href"] for _, attrs in reader.elements if "href" in attrs]

    assert [] == reader.open
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.elements}
    assert not [attrs for _, attrs in reader.elements if {"src", "onclick"} & set(attrs)]
    assert not re.search(r"url\(|@import|https?://|\bnan\b", html.split("</style>")[1])
    assert "alert(1)" in html
    assert {"#task-1", "#task-2"} == set(links)
    assert set(links) <= {f"#{attrs['id']}" for _, attrs in reader.elements if "id" in attrs}


def test_the_first_sentence_is_the_verdict(results, html):
    assert words(html).startswith(results.verdict.sentence)
    assert markdown(results).startswith(results.verdict.sentence)
    for reason in results.verdict.reasons:
        assert reason.replace("`", "") in words(html)
        assert f"- {reason}" in markdown(results)


def test_every_comparison_and_every_arm_is_there(results, html):
    text, table = words(html), markdown(results)

    for one in results.comparisons:
        told = f"{difference(one.difference)} ({interval(one)})"
        assert told in text
        assert told in table
    for one in results.standings:
        told = f"{difference(one.difference)} ({interval(one)})"
        assert told in text
        assert re.search(rf"\| `{re.escape(one.family)}` \|.*{re.escape(told)}", table)
    for arm in results.arms:
        assert arm.name in text
        assert arm.policy in text
    assert results.digest in text
    assert results.digest in table
    assert "AMD EPYC 9R14" in text


def test_a_method_stands_beside_its_hardest_control(results):
    one = Reading(results, results.tasks[0])
    means = [sum(arm.values[one.metric]) for arm in one.arms("test")]

    assert sorted(means, reverse=True) == means
    assert 12 == len(one.methods)
    for arm in one.methods:
        own = [pair for pair in results.comparisons if (pair.task, pair.arm) == (one.task.name, arm.name)]
        assert (6 if arm.name == "think_answer" else 7) == len(own)
        assert min(own, key=lambda pair: pair.mean - pair.other) == one.hardest(arm.name)
    assert ["no-op"] == [arm.name for arm in one.controls if one.hardest(arm.name)]
    assert one.best_method == one.hardest(one.methods[0].name)


@pytest.mark.parametrize(
    ("low", "high", "holm", "outcome"),
    [
        (0.1, 0.2, 0.04, "better than every control"),
        (0.1, 0.2, 0.06, "not shown to be better"),
        (-0.1, 0.2, 0.04, "not shown to be better"),
        (0.1, 0.2, None, "not shown to be better"),
        (-0.2, -0.1, 1.0, "worse than its hardest control"),
    ],
)
def test_a_method_is_better_where_p_and_interval_say_so(results, low, high, holm, outcome):
    changed = [replace(one, low=low, high=high, holm=holm) for one in results.comparisons]
    one = Reading(replace(results, comparisons=changed), results.tasks[0])

    assert {outcome} == {one.outcome(arm.name) for arm in one.methods if arm.name != "think_answer"}
    assert outcome in words(document(one.results))
    assert f"| {outcome} |" in markdown(one.results)


def test_a_method_without_controls_of_its_own_is_not_said_to_be_better_than_all(results):
    changed = [replace(one, low=0.1, holm=0.01) for one in results.comparisons if one.control != "shuffled"]
    one = Reading(replace(results, comparisons=changed), results.tasks[0])

    assert {"better than the controls that were run"} == {one.outcome(arm.name) for arm in one.methods}


def test_one_control_that_is_not_beaten_is_enough(results):
    only = replace(results.comparisons[0], low=0.1, holm=0.01)
    one = Reading(replace(results, comparisons=[only, replace(only, low=-0.1, against="placebo")]), results.tasks[0])

    assert "not shown to be better" == one.outcome(only.arm)


def test_losers_are_folded_and_nothing_is_left_out(results, html):
    tried = [arm for arm in results.arms if arm.split == "tune"]
    inside = "".join(re.findall("<details>.*?</details>", html, flags=re.DOTALL))

    assert 224 == len(tried)
    assert all(f">{arm.name}<" in unescape(inside) for arm in tried)
    assert "All 112 arms on tune" in inside


def test_a_page_has_the_best_of_many_configurations(results, monkeypatch):
    monkeypatch.setattr(listed, "MOST_ROWS", 10)
    text = words(document(results))

    assert "The best 10; results.json has the 102 others." in text


def test_limits_name_what_was_not_run_and_what_cannot_be_seen(results, html):
    text = words(html)

    assert "fluency has 24 clusters on test" in text
    assert "differences of distinct@8 below 0.310" in text
    assert "values on tune and val were computed" in text
    assert "stories has no verifier" in text
    assert "was not run. The likeliest" not in text
    without = replace(results, arms=[arm for arm in results.arms if arm.control != "greedy"])
    assert "The control greedy was not run. The likeliest token, always." in words(document(without))
    assert all(line.removeprefix("- ").replace("`", "") in text for line in tables(results)["limits"])


def test_drawings_say_what_they_show(html):
    told = [attrs["aria-label"] for tag, attrs in Reader(html).elements if tag == "svg" and "aria-label" in attrs]

    assert 2 == sum(label.startswith("tune: ") and " of 112 arms; the front has " in label for label in told)
    assert 2 == sum(label.startswith("Best of N of 14 families; highest with 8: ") for label in told)
    assert 3 * 12 == sum(label.startswith("Temperatures of ") for label in told)
    assert 2 * 13 == sum(bool(re.fullmatch(r"[+−][\d.]+, [+−][\d.]+ to [+−][\d.]+", label)) for label in told)


def test_results_without_texts_curves_and_points_have_a_report(results):
    bare = replace(results, texts=[], curves=[], comparisons=[], standings=[], detectable={}, about={},
                   arms=[replace(one, points=(), temperatures=(), temperature=None, spread=None, values={})
                         for one in results.arms])  # fmt: skip

    assert [] == Reader(document(bare)).open
    assert [] == Reader(document(Results.from_json(bare.to_json()))).open
    assert "better" not in markdown(bare)


def test_the_front_has_what_no_other_one_exceeds():
    places = [(1, 5), (2, 4), (2, 3), (3, 4), (4, 1), (0, 5), (4, 1)]
    beaten = [any(a >= x and b >= y and (a, b) != (x, y) for a, b in places) for x, y in places]

    found = front([Point("", "", False, x, y) for x, y in places])
    assert {place for place, worse in zip(places, beaten, strict=True) if not worse} == {one[-2:] for one in found}
    assert [] == front([])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.13, 0.87, [0.2, 0.4, 0.6, 0.8]),
        (-3, 7, [-2, 0, 2, 4, 6]),
        (0, 0.02, [0, 0.005, 0.01, 0.015, 0.02]),
        (4, 4, [4]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert expected == ticks(low, high)


def test_an_axis_keeps_values_inside():
    axis = Axis(0.0, 2.0, 100.0, 0.0)

    assert [100, 75, 0, 100] == [axis.at(value) for value in (0, 0.5, 3, -1)]


@pytest.mark.parametrize("heights", [[30, 31, 29], [BOTTOM, BOTTOM + 2, 100], [TOP] * 6, [BOTTOM] * 6])
def test_names_of_curves_do_not_cover_each_other(heights):
    found = sorted(apart(heights))

    assert all(b - a >= LINE for a, b in pairwise(found))
    assert TOP <= found[0]
    assert found[-1] <= BOTTOM


def test_names_of_curves_stay_in_order():
    assert [BOTTOM - LINE, BOTTOM, 100] == apart([BOTTOM, BOTTOM + 2, 100])


def test_a_page_is_filled_between_its_marks(results):
    page = "# Evidence\n\n<!-- verdict -->\nold\n<!-- end -->\n\nKept.\n\n<!-- task letters -->\n<!-- end -->\n"

    once = filled(page, tables(results))
    assert once == filled(once, tables(results))
    assert "old" not in once
    assert "Kept." in once
    assert all("\n".join(tables(results)[name]) in once for name in ("verdict", "task letters"))
    assert "stories" not in once


def test_a_control_that_is_compared_is_no_method(results):
    task = results.tasks[0]
    control = next(one for one in results.comparisons if one.control == "no_op")
    changed = replace(results, comparisons=[*results.comparisons, replace(control, arm="no-op", against="static", low=9,
                                                                         difference=9.5, holm=0.001)])  # fmt: skip

    assert "no-op" not in [arm.name for arm in Reading(changed, task).methods]
    assert not [line for line in tables(changed)["best"] if "`no-op`" in line]


def test_an_axis_by_logarithm_has_its_middle_at_the_geometric_mean():
    axis = Axis(0.01, 100, 0, 200, log=True)

    assert [0, 100, 150, 200] == [axis.at(value) for value in (0.001, 1, 10, 1000)]
    assert [0.01, 0.1, 1, 10, 100] == axis.ticks()

"""The report of a study is one file that needs nothing else, and says what the results say."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from tests.evaluation.made_results import made

from dyntemp.evaluation.report import document, filled, markdown, tables
from dyntemp.evaluation.report.axes import Axis, spread
from dyntemp.evaluation.report.figures import front, mean, rows
from dyntemp.evaluation.results import Results
from dyntemp.show.report_parts import signed


@pytest.fixture(scope="module")
def results():
    return made()


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
        if "style" not in self.open:
            self.words.append(data)


def test_the_page_is_well_formed_and_asks_for_nothing(html):
    reader = Reader(html)

    assert [] == reader.open
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.elements}
    assert not [attrs for _, attrs in reader.elements if {"src", "href", "onclick"} & set(attrs)]
    assert not re.search(r"url\(|@import|https?://|nan", html.split("</style>")[1])
    assert "alert(1)" in html


def test_the_first_sentence_is_the_verdict(results, html):
    words = [word for word in Reader(html).words if word.strip()][1:]  # behind the title

    assert results.verdict.sentence == words[0]
    assert "fluency: edt comes best off.turn was not run: it needs hidden states" == "".join(words[1:6])
    assert markdown(results).startswith(results.verdict.sentence)


def test_every_comparison_and_every_arm_is_there(results, html):
    text = "".join(Reader(html).words)
    table = markdown(results)

    for one in results.comparisons:
        told = f"{signed(one.difference)} [{signed(one.low)}, {signed(one.high)}]"
        assert told in text
        assert told in table
    for arm in results.arms:
        assert arm.name in text
        assert arm.policy in text
    assert results.digest in text
    assert "an abacus" in text


def test_a_method_stands_beside_the_control_that_it_beats_by_least(results):
    task = results.tasks[0]

    found = rows(results, task)
    methods = [row for row in found if row.arm.control is None]
    assert [row.mean for row in found] == sorted((row.mean for row in found), reverse=True)
    for row in methods:
        own = [one for one in results.comparisons if (one.task, one.arm) == (task.name, row.arm.name)]
        assert 5 == len(own)
        assert min(own, key=lambda one: one.mean - one.other) == row.hardest
        assert not row.beats
    assert all(row.hardest is None for row in found if row.arm.control)


@pytest.mark.parametrize(("low", "holm", "beats"), [(0.1, 0.04, True), (0.1, 0.06, False), (-0.1, 0.04, False),
                                                    (0.1, None, False)])  # fmt: skip
def test_a_method_beats_its_controls_where_p_and_interval_say_so(results, low, holm, beats):
    changed = replace(results, comparisons=[replace(one, low=low, holm=holm) for one in results.comparisons])

    assert {beats} == {row.beats for row in rows(changed, results.tasks[0]) if row.hardest}
    assert ("dt-winner" in document(changed).split("</style>")[1]) == beats
    assert (" yes |" in markdown(changed)) == beats


def test_long_lists_are_folded_and_nothing_is_left_out():
    many = made(families=40)
    html = document(many)
    folded = "".join(re.findall("<details>.*?</details>", html, flags=re.DOTALL))

    assert "methods more" in folded
    assert "arms more, with lower means" in folded
    assert all(arm.name in unescape(folded) for arm in many.arms)
    assert len(many.comparisons) == html.count('class="dt-forest"')
    tables = re.findall('aria-label="fluency: (?:more )?arms on test".*?</table>', html, flags=re.DOTALL)
    assert 40 + 4 == sum(table.split("<tbody>")[1].count("<tr") for table in tables)


def test_limits_name_what_was_not_run_and_what_cannot_be_seen(results, html):
    text = "".join(Reader(html).words)

    assert "fluency has 12 items on test" in text
    assert "The control placebo was not run" in text
    assert "The control matched was not run" not in text
    assert "differences of distinct@8 below 0.31" in text
    assert "up to 10% of the texts were cut off" in text
    assert "stories has no verifier" in text
    assert all(line.removeprefix("- ").replace("`", "") in text for line in tables(results)["limits"])


def test_drawings_say_what_they_show(html):
    labels = [
        attrs["aria-label"] for tag, attrs in Reader(html).elements if tag == "svg" and "aria-hidden" not in attrs
    ]

    assert sum("32 configurations" in label and "on the front" in label for label in labels) == 2
    assert any(re.search(r"edt: least .*, median .*, most ", label) for label in labels)


def test_results_without_texts_curves_and_points_have_a_report(results):
    bare = replace(results, texts=[], curves=[], comparisons=[], detectable={},
                   arms=[replace(one, points=(), temperatures=(), temperature=None, spread=None, values={})
                         for one in results.arms])  # fmt: skip

    assert [] == Reader(document(bare)).open
    assert [] == Reader(document(Results.from_json(bare.to_json()))).open
    assert "| no |" not in markdown(bare)


def test_the_front_has_what_no_other_one_exceeds():
    points = [(1, 5), (2, 4), (2, 3), (3, 4), (4, 1), (0, 5), (4, 1)]

    beaten = [any(a >= x and b >= y and (a, b) != (x, y) for a, b in points) for x, y in points]
    assert {points[at] for at in front(points)} == {
        place for place, worse in zip(points, beaten, strict=True) if not worse
    }
    assert [] == front([])


def test_axes_hold_their_values_and_have_round_marks():
    axis = Axis.of([0.13, 0.87])

    assert (0.0, 1.0, 0.2) == pytest.approx(axis)
    assert [0, 0.2, 0.4, 0.6, 0.8, 1] == pytest.approx(axis.marks())
    assert (-3, -1) == Axis.of([-2.9, -1.1], marks=4)[:2]
    assert Axis.of([4.0]).low < 4 < Axis.of([4.0]).high
    assert [0, 0.25, 1] == [axis.share(value) for value in (-1, 0.25, 2)]


def test_labels_are_moved_apart():
    assert [24, 10, 38] == spread([11, 10, 12], 14)


def test_a_mean_is_over_the_values_that_are_defined():
    assert 2 == mean([1, None, 3])
    assert mean([None]) is None


def test_a_page_is_filled_between_its_marks(results):
    page = "# Evidence\n\n<!-- verdict -->\nold\n<!-- end -->\n\nKept.\n\n<!-- task sums -->\n<!-- end -->\n"

    once = filled(page, results)
    assert once == filled(once, results)
    assert "old" not in once
    assert "Kept." in once
    assert all("\n".join(tables(results)[name]) in once for name in ("verdict", "task sums"))
    assert "stories" not in once


def test_a_task_without_a_verifier_has_what_describes_its_texts(results, html):
    section = html.split("<h2>stories")[1].split("</section>")[0]

    assert "truncated" in section
    assert "Holm" not in section
    assert "| truncated |" in "\n".join(tables(results)["task stories"])


def test_a_control_that_is_compared_is_no_method(results):
    task = results.tasks[0]
    control = next(one for one in results.comparisons if one.control == "no_op")
    changed = replace(results, comparisons=[*results.comparisons, replace(control, arm="no-op", against="static", low=9,
                                                                         difference=9.5, holm=0.001)])  # fmt: skip

    assert ["no-op"] == [row.arm.name for row in rows(changed, task) if row.hardest and row.arm.control]
    assert not any(row.beats for row in rows(changed, task))
    assert not [line for line in tables(changed)["best"] if "`no-op`" in line]

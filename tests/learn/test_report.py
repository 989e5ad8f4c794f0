"""The report of learning is one file that needs nothing else, with the answer first and every run in it."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.test_report import Reader, words
from tests.learn.made_learning import ANCHOR, SHAPE, SIGNALS, TEXTS, WARNING, Maker

from dyntemp.evaluation.report.reading import difference, value
from dyntemp.language.policy import Policy
from dyntemp.learn.report import curves, document, rounds, told
from dyntemp.learn.results import Ceiling, LearnResults


@pytest.fixture(scope="module")
def results():
    return Maker().results()


@pytest.fixture(scope="module")
def html(results):
    return document(results)


def lines(html, title):
    """The heights of the lines in the drawing whose words hold `title`, by the lines' class, each in its order."""
    drawing = next(part for part in html.split("<svg")[1:] if title in part.split(">")[0])
    found = {}
    for points, kind in re.findall(r'<polyline points="([^"]*)" class="dt-line ([^"]*)"', drawing):
        found.setdefault(kind, []).append([float(point.split(",")[1]) for point in points.split()])
    return found


def test_the_page_is_well_formed_and_asks_for_nothing(html):
    reader = Reader(html)

    assert [] == reader.open
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.elements}
    assert not re.search(r"url\(|@import|https?://|\bnan\b", html.split("</style>")[1])


def test_the_answer_comes_first_then_warnings_and_controls(results, html):
    text = words(html)

    assert text.startswith(f"{results.sentence}Warning: {WARNING}")
    assert text.index(WARNING) < text.index("difference, 95 %") < text.index("Rounds") < text.index("Limits")
    for one in results.beside:
        told_difference = f"{difference(one.difference)} ({difference(one.low)} to {difference(one.high)})"
        assert f"{value(one.mean)}{value(one.other)}{told_difference}0.043" in text
        assert any(attrs.get("aria-label", "").startswith(difference(one.difference))
                   for tag, attrs in Reader(html).elements if tag == "svg")  # fmt: skip


def test_a_saved_file_has_the_same_report(results, html):
    saved = json.loads(json.dumps(results.to_json()))

    assert html == document(LearnResults.from_json(saved))


def test_every_run_is_in_the_table(results, html):
    table = html.split('aria-label="Runs"')[1].split("</table>")[0]
    rows = [words(row) for row in re.findall("<tr.*?</tr>", table)[1:]]

    for run, row in zip(results.runs, rows, strict=False):
        first, last = run.rounds[0], run.rounds[-1]
        assert row.startswith(f"{run.seed}{value(first.score)}{value(last.score)}")
        assert value(run.on_val.values[0]) in row
        assert ("static temperature" in row) == run.static
        assert ("kept" in row) == (run.seed == results.kept)
    assert rows[-1].startswith("static")
    assert value(results.anchor_on_val.values[0]) in rows[-1]


def test_a_drawing_has_each_run_and_their_mean_with_a_band(results, html):
    found = lines(html, "distinct@8: the mean goes from")

    assert (3, 1) == (len(found["dt-quiet-line"]), len(found["dt-method-line"]))
    assert np.mean(found["dt-quiet-line"], axis=0) == pytest.approx(found["dt-method-line"][0], abs=0.1)
    assert 5 == html.count('fill-opacity="0.16"')
    assert "with its 95 % interval over runs" in words(html)


def test_the_band_holds_the_mean_and_lies_inside_the_runs(html):
    drawing = html.split("distinct@8: the mean goes from")[1].split("</svg>")[0]
    (outline,) = re.findall(r'<path d="M([^"]*)z" class="dt-mean"', drawing)
    heights = [float(place.split()[1]) for place in outline.split("L")]
    low, high = heights[:8], heights[:7:-1]  # pixels grow downwards
    found = lines(html, "distinct@8: the mean goes from")

    for below, mean, above, *runs in zip(low, found["dt-method-line"][0], high, *found["dt-quiet-line"], strict=True):
        assert min(runs) - 0.1 <= above <= mean <= below <= max(runs) + 0.1


def test_the_score_is_over_texts_learned_before_and_beside_that_of_static(results, html):
    drawing = html.split("distinct@8: the mean goes from")[1].split("</svg>")[0]
    first = float(re.findall(r'<polyline points="([\d.]+),', drawing)[0])
    level = np.mean([run.rounds[0].score for run in results.runs])

    assert rounds.LEFT == first, "round 0 has learned from no text"
    assert "texts learned from" in drawing
    assert str(TEXTS * 8) not in drawing
    assert level == rounds.static_score(results)
    assert f"Dashed: {value(level)}, the static temperature T = {ANCHOR}" in words(html)


def test_fewer_than_three_runs_have_no_band_and_one_round_no_course():
    two, one, short = (document(Maker(runs=runs, rounds=number).results()) for runs, number in ((2, 8), (1, 8), (3, 1)))

    for html in (two, one, short):
        assert "fill-opacity" not in html
        assert [] == Reader(html).open
    assert "With fewer than three runs there is no interval" in words(two)
    assert "dt-quiet-line" not in one.split("T over each signal")[0].split("</style>")[1]
    assert "no course can be drawn" in words(short)


def test_a_run_that_did_not_begin_static_has_no_level_of_static():
    results = Maker(began=0.2).results()

    assert rounds.static_score(results) is None
    assert "its score on these prompts is not known" in words(document(results))


def test_the_curves_are_those_of_the_policies(results, html):
    found = lines(html, "T over entropy")
    first, middle, final = (found[kind][0] for kind in curves.KINDS)
    margin = SIGNALS["margin"][4]

    assert 1 == len(set(first)), "round 0 is static"
    assert final[0] - final[-1] > middle[0] - middle[-1] > 0, "hotter as entropy grows, more so in the end"
    for entropy, t in zip(np.linspace(0.01, 5.2, curves.POINTS), curves.along(
        Policy(results.policy), SIGNALS, "entropy"), strict=True):  # fmt: skip
        assert t == pytest.approx(np.clip(ANCHOR + 0.3 * entropy - 0.4 * margin, 0.1, 3))


@pytest.mark.parametrize("signal", ["ema(entropy, 0.9)", "position", "where(surprisal > 1, 1, 0)", "requested"])
def test_policies_that_remember_or_read_places_have_curves(signal):
    signals = {str(one): [0.0, 1.0, 2.0] for one in Policy(f"exp({signal})").signals}
    results = Maker(shape=SHAPE.replace("margin", f"({signal})"), signals={**SIGNALS, **signals}).results()
    text = words(document(results))

    assert "T over entropy" in text
    assert ("at the first token of a text" in text) == Policy(f"exp({signal})").remembers


def test_a_quantile_a_last_digit_outside_the_range_of_its_signal_is_drawn():
    found = curves.along(Policy("0.5 + max_prob"), {"max_prob": [0.5, 0.9, 1.0000000000000002]}, "max_prob")

    assert (1.0, 1.5) == (found[0], found[-1])


def test_a_shape_without_signals_has_no_curves():
    html = document(Maker(shape='param("a", 0, 3)', signals={}).results())

    assert "T over each signal" not in html
    assert [] == Reader(html).open


def test_the_ceiling_is_told_with_the_share_of_the_way():
    found = told.ceiling(Ceiling(static=0.4, learned=0.5, oracle=0.8), "accuracy")

    assert "0.400 at the static temperature, 0.500 with the learned policy (+0.100, 25% of the way)" in found
    assert "−25% of the way" in told.ceiling(Ceiling(static=0.4, learned=0.3, oracle=0.8), "accuracy")
    assert "of the way" not in told.ceiling(Ceiling(static=0.4, learned=0.3, oracle=0.4), "accuracy")
    assert "The most that temperature could do" not in document(Maker(ceiling=False).results())


def test_the_policy_is_there_and_folded_when_long(results):
    assert f"<pre><code>{results.policy}</code>" in document(results)
    long = replace(results, runs=[replace(results.runs[0], learned=" + ".join(["0.1*entropy"] * 40))], kept=0)

    assert re.search(r"<summary>The policy, \d+ characters</summary><pre", document(long))


def test_a_kept_run_that_stays_static_says_so():
    results = Maker(runs=1, static=(0,)).results()

    assert f"<code>{ANCHOR}</code></pre>" in document(results)
    assert "The outcome is this temperature" in words(document(results))


def test_limits_are_told(results):
    text = words(document(results))

    assert "fluency has 20 clusters on test" in text
    budget = f"Each run learned from {TEXTS * 8:,} texts. The static temperature was tuned with {TEXTS * 8:,}"
    assert f"{budget}, as many." in text
    assert "There are 3 runs: with so few, intervals over runs are too narrow" in text
    assert "tuned with 90. " in words(document(replace(results, budget=(100, 90))))


def test_the_end_of_the_learning_curve_says_if_it_still_rises(results):
    def at(*scores):
        runs = [
            replace(run, rounds=[replace(one, score=score) for one, score in zip(run.rounds[:6], scores, strict=True)])
            for run in results.runs
        ]
        return " ".join(told.limits(replace(results, runs=runs)))

    assert "changed by +0.200 (+0.200 to +0.200 over runs): it still rose" in at(1, 1, 1.1, 1.1, 1.3, 1.3)
    assert "changed by −0.100 (−0.100 to −0.100 over runs): no sign" in at(1, 1, 1.4, 1.4, 1.3, 1.3)
    mixed = [replace(run, rounds=[replace(one, score=change * (one.round > 5)) for one in run.rounds])
             for run, change in zip(results.runs, (-0.1, 0.2, 0.5), strict=True)]  # fmt: skip
    assert "(−0.100 to +0.500 over runs): no sign" in " ".join(told.limits(replace(results, runs=mixed)))
    assert "too few to tell" in " ".join(told.limits(Maker(rounds=2).results()))


def test_a_single_cluster_has_differences_without_intervals():
    html = document(Maker(clusters=1).results())

    assert "dt-interval" not in html.split("</style>")[1]
    assert "difference, 95 %" in words(html)


def test_texts_are_escaped(results):
    assert "<script>" not in document(replace(results, sentence="<script>alert(1)</script>"))

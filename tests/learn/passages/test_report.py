"""The report of learning from texts is one file with the answer first, each choice of temperature, and the fit."""

import json
import re
from dataclasses import replace

import pytest
from tests.evaluation.test_report import Reader, words
from tests.learn.made_learning import SHAPE, SIGNALS, WARNING, Maker

from dyntemp.learn.passages.calibration import Calibration
from dyntemp.learn.passages.report import document
from dyntemp.learn.passages.results import Gain, HeldOut, PassageResults


def made(**given):
    """Results as learning from texts has them, made up."""
    rounds = [replace(one, score=2 - 0.1 * one.round, texts=24) for one in Maker(rounds=6).run(0).rounds]
    policy = rounds[-1].policy
    return PassageResults(**{
        "settings": {"texts": "51ab", "seed": 0}, "digest": "7c4e" * 16, "model": "smollm2",
        "about": {"date": "2026-11-29"}, "source": "letters.jsonl", "given": 50, "passages": (24, 25),
        "tokens": (1900, 1950), "dropped": 0.0, "shape": SHAPE, "bounds": (0.1, 3.0), "filters": "", "anchor": "0.8",
        "began_static": True, "signals": SIGNALS, "pulls": [(0.0, 1.551), (0.01, 1.549), (None, 1.603)], "pull": 0.01,
        "rounds": rounds,
        "held_out": [
            HeldOut(name="T = 1", policy="1", loss=1.6, temperature=1.0, spread=0.0,
                    calibration=Calibration(0.09, 0.07, 0.11)),
            HeldOut(name="best static", policy="0.8", loss=1.5, temperature=0.8, spread=0.0,
                    calibration=Calibration(0.08, 0.06, 0.1)),
            HeldOut(name="learned", policy=policy, loss=1.45, temperature=1.1, spread=0.4,
                    calibration=Calibration(0.03, None, None)),
        ],
        "gains": [Gain(other="T = 1", difference=0.15, low=0.1, high=0.2, p=0.0001),
                  Gain(other="best static", difference=0.05, low=0.0371, high=0.0629, p=0.002)],
        "oracle": 1.25, "verdict": "helps",
        "sentence": "A learned temperature is less surprised by letters.jsonl than the best static one.",
        "warnings": [WARNING], **given,
    })  # fmt: skip


@pytest.fixture(scope="module")
def html():
    return document(made())


def test_the_page_is_well_formed_and_asks_for_nothing(html):
    reader = Reader(html)

    assert [] == reader.open
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.elements}
    assert not re.search(r"url\(|@import|https?://|\bnan\b", html.split("</style>")[1])
    assert html == document(PassageResults.from_json(json.loads(json.dumps(made().to_json()))))


def test_the_answer_comes_first_then_warnings_and_each_choice_of_temperature(html):
    text = words(html)
    table = html.split("<tbody>")[1].split("</tbody>")[0]
    rows = [words(row) for row in re.findall("<tr.*?</tr>", table)]

    assert text.startswith(f"{made().sentence}Warning: {WARNING}")
    assert [
        "T = 111.6000+0.1500 (+0.1000 to +0.2000)< 0.001100.090 (0.070 to 0.110)",
        "best static0.81.5000+0.0500 (+0.0371 to +0.0629)0.0020.800.080 (0.060 to 0.100)",
        "learned1.4500––1.10.40.030",
    ] == rows


def test_the_way_to_the_oracle_is_told(html):
    assert "From 1.5000 of the best static temperature the learned policy comes to 1.4500, 20.0% of the way" in words(
        html
    )
    assert "of the way" not in words(document(made(oracle=1.5)))


def test_the_fit_the_curves_and_the_chosen_price_are_there(html):
    told = [attrs["aria-label"] for tag, attrs in Reader(html).elements if tag == "svg"]

    assert [one for one in told if one.startswith("T over")] == told[:2]
    assert "nats a token: the mean goes from 2 to 1.5" in told
    assert "0.011.5490chosen" in words(html)
    assert "infinite: static1.6030" in words(html)
    assert 1 == html.count(">chosen<")


def test_a_static_outcome_has_a_report_too():
    rounds = made().rounds[:1]
    html = document(made(rounds=rounds, pull=None, signals={}))

    assert [] == Reader(html).open
    assert "infinite: static1.6030chosen" in words(html)
    assert "The fit" not in words(html)

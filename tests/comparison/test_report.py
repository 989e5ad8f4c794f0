"""The report is one file that needs nothing else, and says what the figures say."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from dyntemp.comparison import compare
from dyntemp.comparison.report import HONEST, PROMPTS, SEEDS, chosen
from dyntemp.comparison.report_texts import LONGEST
from dyntemp.show.report_parts import signed
from dyntemp.testing import FakeModel

PIECES = [bytes([code]) for code in range(32, 127)] + [b"<b>", b""]
POLICIES = ["0.3 + 0.5*normalized_entropy", "0.4 + 0.5*normalized_entropy", "1.6"]


def made(folder, prompts, **more):
    model = FakeModel(
        PIECES, lambda tokens: np.random.default_rng(7 * sum(tokens)).normal(0, 2, len(PIECES)), end=[96], chat=True
    )
    return compare(model, prompts, POLICIES, folder=folder, **more)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    prompts = ["<script>alert(1)</script> & more", [{"role": "user", "content": "hello"}], *map(str, range(14))]
    return made(tmp_path_factory.mktemp("report") / "c", prompts, seeds=3, max_tokens=60)


@pytest.fixture(scope="module")
def page(comparison):
    return comparison.report().read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Elements in order, and whether each is closed where it should be."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def test_the_page_is_well_formed_and_asks_for_nothing(page):
    reader = Reader(page)

    assert [] == reader.open
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.elements}
    assert not [attrs for _, attrs in reader.elements if {"src", "href", "onclick"} & set(attrs)]
    assert not re.search(r"url\(|@import|https?://", page)
    assert "alert(1)" in page
    assert "<script" not in page


def test_every_figure_is_in_the_table(comparison, page):
    text = " ".join(Reader(page).words)

    for one in comparison.figures.policies:
        assert one.policy in text
        for estimate in one.measures.values():
            if estimate.difference is not None:
                assert f"{signed(estimate.difference)} ({signed(estimate.low)} to {signed(estimate.high)})" in text
    assert HONEST in text
    assert "n = 16 prompts" in text
    assert "too narrow" not in text


def test_texts_are_side_by_side_with_the_point_where_they_part(comparison, page):
    reader = Reader(page)
    columns = [attrs for tag, attrs in reader.elements if tag == "article"]
    told = [re.sub("<[^>]*>", "", head) for head in re.findall("<h4>(.*?)</h4>", page)]
    expected = []
    for cell in chosen(comparison.manifest.cells):
        leader, *others = (list(comparison.trace(cell, policy)) for policy in range(3))
        expected.append("A leads")
        for letter, other in zip("BC", others, strict=True):
            differing = (a.token != b.token for a, b in zip(leader, other, strict=False))
            at = next((number for number, differs in enumerate(differing) if differs), None)
            expected.append(f"{letter} same as A to the end" if at is None else f"{letter} parts from A at token {at}")

    assert 3 * PROMPTS * SEEDS == len(columns)
    assert expected == told
    parted = sum("parts from A" in head for head in told)
    assert parted / 2 < page.count('class="dt-parting"') <= parted, "in the text too, unless it parts at its end"
    assert f"{PROMPTS * SEEDS} of {16 * 3} groups are shown" in " ".join(reader.words)


def test_the_shown_text_is_the_text(comparison, page):
    tokens = list(comparison.trace(comparison.manifest.cells[0], 0))
    classes = [attrs.get("class", "") for _, attrs in Reader(page).elements]

    shown = page.split("<article>")[1].split("</article>")[0]
    assert len(tokens) == len(re.findall(r'data-at="\d+"', shown))
    assert "".join(token.text for token in tokens) in re.sub(r"<sub.*?</sub>|<(?!/?b&)[^>]*>", "", shown).replace(
        "&lt;", "<"
    ).replace("&gt;", ">").replace("&amp;", "&").replace("&#x27;", "'").replace("&quot;", '"')
    assert any("dt-parted" in name for name in classes)


def test_long_texts_are_cut_and_that_is_said(tmp_path):
    model = FakeModel([b"a", b"b"], lambda _: [0.0, 0.1], chat=True)
    page = (
        compare(model, "a", ["1", "1"], folder=tmp_path / "c", max_tokens=LONGEST + 7)
        .report()
        .read_text(encoding="utf-8")
    )
    page = page.split("</style>")[1]

    assert 2 == page.count("... and 7 tokens more")
    assert 2 * LONGEST == len(re.findall(r'data-at="\d+"', page))
    assert "There is one prompt, so no interval can be given" in page
    assert "same as A to the end" in page


def test_few_prompts_are_warned_of(tmp_path):
    page = made(tmp_path / "c", ["a", "b"], max_tokens=4).report().read_text(encoding="utf-8")

    assert "With fewer than 10 prompts such intervals are too narrow" in page


def test_a_notebook_shows_the_figures_and_few_texts(comparison, page):
    shown = comparison._repr_html_()

    assert shown.startswith('<div class="dt dt-report">')
    assert 3 == shown.count("<article>")
    assert len(shown) < len(page) / 2


def test_drawings_say_what_they_show(page):
    labels = [attrs["aria-label"] for tag, attrs in Reader(page).elements if tag == "svg"]

    assert ["temperature", "entropy of the model, nats", "entropy of the draw, nats"] == [
        label.split(":")[0] for label in labels
    ]
    assert all("A: median" in label and "C: median" in label for label in labels)

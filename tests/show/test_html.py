"""Static HTML: what a token writes is text and nothing else, tints and bars are the numbers, what is cut is said."""

import re
from html.parser import HTMLParser
from importlib.resources import files
from math import inf

import numpy as np
import pytest
from tests.show.tokens import make

from dyntemp import Policy, generate
from dyntemp.show.card import card
from dyntemp.show.curve import curve_info
from dyntemp.show.html import CURVE_VOCABULARY, NOTEBOOK_TOKENS, PAGE_CARDS, notebook, page, policy_card, token_card
from dyntemp.show.markup import element
from dyntemp.show.notebook import View
from dyntemp.show.quantity import quantity
from dyntemp.show.words import explain, flowing
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.header import Header
from dyntemp.traces.replay_trace import replays

HOSTILE = ["<script>alert(1)</script>", '"><img src=//evil.example/x onerror=alert(1)>', "</style></title>",
           "&lt;b&gt;", "'--><!--", "{{x}}", "\x00\x1b[2J", "\u202egnp", "`", " <details open>"]  # fmt: skip
VOID = {"br", "meta", "input"}
CSS = files("dyntemp.show").joinpath("tokens.css").read_text(encoding="utf-8")


class Tree(HTMLParser):
    """The elements of a page as a browser reads them, each (name, attributes, text); complains where they cross."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = (tag, dict(attrs), [])
        self.elements.append(found)
        if tag not in VOID:
            self.open.append(found)

    def handle_endtag(self, tag):
        assert tag == self.open.pop()[0]

    def handle_data(self, data):
        for _, _, text in self.open:
            text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def of(self, name=None, kind=None):
        """The elements of a name, or of a class."""
        return [
            (tag, attrs, "".join(text)) for tag, attrs, text in self.elements
            if name in (None, tag) and (kind is None or kind in (attrs.get("class") or "").split())
        ]  # fmt: skip


def header(**changes):
    given = {
        "model": "fake", "policy": "0.3 + 0.7*max_prob", "policy_name": None, "seed": 1, "prompts": ["Say a."],
        "settings": {}, "versions": {}, "started": "",
    } | changes  # fmt: skip
    return Header(**given)


def run(count=6, **settings):
    return [
        make([0.4, 0.3, 0.2, 0.1], 0.3 + 0.7 * 0.4, drawn=at % 4, top_k=3, named=2, position=at, **settings)
        if at % 4 < 3
        else make([0.4, 0.3, 0.2, 0.1], 0.58, drawn=3, named=2, position=at, **settings)
        for at in range(count)
    ]


@pytest.mark.parametrize("show", [lambda tokens, head: page(head, tokens), lambda tokens, head: notebook(head, tokens)])
def test_nothing_that_a_model_writes_becomes_markup(show):
    texts = [text.encode() for text in HOSTILE]
    tokens = [make([1.0] * 10, 1.0, drawn=at, position=at, texts=texts) for at in range(10)]
    hostile = header(model=HOSTILE[0], policy=HOSTILE[1], prompts=[HOSTILE[1] + "\ud800\x85\x00"])
    html = show(tokens, hostile)
    tree = Tree(html)

    html.encode()
    assert [] == tree.of("script") == tree.of("img")
    assert not [
        name for _, attrs, _ in tree.elements for name in attrs if name.startswith("on") or name in ("src", "href")
    ]
    assert 1 == len(tree.of("style"))
    written = [text for _, _, text in tree.of("summary")]
    assert all(text.startswith(flowing(token)[0]) for text, token in zip(written, tokens, strict=True))
    assert not set("\x00\x1b\x85\u202e") & set(html)


def test_every_token_has_its_text_its_tint_its_number_and_its_sentence():
    tokens = run()
    measure = quantity("surprisal", tokens)
    tree = Tree(page(header(), tokens, by="surprisal"))
    found = tree.of(kind="dt-token")

    assert [str(token.position) for token in tokens] == [attrs["data-at"] for _, attrs, _ in found]
    for (_, attrs, _), (_, summary, text), token in zip(found, tree.of("summary"), tokens, strict=True):
        assert f"--heat:{token.surprisal / 2.5:.3g}" == attrs["style"]
        assert explain(token) == summary["title"]
        assert flowing(token)[0] + f"{measure.value(token):.2f}".lstrip("0") == text
    assert ["surprisal02.5 nats"] == [text for _, _, text in tree.of(kind="dt-legend")]
    assert len(tokens) == len(tree.of("table"))


def test_tints_of_temperature_lie_within_what_the_policy_can_return():
    styles = {attrs["style"] for _, attrs, _ in Tree(page(header(), run())).of(kind="dt-token")}

    assert {f"--heat:{0.28 / 0.7:.3g}"} == styles


def test_line_breaks_end_lines_and_marks_are_marked():
    tokens = [
        make([1, 1], texts=[b"a\n\n", b"b"]), make([1, 1], texts=[b"\xe2\x82", b"b"]), make([1, 1], texts=[b"  ", b"b"])
    ]  # fmt: skip
    tree = Tree(page(header(), tokens))

    assert 2 == len(tree.of("br"))
    assert ["a⏎⏎", "�", "␣␣"] == [text.removesuffix("1.00") for _, _, text in tree.of("summary")]


def test_bars_and_states_are_the_numbers_of_the_card():
    token = make([50, 20, 10, 8, 6, 3, 2, 1], 1.0, top_k=5, named=6, drawn=3)
    rows = [one for one in Tree(token_card(token)).of("tr") if one[1].get("style")]
    shown = card(token)

    for (_, attrs, text), row in zip(rows, shown.rows, strict=True):
        before, after = (float(share) for share in re.findall(r"--(?:before|after):([0-9.e-]+)", attrs["style"]))
        assert pytest.approx(row.before / (50 / 94), abs=5e-3) == before
        assert pytest.approx(row.after / (50 / 94), abs=5e-3) == after
        assert row.dropped == ("dt-dropped" in (attrs.get("class") or "")) == text.endswith("dropped")
        assert row.chosen == ("dt-drawn" in (attrs.get("class") or "")) == text.endswith("drawn")


def test_a_replay_is_coloured_as_the_other_policy_would_have_it(tmp_path):
    path = tmp_path / "run.jsonl"
    model = FakeModel([b"a", b"b", b"c"], lambda seen: [2.0, 1.0, len(seen) % 3])
    list(generate(model, [0], 0.5, max_tokens=40, seed=2, trace=path))
    trace, other = Trace.open(path), Policy("1 + max_prob")
    tokens = list(trace)
    now = replays(trace.header, tokens, other)
    tree = Tree(page(trace.header, tokens, other=other, replayed=now))

    shares = [float(attrs["style"].removeprefix("--heat:")) for _, attrs, _ in tree.of(kind="dt-token")]
    assert pytest.approx([one.temperature - 1 for one in now], abs=1e-3) == shares
    assert sum(not one.kept for one in now) == len(tree.of(kind="dt-changed")) > 0
    assert f"{sum(not one.kept for one in now)} of 40 tokens would differ" in "".join(
        text for *_, text in tree.of("dd")
    )
    assert [explain(token) for token in tokens] == [attrs["title"] for _, attrs, _ in tree.of("summary")]


def test_each_prompt_has_its_own_text():
    tokens = [make([1, 1], position=at, request=request) for at in range(2) for request in range(2)]
    tree = Tree(page(header(prompts=["One?", [{"role": "user", "content": "Two?"}]]), tokens))

    assert ["Prompt 0", "Prompt 1"] == [text for *_, text in tree.of("h2")]
    assert ["One?", "user: Two?"] == [text for *_, text in tree.of("blockquote")]
    assert ["0", "1", "0", "1"] == [attrs["data-at"] for _, attrs, _ in tree.of(kind="dt-token")]


def test_of_a_long_text_the_first_cards_are_kept_and_the_others_said():
    tokens = run(PAGE_CARDS + 1)
    tree = Tree(page(header(), tokens))

    assert PAGE_CARDS == len(tree.of("details"))
    assert explain(tokens[-1]) == tree.of("span", "dt-token")[0][1]["title"]
    assert "The first 600 of 601 tokens have a card." in [text for *_, text in tree.of(kind="dt-note")]


def test_a_notebook_shows_the_beginning_of_a_long_text_and_says_so():
    tree = Tree(notebook(None, iter(run(NOTEBOOK_TOKENS + 5))))

    assert NOTEBOOK_TOKENS == len(tree.of(kind="dt-token"))
    assert "The first 1,000 tokens;" in tree.of(kind="dt-note")[0][2]


def test_a_damaged_trace_shows_what_can_be_read_and_what_is_damaged(tmp_path):
    path = tmp_path / "run.jsonl"
    model = FakeModel([b"a", b"b"], lambda _: [1.0, 0.0])
    list(generate(model, [0], 0.5, max_tokens=4, seed=2, trace=path))
    path.write_bytes(path.read_bytes()[:-5])
    tree = Tree(Trace.open(path)._repr_html_())

    assert 3 == len(tree.of(kind="dt-token"))
    assert "the line is cut off" in tree.of(kind="dt-note")[0][2]


def test_nothing_is_shown_as_nothing():
    assert "no tokens" in notebook(None, [])
    assert "no tokens" in page(header(), [])


def test_tokens_from_anywhere_can_be_viewed_by_anything():
    view = View(run(), by="probability")

    assert str(view) == " a b c d a b"
    assert ["probability01"] == [text for *_, text in Tree(view._repr_html_()).of(kind="dt-legend")]
    assert "policy" not in [text for *_, text in Tree(view._repr_html_()).of("dt")]


def test_every_class_is_in_the_style_sheet():
    tokens = [*run(), make([1, 1], position=6, origin="forced"), make([1, 1], position=7, origin="parted")]
    html = page(header(), tokens) + policy_card(Policy("0.3 + 0.7*max_prob"))
    used = {name for _, attrs, _ in Tree(html).elements for name in (attrs.get("class") or "").split()}

    notes = Tree(html).of(kind="dt-note")[0][2]
    assert "Dashed: it had to part from the text that it follows. Dotted: put here, not drawn." in notes
    assert {"dt-token", "dt-forced", "dt-parted", "dt-card", "dt-curve"} <= used
    assert set() == {name for name in used if not re.search(rf"\.{name}(?![\w-])", CSS)} - {"dt-state"}


def points(html):
    (found,) = re.findall(r'points="([^"]+)"', html)
    return np.array([list(map(float, pair.split(","))) for pair in found.split()])


@pytest.mark.parametrize("text", ["0.3 + 0.7*normalized_entropy**0.5", "0.1 + 0.8*entropy", "1.2 - max_prob"])
def test_a_policys_curve_is_its_numbers(text):
    policy = Policy(text)
    drawn, at = curve_info(policy, CURVE_VOCABULARY), points(policy_card(policy))

    for axis, numbers, sign in ((0, drawn.entropy, 1), (1, drawn.temperature, -1)):
        slope, _ = np.polyfit(numbers, at[:, axis], 1)
        assert sign * slope > 0
        assert np.corrcoef(numbers, at[:, axis])[0, 1] * sign > 0.99999
    low, high = policy.bounds()
    assert f"{low:.3g} to {high:.3g}" in policy_card(policy)


def test_policies_without_a_curve_tell_what_they_can():
    template = Tree(policy_card(Policy("a + b*entropy", name="mine")))

    assert ["entropy", "a, b"] == [text for *_, text in template.of("dd")]
    assert "mine" in [text for *_, text in template.of("p")]
    assert [] == template.of("svg") == Tree(policy_card(Policy("1/(0*max_prob)"))).of("svg")
    assert "0.7" == Tree(policy_card(Policy("0.7"))).of("dd")[0][2]


def test_a_track_has_a_step_for_each_token_at_its_height():
    tokens = [make([1, 1], temperature, position=at) for at, temperature in enumerate((0.3, 0.65, 1.0, inf))]
    (track, _) = Tree(page(header(policy="0.3 + 0.7*normalized_entropy"), tokens)).of("path")

    assert "M0 32.0H1 L1 16.0H2 L2 0.0H3 L3 0.0H4" == track[1]["d"]


def test_elements_escape_what_is_not_one():
    assert '<p title="&quot;&amp;" hidden>&lt;b&gt;<b>x</b></p>' == element(
        "p", "<b>", element("b", "x"), None, title='"&', hidden=True, lang=None, disabled=False
    )


def test_a_host_is_named_in_place_of_its_seed():
    ours, theirs = page(header(), run()), page(header(host="vLLM"), run())

    assert "drawn by" not in ours
    assert re.search(r"drawn by.*vLLM", theirs, re.DOTALL)
    assert header(host="vLLM").drawn == "drawn by vLLM"
    assert header(seed=7).drawn == "seed 7"

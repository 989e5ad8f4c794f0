"""Static pages of a trace in a real browser: light and dark, narrow and wide, by mouse, keyboard and on paper."""

import re

import pytest
from tests.show.test_colour import tint

from dyntemp import Policy, generate
from dyntemp.show.html import page as static
from dyntemp.show.html import policy_card
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.replay_trace import replays

HOSTILE = '"><img src=http://example.com/x onerror=alert(1)>'
PIECES = [b" one", b" two", b" three", b"!", b"\n", b"\xc3", b"\xa9", b" <script>alert(1)</script>", HOSTILE.encode()]
CARD = "details[open] > .dt-card"


@pytest.fixture
def trace(tmp_path):
    """A trace of 40 tokens, some of which mean harm."""
    model = FakeModel(PIECES, lambda seen: [((n * 5 + len(seen) * 3) % 9) / (1 + len(seen) % 4) for n in range(9)])
    path = tmp_path / "run.jsonl"
    list(generate(model, [0], "0.3 + 0.7*normalized_entropy**0.5", max_tokens=40, seed=4, top_k=7, trace=path))
    return Trace.open(path)


@pytest.fixture
def visit(tmp_path):
    """`visit(page, html)`: open `html` as a file."""

    def go(page, html):
        path = tmp_path / "shown.html"
        path.write_text(html, encoding="utf-8")
        page.goto(path.as_uri())

    return go


def test_a_token_opens_to_its_card_below_its_line_and_the_last_one_closes(page, visit, trace):
    visit(page, static(trace.header, list(trace)))
    tokens = page.locator("details.dt-token")
    before = tokens.nth(12).locator("summary").bounding_box()
    assert 0 == page.locator(".dt-card:visible").count()

    tokens.nth(12).locator("summary").click()
    line, card = tokens.nth(12).locator("summary").bounding_box(), page.locator(CARD).bounding_box()

    assert 1 == page.locator(CARD).count()
    assert before == line  # the line that was clicked stays where it is
    assert card["y"] >= line["y"] + line["height"] - 1
    assert card["width"] > 500
    text = page.locator(".dt-text").bounding_box()
    assert (text["x"], text["width"]) == pytest.approx((card["x"], card["width"]), abs=1)

    tokens.nth(3).locator("summary").click()
    assert ["3"] == [one.get_attribute("data-at") for one in page.locator("details[open]").all()]


def test_the_keyboard_reaches_and_opens_every_card(page, visit, trace):
    visit(page, static(trace.header, list(trace)))
    page.locator(".dt-switch").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert "1" == page.locator("details[open]").get_attribute("data-at")
    assert "solid" == page.evaluate("getComputedStyle(document.activeElement).outlineStyle")


def test_numbers_can_be_switched_off(page, visit, trace):
    visit(page, static(trace.header, list(trace)))
    assert 40 == page.locator(".dt-number:visible").count()

    page.get_by_label("numbers").uncheck()

    assert 0 == page.locator(".dt-number:visible").count()


@pytest.mark.parametrize("by", ["temperature", "surprisal"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_tints_as_the_formula_says(open_page, visit, trace, scheme, by):
    page = open_page(color_scheme=scheme)
    visit(page, static(trace.header, list(trace), by=by))
    found = page.locator("details.dt-token").evaluate_all(
        "all => all.map(one => [parseFloat(one.style.getPropertyValue('--heat')),"
        " getComputedStyle(one.querySelector('summary')).backgroundColor])"
    )

    assert 40 == len(found)
    for share, colour in found:
        rgb = [float(number) for number in re.findall(r"[\d.]+", colour.replace("srgb", ""))]
        scaled = rgb if colour.startswith("rgb") else [255 * one for one in rgb]
        assert pytest.approx(list(tint(share, scheme, diverging=by == "temperature")), abs=1) == scaled[:3]


@pytest.mark.parametrize(
    ("around", "ink"),
    [
        ('data-jp-theme-light="false"', "236, 239, 244"), ('data-jp-theme-light="true"', "27, 31, 36"),
        ('class="vscode-dark"', "236, 239, 244"), ('class="vscode-light"', "27, 31, 36"), ("", "27, 31, 36"),
    ],
)  # fmt: skip
def test_a_notebooks_theme_decides(open_page, visit, trace, around, ink):
    scheme = "dark" if "27, 31" in ink and around else "light"
    page = open_page(color_scheme=scheme)
    visit(page, f"<!doctype html><html><body {around}>{trace._repr_html_()}</body></html>")

    assert f"rgb({ink})" == page.locator(".dt").evaluate("one => getComputedStyle(one).color")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_serious_for_axe_and_no_sideways_scrolling(open_page, visit, trace, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    tokens, other = list(trace), Policy("1.5 - max_prob")
    html = static(trace.header, tokens, other=other, replayed=replays(trace.header, tokens, other))
    visit(page, html.replace("</main>", policy_card(other).replace("<style>", "<style hidden>") + "</main>"))
    page.locator("details.dt-token summary").nth(5).click()
    found = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]

    assert [] == [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_the_text_keeps_its_colours(page, visit, trace):
    visit(page, static(trace.header, list(trace)))
    page.emulate_media(media="print")

    assert "exact" == page.locator("details.dt-token > summary").first.evaluate(
        "one => getComputedStyle(one).printColorAdjust"
    )

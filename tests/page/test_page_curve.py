"""The curve editor: points that write themselves as a policy, and a policy that becomes points."""

import json
import re

import numpy as np
import pytest
from tests.page.made import example, trace_text

from dyntemp import Policy
from dyntemp.page import document
from dyntemp.page.bundle import bundle

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def handles(page):
    """The module of points and texts, in a page."""
    script = bundle()
    parts = re.search(r'modules\["view/handles\.js"\] = .*?\n\}\)\(\);', script, re.DOTALL)[0]
    page.evaluate(f"() => {{ window.modules = {{}}; {parts} }}")
    return lambda call: page.evaluate(f"() => modules['view/handles.js'].{call}")


@pytest.fixture
def drawn(page, tmp_path):
    """The page with one trace, drawn."""
    path = tmp_path / "page.html"
    text = trace_text(tmp_path, count=120)
    path.write_text(document(examples=[example(text)]), encoding="utf-8")
    page.goto(path.as_uri())
    page.entropies = [json.loads(line)["signals"]["entropy"] for line in text.splitlines()[1:]]
    return page


def policy_box(page):
    return page.get_by_role("textbox", name="Policy", exact=True)


def handle(page, at):
    return page.get_by_role("slider", name=re.compile(f"^Point {at} of"))


def read(page):
    """The points as the handles tell them."""
    told = page.get_by_role("slider").evaluate_all("nodes => nodes.map(node => node.getAttribute('aria-valuetext'))")
    return [tuple(float(number) for number in re.findall(r"[\d.]+", text.removeprefix("entropy"))) for text in told]


def test_points_written_as_a_policy_read_back_and_mean_what_they_say(handles):
    random = np.random.default_rng(5)
    for _ in range(200):
        xs = np.sort(random.choice(np.arange(0, 4000), random.integers(2, 9), replace=False)) / 1000
        ys = random.integers(0, 3001, len(xs)) / 1000
        points = [{"x": float(x), "y": float(y)} for x, y in zip(xs, ys, strict=True)]
        text = handles(f"curveText('entropy', {json.dumps(points)})")
        policy = Policy(text)
        at = np.linspace(0, 6, 50)

        assert np.allclose(policy.step({"entropy": at}), np.interp(at, xs, ys), rtol=0, atol=1e-12)
        assert policy.bounds().low >= 0
        assert policy.bounds().high <= ys.max() + 1e-9
        assert str(policy) == text, "as the page writes it, the parser does"
        back = handles(f"pointsOf({json.dumps(text)}, 'entropy')")
        assert np.allclose([[point["x"], point["y"]] for point in back], np.array([xs, ys]).T)


@pytest.mark.parametrize("text", ["0.3 + entropy", "lerp(0.3, 1, max_prob)", "0.3 + 0.7*clip(max_prob/2, 0, 1)", "0.7"])
def test_other_policies_are_no_points(handles, text):
    assert handles(f"pointsOf({json.dumps(text)}, 'entropy')") is None


def test_a_curve_is_taken_apart_into_few_points_that_stay_near_it(handles):
    curve = [{"x": x / 32, "y": float(np.sqrt(x / 32))} for x in range(65)]
    kept = handles(f"simplified({json.dumps(curve)})")
    xs, ys = zip(*[(point["x"], point["y"]) for point in kept], strict=True)

    assert len(kept) <= 8
    away = [abs(np.interp(point["x"], xs, ys) - point["y"]) for point in curve]
    assert max(away) < 0.03
    assert [{"x": 0, "y": 1}, {"x": 2, "y": 1}] == handles("simplified([{x: 0, y: 1}, {x: 1, y: 1}, {x: 2, y: 1}])")


def test_a_policy_becomes_points_and_arrow_keys_move_them(drawn):
    policy_box(drawn).fill("0.2 + 0.4*sqrt(entropy)")
    expect(drawn.locator("#outcome")).to_contain_text("would be another")
    expect(drawn.get_by_text("Line: the policy. Dots: the tokens, 120 of them.")).to_be_visible()
    drawn.get_by_role("button", name="Edit as curve").click()
    expect(handle(drawn, 1)).to_be_focused()
    points = read(drawn)
    assert 3 <= len(points) <= 8
    assert points[0] == (0, 0.2)
    expect(policy_box(drawn)).to_have_text(re.compile(r"^0\.2 \+ [\d.]+\*clip\(entropy/[\d.]+, 0, 1\) \+ "))

    for _ in range(10):
        drawn.keyboard.press("ArrowUp")
    drawn.keyboard.press("Shift+ArrowUp")
    expect(handle(drawn, 1)).to_have_attribute("aria-valuetext", "entropy 0, temperature 0.5")
    expect(policy_box(drawn)).to_have_text(re.compile(r"^clip\(0\.5 - "))
    least = int(np.argmin(drawn.entropies))
    policy = Policy(policy_box(drawn).text_content())
    expected = float(policy.step({"entropy": drawn.entropies[least]})[0])
    assert expected > 0.4
    expect(drawn.locator(".dt-number").nth(least)).to_have_text(f"{expected:.2f}".removeprefix("0"))
    drawn.keyboard.press("ArrowRight")
    assert read(drawn)[0][0] == pytest.approx(max(drawn.entropies) / 100, rel=0.05)

    count = len(points)
    drawn.get_by_role("button", name="Add a point").click()
    expect(drawn.get_by_role("slider")).to_have_count(count + 1)
    drawn.keyboard.press("Delete")
    expect(drawn.get_by_role("slider")).to_have_count(count)
    for _ in range(count):
        drawn.get_by_role("button", name="Remove the point").click()
    expect(drawn.get_by_role("slider")).to_have_count(2)
    expect(drawn.get_by_role("status")).to_have_text("A curve needs two points")


def test_points_are_dragged_and_the_policy_and_the_text_follow(drawn):
    policy_box(drawn).fill("0.3 + 0.7*clip(entropy/2, 0, 1)")
    expect(drawn.locator("#outcome")).to_contain_text("tokens stay")
    drawn.get_by_role("button", name="Edit as curve").click()
    assert [(0, 0.3), (2, 1)] == read(drawn)
    expect(policy_box(drawn)).to_have_text("0.3 + 0.7*clip(entropy/2, 0, 1)")
    knob = handle(drawn, 2).bounding_box()
    x, y = knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2
    drawn.mouse.move(x, y)
    drawn.mouse.down()
    for step in range(1, 11):
        drawn.mouse.move(x - 6 * step, y + 5 * step)
    drawn.mouse.up()

    (_, low), (at, high) = read(drawn)
    assert 0.3 == low
    assert 0 < at < 2
    assert 0.3 < high < 0.8
    expect(policy_box(drawn)).to_have_text(re.compile(rf"^0\.3 \+ {high - 0.3:.3g}\d*\*clip\(entropy/[\d.]+, 0, 1\)$"))
    written = float(re.search(r"entropy/([\d.]+)", policy_box(drawn).text_content())[1])
    assert written == pytest.approx(at, abs=0.006)
    temperature = drawn.locator(".dt-token .dt-number").first
    policy = Policy(policy_box(drawn).text_content())
    expected = float(policy.step({"entropy": drawn.entropies[0]})[0])
    expect(temperature).to_have_text(f"{expected:.2f}".removeprefix("0"))

    policy_box(drawn).fill("0.1 + 0.2*entropy - 0.05*max_prob")
    expect(drawn.get_by_role("slider")).to_have_count(0)
    expect(drawn.get_by_text("reads more than entropy alone")).to_be_visible()
    drawn.get_by_role("combobox", name="Over").select_option("max_prob")
    expect(drawn.get_by_text("which max_prob")).to_be_visible()


def test_the_bars_count_what_the_text_visited(drawn):
    counts = np.histogram(drawn.entropies, bins=40, range=(0, max(drawn.entropies)))[0]
    tall = drawn.locator(".curve .bar").evaluate_all("bars => bars.map(bar => Number(bar.getAttribute('height')))")

    assert len(tall) == (counts > 0).sum()
    shares = np.sqrt(counts[counts > 0])
    assert np.allclose(np.array(tall) / max(tall), shares / shares.max(), atol=1e-6)

"""The view of a learning: its curves and rounds, by mouse and keyboard, in all themes and widths, and its cost."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from tests.page.learnings import QUANTILES, learning, learning_text
from tests.page.made import example, trace_text

from dyntemp import Policy
from dyntemp.page import document

expect = pytest.importorskip("playwright.sync_api").expect
from tests.page.test_page import WIDTHS, policy_box, serious  # noqa: E402 (both need Playwright)
from tests.page.test_page_speed import WATCH, YARDSTICK, long_tasks  # noqa: E402

PACE = 180
"""Milliseconds that the page shows each round while it plays."""


@pytest.fixture
def visit(tmp_path):
    """`visit(page, learning, ...)`: the page with these learnings, opened as a file."""

    def go(page, *texts, hash_="", **settings):
        path = tmp_path / "page.html"
        learnings = [{"name": f"learning {at}.json", "text": text} for at, text in enumerate(texts)]
        path.write_text(document(learnings=learnings, **{"examples": [], **settings}), encoding="utf-8")
        page.goto(f"{path.as_uri()}{hash_}")
        expect(page.locator("html[data-ready]")).to_have_count(1)
        return page

    return go


def view(page):
    return page.locator("#learning")


def rounds(page):
    return view(page).get_by_role("slider", name="Round")


def curve(page):
    return view(page).locator("svg.learned")


def policy_text(page):
    return view(page).locator("pre").text_content()


def ends(page):
    """The first and the last temperature of the current curve, as the picture tells them."""
    told = curve(page).get_attribute("aria-label")
    return [float(number) for number in re.search(r"T goes from ([\d.]+) at .* to ([\d.]+) at", told).groups()]


def expected_ends(policy, signal, held):
    """The temperatures of a policy at the ends of a signal's range, in three digits."""
    values = {name: all_[4] for name, all_ in QUANTILES.items()} | held
    xs = np.array([QUANTILES[signal][0], QUANTILES[signal][-1]])
    return [float(f"{one:.3g}") for one in Policy(policy).step(values | {signal: xs})]


def test_it_opens_at_the_round_that_was_kept(page, visit):
    made = learning()
    visit(page, learning_text())

    expect(page.get_by_role("heading", name="Learning on fluency, with transformers:smollm2")).to_be_visible()
    expect(view(page)).to_contain_text(made["sentence"])
    expect(view(page)).to_contain_text("Seed 0 kept the policy of round 28.")
    expect(rounds(page)).to_have_value("28")
    assert made["runs"][0]["rounds"][28]["policy"] == policy_text(page)
    assert expected_ends(policy_text(page), "entropy", {}) == ends(page)
    expect(view(page).locator(".faint .round")).to_have_count(30)
    expect(view(page).locator(".round.now")).to_have_count(1)
    expect(view(page).get_by_text("static 0.9", exact=True)).to_be_visible()
    expect(page.locator("#welcome")).to_be_hidden()


def test_arrow_keys_go_through_the_rounds(page, visit):
    made = learning()["runs"][0]["rounds"]
    visit(page, learning_text())
    rounds(page).press("Home")
    assert made[0]["policy"] == policy_text(page)
    assert [0.9, 0.9] == ends(page)
    rounds(page).press("ArrowRight")
    rounds(page).press("ArrowRight")

    assert made[2]["policy"] == policy_text(page)
    assert expected_ends(made[2]["policy"], "entropy", {}) == ends(page)
    expect(rounds(page)).to_have_attribute("aria-valuetext", "2 of 29")
    facts = view(page).locator("dl")
    expect(facts).to_contain_text("576")
    expect(facts).to_contain_text(f"{made[2]['score']:.3g}")
    rounds(page).press("End")
    assert made[29]["policy"] == policy_text(page)


def test_a_loss_is_better_where_it_is_lower(page, visit):
    visit(page, learning_text(rounds=2, metric="nats per token"))

    expect(view(page).get_by_role("heading", name="nats per token by round, where lower is better")).to_be_visible()


def test_it_plays_pauses_and_begins_again(page, visit):
    page.clock.install(time=0)
    visit(page, learning_text(rounds=6))
    page.clock.pause_at(600_000)
    rounds(page).press("Home")
    view(page).get_by_role("button", name="Play").press("Enter")
    page.clock.run_for(2 * PACE + 5)
    expect(rounds(page)).to_have_value("2")
    view(page).get_by_role("button", name="Pause").press("Enter")
    page.clock.run_for(10 * PACE)
    expect(rounds(page)).to_have_value("2")
    view(page).get_by_role("button", name="Play").click()
    page.clock.run_for(10 * PACE)
    expect(rounds(page)).to_have_value("5")
    view(page).get_by_role("button", name="Play").click()
    expect(rounds(page)).to_have_value("0")
    rounds(page).press("ArrowRight")
    page.clock.run_for(10 * PACE)
    expect(rounds(page)).to_have_value("1")


def test_nothing_plays_where_the_system_asks_for_less_motion(open_page, visit):
    page = open_page(reduced_motion="reduce")
    visit(page, learning_text(rounds=6))

    expect(view(page).get_by_role("button", name="Play")).to_have_count(0)
    rounds(page).press("Home")
    expect(rounds(page)).to_have_value("0")
    page.emulate_media(reduced_motion="no-preference")
    view(page).get_by_role("button", name="Play").click()
    page.emulate_media(reduced_motion="reduce")
    at = rounds(page).input_value()
    page.wait_for_timeout(2 * PACE)
    assert at == rounds(page).input_value()


def test_the_other_signals_move_between_their_quantiles(page, visit):
    visit(page, learning_text())
    text = policy_text(page)
    slider = view(page).get_by_role("slider", name="max_prob")
    expect(slider).to_have_attribute("aria-valuetext", "0.62, median")
    expect(view(page).get_by_role("button", name="All to their medians")).to_be_disabled()
    slider.press("End")
    assert expected_ends(text, "entropy", {"max_prob": 1.0}) == ends(page) != expected_ends(text, "entropy", {})
    slider.press("Home")
    assert expected_ends(text, "entropy", {"max_prob": 0.04}) == ends(page)
    for _ in range(4):
        slider.press("ArrowRight")  # halfway from the first quantile to the second
    assert expected_ends(text, "entropy", {"max_prob": 0.125}) == ends(page)
    expect(slider).to_have_attribute("aria-valuetext", "0.125, quantile 6 %")
    view(page).get_by_role("button", name="All to their medians").click()
    assert expected_ends(text, "entropy", {}) == ends(page)

    view(page).get_by_role("combobox", name="T over").select_option("position")
    assert expected_ends(text, "position", {}) == ends(page)
    expect(view(page).get_by_role("slider", name="position")).to_have_count(0)
    expect(view(page).get_by_role("slider", name="entropy")).to_be_visible()


def test_a_bound_is_a_warning(page, visit):
    visit(page, learning_text(shape="curve"))
    warning = view(page).locator(".warning")
    rounds(page).press("Home")
    expect(warning).to_be_hidden()
    rounds(page).press("End")

    expect(warning).to_contain_text("T was at a bound for 6.7% of this round's tokens.")
    last = learning(shape="curve")["runs"][0]["rounds"][-1]["policy"]
    xs = np.linspace(0, QUANTILES["entropy"][-1], 60)
    at = xs[Policy(last).step({"entropy": xs}) <= 0.1]
    expect(warning).to_contain_text(f"at the lower bound, 0.1, for entropy from {at[0]:.3g} to {at[-1]:.3g}.")
    expect(view(page).locator(".at-bound")).to_have_count(1)
    expect(view(page).get_by_text("bound 3 is above")).to_be_visible()
    visit(page, learning_text(shape="curve", bounds=[0.1, 1.6]))
    expect(view(page).get_by_text("bound 1.6", exact=True)).to_be_visible()


def test_seeds_are_switched_and_their_mean_is_drawn(page, visit):
    made = learning(seeds=2, rounds=4)
    made["runs"].append({"seed": 7, "rounds": [], "chosen": None})
    visit(page, json.dumps(made))
    scores = view(page).locator("svg.scores")
    mean = [np.mean([run["rounds"][at]["score"] for run in made["runs"][:2]]) for at in (0, 3)]
    expect(scores).to_have_attribute(
        "aria-label",
        f"distinct@8 by round, mean of 2 seeds: {mean[0]:.3g} in round 0, {mean[1]:.3g} in round 3",
    )
    expect(scores.locator(".mean")).to_have_count(1)
    seed = view(page).get_by_role("combobox", name="Seed")
    seed.select_option("1")
    expect(rounds(page)).to_have_value("2")
    assert made["runs"][1]["rounds"][2]["policy"] == policy_text(page)
    expect(view(page)).to_contain_text("Seed 1 kept the static temperature.")
    seed.select_option("7")
    expect(view(page)).to_contain_text("Seed 7 has just begun: it has no rounds yet.")
    expect(rounds(page)).to_be_disabled()
    expect(view(page).locator("pre")).to_be_hidden()
    seed.select_option("0")
    assert made["runs"][0]["rounds"][2]["policy"] == policy_text(page)


def test_policies_without_signals_and_signals_without_quantiles_are_shown(page, visit):
    made = learning(shape="curve", seeds=1, rounds=2) | {"signals": {}}
    for one in made["runs"][0]["rounds"]:
        one["policy"] = f"0.7 + 0.{one['round']}"
    visit(page, json.dumps(made))
    expect(curve(page)).to_have_attribute("aria-label", "Round 0: T is 0.7 for every token")
    expect(view(page).get_by_role("combobox", name="T over")).to_be_disabled()

    made = learning(shape="template", seeds=1, rounds=2)
    made["runs"][0]["rounds"][0]["policy"] = "clip(0.9 - 0.3*max_prob + 0*support + 0*ema(entropy, 0.5), 0.1, 3)"
    visit(page, json.dumps(made))
    assert [0.888, 0.6] == ends(page)
    expect(view(page)).to_contain_text("Signals without quantiles in the file stand still: entropy = 0, support = 1.")
    expect(view(page)).to_contain_text("The policy remembers; the curve is that of a text's first token.")


def test_a_policy_is_used_and_copied(open_page, visit, tmp_path):
    page = open_page(viewport={"width": 1280, "height": 800}, permissions=["clipboard-read", "clipboard-write"])
    visit(page, learning_text(shape="curve"), examples=[example(trace_text(tmp_path))])
    text = policy_text(page)
    view(page).get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status")).to_have_text("The policy is copied.")
    assert text == page.evaluate("() => navigator.clipboard.readText()")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    view(page).get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status")).to_contain_text("press Ctrl-C")
    assert text == page.evaluate("() => String(getSelection())")

    link = view(page).get_by_role("link", name="Use this policy in the page")
    address = link.get_attribute("href")
    link.click()
    expect(policy_box(page)).to_have_text(text)
    expect(policy_box(page)).to_be_focused()
    expect(page.locator("#outcome")).to_contain_text("would be another")
    other = visit(page, learning_text(), examples=[example(trace_text(tmp_path, name="other"))], hash_=address)
    expect(policy_box(other)).to_have_text(text)


def test_files_are_opened_beside_each_other(page, visit, tmp_path):
    visit(page)
    expect(view(page)).to_be_hidden()
    for name, content in {
        "one.json": learning_text(rounds=3), "two.json": learning_text(shape="curve", rounds=2, task="letters"),
        "cut.json": learning_text(rounds=3)[:-20], "run.jsonl": trace_text(tmp_path, count=5),
    }.items():  # fmt: skip
        (tmp_path / name).write_text(content, encoding="utf-8")
    page.set_input_files("#file", [tmp_path / name for name in ("one.json", "two.json", "cut.json", "run.jsonl")])

    expect(page.get_by_role("alert")).to_have_text(
        "cut.json: this is not whole JSON: write it anew with `dyntemp learn`"
    )
    expect(page.get_by_role("heading", name="Learning on letters")).to_be_visible()
    expect(page.get_by_role("heading", name="run.jsonl")).to_be_visible()
    view(page).get_by_role("combobox", name="Learning").select_option("one.json")
    expect(page.get_by_role("heading", name="Learning on fluency")).to_be_visible()
    expect(view(page).locator(".faint .round")).to_have_count(3)


def test_texts_of_a_learning_are_never_markup(page, visit):
    hostile = "</script><img src=x onerror=alert(1)>"
    visit(page, learning_text(rounds=2, task=hostile, model=hostile, metric=hostile, filters=hostile, sentence=hostile))

    expect(view(page).locator("h2")).to_have_text(f"Learning on {hostile}, with {hostile}")
    assert 0 == view(page).locator("img").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), WIDTHS)
def test_nothing_serious_for_axe_and_no_sideways_scrolling(open_page, visit, scheme, width, height):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": height})
    visit(page, learning_text(), learning_text(shape="curve"))
    faults = serious(axe, page)
    view(page).get_by_role("combobox", name="Learning").select_option("learning 0.json")
    view(page).get_by_role("slider", name="margin").press("End")
    faults += serious(axe, page)
    if folder := os.environ.get("DYNTEMP_PICTURES"):
        view(page).screenshot(path=str(Path(folder) / f"learning-{scheme}-{width}.png"))

    assert not faults, faults
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_moving_a_signal_costs_less_than_writing_10000_words(page, visit):
    """The best of three moves, each a sweep of 30 policies of more than 2,000 characters over 60 points."""
    text = learning_text(seeds=1, units=12)
    assert all(len(one["policy"]) > 2_000 for one in json.loads(text)["runs"][0]["rounds"])
    visit(page, text)
    page.evaluate(WATCH)
    took, yardstick = [], []
    for _ in range(3):
        yardstick.append(page.evaluate(YARDSTICK, 10_000))
        long_tasks(page)
        view(page).get_by_role("slider", name="margin").press("ArrowRight")
        took.append(max(long_tasks(page), default=0))

    assert min(took) < min(yardstick), (took, yardstick)

"""The page without a model: a newcomer's first minute, replay, cards, keyboard, files, and what hostile traces do."""

import json
import os
import re
from pathlib import Path

import pytest
from tests.page.made import example, trace_text

from dyntemp import Policy, Trace
from dyntemp.page import document
from dyntemp.show.words import percent
from dyntemp.traces.replay import replay

expect = pytest.importorskip("playwright.sync_api").expect

WIDTHS = ((1280, 800), (360, 740))


@pytest.fixture
def keep(page):
    """Save a picture of the page where DYNTEMP_PICTURES names a folder."""

    def save(name, of=page, **settings):
        if folder := os.environ.get("DYNTEMP_PICTURES"):
            of.wait_for_timeout(300)
            of.screenshot(path=str(Path(folder) / f"play-{name}.png"), **settings)

    return save


@pytest.fixture
def visit(tmp_path):
    """Write the page into a file and open it there: no server."""

    def go(page, hash_="", **settings):
        path = tmp_path / "page.html"
        path.write_text(document(**settings), encoding="utf-8")
        page.goto(f"{path.as_uri()}{hash_}")
        expect(page.locator("html[data-ready]")).to_have_count(1)
        return page

    return go


def tokens_of(page, name="Text"):
    return page.get_by_role("listbox", name=name).get_by_role("option")


def policy_box(page):
    return page.get_by_role("textbox", name="Policy", exact=True)


def outcome(page):
    return page.locator("#outcome")


def card(page):
    return page.get_by_role("region", name="Card of the token")


def test_a_newcomers_first_minute(page, visit, keep):
    visit(page)
    expect(page.get_by_role("heading", name="Sure and torn")).to_be_visible()
    expect(outcome(page)).to_have_text(re.compile("the policy that wrote the text"))
    keep("1-opening")

    tokens_of(page).nth(60).click()
    expect(card(page)).to_contain_text("torn between")
    keep("2-card")

    policy_box(page).fill("0.3 + clip(entropy/4, 0, 1)")
    expect(outcome(page)).to_have_text(re.compile(r"\d+ of 64 tokens stay; \d+ would be another"))
    expect(card(page)).to_contain_text("Under this policy")
    page.get_by_role("button", name="Edit as curve").click()
    page.get_by_role("slider", name="Point 2 of 2").press("ArrowDown")
    tokens_of(page).nth(17).click()
    expect(card(page).get_by_role("row").filter(has_text="instead")).to_have_count(1)
    page.mouse.move(0, 0)
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    keep("3-replay")
    keep("3-replay-whole", full_page=True)

    page.get_by_role("combobox", name="Example").select_option(label="Heat that feeds itself")
    expect(page.get_by_role("heading", name="Heat that feeds itself")).to_be_visible()
    expect(policy_box(page)).to_have_text("0.1 + 0.8*entropy")
    keep("4-another")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), WIDTHS)
def test_nothing_serious_for_axe_and_no_sideways_scrolling(open_page, visit, keep, scheme, width, height):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": height})
    visit(page)
    policy_box(page).fill("0.2 + 0.4*entropy")
    expect(outcome(page)).to_contain_text("would be another")
    keep(f"5-{scheme}-{width}", page)
    tokens_of(page).nth(6).click()
    expect(card(page)).to_be_visible()
    keep(f"6-card-{scheme}-{width}", page)
    page.get_by_text("What a policy can read").click()
    page.get_by_role("button", name="Edit as curve").click()
    faults = serious(axe, page)
    policy_box(page).fill("0.2 + 0.4*entropi")
    expect(page.get_by_role("alert")).to_contain_text("unknown name")
    faults += serious(axe, page)
    policy_box(page).press_sequentially(" + cli")
    expect(page.get_by_role("listbox", name="Completions")).to_be_visible()
    keep(f"7-completions-{scheme}-{width}", page)
    faults += serious(axe, page)

    assert not faults, faults
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def serious(axe, page):
    """Faults that axe calls serious or critical. Axe passes the page's own security policy, as a debugger does."""
    found = axe.run(page).response["violations"]
    return [(fault["id"], [node["html"][:200] for node in fault["nodes"][:3]]) for fault in found
            if fault["impact"] in ("serious", "critical")]  # fmt: skip


def test_the_page_replays_as_python_does(page, visit, tmp_path):
    text = trace_text(tmp_path, min_p=0.02)
    tokens = list(Trace.open(tmp_path / "made.jsonl"))
    policy = "0.2 + 0.5*ema(entropy, 0.7)"
    replayed = replay(tokens, Policy(policy), seed=7)
    visit(page, examples=[example(text)])
    policy_box(page).fill(policy)

    changed = [token.position for token, now in zip(tokens, replayed, strict=True) if not now.kept]
    assert 3 < len(changed) < 50, "a case that proves something"
    expect(outcome(page)).to_contain_text(f"{60 - len(changed)} of 60 tokens stay; {len(changed)} would be another")
    expect(outcome(page)).to_contain_text(f"off by {percent(max(now.error for now in replayed))} at most")
    marked = page.locator(".dt-changed").evaluate_all("nodes => nodes.map(node => Number(node.dataset.at))")
    assert marked == changed
    for at in changed[:3]:
        tokens_of(page).nth(at).click()
        expect(card(page)).to_contain_text(f"T {replayed[at].temperature:.3g}".removesuffix("0"))
        now = replayed[at]
        shown = tokens_of(page).nth(at).locator(".instead")
        names = {one.token: one.text.replace(" ", "␣").replace("\n", "⏎") for one in tokens[at].alternatives}
        expect(shown).to_have_text("other" if now.instead is None else names[now.instead])


def test_errors_of_a_policy_are_told_while_it_is_written(page, visit, tmp_path):
    visit(page, examples=[example(trace_text(tmp_path, count=20))])
    policy_box(page).fill("0.1 + 0.8*entropy")
    expect(outcome(page)).to_contain_text("would be another")
    before = outcome(page).text_content()

    policy_box(page).fill("0.1 + 0.8*entropi")
    alert = page.get_by_role("alert")
    expect(alert).to_have_text("unknown name `entropi`; did you mean `entropy`? (character 11)")
    assert before == outcome(page).text_content(), "the last good policy stays in force"
    expect(policy_box(page)).to_have_attribute("aria-invalid", "true")

    policy_box(page).fill("0.3 - 0.4*max_prob")
    expect(alert).to_contain_text("can reach a temperature of -0.1")
    policy_box(page).fill("a + entropy")
    expect(alert).to_contain_text("`a`")
    policy_box(page).fill("0.3 + top_mass(5)")
    expect(alert).to_have_count(0)
    expect(outcome(page)).to_contain_text("`top_mass(5)`, which these records do not hold: record with")

    page.get_by_role("button", name="As recorded").click()
    expect(outcome(page)).to_contain_text("the policy that wrote the text")
    expect(policy_box(page)).to_have_text("0.3 + 0.7*normalized_entropy**0.5")


def test_help_is_searched_and_inserted_and_methods_are_tried(page, visit, tmp_path):
    visit(page, examples=[example(trace_text(tmp_path, count=20))])
    page.get_by_text("What a policy can read").click()
    page.get_by_role("searchbox", name="Find").fill("previous")
    listed = page.get_by_role("list", name="Signals and functions").get_by_role("button")
    expect(listed).to_have_text(["surprisal", "prev(x)"])
    policy_box(page).fill("0.5 + 0.1*")
    expect(page.get_by_role("alert")).to_be_visible()
    listed.first.click()
    expect(policy_box(page)).to_have_text("0.5 + 0.1*surprisal")
    expect(outcome(page)).to_contain_text("tokens stay")

    page.get_by_role("combobox", name="Begin with a published method").select_option("edt")
    expect(policy_box(page)).to_have_text("0.8**(1.5/entropy)")
    expect(page.get_by_text("Known to fail: only cools")).to_be_visible()


def test_the_keyboard_walks_the_text_and_reads_its_cards(page, visit, tmp_path):
    visit(page, examples=[example(trace_text(tmp_path, count=40))])
    tokens = tokens_of(page)
    assert 1 == page.locator('.dt-text [tabindex="0"], .dt-text[tabindex="0"]').count(), "one tab stop"
    page.get_by_role("checkbox", name="Numbers").focus()
    page.keyboard.press("Tab")
    expect(page.locator('.dt-text [aria-selected="true"]')).to_be_focused()

    for key, at in (
        ("Home", 0),
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", 39),
        ("ArrowRight", 39),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        expect(tokens.nth(at)).to_be_focused()
        expect(tokens.nth(at)).to_have_attribute("aria-selected", "true")
        assert 1 == page.locator('.dt-text [tabindex="0"]').count()
    page.keyboard.press("ArrowDown")
    below = int(page.evaluate("() => document.activeElement.dataset.at"))
    assert below > 0
    page.keyboard.press("ArrowUp")
    expect(tokens.first).to_be_focused()

    page.keyboard.press("Enter")
    expect(card(page)).to_be_focused()
    expect(page.get_by_role("status")).to_have_text(card(page).locator(".dt-sentence").text_content())
    page.keyboard.press("Escape")
    expect(tokens.first).to_be_focused()


def test_cards_tell_what_the_record_holds(page, visit, tmp_path):
    text = trace_text(tmp_path, count=40, min_p=0.1)
    record = next(one for one in map(json.loads, text.splitlines()[1:]) if 1 < one["candidates"] < 6)
    visit(page, examples=[example(text)])
    tokens_of(page).nth(record["position"]).click()

    rows = card(page).get_by_role("row")
    expect(rows).to_have_count(1 + len(record["alternatives"]) + 1)
    expect(card(page).locator("tr.dt-dropped")).to_have_count(len(record["alternatives"]) - record["candidates"] + 1)
    expect(card(page).locator("tr.dt-drawn")).to_contain_text("drawn")
    expect(rows.last).to_contain_text("other")
    expect(card(page).locator(".dt-figures")).to_contain_text(f"candidates{record['candidates']}")
    expect(card(page).locator(".dt-terms")).to_contain_text(f"T {record['temperature']:.3g}".rstrip("0"))


def test_colours_go_by_any_signal_and_numbers_can_be_left_out(page, visit, tmp_path):
    text = trace_text(tmp_path, count=30)
    first = json.loads(text.splitlines()[1])
    visit(page, examples=[example(text)])
    colour = page.get_by_role("combobox", name="Colour")
    number = tokens_of(page).first.locator(".dt-number")
    expect(number).to_have_text(f"{first['temperature']:.2f}".removeprefix("0"))

    for name in ("entropy", "max_prob", "varentropy"):
        colour.select_option(name)
        expect(page.locator("#legend")).to_contain_text(name)
        expect(number).to_have_text(f"{first['signals'][name]:.2f}".removeprefix("0"))
    share = float(tokens_of(page).first.evaluate("node => node.style.getPropertyValue('--heat')"))
    assert 0 <= share <= 1

    assert "change" not in colour.inner_html()
    policy_box(page).fill("2*(0.3 + 0.7*normalized_entropy**0.5)")
    expect(outcome(page)).to_contain_text("tokens stay")
    colour.select_option("change")
    expect(number).to_have_text(f"{first['temperature']:.2f}".removeprefix("0"))

    page.get_by_role("checkbox", name="Numbers").uncheck()
    expect(number).to_be_hidden()


def test_the_address_holds_what_is_shown(page, visit, tmp_path):
    examples = [example(trace_text(tmp_path, count=20, name=name), title=name) for name in ("one", "two")]
    visit(page, examples=examples)
    page.get_by_role("combobox", name="Example").select_option(label="two")
    policy_box(page).fill("0.2 + 0.3*entropy")
    page.get_by_role("combobox", name="Colour").select_option("margin")
    tokens_of(page).nth(5).click()
    expect(page).to_have_url(re.compile("at=5"))
    hash_ = page.url[page.url.index("#") :]
    told = outcome(page).text_content()

    page.goto("about:blank")
    visit(page, hash_, examples=examples)
    expect(page.get_by_role("heading", name="two")).to_be_visible()
    expect(policy_box(page)).to_have_text("0.2 + 0.3*entropy")
    expect(page.get_by_role("combobox", name="Colour")).to_have_value("margin")
    expect(tokens_of(page).nth(5)).to_have_attribute("aria-selected", "true")
    expect(outcome(page)).to_have_text(told)


def test_traces_are_opened_dropped_and_saved(page, visit, tmp_path):
    text = trace_text(tmp_path, count=25, seed=2**63 + 11)
    visit(page, examples=[], traces=[])
    expect(page.get_by_text("Nothing to show yet")).to_be_visible()
    page.get_by_label("Trace files").set_input_files(tmp_path / "made.jsonl")
    expect(tokens_of(page)).to_have_count(25)
    expect(page.get_by_text(f"seed {2**63 + 11}")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="Save trace").click()
    saved = tmp_path / "saved.jsonl"
    download.value.save_as(saved)
    assert list(Trace.open(saved)) == list(Trace.open(tmp_path / "made.jsonl"))
    assert Trace.open(saved).header == Trace.open(tmp_path / "made.jsonl").header

    broken = text.replace('"temperature": ', '"temperature": "x', 1)
    for name, lines, complaint in (
        ("no.jsonl", "hello\n", "no.jsonl: line 1: this is not JSON"),
        ("other.jsonl", "{}\n", "other.jsonl: line 1: this is no trace"),
        ("broken.jsonl", broken, "broken.jsonl: line 2"),
        ("none.jsonl", text.splitlines()[0] + "\n", "none.jsonl: this trace holds no tokens"),
    ):
        drop(page, name, lines)
        expect(page.get_by_role("alert")).to_contain_text(complaint)
    drop(page, "cut.jsonl", text[:-30])
    expect(tokens_of(page)).to_have_count(24)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("status")).to_contain_text("cut off")
    page.get_by_role("button", name="made.jsonl").click()
    expect(tokens_of(page)).to_have_count(25)


def drop(page, name, text):
    page.evaluate(
        """([name, text]) => {
          const data = new DataTransfer();
          data.items.add(new File([text], name));
          dispatchEvent(new DragEvent("dragover", { dataTransfer: data }));
          dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
        }""",
        [name, text],
    )


def test_traces_that_cannot_be_read_keep_no_other_from_the_desk(page, visit, tmp_path):
    text = trace_text(tmp_path, count=10)
    empty = text.splitlines(keepends=True)[0]
    traces = [{"name": "empty.jsonl", "lines": empty}, {"name": "bad.jsonl", "lines": "hello\n"}]
    visit(page, examples=[], traces=[*traces, {"name": "good.jsonl", "lines": text}])
    expect(page.get_by_role("alert")).to_contain_text("empty.jsonl: this trace holds no tokens")
    expect(page.get_by_role("alert")).to_contain_text("bad.jsonl: line 1: this is not JSON")
    expect(tokens_of(page)).to_have_count(10)

    visit(page, examples=[], traces=traces[:1])
    expect(page.get_by_role("alert")).to_contain_text("empty.jsonl: this trace holds no tokens")
    expect(page.get_by_text("Nothing to show yet")).to_be_visible()


def test_all_files_that_cannot_be_read_are_told(page, visit, tmp_path):
    text = trace_text(tmp_path, count=10)
    for name, lines in (("one.jsonl", "hello\n"), ("good.jsonl", text), ("two.jsonl", "{}\n")):
        (tmp_path / name).write_text(lines, encoding="utf-8")
    visit(page, examples=[])
    files = page.get_by_label("Trace files")
    files.set_input_files([tmp_path / name for name in ("one.jsonl", "good.jsonl", "two.jsonl")])
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("two.jsonl: line 1: this is no trace")
    expect(alert).to_contain_text("one.jsonl: line 1: this is not JSON")
    expect(tokens_of(page)).to_have_count(10)
    files.set_input_files(tmp_path / "good.jsonl")
    expect(alert).to_have_count(0)


def test_hostile_traces_are_shown_as_text(page, visit, tmp_path):
    attack = "<img src=x onerror=\"document.title='hit'\">"
    header, *lines = trace_text(tmp_path, count=12).splitlines()
    header = json.dumps(json.loads(header) | {"model": attack, "policy": attack, "policy_name": attack})
    records = [json.loads(line) for line in lines]
    for record in records:
        record.update(text=attack, bytes=attack.encode().hex(), origin="parted")
        record["signals"][attack] = 1.0
        for alternative in record["alternatives"]:
            alternative["text"] = attack
    lines = "\n".join([header, *map(json.dumps, records)]) + "\n"
    visit(page, f"#policy={attack}&colour={attack}&at={attack}", examples=[example(lines, attack, attack)])
    drop(page, attack, lines)
    tokens_of(page).nth(3).click()
    policy_box(page).fill("0.3 + entropy")
    page.get_by_role("combobox", name="Colour").select_option(attack)
    expect(outcome(page)).to_contain_text("tokens stay")
    drop(page, attack, attack)
    expect(page.get_by_role("alert")).to_contain_text(attack)

    assert "dyntemp play" == page.title()
    assert 0 == page.locator("img").count()
    expect(tokens_of(page).nth(3)).to_contain_text(attack)


def test_text_without_glyphs_is_made_visible(page, visit, tmp_path):
    header, *lines = trace_text(tmp_path, count=4).splitlines()
    records = [json.loads(line) for line in lines]
    for record, (text, data) in zip(
        records,
        (("\n\n", b"\n\n"), ("", b"\xf0\x9f"), ("\t\u200b", "\t\u200b".encode()), (" a b", b" a b")),
        strict=True,
    ):
        record.update(text=text, bytes=data.hex())
    visit(page, examples=[example("\n".join([header, *map(json.dumps, records)]) + "\n")])

    page.get_by_role("checkbox", name="Numbers").uncheck()
    shown = [tokens_of(page).nth(at).evaluate("node => node.firstChild.data") for at in range(4)]
    assert ["⏎⏎", "\\xf0\\x9f", "⇥\\u200b", " a b"] == shown
    assert 2 == page.locator(".dt-text br").count()


def test_several_requests_of_a_trace_are_texts_of_their_own(page, visit, tmp_path):
    first = trace_text(tmp_path, count=10)
    lines = first.splitlines()
    second = [json.dumps(json.loads(line) | {"request": 1}) for line in lines[1:5]]
    visit(page, examples=[], traces=[{"name": "pair", "lines": "\n".join([*lines, *second]) + "\n"}])

    expect(tokens_of(page)).to_have_count(10)
    page.get_by_role("button", name="pair, request 1").click()
    expect(tokens_of(page)).to_have_count(4)


def test_the_theme_can_be_chosen(page, visit):
    visit(page)
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("combobox", name="Theme").select_option("dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.reload()
    expect(page.get_by_role("combobox", name="Theme")).to_have_value("dark")
    assert dark == page.evaluate(ground)

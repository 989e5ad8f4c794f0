"""The editor of a policy: colours, completion, marks under faults, undo, and its keys."""

import re

import pytest
from tests.page.made import example, trace_text

from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.grammar import MAX_LENGTH
from dyntemp.language.signals import SIGNALS
from dyntemp.page import document
from dyntemp.zones.known import KNOWN

expect = pytest.importorskip("playwright.sync_api").expect

RECORDED = "0.3 + 0.7*clip(entropy/2, 0, 1)"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page with a text whose policy is a curve."""
    folder = tmp_path_factory.mktemp("editor")
    made = example(trace_text(folder, count=20, policy=RECORDED))
    path = folder / "page.html"
    path.write_text(document(examples=[made]), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def editing(page, address):
    """The page, open."""
    page.goto(address)
    expect(page.locator("html[data-ready]")).to_have_count(1)
    return page


def box(page):
    return page.get_by_role("textbox", name="Policy", exact=True)


def options(page):
    return page.get_by_role("listbox", name="Completions").get_by_role("option")


def typed(page, text):
    """Type `text` in place of what stands there."""
    box(page).fill("")
    box(page).press_sequentially(text)


def test_each_kind_of_word_has_its_colour(editing):
    box(editing).fill('clip(2e-1 + T0*prev(entropy)**2, 0, inside("think")) < entropi')
    words = box(editing).locator("[class^=of-]")
    coloured = words.evaluate_all("all => all.map(one => [one.className, one.innerText])")

    kinds = {}
    for name, text in coloured:
        kinds.setdefault(name.removeprefix("of-"), []).append(text)
    assert {
        "function": ["clip", "prev"],
        "number": ["2e-1", "2", "0"],
        "operator": ["+", "*", "**", "<"],
        "signal": ["entropy", "inside"],
        "text": ['"think"'],
    } == kinds


def test_a_signal_is_completed_with_its_meaning_shown(editing):
    typed(editing, "0.2 + 0.4*e")
    expect(options(editing)).to_have_count(0), "a letter is a parameter"
    box(editing).press("n")
    expect(options(editing).first).to_have_text(f"entropy{SIGNALS['entropy'].meaning}")
    expect(options(editing).first).to_have_attribute("aria-selected", "true")
    expect(editing.locator(".cm-completionInfo")).to_contain_text(SIGNALS["entropy"].formula)
    accept(editing)

    expect(box(editing)).to_have_text("0.2 + 0.4*entropy")
    expect(options(editing)).to_have_count(0)
    expect(editing.locator("#outcome")).to_contain_text("tokens stay")
    typed(editing, "0.2 + entrop")
    expect(options(editing).first).to_be_visible()
    box(editing).press("y")
    expect(options(editing)).to_have_count(0), "the word is whole"


def accept(page):
    """Press Enter, which does not count at once: a list that has just opened may be an accident."""
    page.wait_for_timeout(150)
    box(page).press("Enter")


@pytest.mark.parametrize(
    ("begun", "option", "then", "text"),
    [
        ("cli", "clip", "entropy", "clip(entropy, low, high)"),
        ("inte", "integral", "entropy", "integral(entropy, low, high)"),
        ("mi", "min", "0.5", "min(0.5, y)"),
        ("quan", "quantile", "0.9", "quantile(0.9)"),
        ("ins", "inside", "json", 'inside("json")'),
    ],
)
def test_what_takes_arguments_comes_with_them_and_the_first_is_written_over(editing, begun, option, then, text):
    typed(editing, begun)
    meaning = (FUNCTIONS.get(option) or SIGNALS[option]).meaning
    expect(options(editing).first).to_have_text(re.compile(rf"^{option}\(.*\){re.escape(meaning)}$"))
    accept(editing)
    editing.keyboard.insert_text(then)

    expect(box(editing)).to_have_text(text)


def test_the_name_of_a_call_is_completed_without_new_arguments(editing):
    typed(editing, "(entropy, 0.9)")
    box(editing).press("Home")
    box(editing).press_sequentially("em")
    expect(options(editing).first).to_be_visible()
    accept(editing)

    expect(box(editing)).to_have_text("ema(entropy, 0.9)")


def test_names_in_quotes_are_those_of_zones(editing):
    typed(editing, 'inside("th')
    expect(options(editing)).to_have_text([f"think{KNOWN['think'].meaning}"])
    accept(editing)
    expect(box(editing)).to_have_text('inside("think')
    box(editing).press_sequentially('") + given("en')
    expect(box(editing)).to_have_text('inside("think") + given("en')
    expect(options(editing)).to_have_count(0)


def test_the_keyboard_asks_for_all_names_and_escape_sends_them_away(editing):
    typed(editing, "0.2 + ")
    box(editing).press("Control+Space")
    expect(options(editing)).to_have_count(len(SIGNALS) + len(FUNCTIONS))
    box(editing).press("Escape")
    expect(options(editing)).to_have_count(0)
    expect(box(editing)).to_have_text("0.2 + ")


@pytest.mark.parametrize(
    ("text", "marked", "character", "words"),
    [
        ("0.1 + 0.8*entropi", "entropi", 11, "unknown name `entropi`; did you mean `entropy`?"),
        ("  0.1 + 0.8*entropi", "entropi", 13, "unknown name `entropi`; did you mean `entropy`?"),
        ("0.2 + 😀 + entropi", "😀", 7, "the character '😀' is not part of the policy language"),
        ("0.2 + e\u0301", "e\u0301", 8, "is not part of the policy language"),
        ("0.5 + a*entropy", "a", 7, "this is a template: give `a` a number"),
        ("1 + max(entropy, ema(entropy, 2", "(", 21, "this `(` is not closed"),
        ("0.3 - 0.4*max_prob", None, None, "can reach a temperature of -0.1"),
    ],
)
def test_a_fault_is_marked_where_it_stands(editing, text, marked, character, words):
    box(editing).fill(text)
    alert = editing.get_by_role("alert")
    expect(alert).to_contain_text(words)
    expect(box(editing)).to_have_attribute("aria-invalid", "true")
    expect(box(editing)).to_have_accessible_description(alert.text_content())

    assert ([marked] if marked else []) == marks(editing)
    assert (f"(character {character})" in alert.text_content()) == (character is not None)
    box(editing).fill("0.5")
    expect(alert).to_have_count(0)
    assert [] == marks(editing)
    assert box(editing).get_attribute("aria-invalid") is None


def marks(page):
    """The marked texts, each in one piece although colours divide it."""
    found = page.locator(".cm-lintRange-error").all_text_contents()
    return ["".join(found)] if found else []


def test_a_fault_behind_characters_of_two_units_is_marked_where_it_stands(editing):
    """A character beyond the first 65,536 is two units of a string; one with an accent may be two characters."""
    text = "😀e\u0301" * (MAX_LENGTH // 3) + "x" * (MAX_LENGTH % 3)
    box(editing).fill(text + "yz")
    expect(editing.get_by_role("alert")).to_contain_text(f"(character {MAX_LENGTH + 1})")
    box(editing).press("Control+End")

    expect(editing.locator(".cm-lintRange-error")).to_have_text("yz")
    assert box(editing).evaluate("node => node.closest('.cm-editor').offsetHeight") < 300


def test_a_value_that_is_missing_at_the_end_is_marked_there(editing):
    box(editing).fill("0.5 +")
    expect(editing.get_by_role("alert")).to_contain_text("a value is missing behind `+`")

    expect(editing.locator(".cm-lintPoint-error")).to_have_count(1)


def test_changes_are_taken_back_and_made_again(editing):
    expect(box(editing)).to_have_text(RECORDED)
    box(editing).press("Control+z")
    expect(box(editing)).to_have_text(RECORDED), "there was nothing before"
    box(editing).press("End")
    box(editing).press_sequentially(" + 0.25")
    expect(editing.locator("#outcome")).to_contain_text("tokens stay")
    box(editing).press("Control+z")
    expect(box(editing)).to_have_text(RECORDED)
    expect(editing.locator("#outcome")).to_contain_text("the policy that wrote the text")
    box(editing).press("Control+y")
    expect(box(editing)).to_have_text(f"{RECORDED} + 0.25")

    editing.get_by_role("combobox", name="Begin with a published method").select_option("edt")
    expect(box(editing)).not_to_contain_text(RECORDED)
    box(editing).press("Control+z")
    expect(box(editing)).to_have_text(f"{RECORDED} + 0.25")


def test_a_moved_knob_is_taken_back_from_the_knob_and_from_the_text(editing):
    editing.get_by_role("button", name="Edit as curve").click()
    knob = editing.get_by_role("slider", name="Point 1 of 2")
    knob.press("ArrowUp")
    moved = "0.32 + 0.68*clip(entropy/2, 0, 1)"
    expect(box(editing)).to_have_text(moved)
    knob.press("Control+z")
    expect(box(editing)).to_have_text(RECORDED)
    expect(knob).to_have_attribute("aria-valuetext", "entropy 0, temperature 0.3")
    expect(knob).to_be_focused()
    knob.press("Control+Shift+z")
    expect(box(editing)).to_have_text(moved)

    box(editing).press("Control+z")
    expect(box(editing)).to_have_text(RECORDED)
    expect(knob).to_have_attribute("aria-valuetext", "entropy 0, temperature 0.3")


def test_where_undo_ends_the_curve_the_focus_goes_to_its_button(editing):
    box(editing).fill("0.2 + 0.4*sqrt(entropy)")
    expect(editing.locator("#outcome")).to_contain_text("tokens stay")
    edit = editing.get_by_role("button", name="Edit as curve")
    edit.click()
    expect(box(editing)).to_have_text(re.compile("clip"))
    editing.get_by_role("slider").first.press("Control+z")

    expect(box(editing)).to_have_text("0.2 + 0.4*sqrt(entropy)")
    expect(edit).to_be_focused()


def test_tab_enters_and_leaves_whatever_is_open(editing):
    editing.get_by_role("combobox", name="Theme").focus()
    editing.keyboard.press("Tab")
    expect(box(editing)).to_be_focused()
    editing.keyboard.press("Control+a")
    editing.keyboard.type("0.5 + ent")
    expect(options(editing).first).to_be_visible()
    editing.keyboard.press("Tab")
    expect(editing.get_by_role("combobox", name="Begin with a published method")).to_be_focused()
    expect(options(editing)).to_have_count(0)
    expect(box(editing)).to_have_text("0.5 + ent")
    editing.keyboard.press("Shift+Tab")
    expect(box(editing)).to_be_focused()
    editing.keyboard.press("Shift+Tab")
    expect(editing.get_by_role("combobox", name="Theme")).to_be_focused()


def test_a_policy_stays_on_one_line(editing):
    box(editing).fill("")
    box(editing).evaluate(
        """node => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", "0.2 +\\n0.4*\\nentropy");
          node.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }"""
    )
    box(editing).press("Enter")

    expect(box(editing)).to_have_text("0.2 + 0.4* entropy")
    expect(box(editing).locator(".cm-line")).to_have_count(1)
    expect(editing.locator("#outcome")).to_contain_text("tokens stay")


def test_a_trace_dropped_on_the_editor_is_opened(editing, tmp_path):
    lines = trace_text(tmp_path, count=7, name="dropped", policy="0.6")
    box(editing).evaluate(
        """(node, lines) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([lines], "dropped.jsonl"));
          node.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        lines,
    )

    expect(editing.get_by_role("listbox", name="Text").get_by_role("option")).to_have_count(7)
    expect(box(editing)).to_have_text("0.6")
    box(editing).press("Control+z")
    expect(box(editing)).to_have_text(RECORDED), "nothing was written before"

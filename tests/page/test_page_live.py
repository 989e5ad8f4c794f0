"""The page with a model behind it: a real server, a model without weights, and what each control does."""

import json
import re
import threading
import time

import pytest
from tests.page.made import PROMPT, WORDS, words_model

from dyntemp import Trace, generate
from dyntemp.page import document

expect = pytest.importorskip("playwright.sync_api").expect
uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")

SLOW = 0.03
"""Seconds that the slow model takes for a token."""


class Serving:
    """A server in a thread, on a port of its own."""

    def __init__(self, model, **settings):
        from dyntemp.serve import ServerSettings
        from dyntemp.serve.app import make_app

        app = make_app(model, settings=ServerSettings(**settings), page=document(examples=[], server=True))
        config = uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="on")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until = time.monotonic() + 60
        while not self.server.started:
            assert time.monotonic() < until
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}/"

    def close(self):
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture(scope="module")
def served():
    serving = Serving(words_model())
    yield serving.url
    serving.close()


@pytest.fixture
def model():
    return words_model()


@pytest.fixture
def slow(model):
    """A server whose model can be watched while it writes."""
    quick = model.next_logits

    def logits(tokens):
        time.sleep(SLOW)
        return quick(tokens)

    model.next_logits = logits
    serving = Serving(model, default_tokens=400)
    yield serving.url
    serving.close()


@pytest.fixture
def ask(page, served):
    """A page of the server with a prompt in it."""
    return asking(page, served)


def asking(page, url):
    page.bodies = []
    page.on("request", lambda request: request.method == "POST" and page.bodies.append(json.loads(request.post_data)))
    page.goto(url)
    expect(page.locator("html[data-ready]")).to_have_count(1)
    page.get_by_role("textbox", name="Prompt for").fill(PROMPT)
    page.get_by_text("Settings", exact=True).click()
    page.get_by_role("spinbutton", name="Tokens at most").fill("24")
    return page


def tokens_of(page, name="Text"):
    return page.get_by_role("listbox", name=name).get_by_role("option")


def texts_of(page, name="Text"):
    return tokens_of(page, name).evaluate_all("nodes => nodes.map(node => node.firstChild.data)")


def policy_box(page):
    return page.get_by_role("textbox", name="Policy", exact=True)


def write(page, wait=True):
    page.get_by_role("button", name="Write", exact=True).click()
    return done(page) if wait else None


def done(page):
    expect(page.get_by_role("status")).to_contain_text("Done", timeout=10_000)
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()


def effective(page, at=0):
    return page.locator(".effective").nth(at)


def test_a_text_is_written_and_saved(ask, tmp_path):
    ask.get_by_role("textbox", name="Seed").fill(str(2**64 - 3))
    policy_box(ask).fill("0.4+0.3*entropy")
    write(ask)

    expect(tokens_of(ask)).to_have_count(24)
    expect(effective(ask)).to_have_text("0.4 + 0.3*entropy")
    expect(ask.get_by_text(f"seed {2**64 - 3}")).to_be_visible()
    with ask.expect_download() as download:
        ask.get_by_role("button", name="Save trace").click()
    download.value.save_as(tmp_path / "saved.jsonl")
    trace = Trace.open(tmp_path / "saved.jsonl")
    tokens = list(trace)
    assert (2**64 - 3, "words", "0.4 + 0.3*entropy") == (trace.header.seed, trace.header.model, trace.header.policy)
    assert 24 == len(tokens)
    assert [token.text.replace("\n", "⏎") for token in tokens if token.text] == [
        text for text, token in zip(texts_of(ask), tokens, strict=True) if token.text
    ]
    for policy in ("1.2", '1.2 + inside("think")'):
        policy_box(ask).fill(policy)
        expect(ask.locator("#outcome")).to_contain_text("of 24 tokens stay")


@pytest.mark.parametrize(
    ("role", "name", "value", "field", "sent", "echoed"),
    [
        ("spinbutton", "Tokens at most", "7", "max_tokens", 7, "max_tokens"),
        ("textbox", "Seed", "12345", "seed", 12345, None),
        ("spinbutton", "Top-k", "5", "top_k", 5, "top_k"),
        ("spinbutton", "Top-p", "0.83", "top_p", 0.83, "top_p"),
        ("spinbutton", "Min-p", "0.07", "min_p", 0.07, "min_p"),
        ("combobox", "Filters read", "temperature", "filter_at", "temperature", "filter_at"),
        (
            "textbox",
            "Other filters",
            "top_h(0.5), temperature, xtc(0.1, 0.5)",
            "filters",
            "top_h(0.5), temperature, xtc(0.1, 0.5)",
            "filters",
        ),
        ("textbox", "Stop at", " lamp\n river", "stop", [" lamp", " river"], "stop"),
        ("textbox", "Zones", "z= the... a\ny= a...\\n", "zones", ["z= the... a", "y= a...\n"], "zones"),
        ("textbox", "System message", " the sea", "system", "the sea", "system"),
        ("checkbox", "Continue the text", True, "raw", True, "raw"),
        ("textbox", "Prompt for", " old ship", "prompt", " old ship", None),
    ],
)
def test_every_control_arrives_and_is_echoed(ask, role, name, value, field, sent, echoed, tmp_path):
    control = ask.get_by_role(role, name=name)
    if role == "checkbox":
        control.check()
    elif role == "combobox":
        control.select_option(value)
    else:
        control.fill(value)
    if field == "filter_at":  # without a filter there is nothing to read
        ask.get_by_role("spinbutton", name="Min-p").fill("0.07")
    if field == "system":  # the model's vocabulary begins words with a space
        ask.route("**/play/generate", lambda route: route.continue_(
            post_data=route.request.post_data.replace('"the sea"', '" the sea"')))  # fmt: skip
    write(ask)

    assert sent == ask.bodies[-1][field]
    header = saved_header(ask, tmp_path)
    if field == "seed":
        assert 12345 == header.seed
    elif field == "prompt":
        assert [sent] == header.prompts
    elif field == "system":
        assert " the sea" == header.settings["system"]
    else:
        assert sent == header.settings[echoed]
    if field == "max_tokens":
        expect(tokens_of(ask)).to_have_count(7)


def saved_header(page, tmp_path):
    with page.expect_download() as download:
        page.get_by_role("button", name="Save trace").click()
    download.value.save_as(tmp_path / "saved.jsonl")
    return Trace.open(tmp_path / "saved.jsonl").header


def test_two_policies_write_side_by_side_and_part_where_they_must(ask, open_page):
    ask.get_by_role("checkbox", name="Second policy").check()
    policy_box(ask).fill("0.7")
    second = ask.get_by_role("textbox", name="Second policy", exact=True)
    second.fill("0.75")
    ask.get_by_role("textbox", name="Seed").fill("5")
    ask.get_by_role("spinbutton", name="Tokens at most").fill("120")
    write(ask)

    assert ["0.7", "0.75"] == ask.bodies[-1]["policies"]
    expect(effective(ask, 0)).to_have_text("0.7")
    expect(effective(ask, 1)).to_have_text("0.75")
    first, other = texts_of(ask, "Text A"), texts_of(ask, "Text B")
    parted = next(at for at, (one, two) in enumerate(zip(first, other, strict=False)) if one != two)
    assert 0 < parted
    expect(ask.locator(".dt-parted")).to_have_attribute("data-at", str(parted))
    expect(ask.locator("#outcome")).to_contain_text(f"the same up to token {parted}")
    tokens_of(ask, "Text B").nth(parted).click()
    expect(ask.get_by_role("region", name="Card of the token")).to_contain_text("parted from the run that it follows")
    expect(ask.get_by_text("Under this policy")).to_have_count(0), "each text is shown under its own policy"
    expect(ask.locator(".dt-changed")).to_have_count(0)
    places = [ask.get_by_role("listbox", name=f"Text {name}").bounding_box() for name in "AB"]
    assert places[0]["y"] == places[1]["y"]
    assert places[0]["x"] < places[1]["x"]

    ask.set_viewport_size({"width": 360, "height": 740})
    places = [ask.get_by_role("listbox", name=f"Text {name}").bounding_box() for name in "AB"]
    assert places[0]["y"] < places[1]["y"]
    assert ask.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_a_pair_is_rerolled_from_behind_the_place_where_it_parted(ask):
    ask.get_by_role("checkbox", name="Second policy").check()
    policy_box(ask).fill("0.3")
    ask.get_by_role("textbox", name="Second policy", exact=True).fill("1.5")
    ask.get_by_role("textbox", name="Seed").fill("5")
    write(ask)
    parted = int(ask.locator(".dt-parted").get_attribute("data-at"))
    assert parted < 20
    tokens_of(ask, "Text B").nth(parted + 2).click()
    begun = texts_of(ask, "Text B")[: parted + 2]
    ask.get_by_role("button", name="Reroll from here").click()
    expect(ask.get_by_role("button", name=f"rerolled at {parted + 2}")).to_be_visible()
    done(ask)

    assert texts_of(ask, "Text A")[: parted + 2] == texts_of(ask, "Text B")[: parted + 2] == begun
    marked = ask.locator(".dt-parted").evaluate_all("nodes => nodes.map(node => Number(node.dataset.at))")
    assert all(at >= parted + 2 for at in marked), "what both begin with parts from nothing"


def test_a_text_is_rerolled_from_a_token(ask):
    ask.get_by_role("textbox", name="Seed").fill("3")
    write(ask)
    before = texts_of(ask)
    tokens_of(ask).nth(9).click()
    ask.get_by_role("button", name="Reroll from here").click()
    expect(ask.get_by_role("button", name="rerolled at 9")).to_be_visible()
    done(ask)

    assert 9 == len(ask.bodies[-1]["begin"])
    assert ask.bodies[-1]["seed"] is None
    assert texts_of(ask)[:9] == before[:9]
    assert texts_of(ask) != before
    ask.get_by_role("button", name="written").click()
    assert texts_of(ask) == before


@pytest.mark.parametrize("button", ["Reroll from here", "Put"])
def test_what_another_policy_wrote_before_keeps_its_record(ask, button):
    policy_box(ask).fill("0.7")
    write(ask)
    policy_box(ask).fill("0.1 + 0.2*entropy")
    tokens_of(ask).nth(4).click()
    expect(ask.locator(".verdict")).to_be_visible()
    ask.get_by_role("button", name=button).first.click()
    expect(effective(ask)).to_have_text("0.1 + 0.2*entropy")
    done(ask)

    outcome = ask.locator("#outcome")
    expect(outcome).to_contain_text("The first 4 tokens were written before, under another policy.")
    expect(outcome).not_to_contain_text("the policy that wrote the text")
    numbers = tokens_of(ask).locator(".dt-number")
    expect(numbers).to_have_count(28)
    shown = numbers.all_text_contents()
    assert [".70"] * 4 == shown[:4]
    assert {".70"} != {*shown[4:]}
    terms = ask.locator(".dt-terms")
    tokens_of(ask).nth(1).click()
    expect(ask.locator(".dt-sentence")).to_contain_text("T = 0.7")
    expect(terms).to_have_count(0)
    tokens_of(ask).nth(6).click()
    expect(terms).to_contain_text("T ")

    policy_box(ask).fill("0.1 + 0.3*entropy")
    expect(outcome).to_contain_text("of 28 tokens stay")
    tokens_of(ask).nth(1).click()
    expect(terms).to_have_count(1), "another policy is replayed over the whole text"
    assert [".70"] * 4 != numbers.all_text_contents()[:4]


@pytest.mark.parametrize("by", ["the page", "the page before", "generate"])
def test_a_text_that_was_continued_as_it_is_goes_on_as_it_is(ask, tmp_path, by):
    path = tmp_path / "raw.jsonl"
    if by == "generate":
        with generate(words_model(), PROMPT, "0.7", max_tokens=9, chat=False, trace=path) as run:
            list(run)
    else:
        ask.get_by_role("checkbox", name="Continue the text").check()
        write(ask)
        saved_header(ask, tmp_path)
        path = (tmp_path / "saved.jsonl").rename(path)
        if by == "the page before":
            saved = path.read_text(encoding="utf-8")
            path.write_text(saved.replace(', "chat": false', "").replace(',"chat":false', ""), encoding="utf-8")
            assert "chat" not in Trace.open(path).header.settings
        ask.reload()
        expect(ask.locator("html[data-ready]")).to_have_count(1)
    ask.get_by_label("Trace files").set_input_files(path)
    tokens_of(ask).nth(4).click()
    with ask.expect_request("**/play/generate") as asked:
        ask.get_by_role("button", name="Reroll from here").click()
    done(ask)

    assert asked.value.post_data_json["raw"] is True


def test_a_pair_that_goes_on_says_which_text_began_under_another_policy(ask):
    ask.get_by_role("checkbox", name="Second policy").check()
    policy_box(ask).fill("0.3")
    ask.get_by_role("textbox", name="Second policy", exact=True).fill("1.5")
    write(ask)
    tokens_of(ask, "Text A").nth(3).click()
    ask.get_by_role("button", name="Reroll from here").click()
    expect(ask.get_by_role("button", name="rerolled at 3")).to_be_visible()
    done(ask)

    expect(ask.locator("#outcome")).to_contain_text(
        "The first 3 tokens of text B were written before, under another policy."
    )
    assert [".30"] * 3 == tokens_of(ask, "Text B").locator(".dt-number").all_text_contents()[:3]


def test_a_token_is_forced_and_the_text_goes_on_from_there(ask):
    write(ask)
    before = texts_of(ask)
    tokens_of(ask).nth(4).click()
    offered = [put.get_attribute("aria-label") for put in ask.get_by_role("button", name="Put").all()[1:]]
    label = next(one for one in offered if "\\x" not in one)  # half a character has no name of its own in the text
    name = label.removeprefix("Put ").removesuffix(" here and go on")
    ask.get_by_role("button", name=label, exact=True).click()
    expect(ask.get_by_role("button", name="changed at 4")).to_be_visible()
    done(ask)

    body = ask.bodies[-1]
    assert 4 == len(body["begin"])
    assert WORDS[body["force"][0]].decode(errors="backslashreplace").replace(" ", "␣").replace("\n", "⏎") == name
    assert texts_of(ask)[:4] == before[:4]
    expect(tokens_of(ask).nth(4)).to_have_class(re.compile("dt-forced"))
    assert texts_of(ask)[4].replace(" ", "␣").endswith(name), "half a character may stand before it"


def test_writing_streams_and_stops(page, slow, model):
    asking(page, slow)
    page.get_by_role("spinbutton", name="Tokens at most").fill("400")
    write(page, wait=False)
    expect(tokens_of(page).nth(3)).to_be_visible()
    early = tokens_of(page).count()
    page.evaluate(
        """() => {
          window.first = document.querySelector(".dt-token");
          window.touched = 0;
          const options = { attributes: true, childList: true, subtree: true, characterData: true };
          new MutationObserver((records) => { touched += records.length; }).observe(first, options);
          window.painted = 0;
          const { setProperty } = CSSStyleDeclaration.prototype;
          CSSStyleDeclaration.prototype.setProperty = function (...given) {
            painted += 1;
            return setProperty.apply(this, given);
          };
        }"""
    )
    expect(tokens_of(page).nth(early + 25)).to_be_visible()
    assert [0, True] == page.evaluate("() => [touched, first === document.querySelector('.dt-token')]"), "drawn once"
    painted, count = page.evaluate("() => [painted, document.querySelectorAll('.dt-token').length]")
    assert painted <= 2 * (count - early), "a token that comes is painted, the others are not painted again"
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_have_text("Stopped.")

    count = tokens_of(page).count()
    assert count < 390
    page.wait_for_timeout(500)
    assert tokens_of(page).count() == count
    until = time.monotonic() + 20
    while model.open_sessions and time.monotonic() < until:
        time.sleep(0.05)
    assert not model.open_sessions, "the server has stopped too"
    expect(page.locator("#outcome")).to_contain_text("the policy that wrote the text")


def test_errors_of_the_server_are_told_in_words(ask):
    for name, value, words in (("Tokens at most", "100000", "max_tokens"), ("Top-p", "7", "top_p")):
        control = ask.get_by_role("spinbutton", name=name)
        before = control.input_value()
        ask.evaluate("() => { document.getElementById('write').noValidate = true; }")
        control.fill(value)
        ask.get_by_role("button", name="Write", exact=True).click()
        expect(ask.get_by_role("alert")).to_contain_text(words)
        control.fill(before)
    ask.get_by_role("textbox", name="Prompt for").fill("xyz")
    ask.get_by_role("button", name="Write", exact=True).click()
    expect(ask.get_by_role("alert")).to_contain_text("no token for")
    assert [fault for fault in ask.faults if "400" not in fault] == []
    ask.faults.clear()

    ask.get_by_role("textbox", name="Prompt for").fill("")
    ask.get_by_role("button", name="Write", exact=True).click()
    expect(ask.get_by_role("alert")).to_have_text("Write a prompt first.")
    ask.get_by_role("textbox", name="Prompt for").fill(PROMPT)
    policy_box(ask).fill("entropi")
    ask.get_by_role("button", name="Write", exact=True).click()
    expect(ask.get_by_role("alert").filter(has_text="mend it first")).to_be_visible()
    policy_box(ask).fill("0.5")
    write(ask)
    expect(ask.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_serious_for_axe(open_page, served, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = asking(open_page(color_scheme=scheme, viewport={"width": width, "height": 800}), served)
    page.get_by_role("checkbox", name="Second policy").check()
    write(page)
    tokens_of(page, "Text B").nth(3).click()
    found = axe.run(page).response["violations"]

    assert not [fault["id"] for fault in found if fault["impact"] in ("serious", "critical")]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_a_server_without_a_model_shows_traces(page):
    serving = Serving(None)
    page.goto(serving.url)
    expect(page.get_by_text("Nothing to show yet")).to_be_visible()
    expect(page.get_by_role("textbox", name="Prompt for")).to_be_hidden()
    serving.close()


def test_the_verdicts_on_a_policy_are_told_while_their_list_is_open(page, served):
    asking(page, served)
    asked = [body for body in page.bodies if "vocabulary" in body]
    page.get_by_text("What is certain about this policy").click()
    policy_box(page).fill("0.5 - 0.4*max_prob")
    verdicts = page.locator("#verdict-list")

    expect(verdicts).to_contain_text("Certain: T falls as max_prob rises")
    expect(verdicts).to_contain_text("T moves by at most 0.2 times as far as the logits")
    expect(verdicts).to_contain_text("(docs/theory/rows.md#lipschitz)")
    policy_box(page).fill("where(max_prob < 0.3, 0.2, 0.7)")
    expect(verdicts).to_contain_text("Does not hold: T jumps")
    assert not asked

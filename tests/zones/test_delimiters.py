"""Delimited zones: the same whatever the cut into tokens, and the same as a search that looks at every byte."""

import random
from itertools import combinations

import pytest

from dyntemp.zones.delimiters import DelimitedZone
from dyntemp.zones.known import ANSWER, KNOWN, THINK, TOOL_CALL, TURNS
from dyntemp.zones.tracker import ZoneTracker, chosen_zones
from dyntemp.zones.zone import Zone

THINKING = b"Hm <thi<think>Is <|2+2|> 4? </thin </think>4<think></think>"


def naive(pairs, ends, text):
    """Inside or not after each byte, by comparing the text since the last switch with every delimiter."""
    opened, since, values = None, 0, [False]
    for end in range(1, len(text) + 1):
        wanted = [pairs[opened], *ends] if opened else list(pairs)
        for delimiter in wanted:
            if text[since:end].endswith(delimiter.encode()):
                opened, since = None if opened else delimiter, end
                break
        values.append(bool(opened))
    return values


def followed(automaton, parts):
    """Inside or not after each part."""
    state, values = automaton.start, []
    for part in parts:
        state = automaton.advance(state, part)
        values.append(automaton.inside(state))
    return values


def cut(text, at):
    return [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]


@pytest.mark.parametrize("count", [1, 2])
def test_a_delimiter_may_be_cut_anywhere(count):
    expected = naive(THINK, TURNS, THINKING)
    automaton = DelimitedZone(THINK, TURNS)
    for at in combinations(range(len(THINKING) + 1), count):
        assert followed(automaton, cut(THINKING, at)) == [expected[end] for end in (*at, len(THINKING))]


def test_the_values_of_one_text():
    tracker = ZoneTracker(chosen_zones(["think", "answer"]))
    state, seen = tracker.start, []
    for token in (b"<think", b">", b"Hm", b".</", b"think", b">\n\n", b"4", b"<|im_end|>", b"\n"):
        state = tracker.advance(state, token)
        seen.append(tracker.inside(state))

    none, think, answer = (0.0, 0.0), (1.0, 0.0), (0.0, 1.0)
    assert seen == [none, think, think, think, think, answer, answer, none, none]


PAIRS = [
    {"aab": "ab"},  # a false start overlaps a true one
    {"abab": "ba", "aa": "abb"},
    {"aba": "aba"},  # one text opens and closes
    {"xaby": "b", "ab": "ya"},  # one delimiter holds another
    {"aé": "é"},
    dict(list(THINK.items())[:3]),
]


@pytest.mark.parametrize("pairs", PAIRS, ids=str)
def test_any_cut_of_any_text_agrees_with_a_search_at_every_byte(pairs):
    random.seed(5)
    automaton = DelimitedZone(pairs, ("yy",))
    pieces = [*"abxyé", *(text for pair in pairs.items() for text in pair)]
    met = set()
    for _ in range(300):
        text = "".join(random.choices(pieces, k=random.randint(0, 12))).encode()
        at = sorted(random.choices(range(len(text) + 1), k=random.randint(0, 6)))
        expected = naive(pairs, ("yy",), text)
        assert followed(automaton, cut(text, at)) == [expected[end] for end in (*at, len(text))]
        met |= set(expected)

    assert met == {False, True}


def test_a_zone_that_never_closes_stays_open():
    tracker = ZoneTracker(chosen_zones(["think"]))

    assert tracker.inside(tracker.advance(tracker.start, b"<think>" + b"so </thinking> on" * 1000)) == (1.0,)


@pytest.mark.parametrize("name", ["think", "answer", "tool_call"])
def test_the_end_of_a_message_closes_what_was_cut_off(name):
    tracker = ZoneTracker(chosen_zones([name]))
    for opening in KNOWN[name].pairs:
        state = tracker.advance(tracker.start, f"{opening} and so".encode())
        assert tracker.inside(state) == (1.0,)
        assert tracker.inside(tracker.advance(state, b"<|im_end|>\n<|im_start|>user\n")) == (0.0,)


def test_a_call_ends_with_what_opened_it():
    tracker = ZoneTracker(chosen_zones(["tool_call"]))
    state = tracker.advance(tracker.start, b"<tool_call>\n<function=get><parameter=a>1</parameter></function>")

    assert tracker.inside(state) == (1.0,)
    assert tracker.inside(tracker.advance(state, b"\n</tool_call>")) == (0.0,)


@pytest.mark.parametrize(("text", "zones"), [
    ("<|channel|>analysis<|message|>", ["think"]),
    ("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>", ["answer"]),
    ("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.f", ["tool_call"]),
    ("[THINK]a[/THINK]b", ["answer"]),
    ("[TOOL_CALLS]f[ARGS]{", ["tool_call"]),
    ("<|python_tag|>", ["tool_call"]),
    ('<tool_call>{"name": ', ["tool_call", "json"]),
    ("<think>\nFirst:\n```python\nif x:\n", ["think", "code", "block"]),
    ("<think>\n```\na</think>", ["answer"]),
    ("<answer>42", ["answer"]),
    ("<answer>42</answer>\n", []),
])  # fmt: skip
def test_the_formats_of_known_models(text, zones):
    tracker = ZoneTracker(chosen_zones(KNOWN))
    inside = tracker.inside(tracker.advance(tracker.start, text.encode()))

    assert [name for name, value in zip(tracker.names, inside, strict=True) if value] == zones


def test_no_closing_delimiter_is_lost():
    for pairs in (THINK, ANSWER, TOOL_CALL):
        automaton = DelimitedZone(pairs, TURNS)
        for opening, closing in pairs.items():
            assert followed(automaton, [opening.encode(), closing.encode()]) == [True, False], (opening, closing)


def test_going_back_is_taking_an_earlier_state():
    tracker = ZoneTracker([Zone("note", "", {"<a>": "</a>"}), *chosen_zones(["code", "json"])])
    kept = tracker.advance(tracker.start, b"<a>```\n{")
    tracker.advance(kept, b"</a>\n```\n}")
    again = tracker.advance(kept, b' "on"')

    assert tracker.inside(again) == tracker.inside(kept) == (1.0, 0.0, 1.0)
    assert len({kept, tracker.start, again}) == 3  # states are values

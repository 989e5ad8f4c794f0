"""Zones that lines decide, against parsers of CommonMark and JSON, however the text is cut into tokens."""

import json
import random
from itertools import combinations, pairwise

import pytest
from markdown_it import MarkdownIt

from dyntemp.zones.known import KNOWN
from dyntemp.zones.lines import BlockStart, FencedCode, JsonValue
from dyntemp.zones.tracker import ZoneTracker, chosen_zones


def followed(reader, text):
    """Inside or not before each byte and at the end, read one byte at a time."""
    state, values = reader.start, [reader.inside(reader.start)]
    for at in range(len(text)):
        state = reader.read(state, text[at : at + 1])
        values.append(reader.inside(state))
    return values


def marked(reader, text):
    """The bytes of a text that lie inside."""
    return b"".join(text[at : at + 1] for at, inside in enumerate(followed(reader, text)[:-1]) if inside)


def commonmark(text):
    """Whether each line, and the end of the text, begins in code."""
    count = text.count("\n")
    inside = [False] * (count + 1)
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "fence":
            first, after = token.map
            closed = token.content.count("\n") == after - first - 2
            inside[first + 1 :] = [line < after + (not closed) for line in range(first + 1, count + 1)]
    return inside


LINES = ["```", "```py", "````", "~~~", "~~~~ a`b", "```a`b", "  ```", "   ~~~", "``", "~", "x", "", "``` ", "``` x",
         "~~~ \t", "````\r"]  # fmt: skip


def test_fences_are_those_of_commonmark():
    random.seed(1)
    met = 0
    for _ in range(500):
        text = "".join(f"{line}\n" for line in random.choices(LINES, k=random.randint(1, 7)))
        values = followed(FencedCode(), text.encode())
        found = [values[0], *(values[at + 1] for at, letter in enumerate(text) if letter == "\n")]
        assert found == commonmark(text), text
        met += sum(found) > 1

    assert met > 100


@pytest.mark.parametrize(("text", "code"), [
    ("Look:\n```python\nx = 1\n```\nDone.", b"x = 1\n```"),
    ("````\n```\nx\n````", b"```\nx\n````"),
    ("~~~\n```\n~~~", b"```\n~~~"),
    ("```\r\nx\r\n```\r\n", b"x\r\n```"),
    ("1. List:\n\n     ```\n     x\n     ```\n", b"     x\n     ```"),
    ("```\n        ```\n```", b"        ```\n```"),
    ("```\n~~~\ny", b"~~~\ny"),
    ("é ```x``` é\n```not a fence```\nx", b""),
    ("```", b""),
    ("", b""),
])  # fmt: skip
def test_code(text, code):
    assert marked(FencedCode(), text.encode()) == code


def test_a_closing_fence_opens_again_where_text_follows_it():
    values = followed(FencedCode(), b"```\n``` \tx\n```")

    assert values == [False] * 4 + [True] * 3 + [False] * 3 + [True] * 4 + [False]


def test_the_state_of_a_long_line_is_small():
    state = FencedCode().read(FencedCode.start, b"```" + b"info ` " * 1000)

    assert len(state[1]) < 10


JSONS = [{}, [], {"a": [1, -2.5e3, None, True, False], 'q"}': 'x\\"{[\n'}, [[["é"]]], ["\\", {"]": "["}]]


@pytest.mark.parametrize("value", JSONS, ids=str)
@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("escaped", [True, False])
def test_json_is_inside_from_its_first_bracket_to_its_last(value, indent, escaped):
    dumped = json.dumps(value, indent=indent, ensure_ascii=escaped)
    text = f"So:\n  {dumped}, [1]\nand [1]\r\n"

    assert marked(JsonValue(), text.encode()) == dumped[1:].encode()


@pytest.mark.parametrize(("text", "inside"), [
    ("[text](address)", b"tex"),
    ("{'a': 1}", b"'"),
    ("- [x] done", b""),
    ('{"a\nb": 1}', b'"a\n'),
    ('{"a": "\\', b'"a": "\\'),
    ("[1]\n[2]", b"1]2]"),
    ("[1] [2]", b"1]"),
    (' {"a": 1', b'"a": 1'),
])  # fmt: skip
def test_json_ends_where_no_json_can_go_on(text, inside):
    assert marked(JsonValue(), text.encode()) == inside


@pytest.mark.parametrize(("text", "inside"), [
    ("if x:\n    y\n", b"    y"),
    ("if x: \t\r\n\r\n\ty", b"\r\n\ty"),
    ("d[1:2]\nx", b""),
    ("else:\n", b""),
    ("a:b\n:\n\n", b"\n"),
])  # fmt: skip
def test_the_first_token_of_a_block(text, inside):
    assert marked(BlockStart(), text.encode()) == inside


def test_any_cut_gives_the_same_states():
    random.seed(2)
    tracker = ZoneTracker(chosen_zones(KNOWN))
    pieces = ["`", "```", "~~~", "\n", "\r\n", " ", "\t", "x", "é", "{", "}", "[", "]", '"', "\\", ":", "1", "<think>",
              "</think>", "<|im_end|>", "<tool_call>", "[/INST]"]  # fmt: skip
    met = set()
    for _ in range(300):
        text = "".join(random.choices(pieces, k=random.randint(1, 25))).encode()
        cuts = [0, *sorted(random.choices(range(len(text) + 1), k=8)), len(text)]
        state, single, read = tracker.start, tracker.start, 0
        for start, end in pairwise(cuts):
            state = tracker.advance(state, text[start:end])
            for at in range(read, end):
                single = tracker.advance(single, text[at : at + 1])
            read = end
            assert tracker.inside(state) == tracker.inside(single), (text, end)
            met |= {(name, value) for name, value in zip(tracker.names, tracker.inside(state), strict=True)}

    assert met == {(name, value) for name in KNOWN for value in (0.0, 1.0)}


def test_three_tokens_cut_at_every_byte():
    tracker = ZoneTracker(chosen_zones(["code", "json", "block"]))
    text = b'a:\n```j\n{"\\"": 1}\n```\n'
    expected, state = [tracker.start], tracker.start
    for at in range(len(text)):
        state = tracker.advance(state, text[at : at + 1])
        expected.append(state)
    for first, second in combinations(range(len(text) + 1), 2):
        state = tracker.advance(tracker.start, text[:first])
        state = tracker.advance(state, text[first:second])
        assert tracker.inside(state) == tracker.inside(expected[second])
        assert tracker.inside(tracker.advance(state, text[second:])) == tracker.inside(expected[-1])


@pytest.mark.parametrize(
    "before", ["[INST] Show `x`: ``` [/INST]", "```\ncut off<|im_end|>\n", "```\n<think>", "```\n</think>"]
)
def test_a_message_begins_a_line_outside_the_code_before(before):
    tracker = ZoneTracker(chosen_zones(["code"]))
    state = tracker.advance(tracker.start, before.encode())

    assert tracker.inside(state) == (0.0,)
    assert tracker.inside(tracker.advance(state, b"```\nx")) == (1.0,)

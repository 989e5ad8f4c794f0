"""Passages are read from JSON lines and paragraphs, mistakes name their line, and halves follow the content."""

import json
import random

import pytest

from dyntemp.errors import StudyError
from dyntemp.learn.passages import Passage, halves, read_passages

CHAT = [{"role": "user", "content": "Name a hue."}]
REST = '{"text": "a"}\n{"text": "b"}\n{"text": "c"}\n{"text": "d"}\n'


def test_a_line_is_a_text_a_prompt_with_a_text_or_a_conversation(tmp_path):
    path = tmp_path / "texts.jsonl"
    lines = [
        {"text": " One."}, {"prompt": "Q: 1?\nA:", "text": " 1"}, {"prompt": CHAT, "text": "Red."},
        {"messages": [*CHAT, {"role": "assistant", "content": "Blue."}]},
    ]  # fmt: skip
    path.write_text("\n\n".join(map(json.dumps, [*lines, {"prompt": "", "text": "two"}])), encoding="utf-8")

    assert read_passages(path) == [
        Passage(" One."), Passage(" 1", "Q: 1?\nA:"), Passage("Red.", CHAT), Passage("Blue.", CHAT), Passage("two"),
    ]  # fmt: skip


def test_paragraphs_of_plain_text_are_parted_by_blank_lines(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n\nOne,\nstill one.\n \t\nTwo.\n\n\n\nThree.\n\n  Four.\n", encoding="utf-8")

    assert [one.text for one in read_passages(path)] == ["One,\nstill one.", "Two.", "Three.", "Four."]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{text", "this is not JSON"),
        ("[1]", "a JSON object is needed"),
        ('{"txt": "a"}', "unknown field 'txt'; did you mean `text`?"),
        ('{"prompt": "a"}', "`text` is a text that is not empty, and nothing was given"),
        ('{"text": " "}', "`text` is a text that is not empty"),
        ('{"text": "a", "prompt": 3}', "`prompt` is a text, or a list of messages"),
        ('{"text": "a", "prompt": []}', "`prompt` is a text, or a list of messages"),
        ('{"text": "a", "messages": []}', "either `messages` or `text`"),
        ('{"messages": [{"role": "user"}]}', "`messages` is a list of messages"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "the last one is of 'user'"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "have others before it"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, line, told):
    path = tmp_path / "texts.jsonl"
    path.write_text(f"{REST}\n{line}\n", encoding="utf-8")

    with pytest.raises(StudyError) as raised:
        read_passages(path)

    assert "texts.jsonl, line 6: " in str(raised.value)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("few.txt", "One.\nTwo.\nThree.\nFour.\n", "1 different passages; 4 or more are needed.*blank line"),
        ("few.jsonl", '{"prompt": "a", "text": "b"}\n' * 5, "1 different passages.*one prompt count once"),
    ],
)
def test_fewer_than_four_passages_are_refused(tmp_path, name, text, told):
    (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(StudyError, match=told):
        read_passages(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"none\.jsonl cannot be read"):
        read_passages(tmp_path / "none.jsonl")


def test_halves_follow_the_content_and_not_the_order():
    passages = [Passage(str(number)) for number in range(21)]
    shuffled = random.Random(3).sample(passages, len(passages))

    found = halves(passages)

    assert (len(found.fitted), len(found.held_out)) == (10, 11)
    assert halves(shuffled) == found
    assert {*found.fitted, *found.held_out} == {*passages}
    assert found.fitted != passages[:10]


def test_texts_of_one_prompt_stay_together():
    passages = [Passage(f"{prompt} {number}", f"prompt {prompt}") for prompt in range(6) for number in range(5)]

    for half in halves(passages):
        assert len(half) == 15
        assert {sum(one.prompt == other.prompt for other in half) for one in half} == {5}

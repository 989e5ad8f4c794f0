"""Prompts and answers from a file."""

import json
import re

import pytest

from dyntemp.evaluation.task import SPLITS, WRONG, Score
from dyntemp.evaluation.tasks.table import task_of

CHAT = [{"role": "user", "content": "Name a color."}]


def task_from(tmp_path, *lines):
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return task_of(str(path))


def test_a_line_is_an_item(tmp_path):
    line = {"prompt": "Q: 1 + 1\nA:", "answers": {"two": "2", " 2": "2"}, "id": "sum", "cluster": "sums",
            "split": "val", "max_tokens": 4, "stop": ["\n", "Q"]}  # fmt: skip
    task = task_from(tmp_path, line)
    (item,) = task.items("val", 1)

    assert (task.name, task.group, task.metric) == ("mine", "text", "pass@8")
    assert (item.id, item.cluster, item.prompt, item.max_tokens) == ("sum", "sums", line["prompt"], 4)
    assert item.stop == ("\n", "Q")
    assert task.score(item, "two") == task.score(item, " two") == task.score(item, " 2") == Score(True, True, "2")
    assert task.score(item, "2") == task.score(item, "Two") == WRONG


def test_what_is_left_out_has_defaults(tmp_path):
    task = task_from(tmp_path, "", {"prompt": "A:", "answers": ["x"], "split": "tune"},
                     {"messages": CHAT, "answers": ["Red", "Blue"], "split": "test"})  # fmt: skip
    (text,), (chat,) = task.items("tune", 1), task.items("test", 1)

    assert (text.id, text.cluster, text.max_tokens, text.stop) == ("2", "2", 32, ("\n",))
    assert (chat.id, chat.prompt, chat.stop) == ("3", CHAT, ())
    assert set(chat.answers) == {"Red", "Blue"}
    assert (task.group, task.metric) == ("text", "distinct@8")


def test_a_file_of_conversations_is_dialogue(tmp_path):
    assert task_from(tmp_path, {"messages": CHAT, "answers": ["Red"]}).group == "dialogue"


def test_the_prompt_decides_the_split_wherever_it_stands(tmp_path):
    lines = [{"prompt": f"{number}", "answers": ["x"]} for number in range(400)]
    task, turned = task_from(tmp_path, *lines), task_from(tmp_path, *lines[::-1])
    sizes = {}
    for split in SPLITS:
        found = task._items[split]
        assert {item.prompt for item in found} == {item.prompt for item in turned._items[split]}
        sizes[split] = len(found)

    assert sum(sizes.values()) == 400
    assert 170 <= sizes["test"] <= 230
    assert 70 <= min(sizes["tune"], sizes["val"])


@pytest.mark.parametrize(("line", "message"), [
    ("{", "this is not JSON"),
    ("[1]", "a JSON object is needed, and this is [1]"),
    ({"prompt": "a", "answer": ["b"]}, "unknown field 'answer'; did you mean `answers`?; allowed are prompt,"),
    ({"answers": ["b"]}, "either `prompt` or `messages`"),
    ({"prompt": "a", "messages": CHAT, "answers": ["b"]}, "either `prompt` or `messages`"),
    ({"prompt": 3, "answers": ["b"]}, "`prompt` is text, and 3 was given"),
    ({"messages": [{"role": "user"}], "answers": ["b"]}, "`messages` is a list of objects such as"),
    ({"prompt": "a"}, '`answers` is a list of texts, or an object such as {"Red": "red"}'),
    ({"prompt": "a", "answers": []}, "`answers` is a list of texts"),
    ({"prompt": "a", "answers": "b"}, "`answers` is a list of texts"),
    ({"prompt": "a", "answers": {"b": 1}}, "`answers` is a list of texts"),
    ({"prompt": "a", "answers": ["b"], "split": "train"}, "`split` is tune or val or test, and 'train' was given"),
    ({"prompt": "a", "answers": ["b"], "split": ["val"]}, "`split` is tune or val or test"),
    ({"prompt": "a", "answers": ["b"], "max_tokens": 0}, "`max_tokens` is a whole number from 1, and 0 was given"),
    ({"prompt": "a", "answers": ["b"], "stop": "\n"}, "`stop` is a list of texts"),
    ({"prompt": "a", "answers": ["b"], "id": "1"}, "the id '1' is that of line 1"),
])  # fmt: skip
def test_a_bad_line_is_named(tmp_path, line, message):
    good = {"prompt": "a", "answers": ["b"]}

    with pytest.raises(ValueError, match=re.escape("mine.jsonl, line 3: ") + ".*" + re.escape(message)):
        task_from(tmp_path, good, "", line)


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match="has no line: write one JSON object a line"):
        task_from(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        task_of(str(tmp_path / "none.jsonl"))

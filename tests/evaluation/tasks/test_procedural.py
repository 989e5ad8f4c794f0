"""Questions made by rule: solved again from their text, by other means."""

import math
import re
from collections import Counter

import pytest

from dyntemp.evaluation.task import SPLITS, Score
from dyntemp.evaluation.tasks.procedural import PROCEDURAL

TASKS = {task.name: task for task in PROCEDURAL}
COUNTS = {"add": 30, "mul": 15, "gcd": 80, "lcm": 20, "chain_sum": 200, "letters": 200}


def questions(prompt):
    """The questions of a prompt with their answers; None after the last."""
    found = re.findall(r"Question: (.*)\nAnswer:(?: (.*)\n\n)?", prompt)
    return [(text, int(answer) if answer else None) for text, answer in found]


def solved(name, text):
    """The answer, read off the question's text."""
    if name == "letters":
        letter, words = re.findall(r'"([^"]*)"', text)
        return Counter(words)[letter]
    a, b = map(int, re.findall(r"\d+", text))
    if name == "gcd":
        return max(d for d in range(1, a + b) if a % d == b % d == 0)
    if name == "lcm":
        return next(m for m in range(1, a * b + 1) if m % a == m % b == 0)
    sign = re.search(r"\d ([-+*]) \d", text)[1]
    return {"+": a + b, "-": a - b, "*": math.prod((a, b))}[sign]


@pytest.mark.parametrize("name", TASKS)
def test_answers_and_shots_are_right(name):
    for split in SPLITS:
        for item in TASKS[name].items(split, COUNTS[name]):
            *shots, (text, _) = questions(item.prompt)

            assert len(shots) == 6
            assert all(solved(name, shot) == answer for shot, answer in shots)
            assert set(item.answers.values()) == {str(solved(name, text))}


@pytest.mark.parametrize("name", TASKS)
def test_no_question_is_in_two_splits_for_any_seeds_nor_in_the_shots(name):
    """Neither is one with the same numbers in another order, or with the same words."""
    contents = {
        split: {
            tuple(sorted(re.findall(r"\d+|\"\w\"|\w+(?=[^:]*\?)", questions(item.prompt)[-1][0])))
            for seed in range(12)
            for item in TASKS[name].items(split, COUNTS[name], seed)
        }
        for split in SPLITS
    }
    shots = {
        tuple(sorted(re.findall(r"\d+|\"\w\"|\w+(?=[^:]*\?)", text)))
        for text, answer in questions(TASKS[name].items("test", 1)[0].prompt)
        if answer is not None
    }

    for split in SPLITS:
        others = set.union(*(contents[other] for other in SPLITS if other != split))
        assert not contents[split] & (others | shots)


@pytest.mark.parametrize("name", TASKS)
def test_the_seed_chooses_among_unique_items(name):
    items = TASKS[name].items("test", COUNTS[name], seed=1)

    assert len({item.id for item in items}) == len({item.prompt for item in items}) == len(items)
    assert TASKS[name].items("test", 10, seed=1) == items[:10]
    assert TASKS[name].items("test", 10, seed=2) != items[:10]


@pytest.mark.parametrize("name", TASKS)
def test_the_scorer_accepts_what_is_listed(name):
    task = TASKS[name]
    for item in task.items("val", 15):
        (key,) = set(item.answers.values())
        for text in item.answers:
            assert task.score(item, text) == Score(valid=True, correct=True, key=key)


@pytest.mark.parametrize(("text", "valid"), [
    (" 1000", True), (" -1000.", True), ("1000", True), (" one", False), ("", False), (" 10 00", False),
    ("  7000", False),
])  # fmt: skip
def test_a_wrong_number_is_valid_and_other_text_is_not(text, valid):
    task = TASKS["mul"]

    assert task.score(task.items("test", 1)[0], text) == Score(valid=valid, correct=False, key="")


def test_a_split_says_how_many_questions_it_has():
    with pytest.raises(ValueError, match=r"99 items of the task 'mul' .* its split 'val' has 15"):
        TASKS["mul"].items("val", 99)


@pytest.mark.parametrize("split", SPLITS)
def test_letters_occur_in_the_text(split):
    assert all("0" not in item.answers.values() for item in TASKS["letters"].items(split, 200))

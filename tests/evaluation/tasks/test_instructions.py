"""Instructions: forms of an answer, split by topic, and checked as IFEval checks them."""

import importlib.util
import re
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from dyntemp.evaluation.task import SPLITS, WRONG, Score
from dyntemp.evaluation.tasks.instructions import FORMS, INSTRUCTIONS, SHOWN, TOPICS

SIZES = {"tune": 18 * len(FORMS), "val": 11 * len(FORMS), "test": 19 * len(FORMS)}

TEXTS = [
    "Warm bread, fresh butter.", "Warm bread", "warm bread", "WARM BREAD!", "A warm loaf", '"Warm bread"', '"Warm', '"',
    "Bread is warm.", "Bread is warm and warm bread is good!", "Butter, jam, honey", "Butter, jam", "- butter\n- jam",
    "* butter\n* jam", "- butter\n\n- jam\n", "- butter\n- jam\n- honey", "What is bread?", "one two three",
    "One two three four five six seven eight", "One two three four five six seven eight nine", "Am I late?\nNo!", "12",
    "Zimt", "Mum, come.", "  Hello!  ", "",
]  # fmt: skip

IFEVAL = {
    "no commas": ("CommaChecker", {}),
    "bullets": ("BulletListChecker", {"num_bullets": 2}),
    "no b": ("LetterFrequencyChecker", {"letter": "b", "let_frequency": 1, "let_relation": "less than"}),
    "no m": ("LetterFrequencyChecker", {"letter": "m", "let_frequency": 1, "let_relation": "less than"}),
    "lower case": ("LowercaseLettersEnglishChecker", {}),
    "upper case": ("CapitalLettersEnglishChecker", {}),
    "exclamation": ("EndChecker", {"end_phrase": "!"}),
    "at most eight": ("NumberOfWords", {"num_words": 9, "relation": "less than"}),
    "contain": ("KeywordChecker", {"keywords": ["warm"]}),
}
"""The forms that IFEval has, with its class and settings."""

SENTENCES = {"no commas", "no b", "no m"}
"""The forms that ask for a sentence as well."""


def all_items(split, seed=0):
    return INSTRUCTIONS.items(split, SIZES[split], seed)


def item_of(form):
    """The item that asks for a form about bread, whose word is `warm`."""
    return next(item for item in all_items("test") if item.id == f"{form}: bread")


@pytest.fixture(scope="module")
def ifeval():
    """The classes of lm-eval's IFEval, without the language detection and the data that the ones used do not need."""
    found = importlib.util.find_spec("lm_eval")
    if found is None:
        pytest.skip("needs lm_eval")
    path = Path(found.submodule_search_locations[0], "tasks/ifeval/instructions.py")
    util = MagicMock(count_words=lambda text: len(re.findall(r"\w+", text)))
    names = {
        "langdetect": MagicMock(detect=lambda _: "en", LangDetectException=ValueError),
        "lm_eval.tasks": MagicMock(),
        "lm_eval.tasks.ifeval": MagicMock(instructions_util=util),
    }
    spec = importlib.util.spec_from_file_location("ifeval_instructions", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name, stub in names.items():
            patch.setitem(sys.modules, name, stub)
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("form", IFEVAL)
def test_a_form_holds_where_ifeval_says_so(ifeval, form):
    name, settings = IFEVAL[form]
    checker = getattr(ifeval, name)("")
    checker.build_description(**settings)
    item = item_of(form)
    texts = [text for text in TEXTS if INSTRUCTIONS.score(item, text).valid]
    if form in SENTENCES:
        texts = [text for text in texts if text.strip()[-1] in ".!?"]

    found = {text: INSTRUCTIONS.score(item, text).correct for text in texts}

    assert found == {text: bool(checker.check_following(text)) for text in texts}
    assert set(found.values()) == {True, False}


@pytest.mark.parametrize(("form", "right", "wrong"), [
    ("three words", "Warm and soft", "Warm, soft."),
    ("five words", "Don't eat all the bread.", "Do not eat all the bread."),
    ("contain", "Warm, as ever", "Warmth"),
    ("twice", "Warm is warm.", "Warm, warm, warm"),
    ("starts with a", "a loaf", "One loaf"),
    ("starts with word", '"Warm" it is', "It is warm"),
    ("no commas", "It is warm.", "It is warm and"),
    ("no m", "Bread!", "Bread"),
    ("question", "Is it warm? \n", "Is it? No"),
    ("three items", "butter, jam, honey", "butter,\njam, honey"),
])  # fmt: skip
def test_a_form_holds_and_does_not(form, right, wrong):
    assert INSTRUCTIONS.score(item_of(form), right).correct
    assert INSTRUCTIONS.score(item_of(form), wrong) == Score(valid=True, correct=False, key="")


def test_spaces_case_and_punctuation_make_no_new_answer():
    item = item_of("contain")
    texts = ["Warm bread, well-baked.", "warm  bread\nwell-baked!", '"Warm bread": WELL-BAKED']

    assert {INSTRUCTIONS.score(item, text) for text in texts} == {Score(True, True, "warm bread well-baked")}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", ["", " \n", "!", '""', "-\n-"])
def test_a_text_without_words_is_no_answer(form, text):
    assert INSTRUCTIONS.score(item_of(form), text) == WRONG


def test_no_topic_is_in_two_splits_and_each_has_every_form():
    topics = {split: {item.id.partition(": ")[2] for item in all_items(split)} for split in SPLITS}

    assert sum(map(len, topics.values())) == len(TOPICS)
    assert set.union(*topics.values()) == set(TOPICS)
    for split in SPLITS:
        ids = {item.id for item in all_items(split, seed=5)}
        assert ids == {f"{form}: {topic}" for form in FORMS for topic in topics[split]}


def test_the_seed_decides_the_order():
    items = all_items("test", seed=1)

    assert INSTRUCTIONS.items("test", 9, seed=1) == items[:9]
    assert all_items("test", seed=2) != items


def test_a_prompt_is_a_conversation_that_names_topic_and_word():
    *_, message = item_of("contain").prompt

    assert message["role"] == "user"
    assert 'about bread with the word "warm"' in message["content"]


@pytest.mark.parametrize("form", FORMS)
def test_the_solved_instruction_is_right_and_about_another_topic(form):
    item = item_of(form)
    asked, answer, _ = item.prompt

    assert SHOWN["topic"] in asked["content"]
    assert SHOWN["topic"] not in TOPICS
    assert FORMS[form].holds(answer["content"], SHOWN["word"])
    assert not INSTRUCTIONS.score(item, answer["content"] + " ").correct


def test_a_split_says_how_many_items_it_has():
    with pytest.raises(ValueError, match=f"999 items of the task 'instructions' .* has {SIZES['val']}"):
        INSTRUCTIONS.items("val", 999)

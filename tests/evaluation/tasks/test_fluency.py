"""Category fluency: closed lists, split by category."""

import re
from collections import Counter

import pytest

from dyntemp.evaluation.task import SPLITS, WRONG, Score
from dyntemp.evaluation.tasks.categories import CATEGORIES, SPELLINGS, Category
from dyntemp.evaluation.tasks.fluency import FLUENCY, FLUENCY_OTHER, FLUENCY_PILOT, SHOTS
from dyntemp.evaluation.tasks.other_categories import OTHER_CATEGORIES

ALL = {**CATEGORIES, **OTHER_CATEGORIES}
EARLIER = "fruit animal color country vegetable sport instrument profession city metal flower furniture"
SIZES = {"tune": 12, "val": 8, "test": 20}


def test_the_splits_are_all_categories_and_share_none():
    split = {name: {item.cluster for item in FLUENCY.items(name, SIZES[name])} for name in SPLITS}

    assert sum(len(names) for names in split.values()) == len(CATEGORIES)
    assert set.union(*split.values()) == set(CATEGORIES)


def test_the_pilot_reports_the_twelve_categories_of_the_earlier_study():
    test = {item.id for item in FLUENCY_PILOT.items("test", 12)}

    assert test == set(EARLIER.split())
    assert not test & {item.id for split in ("tune", "val") for item in FLUENCY_PILOT.items(split, 8)}
    assert FLUENCY_PILOT.items("test", 1)[0].max_tokens == 5


def test_forty_other_categories_are_a_test_that_nothing_has_seen():
    items = FLUENCY_OTHER.items("test", 40)
    asked = [category.asked for category in ALL.values()]

    assert {item.id for item in items} == set(OTHER_CATEGORIES)
    assert len(ALL) == len(set(asked)) == len(CATEGORIES) + len(OTHER_CATEGORIES)
    assert not set(SHOTS) & set(asked)
    for split in ("tune", "val"):
        assert FLUENCY_OTHER.items(split, 8, seed=2) == FLUENCY.items(split, 8, seed=2)


def test_the_seed_decides_the_order_and_fewer_items_are_the_first_of_more():
    items = FLUENCY.items("test", 20, seed=3)

    assert FLUENCY.items("test", 5, seed=3) == items[:5]
    assert FLUENCY.items("test", 20, seed=4) != items


@pytest.mark.parametrize("count", [0, 21])
def test_a_split_says_how_many_items_it_has(count):
    with pytest.raises(ValueError, match=f"{count} items .*'fluency'.* split 'test' has 20: ask for 1 to 20"):
        FLUENCY.items("test", count)


def test_no_question_of_the_prompt_is_about_a_category():
    prompt = FLUENCY.items("test", 1)[0].prompt
    *shots, asked = re.findall(r"Question: Name (.*)\.", prompt)

    assert len(shots) == 6
    assert asked in {category.asked for category in CATEGORIES.values()}
    assert not set(shots) & {category.asked for category in CATEGORIES.values()}


@pytest.mark.parametrize("name", ALL)
def test_a_category_has_40_to_200_things_each_once_with_few_spellings(name):
    category = ALL[name]
    names = [" ".join(spelling.split()) for entry in category.entries.split(",") for spelling in entry.split("=")]
    answers = category.answers()

    assert "" not in names
    assert not [twice for twice, count in Counter(names).items() if count > 1]
    assert 40 <= len(set(answers.values())) == category.entries.count(",") + 1 <= 200
    assert max(Counter(answers.values()).values()) <= SPELLINGS
    assert all(re.fullmatch(r" \S+( \S+)*", text) for text in answers)
    assert all(answers[f" {spelling}"] for spelling in names)


def test_the_spellings_of_one_thing_give_one_answer():
    answers = Category("an insect", "thing", "fly, gray=grey, mouse=mice").answers()

    assert [text for text, key in answers.items() if key == "fly"] == [
        " fly",
        " Fly",
        " flies",
        " a fly",
        " fly.",
        " Fly.",
    ]
    assert answers[" grey"] == answers[" Gray"] == answers[" gray."] == "gray"
    assert answers[" mice"] == "mouse"
    assert " mouses" not in answers


@pytest.mark.parametrize(("noun", "form"), [
    ("peach", " peaches"), ("cherry", " cherries"), ("toy", " toys"), ("fox", " foxes"), ("apple", " an apple"),
])  # fmt: skip
def test_a_thing_has_a_plural_and_an_article(noun, form):
    assert Category("a thing", "thing", noun).answers()[form] == noun


def test_a_name_and_a_stuff_have_neither():
    assert set(Category("a country", "name", "Peru").answers()) == {" Peru", " Peru.", " peru"}
    assert set(Category("a color", "stuff", "red").answers()) == {" red", " Red", " red.", " Red."}


def test_only_what_is_listed_is_correct():
    item = next(item for item in FLUENCY.items("tune", 12) if item.id == "fruit")

    assert FLUENCY.score(item, " an apple") == Score(valid=True, correct=True, key="apple")
    for text in ("", "apple", " apple ", " APPLE", " carrot", " apple and banana"):
        assert FLUENCY.score(item, text) == WRONG

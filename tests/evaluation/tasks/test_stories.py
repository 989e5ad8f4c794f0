"""Stories: openings in three splits, and texts that nothing checks."""

import pytest

from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import SPLITS, Score
from dyntemp.evaluation.tasks.stories import STORIES

SIZES = {"tune": 8, "val": 8, "test": 24}
LONG = "She looked at the sea. " * 4


def sample(text):
    return Sample(
        item="", number=0, text=text, finish="length", tokens=120, temperature=(), entropy=(), max_prob=(),
        surprisal=(), log_prob=(), score=STORIES.score(STORIES.items("test", 1)[0], text),
    )  # fmt: skip


def test_the_splits_share_no_opening():
    items = [item for split in SPLITS for item in STORIES.items(split, SIZES[split])]

    assert len({item.prompt for item in items}) == len({item.id for item in items}) == sum(SIZES.values())
    assert {item.cluster for item in STORIES.items("test", 24)} == {item.cluster for item in STORIES.items("tune", 8)}


def test_the_seed_decides_the_order():
    items = STORIES.items("test", 24, seed=1)

    assert STORIES.items("test", 6, seed=1) == items[:6]
    assert STORIES.items("test", 24, seed=2) != items


def test_a_split_says_how_many_openings_it_has():
    with pytest.raises(ValueError, match=r"9 items of the task 'stories' .* split 'val' has 8"):
        STORIES.items("val", 9)


@pytest.mark.parametrize(("text", "valid"), [("", False), ("The end.", False), ("a " * 19, False), ("a " * 20, True)])
def test_a_long_text_is_valid_and_none_is_correct(text, valid):
    assert STORIES.score(STORIES.items("test", 1)[0], text) == Score(valid=valid, correct=False, key="")


def test_a_task_without_verifier_has_values_of_diversity_and_repetition():
    other = "He walked home slowly and thought about the strange light that had followed them since the bridge."

    assert metric_of("self_repetition").of([sample(LONG), sample(LONG)]) > metric_of("self_repetition").of(
        [sample(LONG), sample(other)]
    )

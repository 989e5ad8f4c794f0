"""Texts are those of `generate`, each is written once, and a file goes on where it was stopped."""

import json
from itertools import islice

import numpy as np
import pytest

from dyntemp import TraceError, generate
from dyntemp.testing import FakeModel
from dyntemp.tune.texts import Plan, Progress, TextFile, write_texts

PIECES = [bytes([code]) for code in range(97, 123)] + [b""]


def letters():
    """A model of letters that ends a text now and then."""

    def logits(tokens):
        return np.random.default_rng(31 * sum(tokens) + len(tokens)).normal(0, 2, len(PIECES))

    return FakeModel(PIECES, logits, end=[26], chat=True, context=500)


PLAN = Plan(prompts=["hello", "you"], temperatures=[0.5, 1.0, 1.5], samples=5, max_tokens=12, seed=3)


def test_texts_are_those_of_generate_at_their_temperature():
    found = list(write_texts(letters(), PLAN))

    assert sorted((text.temperature, text.number) for text in found) == PLAN.keys()
    for text in found:
        assert text.prompt == text.number % 2
        batch = ["you"] * text.number + [PLAN.prompts[text.prompt]]
        tokens = [
            token for token in generate(letters(), batch, text.temperature, seed=3, max_tokens=12)
            if token.request == text.number
        ]  # fmt: skip
        assert len(tokens) == text.tokens
        # records without alternatives are summed in float32
        assert text.entropy == pytest.approx(np.mean([token.entropy_after for token in tokens]), rel=1e-6)
        assert {text.temperature} == {token.temperature for token in tokens}


def test_progress_counts_texts_and_tokens():
    told = []
    found = list(write_texts(letters(), PLAN, progress=told.append))

    assert Progress(0, 15, 0) == told[0]
    assert Progress(15, 15, sum(text.tokens for text in found)) == told[-1]
    assert told == sorted(told)


def test_a_file_goes_on_where_it_was_stopped(tmp_path):
    path, header = tmp_path / "texts.jsonl", PLAN.header(letters())
    with TextFile(path, header) as file:
        for text in islice(write_texts(letters(), PLAN), 7):
            file.add(text)
    first = path.read_text(encoding="utf-8")
    path.write_text(first + '{"temperature": 1.5, "pro', encoding="utf-8")

    with TextFile(path, header) as file:
        assert 7 == len(file.texts)
        for text in write_texts(letters(), PLAN, file.texts):
            file.add(text)
    assert path.read_text(encoding="utf-8").startswith(first)
    with TextFile(path, header) as file:
        assert sorted(file.texts) == sorted(write_texts(letters(), PLAN))


def test_more_temperatures_and_more_texts_add_to_a_file(tmp_path):
    path, header = tmp_path / "texts.jsonl", PLAN.header(letters())
    more = Plan(prompts=PLAN.prompts, temperatures=[0.5, 0.75], samples=7, max_tokens=12, seed=3)
    with TextFile(path, header) as file:
        for text in write_texts(letters(), PLAN):
            file.add(text)
    with TextFile(path, more.header(letters())) as file:
        added = list(write_texts(letters(), more, file.texts))

    assert [(0.5, 5), (0.5, 6), *((0.75, number) for number in range(7))] == sorted(
        (text.temperature, text.number) for text in added
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"prompts": ["hello"]}, "another prompts"),
        ({"max_tokens": 13}, r"another max_tokens \(12 there, 13 here\)"),
        ({"seed": 4}, "another seed"),
        ({"chat": False}, "another chat"),
    ],
)
def test_a_file_of_other_texts_is_refused(tmp_path, change, told):
    path = tmp_path / "texts.jsonl"
    with TextFile(path, PLAN.header(letters())) as file:
        file.add(next(write_texts(letters(), PLAN)))
    before = path.read_bytes()
    settings = {"prompts": PLAN.prompts, "temperatures": [1.0], "max_tokens": 12, "seed": 3} | change

    with pytest.raises(TraceError, match=told):
        TextFile(path, Plan(**settings).header(letters()))
    assert before == path.read_bytes()


@pytest.mark.parametrize("content", ["hello", "hello\n", "[]\n", '{"format": "dyntemp.trace", "version": 2}\n', "{}\n"])
def test_a_file_of_something_else_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "mine.txt"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(TraceError, match="name another file"):
        TextFile(path, PLAN.header(letters()))
    assert content == path.read_text(encoding="utf-8")


def test_the_first_line_says_how_the_texts_came_about(tmp_path):
    with TextFile(tmp_path / "a", PLAN.header(letters())) as file:
        file.add(next(write_texts(letters(), PLAN)))
    first, second = map(json.loads, (tmp_path / "a").read_text(encoding="utf-8").splitlines())

    assert ("fake", ["hello", "you"], 12, 3) == tuple(
        first[name] for name in ("model", "prompts", "max_tokens", "seed")
    )
    assert "dyntemp" in first["versions"]
    assert ["temperature", "prompt", "number", "tokens", "entropy"] == list(second)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"samples": 0}, "samples = 0"), ({"max_tokens": 0}, "max_tokens = 0"), ({"temperatures": [0.0]}, "lie above 0")],
)
def test_plans_out_of_range_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        Plan(**{"prompts": ["x"], "temperatures": [1.0]} | change)

"""Only the text is scored, from its first letter on, and both halves have their share of the tokens."""

import pytest

from dyntemp.learn.passage_tokens import first_tokens, tokens_of
from dyntemp.learn.passages import Halves, Passage
from dyntemp.testing import FakeModel

PIECES = [b"<", b"a", b"b", b"ab", b"\n"]


class Beginning(FakeModel):
    """A model whose texts begin with a token of their own."""

    def encode(self, text):
        return [0, *super().encode(text)]


def fake(kind=FakeModel, **options):
    return kind(PIECES, lambda _: [0.0] * len(PIECES), **options)


def test_the_first_token_of_a_text_is_not_scored():
    found = tokens_of(fake(), Passage("bab"), held_out=False, most=9)

    assert (found.prompt, found.scored) == ((2,), (3,))


def test_a_token_that_begins_every_text_stands_before_the_scored_ones():
    found = tokens_of(fake(Beginning), Passage("bab"), held_out=True, most=9)

    assert (found.prompt, found.scored, found.held_out) == ((0,), (2, 3), True)


@pytest.mark.parametrize("kind", [FakeModel, Beginning])
def test_a_prompt_is_not_scored(kind):
    first = (0,) if kind is Beginning else ()

    plain = tokens_of(fake(kind), Passage("bab", "b\n"), held_out=False, most=9)
    joined = tokens_of(fake(kind), Passage("ba", "ba"), held_out=False, most=9)

    assert (plain.prompt, plain.scored) == ((*first, 2, 4), (2, 3))
    assert (joined.prompt, joined.scored) == ((*first, 2, 1), (2, 1))


def test_a_text_whose_first_letters_join_the_prompt_is_cut_alone():
    found = tokens_of(fake(), Passage("ba", "ba"), held_out=False, most=9)
    joined = tokens_of(fake(), Passage("bb", "a"), held_out=False, most=9)

    assert (found.prompt, found.scored) == ((2, 1), (2, 1))
    assert fake().encode("abb") == [3, 2]
    assert (joined.prompt, joined.scored) == ((1,), (2, 2))


def test_a_conversation_goes_into_the_chat_template():
    passage = Passage("b", [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "b"}])

    assert tokens_of(fake(chat=True), passage, held_out=False, most=9).prompt == (3, 2)
    with pytest.raises(ValueError, match="no chat template"):
        tokens_of(fake(), passage, held_out=False, most=9)


def test_tokens_are_taken_from_both_halves_in_turn():
    parts = Halves([Passage("b" * 9), Passage("b" * 8)], [Passage("b" * 7), Passage("b" * 6), Passage("b" * 5)])

    found = first_tokens(fake(), parts, each=5, most=12)

    assert [(one.cluster, one.held_out, len(one.scored)) for one in found] == [
        ("b" * 9, False, 5), ("b" * 7, True, 5), ("b" * 8, False, 5),
    ]  # fmt: skip


def test_passages_without_a_scored_token_or_beyond_the_context_are_left_out():
    parts = Halves([Passage("b"), Passage("bb")], [Passage("b" * 7), Passage("bbb")])

    assert [len(one.scored) for one in first_tokens(fake(context=5), parts, each=9, most=99)] == [1, 2]

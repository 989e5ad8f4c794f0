"""In a terminal: numbers stand below their tokens, lines keep to their width, nothing of a text is lost."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from rich.cells import cell_len
from rich.console import Console
from tests.show.tokens import make

from dyntemp.show.card import card
from dyntemp.show.quantity import quantity, short
from dyntemp.show.terminal_card import bar, card_view
from dyntemp.show.terminal_text import lines
from dyntemp.show.words import flowing
from dyntemp.traces.replay import Replayed, Term


def text_of(pieces, temperatures=None):
    return [
        make([3, 1], temperatures[at] if temperatures else 0.5, texts=[piece, " z"], position=at)
        for at, piece in enumerate(pieces)
    ]


def laid_out(tokens, width=40, *, numbers=True, **settings):
    measure = quantity("temperature", tokens)
    return list(lines(tokens, measure, measure.scale(tokens), width, numbers=numbers, **settings))


def test_numbers_stand_below_their_tokens():
    found = laid_out(text_of([" Once", " upon", "on", "e", " a", " time", "."], [0.3, 1.25, 2.0, 0.5, 0.05, 12.0, 0.7]))

    assert [" Once upon on   e   a   time."] == [line.text.plain.rstrip() for line in found]
    assert [" .30  1.25 2.00 .50 .05 12  .70"] == [line.numbers.plain.rstrip() for line in found]


@settings(max_examples=300, deadline=None)
@given(
    some.lists(
        some.text(some.sampled_from("ab 漢\n\t\x1b🙂"), min_size=1, max_size=9), min_size=1, max_size=30
    ),
    some.integers(12, 60),
    some.booleans(),
)  # fmt: skip
def test_lines_keep_to_their_width_and_lose_nothing(pieces, width, numbers):
    tokens = text_of(pieces)
    found = laid_out(tokens, width, numbers=numbers)
    widest = max(cell_len(flowing(token)[0]) for token in tokens) + 4

    assert all(cell_len(line.text.plain) <= max(width, widest) for line in found)
    assert "".join(flowing(token)[0] for token in tokens).replace(" ", "") == "".join(
        line.text.plain for line in found
    ).replace(" ", "")
    if numbers:
        assert len(tokens) == sum(len(line.numbers.plain.split()) for line in found if line.numbers)
    else:
        assert all(line.numbers is None for line in found)


def test_lines_end_where_the_text_has_a_break():
    found = laid_out(text_of(["a", "\n\n", "b", "c\n", "d"]), numbers=False)

    assert ["a⏎⏎", "", "bc⏎", "d"] == [line.text.plain for line in found]


def test_words_are_kept_together_where_they_fit():
    found = laid_out(text_of([" one", " tw", "o", " three", "four", "five"]), width=9, numbers=False)

    assert [" one two", " three", "fourfive"] == [line.text.plain for line in found][:3]
    numbered = laid_out(text_of([" one", " t", "w", "o"]), width=15)
    assert [" one", " t   w   o"] == [line.text.plain.rstrip() for line in numbered]


def test_colours_are_those_of_the_scale_and_changes_are_marked():
    tokens = text_of([" a", " b"], [0.0, 2.0])
    (line,) = laid_out(tokens, marked=[False, True])
    scale = quantity("temperature", tokens).scale(tokens)

    assert [scale.style(0.0), f"{scale.style(2.0)} underline"] == [str(span.style) for span in line.text.spans]
    assert [short(0.0), f"*{short(2.0)}"] == line.numbers.plain.split()


def rendered(shown, width=80):
    out = Console(file=io.StringIO(), width=width, color_system=None)
    for part in card_view(shown):
        out.print(part)
    return out.file.getvalue()


def test_a_card_is_told_without_colour():
    token = make([50, 20, 10, 8, 6, 3, 2, 1], 0.5, top_k=3, named=4, drawn=1)
    terms = (Term("0.1", 0.1), Term("0.8*entropy", 0.4))
    text = rendered(card(token, Replayed(0.5, terms, (), 0.0, 0.0, 0.0, 0.0, kept=True)))

    assert "T = 0.1 + 0.8*entropy = 0.1 + 0.4 = 0.5" in text
    cells = [line.split() for line in text.splitlines()]
    assert ["␣a", "50%", "████████▍", "83%", "██████████████"] in cells
    assert ["␣b", "20%", "███▍", "13%", "██▎", "drawn"] in cells
    assert ["␣d", "8%", "█▍", "0%", "dropped"] in cells
    assert ["other", "(4)", "12%", "██", "0%", "dropped"] in cells


@pytest.mark.parametrize("compared", [False, True])
def test_a_card_fits_eighty_columns(compared):
    token = make([*[1.0] * 10, *[0.01] * 3000], 1.0, texts=[f" abcdefghijkl{n}" for n in range(3010)])
    now = Replayed(0.5, (), (0.09,) * 10, 0.09, 0.1, 0.0, 0.0, kept=False, instead=3)
    text = rendered(card(token, None, now if compared else None))

    assert "…" not in text
    assert compared == ("drawn instead" in text)
    assert compared == ("replay" in text)


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "    "), (1.0, "████"), (0.5, "██  "), (0.01, "▏   "), (0.28, "█▏  ")]
)
def test_bars_are_as_long_as_the_share(share, text):
    assert text == bar(share, 4)

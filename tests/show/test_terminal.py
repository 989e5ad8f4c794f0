"""Colours follow the temperature, figures are the figures, plots are the numbers."""

import io
import re
from math import inf, nan

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from dyntemp import Policy, generate
from dyntemp.language.interval import Interval
from dyntemp.show.colour import STOPS, Scale
from dyntemp.show.curve import curve_info
from dyntemp.show.summary import Summary
from dyntemp.show.terminal import console, explanation, legend, padded, plot, shortened, write
from dyntemp.testing import FakeModel


def rendered(*parts, width=80):
    out = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=width)
    for part in parts:
        out.print(part)
    return out.file.getvalue()


def test_the_scale_goes_from_blue_to_orange_and_holds_its_ends():
    scale = Scale(0.5, 1.5)

    assert [STOPS[0], STOPS[2], STOPS[4]] == [scale.rgb(t) for t in (0.5, 1.0, 1.5)]
    assert (STOPS[0], STOPS[4], STOPS[4]) == (scale.rgb(0.0), scale.rgb(9.0), scale.rgb(inf))


def test_blue_minus_red_falls_all_the_way():
    blueness = [blue - red for red, _, blue in (Scale(0, 1).rgb(t) for t in np.linspace(0, 1, 101))]

    assert sorted(blueness, reverse=True) == blueness


@pytest.mark.parametrize(
    ("bounds", "scale"),
    [((0.3, 1.0), (0.3, 1.0)), ((0.1, 8.7), (0.1, 2.0)), ((0.7, 0.7), (0.0, 2.0)), ((0, inf), (0, 2))],
)
def test_a_scale_spends_its_colours_on_what_the_policy_can_return(bounds, scale):
    assert Scale(*scale) == Scale.of(Interval(*bounds))


@pytest.mark.parametrize("piece", ["[bold]x[/] :smile: ", "if x:\n\treturn\r\n", "\x07\x0c\x08é"])
def test_text_is_written_as_it_is_in_the_colour_of_its_temperature(piece):
    (token,) = generate(FakeModel([piece.encode()], lambda _: [0.0]), [0], 0.3, max_tokens=1, seed=0)
    coloured, plain = io.StringIO(), io.StringIO()
    write(Console(file=coloured, force_terminal=True, color_system="truecolor"), token, Scale(0.3, 1.0))
    write(Console(file=plain, color_system=None), token, Scale(0.3, 1.0))

    assert piece == plain.getvalue()
    assert piece == re.sub(r"\x1b\[[0-9;]*m", "", coloured.getvalue())
    assert "\x1b[38;2;{};{};{}m".format(*STOPS[0]) in coloured.getvalue()


def test_a_terminal_does_not_obey_what_a_model_writes():
    (token,) = generate(FakeModel([b"\x1b[2J"], lambda _: [0.0]), [0], 0.3, max_tokens=1, seed=0)
    out = io.StringIO()
    write(Console(file=out, force_terminal=True, color_system=None), token, Scale(0.3, 1.0))

    assert "␛[2J" == out.getvalue()


def test_the_legend_names_both_ends():
    text = legend(Scale(0.25, 1.5)).plain

    assert text.startswith("T 0.25 ")
    assert text.endswith(" 1.50")


def test_colours_can_be_asked_for_and_refused(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert console("auto").no_color
    assert "truecolor" == console("always").color_system
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert console("never").no_color


def test_the_summary_is_the_mean_and_the_range():
    model = FakeModel([b"a", b"b"], lambda tokens: [0.0, float(len(tokens))])
    tokens = list(generate(model, "a", "0.2 + max_prob", max_tokens=5, seed=1))
    summary = Summary()
    for token in tokens:
        summary.add(token)
    temperatures = [token.temperature for token in tokens]

    assert pytest.approx(np.mean(temperatures)) == summary.mean
    assert (min(temperatures), max(temperatures)) == (summary.low, summary.high)
    assert summary.line(2.0, "seed 7").startswith("5 tokens, 2.5 per second; T mean ")
    assert summary.line(2.0, "seed 7").endswith("; seed 7")
    assert "no tokens; seed 7" == Summary().line(1.0, "seed 7")
    assert np.isnan(Summary().mean)


def test_an_explanation_fits_eighty_columns():
    model = FakeModel([b" a rather long piece of text", b"b"], lambda _: [0.3, 0.2])
    (token,) = generate(model, [0], 1.7, max_tokens=1, seed=1)
    lines = rendered(*explanation(token, Scale(0, 2))).splitlines()

    assert len(lines) >= 2
    assert "entropy  0.69 → 0.69" in "".join(lines)


def test_a_plot_has_one_column_for_each_point_and_its_ends_at_the_sides():
    lines = plot([0.0, 1.0, 2.0], [0.1, 0.3, 0.2], height=3)

    assert ["   0.300 ┤ ● ", "   0.200 ┤ ·●", "   0.100 ┤●··"] == lines[:3]
    assert "   0.700 ┤●●" == plot([0.0, 1.0], [0.7, 0.7])[0]
    assert ["nothing finite to draw"] == plot([0.0], [nan])
    assert all(len(line) < 20 for line in plot([0.0, 1.0], [1e300, 2e300]))


def test_the_curve_is_the_policy_over_rows_of_known_entropy():
    curve = curve_info(Policy("0.1 + 0.8*entropy"), 1000, points=7)

    assert pytest.approx(np.linspace(0.01, 1, 7) * np.log(1000), abs=1e-4) == curve.entropy
    assert pytest.approx(0.1 + 0.8 * curve.entropy, rel=1e-6) == curve.temperature


def test_the_curve_of_a_policy_that_remembers_is_its_first_token():
    curve = curve_info(Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)"), 100, points=4)

    assert pytest.approx(np.clip(0.7 + 0.1 * (2.5 - curve.entropy), 0.2, 1.5)) == curve.temperature


WIDE = [
    "a",
    "東京",
    "한국",
    "e\u0301",
    "\u0301",
    "\U0001f9d1\u200d\U0001f680",
    "\U0001f1eb\U0001f1f7",
    "\uff21",
    "स्ते",
    "☺",
]
"""Text whose columns are not its characters."""


@pytest.mark.parametrize("text", WIDE)
def test_padding_and_cutting_count_columns(text):
    assert cell_len(padded(text, 8)) == 8
    assert padded(text * 9, cell_len(text * 9)) == text * 9
    for columns in range(1, 12):
        cut = shortened(text * 9, columns)
        assert cell_len(cut) <= columns
        assert (cut == text * 9) == (cell_len(text * 9) <= columns)


@pytest.mark.parametrize("text", WIDE)
def test_the_figures_of_wide_tokens_begin_in_the_column_of_all(text):
    def column(piece):
        (token,) = generate(FakeModel([piece.encode()], lambda _: [0.0]), [0], 0.3, max_tokens=1, seed=0)
        figures, *_ = explanation(token, Scale(0.3, 1.0))
        before, found, _ = figures.plain.partition("T 0.3")
        assert found
        return cell_len(before)

    assert column(text) == column("x")

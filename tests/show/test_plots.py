"""Plots show the numbers that a trace holds, the same every time, in colours and without."""

import io
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from dyntemp import Policy, PolicyError, Trace, TraceError, generate
from dyntemp.show import plots_terminal as terminal
from dyntemp.show.plots import quantiles, running_mean, runs_info, texts_of, track_info, visited_info, with_unit
from dyntemp.testing import FakeModel

PIECES = ["a", " be", "$x$", "\n", "日本", "é", "_{", "\x1b[2J"]


def record(path, policy="0.3 + 0.5*entropy", prompts=("a", "é"), length=30, pieces=PIECES, **more):
    """A trace of texts with signs that a drawing has to take as they are."""
    model = FakeModel(
        [piece.encode() for piece in pieces],
        lambda tokens: np.random.default_rng(sum(tokens) + 7 * len(tokens)).normal(0, 2, len(pieces)),
    )
    list(generate(model, list(prompts), policy, max_tokens=length, seed=3, trace=path, **more))
    return Trace.open(path)


@pytest.fixture
def trace(tmp_path):
    return record(tmp_path / "one.jsonl")


def lines(drawn, colour=False):
    """The lines that a terminal of 80 columns shows."""
    out = Console(file=io.StringIO(), width=80, color_system="truecolor" if colour else None, force_terminal=colour,
                  highlight=False, markup=False, soft_wrap=True)  # fmt: skip
    for line in drawn:
        out.print(line)
    return out.file.getvalue().splitlines()


def test_texts_are_told_apart_and_in_order(tmp_path, trace):
    other = record(tmp_path / "two.jsonl", prompts=("a",))
    texts = texts_of([trace, other])

    assert ["one.jsonl, request 0", "one.jsonl, request 1", "two.jsonl"] == [text.label for text in texts]
    assert all(list(range(30)) == [token.position for token in text.tokens] for text in texts)
    assert [1] == [text.request for text in texts_of([trace], request=1)]


def test_requests_that_are_not_there_and_empty_traces_are_said(tmp_path, trace):
    with pytest.raises(ValueError, match=r"--request 2 was given; .*one\.jsonl holds requests 0, 1"):
        texts_of([trace], request=2)
    header = trace.path.read_bytes().split(b"\n")[0]
    (tmp_path / "empty.jsonl").write_bytes(header + b"\n")
    with pytest.raises(TraceError, match="holds no tokens"):
        texts_of([Trace.open(tmp_path / "empty.jsonl")])


def test_a_track_holds_what_the_trace_holds(trace):
    (text, _) = texts_of([trace])
    track = track_info(text)

    assert [token.temperature for token in text.tokens] == track.temperature.tolist()
    assert [token.signals["entropy"] for token in text.tokens] == track.values.tolist()
    assert [token.entropy_after for token in text.tokens] == track.after.tolist()
    assert [token.signals["max_prob"] for token in text.tokens] == track_info(text, "max_prob").values.tolist()
    assert {"␣be", "$x$", "⏎", "日本"} <= set(track.pieces), "white space is visible"


def test_another_policys_temperatures_are_those_it_gives_the_same_signals(trace):
    (text, _) = texts_of([trace])
    track = track_info(text, policy=Policy("0.2 + 0.1*max_prob"))

    assert [0.2 + 0.1 * token.signals["max_prob"] for token in text.tokens] == pytest.approx(track.temperature)
    assert "0.2 + 0.1*max_prob" == track.policy
    assert all(after <= before + 1e-9 for after, before in zip(track.after, track.values, strict=True)), "it cools"


def test_another_policy_reads_what_the_run_was_asked_for(tmp_path):
    (text,) = texts_of([record(tmp_path / "x.jsonl", "requested", prompts=("a",), requested=0.4)])

    assert [0.8] * 30 == pytest.approx(track_info(text, policy=Policy("2*requested")).temperature)


def test_what_a_trace_lacks_is_named(trace):
    (text, _) = texts_of([trace])

    with pytest.raises(ValueError, match="does not hold the signal 'top_mass\\(3\\)'; it holds collision, entropy"):
        track_info(text, "top_mass(3)")
    with pytest.raises(PolicyError, match="top_mass"):
        track_info(text, policy=Policy("0.2 + 0.1*top_mass(3)"))


def test_a_policy_of_one_signal_is_a_curve_over_it(trace):
    info = visited_info(texts_of([trace]))

    assert ("entropy", 60) == (info.signal, info.counts.sum())
    assert (info.values.min(), info.values.max()) == (info.edges[0], info.edges[-1])
    assert (0.3 + 0.5 * info.curve[0]) == pytest.approx(info.curve[1])
    assert (info.edges[0], info.edges[-1]) == (info.curve[0][0], info.curve[0][-1])
    assert np.histogram(info.values, info.edges)[0].tolist() == info.counts.tolist()


def test_a_policy_of_more_is_drawn_as_points(tmp_path):
    texts = texts_of([record(tmp_path / "x.jsonl", "0.3 + 0.1*entropy + 0.1*max_prob")])

    assert (None, "entropy") == visited_info(texts)[-1:] + visited_info(texts)[1:2]
    assert "max_prob" == visited_info(texts, "max_prob").signal
    assert visited_info(texts, policy=Policy("ema(entropy, 0.9)")).curve is None, "what remembers is no curve"
    assert visited_info(texts, "entropy", Policy("1 - 0.5*max_prob")).curve is None, "over another signal than its own"
    assert "max_prob" == visited_info(texts, policy=Policy("1 - 0.5*max_prob")).signal


def test_texts_of_two_policies_have_no_common_curve(tmp_path, trace):
    texts = texts_of([trace, record(tmp_path / "x.jsonl", "1.0")])

    with pytest.raises(ValueError, match="2 policies, and one curve is drawn: choose one with --policy"):
        visited_info(texts)
    assert 120 == visited_info(texts, policy=Policy("1.0")).counts.sum()


def test_runs_are_one_beside_the_other(tmp_path, trace):
    (tmp_path / "more").mkdir()
    first, second = runs_info(texts_of([trace, record(tmp_path / "more" / "one.jsonl", "1.0", prompts=("a",))]))
    entropy = [token.signals["entropy"] for token in trace]

    assert (2, 60, 1, 30) == (first.texts, first.tokens, second.texts, second.tokens)
    assert np.mean(entropy) == pytest.approx(first.mean_entropy)
    assert np.quantile(entropy, (0.05, 0.25, 0.5, 0.75, 0.95), method="inverted_cdf").tolist() == first.entropy.tolist()
    assert [1.0] * 5 == second.temperature.tolist()
    assert first.label != second.label, "two files of one name are told apart by their folders"


def test_running_means_are_means_of_what_came_last_in_all_texts():
    generator = np.random.default_rng(1)
    texts = [generator.normal(size=50), generator.normal(size=35), generator.normal(size=1)]
    expected = [np.mean(np.concatenate([text[max(0, at - 19) : at + 1] for text in texts])) for at in range(50)]

    assert expected == pytest.approx(running_mean(texts, 20))
    assert [1.0, 1.0, 2.0] == running_mean([np.array([1.0, inf, 3.0])], 3).tolist()
    assert np.isnan(running_mean([np.array([inf])])[0])


def test_quantiles_leave_infinities_what_they_are():
    assert [0.0, 0.0, 1.0, 1.0, inf] == quantiles(np.array([0.0, 1.0, 1.0, inf])).tolist()


def test_units_are_those_of_the_table():
    assert ["entropy (nats)", "varentropy (nats²)", "mine"] == [with_unit(n) for n in ("entropy", "varentropy", "mine")]


@pytest.mark.parametrize("colour", [False, True])
def test_terminal_drawings_fit_80_columns(tmp_path, trace, colour):
    texts = texts_of([trace, record(tmp_path / "two.jsonl", "0.7", length=200)])
    drawn = [
        *lines(terminal.draw_track(track_info(texts[2])), colour),
        *lines(terminal.draw_visited(visited_info(texts[:2])), colour),
        *lines(terminal.draw_runs(runs_info(texts)), colour),
    ]
    (prose,) = texts_of(
        [record(tmp_path / "prose.jsonl", prompts=("a",), pieces=["a", " bed", " temperature", "日本"])]
    )
    drawn += lines(terminal.draw_track(track_info(prose)), colour)
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in drawn]

    assert not [line for line in plain if cell_len(line) > 80]
    assert colour == (plain != drawn)
    assert not any("\x1b" in line for line in plain), "a terminal does not obey what a model wrote"


def test_bars_stand_over_their_tokens_and_grow_with_the_temperature(trace):
    (text, _) = texts_of([trace])
    track = track_info(text)
    drawn = lines(terminal.draw_track(track))
    hot = [line for line in drawn if line.startswith("T ")]
    words = [drawn[drawn.index(line) + 2] for line in hot]
    heights = {}
    for bars, letters in zip(hot, words, strict=True):
        cells = "".join(character * cell_len(character) for character in letters)
        heights |= dict(zip(cells[2:], bars[2:], strict=False))

    assert "".join(track.pieces) == "".join(line[2:] for line in words), "nothing of the text is lost"
    top = track.temperature.max()
    shown = "".join(bars[2:74] for bars in hot).replace(" ", "")
    expected = "".join(
        " ▁▂▃▄▅▆▇█"[1 + min(int(t / top * 8), 7)] * cell_len(piece)
        for t, piece in zip(track.temperature, track.pieces, strict=True)
    )
    assert expected == re.sub(r"[\d.]", "", shown)


def test_a_long_text_is_charted_whole_and_written_in_part(tmp_path):
    (text,) = texts_of([record(tmp_path / "long.jsonl", prompts=("a",), length=1_000)])
    drawn = lines(terminal.draw_track(track_info(text)))

    assert "... and 600 tokens more, which the charts above hold" == drawn[-1]
    assert any("tokens 0 to 999; a column is the mean of 18 tokens" in line for line in drawn)


def test_infinite_temperatures_are_counted_and_drawn_at_the_top(tmp_path):
    texts = texts_of([record(tmp_path / "hot.jsonl", "0.5 + 1/max(entropy - 1, 0)", prompts=("a",))])
    count = sum(token.temperature == inf for token in texts[0].tokens)
    drawn = "\n".join(lines(terminal.draw_track(track_info(texts[0]))))

    assert count > 0
    assert f"; {count} infinite" in drawn
    lines(terminal.draw_visited(visited_info(texts)))
    lines(terminal.draw_runs(runs_info(texts)))


matplotlib = pytest.importorskip("matplotlib", reason="needs the extra `plot`")


@pytest.fixture
def drawings(tmp_path, trace):
    from dyntemp.show import plots_matplotlib as pictures

    texts = texts_of([trace, record(tmp_path / "two.jsonl", "0.7", prompts=("a",))])
    return {
        "track": lambda: pictures.draw_tracks([track_info(texts[0]), track_info(texts[2])]),
        "signal": lambda: pictures.draw_tracks([track_info(texts[0], "max_prob")]),
        "curve": lambda: pictures.draw_visited(visited_info(texts[:2])),
        "points": lambda: pictures.draw_visited(visited_info(texts[:2], "max_prob")),
        "runs": lambda: pictures.draw_runs(runs_info(texts)),
    }


@pytest.mark.parametrize("kind", ["track", "signal", "curve", "points", "runs"])
def test_pictures_are_the_same_every_time_and_open(tmp_path, drawings, kind):
    from dyntemp.show.plots_matplotlib import save

    for ending in ("svg", "png"):
        first, second = tmp_path / f"1.{ending}", tmp_path / f"2.{ending}"
        save(drawings[kind](), first)
        save(drawings[kind](), second)
        assert first.read_bytes() == second.read_bytes()

    root = ET.fromstring((tmp_path / "1.svg").read_text(encoding="utf-8"))
    texts = {"".join(text.itertext()).strip() for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert any("temperature" in text for text in texts)
    assert not re.search(r"<dc:date>|Matplotlib v", (tmp_path / "1.svg").read_text(encoding="utf-8"))
    from matplotlib.image import imread

    assert imread(tmp_path / "1.png").shape[2] == 4
    assert imread(tmp_path / "1.png")[..., :3].std() > 0.05, "something is drawn"


def test_axes_have_names_and_units(drawings):
    names = {kind: {axis.get_xlabel() for axis in draw().axes} | {axis.get_ylabel() for axis in draw().axes}
             for kind, draw in drawings.items()}  # fmt: skip

    assert {"temperature", "entropy (nats)", "token"} <= names["track"]
    assert "max_prob (probability)" in names["signal"]
    assert {"temperature", "tokens", "entropy (nats)"} <= names["curve"]
    assert "entropy (nats), mean of 20 tokens" in names["runs"]
    runs = [label.get_text() for label in drawings["runs"]().axes[0].get_yticklabels()]
    assert ["one.jsonl\n0.3 + 0.5*entropy", "two.jsonl\n0.7"] == runs


def test_token_texts_are_taken_literally(tmp_path, drawings):
    from dyntemp.show.plots_matplotlib import save

    save(drawings["track"](), tmp_path / "track.svg")
    written = ET.fromstring((tmp_path / "track.svg").read_text(encoding="utf-8"))
    texts = {"".join(text.itertext()).strip() for text in written.iter("{http://www.w3.org/2000/svg}text")}

    assert {"$x$", "日本", "_{", "␣be", "⏎"} <= texts


def test_lines_hold_the_numbers(drawings, trace):
    texts = texts_of([trace])
    above, below = drawings["track"]().axes[:2]

    assert [token.temperature for token in texts[0].tokens] == above.lines[0].get_ydata().tolist()
    assert [token.entropy_after for token in texts[0].tokens] == below.lines[1].get_ydata().tolist()


def test_runs_can_be_told_apart_without_colour():
    from dyntemp.show import plots_matplotlib as pictures

    looks = [
        (pictures.RUN_COLOURS[at % len(pictures.RUN_COLOURS)], pictures.DASHES[at % len(pictures.DASHES)])
        for at in range(26)
    ]
    assert 26 == len(set(looks))
    assert all(a[1] != b[1] for a, b in pairwise(looks))


def test_a_picture_ends_in_png_or_svg(tmp_path, drawings):
    from dyntemp.show.plots_matplotlib import save

    with pytest.raises(ValueError, match=r"x\.pdf was given; a picture's name ends in \.png or \.svg"):
        save(drawings["curve"](), tmp_path / "x.pdf")


def test_a_curve_in_a_terminal_lies_between_its_lowest_and_highest_value():
    title, *rows, ends = map(str, terminal.draw_curve("ln entropy", np.array([0.1, 0.5, 2.0]), np.array([-4.0, -1, 2])))

    assert "ln entropy: mean -1, from -4 to 2" == title
    assert (terminal.HEIGHT, "       2 ┤", "      -4 ┤") == (len(rows), rows[0][:10], rows[-1][:10])
    assert rows[0][-1] != " " != rows[-1][10]
    assert rows[0][10] == " " == rows[-1][-1]
    assert ["0.1", "2"] == ends.split()
    assert len(list(terminal.draw_curve("flat", np.array([0.0, 1.0]), np.array([3.0, 3.0])))) == terminal.HEIGHT + 2

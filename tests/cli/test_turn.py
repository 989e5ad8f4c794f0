"""`dyntemp turn`: what it prints, how it stops and goes on."""

import json

import numpy as np
import pytest

from dyntemp.cli import main
from dyntemp.cli.turn import grid, lines
from dyntemp.testing import FakeModel
from dyntemp.tune.turn import Text, choose

PIECES = [bytes([code]) for code in range(97, 123)] + [b""]
SHORT = ("--temps", "0.4:2:0.4", "-n", "6", "--samples", "4")


@pytest.fixture(autouse=True)
def model(monkeypatch):
    fake = FakeModel(
        PIECES, lambda tokens: np.random.default_rng(sum(tokens)).normal(0, 2, len(PIECES)), end=[26], chat=True
    )
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda name, **options: fake)
    return fake


def run(capsys, *arguments):
    try:
        code = main(["turn", *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_figures_come_first_and_then_a_chart(capsys):
    code, out, err = run(capsys, "--task", "vote", *SHORT, "one", "two")

    assert 0 == code
    assert " temperature for vote: 0 above the turning point, " in out
    assert [f"{t:g}" for t in (0.4, 0.8, 1.2, 1.6, 2.0)] == [
        line.split()[0] for line in out.split("its bend\n")[1].splitlines()[:5]
    ]
    assert "ln entropy: mean" in out
    assert max(map(len, out.splitlines())) <= 80 or "interval" in out
    assert err.endswith(" tokens\n")
    assert err.startswith("0 of 20 texts, 0 tokens\n")


def test_json_holds_the_choice_and_the_texts(capsys):
    code, out, err = run(capsys, "--task", "better-of-n", *SHORT, "-q", "--json", "one")
    answer = json.loads(out)
    texts = [Text(**text) for text in answer["texts"]]

    assert (0, "", 20) == (code, err, len(texts))
    assert answer["temperature"] == choose("better-of-n", texts).temperature
    assert answer["turning"]["bends"] == list(choose("better-of-n", texts).turning.bends)


def test_saved_texts_are_not_written_again(capsys, tmp_path, model):
    asked = ("--task", "vote", *SHORT, "--save", tmp_path / "t.jsonl", "one")
    first = run(capsys, *asked)[1]
    model.next_logits = None

    assert (0, first, "20 of 20 texts, 0 tokens\n") == run(capsys, *asked)


def test_ctrl_c_keeps_what_was_measured(capsys, tmp_path, model):
    asked = ("--task", "vote", *SHORT, "--save", tmp_path / "t.jsonl", "one", "two")
    whole = run(capsys, "--task", "vote", *SHORT, "one", "two")[1]
    counted = []

    def stop(_):
        counted.append(1)
        if len(counted) == 22:
            raise KeyboardInterrupt

    model.advanced = stop
    code, out, err = run(capsys, *asked)
    kept = len((tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()) - 1

    assert 130 == code
    assert 12 <= kept < 20
    assert f"interrupted after {kept} of 20 texts; the same command goes on from here" in err
    assert " temperature for vote" in out, "three temperatures were complete"
    model.advanced = lambda _: None
    assert (0, whole) == run(capsys, *asked)[:2]


def test_nothing_can_be_chosen_from_two_temperatures(capsys, model):
    def stop(_):
        raise KeyboardInterrupt

    model.advanced = stop
    code, out, err = run(capsys, "--task", "vote", *SHORT, "one")

    assert (130, "") == (code, out)
    assert "--save FILE would keep the texts" in err
    assert "no choice yet: " in err


def test_a_curve_that_never_turns_is_said_to(capsys):
    choice = choose("vote", [Text(t, 0, 0, 9, t) for t in grid("0.1:1:0.1")])
    told = "\n".join(map(str, lines(choice)))

    assert "There is no turning point from 0.2 to 0.9" in told
    assert "No interval" in told


def test_grids_are_decimal_and_hold_both_ends():
    assert [0.1, 0.2, 0.3, 0.4] == grid("0.1:0.4:0.1")
    assert 15 == len(grid("0.1:1.5:0.1"))
    assert [0.5, 0.75, 1.0] == grid("0.5:1.2:0.25")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["x"], "required: --task"),
        (["--task", "vote"], "no prompts"),
        (["--task", "best", "x"], "invalid choice"),
        (["--task", "vote", "x", "--temps", "0:1:0.1"], "all above 0"),
        (["--task", "vote", "x", "--temps", "0.1:0.2:0.1"], "for 3 to 1000 temperatures"),
        (["--task", "vote", "x", "--temps", "0.1"], "write the lowest temperature"),
        (["--task", "vote", "x", "--temps", "0.1:nan:0.1"], "write the lowest temperature"),
        (["--task", "vote", "x", "--temps", "0.1:1:0"], "write the lowest temperature"),
        (["--task", "vote", "x", "--samples", "0"], "samples = 0"),
        (["--task", "vote", "x", "-n", "0"], "max_tokens = 0"),
        (["--task", "vote", "x", "--seed", "-1"], "--seed -1"),
        (["--task", "vote", "x", "--raw", "--system", "s"], "needs the chat template"),
    ],
)
def test_wrong_usage_is_explained(capsys, arguments, told):
    code, out, err = run(capsys, *arguments)

    assert (2, "") == (code, out)
    assert told in err

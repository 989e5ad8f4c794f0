"""`dyntemp plot`: drawings in the terminal and in files, and what it says where nothing can be drawn."""

import subprocess
import sys

import numpy as np
import pytest

from dyntemp import generate
from dyntemp.cli import main
from dyntemp.testing import FakeModel


def record(path, policy, prompts=("a", "b")):
    model = FakeModel(
        [b"a", b"b", b" "], lambda tokens: np.random.default_rng(sum(tokens) + len(tokens)).normal(size=3)
    )
    list(generate(model, list(prompts), policy, max_tokens=12, seed=1, trace=path))
    return str(path)


@pytest.fixture
def traces(tmp_path):
    return [record(tmp_path / "one.jsonl", "0.5 + entropy"), record(tmp_path / "two.jsonl", "0.7", ["a"])]


def run(capsys, *arguments):
    try:
        code = main(["plot", *arguments])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_one_trace_is_a_track_of_its_first_text(capsys, traces):
    code, out, err = run(capsys, traces[0])

    assert 0 == code
    assert out.startswith("one.jsonl, request 0   0.5 + entropy\n\ntemperature: mean ")
    assert "1 more text is in the trace: --request N shows another\n" == err
    assert "\x1b" not in out


def test_a_request_is_chosen(capsys, traces):
    code, out, err = run(capsys, traces[0], "--request", "1", "--color", "always")

    assert (0, "") == (code, err)
    assert "one.jsonl, request 1" in out
    assert "\x1b[38;2;" in out


def test_several_traces_are_runs_by_default(capsys, traces):
    code, out, err = run(capsys, *traces)

    assert (0, "") == (code, err)
    assert "A  one.jsonl: 2 texts, 24 tokens   0.5 + entropy\nB  two.jsonl: 12 tokens   0.7\n" in out


def test_several_tracks_stand_below_one_another(capsys, traces):
    code, out, _ = run(capsys, *traces, "--kind", "track", "--signal", "margin")

    assert 0 == code
    assert out.index("one.jsonl, request 0") < out.index("two.jsonl")
    assert 2 == out.count("\nmargin (probability): mean")


def test_a_curve_can_be_of_another_policy(capsys, traces):
    code, out, _ = run(capsys, traces[0], "--kind", "curve", "--policy", "1 - 0.5*max_prob")

    assert 0 == code
    assert out.startswith("1 - 0.5*max_prob\n")
    assert "tokens at each max_prob (probability): mean" in out


@pytest.mark.parametrize("name", ["picture.png", "picture.SVG"])
@pytest.mark.parametrize("kind", ["track", "curve", "runs"])
def test_pictures_are_written(capsys, traces, tmp_path, kind, name):
    pytest.importorskip("matplotlib")
    code, out, _ = run(capsys, traces[0], "--kind", kind, "-o", str(tmp_path / name))
    first = (tmp_path / name).read_bytes()[:8]

    assert (0, "") == (code, out)
    assert first.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--request", "5"], "one.jsonl holds requests 0, 1"),
        (["-o", "x.pdf"], "a picture's name ends in .png or .svg"),
        (["--signal", "entropi"], "does not hold the signal 'entropi'; it holds "),
        (["--policy", "a + entropy"], "template"),
        (["--policy", "entropi"], "did you mean `entropy`"),
        (["--policy", "top_mass(2)"], "top_mass(2)"),
        (["--kind", "runs", "--policy", "1.0"], "--policy was given; runs show the traces as they are"),
        (["--kind", "runs", "--signal", "margin"], "--signal was given; runs show the traces as they are"),
        (["--kind", "pie"], "invalid choice: 'pie'"),
    ],
)
def test_wrong_usage_is_explained(capsys, traces, more, told):
    code, out, err = run(capsys, traces[0], *more)

    assert (2, "") == (code, out)
    assert told in err


def test_many_tracks_and_curves_of_several_policies_are_refused(capsys, traces):
    for kind, most in (("track", 6), ("runs", 26)):
        assert 0 == run(capsys, *(most * traces[:1]), "--kind", kind)[0]
        code, _, err = run(capsys, *((most + 1) * traces[:1]), "--kind", kind)
        assert (2, True) == (code, f"{most + 1} traces were given; {most} at most fit" in err)
    code, _, err = run(capsys, *traces, "--kind", "curve")
    assert 2 == code
    assert "choose one with --policy" in err


def test_damaged_and_missing_traces_fail(capsys, traces, tmp_path):
    assert 1 == run(capsys, str(tmp_path / "none.jsonl"))[0]
    path = tmp_path / "one.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    code, _, err = run(capsys, str(path))
    assert 1 == code
    assert "the line is cut off" in err


WITHOUT = """
import sys
sys.modules["matplotlib"] = None
from dyntemp.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_matplotlib_the_extra_is_named_and_the_terminal_still_draws(traces, tmp_path):
    def ask(*arguments):
        return subprocess.run([sys.executable, "-c", WITHOUT, "plot", *arguments], capture_output=True, check=False)

    picture = ask(traces[0], "-o", str(tmp_path / "x.png"))

    assert 2 == picture.returncode
    assert b"pip install 'dyntemp[plot]'" in picture.stderr
    assert not (tmp_path / "x.png").exists()
    assert 0 == ask(traces[0]).returncode


def test_drawing_in_the_terminal_loads_no_matplotlib(traces):
    code = "from dyntemp.cli import main; import sys; main(sys.argv[1:]); sys.exit('matplotlib' in sys.modules)"

    assert (
        0
        == subprocess.run([sys.executable, "-c", code, "plot", traces[0]], capture_output=True, check=False).returncode
    )

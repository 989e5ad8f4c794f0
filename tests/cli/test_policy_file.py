"""The file of a tuned policy on the command line: its filters come with it, and `check` says where it comes from."""

import json

import numpy as np
import pytest
from tests.generation.test_policy_file import TUNED

from dyntemp import Policy, PolicyFile
from dyntemp.cli import main
from dyntemp.distribution.filters import Filters
from dyntemp.testing import FakeModel

PIECES = [bytes([code]) for code in range(97, 123)] + [b""]


@pytest.fixture(autouse=True)
def model(monkeypatch):
    fake = FakeModel(PIECES, lambda tokens: np.random.default_rng(len(tokens)).normal(0, 2, len(PIECES)), name="fake")
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda name, **options: fake)


@pytest.fixture
def tuned(tmp_path):
    TUNED.save(tmp_path / "tuned.json")
    return str(tmp_path / "tuned.json")


def run(capsys, *arguments):
    try:
        code = main(list(map(str, arguments)))
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_filters_of_the_file_are_those_of_the_draw(capsys, tmp_path, tuned):
    path = tmp_path / "run.jsonl"
    code, _, err = run(capsys, "generate", "-n", "2", "--trace", path, "--policy", tuned, "x")
    header = json.loads(path.read_text().splitlines()[0])

    assert 0 == code, err
    assert str(TUNED.policy) == header["policy"]
    assert (0.05, "temperature") == (header["settings"]["min_p"], header["settings"]["filter_at"])


def test_other_filters_beside_the_file_are_refused(capsys, tuned):
    code, _, err = run(capsys, "generate", "-n", "2", "--policy", tuned, "--top-p", "0.9", "x")

    assert 2 == code
    assert "the filters `temperature, min_p(0.05)`, and `top_p(0.9)` was asked for" in err


def test_the_same_filters_beside_the_file_are_no_conflict(capsys, tuned):
    same = ("--filters", str(TUNED.filters))

    assert 0 == run(capsys, "generate", "-n", "2", "--policy", tuned, *same, "x")[0]


def test_a_comparison_says_that_one_chain_holds_for_all(capsys, tmp_path, tuned):
    pair = ("compare", "-p", "0.7", "-p", tuned, "-n", "2", "-q", "-o", tmp_path / "out")
    code, _, err = run(capsys, *pair, "x")

    assert 2 == code
    assert 'the others have not: give --filters "temperature, min_p(0.05)"' in err
    assert 0 == run(capsys, *pair, "--filters", str(TUNED.filters), "x")[0]


def test_settings_of_other_programs_have_the_filters_too(capsys, tmp_path):
    PolicyFile(policy=Policy("0.9"), filters=TUNED.filters).save(tmp_path / "static.json")
    code, out, err = run(capsys, "convert", "--to", "vllm", "--json", tmp_path / "static.json")
    plain = run(capsys, "convert", "--to", "vllm", "--json", "0.9")[1]

    assert 0 == code, err
    assert (0.05, 0.0) == tuple(json.loads(one)["settings"].get("min_p") for one in (out, plain))


def test_check_says_where_a_policy_comes_from(capsys, tuned):
    code, out, _ = run(capsys, "check", tuned)

    assert 0 == code
    lines = [line.strip() for line in out.splitlines()]
    assert [
        str(TUNED.policy), "with the filters temperature, min_p(0.05)", "Worth its parameters.",
        "tuned on smollm2: 32 configurations tried, settings 9f2c9f2c9f2c9f2c",
        "test of fluency: 4.5 (4.25 to 4.75) distinct@8, 20 items", "date 2026-11-28, dyntemp 0.1.0",
    ] == lines[:6]  # fmt: skip


def test_check_gives_the_provenance_as_json(capsys, tuned):
    told = json.loads(run(capsys, "check", "--json", tuned)[1])

    assert (32, "fluency") == (told["provenance"]["trials"], told["provenance"]["scores"][0]["task"])
    assert TUNED.filters == Filters.read(told["filters"])
    assert (None, "") == tuple(
        json.loads(run(capsys, "check", "--json", "0.9")[1])[k] for k in ("provenance", "filters")
    )


def test_a_replay_says_that_it_has_the_filters_of_the_trace(capsys, tmp_path, tuned):
    path = tmp_path / "run.jsonl"
    run(capsys, "generate", "-n", "2", "--trace", path, "--policy", "0.7", "x")
    code, _, err = run(capsys, "explain", path, "--policy", tuned)

    assert 0 == code, err
    assert "the filters `temperature, min_p(0.05)`; the replay has those of the trace, none" in err
    run(capsys, "generate", "-n", "2", "--trace", path, "--overwrite", "--policy", tuned, "x")
    assert "those of the trace" not in run(capsys, "explain", path, "--policy", tuned)[2]

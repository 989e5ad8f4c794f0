"""`dyntemp evaluate`: what it prints, what it keeps, and what it refuses."""

import json

import pytest
from tests.evaluation.toy import PIECES, Letters, logits

from dyntemp import Policy, PolicyFile
from dyntemp.cli import main
from dyntemp.distribution.filters import Filters
from dyntemp.testing import FakeModel

pytest.importorskip("statsmodels")

STUDY = """
tasks = ["letters"]
methods = ["edt"]
budget = 2
kept = 1
finalists = 1
[items]
tune = 3
val = 3
test = 4
[samples]
tune = 4
val = 4
test = 4
"""


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setattr("dyntemp.cli.hosts.load_model", lambda name, **options: FakeModel(PIECES, logits, end=[3]))
    monkeypatch.setattr("dyntemp.cli.evaluate.task_of", lambda name: Letters(name, answers=True))


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def run(capsys, *arguments):
    try:
        code = main(["evaluate", *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_verdict_comes_first_then_a_table_then_the_paths(capsys, study, tmp_path):
    code, out, err = run(capsys, study, "-o", tmp_path / "a")

    assert 0 == code
    lines = out.splitlines()
    results = json.loads((tmp_path / "a" / "results.json").read_text())
    assert results["verdict"]["sentence"] == lines[0]
    (head,) = [at for at, line in enumerate(lines) if line.startswith("letters, distinct@4, n = 4 items, 4 texts each")]
    assert {one["name"] for one in results["arms"] if one["split"] == "test"} == {
        line[:52].removesuffix("(control)").split("   ")[0].strip() for line in lines[head + 1 : lines.index("", head)]
    }
    assert [str(tmp_path / "a" / name) for name in ("results.json", "report.html")] == lines[-2:]
    assert err.startswith(f"study {results['digest'][:16]}\n")
    assert results["verdict"]["sentence"] in (tmp_path / "a" / "report.html").read_text()
    assert all(one["exact"] == (one["split"] != "test") for one in results["arms"]), "the toy task lists its answers"


def test_options_go_before_the_file(capsys, study, tmp_path):
    arguments = ("-o", tmp_path / "a", "--budget", 3, "-p", "0.2 + max_prob", "--report", tmp_path / "r")
    code, out, err = run(capsys, study, *arguments, "--json", "-q")

    assert 0 == code
    told = json.loads(out)
    settings = json.loads((tmp_path / "a" / "study.json").read_text())
    assert (3, ["0.2 + max_prob"], ["edt"]) == (settings["budget"], settings["policies"], settings["methods"])
    assert settings["digest"] == told["digest"]
    assert str(tmp_path / "r") == told["report"]
    assert told["comparisons"]
    assert 1 == len(err.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--budget", 0, "-o", "x"), "budget = 0 was given"),
        (("--method", "edtt", "-o", "x"), "did you mean `edt`"),
        (("--filters", "topp", "-o", "x"), "did you mean `top_p`"),
        (("-p", "a + entropy", "-o", "x"), "has the parameter `a` without a range"),
        (("-p", "0.1 + entrop", "-o", "x"), "entrop"),
        ((), "name one with -o FOLDER"),
        (("--server", "u", "--vllm", "m", "-o", "x"), "not allowed with"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_written(capsys, study, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, study, *arguments)

    assert 2 == code
    assert message in err
    assert not (tmp_path / "x").exists()


def test_too_few_items_are_a_wrong_usage(capsys, tmp_path, study):
    study.write_text(STUDY.replace("test = 4", "test = 400", 1))
    code, _, err = run(capsys, study, "-o", tmp_path / "a")

    assert 2 == code
    assert "test has 5 items" in err


def test_tasks_are_listed(capsys):
    code, out, _ = run(capsys, "--tasks")

    assert 0 == code
    assert "fluency" in out


def test_an_interruption_ends_with_the_usual_line(capsys, study, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("dyntemp.cli.evaluate.run_study", interrupted)
    code, _, err = run(capsys, study, "-o", tmp_path / "a")

    assert 130 == code
    assert err.endswith("interrupted; the same command goes on from here\n")


def test_a_policy_from_a_file_has_its_filters_and_no_cross(capsys, study, tmp_path):
    file = PolicyFile(policy=Policy("1 + 0*entropy", name="tuned"), filters=Filters.read("min_p(0.05)"))
    file.save(tmp_path / "tuned.json")
    code, _, err = run(capsys, study, "-o", tmp_path / "a", "-p", tmp_path / "tuned.json", "--json")
    results = json.loads((tmp_path / "a" / "results.json").read_text())

    assert 0 == code, err
    own = [one for one in results["arms"] if one["family"].startswith("tuned")]
    assert {("tuned + min_p(0.05)", "min_p(0.05)")} == {(one["family"], one["filters"]) for one in own}
    assert [file] == [PolicyFile.from_json(text) for text in results["study"]["policies"]]

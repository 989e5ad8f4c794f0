"""`dyntemp learn`: what it asks for, what it prints, what it keeps, and what it refuses."""

import json

import pytest
from tests.learn.made_results import SENTENCE, results
from tests.learn.toy import PIECES, Contexts, logits

from dyntemp import PolicyFile
from dyntemp.cli import main
from dyntemp.errors import EngineError, StudyError
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.learn.learning import learn as real_learn
from dyntemp.learn.results import LearnResults
from dyntemp.testing import FakeModel
from dyntemp.tune.progress import Progress

pytest.importorskip("optuna")
pytest.importorskip("statsmodels")

FILES = ("results.json", "report.html", "learning.json", "policy.json")
TEMPLATE = 'clip(param("a", 0.1, 3) + param("b", -1, 1)*entropy, 0.1, 3)'


class Learn:
    """Stands for `learn`: keeps what it was asked, and returns results or raises."""

    def __init__(self):
        self.answer, self.settings, self.named = results(), None, None

    def __call__(self, settings, task, runner, folder, **named):
        self.settings, self.named, self.task = settings, named, task.name
        assert isinstance(runner, LoopRunner)
        if named["progress"]:
            for done in (3, 40, 40):
                named["progress"](Progress(done, 40, 120, "seed 0, round 2 of 24", 4.25))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture(autouse=True)
def learn(monkeypatch):
    fake = Learn()
    monkeypatch.setattr("dyntemp.cli.learn.learn", fake)
    monkeypatch.setattr("dyntemp.cli.hosts.load_model", lambda name, **_: FakeModel([b"a", b""], lambda _: [0, 0]))
    return fake


def run(capsys, *arguments, command="learn"):
    try:
        code = main([command, *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_answer_comes_first_and_the_paths_last(capsys, tmp_path, learn):
    code, out, err = run(capsys, "fluency", "-o", tmp_path)

    assert 0 == code, err
    lines = out.splitlines()
    assert SENTENCE == lines[0]
    assert "  one warning" == lines[1]
    assert {str(tmp_path / name) for name in FILES} == set(lines[-4:])
    assert f"settings {learn.settings.digest[:16]}" in err
    assert "3 of 40 texts, 120 tokens; seed 0, round 2 of 24, best 4.25" in err
    assert "3 of 40" not in run(capsys, "fluency", "-o", tmp_path, "-q")[2]
    assert learn.answer.policy in lines
    assert any("static 4.000, learned 4.400" in line and "5.100" in line for line in lines)


def test_each_run_and_each_control_has_a_line(capsys, tmp_path, learn):
    lines = run(capsys, "fluency", "-o", tmp_path)[1].splitlines()

    assert ["0", "3.000", "3.125", "1.2", "0.3", "learned"] in [line.split() for line in lines]
    assert ["1", "3.000", "3.125", "1.2", "0.3", "kept"] in [line.split() for line in lines]
    for one in learn.answer.beside:
        assert any(line.startswith(one.control) and f"{one.difference:+.3f}" in line for line in lines)


def test_the_learned_policy_is_a_file(capsys, tmp_path, learn):
    run(capsys, "fluency", "-o", tmp_path)
    file = PolicyFile.load(tmp_path / "policy.json")

    assert (learn.answer.policy, "min_p(0.05)") == (str(file.policy), str(file.filters))
    assert (SENTENCE, "smollm2") == (file.provenance.sentence, file.provenance.model)


def test_options_are_settings(capsys, tmp_path, learn):
    options = (
        "--shape", TEMPLATE, "--filters", "", "--bounds", "0.2:2", "--metric", "pass@4", "--rounds", "7",
        "--per-item", "9", "--epochs", "2", "--radius", "0.02", "--clip", "0.3", "--pull", "0", "--entropy", "0.5",
        "--runs", "1", "--parts", "3", "--items", "tune=4", "--samples", "val=9", "--seed", "5", "-m", "mine",
        "--storage", "postgresql://a@b/c",
    )  # fmt: skip
    code, _, err = run(capsys, "add", "-o", tmp_path, *options)
    asked = learn.settings

    assert 0 == code, err
    assert ("add", "add", TEMPLATE, "", (0.2, 2)) == (asked.task, learn.task, asked.shape, asked.filters, asked.bounds)
    assert ("pass@4", 7, 9, 2) == (asked.metric, asked.rounds, asked.texts, asked.epochs)
    assert (0.02, 0.3, 0, 0.5) == (asked.radius, asked.clip, asked.pull, asked.entropy)
    assert (1, 3, {"tune": 4}, {"val": 9}, 5) == (asked.runs, asked.parts, asked.items, asked.samples, asked.seed)
    assert "mine" == asked.model
    assert ("postgresql://a@b/c", None) == (learn.named["storage"], learn.named["exact"])
    run(capsys, "add", "-o", tmp_path, "--oracle")
    assert learn.named["exact"] is not None
    assert ("network", "tuned") == (learn.settings.shape, learn.settings.filters)


def test_json_has_the_outcome(capsys, tmp_path, learn):
    told = json.loads(run(capsys, "fluency", "-o", tmp_path, "--json")[1])

    assert ("helps", SENTENCE, [6144, 6144]) == (told["answer"], told["sentence"], told["budget"])
    assert (learn.answer.policy, "min_p(0.05)") == (told["learned"], told["filters"])
    assert [str(tmp_path / name) for name in FILES] == [told[name] for name in ("results", "report", "trace", "policy")]


def test_after_ctrl_c_the_same_command_goes_on(capsys, tmp_path, learn):
    learn.answer = KeyboardInterrupt()

    assert (130, "") == run(capsys, "fluency", "-o", tmp_path)[:2]
    assert "the same command goes on from here" in run(capsys, "fluency", "-o", tmp_path)[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "name a task"),
        (("fluency", "--texts", "a.txt"), "name a task"),
        (("fluency", "--shape", "0.9"), "has nothing to tune"),
        (("fluency", "--shape", "curve(entropy; margin)"), "take `network`"),
        (("fluency", "--shape", "network(entropi)"), "entropy"),
        (("fluency", "--bounds", "0.1"), "such as 0.1:3"),
        (("fluency", "--bounds", "0.01:3"), "from 0.0625 to 4 are allowed"),
        (("fluency", "--filters", "temperature, min_p(0.1)"), "before"),
        (("fluency", "--metric", "truncated"), "more is better"),
        (("fluency", "--per-item", "8"), "needs 9 or more texts"),
        (("fluency", "--items", "tune=1.5"), "items.tune = 1.5"),
        (("no",), "'no'"),
    ],
)
def test_mistakes_are_found_before_the_model_is_loaded(capsys, tmp_path, monkeypatch, options, words):
    monkeypatch.setattr("dyntemp.cli.hosts.load_model", lambda *_, **__: pytest.fail("a model was loaded"))
    code, _, err = run(capsys, *options, "-o", tmp_path)

    assert 2 == code
    assert words in err


@pytest.mark.parametrize("error", [StudyError("this folder holds another study"), EngineError("no curves are told")])
def test_what_cannot_run_says_why(capsys, tmp_path, learn, error):
    learn.answer = error
    code, out, err = run(capsys, "fluency", "-o", tmp_path)

    assert code
    assert "" == out
    assert err.endswith(f"dyntemp learn: {error}\n")


def test_real_learning_ends_in_files_that_other_commands_read(capsys, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr("dyntemp.cli.learn.learn", real_learn)
    for place in ("hosts", "common"):
        monkeypatch.setattr(f"dyntemp.cli.{place}.load_model", lambda name, **_: FakeModel(PIECES, logits))
    monkeypatch.setattr("dyntemp.cli.learn.task_of", lambda name: Contexts())
    sizes = [word for split in ("tune", "val", "test") for word in ("--items", f"{split}=2", "--samples", f"{split}=8")]
    command = ("contexts-hc", "--shape", "curve(entropy, 2)", "--filters", "", "--rounds", 2, "--per-item", 9, "--runs",
               1, *sizes, "-o", tmp_path)  # fmt: skip
    code, out, err = run(capsys, *command)

    assert 0 == code, err
    made = LearnResults.from_json(json.loads((tmp_path / "results.json").read_text()))
    file = PolicyFile.load(tmp_path / "policy.json")
    assert made.sentence == out.splitlines()[0]
    assert (made.policy, made.filters) == (str(file.policy), str(file.filters))
    assert (tmp_path / "report.html").exists()
    assert out == run(capsys, *command)[1], "the same command finds all done"
    code, out, err = run(capsys, "--policy", tmp_path / "policy.json", "--max-tokens", 1, "h", command="generate")
    assert 0 == code, err
    assert out

"""`dyntemp tune`: what it asks for, what it prints, what it keeps, and what it refuses."""

import json

import pytest
from tests.evaluation.toy import PIECES, Letters, logits
from tests.tune.made_tuning import SENTENCE, Maker

from dyntemp import PolicyFile
from dyntemp.cli import main
from dyntemp.errors import StudyError
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.testing import FakeModel
from dyntemp.tune.progress import Progress
from dyntemp.tune.results import TuningResults
from dyntemp.tune.tuning import tune as real_tune

pytest.importorskip("optuna")
pytest.importorskip("statsmodels")

TEMPLATE = 'param("a", 0, 1) + normalized_entropy'


class Tune:
    """Stands for `tune`: keeps what it was asked, and returns results or raises."""

    def __init__(self):
        self.answer, self.settings, self.named = Maker().results(), None, None

    def __call__(self, settings, tasks, runner, folder, **named):
        self.settings, self.named, self.tasks = settings, named, [task.name for task in tasks]
        assert isinstance(runner, LoopRunner)
        if named["progress"]:
            for done in (3, 40, 40):
                named["progress"](Progress(done, 40, 120, "edt, trial 2 of 8", 4.25))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture(autouse=True)
def tune(monkeypatch):
    fake = Tune()
    monkeypatch.setattr("dyntemp.cli.tune.tune", fake)
    monkeypatch.setattr("dyntemp.cli.hosts.load_model", lambda name, **_: FakeModel([b"a", b""], lambda _: [0, 0]))
    return fake


def run(capsys, *arguments):
    try:
        code = main(["tune", *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_answer_comes_first_and_the_paths_last(capsys, tmp_path, tune):
    code, out, err = run(capsys, TEMPLATE, "-o", tmp_path)

    assert 0 == code, err
    lines = out.splitlines()
    assert SENTENCE == lines[0]
    assert [tmp_path / name for name in ("tuning.json", "report.html", "policy.json", "static.json")] == [
        type(tmp_path)(line) for line in lines[-4:]
    ]
    assert f"settings {tune.settings.digest[:16]}" in err
    assert "3 of 40 texts, 120 tokens; edt, trial 2 of 8, best 4.25" in err
    assert 1 == err.count("40 of 40 texts")
    assert "3 of 40" not in run(capsys, TEMPLATE, "-o", tmp_path, "-q")[2]
    assert "distinct@8: policy less static on test +0.310 (+0.120 to +0.500), p = 0.004" in lines
    assert any("trials lie within one standard error (0.1) of the best on tune" in line for line in lines)


def test_the_winners_are_files_of_policies(capsys, tmp_path, tune):
    run(capsys, TEMPLATE, "-o", tmp_path)

    for name, one in zip(("policy", "static"), tune.answer.tested, strict=True):
        file = PolicyFile.load(tmp_path / f"{name}.json")
        (score,) = file.provenance.scores
        assert (one.policy, one.filters) == (str(file.policy), str(file.filters))
        assert (SENTENCE, "smollm2", 24) == (file.provenance.sentence, file.provenance.model, file.provenance.trials)
        assert ("fluency", "distinct@8", 20) == (score.task, score.metric, score.items)
        assert one.measured.values[0] == pytest.approx(score.mean)
        assert score.low <= score.mean <= score.high


def test_options_are_settings(capsys, tmp_path, tune):
    options = (
        "--task", "add", "--task", "letters", "--weight", "add=2", "--min-p", "0:0.3", "--top-k", "2:100",
        "--objective", "accuracy", "--constraint", "validity", "--sampler", "random", "--trials", "7", "--seed", "3",
        "--items", "tune=4", "--samples", "val=9", "-m", "mine", "--storage", "postgresql://a@b/c",
    )  # fmt: skip
    code, _, err = run(capsys, TEMPLATE, "-o", tmp_path, *options)
    asked = tune.settings

    assert 0 == code, err
    assert (TEMPLATE, "top_k(2:100), min_p(0:0.3)") == (asked.template, asked.filters)
    assert (("add", "letters"), {"add": 2}) == (asked.tasks, asked.weights)
    assert ["add", "letters"] == tune.tasks
    assert (("accuracy",), "validity", "random", 7, 3) == (
        asked.objectives, asked.constraint, asked.sampler, asked.trials, asked.seed
    )  # fmt: skip
    assert ({"tune": 4}, {"val": 9}, "mine") == (asked.items, asked.samples, asked.model)
    assert "postgresql://a@b/c" == tune.named["storage"]


def test_json_has_the_outcome(capsys, tmp_path):
    told = json.loads(run(capsys, TEMPLATE, "-o", tmp_path, "--json")[1])

    assert ("worth", SENTENCE, 0.31) == (told["answer"], told["sentence"], told["differences"][0]["difference"])
    assert str(tmp_path / "policy.json") == told["policy"]


def test_after_ctrl_c_the_same_command_goes_on(capsys, tmp_path, tune):
    tune.answer = KeyboardInterrupt()

    assert (130, "") == run(capsys, TEMPLATE, "-o", tmp_path)[:2]
    assert "the same command goes on from here" in run(capsys, TEMPLATE, "-o", tmp_path)[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("0.9",), "has nothing to tune"),
        ((TEMPLATE, "--filters", "min_p(0:1)", "--top-p", "0:1"), "--filters and --top-p were given"),
        ((TEMPLATE, "--items", "tune=1.5"), "items.tune = 1.5"),
        ((TEMPLATE, "--items", "tune=inf"), "items.tune = inf"),
        ((TEMPLATE, "--task", "no"), "'no'"),
    ],
)
def test_mistakes_are_found_before_the_model_is_loaded(capsys, tmp_path, tune, monkeypatch, options, message):
    monkeypatch.setattr("dyntemp.cli.hosts.load_model", lambda *_, **__: pytest.fail("a model was loaded"))
    code, _, err = run(capsys, *options, "-o", tmp_path)

    assert 2 == code
    assert message in err


def test_a_study_that_cannot_run_says_why(capsys, tmp_path, tune):
    tune.answer = StudyError("this folder holds another study")
    code, out, err = run(capsys, TEMPLATE, "-o", tmp_path)

    assert (2, "") == (code, out)
    assert err.endswith("\ndyntemp tune: this folder holds another study\n")


def test_a_real_tuning_ends_in_files_that_other_commands_read(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("dyntemp.cli.tune.tune", real_tune)
    monkeypatch.setattr("dyntemp.cli.hosts.load_model", lambda name, **_: FakeModel(PIECES, logits, end=[3]))
    monkeypatch.setattr("dyntemp.cli.tune.task_of", lambda name: Letters(name, answers=True))
    sizes = [word for split in ("tune", "val", "test") for word in ("--items", f"{split}=3", "--samples", f"{split}=4")]
    command = (TEMPLATE, "--min-p", "0:0.3", "--task", "letters", "--trials", "2", *sizes, "-o", tmp_path)
    code, out, err = run(capsys, *command)

    assert 0 == code, err
    results = TuningResults.from_json(json.loads((tmp_path / "tuning.json").read_text()))
    assert results.sentence == out.splitlines()[0]
    assert results.sentence.partition("`")[0] in (tmp_path / "report.html").read_text()
    for name, one in zip(("policy", "static"), results.tested, strict=True):
        file = PolicyFile.load(tmp_path / f"{name}.json")
        assert (one.policy, one.filters) == (str(file.policy), str(file.filters))
        assert one.measured.values[0] == pytest.approx(file.provenance.scores[0].mean)
    assert out == run(capsys, *command)[1], "the same command finds all done"

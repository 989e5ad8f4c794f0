"""`dyntemp compare`: what it prints, what it keeps, how it stops and goes on."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.waiting import wait_until

from dyntemp import Trace
from dyntemp.cli import main
from dyntemp.cli.compare import read_prompts
from dyntemp.testing import FakeModel

PIECES = [bytes([code]) for code in range(32, 127)] + [b""]
TWO = ("-p", "0.7", "-p", "0.3 + 0.6*normalized_entropy")


def letters(wait=0.0):
    def logits(tokens):
        time.sleep(wait)
        return np.random.default_rng(sum(tokens)).normal(0, 2, len(PIECES))

    return FakeModel(PIECES, logits, end=[95], chat=True, context=500)


@pytest.fixture(autouse=True)
def model(monkeypatch):
    fake = letters()
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda name, **options: fake)
    return fake


def run(capsys, *arguments):
    try:
        code = main(["compare", *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_figures_go_to_stdout_and_progress_to_stderr(capsys, tmp_path):
    code, out, err = run(capsys, *TWO, "-o", tmp_path / "c", "-n", "9", "--seeds", "2", "one", "two words")

    assert 0 == code
    assert out.startswith("A  0.7   (leads)\nB  0.3 + 0.6*normalized_entropy\n\nn = 2 prompts with 2 seeds each")
    assert "None of these figures measures quality." in out
    assert out.endswith(f"\n{tmp_path / 'c' / 'report.html'}\n")
    assert max(map(len, out.splitlines()[:-1])) <= 80
    assert err.startswith("0 of 4 cells, 0 tokens\n")
    assert "\n4 of 4 cells, " in err
    assert 8 == len(list((tmp_path / "c" / "traces").glob("*.jsonl")))


def test_every_text_can_be_explained(capsys, tmp_path):
    run(capsys, *TWO, "-o", tmp_path / "c", "-n", "4", "-q", "hello")
    path = str(tmp_path / "c" / "traces" / "prompt0-seed0-policy1.jsonl")

    assert 0 == main(["explain", path])
    assert "policy 0.3 + 0.6*normalized_entropy" in capsys.readouterr().out


def test_json_holds_the_figures(capsys, tmp_path):
    code, out, err = run(capsys, *TWO, "-o", tmp_path / "c", "-n", "9", "-q", "--json", "one", "two", "three")
    answer = json.loads(out)
    lead, other = answer["figures"]["policies"]

    assert (0, "") == (code, err)
    assert (3, 1) == (answer["figures"]["prompts"], answer["figures"]["seeds"])
    assert 0.7 == pytest.approx(lead["measures"]["temperature"]["mean"])
    assert lead["measures"]["temperature"]["difference"] is None is lead["parting"]
    estimate = other["measures"]["temperature"]
    assert estimate["low"] <= estimate["difference"] <= estimate["high"]
    assert 0 <= other["parting"]["never"] <= 1


def test_running_again_writes_nothing_anew(capsys, tmp_path, model):
    asked = (*TWO, "-o", tmp_path / "c", "-n", "9", "one", "two")
    first = run(capsys, *asked)[1]
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "c" / "traces").iterdir()}
    model.next_logits = None

    code, out, err = run(capsys, *asked)

    assert (0, first) == (code, out)
    assert "2 of 2 cells, 0 tokens\n" == err
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "c" / "traces").iterdir()}


def test_another_comparison_in_the_folder_is_refused(capsys, tmp_path):
    run(capsys, *TWO, "-o", tmp_path / "c", "-n", "3", "one")
    code, out, err = run(capsys, *TWO, "-o", tmp_path / "c", "-n", "4", "one")

    assert (1, "") == (code, out)
    assert "holds another comparison (max_tokens: 3 there, 4 here)" in err


def test_prompts_come_from_files(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\n  two \r\nthrée\n", encoding="utf-8")
    lines = [{"prompt": "one", "id": 7}, {"messages": [{"role": "user", "content": "hi", "name": "x"}]}]
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")

    assert ["one", "two", "thrée"] == read_prompts(tmp_path / "a.txt")
    assert ["one", [{"role": "user", "content": "hi"}]] == read_prompts(tmp_path / "b.jsonl")


def test_conversations_are_written_and_reported(capsys, tmp_path):
    (tmp_path / "p.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "hi"}]}\n{"prompt": "you"}\n', encoding="utf-8"
    )
    code, _, _ = run(capsys, *TWO, "-o", tmp_path / "c", "-n", "4", "-q", "--prompts", tmp_path / "p.jsonl")
    first = Trace.open(tmp_path / "c" / "traces" / "prompt0-seed0-policy0.jsonl").header.prompts

    assert 0 == code
    assert [[{"role": "user", "content": "hi"}]] == first
    assert "hi " in (tmp_path / "c" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "7",
        '{"prompt": 7}',
        '{"prompt": ""}',
        '{"messages": []}',
        '{"messages": [{"role": "user"}]}',
        '{"text": "x"}',
    ],
)
def test_lines_that_are_no_prompts_are_named(capsys, tmp_path, line):
    (tmp_path / "p.jsonl").write_text(f'{{"prompt": "fine"}}\n\n{line}\n', encoding="utf-8")
    code, _, err = run(capsys, *TWO, "-o", tmp_path / "c", "--prompts", tmp_path / "p.jsonl")

    assert 2 == code
    assert "p.jsonl, line 3: " in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-p", "0.7", "-o", "c", "x"], "name at least two"),
        ([*TWO, "-o", "c"], "no prompts: write them behind the command"),
        ([*TWO, "-o", "c", "x", "--prompts", "p.txt"], "give one of them"),
        ([*TWO, "-o", "c", ""], "an empty prompt"),
        ([*TWO, "x"], "required: -o"),
        ([*TWO, "-o", "c", "x", "--seeds", "0"], "--seeds 0: "),
        ([*TWO, "-o", "c", "x", "--seed-list", "1,1"], "--seed-list 1,1: "),
        ([*TWO, "-o", "c", "x", "--seed-list", "1,b"], "--seed-list 1,b: "),
        ([*TWO, "-o", "c", "x", "-n", "0"], "-n 0 was given"),
        ([*TWO, "-o", "c", "x", "--top-p", "7"], "top_p = 7"),
        ([*TWO, "-o", "c", "x", "--raw", "--system", "s"], "needs the chat template"),
        (["-p", "0.7", "-p", "a + entropy", "-o", "c", "x"], "template"),
        (["-p", "0.7", "-p", 'given("kl", 0, 1)', "-o", "c", "x"], "only a program can give"),
        ([*TWO, "-o", "c", 501 * "x"], "context"),
    ],
)
def test_wrong_usage_is_explained_and_makes_no_folder(capsys, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.txt").write_text("x\n", encoding="utf-8")
    code, out, err = run(capsys, *arguments)

    assert code in (1, 2)
    assert "" == out
    assert told in err
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("policy", ["a + entropy", "entropi", 'given("kl", 0, 1)'])
def test_a_policy_that_cannot_run_is_refused_before_a_model_is_loaded(capsys, tmp_path, monkeypatch, policy):
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda name, **options: pytest.fail("a model was loaded"))

    assert 2 == run(capsys, "-p", "0.7", "-p", policy, "-o", tmp_path / "c", "x")[0]


def test_seeds_are_listed(capsys, tmp_path):
    run(capsys, *TWO, "-o", tmp_path / "c", "-n", "2", "-q", "--seed-list", "7,3", "x")

    assert [7, 3] == json.loads((tmp_path / "c" / "manifest.json").read_text(encoding="utf-8"))["seeds"]


SLOW = """
import sys
sys.path.insert(0, {here!r})
import dyntemp.cli.common
from test_compare import letters
dyntemp.cli.common.load_model = lambda name, **options: letters({wait})
print("ready", flush=True)
sys.exit(dyntemp.cli.main(sys.argv[1:]))
"""


def command(folder, wait):
    code = SLOW.format(here=str(Path(__file__).parent), wait=wait)
    return [sys.executable, "-c", code, "compare", *TWO, "-n", "20", "--seeds", "10", "-o", str(folder), "hello", "you"]


def test_ctrl_c_ends_in_130_and_the_same_command_goes_on(tmp_path, capsys):
    folder = tmp_path / "c"
    process = subprocess.Popen(command(folder, 0.01), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(list((folder / "traces").glob("*.jsonl") if folder.exists() else ())) >= 6, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    done = len(list((folder / "traces").glob("*.jsonl"))) // 2

    assert 130 == process.returncode
    assert err.endswith("interrupted; the same command goes on from here\n")
    assert "Traceback" not in err
    assert 3 <= done < 20
    code, _, err = run(capsys, *TWO, "-n", "20", "--seeds", "10", "-o", folder, "hello", "you")
    assert (0, True) == (code, err.startswith(f"{done} of 20 cells, 0 tokens\n"))


def test_a_terminal_sees_a_bar(tmp_path):
    leader, follower = pty.openpty()
    process = subprocess.Popen(command(tmp_path / "c", 0.0), stdout=subprocess.DEVNULL, stderr=follower,
                               env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONUTF8": "1"})  # fmt: skip
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:  # the other side is closed
        pass
    os.close(leader)

    assert 0 == process.wait()
    assert b"20/20" in seen
    assert "━".encode() in seen

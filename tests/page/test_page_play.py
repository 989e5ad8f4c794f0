"""`dyntemp play`: the file that it writes, the page that it serves, and what it says when it cannot."""

import json
import re
import subprocess
import sys
import urllib.request

import pytest
from tests.page.learnings import learning_text
from tests.page.made import trace_text, words_model

from dyntemp.cli import main
from dyntemp.page import document


def play(capsys, *arguments):
    try:
        code = main(["play", *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_file_holds_the_page_and_the_traces(capsys, tmp_path):
    text = trace_text(tmp_path, count=5)
    target = tmp_path / "page.html"
    code, out, err = play(capsys, "--html", target, tmp_path / "made.jsonl")

    assert (0, "") == (code, out)
    assert str(target) in err
    assert document(traces=[{"name": "made.jsonl", "lines": text}]) == target.read_text(encoding="utf-8")
    code, _, err = play(capsys, "--html", target)
    assert 2 == code
    assert "--overwrite" in err
    assert 0 == play(capsys, "--html", target, "--overwrite")[0]
    assert document() == target.read_text(encoding="utf-8")


def test_a_file_holds_learnings_beside_traces(capsys, tmp_path):
    text, learning = trace_text(tmp_path, count=5), learning_text(rounds=2)
    (tmp_path / "learning.json").write_text(learning, encoding="utf-8")
    target = tmp_path / "page.html"
    code, _, _ = play(capsys, "--html", target, tmp_path / "made.jsonl", tmp_path / "learning.json")

    assert 0 == code
    wanted = document(
        traces=[{"name": "made.jsonl", "lines": text}], learnings=[{"name": "learning.json", "text": learning}]
    )
    assert wanted == target.read_text(encoding="utf-8")


def test_a_damaged_learning_is_refused_before_a_page_is_made(capsys, tmp_path):
    path, target = tmp_path / "learning.json", tmp_path / "page.html"
    for text, words in (
        (learning_text(rounds=2)[:-9], "this is not whole JSON"),
        (learning_text(rounds=2, bounds=[2, 1]), "its `bounds` is [2,1]; expected: two numbers, 0 <= low < high"),
    ):
        path.write_text(text, encoding="utf-8")
        code, _, err = play(capsys, "--html", target, path)
        assert 1 == code
        assert f"{path}: this is no" in err
        assert words in err
        assert not target.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--port", "70000"), 2, "1 to 65535"),
        (("--overwrite",), 2, "without --html"),
        (("no-such.jsonl",), 1, "cannot be read"),
        (("--html", "/no/such/folder/page.html"), 1, "No such file"),
    ],
)
def test_what_makes_no_sense_is_refused(capsys, arguments, code, words):
    result, out, err = play(capsys, *arguments)

    assert (code, "") == (result, out)
    assert words in err


def test_a_broken_trace_is_refused_before_anything_is_served(capsys, tmp_path):
    text = trace_text(tmp_path, count=5)
    broken = text.splitlines(keepends=True)
    for at, number in ((2, 3), (5, 6)):
        path = tmp_path / "broken.jsonl"
        path.write_text(
            "".join([*broken[:at], "{}\n", *broken[at + 1 :]])[: None if at == 5 else -20], encoding="utf-8"
        )
        code, _, err = play(capsys, "--no-model", path)
        assert 1 == code
        assert f"line {number}: this is no token record" in err


def test_a_trace_without_tokens_is_refused(capsys, tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_text(trace_text(tmp_path, count=5).splitlines(keepends=True)[0], encoding="utf-8")
    code, _, err = play(capsys, "--html", tmp_path / "page.html", path)

    assert 1 == code
    assert f"{path} holds no tokens: there is nothing to show" in err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("cut", [30, 1])
def test_a_killed_run_is_opened_up_to_its_last_whole_line(capsys, page, tmp_path, cut):
    path = tmp_path / "cut.jsonl"
    text = trace_text(tmp_path, count=5)
    path.write_text(text[:-cut], encoding="utf-8")
    code, _, err = play(capsys, "--html", tmp_path / "page.html", path)

    assert 0 == code
    assert f"{path}, line 6: the line is cut off" in err
    assert "what comes before it is shown" in err
    page.goto((tmp_path / "page.html").as_uri())
    tokens = page.get_by_role("listbox", name="Text").get_by_role("option")
    tokens.nth(3).wait_for()
    assert 4 == tokens.count()


def test_without_the_server_s_packages_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr("dyntemp.cli.play.find_spec", lambda name: None if name == "fastapi" else object())
    code, _, err = play(capsys, "--no-model")

    assert 2 == code
    assert "needs fastapi: run `pip install 'dyntemp[serve]'`" in err
    assert "--html FILE" in err


def test_the_model_is_served_and_a_missing_one_is_told(capsys, monkeypatch):
    pytest.importorskip("fastapi")
    served = []
    monkeypatch.setattr("dyntemp.serve.run", lambda app, host, port, announce: served.append((app, host, port)))
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda name, **options: words_model())
    assert 0 == play(capsys, "--port", "0", "--no-browser")[0]
    app, host, port = served.pop()
    assert ("127.0.0.1", 0) == (host, port)
    assert "words" == app.state.server.worker.model.name

    def absent(name, **options):
        from dyntemp import ModelError

        raise ModelError("not installed")

    monkeypatch.setattr("dyntemp.cli.common.load_model", absent)
    code, _, err = play(capsys, "--no-browser")
    assert 0 == code
    assert "no model: not installed" in err
    assert served.pop()[0].state.server.worker is None
    assert 1 == play(capsys, "-m", "other.gguf")[0]
    assert not served


def test_the_page_is_served_and_ctrl_c_ends_it(tmp_path):
    pytest.importorskip("fastapi")
    trace_text(tmp_path, count=5)
    command = [sys.executable, "-m", "dyntemp", "play", "--no-model", "--port", "0", str(tmp_path / "made.jsonl")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        told = process.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", told)[0]
        with urllib.request.urlopen(address) as answer:
            page = answer.read().decode()
        with urllib.request.urlopen(f"{address}/play/info") as answer:
            info = json.load(answer)
        process.send_signal(2)

        assert 130 == process.wait()
    assert '"name": "made.jsonl"' in page
    assert info["model"] is None

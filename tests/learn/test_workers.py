"""Learning by two processes that share a folder: cells and rounds are done once, whichever process ends when."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.waiting import wait_until

from dyntemp.learn.results import LearnResults

pytest.importorskip("optuna")
pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]

from tests.learn.working import ROUNDS, run  # noqa: E402

ROOT = Path(__file__).parents[2]


def process(folder, seconds):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    return subprocess.Popen([sys.executable, "-m", "tests.learn.working", str(folder), str(seconds)], env=environment)


def outcome(data):
    """What came out, without the machine and the moment."""
    return {name: value for name, value in data.items() if name != "about"}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def claims(folder, child):
    """True if a process is in the middle of a cell of the second round or a later one."""
    for part in folder.glob("cells/*/tune/*.0-00[1-9]-*.jsonl.*"):
        with suppress(FileNotFoundError):  # its cell became complete meanwhile
            if f'"process": {child.pid}}}' in part.read_text(encoding="utf-8"):
                return True
    return False


def test_a_killed_process_changes_nothing(tmp_path):
    """One of two processes is killed in the middle of a round; the other one comes to what one alone comes to."""
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    children = [process(shared, 0.05), process(shared, 0.05)]
    wait_until(lambda: claims(shared, children[0]), children[0])
    children[0].kill()

    assert -signal.SIGKILL == children[0].wait()
    assert 0 == children[1].wait()
    found, expected = read(shared / "results.json"), json.loads(json.dumps(run(alone).to_json()))
    assert outcome(found) == outcome(expected)
    assert LearnResults.from_json(found).policy
    for number in range(ROUNDS):
        name = f"rounds/0-{number:03}.json"
        assert read(shared / name) == read(alone / name)
    assert not list(shared.glob("cells/*/*/*.jsonl.*")), "no part of a cell is left"

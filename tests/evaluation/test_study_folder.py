"""The folder of a study: cells are whole or unfinished, and processes that share it do not do each other's work."""

import json
import os
import subprocess
import sys

import pytest
from tests.evaluation.toy import Letters, runner

from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.configuration import StudySettings
from dyntemp.evaluation.folder import Cell, Folder
from dyntemp.evaluation.work import complete
from dyntemp.language.policy import Policy

SETTINGS = StudySettings(tasks=("letters",))
TASK = Letters()
ITEMS = TASK.items("tune", 3)


def cell(temperature=1.0, split="tune"):
    return Cell(TASK, split, Arm(name="a", family="a", policy=Policy(temperature)), ITEMS, 4)


def fill(folder, cells, tell=lambda *_: None):
    complete(folder, cells, runner(), 0, tell)


def whole(path, cells):
    with Folder(path, SETTINGS) as folder:
        fill(folder, cells)
        return [folder.place(one).read_text() for one in cells]


def test_a_complete_cell_has_its_samples_in_order_and_nothing_beside(tmp_path):
    (text,) = whole(tmp_path / "a", [cell()])

    lines = [json.loads(line) for line in text.splitlines()]
    assert [(item.id, number) for item in ITEMS for number in range(4)] == [
        (line["item"], line["number"]) for line in lines
    ]
    assert 1 == len(list((tmp_path / "a" / "cells" / "letters" / "tune").iterdir()))


def test_equal_cells_of_one_stage_are_done_once(tmp_path):
    (a, b) = whole(tmp_path, [cell(), cell()])

    assert a == b


def interrupted(path, cells, after):
    class StopError(Exception):
        pass

    def tell(done, _):
        if done == after:
            raise StopError

    with pytest.raises(StopError), Folder(path, SETTINGS) as folder:
        fill(folder, cells, tell)


@pytest.mark.parametrize("after", [1, 7, 13])
def test_work_goes_on_where_it_stopped_and_gives_equal_files(tmp_path, after):
    cells = [cell(), cell(0.5)]
    interrupted(tmp_path / "a", cells, after)
    kept = sum(len(path.read_text().splitlines()) for path in (tmp_path / "a").rglob("*.jsonl*"))

    assert kept >= after
    assert whole(tmp_path / "b", cells) == whole(tmp_path / "a", cells)


def test_a_torn_last_line_is_written_again(tmp_path):
    interrupted(tmp_path / "a", [cell()], 5)
    (part,) = (tmp_path / "a").rglob("*.jsonl.0")
    part.write_text(part.read_text()[:-30])
    os.utime(part, (0, 0))

    assert whole(tmp_path / "b", [cell()]) == whole(tmp_path / "a", [cell()])


def test_a_cell_belongs_to_one_process_until_it_is_given_free(tmp_path):
    with Folder(tmp_path, SETTINGS) as mine, Folder(tmp_path, SETTINGS) as other:
        claim = mine.claim(cell())
        assert claim is not None
        assert other.claim(cell()) is None
        claim.release()
        assert mine.claim(cell()) is not None
        assert other.claim(cell()) is None


def test_a_claim_without_a_sign_of_life_is_taken_over(tmp_path, monkeypatch):
    with Folder(tmp_path, SETTINGS) as mine, Folder(tmp_path, SETTINGS) as other:
        claim = mine.claim(cell())
        assert other.claim(cell()) is None
        monkeypatch.setattr("dyntemp.evaluation.folder.STALE", 0.0)
        claim.beat()
        assert other.claim(cell()) is None, "it gave a sign since the last look"
        assert other.claim(cell()) is not None


def test_a_claim_of_a_process_that_has_ended_is_taken_over_at_once(tmp_path):
    with Folder(tmp_path, SETTINGS) as mine:
        claim = mine.claim(cell())
        (part,) = tmp_path.rglob("*.jsonl.0")
        ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        owner = json.loads(part.read_text())
        part.write_text(json.dumps({**owner, "process": int(ended.stdout)}) + "\n")
        assert claim is not None
        with Folder(tmp_path, SETTINGS) as other:
            assert other.claim(cell()) is not None


def test_a_slow_process_whose_cell_was_taken_over_does_no_harm(tmp_path, monkeypatch):
    (expected,) = whole(tmp_path / "a", [cell()])
    monkeypatch.setattr("dyntemp.evaluation.folder.STALE", 0.0)
    with Folder(tmp_path / "b", SETTINGS) as slow, Folder(tmp_path / "b", SETTINGS) as other:
        claim = slow.claim(cell())
        fill(other, [cell()])
        for of_item in other.samples(cell()):
            for sample in of_item:
                claim.add(sample)

        assert expected == slow.place(cell()).read_text()
        assert slow.claim(cell()) is None


def test_val_has_noise_of_its_own_and_test_has_it_for_each_arm(tmp_path):
    hot = lambda split: [cell(1.0, split), cell(1.0000001, split)]
    texts = {
        split: [
            [json.loads(line)["text"] for line in text.splitlines()] for text in whole(tmp_path / split, hot(split))
        ]
        for split in ("tune", "val", "test")
    }

    assert texts["tune"][0] == texts["tune"][1]
    assert texts["val"][0] == texts["val"][1]
    assert texts["test"][0] != texts["test"][1]
    assert texts["tune"][0] != texts["val"][0]


def test_another_study_or_other_files_are_refused(tmp_path):
    with Folder(tmp_path / "a", SETTINGS):
        pass
    with pytest.raises(ValueError, match="budget: 16 there, 3 here"):
        Folder(tmp_path / "a", StudySettings(tasks=("letters",), budget=3))
    with pytest.raises(ValueError, match="is no study: name a folder that is new or empty"):
        Folder(tmp_path, SETTINGS)

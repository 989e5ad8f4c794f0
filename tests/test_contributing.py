"""The worked example of CONTRIBUTING.md: its changes apply to the sources, and what they add passes its tests."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from dyntemp.kernels import BACKENDS

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "CONTRIBUTING.md"


class Change(NamedTuple):
    """One hunk of a diff: lines of a file that occur once, and what they become."""

    file: str
    old: str
    new: str


def changes(text: str) -> list[Change]:
    """The changes of every fenced `diff`: a line `--- FILE`, then hunks, with `@@` between two."""
    found = []
    for file, body in re.findall(r"(?ms)^```diff\n--- (\S+)\n(.*?)^```", text):
        for hunk in re.split(r"(?m)^@@\n", body):
            old, new = ("".join(line[1:] or "\n" for line in hunk.splitlines(keepends=True) if line[0] in kept)
                        for kept in (" -", " +"))  # fmt: skip
            found.append(Change(file, old, new))
    return found


CHANGES = changes(GUIDE.read_text(encoding="utf-8"))


def apply(change: Change, folder: Path) -> None:
    """Make a change to the file below `folder`.

    Raises:
        ValueError: Where its old lines do not occur exactly once.
    """
    path = folder / change.file
    text = path.read_text(encoding="utf-8")
    parts = re.split(rf"(?m)^{re.escape(change.old)}", text)
    if len(parts) != 2:
        raise ValueError(
            f"the example of CONTRIBUTING.md changes these lines of {change.file}, which occur {len(parts) - 1} times "
            f"there, not once:\n{change.old}Write in the guide what the file says now"
        )
    path.write_text(change.new.join(parts), encoding="utf-8")


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources and tests with the example in it, its tables written."""
    folder = tmp_path_factory.mktemp("example")
    for name in ("src", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, folder)
    for change in CHANGES:
        apply(change, folder)
    run(folder, "docs/tables.py")
    return folder


def run(folder: Path, *arguments: str, **variables: str) -> str:
    """The output of Python in a copy, which imports the package from there."""
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"} | variables
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_example_has_changes():
    folders = {Path(change.file).parts[0] for change in CHANGES}

    assert folders == {"src", "tests"}


def test_lines_that_do_not_occur_once_are_told(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\nx = 1\ny = 2\n", encoding="utf-8")
    apply(Change("a.py", "y = 2\n", "y = 3\n"), tmp_path)
    for old, times in (("x = 1\n", 2), ("z\n", 0)):
        with pytest.raises(ValueError, match=rf"these lines of a\.py, which occur {times} times there"):
            apply(Change("a.py", old, ""), tmp_path)

    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "x = 1\nx = 1\ny = 3\n"


def test_a_place_that_the_example_leaves_out_is_told(applied, tmp_path):
    """Without its step in torch, the function lacks that one place."""
    shutil.copytree(applied, tmp_path, dirs_exist_ok=True)
    (change,) = [change for change in CHANGES if "torch" in change.file]
    apply(Change(change.file, change.new, change.old), tmp_path)
    with pytest.raises(AssertionError, match=r"missing in 1 places:\s+src/dyntemp/kernels/torch/program\.py"):
        run(tmp_path, "-m", "pytest", "-q", "tests/test_adding.py", "-k", "square")


def test_the_example_has_no_faults_of_style(applied):
    if find_spec("ruff") is None:
        pytest.skip("needs ruff")
    run(
        applied,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        *{change.file for change in CHANGES if change.file.endswith(".py")},
    )


@pytest.mark.slow
def test_the_tests_over_the_tables_pass(applied):
    out = run(
        applied, "-m", "pytest", "-q", "tests/test_adding.py", "tests/docs", "tests/language/test_functions.py",
        "tests/language/test_bounds.py", "tests/language/test_parse.py", "tests/kernels/test_program.py",
        "-k", "square or adding or table or names or values or operation", DYNTEMP_EXAMPLES="20",
    )  # fmt: skip

    assert "passed" in out


SCRIPT = """
import sys
import numpy as np
from dyntemp import measure, temperatures
from dyntemp.functions import square
from dyntemp.signals import entropy
rows = np.random.default_rng(1).normal(size=(5, 40)).astype(np.float32)
found = temperatures(rows, 0.1 + square(entropy - 3), backend=sys.argv[1])
np.testing.assert_allclose(found, 0.1 + (measure(rows, "entropy", backend="reference")["entropy"] - 3) ** 2, rtol=1e-5)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", sorted(set(BACKENDS) - {"cpu"}))
def test_other_backends_compute_it(applied, backend):
    """The interpreter of `cpu` is compiled by the tests above; its whole kernel would take half a minute."""
    if not all(map(find_spec, BACKENDS[backend].packages)):
        pytest.skip(f"needs {' and '.join(BACKENDS[backend].packages)}")
    run(applied, "-c", SCRIPT, backend, TRITON_INTERPRET="1")

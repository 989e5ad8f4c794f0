"""Names of modules and files that documents and docstrings mention are names that exist."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import dyntemp

ROOT = Path(__file__).parents[1]
SOURCE = Path(dyntemp.__file__).parent
DOTTED = re.compile(r"\bdyntemp(?:\.[A-Za-z_]\w*)+")
FILE = re.compile(r"`(?:src/dyntemp/)?((?:[a-z_]+/)+[a-z_]+\.(?:py|js))(?:::\w+)?`")
OF_OTHERS = ("common/", "include/")
"""Folders of other programs."""
FORMATS = {"dyntemp.trace", "dyntemp.policy", "dyntemp.comparison", "dyntemp.turn", "dyntemp.learning",
           "dyntemp.yml", "dyntemp.md"}  # fmt: skip
"""Names of file formats, which are no modules."""
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
DOCUMENTS = [path for path in DOCUMENTS if path.name not in ("CHANGELOG.md", "log.md")]  # they tell of the past
TEXTS = [*DOCUMENTS, *sorted(SOURCE.rglob("*.py"))]


def exists(name: str) -> bool:
    """Whether a dotted name is a module of the package, or something in one; True for what cannot be imported here."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        if (
            SOURCE.parent.joinpath(*parts[:count]).is_dir()
            or SOURCE.parent.joinpath(*parts[:count]).with_suffix(".py").exists()
        ):
            if count == len(parts):
                return True
            try:
                found = import_module(module)
            except ImportError:
                return True
            for part in parts[count:]:
                if not hasattr(found, part):
                    return False
                found = getattr(found, part)
            return True
    return False


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_dotted_names_exist(path):
    names = {name for name in DOTTED.findall(path.read_text(encoding="utf-8")) if name not in FORMATS}

    assert not {name for name in names if not exists(name)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_exist(path):
    names = {name for name in FILE.findall(path.read_text(encoding="utf-8")) if not name.startswith(OF_OTHERS)}

    assert not {
        name for name in names if not any((base / name).exists() for base in (ROOT, SOURCE, SOURCE / "kernels"))
    }

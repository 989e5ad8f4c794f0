"""Adding a function or a signal to the language: a test lists every place that a row of the two tables still lacks.

The names that a place has are read from its source, so that no backend has to be installed or compiled. The tests of
each backend compare the numbers.
"""

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from dyntemp.language.functions import FUNCTIONS, Function
from dyntemp.language.interval import Interval
from dyntemp.language.signals import SIGNALS, SignalRecord

ROOT = Path(__file__).parents[1]


class Place(NamedTuple):
    """A definition that names every row of a table.

    Attributes:
        where: The file, or the folder that it is looked for in.
        owner: The name of the definition; in documentation, that of the table.
        write: The text that a new row needs there.
        constant: True where the place spells names like constants: `SQRT` for `sqrt`.
    """

    where: str
    owner: str
    write: str
    constant: bool = False


LANGUAGE, KERNELS, PAGE = "src/dyntemp/language", "src/dyntemp/kernels", "src/dyntemp/page/js"

FUNCTION = [
    Place("src/dyntemp/functions.py", "__all__", "the name, and below it a callable made by `_door`"),
    Place(LANGUAGE, "Op", "`NAME = auto()`, among the steps that take as many arguments", constant=True),
    Place(LANGUAGE, "TAKES", "how many numbers the step takes from the stack", constant=True),
    Place(f"{KERNELS}/cpu", "execute", "a branch that computes the step", constant=True),
    Place(f"{KERNELS}/triton", "NUMBER", "the name, at the place that it has in `Op`", constant=True),
    Place(PAGE, "CALCULATIONS", "its value (null where it remembers) and its bounds"),
    Place("docs/language.md", "functions", "nothing by hand: run `make tables`"),
]
COMPUTES = [
    Place(f"{KERNELS}/torch", "OPERATIONS", "the step in torch", constant=True),
    Place(f"{KERNELS}/triton", "of_one of_two of_three", "a branch that computes the step", constant=True),
]
REMEMBERS = [
    Place(LANGUAGE, "Evaluation", "a case in `value`"),
    Place(f"{KERNELS}/torch", "Evaluation", "the step in the case of those that remember", constant=True),
    Place(f"{KERNELS}/tensor_memory.py", "Memory", "what the step returns and keeps", constant=True),
    Place(f"{KERNELS}/triton", "_Table", "the step in the case of those that have a cell", constant=True),
    Place(f"{KERNELS}/triton", "evaluated", "a branch that computes the step and keeps its number", constant=True),
    Place(PAGE, "MEMORIES", "what it returns and keeps"),
]
SIGNAL = [
    Place("src/dyntemp/signals.py", "__all__", "the name, and below it the signal, or a function that makes it"),
    Place(PAGE, "RANGES", "its range"),
    Place("docs/language.md", "signals", "nothing by hand: run `make tables`"),
]
ARGUMENTS = [
    Place(LANGUAGE, "make_signal", "a case that checks the arguments"),
    Place(PAGE, "CHECKS", "the name of the method that checks the arguments"),
]
MEASURED = [
    Place(f"{KERNELS}/reference.py", "MEASURES", "the formula in float64 NumPy"),
    Place(f"{KERNELS}/torch", "MEASURES", "the formula in torch"),
    Place(f"{KERNELS}/array_api", "MEASURES", "the formula by sums of blocks"),
]
SOURCES = {
    "moments": [
        *MEASURED,
        Place(f"{KERNELS}/cpu", "moment_signal", "a branch that computes it from the sums", constant=True),
        Place(f"{KERNELS}/triton", "MOMENTS", "its kind, and a line in `moments` that computes it"),
    ],
    "order": [
        *MEASURED,
        Place(f"{KERNELS}/cpu", "ORDERED", "its number", constant=True),
        Place(f"{KERNELS}/cpu", "order_signal", "a branch that computes it", constant=True),
        Place(f"{KERNELS}/triton", "_kind", "its kind, and a branch in `select` that computes it"),
    ],
    "solve": [],
    "run": [],
    "context": [],
}


def defined_by(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.AnnAssign(target=target) | ast.Assign(targets=[target]):
            return {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
        case _:
            return set()


def python_names(text: str, owner: str) -> set[str] | None:
    """The strings and constants in what a module defines as `owner`, or None where it does not define that."""
    for node in ast.parse(text).body:
        if owner in defined_by(node):
            parts = list(ast.walk(node))
            strings = {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
            names = {part.attr if isinstance(part, ast.Attribute) else part.id
                     for part in parts if isinstance(part, ast.Attribute | ast.Name)}  # fmt: skip
            return strings | {name for name in names if name.isupper()}
    return None


def javascript_names(text: str, owner: str) -> set[str] | None:
    """The keys of the object `owner`: on its line, or two spaces in."""
    found = re.search(rf"(?ms)^(?:export )?const {owner} = \{{\n(.*?)^\}};|^ +const {owner} = \{{([^\n]*)\}};", text)
    return found and set(re.findall(r"(?m)(?:^  |[ ,])(\w+)(?=[:(])", found[1] or found[2]))


def table_names(text: str, owner: str) -> set[str] | None:
    """The names in the first column of a table that `make tables` writes."""
    found = re.search(rf"(?s)<!-- {owner} -->(.*?)<!-- end -->", text)
    return found and set(re.findall(r"(?m)^\| `(\w+)", found[1]))


READERS: dict[str, Callable[[str, str], set[str] | None]] = {
    ".py": python_names,
    ".js": javascript_names,
    ".md": table_names,
}


@cache
def look_up(where: str, owner: str) -> tuple[Path, set[str]]:
    """The one file that defines `owner`, and the names in the definition."""
    path = ROOT / where
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in READERS)
    found = [(file, names) for file in files
             if (names := READERS[file.suffix](file.read_text(encoding="utf-8"), owner)) is not None]  # fmt: skip
    assert len(found) == 1, f"{owner} is defined in {len(found)} files of {where}: correct its place in {__file__}"
    return found[0]


def places(row: Function | SignalRecord) -> list[Place]:
    """The places where a row of either table has to stand."""
    if isinstance(row, Function):
        return [*FUNCTION, *(REMEMBERS if row.remembers else COMPUTES)]
    return [*SIGNAL, *SOURCES[row.source], *(ARGUMENTS if row.arguments else [])]


def lacking(row: Function | SignalRecord) -> list[str]:
    """One line for each place that lacks a row: file, definition, and what to write there."""
    lines = []
    for place in places(row):
        found = [look_up(place.where, owner) for owner in place.owner.split()]
        name = row.name.upper() if place.constant else row.name
        if not any(name in names for _, names in found):
            file = found[0][0].relative_to(ROOT).as_posix()
            lines.append(f"{file}: {' or '.join(place.owner.split())} lacks {name}. Write: {place.write}")
    return lines


def check(row: Function | SignalRecord) -> None:
    if lines := lacking(row):
        pytest.fail("\n".join([f"`{row.name}` is missing in {len(lines)} places:", *lines]), pytrace=False)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_stands_in_every_place(name):
    check(FUNCTIONS[name])


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_stands_in_every_place(name):
    check(SIGNALS[name])


def test_one_signal_is_solved_for():
    solved = [name for name, record in SIGNALS.items() if record.source == "solve"]

    assert solved == ["temperature_for_entropy"], "backends call `solve_entropy` for each: tell them apart by name"


def function(*, remembers: bool) -> Function:
    value = None if remembers else abs
    return Function("made_up", ("x",), "x", value, lambda x: x, lambda x: (1,), remembers)


def signal(source: str, *arguments: str) -> SignalRecord:
    return SignalRecord("made_up", arguments, "x", "x", "x", "x", source, lambda support: Interval(0.0, 1.0))


@pytest.mark.parametrize(
    ("row", "count"),
    [
        (function(remembers=False), 9),
        (function(remembers=True), 13),
        (signal("moments"), 8),
        (signal("order", "k"), 11),
        (signal("context", "x"), 5),
    ],
    ids=["function", "function that remembers", "sums", "order, with an argument", "context, with an argument"],
)
def test_a_new_row_is_told_all_its_places(monkeypatch, row, count):
    if isinstance(row, Function):
        monkeypatch.setitem(FUNCTIONS, row.name, row)
        test = test_a_function_stands_in_every_place
    else:
        monkeypatch.setitem(SIGNALS, row.name, row)
        test = test_a_signal_stands_in_every_place
    with pytest.raises(pytest.fail.Exception) as told:
        test(row.name)
    first, *lines = str(told.value).splitlines()

    assert first == f"`made_up` is missing in {count} places:"
    assert len(lines) == count == len(places(row))
    for line, place in zip(lines, places(row), strict=True):
        assert (ROOT / line.split(":")[0]).is_file()
        assert line.startswith(place.where)
        assert line.endswith(place.write)

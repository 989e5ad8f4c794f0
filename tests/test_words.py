"""The words of docstrings: none opens with What, Which, Whose or Whether, since it then names no subject."""

import ast
from pathlib import Path

import pytest

import dyntemp

SOURCE = Path(dyntemp.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
QUESTIONS = {"What", "Which", "Whose", "Whether"}


def docstrings(source: str) -> list[tuple[int, str]]:
    """(line, text) of every docstring: of a module, a class, a function, and of what is assigned above it."""
    scopes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [
        statement.value
        for scope in ast.walk(ast.parse(source))
        if isinstance(scope, scopes)
        for statement in scope.body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    ]
    return [(text.lineno, text.value.strip()) for text in texts if isinstance(text.value, str) and text.value.strip()]


def questions(source: str) -> list[str]:
    """The docstrings that open with a word of `QUESTIONS`, each with its line."""
    return [f"{line}: {text}" for line, text in docstrings(source) if text.split()[0].strip(",.:;") in QUESTIONS]


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(SOURCE).as_posix() for path in FILES])
def test_no_docstring_opens_with_a_question(path):
    assert not questions(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("source", [
    '"""What a module holds."""',
    'class A:\n    """Whose row it is."""',
    'class A:\n    x = 1\n    """Which number."""',
    'async def f():\n    """\n    Whether it runs."""',
    'LIMIT = 3\n"""What, at most."""',
])  # fmt: skip
def test_every_kind_of_docstring_is_read(source):
    assert questions(source)


def test_other_openings_and_other_texts_pass():
    assert not questions('"""Whatever comes."""\nWHAT = "What is this?"\nprint("Whether")\n""""""\n')

"""Every fault of `tests/mutation.py` can still be planted; whether tests notice it is asked there."""

import ast

import pytest
from tests.mutation import MUTANTS, TESTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.module}: {mutant.old.strip()}")
def test_a_fault_can_be_planted(mutant):
    planted = mutant.mutated()

    assert planted != mutant.source.read_text(encoding="utf-8")
    ast.parse(planted)  # a fault that no Python can read would always be noticed
    assert mutant.tests
    for test in mutant.tests:
        assert (TESTS / test).exists()

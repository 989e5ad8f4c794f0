"""The recorded figures: every method has them or a reason why not, for the policy that it has today."""

import numpy as np
import pytest

from dyntemp.methods import METHODS
from dyntemp.methods.measured import read


def test_the_run_is_named():
    run, lines = read()

    assert list(METHODS) == list(lines)
    assert all((run.model, run.machine, run.commits, run.prompts))
    assert {"dyntemp", "python", "numpy", "llama.cpp"} <= set(run.versions)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_figures_or_a_reason(name):
    line, method = read()[1][name], METHODS[name]

    assert str(method.make()) == line.policy, "run docs/measure_methods.py"
    assert (line.figures is None) == (line.reason is not None)
    if method.needs:
        assert line.reason


@pytest.mark.parametrize("name", [name for name, line in read()[1].items() if line.figures])
def test_figures_and_text_fit_the_policy(name):
    line = read()[1][name]
    low, high = METHODS[name].make().bounds()
    found = line.figures

    assert low - 1e-4 <= found.low <= found.mean <= found.high <= high + 1e-4
    assert 0 <= found.changed <= 1
    assert len(line.text) == len(line.temperatures) > 0
    assert found.low <= min(line.temperatures) <= max(line.temperatures) <= found.high
    assert "".join(line.text).strip()
    if found.spread == 0:
        assert 1 == len(np.unique(line.temperatures))

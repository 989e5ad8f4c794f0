"""A notebook shows traces, policies and tokens; executed for real, in a kernel of its own."""

from pathlib import Path

import pytest

CELLS = [
    """
import dyntemp
from dyntemp.show.notebook import View
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
model = FakeModel([b" a", b" b", b"!"], lambda seen: [2.0, 1.0, len(seen) % 3])
run = dyntemp.generate(model, [0], "0.3 + max_prob", max_tokens=12, seed=1, trace="run.jsonl")
tokens = list(run)
Trace.open("run.jsonl")
""",
    "dyntemp.Policy('0.3 + 0.7*normalized_entropy**0.5')",
    "View(tokens, run.header, by='surprisal')",
]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The HTML of each cell's output."""
    pytest.importorskip("ipykernel")
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    folder = tmp_path_factory.mktemp("notebook")
    nbclient.NotebookClient(
        notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    assert Path(folder, "run.jsonl").exists()
    return [cell.outputs[-1]["data"]["text/html"] for cell in notebook.cells]


@pytest.mark.slow
def test_a_trace_a_policy_and_tokens_are_shown(shown):
    trace, policy, view = shown

    assert 12 == trace.count("<details ") == view.count('class="dt-sentence"')
    assert "<polyline" in policy
    assert "0.3 + max_prob = 0.3 + " in trace
    assert "<span>surprisal</span>" in view
    assert all("<script" not in html and "<style>" in html for html in shown)

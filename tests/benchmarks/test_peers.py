"""That the peers do the job: what they draw has the frequencies of softmax(z/T)."""

import shutil
from importlib.util import find_spec

import numpy as np
import pytest
from peers import DYNAMIC, PEERS, STATIC
from runner import Case
from scipy import special, stats
from timing import wall

from dyntemp import temperatures

ROW = np.random.default_rng(5).normal(0, 2.5, 50).astype(np.float32)


def drawn(peer, rows):
    """Tokens that `peer` draws from copies of `ROW`."""
    call = peer.make(len(ROW))
    if peer.one_row:
        return np.array([call(peer.view(ROW[None])) for _ in range(rows)]).ravel()
    return np.asarray(call(peer.view(np.tile(ROW, (rows, 1))))).ravel()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_draws_from_the_tempered_distribution(peer):
    if lacking := [package for package in peer.needs if find_spec(package) is None]:
        pytest.skip(f"needs {lacking}")
    if peer.name == "torch.compile" and shutil.which("g++") is None:
        pytest.skip("needs a C++ compiler")
    if "torch" in peer.needs:
        import torch

        torch.manual_seed(0)
    temperature = float(temperatures(ROW, DYNAMIC)) if peer.dynamic else STATIC
    expected = special.softmax(ROW.astype(np.float64) / temperature)
    counts = np.bincount(drawn(peer, 4_000), minlength=len(ROW))
    likely = expected * 4_000 >= 5
    observed = [*counts[likely], counts[~likely].sum()]
    wanted = [*expected[likely], expected[~likely].sum()]

    assert stats.chisquare(observed, np.array(wanted) * 4_000).pvalue > 1e-4


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
def test_the_gpu_benchmark_tells_what_cannot_run_and_times_the_rest(monkeypatch):
    """On the CPU, as far as that goes: the contestants, their shapes, and the limit's unit."""
    import gpu
    import torch

    monkeypatch.setattr(gpu, "COPY_BYTES", 2**20)
    found, missing = gpu.draw(Case("draw", "float32", 64, 2), "cpu")
    able, unable = gpu.admitted(found, lambda _: torch.zeros(2, 64))
    names = {c.name for c in able}
    limit = next(c for c in able if c.name == gpu.LIMIT)

    assert {gpu.LIMIT, "torch static", "torch inverse CDF", "torch dynamic"} <= names
    assert 2 * 2**20 // 4 == limit.logits
    assert wall(limit.call, [None]) > 0
    assert {c.name for c in found} == names | set(unable)
    assert {peer.name for peer in gpu.PEERS} <= {c.name for c in found} | set(missing)


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
def test_the_gpu_benchmark_says_what_it_lacks(monkeypatch):
    import gpu
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert "sees no CUDA device" in gpu.why_not()

"""Settings of all tests: how many examples the property tests draw, and where test data lies."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

collect_ignore = ["disturbed"]  # `PYTHONPATH` brings it in

settings.register_profile(
    "dyntemp",
    max_examples=int(os.environ.get("DYNTEMP_EXAMPLES", "200")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("dyntemp")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests send it to processes that would inherit that


@pytest.fixture(scope="session")
def data() -> Path:
    return Path(__file__).parent / "data"


WITH_TORCH = pytest.param("torch", marks=pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch"))


@pytest.fixture(params=["reference", "cpu", WITH_TORCH])
def backend(request: pytest.FixtureRequest) -> str:
    """The backends that keep every promise, whatever rows they are given."""
    return str(request.param)

"""The soak, small: `tests/serve/soak.py` is the whole of it."""

import pytest
from tests.serve.soak import soak


@pytest.mark.slow
def test_nothing_leaks_and_no_stream_is_mixed_up():
    assert [] == soak(rounds=3, clients=40, batch=8, quiet=True)

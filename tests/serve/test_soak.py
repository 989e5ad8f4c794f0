"""The soak, small: `tests/serve/soak.py` is the whole of it."""

import time

import numpy as np
import pytest
from tests.serve.models import END, PIECES, wandering_model
from tests.serve.soak import soak
from tests.serve.soak_reading import soak_reading


@pytest.mark.slow
def test_nothing_leaks_and_no_stream_is_mixed_up():
    assert [] == soak(rounds=3, clients=40, batch=8, quiet=True)


@pytest.mark.slow
def test_a_stream_goes_on_while_clients_come_and_leave_whose_prompts_are_read():
    row = np.zeros(len(PIECES))
    row[END:] = -np.inf
    model = wandering_model(logits=lambda _: row, context=20_000)
    model.read = lambda tokens: time.sleep(0.001 * tokens)
    assert [] == soak_reading(model, 20, patience=3.0)

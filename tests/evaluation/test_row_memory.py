"""Rows of logits that are remembered, on a model without weights and on the bundled one."""

import numpy as np
import pytest
from tests.evaluation.test_loop_runner import ARMS, ITEMS, arm, item, jobs_of, model, written

from dyntemp.errors import ModelError
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.row_memory import RememberedModel, RowMemory
from dyntemp.models import OpenModel, load_model
from dyntemp.testing.models import has_bundled


def shown(samples):
    return [(sample.text, sample.tokens, sample.finish, sample.temperature, sample.log_prob) for sample in samples]


@pytest.mark.parametrize("rows", [1, 7, 10_000])
@pytest.mark.parametrize("batch", [1, 6, 64])
def test_texts_are_those_without_memory(batch, rows):
    jobs = jobs_of(ITEMS, ARMS, 4)

    assert shown(written(LoopRunner(model(), batch=batch, rows=rows), jobs)) == shown(
        written(LoopRunner(model(), batch=batch), jobs)
    )


def test_no_row_is_computed_twice_and_prompts_are_read_once():
    fake, read, seen = model(), [], []
    fake.read = read.append
    whole = fake.next_logits
    fake.next_logits = lambda tokens: seen.append(tuple(tokens)) or whole(tokens)
    short = [item("one", "abcabcabc", max_tokens=2), item("two", "cba", max_tokens=3)]

    written(LoopRunner(fake, batch=8, rows=10_000), jobs_of(short, [arm("0.9"), arm("1.5")], 40))

    assert len(seen) == len(set(seen))
    behind = [len(text) - (9 if len(text) >= 9 else 3) for text in seen]
    assert read[0] == 9
    assert sum(read) <= 9 + 3 + sum(behind)  # each prompt once, and of other texts only what comes behind it


def test_rows_are_those_of_the_model_while_sequences_join_and_leave():
    fake, rng = model(), np.random.default_rng(0)
    session, texts = RememberedModel(fake, 5).start_open(6, kept=1), {}
    for _ in range(200):
        step = {row: int(rng.integers(0, 3)) for row in texts if rng.random() < 0.8 and len(texts[row]) < 9}
        session.advance(step)
        texts = {row: [*texts[row], token] for row, token in step.items()}
        expected = [fake.next_logits(text) for text in texts.values()]
        np.testing.assert_array_equal(session.logits(), np.float32(expected).reshape(-1, fake.vocabulary))
        joining = [rng.integers(0, 2, rng.integers(1, 4)).tolist() for _ in range(rng.integers(0, session.places + 1))]
        if joining:
            reading = session.join(joining, 2)
            while reading.left:
                reading.read()
            rows, logits = reading.finish()
            np.testing.assert_array_equal(logits, np.float32([fake.next_logits(text) for text in joining]))
            texts |= dict(zip(rows, joining, strict=True))


def test_the_rows_that_were_used_least_recently_go():
    memory, row = RowMemory(2), np.zeros(3, np.float32)
    memory.put((1,), row)
    memory.put((2,), row)
    memory.get((1,))
    memory.put((3,), row)

    assert [memory.get((token,)) is not None for token in (1, 2, 3)] == [True, False, True]


def test_a_closed_model_has_nothing_open():
    fake = model()
    remembered = RememberedModel(fake, 10)
    first = remembered.start([[1, 2], [1, 2], [3]])
    second = remembered.start_open(3)
    reading = second.join([[4, 4]], 1)
    reading.close()
    for session in (first, second):
        session.close()
        session.close()
    remembered.close()

    assert fake.open_sessions == fake.open_readings == 0


def test_places_are_those_that_were_asked_for():
    session = RememberedModel(model(), 10).start_open(2)
    reading = session.join([[1], [1]], 5)

    assert session.places == 0
    with pytest.raises(ModelError, match="places are free"):
        session.join([[1]], 5)
    reading.close()
    assert session.places == 2


def test_a_model_without_open_sessions_is_refused_and_runs_without_memory():
    class Closed:
        def __init__(self):
            self._fake = model()

        def __getattr__(self, name):
            if name == "start_open":
                raise AttributeError(name)
            return getattr(self._fake, name)

    assert not isinstance(Closed(), OpenModel)
    with pytest.raises(ModelError, match="no open sessions"):
        RememberedModel(Closed(), 10)
    jobs = jobs_of(ITEMS, ARMS[:2], 2)
    assert shown(written(LoopRunner(Closed(), batch=4, rows=10), jobs)) == shown(
        written(LoopRunner(model(), batch=4), jobs)
    )


def test_no_rows_are_refused():
    with pytest.raises(ModelError, match="rows = 0"):
        RememberedModel(model(), 0)


@pytest.mark.model
@pytest.mark.skipif(not has_bundled(), reason="the bundled model is not installed")
def test_on_one_thread_texts_of_the_bundled_model_are_the_same_to_the_bit():
    bundled = load_model("smollm2", threads=1)
    jobs = jobs_of([item("one", "Name a bird:", max_tokens=4)], [arm("0.8"), arm("1.2", "min_p(0.05)")], 6)

    assert shown(written(LoopRunner(bundled, batch=4, rows=100), jobs)) == shown(
        written(LoopRunner(bundled, batch=4), jobs)
    )

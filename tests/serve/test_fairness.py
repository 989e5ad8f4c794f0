"""How reading and writing share the time, counted in tokens and steps of a model without weights."""

from collections import Counter

import pytest
from tests.requested import make_request
from tests.serve.models import PIECES, wandering_model
from tests.serve.test_batch import Group, batch, finish

from dyntemp.language.policy import Policy
from dyntemp.serve.wait_estimate import WaitEstimate


class Clock:
    """A clock that a model's work moves: a token of a prompt takes 10 ms, a step 50 ms."""

    def __init__(self, model):
        self.now, self.pause, self.longest = 0.0, 0.0, 0.0
        model.read, model.advanced = self.read, self.step

    def read(self, tokens):
        self.now += 0.01 * tokens
        self.pause += 0.01 * tokens

    def step(self, _):
        self.longest = max(self.longest, self.pause)
        self.pause = 0.0
        self.now += 0.05


def prompts(*lengths, tokens=5):
    """A request for each length."""
    return [
        Group([make_request([at % 90] * length, Policy(0.9), seed=at, max_tokens=tokens, alternatives=0)])
        for at, length in enumerate(lengths)
    ]


def model():
    return wandering_model(context=10_000, logits=lambda _: [0.0] * len(PIECES[:-3]) + [-50.0] * 3)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("lengths", [[3000], [500] * 20, [5] * 300, [1, 63, 64, 65, 700, 2000, 20] * 5])
def test_no_running_text_waits_for_more_than_a_part_and_what_is_short_beside_it(lengths, steps):
    fake = model()
    clock = Clock(fake)
    work = batch(fake, 8, part=64, steps=steps, clock=lambda: clock.now)
    [running], rest = prompts(1, tokens=2000), prompts(*lengths)
    work.add(running)
    work.turn()
    clock.pause = 0.0
    for one in rest:
        work.add(one)
    while not all(request.ended for request in rest):
        assert not running.ended, "the running text has to outlast the others"
        work.turn()

    assert 0.01 * 64 >= clock.longest - 0.01 * 64 / steps
    assert work.read == 1 + sum(lengths)


def test_a_running_text_gets_its_steps_for_each_part():
    fake = model()
    work = batch(fake, 4, part=64, steps=4)
    [running, long] = prompts(1, 640, tokens=200)
    work.add(running)
    work.turn()
    work.add(long)
    while not long.texts[0]:
        work.turn()

    assert 9 * 4 <= len(running.texts[0]) - 1 <= 10 * 4 + 1


def test_a_short_prompt_is_read_soon_however_many_long_ones_are_read():
    fake = model()
    work = batch(fake, 8, part=64, steps=4)
    *long, short = prompts(*[5000] * 20, 30)
    for request in long:
        work.add(request)
    for _ in range(50):
        work.turn()
    before = work.read
    work.add(short)
    while not short.texts[0]:
        work.turn()

    assert work.read - before <= 2 * 64 + 30
    assert 4 == sum(request.began for request in long)


def test_long_prompts_share_the_time_and_short_ones_cannot_starve_them():
    fake = model()
    work = batch(fake, 8, part=64, steps=1)
    long = prompts(6400, 6400)
    for request in long:
        work.add(request)
    turns = 0
    while not any(request.texts[0] for request in long):
        for short in prompts(*[10] * 4, tokens=1):
            work.add(short)
        work.turn()
        turns += 1
        assert turns < 100 * 2 * 10
    first = [bool(request.texts[0]) for request in long]
    for _ in range(20):
        work.turn()

    assert first in ([True, False], [True, True])
    assert all(request.texts[0] for request in long)


def test_a_long_prompt_that_could_have_the_place_is_not_passed():
    fake = model()
    work = batch(fake, 2, part=64)
    running, blocked, long, short = prompts(1, 1, 500, 1, tokens=30)
    for request in (running, blocked, long, short):
        work.add(request)
    while not long.began:
        assert not short.began
        work.turn()
    assert finish(work)


@pytest.mark.parametrize("turns", [1, 3, 40])
def test_a_drop_is_obeyed_before_the_next_part(turns):
    fake = model()
    read = Counter()
    work = batch(fake, 8, part=64)
    fake.read = lambda tokens: read.update(tokens=tokens)
    [gone] = prompts(5000)
    work.add(gone)
    for _ in range(turns):
        work.turn()
    work.drop(gone)
    assert 64 * turns == work.read == work.abandoned == read["tokens"]
    assert (0, 0, 0, 0) == (work.live, work.reading, fake.open_sessions, fake.open_readings)
    work.turn()
    assert 64 * turns == work.read
    assert not work.busy


def test_what_is_read_for_a_text_that_begins_is_not_abandoned():
    fake = model()
    work = batch(fake, 8, part=64)
    [request] = prompts(200)
    work.add(request)
    while not request.texts[0]:
        assert (1, 1) == (work.live or 1, work.reading or 1)
        work.turn()
    assert (1, 0) == (work.live, work.reading)
    work.drop(request)
    assert (200, 0) == (work.read, work.abandoned)


def test_a_prompt_that_cannot_be_read_ends_its_own_request_alone():
    fake = model()
    work = batch(fake, 8, part=64)
    healthy, broken = prompts(3, 300, tokens=40)

    def read(tokens):
        if tokens == 300 % 64:
            raise MemoryError("too much")

    fake.read = read
    work.add(healthy)
    work.add(broken)
    finish(work)

    assert [MemoryError] == [type(error) for error in broken.failed]
    assert 256 == work.abandoned
    assert healthy.ended
    assert (0, 0) == (fake.open_sessions, fake.open_readings)


def test_when_the_next_request_ends_is_told_from_what_was_measured():
    fake = model()
    clock = Clock(fake)
    work = batch(fake, 8, part=64, steps=4, clock=lambda: clock.now)
    assert 0 == work.seconds_to_end()
    [one, other] = prompts(640, 64, tokens=40)
    work.add(one)
    for _ in range(5):
        work.turn()
    assert 3.2 == pytest.approx(work.seconds_to_end(), rel=0.01)  # 320 tokens; nothing is known of steps yet
    work.add(other)
    while len(other.texts[0]) < 3:
        work.turn()
    expected, began = work.seconds_to_end(), clock.now
    while not other.ended:
        work.turn()

    assert clock.now - began == pytest.approx(expected, rel=0.2)


def test_the_pace_is_a_moving_average():
    now = 0.0
    pace = WaitEstimate(16, lambda: now)
    assert 0 == pace.seconds(100, 10, 1, 100)
    now = 2.0
    pace.stepped(1.0)
    pace.read(1.0, 10)
    assert (0.1 + 1 / 16) * 100 + 10 == pytest.approx(pace.seconds(100, 10, 1, 100))
    assert (0.1 + 1 / 16) * 200 + 10 + 160 * 0.1 == pytest.approx(pace.seconds(100, 10, 2, 600))
    assert 10 + 16 == pytest.approx(pace.seconds(0, 10, 1, 500))
    assert 10 + 0.5 == pytest.approx(pace.seconds(0, 10, 1, 5))
    now = 3.0
    pace.stepped(1.0)
    assert 10 * 1.1 == pytest.approx(pace.seconds(0, 10, 0, 0))

"""Prompts that are read part by part while other texts are written."""

import pytest
from tests.requested import make_request

from dyntemp.errors import InvalidLogitsError, ModelError
from dyntemp.generation.loop import Loop
from dyntemp.generation.prefill import Prefill, PrefillQueue
from dyntemp.language.policy import Policy
from dyntemp.testing import FakeModel

PIECES = [bytes([letter]) for letter in b"abcdefghij"]


def logits(tokens):
    return [0.1 * (len(tokens) * token % 7) for token in range(len(PIECES))]


def model(logits=logits):
    return FakeModel(PIECES, logits)


def asked(length, first=0, **more):
    return make_request([first] * length, Policy(0.9), seed=length, **{"max_tokens": 4, **more})


class Waiting(Prefill):
    """A prefill with a name."""

    def __init__(self, name, left):
        self.name, self.tokens = name, left

    @property
    def left(self):
        return self.tokens


def turns(prefills, count):
    """The names of the prefills that had these turns, each of which reads a token."""
    found = []
    for _ in range(count):
        prefill = prefills.next()
        found.append(prefill.name)
        prefill.tokens -= 1
        if not prefill.tokens:
            prefills.remove(prefill)
    return "".join(found)


def test_every_other_turn_is_of_the_shortest_and_the_rest_go_round():
    prefills = PrefillQueue()
    for name, left in (("a", 90), ("b", 80), ("c", 70)):
        prefills.add(Waiting(name, left))
    assert turns(prefills, 6) == "cacbcc"
    prefills.add(Waiting("d", 2))
    assert turns(prefills, 7) == "dadbccc"


def test_each_of_n_prefills_has_every_2n_th_turn_however_many_short_ones_come():
    prefills = PrefillQueue()
    for name in "ABC":
        prefills.add(Waiting(name, 1000))
    found = ""
    for _ in range(60):
        prefills.add(Waiting("x", 1))
        found += turns(prefills, 1)
    for name in "ABC":
        assert found.count(name) >= 60 // 2 // 6


def test_a_prefill_that_is_forgotten_has_no_turn():
    prefills = PrefillQueue()
    first, second = Waiting("a", 5), Waiting("b", 3)
    for prefill in (first, second):
        prefills.add(prefill)
    prefills.next()
    prefills.remove(second)
    assert [prefill.name for prefill in prefills] == ["a"]
    assert turns(prefills, 2) == "aa"
    prefills.remove(first)
    assert not prefills


def test_running_texts_go_on_between_two_parts():
    fake = model()
    log = []
    fake.read, fake.advanced = (lambda tokens: log.append(f"read {tokens}")), (lambda rows: log.append(f"step {rows}"))
    loop = Loop(fake, places=3, part=10)
    loop.add([asked(1, max_tokens=9)])
    loop.read()
    (long,) = loop.add([asked(25)])
    parts = []
    while loop.unread:
        loop.advance()
        parts.append(loop.read())
    loop.advance()

    assert log == ["read 1", "step 1", "read 10", "step 1", "read 10", "step 1", "read 5", "step 2"]
    assert [(part.tokens, part.begun, len(part.records)) for part in parts] == [
        (10, False, 0), (10, False, 0), (5, True, 1),
    ]  # fmt: skip
    assert parts[0].numbers == [long]


def test_equal_prompts_that_begin_together_are_read_once():
    fake, read = model(), []
    fake.read = read.append
    loop = Loop(fake, places=4, part=8)
    loop.add([asked(20), asked(20), asked(3)])
    while loop.unread:
        loop.read()

    assert sum(read) == 23
    assert loop.live == 3


@pytest.mark.parametrize("parts", [0, 1, 2])
def test_a_text_that_is_cancelled_while_it_is_read_leaves_nothing(parts):
    fake, read = model(), []
    fake.read = read.append
    loop = Loop(fake, places=2, part=10)
    (number,) = loop.add([asked(25)])
    for _ in range(parts):
        loop.read()
    assert loop.cancel(number) == []

    assert (loop.live, loop.unread, fake.open_sessions, fake.open_readings) == (0, {}, 0, 0)
    assert loop.read().tokens == 0
    assert len(read) == parts


def test_those_who_begin_together_with_a_cancelled_text_begin_all_the_same():
    fake = model()
    loop = Loop(fake, places=3, part=10)
    numbers = loop.add([asked(25), asked(25, number=1), asked(12, first=1)])
    loop.read()
    loop.cancel(numbers[0])
    loop.cancel(numbers[2])
    found = []
    while loop.live:
        found += loop.step()
    whole = Loop(model())
    (other,) = whole.add([asked(25, number=1)])
    alone = []
    while whole.live:
        alone += whole.step()

    assert {number for number, _ in found} == {numbers[1]}
    assert [token.token for _, token in found] == [token.token for _, token in alone]
    assert other == 0
    assert (fake.open_sessions, fake.open_readings) == (0, 0)


def test_a_prompt_that_cannot_be_read_ends_its_own_texts_alone():
    def fragile(tokens):
        return [float("nan")] * len(PIECES) if tokens[0] == 1 else logits(tokens)

    fake = model(fragile)
    loop = Loop(fake, places=3, part=10)
    (healthy,) = loop.add([asked(1)])
    loop.read()
    (broken,) = loop.add([asked(12, first=1)])
    parts = [loop.read(), loop.read()]

    assert [type(part.fault) for part in parts] == [type(None), InvalidLogitsError]
    assert parts[1].numbers == [broken]
    assert {number for number, _ in loop.advance()} == {healthy}
    assert (loop.live, fake.open_readings) == (1, 0)


def test_closing_frees_what_is_being_read():
    fake = model()
    loop = Loop(fake, places=3, part=10)
    loop.add([asked(25)])
    loop.add([asked(30)])
    loop.read()
    loop.close()

    assert (loop.live, fake.open_sessions, fake.open_readings) == (0, 0, 0)


def test_a_model_without_open_sessions_reads_in_one_piece():
    class Closed:
        """A model without `start_open`."""

        def __init__(self, inner):
            self._inner = inner

        def __getattr__(self, name):
            if name == "start_open":
                raise AttributeError(name)
            return getattr(self._inner, name)

    loop = Loop(Closed(model()), places=3, part=10)
    loop.add([asked(25)])
    part = loop.read()

    assert (part.tokens, part.begun, len(part.records)) == (25, True, 1)


def test_a_session_refuses_what_has_no_place_and_readings_that_are_not_at_their_end():
    session = model().start_open(2)
    reading = session.join([[0], [1]], 1)
    with pytest.raises(ModelError, match="1 prompts were to join, and 0 places are free"):
        session.join([[2]], 1)
    with pytest.raises(ModelError, match="not read yet"):
        reading.finish()
    reading.close()
    reading.close()
    assert session.places == 2
    with pytest.raises(ModelError, match="ended"):
        reading.read()

"""The order of requests in a batch, without threads: turns, room, and the requests that a broken step ends."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.requested import make_request
from tests.serve.models import LETTERS, PIECES, wandering, wandering_model

from dyntemp import InvalidLogitsError, ModelError, Policy, generate
from dyntemp.generation.recorded import RecordedSequence
from dyntemp.serve.batch import Batch

BROKEN = LETTERS.index(b"!")


@dataclass(eq=False)
class Group:
    """A request, and what came of it."""

    requests: list
    together: bool = False
    began: int = 0
    texts: list = field(init=False)
    failed: list = field(default_factory=list)

    def __post_init__(self):
        self.texts = [[] for _ in self.requests]

    def tell(self, token):
        return token.position

    @property
    def ended(self):
        return all(text and text[-1].finish for text in self.texts)


def began(request):
    request.began += 1


def drew(request, parts):
    for part in parts:
        assert part.told == part.token.position
        request.texts[part.text].append(part.token)


def failed(request, error):
    request.failed.append(error)


def batch(model, size=4, **settings):
    return Batch(model, size, began, drew, failed, **settings)


def requests_of(model, *prompts, policy="0.9", tokens=5, **settings):
    return [
        make_request(model.encode(prompt), Policy(policy), seed=3, number=number, max_tokens=tokens, **settings)
        for number, prompt in enumerate(prompts)
    ]


def finish(work):
    turns = 0
    while work.busy:
        work.turn()
        turns += 1
    return turns


def written(model, *prompts, policy="0.9", tokens=5):
    """The texts that `generate` writes for the same requests."""
    texts = [[] for _ in prompts]
    for token in generate(model, list(prompts), policy, chat=False, max_tokens=tokens, seed=3):
        texts[token.request].append(token.token)
    return texts


def tokens(request):
    return [[token.token for token in text] for text in request.texts]


def test_first_come_first_served_within_the_size():
    model = wandering_model()
    work = batch(model, 2)
    requests = [
        Group(requests_of(model, letter, tokens=length)) for letter, length in zip("abcd", (2, 4, 3, 3), strict=True)
    ]
    for request in requests:
        work.add(request)
    lives = []
    while work.busy:
        work.turn()
        lives.append([len(request.texts[0]) for request in requests])
    assert [[1, 1, 0, 0], [2, 2, 0, 0], [2, 3, 1, 0], [2, 4, 2, 0], [2, 4, 3, 1], [2, 4, 3, 2], [2, 4, 3, 3]] == lives
    assert [1] * 4 == [request.began for request in requests]
    assert (0, 0) == (work.live, model.open_sessions)


def test_a_request_of_more_texts_than_fit_begins_where_there_is_room():
    model = wandering_model()
    work, request = batch(model, 3), None
    work.add(request := Group(requests_of(model, *"abcde")))
    assert finish(work) == 10
    assert written(wandering_model(), *"abcde") == tokens(request)
    assert 1 == request.began


def test_texts_that_belong_together_wait_until_there_is_room_for_all():
    model = wandering_model()
    work, first = batch(model, 2), Group(requests_of(model, "a", tokens=4))
    record = RecordedSequence()
    leader, follower = (
        requests_of(model, "b", record=record)[0],
        requests_of(model, "b", policy="0.91", leader=record)[0],
    )
    pair = Group([leader, follower], together=True)
    work.add(first)
    work.add(pair)
    for _ in range(4):
        work.turn()
        assert not pair.began
    finish(work)
    assert pair.ended
    assert "kept" == pair.texts[1][0].origin


def test_texts_that_belong_together_begin_even_where_the_batch_is_smaller():
    model = wandering_model()
    work, pair = batch(model, 1), Group(requests_of(model, "a", "b"), together=True)
    work.add(pair)

    assert 5 == finish(work)
    assert pair.ended


@pytest.mark.parametrize("turns", [0, 2, 9])
def test_a_request_can_be_dropped_at_any_time(turns):
    model = wandering_model()
    work, gone, stays = batch(model, 2), Group(requests_of(model, *"abc")), Group(requests_of(model, "d"))
    work.add(gone)
    work.add(stays)
    for _ in range(turns):
        work.turn()
    work.drop(gone)
    work.drop(gone)
    before = tokens(gone)
    finish(work)
    assert before == tokens(gone)
    assert written(wandering_model(), "d") == tokens(stays)
    assert 0 == model.open_sessions


def breaking(sequence):
    """Logits that are broken once a text with a `!` in its prompt is four tokens long."""
    row = wandering(sequence)
    if BROKEN in sequence[:1] and len(sequence) >= 4:
        row = np.full(len(PIECES), np.nan)
    return row


@pytest.mark.parametrize("size", [2, 4, 8])
def test_a_broken_row_ends_its_own_request_alone(size):
    model = wandering_model(logits=breaking)
    work = batch(model, size)
    healthy = [Group(requests_of(model, letter, letter, tokens=9)) for letter in "abc"]
    broken, waiting = Group(requests_of(model, "x", "!y", tokens=9)), Group(requests_of(model, "d", tokens=9))
    for request in (healthy[0], broken, *healthy[1:], waiting):
        work.add(request)
    finish(work)

    assert [InvalidLogitsError] == [type(error) for error in broken.failed]
    for letter, request in zip("abc", healthy, strict=True):
        assert written(wandering_model(), letter, letter, tokens=9) == tokens(request)
        assert [list(range(9))] * 2 == [[token.position for token in text] for text in request.texts]
        assert not request.failed
    assert written(wandering_model(), "d", tokens=9) == tokens(waiting)
    assert (0, 0) == (work.live, model.open_sessions)


def test_what_a_policy_remembers_and_a_stop_in_the_making_survive_a_broken_step():
    policy = "0.3 + ema(entropy, 0.3)/4"
    [expected] = written(wandering_model(), "ab", policy=policy, tokens=12)
    text = "".join(PIECES[token].decode() for token in expected)
    model = wandering_model(logits=breaking)
    work = batch(model)
    healthy = Group(requests_of(model, "ab", policy=policy, tokens=12, stop=[text[1:3] + "\n", text[9:11]]))
    broken = Group(requests_of(model, "!y", tokens=9))
    work.add(healthy)
    work.add(broken)
    finish(work)

    assert broken.failed
    assert text[:9] == "".join(token.text for token in healthy.texts[0])
    assert "stop" == healthy.texts[0][-1].finish
    alone = list(generate(wandering_model(), "ab", policy, chat=False, max_tokens=11, seed=3))
    assert [token.temperature for token in alone] == [token.temperature for token in healthy.texts[0]]


def test_two_texts_that_belong_together_end_together():
    model = wandering_model(logits=breaking)
    work, pair, other = (
        batch(model),
        Group(requests_of(model, "a", "!b"), together=True),
        Group(requests_of(model, "c")),
    )
    work.add(pair)
    work.add(other)
    finish(work)

    assert 1 == len(pair.failed)
    assert written(wandering_model(), "c") == tokens(other)


def test_a_request_that_cannot_begin_ends_by_itself():
    model = wandering_model(context=5)
    work, wrong, right = batch(model), Group(requests_of(model, "abcdefg")), Group(requests_of(model, "ab", tokens=2))
    work.add(wrong)
    work.add(right)
    finish(work)

    assert [ModelError] == [type(error) for error in wrong.failed]
    assert (0, True) == (wrong.began, right.ended)


def test_closing_ends_everything_with_a_word():
    model = wandering_model()
    work, requests = batch(model, 1), [Group(requests_of(model, letter)) for letter in "ab"]
    for request in requests:
        work.add(request)
    work.turn()
    work.close(error := RuntimeError("over"))

    assert [[error], [error]] == [request.failed for request in requests]
    assert (0, 0) == (work.live, model.open_sessions)

"""Texts that come and go in one loop, on a model without weights."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2
from tests.requested import make_request

from dyntemp import generate
from dyntemp.distribution.filters import Filters
from dyntemp.errors import ModelError
from dyntemp.generation.loop import Loop
from dyntemp.generation.recorded import RecordedSequence
from dyntemp.language.policy import Policy
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.replay import replay

PIECES = [bytes([letter]) for letter in b"abcdefghij"]
FLAT = Policy("0.4 + 0.5*normalized_entropy")
REMEMBERS = Policy("clip(0.7 + integral(0.2*(1.5 - surprisal), -0.5, 0.8), 0.1, 2) + ema(0.1*entropy, 0.5)")


def logits(tokens):
    """A row that depends on all the tokens so far."""
    return np.random.default_rng([len(tokens), *tokens]).normal(0, 2, len(PIECES))


def model(**options):
    return FakeModel(PIECES, logits, **options)


def asked(prompt=(0,), policy=FLAT, seed=1, **more):
    return make_request(prompt, policy, seed=seed, **{"max_tokens": 12, **more})


def written(loop, *requests, steps=1_000):
    """The tokens of each text, by number, of texts that begin together."""
    numbers = loop.add(requests)
    found = {number: [] for number in numbers}
    for _ in range(steps):
        if not loop.live:
            break
        for number, token in loop.step():
            found[number].append(token)
    return [found[number] for number in numbers]


def alone(one):
    (tokens,) = written(Loop(model()), one)
    return tokens


def same(left, right):
    return [(t.token, t.temperature, t.origin, t.text) for t in left] == [
        (t.token, t.temperature, t.origin, t.text) for t in right
    ]


REQUESTS = [
    asked(),
    asked(seed=2, policy=REMEMBERS),
    asked((1, 2, 3), filters=Filters(top_k=3)),
    asked((1, 2), policy=Policy("0.2 + quantile(0.9)"), seed=2**63 + 5, requested=0.5),
    asked((4,), policy=Policy('0.5 + given("x", 0, 1)'), given={"x": 0.25}),
    asked((4,), policy=Policy('0.5 + given("x", 0, 1)'), given={"x": 0.75}),
    asked((4,), policy=Policy('param("u", 0, 2)'), parameters={"u": 1.25}),
    asked(seed=1),  # the same noise as the first
    asked((5,), policy=REMEMBERS, filters=Filters(min_p=0.1), number=9),
    asked((4,), policy=Policy('0.5 + given("x", 0, 9)'), given={"x": [0.75, 5, 0]}),
]


def test_a_text_is_the_same_alone_and_beside_others():
    together = written(Loop(model()), *REQUESTS)

    assert all(same(alone(one), tokens) for one, tokens in zip(REQUESTS, together, strict=True))
    assert together[4][0].temperature == 0.75
    assert together[6][0].temperature == 1.25


@pytest.mark.parametrize("places", [0, 4, 20])
def test_a_text_that_comes_later_is_the_same_too(places):
    loop = Loop(model(), places=places)
    found = {}
    for one in REQUESTS:
        (number,) = loop.add([one])
        found[number] = []
        for _ in range(3):
            for at, token in loop.step():
                found[at].append(token)
    while loop.live:
        for at, token in loop.step():
            found[at].append(token)

    assert all(same(alone(one), tokens) for one, tokens in zip(REQUESTS, found.values(), strict=True))


def test_sessions_are_closed_when_their_texts_have_ended():
    fake = model()
    loop = Loop(fake)
    written(loop, asked(), asked(max_tokens=3))

    assert (fake.open_sessions, loop.live) == (0, 0)


def test_later_texts_join_the_session_that_runs():
    fake = model()
    loop = Loop(fake, places=3)
    loop.add([asked()])
    loop.step()
    loop.add([asked(seed=4), asked(seed=5)])
    loop.step()
    assert fake.open_sessions == 1

    loop.add([asked(seed=6)])
    loop.step()
    assert fake.open_sessions == 2


def test_texts_that_find_too_few_places_begin_a_session_together():
    fake = model()
    loop = Loop(fake, places=2)
    loop.add([asked()])
    loop.step()
    loop.add([asked(seed=4), asked(seed=5)])
    loop.step()

    assert (fake.open_sessions, loop.live) == (2, 3)


@pytest.mark.parametrize("policy", [FLAT, REMEMBERS])
@pytest.mark.parametrize("at", [1, 5, 11])
def test_a_text_that_goes_on_from_its_middle_is_the_same(policy, at):
    whole = alone(asked(policy=policy))
    begin = [token.token for token in whole[:at]]
    rest = alone(asked(policy=policy, begin=begin, max_tokens=12 - at))

    assert same(whole[at:], rest)
    assert [at + step for step in range(12 - at)] == [token.position for token in rest]


@pytest.mark.parametrize("policy", [FLAT, REMEMBERS])
def test_forced_tokens_come_whatever_would_be_drawn(policy):
    whole = alone(asked(policy=policy))
    other = next(token for token in range(10) if token != whole[3].token)
    forced = alone(asked(policy=policy, begin=[t.token for t in whole[:3]], force=[other], max_tokens=9))
    stepwise = alone(asked(policy=policy, force=[*(t.token for t in whole[:3]), other]))

    assert (forced[0].token, forced[0].origin, forced[1].origin) == (other, "forced", "drawn")
    assert same(stepwise[3:], forced)
    assert forced[0].temperature == whole[3].temperature
    again = [one.temperature for one in replay(stepwise, policy, seed=1)]
    assert [token.temperature for token in stepwise] == pytest.approx(again, rel=1e-9)


@pytest.mark.parametrize("policy", [FLAT, REMEMBERS], ids=["forgets", "remembers"])
def test_a_token_that_ends_texts_ends_none_that_begins_with_it(policy):
    (tokens,) = written(Loop(model(end=[9])), asked(policy=policy, begin=[3, 9, 4], force=[5], max_tokens=1))

    assert [(token.position, token.token, token.finish) for token in tokens] == [(3, 5, "length")]


def test_characters_that_span_the_beginning_are_read_whole():
    euro = "€".encode()
    fake = FakeModel([bytes([part]) for part in euro] + [b"x"], lambda tokens: np.full(4, 0.0))
    (tokens,) = written(Loop(fake), asked((3,), begin=[0, 1], force=[2], max_tokens=1))

    assert [token.text for token in tokens] == ["€"]


def test_a_cancelled_text_ends_and_hands_out_what_it_held():
    loop = Loop(model())
    first, second = loop.add([asked(stop=["zz"]), asked(seed=3)])
    loop.step()
    assert loop.cancel(first) == []
    assert {number for number, _ in loop.step()} == {second}
    assert loop.cancel(first) == loop.cancel(99) == []

    (waiting,) = loop.add([asked()])
    loop.cancel(waiting)
    loop.cancel(second)
    assert (loop.live, loop.step()) == (0, [])


def test_a_place_in_the_memory_that_is_used_again_remembers_nothing():
    loop = Loop(model())
    first = written(loop, asked(policy=REMEMBERS))
    for seed in range(5):
        written(loop, asked(policy=REMEMBERS, seed=seed))
    again = written(loop, asked(policy=REMEMBERS))

    assert same(first[0], again[0])
    assert (loop.restarts, loop._state.slots) == (0, 1)


def test_what_a_follower_keeps_is_remembered():
    _, follower = follow(REMEMBERS, seed=3)
    again = replay([replace(token, request=0) for token in follower], REMEMBERS, seed=3)

    assert "kept" in {token.origin for token in follower}
    assert [token.temperature for token in follower] == pytest.approx([one.temperature for one in again], rel=1e-9)


def test_a_prompt_that_does_not_fit_is_refused_before_anything_runs():
    loop = Loop(model(context=4))

    with pytest.raises(ModelError, match="5 tokens and the context holds 4"):
        loop.add([asked(), asked((1, 1, 1, 1, 1))])
    assert loop.live == 0


def test_the_context_ends_a_text():
    (tokens,) = written(Loop(model(context=6)), asked((0, 1), begin=[1, 2], max_tokens=50))

    assert len(tokens) == 3
    assert tokens[-1].finish == "length"


def follow(policy, seed=1, filters=Filters(), leader=FLAT, **more):
    record = RecordedSequence(Filters(top_k=6))
    return written(
        Loop(model()),
        asked(policy=leader, seed=seed, record=record, filters=record.filters),
        asked(policy=policy, seed=seed, number=1, leader=record, filters=filters, **more),
    )


def test_a_follower_with_the_same_distribution_never_parts():
    for seed in range(20):
        leader, follower = follow(FLAT, seed, Filters(top_k=6))
        assert [t.token for t in leader] == [t.token for t in follower]
        assert {t.origin for t in follower} == {"kept"}


@pytest.mark.parametrize("chain", ["xtc(0.05, 0.5)", "typical(0.8), temperature, xtc(0.1, 0.7)"])
def test_a_follower_that_tosses_the_coins_of_its_leader_never_parts(chain):
    filters = Filters.read(chain)
    for seed in range(10):
        record = RecordedSequence(filters, (seed, 0))
        leader, follower = written(
            Loop(model()),
            asked(policy=FLAT, seed=seed, record=record, filters=filters),
            asked(policy=FLAT, seed=seed, leader=record, filters=filters),
        )
        assert [t.token for t in leader] == [t.token for t in follower]
        assert {t.origin for t in follower} == {"kept"}


def test_a_follower_follows_whatever_is_drawn_together_with_it():
    record = RecordedSequence(Filters(top_k=6))
    leader = asked(record=record, filters=record.filters)
    follower = asked(number=1, leader=record, filters=Filters(min_p=0.02))
    between = written(Loop(model()), asked(seed=5, filters=Filters(min_p=0.02)), leader, follower)

    assert {token.origin for token in between[2][:3]} <= {"kept", "parted"}


def test_a_follower_parts_once_and_then_goes_its_own_way():
    origins = [[t.origin for t in follow(Policy(0.8), seed)[1]] for seed in range(40)]

    assert all(one == ["kept"] * one.count("kept") + ["parted"] * one.count("parted") + ["drawn"] * one.count("drawn")
               for one in origins)  # fmt: skip
    assert {one.count("parted") for one in origins} == {0, 1}


@pytest.mark.parametrize("place", [0, 2])
def test_what_a_follower_draws_is_distributed_as_if_it_were_alone(place):
    n = 1_200
    policy, filters = Policy(1.3), Filters(min_p=0.02)
    follower = [follow(policy, seed, filters, max_tokens=3)[1] for seed in range(n)]
    lone = [alone(asked(policy=policy, seed=seed + n, filters=filters, max_tokens=3)) for seed in range(n)]
    drawn = np.bincount([tokens[place].token for tokens in follower], minlength=10)
    expected = np.bincount([tokens[place].token for tokens in lone], minlength=10)
    both = drawn + expected
    seen = both > 0
    statistic = np.sum((drawn - expected)[seen] ** 2 / both[seen])

    assert chi2.sf(statistic, seen.sum() - 1) > 1e-4


def test_the_share_that_is_kept_at_first_is_the_overlap_of_the_two():
    n = 1_200
    kept = np.mean([follow(Policy(1.3), seed, max_tokens=1)[1][0].origin == "kept" for seed in range(n)])
    z = logits([0])
    p = np.exp(z - z.max())
    p /= p.sum()
    h = -(p * np.log(p)).sum() / np.log(10)
    leader = np.where(Filters(top_k=6).mask(z), np.exp((z - z.max()) / (0.4 + 0.5 * h)), 0)
    ours = np.exp((z - z.max()) / 1.3)

    assert kept == pytest.approx(np.minimum(leader / leader.sum(), ours / ours.sum()).sum(), abs=0.05)


def test_a_run_can_follow_a_recorded_one(tmp_path):
    path = tmp_path / "run.jsonl"
    recorded = list(generate(model(), [[0], [1]], FLAT, max_tokens=15, seed=4, trace=path))
    again = list(generate(model(), [[0], [1]], FLAT, max_tokens=15, seed=9, follow=Trace.open(path)))
    other = generate(model(), [[0], [1]], 1.5, max_tokens=15, seed=9, follow=Trace.open(path))

    assert [t.token for t in recorded] == [t.token for t in again]
    assert {t.origin for t in again} == {"kept"}
    assert other.header.settings["follow"] == {"policy": str(FLAT), "seed": 4}
    assert {t.origin for t in other} == {"kept", "parted", "drawn"}


def test_a_run_that_follows_takes_the_recorded_seed_unless_it_is_given_one(tmp_path):
    path = tmp_path / "run.jsonl"
    list(generate(model(), [0], FLAT, max_tokens=2, seed=41, trace=path))

    assert generate(model(), [0], 1.5, follow=Trace.open(path)).seed == 41
    assert generate(model(), [0], 1.5, follow=Trace.open(path), seed=7).seed == 7


@pytest.mark.parametrize("left", [slice(1, None), slice(None, None, 2)])
def test_a_run_cannot_follow_records_with_gaps(tmp_path, left):
    path = tmp_path / "run.jsonl"
    list(generate(model(), [0], FLAT, max_tokens=8, trace=path))
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([header, *lines[left]]), encoding="utf-8")

    with pytest.raises(ValueError, match="from position 0 on, without gaps"):
        generate(model(), [0], FLAT, follow=Trace.open(path))


def test_what_was_forced_is_forced_in_who_follows():
    record = RecordedSequence()
    leader = asked(record=record, force=[7])
    for seed in range(20):
        record.tokens.clear()
        _, follower = written(Loop(model()), leader, asked(policy=Policy(1.4), seed=seed, number=1, leader=record))
        assert (follower[0].token, follower[0].origin) == (7, "forced")
        assert follower[1].origin in ("kept", "parted")


def test_a_run_cannot_follow_one_of_other_prompts(tmp_path):
    path = tmp_path / "run.jsonl"
    list(generate(model(), [0], FLAT, max_tokens=2, trace=path))

    with pytest.raises(ValueError, match="of their own prompts"):
        generate(model(), [1], FLAT, follow=Trace.open(path))

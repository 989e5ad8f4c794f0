"""A recorded text under other policies, against the whole rows of a model without weights."""

from dataclasses import replace

import numpy as np
import pytest

from dyntemp import generate
from dyntemp.distribution.filters import filters_of
from dyntemp.distribution.noise import Purpose, coins, uniform
from dyntemp.errors import PolicyError
from dyntemp.generation.request import RECORDED
from dyntemp.language.policy import Policy
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.replay import missing, replay

N = 300
PIECES = [f"{number:03} ".encode() for number in range(N)]
REMEMBERS = "0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8) + ema(0.1*entropy, 0.8) + 0.1*prev(max_prob)"
POLICIES = ["0.3 + 0.7*normalized_entropy**0.5", "1", "0.4", "2.5", "0", "0.1 + 0.8*entropy", REMEMBERS,
            "1/max_prob - 0.5", "0.5 + 1/max(0, margin - 2)"]  # fmt: skip


def logits(tokens):
    return np.random.default_rng(list(tokens)).normal(0, 2.5, N).astype(np.float32)


def recorded(tmp_path, policy="0.8", **settings):
    path = tmp_path / "run.jsonl"
    list(generate(FakeModel(PIECES, logits), [0], policy, max_tokens=25, seed=3, trace=path, **settings))
    return Trace.open(path)


def tempered(row, temperature, filters, coin):
    z = row.astype(np.float64)
    z = np.where(filters.mask(z, 1.0, coin), z, -np.inf)
    if temperature == 0:
        return (np.arange(N) == z.argmax()).astype(float)
    w = np.exp((z - z.max()) / temperature) if temperature < np.inf else (z > -np.inf).astype(float)
    return w / w.sum()


def rows(tokens):
    texts = [0]
    for token in tokens:
        yield logits(texts)
        texts.append(token.token)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_text_under_its_own_policy_is_itself(tmp_path, policy):
    tokens = list(recorded(tmp_path, policy))
    again = replay(tokens, Policy(policy), seed=3)

    assert [token.temperature for token in tokens] == pytest.approx([one.temperature for one in again], rel=1e-12)
    assert all(one.kept and one.instead is None for one in again)
    for token, one in zip(tokens, again, strict=True):
        assert one.probability == pytest.approx(token.probability_after, abs=one.error + 1e-6)
        assert one.entropy_after == pytest.approx(token.entropy_after, abs=0.02)
        assert one.temperature == pytest.approx(sum(term.value for term in one.terms), rel=1e-9)


@pytest.mark.parametrize(
    "settings",
    [{}, {"top_k": 40}, {"min_p": 0.05, "alternatives": 3}, {"top_p": 0.7}, {"filters": "typical(0.6)"},
     {"filters": "xtc(0.05, 0.5), top_h(0.9)"}],
)  # fmt: skip
@pytest.mark.parametrize("policy", POLICIES)
def test_temperatures_are_those_of_a_run_and_probabilities_those_of_the_row(tmp_path, policy, settings):
    tokens = list(recorded(tmp_path, **settings))
    filters = filters_of(**{name: value for name, value in settings.items() if name != "alternatives"})
    live = list(generate(FakeModel(PIECES, logits), [0], policy, max_tokens=1, seed=3, **settings))
    again = replay(tokens, Policy(policy), seed=3)

    assert again[0].temperature == pytest.approx(live[0].temperature, rel=1e-12)
    for token, one, row in zip(tokens, again, rows(tokens), strict=True):
        q = tempered(row, one.temperature, filters, coins(3, 0, token.position))
        named = [alternative.token for alternative in token.alternatives]
        assert one.alternatives == pytest.approx(q[named], abs=one.error + 1e-6)
        assert one.probability == pytest.approx(q[token.token], abs=one.error + 1e-6)
        assert one.rest == pytest.approx(1 - q[named].sum(), abs=one.error + 1e-6)
        assert one.error < 0.02
        assert sum(one.alternatives) + one.rest == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("policy", ["1.2", "0.6", "0.1 + 0.4*entropy", REMEMBERS])
def test_the_first_token_that_changes_is_where_a_run_that_follows_parts(tmp_path, policy):
    compared = 0
    for seed in range(12):
        path = tmp_path / f"{seed}.jsonl"
        tokens = list(generate(FakeModel(PIECES, logits), [0], 0.8, max_tokens=25, seed=seed, trace=path))
        again = replay(tokens, Policy(policy), seed=seed)
        model = FakeModel(PIECES, logits)
        live = list(generate(model, [0], policy, max_tokens=25, seed=seed, follow=Trace.open(path)))
        first = next((at for at, one in enumerate(again) if not one.kept), None)
        there = next((at for at, token in enumerate(live) if token.origin == "parted"), None)

        if any(_close(token, one, seed) for token, one in zip(tokens, again, strict=True)):
            continue  # nearer to the limit than the bins can tell
        assert first == there
        if first is not None:
            compared += 1
            named = [alternative.token for alternative in tokens[first].alternatives]
            drawn = live[first].token
            assert again[first].instead == (drawn if drawn in named else None)
    assert compared > 2


def _close(token, one, seed):
    limit = uniform(seed, 0, token.position, 0, Purpose.KEEP) * token.probability_after
    return abs(limit - one.probability) <= 3 * one.error * token.probability_after


def test_forced_tokens_are_not_judged(tmp_path):
    tokens = [replace(token, origin="forced") for token in recorded(tmp_path)]

    assert all(one.kept for one in replay(tokens, Policy("0"), seed=3))


def test_dropped_candidates_stay_dropped(tmp_path):
    tokens = list(recorded(tmp_path, top_k=4))
    again = replay(tokens, Policy("5"), seed=3)

    assert all(one.alternatives[4:] == (0.0,) * 6 and one.rest == one.error == 0 for one in again)


def test_what_is_not_recorded_is_named(tmp_path):
    tokens = list(recorded(tmp_path))
    policy = Policy("0.5 + quantile(0.9) + 0.1*top_mass(4)")

    assert sorted(missing(tokens, policy)) == ["quantile(0.9)", "top_mass(4)"]
    with pytest.raises(PolicyError, match=r"record with signals=\['top_mass\(4\)', 'quantile\(0.9\)'\]"):
        replay(tokens, policy, seed=3)
    more = list(recorded(tmp_path, signals=[*RECORDED, "quantile(0.9)", "top_mass(4)"], overwrite=True))
    assert replay(more, policy, seed=3)[0].temperature > 0.5


def test_what_the_caller_gives_is_given_again(tmp_path):
    tokens = list(recorded(tmp_path))
    policy = Policy('requested * (0.5 + given("x", 0, 1)) + param("u", 0, 1) + position')
    (first, second, *_) = replay(tokens, policy, seed=3, requested=2, given={"x": 0.25}, parameters={"u": 0.125})

    assert (first.temperature, second.temperature) == (1.625, 2.625)
    with pytest.raises(PolicyError, match="pass given="):
        replay(tokens, policy, seed=3, parameters={"u": 0.125})


def test_records_that_cannot_be_replayed_are_refused(tmp_path):
    tokens = list(recorded(tmp_path))

    assert replay([], Policy(1), seed=3) == []
    with pytest.raises(ValueError, match="with gaps"):
        replay([tokens[0], tokens[2]], Policy(1), seed=3)
    with pytest.raises(ValueError, match="several requests"):
        replay([tokens[0], replace(tokens[1], request=1)], Policy(1), seed=3)
    with pytest.raises(PolicyError, match="begin at position 1"):
        replay(tokens[1:], Policy(REMEMBERS), seed=3)
    assert len(replay(tokens[1:], Policy(1), seed=3)) == 24
    with pytest.raises(ValueError, match="does not hold the whole row"):
        replay([replace(tokens[0], rest=())], Policy(1), seed=3)
    with pytest.raises(ValueError, match="does not hold the whole row"):
        replay([replace(tokens[0], alternatives=())], Policy(1), seed=3)

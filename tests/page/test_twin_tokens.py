"""The page's JavaScript replays recorded texts, and tells of tokens and numbers, as Python does."""

import random
from dataclasses import asdict, replace
from math import inf, isinf

import pytest
from tests.page import fixtures, recordings

from dyntemp import Policy
from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.show import words
from dyntemp.traces.replay import missing, replay

REPLAY = """
const { makeLanguage } = await load("language/policy");
const { readToken } = await load("traces/file");
const { missing, replay } = await load("traces/replay");
const { changed } = await load("show/words");
const language = makeLanguage(data.table);
const policies = data.policies.map((text) => language.parse(text));
return data.runs.map(({ seed, tokens }) => {
  const read = tokens.map((token, at) => readToken(token, at + 2));
  return policies.map((policy) => {
    const lacks = missing(read, policy);
    if (lacks.length) return { lacks };
    const found = replay(read, policy, { seed, requested: 0.75, given: { kl: [3.5, 0.5, 12] } });
    return { lacks, found, sentences: found.map((one, at) => changed(read[at], one)) };
  });
});
"""
FIELDS = {"probability": "probability", "rest": "rest", "error": "error", "entropy_after": "entropyAfter"}


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Recorded runs: each a seed and its tokens."""
    return list(recordings.recorded(tmp_path_factory.mktemp("runs")))


def test_replays_are_equal(ask, runs):
    sent = [{"seed": str(seed), "tokens": [token.to_json() for token in tokens]} for seed, tokens in runs]
    answers = ask(REPLAY, {"runs": sent, "policies": recordings.UNDER})
    parted = elsewhere = 0

    for (seed, tokens), per_policy in zip(runs, answers, strict=True):
        for text, here in zip(recordings.UNDER, per_policy, strict=True):
            policy = Policy(text)
            assert missing(tokens, policy) == here["lacks"]
            if here["lacks"]:
                continue
            there = replay(tokens, policy, seed=seed, requested=0.75, given={"kl": [3.5, 0.5, 12]})
            assert [words.changed(token, one) for token, one in zip(tokens, there, strict=True)] == here["sentences"]
            for one, other in zip(there, here["found"], strict=True):
                assert fixtures.close(one.temperature, other["temperature"], 1e-12)
                assert [term.text for term in one.terms] == [term["text"] for term in other["terms"]]
                for term, value in zip(one.terms, other["terms"], strict=True):
                    assert fixtures.close(term.value, value["value"], 1e-12)
                assert one.alternatives == pytest.approx(other["alternatives"], rel=1e-9, abs=1e-15)
                for field, name in FIELDS.items():
                    assert getattr(one, field) == pytest.approx(other[name], rel=1e-9, abs=1e-12), (text, field)
                assert (one.kept, one.instead) == (other["kept"], other["instead"])
                parted, elsewhere = parted + (not one.kept), elsewhere + (not one.kept and one.instead is None)

    assert parted > 300
    assert elsewhere > 20


REFUSE = """
const { makeLanguage } = await load("language/policy");
const { readToken } = await load("traces/file");
const { replay } = await load("traces/replay");
const language = makeLanguage(data.table);
return data.cases.map(({ tokens, policy, parameters }) => {
  const read = tokens.map((token, at) => readToken(token, at + 2));
  try {
    return replay(read, language.parse(policy), { seed: "1", parameters }).length;
  } catch (error) {
    return error.message;
  }
});
"""


def refused(tokens, policy, parameters):
    try:
        return len(replay(tokens, Policy(policy), seed=1, parameters=parameters))
    except ValueError as error:
        return str(error)


def test_replays_are_refused_in_the_same_words(ask, runs):
    (_, tokens), *_ = runs
    bare = [replace(token, alternatives=()) for token in tokens]
    theta = 'param("theta", 0.1, 2)*entropy'
    measured = [replace(one, signals={**one.signals, "divergence": 2.0, 'given("x", 0, 1)': 0.5}) for one in tokens]
    cases = [
        ([], "1", {}), (tokens[3:], "1", {}), (tokens[3:], "surprisal", {}), (tokens[3:], "prev(entropy)", {}),
        ([*tokens[:3], *tokens[4:]], "1", {}), ([*tokens[:3], replace(tokens[3], request=1)], "1", {}), (bare, "1", {}),
        ([replace(token, rest=()) for token in tokens], "1", {}), (tokens, "quantile(0.3) + top_mass(7)", {}),
        (tokens, 'given("kl", 0, 20)', {}), (tokens, theta, {}), (tokens, theta, {"theta": 0.5}),
        (tokens, theta, {"theta": 3.0}), (tokens, theta, {"teta": 0.5}), (tokens, "1", {"theta": 0.5}),
        (measured, 'divergence + given("x", 0, 1)', {}), (tokens, "divergence", {}), (tokens, 'given("x", 0, 1)', {}),
        (tokens, "a + b*entropy", {"a": 0.1}), (tokens, "a*entropy", {}), (tokens, "1 + H", {}),
    ]  # fmt: skip
    sent = [{"tokens": [token.to_json() for token in some], "policy": policy, "parameters": parameters}
            for some, policy, parameters in cases]  # fmt: skip

    assert [refused(*case) for case in cases] == ask(REFUSE, {"cases": sent})


SAY = """
const { readToken } = await load("traces/file");
const { decoded, explain, flowing, quoted } = await load("show/words");
return data.tokens.map((token, at) => {
  const read = readToken(token, at + 2);
  const { text, mark } = flowing(read);
  return [explain(read), quoted(read), [text, mark]];
});
"""


def test_sentences_are_equal(ask, runs):
    tokens = [*(token for _, tokens in runs for token in tokens), *recordings.sentences(3000)]
    found = ask(SAY, {"tokens": [token.to_json() for token in tokens]})

    for token, (sentence, name, shown) in zip(tokens, found, strict=True):
        assert words.explain(token) == sentence, asdict(token)
        assert words.quoted(token) == name
        assert words.flowing(token) == tuple(shown), token.text


FORMAT = """
const { general, fixed, grouped, shortest } = await load("numbers");
const { atTemperature, percent, temperature, visible, GREEDY_AT } = await load("show/words");
return {
  greedy: GREEDY_AT,
  numbers: data.numbers.map((x) => [shortest(x), general(x), general(x, 3), Number.isFinite(x) ? fixed(x, 0) : "",
    Number.isFinite(x) ? fixed(x, 2) : ""]),
  shares: data.shares.map(percent),
  temperatures: data.temperatures.map((x) => [temperature(x), atTemperature(x)]),
  characters: data.characters.map((code) => visible(String.fromCodePoint(code))),
};
"""


def test_numbers_and_characters_are_written_alike(ask):
    rng = random.Random(4)
    numbers = fixtures.numbers(2000)
    shares = [0, 1, *(rng.random() ** rng.choice([1, 3, 9]) for _ in range(1000)), *(k / 2000 for k in range(2001))]
    temperatures = [*(abs(x) for x in numbers), *(k / 800 for k in range(3000))]
    codes = [*range(0xD800), *range(0xE000, 0xE100), *range(0xFE00, 0x10000), *range(0x1F300, 0x1F700), 0xE0001]
    data = {"numbers": ["inf" if x == inf else "-inf" if x == -inf else x for x in numbers], "shares": shares,
            "temperatures": ["inf" if x == inf else x for x in temperatures], "characters": codes}  # fmt: skip
    found = ask(FORMAT, data)

    assert found["greedy"] == GREEDY_AT
    for x, texts in zip(numbers, found["numbers"], strict=True):
        assert [repr(x).removesuffix(".0"), f"{x:g}", f"{x:.3g}"] == texts[:3], x
        assert isinf(x) or [f"{x:.0f}", f"{x:.2f}"] == texts[3:], x
    assert [words.percent(share) for share in shares] == found["shares"]
    assert [[words.temperature(t), words.at(t)] for t in temperatures] == found["temperatures"]
    assert [words.visible(chr(code)) for code in codes] == found["characters"]

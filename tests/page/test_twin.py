"""The page's JavaScript says what Python says: readings, temperatures, bounds, noise, replays and sentences."""

import json
import random
import sys
from dataclasses import asdict, replace
from itertools import chain
from math import inf, isclose, isinf, isnan
from pathlib import Path

import pytest
from tests.page import fixtures, recordings

import dyntemp.page.tables
from dyntemp import Policy
from dyntemp.filters import GREEDY_AT
from dyntemp.functions import FUNCTIONS
from dyntemp.replay import missing, replay
from dyntemp.show import words
from dyntemp.signals import SIGNALS
from dyntemp.trace import plain

SCRIPTS = Path(dyntemp.page.tables.__file__).parent / "js"
START = """
const revived = (key, value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);
const plain = (key, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value);
"""


@pytest.fixture
def ask(page):
    """`ask(script, data)`: the value of a script's last `return` in a page that has the modules and `data`."""

    def answer(route):
        path = SCRIPTS / route.request.url.rpartition("/")[2]
        if path.suffix == ".js":
            route.fulfill(body=path.read_text(), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>twin</title>", content_type="text/html")

    page.route("**/*", answer)
    page.goto("http://127.0.0.1/twin")

    def run(script, data):
        imports = "const load = (name) => import(`/${name}.js`);\n"
        body = f"async (text) => {{ {START}{imports}const data = JSON.parse(text, revived);\n"
        given = json.dumps({**data, "table": dyntemp.page.tables.table()}, allow_nan=False)
        return json.loads(page.evaluate(f"{body}return JSON.stringify(await (async () => {{ {script} }})(), plain); }}",
                                        given))  # fmt: skip

    return run


READ = """
const { makeLanguage } = await load("language");
const { PolicyError } = await load("errors");
const language = makeLanguage(data.table);
return data.texts.map((text) => {
  try {
    const { text: written, signals, remembers, parameters, isTemplate, terms, bounds } = language.parse(text);
    const ranges = isTemplate ? [] : data.supports.map((support) => bounds(support));
    const ends = ranges.map(({ low, high }) => [low, high]);
    return { text: written, signals, remembers, parameters, isTemplate, terms, bounds: ends };
  } catch (error) {
    if (!(error instanceof PolicyError)) return { crash: error.stack };
    return { error: error.message, position: error.position };
  }
});
"""


def readings(ask, texts):
    found = ask(READ, {"texts": texts, "supports": fixtures.SUPPORTS})
    return [(text, fixtures.reading(text), here) for text, here in zip(texts, found, strict=True)]


def close(left, right, within):
    return left == right or isclose(float(left), float(right), rel_tol=within)


def test_policies_are_read_alike(ask):
    texts = list(fixtures.readable(400))

    for text, there, here in readings(ask, texts):
        bounds, found = there.pop("bounds"), here.pop("bounds")
        assert there == here, text
        for one, other in zip(chain(*bounds), chain(*found), strict=True):
            assert close(one, other, 1e-9), (text, bounds, found)

    assert len(texts) > 600
    assert {name for name in (*SIGNALS, *FUNCTIONS) if not any(name in text for text in texts)} == set()


def test_mistakes_are_told_in_the_same_words(ask):
    for text, there, here in readings(ask, fixtures.MISTAKES):
        assert ("error" in there) == ("error" in here), (text[:200], here)
        if "cannot read this" in there.get("error", "") and sys.version_info >= (3, 12):
            continue  # these words are those of Python's parser, and the page has those of 3.11
        assert there.get("error") == here.get("error"), text[:200]
        assert there.get("position") == here.get("position"), text[:200]


def test_soups_of_words_are_refused_alike(ask):
    texts = [*fixtures.random_soups(1500), *fixtures.random_policies(300)]

    for text, there, here in readings(ask, texts):
        assert "crash" not in here, here
        assert ("error" in there) == ("error" in here), (text, there, here)
        if "cannot read this" not in there.get("error", ""):  # where the words are those of Python's own parser
            assert there.get("position") == here.get("position"), (text, there, here)


COMPUTE = """
const { valueOf } = await load("nodes");
return data.operations.map(({ kind, name, operands }) =>
  operands.map((edges) => Number(valueOf({ kind, name }, edges))));
"""


def test_operations_are_equal_at_the_edges(ask):
    operations = fixtures.operations()
    sent = [plain(one | {"values": None}) for one in operations]

    for one, found in zip(operations, ask(COMPUTE, {"operations": sent}), strict=True):
        for operands, there, here in zip(one["operands"], one["values"], found, strict=True):
            if one["name"] == "**" and operands[0] < 0 and operands[1] % 1:
                continue  # no policy reaches a root of a negative number, on which libraries differ
            assert close(there, here, 1e-12) or (isnan(there) and here == "NaN"), (one["name"], operands)


STEP = """
const { makeLanguage } = await load("language");
const { Evaluation } = await load("evaluate");
const language = makeLanguage(data.table);
return data.requests.map(({ text, parameters, rows, surprisals }) => {
  const evaluation = new Evaluation(language.parse(text), parameters);
  return rows.map((row, at) => {
    const step = evaluation.step(row, row.position);
    evaluation.observe(surprisals[at]);
    return step;
  });
});
"""


def test_temperatures_are_equal(ask):
    rng = random.Random(3)
    requests = [fixtures.steps(text, rng) for text in fixtures.readable(400) if not Policy(text).is_template]
    wanted = [request.pop("temperatures") for request in requests]
    infinite = finite = 0

    for request, there, here in zip(requests, wanted, ask(STEP, {"requests": requests}), strict=True):
        for at, (temperature, step) in enumerate(zip(there, here, strict=True)):
            assert close(temperature, step["temperature"], 1e-12), (
                request["text"],
                request["rows"][at],
                temperature,
                step,
            )
            infinite, finite = infinite + isinf(temperature), finite + (0 < temperature < inf)

    assert infinite > 40
    assert finite > 3000


def test_noise_is_equal_to_the_bit(ask):
    draws = fixtures.noise(2000)
    script = 'const { uniform } = await load("philox"); return data.keys.map((key) => uniform(...key));'

    assert [draw["value"] for draw in draws] == ask(script, {"keys": [draw["key"] for draw in draws]})


REPLAY = """
const { makeLanguage } = await load("language");
const { readToken } = await load("traces");
const { missing, replay } = await load("replay");
const { changed } = await load("words");
const language = makeLanguage(data.table);
const policies = data.policies.map((text) => language.parse(text));
return data.runs.map(({ seed, tokens }) => {
  const read = tokens.map((token, at) => readToken(token, at + 2));
  return policies.map((policy) => {
    const lacks = missing(read, policy);
    if (lacks.length) return { lacks };
    const found = replay(read, policy, { seed, requested: 0.75, given: { kl: 3.5 } });
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
            there = replay(tokens, policy, seed=seed, requested=0.75, given={"kl": 3.5})
            assert [words.changed(token, one) for token, one in zip(tokens, there, strict=True)] == here["sentences"]
            for one, other in zip(there, here["found"], strict=True):
                assert close(one.temperature, other["temperature"], 1e-12)
                assert [term.text for term in one.terms] == [term["text"] for term in other["terms"]]
                for term, value in zip(one.terms, other["terms"], strict=True):
                    assert close(term.value, value["value"], 1e-12)
                assert one.alternatives == pytest.approx(other["alternatives"], rel=1e-9, abs=1e-15)
                for field, name in FIELDS.items():
                    assert getattr(one, field) == pytest.approx(other[name], rel=1e-9, abs=1e-12), (text, field)
                assert (one.kept, one.instead) == (other["kept"], other["instead"])
                parted, elsewhere = parted + (not one.kept), elsewhere + (not one.kept and one.instead is None)

    assert parted > 300
    assert elsewhere > 20


REFUSE = """
const { makeLanguage } = await load("language");
const { readToken } = await load("traces");
const { replay } = await load("replay");
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
    cases = [
        ([], "1", {}), (tokens[3:], "1", {}), (tokens[3:], "surprisal", {}), (tokens[3:], "prev(entropy)", {}),
        ([*tokens[:3], *tokens[4:]], "1", {}), ([*tokens[:3], replace(tokens[3], request=1)], "1", {}), (bare, "1", {}),
        ([replace(token, rest=()) for token in tokens], "1", {}), (tokens, "quantile(0.3) + top_mass(7)", {}),
        (tokens, 'given("kl", 0, 20)', {}), (tokens, theta, {}), (tokens, theta, {"theta": 0.5}),
        (tokens, theta, {"theta": 3.0}), (tokens, theta, {"teta": 0.5}), (tokens, "1", {"theta": 0.5}),
        (tokens, "a + b*entropy", {"a": 0.1}), (tokens, "a*entropy", {}), (tokens, "1 + H", {}),
    ]  # fmt: skip
    sent = [{"tokens": [token.to_json() for token in some], "policy": policy, "parameters": parameters}
            for some, policy, parameters in cases]  # fmt: skip

    assert [refused(*case) for case in cases] == ask(REFUSE, {"cases": sent})


SAY = """
const { readToken } = await load("traces");
const { decoded, explain, flowing, quoted } = await load("words");
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
const { atTemperature, percent, temperature, visible, GREEDY_AT } = await load("words");
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

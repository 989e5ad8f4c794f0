"""Whatever the token, each claim of its sentence holds: what the sentence says is parsed and checked by the numbers."""

import re
from dataclasses import replace
from math import inf

from hypothesis import event, given, settings
from hypothesis import strategies as some
from tests.show.tokens import make

from dyntemp.show.words import explain

SHARE = re.compile(r"`([^`]*)` (<0\.01|>99\.9|[0-9.]+)%")
PARTS = re.compile(r"^(?P<standing>.*?); (?P<effect>.*?); (?P<came>.*)$")


def agrees(text, probability):
    """True if a percentage is right for a probability: to half of its last place, and its < and >."""
    if text[0] == "<":
        return 0 < probability < 0.0001
    if text[0] == ">":
        return 0.9995 <= probability < 1
    places = len(text.partition(".")[2])
    if text in ("0", "100"):
        return probability == float(text) / 100
    digits = 0.0005 if probability < 0.1 else 0.005
    return abs(float(text) / 100 - probability) <= max(0.5 * 10.0**-places / 100, digits * probability) * (1 + 1e-9)


@some.composite
def tokens(draw):
    """Tokens of all kinds: certain and torn rows, ties, long tails, all temperatures, filters, origins."""
    count = draw(some.integers(2, 8))
    weight = some.one_of(some.floats(1e-9, 1), some.sampled_from([0.0, 0.25, 0.5, 1.0, 30.0, 3000.0]))
    weights = draw(some.lists(weight, min_size=count, max_size=count).filter(any))
    tail = draw(some.sampled_from([0, 0, 40, 400]))
    weights += [draw(some.floats(1e-6, 0.05))] * tail
    temperature = draw(
        some.one_of(
            some.floats(0.05, 5),
            some.sampled_from([0.0, 1e-7, 0.999999, 1.0, 1.000001, 1.0004, 1.003, 30.0, 3e6, inf]),
        )
    )
    top_k = draw(some.sampled_from([0, 0, 1, 2, 3, 40]))
    named = draw(some.sampled_from([0, 1, 2, 5, 10, 10, 10]))
    support = draw(some.sampled_from([True, True, False]))
    origin = draw(some.sampled_from(["drawn", "drawn", "forced", "kept", "parted"]))
    wanted = [number for number, one in enumerate(weights) if one > 0]
    token = make(weights, temperature, drawn=draw(some.sampled_from(wanted)), top_k=top_k, named=named,
                 support=support, origin=origin)  # fmt: skip
    if origin != "forced" and token.probability_after == 0:  # no draw gives such a token
        likeliest = max(range(len(weights)), key=lambda number: (weights[number], -number))
        token = make(weights, temperature, drawn=likeliest, top_k=top_k, named=named, support=support, origin=origin)
    return token


def check_standing(text, token):
    kind = re.match(r"sure of|torn between|leaning to|undecided|the likeliest was", text)
    event(kind.group())
    shares = SHARE.findall(text)
    first = token.alternatives[0]
    named = token.alternatives[: len(shares)]
    assert shares
    for (name, share), alternative in zip(shares, named, strict=True):
        assert name == alternative.text.replace(" ", "␣")
        assert agrees(share, alternative.probability)
    total = sum(alternative.probability for alternative in named)
    match kind.group():
        case "sure of":
            assert len(named) == 1
            assert first.probability >= 0.95
        case "torn between":
            assert 2 <= len(named) <= 3
            assert named[-1].probability >= first.probability / 2
            assert total >= 0.5
            assert all(other.probability < first.probability / 2 for other in token.alternatives[len(named) :])
        case "leaning to":
            assert named[1].probability < first.probability / 2
            assert total >= 0.5
        case "undecided":
            more = [other for other in token.alternatives[:4] if other.probability >= first.probability / 2]
            assert total < 0.5 or len(more) > 3
        case _:
            assert len(token.alternatives) == 1 or token.alternatives[1].probability == 0
    return named


def check_effect(text, token, named):
    said = re.search(r"T (=|≈|<|>) (inf|[0-9.]+)", text)
    relation, value = said.group(1), float(said.group(2))
    assert {
        "=": abs(value - token.temperature) <= 0.006 * value if value not in (0, inf) else value == token.temperature,
        "≈": value in (0, 1) and abs(value - token.temperature) < 5e-3 and value != token.temperature,
        "<": token.temperature < value,
        ">": token.temperature > value,
    }[relation]
    left = re.search(r"left ([0-9,]+) of ([0-9,]+)|with ([0-9,]+) candidates left|each of ([0-9,]+)", text)
    if left:
        kept, of, *others = (group and int(group.replace(",", "")) for group in left.groups())
        assert token.candidates == (kept or others[0] or others[1])
        if of:
            assert token.candidates < of == token.signals["support"]
    if "greedy" in text:
        event("greedy")
        assert token.temperature <= 1e-6
        assert token.alternatives[0].probability_after == 1
        return
    assert token.temperature > 1e-6
    if "same chance" in text:
        kept = {alternative.probability_after for alternative in token.alternatives} - {0}
        assert token.temperature == inf
        assert all(abs(after - 1 / token.candidates) < 1e-12 for after in kept)
        return
    unfiltered = token.signals.get("support") == token.candidates
    for word in ("sharpened", "flattened", "left that as it is"):
        if word in text:
            event(word)
            assert unfiltered
            before = token.signals["entropy"]
            wrong = {"sharpened": token.entropy_after - before, "flattened": before - token.entropy_after}
            assert wrong.get(word, abs(token.entropy_after - before)) <= 1e-9
            assert {"sharpened": token.temperature < 1, "flattened": token.temperature > 1}.get(
                word, token.temperature == 1
            )
    figures = re.search(r"(?:made that|that to) ([0-9.<>/]+)%$", text)
    if figures:
        shares = figures.group(1).split("/")
        assert len(named) == len(shares)
        for share, alternative in zip(shares, named, strict=True):
            assert agrees(share, alternative.probability_after)
    elif "hardly moved" in text:
        event("hardly moved")
        assert all(abs(one.probability_after - one.probability) <= 0.01 for one in named)
        assert all(one.probability_after / one.probability < 1.12 for one in named if one.probability_after >= 0.0001)
    else:
        assert "left that as it is" in text


def check_came(text, token, named):
    event(token.origin)
    wording = {
        "forced": r"`(.*)` was put here, not drawn", "kept": r"kept `(.*)` of the run that it follows",
        "parted": r"parted from the run that it follows and drew `(.*)`",
        "drawn": r"took `(.*)`" if token.temperature <= 1e-6 else r"drew `(.*)`",
    }  # fmt: skip
    said = re.match(wording[token.origin] + r"(?P<odds> against the odds)?", text)
    assert said.group(1) == token.bytes.decode().replace(" ", "␣")
    if said["odds"]:
        event("against the odds")
        assert token.origin != "forced"
        assert token.surprisal_after - token.entropy_after >= 2
    figures = re.search(r", ([0-9.<>]+)% before and ([0-9.<>]+)% after", text)
    assert bool(figures) != any(alternative.token == token.token for alternative in named)
    if figures:
        assert agrees(figures.group(1), token.probability)
        assert agrees(figures.group(2), token.probability_after)


@settings(max_examples=1500, deadline=None)
@given(tokens())
def test_every_claim_of_a_sentence_holds(token):
    text = explain(token)
    if not token.alternatives:
        event("no alternatives")
        assert text.endswith("; the trace names no alternatives")
        check_came(text.partition(", at T")[0], token, ())
        return
    if "could not matter" in text:
        event("one candidate")
        other = replace(token, temperature=token.temperature * 7 + 1)
        assert token.candidates == 1
        assert token.alternatives[0].probability_after == 1
        assert explain(other).split("; ")[0] == text.split("; ")[0]
        check_came(text.partition("could not matter; ")[2], token, token.alternatives[:1])
        return
    assert token.candidates > 1
    parts = PARTS.match(text)
    named = check_standing(parts["standing"], token)
    check_effect(parts["effect"], token, named)
    check_came(parts["came"], token, named)

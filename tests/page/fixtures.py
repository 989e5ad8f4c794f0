"""Python's results, which the page's JavaScript has to repeat: readings, temperatures, bounds, noise, numbers.

Nothing here is kept in a file: every case is made when the tests run, by the library itself.
"""

from __future__ import annotations

import random
from functools import cache
from itertools import product
from math import inf, isclose, log
from typing import Any

import numpy as np
from tests.language.test_parse import BAD, GOOD, HOSTILE
from tests.language.test_properties import random_expression, random_soup
from tests.learned import LEARNED, LEARNED_REMEMBERING

from dyntemp import Policy, PolicyError
from dyntemp.distribution.noise import Purpose, uniform
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.operators import COMPARISONS, OPERATORS
from dyntemp.language.signals import ANY_SUPPORT, SIGNALS
from dyntemp.language.terms import terms
from dyntemp.methods import METHODS
from dyntemp.traces.token import plain

SPELLINGS = {"quantile": "quantile(0.9)", "top_mass": "top_mass(5)", "given": 'given("kl", 0, 20)',
             "inside": 'inside("think")',
             "temperature_for_entropy": "temperature_for_entropy(0.85*entropy)"}  # fmt: skip
SIGNAL_TEXTS = [SPELLINGS.get(name, name) for name in SIGNALS]

HANDMADE = [
    *(f"clip({signal}, 0.05, 2)" for signal in SIGNAL_TEXTS),
    *(f"where({signal} {sign} 0.5, {signal}, 1/max({signal}, 0.001))" for signal in SIGNAL_TEXTS
      for sign in ("<", "<=", ">", ">=")),
    *(f"clip({name}({', '.join('entropy < 1' if part == 'condition' else 'max_prob' for part in record.arguments)}), "
      "0, 2)" for name, record in FUNCTIONS.items() if not record.remembers and name != "clip"),
    "0.8**(1/0 + 0*max_prob)", "0.8**(1/entropy)", "1**(1/max(entropy, 1e-3))", "0.5 + 1/max(0, margin - 2)",
    "max_prob**0", "(max_prob - 1)**2", "(entropy - 2)**3 + 9", "(entropy - 2)**-2", "2**-entropy", "entropy**0.5",
    "abs(entropy - 2)", "halfcos(entropy/3)",
    "tanh(entropy - 2) + 1", "sigmoid(entropy - 2)", "sigmoid(-1000*entropy)", "exp(-entropy)",
    "log(perplexity)", "log(support) + 0*max_prob", "sqrt(varentropy)", "exp(800 + entropy)", "1e300*(1 + entropy)*1e9",
    "lerp(0.3, 1.3, normalized_entropy)", "lerp(max_prob, 1, normalized_entropy)", "max(entropy, 0.3, max_prob, 1/2)",
    "entropy*(14 - entropy)", "max_prob*(1 - max_prob)*(2 - max_prob)", "entropy*(1 - max_prob)*(14 - entropy)",
    'param("theta", 0.1, 2)*entropy', 'param("theta", 0.1, 2) + param("theta", 0.1, 2)*max_prob', "a + b*entropy",
    "clip(lerp(0.3, 1.3, entropy/8) - 0.4*max_prob, 0.05, 2)", "2 - (max_prob - (entropy/20 - margin)) + -(-support)",
    "max(0.7 - 0.5*max_prob - 0.1, 0.05)", "min(clip(entropy - -max_prob, 0, 3), 2)", "max(0.1, 0.5*entropy, 0.2)",
    "1.5 - lerp(0.3, 1.3, max_prob)", "1 + -(max_prob**2)/2", "requested*0.5 + position*1e-4",
    "0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)", "ema(entropy, 0.9)", "prev(entropy)", "surprisal",
    "ema(entropy, 0.9) + ema(entropy, 0.9)", "ema(ema(max_prob, 0.5), max_prob)", "prev(prev(prev(entropy)))",
    "integral(surprisal - 1, 0, 3)", "ema(surprisal, 0) + ema(surprisal, 1)", "prev(surprisal) + prev(position)",
    "0.5 + integral(prev(margin) - ema(max_prob, 0.3), -0.5, 0.5)", "where(prev(max_prob) > 0.5, 0.3, 1)",
    "20 + prev(entropy) - entropy", "20 + ema(entropy, 0.9) - entropy", "1 + max_prob - prev(max_prob)*max_prob",
    "temperature_for_entropy(min(1, 0.5*entropy + max_prob))", "temperature_for_entropy(quantile(0.5))",
    'inside("x")*(1 - inside("x"))', '0.3 + inside("x")*max_prob*(1 - max_prob)', '1/abs(2*inside("x") - 1)',
    'abs(inside("x") - prev(inside("x"))) + inside("y")*ema(inside("y"), 0.5)*(2 - inside("x"))',
    'given("kl", 0, 20,)', "requested", "max(requested, 0.3)", *LEARNED, *LEARNED_REMEMBERING,
]  # fmt: skip
"""Every signal, every function, and what tends to go wrong: infinities, signs, folding, sums inside limits."""

MISTAKES = [
    *BAD, *HOSTILE.values(), "T = 0.7", "temperature = 0.7", "(T = 0.7)", "0.1 + 0.8 entropy", "(0.1 + 0.8 entropy)",
    "0.1 + 0.8*Entropy", "0.1 + 0.8*entropy)", "clip(entropy, 0.1, 2", "clip(entropy; 0.1, 2)", "max(entropy 1)",
    "0.8*max_prob +", "* 2", "2x", "2entropy", "0,1 + entropy", "entropy ^ 2", "50%", "entropy > 1 ? 1 : 2",
    "if entropy > 1: 2", "entropy && 1", "entropy || 1", "!entropy", "not entropy", "-", "()", "[entropy]", "{entropy}",
    "where(entropy > 1, 0.5)", "where(entropy = 1, 0.5, 1)", "max()", "min(1)", "sqrt()", "log(entropy, 2)",
    "ln(entropy)",
    "sin(entropy)", "np.log(entropy)", "math.exp(1)", "max_prob()", "quantile(0.5, 1)", "top_mass(-1)", "maxprob*2",
    "normalised_entropy", "normalized entropy", "perplexety", "suport", "varentrophy", "median_probability", "kl",
    "given(kl, 0, 20)", "param(theta, 0, 1)", 'param("theta")', 'param("2x", 0, 1)', "0.3 - 0.4*max_prob", "-entropy",
    "1 - entropy", "entropy - max_prob", "log(entropy)", "1/entropy - 1", "entropy/entropy", "entropy/log(support)",
    "max_prob/margin", "0*(1/entropy)", "1/entropy - 1/max_prob/entropy", "(1/entropy)**0", "1**(1/entropy)",
    "log(entropy - 1)", "sqrt(max_prob - 1)", "(entropy - 1)**0.5", "ema(entropy, 2)", "ema(entropy, -0.5)",
    "integral(1/entropy, 0, 1)", "clip(entropy, max_prob, margin)", "entropy/(margin - 0.5)", "max_prob/(1 - max_prob)",
    'param("a", 0, 1) + param("a", 0, 2)', "k - 1", "H", "1 - H", "p*T", "0x", "0b2", "1__0", "1_", "1e", "1e+", "007",
    "'entropy", "entropy'", "\"a\" 'b'", "entropy\\", "max(*[1, 2])", "max(1, **a)", "max(x=1, 2)", "lambda x: x",
    "yield", "(yield)", "await entropy", "import x", "1 if entropy", "(1 if entropy)", "x for x in y", "[x for x in y]",
    "(x for x in y)", "max(x for x in y)", "entropy is 1", "entropy in 1", "entropy not in 1", "1 < 2", "1 < 2 < 3",
    "entropy @ 2", "entropy // 2", "entropy << 1", "~entropy", "f'{1}'", "b'a'", "u'a'", "r'a'", "1j", "1.5j", "...",
    "True", "None", "False + 1", "0.8×entropy", "0.8·entropy", "1 − entropy", "“entropy”", "entropy≥1", "é", "\u200b1",
    "0.5\x00", "0.5 # note", "0.5;", "$entropy", "entropy?", "`entropy`", "a" * 40, "é" * 5, "😀 + 1",
    "1 + " * 40 + "oops" + " + 1" * 20, "  0.1 + 0.8*entropi  ", "\n0.1 +\n 0.8*entropi", "param('é', 0, 1)",
    'param("it\'s", 0, 1)', "param('\\n', 0, 1)", "given('', 0, 1)", "top_mass(0.5 + 0.5)", "quantile(-0.0)", "-0.0",
    "entropy_in_nats", "where(entropy/entropy < 1, 1, 2)",
    'given("k" "l", 0, 20)', "1if entropy > 1 else 2", "0.5in entropy", "0x1for x in y", "1or 2", "1e5and 2",
]  # fmt: skip
"""What people write by mistake: each is to be told the same, in the same words, at the same place."""

EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e-300, 5e-324, 1e300, -1e300, 710.0, -745.0, 0.1, inf,
         -inf]  # fmt: skip
"""Operands that tend to be treated differently."""

SUPPORTS = (None, 1, 2, 50_257)


def close(left: Any, right: Any, within: float) -> bool:
    """True if two numbers, or their texts, differ by a share of `within` at most."""
    return bool(left == right) or isclose(float(left), float(right), rel_tol=within)


def random_policies(count: int) -> list[str]:
    """Texts of random expressions, plain and inside `clip`."""
    found = []
    for seed in range(count):
        rng = random.Random(seed)
        try:
            text = str(random_expression(rng, rng.randint(0, 4)))
        except PolicyError:
            continue
        found += [text, f"clip({text}, 0.05, 2)"]
    return found


def random_soups(count: int) -> list[str]:
    """Words in random order, without lone surrogates, which do not travel to a browser."""
    soups = (random_soup(random.Random(seed)) for seed in range(count))
    return [soup for soup in soups if soup.encode(errors="replace").decode() == soup]


@cache
def readable(count: int) -> tuple[str, ...]:
    """All texts that are policies, of the handmade, the published and `count` random ones."""
    methods = [str(method.make()) for method in METHODS.values()]
    texts = dict.fromkeys([*methods, *HANDMADE, *GOOD, *random_policies(count)])
    return tuple(text for text in texts if "error" not in reading(text))


def reading(text: str) -> dict[str, Any]:
    """The reading of a text: a policy and all that is known of it, or a refusal."""
    try:
        policy = Policy(text)
    except PolicyError as error:
        return {"error": str(error), "position": error.position}
    return {
        "text": str(policy), "signals": [str(signal) for signal in policy.signals], "remembers": policy.remembers,
        "parameters": [{"name": one.name, "low": one.low, "high": one.high} for one in policy.parameters.values()],
        "isTemplate": policy.is_template, "terms": [part.text for part in terms(policy.computed)],
        "bounds": [] if policy.is_template else [list(policy.bounds(support)) for support in SUPPORTS],
    }  # fmt: skip


def hostile(name: str, low: float, high: float, rng: random.Random) -> float:
    """A value in the range of a signal, mostly where it hurts."""
    ends = [low, high, min(max(1.0, low), high), min(max(log(49_152), low), high), min(max(5e-324, low), high)]
    if name in ("support", "position"):
        return float(round(rng.choice([low, rng.uniform(low, min(high, 50_000)), 49_152.0])))
    spread = low + (min(high, 20.0) - low) * rng.random()
    return rng.choice([*ends, spread, spread, spread, spread])


def steps(text: str, rng: random.Random, count: int = 8) -> dict[str, Any]:
    """One request under a policy: signals that hurt, surprisals, and the temperatures that Python gives."""
    policy = Policy(text)
    given_values = {name: rng.choice([one.low, one.high, rng.uniform(one.low, one.high)])
                    for name, one in policy.parameters.items()}  # fmt: skip
    state = policy.state(window=count + 1)
    rows, surprisals, temperatures = [], [], []
    for position in range(count):
        row = {}
        for signal in policy.program.signals:
            low, high = SIGNALS[signal.name].bounds(ANY_SUPPORT, *signal.arguments)
            row[str(signal)] = hostile(signal.name, low, high, rng)
        row["position"] = float(position)
        if rng.random() < 0.3:
            row.pop("requested", None)  # it is 1 then
        found = policy.step({name: [value] for name, value in row.items()}, state=state, slot=[0],
                            position=[position], parameters=given_values)  # fmt: skip
        temperatures.append(float(found[0]))
        rows.append(row)
        surprisals.append(rng.choice([0.0, 60.0, rng.expovariate(0.4)]))
        state.observe([0], position, np.array(surprisals[-1:]))
    return plain({"text": text, "parameters": given_values, "rows": rows, "surprisals": surprisals}) | {
        "temperatures": temperatures
    }


def operations() -> list[dict[str, Any]]:
    """Every operator, comparison and function without memory on all pairs of edges, or some of the triples."""
    rng = random.Random(5)
    pairs = list(product(EDGES, EDGES))
    triples = rng.sample(list(product(EDGES, EDGES, EDGES)), 1500)
    found = []

    def add(kind: str, name: str, compute: Any, many: list[Any]) -> None:
        with np.errstate(all="ignore"):
            values = [float(compute(*operands)) for operands in many]
        found.append({"kind": kind, "name": name, "operands": many, "values": values})

    for symbol, operator in OPERATORS.items():
        add("binary", symbol, operator.value, pairs)
    for symbol, compute in COMPARISONS.items():
        add("comparison", symbol, compute, pairs)
    for name, record in FUNCTIONS.items():
        if not record.remembers:
            several = {1: [(edge,) for edge in EDGES], 2: pairs, 3: triples}
            add("call", name, record.value, several[len(record.arguments)])
    return found


def noise(count: int) -> list[dict[str, Any]]:
    """Keys of draws, the extremes first, and their uniforms."""
    rng = random.Random(0)
    extremes = product((0, 2**64 - 1, 2**63), (0, 2**32 - 1), (0, 2**32 - 1), (0, 1), Purpose)
    keys = [*extremes, *((rng.getrandbits(64), rng.getrandbits(32), rng.getrandbits(32), rng.getrandbits(4),
                          rng.choice(list(Purpose))) for _ in range(count))]  # fmt: skip
    return [{"key": [str(seed), *rest], "value": uniform(seed, *rest)} for seed, *rest in keys]


def numbers(count: int) -> list[float]:
    """Floats of every size, whole ones, halves between digits, and the ends of what float64 holds."""
    rng = random.Random(2)
    halves = [0.125, 0.375, 2.5, 0.5, 1.5, 12.5, 0.0625, 1e15 + 0.5, 1234.5, 99999.5, 999999.5, 0.00012345]
    ends = [0.0, -0.0, 1.0, -1.0, 5e-324, 1.7976931348623157e308, 1e16, 9999999999999998.0, 1e21, 1e-4, 1e-5, inf, -inf]
    sizes = [rng.choice([1, -1]) * rng.random() * 10 ** rng.uniform(-20, 20) for _ in range(count)]
    return [*halves, *ends, *sizes, *(float(rng.getrandbits(40)) for _ in range(50))]

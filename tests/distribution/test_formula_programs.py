"""Every filter against its formula in exact fractions and in 40 digits, on small rows, ties and bounds included."""

from fractions import Fraction
from math import log

import mpmath
import numpy as np
import pytest

from dyntemp.distribution.filter_table import FILTERS
from dyntemp.distribution.filters import Filters

mpmath.mp.dps = 40


def entropy(p):
    return -mpmath.fsum(mpmath.mpf(x.numerator) / x.denominator * ln(x) for x in p if x)


def ln(x):
    return mpmath.log(mpmath.mpf(x.numerator) / x.denominator)


def at_most(one, other):
    """One number of 40 digits is at most another; numbers that are equal to 25 digits are equal."""
    return one <= other + mpmath.mpf(10) ** -25


def falling(p):
    return sorted(range(len(p)), key=lambda at: (-p[at], at))


def until(order, p, share):
    """The entries up to and with the one that brings the sum to `share`."""
    total, found = Fraction(0), []
    for at in order:
        if total >= share:
            break
        total += p[at]
        found.append(at)
    return found


def tail_free(p, z):
    order = falling(p)
    if len(p) <= 2:
        return order
    bends = [abs(p[order[k]] - 2 * p[order[k + 1]] + p[order[k + 2]]) for k in range(len(p) - 2)]
    if not sum(bends):
        bends = [Fraction(1)] * len(bends)
    return order[: 1 + sum(sum(bends[: k + 1]) <= z * sum(bends) for k in range(len(bends)))]


def top_h(p, alpha):
    order, bound = falling(p), mpmath.mpf(alpha.numerator) / alpha.denominator * entropy(p)
    count = 1
    while count < len(p):
        total = sum(p[at] for at in order[: count + 1])
        if not at_most(entropy([p[at] / total for at in order[: count + 1]]), bound):
            break
        count += 1
    return order[:count]


def distances(p):
    """Distance of each entry's surprisal to the entropy, in units of 1e-30."""
    h = entropy(p)
    return [int(mpmath.nint(abs(-ln(x) - h) * 10**30)) for x in p]


def typical(p, share):
    away = distances(p)
    return until(sorted(range(len(p)), key=lambda at: (away[at], at)), p, share)


def eta(p, epsilon):
    e = mpmath.mpf(epsilon.numerator) / epsilon.denominator
    bound = min(e, mpmath.sqrt(e) * mpmath.exp(-entropy(p)))
    return [at for at, x in enumerate(p) if at_most(bound, mpmath.mpf(x.numerator) / x.denominator) or x == max(p)]


def top_n_sigma(p, n):
    z = [ln(x) for x in p]
    mean = mpmath.fsum(z) / len(z)
    sigma = mpmath.sqrt(mpmath.fsum((x - mean) ** 2 for x in z) / len(z))
    return [at for at, x in enumerate(z) if at_most(max(z) - n.numerator * sigma / n.denominator, x)]


def xtc(p, threshold):
    choices = [at for at, x in enumerate(p) if x >= threshold]
    if len(choices) < 2:
        return list(range(len(p)))
    last = min(choices, key=lambda at: (p[at], at))
    return [at for at in range(len(p)) if at not in choices or at == last]


EXACT = {
    "top_k": lambda p, k: falling(p)[: int(k)],
    "top_p": lambda p, share: until(falling(p), p, share),
    "min_p": lambda p, share: [at for at, x in enumerate(p) if x >= share * max(p)],
    "top_n_sigma": top_n_sigma,
    "typical": typical,
    "eta": eta,
    "epsilon": lambda p, epsilon: [at for at, x in enumerate(p) if x >= epsilon or x == max(p)],
    "top_a": lambda p, a: [at for at, x in enumerate(p) if x >= a * max(p) ** 2],
    "tfs": tail_free,
    "xtc": xtc,
    "p_less": lambda p: [at for at, x in enumerate(p) if x >= sum(y * y for y in p)],
    "top_h": top_h,
}


def arguments(rng, name, p):
    """An argument of a filter: half of them are bounds that an entry or a sum of them equals."""
    if name == "p_less":
        return ()
    if name == "top_k":
        return (Fraction(int(rng.integers(1, 9))),)
    bounds = {
        "top_p": [sum(p[at] for at in falling(p)[: k + 1]) for k in range(len(p) - 1)],
        "epsilon": [x for x in p if x < max(p)],
        "xtc": [x for x in p if x < 1],
        "top_a": [x / max(p) ** 2 for x in p if x < max(p) ** 2],
    }.get(name, [])
    if bounds and rng.random() < 0.5:
        return (bounds[int(rng.integers(len(bounds)))],)
    return (Fraction(int(rng.integers(1, 1000)), 1000) * (3 if name == "top_n_sigma" else 1),)


@pytest.mark.parametrize("name", FILTERS)
def test_small_rows_keep_what_the_formula_says(name):
    """500 rows of one to seven entries with small whole weights.

    Two cases are left to rounding: a bound of min-p that an entry equals, and entries of different p that are equally
    near to the entropy.
    """
    rng = np.random.default_rng(sum(map(ord, name)))
    for _ in range(500):
        weights = rng.integers(1, 7, int(rng.integers(1, 8))).tolist()
        p = [Fraction(weight, sum(weights)) for weight in weights]
        given = arguments(rng, name, p)
        if name == "min_p" and any(x == given[0] * max(p) for x in p):
            continue
        if name == "typical" and len(set(distances(p))) < len(set(p)):
            continue
        numbers = [str(int(given[0]))] if name == "top_k" else [repr(float(x)) for x in given]
        chain = f"{name}({', '.join([*numbers, '1'] if name == 'xtc' else numbers)})"
        z = np.array([log(weight) for weight in weights])
        found = np.flatnonzero(Filters.read(chain).mask(z, 1.0, lambda number: 0.0)).tolist()

        assert sorted(EXACT[name](p, *given)) == found, (weights, chain)


@pytest.mark.parametrize(
    ("logits", "chain", "kept"),
    [
        ([2.0, 1.0, 0.0, -2.0], "top_a(0.5)", [0, 1]),
        ([10.0, 0.0, 0.0, 0.0], "eta(0.95)", [0]),
        ([10.0, 9.0, 0.0, -1.0], "top_n_sigma(0.1)", [0]),
        ([4.0, 3.5, 3.0, 0.0], "xtc(0.1, 1)", [2, 3]),
        ([5.0, 4.0, 3.0, 2.0, 1.0], "tfs(0.1)", [0]),
        ([8.0, 2.0, 1.0, 0.0], "typical(0.2)", [0]),
    ],
)
def test_sets_that_the_tests_of_aphrodite_expect(logits, chain, kept):
    """tests/v1/sample/test_aphrodite_sampler_ops.py."""
    mask = Filters.read(chain).mask(np.array(logits), 1.0, lambda number: 0.0)

    assert kept == np.flatnonzero(mask).tolist()


def test_where_nothing_reaches_epsilon_the_likeliest_stay():
    """Aphrodite keeps the first of them; transformers and dyntemp all."""
    assert Filters.read("epsilon(0.95)").mask(np.zeros(4)).all()

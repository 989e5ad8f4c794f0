"""The formulas of the sources, recomputed with 40 digits, and the values that sources and their tests name."""

import json
from decimal import Decimal, getcontext
from math import e, log

import numpy as np
import pytest

from dyntemp import temperatures
from dyntemp.methods import METHODS, fixed_entropy, target_entropy

getcontext().prec = 40
LN2 = Decimal(2).ln()
QR_ROW = [2, 1, 0.5, 0, -0.5, -1, -1.5, -2]
ROWS = {
    "four": [log(0.1), log(0.2), log(0.3), log(0.4)],
    "peaked": [log(0.97), log(0.01), log(0.01), log(0.01)],
    "qr-sampler": QR_ROW,
    "sharp": [12.0, 3.0, 1.0, 0.5, -2.0],
    "wide": [0.01 * k for k in range(200)],
    "forked": [0.0, 0.0, *[-9.0] * 3000],
}


class Row:
    """A row's measures with 40 digits."""

    def __init__(self, logits):
        z = [Decimal(x) for x in logits]
        total = sum(x.exp() for x in z)
        logs = [x - total.ln() for x in z]
        p = [x.exp() for x in logs]
        self.n = Decimal(len(z))
        self.h = -sum(a * b for a, b in zip(p, logs, strict=True))
        self.v = sum(a * (b + self.h) ** 2 for a, b in zip(p, logs, strict=True))
        self.p = max(p)
        self.share = self.h / self.n.ln()
        self.median = (sorted(p)[(len(p) - 1) // 2] + sorted(p)[len(p) // 2]) / 2


def d(text):
    return Decimal(str(text))


def box(value, low="0.3", high="2.2"):
    return min(max(value, d(low)), d(high))


def bell(row, peak, mu, sigma):
    return d(peak) * (-((row.share - d(mu)) ** 2) / (2 * d(sigma) ** 2)).exp()


def beta(h):
    return d("-0.037") * h**4 + d("0.481") * h**3 - d("2.3") * h**2 + d("4.917") * h - d("1.791")


def entropix(row):
    h, v = row.h / LN2, row.v / LN2**2
    t = d("0.666")
    if h < d("0.1") and v < d("0.1"):
        return d(0)
    if h > 5 and v < d("0.1"):
        return min(d("1.5"), t * d("1.3"))
    if h < 5 and v > 5:
        return min(d("1.5"), t * d("1.2"))
    if h > 3 and v > 5:
        return max(d(2), t * 2)
    return t * (1 + d("0.3") * (h + v))


FORMULAS = {
    "below_one": lambda r: d("0.3") + d("0.7") * r.share.sqrt(),
    "max_prob": lambda r: d("0.5") - d("0.4") * r.p,
    "entropy": lambda r: d("0.1") + d("0.8") * r.h,
    "perplexity": lambda r: d("0.1") + d("0.8") * r.h,
    "median": lambda r: d("0.5") - d("0.4") * r.median,
    "combined": lambda r: d("0.3") - d("0.2") * r.p + d("0.2") * r.h,
    "dynatemp": lambda r: d("0.3") + r.share,
    "dynatemp_inverse": lambda r: d("1.3") - r.share,
    "edt": lambda r: d("0.8") ** (d("1.5") / r.h),
    "adaptive_softmax": lambda r: 1 / max(beta(r.h), d(1)) if r.h > d("0.5") else d(1),
    "greedy_threshold": lambda r: d(0) if r.p < d("0.3") else d("0.7"),
    "confident_greedy": lambda r: d(0) if r.p >= d("0.9") else d("0.7"),
    "fork_lock": lambda r: d("0.2") if r.h < d("0.23") else d("0.8"),
    "gdt": lambda r: box(d("0.582") + bell(r, "1.402", "0.397", "0.283")
                         + d("0.952") * (1 - (-r.v / 10).exp()) * (1 - r.share)),
    "belltemp": lambda r: box(d("0.7") + bell(r, "0.6", "0.35", "0.15")),
    "evdt": lambda r: box(d("1.25") + d("0.35") * r.h - d("0.1") * r.v),
    "hvh_drift": lambda r: box(d("1.35") + d("0.3") * r.h - d("0.2") * r.v),
    "power_map": lambda r: box(d("0.8") * r.share.sqrt(), "0.1", "2"),
    "entropix": entropix,
}  # fmt: skip
"""T of the first token at the defaults, for each method that reads the row alone."""


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", FORMULAS)
def test_the_formula_with_40_digits(name, row):
    policy = METHODS[name].make()
    state = policy.state() if policy.remembers else None
    found = float(temperatures(np.array(ROWS[row], np.float64), policy, state=state))

    assert found == pytest.approx(float(FORMULAS[name](Row(ROWS[row]))), rel=1e-12, abs=1e-12)


def test_every_method_that_reads_the_row_alone_is_recomputed():
    alone = {name for name, method in METHODS.items() if method.signals and not method.needs
             and not {"position", "surprisal", "entries"} & set(method.signals) and "inside" not in method.formula
             and "temperature_for_entropy" not in method.formula}  # fmt: skip
    others = {"dynatemp_textgen", "dynatemp_aphrodite", "dynatemp_sillytavern", "entropy_control", "entropy_cooling"}

    assert alone - others == FORMULAS.keys(), "the others have tests of their own"


@pytest.mark.parametrize(
    ("h", "values"),
    [(0.1, (0.8, 0.085899, 0.035184)), (0.5, (0.956352, 0.512, 0.512)), (1, (0.977933, 0.64, 0.715542)),
     (2, (0.988905, 0.715542, 0.845897)), (8, (0.997215, 0.777994, 0.959024))],
)  # fmt: skip
def test_landmarks_of_edt(h, values):
    for (t0, theta), expected in zip(((1, 0.1), (0.8, 1), (1, 1.5)), values, strict=True):
        assert expected == pytest.approx(one("edt", {"entropy": h}, t0=t0, theta=theta), abs=5e-7)


@pytest.mark.parametrize(
    ("kl", "values"), [(0.5, (0.25, 0.70711, 0.917)), (1, (0.0625, 0.5, 0.8409)), (2, (0.0039063, 0.25, 0.70711))]
)
def test_landmarks_of_guidance(kl, values):
    for sigma, expected in zip((0.25, 1, 4), values, strict=True):
        assert expected == pytest.approx(one("kl_guided", {"divergence": kl}, sigma=sigma), abs=5e-6)
        dfd = one("dfd", {'given("knowledge", 0, 1000)': kl}, focus_sigma=sigma)
        assert expected == pytest.approx(dfd, abs=5e-6)


@pytest.mark.parametrize(("name", "at_zero_one_two_four"), [
    ("dfd", (1.1, 0.55, 0.275, 0.06875)), ("dfd_linear", (1.1, 0.55, 0, 0)),
    ("dfd_sigmoid", (1.1, 0.55, 0.22, 2.2 / 82)),
])  # fmt: skip
def test_the_forms_of_dynamic_focus_decoding_halve_the_temperature_at_their_scale(name, at_zero_one_two_four):
    for times, expected in zip((0, 1, 2, 4), at_zero_one_two_four, strict=True):
        given = {'given("knowledge", 0, 1000)': 0.25 * times}
        assert expected == pytest.approx(one(name, given, base_temperature=1.1, focus_sigma=0.25), abs=1e-12)


@pytest.mark.parametrize(
    ("h", "expected"),
    [(0.3, 1), (0.84858, 1), (1, 1.27), (2, 2.099), (3, 2.25), (4.4124, 2.42139), (5, 2.294), (5.5, 1.84656),
     (5.94453, 1)],
)  # fmt: skip
def test_landmarks_of_the_polynomial(h, expected):
    assert 1 / one("adaptive_softmax", {"entropy": h}) == pytest.approx(expected, abs=6e-6)


@pytest.mark.parametrize(
    ("t", "values"),
    [(100, (1.094829, 1.189950, 1.197497)), (1000, (0.1, 1.094829, 1.174685)), (5000, (0.1, 0.551279, 1.066852))],
)
def test_landmarks_of_annealing(t, values):
    policies = [METHODS["annealed"].policy(d=scale) for scale in (1000, 10_000, 40_000)]

    assert list(values) == pytest.approx([float(p.step({}, position=t)[0]) for p in policies], abs=1e-6)
    assert [1.0] * 3 == [float(p.step({}, position=9)[0]) for p in policies]


def test_target_entropies(data):
    rows = {"P4": ROWS["four"], "peaked": ROWS["peaked"], "eight": QR_ROW}
    vectors = json.loads((data / "target_entropy_vectors.json").read_text(encoding="utf-8"))
    known = [(rows[name], key, solved["T"]) for name in vectors if name in rows
             for key, solved in vectors[name]["solve"].items() if solved["T"]]  # fmt: skip

    assert len(known) >= 8
    for row, key, expected in known:
        share = float(key.removeprefix("alpha="))
        z = np.array(row, np.float64)
        ours = float(temperatures(z, target_entropy(share, 0.01, 3), backend="reference"))
        entropy = sum(-p * log(p) for p in np.exp(z) / np.exp(z).sum())
        fixed = float(temperatures(z, fixed_entropy(share * entropy, 0.01, 3), backend="reference"))

        assert ours == pytest.approx(expected, rel=1e-11)
        assert fixed == pytest.approx(expected, rel=1e-11)


def test_values_of_qr_samplers_tests():
    """Its dynatemp: centre and range; uniform, one-hot, two of four."""
    uniform, certain, half = np.zeros(4), np.array([50.0, *[-50.0] * 99]), np.array([0.0, 0.0, -1e3, -1e3])

    assert 1.5 == pytest.approx(at(uniform, "dynatemp", low=0.5, high=1.5))
    assert 0.5 == pytest.approx(at(certain, "dynatemp", low=0.5, high=1.5))
    assert 1.875 == pytest.approx(at(half, "dynatemp", low=1.075, high=2.675))
    assert 1.2 == pytest.approx(at(np.array(QR_ROW), "gdt", t_base=1.2, t_peak=0, alpha=0))
    assert 0.3 == at(np.array([9.0, *[0.0] * 4]), "gdt", t_base=0.05, t_peak=0, alpha=0)


def test_zones_of_met():
    """Free text 0.7, structured 0.6 of 1, a tool call at most 0.3; heat after runs of sure tokens; the greedy gates."""
    inside = [f'inside("{zone}")' for zone in ("tool_call", "think", "json")]
    unsure = {"max_prob": [0.4], "entropy": [2.0]}

    def met(temperature, zone=None, signals=unsure, state=None, position=0):
        policy = METHODS["met"].policy(temperature=temperature)
        zones = {name: [float(name == zone)] for name in inside}
        state = state or policy.state()
        return float(policy.step({**signals, **zones}, state=state, position=position)[0])

    assert (0.7, 0.7, 0.6, 0.3) == (met(0.7), met(0.7, inside[1]), met(1.0, inside[2]), met(1.0, inside[0]))
    for zone, gate in zip((*inside, None), (0.8, 0.95, 0.85, 0.9), strict=True):
        assert 0 == met(0.7, zone, {"max_prob": [gate], "entropy": [2.0]})
        assert 0 < met(0.7, zone, {"max_prob": [gate - 1e-9], "entropy": [2.0]})
    state = METHODS["met"].policy(temperature=0.7).state(window=64)
    sure = {"max_prob": [0.5], "entropy": [0.4]}
    run = [met(0.7, None, sure, state, position) for position in range(40)]
    assert [0.7] * 7 + [0.8] * 8 + [0.9] * 16 + [1.0] * 9 == pytest.approx(run)
    assert 0.7 == met(0.7, None, unsure, state, 40)
    assert 0.7 == met(0.7, None, sure, state, 41)


def test_zones_choose_the_temperature():
    assert (0.9, 0.2) == tuple(one("think_answer", {'inside("think")': inside}) for inside in (1, 0))
    assert (0.8, 0.6) == tuple(one("adapt", {'inside("block")': inside}) for inside in (1, 0))
    names = [f'inside("{zone}")' for zone in ("tool_call", "json", "code")]
    for zone in names:
        assert 0.2 == one("structured_cold", {name: float(name == zone) for name in names})
    assert 0.8 == one("structured_cold", dict.fromkeys(names, 0))


@pytest.mark.parametrize(
    ("name", "values", "at_0", "at_64", "at_1000"),
    [("linear_schedule", {"length": 128}, 1, 0.65, 0.3), ("cosine_schedule", {"length": 192}, 1, 0.3 + 0.7 * 0.75, 0.3),
     ("step_schedule", {"at": 64}, 1, 0.3, 0.3),
     ("decay_schedule", {"start": 1.5}, 1.5, 1.5 * e**-0.64, 0.001)],
)  # fmt: skip
def test_schedules(name, values, at_0, at_64, at_1000):
    policy = METHODS[name].policy(**values)

    assert [at_0, at_64, at_1000] == pytest.approx([float(policy.step({}, position=t)[0]) for t in (0, 64, 1000)])


def test_learned_and_given():
    assert 1.0 == one("autodeco", {'given("head", -50, 50)': 0})
    assert 2 / (1 + e**-3) == pytest.approx(one("autodeco", {'given("head", -50, 50)': 3}))
    assert 0.4 == one("lad", {'given("tau", 0, 2)': 0.4})
    assert (0, 1) == tuple(one("selective", {'given("risk", 0, 1)': risk}) for risk in (0.51, 0.5))


def one(method, signals, **values):
    """The temperature of a row with these signals."""
    return float(METHODS[method].policy(**values).step({name: [value] for name, value in signals.items()})[0])


def at(row, method, **values):
    return float(temperatures(row, METHODS[method].policy(**values), backend="reference"))

"""The table of signals: every record is complete, and every measured one is known to every backend."""

from math import log

import numpy as np
import pytest

from dyntemp import PolicyError, measure
from dyntemp import signals as s
from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Const, Signal
from dyntemp.language.signals import MAX_SUPPORT, SIGNALS, make_signal, remembers, signals_of, suggestion

ARGUMENTS = {"quantile": (0.25,), "top_mass": (2,), "temperature_for_entropy": (1.0,), "given": ("kl", 0, 20),
             "inside": ("think",)}  # fmt: skip
MEASURED = [make_signal(name, *ARGUMENTS.get(name, ())) for name, r in SIGNALS.items() if r.measured]
CONTEXT = [make_signal(name, *ARGUMENTS.get(name, ())) for name, r in SIGNALS.items() if not r.measured]


@pytest.mark.parametrize("name", SIGNALS)
def test_every_record_is_complete_and_has_a_python_name(name):
    record = SIGNALS[name]

    assert name == record.name
    assert name in s.__all__
    assert all((record.meaning, record.formula, record.unit, record.range))
    thing = getattr(s, name)
    assert (thing(*ARGUMENTS[name]) if record.arguments else thing) == make_signal(name, *ARGUMENTS.get(name, ()))


def test_the_module_has_no_other_signals():
    assert set(SIGNALS) == set(s.__all__)


@pytest.mark.parametrize("signal", MEASURED, ids=str)
def test_every_measured_signal_is_in_every_backend_and_in_its_range(signal, backend):
    rows = np.log([[0.1, 0.2, 0.3, 0.4], [0.25] * 4, [1, 1e-30, 1e-30, 1e-30], [0.5, 0.5, 1e-300, 1e-300]])

    values = measure(rows, signal, backend=backend)[str(signal)]

    span = SIGNALS[signal.name].bounds(Interval(4.0, 4.0), *signal.arguments)
    assert all(value in span for value in values.tolist())
    assert not np.signbit(values).any()


@pytest.mark.parametrize("signal", MEASURED, ids=str)
def test_a_row_of_one_token(signal, backend):
    """max_prob = margin = collision = top_mass = quantile = 1, every measure of spread 0."""
    expected = {"entropy": 0, "normalized_entropy": 0, "varentropy": 0, "temperature_for_entropy": np.inf}
    for row in ([3.0], [-np.inf, 3.0, -np.inf]):
        value = measure(np.array(row), signal, backend=backend)[str(signal)]

        assert expected.get(signal.name, 1) == value
        assert float(value) in SIGNALS[signal.name].bounds(Interval(1.0, 1.0), *signal.arguments)


@pytest.mark.parametrize("signal", CONTEXT, ids=str)
def test_what_the_caller_gives_is_not_measured(signal):
    with pytest.raises(PolicyError, match="is not measured from a row"):
        measure(np.zeros(3), signal)


@pytest.mark.parametrize("wrong", ["0.5*entropy", "exp(entropy)", "a", "3"])
def test_what_is_no_signal_is_not_measured(wrong):
    with pytest.raises(PolicyError, match="is not a signal; known are max_prob, entropy"):
        measure(np.zeros(3), wrong)


def test_measuring_a_target_with_a_free_parameter_asks_for_it():
    with pytest.raises(PolicyError, match="parameter `a` has no value"):
        measure(np.zeros(3), "temperature_for_entropy(a)")


def test_measured_names_are_the_texts_of_the_signals():
    found = measure(np.zeros((2, 3)), "quantile( 0.5 )", s.top_mass(2), "temperature_for_entropy(0.5*entropy)")

    assert list(found) == ["quantile(0.5)", "top_mass(2)", "temperature_for_entropy(0.5*entropy)"]
    assert {(2,)} == {value.shape for value in found.values()}


@pytest.mark.parametrize(
    ("name", "arguments", "fragment"),
    [
        ("quantile", (-0.1,), "outside 0 to 1"),
        ("quantile", (1.1,), "outside 0 to 1"),
        ("quantile", (True,), "bool was given"),
        ("quantile", (np.array([0.5]),), "ndarray was given"),
        ("top_mass", (0,), "whole number from 1"),
        ("top_mass", (1.5,), "whole number from 1"),
        ("top_mass", (MAX_SUPPORT + 1,), "whole number from 1"),
        ("top_mass", (s.entropy,), "must be a number"),
        ("entropy", (1,), "takes no arguments, but 1 were given"),
        ("quantile", (), "takes 1 argument, but 0 were given"),
        ("given", ("kl", 0), "takes 3 arguments, but 2 were given"),
        ("given", ("k l", 0, 1), "names its number in quotes"),
        ("given", (3, 0, 1), "names its number in quotes"),
        ("given", ("kl", 1, 1), "empty range"),
        ("given", ("kl", 0, s.entropy), "must be a number"),
        ("temperature_for_entropy", (s.temperature_for_entropy(1),), "may use neither"),
        ("temperature_for_entropy", (s.surprisal,), "may use neither"),
        ("temperature_for_entropy", (np.array(1.0),), "ndarray was given"),
    ],
)
def test_arguments_are_checked(name, arguments, fragment):
    with pytest.raises(PolicyError, match=fragment):
        make_signal(name, *arguments)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("max_prob", 1 / 8, 1),
        ("entropy", 0, log(8)),
        ("normalized_entropy", 0, 1),
        ("perplexity", 1, 8),
        ("quantile(0)", 0, 1 / 8),
        ("quantile(1)", 0, 1),
        ("quantile(0.5)", 0, 1 / 4),
        ("median_prob", 0, 1 / 4),
        ("margin", 0, 1),
        ("collision", 1 / 8, 1),
        ("top_mass(2)", 2 / 8, 1),
        ("top_mass(100)", 1, 1),
        ("support", 8, 8),
        ("temperature_for_entropy(1)", 0, np.inf),
        ("surprisal", 0, 50),
        ("position", 0, 2**32 - 1),
        ('given("kl", -1, 20)', -1, 20),
    ],
)
def test_ranges_for_rows_of_eight(text, low, high):
    from dyntemp.language.parse import parse

    signal = parse(text)
    found = SIGNALS[signal.name].bounds(Interval(8.0, 8.0), *signal.arguments)

    assert (low, high) == pytest.approx(tuple(found), rel=1e-14)


def test_the_quantile_bound_is_reached():
    """Half of the entries share everything: no larger median exists."""
    row = np.array([0.0] * 5 + [-1e4] * 4)
    median = float(measure(row, "median_prob", backend="reference")["median_prob"])

    assert median == pytest.approx(SIGNALS["median_prob"].bounds(Interval(9.0, 9.0)).high)


@pytest.mark.parametrize("n", [2, 3, 8, 100, 50_000])
def test_varentropy_stays_below_its_bound(n):
    """The worst case is one large entry over equal ones; its share is searched."""
    shares = 1 / (1 + np.exp(-np.linspace(-12, 12, 2001)))
    surprise = np.stack([-np.log(shares), -np.log((1 - shares) / (n - 1))])
    p = np.stack([shares, 1 - shares])
    worst = ((p * surprise**2).sum(0) - (p * surprise).sum(0) ** 2).max()

    assert worst <= SIGNALS["varentropy"].bounds(Interval(float(n), float(n))).high


def test_what_remembers():
    assert remembers(s.surprisal)
    assert not remembers(s.entropy)


def test_signals_of_lists_inner_ones_first_and_once():
    from dyntemp.language.parse import parse

    found = signals_of(parse("temperature_for_entropy(0.5*entropy) + max_prob*entropy"))

    assert [str(signal) for signal in sorted(found, key=str)] == [
        "entropy",
        "max_prob",
        "temperature_for_entropy(0.5*entropy)",
    ]
    texts = [str(signal) for signal in found]
    assert texts.index("entropy") < texts.index("temperature_for_entropy(0.5*entropy)")


def test_suggestion():
    assert suggestion("entropi", SIGNALS) == "; did you mean `entropy`?"
    assert not suggestion("qqq", SIGNALS)


def test_number_arguments_are_constants():
    assert Signal("quantile", (Const(0.5),)) == s.quantile(np.float32(0.5))
    assert Signal("top_mass", (Const(5.0),)) == s.top_mass(np.int64(5))

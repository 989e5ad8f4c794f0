"""Every method: its record agrees with its function, its whole range is safe, and it writes text by its name."""

from itertools import product
from math import inf, isfinite

import numpy as np
import pytest
from tests.supplied import supplied

from dyntemp import PolicyError, generate, measure, methods, temperatures
from dyntemp.generation.policies import read_policy
from dyntemp.language.parameters import parameters_of
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS
from dyntemp.methods import METHODS, Method
from dyntemp.methods.method import Range, derived_direction
from dyntemp.testing import FakeModel

RNG = np.random.default_rng(3)
ROWS = RNG.normal(0, RNG.uniform(0.1, 8, (1000, 1)), (1000, 48)).astype(np.float32)
ROWS[:250, 24:] = -inf
ROWS[0], ROWS[1] = 0, [60.0, *[-60.0] * 47]
ROWS[2, 1:], ROWS[3, 2:], ROWS[4] = -inf, -inf, -1e4
ROWS[3, :2] = 5.0
HALF = ROWS[:40].astype(np.float16)


@pytest.fixture(params=METHODS.values(), ids=METHODS)
def method(request):
    return request.param


def evaluated(policy, rows, **settings):
    """The temperatures of rows, of which a policy that remembers sees one text after another at two positions."""
    given = supplied(policy)
    if not policy.remembers:
        return temperatures(rows, policy, given=given, **settings)
    state = policy.state(len(rows))
    temperatures(rows, policy, state=state, position=0, given=given, **settings)
    return temperatures(rows[::-1], policy, state=state, position=1, given=given, **settings)


def at_values(template):
    """A function of rows and values of the parameters; rows are measured once, if the signals have no parameters."""
    read = [signal for signal in template.program.signals if SIGNALS[signal.name].measured]
    if any(map(parameters_of, read)):
        return lambda rows, values: evaluated(template, rows, parameters=values)
    others = {str(signal): [0.5] for signal in template.program.signals if signal not in read}
    others |= {"entries": [ROWS.shape[1]]} if "entries" in others else {}
    others.pop("position", None)
    measured = {id(rows): measure(rows, *read) for rows in (ROWS, HALF)} if read else {}

    def found(rows, values):
        signals = {**others, **measured.get(id(rows), {})}
        state = template.state(len(rows)) if template.remembers else None
        first = template.step(signals, state=state, parameters=values)
        turned = {name: value[::-1] for name, value in signals.items()}
        return np.append(first, template.step(turned, state=state, position=1, parameters=values))

    return found


def test_the_record_agrees_with_the_function(method):
    assert METHODS[method.name] is method
    assert method.name == method.make().name
    assert list(method.ranges) == list(method.parameters)
    for parameter in method.parameters.values():
        assert parameter.low <= parameter.default <= parameter.high
        assert parameter.meaning
    assert all((method.idea, method.source, method.fails))
    assert method.make.__name__ in methods.__all__
    assert getattr(methods, method.make.__name__) is method.make


def test_the_whole_range_is_safe(method):
    template = method.template()
    low, high = template.bounds()

    assert set(method.ranges) == set(template.parameters)
    assert low >= 0
    assert isfinite(high)


def test_the_template_at_the_defaults_is_the_policy(method):
    bound = method.template().bind(**{name: found.default for name, found in method.parameters.items()})

    np.testing.assert_allclose(evaluated(bound, ROWS), evaluated(method.make(), ROWS), rtol=1e-12)
    assert method.policy() == method.make()


def test_every_corner_of_the_range_is_safe(method):
    template = method.template()
    bounds = template.bounds()
    at = at_values(template)
    for corner in product(*((found.low, found.high) for found in method.ranges.values())):
        for rows in (ROWS, HALF):
            found = at(rows, dict(zip(method.ranges, corner, strict=True)))

            assert not np.isnan(found).any(), corner
            assert bounds.low <= found.min(), corner
            assert found.max() <= bounds.high, corner


def test_the_formula_names_the_parameters(method):
    assert list(method.ranges) == [name for name in method.ranges if name in method.formula]
    assert "param(" not in method.formula


def test_a_direction_is_stated_only_where_none_follows_from_the_policy(method):
    assert (derived_direction(method.make()) is None) == (method.stated is not None)


def test_derived_directions_are_those_of_rows_that_are_less_and_less_sure(method):
    """Along rows from certain to uniform, without memory and at one position."""
    derived = derived_direction(method.make())
    rows = np.linspace(8, 0, 60)[:, None] * np.array([1.0, 0.3, 0.1, 0.0])
    policy = method.make()
    state = policy.state(len(rows)) if policy.remembers else None
    found = temperatures(rows, policy, state=state, given=supplied(policy))
    steps = np.diff(found)

    if derived == "heats":
        assert steps.min() > -1e-12
    elif derived == "cools":
        assert steps.max() < 1e-12
    elif derived == "neither":
        assert not steps.any()


def test_a_method_writes_text_by_its_name(method):
    noise = np.random.default_rng(5).normal(0, 3, (27, 27))
    model = FakeModel([bytes([97 + code]) for code in range(26)] + [b" "], lambda tokens: noise[tokens[-1]])
    policy = read_policy(method.name)
    second = {"contrast": "a"} if "divergence" in method.needs else {}
    given = {name: 0.5 for name in method.needs if name != "divergence"}
    tokens = list(generate(model, "a tale", policy, max_tokens=12, seed=1, given=given, **second))

    assert 12 == len(tokens)
    assert all(token.temperature >= 0 for token in tokens)


def test_values_outside_the_range_and_unknown_names_are_refused():
    edt = METHODS["edt"]

    assert Policy("0.9*0.8**(1.5/entropy)") == edt.policy(t0=0.9)
    with pytest.raises(PolicyError, match=r"`theta` = 9 was given, outside its range of 0\.01 to 5 in `edt`.*n\*\*\("):
        edt.policy(theta=9)
    with pytest.raises(PolicyError, match="no parameter `thet`; its parameters are t0, theta, n, floor; did you mean"):
        edt.policy(thet=1)
    with pytest.raises(PolicyError, match="`default` has no parameter `a`; it has none"):
        METHODS["default"].policy(a=1)
    with pytest.raises(PolicyError, match="outside its range"):
        edt.policy(theta=float("nan"))


def test_a_range_that_is_not_safe_is_found():
    def falling(a=0.5):
        return Policy(f"{a} - max_prob" if isinstance(a, float) else a - Policy("max_prob").expression)

    with pytest.raises(PolicyError, match="add `clip"):
        Method("falling", falling, "", "", "", {"a": Range(0, 1, "")}).template()

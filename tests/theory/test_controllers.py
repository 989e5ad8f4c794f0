"""Controllers converge up to the gains that closed forms give, and the language's own memory does so too."""

from math import pi, sin, sqrt

import numpy as np
import pytest

from dyntemp import Policy
from dyntemp.theory.controllers import controller_of, convergence, direct_slope, operating_point
from dyntemp.theory.linear_response import ONE, Response, largest_factor, noise_gain, poles
from dyntemp.theory.record import SHIPPED
from dyntemp.theory.recordings import Recordings

AT_ONCE = Response(ONE, ONE)
WIDE = "-1000000, 1000000"


def summed(inside, gain=1.0):
    return Policy(f"clip(10 + integral({gain}*(3 - {inside}), {WIDE}), 0, 1000000)")


def delayed(times):
    return "surprisal" if not times else f"prev({delayed(times - 1)})"


CLOSED_FORMS = [
    *((summed(delayed(d)), 2 * sin(pi / (2 * (2 * d + 1)))) for d in range(4)),
    *((summed(f"ema(surprisal, {decay})"), 2 * (1 + decay) / (1 - decay)) for decay in (0.3, 0.8)),
    *((Policy(f"clip(10 + ema(integral(3 - surprisal, {WIDE}), {decay}), 0, 1000000)"),
       2 * (1 + decay) / (1 - decay)) for decay in (0.3, 0.8)),
    (Policy("clip(10 + (3 - surprisal), 0, 1000000)"), 1.0),
    (Policy("clip(13 - ema(surprisal, 0.6)/1, 0, 1000000)"), 1.6 / 0.4),
]  # fmt: skip


def run(policy, surprisal, tokens, texts=1):
    """The temperatures of a policy, [texts, tokens], whose tokens at position t have surprisal(t, temperatures)."""
    state, slots = policy.state(slots=texts), np.arange(texts)
    temperatures = np.empty((texts, tokens))
    for t in range(tokens):
        temperatures[:, t] = policy.step({"entropy": np.full(texts, 3.0005)}, state=state, slot=slots, position=t)
        state.observe(slots, t, surprisal(t, temperatures[:, t]))
    return temperatures


@pytest.mark.parametrize(("policy", "boundary"), CLOSED_FORMS, ids=[str(policy) for policy, _ in CLOSED_FORMS])
def test_the_largest_gain_is_that_of_the_closed_form(policy, boundary):
    assert boundary == pytest.approx(largest_factor(controller_of(policy).response, AT_ONCE), rel=1e-9)


@pytest.mark.parametrize(("policy", "boundary"), CLOSED_FORMS, ids=[str(policy) for policy, _ in CLOSED_FORMS])
def test_the_policy_itself_converges_below_the_boundary_and_not_above(policy, boundary):
    """The first token is 0.0005 nats off the target."""

    def swing(slope):
        (temperatures,) = run(policy, lambda t, now: 3 + slope * (now - 10), 120)
        early, late = (np.abs(np.diff(part)).max() for part in (temperatures[:10], temperatures[-20:]))
        return late / early

    assert swing(0.9 * boundary) < 0.5
    assert swing(1.1 * boundary) > 2


def test_poles_of_a_sum_are_one_less_gain_times_slope():
    answer = controller_of(summed("surprisal", 0.4)).response

    assert poles(answer, Response(np.array([3.0]), ONE)) == pytest.approx([1 - 0.4 * 3])
    assert largest_factor(answer, Response(np.array([3.0]), ONE)) == pytest.approx(2 / (0.4 * 3))


def test_a_plant_that_answers_late_too_has_the_poles_of_the_whole_loop():
    """x' = x - g*s and s' = a*x + later*h, h' = d*h + (1 - d)*x, as the matrix of one step."""
    g, a, later, d = 0.3, 1.5, 2.0, 0.9
    plant = Response(np.array([a + later * (1 - d), -a * d]), np.array([1.0, -d]))
    step = np.array(
        [
            [1 - g * (a + later * (1 - d)), -g * later * d],  # T after the token drawn at T
            [1 - d, d],  # the heat of the text
        ]
    )

    ours = poles(controller_of(summed("surprisal", g)).response, plant)

    assert sorted(np.abs(np.linalg.eigvals(step))) == pytest.approx(sorted(np.abs(ours[np.abs(ours) > 1e-12])))


@pytest.mark.parametrize("share", [0.1, 0.5, 1.2, 1.8])
def test_the_noise_of_the_temperature_is_that_of_the_first_order_loop(share):
    answer = controller_of(summed("surprisal", 0.25)).response
    slope = share / 0.25

    assert 0.25**2 / (share * (2 - share)) == pytest.approx(noise_gain(answer, Response(np.array([slope]), ONE)))


def test_the_noise_of_the_temperature_is_that_of_the_policy():
    policy = summed("ema(surprisal, 0.5)", 0.25)
    expected = sqrt(noise_gain(controller_of(policy).response, Response(np.array([2.0]), ONE))) * 0.5

    noise = np.random.default_rng(0).normal(0, 0.5, (100, 400))
    temperatures = run(policy, lambda t, now: 3 + 2 * (now - 10) + noise[t], 100, texts=400)[:, 30:]

    assert temperatures.std() == pytest.approx(expected, rel=0.02)


def test_outside_the_range_the_temperature_swings_between_the_limits():
    policy = Policy("1 + integral(1*(3 - surprisal), -0.5, 0.5)")

    (temperatures,) = run(policy, lambda t, now: 3 + 4 * (now - 1), 40)

    assert {0.5, 1.5} == set(temperatures[-10:])


def test_a_clipped_sum_recovers_at_once_and_an_unclipped_one_pays_back_what_it_summed():
    """For 50 tokens the target is out of reach; then it is met at once."""

    def recovery(policy):
        (temperatures,) = run(policy, lambda t, now: now * 0 + 1 if t < 50 else 3 + 2 * (now - 1), 200)
        return int(np.flatnonzero(np.abs(temperatures[50:] - 1) < 0.05)[0])

    clipped = Policy("1 + integral(0.1*(3 - surprisal), -0.5, 0.5)")
    unclipped = Policy(f"clip(1 + integral(0.1*(3 - surprisal), {WIDE}), 0.5, 1.5)")

    assert recovery(clipped) < 15
    assert recovery(unclipped) > 90


@pytest.mark.parametrize(
    "text", ["0.7", "0.1 + 0.8*entropy", "0.3 + 0.1*ema(entropy, 0.5)", "exp(0.1*(2.5 - surprisal))",
             "clip(1 + integral(entropy - surprisal, -1, 1), 0, 2)", "1 + integral(surprisal*0, -1, 1)",
             "0.5 + integral(surprisal*max_prob, -0.3, 1)"],
)  # fmt: skip
def test_what_is_no_linear_controller_has_no_verdict(text):
    assert controller_of(Policy(text)) is None
    assert convergence(Policy(text)) is None


def test_a_controller_has_its_target_and_its_range_of_slopes_without_a_model():
    found = convergence(Policy("0.7 + integral(0.1*(2.5 - ema(surprisal, 0.5)), -0.5, 0.8)"))

    assert found.holds
    assert found.values["target"] == pytest.approx(2.5)
    assert found.values["largest_slope"] == pytest.approx(2 * 3 / 0.1)
    assert "less than 60 nats" in found.claim
    assert not convergence(Policy("0.7 + integral(0.1*(surprisal - 2.5), -0.5, 0.8)")).holds


@pytest.fixture(scope="module")
def recordings():
    return Recordings.load(SHIPPED)


def test_on_recorded_texts_a_controller_rests_where_their_surprisal_is_the_target(recordings):
    controller = controller_of(Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)"))

    point = operating_point(controller, recordings)

    cooler, hotter = (
        recordings.surprisal[(recordings.heats == heat) & (recordings.positions >= 8)].mean() for heat in (1.0, 1.2)
    )
    assert cooler < 2.5 < hotter
    assert point.temperature == pytest.approx(1 + 0.2 * (2.5 - cooler) / (hotter - cooler))
    assert 0 < point.direct < point.settled


def test_the_direct_slope_at_one_is_the_varentropy_of_the_rows(recordings):
    rows = (recordings.heats == 1) & (recordings.positions >= 8)

    assert recordings.signals["varentropy"][rows].mean() == pytest.approx(direct_slope(recordings, 1.0, 1.0), rel=0.05)


def test_verdicts_with_recordings_say_if_it_rests_and_if_it_converges(recordings):
    def verdict(gain, target=2.5, limits="-0.5, 0.8"):
        return convergence(Policy(f"0.7 + integral({gain}*({target} - surprisal), {limits})"), recordings)

    slow, fast, far = verdict(0.02), verdict(5), verdict(0.1, target=40)

    assert slow.holds
    assert slow.claim.startswith("converges on smollm2 to T = 1")
    assert verdict(0.1).values["deviation"] > slow.values["deviation"]
    assert not fast.holds
    assert "times the largest" in fast.claim
    assert 5 * fast.values["largest_factor"] == pytest.approx(0.02 * slow.values["largest_factor"])
    assert not far.holds
    assert "does not rest" in far.claim

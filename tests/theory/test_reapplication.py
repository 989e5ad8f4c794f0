"""A policy applied to its own output: fixed points, their multipliers, and where rows end."""

from itertools import pairwise
from math import inf

import numpy as np
import pytest
from tests.theory.rows import random_rows, untied

from dyntemp.language.parse import parse
from dyntemp.language.policy import Policy
from dyntemp.sampling import measure, scale, temperatures
from dyntemp.theory.reapplication import ALONG_RAY, along_ray, on_zipf, ray, reapplication

ROW = np.array([0.0, 1.0, 2.0, 2.5])
HOT_WHEN_SURE, HOT_WHEN_TORN = Policy("0.5 + max_prob"), Policy("0.1 + 0.8*entropy")


@pytest.mark.parametrize("policy", [HOT_WHEN_SURE, HOT_WHEN_TORN, Policy("2**(5*max_prob - 2)")])
def test_the_multiplier_is_the_share_by_which_a_small_step_away_changes(policy):
    (point,) = ray(policy, ROW).fixed
    away = point.scale * np.exp([-1e-6, 1e-6])
    after = away / temperatures(away[:, None] * ROW, policy)

    assert temperatures(point.scale * ROW, policy) == pytest.approx(1, abs=1e-9)
    assert np.log(after[1] / after[0]) / 2e-6 == pytest.approx(point.multiplier, rel=1e-5)


def test_masked_entries_and_constants_change_nothing():
    (point,) = ray(HOT_WHEN_SURE, ROW).fixed

    for same in ([*ROW, -inf], ROW - 700):
        (found,) = ray(HOT_WHEN_SURE, same).fixed
        assert found == pytest.approx(point, rel=1e-9)


def test_rows_go_where_the_ray_says():
    assert ray(HOT_WHEN_SURE, ROW).ends == [f"{ray(HOT_WHEN_SURE, ROW).fixed[0].entropy:.3g} nats"]
    assert ray(HOT_WHEN_TORN, ROW).ends == ["uniform", "certain"]

    settled, torn = np.array([ROW * 0.01, ROW, ROW * 30]), np.array([ROW * 0.01, ROW * 5])
    for _ in range(100):
        settled, torn = scale(settled, HOT_WHEN_SURE), scale(torn, HOT_WHEN_TORN)
    assert temperatures(settled, HOT_WHEN_SURE) == pytest.approx([1, 1, 1])
    assert measure(torn, "entropy")["entropy"] == pytest.approx([np.log(4), 0], abs=1e-9)


def test_a_jump_over_1_is_no_fixed_point():
    assert ray(Policy("where(max_prob < 0.5, 0.5, 2)"), ROW).fixed == ()


def test_a_target_of_entropy_is_reached_at_once():
    (point,) = ray(Policy("temperature_for_entropy(1)"), ROW).fixed

    assert point.entropy == pytest.approx(1)
    assert point.multiplier == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ALONG_RAY)
def test_signals_move_along_a_ray_as_the_table_says(name):
    signal = parse("top_mass(2)" if name == "top_mass" else name)
    rows = untied(random_rows(np.random.default_rng(3), 200, 5))
    sharper = [measure(rows * factor, signal)[str(signal)] for factor in (1.0, 1.01, 1.3)]

    for before, after in pairwise(sharper):
        moved = (after - before) * (ALONG_RAY[name] or 1)
        assert np.all(moved >= -1e-12)
        assert np.any(moved > 1e-6) == (ALONG_RAY[name] != 0)


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("0.1 + 0.8*entropy", -1),
        ("0.5 + max_prob", 1),
        ("max_prob + entropy", None),
        ("varentropy", None),
        ("0.7", 0),
        ("0.7 + 0.001*position", 0),
        ('lerp(0.3, 1.1, inside("code"))', 0),
        ("entropy/log(max(entries, 2))", -1),
        ("temperature_for_entropy(1)", 1),
        ("temperature_for_entropy(0.5*entropy)", None),
    ],
)
def test_policies_move_along_a_ray_as_their_signals_do(text, way):
    assert along_ray(Policy(text), 100) == way


@pytest.mark.parametrize(
    ("text", "fates", "holds"),
    [
        ("0.5 + max_prob", {"settled"}, True),
        ("0.1 + 0.8*entropy", {"certain", "uniform"}, True),
        ("0", {"certain"}, True),
        ("1/(0*max_prob)", {"uniform"}, True),
        ("where(max_prob < 0.5, 0.5, 2)", {"alternates"}, False),
    ],
)
def test_fates_of_rows(text, fates, holds):
    verdict = reapplication(Policy(text), np.random.default_rng(0).normal(0, 3, (20, 12)))

    assert set(verdict.values["fates"]) == fates
    assert verdict.holds is holds
    assert sum(verdict.values["fates"].values()) == 20


def test_the_likeliest_entries_may_tie():
    assert reapplication(Policy(0.5), [[2.0, 2.0, 1.0]]).values["fates"] == {"certain": 1}


def test_the_verdict_says_where_rows_go_and_why():
    verdict = on_zipf(HOT_WHEN_TORN, 1_000)

    assert verdict.holds
    assert verdict.claim == "applied to its own output, it takes rows to: uniform, certain"
    assert "T falls as rows get sharper" in verdict.evidence
    assert "nats (repels)" in verdict.evidence
    assert on_zipf(HOT_WHEN_SURE, 1_000).holds is None
    assert "changes no row" in on_zipf(Policy(1), 100).claim
    assert "no one row" in on_zipf(Policy("2**(5*max_prob - 2)"), 1_000).claim

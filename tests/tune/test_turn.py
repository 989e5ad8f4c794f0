"""The turning point of published curves, of curves that are known, and the choice with its interval."""

import numpy as np
import pytest

from dyntemp.tune.turn import Text, choose, turning_point

PUBLISHED = [
    ([0.0127, 0.0274, 0.0453, 0.0667, 0.0895, 0.1158, 0.1460, 0.1839, 0.2280, 0.2919, 0.4140, 0.7597, 1.9236, 3.9159,
      5.6038], 0.9),
    ([0.0375, 0.0840, 0.1334, 0.1961, 0.2598, 0.3360, 0.4239, 0.5140, 0.6501, 0.8248], 0.8),
    ([0.0406, 0.0874, 0.1338, 0.1970, 0.2701, 0.3571, 0.4569, 0.5849, 0.7142, 0.9689, 1.4175, 3.1345, 5.9669, 7.3196,
      8.043], 0.8),
    ([0.0285, 0.0626, 0.1057, 0.1489, 0.2007, 0.2632, 0.3405, 0.4479, 0.6085, 0.9092], 0.7),
    ([0.0291, 0.0613, 0.0998, 0.1456, 0.1977, 0.2612, 0.3365, 0.4345, 0.5499, 0.7701, 1.1662, 2.2944, 4.4524, 5.8236,
      6.7282], 0.8),
    ([0.0260, 0.0482, 0.0796, 0.1065, 0.1477, 0.1908, 0.2524, 0.3241, 0.4262, 0.5949], 0.8),
    ([0.0269, 0.0599, 0.1008, 0.1612, 0.2480, 0.3650, 0.5508, 0.7262, 1.0224, 1.5036], 0.8),
    ([0.0275, 0.0592, 0.09405, 0.1346, 0.1754, 0.2293, 0.2907, 0.4100, 0.5574, 0.8995], 0.6),
    ([0.01330, 0.02996, 0.04819, 0.06695, 0.08918, 0.1149, 0.1394, 0.1682, 0.2126, 0.2678, 0.3350, 0.4492, 0.8692,
      2.03085, 4.3436], 0.8),
    ([0.01463, 0.03266, 0.05334, 0.07400, 0.10800, 0.1431, 0.2138, 0.2882, 0.38662, 0.5223, 0.8053, 1.2666, 2.7485,
      4.6639, 6.2238], 0.6),
]  # fmt: skip
"""Mean entropies at 0.1, 0.2, ... that the authors' repository lists (CODE/curve.py), and what their rule gives."""


@pytest.mark.parametrize(("entropies", "expected"), PUBLISHED)
def test_published_curves_turn_where_the_authors_rule_says(entropies, expected):
    temperatures = np.arange(1, len(entropies) + 1) / 10
    found = turning_point(temperatures, entropies)

    assert expected == pytest.approx(found.temperature)
    assert found.inside is bool(found.bends[round(10 * expected) - 1] > 0)


@pytest.mark.parametrize("turn", [0.55, 0.85, 1.15])
def test_a_cubic_turns_at_its_inflection(turn):
    """Differences of a cubic are exact inside: its second derivative, 6(t - turn), is above 0 behind the inflection."""
    t = np.arange(1, 16) / 10
    found = turning_point(t, np.exp((t - turn) ** 3 + 2 * t))

    assert found.inside
    assert turn + 0.05 == pytest.approx(found.temperature)
    np.testing.assert_allclose(found.bends[2:-2], 6 * (t - turn)[2:-2], atol=1e-9)


def test_a_curve_that_only_bends_down_has_no_turning_point():
    t = np.arange(1, 8) / 10
    found = turning_point(t, t)

    assert not found.inside
    assert 0.6 == pytest.approx(found.temperature), "the last inside, as published"


def test_neither_the_unit_nor_the_spacing_matters():
    t = np.array([0.1, 0.2, 0.4, 0.5, 0.8, 0.9, 1.2])
    h = np.exp((t - 0.6) ** 3 + t)

    assert turning_point(t, h)[:2] == turning_point(t, h / np.log(2))[:2] == (0.8, True)


@pytest.mark.parametrize(
    ("temperatures", "entropies", "told"),
    [
        ([0.1, 0.2], [1, 2], "at least 3"),
        ([0.1, 0.2, 0.3], [1, 2], "with an entropy each"),
        ([0.1, 0.3, 0.2], [1, 2, 3], "rise"),
        ([0.1, 0.2, 0.3], [0, 1, 2], "above 0"),
        ([0.1, 0.2, 0.3], [1, np.nan, 2], "above 0"),
    ],
)
def test_other_curves_are_refused(temperatures, entropies, told):
    with pytest.raises(ValueError, match=told):
        turning_point(temperatures, entropies)


def texts(entropies, prompts, each=1, spread=0.0):
    noise = np.random.default_rng(0)
    return [
        Text(float(t), prompt, prompt + prompts * number, 10, float(h * np.exp(spread * noise.normal())))
        for t, h in zip(np.arange(1, len(entropies) + 1) / 10, entropies, strict=True)
        for prompt in range(prompts)
        for number in range(each)
    ]


@pytest.mark.parametrize(("task", "expected"), [("better-of-n", 1.0), ("vote", 0.9)])
def test_a_task_lies_above_the_turning_point(task, expected):
    choice = choose(task, texts(PUBLISHED[0][0], prompts=4))

    assert (expected, expected, expected) == (choice.temperature, choice.low, choice.high), "equal prompts"
    assert (1.0, 0.0, 4) == (choice.agreeing, choice.outside, choice.units)
    np.testing.assert_allclose(choice.entropies, PUBLISHED[0][0])


def test_the_interval_is_wider_where_prompts_differ():
    widths = []
    for spread in (0.01, 0.1):
        choice = choose("vote", texts(PUBLISHED[0][0], prompts=8, each=2, spread=spread))
        assert choice.low <= choice.temperature <= choice.high
        widths.append(choice.high - choice.low)

    assert widths[0] < widths[1]


def test_the_interval_is_a_bootstrap_over_prompts():
    """The same with a loop over resamples, which draws prompts one by one."""
    made = texts(PUBLISHED[0][0], prompts=6, each=3, spread=0.1)
    values = np.array([text.entropy for text in made]).reshape(15, 6, 3).mean(axis=2)
    noise, found = np.random.default_rng(1), []
    for _ in range(2000):
        found.append(turning_point(np.arange(1, 16) / 10, values[:, noise.integers(0, 6, 6)].mean(axis=1)).temperature)
    choice = choose("vote", made)
    at = np.array(found) - choice.turning.temperature

    assert choice.agreeing == pytest.approx(np.mean(np.abs(at) < 1e-9), abs=0.05)
    assert choice.low == pytest.approx(np.quantile(found, 0.025), abs=0.11)
    assert choice.high == pytest.approx(np.quantile(found, 0.975), abs=0.11)


def test_one_prompt_resamples_its_texts_and_one_text_has_no_interval():
    choice = choose("vote", texts(PUBLISHED[0][0], prompts=1, each=5, spread=0.1))
    assert (5, "texts") == (choice.units, choice.resampled)
    choice = choose("vote", texts(PUBLISHED[0][0], prompts=1))

    assert (1, None, None, None, None) == (choice.units, choice.low, choice.high, choice.agreeing, choice.outside)


def test_prompts_count_alike_whatever_the_number_of_their_texts():
    made = [Text(t, prompt, n, 5, h) for t in (0.1, 0.2, 0.3) for n, (prompt, h) in enumerate([(0, 1), (0, 1), (1, 4)])]

    assert [2.5, 2.5, 2.5] == choose("vote", made).entropies


def test_temperatures_with_texts_missing_or_certain_are_left_out():
    made = texts([0.0, *PUBLISHED[0][0]], prompts=3)

    assert 0.1 not in choose("vote", made).temperatures
    assert 1.6 not in choose("vote", made[:-1]).temperatures
    with pytest.raises(ValueError, match="texts at 2 temperatures"):
        choose("vote", made[:9])
    with pytest.raises(ValueError, match="better-of-n, vote are allowed"):
        choose("best", made)

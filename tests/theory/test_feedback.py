"""The forecast of a loop with a known gain, of a model without weights, and of the bundled model's recordings."""

from dataclasses import replace

import numpy as np
import pytest

from dyntemp import Policy
from dyntemp.errors import PolicyError
from dyntemp.testing import FakeModel
from dyntemp.theory.feedback import EDGES, TOKENS, Feedback
from dyntemp.theory.record import SHIPPED, write_texts
from dyntemp.theory.recordings import GRID, Recordings
from dyntemp.theory.stability import stability

HEATS = (0.25, 0.5, 1.0, 2.0, 4.0)


def known(power, scale=1.0, texts=3):
    """Recordings of a model whose rows have the entropy scale*heat**power, and all the same surprisal curve."""
    heats = np.repeat(HEATS, texts * TOKENS)
    curve = np.array([t / (1 + t) if np.isfinite(t) else 1.0 for t in GRID])
    entropy = scale * heats**power
    return Recordings(
        model="known", heats=heats, texts=np.repeat(np.arange(len(HEATS) * texts), TOKENS),
        positions=np.tile(np.arange(TOKENS), len(HEATS) * texts), surprisal=entropy,
        signals={"entropy": entropy, "support": np.full(len(heats), 1e4)}, curves=np.tile(curve, (len(heats), 1)),
    )  # fmt: skip


@pytest.mark.parametrize(("power", "scale"), [(0.5, 0.7), (0.8, 0.9), (-0.5, 1.3)])
def test_the_fixed_point_and_the_loop_gain_are_the_known_ones(power, scale):
    """T = 1.2*entropy = 1.2*scale*heat**power is the heat itself at (1.2*scale)**(1/(1 - power))."""
    (point,) = Feedback(known(power, scale)).forecast(Policy("1.2*entropy")).fixed_points

    assert (1.2 * scale) ** (1 / (1 - power)) == pytest.approx(point.heat, rel=0.01)
    assert power == pytest.approx(point.gain, abs=0.02)


def test_heat_is_what_a_policy_adds_where_it_can_add_and_not_its_mean_temperature():
    """Every other row is certain: its temperature adds nothing, so a policy of 0.1 there and 2 elsewhere heats as 2."""
    same = known(0)
    certain = np.arange(len(same)) % 2 == 0
    recordings = replace(
        same, signals=same.signals | {"entropy": np.where(certain, 0.1, 2.0)},
        curves=np.where(certain[:, None], 0.0, same.curves),
    )  # fmt: skip

    forecast = Feedback(recordings).forecast(Policy("where(entropy < 1, 0.1, 2)"))

    assert forecast.temperature.value == pytest.approx(1.05, rel=0.05)
    assert [pytest.approx(2.0, rel=0.02)] == [point.heat for point in forecast.fixed_points]


def test_a_gain_above_one_leaves_its_fixed_point_on_both_sides():
    feedback = Feedback(known(1.5))
    cooler, hotter = (feedback.forecast(Policy(f"{factor}*entropy")) for factor in (0.8, 1.25))

    assert [pytest.approx(1.5, abs=0.05)] == [point.gain for point in hotter.fixed_points]
    assert cooler.last.value == pytest.approx(0.8 * HEATS[0] ** 1.5)  # as cold as the coldest recorded texts
    assert hotter.last.value > hotter.first.value
    assert hotter.runs_away is True
    assert cooler.runs_away is False


def test_a_constant_temperature_is_forecast_exactly_and_an_inverse_policy_settles():
    feedback = Feedback(known(1.5))
    constant, inverse = (feedback.forecast(Policy(text)) for text in ("0.8", "1.5*exp(-entropy)"))

    assert constant.temperature == pytest.approx((0.8, 0.8, 0.8))
    assert not inverse.runs_away
    assert inverse.fixed_points[0].gain < 0


def test_a_sum_is_refused_and_so_is_a_signal_that_was_not_recorded():
    feedback = Feedback(known(0.5))

    with pytest.raises(PolicyError, match="integral"):
        feedback.forecast(Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)"))
    with pytest.raises(PolicyError, match=r"quantile\(0.9\)"):
        feedback.forecast(Policy("1 - 0.5*quantile(0.9)"))


def test_recordings_without_hot_and_cold_texts_are_refused():
    one = known(0.5)
    few = one.heats <= 0.5

    with pytest.raises(ValueError, match="three temperatures"):
        Feedback(
            Recordings(
                "few", one.heats[few], one.texts[few], one.positions[few], one.surprisal[few],
                {name: values[few] for name, values in one.signals.items()}, one.curves[few],
            )
        )  # fmt: skip


def test_parts_of_a_text_end_with_its_last_third():
    assert EDGES[-2:] == (TOKENS - TOKENS // 3, TOKENS)


@pytest.fixture(scope="module")
def heated():
    """A model whose rows flatten as its latest tokens are unlikely ones, and its recordings."""
    base = np.linspace(4, -4, 64)

    def logits(tokens):
        unlikely = np.mean(tokens[-8:]) / 63
        return base * (1.6 - 1.5 * unlikely)

    model = FakeModel([bytes([at]) for at in range(64)], logits)
    heats = (0.3, 1.0, 2.0, 6.0)
    groups = write_texts(model, [Policy(heat) for heat in heats], ["\x00", "\x01", "\x02"], seed=1, alternatives=20)
    texts = [text for group in groups for text in group]
    return model, Recordings.of("heated", texts, np.repeat(heats, 3))


@pytest.mark.parametrize("text", ["0.1 + 0.2*entropy", "0.3 + 0.6*entropy"])
def test_a_forecast_holds_for_policies_that_were_not_recorded(heated, text):
    model, recordings = heated
    forecast = Feedback(recordings).forecast(Policy(text))

    (texts,) = write_texts(model, [Policy(text)], [chr(at) for at in range(8)], seed=7)
    seen = np.mean([token.temperature for one in texts for token in one])

    assert 0.99 * forecast.temperature.low < seen < 1.01 * forecast.temperature.high
    assert forecast.temperature.high < 2 * forecast.temperature.low


@pytest.fixture(scope="module")
def bundled():
    return Feedback(Recordings.load(SHIPPED))


@pytest.mark.parametrize("text", ["0.1 + 0.8*entropy", "0.1 + 0.8*perplexity"])
def test_the_run_away_defaults_of_the_article_are_told_from_recordings(bundled, text):
    found = stability(Policy(text), bundled)

    assert found.holds is False
    assert found.claim.startswith("runs away on smollm2: mean T from ")
    assert found.values["agree"] == 1
    assert found.values["entropy"].low > found.values["own_entropy"] + 3


def test_settled_policies_are_told_too_and_what_is_hot_without_feedback_is_not_called_a_loop(bundled):
    assert stability(Policy("0.7"), bundled).claim == "settles on smollm2: mean T 0.7 over 60 tokens"
    assert stability(Policy("0.1 + 0.8*normalized_entropy"), bundled).holds
    assert stability(Policy("1.7"), bundled).claim.startswith("runs too hot on smollm2: mean T 1.7 over 60 tokens")

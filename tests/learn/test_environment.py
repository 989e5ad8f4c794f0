"""The environment for learners of others, on models without weights."""

from math import exp, log

import numpy as np
import pytest
from tests.evaluation.test_loop_runner import END, PIECES, Listed, item, logits, model

from dyntemp.distribution.filters import Filters
from dyntemp.errors import InvalidLogitsError, PolicyError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.runner import Job
from dyntemp.evaluation.task import Item, Score
from dyntemp.evaluation.tasks.table import task_of
from dyntemp.language.policy import Policy
from dyntemp.models import load_model
from dyntemp.testing import FakeModel
from dyntemp.testing.models import has_bundled

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402

from dyntemp.learn.environment import TemperatureEnvironment  # noqa: E402

ITEMS = [item("one", "ab"), item("two", "bca", stop=("d", "ef")), item("three", "c", max_tokens=3)]
SEED = 2**63 + 7
SIGNALS = ["entropy", "top_mass(2)", "position"]


class Closed(FakeModel):
    """A model whose sessions nobody can join."""

    start_open = None


def environment(fake=None, items=ITEMS, signals=SIGNALS, **more):
    return TemperatureEnvironment(fake or model(), more.pop("task", Listed()), items, signals, **more)


def at(log_t):
    return np.array([log_t], np.float32)


def written(env, log_t, **reset):
    """A text at one temperature: (observations, info of each step, info of the reset, the last reward and flags)."""
    seen, begun = env.reset(**reset)
    observations, infos, ended = [seen], [], False
    while not ended:
        seen, reward, terminated, truncated, info = env.step(at(log_t))
        ended = terminated or truncated
        observations.append(seen)
        infos.append(info)
    return observations, infos, begun, (reward, terminated, truncated)


@pytest.mark.parametrize("signals", [SIGNALS, ["position"], ["varentropy", "support"]])
def test_gymnasium_accepts_it(signals):
    check_env(
        environment(items=[item(max_tokens=9)], signals=signals, low=exp(-1), high=exp(1)), skip_render_check=True
    )


@pytest.mark.parametrize("filters", ["", "min_p(0.1)", "top_k(4), top_p(0.9)"])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_text_at_one_temperature_is_that_of_a_static_policy(filters, backend):
    env = environment(filters=filters, backend=backend)
    for number in range(12):
        one, log_t = ITEMS[number % 3], float(np.float32(0.2 * number - 1.2))
        seed = {"seed": SEED} if number == 0 else {}
        _, infos, begun, (reward, terminated, truncated) = written(env, log_t, options={"item": one.id}, **seed)
        arm = Arm(name="static", family="static", policy=Policy(exp(log_t)), filters=Filters.read(filters))
        job = Job(Listed(), one, arm, 0, seed=SEED, request=number)
        ((_, sample),) = LoopRunner(model(), backend=backend).run([job])

        assert begun == {"item": one.id, "seed": SEED, "request": number}
        assert infos[-1]["written"] == sample.text
        assert infos[-1]["finish"] == sample.finish
        assert infos[-1]["score"] == sample.score
        assert len(infos) == sample.tokens
        np.testing.assert_allclose([info["log_prob"] for info in infos], sample.log_prob, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose([info["surprisal"] for info in infos], sample.surprisal, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose([info["temperature"] for info in infos], sample.temperature)
        assert reward == float(sample.score.correct)
        assert (terminated, truncated) == (sample.finish != "length", sample.finish == "length")


def tempered(row, log_t, kept):
    """ln of the probabilities of the draw, in float64."""
    scaled = np.where(kept, row.astype(np.float64) / exp(log_t), -np.inf)
    return scaled - scaled.max() - log(np.exp(scaled - scaled.max()).sum())


@pytest.mark.parametrize("least", [0.0, 0.1])
def test_the_slope_is_that_of_finite_differences(least):
    env, log_t, step = environment(filters=f"min_p({least})" if least else ""), 0.3, 1e-5
    for seed in range(10):
        tokens = model().encode(ITEMS[0].prompt)
        for info in written(env, log_t, seed=seed, options={"item": "one"})[1]:
            row, near = logits(tokens).astype(np.float32), float(np.float32(log_t))
            kept = np.exp(row - row.max()) >= least
            above, below = (tempered(row, near + sign * step, kept)[info["token"]] for sign in (1, -1))
            assert info["slope"] == pytest.approx((above - below) / (2 * step), abs=1e-6)
            assert info["log_prob"] == pytest.approx(tempered(row, near, kept)[info["token"]], abs=1e-6)
            tokens.append(info["token"])


def test_an_observation_is_that_of_the_row_of_the_next_token():
    observations, infos, *_ = written(environment(), 0.5, seed=3, options={"item": "one"})
    tokens = model().encode("ab")
    for position, (seen, info) in enumerate(zip(observations[:-1], infos, strict=True)):
        p = np.exp(tempered(logits(tokens), 0.0, True))
        np.testing.assert_allclose(seen, [-(p * np.log(p)).sum(), np.sort(p)[-2:].sum(), position], rtol=1e-5)
        assert seen.dtype == np.float32
        assert info["text"] == PIECES[info["token"]].decode()
        tokens.append(info["token"])
    np.testing.assert_array_equal(observations[-1], observations[-2])


def test_spaces_have_the_bounds_of_the_signals_and_of_the_temperature():
    env = environment(signals=["entropy", "max_prob", "temperature_for_entropy(1)"], low=0.25, high=2)

    np.testing.assert_allclose(env.observation_space.low, [0, 1 / len(PIECES), 0], rtol=1e-6)
    np.testing.assert_allclose(env.observation_space.high, [log(len(PIECES)), 1, np.inf], rtol=1e-6)
    np.testing.assert_allclose([env.action_space.low[0], env.action_space.high[0]], [log(0.25), log(2)], rtol=1e-6)


def episodes(env, seed, count=8):
    """Texts under random actions, with the items that chance chose."""
    env.action_space.seed(1)
    found = []
    for number in range(count):
        _, begun = env.reset(**({"seed": seed} if number == 0 else {}))
        ended = False
        while not ended:
            *_, terminated, truncated, info = env.step(env.action_space.sample())
            ended = terminated or truncated
        found.append((begun["item"], info["written"]))
    return found


def test_equal_seeds_and_actions_give_equal_items_and_texts():
    env = environment()

    assert episodes(env, 5) == episodes(env, 5) == episodes(environment(), 5)
    assert episodes(env, 5) != episodes(env, 6)
    assert {name for name, _ in episodes(env, 5, 40)} == {"one", "two", "three"}


def test_sessions_that_nobody_can_join_give_the_same_texts_and_end_with_them():
    fake = Closed(PIECES, logits, end=[END])
    env = environment(fake)

    assert episodes(env, 5) == episodes(environment(), 5)
    assert fake.open_sessions == 0
    env.reset()
    env.reset()
    assert fake.open_sessions == 1
    env.close()
    assert fake.open_sessions == 0


def test_texts_of_an_environment_without_a_seed_differ():
    assert episodes(environment(), None) != episodes(environment(), None)


def test_several_on_one_model_do_not_disturb_one_another():
    fake = FakeModel(PIECES, logits)
    together = gymnasium.vector.SyncVectorEnv([lambda: environment(fake)] * 2)
    seen, _ = together.reset(seed=[4, 9], options={"item": "one"})
    actions = np.array([[0.3], [-0.4]], np.float32)
    for _ in range(3):
        seen, *_ = together.step(actions)

    for place, seed in enumerate((4, 9)):
        alone = written(environment(FakeModel(PIECES, logits)), actions[place, 0], seed=seed, options={"item": "one"})[
            0
        ]
        np.testing.assert_array_equal(seen[place], alone[3])
    together.close()
    assert fake.open_sessions == 0


def test_a_reward_of_ones_own_gets_item_text_and_score():
    def reward(item, text, score):
        assert isinstance(item, Item)
        assert isinstance(score, Score)
        return len(text) / 2

    *_, (found, _, _) = written(environment(reward=reward), 0.5, seed=3, options={"item": "three"})

    assert found == len(written(environment(), 0.5, seed=3, options={"item": "three"})[1][-1]["written"]) / 2 > 0


def test_prompts_are_read_once_and_given_up_texts_leave_no_trace():
    fake, read = model(), []
    fake.read = read.append
    env = environment(fake)
    for seed in (1, 2):
        env.reset(seed=seed, options={"item": "two"})
        env.step(at(0))
    text = written(env, 0.5, seed=3, options={"item": "two"})[1][-1]["written"]

    assert text == written(environment(), 0.5, seed=3, options={"item": "two"})[1][-1]["written"]
    assert read == [3]
    env.close()
    env.close()
    assert fake.open_sessions == fake.open_readings == 0
    assert text == written(env, 0.5, seed=3, options={"item": "two"})[1][-1]["written"]


@pytest.mark.parametrize("action", [at(1.2), at(-3), at(np.nan), np.zeros(2, np.float32), np.float32(0)])
def test_an_action_outside_the_space_is_refused_and_the_text_goes_on(action):
    env = environment(high=3)
    env.reset(seed=1)
    with pytest.raises(ValueError, match=r"from -2.30259 to 1.09861"):
        env.step(action)

    env.step(env.action_space.high)
    env.reset()
    env.step(env.action_space.low)


def test_a_step_without_a_text_asks_for_a_reset():
    env = environment()
    for _ in range(2):
        with pytest.raises(gymnasium.error.ResetNeeded, match="reset"):
            env.step(at(0))
        written(env, 0.5, seed=1)


@pytest.mark.parametrize(("options", "reason"), [({"item": "four"}, "one, two, three"), ({"prompt": "a"}, "`item`")])
def test_options_that_are_not_there_are_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        environment().reset(options=options)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"low": 0.0}, "0 < low < high"),
        ({"low": 2.0, "high": 1.0}, "0 < low < high"),
        ({"high": np.inf}, "0 < low < high"),
        ({"items": []}, "0 items"),
        ({"items": [ITEMS[0], ITEMS[0]]}, "2 items with 1 ids"),
        ({"signals": []}, "no signals"),
        ({"filters": "temperature, min_p(0.1)"}, "before `temperature`"),
    ],
)
def test_settings_outside_their_range_are_refused(more, reason):
    with pytest.raises(ValueError, match=reason):
        environment(**more)


@pytest.mark.parametrize("signal", ["surprisal", "divergence", 'given("x", 0, 1)', "entropy + 1", "entropi"])
def test_signals_from_elsewhere_are_refused(signal):
    with pytest.raises(PolicyError):
        environment(signals=["entropy", signal])


def test_a_broken_row_is_an_error_and_the_next_text_is_whole():
    def broken(tokens):
        return logits(tokens) if len(tokens) < 3 or tokens[0] else np.full(len(PIECES), np.nan)

    env = environment(FakeModel(PIECES, broken, end=[]))
    env.reset(seed=1, options={"item": "one"})
    with pytest.raises(InvalidLogitsError):
        env.step(at(0))

    assert written(env, 0.5, options={"item": "three"})[1][-1]["finish"] == "length"


class Pick:
    """The right token is the likeliest one where the row is peaked, and an unlikely one where it is flat."""

    name, group, metric, about = "pick", "text", "accuracy", "One token."

    def score(self, item, text):
        return Score(valid=True, correct=(text == "a") == (item.id == "peaked"), key=text)


def picks(tokens):
    return [2.0, 0, 0, 0] if tokens[-1] == 0 else [0.7, 0, 0, 0]


def test_a_small_learner_finds_where_to_be_hot_and_where_to_be_cold():
    """REINFORCE: ln T = weights . (1, entropy), by the exact gradient that `slope` gives."""
    items = [item("peaked", "a", max_tokens=1), item("flat", "b", max_tokens=1)]
    fake = FakeModel([b"a", b"b", b"c", b"d"], picks)
    env = environment(fake, items, ["entropy"], task=Pick(), low=0.2, high=5)
    weights, baseline, found = np.zeros(2), 0.5, {}
    seen, begun = env.reset(seed=0)
    for _ in range(1500):
        features = np.array([1.0, seen[0] - 1.25])
        found[begun["item"]] = log_t = np.clip(weights @ features, env.action_space.low, env.action_space.high)
        _, reward, _, _, info = env.step(log_t)
        weights += 0.5 * (reward - baseline) * info["slope"] * features
        baseline += 0.05 * (reward - baseline)
        seen, begun = env.reset()

    assert found["peaked"][0] < -0.7
    assert found["flat"][0] > 0.7


@pytest.mark.model
@pytest.mark.skipif(not has_bundled(), reason="the bundled model is not installed")
def test_a_text_of_the_bundled_model():
    task = task_of("fluency")
    items = task.items("tune", 2)
    with environment(load_model("smollm2"), items, task=task, filters="min_p(0.05)") as env:
        for _ in range(2):
            observations, infos, begun, (reward, terminated, truncated) = written(env, -0.5, seed=7)
            chosen = next(item for item in items if item.id == begun["item"])

            assert all(seen in env.observation_space for seen in observations)
            assert infos[-1]["score"] == task.score(chosen, infos[-1]["written"])
            assert reward == infos[-1]["score"].correct
            assert terminated != truncated
            assert all(info["log_prob"] <= 0 < info["temperature"] for info in infos)

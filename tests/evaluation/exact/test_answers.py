"""Expected scores against the enumeration of every text, against sampled runs, and against differences."""

from io import BytesIO

import numpy as np
import pytest
from tests.evaluation.exact.toy import PIECES, enumerated, row, toy_item, toy_model

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.exact.answers import Answers
from dyntemp.evaluation.task import Item
from dyntemp.language.policy import Policy
from dyntemp.models import load_model
from dyntemp.sampling import sample
from dyntemp.testing import FakeModel
from dyntemp.testing.models import has_bundled

ITEMS = [toy_item("c"), toy_item("a", answers=("a", "<", "c")), toy_item("<", max_tokens=2)]
ANSWERS = Answers.read(toy_model(), ITEMS, batch=3)
POLICY = Policy("0.3 + 0.5*entropy")
CHAINS = [Filters(), Filters.read("top_k(5)"), Filters.read("temperature, min_p(0.1)")]


def chance_of(item, policy, filters=Filters()):
    """The probability of each answer key, all spellings counted."""
    found = enumerated(policy, filters, item)
    keys = {}
    for text, key in item.answers.items():
        keys[key] = keys.get(key, 0) + sum(found[text].values())
    return keys


@pytest.mark.parametrize("filters", CHAINS, ids=str)
@pytest.mark.parametrize("policy", [POLICY, Policy(0), Policy(1), Policy("temperature_for_entropy(40)")], ids=str)
def test_accuracy_is_a_lower_bound_and_what_it_misses_is_bounded(filters, policy):
    found, missed = ANSWERS.values(policy, "accuracy", filters), ANSWERS.missed(policy, filters)

    wanted = [sum(chance_of(item, policy, filters).values()) for item in ITEMS]
    assert np.all(found <= np.array(wanted) + 1e-7)
    assert np.all(wanted <= found + missed + 1e-7)


def test_answers_in_one_spelling_are_exact():
    """`<` and `c` have one token each; an answer may end at the end of the text, at a stop text, or by its length."""
    for length in (1, 2, 3):
        item = toy_item("a", max_tokens=length, answers=("<", "c"))
        answers = Answers.read(toy_model(), [item])
        for filters in CHAINS:
            chance = chance_of(item, POLICY, filters)
            assert answers.values(POLICY, "validity", filters)[0] == pytest.approx(sum(chance.values()), rel=1e-6)
            for k in (1, 3):
                assert answers.values(POLICY, f"pass@{k}", filters)[0] == pytest.approx(
                    1 - (1 - sum(chance.values())) ** k, rel=1e-6
                )
                assert answers.values(POLICY, f"distinct@{k}", filters)[0] == pytest.approx(
                    sum(1 - (1 - p) ** k for p in chance.values()), rel=1e-6
                )


def test_tokens_that_straddle_an_answer_and_its_stop_text_are_counted():
    """`ab` ends as `ab` + newline, `ab` + end, or `a` + `b\\n`, and the first two also from `a` + `b`."""
    item = toy_item("c", answers=("a", "ab"))
    found = enumerated(POLICY, item=item)
    usual = {(2, 3), (2, 8), (2, 5), (0, 4)}

    value = Answers.read(toy_model(), [item]).values(POLICY)[0]

    assert found["ab"].keys() > usual
    assert value == pytest.approx(sum(found["a"].values()) + sum(found["ab"][path] for path in usual), rel=1e-6)


def test_a_hundred_thousand_samples_agree():
    runs, item = 100_000, toy_item("a", answers=("<", "c"))
    policy = Policy("0.2 + 0.6*entropy + 0.3*ema(max_prob, 0.5) + 0.05*surprisal")
    state = policy.state(slots=runs, window=4)
    paths, path, live = [()], np.zeros(runs, np.int64), np.arange(runs)  # the distinct ones, and that of each run
    for position in range(item.max_tokens):
        rows = np.array([row([0, *tokens]) for tokens in paths])
        drawn = sample(rows[path[live]], policy, seed=7, request=live, position=position, slot=live, state=state).token
        longer, path[live] = np.unique(path[live] * 9 + drawn, return_inverse=True)
        path[live] += len(paths)
        paths += [(*paths[number // 9], number % 9) for number in longer.tolist()]
        going = [tokens[-1:] != (5,) and b"\n" not in written(tokens) for tokens in paths]
        live = live[np.array(going)[path[live]]]
    right = np.array([written(tokens).split(b"\n")[0].decode() in item.answers for tokens in paths])

    value = Answers.read(toy_model(), [item]).values(policy)[0]

    assert abs(right[path].mean() - value) < 4 * np.sqrt(value * (1 - value) / runs)
    assert value > 0.01


def written(tokens):
    return b"".join(PIECES[token] for token in tokens)


@pytest.mark.parametrize("metric", ["accuracy", "pass@3", "distinct@4"])
@pytest.mark.parametrize("filters", CHAINS[:2], ids=str)
def test_the_gradient_is_the_derivative_by_each_row(metric, filters):
    t = ANSWERS.summaries.temperatures(POLICY)
    step = 1e-5

    value, found = ANSWERS.gradient(t, metric, filters)

    assert value == pytest.approx(ANSWERS.values(POLICY, metric, filters).mean(), rel=1e-12)
    for at in range(len(t)):
        up, down = (
            ANSWERS.gradient(t * np.exp(by * (np.arange(len(t)) == at)), metric, filters)[0] for by in (step, -step)
        )
        assert found[at] == pytest.approx((up - down) / (2 * step), abs=1e-8)


def test_a_file_holds_all():
    file = BytesIO()
    ANSWERS.save(file)
    file.seek(0)

    loaded = Answers.load(file)

    assert loaded.items == ANSWERS.items
    for metric in ("accuracy", "distinct@3"):
        assert loaded.values(POLICY, metric).tolist() == ANSWERS.values(POLICY, metric).tolist()
    policy = Policy("0.3 + 0.2*ema(entropy, 0.5) + 0.1*surprisal")
    assert loaded.missed(policy).tolist() == ANSWERS.missed(policy).tolist()


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", x=1)

    with pytest.raises(ValueError, match="holds no answers of this version"):
        Answers.load(tmp_path / "other.npz")


def test_a_row_is_read_once_whatever_shares_it():
    model, done = toy_model(), []

    answers = Answers.read(model, ITEMS, lambda count, total: done.append((count, total)), batch=2)

    places = len(answers.summaries)
    assert places == len({tuple(z) for z in answers.summaries.rows.depth.tolist()})
    assert done[-1][0] == done[-1][1]
    assert model.open_sessions == model.open_readings == 0


def test_the_batch_changes_nothing():
    for batch in (1, 2, 64):
        values = Answers.read(toy_model(), ITEMS, batch=batch).values(POLICY, "distinct@2")
        assert values == pytest.approx(ANSWERS.values(POLICY, "distinct@2"), rel=1e-12)


def test_answers_that_hold_a_stop_text_or_are_too_long_have_no_chance():
    item = Item(id="x", cluster="x", prompt="c", max_tokens=1, stop=("b",), answers={"ab": "1", "<c": "2"})

    assert Answers.read(toy_model(), [item]).values(Policy(1)).tolist() == [0.0]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="the item 'x' lists no answers: sample it instead"):
        Answers.read(toy_model(), [Item(id="x", cluster="x", prompt="c", max_tokens=3)])
    with pytest.raises(ValueError, match="the metric 'maj@8' was given"):
        ANSWERS.values(POLICY, "maj@8")
    with pytest.raises(ValueError, match="stand before `temperature`"):
        ANSWERS.gradient(1.0, filters=CHAINS[2])
    greedy = FakeModel([b"a ", b"a", b" b"], lambda _: np.zeros(3))
    greedy.encode = lambda text: [0] if text == "a " else [1, 2] if text == "a b" else [2]
    with pytest.raises(ValueError, match="the answer 'b' was given, which fake has no tokens for"):
        Answers.read(greedy, [Item(id="x", cluster="x", prompt="a ", max_tokens=3, answers={"b": "b"})])


@pytest.mark.model
@pytest.mark.skipif(not has_bundled(), reason="the bundled model is not installed")
def test_the_bundled_model_answers():
    model = load_model("smollm2", threads=1)
    item = Item(
        id="sky", cluster="sky", prompt="Question: What color is the sky?\nAnswer:", max_tokens=6, stop=("\n",),
        answers={" blue": "blue", " Blue": "blue", " blue.": "blue", " the sky is blue.": "blue", " red": "red"},
    )  # fmt: skip

    answers = Answers.read(model, [item])

    values = {t: answers.values(Policy(t))[0] for t in (0.3, 1.0, 3.0)}
    assert all(0 < value < 1 for value in values.values())
    assert values[3.0] < values[1.0]
    assert 0 <= answers.missed(Policy(1.0))[0] < 0.2
    assert answers.values(Policy(1.0), "accuracy", Filters.read("min_p(0.1)"))[0] >= values[1.0] * 0.5

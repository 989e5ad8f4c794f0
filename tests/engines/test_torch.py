"""The module for loops of one's own: memory, draws, gradients, torch.compile."""

import numpy as np
import pytest

from dyntemp import PolicyError, sample, scale, temperatures
from dyntemp.engines import EngineError
from dyntemp.testing import EngineSuite
from dyntemp.testing.hosts.torch import Loop

torch = pytest.importorskip("torch")

from dyntemp.engines.torch import DynamicTemperature  # noqa: E402

STATELESS = "0.3 + 0.7*normalized_entropy**0.5"
REMEMBERS = "0.2 + ema(entropy, 0.5)/5"
LEARNS = '0.3 + param("b", 0, 2)*normalized_entropy'


def rows_of(count=5, n=300, seed=0, dtype=torch.float32):
    spread = np.random.default_rng(seed).normal(0, 1, (count, n)) * np.linspace(0.5, 6, count)[:, None]
    return torch.from_numpy(spread).to(dtype)


class TestLoop(EngineSuite):
    def make_host(self):
        return Loop()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_rows_of_every_dtype_come_back_in_it(dtype):
    logits = rows_of(dtype=dtype)
    before = logits.clone()
    found = DynamicTemperature(STATELESS)(logits)

    assert found.dtype == dtype
    assert torch.equal(logits, before)
    assert torch.equal(found, scale(logits, STATELESS))


def test_it_is_a_module_like_others():
    model = torch.nn.Sequential(torch.nn.Linear(8, 300), DynamicTemperature(STATELESS))

    assert STATELESS in repr(model)
    assert list(model[1].parameters()) == []
    assert model.state_dict().keys() == {"0.weight", "0.bias"}
    with torch.no_grad():
        assert model(torch.randn(3, 8)).shape == (3, 300)


def test_slots_may_be_a_tensor():
    listed, module = DynamicTemperature(REMEMBERS), DynamicTemperature(REMEMBERS)
    for step in range(3):
        logits = rows_of(2, seed=step)
        expected = listed(logits, slot=[4, 1], position=step)

        assert torch.equal(module(logits, slot=torch.tensor([4, 1]), position=step), expected)
        assert module.draw(logits, slot=torch.tensor([4, 1]), position=step, seed=7).token.tolist() == (
            listed.draw(logits, slot=[4, 1], position=step, seed=7).token.tolist()
        )
    assert module.counts.as_dict() == listed.counts.as_dict()


@pytest.mark.parametrize("policy", ["0.3 + 0.01*position", REMEMBERS, "0.3 + surprisal/9"])
def test_a_policy_that_reads_more_than_its_row_needs_the_position(policy):
    with pytest.raises(EngineError, match="position="):
        DynamicTemperature(policy)(rows_of())


def test_positions_and_memory_without_a_word_about_sequences():
    policy = REMEMBERS + " + 0.01*position"
    module = DynamicTemperature(policy)
    from dyntemp import Policy

    for _ in range(2):  # a second text begins where position is 0 again
        state = Policy(policy).state(slots=5)
        for position in range(4):
            logits = rows_of(seed=position)
            t = temperatures(logits.numpy(), policy, state=state, position=position, backend="reference")
            np.testing.assert_allclose(module(logits, position=position), logits.numpy() / t[:, None], rtol=2e-5)
    assert module.counts.as_dict()["restarts"] == 0


def test_gradients_in_the_logits_are_those_of_the_formula():
    logits = rows_of(3, 40, dtype=torch.float64).requires_grad_()
    module = DynamicTemperature(STATELESS)
    weight = torch.linspace(-1, 1, 40, dtype=torch.float64)

    def formula(z):
        p = z.softmax(-1)
        entropy = -(p * p.log()).sum(-1, keepdim=True)
        return z / (0.3 + 0.7 * (entropy / np.log(40)) ** 0.5)

    (found,) = torch.autograd.grad((module(logits).log_softmax(-1) * weight).sum(), logits)
    (wanted,) = torch.autograd.grad((formula(logits).log_softmax(-1) * weight).sum(), logits)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
    assert torch.autograd.gradcheck(module, logits)


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def test_parameters_learn_what_tokens_were_drawn_with():
    logits = rows_of(3000, 50)
    targets = sample(logits, "0.3 + 0.9*normalized_entropy", seed=3).token
    module = DynamicTemperature(LEARNS, learn={"b": 0.1})
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(logits), targets).backward()
        optimizer.step()
    learned = module.learned["b"].item()

    assert learned == pytest.approx(0.9, abs=0.1)
    assert module.state_dict().keys() == {"learned.b"}
    with torch.no_grad():
        found = module(logits)
    expected = temperatures(logits.numpy(), LEARNS, parameters={"b": learned}, backend="reference")
    np.testing.assert_allclose(found, logits.numpy() / expected[:, None], rtol=2e-5)


@pytest.mark.parametrize(("policy", "learn", "why"), [
    ("a + 0.1*entropy", {"a": 0.3}, "param"), (LEARNS, {"b": 3}, "b"), (LEARNS, {"c": 1}, "c"), (LEARNS, None, "bind"),
    ('ema(entropy, param("b", 0.1, 1))', {"b": 0.3}, "remembers"),
])  # fmt: skip
def test_what_cannot_learn_is_refused(policy, learn, why):
    with pytest.raises((EngineError, PolicyError), match=why):
        DynamicTemperature(policy, learn=learn)(rows_of())


@pytest.mark.parametrize("policy", [STATELESS, "0.5 + 0.01*position + 0.1*requested"])
def test_compiled_whole_it_is_the_same_and_counts(policy):
    module = DynamicTemperature(policy)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    logits = rows_of()
    for turn in range(1, 4):
        torch.testing.assert_close(compiled(logits, position=3), module(logits, position=3), rtol=1e-5, atol=1e-5)
        assert module.counts.as_dict() | {"calls": 2 * turn, "seen": 10 * turn} == module.counts.as_dict()
    assert module.counts.as_dict()["changed"] == 30


def test_memory_is_refused_where_a_gradient_is_wanted():
    with pytest.raises(EngineError, match="detach"):
        DynamicTemperature(REMEMBERS)(rows_of().requires_grad_(), position=0)


def test_broken_rows_are_counted_traced_or_not():
    logits = rows_of()
    logits[1, 3] = torch.nan
    module = DynamicTemperature(STATELESS)
    for call in (module, torch.compile(module, backend="aot_eager", fullgraph=True)):
        found = call(logits)
        assert found[1].isnan().sum() == 1
        torch.testing.assert_close(found[[0, 2]], scale(logits[[0, 2]], STATELESS), rtol=1e-5, atol=1e-5)
    assert module.counts.as_dict() | {"seen": 10, "changed": 8, "broken": 2} == module.counts.as_dict()


def test_draws_are_those_of_sample():
    logits = rows_of(seed=4)
    module = DynamicTemperature(STATELESS)
    for position in range(20):
        found = module.draw(logits, seed=9, position=position, top_p=0.9)
        expected = sample(logits, STATELESS, seed=9, position=position, top_p=0.9)
        assert found.token.tolist() == expected.token.tolist()
        assert found.temperature.tolist() == pytest.approx(expected.temperature.tolist())


def test_draws_of_greedy_slots_and_of_a_policy_that_remembers():
    module = DynamicTemperature(REMEMBERS)
    module.begin(1, "5", requested=0)
    for position in range(5):
        logits = rows_of(3, seed=position)
        found = module.draw(logits, seed=1, position=position, slot=[0, 1, 7])
        assert found.token[1] == logits[1].argmax()
    assert module.counts.as_dict()["restarts"] == 0
    assert module.counts.as_dict()["greedy"] == 5


def test_a_sequence_that_is_over_leaves_its_policy_behind():
    module = DynamicTemperature("0.5")
    module.begin(1, "2")
    logits = rows_of(2)
    before = module(logits)
    module.end(1)

    torch.testing.assert_close(before, torch.stack([logits[0] * 2, logits[1] / 2]))
    torch.testing.assert_close(module(logits), logits * 2)


def test_a_draw_needs_to_know_its_position_and_its_policy():
    with pytest.raises(EngineError, match="position"):
        DynamicTemperature("0.8").draw(rows_of(), seed=1)
    with pytest.raises(EngineError, match="bind"):
        DynamicTemperature(LEARNS, learn={"b": 1}).draw(rows_of(), seed=1, position=0)


def test_what_is_recorded():
    steps = []
    module = DynamicTemperature(STATELESS, record=steps.append)
    module(rows_of(), position=0)

    np.testing.assert_allclose(steps[0].temperature, temperatures(rows_of(), STATELESS))
    assert set(steps[0].signals) == {"normalized_entropy"}


@pytest.mark.parametrize("policy", [STATELESS, REMEMBERS, "0.5 + 0.1*position", "0", "where(max_prob < 0.5, 0, 1)"])
def test_self_test_passes(policy):
    assert DynamicTemperature(policy).self_test().as_dict()["changed"] == 16


def test_self_test_of_what_learns_and_of_what_computes_otherwise(monkeypatch):
    assert DynamicTemperature(LEARNS, learn={"b": 0.4}).self_test().as_dict()["changed"] == 16
    honest = DynamicTemperature.forward
    monkeypatch.setattr(DynamicTemperature, "forward", lambda self, *a, **b: honest(self, *a, **b) * 1.001)
    with pytest.raises(EngineError, match="makes it"):
        DynamicTemperature(STATELESS).self_test()


def test_lists_of_given_are_read_by_position():
    module = DynamicTemperature("given('kl', 0, 1)", given={"kl": [0.25, 0.5]})
    logits = rows_of(2)
    learns = logits.clone().requires_grad_()
    for position in ([3, 4], torch.tensor([3, 4])):
        expected = logits / torch.tensor([[0.5], [0.25]])

        torch.testing.assert_close(module(logits, position=position), expected)
        torch.testing.assert_close(module(learns, position=position), expected)
    with pytest.raises(EngineError, match="pass position="):
        module(logits)
    module.self_test()

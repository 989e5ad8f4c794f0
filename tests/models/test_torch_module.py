"""PyTorch modules as models: networks that are small enough to compute whole, in every way of carrying state."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import dyntemp
from dyntemp import ModelError
from dyntemp.models.torch_module import TorchModel, import_torch

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SIZE, WIDTH = 11, 16


class Letters:
    """A tokenizer of the characters `a` to `k`, as notebooks write them."""

    eos_token_id = 10

    def encode(self, text):
        return [ord(letter) - ord("a") for letter in text]

    def decode(self, tokens):
        return "".join(chr(ord("a") + token) for token in tokens)


class Recurrent(torch.nn.Module):
    """An LSTM that takes and returns its state, and writes down what it was given."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(SIZE, WIDTH)
        self.lstm = torch.nn.LSTM(WIDTH, WIDTH, num_layers=2, batch_first=True, dropout=0.5)
        self.head = torch.nn.Linear(WIDTH, SIZE)
        self.calls = []

    def forward(self, tokens, hidden=None):
        self.calls.append(tuple(tokens.shape))
        output, hidden = self.lstm(self.embed(tokens), hidden)
        return self.head(output), hidden


class Attention(torch.nn.Module):
    """One layer of causal attention; with a cache of the embedded tokens where it is asked for one."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(SIZE, WIDTH)
        self.head = torch.nn.Linear(WIDTH, SIZE)
        self.calls = []

    def forward(self, input_ids, past_key_values=None, use_cache=False):
        self.calls.append(tuple(input_ids.shape))
        new = self.embed(input_ids)
        seen = new if past_key_values is None else torch.cat([past_key_values, new], dim=1)
        weights = torch.matmul(new, seen.mT).tril(seen.shape[1] - new.shape[1]).relu()
        logits = self.head(torch.matmul(weights, seen) + new)
        return SimpleNamespace(logits=logits, past_key_values=seen) if use_cache else logits


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(7)


@pytest.fixture(params=["none", "hidden", "cache"])
def state(request):
    return request.param


def network(state):
    return Recurrent() if state == "hidden" else Attention()


def whole(module, tokens):
    """The last logits of one forward pass over the whole sequence."""
    with torch.no_grad():
        output = module(torch.tensor([tokens]))
    return (output[0] if isinstance(output, tuple) else output)[0, -1].numpy()


def test_every_step_has_the_logits_of_the_whole_sequence(state):
    module = network(state)
    model = TorchModel(module, Letters(), state=state)
    session = model.start([[1, 2, 3], [4, 5], [6, 7, 8]])
    texts = {0: [1, 2, 3], 1: [4, 5], 2: [6, 7, 8]}
    for step in ({0: 9, 1: 2, 2: 5}, {0: 1, 1: 1, 2: 1}, {2: 4, 0: 3}, {2: 7}):
        expected = [whole(module, tokens) for tokens in texts.values()]
        np.testing.assert_allclose(session.logits().numpy(), expected, rtol=0, atol=1e-5)
        session.advance(step)
        texts = {row: [*tokens, step[row]] for row, tokens in texts.items() if row in step}
    np.testing.assert_allclose(session.logits()[0].numpy(), whole(module, texts[2]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("carried", "shapes"), [
    ("hidden", [(1, 3), (1, 1), (1, 1)]),
    ("cache", [(1, 3), (1, 1), (1, 1)]),
    ("none", [(1, 3), (1, 4), (1, 5)]),
])  # fmt: skip
def test_a_module_that_carries_state_is_given_the_new_token_alone(carried, shapes):
    module = network(carried)
    model = TorchModel(module, Letters(), state=carried)
    module.calls.clear()
    session = model.start([[1, 2, 3]])
    session.advance({0: 4})
    session.advance({0: 5})
    assert module.calls == shapes


def test_sequences_of_equal_length_go_through_a_stateless_module_together():
    module = Attention()
    model = TorchModel(module, Letters())
    module.calls.clear()
    model.start([[1, 2], [3], [4, 5], [6, 7]])
    assert module.calls == [(3, 2), (1, 1)]


def test_dropout_is_off_and_no_gradient_is_kept():
    module = Recurrent().train()
    model = TorchModel(module, Letters(), state="hidden")
    rows = [model.start([[1, 2, 3]]).logits() for _ in range(3)]
    assert all(torch.equal(rows[0], row) for row in rows)
    assert not rows[0].requires_grad


def test_rows_can_be_sampled(state):
    model = TorchModel(network(state), Letters(), state=state)
    session = model.start([[1, 2], [3, 4]])
    draw = dyntemp.sample(session.logits(), 0.0)
    np.testing.assert_array_equal(draw.token, session.logits().argmax(-1))


class Bits(torch.nn.Module):
    """Logits in half the precision."""

    def forward(self, tokens):
        return torch.nn.functional.one_hot((tokens + 1) % SIZE, SIZE).to(torch.bfloat16)


def test_half_precision_and_modules_without_parameters_work():
    session = TorchModel(Bits(), Letters()).start([[3]])
    assert session.logits().dtype == torch.bfloat16
    assert int(dyntemp.sample(session.logits(), 0.0).token[0]) == 4


@pytest.mark.parametrize("encode", [
    lambda text: [0, 1],
    lambda text: torch.tensor([0, 1]),
    lambda text: torch.tensor([[0, 1]]),
    lambda text: np.array([0, 1]),
    lambda text: SimpleNamespace(ids=[0, 1]),
])  # fmt: skip
def test_tokenizers_may_return_lists_arrays_and_encodings(encode):
    tokenizer = SimpleNamespace(encode=encode, decode=lambda tokens: "x" * len(tokens))
    tokens = TorchModel(Bits(), tokenizer).encode("ab")
    assert tokens == [0, 1]
    assert all(type(token) is int for token in tokens)


def test_what_a_model_says_of_itself():
    model = TorchModel(Recurrent(), Letters(), state="hidden")
    assert (model.name, model.vocabulary, model.context) == ("Recurrent", SIZE, None)
    assert model.end_tokens == {10}
    assert (model.token_bytes(2), model.token_bytes(10), model.token_name(10)) == (b"c", b"", "k")
    assert model.encode_chat([{"role": "user", "content": "a"}]) is None
    named = TorchModel(Bits(), Letters(), name="bits", end_tokens=[3, 4], context=9)
    assert (named.name, named.context, named.end_tokens) == ("bits", 9, {3, 4})
    assert TorchModel(Bits(), Letters(), end_tokens=[]).end_tokens == frozenset()


@pytest.mark.parametrize(("module", "given", "message"), [
    (Attention(), "hidden", r"hidden.*promises \(logits, hidden\)"),
    (Recurrent(), "cache", r"Recurrent cannot be called as state='cache' says: .*input_ids"),
    (torch.nn.Embedding(SIZE, SIZE), "hidden", "Embedding cannot be called as state='hidden' says: .*positional"),
])  # fmt: skip
def test_a_module_that_does_not_carry_what_was_promised_is_refused(module, given, message):
    with pytest.raises(ModelError, match=message):
        TorchModel(module, Letters(), state=given)


@pytest.mark.parametrize("shape", [(1, SIZE), (1, 2, SIZE), ()])
def test_logits_of_another_shape_are_refused(shape):
    class Wrong(torch.nn.Module):
        def forward(self, tokens):
            return torch.zeros(shape)

    with pytest.raises(ModelError, match=r"\[1, 1, 'vocabulary'\] are needed"):
        TorchModel(Wrong(), Letters())


def test_an_unknown_state_is_refused():
    with pytest.raises(ModelError, match="'none', 'hidden' and 'cache' are allowed"):
        TorchModel(Bits(), Letters(), state="lstm")


def test_sessions_refuse_what_they_cannot_take(state):
    model = TorchModel(network(state), Letters(), state=state, context=3)
    for prompt, message in (([], "is empty"), ([1] * 4, "4 tokens and the context holds 3"), ([SIZE], "token 11")):
        with pytest.raises(ModelError, match=message):
            model.start([[1], prompt])
    session = model.start([[1, 2], [3]])
    session.advance({0: 1})
    with pytest.raises(ModelError, match=r"sequence 1 was given a token; live are \[0\]"):
        session.advance({1: 1})
    with pytest.raises(ModelError, match="sequence 0 has filled the context of 3 tokens"):
        session.advance({0: 1})
    session.advance({})
    assert session.logits().shape == (0, SIZE)
    session.close()
    session.close()
    with pytest.raises(ModelError, match="closed"):
        session.logits()


def test_without_pytorch_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match=r"pip install 'dyntemp\[torch\]'"):
        import_torch()

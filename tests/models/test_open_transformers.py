"""Sequences that join a session of transformers while others run, on tiny networks of random weights."""

import warnings

import numpy as np
import pytest
from tests.requested import make_request

from dyntemp.errors import ModelError
from dyntemp.generation.loop import Loop
from dyntemp.language.policy import Policy
from dyntemp.models import OpenModel

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers")

from tests.models.tiny import bloom, byte_level, gpt2, llama  # noqa: E402

from dyntemp.models.transformers import model_of  # noqa: E402

pytestmark = pytest.mark.torch


def mistral():
    """A network whose layers keep a window of positions."""
    torch.manual_seed(0)
    config = transformers.MistralConfig(
        vocab_size=320, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, sliding_window=8, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return transformers.MistralForCausalLM(config).eval()


@pytest.fixture(scope="module", params=[llama, gpt2, bloom], ids=lambda make: make.__name__)
def model(request):
    return model_of(request.param(), byte_level(), "tiny")


def whole(model, tokens):
    """The last logits of one forward pass over the whole sequence, without cache, mask or padding."""
    with torch.no_grad():
        return model.module(torch.tensor([tokens]), use_cache=False).logits[0, -1].numpy()


def joined(session, prompts, part=3):
    reading = session.join(prompts, part)
    parts = []
    while reading.left:
        parts.append(reading.read())
    return *reading.finish(), parts


@pytest.mark.parametrize("kept", [0, 2])
def test_sequences_that_join_and_leave_have_the_logits_of_the_whole_sequence(model, kept):
    rng = np.random.default_rng(0)
    session, texts = model.start_open(6, kept), {}
    prompts = [rng.integers(3, 300, size).tolist() for size in (1, 4, 9, 17)]
    for _ in range(14):
        live = [row for row in texts if rng.random() < 0.75 and len(texts[row]) < 60]
        step = {row: int(rng.integers(3, 300)) for row in live}
        session.advance(step)
        texts = {row: [*texts[row], step[row]] for row in sorted(live)}
        expected = [whole(model, tokens) for tokens in texts.values()]
        np.testing.assert_allclose(session.logits().numpy(), np.reshape(expected, (-1, 320)), rtol=0, atol=2e-5)
        count = int(rng.integers(0, session.places + 1))
        if count:
            joining = [prompts[at] for at in rng.integers(0, len(prompts), count)]
            rows, logits, _ = joined(session, joining)
            assert rows == sorted(rows)
            assert not set(rows) & set(texts)
            texts |= dict(zip(rows, joining, strict=True))
            np.testing.assert_allclose(logits.numpy(), [whole(model, one) for one in joining], rtol=0, atol=2e-5)


def test_columns_that_are_padding_in_all_sequences_go(model):
    session = model.start_open(2)
    rows, _, _ = joined(session, [list(range(3, 33)), [5, 6]])
    session.advance({rows[1]: 7})

    assert session._mask.shape == (1, 3)
    assert session._cache.layers[0].keys.shape[2] == 3
    np.testing.assert_allclose(session.logits()[0].numpy(), whole(model, [5, 6, 7]), rtol=0, atol=2e-5)


def test_equal_prompts_are_read_once_and_kept_ones_not_again(model):
    session = model.start_open(8, kept=1)
    first = [5, 6, 7, 8, 9]

    assert joined(session, [first, first, first])[2] == [3, 2]
    assert joined(session, [first, [*first, 10]])[2] == [1]
    assert joined(session, [[11, 12]])[2] == [2]  # and `first` goes
    assert joined(session, [first])[2] == [3, 2]


def test_texts_that_go_on_from_a_kept_prompt_are_read_together(model):
    session, first = model.start_open(8, kept=1), [5, 6, 7, 8, 9]
    joined(session, [first], part=9)
    texts = [[*first, 10, 11], [*first, 12, 13], [*first, 14], [*first, 10, 14]]

    _, logits, parts = joined(session, texts, part=6)

    assert parts == [6, 1]
    np.testing.assert_allclose(logits.numpy(), [whole(model, one) for one in texts], rtol=0, atol=2e-5)


def test_a_longer_prompt_is_kept_though_its_beginning_is(model):
    session = model.start_open(4, kept=2)
    longer = list(range(3, 15))
    joined(session, [[3]])
    joined(session, [longer])

    assert joined(session, [longer])[2] == []


def test_a_text_that_joins_late_is_the_text_of_the_closed_session(model):
    def asked(number):
        return make_request([5 + number, 6, 7], Policy("0.3 + 0.2*entropy"), number=number, seed=1, max_tokens=8)

    loop, late = Loop(model, places=3), {}
    waiting = [asked(number) for number in range(7)]
    owners = {}
    while waiting or loop.live:
        count = min(3 - loop.live, len(waiting))
        new, waiting = waiting[:count], waiting[count:]
        owners |= dict(zip(loop.add(new), [one.number for one in new], strict=True))
        for number, token in loop.step():
            late.setdefault(owners[number], []).append(token.token)
    for number in range(7):
        closed = Loop(model)
        closed.add([asked(number)])
        tokens = []
        while closed.live:
            tokens += [token.token for _, token in closed.step()]
        assert late[number] == tokens


def test_places_are_counted_and_given_back(model):
    session = model.start_open(2)
    reading = session.join([[5, 6], [7]], 8)
    assert session.places == 0
    with pytest.raises(ModelError, match="places are free"):
        session.join([[5]], 8)
    with pytest.raises(ModelError, match="not read yet"):
        reading.finish()
    reading.close()
    reading.close()
    assert session.places == 2
    with pytest.raises(ModelError, match="has ended"):
        reading.read()
    session.close()
    with pytest.raises(ModelError, match="closed"):
        session.join([[5]], 8)


def test_a_model_with_a_sliding_window_has_closed_sessions():
    assert not isinstance(model_of(mistral(), byte_level(), "tiny"), OpenModel)
    assert isinstance(model_of(llama(), byte_level(), "tiny"), OpenModel)

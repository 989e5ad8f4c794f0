"""A Llama with random weights, made on the spot, for hosts that read safetensors."""


def tiny_llama(folder, vocabulary=512):
    """Two layers over bytes; its distributions are neither flat nor certain. The folder, which may be new."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*alphabet, *(f"<{number}>" for number in range(len(alphabet), vocabulary - 2)), "<s>", "</s>"]
    tokenizer = Tokenizer(models.BPE(vocab={word: number for number, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=template
    ).save_pretrained(folder)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=vocabulary, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, head_dim=64, max_position_embeddings=512, bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1, tie_word_embeddings=False,
    ))  # fmt: skip
    with torch.no_grad():
        model.lm_head.weight.mul_(20)
    model.to(torch.bfloat16).save_pretrained(folder)
    return str(folder)

"""The zones that every policy can read.

The delimiters are those of the chat templates of DeepSeek, Qwen, GLM, gpt-oss, Mistral, Command, Gemma, Granite,
Kimi, Llama, MiniMax, Phi, Seed-OSS and others, as the parsers of vLLM 0.32 have them.
"""

from __future__ import annotations

from dyntemp.zones.lines import BlockStart, FencedCode, JsonValue
from dyntemp.zones.zone import Zone

TURNS = (
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>", "<turn|>",
    "<|END_OF_TURN_TOKEN|>", "<|endoftext|>", "<|end_of_text|>", "<|eot|>", "<|eom|>", "<｜end▁of▁sentence｜>",
    "[INST]", "<|user|>", "<|observation|>",
)  # fmt: skip
"""Texts between two messages of a conversation. Every known zone ends there, also one that was cut off."""

HEADERS = (
    "<|end_header_id|>", "<|header_end|>", "<|message|>", "[/INST]", "<|assistant|>", "<｜Assistant｜>",
    "<|CHATBOT_TOKEN|>", "<|end_of_role|>",
)  # fmt: skip
"""Texts that stand before a message, which begins a line."""

THINK = {
    "<think>": "</think>", "<thinking>": "</thinking>", "[THINK]": "[/THINK]", "<seed:think>": "</seed:think>",
    "<mm:think>": "</mm:think>", "◁think▷": "◁/think▷", "<|START_THINKING|>": "<|END_THINKING|>",
    "<|inner_prefix|>": "<|inner_suffix|>", "<|channel>thought": "<channel|>",
    "<|channel|>analysis<|message|>": "<|end|>",
}  # fmt: skip

ANSWER = {
    **{closing: opening for opening, closing in THINK.items() if closing != "<|end|>"},
    "<answer>": "</answer>", "<response>": "</response>", "<|START_RESPONSE|>": "<|END_RESPONSE|>",
    "<|START_TEXT|>": "<|END_TEXT|>", "<|channel|>final<|message|>": "<|end|>",
}  # fmt: skip

TOOL_CALL = {
    "<tool_call>": "</tool_call>", "<tool_calls>": "</tool_calls>", "<|tool_call|>": "<|/tool_call|>",
    "<|tool_call>": "<tool_call|>", "<|tool_call_start|>": "<|tool_call_end|>", "<function=": "</function>",
    "<function_call>": "</function_call>", "<function_calls>": "</function_calls>", "<TOOLCALL>": "</TOOLCALL>",
    "<start_function_call>": "<end_function_call>", "[TOOL_CALLS]": "</s>", "<|python_tag|>": "<|eom_id|>",
    "<|python_start|>": "<|python_end|>", "<｜tool▁calls▁begin｜>": "<｜tool▁calls▁end｜>",
    "<|tool_calls_section_begin|>": "<|tool_calls_section_end|>", "<|START_ACTION|>": "<|END_ACTION|>",
    "<|action_start|>": "<|action_end|>", "<|tools_prefix|>": "<|tools_suffix|>",
    "<minimax:tool_call>": "</minimax:tool_call>", "<seed:tool_call>": "</seed:tool_call>",
    "<|channel|>commentary to=": "<|call|>",
}  # fmt: skip

KNOWN: dict[str, Zone] = {
    zone.name: zone
    for zone in (
        Zone("think", "what a reasoning model thinks before it answers", THINK, TURNS),
        Zone("answer", "the answer of a reasoning model, once it has stopped thinking", ANSWER, TURNS),
        Zone("tool_call", "a call of a tool", TOOL_CALL, TURNS),
        Zone("code", "code between fences of three or more backticks or tildes", lines=FencedCode()),
        Zone("json", "a JSON object or array that begins a line", lines=JsonValue()),
        Zone("block", "the place of the first token of a Python block, after a line that ends in a colon",
             lines=BlockStart()),
    )
}  # fmt: skip

BOUNDARIES = tuple(dict.fromkeys(
    (*TURNS, *HEADERS, *(text for zone in KNOWN.values() for pair in zone.pairs.items() for text in pair))
))  # fmt: skip
"""Texts behind which a line begins, outside every zone of lines: messages, and the parts of a message."""

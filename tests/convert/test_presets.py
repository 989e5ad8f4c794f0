"""Presets, requests and answers as programs write them, with other fields around the settings."""

import json

import numpy as np
import pytest

from dyntemp.convert import ConversionError, from_settings
from dyntemp.convert.nested import as_written
from dyntemp.distribution.filters import Filters

WARM = "lerp(0.3, 1.3, normalized_entropy)"
SAMPLERS = ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"]


def answer(**changed):
    """The settings in an answer of llama-server, whose numbers are float32 written as doubles."""
    numbers = {"temperature": 0.8, "dynatemp_range": 0.5, "dynatemp_exponent": 1.0, "top_p": 0.95, "min_p": 0.05,
               "top_n_sigma": -1.0, "xtc_probability": 0.0, "xtc_threshold": 0.1, "typical_p": 1.0,
               "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "dry_multiplier": 0.0,
               "dry_base": 1.75, "mirostat_tau": 5.0, "mirostat_eta": 0.1, "adaptive_target": -1.0,
               "adaptive_decay": 0.9} | changed  # fmt: skip
    return {name: float(np.float32(value)) for name, value in numbers.items()} | {
        "seed": 4294967295, "top_k": 40, "repeat_last_n": 64, "dry_allowed_length": 2, "dry_penalty_last_n": -1,
        "mirostat": 0, "max_tokens": -1, "n_predict": -1, "n_keep": 0, "n_discard": 0, "ignore_eos": False,
        "stream": True, "n_probs": 0, "min_keep": 0, "chat_format": "Content-only", "reasoning_format": "none",
        "reasoning_in_content": False, "generation_prompt": "", "samplers": SAMPLERS, "speculative.types": "none",
        "timings_per_token": False, "post_sampling_probs": False, "backend_sampling": False, "lora": [],
    }  # fmt: skip


def props(settings):
    return {"default_generation_settings": {"params": settings, "n_ctx": 4096}, "total_slots": 4,
            "model_path": "a.gguf", "chat_template": "{{ messages }}", "build_info": "b11434"}  # fmt: skip


ANSWERS = [
    props(answer()),
    {"default_generation_settings": {"n_ctx": 4096, "model": "a.gguf", **answer()}, "total_slots": 1},  # of 2024
    {"content": "Once", "id_slot": 0, "generation_settings": answer(), "timings": {"predicted_n": 1}},
    {"id": 0, "id_task": 3, "n_ctx": 4096, "is_processing": False, "params": answer(), "next_token": [{}]},  # a slot
]


@pytest.mark.parametrize("sent", ANSWERS)
def test_the_answers_of_llama_server_are_read_with_the_numbers_that_people_gave(sent):
    found = from_settings("llama.cpp", sent)
    around = [name for aside in found.not_temperature for name in aside.fields]

    assert WARM == str(found.policy)
    assert Filters(40, 0.95, 0.05) == found.filters
    assert () == found.unknown
    assert {"top_n_sigma", "xtc_probability", "adaptive_target", "mirostat", "min_keep"} <= set(found.off)
    assert set(sent) - {"default_generation_settings", "generation_settings", "params"} <= {*around, *found.off}


def test_an_unknown_field_inside_of_an_answer_is_refused():
    with pytest.raises(ConversionError, match=r"no field `xyzzy`.*--skip-unknown"):
        from_settings("llama.cpp", props(answer() | {"xyzzy": 1}))


def test_a_setting_that_stands_inside_and_around_is_refused():
    for program, sent in (
        ("llama.cpp", {"temperature": 1, "params": {"temperature": 0.5}}),
        ("koboldcpp", {"temperature": 1, "params": {"temperature": 0.5}}),
        ("sillytavern", {"temp": 1, "preset": {"temperature": 0.5}}),
    ):
        with pytest.raises(ConversionError, match="`temperature` twice"):
            from_settings(program, sent)


@pytest.mark.parametrize("number", [0.1, 0.7, 0.8, 0.95, 1e-5, 1.1, 123.456])
def test_a_number_of_float32_is_read_as_it_was_given_and_any_other_as_it_is(number):
    assert number == as_written(float(np.float32(number)))
    assert number == as_written(number)
    assert number + 1e-9 == as_written(number + 1e-9)


KOBOLD_LITE = {
    "n": 1, "max_context_length": 8192, "max_length": 512, "rep_pen": 1.0, "temperature": 0.7, "top_p": 1, "top_k": 0,
    "top_a": 0, "typical": 1, "tfs": 1, "rep_pen_range": 360, "rep_pen_slope": 0.7,
    "sampler_order": [6, 0, 1, 3, 4, 2, 5], "memory": "", "trim_stop": True, "genkey": "KCPP1234",
    "min_p": 0, "dynatemp_range": 0.3, "dynatemp_exponent": 1, "smoothing_factor": 0, "smoothing_curve": 1,
    "nsigma": 0, "banned_tokens": [], "render_special": False,
    "logprobs": False, "replace_instruct_placeholders": True, "presence_penalty": 0, "logit_bias": {},
    "adaptive_target": -1, "adaptive_decay": 0.9, "stop_sequence": ["{{[INPUT]}}"], "use_default_badwordsids": False,
    "bypass_eos": False, "guidance_scale": 1, "negative_prompt": "", "audio": [], "images": [],
}  # fmt: skip


@pytest.mark.parametrize(
    "sent",
    [
        KOBOLD_LITE | {"prompt": "Once", "quiet": True},
        {"prompt": "Once", "params": KOBOLD_LITE, "models": [], "workers": []},  # to a horde
    ],
)
def test_a_request_of_kobold_lite_is_read(sent):
    found = from_settings("koboldcpp", sent)

    assert "lerp(0.4, 1, normalized_entropy)" == str(found.policy)
    assert () == found.unknown
    assert {"prompt"} <= {name for aside in found.not_temperature for name in aside.fields}
    assert ["what to write, when to stop and what to report; not how a token is drawn"] == [
        aside.why for aside in found.not_temperature
    ]


SAVED = {"genamt": 350, "max_length": 8192}
OF_2023 = {
    "n_aphrodite": 1, "best_of_aphrodite": 1, "ignore_eos_token_aphrodite": False, "log_probs_aphrodite": 0,
    "spaces_between_special_tokens_aphrodite": True, "logits_processors_aphrodite": [], "prompt_log_probs_aphrodite": 0,
    "streaming_url": "ws://127.0.0.1:5005/api/v1/stream", "type": "aphrodite", "server_urls": {}, "mancer_model": "",
}  # fmt: skip
OF_2026 = {
    "include_reasoning": True, "json_schema": None, "json_schema_allow_empty": False, "global_banned_tokens": "",
    "send_banned_tokens": True, "samplers_priorities": ["dry", "temperature"], "openrouter_quantizations": [],
    "llamacpp_model": "", "generic_model": "", "nsigma": 0.0, "min_keep": 0, "extensions": {}, "adaptive_target": -0.01,
    "adaptive_decay": 0.9,
}  # fmt: skip


@pytest.mark.parametrize("more", [SAVED, OF_2023, OF_2026, SAVED | OF_2023 | OF_2026])
def test_the_presets_that_sillytavern_saves_are_read(data, more):
    preset = json.loads((data / "sillytavern_preset.json").read_text(encoding="utf-8"))
    plain, found = from_settings("sillytavern", preset), from_settings("sillytavern", preset | more)

    assert "lerp(0.4, 1.6, normalized_entropy**0.7)" == str(plain.policy) == str(found.policy)
    assert () == found.unknown
    assert {aside.why for aside in plain.not_temperature} == {aside.why for aside in found.not_temperature}


def test_an_export_of_sillytavern_with_several_presets_is_read():
    export = {"instruct": {"name": "ChatML"}, "context": {"story_string": ""}, "sysprompt": {"content": ""},
              "preset": {"name": "Warm", "temp": 1.25, "dynatemp": True, "min_temp": 0.5, "max_temp": 2}}  # fmt: skip
    found = from_settings("sillytavern", export)

    assert "lerp(0.5, 2, normalized_entropy)" == str(found.policy)
    assert ("instruct", "context", "sysprompt") in [aside.fields for aside in found.not_temperature]


def test_what_is_on_for_aphrodite_alone_counts():
    found = from_settings("sillytavern", {"temp": 1, "ignore_eos_token_aphrodite": True})

    assert not found.exact
    assert any("ignore_eos_token_aphrodite" in aside.fields for aside in found.not_temperature)


def test_a_range_of_sillytavern_that_falls_is_not_the_same_everywhere():
    found = from_settings("sillytavern", {"dynatemp": True, "min_temp": 2, "max_temp": 0.5})

    assert "lerp(2, 0.5, normalized_entropy)" == str(found.policy)
    assert not found.exact
    (difference,) = found.differs
    assert "llama.cpp then stays at 1.25" in difference
    assert "1.25" == str(
        from_settings(
            "llama.cpp", {"temperature": 1.25, "dynatemp_range": -0.75, "top_k": 0, "top_p": 1, "min_p": 0}
        ).policy
    )
    for low, high in ((1.5, 1.5), (0.5, 2)):
        assert from_settings("sillytavern", {"dynatemp": True, "min_temp": low, "max_temp": high}).exact


@pytest.mark.parametrize("value", [2, 5])
def test_min_keep_changes_what_the_filters_keep(value):
    assert from_settings("llama.cpp", {"top_k": 0, "top_p": 0.9, "min_p": 0, "min_keep": 1}).exact
    assert not from_settings("llama.cpp", {"top_k": 0, "top_p": 0.9, "min_p": 0, "min_keep": value}).exact


def test_any_number_below_0_turns_some_samplers_off():
    whole = {"top_k": 0, "top_p": 1, "min_p": 0}
    assert from_settings("llama.cpp", {**whole, "adaptive_target": -0.01}).exact
    assert not from_settings("llama.cpp", {**whole, "adaptive_target": 0.5}).exact
    assert not from_settings("llama.cpp", {**whole, "top_n_sigma": -0.01}).filters.active


def test_a_field_whose_name_is_no_text_is_refused():
    with pytest.raises(ConversionError, match="field named True; a name is text"):
        from_settings("textgen", {True: 1})

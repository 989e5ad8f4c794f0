"""Settings to a policy, by name: special cases, filters, what differs, what is no temperature, what is refused."""

import json
from math import inf

import pytest
from tests.convert.formulas import WHOLE

from dyntemp.convert import PROGRAMS, ConversionError, from_settings
from dyntemp.convert.fields import KINDS
from dyntemp.distribution.filters import Filters, filters_of

CASES = [
    ("llama.cpp", {"temperature": 0.8, "dynatemp_range": 0.5}, "lerp(0.3, 1.3, normalized_entropy)"),
    ("llama.cpp", {"temperature": 0.8, "dynatemp_range": 2, "dynatemp_exponent": 2},
     "lerp(0, 2.8, normalized_entropy**2)"),
    ("llama.cpp", {"temperature": 0, "dynatemp_range": 0.9}, "lerp(0, 0.9, normalized_entropy)"),
    ("llama.cpp", {"temperature": 0}, "0"),
    ("llama.cpp", {"temperature": -1}, "0"),
    ("llama.cpp", {"temperature": -1, "dynatemp_range": 0.3}, "0"),
    ("llama.cpp", {"temperature": -1, "dynatemp_range": 1.5}, "lerp(0, 0.5, normalized_entropy)"),
    ("llama.cpp", {}, "0.8"),
    ("llama.cpp", {"temp": None, "temperature": 0.7}, "0.7"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": -0.5}, "0.7"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "dynatemp_exponent": 0}, "1.2"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "mirostat": 2}, "0.7"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "samplers": ["top_k"]}, "1"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "samplers": "top_k;temperature"},
     "lerp(0.2, 1.2, normalized_entropy)"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "sampler_seq": "kt"},
     "lerp(0.2, 1.2, normalized_entropy)"),
    ("llama.cpp", {"--temp": 0.7, "--dynatemp-range": 0.5, "--dynatemp-exp": 2},
     "lerp(0.2, 1.2, normalized_entropy**2)"),
    ("koboldcpp", {"temperature": 0.7, "dynatemp_range": 0.5, "dynatemp_exponent": -1}, "1.2"),
    ("koboldcpp", {"temperature": 0.7, "dynatemp_range": -0.5}, "lerp(1.2, 0.2, normalized_entropy)"),
    ("koboldcpp", {"temperature": 0.7, "dynatemp_range": 0.5, "mirostat": 1}, "0.7"),
    ("koboldcpp", {"temperature": 0.7, "dynatemp_range": 0.5, "sampler_order": [6, 0]}, "1"),
    ("textgen", {"temperature": 0.9, "dynatemp_low": 0.2, "dynatemp_high": 2}, "0.9"),
    ("textgen", {"do_sample": False, "dynamic_temperature": True, "dynatemp_low": 0.2, "dynatemp_high": 2}, "0"),
    ("textgen", {"dynamic_temperature": True, "dynatemp_low": 2, "dynatemp_high": 0.5},
     "lerp(2, 0.5, normalized_entropy)"),
    ("textgen-llama.cpp", {"dynamic_temperature": True, "dynatemp_low": 2, "dynatemp_high": 0.5}, "1.25"),
    ("textgen-llama.cpp", {"dynamic_temperature": True, "dynatemp_low": 0.2, "dynatemp_high": 2, "temperature": 9},
     "lerp(0.2, 2, normalized_entropy)"),
    ("exllamav2", {"temperature": 0.9, "min_temp": 1, "max_temp": 1}, "0.9"),
    ("exllamav2", {"temperature": 0.9, "min_temp": 1.5, "max_temp": 1}, "0.9"),
    ("exllamav2", {"temperature": 0.001, "min_temp": 0.5, "max_temp": 1}, "0"),
    ("exllamav2", {"temperature": 0.5, "min_temp": 1, "max_temp": 2}, "lerp(0.5, 1, normalized_entropy)"),
    ("exllamav2", {"temperature": 0.5, "min_temp": 1, "max_temp": 2, "temperature_last": True},
     "lerp(1, 2, normalized_entropy)"),
    ("exllamav3", {"temperature": 0.6, "min_temp": 0.5, "max_temp": 1.5}, "0.6"),
    ("tabbyapi", {"temperature": 0.6, "dynatemp_low": 0.5, "dynatemp_high": 1.5}, "0.6"),
    ("aphrodite", {"temperature": 0.6}, "0.6"),
    ("aphrodite", {"temperature": 0.6, "dynatemp_min": 0.5}, "max(lerp(0.5, 0, normalized_entropy), 1e-05)"),
    ("aphrodite", {"temperature": 0.6, "dynatemp_min": 0.5, "dynatemp_max": 0.5}, "0.5"),
    ("aphrodite", {"temperature": 0.6, "dynatemp_max": 2, "mirostat_mode": 2}, "1"),
    ("aphrodite", {"temperature": 0.001}, "0.01"),
    ("sillytavern", {"temp": 0.9, "min_temp": 0.5, "max_temp": 2}, "0.9"),
    ("sillytavern", {"temp": 0.9, "dynatemp": True, "min_temp": 0.5, "max_temp": 2},
     "lerp(0.5, 2, normalized_entropy)"),
    ("vllm", {"temperature": 0.004}, "0.01"),
    ("vllm", {"temperature": 0}, "0"),
    ("transformers", {"temperature": 0.7}, "0"),
    ("transformers", {"temperature": 0.7, "do_sample": True}, "0.7"),
    ("openai", {"top_p": 0.9}, "1"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "settings", "policy"), CASES)
def test_what_settings_mean(program, settings, policy):
    assert policy == str(from_settings(program, settings).policy)


FILTERED = [
    ("llama.cpp", {}, Filters(40, 0.95, 0.05)),
    ("llama.cpp", {"samplers": ["top_k", "temperature"]}, Filters(40)),
    ("llama.cpp", {"samplers": ["temperature", "top_p"], "top_p": 0.5}, Filters(0, 0.5, 0, "temperature")),
    ("llama.cpp", {"top_k": -1, "top_p": 1, "min_p": 0}, Filters()),
    ("llama.cpp", {"top_p": 0, "min_p": 0}, Filters(1)),
    ("llama.cpp", {"mirostat": 2}, Filters()),
    ("koboldcpp", {}, Filters(100, 0.92)),
    ("koboldcpp", {"top_k": 0, "top_p": 1}, Filters(3000)),
    ("koboldcpp", {"top_p": 1, "min_p": 0.1}, Filters(100, 1.0, 0.1)),
    ("koboldcpp", {"top_k": 0, "top_p": 0.9, "sampler_order": [6, 5, 0, 2]}, Filters(3000, 0.9, 0, "temperature")),
    ("textgen", {"top_p": 0.9}, Filters(0, 0.9, 0, "temperature")),
    ("textgen", {"top_p": 0.9, "temperature_last": True}, Filters(0, 0.9)),
    ("exllamav2", {"top_p": 0, "top_k": 5}, Filters(5)),
    ("exllamav2", {"min_p": 0.1}, Filters(0, 1, 0.1, "temperature")),
    ("exllamav2", {"min_p": 0.1, "temperature_last": True}, Filters(0, 1, 0.1)),
    ("exllamav3", {"min_p": 0.1, "temperature_last": True}, Filters(0, 1, 0.1)),
    ("aphrodite", {"min_p": 0.1, "temperature_last": True}, Filters(0, 1, 0.1, "temperature")),
    ("vllm", {"min_p": 0.1, "top_k": -1}, Filters(0, 1, 0.1, "temperature")),
    ("transformers", {"do_sample": True}, Filters(50)),
]


@pytest.mark.parametrize(("program", "settings", "filters"), FILTERED)
def test_filters_are_those_of_the_program_where_it_has_them(program, settings, filters):
    found = from_settings(program, settings)

    assert filters == found.filters
    assert {"top_k", "top_p", "min_p", "filter_at"} == set(found.arguments)
    assert filters == filters_of(None, **found.arguments)


@pytest.mark.parametrize(
    ("program", "settings", "difference"),
    [
        ("koboldcpp", {"tfs": 0.9}, "its tfs keeps one token fewer"),
        ("textgen", {"xtc_probability": 0.5}, "would drop a line break"),
        ("exllamav2", {"typical": 0.9}, "its typical adds p to ln p"),
        ("aphrodite", {"typical_p": 0.9}, "leaves out the token that crosses the sum in typical_p"),
        ("transformers", {"top_h": 0.4, "do_sample": True}, "its top_h adds up"),
        ("llama.cpp", {"dynatemp_range": 0.5, "xtc_probability": 0.5, "top_k": 0, "min_p": 0, "top_p": 1},
         "entropy is measured over what xtc left"),
        ("exllamav2", {"top_p": 0.9}, "leaves out the token that crosses"),
        ("exllamav3", {"top_p": 0.9}, "leaves out the token that crosses"),
        ("aphrodite", {"temperature": 0, "dynatemp_max": 1}, "temperature = 0 stays greedy"),
        ("aphrodite", {"mirostat_mode": 2}, "takes out the other samplers"),
        ("llama.cpp", {"mirostat": 1}, "mirostat replaces the whole chain"),
        ("sillytavern", {"top_p": 0.9}, "up to the program that it is sent to"),
        ("sillytavern", {"dynatemp": True, "mirostat_mode": 2}, "mirostat switches the dynamic temperature off"),
    ],
)  # fmt: skip
def test_what_draws_other_tokens_is_said_and_never_exact(program, settings, difference):
    found = from_settings(program, settings)

    assert any(difference in text for text in found.differs)
    assert not found.exact


def test_a_temperature_of_0_beside_a_range_is_said_not_to_be_greedy():
    assert any(
        "not greedy" in note for note in from_settings("llama.cpp", {"temperature": 0, "dynatemp_range": 1}).notes
    )


@pytest.mark.parametrize(
    ("program", "settings", "fields"),
    [
        ("exllamav3", {"min_temp": 0.5, "max_temp": 2}, ("min_temp", "max_temp")),
        ("aphrodite", {"temperature": 0.5, "dynatemp_max": 2}, ("temperature",)),
        ("aphrodite", {"dynatemp_exponent": 2}, ("dynatemp_exponent",)),
        ("llama.cpp", {"dynatemp_exponent": 2}, ("dynatemp_exponent",)),
        ("koboldcpp", {"dynatemp_exponent": 2}, ("dynatemp_exponent",)),
        ("textgen", {"dynatemp_low": 0.2, "dynatemp_high": 2}, ("dynatemp_low", "dynatemp_high")),
        ("textgen-llama.cpp", {"temperature": 1, "dynamic_temperature": True}, ("temperature",)),
        ("exllamav2", {"min_temp": 2, "max_temp": 1}, ("min_temp", "max_temp")),
        ("sillytavern", {"temp": 2, "dynatemp": True}, ("temperature",)),
    ],
)  # fmt: skip
def test_fields_without_effect_are_named(program, settings, fields):
    assert [fields] == [aside.fields for aside in from_settings(program, settings).ignored]


# what is not temperature


def test_a_whole_preset_is_sorted_out(data):
    preset = json.loads((data / "sillytavern_preset.json").read_text(encoding="utf-8"))
    found = from_settings("sillytavern", preset)
    named = {name for aside in (*found.not_temperature, *found.ignored) for name in aside.fields} | set(found.off)

    assert "lerp(0.4, 1.6, normalized_entropy**0.7)" == str(found.policy)
    assert Filters.read("tfs(0.97), min_p(0.05), xtc(0.15, 0.3)") == found.filters
    assert {"filters": str(found.filters)} == found.arguments
    assert not found.exact
    whys = " ".join(aside.why for aside in found.not_temperature)
    assert all(word in whys for word in ("repetition penalties",))
    assert all(word not in whys for word in ("mirostat", "smoothing", "DRY", "adaptive-p"))
    own = {"temp", "dynatemp", "min_temp", "max_temp", "dynatemp_exponent", "temperature_last", "top_k", "top_p",
           "min_p", "sampler_order", "samplers", "sampler_priority", "do_sample", "tfs", "xtc_threshold",
           "xtc_probability"}  # fmt: skip
    assert set(preset) - {"temp"} == (named | own) - {"temp", "temperature"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.draws], ids=lambda kind: next(iter(kind.switches)))
def test_every_sampler_that_is_on_is_named_and_not_exact(kind):
    neutral = {"temperature": 1, **WHOLE, "seed": 3}
    assert from_settings("llama.cpp", neutral).exact
    own = PROGRAMS["llama.cpp"]
    for name in kind.switches:
        if own.field_of(name) in own.own_fields:
            continue
        companions = [field for field in kind.companions if field not in own.own_fields]
        found = from_settings("llama.cpp", {**neutral, name: 0.37, **dict.fromkeys(companions, 1)})

        assert not found.exact
        assert (kind.why, (name, *companions)) in [(why, fields) for fields, why in found.not_temperature]
        off = from_settings("llama.cpp", {**neutral, name: kind.switches[name][-1], **dict.fromkeys(companions, 1)})
        assert off.exact
        assert {name, *companions} <= set(off.off)


def test_every_field_has_one_kind_and_is_no_ones_temperature():
    names = [name for kind in KINDS for name in (*kind.switches, *kind.companions)]

    assert len(names) == len(set(names))
    assert not set(names) & {field for program in PROGRAMS.values() for field in (*program.fields, *WHOLE)}


@pytest.mark.parametrize(
    ("program", "settings", "message"),
    [
        ("lama.cpp", {}, "did you mean `llama.cpp`?"),
        ("nothing", {}, "Known are llama.cpp, koboldcpp"),
        ("llama.cpp", {"dynatemp_rang": 1}, "did you mean `dynatemp_range`?"),
        ("llama.cpp", {"dynatemp_low": 1}, "it belongs to textgen"),
        ("llama.cpp", {"xyzzy": 1}, "has no field `xyzzy`. Its own are temperature"),
        ("llama.cpp", {"temp": 1, "temperature": 1}, "twice"),
        ("llama.cpp", {"temperature": "hot"}, "temperature = 'hot'; a finite number is allowed"),
        ("llama.cpp", {"temperature": True}, "a finite number is allowed"),
        ("llama.cpp", {"temperature": float("nan")}, "a finite number is allowed"),
        ("llama.cpp", {"dynatemp_range": inf}, "a finite number is allowed"),
        ("llama.cpp", {"temperature": 10**400}, "a finite number is allowed"),
        ("llama.cpp", {"temperature": 1e308, "dynatemp_range": 1e308}, "beyond what a number can hold"),
        ("exllamav2", {"temperature": 1e308, "max_temp": 20}, "beyond what a number can hold"),
        ("llama.cpp", {"temperature": "0.8"}, "this is text, write 0.8 without quotes"),
        ("llama.cpp", {"top_k": "40"}, "this is text, write 40 without quotes"),
        ("llama.cpp", {"top_k": 1.5}, "top_k = 1.5 was given"),
        ("llama.cpp", {"top_p": 1.5}, "top_p = 1.5 was given"),
        ("llama.cpp", {"samplers": 3}, "a list of samplers is allowed"),
        ("llama.cpp", {"samplers": [["top_k"]]}, "a list of samplers is allowed"),
        ("koboldcpp", {"sampler_order": [{}]}, "a list of numbers from 0 to 6"),
        ("textgen", {"dynamic_temperature": "yes"}, "true or false is allowed"),
        ("textgen", {"dynamic_temperature": True, "dynatemp_low": -1}, "temperatures from -1 to 1"),
        ("koboldcpp", {"temperature": -1, "dynatemp_range": 0.5}, "would divide by 0"),
        ("textgen", {"dynamic_temperature": True, "temperature": 0}, "its loaders refuse it"),
        ("aphrodite", {"dynatemp_min": -1}, "dynatemp_min = -1; 0 and more is allowed"),
        ("aphrodite", {"dynatemp_max": 1, "dynatemp_exponent": 0}, "more than 0 is allowed"),
        ("vllm", {"temperature": 3}, "at most 2 is allowed"),
        ("transformers", {"temperature": 0, "do_sample": True}, "set do_sample = false"),
    ],
)
def test_wrong_settings_are_refused(program, settings, message):
    with pytest.raises(ConversionError) as error:
        from_settings(program, settings)
    assert message in str(error.value)


def test_unknown_fields_can_be_listed_instead():
    assert ("xyzzy",) == from_settings("llama.cpp", {"xyzzy": 1}, skip_unknown=True).unknown


def test_what_is_absent_has_the_programs_default_and_none_is_absent():
    assert from_settings("llama.cpp", {}) == from_settings("llama.cpp", {"temperature": None, "dynatemp_range": None})
    assert any("top_k = 40, top_p = 0.95, min_p = 0.05" in note for note in from_settings("llama.cpp", {}).notes)

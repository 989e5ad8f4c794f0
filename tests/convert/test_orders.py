"""Lists of samplers: what each program makes of letters, texts, lists, unknown names and empty lists."""

import pytest

from dyntemp.convert import ConversionError, from_settings
from dyntemp.distribution.filters import Filters

RANGE = {"temperature": 0.8, "dynatemp_range": 0.5}
WARM = "lerp(0.3, 1.3, normalized_entropy)"
CUT = {"top_k": 7, "top_p": 0.5, "min_p": 0.25}
ALL, BEFORE, AFTER = Filters(7, 0.5, 0.25), Filters(7, 1, 0.25), Filters(7, 0.5, 0.25, "temperature")

LLAMA = [
    ("samplers", "edkypmxt", WARM, ALL),  # as its own page sends it
    ("samplers", "edskypmxt", WARM, ALL),
    ("samplers", "t", WARM, Filters()),
    ("samplers", "kmt", WARM, BEFORE),
    ("samplers", "tkpm", WARM, AFTER),
    ("samplers", "kpm", "1", ALL),
    ("samplers", "", "1", Filters()),
    ("samplers", [], "1", Filters()),
    ("samplers", "kfypmt", WARM, ALL),  # the sequence of 2024
    ("samplers", "top_k;min_p;temperature", WARM, BEFORE),
    ("samplers", "top_k;", "1", Filters(7)),
    ("samplers", "temperature", WARM, Filters()),
    ("samplers", ["top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"], WARM, ALL),
    ("samplers", ("temp", "nucleus", "top-k", "minp"), WARM,
     Filters.read("temperature, top_p(0.5), top_k(7), min_p(0.25)")),
    ("samplers", ["TOP_K", "Min-P", "Temperature"], WARM, BEFORE),
    ("samplers", ["top_k", "tfs_z", "typical_p", "min_p", "temperature"], WARM, BEFORE),  # of SillyTavern, 2024
    ("--samplers", "top_k;min_p;temperature", WARM, BEFORE),
    ("--samplers", "temp", WARM, Filters()),
    ("--sampler-seq", "kmt", WARM, BEFORE),
    ("--sampling-seq", "temp", WARM, Filters.read("temperature, min_p(0.25), top_p(0.5)")),
    ("sampler_seq", "", "1", Filters()),
    ("sampler_seq", "spykxtm", WARM, Filters.read("top_p(0.5), top_k(7), temperature, min_p(0.25)")),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "policy", "filters"), LLAMA)
def test_the_order_of_llama_cpp(field, value, policy, filters):
    found = from_settings("llama.cpp", {**RANGE, **CUT, field: value})

    assert policy == str(found.policy)
    assert filters == found.filters


def test_the_letters_of_llama_cpps_page_have_its_default_filters():
    found = from_settings("llama.cpp", {**RANGE, "samplers": "edkypmxt"})

    assert WARM == str(found.policy)
    assert Filters(40, 0.95, 0.05) == found.filters
    assert not found.exact


KOBOLD = [
    ("6,0,1,3,4,2,5", "lerp(0.4, 1, normalized_entropy)", Filters(7, 0.5, 0.25)),
    ("6, 0, 1, 3, 4, 2, 5", "lerp(0.4, 1, normalized_entropy)", Filters(7, 0.5, 0.25)),
    (["6", "5", "0", "1", "3", "4", "2"], "lerp(0.4, 1, normalized_entropy)", AFTER),
    ([6, 5, 0, 1, 3, 4, 2], "lerp(0.4, 1, normalized_entropy)", AFTER),
    ([6, 0, 1, 3, 4, 2], "1", Filters(7, 0.5, 0.25)),
    ([5], "lerp(0.4, 1, normalized_entropy)", Filters(3000)),
    ([2, 5, 0], "lerp(0.4, 1, normalized_entropy)", Filters.read("top_k(3000), top_p(0.5), min_p(0.25), top_k(7)")),
    ([], "lerp(0.4, 1, normalized_entropy)", Filters(7, 0.5, 0.25)),
    ("", "lerp(0.4, 1, normalized_entropy)", Filters(7, 0.5, 0.25)),
]


@pytest.mark.parametrize(("order", "policy", "filters"), KOBOLD)
def test_the_order_of_koboldcpp(order, policy, filters):
    found = from_settings("koboldcpp", {"temperature": 0.7, "dynatemp_range": 0.3, **CUT, "sampler_order": order})

    assert policy == str(found.policy)
    assert filters == found.filters


TEXTGEN = [
    ("textgen", "dynamic_temperature,temperature,min_p", "temperature"),
    ("textgen", "min_p\ndynamic_temperature\ntemperature", "model"),
    ("textgen", ["min_p", "dynamic_temperature", "temperature"], "model"),
    ("textgen", ["dynamic_temperature", "min_p", "dynamic_temperature"], "temperature"),  # the first place counts
    ("textgen", [], "temperature"),
    ("textgen", "", "temperature"),
    ("textgen-llama.cpp", "min_p\ntemperature", "model"),
    ("textgen-llama.cpp", ["temperature", "min_p"], "temperature"),
    ("textgen-llama.cpp", ["temperature", "dynamic_temperature", "quadratic_sampling", "min_p"], "temperature"),
    ("textgen-llama.cpp", None, "temperature"),
    ("textgen-llama.cpp", "", "model"),  # nothing is sent, so that llama.cpp's own order holds
]


@pytest.mark.parametrize(("program", "order", "place"), TEXTGEN)
def test_the_order_of_text_generation_webui(program, order, place):
    sent = {"dynamic_temperature": True, "dynatemp_low": 0.4, "dynatemp_high": 2, "min_p": 0.1, "top_p": 1, "top_k": 0}
    found = from_settings(program, {**sent, "sampler_priority": order})

    assert "lerp(0.4, 2, normalized_entropy)" == str(found.policy)
    assert Filters(0, 1, 0.1, place) == found.filters


@pytest.mark.parametrize("program", ["textgen", "textgen-llama.cpp"])
def test_temperature_last_moves_it_behind_the_filters_of_any_order(program):
    for order in ({}, {"sampler_priority": ["temperature", "min_p"]}):
        sent = {"temperature": 0.7, "min_p": 0.1, "temperature_last": True, **order}
        assert Filters(0, 1, 0.1) == from_settings(program, sent).filters


UNKNOWN = [
    ("llama.cpp", {"samplers": ["top_k", "temprature"]}, "no `temprature` in samplers", "`temperature`?"),
    ("llama.cpp", {"samplers": ["Top K"]}, "no `Top K` in samplers", "`top_k`?"),
    ("llama.cpp", {"samplers": "kxyz"}, "no `kxyz` in samplers", "It knows penalties"),
    ("llama.cpp", {"samplers": "EDKYPMXT"}, "no `EDKYPMXT` in samplers", "It knows penalties"),
    ("llama.cpp", {"sampler_seq": "kQt"}, "no `Q` in sampler_seq", "It knows e, d, s, k"),
    ("llama.cpp", {"samplers": "top_k; temperature"}, "no ` temperature` in samplers", "`temperature`?"),
    ("llama.cpp", {"samplers": "top_k,temperature"}, "no `top_k,temperature` in samplers", "It knows"),
    ("koboldcpp", {"sampler_order": [6, 0, 7]}, "no `7` in sampler_order", "It knows 0, 1, 2, 3, 4, 5, 6"),
    ("koboldcpp", {"sampler_order": "-1"}, "no `-1` in sampler_order", "It knows 0"),
    ("textgen", {"sampler_priority": ["Temperature"]}, "no `Temperature` in sampler_priority", "`temperature`?"),
    ("textgen", {"sampler_priority": "temperature;min_p"}, "no `temperature;min_p`", "It knows repetition_penalty"),
    ("textgen-llama.cpp", {"sampler_priority": "temperature,min_p"}, "no `temperature,min_p`", "It knows"),
]


@pytest.mark.parametrize(("program", "settings", "fault", "instead"), UNKNOWN)
def test_an_unknown_sampler_is_named_and_can_be_listed_instead(program, settings, fault, instead):
    with pytest.raises(ConversionError) as error:
        from_settings(program, settings)
    assert fault in str(error.value)
    assert instead in str(error.value)
    assert "--skip-unknown" in str(error.value)
    (listed,) = from_settings(program, settings, skip_unknown=True).unknown
    assert fault.split("`")[1] in listed


REFUSED = [
    ("llama.cpp", {"samplers": "temp"}, "as 4 letters, the option --samplers as one name"),
    ("llama.cpp", {"samplers": "typ"}, 'write ["typ_p"]'),
    ("llama.cpp", {"samplers": ["top_k", 3]}, "a list of samplers is allowed"),
    ("llama.cpp", {"samplers": ["top_k", None]}, "a list of samplers is allowed"),
    ("llama.cpp", {"samplers": {"top_k": 1}}, "a list of samplers is allowed"),
    ("llama.cpp", {"samplers": True}, "a list of samplers is allowed"),
    ("llama.cpp", {"samplers": ["top_k", "top-k"]}, "samplers with top_k twice"),
    ("llama.cpp", {"samplers": "tkt"}, "samplers with temperature twice"),
    ("llama.cpp", {"sampler_seq": 3}, "letters such as kpmt"),
    ("llama.cpp", {"sampler_seq": ["t"]}, "letters such as kpmt"),
    ("llama.cpp", {"sampler_seq": "t", "samplers": "t"}, "both set the order"),
    ("koboldcpp", {"sampler_order": "six"}, "such as 6,0,1,3,4,2,5"),
    ("koboldcpp", {"sampler_order": "6,,5"}, "such as 6,0,1,3,4,2,5"),
    ("koboldcpp", {"sampler_order": 5}, "such as 6,0,1,3,4,2,5"),
    ("koboldcpp", {"sampler_order": 0}, "such as 6,0,1,3,4,2,5"),
    ("koboldcpp", {"sampler_order": {}}, "such as 6,0,1,3,4,2,5"),
    ("koboldcpp", {"sampler_order": [6.0, 5.5]}, "such as 6,0,1,3,4,2,5"),
    ("koboldcpp", {"sampler_order": [True]}, "such as 6,0,1,3,4,2,5"),
    ("koboldcpp", {"sampler_order": [6, 0, 1, 3, 4, 2, 5, 6]}, "at most seven numbers"),
    ("koboldcpp", {"sampler_order": [5, 5]}, "sampler_order with 5 twice"),
    ("textgen", {"sampler_priority": [1]}, "a list of samplers is allowed"),
    ("textgen-llama.cpp", {"sampler_priority": ["top_k", "top_k"]}, "samplers with top_k twice"),
]


@pytest.mark.parametrize(("program", "settings", "message"), REFUSED)
def test_what_is_no_order_is_refused(program, settings, message):
    with pytest.raises(ConversionError) as error:
        from_settings(program, settings)
    assert message in str(error.value)


NOTED = [
    ("llama.cpp", {"samplers": ["top_k", "Temperature"]}, "`Temperature` in `samplers`: builds of 2024"),
    (
        "llama.cpp",
        {"samplers": ["tfs_z", "top_k", "typical_p"]},
        "`tfs_z`, `typical_p` in `samplers`: llama.cpp has no",
    ),
    ("llama.cpp", {"samplers": "kft"}, "`f` in `samplers`: llama.cpp has no"),
    ("llama.cpp", {"samplers": "top_k;temperature"}, "llama-server takes a text as letters"),
    ("llama.cpp", {"samplers": []}, "`samplers` has no temperature"),
    ("koboldcpp", {"sampler_order": "5,0"}, "koboldcpp itself then keeps its own order"),
]


@pytest.mark.parametrize(("program", "settings", "note"), NOTED)
def test_what_is_read_otherwise_than_it_stands_is_said(program, settings, note):
    assert any(note in text for text in from_settings(program, settings).notes)
    assert not any(note in text for text in from_settings(program, {}).notes)


def test_infill_in_the_chain_is_a_difference():
    settings = {"top_k": 0, "top_p": 1, "min_p": 0, "samplers": ["infill", "temperature"]}
    found = from_settings("llama.cpp", settings)

    assert not found.exact
    assert any("infill" in text for text in found.differs)


def test_a_filter_between_the_two_temperatures_of_text_generation_webui_is_a_difference():
    order = ["dynamic_temperature", "min_p", "temperature"]
    sent = {
        "dynamic_temperature": True,
        "dynatemp_low": 0.4,
        "dynatemp_high": 2,
        "min_p": 0.1,
        "sampler_priority": order,
    }

    assert from_settings("textgen", {**sent, "temperature": 1}).exact
    found = from_settings("textgen", {**sent, "temperature": 0.5})
    assert not found.exact
    assert any("min_p comes between its two temperatures" in text for text in found.differs)

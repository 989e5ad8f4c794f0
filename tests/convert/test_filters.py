"""The filters of each program: values, units, values that are off, orders, and chains that a program lacks."""

import pytest

from dyntemp.convert import ConversionError, from_settings, to_settings
from dyntemp.distribution.filter_table import FILTERS

WHOLE = {"top_k": 0, "top_p": 1, "min_p": 0}

EVERY = {"top_k": 40, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.8, "top_n_sigma": 2, "xtc_probability": 1}

READ = [
    ("llama.cpp", EVERY, "top_n_sigma(2), top_k(40), typical(0.8), top_p(0.9), min_p(0.1), xtc(0.1, 1)"),
    ("textgen-llama.cpp", EVERY,
     "temperature, top_n_sigma(2), top_k(40), top_p(0.9), typical(0.8), min_p(0.1), xtc(0.1, 1)"),
    ("textgen", {**EVERY, "tfs": 0.7, "top_a": 0.3, "epsilon_cutoff": 4, "eta_cutoff": 5},
     ("temperature, top_n_sigma(2), top_k(40), top_p(0.9), typical(0.8), epsilon(0.0004), eta(0.0005), tfs(0.7), "
     "top_a(0.3), min_p(0.1), xtc(0.1, 1)")),
    ("koboldcpp", {"top_k": 5000}, "top_k(3000)"),
    ("llama.cpp", {"top_n_sigma": 1.5, "xtc_probability": 0.5}, "top_n_sigma(1.5), xtc(0.1, 0.5)"),
    ("llama.cpp", {"typical_p": 0.9, "xtc_probability": 0.5, "xtc_threshold": 0.2}, "typical(0.9), xtc(0.2, 0.5)"),
    ("llama.cpp", {"typ_p": 0.9, "sampler_seq": "ty"}, "temperature, typical(0.9)"),
    ("llama.cpp", {"--typical": 0.9, "--top-nsigma": 2, "--xtc-probability": 1},
     "top_n_sigma(2), typical(0.9), xtc(0.1, 1)"),
    ("llama.cpp", {"top_n_sigma": 0, "typical_p": 1, "xtc_probability": 0, "xtc_threshold": 0.3}, ""),
    ("llama.cpp", {"typical_p": 0}, "typical(1e-12)"),
    ("llama.cpp", {"xtc_probability": 7, "xtc_threshold": 3}, "xtc(1, 1)"),
    ("llama.cpp", {"top_k": 40, "min_p": 0.1, "samplers": ["min_p", "temperature", "top_k"]},
     "min_p(0.1), top_k(40)"),
    ("llama.cpp", {"top_k": 40, "min_p": 0.1, "samplers": ["top_k", "temperature", "min_p"]},
     "temperature, top_k(40), min_p(0.1)"),
    ("llama.cpp", {"top_p": 0.9, "min_p": 0.1, "samplers": ["top_p", "temperature", "min_p"]},
     "top_p(0.9), temperature, min_p(0.1)"),
    ("koboldcpp", {"top_k": 40, "top_a": 0.2, "tfs": 0.95, "typical": 0.9},
     "top_k(40), top_a(0.2), tfs(0.95), typical(0.9)"),
    ("koboldcpp", {"xtc_probability": 0.5}, "temperature, top_k(3000), xtc(0.2, 0.5)"),
    ("koboldcpp", {"nsigma": 1, "top_k": 9, "sampler_order": [5, 0, 4], "typical": 0.9},
     "temperature, top_k(3000), top_n_sigma(1), top_k(9), typical(0.9)"),
    ("koboldcpp", {"typical": 0.9, "typical_p": 0.9}, "top_k(3000), typical(0.9)"),
    ("textgen", {"epsilon_cutoff": 3, "eta_cutoff": 10.42}, "temperature, epsilon(0.0003), eta(0.001042)"),
    ("textgen", {"tfs": 0.9, "top_a": 0.2, "min_p": 0.1}, "temperature, tfs(0.9), top_a(0.2), min_p(0.1)"),
    ("textgen", {"top_n_sigma": 1, "typical_p": 0.9, "temperature_last": True}, "top_n_sigma(1), typical(0.9)"),
    ("textgen", {"xtc_probability": 0.5, "top_a": 0.2, "sampler_priority": ["xtc", "temperature"]},
     "top_a(0.2), xtc(0.1, 0.5)"),
    ("textgen-llama.cpp", {"typical_p": 0.9, "min_p": 0.1}, "temperature, typical(0.9), min_p(0.1)"),
    ("exllamav2", {"top_a": 0.2, "tfs": 0.9, "typical": 0, "xtc_probability": 0.5},
     "temperature, top_a(0.2), tfs(0.9), xtc(0.1, 0.5)"),
    ("exllamav2", {"tfs": 0.9, "temperature_last": True, "xtc_probability": 0.5},
     "tfs(0.9), temperature, xtc(0.1, 0.5)"),
    ("exllamav3", {"min_p": 0.1, "temperature_last": True, "xtc_probability": 0.5},
     "min_p(0.1), temperature, xtc(0.1, 0.5)"),
    ("aphrodite", {"epsilon_cutoff": 0.0003, "eta_cutoff": 3, "nsigma": 1},
     "temperature, top_n_sigma(1), eta(1), epsilon(0.0003)"),
    ("aphrodite", {"tfs": 0.9, "min_p": 0.1, "temperature_last": True}, "tfs(0.9), temperature, min_p(0.1)"),
    ("sillytavern", {"tfs": 0.9, "epsilon_cutoff": 3}, "epsilon(0.0003), tfs(0.9)"),
    ("transformers", {"do_sample": True, "top_h": 0.4, "epsilon_cutoff": 0.02, "eta_cutoff": 1},
     "temperature, top_h(0.4), epsilon(0.02)"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "settings", "chain"), READ)
def test_filters_have_the_programs_values_units_and_order(program, settings, chain):
    found = from_settings(program, {**WHOLE, **settings})

    assert chain == str(found.filters)
    assert not {field for aside in found.not_temperature for field in aside.fields} & {*settings}


def test_a_filter_that_is_off_is_listed_as_off():
    found = from_settings("llama.cpp", {**WHOLE, "typical_p": 1, "xtc_probability": 0, "xtc_threshold": 0.1})

    assert {"typical_p", "xtc_probability", "xtc_threshold"} == set(found.off)


def test_a_filter_of_another_program_is_named():
    found = from_settings("vllm", {"typical_p": 0.9, "top_a": 0})

    assert [("typical_p",)] == [aside.fields for aside in found.not_temperature]
    assert not found.exact
    assert ("top_a",) == found.off


@pytest.mark.parametrize(
    ("program", "settings", "told"),
    [
        ("koboldcpp", {"top_a": 1.5}, "koboldcpp, top_a: "),
        ("llama.cpp", {"xtc_threshold": "x", "xtc_probability": 1}, "a finite number is allowed"),
        ("llama.cpp", {"typical_p": 0.9, "typical": 0.8}, "`typical_p` twice"),
    ],
)
def test_values_that_no_filter_has_are_refused(program, settings, told):
    with pytest.raises(ConversionError) as error:
        from_settings(program, {**WHOLE, **settings})
    assert told in str(error.value)


WRITTEN = [
    ("llama.cpp", "xtc(0.1, 0.5), top_k(5)", {"samplers": ["penalties", "dry", "xtc", "temperature", "top_k"]}),
    ("llama.cpp", "typical(0.9), temperature, top_n_sigma(1)", {"typical_p": 0.9, "top_n_sigma": 1.0}),
    ("koboldcpp", "tfs(0.9), temperature, top_p(0.9), min_p(0.1), xtc(0.1, 1)",
     {"sampler_order": [6, 3, 5, 2, 0, 1, 4]}),
    ("koboldcpp", "top_a(0.2), temperature, top_n_sigma(1), typical(0.9)", {"sampler_order": [6, 1, 5, 4, 0, 2, 3]}),
    ("textgen", "temperature, epsilon(0.0003), tfs(0.9)", {"epsilon_cutoff": 3.0, "temperature_last": False}),
    ("textgen", "tfs(0.9), min_p(0.1)", {"temperature_last": True}),
    ("textgen", "min_p(0.1), temperature, tfs(0.9)", {"sampler_priority": ["min_p", "temperature", "tfs"]}),
    ("textgen", "eta(0.001), temperature, typical(0.9)",
     {"sampler_priority": ["eta_cutoff", "temperature", "typical_p"]}),
    ("exllamav2", "tfs(0.9), temperature, xtc(0.1, 1)", {"temperature_last": True, "tfs": 0.9, "xtc_probability": 1.0}),
    ("aphrodite", "eta(0.001), temperature, min_p(0.1)", {"temperature_last": True, "eta_cutoff": 0.001}),
    ("transformers", "temperature, top_h(0.4), eta(0.001)", {"top_h": 0.4, "eta_cutoff": 0.001, "top_k": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("program", "chain", "fields"), WRITTEN)
def test_chains_are_written_in_fields_and_order(program, chain, fields):
    written = to_settings(program, 0.7, filters=chain)

    assert fields == {name: written.fields.get(name) for name in fields}


REFUSED = [
    ("llama.cpp", "0.7", "tfs(0.9)", "llama.cpp has no filter like tfs; its own are top_k, top_p, min_p, top_n_sigma"),
    ("vllm", "0.7", "top_k(5), p_less", "vllm has no filter like p_less"),
    (
        "llama.cpp",
        "0.7",
        "top_k(5), min_p(0.1), top_k(3)",
        "applies each filter once, and these have top_k more than once",
    ),
    ("koboldcpp", "0.7", "xtc(0.1, 1), min_p(0.1)", "koboldcpp has no order for `xtc(0.1, 1), min_p(0.1)`"),
    ("koboldcpp", "0.7", "min_p(0.1), top_p(0.9)", "min_p follows top_p at once"),
    ("koboldcpp", "0.7", "top_n_sigma(1), min_p(0.1)", "nsigma follows the temperature"),
    ("transformers", "0.7", "typical(0.9)", "transformers has the order temperature, typical"),
    ("exllamav2", "0.7", "xtc(0.1, 1)", "exllamav2 has the order temperature, xtc"),
    ("llama.cpp", "0.3 + normalized_entropy", "min_p(0.1), tfs(0.9)", "no filter like tfs"),
    ("llama.cpp", "0.3 + normalized_entropy", "typical(0.9), min_p(0.1)", "over what typical and min_p leave"),
]


@pytest.mark.parametrize(("program", "policy", "chain", "told"), REFUSED)
def test_chains_that_a_program_lacks_are_refused(program, policy, chain, told):
    with pytest.raises(ConversionError) as error:
        to_settings(program, policy, filters=chain)
    assert told in str(error.value)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_place_of_a_temperature_of_0_or_1_is_free(temperature):
    assert to_settings("vllm", temperature, filters="min_p(0.1)").exact
    if temperature == 0:
        with pytest.raises(ConversionError, match="has the order"):
            to_settings("exllamav3", temperature, filters="xtc(0.1, 1)")


def test_another_order_of_the_same_filters_is_a_difference():
    written = to_settings("vllm", 0.7, filters="temperature, top_p(0.9), min_p(0.1)")

    assert ("vllm filters in the order min_p, top_p",) == written.differs


@pytest.mark.parametrize("program", ["llama.cpp", "koboldcpp", "textgen", "exllamav2", "aphrodite", "transformers"])
def test_every_filter_of_a_program_is_one_of_dyntemps(program):
    from dyntemp.convert.samplers import DIFFERS, KNOBS, NOTES, ORDERS

    assert set(KNOBS[program]) <= set(FILTERS)
    assert {*DIFFERS.get(program, {}), *NOTES.get(program, {})} <= set(KNOBS[program])
    for order in ORDERS.get(program, ()):
        assert sorted(order) == sorted(["temperature", *KNOBS[program]])

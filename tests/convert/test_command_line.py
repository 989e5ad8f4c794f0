"""Words of a command line: KEY=VALUE, options with a value, and options without one."""

import pytest

from dyntemp.convert import ConversionError, from_settings
from dyntemp.convert.command_line import over, settings_of
from dyntemp.convert.llama_options import SHORT, VALUED, VALUELESS
from dyntemp.convert.programs import PROGRAMS

LLAMA = PROGRAMS["llama.cpp"]
WHOLE = ["--top-k", "0", "--top-p", "1", "--min-p", "0"]
WARM = "lerp(0.55, 0.95, normalized_entropy)"


def converted(words, program="llama.cpp", **options):
    return from_settings(program, settings_of(PROGRAMS[program], words), **options)


@pytest.mark.parametrize("equals", [True, False])
@pytest.mark.parametrize(
    "flag", ["--penalize-nl", "--ignore-eos", "--log-disable", "--no-mmap", "-fa", "-cb", "--mlock"]
)
def test_an_option_without_a_value_takes_no_others(flag, equals):
    pairs = [("--temp", "0.75"), ("--dynatemp-range", "0.2"), ("--top-k", "-1"), ("--top-p", "1"), ("--min-p", "0")]
    options = [["=".join(pair)] if equals else list(pair) for pair in pairs]
    for place in range(len(options) + 1):
        found = converted([word for option in (*options[:place], [flag], *options[place:]) for word in option])

        assert WARM == str(found.policy)
        assert found.filters.active is False
        assert found.exact is (flag != "--ignore-eos")
        named = {name for aside in found.not_temperature for name in aside.fields} | set(found.off)
        assert named & {flag, flag.lstrip("-").replace("-", "_")}


def test_every_option_of_llama_cpp_that_takes_no_value_leaves_the_next_word_alone():
    for flag in VALUELESS:
        dashed = ("-" if len(flag) < 4 else "--") + flag
        assert {dashed: True, "temperature": 0.5} == settings_of(LLAMA, [dashed, "temperature=0.5"])
    assert not VALUELESS & VALUED
    assert not {name.replace("-", "_") for name in VALUELESS | VALUED | set(SHORT)} & {*LLAMA.fields, "top_k", "seed"}


def test_a_whole_command_line_of_llama_server():
    line = (
        "-m model.gguf -c 8192 -ngl 99 -fa on --host 0.0.0.0 --port 8080 --jinja --no-webui -np 4 -s 1 --temp 0.75 "
        "--dynatemp-range 0.2 --dynatemp-exp 1 --samplers top_k;temperature --top-k -1 --top-p 1.0 --min-p 0 -b 512"
    )
    found = converted(line.split())

    assert WARM == str(found.policy)
    assert found.exact
    assert () == found.unknown
    (options,) = [aside.fields for aside in found.not_temperature if "-m" in aside.fields]
    assert ("-m", "-c", "-ngl", "-fa", "--host", "--port", "--jinja", "--no-webui", "-np", "-b") == options


VALUES = [
    (["temperature=0.8"], {"temperature": 0.8}),
    (["--temp", "-1"], {"--temp": -1}),
    (["--temp", "-.5", "--min-p", ".05", "top_p=1."], {"--temp": -0.5, "--min-p": 0.05, "top_p": 1.0}),
    (["sampler_order=6,0,1", "nan=nan", "x=1.2.3"], {"sampler_order": "6,0,1", "nan": "nan", "x": "1.2.3"}),
    (["samplers=edkypmxt"], {"samplers": "edkypmxt"}),
    (["samplers="], {"samplers": ""}),
    (['samplers=["top_k"]'], {"samplers": ["top_k"]}),
    (["dynatemp=True", "x=False", "y=None", "z=null"], {"dynatemp": True, "x": False, "y": None, "z": None}),
    (["--ignore-eos"], {"--ignore-eos": True}),
    (["--log_disable", "a=1"], {"--log_disable": True, "a": 1}),
    (["--dynamic-temperature", "--min-p", "0.1"], {"--dynamic-temperature": True, "--min-p": 0.1}),
    (["-l", "1+2", "-l", "3+4", "-l", "5-6"], {"-l": ["1+2", "3+4", "5-6"]}),
    (["x=[1]", "x=2"], {"x": [[1], 2]}),
]


@pytest.mark.parametrize(("words", "settings"), VALUES)
def test_words_are_settings(words, settings):
    assert settings == settings_of(LLAMA, words)


@pytest.mark.parametrize(
    "words", [["0.8"], ["=0.8"], ["-"], ["--"], ["--=1"], ["--ignore-eos", "5"], ["temp=1", "warm"]]
)
def test_a_word_that_is_no_setting_is_refused(words):
    with pytest.raises(ConversionError, match="was given; write KEY=VALUE"):
        settings_of(LLAMA, words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["temperature=0.8", "temperature=0.5"], "`temperature` was given twice, as 0.8 and as 0.5"),
        (["--top-k", "1", "--top-k", "2"], "`--top-k` was given twice"),
        (["--temp", "0.8", "temperature=0.5"], "`temperature` twice"),
        (["--temp", "--dynatemp-range", "0.5"], "temperature = True; a finite number"),
        (["--temp"], "temperature = True; a finite number"),
        (["--tempo", "1"], "no field `tempo`"),
    ],
)
def test_settings_that_are_repeated_or_lack_a_value_are_refused(words, message):
    with pytest.raises(ConversionError) as error:
        converted(words)
    assert message in str(error.value)


def test_short_options_are_the_fields_that_they_stand_for():
    found = converted(["-s", "3", "-l", "15043+1", *WHOLE])

    assert not found.exact
    assert any("logit_bias" in aside.fields for aside in found.not_temperature)
    with pytest.raises(ConversionError, match="no field `s`"):
        from_settings("llama.cpp", {"s": 3})  # a short name is one behind a dash


def test_words_replace_the_settings_of_a_file_by_whatever_name():
    for file in ({"temp": 0.5, "dynatemp_range": 0.2}, {"params": {"temp": 0.5, "dynatemp_range": 0.2}, "id": 0}):
        merged = over(LLAMA, file, settings_of(LLAMA, ["--temperature", "0.75"]))
        assert WARM == str(from_settings("llama.cpp", merged).policy)
    with pytest.raises(ConversionError, match="no field `tempo`"):
        from_settings("llama.cpp", over(LLAMA, {"params": {}}, {"tempo": 1}))

"""Settings in files and from standard input, as JSON and as YAML."""

import io
import sys

import pytest

from dyntemp.convert import ConversionError, from_settings
from dyntemp.convert.files import load

YAML = """\
---
# mine
temperature: 0.7   # a comment
dynamic_temperature: True
dynatemp_low: 0.1
dynatemp_high: 1.5
grammar_string: ''
negative_prompt:
top_p: 1.0
min_p: .05
sampler_priority: 'dynamic_temperature,temperature,min_p'
dry_sequence_breakers: '"\\n", ":", "\\"", "*"'
"""
LISTED = """\
dynamic_temperature: yes
dynatemp_low: 0.07
dynatemp_high: 1.05
min_p: 0.05
sampler_priority:
- dynamic_temperature
- temperature
- min_p
"""
BLOCK = LISTED.replace("\n- ", "\n  ").replace("priority:", "priority: |-")
JSON = '{"dynamic_temperature": true, "dynatemp_low": 0.07, "dynatemp_high": 1.05, "min_p": 0.05}'


@pytest.fixture(params=["file", "stdin"])
def read(request, tmp_path, monkeypatch):
    """Settings out of bytes, in a file or from standard input."""

    def read(content, suffix):
        if request.param == "stdin":
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
            return load("-")
        path = tmp_path / f"preset{suffix}"
        path.write_bytes(content)
        return load(str(path))

    return read


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "suffix"), [(YAML, ".yaml"), (LISTED, ".yml"), (BLOCK, ".YAML"), (JSON, ".json"), (JSON, ".yaml")]
)
def test_presets_are_read_with_a_byte_order_mark_and_any_end_of_line(read, text, suffix, end, mark):
    found = from_settings("textgen", read(mark + text.replace("\n", end).encode(), suffix))

    assert "lerp(0.07, 1.05, normalized_entropy)" == str(found.policy)
    assert found.exact
    assert "temperature" == found.filters.at
    assert () == found.not_temperature


def test_yaml_is_what_text_generation_webui_reads(read):
    text = b"a: yes\nb: off\nc: '0.5'\nd: 0.5\ne: 1.0e-3\nf: 1e-3\ng: null\nh: [1, two]\ni: {x: 1}\n"
    expected = {"a": True, "b": False, "c": "0.5", "d": 0.5, "e": 0.001, "f": "1e-3", "g": None, "h": [1, "two"],
                "i": {"x": 1}}  # fmt: skip
    assert expected == read(text, ".yaml")


@pytest.mark.parametrize(("text", "number"), [("'0.8'", "0.8"), ("1e-3", "0.001"), ("'1e-5'", "0.00001")])
def test_a_number_that_is_text_is_refused_with_the_number(read, text, number):
    settings = read(f"temperature: {text}".encode(), ".yaml")
    with pytest.raises(ConversionError, match=f"this is text, write {number} without quotes"):
        from_settings("textgen", settings)


@pytest.mark.parametrize(
    ("text", "suffix", "message"),
    [
        (b"[1]", ".json", "holds no settings"),
        (b"# nothing\n", ".yaml", "holds no settings"),
        (b"", ".yaml", "holds no settings"),
        (b"- top_k\n", ".yaml", "holds no settings"),
        (b"{", ".json", "Expecting property"),
        (b'{"temp": 1, "temp": 2}', ".json", "`temp` was given twice"),
        (b'{"params": {"temp": 1, "temp": 2}}', ".json", "`temp` was given twice"),
        (b"temp: 1\ntemp: 2\n", ".yaml", "`temp` was given twice"),
        (b"a:\n  temp: 1\n  temp: 2\n", ".yaml", "`temp` was given twice"),
        (b"temp: 1\n---\ntemp: 2\n", ".yaml", "expected a single document"),
        (b"temp: 1\n x: 2\n", ".yaml", "mapping values are not allowed here"),
        (b"temp: !!python/object/apply:os.getcwd []\n", ".yaml", "could not determine a constructor"),
        (b"\xff\xfe{\x00}\x00", ".json", "can't decode"),
        (b"[" * 100000, ".json", ""),
    ],
)
def test_what_holds_no_settings_is_refused(read, text, suffix, message):
    with pytest.raises(ConversionError) as error:
        read(text, suffix)
    assert message in str(error.value)


def test_an_alias_of_yaml_is_read(read):
    text = b"a: &warm {temp: 1}\nb:\n  <<: *warm\n  top_k: 2\n"
    assert {"a": {"temp": 1}, "b": {"temp": 1, "top_k": 2}} == read(text, ".yaml")


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(str(tmp_path / "none.json"))

"""Chat templates, against those of llama-cpp-python and against what the settings mean."""

from datetime import date

import pytest

from dyntemp import ModelError
from dyntemp.testing.models import has_bundled

pytest.importorskip("jinja2")

from dyntemp.models.chat_template import chat_template

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Grüße <b>\n\n  & 'more'"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Bye"},
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
TEMPLATES = {
    "lines are trimmed": """\
{% for message in messages %}
    {% if message.role == 'user' %}
{{ message.content }}|
    {% endif %}
{% endfor %}""",
    "loop controls": "{% for m in messages %}{% if loop.index > 2 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "marks of generation": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "JSON as it is": "{{ messages | tojson }}{{ messages[0] | tojson(indent=2) }}",
    "special tokens": "{{ bos_token }}{% if add_generation_prompt %}assistant:{% endif %}{{ eos_token }}",
    "tools are none": "{% if tools is none %}no tools{% endif %}{{ tool_choice is none }}",
    "namespaces": "{% set n = namespace(a=0) %}{% for m in messages %}{% set n.a = n.a + 1 %}{% endfor %}{{ n.a }}",
}


@pytest.fixture(scope="module")
def formatter():
    return pytest.importorskip("llama_cpp.llama_chat_format").Jinja2ChatFormatter


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_writes_what_llama_cpp_python_writes(formatter, name):
    expected = formatter(TEMPLATES[name], **TOKENS)(messages=TALK).prompt
    assert expected == chat_template(TEMPLATES[name], **TOKENS)(TALK)
    assert expected


@pytest.mark.model
@pytest.mark.skipif(not has_bundled(), reason="the bundled model is not installed")
def test_the_bundled_models_template_writes_what_llama_cpp_python_writes(formatter):
    from dyntemp import load_model

    text = load_model("smollm2").weights.metadata("tokenizer.chat_template")
    for talk in (TALK, TALK[1:], TALK[1:2]):
        assert formatter(text, **TOKENS)(messages=talk).prompt == chat_template(text, **TOKENS)(talk)


def test_the_date_is_the_local_one():
    before = date.today()  # noqa: DTZ011 (the local one is meant)
    written = chat_template("{{ strftime_now('%Y-%m-%d') }}")([])
    assert written in {str(before), str(date.today())}  # noqa: DTZ011


def test_what_a_template_raises_is_its_own_error():
    with pytest.raises(ValueError, match="roles must alternate"):
        chat_template("{{ raise_exception('roles must alternate') }}")(TALK)


@pytest.mark.parametrize(
    "template",
    ["{{ ''.__class__.__mro__ }}", "{{ messages.append(1) }}", "{% include 'x' %}", "{{ cycler.__init__.__code__ }}"],
)  # fmt: skip
def test_a_template_cannot_leave_its_sandbox(template):
    from jinja2 import TemplateError

    try:
        found = chat_template(template)([])
    except (TemplateError, TypeError, ModelError):
        return
    assert found == ""  # an undefined name is an empty text


def test_a_template_that_cannot_be_read_says_so():
    with pytest.raises(ModelError, match=r"chat template cannot be read: .*give a prompt as text"):
        chat_template("{% if %}")

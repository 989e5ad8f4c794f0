"""docs/serve.md is true: its snippets run, and its tables name every field, metric and error there is."""

import re
from pathlib import Path

import pytest
from tests.serve.models import serving, wandering_model

from dyntemp.cli import serve as command
from dyntemp.serve import ServerSettings, endpoint_fields
from dyntemp.serve.app import make_app

PAGE = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
SOURCE = Path(command.__file__).parents[1] / "serve"


def test_the_snippets_run(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert 3 == len(blocks)
    with serving(make_app(wandering_model(name="smollm2"))) as address:
        names = {}
        for block in blocks:
            exec(block.replace("http://127.0.0.1:8000", address), names)
        names["client"].close()
        names["stream"].close()
    printed = capsys.readouterr().out
    assert "0.3 + 0.7*normalized_entropy**0.5 7\n" in printed
    assert 40 == printed.count(" T = ")


@pytest.mark.parametrize(
    "form", [endpoint_fields.of_chat(ServerSettings()), endpoint_fields.of_completions(ServerSettings())]
)
def test_every_field_is_told(form):
    assert not [name for name in form.fields if f"`{name}`" not in PAGE]


def test_every_metric_and_error_is_told():
    metrics = re.findall(r'"(dyntemp_[a-z_]+)"', (SOURCE / "metrics.py").read_text(encoding="utf-8"))
    kinds = "invalid|unknown|unsupported|missing|policy|temperature|context"
    code = re.compile(rf'code="(\w+)"|"((?:{kinds})_\w+)"\)')
    texts = [path.read_text(encoding="utf-8") for path in SOURCE.glob("*.py")]
    codes = {one or other for text in texts for one, other in code.findall(text)}

    assert len(metrics) >= 10
    assert not [name for name in metrics if name not in PAGE]
    assert len(codes) >= 15
    assert not [code for code in codes if f"`{code}`" not in PAGE]


def test_every_option_of_the_command_with_a_default_is_told():
    settings = ServerSettings()
    for name in ("batch", "queue", "part", "steps", "max_tokens", "timeout"):
        assert f"`--{name.replace('_', '-')}` | {getattr(settings, name):g} |" in PAGE
    assert f"| {settings.max_body:,} |" in PAGE
    assert f"| {settings.max_policy} |" in PAGE
    assert f"| {settings.max_choices} |" in PAGE
    assert f"| {settings.max_stops}, {settings.max_stop} |" in PAGE

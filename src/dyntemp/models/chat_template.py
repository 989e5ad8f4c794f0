"""Chat templates: the Jinja program in a model's file that writes a conversation as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from dyntemp.errors import ModelError
from dyntemp.models import Messages


def chat_template(text: str, **tokens: str) -> Callable[[Messages], str]:
    """A function that writes a conversation as text, up to the assistant's turn.

    The template runs in Jinja's sandbox, with the settings and functions of transformers, for which templates are
    written (`_compile_jinja_template` in transformers' `chat_template_utils.py`).

    Args:
        text: The template.
        tokens: Special tokens by their names in templates: `bos_token`, `eos_token`.

    Raises:
        ModelError: If Jinja is not installed, or if it cannot read the template.
    """
    try:
        from jinja2 import TemplateError, nodes
        from jinja2.ext import Extension, loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise ModelError("the model has a chat template, which needs Jinja: run `pip install jinja2`") from error

    class Generation(Extension):
        """The tag `{% generation %}`, which marks the assistant's text; the text inside is written unchanged."""

        tags = {"generation"}  # noqa: RUF012 (as Jinja has it)

        def parse(self, parser: Any) -> list[nodes.Node]:
            """The statements between the tags."""
            next(parser.stream)
            statements: list[nodes.Node] = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return statements

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _json
    environment.globals |= {"raise_exception": _raise, "strftime_now": _now}
    try:
        template = environment.from_string(text)
    except TemplateError as error:
        raise ModelError(f"the model's chat template cannot be read: {error}; give a prompt as text instead") from error
    # templates compare the tools and documents of a request with none
    absent = dict.fromkeys(("tools", "documents", "functions", "function_call", "tool_choice"))

    def write(messages: Messages) -> str:
        return template.render(
            messages=[dict(message) for message in messages], add_generation_prompt=True, **absent, **tokens
        )

    return write


def _json(value: Any, **settings: Any) -> str:
    """JSON with unescaped characters; Jinja's own filter escapes `<` and others for HTML."""
    return json.dumps(value, **({"ensure_ascii": False} | settings))


def _raise(message: str) -> None:
    raise ValueError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)  # noqa: DTZ005 (templates mean the local date)

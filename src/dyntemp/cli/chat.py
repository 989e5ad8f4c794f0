"""Talk with a model whose temperature moves token by token, and ask it why.

  dyntemp chat
  dyntemp chat --policy edt --system "Answer in one sentence."

Type a message, or one of these; Ctrl-C stops an answer, Ctrl-D leaves.

  /policy [POLICY]     show the policy, or change it
  /why [TEXT]          how the last answer's tokens came about; only those that hold TEXT
  /trace FILE          keep the last answer's record in FILE
  /set NAME VALUE      change temp, seed, max_tokens, top_k, top_p, min_p, filter_at or filters; /set alone shows them
  /system [TEXT]       show the system message, or change it and start over
  /clear               forget the conversation
  /help                this list
  /bye                 leave
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rich.text import Text

from dyntemp.cli import OK, UsageError
from dyntemp.cli.common import add_colour_option, add_model_options, open_model, readable
from dyntemp.cli.policy_options import add_sampling_options, asked_policy, chosen_policy, read_given, sampling_settings
from dyntemp.errors import PolicyError, TraceError
from dyntemp.generation.generate import generate
from dyntemp.language.signals import suggestion
from dyntemp.models import Model
from dyntemp.show.colour import Scale
from dyntemp.show.summary import Summary
from dyntemp.show.terminal import console, explanation, has_colours, legend, write
from dyntemp.textfile import unmarked
from dyntemp.traces.file import TraceWriter
from dyntemp.traces.header import Header
from dyntemp.traces.token import Token
from dyntemp.zones.tracker import ZoneTracker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    add_model_options(parser)
    add_sampling_options(parser)
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Talk until the input ends, and return the exit code."""
    options.policy = asked_policy(options)
    policy, _ = chosen_policy(options.policy, options.temp)
    policy.bounds()
    ZoneTracker.of(policy.zones, options.zone)
    sampling_settings(options, options.policy)
    model = open_model(options)
    if model.encode_chat([{"role": "user", "content": "hello"}]) is None:
        raise UsageError(f"{model.name} has no chat template: use `dyntemp generate`")
    return Chat(model, options).run()


class Chat:
    """One conversation.

    Attributes:
        messages: What was said so far.
        answer: The records of the last answer.
    """

    def __init__(self, model: Model, options: argparse.Namespace) -> None:
        self.model = model
        self.options = options
        self.out = console(options.color)
        self.messages: list[dict[str, str]] = []
        self.answer: list[Token] = []
        self.header: Header | None = None
        self.commands: dict[str, Callable[[str], None]] = {
            "policy": self.policy, "why": self.why, "trace": self.trace, "set": self.set, "system": self.system,
            "clear": self.clear, "help": self.help,
        }  # fmt: skip

    @property
    def scale(self) -> Scale:
        """The colours of the present policy."""
        policy, _ = chosen_policy(self.options.policy, self.options.temp)
        return Scale.of(policy.bounds(self.model.vocabulary))

    def run(self) -> int:
        """Read lines until they end or someone says goodbye."""
        if sys.stdin.isatty():
            with suppress(ImportError):
                import readline  # noqa: F401 (importing it gives input() a history and line editing)
            bar = legend(self.scale).append("   ") if has_colours(self.out) else Text()
            self.out.print(bar.append("/help tells the commands, /bye leaves", style="dim"))
        while True:
            try:
                line = unmarked(input(">>> " if sys.stdin.isatty() else "")).strip()
            except EOFError:
                return OK
            except KeyboardInterrupt:
                self.out.print("\n(Ctrl-D or /bye leaves)", style="dim")
                continue
            except UnicodeDecodeError as error:
                self.error(f"this line is not UTF-8: {error}")
                continue
            if line in ("/bye", "/exit", "/quit"):
                return OK
            if line.startswith("/"):
                self.command(line[1:])
            elif line:
                try:
                    self.say(readable(line))
                except UsageError as error:
                    self.error(str(error))

    def command(self, line: str) -> None:
        """One slash command, without its slash."""
        name, _, rest = line.partition(" ")
        if name not in self.commands:
            self.error(f"there is no /{name}{suggestion(name, [*self.commands, 'bye'])} /help lists the commands")
            return
        try:
            self.commands[name](rest.strip())
        except (PolicyError, TraceError, UsageError) as error:
            self.error(str(error))

    def say(self, text: str) -> None:
        """One turn: the message, and the model's answer as it comes."""
        policy, requested = chosen_policy(self.options.policy, self.options.temp)
        system = [{"role": "system", "content": self.options.system}] if self.options.system else []
        turn = [*self.messages, {"role": "user", "content": text}]
        scale, summary = self.scale, Summary()
        began = time.perf_counter()
        answer: list[Token] = []
        try:
            conversation = [*system, *turn]
            settings = sampling_settings(self.options, self.options.policy)
            with generate(self.model, conversation, policy, **settings, requested=requested) as generation:
                for token in generation:
                    if not answer:  # the record of the answer before is kept until there is another
                        self.answer, self.header = answer, generation.header
                    summary.add(token)
                    answer.append(token)
                    write(self.out, token, scale)
        except KeyboardInterrupt:
            self.out.print(" (stopped)", style="dim", end="")
        except ValueError as error:  # which all errors of dyntemp are
            self.error(f"{error} (/clear forgets the conversation)")
        self.out.print()
        if answer and self.header:
            self.out.print(summary.line(time.perf_counter() - began, self.header.drawn), style="dim")
            self.messages = [*turn, {"role": "assistant", "content": "".join(token.text for token in answer)}]

    def policy(self, rest: str) -> None:
        """/policy: show it, or change it."""
        if rest:
            given = read_given(rest)
            found, _ = chosen_policy(given, self.options.temp)
            found.bounds()
            ZoneTracker.of(found.zones, self.options.zone)
            sampling_settings(self.options, given)
            self.options.policy = given
        policy, _ = chosen_policy(self.options.policy, self.options.temp)
        low, high = policy.bounds(self.model.vocabulary)
        self.out.print(f"{policy}   T from {low:.3g} to {high:.3g}", style="bold")

    def why(self, rest: str) -> None:
        """/why: explain the last answer's tokens."""
        if not self.answer:
            raise UsageError("there is no answer yet to explain")
        chosen = [token for token in self.answer if rest in token.text]
        if not chosen:
            raise UsageError(f"no token of the last answer holds {rest!r}")
        for token in chosen:
            for line in explanation(token, self.scale):
                self.out.print(line, soft_wrap=False)

    def trace(self, rest: str) -> None:
        """/trace: keep the last answer's record in a file."""
        if not rest or self.header is None:
            raise UsageError("write /trace FILE once there is an answer, to keep its record")
        with TraceWriter(rest, self.header) as writer:
            for token in self.answer:
                writer.write(token)
        self.out.print(f"wrote {len(self.answer)} tokens to {rest}", style="dim")

    def set(self, rest: str) -> None:
        """/set: show the settings, or change one."""
        kinds: dict[str, Callable[[str], Any]] = {
            "temp": float, "seed": int, "max_tokens": int, "top_k": int, "top_p": float, "min_p": float,
            "filter_at": str, "filters": lambda text: text or None,
        }  # fmt: skip
        name, _, value = rest.partition(" ")
        if not name:
            self.out.print("  ".join(f"{name} {getattr(self.options, name)}" for name in kinds))
            return
        if name not in kinds:
            raise UsageError(f"there is no setting {name!r}{suggestion(name, kinds)} There are {', '.join(kinds)}")
        before = getattr(self.options, name)
        try:
            setattr(self.options, name, kinds[name](value))
            sampling_settings(self.options, self.options.policy)
            chosen_policy(self.options.policy, self.options.temp)
        except (ValueError, UsageError) as error:
            setattr(self.options, name, before)
            raise UsageError(str(error)) from None
        self.out.print(f"{name} {getattr(self.options, name)}", style="dim")

    def system(self, rest: str) -> None:
        """/system: show the system message, or change it and start over."""
        if rest:
            self.options.system = rest
            self.clear("")
        self.out.print(self.options.system or "no system message", style="dim")

    def clear(self, _: str) -> None:
        """/clear: forget the conversation."""
        self.messages, self.answer, self.header = [], [], None

    def help(self, _: str) -> None:
        """/help: list the commands."""
        assert __doc__ is not None
        self.out.print(__doc__[__doc__.index("  /policy") :].rstrip())

    def error(self, message: str) -> None:
        """Say what was wrong, and go on."""
        self.out.print(Text(message, style="red"))

"""Options and steps that several commands share."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from dyntemp.cli import UsageError
from dyntemp.generation import policies
from dyntemp.language.policy import Policy
from dyntemp.methods import default
from dyntemp.methods.constant import MIN_P
from dyntemp.models import BUNDLED, Model, load_model
from dyntemp.textfile import decoded, read_text, unmarked
from dyntemp.traces.token import plain
from dyntemp.zones.zone import EXAMPLE

MODEL_VARIABLE = "DYNTEMP_MODEL"


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """The options that name a model and how it runs."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "-m", "--model", default=os.environ.get(MODEL_VARIABLE, BUNDLED), metavar="MODEL",
        help=f"`{BUNDLED}` (bundled), a GGUF file, a directory or a hub name; default: ${MODEL_VARIABLE} or {BUNDLED}",
    )  # fmt: skip
    group.add_argument("--threads", type=int, metavar="N", help="processor threads of llama.cpp")
    group.add_argument("--context", type=int, metavar="N", help="most tokens of prompt and text together, in llama.cpp")


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """The options that decide how tokens are drawn."""
    group = add_draw_options(parser)
    add_policy_options(
        group, 'a formula such as "0.1 + 0.8*normalized_entropy", a name of `dyntemp policies`, or a JSON file; '
        f"default: {default()}, behind --min-p {MIN_P} where no filter is given",
    )  # fmt: skip
    group.add_argument(
        "--temp", "--temperature", type=float, metavar="T",
        help="one temperature for all; beside --policy, what its `requested` reads",
    )  # fmt: skip
    group.add_argument("--seed", type=int, help="the same seed writes the same text; -1 or none draws one")


def add_policy_options(group: argparse._ArgumentGroup, help_of_policy: str) -> None:
    """The options that name one policy; `asked_policy` reads them."""
    group.add_argument("--policy", metavar="POLICY", help=help_of_policy)
    group.add_argument("--method", metavar="NAME", help="a method of `dyntemp policies`, in place of --policy")
    add_set_option(group)


def add_set_option(group: argparse._ActionsContainer) -> None:
    """The option that gives a parameter of a method its value."""
    group.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER",
                       help="a parameter of the method; the others have their defaults")  # fmt: skip


def add_draw_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """The options that hold for every policy alike: how much is written, what is filtered; returns their group."""
    group = parser.add_argument_group("sampling")
    group.add_argument(
        "-n", "--max-tokens", "--max-new-tokens", "--n-predict", type=int, default=256, metavar="N",
        help="tokens to write at most (256)",
    )  # fmt: skip
    group.add_argument("--top-k", type=int, default=0, metavar="K", help="keep the K likeliest tokens; 0: all (0)")
    group.add_argument("--top-p", type=float, default=1.0, metavar="P", help="keep the likeliest up to this sum (1)")
    group.add_argument("--min-p", type=float, metavar="P", help="keep this share of the likeliest (0)")
    group.add_argument(
        "--filter-at", choices=("model", "temperature"), default="model",
        help="read the filters' probabilities at temperature 1, or after the temperature (model)",
    )  # fmt: skip
    group.add_argument(
        "--filters", metavar="CHAIN",
        help='any chain of filters instead, such as "top_k(40), temperature, min_p(0.05)"; docs/filters.md lists them',
    )  # fmt: skip
    add_zone_option(group)
    group.add_argument("--system", "--system-prompt", metavar="TEXT", help="the system message of a chat")
    return group


def add_zone_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The option that defines zones."""
    parser.add_argument(
        "--zone", action="append", default=[], metavar="ZONE",
        help=f'a zone of your own that policies read: "{EXAMPLE}" for inside("note")',
    )  # fmt: skip


def add_colour_option(parser: argparse.ArgumentParser) -> None:
    """The option that decides about colours."""
    parser.add_argument("--color", "--colour", choices=("auto", "always", "never"), default="auto",
                        help="auto asks the terminal and NO_COLOR")  # fmt: skip


def add_policy_argument(parser: argparse.ArgumentParser) -> None:
    """A policy as the command's argument."""
    parser.add_argument("policy", metavar="POLICY", help="a formula, a name of `dyntemp policies`, or a JSON file")


def read_policy(text: str) -> Policy:
    """The policy of a command line: a published one by its name, a JSON file, or a formula."""
    text = unmarked(text)
    return Policy.load(text) if text.endswith(".json") else policies.read_policy(text)


def asked_policy(options: argparse.Namespace) -> str | Policy | None:
    """The policy that the options of `add_policy_options` name, if any.

    Raises:
        UsageError: For both --policy and --method, or for --set without --method.
        PolicyError: For an unknown method, or a value that it does not take.
    """
    policy: str | None = options.policy
    if options.method is None:
        if options.set:
            raise UsageError(f"--set {options.set[0]} was given; it needs a method: --method NAME")
        return policy
    if policy is not None:
        raise UsageError("--policy and --method were given; give one of them")
    return policies.read_method(options.method).policy(**dict(bindings(options.set, "--set")))


def bindings(pairs: list[str], option: str) -> Iterator[tuple[str, float]]:
    """The names and numbers of an option that is given as NAME=NUMBER.

    Raises:
        UsageError: For a value of another form.
    """
    for pair in pairs:
        name, equals, number = pair.partition("=")
        try:
            value = float(number)
        except ValueError:
            equals = ""
        if not equals:
            raise UsageError(f"{option} {pair} was given; write {option} NAME=NUMBER, as in {option} a=0.5")
        yield name, value


def chosen_policy(policy: str | Policy | None, temp: float | None) -> tuple[Policy, float]:
    """The policy to run, and the value of `requested`.

    Raises:
        UsageError: If both were given and the policy does not read the temperature.
    """
    if policy is None:
        return policies.policy_of_temperature(temp), 1.0
    found = policy if isinstance(policy, Policy) else read_policy(readable(policy))
    if given := [str(signal) for signal in found.signals if signal.name == "given"]:
        raise UsageError(
            f"`{found}` reads {', '.join(given)}, which only a program can give: "
            "use dyntemp.generate(..., given={...})"
        )
    if temp is None:
        return found, 1.0
    if not policies.reads_temperature(found):
        raise UsageError(
            f"--temp {temp:g} has no effect beside --policy: `{found}` does not read `requested`. "
            f"{policies.TEMPERATURE_ADVICE}"
        )
    return found, temp


def sampling_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The sampling options as arguments of `generate`.

    Raises:
        UsageError: For values outside their range.
    """
    if options.seed is not None and not -1 <= options.seed < 2**64:
        raise UsageError(f"--seed {options.seed} was given; 0 to 2**64 - 1 are seeds, and -1 draws one")
    return {"seed": None if options.seed == -1 else options.seed, **draw_settings(options)}


def draw_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_draw_options` as arguments of `generate`.

    Raises:
        UsageError: For values outside their range.
    """
    unnamed = all(getattr(options, name, None) is None for name in ("policy", "method", "temp"))
    try:
        filters = policies.chosen_filters(
            options.filters, options.top_k, options.top_p, options.min_p, options.filter_at, default=unnamed
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    if options.max_tokens < 1:
        raise UsageError(f"-n {options.max_tokens} was given; at least 1 token is written")
    return {"max_tokens": options.max_tokens, "filters": filters, "zones": options.zone}


def open_model(options: argparse.Namespace) -> Model:
    """The model that the options name; a message appears if loading takes long."""
    given = {name: getattr(options, name) for name in ("threads", "context") if getattr(options, name) is not None}
    with waiting(f"loading {options.model} ..."):
        return load_model(options.model, **given)


@contextmanager
def waiting(message: str, after: float = 1.0) -> Iterator[None]:
    """Print `message` to the standard error if the block takes longer than `after` seconds."""
    timer = threading.Timer(after, print, (f"dyntemp: {message}",), {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def read_prompt(words: list[str], file: str | None) -> str:
    """The prompt from the arguments, a file, or the standard input.

    Raises:
        UsageError: If there is none, or more than one.
    """
    if words and words != ["-"]:
        if file is not None:
            raise UsageError("a prompt and -f were given; give one of them")
        return readable(" ".join(words))
    if file is not None and file != "-":
        try:
            return read_text(file).removesuffix("\n")
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from None
    if sys.stdin is None or (sys.stdin.isatty() and not words and file is None):
        raise UsageError('no prompt: write it behind the command, as in `dyntemp generate "Once upon a time"`')
    text = readable(_read_stdin().removesuffix("\n"))
    if not text.strip():
        raise UsageError("the standard input held no prompt")
    return text


def _read_stdin() -> str:
    """All of the standard input.

    Raises:
        UsageError: If it is not text in the encoding that it is read in.
    """
    if not hasattr(sys.stdin, "buffer"):  # what a program put in its place has text already
        return unmarked(sys.stdin.read())
    try:
        return decoded(sys.stdin.buffer.read(), sys.stdin.encoding, sys.stdin.errors or "strict")
    except ValueError as error:
        raise UsageError(f"the standard input: {error}") from None


def readable(text: str) -> str:
    """`text` without a byte order mark in front, if it can be encoded.

    Raises:
        UsageError: For bytes that are not of the terminal's encoding, which Python keeps as lone surrogates.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} was given, with bytes that are not text: write UTF-8, in a UTF-8 locale") from None
    return unmarked(text)


def print_json(out: Console, data: Any) -> None:
    """One line of JSON, at once; in ASCII where the output is not UTF-8."""
    utf8 = (getattr(out.file, "encoding", None) or "").lower().replace("-", "") == "utf8"
    out.file.write(json.dumps(plain(data), ensure_ascii=not utf8, allow_nan=False) + "\n")
    out.file.flush()

"""The options that name a policy and decide how tokens are drawn, and what they give."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

from dyntemp.cli import UsageError
from dyntemp.cli.common import add_zone_option, readable
from dyntemp.distribution.filters import Filters
from dyntemp.generation import policies
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.language.policy import Policy
from dyntemp.show.report_parts import counted
from dyntemp.textfile import unmarked
from dyntemp.tune.presets import presets


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """The options that decide how tokens are drawn."""
    group = add_draw_options(parser)
    add_policy_options(
        group, 'a formula such as "0.1 + 0.8*normalized_entropy", a name of `dyntemp policies`, or a JSON file; '
        f"default: {policies.DEFAULT.policy}, behind {policies.DEFAULT.filters} where no filter is given",
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
    add_preset_option(group)


def add_preset_option(group: argparse._ActionsContainer, **more: Any) -> None:
    """The option that names a shipped policy."""
    group.add_argument("--preset", choices=presets(), help="a tuned policy with its filters; docs/presets.md", **more)


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


def add_policy_argument(parser: argparse.ArgumentParser) -> None:
    """A policy as the command's argument."""
    parser.add_argument("policy", metavar="POLICY", help="a formula, a name of `dyntemp policies`, or a JSON file")


def read_given(text: str) -> PolicyFile:
    """The policy of a command line with its filters: a published one by its name, a JSON file, or a formula."""
    text = unmarked(text)
    return PolicyFile.load(text) if text.endswith(".json") else policies.read_given(text)


def read_policy(text: str) -> Policy:
    """The policy of a command line, without the filters of its file, for commands that draw nothing."""
    return read_given(text).policy


def origin(file: PolicyFile) -> Iterator[str]:
    """The filters of a policy's file, and where the policy comes from: outcome, model, scores and versions."""
    if file.filters.active:
        yield f"with the filters {file.filters}"
    found = file.provenance
    if found is None:
        return
    yield found.sentence
    yield f"tuned on {found.model}: {counted(found.trials, 'configuration')} tried, settings {found.digest[:16]}"
    for score in found.scores:
        yield f"test of {score.task}: {score}"
    if found.about:
        yield ", ".join(f"{name} {value}" for name, value in found.about.items())


def asked_policy(options: argparse.Namespace) -> PolicyFile | None:
    """The policy that the options of `add_policy_options` name, if any, with the filters of its file.

    Raises:
        UsageError: For more than one of --policy, --method and --preset, or for --set without --method.
        PolicyError: For a policy that cannot be read, an unknown method, or a value that it does not take.
    """
    preset = getattr(options, "preset", None)
    named = [f"--{name}" for name in ("policy", "method", "preset") if getattr(options, name, None) is not None]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} were given; give one of them")
    if options.set and options.method is None:
        raise UsageError(f"--set {options.set[0]} was given; it needs a method: --method NAME")
    if preset is not None:
        return presets()[preset]
    if options.method is None:
        return None if options.policy is None else read_given(readable(options.policy))
    return PolicyFile(policy=policies.read_method(options.method).policy(**dict(bindings(options.set, "--set"))))


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


def chosen_policy(given: PolicyFile | None, temp: float | None) -> tuple[Policy, float]:
    """The policy to run, and the value of `requested`.

    Raises:
        UsageError: If both were given and the policy does not read the temperature.
    """
    if given is None:
        return policies.policy_of_temperature(temp), 1.0
    found = given.policy
    if numbers := [str(signal) for signal in found.signals if signal.name == "given"]:
        raise UsageError(
            f"`{found}` reads {', '.join(numbers)}, which only a program can give: "
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


def sampling_settings(options: argparse.Namespace, given: PolicyFile | None) -> dict[str, Any]:
    """The sampling options as arguments of `generate`, beside a policy.

    Raises:
        UsageError: For values outside their range, and filters beside those of the policy's file.
    """
    if options.seed is not None and not -1 <= options.seed < 2**64:
        raise UsageError(f"--seed {options.seed} was given; 0 to 2**64 - 1 are seeds, and -1 draws one")
    return {"seed": None if options.seed == -1 else options.seed, **draw_settings(options, given)}


def draw_settings(options: argparse.Namespace, *given: PolicyFile | None) -> dict[str, Any]:
    """The options of `add_draw_options` as arguments of `generate`, beside one or several policies.

    Raises:
        UsageError: For values outside their range, and filters beside those of a policy's file.
    """
    if options.max_tokens < 1:
        raise UsageError(f"-n {options.max_tokens} was given; at least 1 token is written")
    try:
        asked = policies.chosen_filters(
            options.filters, options.top_k, options.top_p, options.min_p, options.filter_at,
            default=given == (None,) and getattr(options, "temp", None) is None,
        )  # fmt: skip
    except ValueError as error:
        raise UsageError(str(error)) from None
    return {"max_tokens": options.max_tokens, "filters": filters_beside(asked, given), "zones": options.zone}


def filters_beside(asked: Filters, given: Iterable[PolicyFile | None]) -> Filters:
    """The filters of a draw: those of the policy's file where no others were asked for.

    Raises:
        UsageError: If a file has filters, and others, or policies without them, stand beside it.
    """
    own = dict.fromkeys(Filters() if one is None else one.filters for one in given)
    if len(own) == 1 and not asked.active:
        return next(iter(own))
    for chain in own:
        if chain.active and chain != asked:
            beside = f"`{asked}` was asked for" if asked.active else "the others have not"
            raise UsageError(
                f'the file of a policy has the filters `{chain}`, and {beside}: give --filters "{chain}", or the '
                "policy as text, without its file"
            )
    return asked

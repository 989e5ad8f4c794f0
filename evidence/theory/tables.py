"""Write the tables of docs/theory/loop.md from the data beside this file. A test fails where they differ."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from dyntemp.theory.feedback import MARGIN, TEXTS

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "theory" / "loop.md"
LIMITS = "-0.85, 2.1"
ROUNDED = 1e-5  # temperatures are float32, and means are kept in five digits


def tables() -> dict[str, list[str]]:
    """The lines of each table."""
    return {
        "development": list(forecasts("development")), "unseen": list(forecasts("unseen")),
        "controllers": list(controllers()), "oracle": list(scores()),
    }  # fmt: skip


def filled(text: str) -> str:
    """A page with its tables as the data have them."""
    for name, lines in tables().items():
        table = "\n".join(lines)
        text = re.sub(
            rf"(?s)(<!-- {name} -->\n).*?(<!-- end -->)", lambda found, t=table: f"{found[1]}{t}\n{found[2]}", text
        )
    return text


def forecasts(name: str) -> Iterator[str]:
    """A table of policies that were predicted and then run."""
    data = json.loads((HERE / f"{name}.json").read_text())
    rows, right, inside = [], 0, dict.fromkeys(("temperature", "first", "last", "entropy"), 0)
    for policy, predicted in data["predicted"].items():
        seen = data["observed"][policy]
        ran_away = seen["entropy"] > predicted["own_entropy"] + MARGIN
        right += ran_away == predicted["runs_away"]
        for figure in inside:
            _, low, high = predicted[figure]
            inside[figure] += low - ROUNDED <= seen[figure] <= high + ROUNDED
        value, low, high = predicted["temperature"]
        rows.append(
            f"| `{policy}` | {'runs away' if predicted['runs_away'] else 'settles'} "
            f"| {'right' if ran_away == predicted['runs_away'] else 'wrong'} | {predicted['likely']:.0%} "
            f"| {value:.3g} ({low:.3g} to {high:.3g}) | {seen['temperature']:.3g} "
            f"| {predicted['last'][0]:.3g} | {seen['last']:.3g} "
            f"| {predicted['entropy'][0]:.2f} | {seen['entropy']:.2f} |"
        )
    yield (
        f"The {name} policies, {TEXTS} texts each: {right} of {len(rows)} verdicts are right. Inside their "
        f"intervals are {inside['temperature']} of the mean temperatures, {inside['first']} of those of the first "
        f"third, {inside['last']} of those of the last, and {inside['entropy']} of the entropies there.\n"
    )
    yield "| policy | verdict | | agree | mean T | seen | last third | seen | entropy there, nats | seen |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    yield from rows


def controllers() -> Iterator[str]:
    """The table of controllers that were predicted and then run."""
    data = json.loads((HERE / "controllers.json").read_text())
    yield (
        f"Controllers with limits of 0.05 and 3, {len(data['prompts'])} texts each, from the 21st token on. "
        "The share is that of the gain in the largest with which the loop converges.\n"
    )
    yield "| controller | share | T, predicted | seen | scatter, predicted | seen | T with T before | at a limit |"
    yield "|---|---|---|---|---|---|---|---|"
    for policy, predicted in data["predicted"].items():
        values, seen = predicted["values"], data["observed"][policy]
        scatter = f"{values['deviation']:.2f}" if "deviation" in values else "-"
        inside = policy.removeprefix("0.9 + integral(").removesuffix(f", {LIMITS})")
        yield (
            f"| `{inside}` | {1 / values['largest_factor']:.2f} "
            f"| {values['temperature']:.2f} | {seen['temperature']:.2f} | {scatter} | {seen['deviation']:.2f} "
            f"| {seen['correlation']:.2f} | {seen['at_limits']:.0%} |"
        )


def scores() -> Iterator[str]:
    """The table of the oracle."""
    data = json.loads((HERE / "oracle.json").read_text())
    yield f"{data['texts']} passages, {data['tokens']} tokens; loss in nats per token.\n"
    yield "| temperature | loss | share of the way from static to oracle |"
    yield "|---|---|---|"
    for way, figures in sorted(data["scored"].items(), key=lambda entry: -entry[1]["loss"]):
        yield f"| `{way}` | {figures['loss']:.3f} | {figures['share']:.1%} |"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

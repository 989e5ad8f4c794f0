"""Measures every published method on the bundled model, and records a text of each: `python docs/measure_methods.py`.

The result is `src/dyntemp/methods/measured.jsonl`: a line on the run, then a line for each method. A method whose line
is there, with the policy that it has today, is not measured again; delete the file to begin anew. 10 to 20 minutes.
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp import load_model, measure, sample, scale
from dyntemp.generation.prompts import encode
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.methods import METHODS, Method, programs
from dyntemp.methods.measured import FILE
from dyntemp.models import Model, full_bytes
from dyntemp.models.versions import versions
from dyntemp.zones.tracker import ZoneTracker

ROOT = Path(__file__).parent.parent
SEED, TOKENS = 1, 48
PROMPTS = (
    "What is the capital of France? Then describe an evening there.",
    "Write a short story about a lighthouse keeper.",
    "Give me a list of animals.",
    "Explain why the sky is blue.",
    "Write a Python function that adds two numbers.",
    "What is 17 + 25? Explain step by step.",
    "Write a poem about rain.",
    "Translate into French: The cat sleeps on the chair.",
)


class Step(NamedTuple):
    """One draw: its sequence, token and temperature, the row's entropy, and its distance from the draw at T = 1."""

    sequence: int
    token: int
    temperature: float
    entropy: float
    distance: float


def steps(model: Model, policy: Policy) -> Iterator[Step]:
    """The draws of all prompts' texts under a policy, each up to its end."""
    tracker = ZoneTracker.of(policy.zones)
    prompts = [encode(model, prompt) for prompt in PROMPTS]
    zones = [tracker.advance(tracker.start, full_bytes(model, prompt)) for prompt in prompts]
    session = model.start(prompts)
    state = policy.state(len(PROMPTS)) if policy.remembers else None
    live = list(range(len(PROMPTS)))
    for position in range(TOKENS):
        rows = np.array(session.logits())
        inside = zip(*(tracker.inside(zones[sequence]) for sequence in live), strict=True)
        given = {str(Signal("inside", (name,))): values for name, values in zip(tracker.names, inside, strict=True)}
        draw = sample(rows, policy, seed=SEED, request=live, position=position, state=state, slot=live, given=given)
        plain, drawn = distributions(rows, 1.0), distributions(rows, draw.temperature)
        entropy = measure(rows, "entropy")["entropy"]
        for at, sequence in enumerate(live):
            zones[sequence] = tracker.advance(zones[sequence], full_bytes(model, [int(draw.token[at])]))
            if state is not None:
                state.observe(sequence, position, -np.log(plain[at, draw.token[at]]))
            distance = 1.0 - np.minimum(plain[at], drawn[at]).sum()
            yield Step(sequence, int(draw.token[at]), float(draw.temperature[at]), float(entropy[at]), float(distance))
        going = [at for at in range(len(live)) if int(draw.token[at]) not in model.end_tokens]
        if not going:
            break
        session.advance({live[at]: int(draw.token[at]) for at in going})
        live = [live[at] for at in going]
    session.close()


def distributions(rows: NDArray[np.float32], temperature: Any) -> NDArray[np.float64]:
    """The probabilities of each row's draw, [rows, vocabulary]."""
    scaled = scale(rows.astype(np.float64), [Policy(t) for t in np.broadcast_to(temperature, len(rows)).tolist()])
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def reason(method: Method) -> str | None:
    """The reason why a method cannot be measured here, or None."""
    if method.needs:
        return "needs a second prompt" if "divergence" in method.needs else f"needs `{method.needs[0]}` from its caller"
    if method in programs.METHODS:
        return "as `dynatemp`, where no filter comes first"
    return None


def measured(model: Model, method: Method) -> dict[str, Any]:
    """The line of one method."""
    policy = method.make()
    line: dict[str, Any] = {"method": method.name, "policy": str(policy)}
    if (why := reason(method)) is not None:
        return {**line, "reason": why}
    found = list(steps(model, policy))
    heat = np.array([step.temperature for step in found])
    first = [step for step in found if step.sequence == 0]
    return {
        **line, "tokens": len(found), "mean": figure(heat.mean()), "spread": figure(heat.std()),
        "low": figure(heat.min()), "high": figure(heat.max()),
        "entropy": figure(np.mean([step.entropy for step in found])),
        "changed": figure(np.mean([step.distance for step in found])),
        "text": texts(model, [step.token for step in first]), "temperatures": [figure(s.temperature) for s in first],
    }  # fmt: skip


def texts(model: Model, tokens: list[int]) -> list[str]:
    """The text that each token adds; a token that ends inside a character adds nothing, the next one the rest."""
    read, pieces = b"", [""]
    for token in tokens:
        read += model.token_bytes(token)
        pieces.append(read.decode(errors="ignore"))
    return [after[len(before) :] for before, after in pairwise(pieces)]


def figure(value: float) -> float:
    """A number with four decimals."""
    return round(float(value), 4)


def run_line(model: Model) -> dict[str, Any]:
    """The line on the run: model, machine and versions; the commits that measured are added to it."""
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    return {"model": model.name, "machine": f"{cpu}, {os.cpu_count()} processors", "versions": versions(),
            "commits": [], "seed": SEED, "tokens": TOKENS, "prompts": PROMPTS}  # fmt: skip


def main() -> None:
    """Measure what is missing, and write the lines in the order of the table."""
    kept = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()] if FILE.exists() else []
    model = load_model(threads=1)
    lines = {line["method"]: line for line in kept[1:]}
    head = kept[0] if kept else run_line(model)
    asked = ("git", "rev-parse", "--short=12", "HEAD")
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    for method in METHODS.values():
        known = lines.get(method.name, {})
        if known.get("policy") != str(method.make()) or known.get("reason") != reason(method):
            lines[method.name] = measured(model, method)
            head["commits"] = list(dict.fromkeys([*head["commits"], commit]))
            print(method.name, lines[method.name].get("mean"), flush=True)  # noqa: T201
        ordered = [head, *(lines[name] for name in METHODS if name in lines)]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in ordered)
        FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

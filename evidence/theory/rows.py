"""Make the figures of docs/theory/rows.md, and write them there.

    python evidence/theory/rows.py attack      # 800 random policies on 200 pairs of rows each, against their bounds
    python evidence/theory/rows.py tightness   # how near rows come to the bound of each signal, and of some policies
    python evidence/theory/rows.py model       # rows of the bundled model: orders, and the acceptance of a draft
    python evidence/theory/rows.py tables      # the tables of docs/theory/rows.md, from these data

Texts of the model differ between processors and builds of llama.cpp; the shares hardly.
"""

import json
import platform
import subprocess
import sys
import textwrap
from itertools import combinations
from math import inf
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT)]

from tests.theory.rows import near, random_policies, random_rows, temperatures, two_levels  # noqa: E402

from dyntemp import generate, load_model  # noqa: E402
from dyntemp._version import __version__  # noqa: E402
from dyntemp.language.parse import parse  # noqa: E402
from dyntemp.language.policy import Policy  # noqa: E402
from dyntemp.models import BUNDLED  # noqa: E402
from dyntemp.theory.agreement import total_variation  # noqa: E402
from dyntemp.theory.lipschitz import steepest  # noqa: E402
from dyntemp.theory.order import recorded_order  # noqa: E402
from dyntemp.theory.speculation import acceptance, tempered  # noqa: E402

DATA = HERE / "rows.json"
PAGE = ROOT / "docs" / "theory" / "rows.md"

POLICIES, PAIRS = 800, 200
SIGNALS = ("max_prob", "top_mass(5)", "quantile(0.9)", "margin", "collision", "entropy", "normalized_entropy",
           "perplexity", "varentropy")  # fmt: skip
SUPPORTS = (2, 50, 2_000)
SHOWN = ("0.7", "0.5 - 0.4*max_prob", "lerp(0.3, 1, normalized_entropy**0.5)", "0.1 + 0.8*entropy",
         "0.3 - 0.2*max_prob + 0.2*entropy", "0.8**(1.5/entropy)")  # fmt: skip
PROMPTS = ("Tell me about the history of bicycles.", "Write a poem about the first snow.",
           "How can I sleep better at night?", "Explain recursion to a ten-year-old.",
           "Plan a three-day walk in the mountains.", "Why do cats purr?")  # fmt: skip
TOKENS = 60
WINDOW = 8
"""Tokens that the draft model sees: the bundled model with the end of the text alone."""


def attack() -> dict[str, object]:
    """How near random pairs of rows come to the Lipschitz bound of random policies, and how many are beyond."""
    generator, reached, beyond, unbounded = np.random.default_rng(16), [], 0, 0
    for policy in random_policies(POLICIES, seed=16):
        n = int(generator.choice([2, 3, 4, 6, 12]))
        constant = steepest(policy.computed, n).slope
        rows = random_rows(generator, PAIRS, n)
        others, distance = near(generator, rows)
        if constant in (0, inf):
            unbounded += constant == inf
            continue
        one, other = temperatures(policy, rows), temperatures(policy, others)
        moved = np.abs(one - other) - 1e-11 * (1 + np.abs(one) + np.abs(other) + constant)
        beyond += int(np.count_nonzero(moved > constant * distance))
        reached.append(float(np.max(moved / (constant * distance))))
    quantiles = np.quantile(reached, [0.1, 0.25, 0.5, 0.75, 0.9]).tolist()
    return {"policies": POLICIES, "pairs": POLICIES * PAIRS, "bounded": len(reached), "unbounded": unbounded,
            "beyond": beyond, "quantiles": quantiles}  # fmt: skip


def candidates(n: int) -> np.ndarray:
    """Rows of n entries with two levels, a little apart from ties."""
    masses = 1 / (1 + np.exp(-np.linspace(-8, 8, 120)))
    counts = sorted({1, 2, 5, n // 10 + 1, max(n // 2, 1), n - 1} & set(range(1, n)))
    rows = np.concatenate([two_levels(n, likely, masses) for likely in counts])
    return rows + 1e-4 * np.linspace(0, 1, n)


def push(policy: Policy, rows: np.ndarray, step: float) -> np.ndarray:
    """Rows `step` away in the direction in which T seems to rise fastest: each entry up or down by its derivative."""
    p = np.array([tempered(row, 1.0) for row in rows])
    logs = np.log(np.maximum(p, 1e-300))
    beyond = -logs - -(p * logs).sum(1, keepdims=True)  # surprisals less their mean
    spread = (p * beyond**2).sum(1, keepdims=True)
    best, moved = rows, np.zeros(len(rows))
    now = temperatures(policy, rows)
    off = np.abs(p - now[:, None])  # of a quantile: the entries on either side of it
    up = (beyond < 0, p == p.max(1, keepdims=True), beyond**2 - spread - 2 * beyond > 0,
          off <= np.sort(off, axis=1)[:, 1:2])  # fmt: skip
    for direction in (np.where(mask, 1.0, -1.0) for mask in up):
        for sign in (step, -step):
            there = rows + sign * direction
            change = np.abs(temperatures(policy, there) - now)
            best = np.where((change > moved)[:, None], there, best)
            moved = np.maximum(moved, change)
    return best


def tightness() -> dict[str, object]:
    """The largest share of a bound that a row of two levels reaches with a small step."""
    signals = {}
    for text in SIGNALS:
        signals[text] = []
        for n in SUPPORTS:
            rows, step = candidates(n), 1e-6
            policy = Policy(text)
            others = push(policy, rows, step)
            moved = np.abs(temperatures(policy, others) - temperatures(policy, rows)).max() / step
            bound = steepest(parse(text), n).slope
            signals[text].append([n, bound, float(moved / bound) if bound else None])
    policies = {}
    for text in SHOWN:
        policy, n, step = Policy(text), 2_000, 1e-3
        rows = candidates(n)
        others = push(policy, rows, step) if policy.signals else rows + step * np.sign(np.arange(n) - 0.5)
        t, u = (np.broadcast_to(temperatures(policy, z), len(rows)) for z in (rows, others))
        hot = np.minimum(t, u) > 0.05
        slope = steepest(policy.computed, n).slope
        apart = np.array([np.abs(tempered(z, a) - tempered(y, b)).sum() / 2
                          for z, y, a, b in zip(rows[hot], others[hot], t[hot], u[hot], strict=True)])  # fmt: skip
        bounds = [total_variation(step, low, np.log1p(slope * step / low), n)
                  for low in np.maximum(t[hot] - slope * step, 1e-3)]  # fmt: skip
        shares = apart / bounds
        moved = float(np.max(np.abs(t - u)) / (slope * step)) if slope else None
        policies[text] = [slope, moved, float(shares.max())]
    return {"signals": signals, "policies": policies, "support": 2_000}


def model() -> dict[str, object]:
    """Rows of the bundled model: how signals rank them, and how much of a draft is accepted under a policy."""
    bundled, found = load_model(BUNDLED), []
    signals = ["margin", "collision", "varentropy", "normalized_entropy"]
    for number, prompt in enumerate(PROMPTS):
        found += list(generate(bundled, prompt, 1.0, max_tokens=TOKENS, seed=number, signals=signals))
    order = {}
    for pair in combinations(("max_prob", "margin", "collision", "entropy", "varentropy"), 2):
        policies = [Policy(name if "entropy" in name else f"1 - {name}") for name in pair]
        verdict = recorded_order(found, *policies)
        order[" and ".join(pair)] = [verdict.values["opposed"], verdict.values["correlation"]]
    target, draft = rows_of(bundled, found)
    accepted = {}
    for text in ("1", "0.7", *SHOWN[1:5]):
        policy = Policy(text)
        accepted[text] = [float(acceptance(target, draft, policy, drafting).mean()) for drafting in (Policy(1), policy)]
    return {"texts": len(PROMPTS), "rows": len(found), "order": order, "drafted": len(target), "accepted": accepted}


def rows_of(bundled: object, tokens: list) -> tuple[np.ndarray, np.ndarray]:
    """Logits after each prefix of the texts, from the whole text and from its last tokens alone."""
    wholes, ends = [], []
    for number, prompt in enumerate(PROMPTS):
        text = bundled.encode_chat([{"role": "user", "content": prompt}])
        written = [token.token for token in tokens if token.request == 0][number * TOKENS : (number + 1) * TOKENS]
        session = bundled.start([text])
        for token in written:
            wholes.append(session.logits()[0].copy())
            short = bundled.start([text[-WINDOW:]])
            ends.append(short.logits()[0].copy())
            short.close()
            session.advance({0: token})
            text = [*text, token]
        session.close()
    return np.array(wholes, np.float64), np.array(ends, np.float64)


def circumstances() -> dict[str, str]:
    """The commit, the versions and the machine."""
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True,
                            check=True).stdout.strip()  # fmt: skip
    return {"commit": commit, "dyntemp": __version__, "numpy": np.__version__, "model": BUNDLED,
            "machine": platform.machine(), "python": platform.python_version()}  # fmt: skip


def tables() -> None:
    """Write the tables between the marks of the page."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    for name, lines in (
        ("attack", attack_lines(data["attack"])),
        ("signals", signal_lines(data["tightness"])),
        ("policies", policy_lines(data["tightness"])),
        ("order", order_lines(data["model"])),
        ("acceptance", acceptance_lines(data["model"])),
    ):
        begin, end = f"<!-- {name} -->\n", "<!-- end -->"
        before, after = page.split(begin)
        page = before + begin + "\n".join(lines) + "\n" + end + after.split(end, 1)[1]
    PAGE.write_text(page, encoding="utf-8")


def attack_lines(found: dict) -> list[str]:
    """A sentence on the attack."""
    low, quarter, middle, upper, high = (f"{share:.0%}" for share in found["quantiles"])
    text = (
        f"{found['policies']:,} random policies, each on 200 random pairs of rows, {found['pairs']:,} pairs in all: "
        f"{found['bounded']:,} policies have a positive bound, {found['unbounded']} none that is known. Pairs beyond "
        f"the bound: {found['beyond']}. The best of 200 pairs reaches {middle} of the bound in the median, "
        f"{quarter} and {upper} at the quartiles, {low} and {high} at the deciles."
    )
    return textwrap.wrap(text, 118)


def signal_lines(found: dict) -> list[str]:
    """The bound of each signal, and how near a row comes to it."""
    head = "".join(f" n = {n:,}: bound | reached |" for n in SUPPORTS)
    lines = [f"| signal |{head}", "|---|" + "---:|---:|" * len(SUPPORTS)]
    for text, rows in found["signals"].items():
        cells = [f" {bound:.4g} | {'-' if share is None else f'{share:.0%}'} |" for _, bound, share in rows]
        lines.append(f"| `{text}` |{''.join(cells)}")
    return lines


def policy_lines(found: dict) -> list[str]:
    """The bounds of some policies, and how near rows come to them."""
    lines = ["| policy | constant | reached | total variation reached |", "|---|---:|---:|---:|"]
    for text, (slope, moved, share) in found["policies"].items():
        lines.append(f"| `{text}` | {slope:.4g} | {'-' if moved is None else f'{moved:.0%}'} | {share:.0%} |")
    return lines


def order_lines(found: dict) -> list[str]:
    """The shares of pairs of rows that two signals order differently."""
    head = f"{found['rows']} rows of {found['texts']} texts at T = 1"
    lines = [f"| {head} | pairs in opposite orders | rank correlation |", "|---|---:|---:|"]
    return lines + [f"| {pair} | {share:.1%} | {rank:.3f} |" for pair, (share, rank) in found["order"].items()]


def acceptance_lines(found: dict) -> list[str]:
    """The shares of drafted tokens that are accepted."""
    lines = [f"| policy of the target, {found['drafted']} rows | draft at T = 1 | draft at the policy's own T |",
             "|---|---:|---:|"]  # fmt: skip
    return lines + [f"| `{text}` | {one:.1%} | {own:.1%} |" for text, (one, own) in found["accepted"].items()]


def main(name: str) -> None:
    """Make one part of the data, or the tables."""
    if name == "tables":
        tables()
        return
    data = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    data[name] = {**{"attack": attack, "tightness": tightness, "model": model}[name](), **circumstances()}
    DATA.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

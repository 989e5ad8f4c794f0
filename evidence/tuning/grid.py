"""Values of static temperature with min-p on a grid, on the tune items of fluency, without sampling; writes grid.json.

python evidence/tuning/grid.py FOLDER       # the folder of the tuning `creative`, which keeps the rows
"""

import json
import sys
from pathlib import Path

import numpy as np

from dyntemp import Policy
from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.exact.answers import Answers

HERE = Path(__file__).parent
TEMPERATURES = [float(f"{t:.3g}") for t in np.linspace(0.15, 3, 20)]
CUTS = [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.075, 0.1, 0.15, 0.2, 0.3]


def main() -> None:
    """Compute the grid from the rows of a folder, and write it."""
    answers = Answers.load(Path(sys.argv[1]) / "exact" / "fluency.tune.npz")
    values = {}
    for cut in CUTS:
        filters = Filters(min_p=cut)
        row = [answers.values(Policy(t), "distinct@8", filters).mean() for t in TEMPERATURES]
        values[f"{cut:g}"] = [float(f"{one:.5g}") for one in row]
        print(f"min-p {cut:g}: best {max(row):.3f} at T = {TEMPERATURES[int(np.argmax(row))]:g}")
    (HERE / "grid.json").write_text(json.dumps({"temperatures": TEMPERATURES, "values": values}, indent=1) + "\n")


if __name__ == "__main__":
    main()

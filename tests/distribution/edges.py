"""Shared by the tests against other programs: two kept sets, and whether rounding explains a difference."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from dyntemp.distribution.filters import Filters

TOLERANCE = 1e-5
"""Other programs compute in float32: their settings may be this share away from ours, for each 1,000 entries."""


read = cache(Filters.read)


def kept(row, chain, temperature=1.0):
    """Our set as a mask; XTC's coin is 0, so that it acts."""
    return read(chain).mask(row.astype(np.float64), temperature, lambda number: 0.0)


@dataclass
class Tally:
    """Compares sets row by row, and counts the rows that only rounding explains.

    Programs break ties differently, so that kept logits are compared, not their places. A row whose sets differ has to
    have a setting within the tolerance at which ours has as many entries as theirs, or fewer and more.

    Attributes:
        rows: Rows that were compared.
        excused: Rows whose sets differ by rounding.
        lowest: True for filters that keep the least likely entries, False for cuts.
    """

    lowest: bool = False
    rows: int = 0
    excused: int = 0
    faults: list = field(default_factory=list)

    def compare(self, row, theirs, chain, setting):
        """Compare their mask with ours; `chain` is the text of a chain with a place for the setting."""
        self.rows += 1
        ours, count = np.count_nonzero(kept(row, chain.format(setting))), np.count_nonzero(theirs)
        falling = np.sort(row)[::-1]
        support = np.count_nonzero(row > -np.inf)
        expected = falling[support - count : support] if self.lowest else falling[:count]
        if not np.array_equal(np.sort(row[theirs])[::-1], expected):
            self.faults.append((row, chain, setting, "it is no cut"))
        elif ours != count:
            self.excused += 1
            reach = TOLERANCE * (1 + len(row) / 1000)
            near = [
                np.count_nonzero(kept(row, chain.format(at))) for at in (setting * (1 - reach), setting * (1 + reach))
            ]
            if not min(near) <= count <= max(near):
                self.faults.append((row, chain, setting, f"{count} stay, here {ours}"))

    def check(self, most=0.001):
        """Check that no row differs by more than rounding, and that few do by that."""
        assert not self.faults, f"{len(self.faults)} rows, the first: {self.faults[0]}"
        assert self.rows >= 10_000
        assert self.excused <= most * self.rows, f"{self.excused} of {self.rows} rows differ by rounding"


def explained_typical(row, theirs, share):
    """Check that rounding explains another typical set: what parts them is as near to the entropy as the last entry."""
    reach = TOLERANCE * (1 + len(row) / 1000)
    z = row[row > -np.inf].astype(np.float64)
    logp = z - z.max() - np.log(np.exp(z - z.max()).sum())
    away = np.full(len(row), np.inf)
    away[row > -np.inf] = np.abs(-logp + np.exp(logp) @ logp)
    near = [away[kept(row, f"typical({at!r})")].max() for at in (share * (1 - reach), share * (1 + reach))]
    assert away[theirs].max() <= near[1] + 10 * reach, (row, share)
    assert away[~theirs].min(initial=np.inf) >= near[0] - 10 * reach, (row, share)

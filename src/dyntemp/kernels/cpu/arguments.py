"""Groups of arguments of the compiled code, and the names of the columns of its arrays.

Compiled code builds the groups itself: a named tuple from Python would cost Numba a microsecond per call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

KNOWN = TEMPERATURE, HIGHEST, CUT = range(3)
"""The first rows of `known`, [3 + signals, rows]. The signals follow."""

COUNTS = NEXT, DONE, TOKEN, CANDIDATES, LAST, LOST = range(6)
"""The rows of `counts`, [6, rows]. The first number of `NEXT` counts the rows that threads have taken, and that of
`DONE` those that they have done; see `turns`."""

DEPTH = 1
"""The column of the first line of `code` that holds the depth of the stack."""

STEPS_START, STEPS_STOP, MEASURES_START, MEASURES_STOP, SURPRISAL = range(5)
"""The columns of a line of `code` for a program: ranges of lines, and the cell of `surprisal` or -1."""

OP, OPERAND = range(2)
"""The columns of a line of `code` for a step."""


class Logits(NamedTuple):
    """Rows of logits in memory.

    Attributes:
        flat: The memory that the rows lie in, as one array.
        n: The number of entries of a row.
        stride: The distance from the start of one row to the next, in entries.
        masked_at: Entries at or below this are masked. Its type is the type to compute in.
    """

    flat: Any
    n: Any
    stride: Any
    masked_at: Any


class Programs(NamedTuple):
    """Policies as `pack` writes them.

    Attributes:
        code: int64 [lines, 5].
        numbers: The constants and parameters of the programs, float64.
        of_row: The program of each row, [rows]; empty where all have the first.
    """

    code: Any
    numbers: Any
    of_row: Any


class Keys(NamedTuple):
    """The names of the noise of all rows.

    Attributes:
        per_row: int64 [rows, 4]: the seed's upper and lower 32 bits, request and position. It is empty where the
            others hold for all rows, and requests are the numbers of the rows.
        seed_high: The upper 32 bits of the seed.
        seed_low: The lower 32 bits.
        position: The position.
    """

    per_row: Any
    seed_high: Any
    seed_low: Any
    position: Any


class Key(NamedTuple):
    """The name of the noise of one row."""

    seed: Any
    request: Any
    position: Any


class Memory(NamedTuple):
    """The state of policies that remember; see `dyntemp.language.state.State.tables` for the first four.

    Attributes:
        values: float64 [slots, window, cells].
        positions: int64 [slots, window].
        owners: int64 [slots, window].
        generations: int64 [slots].
        slots: The slot of each row, [rows]; empty where there is no state.
        order: The order in which rows are done, [rows]; empty where there is no state.
    """

    values: Any
    positions: Any
    owners: Any
    generations: Any
    slots: Any
    order: Any


class Cells(NamedTuple):
    """The cells of one row's slot, and its position.

    Attributes:
        memory: `Memory`.
        slot: The slot of the row.
        position: The position of the row.
    """

    memory: Any
    slot: Any
    position: Any


class Moments(NamedTuple):
    """Sums over a row, float64.

    Attributes:
        top: The largest logit m; NaN, +inf or -inf for a broken row, of which nothing else holds.
        log_total: ln of the sum of exp(x - m).
        entropy: In nats.
        collision: The sum of p**2; 0 where no second moments were wanted.
        varentropy: The variance of ln p; 0 where no second moments were wanted.
        count: The number of unmasked entries.
    """

    top: Any
    log_total: Any
    entropy: Any
    collision: Any
    varentropy: Any
    count: Any


class Blocks(NamedTuple):
    """Sums over each block of a row, [blocks].

    Attributes:
        tops: The largest logit m_b.
        totals: The sum of exp(x - m_b), float64.
    """

    tops: Any
    totals: Any


class Kept(NamedTuple):
    """The entries that filters leave: those above `cut`, and those equal to it up to index `last`."""

    cut: Any
    last: Any


class Scratch(NamedTuple):
    """Space for the draw of a row.

    Attributes:
        bounds: float64 [blocks].
        sums: float64 [groups of a block].
        weights: [BLOCK], in the type to compute in.
    """

    bounds: Any
    sums: Any
    weights: Any

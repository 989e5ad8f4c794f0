"""The first read of a row: sums of each block of 2,048 logits, and the signals that follow from them."""

from __future__ import annotations

import triton
import triton.language as tl

from dyntemp.kernels import blocks as shared

BLOCK = tl.constexpr(shared.BLOCK)
INFINITY = tl.constexpr(float("inf"))

READY, MAX_PROB, ENTROPY, NORMALIZED, PERPLEXITY, COLLISION, VARENTROPY, SUPPORT = map(tl.constexpr, range(8))
"""The signal that a column holds: one of these sums, or READY for a value that is there before they are combined."""
MOMENTS = {
    "max_prob": MAX_PROB, "entropy": ENTROPY, "normalized_entropy": NORMALIZED, "perplexity": PERPLEXITY,
    "collision": COLLISION, "varentropy": VARENTROPY, "support": SUPPORT,
}  # fmt: skip

FIELDS = 6
HIGHEST, TOTAL, MEAN, SPREAD, SQUARES, UNMASKED = map(tl.constexpr, range(FIELDS))
"""Planes of the table of blocks, [6, rows, blocks].

With d = z - highest over the unmasked entries of a block: the highest z, NaN for a block that is broken; sum e^d; the
mean of d under e^d; sum e^d*(d - mean)^2; sum e^2d; and the number of unmasked entries.
"""


@triton.jit(do_not_specialize=["rows", "blocks", "per_program"])
def summarise(
    logits, stride, columns, table, rows, blocks, per_program, SIGNALS: tl.constexpr, MASKED_AT: tl.constexpr,
    COMPUTE: tl.constexpr,
):  # fmt: skip
    """Fill the table of blocks: program (row, part) does `per_program` blocks, each held in registers.

    `MEAN`, `SPREAD` and `SQUARES` are left out where no signals are wanted, SIGNALS = 0.
    """
    row = tl.program_id(0)
    start = tl.program_id(1) * per_program
    pointer = logits + row.to(tl.int64) * stride
    plane = rows * blocks
    for block in range(start, tl.minimum(start + per_program, blocks)):
        index = block * BLOCK + tl.arange(0, BLOCK)
        z = tl.load(pointer + index, mask=index < columns, other=-INFINITY).to(COMPUTE)
        kept = z > MASKED_AT
        faults = tl.sum(((z != z) | (z == INFINITY)).to(tl.int32), 0)
        highest = tl.max(tl.where(kept, z, -INFINITY), 0)
        d = tl.where(kept, z - highest, -INFINITY)
        e = tl.where(kept, tl.exp(d), 0.0)
        total = tl.sum(e, 0)
        at = table + row * blocks + block
        tl.store(at + HIGHEST * plane, tl.where(faults > 0, float("nan"), highest))
        tl.store(at + TOTAL * plane, total)
        tl.store(at + UNMASKED * plane, tl.sum(kept.to(tl.int32), 0).to(COMPUTE))
        if SIGNALS > 0:
            mean = tl.sum(tl.where(e > 0, d * e, 0.0), 0) / tl.maximum(total, 1.0)
            tl.store(at + MEAN * plane, mean)
            tl.store(at + SPREAD * plane, tl.sum(tl.where(e > 0, e * (d - mean) * (d - mean), 0.0), 0))
            tl.store(at + SQUARES * plane, tl.sum(e * e, 0))


@triton.jit
def heights(table, row, rows, blocks, SIZE: tl.constexpr):
    """The sums of a row that a draw needs, in float64.

    Returns:
        The highest logit of each block and the sum relative to it, [SIZE]; the row's highest logit; its number of
        unmasked entries; and whether the row is broken.
    """
    block = tl.arange(0, SIZE)
    at = table + row * blocks + block
    plane = rows * blocks
    highest = tl.load(at + HIGHEST * plane, mask=block < blocks, other=-INFINITY).to(tl.float64)
    total = tl.load(at + TOTAL * plane, mask=block < blocks, other=0.0).to(tl.float64)
    count = tl.load(at + UNMASKED * plane, mask=block < blocks, other=0.0).to(tl.int32)
    support = tl.sum(count, 0)
    broken = (tl.sum((highest != highest).to(tl.int32), 0) > 0) | (support == 0)
    return highest, total, tl.max(highest, 0), support, broken


@triton.jit
def moments(table, row, rows, blocks, highest, total, top, support, values, kinds, SIZE: tl.constexpr):
    """`values` of a row's signals, [columns], with those filled in that follow from its blocks; then sum e^(z - top).

    Mean and spread are combined from the blocks' own, so that no large squares cancel.
    """
    block = tl.arange(0, SIZE)
    at = table + row * blocks + block
    plane = rows * blocks
    mean = tl.load(at + MEAN * plane, mask=block < blocks, other=0.0).to(tl.float64)
    spread = tl.load(at + SPREAD * plane, mask=block < blocks, other=0.0).to(tl.float64)
    squares = tl.load(at + SQUARES * plane, mask=block < blocks, other=0.0).to(tl.float64)
    share = tl.where(total > 0, tl.exp(highest - top), 0.0)
    counts = share > 0
    weight = total * share
    whole = tl.sum(weight, 0)
    mean = tl.where(counts, highest - top + mean, 0.0)
    center = tl.sum(weight * mean, 0) / whole
    variance = tl.sum(share * spread + weight * (mean - center) * (mean - center), 0) / whole
    n = support.to(tl.float64)
    most = tl.log(n)
    entropy = tl.minimum(tl.maximum(tl.log(whole) - center, 0.0), most)
    collision = tl.sum(share * share * squares, 0) / (whole * whole)
    values = tl.where(kinds == MAX_PROB, tl.minimum(tl.maximum(1.0 / whole, 1.0 / n), 1.0), values)
    values = tl.where(kinds == ENTROPY, entropy, values)
    values = tl.where(kinds == NORMALIZED, tl.where(n > 1, entropy / tl.where(n > 1, most, 1.0), 0.0), values)
    values = tl.where(kinds == PERPLEXITY, tl.minimum(tl.exp(entropy), n), values)
    values = tl.where(kinds == COLLISION, tl.minimum(tl.maximum(collision, 1.0 / n), 1.0), values)
    values = tl.where(kinds == VARENTROPY, tl.where(n > 1, variance, 0.0), values)
    values = tl.where(kinds == SUPPORT, n, values)
    return values, whole

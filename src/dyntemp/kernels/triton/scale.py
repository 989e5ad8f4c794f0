"""Rows divided by their temperatures, with the meanings of `dyntemp.scale`."""

from __future__ import annotations

import triton
import triton.language as tl

from dyntemp.kernels.triton.blocks import BLOCK, INFINITY
from dyntemp.kernels.triton.draw import GREEDY


@triton.jit(do_not_specialize=["rows", "blocks"])
def extremes(
    logits, stride, columns, temperatures, ends, rows, blocks, MASKED_AT: tl.constexpr, COMPUTE: tl.constexpr
):  # fmt: skip
    """The highest and the lowest unmasked logit of each block, [2, rows, blocks], of rows that need them.

    Dividing by a temperature of 1 or more needs neither: nothing can overflow.
    """
    row, block = tl.program_id(0), tl.program_id(1)
    if tl.load(temperatures + row) < 1:
        index = block * BLOCK + tl.arange(0, BLOCK)
        pointer = logits + row.to(tl.int64) * stride
        z = tl.load(pointer + index, mask=index < columns, other=-INFINITY).to(COMPUTE)
        kept = z > MASKED_AT
        at = ends + row * blocks + block
        tl.store(at, tl.max(tl.where(kept, z, -INFINITY), 0))
        tl.store(at + rows * blocks, tl.min(tl.where(kept, z, INFINITY), 0))


@triton.jit(do_not_specialize=["rows", "blocks"])
def divide(
    logits, stride, columns, temperatures, ends, result, result_stride, rows, blocks, MASKED_AT: tl.constexpr,
    COMPUTE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Write the block (row, block) of the result, which may be the logits themselves; broken rows stay as they are."""
    row, block = tl.program_id(0), tl.program_id(1)
    temperature = tl.load(temperatures + row)
    index = block * BLOCK + tl.arange(0, BLOCK)
    z = tl.load(logits + row.to(tl.int64) * stride + index, mask=index < columns, other=-INFINITY).to(COMPUTE)
    kept = z > MASKED_AT
    exact = z.to(tl.float64)
    base = tl.full([], 0.0, tl.float64)
    if temperature < 1:
        number = tl.arange(0, SIZE)
        at = ends + row * blocks + number
        highest = tl.load(at, mask=number < blocks, other=-INFINITY).to(tl.float64)
        lowest = tl.load(at + rows * blocks, mask=number < blocks, other=INFINITY).to(tl.float64)
        top = tl.max(highest, 0)
        if temperature <= GREEDY:
            chosen = tl.min(tl.where(highest == top, number, SIZE), 0)
            first = tl.min(tl.where(exact == top, index, columns), 0)
            kept = (block == chosen) & (index == first)
            temperature = tl.full([], INFINITY, tl.float64)
        elif tl.maximum(top, -tl.min(lowest, 0)) / temperature > -2 * MASKED_AT:
            base = top
    if temperature == INFINITY:
        quotient = tl.zeros([BLOCK], tl.float64)
    elif COMPUTE == tl.float64:
        quotient = (exact - base) / temperature
    else:
        quotient = (exact - base) * (1.0 / temperature)
    quotient = tl.where(temperature == temperature, tl.where(kept, quotient, -INFINITY), exact)
    quotient = quotient.to(COMPUTE).to(result.dtype.element_ty)
    tl.store(result + row.to(tl.int64) * result_stride + index, quotient, mask=index < columns)

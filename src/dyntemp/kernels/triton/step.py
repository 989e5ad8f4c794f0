"""The second kernel: from the blocks of a row to its temperature and token; and the one that solves for an entropy."""

from __future__ import annotations

import triton
import triton.language as tl

from dyntemp.kernels.triton.blocks import BLOCK, INFINITY, heights, moments
from dyntemp.kernels.triton.draw import GREEDY, LANES, NO_FILTERS, drawn, filtered, likeliest, uniforms
from dyntemp.kernels.triton.program import COUNT, FIRST, READ, SURPRISAL_CELL, evaluated, span_of
from dyntemp.kernels.triton.select import weights
from dyntemp.language.signals import MAX_SURPRISAL

CAP = tl.constexpr(MAX_SURPRISAL)
OUTWARD = tl.constexpr(700.0)
"""No ln T that is searched lies further from 0."""
ROUNDS = tl.constexpr(200)


@triton.jit
def columns_of(values, row, width, kinds, SIGNALS: tl.constexpr):
    """The signals of a row that are known before its moments, [SIGNALS], and the kind of each."""
    column = tl.arange(0, SIGNALS)
    found = tl.load(values + row * width + column, mask=column < width, other=0.0)
    return found, tl.load(kinds + column, mask=column < width, other=0)


@triton.jit(do_not_specialize=["rows", "blocks", "width"])
def solve(
    logits, stride, columns, table, rows, blocks, values, width, kinds, solved, spans, of_row, steps, numbers,
    MASKED_AT: tl.constexpr, COMPUTE: tl.constexpr, SIZE: tl.constexpr, SIGNALS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Fill the columns of temperature_for_entropy: program (row, number of the column among these).

    Newton on ln T inside a bracket, as `dyntemp.kernels.reference.solve_increasing`; each round reads the row.
    """
    row = tl.program_id(0)
    column = tl.load(solved + tl.program_id(1))
    span = span_of(spans, tl.load(of_row + row), 1 + column, width)
    highest, total, top, support, broken = heights(table, row, rows, blocks, SIZE)
    if (tl.load(span + READ) > 0) & ~broken:
        pointer = logits + row.to(tl.int64) * stride
        known, kind = columns_of(values, row, width, kinds, SIGNALS)
        known, _ = moments(
            table, row, rows, blocks, highest=highest, total=total, top=top, support=support, values=known, kinds=kind,
            SIZE=SIZE,
        )  # fmt: skip
        nothing = tl.zeros([1], tl.float64)
        target, _, _, _ = evaluated(
            steps, tl.load(span + FIRST), tl.load(span + COUNT), numbers, values=known, before=nothing, after=nothing,
            position=0, SIGNALS=SIGNALS, DEPTH=DEPTH, CELLS=1,
        )  # fmt: skip
        ties = support * 0
        for block in range(0, blocks):
            if tl.load(table + row * blocks + block).to(tl.float64) == top:
                index = block * BLOCK + tl.arange(0, BLOCK)
                z = tl.load(pointer + index, mask=index < columns, other=-INFINITY).to(COMPUTE)
                ties += tl.sum((z.to(tl.float64) == top).to(tl.int32), 0)
        result = tl.where(target >= tl.log(support.to(tl.float64)), INFINITY, 0.0).to(tl.float64)
        if (target < tl.log(support.to(tl.float64))) & (target > tl.log(ties.to(tl.float64))):
            CLOSE: tl.constexpr = 1e-15 if COMPUTE == tl.float64 else 1e-8
            low = target * 0 - OUTWARD
            high = target * 0 + OUTWARD
            now = target * 0
            step = target * 0 + 1
            turn = 0
            while (turn < ROUNDS) & (tl.abs(step) > CLOSE * tl.maximum(tl.abs(now), 1.0)):
                entropy, slope = tempered(pointer, columns, blocks, top, tl.exp(-now), MASKED_AT, COMPUTE)
                excess = entropy - target
                low = tl.where(excess < 0, now, low)
                high = tl.where(excess < 0, high, now)
                middle = (low + high) / 2
                middle = tl.where((low == -OUTWARD) & (now == high), tl.maximum(high - 2, middle), middle)
                middle = tl.where((high == OUTWARD) & (now == low), tl.minimum(low + 2, middle), middle)
                newton = tl.where(slope > 0, now - excess / tl.where(slope > 0, slope, 1.0), INFINITY)
                then = tl.where((newton > low) & (newton < high), newton, middle)
                step = tl.where(excess == 0, 0.0, then - now)
                now = now + step
                turn += 1
            result = tl.exp(now)
        tl.store(values + row * width + column, result)


@triton.jit
def tempered(pointer, columns, blocks, top, inverse, MASKED_AT: tl.constexpr, COMPUTE: tl.constexpr):
    """The entropy of softmax(z/T), and its slope in ln T, which is its varentropy."""
    whole = inverse * 0
    first = inverse * 0
    second = inverse * 0
    for block in range(0, blocks):
        index = block * BLOCK + tl.arange(0, BLOCK)
        z = tl.load(pointer + index, mask=index < columns, other=-INFINITY).to(COMPUTE)
        kept = z > MASKED_AT
        e = weights(z, kept, top, inverse, COMPUTE)
        d = tl.where(e > 0, (z.to(tl.float64) - top) * inverse, 0.0).to(COMPUTE)
        whole += tl.sum(e, 0).to(tl.float64)
        first += tl.sum(d * e, 0).to(tl.float64)
        second += tl.sum(d * d * e, 0).to(tl.float64)
    mean = first / whole
    return tl.log(whole) - mean, tl.maximum(second / whole - mean * mean, 0.0)


@triton.jit
def remembered(memory, stamps, owners, generations, slot, position, window, cells, CELLS: tl.constexpr):
    """The cells of a slot at the position before, and at this position, [CELLS]; NaN where nothing was written."""
    cell = tl.arange(0, CELLS)
    mine = tl.load(generations + slot)
    before = slot * window + (position + window - 1) % window
    now = slot * window + position % window
    known = (position > 0) & (tl.load(stamps + before) == position - 1) & (tl.load(owners + before) == mine)
    again = (tl.load(stamps + now) == position) & (tl.load(owners + now) == mine)
    old = tl.load(memory + before * cells + cell, mask=cell < cells, other=0.0)
    new = tl.load(memory + now * cells + cell, mask=cell < cells, other=0.0)
    return tl.where(known, old, float("nan")), tl.where(again, new, float("nan"))


@triton.jit(do_not_specialize=["rows", "blocks", "width", "window", "cells"])
def step(
    logits, stride, columns, table, rows, blocks, values, width, kinds, spans, of_row, steps, numbers, settings, order,
    seeds, requests, positions, faults, temperatures, cuts, tokens, counts, lasts, slots, losses, memory, stamps,
    owners, generations, window, cells, POLICY: tl.constexpr, DRAW: tl.constexpr, FILTERS: tl.constexpr,
    CELLS: tl.constexpr, SIGNALS: tl.constexpr, DEPTH: tl.constexpr, SIZE: tl.constexpr, MASKED_AT: tl.constexpr,
    COMPUTE: tl.constexpr,
):  # fmt: skip
    """Signals, temperature, filters, token and memory of one row for each program.

    `order` lists the rows. CELLS is 0 where nothing is remembered.
    """
    row = tl.load(order + tl.program_id(0))
    pointer = logits + row.to(tl.int64) * stride
    policy = tl.load(of_row + row)
    span = span_of(spans, policy, 0, width)
    highest, total, top, support, broken = heights(table, row, rows, blocks, SIZE)
    broken = broken | tl.load(faults + row)
    tl.store(faults + row, broken)
    HELD: tl.constexpr = SIGNALS if SIGNALS > 0 else 1
    known = tl.zeros([HELD], tl.float64)
    whole = top
    if SIGNALS > 0:
        column = tl.arange(0, SIGNALS)
        known, kind = columns_of(values, row, width, kinds, SIGNALS)
        known, whole = moments(
            table, row, rows, blocks, highest=highest, total=total, top=top, support=support, values=known, kinds=kind,
            SIZE=SIZE,
        )  # fmt: skip
        read = tl.load(span_of(spans, policy, 1 + column, width) + READ, mask=column < width, other=0) > 0
        shown = tl.where(read & ~broken, known, float("nan"))
        tl.store(values + row * width + column, shown, mask=column < width)
    if POLICY:
        position = tl.load(positions + row)
        HOLDS: tl.constexpr = CELLS if CELLS > 0 else 1
        before = tl.full([HOLDS], float("nan"), tl.float64)
        after = before
        wrote = 0
        if CELLS > 0:
            slot = tl.load(slots + row)
            before, after = remembered(memory, stamps, owners, generations, slot, position, window, cells, CELLS)
        temperature, after, wrote, lost = evaluated(
            steps, tl.load(span + FIRST), tl.load(span + COUNT), numbers, values=known, before=before, after=after,
            position=position, SIGNALS=HELD, DEPTH=DEPTH, CELLS=HOLDS,
        )  # fmt: skip
        tl.store(temperatures + row, tl.where(broken, float("nan"), temperature))
        if CELLS > 0:
            tl.store(losses + row, (lost > 0) & ~broken)
        if DRAW:
            token = -1
            cut = -INFINITY + top * 0
            last = columns - 1
            count = support
            if ~broken:
                if FILTERS != NO_FILTERS:
                    tops = table + row * blocks
                    cut, last, count, highest, total = filtered(
                        pointer, columns, tops, blocks, highest=highest, total=total, top=top, support=support,
                        temperature=temperature, settings=settings, AT=FILTERS, MASKED_AT=MASKED_AT, COMPUTE=COMPUTE,
                        SIZE=SIZE,
                    )  # fmt: skip
                    cut = tl.where(count == support, -INFINITY, cut)
                    last = tl.where(count == support, columns - 1, last)
                if temperature <= GREEDY:
                    token = likeliest(pointer, columns, highest, top, SIZE, COMPUTE)
                else:
                    lane = tl.arange(0, LANES).to(tl.int64)
                    noise = uniforms(lane, tl.load(seeds + row), tl.load(requests + row), position)
                    token = drawn(
                        pointer, columns, blocks, highest=highest, total=total, top=top, temperature=temperature,
                        cut=cut, last=last, noise=noise, MASKED_AT=MASKED_AT, COMPUTE=COMPUTE, SIZE=SIZE,
                    )  # fmt: skip
                if CELLS > 0:
                    surprisal = tl.load(span + SURPRISAL_CELL)
                    if surprisal >= 0:
                        z = tl.load(pointer + token).to(COMPUTE).to(tl.float64)
                        surprise = tl.minimum(tl.maximum(top - z + tl.log(whole), 0.0), CAP)
                        after = tl.where(tl.arange(0, HOLDS) == surprisal, surprise, after)
                        wrote = 1
            tl.store(tokens + row, token)
            tl.store(cuts + row, cut)
            tl.store(lasts + row, last)
            tl.store(counts + row, tl.where(broken, 0, count))
        if CELLS > 0:
            if (wrote > 0) & ~broken:
                at = slot * window + position % window
                cell = tl.arange(0, HOLDS)
                tl.store(memory + at * cells + cell, after, mask=cell < cells)
                tl.store(stamps + at, position)
                tl.store(owners + at, tl.load(generations + slot))

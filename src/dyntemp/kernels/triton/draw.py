"""The filters of a row and its draw; see `dyntemp.kernels.reference.draw` for the algorithm and why it is exact."""

from __future__ import annotations

import triton
import triton.language as tl

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.distribution.noise import OF_A_DRAW
from dyntemp.kernels import blocks as shared
from dyntemp.kernels.triton.blocks import BLOCK, INFINITY
from dyntemp.kernels.triton.program import at_index
from dyntemp.kernels.triton.select import key_of, logit_of, lowest_key, threshold, tie, weights

TRIES = tl.constexpr(shared.TRIES)
SLACK = tl.constexpr(shared.BOUND_SLACK)
GREEDY = tl.constexpr(GREEDY_AT)
PURPOSES = tl.constexpr(len(OF_A_DRAW))
CHOICE, ACCEPTANCE, PICK = (tl.constexpr(int(purpose)) for purpose in OF_A_DRAW)
LANES = tl.constexpr(64)
"""At least PURPOSES numbers for each of the tries and the full pass after them."""

TOP_K, TOP_P, LOG_MIN_P = map(tl.constexpr, range(3))
"""The places of `settings`."""

NO_FILTERS, AT_MODEL, AT_TEMPERATURE = map(tl.constexpr, range(3))


@triton.jit
def uniforms(lane, seed, request, position):
    """The numbers in (0, 1) of a draw, in the shape of `lane`, which counts PURPOSES of them for each try."""
    zero = lane * 0
    high, low, _, _ = tl.philox(
        zero + seed, (zero + request).to(tl.uint32), (zero + position).to(tl.uint32), (lane // PURPOSES).to(tl.uint32),
        (lane % PURPOSES).to(tl.uint32),
    )  # fmt: skip
    words = (high.to(tl.uint64) << 32) | low.to(tl.uint64)
    return (words >> 11).to(tl.float64) * 2.0**-53 + 2.0**-54


@triton.jit
def first_above(cumulative, parts, target, SIZE: tl.constexpr):
    """The first index whose cumulative sum exceeds `target`, among those that add to it."""
    index = tl.arange(0, SIZE)
    found = tl.min(tl.where((cumulative > target) & (parts > 0), index, SIZE), 0)
    return tl.where(found < SIZE, found, tl.max(tl.where(parts > 0, index, 0), 0))


@triton.jit
def block_weights(
    pointer, block, columns, top, inverse, cut, last, MASKED_AT: tl.constexpr, COMPUTE: tl.constexpr
):  # fmt: skip
    """e^((z - top)/T) of the entries of a block that the filters left, [BLOCK], as float64."""
    index = block * BLOCK + tl.arange(0, BLOCK)
    z = tl.load(pointer + index, mask=index < columns, other=-INFINITY).to(COMPUTE)
    exact = z.to(tl.float64)
    kept = (exact > MASKED_AT) & ((exact > cut) | ((exact == cut) & (index <= last)))
    return weights(z, kept, top, inverse, COMPUTE).to(tl.float64)


@triton.jit
def likeliest(pointer, columns, highest, top, SIZE: tl.constexpr, COMPUTE: tl.constexpr):
    """The lowest index among the row's highest logits."""
    block = tl.arange(0, SIZE)
    chosen = tl.min(tl.where(highest == top, block, SIZE - 1), 0)
    index = chosen * BLOCK + tl.arange(0, BLOCK)
    z = tl.load(pointer + index, mask=index < columns, other=-INFINITY).to(COMPUTE).to(tl.float64)
    return tl.min(tl.where(z == top, index, columns - 1), 0)


@triton.jit
def filtered(
    pointer, columns, tops, blocks, highest, total, top, support, temperature, settings, AT: tl.constexpr,
    MASKED_AT: tl.constexpr, COMPUTE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Apply top-k, top-p and min-p to a row, in this order.

    Returns:
        The lowest logit that stays, the highest index that stays among its equals, the number of entries that stay,
        and of each block the highest logit and the sum relative to it, over the entries that stay.
    """
    STORED: tl.constexpr = pointer.dtype.element_ty
    one = tl.full([], 1.0, tl.float64)
    t = temperature if AT == AT_TEMPERATURE else one
    inverse = tl.where(t == INFINITY, 0.0, 1.0 / t)
    cut = lowest_key(STORED)
    last = columns - 1
    top_k = tl.load(settings + TOP_K)
    top_p = tl.load(settings + TOP_P)
    limit = tl.where(t == INFINITY, -INFINITY, top + t * tl.load(settings + LOG_MIN_P))
    if (AT == AT_TEMPERATURE) & (t <= GREEDY):
        cut = key_of(top.to(COMPUTE).to(STORED))
        last = likeliest(pointer, columns, highest, top, SIZE, COMPUTE)
    else:
        if (top_k > 0) & (top_k < support):
            key, above, goal = threshold(
                pointer, columns, tops, top_k, cut, last, top=top, inverse=inverse, MASS=False, MASKED_AT=MASKED_AT,
                COMPUTE=COMPUTE,
            )  # fmt: skip
            last = tie(pointer, columns, tops, key, (goal - above).to(tl.int32), cut, last, MASKED_AT, COMPUTE)
            cut = key
        if top_p < 1:
            key, above, goal = threshold(
                pointer, columns, tops, top_p, cut, last, top=top, inverse=inverse, MASS=True, MASKED_AT=MASKED_AT,
                COMPUTE=COMPUTE,
            )  # fmt: skip
            weight = weights(logit_of(key, STORED), key == key, top, inverse, COMPUTE).to(tl.float64)
            nth = tl.where(weight > 0, tl.ceil((goal - above) / tl.where(weight > 0, weight, 1.0)), 1.0)
            nth = tl.minimum(tl.maximum(nth, 1.0), columns.to(tl.float64)).to(tl.int32)
            last = tie(
                pointer, columns, tops, key, nth, cut, tl.where(key > cut, columns - 1, last), MASKED_AT, COMPUTE
            )
            cut = key
    number = tl.arange(0, SIZE)
    count = 0
    lowest = top
    end = -1
    for block in range(0, blocks):
        crest = tl.load(tops + block)
        if (crest.to(tl.float64) >= limit) & (key_of(crest.to(STORED)) >= cut):
            index = block * BLOCK + tl.arange(0, BLOCK)
            z = tl.load(pointer + index, mask=index < columns, other=-INFINITY)
            key = key_of(z)
            exact = z.to(COMPUTE).to(tl.float64)
            kept = (exact > MASKED_AT) & (exact >= limit) & ((key > cut) | ((key == cut) & (index <= last)))
            here = tl.max(tl.where(kept, exact, -INFINITY), 0)
            count += tl.sum(kept.to(tl.int32), 0)
            floor = tl.min(tl.where(kept, exact, INFINITY), 0)
            end = tl.where(floor <= lowest, tl.max(tl.where(kept & (exact == floor), index, -1), 0), end)
            lowest = tl.minimum(lowest, floor)
            mass = tl.sum(weights(z, kept, here, one, COMPUTE), 0)
            highest = tl.where(number == block, here, highest)
            total = tl.where(number == block, mass.to(tl.float64), total)
        else:
            highest = tl.where(number == block, -INFINITY, highest)
            total = tl.where(number == block, 0.0, total)
    return lowest, end, count, highest, total


@triton.jit
def drawn(
    pointer, columns, blocks, highest, total, top, temperature, cut, last, noise, MASKED_AT: tl.constexpr,
    COMPUTE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """A token of softmax(z/T) among the entries above the logit `cut`, and at it up to the index `last`.

    `noise` is what `uniforms` gives, [LANES].
    """
    lane = tl.arange(0, LANES)
    number = tl.arange(0, SIZE)
    inverse = tl.where(temperature == INFINITY, 0.0, 1.0 / temperature)
    present = total > 0
    length = tl.minimum(columns - number * BLOCK, BLOCK).to(tl.float64)
    below = tl.where(inverse == 0, 0.0, tl.where(present, (highest - top) * inverse, 0.0))
    mean = (1 - inverse) * tl.log(tl.where(present, length, 1.0)) + inverse * tl.log(tl.where(present, total, 1.0))
    bound = tl.exp(below) * tl.where(inverse < 1, tl.exp(mean), total) * SLACK
    bound = tl.where(present, bound, 0.0)
    bounds = tl.cumsum(bound, 0)
    reach = tl.max(bounds, 0)
    token = -1
    attempt = 0
    while (token < 0) & (attempt < TRIES):
        block = first_above(bounds, bound, at_index(noise, lane, attempt * PURPOSES + CHOICE) * reach, SIZE)
        parts = block_weights(pointer, block, columns, top, inverse, cut, last, MASKED_AT, COMPUTE)
        mass = tl.sum(parts, 0)
        if at_index(noise, lane, attempt * PURPOSES + ACCEPTANCE) * at_index(bound, number, block) < mass:
            target = at_index(noise, lane, attempt * PURPOSES + PICK) * mass
            token = block * BLOCK + first_above(tl.cumsum(parts, 0), parts, target, BLOCK)
        attempt += 1
    if token < 0:
        masses = tl.zeros([SIZE], tl.float64)
        for block in range(0, blocks):
            parts = block_weights(pointer, block, columns, top, inverse, cut, last, MASKED_AT, COMPUTE)
            masses = tl.where(number == block, tl.sum(parts, 0), masses)
        chosen = first_above(
            tl.cumsum(masses, 0), masses, at_index(noise, lane, TRIES * PURPOSES + CHOICE) * tl.sum(masses, 0), SIZE
        )
        parts = block_weights(pointer, chosen, columns, top, inverse, cut, last, MASKED_AT, COMPUTE)
        target = at_index(noise, lane, TRIES * PURPOSES + PICK) * tl.sum(parts, 0)
        token = chosen * BLOCK + first_above(tl.cumsum(parts, 0), parts, target, BLOCK)
    return token

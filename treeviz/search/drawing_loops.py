"""Compiled loops that draw the neurons that fire; importing this module imports numba (see `compiled.load_loops`).

They do what `normal_numbers` and `block_drawer` do in NumPy, with the same bits: nothing is summed in another order,
and every product is rounded before it is added.
"""

import math

import numpy as np
from numba import njit

from treeviz.model.types import Floats, Ints
from treeviz.search.normal_numbers import HEIGHTS, LIMITS, WIDTHS, Bits


@njit(cache=True, nogil=True, error_model="numpy")
def _quick(bits, widths, limits, values, left):
    num_left = 0
    for place in range(bits.size):
        layer = np.int64(bits[place] & np.uint64(255))
        value = (np.float64(np.int64(bits[place]) >> 11) + 0.5) * widths[layer]
        values[place], left[num_left] = value, place
        num_left += 1 if abs(value) >= limits[layer] else 0  # no branch: what is done is overwritten
    return num_left


def quick(bits: Bits, values: Floats, left: Ints) -> int:
    """Do what `normal_numbers.quick` does; `left` has one place more than is needed."""
    return int(_quick(bits, WIDTHS, LIMITS, values, left))


@njit(cache=True, nogil=True, error_model="numpy")
def _settle(bits, values, left, uniform, heights, tails, above):
    num_tails, num_above = 0, 0
    for one in range(left.size):
        value, layer = values[left[one]], np.int64(bits[left[one]] & np.uint64(255))
        tails[num_tails], above[num_above] = one, one
        low, high = heights[layer], heights[layer + 1]
        is_above = low + uniform[one] * (high - low) > math.exp(-0.5 * value * value)
        num_tails += 1 if layer == 0 else 0
        num_above += 1 if layer != 0 and is_above else 0
    return num_tails, num_above


def settle(bits: Bits, values: Floats, left: Ints, uniform: Floats) -> tuple[Ints, Ints]:
    """Do what `normal_numbers.settle` does."""
    tails, above = np.empty(left.size + 1, dtype=np.int64), np.empty(left.size + 1, dtype=np.int64)
    num_tails, num_above = _settle(bits, values, left, uniform, HEIGHTS, tails, above)
    return tails[:num_tails], above[:num_above]


@njit(cache=True, nogil=True, error_model="numpy")
def move_along(rows, points, lengths, owners, own_products):
    """Do what `block_drawer.move_along` does."""
    for row in range(owners.size):
        own, total = owners[row], 0.0
        for k in range(rows.shape[1]):
            total += rows[row, k] * points[own, k]
        factor = (own_products[row] - total) / lengths[own]
        for k in range(rows.shape[1]):
            rows[row, k] += factor * points[own, k]


@njit(cache=True, nogil=True, error_model="numpy")
def keep_first(rows, leaves, owners, signs, threshold):
    """Do what `block_drawer.keep_first` does."""
    num_kept, num_points = 0, leaves.shape[1]
    for row in range(owners.size):
        fires, owner = 0, np.int32(owners[row])
        for point in range(num_points):  # all of them: the compiler turns this into vector instructions
            fires |= 1 if (leaves[row, point] >= threshold) & (np.int32(point) < owner) else 0
        if num_kept < row:
            signs[num_kept] = signs[row]
            for k in range(rows.shape[1]):
                rows[num_kept, k] = rows[row, k]
            for k in range(leaves.shape[1]):
                leaves[num_kept, k] = leaves[row, k]
        num_kept += 1 - fires
    return num_kept


@njit(cache=True, nogil=True, error_model="numpy")
def list_watched(leaves, low, sizes, points, products):
    """List the leaves >= `low` of each row: how many, their points and what they are; return how many in all.

    One place more than is needed is written: what is too small is overwritten.
    """
    num_pairs = 0
    for row in range(leaves.shape[0]):
        first = num_pairs
        for point in range(leaves.shape[1]):
            points[num_pairs], products[num_pairs] = point, leaves[row, point]
            num_pairs += 1 if leaves[row, point] >= low else 0
        sizes[row] = num_pairs - first
    return num_pairs


def warm_up() -> None:
    """Compile the loops, or load them from disk, for the types they are called with."""
    none, one, bits, left = np.empty(0), np.empty((1, 1)), np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
    quick(bits, none, np.empty(1, dtype=np.int64))
    settle(bits, none, left, none)
    move_along(np.empty((0, 1)), one, one[0], left, none)
    keep_first(np.empty((0, 1)), np.empty((0, 1)), left, np.empty(0, dtype=np.int8), 0.0)
    list_watched(np.empty((0, 1)), 0.0, np.empty(0, dtype=np.int16), np.empty(1, dtype=np.int16), none)

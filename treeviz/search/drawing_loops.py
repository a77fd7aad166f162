"""Compiled loops that draw the neurons that fire; importing this module imports numba (see `compiled.load_loops`).

They do what `normal_numbers` and `firing_network` do in NumPy, with the same bits: nothing is summed in another order,
and every product is rounded before it is added.
"""

import numpy as np
from numba import njit

from treeviz.model.types import Floats, Ints
from treeviz.search.normal_numbers import LIMITS, WIDTHS, Bits


@njit(cache=True, nogil=True, error_model="numpy")
def _quick(bits, widths, limits, values, left):
    num_left = 0
    for place in range(bits.size):
        layer = np.int64(bits[place] & np.uint64(255))
        value = (np.float64(np.int64(bits[place]) >> 11) + 0.5) * widths[layer]
        values[place], left[num_left] = value, place
        num_left += 1 if abs(value) >= limits[layer] else 0  # no branch: what is done is overwritten
    return num_left


def quick(bits: Bits) -> tuple[Floats, Ints]:
    """Return the numbers that bits stand for, and the places of those that are not done."""
    values, left = np.empty(bits.size), np.empty(bits.size + 1, dtype=np.int64)
    return values, left[: _quick(bits, WIDTHS, LIMITS, values, left)]


@njit(cache=True, nogil=True, error_model="numpy")
def move_along(rows, points, lengths, owners, own_products):
    """Do what `firing_network.move_along` does."""
    for row in range(owners.size):
        own, total = owners[row], 0.0
        for k in range(rows.shape[1]):
            total += rows[row, k] * points[own, k]
        factor = (own_products[row] - total) / lengths[own]
        for k in range(rows.shape[1]):
            rows[row, k] += factor * points[own, k]


@njit(cache=True, nogil=True, error_model="numpy")
def is_first(leaves, owners, threshold):
    """Return which rows have no leaf >= `threshold` before their owner's."""
    kept = np.empty(owners.size, dtype=np.bool_)
    for row in range(owners.size):
        fires = 0
        for point in range(owners[row]):
            fires |= 1 if leaves[row, point] >= threshold else 0
        kept[row] = fires == 0
    return kept


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
    quick(np.empty(0, dtype=np.uint64))
    none, one = np.empty(0), np.empty((1, 1))
    move_along(np.empty((0, 1)), one, one[0], np.empty(0, dtype=np.int64), none)
    is_first(np.empty((0, 1)), np.empty(0, dtype=np.int64), 0.0)
    list_watched(np.empty((0, 1)), 0.0, np.empty(0, dtype=np.int16), np.empty(1, dtype=np.int16), none)

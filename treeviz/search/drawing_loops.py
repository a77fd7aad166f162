"""Compiled loops that draw the neurons that fire; importing this module imports numba (see `compiled.load_loops`).

They do what `block_drawer` does in NumPy, with the same bits: numba draws from NumPy's generators, in the same order;
nothing is summed in another order, and every product is rounded before it is added.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from treeviz.model.types import Floats, Ints
from treeviz.search.block_drawer import tail_rate


@njit(cache=True, nogil=True, error_model="numpy")
def _draw_proposals(generator, points, lengths, threshold, rate, rows, owners, signs):
    count, num_points, rank = owners.size, points.shape[0], points.shape[1]
    own_products, pending = np.empty(count), np.arange(count)
    for row in range(count):
        choice = np.int64(generator.random() * (2 * num_points))
        owners[row], signs[row] = choice >> 1, 2 * (choice & 1) - 1
    num_pending = count
    while num_pending:
        num_rejected = 0
        for row in pending[:num_pending]:
            value = threshold + generator.standard_exponential() / rate
            is_rejected = (value - rate) * (value - rate) > 2.0 * generator.standard_exponential()
            own_products[row], pending[num_rejected] = value, row
            num_rejected += 1 if is_rejected else 0
        num_pending = num_rejected
    for row in range(count):
        own, total = owners[row], 0.0
        for k in range(rank):
            rows[row, k] = generator.standard_normal()
            total += rows[row, k] * points[own, k]
        factor = (own_products[row] - total) / lengths[own]
        for k in range(rank):
            rows[row, k] += factor * points[own, k]


def draw_proposals(
    generator: np.random.Generator, points: Floats, lengths: Floats, threshold: float, rows: Floats
) -> tuple[Ints, NDArray[np.int8]]:
    """Do what `block_drawer.draw_proposals` does."""
    owners, signs = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int8)
    _draw_proposals(generator, points, lengths, threshold, tail_rate(threshold), rows, owners, signs)
    return owners, signs


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
    none, one, left = np.empty((0, 1)), np.ones((1, 1)), np.empty(0, dtype=np.int64)
    draw_proposals(np.random.Generator(np.random.PCG64DXSM(0)), one, one[0], 0.0, none)
    keep_first(none, none, left, np.empty(0, dtype=np.int8), 0.0)
    list_watched(none, 0.0, np.empty(0, dtype=np.int16), np.empty(1, dtype=np.int16), np.empty(0))

"""Normal numbers from random bits, several times as fast as NumPy draws them, with the same bits in both paths.

The area under f(x) = exp(-x^2 / 2), x >= 0, is cut into 256 layers of the same size (the ziggurat of Marsaglia and
Tsang, 2000). Layer i > 0 lies between the heights f(x_i) and f(x_{i+1}) and is at most x_i wide; layer 0 is the rest,
the tail beyond x_1 included. A number is a layer at random and a place in its rectangle at random. If the place is not
beyond x_{i+1}, it is under the curve: 98.6 % of the numbers are done, by a multiplication and a comparison. That part
is compiled where there is a compiler. What is left is done in NumPy in both paths: the tail by the inverse of the
distribution function, the edge of a layer by a height at random, and what is above the curve is drawn anew.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from treeviz.model.types import Floats, Ints

Bits = NDArray[np.uint64]
# Returns numbers from their bits, and the places of those that are not done.
Quick = Callable[[Bits], tuple[Floats, Ints]]

_NUM_LAYERS, _MOST_BITS = 256, (1 << 64) - 1
_TAIL = 3.654152885361009  # x_1: with it, and no other, 256 layers of the same size end at the top of the curve


def _edges() -> Floats:
    """Return x_0 .. x_256: x_0 is how wide a rectangle as high as layer 0 would be, and x_256 = 0."""
    heights, edges = [math.exp(-0.5 * _TAIL**2)], [0.0, _TAIL]
    size = _TAIL * heights[0] + math.sqrt(math.pi / 2) * math.erfc(_TAIL / math.sqrt(2))
    edges[0] = size / heights[0]
    while len(edges) < _NUM_LAYERS:
        heights.append(heights[-1] + size / edges[-1])
        edges.append(math.sqrt(-2.0 * math.log(heights[-1])))
    return np.array([*edges, 0.0])


_EDGES = _edges()
_HEIGHTS = np.exp(-0.5 * _EDGES**2)
# What 53 random bits and a half are multiplied by in each layer, and below what the number is done.
WIDTHS, LIMITS = _EDGES[:-1] * 2.0**-52, _EDGES[1:].copy()
_TAIL_CHANCE = float(ndtr(-_TAIL))


def quick_in_numpy(bits: Bits) -> tuple[Floats, Ints]:
    """Do what `drawing_loops.quick` does: 8 bits choose the layer, and 53 others the place, its sign included."""
    layers = (bits & np.uint64(_NUM_LAYERS - 1)).astype(np.intp)
    values = ((bits.view(np.int64) >> 11) + 0.5) * WIDTHS[layers]
    return values, np.flatnonzero(np.abs(values) >= LIMITS[layers])


def normal_numbers(generator: np.random.Generator, size: int, quick: Quick = quick_in_numpy) -> Floats:
    """Draw independent normal numbers, (size,)."""
    bits = generator.integers(0, _MOST_BITS, size, dtype=np.uint64, endpoint=True)
    values, left = quick(bits)
    if not left.size:
        return values
    layers = (bits[left] & np.uint64(_NUM_LAYERS - 1)).astype(np.intp)
    own, uniform = values[left], 1.0 - generator.random(left.size)
    is_tail = layers == 0
    own[is_tail] = np.copysign(-ndtri(uniform[is_tail] * _TAIL_CHANCE), own[is_tail])
    values[left] = own
    low, high = _HEIGHTS[layers], _HEIGHTS[layers + 1]
    is_above = ~is_tail & (low + uniform * (high - low) > np.exp(-0.5 * own**2))
    above = left[is_above]
    values[above] = normal_numbers(generator, above.size, quick)
    return values

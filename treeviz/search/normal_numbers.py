"""Normal numbers from random bits, several times as fast as NumPy draws them, with the same bits in both paths.

The area under f(x) = exp(-x^2 / 2), x >= 0, is cut into 256 layers of the same size (the ziggurat of Marsaglia and
Tsang, 2000). Layer i > 0 lies between the heights f(x_i) and f(x_{i+1}) and is at most x_i wide; layer 0 is the rest,
the tail beyond x_1 included. A number is a layer at random and a place in its rectangle at random. If the place is not
beyond x_{i+1}, it is under the curve: 98.6 % of the numbers are done, by a multiplication and a comparison. That part
is compiled where there is a compiler, and so is what comes next: at the edge of a layer a height at random decides
whether the place is under the curve, and what is above it is drawn anew. The tail is drawn by the inverse of the
distribution function.
"""

import math
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from treeviz.model.types import Floats, Ints

Bits = NDArray[np.uint64]

_NUM_LAYERS = 256
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
HEIGHTS = np.exp(-0.5 * _EDGES**2)
# What 53 random bits and a half are multiplied by in each layer, and below what the number is done.
WIDTHS, LIMITS = _EDGES[:-1] * 2.0**-52, _EDGES[1:].copy()
_TAIL_CHANCE = float(ndtr(-_TAIL))


def quick(bits: Bits, values: Floats, left: Ints) -> int:
    """Write the numbers that bits stand for, and the places of those that are not done to `left`; return how many.

    8 bits choose the layer, and 53 others the place in it, its sign included.
    """
    layers = (bits & np.uint64(_NUM_LAYERS - 1)).astype(np.intp)
    np.multiply((bits.view(np.int64) >> 11) + 0.5, WIDTHS[layers], out=values)
    places = np.flatnonzero(np.abs(values) >= LIMITS[layers])
    left[: places.size] = places
    return places.size


def settle(bits: Bits, values: Floats, left: Ints, uniform: Floats) -> tuple[Ints, Ints]:
    """Return which of the numbers that are left are in the tail, and which are above the curve.

    `uniform` (left.size,), in (0, 1], says how high each is between the bottom and the top of its layer.
    """
    # The exponential of the C library: the compiled loop has it, too, and NumPy's may have other bits.
    curve = np.array([math.exp(-0.5 * value * value) for value in values[left].tolist()])
    layers = (bits[left] & np.uint64(_NUM_LAYERS - 1)).astype(np.intp)
    low, high = HEIGHTS[layers], HEIGHTS[layers + 1]
    is_tail = layers == 0
    return is_tail.nonzero()[0], (~is_tail & (low + uniform * (high - low) > curve)).nonzero()[0]


class NormalNumbers:
    """Draws normal numbers into arrays; one for each thread, since it keeps the room that it works in.

    With the module of compiled loops, `drawing_loops`, it is several times as fast.
    """

    def __init__(self, loops: ModuleType | None = None) -> None:
        self._quick = loops.quick if loops else quick
        self._settle = loops.settle if loops else settle
        self._left = np.empty(1, dtype=np.int64)

    def fill(self, generator: np.random.Generator, values: Floats) -> None:
        """Write independent normal numbers to `values`, (size,)."""
        bits = generator.bit_generator.random_raw(values.size)
        if self._left.size <= values.size:
            self._left = np.empty(values.size + 1, dtype=np.int64)  # one place more than is needed
        left = self._left[: self._quick(bits, values, self._left)]
        if not left.size:
            return
        uniform = 1.0 - generator.random(left.size)
        tails, above = self._settle(bits, values, left, uniform)
        places = left[tails]
        values[places] = np.copysign(-ndtri(uniform[tails] * _TAIL_CHANCE), values[places])
        places = left[above]
        if places.size:
            again = np.empty(places.size)
            self.fill(generator, again)
            values[places] = again

"""Drawing the neurons of a block that fire: proposals on the condition that they fire on one datapoint, and a choice.

What is drawn, and why its law is that of a full draw, is in `firing_network`.
"""

import math
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from treeviz.model.network import firing_probability
from treeviz.model.streams import LongStretches, Stream
from treeviz.model.types import Floats, Ints

# Numbers for which room is made at a time: NumPy asks the system for large pages from this size on.
_ROOM = 1 << 19


def proposal_chance(num_points: int, threshold: float) -> float:
    """Return n p: the chance that a neuron is a proposal, as long as that is at most 1."""
    return num_points * firing_probability(threshold)


def tail(generator: np.random.Generator, count: int, threshold: float) -> Floats:
    """Draw normal numbers, (count,), on the condition that they are at least b >= 0, by rejection.

    Each is b plus an exponential number of the mean 1 / a, accepted with the chance exp(-(t - a)^2 / 2): at least 0.76
    of them are, more the larger b is (Robert, "Simulation of truncated normal variables", 1995).
    """
    rate = tail_rate(threshold)
    values, pending = np.empty(count), np.arange(count)
    while pending.size:
        steps = generator.standard_exponential((pending.size, 2))
        proposed = threshold + steps[:, 0] / rate
        values[pending] = proposed
        pending = pending[np.square(proposed - rate) > 2.0 * steps[:, 1]]
    return values


def tail_rate(threshold: float) -> float:
    """Return a, the rate at which most proposals of `tail` are accepted."""
    return 0.5 * (threshold + math.sqrt(threshold * threshold + 4.0))


def move_along(rows: Floats, points: Floats, lengths: Floats, owners: Ints, own_products: Floats) -> None:
    """Move each row along its owner, in place, until their product is the one given; squared `lengths` of the points.

    Products are summed one by one, as the compiled loop does, which gives the same bits.
    """
    own = points[owners]
    totals = np.zeros(owners.size)
    for k in range(points.shape[1]):
        totals += rows[:, k] * own[:, k]
    rows += ((own_products - totals) / lengths[owners])[:, None] * own


def draw_proposals(
    generator: np.random.Generator, points: Floats, lengths: Floats, threshold: float, rows: Floats
) -> tuple[Ints, NDArray[np.int8]]:
    """Draw neurons that fire on a datapoint chosen at random, their owner; return owners and signs, (count,) each.

    Their coordinates are written to `rows`, (count, r); `lengths`, (n,), are the squared ones of the points.
    """
    choices = (generator.random(len(rows)) * (2 * len(points))).astype(np.int64)  # of a datapoint and a sign
    owners, signs = choices >> 1, (2 * (choices & 1) - 1).astype(np.int8)
    own_products = tail(generator, len(rows), threshold)
    generator.standard_normal(out=rows)
    move_along(rows, points, lengths, owners, own_products)
    return owners, signs


def keep_first(rows: Floats, leaves: Floats, owners: Ints, signs: NDArray[np.int8], threshold: float) -> int:
    """Move the neurons that fire on no datapoint before their owner to the front, in place, and return their number.

    On its owner each fires as it was drawn, though its product may be less by round-off.
    """
    fires = leaves >= threshold
    fires[np.arange(owners.size), owners] = True
    kept = np.flatnonzero(fires.argmax(axis=1) == owners)
    for array in (rows, leaves, signs):
        array[: kept.size] = array[kept]
    return kept.size


class Block(NamedTuple):
    """The neurons of a block that fire: coordinates (k, r), leaves (k, n) and signs (k,) of -1 or 1."""

    rows: Floats
    leaves: Floats
    signs: NDArray[np.int8]


class BlockDrawer:
    """Draws blocks of a network, in any order; one for each thread, since it has room of its own to work in.

    Parameters
    ----------
    points : (n, r) the datapoints in the coordinates that are drawn.
    seed, width, threshold : of the network.
    block_size : neurons of a block, of which those that fire are drawn.
    loops : the module `drawing_loops`, or None: the same bits, several times slower.
    keeps : whether the coordinates of a block stay as they are when the next one is drawn.
    """

    def __init__(
        self,
        points: Floats,
        seed: int,
        width: int,
        threshold: float,
        block_size: int,
        loops: ModuleType | None,
        *,
        keeps: bool,
    ) -> None:
        self._points, self._columns = points, np.ascontiguousarray(points.T)
        self._lengths = np.einsum("ir,ir->i", points, points)
        self._width, self._threshold, self._block_size = width, threshold, block_size
        self._chance = proposal_chance(len(points), threshold)
        self._stretches = LongStretches(seed, Stream.FIRING)
        self._draw_proposals = loops.draw_proposals if loops else draw_proposals
        self._keep_first = loops.keep_first if loops else keep_first
        self._keeps, self._num_used = keeps, 0  # numbers of `_rows` that are not to be overwritten
        self._rows, self._leaves = np.empty(0), np.empty(0)

    def draw(self, block: int) -> Block:
        """Draw a block; the next one takes the place of its leaves, and of its coordinates if they are not kept."""
        points, threshold = self._points, self._threshold
        num_points, rank = points.shape
        generator = self._stretches.at(block)
        count = int(generator.binomial(min(self._block_size, self._width - block * self._block_size), self._chance))
        if self._rows.size - self._num_used < count * rank:
            self._rows, self._num_used = np.empty(max(_ROOM, count * rank)), 0
        if self._leaves.size < count * num_points:
            self._leaves = np.empty(count * num_points * 9 // 8)
        rows = self._rows[self._num_used :][: count * rank].reshape(count, rank)
        leaves = self._leaves[: count * num_points].reshape(count, num_points)
        owners, signs = self._draw_proposals(generator, points, self._lengths, threshold, rows)
        np.matmul(rows, self._columns, out=leaves)
        kept = slice(self._keep_first(rows, leaves, owners, signs, threshold))
        if self._keeps:
            self._num_used += rows[kept].size
        return Block(rows[kept], leaves[kept], signs[kept])

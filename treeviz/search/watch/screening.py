"""Finding the pairs to watch: one pass over the weights, or a query of the forest at a lowered threshold.

Three ways to the same lists (algorithm.md §6). `pairs_from_blocks` computes every inner product in double precision.
`pairs_from_forest` asks trees that answer any threshold. `pairs_from_stream` is the fast one: it goes through the
weights in several threads, sorts out what is far too small by a product in single precision, whose error is bounded,
and computes the rest in double precision. None keeps more than the pairs found and a block of weights a thread.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.infinite_width import both_fire_probability
from treeviz.model.ledger import Stopwatch
from treeviz.model.network import BLOCK_ROWS, InitialNetwork, leaf_blocks
from treeviz.model.types import Floats, Ints
from treeviz.search.compiled import load_loops, map_spans, one_blas_thread
from treeviz.search.firing_network import FiringNetwork, expected_proposals
from treeviz.search.forest.trees import Forest
from treeviz.search.watch.round_off import LARGEST_NORMAL
from treeviz.search.watch.skin import suggest_skin

# The error bound of a product in single precision up to which it sorts out nearly as much as an exact one.
_LARGEST_MARGIN = 0.05
# From this many inner products on, compiled loops are worth loading. And the bytes of a block of weights.
LARGE_PRODUCTS, _BLOCK_BYTES = 1 << 22, 1 << 19

# Of the memory that `drawn_bytes` tells, what is the same whatever the width.
FIXED_BYTES = 1 << 28

Blocks = Iterable[tuple[int, Floats]]
# How many pairs of each neuron of a block are watched, their points and their products.
Piece = tuple[NDArray[np.int16], NDArray[np.int16], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class WatchedPairs:
    """The pairs (r, i) with z_ri >= `low` of the neurons with some z_ri >= `high`, grouped by neuron.

    Attributes
    ----------
    neurons : (u,) those neurons, ascending.
    indptr, points : row pointers (u + 1,) and datapoints (P,), ascending for each neuron.
    products : (P,) their inner products z_ri.
    """

    neurons: Ints
    indptr: Ints
    points: NDArray[np.int32]
    products: Floats

    @classmethod
    def joined(cls, pieces: Sequence[tuple[Ints, Ints, NDArray[np.integer], Floats]]) -> "WatchedPairs":
        """Put together pieces `(neurons, pairs of each, points, products)`, in ascending order of neurons."""
        neurons, sizes, points, products = zip(*pieces, strict=True)
        indptr = np.append(0, np.cumsum(np.concatenate(sizes), dtype=np.int64))
        return cls(
            np.concatenate(neurons, dtype=np.int64),
            indptr,
            np.concatenate(points, dtype=np.int32, casting="same_kind"),
            np.concatenate(products),
        )


class DrawnBlocks:
    """The initial weights of a network as `pairs_from_stream` wants them; says how long drawing took."""

    def __init__(self, network: InitialNetwork) -> None:
        self._network = network
        self._watches: list[Stopwatch] = []

    def __call__(self, first: int, last: int, block_rows: int) -> Iterator[tuple[int, Floats]]:
        """Yield the weights of neurons first..last - 1 in blocks; may be called in several threads."""
        watch = Stopwatch()
        self._watches.append(watch)
        return watch.over(self._network.weight_blocks(block_rows=block_rows, first=first, last=last))

    @property
    def seconds(self) -> float:
        """Seconds spent drawing, by the clock on the wall: the mean over the threads that drew at the same time."""
        return sum(watch.seconds for watch in self._watches) / max(1, len(self._watches))


def find_pairs(network: InitialNetwork, X: Floats, draw: DrawnBlocks, low: float, high: float) -> WatchedPairs:
    """Find the pairs of a network in the fastest way: while it is drawn, or by a pass over its weights."""
    if isinstance(network, FiringNetwork):
        return pairs_while_drawn(network, low)
    return pairs_from_stream(X, network.num_drawn, draw, low, high)


def drawn_bytes(data: Dataset, config: TrainConfig) -> int:
    """Return the memory that lists of a network need of which only the neurons that fire are drawn, about.

    Watched are at most the pairs of a neuron and two datapoints, the same one twice included, on which it reaches
    b - skin. Cost: that of the skin's rule, and n^2 probabilities.
    """
    X, threshold = data.X, config.resolved_threshold
    skin = suggest_skin(X, data.y, threshold, config.width) if config.skin is None else config.skin
    neurons = expected_proposals(config.width, len(X), threshold)
    pairs = neurons * len(X)
    if skin < threshold:
        chances = both_fire_probability(np.clip(data.gram, -1.0, 1.0), threshold - skin)
        pairs = min(pairs, config.width * float(chances.sum()))
    return int(60 * neurons + 26 * pairs) + FIXED_BYTES


def pairs_while_drawn(network: FiringNetwork, low: float) -> WatchedPairs:
    """Find the pairs of neurons all of which fire, as they are drawn. Cost: k n comparisons for k neurons."""

    def begin() -> Callable[[Floats], Piece]:
        points, products = np.empty(0, dtype=np.int16), np.empty(0)

        def look(leaves: Floats) -> Piece:
            nonlocal points, products
            if loops is None:
                is_watched = leaves >= low
                places = np.nonzero(is_watched)[1].astype(np.int16)
                return np.count_nonzero(is_watched, axis=1).astype(np.int16), places, leaves[is_watched]
            if points.size <= leaves.size:  # room for all pairs, kept for the next block
                points, products = np.empty(leaves.size + 1, dtype=np.int16), np.empty(leaves.size + 1)
            sizes = np.empty(len(leaves), dtype=np.int16)
            num_pairs = loops.list_watched(leaves, low, sizes, points, products)
            return sizes, points[:num_pairs].copy(), products[:num_pairs].copy()

        return look

    loops = network.loops
    pieces = network.gather(begin)
    sizes, points, products = map(list, zip(*pieces, strict=True))
    del pieces  # what has been put together is let go of
    indptr = np.zeros(network.num_drawn + 1, dtype=np.int64)
    np.cumsum(np.concatenate(sizes), out=indptr[1:])
    all_points = np.concatenate(points, dtype=np.int32)
    del sizes, points
    return WatchedPairs(np.arange(network.num_drawn), indptr, all_points, np.concatenate(products))


def pairs_from_blocks(X: Floats, weight_blocks: Blocks, low: float, high: float) -> WatchedPairs:
    """Find the pairs from the weights, in blocks `(first_neuron, rows)`. Cost: m * n * d, in double precision."""
    pieces = []
    for first, rows in leaf_blocks(X, weight_blocks):
        kept = np.flatnonzero(rows.max(axis=1) >= high)
        is_watched = rows[kept] >= low
        owners, points = np.nonzero(is_watched)
        pieces.append((first + kept, is_watched.sum(axis=1), points, rows[kept[owners], points]))
    return WatchedPairs.joined(pieces)


def pairs_from_forest(forest: Forest, low: float, high: float) -> WatchedPairs:
    """Find the pairs by searching the trees of a forest, once, for `low`. Cost: that of the query."""
    found = forest.query_all(low)
    neurons, indptr, products = found.firing.neurons, found.firing.indptr, found.products
    is_kept = np.array([], dtype=bool)
    if neurons.size:
        is_kept = np.maximum.reduceat(products, indptr[:-1]) >= high
    pairs, sizes = np.repeat(is_kept, found.firing.degrees), found.firing.degrees[is_kept]
    return WatchedPairs.joined([(neurons[is_kept], sizes, found.firing.points[pairs], products[pairs])])


def pairs_from_stream(
    X: Floats, width: int, draw: Callable[[int, int, int], Blocks], low: float, high: float
) -> WatchedPairs:
    """Find the pairs in several threads; `draw(first, last, block_rows)` yields the weights of a span of neurons.

    The product of d terms in single precision, its factors rounded to it first, is off by at most
    (d + 4) 2^-24 sum_k |w_k x_k|, and that sum is at most ||w|| <= 14 sqrt(d). Where this is too much, where there is
    no compiler, or where the network is too small for one, everything is done in double precision.

    Cost: m * n * d in single precision, and d for each pair that may be one.
    """
    num_points, dimension = X.shape
    block_rows = max(64, _BLOCK_BYTES // (8 * dimension))
    margin = (dimension + 4) * 2.0**-24 * LARGEST_NORMAL * dimension**0.5
    is_large = width * num_points >= LARGE_PRODUCTS and margin <= _LARGEST_MARGIN
    loops = load_loops("watch.loops") if is_large else None
    if loops is None:
        return pairs_from_blocks(X, draw(0, width, BLOCK_ROWS), low, high)
    rounded_points = np.ascontiguousarray(X.T, dtype=np.float32)
    stop = threading.Event()

    def screen(part: int, first: int, last: int) -> list[tuple[Ints, Ints, NDArray[np.int32], Floats]]:
        rounded = np.empty((block_rows, dimension), dtype=np.float32)
        products = np.empty((block_rows, num_points), dtype=np.float32)
        neurons, sizes = np.empty(block_rows, dtype=np.int64), np.empty(block_rows, dtype=np.int64)
        points, values = np.empty(products.size + 1, dtype=np.int32), np.empty(products.size + 1)
        pieces = []
        for start, rows in _until(stop, draw(first, last, block_rows)):
            block = slice(0, len(rows))
            np.copyto(rounded[block], rows, casting="same_kind")
            with np.errstate(invalid="ignore"):  # as in `model.masks`
                np.matmul(rounded[block], rounded_points, out=products[block])
            num_neurons, num_pairs = loops.screen(
                products[block], rows, X, low, high, margin, neurons, sizes, points, values
            )
            pieces.append(
                (
                    neurons[:num_neurons] + start,
                    sizes[:num_neurons].copy(),
                    points[:num_pairs].copy(),
                    values[:num_pairs].copy(),
                )
            )
        return pieces

    with one_blas_thread():  # the threads are ours here
        parts = map_spans(screen, width, stop)
    empty = np.empty(0, dtype=np.int64)
    return WatchedPairs.joined([(empty, empty, empty, np.empty(0)), *(piece for part in parts for piece in part)])


def _until(stop: threading.Event, blocks: Blocks) -> Iterator[tuple[int, Floats]]:
    """Pass blocks on until `stop` is set."""
    for block in blocks:
        if stop.is_set():
            return
        yield block

"""A network of which only the neurons that fire are drawn, in time that grows with their number, not with m.

A neuron that fires on no datapoint at the start never moves and never fires (algorithm.md §5.1), so it need not be
drawn. What is drawn here has exactly the law of the neurons of a full draw that fire somewhere. Let
p = Pr[N(0, 1) >= b], with n p <= 1. Of each neuron, independently:

* with the chance 1 - n p it is *quiet*: it is not looked at;
* otherwise it is a *proposal*. A datapoint i is chosen at random, and w ~ N(0, I) is drawn on the condition that
  w . x_i >= b. It is kept if i is the first datapoint on which it fires, and is quiet if it fires on an earlier one.

A neuron of a full draw fires first on i with the chance p Pr[none before i fires | i fires]; here it is kept for i with
the chance n p (1 / n) Pr[none before i fires | i fires], the same, and its weights have the same law in either case
(algorithm.md §8).
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from treeviz.model.ledger import Stopwatch
from treeviz.model.network import BLOCK_ROWS, Deviation, InitialNetwork
from treeviz.model.streams import Stream, Stretches, random_stream
from treeviz.model.types import Floats, Ints
from treeviz.search.block_drawer import BlockDrawer, proposal_chance
from treeviz.search.compiled import load_loops, map_spans, one_blas_thread

T = TypeVar("T")
# Proposals expected in a block of neurons, at most. Never change it: a seed would then stand for another network.
_PROPOSALS = 8192
# Coordinates of the drawn neurons are kept up to this many bytes, else drawn again when they are asked for.
_MAX_KEPT_BYTES = 1 << 28
# Proposals that are worth loading a compiler.
_LARGE_PROPOSALS = 1 << 15
_LARGE_DRAW = 4  # blocks that are worth a second thread


def expected_proposals(width: int, num_points: int, threshold: float) -> float:
    """Return m n p, the number of neurons that are drawn on average before those that fire earlier are left out."""
    return width * proposal_chance(num_points, threshold)


class FiringNetwork(InitialNetwork):
    """The neurons of a network that fire on at least one datapoint at the start; the others are quiet.

    Where d > n the inner products depend only on the part of w in the span of the datapoints. That part is drawn in n
    coordinates. The rest comes from a stream of its own, neuron by neuron, when weights are asked for.

    Parameters
    ----------
    X : (n, d) datapoints of unit length.
    seed, width, threshold : of the network; with X they determine it, whatever the number of threads.
    part : (k, of), the k-th of so many parts of the network, from 0 on. Its neurons are numbered from 0 on, in the
        order of the whole network. Where d > n, weights are asked for with `first_neuron`.

    Attributes
    ----------
    first_neuron : how many neurons the parts before this one have; who knows it sets it.

    Raises
    ------
    ValueError
        If n p > 1; or, when the network is first asked for, if no neuron fires.

    Notes
    -----
    Cost: m n p (min(d, n) (1 + n)) numbers drawn and multiply-adds, once; again for every pass over more than
    `_MAX_KEPT_BYTES` of coordinates. Memory: those, and one byte a neuron.
    """

    def __init__(self, X: Floats, seed: int, width: int, threshold: float, *, part: tuple[int, int] = (0, 1)) -> None:
        chance = proposal_chance(len(X), threshold)
        if chance > 1:
            raise ValueError(f"n p = {chance:.3g} is more than 1: draw all neurons")
        self.width, self._X, self._seed, self._threshold = width, X, seed, threshold
        self._basis: Floats | None = None  # (d, n): orthonormal columns that span the datapoints
        self._points = X  # (n, r): the datapoints in the coordinates that are drawn
        if X.shape[1] > len(X):
            self._basis, triangle = np.linalg.qr(X.T)
            self._points = np.ascontiguousarray(triangle.T)
        self._is_compiled = chance * width >= _LARGE_PROPOSALS
        if self._is_compiled:
            load_loops("drawing_loops")  # now: loading a compiler is charged to no method
        size = width if chance * width <= _PROPOSALS else max(1, int(_PROPOSALS / chance))
        self._block_size = 1 << (size.bit_length() - 1)
        self.num_blocks = -(-width // self._block_size)  # of the whole network
        self._blocks = range(*(self.num_blocks * place // part[1] for place in (part[0], part[0] + 1)))
        self._is_part, self.first_neuron = part[1] > 1, 0
        self.draw_seconds = 0.0
        self._drawn: _Drawn | None = None
        self._known: tuple[int, float] | None = None

    def know(self, num_drawn: int, sum_of_drawn_signs: float) -> None:
        """Take in what others have drawn, so that these numbers can be told without drawing here."""
        self._known = num_drawn, sum_of_drawn_signs

    def gather(self, begin: Callable[[], Callable[[Floats], T]]) -> list[T]:
        """Draw the network block by block, in threads, and return what is seen of the leaves of each, (k, n).

        `begin` is called in each thread. What it returns is called with the leaves, which the next block overwrites.
        """
        expected = expected_proposals(self.width, len(self._X), self._threshold)
        keeps = 8 * expected * self._points.shape[1] <= _MAX_KEPT_BYTES
        num_blocks = len(self._blocks)
        start, stop = time.perf_counter(), threading.Event()
        with one_blas_thread():  # the threads are ours here
            parts = map_spans(
                lambda _, first, last: self._draw_span(first, last, begin(), stop, keeps=keeps),
                num_blocks,
                stop,
                is_large=num_blocks >= _LARGE_DRAW,
            )
        looking = sum(part.look_seconds for part in parts) / len(parts)  # threads look at the same time
        self.draw_seconds += time.perf_counter() - start - looking
        counts = np.concatenate([part.counts for part in parts])
        if not self._is_part:
            self.require_neurons(int(counts.sum()))
        signs = np.concatenate([part.signs for part in parts])
        kept = [rows for part in parts for rows in part.kept] if keeps else None
        self._drawn = _Drawn(np.append(0, np.cumsum(counts)), _Signs(signs), kept)
        return [seen for part in parts for seen in part.seen]

    def require_neurons(self, num_drawn: int) -> None:
        """Raise ValueError if no neuron of the network fires."""
        if not num_drawn:
            raise ValueError(
                f"none of the {self.width:,} neurons fires on a datapoint at the threshold {self._threshold:.4g}, so "
                "there is nothing to draw and nothing to train: choose a lower threshold or more neurons"
            )

    @property
    def loops(self) -> ModuleType | None:
        """The compiled loops, if the network is large enough for them; a module is no part of a copy."""
        return load_loops("drawing_loops") if self._is_compiled else None

    def _drawer(self, *, keeps: bool = False) -> BlockDrawer:
        rest = self._threshold, self._block_size, self.loops
        return BlockDrawer(self._points, self._seed, self.width, *rest, keeps=keeps)

    @property
    def _found(self) -> "_Drawn":
        """What was drawn; all that is asked for before `gather` draws the network."""
        if self._drawn is None:
            self.gather(lambda: lambda leaves: None)
        assert self._drawn is not None
        return self._drawn

    @property
    def num_drawn(self) -> int:  # type: ignore[override]
        """Neurons drawn and kept."""
        return int(self._found.firsts[-1]) if self._known is None else self._known[0]

    @property
    def signs(self) -> "_Signs":  # type: ignore[override]
        """Their signs."""
        return self._found.signs

    def _draw_span(
        self, first: int, last: int, look: Callable[[Floats], T], stop: threading.Event, *, keeps: bool
    ) -> "_Part[T]":
        """Draw blocks first..last - 1, until `stop` is set."""
        drawer, counts = self._drawer(keeps=keeps), np.zeros(last - first, dtype=np.int64)
        signs, kept, seen, look_seconds = [np.empty(0, dtype=np.int8)], [], [], 0.0
        for place in range(last - first):
            if stop.is_set():
                break
            block = drawer.draw(self._blocks[first + place])
            counts[place] = block.signs.size
            signs.append(block.signs)
            if keeps:
                kept.append(block.rows)
            start = time.perf_counter()
            seen.append(look(block.leaves))
            look_seconds += time.perf_counter() - start
        return _Part(counts, np.concatenate(signs), kept, seen, look_seconds)

    def sum_of_signs(self) -> float:
        """Add the signs drawn, and draw how many of the others are positive."""
        num_quiet = self.width - self.num_drawn
        positive = random_stream(self._seed, Stream.QUIET_SIGNS).binomial(num_quiet, 0.5)
        return self.sum_of_drawn_signs() + 2.0 * positive - num_quiet

    def sum_of_drawn_signs(self) -> float:
        """Add the signs drawn."""
        return float(np.sum(np.asarray(self.signs))) if self._known is None else self._known[1]

    def _coordinate_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield the coordinates of all drawn neurons, block by block as they were drawn; the next overwrites them."""
        drawer, kept = self._drawer(), self._found.kept
        for place, first in enumerate(self._found.firsts[:-1].tolist()):
            yield first, drawer.draw(self._blocks[place]).rows if kept is None else kept[place]

    def _coordinates(self, neurons: Ints) -> Floats:
        """Return the coordinates of some neurons, (u, r)."""
        chosen, kept = np.empty((neurons.size, self._points.shape[1])), self._found.kept
        drawer = self._drawer()
        for place, places, rows in self._by_block(neurons):
            whole = drawer.draw(self._blocks[place]).rows if kept is None else kept[place]
            chosen[places] = whole[rows]
        return chosen

    def _by_block(self, neurons: Ints) -> Iterator[tuple[int, Ints, Ints]]:
        """Yield the place in `_blocks` of every block in which some of `neurons` lie, and theirs in both arrays."""
        firsts = self._found.firsts
        blocks = firsts.searchsorted(neurons, side="right") - 1
        for block in np.unique(blocks).tolist():
            places = np.flatnonzero(blocks == block)
            yield block, places, neurons[places] - firsts[block]

    def _whole(self, coordinates: Floats, neurons: Ints) -> Floats:
        """Return the weights, (u, d), of neurons from their coordinates."""
        if self._basis is None:
            return coordinates
        stretches, rest = Stretches(self._seed, Stream.FIRING_REST), np.empty((neurons.size, len(self._basis)))
        for row, neuron in zip(rest, neurons.tolist(), strict=True):
            stretches.at(self.first_neuron + neuron).standard_normal(out=row)
        rest -= (rest @ self._basis) @ self._basis.T
        return rest + coordinates @ self._basis.T

    def weight_blocks(
        self, *, block_rows: int = BLOCK_ROWS, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[int, Floats]]:
        """Yield the weights in the blocks in which they were drawn, or in parts of these."""
        last = self.num_drawn if last is None else last
        for start, rows in self._coordinate_blocks():
            for low in range(max(start, first), min(start + len(rows), last), block_rows):
                high = min(low + block_rows, start + len(rows), last)
                yield low, self._whole(rows[low - start : high - start], np.arange(low, high)).copy()

    def leaf_blocks(self, drawing: Stopwatch | None = None) -> Iterator[tuple[int, Floats]]:
        """Yield the inner products; those of a block always come from one product, so they have the same bits."""
        blocks = self._coordinate_blocks()
        for first, rows in blocks if drawing is None else drawing.over(blocks):
            yield first, rows @ self._points.T

    def weights(self, neurons: Ints | None = None) -> Floats:
        """Return the weights of the drawn neurons, (num_drawn, d), or of some of them."""
        neurons = np.arange(self.num_drawn) if neurons is None else neurons
        return np.array(self._whole(self._coordinates(neurons), neurons))

    def leaf_rows(self, neurons: Ints) -> Floats:
        """Return the inner products of some neurons, (u, n)."""
        return self._coordinates(neurons) @ self._points.T

    def numbers(self, neurons: Ints) -> Ints:
        """Return which of the m neurons of the network some drawn neurons are: a random subset of them, ascending."""
        stretches, numbers = Stretches(self._seed, Stream.FIRING_NUMBERS), np.empty(neurons.size, dtype=np.int64)
        counts = np.diff(self._found.firsts)
        for block, places, rows in self._by_block(neurons):
            first = self._blocks[block] * self._block_size
            size = min(self._block_size, self.width - first)
            chosen = np.sort(
                stretches.at(self._blocks[block]).choice(size, int(counts[block]), replace=False, shuffle=False)
            )
            numbers[places] = first + chosen[rows]
        return numbers

    def undrawn_deviation(self, X: Floats, *, knows_sum: bool = False) -> Deviation:
        """Compute it from the law of a quiet neuron; their number is what the drawn ones leave of the m."""
        from treeviz.model.quiet import QuietNeurons  # now: SciPy's statistics take half a second to load

        total = self.sum_of_signs() - self.sum_of_drawn_signs() if knows_sum else None
        with one_blas_thread():  # the same bits whatever the number of threads
            quiet = QuietNeurons(self._X, self._threshold, self._seed)
            return quiet.deviation(X, self.width - self.num_drawn, self.width, total)


@dataclass(frozen=True, slots=True, eq=False)
class _Part(Generic[T]):
    """What one thread drew: by block how many neurons, their signs and coordinates, and what was seen of them."""

    counts: Ints
    signs: NDArray[np.int8]
    kept: list[Floats]
    seen: list[T]
    look_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """What is known once the network is drawn: the first neuron of each block, signs and, unless large, coordinates."""

    firsts: Ints
    signs: "_Signs"
    kept: list[Floats] | None


class _Signs:
    """Signs in a byte each, handed out as numbers."""

    def __init__(self, signs: NDArray[np.int8]) -> None:
        self._signs, self.size = signs, signs.size

    def __getitem__(self, neurons: Ints) -> Floats:
        return self._signs[neurons].astype(np.float64)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Floats:
        return np.array(self._signs, dtype=np.float64 if dtype is None else dtype)

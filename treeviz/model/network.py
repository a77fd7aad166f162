"""The two-layer network: initial weights, threshold, firing sets, and the implicit form of its weights.

    f(x) = (1/sqrt(m)) * sum_r a_r * max(w_r . x - b, 0)                      (algorithm.md §1)

Only `W` is trained. It is never stored by the tree method: the initial rows are redrawn from the seed when they are
needed, and everything training added to them is a combination of datapoints, `W = W(0) + coefficients @ X`.
The other modules see the network through `FiringSets`, the sparse 0/1 matrix "neuron r fires on datapoint i".
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Stopwatch
from treeviz.model.streams import Stream, Stretches
from treeviz.model.types import Floats, Ints

# Rows of W handled at a time, unless asked otherwise; no number depends on it.
BLOCK_ROWS = 16_384
# Numbers drawn from one stretch of a stream's counter. Never change them: a seed would then stand for another network.
_STRETCH_WEIGHTS, _STRETCH_SIGNS = 1 << 12, 1 << 16


def paper_threshold(width: int) -> float:
    """Return the paper's threshold b = sqrt(0.48 ln m) for a network of `width` neurons [paper; algorithm.md §1]."""
    return math.sqrt(0.48 * math.log(width))


def firing_probability(threshold: float) -> float:
    """Return Pr[N(0, 1) >= threshold], the chance that a fresh neuron fires on a unit-length datapoint."""
    return 0.5 * math.erfc(threshold / math.sqrt(2.0))


def output_signs(seed: int, width: int, neurons: Ints | None = None) -> Floats:
    """Draw the untrained second layer: independent signs -1 or +1, of all `width` neurons, (m,), or of ascending ones.

    Memory: what is returned, and one stretch of 65,536 signs.
    """
    stretches = Stretches(seed, Stream.SIGNS)

    def draw(stretch: int) -> NDArray[np.int8]:
        size = min(_STRETCH_SIGNS, width - stretch * _STRETCH_SIGNS)
        return stretches.at(stretch).integers(0, 2, size=size, dtype=np.int8)

    signs = np.empty(width if neurons is None else neurons.size)
    if neurons is None:
        for low in range(0, width, _STRETCH_SIGNS):
            drawn = draw(low // _STRETCH_SIGNS)
            signs[low : low + drawn.size] = drawn
    else:
        for stretch, places in _by_stretch(neurons, _STRETCH_SIGNS):
            signs[places] = draw(stretch)[neurons[places] - stretch * _STRETCH_SIGNS]
    signs *= 2.0
    signs -= 1.0
    return signs


class DrawnSigns:
    """The output signs of a seed, drawn when they are first needed: of some neurons, or of all, which are then kept."""

    def __init__(self, seed: int, width: int) -> None:
        self._seed, self.size = seed, width
        self._all: Floats | None = None

    def __getitem__(self, neurons: Ints) -> Floats:
        """Return the signs of some ascending neurons, (u,)."""
        return output_signs(self._seed, self.size, neurons) if self._all is None else self._all[neurons]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Floats:
        """Return the signs of all neurons, (m,): what `np.asarray` asks for."""
        if self._all is None:
            self._all = output_signs(self._seed, self.size)
        return np.array(self._all, dtype=dtype, copy=copy)


def initial_weight_blocks(
    seed: int, width: int, dimension: int, *, block_rows: int = BLOCK_ROWS, first: int = 0
) -> Iterator[tuple[int, Floats]]:
    """Yield the initial weights W(0) ~ N(0, 1) in blocks `(first_neuron, rows)`, rows of shape (<= block_rows, d).

    The network depends on (seed, width, dimension) alone, not on the size of the blocks or where they begin: with
    `first`, only neurons from there up to `width` are drawn. Each `rows` is overwritten by the next block, so memory is
    one block whatever the width. Cost: m * d normal draws.
    """
    stretches, stretch_rows = Stretches(seed, Stream.WEIGHTS), _stretch_rows(dimension)
    buffer = np.empty((min(block_rows, width - first), dimension))
    for low in range(first, width, block_rows):
        rows, row = buffer[: min(block_rows, width - low)], 0
        while row < len(rows):
            stretch, skipped = divmod(low + row, stretch_rows)
            generator, end = stretches.at(stretch), row + stretch_rows - skipped
            if skipped:
                generator.standard_normal(skipped * dimension)
            generator.standard_normal(out=rows[row:end])
            row = end
        yield low, rows


def initial_weights(seed: int, width: int, dimension: int, neurons: Ints | None = None) -> Floats:
    """Return W(0), (m, d), or only the rows of `neurons`, in their order.

    Cost: m * d normal draws, or at most max(d, 4,096) for each neuron asked for.
    """
    if neurons is None:
        weights = np.empty((width, dimension))
        for first, rows in initial_weight_blocks(seed, width, dimension):
            weights[first : first + len(rows)] = rows
        return weights
    chosen = np.empty((neurons.size, dimension))
    stretches, stretch_rows = Stretches(seed, Stream.WEIGHTS), _stretch_rows(dimension)
    room = np.empty((stretch_rows, dimension))
    for stretch, places in _by_stretch(neurons, stretch_rows):
        offsets = neurons[places] - stretch * stretch_rows
        drawn = room[: offsets.max() + 1]
        stretches.at(stretch).standard_normal(out=drawn)
        chosen[places] = drawn[offsets]
    return chosen


def _stretch_rows(dimension: int) -> int:
    """Rows of W in a stretch: a power of two, so that stretches and blocks begin together."""
    return 1 << max(0, (_STRETCH_WEIGHTS // dimension).bit_length() - 1)


def _by_stretch(neurons: Ints, size: int) -> Iterator[tuple[int, Ints]]:
    """Yield every stretch of `size` neurons in which some of `neurons` lie, with their places in `neurons`."""
    if not neurons.size:
        return
    stretches = neurons // size
    order = np.argsort(stretches, kind="stable")
    firsts = np.flatnonzero(np.diff(stretches[order], prepend=-1))
    for places in np.split(order, firsts[1:]):
        yield int(stretches[places[0]]), places


def leaf_blocks(X: Floats, weight_blocks: Iterable[tuple[int, Floats]]) -> Iterator[tuple[int, Floats]]:
    """Yield Z = W X^T in blocks `(first_neuron, rows)`, rows of shape (<= BLOCK_ROWS, n), overwritten by the next.

    Every user of the initial leaves goes through here with the blocks of `initial_weight_blocks`, so that a tree
    replayed from its seed has the very bits of the tree that was trained. Cost: m * n * d multiply-adds.
    """
    buffer = np.empty((BLOCK_ROWS, X.shape[0]))
    for first, rows in weight_blocks:
        leaves = buffer[: len(rows)]
        np.matmul(rows, X.T, out=leaves)
        yield first, leaves


def outputs_at(
    X: Floats, weight_blocks: Iterable[tuple[int, Floats]], signs: Floats, threshold: float, width: int
) -> Floats:
    """Return f, (q,), on any points of unit length, (q, d), from the weights in blocks `(first_neuron, rows)`.

    `width` is m, of which the weights may be a part: then it is what these neurons add.

    Cost: m * q * d, in pieces of at most BLOCK_ROWS neurons, 64 points of which stay in cache.
    """
    total = np.zeros(len(X))
    for first, rows in weight_blocks:
        for start in range(0, len(rows), BLOCK_ROWS):
            part = rows[start : start + BLOCK_ROWS]
            part_signs = signs[first + start : first + start + len(part)]
            for low in range(0, len(X), 64):
                excess = part @ X[low : low + 64].T
                excess -= threshold
                np.maximum(excess, 0.0, out=excess)
                total[low : low + 64] += part_signs @ excess
    return total / math.sqrt(width)


def output_shift(network: "InitialNetwork", threshold: float, activation: str) -> float:
    """Return what an activation adds to every output: 0, or b sum_r a_r / sqrt(m) if it is "clipped", max(z, b)."""
    return threshold * network.sum_of_signs() / math.sqrt(network.width) if activation == "clipped" else 0.0


class Signs(Protocol):
    """The signs of drawn neurons."""

    def __getitem__(self, neurons: Ints, /) -> Floats:
        """Return those of some ascending neurons, (u,)."""
        ...

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Floats:
        """Return all."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Deviation:
    """Standard deviations at some points, (q,), and the standard errors of these numbers, (q,)."""

    values: Floats
    errors: Floats


class InitialNetwork(Protocol):
    """A network before training: the neurons that are drawn, numbered 0 .. `num_drawn` - 1, at the n datapoints.

    Attributes
    ----------
    width : m, the neurons of the network. The outputs are scaled by 1 / sqrt(m).
    num_drawn : those of them that are drawn; those that are not never fire and never move.
    draw_seconds : seconds already spent drawing; a pass over the network may take more.
    signs : a_r of the drawn neurons: `signs[neurons]` of some ascending ones, `numpy.asarray(signs)` of all.
    """

    width: int
    num_drawn: int
    draw_seconds: float
    signs: "Signs"

    def sum_of_signs(self) -> float:
        """Return sum_r a_r over all m neurons, drawn or not."""
        ...

    def weight_blocks(
        self, *, block_rows: int = BLOCK_ROWS, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[int, Floats]]:
        """Yield W(0) in blocks `(first_neuron, rows)`, rows of shape (<= block_rows, d), overwritten by the next."""
        ...

    def leaf_blocks(self, drawing: Stopwatch | None = None) -> Iterator[tuple[int, Floats]]:
        """Yield Z(0) = W(0) X^T in blocks `(first_neuron, rows)`, rows of shape (., n), overwritten by the next.

        Every user of the initial leaves of all neurons goes through here, so that a tree replayed from its seed has the
        very bits of the tree that was trained. `drawing` measures how long it takes to draw the weights.
        """
        ...

    def weights(self, neurons: Ints | None = None) -> Floats:
        """Return W(0), (num_drawn, d), or the rows of some neurons, in their order."""
        ...

    def leaf_rows(self, neurons: Ints) -> Floats:
        """Return Z(0) of some neurons, (u, n), in their order; equal to `leaf_blocks` but for round-off."""
        ...

    def numbers(self, neurons: Ints) -> Ints:
        """Return which of the m neurons of the network some drawn neurons are; ascending neurons have ascending ones.

        All are drawn unless a subclass says otherwise.
        """
        return neurons

    def undrawn_deviation(self, X: Floats, *, knows_sum: bool = False) -> Deviation:
        """Return the root mean square of what the neurons that are not drawn add at X, (q, d); 0 if all are drawn.

        With `knows_sum` the sum of their signs is as `sum_of_signs` has it; else nothing is known of them.
        """
        return Deviation(np.zeros(len(X)), np.zeros(len(X)))


class WholeNetwork(InitialNetwork):
    """All m neurons, drawn from a seed whenever they are asked for.

    Cost: m * d normal draws for a pass over all of them, and m * n * d multiply-adds for their leaves.
    """

    def __init__(self, X: Floats, seed: int, width: int) -> None:
        self._X, self._seed = X, seed
        self.width, self.num_drawn, self.draw_seconds = width, width, 0.0
        self.signs = DrawnSigns(seed, width)

    def sum_of_signs(self) -> float:
        """Draw them, and add."""
        return float(np.sum(np.asarray(self.signs)))

    def weight_blocks(
        self, *, block_rows: int = BLOCK_ROWS, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[int, Floats]]:
        """Draw them in blocks."""
        last = self.width if last is None else last
        return initial_weight_blocks(self._seed, last, self._X.shape[1], block_rows=block_rows, first=first)

    def leaf_blocks(self, drawing: Stopwatch | None = None) -> Iterator[tuple[int, Floats]]:
        """Draw the weights in blocks, and multiply them."""
        blocks = self.weight_blocks()
        return leaf_blocks(self._X, blocks if drawing is None else drawing.over(blocks))

    def weights(self, neurons: Ints | None = None) -> Floats:
        """Draw them: all, or at most max(d, 4,096) normal numbers for each neuron asked for."""
        return initial_weights(self._seed, self.width, self._X.shape[1], neurons)

    def leaf_rows(self, neurons: Ints) -> Floats:
        """Draw these neurons, and multiply."""
        return self.weights(neurons) @ self._X.T


class ImplicitWeights:
    """Trained weights as W(0) + coefficients @ X: an iteration changes sum_i k_i coefficients and no row of W.

    "Maintaining the weights implicitly" means this. Coefficients are kept for the neurons that fire at the start only:
    a neuron that fires on no datapoint never moves, so it never fires later (algorithm.md §5.1).
    """

    def __init__(self, X: Floats, network: InitialNetwork) -> None:
        self._X, self._network = X, network
        self._neurons: Ints = np.empty(0, dtype=np.int64)
        self._coefficients: Floats = np.empty((0, X.shape[0]))
        self._row_of = np.full(network.num_drawn, -1, dtype=np.int32)  # row of the coefficients; -1: it never moves

    def keep(self, neurons: Ints) -> None:
        """Make room for the neurons that fire at the start, ascending; only these can be moved."""
        self._neurons = neurons
        self._coefficients = np.zeros((neurons.size, self._X.shape[0]))
        self._row_of[neurons] = np.arange(neurons.size)

    def add(self, firing: FiringSets, steps: Floats) -> None:
        """Add `steps` (sum_i k_i,), as `pair_steps` makes them, to the coefficients of the firing pairs."""
        if not self._neurons.size:
            self.keep(firing.neurons)
        first = self._row_of[firing.neurons] * np.int64(firing.num_points)
        places = np.repeat(first, firing.degrees) + firing.points
        self._coefficients.reshape(-1)[places] += steps

    @property
    def num_bytes(self) -> int:
        """Bytes kept: the coefficients and where they are."""
        return self._coefficients.nbytes + self._neurons.nbytes + self._row_of.nbytes

    def blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield W in blocks `(first_neuron, rows)`, each overwritten by the next. Cost: as `rows`."""
        for first, rows in self._network.weight_blocks():
            low, high = self._neurons.searchsorted([first, first + len(rows)])
            rows[self._neurons[low:high] - first] += self._coefficients[low:high] @ self._X
            yield first, rows

    def rows(self, neurons: Ints | None = None) -> Floats:
        """Materialise W, (m, d), or the rows of `neurons`. Cost: drawing them, and |U(0)| * n * d."""
        weights = self._network.weights(neurons)
        if neurons is None:
            weights[self._neurons] += self._coefficients @ self._X
            return weights
        rows = self._row_of[neurons]
        weights[rows >= 0] += self._coefficients[rows[rows >= 0]] @ self._X
        return weights

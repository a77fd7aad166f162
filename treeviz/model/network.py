"""The two-layer network: initial weights, threshold, firing sets, and the implicit form of its weights.

    f(x) = (1/sqrt(m)) * sum_r a_r * max(w_r . x - b, 0)                      (algorithm.md §1)

Only `W` is trained. It is never stored by the tree method: the initial rows are redrawn from the seed when somebody
asks for them, and everything training added to them is a combination of datapoints, `W = W(0) + coefficients @ X`.
The other modules see the network through `FiringSets`, the sparse 0/1 matrix "neuron r fires on datapoint i".
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Rows of W handled at a time, unless asked otherwise; no number depends on it.
BLOCK_ROWS = 16_384
# Entries up to which the incidence is multiplied as a full matrix: a sparse product takes a quarter of a millisecond.
_SMALL_INCIDENCE = 1 << 16
# Numbers drawn from one stretch of a stream's counter. Fixed for ever: others would be another network for a seed.
_STRETCH_WEIGHTS, _STRETCH_SIGNS = 1 << 12, 1 << 16
_WEIGHT_STREAM, _SIGN_STREAM = 0, 1


def paper_threshold(width: int) -> float:
    """Return the paper's threshold b = sqrt(0.48 ln m) for a network of `width` neurons [paper; algorithm.md §1]."""
    return math.sqrt(0.48 * math.log(width))


def firing_probability(threshold: float) -> float:
    """Return Pr[N(0, 1) >= threshold], the chance that a fresh neuron fires on a unit-length datapoint."""
    return 0.5 * math.erfc(threshold / math.sqrt(2.0))


def random_stream(seed: int, *key: int) -> np.random.Generator:
    """Return the counter-based generator of one named stream of a seed, independent of every other stream."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


class _Stretches:
    """A counter-based stream of a seed, cut into stretches, each of which can be drawn without those before it."""

    def __init__(self, seed: int, stream: int) -> None:
        key = np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(2, np.uint64)
        self._bits = np.random.Philox(key=key)
        self._start = self._bits.state  # nothing drawn, nothing kept back
        self._generator = np.random.Generator(self._bits)

    def at(self, stretch: int) -> np.random.Generator:
        """Return the generator, set to the beginning of a stretch: the counter's second word is its number."""
        self._start["state"]["counter"][1] = stretch
        self._bits.state = self._start
        return self._generator


def output_signs(seed: int, width: int, neurons: Ints | None = None) -> Floats:
    """Draw the untrained second layer: independent signs -1 or +1, of all `width` neurons, (m,), or of ascending ones.

    Memory: what is returned, and one stretch of 65,536 signs.
    """
    stretches = _Stretches(seed, _SIGN_STREAM)

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
    """The output signs of a seed, drawn when somebody wants them: for some neurons, or all, which are then kept."""

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


# Output signs: an array (m,), or drawn when they are wanted.
Signs = Floats | DrawnSigns


def initial_weight_blocks(
    seed: int, width: int, dimension: int, *, block_rows: int = BLOCK_ROWS, first: int = 0
) -> Iterator[tuple[int, Floats]]:
    """Yield the initial weights W(0) ~ N(0, 1) in blocks `(first_neuron, rows)`, rows of shape (<= block_rows, d).

    The network depends on (seed, width, dimension) alone, not on the size of the blocks or where they begin: with
    `first`, only neurons from there up to `width` are drawn. Each `rows` is overwritten by the next block, so memory is
    one block whatever the width. Cost: m * d normal draws.
    """
    stretches, stretch_rows = _Stretches(seed, _WEIGHT_STREAM), _stretch_rows(dimension)
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
    stretches, stretch_rows = _Stretches(seed, _WEIGHT_STREAM), _stretch_rows(dimension)
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
    """Yield every stretch of so many neurons that some of `neurons` lie in, with their places in `neurons`."""
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


@dataclass(frozen=True, slots=True, eq=False)
class FiringSets:
    """Which neurons fire on which datapoints: a sparse 0/1 matrix, its rows the touched neurons.

    Attributes
    ----------
    neurons : (|U|,) touched neurons, ascending: those that fire on at least one datapoint.
    indptr, points : row pointers (|U| + 1,) and datapoints (sum_i k_i,): neuron `neurons[u]` fires on
        `points[indptr[u]:indptr[u + 1]]` (the set T_r), ascending.
    num_points : number of datapoints n.
    """

    neurons: Ints
    indptr: Ints
    points: Ints
    num_points: int

    @classmethod
    def from_pairs(cls, neurons: Ints, points: Ints, num_points: int) -> "FiringSets":
        """Group firing pairs, given in order of neuron and then of datapoint, both of shape (sum_i k_i,)."""
        first_of_neuron = np.flatnonzero(np.diff(neurons, prepend=-1))
        return cls(neurons[first_of_neuron], np.append(first_of_neuron, neurons.size), points, num_points)

    @classmethod
    def from_sets(cls, sets: Sequence[NDArray[np.integer]]) -> "FiringSets":
        """Rebuild the matrix from the n firing sets S_i, each an ascending array of neurons."""
        points = np.repeat(np.arange(len(sets)), [s.size for s in sets])
        neurons = np.concatenate([np.asarray(s, dtype=np.int64) for s in sets])
        order = np.argsort(neurons, kind="stable")
        return cls.from_pairs(neurons[order], points[order], len(sets))

    @classmethod
    def among(cls, neurons: Ints, sets: Sequence[NDArray[np.int32]]) -> "FiringSets":
        """Rebuild only the rows of `neurons`, (u,) ascending and distinct, from the n firing sets S_i.

        Rows are equal to those of `from_sets`; neurons that fire nowhere have none. Cost: n * u * log k_i.
        """
        wanted = neurons.astype(np.int32)  # of another type, a search would convert the whole set
        fires = np.zeros((wanted.size, len(sets)), dtype=bool)
        for point, members in enumerate(sets):
            if members.size:
                fires[:, point] = members.take(members.searchsorted(wanted), mode="clip") == wanted
        rows, points = np.nonzero(fires)
        return cls.from_pairs(neurons[rows], points, len(sets))

    def on(self, points: Ints) -> "FiringSets":
        """Return who fires on some datapoints only; on the others nobody does."""
        keep = np.zeros(self.num_points, dtype=bool)
        keep[points] = True
        kept = keep[self.points]
        return FiringSets.from_pairs(np.repeat(self.neurons, self.degrees)[kept], self.points[kept], self.num_points)

    @property
    def num_pairs(self) -> int:
        """Number of firing pairs, sum_i k_i = sum_r |T_r|."""
        return int(self.points.size)

    @property
    def counts(self) -> Ints:
        """k_i, the number of neurons that fire on each datapoint, shape (n,)."""
        return np.bincount(self.points, minlength=self.num_points)

    @property
    def degrees(self) -> Ints:
        """|T_r|, the number of datapoints on which each touched neuron fires, shape (|U|,)."""
        return np.diff(self.indptr)

    def sets(self) -> tuple[NDArray[np.int32], ...]:
        """Return the n firing sets S_i as ascending int32 arrays. Cost: one stable sort of the pairs by datapoint."""
        smallest = np.min_scalar_type(self.num_points)  # of 8 or 16 bits the stable sort is a radix sort, linear time
        order = np.argsort(self.points.astype(smallest), kind="stable")
        neurons = np.repeat(self.neurons, self.degrees)[order].astype(np.int32)
        return tuple(np.split(neurons, np.cumsum(self.counts)[:-1]))

    def matrix(self, values: Floats | None = None) -> sp.csr_array:
        """Return the (|U|, n) sparse matrix with `values[p]` (default 1.0) at firing pair p."""
        data = np.ones(self.num_pairs) if values is None else values
        return sp.csr_array((data, self.points, self.indptr), shape=(self.neurons.size, self.num_points))

    def overlaps(self) -> Floats:
        """Return C, C_ij = |S_i & S_j|, shape (n, n). Cost: sum_r |T_r|^2; few neurons are quicker as a full matrix."""
        if self.neurons.size * self.num_points <= _SMALL_INCIDENCE:
            full = np.zeros((self.neurons.size, self.num_points))
            full[np.repeat(np.arange(self.neurons.size), self.degrees), self.points] = 1.0
            return full.T @ full
        incidence = self.matrix()
        return np.asarray((incidence.T @ incidence).toarray())


def outputs_from_pairs(firing: FiringSets, products: Floats, signs: Floats, threshold: float) -> Floats:
    """Return f, shape (n,), from the inner products z_ri (sum_i k_i,) of the firing pairs alone. Cost: sum_i k_i."""
    pair_signs = np.repeat(signs[firing.neurons], firing.degrees)
    total = np.bincount(firing.points, weights=pair_signs * (products - threshold), minlength=firing.num_points)
    return total / math.sqrt(signs.size)


def outputs_at(X: Floats, weight_blocks: Iterable[tuple[int, Floats]], signs: Floats, threshold: float) -> Floats:
    """Return f, (q,), on any points of unit length, (q, d), from the weights in blocks `(first_neuron, rows)`.

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
    return total / math.sqrt(signs.size)


def moved_rows(firing: FiringSets, dual_step: Floats, signs: Floats, basis: Floats) -> Floats:
    """Return -(a_r / sqrt(m)) * sum_{i in T_r} dual_step_i * basis_i for every touched neuron r (algorithm.md §3.7).

    With `basis` = X, (n, d), these are the changes of the weight rows; with `basis` = K = X X^T, (n, n), they are the
    changes of the leaves, without a factor d. Shape (|U|, basis columns). Cost: sum_i k_i * basis columns.
    """
    return np.asarray(firing.matrix(pair_steps(firing, dual_step, signs)) @ basis)


def pair_steps(firing: FiringSets, dual_step: Floats, signs: Floats) -> Floats:
    """Return -(a_r / sqrt(m)) * dual_step_i for every firing pair (r, i), (sum_i k_i,)."""
    scale = -signs[firing.neurons] / math.sqrt(signs.size)
    return np.repeat(scale, firing.degrees) * dual_step[firing.points]


class ImplicitWeights:
    """Trained weights as W(0) + coefficients @ X: an iteration changes sum_i k_i coefficients and no row of W.

    "Maintaining the weights implicitly" means this. Coefficients are kept for the neurons that fire at the start only:
    a neuron that fires on no datapoint never moves, so it never fires later (algorithm.md §5.1).
    """

    def __init__(self, X: Floats, signs: Floats, seed: int) -> None:
        self._X, self._signs, self._seed = X, signs, seed
        self._neurons: Ints = np.empty(0, dtype=np.int64)
        self._coefficients: Floats = np.empty((0, X.shape[0]))
        self._row_of = np.full(signs.size, -1, dtype=np.int32)  # row of a neuron's coefficients; -1: it never moves

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
        for first, rows in initial_weight_blocks(self._seed, self._signs.size, self._X.shape[1]):
            low, high = self._neurons.searchsorted([first, first + len(rows)])
            rows[self._neurons[low:high] - first] += self._coefficients[low:high] @ self._X
            yield first, rows

    def rows(self, neurons: Ints | None = None) -> Floats:
        """Materialise W, (m, d), or the rows of `neurons`. Cost: drawing them, and |U(0)| * n * d."""
        weights = initial_weights(self._seed, self._signs.size, self._X.shape[1], neurons)
        if neurons is None:
            weights[self._neurons] += self._coefficients @ self._X
            return weights
        rows = self._row_of[neurons]
        weights[rows >= 0] += self._coefficients[rows[rows >= 0]] @ self._X
        return weights

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
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Rows of W drawn from one stream. Fixed for ever: another value would be another network for the same seed.
BLOCK_ROWS = 16_384
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


def output_signs(seed: int, width: int) -> Floats:
    """Draw the untrained second layer: `width` independent signs -1 or +1, shape (m,)."""
    return np.where(random_stream(seed, _SIGN_STREAM).integers(0, 2, size=width, dtype=np.int8), 1.0, -1.0)


def initial_weight_blocks(seed: int, width: int, dimension: int) -> Iterator[tuple[int, Floats]]:
    """Yield the initial weights W(0) ~ N(0, 1) in blocks `(first_neuron, rows)`, rows of shape (<= BLOCK_ROWS, d).

    The network depends on (seed, width, dimension) alone: block k has a random stream of its own. Each `rows` is
    overwritten by the next block, so memory is one block whatever the width. Cost: m * d normal draws.
    """
    buffer = np.empty((min(BLOCK_ROWS, width), dimension))
    for first in range(0, width, BLOCK_ROWS):
        rows = buffer[: min(BLOCK_ROWS, width - first)]
        random_stream(seed, _WEIGHT_STREAM, first // BLOCK_ROWS).standard_normal(out=rows)
        yield first, rows


def initial_weights(seed: int, width: int, dimension: int, neurons: Ints | None = None) -> Floats:
    """Return W(0), (m, d), or only the rows of `neurons`, in their order; just the blocks they lie in are drawn."""
    if neurons is None:
        weights = np.empty((width, dimension))
        for first, rows in initial_weight_blocks(seed, width, dimension):
            weights[first : first + len(rows)] = rows
        return weights
    chosen = np.empty((neurons.size, dimension))
    blocks = neurons // BLOCK_ROWS
    for block in np.unique(blocks):
        first = int(block) * BLOCK_ROWS
        rows = random_stream(seed, _WEIGHT_STREAM, int(block)).standard_normal(
            (min(BLOCK_ROWS, width - first), dimension)
        )
        wanted = blocks == block
        chosen[wanted] = rows[neurons[wanted] - first]
    return chosen


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
        """Return C, C_ij = |S_i & S_j|, shape (n, n). Cost: sum_r |T_r|^2."""
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

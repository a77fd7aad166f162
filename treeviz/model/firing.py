"""Which neurons fire on which datapoints, and what follows from that alone: outputs, overlaps, how far neurons move."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from treeviz.model.types import Floats, Ints

# Entries up to which the incidence is multiplied as a full matrix: a sparse product takes a quarter of a millisecond.
_SMALL_INCIDENCE = 1 << 16


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

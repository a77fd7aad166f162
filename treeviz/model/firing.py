"""Which neurons fire on which datapoints, and what follows from that alone: outputs, overlaps, how far neurons move."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from treeviz.model.types import Floats, Ints

# Entries up to which the incidence is multiplied as a full matrix: a sparse product takes a quarter of a millisecond.
_SMALL_INCIDENCE = 1 << 16


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FiringSets:
    """Which neurons fire on which datapoints: a sparse 0/1 matrix, its rows the touched neurons.

    It is also a sequence of the n firing sets: `firing[i]` are the neurons that fire on datapoint i, an ascending int32
    array, and a loop goes through all of them. These arrays are made at the first such question and kept.

    Attributes
    ----------
    neurons : (|U|,) touched neurons, ascending: those that fire on at least one datapoint.
    indptr, points : row pointers (|U| + 1,) and datapoints (sum_i k_i,): neuron `neurons[u]` fires on
        `points[indptr[u]:indptr[u + 1]]` (the set T_r), ascending. Of 64 bits while training; records keep fewer.
    num_points : number of datapoints n.
    """

    neurons: Ints
    indptr: Ints
    points: Ints
    num_points: int
    _sets: tuple[NDArray[np.int32], ...] | None = field(default=None, init=False, repr=False)
    _deferred: "_Deferred | None" = field(default=None, init=False, repr=False)

    @classmethod
    def deferred(
        cls, load: Callable[[], "FiringSets"], counts: Ints, count_neurons: Callable[[Ints | None], int]
    ) -> "FiringSets":
        """Return firing sets that are loaded when a neuron is asked for; how many there are is known before.

        Parameters
        ----------
        load : returns them, compact.
        counts : (n,) k_i.
        count_neurons : returns how many neurons fire on one of some datapoints, or of all; called now.
        """
        own = object.__new__(cls)
        object.__setattr__(own, "num_points", counts.size)
        object.__setattr__(own, "_sets", None)
        object.__setattr__(own, "_deferred", _Deferred(load, counts, count_neurons(None), count_neurons))
        return own

    def __getattr__(self, name: str) -> Ints:
        """Load the arrays; Python asks here for attributes that are not set."""
        if name not in ("neurons", "indptr", "points"):
            raise AttributeError(name)
        assert self._deferred is not None
        loaded = self._deferred.load()
        for array in ("neurons", "indptr", "points"):
            object.__setattr__(self, array, getattr(loaded, array))
        found: Ints = getattr(loaded, name)
        return found

    @classmethod
    def from_pairs(cls, neurons: Ints, points: Ints, num_points: int) -> "FiringSets":
        """Group firing pairs, given in order of neuron and then of datapoint, both of shape (sum_i k_i,)."""
        first_of_neuron = np.flatnonzero(np.diff(neurons, prepend=-1))
        return cls(neurons[first_of_neuron], np.append(first_of_neuron, neurons.size), points, num_points)

    @classmethod
    def from_sets(cls, sets: Sequence[NDArray[np.integer]]) -> "FiringSets":
        """Build the matrix from the n firing sets S_i, each an ascending array of neurons."""
        points = np.repeat(np.arange(len(sets)), [s.size for s in sets])
        neurons = np.concatenate([np.asarray(s, dtype=np.int64) for s in sets])
        order = np.argsort(neurons, kind="stable")
        return cls.from_pairs(neurons[order], points[order], len(sets))

    @classmethod
    def joined(cls, parts: Sequence["FiringSets"]) -> "FiringSets":
        """Put together parts of ascending neurons, those of each beyond those of the one before; compact."""
        num_points, starts = parts[0].num_points, np.cumsum([0, *(part.num_pairs for part in parts)])
        rooms = cls.room(0, int(starts[-1]), num_points)
        rows = [part.indptr[:-1] + start for part, start in zip(parts, starts[:-1].tolist(), strict=True)]
        columns = [part.neurons for part in parts], [*rows, starts[-1:]], [part.points for part in parts]
        neurons, indptr, points = (
            np.concatenate(column, dtype=room.dtype, casting="same_kind")
            for column, room in zip(columns, rooms, strict=True)
        )
        for array in (neurons, indptr, points):
            array.flags.writeable = False
        return cls(neurons, indptr, points, num_points)

    @staticmethod
    def room(num_neurons: int, num_pairs: int, num_points: int) -> tuple[Ints, Ints, Ints]:
        """Return `neurons`, `indptr` and `points` in as few bytes as these numbers need, with one element to spare."""
        wide = np.int32 if num_pairs <= np.iinfo(np.int32).max else np.int64
        small = np.min_scalar_type(max(num_points - 1, 0))
        return np.empty(num_neurons + 1, np.int32), np.empty(num_neurons + 1, wide), np.empty(num_pairs + 1, small)

    def compact(self) -> "FiringSets":
        """Return a read-only copy in as few bytes as it needs: one or two a firing pair, eight a touched neuron.

        What is compact is its own copy.
        """
        if self._deferred is not None:
            return self
        arrays = (self.neurons, self.indptr, self.points)
        rooms = self.room(0, self.num_pairs, self.num_points)
        if all(
            array.dtype == room.dtype and not array.flags.writeable for array, room in zip(arrays, rooms, strict=True)
        ):
            return self
        neurons, indptr, points = (array.astype(room.dtype) for array, room in zip(arrays, rooms, strict=True))
        for array in (neurons, indptr, points):
            array.flags.writeable = False
        return FiringSets(neurons, indptr, points, self.num_points)

    def of_neurons(self, neurons: Ints) -> "FiringSets":
        """Return the rows of some ascending, distinct neurons, as far as they fire. Cost: u log |U| and their pairs."""
        rows = places_of(neurons, self.neurons)
        sizes = self.degrees[rows]
        indptr = np.append(0, np.cumsum(sizes))
        places = np.arange(indptr[-1]) + np.repeat(self.indptr[rows] - indptr[:-1], sizes)
        return FiringSets(self.neurons[rows], indptr, self.points[places], self.num_points)

    def on(self, points: Ints) -> "FiringSets":
        """Return which neurons fire on some datapoints; the firing sets of the others are empty."""
        keep = np.zeros(self.num_points, dtype=bool)
        keep[points] = True
        if self._deferred is not None:
            counts, count_neurons = np.where(keep, self.counts, 0), self._deferred.count_neurons
            return FiringSets.deferred(lambda: self._on(keep).compact(), counts, lambda _: count_neurons(points))
        return self._on(keep)

    def _on(self, keep: NDArray[np.bool_]) -> "FiringSets":
        kept = keep[self.points]
        return FiringSets.from_pairs(np.repeat(self.neurons, self.degrees)[kept], self.points[kept], self.num_points)

    def __repr__(self) -> str:
        """Say how many pairs there are."""
        return f"FiringSets({self.num_pairs:,} pairs: {self.num_neurons:,} neurons on {self.num_points:,} datapoints)"

    def equals(self, other: "FiringSets") -> bool:
        """Return whether the same neurons fire on the same datapoints."""
        arrays = ((one.neurons, one.indptr, one.points) for one in (self, other))
        return self.num_points == other.num_points and all(map(np.array_equal, *arrays))

    def __len__(self) -> int:
        """Return the number of firing sets, n."""
        return self.num_points

    def __getitem__(self, point: int) -> NDArray[np.int32]:
        """Return the neurons that fire on one datapoint."""
        return self.sets()[point]

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        """Go through the firing sets, datapoint by datapoint."""
        return iter(self.sets())

    @property
    def num_pairs(self) -> int:
        """Number of firing pairs, sum_i k_i = sum_r |T_r|."""
        return int(self.points.size) if self._deferred is None else int(self._deferred.counts.sum())

    @property
    def num_neurons(self) -> int:
        """|U|, the number of touched neurons."""
        return self.neurons.size if self._deferred is None else self._deferred.num_neurons

    @property
    def counts(self) -> Ints:
        """k_i, the number of neurons that fire on each datapoint, shape (n,)."""
        if self._deferred is not None:
            return self._deferred.counts.copy()
        return np.bincount(self.points, minlength=self.num_points)

    @property
    def degrees(self) -> Ints:
        """|T_r|, the number of datapoints on which each touched neuron fires, shape (|U|,)."""
        return np.diff(self.indptr)

    def sets(self) -> tuple[NDArray[np.int32], ...]:
        """Return the n firing sets S_i as ascending, read-only int32 arrays. Cost: once, a stable sort of the pairs."""
        if self._sets is None:
            small = np.min_scalar_type(self.num_points)  # of 8 or 16 bits the stable sort is a radix sort, linear time
            order = np.argsort(self.points.astype(small, copy=False), kind="stable")
            neurons = np.repeat(self.neurons, self.degrees)[order].astype(np.int32)
            neurons.flags.writeable = False
            object.__setattr__(self, "_sets", tuple(np.split(neurons, np.cumsum(self.counts)[:-1])))
        assert self._sets is not None
        return self._sets

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


@dataclass(frozen=True, slots=True, eq=False)
class _Deferred:
    """What is known of firing sets that are not there, and how to get them."""

    load: Callable[[], FiringSets]
    counts: Ints
    num_neurons: int
    count_neurons: Callable[[Ints | None], int]


def places_of(neurons: Ints, members: NDArray[np.integer]) -> Ints:
    """Return where in `members`, ascending, those of the ascending `neurons` stand that are among them."""
    if not members.size:
        return np.empty(0, dtype=np.int64)
    wanted = neurons.astype(members.dtype)  # of another type, the search would convert all members
    places = members.searchsorted(wanted)
    return np.asarray(places[members.take(places, mode="clip") == wanted])


def outputs_from_pairs(
    firing: FiringSets, products: Floats, signs: Floats, threshold: float, width: int | None = None
) -> Floats:
    """Return f, shape (n,), from the inner products z_ri (sum_i k_i,) of the firing pairs alone. Cost: sum_i k_i.

    `width` is m; None if `signs` are those of all m neurons.
    """
    pair_signs = np.repeat(signs[firing.neurons], firing.degrees)
    total = np.bincount(firing.points, weights=pair_signs * (products - threshold), minlength=firing.num_points)
    return total / math.sqrt(width or signs.size)


def moved_rows(firing: FiringSets, dual_step: Floats, signs: Floats, basis: Floats, width: int | None = None) -> Floats:
    """Return -(a_r / sqrt(m)) * sum_{i in T_r} dual_step_i * basis_i for every touched neuron r (algorithm.md §3.7).

    With `basis` = X, (n, d), these are the changes of the weight rows; with `basis` = K = X X^T, (n, n), they are the
    changes of the leaves, without a factor d. Shape (|U|, basis columns). Cost: sum_i k_i * basis columns.

    `width` is m; None if `signs` are those of all m neurons.
    """
    return np.asarray(firing.matrix(pair_steps(firing, dual_step, signs, width)) @ basis)


def pair_steps(firing: FiringSets, dual_step: Floats, signs: Floats, width: int | None = None) -> Floats:
    """Return -(a_r / sqrt(m)) * dual_step_i for every firing pair (r, i), (sum_i k_i,).

    `width` is m; None if `signs` are those of all m neurons.
    """
    scale = -signs[firing.neurons] / math.sqrt(width or signs.size)
    return np.repeat(scale, firing.degrees) * dual_step[firing.points]

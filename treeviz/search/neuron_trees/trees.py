"""Neuron trees: one max-tree per neuron over the n datapoints.

They are the second structure of Alman, Liang, Song, Zhang and Zhuo (NeurIPS 2023; algorithm.md §3). The tree of neuron
r has the leaves z_r1 .. z_rn. Its root says whether r fires at all, so every search looks at all m roots, which the
forest's search does not; moving a neuron rebuilds one small tree of 2n - 1 nodes instead of climbing n paths of length
log m.

Layout: a heap without padding as in `forest`, node 1 the root and node n + i the leaf of datapoint i; a neuron's tree
is one row of `values`, (m, 2n), entry 0 unused.
"""

from collections.abc import Iterable

import numpy as np

from treeviz.model.firing import FiringSets
from treeviz.model.types import Floats, Ints
from treeviz.search.results import SearchResult, UpdateResult

# Trees rebuilt at a time, so that they stay in cache.
_CHUNK = 4096


class NeuronTrees:
    """m max-trees over the same n datapoints.

    Parameters
    ----------
    num_neurons, num_points : m and n.
    blocks : `(first_neuron, rows)` that together cover all leaves, rows of shape (k, n).

    Notes
    -----
    Building costs (2n - 1) * m node writes; memory is 2 * m * n floats.
    """

    def __init__(self, num_neurons: int, num_points: int, blocks: Iterable[tuple[int, Floats]]) -> None:
        self.num_points = num_points
        self.values = np.empty((num_neurons, 2 * num_points))
        self.values[:, 0] = -np.inf
        for first, rows in blocks:
            trees = self.values[first : first + len(rows)]
            trees[:, num_points:] = rows
            for low, high in self._levels():
                trees[:, low:high] = _maxima(trees[:, 2 * low : 2 * high])

    @property
    def num_levels(self) -> int:
        """Number of levels of a tree: the root is on level 0, the deepest leaves are on the last."""
        return (2 * self.num_points - 1).bit_length()

    def query_all(self, threshold: float, points: Ints | None = None) -> SearchResult:
        """Find all pairs whose leaf is >= `threshold`; ties count. Of some `points` only, at the same cost.

        Every tree's root is looked at, and a child is entered only below a value >= the threshold. `visited_levels` is
        (1, levels): all trees together. Cost: m + 2 * (inner nodes >= threshold) nodes entered.

        Raises ValueError if the threshold is not a number.
        """
        if np.isnan(threshold):
            raise ValueError("threshold must be a number; got NaN")
        flat, n = self.values.reshape(-1), self.num_points
        visited_levels = np.zeros((1, self.num_levels), dtype=np.int64)
        visited_levels[0, 0] = len(self.values)
        starts = 2 * n * np.flatnonzero(self.values[:, 1] >= threshold)  # of the trees' rows
        nodes = np.ones(starts.size, dtype=np.int64)
        found_neurons, found_points = [], []
        for level in range(1, self.num_levels + 1):
            at_leaf = nodes >= n
            found_neurons.append(starts[at_leaf] // (2 * n))
            found_points.append(nodes[at_leaf] - n)
            starts, nodes = starts[~at_leaf], nodes[~at_leaf]
            if not nodes.size:
                break
            visited_levels[0, level] = 2 * nodes.size
            starts, nodes = np.repeat(starts, 2), np.repeat(2 * nodes, 2)
            nodes[1::2] += 1
            passes = flat[starts + nodes] >= threshold
            starts, nodes = starts[passes], nodes[passes]
        places = np.sort(np.concatenate(found_neurons) * n + np.concatenate(found_points))
        found, datapoints = places // n, places % n
        if points is not None:
            is_wanted = np.isin(datapoints, points)
            found, datapoints = found[is_wanted], datapoints[is_wanted]
        firing = FiringSets.from_pairs(found, datapoints, n)
        return SearchResult(firing, self.values[found, n + datapoints], visited_levels)

    def add_product(self, firing: FiringSets, steps: Floats, basis: Floats) -> UpdateResult:
        """Add the rows of a sparse matrix times `basis`, (n, n), to the touched neurons' leaves; rebuild their trees.

        The matrix has `steps[p]` at firing pair p. Cost: n * num_pairs, and 2n - 1 nodes a touched neuron.
        """
        rows = np.asarray(firing.matrix(steps) @ basis)
        counts = np.zeros(2 * self.num_points, dtype=np.int64)
        for low in range(0, firing.neurons.size, _CHUNK):
            chunk = firing.neurons[low : low + _CHUNK]
            stale = self.values[chunk]
            fresh = stale.copy()
            fresh[:, self.num_points :] += rows[low : low + _CHUNK]
            for first, last in self._levels():
                fresh[:, first:last] = _maxima(fresh[:, 2 * first : 2 * last])
            self.values[chunk] = fresh
            counts += (fresh != stale).sum(axis=0)
        levels = np.add.reduceat(counts, 1 << np.arange(self.num_levels))
        num_operations = (2 * self.num_points - 1) * firing.neurons.size
        return UpdateResult(levels[None, :], num_operations, None)

    def _levels(self) -> Iterable[tuple[int, int]]:
        """The spans of the inner nodes of each level, deepest first, so that children are ready before parents."""
        for level in reversed(range(self.num_points.bit_length())):
            low, high = 1 << level, min(2 << level, self.num_points)
            if low < high:
                yield low, high

    def _check(self) -> None:
        """Assert the heap invariant in every tree (for tests)."""
        assert np.isfinite(self.values[:, 1:]).all(), "a node is not finite"
        maxima = _maxima(self.values[:, 2:])
        assert np.array_equal(self.values[:, 1 : self.num_points], maxima), "a node is not the maximum of its children"


def _maxima(children: Floats) -> Floats:
    """Return the larger of each two neighbours in the rows, (k, 2c) to (k, c)."""
    return np.asarray(np.maximum(children[:, 0::2], children[:, 1::2]))

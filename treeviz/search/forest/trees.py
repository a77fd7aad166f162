"""The forest: one max-tree per datapoint, searched by threshold and repaired from the leaves (algorithm.md §2).

Layout. A tree of m leaves is a heap without padding: node 1 is the root, node v has the children 2v and 2v + 1, and the
leaf of neuron r is node m + r. Every inner node 1..m-1 has two children for any m >= 1, so a tree has exactly 2m - 1
nodes, and a query visits exactly 1 + 2 * (inner nodes >= threshold) of them. All n trees share one array, node-major:
`values[v]` is the row of node v in every tree. A neuron's leaves are one row of memory, and the two children of a node
lie side by side, so an update, which changes a neuron in all n trees at once, streams through memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treeviz.model.firing import FiringSets
from treeviz.model.masks import Mask, row_counts
from treeviz.model.types import Floats, Ints
from treeviz.search.compiled import load_loops, loaded_loops, map_spans
from treeviz.search.forest.modified import ModifiedNodes
from treeviz.search.results import SearchResult, UpdateResult

if TYPE_CHECKING:
    import networkx as nx

# Bytes of children gathered at a time during an update: small enough to stay in a core's cache.
_CHUNK_BYTES = 1 << 18
# Forests with this many leaf values, over this many neurons, are searched and repaired by compiled loops in several
# threads. Smaller ones answer in milliseconds and need neither threads nor a compiler.
_LARGE_VALUES, _LARGE_WIDTH = 1 << 22, 1 << 12
# A leaf changed by less than this stays finite, whatever it was.
_LARGEST_CHANGE = 1e150


@dataclass(frozen=True, slots=True, eq=False)
class QueryResult:
    """What one threshold query found and where it went.

    Attributes
    ----------
    neurons : (k,) neurons whose leaf is >= the threshold, ascending.
    visited : nodes entered, root first and then level by level; their number is the cost of the query.
    """

    neurons: Ints
    visited: Ints


class Forest:
    """n max-trees over the same m neurons.

    Parameters
    ----------
    leaves : (m, n) array of finite numbers: inner products of m >= 1 neurons (rows) with n >= 1 datapoints (columns).

    Raises
    ------
    ValueError
        If `leaves` is not a finite two-dimensional array with at least one row and one column.

    Attributes
    ----------
    may_compile : whether compiled loops may be used. They give the same results as long as every node is the larger of
        its children; a forest in which one is not is searched otherwise by them, and has to do without.

    Notes
    -----
    Building costs (2m - 1) * n node writes; memory is 2 * m * n floats. `values` has shape (2m, n); row 0 is unused.
    """

    may_compile = True

    def __init__(self, leaves: ArrayLike) -> None:
        rows = np.asarray(leaves, dtype=np.float64)
        if rows.ndim != 2 or 0 in rows.shape:
            raise ValueError(f"leaves must have shape (neurons, datapoints), both at least 1; got shape {rows.shape}")
        _require_finite(rows, "leaves")
        self._fill(rows.shape[0], rows.shape[1], [(0, rows)])

    @classmethod
    def from_blocks(cls, num_leaves: int, num_trees: int, blocks: Iterable[tuple[int, Floats]]) -> "Forest":
        """Build from blocks `(first_neuron, rows)` that together cover all leaves, without holding (m, n) twice."""
        forest = cls.__new__(cls)
        forest._fill(num_leaves, num_trees, blocks)
        return forest

    @classmethod
    def over(cls, values: Floats) -> "Forest":
        """Return a forest over the (2m, n) values of another, which it does not copy: updates change them in place."""
        forest = cls.__new__(cls)
        forest._adopt(values)
        return forest

    def _fill(self, num_leaves: int, num_trees: int, blocks: Iterable[tuple[int, Floats]]) -> None:
        self._adopt(np.empty((2 * num_leaves, num_trees)))
        self.values[0] = -np.inf
        for first, rows in blocks:
            self.leaves[first : first + len(rows)] = rows
        self._raise_maxima()

    def _adopt(self, values: Floats) -> None:
        """Set up the buffers that work on `values` needs."""
        self.values = values
        self.num_leaves, self.num_trees = num_leaves, num_trees = values.shape[0] // 2, values.shape[1]
        chunk = max(16, _CHUNK_BYTES // (16 * num_trees))
        self._children = np.empty((chunk, 2 * num_trees))
        self._fresh = np.empty((chunk, num_trees))
        self._stale = np.empty((chunk, num_trees))
        self._differs: Mask = np.empty((chunk, num_trees), dtype=np.float32)
        self._deepest = (2 * num_leaves - 1).bit_length() - 1  # level of the deepest leaves
        # Large forests are worked on subtree by subtree, each small enough for a core's cache, by several threads.
        self._is_large = num_leaves * num_trees >= _LARGE_VALUES and num_leaves >= _LARGE_WIDTH
        height = max(1, (_CHUNK_BYTES // (16 * num_trees)).bit_length() - 1)
        self._block_level = max(0, self._deepest - height)
        self._found: dict[int, Ints] = {}  # room for what each thread finds, kept: memory touched first is slow

    def _raise_maxima(self) -> None:
        """Fill the inner nodes level by level, deepest first, so that a node's children are ready before it."""
        for level in reversed(range(self.num_leaves.bit_length())):
            low, high = 1 << level, min(2 << level, self.num_leaves)  # inner nodes of this level
            if low < high:
                children = self.values[2 * low : 2 * high].reshape(high - low, 2, self.num_trees)
                np.maximum(children[:, 0], children[:, 1], out=self.values[low:high])

    def load_compiled_loops(self) -> ModuleType | None:
        """Return the compiled loops, if they can be had: loaded for a large forest, and used for any once they are.

        They give the same bits. Called before the first search, so that it takes no longer than the others.
        """
        if not self.may_compile:
            return None
        return load_loops("forest.loops") if self._is_large else loaded_loops("forest.loops")

    @property
    def leaves(self) -> Floats:
        """The (m, n) leaves, a view of `values`: row r holds neuron r's inner product with every datapoint."""
        return self.values[self.num_leaves :]

    @property
    def num_nodes(self) -> int:
        """Number of nodes in all trees together, n * (2m - 1)."""
        return int(self.num_trees * (2 * self.num_leaves - 1))

    @property
    def num_levels(self) -> int:
        """Number of levels of a tree: the root is on level 0, the deepest leaves are on the last."""
        return int(self._deepest + 1)

    def query(self, tree: int, threshold: float) -> QueryResult:
        """Find the neurons of one tree whose leaf is >= `threshold`; ties count.

        Descends from the root and enters a child only if its value is >= the threshold. Cost: 1 + 2 * (inner nodes >=
        threshold) nodes entered, about 2 k log2(m / k).

        Raises ValueError if there is no such tree or the threshold is not a number.
        """
        self._require_tree(tree)
        if np.isnan(threshold):
            raise ValueError("threshold must be a number; got NaN")
        reached, visited = [], [np.ones(1, dtype=np.int64)]
        for entered, _, leaves in self._descend(np.array([self.num_trees + tree]), threshold):
            visited.append(entered // self.num_trees)
            reached.append(leaves // self.num_trees)
        # Leaves lie on two levels when m is no power of two, and the deeper ones belong to the later neurons.
        neurons = np.sort(np.concatenate(reached)) - self.num_leaves
        return QueryResult(neurons, np.concatenate(visited))

    def _require_tree(self, tree: int) -> None:
        if not 0 <= tree < self.num_trees:
            raise ValueError(f"tree must be between 0 and {self.num_trees - 1}, one per datapoint; got {tree}")

    def query_all(self, threshold: float, points: Ints | None = None) -> SearchResult:
        """Query every tree, or those of some distinct `points`, with the same threshold: many calls of `query` in one.

        Raises ValueError if there is no such tree or the threshold is not a number.
        """
        if np.isnan(threshold):
            raise ValueError("threshold must be a number; got NaN")
        if points is not None and points.size and not 0 <= points.min() <= points.max() < self.num_trees:
            raise ValueError(f"points must be between 0 and {self.num_trees - 1}, one tree each; got {points}")
        loops = self.load_compiled_loops() if points is None else None
        if loops is not None:  # node-major: by neuron, then by datapoint
            places, visited_levels = self._search_subtrees(float(threshold), loops)
        else:
            places, visited_levels = self._search_levels(
                float(threshold), np.arange(self.num_trees) if points is None else points
            )
        nodes = places // self.num_trees
        points = places - nodes * self.num_trees
        firing = FiringSets.from_pairs(nodes - self.num_leaves, points, self.num_trees)
        return SearchResult(firing, self.values.reshape(-1)[places], visited_levels)

    def _search_levels(self, threshold: float, roots: Ints) -> tuple[Ints, Ints]:
        """Return the places of all leaves >= the threshold, ascending, and the nodes entered per tree and level."""
        visited_levels = np.zeros((self.num_trees, self.num_levels), dtype=np.int64)
        visited_levels[roots, 0] = 1
        reached = []
        walk = self._descend(self.num_trees + roots, threshold)
        for level, (_, trees, leaves) in enumerate(walk):
            visited_levels[:, level] += 2 * np.bincount(trees, minlength=self.num_trees)
            reached.append(leaves)
        return np.sort(np.concatenate(reached)), visited_levels

    def _search_subtrees(self, threshold: float, loops: ModuleType) -> tuple[Ints, Ints]:
        """Do what `_search_levels` does, subtree by subtree, by compiled loops in several threads."""
        level = self._block_level
        visited_levels = np.zeros((self.num_trees, self.num_levels), dtype=np.int64)
        visited_levels[:, 0] = 1
        passes = self.values[1 : 1 << level] >= threshold  # above the subtrees; a level's first node v is row v - 1
        num_passed = np.add.reduceat(passes, (1 << np.arange(level)) - 1, axis=0, dtype=np.int64)
        visited_levels[:, 1 : level + 1] = 2 * num_passed.T

        def search(part: int, first: int, last: int) -> tuple[Ints, Ints]:
            room = self._found.setdefault(part, np.empty(1 << 16, dtype=np.int64))
            queue = np.empty(4 << (self._deepest - level), dtype=np.int64)
            while True:
                num_places, visited_below = loops.search_subtrees(
                    self.values, threshold, (1 << level) + first, (1 << level) + last, level, queue, room
                )
                if num_places >= 0:
                    return room[:num_places], visited_below
                room = self._found[part] = np.empty(2 * room.size + self.num_trees, dtype=np.int64)

        done = map_spans(search, 1 << level, is_large=self._is_large)
        visited_levels += np.sum([visited_below for _, visited_below in done], axis=0).T
        return np.sort(np.concatenate([places for places, _ in done])), visited_levels

    def _descend(self, start: Ints, threshold: float) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Walk down from the places `start`, all on one level, a level at a time.

        Yields, per level, the places entered below the nodes of the level above, two for each of them; the trees those
        parents are in, one for each; and the leaves reached whose value is >= `threshold`. A place is a flat index
        into `values`: node * n + tree. The invariant: every place on the frontier has a value >= the threshold, so
        both of its children must be looked at, and nothing below a smaller value can reach it.
        """
        flat, n = self.values.reshape(-1), self.num_trees
        first_leaf = self.num_leaves * n
        entered = parents = np.empty(0, dtype=np.int64)
        frontier = start[flat[start] >= threshold]
        while True:
            at_leaf = frontier >= first_leaf
            yield entered, parents, frontier[at_leaf]
            frontier = frontier[~at_leaf]
            if not frontier.size:
                return
            parents = frontier - frontier // n * n  # the remainder, several times faster than NumPy's %
            entered = np.empty(2 * frontier.size, dtype=np.int64)
            np.subtract(2 * frontier, parents, out=entered[0::2])  # the left child: 2 * node * n + tree
            np.add(entered[0::2], n, out=entered[1::2])
            frontier = entered[flat[entered] >= threshold]

    def update(self, neurons: Ints, rows: Floats, *, relative: bool = False, with_nodes: bool = True) -> UpdateResult:
        """Write the leaves of some neurons in all n trees and repair the maxima above them.

        An ancestor is recomputed when a node below it changed in some tree; where no tree changes the climb stops.

        Parameters
        ----------
        neurons : (u,) distinct neurons, in ascending order.
        rows : (u, n) their new leaf values, or what to add to the old ones if `relative`.
        with_nodes : also list the modified nodes of every tree, not only their numbers.

        Raises
        ------
        ValueError
            If `neurons` are not distinct, ascending and in range, `rows` has the wrong shape, or a leaf would not be
            finite. Nothing is changed then.

        Notes
        -----
        Cost: at most u * n * (1 + log2 m) nodes, fewer where paths join or stop early.
        """
        rows = np.asarray(rows, dtype=np.float64)
        neurons = np.asarray(neurons, dtype=np.int64)
        if neurons.ndim != 1 or rows.shape != (neurons.size, self.num_trees):
            raise ValueError(
                f"rows must have shape (neurons, trees) = ({neurons.size}, {self.num_trees}); got {rows.shape}"
            )
        if neurons.size and (neurons[0] < 0 or neurons[-1] >= self.num_leaves or np.any(np.diff(neurons) <= 0)):
            raise ValueError(f"neurons must be distinct, ascending and between 0 and {self.num_leaves - 1}")
        if relative:
            with np.errstate(over="ignore"):
                rows = self.leaves[neurons] + rows
        _require_finite(rows, "leaves after the update")

        nodes = neurons + self.num_leaves
        log = ModifiedNodes(self.num_trees, self.num_levels, with_nodes)
        num_rows = nodes.size
        # Leaves lie on the two deepest levels: the deeper ones start the climb, the others join a level later.
        num_shallow = np.searchsorted(nodes, 1 << self._deepest)
        shallow = self._write_leaves(nodes[:num_shallow], rows[:num_shallow], log)
        deep = self._write_leaves(nodes[num_shallow:], rows[num_shallow:], log)
        if self._deepest:
            parents = _distinct_sorted(deep >> 1)
            climbing = np.concatenate([self._recompute(parents, log), shallow])
            num_rows += parents.size + self._climb(climbing, self._deepest - 1, log)
        return UpdateResult(log.modified_levels, num_rows * self.num_trees, log.nodes())

    def add_product(self, firing: FiringSets, steps: Floats, basis: Floats) -> UpdateResult:
        """Add the rows of a sparse matrix times `basis` to the leaves of the touched neurons, and repair all trees.

        The matrix has `steps[p]` at firing pair p; `basis` is (n, n). This is `update` with relative rows
        `firing.matrix(steps) @ basis`, to the last bit, but a large forest is repaired subtree by subtree, by compiled
        loops in several threads that never write those rows down. Counts only. Cost: n * num_pairs, and that of
        `update`.

        Raises ValueError if a step is not a number or so long that leaves could overflow; nothing is changed then.
        """
        largest = np.abs(steps).max(initial=0.0) * firing.degrees.max(initial=0)
        if not largest * np.abs(basis).max() < _LARGEST_CHANGE:
            raise ValueError(
                f"steps of up to {np.abs(steps).max():.3g} could change leaves by {_LARGEST_CHANGE:g} or more, and "
                "leaves must stay finite: use a smaller step_size"
            )
        loops = self.load_compiled_loops()
        if loops is None:
            rows = np.asarray(firing.matrix(steps) @ basis)
            return self.update(firing.neurons, rows, relative=True, with_nodes=False)
        nodes, level = firing.neurons + self.num_leaves, self._block_level
        roots = np.arange(1 << level, (2 << level) + 1)
        shallow = np.searchsorted(nodes, np.minimum(roots << max(0, self._deepest - 1 - level), 1 << self._deepest))
        deep = np.searchsorted(nodes, roots << (self._deepest - level))

        def repair(part: int, first: int, last: int) -> tuple[Ints, int, Ints]:
            bounds = shallow[first : last + 1], deep[first : last + 1]
            result: tuple[Ints, int, Ints] = loops.repair_subtrees(
                self.values, nodes, firing.indptr, firing.points, steps, basis, *bounds, level
            )
            return result

        done = map_spans(repair, 1 << level, is_large=self._is_large)
        log = ModifiedNodes(self.num_trees, self.num_levels, keep_nodes=False)
        log.modified_levels += np.sum([modified_below for modified_below, _, _ in done], axis=0).T
        climbing = np.concatenate([changed_roots for _, _, changed_roots in done])
        num_rows = sum(num_rows for _, num_rows, _ in done) + self._climb(climbing, level, log)
        return UpdateResult(log.modified_levels, num_rows * self.num_trees, None)

    def _climb(self, climbing: Ints, level: int, log: ModifiedNodes) -> int:
        """Recompute what lies above the changed nodes `climbing`, all on `level`; return how many rows that took."""
        num_rows = 0
        while level > 0:
            level -= 1
            parents = _distinct_sorted(climbing >> 1)
            num_rows += parents.size
            climbing = self._recompute(parents, log)
        return num_rows

    def _write_leaves(self, nodes: Ints, rows: Floats, log: ModifiedNodes) -> Ints:
        """Write leaf rows of one level, chunk by chunk; return the nodes whose row changed."""
        changed = np.empty(nodes.size, dtype=bool)
        for low in range(0, nodes.size, len(self._fresh)):
            chunk = nodes[low : low + len(self._fresh)]
            stale = np.take(self.values, chunk, axis=0, out=self._stale[: chunk.size], mode="clip")
            changed[low : low + chunk.size] = self._replace(chunk, rows[low : low + chunk.size], stale, log)
        return nodes[changed]

    def _recompute(self, parents: Ints, log: ModifiedNodes) -> Ints:
        """Set each of `parents`, on one level, to its children's maximum; return those that changed in some tree."""
        pairs = self.values.reshape(self.num_leaves, 2 * self.num_trees)  # row v: the two children of node v
        changed = np.empty(parents.size, dtype=bool)
        for low in range(0, parents.size, len(self._fresh)):
            chunk = parents[low : low + len(self._fresh)]
            children, fresh, stale = (buffer[: chunk.size] for buffer in (self._children, self._fresh, self._stale))
            np.take(pairs, chunk, axis=0, out=children, mode="clip")
            np.maximum(children[:, : self.num_trees], children[:, self.num_trees :], out=fresh)
            np.take(self.values, chunk, axis=0, out=stale, mode="clip")
            changed[low : low + chunk.size] = self._replace(chunk, fresh, stale, log)
        return parents[changed]

    def _replace(self, nodes: Ints, fresh: Floats, stale: Floats, log: ModifiedNodes) -> NDArray[np.bool_]:
        """Write rows `fresh` over `stale`, on one level; log what differs, and say which nodes differ in some tree."""
        differs = self._differs[: nodes.size]
        np.not_equal(fresh, stale, out=differs)
        self.values[nodes] = fresh
        log.record(nodes, differs)
        return row_counts(differs) > 0

    def to_networkx(self, tree: int, threshold: float | None = None) -> "nx.DiGraph":
        """Return one of the n trees as a NetworkX graph; see `forest.graph.tree_graph`.

        Raises ValueError if there is no such tree, and where `tree_graph` does.
        """
        from treeviz.search.forest.graph import tree_graph  # networkx is slow to import

        self._require_tree(tree)
        return tree_graph(self.values[:, tree], threshold)

    def _check(self) -> None:
        """Assert the heap invariant in every tree: each inner node is the maximum of its two children (for tests)."""
        assert self.values.shape == (2 * self.num_leaves, self.num_trees)
        assert np.isfinite(self.values[1:]).all(), "a node is not finite"
        children = self.values[2:].reshape(-1, 2, self.num_trees)
        wrong = np.argwhere(self.values[1 : self.num_leaves] != children.max(axis=1))
        assert not wrong.size, f"node {wrong[0][0] + 1} of tree {wrong[0][1]} is not the maximum of its children"


def _distinct_sorted(values: Ints) -> Ints:
    """Drop repeats from an ascending array; `np.unique` would sort it again."""
    return np.asarray(values[np.diff(values, prepend=-1) != 0])


def _require_finite(rows: Floats, name: str) -> None:
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise ValueError(
            f"{name} must be finite, but row {row}, column {column} is {rows[row, column]}: "
            "remove or replace such values first"
        )

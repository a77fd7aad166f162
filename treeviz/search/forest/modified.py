"""Counting what an update of the forest changes."""

import numpy as np

from treeviz.model.masks import Mask, column_counts
from treeviz.model.types import Ints


class ModifiedNodes:
    """Counts by level, and if asked lists, the nodes an update changes in each tree."""

    def __init__(self, num_trees: int, num_levels: int, keep_nodes: bool) -> None:
        self.modified_levels = np.zeros((num_trees, num_levels), dtype=np.int64)
        self._pieces: list[tuple[Ints, Ints]] | None = [] if keep_nodes else None

    def record(self, nodes: Ints, differs: Mask) -> None:
        """Note the entries of `differs` (k, n) that are 1; `nodes` (k,) are its rows, all on one level."""
        level = int(nodes[0]).bit_length() - 1
        self.modified_levels[:, level] += column_counts(differs).astype(np.int64)  # a chunk has far under 2^24 rows
        if self._pieces is not None:
            rows, trees = np.nonzero(differs)
            self._pieces.append((nodes[rows], trees))

    def nodes(self) -> tuple[Ints, ...] | None:
        """Return the nodes of each tree, ascending; None if only counts were asked for."""
        if self._pieces is None:
            return None
        empty = np.empty(0, dtype=np.int64)
        nodes = np.concatenate([piece[0] for piece in self._pieces] or [empty])
        trees = np.concatenate([piece[1] for piece in self._pieces] or [empty])
        order = np.lexsort((nodes, trees))
        return tuple(np.split(nodes[order], np.cumsum(self.modified_levels.sum(axis=1))[:-1]))

"""Searches with one fault planted, for viewers who learn by looking for it: each is the real engine but in one point.

The engines know nothing of faults. A forest's fault stands between the engine and its trees: it hands every question on
to the real trees, and changes what they do in one place. A fault of watch lists has the real lists go by another skin.
A fault that needs an occasion, such as a maximum that goes down, is planted at the first move that offers one.
"""

from dataclasses import replace

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Ledger
from treeviz.model.network import InitialNetwork
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import StaleNode
from treeviz.search.forest.engine import ForestEngine
from treeviz.search.forest.trees import Forest
from treeviz.search.results import SearchResult, UpdateResult
from treeviz.search.watch.engine import WatchEngine
from treeviz.search.watch.lists import WatchLists

# Neurons of a small skin are promoted only when they have moved so many times as far as their lists allow for.
SKINS_TOO_FAR = 4.0


class StrictComparison(ForestEngine):
    """Compares with > where it should be >=: a leaf that is exactly b is not found."""

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        super().__init__(data, network, config, ledger)
        self.products = _StrictTrees(self.forest, config.searched_threshold)


class SkippedRepair(ForestEngine):
    """Once leaves out the climb above a leaf that has grown: a maximum above it is too small."""

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        super().__init__(data, network, config, ledger)
        self.products = self._trees = _OneNodeTooSmall(self.forest)

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of the trees before and after a move."""
        return 2 * ForestEngine.required_bytes(width, num_points, dimension, threshold)

    def stale_node(self) -> StaleNode | None:
        """Say which node has a wrong value, as long as it has."""
        return self._trees.stale


class StaleMaximum(ForestEngine):
    """Once lets an inner node keep a maximum that is no longer below it: the node is too large."""

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        super().__init__(data, network, config, ledger)
        self.products = self._trees = _OneNodeTooLarge(self.forest)

    required_bytes = SkippedRepair.required_bytes

    def stale_node(self) -> StaleNode | None:
        """Say which node has a wrong value, as long as it has."""
        return self._trees.stale


class NoPromotion(WatchEngine):
    """Promotes no neuron, however far it has moved: pairs that are on no list may come to fire."""

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        super().__init__(data, network, config, ledger)
        assert isinstance(self.lists, WatchLists)
        self.lists.setting = replace(self.lists.setting, skin=np.inf)


class SmallSkin(WatchEngine):
    """Promotes neurons that have moved four times the skin, and not before: its lists are too short for that."""

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        super().__init__(data, network, config, ledger)
        assert isinstance(self.lists, WatchLists)
        self.lists.setting = replace(self.lists.setting, skin=SKINS_TOO_FAR * self.lists.setting.skin)


class _StrictTrees:
    """The trees of a forest, asked with > instead of >=: what is > b is >= the next larger number."""

    def __init__(self, forest: Forest, next_larger: float) -> None:
        self._forest, self._next_larger = forest, next_larger

    def query_all(self, threshold: float, points: Ints | None = None) -> SearchResult:
        """Find the pairs > the threshold."""
        return self._forest.query_all(self._next_larger, points)

    def add_product(self, firing: FiringSets, steps: Floats, basis: Floats) -> UpdateResult:
        """Repair the trees, as they should be."""
        return self._forest.add_product(firing, steps, basis)


class _OneNodeStale:
    """The trees of a forest, repaired but for one node, which keeps its value once.

    Attributes
    ----------
    stale : that node, from the move on that should have changed it until one does.
    """

    def __init__(self, forest: Forest) -> None:
        forest.may_compile = False
        self._forest, self._is_planted = forest, False
        self.stale: StaleNode | None = None

    def query_all(self, threshold: float, points: Ints | None = None) -> SearchResult:
        """Search the trees as they are."""
        self._threshold = threshold
        return self._forest.query_all(threshold, points)

    def add_product(self, firing: FiringSets, steps: Floats, basis: Floats) -> UpdateResult:
        """Repair the trees, and the first time that there is an occasion, leave out one node."""
        values = self._forest.values
        before = None if self._is_planted else values.copy()
        done = self._forest.add_product(firing, steps, basis)
        if self.stale is not None:
            tree, node, value = self.stale
            if values[node, tree] != value or value == values[2 * node : 2 * node + 2, tree].max():
                self.stale = None  # a later repair went through it
        if before is not None and (place := self._occasion(before, values)) is not None:
            node, tree = place
            done = self._plant(before[:, tree], node, tree, done)
        return done

    def _occasion(self, before: Floats, after: Floats) -> tuple[int, int] | None:
        """Return an inner node, and its tree, to be left out of a repair; None if the move offers none."""
        raise NotImplementedError

    def _plant(self, before: Floats, node: int, tree: int, done: UpdateResult) -> UpdateResult:
        """Give a node its old value, and those above it what a repair gives them that does not know of it."""
        values = self._forest.values[:, tree]
        skipped = 1
        self.stale, self._is_planted = StaleNode(tree, node, float(before[node])), True
        values[node] = before[node]
        while node := node // 2:
            children = slice(2 * node, 2 * node + 2)
            skipped += bool((values[children] == before[children]).all())  # no climb comes by
            values[node] = values[children].max()
        changed = np.flatnonzero(values[1:] != before[1:]) + 1
        levels = np.bincount(np.frexp(changed)[1] - 1, minlength=self._forest.num_levels)
        modified_levels = done.modified_levels.copy()
        modified_levels[tree] = levels
        return replace(done, modified_levels=modified_levels, num_operations=done.num_operations - skipped)


class _OneNodeTooSmall(_OneNodeStale):
    def _occasion(self, before: Floats, after: Floats) -> tuple[int, int] | None:
        """Return the parent of a leaf that comes to fire, so that the search will not find it; of these the largest.

        Its sibling must not have changed: that one's repair would go through the parent, too.
        """
        low = self._forest.num_leaves
        leaves = np.arange(low, 2 * low)
        is_missed = (after[low:] >= self._threshold) & (before[leaves // 2] < self._threshold)
        is_alone = (leaves > 1)[:, None] & (after[leaves ^ 1] == before[leaves ^ 1])
        row, tree = _largest(np.where(is_missed & is_alone, after[low:], -np.inf))
        return None if row < 0 else (int(leaves[row]) // 2, tree)


class _OneNodeTooLarge(_OneNodeStale):
    def _occasion(self, before: Floats, after: Floats) -> tuple[int, int] | None:
        """Return the node that falls most of those that fall from b or more below it: it will be entered in vain."""
        inner = slice(1, self._forest.num_leaves)
        falls = (before[inner] >= self._threshold) & (after[inner] < self._threshold)
        row, tree = _largest(np.where(falls, before[inner] - after[inner], -np.inf))
        return None if row < 0 else (row + 1, tree)


def _largest(table: Floats) -> tuple[int, int]:
    """Return where the largest number of a table stands; -1, -1 if it has none."""
    if not table.size or table.max() == -np.inf:
        return -1, -1
    row, column = divmod(int(table.argmax()), table.shape[1])
    return row, column

"""The paper's search: inner products live in max-trees, one per datapoint; only touched neurons are handled."""

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger, Stopwatch, forest_build_operations
from treeviz.model.network import InitialNetwork
from treeviz.model.types import Floats, Ints
from treeviz.search.forest.scan import scan_forest
from treeviz.search.forest.trees import Forest
from treeviz.search.implicit import ImplicitEngine
from treeviz.search.scan import Scan


class ForestEngine(ImplicitEngine):
    """Searches all trees in each iteration, and repairs them after the move (algorithm.md §2, §3)."""

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        drawing = Stopwatch()
        with ledger.time("build"):
            self._forest = Forest.from_blocks(network.num_drawn, data.num_points, network.leaf_blocks(drawing))
        self._forest.load_compiled_loops()  # by this project's rules, compiling is no part of training
        self.draw_seconds = drawing.seconds
        ledger.seconds["build"] -= drawing.seconds  # every method starts from given initial weights
        num_nodes = self._forest.num_nodes
        ledger.post("build", forest_build_operations(network.num_drawn, data.num_points, data.dimension), num_nodes)
        super().__init__(self._forest, data, network, config)
        # Of the neurons that fire at the start, for replay: only these ever move.
        self._initial_rows: tuple[Ints, Floats] | None = None

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of the trees, and of what a first iteration needs at the expected number of touched neurons."""
        return 8 * width * num_points * 4

    @property
    def forest(self) -> Forest:
        """The live forest."""
        return self._forest

    @property
    def num_bytes(self) -> int:
        """Bytes of the trees, of the weights' coefficients, and of the leaves kept for replay."""
        kept = sum(array.nbytes for array in self._initial_rows or ())
        return self._forest.values.nbytes + super().num_bytes + kept

    def _keep_starting(self, neurons: Ints) -> None:
        super()._keep_starting(neurons)
        self._initial_rows = (neurons, self._forest.leaves[neurons])

    def scan(self, X: Floats, threshold: float) -> Scan:
        """Look at every leaf and every inner node of the trees."""
        return scan_forest(self._forest, threshold)

    def initial_leaves(self, point: int) -> Floats | None:
        """Return the leaves of neurons that never moved as they are, the others as they were kept.

        Safe while another thread trains: kept rows are set before the first leaf changes, and only they change.
        """
        leaves = self._forest.leaves[:, point].copy()
        if self._initial_rows is not None:
            neurons, rows = self._initial_rows
            leaves[neurons] = rows[:, point]
        return leaves

    def initial_rows(self, neurons: Ints) -> Floats | None:
        """Do what `initial_leaves` does for whole rows, as safely. Cost: u * (n + log |U(0)|)."""
        rows = np.array(self._forest.leaves[neurons])
        if self._initial_rows is not None and self._initial_rows[0].size:
            moving, kept = self._initial_rows
            places = moving.searchsorted(neurons)
            moves = moving.take(places, mode="clip") == neurons
            rows[moves] = kept[places[moves]]
        return rows

"""The paper's method: inner products live in max-trees, one per datapoint."""

from collections.abc import Iterator

import numpy as np

from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger, Stopwatch, forest_build_operations
from treeviz.model.network import Signs, initial_weight_blocks, leaf_blocks
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import Sensed
from treeviz.search.forest.trees import Forest
from treeviz.search.implicit import TrainedTrees


class ForestEngine:
    """The paper's: inner products live in max-trees, weights are implicit, only touched neurons are handled."""

    def __init__(self, X: Floats, signs: Signs, config: TrainConfig, ledger: Ledger) -> None:
        drawing = Stopwatch()
        weight_blocks = drawing.over(initial_weight_blocks(config.seed, config.width, X.shape[1]))
        with ledger.time("build"):
            self.forest = Forest.from_blocks(config.width, X.shape[0], leaf_blocks(X, weight_blocks))
        self.forest.load_compiled_loops()  # by this project's rules, compiling is no part of training
        self.draw_seconds = drawing.seconds
        ledger.seconds["build"] -= drawing.seconds  # every method starts from given initial weights
        ledger.post("build", forest_build_operations(config.width, *X.shape))
        self._trained = TrainedTrees(self.forest, X, np.asarray(signs), config)
        # Of the neurons that fire at the start, for replay: only these ever move.
        self._initial_rows: tuple[Ints, Floats] | None = None

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of the trees, and of what a first iteration needs at the expected number of touched neurons."""
        return 8 * width * num_points * 4

    @property
    def num_bytes(self) -> int:
        """Bytes of the trees, of the weights' coefficients, and of the leaves kept for replay."""
        kept = sum(array.nbytes for array in self._initial_rows or ())
        return self.forest.values.nbytes + self._trained.num_bytes + kept

    def sense(self, ledger: Ledger, batch: Ints | None = None) -> Sensed:
        """Query all trees, or those of a batch; outputs from the leaves reached."""
        sensed = self._trained.sense(ledger, batch)
        if self._initial_rows is None:
            self._initial_rows = (sensed.firing.neurons, self.forest.leaves[sensed.firing.neurons])
        return sensed

    def move(self, sensed: Sensed, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the coefficients of the firing pairs, then the leaves of the touched neurons and their ancestors."""
        return self._trained.move(sensed, dual_step, ledger)

    def weights(self, neurons: Ints | None) -> Floats:
        """Redraw W(0) and add the coefficients times X."""
        return self._trained.weights(neurons)

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Redraw W(0) block by block and add the coefficients times X."""
        return self._trained.weight_blocks()

    def initial_leaves(self, point: int) -> Floats | None:
        """Return the leaves of neurons that never moved as they are, the others as they were kept.

        Safe while another thread trains: kept rows are set before the first leaf changes, and only they change.
        """
        leaves = self.forest.leaves[:, point].copy()
        if self._initial_rows is not None:
            neurons, rows = self._initial_rows
            leaves[neurons] = rows[:, point]
        return leaves

    def initial_rows(self, neurons: Ints) -> Floats | None:
        """Do what `initial_leaves` does for whole rows, as safely. Cost: u * (n + log |U(0)|)."""
        rows = np.array(self.forest.leaves[neurons])
        if self._initial_rows is not None and self._initial_rows[0].size:
            moving, kept = self._initial_rows
            places = moving.searchsorted(neurons)
            moves = moving.take(places, mode="clip") == neurons
            rows[moves] = kept[places[moves]]
        return rows

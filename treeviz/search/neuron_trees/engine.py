"""Neuron trees as a search: who fires is read off one small tree per neuron."""

from collections.abc import Iterator

import numpy as np

from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger, Stopwatch, neuron_trees_build_operations
from treeviz.model.network import Signs, initial_weight_blocks, leaf_blocks
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import Sensed
from treeviz.search.implicit import TrainedTrees
from treeviz.search.neuron_trees.trees import NeuronTrees


class NeuronTreesEngine:
    """Alman et al.'s second structure: m trees over the datapoints, weights implicit as with the forest."""

    def __init__(self, X: Floats, signs: Signs, config: TrainConfig, ledger: Ledger) -> None:
        drawing = Stopwatch()
        weight_blocks = drawing.over(initial_weight_blocks(config.seed, config.width, X.shape[1]))
        with ledger.time("build"):
            self.trees = NeuronTrees(config.width, len(X), leaf_blocks(X, weight_blocks))
        self.draw_seconds = drawing.seconds
        ledger.seconds["build"] -= drawing.seconds
        ledger.post("build", neuron_trees_build_operations(config.width, *X.shape))
        self._trained = TrainedTrees(self.trees, X, np.asarray(signs), config)

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of the trees, and of what a first iteration needs at the expected number of touched neurons."""
        return 8 * width * num_points * 4

    @property
    def num_bytes(self) -> int:
        """Bytes of the trees and of the weights' coefficients."""
        return self.trees.values.nbytes + self._trained.num_bytes

    def sense(self, ledger: Ledger, batch: Ints | None = None) -> Sensed:
        """Query all trees. A batch saves nothing here: a tree holds a neuron's products with all datapoints."""
        return self._trained.sense(ledger, batch)

    def move(self, sensed: Sensed, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the coefficients of the firing pairs, then rebuild the trees of the touched neurons."""
        return self._trained.move(sensed, dual_step, ledger)

    def weights(self, neurons: Ints | None) -> Floats:
        """Redraw W(0) and add the coefficients times X."""
        return self._trained.weights(neurons)

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Redraw W(0) block by block and add the coefficients times X."""
        return self._trained.weight_blocks()

    def initial_leaves(self, point: int) -> Floats | None:
        """Return None: initial inner products are not kept."""
        return None

    def initial_rows(self, neurons: Ints) -> Floats | None:
        """Return None, as `initial_leaves` does."""
        return None

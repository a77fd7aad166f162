"""Neuron trees as a search: who fires is read off one small tree per neuron."""

from collections.abc import Iterator

import numpy as np

from treeviz.config import TrainConfig
from treeviz.engines.base import Sensed
from treeviz.ledger import Ledger, Stopwatch, forward_operations, neuron_trees_build_operations
from treeviz.network import (
    FiringSets,
    Floats,
    ImplicitWeights,
    Ints,
    initial_weight_blocks,
    leaf_blocks,
    outputs_from_pairs,
    pair_steps,
)
from treeviz.neuron_trees import NeuronTrees
from treeviz.regression import SparseJacobian


class NeuronTreesEngine:
    """Alman et al.'s second structure: m trees over the datapoints, weights implicit as with the forest."""

    def __init__(self, X: Floats, signs: Floats, config: TrainConfig, ledger: Ledger) -> None:
        self._X, self._gram, self._signs = X, X @ X.T, signs
        self._threshold = config.resolved_threshold
        self._implicit = ImplicitWeights(X, signs, config.seed)
        self._knows_who_moves = False
        drawing = Stopwatch()
        weight_blocks = drawing.over(initial_weight_blocks(config.seed, config.width, X.shape[1]))
        with ledger.time("build"):
            self.trees = NeuronTrees(config.width, len(X), leaf_blocks(X, weight_blocks))
        self.draw_seconds = drawing.seconds
        ledger.seconds["build"] -= drawing.seconds
        ledger.post("build", neuron_trees_build_operations(config.width, *X.shape))

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int) -> int:
        """Memory of the trees, and of what a first iteration needs at the expected number of touched neurons."""
        return 8 * width * num_points * 4

    @property
    def num_bytes(self) -> int:
        """Bytes of the trees and of the weights' coefficients."""
        return self.trees.values.nbytes + self._implicit.num_bytes

    def sense(self, ledger: Ledger, batch: Ints | None = None) -> Sensed:
        """Query all trees. A batch saves nothing here: a tree holds a neuron's products with all datapoints."""
        with ledger.time("search"):
            found = self.trees.query_all(self._threshold)
            firing, products = found.firing, found.products
            if not self._knows_who_moves:
                self._knows_who_moves = True
                self._implicit.keep(firing.neurons)
            if batch is not None:
                is_wanted = np.isin(firing.points, batch)
                neurons = np.repeat(firing.neurons, firing.degrees)[is_wanted]
                firing = FiringSets.from_pairs(neurons, firing.points[is_wanted], firing.num_points)
                products = products[is_wanted]
        ledger.post("search", int(found.num_visited.sum()))
        with ledger.time("forward"):
            outputs = outputs_from_pairs(firing, products, self._signs, self._threshold)
        num_points = outputs.size if batch is None else batch.size
        ledger.post("forward", forward_operations(firing.num_pairs, num_points))
        with ledger.time("jacobian"):
            jacobian = SparseJacobian(firing, self._X, self._signs.size)
        return Sensed(firing, outputs, jacobian, found.visited_levels)

    def move(self, firing: FiringSets, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the coefficients of the firing pairs, then rebuild the trees of the touched neurons."""
        with ledger.time("move"):
            steps = pair_steps(firing, dual_step, self._signs)
            self._implicit.add(firing, steps)
        ledger.post("move", firing.num_pairs)
        with ledger.time("repair"):
            update = self.trees.add_product(firing, steps, self._gram)
        ledger.post("repair", firing.num_pairs * dual_step.size + update.num_operations)
        return update.modified_levels

    def weights(self, neurons: Ints | None) -> Floats:
        """Redraw W(0) and add the coefficients times X."""
        return self._implicit.rows(neurons)

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Redraw W(0) block by block and add the coefficients times X."""
        return self._implicit.blocks()

    def initial_leaves(self, point: int) -> Floats | None:
        """Return None: initial inner products are not kept."""
        return None

    def initial_rows(self, neurons: Ints) -> Floats | None:
        """Return None, as `initial_leaves` does."""
        return None

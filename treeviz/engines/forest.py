"""The paper's method: inner products live in max-trees, one per datapoint."""

from collections.abc import Iterator

import numpy as np

from treeviz.config import TrainConfig
from treeviz.engines.base import Sensed
from treeviz.forest import Forest
from treeviz.ledger import Ledger, Stopwatch, forest_build_operations, forward_operations
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
from treeviz.regression import SparseJacobian


class ForestEngine:
    """The paper's: inner products live in max-trees, weights are implicit, only touched neurons are handled."""

    def __init__(self, X: Floats, signs: Floats, config: TrainConfig, ledger: Ledger) -> None:
        self._X, self._gram, self._signs = X, X @ X.T, signs
        self._threshold = config.resolved_threshold
        self._implicit = ImplicitWeights(X, signs, config.seed)
        self._initial_rows: tuple[Ints, Floats] | None = None
        drawing = Stopwatch()
        weight_blocks = drawing.over(initial_weight_blocks(config.seed, config.width, X.shape[1]))
        with ledger.time("build"):
            self.forest = Forest.from_blocks(config.width, X.shape[0], leaf_blocks(X, weight_blocks))
        self.forest.load_compiled_loops()  # by this project's rules, compiling is no part of training
        self.draw_seconds = drawing.seconds
        ledger.seconds["build"] -= drawing.seconds  # every method starts from given initial weights
        ledger.post("build", forest_build_operations(config.width, *X.shape))

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int) -> int:
        """Memory of the trees, and of what a first iteration needs at the expected number of touched neurons."""
        return 8 * width * num_points * 4

    @property
    def num_bytes(self) -> int:
        """Bytes of the trees, of the weights' coefficients, and of the leaves kept for replay."""
        kept = sum(array.nbytes for array in self._initial_rows or ())
        return self.forest.values.nbytes + self._implicit.num_bytes + kept

    def sense(self, ledger: Ledger, batch: Ints | None = None) -> Sensed:
        """Query all trees, or those of a batch; outputs from the leaves reached."""
        with ledger.time("search"):
            found = self.forest.query_all(self._threshold, batch)
        ledger.post("search", int(found.num_visited.sum()))
        if self._initial_rows is None:  # of the neurons that fire at the start, for replay: only these ever move
            self._initial_rows = (found.firing.neurons, self.forest.leaves[found.firing.neurons])
            self._implicit.keep(found.firing.neurons)
        with ledger.time("forward"):
            outputs = outputs_from_pairs(found.firing, found.products, self._signs, self._threshold)
        num_points = outputs.size if batch is None else batch.size
        ledger.post("forward", forward_operations(found.firing.num_pairs, num_points))
        with ledger.time("jacobian"):
            jacobian = SparseJacobian(found.firing, self._X, self._signs.size)
        return Sensed(found.firing, outputs, jacobian, found.visited_levels)

    def move(self, firing: FiringSets, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the coefficients of the firing pairs, then the leaves of the touched neurons and their ancestors."""
        with ledger.time("move"):
            steps = pair_steps(firing, dual_step, self._signs)
            self._implicit.add(firing, steps)
        ledger.post("move", firing.num_pairs)
        with ledger.time("repair"):
            update = self.forest.add_product(firing, steps, self._gram)
        ledger.post("repair", firing.num_pairs * dual_step.size + update.num_operations)
        return update.modified_levels

    def weights(self, neurons: Ints | None) -> Floats:
        """Redraw W(0) and add the coefficients times X."""
        return self._implicit.rows(neurons)

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Redraw W(0) block by block and add the coefficients times X."""
        return self._implicit.blocks()

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

"""What the engines with trees have in common: weights are implicit, inner products live in the trees."""

from collections.abc import Iterator
from typing import Protocol

from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets, outputs_from_pairs, pair_steps
from treeviz.model.ledger import Ledger, forward_operations
from treeviz.model.network import ImplicitWeights
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import Sensed
from treeviz.search.forest.trees import SearchResult, UpdateResult
from treeviz.solve.jacobian import SparseJacobian


class Trees(Protocol):
    """A structure over all inner products that is searched by threshold and repaired for the neurons that moved."""

    def query_all(self, threshold: float, points: Ints | None = None) -> SearchResult:
        """Find the pairs >= the threshold, of all datapoints or of some."""

    def add_product(self, firing: FiringSets, steps: Floats, basis: Floats) -> UpdateResult:
        """Add to the leaves of the firing neurons and repair what lies above."""


class TrainedTrees:
    """A network whose inner products are kept in trees."""

    def __init__(self, trees: Trees, X: Floats, signs: Floats, config: TrainConfig) -> None:
        self._trees, self._X, self._gram, self._signs = trees, X, X @ X.T, signs
        self._threshold = config.resolved_threshold
        self._implicit = ImplicitWeights(X, signs, config.seed)
        self._knows_who_moves = False

    @property
    def num_bytes(self) -> int:
        """Bytes of the weights' coefficients."""
        return self._implicit.num_bytes

    def sense(self, ledger: Ledger, batch: Ints | None) -> Sensed:
        """Search; outputs from the leaves reached."""
        with ledger.time("search"):
            found = self._trees.query_all(self._threshold, batch)
        ledger.post("search", int(found.num_visited.sum()))
        if not self._knows_who_moves:  # those that fire at the start, and no others
            self._knows_who_moves = True
            self._implicit.keep(found.firing.neurons)
        with ledger.time("forward"):
            outputs = outputs_from_pairs(found.firing, found.products, self._signs, self._threshold)
        num_points = outputs.size if batch is None else batch.size
        ledger.post("forward", forward_operations(found.firing.num_pairs, num_points))
        with ledger.time("jacobian"):
            jacobian = SparseJacobian(found.firing, self._X, self._signs.size)
        return Sensed(lambda: found.firing, outputs, jacobian, found.visited_levels)

    def move(self, sensed: Sensed, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the coefficients of the firing pairs, then the leaves of the touched neurons and what lies above."""
        firing = sensed.firing
        with ledger.time("move"):
            steps = pair_steps(firing, dual_step, self._signs)
            self._implicit.add(firing, steps)
        ledger.post("move", firing.num_pairs)
        with ledger.time("repair"):
            update = self._trees.add_product(firing, steps, self._gram)
        ledger.post("repair", firing.num_pairs * dual_step.size + update.num_operations)
        return update.modified_levels

    def weights(self, neurons: Ints | None) -> Floats:
        """Redraw W(0) and add the coefficients times X."""
        return self._implicit.rows(neurons)

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Redraw W(0) block by block and add the coefficients times X."""
        return self._implicit.blocks()

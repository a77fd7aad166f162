"""What searches that keep all inner products have in common: they are brought up to date, and weights are implicit."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets, outputs_from_pairs, pair_steps
from treeviz.model.ledger import Ledger, forward_operations
from treeviz.model.network import ImplicitWeights, InitialNetwork
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import Engine, Evaluation
from treeviz.search.results import SearchResult, UpdateResult
from treeviz.solve.jacobian import SparseJacobian


class Products(Protocol):
    """A structure over inner products that is searched by threshold and repaired for the neurons that moved."""

    def query_all(self, threshold: float, points: Ints | None = None) -> SearchResult:
        """Find the pairs >= the threshold, of all datapoints or of some."""

    def add_product(self, firing: FiringSets, steps: Floats, basis: Floats) -> UpdateResult:
        """Add to the inner products of the firing neurons and repair what depends on them."""


class ImplicitEngine(Engine):
    """A network whose inner products are kept, in trees or in a table that a subclass builds.

    Parameters
    ----------
    products : hold the inner products at the initial weights, of all neurons or of those that fire.
    data, network, config : of the run.

    Attributes
    ----------
    products : what is asked for the inner products and told of the moves.
    """

    def __init__(self, products: Products, data: Dataset, network: InitialNetwork, config: TrainConfig) -> None:
        self.products = products
        self._X, self._gram, self._signs = data.X, data.gram, np.asarray(network.signs)
        self._threshold = config.resolved_threshold
        self._width, self._implicit = network.width, ImplicitWeights(data.X, network)
        self._has_searched = False

    @property
    def num_bytes(self) -> int:
        """Bytes of the weights' coefficients; the subclass adds those of its inner products."""
        return self._implicit.num_bytes

    def evaluate(self, ledger: Ledger, batch: Ints | None = None) -> Evaluation:
        """Search the inner products; outputs come from those found."""
        with ledger.time("search"):
            found = self.products.query_all(self._threshold, batch)
        num_visited = int(found.num_visited.sum())
        ledger.post("search", num_visited + found.num_compared, num_visited)
        if not self._has_searched:  # the neurons that fire at the start, and no others, ever move
            self._keep_starting(found.firing.neurons)
            self._has_searched = True
        with ledger.time("forward"):
            outputs = outputs_from_pairs(found.firing, found.products, self._signs, self._threshold, self._width)
        num_points = outputs.size if batch is None else batch.size
        ledger.post("forward", forward_operations(found.firing.num_pairs, num_points))
        with ledger.time("jacobian"):
            jacobian = SparseJacobian(found.firing, self._X, self._width)
        return Evaluation(lambda: found.firing, outputs, jacobian, found.visited_levels)

    def _keep_starting(self, neurons: Ints) -> None:
        """Make room for what changes of the neurons that fire at the start."""
        self._implicit.keep(neurons)

    def move(self, evaluation: Evaluation, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the coefficients of the firing pairs, then the inner products of the touched neurons."""
        firing = evaluation.firing
        with ledger.time("move"):
            steps = pair_steps(firing, dual_step, self._signs, self._width)
            self._implicit.add(firing, steps)
        ledger.post("move", firing.num_pairs)
        with ledger.time("repair"):
            update = self.products.add_product(firing, steps, self._gram)
        num_changes = firing.num_pairs * dual_step.size + update.num_written
        ledger.post("repair", num_changes + update.num_operations, update.num_operations)
        return update.modified_levels

    def weights(self, neurons: Ints | None) -> Floats:
        """Redraw W(0) and add the coefficients times X."""
        return self._implicit.rows(neurons)

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Redraw W(0) block by block and add the coefficients times X."""
        return self._implicit.blocks()

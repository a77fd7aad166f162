"""A compact table: inner products of the neurons that fire at the start, all read in each iteration, and no trees."""

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Ledger, Stopwatch, table_build_operations
from treeviz.model.network import InitialNetwork, firing_probability, paper_threshold
from treeviz.model.types import Floats, Ints
from treeviz.search.implicit import ImplicitEngine
from treeviz.search.results import SearchResult, UpdateResult


class ProductTable:
    """Inner products of some neurons with all datapoints, in a flat array.

    Parameters
    ----------
    neurons : (k,) ascending.
    values : (k, n), which is changed in place.
    """

    def __init__(self, neurons: Ints, values: Floats) -> None:
        self.neurons, self.values = neurons, values

    def query_all(self, threshold: float, points: Ints | None = None) -> SearchResult:
        """Find all pairs whose inner product is >= `threshold`, by reading all; ties count. Of some `points` only.

        Cost: k * n comparisons, or k for each of the points.
        """
        num_points = self.values.shape[1]
        wanted = np.arange(num_points) if points is None else points
        values = self.values if points is None else self.values[:, points]
        places = np.flatnonzero(values >= threshold)
        rows, columns = np.divmod(places, wanted.size)
        firing = FiringSets.from_pairs(self.neurons[rows], wanted[columns], num_points)
        no_levels = np.zeros((num_points, 0), dtype=np.int64)
        return SearchResult(firing, values.reshape(-1)[places], no_levels, num_compared=values.size)

    def add_product(self, firing: FiringSets, steps: Floats, basis: Floats) -> UpdateResult:
        """Add the rows of a sparse matrix times `basis`, (n, n), to those of the touched neurons.

        The matrix has `steps[p]` at firing pair p. Cost: n * num_pairs, and n numbers written a touched neuron.
        """
        rows = self.neurons.searchsorted(firing.neurons)
        self.values[rows] += firing.matrix(steps) @ basis
        num_points = self.values.shape[1]
        no_levels = np.zeros((num_points, 0), dtype=np.int64)
        return UpdateResult(no_levels, 0, None, num_written=rows.size * num_points)


class TableEngine(ImplicitEngine):
    """Compaction without recomputing: a table of U(0) times n inner products, kept up to date through K.

    One dense pass finds U(0), the neurons that fire on at least one datapoint; no other ever moves (algorithm.md §5.1).
    The forest's move and repair remain, and its trees do not: every iteration reads the whole table.
    """

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        threshold = config.resolved_threshold
        neurons, values = [], []
        drawing = Stopwatch()
        with ledger.time("build"):
            for first, rows in network.leaf_blocks(drawing):
                fires = np.flatnonzero(rows.max(axis=1) >= threshold)
                neurons.append(first + fires)
                values.append(rows[fires])
            self._table = ProductTable(np.concatenate(neurons), np.concatenate(values))
        self.draw_seconds = drawing.seconds
        ledger.seconds["build"] -= drawing.seconds  # every method starts from given initial weights
        num_kept = self._table.neurons.size
        ledger.post("build", table_build_operations(network.num_drawn, data.num_points, data.dimension, num_kept))
        super().__init__(self._table, data, network, config)

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of the table, of the coefficients, and of what a first iteration needs at the expected |U(0)|."""
        threshold = paper_threshold(width) if threshold is None else threshold
        touched = width * min(1.0, num_points * firing_probability(threshold))
        return int(8 * touched * num_points * 5) + 12 * width + (1 << 24)

    @property
    def num_bytes(self) -> int:
        """Bytes of the table and of the weights' coefficients."""
        return self._table.values.nbytes + self._table.neurons.nbytes + super().num_bytes

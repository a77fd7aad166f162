"""Compaction: one dense pass finds the neurons that fire at all; the rest are dropped, for they never will."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Ledger, Stopwatch, compaction_operations
from treeviz.model.network import InitialNetwork
from treeviz.model.types import Floats, Ints
from treeviz.search.dense import DenseEngine, DenseNeurons
from treeviz.search.engine import Engine, Evaluation


class StartingNeurons:
    """U(0), the neurons that fire on at least one datapoint at the start, with explicit weights (algorithm.md §5.1).

    The pass that finds them streams over blocks of neurons and keeps only the weights of those that fire.

    Attributes
    ----------
    neurons : (|U(0)|,) ascending.
    W : (|U(0)|, d) their weights, which training changes in place.
    draw_seconds : the time it took to draw the initial weights.
    """

    def __init__(self, X: Floats, network: InitialNetwork, threshold: float, ledger: Ledger) -> None:
        self._network = network
        neurons, weights = [], []
        drawing = Stopwatch()
        with ledger.time("build"):
            for first, rows in drawing.over(network.weight_blocks()):
                fires = np.flatnonzero((rows @ X.T).max(axis=1) >= threshold)
                neurons.append(first + fires)
                weights.append(rows[fires])
            self.neurons = np.concatenate(neurons)
            self.W = np.concatenate(weights)
        self.draw_seconds = drawing.seconds
        ledger.seconds["build"] -= drawing.seconds
        ledger.post("build", compaction_operations(network.num_drawn, len(X), X.shape[1], self.neurons.size))

    @property
    def num_bytes(self) -> int:
        """Bytes of the neurons and their weights."""
        return self.neurons.nbytes + self.W.nbytes

    def weights(self, neurons: Ints | None) -> Floats:
        """Redraw W(0), or some of its rows, and put the rows kept in their places."""
        drawn = self._network.weights(neurons)
        if neurons is None:
            drawn[self.neurons] = self.W
        elif self.neurons.size:
            places = self.neurons.searchsorted(neurons)
            is_kept = self.neurons.take(places, mode="clip") == neurons
            drawn[is_kept] = self.W[places[is_kept]]
        return drawn

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Redraw W(0) block by block, with the rows kept in their places."""
        for first, rows in self._network.weight_blocks():
            low, high = self.neurons.searchsorted([first, first + len(rows)])
            rows[self.neurons[low:high] - first] = self.W[low:high]
            yield first, rows


class CompactEngine(Engine):
    """The dense method on U(0), the neurons that fire on at least one datapoint at the start (algorithm.md §5.1).

    A neuron that fires on no datapoint has no gradient, so it never moves and never fires: dropping it changes nothing.
    """

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        self._kept = StartingNeurons(data.X, network, config.resolved_threshold, ledger)
        self.draw_seconds = self._kept.draw_seconds
        self._few = DenseNeurons(self._kept.W, network.signs[self._kept.neurons], data.X, config)

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory if every neuron fired, which is that of the dense method."""
        return DenseEngine.required_bytes(width, num_points, dimension)

    @property
    def num_bytes(self) -> int:
        """Bytes of what is kept of the neurons that fire."""
        return self._few.num_bytes + self._kept.neurons.nbytes

    def evaluate(self, ledger: Ledger, batch: Ints | None = None) -> Evaluation:
        """Recompute the inner products of the neurons kept."""
        evaluation = self._few.evaluate(ledger, batch)

        def find_firing() -> FiringSets:
            few = evaluation.firing
            return FiringSets(self._kept.neurons[few.neurons], few.indptr, few.points, few.num_points)

        return replace(evaluation, find_firing=find_firing)

    def move(self, evaluation: Evaluation, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the rows of the neurons kept that fire somewhere."""
        self._few.move(dual_step, ledger)
        return np.zeros((dual_step.size, 0), dtype=np.int64)

    def weights(self, neurons: Ints | None) -> Floats:
        """Redraw W(0) and put the rows kept in their places."""
        return self._kept.weights(neurons)

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Redraw W(0) block by block, with the rows kept in their places."""
        return self._kept.weight_blocks()

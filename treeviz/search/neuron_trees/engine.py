"""Neuron trees as a search: which neurons fire is read off one small tree per neuron."""

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger, Stopwatch, neuron_trees_build_operations
from treeviz.model.network import InitialNetwork
from treeviz.search.implicit import ImplicitEngine
from treeviz.search.neuron_trees.trees import NeuronTrees


class NeuronTreesEngine(ImplicitEngine):
    """Alman et al.'s second structure: m trees over the datapoints, weights implicit as with the forest.

    A mini-batch saves nothing here: a tree holds a neuron's products with all datapoints.
    """

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        drawing = Stopwatch()
        with ledger.time("build"):
            self.trees = NeuronTrees(network.num_drawn, data.num_points, network.leaf_blocks(drawing))
        self.draw_seconds = drawing.seconds
        ledger.seconds["build"] -= drawing.seconds
        num_nodes = (2 * data.num_points - 1) * network.num_drawn
        operations = neuron_trees_build_operations(network.num_drawn, data.num_points, data.dimension)
        ledger.post("build", operations, num_nodes)
        super().__init__(self.trees, data, network, config)

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of the trees, and of what a first iteration needs at the expected number of touched neurons."""
        return 8 * width * num_points * 4

    @property
    def num_bytes(self) -> int:
        """Bytes of the trees and of the weights' coefficients."""
        return self.trees.values.nbytes + super().num_bytes

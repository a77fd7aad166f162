"""Ways to find the firing neurons and to move the weights, by the names `TrainConfig.search` has for them.

An engine owns the state of the weights in the form its method keeps. It posts what it does to the ledger it is handed;
making the firing sets of the record is not charged to anybody, in operations or in seconds.
"""

from treeviz.search.compact import CompactEngine
from treeviz.search.dense import DenseEngine
from treeviz.search.engine import Engine, EngineMaker, Sensed
from treeviz.search.forest.engine import ForestEngine
from treeviz.search.neuron_trees.engine import NeuronTreesEngine
from treeviz.search.watch.engine import WatchEngine

ENGINES: dict[str, EngineMaker] = {
    "forest": ForestEngine,
    "dense": DenseEngine,
    "compact": CompactEngine,
    "neuron-trees": NeuronTreesEngine,
    "watch": WatchEngine,
}

__all__ = [
    "ENGINES",
    "CompactEngine",
    "DenseEngine",
    "Engine",
    "EngineMaker",
    "ForestEngine",
    "NeuronTreesEngine",
    "Sensed",
    "WatchEngine",
]

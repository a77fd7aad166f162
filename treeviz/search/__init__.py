"""Ways to find the firing neurons and to move the weights, each a package or a file with an `Engine` of its own."""

import importlib
from typing import cast

from treeviz.model.config import FAULTS, SEARCHES, TrainConfig
from treeviz.model.network import InitialNetwork, WholeNetwork
from treeviz.model.types import Floats
from treeviz.search.engine import EngineMaker


def find_engine(search: str, fault: str | None = None) -> EngineMaker:
    """Return the engine of a search by its name in `SEARCHES`; imported when it is first asked for.

    With a `fault`, that of the same search with the fault planted, by its name in `FAULTS`.
    """
    module, _, name = (FAULTS[fault][1] if fault else SEARCHES[search]).rpartition(".")
    return cast(EngineMaker, getattr(importlib.import_module(module), name))


def initial_network(X: Floats, config: TrainConfig) -> InitialNetwork:
    """Return the network that a run on the datapoints X, (n, d), starts from."""
    return WholeNetwork(X, config.seed, config.width)

"""Ways to find the firing neurons and to move the weights, each a package or a file with an `Engine` of its own."""

import importlib
import math
from typing import cast

from treeviz.data.dataset import Dataset
from treeviz.model.config import FAULTS, SEARCHES, TrainConfig
from treeviz.model.network import InitialNetwork, WholeNetwork
from treeviz.model.types import Floats
from treeviz.search.block_drawer import proposal_chance
from treeviz.search.engine import EngineMaker
from treeviz.search.firing_network import FiringNetwork, expected_proposals
from treeviz.search.watch.screening import drawn_bytes


def find_engine(search: str, fault: str | None = None) -> EngineMaker:
    """Return the engine of a search by its name in `SEARCHES`; imported when it is first asked for.

    With a `fault`, that of the same search with the fault planted, by its name in `FAULTS`.
    """
    module, _, name = (FAULTS[fault][1] if fault else SEARCHES[search]).rpartition(".")
    return cast(EngineMaker, getattr(importlib.import_module(module), name))


def initial_network(X: Floats, config: TrainConfig) -> InitialNetwork:
    """Return the network that a run on the datapoints X, (n, d), starts from."""
    if draws_firing(config, len(X)):
        return FiringNetwork(X, config.seed, config.width, config.resolved_threshold)
    return WholeNetwork(X, config.seed, config.width)


def draws_firing(config: TrainConfig, num_points: int) -> bool:
    """Return whether only the neurons that fire are drawn: if it is asked for and possible on n datapoints."""
    return config.draw == "firing" and proposal_chance(num_points, config.resolved_threshold) <= 1


def required_bytes(maker: EngineMaker, data: Dataset, config: TrainConfig) -> int:
    """Return the memory that an engine needs for a run, about, the first iteration included."""
    threshold, shape = config.resolved_threshold, (data.num_points, data.dimension)
    if not draws_firing(config, data.num_points):
        return maker.required_bytes(config.width, *shape, threshold)
    if config.search == "watch":
        return drawn_bytes(data, config)
    drawn = math.ceil(expected_proposals(config.width, data.num_points, threshold))
    return maker.required_bytes(drawn, *shape, 0.0)  # each of those drawn fires

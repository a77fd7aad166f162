"""One shard: a part of the neurons with their watch lists, and how the whole is cut."""

from dataclasses import dataclass, replace

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.types import Floats, Ints
from treeviz.search.compiled import in_one_thread
from treeviz.search.firing_network import FiringNetwork
from treeviz.search.scan import Scan
from treeviz.search.watch.engine import build_lists
from treeviz.search.watch.lists import Moved, WatchLists
from treeviz.search.watch.sums import Sums

# Never more shards than this: each sends n numbers. Enough for all threads of a cluster to have a share.
_MAX_SHARDS = 64

# What happens to all shards: a dual step, (n,), or None where outputs are summed up again.
Event = Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the shards of a run share.

    Attributes
    ----------
    data, config : of the run.
    skin : of its lists.
    num_shards : how many there are; the network alone decides, not the workers.
    """

    data: Dataset
    config: TrainConfig
    skin: float
    num_shards: int

    @classmethod
    def of(cls, data: Dataset, network: FiringNetwork, config: TrainConfig, skin: float) -> "Plan":
        """Cut a network into shards."""
        return cls(data, config, skin, min(_MAX_SHARDS, network.num_blocks))


@dataclass(frozen=True, slots=True)
class Built:
    """What building a shard found.

    Attributes
    ----------
    num_drawn, sum_of_signs : of its neurons.
    size_counts : (n + 1,) how many lists have so many pairs.
    draw_seconds, seconds : what drawing took, and all of building.
    """

    num_drawn: int
    sum_of_signs: float
    size_counts: tuple[int, ...]
    draw_seconds: float
    seconds: float


class Shard:
    """The lists of one part of a network after some events.

    Attributes
    ----------
    version : how many events it has seen.
    built : what building found.
    moved : what the last event took; at first, what the first look took.
    """

    def __init__(self, plan: Plan, number: int) -> None:
        from time import perf_counter

        config, start = plan.config, perf_counter()
        part = (number, plan.num_shards)
        network = FiringNetwork(plan.data.X, config.seed, config.width, config.resolved_threshold, part=part)
        with in_one_thread():
            built = build_lists(plan.data, network, config, plan.skin)
        assert isinstance(built.lists, WatchLists)
        self._lists, self._weights, self._network, self.version = built.lists, built.weights, network, 0
        self.moved = replace(Moved.nothing(), num_operations=built.look_operations)
        self.built = Built(
            network.num_drawn,
            network.sum_of_drawn_signs(),
            tuple(built.size_counts.tolist()),
            network.draw_seconds,
            perf_counter() - start,
        )

    def take(self, event: Event) -> None:
        """Let an event happen."""
        with in_one_thread():
            self.moved = self._lists.sum_up_again() if event is None else self._lists.shift(event)
        self.version += 1

    @property
    def sums(self) -> Sums:
        """What its neurons add to the outputs."""
        return self._lists.sums

    @property
    def num_bytes(self) -> int:
        """Bytes of the lists."""
        return self._lists.num_bytes

    def just_promoted(self) -> Ints:
        """Return the neurons that the last event promoted, numbered within the shard as everywhere here."""
        return self._lists.just_promoted

    def firing(self) -> FiringSets:
        """Return which neurons fire."""
        return self._lists.firing()

    def num_touched(self, points: Ints | None) -> int:
        """Return how many neurons fire on a datapoint, or on one of some."""
        firing = self._lists.firing()
        return (firing if points is None else firing.on(points)).neurons.size

    def moves(self, neurons: Ints | None) -> tuple[Ints, Floats]:
        """Return neurons that may have moved, and what times X is how far; with `neurons`, ascending, only of those."""
        return self._lists.moves(neurons)

    def outputs_at(self, X: Floats, first_neuron: int) -> Floats:
        """Return what its neurons add to the outputs at points, (q,), if so many are in the shards before it."""
        self._network.first_neuron = first_neuron
        with in_one_thread():
            return self._weights.outputs_at(X)

    def weights(self, neurons: Ints | None, first_neuron: int) -> Floats:
        """Return the weights of all or some of its neurons."""
        self._network.first_neuron = first_neuron
        with in_one_thread():
            return self._weights.rows(neurons)

    def scan(self, first_neuron: int) -> Scan:
        """Find by brute force which of its neurons fire."""
        self._network.first_neuron = first_neuron
        with in_one_thread():
            return self._weights.scan()


def join_firing(parts: list[FiringSets], firsts: Ints) -> FiringSets:
    """Put together the firing sets of all shards, in order; the neurons of shard k are numbered from firsts[k] on."""
    return FiringSets.joined(
        [
            FiringSets(part.neurons.astype(np.int64) + first, part.indptr, part.points, part.num_points)
            for part, first in zip(parts, firsts.tolist(), strict=True)
        ]
    )

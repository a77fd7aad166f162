"""The lists of a network as the process that trains sees them: it asks the workers, and adds up what they answer."""

import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.network import InitialNetwork
from treeviz.model.types import Floats, Ints
from treeviz.search.firing_network import FiringNetwork
from treeviz.search.sharded.shard import Event, Plan, join_firing
from treeviz.search.sharded.shards import Shards
from treeviz.search.sharded.weights import ShardedWeights, by_shard
from treeviz.search.sharded.worker import merge
from treeviz.search.watch.engine import Built
from treeviz.search.watch.lists import Moved
from treeviz.search.watch.sums import Renewal, Sums

if TYPE_CHECKING:
    from distributed import Client


def build_on(
    client: "Client",
    on_shard: Callable[[int, int], object],
    data: Dataset,
    network: InitialNetwork,
    config: TrainConfig,
    skin: float,
) -> Built:
    """Have the workers of a cluster build the lists of a network.

    `on_shard` is called with how many shards are built, and of how many.

    Raises
    ------
    ValueError
        If the shards would not fit in the memory of a worker, or no neuron fires.
    ClusterError
        If there are no workers, or they are lost again and again.
    """
    assert isinstance(network, FiringNetwork)
    start = time.perf_counter()
    shards = Shards(client, Plan.of(data, network, config, skin))
    built = list(merge(shards.ask("built", on_shard=on_shard)).values())
    network.require_neurons(sum(one.num_drawn for one in built))
    network.know(sum(one.num_drawn for one in built), sum(one.sum_of_signs for one in built))
    lists = ShardedLists(shards, [one.num_drawn for one in built])
    drawing = sum(one.draw_seconds for one in built) / sum(one.seconds for one in built)
    draw_seconds = drawing * (time.perf_counter() - start)
    sizes = np.sum([one.size_counts for one in built], axis=0)
    weights = ShardedWeights(shards, lists.firsts)
    return Built(lists, weights, sizes, lists.first_look.num_operations, draw_seconds, draw_seconds)


class ShardedLists:
    """Watch lists that the workers of a cluster keep, as the engine uses them.

    Attributes
    ----------
    gram, skin : K, (n, n), and how far below the threshold pairs are watched.
    first_look : what the first look at all neurons took.
    firsts : (shards + 1,) neurons in the shards before each, and in all.
    """

    def __init__(self, shards: "Shards", nums_drawn: Sequence[int]) -> None:
        plan = shards.plan
        self.gram, self.skin = plan.data.gram, plan.skin
        self._width, self._shards = plan.config.width, shards
        self.firsts = np.array([0, *accumulate(nums_drawn)], dtype=np.int64)
        self._totals = np.zeros(len(self.gram))
        self._num_bytes = 0
        self.first_look = self._read_totals()
        self._renewal = Renewal(self.gram, self._width, self._sums)

    def _read_totals(self) -> Moved:
        """Add up what the shards add to the outputs, in their order, and return what the last event took."""
        answers = list(self._shards.ask("totals"))
        offsets, turnover = np.add.accumulate(list(merge(one.parts for one in answers).values()))[-1]
        overlaps = sum(one.overlaps for one in answers)
        offsets[overlaps.diagonal() == 0] = 0.0  # no neuron fires there: what is left is round-off
        self._sums = Sums(overlaps, offsets, turnover)
        self._num_bytes = sum(one.num_bytes for one in answers)
        return sum((one.moved for one in answers), Moved.nothing())

    @property
    def num_bytes(self) -> int:
        """Bytes of the lists in all workers."""
        return self._num_bytes

    @property
    def overlaps(self) -> Ints:
        """C, (n, n)."""
        return self._sums.overlaps

    def outputs(self) -> Floats:
        """Return f, (n,). Cost: n^2."""
        return self._sums.outputs(self.gram, self._totals, self._width)

    def move(self, dual_step: Floats) -> Moved:
        """Move every neuron. One question to each worker, with n numbers, and answers of n x n and n a shard."""
        moved = self._take(dual_step)
        if self._renewal.is_due(self._sums, self._totals):
            moved += self._take(None)
            self._renewal.note(self._sums, self._totals)
        return moved

    def _take(self, event: Event) -> Moved:
        self._shards.take(event)
        self._totals = np.zeros_like(self._totals) if event is None else self._totals + event
        return self._read_totals()

    @property
    def just_promoted(self) -> Ints:
        """The neurons that the last move promoted. Cost: as many numbers are sent."""
        # A move may be two events, the second of which goes on with the promotions of the first.
        return self._numbered(merge(self._shards.ask("just_promoted")))

    def firing(self) -> FiringSets:
        """Return which neurons fire now; they are sent when they are asked for, which may be later.

        Then the shards are replayed. How many neurons fire is asked now.
        """
        version, counts = self._shards.version, self._sums.overlaps.diagonal().copy()

        def load() -> FiringSets:
            parts = merge(self._shards.ask("firing", version=version))
            return join_firing(list(parts.values()), self.firsts[:-1])

        def count(points: Ints | None) -> int:
            return sum(self._shards.ask("num_touched", points, version=version))

        return FiringSets.deferred(load, counts, count)

    def moves(self, neurons: Ints | None = None) -> tuple[Ints, Floats]:
        """Return neurons that may have moved, ascending, and what times X is how far, (u, n). Cost: all of it is sent.

        With `neurons`, only those of them, ascending.
        """
        wanted = None if neurons is None else by_shard(neurons, self.firsts)
        parts = merge(self._shards.ask("moves", wanted))
        moved = self._numbered({number: part[0] for number, part in parts.items()})
        return moved, np.concatenate([part[1] for part in parts.values()])

    def _numbered(self, parts: dict[int, Ints]) -> Ints:
        """Put together neurons of all shards, numbered as in the whole network."""
        return np.concatenate([part + self.firsts[number] for number, part in parts.items()])

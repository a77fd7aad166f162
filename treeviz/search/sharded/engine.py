"""The engine of a run on a cluster: watch lists that its workers keep."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger
from treeviz.model.network import InitialNetwork
from treeviz.search.firing_network import FiringNetwork
from treeviz.search.sharded.lists import build_on
from treeviz.search.watch.engine import WatchEngine

if TYPE_CHECKING:
    from distributed import Client


class ClusterEngine:
    """Makes a `WatchEngine` whose lists are kept by the workers of a cluster.

    Operations are those that the workers do, and in repairs a little other than in one process: neurons are woken in
    blocks of eight, which end where a shard ends, and a shard goes through its promoted neurons when it has a new one.

    Parameters
    ----------
    client : of the cluster.
    on_shard : called while shards are built, with how many are, and of how many.
    """

    def __init__(self, client: "Client", on_shard: Callable[[int, int], object] = lambda done, of: None) -> None:
        self._client, self._on_shard = client, on_shard

    def __call__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> WatchEngine:
        """Build the lists.

        Raises
        ------
        ValueError
            If the run cannot be done by a cluster; or as `build_on`.
        """
        if config.search != "watch" or config.draw != "firing" or config.fault:
            raise ValueError("a cluster trains with search='watch' and draw='firing', and without a planted fault")
        if config.method == "gauss-newton" and config.solver != "exact":
            raise ValueError(
                "a cluster trains with solver='exact': the sketch goes through all firing pairs, which stay where "
                "they are, and the exact solver needs no more than the n x n matrix that is gathered"
            )
        if not isinstance(network, FiringNetwork):
            raise ValueError(
                "a cluster draws only neurons that fire, and at this threshold they fire on so many datapoints "
                "(n p > 1) that all must be drawn: choose a higher threshold or fewer datapoints, or no cluster"
            )
        return WatchEngine(data, network, config, ledger, partial(build_on, self._client, self._on_shard))

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of the process that trains: some matrices of n x n."""
        return 100 * num_points**2 + (1 << 26)

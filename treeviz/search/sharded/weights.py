"""The weights of a network that the workers of a cluster draw: they compute, and send what is asked for."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from treeviz.model.network import BLOCK_ROWS
from treeviz.model.types import Floats, Ints
from treeviz.search.scan import Scan
from treeviz.search.sharded.shards import Shards
from treeviz.search.sharded.worker import merge


def by_shard(neurons: Ints, firsts: Ints) -> dict[int, Ints]:
    """Cut ascending neurons into those of each shard, numbered within it."""
    cuts = np.split(neurons, neurons.searchsorted(firsts[1:-1]))
    return {number: cut - firsts[number] for number, cut in enumerate(cuts)}


class ShardedWeights:
    """The current weights, of which this process holds what it asks for.

    Parameters
    ----------
    shards : of the run.
    firsts : (shards + 1,) neurons in the shards before each, and in all.
    """

    def __init__(self, shards: Shards, firsts: Ints) -> None:
        self._shards, self._firsts = shards, firsts

    def rows(self, neurons: Ints | None) -> Floats:
        """Return W, (num_drawn, d), or the rows of some neurons, in their order. Cost: all of it is sent."""
        if neurons is None:
            return np.concatenate(self._ask("weights", None))
        ascending, places = np.unique(neurons, return_inverse=True)
        rows = np.concatenate(self._ask("weights", by_shard(ascending, self._firsts)))
        return np.asarray(rows[places])

    def blocks(self) -> Iterator[tuple[int, Floats]]:
        """Ask for W block by block."""
        num_drawn = int(self._firsts[-1])
        for first in range(0, num_drawn, BLOCK_ROWS):
            yield first, self.rows(np.arange(first, min(first + BLOCK_ROWS, num_drawn)))

    def outputs_at(self, X: Floats) -> Floats:
        """Add up what the shards add, in their order. Cost: X is sent to each worker, and (q,) back for each shard."""
        return np.asarray(np.add.accumulate(self._ask("outputs_at", X))[-1])

    def scan(self) -> Scan:
        """Put together what the shards find. Cost: the firing sets are sent."""
        parts: list[Scan] = self._ask("scan")

        def joined(sets: list[tuple[Ints, ...]]) -> tuple[Ints, ...]:
            numbered = [[one + first for one in part] for part, first in zip(sets, self._firsts.tolist(), strict=False)]
            return tuple(np.concatenate(of_point) for of_point in zip(*numbered, strict=True))

        return Scan(
            joined([part.firing for part in parts]),
            joined([part.ties for part in parts]),
            None,
            sum(part.num_leaves for part in parts),
            0,
        )

    def _ask(self, question: str, *arguments: object) -> list[Any]:
        """Return the answers of all shards, in their order."""
        return list(merge(self._shards.ask(question, *arguments, self._firsts)).values())

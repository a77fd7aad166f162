"""Listing which neurons fire, from the watched pairs."""

from types import ModuleType

import numpy as np

from treeviz.model.firing import FiringSets
from treeviz.model.types import Ints
from treeviz.search.compiled import map_spans
from treeviz.search.watch.pairs import LARGE_VISIT, PairLists


def list_firing(lists: PairLists, promoted: PairLists, num_points: int) -> FiringSets:
    """List in NumPy which neurons fire on which datapoints, compact. Cost: the watched pairs, and sorting some."""
    keys = []  # neuron * n + datapoint: their order is that of the pairs
    for part in (lists, promoted):
        pairs = np.flatnonzero(part.fires)
        keys.append(part.neurons[part.owners[pairs]] * num_points + part.codes[pairs])
    neurons, points = np.divmod(np.sort(np.concatenate(keys)), num_points)
    return FiringSets.from_pairs(neurons, points, num_points).compact()


class CompiledLister:
    """Does the same in one pass, in threads, each of which keeps the room it writes to: memory touched first is slow.

    Cost: the neurons that have lists, and their pairs that ever fired.
    """

    def __init__(self) -> None:
        self._rooms: dict[int, tuple[Ints, Ints, Ints]] = {}

    def list(
        self, lists: PairLists, promoted: PairLists, num_points: int, num_pairs: int, loops: ModuleType
    ) -> FiringSets:
        """List them; `num_pairs` are all that fire, and `loops` is the module of compiled loops."""
        starts, depths, codes = lists.indptr[:-1], lists.depths, lists.codes
        if promoted.neurons.size:  # their rows are elsewhere
            rows, starts, depths = lists.neurons.searchsorted(promoted.neurons), starts.copy(), depths.copy()
            starts[rows], depths[rows] = promoted.indptr[:-1] + codes.size, promoted.depths
            codes = np.concatenate([codes, promoted.codes])

        def list_span(part: int, first: int, last: int) -> FiringSets:
            room = self._rooms.get(part)
            if room is None or room[0].size <= last - first or room[2].size <= num_pairs:
                room = self._rooms[part] = FiringSets.room(last - first, 9 * num_pairs // 8, num_points)
            neurons, indptr, points = room
            own = lists.neurons[first:last], starts[first:last], depths[first:last]
            num_found, num_own = loops.list_firing(*own, codes, *room)
            return FiringSets(neurons[:num_found], indptr[: num_found + 1], points[:num_own], num_points)

        num_rows = lists.neurons.size
        return FiringSets.joined(map_spans(list_span, num_rows, is_large=num_rows >= LARGE_VISIT))

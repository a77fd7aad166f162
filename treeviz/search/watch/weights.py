"""The weights of a network with watch lists: drawn again, and moved by what the lists say."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from treeviz.model.network import InitialNetwork, outputs_at
from treeviz.model.types import Floats, Ints
from treeviz.search.scan import Scan, scan_weights

# How far so many neurons have moved is held at a time.
_CHUNK_NEURONS = 1 << 17


class Weights(Protocol):
    """The current weights, wherever the network is drawn."""

    def rows(self, neurons: Ints | None) -> Floats:
        """Return W, (num_drawn, d), or the rows of some neurons, in their order."""
        ...

    def blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield W in blocks `(first_neuron, rows)`; each may be overwritten by the next."""
        ...

    def outputs_at(self, X: Floats) -> Floats:
        """Return what the neurons add to the outputs on points of unit length, (q, d)."""
        ...

    def scan(self) -> Scan:
        """Find by brute force which neurons fire."""
        ...


class Moves(Protocol):
    """What is asked of the lists."""

    def moves(self, neurons: Ints | None = None) -> tuple[Ints, Floats]:
        """Return neurons that may have moved, ascending, and what times X is how far, (u, n)."""
        ...


class ListedWeights:
    """The weights of a network that this process draws.

    Parameters
    ----------
    X : (n, d) the datapoints.
    network : before training.
    lists : know how far neurons have moved.
    threshold : b.
    """

    def __init__(self, X: Floats, network: InitialNetwork, lists: Moves, threshold: float) -> None:
        self._X, self._network, self._lists, self._threshold = X, network, lists, threshold

    def rows(self, neurons: Ints | None) -> Floats:
        """Draw W(0) again, or the rows of some neurons, and add what those with lists have moved."""
        drawn = self._network.weights(neurons)
        moved, moves = self._lists.moves(None if neurons is None else np.unique(neurons))
        if neurons is None:
            drawn[moved] += moves @ self._X
        elif moved.size:
            places = moved.searchsorted(neurons)
            has_moved = moved.take(places, mode="clip") == neurons
            drawn[has_moved] += moves[places[has_moved]] @ self._X
        return drawn

    def blocks(self) -> Iterator[tuple[int, Floats]]:
        """Draw W(0) again block by block, and add what the neurons with lists have moved."""
        moved, moves, end = np.empty(0, dtype=np.int64), np.empty((0, len(self._X))), 0
        for first, rows in self._network.weight_blocks():
            last = first + len(rows)
            if last > end:
                end = max(last, first + _CHUNK_NEURONS)
                moved, moves = self._lists.moves(np.arange(first, end))
            low, high = moved.searchsorted([first, last])
            rows[moved[low:high] - first] += moves[low:high] @ self._X
            yield first, rows

    def outputs_at(self, X: Floats) -> Floats:
        """Compute every inner product. Cost: m * q * d."""
        signs = np.asarray(self._network.signs)
        return outputs_at(X, self.blocks(), signs, self._threshold, self._network.width)

    def scan(self) -> Scan:
        """Compute every inner product. Cost: m * n * d."""
        return scan_weights(self.blocks(), self._X, self._threshold)

"""What searches that keep all weights as they are have in common."""

import time
from collections.abc import Iterator

from treeviz.model.network import BLOCK_ROWS, InitialNetwork
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import Engine


class ExplicitEngine(Engine):
    """A network whose weights W, (m, d), are kept and changed in place by a subclass."""

    def __init__(self, network: InitialNetwork) -> None:
        start = time.perf_counter()
        self._W = network.weights()
        self.draw_seconds = time.perf_counter() - start

    def weights(self, neurons: Ints | None) -> Floats:
        """Return a copy of W or of some of its rows."""
        return self._W.copy() if neurons is None else self._W[neurons]

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield W in blocks that are parts of it."""
        for low in range(0, len(self._W), BLOCK_ROWS):
            yield low, self._W[low : low + BLOCK_ROWS]

"""What searches that keep all weights as they are have in common."""

import threading
import time
from collections.abc import Iterator

import numpy as np

from treeviz.model.network import BLOCK_ROWS, InitialNetwork
from treeviz.model.types import Floats, Ints
from treeviz.search.compiled import map_spans
from treeviz.search.engine import Engine

# Numbers to draw that are worth a second thread.
_LARGE_DRAW = 1 << 18


class ExplicitEngine(Engine):
    """A network whose weights W, (m, d), are kept and changed in place by a subclass. Threads share the drawing."""

    def __init__(self, network: InitialNetwork, dimension: int) -> None:
        start, stop = time.perf_counter(), threading.Event()
        self._W = W = np.empty((network.num_drawn, dimension))

        def draw(part: int, first: int, last: int) -> None:
            for low, rows in network.weight_blocks(first=first, last=last):
                if stop.is_set():
                    return
                W[low : low + len(rows)] = rows

        map_spans(draw, len(W), stop, is_large=W.size >= _LARGE_DRAW)
        self.draw_seconds = time.perf_counter() - start

    def weights(self, neurons: Ints | None) -> Floats:
        """Return a copy of W or of some of its rows."""
        return self._W.copy() if neurons is None else self._W[neurons]

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield W in blocks that are parts of it."""
        for low in range(0, len(self._W), BLOCK_ROWS):
            yield low, self._W[low : low + BLOCK_ROWS]

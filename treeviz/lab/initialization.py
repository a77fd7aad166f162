"""Other initial networks than the paper's, for runs through the compact engine."""

from collections.abc import Callable, Iterator, Mapping
from typing import cast

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger, Stopwatch
from treeviz.model.network import BLOCK_ROWS, InitialNetwork, Signs
from treeviz.model.types import Floats, Ints
from treeviz.search.compact import CompactEngine
from treeviz.search.engine import Engine, EngineMaker


def _on_a_sphere(weights: Floats, signs: Floats) -> tuple[Floats, Floats]:
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    return weights * (np.sqrt(weights.shape[1]) / np.maximum(lengths, 1e-300)), signs


def _mirrored(weights: Floats, signs: Floats) -> tuple[Floats, Floats]:
    half = len(weights) // 2
    weights, signs = weights.copy(), signs.copy()
    weights[half : 2 * half], signs[half : 2 * half] = weights[:half], -signs[:half]
    return weights, signs


# What becomes of weights (m, d) drawn from N(0, 1) and of signs (m,), by name.
INITIALIZATIONS: Mapping[str, Callable[[Floats, Floats], tuple[Floats, Floats]]] = {
    "normal": lambda weights, signs: (weights, signs),
    "half": lambda weights, signs: (0.5 * weights, signs),
    "double": lambda weights, signs: (2.0 * weights, signs),
    "sphere": _on_a_sphere,
    "coins": lambda weights, signs: (np.where(weights < 0, -1.0, 1.0), signs),
    "mirrored": _mirrored,
}


class GivenNetwork(InitialNetwork):
    """A network of given weights, (m, d), and signs, (m,), at datapoints X, (n, d)."""

    def __init__(self, weights: Floats, signs: Floats, X: Floats) -> None:
        self._weights, self._X = weights, X
        self.signs = cast(Signs, signs)
        self.width = self.num_drawn = len(weights)
        self.draw_seconds = 0.0

    def sum_of_signs(self) -> float:
        """Add them."""
        return float(np.sum(np.asarray(self.signs)))

    def weight_blocks(
        self, *, block_rows: int = BLOCK_ROWS, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[int, Floats]]:
        """Hand out copies."""
        last = self.width if last is None else last
        for low in range(first, last, block_rows):
            yield low, self._weights[low : min(low + block_rows, last)].copy()

    def leaf_blocks(self, drawing: Stopwatch | None = None) -> Iterator[tuple[int, Floats]]:
        """Multiply the weights."""
        for first, rows in self.weight_blocks():
            yield first, rows @ self._X.T

    def weights(self, neurons: Ints | None = None) -> Floats:
        """Return a copy."""
        return self._weights.copy() if neurons is None else self._weights[neurons]

    def leaf_rows(self, neurons: Ints) -> Floats:
        """Multiply these rows."""
        return np.asarray(self._weights[neurons] @ self._X.T)


class StartedFrom(EngineMaker):
    """Makes the compact engine of another initial network, one of `INITIALIZATIONS`."""

    def __init__(self, name: str) -> None:
        self._change = INITIALIZATIONS[name]

    def __call__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> Engine:
        """Draw the paper's network, and change it."""
        weights, signs = self._change(network.weights(), np.asarray(network.signs))
        return CompactEngine(data, GivenNetwork(weights, signs, data.X), config, ledger)

    def required_bytes(self, width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of the compact engine, and of all weights twice."""
        return CompactEngine.required_bytes(width, num_points, dimension, threshold) + 16 * width * dimension

"""Dense products, sparse rest: every inner product recomputed in each iteration, all that follows from the firing sets.

Of the dense methods it needs the fewest operations, unless neurons fire on nearly all datapoints. It takes more time
than `dense` where lists of pairs are slower than matrix products.
"""

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets, moved_rows, outputs_from_pairs
from treeviz.model.ledger import Ledger, forward_operations
from treeviz.model.network import InitialNetwork
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import Evaluation
from treeviz.search.explicit import ExplicitEngine
from treeviz.solve.jacobian import SparseJacobian

# Neurons whose products are made at a time, so that they stay in cache.
_BLOCK = 8192


class SparseRestEngine(ExplicitEngine):
    """All m neurons explicit, every inner product recomputed and compared; outputs, J and the move cost what fires."""

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        super().__init__(network, data.dimension)
        self._X, self._signs, self._threshold = data.X, np.asarray(network.signs), config.resolved_threshold
        # Written, not only reserved: the first iteration must not be the one that waits for the system's pages.
        self._products = np.full(min(_BLOCK, config.width) * data.num_points, 0.0)

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of W, of one block's products, and of all that fires if it is a quarter of all pairs."""
        return 8 * (width * dimension + min(_BLOCK, width) * num_points) + 10 * width * num_points

    @property
    def num_bytes(self) -> int:
        """Bytes of W and of one block's products."""
        return self._W.nbytes + self._products.nbytes

    def evaluate(self, ledger: Ledger, batch: Ints | None = None) -> Evaluation:
        """Recompute all m * n inner products, or those of a batch; keep those that fire."""
        num_points = len(self._X)
        wanted = np.arange(num_points) if batch is None else batch
        X = self._X if batch is None else self._X[batch]
        with ledger.time("search"):
            places, values = [], []
            for low in range(0, len(self._W), _BLOCK):
                rows = self._W[low : low + _BLOCK]
                products = self._products[: len(rows) * len(X)].reshape(-1, len(X))
                np.matmul(rows, X.T, out=products)
                found = np.flatnonzero(products >= self._threshold)
                places.append(found + low * len(X))
                values.append(products.reshape(-1)[found])
            neurons, columns = np.divmod(np.concatenate(places), len(X))
            firing = FiringSets.from_pairs(neurons, wanted[columns], num_points)
        entries = len(self._W) * len(X)
        ledger.post("search", entries * X.shape[1] + entries)
        with ledger.time("forward"):
            outputs = outputs_from_pairs(firing, np.concatenate(values), self._signs, self._threshold)
        ledger.post("forward", forward_operations(firing.num_pairs, len(X)))
        with ledger.time("jacobian"):
            jacobian = SparseJacobian(firing, self._X, len(self._W))
        return Evaluation(lambda: firing, outputs, jacobian, np.zeros((num_points, 0), dtype=np.int64))

    def move(self, evaluation: Evaluation, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the rows of W that fire somewhere, d numbers for each firing pair. There is no tree to repair."""
        firing = evaluation.firing
        with ledger.time("move"):
            self._W[firing.neurons] += moved_rows(firing, dual_step, self._signs, self._X)
        ledger.post("move", firing.num_pairs * self._X.shape[1])
        return np.zeros((dual_step.size, 0), dtype=np.int64)

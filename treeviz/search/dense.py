"""The dense method: explicit weights, every inner product recomputed in each iteration."""

from collections.abc import Iterator

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Ledger, forward_operations
from treeviz.model.masks import column_counts, mask_product, row_counts
from treeviz.model.network import InitialNetwork
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import Evaluation
from treeviz.search.explicit import ExplicitEngine
from treeviz.solve.jacobian import DenseJacobian


class DenseNeurons:
    """Some of the network's neurons with explicit weights, all of them handled in every iteration, by BLAS.

    Neurons are handled in blocks so that a block's inner products, mask and activations never leave the cache; all
    buffers are allocated once. C = A^T A is summed up in the same pass where every solve needs it.

    Parameters
    ----------
    W : (k, d) their weights, which are changed in place.
    signs : (k,) their output signs.
    X : (n, d) datapoints.
    config : for the network's full width m, the threshold, and what the solver needs.
    """

    BLOCK = 8192

    def __init__(self, W: Floats, signs: Floats, X: Floats, config: TrainConfig) -> None:
        self._W, self._signs, self._X = W, signs, X
        self._width, self._scale = config.width, config.width**-0.5
        self._threshold = config.resolved_threshold
        self._needs_overlaps = config.method == "gauss-newton" and config.solver == "exact"
        num_points, rows = len(X), min(self.BLOCK, len(W))
        # Written, not only reserved: the first iteration must not be the one that waits for the system's pages.
        self._incidence = np.full(len(W) * num_points, 0.0, dtype=np.float32)
        self._products = np.full(rows * num_points, 0.0)
        self._batch = np.arange(num_points)

    @property
    def num_bytes(self) -> int:
        """Bytes of the weights, of the 0/1 matrix and of one block's products."""
        return self._W.nbytes + self._incidence.nbytes + self._products.nbytes

    def evaluate(self, ledger: Ledger, batch: Ints | None) -> Evaluation:
        """Recompute all inner products, the mask, the outputs and, for an exact solve, C."""
        num_points, dimension = self._X.shape
        self._batch = np.arange(num_points) if batch is None else batch
        X = self._X if batch is None else self._X[batch]
        incidence, needs_overlaps = self._mask(), self._needs_overlaps and batch is None
        sums, counts, overlaps = np.zeros(len(X)), np.zeros(len(X)), np.zeros((num_points, num_points))
        for block in self._blocks():
            with ledger.time("search"):
                products = self._products[: (block.stop - block.start) * len(X)].reshape(-1, len(X))
                np.matmul(self._W[block], X.T, out=products)
                mask = incidence[block]
                np.greater_equal(products, self._threshold, out=mask)
            with ledger.time("forward"):
                np.subtract(products, self._threshold, out=products)
                np.maximum(products, 0.0, out=products)
                sums += self._signs[block] @ products
            if needs_overlaps:
                with ledger.time("jacobian"):
                    overlaps += mask_product(mask.T, mask)  # a block has few enough rows for float32 to count exactly
            else:
                counts += column_counts(mask)
        entries = incidence.size
        ledger.post("search", entries * dimension + entries)
        ledger.post("forward", forward_operations(entries, len(X)))
        found, fired = self._batch, np.zeros(num_points, dtype=np.int64)
        fired[found] = np.rint(np.diag(overlaps)) if needs_overlaps else counts

        def find_firing() -> FiringSets:
            neurons, columns = np.nonzero(incidence)
            return FiringSets.from_pairs(neurons, found[columns], num_points)

        outputs = np.zeros(num_points)
        outputs[self._batch] = sums * self._scale
        jacobian = DenseJacobian(
            incidence, overlaps if needs_overlaps else None, self._X, width=self._width, counts=fired
        )
        return Evaluation(find_firing, outputs, jacobian, np.zeros((num_points, 0), dtype=np.int64))

    def move(self, dual_step: Floats, ledger: Ledger) -> None:
        """Add (A o (a dual^T)) X to the rows of W that fire somewhere."""
        incidence, dimension = self._mask(), self._X.shape[1]
        scaled = self._X[self._batch] * (-dual_step[self._batch] * self._scale)[:, None]
        num_moved = 0
        with ledger.time("move"):
            for block in self._blocks():
                mask = incidence[block]
                rows = np.flatnonzero(row_counts(mask))
                num_moved += rows.size
                signed = mask[rows] * self._signs[block][rows, None]
                self._W[block.start + rows] += signed @ scaled
        ledger.post("move", incidence.size + num_moved * self._batch.size * dimension)

    def _mask(self) -> np.ndarray:
        """The 0/1 matrix of the datapoints last evaluated, (k, batch), float32."""
        size = self._batch.size
        return self._incidence[: len(self._W) * size].reshape(-1, size)

    def _blocks(self) -> Iterator[slice]:
        for low in range(0, len(self._W), self.BLOCK):
            yield slice(low, min(low + self.BLOCK, len(self._W)))


class DenseEngine(ExplicitEngine):
    """The dense method: all m neurons explicit, all of them handled in every phase, by BLAS."""

    def __init__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> None:
        super().__init__(network, data.dimension)
        self._neurons = DenseNeurons(self._W, np.asarray(network.signs), data.X, config)

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of W, of the 0/1 matrix, of one block's products, and of the firing sets' extraction."""
        block = min(width, DenseNeurons.BLOCK) * num_points
        return 8 * (width * dimension + block) + 5 * width * num_points

    @property
    def num_bytes(self) -> int:
        """Bytes of W, of the 0/1 matrix and of one block's products."""
        return self._neurons.num_bytes

    def evaluate(self, ledger: Ledger, batch: Ints | None = None) -> Evaluation:
        """Recompute all m * n inner products, or those of a batch."""
        return self._neurons.evaluate(ledger, batch)

    def move(self, evaluation: Evaluation, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the rows of W that fire somewhere. There is no tree to repair."""
        self._neurons.move(dual_step, ledger)
        return np.zeros((dual_step.size, 0), dtype=np.int64)

"""The Jacobian J of the outputs, never formed: the incidence "which neuron fires on which datapoint", and the data.

J has n rows of m * d numbers: block (i, r) is (a_r / sqrt(m)) x_i where neuron r fires on datapoint i, else zero. That
is a tensor product of the incidence with the data, and everything a solver needs follows from the two: G = K o C / m, a
product G v, and a sketch of J^T. The incidence may be sparse (`SparseJacobian`, the tree method) or a dense 0/1 matrix
(`DenseJacobian`, the dense method); the solvers do not know which.
"""

from typing import Protocol

import numpy as np
import scipy.sparse as sp

from treeviz.model.firing import FiringSets
from treeviz.model.ledger import dense_overlap_operations
from treeviz.model.masks import mask_product
from treeviz.model.types import Floats, Ints


class Jacobian(Protocol):
    """What a solver needs of J. `num_pairs` is the size of the incidence as this representation handles it."""

    X: Floats
    width: int
    counts: Ints
    num_pairs: int
    overlap_operations: int

    def input_gram(self) -> Floats:
        """Return K = X X^T, (n, n)."""

    def overlaps(self) -> Floats:
        """Return C, (n, n): the number of neurons that fire on both datapoints."""

    def gram_product(self, vector: Floats) -> Floats:
        """Return G v through the factors of J, without forming G."""

    def count_sketch(self, generator: np.random.Generator, num_rows: int) -> Floats:
        """Return the CountSketch of the incidence: each neuron's row is added to one random row, with a random sign."""


class SparseJacobian:
    """J as the sparse incidence of the firing sets. `signs` drop out of J J^T, and a sketch has its own."""

    def __init__(self, firing: FiringSets, X: Floats, width: int) -> None:
        self.X, self.width = X, width
        self.counts = firing.counts
        self.num_pairs = firing.num_pairs
        self.overlap_operations = int(np.sum(firing.degrees**2))
        self._firing = firing
        self._transposed: sp.csr_array | None = None  # made for the first product

    def input_gram(self) -> Floats:
        """Return K. Cost: n^2 d."""
        return np.asarray(self.X @ self.X.T)

    def overlaps(self) -> Floats:
        """Return C = A^T A. Cost: sum_r |T_r|^2."""
        return self._firing.overlaps()

    def gram_product(self, vector: Floats) -> Floats:
        """Return G v. Cost: 2 d sum_i k_i + n d."""
        moved = self._firing.matrix(vector[self._firing.points]) @ self.X  # (|U|, d): rows of J^T v
        if self._transposed is None:
            self._transposed = self._firing.matrix().T.tocsr()
        image: Floats = np.einsum("id,id->i", self._transposed @ moved, self.X) / self.width
        return image

    def count_sketch(self, generator: np.random.Generator, num_rows: int) -> Floats:
        """Return the CountSketch of the incidence, (num_rows, n). Cost: sum_i k_i."""
        hashed = count_sketch_matrix(generator, self._firing.neurons.size, num_rows)
        return np.asarray((hashed @ self._firing.matrix()).toarray())


class DenseJacobian:
    """J as a full k x n 0/1 matrix A (float32, exact) of neurons that include all that fire.

    `overlaps` is C = A^T A if the pass over the neurons has summed it up; else it is formed when asked for. `width` is
    m where A has only some of the rows, `counts` its column sums where they are known.
    """

    # Rows of A handled at a time, so that the d columns of J^T v stay in cache.
    _BLOCK = 8192

    def __init__(
        self,
        incidence: np.ndarray,
        overlaps: Floats | None,
        X: Floats,
        *,
        width: int | None = None,
        counts: Ints | None = None,
    ) -> None:
        self.X, self.width = X, incidence.shape[0] if width is None else width
        self.num_pairs = incidence.size
        self.overlap_operations = dense_overlap_operations(*incidence.shape)
        self._incidence, self._overlaps = incidence, overlaps
        self.counts = np.rint(np.diag(self.overlaps())).astype(np.int64) if counts is None else counts

    def input_gram(self) -> Floats:
        """Return K. Cost: n^2 d."""
        return np.asarray(self.X @ self.X.T)

    def overlaps(self) -> Floats:
        """Return C. Cost: k n (n + 1) / 2."""
        if self._overlaps is None:
            blocks = (self._incidence[low : low + self._BLOCK] for low in range(0, len(self._incidence), self._BLOCK))
            self._overlaps = np.sum([mask_product(block.T, block) for block in blocks], axis=0, dtype=np.float64)
        return self._overlaps

    def gram_product(self, vector: Floats) -> Floats:
        """Return G v. Cost: 2 k n d + n d."""
        total = np.zeros_like(self.X)
        scaled = vector[:, None] * self.X
        for low in range(0, len(self._incidence), self._BLOCK):
            rows = self._incidence[low : low + self._BLOCK].astype(np.float64)
            total += rows.T @ (rows @ scaled)
        image: Floats = np.einsum("id,id->i", total, self.X) / self.width
        return image

    def count_sketch(self, generator: np.random.Generator, num_rows: int) -> Floats:
        """Return the CountSketch of A, (num_rows, n). Cost: k n."""
        return np.asarray(count_sketch_matrix(generator, len(self._incidence), num_rows) @ self._incidence)


def count_sketch_matrix(generator: np.random.Generator, num_columns: int, num_rows: int) -> sp.csr_array:
    """Return a sparse (num_rows, num_columns) matrix with one random sign in a random row of each column."""
    rows = generator.integers(0, num_rows, size=num_columns)
    signs = generator.integers(0, 2, size=num_columns) * 2.0 - 1.0
    return sp.csc_array((signs, rows, np.arange(num_columns + 1)), shape=(num_rows, num_columns)).tocsr()


def gram_matrix(jacobian: Jacobian) -> Floats:
    """Return G = K o C / m, (n, n). Cost: forming C, and n^2."""
    gram = jacobian.input_gram() * jacobian.overlaps()
    gram /= jacobian.width
    return np.asarray(gram)

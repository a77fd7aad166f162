"""Solving the Gauss-Newton system G g = residual, G = J J^T (algorithm.md §3, steps 3 to 6).

J has n rows of m * d numbers and is never formed: block (i, r) is (a_r / sqrt(m)) x_i where neuron r fires on datapoint
i, else zero. That is a tensor product of the incidence "who fires where" with the data, and everything needed follows
from the incidence and X: G = K o C / m, a product G v, and a sketch S J^T.

Two solvers give the same answer. `solve_exact` forms G and factorizes it. `solve_sketched` never forms G: it makes a
preconditioner from the QR factors of the sketch S J^T and runs conjugate gradient. Both handle a singular G in the
minimum-norm least-squares sense and say so in their report; neither raises for it.

The incidence may be sparse (`SparseJacobian`, the tree method) or a dense 0/1 matrix (`DenseJacobian`, the dense
method); the solvers do not know which.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.linalg as la
import scipy.sparse as sp
from scipy.linalg import lapack

from treeviz.model.ledger import (
    Ledger,
    dense_overlap_operations,
    exact_solve_costs,
    sketch_solve_costs,
    step_rule_operations,
)
from treeviz.model.network import FiringSets, Floats, Ints

# Non-zeros in a column of the sketch: one in each of this many blocks of rows.
SKETCH_BLOCKS = 2
_MAX_CG_ITERATIONS = 500
_MAX_SKETCHES = 8
# ||G v|| / (||G|| ||v||) up to which v counts as a null vector of G.
_NULL_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class SolveReport:
    """How one solve went.

    Attributes
    ----------
    iterations : conjugate-gradient iterations; 0 for a direct solve.
    residual_norms : relative residual after each conjugate-gradient iteration, and at the end computed afresh; on the
        part of the residual that G can reach, and in the preconditioned norm if there is a preconditioner.
    conditioning : condition number of G in the 1-norm, estimated; inf if G is singular; None if nothing was solved.
    preconditioned_conditioning : condition number conjugate gradient met, from its own coefficients; None if direct.
    rank : numerical rank of G.
    num_active : datapoints that fire at least one neuron; the others have a zero row and take no part.
    num_sketch_rows, num_sketches : rows of the sketch, and how many were drawn; 0 for a direct solve.
    singular : whether G was handled by its eigenvectors (or T by its singular vectors), being singular or close to it.
    status : "ok", or what went short in words.
    """

    iterations: int
    residual_norms: Floats
    conditioning: float | None
    preconditioned_conditioning: float | None
    rank: int
    num_active: int
    num_sketch_rows: int
    num_sketches: int
    singular: bool
    status: str

    def __post_init__(self) -> None:
        self.residual_norms.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The dual step g, shape (n,), and how the solve went."""

    dual: Floats
    report: SolveReport


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
        hashed = _count_sketch_matrix(generator, self._firing.neurons.size, num_rows)
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
            self._overlaps = np.sum([block.T @ block for block in blocks], axis=0, dtype=np.float64)
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
        return np.asarray(_count_sketch_matrix(generator, len(self._incidence), num_rows) @ self._incidence)


def _count_sketch_matrix(generator: np.random.Generator, num_columns: int, num_rows: int) -> sp.csr_array:
    """Return a sparse (num_rows, num_columns) matrix with one random sign in a random row of each column."""
    rows = generator.integers(0, num_rows, size=num_columns)
    signs = generator.integers(0, 2, size=num_columns) * 2.0 - 1.0
    return sp.csc_array((signs, rows, np.arange(num_columns + 1)), shape=(num_rows, num_columns)).tocsr()


def sketch_jacobian(jacobian: Jacobian, active: Ints, num_rows: int, generator: np.random.Generator) -> Floats:
    """Return S J^T for the `active` datapoints, shape (num_rows, active), S a sparse random sign embedding.

    S has one non-zero +-1 / sqrt(SKETCH_BLOCKS) in each of SKETCH_BLOCKS blocks of rows, in every column. Its place in
    a block is (h(r) + o(k)) mod B for neuron r and coordinate k, its sign s(r) t(k), with h, o, s, t random: the
    TensorSketch of Pham and Pagh (KDD 2013). A column of J^T is a tensor product summed over neurons, so its sketch
    is the circular convolution of the CountSketches of the incidence and of x_i, and neither S nor J is formed.

    Cost: SKETCH_BLOCKS * sum_i k_i and n FFTs of length B a block, against d times as many multiply-adds for an S
    whose columns are all independent; that one saves one conjugate-gradient iteration in ten at most.
    """
    length = num_rows // SKETCH_BLOCKS
    blocks = []
    for _ in range(SKETCH_BLOCKS):
        by_neuron = jacobian.count_sketch(generator, length)[:, active]
        by_coordinate = np.asarray(_count_sketch_matrix(generator, jacobian.X.shape[1], length) @ jacobian.X[active].T)
        spectrum = np.fft.rfft(by_neuron, axis=0) * np.fft.rfft(by_coordinate, axis=0)
        blocks.append(np.fft.irfft(spectrum, n=length, axis=0))
    sketch: Floats = np.concatenate(blocks) / np.sqrt(SKETCH_BLOCKS * jacobian.width)
    return sketch


def safe_step_size(jacobian: Jacobian, batch_size: int | None, ledger: Ledger) -> float:
    """Return the step size 1 / L of gradient descent: with it no step makes the loss of the linearised network larger.

    For all datapoints at once L is the largest eigenvalue of G. A mini-batch B moves the outputs by G_BB, whose largest
    eigenvalue is at most that of G, and at most the largest sum of |B| entries of a row of |G| (Gershgorin); L is the
    smaller of the two. Steps of up to 2 / L would still be stable: the factor of two is room for firing sets that
    change. Where training makes G grow by more than that, the loss goes up and down a little on its way, at the edge of
    stability (Cohen et al. 2021). 1.0 if nothing fires.

    Cost: forming C, n^2, and 2 n^3 / 3 for the eigenvalues; posted as solve.
    """
    active = np.flatnonzero(jacobian.counts)
    if not active.size:
        return 1.0
    with ledger.time("solve"):
        gram = gram_matrix(jacobian, active)
        largest = float(la.eigvalsh(gram, subset_by_index=[active.size - 1, active.size - 1])[0])
        is_batched = batch_size is not None and batch_size < active.size
        if batch_size is not None and is_batched:
            rows = np.partition(np.abs(gram), active.size - batch_size, axis=1)[:, active.size - batch_size :]
            largest = min(largest, float(rows.sum(axis=1).max()))
    ledger.post("solve", step_rule_operations(jacobian.overlap_operations, active.size, is_batched=is_batched))
    return 1.0 / largest


def solve_exact(jacobian: Jacobian, residual: Floats, ledger: Ledger, *, ridge: float = 0.0) -> Solution:
    """Solve (G + ridge I) g = residual by Cholesky of G = K o C / m, or in the minimum-norm sense if G is singular.

    Parameters
    ----------
    jacobian : of n datapoints.
    residual : (n,).
    ledger : takes the operations and seconds.
    ridge : >= 0, added to the diagonal.

    Notes
    -----
    Datapoints that fire no neuron have a zero row in G; they are left out and get g_i = 0. Cost: forming C, n^3 / 3.
    """
    active = np.flatnonzero(jacobian.counts)
    right = residual[active]
    conditioning, rank, norm, singular = 1.0, active.size, 0.0, False
    dual = right
    with ledger.time("solve"):
        if active.size:
            gram = gram_matrix(jacobian, active, ridge)
            factor, failed = lapack.dpotrf(gram, lower=0)
            reciprocal = 0.0 if failed else lapack.dpocon(factor, lapack.dlange("1", gram))[0]
            reachable = right
            if reciprocal > _singular_below(active.size):
                conditioning = 1.0 / reciprocal
                dual = lapack.dpotrs(factor, right, lower=0)[0]
            else:
                singular = True
                eigenvalues, vectors = la.eigh(gram)
                keep = eigenvalues > _singular_below(active.size) * eigenvalues[-1]
                basis, rank = vectors[:, keep], int(keep.sum())
                conditioning = float(eigenvalues[-1] / eigenvalues[0]) if keep.all() else np.inf
                coordinates = basis.T @ right
                reachable = basis @ coordinates
                dual = basis @ (coordinates / eigenvalues[keep])
            norm = _relative_norm(gram @ dual - reachable, right)
    ledger.post_all(exact_solve_costs(jacobian.num_pairs, jacobian.overlap_operations, active.size, singular=singular))
    report = SolveReport(
        iterations=0,
        residual_norms=np.array([norm]),
        conditioning=conditioning,
        preconditioned_conditioning=None,
        rank=rank,
        num_active=active.size,
        num_sketch_rows=0,
        num_sketches=0,
        singular=singular,
        status=_rank_status(rank, active.size),
    )
    return Solution(_scatter(dual, active, residual.size), report)


def solve_sketched(
    jacobian: Jacobian,
    residual: Floats,
    ledger: Ledger,
    generator: np.random.Generator,
    *,
    sketch_factor: int = 8,
    tolerance: float = 1e-12,
    ridge: float = 0.0,
) -> Solution:
    """Solve (G + ridge I) g = residual by conjugate gradient, preconditioned by the QR factors of a sketch of J^T.

    With S J^T = Q T, the matrix J^T T^-1 is nearly orthonormal, so conjugate gradient on T^-T G T^-1 z = T^-T residual,
    g = T^-1 z, needs a number of iterations that does not depend on the conditioning of G. When T is singular its
    singular vectors take the place of T^-1 and the answer is the minimum-norm one (Meng, Saunders and Mahoney 2014).

    Parameters
    ----------
    jacobian : of n datapoints.
    residual : (n,).
    ledger : takes the operations and seconds.
    generator : source of the random embedding.
    sketch_factor : rows of the sketch per datapoint, >= 2.
    tolerance : relative residual, in the preconditioned norm, at which conjugate gradient stops.
    ridge : >= 0, added to the diagonal of G.

    Notes
    -----
    Cost: sketch O(num_pairs), QR s n^2, and an iteration 2 d num_pairs + 2 n^2; see `ledger.sketch_solve_costs`.
    """
    active = np.flatnonzero(jacobian.counts)
    right, num_points = residual[active], residual.size

    def gram_product(vector: Floats) -> Floats:
        return jacobian.gram_product(_scatter(vector, active, num_points))[active] + ridge * vector

    maker = _Preconditioner(np.empty((0, 0)), 1.0, 0, 0, 0, False)
    dual, norms, met, status = right, np.zeros(1), None, "ok"
    if active.size:
        maker = _precondition(jacobian, active, ledger, generator, sketch_factor, ridge, gram_product)
        inverse = maker.inverse
        with ledger.time("solve"):
            largest = float(np.abs(right).max()) or 1.0  # scaled away, lest squares of it under- or overflow
            start = inverse.T @ (right / largest)
            solved, steps, met = _conjugate_gradient(
                lambda z: inverse.T @ gram_product(inverse @ z), start, tolerance, _MAX_CG_ITERATIONS
            )
            unit_dual = inverse @ solved
            norms = np.append(steps, _relative_norm(inverse.T @ gram_product(unit_dual) - start, start))
            dual = largest * unit_dual
        status = _rank_status(maker.rank, active.size)
        if status == "ok" and steps.size == _MAX_CG_ITERATIONS and steps[-1] > tolerance:
            status = (
                f"conjugate gradient stopped at a relative residual of {steps[-1]:.1e} after {steps.size} iterations"
            )
    ledger.post_all(
        sketch_solve_costs(
            jacobian.num_pairs,
            active.size,
            jacobian.X.shape[1],
            num_rows=maker.num_rows,
            num_blocks=SKETCH_BLOCKS,
            num_sketches=maker.num_sketches,
            iterations=norms.size - 1,
            singular=maker.singular,
        )
    )
    report = SolveReport(
        iterations=norms.size - 1,
        residual_norms=norms,
        conditioning=maker.conditioning,
        preconditioned_conditioning=met,
        rank=maker.rank,
        num_active=active.size,
        num_sketch_rows=maker.num_rows,
        num_sketches=maker.num_sketches,
        singular=maker.singular,
        status=status,
    )
    return Solution(_scatter(dual, active, num_points), report)


@dataclass(frozen=True, slots=True, eq=False)
class _Preconditioner:
    """`inverse`, (n, rank), maps z to g = T^-1 z; or to the range of G by its singular vectors if G is singular."""

    inverse: Floats
    conditioning: float
    rank: int
    num_rows: int
    num_sketches: int
    singular: bool


def _precondition(
    jacobian: Jacobian,
    active: Ints,
    ledger: Ledger,
    generator: np.random.Generator,
    sketch_factor: int,
    ridge: float,
    gram_product: Callable[[Floats], Floats],
) -> _Preconditioner:
    """Sketch J^T until its QR factor can be trusted.

    A small random sketch may lose a direction that J has. So a sketch that looks singular is put to the test: a random
    vector it claims is in the null space of G must be sent to zero by G. If it is not, the next sketch has twice the
    rows.
    """
    size = active.size
    num_rows = sketch_factor * size // SKETCH_BLOCKS * SKETCH_BLOCKS
    for attempt in range(1, _MAX_SKETCHES + 1):
        with ledger.time("sketch"):
            sketch = sketch_jacobian(jacobian, active, num_rows, generator)
        with ledger.time("precondition"):
            if ridge:
                sketch = np.concatenate([sketch, np.sqrt(ridge) * np.eye(size)])
            triangle: Floats = np.asarray(np.linalg.qr(sketch, mode="r"))
            # T is a Cholesky factor of the sketched Gram matrix T^T T.
            reciprocal = lapack.dpocon(triangle, np.abs(triangle.T @ triangle).sum(axis=0).max())[0]
            if reciprocal > _singular_below(size):
                inverse = la.solve_triangular(triangle, np.eye(size))
                return _Preconditioner(inverse, 1.0 / reciprocal, size, num_rows, attempt, False)
            _, scales, turned = la.svd(triangle)
            keep = scales**2 > _singular_below(size) * scales[0] ** 2
            null = turned[~keep].T @ generator.standard_normal(size - int(keep.sum()))
            null_image = float(np.linalg.norm(gram_product(null)))
            if null_image <= _NULL_TOLERANCE * scales[0] ** 2 * float(np.linalg.norm(null)):
                break
        if attempt < _MAX_SKETCHES:
            num_rows *= 2
    conditioning = float((scales[0] / scales[-1]) ** 2) if keep.all() else np.inf
    return _Preconditioner(turned[keep].T / scales[keep], conditioning, int(keep.sum()), num_rows, attempt, True)


def _conjugate_gradient(
    product: Callable[[Floats], Floats], right: Floats, tolerance: float, max_iterations: int
) -> tuple[Floats, Floats, float]:
    """Solve a positive definite system; return the solution, the relative residual norms and the conditioning met.

    The step lengths and directions are a Lanczos process: the extreme eigenvalues of its tridiagonal matrix are those
    the system shows to this right-hand side (Golub and Van Loan, §10.2).
    """
    solution, residual = np.zeros_like(right), right.copy()
    direction, squared = residual.copy(), float(residual @ residual)
    target = tolerance**2 * squared
    norms: list[float] = []
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    carry = 0.0
    start = squared
    while squared > target and len(norms) < max_iterations:
        image = product(direction)
        curvature = float(direction @ image)
        if curvature <= 0.0:  # round-off only: the matrix is positive definite
            break
        step = squared / curvature
        solution += step * direction
        residual -= step * image
        previous, squared = squared, float(residual @ residual)
        ratio = squared / previous
        diagonal.append(1.0 / step + carry)
        off_diagonal.append(np.sqrt(ratio) / step)
        carry = ratio / step
        direction = residual + ratio * direction
        norms.append(float(np.sqrt(squared / start)))
    if not diagonal:
        return solution, np.array(norms), 1.0
    ritz = la.eigvalsh_tridiagonal(np.array(diagonal), np.array(off_diagonal[:-1]))
    return solution, np.array(norms), float(ritz[-1] / ritz[0]) if ritz[0] > 0 else np.inf


def gram_matrix(jacobian: Jacobian, active: Ints, ridge: float = 0.0) -> Floats:
    """Return G = K o C / m, plus the ridge, on the active datapoints."""
    gram = jacobian.input_gram() * jacobian.overlaps()
    gram /= jacobian.width
    if active.size < len(gram):
        gram = gram[np.ix_(active, active)]
    if ridge:
        gram[np.diag_indices(active.size)] += ridge
    return np.asarray(gram)


def _singular_below(size: int) -> float:
    """Ratio to the largest eigenvalue under which an eigenvalue of G counts as zero: round-off has eaten its digits."""
    return max(1e-12, 10.0 * size * sys.float_info.epsilon)


def _rank_status(rank: int, num_active: int) -> str:
    if rank == num_active:
        return "ok"
    return (
        f"the Jacobian has rank {rank} on {num_active} datapoints: solved in the minimum-norm least-squares sense, "
        "so some combination of the targets cannot be learned"
    )


def _relative_norm(difference: Floats, reference: Floats) -> float:
    scale = math.sqrt(reference @ reference)
    return math.sqrt(difference @ difference) / scale if scale else 0.0


def _scatter(values: Floats, active: Ints, size: int) -> Floats:
    full = np.zeros(size)
    full[active] = values
    return full

"""The sketched solve: conjugate gradient, preconditioned by a random sketch of J^T (algorithm.md §3.4 to §3.6)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg as la
from scipy.linalg import lapack

from treeviz.model.ledger import Ledger, sketch_solve_costs
from treeviz.model.numerals import numeral
from treeviz.model.types import Floats, Ints
from treeviz.solve.jacobian import Jacobian, count_sketch_matrix
from treeviz.solve.report import Solution, SolveReport, rank_status, relative_norm, scatter, singular_below

# Non-zeros in a column of the sketch: one in each of this many blocks of rows.
SKETCH_BLOCKS = 2
_MAX_CG_ITERATIONS = 500
_MAX_SKETCHES = 8
# ||G v|| / (||G|| ||v||) up to which v counts as a null vector of G.
_NULL_TOLERANCE = 1e-10


def sketch_jacobian(jacobian: Jacobian, active: Ints, num_rows: int, generator: np.random.Generator) -> Floats:
    """Return Pi J^T for the `active` datapoints, shape (num_rows, active), Pi a sparse random sign embedding.

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
        by_coordinate = np.asarray(count_sketch_matrix(generator, jacobian.X.shape[1], length) @ jacobian.X[active].T)
        spectrum = np.fft.rfft(by_neuron, axis=0) * np.fft.rfft(by_coordinate, axis=0)
        blocks.append(np.fft.irfft(spectrum, n=length, axis=0))
    sketch: Floats = np.concatenate(blocks) / np.sqrt(SKETCH_BLOCKS * jacobian.width)
    return sketch


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

    With Pi J^T = Q R, the matrix J^T R^-1 is nearly orthonormal, so conjugate gradient on R^-T G R^-1 z = R^-T
    residual, g = R^-1 z, needs a number of iterations that does not depend on the conditioning of G. When R is singular
    its singular vectors take the place of R^-1, and the answer is the one of least norm (Meng, Saunders and Mahoney
    2014).

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
        return jacobian.gram_product(scatter(vector, active, num_points))[active] + ridge * vector

    maker = _Preconditioner(np.empty((0, 0)), 1.0, 0, 0, 0, False)
    dual, norms, met, status = right, np.zeros(1), None, "ok"
    if active.size:
        maker = _precondition(jacobian, active, ledger, generator, sketch_factor, ridge, gram_product)
        inverse = maker.inverse
        with ledger.time("solve"):
            largest = float(np.abs(right).max()) or 1.0  # divided out, so that squares neither under- nor overflow
            start = inverse.T @ (right / largest)
            solved, steps, met = _conjugate_gradient(
                lambda z: inverse.T @ gram_product(inverse @ z), start, tolerance, _MAX_CG_ITERATIONS
            )
            unit_dual = inverse @ solved
            norms = np.append(steps, relative_norm(inverse.T @ gram_product(unit_dual) - start, start))
            dual = largest * unit_dual
        status = rank_status(maker.rank, active.size)
        if status == "ok" and steps.size == _MAX_CG_ITERATIONS and steps[-1] > tolerance:
            status = (
                f"conjugate gradient stopped at a relative residual of {numeral(steps[-1], 2)} after {steps.size} "
                "iterations"
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
    return Solution(scatter(dual, active, num_points), report)


@dataclass(frozen=True, slots=True, eq=False)
class _Preconditioner:
    """`inverse`, (n, rank), maps z to g = R^-1 z; or to the range of G by its singular vectors if G is singular."""

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
            # R is a Cholesky factor of the sketched Gram matrix R^T R.
            reciprocal = lapack.dpocon(triangle, np.abs(triangle.T @ triangle).sum(axis=0).max())[0]
            if reciprocal > singular_below(size):
                inverse = la.solve_triangular(triangle, np.eye(size))
                return _Preconditioner(inverse, 1.0 / reciprocal, size, num_rows, attempt, False)
            _, scales, turned = la.svd(triangle)
            keep = scales**2 > singular_below(size) * scales[0] ** 2
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

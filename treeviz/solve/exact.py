"""The exact solve: Cholesky of a Gram matrix, or its eigenvectors where it is singular."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg as la
from scipy.linalg import lapack

from treeviz.model.ledger import Ledger, exact_solve_costs, gram_solve_operations
from treeviz.model.types import Floats
from treeviz.solve.jacobian import Jacobian, gram_matrix
from treeviz.solve.report import Solution, SolveReport, rank_status, relative_norm, scatter, singular_below


@dataclass(frozen=True, slots=True, eq=False)
class GramSolution:
    """The solution of one symmetric system, and how the solve went.

    Attributes
    ----------
    dual : (n,), zero for datapoints whose row of the matrix is zero.
    num_active : how many the others are.
    rank : numerical rank of the matrix.
    conditioning : its condition number in the 1-norm, estimated; from its eigenvalues if `singular`.
    error : norm of what the solution leaves of the reachable part of the right-hand side, relative to that side.
    singular : whether eigenvectors took the place of the Cholesky factor, the matrix being singular or close to it.
    """

    dual: Floats
    num_active: int
    rank: int
    conditioning: float
    error: float
    singular: bool

    @property
    def num_operations(self) -> int:
        """What the solve cost, by the ledger's rules."""
        return gram_solve_operations(self.num_active, singular=self.singular)

    @property
    def status(self) -> str:
        """Say "ok", or what went short."""
        return rank_status(self.rank, self.num_active)


def solve_gram(gram: Floats, right: Floats, ridge: float = 0.0) -> GramSolution:
    """Solve (gram + ridge I) dual = right, in the minimum-norm least-squares sense where that is singular.

    A Cholesky factorization. If it fails, or the matrix is singular to working precision, its eigenvectors, of which
    those below `singular_below` of the largest eigenvalue count as null. Datapoints whose diagonal entry is 0 take no
    part. Never raises. Cost: n^3 / 3 + n^2, and that of all eigenvectors where the matrix is singular.

    Parameters
    ----------
    gram : (n, n), symmetric and positive semidefinite.
    right : (n,).
    ridge : >= 0.
    """
    active = np.flatnonzero(gram.diagonal() > 0.0)
    size = active.size
    if not size:
        return GramSolution(np.zeros(right.size), 0, 0, 1.0, 0.0, False)
    matrix, reachable = gram, right
    if size < right.size:
        matrix, reachable = gram[np.ix_(active, active)], right[active]
    if ridge:
        matrix = matrix + ridge * np.eye(size)
    wanted, rank = reachable, size
    factor, failed = lapack.dpotrf(matrix, lower=0)
    reciprocal = 0.0 if failed else lapack.dpocon(factor, lapack.dlange("1", matrix))[0]
    singular = not reciprocal > singular_below(size)
    if singular:
        eigenvalues, vectors = la.eigh(matrix)
        keep = eigenvalues > singular_below(size) * eigenvalues[-1]
        basis, rank = vectors[:, keep], int(keep.sum())
        conditioning = float(eigenvalues[-1] / eigenvalues[0]) if keep.all() else np.inf
        coordinates = basis.T @ wanted
        reachable = basis @ coordinates
        dual = basis @ (coordinates / eigenvalues[keep])
    else:
        conditioning = 1.0 / reciprocal
        dual = lapack.dpotrs(factor, wanted, lower=0)[0]
    error = relative_norm(matrix @ dual - reachable, wanted)
    if size < right.size:
        dual = scatter(dual, active, right.size)
    return GramSolution(dual, size, rank, conditioning, error, singular)


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
    with ledger.time("solve"):
        solved = solve_gram(gram_matrix(jacobian), residual, ridge)
    overlaps = jacobian.overlap_operations
    ledger.post_all(exact_solve_costs(jacobian.num_pairs, overlaps, solved.num_active, singular=solved.singular))
    report = SolveReport(
        iterations=0,
        residual_norms=np.array([solved.error]),
        conditioning=solved.conditioning,
        preconditioned_conditioning=None,
        rank=solved.rank,
        num_active=solved.num_active,
        num_sketch_rows=0,
        num_sketches=0,
        singular=solved.singular,
        status=solved.status,
    )
    return Solution(solved.dual, report)

"""How a solve went: the dual step and a report that says in words what went short."""

import math
import sys
from dataclasses import dataclass

import numpy as np

from treeviz.model.numerals import count
from treeviz.model.types import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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

    def __repr__(self) -> str:
        """Say in a line how the solve went."""
        how = "direct" if not self.iterations else count(self.iterations, "iteration")
        conditioning = "" if self.conditioning is None else f", conditioning {self.conditioning:.3g}"
        return f"SolveReport({how}, rank {self.rank} of {self.num_active}{conditioning}, status={self.status!r})"

    @classmethod
    def nothing_solved(cls, num_active: int) -> "SolveReport":
        """Report on an iteration of a first-order method, which solves no system."""
        return cls(
            iterations=0,
            residual_norms=np.zeros(0),
            conditioning=None,
            preconditioned_conditioning=None,
            rank=num_active,
            num_active=num_active,
            num_sketch_rows=0,
            num_sketches=0,
            singular=False,
            status="ok",
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Solution:
    """The dual step g, shape (n,), and how the solve went."""

    dual: Floats
    report: SolveReport

    def __repr__(self) -> str:
        """Say in a line how far the step goes, and how it was found."""
        return f"Solution(n={self.dual.size}, ||g|| = {np.linalg.norm(self.dual):.4g}, {self.report!r})"


def singular_below(size: int) -> float:
    """Ratio to the largest eigenvalue under which an eigenvalue of G counts as zero: round-off has eaten its digits."""
    return max(1e-12, 10.0 * size * sys.float_info.epsilon)


def rank_status(rank: int, num_active: int) -> str:
    """Say "ok", or that the Gram matrix of these datapoints is singular."""
    if rank == num_active:
        return "ok"
    return (
        f"the Gram matrix has rank {rank} on {count(num_active, 'datapoint')}: solved in the minimum-norm "
        "least-squares sense, so some combination of the targets cannot be learned"
    )


def relative_norm(difference: Floats, reference: Floats) -> float:
    """Return ||difference|| / ||reference||; 0 if the reference is zero."""
    scale = math.sqrt(reference @ reference)
    return math.sqrt(difference @ difference) / scale if scale else 0.0


def scatter(values: Floats, active: Ints, size: int) -> Floats:
    """Return (size,) zeros with `values` at the places `active`."""
    full = np.zeros(size)
    full[active] = values
    return full

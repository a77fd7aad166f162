"""The numbers of one run that the theory page puts into its formulas (algorithm.md §1 to §5)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from treeviz.model.infinite_width import shifted_ntk
from treeviz.model.ledger import Ledger, exact_solve_costs
from treeviz.model.network import firing_probability, paper_threshold
from treeviz.model.streams import Stream, random_stream
from treeviz.model.theorem import required_width_exponent
from treeviz.model.types import Floats, Ints
from treeviz.solve.jacobian import SparseJacobian, gram_matrix
from treeviz.solve.report import SolveReport
from treeviz.solve.sketched import solve_sketched
from treeviz.training.trace import Trace

# Rows of the sketch per datapoint that are compared.
SKETCH_FACTORS = (4, 8, 16)
# Datapoints up to which the kernel's eigenvalues are computed for the page, n^3.
_LARGEST_KERNEL = 512


@dataclass(frozen=True)
class Facts:
    """What the lesson says of a run with search="forest", as far as its trace has come; one record is needed.

    Everything is about the first iteration, and tree 0 where one tree is meant, unless it says otherwise.
    """

    trace: Trace

    def __post_init__(self) -> None:
        if not self.trace.records:
            raise ValueError("there is no record yet: step first")
        if self.trace.config.search != "forest":
            raise ValueError(f'the lesson is about search="forest"; this run has {self.trace.config.search!r}')

    @property
    def num_points(self) -> int:
        """Return n."""
        return self.trace.dataset.num_points

    @property
    def dimension(self) -> int:
        """Return d."""
        return self.trace.dataset.dimension

    @property
    def width(self) -> int:
        """Return m."""
        return self.trace.config.width

    @property
    def threshold(self) -> float:
        """Return b."""
        return self.trace.config.resolved_threshold

    @property
    def has_paper_threshold(self) -> bool:
        """Whether b is the paper's choice for this width, on which bounds in powers of m rest."""
        return math.isclose(self.threshold, paper_threshold(self.width), abs_tol=1e-9)

    @property
    def probability(self) -> float:
        """Return p = Pr[N(0, 1) >= b]: the chance that a fresh neuron fires on a datapoint."""
        return firing_probability(self.threshold)

    @cached_property
    def leaves(self) -> Floats:
        """The inner products of all neurons with datapoint 0, (m,)."""
        return self.trace.tree_values(0, 0)[self.trace.num_drawn :]

    @property
    def num_firing(self) -> Ints:
        """Return k_i, (n,)."""
        return self.trace.records[0].firing.counts

    @property
    def visited_by_level(self) -> Ints:
        """Nodes that the search of tree 0 read on each level, the root's first."""
        return np.asarray(self.trace.records[0].visited_levels[0])

    @property
    def num_touched(self) -> Ints:
        """Return |U| of each iteration, (T,)."""
        return np.array([record.touched.size for record in self.trace.records])

    @property
    def num_written(self) -> Ints:
        """Return sum_i k_i of each iteration, (T,): the coefficients a move changes."""
        return np.array([record.firing.num_pairs for record in self.trace.records])

    @cached_property
    def _jacobian(self) -> SparseJacobian:
        firing = self.trace.records[0].firing
        return SparseJacobian(firing, self.trace.dataset.X, self.width)

    @cached_property
    def eigenvalues(self) -> Floats:
        """Eigenvalues of G = K o C / m, ascending, of the datapoints that fire a neuron. Cost: n^3."""
        active = np.flatnonzero(self._jacobian.counts)
        return np.asarray(
            np.linalg.eigvalsh(gram_matrix(self._jacobian)[np.ix_(active, active)]) if active.size else np.zeros(1)
        )

    @property
    def conditioning(self) -> float:
        """Return kappa(G), the largest eigenvalue over the smallest; infinite if that is zero, or below round-off."""
        smallest, largest = float(self.eigenvalues[0]), float(self.eigenvalues[-1])
        return largest / smallest if smallest > 1e-14 * largest else math.inf

    def expected_conditioning(self, threshold: float) -> float | None:
        """Return what kappa(G) of these datapoints tends to as m grows, with any threshold.

        Infinite if the smallest eigenvalue is 0 but for round-off; None for more than 512 datapoints. Cost: n^3.
        """
        if self.num_points > _LARGEST_KERNEL:
            return None
        eigenvalues = np.linalg.eigvalsh(shifted_ntk(self.trace.dataset.X, self.trace.dataset.X, threshold))
        smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
        return largest / smallest if smallest > 1e-14 * largest else math.inf

    @cached_property
    def _solved(self) -> Mapping[int, tuple[SolveReport, int]]:
        record, config = self.trace.records[0], self.trace.config
        found = {}
        for factor in SKETCH_FACTORS:
            ledger, stream = Ledger(), random_stream(config.seed, Stream.LESSON_SKETCHES, factor)
            report = solve_sketched(self._jacobian, record.residual, ledger, stream, sketch_factor=factor).report
            found[factor] = (report, sum(ledger.costs.values()))
        return found

    @property
    def sketches(self) -> Mapping[int, SolveReport]:
        """How the first system is solved with a sketch of 4, 8 and 16 rows a datapoint."""
        return {factor: report for factor, (report, _) in self._solved.items()}

    @property
    def sketch_operations(self) -> Mapping[int, int]:
        """The operations of these solves."""
        return {factor: operations for factor, (_, operations) in self._solved.items()}

    @property
    def exact_operations(self) -> int:
        """The operations of forming G from the overlaps, and solving the first system by Cholesky."""
        jacobian, report = self._jacobian, self.trace.records[0].solve
        costs = exact_solve_costs(
            jacobian.num_pairs, jacobian.overlap_operations, report.num_active, singular=report.singular
        )
        return sum(costs.values())

    @cached_property
    def smallest_angle(self) -> float:
        """The smallest angle between two datapoints, in degrees; nan if there is one only."""
        if self.num_points == 1:
            return math.nan
        products = self.trace.gram[~np.eye(self.num_points, dtype=bool)]
        return math.degrees(math.acos(min(1.0, max(-1.0, float(products.max())))))

    @property
    def required_width_exponent(self) -> float:
        """Return log10 of the width that the theorem asks for with these n and the paper's threshold."""
        return required_width_exponent(self.num_points)

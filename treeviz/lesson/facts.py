"""The numbers of one run that the theory page puts into its formulas (algorithm.md §1 to §5)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from treeviz.model.ledger import Ledger
from treeviz.model.network import firing_probability
from treeviz.model.streams import Stream, random_stream
from treeviz.model.types import Floats, Ints
from treeviz.solve.jacobian import SparseJacobian, gram_matrix
from treeviz.solve.report import SolveReport
from treeviz.solve.sketched import solve_sketched
from treeviz.training.trace import Trace

# Rows of the sketch per datapoint that are compared.
SKETCH_FACTORS = (4, 8, 16)
# The exponent that the paper's threshold saves: b = sqrt(0.48 ln m) = sqrt(2 * 0.24 * ln m).
ALPHA = 0.24


def required_width_exponent(num_points: int, alpha: float = ALPHA) -> float:
    """Return log10 of the width that the theorem's hypothesis asks for, m >= (16 n^4)^(1 / (1 - 4 alpha)).

    From lambda <= m^-alpha / 2, which b = sqrt(2 alpha ln m) forces, and m >= n^4 / lambda^4 (algorithm.md §5.6).
    Raises ValueError unless 0 <= alpha < 1/4, beyond which no width is enough.
    """
    if not 0.0 <= alpha < 0.25:
        raise ValueError(f"alpha must be at least 0 and below 1/4; got {alpha}")
    return (math.log10(16) + 4 * math.log10(num_points)) / (1 - 4 * alpha)


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
    def probability(self) -> float:
        """Return p = Pr[N(0, 1) >= b]: the chance that a fresh neuron fires on a datapoint."""
        return firing_probability(self.threshold)

    @cached_property
    def leaves(self) -> Floats:
        """The inner products of all neurons with datapoint 0, (m,)."""
        return self.trace.tree_values(0, 0)[self.width :]

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

    @cached_property
    def sketches(self) -> Mapping[int, SolveReport]:
        """How the first system is solved with a sketch of 4, 8 and 16 rows a datapoint."""
        record, config = self.trace.records[0], self.trace.config
        return {
            factor: solve_sketched(
                self._jacobian,
                record.residual,
                Ledger(),
                random_stream(config.seed, Stream.LESSON_SKETCHES, factor),
                sketch_factor=factor,
            ).report
            for factor in SKETCH_FACTORS
        }

    @cached_property
    def smallest_angle(self) -> float:
        """The smallest angle between two datapoints, or one and the other's opposite, in degrees; 90 for n = 1."""
        apart = np.abs(self.trace.gram) - np.eye(self.num_points)
        return math.degrees(math.acos(min(1.0, max(0.0, float(apart.max())))))

    @property
    def required_width_exponent(self) -> float:
        """Return log10 of the width that the theorem asks for with these n and the paper's threshold."""
        return required_width_exponent(self.num_points)

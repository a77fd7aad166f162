"""What one iteration leaves behind, frozen; and what one datapoint's tree looked like in it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treeviz.model.firing import FiringSets
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import StaleNode, WatchReport
from treeviz.solve.report import SolveReport


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StepRecord:
    """One iteration. Loss, outputs and firing sets are those at the weights *before* the move it then made.

    Attributes
    ----------
    iteration : 0, 1, 2, ...
    loss : 1/2 ||outputs - y||^2.
    outputs, residual : (n,), f and f - y.
    firing : which neurons fire; a sequence of n ascending arrays, one a datapoint.
    moving : which neurons the iteration moves: those that fire, with mini-batches on the batch only.
    dual_step : (n,), the move: w_r changes by -(a_r / sqrt(m)) * sum of dual_step_i x_i over the i on which r fires.
    visited_levels : (n, levels) nodes the search entered on each level of each tree, the root's level first; a method
        without trees has no levels, (n, 0), and one with a tree for each neuron counts them together, (1, levels).
    modified_levels : (n, levels) nodes whose value the move changed, likewise.
    solve : how the regression went.
    costs : operations by phase.
    seconds : wall-clock seconds by phase.
    status : "ok", or what went short, in words.
    unlearnable : {datapoint: reason} for the datapoints that cannot be moved or cannot be fitted.
    watch : what the watch lists did; None for any other search.
    stale : the node that a planted fault left with a wrong value after the move; None where no fault is.
    """

    iteration: int
    loss: float
    outputs: Floats
    residual: Floats
    firing: FiringSets
    moving: FiringSets
    dual_step: Floats
    visited_levels: Ints
    modified_levels: Ints
    solve: SolveReport
    costs: Mapping[str, int]
    seconds: Mapping[str, float]
    status: str
    unlearnable: Mapping[int, str]
    watch: WatchReport | None = None
    stale: StaleNode | None = None

    def __post_init__(self) -> None:
        arrays: list[NDArray[Any]] = [self.outputs, self.residual, self.dual_step]
        for array in (*arrays, self.visited_levels, self.modified_levels):
            array.flags.writeable = False

    def __repr__(self) -> str:
        """Say in a line what happened."""
        return (
            f"StepRecord(iteration={self.iteration}, loss={self.loss:.6g}, firing pairs: {self.firing.num_pairs:,}, "
            f"touched neurons: {self.num_touched:,}, nodes visited: {int(self.visited_levels.sum()):,}, modified: "
            f"{int(self.modified_levels.sum()):,}, operations: {self.num_operations:,}, status={self.status!r})"
        )

    @property
    def touched(self) -> NDArray[np.int32]:
        """The only neurons the iteration moves, ascending."""
        return self.moving.neurons.astype(np.int32, copy=False)

    @property
    def num_touched(self) -> int:
        """How many they are."""
        return self.moving.num_neurons

    @property
    def num_visited(self) -> Ints:
        """(n,) tree nodes entered by the search; zeros for a method without trees."""
        return _sum_of_levels(self.visited_levels)

    @property
    def num_modified(self) -> Ints:
        """(n,) tree nodes whose value the move changed; zeros for a method without trees."""
        return _sum_of_levels(self.modified_levels)

    @property
    def num_operations(self) -> int:
        """Operations of the iteration, all phases."""
        return sum(self.costs.values())

    @property
    def num_seconds(self) -> float:
        """Wall-clock seconds of the iteration, all phases."""
        return math.fsum(self.seconds.values())


def _sum_of_levels(counts: Ints) -> Ints:
    totals = np.asarray(counts.sum(axis=1))
    totals.flags.writeable = False
    return totals


@dataclass(frozen=True, slots=True, eq=False)
class TreeStep:
    """One datapoint's tree in one iteration, before and after the move.

    Attributes
    ----------
    point, iteration : which tree, and when.
    threshold : b.
    before, after : (2m,) node values; node 1 is the root, node m + r the leaf of neuron r, entry 0 unused.
    visited : nodes the search entered, in order.
    firing : neurons that fired, ascending.
    modified : nodes whose value the move changed, ascending.
    """

    point: int
    iteration: int
    threshold: float
    before: Floats
    after: Floats
    visited: Ints
    firing: Ints
    modified: Ints

    @property
    def num_leaves(self) -> int:
        """Number of neurons m."""
        return self.before.size // 2

"""What every engine offers the trainer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Ledger
from treeviz.model.network import Signs
from treeviz.model.types import Floats, Ints
from treeviz.solve.jacobian import Jacobian


@dataclass(frozen=True, eq=False)
class Sensed:
    """What an engine reports of the current weights: who fires, the outputs (n,), J, and the nodes visited.

    `firing` is made when somebody asks for it, which must be before the next move: training may not need it. Of
    datapoints that were not asked for, nobody fires and the output is 0. `visited_levels` (n, levels) counts nodes
    on each level of each tree; a method with a tree for each neuron counts all its trees together, (1, levels), and
    one without trees has no levels, (n, 0).
    """

    find_firing: Callable[[], FiringSets]
    outputs: Floats
    jacobian: Jacobian
    visited_levels: Ints

    @cached_property
    def firing(self) -> FiringSets:
        """Who fires where."""
        return self.find_firing()


class Engine(Protocol):
    """Owner of the weights; `sense` looks at them, `move` changes them. Drawing them took `draw_seconds`."""

    draw_seconds: float

    @property
    def num_bytes(self) -> int:
        """Bytes of the arrays kept from one iteration to the next."""

    def sense(self, ledger: Ledger, batch: Ints | None = None) -> Sensed:
        """Find the firing neurons and the outputs; posts search, forward and what J needs.

        With a `batch`, ascending datapoints, only of those; the first call is for all of them.
        """

    def move(self, sensed: Sensed, dual_step: Floats, ledger: Ledger) -> Ints:
        """Move w_r by -(a_r / sqrt(m)) sum_{i in T_r} dual_step_i x_i; return tree nodes modified, (n, levels).

        `sensed` is what the last `sense` returned, and dual_step is 0 outside its batch.
        """

    def weights(self, neurons: Ints | None) -> Floats:
        """Materialise W or some of its rows."""

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield W in blocks `(first_neuron, rows)`; each may be overwritten by the next."""

    def initial_leaves(self, point: int) -> Floats | None:
        """Return Z(0) of one datapoint, (m,), if it is at hand without redrawing the weights."""

    def initial_rows(self, neurons: Ints) -> Floats | None:
        """Return Z(0) of some ascending neurons, (u, n), if it is at hand without redrawing the weights."""


class EngineMaker(Protocol):
    """Builds an engine, usually its class."""

    def __call__(self, X: Floats, signs: Signs, config: TrainConfig, ledger: Ledger) -> Engine:
        """Draw the weights (not charged) and build what the method keeps (posted as build)."""

    def required_bytes(self, width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory it needs, about, the first iteration included; at the paper's threshold if it is None."""

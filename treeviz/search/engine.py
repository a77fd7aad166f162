"""What a search offers the trainer.

An engine owns the state of the weights in the form its method keeps. It posts what it does to the ledger it is handed.
Listing the firing sets for a record is charged to no method, in operations or in seconds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Ledger
from treeviz.model.network import InitialNetwork, outputs_at
from treeviz.model.types import Floats, Ints
from treeviz.search.scan import Scan, scan_weights
from treeviz.solve.jacobian import Jacobian

if TYPE_CHECKING:
    from treeviz.search.forest.trees import Forest


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The network at its current weights.

    `firing` is made when it is first asked for, which must be before the next move: training may not need it. On
    datapoints that were not asked for no neuron counts as firing, and the output is 0.

    Attributes
    ----------
    find_firing : makes `firing`.
    outputs : f, (n,).
    jacobian : J, as the method handles it.
    visited_levels : (n, levels) nodes visited on each level of each tree. A method with a tree for each neuron counts
        all its trees together, (1, levels), and one without trees has no levels, (n, 0).
    """

    find_firing: Callable[[], FiringSets]
    outputs: Floats
    jacobian: Jacobian
    visited_levels: Ints

    @cached_property
    def firing(self) -> FiringSets:
        """Which neurons fire on which datapoints."""
        return self.find_firing()


@dataclass(frozen=True, slots=True, eq=False)
class WatchReport:
    """What an iteration through watch lists had on them, and what its move did with them (algorithm.md §6).

    Attributes
    ----------
    skin : how far below the threshold pairs are watched from the start.
    num_watched : pairs watched at the start of the iteration.
    num_due : neurons the move looked at, because one of their pairs might have come to the threshold.
    num_changed : those of them that fire on other datapoints than before.
    promoted : ascending, those of them that have now moved farther than the skin since the start, so that all their
        pairs are watched from the next iteration on.
    """

    skin: float
    num_watched: int
    num_due: int
    num_changed: int
    promoted: NDArray[np.int32]

    def __post_init__(self) -> None:
        self.promoted.flags.writeable = False


class StaleNode(NamedTuple):
    """A node that a planted fault left otherwise than the larger of its children: its tree, heap number and value."""

    tree: int
    node: int
    value: float


class Engine(Protocol):
    """Owner of the weights: `evaluate` looks at them, `move` changes them.

    A new search subclasses this protocol and is named in `model.config.SEARCHES`; what has a body here is a default.
    `draw_seconds` is the time it took to draw the initial weights, which no method is charged for.
    """

    draw_seconds: float

    @property
    def num_bytes(self) -> int:
        """Bytes of the arrays kept from one iteration to the next."""
        ...

    def evaluate(self, ledger: Ledger, batch: Ints | None = None) -> Evaluation:
        """Find the firing neurons and the outputs; posts search, forward and what J needs.

        With a `batch`, ascending datapoints, only of those; the first call is for all of them.
        """
        ...

    def move(self, evaluation: Evaluation, dual_step: Floats, ledger: Ledger) -> Ints:
        """Move w_r by -(a_r / sqrt(m)) sum_{i in T_r} dual_step_i x_i; return tree nodes modified, (n, levels).

        `evaluation` is what the last `evaluate` returned, and dual_step is 0 outside its batch.
        """
        ...

    def weights(self, neurons: Ints | None) -> Floats:
        """Materialise W or some of its rows."""
        ...

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield W in blocks `(first_neuron, rows)`; each may be overwritten by the next."""
        ...

    def outputs_at(self, X: Floats, network: InitialNetwork, threshold: float) -> Floats:
        """Return what the drawn neurons add to the outputs on points of unit length, (q, d), at the current weights."""
        return outputs_at(X, self.weight_blocks(), np.asarray(network.signs), threshold, network.width)

    def scan(self, X: Floats, threshold: float) -> Scan:
        """Find the firing neurons by brute force: by default, every inner product computed again from the weights."""
        return scan_weights(self.weight_blocks(), X, threshold)

    def watch_report(self) -> WatchReport | None:
        """Say what the watch lists did in the iteration just made; None where there are none."""
        return None

    def stale_node(self) -> StaleNode | None:
        """Say which node is wrong after the iteration just made, by a fault planted into this engine."""
        return None

    def initial_leaves(self, point: int) -> Floats | None:
        """Return Z(0) of one datapoint, (m,), if it is known without redrawing the weights."""
        return None

    def initial_rows(self, neurons: Ints) -> Floats | None:
        """Return Z(0) of some ascending neurons, (u, n), if it is known without redrawing the weights."""
        return None

    @property
    def forest(self) -> "Forest | None":
        """The live forest, if the method keeps one."""
        return None


class EngineMaker(Protocol):
    """Builds an engine, usually its class."""

    def __call__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> Engine:
        """Draw the weights (not charged) and build what the method keeps (posted as build)."""
        ...

    def required_bytes(self, width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory it needs, about, the first iteration included; at the paper's threshold if it is None."""
        ...

"""A lane: what one contestant of a race has done so far, number by number, and how it ended."""

import copy
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from treeviz.model.infinite_width import Activity
from treeviz.model.ledger import at_price
from treeviz.model.phases import PHASES
from treeviz.model.types import Floats
from treeviz.race.contestant import Contestant, Lap, Runner

State = Literal["waiting", "running", "reached", "stopped", "failed"]

_NO_ACTIVITY = Activity(0, 0, 0)


class _Spent(NamedTuple):
    """Operations and seconds of everything before a lap, building included."""

    operations: int
    seconds: float
    nodes: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A number kept of every lap: how it is taken, whether it is whole, and whether reports list it."""

    take: Callable[[Lap, _Spent], float]
    is_whole: bool = True
    is_reported: bool = True


def _until_loss(parts: Mapping[str, float]) -> float:
    return sum(parts.get(name, 0) for name, phase in PHASES.items() if phase.before_loss)


COLUMNS: Mapping[str, Column] = {
    # At the weights before the lap's move.
    "loss": Column(lambda lap, spent: lap.loss, is_whole=False),
    # Spent when that loss is known: everything before the lap, and the lap's search and forward pass.
    "operations": Column(lambda lap, spent: spent.operations + _until_loss(lap.costs)),
    "seconds": Column(lambda lap, spent: spent.seconds + _until_loss(lap.seconds), is_whole=False),
    # Of the whole lap.
    "lap_operations": Column(lambda lap, spent: sum(lap.costs.values())),
    "lap_seconds": Column(lambda lap, spent: sum(lap.seconds.values()), is_whole=False),
    # Neurons moved and tree nodes changed by the lap.
    "num_touched": Column(lambda lap, spent: lap.num_touched),
    "num_modified": Column(lambda lap, spent: lap.num_modified),
    # |U|, sum_i k_i and sum_r |T_r|^2 of all n datapoints.
    "num_firing": Column(lambda lap, spent: (lap.activity or _NO_ACTIVITY).num_touched, is_reported=False),
    "num_pairs": Column(lambda lap, spent: (lap.activity or _NO_ACTIVITY).num_pairs, is_reported=False),
    "num_overlaps": Column(lambda lap, spent: (lap.activity or _NO_ACTIVITY).num_overlaps, is_reported=False),
    # How many of the operations above were tree nodes read or written.
    "nodes": Column(lambda lap, spent: spent.nodes + _until_loss(lap.nodes), is_reported=False),
    "lap_nodes": Column(lambda lap, spent: sum(lap.nodes.values()), is_reported=False),
    # Of conjugate gradient in the lap's solve.
    "cg_iterations": Column(lambda lap, spent: lap.cg_iterations, is_reported=False),
}
_PLACES = {name: place for place, name in enumerate(COLUMNS)}


class Lane:
    """One contestant's way through a race.

    Attributes
    ----------
    contestant : the contestant that runs here.
    state : "waiting", "running", "reached" (the loss asked for), "stopped" (by itself, a limit or the user), "failed".
    reason : why it stopped or failed, in words.
    stop_reason : why nothing further can happen here, however long it goes on, in words; empty while it can go on.
    build_operations, build_seconds : of what it builds before its first iteration.
    num_bytes : bytes it keeps from one iteration to the next.
    last_loss : of the last lap; None before the first.
    test_error : at the end of its way; None where there are no test points, or its outputs there are beyond finite
        numbers. See `report.test_error_name`.
    costs, seconds : of everything so far by phase, building included.
    nodes, build_nodes : how many of the operations were tree nodes read or written; of everything so far by phase, and
        of building.
    """

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self.state: State = "waiting"
        self.reason = self.stop_reason = ""
        self.build_operations, self.build_seconds = 0, 0.0
        self.num_bytes = 0
        self.last_loss: float | None = None
        self.test_error: float | None = None
        self.build_nodes = 0
        self.costs: Counter[str] = Counter()
        self.nodes: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        # A row a lap. Viewers read it while it grows: rows are never changed.
        self._table = np.empty((64, len(COLUMNS)))
        self._num_laps, self._has_begun = 0, False
        self._spent = _Spent(0, 0.0)

    @property
    def num_laps(self) -> int:
        """Iterations done."""
        return self._num_laps

    @property
    def table_bytes(self) -> int:
        """Bytes of the numbers kept here."""
        return self._table.nbytes

    @property
    def lowest_loss(self) -> float | None:
        """Lowest finite loss so far; None if there is none."""
        losses = self.column("loss")
        finite = losses[np.isfinite(losses)]
        return float(finite.min()) if finite.size else None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens here."""
        return self.state in ("reached", "stopped", "failed")

    def column(self, name: str) -> Floats:
        """Return a number of every lap so far, (laps,): one of `COLUMNS`."""
        return self.columns(name)[0]

    def columns(self, *names: str) -> list[Floats]:
        """Return several columns, all of the same laps, also while more are being done."""
        count, table = self._num_laps, self._table
        return [table[:count, _PLACES[name]].copy() for name in names]

    def lap_reaching(self, loss: float) -> int | None:
        """Return the first lap whose loss is at most `loss`; None if there is none yet."""
        reached = np.flatnonzero(self.column("loss") <= loss)
        return int(reached[0]) if reached.size else None

    def at_price(self, node_price: int) -> "Lane":
        """Return this lane as far as it has come, each tree node counted as `node_price` operations in place of one."""
        priced = copy.copy(self)
        count = priced._num_laps
        priced._table = priced._table[:count].copy()
        for operations, nodes in (("operations", "nodes"), ("lap_operations", "lap_nodes")):
            priced._table[:, _PLACES[operations]] += (node_price - 1) * priced._table[:, _PLACES[nodes]]
        priced.build_operations += (node_price - 1) * priced.build_nodes
        priced.costs = Counter(at_price(priced.costs, priced.nodes, node_price))
        return priced

    def begin(self, runner: Runner) -> None:
        """Take down what building took, once."""
        if self._has_begun:
            return
        self._check_phases(runner.build_costs, runner.build_seconds)
        self._has_begun, self.state = True, "running"
        self.build_operations = sum(runner.build_costs.values())
        self.build_seconds = sum(runner.build_seconds.values())
        self.build_nodes = sum(runner.build_nodes.values())
        self._spent = _Spent(self.build_operations, self.build_seconds, self.build_nodes)
        self.costs, self.seconds = Counter(runner.build_costs), Counter(runner.build_seconds)
        self.nodes = Counter(runner.build_nodes)

    def add(self, lap: Lap) -> None:
        """Take down a lap."""
        self._check_phases(lap.costs, lap.seconds)
        if self._num_laps == len(self._table):
            self._table = np.concatenate([self._table, np.empty_like(self._table)])
        self._table[self._num_laps] = [column.take(lap, self._spent) for column in COLUMNS.values()]
        self._num_laps += 1
        self.last_loss = lap.loss
        self.stop_reason = lap.stop_reason
        if not math.isfinite(lap.loss):
            self.stop_reason = lap.stop_reason or "diverged: its loss is no longer a finite number"
        operations, seconds, nodes = (sum(part.values()) for part in (lap.costs, lap.seconds, lap.nodes))
        self._spent = _Spent(
            self._spent.operations + int(operations), self._spent.seconds + seconds, self._spent.nodes + int(nodes)
        )
        # New ones each time, for viewers may be reading the old.
        self.costs, self.seconds = self.costs + Counter(lap.costs), self.seconds + Counter(lap.seconds)
        self.nodes = self.nodes + Counter(lap.nodes)

    def end(self, state: State, reason: str, test_error: float = math.inf) -> None:
        """Take down how it ended, unless it is over already."""
        if not self.is_over:
            self.test_error = test_error if math.isfinite(test_error) else None
            self.reason, self.state = reason, state

    def fail(self, reason: str) -> None:
        """Take down that nothing further can happen, unless it is known already; a lane that is over stays as it is."""
        self.stop_reason = self.stop_reason or reason
        self.end("failed", reason)

    def go_on(self) -> None:
        """Take back the end: there is more to do."""
        self.reason, self.test_error = "", None
        self.state = "running" if self._has_begun else "waiting"

    def correct(self, state: State, reason: str) -> None:
        """Take down that its end means something else by new goals."""
        self.reason, self.state = reason, state

    def _check_phases(self, *parts: Mapping[str, float]) -> None:
        unknown = sorted({phase for part in parts for phase in part} - set(PHASES))
        if unknown:
            raise ValueError(f"{self.contestant.title} reports phases {unknown}: choose among {', '.join(PHASES)}")


def is_classification(y: Floats) -> bool:
    """Whether all targets are -1 or +1."""
    return bool(np.all(np.abs(y) == 1.0))


def measure_error(outputs: Floats, y: Floats) -> float:
    """Return the share of wrong signs where all targets are -1 or +1, else the root mean squared error.

    Infinity if an output is not a finite number, or a square of one is not.
    """
    if not np.isfinite(outputs).all():
        return math.inf
    if is_classification(y):
        return float(np.mean(np.where(outputs >= 0, 1.0, -1.0) != y))
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean((outputs - y) ** 2)))

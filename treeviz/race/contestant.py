"""What takes part in a race: how it is started, what it costs, and what the pages say about it.

A contestant is a `Contestant`, declared in a module of `treeviz.race.contestants` together with the code that only it
needs. Once started it is a `Runner`: it steps, and reports every iteration as a `Lap`. Most contestants are a `Trainer`
with certain settings; `Trained` starts those.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.infinite_width import Activity
from treeviz.model.ledger import sketch_solve_costs
from treeviz.model.types import Floats
from treeviz.search import find_engine
from treeviz.search.engine import EngineMaker
from treeviz.solve.sketched import SKETCH_BLOCKS
from treeviz.training.trainer import Trainer

FAMILIES = ("gauss-newton", "gradient-descent", "sgd", "adam", "l-bfgs", "reference")
THIS_APP = "here"  # the source of a method that this app describes and tests


@dataclass(frozen=True, slots=True)
class Lap:
    """One iteration of a contestant.

    Attributes
    ----------
    iteration : 0, 1, 2, ...
    loss : 1/2 ||outputs - y||^2 over all n datapoints, at the weights before the iteration's move.
    costs, seconds : operations and wall-clock seconds of the iteration, by phase.
    num_touched : neurons the iteration moved.
    num_modified : tree nodes whose value it changed; 0 for a method without trees.
    status : "ok", or what went short, in words.
    stop_reason : why nothing further can happen, in words; empty while the contestant can go on.
    activity : how many neurons and pairs fire on the n datapoints; None where no neurons are trained.
    cg_iterations : conjugate-gradient iterations of its solve; 0 if it had none.
    nodes : how many of the operations were tree nodes read or written, by phase.
    """

    iteration: int
    loss: float
    costs: Mapping[str, int]
    seconds: Mapping[str, float]
    num_touched: int
    num_modified: int
    status: str = "ok"
    stop_reason: str = ""
    activity: Activity | None = None
    cg_iterations: int = 0
    nodes: Mapping[str, int] = field(default_factory=dict)


class Runner(Protocol):
    """A contestant under way. What came before its first iteration is in `build_costs` and `build_seconds`, by phase.

    `build_nodes` says how many of those operations were tree nodes read or written.

    Drawing the initial weights is not charged: every contestant is given them.
    """

    build_costs: Mapping[str, int]
    build_seconds: Mapping[str, float]
    build_nodes: Mapping[str, int]

    @property
    def num_bytes(self) -> int:
        """Bytes of the arrays it keeps from one iteration to the next."""

    def step(self) -> Lap:
        """Do one iteration."""

    def predict(self, X: Floats) -> Floats:
        """Return the outputs (q,) of the weights reached so far on q points of unit length, (q, d)."""


class RunnerMaker(Protocol):
    """Starts a contestant: a `Trained`, or the class of a `Runner`."""

    def __call__(self, data: Dataset, config: TrainConfig, /) -> Runner:
        """Return a runner for a dataset and the settings all contestants share.

        It puts its own method, search and solver into the settings; ValueError or MemoryError if it cannot be run.
        """

    def required_bytes(self, width: int, num_points: int, dimension: int, /) -> int:
        """Memory it needs, about."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The sizes a cost formula needs. Numbers of neurons, pairs and nodes may be expectations, so need not be whole.

    Attributes
    ----------
    width, num_points, dimension : m, n, d.
    activity : neurons, pairs and overlaps of the firing sets.
    num_kept : |U(0)|, neurons that fire on at least one datapoint at the start.
    num_batches : mini-batches an epoch is cut into.
    num_batch_touched : neurons that fire on a mini-batch, on average.
    num_entered : inner nodes >= b of all neuron trees together.
    sketch_factor : rows of the sketch per datapoint.
    cg_iterations : conjugate-gradient iterations of a sketched solve.
    node_price : operations that a tree node read or written counts as.
    """

    width: int
    num_points: int
    dimension: int
    activity: Activity
    num_kept: float
    num_batches: int
    num_batch_touched: float
    num_entered: float
    sketch_factor: int
    cg_iterations: float
    node_price: float = 1

    @property
    def batch_size(self) -> float:
        """Datapoints of a mini-batch, on average over an epoch, the last batch of which may be smaller."""
        return self.num_points / self.num_batches

    def sketch_solve_costs(self, num_pairs: float) -> dict[str, float]:
        """Operations, by phase, of a solve by one sketch of a Jacobian whose rows have so many pairs together."""
        return sketch_solve_costs(
            num_pairs,
            self.num_points,
            self.dimension,
            num_rows=self.sketch_factor * self.num_points // SKETCH_BLOCKS * SKETCH_BLOCKS,
            num_blocks=SKETCH_BLOCKS,
            num_sketches=1,
            iterations=self.cg_iterations,
            singular=False,
        )


@dataclass(frozen=True, slots=True)
class Prediction:
    """Operations by phase: of building, of any iteration, and what only the first iteration adds."""

    build: Mapping[str, float]
    iteration: Mapping[str, float]
    first: Mapping[str, float] = field(default_factory=dict)

    def total(self, num_iterations: int) -> float:
        """Operations of building and so many iterations."""
        once = sum(self.build.values()) + (sum(self.first.values()) if num_iterations else 0.0)
        return once + num_iterations * sum(self.iteration.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A method that can take part in a race.

    Formulas are written as on a blackboard: constants and lower terms are left out. They use m, n, d, Σk for the pairs
    that fire, U for the touched neurons, L for the pairs on watch lists, and *products* for those with G that conjugate
    gradient takes; of watch lists *due* for the neurons looked at, *pairs* for those watched of one, and t for the
    datapoints it fires on.

    Attributes
    ----------
    key : its name on the command line and in addresses.
    title : its name on screen, short.
    family : one of `FAMILIES`; members of a family make the same steps, "reference" makes none.
    kind : "trees" if it searches trees, "dense" if it handles all m neurons in every iteration, "table" if it keeps the
        inner products without trees, or "other".
    about : a sentence or two on what it does and where it comes from.
    start : makes its `Runner`, and says what memory that needs.
    predict : what a `Workload` costs it; None where no formula can say, because that depends on how the run goes.
    preprocessing, iteration : formulas of what it spends before its first iteration, and in each.
    exactness : whether its steps are those of computing everything, in a word or two.
    source : the publication, in Markdown; `THIS_APP`; or empty for a method of the textbooks.
    """

    key: str
    title: str
    family: str
    about: str
    start: RunnerMaker
    predict: Callable[[Workload], Prediction] | None
    preprocessing: str
    iteration: str
    exactness: str
    source: str
    kind: Literal["trees", "dense", "table", "other"] = "other"

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"family must be one of {', '.join(map(repr, FAMILIES))}; got {self.family!r}")

    @property
    def is_reference(self) -> bool:
        """Whether it has no iterations, only a loss before and a loss after."""
        return self.family == "reference"

    def required_bytes(self, width: int, num_points: int, dimension: int) -> int:
        """Memory it needs, about."""
        return self.start.required_bytes(width, num_points, dimension)

    def forecast(self, load: Workload) -> Prediction:
        """Return what a workload costs; ValueError if no formula can say."""
        if self.predict is None:
            raise ValueError(f"what {self.title} costs depends on how the run goes, and no formula knows that: race it")
        return self.predict(load)


class TrainerRunner:
    """A `Trainer` in a race. It keeps no records: thousands of iterations take no memory."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.build_costs, self.build_seconds = trainer.trace.build_costs, trainer.trace.build_seconds
        self.build_nodes: Mapping[str, int] = trainer.ledger.nodes

    @property
    def num_bytes(self) -> int:
        """Bytes of what its engine keeps."""
        return self._trainer.num_bytes

    def step(self) -> Lap:
        """Do one iteration of the trainer."""
        record = self._trainer.step()
        firing = record.firing
        return Lap(
            iteration=record.iteration,
            loss=record.loss,
            costs=record.costs,
            seconds=record.seconds,
            num_touched=record.touched.size if record.dual_step.any() else 0,
            num_modified=int(record.modified_levels.sum()),
            status=record.status,
            stop_reason=self._trainer.stop_reason,
            activity=Activity(firing.neurons.size, firing.num_pairs, int((firing.degrees.astype(np.int64) ** 2).sum())),
            cg_iterations=record.solve.iterations,
            nodes=self._trainer.ledger.nodes,
        )

    def predict(self, X: Floats) -> Floats:
        """Return the network's outputs on new points."""
        return self._trainer.predict(X)


class Trained:
    """Starts a `Trainer` with choices of `TrainConfig` of its own; the other settings are those of the race.

    `engine_class` puts another engine in the place of the one that `search` names.
    """

    def __init__(self, *, search: str, engine_class: EngineMaker | None = None, **choices: Any) -> None:
        self._choices = {"search": search, **choices}
        self._search, self._engine_class = search, engine_class

    def __call__(self, data: Dataset, config: TrainConfig) -> Runner:
        """Build what the search keeps."""
        own = replace(config, **self._choices)
        return TrainerRunner(Trainer(data, own, keep_records=False, engine_class=self._engine_class))

    def required_bytes(self, width: int, num_points: int, dimension: int) -> int:
        """Memory its search needs, about."""
        maker = self._engine_class or find_engine(self._search)
        return maker.required_bytes(width, num_points, dimension)

"""The training loop: one `Trainer.step()` is one iteration of algorithm.md §3."""

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from treeviz.data.dataset import Dataset, require_unit_rows
from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger
from treeviz.model.network import Deviation
from treeviz.model.streams import Stream, random_stream
from treeviz.model.types import Floats, Ints
from treeviz.search import find_engine, initial_network, required_bytes
from treeviz.search.compiled import interrupt_deferred
from treeviz.search.engine import EngineMaker, Evaluation
from treeviz.search.forest.trees import Forest
from treeviz.search.scan import Scan
from treeviz.search.sharded.engine import ClusterEngine
from treeviz.solve.exact import solve_exact
from treeviz.solve.report import Solution, SolveReport
from treeviz.solve.sketched import solve_sketched
from treeviz.solve.step_size import safe_step_size
from treeviz.training.checkpoint import Checkpoint
from treeviz.training.judge import Judge, require_loss
from treeviz.training.memory import require_memory
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace

if TYPE_CHECKING:
    from distributed import Client

# A move longer than this has left the range in which squares of outputs are finite numbers.
_LONGEST_MOVE = 1e100


class Trainer:
    """Trains the two-layer network on a dataset and records every iteration.

    Parameters
    ----------
    data : n datapoints of unit length.
    config : every setting; the same data and config give the same records, bit for bit, on the same machine.
    keep_records : whether the trace keeps the records. Without them thousands of iterations take no memory, but none
        can be replayed.
    engine_class : another engine than the one `config.search` names.
    cluster : a client of `dask.distributed`, such as `training.cluster.connect` gives: its workers draw the neurons and
        keep their watch lists. The records are the same; which neurons fire is sent when it is asked for.
    dual_steps : the moves of the first iterations, (n,) each, that an earlier run with this data and config made. These
        iterations make them in place of their own, which are the same but for round-off on another machine.
    on_shard : called while a cluster builds, with how many parts of the network are built, and of how many.

    Attributes
    ----------
    trace : the `Trace` of all steps so far.
    step_size : factor on the move; None until the first step finds it, if `config.step_size` is None.
    threshold : b.
    ledger : of the last step; before the first, of building.

    Raises
    ------
    ValueError
        If the run would not fit in this machine's memory; the message says what it needs.
    """

    def __init__(
        self,
        data: Dataset,
        config: TrainConfig,
        *,
        keep_records: bool = True,
        engine_class: EngineMaker | None = None,
        cluster: "Client | None" = None,
        dual_steps: Sequence[Floats] = (),
        on_shard: Callable[[int, int], object] = lambda done, of: None,
    ) -> None:
        make_engine: EngineMaker
        if cluster is None:
            make_engine = engine_class or find_engine(config.search, config.fault)
            needed = required_bytes(make_engine, data, config)
        else:
            make_engine = ClusterEngine(cluster, on_shard)
            needed = make_engine.required_bytes(config.width, data.num_points, data.dimension)
        require_memory(
            needed,
            f"width {config.width:,} with {data.num_points} datapoints of dimension {data.dimension} needs about "
            f"{needed / 1e9:.1f} GB with search={config.search!r}",
            "choose a smaller width or fewer datapoints",
        )
        self.config, self.data = config, data
        self.threshold = config.resolved_threshold
        self.step_size = 1.0 if config.step_size is None and config.method == "gauss-newton" else config.step_size
        self.ledger = ledger = Ledger()
        network = initial_network(data.X, config)
        self._engine = make_engine(data, network, config, ledger)
        draw_seconds = network.draw_seconds + self._engine.draw_seconds
        self.trace = Trace(data, config, ledger.costs, ledger.seconds, draw_seconds)
        self.trace.network = network
        self.trace.engine = weakref.ref(self._engine)
        self._keeps_records, self._num_steps = keep_records, 0
        self._is_torn = False  # between the beginning of a move and its record
        self._judge = Judge(data, config)
        self._given_steps = dual_steps

    @classmethod
    def resume(
        cls, path: str | os.PathLike[str], *, keep_records: bool = True, cluster: "Client | None" = None
    ) -> "Trainer":
        """Return a trainer that has done the iterations of a checkpoint, and goes on as the run that wrote it.

        Raises ValueError if the file cannot be used. Cost: building, and these iterations.
        """
        found = Checkpoint.load(path)
        steps = found.dual_steps
        trainer = cls(found.data, found.config, keep_records=keep_records, cluster=cluster, dual_steps=steps)
        for _ in steps:
            trainer.step()
        return trainer

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Set up a copy, such as one in another process: its trace refers to its own engine."""
        vars(self).update(state)
        self.trace.engine = weakref.ref(self._engine)

    @property
    def stop_reason(self) -> str:
        """Why further steps would change nothing worth having, in words; empty while there is no such reason."""
        return self._judge.stop_reason

    @property
    def output_signs(self) -> Floats:
        """The untrained second layer, (m,) of -1 or +1; drawn when first asked for."""
        return np.asarray(self.trace.network.signs)

    @property
    def forest(self) -> Forest:
        """The live forest, with search="forest"; AttributeError otherwise."""
        forest = self._engine.forest
        if forest is None:
            own = f'search="{self.config.search}"' if self.config.search != "forest" else type(self._engine).__name__
            raise AttributeError(f'{own} keeps no forest; use search="forest"')
        return forest

    def scan(self) -> Scan:
        """Find by brute force which neurons fire now: what the next step is checked against. Cost: up to m * n * d."""
        return self._engine.scan(self.data.X, self.threshold)

    def weights(self, neurons: Ints | None = None) -> Floats:
        """Return the current hidden weights W, (m, d), or the rows of `neurons`, materialised from the implicit form.

        Where only the neurons that fire were drawn, these are all rows, and neurons are numbered among them.

        Raises ValueError if a neuron is out of range. Cost: drawing the rows, and |U(0)| n d.
        """
        if neurons is not None:
            neurons = np.atleast_1d(neurons)
            whole = neurons.dtype.kind in "iu" or not neurons.size
            count = self.trace.num_drawn
            if not whole or np.any(neurons < 0) or np.any(neurons >= count):
                raise ValueError(f"neurons must be whole numbers between 0 and {count - 1}; got {neurons}")
            neurons = neurons.astype(np.int64)
        self._require_whole()
        return self._engine.weights(neurons)

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield the current hidden weights in blocks `(first_neuron, rows)`; each may be overwritten by the next."""
        self._require_whole()
        return self._engine.weight_blocks()

    def predict(self, X: Floats) -> Floats:
        """Return the outputs, (q,), of the current weights on points of unit length, (q, d). Cost: m * q * d.

        The workers of a cluster compute it, each for the neurons that it keeps.

        Where only the neurons that fire were drawn, it is what these add. The others fire on none of the datapoints,
        but may on new points; `undrawn_deviation` says how much they would add there.

        Raises ValueError if the points have another dimension, or one is not of length 1: `Dataset.prepare` makes such
        points of new raw rows.
        """
        X = self._require_points(X)
        self._require_whole()
        return self._engine.outputs_at(X, self.trace.network, self.threshold) + self.trace.output_shift

    def _require_points(self, X: Floats) -> Floats:
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != self.data.dimension:
            raise ValueError(f"X must have shape (points, {self.data.dimension}); got {X.shape}")
        require_unit_rows(X, "prepare new rows as the datapoints were, by trainer.data.prepare(rows)")
        return X

    def undrawn_deviation(self, X: Floats) -> Deviation:
        """Return the standard deviation of what the neurons that are not drawn add to the outputs at X, (q,).

        It is that of all networks that have the drawn neurons: m - `num_drawn` others, each with the law of a neuron
        that fires on no datapoint, and with signs of their own. The mean is 0. With activation="clipped" the sum of
        these signs is in the outputs already; then the mean is not quite 0, and this is the root mean square, given the
        sum. It is 0 at the datapoints, and everywhere if all neurons are drawn.

        Returns
        -------
        The values, (q,), and their standard errors, (q,): 0.1 % of the value or less, except where datapoints lie
        close together around a point, or where the sum of signs is unusual. The answer for a point is the same
        whatever other points are asked for.

        Raises as `predict`. Cost: 2,048 to 524,288 samples for each point, and once more for all, each of up to n r
        multiply-adds, r = min(d, n + 1).
        """
        return self.trace.network.undrawn_deviation(
            self._require_points(X), knows_sum=self.config.activation == "clipped"
        )

    @property
    def num_bytes(self) -> int:
        """Bytes of the arrays kept from one iteration to the next, records and data apart."""
        return self._engine.num_bytes

    def step(self) -> StepRecord:
        """Do one iteration: search, forward, solve, move, repair; return its record, which is also in `trace`.

        Never raises for what the data or the settings do to the mathematics: a system that is singular, a run that
        stalls or a move that would overflow is described in the record's `status`.

        A step is done or not done: Ctrl-C takes effect at its end. Raises RuntimeError if another error, such as a lack
        of memory, stopped an earlier step while it changed the weights.
        """
        with interrupt_deferred():
            record = self._iterate(with_record=True)[1]
        assert record is not None
        return record

    def advance(self) -> float:
        """Do what `step` does, write nothing down, and return the loss: the fast way to train.

        Firing sets are not listed for a record. A method still finds what it needs of them to train.
        """
        with interrupt_deferred():
            return self._iterate(with_record=False)[0]

    def _iterate(self, *, with_record: bool) -> tuple[float, StepRecord | None]:
        self._require_whole()
        ledger, iteration = Ledger(), self._num_steps
        batch = self.config.mini_batch(self.data.num_points, iteration)
        whole = self._evaluate_all(ledger, is_batched=batch is not None)
        firing = whole.firing.compact() if with_record else None  # now: the next evaluation or move may overwrite it
        learned = whole if batch is None else self._engine.evaluate(ledger, batch)
        moving = firing if batch is None or firing is None else learned.firing.compact()
        outputs = whole.outputs + self.trace.output_shift
        residual = outputs - self.data.y
        loss = 0.5 * float(residual @ residual)
        solution = self._solve(learned, residual, ledger)
        dual_step, diverged = self._scale_step(solution.dual)
        if iteration < len(self._given_steps):
            dual_step = self._given_steps[iteration]
        modified_levels = np.zeros_like(learned.visited_levels)
        self._is_torn = True
        if dual_step.any():
            modified_levels = self._engine.move(learned, dual_step, ledger)
        status = self._judge.judge(whole.jacobian.counts, residual, loss, solution.report, diverged=diverged)
        self._num_steps += 1
        self.ledger = ledger
        if firing is None or moving is None:
            self._is_torn = False
            return loss, None
        record = StepRecord(
            iteration=iteration,
            loss=loss,
            outputs=outputs,
            residual=residual,
            firing=firing,
            moving=moving,
            dual_step=dual_step,
            visited_levels=learned.visited_levels,
            modified_levels=modified_levels,
            solve=solution.report,
            costs=ledger.costs,
            seconds=ledger.seconds,
            status=status,
            unlearnable=self._judge.unlearnable(whole.jacobian.counts),
            watch=self._engine.watch_report(),
            stale=self._engine.stale_node(),
        )
        if self._keeps_records:
            self.trace.records.append(record)
        self._is_torn = False
        return loss, record

    def _require_whole(self) -> None:
        if self._is_torn:
            raise RuntimeError(
                f"step {self._num_steps} was stopped while it changed the weights, so they are neither the "
                "old nor the new ones: make a new Trainer. The records so far are in `trace`"
            )

    def _evaluate_all(self, ledger: Ledger, *, is_batched: bool) -> Evaluation:
        """Search and forward on all datapoints, and in the first iteration find the step size, unless it is given.

        A mini-batch's iteration pays for its own datapoints. What fires on the others, and their loss, is found for the
        record only, and charged to no method. Finding the step size needs all of them, so the first iteration pays.
        """
        finds_step_size = self.step_size is None
        whole = self._engine.evaluate(ledger if finds_step_size or not is_batched else Ledger())
        if self.step_size is None:
            batch_size = self.config.batch_size if self.config.method == "sgd" else None
            self.step_size = safe_step_size(whole.jacobian, batch_size, ledger)
        return whole

    def _scale_step(self, dual: Floats) -> tuple[Floats, bool]:
        """Return the move, (n,), and whether it was left out because it would leave the range of finite numbers.

        |change of any w_r| <= sum |dual_step_i| / sqrt(m), since datapoints have unit length.
        """
        assert self.step_size is not None
        with np.errstate(over="ignore", invalid="ignore"):
            dual_step = self.step_size * dual
            if np.abs(dual_step).sum() / np.sqrt(self.config.width) < _LONGEST_MOVE:
                return dual_step, False
        return np.zeros_like(dual_step), True

    def run(
        self,
        max_iterations: int = 50,
        until_loss: float = 1e-10,
        on_step: Callable[[StepRecord], object] | None = None,
    ) -> Trace:
        """Step until a record's loss is at most `until_loss`, at most `max_iterations` more times; return the trace.

        Stops early when nothing can move any more. `on_step` is called with every record. Raises ValueError if
        `until_loss` is no number 0 or more.
        """
        require_loss(until_loss)
        for _ in range(max_iterations):
            record = self.step()
            if on_step is not None:
                on_step(record)
            if record.loss <= until_loss or self._is_at_rest(record):
                break
        return self.trace

    def _solve(self, learned: Evaluation, residual: Floats, ledger: Ledger) -> Solution:
        config = self.config
        if config.method != "gauss-newton":
            return _gradient(learned, residual)
        if config.solver == "exact":
            return solve_exact(learned.jacobian, residual, ledger, ridge=config.ridge)
        return solve_sketched(
            learned.jacobian,
            residual,
            ledger,
            random_stream(config.seed, Stream.SKETCHES, self._num_steps),
            sketch_factor=config.sketch_factor,
            tolerance=config.tolerance,
            ridge=config.ridge,
        )

    def _is_at_rest(self, record: StepRecord) -> bool:
        """Whether no later step can move anything either: a mini-batch may have nothing to learn, others may."""
        if record.dual_step.any():
            return False
        batch = self.config.mini_batch(self.data.num_points, record.iteration)
        return batch is None or bool(self.stop_reason) or not record.residual[record.firing.counts > 0].any()


def _gradient(learned: Evaluation, residual: Floats) -> Solution:
    """Gradient descent as a solve: the gradient of the loss is J^T residual, so the dual step is the residual."""
    fires = learned.jacobian.counts > 0
    return Solution(np.where(fires, residual, 0.0), SolveReport.nothing_solved(int(np.count_nonzero(fires))))

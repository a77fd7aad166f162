"""The training loop: one `Trainer.step()` is one iteration of algorithm.md §3."""

import os
from collections import deque
from collections.abc import Callable

import numpy as np

from treeviz.config import TrainConfig
from treeviz.data import Dataset
from treeviz.engines import DenseEngine, Engine, ForestEngine, Sensed
from treeviz.forest import Forest
from treeviz.ledger import Ledger
from treeviz.network import Floats, Ints, output_signs, random_stream
from treeviz.regression import Solution, SolveReport, solve_exact, solve_sketched
from treeviz.trace import StepRecord, Trace

_ENGINES: dict[str, type[ForestEngine] | type[DenseEngine]] = {"forest": ForestEngine, "dense": DenseEngine}
_SKETCH_STREAM = 2
# A move longer than this has left the range in which squares of outputs are finite numbers.
_LONGEST_MOVE = 1e100
# Stalled: the loss fell by less than this factor over so many iterations. Below _ROUND_OFF times the size of what is
# learned, ||y||^2 or the first loss, there is nothing left to fall.
_STALL_WINDOW, _STALL_FACTOR, _ROUND_OFF = 5, 0.99, 1e-24


class Trainer:
    """Trains the two-layer network on a dataset and records every iteration.

    Parameters
    ----------
    data : n datapoints of unit length.
    config : every setting; the same data and config give the same records, bit for bit, on the same machine.

    Attributes
    ----------
    trace : the `Trace` of all steps so far.
    output_signs : (m,), the untrained second layer, -1 or +1.
    threshold : b.

    Raises
    ------
    ValueError
        If the run would not fit in this machine's memory; the message says what it needs.
    """

    def __init__(self, data: Dataset, config: TrainConfig) -> None:
        engine_class = _ENGINES[config.search]
        _require_memory(engine_class.required_bytes(config.width, data.num_points, data.dimension), data, config)
        self.config, self.data = config, data
        self.threshold = config.resolved_threshold
        self.output_signs = output_signs(config.seed, config.width)
        ledger = Ledger()
        self._engine: Engine = engine_class(data.X, self.output_signs, config, ledger)
        self.trace = Trace(data, config, ledger.costs, ledger.seconds, self._engine.draw_seconds)
        self.trace.leaf_source, self.trace.row_source = self._engine.initial_leaves, self._engine.initial_rows
        self._conflicts = _conflicting_targets(data)
        self._recent_losses: deque[float] = deque(maxlen=_STALL_WINDOW)

    @property
    def forest(self) -> Forest:
        """The live forest, with search="forest"; AttributeError otherwise."""
        if not isinstance(self._engine, ForestEngine):
            raise AttributeError(f'search="{self.config.search}" keeps no forest; use search="forest"')
        return self._engine.forest

    def weights(self, neurons: Ints | None = None) -> Floats:
        """Return the current hidden weights W, (m, d), or the rows of `neurons`, materialised from the implicit form.

        Raises ValueError if a neuron is out of range. Cost: drawing the rows, and |U(0)| n d.
        """
        if neurons is not None:
            neurons = np.atleast_1d(neurons)
            whole = neurons.dtype.kind in "iu" or not neurons.size
            if not whole or np.any(neurons < 0) or np.any(neurons >= self.config.width):
                raise ValueError(f"neurons must be whole numbers between 0 and {self.config.width - 1}; got {neurons}")
            neurons = neurons.astype(np.int64)
        return self._engine.weights(neurons)

    def step(self) -> StepRecord:
        """Do one iteration: search, forward, solve, move, repair; return its record, which is also in `trace`.

        Never raises for what the data or the settings do to the mathematics: a system that is singular, a run that
        stalls or a move that would overflow is described in the record's `status`.
        """
        ledger = Ledger()
        sensed = self._engine.sense(ledger)
        residual = sensed.outputs - self.data.y
        loss = 0.5 * float(residual @ residual)
        solution = self._solve(sensed, residual, ledger)

        modified_levels = np.zeros_like(sensed.visited_levels)
        with np.errstate(over="ignore", invalid="ignore"):
            dual_step = self.config.step_size * solution.dual
            # |change of any w_r| <= sum |dual_step_i| / sqrt(m), since datapoints have unit length.
            diverged = not np.abs(dual_step).sum() / np.sqrt(self.config.width) < _LONGEST_MOVE
        if diverged:
            dual_step = np.zeros_like(dual_step)
        elif dual_step.any():
            modified_levels = self._engine.move(sensed.firing, dual_step, ledger)

        self._recent_losses.append(loss)
        record = StepRecord(
            iteration=len(self.trace.records),
            loss=loss,
            outputs=sensed.outputs,
            residual=residual,
            firing=sensed.firing.sets(),
            touched=sensed.firing.neurons.astype(np.int32),
            dual_step=dual_step,
            visited_levels=sensed.visited_levels,
            modified_levels=modified_levels,
            solve=solution.report,
            costs=ledger.costs,
            seconds=ledger.seconds,
            status=self._status(sensed, solution.report, loss, diverged),
            unlearnable=self._unlearnable(sensed),
        )
        self.trace.records.append(record)
        return record

    def run(
        self,
        max_iterations: int = 50,
        until_loss: float = 1e-10,
        on_step: Callable[[StepRecord], object] | None = None,
    ) -> Trace:
        """Step until a record's loss is at most `until_loss`, at most `max_iterations` more times; return the trace.

        Stops early when nothing can move any more. `on_step` is called with every record.
        """
        for _ in range(max_iterations):
            record = self.step()
            if on_step is not None:
                on_step(record)
            if record.loss <= until_loss or not record.dual_step.any():
                break
        return self.trace

    def _solve(self, sensed: Sensed, residual: Floats, ledger: Ledger) -> Solution:
        config = self.config
        if config.method == "gradient-descent":
            return _gradient(sensed, residual)
        if config.solver == "exact":
            return solve_exact(sensed.jacobian, residual, ledger, ridge=config.ridge)
        return solve_sketched(
            sensed.jacobian,
            residual,
            ledger,
            random_stream(config.seed, _SKETCH_STREAM, len(self.trace.records)),
            sketch_factor=config.sketch_factor,
            tolerance=config.tolerance,
            ridge=config.ridge,
        )

    def _status(self, sensed: Sensed, report: SolveReport, loss: float, diverged: bool) -> str:
        """Say what went short in this iteration, most important first."""
        if diverged:
            return (
                "diverged: the next move would leave the range of finite numbers, so it was not made; "
                "use a smaller step_size"
            )
        silent = int((sensed.firing.counts == 0).sum())
        notes = []
        if silent == self.data.num_points:
            return "no neuron fires on any datapoint, so nothing can move: lower the threshold or widen the network"
        if silent:
            notes.append(
                f"{silent} of {self.data.num_points} datapoints fire no neuron and cannot be learned: "
                "lower the threshold or widen the network"
            )
        if report.status != "ok":
            notes.append(report.status)
        window = self._recent_losses
        first_loss = self.trace.records[0].loss if self.trace.records else loss
        floor = _ROUND_OFF * max(float(self.data.y @ self.data.y), first_loss)
        if len(window) == _STALL_WINDOW and loss > floor and loss > _STALL_FACTOR * window[0]:
            notes.append(
                f"stalled: the loss fell by less than 1 % over {_STALL_WINDOW} iterations; "
                "lower the threshold, widen the network, or train on fewer points"
            )
        return "; ".join(notes) or "ok"

    def _unlearnable(self, sensed: Sensed) -> dict[int, str]:
        reasons = dict(self._conflicts)
        for point in np.flatnonzero(sensed.firing.counts == 0):
            reasons[int(point)] = "no neuron fires on it: lower the threshold or widen the network"
        return reasons


def _gradient(sensed: Sensed, residual: Floats) -> Solution:
    """Gradient descent as a solve: the gradient of the loss is J^T residual, so the dual step is the residual."""
    num_active = int(np.count_nonzero(sensed.jacobian.counts))
    report = SolveReport(
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
    return Solution(np.where(sensed.jacobian.counts > 0, residual, 0.0), report)


def _conflicting_targets(data: Dataset) -> dict[int, str]:
    """Find datapoints whose input stands elsewhere with another target: no function fits both."""
    reasons = {}
    for group in data.duplicate_groups():
        if np.ptp(data.y[group]) > 0:
            for point in group:
                others = ", ".join(str(other) for other in group if other != point)
                reasons[int(point)] = (
                    f"the same input stands at datapoint {others} with another target, and no function fits both: "
                    "drop one of them"
                )
    return reasons


def _require_memory(needed: int, data: Dataset, config: TrainConfig) -> None:
    if not hasattr(os, "sysconf"):  # Windows does not say; an allocation that fails raises MemoryError there
        return
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > 0.8 * available:
        raise ValueError(
            f"width {config.width:,} with {data.num_points} datapoints of dimension {data.dimension} needs about "
            f"{needed / 1e9:.1f} GB with search={config.search!r}, and this machine has {available / 1e9:.1f} GB: "
            "choose a smaller width or fewer datapoints"
        )

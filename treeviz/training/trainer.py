"""The training loop: one `Trainer.step()` is one iteration of algorithm.md §3."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger
from treeviz.model.network import DrawnSigns, outputs_at
from treeviz.model.streams import Stream, random_stream
from treeviz.model.types import Floats, Ints
from treeviz.search import ENGINES, Engine, EngineMaker, ForestEngine, Sensed, WatchEngine
from treeviz.search.forest.trees import Forest
from treeviz.search.watch.lists import suggest_skin
from treeviz.solve.exact import solve_exact
from treeviz.solve.report import Solution, SolveReport
from treeviz.solve.sketched import solve_sketched
from treeviz.solve.step_size import safe_step_size
from treeviz.training.trace import StepRecord, Trace, WatchReport

# A move longer than this has left the range in which squares of outputs are finite numbers.
_LONGEST_MOVE = 1e100
# Stalled: the loss fell by less than this share over so many iterations. First-order methods are slow by nature: only
# a loss that stands still, or many iterations, make a stall of theirs. Below _ROUND_OFF times the size of what is
# learned, ||y||^2 or the first loss, there is nothing left to fall.
_STANDS_STILL = 1e-12
_STALLS = {
    "gauss-newton": ((5, 0.01),),
    "gradient-descent": ((5, _STANDS_STILL), (1000, 0.01)),
    "sgd": ((2000, 0.01),),
}
_ROUND_OFF = 1e-24
# Diverging: so many times the first loss. A Gauss-Newton step may overshoot far and come back.
_DIVERGENCE_FACTORS = {"gauss-newton": 1e6, "gradient-descent": 100.0, "sgd": 100.0}


class Trainer:
    """Trains the two-layer network on a dataset and records every iteration.

    Parameters
    ----------
    data : n datapoints of unit length.
    config : every setting; the same data and config give the same records, bit for bit, on the same machine.
    keep_records : whether the trace keeps the records. Without them thousands of iterations take no memory, but none
        can be replayed.
    engine_class : another engine than the one `config.search` names.

    Attributes
    ----------
    trace : the `Trace` of all steps so far.
    step_size : factor on the move; None until the first step finds it, if `config.step_size` is None.
    stop_reason : why further steps would change nothing worth having, in words; empty while there is no such reason.
    threshold : b.

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
    ) -> None:
        engine_class = engine_class or ENGINES[config.search]
        needed = engine_class.required_bytes(config.width, data.num_points, data.dimension, config.resolved_threshold)
        _require_memory(needed, data, config)
        self.config, self.data = config, data
        self.threshold = config.resolved_threshold
        self.step_size = 1.0 if config.step_size is None and config.method == "gauss-newton" else config.step_size
        self.stop_reason = ""
        self._signs = DrawnSigns(config.seed, config.width)
        ledger = Ledger()
        self._engine: Engine = engine_class(data.X, self._signs, _with_skin(data, config), ledger)
        self.trace = Trace(data, config, ledger.costs, ledger.seconds, self._engine.draw_seconds)
        self.trace.leaf_source, self.trace.row_source = self._engine.initial_leaves, self._engine.initial_rows
        self._keeps_records, self._num_steps, self._first_loss = keep_records, 0, 0.0
        self._conflicts = _conflicting_targets(data)
        self._recent_losses: deque[float] = deque(maxlen=_STALLS[config.method][-1][0])

    @property
    def output_signs(self) -> Floats:
        """The untrained second layer, (m,) of -1 or +1; drawn when first asked for."""
        return np.asarray(self._signs)

    @property
    def forest(self) -> Forest:
        """The live forest, with search="forest"; AttributeError otherwise."""
        if not isinstance(self._engine, ForestEngine):
            own = f'search="{self.config.search}"' if self.config.search != "forest" else type(self._engine).__name__
            raise AttributeError(f'{own} keeps no forest; use search="forest"')
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

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield the current hidden weights in blocks `(first_neuron, rows)`; each may be overwritten by the next."""
        return self._engine.weight_blocks()

    def predict(self, X: Floats) -> Floats:
        """Return the outputs, (q,), of the current weights on points of unit length, (q, d). Cost: m * q * d.

        Raises ValueError if the points have another dimension.
        """
        if X.ndim != 2 or X.shape[1] != self.data.dimension:
            raise ValueError(f"X must have shape (points, {self.data.dimension}); got {X.shape}")
        return outputs_at(X, self._engine.weight_blocks(), self.output_signs, self.threshold)

    @property
    def num_bytes(self) -> int:
        """Bytes of the arrays kept from one iteration to the next, records and data apart."""
        return self._engine.num_bytes

    def step(self) -> StepRecord:
        """Do one iteration: search, forward, solve, move, repair; return its record, which is also in `trace`.

        Never raises for what the data or the settings do to the mathematics: a system that is singular, a run that
        stalls or a move that would overflow is described in the record's `status`.
        """
        record = self._iterate(with_record=True)[1]
        assert record is not None
        if self._keeps_records:
            self.trace.records.append(record)
        return record

    def advance(self) -> float:
        """Do what `step` does, write nothing down, and return the loss: the fast way to train.

        Who fires is not listed for a record. What a method needs of it to train, it finds all the same.
        """
        return self._iterate(with_record=False)[0]

    def _iterate(self, *, with_record: bool) -> tuple[float, StepRecord | None]:
        ledger, iteration, config = Ledger(), self._num_steps, self.config
        batch = config.mini_batch(self.data.num_points, iteration)
        finds_step_size = self.step_size is None
        # A mini-batch's iteration pays for its own datapoints; who fires on the others, and their loss, is looked up on
        # the side, for the record and for nobody's account. Finding the step size needs them, so the first one pays.
        everyone = self._engine.sense(ledger if batch is None or finds_step_size else Ledger())
        # Listed now, if at all: the next look or move may overwrite what it is made of.
        firing = everyone.firing.sets() if with_record else None
        if self.step_size is None:
            self.step_size = safe_step_size(
                everyone.jacobian, config.batch_size if config.method == "sgd" else None, ledger
            )
        sensed = everyone if batch is None else self._engine.sense(ledger, batch)
        touched = sensed.firing.neurons.astype(np.int32) if with_record else None
        residual = everyone.outputs - self.data.y
        loss = 0.5 * float(residual @ residual)
        solution = self._solve(sensed, residual, ledger)

        modified_levels = np.zeros_like(sensed.visited_levels)
        with np.errstate(over="ignore", invalid="ignore"):
            dual_step = self.step_size * solution.dual
            # |change of any w_r| <= sum |dual_step_i| / sqrt(m), since datapoints have unit length.
            diverged = not np.abs(dual_step).sum() / np.sqrt(config.width) < _LONGEST_MOVE
        if diverged:
            dual_step = np.zeros_like(dual_step)
        elif dual_step.any():
            modified_levels = self._engine.move(sensed, dual_step, ledger)

        if not iteration:
            self._first_loss = loss
        self._num_steps += 1
        self._recent_losses.append(loss)
        status, self.stop_reason = self._judge(everyone, solution.report, residual, loss, diverged)
        if firing is None or touched is None:
            return loss, None
        record = StepRecord(
            iteration=iteration,
            loss=loss,
            outputs=everyone.outputs,
            residual=residual,
            firing=firing,
            touched=touched,
            dual_step=dual_step,
            visited_levels=sensed.visited_levels,
            modified_levels=modified_levels,
            solve=solution.report,
            costs=ledger.costs,
            seconds=ledger.seconds,
            status=status,
            unlearnable=self._unlearnable(everyone),
            watch=self._watch_report(),
        )
        return loss, record

    def _watch_report(self) -> WatchReport | None:
        """Say what the watch lists did in the iteration just made, if it went through some."""
        if not isinstance(self._engine, WatchEngine):
            return None
        moved = self._engine.moved
        return WatchReport(
            skin=self._engine.lists.skin,
            num_watched=self._engine.num_watched,
            num_due=moved.num_due,
            num_changed=moved.num_changed,
            promoted=np.sort(moved.promoted).astype(np.int32),
        )

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
            if record.loss <= until_loss or self._is_at_rest(record):
                break
        return self.trace

    def _solve(self, sensed: Sensed, residual: Floats, ledger: Ledger) -> Solution:
        config = self.config
        if config.method != "gauss-newton":
            return _gradient(sensed, residual)
        if config.solver == "exact":
            return solve_exact(sensed.jacobian, residual, ledger, ridge=config.ridge)
        return solve_sketched(
            sensed.jacobian,
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
        fires = np.array([fired.size > 0 for fired in record.firing])
        return batch is None or bool(self.stop_reason) or not record.residual[fires].any()

    def _judge(
        self, sensed: Sensed, report: SolveReport, residual: Floats, loss: float, diverged: bool
    ) -> tuple[str, str]:
        """Say what went short in this iteration, most important first, and why to stop, if there is a reason."""
        if diverged:
            status = (
                "diverged: the next move would leave the range of finite numbers, so it was not made; "
                "use a smaller step_size"
            )
            return status, status
        fires = sensed.jacobian.counts > 0
        silent = int((~fires).sum())
        if silent == self.data.num_points:
            status = "no neuron fires on any datapoint, so nothing can move: lower the threshold or widen the network"
            return status, status
        notes, stop_reason = [], ""
        scale = max(float(self.data.y @ self.data.y), self._first_loss)
        if loss > _DIVERGENCE_FACTORS[self.config.method] * scale:
            stop_reason = (
                f"diverging: the loss is {loss:.1e}, and it was {self._first_loss:.1e} at the start; "
                "use a smaller step_size"
            )
            notes.append(stop_reason)
        if silent:
            notes.append(
                f"{silent} of {self.data.num_points} datapoints fire no neuron and cannot be learned: "
                "lower the threshold or widen the network"
            )
        if report.status != "ok":
            notes.append(report.status)
        if not stop_reason and loss > _ROUND_OFF * scale and (stop_reason := self._find_stall()):
            notes.append(stop_reason)
        if not residual[fires].any():
            stop_reason = stop_reason or "every datapoint that can be learned is learned exactly"
        return "; ".join(notes) or "ok", stop_reason

    def _find_stall(self) -> str:
        """Say how little the loss fell of late, if that is so little that nothing more can be expected."""
        losses = self._recent_losses
        for window, share in _STALLS[self.config.method]:
            if len(losses) < window or losses[-1] <= (1 - share) * losses[-window]:
                continue
            if share == _STANDS_STILL and losses[-1] > (1 + share) * losses[-window]:
                continue  # it goes up and down, as it may where steps are as long as they can be
            if losses[-1] > 2 * losses[-window]:
                rise = f"the loss rose from {losses[-window]:.2g} to {losses[-1]:.2g}"
                return f"diverging: {rise} over {window:,} iterations; widen the network or use a smaller step_size"
            fell = "did not fall" if losses[-1] > losses[-window] else f"fell by less than {100 * share:.2g} %"
            remedy = "lower the threshold, widen the network, or train on fewer points"
            return f"stalled: the loss {fell} over {window:,} iterations; {remedy}"
        return ""

    def _unlearnable(self, sensed: Sensed) -> dict[int, str]:
        reasons = dict(self._conflicts)
        for point in np.flatnonzero(sensed.jacobian.counts == 0):
            reasons[int(point)] = "no neuron fires on it: lower the threshold or widen the network"
        return reasons


def _with_skin(data: Dataset, config: TrainConfig) -> TrainConfig:
    """Return the settings with the skin found by rule, if watch lists are asked for and the skin is left to it."""
    if config.search != "watch" or config.skin is not None:
        return config
    return replace(config, skin=suggest_skin(data.X, data.y, config.resolved_threshold, config.width))


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

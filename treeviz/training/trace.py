"""What a training run leaves behind: one frozen record an iteration, and the way back to any tree at any moment.

A trace holds no trees. Who fired and the dual step of each iteration say how every leaf moved, and the seed gives the
leaves at the start; `Trace.replay` puts them together and gets the very bits the trainer had. So a trace stays small
(about 8 bytes a firing pair and iteration), and the picture drawn from it cannot drift from the computation.
"""

import io
import math
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets, moved_rows, pair_steps
from treeviz.model.ledger import (
    dense_iteration_costs,
    dense_overlap_operations,
    dense_sense_costs,
    exact_solve_costs,
    sketch_solve_costs,
    step_rule_operations,
)
from treeviz.model.network import initial_weight_blocks, leaf_blocks, output_signs
from treeviz.model.types import Floats, Ints
from treeviz.search.forest.trees import Forest
from treeviz.solve.report import SolveReport
from treeviz.solve.sketched import SKETCH_BLOCKS

# Replayed trees kept by a trace: at most so many, in at most so many bytes.
_MAX_KEPT, _MAX_KEPT_BYTES = 16, 1 << 27


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


@dataclass(frozen=True, slots=True, eq=False)
class StepRecord:
    """One iteration. Loss, outputs and firing sets are those at the weights *before* the move it then made.

    Attributes
    ----------
    iteration : 0, 1, 2, ...
    loss : 1/2 ||outputs - y||^2.
    outputs, residual : (n,), f and f - y.
    firing : n ascending arrays, the neurons that fire on each datapoint.
    touched : ascending, their union: the only neurons the iteration moves. With mini-batches, over the batch only.
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
    """

    iteration: int
    loss: float
    outputs: Floats
    residual: Floats
    firing: tuple[NDArray[np.int32], ...]
    touched: NDArray[np.int32]
    dual_step: Floats
    visited_levels: Ints
    modified_levels: Ints
    solve: SolveReport
    costs: Mapping[str, int]
    seconds: Mapping[str, float]
    status: str
    unlearnable: Mapping[int, str]
    watch: WatchReport | None = None

    def __post_init__(self) -> None:
        arrays: list[NDArray[Any]] = [self.outputs, self.residual, self.touched, self.dual_step]
        for array in (*arrays, self.visited_levels, self.modified_levels, *self.firing):
            array.flags.writeable = False

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


@dataclass(eq=False)
class Trace:
    """The records of one run, with what is needed to replay it.

    Attributes
    ----------
    dataset, config : what the run was started with.
    build_costs, build_seconds : operations and seconds of building the trees or the watch lists, by phase; empty for
        the dense method.
    draw_seconds : seconds spent drawing the initial weights, which is charged to no method.
    records : one `StepRecord` an iteration; grows while the trainer steps.
    """

    dataset: Dataset
    config: TrainConfig
    build_costs: Mapping[str, int]
    build_seconds: Mapping[str, float]
    draw_seconds: float
    records: list[StepRecord] = field(default_factory=list)
    # Where the initial leaves of a datapoint can be had without redrawing the network, while its trainer lives.
    leaf_source: Callable[[int], Floats | None] | None = field(default=None, repr=False)
    # The same for whole rows, of ascending neurons.
    row_source: Callable[[Ints], Floats | None] | None = field(default=None, repr=False)
    _redrawn: dict[int, Floats] = field(default_factory=dict, init=False, repr=False)
    _redrawn_rows: tuple[Ints, Floats] | None = field(default=None, init=False, repr=False)
    # Trees replayed of late, by datapoint and iteration; viewers in several threads share a trace.
    _replayed: dict[tuple[int, int], Floats] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @cached_property
    def gram(self) -> Floats:
        """K = X X^T, (n, n), computed once."""
        return self.dataset.gram

    @cached_property
    def output_signs(self) -> Floats:
        """The untrained second layer a, (m,), redrawn once from the seed."""
        return output_signs(self.config.seed, self.config.width)

    @property
    def losses(self) -> Floats:
        """Loss at the start of each iteration, (T,)."""
        return np.array([record.loss for record in self.records])

    @cached_property
    def moving_neurons(self) -> Ints:
        """U(0), ascending: the neurons that fire at the start. Only these ever move (algorithm.md §5.1)."""
        if not self.records:
            raise ValueError("there is no record yet: step first")
        return np.unique(np.concatenate(self.records[0].firing)).astype(np.int64)

    def promoted_before(self, iteration: int) -> Ints:
        """Return, ascending, the neurons that all datapoints watch in an iteration, since an earlier one's move."""
        reports = [record.watch for record in self.records[:iteration]]
        pieces = [report.promoted for report in reports if report is not None]
        return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *pieces]))

    def watched_pairs(self, iteration: int) -> NDArray[np.bool_]:
        """Return which pairs the lists watch in an iteration (T: after the last), (|U(0)|, n).

        Those with z_ri(0) >= threshold - skin, and all n of a neuron from the iteration after its promotion on.

        Raises
        ------
        ValueError
            If the run has no watch lists, or there is no record of the iteration before.

        Notes
        -----
        Cost: |U(0)| n, and for the first call the initial leaves of U(0).
        """
        self._require_moment(0, iteration, len(self.records))
        watched, promoted = self._watched_from_the_start, self.promoted_before(iteration)
        if promoted.size:
            watched = watched.copy()
            watched[self.moving_neurons.searchsorted(promoted)] = True
        return watched

    @cached_property
    def _watched_from_the_start(self) -> NDArray[np.bool_]:
        report = self.records[0].watch if self.records else None
        if report is None:
            raise ValueError('only a run with search="watch", of one iteration at least, has watch lists')
        watched = self.leaf_rows(self.moving_neurons, 0) >= self.config.resolved_threshold - report.skin
        watched.flags.writeable = False
        return watched

    def dense_costs(self, record: StepRecord) -> dict[str, int]:
        """Return what the same iteration, solved the same way, costs the dense method, by phase and the same rules.

        Exact for the exact solver and for gradient descent; for the sketch it is given this run's number of
        conjugate-gradient iterations, which for the dense method's own random sketch may differ by a few.
        """
        config, report = self.config, record.solve
        width, (num_points, dimension) = config.width, self.dataset.X.shape
        batch = config.mini_batch(num_points, record.iteration)
        size = num_points if batch is None else batch.size
        solve_costs: dict[str, int] = {}
        if config.method == "gauss-newton" and config.solver == "exact":
            overlaps = dense_overlap_operations(width, num_points)
            solve_costs = exact_solve_costs(width * size, overlaps, report.num_active, singular=report.singular)
        elif config.method == "gauss-newton":
            solve_costs = sketch_solve_costs(
                width * size,
                report.num_active,
                dimension,
                num_rows=report.num_sketch_rows,
                num_blocks=SKETCH_BLOCKS,
                num_sketches=report.num_sketches,
                iterations=report.iterations,
                singular=report.singular,
            )
        costs = Counter(dense_iteration_costs(width, size, dimension, record.touched.size, solve_costs))
        if not record.dual_step.any():  # nothing moves
            del costs["move"]
        if config.method != "gauss-newton" and config.step_size is None and record.iteration == 0:
            costs.update(self._dense_step_rule_costs(record, is_batched=batch is not None))
        return dict(costs)

    def _dense_step_rule_costs(self, record: StepRecord, *, is_batched: bool) -> dict[str, int]:
        """What the first iteration pays for its step size, which needs all datapoints."""
        width, (num_points, dimension) = self.config.width, self.dataset.X.shape
        costs = dense_sense_costs(width, num_points, dimension) if is_batched else {}
        num_active = sum(fired.size > 0 for fired in record.firing)
        if num_active:
            cuts = self.config.method == "sgd" and self.config.batch_size < num_active
            overlaps = dense_overlap_operations(width, num_points)
            costs["solve"] = step_rule_operations(overlaps, num_active, is_batched=cuts)
        return costs

    def amortized(
        self,
        unit: Literal["operations", "seconds"] = "operations",
        *,
        of: Literal["method", "dense"] = "method",
        include_build: bool = True,
    ) -> Floats:
        """Return cost(t) = (build + sum of the first t iterations) / t for t = 1 .. T, shape (T,).

        Parameters
        ----------
        unit : "operations", or "seconds" of wall-clock time as measured.
        of : this run's "method", or the "dense" method doing the same iterations (operations only: run a trainer with
            search="dense" to measure its seconds).
        include_build : whether the one-time cost of building the trees is counted; the dense method has none.
        """
        if unit not in ("operations", "seconds") or of not in ("method", "dense"):
            raise ValueError(f"unit must be 'operations' or 'seconds', of 'method' or 'dense'; got {unit!r}, {of!r}")
        if of == "dense":
            if unit == "seconds":
                raise ValueError('seconds of the dense method must be measured: run a Trainer with search="dense"')
            steps = [float(sum(self.dense_costs(record).values())) for record in self.records]
            build = 0.0
        elif unit == "operations":
            steps = [float(record.num_operations) for record in self.records]
            build = float(sum(self.build_costs.values()))
        else:
            steps = [record.num_seconds for record in self.records]
            build = math.fsum(self.build_seconds.values())
        total = np.cumsum(steps) + (build if include_build else 0.0)
        return np.asarray(total / np.arange(1, len(steps) + 1))

    def initial_leaves(self, point: int) -> Floats:
        """Return Z(0) of one datapoint, (m,): from the living trainer, or by redrawing the network (m n d)."""
        leaves = self.leaf_source(point) if self.leaf_source else None
        if leaves is None:
            column = self._redrawn.get(point)
            if column is None:
                column = np.empty(self.config.width)
                X = self.dataset.X
                blocks = initial_weight_blocks(self.config.seed, self.config.width, X.shape[1])
                for first, rows in leaf_blocks(X, blocks):
                    column[first : first + len(rows)] = rows[:, point]
                if 8 * column.size * (len(self._redrawn) + 1) > 1 << 28:
                    self._redrawn.clear()
                self._redrawn[point] = column
            leaves = column.copy()
        return leaves

    def leaf_rows(self, neurons: ArrayLike, iteration: int) -> Floats:
        """Return some neurons' leaves in all n trees, (u, n), before the move of `iteration` (T: after the last).

        Equal bit for bit to what the trainer's forest held, and so to the leaves of `tree_values`.

        Parameters
        ----------
        neurons : (u,) distinct neurons, ascending.

        Raises
        ------
        ValueError
            If `neurons` are not distinct whole numbers, ascending and in range, or there is no record of the iteration
            before.

        Notes
        -----
        Cost: n * u * log k_i an iteration; once m * n * d more where no living trainer has the initial leaves.
        """
        chosen = self._require_neurons(neurons, iteration)
        rows = self.row_source(chosen) if self.row_source else None
        if rows is None:
            rows = self._redraw_rows(chosen)
        for firing, record in self._moves_of(chosen, iteration):
            rows[chosen.searchsorted(firing.neurons)] += moved_rows(
                firing, record.dual_step, self.output_signs, self.gram
            )
        return rows

    def drifts(self, neurons: ArrayLike, iteration: int) -> Floats:
        """Return ||w_r - w_r(0)|| of some neurons, (u,), before the move of `iteration` (T: after the last).

        Parameters, errors and cost are those of `leaf_rows`, but that no initial leaves are needed.
        """
        chosen = self._require_neurons(neurons, iteration)
        moves = np.zeros((chosen.size, self.dataset.num_points))  # times X
        for firing, record in self._moves_of(chosen, iteration):
            steps = pair_steps(firing, record.dual_step, self.output_signs)
            moves[chosen.searchsorted(firing.neurons)] += firing.matrix(steps).toarray()
        return np.asarray(np.sqrt(np.maximum(np.einsum("ui,ui->u", moves @ self.gram, moves), 0.0)))

    def _require_neurons(self, neurons: ArrayLike, iteration: int) -> Ints:
        chosen = np.asarray(neurons)
        if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
            raise ValueError(f"neurons must be whole numbers, shape (u,); got {chosen.dtype}, shape {chosen.shape}")
        width = self.config.width
        if chosen.size and (chosen[0] < 0 or chosen[-1] >= width or np.any(chosen[1:] <= chosen[:-1])):
            raise ValueError(f"neurons must be distinct, ascending and between 0 and {width - 1}; sort them first")
        self._require_moment(0, iteration, len(self.records))
        return chosen.astype(np.int64)

    def _moves_of(self, neurons: Ints, iteration: int) -> Iterator[tuple[FiringSets, StepRecord]]:
        """Yield those of the neurons that moved, with where they fired, for every move before `iteration`."""
        for record in self.records[:iteration]:
            if record.dual_step.any():
                yield FiringSets.among(_common(neurons, record.touched), record.firing), record

    def _redraw_rows(self, neurons: Ints) -> Floats:
        """Return initial leaves of some neurons, (u, n): kept ones, or by redrawing the network.

        A redraw keeps the rows of all neurons that ever move, too, and of their siblings in the trees, as long as there
        is room: those are asked for next.
        """
        X, room = self.dataset.X, _MAX_KEPT_BYTES // (8 * self.dataset.num_points)
        kept = self._redrawn_rows  # another thread may set it meanwhile
        if kept is None or _common(neurons, kept[0]).size < neurons.size:
            wanted, width = neurons, self.config.width
            moving = self.moving_neurons if self.records else None
            siblings = None if moving is None else np.sort(np.maximum((moving + width ^ 1) - width, 0))
            for others in (moving, kept[0] if kept else None, siblings):
                if others is not None and wanted.size + others.size <= room:
                    wanted = np.union1d(wanted, others)
            rows = np.empty((wanted.size, self.dataset.num_points))
            blocks = initial_weight_blocks(self.config.seed, self.config.width, X.shape[1])
            for first, leaves in leaf_blocks(X, blocks):
                low, high = wanted.searchsorted([first, first + len(leaves)])
                rows[low:high] = leaves[wanted[low:high] - first]
            self._redrawn_rows = kept = (wanted, rows)
        return kept[1][kept[0].searchsorted(neurons)]

    def tree_values(self, point: int, iteration: int) -> Floats:
        """Return the node values of one datapoint's tree, (2m,), before the move of `iteration` (T: after the last).

        Equal bit for bit to what the trainer's forest held; node 1 is the root, node m + r the leaf of neuron r.
        Replayed from the nearest earlier moment at hand, at the cost of the pairs that fired since; the latest few are
        kept. Raises ValueError if there is no such datapoint, or no record of the iteration before.
        """
        self._require_moment(point, iteration, len(self.records))
        with self._lock:
            known = [past for tree, past in self._replayed if tree == point and past <= iteration]
            start = max(known, default=0)
            values = self._replayed.get((point, start))
        if values is None:
            values = Forest(self.initial_leaves(point)[:, None]).values[:, 0]
            self._keep(point, 0, values)
        if start == iteration:
            return values
        values = values.copy()
        tree = Forest.over(values[:, None])
        gram, signs = self.gram, self.output_signs
        for record in self.records[start:iteration]:
            if record.dual_step.any():
                firing = FiringSets.from_sets(record.firing)
                rows = moved_rows(firing, record.dual_step, signs, gram[:, [point]])
                tree.update(firing.neurons, rows, relative=True, with_nodes=False)
        self._keep(point, iteration, values)
        return values

    def _keep(self, point: int, iteration: int, values: Floats) -> None:
        values.flags.writeable = False
        with self._lock:
            self._replayed[point, iteration] = values
            while len(self._replayed) > max(2, min(_MAX_KEPT, _MAX_KEPT_BYTES // values.nbytes)):
                del self._replayed[next(iter(self._replayed))]  # the oldest

    def replay(self, point: int, iteration: int) -> TreeStep:
        """Rebuild one datapoint's tree at one iteration, search it and move it, as the trainer did.

        Raises ValueError if there is no such datapoint, or no record of that iteration.
        """
        self._require_moment(point, iteration, len(self.records) - 1)
        return self._between(point, iteration, iteration + 1)

    def compare(self, point: int, earlier: int, later: int) -> TreeStep:
        """Return one datapoint's tree before two iterations' moves, as if one step led from `earlier` to `later`.

        Either may be the larger number. Raises ValueError if there is no such datapoint, or no such record.
        """
        for iteration in (earlier, later):
            self._require_moment(point, iteration, len(self.records) - 1)
        return self._between(point, earlier, later)

    def _between(self, point: int, earlier: int, later: int) -> TreeStep:
        threshold = self.config.resolved_threshold
        before, after = self.tree_values(point, earlier), self.tree_values(point, later)
        found = Forest.over(before[:, None]).query(0, threshold)
        modified = np.flatnonzero(before != after)
        return TreeStep(point, earlier, threshold, before, after, found.visited, found.neurons, modified)

    def _require_moment(self, point: int, iteration: int, last: int) -> None:
        num_points = self.dataset.num_points
        if not 0 <= point < num_points:
            raise ValueError(f"point must be between 0 and {num_points - 1}, one of the datapoints; got {point}")
        if not 0 <= iteration <= last:
            raise ValueError(f"iteration must be between 0 and {last}, what has been computed; got {iteration}")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the run to a compressed file of plain arrays and JSON (.npz, no pickle), whole or not at all.

        The trees are not in it: they are replayed from the seed.
        """
        from treeviz.training.trace_file import to_arrays

        target = Path(path)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **to_arrays(self))
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
        try:
            partial.write_bytes(buffer.getvalue())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, source: str | os.PathLike[str] | io.IOBase) -> "Trace":
        """Read a file written by `save`.

        Raises
        ------
        ValueError
            If the file is missing, is not a treeviz trace, is damaged, or was written by another version.
        """
        from treeviz.training.trace_file import UNREADABLE, from_arrays

        name = getattr(source, "name", source)
        try:
            with np.load(source, allow_pickle=False) as archive:
                if not hasattr(archive, "files"):
                    raise KeyError("meta")
                return from_arrays({key: archive[key] for key in archive.files})
        except FileNotFoundError as error:
            raise ValueError(f"there is no file {name}: check the path") from error
        except UNREADABLE as error:
            raise ValueError(
                f"{name} is not a readable treeviz trace ({error}): it may be damaged, or another kind of file; "
                "save the run again with Trace.save or treeviz run --save"
            ) from error


def _common(neurons: Ints, members: NDArray[np.integer]) -> Ints:
    """Return those of the ascending `neurons` that are among the ascending `members`, by binary search."""
    if not members.size:
        return neurons[:0]
    wanted = neurons.astype(members.dtype)  # of another type, the search would convert all members
    return np.asarray(neurons[members.take(members.searchsorted(wanted), mode="clip") == wanted])

"""What a training run leaves behind: one frozen record an iteration, and the way back to any tree at any moment.

A trace holds no trees. The firing sets and the dual steps say how every leaf moved, and the seed gives the leaves at
the start. `Trace.replay` puts them together and gets the very bits the trainer had. So a trace stays small: one or two
bytes a firing pair and iteration, four more once the firing sets are listed. And a picture drawn from it cannot drift
from the computation.
"""

import io
import math
import os
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib import import_module
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets, moved_rows, pair_steps, places_of
from treeviz.model.network import InitialNetwork, output_shift
from treeviz.model.types import Floats, Ints
from treeviz.search import initial_network
from treeviz.search.engine import Engine, StaleNode
from treeviz.search.forest.trees import Forest
from treeviz.training.dense_costs import dense_costs, table_operations
from treeviz.training.files import write_whole
from treeviz.training.kept import Kept
from treeviz.training.record import StepRecord, TreeStep
from treeviz.training.trace_file import TraceParts, pack_trace, read_trace

# What all traces of this process have replayed or redrawn last. A viewer at m = 65,536 uses about 12 MB of it: with
# less room than all viewers use in turn, each would drive out what the next one wants.
_KEPT: Kept[Any] = Kept(room=1 << 29, size_of=lambda value: sum(array.nbytes for array in _arrays_of(value)))
# Of what one redraw of the network gives, a trace asks to keep at most this many bytes.
_MAX_REDRAWN_BYTES = 1 << 26


def _arrays_of(value: Any) -> Sequence[NDArray[Any]]:
    if isinstance(value, sp.csr_array):
        return value.data, value.indices, value.indptr
    return value if isinstance(value, tuple) else (value,)


@dataclass(eq=False, repr=False)
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
    # Where initial leaves can be had without redrawing the network, while its trainer lives: a trace keeps none alive.
    engine: "weakref.ref[Engine] | None" = None

    def __repr__(self) -> str:
        """Say in a line what was trained and how far it came."""
        config, losses = self.config, self.losses
        fault = f", fault={config.fault!r}" if config.fault else ""
        went = f", loss {losses[0]:.3g} to {losses[-1]:.3g}" if losses.size else ""
        return (
            f"Trace({losses.size} iterations of {config.method}, search={config.search!r}{fault}, on "
            f"{self.dataset.name!r}, n={self.dataset.num_points}, d={self.dataset.dimension}, m={config.width:,}{went})"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows. What draws is above this room, so the package is asked for it."""
        return str(import_module("treeviz").show_trace(self))

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy in another process needs: not the trainer, and not the trees that can be replayed."""
        kept = {field.name: getattr(self, field.name) for field in fields(self) if field.init}
        return kept | {"engine": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Set up a copy."""
        self.__init__(**state)  # type: ignore[misc]

    @cached_property
    def gram(self) -> Floats:
        """K = X X^T, (n, n), computed once."""
        return self.dataset.gram

    @cached_property
    def network(self) -> InitialNetwork:
        """The network that the run started from, drawn from the seed."""
        return initial_network(self.dataset.X, self.config)

    @property
    def num_drawn(self) -> int:
        """Neurons that are drawn, so many leaves has a tree: m, unless only those that fire are (algorithm.md §8)."""
        return self.network.num_drawn

    @cached_property
    def output_signs(self) -> Floats:
        """The untrained second layer a of the neurons drawn, (m,) if these are all, redrawn once from the seed."""
        return np.asarray(self.network.signs)

    @cached_property
    def output_shift(self) -> float:
        """What the activation adds to every output: 0, or b sum_r a_r / sqrt(m) where it is "clipped"."""
        if self.config.activation == "shifted":  # the network need not be drawn
            return 0.0
        return output_shift(self.network, self.config.resolved_threshold, self.config.activation)

    @property
    def losses(self) -> Floats:
        """Loss at the start of each iteration, (T,)."""
        return np.array([record.loss for record in self.records])

    @cached_property
    def moving_neurons(self) -> Ints:
        """U(0), ascending: the neurons that fire at the start. Only these ever move (algorithm.md §5.1)."""
        if not self.records:
            raise ValueError("there is no record yet: step first")
        return self.records[0].firing.neurons.astype(np.int64)

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
        """Return what the dense method pays for the same iteration, by phase; see `training.dense_costs`."""
        return dense_costs(record, self.dataset, self.config)

    def amortized(
        self,
        unit: Literal["operations", "seconds"] = "operations",
        *,
        of: Literal["method", "dense", "table"] = "method",
        include_build: bool = True,
    ) -> Floats:
        """Return cost(t) = (build + sum of the first t iterations) / t for t = 1 .. T, shape (T,).

        Parameters
        ----------
        unit : "operations", or "seconds" of wall-clock time as measured.
        of : this run's "method", or the "dense" method doing the same iterations, the one that needs the fewest
            operations; or the compact "table" doing them (of both operations only: run a trainer with
            search="dense-sparse" or search="table" to measure seconds).
        include_build : whether the one-time cost of building is counted; the dense method has none.
        """
        rules = "unit must be 'operations' or 'seconds', of 'method', 'dense' or 'table'"
        if unit not in ("operations", "seconds") or of not in ("method", "dense", "table"):
            raise ValueError(f"{rules}; got {unit!r}, {of!r}")
        if of != "method" and unit == "seconds":
            search = "dense-sparse" if of == "dense" else of
            raise ValueError(f'seconds of the {of} method must be measured: run a Trainer with search="{search}"')
        if of == "dense":
            steps, build = [float(sum(self.dense_costs(record).values())) for record in self.records], 0.0
        elif of == "table":
            steps, build = table_operations(self.records, self.dataset, self.config)
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
        engine = self.engine() if self.engine else None
        leaves = engine.initial_leaves(point) if engine else None
        if leaves is None:
            leaves = _KEPT.get(self, ("initial leaves", point))
            if leaves is None:
                redrawn = self._redraw_trees(point)
                for other in reversed(redrawn):  # the one asked for is the last to go
                    _KEPT.put(self, ("initial leaves", other), redrawn[other].copy())  # not a view of all of them
                leaves = redrawn[point]
            leaves = np.array(leaves)
        return leaves

    def _redraw_trees(self, point: int) -> dict[int, Floats]:
        """Return initial leaves of one datapoint, and of as many after it as there is room for: they cost no more."""
        network, num_points = self.network, self.dataset.num_points
        room = max(1, _MAX_REDRAWN_BYTES // (8 * max(1, network.num_drawn)))
        points = (point + np.arange(min(room, num_points))) % num_points
        columns = np.empty((points.size, network.num_drawn))
        for first, rows in network.leaf_blocks():
            columns[:, first : first + len(rows)] = rows[:, points].T
        return dict(zip(points.tolist(), columns, strict=True))

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
        engine = self.engine() if self.engine else None
        rows = engine.initial_rows(chosen) if engine else None
        if rows is None:
            rows = self._redraw_rows(chosen)
        for firing, record in self._moves_of(chosen, iteration):
            self._move_rows(chosen, rows, firing, record)
        return rows

    def leaf_rows_around(self, neurons: ArrayLike, iteration: int) -> tuple[Floats, Floats]:
        """Return `leaf_rows` before the move of an iteration and after it, for little more than the cost of one."""
        before = self.leaf_rows(neurons, iteration)
        self._require_moment(0, iteration, len(self.records) - 1)
        chosen, record, after = np.asarray(neurons), self.records[iteration], before.copy()
        if record.dual_step.any():
            self._move_rows(chosen, after, record.firing.of_neurons(chosen), record)
        return before, after

    def _move_rows(self, neurons: Ints, rows: Floats, firing: FiringSets, record: StepRecord) -> None:
        moves = moved_rows(firing, record.dual_step, self.output_signs, self.gram, self.config.width)
        rows[neurons.searchsorted(firing.neurons)] += moves

    def drifts(self, neurons: ArrayLike, iteration: int) -> Floats:
        """Return ||w_r - w_r(0)|| of some neurons, (u,), before the move of `iteration` (T: after the last).

        Parameters, errors and cost are those of `leaf_rows`, but that no initial leaves are needed.
        """
        chosen = self._require_neurons(neurons, iteration)
        moves = np.zeros((chosen.size, self.dataset.num_points))  # times X
        for firing, record in self._moves_of(chosen, iteration):
            steps = pair_steps(firing, record.dual_step, self.output_signs, self.config.width)
            moves[chosen.searchsorted(firing.neurons)] += firing.matrix(steps).toarray()
        return np.asarray(np.sqrt(np.maximum(np.einsum("ui,ui->u", moves @ self.gram, moves), 0.0)))

    def _require_neurons(self, neurons: ArrayLike, iteration: int) -> Ints:
        chosen = np.asarray(neurons)
        if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
            raise ValueError(f"neurons must be whole numbers, shape (u,); got {chosen.dtype}, shape {chosen.shape}")
        count = self.num_drawn
        if chosen.size and (chosen[0] < 0 or chosen[-1] >= count or np.any(chosen[1:] <= chosen[:-1])):
            raise ValueError(f"neurons must be distinct, ascending and between 0 and {count - 1}; sort them first")
        self._require_moment(0, iteration, len(self.records))
        return chosen.astype(np.int64)

    def _moves_of(self, neurons: Ints, iteration: int) -> Iterator[tuple[FiringSets, StepRecord]]:
        """Yield, for every move before `iteration`, on which datapoints these neurons fired, and its record."""
        for record in self.records[:iteration]:
            if record.dual_step.any():
                yield record.firing.of_neurons(neurons), record

    def _redraw_rows(self, neurons: Ints) -> Floats:
        """Return initial leaves of some neurons, (u, n): kept ones, or by redrawing the network.

        A redraw keeps the rows of all neurons that ever move, too, and of their siblings in the trees, as long as there
        is room: those are asked for next.
        """
        network, room = self.network, _MAX_REDRAWN_BYTES // (8 * self.dataset.num_points)
        kept: tuple[Ints, Floats] | None = _KEPT.get(self, "initial rows")
        if kept is None or places_of(neurons, kept[0]).size < neurons.size:
            wanted, count = neurons, network.num_drawn
            moving = self.moving_neurons if self.records else None
            siblings = None if moving is None else np.sort(np.maximum((moving + count ^ 1) - count, 0))
            for others in (moving, kept[0] if kept else None, siblings):
                if others is not None and wanted.size + others.size <= room:
                    wanted = np.union1d(wanted, others)
            rows = np.empty((wanted.size, self.dataset.num_points))
            for first, leaves in network.leaf_blocks():
                low, high = wanted.searchsorted([first, first + len(leaves)])
                rows[low:high] = leaves[wanted[low:high] - first]
            kept = (wanted, rows)
            _KEPT.put(self, "initial rows", kept)
        return kept[1][kept[0].searchsorted(neurons)]

    def tree_values(self, point: int, iteration: int) -> Floats:
        """Return the node values of one datapoint's tree, (2m,), before the move of `iteration` (T: after the last).

        Equal bit for bit to what the trainer's forest held; node 1 is the root, node m + r the leaf of neuron r.
        Replayed from the nearest earlier moment that is kept, at the cost of the pairs that fired since. The latest few
        are kept. Raises ValueError if there is no such datapoint, or no record of the iteration before.
        """
        self._require_moment(point, iteration, len(self.records))
        values: Floats | None = None
        start = iteration + 1
        while values is None and start > 0:
            start -= 1
            values = _KEPT.get(self, ("tree", point, start))
        if values is None:
            values = Forest(self.initial_leaves(point)[:, None]).values[:, 0]
            self._keep_tree(point, 0, values)
        moved = [moment for moment in range(start, iteration) if self.records[moment].dual_step.any()]
        if moved:
            leaves = values[self.num_drawn :].copy()
            for moment in moved:
                leaves[self.records[moment].firing.neurons] += (self.steps(moment) @ self.gram[:, [point]])[:, 0]
            values = Forest(leaves[:, None]).values[:, 0]  # to build the tree again is quicker than to climb its paths
            if (stale := self.records[iteration - 1].stale) is not None and stale.tree == point:
                _make_stale(values, stale)
        if start < iteration:
            self._keep_tree(point, iteration, values)
        return values

    def _keep_tree(self, point: int, iteration: int, values: Floats) -> None:
        values.flags.writeable = False
        _KEPT.put(self, ("tree", point, iteration), values)

    def steps(self, iteration: int) -> sp.csr_array:
        """Return how the move of an iteration goes, (|U|, n): row u of it times X is the change of neuron u's weights.

        Its entries are -(a_r / sqrt(m)) * dual_step_i, of the pairs that fire; rows are the touched neurons. Times K it
        is the change of their leaves. Do not write to it: it is kept for others. Cost: the firing pairs, at first.
        """
        record = self.records[iteration]

        def make() -> sp.csr_array:
            steps = pair_steps(record.firing, record.dual_step, self.output_signs, self.config.width)
            return record.firing.matrix(steps)

        return self._kept(("steps", iteration), make)

    def move_lengths(self, iteration: int) -> Floats:
        """Return how far the move of an iteration takes the touched neurons, ||dw_r||, (|U|,).

        Do not write to it. Cost: the firing pairs times d, at first.
        """

        def make() -> Floats:
            return np.asarray(np.linalg.norm(self.steps(iteration) @ self.dataset.X, axis=1))

        lengths: Floats = self._kept(("move lengths", iteration), make)
        return lengths

    def overlaps(self, iteration: int) -> Floats:
        """Return C, C_ij = |S_i & S_j|, (n, n), in an iteration. Do not write to it. Cost: sum_r |T_r|^2, at first."""
        overlaps: Floats = self._kept(("overlaps", iteration), self.records[iteration].firing.overlaps)
        return overlaps

    def _kept(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what is kept under a key, or else is made now. Threads that ask at once may both make it."""
        value = _KEPT.get(self, key)
        if value is None:
            value = make()
            _KEPT.put(self, key, value)
        return value

    def replay(self, point: int, iteration: int) -> TreeStep:
        """Rebuild one datapoint's tree at one iteration, search it and move it, as the trainer did.

        Raises ValueError if there is no such datapoint, or no record of that iteration.
        """
        self.require_moment(point, iteration)
        return self._between(point, iteration, iteration + 1)

    def compare(self, point: int, earlier: int, later: int) -> TreeStep:
        """Return one datapoint's tree before two iterations' moves, as if one step led from `earlier` to `later`.

        Either may be the larger number. Raises ValueError if there is no such datapoint, or no such record.
        """
        for iteration in (earlier, later):
            self.require_moment(point, iteration)
        return self._between(point, earlier, later)

    def _between(self, point: int, earlier: int, later: int) -> TreeStep:
        threshold = self.config.searched_threshold
        before, after = self.tree_values(point, earlier), self.tree_values(point, later)
        found = Forest.over(before[:, None]).query(0, threshold)
        firing = self.records[earlier].firing[point].astype(np.int64)  # through a fault, others than those found here
        modified = np.flatnonzero(before != after)
        return TreeStep(point, earlier, threshold, before, after, found.visited, firing, modified)

    def require_moment(self, point: int, iteration: int) -> None:
        """Raise ValueError unless there is such a datapoint, and a record of the iteration."""
        self._require_moment(point, iteration, len(self.records) - 1)

    def _require_moment(self, point: int, iteration: int, last: int) -> None:
        num_points = self.dataset.num_points
        if not 0 <= point < num_points:
            raise ValueError(f"point must be between 0 and {num_points - 1}, one of the datapoints; got {point}")
        if not 0 <= iteration <= last:
            raise ValueError(f"iteration must be between 0 and {last}, what has been computed; got {iteration}")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_bytes` to a file (.npz), whole or not at all."""
        write_whole(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the run as the content of a compressed file of plain arrays and JSON (.npz, no pickle).

        The trees are not in it: they are replayed from the seed. Raises ValueError for a run with a planted fault,
        so that no reader takes it for a run of the method.
        """
        if self.config.fault:
            raise ValueError(f"a run with the fault {self.config.fault!r} is not saved: train it with fault=None first")
        parts = (self.dataset, self.config, self.build_costs, self.build_seconds, self.draw_seconds, self.records)
        return pack_trace(TraceParts(*parts))

    @classmethod
    def load(cls, source: str | os.PathLike[str] | io.IOBase) -> "Trace":
        """Read a file written by `save`.

        Raises
        ------
        ValueError
            If the file is missing, is not a treeviz trace, is damaged, or was written by another version.
        """
        return cls(*read_trace(source))


def _make_stale(values: Floats, stale: StaleNode) -> None:
    """Give a node of a tree the wrong value that a fault left it with, and the maxima above it what follows."""
    node = stale.node
    values[node] = stale.value
    while node := node // 2:
        values[node] = values[2 * node : 2 * node + 2].max()

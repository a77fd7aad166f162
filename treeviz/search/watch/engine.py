"""Watch lists: the same firing sets as the forest's, and nothing looked at that cannot matter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Ledger, skin_operations, watch_build_operations
from treeviz.model.network import InitialNetwork, firing_probability, paper_threshold
from treeviz.model.types import Floats, Ints
from treeviz.search.compiled import load_loops
from treeviz.search.engine import Engine, Evaluation, WatchReport
from treeviz.search.scan import Scan
from treeviz.search.watch.lists import LARGE_PAIRS, Moved, WatchLists
from treeviz.search.watch.screening import LARGE_PRODUCTS, DrawnBlocks, find_pairs
from treeviz.search.watch.skin import suggest_skin
from treeviz.search.watch.weights import ListedWeights, Weights
from treeviz.solve.jacobian import SparseJacobian


class Lists(Protocol):
    """The lists of a network as the engine uses them: `WatchLists`, or those that others keep."""

    gram: Floats
    skin: float

    @property
    def num_bytes(self) -> int:
        """Bytes of the lists in this process."""
        ...

    @property
    def overlaps(self) -> Ints:
        """C, (n, n)."""
        ...

    @property
    def just_promoted(self) -> Ints:
        """The neurons that the last move promoted."""
        ...

    def outputs(self) -> Floats:
        """Return f, (n,)."""
        ...

    def firing(self) -> FiringSets:
        """Return which neurons fire on which datapoints."""
        ...

    def moves(self, neurons: Ints | None = None) -> tuple[Ints, Floats]:
        """Return neurons that may have moved, ascending, and what times X is how far, (u, n)."""
        ...

    def move(self, dual_step: Floats) -> Moved:
        """Move every neuron by pull_r * sum_{i in T_r} dual_step_i x_i."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """Lists just built.

    Attributes
    ----------
    weights : the current ones, as the lists know them.
    size_counts : (n + 1,) how many lists have so many pairs.
    look_operations : multiply-adds of the first look at all neurons.
    draw_seconds : seconds of drawing that the network does not count as its own.
    uncharged_seconds : of building, those that are charged to no method: drawing, and loading compiled loops.
    """

    lists: Lists
    weights: Weights
    size_counts: Ints
    look_operations: int
    draw_seconds: float
    uncharged_seconds: float


def build_lists(data: Dataset, network: InitialNetwork, config: TrainConfig, skin: float) -> Built:
    """Build the lists of a network in this process."""
    X, threshold, uncharged = data.X, config.resolved_threshold, Ledger()
    with uncharged.time("build"):
        if network.width * len(X) >= LARGE_PRODUCTS:
            load_loops("watch.loops")
    draw, drawn = DrawnBlocks(network), network.draw_seconds
    pairs = find_pairs(network, X, draw, threshold - skin, threshold)
    drawn = network.draw_seconds - drawn
    with uncharged.time("build"):
        if pairs.points.size >= LARGE_PAIRS:
            load_loops("watch.loops")
    lists = WatchLists(
        pairs,
        network.signs[pairs.neurons],
        data.gram,
        width=config.width,
        dimension=X.shape[1],
        threshold=threshold,
        skin=skin,
        draw_rows=network.leaf_rows,
    )
    sizes = np.bincount(np.diff(pairs.indptr), minlength=len(X) + 1)
    seconds = draw.seconds + drawn + uncharged.seconds["build"]
    weights = ListedWeights(X, network, lists, threshold)
    return Built(lists, weights, sizes, lists.first_look.num_operations, draw.seconds, seconds)


class WatchEngine(Engine):
    """Certified lists of the pairs that may fire before their neuron has moved far (algorithm.md §6).

    Building streams over blocks of weights and keeps the watched pairs alone: memory does not grow with m * n or m * d.
    Every move leaves the outputs and C ready for the next iteration; firing sets are listed only when they are needed.

    Attributes
    ----------
    lists : the watch lists.
    num_watched, moved : of the iteration under way, how many pairs were watched at its start, and what its move took.
    """

    def __init__(
        self,
        data: Dataset,
        network: InitialNetwork,
        config: TrainConfig,
        ledger: Ledger,
        build: Callable[[Dataset, InitialNetwork, TrainConfig, float], Built] = build_lists,
    ) -> None:
        X, skin = data.X, config.skin
        self._X, self._config = X, config
        with ledger.time("build"):
            if skin is None:
                skin = suggest_skin(X, data.y, config.resolved_threshold, config.width)
                ledger.post("build", skin_operations(*X.shape))
            built = build(data, network, config, skin)
        self.lists, self._weights = built.lists, built.weights
        self._num_watched = int(built.size_counts @ np.arange(len(X) + 1))
        self.num_watched, self.moved = self._num_watched, Moved.nothing()
        self.draw_seconds = built.draw_seconds
        ledger.seconds["build"] -= built.uncharged_seconds  # every method starts from given initial weights
        ledger.post("build", watch_build_operations(network.num_drawn, len(X), X.shape[1], built.size_counts))
        ledger.post("build", built.look_operations)

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of the lists, if neurons that fire watched every point, twice over while they are put together."""
        threshold = paper_threshold(width) if threshold is None else threshold
        touched = width * min(1.0, num_points * firing_probability(threshold))
        return int(2 * touched * (23 + 18 * num_points)) + (1 << 26)

    @property
    def num_bytes(self) -> int:
        """Bytes of the lists."""
        return self.lists.num_bytes

    def evaluate(self, ledger: Ledger, batch: Ints | None = None) -> Evaluation:
        """Read off the outputs and C. A batch saves nothing here."""
        lists, num_points = self.lists, len(self._X)
        self.num_watched, self.moved = self._num_watched, Moved.nothing()
        with ledger.time("forward"):
            outputs, overlaps = lists.outputs(), lists.overlaps
        ledger.post("forward", num_points * num_points + num_points)
        if batch is not None:
            absent = np.setdiff1d(np.arange(num_points), batch)
            overlaps = overlaps.copy()
            outputs[absent] = overlaps[absent] = overlaps[:, absent] = 0

        def find_firing() -> FiringSets:
            firing = lists.firing()
            return firing if batch is None else firing.on(batch)

        jacobian = WatchedJacobian(find_firing, overlaps, self._X, lists.gram, self._config)
        return Evaluation(lambda: jacobian.firing, outputs, jacobian, np.zeros((num_points, 0), dtype=np.int64))

    def move(self, evaluation: Evaluation, dual_step: Floats, ledger: Ledger) -> Ints:
        """Move the firing neurons, and look at those that may have changed. There is no tree to repair."""
        with ledger.time("repair"):
            moved = self.moved = self.lists.move(dual_step)
        ledger.post("move", dual_step.size)
        ledger.post("repair", moved.num_operations + moved.num_promoted * self._X.size)
        self._num_watched += moved.num_new_pairs
        return np.zeros((dual_step.size, 0), dtype=np.int64)

    def watch_report(self) -> WatchReport:
        """Say what the lists did in the iteration just made."""
        moved = self.moved
        promoted = self.lists.just_promoted if moved.num_promoted else np.empty(0)
        return WatchReport(
            skin=self.lists.skin,
            num_watched=self.num_watched,
            num_due=moved.num_due,
            num_changed=moved.num_changed,
            promoted=np.sort(promoted).astype(np.int32),
        )

    def weights(self, neurons: Ints | None) -> Floats:
        """Draw W(0) again, and add what the neurons with lists have moved."""
        return self._weights.rows(neurons)

    def weight_blocks(self) -> Iterator[tuple[int, Floats]]:
        """Do so block by block."""
        return self._weights.blocks()

    def outputs_at(self, X: Floats, network: InitialNetwork, threshold: float) -> Floats:
        """Add up the outputs where the network is drawn."""
        return self._weights.outputs_at(X)

    def scan(self, X: Floats, threshold: float) -> Scan:
        """Compute every inner product again where the network is drawn."""
        return self._weights.scan()


class WatchedJacobian:
    """J as the watch lists know it: C is known, and the incidence is made only for a solver that works through it."""

    overlap_operations = 0  # moves have paid for C

    def __init__(
        self, find_firing: Callable[[], FiringSets], overlaps: Ints, X: Floats, gram: Floats, config: TrainConfig
    ) -> None:
        self.X, self.width, self._gram = X, config.width, gram
        self.counts = overlaps.diagonal().copy()
        self.num_pairs = int(self.counts.sum()) if config.solver == "sketch" else 0
        self._find_firing, self._overlaps = find_firing, overlaps

    @cached_property
    def firing(self) -> FiringSets:
        """Which neurons fire on which datapoints."""
        return self._find_firing()

    @cached_property
    def _sparse(self) -> SparseJacobian:
        return SparseJacobian(self.firing, self.X, self.width)

    def input_gram(self) -> Floats:
        """Return K, which is known."""
        return self._gram

    def overlaps(self) -> Floats:
        """Return C, which is known."""
        return self._overlaps.astype(np.float64)

    def gram_product(self, vector: Floats) -> Floats:
        """Return G v. Cost: 2 d sum_i k_i + n d."""
        return self._sparse.gram_product(vector)

    def count_sketch(self, generator: np.random.Generator, num_rows: int) -> Floats:
        """Return the CountSketch of the incidence, (num_rows, n). Cost: sum_i k_i, and listing the firing sets."""
        return self._sparse.count_sketch(generator, num_rows)

"""Two ways to find the firing neurons and to move the weights: through the forest, and densely.

An engine owns the state of the weights in the form its method keeps. It posts what it does to the ledger it is handed;
making the firing sets of the record is not charged to either, in operations or in seconds.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from treeviz.config import TrainConfig
from treeviz.forest import Forest
from treeviz.ledger import Ledger, Stopwatch, forest_build_operations, forward_operations
from treeviz.network import (
    FiringSets,
    Floats,
    ImplicitWeights,
    Ints,
    initial_weight_blocks,
    initial_weights,
    leaf_blocks,
    outputs_from_pairs,
    pair_steps,
)
from treeviz.regression import DenseJacobian, Jacobian, SparseJacobian


@dataclass(frozen=True, slots=True, eq=False)
class Sensed:
    """What an engine reports of the current weights: who fires, the outputs (n,), J, and the nodes visited.

    `visited_levels` (n, levels) counts them on each level of each tree; a method without trees has no levels, (n, 0).
    """

    firing: FiringSets
    outputs: Floats
    jacobian: Jacobian
    visited_levels: Ints


class Engine(Protocol):
    """Owner of the weights; `sense` looks at them, `move` changes them. Drawing them took `draw_seconds`."""

    draw_seconds: float

    def sense(self, ledger: Ledger) -> Sensed:
        """Find the firing neurons and the outputs; posts search, forward and what J needs."""

    def move(self, firing: FiringSets, dual_step: Floats, ledger: Ledger) -> Ints:
        """Move w_r by -(a_r / sqrt(m)) sum_{i in T_r} dual_step_i x_i; return tree nodes modified, (n, levels)."""

    def weights(self, neurons: Ints | None) -> Floats:
        """Materialise W or some of its rows."""

    def initial_leaves(self, point: int) -> Floats | None:
        """Return Z(0) of one datapoint, (m,), if it is at hand without redrawing the weights."""

    def initial_rows(self, neurons: Ints) -> Floats | None:
        """Return Z(0) of some ascending neurons, (u, n), if it is at hand without redrawing the weights."""


class ForestEngine:
    """The paper's: inner products live in max-trees, weights are implicit, only touched neurons are handled."""

    def __init__(self, X: Floats, signs: Floats, config: TrainConfig, ledger: Ledger) -> None:
        self._X, self._gram, self._signs = X, X @ X.T, signs
        self._threshold = config.resolved_threshold
        self._implicit = ImplicitWeights(X, signs, config.seed)
        self._initial_rows: tuple[Ints, Floats] | None = None
        drawing = Stopwatch()
        weight_blocks = drawing.over(initial_weight_blocks(config.seed, config.width, X.shape[1]))
        with ledger.time("build"):
            self.forest = Forest.from_blocks(config.width, X.shape[0], leaf_blocks(X, weight_blocks))
        self.forest.load_compiled_loops()  # by this project's rules, compiling is no part of training
        self.draw_seconds = drawing.seconds
        ledger.seconds["build"] -= drawing.seconds  # every method starts from given initial weights
        ledger.post("build", forest_build_operations(config.width, *X.shape))

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int) -> int:
        """Memory of the trees, and of what a first iteration needs at the expected number of touched neurons."""
        return 8 * width * num_points * 4

    def sense(self, ledger: Ledger) -> Sensed:
        """Query all trees; outputs from the leaves reached."""
        with ledger.time("search"):
            found = self.forest.query_all(self._threshold)
        ledger.post("search", int(found.num_visited.sum()))
        with ledger.time("forward"):
            outputs = outputs_from_pairs(found.firing, found.products, self._signs, self._threshold)
        ledger.post("forward", forward_operations(found.firing.num_pairs, outputs.size))
        with ledger.time("jacobian"):
            jacobian = SparseJacobian(found.firing, self._X, self._signs.size)
        return Sensed(found.firing, outputs, jacobian, found.visited_levels)

    def move(self, firing: FiringSets, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the coefficients of the firing pairs, then the leaves of the touched neurons and their ancestors."""
        with ledger.time("move"):
            steps = pair_steps(firing, dual_step, self._signs)
            self._implicit.add(firing, steps)
        ledger.post("move", firing.num_pairs)
        if self._initial_rows is None:  # for replay; kept before the first leaf changes
            self._initial_rows = (firing.neurons, self.forest.leaves[firing.neurons])
        with ledger.time("repair"):
            update = self.forest.add_product(firing, steps, self._gram)
        ledger.post("repair", firing.num_pairs * dual_step.size + update.num_operations)
        return update.modified_levels

    def weights(self, neurons: Ints | None) -> Floats:
        """Redraw W(0) and add the coefficients times X."""
        return self._implicit.rows(neurons)

    def initial_leaves(self, point: int) -> Floats | None:
        """Return the leaves of neurons that never moved as they are, the others as they were kept.

        Safe while another thread trains: kept rows are set before the first leaf changes, and only they change.
        """
        leaves = self.forest.leaves[:, point].copy()
        if self._initial_rows is not None:
            neurons, rows = self._initial_rows
            leaves[neurons] = rows[:, point]
        return leaves

    def initial_rows(self, neurons: Ints) -> Floats | None:
        """Do what `initial_leaves` does for whole rows, as safely. Cost: u * (n + log |U(0)|)."""
        rows = np.array(self.forest.leaves[neurons])
        if self._initial_rows is not None:
            moving, kept = self._initial_rows
            places = moving.searchsorted(neurons)
            moves = moving.take(places, mode="clip") == neurons
            rows[moves] = kept[places[moves]]
        return rows


class DenseEngine:
    """The strongest dense method: W explicit, every inner product recomputed by BLAS, block by block in cache.

    Neurons are handled in blocks so that a block's inner products, mask and activations never leave the cache; all
    buffers are allocated once. C = A^T A is summed up in the same pass.
    """

    _BLOCK = 8192

    def __init__(self, X: Floats, signs: Floats, config: TrainConfig, ledger: Ledger) -> None:
        self._X, self._signs = X, signs
        self._threshold = config.resolved_threshold
        self._needs_overlaps = config.solver == "exact"
        start = time.perf_counter()
        self._W = initial_weights(config.seed, config.width, X.shape[1])
        self.draw_seconds = time.perf_counter() - start
        rows = min(self._BLOCK, config.width)
        self._incidence = np.zeros((config.width, X.shape[0]), dtype=np.float32)
        self._products = np.empty((rows, X.shape[0]))

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int) -> int:
        """Memory of W, of the 0/1 matrix, and of the firing sets' extraction."""
        return 8 * width * dimension + 5 * width * num_points

    def sense(self, ledger: Ledger) -> Sensed:
        """Recompute all m * n inner products, the mask, the outputs and, for an exact solve, C."""
        num_points, dimension = self._X.shape
        outputs, overlaps = np.zeros(num_points), np.zeros((num_points, num_points))
        for block in self._blocks():
            with ledger.time("search"):
                products = self._products[: block.stop - block.start]
                np.matmul(self._W[block], self._X.T, out=products)
                mask = self._incidence[block]
                np.greater_equal(products, self._threshold, out=mask)
            with ledger.time("forward"):
                np.subtract(products, self._threshold, out=products)
                np.maximum(products, 0.0, out=products)
                outputs += self._signs[block] @ products
            with ledger.time("jacobian"):
                # A block has few enough rows for float32 to count exactly.
                if self._needs_overlaps:
                    overlaps += mask.T @ mask
                else:
                    overlaps[np.diag_indices(num_points)] += mask.sum(axis=0)
        outputs /= math.sqrt(self._signs.size)
        entries = self._incidence.size
        ledger.post("search", entries * dimension + entries)
        ledger.post("forward", forward_operations(entries, num_points))
        neurons, points = np.nonzero(self._incidence)
        firing = FiringSets.from_pairs(neurons, points, num_points)
        jacobian = DenseJacobian(self._incidence, overlaps, self._X)
        return Sensed(firing, outputs, jacobian, np.zeros((num_points, 0), dtype=np.int64))

    def move(self, firing: FiringSets, dual_step: Floats, ledger: Ledger) -> Ints:
        """Add (A o (a dual^T)) X to the rows of W that fire somewhere. There is no tree to repair."""
        num_points, dimension = self._X.shape
        scaled = self._X * (-dual_step / math.sqrt(self._signs.size))[:, None]
        ones = np.ones(num_points, dtype=np.float32)
        num_moved = 0
        with ledger.time("move"):
            for block in self._blocks():
                mask = self._incidence[block]
                rows = np.flatnonzero(mask @ ones)
                num_moved += rows.size
                signed = mask[rows] * self._signs[block][rows, None]
                self._W[block.start + rows] += signed @ scaled
        ledger.post("move", self._incidence.size + num_moved * num_points * dimension)
        return np.zeros((num_points, 0), dtype=np.int64)

    def weights(self, neurons: Ints | None) -> Floats:
        """Return a copy of W or of some of its rows."""
        return self._W.copy() if neurons is None else self._W[neurons]

    def initial_leaves(self, point: int) -> Floats | None:
        """Return None: the dense method keeps no initial inner products."""
        return None

    def initial_rows(self, neurons: Ints) -> Floats | None:
        """Return None, as `initial_leaves` does."""
        return None

    def _blocks(self) -> Iterator[slice]:
        width = self._signs.size
        for low in range(0, width, self._BLOCK):
            yield slice(low, min(low + self._BLOCK, width))

"""Checks that the fast path is exact, against brute force: made while a run goes on, shown beside every iteration.

The trees are trusted with nothing: all m * n leaves are compared with the threshold one by one, every inner node with
its two children, and the loss with that of the dense method, which keeps its own weights and has no trees. Of a method
that keeps no inner products, all are computed anew from its weights.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from treeviz.model.network import leaf_blocks
from treeviz.model.types import Floats, Ints
from treeviz.search.forest.trees import Forest
from treeviz.training.trace import StepRecord, Trace

# Two correct programs agree this closely in the loss, while it is above the floor and the Gram matrices met so far are
# no worse conditioned than this; beyond, round-off is amplified from step to step (algorithm.md §4). With the exact
# solver they agree to 1e-9. The sketch's conjugate gradient stops at 1e-12 of the first residual, which just above the
# floor came to 3e-9 in the worst of 3,040 runs on the bundled data.
LOSS_TOLERANCE, LOSS_FLOOR, MAX_CONDITIONING = 1e-8, 1e-8, 1e6
# A leaf this close to the threshold is a tie, which round-off decides; from there on two correct programs may part.
_TIE = 1e-9

_CHUNK_VALUES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What brute force finds: the firing set of each datapoint, and the first (tree, node) that is wrong.

    A node is wrong if it is not the larger of its two children. None if all are right, or there are no trees. `ties`
    are the neurons of each datapoint whose inner product, computed anew, is b but for round-off: they may fire or not.
    """

    firing: tuple[Ints, ...]
    ties: tuple[Ints, ...]
    heap_fault: tuple[int, int] | None
    num_leaves: int
    num_inner_nodes: int


@dataclass(frozen=True, slots=True)
class IterationCheck:
    """How one iteration's search compares with brute force.

    Attributes
    ----------
    num_leaves, num_inner_nodes : how many were looked at, in all trees; a leaf is an inner product, tree or not.
    firing_fault : (datapoint, neuron) that only one of the two found; None if the firing sets are equal.
    heap_fault : (tree, node) that is not the larger of its children; None if there is none.
    """

    num_leaves: int
    num_inner_nodes: int
    firing_fault: tuple[int, int] | None
    heap_fault: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class LossCheck:
    """How the loss compares with the dense method's: relative difference, and what excuses one, or ""."""

    difference: float
    excuse: str

    @property
    def is_comparable(self) -> bool:
        """Whether the losses must agree."""
        return not self.excuse

    @property
    def agrees(self) -> bool:
        """False if the losses differ where they must not."""
        return bool(self.excuse) or self.difference <= LOSS_TOLERANCE


def scan_forest(forest: Forest, threshold: float) -> Scan:
    """Look at every leaf and every inner node of all trees. Cost: 3 m n, in blocks that stay in cache."""
    width, num_trees = forest.num_leaves, forest.num_trees
    rows = max(1, _CHUNK_VALUES // num_trees)
    found: list[tuple[Ints, Ints]] = []
    for low in range(0, width, rows):
        neurons, trees = np.nonzero(forest.leaves[low : low + rows] >= threshold)
        found.append((neurons + low, trees))
    return Scan(
        firing=_by_point(found, num_trees),
        ties=_by_point([], num_trees),
        heap_fault=_first_wrong_node(forest, rows),
        num_leaves=width * num_trees,
        num_inner_nodes=(width - 1) * num_trees,
    )


def scan_weights(weight_blocks: Iterable[tuple[int, Floats]], X: Floats, threshold: float) -> Scan:
    """Compute every inner product from the weights, given in blocks `(first_neuron, rows)`. Cost: m * n * d."""
    found: list[tuple[Ints, Ints]] = []
    tied: list[tuple[Ints, Ints]] = []
    num_leaves = 0
    for first, leaves in leaf_blocks(X, weight_blocks):
        num_leaves += leaves.size
        for pairs, mask in ((found, leaves >= threshold), (tied, np.abs(leaves - threshold) <= _TIE)):
            neurons, points = np.nonzero(mask)
            pairs.append((neurons + first, points))
    return Scan(_by_point(found, len(X)), _by_point(tied, len(X)), None, num_leaves, 0)


def _by_point(pairs: Sequence[tuple[Ints, Ints]], num_points: int) -> tuple[Ints, ...]:
    """Sort pairs (neurons, datapoints), in ascending order of neurons, into a set of neurons for each datapoint."""
    none = np.empty(0, dtype=np.int64)
    neurons, points = (np.concatenate([none, *(pair[column] for pair in pairs)]) for column in (0, 1))
    counts = np.bincount(points, minlength=num_points)
    return tuple(np.split(neurons[np.argsort(points, kind="stable")], np.cumsum(counts)[:-1]))


def _first_wrong_node(forest: Forest, rows: int) -> tuple[int, int] | None:
    values = forest.values
    for low in range(1, forest.num_leaves, rows):
        high = min(low + rows, forest.num_leaves)
        children = values[2 * low : 2 * high].reshape(high - low, 2, forest.num_trees)
        wrong = values[low:high] != np.maximum(children[:, 0], children[:, 1])
        if wrong.any():
            node, tree = np.argwhere(wrong)[0]
            return int(tree), int(node + low)
    return None


def check_iteration(record: StepRecord, scan: Scan) -> IterationCheck:
    """Compare the firing sets an iteration worked with to those of a scan made just before it."""
    fault = None
    for point, (found, expected, ties) in enumerate(zip(record.firing, scan.firing, scan.ties, strict=True)):
        odd = np.setdiff1d(np.setxor1d(found, expected, assume_unique=True), ties, assume_unique=True)
        if odd.size:
            fault = (point, int(odd[0]))
            break
    return IterationCheck(scan.num_leaves, scan.num_inner_nodes, fault, scan.heap_fault)


def check_loss(trace: Trace, dense: Trace, iteration: int) -> LossCheck:
    """Compare the loss of an iteration with the dense method's, both having done it.

    The two are asked to agree to `LOSS_TOLERANCE` as long as the loss is above `LOSS_FLOOR`, every Gram matrix met on
    the way had a condition number under `MAX_CONDITIONING`, and no tie was decided differently.
    """
    ours, theirs = trace.records[iteration].loss, dense.records[iteration].loss
    met = [record.solve.conditioning or 1.0 for record in trace.records[:iteration]]
    difference, excuse = abs(ours - theirs) / max(theirs, np.finfo(float).tiny), ""
    if ours <= LOSS_FLOOR and theirs <= LOSS_FLOOR:
        excuse = "is below 1e-8"
    elif max(met, default=1.0) >= MAX_CONDITIONING:
        excuse = "follows badly conditioned steps"
    elif not difference <= LOSS_TOLERANCE and _follows_a_tie(trace, dense, iteration):
        excuse = "follows a tie, a value that is b but for round-off and fell on different sides"
    return LossCheck(difference, excuse)


def _follows_a_tie(trace: Trace, dense: Trace, iteration: int) -> bool:
    """Whether the firing sets first parted in an earlier iteration, and only by ties."""
    for ours, theirs in zip(trace.records[:iteration], dense.records, strict=False):
        odd = [np.setxor1d(*pair, assume_unique=True) for pair in zip(ours.firing, theirs.firing, strict=True)]
        if any(neurons.size for neurons in odd):
            return all(
                bool((np.abs(trace.leaf_rows(neurons, ours.iteration)[:, point] - threshold) <= _TIE).all())
                for threshold in [trace.config.resolved_threshold]
                for point, neurons in enumerate(odd)
            )
    return False

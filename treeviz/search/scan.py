"""Brute force: which neurons fire, found by looking at everything. What every search is checked against."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from treeviz.model.network import leaf_blocks
from treeviz.model.types import Floats, Ints

# A leaf this close to the threshold is a tie, which round-off decides; from there on two correct programs may part.
TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What brute force finds.

    Attributes
    ----------
    firing : the neurons that fire on each datapoint.
    ties : the neurons of each datapoint whose inner product, computed again, is b but for round-off: they may fire or
        not.
    heap_fault : (tree, node) of the first node that is not the larger of its two children; None if all are right, or
        there are no trees.
    num_leaves, num_inner_nodes : how many were looked at, in all trees; a leaf is an inner product, tree or not.
    """

    firing: tuple[Ints, ...]
    ties: tuple[Ints, ...]
    heap_fault: tuple[int, int] | None
    num_leaves: int
    num_inner_nodes: int


def scan_weights(weight_blocks: Iterable[tuple[int, Floats]], X: Floats, threshold: float) -> Scan:
    """Compute every inner product from the weights, given in blocks `(first_neuron, rows)`. Cost: m * n * d."""
    found: list[tuple[Ints, Ints]] = []
    tied: list[tuple[Ints, Ints]] = []
    num_leaves = 0
    for first, leaves in leaf_blocks(X, weight_blocks):
        num_leaves += leaves.size
        for pairs, mask in ((found, leaves >= threshold), (tied, np.abs(leaves - threshold) <= TIE)):
            neurons, points = np.nonzero(mask)
            pairs.append((neurons + first, points))
    return Scan(sets_of(found, len(X)), sets_of(tied, len(X)), None, num_leaves, 0)


def sets_of(pairs: Sequence[tuple[Ints, Ints]], num_points: int) -> tuple[Ints, ...]:
    """Sort pairs (neurons, datapoints), in ascending order of neurons, into a set of neurons for each datapoint."""
    none = np.empty(0, dtype=np.int64)
    neurons, points = (np.concatenate([none, *(pair[column] for pair in pairs)]) for column in (0, 1))
    counts = np.bincount(points, minlength=num_points)
    return tuple(np.split(neurons[np.argsort(points, kind="stable")], np.cumsum(counts)[:-1]))
